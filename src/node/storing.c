#include "node/storing.h"

#include <assert.h>

#include "base/list.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/announce.h"
#include "node/exchange.h"
#include "node/node.h"
#include "node/store_waiter.h"
#include "store/store.h"

/*
 * Invariants:
 * 1. @under_way counts all operations of the store that will call back.  The
 *    struct is freed when storing_free() was called and it is zero.
 * 2. Blocks go to the store in the order of storing_put(): while the queue is
 *    not empty every block goes through it.
 * 3. The lease ends with the struct, so it outlives every put.
 */

enum { PINS_AT_ONCE = 64 };

enum state {
    PUTTING,
    ENDING, /* storing_finish(): puts are under way */
    SYNCING,
    PINNING,
    ENDED, /* @done was called, or a failure is waiting to be seen */
};

struct storing {
    struct storing_config config;
    struct node *node;
    struct store *store;
    struct store_lease *lease;
    uint64_t epoch;
    enum state state;
    struct store_waiter waiter;
    struct list queue; /* struct put, not taken by the store yet */
    size_t under_way;
    size_t bytes;
    struct store_op sync;
    struct cid *roots;
    size_t roots_count;
    size_t roots_next; /* first that is not being pinned yet */
    uint8_t *name;
    size_t name_len;
    bool freed;
    enum err err;
    struct fault fault;
};

/* One block on its way. */
struct put {
    struct store_put_op op;
    struct storing *storing;
    struct block *block; /* a reference of its own until the put is over */
    struct list link;
};

struct pin {
    struct store_pin_op op;
    struct storing *storing;
    struct multihash hash;
};

static void free_put(struct put *p)
{
    p->storing->bytes -= p->block->data.bytes.len;
    block_unref(p->block);
    mem_free(p);
}

static void drop_queue(struct storing *s)
{
    list_for_each_safe (it, &s->queue) {
        list_remove(it);
        free_put(container_of(it, struct put, link));
    }
    store_waiter_cancel(&s->waiter);
}

static void free_now(struct storing *s)
{
    store_lease_end(s->lease);
    mem_free(s->roots);
    mem_free(s->name);
    mem_free(s);
}

/* An operation has called back.  Return: false when @s is gone. */
static bool came_back(struct storing *s)
{
    assert(s->under_way > 0);
    s->under_way--;
    if (!s->freed)
        return true;
    if (s->under_way == 0)
        free_now(s);
    return false;
}

static enum error_id id_of(const struct storing *s, enum err err)
{
    struct store_stats stats;

    if (err != E_NOSPACE)
        return err == E_LIMIT ? ERROR_LIMIT : error_of_err(err);
    store_stats(s->store, &stats);
    if (stats.bytes_limit == 0)
        return ERROR_NO_SPACE;
    /* Records are a little longer than blocks: near the limit is at it. */
    return stats.bytes_limit - stats.bytes_limit / 16 <=
                   stats.bytes_used + BLOCK_BYTES_MAX
               ? ERROR_QUOTA
               : ERROR_NO_SPACE;
}

static void fail(struct storing *s, enum err err)
{
    if (s->err != OK)
        return;
    s->err = err;
    fault_set(&s->fault, id_of(s, err), NULL, BYTES_EMPTY);
    drop_queue(s);
}

static void on_pinned(struct store_pin_op *op, enum err err, struct mtime now);

/* Return: true when all pins are there. */
static bool pin_more(struct storing *s)
{
    struct clock *clock = node_env(s->node)->clock;

    while (s->err == OK && s->roots_next < s->roots_count &&
           s->under_way < PINS_AT_ONCE) {
        struct pin *p = mem_zalloc(1, sizeof(*p));
        struct store_pin pin = {
            .kind = STORE_PIN_RECURSIVE,
            .cid = s->roots[s->roots_next],
            .name = {.p = s->name, .len = s->name_len},
            .created_ms = clock->unix_ms(clock),
        };
        s->roots_next++;
        p->hash = pin.cid.hash;
        p->op.done = on_pinned;
        p->storing = s;
        enum err err = store_pin(s->store, &p->op, &pin);
        if (err == OK) {
            s->under_way++;
            continue;
        }
        mem_free(p);
        fail(s, err);
    }
    return s->roots_next == s->roots_count && s->under_way == 0;
}

/* What comes next, and who wants to know. */
static void go_on(struct storing *s, struct mtime now);

static void end(struct storing *s, struct mtime now)
{
    s->state = ENDED;
    s->config.done(s->config.user, s->err, now);
}

static void on_pinned(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct pin *p = container_of(op, struct pin, op);
    struct storing *s = p->storing;

    if (err == OK)
        announce_root(node_announce(s->node), &p->hash, now);
    mem_free(p);
    if (!came_back(s))
        return;
    if (err != OK)
        fail(s, err);
    go_on(s, now);
}

static void on_synced(struct store_op *op, enum err err, struct mtime now)
{
    struct storing *s = container_of(op, struct storing, sync);

    if (!came_back(s))
        return;
    if (err != OK)
        fail(s, err);
    s->state = PINNING;
    go_on(s, now);
}

static void try_sync(struct storing *s)
{
    if (!list_empty(&s->queue) || s->under_way > 0)
        return;
    s->state = SYNCING;
    s->sync.done = on_synced;
    s->under_way++;
    store_sync(s->store, &s->sync, s->epoch);
}

static void go_on(struct storing *s, struct mtime now)
{
    if (s->state == PUTTING) {
        s->config.on_change(s->config.user, now);
        return;
    }
    if (s->state == ENDED)
        return;
    if (s->err == OK && s->state == ENDING) {
        try_sync(s);
        return;
    }
    if (s->err == OK && (s->state == SYNCING || !pin_more(s)) && s->err == OK)
        return;
    end(s, now);
}

static void on_put(struct store_put_op *op, enum err err, struct mtime now)
{
    struct put *p = container_of(op, struct put, op);
    struct storing *s = p->storing;
    struct exchange *x = node_exchange(s->node);

    if (err == OK && x != NULL)
        exchange_stored(x, &p->block->cid);
    free_put(p);
    if (!came_back(s))
        return;
    if (err != OK)
        fail(s, err);
    go_on(s, now);
}

/* Return: false when the store has no room for it now. */
static bool start_put(struct storing *s, struct put *p)
{
    p->op.done = on_put;
    enum err err = store_put(s->store, &p->op, p->block,
                             STORE_KEEP | STORE_UNSYNCED, s->lease);
    if (err == E_AGAIN)
        return false;
    list_remove(&p->link);
    if (err == OK) {
        s->under_way++;
        return true;
    }
    free_put(p);
    fail(s, err);
    return true;
}

static void drain_queue(struct storing *s)
{
    while (!list_empty(&s->queue)) {
        struct put *p = container_of(list_first(&s->queue), struct put, link);
        if (!start_put(s, p)) {
            node_wait_store(s->node, &s->waiter);
            return;
        }
    }
}

static void on_writable(struct store_waiter *w, struct mtime now)
{
    struct storing *s = container_of(w, struct storing, waiter);

    drain_queue(s);
    go_on(s, now);
}

struct storing *storing_new(struct node *n, const struct storing_config *config)
{
    struct storing *s = mem_zalloc(1, sizeof(*s));

    s->config = *config;
    s->node = n;
    s->store = node_store(n);
    s->epoch = store_epoch(s->store);
    s->lease = store_lease_new(s->store);
    s->state = PUTTING;
    list_init(&s->queue);
    store_waiter_init(&s->waiter, on_writable);
    return s;
}

void storing_free(struct storing *s)
{
    if (s == NULL)
        return;
    drop_queue(s);
    s->freed = true;
    if (s->under_way == 0)
        free_now(s);
}

void storing_put(struct storing *s, struct block *block)
{
    assert(s->state == PUTTING);
    if (s->err != OK) {
        block_unref(block);
        return;
    }
    struct put *p = mem_zalloc(1, sizeof(*p));
    p->storing = s;
    p->block = block;
    s->bytes += block->data.bytes.len;
    bool first = list_empty(&s->queue);
    list_init(&p->link);
    list_add_tail(&s->queue, &p->link);
    if (first)
        drain_queue(s);
}

bool storing_is_full(const struct storing *s)
{
    return !list_empty(&s->queue);
}

size_t storing_bytes(const struct storing *s)
{
    return s->bytes;
}

void storing_finish(struct storing *s, const struct storing_roots *roots)
{
    assert(s->state == PUTTING);
    assert(s->err == OK);

    s->roots = mem_dup(roots->cids, roots->count * sizeof(*roots->cids));
    s->roots_count = roots->count;
    s->name = mem_dup(roots->name.p, roots->name.len);
    s->name_len = roots->name.len;
    s->state = ENDING;
    try_sync(s);
}

enum err storing_err(const struct storing *s)
{
    return s->err;
}

const struct fault *storing_fault(const struct storing *s)
{
    return &s->fault;
}
