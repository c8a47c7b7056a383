/*
 * Goal: points in time compare, add and subtract as they should, also "never";
 * errors have names and sides.
 * Method: values at and next to each boundary.
 */
#include "base/err.h"
#include "base/mtime.h"

#include "test.h"

static void times_compare(void **state)
{
    struct mtime one = {.ns = 1};
    struct mtime two = {.ns = 2};

    (void)state;
    assert_true(mtime_before(one, two));
    assert_false(mtime_before(two, two));
    assert_false(mtime_before(two, one));
    assert_true(mtime_reached(two, two));
    assert_true(mtime_reached(two, one));
    assert_false(mtime_reached(one, two));
    assert_false(mtime_reached(two, MTIME_NEVER));
    assert_true(mtime_before(two, MTIME_NEVER));
    assert_int_equal(mtime_min(one, two).ns, 1);
    assert_int_equal(mtime_min(MTIME_NEVER, two).ns, 2);
}

static void times_are_counted(void **state)
{
    struct mtime start = {.ns = 5};
    struct mtime later = mtime_add_ms(start, 1500);

    (void)state;
    assert_true(later.ns == UINT64_C(1500000005));
    assert_int_equal(mtime_ms_since(start, later), 1500);
    later.ns--;
    assert_int_equal(mtime_ms_since(start, later), 1499);
    assert_int_equal(mtime_ms_since(later, start), 0);
    assert_int_equal(mtime_ms_since(start, start), 0);
    assert_true(mtime_add_ms(start, UINT32_MAX).ns ==
                UINT64_C(4294967295000005));
}

static void errors_have_a_name_and_a_side(void **state)
{
    (void)state;
    assert_string_equal(err_name(OK), "ok");
    for (int i = OK; i <= E_CORRUPT; i++) {
        assert_string_not_equal(err_name((enum err)i), "unknown");
        for (int j = OK; j < i; j++)
            assert_string_not_equal(err_name((enum err)i),
                                    err_name((enum err)j));
        bool peer = i == E_SHORT || i == E_MALFORMED || i == E_LIMIT ||
                    i == E_UNSUPPORTED || i == E_MISMATCH;
        assert_int_equal(err_is_peer_fault((enum err)i), peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_compare),
        cmocka_unit_test(times_are_counted),
        cmocka_unit_test(errors_have_a_name_and_a_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
