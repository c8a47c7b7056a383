#include <assert.h>

#include "base/buf.h"
#include "env/disk.h"
#include "store/store_priv.h"

/*
 * Rewriting a segment that is less than half alive:
 *
 *   count     walk the headers: how much would have to stay?  Where that is
 *             over half, the segment is left alone until another one goes.
 *   move      walk again; append what is alive, and the deletions whose target
 *             still has a file; rewrite_rate bytes a second.
 *   flush     the copies are durable and the index names them.
 *   retire    the file goes when the last reader lets go of it.
 *
 * The newest segment is written to and stays, until a collection finds most of
 * it dead: then another one is begun.
 *
 * One segment at a time.  A segment of which something alive could not be
 * moved stays.
 */
enum {
    PAUSE_MS = 5,
    TURN_BYTES_MIN = 16 * 1024 * 1024, /* dead in the newest segment */
};

static void run(struct timer *t, struct mtime now);
static void window_run(struct pool_job *job);
static void window_done(struct pool_job *job, struct mtime now);

void rewrite_init(struct store *s)
{
    struct rewrite *rw = &s->rewrite;

    timer_init(&rw->timer, run);
    rw->job.run = window_run;
    rw->job.done = window_done;
}

static void after_ms(struct store *s, uint32_t ms)
{
    struct mtime now = s->clock->now(s->clock);

    s->clock->set(s->clock, &s->rewrite.timer, mtime_add_ms(now, ms));
}

static bool half_dead(const struct segment *g, uint64_t kept)
{
    return (g->live_bytes + kept) * 2 < g->size - SEGMENT_HEADER_BYTES ||
           g->live_bytes + kept == 0;
}

static bool may_go(const struct store *s, const struct segment *g)
{
    return !g->retired && !g->removed && !g->stuck &&
           !writer_uses(&s->writer, g) && g->size >= SEGMENT_HEADER_BYTES;
}

/* Those in which nothing is alive come first: they cost nothing. */
static struct segment *candidate(const struct store *s)
{
    struct segment *found = NULL;

    for (size_t i = 0; i < s->segs.count; i++) {
        struct segment *g = s->segs.items[i];
        if (!may_go(s, g) || !half_dead(g, 0))
            continue;
        if (g->live_bytes == 0)
            return g;
        found = found != NULL ? found : g;
    }
    return found;
}

void rewrite_turn(struct store *s)
{
    const struct segment *g = s->writer.segment;

    if (g == NULL || g->size < g->live_bytes + TURN_BYTES_MIN ||
        !half_dead(g, 0))
        return;
    s->rewrite.turned = g->number;
    writer_turn(&s->writer);
}

bool rewrite_waits(const struct store *s)
{
    if (s->writer.roll != NULL || s->segs.jobs > 0)
        return true;
    for (size_t i = 0; i < s->segs.count; i++) {
        const struct segment *g = s->segs.items[i];
        bool soon = g->live_bytes == 0 || g->number == s->rewrite.turned;
        if (soon && may_go(s, g))
            return true;
    }
    return false;
}

static void open_walk(struct store *s, bool counting)
{
    struct rewrite *rw = &s->rewrite;
    struct segment *g = rw->segment;
    bool data = !counting && g->live_bytes > 0;

    rw->counting = counting;
    rw->has_window = false;
    rw->failed = false;
    segs_hold(&s->segs, g);
    scan_init(&rw->scan, g->number, SEGMENT_HEADER_BYTES, g->size,
              data ? SCAN_CRC : SCAN_HEADERS);
    rw->scan.disk = s->disk;
    rw->scan.dir = s->dir;
    rw->scan.file = g->file;
    rw->open = true;
}

static void close_walk(struct store *s)
{
    struct rewrite *rw = &s->rewrite;

    if (!rw->open)
        return;
    rw->open = false;
    segs_drop(&s->segs, rw->segment, rw->scan.opened ? rw->scan.file : NULL);
    scan_release(&rw->scan);
}

void rewrite_wake(struct store *s)
{
    struct rewrite *rw = &s->rewrite;

    if (rw->open || rw->flushing || s->closing != NULL || s->totals.rebuilding)
        return;
    rw->segment = candidate(s);
    if (rw->segment == NULL)
        return;
    rw->kept = 0;
    open_walk(s, true);
    after_ms(s, 0);
}

void rewrite_moved(struct store *s, enum err err)
{
    struct rewrite *rw = &s->rewrite;

    assert(rw->moves > 0);
    rw->moves--;
    if (err != OK)
        rw->failed = true;
    if (rw->moves == 0 && rw->open && !rw->busy)
        after_ms(s, 0);
}

static void window_run(struct pool_job *job)
{
    struct rewrite *rw = container_of(job, struct rewrite, job);

    scan_window(&rw->scan);
}

static void window_done(struct pool_job *job, struct mtime now)
{
    struct rewrite *rw = container_of(job, struct rewrite, job);
    struct store *s = container_of(rw, struct store, rewrite);

    rw->busy = false;
    rw->has_window = true;
    rw->next = 0;
    after_ms(s, 0);
    store_check_closing(s);
    store_deliver(s, now);
}

static bool must_stay(const struct store *s, const struct scan_record *sr)
{
    const struct segment *target = segs_find(&s->segs, sr->target.segment);

    return target != NULL && target != s->rewrite.segment && !target->removed;
}

static void move(struct store *s, const struct scan_record *sr,
                 const struct location *l)
{
    struct rewrite *rw = &s->rewrite;
    struct record r = sr->record;
    struct bytes in = {rw->scan.buffer + sr->data_at, r.length};
    struct buf *buf = buf_copy(in);
    struct slice data = {.buf = buf, .bytes = buf_bytes(buf)};

    /* The place of the copy would look as if it was put just now. */
    if (!lease_protects(s, &r.key, l))
        r.flags = r.flags & (uint8_t)~RECORD_KEEP;
    rw->moves++;
    writer_move(&s->writer, &r, sr->place, data);
}

static void take_put(struct store *s, const struct scan_record *sr)
{
    struct location l;
    enum err err = blocks_find(s, &sr->record.key, &l);

    if (err == E_NOTFOUND || (err == OK && !store_place_eq(l.place, sr->place)))
        return;
    if (err != OK) {
        s->rewrite.failed = true;
        return;
    }
    if (sr->state == SCAN_GOOD && sr->has_data)
        move(s, sr, &l);
    else if (sr->state == SCAN_GOOD)
        s->rewrite.failed = true; /* it came alive after the count */
    else
        blocks_quarantine(s, &sr->record.key, &l,
                          sr->state == SCAN_BAD_BYTES ? STORE_BAD_BYTES
                                                      : STORE_BAD_HASH);
}

static void take(struct store *s, const struct scan_record *sr)
{
    struct rewrite *rw = &s->rewrite;

    if (sr->state == SCAN_GAP) {
        store_add_problem(s, STORE_BAD_RECORD, sr->place, NULL);
        return;
    }
    if ((sr->record.flags & RECORD_DELETION) == 0) {
        if (!rw->counting)
            take_put(s, sr);
        return;
    }
    if (sr->state != SCAN_GOOD || !must_stay(s, sr))
        return;
    if (rw->counting)
        rw->kept +=
            record_end(sr->place.offset, &sr->record) - sr->place.offset;
    else
        writer_delete(&s->writer, &sr->record.key, sr->target);
}

/* Looks at the records of the window, as far as there is room to queue. */
static void take_window(struct store *s)
{
    struct rewrite *rw = &s->rewrite;
    const struct scan *sc = &rw->scan;

    while (rw->next < sc->count &&
           writer_backlog(&s->writer) <= BACKGROUND_QUEUED_MAX)
        take(s, &sc->records[rw->next++]);
    if (rw->next < sc->count) {
        after_ms(s, PAUSE_MS);
        return;
    }
    rw->has_window = false;
    if (rw->counting) {
        after_ms(s, 0);
        return;
    }
    uint64_t bytes = sc->pos - sc->begun_at;
    writer_want(&s->writer, s->writer.queued);
    after_ms(s, (uint32_t)(bytes * 1000 / s->config.rewrite_rate));
}

static void retire(struct store *s)
{
    struct rewrite *rw = &s->rewrite;
    struct segment *g = rw->segment;

    if (rw->failed || g->live_bytes > 0) {
        g->stuck = true;
        return;
    }
    segs_retire(&s->segs, g);
    commit_later(s);
    /* Deletions elsewhere may have become needless by this. */
    for (size_t i = 0; i < s->segs.count; i++)
        s->segs.items[i]->stuck = false;
}

static void flushed(struct store_op *op, enum err err, struct mtime now)
{
    struct rewrite *rw = container_of(op, struct rewrite, flush);
    struct store *s = container_of(rw, struct store, rewrite);

    (void)now;
    rw->flushing = false;
    if (err == OK)
        retire(s);
    if (err == OK)
        rewrite_wake(s);
    store_check_closing(s);
}

static void end_walk(struct store *s)
{
    struct rewrite *rw = &s->rewrite;
    bool bad = rw->scan.err != OK || rw->failed;

    close_walk(s);
    if (bad || (rw->counting && !half_dead(rw->segment, rw->kept))) {
        rw->segment->stuck = true;
        rewrite_wake(s);
        return;
    }
    if (rw->counting) {
        open_walk(s, false);
        after_ms(s, 0);
        return;
    }
    rw->flushing = true;
    rw->flush.done = flushed;
    commit_flush(s, &rw->flush);
}

static void run(struct timer *t, struct mtime now)
{
    struct rewrite *rw = container_of(t, struct rewrite, timer);
    struct store *s = container_of(rw, struct store, rewrite);

    if (!rw->open || rw->busy || s->closing != NULL) {
        store_check_closing(s);
        store_deliver(s, now);
        return;
    }
    if (rw->has_window) {
        take_window(s);
    } else if (!scan_done(&rw->scan)) {
        rw->busy = true;
        s->pool->submit(s->pool, &rw->job, POOL_DISK);
    } else if (rw->moves == 0) {
        end_walk(s);
    }
    store_deliver(s, now);
}

bool rewrite_stop(struct store *s)
{
    struct rewrite *rw = &s->rewrite;

    if (rw->busy || rw->flushing || rw->moves > 0)
        return false;
    close_walk(s);
    return true;
}
