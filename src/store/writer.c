#include "store/writer.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crc32c.h"
#include "env/disk.h"
#include "store/segs.h"
#include "store/store_priv.h"
#include "store/writer_jobs.h"

void writer_init(struct writer *w, struct store *s,
                 const uint8_t seed[static 16])
{
    *w = (struct writer){.store = s};
    list_init(&w->queue);
    list_init(&w->flying);
    list_init(&w->syncs);
    map_init(&w->keys, seed);
}

void writer_release(struct writer *w)
{
    assert(writer_idle(w));

    if (w->segment != NULL)
        segs_drop(&w->store->segs, w->segment, NULL);
    w->segment = NULL;
    map_release(&w->keys);
}

void writer_continue(struct writer *w, struct segment *g)
{
    segs_hold(&w->store->segs, g);
    w->segment = g;
    w->append = g->size;
    w->written_at = g->size;
}

static struct write_record *record_at(struct list *link)
{
    return container_of(link, struct write_record, link);
}

static uint32_t size_of(const struct write_record *rec)
{
    return record_bytes(rec->record.key.len, rec->record.length);
}

/* What it takes where the next record goes. */
static uint32_t size_at(const struct writer *w, const struct write_record *rec)
{
    return record_end(w->append, &rec->record) - w->append;
}

struct write_record *writer_find(const struct writer *w,
                                 const struct store_key *key)
{
    struct map_node *n = map_get(&w->keys, store_key_bytes(key));

    return n == NULL ? NULL : container_of(n, struct write_record, node);
}

static struct write_record *enqueue(struct writer *w, enum write_kind kind,
                                    const struct record *r, struct slice data)
{
    struct write_record *rec = mem_zalloc(1, sizeof(*rec));

    rec->kind = kind;
    rec->record = *r;
    rec->record.flags &= (uint8_t)~RECORD_ALIGNED;
    if (r->length >= RECORD_ALIGN_MIN)
        rec->record.flags |= RECORD_ALIGNED;
    rec->data = data;
    list_init(&rec->ops);
    w->queued += size_of(rec);
    rec->log_end = w->queued;
    list_add_tail(&w->queue, &rec->link);
    if (kind == WRITE_PUT)
        map_put(&w->keys, &rec->node, store_key_bytes(&rec->record.key));
    store_wake(w->store);
    return rec;
}

struct write_record *writer_put(struct writer *w, const struct store_key *key,
                                uint8_t flags, struct slice data)
{
    struct record r = {
        .key = *key, .flags = flags, .length = (uint32_t)data.bytes.len};
    struct write_record *rec = enqueue(w, WRITE_PUT, &r, data);

    w->put_bytes += size_of(rec);
    w->put_blocks++;
    return rec;
}

void writer_move(struct writer *w, const struct record *r,
                 struct store_place from, struct slice data)
{
    enqueue(w, WRITE_MOVE, r, data)->from = from;
}

void writer_delete(struct writer *w, const struct store_key *key,
                   struct store_place target)
{
    struct record r = {
        .key = *key, .flags = RECORD_DELETION, .length = RECORD_DELETION_BYTES};
    struct slice none = {.buf = NULL, .bytes = BYTES_EMPTY};

    if (w->store->config.only_reads)
        return; /* who opens it to write next finds out as we did */
    struct write_record *rec = enqueue(w, WRITE_DELETION, &r, none);

    deletion_encode(target, rec->deletion);
    rec->data.bytes = (struct bytes){rec->deletion, sizeof(rec->deletion)};
}

void writer_want(struct writer *w, uint64_t log_end)
{
    if (log_end > w->wanted)
        w->wanted = log_end;
    store_wake(w->store);
}

struct store_place writer_place(const struct writer *w)
{
    if (w->segment == NULL && w->roll != NULL)
        return (struct store_place){.segment = w->roll->number};
    if (w->segment == NULL)
        return (struct store_place){.segment = w->store->totals.next_segment};
    return (struct store_place){.segment = w->segment->number,
                                .offset = w->append};
}

uint64_t writer_backlog(const struct writer *w)
{
    return w->queued - w->written;
}

bool writer_idle(const struct writer *w)
{
    return list_empty(&w->queue) && list_empty(&w->flying) &&
           list_empty(&w->syncs) && w->jobs_count == 0 && w->sync == NULL &&
           w->roll == NULL && w->cut == NULL;
}

bool writer_uses(const struct writer *w, const struct segment *g)
{
    return g == w->segment || g == w->previous;
}

/* Ends everybody who waits for @rec, and @rec. */
static void finish(struct writer *w, struct write_record *rec, enum err err)
{
    struct store *s = w->store;

    if (rec->kind == WRITE_PUT) {
        w->put_bytes -= size_of(rec);
        w->put_blocks--;
        map_remove(&w->keys, &rec->node);
    }
    list_remove(&rec->link);
    if (err == OK && rec->kind != WRITE_DELETION)
        err = blocks_written(s, rec);
    if (rec->kind == WRITE_MOVE)
        rewrite_moved(s, err);
    if (err != OK && rec->told)
        w->epoch++;
    while (!list_empty(&rec->ops)) {
        struct store_put_op *op =
            container_of(list_first(&rec->ops), struct store_put_op, link);
        list_remove(&op->link);
        store_end_put(s, op, err);
    }
    slice_release(&rec->data);
    mem_free(rec);
}

static void end_syncs(struct writer *w)
{
    list_for_each_safe (it, &w->syncs) {
        struct store_op *op = container_of(it, struct store_op, link);
        if (op->log_end > w->synced)
            continue;
        list_remove(&op->link);
        store_end_op(w->store, op, op->epoch == w->epoch ? OK : E_IO);
    }
}

static void durable(struct writer *w, uint64_t target)
{
    if (target > w->synced)
        w->synced = target;
    while (!list_empty(&w->flying)) {
        struct write_record *rec = record_at(list_first(&w->flying));
        if (rec->log_end > w->synced || rec->state != WRITE_WRITTEN)
            break;
        finish(w, rec, OK);
    }
    end_syncs(w);
    commit_later(w->store);
}

static void after_job(struct writer *w, struct mtime now)
{
    writer_pump(w);
    commit_kick(w->store);
    store_deliver(w->store, now);
}

/* Unsynced puts end now: their block can be read. */
static void written(struct write_record *rec, struct store *s)
{
    rec->state = WRITE_WRITTEN;
    list_for_each_safe (it, &rec->ops) {
        struct store_put_op *op = container_of(it, struct store_put_op, link);
        if ((op->flags & STORE_UNSYNCED) == 0)
            continue;
        list_remove(&op->link);
        rec->told = true;
        store_end_put(s, op, OK);
    }
    /* From now on it is read from the file: a series that is synced at its
     * end must not be held in memory until then. */
    if (rec->kind == WRITE_PUT)
        slice_release(&rec->data);
}

static void land(struct writer *w, struct write_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        written(job->records[i], w->store);
    w->written = job->log_end;
    w->written_at = job->offset + job->len;
    w->segment->size = w->written_at;
    w->store->commit.bytes_since += job->len;
    commit_later(w->store);
}

static void write_done(struct pool_job *pool_job, struct mtime now)
{
    struct write_job *job = container_of(pool_job, struct write_job, job);
    struct writer *w = job->writer;

    job->landed = true;
    if (job->err != OK && w->failed == OK)
        w->failed = job->err;
    while (w->jobs_count > 0 && w->jobs[0]->landed) {
        struct write_job *first = w->jobs[0];
        if (first->err == OK && w->written_at == first->offset)
            land(w, first);
        write_job_free(first);
        w->jobs_count--;
        memmove(w->jobs, w->jobs + 1, w->jobs_count * sizeof(void *));
    }
    after_job(w, now);
}

static void start_write(struct writer *w)
{
    struct store *s = w->store;
    struct write_job *job = write_job_new(s->disk, w->segment->file);

    job->writer = w;
    job->offset = w->append;
    while (!list_empty(&w->queue) && job->count < WRITE_JOB_RECORDS) {
        struct write_record *rec = record_at(list_first(&w->queue));
        uint32_t size = size_at(w, rec);
        if (job->count > 0 && (job->len + size > WRITE_JOB_BYTES ||
                               size > s->config.segment_bytes - w->append))
            break;
        rec->place = (struct store_place){.segment = w->segment->number,
                                          .offset = w->append};
        rec->state = WRITE_WRITING;
        list_remove(&rec->link);
        list_add_tail(&w->flying, &rec->link);
        job->records[job->count++] = rec;
        job->len += size;
        job->log_end = rec->log_end;
        w->assigned = rec->log_end;
        w->append += size;
        if (w->append >= s->config.segment_bytes)
            break;
    }
    job->job.done = write_done;
    w->jobs[w->jobs_count++] = job;
    s->pool->submit(s->pool, &job->job, POOL_DISK);
}

/* The queue cannot be written at all. */
static void fail_queue(struct writer *w, enum err err)
{
    while (!list_empty(&w->queue))
        finish(w, record_at(list_first(&w->queue)), err);
    w->assigned = w->queued;
    w->written = w->queued;
    if (list_empty(&w->flying))
        durable(w, w->queued);
}

static void drop_previous(struct writer *w)
{
    struct segment *g = w->previous;

    w->previous = NULL;
    segs_drop(&w->store->segs, g, NULL);
}

static void roll_done(struct pool_job *pool_job, struct mtime now)
{
    struct roll_job *job = container_of(pool_job, struct roll_job, job);
    struct writer *w = job->writer;
    struct store *s = w->store;

    w->roll = NULL;
    if (job->err == OK) {
        struct segment *g = segs_add(&s->segs, job->number);
        g->file = job->file;
        g->size = SEGMENT_HEADER_BYTES;
        s->segs.open_count++;
        w->previous = w->segment;
        w->previous_end = w->assigned;
        w->dir_changed = true;
        if (w->previous != NULL && w->previous->synced == w->previous->size)
            drop_previous(w);
        writer_continue(w, g);
    } else {
        fail_queue(w, job->err);
    }
    mem_free(job);
    after_job(w, now);
}

static void start_roll(struct writer *w)
{
    struct store *s = w->store;
    struct roll_job *job = roll_job_new(s->disk, s->dir);

    job->writer = w;
    job->number = s->totals.next_segment++;
    job->job.done = roll_done;
    w->roll = job;
    s->pool->submit(s->pool, &job->job, POOL_DISK);
}

void writer_turn(struct writer *w)
{
    if (w->segment == NULL || w->append <= SEGMENT_HEADER_BYTES)
        return;
    if (!writer_idle(w) || w->failed != OK || w->previous != NULL ||
        w->synced < w->written || !w->store->begun)
        return;
    start_roll(w);
}

static void sync_done(struct pool_job *pool_job, struct mtime now)
{
    struct sync_job *job = container_of(pool_job, struct sync_job, job);
    struct writer *w = job->writer;
    struct segs *ss = &w->store->segs;

    w->sync = NULL;
    if (job->err == OK) {
        for (size_t i = 0; i < job->count; i++) {
            job->segments[i]->synced = job->ends[i];
            job->segments[i]->changed = true;
        }
        if (w->previous != NULL && w->previous->synced == w->previous->size)
            drop_previous(w);
    } else {
        w->sync_failed = true;
        w->dir_changed = w->dir_changed || job->dir_too;
        if (w->failed == OK)
            w->failed = job->err;
    }
    for (size_t i = 0; i < job->count; i++)
        segs_drop(ss, job->segments[i], NULL);
    uint64_t target = job->target;
    bool ok = job->err == OK;
    mem_free(job);
    if (ok)
        durable(w, target);
    after_job(w, now);
}

static void sync_add(struct sync_job *job, struct segs *ss, struct segment *g,
                     uint32_t end)
{
    segs_hold(ss, g);
    job->segments[job->count] = g;
    job->files[job->count] = g->file;
    job->ends[job->count++] = end;
}

static void start_sync(struct writer *w)
{
    struct store *s = w->store;

    if (w->previous == NULL && w->segment == NULL) {
        durable(w, w->written);
        return;
    }
    struct sync_job *job = sync_job_new(s->disk, s->dir);
    job->writer = w;
    if (w->previous != NULL)
        sync_add(job, &s->segs, w->previous, w->previous->size);
    if (w->segment != NULL)
        sync_add(job, &s->segs, w->segment, w->written_at);
    job->dir_too = w->dir_changed;
    w->dir_changed = false;
    job->target = w->written;
    job->job.done = sync_done;
    w->sync = job;
    s->pool->submit(s->pool, &job->job, POOL_DISK);
}

/* A segment whose end is not certain is not written to again. */
static void abandon(struct writer *w, struct segment *g)
{
    if (g == w->previous)
        w->previous = NULL;
    if (g == w->segment)
        w->segment = NULL;
    if (g->synced < SEGMENT_HEADER_BYTES && !g->retired)
        segs_retire(&w->store->segs, g);
    segs_drop(&w->store->segs, g, NULL);
}

static void cut_done(struct pool_job *pool_job, struct mtime now)
{
    struct cut_job *job = container_of(pool_job, struct cut_job, job);
    struct writer *w = job->writer;
    bool unsure = job->err != OK || w->sync_failed;

    w->cut = NULL;
    for (size_t i = 0; i < job->count; i++) {
        struct segment *g = job->segments[i];
        g->size = job->ends[i];
        if (unsure)
            abandon(w, g);
    }
    if (!unsure)
        w->append = w->written_at;
    mem_free(job);
    w->failed = OK;
    w->sync_failed = false;
    after_job(w, now);
}

static void cut_add(struct cut_job *job, struct segment *g, uint32_t end)
{
    job->segments[job->count] = g;
    job->files[job->count] = g->file;
    job->ends[job->count++] = end;
}

/*
 * Everything that is not written (after a failed sync: not synced) fails, and
 * the segments are cut off where the rest ends.
 */
static void start_cut(struct writer *w)
{
    struct store *s = w->store;
    struct cut_job *job = cut_job_new(s->disk);

    list_for_each_safe (it, &w->flying) {
        struct write_record *rec = record_at(it);
        if (w->sync_failed || rec->state != WRITE_WRITTEN)
            finish(w, rec, w->failed);
    }
    w->written = w->assigned;
    job->writer = w;
    if (w->sync_failed && w->previous != NULL)
        cut_add(job, w->previous, w->previous->synced);
    if (w->segment != NULL && w->sync_failed)
        cut_add(job, w->segment, w->segment->synced);
    else if (w->segment != NULL)
        cut_add(job, w->segment, w->written_at);
    job->job.done = cut_done;
    w->cut = job;
    s->pool->submit(s->pool, &job->job, POOL_DISK);
}

static bool needs_roll(const struct writer *w)
{
    uint32_t max = w->store->config.segment_bytes;

    if (w->segment == NULL)
        return true;
    if (w->append <= SEGMENT_HEADER_BYTES)
        return false; /* any record fits into an empty segment */
    uint32_t size = size_at(w, record_at(list_first(&w->queue)));
    return w->append >= max || size > max - w->append;
}

static bool start_next(struct writer *w)
{
    if (list_empty(&w->queue) || w->roll != NULL)
        return false;
    if (w->jobs_count == WRITE_JOBS_MAX)
        return false;
    if (needs_roll(w)) {
        if (w->previous != NULL)
            w->wanted =
                w->wanted > w->previous_end ? w->wanted : w->previous_end;
        else if (w->jobs_count == 0 && w->store->begun)
            start_roll(w);
        return false;
    }
    if (w->jobs_count > 0 && w->queued - w->assigned < WRITE_SECOND_BYTES)
        return false;
    start_write(w);
    return true;
}

void writer_pump(struct writer *w)
{
    if (w->cut != NULL)
        return;
    if (w->failed != OK) {
        if (w->jobs_count == 0 && w->sync == NULL && w->roll == NULL)
            start_cut(w);
        return;
    }
    while (start_next(w))
        continue;
    if (w->sync == NULL && w->wanted > w->synced && w->written > w->synced)
        start_sync(w);
}
