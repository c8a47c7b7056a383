#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

/* Hash functions by their multicodec; those that hash_compute() knows. */
enum {
    HASH_IDENTITY = 0x00,
    HASH_SHA1 = 0x11,
    HASH_SHA2_256 = 0x12,
    HASH_SHA2_512 = 0x13,
    HASH_SHA3_512 = 0x14,
    HASH_SHA3_384 = 0x15,
    HASH_SHA3_256 = 0x16,
    HASH_SHA3_224 = 0x17,
    HASH_DBL_SHA2_256 = 0x56,
    HASH_BLAKE2B_160 = 0xb214, /* 0xb201 is 8 bits, 0xb240 is 512 bits */
    HASH_BLAKE2B_256 = 0xb220,
    HASH_BLAKE2B_512 = 0xb240,
};

enum { HASH_BYTES_MAX = 64 }; /* longest digest that hash_compute() makes */

/**
 * hash_compute - digest of @in by the hash function @code.
 * @code: multicodec of a hash function, as a CID claims; any value is safe.
 * @ret_digest: room for HASH_BYTES_MAX bytes; must not overlap @in.
 * @ret_len: natural length of the digest, 20 to HASH_BYTES_MAX bytes; for the
 * identity function the length of @in.
 *
 * Return: OK; E_UNSUPPORTED for a function that we cannot compute; E_LIMIT
 * for the identity of more than HASH_BYTES_MAX bytes.
 *
 * Spec: multiformats/multicodec table.csv, the rows tagged "multihash".
 */
MUST_USE enum err hash_compute(uint64_t code, struct bytes in,
                               uint8_t ret_digest[static HASH_BYTES_MAX],
                               size_t *ret_len);

#endif /* CRYPTO_HASH_H */
