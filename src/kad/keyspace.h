#ifndef KAD_KEYSPACE_H
#define KAD_KEYSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct peer_id;

/*
 * keyspace - where keys and peers lie, and how far they are from each other.
 */

enum {
    KAD_KEY_BYTES = 32,
    KAD_KEY_BITS = 256,
    /* Length of what kad_key_search() finds: a sha2-256 multihash. */
    KAD_SEARCH_BYTES = 34,
};

/**
 * struct kad_key - a point of the keyspace: SHA-256 of a key's bytes.
 *
 * Spec: libp2p/specs kad-dht README.md, "Distance".
 */
struct kad_key {
    uint8_t b[KAD_KEY_BYTES];
};

/**
 * kad_key_of - where the key @in lies.
 * @in: as in a message: a multihash, a peer id, "/ipns/" and a peer id, ...
 */
struct kad_key kad_key_of(struct bytes in);

/** kad_key_of_peer - where the peer @id lies. */
struct kad_key kad_key_of_peer(const struct peer_id *id);

/** kad_key_bytes - view of @key, valid while it is. */
struct bytes kad_key_bytes(const struct kad_key *key);

/** kad_key_eq - true when @a and @b are the same point. */
bool kad_key_eq(const struct kad_key *a, const struct kad_key *b);

/** kad_key_cmp - order of the points as big-endian numbers; below, at, above 0.
 */
int kad_key_cmp(const struct kad_key *a, const struct kad_key *b);

/**
 * kad_key_cmp_distance - which of @a and @b is nearer to @target.
 *
 * Distance is the exclusive or of two points as a big-endian number.
 *
 * Return: below 0 when @a is nearer, above 0 when @b is, 0 when they are equal.
 */
int kad_key_cmp_distance(const struct kad_key *target, const struct kad_key *a,
                         const struct kad_key *b);

/** kad_key_cpl - bits that @a and @b begin with alike, 0 to KAD_KEY_BITS. */
unsigned kad_key_cpl(const struct kad_key *a, const struct kad_key *b);

/** kad_key_bit - bit @i of @key, 0 the most significant; @i < KAD_KEY_BITS. */
bool kad_key_bit(const struct kad_key *key, unsigned i);

/** kad_key_set_bit - make bit @i of @key, < KAD_KEY_BITS, @value. */
void kad_key_set_bit(struct kad_key *key, unsigned i, bool value);

/** kad_key_first - the lowest point that begins with @bits bits of @key. */
struct kad_key kad_key_first(const struct kad_key *key, unsigned bits);

/** kad_key_last - the highest point that begins with @bits bits of @key. */
struct kad_key kad_key_last(const struct kad_key *key, unsigned bits);

/** kad_key_next - the point after @key; zero after the last one. */
struct kad_key kad_key_next(const struct kad_key *key);

/**
 * kad_key_search - key bytes that lie in a region of the keyspace.
 * @near: the region is the points that begin with @bits bits of it.
 * @seed: where the search begins; another one finds another key.
 * @tries_max: hashes to compute at most; about 2^@bits are needed, and four
 * times as many fail once in 50 times.
 * @ret_bytes: looks like the id of a peer, so that a lookup may ask any peer
 * for it; kad_key_of() it lies in the region.
 *
 * A peer hashes the key that it is asked for, so a lookup cannot aim at a point
 * of which no such key is known.
 *
 * Return: OK; E_NOTFOUND.
 */
MUST_USE enum err kad_key_search(const struct kad_key *near, unsigned bits,
                                 uint64_t seed, uint32_t tries_max,
                                 uint8_t ret_bytes[static KAD_SEARCH_BYTES]);

#endif /* KAD_KEYSPACE_H */
