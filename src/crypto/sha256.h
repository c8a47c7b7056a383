#ifndef CRYPTO_SHA256_H
#define CRYPTO_SHA256_H

#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

enum {
    SHA256_BYTES = 32,        /* a digest */
    SHA256_STATE_BYTES = 112, /* the state of a running hash */
};

/**
 * struct sha256 - SHA-256 of bytes that come in pieces.
 *
 * A plain value: a copy by assignment continues on its own.
 */
struct sha256 {
    uint64_t opaque[SHA256_STATE_BYTES / 8];
};

/**
 * sha256 - digest of @in at once, the fast way for whole blocks.
 * @ret_digest: room for SHA256_BYTES; must not overlap @in.
 *
 * Spec: FIPS 180-4, 6.2.
 */
void sha256(struct bytes in, uint8_t ret_digest[static SHA256_BYTES]);

/** sha256_init - start a hash of no bytes yet in @s. */
void sha256_init(struct sha256 *s);

/** sha256_update - hash @in after all that came before. */
void sha256_update(struct sha256 *s, struct bytes in);

/**
 * sha256_final - digest of everything given so far; @s is used up and wiped.
 * @ret_digest: room for SHA256_BYTES.
 */
void sha256_final(struct sha256 *s, uint8_t ret_digest[static SHA256_BYTES]);

#endif /* CRYPTO_SHA256_H */
