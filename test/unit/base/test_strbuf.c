/*
 * Goal: text grows up to its cap and no further, numbers and bytes are
 * written as promised, and nothing that strbuf_escape() lets through can harm
 * a terminal, a log or a page.
 * Method: every cap round a text's length; every byte, every length and kind
 * of UTF-8 sequence.
 */
#include "base/strbuf.h"

#include "test.h"

static void text_grows(void **state)
{
    struct strbuf s;

    (void)state;
    strbuf_init(&s, 1000);
    assert_string_equal(strbuf_cstr(&s), "");
    assert_int_equal(strbuf_bytes(&s).len, 0);
    for (unsigned i = 0; i < 1000; i++) {
        strbuf_add(&s, BYTES_LIT("x"));
        assert_int_equal(s.len, i + 1);
        assert_int_equal(strbuf_cstr(&s)[i + 1], '\0');
    }
    assert_false(strbuf_full(&s));
    strbuf_add(&s, BYTES_LIT("y"));
    assert_true(strbuf_full(&s));
    assert_int_equal(s.len, 1000);
    strbuf_add(&s, BYTES_EMPTY);
    assert_true(strbuf_full(&s)); /* it stays remembered */
    strbuf_reset(&s);
    assert_false(strbuf_full(&s));
    assert_string_equal(strbuf_cstr(&s), "");
    strbuf_str(&s, "abc");
    assert_true(bytes_eq(strbuf_bytes(&s), BYTES_LIT("abc")));
    strbuf_release(&s);
    strbuf_release(&s); /* harmless */
}

static void what_passes_the_cap_is_dropped_whole(void **state)
{
    struct strbuf s;

    (void)state;
    strbuf_init(&s, 5);
    strbuf_str(&s, "abc");
    strbuf_str(&s, "def");
    assert_true(strbuf_full(&s));
    assert_string_equal(strbuf_cstr(&s), "abc");
    strbuf_str(&s, "de"); /* what fits still goes in */
    assert_string_equal(strbuf_cstr(&s), "abcde");
    assert_true(strbuf_full(&s));
    strbuf_release(&s);
    strbuf_init(&s, 0);
    strbuf_str(&s, "");
    assert_false(strbuf_full(&s));
    strbuf_str(&s, "a");
    assert_true(strbuf_full(&s));
    assert_string_equal(strbuf_cstr(&s), "");
    strbuf_release(&s);
}

static void bytes_may_be_anything(void **state)
{
    static const uint8_t in[] = {0, 1, 0xff, 0};
    struct strbuf s;

    (void)state;
    strbuf_init(&s, 10);
    strbuf_add(&s, (struct bytes){in, sizeof(in)});
    assert_true(bytes_eq(strbuf_bytes(&s), (struct bytes){in, sizeof(in)}));
    strbuf_reset(&s);
    strbuf_hex(&s, (struct bytes){in, sizeof(in)});
    assert_string_equal(strbuf_cstr(&s), "0001ff00");
    strbuf_release(&s);
}

static void numbers_are_decimal(void **state)
{
    static const struct {
        uint64_t value;
        const char *text;
    } rows[] = {{0, "0"},
                {9, "9"},
                {10, "10"},
                {1234567890, "1234567890"},
                {UINT64_MAX, "18446744073709551615"}};
    struct strbuf s;

    (void)state;
    strbuf_init(&s, 64);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        strbuf_reset(&s);
        strbuf_u64(&s, rows[i].value);
        assert_string_equal(strbuf_cstr(&s), rows[i].text);
    }
    strbuf_release(&s);
}

static void check_escape(const char *in, size_t len, const char *wanted)
{
    struct strbuf s;

    strbuf_init(&s, 256);
    strbuf_escape(&s, (struct bytes){(const uint8_t *)in, len});
    assert_string_equal(strbuf_cstr(&s), wanted);
    strbuf_release(&s);
}

#define ESCAPE(in, wanted) check_escape((in), sizeof(in) - 1, (wanted))

static void harmful_text_is_escaped(void **state)
{
    (void)state;
    ESCAPE("", "");
    ESCAPE("plain text ~ 100%", "plain text ~ 100%");
    ESCAPE("a\\b", "a\\\\b");
    ESCAPE("\x1b[31m", "\\x1b[31m");
    ESCAPE("a\nb\r\tc\0d", "a\\x0ab\\x0d\\x09c\\x00d");
    ESCAPE("\x7f", "\\x7f");
    /* U+0080 and U+009F are control characters, U+00A0 is not. */
    ESCAPE("\xc2\x80\xc2\x9f\xc2\xa0", "\\xc2\\x80\\xc2\\x9f\xc2\xa0");
    ESCAPE("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
           "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    /* Zero width space, line separator, overrides, isolates, BOM. */
    ESCAPE("\xe2\x80\x8b", "\\xe2\\x80\\x8b");
    ESCAPE("\xe2\x80\x8f", "\\xe2\\x80\\x8f");
    ESCAPE("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
    ESCAPE("\xe2\x80\xae", "\\xe2\\x80\\xae");
    ESCAPE("\xe2\x81\xa6", "\\xe2\\x81\\xa6");
    ESCAPE("\xef\xbb\xbf", "\\xef\\xbb\\xbf");
    ESCAPE("\xe2\x80\x8a\xe2\x80\x90", "\xe2\x80\x8a\xe2\x80\x90");
    /* What is no UTF-8. */
    ESCAPE("\xff", "\\xff");
    ESCAPE("\xc3(", "\\xc3(");
    ESCAPE("\xe2\x82", "\\xe2\\x82");
    ESCAPE("\xc0\xaf", "\\xc0\\xaf");
    ESCAPE("\xed\xa0\x80", "\\xed\\xa0\\x80");
}

static void every_byte_is_safe_alone(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t in = (uint8_t)byte;
        struct strbuf s;
        strbuf_init(&s, 16);
        strbuf_escape(&s, (struct bytes){&in, 1});
        for (size_t i = 0; i < s.len; i++)
            assert_true(s.p[i] >= 0x20 && s.p[i] < 0x7f);
        bool plain = byte >= 0x20 && byte < 0x7f && byte != '\\';
        assert_int_equal(s.len, plain ? 1 : byte == '\\' ? 2 : 4);
        strbuf_release(&s);
    }
}

static void utf8_is_told_from_what_is_none(void **state)
{
    static const struct {
        const char *hex;
        size_t len;
    } rows[] = {
        {"00", 1},       {"7f", 1},       {"80", 0},       {"bf", 0},
        {"c080", 0},     {"c1bf", 0},     {"c280", 2},     {"dfbf", 2},
        {"c2", 0},       {"c27f", 0},     {"c2c0", 0},     {"e08080", 0},
        {"e09fbf", 0},   {"e0a080", 3},   {"efbfbf", 3},   {"ed9fbf", 3},
        {"eda080", 0},   {"edbfbf", 0},   {"ee8080", 3},   {"e0a0", 0},
        {"e0a07f", 0},   {"f0808080", 0}, {"f08fbfbf", 0}, {"f0908080", 4},
        {"f48fbfbf", 4}, {"f4908080", 0}, {"f5808080", 0}, {"f09080", 0},
        {"ff", 0},       {"fe", 0},       {"c28041", 2},   {"41c2", 1},
    };

    (void)state;
    assert_int_equal(utf8_len(BYTES_EMPTY), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t in[4];
        size_t len = unhex(rows[i].hex, in, sizeof(in));
        uint8_t *exact = malloc(len); /* so that ASan sees the end */
        assert_non_null(exact);
        memcpy(exact, in, len);
        assert_int_equal(utf8_len((struct bytes){exact, len}), rows[i].len);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(what_passes_the_cap_is_dropped_whole),
        cmocka_unit_test(bytes_may_be_anything),
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(harmful_text_is_escaped),
        cmocka_unit_test(every_byte_is_safe_alone),
        cmocka_unit_test(utf8_is_told_from_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
