#ifndef MULTIFORMATS_MULTIHASH_H
#define MULTIFORMATS_MULTIHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"

struct wr;

enum {
    MULTIHASH_DIGEST_MAX = 64, /* longest digest that we keep, bytes */
    MULTIHASH_BYTES_MAX = 9 + 1 + MULTIHASH_DIGEST_MAX, /* binary form */
    /* Shortest digest that may name content; identity may be shorter. */
    MULTIHASH_DIGEST_MIN = 20,
};

/**
 * struct multihash - a digest that says by which function it was made.
 *
 * A plain value: copy it by assignment, compare it with multihash_eq().
 *
 * Spec: multiformats/multihash README.md, "Format".
 */
struct multihash {
    uint64_t code; /* multicodec of the function, e.g. 0x12 sha2-256 */
    uint8_t len;   /* of the digest, bytes */
    uint8_t digest[MULTIHASH_DIGEST_MAX]; /* bytes past len are zero */
};

/**
 * multihash_read - next multihash of @r.
 * @ret_hash: always written; of use only if @r has not failed.
 *
 * Fails with E_SHORT, E_MALFORMED, and with E_LIMIT for a digest over
 * MULTIHASH_DIGEST_MAX.
 */
void multihash_read(struct rd *r, struct multihash *ret_hash);

/**
 * multihash_decode - parse a binary multihash that fills @in exactly.
 *
 * Return: OK; the failures of multihash_read(); E_MALFORMED for bytes left.
 */
MUST_USE enum err multihash_decode(struct bytes in, struct multihash *ret_hash);

/** multihash_write - the binary form of @hash, at most MULTIHASH_BYTES_MAX. */
void multihash_write(struct wr *w, const struct multihash *hash);

/**
 * multihash_encode - the binary form of @hash at @dst.
 *
 * Return: the number of bytes written; cannot fail.
 */
size_t multihash_encode(const struct multihash *hash,
                        uint8_t dst[static MULTIHASH_BYTES_MAX]);

/** multihash_eq - true when @a and @b are the same. */
bool multihash_eq(const struct multihash *a, const struct multihash *b);

/** multihash_cmp - order by function, then digest; below, at or above 0. */
int multihash_cmp(const struct multihash *a, const struct multihash *b);

/** multihash_sha256 - sha2-256 multihash of @in. */
struct multihash multihash_sha256(struct bytes in);

/**
 * multihash_verify - whether @in is what @hash names.
 *
 * A digest shorter than the function's natural one is compared as a prefix.
 * Ask multihash_is_allowed() first where the hash came from outside.
 *
 * Return: OK; E_MISMATCH; E_UNSUPPORTED for a function that we cannot compute.
 */
MUST_USE enum err multihash_verify(const struct multihash *hash,
                                   struct bytes in);

/**
 * multihash_is_allowed - whether content may be named by @hash.
 *
 * Return: false for functions off the list of functions that others accept and
 * for digests under MULTIHASH_DIGEST_MIN bytes, except identity.
 *
 * Spec: ipfs/boxo verifcid/allowlist.go, the set of functions.
 */
bool multihash_is_allowed(const struct multihash *hash);

#endif /* MULTIFORMATS_MULTIHASH_H */
