#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/nearest.h"
#include "config/units.h"
#include "config/value_priv.h"

enum { PERCENT_MAX = 100 };

/* A value while it is being checked. */
struct parsed {
    uint64_t number;
    bool is_percent;
};

static void copy_text(char *dst, size_t max, const char *src)
{
    size_t len = strlen(src);

    if (len >= max)
        len = max - 1;
    memcpy(dst, src, len);
    dst[len] = '\0';
}

static void note(const char *text, bool is_error,
                 const struct config_place *place)
{
    struct config_notes *notes = place->notes;

    if (is_error)
        notes->errors_count++;
    if (notes->count == CONFIG_NOTES_MAX)
        return;
    struct config_note *n = &notes->items[notes->count++];
    n->is_error = is_error;
    n->line = place->line;
    copy_text(n->source, sizeof(n->source), place->source);
    copy_text(n->text, sizeof(n->text), text);
}

void config_note_fault(const char *text, const struct config_place *place)
{
    note(text, true, place);
}

/* The first of @text, so that a long value leaves room for what is wrong. */
static void show_start(struct strbuf *out, struct bytes text)
{
    enum { SHOWN_MAX = 40 };
    size_t len = 0;

    while (len < text.len && len < SHOWN_MAX) {
        size_t step = utf8_len(bytes_sub(text, len, text.len - len));
        len += step > 0 ? step : 1;
    }
    strbuf_str(out, "\"");
    strbuf_escape(out, bytes_sub(text, 0, len));
    strbuf_str(out, len < text.len ? "...\"" : "\"");
}

static void note_bad(const struct config_schema *s, struct bytes text,
                     const char *why, const struct config_place *place)
{
    struct strbuf out;

    strbuf_init(&out, CONFIG_NOTE_TEXT_MAX - 1);
    strbuf_str(&out, s->name);
    strbuf_str(&out, ": ");
    show_start(&out, text);
    strbuf_str(&out, " ");
    strbuf_str(&out, why);
    note(strbuf_cstr(&out), true, place);
    strbuf_release(&out);
}

void config_note_unknown(struct bytes name, const struct config_place *place)
{
    struct nearest nearest;
    struct strbuf out;

    nearest_init(&nearest, name);
    for (unsigned i = 0; i < CONFIG_KEYS_COUNT; i++)
        nearest_try(&nearest, config_schema((enum config_key)i)->name);
    strbuf_init(&out, CONFIG_NOTE_TEXT_MAX - 1);
    strbuf_str(&out, "unknown key ");
    show_start(&out, name);
    if (nearest_best(&nearest) != NULL) {
        strbuf_str(&out, "; did you mean ");
        strbuf_str(&out, nearest_best(&nearest));
        strbuf_str(&out, "?");
    }
    note(strbuf_cstr(&out), true, place);
    strbuf_release(&out);
}

static void show_number(const struct config_schema *s, struct strbuf *out,
                        uint64_t number)
{
    switch (s->type) {
    case CONFIG_SIZE:
    case CONFIG_SHARE:
        if (number == CONFIG_NONE)
            strbuf_str(out, "none");
        else
            units_exact_size(out, number);
        return;
    case CONFIG_DURATION:
        units_exact_duration(out, number);
        return;
    case CONFIG_BOOL:
        strbuf_str(out, number != 0 ? "true" : "false");
        return;
    case CONFIG_UINT:
    case CONFIG_STRING:
    case CONFIG_ENUM:
    case CONFIG_LIST:
        strbuf_u64(out, number);
        return;
    }
}

/* Notes a number out of range; true when it is in it. */
static bool in_range(const struct config_schema *s, struct bytes text,
                     uint64_t number, const struct config_place *place)
{
    if (number >= s->min && number <= s->max)
        return true;
    struct strbuf why;
    strbuf_init(&why, CONFIG_NOTE_TEXT_MAX);
    strbuf_str(&why, "is not in the range ");
    show_number(s, &why, s->min);
    strbuf_str(&why, " to ");
    show_number(s, &why, s->max);
    note_bad(s, text, strbuf_cstr(&why), place);
    strbuf_release(&why);
    return false;
}

static bool parse_bool(struct bytes text, uint64_t *ret_number)
{
    static const char *const words[2][4] = {{"false", "no", "off", "0"},
                                            {"true", "yes", "on", "1"}};

    for (unsigned value = 0; value < 2; value++) {
        for (size_t i = 0; i < countof(words[value]); i++) {
            if (!bytes_eq(text, bytes_str(words[value][i])))
                continue;
            *ret_number = value;
            return true;
        }
    }
    return false;
}

/* Index of @text among "a|b|c"; false when it is none of them. */
static bool find_choice(const char *choices, struct bytes text,
                        uint64_t *ret_index)
{
    uint64_t index = 0;
    const char *at = choices;

    for (;;) {
        size_t len = strcspn(at, "|");
        struct bytes choice = {(const uint8_t *)at, len};
        if (bytes_eq(choice, text)) {
            *ret_index = index;
            return true;
        }
        if (at[len] == '\0')
            return false;
        at += len + 1;
        index++;
    }
}

static bool parse_enum(const struct config_schema *s, struct bytes text,
                       struct parsed *ret, const struct config_place *place)
{
    if (find_choice(s->choices, text, &ret->number))
        return true;
    struct strbuf why;
    strbuf_init(&why, CONFIG_NOTE_TEXT_MAX);
    strbuf_str(&why, "is none of ");
    for (const char *at = s->choices; *at != '\0'; at++)
        strbuf_add(&why, *at == '|' ? BYTES_LIT(", ")
                                    : (struct bytes){(const uint8_t *)at, 1});
    note_bad(s, text, strbuf_cstr(&why), place);
    strbuf_release(&why);
    return false;
}

static bool parse_share(struct bytes text, struct parsed *ret)
{
    if (text.len == 0 || text.p[text.len - 1] != '%')
        return units_parse_size(text, &ret->number) == OK;
    ret->is_percent = true;
    struct bytes digits = bytes_sub(text, 0, text.len - 1);
    return units_parse_number(digits, &ret->number) == OK &&
           ret->number <= PERCENT_MAX;
}

static const char *form_of(const struct config_schema *s)
{
    switch (s->type) {
    case CONFIG_BOOL:
        return "is neither true nor false";
    case CONFIG_UINT:
        return "is not a whole number";
    case CONFIG_SIZE:
        return s->allows_none ? "is not a size such as 10GiB, 500MB or none"
                              : "is not a size such as 10GiB or 500MB";
    case CONFIG_SHARE:
        return "is neither a size such as 10GiB nor a percentage up to 100%";
    case CONFIG_DURATION:
        return "is not a time such as 30s or 15m";
    case CONFIG_STRING:
    case CONFIG_ENUM:
    case CONFIG_LIST:
        break;
    }
    return "is not valid";
}

static bool parse_number(const struct config_schema *s, struct bytes text,
                         struct parsed *ret, const struct config_place *place)
{
    bool ok = false;

    if (s->type == CONFIG_BOOL) {
        ok = parse_bool(text, &ret->number);
    } else if (s->type == CONFIG_UINT) {
        ok = units_parse_number(text, &ret->number) == OK;
    } else if (s->type == CONFIG_DURATION) {
        ok = units_parse_duration(text, &ret->number) == OK;
    } else if (s->allows_none && bytes_eq(text, BYTES_LIT("none"))) {
        ret->number = CONFIG_NONE;
        return true;
    } else if (s->type == CONFIG_SIZE) {
        ok = units_parse_size(text, &ret->number) == OK;
    } else {
        ok = parse_share(text, ret);
    }
    if (!ok) {
        note_bad(s, text, form_of(s), place);
        return false;
    }
    if (s->type == CONFIG_BOOL || ret->is_percent)
        return true;
    return in_range(s, text, ret->number, place);
}

/* Text that may go to a log or a terminal and back to the file. */
static bool is_plain(struct bytes text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t len = utf8_len(bytes_sub(text, at, text.len - at));
        if (len == 0 || text.p[at] < ' ' || text.p[at] == 0x7f)
            return false;
        at += len;
    }
    return true;
}

/* One string: a value of CONFIG_STRING, or an item of a list. */
static bool check_string(const struct config_schema *s, struct bytes text,
                         const struct config_place *place)
{
    const char *why = NULL;

    if (text.len > CONFIG_VALUE_MAX)
        why = "is too long";
    else if (!is_plain(text))
        why = "has control characters or is not UTF-8";
    else if (s->type == CONFIG_LIST && text.len == 0)
        why = "is empty";
    else if (s->type == CONFIG_LIST && memchr(text.p, ',', text.len) != NULL)
        why = "has a comma";
    else if (s->check != NULL)
        why = s->check(text);
    if (why != NULL) {
        note_bad(s, text, why, place);
        return false;
    }
    if (s->type == CONFIG_LIST || (text.len >= s->min && text.len <= s->max))
        return true;
    note_bad(s, text, text.len < s->min ? "is too short" : "is too long",
             place);
    return false;
}

static bool check_list(const struct config_schema *s, const struct bytes *items,
                       size_t count, const struct config_place *place)
{
    bool good = true;

    for (size_t i = 0; i < count; i++) {
        if (!check_string(s, items[i], place))
            good = false;
    }
    if (count >= s->min && count <= s->max)
        return good;
    note_bad(s, count > 0 ? items[0] : BYTES_EMPTY,
             count > s->max ? "begins a list that is too long"
                            : "begins a list that is too short",
             place);
    return false;
}

static void clear_value(struct config_value *v)
{
    mem_free(v->text);
    for (size_t i = 0; i < v->items_count; i++)
        mem_free(v->items[i]);
    mem_free(v->items);
    *v = (struct config_value){.text = NULL};
}

static char *copy_string(struct bytes text)
{
    char *copy = mem_zalloc(text.len + 1, 1);

    if (text.len > 0)
        memcpy(copy, text.p, text.len);
    return copy;
}

static void store(struct config_value *v, const struct config_schema *s,
                  const struct bytes *items, size_t count)
{
    if (s->type == CONFIG_STRING || s->type == CONFIG_ENUM)
        v->text = copy_string(items[0]);
    if (s->type != CONFIG_LIST || count == 0)
        return;
    v->items = mem_zalloc(count, sizeof(*v->items));
    v->items_count = count;
    for (size_t i = 0; i < count; i++)
        v->items[i] = copy_string(items[i]);
}

static bool parse(const struct config_schema *s, struct bytes text,
                  struct parsed *ret, const struct config_place *place)
{
    switch (s->type) {
    case CONFIG_BOOL:
    case CONFIG_UINT:
    case CONFIG_SIZE:
    case CONFIG_SHARE:
    case CONFIG_DURATION:
        return parse_number(s, text, ret, place);
    case CONFIG_STRING:
        return check_string(s, text, place);
    case CONFIG_ENUM:
        return parse_enum(s, text, ret, place);
    case CONFIG_LIST:
        break;
    }
    assert(s->type != CONFIG_LIST);
    return false;
}

bool config_take(struct config *c, enum config_key key,
                 const struct bytes *items, size_t count, bool is_list,
                 const struct config_place *place)
{
    const struct config_schema *s = config_schema(key);
    struct parsed parsed = {.number = 0};

    if (s->type == CONFIG_LIST) {
        if (!check_list(s, items, count, place))
            return false;
    } else if (is_list) {
        note_bad(s, count > 0 ? items[0] : BYTES_EMPTY,
                 "begins a list, and one value is wanted", place);
        return false;
    } else {
        assert(count == 1);
        if (!parse(s, items[0], &parsed, place))
            return false;
    }
    struct config_value *v = &c->values[key];
    if (place->layer < v->layer)
        return true;
    clear_value(v);
    v->number = parsed.number;
    v->is_percent = parsed.is_percent;
    v->layer = place->layer;
    v->line = place->line;
    copy_text(v->source, sizeof(v->source), place->source);
    store(v, s, items, count);
    return true;
}

bool config_take_text(struct config *c, enum config_key key, struct bytes text,
                      const struct config_place *place)
{
    struct bytes items[CONFIG_LIST_MAX];
    size_t count = 0;
    size_t from = 0;

    if (config_schema(key)->type != CONFIG_LIST)
        return config_take(c, key, &text, 1, false, place);
    for (size_t at = 0; at <= text.len && text.len > 0; at++) {
        if (at < text.len && text.p[at] != ',')
            continue;
        if (count == CONFIG_LIST_MAX) {
            note_bad(config_schema(key), text, "is a list that is too long",
                     place);
            return false;
        }
        items[count++] = bytes_sub(text, from, at - from);
        from = at + 1;
    }
    return config_take(c, key, items, count, true, place);
}

void config_release(struct config *c)
{
    for (size_t i = 0; i < CONFIG_KEYS_COUNT; i++)
        clear_value(&c->values[i]);
}

static void copy_value(struct config_value *v, const struct config_value *f)
{
    *v = *f;
    v->text = f->text != NULL ? mem_strdup(f->text) : NULL;
    v->items = NULL;
    if (f->items_count > 0)
        v->items = mem_zalloc(f->items_count, sizeof(*v->items));
    for (size_t i = 0; i < f->items_count; i++)
        v->items[i] = mem_strdup(f->items[i]);
}

void config_copy(struct config *to, const struct config *from)
{
    for (size_t i = 0; i < CONFIG_KEYS_COUNT; i++)
        copy_value(&to->values[i], &from->values[i]);
}

void config_adopt(struct config *to, const struct config *from,
                  enum config_key key)
{
    clear_value(&to->values[key]);
    copy_value(&to->values[key], &from->values[key]);
}

static const struct config_value *
value_of(const struct config *c, enum config_key key, enum config_type type)
{
    assert((size_t)key < CONFIG_KEYS_COUNT);
    assert(config_schema(key)->type == type);
    return &c->values[key];
}

bool config_get_bool(const struct config *c, enum config_key key)
{
    return value_of(c, key, CONFIG_BOOL)->number != 0;
}

uint64_t config_get_uint(const struct config *c, enum config_key key)
{
    return value_of(c, key, CONFIG_UINT)->number;
}

uint64_t config_get_size(const struct config *c, enum config_key key)
{
    return value_of(c, key, CONFIG_SIZE)->number;
}

uint64_t config_get_duration_ms(const struct config *c, enum config_key key)
{
    return value_of(c, key, CONFIG_DURATION)->number;
}

uint64_t config_get_share(const struct config *c, enum config_key key,
                          uint64_t whole_bytes)
{
    const struct config_value *v = value_of(c, key, CONFIG_SHARE);

    if (!v->is_percent)
        return v->number;
    return whole_bytes / PERCENT_MAX * v->number +
           whole_bytes % PERCENT_MAX * v->number / PERCENT_MAX;
}

const char *config_get_text(const struct config *c, enum config_key key)
{
    assert(config_schema(key)->type == CONFIG_STRING ||
           config_schema(key)->type == CONFIG_ENUM);
    return c->values[key].text;
}

unsigned config_get_choice(const struct config *c, enum config_key key)
{
    return (unsigned)value_of(c, key, CONFIG_ENUM)->number;
}

const char *const *config_get_list(const struct config *c, enum config_key key,
                                   size_t *ret_count)
{
    const struct config_value *v = value_of(c, key, CONFIG_LIST);

    *ret_count = v->items_count;
    return (const char *const *)v->items;
}

bool config_is_default(const struct config *c, enum config_key key)
{
    assert((size_t)key < CONFIG_KEYS_COUNT);
    return c->values[key].layer == CONFIG_FROM_DEFAULT;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool config_differs(const struct config *a, const struct config *b,
                    enum config_key key)
{
    const struct config_value *v = &a->values[key];
    const struct config_value *w = &b->values[key];

    if (v->number != w->number || v->is_percent != w->is_percent ||
        v->items_count != w->items_count || !same_text(v->text, w->text))
        return true;
    for (size_t i = 0; i < v->items_count; i++) {
        if (strcmp(v->items[i], w->items[i]) != 0)
            return true;
    }
    return false;
}

void config_show_value(const struct config *c, enum config_key key,
                       struct strbuf *out)
{
    const struct config_schema *s = config_schema(key);
    const struct config_value *v = &c->values[key];

    if (v->text != NULL) {
        strbuf_str(out, v->text);
        return;
    }
    if (s->type != CONFIG_LIST && v->is_percent) {
        strbuf_u64(out, v->number);
        strbuf_str(out, "%");
        return;
    }
    if (s->type != CONFIG_LIST)
        show_number(s, out, v->number);
    for (size_t i = 0; i < v->items_count; i++) {
        strbuf_str(out, i > 0 ? "," : "");
        strbuf_str(out, v->items[i]);
    }
}
