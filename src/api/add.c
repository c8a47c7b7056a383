/* POST /api/v1/add and /api/v1/local/add: files into blocks. */
#include <string.h>

#include "api/api_priv.h"
#include "api/request.h"
#include "base/mem.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/import.h"
#include "node/node.h"

enum { PATHS_MAX = 1024, PATH_BYTES_MAX = 4096 };

struct add {
    struct request *q;
    struct import *import;
    struct timer progress;
    uint64_t copies; /* wanted */
    bool only_hash;
    json_t *last; /* the line of the last root, told with its copies */
    bool waits;   /* for the rest of a body: no answer may begin */
    bool ended;
};

static void on_progress(struct timer *t, struct mtime now)
{
    struct add *a = container_of(t, struct add, progress);
    struct clock *clock = node_env(a->q->node)->clock;
    struct import_progress p = import_progress(a->import);

    if (!a->waits && !request_is_full(a->q))
        lines_progress(a->q, p.bytes_done, p.bytes_total, "bytes");
    clock->set(clock, t, mtime_add_ms(now, PROGRESS_MS));
}

static void on_item(void *user, const struct import_item *item,
                    struct mtime now)
{
    struct add *a = user;
    json_t *line =
        json_pack("{s:o,s:o,s:I}", "path", json_text(item->path), "cid",
                  json_cid(&item->cid), "bytes", (json_int_t)item->bytes);

    (void)now;
    if (!item->is_root) {
        lines_json(a->q, line);
        if (request_is_full(a->q))
            import_pause(a->import, true);
        return;
    }
    /* Which root is the last is known when the next one comes, or the end. */
    if (a->last != NULL)
        lines_json(a->q, a->last);
    a->last = line;
}

static void tell_last(struct add *a)
{
    /* Nobody else keeps it yet: copies on other nodes are for later. */
    json_t *copies =
        json_pack("{s:I,s:i,s:i,s:s}", "wanted", (json_int_t)a->copies,
                  "stored", 0, "verified", 0, "state", "local");

    json_object_set_new(a->last, "copies", copies);
    lines_json(a->q, a->last);
    a->last = NULL;
}

static void on_done(void *user, enum err err, struct mtime now)
{
    struct add *a = user;

    (void)now;
    a->ended = true;
    struct clock *clock = node_env(a->q->node)->clock;
    clock->set(clock, &a->progress, MTIME_NEVER);
    if (err != OK) {
        reply_fault(a->q, import_fault(a->import));
        return;
    }
    if (a->last != NULL)
        tell_last(a);
    lines_end(a->q);
}

static void on_ready(void *user, struct mtime now)
{
    struct add *a = user;

    (void)now;
    a->q->http->pause(a->q->http, a->q->r, false);
}

static void on_writable(struct request *q, struct mtime now)
{
    struct add *a = q->op;

    (void)now;
    if (!a->ended)
        import_pause(a->import, false);
}

static void cancel(struct request *q)
{
    struct add *a = q->op;
    struct clock *clock = node_env(q->node)->clock;

    clock->set(clock, &a->progress, MTIME_NEVER);
    import_free(a->import);
    json_decref(a->last);
    mem_free(a);
}

/* Choices that both routes know. */

static bool set_profile(struct request *q, const char *name,
                        struct import_config *c)
{
    const struct import_profile *profile;

    if (name == NULL)
        name = config_get_text(node_settings(q->node), CONFIG_STORAGE_PROFILE);
    if (profile_find(bytes_str(name), &profile) != OK) {
        reply_error(q, ERROR_BAD_VALUE, "there is no such profile", name);
        return false;
    }
    c->profile = *profile;
    return true;
}

static bool set_chunker(struct request *q, const char *text,
                        struct import_config *c)
{
    if (text == NULL)
        return true;
    enum err err =
        profile_parse_chunker(bytes_str(text), &c->profile.chunk_bytes);
    if (err == OK)
        return true;
    reply_error(q, ERROR_BAD_VALUE,
                err == E_LIMIT ? "a chunk is 1 to 2096896 bytes"
                               : "a chunker is size-N",
                text);
    return false;
}

static bool set_version(struct request *q, uint64_t version,
                        bool has_raw_leaves, struct import_config *c)
{
    if (version > 1) {
        reply_error(q, ERROR_BAD_VALUE, "a CID has version 0 or 1", NULL);
        return false;
    }
    /* As kubo: version 1 brings raw leaves, unless told otherwise. */
    if (version == 1 && c->profile.cid_version == 0 && !has_raw_leaves)
        c->profile.raw_leaves = true;
    if (version == 0 && c->profile.cid_version == 1 && !has_raw_leaves)
        c->profile.raw_leaves = false;
    c->profile.cid_version = (uint8_t)version;
    return true;
}

static struct add *start(struct request *q, struct import_config *c,
                         uint64_t copies)
{
    struct add *a = mem_zalloc(1, sizeof(*a));
    struct clock *clock = node_env(q->node)->clock;

    a->q = q;
    a->copies = copies;
    a->only_hash = c->only_hash;
    c->on_item = on_item;
    c->on_ready = on_ready;
    c->done = on_done;
    c->user = a;
    q->op = a;
    q->cancel = cancel;
    q->on_writable = on_writable;
    timer_init(&a->progress, on_progress);
    clock->set(clock, &a->progress,
               mtime_add_ms(clock->now(clock), PROGRESS_MS));
    return a;
}

/* A body. */

static void on_body(struct request *q, struct bytes in, struct mtime now)
{
    struct add *a = q->op;

    if (!a->ended && !import_write(a->import, in, now))
        q->http->pause(q->http, q->r, true);
}

static void on_body_end(struct request *q, struct mtime now)
{
    struct add *a = q->op;

    a->waits = false;
    if (!a->ended)
        import_end(a->import, now);
}

void handle_add(struct request *q, struct mtime now)
{
    struct import_config c = {.only_hash = false};
    bool good = true;
    const char *name = request_query(q, "name");

    (void)now;
    if (!set_profile(q, request_query(q, "profile"), &c) ||
        !set_chunker(q, request_query(q, "chunker"), &c))
        return;
    bool has_raw = request_query(q, "raw_leaves") != NULL;
    uint64_t version = request_number(q, "cid_version", c.profile.cid_version,
                                      UINT32_MAX, &good);
    if (!good || !set_version(q, version, has_raw, &c))
        return;
    c.profile.raw_leaves =
        request_flag(q, "raw_leaves", c.profile.raw_leaves, &good);
    c.only_hash = good && request_flag(q, "only_hash", false, &good);
    c.wrap = good && request_flag(q, "wrap", false, &good);
    c.no_pin = good && !request_flag(q, "pin", true, &good);
    uint64_t copies = good ? request_number(q, "copies", 0, 7, &good) : 0;
    if (!good)
        return;
    struct add *a = start(q, &c, copies);
    a->waits = true;
    q->on_body = on_body;
    q->on_body_end = on_body_end;
    a->import = import_stream(q->node, &c,
                              name != NULL ? bytes_str(name) : BYTES_EMPTY);
}

/* Files here. */

static bool json_flag(const json_t *body, const char *name, bool otherwise)
{
    const json_t *v = json_object_get(body, name);

    return v != NULL ? json_is_true(v) : otherwise;
}

static bool read_paths(struct request *q, const char **paths, size_t *ret_count)
{
    const json_t *list = json_object_get(q->body, "paths");
    size_t count = json_array_size(list);

    if (count == 0 || count > PATHS_MAX) {
        reply_error(q, ERROR_BAD_REQUEST, "paths: 1 to 1024 are wanted", NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_array_get(list, i);
        paths[i] = json_string_value(v);
        size_t len = json_string_length(v);
        if (paths[i] == NULL || paths[i][0] != '/' || len >= PATH_BYTES_MAX ||
            strlen(paths[i]) != len) {
            reply_error(q, ERROR_BAD_PATH, "not an absolute path", paths[i]);
            return false;
        }
    }
    *ret_count = count;
    return true;
}

static bool read_choices(struct request *q, struct import_config *c)
{
    const json_t *b = q->body;

    if (!set_profile(q, json_string_value(json_object_get(b, "profile")), c) ||
        !set_chunker(q, json_string_value(json_object_get(b, "chunker")), c))
        return false;
    const json_t *version = json_object_get(b, "cid_version");
    const json_t *raw = json_object_get(b, "raw_leaves");
    if (version != NULL &&
        !set_version(q, (uint64_t)json_integer_value(version), raw != NULL, c))
        return false;
    c->profile.raw_leaves = json_flag(b, "raw_leaves", c->profile.raw_leaves);
    c->only_hash = json_flag(b, "only_hash", false);
    c->no_hidden = !json_flag(b, "hidden", true);
    c->wrap = json_flag(b, "wrap", false);
    c->no_pin = !json_flag(b, "pin", true);
    const char *name = json_string_value(json_object_get(b, "name"));
    c->name = name != NULL ? bytes_str(name) : BYTES_EMPTY;
    return true;
}

void handle_local_add(struct request *q, struct mtime now)
{
    static const struct request_field known[] = {
        {"paths", FIELD_LIST},      {"hidden", FIELD_BOOL},
        {"wrap", FIELD_BOOL},       {"only_hash", FIELD_BOOL},
        {"profile", FIELD_TEXT},    {"chunker", FIELD_TEXT},
        {"raw_leaves", FIELD_BOOL}, {"cid_version", FIELD_INT},
        {"pin", FIELD_BOOL},        {"copies", FIELD_INT},
        {"wait", FIELD_TEXT},       {"name", FIELD_TEXT},
    };
    struct import_config c = {.only_hash = false};
    const char *paths[PATHS_MAX];
    size_t count = 0;

    (void)now;
    if (!request_fields(q, known, countof(known)) ||
        !read_paths(q, paths, &count) || !read_choices(q, &c))
        return;
    const json_t *wanted = json_object_get(q->body, "copies");
    json_int_t copies = json_integer_value(wanted);
    if (wanted == NULL)
        copies = (json_int_t)config_get_uint(node_settings(q->node),
                                             CONFIG_STORAGE_COPIES);
    if (copies < 0 || copies > 7) {
        reply_error(q, ERROR_BAD_VALUE, "copies: 0 to 7", NULL);
        return;
    }
    struct add *a = start(q, &c, (uint64_t)copies);
    a->import = import_paths(q->node, &c, paths, count);
}
