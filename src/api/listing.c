/* GET /api/v1/ls and /api/v1/stat. */

#include "node/listing.h"

#include <string.h>

#include "api/request.h"
#include "base/mem.h"
#include "ipld/block.h"
#include "node/node.h"
#include "node/walking.h"
#include "store/store.h"

/* ls. */

struct ls {
    struct request *q;
    struct listing *listing;
};

static const char *type_name(enum node_type type, bool is_raw)
{
    return is_raw ? "raw" : dag_node_type_name(type);
}

static void on_open(void *user, const struct cid *cid, enum node_type type,
                    struct mtime now)
{
    struct ls *l = user;

    (void)cid;
    (void)now;
    if (type == NODE_DIRECTORY || type == NODE_SHARDED)
        lines_begin(l->q);
    else
        reply_error(l->q, ERROR_NOT_A_DIRECTORY, NULL, l->q->tail);
}

static void on_entry(void *user, const struct listing_entry *e,
                     struct mtime now)
{
    struct ls *l = user;

    (void)now;
    lines_json(l->q, json_pack("{s:o,s:o,s:s,s:I}", "name", json_text(e->name),
                               "cid", json_cid(&e->cid), "type",
                               type_name(e->type, e->is_raw), "bytes",
                               (json_int_t)e->bytes));
    if (request_is_full(l->q))
        listing_pause(l->listing, true);
}

static void on_listed(void *user, enum err err, struct mtime now)
{
    struct ls *l = user;

    (void)now;
    if (err != OK)
        reply_fault(l->q, listing_fault(l->listing));
    else
        lines_end(l->q);
}

static void on_writable(struct request *q, struct mtime now)
{
    struct ls *l = q->op;

    (void)now;
    listing_pause(l->listing, false);
}

static void cancel_ls(struct request *q)
{
    struct ls *l = q->op;

    listing_free(l->listing);
    mem_free(l);
}

void handle_ls(struct request *q, struct mtime now)
{
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);
    bool types = good && request_flag(q, "types", true, &good);

    (void)now;
    if (!good)
        return;
    struct ls *l = mem_zalloc(1, sizeof(*l));
    struct listing_config config = {
        .path = bytes_str(q->tail),
        .timeout_ms = timeout_ms,
        .with_types = types,
        .on_open = on_open,
        .on_entry = on_entry,
        .done = on_listed,
        .user = l,
    };
    l->q = q;
    q->op = l;
    q->cancel = cancel_ls;
    q->on_writable = on_writable;
    l->listing = listing_new(q->node, &config);
}

/* stat. */

struct stat_op {
    struct request *q;
    struct walking *walking;
    struct cid cid;
    enum node_type type;
    uint64_t file_bytes;
    uint64_t blocks;
    uint64_t bytes;
    uint64_t missing;
    json_t *target;
};

static void on_root(void *user, const struct cid *root, enum node_type type,
                    uint64_t file_bytes, struct mtime now)
{
    struct stat_op *s = user;

    (void)now;
    s->cid = *root;
    s->type = type;
    s->file_bytes = file_bytes;
}

static void on_block(void *user, const struct cid *cid, struct block *block,
                     struct mtime now)
{
    struct stat_op *s = user;
    struct dag_node view;

    (void)now;
    if (block == NULL) {
        s->missing++;
        return;
    }
    s->blocks++;
    s->bytes += block->data.bytes.len;
    if (s->type == NODE_SYMLINK && cid_eq(cid, &s->cid) &&
        dag_node_open(block, &view) == OK)
        s->target = json_text(view.contents);
}

static bool is_pinned(struct node *n, const struct cid *cid)
{
    static const enum store_pin_kind kinds[] = {
        STORE_PIN_RECURSIVE, STORE_PIN_DIRECT, STORE_PIN_OBJECT};

    for (size_t i = 0; i < countof(kinds); i++) {
        struct store_pin pin = {.kind = kinds[i], .cid = *cid};
        if (store_pin_get(node_store(n), &pin) == OK)
            return true;
    }
    return false;
}

static void on_walked(void *user, enum err err, struct mtime now)
{
    struct stat_op *s = user;

    (void)now;
    if (err != OK) {
        reply_fault(s->q, walking_fault(s->walking));
        return;
    }
    bool is_file = s->type == NODE_FILE;
    json_t *v = json_pack(
        "{s:o,s:s,s:I,s:I,s:I,s:b,s:b}", "cid", json_cid(&s->cid), "type",
        type_name(s->type, s->cid.codec == CODEC_RAW), "bytes",
        (json_int_t)(is_file ? s->file_bytes : s->bytes), "blocks",
        (json_int_t)s->blocks, "cumulative_bytes", (json_int_t)s->bytes,
        "local", s->missing == 0, "pinned", is_pinned(s->q->node, &s->cid));
    if (s->missing > 0)
        json_object_set_new(v, "missing", json_integer((json_int_t)s->missing));
    if (s->target != NULL)
        json_object_set(v, "target", s->target);
    reply_json(s->q, 200, v);
}

static void cancel_stat(struct request *q)
{
    struct stat_op *s = q->op;

    walking_free(s->walking);
    json_decref(s->target);
    mem_free(s);
}

void handle_stat(struct request *q, struct mtime now)
{
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);

    (void)now;
    if (!good)
        return;
    struct stat_op *s = mem_zalloc(1, sizeof(*s));
    /* What is not here is counted as missing, not fetched: a look at a large
     * folder must not download it. The path itself may be. */
    struct walking_config config = {
        .path = bytes_str(q->tail),
        .timeout_ms = timeout_ms,
        .local_below = true,
        .skip_missing = true,
        .on_open = on_root,
        .on_block = on_block,
        .done = on_walked,
        .user = s,
    };
    s->q = q;
    q->op = s;
    q->cancel = cancel_stat;
    s->walking = walking_new(q->node, &config);
}
