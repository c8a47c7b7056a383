/* /api/v1/blocks: single blocks. */
#include <string.h>

#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "ipld/links.h"
#include "node/announce.h"
#include "node/exchange.h"
#include "node/fetch.h"
#include "node/node.h"
#include "node/resolving.h"
#include "store/store.h"

enum {
    DELETE_TRIES_MAX = 100,
    DELETE_WAIT_MS = 20,
};

/* One block out. */

struct block_get {
    struct request *q;
    struct fetch *fetch;
    struct fetch_op op;
    struct resolving way; /* where a path was asked for */
    bool only_stat;
};

static void reply_block(struct block_get *g, const struct cid *cid,
                        const struct block *block)
{
    struct request *q = g->q;
    size_t len = block->data.bytes.len;

    if (g->only_stat) {
        reply_json(q, 200,
                   json_pack("{s:o,s:I}", "cid", json_cid(cid), "bytes",
                             (json_int_t)len));
        return;
    }
    struct http_header headers[] = {
        {"Content-Security-Policy", "sandbox; default-src 'none'"},
        {"Content-Disposition", "attachment"},
    };
    reply_bytes_begin(q, 200, "application/octet-stream", headers,
                      countof(headers), len);
    (void)reply_bytes(q, slice_ref(&block->data)); /* it is the last */
    reply_bytes_end(q, false);
}

static void on_block(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct block_get *g = container_of(op, struct block_get, op);

    (void)now;
    if (err == OK)
        reply_block(g, &op->cid, block);
    else
        reply_fault(g->q, fetch_fault(g->fetch));
}

static void on_way(struct resolving *r, enum err err, struct mtime now)
{
    struct block_get *g = container_of(r, struct block_get, way);

    (void)now;
    if (err == OK)
        reply_block(g, &r->result.cid, r->block);
    else
        reply_fault(g->q, &r->fault);
}

static void cancel_get(struct request *q)
{
    struct block_get *g = q->op;

    resolving_release(&g->way);
    fetch_free(g->fetch);
    mem_free(g);
}

void handle_block_get(struct request *q, struct mtime now)
{
    struct cid cid;
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);
    bool only_stat = good && request_flag(q, "stat", false, &good);

    (void)now;
    bool is_path = strchr(q->tail, '/') != NULL;
    if (!good || (!is_path && !request_cid(q, &cid)))
        return;
    struct block_get *g = mem_zalloc(1, sizeof(*g));
    struct fetch_config config = {.timeout_ms = timeout_ms, .urgent = true};
    g->q = q;
    g->only_stat = only_stat;
    g->op.done = on_block;
    g->way.done = on_way;
    g->fetch = fetch_new(q->node, &config);
    q->op = g;
    q->cancel = cancel_get;
    if (!is_path)
        fetch_get(g->fetch, &g->op, &cid, 0, 0);
    else if (resolving_start(&g->way, g->fetch, bytes_str(q->tail)) != OK)
        reply_fault(q, &g->way.fault);
}

/* One block in. */

struct block_put {
    struct request *q; /* NULL: nobody waits any more */
    struct node *node;
    struct strbuf bytes;
    unsigned version;
    uint64_t codec;
    struct block *block;
    struct store_put_op put;
    struct store_pin_op pin;
    bool pinned;
    bool writing;
};

static void free_put(struct block_put *p)
{
    block_unref(p->block);
    strbuf_release(&p->bytes);
    mem_free(p);
}

static void end_put(struct block_put *p, enum err err)
{
    struct fault f;

    p->writing = false;
    if (p->q == NULL) {
        free_put(p);
        return;
    }
    if (err != OK) {
        fault_from_err(&f, err, "the block cannot be stored", BYTES_EMPTY);
        reply_fault(p->q, &f);
        return;
    }
    json_int_t len = (json_int_t)p->block->data.bytes.len;
    reply_json(
        p->q, 201,
        json_pack("{s:o,s:I}", "cid", json_cid(&p->block->cid), "bytes", len));
}

static void on_pinned(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct block_put *p = container_of(op, struct block_put, pin);

    if (err == OK)
        announce_root(node_announce(p->node), &p->block->cid.hash, now);
    end_put(p, err);
}

static void on_stored(struct store_put_op *op, enum err err, struct mtime now)
{
    struct block_put *p = container_of(op, struct block_put, put);

    (void)now;
    if (err == OK && node_exchange(p->node) != NULL)
        exchange_stored(node_exchange(p->node), &p->block->cid);
    if (err != OK || !p->pinned) {
        end_put(p, err);
        return;
    }
    struct clock *clock = node_env(p->node)->clock;
    struct store_pin pin = {
        .kind = STORE_PIN_RECURSIVE,
        .cid = p->block->cid,
        .created_ms = clock->unix_ms(clock),
    };
    p->pin.done = on_pinned;
    err = store_pin(node_store(p->node), &p->pin, &pin);
    if (err != OK)
        end_put(p, err);
}

static void put_body(struct request *q, struct bytes in, struct mtime now)
{
    struct block_put *p = q->op;

    (void)now;
    strbuf_add(&p->bytes, in);
    if (strbuf_full(&p->bytes))
        reply_error(q, ERROR_TOO_LARGE, "a block is at most 2 MiB", NULL);
}

static void put_end(struct request *q, struct mtime now)
{
    struct block_put *p = q->op;
    struct links links;

    (void)now;
    if (links_init(p->codec, strbuf_bytes(&p->bytes), &links) != OK) {
        reply_error(q, ERROR_BAD_BLOCK, "the bytes are no block of this codec",
                    NULL);
        return;
    }
    struct buf *buf = buf_copy(strbuf_bytes(&p->bytes));
    struct slice slice = {.buf = buf, .bytes = buf_bytes(buf)};
    p->block = block_make(p->version, p->codec, slice);
    p->put.done = on_stored;
    enum err err =
        store_put(node_store(p->node), &p->put, p->block, STORE_CACHE, NULL);
    p->writing = err == OK;
    if (err != OK)
        end_put(p, err);
}

static void cancel_put(struct request *q)
{
    struct block_put *p = q->op;

    p->q = NULL;
    if (!p->writing)
        free_put(p);
}

static bool read_codec(struct request *q, uint64_t *ret_codec)
{
    static const struct {
        const char *name;
        uint64_t codec;
    } codecs[] = {
        {"raw", CODEC_RAW},
        {"dag-pb", CODEC_DAG_PB},
        {"dag-cbor", CODEC_DAG_CBOR},
    };
    const char *name = request_query(q, "codec");

    for (size_t i = 0; i < countof(codecs); i++) {
        if (name == NULL || strcmp(codecs[i].name, name) == 0) {
            *ret_codec = codecs[i].codec;
            return true;
        }
    }
    reply_error(q, ERROR_UNSUPPORTED_CODEC, NULL, name);
    return false;
}

void handle_block_put(struct request *q, struct mtime now)
{
    uint64_t codec = CODEC_RAW;
    bool good = true;
    uint64_t version = request_number(q, "cid_version", 1, 1, &good);
    bool pinned = good && request_flag(q, "pin", false, &good);

    (void)now;
    if (!good || !read_codec(q, &codec))
        return;
    if (version == 0 && codec != CODEC_DAG_PB) {
        reply_error(q, ERROR_BAD_VALUE, "version 0 is for dag-pb only", NULL);
        return;
    }
    struct block_put *p = mem_zalloc(1, sizeof(*p));
    p->q = q;
    p->node = q->node;
    p->version = (unsigned)version;
    p->codec = codec;
    p->pinned = pinned;
    strbuf_init(&p->bytes, BLOCK_BYTES_MAX);
    q->op = p;
    q->cancel = cancel_put;
    q->on_body = put_body;
    q->on_body_end = put_end;
}

/* Away with one. */

struct block_delete {
    struct request *q; /* NULL: nobody waits any more */
    struct node *node;
    struct store_op op;
    struct timer again; /* pins are being counted: a moment later */
    unsigned tries;
    struct cid cid;
    bool removing;
};

static void end_delete(struct block_delete *d, enum err err)
{
    struct request *q = d->q;
    struct fault f;

    d->removing = false;
    if (q == NULL) {
        mem_free(d);
        return;
    }
    if (err == OK) {
        reply_empty(q, 204);
    } else if (err == E_REFUSED) {
        reply_error(q, ERROR_PINNED, NULL, q->tail);
    } else if (err == E_AGAIN) {
        reply_error(q, ERROR_BUSY, "the pins are still being counted", NULL);
    } else {
        fault_from_err(&f, err, "the block cannot be removed",
                       bytes_str(q->tail));
        reply_fault(q, &f);
    }
}

static void on_deleted(struct store_op *op, enum err err, struct mtime now)
{
    (void)now;
    end_delete(container_of(op, struct block_delete, op), err);
}

static void try_delete(struct block_delete *d, struct mtime now)
{
    struct clock *clock = node_env(d->node)->clock;
    enum err err = store_remove(node_store(d->node), &d->op, &d->cid.hash);

    d->removing = err == OK;
    if (err == E_AGAIN && d->tries++ < DELETE_TRIES_MAX)
        clock->set(clock, &d->again, mtime_add_ms(now, DELETE_WAIT_MS));
    else if (err != OK)
        end_delete(d, err);
}

static void on_again(struct timer *t, struct mtime now)
{
    try_delete(container_of(t, struct block_delete, again), now);
}

static void cancel_delete(struct request *q)
{
    struct block_delete *d = q->op;
    struct clock *clock = node_env(d->node)->clock;

    clock->set(clock, &d->again, MTIME_NEVER);
    d->q = NULL;
    if (!d->removing)
        mem_free(d);
}

void handle_block_delete(struct request *q, struct mtime now)
{
    struct cid cid;

    if (!request_cid(q, &cid))
        return;
    struct block_delete *d = mem_zalloc(1, sizeof(*d));
    d->q = q;
    d->node = q->node;
    d->cid = cid;
    d->op.done = on_deleted;
    timer_init(&d->again, on_again);
    q->op = d;
    q->cancel = cancel_delete;
    try_delete(d, now);
}

/* The list. */

struct block_list {
    struct request *q; /* NULL: nobody waits any more */
    struct store_op flush;
    struct node *node;
};

/* The cursor of the list is the multihash of its last block, in hex. */
static bool read_after(struct request *q, struct store_cursor *cursor)
{
    const char *text = request_query(q, "after");
    struct cid cid;

    *cursor = (struct store_cursor){.len = 0};
    if (text == NULL || text[0] == '\0')
        return true;
    if (cid_parse(bytes_str(text), &cid) != OK) {
        reply_error(q, ERROR_BAD_CID, NULL, text);
        return false;
    }
    cursor->len = cid_key(&cid, cursor->key);
    return true;
}

static void list_blocks(struct request *q)
{
    struct store_cursor cursor;
    bool good = true;
    uint64_t limit = request_limit(q, &good);
    if (!good || !read_after(q, &cursor))
        return;

    json_t *items = json_array();
    struct cid cid = {.version = 1};
    enum err err = OK;
    while (json_array_size(items) < limit && err == OK) {
        struct multihash hash;
        struct store_stat stat;
        err = store_iter(node_store(q->node), &cursor, &hash, &stat);
        if (err != OK)
            break;
        /* The codec is not known here; the bytes are the same. */
        cid = cid_from_hash(CODEC_RAW, &hash);
        json_array_append_new(items,
                              json_pack("{s:o,s:I}", "cid", json_cid(&cid),
                                        "bytes", (json_int_t)stat.length));
    }
    json_t *answer = json_pack("{s:o}", "items", items);
    if (err == OK && json_array_size(items) > 0)
        json_object_set_new(answer, "next", json_cid(&cid));
    reply_json(q, 200, answer);
}

static void on_flushed(struct store_op *op, enum err err, struct mtime now)
{
    struct block_list *l = container_of(op, struct block_list, flush);
    struct request *q = l->q;

    (void)err; /* what could be written is listed */
    (void)now;
    if (q != NULL) {
        q->op = NULL;
        list_blocks(q);
    }
    mem_free(l);
}

static void cancel_list(struct request *q)
{
    struct block_list *l = q->op;

    if (l != NULL)
        l->q = NULL;
}

void handle_blocks_list(struct request *q, struct mtime now)
{
    struct block_list *l = mem_zalloc(1, sizeof(*l));

    (void)now;
    l->q = q;
    l->node = q->node;
    l->flush.done = on_flushed;
    q->op = l;
    q->cancel = cancel_list;
    store_flush(node_store(q->node), &l->flush);
}
