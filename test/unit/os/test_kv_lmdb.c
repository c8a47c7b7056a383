/*
 * Goal: tables behave as env/kv.h says: ordered, atomic, durable, views that
 * last a turn; files that are damaged are refused and do no harm.
 * Method: environments in a folder of the test's own; data files are cut at
 * every page, overwritten and looked at with lmdb_check(); failures of single
 * batches are provoked by values that LMDB cannot hold, and by a limit on the
 * size of files.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "os/kv_lmdb.h"
#include "os/lmdb_check.h"
#include "os/loop.h"
#include "os_test.h"

#include "test.h"

enum { FIRST, SECOND, TABLES, BATCHES = 64, ROWS = 3000 };

static const char *const table_names[TABLES] = {"first", "second"};

struct write {
    struct kv_batch batch;
    struct kv_change change;
    enum err err;
    unsigned done_count;
    unsigned done_as;
};

static struct {
    char dir[OS_TEST_PATH_MAX];
    char path[OS_TEST_PATH_MAX];
    char file[OS_TEST_PATH_MAX];
    struct os_loop *loop;
    struct os_kv_opener opener;
    struct kv *kv;
    struct write writes[BATCHES];
    unsigned dones;
    unsigned left;
    bool runs;
    uv_prepare_t prepare;
    struct bytes seen; /* by on_prepare() */
} t;                   /* NOLINT: of this test alone */

static enum err try_open(void)
{
    return t.opener.opener.open(&t.opener.opener, t.path, table_names, TABLES,
                                &t.kv);
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    os_test_dir(t.dir);
    os_test_path(t.path, t.dir, "db");
    os_test_path(t.file, t.path, "data.mdb");
    assert_int_equal(os_loop_open(&t.loop), OK);
    os_kv_opener_init(&t.opener, t.loop);
    assert_int_equal(try_open(), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (t.kv != NULL)
        t.kv->close(t.kv);
    os_loop_free(t.loop);
    os_test_remove(t.dir);
    return 0;
}

static void close_kv(void)
{
    t.kv->close(t.kv);
    t.kv = NULL;
}

static void reopen(void)
{
    close_kv();
    assert_int_equal(try_open(), OK);
}

static void on_done(struct kv_batch *b, enum err err, struct mtime now)
{
    struct write *w = container_of(b, struct write, batch);

    (void)now;
    w->err = err;
    w->done_count++;
    w->done_as = t.dones++;
    if (--t.left == 0 && t.runs)
        os_loop_stop(t.loop);
}

static void run(void)
{
    t.runs = true;
    os_loop_run(t.loop);
    t.runs = false;
}

/* Queues batch @i of the one change @change. */
static void write_one(size_t i, struct kv_change change)
{
    struct write *w = &t.writes[i];

    *w = (struct write){.change = change};
    w->batch.changes = &w->change;
    w->batch.count = 1;
    w->batch.done = on_done;
    t.left++;
    t.kv->write(t.kv, &w->batch);
}

static struct kv_change put(uint32_t table, const char *key, const char *value)
{
    return (struct kv_change){
        .table = table, .key = bytes_str(key), .value = bytes_str(value)};
}

static struct kv_change del(uint32_t table, const char *key)
{
    return (struct kv_change){
        .table = table, .remove = true, .key = bytes_str(key)};
}

static void put_now(uint32_t table, const char *key, const char *value)
{
    write_one(0, put(table, key, value));
    os_kv_flush(t.kv);
    assert_int_equal(t.writes[0].done_count, 1);
    assert_int_equal(t.writes[0].err, OK);
}

static void assert_value(uint32_t table, const char *key, const char *value)
{
    struct bytes got;

    assert_int_equal(t.kv->get(t.kv, table, bytes_str(key), &got), OK);
    assert_true(bytes_eq(got, bytes_str(value)));
}

static void assert_absent(uint32_t table, const char *key)
{
    struct bytes got;

    assert_int_equal(t.kv->get(t.kv, table, bytes_str(key), &got), E_NOTFOUND);
}

static void test_put_get_remove(void **state)
{
    (void)state;
    assert_absent(FIRST, "key");
    assert_int_equal(t.kv->count(t.kv, FIRST), 0);
    put_now(FIRST, "key", "value");
    put_now(FIRST, "empty", "");
    assert_value(FIRST, "key", "value");
    assert_value(FIRST, "empty", "");
    assert_absent(SECOND, "key");
    assert_int_equal(t.kv->count(t.kv, FIRST), 2);
    put_now(FIRST, "key", "other");
    assert_value(FIRST, "key", "other");
    write_one(0, del(FIRST, "key"));
    write_one(1, del(FIRST, "never was"));
    os_kv_flush(t.kv);
    assert_int_equal(t.writes[0].err, OK);
    assert_int_equal(t.writes[1].err, OK);
    assert_absent(FIRST, "key");
    assert_int_equal(t.kv->count(t.kv, FIRST), 1);
}

static void test_key_lengths(void **state)
{
    char key[KV_KEY_MAX + 1];

    (void)state;
    memset(key, 'k', KV_KEY_MAX);
    key[KV_KEY_MAX] = '\0';
    put_now(FIRST, key, "longest");
    put_now(FIRST, "k", "shortest");
    assert_value(FIRST, key, "longest");
    assert_value(FIRST, "k", "shortest");
}

static void test_large_value(void **state)
{
    enum { LARGE = 1 << 20 };
    uint8_t *large = mem_alloc(LARGE);
    struct bytes got;

    (void)state;
    memset(large, 0x5a, LARGE);
    write_one(0, (struct kv_change){.table = FIRST,
                                    .key = BYTES_LIT("large"),
                                    .value = {large, LARGE}});
    os_kv_flush(t.kv);
    assert_int_equal(t.kv->get(t.kv, FIRST, BYTES_LIT("large"), &got), OK);
    assert_int_equal(got.len, LARGE);
    assert_memory_equal(got.p, large, LARGE);
    mem_free(large);
}

static void expect_next(const char *key, bool inclusive, const char *found)
{
    struct bytes k;
    struct bytes v;
    enum err err = t.kv->next(t.kv, FIRST, bytes_str(key), inclusive, &k, &v);

    if (found == NULL) {
        assert_int_equal(err, E_NOTFOUND);
        return;
    }
    assert_int_equal(err, OK);
    assert_true(bytes_eq(k, bytes_str(found)));
    assert_true(bytes_eq(v, bytes_str(found)));
}

static void test_next(void **state)
{
    (void)state;
    expect_next("", true, NULL);
    expect_next("a", true, NULL);
    put_now(FIRST, "b", "b");
    put_now(FIRST, "d", "d");
    put_now(FIRST, "f", "f");
    put_now(SECOND, "e", "e");
    expect_next("", true, "b");
    expect_next("", false, "b");
    expect_next("a", false, "b");
    expect_next("b", true, "b");
    expect_next("b", false, "d");
    expect_next("d", false, "f");
    expect_next("f", false, NULL);
    expect_next("f", true, "f");
    expect_next("g", true, NULL);
    expect_next("b", false, "d"); /* behind, then ahead of the cursor */
    expect_next("bb", true, "d");
}

static void fill_rows(size_t from, size_t to)
{
    struct kv_change *changes = mem_zalloc(ROWS, sizeof(*changes));
    char(*keys)[16] = mem_alloc(ROWS * sizeof(*keys));

    for (size_t i = from; i < to; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "%08zu", i * 7919 % ROWS);
        changes[i] = put(FIRST, keys[i], keys[i]);
    }
    t.writes[0].batch = (struct kv_batch){
        .changes = changes + from, .count = to - from, .done = on_done};
    t.writes[0].err = E_IO;
    t.left++;
    t.kv->write(t.kv, &t.writes[0].batch);
    os_kv_flush(t.kv);
    assert_int_equal(t.writes[0].err, OK);
    mem_free(keys);
    mem_free(changes);
}

static size_t count_rows(void)
{
    struct bytes k = BYTES_EMPTY;
    struct bytes v;
    size_t count = 0;
    char expected[16];

    while (t.kv->next(t.kv, FIRST, k, false, &k, &v) == OK) {
        (void)snprintf(expected, sizeof(expected), "%08zu", count++);
        assert_true(bytes_eq(k, bytes_str(expected)));
        assert_true(bytes_eq(v, k));
    }
    return count;
}

static void test_walk_and_reopen(void **state)
{
    (void)state;
    fill_rows(0, ROWS);
    assert_int_equal(count_rows(), ROWS);
    assert_int_equal(count_rows(), ROWS);
    assert_int_equal(t.kv->count(t.kv, FIRST), ROWS);
    reopen();
    assert_int_equal(count_rows(), ROWS);
    assert_int_equal(t.kv->count(t.kv, FIRST), ROWS);
}

static void test_batches_call_back_in_order(void **state)
{
    static char keys[BATCHES][8];

    (void)state;
    for (size_t i = 0; i < BATCHES; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
        write_one(i, put(FIRST, "same", keys[i]));
    }
    run();
    for (size_t i = 0; i < BATCHES; i++) {
        assert_int_equal(t.writes[i].done_count, 1);
        assert_int_equal(t.writes[i].done_as, i);
        assert_int_equal(t.writes[i].err, OK);
    }
    assert_value(FIRST, "same", keys[BATCHES - 1]);
}

/* A value of 5 GiB, which LMDB refuses by its length alone. */
static struct kv_change impossible(const char *key)
{
    return (struct kv_change){.table = FIRST,
                              .key = bytes_str(key),
                              .value = {(const uint8_t *)key, (size_t)5 << 30}};
}

static void test_a_batch_fails_alone_and_whole(void **state)
{
    struct kv_change both[] = {put(FIRST, "half", "x"), impossible("big")};

    (void)state;
    write_one(0, put(FIRST, "a", "1"));
    write_one(1, put(FIRST, "b", "2"));
    t.writes[1].batch.changes = both;
    t.writes[1].batch.count = 2;
    write_one(2, put(FIRST, "c", "3"));
    os_kv_flush(t.kv);
    assert_int_equal(t.writes[0].err, OK);
    assert_int_equal(t.writes[1].err, E_IO);
    assert_int_equal(t.writes[2].err, OK);
    assert_value(FIRST, "a", "1");
    assert_value(FIRST, "c", "3");
    assert_absent(FIRST, "half");
    assert_int_equal(t.kv->count(t.kv, FIRST), 2);
}

static void test_full_disk(void **state)
{
    enum { LARGE = 1 << 20 };
    struct rlimit before;
    struct rlimit small;
    struct stat st;
    uint8_t *large = mem_zalloc(LARGE, 1);

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    put_now(FIRST, "old", "kept");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(stat(t.file, &st), 0);
    small = before;
    small.rlim_cur = (rlim_t)st.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_one(1, (struct kv_change){.table = FIRST,
                                    .key = BYTES_LIT("large"),
                                    .value = {large, LARGE}});
    os_kv_flush(t.kv);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(t.writes[1].err, E_NOSPACE);
    assert_absent(FIRST, "large");
    assert_value(FIRST, "old", "kept");
    put_now(FIRST, "new", "works");
    reopen();
    assert_value(FIRST, "new", "works");
    assert_absent(FIRST, "large");
    mem_free(large);
}

/* Reads in every turn before its events come. */
static void on_prepare(uv_prepare_t *prepare)
{
    (void)prepare;
    assert_int_equal(t.kv->get(t.kv, FIRST, BYTES_LIT("key"), &t.seen), OK);
}

static void on_done_look(struct kv_batch *b, enum err err, struct mtime now)
{
    assert_int_equal(err, OK);
    assert_true(bytes_eq(t.seen, BYTES_LIT("old")));
    assert_value(FIRST, "key", "new");
    assert_true(bytes_eq(t.seen, BYTES_LIT("old")));
    on_done(b, err, now);
}

/* A view from before the commit stays what it was in the same turn, and the
 * file does not grow, as it would where a reader pins the freed pages. */
static void test_commit_in_a_turn_that_reads(void **state)
{
    struct stat early;
    struct stat late;

    (void)state;
    put_now(FIRST, "key", "old");
    assert_int_equal(uv_prepare_init(os_loop_uv(t.loop), &t.prepare), 0);
    assert_int_equal(uv_prepare_start(&t.prepare, on_prepare), 0);
    write_one(0, put(FIRST, "key", "new"));
    t.writes[0].batch.done = on_done_look;
    run();
    assert_int_equal(t.writes[0].done_count, 1);
    for (int round = 0; round < 200; round++) {
        write_one(0, put(FIRST, "key", round % 2 == 0 ? "0" : "1"));
        run();
        assert_value(FIRST, "key", round % 2 == 0 ? "0" : "1");
        if (round == 20)
            assert_int_equal(stat(t.file, &early), 0);
    }
    assert_int_equal(stat(t.file, &late), 0);
    assert_in_range(late.st_size, 0, early.st_size + 32768);
    uv_close((uv_handle_t *)&t.prepare, NULL);
}

static void test_close_commits_what_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < BATCHES; i++)
        write_one(i, put(FIRST, i % 2 == 0 ? "even" : "odd", "x"));
    reopen();
    assert_value(FIRST, "even", "x");
    assert_value(FIRST, "odd", "x");
}

static void test_more_tables_later(void **state)
{
    static const char *const three[] = {"first", "second", "third"};
    struct bytes got;

    (void)state;
    put_now(SECOND, "key", "value");
    close_kv();
    assert_int_equal(
        t.opener.opener.open(&t.opener.opener, t.path, three, 3, &t.kv), OK);
    assert_value(SECOND, "key", "value");
    assert_int_equal(t.kv->get(t.kv, 2, BYTES_LIT("key"), &got), E_NOTFOUND);
}

static void overwrite(off_t at, const void *p, size_t len)
{
    int fd = open(t.file, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, p, len, at), len);
    assert_int_equal(close(fd), 0);
}

/* Every cut either leaves a good file, which opens and can be read through, or
 * is found. */
static void test_truncated_file(void **state)
{
    struct stat st;

    (void)state;
    fill_rows(0, ROWS);
    close_kv();
    assert_int_equal(stat(t.file, &st), 0);
    assert_int_equal(lmdb_check(t.file), OK);
    for (off_t size = st.st_size - 1; size > 0; size -= 1024) {
        assert_int_equal(truncate(t.file, size), 0);
        enum err err = try_open();
        if (err == OK) {
            assert_int_equal(count_rows(), ROWS);
            close_kv();
            continue;
        }
        assert_int_equal(err, E_CORRUPT);
        t.kv = NULL;
    }
    assert_int_equal(truncate(t.file, 1), 0);
    assert_int_equal(try_open(), E_CORRUPT);
    /* One that is empty is as good as none. */
    assert_int_equal(truncate(t.file, 0), 0);
    assert_int_equal(lmdb_check(t.file), E_NOTFOUND);
    assert_int_equal(try_open(), OK);
    assert_int_equal(count_rows(), 0);
}

static void test_foreign_file(void **state)
{
    char noise[65536];

    (void)state;
    close_kv();
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(i * 37 + 5);
    overwrite(0, noise, sizeof(noise));
    assert_int_equal(try_open(), E_CORRUPT);
    /* The second meta page alone. */
    os_test_remove(t.path);
    assert_int_equal(try_open(), OK);
    close_kv();
    overwrite(4096, noise, 4096);
    assert_int_equal(try_open(), E_CORRUPT);
    t.kv = NULL;
}

/* Noise anywhere in a small file is found, or does no harm to who reads. */
static void test_garbled_file(void **state)
{
    enum { ROUNDS = 500, NOISE = 48 };
    struct stat st;
    uint64_t chance = 1;
    uint8_t noise[NOISE];
    unsigned found = 0;

    (void)state;
    fill_rows(0, ROWS);
    close_kv();
    assert_int_equal(stat(t.file, &st), 0);
    uint8_t *good = mem_alloc((size_t)st.st_size);
    assert_int_equal(test_load(t.file, good, (size_t)st.st_size), st.st_size);
    for (int round = 0; round < ROUNDS; round++) {
        chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
        for (size_t i = 0; i < NOISE; i++)
            noise[i] = (uint8_t)(chance >> (i % 56));
        /* Page headers and node lists more often than contents. */
        off_t at = (off_t)(chance >> 33) % (st.st_size - NOISE);
        if (round % 2 == 0)
            at -= at % 4096;
        overwrite(at, noise, NOISE);
        if (lmdb_check(t.file) != OK)
            found++;
        else if (try_open() == OK) {
            struct bytes k = BYTES_EMPTY;
            struct bytes v;
            for (size_t i = 0; i < (size_t)2 * ROWS; i++)
                if (t.kv->next(t.kv, FIRST, k, false, &k, &v) != OK ||
                    k.len == 0)
                    break;
            close_kv();
        }
        overwrite(0, good, (size_t)st.st_size);
        assert_int_equal(truncate(t.file, st.st_size), 0);
    }
    assert_true(found > ROUNDS / 4);
    mem_free(good);
}

/* Meta pages that claim pages far behind the end, or a wild root. */
static void test_lying_meta_pages(void **state)
{
    enum { LAST_PAGE_AT = 16 + 24 + 96, ROOT_AT = 16 + 24 + 48 + 40 };
    uint64_t wild[] = {0,         1, 1000, UINT64_MAX / 4096, UINT64_MAX - 1,
                       UINT64_MAX};

    (void)state;
    fill_rows(0, ROWS);
    close_kv();
    for (size_t i = 0; i < countof(wild); i++) {
        uint64_t last = wild[i] < 1000 ? wild[i] : 1000000;
        for (off_t page = 0; page < 2; page++) {
            overwrite(page * 4096 + LAST_PAGE_AT, &last, sizeof(last));
            overwrite(page * 4096 + ROOT_AT, &wild[i], sizeof(wild[i]));
        }
        enum err err = lmdb_check(t.file);
        if (wild[i] != 1 && wild[i] != UINT64_MAX)
            assert_int_equal(err, E_CORRUPT);
    }
}

static void test_other_version(void **state)
{
    static const uint8_t newer[9] = "xmbl-kv\0\x02";
    static const uint8_t other[9] = "foreign\0\x01";
    struct os_kv_opener o;
    static const char *const meta[] = {"@meta"};
    struct kv_change change = {.key = BYTES_LIT("format"),
                               .value = {newer, sizeof(newer)}};

    (void)state;
    close_kv();
    os_kv_opener_init(&o, t.loop);
    assert_int_equal(o.opener.open(&o.opener, t.path, meta, 1, &t.kv), OK);
    write_one(0, change);
    os_kv_flush(t.kv);
    close_kv();
    assert_int_equal(try_open(), E_UNSUPPORTED);
    os_test_remove(t.path);
    assert_int_equal(o.opener.open(&o.opener, t.path, meta, 1, &t.kv), OK);
    change.value.p = other;
    write_one(0, change);
    os_kv_flush(t.kv);
    close_kv();
    assert_int_equal(try_open(), E_CORRUPT);
    t.kv = NULL;
}

static void test_bad_paths(void **state)
{
    char below[OS_TEST_PATH_MAX];
    struct kv *kv;

    (void)state;
    os_test_path(below, t.dir, "no/such");
    assert_int_equal(
        t.opener.opener.open(&t.opener.opener, below, table_names, TABLES, &kv),
        E_IO);
    assert_int_equal(t.opener.opener.open(&t.opener.opener, t.file, table_names,
                                          TABLES, &kv),
                     E_REFUSED);
}

/* Readers. */

static enum err try_share(const char *const *names, size_t count,
                          struct kv **ret_kv)
{
    struct kv_opener *o = &t.opener.opener;

    return o->open_shared(o, t.path, names, count, ret_kv);
}

static void test_shared_by_many(void **state)
{
    char locks[OS_TEST_PATH_MAX];
    struct kv *others[20];
    struct stat before;
    struct stat after;
    struct bytes value;
    struct bytes key;

    (void)state;
    put_now(FIRST, "a", "1");
    put_now(SECOND, "b", "2");
    close_kv();
    os_test_path(locks, t.path, "lock.mdb");
    assert_int_equal(unlink(locks), 0);
    assert_int_equal(chmod(t.file, 0400), 0);
    assert_int_equal(chmod(t.path, 0500), 0);
    assert_int_equal(stat(t.file, &before), 0);
    for (size_t i = 0; i < countof(others); i++)
        assert_int_equal(try_share(table_names, TABLES, &others[i]), OK);
    for (size_t i = 0; i < countof(others); i++) {
        struct kv *kv = others[i];
        assert_int_equal(kv->get(kv, FIRST, bytes_str("a"), &value), OK);
        assert_true(bytes_eq(value, bytes_str("1")));
        assert_int_equal(kv->next(kv, SECOND, BYTES_EMPTY, true, &key, &value),
                         OK);
        assert_true(bytes_eq(key, bytes_str("b")));
        assert_int_equal(kv->count(kv, FIRST), 1);
    }
    /* What is written fails, later, and the others go on. */
    t.kv = others[0];
    write_one(0, put(FIRST, "c", "3"));
    write_one(1, del(FIRST, "a"));
    assert_int_equal(t.writes[0].done_count, 0);
    run();
    assert_int_equal(t.writes[0].err, E_REFUSED);
    assert_int_equal(t.writes[1].err, E_REFUSED);
    assert_int_equal(t.writes[0].done_count + t.writes[1].done_count, 2);
    assert_int_equal(t.kv->get(t.kv, FIRST, bytes_str("a"), &value), OK);
    for (size_t i = 1; i < countof(others); i++)
        others[i]->close(others[i]);
    close_kv();
    assert_int_equal(stat(t.file, &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim,
                        sizeof(before.st_mtim));
    assert_int_equal(access(locks, F_OK), -1);
    assert_int_equal(chmod(t.path, 0700), 0);
    assert_int_equal(chmod(t.file, 0600), 0);
    assert_int_equal(try_open(), OK);
}

static void test_shared_makes_nothing(void **state)
{
    static const char *const more[] = {"first", "second", "third"};
    struct kv *kv = NULL;

    (void)state;
    close_kv();
    assert_int_equal(try_share(more, countof(more), &kv), E_NOTFOUND);
    assert_int_equal(unlink(t.file), 0);
    assert_int_equal(try_share(table_names, TABLES, &kv), E_NOTFOUND);
    assert_int_equal(access(t.file, F_OK), -1);
    os_test_remove(t.path);
    assert_int_equal(try_share(table_names, TABLES, &kv), E_NOTFOUND);
    assert_int_equal(access(t.path, F_OK), -1);
    assert_null(kv);
}

#define KV_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KV_TEST(test_put_get_remove),
        KV_TEST(test_key_lengths),
        KV_TEST(test_large_value),
        KV_TEST(test_next),
        KV_TEST(test_walk_and_reopen),
        KV_TEST(test_batches_call_back_in_order),
        KV_TEST(test_a_batch_fails_alone_and_whole),
        KV_TEST(test_full_disk),
        KV_TEST(test_commit_in_a_turn_that_reads),
        KV_TEST(test_close_commits_what_waits),
        KV_TEST(test_more_tables_later),
        KV_TEST(test_truncated_file),
        KV_TEST(test_foreign_file),
        KV_TEST(test_garbled_file),
        KV_TEST(test_lying_meta_pages),
        KV_TEST(test_other_version),
        KV_TEST(test_bad_paths),
        KV_TEST(test_shared_by_many),
        KV_TEST(test_shared_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
