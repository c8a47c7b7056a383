#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "env/disk.h"
#include "store/store_priv.h"

/*
 * Walks over all segments: verify hashes everything again, fsck compares with
 * the index, rebuild fills the index.  One at a time.
 *
 * fsck: a record that the index does not name is suspect unless a deletion of
 * it is found further on, or it was put after the walk began.  Then, when the
 * numbers differ, every row of the index is looked up in its segment.
 */
struct suspect {
    struct map_node node;
    uint8_t where[8]; /* place, as the key */
    struct store_place place;
    struct store_key key;
};

static void run(struct timer *t, struct mtime now);
static void window_run(struct pool_job *job);
static void window_done(struct pool_job *job, struct mtime now);
static void probe_run(struct pool_job *job);
static void probe_done(struct pool_job *job, struct mtime now);

void check_init(struct store *s)
{
    static const uint8_t seed[16] = {0}; /* keys are places of ours */
    struct check *c = &s->check;

    timer_init(&c->timer, run);
    c->job.run = window_run;
    c->job.done = window_done;
    c->probe_job.run = probe_run;
    c->probe_job.done = probe_done;
    map_init(&c->suspects, seed);
}

static void wake(struct store *s)
{
    s->clock->set(s->clock, &s->check.timer, s->clock->now(s->clock));
}

/* Suspects. */

static struct bytes place_key(struct store_place at, uint8_t dst[static 8])
{
    memcpy(dst, &at.segment, 4);
    memcpy(dst + 4, &at.offset, 4);
    return (struct bytes){dst, 8};
}

static void suspect(struct store *s, const struct scan_record *sr)
{
    struct check *c = &s->check;

    if (c->suspects.count >= SUSPECTS_MAX)
        return;
    struct suspect *su = mem_zalloc(1, sizeof(*su));
    su->place = sr->place;
    su->key = sr->record.key;
    struct bytes key = place_key(su->place, su->where);
    map_put(&c->suspects, &su->node, key);
}

static void clear_suspect(struct store *s, struct store_place at)
{
    uint8_t room[8];
    struct map_node *n = map_get(&s->check.suspects, place_key(at, room));

    if (n == NULL)
        return;
    map_remove(&s->check.suspects, n);
    mem_free(container_of(n, struct suspect, node));
}

/* A record that the index does not name may be of a removal that was not yet
 * durable, but not when its block is wanted, or was not found elsewhere. */
static bool is_wanted(struct store *s, const struct store_key *key)
{
    struct bytes value;
    uint32_t refs = 0;

    return (blocks_refs(s, key, &refs) == OK && refs > 0) ||
           index_get(&s->index, STORE_TABLE_QUARANTINE, store_key_bytes(key),
                     &value) == OK;
}

static void empty_suspects(struct store *s, bool tell)
{
    struct check *c = &s->check;
    struct map_node *n = map_first(&c->suspects);

    while (n != NULL) {
        struct suspect *su = container_of(n, struct suspect, node);
        if (tell) {
            store_add_problem(s, STORE_ORPHANED, su->place, &su->key);
            c->op->orphaned++;
            c->wrong = c->wrong || is_wanted(s, &su->key);
        }
        map_remove(&c->suspects, n);
        mem_free(su);
        n = map_first(&c->suspects);
    }
    map_release(&c->suspects);
    check_init(s);
}

/* Where the index is wrong, and all that it could know is in records. */
static void note_wrong(struct store *s)
{
    const struct check *c = &s->check;

    if (!c->wrong || c->gaps || s->totals.rebuilding || s->config.only_reads)
        return;
    s->totals.wrong = true;
    commit_now(s);
}

/* The end. */

static void close_walk(struct store *s)
{
    struct check *c = &s->check;

    if (!c->open)
        return;
    c->open = false;
    segs_drop(&s->segs, c->segment, c->scan.opened ? c->scan.file : NULL);
    scan_release(&c->scan);
}

static void finish(struct store *s, enum err err, struct mtime now)
{
    struct check *c = &s->check;
    struct store_check_op *op = c->op;
    bool is_fsck = c->kind == CHECK_FSCK;

    close_walk(s);
    c->wrong = c->wrong || (is_fsck && err == E_CORRUPT);
    empty_suspects(s, err == OK && is_fsck);
    if (is_fsck && err != E_CANCELED)
        note_wrong(s);
    c->kind = CHECK_NONE;
    c->op = NULL;
    op->done(op, err, now);
}

static void rebuilt(struct store_check_op *op, enum err err, struct mtime now)
{
    struct store *s = op->store;

    (void)now;
    if (err == E_CANCELED)
        return; /* the next start begins again */
    if (err != OK) {
        s->collector.halted = true;
        store_tell(s, STORE_EVENT_PROBLEM, err, NULL);
        return;
    }
    s->totals.rebuilding = false;
    for (size_t i = 0; i < s->segs.count; i++)
        s->segs.items[i]->changed = true;
    commit_later(s);
    s->want_writable = true;
    store_tell(s, STORE_EVENT_REBUILT, OK, NULL);
    collector_start(s);
}

/* Records. */

static void verify_record(struct store *s, const struct scan_record *sr)
{
    struct store_check_op *op = s->check.op;
    struct location l;
    bool named = blocks_find(s, &sr->record.key, &l) == OK &&
                 store_place_eq(l.place, sr->place);

    if (sr->state == SCAN_GOOD) {
        op->blocks += named ? 1 : 0;
        return;
    }
    /* What is bad and not wanted any more is no problem. */
    if (!named)
        return;
    op->bad++;
    blocks_quarantine(s, &sr->record.key, &l,
                      sr->state == SCAN_BAD_BYTES ? STORE_BAD_BYTES
                                                  : STORE_BAD_HASH);
}

static bool quarantined_at(struct store *s, const struct scan_record *sr)
{
    struct bytes value;
    struct location l;

    return index_get(&s->index, STORE_TABLE_QUARANTINE,
                     store_key_bytes(&sr->record.key), &value) == OK &&
           location_decode(value, &l) == OK &&
           store_place_eq(l.place, sr->place);
}

static void fsck_record(struct store *s, const struct scan_record *sr)
{
    struct check *c = &s->check;
    struct location l;
    enum err err = blocks_find(s, &sr->record.key, &l);
    bool late = !store_place_before(sr->place, c->end);

    if (err == OK && store_place_eq(l.place, sr->place)) {
        if (l.length == sr->record.length && l.crc == sr->record.crc) {
            c->op->blocks++;
            return;
        }
        c->op->bad++;
        c->wrong = true;
        store_add_problem(s, STORE_BAD_RECORD, sr->place, &sr->record.key);
        return;
    }
    c->wrong = c->wrong || err == E_CORRUPT;
    if (err == E_NOTFOUND && !late && !quarantined_at(s, sr))
        suspect(s, sr);
}

static enum err take(struct store *s, const struct scan_record *sr)
{
    struct check *c = &s->check;

    if (c->kind == CHECK_REBUILD)
        return open_apply(s, sr);
    if (sr->state == SCAN_GAP) {
        c->op->bad++;
        c->gaps = true;
        store_add_problem(s, STORE_BAD_RECORD, sr->place, NULL);
        return OK;
    }
    if (sr->state == SCAN_GOOD)
        c->op->records++;
    bool deletion = (sr->record.flags & RECORD_DELETION) != 0;
    if (deletion && sr->state == SCAN_GOOD) {
        clear_suspect(s, sr->target);
    } else if (deletion) {
        c->op->bad++;
        store_add_problem(s, STORE_BAD_BYTES, sr->place, NULL);
    } else if (c->kind == CHECK_VERIFY) {
        verify_record(s, sr);
    } else {
        fsck_record(s, sr);
    }
    return OK;
}

static void window_run(struct pool_job *job)
{
    struct check *c = container_of(job, struct check, job);

    scan_window(&c->scan);
}

static uint32_t delay_ms(const struct store *s, uint64_t bytes)
{
    if (s->check.kind != CHECK_VERIFY)
        return 0;
    return (uint32_t)(bytes * 1000 / s->config.rewrite_rate);
}

static void window_done(struct pool_job *job, struct mtime now)
{
    struct check *c = container_of(job, struct check, job);
    struct store *s = container_of(c, struct store, check);
    struct scan *sc = &c->scan;
    enum err err = sc->err;
    uint64_t bytes = sc->pos - sc->begun_at;

    c->busy = false;
    for (size_t i = 0; err == OK && i < sc->count; i++)
        err = take(s, &sc->records[i]);
    c->op->bytes += bytes;
    c->op->offset = sc->pos;
    if (c->kind == CHECK_REBUILD)
        s->rebuilt_bytes += bytes;
    if (err != OK && c->kind == CHECK_REBUILD) {
        finish(s, err, now);
    } else {
        if (err != OK) { /* the file cannot be read: on with the next one */
            struct store_place at = {.segment = c->segment->number};
            c->op->bad++;
            store_add_problem(s, STORE_BAD_SEGMENT, at, NULL);
        }
        s->clock->set(s->clock, &c->timer,
                      mtime_add_ms(now, delay_ms(s, bytes)));
    }
    store_check_closing(s);
    store_deliver(s, now);
}

static enum scan_depth depth_for(const struct store *s, const struct segment *g)
{
    switch (s->check.kind) {
    case CHECK_VERIFY:
        return SCAN_HASH;
    case CHECK_REBUILD:
        /* The two newest may end in what was never synced. */
        return g->number + 2 >= s->totals.next_segment ? SCAN_CRC
                                                       : SCAN_HEADERS;
    case CHECK_FSCK:
    case CHECK_NONE:
        break;
    }
    return SCAN_HEADERS;
}

/* Begins the next segment; false: there is none. */
static bool next_segment(struct store *s)
{
    struct check *c = &s->check;
    struct store_check_op *op = c->op;
    struct segment *g =
        op->offset > 0 ? segs_find(&s->segs, op->segment) : NULL;

    if (g == NULL || op->offset >= g->size) {
        g = segs_after(&s->segs, op->segment);
        op->offset = 0;
    }
    while (g != NULL && (g->retired || g->size <= SEGMENT_HEADER_BYTES))
        g = segs_after(&s->segs, g->number);
    if (g == NULL)
        return false;
    if (op->offset < SEGMENT_HEADER_BYTES)
        op->offset = SEGMENT_HEADER_BYTES;
    bool again = c->tail && op->segment == g->number;
    op->segment = g->number;
    op->segments += again ? 0 : 1;
    c->segment = g;
    segs_hold(&s->segs, g);
    scan_init(&c->scan, g->number, op->offset, g->size, depth_for(s, g));
    c->scan.disk = s->disk;
    c->scan.dir = s->dir;
    c->scan.file = g->file;
    c->open = true;
    return true;
}

/* The second walk of fsck, over the index. */

static void probe_one(const struct check *c, struct probe *p)
{
    uint8_t room[RECORD_HEADER_MAX];
    char name[SEGMENT_NAME_MAX];
    uint32_t len = record_header_bytes(p->key.len);
    struct store_place at = p->location.place;
    struct disk_file *file = p->file;
    struct record r;
    size_t got = 0;

    if (file == NULL) {
        segment_name(at.segment, name);
        if (c->disk->open(c->disk, c->dir, name, DISK_READ, &p->opened) != OK)
            return;
        file = p->opened;
    }
    if (c->disk->read(c->disk, file, at.offset, room, len, &got) != OK)
        return;
    p->found = record_decode((struct bytes){room, got}, at, &r) == OK &&
               bytes_eq(store_key_bytes(&r.key), store_key_bytes(&p->key));
}

static void probe_run(struct pool_job *job)
{
    struct check *c = container_of(job, struct check, probe_job);

    for (size_t i = 0; i < c->probes_count; i++)
        probe_one(c, &c->probes[i]);
}

static void probe_end(struct store *s, struct probe *p)
{
    struct location now;

    if (p->segment != NULL)
        segs_drop(&s->segs, p->segment, p->opened);
    if (p->found)
        return;
    /* It may have been moved or removed meanwhile. */
    if (blocks_find(s, &p->key, &now) != OK ||
        !store_place_eq(now.place, p->location.place))
        return;
    s->check.op->missing++;
    /* Without a gap nothing has ever been there. */
    s->check.wrong = s->check.wrong || p->segment != NULL;
    store_add_problem(s, STORE_MISSING, p->location.place, &p->key);
}

static void probe_done(struct pool_job *job, struct mtime now)
{
    struct check *c = container_of(job, struct check, probe_job);
    struct store *s = container_of(c, struct store, check);

    c->busy = false;
    for (size_t i = 0; i < c->probes_count; i++)
        probe_end(s, &c->probes[i]);
    s->clock->set(s->clock, &c->timer, now);
    store_check_closing(s);
    store_deliver(s, now);
}

/* The next rows of the index.  E_NOTFOUND when there are none. */
static enum err collect_probes(struct store *s)
{
    struct check *c = &s->check;
    enum err err = OK;

    if (c->probes == NULL)
        c->probes = mem_zalloc(PROBES_MAX, sizeof(c->probes[0]));
    c->probes_count = 0;
    while (c->probes_count < PROBES_MAX) {
        struct bytes at = {c->cursor.key, c->cursor.len};
        struct bytes found;
        struct bytes value;
        struct probe p = {.found = false};
        err = index_next(&s->index, STORE_TABLE_BLOCKS, at, false, &found,
                         &value);
        if (err == OK && !store_key_read(found, &p.key))
            err = E_CORRUPT;
        if (err != OK)
            break;
        memcpy(c->cursor.key, p.key.p, p.key.len);
        c->cursor.len = p.key.len;
        if (blocks_find(s, &p.key, &p.location) != OK)
            continue;
        p.segment = segs_find(&s->segs, p.location.place.segment);
        if (p.segment == NULL) {
            probe_end(s, &p);
            continue;
        }
        segs_hold(&s->segs, p.segment);
        p.file = p.segment->file;
        c->probes[c->probes_count++] = p;
    }
    return c->probes_count > 0 ? OK : err;
}

static void run_second(struct store *s, struct mtime now)
{
    struct check *c = &s->check;
    enum err err = collect_probes(s);

    if (err != OK) {
        finish(s, err == E_NOTFOUND ? OK : err, now);
        return;
    }
    c->busy = true;
    s->pool->submit(s->pool, &c->probe_job, POOL_DISK);
}

/* All segments have been walked. */
static void end_walk(struct store *s, struct mtime now)
{
    struct check *c = &s->check;

    if (c->kind != CHECK_FSCK || c->op->blocks == s->totals.blocks) {
        finish(s, OK, now);
        return;
    }
    c->second = true;
    c->cursor.len = 0;
    wake(s);
}

static void flushed(struct store_op *op, enum err err, struct mtime now);

static void flush(struct store *s)
{
    struct check *c = &s->check;

    c->flushing = true;
    c->flush.done = flushed;
    commit_flush(s, &c->flush);
}

/* What was removed during the walk has its deletion behind the place where the
 * walk ended, and maybe not written yet: go on there once it is. */
static void walk_tail(struct store *s)
{
    struct check *c = &s->check;

    c->tail = true;
    c->op->offset = c->tail_offset;
    flush(s);
}

static void walk(struct store *s, struct mtime now)
{
    struct check *c = &s->check;

    if (c->kind == CHECK_REBUILD &&
        index_pending(&s->index) > REBUILD_CHANGES_PAUSE) {
        s->clock->set(s->clock, &c->timer, mtime_add_ms(now, 1));
        return;
    }
    if (c->open && scan_done(&c->scan)) {
        close_walk(s);
        c->tail_offset = c->op->offset;
        c->op->offset = 0;
    }
    if (!c->open && !next_segment(s)) {
        if (c->suspects.count > 0 && !c->tail)
            walk_tail(s);
        else
            end_walk(s, now);
        return;
    }
    c->busy = true;
    s->pool->submit(s->pool, &c->job, POOL_DISK);
}

static void run(struct timer *t, struct mtime now)
{
    struct check *c = container_of(t, struct check, timer);
    struct store *s = container_of(c, struct store, check);

    if (c->kind == CHECK_NONE || c->busy || c->flushing) {
        store_check_closing(s);
        return;
    }
    if (c->op->stop || s->closing != NULL)
        finish(s, E_CANCELED, now);
    else if (c->second)
        run_second(s, now);
    else
        walk(s, now);
    store_check_closing(s);
    store_deliver(s, now);
}

/* How it is begun. */

static void flushed(struct store_op *op, enum err err, struct mtime now)
{
    struct check *c = container_of(op, struct check, flush);
    struct store *s = container_of(c, struct store, check);

    c->flushing = false;
    /* Puts of others that were lost are no matter of ours. */
    if (err != OK && err != E_IO)
        finish(s, err, now);
    else
        wake(s);
    store_check_closing(s);
}

static enum err begin(struct store *s, struct store_check_op *op,
                      enum check_kind kind)
{
    struct check *c = &s->check;

    assert(!s->closed);
    if (c->kind != CHECK_NONE)
        return E_AGAIN;
    op->store = s;
    op->segments = 0;
    op->records = 0;
    op->blocks = 0;
    op->bytes = 0;
    op->bad = 0;
    op->missing = 0;
    op->orphaned = 0;
    op->stop = false;
    c->op = op;
    c->kind = kind;
    c->second = false;
    c->tail = false;
    c->gaps = false;
    c->wrong = false;
    c->disk = s->disk;
    c->dir = s->dir;
    if (kind == CHECK_FSCK) {
        /* What comes after this may be in a file before it is in the index. */
        c->end = writer_place(&s->writer);
        flush(s);
    } else {
        wake(s);
    }
    return OK;
}

enum err store_verify(struct store *s, struct store_check_op *op)
{
    return begin(s, op, CHECK_VERIFY);
}

enum err store_fsck(struct store *s, struct store_check_op *op)
{
    op->segment = 0;
    op->offset = 0;
    return begin(s, op, CHECK_FSCK);
}

void check_rebuild(struct store *s)
{
    struct store_check_op *op = &s->check.own;

    op->segment = 0;
    op->offset = 0;
    op->done = rebuilt;
    s->was_rebuilt = true;
    enum err err = begin(s, op, CHECK_REBUILD);
    assert(err == OK);
}

bool check_stop(struct store *s)
{
    struct check *c = &s->check;

    if (c->busy || c->flushing)
        return false;
    if (c->kind == CHECK_NONE)
        return true;
    wake(s); /* which ends it */
    return false;
}
