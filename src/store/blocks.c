#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/rd.h"
#include "base/wr.h"
#include "ipld/block.h"
#include "store/store_priv.h"

/*
 * The index of blocks, and what depends on it: totals, live bytes of the
 * segments, refs, quarantine.
 *
 * 1. totals.blocks and totals.bytes are those of the table of blocks.
 * 2. counted_blocks and counted_bytes are those of its blocks that have refs.
 * 3. live_bytes of a segment are those of its blocks.
 *
 * blocks_set() and blocks_ref() are the only ones that change any of these.
 */
enum { LOCATION_BYTES = 17, REFS_BYTES = 4 };

uint64_t location_size(const struct store_key *key, const struct location *l)
{
    uint32_t data_at = record_data_at(l->place.offset, key->len, l->flags);

    return data_at - l->place.offset + l->length;
}

static size_t location_encode(const struct location *l,
                              uint8_t dst[static LOCATION_BYTES])
{
    struct wr w = wr_init(dst, LOCATION_BYTES);

    wr_le32(&w, l->place.segment);
    wr_le32(&w, l->place.offset);
    wr_le32(&w, l->length);
    wr_le32(&w, l->crc);
    wr_u8(&w, l->flags);
    return wr_len(&w);
}

enum err location_decode(struct bytes in, struct location *ret_location)
{
    struct rd r = rd_init(in);
    struct location l = {.place.segment = rd_le32(&r)};

    l.place.offset = rd_le32(&r);
    l.length = rd_le32(&r);
    l.crc = rd_le32(&r);
    l.flags = rd_u8(&r);
    if (rd_finish(&r) != OK || l.length > BLOCK_BYTES_MAX)
        return E_CORRUPT;
    *ret_location = l;
    return OK;
}

enum err blocks_find(struct store *s, const struct store_key *key,
                     struct location *ret_location)
{
    struct bytes value;
    enum err err =
        index_get(&s->index, STORE_TABLE_BLOCKS, store_key_bytes(key), &value);

    return err != OK ? err : location_decode(value, ret_location);
}

enum err blocks_refs(struct store *s, const struct store_key *key,
                     uint32_t *ret_refs)
{
    struct bytes value;
    enum err err =
        index_get(&s->index, STORE_TABLE_REFS, store_key_bytes(key), &value);

    if (err == E_NOTFOUND) {
        *ret_refs = 0;
        return OK;
    }
    if (err != OK)
        return err;
    struct rd r = rd_init(value);
    uint32_t refs = rd_le32(&r);
    if (rd_finish(&r) != OK)
        return E_CORRUPT;
    *ret_refs = refs;
    return OK;
}

static void add_live(struct store *s, const struct location *l, uint64_t size,
                     bool more)
{
    struct segment *g = segs_find(&s->segs, l->place.segment);

    if (g == NULL)
        return; /* its file was lost */
    g->live_bytes = more ? g->live_bytes + size : g->live_bytes - size;
    g->changed = true;
}

static void add_totals(struct store *s, uint64_t size, bool counted, bool more)
{
    struct totals *t = &s->totals;

    t->blocks = more ? t->blocks + 1 : t->blocks - 1;
    t->bytes = more ? t->bytes + size : t->bytes - size;
    if (!counted)
        return;
    t->counted_blocks = more ? t->counted_blocks + 1 : t->counted_blocks - 1;
    t->counted_bytes = more ? t->counted_bytes + size : t->counted_bytes - size;
}

/* @key, which has refs where @counted, goes from @old to @to; NULL: nowhere. */
static void change_location(struct store *s, const struct store_key *key,
                            const struct location *old,
                            const struct location *to, bool counted)
{
    if (old != NULL) {
        add_totals(s, location_size(key, old), counted, false);
        add_live(s, old, location_size(key, old), false);
    }
    if (to == NULL) {
        index_remove(&s->index, STORE_TABLE_BLOCKS, store_key_bytes(key));
    } else {
        uint8_t value[LOCATION_BYTES];
        size_t len = location_encode(to, value);
        add_totals(s, location_size(key, to), counted, true);
        add_live(s, to, location_size(key, to), true);
        index_put(&s->index, STORE_TABLE_BLOCKS, store_key_bytes(key),
                  (struct bytes){value, len});
    }
    commit_later(s);
}

/* What the index says of @key now: E_NOTFOUND is not an error. */
static enum err look(struct store *s, const struct store_key *key,
                     struct location *ret_old, bool *ret_had)
{
    enum err err = blocks_find(s, key, ret_old);

    *ret_had = err == OK;
    return err == E_NOTFOUND ? OK : err;
}

enum err blocks_set(struct store *s, const struct store_key *key,
                    const struct location *to)
{
    struct location old;
    uint32_t refs;
    bool had;
    enum err err = look(s, key, &old, &had);

    if (err == OK)
        err = blocks_refs(s, key, &refs);
    if (err == OK)
        change_location(s, key, had ? &old : NULL, to, refs > 0);
    return err;
}

enum err blocks_replay(struct store *s, const struct store_key *key,
                       const struct location *to)
{
    struct location old;
    uint32_t refs;
    bool had;
    enum err err = look(s, key, &old, &had);

    if (err != OK)
        return err;
    if (had && !store_place_before(old.place, to->place))
        return OK;
    err = blocks_refs(s, key, &refs);
    if (err != OK)
        return err;
    change_location(s, key, had ? &old : NULL, to, refs > 0);
    /* Only a block that was lost can have rows of counts without refs. */
    if (!had && (refs > 0 || s->totals.quarantined > 0))
        collector_came(s, key);
    return OK;
}

/* @key has refs from now on, or none any more. */
static enum err recount(struct store *s, const struct store_key *key,
                        bool counted)
{
    struct location l;
    enum err err = blocks_find(s, key, &l);

    if (err == E_NOTFOUND)
        return OK;
    if (err != OK)
        return err;
    uint64_t size = location_size(key, &l);
    struct totals *t = &s->totals;
    t->counted_blocks = counted ? t->counted_blocks + 1 : t->counted_blocks - 1;
    t->counted_bytes =
        counted ? t->counted_bytes + size : t->counted_bytes - size;
    return OK;
}

enum err blocks_ref(struct store *s, const struct store_key *key, bool more)
{
    uint8_t value[REFS_BYTES];
    struct wr w = wr_init(value, sizeof(value));
    uint32_t refs;
    enum err err = blocks_refs(s, key, &refs);

    if (err != OK)
        return err;
    if (more ? refs == UINT32_MAX : refs == 0)
        return E_CORRUPT;
    refs = more ? refs + 1 : refs - 1;
    if (more ? refs == 1 : refs == 0)
        err = recount(s, key, more);
    if (err != OK)
        return err;
    wr_le32(&w, refs);
    if (refs == 0)
        index_remove(&s->index, STORE_TABLE_REFS, store_key_bytes(key));
    else
        index_put(&s->index, STORE_TABLE_REFS, store_key_bytes(key),
                  (struct bytes){value, sizeof(value)});
    return OK;
}

void blocks_mend(struct store *s, const struct store_key *key,
                 const struct location *to)
{
    uint8_t value[LOCATION_BYTES];
    size_t len = location_encode(to, value);

    index_put(&s->index, STORE_TABLE_BLOCKS, store_key_bytes(key),
              (struct bytes){value, len});
    commit_later(s);
}

enum err blocks_delete(struct store *s, const struct store_key *key,
                       const struct location *at)
{
    enum err err = blocks_set(s, key, NULL);

    if (err == OK)
        writer_delete(&s->writer, key, at->place);
    return err;
}

void blocks_quarantine(struct store *s, const struct store_key *key,
                       const struct location *at, enum store_problem_kind kind)
{
    uint8_t value[LOCATION_BYTES];
    struct bytes old;
    size_t len = location_encode(at, value);
    struct bytes k = store_key_bytes(key);

    store_add_problem(s, kind, at->place, key);
    if (blocks_set(s, key, NULL) != OK)
        return; /* the index fails: it is served again after a start */
    if (kind != STORE_MISSING)
        writer_delete(&s->writer, key, at->place);
    if (index_get(&s->index, STORE_TABLE_QUARANTINE, k, &old) == E_NOTFOUND)
        s->totals.quarantined++;
    index_put(&s->index, STORE_TABLE_QUARANTINE, k, (struct bytes){value, len});
    store_tell(s, STORE_EVENT_QUARANTINED, E_CORRUPT, key);
}

/* Whether @key was bad before; from now on it is not. */
static bool leave_quarantine(struct store *s, const struct store_key *key)
{
    struct bytes old;
    struct bytes k = store_key_bytes(key);

    if (s->totals.quarantined == 0 ||
        index_get(&s->index, STORE_TABLE_QUARANTINE, k, &old) != OK)
        return false;
    index_remove(&s->index, STORE_TABLE_QUARANTINE, k);
    s->totals.quarantined--;
    return true;
}

static struct location location_of(const struct write_record *rec)
{
    return (struct location){.place = rec->place,
                             .length = rec->record.length,
                             .crc = rec->record.crc,
                             .flags = rec->record.flags};
}

static enum err put_written(struct store *s, const struct write_record *rec)
{
    struct location to = location_of(rec);
    uint32_t refs;
    enum err err = blocks_set(s, &rec->record.key, &to);

    if (err == OK)
        err = blocks_refs(s, &rec->record.key, &refs);
    if (err != OK)
        return err;
    bool was_bad = leave_quarantine(s, &rec->record.key);
    if (refs == 0)
        s->sweep.fruitless = false;
    if (refs > 0 || was_bad)
        collector_came(s, &rec->record.key);
    return OK;
}

enum err blocks_written(struct store *s, const struct write_record *rec)
{
    struct location now;

    if (rec->kind == WRITE_PUT)
        return put_written(s, rec);
    enum err err = blocks_find(s, &rec->record.key, &now);
    if (err == OK && store_place_eq(now.place, rec->from)) {
        struct location to = location_of(rec);
        return blocks_set(s, &rec->record.key, &to);
    }
    if (err == OK || err == E_NOTFOUND) {
        /* It was removed or put again meanwhile: the copy is dead. */
        writer_delete(&s->writer, &rec->record.key, rec->place);
        return OK;
    }
    return err;
}
