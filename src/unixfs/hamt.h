#ifndef UNIXFS_HAMT_H
#define UNIXFS_HAMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "ipld/dag_pb.h"
#include "unixfs/unixfs.h"

/*
 * hamt - one shard of a folder that is sharded by the hash of the names.
 *
 * A shard has a link for each bucket that is not empty, in ascending order:
 * an entry, or a shard of the next level where two or more share the bucket.
 * A link's name begins with the bucket in hexadecimal, upper case.
 *
 * Spec: ipfs/specs src/unixfs.md, "HAMT structure".
 */

enum { HAMT_PREFIX_MAX = 3 };

/** struct hamt_shard - an opened shard and a place in its links. */
struct hamt_shard {
    struct dag_pb pb;
    uint32_t fanout;
    uint32_t bits;       /* of the hash for one level */
    uint32_t prefix_len; /* digits before each name */
    struct bytes bitfield;
};

/** struct hamt_link - one link of a shard. */
struct hamt_link {
    uint32_t bucket;
    bool is_shard;     /* a shard of the next level; has no name */
    struct bytes name; /* of an entry, without the digits */
    struct cid cid;
    uint64_t tsize;
};

/**
 * hamt_open - check a shard and stand before its first link.
 * @pb: the opened block.
 * @u: its message, whose type is UNIXFS_HAMT (asserted).
 *
 * Return: OK; E_MALFORMED when bitfield and links do not agree in number and
 * order, or a name does not begin with digits.
 */
MUST_USE enum err hamt_open(const struct dag_pb *pb, const struct unixfs *u,
                            struct hamt_shard *ret_shard);

/** hamt_link_next - the next link; false after the last. */
bool hamt_link_next(struct hamt_shard *s, struct hamt_link *ret_link);

/**
 * hamt_bucket - bucket of @hash at level @depth.
 * @bits: of the hash for one level, 3 to 10.
 *
 * Return: OK; E_LIMIT when the hash is used up at this depth.
 */
MUST_USE enum err hamt_bucket(uint64_t hash, uint32_t bits, uint32_t depth,
                              uint32_t *ret_bucket);

/** hamt_fanout_bits - bits for one level: the logarithm of @fanout. */
uint32_t hamt_fanout_bits(uint32_t fanout);

/** hamt_prefix_len - digits that the largest bucket has. */
uint32_t hamt_prefix_len(uint32_t fanout);

#endif /* UNIXFS_HAMT_H */
