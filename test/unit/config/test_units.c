/*
 * Goal: sizes, times and numbers that people write are read as they are meant,
 * and what is shown is read back as the same number.
 * Method: tables of texts; every limit at the limit and one past it.
 */
#include "base/strbuf.h"
#include "config/units.h"

#include "test.h"

static void sizes_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {
        {"0", 0},
        {"4096", 4096},
        {"10G", UINT64_C(10000000000)},
        {"10GB", UINT64_C(10000000000)},
        {"10GiB", UINT64_C(10) << 30},
        {"10gib", UINT64_C(10) << 30},
        {"10Gi", UINT64_C(10) << 30},
        {"500MB", 500000000},
        {"500 MB", 500000000},
        {"1.5KiB", 1536},
        {"0.0001K", 0},
        {"1.0005K", 1000},
        {"2T", UINT64_C(2000000000000)},
        {"3PiB", UINT64_C(3) << 50},
        {"7B", 7},
        {"18446744073709551615", UINT64_MAX},
        {"16383.9999PiB", UINT64_C(18446743961119451545)},
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        uint64_t bytes = 1;
        assert_int_equal(units_parse_size(bytes_str(rows[i].text), &bytes), OK);
        if (i + 1 < countof(rows))
            assert_int_equal(bytes, rows[i].bytes);
    }
}

static void bad_sizes_are_refused(void **state)
{
    static const char *const malformed[] = {
        "",      "G",        "-1",     "+1",   " 1",  "1 ",    "1  G",
        "1.",    ".5G",      "1.5.5G", "1,5G", "1GG", "1Gb/s", "0x10",
        "1 ki ", "1.00000G", "none",   "1Z",   "1e3",
    };
    static const char *const over[] = {"18446744073709551616", "16384PiB",
                                       "99999999999999999999G"};
    uint64_t bytes = 7;

    (void)state;
    for (size_t i = 0; i < countof(malformed); i++)
        assert_int_equal(units_parse_size(bytes_str(malformed[i]), &bytes),
                         E_MALFORMED);
    for (size_t i = 0; i < countof(over); i++)
        assert_int_equal(units_parse_size(bytes_str(over[i]), &bytes), E_LIMIT);
    assert_int_equal(bytes, 7); /* written on success only */
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"30s", 30000},     {"15m", 900000},
        {"1h30m", 5400000}, {"250ms", 250},
        {"30", 30000},      {"0", 0},
        {"1d", 86400000},   {"1s500ms", 1500},
        {"2H", 7200000},    {"1000d", UINT64_C(86400000000)},
    };
    static const char *const malformed[] = {
        "", "s", "1x", "1.5s", "-1s", "1m1", "1s1m", "1s1s", "1 s", "1mm"};
    uint64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        assert_int_equal(units_parse_duration(bytes_str(rows[i].text), &ms),
                         OK);
        assert_int_equal(ms, rows[i].ms);
    }
    for (size_t i = 0; i < countof(malformed); i++)
        assert_int_equal(units_parse_duration(bytes_str(malformed[i]), &ms),
                         E_MALFORMED);
    assert_int_equal(units_parse_duration(BYTES_LIT("1000d1ms"), &ms), E_LIMIT);
    assert_int_equal(
        units_parse_duration(BYTES_LIT("99999999999999999999s"), &ms), E_LIMIT);
}

static void numbers_fill_their_text(void **state)
{
    uint64_t n = 0;

    (void)state;
    assert_int_equal(units_parse_number(BYTES_LIT("18446744073709551615"), &n),
                     OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(units_parse_number(BYTES_LIT("18446744073709551616"), &n),
                     E_LIMIT);
    assert_int_equal(units_parse_number(BYTES_LIT("1 "), &n), E_MALFORMED);
    assert_int_equal(units_parse_number(BYTES_EMPTY, &n), E_MALFORMED);
}

static void exact_texts_are_read_back(void **state)
{
    static const uint64_t sizes[] = {0,         1,       1000,
                                     1024,      1536,    500000000,
                                     4096000,   1234567, UINT64_C(10) << 30,
                                     UINT64_MAX};
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 64);
    for (size_t i = 0; i < countof(sizes); i++) {
        uint64_t back = 1;
        strbuf_reset(&out);
        units_exact_size(&out, sizes[i]);
        assert_int_equal(units_parse_size(strbuf_bytes(&out), &back), OK);
        assert_true(back == sizes[i]);
        if (sizes[i] > UINT64_C(86400000))
            continue;
        strbuf_reset(&out);
        units_exact_duration(&out, sizes[i]);
        assert_int_equal(units_parse_duration(strbuf_bytes(&out), &back), OK);
        assert_true(back == sizes[i]);
    }
    strbuf_release(&out);
}

static void people_see_short_texts(void **state)
{
    static const struct {
        uint64_t value;
        const char *size;
        const char *duration;
    } rows[] = {
        {0, "0 B", "0s"},
        {59, "59 B", "59s"},
        {1023, "1023 B", "17m 3s"},
        {1024, "1.0 KiB", "17m 4s"},
        {1535, "1.4 KiB", "25m 35s"},
        {1536, "1.5 KiB", "25m 36s"},
        {UINT64_C(1288490189), "1.2 GiB", "14913d 1h"},
        {UINT64_MAX, "16383.9 PiB", "213503982334601d 7h"},
    };
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 64);
    for (size_t i = 0; i < countof(rows); i++) {
        strbuf_reset(&out);
        units_human_size(&out, rows[i].value);
        assert_string_equal(strbuf_cstr(&out), rows[i].size);
        strbuf_reset(&out);
        units_human_duration(&out, rows[i].value);
        assert_string_equal(strbuf_cstr(&out), rows[i].duration);
    }
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(bad_sizes_are_refused),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(numbers_fill_their_text),
        cmocka_unit_test(exact_texts_are_read_back),
        cmocka_unit_test(people_see_short_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
