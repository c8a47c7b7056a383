/*
 * Goal: views compare and order as byte strings do, also empty ones.
 * Method: pairs of views.
 */
#include "base/bytes.h"

#include "test.h"

static void views_are_of_what_they_say(void **state)
{
    (void)state;
    assert_int_equal(BYTES_LIT("a\0b").len, 3);
    assert_int_equal(bytes_str("abc").len, 3);
    assert_int_equal(bytes_str("").len, 0);
    assert_null(BYTES_EMPTY.p);
}

static void equal_is_same_length_and_bytes(void **state)
{
    (void)state;
    assert_true(bytes_eq(BYTES_EMPTY, BYTES_EMPTY));
    assert_true(bytes_eq(BYTES_EMPTY, bytes_str("")));
    assert_true(bytes_eq(BYTES_LIT("a\0b"), BYTES_LIT("a\0b")));
    assert_false(bytes_eq(BYTES_LIT("a\0b"), BYTES_LIT("a\0c")));
    assert_false(bytes_eq(BYTES_LIT("a"), BYTES_LIT("ab")));
    assert_false(bytes_eq(BYTES_LIT("a"), BYTES_EMPTY));
}

static void order_is_by_bytes_then_length(void **state)
{
    static const struct bytes rising[] = {
        {NULL, 0},
        {(const uint8_t *)"\0", 1},
        {(const uint8_t *)"a", 1},
        {(const uint8_t *)"a\0", 2},
        {(const uint8_t *)"ab", 2},
        {(const uint8_t *)"b", 1},
        {(const uint8_t *)"\x80", 1}, /* unsigned */
        {(const uint8_t *)"\xff", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rising) / sizeof(rising[0]); i++) {
        for (size_t j = 0; j < sizeof(rising) / sizeof(rising[0]); j++) {
            int order = bytes_cmp(rising[i], rising[j]);
            assert_int_equal(order < 0, i < j);
            assert_int_equal(order > 0, i > j);
        }
    }
}

static void parts_lie_in_the_whole(void **state)
{
    struct bytes whole = BYTES_LIT("abcdef");

    (void)state;
    assert_true(bytes_eq(bytes_sub(whole, 0, 6), whole));
    assert_true(bytes_eq(bytes_sub(whole, 2, 3), BYTES_LIT("cde")));
    assert_int_equal(bytes_sub(whole, 6, 0).len, 0);
    assert_int_equal(bytes_sub(BYTES_EMPTY, 0, 0).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_of_what_they_say),
        cmocka_unit_test(equal_is_same_length_and_bytes),
        cmocka_unit_test(order_is_by_bytes_then_length),
        cmocka_unit_test(parts_lie_in_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
