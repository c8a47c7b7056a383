#include "node/car_import.h"

#include <assert.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/pool.h"
#include "ipld/block.h"
#include "ipld/car.h"
#include "node/node.h"
#include "node/storing.h"
#include "store/store.h"

/*
 * Sections are gathered into batches; a job hashes a batch, then its blocks go
 * to the store, in the order of the file.
 *
 * Invariants:
 * 1. @batches holds the batches that a job has or had, in the order of the
 *    file; @filling is behind them.
 * 2. @busy counts jobs under way and calls of pump() on the stack.  The struct
 *    is freed when car_import_free() was called and it is zero.
 */

enum {
    BATCH_BYTES = 512 * 1024,
    BATCH_SECTIONS = 64,
    WAITING_BYTES_MAX = 16 * 1024 * 1024, /* hashed or written later */
};

enum state { RUNNING, FINISHING, STORED, FAILED, ENDED };

/* A block that is not believed yet. */
struct section {
    struct cid cid;
    struct slice data;
    uint64_t offset;
};

struct batch {
    struct car_import *import;
    struct pool_job job;
    struct list link;
    size_t count;
    size_t bytes;
    size_t next; /* section that is stored next */
    bool done;
    enum err err;     /* of the first section that is wrong */
    size_t err_index; /* this one */
    struct section sections[BATCH_SECTIONS];
};

struct car_import {
    struct car_import_config config;
    struct store *store;
    struct pool *pool;
    struct clock *clock;
    struct storing *storing;
    struct car_reader reader;
    struct batch *filling;
    struct list batches;
    size_t batches_bytes;
    struct timer kick;
    size_t busy;
    enum state state;
    bool freed;
    bool ended; /* car_import_end() */
    bool want_ready;
    bool has_root[CAR_ROOTS_MAX];
    uint64_t blocks;
    uint64_t bytes;
    enum err err;
    struct fault fault;
};

static void drop_batch(struct batch *b)
{
    b->import->batches_bytes -= b->bytes;
    for (size_t i = b->next; i < b->count; i++)
        slice_release(&b->sections[i].data);
    mem_free(b);
}

/* What no job has; the others come back later. */
static void stop(struct car_import *c)
{
    list_for_each_safe (it, &c->batches) {
        struct batch *b = container_of(it, struct batch, link);
        list_remove(it);
        if (b->done)
            drop_batch(b);
    }
    if (c->filling != NULL)
        drop_batch(c->filling);
    c->filling = NULL;
}

static void destroy(struct car_import *c)
{
    car_reader_release(&c->reader);
    c->clock->set(c->clock, &c->kick, MTIME_NEVER);
    mem_free(c);
}

static bool is_live(const struct car_import *c)
{
    return c->state == RUNNING || c->state == FINISHING;
}

static void fail(struct car_import *c, enum err err, enum error_id id,
                 const char *what, struct bytes where)
{
    if (!is_live(c))
        return;
    c->err = err;
    fault_set(&c->fault, id, what, where);
    c->state = FAILED;
    stop(c);
}

static void fail_at(struct car_import *c, enum err err, const char *what,
                    uint64_t offset)
{
    struct strbuf where;

    strbuf_init(&where, 64);
    strbuf_str(&where, "byte ");
    strbuf_u64(&where, offset);
    fail(c, err, ERROR_BAD_CAR, what, strbuf_bytes(&where));
    strbuf_release(&where);
}

static void fail_storing(struct car_import *c)
{
    if (!is_live(c))
        return;
    c->err = storing_err(c->storing);
    c->fault = *storing_fault(c->storing);
    c->state = FAILED;
    stop(c);
}

/* Hashing. */

static void run_batch(struct pool_job *job)
{
    struct batch *b = container_of(job, struct batch, job);

    for (size_t i = 0; i < b->count && b->err == OK; i++) {
        b->err = cid_verify(&b->sections[i].cid, b->sections[i].data.bytes);
        b->err_index = i;
    }
}

static void pump(struct car_import *c, struct mtime now);

static void on_batch(struct pool_job *job, struct mtime now)
{
    struct batch *b = container_of(job, struct batch, job);
    struct car_import *c = b->import;

    c->busy--;
    b->done = true;
    if (c->state != RUNNING)
        drop_batch(b);
    pump(c, now);
}

static void submit(struct car_import *c)
{
    struct batch *b = c->filling;

    c->filling = NULL;
    list_add_tail(&c->batches, &b->link);
    b->job.run = run_batch;
    b->job.done = on_batch;
    c->busy++;
    c->pool->submit(c->pool, &b->job, POOL_CPU);
}

/* Takes over the reference of @out. */
static void gather(struct car_import *c, const struct car_out *out)
{
    struct batch *b = c->filling;

    if (b == NULL) {
        b = mem_alloc(sizeof(*b));
        b->import = c;
        b->count = 0;
        b->bytes = 0;
        b->next = 0;
        b->done = false;
        b->err = OK;
        list_init(&b->link);
        c->filling = b;
    }
    b->sections[b->count++] = (struct section){
        .cid = out->cid, .data = out->data, .offset = out->offset};
    b->bytes += out->data.bytes.len;
    c->batches_bytes += out->data.bytes.len;
    if (b->bytes >= BATCH_BYTES || b->count == BATCH_SECTIONS)
        submit(c);
}

/* Reading. */

static void mark_root(struct car_import *c, const struct cid *cid)
{
    size_t count;
    const struct cid *roots = car_reader_roots(&c->reader, &count);

    for (size_t i = 0; i < count; i++)
        c->has_root[i] = c->has_root[i] || cid_eq(&roots[i], cid);
}

static void take_section(struct car_import *c, struct car_out *out)
{
    const char *what = NULL;

    if (!cid_is_allowed(&out->cid))
        what = "a CID of a kind that is not allowed";
    else if (out->data.bytes.len > BLOCK_BYTES_MAX)
        what = "a block over 2 MiB";
    if (what != NULL) {
        slice_release(&out->data);
        fail_at(c, E_UNSUPPORTED, what, out->offset);
        return;
    }
    mark_root(c, &out->cid);
    if (cid_is_identity(&out->cid))
        slice_release(&out->data); /* the CID is the block */
    else
        gather(c, out);
}

static void fail_reader(struct car_import *c, enum err err)
{
    fail_at(c, err, car_fault_text(c->reader.fault), c->reader.fault_offset);
}

static void take_outputs(struct car_import *c)
{
    struct car_out out;

    while (c->state == RUNNING && car_reader_next(&c->reader, &out)) {
        if (out.kind == CAR_SECTION)
            take_section(c, &out);
    }
}

static bool has_room(const struct car_import *c)
{
    return c->batches_bytes + storing_bytes(c->storing) < WAITING_BYTES_MAX;
}

bool car_import_write(struct car_import *c, struct bytes in, struct mtime now)
{
    assert(!c->ended || c->state != RUNNING);
    while (c->state == RUNNING && in.len > 0) {
        size_t used = 0;
        enum err err = car_reader_on_bytes(&c->reader, in, &used);
        if (err != OK) {
            fail_reader(c, err);
            break;
        }
        take_outputs(c);
        in = bytes_sub(in, used, in.len - used);
    }
    if (c->state == FAILED)
        c->clock->set(c->clock, &c->kick, now);
    if (c->state != RUNNING)
        return false;
    /* Nothing waits for a batch to become full. */
    if (c->filling != NULL && list_empty(&c->batches))
        submit(c);
    c->want_ready = !has_room(c);
    return !c->want_ready;
}

void car_import_end(struct car_import *c, struct mtime now)
{
    if (c->state != RUNNING)
        return;
    assert(!c->ended);
    c->ended = true;
    c->want_ready = false;
    enum err err = car_reader_on_end(&c->reader);
    if (err != OK)
        fail_reader(c, err);
    else if (c->filling != NULL)
        submit(c);
    c->clock->set(c->clock, &c->kick, now);
}

/* Storing. */

static void store_section(struct batch *b)
{
    struct car_import *c = b->import;
    struct section *s = &b->sections[b->next];

    if (b->err != OK && b->next == b->err_index) {
        fail_at(c, b->err, "a block does not match its CID", s->offset);
        return;
    }
    c->blocks++;
    c->bytes += s->data.bytes.len;
    b->next++;
    storing_put(c->storing, block_trust(&s->cid, s->data));
    if (storing_err(c->storing) != OK)
        fail_storing(c);
}

/* The first batch, as far as the store has room. */
static void store_batches(struct car_import *c)
{
    while (c->state == RUNNING && !list_empty(&c->batches) &&
           !storing_is_full(c->storing)) {
        struct batch *b =
            container_of(list_first(&c->batches), struct batch, link);
        if (!b->done)
            return;
        if (b->next < b->count) {
            store_section(b);
            continue;
        }
        list_remove(&b->link);
        drop_batch(b);
    }
}

/* Return: false when one of them is nowhere. */
static bool check_roots(struct car_import *c, const struct cid *roots,
                        size_t count)
{
    char text[CID_TEXT_MAX];

    for (size_t i = 0; i < count; i++) {
        if (c->has_root[i] || cid_is_identity(&roots[i]) ||
            store_has(c->store, &roots[i].hash))
            continue;
        size_t len = cid_format(&roots[i], text);
        fail(c, E_NOTFOUND, ERROR_BAD_CAR,
             "a root is neither in the file nor here",
             (struct bytes){(const uint8_t *)text, len});
        return false;
    }
    return true;
}

static void finish(struct car_import *c)
{
    size_t count;
    const struct cid *cids = car_reader_roots(&c->reader, &count);
    struct storing_roots roots = {.cids = cids, .count = count};

    if (c->config.no_pin)
        roots.count = 0;
    if (!check_roots(c, cids, roots.count))
        return;
    c->state = FINISHING;
    storing_finish(c->storing, &roots);
}

static void turn(struct car_import *c, struct mtime now)
{
    store_batches(c);
    if (c->state != RUNNING)
        return;
    if (c->filling != NULL && list_empty(&c->batches))
        submit(c);
    if (c->ended && list_empty(&c->batches)) {
        finish(c);
    } else if (c->want_ready && has_room(c)) {
        c->want_ready = false;
        c->config.on_ready(c->config.user, now);
    }
}

/* All that can be done now; may free @c. */
static void pump(struct car_import *c, struct mtime now)
{
    c->busy++;
    if (c->state == RUNNING && storing_err(c->storing) != OK)
        fail_storing(c);
    turn(c, now);
    if (c->state == FAILED || c->state == STORED) {
        c->state = ENDED;
        c->config.done(c->config.user, c->err, now);
    }
    c->busy--;
    if (c->freed && c->busy == 0)
        destroy(c);
}

static void on_change(void *user, struct mtime now)
{
    pump(user, now);
}

static void on_stored(void *user, enum err err, struct mtime now)
{
    struct car_import *c = user;

    if (err != OK)
        fail_storing(c);
    else if (c->state == FINISHING)
        c->state = STORED;
    pump(c, now);
}

static void on_kick(struct timer *t, struct mtime now)
{
    pump(container_of(t, struct car_import, kick), now);
}

/* Life. */

struct car_import *car_import_new(struct node *n,
                                  const struct car_import_config *config)
{
    struct car_import *c = mem_zalloc(1, sizeof(*c));
    struct env *env = node_env(n);
    struct storing_config storing = {
        .on_change = on_change,
        .done = on_stored,
        .user = c,
    };

    c->config = *config;
    c->store = node_store(n);
    c->pool = env->pool;
    c->clock = env->clock;
    c->state = RUNNING;
    list_init(&c->batches);
    timer_init(&c->kick, on_kick);
    car_reader_init(&c->reader);
    c->storing = storing_new(n, &storing);
    return c;
}

void car_import_free(struct car_import *c)
{
    if (c == NULL)
        return;
    if (is_live(c))
        stop(c);
    c->state = ENDED;
    c->freed = true;
    storing_free(c->storing);
    c->storing = NULL;
    if (c->busy == 0)
        destroy(c);
}

const struct cid *car_import_roots(const struct car_import *c,
                                   size_t *ret_count)
{
    return car_reader_roots(&c->reader, ret_count);
}

uint64_t car_import_blocks(const struct car_import *c)
{
    return c->blocks;
}

uint64_t car_import_bytes(const struct car_import *c)
{
    return c->bytes;
}

const struct fault *car_import_fault(const struct car_import *c)
{
    return &c->fault;
}
