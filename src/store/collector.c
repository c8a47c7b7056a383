#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/rd.h"
#include "base/wr.h"
#include "ipld/block.h"
#include "ipld/links.h"
#include "multiformats/multicodec.h"
#include "store/store_priv.h"

/*
 * Counts what pins reach.
 *
 * 1. The count of a CID is the number of recursive pins and objects on it and
 *    of links to it in the blocks whose row is *expanded*.
 * 2. A row with a count over 0 is expanded unless its block has no links or was
 *    not here; then collector_came() makes up for it.  A row with a count of 0
 *    is there only while its children are still counted.
 * 3. The refs of a block are its CIDs with a count over 0, and direct pins.
 * 4. Roots are taken from the queue one after the other; what is left of the
 *    one under way is on the stack.  Every step changes the rows and the stack
 *    together, so each commit holds a state between two steps.
 * 5. Where a step cannot be done exactly, counts stay too high, never too low:
 *    what is wanted is not removed.
 *
 * Rows: counts: CID as version 1 -> count (8), expanded (1).  queue: number
 * (8, big-endian) -> action (1), CID.  stack: depth (4, big-endian) -> action
 * (1), begun (1), links done (4), CID.
 */
enum action {
    ACTION_COUNT = 1,
    ACTION_UNCOUNT = 2,
    ACTION_COUNT_DIRECT = 3,
    ACTION_UNCOUNT_DIRECT = 4,
    ACTION_EXPAND = 5, /* a block has come: its children */
};

enum {
    COUNT_BYTES = 9,
    ITEM_BYTES_MAX = 6 + CID_BYTES_MAX,
    RETRY_MS = 1000, /* after a read that failed */
    FULL_MS = 1,     /* too much is under way */
};

_Static_assert((size_t)ITEM_BYTES_MAX <= (size_t)INDEX_VALUE_MAX,
               "an item is a value");

struct count {
    uint64_t count;
    bool expanded;
};

struct item {
    enum action action;
    bool begun;
    uint32_t links_done;
    struct cid cid; /* version 1 */
};

static void run(struct timer *t, struct mtime now);

void collector_init(struct store *s)
{
    timer_init(&s->collector.timer, run);
    list_init(&s->collector.leases);
}

void collector_wake(struct store *s)
{
    s->clock->set(s->clock, &s->collector.timer, s->clock->now(s->clock));
}

void collector_start(struct store *s)
{
    s->collector.started = true;
    collector_wake(s);
}

void collector_release(struct store *s)
{
    assert(!s->collector.reading);

    block_unref(s->collector.block);
    s->collector.block = NULL;
}

bool collector_idle(const struct store *s)
{
    const struct collector *c = &s->collector;
    const struct totals *t = &s->totals;

    return c->settled && !c->halted && !c->reading && c->pins_busy == 0 &&
           t->queue_head == t->queue_tail && t->stack_depth == 0;
}

static bool codec_has_links(uint64_t codec)
{
    return codec == CODEC_DAG_PB || codec == CODEC_DAG_CBOR;
}

static enum err count_get(struct store *s, struct bytes key,
                          struct count *ret_count)
{
    struct bytes value;
    enum err err = index_get(&s->index, STORE_TABLE_COUNTS, key, &value);

    if (err == E_NOTFOUND) {
        *ret_count = (struct count){.count = 0};
        return OK;
    }
    if (err != OK)
        return err;
    struct rd r = rd_init(value);
    struct count c = {.count = rd_le64(&r)};
    c.expanded = rd_u8(&r) != 0;
    if (rd_finish(&r) != OK)
        return E_CORRUPT;
    *ret_count = c;
    return OK;
}

static void count_set(struct store *s, struct bytes key, struct count c)
{
    uint8_t value[COUNT_BYTES];
    struct wr w = wr_init(value, sizeof(value));

    if (c.count == 0 && !c.expanded) {
        index_remove(&s->index, STORE_TABLE_COUNTS, key);
        return;
    }
    wr_le64(&w, c.count);
    wr_u8(&w, c.expanded ? 1 : 0);
    index_put(&s->index, STORE_TABLE_COUNTS, key,
              (struct bytes){value, sizeof(value)});
}

/* One more or less on @cid.  @ret_turned: from or to 0. */
static enum err count_change(struct store *s, const struct cid *cid, bool more,
                             struct count *ret_count, bool *ret_turned)
{
    uint8_t room[CID_BYTES_MAX];
    struct bytes key = {room, cid_encode(cid, room)};
    struct store_key block = store_key_of(&cid->hash);
    struct count c;
    enum err err = count_get(s, key, &c);

    if (err != OK)
        return err;
    if (more ? c.count == UINT64_MAX : c.count == 0)
        return E_CORRUPT;
    c.count = more ? c.count + 1 : c.count - 1;
    bool turned = c.count == (more ? 1 : 0);
    if (turned)
        err = blocks_ref(s, &block, more);
    if (err != OK)
        return err;
    count_set(s, key, c);
    *ret_count = c;
    *ret_turned = turned;
    return OK;
}

static enum err set_expanded(struct store *s, const struct cid *cid,
                             bool expanded)
{
    uint8_t room[CID_BYTES_MAX];
    struct bytes key = {room, cid_encode(cid, room)};
    struct count c;

    if (cid_is_identity(cid))
        return OK;
    enum err err = count_get(s, key, &c);
    if (err != OK)
        return err;
    c.expanded = expanded;
    count_set(s, key, c);
    return OK;
}

/* The queue. */

static struct bytes queue_key(uint64_t number, uint8_t dst[static 8])
{
    struct wr w = wr_init(dst, 8);

    wr_be64(&w, number);
    return (struct bytes){dst, 8};
}

static void enqueue(struct store *s, enum action action, const struct cid *cid)
{
    uint8_t room[8];
    uint8_t value[1 + CID_BYTES_MAX];
    struct wr w = wr_init(value, sizeof(value));
    struct cid v1 = cid_to_v1(cid);

    wr_u8(&w, (uint8_t)action);
    cid_write(&w, &v1);
    index_put(&s->index, STORE_TABLE_QUEUE,
              queue_key(s->totals.queue_tail++, room),
              (struct bytes){value, wr_len(&w)});
    commit_later(s);
    collector_wake(s);
}

static bool action_of(uint8_t byte, enum action *ret_action)
{
    if (byte < ACTION_COUNT || byte > ACTION_EXPAND)
        return false;
    *ret_action = (enum action)byte;
    return true;
}

/* The stack. */

static struct bytes stack_key(uint32_t depth, uint8_t dst[static 4])
{
    struct wr w = wr_init(dst, 4);

    wr_be32(&w, depth);
    return (struct bytes){dst, 4};
}

static void item_store(struct store *s, uint32_t depth, const struct item *item)
{
    uint8_t room[4];
    uint8_t value[ITEM_BYTES_MAX];
    struct wr w = wr_init(value, sizeof(value));

    wr_u8(&w, (uint8_t)item->action);
    wr_u8(&w, item->begun ? 1 : 0);
    wr_le32(&w, item->links_done);
    cid_write(&w, &item->cid);
    index_put(&s->index, STORE_TABLE_STACK, stack_key(depth, room),
              (struct bytes){value, wr_len(&w)});
}

static void push(struct store *s, enum action action, const struct cid *cid)
{
    struct item item = {.action = action, .cid = *cid};

    item_store(s, s->totals.stack_depth++, &item);
    block_unref(s->collector.block);
    s->collector.block = NULL;
}

static void pop(struct store *s)
{
    uint8_t room[4];

    assert(s->totals.stack_depth > 0);
    index_remove(&s->index, STORE_TABLE_STACK,
                 stack_key(--s->totals.stack_depth, room));
    block_unref(s->collector.block);
    s->collector.block = NULL;
    if (s->totals.stack_depth == 0)
        lease_expire(s);
}

static enum err top(struct store *s, struct item *ret_item)
{
    uint8_t room[4];
    struct bytes value;
    struct item item;
    enum err err =
        index_get(&s->index, STORE_TABLE_STACK,
                  stack_key(s->totals.stack_depth - 1, room), &value);

    if (err != OK)
        return err == E_NOTFOUND ? E_CORRUPT : err;
    struct rd r = rd_init(value);
    uint8_t action = rd_u8(&r);
    item.begun = rd_u8(&r) != 0;
    item.links_done = rd_le32(&r);
    cid_read(&r, &item.cid);
    if (rd_finish(&r) != OK || !action_of(action, &item.action))
        return E_CORRUPT;
    *ret_item = item;
    return OK;
}

static enum err take_root(struct store *s)
{
    uint8_t room[8];
    struct bytes key = queue_key(s->totals.queue_head, room);
    struct bytes value;
    enum action action;
    struct cid cid;
    enum err err = index_get(&s->index, STORE_TABLE_QUEUE, key, &value);

    if (err != OK)
        return err == E_NOTFOUND ? E_CORRUPT : err;
    struct rd r = rd_init(value);
    uint8_t byte = rd_u8(&r);
    cid_read(&r, &cid);
    if (rd_finish(&r) != OK || !action_of(byte, &action))
        return E_CORRUPT;
    index_remove(&s->index, STORE_TABLE_QUEUE, key);
    s->totals.queue_head++;
    push(s, action, &cid);
    commit_later(s);
    return OK;
}

/* The children of @item are to be counted or uncounted now. */
static enum err begin_children(struct store *s, struct item *item)
{
    item->begun = true;
    item_store(s, s->totals.stack_depth - 1, item);
    return OK;
}

static enum err begin_count(struct store *s, struct item *item)
{
    bool more = item->action == ACTION_COUNT;
    struct count c;
    bool turned;

    if (cid_is_identity(&item->cid)) {
        /* Its block is in the CID: it has children, but no count. */
        if (codec_has_links(item->cid.codec))
            return begin_children(s, item);
        pop(s);
        return OK;
    }
    enum err err = count_change(s, &item->cid, more, &c, &turned);
    if (err != OK)
        return err;
    if (turned && codec_has_links(item->cid.codec) && c.expanded != more)
        return begin_children(s, item);
    pop(s);
    return OK;
}

static enum err begin_expand(struct store *s, struct item *item)
{
    uint8_t room[CID_BYTES_MAX];
    struct bytes key = {room, cid_encode(&item->cid, room)};
    struct count c;
    enum err err = count_get(s, key, &c);

    if (err != OK)
        return err;
    if (c.expanded == (c.count > 0)) {
        pop(s);
        return OK;
    }
    item->action = c.count > 0 ? ACTION_COUNT : ACTION_UNCOUNT;
    return begin_children(s, item);
}

static enum err begin(struct store *s, struct item *item)
{
    struct store_key key = store_key_of(&item->cid.hash);
    enum err err = OK;

    switch (item->action) {
    case ACTION_COUNT:
    case ACTION_UNCOUNT:
        return begin_count(s, item);
    case ACTION_EXPAND:
        return begin_expand(s, item);
    case ACTION_COUNT_DIRECT:
    case ACTION_UNCOUNT_DIRECT:
        if (!cid_is_identity(&item->cid))
            err = blocks_ref(s, &key, item->action == ACTION_COUNT_DIRECT);
        pop(s);
        return err;
    }
    return E_CORRUPT;
}

/* The block of @item is not here, or not any more. */
static enum err missing(struct store *s, const struct item *item)
{
    enum err err = OK;

    /* Some children were uncounted: the rest stay counted for good. */
    if (item->links_done > 0 && item->action == ACTION_UNCOUNT)
        err = set_expanded(s, &item->cid, false);
    pop(s);
    return err;
}

static void open_block(struct store *s, const struct item *item,
                       struct block *block)
{
    struct collector *c = &s->collector;
    struct cid ignored;

    c->block = block;
    if (links_init(item->cid.codec, block->data.bytes, &c->links) != OK)
        c->links = (struct links){.kind = LINKS_NONE};
    for (uint32_t i = 0; i < item->links_done; i++)
        if (!links_next(&c->links, &ignored))
            break;
}

static void halt(struct store *s, enum err err)
{
    s->collector.halted = true;
    store_tell(s, STORE_EVENT_PROBLEM, err, NULL);
}

static void read_done(struct store_get_op *op, enum err err,
                      struct block *block, struct mtime now)
{
    struct collector *c = container_of(op, struct collector, get);
    struct store *s = container_of(c, struct store, collector);
    struct item item;

    c->reading = false;
    enum err failed = top(s, &item);
    if (failed == OK && err == OK) {
        open_block(s, &item, block);
    } else {
        block_unref(block);
        if (failed == OK && (err == E_CORRUPT || err == E_NOTFOUND))
            failed = missing(s, &item);
    }
    if (failed != OK)
        halt(s, failed);
    if (err == E_IO)
        s->clock->set(s->clock, &c->timer, mtime_add_ms(now, RETRY_MS));
    else
        collector_wake(s);
    store_check_closing(s);
}

static enum err fetch(struct store *s, const struct item *item)
{
    struct collector *c = &s->collector;

    if (cid_is_identity(&item->cid)) {
        struct bytes in = {item->cid.hash.digest, item->cid.hash.len};
        struct buf *buf = buf_copy(in);
        struct slice data = {.buf = buf, .bytes = buf_bytes(buf)};
        open_block(s, item, block_trust(&item->cid, data));
        return OK;
    }
    c->get.done = read_done;
    enum err err = store_get(s, &c->get, &item->cid);
    if (err == OK) {
        c->reading = true;
        return OK;
    }
    return err == E_NOTFOUND ? missing(s, item) : err;
}

static enum err end_children(struct store *s, const struct item *item)
{
    enum err err = set_expanded(s, &item->cid, item->action == ACTION_COUNT);

    pop(s);
    return err;
}

/*
 * Takes up to SLICE_STEPS links.  Those to blocks without links are counted at
 * once; the others go onto the stack, above what is left of this block or in
 * its place, so that a long chain needs no deep stack.
 */
static enum err do_children(struct store *s, struct item *item,
                            uint32_t *ret_steps)
{
    struct collector *c = &s->collector;
    struct cid below[SLICE_STEPS];
    bool more = item->action == ACTION_COUNT;
    uint32_t count = 0;
    uint32_t taken = 0;
    bool any = true;
    enum err err = OK;

    while (err == OK && taken < SLICE_STEPS) {
        struct cid child;
        struct count ignored;
        bool turned;
        any = links_next(&c->links, &child);
        if (!any)
            break;
        taken++;
        child = cid_to_v1(&child);
        if (codec_has_links(child.codec))
            below[count++] = child;
        else if (!cid_is_identity(&child))
            err = count_change(s, &child, more, &ignored, &turned);
    }
    if (err != OK)
        return err;
    enum action action = item->action;
    if (any) {
        item->links_done += taken;
        item_store(s, s->totals.stack_depth - 1, item);
    } else {
        err = end_children(s, item);
    }
    while (count > 0)
        push(s, action, &below[--count]);
    *ret_steps = taken;
    return err;
}

/* One step.  @ret_steps: what it cost. */
static enum err work(struct store *s, uint32_t *ret_steps)
{
    struct item item;

    *ret_steps = 1;
    if (s->totals.stack_depth == 0)
        return take_root(s);
    enum err err = top(s, &item);
    if (err != OK)
        return err;
    if (!item.begun)
        return begin(s, &item);
    if (s->collector.block == NULL)
        return fetch(s, &item);
    return do_children(s, &item, ret_steps);
}

/* Pins and what was counted of them. */

enum err collector_root(struct store *s, struct bytes key)
{
    enum store_pin_kind kind;
    struct cid cid;
    struct bytes tag;
    struct bytes value;
    enum err err = s->pins->get(s->pins, s->pins_table, key, &value);
    enum err counted = index_get(&s->index, STORE_TABLE_ROOTS, key, &value);

    if (err != OK && err != E_NOTFOUND)
        return err;
    if (counted != OK && counted != E_NOTFOUND)
        return counted;
    if (err == counted)
        return OK;
    bool more = err == OK;
    err = pin_key_decode(key, &kind, &cid, &tag);
    if (err != OK)
        return err;
    if (more)
        index_put(&s->index, STORE_TABLE_ROOTS, key, BYTES_EMPTY);
    else
        index_remove(&s->index, STORE_TABLE_ROOTS, key);
    if (kind == STORE_PIN_DIRECT)
        enqueue(s, more ? ACTION_COUNT_DIRECT : ACTION_UNCOUNT_DIRECT, &cid);
    else
        enqueue(s, more ? ACTION_COUNT : ACTION_UNCOUNT, &cid);
    return OK;
}

/* The next pin, or the next counted root: are both there? */
static enum err settle_one(struct store *s)
{
    struct collector *c = &s->collector;
    struct store_cursor *cursor = &c->settle_cursor;
    struct bytes at = {cursor->key, cursor->len};
    struct bytes key;
    struct bytes value;
    enum err err;

    if (c->settling_roots)
        err = index_next(&s->index, STORE_TABLE_ROOTS, at, false, &key, &value);
    else
        err = s->pins->next(s->pins, s->pins_table, at, false, &key, &value);
    if (err == OK && key.len > sizeof(cursor->key))
        err = E_CORRUPT;
    if (err == OK) {
        memcpy(cursor->key, key.p, key.len);
        cursor->len = key.len;
        return collector_root(s, (struct bytes){cursor->key, cursor->len});
    }
    if (err != E_NOTFOUND)
        return err;
    cursor->len = 0;
    if (c->settling_roots) {
        c->settled = true;
        store_tell(s, STORE_EVENT_SETTLED, OK, NULL);
    }
    c->settling_roots = true;
    return OK;
}

static bool has_work(const struct store *s)
{
    const struct collector *c = &s->collector;
    const struct totals *t = &s->totals;

    if (c->halted || c->reading || !c->started || s->closing != NULL)
        return false;
    return !c->settled || t->queue_head != t->queue_tail || t->stack_depth > 0;
}

static void run(struct timer *t, struct mtime now)
{
    struct collector *c = container_of(t, struct collector, timer);
    struct store *s = container_of(c, struct store, collector);
    uint32_t left = SLICE_STEPS;
    enum err err =
        index_pending(&s->index) > COMMIT_CHANGES_PAUSE ? E_AGAIN : OK;

    while (err == OK && left > 0 && has_work(s)) {
        uint32_t steps = 1;
        if (!c->settled)
            err = settle_one(s);
        else
            err = work(s, &steps);
        left -= steps < left ? steps : left;
    }
    commit_kick(s);
    if (err == E_AGAIN) /* too many changes wait, or reads are under way */
        s->clock->set(s->clock, t, mtime_add_ms(now, FULL_MS));
    else if (err != OK)
        halt(s, err);
    else if (has_work(s))
        collector_wake(s);
    lease_expire(s);
    if (collector_idle(s))
        sweep_wake(s);
    store_check_closing(s);
    store_deliver(s, now);
}

void collector_came(struct store *s, const struct store_key *key)
{
    static const uint64_t codecs[] = {CODEC_DAG_PB, CODEC_DAG_CBOR};
    struct multihash hash;

    if (multihash_decode(store_key_bytes(key), &hash) != OK)
        return;
    for (size_t i = 0; i < countof(codecs); i++) {
        uint8_t room[CID_BYTES_MAX];
        struct cid cid = cid_from_hash(codecs[i], &hash);
        struct bytes k = {room, cid_encode(&cid, room)};
        struct count c;
        if (count_get(s, k, &c) == OK && c.expanded != (c.count > 0))
            enqueue(s, ACTION_EXPAND, &cid);
    }
}
