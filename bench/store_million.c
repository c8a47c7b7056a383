/*
 * The block store with a great many small blocks, over the real system: how
 * fast they go in, how long the store takes to open with them, to say whether
 * a block is there, and how much is used.
 */
#include <assert.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/mem.h"
#include "common.h"
#include "env/kv.h"
#include "ipld/block.h"
#include "multiformats/multicodec.h"
#include "os/loop.h"
#include "os/os_env.h"
#include "store/store.h"

enum {
    BLOCK_BYTES = 1024,
    PUTS_AT_ONCE = 4096,
    STATS_CALLS = 1000,
    PATH_MAX_BYTES = 4200,
    MODE_DIR = 0700,
};

static const char *const pins_tables[] = {"pins"};

struct run {
    const char *dir;
    struct os_env *os;
    struct kv *index;
    struct kv *pins;
    struct store *store;
    size_t count;
    size_t next; /* block to put */
    size_t under_way;
    struct store_op op;
    struct os_loop_task task;
    struct os_loop_hook hook;
};

struct put {
    struct store_put_op op;
    struct run *run;
};

static void check(enum err err, const char *what)
{
    if (err != OK)
        die_of(what, err_name(err));
}

/* Block @number: its number again and again. */
static struct block *make_block(size_t number)
{
    struct buf *buf = buf_new(BLOCK_BYTES);

    for (size_t i = 0; i < BLOCK_BYTES; i += sizeof(number))
        memcpy(buf->data + i, &number, sizeof(number));
    buf->len = BLOCK_BYTES;
    struct slice data = {.buf = buf, .bytes = buf_bytes(buf)};
    return block_make(1, CODEC_RAW, data);
}

static struct multihash make_hash(size_t number)
{
    struct block *b = make_block(number);
    struct multihash hash = b->cid.hash;

    block_unref(b);
    return hash;
}

/* Opening and closing. */

static const char *path_of(const struct run *r, const char *name)
{
    static char path[PATH_MAX_BYTES];

    (void)snprintf(path, sizeof(path), "%s/%s", r->dir, name);
    return path;
}

static void make_dirs(const struct run *r)
{
    static const char *const names[] = {"index", "pins", "blocks"};

    for (size_t i = 0; i < countof(names); i++) {
        if (mkdir(path_of(r, names[i]), MODE_DIR) != 0)
            die(path_of(r, names[i]));
    }
}

static void open_all(struct run *r)
{
    struct os_config os_config = {.on_signal = NULL};
    struct store_config config = {.limit_bytes = 0};

    check(os_env_open(&os_config, &r->os), "os_env_open");
    struct kv_opener *kv = r->os->env.kv;
    check(kv->open(kv, path_of(r, "index"), store_index_tables,
                   STORE_TABLES_COUNT, &r->index),
          "index");
    check(kv->open(kv, path_of(r, "pins"), pins_tables, 1, &r->pins), "pins");
    struct store_tables tables = {.index = r->index, .pins = r->pins};
    check(store_open(&r->os->env, path_of(r, "blocks"), &config, &tables,
                     &r->store),
          "store_open");
}

static void stop(struct store_op *op, enum err err, struct mtime now)
{
    struct run *r = container_of(op, struct run, op);

    (void)now; /* the clock of the measurement is the system's */
    check(err, "the store");
    os_env_stop(r->os);
}

static void close_all(struct run *r)
{
    r->op.done = stop;
    store_close(r->store, &r->op);
    os_env_run(r->os);
    store_free(r->store);
    r->index->close(r->index);
    r->pins->close(r->pins);
    os_env_free(r->os);
}

/* Putting. */

static void put_more(struct run *r);

static void on_put(struct store_put_op *op, enum err err, struct mtime now)
{
    struct put *p = container_of(op, struct put, op);

    (void)now; /* the clock of the measurement is the system's */
    check(err, "store_put");
    p->run->under_way--;
    mem_free(p);
}

static bool put_one(struct run *r)
{
    struct block *b = make_block(r->next);
    struct put *p = mem_zalloc(1, sizeof(*p));

    p->run = r;
    p->op.done = on_put;
    enum err err =
        store_put(r->store, &p->op, b, STORE_CACHE | STORE_UNSYNCED, NULL);
    block_unref(b);
    if (err == E_AGAIN) {
        mem_free(p);
        return false;
    }
    check(err, "store_put");
    r->next++;
    r->under_way++;
    return true;
}

static void put_more(struct run *r)
{
    struct store_event event;

    while (store_next(r->store, &event))
        continue;
    while (r->next < r->count && r->under_way < PUTS_AT_ONCE && put_one(r))
        continue;
    if (r->next == r->count && r->under_way == 0 && r->op.done == NULL) {
        r->op.done = stop;
        store_sync(r->store, &r->op, store_epoch(r->store));
    }
}

static void on_task(struct os_loop_task *task, struct mtime now)
{
    (void)now; /* the clock of the measurement is the system's */
    put_more(container_of(task, struct run, task));
}

static void on_turn_end(struct os_loop_hook *hook, struct mtime now)
{
    (void)now; /* the clock of the measurement is the system's */
    put_more(container_of(hook, struct run, hook));
}

static double put_all(struct run *r)
{
    double begin = now_s();

    r->op.done = NULL;
    r->task.run = on_task;
    list_init(&r->task.link);
    r->hook.turn_end = on_turn_end;
    os_loop_hook_add(r->os->loop, &r->hook, OS_LOOP_WORK);
    os_loop_defer(r->os->loop, &r->task);
    os_env_run(r->os);
    os_loop_hook_remove(&r->hook);
    return now_s() - begin;
}

/* Asking. */

/* Every second block that is asked for is absent.  Return: seconds a call. */
static double time_has(struct run *r)
{
    enum { STEP = 7919 };
    size_t calls = r->count;
    struct multihash *hashes = mem_alloc(calls * sizeof(*hashes));

    for (size_t i = 0; i < calls; i++) {
        size_t number = i * STEP % r->count;
        hashes[i] = make_hash(i % 2 == 0 ? number : number + r->count);
    }
    size_t found = 0;
    double begin = now_s();
    for (size_t i = 0; i < calls; i++)
        found += store_has(r->store, &hashes[i]) ? 1 : 0;
    double seconds = now_s() - begin;
    assert(found == (calls + 1) / 2);
    mem_free(hashes);
    return seconds / (double)calls;
}

static double time_stats(struct run *r)
{
    struct store_stats stats;
    double begin = now_s();

    for (size_t i = 0; i < STATS_CALLS; i++)
        store_stats(r->store, &stats);
    double seconds = now_s() - begin;
    assert(stats.blocks == r->count);
    assert(stats.bytes_used > r->count * BLOCK_BYTES);
    return seconds / STATS_CALLS;
}

int main(int argc, char **argv)
{
    struct run r = {.next = 0};

    if (argc != 3)
        usage("store_million EMPTY_DIR BLOCKS");
    r.dir = argv[1];
    r.count = parse_size(argv[2]);
    make_dirs(&r);
    open_all(&r);
    double put_seconds = put_all(&r);
    close_all(&r);

    double begin = now_s();
    open_all(&r);
    double open_seconds = now_s() - begin;
    double stats_seconds = time_stats(&r);
    double has_seconds = time_has(&r);
    close_all(&r);
    (void)printf("{\"blocks\": %zu, \"put\": %.6f, \"open\": %.6f, "
                 "\"usage\": %.9f, \"has\": %.9f}\n",
                 r.count, put_seconds, open_seconds, stats_seconds,
                 has_seconds);
    return 0;
}
