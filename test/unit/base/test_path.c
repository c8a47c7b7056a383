/*
 * Goal: names of files are put together whole, however long they are.
 * Method: empty, short and long parts, compared with what they should give.
 */
#include "base/mem.h"
#include "base/path.h"

#include "test.h"

static void check(char *got, const char *want)
{
    assert_string_equal(got, want);
    mem_free(got);
}

static void parts_are_joined(void **state)
{
    (void)state;
    check(path_join("/a/b", "c"), "/a/b/c");
    check(path_join("", "c"), "/c");
    check(path_join("a", ""), "a/");
    check(path_with("/a/b", ".part"), "/a/b.part");
    check(path_with("b", ""), "b");
    check(path_with("", ""), "");
}

static void long_parts_are_not_cut(void **state)
{
    enum { LEN = 10000 };
    char dir[LEN + 1];
    char want[LEN + 3];

    (void)state;
    memset(dir, 'd', LEN);
    dir[LEN] = '\0';
    memcpy(want, dir, LEN);
    memcpy(want + LEN, "/x", 3);
    check(path_join(dir, "x"), want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_joined),
        cmocka_unit_test(long_parts_are_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
