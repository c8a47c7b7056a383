/*
 * Goal: times in text, both ways, by the calendar.
 * Method: known times; every day of 800 years against a calendar that counts
 * one day at a time; texts with each part wrong; every prefix.
 */
#include "kad/rfc3339.h"

#include "test.h"

static enum err parse(const char *text, struct unix_time *ret_time)
{
    return rfc3339_parse(bytes_str(text), ret_time);
}

static void assert_time(const char *text, int64_t s, uint32_t ns)
{
    struct unix_time t;
    assert_int_equal(parse(text, &t), OK);
    assert_int_equal(t.s, s);
    assert_int_equal(t.ns, ns);
}

static void assert_text(int64_t s, uint32_t ns, const char *want)
{
    char text[RFC3339_TEXT_MAX];
    struct unix_time t = {.s = s, .ns = ns};
    assert_int_equal(rfc3339_format(&t, text), RFC3339_TEXT_MAX - 1);
    assert_string_equal(text, want);
    assert_time(text, s, ns);
}

static void known_times(void **state)
{
    (void)state;
    assert_text(0, 0, "1970-01-01T00:00:00.000000000Z");
    assert_text(4102444800, 0, "2100-01-01T00:00:00.000000000Z");
    assert_text(951782400, 1, "2000-02-29T00:00:00.000000001Z");
    assert_text(1709251199, 999999999, "2024-02-29T23:59:59.999999999Z");
    assert_text(-1, 5, "1969-12-31T23:59:59.000000005Z");
    assert_text(253402300799, 0, "9999-12-31T23:59:59.000000000Z");
    assert_text(-62167219200, 0, "0000-01-01T00:00:00.000000000Z");
    assert_time("1985-04-12T23:20:50.52Z", 482196050, 520000000);
    assert_time("1996-12-19T16:39:57-08:00", 851042397, 0);
    assert_time("1937-01-01T12:00:27.87+00:20", -1041337173, 870000000);
    assert_time("2100-01-01T00:00:00Z", 4102444800, 0);
    assert_time("2100-01-01T00:00:00.123456789Z", 4102444800, 123456789);
    assert_time("1970-01-01T00:00:00.000000000-23:59", 86340, 0);
}

static void every_day(void **state)
{
    (void)state;
    static const unsigned days[] = {31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31};
    unsigned year = 1600;
    unsigned month = 1;
    unsigned day = 1;
    int64_t s = -11676096000;
    while (year < 2400) {
        char want[64];
        (void)snprintf(want, sizeof(want), "%04u-%02u-%02uT12:34:56.000000000Z",
                       year, month, day);
        assert_text(s + 45296, 0, want);
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        unsigned last = days[month - 1] + (month == 2 && leap ? 1U : 0U);
        (void)snprintf(want, sizeof(want), "%04u-%02u-%02uT12:34:56Z", year,
                       month, last + 1);
        struct unix_time t;
        assert_int_equal(parse(want, &t), E_MALFORMED);
        s += 86400;
        if (++day <= last)
            continue;
        day = 1;
        if (++month <= 12)
            continue;
        month = 1;
        year++;
    }
}

static void wrong_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "2100-01-01t00:00:00Z",      "2100-01-01 00:00:00Z",
        "2100-01-01T00:00:00z",      "2100-01-01T00:00:00",
        "2100-01-01T00:00:00.Z",     "2100-01-01T00:00:00.1234567890Z",
        "2100-01-01T00:00:00,5Z",    "2100-01-01T00:00:60Z",
        "2100-01-01T00:60:00Z",      "2100-01-01T24:00:00Z",
        "2100-00-01T00:00:00Z",      "2100-13-01T00:00:00Z",
        "2100-01-00T00:00:00Z",      "2100-02-29T00:00:00Z",
        "2100-1-01T00:00:00Z",       "+100-01-01T00:00:00Z",
        "210a-01-01T00:00:00Z",      "2100/01-01T00:00:00Z",
        "2100-01-01T00:00:00+24:00", "2100-01-01T00:00:00+00:60",
        "2100-01-01T00:00:00+0000",  "2100-01-01T00:00:00Z ",
        " 2100-01-01T00:00:00Z",
    };
    struct unix_time t;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_not_equal(parse(texts[i], &t), OK);

    const char *good = "2100-01-01T00:00:00.123456789+01:30";
    assert_int_equal(strlen(good), RFC3339_PARSE_MAX);
    assert_int_equal(parse(good, &t), OK);
    for (size_t len = 0; len < strlen(good); len++) {
        struct bytes in = {(const uint8_t *)good, len};
        assert_int_equal(rfc3339_parse(in, &t), E_SHORT);
    }
    assert_int_equal(parse("2100-01-01T00:00:00.123456789+01:300", &t),
                     E_LIMIT);
}

static void order_and_milliseconds(void **state)
{
    (void)state;
    struct unix_time a = unix_time_of_ms(1999);
    assert_int_equal(a.s, 1);
    assert_int_equal(a.ns, 999000000);
    assert_int_equal(unix_time_to_ms(&a), 1999);
    struct unix_time b = a;
    assert_int_equal(unix_time_cmp(&a, &b), 0);
    b.ns++;
    assert_true(unix_time_cmp(&a, &b) < 0);
    assert_true(unix_time_cmp(&b, &a) > 0);
    assert_int_equal(unix_time_to_ms(&b), 1999);
    b = (struct unix_time){.s = -1};
    assert_true(unix_time_cmp(&b, &a) < 0);
    assert_true(unix_time_cmp(&a, &b) > 0);
    assert_int_equal(unix_time_to_ms(&b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times),
        cmocka_unit_test(every_day),
        cmocka_unit_test(wrong_texts),
        cmocka_unit_test(order_and_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
