#include <assert.h>
#include <string.h>

#include "base/strbuf.h"
#include "config/config.h"
#include "config/value_priv.h"
#include "config/yaml_priv.h"

/* Reading a file into a config. */
struct load {
    struct config *config;
    struct config_place place;
    bool seen[CONFIG_KEYS_COUNT];
    bool good;
};

static void note_twice(struct load *l, enum config_key key)
{
    struct strbuf out;

    strbuf_init(&out, CONFIG_NOTE_TEXT_MAX - 1);
    strbuf_str(&out, config_schema(key)->name);
    strbuf_str(&out, " is there a second time");
    config_note_fault(strbuf_cstr(&out), &l->place);
    strbuf_release(&out);
}

/* True for "storage:" with nothing behind it. */
static bool is_empty_group(const struct yaml_entry *e)
{
    if (!e->is_void || e->is_list)
        return false;
    for (unsigned i = 0; i < CONFIG_GROUPS_COUNT; i++) {
        if (strcmp(e->path, config_group_name((enum config_group)i)) == 0)
            return true;
    }
    return false;
}

static void load_value(void *ctx, const struct yaml_entry *e)
{
    struct load *l = ctx;
    enum config_key key;

    l->place.line = e->line;
    if (is_empty_group(e))
        return;
    if (config_find(bytes_str(e->path), &key) != OK) {
        config_note_unknown(bytes_str(e->path), &l->place);
        l->good = false;
        return;
    }
    if (l->seen[key]) {
        note_twice(l, key);
        l->good = false;
        return;
    }
    l->seen[key] = true;
    bool good = false;
    if (e->is_list)
        good = config_take(l->config, key, e->items, e->items_count, true,
                           &l->place);
    else
        good = config_take_text(l->config, key, e->items[0], &l->place);
    if (!good)
        l->good = false;
}

static void load_group(void *ctx, const struct yaml_entry *e)
{
    (void)ctx; /* what is in it was shown one by one */
    (void)e;
}

enum err config_load_yaml(struct config *c, struct bytes text,
                          const char *source, enum config_layer layer,
                          struct config_notes *notes)
{
    struct load l = {
        .config = c,
        .place = {.layer = layer, .source = source, .notes = notes},
        .good = true,
    };
    struct yaml_visitor visitor = {
        .on_value = load_value, .on_group = load_group, .ctx = &l};
    struct yaml_fault fault;

    if (yaml_walk(text, &visitor, &fault) != OK) {
        l.place.line = fault.line;
        config_note_fault(fault.text, &l.place);
        return E_MALFORMED;
    }
    return l.good ? OK : E_MALFORMED;
}

/*
 * Changing a file: what the walk found about the key, its group and the root.
 * Positions are bytes here.
 */
struct spot {
    bool found;
    bool is_list;
    bool is_flow;
    bool is_void;
    size_t key_end;
    size_t start;
    size_t end;
    uint32_t column;
};

struct edit {
    struct bytes text;
    const char *key;   /* storage.copies */
    const char *group; /* storage */
    struct spot value;
    struct spot parent;
    struct spot root;
};

/* Byte at which character number @index of @text begins. */
static size_t byte_at(struct bytes text, size_t index)
{
    size_t at = 0;

    while (at < text.len && index > 0) {
        size_t len = utf8_len(bytes_sub(text, at, text.len - at));
        at += len > 0 ? len : 1;
        index--;
    }
    return at;
}

/* End of the span without the blanks and line ends that close it. */
static size_t trimmed(struct bytes text, size_t start, size_t end)
{
    while (end > start && (text.p[end - 1] == '\n' || text.p[end - 1] == ' ' ||
                           text.p[end - 1] == '\r'))
        end--;
    return end;
}

static struct spot spot_of(const struct edit *e, const struct yaml_entry *y)
{
    size_t start = byte_at(e->text, y->start);

    return (struct spot){
        .found = true,
        .is_list = y->is_list,
        .is_flow = y->is_flow,
        .is_void = y->is_void,
        .key_end = byte_at(e->text, y->key_end),
        .start = start,
        .end = trimmed(e->text, start, byte_at(e->text, y->end)),
        .column = y->column,
    };
}

static void edit_value(void *ctx, const struct yaml_entry *y)
{
    struct edit *e = ctx;

    if (strcmp(y->path, e->key) == 0)
        e->value = spot_of(e, y);
    else if (strcmp(y->path, e->group) == 0)
        e->parent = spot_of(e, y);
}

static void edit_group(void *ctx, const struct yaml_entry *y)
{
    struct edit *e = ctx;

    if (strcmp(y->path, e->group) == 0)
        e->parent = spot_of(e, y);
    else if (y->path[0] == '\0')
        e->root = spot_of(e, y);
}

/* True when @text needs no quotes as a YAML scalar, also inside brackets. */
static bool is_bare(struct bytes text)
{
    static const char extra[] = "_./+-";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9');
        bool known = c != 0 && strchr(extra, c) != NULL;
        if (!word && (i == 0 ? c != '/' : !known))
            return false;
    }
    return text.len > 0;
}

static void put_quoted(struct strbuf *out, struct bytes text)
{
    strbuf_str(out, "\"");
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            strbuf_str(out, "\\");
        strbuf_add(out, bytes_sub(text, i, 1));
    }
    strbuf_str(out, "\"");
}

static void put_text(struct strbuf *out, enum config_type type,
                     struct bytes text, bool json)
{
    bool literal = type == CONFIG_BOOL || type == CONFIG_UINT;

    if (is_bare(text) && (literal || !json))
        strbuf_add(out, text);
    else
        put_quoted(out, text);
}

/* The value of @key as it stands in a file; lists as [a, b]. */
static void put_value(struct strbuf *out, enum config_key key,
                      struct bytes value, bool json)
{
    enum config_type type = config_schema(key)->type;
    size_t from = 0;

    if (type != CONFIG_LIST) {
        put_text(out, type, value, json);
        return;
    }
    strbuf_str(out, "[");
    for (size_t at = 0; at <= value.len && value.len > 0; at++) {
        if (at < value.len && value.p[at] != ',')
            continue;
        strbuf_str(out, from > 0 ? ", " : "");
        put_text(out, type, bytes_sub(value, from, at - from), json);
        from = at + 1;
    }
    strbuf_str(out, "]");
}

static void put_part(struct strbuf *out, struct bytes text, size_t from,
                     size_t to)
{
    strbuf_add(out, bytes_sub(text, from, to - from));
}

static size_t line_end(struct bytes text, size_t at)
{
    while (at < text.len && text.p[at] != '\n')
        at++;
    return at;
}

/* The comments between the lines of a list, which the new one has not. */
static void put_comments(struct strbuf *out, struct bytes text, size_t from,
                         size_t to)
{
    while (from < to) {
        size_t end = line_end(text, from);
        size_t at = from;
        while (at < end && text.p[at] != '#')
            at++;
        bool comment = at < end && (at == 0 || text.p[at - 1] == ' ' ||
                                    text.p[at - 1] == '\n');
        if (comment) {
            strbuf_str(out, "\n");
            put_part(out, text, at, end);
        }
        from = end + 1;
    }
}

static void replace_value(const struct edit *e, const char *value,
                          struct strbuf *out)
{
    const struct spot *v = &e->value;
    size_t first = line_end(e->text, v->key_end);
    size_t from = v->start;
    size_t rest = v->end;

    if (v->is_list && !v->is_flow) {
        /* The items stood on lines of their own. */
        from = v->key_end + 1;
        while (from < first && e->text.p[from - 1] != ':')
            from++;
        rest = line_end(e->text, v->end);
    }
    put_part(out, e->text, 0, from);
    if (from > 0 && e->text.p[from - 1] == ':')
        strbuf_str(out, " ");
    strbuf_str(out, value);
    if (v->is_list && !v->is_flow) {
        put_part(out, e->text, from, first);
        put_comments(out, e->text, first + 1, rest);
    }
    put_part(out, e->text, rest, e->text.len);
}

static void put_indent(struct strbuf *out, size_t columns)
{
    for (size_t i = 0; i < columns; i++)
        strbuf_str(out, " ");
}

/* Puts "member" behind the last one of the { } that ends at @end. */
static void insert_flow(const struct edit *e, const struct spot *s,
                        const char *member, struct strbuf *out)
{
    size_t close = s->end - 1;
    size_t at = close;

    while (at > s->start &&
           (e->text.p[at - 1] == ' ' || e->text.p[at - 1] == '\n' ||
            e->text.p[at - 1] == '\r' || e->text.p[at - 1] == ','))
        at--;
    put_part(out, e->text, 0, at);
    strbuf_str(out, s->is_void ? "" : ", ");
    strbuf_str(out, member);
    put_part(out, e->text, close, e->text.len);
}

/* Puts "member" on a line of its own behind the line of @s's last one. */
static void insert_line(const struct edit *e, const struct spot *s,
                        size_t column, const char *member, struct strbuf *out)
{
    size_t at = line_end(e->text, s->end);

    put_part(out, e->text, 0, at);
    strbuf_str(out, "\n");
    put_indent(out, column);
    strbuf_str(out, member);
    put_part(out, e->text, at, e->text.len);
}

/* A group that has no place yet goes to the end. */
static void append_group(const struct edit *e, const char *member,
                         struct strbuf *out)
{
    struct strbuf line;
    bool flow = e->root.found && e->root.is_flow;

    strbuf_init(&line, CONFIG_TEXT_MAX);
    if (flow)
        put_quoted(&line, bytes_str(e->group));
    else
        strbuf_str(&line, e->group);
    strbuf_str(&line, flow ? ": {" : ":\n");
    put_indent(&line, flow ? 0 : e->root.column + 2);
    strbuf_str(&line, member);
    strbuf_str(&line, flow ? "}" : "");
    if (flow) {
        insert_flow(e, &e->root, strbuf_cstr(&line), out);
    } else if (e->root.found) {
        insert_line(e, &e->root, e->root.column, strbuf_cstr(&line), out);
    } else {
        strbuf_add(out, e->text);
        if (e->text.len > 0 && e->text.p[e->text.len - 1] != '\n')
            strbuf_str(out, "\n");
        strbuf_str(out, strbuf_cstr(&line));
        strbuf_str(out, "\n");
    }
    strbuf_release(&line);
}

static void insert_member(const struct edit *e, const char *member,
                          struct strbuf *out)
{
    const struct spot *p = &e->parent;

    if (!p->found) {
        append_group(e, member, out);
    } else if (p->is_flow) {
        insert_flow(e, p, member, out);
    } else if (p->is_void) {
        /* "storage:" alone. */
        insert_line(e, p, e->root.column + 2, member, out);
    } else {
        insert_line(e, p, p->column, member, out);
    }
}

/* Whether @text is a file in which the key of @before stands. */
static bool holds_key(struct bytes text, const struct edit *before)
{
    struct edit e = {.text = text, .key = before->key, .group = before->group};
    struct yaml_visitor visitor = {
        .on_value = edit_value, .on_group = edit_group, .ctx = &e};
    struct yaml_fault fault;

    return yaml_walk(text, &visitor, &fault) == OK && e.value.found;
}

enum err config_text_set(struct bytes text, enum config_key key,
                         struct bytes value, struct strbuf *out)
{
    const struct config_schema *s = config_schema(key);
    struct edit e = {
        .text = text, .key = s->name, .group = config_group_name(s->group)};
    struct yaml_visitor visitor = {
        .on_value = edit_value, .on_group = edit_group, .ctx = &e};
    struct yaml_fault fault;
    struct strbuf member;

    if (yaml_walk(text, &visitor, &fault) != OK)
        return E_MALFORMED;
    bool json = e.root.found && e.root.is_flow;
    const char *name = s->name + strlen(e.group) + 1;
    strbuf_reset(out);
    strbuf_init(&member, CONFIG_TEXT_MAX);
    if (!e.value.found && json)
        put_quoted(&member, bytes_str(name));
    else if (!e.value.found)
        strbuf_str(&member, name);
    if (!e.value.found)
        strbuf_str(&member, ": ");
    put_value(&member, key, value, json);
    if (e.value.found)
        replace_value(&e, strbuf_cstr(&member), out);
    else
        insert_member(&e, strbuf_cstr(&member), out);
    bool full = strbuf_full(out) || out->len > CONFIG_TEXT_MAX;
    strbuf_release(&member);
    if (full)
        return E_LIMIT;
    return holds_key(strbuf_bytes(out), &e) ? OK : E_MALFORMED;
}
