/*
 * Goal: bytes a second over the last ten seconds are what came in them, not
 * more and not later.
 * Method: bytes at chosen times; each border of the parts of time that are
 * counted, one nanosecond before it and at it.
 */
#include "libp2p/rate.h"

#include "test.h"

static struct mtime at_ms(uint64_t ms)
{
    return (struct mtime){ms * 1000000};
}

static struct mtime just_before(uint64_t ms)
{
    return (struct mtime){ms * 1000000 - 1};
}

static void nothing_is_nothing(void **state)
{
    struct rate r = {.last = 0};

    (void)state;
    assert_int_equal(rate_per_s(&r, at_ms(0)), 0);
    assert_int_equal(rate_per_s(&r, at_ms(1000000)), 0);
}

static void a_steady_flow_is_told(void **state)
{
    struct rate r = {.last = 0};

    (void)state;
    for (uint64_t s = 0; s < 60; s++)
        rate_add(&r, 5000, at_ms(s * 1000));
    assert_int_equal(rate_per_s(&r, at_ms(60000)), 5000);
    assert_int_equal(rate_per_s(&r, just_before(62000)), 5000);
}

static void one_burst_counts_for_ten_seconds(void **state)
{
    struct rate r = {.last = 0};

    (void)state;
    rate_add(&r, 70, at_ms(100000));
    rate_add(&r, 30, just_before(102000));
    assert_int_equal(rate_per_s(&r, just_before(102000)), 0);
    assert_int_equal(rate_per_s(&r, at_ms(102000)), 10);
    assert_int_equal(rate_per_s(&r, just_before(112000)), 10);
    assert_int_equal(rate_per_s(&r, at_ms(112000)), 0);
    rate_add(&r, 50, at_ms(112000));
    assert_int_equal(rate_per_s(&r, at_ms(114000)), 5);
}

static void what_is_old_does_not_come_again(void **state)
{
    struct rate r = {.last = 0};

    (void)state;
    for (uint64_t s = 0; s < 12; s++)
        rate_add(&r, 1000, at_ms(s * 1000));
    rate_add(&r, 10, at_ms(1000000));
    assert_int_equal(rate_per_s(&r, at_ms(1002000)), 1);
    rate_add(&r, 10, at_ms(1004000)); /* a part without any between */
    assert_int_equal(rate_per_s(&r, at_ms(1006000)), 2);
}

static void too_much_is_as_much_as_fits(void **state)
{
    struct rate r = {.last = 0};

    (void)state;
    rate_add(&r, UINT32_MAX, at_ms(0));
    rate_add(&r, 1, at_ms(1));
    rate_add(&r, UINT64_MAX, at_ms(2));
    assert_int_equal(rate_per_s(&r, at_ms(2000)), UINT32_MAX / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(a_steady_flow_is_told),
        cmocka_unit_test(one_burst_counts_for_ten_seconds),
        cmocka_unit_test(what_is_old_does_not_come_again),
        cmocka_unit_test(too_much_is_as_much_as_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
