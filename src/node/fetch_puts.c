#include "node/fetch_puts.h"

#include <assert.h>

#include "base/mem.h"
#include "ipld/block.h"
#include "node/exchange.h"
#include "node/node.h"
#include "store/store.h"

/* A lease, ended when the fetch is freed and nothing is written under it. */
struct fetch_lease {
    struct store_lease *lease;
    size_t refs;
};

/* A block on its way into the store; lives until it is there. */
struct fetch_put {
    struct store_put_op put;
    struct node *node;
    struct fetch_puts *puts;   /* NULL: released */
    struct fetch_lease *lease; /* NULL: cache */
    struct block *block;
    struct list link; /* in puts->at_store, or in puts->held */
};

/* The store syncs; lives until it has answered. */
struct fetch_wait {
    struct store_op sync;
    struct fetch_puts *puts; /* NULL: released */
};

static struct fetch_lease *lease_ref(struct fetch_lease *l)
{
    if (l != NULL)
        l->refs++;
    return l;
}

static void lease_unref(struct fetch_lease *l)
{
    if (l == NULL || --l->refs > 0)
        return;
    store_lease_end(l->lease);
    mem_free(l);
}

/* Durability. */

static void sync_done(struct store_op *sync, enum err err, struct mtime now)
{
    struct fetch_wait *wait = container_of(sync, struct fetch_wait, sync);
    struct fetch_puts *puts = wait->puts;

    mem_free(wait);
    if (puts == NULL)
        return;
    puts->wait = NULL;
    puts->syncing = false;
    puts->synced(puts, err == OK ? puts->err : err, now);
}

static void maybe_sync(struct fetch_puts *puts)
{
    if (!puts->syncing || puts->wait != NULL || puts->count > 0)
        return;
    puts->wait = mem_zalloc(1, sizeof(*puts->wait));
    puts->wait->sync.done = sync_done;
    puts->wait->puts = puts;
    store_sync(node_store(puts->node), &puts->wait->sync, puts->epoch);
}

void fetch_puts_sync(struct fetch_puts *puts)
{
    assert(!puts->syncing);

    puts->syncing = true;
    maybe_sync(puts);
}

/* One block. */

static void put_end(struct fetch_put *put, enum err err)
{
    struct fetch_puts *puts = put->puts;
    struct exchange *x = node_exchange(put->node);

    list_remove(&put->link);
    if (err == OK && x != NULL)
        exchange_stored(x, &put->block->cid);
    if (puts != NULL) {
        puts->count--;
        puts->unwritten_bytes -= put->block->data.bytes.len;
        if (err != OK && puts->err == OK)
            puts->err = err;
        maybe_sync(puts);
    }
    lease_unref(put->lease);
    block_unref(put->block);
    mem_free(put);
}

static void put_done(struct store_put_op *op, enum err err, struct mtime now)
{
    struct fetch_put *put = container_of(op, struct fetch_put, put);
    struct fetch_puts *puts = put->puts;

    put_end(put, err);
    if (puts != NULL)
        puts->written(puts, now);
}

/* Give @put, which is in no list, to the store. */
static void put_start(struct fetch_puts *puts, struct fetch_put *put)
{
    struct store_lease *lease = puts->lease != NULL ? puts->lease->lease : NULL;
    unsigned flags =
        STORE_UNSYNCED | (lease != NULL ? STORE_KEEP : STORE_CACHE);
    enum err err =
        store_put(node_store(puts->node), &put->put, put->block, flags, lease);
    size_t len = put->block->data.bytes.len;

    if (err == OK) {
        list_add_tail(&puts->at_store, &put->link);
        return;
    }
    /* A cache that can't keep up may lose a block; a lease may not. */
    bool hold =
        err == E_AGAIN &&
        (lease != NULL || puts->held_bytes + len <= FETCH_UNWRITTEN_BYTES_MAX);
    if (hold) {
        list_add_tail(&puts->held, &put->link);
        puts->held_bytes += len;
        node_wait_store(puts->node, &puts->waiter);
        return;
    }
    list_init(&put->link);
    put_end(put, err);
}

static void on_store_writable(struct store_waiter *w, struct mtime now)
{
    struct fetch_puts *puts = container_of(w, struct fetch_puts, waiter);
    struct list again;

    (void)now;
    list_init(&again);
    while (!list_empty(&puts->held)) {
        struct list *first = list_first(&puts->held);
        list_remove(first);
        list_add_tail(&again, first);
    }
    puts->held_bytes = 0;
    while (!list_empty(&again)) {
        struct list *first = list_first(&again);
        list_remove(first);
        put_start(puts, container_of(first, struct fetch_put, link));
    }
}

void fetch_puts_add(struct fetch_puts *puts, struct block *block)
{
    if (puts->lease == NULL && !node_takes_cache(puts->node))
        return;

    struct fetch_put *put = mem_zalloc(1, sizeof(*put));

    put->put.done = put_done;
    put->node = puts->node;
    put->puts = puts;
    put->lease = lease_ref(puts->lease);
    put->block = block_ref(block);
    puts->count++;
    puts->unwritten_bytes += block->data.bytes.len;
    put_start(puts, put);
}

/* All of them. */

void fetch_puts_init(struct fetch_puts *puts, struct node *n, bool keep)
{
    *puts = (struct fetch_puts){
        .node = n,
        .epoch = store_epoch(node_store(n)),
    };
    if (keep) {
        puts->lease = mem_zalloc(1, sizeof(*puts->lease));
        puts->lease->refs = 1;
        puts->lease->lease = store_lease_new(node_store(n));
    }
    list_init(&puts->at_store);
    list_init(&puts->held);
    store_waiter_init(&puts->waiter, on_store_writable);
}

void fetch_puts_release(struct fetch_puts *puts)
{
    list_for_each_safe (it, &puts->at_store) {
        struct fetch_put *put = container_of(it, struct fetch_put, link);
        list_remove(it);
        put->puts = NULL;
    }
    list_for_each_safe (it, &puts->held) {
        struct fetch_put *put = container_of(it, struct fetch_put, link);
        list_remove(it);
        lease_unref(put->lease);
        block_unref(put->block);
        mem_free(put);
    }
    if (puts->wait != NULL)
        puts->wait->puts = NULL;
    store_waiter_cancel(&puts->waiter);
    lease_unref(puts->lease);
}

void fetch_puts_keep(struct fetch_puts *puts, const struct multihash *hash)
{
    if (puts->lease != NULL)
        store_lease_keep(puts->lease->lease, hash);
}

bool fetch_puts_room(const struct fetch_puts *puts)
{
    return puts->unwritten_bytes <= FETCH_UNWRITTEN_BYTES_MAX;
}
