#include "kad/rfc3339.h"

#include <assert.h>
#include <stdbool.h>

#include "base/rd.h"
#include "base/wr.h"

enum {
    NS_DIGITS = 9,
    DAY_S = 24 * 60 * 60,
    /* Days of the Gregorian calendar: 400 years, 100, 4, one. */
    ERA_DAYS = 146097,
    ERA_YEARS = 400,
    CENTURY_DAYS = 36524,
    FOUR_DAYS = 1461,
    YEAR_DAYS = 365,
    /* From 0000-03-01, where our eras begin, to 1970-01-01. */
    EPOCH_DAYS = 719468,
};

static const int64_t ns_per_s = 1000000000;

/* The first second of year 0 and the last of year 9999. */
static const int64_t first_s = INT64_C(-62167219200);
static const int64_t last_s = INT64_C(253402300799);

/*
 * struct civil - a date and time of day as written.
 */
struct civil {
    unsigned year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
    unsigned hour;
    unsigned minute;
    unsigned second;
};

struct unix_time unix_time_of_ms(uint64_t ms)
{
    return (struct unix_time){.s = (int64_t)(ms / 1000),
                              .ns = (uint32_t)(ms % 1000) * 1000000};
}

uint64_t unix_time_to_ms(const struct unix_time *t)
{
    if (t->s < 0)
        return 0;
    return (uint64_t)t->s * 1000 + t->ns / 1000000;
}

int unix_time_cmp(const struct unix_time *a, const struct unix_time *b)
{
    if (a->s != b->s)
        return a->s < b->s ? -1 : 1;
    return a->ns < b->ns ? -1 : a->ns > b->ns;
}

/*
 * Days from 1970-01-01 to a date.  Years are counted from March, so that the
 * day that comes and goes is the last of the year.
 */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2 ? 1 : 0);
    int64_t era = (y >= 0 ? y : y - (ERA_YEARS - 1)) / ERA_YEARS;
    int64_t year_of_era = y - era * ERA_YEARS;
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * YEAR_DAYS + year_of_era / 4 -
                         year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1U : 0U);
}

/* The inverse of days_of(). */
static void date_of(int64_t days, struct civil *ret_civil)
{
    int64_t z = days + EPOCH_DAYS;
    int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day_of_era = z - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / (FOUR_DAYS - 1) + day_of_era / CENTURY_DAYS -
         day_of_era / (ERA_DAYS - 1)) /
        YEAR_DAYS;
    int64_t day_of_year = day_of_era - (YEAR_DAYS * year_of_era +
                                        year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month =
        month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;

    ret_civil->day =
        (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    ret_civil->month = (unsigned)month;
    ret_civil->year =
        (unsigned)(year_of_era + era * ERA_YEARS + (month <= 2 ? 1 : 0));
}

/* The next @count characters, which must be digits, as a number. */
static unsigned read_digits(struct rd *r, unsigned count)
{
    unsigned value = 0;

    for (unsigned i = 0; i < count; i++) {
        uint8_t c = rd_u8(r);
        if (r->err == OK && (c < '0' || c > '9'))
            rd_fail(r, E_MALFORMED);
        value = value * 10 + (unsigned)(c - '0');
    }
    return r->err == OK ? value : 0;
}

static void read_char(struct rd *r, char c)
{
    uint8_t got = rd_u8(r);

    if (r->err == OK && got != (uint8_t)c)
        rd_fail(r, E_MALFORMED);
}

static void read_civil(struct rd *r, struct civil *c)
{
    c->year = read_digits(r, 4);
    read_char(r, '-');
    c->month = read_digits(r, 2);
    read_char(r, '-');
    c->day = read_digits(r, 2);
    read_char(r, 'T');
    c->hour = read_digits(r, 2);
    read_char(r, ':');
    c->minute = read_digits(r, 2);
    read_char(r, ':');
    c->second = read_digits(r, 2);
    if (r->err != OK)
        return;
    if (c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > days_in_month(c->year, c->month) || c->hour > 23 ||
        c->minute > 59 || c->second > 59)
        rd_fail(r, E_MALFORMED);
}

/*
 * Nanoseconds of the digits after a point that was read.  Stores the character
 * after them, with which the zone begins.
 */
static uint32_t read_fraction(struct rd *r, uint8_t *ret_after)
{
    uint32_t ns = 0;
    unsigned count = 0;
    uint8_t c = rd_u8(r);

    for (; r->err == OK && c >= '0' && c <= '9'; c = rd_u8(r)) {
        count++;
        if (count > NS_DIGITS) {
            rd_fail(r, E_MALFORMED);
            return 0;
        }
        ns = ns * 10 + (uint32_t)(c - '0');
    }
    if (r->err == OK && count == 0)
        rd_fail(r, E_MALFORMED);
    for (; count < NS_DIGITS; count++)
        ns *= 10;
    *ret_after = c;
    return ns;
}

/* Seconds that a zone is ahead of UTC; @sign was read. */
static int64_t read_zone(struct rd *r, uint8_t sign)
{
    if (sign == 'Z')
        return 0;
    if (sign != '+' && sign != '-') {
        rd_fail(r, E_MALFORMED);
        return 0;
    }
    unsigned hours = read_digits(r, 2);
    read_char(r, ':');
    unsigned minutes = read_digits(r, 2);
    if (hours > 23 || minutes > 59)
        rd_fail(r, E_MALFORMED);
    int64_t s = (int64_t)(hours * 60 + minutes) * 60;
    return sign == '+' ? s : -s;
}

enum err rfc3339_parse(struct bytes text, struct unix_time *ret_time)
{
    if (text.len > RFC3339_PARSE_MAX)
        return E_LIMIT;
    struct rd r = rd_init(text);
    struct civil c = {0};
    uint32_t ns = 0;

    read_civil(&r, &c);
    uint8_t sign = rd_u8(&r);
    if (sign == '.')
        ns = read_fraction(&r, &sign);
    int64_t ahead = r.err == OK ? read_zone(&r, sign) : 0;
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    int64_t s = days_of(c.year, c.month, c.day) * DAY_S +
                (int64_t)((c.hour * 60 + c.minute) * 60 + c.second) - ahead;
    if (s < first_s || s > last_s)
        return E_MALFORMED;
    *ret_time = (struct unix_time){.s = s, .ns = ns};
    return OK;
}

static void put_digits(struct wr *w, unsigned value, unsigned count)
{
    uint8_t digits[NS_DIGITS];

    for (unsigned i = count; i > 0; i--) {
        digits[i - 1] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
    wr_bytes(w, (struct bytes){.p = digits, .len = count});
}

size_t rfc3339_format(const struct unix_time *t,
                      char dst[static RFC3339_TEXT_MAX])
{
    assert(t->ns < ns_per_s);
    assert(t->s >= first_s);
    assert(t->s <= last_s);
    int64_t days = t->s / DAY_S;
    int64_t rest = t->s % DAY_S;
    struct civil c = {0};

    if (rest < 0) {
        rest += DAY_S;
        days--;
    }
    date_of(days, &c);
    c.hour = (unsigned)(rest / 3600);
    c.minute = (unsigned)(rest / 60 % 60);
    c.second = (unsigned)(rest % 60);

    struct wr w = wr_init((uint8_t *)dst, RFC3339_TEXT_MAX);
    put_digits(&w, c.year, 4);
    wr_u8(&w, '-');
    put_digits(&w, c.month, 2);
    wr_u8(&w, '-');
    put_digits(&w, c.day, 2);
    wr_u8(&w, 'T');
    put_digits(&w, c.hour, 2);
    wr_u8(&w, ':');
    put_digits(&w, c.minute, 2);
    wr_u8(&w, ':');
    put_digits(&w, c.second, 2);
    wr_u8(&w, '.');
    put_digits(&w, t->ns, NS_DIGITS);
    wr_u8(&w, 'Z');
    size_t len = wr_len(&w);
    wr_u8(&w, '\0');
    assert(w.err == OK);
    return len;
}
