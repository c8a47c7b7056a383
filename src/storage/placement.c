#include "storage/placement.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "crypto/sha256.h"
#include "storage/parts_priv.h"

/* What sets tickets apart, and mixes the bits of each: splitmix64. */
#define TICKET_STEP UINT64_C(0x9e3779b97f4a7c15)
#define MIX_FIRST   UINT64_C(0xbf58476d1ce4e5b9)
#define MIX_SECOND  UINT64_C(0x94d049bb133111eb)

enum { MIB_BITS = 20 };

const char *placement_tier_name(enum placement_tier tier)
{
    switch (tier) {
    case PLACEMENT_GROUP:
        return "group";
    case PLACEMENT_SUBNET:
        return "subnet";
    case PLACEMENT_ADDRESS:
        return "address";
    case PLACEMENT_OPERATOR:
        return "operator";
    case PLACEMENT_PEER:
        return "peer";
    }
    return "?";
}

uint8_t placement_class(uint64_t free_bytes)
{
    uint8_t class = 0;

    for (uint64_t mib = free_bytes >> MIB_BITS; mib > 0; mib >>= 1)
        class ++;
    return class < PLACEMENT_CLASS_MAX ? class : PLACEMENT_CLASS_MAX;
}

/* Where the tickets of @peer for the root @root begin. */
static uint64_t ticket_seed(struct bytes root, const struct peer_id *peer)
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 s;

    sha256_init(&s);
    parts_hash(&s, BYTES_LIT("xmbl/place/1"));
    parts_hash(&s, root);
    parts_hash(&s, peer_id_bytes(peer));
    sha256_final(&s, digest);
    struct rd r = rd_init((struct bytes){digest, sizeof(digest)});
    return rd_be64(&r);
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * MIX_FIRST;
    z = (z ^ z >> 27) * MIX_SECOND;
    return z ^ z >> 31;
}

static uint64_t best_ticket(uint64_t seed, uint8_t weight)
{
    uint64_t best = 0;

    for (uint8_t j = 0; j < weight; j++) {
        seed += TICKET_STEP;
        uint64_t ticket = mix(seed);
        if (ticket > best)
            best = ticket;
    }
    return best;
}

uint64_t placement_score(const struct cid *root, const struct peer_id *peer,
                         uint8_t weight)
{
    struct cid v1 = cid_to_v1(root);
    uint8_t name[CID_BYTES_MAX];
    size_t len = cid_encode(&v1, name);

    assert(weight > 0);
    assert(weight <= PLACEMENT_CLASS_MAX);
    return best_ticket(ticket_seed((struct bytes){name, len}, peer), weight);
}

/* Whether @a comes behind @b. */
static bool is_behind(const struct placement_candidate *candidates,
                      const struct placement_rank *a,
                      const struct placement_rank *b)
{
    const struct placement_candidate *ca = &candidates[a->index];
    const struct placement_candidate *cb = &candidates[b->index];

    if ((ca->free_class == 0) != (cb->free_class == 0))
        return ca->free_class == 0;
    if (a->score != b->score)
        return a->score < b->score;
    return peer_id_cmp(&ca->peer, &cb->peer) > 0;
}

/* Lets the rank at @at sink to its place in a heap with the last on top. */
static void sift_down(const struct placement_candidate *candidates,
                      struct placement_rank *heap, size_t at, size_t count)
{
    struct placement_rank moved = heap[at];

    while (2 * at + 1 < count) {
        size_t child = 2 * at + 1;
        if (child + 1 < count &&
            is_behind(candidates, &heap[child + 1], &heap[child]))
            child++;
        if (!is_behind(candidates, &heap[child], &moved))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

void placement_order(const struct cid *root,
                     const struct placement_candidate *candidates, size_t count,
                     struct placement_rank *ret_order)
{
    struct cid v1 = cid_to_v1(root);
    uint8_t name[CID_BYTES_MAX];
    size_t len = cid_encode(&v1, name);

    assert(count <= UINT32_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct placement_candidate *c = &candidates[i];
        assert(c->free_class <= PLACEMENT_CLASS_MAX);
        uint64_t seed = ticket_seed((struct bytes){name, len}, &c->peer);
        ret_order[i].score = best_ticket(seed, c->free_class);
        ret_order[i].index = (uint32_t)i;
    }
    for (size_t at = count / 2; at-- > 0;)
        sift_down(candidates, ret_order, at, count);
    for (size_t left = count; left > 1; left--) {
        struct placement_rank last = ret_order[0];
        ret_order[0] = ret_order[left - 1];
        ret_order[left - 1] = last;
        sift_down(candidates, ret_order, 0, left - 1);
    }
}

/* IPv4 address in the last 4 bytes of one mapped into IPv6. */
static struct ma_ip unmapped(const struct ma_ip *ip)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0,    0,
                                       0, 0, 0, 0, 0xff, 0xff};

    if (ip->len != 16 || memcmp(ip->bytes, prefix, sizeof(prefix)) != 0)
        return *ip;
    struct ma_ip v4 = {.len = 4};
    memcpy(v4.bytes, ip->bytes + sizeof(prefix), v4.len);
    return v4;
}

/* Leading bytes of an address that two nodes of @tier may not share. */
static size_t prefix_len(enum placement_tier tier, bool is_v4)
{
    switch (tier) {
    case PLACEMENT_GROUP:
        return is_v4 ? 2 : 4;
    case PLACEMENT_SUBNET:
        return is_v4 ? 3 : 6;
    case PLACEMENT_ADDRESS:
    case PLACEMENT_OPERATOR:
        return is_v4 ? 4 : 8;
    case PLACEMENT_PEER:
        break;
    }
    return 0;
}

static bool same_network(enum placement_tier tier, const struct ma_ip *a,
                         const struct ma_ip *b)
{
    struct ma_ip x = unmapped(a);
    struct ma_ip y = unmapped(b);

    if (x.len != y.len)
        return false;
    if (x.len == 0)
        return true; /* nothing is known of both */
    return memcmp(x.bytes, y.bytes, prefix_len(tier, x.len == 4)) == 0;
}

static bool same_operator(const struct placement_candidate *a,
                          const struct placement_candidate *b)
{
    return bytes_eq((struct bytes){a->operator_id, a->operator_len},
                    (struct bytes){b->operator_id, b->operator_len}) &&
           a->operator_len > 0;
}

/* Whether @a and @b may both keep an object in @tier. */
static bool differ(enum placement_tier tier,
                   const struct placement_candidate *a,
                   const struct placement_candidate *b)
{
    if (tier == PLACEMENT_PEER)
        return true;
    if (tier != PLACEMENT_OPERATOR && same_operator(a, b))
        return false;
    return !same_network(tier, &a->ip, &b->ip);
}

/* Nodes that hold an object or are to: indices of candidates. */
struct taken {
    uint32_t *indices; /* owned */
    size_t count;
};

static void take_holders(struct taken *t, const enum placement_use *use,
                         size_t count)
{
    t->indices = mem_alloc(count * sizeof(*t->indices));
    t->count = 0;
    for (size_t i = 0; use != NULL && i < count; i++) {
        if (use[i] == PLACEMENT_HOLDS)
            t->indices[t->count++] = (uint32_t)i;
    }
}

static bool differs_from_all(const struct taken *t, enum placement_tier tier,
                             const struct placement_candidate *candidates,
                             uint32_t index)
{
    for (size_t i = 0; i < t->count; i++) {
        uint32_t other = t->indices[i];
        if (other == index ||
            !differ(tier, &candidates[other], &candidates[index]))
            return false;
    }
    return true;
}

static bool may_choose(const struct placement_candidate *c,
                       const struct placement_want *want, uint32_t index)
{
    return c->free_class > 0 && c->quality >= want->quality_min &&
           (want->use == NULL || want->use[index] == PLACEMENT_FREE);
}

size_t placement_choose(const struct placement_candidate *candidates,
                        const struct placement_rank *order, size_t count,
                        const struct placement_want *want, size_t *ret_chosen,
                        enum placement_tier *ret_tier)
{
    struct taken taken;
    size_t chosen = 0;

    *ret_tier = PLACEMENT_GROUP;
    take_holders(&taken, want->use, count);
    for (unsigned tier = PLACEMENT_GROUP; tier <= PLACEMENT_PEER; tier++) {
        for (size_t i = 0; i < count && chosen < want->count; i++) {
            uint32_t index = order[i].index;
            if (!may_choose(&candidates[index], want, index) ||
                !differs_from_all(&taken, (enum placement_tier)tier, candidates,
                                  index))
                continue;
            ret_chosen[chosen++] = index;
            taken.indices[taken.count++] = index;
            *ret_tier = (enum placement_tier)tier;
        }
    }
    mem_free(taken.indices);
    return chosen;
}

enum placement_tier
placement_tier_of(const struct placement_candidate *candidates, size_t count,
                  const enum placement_use *use)
{
    unsigned tier = PLACEMENT_GROUP;
    struct taken all;

    take_holders(&all, use, count);
    for (size_t i = 1; i < all.count; i++) {
        struct taken before = {.indices = all.indices, .count = i};
        while (!differs_from_all(&before, (enum placement_tier)tier, candidates,
                                 all.indices[i]))
            tier++;
    }
    mem_free(all.indices);
    return (enum placement_tier)tier;
}
