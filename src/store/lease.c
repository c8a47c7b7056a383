#include <assert.h>

#include "base/mem.h"
#include "store/store_priv.h"

/*
 * A lease protects what was put under it: blocks that are new, by their place
 * behind where the log stood when it began, and the others by a list of keys.
 * When that would grow over LEASE_KEYS_MAX it protects everything.
 */
struct store_lease {
    struct store *store;
    struct list link; /* in collector.leases */
    struct store_place start;
    struct map keys;
    bool everything;
    bool ended;
    uint64_t end; /* roots before this one must have been counted */
};

struct lease_key {
    struct map_node node;
    struct store_key key;
};

struct store_lease *store_lease_new(struct store *s)
{
    static const uint8_t seed[16] = {0}; /* keys are hashes that we checked */
    struct store_lease *l = mem_zalloc(1, sizeof(*l));

    l->store = s;
    l->start = writer_place(&s->writer);
    map_init(&l->keys, seed);
    list_add_tail(&s->collector.leases, &l->link);
    return l;
}

static void lease_free(struct store_lease *l)
{
    struct map_node *n = map_first(&l->keys);

    while (n != NULL) {
        map_remove(&l->keys, n);
        mem_free(container_of(n, struct lease_key, node));
        n = map_first(&l->keys);
    }
    map_release(&l->keys);
    list_remove(&l->link);
    mem_free(l);
}

void lease_note(struct store_lease *l, const struct store_key *key)
{
    assert(!l->ended);

    if (l->everything || map_get(&l->keys, store_key_bytes(key)) != NULL)
        return;
    if (l->keys.count >= LEASE_KEYS_MAX) {
        l->everything = true;
        return;
    }
    struct lease_key *k = mem_zalloc(1, sizeof(*k));
    k->key = *key;
    map_put(&l->keys, &k->node, store_key_bytes(&k->key));
}

void store_lease_keep(struct store_lease *l, const struct multihash *hash)
{
    struct store_key key = store_key_of(hash);

    lease_note(l, &key);
}

void store_lease_end(struct store_lease *l)
{
    if (l == NULL)
        return;
    assert(!l->ended);

    l->ended = true;
    l->end = l->store->totals.queue_tail;
    collector_wake(l->store);
}

bool lease_protects(const struct store *s, const struct store_key *key,
                    const struct location *l)
{
    list_for_each (it, &s->collector.leases) {
        const struct store_lease *lease =
            container_of(it, struct store_lease, link);
        if (lease->everything)
            return true;
        if ((l->flags & RECORD_KEEP) != 0 &&
            !store_place_before(l->place, lease->start))
            return true;
        if (map_get(&lease->keys, store_key_bytes(key)) != NULL)
            return true;
    }
    return false;
}

void lease_expire(struct store *s)
{
    const struct totals *t = &s->totals;
    /* The root at queue_head - 1 is not done while the stack holds some. */
    uint64_t passed = t->stack_depth > 0 ? t->queue_head - 1 : t->queue_head;

    list_for_each_safe (it, &s->collector.leases) {
        struct store_lease *l = container_of(it, struct store_lease, link);
        if (l->ended && passed >= l->end) {
            s->sweep.fruitless = false;
            lease_free(l);
        }
    }
}

void lease_release(struct store *s)
{
    list_for_each_safe (it, &s->collector.leases)
        lease_free(container_of(it, struct store_lease, link));
}
