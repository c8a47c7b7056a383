#include "fake_store.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/wr.h"
#include "ipld/block.h"
#include "multiformats/multicodec.h"
#include "store/store_priv.h"

#include "test.h"

struct wait {
    struct store_put_op put;
    struct store_get_op get;
    struct store_op op;
    struct store_pin_op pin;
    struct store_check_op *check;
    bool ended;
    enum err err;
    struct block *block;
};

static void put_done(struct store_put_op *op, enum err err, struct mtime now)
{
    struct wait *wt = container_of(op, struct wait, put);

    (void)now;
    assert_false(wt->ended);
    wt->ended = true;
    wt->err = err;
}

static void get_done(struct store_get_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct wait *wt = container_of(op, struct wait, get);

    (void)now;
    assert_false(wt->ended);
    assert_true((err == OK) == (block != NULL));
    wt->ended = true;
    wt->err = err;
    wt->block = block;
}

static void op_done(struct store_op *op, enum err err, struct mtime now)
{
    struct wait *wt = container_of(op, struct wait, op);

    (void)now;
    assert_false(wt->ended);
    wt->ended = true;
    wt->err = err;
}

static void pin_done(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct wait *wt = container_of(op, struct wait, pin);

    (void)now;
    wt->ended = true;
    wt->err = err;
}

static enum err wait_for(struct fake_world *w, struct wait *wt)
{
    for (unsigned i = 0; i < 100000 && !wt->ended; i++)
        if (!world_step(w))
            world_pass(w, 10);
    assert_true(wt->ended);
    return wt->err;
}

enum err fs_open(struct fake_world *w, const struct store_config *config,
                 struct store **ret_store)
{
    struct store_tables tables = {
        .index = &w->index.kv, .pins = &w->pins.kv, .pins_table = 0};

    return store_open(&w->env, "blocks", config, &tables, ret_store);
}

void fs_close(struct fake_world *w, struct store *s)
{
    struct wait wt = {.op.done = op_done};

    store_close(s, &wt.op);
    (void)wait_for(w, &wt);
    world_run(w);
    store_free(s);
}

enum err fs_put(struct fake_world *w, struct store *s, struct block *b,
                unsigned flags, struct store_lease *l)
{
    struct wait wt = {.put.done = put_done};
    enum err err = store_put(s, &wt.put, b, flags, l);

    assert_false(wt.ended);
    return err != OK ? err : wait_for(w, &wt);
}

enum err fs_get(struct fake_world *w, struct store *s, const struct cid *cid,
                struct block **ret_block)
{
    struct wait wt = {.get.done = get_done};
    enum err err = store_get(s, &wt.get, cid);

    assert_false(wt.ended);
    if (err == OK)
        err = wait_for(w, &wt);
    if (err == OK)
        *ret_block = wt.block;
    return err;
}

enum err fs_flush(struct fake_world *w, struct store *s)
{
    struct wait wt = {.op.done = op_done};

    store_flush(s, &wt.op);
    return wait_for(w, &wt);
}

enum err fs_sync(struct fake_world *w, struct store *s, uint64_t epoch)
{
    struct wait wt = {.op.done = op_done};

    store_sync(s, &wt.op, epoch);
    assert_false(wt.ended);
    return wait_for(w, &wt);
}

enum err fs_gc(struct fake_world *w, struct store *s, uint64_t *ret_blocks)
{
    struct wait wt = {.op.done = op_done};
    enum err err = store_gc(s, &wt.op);

    if (err == OK)
        err = wait_for(w, &wt);
    *ret_blocks = wt.op.blocks;
    return err;
}

enum err fs_pin(struct fake_world *w, struct store *s, enum store_pin_kind kind,
                const struct cid *cid, bool add)
{
    struct wait wt = {.pin.done = pin_done};
    struct store_pin pin = {.kind = kind, .cid = *cid};
    enum err err =
        add ? store_pin(s, &wt.pin, &pin) : store_unpin(s, &wt.pin, &pin);

    return err != OK ? err : wait_for(w, &wt);
}

struct check_wait {
    struct store_check_op op;
    bool ended;
    enum err err;
};

static void check_done(struct store_check_op *op, enum err err,
                       struct mtime now)
{
    struct check_wait *wt = container_of(op, struct check_wait, op);

    (void)now;
    wt->ended = true;
    wt->err = err;
}

static enum err check(struct fake_world *w, struct store *s,
                      struct store_check_op *op, bool fsck)
{
    struct check_wait wt = {.op = *op};

    wt.op.done = check_done;
    enum err err = fsck ? store_fsck(s, &wt.op) : store_verify(s, &wt.op);
    for (unsigned i = 0; err == OK && i < 100000 && !wt.ended; i++)
        if (!world_step(w))
            world_pass(w, 10);
    assert_true(err != OK || wt.ended);
    *op = wt.op;
    return err != OK ? err : wt.err;
}

enum err fs_verify(struct fake_world *w, struct store *s,
                   struct store_check_op *op)
{
    return check(w, s, op, false);
}

enum err fs_fsck(struct fake_world *w, struct store *s,
                 struct store_check_op *op)
{
    return check(w, s, op, true);
}

struct block *fs_raw(uint32_t n, size_t len)
{
    struct buf *buf = buf_new(len);

    for (size_t i = 0; i < len; i++) {
        uint32_t x = (n * 2654435761U) ^ ((uint32_t)i * 40503U);
        buf->data[i] = (uint8_t)(x >> 13);
    }
    if (len >= 4)
        memcpy(buf->data, &n, 4);
    buf->len = len;
    return block_make(1, CODEC_RAW,
                      (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
}

/* A PBNode: links (field 2: Hash, Name, Tsize), then data (field 1). */
struct block *fs_node(const struct cid *links, size_t count, uint32_t n)
{
    struct buf *buf = buf_new(16 + count * (CID_BYTES_MAX + 16));
    struct wr w = wr_init(buf->data, buf->max);
    uint8_t cid[CID_BYTES_MAX];
    struct bytes out;

    for (size_t i = 0; i < count; i++) {
        size_t len = cid_encode(&links[i], cid);
        wr_u8(&w, 0x12);
        wr_uvarint(&w, 1 + uvarint_len(len) + len + 2 + 2);
        wr_u8(&w, 0x0a);
        wr_uvarint(&w, len);
        wr_bytes(&w, (struct bytes){cid, len});
        wr_u8(&w, 0x12);
        wr_u8(&w, 0);
        wr_u8(&w, 0x18);
        wr_u8(&w, 0);
    }
    wr_u8(&w, 0x0a);
    wr_u8(&w, 4);
    wr_be32(&w, n);
    assert_int_equal(wr_finish(&w, &out), OK);
    buf->len = out.len;
    return block_make(1, CODEC_DAG_PB,
                      (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
}

bool fs_is_good(struct fake_world *w, struct store *s, const struct cid *cid)
{
    struct block *b;

    if (fs_get(w, s, cid, &b) != OK)
        return false;
    bool good = cid_eq(&b->cid, cid) && cid_verify(cid, b->data.bytes) == OK;
    block_unref(b);
    return good;
}

void fs_recount(struct fake_world *w, struct store *s)
{
    struct store_cursor cursor = {.len = 0};
    struct store_stats stats;
    struct store_stat st;
    struct multihash hash;
    uint64_t blocks = 0;
    uint64_t bytes = 0;
    uint64_t cache = 0;
    uint64_t live = 0;

    (void)fs_flush(w, s);
    while (store_iter(s, &cursor, &hash, &st) == OK) {
        struct store_key key = store_key_of(&hash);
        struct location l;
        assert_int_equal(blocks_find(s, &key, &l), OK);
        uint64_t size = location_size(&key, &l);
        blocks++;
        bytes += size;
        cache += st.counted ? 0 : size;
    }
    for (size_t i = 0; i < s->segs.count; i++)
        live += s->segs.items[i]->live_bytes;
    store_stats(s, &stats);
    assert_int_equal(stats.blocks, blocks);
    assert_int_equal(stats.bytes_used, bytes);
    assert_int_equal(stats.cache_bytes, cache);
    assert_int_equal(live, bytes);
}

bool fs_saw(struct store *s, enum store_event_kind kind)
{
    struct store_event e;
    bool saw = false;

    while (store_next(s, &e))
        saw = saw || e.kind == kind;
    return saw;
}
