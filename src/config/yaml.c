#include <assert.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/yaml_priv.h"

/*
 * The state machine of a walk.
 *
 *  1. levels[0..depth) are the mappings and the list that are open; a list is
 *     always the last of them.
 *  2. In a mapping, a scalar is a key when @has_key is false, else its value,
 *     which clears it; so does the end of a mapping or list that is a value.
 *  3. path names the innermost open mapping and, with @has_key, the key.
 *
 * on_event() makes all transitions; the first fault ends the walk.
 */
struct level {
    bool is_list;
    bool has_key;
    bool is_flow;
    size_t path_len; /* of the mapping's own path */
    uint32_t line;   /* of its key */
    size_t key_end;
    size_t start;
    size_t end;
    uint32_t column;
    bool has_child;
};

struct walk {
    const struct yaml_visitor *visitor;
    struct yaml_fault *fault;
    struct level levels[CONFIG_DEPTH_MAX];
    size_t depth;
    char path[YAML_PATH_MAX];
    size_t path_len;
    uint32_t key_line;
    size_t key_end;
    char *items[CONFIG_LIST_MAX];
    struct bytes views[CONFIG_LIST_MAX];
    size_t items_count;
    size_t items_end;
    unsigned documents_count;
};

static enum err fail(struct walk *w, const yaml_mark_t *mark, enum err err,
                     const char *text)
{
    struct strbuf out;

    strbuf_init(&out, YAML_FAULT_MAX - 1);
    strbuf_escape(&out, bytes_str(text));
    w->fault->line = (uint32_t)mark->line + 1;
    memcpy(w->fault->text, strbuf_cstr(&out), out.len + 1);
    strbuf_release(&out);
    return err;
}

static struct level *top(struct walk *w)
{
    return w->depth > 0 ? &w->levels[w->depth - 1] : NULL;
}

/* Goes back from the value of a key to the mapping that it is in. */
static void leave_key(struct walk *w, size_t end)
{
    struct level *l = top(w);

    if (l == NULL)
        return;
    l->has_key = false;
    l->end = end;
    w->path_len = l->path_len;
    w->path[w->path_len] = '\0';
}

static enum err enter_key(struct walk *w, const yaml_event_t *e)
{
    struct level *l = top(w);
    size_t len = e->data.scalar.length;
    size_t dot = w->path_len > 0 ? 1 : 0;

    if (len == 0)
        return fail(w, &e->start_mark, E_MALFORMED, "a key is empty");
    if (len >= YAML_PATH_MAX - w->path_len - dot)
        return fail(w, &e->start_mark, E_LIMIT, "a key is too long");
    if (dot > 0)
        w->path[w->path_len++] = '.';
    /* A NUL inside would make the path another one. */
    if (memchr(e->data.scalar.value, '\0', len) != NULL)
        return fail(w, &e->start_mark, E_MALFORMED, "a key has a NUL");
    memcpy(w->path + w->path_len, e->data.scalar.value, len);
    w->path_len += len;
    w->path[w->path_len] = '\0';
    w->key_line = (uint32_t)e->start_mark.line + 1;
    w->key_end = e->end_mark.index;
    l->has_key = true;
    if (!l->has_child) {
        l->has_child = true;
        l->start = e->start_mark.index;
        l->column = (uint32_t)e->start_mark.column;
    }
    return OK;
}

static bool is_bare_nothing(const yaml_event_t *e)
{
    return e->data.scalar.length == 0 &&
           e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static void show_scalar(struct walk *w, const yaml_event_t *e)
{
    struct bytes text = {e->data.scalar.value, e->data.scalar.length};
    struct yaml_entry entry = {
        .path = w->path,
        .line = w->key_line,
        .items = &text,
        .items_count = 1,
        .is_void = is_bare_nothing(e),
        .key_end = w->key_end,
        .start = e->start_mark.index,
        .end = e->end_mark.index,
    };

    w->visitor->on_value(w->visitor->ctx, &entry);
}

static enum err on_scalar(struct walk *w, const yaml_event_t *e)
{
    struct level *l = top(w);

    if (e->data.scalar.anchor != NULL)
        return fail(w, &e->start_mark, E_UNSUPPORTED, "anchors are not used");
    if (e->data.scalar.tag != NULL)
        return fail(w, &e->start_mark, E_UNSUPPORTED, "tags are not used");
    if (l == NULL && is_bare_nothing(e))
        return OK; /* a document of comments */
    if (l == NULL)
        return fail(w, &e->start_mark, E_MALFORMED,
                    "the file is no list of keys with their values");
    if (!l->is_list && !l->has_key)
        return enter_key(w, e);
    if (!l->is_list) {
        show_scalar(w, e);
        leave_key(w, e->end_mark.index);
        return OK;
    }
    if (w->items_count == CONFIG_LIST_MAX)
        return fail(w, &e->start_mark, E_LIMIT, "a list is too long");
    struct bytes text = {e->data.scalar.value, e->data.scalar.length};
    char *copy = mem_dup(text.p, text.len);
    w->items[w->items_count] = copy;
    w->views[w->items_count] =
        (struct bytes){.p = (const uint8_t *)copy, .len = text.len};
    w->items_count++;
    w->items_end = e->end_mark.index;
    return OK;
}

/* Opens a mapping or list; @anchor and @tag must be absent. */
static enum err open_level(struct walk *w, const yaml_event_t *e, bool is_list,
                           bool is_flow, bool is_decorated)
{
    struct level *l = top(w);

    if (is_decorated)
        return fail(w, &e->start_mark, E_UNSUPPORTED,
                    "anchors and tags are not used");
    if (l == NULL && is_list)
        return fail(w, &e->start_mark, E_MALFORMED,
                    "the file is no list of keys with their values");
    if (l != NULL && (l->is_list || !l->has_key))
        return fail(w, &e->start_mark, E_UNSUPPORTED,
                    "a list holds texts only, and a key is a text");
    if (w->depth == CONFIG_DEPTH_MAX)
        return fail(w, &e->start_mark, E_LIMIT, "nested too deep");
    w->levels[w->depth++] = (struct level){
        .is_list = is_list,
        .is_flow = is_flow,
        .path_len = w->path_len,
        .line = w->key_line,
        .key_end = w->key_end,
        .start = e->start_mark.index,
        .end = e->start_mark.index,
    };
    w->items_end = e->start_mark.index;
    return OK;
}

static void drop_items(struct walk *w)
{
    for (size_t i = 0; i < w->items_count; i++)
        mem_free(w->items[i]);
    w->items_count = 0;
}

static void close_level(struct walk *w, const yaml_event_t *e)
{
    struct level *l = top(w);
    assert(l != NULL);
    bool by_bracket = l->is_flow;
    size_t inner = l->is_list ? w->items_end : l->end;
    struct yaml_entry entry = {
        .path = w->path,
        .line = l->line,
        .items = w->views,
        .items_count = w->items_count,
        .is_list = l->is_list,
        .is_flow = l->is_flow,
        .key_end = l->key_end,
        .start = l->start,
        .end = by_bracket ? e->end_mark.index : inner,
        .column = l->column,
        .is_void = !l->is_list && !l->has_child,
    };

    if (l->is_list)
        w->visitor->on_value(w->visitor->ctx, &entry);
    else
        w->visitor->on_group(w->visitor->ctx, &entry);
    drop_items(w);
    w->depth--;
    leave_key(w, entry.end);
}

static enum err on_event(struct walk *w, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (w->documents_count++ > 0)
            return fail(w, &e->start_mark, E_UNSUPPORTED,
                        "there is a second document");
        return OK;
    case YAML_ALIAS_EVENT:
        return fail(w, &e->start_mark, E_UNSUPPORTED, "aliases are not used");
    case YAML_SCALAR_EVENT:
        return on_scalar(w, e);
    case YAML_SEQUENCE_START_EVENT:
        return open_level(w, e, true,
                          e->data.sequence_start.style ==
                              YAML_FLOW_SEQUENCE_STYLE,
                          e->data.sequence_start.anchor != NULL ||
                              e->data.sequence_start.tag != NULL);
    case YAML_MAPPING_START_EVENT:
        return open_level(
            w, e, false, e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE,
            e->data.mapping_start.anchor != NULL ||
                e->data.mapping_start.tag != NULL);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_level(w, e);
        return OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return OK;
    }
    return OK;
}

static enum err next_event(struct walk *w, yaml_parser_t *parser,
                           bool *ret_ended)
{
    yaml_event_t event;

    if (!yaml_parser_parse(parser, &event)) {
        const char *problem =
            parser->problem != NULL ? parser->problem : "not YAML";
        return fail(w, &parser->problem_mark, E_MALFORMED, problem);
    }
    enum err err = on_event(w, &event);
    *ret_ended = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    return err;
}

enum err yaml_walk(struct bytes text, const struct yaml_visitor *visitor,
                   struct yaml_fault *ret_fault)
{
    static const yaml_mark_t begin = {.line = 0};
    struct walk w = {.visitor = visitor, .fault = ret_fault};
    yaml_parser_t parser;
    bool ended = false;
    enum err err = OK;

    if (text.len > CONFIG_TEXT_MAX)
        return fail(&w, &begin, E_LIMIT, "the file is over 1 MiB");
    if (!yaml_parser_initialize(&parser))
        return fail(&w, &begin, E_LIMIT, "no memory");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &parser, text.len > 0 ? text.p : (const uint8_t *)"", text.len);
    while (err == OK && !ended)
        err = next_event(&w, &parser, &ended);
    drop_items(&w);
    yaml_parser_delete(&parser);
    return err;
}
