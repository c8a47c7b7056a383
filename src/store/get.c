#include <assert.h>

#include "base/buf.h"
#include "crypto/crc32c.h"
#include "env/disk.h"
#include "ipld/block.h"
#include "store/store_priv.h"

/* Reading: straight into the buf of the block, checked by crc32c in the job. */

/* What is in the record that the row names, whose bytes are not those of the
 * row. */
static void look_at_record(struct store_get_op *op, struct disk_file *file)
{
    struct store_key key = store_key_of(&op->cid.hash);
    struct store_place at = {.segment = op->number, .offset = op->offset};
    uint8_t room[RECORD_HEADER_MAX];
    struct record r;
    size_t got = 0;

    if (op->disk->read(op->disk, file, at.offset, room, sizeof(room), &got) !=
            OK ||
        record_decode((struct bytes){room, got}, at, &r) != OK ||
        (r.flags & RECORD_DELETION) != 0 ||
        !bytes_eq(store_key_bytes(&r.key), store_key_bytes(&key)))
        return;
    op->is_found = true;
    op->found_length = r.length;
    op->found_crc = r.crc;
    op->found_flags = r.flags;
}

static void read_run(struct pool_job *job)
{
    struct store_get_op *op = container_of(job, struct store_get_op, job);
    struct disk *disk = op->disk;
    char name[SEGMENT_NAME_MAX];
    struct disk_file *file = op->file;
    size_t got = 0;

    op->err = OK;
    if (file == NULL) {
        segment_name(op->number, name);
        op->err = disk->open(disk, op->dir, name, DISK_READ, &op->opened);
        file = op->opened;
    }
    if (op->err == OK)
        op->err = disk->read(disk, file, op->data_at, op->buf->data,
                             op->buf->max, &got);
    if (op->err == OK &&
        (got != op->buf->max ||
         crc32c(0, (struct bytes){op->buf->data, got}) != op->crc)) {
        op->err = E_CORRUPT;
        look_at_record(op, file);
    }
    if (op->err == E_NOTFOUND)
        op->err = E_CORRUPT; /* the segment's file is gone */
}

static void read_done(struct pool_job *job, struct mtime now);

static void start_read(struct store *s, struct store_get_op *op,
                       struct segment *g, const struct location *l,
                       const struct store_key *key)
{
    segs_hold(&s->segs, g);
    op->segment = g;
    op->disk = s->disk;
    op->dir = s->dir;
    op->file = g->file;
    op->opened = NULL;
    op->is_found = false;
    op->number = l->place.segment;
    op->offset = l->place.offset;
    op->data_at = record_data_at(l->place.offset, key->len, l->flags);
    op->crc = l->crc;
    op->buf = (l->flags & RECORD_ALIGNED) != 0 ? buf_new_aligned(l->length, 0)
                                               : buf_new(l->length);
    op->job.run = read_run;
    op->job.done = read_done;
    list_init(&op->job.link);
    s->pool->submit(s->pool, &op->job, POOL_DISK);
}

/* True when the record says otherwise than its row @l, which is put right. */
static bool mend(struct store *s, const struct store_get_op *op,
                 const struct store_key *key, struct location *l)
{
    struct location to = {.place = l->place,
                          .length = op->found_length,
                          .crc = op->found_crc,
                          .flags = op->found_flags};

    if (!op->is_found || op->retried ||
        (to.length == l->length && to.crc == l->crc && to.flags == l->flags))
        return false;
    blocks_mend(s, key, &to);
    *l = to;
    return true;
}

/* What was read is bad.  OK: it is read again, from elsewhere or otherwise. */
static enum err read_failed(struct store *s, struct store_get_op *op)
{
    struct store_key key = store_key_of(&op->cid.hash);
    struct location l;
    enum err err = blocks_find(s, &key, &l);

    if (err != OK)
        return err;
    bool is_same =
        l.place.segment == op->number && l.place.offset == op->offset;
    if (is_same && !mend(s, op, &key, &l)) {
        /* A record that is not there cannot be deleted. */
        blocks_quarantine(s, &key, &l,
                          op->is_found ? STORE_BAD_BYTES : STORE_MISSING);
        return E_CORRUPT;
    }
    struct segment *g = segs_find(&s->segs, l.place.segment);
    if (op->retried || g == NULL)
        return E_CORRUPT;
    op->retried = true;
    start_read(s, op, g, &l, &key);
    return OK;
}

static void read_done(struct pool_job *job, struct mtime now)
{
    struct store_get_op *op = container_of(job, struct store_get_op, job);
    struct store *s = op->store;
    struct buf *buf = op->buf;
    enum err err = op->err;

    op->buf = NULL;
    segs_drop(&s->segs, op->segment, op->opened);
    if (err == OK) {
        buf->len = buf->max;
        struct slice data = {.buf = buf, .bytes = buf_bytes(buf)};
        op->ready = block_trust(&op->cid, data);
    } else {
        buf_unref(buf);
        if (err == E_CORRUPT) {
            err = read_failed(s, op);
            if (err == OK)
                return;
        }
    }
    get_end(s, op, err, now);
    store_check_closing(s);
    store_deliver(s, now);
}

void get_end(struct store *s, struct store_get_op *op, enum err err,
             struct mtime now)
{
    struct block *block = op->ready;

    op->ready = NULL;
    s->gets_busy--;
    op->done(op, err, block, now);
}

/* The block is in memory: served in the next turn. */
static void end_later(struct store *s, struct store_get_op *op,
                      struct slice data)
{
    op->ready = block_trust(&op->cid, data);
    list_add_tail(&s->ended_gets, &op->link);
    s->gets_busy++;
    store_wake(s);
}

static void get_identity(struct store *s, struct store_get_op *op)
{
    struct bytes in = {op->cid.hash.digest, op->cid.hash.len};
    struct buf *buf = buf_copy(in);

    end_later(s, op, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
}

enum err store_get(struct store *s, struct store_get_op *op,
                   const struct cid *cid)
{
    assert(!s->closed);

    struct store_key key = store_key_of(&cid->hash);
    struct location l;

    if (s->gets_busy >= STORE_GETS_MAX)
        return E_AGAIN;
    op->store = s;
    op->cid = *cid;
    op->ready = NULL;
    op->retried = false;
    list_init(&op->link);
    if (cid_is_identity(cid)) {
        get_identity(s, op);
        return OK;
    }
    enum err err = blocks_find(s, &key, &l);
    if (err == E_NOTFOUND) {
        struct write_record *rec = writer_find(&s->writer, &key);
        if (rec == NULL)
            return E_NOTFOUND;
        if (rec->state != WRITE_WRITTEN) {
            end_later(s, op, slice_ref(&rec->data));
            return OK;
        }
        l = (struct location){.place = rec->place,
                              .length = rec->record.length,
                              .crc = rec->record.crc,
                              .flags = rec->record.flags};
        err = OK;
    }
    if (err != OK)
        return err;
    struct segment *g = segs_find(&s->segs, l.place.segment);
    if (g == NULL) {
        blocks_quarantine(s, &key, &l, STORE_MISSING);
        return E_NOTFOUND;
    }
    s->gets_busy++;
    start_read(s, op, g, &l, &key);
    return OK;
}

bool store_has(struct store *s, const struct multihash *hash)
{
    struct store_key key = store_key_of(hash);
    struct location l;

    if (hash->code == 0)
        return true; /* an identity CID holds its block */
    if (blocks_find(s, &key, &l) == OK)
        return true;
    const struct write_record *rec = writer_find(&s->writer, &key);
    return rec != NULL && rec->state == WRITE_WRITTEN;
}

static enum err fill_stat(struct store *s, const struct store_key *key,
                          const struct location *l, struct store_stat *ret_stat)
{
    uint32_t refs;
    enum err err = blocks_refs(s, key, &refs);

    if (err != OK)
        return err;
    *ret_stat = (struct store_stat){
        .segment = l->place.segment,
        .offset = l->place.offset,
        .length = l->length,
        .keep = (l->flags & RECORD_KEEP) != 0,
        .counted = refs > 0,
    };
    return OK;
}

enum err store_stat(struct store *s, const struct multihash *hash,
                    struct store_stat *ret_stat)
{
    struct store_key key = store_key_of(hash);
    struct location l;
    enum err err = blocks_find(s, &key, &l);

    if (err == E_NOTFOUND) {
        const struct write_record *rec = writer_find(&s->writer, &key);
        if (rec == NULL || rec->state != WRITE_WRITTEN)
            return E_NOTFOUND;
        l = (struct location){.place = rec->place,
                              .length = rec->record.length,
                              .flags = rec->record.flags};
        err = OK;
    }
    return err == OK ? fill_stat(s, &key, &l, ret_stat) : err;
}

enum err store_quarantined(struct store *s, struct store_cursor *cursor,
                           struct multihash *ret_hash)
{
    for (;;) {
        struct bytes at = {cursor->key, cursor->len};
        struct bytes found;
        struct bytes value;
        struct store_key key;
        enum err err = index_next(&s->index, STORE_TABLE_QUARANTINE, at, false,
                                  &found, &value);
        if (err != OK)
            return err;
        if (!store_key_read(found, &key))
            return E_CORRUPT;
        memcpy(cursor->key, key.p, key.len);
        cursor->len = key.len;
        err = index_get(&s->index, STORE_TABLE_QUARANTINE,
                        store_key_bytes(&key), &value);
        if (err == E_NOTFOUND)
            continue; /* it came again since the commit */
        return err == OK ? multihash_decode(store_key_bytes(&key), ret_hash)
                         : err;
    }
}

enum err store_iter(struct store *s, struct store_cursor *cursor,
                    struct multihash *ret_hash, struct store_stat *ret_stat)
{
    for (;;) {
        struct bytes at = {cursor->key, cursor->len};
        struct bytes found;
        struct bytes value;
        struct store_key key;
        struct location l;
        enum err err = index_next(&s->index, STORE_TABLE_BLOCKS, at, false,
                                  &found, &value);
        if (err != OK)
            return err;
        if (!store_key_read(found, &key))
            return E_CORRUPT;
        memcpy(cursor->key, key.p, key.len);
        cursor->len = key.len;
        err = blocks_find(s, &key, &l);
        if (err == E_NOTFOUND)
            continue; /* removed since the commit */
        if (err == OK)
            err = multihash_decode(store_key_bytes(&key), ret_hash);
        return err == OK ? fill_stat(s, &key, &l, ret_stat) : err;
    }
}
