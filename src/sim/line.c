/* The words of a line: numbers with units, and sets of machines. */
#include <string.h>

#include "sim/clock.h"
#include "sim/script_priv.h"

enum { DIGITS_MAX = 19, PPM_OF_PERCENT = 10000, KIB = 1024 };

struct unit {
    const char *name;
    uint64_t factor;
};

enum err sim_line_fail(struct sim_line *l, const char *why)
{
    l->why = why;
    l->about =
        l->at > 0 && l->at <= l->count ? l->words[l->at - 1] : BYTES_EMPTY;
    return E_MALFORMED;
}

bool sim_line_is(struct sim_line *l, const char *word)
{
    if (l->at == l->count || !bytes_eq(l->words[l->at], bytes_str(word)))
        return false;
    l->at++;
    return true;
}

enum err sim_line_word(struct sim_line *l, struct bytes *ret_word)
{
    if (l->at == l->count)
        return sim_line_fail(l, "a word is missing at the end");
    *ret_word = l->words[l->at++];
    return OK;
}

enum err sim_line_end(struct sim_line *l)
{
    if (l->at == l->count)
        return OK;
    l->at++;
    return sim_line_fail(l, "one word too many");
}

/* Digits at the start of @in.  Return: what is behind them. */
static enum err take_digits(struct bytes in, uint64_t *ret_number,
                            struct bytes *ret_rest)
{
    uint64_t number = 0;
    size_t len = 0;

    for (; len < in.len && in.p[len] >= '0' && in.p[len] <= '9'; len++) {
        if (len == DIGITS_MAX - 1)
            return E_MALFORMED;
        number = number * 10 + (uint64_t)(in.p[len] - '0');
    }
    if (len == 0)
        return E_MALFORMED;
    *ret_number = number;
    *ret_rest = bytes_sub(in, len, in.len - len);
    return OK;
}

static enum err parse_unit(struct bytes in, const struct unit *units,
                           size_t count, uint64_t *ret_value)
{
    uint64_t number;
    struct bytes rest;
    enum err err = take_digits(in, &number, &rest);
    if (err != OK)
        return err;

    for (size_t i = 0; i < count; i++) {
        if (!bytes_eq(rest, bytes_str(units[i].name)))
            continue;
        if (number > UINT64_MAX / 2 / units[i].factor)
            return E_MALFORMED;
        *ret_value = number * units[i].factor;
        return OK;
    }
    return E_MALFORMED;
}

enum err sim_parse_duration(struct bytes text, uint64_t *ret_ns)
{
    static const struct unit units[] = {
        {"us", 1000},
        {"ms", SIM_MS},
        {"s", SIM_S},
        {"m", UINT64_C(60) * SIM_S},
        {"h", UINT64_C(3600) * SIM_S},
        {"d", UINT64_C(86400) * SIM_S},
    };

    return parse_unit(text, units, countof(units), ret_ns);
}

enum err sim_parse_size(struct bytes text, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"KiB", KIB},
        {"MiB", UINT64_C(1) << 20},
        {"GiB", UINT64_C(1) << 30},
    };

    return parse_unit(text, units, countof(units), ret_bytes);
}

enum err sim_parse_share(struct bytes text, uint64_t *ret_ppm)
{
    uint64_t whole;
    uint64_t ppm = 0;
    struct bytes rest;
    enum err err = take_digits(text, &whole, &rest);

    if (err == OK && rest.len > 0 && rest.p[0] == '.') {
        uint64_t factor = PPM_OF_PERCENT / 10;
        rest = bytes_sub(rest, 1, rest.len - 1);
        for (; rest.len > 1 && rest.p[0] >= '0' && rest.p[0] <= '9';
             rest = bytes_sub(rest, 1, rest.len - 1)) {
            ppm += factor * (uint64_t)(rest.p[0] - '0');
            factor /= 10;
        }
    }
    if (err != OK || whole > 100 || !bytes_eq(rest, BYTES_LIT("%")))
        return E_MALFORMED;
    *ret_ppm = whole * PPM_OF_PERCENT + ppm;
    return OK;
}

typedef enum err parse_fn(struct bytes text, uint64_t *ret_value);

static enum err take(struct sim_line *l, parse_fn *parse, const char *why,
                     uint64_t *ret_value)
{
    struct bytes word;
    enum err err = sim_line_word(l, &word);
    if (err != OK)
        return err;

    return parse(word, ret_value) == OK ? OK : sim_line_fail(l, why);
}

enum err sim_line_duration(struct sim_line *l, uint64_t *ret_ns)
{
    return take(l, sim_parse_duration, "not a duration", ret_ns);
}

enum err sim_line_size(struct sim_line *l, uint64_t *ret_bytes)
{
    return take(l, sim_parse_size, "not a size", ret_bytes);
}

enum err sim_line_share(struct sim_line *l, uint64_t *ret_ppm)
{
    return take(l, sim_parse_share, "not a share", ret_ppm);
}

static enum err parse_plain(struct bytes text, uint64_t *ret_value)
{
    struct bytes rest;
    enum err err = take_digits(text, ret_value, &rest);

    return err == OK && rest.len > 0 ? E_MALFORMED : err;
}

enum err sim_line_number(struct sim_line *l, uint64_t max, uint64_t *ret_number)
{
    enum err err = take(l, parse_plain, "not a number", ret_number);

    if (err == OK && *ret_number > max)
        err = sim_line_fail(l, "too large a number");
    return err;
}

/* "3" or "0-9". */
static enum err take_range(struct sim_line *l, struct bytes part, uint8_t *set,
                           uint8_t value)
{
    uint64_t first = 0;
    struct bytes rest;
    enum err err = take_digits(part, &first, &rest);
    uint64_t last = first;

    if (err == OK && rest.len > 0 && rest.p[0] == '-') {
        err = take_digits(bytes_sub(rest, 1, rest.len - 1), &last, &rest);
        if (err == OK && last < first)
            err = E_MALFORMED;
    }
    if (err != OK || rest.len > 0)
        return sim_line_fail(l, "not a list of machines");
    if (last >= l->script->machines)
        return sim_line_fail(l, "there is no such machine");
    memset(set + first, value, (size_t)(last - first + 1));
    return OK;
}

enum err sim_line_machines(struct sim_line *l, uint8_t *set, uint8_t value)
{
    struct bytes word;
    enum err err = sim_line_word(l, &word);
    if (err != OK)
        return err;
    if (l->script->machines == 0)
        return sim_line_fail(l, "the line with nodes comes first");

    if (bytes_eq(word, BYTES_LIT("all"))) {
        memset(set, value, l->script->machines);
        return OK;
    }
    if (bytes_eq(word, BYTES_LIT("any"))) {
        set[sim_rand_below(&l->rand, l->script->machines)] = value;
        return OK;
    }
    while (err == OK && word.len > 0) {
        const uint8_t *comma = memchr(word.p, ',', word.len);
        size_t len = comma == NULL ? word.len : (size_t)(comma - word.p);
        err = take_range(l, bytes_sub(word, 0, len), set, value);
        size_t used = comma == NULL ? len : len + 1;
        word = bytes_sub(word, used, word.len - used);
    }
    return err;
}
