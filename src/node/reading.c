#include "node/reading.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/node.h"
#include "node/resolving.h"
#include "unixfs/file_reader.h"

enum { LOOKAHEAD_BYTES = 8 * 1024 * 1024 };

/* A block of the file that is wanted. */
struct reading_want {
    struct fetch_op op;
    struct reading *reading;
    uint64_t id;
    struct list link;
};

struct reading {
    struct node *node;
    struct reading_config config;
    struct fetch *fetch;
    struct resolving resolving;
    struct file_reader reader;
    bool has_reader;
    bool opened; /* on_open was called */
    bool paused;
    bool ended;
    bool told; /* done was called */
    enum err err;
    struct list wants;
    struct timer timer; /* to go on, or to tell the end, outside of calls */
    struct fault fault;
    bool busy; /* in a callback */
    bool dead; /* reading_free() was called from there */
};

static void wake(struct reading *r)
{
    struct clock *clock = node_env(r->node)->clock;

    clock->set(clock, &r->timer, clock->now(clock));
}

static void fail(struct reading *r, enum err err)
{
    if (r->err == OK)
        r->err = err;
    wake(r);
}

static void on_block(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now);

static void want_blocks(struct reading *r)
{
    struct file_want want;

    while (file_reader_want(&r->reader, &want)) {
        struct reading_want *w = mem_zalloc(1, sizeof(*w));
        w->reading = r;
        w->id = want.id;
        w->op.done = on_block;
        list_add_tail(&r->wants, &w->link);
        uint32_t hint = want.size_hint < BLOCK_BYTES_MAX
                            ? (uint32_t)want.size_hint
                            : BLOCK_BYTES_MAX;
        fetch_get(r->fetch, &w->op, &want.cid, hint, 0);
    }
}

static void tell_open(struct reading *r, struct mtime now)
{
    uint64_t size;

    if (r->opened || file_reader_size(&r->reader, &size) != OK)
        return;
    r->opened = true;
    r->config.on_open(r->config.user, &r->resolving.result.cid, size, now);
}

/* Hand out what is there; may free @r. */
static void pump(struct reading *r, struct mtime now)
{
    struct file_out out;

    r->busy = true;
    if (r->err == OK && !r->paused)
        tell_open(r, now); /* may free it, like all callbacks */
    while (!r->dead && r->err == OK && !r->paused && !r->ended &&
           file_reader_next(&r->reader, &out)) {
        if (out.kind == FILE_END)
            r->ended = true;
        else
            r->config.on_data(r->config.user, out.slice, now);
    }
    r->busy = false;
    if (r->dead) {
        mem_free(r);
        return;
    }
    if (r->err == OK && !r->ended) {
        want_blocks(r);
        return;
    }
    r->told = true;
    r->config.done(r->config.user, r->err, now);
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct reading *r = container_of(t, struct reading, timer);

    if (!r->told)
        pump(r, now);
}

static void on_block(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct reading_want *w = container_of(op, struct reading_want, op);
    struct reading *r = w->reading;
    uint64_t id = w->id;

    list_remove(&w->link);
    mem_free(w);
    if (r->err != OK)
        return;
    if (err != OK) {
        r->fault = *fetch_fault(r->fetch);
        fail(r, err);
        return;
    }
    err = file_reader_on_block(&r->reader, id, block);
    if (err != OK) {
        fault_set(&r->fault, ERROR_BAD_BLOCK, file_reader_fault(&r->reader),
                  bytes_str(r->resolving.text));
        fail(r, err);
        return;
    }
    if (!r->paused)
        pump(r, now);
}

static void on_resolved(struct resolving *v, enum err err, struct mtime now)
{
    struct reading *r = container_of(v, struct reading, resolving);

    if (err == OK && v->result.type != NODE_FILE) {
        bool is_dir =
            v->result.type == NODE_DIRECTORY || v->result.type == NODE_SHARDED;
        err = E_UNSUPPORTED;
        fault_set(&v->fault, ERROR_NOT_A_FILE,
                  is_dir ? "this is a folder" : "this is no file",
                  bytes_str(v->text));
    }
    if (err != OK) {
        r->fault = v->fault;
        fail(r, err);
        return;
    }
    struct file_reader_config config = {
        .offset = r->config.offset,
        .length = r->config.length,
        .ordered = true,
        .lookahead_bytes_max = LOOKAHEAD_BYTES,
    };
    file_reader_init(&r->reader, &config, &v->result.cid);
    r->has_reader = true;
    pump(r, now);
}

struct reading *reading_new(struct node *n, const struct reading_config *config)
{
    struct reading *r = mem_zalloc(1, sizeof(*r));
    struct fetch_config fetch = {
        .timeout_ms = config->timeout_ms,
        .local_only = config->local_only,
        .urgent = true,
    };

    r->node = n;
    r->config = *config;
    r->fetch = fetch_new(n, &fetch);
    list_init(&r->wants);
    timer_init(&r->timer, on_timer);
    r->resolving.done = on_resolved;
    enum err err = resolving_start(&r->resolving, r->fetch, config->path);
    r->config.path = BYTES_EMPTY;
    if (err != OK) {
        r->fault = r->resolving.fault;
        fail(r, err);
    }
    return r;
}

void reading_free(struct reading *r)
{
    if (r == NULL)
        return;
    struct clock *clock = node_env(r->node)->clock;
    clock->set(clock, &r->timer, MTIME_NEVER);
    list_for_each_safe (it, &r->wants) {
        struct reading_want *w = container_of(it, struct reading_want, link);
        fetch_cancel(&w->op);
        list_remove(it);
        mem_free(w);
    }
    resolving_release(&r->resolving);
    if (r->has_reader)
        file_reader_release(&r->reader);
    fetch_free(r->fetch);
    r->dead = true;
    if (!r->busy)
        mem_free(r); /* else pump() does */
}

void reading_pause(struct reading *r, bool paused)
{
    r->paused = paused;
    if (!paused && r->has_reader && !r->told)
        wake(r);
}

const struct fault *reading_fault(const struct reading *r)
{
    return &r->fault;
}
