/*
 * Goal: quality is what was measured: it starts in the middle, rises and falls
 * by the documented amounts, fades with the documented half-lives, and stays
 * between 0 and 100 whatever comes.
 * Method: single events against the table in quality.h; decay over one and many
 * half-lives, at once and in small steps; random events.
 */
#include "base/bytes.h"
#include "base/map.h"
#include "discovery/quality.h"
#include "peers.h"

#define DAY_S UINT64_C(86400)

static struct quality fresh(void)
{
    return quality_init(TEST_UNIX_S);
}

static uint32_t after(enum quality_kind kind, uint64_t amount, size_t times)
{
    struct quality q = fresh();
    for (size_t i = 0; i < times; i++)
        quality_event(&q, kind, amount, TEST_UNIX_S);
    return quality_score(&q, TEST_UNIX_S);
}

static void test_new(void **state)
{
    struct quality q = fresh();
    (void)state;
    assert_int_equal(quality_score(&q, TEST_UNIX_S), QUALITY_NEW);
    assert_int_equal(quality_score(&q, TEST_UNIX_S + 1000 * DAY_S),
                     QUALITY_NEW);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S), 0);
}

/* Each weight, by bringing one part to its end. */
static void test_weights(void **state)
{
    (void)state;
    assert_in_range(after(QUALITY_CONNECTED, 0, 100), 69, 70);
    assert_in_range(after(QUALITY_ANSWERED, 0, 100), 69, 70);
    assert_in_range(after(QUALITY_UNANSWERED, 0, 100), 30, 31);
    assert_in_range(after(QUALITY_DIAL_FAILED, 0, 100), 20, 21);
    assert_in_range(after(QUALITY_UPTIME, DAY_S, 10), 59, 60);
    assert_in_range(after(QUALITY_GOOD_BYTES, 1 << 30, 3), 61, 62);
    assert_in_range(after(QUALITY_AUDIT_PASSED, 0, 200), 61, 62);
    assert_int_equal(after(QUALITY_RTT, 1, 1), 57);
    assert_int_equal(after(QUALITY_RTT, 10000, 1), 57);
    assert_int_equal(after(QUALITY_RTT, 2000000, 1), 42);
    assert_int_equal(after(QUALITY_RTT, UINT64_MAX, 1), 42);
    assert_in_range(after(QUALITY_RTT, 1005000, 1), 49, 50);
}

/* One event each, against the table. */
static void test_steps(void **state)
{
    (void)state;
    struct quality q = fresh();
    quality_event(&q, QUALITY_CONNECTED, 0, TEST_UNIX_S);
    assert_int_equal(q.success, 30000 + 30000 / 8);
    quality_event(&q, QUALITY_UNANSWERED, 0, TEST_UNIX_S);
    assert_int_equal(q.success, 33750 - 33750 / 4);
    quality_event(&q, QUALITY_GOOD_BYTES, 16 << 20, TEST_UNIX_S);
    assert_int_equal(q.data, 45000);
    quality_event(&q, QUALITY_UPTIME, DAY_S / 6, TEST_UNIX_S);
    assert_int_equal(q.uptime, 45000);
    quality_event(&q, QUALITY_BAD_BLOCK, 0, TEST_UNIX_S);
    assert_int_equal(q.data, 22500);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S), 200);
    quality_event(&q, QUALITY_AUDIT_FAILED, 0, TEST_UNIX_S);
    assert_int_equal(q.data, 11250);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S), 500);
    quality_event(&q, QUALITY_FAULT, 20, TEST_UNIX_S);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S), 700);
    q = fresh();
    quality_event(&q, QUALITY_RTT, 100, TEST_UNIX_S);
    quality_event(&q, QUALITY_RTT, 500, TEST_UNIX_S);
    assert_int_equal(q.rtt_us, 200);
}

static void test_penalty(void **state)
{
    (void)state;
    assert_int_equal(after(QUALITY_FAULT, QUALITY_SEVERITY_MAX, 1), 0);
    assert_int_equal(after(QUALITY_FAULT, UINT64_MAX, 1), 0);
    assert_int_equal(after(QUALITY_FAULT, 50, 1), 25);
    struct quality q = fresh();
    quality_event(&q, QUALITY_FAULT, 100, TEST_UNIX_S);
    quality_event(&q, QUALITY_FAULT, 100, TEST_UNIX_S);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S), QUALITY_PENALTY_MAX);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S + DAY_S / 4), 500);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S + DAY_S / 2), 250);
    assert_int_equal(quality_score(&q, TEST_UNIX_S + DAY_S / 4), 25);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S + 100 * DAY_S), 0);
}

static void test_half_lives(void **state)
{
    (void)state;
    struct quality q = fresh();
    for (size_t i = 0; i < 200; i++) {
        quality_event(&q, QUALITY_CONNECTED, 0, TEST_UNIX_S);
        quality_event(&q, QUALITY_GOOD_BYTES, 1 << 30, TEST_UNIX_S);
        quality_event(&q, QUALITY_UPTIME, DAY_S, TEST_UNIX_S);
    }
    assert_in_range(quality_score(&q, TEST_UNIX_S), 91, 92);
    /* After a day success and uptime are half way back, data hardly. */
    struct quality later = q;
    quality_event(&later, QUALITY_FAULT, 0, TEST_UNIX_S + DAY_S);
    assert_in_range(later.success, 44900, 45000);
    assert_in_range(later.uptime, 44900, 45000);
    assert_in_range(later.data, 57000, 58500);
    later = q;
    quality_event(&later, QUALITY_FAULT, 0, TEST_UNIX_S + 7 * DAY_S);
    assert_in_range(later.data, 44900, 45000);
    assert_int_equal(quality_score(&q, TEST_UNIX_S + 1000 * DAY_S),
                     QUALITY_NEW);
}

/* An event each second must neither stop the decay nor hurry it. */
static void test_small_steps(void **state)
{
    (void)state;
    struct quality q = fresh();
    for (size_t i = 0; i < 200; i++)
        quality_event(&q, QUALITY_CONNECTED, 0, TEST_UNIX_S);
    for (uint64_t s = 1; s <= DAY_S; s++)
        quality_event(&q, QUALITY_FAULT, 0, TEST_UNIX_S + s);
    assert_in_range(q.success, 44000, 46000);
}

/* A clock that was set back makes nothing younger, and is no reason to stop. */
static void test_clock_back(void **state)
{
    (void)state;
    struct quality q = fresh();
    quality_event(&q, QUALITY_FAULT, 50, TEST_UNIX_S);
    quality_event(&q, QUALITY_FAULT, 0, TEST_UNIX_S - DAY_S);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S - DAY_S), 500);
    assert_int_equal(quality_penalty(&q, TEST_UNIX_S - DAY_S + DAY_S / 4), 250);
}

static void test_random(void **state)
{
    static const uint8_t seed[16] = {1};
    struct quality q = fresh();
    uint64_t unix_s = TEST_UNIX_S;
    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        uint64_t x = siphash13(seed, (struct bytes){(uint8_t *)&i, sizeof(i)});
        unix_s += x % 7 == 0 ? x >> 44 : x % 3;
        quality_event(&q, (enum quality_kind)(x % (QUALITY_AUDIT_FAILED + 1)),
                      x >> (x % 64), unix_s);
        assert_true(q.success <= QUALITY_PART_LAST);
        assert_true(q.data <= QUALITY_PART_LAST);
        assert_true(q.uptime <= QUALITY_PART_LAST);
        assert_true(q.penalty <= QUALITY_PART_LAST);
        assert_true(quality_score(&q, unix_s) <= QUALITY_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_steps),      cmocka_unit_test(test_penalty),
        cmocka_unit_test(test_half_lives), cmocka_unit_test(test_small_steps),
        cmocka_unit_test(test_clock_back), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
