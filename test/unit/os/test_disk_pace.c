/*
 * Goal: a device is slow when it took long for much, and only then.
 * Method: the limits on both sides, in one note and in many.
 */
#include "os/disk_pace.h"

#include "test.h"

enum {
    NS_PER_MS = 1000 * 1000,
    ENOUGH_MS = DISK_PACE_BYTES_MIN / DISK_PACE_BYTES_PER_MS,
};

static void test_little_says_nothing(void **state)
{
    struct disk_pace p = {0};

    (void)state;
    assert_false(disk_pace_is_slow(&p));
    disk_pace_note(&p, DISK_PACE_BYTES_MIN - 1, UINT64_MAX / 2);
    assert_false(disk_pace_is_slow(&p));
    disk_pace_note(&p, 1, 0);
    assert_true(disk_pace_is_slow(&p));
}

static void test_limit(void **state)
{
    struct disk_pace p = {0};

    (void)state;
    disk_pace_note(&p, DISK_PACE_BYTES_MIN, (uint64_t)ENOUGH_MS * NS_PER_MS);
    assert_false(disk_pace_is_slow(&p));
    disk_pace_note(&p, 0, NS_PER_MS);
    assert_true(disk_pace_is_slow(&p));
}

static void test_average(void **state)
{
    enum { PIECE = 1024 * 1024, PIECES = 200 };
    struct disk_pace p = {0};
    uint64_t ns = (uint64_t)PIECE / DISK_PACE_BYTES_PER_MS * NS_PER_MS;

    (void)state;
    for (int i = 0; i < PIECES; i++) {
        disk_pace_note(&p, PIECE, i % 2 == 0 ? 0 : 2 * ns);
        assert_false(disk_pace_is_slow(&p));
    }
    for (int i = 0; i < PIECES; i++)
        disk_pace_note(&p, PIECE, 2 * ns);
    assert_true(disk_pace_is_slow(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_little_says_nothing),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_average),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
