/*
 * Goal: the simulated kv answers as LMDB does, commits in order and wholly, and
 * loses at a power cut no more than it may.
 *
 * Method: one environment on a simulated disk; a model (an array) beside the
 * table; power cuts over many seeds.
 */
#include "base/mem.h"
#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/kv.h"
#include "sim/table.h"

#include "test.h"

enum { SEEDS = 100, KEYS = 300, STEPS = 5000, BATCHES = 6 };

static const char *const tables[] = {"one", "two"};

struct fixture {
    struct sim_time time;
    struct sim_clock clock;
    struct sim_disk disk;
    struct sim_kv_opener opener;
    struct kv *kv;
};

/* A batch that puts one key in each table. */
struct put {
    struct kv_batch batch;
    struct kv_change changes[2];
    uint8_t key;
    bool done;
    enum err err;
};

static void open_kv(struct fixture *f)
{
    struct kv_opener *o = &f->opener.opener;

    assert_int_equal(o->open(o, "/kv", tables, 2, &f->kv), OK);
}

static void open_fixture(struct fixture *f, uint64_t seed)
{
    sim_time_init(&f->time);
    sim_clock_init(&f->clock, &f->time, 0);
    sim_disk_init(&f->disk, &f->clock, seed);
    sim_kv_opener_init(&f->opener, &f->disk, seed);
    struct disk *d = &f->disk.disk;
    struct disk_file *root;
    assert_int_equal(d->mkdir(d, NULL, "/kv", false), OK);
    assert_int_equal(d->open(d, NULL, "/", DISK_READ | DISK_DIR, &root), OK);
    assert_int_equal(d->sync_dir(d, root), OK);
    d->close(d, root);
    open_kv(f);
}

static void close_fixture(struct fixture *f)
{
    f->kv->close(f->kv);
    sim_disk_release(&f->disk);
    sim_clock_release(&f->clock);
    sim_time_release(&f->time);
}

static void on_done(struct kv_batch *b, enum err err, struct mtime now)
{
    struct put *p = container_of(b, struct put, batch);

    (void)now;
    assert_false(p->done);
    p->done = true;
    p->err = err;
}

static void put(struct fixture *f, struct put *p, uint8_t key)
{
    *p = (struct put){.key = key};
    for (uint32_t i = 0; i < 2; i++)
        p->changes[i] = (struct kv_change){
            .table = i, .key = {&p->key, 1}, .value = {&p->key, 1}};
    p->batch.changes = p->changes;
    p->batch.count = 2;
    p->batch.done = on_done;
    f->kv->write(f->kv, &p->batch);
}

static void run_clock(struct fixture *f)
{
    while (sim_time_next(&f->time, MTIME_NEVER) != NULL)
        sim_clock_fire(&f->clock);
}

static bool has(struct fixture *f, uint32_t table, uint8_t key)
{
    struct bytes value;
    enum err err = f->kv->get(f->kv, table, (struct bytes){&key, 1}, &value);

    assert_true(err == OK || err == E_NOTFOUND);
    if (err == OK)
        assert_true(bytes_eq(value, (struct bytes){&key, 1}));
    return err == OK;
}

static void a_batch_is_seen_after_its_commit(void **state)
{
    struct fixture f;
    struct put p;

    (void)state;
    open_fixture(&f, 1);
    put(&f, &p, 5);
    assert_false(p.done);
    assert_false(has(&f, 0, 5));
    run_clock(&f);
    assert_true(p.done);
    assert_int_equal(p.err, OK);
    assert_true(has(&f, 0, 5));
    assert_true(has(&f, 1, 5));
    assert_int_equal(f.kv->count(f.kv, 0), 1);
    close_fixture(&f);
}

static void next_walks_in_order(void **state)
{
    static const uint8_t keys[] = {9, 3, 200, 7};
    struct fixture f;
    struct put puts[4];
    struct bytes at = BYTES_EMPTY;
    struct bytes value;
    uint8_t last = 0;

    (void)state;
    open_fixture(&f, 1);
    for (size_t i = 0; i < 4; i++)
        put(&f, &puts[i], keys[i]);
    run_clock(&f);
    for (size_t i = 0; i < 4; i++) {
        struct bytes key;
        assert_int_equal(f.kv->next(f.kv, 0, at, false, &key, &value), OK);
        assert_true(key.p[0] > last);
        last = key.p[0];
        at = key;
    }
    assert_int_equal(f.kv->next(f.kv, 0, at, false, &at, &value), E_NOTFOUND);
    uint8_t key = 7;
    struct bytes found;
    assert_int_equal(
        f.kv->next(f.kv, 0, (struct bytes){&key, 1}, true, &found, &value), OK);
    assert_int_equal(found.p[0], 7);
    close_fixture(&f);
}

/* Each batch wholly, and none without those before it. */
static void a_power_cut_keeps_a_prefix(void **state)
{
    unsigned partly = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        struct put puts[BATCHES];
        open_fixture(&f, seed);
        put(&f, &puts[0], 0);
        run_clock(&f);
        for (unsigned i = 1; i < BATCHES; i++)
            put(&f, &puts[i], (uint8_t)i);
        sim_disk_power(&f.disk);
        f.kv->close(f.kv);
        sim_disk_revive(&f.disk);
        open_kv(&f);
        assert_true(has(&f, 0, 0));
        unsigned count = 0;
        for (unsigned i = 0; i < BATCHES; i++) {
            assert_true(has(&f, 0, (uint8_t)i) == has(&f, 1, (uint8_t)i));
            assert_true(!has(&f, 0, (uint8_t)i) || count == i);
            count += has(&f, 0, (uint8_t)i);
        }
        partly += count > 1 && count < BATCHES;
        close_fixture(&f);
    }
    assert_true(partly > 0);
}

/* On a disk that lies what was committed last may go, but no hole comes. */
static void a_lie_loses_the_last_commits(void **state)
{
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        struct put puts[BATCHES];
        open_fixture(&f, seed);
        f.disk.lies = true;
        for (unsigned i = 0; i < BATCHES; i++) {
            put(&f, &puts[i], (uint8_t)i);
            run_clock(&f);
            assert_true(puts[i].done);
        }
        sim_disk_power(&f.disk);
        f.kv->close(f.kv);
        sim_disk_revive(&f.disk);
        open_kv(&f);
        unsigned count = 0;
        for (unsigned i = 0; i < BATCHES; i++) {
            assert_true(!has(&f, 0, (uint8_t)i) || count == i);
            count += has(&f, 0, (uint8_t)i);
        }
        lost += count < BATCHES;
        close_fixture(&f);
    }
    assert_true(lost > 0);
}

static void a_dead_disk_fails_commits(void **state)
{
    struct fixture f;
    struct put p;

    (void)state;
    open_fixture(&f, 1);
    put(&f, &p, 5);
    sim_disk_kill(&f.disk);
    run_clock(&f);
    assert_true(p.done);
    assert_int_equal(p.err, E_IO);
    f.kv->close(f.kv);
    sim_disk_revive(&f.disk);
    open_kv(&f);
    assert_false(has(&f, 0, 5));
    close_fixture(&f);
}

static void a_full_disk_fails_commits(void **state)
{
    struct fixture f;
    struct put p;

    (void)state;
    open_fixture(&f, 1);
    f.disk.full = true;
    put(&f, &p, 5);
    run_clock(&f);
    assert_int_equal(p.err, E_NOSPACE);
    assert_false(has(&f, 0, 5));
    close_fixture(&f);
}

/* The environment lies in its directory and is renamed with it. */
static void it_moves_with_its_directory(void **state)
{
    struct fixture f;
    struct put p;

    (void)state;
    open_fixture(&f, 1);
    put(&f, &p, 5);
    run_clock(&f);
    f.kv->close(f.kv);
    struct disk *d = &f.disk.disk;
    assert_int_equal(d->rename(d, NULL, "/kv", NULL, "/old", false), OK);
    open_kv(&f);
    assert_false(has(&f, 0, 5));
    close_fixture(&f);
}

/* The table against an array, by drawn changes. */
static void the_table_is_an_ordered_map(void **state)
{
    struct sim_table t = {.count = 0};
    struct sim_rand rand;
    int model[KEYS];
    size_t count = 0;

    (void)state;
    memset(model, -1, sizeof(model));
    sim_rand_init(&rand, 1, "test", 0);
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t drawn = sim_rand_below(&rand, KEYS);
        uint8_t key[2] = {(uint8_t)(drawn >> 8), (uint8_t)drawn};
        uint8_t value = (uint8_t)sim_rand_below(&rand, 256);
        struct bytes view = {key, 2};
        count -= model[drawn] >= 0;
        if (sim_rand_chance(&rand, 400000)) {
            sim_table_remove(&t, view);
            model[drawn] = -1;
        } else {
            sim_table_put(&t, view, (struct bytes){&value, 1});
            model[drawn] = value;
            count++;
        }
        assert_int_equal(t.count, count);
    }
    const struct sim_row *row = sim_table_seek(&t, BYTES_EMPTY, true);
    for (int i = 0; i < KEYS; i++) {
        if (model[i] < 0)
            continue;
        assert_non_null(row);
        assert_int_equal(row->key.p[0] << 8 | row->key.p[1], i);
        assert_int_equal(row->value.p[0], model[i]);
        row = sim_table_seek(&t, row->key, false);
    }
    assert_null(row);
    sim_table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_seen_after_its_commit),
        cmocka_unit_test(next_walks_in_order),
        cmocka_unit_test(a_power_cut_keeps_a_prefix),
        cmocka_unit_test(a_lie_loses_the_last_commits),
        cmocka_unit_test(a_dead_disk_fails_commits),
        cmocka_unit_test(a_full_disk_fails_commits),
        cmocka_unit_test(it_moves_with_its_directory),
        cmocka_unit_test(the_table_is_an_ordered_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
