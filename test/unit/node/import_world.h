#ifndef TEST_UNIT_NODE_IMPORT_WORLD_H
#define TEST_UNIT_NODE_IMPORT_WORLD_H

/*
 * import_world - what an import sees of the node, played by the test: a disk in
 * memory, a pool that runs and ends jobs in random order, a store that is full
 * when it pleases and fails when it is told to.
 *
 * It defines functions of node/node.h and store/store.h, so that the real ones
 * are not linked: one file of a test program includes it.
 */

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/pool.h"
#include "ipld/block.h"
#include "node/exchange.h"
#include "node/node.h"
#include "node/store_waiter.h"
#include "node/tree_disk.h"
#include "store/store.h"

#include "test.h"

/* A block that was put, and lives on in the store. */
struct world_block {
    struct map_node node;
    uint8_t key[MULTIHASH_BYTES_MAX];
    size_t len;
};

struct store_lease {
    struct node *world;
    size_t puts; /* under way */
};

struct node {
    struct env env;
    struct env *env_self;
    struct store *store_self; /* the world again, under another name */
    struct clock clock;
    struct pool pool;
    struct tree_disk tree;
    uint64_t random;

    struct timer *timers[8];
    size_t timers_count;

    struct list jobs; /* submitted, not run */
    struct list ran;
    size_t jobs_under_way;

    /* The store. */
    struct list puts; /* struct store_put_op.link */
    struct list syncs;
    struct list pins; /* struct pin_link */
    struct list waiters;
    size_t puts_count; /* under way */
    size_t puts_most;  /* 0: no limit; else E_AGAIN past it */
    size_t puts_done;  /* in all */
    size_t put_calls;
    size_t fail_put_call; /* number of the call that fails; 0: none */
    size_t fail_put_done; /* number of the put whose done fails */
    enum err fail_put_err;
    enum err sync_err;
    enum err pin_err;
    bool hold; /* puts don't end */
    bool was_full;
    struct map blocks;
    uint64_t blocks_bytes;
    size_t leases;
    size_t synced; /* puts that were done at the last sync */
    struct store_pin pinned[256];
    char pin_names[256][STORE_PIN_NAME_MAX + 1];
    size_t pinned_count;
    struct store_stats stats;
};

static const struct mtime world_now = {1};

static inline uint64_t world_random(struct node *n, uint64_t below)
{
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    return n->random % below;
}

/* Clock and pool. */

static inline struct mtime world_clock_now(struct clock *c)
{
    (void)c;
    return world_now;
}

static inline uint64_t world_unix_ms(struct clock *c)
{
    (void)c;
    return 1234567;
}

static inline void world_set_timer(struct clock *c, struct timer *t,
                                   struct mtime at)
{
    struct node *n = container_of(c, struct node, clock);

    for (size_t i = 0; i < n->timers_count; i++)
        if (n->timers[i] == t)
            n->timers[i] = n->timers[--n->timers_count];
    t->at = at;
    if (at.ns == MTIME_NEVER.ns)
        return;
    assert_true(n->timers_count < countof(n->timers));
    n->timers[n->timers_count++] = t;
}

static inline void world_submit(struct pool *p, struct pool_job *job,
                                enum pool_kind kind)
{
    struct node *n = container_of(p, struct node, pool);

    job->kind = kind;
    list_add_tail(&n->jobs, &job->link);
    n->jobs_under_way++;
}

static inline struct list *world_pick(struct node *n, struct list *head)
{
    uint64_t i = world_random(n, 8);
    struct list *it = head->next;

    for (; i > 0 && it->next != head; i--)
        it = it->next;
    list_remove(it);
    return it;
}

/* The store. */

struct env *node_env(const struct node *n)
{
    return n->env_self;
}

struct store *node_store(const struct node *n)
{
    return n->store_self;
}

static inline struct node *world_of(struct store *s)
{
    return (struct node *)(void *)s;
}

struct exchange *node_exchange(const struct node *n)
{
    (void)n;
    return NULL; /* nobody to tell that a block was stored */
}

void exchange_stored(struct exchange *x, const struct cid *cid)
{
    (void)x;
    (void)cid;
}

void node_wait_store(struct node *n, struct store_waiter *w)
{
    if (list_empty(&w->link))
        list_add_tail(&n->waiters, &w->link);
}

uint64_t store_epoch(const struct store *s)
{
    (void)s;
    return 77;
}

struct store_lease *store_lease_new(struct store *s)
{
    struct node *n = world_of(s);
    struct store_lease *l = mem_zalloc(1, sizeof(*l));

    n->leases++;
    l->world = n;
    return l;
}

void store_lease_end(struct store_lease *l)
{
    if (l == NULL)
        return;
    assert_int_equal(l->puts, 0);
    l->world->leases--;
    mem_free(l);
}

bool store_has(struct store *s, const struct multihash *hash)
{
    struct cid cid = {.version = 1, .codec = 0x55, .hash = *hash};
    uint8_t key[MULTIHASH_BYTES_MAX];
    size_t len = cid_key(&cid, key);

    return map_get(&world_of(s)->blocks, (struct bytes){key, len}) != NULL;
}

static inline void world_keep(struct node *n, const struct block *b)
{
    struct world_block *w = mem_zalloc(1, sizeof(*w));
    size_t len = cid_key(&b->cid, w->key);
    struct bytes key = {w->key, len};

    assert_int_equal(cid_verify(&b->cid, b->data.bytes), OK);
    w->len = b->data.bytes.len;
    if (map_get(&n->blocks, key) != NULL) {
        mem_free(w);
        return;
    }
    n->blocks_bytes += w->len;
    map_put(&n->blocks, &w->node, key);
}

enum err store_put(struct store *s, struct store_put_op *op,
                   struct block *block, unsigned flags,
                   struct store_lease *lease)
{
    struct node *n = world_of(s);

    assert_int_equal(flags, STORE_KEEP | STORE_UNSYNCED);
    if (n->puts_most > 0 && n->puts_count >= n->puts_most) {
        n->was_full = true;
        return E_AGAIN;
    }
    n->put_calls++;
    if (n->put_calls == n->fail_put_call)
        return n->fail_put_err;
    op->store = s;
    op->block = block_ref(block);
    op->lease = lease;
    lease->puts++;
    n->puts_count++;
    list_add_tail(&n->puts, &op->link);
    return OK;
}

static inline void world_end_put(struct node *n)
{
    struct store_put_op *op =
        container_of(list_first(&n->puts), struct store_put_op, link);
    enum err err = OK;

    list_remove(&op->link);
    n->puts_count--;
    n->puts_done++;
    if (n->puts_done == n->fail_put_done)
        err = n->fail_put_err;
    if (err == OK)
        world_keep(n, op->block);
    op->lease->puts--;
    block_unref(op->block);
    op->done(op, err, world_now);
    if (!n->was_full)
        return;
    n->was_full = false;
    struct list waiting;
    list_init(&waiting);
    list_add_head(&n->waiters, &waiting);
    list_remove(&n->waiters);
    while (!list_empty(&waiting)) {
        struct store_waiter *w =
            container_of(list_first(&waiting), struct store_waiter, link);
        list_remove(&w->link);
        w->writable(w, world_now);
    }
}

void store_sync(struct store *s, struct store_op *op, uint64_t epoch)
{
    assert_int_equal(epoch, 77);
    list_add_tail(&world_of(s)->syncs, &op->link);
}

/* In the batch of the op, which is the store's to use. */
enum err store_pin(struct store *s, struct store_pin_op *op,
                   const struct store_pin *pin)
{
    struct node *n = world_of(s);

    if (pin->name.len > STORE_PIN_NAME_MAX)
        return E_LIMIT;
    assert_true(n->pinned_count < countof(n->pinned));
    n->pinned[n->pinned_count] = *pin;
    memcpy(n->pin_names[n->pinned_count], pin->name.p, pin->name.len);
    n->pinned_count++;
    list_add_tail(&n->pins, &op->batch.link);
    return OK;
}

void store_stats(struct store *s, struct store_stats *ret_stats)
{
    *ret_stats = world_of(s)->stats;
}

static inline void world_end_sync(struct node *n)
{
    struct store_op *op =
        container_of(list_first(&n->syncs), struct store_op, link);

    list_remove(&op->link);
    n->synced = n->puts_done;
    op->done(op, n->sync_err, world_now);
}

static inline void world_end_pin(struct node *n)
{
    struct kv_batch *batch =
        container_of(list_first(&n->pins), struct kv_batch, link);
    struct store_pin_op *op = container_of(batch, struct store_pin_op, batch);

    list_remove(&batch->link);
    op->done(op, n->pin_err, world_now);
}

/* One thing happens.  Return: false when nothing can. */
static inline bool world_step(struct node *n)
{
    struct list *heads[] = {&n->jobs, &n->ran, &n->puts, &n->syncs, &n->pins};
    bool can = n->timers_count > 0;

    for (size_t i = 0; i < countof(heads); i++)
        can = can || (!list_empty(heads[i]) && !(n->hold && i == 2));
    if (!can)
        return false;
    for (;;) {
        uint64_t what = world_random(n, countof(heads) + 1);
        if (what == countof(heads)) {
            if (n->timers_count == 0)
                continue;
            struct timer *t = n->timers[--n->timers_count];
            t->at = MTIME_NEVER;
            t->fire(t, world_now);
            return true;
        }
        if (list_empty(heads[what]) || (n->hold && what == 2))
            continue;
        if (what == 0) {
            struct list *it = world_pick(n, &n->jobs);
            struct pool_job *job = container_of(it, struct pool_job, link);
            job->run(job);
            list_add_tail(&n->ran, it);
        } else if (what == 1) {
            struct list *it = world_pick(n, &n->ran);
            struct pool_job *job = container_of(it, struct pool_job, link);
            n->jobs_under_way--;
            job->done(job, world_now);
        } else if (what == 2) {
            world_end_put(n);
        } else if (what == 3) {
            world_end_sync(n);
        } else {
            world_end_pin(n);
        }
        return true;
    }
}

static inline void world_init(struct node *n, uint64_t seed)
{
    static const uint8_t zeros[16];

    memset(n, 0, sizeof(*n));
    n->env_self = &n->env;
    n->store_self = (struct store *)(void *)n;
    n->random = seed * 2654435761U + 1;
    tree_disk_init(&n->tree);
    n->clock = (struct clock){.now = world_clock_now,
                              .unix_ms = world_unix_ms,
                              .set = world_set_timer};
    n->pool = (struct pool){.submit = world_submit};
    n->env = (struct env){
        .clock = &n->clock, .pool = &n->pool, .disk = &n->tree.disk};
    list_init(&n->jobs);
    list_init(&n->ran);
    list_init(&n->puts);
    list_init(&n->syncs);
    list_init(&n->pins);
    list_init(&n->waiters);
    map_init(&n->blocks, zeros);
}

/* All is over: nothing may be left behind. */
static inline void world_release(struct node *n)
{
    while (world_step(n))
        continue;
    assert_int_equal(n->leases, 0);
    assert_int_equal(n->timers_count, 0);
    assert_true(list_empty(&n->waiters));
    for (struct map_node *it = map_first(&n->blocks); it != NULL;
         it = map_first(&n->blocks)) {
        map_remove(&n->blocks, it);
        mem_free(container_of(it, struct world_block, node));
    }
    map_release(&n->blocks);
    tree_disk_release(&n->tree);
}

/* Whether the block that @cid names was stored. */
static inline bool world_has(struct node *n, const struct cid *cid)
{
    return store_has(node_store(n), &cid->hash);
}

#endif /* TEST_UNIT_NODE_IMPORT_WORLD_H */
