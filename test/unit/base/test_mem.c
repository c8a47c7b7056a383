/*
 * Goal: memory is there, zeroed, copied and kept as promised, also for sizes
 * of 0.
 * Method: use all of what was given; the address sanitizer watches.
 */
#include "base/mem.h"

#include "test.h"

static void memory_of_any_size_is_ours(void **state)
{
    (void)state;
    for (size_t size = 0; size < 100; size++) {
        uint8_t *p = mem_alloc(size);
        assert_non_null(p);
        memset(p, 0xff, size);
        mem_free(p);
    }
    mem_free(NULL);
}

static void zeroed_memory_is_zero(void **state)
{
    (void)state;
    uint8_t *p = mem_zalloc(100, 3);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(p[i], 0);
    mem_free(p);
    p = mem_zalloc(0, 8);
    assert_non_null(p);
    mem_free(p);
    p = mem_zalloc(8, 0);
    assert_non_null(p);
    mem_free(p);
}

static void resized_memory_keeps_its_contents(void **state)
{
    uint32_t *p = mem_resize(NULL, 4, sizeof(*p));

    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        p[i] = i;
    p = mem_resize(p, 1000, sizeof(*p));
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(p[i], i);
    p[999] = 1;
    p = mem_resize(p, 2, sizeof(*p));
    assert_int_equal(p[1], 1);
    p = mem_resize(p, 0, sizeof(*p));
    assert_non_null(p);
    mem_free(p);
}

static void copies_are_their_own(void **state)
{
    char text[] = "abc";
    char *one = mem_strdup(text);
    char *two = mem_dup(text, 2);
    char *three = mem_dup(NULL, 0);

    (void)state;
    text[0] = 'x';
    assert_string_equal(one, "abc");
    assert_memory_equal(two, "ab", 2);
    assert_non_null(three);
    mem_free(one);
    mem_free(two);
    mem_free(three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_any_size_is_ours),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(resized_memory_keeps_its_contents),
        cmocka_unit_test(copies_are_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
