#include "config/units.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/ascii.h"
#include "base/strbuf.h"

enum {
    DECIMALS_MAX = 4, /* 10^4 times 2^50 is below 2^64 */
    DURATION_DAYS_MAX = 1000,
};

static const uint64_t day_ms = UINT64_C(24) * 3600 * 1000;

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit binary_units[] = {
    {"PiB", UINT64_C(1) << 50}, {"TiB", UINT64_C(1) << 40},
    {"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
};

static const struct unit decimal_units[] = {
    {"PB", UINT64_C(1000000000000000)},
    {"TB", UINT64_C(1000000000000)},
    {"GB", UINT64_C(1000000000)},
    {"MB", UINT64_C(1000000)},
    {"KB", UINT64_C(1000)},
};

static const struct unit time_units[] = {
    {"d", UINT64_C(86400000)}, {"h", UINT64_C(3600000)}, {"m", UINT64_C(60000)},
    {"s", UINT64_C(1000)},     {"ms", UINT64_C(1)},
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* True when @text is the first @len letters of @name, whatever their case. */
static bool is_word(struct bytes text, const char *name, size_t len)
{
    if (text.len != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (ascii_lower(text.p[i]) != ascii_lower((uint8_t)name[i]))
            return false;
    }
    return true;
}

/* Takes the digits at the start of *@text. */
static enum err take_digits(struct bytes *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t at = 0;

    while (at < text->len && is_digit(text->p[at])) {
        uint64_t digit = (uint64_t)(text->p[at] - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return E_LIMIT;
        number = number * 10 + digit;
        at++;
    }
    if (at == 0)
        return E_MALFORMED;
    *text = bytes_sub(*text, at, text->len - at);
    *ret_number = number;
    return OK;
}

enum err units_parse_number(struct bytes text, uint64_t *ret_number)
{
    uint64_t number = 0;
    enum err err = take_digits(&text, &number);

    if (err != OK)
        return err;
    if (text.len > 0)
        return E_MALFORMED;
    *ret_number = number;
    return OK;
}

/* Factor of a unit of size; 0 for no unit. */
static uint64_t size_factor(struct bytes unit)
{
    if (unit.len == 0 || is_word(unit, "B", 1))
        return 1;
    for (size_t i = 0; i < countof(binary_units); i++) {
        if (is_word(unit, binary_units[i].name, 3) ||
            is_word(unit, binary_units[i].name, 2))
            return binary_units[i].factor;
        if (is_word(unit, decimal_units[i].name, 2) ||
            is_word(unit, decimal_units[i].name, 1))
            return decimal_units[i].factor;
    }
    return 0;
}

/* Takes ".25" at the start of *@text; nothing there is 0 of 1. */
static enum err take_decimals(struct bytes *text, uint64_t *ret_part,
                              uint64_t *ret_of)
{
    *ret_part = 0;
    *ret_of = 1;
    if (text->len == 0 || text->p[0] != '.')
        return OK;
    struct bytes rest = bytes_sub(*text, 1, text->len - 1);
    size_t before = rest.len;
    enum err err = take_digits(&rest, ret_part);
    if (err != OK)
        return E_MALFORMED;
    if (before - rest.len > DECIMALS_MAX)
        return E_MALFORMED;
    for (size_t i = rest.len; i < before; i++)
        *ret_of *= 10;
    *text = rest;
    return OK;
}

enum err units_parse_size(struct bytes text, uint64_t *ret_bytes)
{
    uint64_t whole = 0;
    uint64_t part = 0;
    uint64_t of = 1;
    enum err err = take_digits(&text, &whole);

    if (err == OK)
        err = take_decimals(&text, &part, &of);
    if (err != OK)
        return err;
    if (text.len > 1 && text.p[0] == ' ')
        text = bytes_sub(text, 1, text.len - 1);
    uint64_t factor = size_factor(text);
    if (factor == 0)
        return E_MALFORMED;
    uint64_t rest = part * factor / of;
    if (whole > (UINT64_MAX - rest) / factor)
        return E_LIMIT;
    *ret_bytes = whole * factor + rest;
    return OK;
}

/* Takes a unit of time at the start of *@text; 0 for none. */
static uint64_t take_time_unit(struct bytes *text)
{
    size_t len = 0;

    while (len < text->len && !is_digit(text->p[len]))
        len++;
    struct bytes word = bytes_sub(*text, 0, len);
    for (size_t i = 0; i < countof(time_units); i++) {
        if (!is_word(word, time_units[i].name,
                     bytes_str(time_units[i].name).len))
            continue;
        *text = bytes_sub(*text, len, text->len - len);
        return time_units[i].factor;
    }
    return 0;
}

enum err units_parse_duration(struct bytes text, uint64_t *ret_ms)
{
    uint64_t max = day_ms * DURATION_DAYS_MAX;
    uint64_t sum = 0;
    uint64_t last = UINT64_MAX;

    do {
        uint64_t number = 0;
        enum err err = take_digits(&text, &number);
        if (err != OK)
            return err;
        bool bare = text.len == 0 && last == UINT64_MAX;
        uint64_t factor = bare ? 1000 : take_time_unit(&text);
        if (factor == 0 || factor >= last)
            return E_MALFORMED;
        if (number > (max - sum) / factor)
            return E_LIMIT;
        sum += number * factor;
        last = factor;
    } while (text.len > 0);
    *ret_ms = sum;
    return OK;
}

/* Appends @number in the first unit that divides it; false if none does. */
static bool exact(struct strbuf *out, uint64_t number, const struct unit *units,
                  size_t count)
{
    for (size_t i = 0; i < count && number > 0; i++) {
        if (number % units[i].factor != 0)
            continue;
        strbuf_u64(out, number / units[i].factor);
        strbuf_str(out, units[i].name);
        return true;
    }
    return false;
}

void units_exact_size(struct strbuf *out, uint64_t bytes)
{
    if (exact(out, bytes, binary_units, countof(binary_units)) ||
        exact(out, bytes, decimal_units, countof(decimal_units)))
        return;
    strbuf_u64(out, bytes);
}

void units_exact_duration(struct strbuf *out, uint64_t ms)
{
    if (!exact(out, ms, time_units, countof(time_units)))
        strbuf_str(out, "0s");
}

void units_human_size(struct strbuf *out, uint64_t bytes)
{
    for (size_t i = 0; i < countof(binary_units); i++) {
        uint64_t factor = binary_units[i].factor;
        if (bytes < factor)
            continue;
        strbuf_u64(out, bytes / factor);
        strbuf_str(out, ".");
        strbuf_u64(out, bytes % factor * 10 / factor);
        strbuf_str(out, " ");
        strbuf_str(out, binary_units[i].name);
        return;
    }
    strbuf_u64(out, bytes);
    strbuf_str(out, " B");
}

void units_human_duration(struct strbuf *out, uint64_t s)
{
    static const struct unit units[] = {
        {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    size_t at = 0;

    while (at + 1 < countof(units) && s < units[at].factor)
        at++;
    strbuf_u64(out, s / units[at].factor);
    strbuf_str(out, units[at].name);
    if (at + 1 == countof(units))
        return;
    strbuf_str(out, " ");
    strbuf_u64(out, s % units[at].factor / units[at + 1].factor);
    strbuf_str(out, units[at + 1].name);
}
