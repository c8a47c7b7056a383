/*
 * Goal: what is put can be got, is durable when it says so, and limits and
 * failures are answered as the header promises.
 * Method: a store on a world in memory that is pumped in random order.
 */
#include "base/bytes.h"
#include "fake_store.h"
#include "ipld/block.h"
#include "store/segment.h"
#include "store/store_priv.h"

#include "test.h"

enum {
    HEADER = 20 + 34, /* of a record with a sha2-256 */
    RECORD_100 = HEADER + 100,
    TWO_OF_100 = 2 * RECORD_100,
    THREE_OF_100 = 3 * RECORD_100,
    TWENTY_OF_1000 = 20 * (HEADER + 1000),
};

struct fixture {
    struct fake_world world;
    struct store *store;
    struct store_config config;
};

static struct fixture *begin(const struct store_config *config)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    world_init(&f->world, 1);
    f->config = *config;
    assert_int_equal(fs_open(&f->world, &f->config, &f->store), OK);
    return f;
}

static void end(struct fixture *f)
{
    fs_close(&f->world, f->store);
    world_release(&f->world);
    free(f);
}

static void reopen(struct fixture *f)
{
    fs_close(&f->world, f->store);
    assert_int_equal(fs_open(&f->world, &f->config, &f->store), OK);
}

/* The world loses its power; what is left is opened. */
static void crash(struct fixture *f)
{
    struct fake_world *to = calloc(1, sizeof(*to));

    assert_non_null(to);
    world_crash(&f->world, to, 7);
    fs_close(&f->world, f->store);
    world_release(&f->world);
    /* Lists and interfaces point into a world, so it cannot be copied. */
    world_crash(to, &f->world, 8);
    world_release(to);
    free(to);
    assert_int_equal(fs_open(&f->world, &f->config, &f->store), OK);
}

static const struct store_config plain = {.segment_bytes = 65536};

static void put_get(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *b = fs_raw(1, 1000);
    struct block *got;
    struct store_stat st;

    (void)state;
    assert_false(store_has(f->store, &b->cid.hash));
    assert_int_equal(fs_get(&f->world, f->store, &b->cid, &got), E_NOTFOUND);
    assert_int_equal(fs_put(&f->world, f->store, b, STORE_CACHE, NULL), OK);
    assert_true(store_has(f->store, &b->cid.hash));
    assert_int_equal(store_stat(f->store, &b->cid.hash, &st), OK);
    assert_int_equal(st.length, 1000);
    assert_int_equal(st.offset, SEGMENT_HEADER_BYTES);
    assert_true(fs_is_good(&f->world, f->store, &b->cid));
    /* Again: nothing is written. */
    uint64_t writes = f->world.writes;
    assert_int_equal(fs_put(&f->world, f->store, b, STORE_CACHE, NULL), OK);
    assert_int_equal(f->world.writes, writes);
    fs_recount(&f->world, f->store);
    reopen(f);
    assert_true(fs_is_good(&f->world, f->store, &b->cid));
    fs_recount(&f->world, f->store);
    struct store_stats stats;
    store_stats(f->store, &stats);
    assert_int_equal(stats.bytes_used, HEADER + 1000);
    assert_int_equal(stats.replayed_bytes, 0);
    block_unref(b);
    end(f);
}

static void empty_and_largest(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *small = fs_raw(1, 0);
    struct block *large = fs_raw(2, BLOCK_BYTES_MAX);

    (void)state;
    assert_int_equal(fs_put(&f->world, f->store, small, 0, NULL), OK);
    assert_int_equal(fs_put(&f->world, f->store, large, 0, NULL), OK);
    assert_true(fs_is_good(&f->world, f->store, &small->cid));
    assert_true(fs_is_good(&f->world, f->store, &large->cid));
    reopen(f);
    assert_true(fs_is_good(&f->world, f->store, &small->cid));
    assert_true(fs_is_good(&f->world, f->store, &large->cid));
    fs_recount(&f->world, f->store);
    block_unref(small);
    block_unref(large);
    end(f);
}

static void identity(void **state)
{
    struct fixture *f = begin(&plain);
    struct cid cid;

    (void)state;
    assert_int_equal(cid_identity(0x55, BYTES_LIT("hello"), &cid), OK);
    assert_true(store_has(f->store, &cid.hash));
    assert_true(fs_is_good(&f->world, f->store, &cid));
    end(f);
}

struct many {
    struct store_put_op op;
    struct block *block;
    unsigned *left;
    enum err err;
};

static void many_done(struct store_put_op *op, enum err err, struct mtime now)
{
    struct many *m = container_of(op, struct many, op);

    (void)now;
    m->err = err;
    --*m->left;
}

static void put_many(struct fixture *f, struct many *m, unsigned count,
                     unsigned flags, size_t len)
{
    unsigned left = count;

    for (unsigned i = 0; i < count; i++) {
        m[i] = (struct many){.op.done = many_done, .left = &left};
        m[i].block = fs_raw(100 + i, len);
        assert_int_equal(store_put(f->store, &m[i].op, m[i].block, flags, NULL),
                         OK);
    }
    world_run(&f->world);
    assert_int_equal(left, 0);
}

static void free_many(struct many *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        block_unref(m[i].block);
}

static void group_commit(void **state)
{
    struct fixture *f = begin(&(struct store_config){.segment_bytes = 1 << 20});
    struct many m[64];

    (void)state;
    uint64_t syncs = f->world.syncs;
    put_many(f, m, 64, STORE_CACHE, 500);
    /* One write and one sync for all, and the directory with it. */
    assert_true(f->world.syncs - syncs <= 2);
    assert_true(f->world.writes <= 3);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(m[i].err, OK);
    crash(f);
    for (unsigned i = 0; i < 64; i++)
        assert_true(fs_is_good(&f->world, f->store, &m[i].block->cid));
    fs_recount(&f->world, f->store);
    free_many(m, 64);
    end(f);
}

static void unsynced(void **state)
{
    struct fixture *f = begin(&plain);
    struct many m[20];

    (void)state;
    uint64_t epoch = store_epoch(f->store);
    put_many(f, m, 20, STORE_UNSYNCED, 300);
    assert_int_equal(f->world.syncs, 0);
    for (unsigned i = 0; i < 20; i++)
        assert_true(fs_is_good(&f->world, f->store, &m[i].block->cid));
    /* A second put that wants durability waits for it. */
    assert_int_equal(fs_put(&f->world, f->store, m[0].block, 0, NULL), OK);
    assert_int_equal(f->world.syncs, 1);
    assert_int_equal(fs_sync(&f->world, f->store, epoch), OK);
    crash(f);
    for (unsigned i = 0; i < 20; i++)
        assert_true(fs_is_good(&f->world, f->store, &m[i].block->cid));
    free_many(m, 20);
    end(f);
}

static void many_segments(void **state)
{
    struct fixture *f = begin(&plain);
    struct many m[400];
    struct store_stats stats;

    (void)state;
    put_many(f, m, 400, STORE_CACHE, 1000);
    store_stats(f->store, &stats);
    assert_int_equal(stats.segments, 7);
    fs_recount(&f->world, f->store);
    f->config.files_max = 2;
    reopen(f);
    for (unsigned i = 0; i < 400; i++)
        assert_true(fs_is_good(&f->world, f->store, &m[i].block->cid));
    assert_true(f->store->segs.open_count <= 3);
    crash(f);
    for (unsigned i = 0; i < 400; i++)
        assert_true(fs_is_good(&f->world, f->store, &m[i].block->cid));
    free_many(m, 400);
    end(f);
}

static void limit(void **state)
{
    struct fixture *f = begin(&(struct store_config){
        .segment_bytes = 65536, .limit_bytes = TWO_OF_100});
    struct block *a = fs_raw(1, 100);
    struct block *b = fs_raw(2, 100);
    struct block *c = fs_raw(3, 0);
    struct store_lease *l = store_lease_new(f->store);

    (void)state;
    world_run(&f->world);
    assert_int_equal(fs_put(&f->world, f->store, a, STORE_KEEP, l), OK);
    /* At the limit, and one past it. */
    assert_int_equal(fs_put(&f->world, f->store, b, STORE_KEEP, l), OK);
    uint64_t writes = f->world.writes;
    assert_int_equal(fs_put(&f->world, f->store, c, STORE_KEEP, l), E_NOSPACE);
    assert_int_equal(f->world.writes, writes);
    /* A block that is there needs no room. */
    assert_int_equal(fs_put(&f->world, f->store, b, STORE_KEEP, l), OK);
    store_set_limits(f->store, THREE_OF_100, 0);
    assert_int_equal(fs_put(&f->world, f->store, c, STORE_KEEP, l), OK);
    store_lease_end(l);
    block_unref(a);
    block_unref(b);
    block_unref(c);
    fs_recount(&f->world, f->store);
    end(f);
}

/* A stream of cache past the limit: never more than that, and no sync for each
 * handful that goes. */
static void stream_past_the_limit(void **state)
{
    enum { ROUNDS = 100, GROUP = 10, LEN = 1000 };
    const uint64_t limit = (uint64_t)100 * (LEN + RECORD_FIXED_BYTES + 34);
    struct fixture *f = begin(
        &(struct store_config){.segment_bytes = 1 << 20, .limit_bytes = limit});
    struct store_stats stats;
    struct many m[GROUP];

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned left = GROUP;
        for (unsigned k = 0; k < GROUP; k++) {
            m[k] = (struct many){.op.done = many_done, .left = &left};
            m[k].block = fs_raw(10000 + i * GROUP + k, LEN);
            assert_int_equal(
                store_put(f->store, &m[k].op, m[k].block, STORE_UNSYNCED, NULL),
                OK);
        }
        while (left > 0) {
            world_pass(&f->world, 1);
            store_stats(f->store, &stats);
            assert_in_range(stats.bytes_used, 0, limit);
        }
        for (unsigned k = 0; k < GROUP; k++)
            assert_int_equal(m[k].err, OK);
        free_many(m, GROUP);
    }
    assert_in_range(f->world.syncs, 1, ROUNDS / 3);
    fs_recount(&f->world, f->store);
    end(f);
}

/* What is durable is all protected, what is not is cache: it goes after a
 * sync. */
static void the_newest_goes_where_the_rest_is_kept(void **state)
{
    struct fixture *f = begin(&(struct store_config){
        .segment_bytes = 65536, .limit_bytes = TWENTY_OF_1000});
    struct store_lease *l = store_lease_new(f->store);
    struct block *last = fs_raw(2, 1000);

    (void)state;
    world_run(&f->world);
    for (unsigned i = 0; i < 20; i++) {
        struct block *b = fs_raw(1000 + i, 1000);
        bool kept = i < 10;
        if (i == 10)
            assert_int_equal(fs_flush(&f->world, f->store), OK);
        assert_int_equal(fs_put(&f->world, f->store, b,
                                kept ? STORE_KEEP : STORE_UNSYNCED,
                                kept ? l : NULL),
                         OK);
        block_unref(b);
    }
    assert_int_equal(fs_put(&f->world, f->store, last, STORE_UNSYNCED, NULL),
                     OK);
    assert_true(fs_is_good(&f->world, f->store, &last->cid));
    store_lease_end(l);
    block_unref(last);
    fs_recount(&f->world, f->store);
    end(f);
}

/* What is dead in the newest segment stays on the disk, so segments are small
 * where the limit is. */
static void small_limit_small_segments(void **state)
{
    enum { MIB = 1 << 20, LIMIT = 64 * MIB, COUNT = 160 };
    struct fixture *f = begin(&(struct store_config){.limit_bytes = LIMIT});

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        struct block *b = fs_raw(i, MIB);
        assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), OK);
        block_unref(b);
    }
    world_pass(&f->world, 5000);
    assert_true(world_used(&f->world) < (uint64_t)LIMIT / 2 * 3);
    store_set_limits(f->store, 0, 0);
    for (unsigned i = 0; i < 20; i++) {
        struct block *b = fs_raw(COUNT + i, MIB);
        assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), OK);
        block_unref(b);
    }
    fs_recount(&f->world, f->store);
    end(f);
}

static void limit_evicts_oldest(void **state)
{
    struct fixture *f = begin(&(struct store_config){
        .segment_bytes = 4096, .limit_bytes = TWENTY_OF_1000});
    struct many m[20];
    struct block *more = fs_raw(1, 1000);

    (void)state;
    put_many(f, m, 20, STORE_CACHE, 1000);
    assert_int_equal(fs_put(&f->world, f->store, more, 0, NULL), OK);
    assert_false(store_has(f->store, &m[0].block->cid.hash));
    assert_true(store_has(f->store, &m[19].block->cid.hash));
    assert_true(fs_is_good(&f->world, f->store, &more->cid));
    fs_recount(&f->world, f->store);
    for (unsigned i = 0; i < 200; i++) {
        struct block *b = fs_raw(1000 + i, 1000);
        assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), OK);
        assert_true(store_has(f->store, &b->cid.hash));
        block_unref(b);
    }
    fs_recount(&f->world, f->store);
    block_unref(more);
    free_many(m, 20);
    end(f);
}

static void reserve(void **state)
{
    struct fixture *f = begin(
        &(struct store_config){.segment_bytes = 65536, .reserve_bytes = 5000});
    struct block *a = fs_raw(1, 1000);

    (void)state;
    f->world.capacity = 6000;
    world_pass(&f->world, 2000);
    room_ask(f->store);
    world_run(&f->world);
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), E_NOSPACE);
    assert_int_equal(f->world.writes, 0);
    f->world.capacity = 6100;
    world_pass(&f->world, 2000);
    room_ask(f->store);
    world_run(&f->world);
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), OK);
    block_unref(a);
    end(f);
}

static void disk_full(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *a = fs_raw(1, 3000);
    struct block *b = fs_raw(2, 3000);

    (void)state;
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), OK);
    f->world.capacity = world_used(&f->world) + 1500;
    enum err err = fs_put(&f->world, f->store, b, 0, NULL);
    assert_int_equal(err, E_NOSPACE);
    world_run(&f->world);
    assert_false(store_has(f->store, &b->cid.hash));
    assert_true(fs_is_good(&f->world, f->store, &a->cid));
    /* The torn part is gone. */
    assert_int_equal(world_used(&f->world), 32 + HEADER + 3000);
    f->world.capacity = 1 << 20;
    world_pass(&f->world, 2000);
    room_ask(f->store);
    world_run(&f->world);
    assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), OK);
    fs_recount(&f->world, f->store);
    crash(f);
    assert_true(fs_is_good(&f->world, f->store, &a->cid));
    assert_true(fs_is_good(&f->world, f->store, &b->cid));
    assert_int_equal(f->store->problems_total, 0);
    block_unref(a);
    block_unref(b);
    end(f);
}

static void sync_fails(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *a = fs_raw(1, 3000);
    struct block *b = fs_raw(2, 3000);

    (void)state;
    uint64_t epoch = store_epoch(f->store);
    assert_int_equal(fs_put(&f->world, f->store, a, STORE_UNSYNCED, NULL), OK);
    f->world.fail_sync_in = 1;
    assert_int_equal(fs_sync(&f->world, f->store, epoch), E_IO);
    world_run(&f->world);
    assert_false(store_has(f->store, &a->cid.hash));
    epoch = store_epoch(f->store);
    assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), OK);
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), OK);
    assert_int_equal(fs_sync(&f->world, f->store, epoch), OK);
    fs_recount(&f->world, f->store);
    crash(f);
    assert_true(fs_is_good(&f->world, f->store, &a->cid));
    assert_true(fs_is_good(&f->world, f->store, &b->cid));
    block_unref(a);
    block_unref(b);
    end(f);
}

static void write_fails(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *a = fs_raw(1, 3000);
    struct block *b = fs_raw(2, 3000);

    (void)state;
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), OK);
    f->world.fail_write_in = 1;
    f->world.fail_truncate = true;
    assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), E_IO);
    world_run(&f->world);
    f->world.fail_truncate = false;
    /* The segment whose end is not certain is not used any more. */
    assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), OK);
    struct store_stat st;
    assert_int_equal(store_stat(f->store, &b->cid.hash, &st), OK);
    assert_int_equal(st.segment, 2);
    fs_recount(&f->world, f->store);
    block_unref(a);
    block_unref(b);
    end(f);
}

static void index_full(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *a = fs_raw(1, 100);
    struct store_stats stats;

    (void)state;
    fs_flush(&f->world, f->store);
    f->world.index.fail = E_NOSPACE;
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), OK);
    assert_int_equal(fs_flush(&f->world, f->store), E_NOSPACE);
    store_stats(f->store, &stats);
    assert_true(stats.degraded);
    assert_true(fs_saw(f->store, STORE_EVENT_DEGRADED));
    assert_true(fs_is_good(&f->world, f->store, &a->cid));
    f->world.index.fail = OK;
    world_pass(&f->world, 5000);
    store_stats(f->store, &stats);
    assert_false(stats.degraded);
    assert_int_equal(stats.pending, 0);
    assert_true(fs_saw(f->store, STORE_EVENT_RECOVERED));
    fs_recount(&f->world, f->store);
    block_unref(a);
    end(f);
}

static void commit_after_two_seconds(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *a = fs_raw(1, 100);

    (void)state;
    world_pass(&f->world, 5000);
    uint64_t commits = f->world.index.commits;
    assert_int_equal(fs_put(&f->world, f->store, a, STORE_UNSYNCED, NULL), OK);
    world_pass(&f->world, 1999);
    assert_int_equal(f->world.index.commits, commits);
    world_pass(&f->world, 1);
    assert_int_equal(f->world.index.commits, commits + 1);
    crash(f);
    assert_true(fs_is_good(&f->world, f->store, &a->cid));
    assert_int_equal(f->store->replayed_bytes, 0);
    block_unref(a);
    end(f);
}

static void back_pressure(void **state)
{
    struct fixture *f = begin(&(struct store_config){.limit_bytes = 0});
    struct many m[40];
    unsigned left = 0;
    unsigned taken = 0;
    enum err err = OK;

    (void)state;
    while (err == OK) {
        m[taken] = (struct many){.op.done = many_done, .left = &left};
        m[taken].block = fs_raw(taken, 1 << 20);
        err = store_put(f->store, &m[taken].op, m[taken].block, STORE_UNSYNCED,
                        NULL);
        if (err != OK)
            block_unref(m[taken].block);
        else
            taken++;
    }
    assert_int_equal(err, E_AGAIN);
    assert_int_equal(taken, 31); /* 32 with their headers are over 32 MiB */
    left = taken;
    assert_false(fs_saw(f->store, STORE_EVENT_WRITABLE));
    world_run(&f->world);
    assert_int_equal(left, 0);
    assert_true(fs_saw(f->store, STORE_EVENT_WRITABLE));
    free_many(m, taken);
    end(f);
}

static void corrupt_get(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *a = fs_raw(1, 1000);
    struct block *got;
    struct store_stats stats;

    (void)state;
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), OK);
    world_file(&f->world, "segment-000001.dat")->data[500] ^= 1;
    assert_int_equal(fs_get(&f->world, f->store, &a->cid, &got), E_CORRUPT);
    assert_true(fs_saw(f->store, STORE_EVENT_QUARANTINED));
    assert_false(store_has(f->store, &a->cid.hash));
    store_stats(f->store, &stats);
    assert_int_equal(stats.quarantined, 1);
    assert_int_equal(stats.blocks, 0);
    fs_recount(&f->world, f->store);
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), OK);
    assert_true(fs_is_good(&f->world, f->store, &a->cid));
    store_stats(f->store, &stats);
    assert_int_equal(stats.quarantined, 0);
    fs_recount(&f->world, f->store);
    block_unref(a);
    end(f);
}

static void read_error(void **state)
{
    struct fixture *f = begin(&plain);
    struct block *a = fs_raw(1, 1000);
    struct block *got;

    (void)state;
    assert_int_equal(fs_put(&f->world, f->store, a, 0, NULL), OK);
    f->world.fail_reads = true;
    assert_int_equal(fs_get(&f->world, f->store, &a->cid, &got), E_IO);
    f->world.fail_reads = false;
    assert_true(fs_is_good(&f->world, f->store, &a->cid));
    block_unref(a);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get),
        cmocka_unit_test(empty_and_largest),
        cmocka_unit_test(identity),
        cmocka_unit_test(group_commit),
        cmocka_unit_test(unsynced),
        cmocka_unit_test(many_segments),
        cmocka_unit_test(limit),
        cmocka_unit_test(stream_past_the_limit),
        cmocka_unit_test(the_newest_goes_where_the_rest_is_kept),
        cmocka_unit_test(small_limit_small_segments),
        cmocka_unit_test(limit_evicts_oldest),
        cmocka_unit_test(reserve),
        cmocka_unit_test(disk_full),
        cmocka_unit_test(sync_fails),
        cmocka_unit_test(write_fails),
        cmocka_unit_test(index_full),
        cmocka_unit_test(commit_after_two_seconds),
        cmocka_unit_test(back_pressure),
        cmocka_unit_test(corrupt_get),
        cmocka_unit_test(read_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
