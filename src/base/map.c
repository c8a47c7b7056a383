#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { BUCKETS_MIN = 16 };

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t le64(const uint8_t *p, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

uint64_t siphash13(const uint8_t key[static 16], struct bytes in)
{
    uint64_t k0 = le64(key, 8);
    uint64_t k1 = le64(key + 8, 8);
    uint64_t v[4] = {
        k0 ^ UINT64_C(0x736f6d6570736575),
        k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261),
        k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = in.len / 8 * 8;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = le64(in.p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)in.len << 56;
    if (in.len > whole)
        last |= le64(in.p + whole, in.len - whole);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m, const uint8_t seed[static 16])
{
    *m = (struct map){.buckets = NULL};
    list_init(&m->order);
    memcpy(m->seed, seed, sizeof(m->seed));
}

void map_release(struct map *m)
{
    mem_free(m->buckets);
    m->buckets = NULL;
    m->buckets_count = 0;
    m->count = 0;
}

static struct map_node **bucket_of(const struct map *m, uint64_t hash)
{
    return &m->buckets[hash & (m->buckets_count - 1)];
}

static struct map_node *find(const struct map *m, uint64_t hash,
                             struct bytes key)
{
    if (m->count == 0)
        return NULL;
    struct map_node *n = *bucket_of(m, hash);
    while (n != NULL && (n->hash != hash || !bytes_eq(n->key, key)))
        n = n->chain;
    return n;
}

struct map_node *map_get(const struct map *m, struct bytes key)
{
    return m->count == 0 ? NULL : find(m, siphash13(m->seed, key), key);
}

static void grow(struct map *m)
{
    mem_free(m->buckets);
    m->buckets_count =
        m->buckets_count == 0 ? BUCKETS_MIN : 2 * m->buckets_count;
    m->buckets = mem_zalloc(m->buckets_count, sizeof(struct map_node *));
    list_for_each (it, &m->order) {
        struct map_node *n = container_of(it, struct map_node, order);
        struct map_node **b = bucket_of(m, n->hash);
        n->chain = *b;
        *b = n;
    }
}

void map_put(struct map *m, struct map_node *node, struct bytes key)
{
    uint64_t hash = siphash13(m->seed, key);
    assert(find(m, hash, key) == NULL);

    if (m->count >= m->buckets_count)
        grow(m);
    node->key = key;
    node->hash = hash;
    struct map_node **b = bucket_of(m, node->hash);
    node->chain = *b;
    *b = node;
    list_add_tail(&m->order, &node->order);
    m->count++;
}

void map_remove(struct map *m, struct map_node *node)
{
    struct map_node **at = bucket_of(m, node->hash);

    while (*at != node) {
        assert(*at != NULL);
        at = &(*at)->chain;
    }
    *at = node->chain;
    list_remove(&node->order);
    m->count--;
}

struct map_node *map_first(const struct map *m)
{
    if (list_empty(&m->order))
        return NULL;
    return container_of(list_first(&m->order), struct map_node, order);
}

struct map_node *map_next(const struct map *m, const struct map_node *node)
{
    if (node->order.next == &m->order)
        return NULL;
    return container_of(node->order.next, struct map_node, order);
}
