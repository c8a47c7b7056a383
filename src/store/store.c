#include "store/store.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "env/disk.h"
#include "ipld/block.h"
#include "store/store_priv.h"

const char *const store_index_tables[STORE_TABLES_COUNT] = {
    [STORE_TABLE_STATE] = "state",
    [STORE_TABLE_SEGMENTS] = "segments",
    [STORE_TABLE_BLOCKS] = "blocks",
    [STORE_TABLE_COUNTS] = "counts",
    [STORE_TABLE_REFS] = "refs",
    [STORE_TABLE_ROOTS] = "roots",
    [STORE_TABLE_QUEUE] = "queue",
    [STORE_TABLE_STACK] = "stack",
    [STORE_TABLE_QUARANTINE] = "quarantine",
};

void store_wake(struct store *s)
{
    s->clock->set(s->clock, &s->turn, s->clock->now(s->clock));
}

/* Few stores ever have more than a handful. */
static void grow_events(struct store *s)
{
    size_t room = s->events_room == 0 ? EVENTS_FIRST : 2 * s->events_room;
    struct store_event *events = mem_zalloc(room, sizeof(events[0]));

    for (size_t i = 0; i < s->events_count; i++)
        events[i] = s->events[(s->events_head + i) % s->events_room];
    mem_free(s->events);
    s->events = events;
    s->events_room = room;
    s->events_head = 0;
}

void store_tell(struct store *s, enum store_event_kind kind, enum err err,
                const struct store_key *key)
{
    struct store_event e = {.kind = kind, .err = err};

    if (key != NULL && multihash_decode(store_key_bytes(key), &e.hash) != OK)
        return;
    if (s->events_count == EVENTS_MAX) {
        s->events_head = (s->events_head + 1) % s->events_room;
        s->events_count--;
    } else if (s->events_count == s->events_room) {
        grow_events(s);
    }
    s->events[(s->events_head + s->events_count) % s->events_room] = e;
    s->events_count++;
}

bool store_next(struct store *s, struct store_event *ret_event)
{
    if (s->events_count == 0)
        return false;
    *ret_event = s->events[s->events_head];
    s->events_head = (s->events_head + 1) % s->events_room;
    s->events_count--;
    return true;
}

void store_add_problem(struct store *s, enum store_problem_kind kind,
                       struct store_place place, const struct store_key *key)
{
    struct store_problem p = {
        .kind = kind, .segment = place.segment, .offset = place.offset};

    s->problems_total++;
    if (key != NULL && multihash_decode(store_key_bytes(key), &p.hash) != OK)
        p.hash = (struct multihash){.len = 0};
    if (s->problems == NULL)
        s->problems = mem_zalloc(STORE_PROBLEMS_MAX, sizeof(s->problems[0]));
    if (s->problems_count < STORE_PROBLEMS_MAX)
        s->problems[s->problems_count++] = p;
    store_tell(s, STORE_EVENT_PROBLEM, E_CORRUPT, key);
}

bool store_problem(const struct store *s, size_t i,
                   struct store_problem *ret_problem)
{
    if (i >= s->problems_count)
        return false;
    *ret_problem = s->problems[i];
    return true;
}

void store_end_put(struct store *s, struct store_put_op *op, enum err err)
{
    op->err = err;
    list_add_tail(&s->ended_puts, &op->link);
    store_wake(s);
}

void store_end_op(struct store *s, struct store_op *op, enum err err)
{
    op->err = err;
    list_add_tail(&s->ended_ops, &op->link);
    store_wake(s);
}

static void tell_writable(struct store *s)
{
    if (!s->want_writable || s->totals.rebuilding)
        return;
    if (writer_backlog(&s->writer) + s->sweep.waiting_bytes >
        STORE_QUEUED_BYTES_MAX / 2)
        return;
    if (s->puts_busy > PUTS_RESUME)
        return;
    s->want_writable = false;
    store_tell(s, STORE_EVENT_WRITABLE, OK, NULL);
}

static void deliver_puts(struct store *s, struct mtime now)
{
    while (!list_empty(&s->ended_puts)) {
        struct store_put_op *op =
            container_of(list_first(&s->ended_puts), struct store_put_op, link);
        list_remove(&op->link);
        s->puts_busy--;
        block_unref(op->block);
        op->block = NULL;
        op->done(op, op->err, now);
    }
}

static void deliver_gets(struct store *s, struct mtime now)
{
    while (!list_empty(&s->ended_gets)) {
        struct store_get_op *op =
            container_of(list_first(&s->ended_gets), struct store_get_op, link);
        list_remove(&op->link);
        get_end(s, op, OK, now);
    }
}

void store_deliver(struct store *s, struct mtime now)
{
    deliver_puts(s, now);
    deliver_gets(s, now);
    tell_writable(s);
    while (!list_empty(&s->ended_ops)) {
        struct store_op *op =
            container_of(list_first(&s->ended_ops), struct store_op, link);
        list_remove(&op->link);
        /* After the end of a close the store may be gone. */
        bool last = op == s->closing;
        op->done(op, op->err, now);
        if (last)
            return;
    }
}

/* Operation of @s: is the writer to make it durable, or is it already. */
static void attach(struct store *s, struct store_put_op *op,
                   struct write_record *rec)
{
    bool unsynced = (op->flags & STORE_UNSYNCED) != 0;

    if (unsynced && rec->state == WRITE_WRITTEN) {
        rec->told = true;
        store_end_put(s, op, OK);
        return;
    }
    list_add_tail(&rec->ops, &op->link);
    if (!unsynced)
        writer_want(&s->writer, rec->log_end);
}

void store_put_now(struct store *s, struct store_put_op *op)
{
    const struct cid *cid = &op->block->cid;
    struct store_key key = store_key_of(&cid->hash);
    bool keep = (op->flags & STORE_KEEP) != 0;
    struct write_record *rec = writer_find(&s->writer, &key);

    if (rec == NULL)
        rec = writer_put(&s->writer, &key, keep ? RECORD_KEEP : 0,
                         slice_ref(&op->block->data));
    else if (keep)
        lease_note(op->lease, &key);
    attach(s, op, rec);
}

/* E_NOTFOUND: the block is to be written. */
/* Whether the segment reaches as far as the index says: it may have been cut
 * or lost while nobody looked. */
static bool is_there(const struct store *s, const struct store_key *key,
                     const struct location *l)
{
    const struct segment *g = segs_find(&s->segs, l->place.segment);

    return g != NULL && g->size - l->place.offset >= location_size(key, l) &&
           g->size > l->place.offset;
}

static enum err put_known(struct store *s, struct store_put_op *op,
                          const struct store_key *key)
{
    struct location l;
    bool known = cid_is_identity(&op->block->cid);

    if (!known) {
        enum err err = blocks_find(s, key, &l);
        if (err != OK)
            return err;
        if (!is_there(s, key, &l)) {
            blocks_quarantine(s, key, &l, STORE_MISSING);
            return E_NOTFOUND; /* and so it is written again */
        }
        if ((op->flags & STORE_KEEP) != 0)
            lease_note(op->lease, key);
    }
    store_end_put(s, op, OK);
    return OK;
}

static enum err again(struct store *s)
{
    s->want_writable = true;
    return E_AGAIN;
}

static enum err put_new(struct store *s, struct store_put_op *op,
                        const struct store_key *key)
{
    uint32_t size = record_bytes(key->len, (uint32_t)op->block->data.bytes.len);
    const struct write_record *rec = writer_find(&s->writer, key);

    if (rec != NULL) {
        store_put_now(s, op);
        return OK;
    }
    if (writer_backlog(&s->writer) + s->sweep.waiting_bytes + size >
        STORE_QUEUED_BYTES_MAX)
        return again(s);
    if (index_pending(&s->index) >= COMMIT_CHANGES_MAX)
        return s->commit.degraded ? E_NOSPACE : again(s);
    room_ask(s);
    if (list_empty(&s->sweep.waiting) && room_for(s, size) == OK) {
        store_put_now(s, op);
        return OK;
    }
    if (!sweep_can(s) && !room_ask_again(s, size))
        return E_NOSPACE;
    sweep_wait(s, op);
    return OK;
}

enum err store_put(struct store *s, struct store_put_op *op,
                   struct block *block, unsigned flags,
                   struct store_lease *lease)
{
    assert(!s->closed);
    assert(!s->config.only_reads);
    assert(((flags & STORE_KEEP) != 0) == (lease != NULL));

    struct store_key key = store_key_of(&block->cid.hash);
    if (s->totals.rebuilding || s->puts_busy >= STORE_PUTS_MAX)
        return again(s);
    op->store = s;
    op->flags = flags;
    op->lease = lease;
    op->block = block_ref(block);
    list_init(&op->link);
    s->puts_busy++;
    enum err err = put_known(s, op, &key);
    if (err == E_NOTFOUND)
        err = put_new(s, op, &key);
    if (err != OK) {
        s->puts_busy--;
        block_unref(block);
        op->block = NULL;
    }
    return err;
}

uint64_t store_epoch(const struct store *s)
{
    return s->writer.epoch;
}

void store_sync(struct store *s, struct store_op *op, uint64_t epoch)
{
    struct writer *w = &s->writer;

    op->store = s;
    op->epoch = epoch;
    op->log_end = w->queued;
    if (op->log_end <= w->synced) {
        store_end_op(s, op, epoch == w->epoch ? OK : E_IO);
        return;
    }
    list_add_tail(&w->syncs, &op->link);
    writer_want(w, op->log_end);
}

void store_flush(struct store *s, struct store_op *op)
{
    commit_flush(s, op);
}

static uint64_t bytes_on_disk(const struct store *s)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < s->segs.count; i++)
        sum += s->segs.items[i]->removed ? 0 : s->segs.items[i]->size;
    return sum;
}

void store_stats(struct store *s, struct store_stats *ret_stats)
{
    const struct totals *t = &s->totals;

    *ret_stats = (struct store_stats){
        .blocks = t->blocks + s->writer.put_blocks,
        .bytes_used = t->bytes + s->writer.put_bytes,
        .bytes_limit = s->config.limit_bytes,
        .bytes_on_disk = bytes_on_disk(s),
        .bytes_free = s->space.free_bytes,
        .cache_blocks = t->blocks - t->counted_blocks,
        .cache_bytes = t->bytes - t->counted_bytes,
        .pins = s->pins->count(s->pins, s->pins_table),
        .queue = t->queue_tail - t->queue_head + (t->stack_depth > 0 ? 1 : 0),
        .pending = index_pending(&s->index),
        .quarantined = t->quarantined,
        .problems = s->problems_total,
        .rebuilt_bytes = s->rebuilt_bytes,
        .replayed_bytes = s->replayed_bytes,
        .cut_bytes = s->cut_bytes,
        .segments = (uint32_t)s->segs.count,
        .degraded = s->commit.degraded,
        .rebuilding = t->rebuilding,
        .settled = s->collector.settled,
        .was_rebuilt = s->was_rebuilt,
    };
}

void store_set_limits(struct store *s, uint64_t limit_bytes,
                      uint64_t reserve_bytes)
{
    room_set_limits(s, limit_bytes, reserve_bytes);
    sweep_wake(s);
}

static void close_flushed(struct store_op *op, enum err err, struct mtime now)
{
    struct store *s = container_of(op, struct store, close_flush);

    (void)now;
    s->close_err = err;
    s->flushed = true;
    s->clock->set(s->clock, &s->commit.timer, MTIME_NEVER);
    store_check_closing(s);
}

static bool quiet(const struct store *s)
{
    return writer_idle(&s->writer) && !s->index.busy && !s->space.busy &&
           s->segs.jobs == 0 && s->puts_busy == 0 && s->gets_busy == 0 &&
           s->collector.pins_busy == 0;
}

void store_check_closing(struct store *s)
{
    if (s->closing == NULL || s->closed)
        return;
    bool swept = sweep_stop(s);
    bool rewritten = rewrite_stop(s);
    bool checked = check_stop(s);
    if (!swept || !rewritten || !checked || s->collector.reading)
        return;
    if (!s->flushing) {
        s->flushing = true;
        s->close_flush.done = close_flushed;
        commit_flush(s, &s->close_flush);
        return;
    }
    if (!s->flushed)
        return;
    if (!quiet(s)) { /* files are being closed, or the like */
        struct mtime now = s->clock->now(s->clock);
        s->clock->set(s->clock, &s->turn, mtime_add_ms(now, 1));
        return;
    }
    s->closed = true;
    s->clock->set(s->clock, &s->commit.timer, MTIME_NEVER);
    store_end_op(s, s->closing, s->close_err);
}

void store_close(struct store *s, struct store_op *op)
{
    assert(s->closing == NULL);

    op->store = s;
    s->closing = op;
    store_wake(s);
}

void store_free_tables(struct store *s)
{
    mem_free(s->events);
    mem_free(s->problems);
    mem_free(s->check.probes);
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    assert(list_empty(&s->ended_puts));
    assert(s->puts_busy == 0);
    assert(s->gets_busy == 0);
    s->clock->set(s->clock, &s->turn, MTIME_NEVER);
    s->clock->set(s->clock, &s->commit.timer, MTIME_NEVER);
    s->clock->set(s->clock, &s->collector.timer, MTIME_NEVER);
    s->clock->set(s->clock, &s->sweep.timer, MTIME_NEVER);
    s->clock->set(s->clock, &s->rewrite.timer, MTIME_NEVER);
    s->clock->set(s->clock, &s->check.timer, MTIME_NEVER);
    collector_release(s);
    lease_release(s);
    writer_release(&s->writer);
    segs_release(&s->segs);
    index_release(&s->index);
    s->disk->close(s->disk, s->dir);
    store_free_tables(s);
    mem_free(s);
}
