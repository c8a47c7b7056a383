#ifndef IPLD_BLOCK_H
#define IPLD_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/cid.h"

/*
 * block - bytes that were seen to have the CID they are named by.
 *
 * There is no other way to make one than to hash the bytes, or to say, with a
 * word that a reader can search for, that somebody has (block_trust()).
 * Counted like a buf; immutable.
 */

/*
 * Largest block that is stored, sent or accepted.
 * Spec: specs of bitswap 1.2, "Block Sizes": 2 MiB.
 */
enum { BLOCK_BYTES_MAX = 2 * 1024 * 1024 };

struct block {
    uint32_t refs; /* private */
    struct cid cid;
    struct slice data; /* the block's own reference to its bytes */
};

/**
 * block_make - hash @data and name it, CIDv1 or v0 with sha2-256.
 * @codec: multicodec; for @version 0 it must be dag-pb (asserted).
 * @data: at most BLOCK_BYTES_MAX bytes (asserted); its reference passes to
 *   the block.
 */
MUST_USE struct block *block_make(unsigned version, uint64_t codec,
                                  struct slice data);

/**
 * block_check - hash @data and compare with @cid.
 * @data: its reference passes to the block on OK only.
 *
 * Return: OK; E_MISMATCH; E_LIMIT for data over BLOCK_BYTES_MAX;
 * E_UNSUPPORTED for a hash function that we do not compute.
 */
MUST_USE enum err block_check(const struct cid *cid, struct slice data,
                              struct block **ret_block);

/**
 * block_trust - block of @data that was hashed elsewhere: by a pool job that
 * compared the digest with @cid, or before it was written to our own store.
 * @data: its reference passes to the block.
 */
MUST_USE struct block *block_trust(const struct cid *cid, struct slice data);

/**
 * block_identity - the block that an identity CID holds within itself, so that
 * nobody has to be asked for it.
 * @cid: an identity CID, see cid_is_identity() (asserted).
 */
MUST_USE struct block *block_identity(const struct cid *cid);

/** block_ref - one more reference to @b; returns @b. */
struct block *block_ref(struct block *b);

/** block_unref - drop one reference; the last frees.  NULL does nothing. */
void block_unref(struct block *b);

#endif /* IPLD_BLOCK_H */
