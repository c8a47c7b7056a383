/*
 * Goal: counted memory lives as long as its last reference and no longer.
 * Method: counts after each step; the address sanitizer sees what is freed too
 * early or never.
 */
#include "base/buf.h"

#include "test.h"

static void a_buf_has_room_and_one_reference(void **state)
{
    struct buf *b = buf_new(10);

    (void)state;
    assert_int_equal(b->refs, 1);
    assert_int_equal(b->len, 0);
    assert_int_equal(b->max, 10);
    memset(b->data, 7, 10); /* all of the room is ours */
    b->len = 10;
    assert_ptr_equal(buf_bytes(b).p, b->data);
    assert_int_equal(buf_bytes(b).len, 10);
    buf_unref(b);
    b = buf_new(0);
    assert_int_equal(buf_bytes(b).len, 0);
    buf_unref(b);
    buf_unref(NULL);
}

static void any_byte_can_be_aligned(void **state)
{
    static const size_t at[] = {0, 1, 37, 4095, 4096, 5000};

    (void)state;
    for (size_t i = 0; i < countof(at); i++) {
        struct buf *b = buf_new_aligned(5000, at[i]);
        assert_int_equal((uintptr_t)(b->data + at[i]) % BUF_ALIGN_BYTES, 0);
        assert_int_equal(b->max, 5000);
        assert_int_equal(b->len, 0);
        memset(b->data, 7, 5000); /* all of the room is ours */
        buf_unref(b);
    }
}

static void a_copy_is_its_own(void **state)
{
    char text[] = "abc";
    struct buf *b = buf_copy(bytes_str(text));

    (void)state;
    text[0] = 'x';
    assert_int_equal(b->len, 3);
    assert_memory_equal(b->data, "abc", 3);
    buf_unref(b);
    b = buf_copy(BYTES_EMPTY);
    assert_int_equal(b->len, 0);
    buf_unref(b);
}

static void the_last_reference_frees(void **state)
{
    struct buf *b = buf_copy(BYTES_LIT("abc"));

    (void)state;
    assert_ptr_equal(buf_ref(b), b);
    assert_int_equal(b->refs, 2);
    buf_unref(b);
    assert_int_equal(b->refs, 1);
    assert_memory_equal(b->data, "abc", 3);
    buf_unref(b);
}

static void slices_hold_their_buf(void **state)
{
    struct buf *b = buf_copy(BYTES_LIT("abcdef"));
    struct slice one = slice_of(b, bytes_sub(buf_bytes(b), 2, 3));
    struct slice two = slice_ref(&one);

    (void)state;
    assert_int_equal(b->refs, 3);
    buf_unref(b);
    slice_release(&one);
    assert_null(one.buf);
    assert_int_equal(one.bytes.len, 0);
    slice_release(&one); /* harmless */
    assert_int_equal(two.buf->refs, 1);
    assert_true(bytes_eq(two.bytes, BYTES_LIT("cde")));
    slice_release(&two);
}

static void slices_of_what_lives_for_ever_count_nothing(void **state)
{
    struct slice one = {.buf = NULL, .bytes = BYTES_LIT("abc")};
    struct slice two = slice_ref(&one);

    (void)state;
    assert_true(bytes_eq(two.bytes, BYTES_LIT("abc")));
    slice_release(&one);
    slice_release(&two);
}

static void an_empty_slice_may_point_nowhere(void **state)
{
    struct buf *b = buf_new(4);
    struct slice s = slice_of(b, BYTES_EMPTY);

    (void)state;
    assert_int_equal(b->refs, 2);
    slice_release(&s);
    buf_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buf_has_room_and_one_reference),
        cmocka_unit_test(any_byte_can_be_aligned),
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(slices_hold_their_buf),
        cmocka_unit_test(slices_of_what_lives_for_ever_count_nothing),
        cmocka_unit_test(an_empty_slice_may_point_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
