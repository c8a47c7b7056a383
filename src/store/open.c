#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "env/disk.h"
#include "env/env.h"
#include "env/rng.h"
#include "store/store_priv.h"

/*
 * Start: rows of the index, files of the segments, and what lies behind the
 * covered offsets.  Recovery rules: docs/design/0002, "Start".
 */
enum {
    FILES_COUNT_MAX = 2 * SEGMENT_NUMBER_MAX,
    FILES_OPEN_DEFAULT = 128,
    COMMIT_MS_DEFAULT = 2000,
    REWRITE_RATE_DEFAULT = 64 * 1024 * 1024,
};

/* OK: the record at @place is known to be bad; else E_NOTFOUND. */
static enum err find_quarantined(struct store *s, const struct store_key *key,
                                 struct store_place place)
{
    struct bytes value;
    struct location bad;

    if (s->totals.quarantined == 0)
        return E_NOTFOUND;
    enum err err = index_get(&s->index, STORE_TABLE_QUARANTINE,
                             store_key_bytes(key), &value);
    if (err == OK)
        err = location_decode(value, &bad);
    if (err == OK && !store_place_eq(bad.place, place))
        return E_NOTFOUND;
    return err;
}

/* A record of a segment that the index does not know, older ones first. */
static enum err apply_put(struct store *s, const struct scan_record *sr)
{
    const struct record *r = &sr->record;
    struct location to = {.place = sr->place,
                          .length = r->length,
                          .crc = r->crc,
                          .flags = r->flags};
    enum err err = find_quarantined(s, &r->key, sr->place);

    return err == E_NOTFOUND ? blocks_replay(s, &r->key, &to) : err;
}

static enum err apply_deletion(struct store *s, const struct scan_record *sr)
{
    struct location now;
    enum err err = blocks_find(s, &sr->record.key, &now);

    if (err == E_NOTFOUND)
        return OK;
    if (err != OK || !store_place_eq(now.place, sr->target))
        return err;
    return blocks_set(s, &sr->record.key, NULL);
}

enum err open_apply(struct store *s, const struct scan_record *sr)
{
    const struct store_key *key = &sr->record.key;

    /* Written down, so that a rebuild that reads only headers knows it too. */
    if (sr->state == SCAN_BAD_BYTES || sr->state == SCAN_BAD_HASH)
        writer_delete(&s->writer, key, sr->place);
    switch (sr->state) {
    case SCAN_GAP:
        store_add_problem(s, STORE_BAD_RECORD, sr->place, NULL);
        return OK;
    case SCAN_BAD_BYTES:
        store_add_problem(s, STORE_BAD_BYTES, sr->place, key);
        return OK;
    case SCAN_BAD_HASH:
        store_add_problem(s, STORE_BAD_HASH, sr->place, key);
        return OK;
    case SCAN_GOOD:
        break;
    }
    if ((sr->record.flags & RECORD_DELETION) != 0)
        return apply_deletion(s, sr);
    return apply_put(s, sr);
}

static enum err replay_records(struct store *s, struct scan *sc)
{
    enum err err = OK;

    while (err == OK && !scan_done(sc)) {
        scan_window(sc);
        err = sc->err;
        for (size_t i = 0; err == OK && i < sc->count; i++)
            err = open_apply(s, &sc->records[i]);
    }
    return err;
}

/* Makes the index know what is in @g behind its covered offset. */
static enum err replay(struct store *s, struct segment *g, bool newest)
{
    struct scan sc;
    uint32_t from = g->covered;

    if (from < SEGMENT_HEADER_BYTES)
        from = SEGMENT_HEADER_BYTES;
    if (from >= g->size)
        return OK;
    scan_init(&sc, g->number, from, g->size, SCAN_CRC);
    sc.disk = s->disk;
    sc.file = g->file;
    sc.stop_at_gap = newest;
    enum err err = replay_records(s, &sc);
    bool writes = !s->config.only_reads;
    if (err == OK && sc.stopped) {
        s->cut_bytes += writes ? g->size - sc.pos : 0;
        g->size = sc.pos;
        if (writes)
            err = s->disk->truncate(s->disk, g->file, g->size);
    }
    s->replayed_bytes += g->size - from;
    scan_release(&sc);
    /* The index is going to say that this is there, so it must be. */
    if (err == OK && writes)
        err = s->disk->sync(s->disk, g->file);
    g->changed = true;
    return err;
}

/* OK; E_CORRUPT: the segment has no good header. */
static enum err check_header(struct store *s, struct segment *g)
{
    uint8_t header[SEGMENT_HEADER_BYTES];
    size_t got = 0;
    enum err err =
        s->disk->read(s->disk, g->file, 0, header, sizeof(header), &got);

    if (err != OK)
        return err;
    err = segment_header_check((struct bytes){header, got}, g->number);
    return err == OK || err == E_UNSUPPORTED ? err : E_CORRUPT;
}

static enum err remove_file(struct store *s, struct segment *g)
{
    char name[SEGMENT_NAME_MAX];

    segment_name(g->number, name);
    s->disk->close(s->disk, g->file);
    if (g->file != NULL)
        s->segs.open_count--;
    g->file = NULL;
    g->removed = true;
    g->changed = true;
    if (s->config.only_reads) {
        g->size = 0; /* nothing is read from it */
        return OK;
    }
    enum err err = s->disk->unlink(s->disk, s->dir, name, false);
    if (err == E_NOTFOUND)
        err = OK;
    return err == OK ? s->disk->sync_dir(s->disk, s->dir) : err;
}

static enum err open_file(struct store *s, struct segment *g, bool newest)
{
    char name[SEGMENT_NAME_MAX];
    struct disk_stat st;

    segment_name(g->number, name);
    unsigned flags = newest && !s->config.only_reads
                         ? DISK_READ | DISK_WRITE | DISK_STREAM
                         : DISK_READ;
    enum err err = s->disk->open(s->disk, s->dir, name, flags, &g->file);
    if (err != OK)
        return err;
    s->segs.open_count++;
    err = s->disk->stat_file(s->disk, g->file, &st);
    if (err != OK)
        return err;
    g->size = st.size_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)st.size_bytes;
    return OK;
}

/* @known: the index has a row of it. */
static enum err open_segment(struct store *s, struct segment *g, bool newest)
{
    enum err err = open_file(s, g, newest);
    bool known = g->covered > 0;

    if (err == OK)
        err = check_header(s, g);
    if (err == E_CORRUPT && newest && !known && !s->totals.rebuilding)
        return remove_file(s, g); /* it was just being made */
    if (err == E_CORRUPT) {
        struct store_place at = {.segment = g->number};
        store_add_problem(s, STORE_BAD_SEGMENT, at, NULL);
        g->synced = g->size;
        g->stuck = true;
        return OK;
    }
    if (err != OK)
        return err;
    if (g->size < g->covered) {
        struct store_place at = {.segment = g->number, .offset = g->size};
        store_add_problem(s, STORE_BAD_RECORD, at, NULL);
    }
    if (!s->totals.rebuilding)
        err = replay(s, g, newest);
    g->synced = g->size;
    bool full = g->size >= s->config.segment_bytes || s->config.only_reads;
    if (err == OK && newest && !full && !s->totals.rebuilding)
        writer_continue(&s->writer, g);
    if (s->segs.open_count > s->segs.open_max && g->readers == 0) {
        s->disk->close(s->disk, g->file);
        g->file = NULL;
        s->segs.open_count--;
    }
    return err;
}

static enum err list_files(struct store *s)
{
    struct disk_names names;
    enum err err = s->disk->list(s->disk, s->dir, FILES_COUNT_MAX, &names);

    if (err != OK)
        return err;
    const char *name = names.names;
    for (size_t i = 0; i < names.count; i++) {
        uint32_t number = segment_name_parse(name);
        if (number > 0 && segs_find(&s->segs, number) == NULL)
            segs_add(&s->segs, number);
        name += strlen(name) + 1;
    }
    mem_free(names.names);
    return OK;
}

static enum err apply_row(struct store *s, struct bytes key, struct bytes value)
{
    struct rd r = rd_init(key);
    uint32_t number = rd_be32(&r);
    struct segment_row row;

    if (rd_finish(&r) != OK)
        return E_CORRUPT;
    enum err err = segment_row_decode(value, &row);
    if (err != OK)
        return err;
    struct segment *g = segs_find(&s->segs, number);
    if (g == NULL) {
        index_remove(&s->index, STORE_TABLE_SEGMENTS, key);
        if (!row.retired) {
            struct store_place at = {.segment = number};
            store_add_problem(s, STORE_BAD_SEGMENT, at, NULL);
        }
        return OK;
    }
    g->covered = row.covered;
    g->live_bytes = row.live_bytes;
    g->retired = row.retired;
    return OK;
}

static enum err read_rows(struct store *s)
{
    uint8_t room[SEGMENT_KEY_BYTES];
    struct bytes at = {room, 0};

    for (;;) {
        struct bytes key;
        struct bytes value;
        enum err err = index_next(&s->index, STORE_TABLE_SEGMENTS, at, false,
                                  &key, &value);
        if (err == E_NOTFOUND)
            return OK;
        if (err == OK && key.len != sizeof(room))
            err = E_CORRUPT;
        if (err != OK)
            return err;
        memcpy(room, key.p, sizeof(room));
        at.len = sizeof(room);
        err = apply_row(s, at, value);
        if (err != OK)
            return err;
    }
}

static enum err read_state(struct store *s)
{
    struct bytes key = bytes_str("state");
    struct bytes value;
    enum err err = index_get(&s->index, STORE_TABLE_STATE, key, &value);

    if (err == OK)
        return totals_decode(value, &s->totals);
    if (err != E_NOTFOUND)
        return err;
    /* Without segments it is a new store, else its index was lost. */
    s->totals.rebuilding = s->segs.count > 0;
    return OK;
}

static enum err open_segments(struct store *s)
{
    enum err err = OK;
    size_t count = s->segs.count;
    bool fresh = false;

    for (size_t i = 0; err == OK && i < count; i++) {
        struct segment *g = s->segs.items[i];
        if (g->number >= s->totals.next_segment)
            s->totals.next_segment = g->number + 1;
        fresh = fresh || g->covered == 0;
        if (g->retired)
            err = remove_file(s, g);
        else
            err = open_segment(s, g, i + 1 == count);
    }
    if (s->totals.next_segment == 0)
        s->totals.next_segment = 1;
    /* Who made a file may have been killed before its name was durable, and
     * what is in it counts as stored from now on. */
    if (err == OK && fresh && !s->config.only_reads)
        err = s->disk->sync_dir(s->disk, s->dir);
    return err;
}

static enum err open_all(struct store *s, const char *path)
{
    enum err err =
        s->disk->open(s->disk, NULL, path, DISK_READ | DISK_DIR, &s->dir);

    if (err != OK)
        return err;
    s->segs.dir = s->dir;
    err = list_files(s);
    if (err == OK)
        err = read_state(s);
    if (err == OK && s->totals.rebuilding && s->config.only_reads)
        err = E_AGAIN;
    if (err == OK)
        err = read_rows(s);
    if (err == OK)
        err = open_segments(s);
    if (err == OK)
        err = room_init(s);
    return err;
}

static void set_config(struct store *s, const struct store_config *config)
{
    struct store_config *c = &s->config;

    *c = *config;
    if (c->segment_bytes == 0)
        c->segment_bytes = STORE_SEGMENT_BYTES;
    if (c->rewrite_rate == 0)
        c->rewrite_rate = REWRITE_RATE_DEFAULT;
    if (c->files_max == 0)
        c->files_max = FILES_OPEN_DEFAULT;
    if (c->commit_ms == 0)
        c->commit_ms = COMMIT_MS_DEFAULT;
    assert(c->segment_bytes >= STORE_SEGMENT_BYTES_MIN);
    assert(c->segment_bytes <= STORE_SEGMENT_BYTES);
    s->segs.open_max = c->files_max;
    s->segment_bytes_max = c->segment_bytes;
    room_set_limits(s, c->limit_bytes, c->reserve_bytes);
}

static void turn(struct timer *t, struct mtime now)
{
    struct store *s = container_of(t, struct store, turn);

    writer_pump(&s->writer);
    commit_kick(s);
    store_check_closing(s);
    store_deliver(s, now);
}

static struct store *new_store(const struct env *env,
                               const struct store_config *config,
                               struct kv *index)
{
    struct store *s = mem_zalloc(1, sizeof(*s));
    uint8_t seed[16];

    env->rng->fill(env->rng, seed, sizeof(seed));
    s->env = env;
    s->disk = env->disk;
    s->clock = env->clock;
    s->pool = env->pool;
    s->segs.disk = s->disk;
    s->segs.pool = s->pool;
    set_config(s, config);
    timer_init(&s->turn, turn);
    list_init(&s->ended_puts);
    list_init(&s->ended_gets);
    list_init(&s->ended_ops);
    index_init(&s->index, index, seed);
    s->index.only_reads = config->only_reads;
    writer_init(&s->writer, s, seed);
    commit_init(s);
    collector_init(s);
    sweep_init(s);
    rewrite_init(s);
    check_init(s);
    return s;
}

/* Ends a store that never ran. */
static void drop(struct store *s)
{
    s->clock->set(s->clock, &s->turn, MTIME_NEVER);
    s->clock->set(s->clock, &s->commit.timer, MTIME_NEVER);
    s->clock->set(s->clock, &s->collector.timer, MTIME_NEVER);
    writer_release(&s->writer);
    segs_release(&s->segs);
    index_release(&s->index);
    s->disk->close(s->disk, s->dir);
    store_free_tables(s);
    mem_free(s);
}

enum err store_open(const struct env *env, const char *path,
                    const struct store_config *config,
                    const struct store_tables *tables, struct store **ret_store)
{
    struct store *s = new_store(env, config, tables->index);

    s->pins = tables->pins;
    s->pins_table = tables->pins_table;
    enum err err = open_all(s, path);
    if (err != OK) {
        drop(s);
        return err;
    }
    s->begun = s->segs.count > 0;
    if (config->only_reads) {
        *ret_store = s;
        return OK;
    }
    if (!s->begun)
        commit_now(s);
    commit_later(s);
    if (s->totals.rebuilding)
        check_rebuild(s);
    else
        collector_start(s);
    *ret_store = s;
    return OK;
}
