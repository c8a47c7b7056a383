/*
 * A queue in memory, bounded.  What has no room in it, and what was pinned
 * without a network, is found again in the table of pins: all roots with a time
 * of creation before @mark_ms have been announced, and the mark is in the kv.
 * It moves when the queue is empty.
 */
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "crypto/hash.h"
#include "env/kv.h"
#include "multiformats/cid.h"
#include "multiformats/multicodec.h"
#include "node/announce_priv.h"
#include "node/log.h"
#include "node/node.h"

enum {
    CHECK_MS = 1000,          /* until the queue may have room again */
    RETRY_MS = 10 * 1000,     /* after a root that nobody took */
    FLUSH_MS = 5000,          /* rows that changed are written */
    MARK_BACK_MS = 60 * 1000, /* a pin may take so long to be written */
    ROUND_BYTES = 1 + 8 + 8,
    ROUND_VERSION = 1,
};

static const char round_key[] = "roots";

/* A root that is to be announced at once. */
struct root {
    struct map_node node;
    struct announce *announce;
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    struct multihash hash;
    struct dht_op op;
    struct mtime not_before;
    unsigned tries;
    struct list link; /* in waiting or running */
};

/* Rows. */

void announce_flush_soon(struct announce *a)
{
    struct mtime now = announce_clock(a)->now(announce_clock(a));

    if (a->flush.at.ns == MTIME_NEVER.ns)
        announce_set(a, &a->flush, mtime_add_ms(now, FLUSH_MS));
}

void announce_save_round(struct announce *a)
{
    uint8_t bytes[ROUND_BYTES];
    struct wr w = wr_init(bytes, sizeof(bytes));
    struct bytes value;

    if (!a->round_changed)
        return;
    a->round_changed = false;
    wr_u8(&w, ROUND_VERSION);
    wr_be64(&w, a->mark_ms);
    wr_be64(&w, a->round_ms);
    if (wr_finish(&w, &value) == OK)
        rows_put(&a->rows, bytes_str(round_key), value);
}

void announce_on_flush(struct timer *t, struct mtime now)
{
    struct announce *a = container_of(t, struct announce, flush);

    (void)now;
    announce_save_round(a);
    rows_write(&a->rows);
}

void announce_load_round(struct announce *a)
{
    struct kv *kv = a->rows.kv;
    struct bytes value;
    if (kv->get(kv, a->rows.table, bytes_str(round_key), &value) != OK)
        return;

    struct rd r = rd_init(value);
    uint8_t version = rd_u8(&r);
    uint64_t mark_ms = rd_be64(&r);
    uint64_t round_ms = rd_be64(&r);
    if (rd_finish(&r) != OK || version != ROUND_VERSION)
        return;
    a->mark_ms = mark_ms;
    a->round_ms = round_ms;
}

/* Roots. */

static void drop_root(struct announce *a, struct root *r)
{
    dht_cancel(&r->op);
    map_remove(&a->roots, &r->node);
    list_remove(&r->link);
    mem_free(r);
}

void announce_drop_roots(struct announce *a)
{
    while (map_first(&a->roots) != NULL)
        drop_root(a, container_of(map_first(&a->roots), struct root, node));
    a->running_count = 0;
}

bool announce_is_full(const struct announce *a)
{
    return a->roots.count >= ANNOUNCE_ROOTS_MAX;
}

/* Everything that was pinned until now has been announced. */
static void move_mark(struct announce *a)
{
    uint64_t now_ms = announce_unix_ms(a);

    a->mark_ms = now_ms > MARK_BACK_MS ? now_ms - MARK_BACK_MS : 0;
    a->round_changed = true;
    announce_flush_soon(a);
}

void announce_refill(struct announce *a, uint64_t since_ms, struct mtime now)
{
    if (a->refilling) {
        a->refill_again = true;
        return;
    }
    a->refilling = true;
    a->since_ms = since_ms;
    a->refill_at = (struct store_cursor){.len = 0};
    announce_set(a, &a->refill, now);
}

void announce_queue(struct announce *a, const struct multihash *hash,
                    struct mtime now)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    size_t len = multihash_encode(hash, bytes);

    if (hash->code == HASH_IDENTITY ||
        map_get(&a->roots, (struct bytes){bytes, len}) != NULL)
        return;
    struct root *r = mem_zalloc(1, sizeof(*r));
    r->announce = a;
    r->hash = *hash;
    r->not_before = now;
    memcpy(r->bytes, bytes, len);
    map_put(&a->roots, &r->node, (struct bytes){r->bytes, len});
    list_add_tail(&a->waiting, &r->link);
}

static void log_root(struct announce *a, const struct root *r)
{
    struct cid cid = cid_from_hash(CODEC_RAW, &r->hash);
    char text[CID_TEXT_MAX];
    size_t len = cid_format(&cid, text);
    struct log_line line;

    log_begin(&line, node_log(a->node), LOG_DEBUG, "announce",
              r->op.stored_count > 0 ? "root_announced" : "root_not_announced");
    log_str(&line, "cid", (struct bytes){(uint8_t *)text, len});
    log_end(&line);
}

static void on_provided(struct dht_op *op, enum err err, struct mtime now)
{
    struct root *r = container_of(op, struct root, op);
    struct announce *a = r->announce;

    a->running_count--;
    list_remove(&r->link);
    list_add_tail(&a->waiting, &r->link);
    log_root(a, r);
    if (err == E_AGAIN) {
        a->online = false; /* the next check looks for peers */
    } else if (op->stored_count == 0 && ++r->tries < ANNOUNCE_TRIES_MAX) {
        r->not_before = mtime_add_ms(now, RETRY_MS * r->tries);
    } else {
        if (op->stored_count > 0)
            a->stats.roots_done++;
        else
            a->stats.roots_failed++;
        drop_root(a, r);
    }
    announce_start_roots(a, now);
    if (a->roots.count == 0 && !a->refilling)
        move_mark(a);
}

static void start_root(struct announce *a, struct root *r, struct mtime now)
{
    list_remove(&r->link);
    list_add_tail(&a->running, &r->link);
    a->running_count++;
    r->op.done = on_provided;
    dht_provide(node_dht(a->node), &r->op, &r->hash, now);
}

void announce_start_roots(struct announce *a, struct mtime now)
{
    if (!a->online)
        return;
    list_for_each_safe (it, &a->waiting) {
        struct root *r = container_of(it, struct root, link);
        if (a->running_count == ANNOUNCE_PARALLEL)
            return;
        if (mtime_reached(now, r->not_before))
            start_root(a, r, now);
    }
}

static void end_refill(struct announce *a, struct mtime now)
{
    a->refilling = false;
    if (a->refill_again) {
        a->refill_again = false;
        announce_refill(a, a->mark_ms, now);
    } else if (a->roots.count == 0) {
        move_mark(a);
    }
}

void announce_on_refill(struct timer *t, struct mtime now)
{
    struct announce *a = container_of(t, struct announce, refill);
    struct store *store = node_store(a->node);
    enum err err = OK;

    for (size_t i = 0; i < ANNOUNCE_SCAN_SLICE && err == OK; i++) {
        struct store_pin pin;
        if (announce_is_full(a))
            break;
        err = store_pin_next(store, &a->refill_at, &pin);
        if (err == OK && (pin.created_ms == 0 || pin.created_ms >= a->since_ms))
            announce_queue(a, &pin.cid.hash, now);
    }
    if (a->roots.count > 0 && a->since_ms > 0) {
        announce_plan_hurry(a, now);
        a->root_at = now;
    }
    announce_start_roots(a, now);
    if (err != OK) /* the end, or a table that cannot be read now */
        end_refill(a, now);
    else
        announce_set(a, &a->refill,
                     mtime_add_ms(now, announce_is_full(a)
                                           ? CHECK_MS
                                           : ANNOUNCE_SCAN_GAP_MS));
}
