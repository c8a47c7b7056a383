#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "store/store_priv.h"

/*
 * When the index is committed: COMMIT_BYTES or commit_ms after the first
 * change, and for every flush.
 *
 * 1. A location gets into the index when its record is durable, so a commit
 *    never names bytes that a crash could take.
 * 2. The covered offset of a segment is what was durable when the commit
 *    began: all records before it are in the index, or were removed again.
 */
enum { STATE_BYTES = 69, STATE_REBUILDING = 1, STATE_WRONG = 2 };

static const struct bytes state_key = {(const uint8_t *)"state", 5};

static void totals_store(struct store *s)
{
    const struct totals *t = &s->totals;
    uint8_t value[STATE_BYTES];
    struct wr w = wr_init(value, sizeof(value));
    struct bytes out;

    wr_le32(&w, STATE_VERSION);
    wr_le64(&w, t->blocks);
    wr_le64(&w, t->bytes);
    wr_le64(&w, t->counted_blocks);
    wr_le64(&w, t->counted_bytes);
    wr_le64(&w, t->quarantined);
    wr_le64(&w, t->queue_head);
    wr_le64(&w, t->queue_tail);
    wr_le32(&w, t->stack_depth);
    wr_le32(&w, t->next_segment);
    wr_u8(&w, (uint8_t)((t->rebuilding ? STATE_REBUILDING : 0) |
                        (t->wrong ? STATE_WRONG : 0)));
    enum err err = wr_finish(&w, &out);
    assert(err == OK);
    index_put(&s->index, STORE_TABLE_STATE, state_key, out);
}

enum err totals_decode(struct bytes in, struct totals *ret_totals)
{
    struct rd r = rd_init(in);
    uint32_t version = rd_le32(&r);
    struct totals t = {.blocks = rd_le64(&r)};

    if (r.err == OK && version != STATE_VERSION)
        return E_UNSUPPORTED;
    t.bytes = rd_le64(&r);
    t.counted_blocks = rd_le64(&r);
    t.counted_bytes = rd_le64(&r);
    t.quarantined = rd_le64(&r);
    t.queue_head = rd_le64(&r);
    t.queue_tail = rd_le64(&r);
    t.stack_depth = rd_le32(&r);
    t.next_segment = rd_le32(&r);
    unsigned flags = rd_u8(&r);
    t.rebuilding = (flags & STATE_REBUILDING) != 0;
    if (rd_finish(&r) != OK || t.queue_head > t.queue_tail ||
        (flags & STATE_WRONG) != 0)
        return E_CORRUPT;
    *ret_totals = t;
    return OK;
}

static void store_row(struct store *s, struct segment *g)
{
    uint8_t key[SEGMENT_KEY_BYTES];
    uint8_t row[SEGMENT_ROW_BYTES];
    struct wr w = wr_init(key, sizeof(key));

    wr_be32(&w, g->number);
    struct bytes k = {key, sizeof(key)};
    g->changed = false;
    if (g->removed) {
        index_remove(&s->index, STORE_TABLE_SEGMENTS, k);
        segs_forget(&s->segs, g);
        return;
    }
    if (!s->totals.rebuilding)
        g->covered = g->synced;
    size_t len = segment_row_encode(g, row);
    index_put(&s->index, STORE_TABLE_SEGMENTS, k, (struct bytes){row, len});
}

static void store_rows(struct store *s)
{
    for (size_t i = s->segs.count; i > 0; i--) {
        struct segment *g = s->segs.items[i - 1];
        if (g->changed)
            store_row(s, g);
    }
}

static bool anything_waits(const struct store *s)
{
    if (s->index.waiting.count > 0)
        return true;
    for (size_t i = 0; i < s->segs.count; i++)
        if (s->segs.items[i]->changed)
            return true;
    return false;
}

static void end_flushes(struct store *s, struct list *from, enum err err)
{
    while (!list_empty(from)) {
        struct store_op *op =
            container_of(list_first(from), struct store_op, link);
        list_remove(&op->link);
        if (err == OK && op->epoch != s->writer.epoch)
            err = E_IO;
        store_end_op(s, op, err);
    }
}

static void set_degraded(struct store *s, enum err err)
{
    bool degraded = err != OK;

    if (degraded == s->commit.degraded)
        return;
    s->commit.degraded = degraded;
    store_tell(s, degraded ? STORE_EVENT_DEGRADED : STORE_EVENT_RECOVERED, err,
               NULL);
}

static void commit_done(struct index *ix, enum err err, struct mtime now)
{
    struct store *s = container_of(ix, struct store, index);

    set_degraded(s, err);
    s->begun = true;
    end_flushes(s, &s->commit.covered, err);
    if (err != OK) {
        /* The rows are among what waits; try again in a while. */
        s->commit.due = false;
        end_flushes(s, &s->commit.flushes, err);
        commit_later(s);
    } else {
        if (s->index.waiting.count > 0)
            commit_later(s);
        rewrite_wake(s);
        commit_kick(s);
    }
    writer_pump(&s->writer);
    store_check_closing(s);
    store_deliver(s, now);
}

static void start_commit(struct store *s)
{
    struct commit *c = &s->commit;

    c->due = false;
    c->bytes_since = 0;
    store_rows(s);
    totals_store(s);
    list_for_each_safe (it, &c->flushes) {
        struct store_op *op = container_of(it, struct store_op, link);
        if (op->log_end > s->writer.synced)
            continue;
        list_remove(it);
        list_add_tail(&c->covered, it);
    }
    s->clock->set(s->clock, &c->timer, MTIME_NEVER);
    c->armed = false;
    if (s->writer.queued > s->writer.synced)
        commit_later(s);
    index_commit(&s->index);
}

/* Flushes for which there is nothing left to commit. */
static void end_idle_flushes(struct store *s)
{
    list_for_each_safe (it, &s->commit.flushes) {
        struct store_op *op = container_of(it, struct store_op, link);
        if (op->log_end > s->writer.synced)
            continue;
        list_remove(it);
        store_end_op(s, op, op->epoch == s->writer.epoch ? OK : E_IO);
    }
}

static bool flush_ready(const struct store *s)
{
    list_for_each (it, &s->commit.flushes) {
        const struct store_op *op = container_of(it, struct store_op, link);
        if (op->log_end <= s->writer.synced)
            return true;
    }
    return false;
}

/* A commit is wanted, of everything that has been written by now. */
static void make_due(struct store *s)
{
    struct commit *c = &s->commit;

    assert(!s->config.only_reads);

    if (c->due)
        return;
    c->due = true;
    c->target = s->writer.written;
    writer_want(&s->writer, c->target);
}

void commit_kick(struct store *s)
{
    struct commit *c = &s->commit;

    if (s->index.busy)
        return;
    if (s->config.only_reads) {
        end_idle_flushes(s);
        return;
    }
    size_t many = s->totals.rebuilding ? REBUILD_CHANGES : COMMIT_CHANGES;
    if (!c->degraded &&
        (c->bytes_since >= COMMIT_BYTES || s->index.waiting.count >= many))
        make_due(s);
    if (!flush_ready(s) && !(c->due && s->writer.synced >= c->target))
        return;
    if (anything_waits(s)) {
        start_commit(s);
        return;
    }
    c->due = false;
    end_idle_flushes(s);
}

void commit_now(struct store *s)
{
    totals_store(s);
    make_due(s);
}

static void fire(struct timer *t, struct mtime now)
{
    struct store *s = container_of(t, struct store, commit.timer);

    s->commit.armed = false;
    make_due(s);
    commit_kick(s);
    store_deliver(s, now);
}

void commit_init(struct store *s)
{
    timer_init(&s->commit.timer, fire);
    list_init(&s->commit.flushes);
    list_init(&s->commit.covered);
    s->index.done = commit_done;
}

void commit_later(struct store *s)
{
    struct mtime now = s->clock->now(s->clock);

    if (s->commit.armed || s->closed || s->config.only_reads)
        return;
    s->commit.armed = true;
    s->clock->set(s->clock, &s->commit.timer,
                  mtime_add_ms(now, s->config.commit_ms));
}

void commit_flush(struct store *s, struct store_op *op)
{
    op->store = s;
    op->log_end = s->writer.queued;
    op->epoch = s->writer.epoch;
    list_add_tail(&s->commit.flushes, &op->link);
    writer_want(&s->writer, op->log_end);
    store_wake(s);
}
