/*
 * Goal: a start finds what is there: a torn tail is cut, damage elsewhere is
 * told and passed over, a lost index is filled again; verify and fsck find
 * what was damaged.
 * Method: segments on a world in memory whose bytes are changed between two
 * starts.
 */
#include "fake_store.h"
#include "ipld/block.h"
#include "store/segment.h"
#include "store/store_priv.h"

#include "test.h"

enum { COUNT = 60, LEN = 700 };

struct fixture {
    struct fake_world world;
    struct store *store;
    struct block *block[COUNT];
};

static const struct store_config config = {.segment_bytes = 16384};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    world_init(&f->world, 5);
    assert_int_equal(fs_open(&f->world, &config, &f->store), OK);
    for (unsigned i = 0; i < COUNT; i++) {
        f->block[i] = fs_raw(i, LEN);
        assert_int_equal(
            fs_put(&f->world, f->store, f->block[i], STORE_UNSYNCED, NULL), OK);
    }
    assert_int_equal(fs_flush(&f->world, f->store), OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fs_close(&f->world, f->store);
    world_release(&f->world);
    for (unsigned i = 0; i < COUNT; i++)
        block_unref(f->block[i]);
    free(f);
    return 0;
}

static unsigned good(struct fixture *f)
{
    unsigned count = 0;

    for (unsigned i = 0; i < COUNT; i++)
        count += fs_is_good(&f->world, f->store, &f->block[i]->cid) ? 1 : 0;
    return count;
}

static void open_again(struct fixture *f)
{
    assert_int_equal(fs_open(&f->world, &config, &f->store), OK);
    world_run(&f->world);
}

static struct fake_file *file_of(struct fixture *f, unsigned i,
                                 struct store_stat *ret_stat)
{
    char name[SEGMENT_NAME_MAX];

    assert_int_equal(store_stat(f->store, &f->block[i]->cid.hash, ret_stat),
                     OK);
    segment_name(ret_stat->segment, name);
    return world_file(&f->world, name);
}

static void torn_tail_is_cut(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;
    struct store_stat st;
    struct fake_file *file = file_of(f, COUNT - 1, &st);

    fs_close(&f->world, f->store);
    /* Half a record, as a power cut leaves it. */
    size_t len = file->len;
    memmove(file->data + len, file->data + SEGMENT_HEADER_BYTES, 300);
    file->len += 300;
    open_again(f);
    store_stats(f->store, &stats);
    assert_int_equal(stats.cut_bytes, 300);
    assert_int_equal(stats.problems, 0);
    assert_int_equal(file->len, len);
    assert_int_equal(good(f), COUNT);
    fs_recount(&f->world, f->store);
}

static void damage_elsewhere_is_told(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;
    struct store_stat st;
    struct store_problem p;
    struct fake_file *file = file_of(f, 5, &st);

    fs_close(&f->world, f->store);
    file->data[st.offset] ^= 1; /* the header of a record */
    world_lose_index(&f->world);
    open_again(f);
    world_pass(&f->world, 100);
    store_stats(f->store, &stats);
    assert_false(stats.rebuilding);
    assert_true(stats.was_rebuilt);
    assert_int_equal(stats.problems, 1);
    assert_true(store_problem(f->store, 0, &p));
    assert_int_equal(p.kind, STORE_BAD_RECORD);
    assert_int_equal(p.segment, st.segment);
    assert_int_equal(p.offset, st.offset);
    assert_false(store_problem(f->store, 1, &p));
    assert_int_equal(good(f), COUNT - 1);
    fs_recount(&f->world, f->store);
}

static void lost_index_is_filled(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;
    struct block *b = fs_raw(1000, 10);

    fs_close(&f->world, f->store);
    world_lose_index(&f->world);
    assert_int_equal(fs_open(&f->world, &config, &f->store), OK);
    store_stats(f->store, &stats);
    assert_true(stats.rebuilding);
    /* Until it is done nothing is taken. */
    assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), E_AGAIN);
    world_run(&f->world);
    store_stats(f->store, &stats);
    assert_false(stats.rebuilding);
    assert_int_equal(stats.blocks, COUNT);
    assert_int_equal(stats.rebuilt_bytes,
                     stats.bytes_on_disk -
                         (uint64_t)stats.segments * SEGMENT_HEADER_BYTES);
    assert_true(fs_saw(f->store, STORE_EVENT_WRITABLE));
    assert_int_equal(good(f), COUNT);
    assert_int_equal(fs_put(&f->world, f->store, b, 0, NULL), OK);
    fs_recount(&f->world, f->store);
    /* It is complete: the next start needs no second one. */
    fs_close(&f->world, f->store);
    open_again(f);
    store_stats(f->store, &stats);
    assert_false(stats.was_rebuilt);
    assert_int_equal(stats.replayed_bytes, 0);
    assert_int_equal(stats.blocks, COUNT + 1);
    block_unref(b);
}

static void interrupted_rebuild_begins_again(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;

    fs_close(&f->world, f->store);
    world_lose_index(&f->world);
    assert_int_equal(fs_open(&f->world, &config, &f->store), OK);
    for (unsigned i = 0; i < 5; i++)
        (void)world_step(&f->world);
    fs_close(&f->world, f->store);
    open_again(f);
    store_stats(f->store, &stats);
    assert_true(stats.was_rebuilt);
    assert_false(stats.rebuilding);
    assert_int_equal(stats.blocks, COUNT);
    assert_int_equal(good(f), COUNT);
    fs_recount(&f->world, f->store);
}

static void verify_finds_bad_bytes(void **state)
{
    struct fixture *f = *state;
    struct store_check_op op = {.bad = 0};
    struct store_stat st;
    struct fake_file *file = file_of(f, 7, &st);

    assert_int_equal(fs_verify(&f->world, f->store, &op), OK);
    assert_int_equal(op.blocks, COUNT);
    assert_int_equal(op.bad, 0);
    file->data[st.offset + 60] ^= 1;
    op = (struct store_check_op){.bad = 0};
    assert_int_equal(fs_verify(&f->world, f->store, &op), OK);
    assert_int_equal(op.blocks, COUNT - 1);
    assert_int_equal(op.bad, 1);
    assert_false(store_has(f->store, &f->block[7]->cid.hash));
    assert_true(fs_saw(f->store, STORE_EVENT_QUARANTINED));
    /* From a later place on. */
    op = (struct store_check_op){.segment = 2, .offset = 0};
    assert_int_equal(fs_verify(&f->world, f->store, &op), OK);
    assert_true(op.blocks < COUNT - 1);
    fs_recount(&f->world, f->store);
    /* It stays in quarantine over a start. */
    fs_close(&f->world, f->store);
    open_again(f);
    assert_false(store_has(f->store, &f->block[7]->cid.hash));
}

/* The checksum is right, the hash is not: what a liar could have written. */
static void verify_finds_bad_hash(void **state)
{
    struct fixture *f = *state;
    struct store_check_op op = {.bad = 0};
    struct store_problem p;
    struct block *a = fs_raw(2000, 100);
    struct block *b = fs_raw(2001, 100);
    struct block *lie = block_trust(&a->cid, slice_ref(&b->data));

    assert_int_equal(fs_put(&f->world, f->store, lie, 0, NULL), OK);
    assert_int_equal(fs_verify(&f->world, f->store, &op), OK);
    assert_int_equal(op.bad, 1);
    assert_true(store_problem(f->store, 0, &p));
    assert_int_equal(p.kind, STORE_BAD_HASH);
    assert_true(multihash_eq(&p.hash, &a->cid.hash));
    assert_false(store_has(f->store, &a->cid.hash));
    block_unref(lie);
    block_unref(a);
    block_unref(b);
}

static void fsck_compares(void **state)
{
    struct fixture *f = *state;
    struct store_check_op op = {.bad = 0};
    struct store_stat st;

    assert_int_equal(fs_fsck(&f->world, f->store, &op), OK);
    assert_int_equal(op.records, COUNT);
    assert_int_equal(op.blocks, COUNT);
    assert_int_equal(op.bad + op.missing + op.orphaned, 0);
    /* A header is damaged: the gap is bad, the row has no record. */
    file_of(f, 9, &st)->data[st.offset + 1] ^= 1;
    op = (struct store_check_op){.bad = 0};
    assert_int_equal(fs_fsck(&f->world, f->store, &op), OK);
    assert_int_equal(op.bad, 1);
    assert_int_equal(op.missing, 1);
    /* The block can be read all the same. */
    assert_int_equal(good(f), COUNT);
    /* A row is lost: the record is an orphan. */
    fs_close(&f->world, f->store);
    struct fake_table *t = &f->world.index.tables[STORE_TABLE_BLOCKS];
    struct kv_change c = {.table = STORE_TABLE_BLOCKS, .remove = true};
    uint8_t key[MULTIHASH_BYTES_MAX];
    c.key = (struct bytes){key, cid_key(&f->block[11]->cid, key)};
    size_t before = t->count;
    world_change(&f->world, &c);
    assert_int_equal(t->count, before - 1);
    open_again(f);
    op = (struct store_check_op){.bad = 0};
    assert_int_equal(fs_fsck(&f->world, f->store, &op), OK);
    assert_int_equal(op.orphaned, 1);
}

/* Flips bits of byte @at in the row of block @i, while the store is closed. */
static void flip_row(struct fixture *f, unsigned i, size_t at)
{
    struct kv *kv = &f->world.index.kv;
    uint8_t key[MULTIHASH_BYTES_MAX];
    uint8_t row[32];
    struct kv_change c = {.table = STORE_TABLE_BLOCKS};
    struct bytes value;

    c.key = (struct bytes){key, cid_key(&f->block[i]->cid, key)};
    assert_int_equal(kv->get(kv, STORE_TABLE_BLOCKS, c.key, &value), OK);
    assert_true(at < value.len && value.len <= sizeof(row));
    memcpy(row, value.p, value.len);
    row[at] ^= 4;
    c.value = (struct bytes){row, value.len};
    world_change(&f->world, &c);
}

enum { AT_OFFSET = 4, AT_LENGTH = 8, AT_CRC = 12, AT_FLAGS = 16 };

/* A good record is believed, not the row, and nothing of it is deleted. */
static void rows_that_lie_are_put_right(void **state)
{
    struct fixture *f = *state;
    struct store_check_op op = {.bad = 0};
    struct store_stats stats;

    fs_close(&f->world, f->store);
    flip_row(f, 3, AT_CRC);
    flip_row(f, 5, AT_LENGTH);
    flip_row(f, 7, AT_FLAGS);
    open_again(f);
    assert_int_equal(good(f), COUNT);
    store_stats(f->store, &stats);
    assert_int_equal(stats.quarantined, 0);
    assert_int_equal(fs_fsck(&f->world, f->store, &op), OK);
    assert_int_equal(op.blocks, COUNT);
    assert_int_equal(op.records, COUNT);
    fs_close(&f->world, f->store);
    open_again(f);
    fs_recount(&f->world, f->store);
}

static void make_index_again(struct fixture *f)
{
    assert_int_equal(fs_open(&f->world, &config, &f->store), E_CORRUPT);
    world_lose_index(&f->world);
    open_again(f);
    world_pass(&f->world, 100);
    assert_int_equal(good(f), COUNT);
    fs_recount(&f->world, f->store);
}

/* Whatever is wrong, a fsck makes the next start refuse the index. */
static void a_wrong_index_is_noted(void **state)
{
    static const size_t places[] = {AT_OFFSET, AT_LENGTH, AT_CRC,
                                    AT_LENGTH + 3};
    struct fixture *f = *state;

    for (size_t i = 0; i < countof(places); i++) {
        struct store_check_op op = {.bad = 0};
        fs_close(&f->world, f->store);
        flip_row(f, 4, places[i]);
        open_again(f);
        (void)fs_fsck(&f->world, f->store, &op);
        fs_close(&f->world, f->store);
        make_index_again(f);
    }
}

/* A read finds no record where the row says; fsck then finds the record. */
static void a_block_that_is_elsewhere_comes_back(void **state)
{
    struct fixture *f = *state;
    struct store_check_op op = {.bad = 0};

    fs_close(&f->world, f->store);
    flip_row(f, 4, AT_OFFSET);
    open_again(f);
    assert_int_equal(good(f), COUNT - 1);
    assert_int_equal(fs_fsck(&f->world, f->store, &op), OK);
    assert_int_equal(op.orphaned, 1);
    fs_close(&f->world, f->store);
    make_index_again(f);
}

/* Where a header is damaged, the index knows more than the records. */
static void an_index_that_knows_more_is_kept(void **state)
{
    struct fixture *f = *state;
    struct store_check_op op = {.bad = 0};
    struct store_stat st;

    file_of(f, 9, &st)->data[st.offset + 1] ^= 1;
    fs_close(&f->world, f->store);
    flip_row(f, 4, AT_CRC);
    open_again(f);
    assert_int_equal(fs_fsck(&f->world, f->store, &op), OK);
    assert_int_equal(op.missing, 1);
    fs_close(&f->world, f->store);
    open_again(f);
    assert_int_equal(good(f), COUNT);
}

/* The row of a record is lost: that says nothing unless it is wanted. */
static void a_lost_row(void **state)
{
    static const uint8_t one_ref[4] = {1, 0, 0, 0};
    struct fixture *f = *state;
    uint8_t key[MULTIHASH_BYTES_MAX];
    struct kv_change c = {.table = STORE_TABLE_BLOCKS, .remove = true};

    c.key = (struct bytes){key, cid_key(&f->block[11]->cid, key)};
    fs_close(&f->world, f->store);
    world_change(&f->world, &c);
    for (unsigned i = 0; i < 2; i++) {
        struct store_check_op op = {.bad = 0};
        open_again(f);
        assert_int_equal(fs_fsck(&f->world, f->store, &op), OK);
        assert_int_equal(op.orphaned, 1);
        fs_close(&f->world, f->store);
        c = (struct kv_change){.table = STORE_TABLE_REFS,
                               .key = c.key,
                               .value = {one_ref, sizeof(one_ref)}};
        if (i == 0)
            world_change(&f->world, &c);
    }
    make_index_again(f);
}

static void segment_is_lost(void **state)
{
    struct fixture *f = *state;
    struct store_stat st;
    struct store_stats stats;
    struct fake_file *file = file_of(f, 0, &st);

    fs_close(&f->world, f->store);
    file->named = false;
    open_again(f);
    unsigned left = good(f);
    assert_true(left < COUNT);
    assert_true(left > COUNT / 2);
    /* What was asked for is known to be lost now. */
    store_stats(f->store, &stats);
    assert_int_equal(stats.quarantined, COUNT - left);
    assert_int_equal(good(f), left);
}

/* Who made the segment was killed before its name was durable, and before the
 * index knew of it; what it holds counts as stored once it was opened. */
static void the_name_of_a_new_segment_is_made_durable(void **state)
{
    struct fixture *f = *state;
    struct store_stat st;
    struct fake_file *file = file_of(f, COUNT - 1, &st);
    uint8_t number[] = {(uint8_t)(st.segment >> 24),
                        (uint8_t)(st.segment >> 16), (uint8_t)(st.segment >> 8),
                        (uint8_t)st.segment};
    struct kv_change row = {
        .table = STORE_TABLE_SEGMENTS,
        .remove = true,
        .key = {number, sizeof(number)},
    };

    fs_close(&f->world, f->store);
    world_change(&f->world, &row);
    file->named_synced = false;
    open_again(f);
    assert_true(file->named_synced);
    assert_int_equal(good(f), COUNT);
}

/* With small blocks a start replays ten thousands of records, and most of its
 * time goes into asking the index about each. */
static void a_start_asks_little(void **state)
{
    enum { MORE = 40 };
    struct fixture *f = *state;
    struct store_stats stats;
    struct fake_world *after = calloc(1, sizeof(*after));
    struct store *store;
    struct block *b[MORE];

    assert_non_null(after);
    for (unsigned i = 0; i < MORE; i++) {
        b[i] = fs_raw(3000 + i, LEN);
        assert_int_equal(
            fs_put(&f->world, f->store, b[i], STORE_UNSYNCED, NULL), OK);
    }
    assert_int_equal(fs_sync(&f->world, f->store, store_epoch(f->store)), OK);
    world_crash(&f->world, after, 1);
    assert_int_equal(fs_open(after, &config, &store), OK);
    store_stats(store, &stats);
    assert_true(stats.replayed_bytes > (uint64_t)MORE * LEN);
    /* Where it is, whether it is wanted; some for the state and the rows. */
    assert_in_range(after->index.gets, MORE, 2 * MORE + 10);
    world_run(after);
    for (unsigned i = 0; i < MORE; i++) {
        assert_true(fs_is_good(after, store, &b[i]->cid));
        block_unref(b[i]);
    }
    fs_recount(after, store);
    fs_close(after, store);
    world_release(after);
    free(after);
}

static void newer_format_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store *s;
    struct fake_row *row = NULL;

    fs_close(&f->world, f->store);
    row = &f->world.index.tables[STORE_TABLE_STATE].rows[0];
    row->value[0]++;
    assert_int_equal(fs_open(&f->world, &config, &s), E_UNSUPPORTED);
    row->value[0]--;
    row->value_len--;
    assert_int_equal(fs_open(&f->world, &config, &s), E_CORRUPT);
    row->value_len++;
    open_again(f);
    assert_int_equal(good(f), COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(torn_tail_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_elsewhere_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lost_index_is_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupted_rebuild_begins_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(verify_finds_bad_bytes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(verify_finds_bad_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(fsck_compares, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_that_lie_are_put_right, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_wrong_index_is_noted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_block_that_is_elsewhere_comes_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_that_knows_more_is_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lost_row, setup, teardown),
        cmocka_unit_test_setup_teardown(segment_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_name_of_a_new_segment_is_made_durable, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_asks_little, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_format_is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
