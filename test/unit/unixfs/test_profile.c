/* Profiles by name, and what a chunker's text may say. */
#include "unixfs/profile.h"

#include "test.h"

static void test_find(void **state)
{
    const struct import_profile *p = NULL;
    unsigned count = 0;

    (void)state;
    assert_int_equal(profile_find(BYTES_LIT("unixfs-v1-2025"), &p), OK);
    assert_ptr_equal(p, profile_default());
    assert_int_equal(p->chunk_bytes, 1024 * 1024);
    assert_int_equal(profile_find(BYTES_LIT("kubo-v0"), &p), OK);
    assert_int_equal(p->cid_version, 0);
    assert_int_equal(profile_find(BYTES_LIT("kubo-v"), &p), E_NOTFOUND);
    assert_int_equal(profile_find(BYTES_EMPTY, &p), E_NOTFOUND);
    for (; profile_name(count) != NULL; count++)
        assert_int_equal(profile_find(bytes_str(profile_name(count)), &p), OK);
    assert_int_equal(count, 3);
}

static void test_chunker(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        uint32_t size;
    } cases[] = {
        {"size-1", OK, 1},
        {"size-262144", OK, 262144},
        {"size-00262144", OK, 262144},
        {"size-2096896", OK, CHUNK_BYTES_MAX},
        {"size-2096897", E_LIMIT, 0},
        {"size-99999999999999999999", E_LIMIT, 0},
        {"size-4294967297", E_LIMIT, 0},
        {"size-0", E_LIMIT, 0},
        {"size-", E_MALFORMED, 0},
        {"size-1x", E_MALFORMED, 0},
        {"size--1", E_MALFORMED, 0},
        {"size- 1", E_MALFORMED, 0},
        {"262144", E_MALFORMED, 0},
        {"", E_MALFORMED, 0},
        {"rabin", E_UNSUPPORTED, 0},
        {"rabin-16-32-64", E_UNSUPPORTED, 0},
        {"buzhash", E_UNSUPPORTED, 0},
    };

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        uint32_t size = 77;
        enum err err = profile_parse_chunker(bytes_str(cases[i].text), &size);
        assert_int_equal(err, cases[i].err);
        assert_int_equal(size, err == OK ? cases[i].size : 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_chunker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
