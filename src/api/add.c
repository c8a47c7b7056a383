/* POST /api/v1/add and /api/v1/local/add: files into blocks. */
#include <string.h>

#include "api/api_priv.h"
#include "api/object_json.h"
#include "api/request.h"
#include "base/mem.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/import.h"
#include "node/node.h"
#include "node/placing.h"

enum { PATHS_MAX = 1024, PATH_BYTES_MAX = 4096, COPIES_MAX = 7 };

/* What is to become of what is added. */
struct add_copies {
    uint32_t count; /* wanted on other nodes */
    enum placing_wait wait;
    uint32_t timeout_ms; /* for the copies; 0: none */
    const char *name;    /* in the record; NULL: none */
};

struct add {
    struct request *q;
    struct import *import;
    struct timer progress;
    struct add_copies copies;
    char name[KEEPER_NAME_MAX + 1]; /* in the record */
    struct cid *roots;              /* that are to have copies */
    size_t roots_count;
    size_t roots_room;
    struct placing *placing; /* of a root */
    size_t placed;           /* index of that root */
    bool all_put;            /* records of all roots are durable */
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

static void add_root(struct add *a, const struct cid *cid)
{
    if (a->roots_count == a->roots_room) {
        a->roots_room = a->roots_room > 0 ? 2 * a->roots_room : 4;
        a->roots = mem_resize(a->roots, a->roots_room, sizeof(*a->roots));
    }
    a->roots[a->roots_count++] = *cid;
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
    if (a->copies.count > 0)
        add_root(a, &item->cid);
    /* Which root is the last is known when the next one comes, or the end. */
    if (a->last != NULL)
        lines_json(a->q, a->last);
    a->last = line;
}

static void tell_last(struct add *a)
{
    const struct keeper_status *status =
        a->placing != NULL ? placing_status(a->placing) : NULL;
    json_t *copies = NULL;

    if (status != NULL)
        copies = json_copies(a->q->node, status, NULL);
    else
        copies = json_pack("{s:i,s:i,s:i,s:s}", "wanted", (int)a->copies.count,
                           "stored", 0, "verified", 0, "state", "local");
    json_object_set_new(a->last, "copies", copies);
    lines_json(a->q, a->last);
    a->last = NULL;
}

static void end_lines(struct add *a)
{
    if (a->last != NULL)
        tell_last(a);
    lines_end(a->q);
}

/* Copies: first the records of all roots, then the wait for one after the
 * other. */

static void on_placed(void *user, enum err err, struct mtime now);

static void on_copy(void *user, const struct keeper_status *status,
                    struct mtime now)
{
    struct add *a = user;

    (void)now;
    if (!request_is_full(a->q))
        lines_progress(a->q, status->copies_stored, status->copies_wanted,
                       "copies");
}

static void place(struct add *a)
{
    struct placing_config config = {
        .root = a->roots[a->placed],
        .copies = a->all_put ? 0 : a->copies.count,
        .name = bytes_str(a->name),
        .wait = a->all_put ? a->copies.wait : PLACING_LOCAL,
        .timeout_ms = a->copies.timeout_ms,
        .on_change = on_copy,
        .done = on_placed,
        .user = a,
    };

    placing_free(a->placing);
    a->placing = placing_new(a->q->node, &config);
}

static void on_placed(void *user, enum err err, struct mtime now)
{
    struct add *a = user;

    (void)now;
    if (err != OK) {
        /* It was added all the same. */
        if (a->last != NULL)
            tell_last(a);
        reply_fault(a->q, placing_fault(a->placing));
        return;
    }
    if (++a->placed == a->roots_count && !a->all_put) {
        a->all_put = true;
        a->placed = 0;
    }
    if (a->placed < a->roots_count)
        place(a);
    else
        end_lines(a);
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
    if (a->roots_count > 0 && !a->only_hash)
        place(a);
    else
        end_lines(a);
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
    placing_free(a->placing);
    import_free(a->import);
    json_decref(a->last);
    mem_free(a->roots);
    mem_free(a);
}

/* Choices that both routes know. */

static bool set_wait(struct request *q, const char *name, struct add_copies *c)
{
    c->wait = PLACING_STORED;
    if (name == NULL || placing_wait_of(bytes_str(name), &c->wait) == OK)
        return true;
    reply_error(q, ERROR_BAD_VALUE, "wait: local, stored, verified or safe",
                name);
    return false;
}

/* @wanted: NULL: as configured. */
static bool set_copies(struct request *q, const uint64_t *wanted,
                       const struct import_config *import, struct add_copies *c)
{
    uint64_t count = wanted != NULL ? *wanted
                                    : config_get_uint(node_settings(q->node),
                                                      CONFIG_STORAGE_COPIES);

    if (count > COPIES_MAX) {
        reply_error(q, ERROR_BAD_VALUE, "copies: 0 to 7", NULL);
        return false;
    }
    if (count > 0 && import->no_pin && wanted != NULL && *wanted > 0) {
        reply_error(q, ERROR_BAD_VALUE,
                    "what has copies is kept here too: it needs its pin", NULL);
        return false;
    }
    if (c->name != NULL && strlen(c->name) > KEEPER_NAME_MAX) {
        reply_error(q, ERROR_BAD_VALUE, "the name is too long", NULL);
        return false;
    }
    c->count = import->no_pin ? 0 : (uint32_t)count;
    return true;
}

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
    /* As kubo: version 1 brings raw leaves, unless told otherwise; version 0
     * leaves them as the profile has them. */
    if (version == 1 && c->profile.cid_version == 0 && !has_raw_leaves)
        c->profile.raw_leaves = true;
    c->profile.cid_version = (uint8_t)version;
    return true;
}

static struct add *start(struct request *q, struct import_config *c,
                         const struct add_copies *copies)
{
    struct add *a = mem_zalloc(1, sizeof(*a));
    struct clock *clock = node_env(q->node)->clock;

    a->q = q;
    a->copies = *copies;
    if (copies->name != NULL)
        memcpy(a->name, copies->name, strlen(copies->name));
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

/* A name that means another folder wherever it is written. */
static bool is_dots(struct bytes name)
{
    return bytes_eq(name, bytes_str(".")) || bytes_eq(name, bytes_str(".."));
}

void handle_add(struct request *q, struct mtime now)
{
    struct import_config c = {.only_hash = false};
    bool good = true;
    const char *name = request_query(q, "name");

    (void)now;
    if (name != NULL && is_dots(bytes_str(name))) {
        reply_error(q, ERROR_BAD_NAME, NULL, name);
        return;
    }
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
    struct add_copies copies = {.name = request_query(q, "object_name")};
    uint64_t wanted =
        good ? request_number(q, "copies", 0, COPIES_MAX, &good) : 0;
    copies.timeout_ms = good ? request_timeout_ms(q, &good) : 0;
    bool is_given = request_query(q, "copies") != NULL;
    if (!good || !set_wait(q, request_query(q, "wait"), &copies) ||
        !set_copies(q, is_given ? &wanted : NULL, &c, &copies))
        return;
    struct add *a = start(q, &c, &copies);
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

static bool read_copies(struct request *q, const struct import_config *import,
                        struct add_copies *c)
{
    const json_t *b = q->body;
    const json_t *copies = json_object_get(b, "copies");
    bool good = true;
    uint64_t wanted = (uint64_t)json_integer_value(copies);

    c->timeout_ms = request_body_timeout_ms(q, &good);
    if (!good)
        return false;
    c->name = json_string_value(json_object_get(b, "name"));
    return set_wait(q, json_string_value(json_object_get(b, "wait")), c) &&
           set_copies(q, copies != NULL ? &wanted : NULL, import, c);
}

/* In a folder around them, each needs a name that can be written again. */
static bool check_names(struct request *q, const char *const *paths,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(paths[i]);
        while (len > 0 && paths[i][len - 1] == '/')
            len--;
        size_t at = len;
        while (at > 0 && paths[i][at - 1] != '/')
            at--;
        struct bytes name = {(const uint8_t *)paths[i] + at, len - at};
        if (name.len > 0 && !is_dots(name))
            continue;
        reply_error(q, ERROR_BAD_NAME, "it has no name to be wrapped under",
                    paths[i]);
        return false;
    }
    return true;
}

void handle_local_add(struct request *q, struct mtime now)
{
    struct import_config c = {.only_hash = false};
    struct add_copies copies = {.count = 0};
    const char *paths[PATHS_MAX];
    size_t count = 0;

    (void)now;
    if (!request_fields(q) || !read_paths(q, paths, &count) ||
        !read_choices(q, &c) || (c.wrap && !check_names(q, paths, count)))
        return;
    if (!read_copies(q, &c, &copies))
        return;
    struct add *a = start(q, &c, &copies);
    a->import = import_paths(q->node, &c, paths, count);
}
