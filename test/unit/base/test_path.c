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

/* A name of @len times @c, in a folder. */
static char *long_name(char c, size_t len)
{
    char *path = mem_alloc(len + 3);

    memcpy(path, "d/", 2);
    memset(path + 2, c, len);
    path[len + 2] = '\0';
    return path;
}

static void names_beside_fit(void **state)
{
    (void)state;
    check(path_beside("/a/b", ".part"), "/a/b.part");
    check(path_beside("b", ".part"), "b.part");
    check(path_beside("/a/", ".part"), "/a/.part");
    /* Of 251 bytes the last one goes, of 250 none. */
    for (size_t len = PATH_NAME_MAX - 5; len <= PATH_NAME_MAX; len++) {
        char *path = long_name('n', len);
        char *want = long_name('n', PATH_NAME_MAX);
        (void)snprintf(want + 2 + PATH_NAME_MAX - 5, sizeof(".part"), ".part");
        check(path_beside(path, ".part"), want);
        mem_free(path);
        mem_free(want);
    }
}

static void characters_are_not_cut(void **state)
{
    (void)state;
    /* Three bytes each: the character that byte 250 is in goes as a whole. */
    char *path = long_name('n', PATH_NAME_MAX);
    for (size_t at = 2; at < 2 + PATH_NAME_MAX; at++)
        path[at] = "\xe2\x82\xac"[(at - 2) % 3];
    char *got = path_beside(path, ".part");
    assert_int_equal(strlen(got), 2 + 249 + 5);
    assert_memory_equal(got, path, 2 + 249);
    assert_string_equal(got + 2 + 249, ".part");
    mem_free(got);
    mem_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_joined),
        cmocka_unit_test(long_parts_are_not_cut),
        cmocka_unit_test(names_beside_fit),
        cmocka_unit_test(characters_are_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
