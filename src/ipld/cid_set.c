#include "ipld/cid_set.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/sha256.h"

enum { SLOTS_MIN = 64 };

/*
 * Nearly all CIDs have 32 bytes of sha2-256, which are kept as they are, with
 * the codec, below 2^63, plus 1.  Of all others the sha2-256 of the whole CID
 * is kept under a tag that no codec makes.
 */
static const uint64_t tag_other = UINT64_MAX;

static struct cid_slot slot_for(const struct cid *cid)
{
    struct cid_slot slot = {.tag = cid->codec + 1};

    if (cid->hash.code == HASH_SHA2_256 && cid->hash.len == SHA256_BYTES) {
        memcpy(slot.digest, cid->hash.digest, SHA256_BYTES);
        return slot;
    }
    uint8_t binary[CID_BYTES_MAX];
    struct cid v1 = cid_to_v1(cid);
    size_t len = cid_encode(&v1, binary);
    slot.tag = tag_other;
    sha256((struct bytes){binary, len}, slot.digest);
    return slot;
}

static bool slot_eq(const struct cid_slot *a, const struct cid_slot *b)
{
    return a->tag == b->tag && memcmp(a->digest, b->digest, 32) == 0;
}

/* Where @slot is, or the empty place where it would be put. */
static struct cid_slot *find(const struct cid_set *s,
                             const struct cid_slot *slot)
{
    uint64_t hash = siphash13(s->seed, (struct bytes){slot->digest, 32});
    size_t at = (size_t)hash & (s->slots_count - 1);

    while (s->slots[at].tag != 0 && !slot_eq(&s->slots[at], slot))
        at = (at + 1) & (s->slots_count - 1);
    return &s->slots[at];
}

static void grow(struct cid_set *s)
{
    struct cid_set bigger = *s;

    bigger.slots_count = s->slots_count == 0 ? SLOTS_MIN : 2 * s->slots_count;
    bigger.slots = mem_zalloc(bigger.slots_count, sizeof(struct cid_slot));
    for (size_t i = 0; i < s->slots_count; i++) {
        if (s->slots[i].tag != 0)
            *find(&bigger, &s->slots[i]) = s->slots[i];
    }
    mem_free(s->slots);
    *s = bigger;
}

void cid_set_init(struct cid_set *s, const uint8_t seed[static 16])
{
    *s = (struct cid_set){.slots = NULL};
    memcpy(s->seed, seed, sizeof(s->seed));
}

void cid_set_release(struct cid_set *s)
{
    mem_free(s->slots);
    s->slots = NULL;
    s->slots_count = 0;
    s->count = 0;
}

bool cid_set_add(struct cid_set *s, const struct cid *cid)
{
    struct cid_slot slot = slot_for(cid);

    /* At most three quarters full, or probing gets long. */
    if (s->count >= s->slots_count / 4 * 3)
        grow(s);
    struct cid_slot *at = find(s, &slot);
    if (at->tag != 0)
        return false;
    *at = slot;
    s->count++;
    return true;
}

bool cid_set_has(const struct cid_set *s, const struct cid *cid)
{
    struct cid_slot slot = slot_for(cid);

    return s->count > 0 && find(s, &slot)->tag != 0;
}
