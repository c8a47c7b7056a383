#include "os/kv_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <uv.h>

#include "base/mem.h"
#include "os/const_cast.h"
#include "os/errno_err.h"
#include "os/lmdb_check.h"
#include "os/loop.h"

/*
 * Reading: a transaction of LMDB pins the pages of its state, so one is taken
 * by the first read of a turn and given back at the end of the turn.  There
 * are two readers: when batches are committed in the middle of a turn, views
 * into the old state stay, and reads from then on see the new one.
 *
 * Writing: the thread takes what waits, up to MERGE_MAX changes, into one
 * transaction.  When that fails it is aborted and each of its batches gets a
 * transaction of its own, so that a batch fails for itself alone.
 *
 * @mutex guards the fields below it; a batch is the thread's from the queue
 * until it is in @done.
 */
enum {
    READERS = 2,
    MERGE_MAX = 64 * 1024, /* changes */
    STACK_BYTES = 256 * 1024,
    READER_SLOTS = 16,    /* of all processes */
    FULL_BYTES = 4 << 20, /* less than this free: the disk is full */
    VALUE_VERSION = 1,
    MAP_SHARE = 8,             /* of a limit of addresses: there are two maps */
    MAP_STEP_BYTES = 64 << 10, /* the largest page */
};

static const size_t map_bytes_max = (size_t)64 << 30;
static const char meta_table[] = "@meta";
static const char meta_key[] = "format";
static const char meta_magic[8] = "xmbl-kv";

_Static_assert(sizeof(size_t) == 8, "the map needs addresses of 64 bits");

struct reader {
    MDB_txn *txn; /* NULL until first used */
    bool active;
    MDB_cursor *cursors[KV_TABLES_MAX]; /* NULL until first used */
    bool positioned[KV_TABLES_MAX];     /* cursor is of this transaction */
};

struct store {
    struct kv kv;
    struct os_loop *loop;
    struct os_loop_hook turn;
    uv_async_t async; /* batches are done */
    MDB_env *env;
    MDB_dbi tables[KV_TABLES_MAX];
    size_t tables_count;
    struct reader readers[READERS];
    struct reader *current;
    bool written; /* in this turn */
    bool shared;  /* nothing is written; there is no thread */

    pthread_t thread;
    sem_t work;
    sem_t drained;
    pthread_mutex_t mutex;
    struct list queue;
    struct list done;
    bool busy;     /* the thread is not waiting for @work */
    bool flushing; /* somebody waits for @drained */
    bool stopping;
};

static enum err err_of_lmdb(int code);

/* As err_of_lmdb(), of what is not success. */
static enum err failure(int code)
{
    enum err err = err_of_lmdb(code);
    assert(err != OK);
    return err;
}

static enum err err_of_lmdb(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return OK;
    case MDB_NOTFOUND:
        return E_NOTFOUND;
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_PANIC:
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_TXN:
    case MDB_BAD_DBI:
        return E_CORRUPT;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return E_NOSPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return E_REFUSED;
    default:
        return E_IO;
    }
}

static MDB_val val_of(struct bytes b)
{
    return (MDB_val){.mv_size = b.len, .mv_data = const_cast(b.p)};
}

static struct bytes bytes_of(MDB_val v)
{
    return (struct bytes){.p = v.mv_data, .len = v.mv_size};
}

/* Reading. */

static enum err begin_read(struct store *s, struct reader **ret_reader)
{
    struct reader *r = s->current;
    int failed;

    if (r->active) {
        *ret_reader = r;
        return OK;
    }
    if (r->txn == NULL)
        failed = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &r->txn);
    else
        failed = mdb_txn_renew(r->txn);
    if (failed != 0)
        return failure(failed);
    r->active = true;
    memset(r->positioned, 0, sizeof(r->positioned));
    *ret_reader = r;
    return OK;
}

static void end_reads(struct store *s)
{
    for (size_t i = 0; i < READERS; i++) {
        if (s->readers[i].active)
            mdb_txn_reset(s->readers[i].txn);
        s->readers[i].active = false;
    }
}

static void free_readers(struct store *s)
{
    for (size_t i = 0; i < READERS; i++) {
        struct reader *r = &s->readers[i];
        for (size_t k = 0; k < KV_TABLES_MAX; k++)
            if (r->cursors[k] != NULL)
                mdb_cursor_close(r->cursors[k]);
        if (r->txn != NULL)
            mdb_txn_abort(r->txn);
    }
}

static enum err kv_get(struct kv *kv, uint32_t table, struct bytes key,
                       struct bytes *ret_value)
{
    struct store *s = container_of(kv, struct store, kv);
    struct reader *r;
    MDB_val k = val_of(key);
    MDB_val v;

    assert(table < s->tables_count);
    assert(key.len > 0);
    assert(key.len <= KV_KEY_MAX);
    enum err err = begin_read(s, &r);
    if (err == OK)
        err = err_of_lmdb(mdb_get(r->txn, s->tables[table], &k, &v));
    if (err == OK)
        *ret_value = bytes_of(v);
    return err;
}

static int cursor_of(struct store *s, struct reader *r, uint32_t table,
                     MDB_cursor **ret_cursor)
{
    int failed = 0;

    if (r->cursors[table] == NULL)
        failed = mdb_cursor_open(r->txn, s->tables[table], &r->cursors[table]);
    else if (!r->positioned[table])
        failed = mdb_cursor_renew(r->txn, r->cursors[table]);
    *ret_cursor = r->cursors[table];
    return failed;
}

static bool stands_at(MDB_cursor *cursor, struct bytes key)
{
    MDB_val k;
    MDB_val v;

    return mdb_cursor_get(cursor, &k, &v, MDB_GET_CURRENT) == 0 &&
           bytes_eq(bytes_of(k), key);
}

/* Who walks a table asks for what follows the last answer: one step. */
static int seek(MDB_cursor *cursor, bool positioned, struct bytes key,
                bool inclusive, MDB_val pair[static 2])
{
    if (key.len == 0)
        return mdb_cursor_get(cursor, &pair[0], &pair[1], MDB_FIRST);
    if (!inclusive && positioned && stands_at(cursor, key))
        return mdb_cursor_get(cursor, &pair[0], &pair[1], MDB_NEXT);
    pair[0] = val_of(key);
    int failed = mdb_cursor_get(cursor, &pair[0], &pair[1], MDB_SET_RANGE);
    if (failed == 0 && !inclusive && bytes_eq(bytes_of(pair[0]), key))
        return mdb_cursor_get(cursor, &pair[0], &pair[1], MDB_NEXT);
    return failed;
}

static enum err kv_next(struct kv *kv, uint32_t table, struct bytes key,
                        bool inclusive, struct bytes *ret_key,
                        struct bytes *ret_value)
{
    struct store *s = container_of(kv, struct store, kv);
    struct reader *r;
    MDB_cursor *cursor;
    MDB_val pair[2] = {{.mv_size = 0}};

    assert(table < s->tables_count);
    assert(key.len <= KV_KEY_MAX);
    enum err err = begin_read(s, &r);
    if (err != OK)
        return err;
    int failed = cursor_of(s, r, table, &cursor);
    if (failed == 0)
        failed = seek(cursor, r->positioned[table], key, inclusive, pair);
    r->positioned[table] = failed == 0;
    if (failed != 0)
        return failure(failed);
    *ret_key = bytes_of(pair[0]);
    *ret_value = bytes_of(pair[1]);
    return OK;
}

static uint64_t kv_count(struct kv *kv, uint32_t table)
{
    struct store *s = container_of(kv, struct store, kv);
    struct reader *r;
    MDB_stat stat;

    assert(table < s->tables_count);
    if (begin_read(s, &r) != OK ||
        mdb_stat(r->txn, s->tables[table], &stat) != 0)
        return 0;
    return stat.ms_entries;
}

/* Writing: in the thread. */

static int apply_change(struct store *s, MDB_txn *txn,
                        const struct kv_change *change)
{
    MDB_val k = val_of(change->key);
    MDB_val v = val_of(change->value);

    if (!change->remove)
        return mdb_put(txn, s->tables[change->table], &k, &v, 0);
    int failed = mdb_del(txn, s->tables[change->table], &k, NULL);
    return failed == MDB_NOTFOUND ? 0 : failed;
}

static int apply_batch(struct store *s, MDB_txn *txn, const struct kv_batch *b)
{
    int failed = 0;

    for (size_t i = 0; failed == 0 && i < b->count; i++)
        failed = apply_change(s, txn, &b->changes[i]);
    return failed;
}

/* LMDB tells of a write that the full disk cut short as EIO. */
static enum err write_error(struct store *s, int code)
{
    mdb_filehandle_t fd;
    struct statvfs st;

    if (code == EIO && mdb_env_get_fd(s->env, &fd) == 0 &&
        fstatvfs(fd, &st) == 0 &&
        (uint64_t)st.f_bavail * st.f_frsize < FULL_BYTES)
        return E_NOSPACE;
    return err_of_lmdb(code);
}

/* All batches from @first up to and without @end in one transaction. */
static enum err commit(struct store *s, struct list *first,
                       const struct list *end)
{
    MDB_txn *txn;
    int failed = mdb_txn_begin(s->env, NULL, 0, &txn);

    if (failed != 0)
        return err_of_lmdb(failed);
    for (struct list *it = first; failed == 0 && it != end; it = it->next)
        failed = apply_batch(s, txn, container_of(it, struct kv_batch, link));
    if (failed != 0) {
        mdb_txn_abort(txn);
        return write_error(s, failed);
    }
    return write_error(s, mdb_txn_commit(txn));
}

static void set_results(struct list *batches, enum err err)
{
    list_for_each (it, batches)
        container_of(it, struct kv_batch, link)->err = err;
}

static void commit_batches(struct store *s, struct list *batches)
{
    struct list *first = list_first(batches);
    bool single = first->next == batches;
    enum err err = commit(s, first, batches);

    set_results(batches, err);
    if (err == OK || single)
        return;
    list_for_each (it, batches)
        container_of(it, struct kv_batch, link)->err = commit(s, it, it->next);
}

/* With the mutex held: moves what one transaction takes. */
static void take_batches(struct store *s, struct list *ret_batches)
{
    size_t changes = 0;

    list_init(ret_batches);
    while (!list_empty(&s->queue)) {
        struct list *it = list_first(&s->queue);
        const struct kv_batch *b = container_of(it, struct kv_batch, link);
        if (changes > 0 && b->count > MERGE_MAX - changes)
            break;
        changes += b->count < MERGE_MAX ? b->count : MERGE_MAX;
        list_remove(it);
        list_add_tail(ret_batches, it);
    }
}

/* With the mutex held, which is not held meanwhile. */
static void write_batches(struct store *s)
{
    struct list batches;

    take_batches(s, &batches);
    (void)pthread_mutex_unlock(&s->mutex);
    commit_batches(s, &batches);
    (void)pthread_mutex_lock(&s->mutex);
    bool first = list_empty(&s->done);
    while (!list_empty(&batches)) {
        struct list *it = list_first(&batches);
        list_remove(it);
        list_add_tail(&s->done, it);
    }
    if (first && !s->stopping)
        (void)uv_async_send(&s->async); /* fails only when closing */
}

static void wait_for_work(struct store *s)
{
    s->busy = false;
    if (s->flushing)
        (void)sem_post(&s->drained); /* it is 0: one waits */
    s->flushing = false;
    (void)pthread_mutex_unlock(&s->mutex);
    while (sem_wait(&s->work) != 0)
        continue; /* a debugger may interrupt */
    (void)pthread_mutex_lock(&s->mutex);
}

static void *writer_main(void *arg)
{
    struct store *s = arg;

    (void)pthread_mutex_lock(&s->mutex);
    for (;;) {
        while (!list_empty(&s->queue))
            write_batches(s);
        if (s->stopping)
            break;
        wait_for_work(s);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* Writing: on the loop. */

/* With the mutex held. */
static void wake_writer(struct store *s)
{
    if (s->busy)
        return;
    s->busy = true;
    (void)sem_post(&s->work); /* it is 0 while the thread waits */
}

static void kv_write(struct kv *kv, struct kv_batch *b)
{
    struct store *s = container_of(kv, struct store, kv);

    for (size_t i = 0; i < b->count; i++) {
        assert(b->changes[i].table < s->tables_count);
        assert(b->changes[i].key.len > 0);
        assert(b->changes[i].key.len <= KV_KEY_MAX);
    }
    if (s->shared) {
        b->err = E_REFUSED;
        list_add_tail(&s->done, &b->link);
        (void)uv_async_send(&s->async); /* fails only when closing */
        return;
    }
    s->written = true;
    (void)pthread_mutex_lock(&s->mutex);
    list_add_tail(&s->queue, &b->link);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void on_turn_end(struct os_loop_hook *hook, struct mtime now)
{
    struct store *s = container_of(hook, struct store, turn);

    (void)now; /* nothing here has a deadline */
    end_reads(s);
    s->current = &s->readers[0];
    if (!s->written)
        return;
    s->written = false;
    (void)pthread_mutex_lock(&s->mutex);
    wake_writer(s);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void call_done(struct store *s, struct mtime now)
{
    struct list ended;

    list_init(&ended);
    (void)pthread_mutex_lock(&s->mutex);
    list_add_head(&s->done, &ended); /* the new head of the same ring */
    list_remove(&s->done);
    (void)pthread_mutex_unlock(&s->mutex);
    while (!list_empty(&ended)) {
        struct kv_batch *b =
            container_of(list_first(&ended), struct kv_batch, link);
        list_remove(&b->link);
        b->done(b, b->err, now);
    }
}

static void on_async(uv_async_t *handle)
{
    struct store *s = handle->data;

    if (s->current->active) {
        /* Both readers in one turn: tell the owners in the next. */
        if (s->current != &s->readers[0]) {
            (void)os_loop_enter(s->loop);
            (void)uv_async_send(&s->async); /* fails only when closing */
            return;
        }
        s->current = &s->readers[1];
    }
    call_done(s, os_loop_enter(s->loop));
}

void os_kv_flush(struct kv *kv)
{
    struct store *s = container_of(kv, struct store, kv);
    struct clock *clock = os_loop_clock(s->loop);

    (void)pthread_mutex_lock(&s->mutex);
    s->flushing = true;
    wake_writer(s);
    (void)pthread_mutex_unlock(&s->mutex);
    while (sem_wait(&s->drained) != 0)
        continue; /* a signal may interrupt */
    end_reads(s);
    s->current = &s->readers[0];
    call_done(s, clock->now(clock));
}

/* Opening. */

static int start_writer(struct store *s)
{
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    int failed = pthread_attr_init(&attr);

    assert(failed == 0);
    failed = pthread_attr_setstacksize(&attr, STACK_BYTES);
    assert(failed == 0);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    s->busy = true;
    failed = pthread_create(&s->thread, &attr, writer_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return failed;
}

/* An environment without any table is new; else the record must be there. */
static enum err check_meta(MDB_txn *txn)
{
    MDB_dbi dbi;
    MDB_val k = {.mv_size = sizeof(meta_key) - 1,
                 .mv_data = const_cast(meta_key)};
    MDB_val v;
    int failed = mdb_dbi_open(txn, meta_table, 0, &dbi);

    if (failed == MDB_NOTFOUND)
        return E_NOTFOUND;
    if (failed == 0)
        failed = mdb_get(txn, dbi, &k, &v);
    if (failed != 0)
        return failed == MDB_NOTFOUND ? E_CORRUPT : err_of_lmdb(failed);
    const uint8_t *p = v.mv_data;
    if (v.mv_size != sizeof(meta_magic) + 1 ||
        memcmp(p, meta_magic, sizeof(meta_magic)) != 0)
        return E_CORRUPT;
    return p[sizeof(meta_magic)] == VALUE_VERSION ? OK : E_UNSUPPORTED;
}

static enum err put_meta(MDB_txn *txn)
{
    uint8_t value[sizeof(meta_magic) + 1];
    MDB_stat stat;
    MDB_dbi dbi;
    MDB_val k = {.mv_size = sizeof(meta_key) - 1,
                 .mv_data = const_cast(meta_key)};
    MDB_val v = {.mv_size = sizeof(value), .mv_data = value};
    int failed = mdb_dbi_open(txn, NULL, 0, &dbi);

    if (failed == 0)
        failed = mdb_stat(txn, dbi, &stat);
    if (failed == 0 && stat.ms_entries > 0)
        return E_CORRUPT;
    memcpy(value, meta_magic, sizeof(meta_magic));
    value[sizeof(meta_magic)] = VALUE_VERSION;
    if (failed == 0)
        failed = mdb_dbi_open(txn, meta_table, MDB_CREATE, &dbi);
    if (failed == 0)
        failed = mdb_put(txn, dbi, &k, &v, 0);
    return err_of_lmdb(failed);
}

static enum err open_tables_in(struct store *s, MDB_txn *txn,
                               const char *const *tables, bool create)
{
    enum err err = check_meta(txn);

    if (err == E_NOTFOUND && create)
        err = put_meta(txn);
    for (size_t i = 0; err == OK && i < s->tables_count; i++)
        err = err_of_lmdb(mdb_dbi_open(txn, tables[i], create ? MDB_CREATE : 0,
                                       &s->tables[i]));
    return err;
}

/* First without writing: the usual start costs no sync. */
static enum err open_tables(struct store *s, const char *const *tables)
{
    enum err err = E_NOTFOUND;
    int passes = s->shared ? 1 : 2;

    for (int create = 0; err == E_NOTFOUND && create < passes; create++) {
        MDB_txn *txn;
        int failed = mdb_txn_begin(s->env, NULL, create ? 0 : MDB_RDONLY, &txn);
        if (failed != 0)
            return err_of_lmdb(failed);
        err = open_tables_in(s, txn, tables, create);
        if (err == OK)
            err = err_of_lmdb(mdb_txn_commit(txn));
        else
            mdb_txn_abort(txn);
    }
    return err;
}

/* Addresses cost nothing, unless a limit (ulimit -v) says how many there are:
 * then a share, since all that is not a map needs some too. */
static size_t map_bytes(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return map_bytes_max;
    size_t share = (size_t)limit.rlim_cur / MAP_SHARE;
    share -= share % MAP_STEP_BYTES;
    return share < map_bytes_max ? share : map_bytes_max;
}

static enum err check_files(const char *path)
{
    char file[PATH_MAX];
    int len = snprintf(file, sizeof(file), "%s/data.mdb", path);

    if (len < 0 || (size_t)len >= sizeof(file))
        return E_REFUSED;
    return lmdb_check(file);
}

/* Who shares it has what keeps writers away, so LMDB's own file of locks, which
 * has few places and must be writable, is left alone. */
static enum err open_files(struct store *s, const char *path)
{
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
    int dead;

    if (s->shared)
        return err_of_lmdb(
            mdb_env_open(s->env, path, flags | MDB_RDONLY | MDB_NOLOCK, 0600));
    int failed = mdb_env_open(s->env, path, flags, 0600);
    if (failed != 0)
        return err_of_lmdb(failed);
    /* A process that was killed may still hold a state; without the check the
     * file only grows faster. */
    (void)mdb_reader_check(s->env, &dead);
    return OK;
}

static enum err open_env(struct store *s, const char *path,
                         const char *const *tables)
{
    if (!s->shared && mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_of_lmdb(errno);
    enum err err = check_files(path);
    if (err != OK && (s->shared || err != E_NOTFOUND))
        return err;
    int failed = mdb_env_create(&s->env);
    if (failed != 0)
        return err_of_lmdb(failed);
    /* Only sizes: they fail for an open environment alone. */
    (void)mdb_env_set_mapsize(s->env, map_bytes());
    (void)mdb_env_set_maxdbs(s->env, KV_TABLES_MAX + 1);
    (void)mdb_env_set_maxreaders(s->env, READER_SLOTS);
    err = open_files(s, path);
    return err == OK ? open_tables(s, tables) : err;
}

static void on_async_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void stop_writer(struct store *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    wake_writer(s);
    (void)pthread_mutex_unlock(&s->mutex);
    (void)pthread_join(s->thread, NULL);
}

static void release_store(struct store *s)
{
    free_readers(s);
    if (s->env != NULL)
        mdb_env_close(s->env);
    (void)sem_destroy(&s->work);
    (void)sem_destroy(&s->drained);
    (void)pthread_mutex_destroy(&s->mutex);
}

static void kv_close(struct kv *kv)
{
    struct store *s = container_of(kv, struct store, kv);

    if (!s->shared)
        stop_writer(s);
    os_loop_hook_remove(&s->turn);
    release_store(s);
    uv_close((uv_handle_t *)&s->async, on_async_closed);
}

static struct store *store_new(struct os_loop *loop, size_t tables_count)
{
    struct store *s = mem_zalloc(1, sizeof(*s));

    s->kv = (struct kv){
        .get = kv_get,
        .next = kv_next,
        .count = kv_count,
        .write = kv_write,
        .close = kv_close,
    };
    s->loop = loop;
    s->tables_count = tables_count;
    s->current = &s->readers[0];
    s->turn.turn_end = on_turn_end;
    list_init(&s->queue);
    list_init(&s->done);
    /* None of the three can fail with these arguments. */
    (void)sem_init(&s->work, 0, 0);
    (void)sem_init(&s->drained, 0, 0);
    (void)pthread_mutex_init(&s->mutex, NULL);
    return s;
}

static enum err open_store(struct store *s, const char *path,
                           const char *const *tables, struct kv **ret_kv)
{
    int failed = uv_async_init(os_loop_uv(s->loop), &s->async, on_async);
    if (failed != 0) {
        release_store(s);
        mem_free(s);
        return E_IO;
    }
    s->async.data = s;
    enum err err = open_env(s, path, tables);
    if (err == OK && !s->shared && start_writer(s) != 0)
        err = E_IO;
    if (err != OK) {
        release_store(s);
        uv_close((uv_handle_t *)&s->async, on_async_closed);
        return err;
    }
    os_loop_hook_add(s->loop, &s->turn, OS_LOOP_FINAL);
    *ret_kv = &s->kv;
    return OK;
}

static enum err kv_open(struct kv_opener *opener, const char *path,
                        const char *const *tables, size_t count,
                        struct kv **ret_kv)
{
    struct os_kv_opener *o = container_of(opener, struct os_kv_opener, opener);

    assert(count <= KV_TABLES_MAX);
    return open_store(store_new(o->loop, count), path, tables, ret_kv);
}

static enum err kv_open_shared(struct kv_opener *opener, const char *path,
                               const char *const *tables, size_t count,
                               struct kv **ret_kv)
{
    struct os_kv_opener *o = container_of(opener, struct os_kv_opener, opener);

    assert(count <= KV_TABLES_MAX);
    struct store *s = store_new(o->loop, count);
    s->shared = true;
    return open_store(s, path, tables, ret_kv);
}

void os_kv_opener_init(struct os_kv_opener *o, struct os_loop *loop)
{
    o->opener.open = kv_open;
    o->opener.open_shared = kv_open_shared;
    o->loop = loop;
}
