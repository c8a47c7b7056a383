#include "kad/table.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

void kad_table_init(struct kad_table *t, const struct kad_key *self,
                    uint32_t bucket_max, const uint8_t seed[static 16])
{
    assert(bucket_max >= 1);
    assert(bucket_max <= KAD_K);

    *t = (struct kad_table){.self = *self, .bucket_max = bucket_max};
    map_init(&t->contacts, seed);
}

static void free_contact(struct kad_contact *c)
{
    kad_addrs_release(&c->addrs);
    mem_free(c);
}

void kad_table_release(struct kad_table *t)
{
    struct map_node *node = map_first(&t->contacts);

    while (node != NULL) {
        struct kad_contact *c = container_of(node, struct kad_contact, node);
        map_remove(&t->contacts, node);
        free_contact(c);
        node = map_first(&t->contacts);
    }
    map_release(&t->contacts);
    mem_free(t->buckets);
    t->buckets = NULL;
    t->buckets_count = 0;
}

size_t kad_table_count(const struct kad_table *t)
{
    return t->contacts.count;
}

struct kad_contact *kad_table_get(const struct kad_table *t,
                                  const struct peer_id *id)
{
    struct map_node *node = map_get(&t->contacts, peer_id_bytes(id));

    return node == NULL ? NULL : container_of(node, struct kad_contact, node);
}

static size_t count_group(const struct kad_bucket *b, uint64_t group)
{
    size_t count = 0;

    for (size_t i = 0; i < b->count; i++)
        count += b->contacts[i]->group == group;
    return count;
}

static bool group_has_room(const struct kad_table *t, unsigned cpl,
                           uint64_t group)
{
    size_t count = 0;

    if (group == 0)
        return true;
    if (cpl < t->buckets_count &&
        count_group(&t->buckets[cpl], group) >= KAD_GROUP_BUCKET_MAX)
        return false;
    for (size_t i = 0; i < t->buckets_count; i++)
        count += count_group(&t->buckets[i], group);
    return count < KAD_GROUP_TABLE_MAX;
}

static enum err has_room(const struct kad_table *t, const struct peer_id *id,
                         const struct kad_key *key, uint64_t group)
{
    unsigned cpl = kad_key_cpl(&t->self, key);

    if (cpl == KAD_KEY_BITS)
        return E_REFUSED;
    if (kad_table_get(t, id) != NULL)
        return E_EXISTS;
    if (cpl < t->buckets_count && t->buckets[cpl].count >= t->bucket_max)
        return E_LIMIT;
    return group_has_room(t, cpl, group) ? OK : E_LIMIT;
}

enum err kad_table_has_room(const struct kad_table *t, const struct peer_id *id,
                            uint64_t group)
{
    struct kad_key key = kad_key_of_peer(id);

    return has_room(t, id, &key, group);
}

static void need_bucket(struct kad_table *t, unsigned cpl)
{
    if (cpl < t->buckets_count)
        return;
    size_t count = (size_t)cpl + 1;
    t->buckets = mem_resize(t->buckets, count, sizeof(*t->buckets));
    memset(&t->buckets[t->buckets_count], 0,
           (count - t->buckets_count) * sizeof(*t->buckets));
    t->buckets_count = count;
}

enum err kad_table_add(struct kad_table *t, const struct peer_id *id,
                       uint64_t group, struct mtime now,
                       struct kad_contact **ret_contact)
{
    struct kad_key key = kad_key_of_peer(id);
    enum err err = has_room(t, id, &key, group);

    if (err != OK)
        return err;
    unsigned cpl = kad_key_cpl(&t->self, &key);
    need_bucket(t, cpl);
    struct kad_contact *c = mem_zalloc(1, sizeof(*c));
    c->id = *id;
    c->key = key;
    c->group = group;
    c->cpl = (uint16_t)cpl;
    c->over = MA_CLASS_PUBLIC;
    c->added_at = now;
    c->useful_at = now;
    c->heard_at = now;
    struct kad_bucket *b = &t->buckets[cpl];
    b->contacts[b->count++] = c;
    map_put(&t->contacts, &c->node, peer_id_bytes(&c->id));
    *ret_contact = c;
    return OK;
}

void kad_table_remove(struct kad_table *t, struct kad_contact *c)
{
    struct kad_bucket *b = &t->buckets[c->cpl];
    size_t i = 0;

    while (i < b->count && b->contacts[i] != c)
        i++;
    assert(i < b->count);
    b->count--;
    for (; i < b->count; i++)
        b->contacts[i] = b->contacts[i + 1];
    map_remove(&t->contacts, &c->node);
    free_contact(c);
}

/* The nearest contacts found so far, in order. */
struct nearest {
    const struct kad_key *target;
    const struct peer_id *except;
    struct kad_contact **dst;
    size_t count;
    size_t max;
};

static void offer(struct nearest *n, struct kad_contact *c)
{
    if (n->except != NULL && peer_id_eq(&c->id, n->except))
        return;
    if (n->count == n->max &&
        kad_key_cmp_distance(n->target, &c->key, &n->dst[n->max - 1]->key) >= 0)
        return;
    if (n->count < n->max)
        n->count++;
    size_t at = n->count - 1; /* the last one gives way, or nobody */
    while (at > 0 &&
           kad_key_cmp_distance(n->target, &c->key, &n->dst[at - 1]->key) < 0) {
        n->dst[at] = n->dst[at - 1];
        at--;
    }
    n->dst[at] = c;
}

static void offer_bucket(struct nearest *n, const struct kad_table *t, size_t i)
{
    if (i >= t->buckets_count)
        return;
    for (size_t j = 0; j < t->buckets[i].count; j++)
        offer(n, t->buckets[i].contacts[j]);
}

/*
 * Those of bucket c, where c bits of the target are ours, share more with the
 * target than all others; those of higher buckets share c bits with it, those
 * of a lower one as many as its number.
 */
size_t kad_table_closest(const struct kad_table *t, const struct kad_key *key,
                         const struct peer_id *except, struct kad_contact **dst,
                         size_t max)
{
    assert(max >= 1);
    assert(max <= KAD_K);

    unsigned c = kad_key_cpl(&t->self, key);
    struct nearest n = {
        .target = key, .except = except, .dst = dst, .max = max};
    offer_bucket(&n, t, c);
    if (n.count < max) {
        for (size_t i = (size_t)c + 1; i < t->buckets_count; i++)
            offer_bucket(&n, t, i);
    }
    size_t lower = c < t->buckets_count ? c : t->buckets_count;
    while (lower > 0 && n.count < max)
        offer_bucket(&n, t, --lower);
    return n.count;
}

struct kad_contact *kad_table_at(const struct kad_table *t, size_t i)
{
    for (size_t b = 0; b < t->buckets_count; b++) {
        if (i < t->buckets[b].count)
            return t->buckets[b].contacts[i];
        i -= t->buckets[b].count;
    }
    return NULL;
}

void kad_table_refreshed(struct kad_table *t, const struct kad_key *key,
                         struct mtime now)
{
    unsigned cpl = kad_key_cpl(&t->self, key);

    if (cpl >= t->buckets_count)
        return;
    t->buckets[cpl].refreshed = true;
    t->buckets[cpl].refreshed_at = now;
}

size_t kad_table_used_buckets(const struct kad_table *t)
{
    size_t count = 0;

    for (size_t i = 0; i < t->buckets_count; i++)
        count += t->buckets[i].count > 0;
    return count;
}
