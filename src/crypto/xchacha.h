#ifndef CRYPTO_XCHACHA_H
#define CRYPTO_XCHACHA_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    XCHACHA_KEY_BYTES = 32,
    XCHACHA_NONCE_BYTES = 24, /* long enough to be drawn at random */
    XCHACHA_TAG_BYTES = 16,
};

/**
 * xchacha_seal - encrypt @plain by XChaCha20-Poly1305 and append its tag.
 * @ad: bytes that are authenticated only; may be empty.
 * @dst: room for @plain.len + XCHACHA_TAG_BYTES; may be @plain.p (in place).
 *
 * Spec: draft-irtf-cfrg-xchacha-03, 2.
 */
void xchacha_seal(const uint8_t key[static XCHACHA_KEY_BYTES],
                  const uint8_t nonce[static XCHACHA_NONCE_BYTES],
                  struct bytes ad, struct bytes plain, uint8_t *dst);

/**
 * xchacha_open - check and decrypt what xchacha_seal() made.
 * @sealed: ciphertext and tag, from outside.
 * @dst: room for @sealed.len - XCHACHA_TAG_BYTES; may be @sealed.p.
 *
 * Return: OK; E_SHORT for less than a tag; E_MISMATCH when the tag is wrong.
 */
MUST_USE enum err xchacha_open(const uint8_t key[static XCHACHA_KEY_BYTES],
                               const uint8_t nonce[static XCHACHA_NONCE_BYTES],
                               struct bytes ad, struct bytes sealed,
                               uint8_t *dst);

#endif /* CRYPTO_XCHACHA_H */
