/*
 * Goal: a store that only reads finds all that a start which writes would find,
 * beside others of its kind, and changes nothing.
 * Method: a world in memory as a power cut leaves it, with blocks that the
 * index does not name yet, is opened twice at once; every write, sync and
 * commit is counted.  Walks over an index where nothing is committed are
 * compared with a model.
 */
#include "base/map.h"
#include "env/disk.h"
#include "fake_store.h"
#include "ipld/block.h"
#include "store/index.h"
#include "store/segment.h"
#include "store/store_priv.h"

#include "test.h"

enum { COUNT = 60, COMMITTED = 25, LEN = 700, KEYS = 500, ROUNDS = 40 };

struct counters {
    uint64_t writes;
    uint64_t syncs;
    uint64_t commits;
    uint64_t bytes;
    size_t files;
};

struct fixture {
    struct fake_world before;
    struct fake_world world; /* what the cut left of it */
    struct block *block[COUNT];
    struct counters counters;
};

static const struct store_config writes = {.segment_bytes = 16384};
static const struct store_config reads = {.segment_bytes = 16384,
                                          .only_reads = true};

static struct counters count_all(const struct fake_world *w)
{
    return (struct counters){
        .writes = w->writes,
        .syncs = w->syncs,
        .commits = w->index.commits + w->pins.commits,
        .bytes = world_used(w),
        .files = w->files_count,
    };
}

/* Some blocks are in the index, the others only on the disk. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct store *s;

    assert_non_null(f);
    world_init(&f->before, 7);
    assert_int_equal(fs_open(&f->before, &writes, &s), OK);
    for (unsigned i = 0; i < COUNT; i++) {
        f->block[i] = fs_raw(i, LEN);
        assert_int_equal(fs_put(&f->before, s, f->block[i], STORE_CACHE, NULL),
                         OK);
        if (i + 1 == COMMITTED)
            assert_int_equal(fs_flush(&f->before, s), OK);
    }
    world_crash(&f->before, &f->world, 8);
    fs_close(&f->before, s);
    f->counters = count_all(&f->world);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    world_release(&f->world);
    world_release(&f->before);
    for (unsigned i = 0; i < COUNT; i++)
        block_unref(f->block[i]);
    free(f);
    return 0;
}

static struct store *open_reader(struct fixture *f)
{
    struct store *s = NULL;

    assert_int_equal(fs_open(&f->world, &reads, &s), OK);
    world_run(&f->world);
    return s;
}

static void assert_untouched(const struct fixture *f)
{
    struct counters now = count_all(&f->world);

    assert_memory_equal(&now, &f->counters, sizeof(now));
}

static void assert_has_all(struct fixture *f, struct store *s)
{
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(fs_is_good(&f->world, s, &f->block[i]->cid));
}

/* All blocks once, in the order of their hashes. */
static void assert_lists_all(struct store *s)
{
    struct store_cursor cursor = {.len = 0};
    struct store_stat st;
    struct multihash hash;
    struct store_key last = {.len = 0};
    unsigned count = 0;

    while (store_iter(s, &cursor, &hash, &st) == OK) {
        struct store_key key = store_key_of(&hash);
        assert_true(count == 0 || bytes_cmp(store_key_bytes(&last),
                                            store_key_bytes(&key)) < 0);
        assert_int_equal(st.length, LEN);
        last = key;
        count++;
    }
    assert_int_equal(count, COUNT);
}

static void two_find_all_and_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_check_op op = {.segment = 0};
    struct store_stats stats;
    struct store *one = open_reader(f);
    struct store *two = open_reader(f);

    assert_int_equal(one->index.waiting.count, COUNT - COMMITTED);
    assert_has_all(f, one);
    assert_has_all(f, two);
    assert_lists_all(two);
    assert_int_equal(fs_flush(&f->world, one), OK);
    assert_int_equal(fs_verify(&f->world, one, &op), OK);
    assert_int_equal(op.blocks, COUNT);
    assert_int_equal(fs_fsck(&f->world, two, &op), OK);
    assert_int_equal(op.blocks, COUNT);
    assert_int_equal(op.missing + op.orphaned + op.bad, 0);
    world_pass(&f->world, 60 * 1000);
    store_stats(one, &stats);
    assert_int_equal(stats.blocks, COUNT);
    assert_true(stats.replayed_bytes > 0);
    fs_close(&f->world, one);
    assert_has_all(f, two);
    fs_close(&f->world, two);
    assert_untouched(f);
}

static struct fake_file *newest(struct fixture *f)
{
    struct fake_file *found = NULL;
    char name[SEGMENT_NAME_MAX];

    for (uint32_t i = 1; i < 100; i++) {
        segment_name(i, name);
        struct fake_file *file = world_file(&f->world, name);
        found = file != NULL ? file : found;
    }
    assert_non_null(found);
    return found;
}

static void a_torn_tail_stays(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;
    struct fake_file *file = newest(f);
    size_t whole = file->len;

    assert_true(file->len + 300 <= file->room);
    memmove(file->data + file->len, file->data + SEGMENT_HEADER_BYTES, 300);
    file->len += 300;
    f->counters = count_all(&f->world);
    struct store *s = open_reader(f);
    store_stats(s, &stats);
    assert_int_equal(stats.cut_bytes, 0);
    assert_int_equal(stats.problems, 0);
    assert_has_all(f, s);
    fs_close(&f->world, s);
    assert_untouched(f);
    /* Who writes cuts it. */
    assert_int_equal(fs_open(&f->world, &writes, &s), OK);
    assert_int_equal(file->len, whole);
    assert_has_all(f, s);
    fs_close(&f->world, s);
}

/* One with a bad header that the index does not know was just being made. */
static void an_unfinished_segment_stays(void **state)
{
    struct fixture *f = *state;
    struct disk *disk = &f->world.disk;
    struct bytes half = bytes_str("XMBL");
    struct disk_file *dir;
    struct disk_file *file;
    char name[SEGMENT_NAME_MAX];

    segment_name(99, name);
    assert_int_equal(
        disk->open(disk, NULL, "blocks", DISK_READ | DISK_DIR, &dir), OK);
    assert_int_equal(
        disk->open(disk, dir, name, DISK_WRITE | DISK_CREATE, &file), OK);
    assert_int_equal(disk->write(disk, file, 0, &half, 1), OK);
    disk->close(disk, file);
    disk->close(disk, dir);
    f->counters = count_all(&f->world);
    struct store *s = open_reader(f);
    assert_has_all(f, s);
    assert_lists_all(s);
    fs_close(&f->world, s);
    assert_untouched(f);
    assert_non_null(world_file(&f->world, name));
}

static void damage_is_told_and_not_noted(void **state)
{
    struct fixture *f = *state;
    struct block *b = NULL;
    struct store_stat st;
    char name[SEGMENT_NAME_MAX];
    struct store *s = open_reader(f);
    const struct cid *cid = &f->block[3]->cid;

    assert_int_equal(store_stat(s, &cid->hash, &st), OK);
    fs_close(&f->world, s);
    segment_name(st.segment, name);
    struct fake_file *file = world_file(&f->world, name);
    file->data[st.offset + 100] ^= 1;
    for (unsigned i = 0; i < 2; i++) {
        s = open_reader(f);
        assert_int_equal(fs_get(&f->world, s, cid, &b), E_CORRUPT);
        assert_true(fs_saw(s, STORE_EVENT_QUARANTINED));
        assert_int_equal(fs_get(&f->world, s, cid, &b), E_NOTFOUND);
        fs_close(&f->world, s);
    }
    assert_untouched(f);
}

static void a_lost_index_is_another_s_work(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;

    world_lose_index(&f->world);
    f->counters = count_all(&f->world);
    assert_int_equal(fs_open(&f->world, &reads, &s), E_AGAIN);
    assert_null(s);
    assert_untouched(f);
    assert_int_equal(fs_open(&f->world, &writes, &s), OK);
    world_pass(&f->world, 100);
    assert_int_equal(fs_flush(&f->world, s), OK);
    fs_close(&f->world, s);
    s = open_reader(f);
    assert_has_all(f, s);
    fs_close(&f->world, s);
}

/* Walks. */

struct model {
    bool is_there[KEYS];
};

/* Keys of one to three bytes, so that some begin others. */
static struct bytes key_of(unsigned i, uint8_t dst[static 3])
{
    dst[0] = (uint8_t)(i % 7);
    dst[1] = (uint8_t)(i / 7);
    dst[2] = 0;
    return (struct bytes){dst, 1 + (i % 3)};
}

static void change_some(struct fake_world *w, struct index *ix, struct model *m)
{
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t room[3];
        struct bytes key = key_of(i, room);
        struct bytes value = {(const uint8_t *)"v", 1};
        switch (world_random(w, 6)) {
        case 0:
            index_put(ix, STORE_TABLE_BLOCKS, key, value);
            break;
        case 1:
            index_remove(ix, STORE_TABLE_BLOCKS, key);
            break;
        case 2:
            index_put(ix, STORE_TABLE_COUNTS, key, value);
            break;
        default:
            break;
        }
    }
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t room[3];
        struct bytes value;
        m->is_there[i] =
            index_get(ix, STORE_TABLE_BLOCKS, key_of(i, room), &value) == OK;
    }
}

static struct bytes lowest_after(const struct model *m, struct bytes after,
                                 bool inclusive, uint8_t best[static 3])
{
    struct bytes found = {best, 0};

    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t room[3];
        struct bytes key = key_of(i, room);
        int order = bytes_cmp(key, after);
        if (!m->is_there[i] || order < 0 || (order == 0 && !inclusive) ||
            (found.len > 0 && bytes_cmp(key, found) >= 0))
            continue;
        memcpy(best, key.p, key.len);
        found.len = key.len;
    }
    return found;
}

static void walk(struct index *ix, const struct model *m)
{
    uint8_t room[3];
    uint8_t best[3];
    struct bytes at = {room, 0};
    struct bytes key;
    struct bytes value;

    while (index_next(ix, STORE_TABLE_BLOCKS, at, false, &key, &value) == OK) {
        struct bytes got;
        struct bytes next = lowest_after(m, at, false, best);
        bool stays = index_get(ix, STORE_TABLE_BLOCKS, key, &got) == OK;
        /* What was removed may be met, and nothing else is passed over. */
        assert_true(stays ? bytes_eq(key, next)
                          : next.len == 0 || bytes_cmp(key, next) < 0);
        memmove(room, key.p, key.len);
        at.len = key.len;
        assert_int_equal(
            index_next(ix, STORE_TABLE_BLOCKS, at, true, &key, &value), OK);
        assert_true(!stays || bytes_eq(key, at));
    }
    assert_int_equal(lowest_after(m, at, false, best).len, 0);
}

static void walks_meet_what_waits(void **state)
{
    static const uint8_t seed[16] = {1};
    struct fake_world w;
    struct index ix;
    struct model m;

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        world_init(&w, round + 1);
        index_init(&ix, &w.index.kv, seed);
        ix.only_reads = true;
        for (unsigned i = 0; i < KEYS; i++) {
            uint8_t room[3];
            struct kv_change c = {.table = STORE_TABLE_BLOCKS,
                                  .key = key_of(i, room),
                                  .value = {(const uint8_t *)"c", 1}};
            if (world_random(&w, 3) == 0)
                world_change(&w, &c);
        }
        for (unsigned again = 0; again < 2; again++) {
            change_some(&w, &ix, &m);
            walk(&ix, &m);
        }
        index_release(&ix);
        world_release(&w);
    }
}

#define READER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READER_TEST(two_find_all_and_change_nothing),
        READER_TEST(a_torn_tail_stays),
        READER_TEST(an_unfinished_segment_stays),
        READER_TEST(damage_is_told_and_not_noted),
        READER_TEST(a_lost_index_is_another_s_work),
        cmocka_unit_test(walks_meet_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
