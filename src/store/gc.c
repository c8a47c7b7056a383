#include <assert.h>
#include <string.h>

#include "env/disk.h"
#include "ipld/block.h"
#include "store/store_priv.h"

/*
 * Removing cache: blocks without refs that no lease protects.  Only while
 * nothing is to be counted (collector_idle), asked anew in every slice.
 *
 * store_gc() walks the index, then waits a while until the files go in which
 * nothing is alive any more; making room for a put walks the segments, oldest
 * first, from where the last walk ended.
 */
enum {
    SLACK_SHARE = 64, /* of the limit: freed beyond what is needed */
    SLACK_MAX = 64 * 1024 * 1024,
    PAUSE_MS = 1,
    GIVE_MS_MAX = 10000,
};

static void run(struct timer *t, struct mtime now);
static void scan_run(struct pool_job *job);
static void scan_done_job(struct pool_job *job, struct mtime now);

void sweep_init(struct store *s)
{
    struct sweep *sw = &s->sweep;

    timer_init(&sw->timer, run);
    list_init(&sw->waiting);
    sw->job.run = scan_run;
    sw->job.done = scan_done_job;
}

void sweep_wake(struct store *s)
{
    s->sweep.fruitless = false;
    s->clock->set(s->clock, &s->sweep.timer, s->clock->now(s->clock));
}

static void pause(struct store *s)
{
    struct mtime now = s->clock->now(s->clock);

    s->clock->set(s->clock, &s->sweep.timer, mtime_add_ms(now, PAUSE_MS));
}

static bool is_cache(struct store *s, const struct store_key *key,
                     const struct location *l)
{
    uint32_t refs;

    return blocks_refs(s, key, &refs) == OK && refs == 0 &&
           !lease_protects(s, key, l);
}

/* All of it: store_gc(). */

static void give_back(struct store *s, struct mtime now)
{
    s->sweep.phase = SWEEP_GIVE;
    s->sweep.give_until = mtime_add_ms(now, GIVE_MS_MAX);
    rewrite_turn(s);
}

/* Who collects wants the room, and may end with us. */
static void give(struct store *s)
{
    struct sweep *sw = &s->sweep;
    struct store_op *gc = sw->gc;

    if (rewrite_waits(s) &&
        !mtime_reached(s->clock->now(s->clock), sw->give_until)) {
        rewrite_wake(s);
        pause(s);
        return;
    }
    sw->gc = NULL;
    sw->phase = SWEEP_NONE;
    store_end_op(s, gc, OK);
}

static void flushed(struct store_op *op, enum err err, struct mtime now)
{
    struct sweep *sw = container_of(op, struct sweep, flush);
    struct store *s = container_of(sw, struct store, sweep);
    struct store_op *gc = sw->gc;

    sw->flushing = false;
    /* What was lost by others is no matter of ours. */
    if (sw->phase == SWEEP_END && err == OK && gc != NULL) {
        give_back(s, now);
    } else if (sw->phase == SWEEP_END || err == E_NOSPACE || gc == NULL) {
        sw->phase = SWEEP_NONE;
        sw->gc = NULL;
        if (gc != NULL)
            store_end_op(s, gc, err);
    } else {
        sw->phase = SWEEP_WALK;
    }
    sweep_wake(s);
    store_check_closing(s);
}

static void flush(struct store *s, enum sweep_phase phase)
{
    s->sweep.phase = phase;
    s->sweep.flushing = true;
    s->sweep.flush.done = flushed;
    commit_flush(s, &s->sweep.flush);
}

/* OK; E_NOTFOUND at the end. */
static enum err walk_one(struct store *s)
{
    struct sweep *sw = &s->sweep;
    struct bytes at = {sw->cursor.key, sw->cursor.len};
    struct bytes found;
    struct bytes value;
    struct store_key key;
    struct location l;
    enum err err =
        index_next(&s->index, STORE_TABLE_BLOCKS, at, false, &found, &value);

    if (err != OK)
        return err;
    if (!store_key_read(found, &key))
        return E_CORRUPT;
    memcpy(sw->cursor.key, key.p, key.len);
    sw->cursor.len = key.len;
    err = blocks_find(s, &key, &l);
    if (err == E_NOTFOUND)
        return OK;
    if (err != OK || !is_cache(s, &key, &l))
        return err;
    err = blocks_delete(s, &key, &l);
    if (err != OK)
        return err;
    sw->gc->blocks++;
    sw->gc->bytes += location_size(&key, &l);
    return OK;
}

static void walk(struct store *s)
{
    struct sweep *sw = &s->sweep;
    enum err err = OK;

    if (writer_backlog(&s->writer) > BACKGROUND_QUEUED_MAX ||
        index_pending(&s->index) > COMMIT_CHANGES_PAUSE) {
        pause(s);
        return;
    }
    for (unsigned i = 0; err == OK && i < SLICE_STEPS; i++)
        err = walk_one(s);
    if (err == OK) {
        s->clock->set(s->clock, &sw->timer, s->clock->now(s->clock));
    } else if (err == E_NOTFOUND) {
        flush(s, SWEEP_END);
    } else {
        struct store_op *gc = sw->gc;
        sw->gc = NULL;
        sw->phase = SWEEP_NONE;
        store_end_op(s, gc, err);
    }
}

static void run_gc(struct store *s)
{
    struct sweep *sw = &s->sweep;

    if (sw->gc != NULL && sw->phase == SWEEP_GIVE) {
        give(s);
        return;
    }
    if (sw->gc == NULL || sw->flushing || !collector_idle(s))
        return;
    if (sw->phase == SWEEP_WAIT)
        flush(s, SWEEP_FLUSH);
    else if (sw->phase == SWEEP_WALK)
        walk(s);
}

enum err store_gc(struct store *s, struct store_op *op)
{
    struct sweep *sw = &s->sweep;

    assert(!s->closed);
    assert(!s->config.only_reads);
    if (sw->gc != NULL || sw->phase != SWEEP_NONE)
        return E_AGAIN;
    op->store = s;
    op->blocks = 0;
    op->bytes = 0;
    sw->gc = op;
    sw->phase = SWEEP_WAIT;
    sw->cursor.len = 0;
    sweep_wake(s);
    return OK;
}

/* Some of it: room for puts. */

static uint32_t put_size(const struct store_put_op *op)
{
    struct store_key key = store_key_of(&op->block->cid.hash);

    return record_bytes(key.len, (uint32_t)op->block->data.bytes.len);
}

bool sweep_can(const struct store *s)
{
    const struct totals *t = &s->totals;

    if (s->sweep.fruitless && collector_idle(s))
        return false;
    if (s->closing != NULL || s->collector.halted)
        return false;
    return t->blocks > t->counted_blocks || !collector_idle(s) ||
           s->writer.synced < s->writer.written;
}

void sweep_wait(struct store *s, struct store_put_op *op)
{
    struct sweep *sw = &s->sweep;

    list_add_tail(&sw->waiting, &op->link);
    sw->waiting_bytes += put_size(op);
    s->clock->set(s->clock, &sw->timer, s->clock->now(s->clock));
}

/* Those for whom there is room go on; with @all, the others fail. */
static void serve(struct store *s, bool all)
{
    struct sweep *sw = &s->sweep;

    while (!list_empty(&sw->waiting)) {
        struct store_put_op *op =
            container_of(list_first(&sw->waiting), struct store_put_op, link);
        uint32_t size = put_size(op);
        enum err err = room_for(s, size);
        if (err != OK && !all)
            return;
        list_remove(&op->link);
        sw->waiting_bytes -= size;
        if (err == OK)
            store_put_now(s, op);
        else
            store_end_put(s, op, err);
    }
}

static void close_scan(struct store *s)
{
    struct sweep *sw = &s->sweep;

    if (!sw->open)
        return;
    sw->open = false;
    segs_drop(&s->segs, sw->segment, sw->scan.opened ? sw->scan.file : NULL);
    scan_release(&sw->scan);
}

static uint64_t slack(const struct store *s)
{
    uint64_t share = s->config.limit_bytes / SLACK_SHARE;

    return share < SLACK_MAX ? share : SLACK_MAX;
}

static bool enough(const struct store *s)
{
    return s->sweep.freed >= s->sweep.waiting_bytes + slack(s);
}

/* What is not durable yet is in no index and can't be evicted.  A sync for
 * each walk would hold up a stream of puts, so there is one only where what is
 * in the index will not do, or has not done. */
static bool must_sync(const struct store *s)
{
    const struct totals *t = &s->totals;
    uint64_t cache = t->bytes - t->counted_bytes;

    return s->writer.synced < s->writer.written &&
           (s->sweep.sync_first || cache < s->sweep.waiting_bytes + slack(s));
}

/* The walk ends, with or without having found enough. */
static void end_walk(struct store *s)
{
    struct sweep *sw = &s->sweep;
    bool again = !enough(s) && !sw->sync_first && !s->collector.halted &&
                 s->writer.synced < s->writer.written;

    close_scan(s);
    sw->sync_first = again;
    sw->begun_at = 0;
    if (again) {
        sweep_wake(s);
        return;
    }
    if (sw->freed == 0)
        sw->fruitless = true;
    serve(s, true);
}

/* Opens the next segment with something in it; false: the walk is over. */
static bool next_segment(struct store *s)
{
    struct sweep *sw = &s->sweep;

    for (;;) {
        struct segment *g =
            sw->offset > 0 ? segs_find(&s->segs, sw->number) : NULL;
        if (g == NULL) {
            g = segs_after(&s->segs, sw->number);
            sw->offset = SEGMENT_HEADER_BYTES;
        }
        if (g == NULL && !sw->wrapped) {
            sw->wrapped = true;
            sw->number = 0;
            sw->offset = 0;
            continue;
        }
        if (g == NULL || (sw->wrapped && g->number > sw->begun_at))
            return false;
        sw->number = g->number;
        if (g->live_bytes == 0 || g->retired || sw->offset >= g->size) {
            sw->offset = 0;
            continue;
        }
        segs_hold(&s->segs, g);
        sw->segment = g;
        scan_init(&sw->scan, g->number, sw->offset, g->size, SCAN_HEADERS);
        sw->scan.disk = s->disk;
        sw->scan.dir = s->dir;
        sw->scan.file = g->file;
        sw->open = true;
        return true;
    }
}

static void scan_run(struct pool_job *job)
{
    struct sweep *sw = container_of(job, struct sweep, job);

    scan_window(&sw->scan);
}

static void evict_record(struct store *s, const struct scan_record *sr)
{
    struct location l;

    if (sr->state != SCAN_GOOD || (sr->record.flags & RECORD_DELETION) != 0)
        return;
    if (blocks_find(s, &sr->record.key, &l) != OK ||
        !store_place_eq(l.place, sr->place) ||
        !is_cache(s, &sr->record.key, &l))
        return;
    if (blocks_delete(s, &sr->record.key, &l) == OK)
        s->sweep.freed += location_size(&sr->record.key, &l);
}

/* Return: the place up to which it was looked at. */
static uint32_t evict_window(struct store *s)
{
    const struct scan *sc = &s->sweep.scan;

    /* A root has come meanwhile: look at it again after that is counted. */
    if (!collector_idle(s))
        return sc->begun_at;
    for (size_t i = 0; i < sc->count; i++) {
        if (enough(s))
            return sc->records[i].place.offset;
        evict_record(s, &sc->records[i]);
    }
    return sc->pos;
}

static void scan_done_job(struct pool_job *job, struct mtime now)
{
    struct sweep *sw = container_of(job, struct sweep, job);
    struct store *s = container_of(sw, struct store, sweep);

    sw->scanning = false;
    sw->offset = evict_window(s);
    bool all = sw->offset == sw->scan.pos;
    bool over = all && scan_done(&sw->scan);
    if (!all || over)
        close_scan(s);
    if (over)
        sw->offset = 0;
    if (enough(s))
        end_walk(s);
    else
        s->clock->set(s->clock, &sw->timer, now);
    store_check_closing(s);
    store_deliver(s, now);
}

static void run_eviction(struct store *s)
{
    struct sweep *sw = &s->sweep;

    if (sw->scanning || s->space.busy || list_empty(&sw->waiting))
        return;
    if (s->collector.halted) {
        end_walk(s);
        return;
    }
    if (!collector_idle(s))
        return;
    if (sw->begun_at == 0) {
        room_ask(s); /* what is known may be of before a file went */
        if (s->space.busy)
            return;
        serve(s, false);
        if (list_empty(&sw->waiting))
            return;
        if (must_sync(s)) {
            writer_want(&s->writer, s->writer.written);
            pause(s);
            return;
        }
        sw->begun_at = sw->number > 0 ? sw->number : 1;
        sw->wrapped = sw->number == 0;
        sw->begun_at = sw->wrapped ? UINT32_MAX : sw->begun_at;
        sw->freed = 0;
    }
    if (!sw->open && !next_segment(s)) {
        sw->number = 0;
        sw->offset = 0;
        end_walk(s);
        return;
    }
    sw->scanning = true;
    s->pool->submit(s->pool, &sw->job, POOL_DISK);
}

static void run(struct timer *t, struct mtime now)
{
    struct sweep *sw = container_of(t, struct sweep, timer);
    struct store *s = container_of(sw, struct store, sweep);

    if (s->closing == NULL) {
        run_gc(s);
        run_eviction(s);
    }
    store_check_closing(s);
    store_deliver(s, now);
}

bool sweep_stop(struct store *s)
{
    struct sweep *sw = &s->sweep;

    if (sw->scanning || sw->flushing)
        return false;
    if (sw->gc != NULL) {
        struct store_op *gc = sw->gc;
        enum err err = sw->phase == SWEEP_GIVE ? OK : E_CANCELED;
        sw->gc = NULL;
        sw->phase = SWEEP_NONE;
        store_end_op(s, gc, err);
    }
    close_scan(s);
    serve(s, true);
    return true;
}
