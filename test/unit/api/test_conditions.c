/*
 * Goal: Range, If-Range and If-None-Match mean what RFC 9110 says, and what is
 * malformed or not served means the whole file.
 * Method: headers as clients send them, at the ends of the numbers, and cut or
 * altered at each place.
 */
#include "api/conditions.h"

#include "test.h"

static void is_from(const char *text, uint64_t offset, uint64_t length)
{
    struct range r = range_parse(text);

    assert_int_equal(r.kind, RANGE_FROM);
    assert_int_equal(r.offset, offset);
    assert_int_equal(r.length, length);
}

static void ranges_from_the_beginning(void **state)
{
    (void)state;
    is_from("bytes=0-0", 0, 1);
    is_from("bytes=0-9", 0, 10);
    is_from("bytes=5-", 5, UINT64_MAX);
    is_from("bytes=5-5", 5, 1);
    is_from("bytes=18446744073709551615-", UINT64_MAX, UINT64_MAX);
    /* The end of every file, whatever the number. */
    is_from("bytes=0-18446744073709551615", 0, UINT64_MAX);
    is_from("bytes=0-99999999999999999999999", 0, UINT64_MAX);
    is_from("bytes=1-18446744073709551615", 1, UINT64_MAX);
}

static void ranges_from_the_end(void **state)
{
    (void)state;
    struct range r = range_parse("bytes=-5");
    assert_int_equal(r.kind, RANGE_SUFFIX);
    assert_int_equal(r.length, 5);
    assert_int_equal(range_parse("bytes=-0").length, 0);
    assert_int_equal(range_parse("bytes=-0").kind, RANGE_SUFFIX);
    assert_int_equal(range_parse("bytes=-99999999999999999999999").length,
                     UINT64_MAX);
}

static void others_are_the_whole(void **state)
{
    static const char *const texts[] = {
        "",           "bytes",     "bytes=",       "bytes=-",  "bytes=5",
        "bytes=5-2",  "bytes=a-b", "bytes=1-2,4-", "lines=1-", "bytes= 1-2",
        "bytes=1-2 ", "bytes=1--", "bytes=+1-2",   "Bytes=1-2"};

    (void)state;
    assert_int_equal(range_parse(NULL).kind, RANGE_WHOLE);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(range_parse(texts[i]).kind, RANGE_WHOLE);
}

static void tags_are_found_in_lists(void **state)
{
    static const char *const with[] = {
        "\"bafy\"",         "*",           "W/\"bafy\"", "\"a\", \"bafy\"",
        "\"a\",W/\"bafy\"", " \"bafy\" ,", ", \"bafy\""};
    static const char *const without[] = {
        "",        "bafy",         "\"bafy", "\"bafy2\"",
        "\"baf\"", "\"x\", \"y\"", "W/bafy", "\"bafy\"x"};

    (void)state;
    assert_false(etag_is_listed(NULL, "bafy"));
    for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
        assert_true(etag_is_listed(with[i], "bafy"));
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        assert_false(etag_is_listed(without[i], "bafy"));
}

static void only_the_strong_tag_is_the_same(void **state)
{
    (void)state;
    assert_true(etag_is("\"bafy\"", "bafy"));
    assert_false(etag_is("W/\"bafy\"", "bafy"));
    assert_false(etag_is("\"bafy\", \"x\"", "bafy"));
    assert_false(etag_is("", "bafy"));
    assert_false(etag_is("Sat, 21 Nov 2026 23:11:05 GMT", "bafy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_from_the_beginning),
        cmocka_unit_test(ranges_from_the_end),
        cmocka_unit_test(others_are_the_whole),
        cmocka_unit_test(tags_are_found_in_lists),
        cmocka_unit_test(only_the_strong_tag_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
