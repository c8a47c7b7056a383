#include "kad/keyspace.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/hash.h"
#include "crypto/sha256.h"
#include "multiformats/peer_id.h"

_Static_assert(sizeof(struct kad_key) == SHA256_BYTES, "a point is a digest");
_Static_assert(8 * sizeof(struct kad_key) == KAD_KEY_BITS, "bits of a point");

struct kad_key kad_key_of(struct bytes in)
{
    struct kad_key key = {.b = {0}};

    sha256(in, key.b);
    return key;
}

struct kad_key kad_key_of_peer(const struct peer_id *id)
{
    return kad_key_of(peer_id_bytes(id));
}

struct bytes kad_key_bytes(const struct kad_key *key)
{
    return (struct bytes){.p = key->b, .len = sizeof(key->b)};
}

bool kad_key_eq(const struct kad_key *a, const struct kad_key *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int kad_key_cmp(const struct kad_key *a, const struct kad_key *b)
{
    return memcmp(a->b, b->b, sizeof(a->b));
}

int kad_key_cmp_distance(const struct kad_key *target, const struct kad_key *a,
                         const struct kad_key *b)
{
    for (size_t i = 0; i < KAD_KEY_BYTES; i++) {
        if (a->b[i] == b->b[i])
            continue;
        return (a->b[i] ^ target->b[i]) < (b->b[i] ^ target->b[i]) ? -1 : 1;
    }
    return 0;
}

unsigned kad_key_cpl(const struct kad_key *a, const struct kad_key *b)
{
    unsigned i = 0;

    while (i < KAD_KEY_BYTES && a->b[i] == b->b[i])
        i++;
    if (i == KAD_KEY_BYTES)
        return KAD_KEY_BITS;
    unsigned bits = 0;
    for (unsigned x = a->b[i] ^ b->b[i]; (x & 0x80) == 0; x <<= 1)
        bits++;
    return 8 * i + bits;
}

bool kad_key_bit(const struct kad_key *key, unsigned i)
{
    assert(i < KAD_KEY_BITS);
    return (key->b[i / 8] >> (7 - i % 8) & 1) != 0;
}

void kad_key_set_bit(struct kad_key *key, unsigned i, bool value)
{
    assert(i < KAD_KEY_BITS);
    uint8_t mask = (uint8_t)(0x80 >> i % 8);

    if (value)
        key->b[i / 8] |= mask;
    else
        key->b[i / 8] &= (uint8_t)~mask;
}

/* Every bit of @key from @bits on becomes that of @fill. */
static struct kad_key fill_from(const struct kad_key *key, unsigned bits,
                                uint8_t fill)
{
    assert(bits <= KAD_KEY_BITS);
    struct kad_key out;

    memset(out.b, fill, sizeof(out.b));
    memcpy(out.b, key->b, bits / 8);
    if (bits % 8 != 0) {
        uint8_t mask = (uint8_t)(0xff << (8 - bits % 8));
        uint8_t byte = key->b[bits / 8];
        out.b[bits / 8] = (uint8_t)((byte & mask) | (fill & ~mask));
    }
    return out;
}

struct kad_key kad_key_first(const struct kad_key *key, unsigned bits)
{
    return fill_from(key, bits, 0);
}

struct kad_key kad_key_last(const struct kad_key *key, unsigned bits)
{
    return fill_from(key, bits, 0xff);
}

struct kad_key kad_key_next(const struct kad_key *key)
{
    struct kad_key out = *key;

    for (size_t i = KAD_KEY_BYTES; i > 0; i--) {
        out.b[i - 1]++;
        if (out.b[i - 1] != 0)
            break;
    }
    return out;
}

enum err kad_key_search(const struct kad_key *near, unsigned bits,
                        uint64_t seed, uint32_t tries_max,
                        uint8_t ret_bytes[static KAD_SEARCH_BYTES])
{
    uint8_t bytes[KAD_SEARCH_BYTES] = {HASH_SHA2_256, SHA256_BYTES};

    for (uint32_t i = 0; i < tries_max; i++) {
        struct wr w = wr_init(bytes + 2, sizeof(bytes) - 2);
        wr_be64(&w, seed);
        wr_be32(&w, i);
        struct kad_key key =
            kad_key_of((struct bytes){.p = bytes, .len = sizeof(bytes)});
        if (kad_key_cpl(&key, near) >= bits) {
            memcpy(ret_bytes, bytes, sizeof(bytes));
            return OK;
        }
    }
    return E_NOTFOUND;
}
