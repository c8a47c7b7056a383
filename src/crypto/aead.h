#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    AEAD_KEY_BYTES = 32,
    AEAD_NONCE_BYTES = 12,
    AEAD_TAG_BYTES = 16,
};

struct evp_cipher_ctx_st;

/**
 * struct aead - ChaCha20-Poly1305 under one key, for many messages.
 *
 * Holds the expanded key; aead_release() wipes it.  Not to be copied.  A zeroed
 * struct holds no key and may be released.
 *
 * Spec: RFC 8439, 2.8.
 */
struct aead {
    struct evp_cipher_ctx_st *ctx; /* owned */
};

/** aead_init - keep @key for the calls that follow; @key is copied. */
void aead_init(struct aead *a, const uint8_t key[static AEAD_KEY_BYTES]);

/** aead_release - wipe and free the key; @a is as zeroed. */
void aead_release(struct aead *a);

/**
 * aead_seal - encrypt the pieces as one message and append its tag.
 * @nonce: never twice with one key; the caller counts.
 * @ad: bytes that are authenticated only; may be empty.
 * @pieces: @count views that together are the plaintext; may be none.
 * @dst: room for the sum of the pieces and AEAD_TAG_BYTES.  It may overlap no
 * piece, except that the only piece may begin exactly at @dst (in place).
 *
 * Return: bytes written to @dst; cannot fail.
 */
size_t aead_seal(struct aead *a, const uint8_t nonce[static AEAD_NONCE_BYTES],
                 struct bytes ad, const struct bytes *pieces, size_t count,
                 uint8_t *dst);

/**
 * aead_open - check and decrypt one message.
 * @sealed: ciphertext and tag, from outside.
 * @dst: room for @sealed.len - AEAD_TAG_BYTES; may be @sealed.p (in place),
 * no other overlap.  Zeroed when the tag is wrong.
 *
 * Return: OK, with @sealed.len - AEAD_TAG_BYTES bytes of plaintext in @dst;
 * E_SHORT for less than a tag; E_MISMATCH when the tag is wrong.
 */
MUST_USE enum err aead_open(struct aead *a,
                            const uint8_t nonce[static AEAD_NONCE_BYTES],
                            struct bytes ad, struct bytes sealed, uint8_t *dst);

#endif /* CRYPTO_AEAD_H */
