#ifndef CRYPTO_ED25519_H
#define CRYPTO_ED25519_H

#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    ED25519_SEED_BYTES = 32,
    ED25519_PUBLIC_BYTES = 32,
    ED25519_SECRET_BYTES = 64, /* seed, then public key */
    ED25519_SIG_BYTES = 64,
};

/**
 * ed25519_keypair - the key pair of @seed.
 * @seed: 32 random bytes.
 * @ret_secret: seed and public key, as ed25519_sign() takes them; a secret.
 *
 * The public key is the second half of @ret_secret.
 *
 * Spec: RFC 8032, 5.1.5.
 */
void ed25519_keypair(const uint8_t seed[static ED25519_SEED_BYTES],
                     uint8_t ret_secret[static ED25519_SECRET_BYTES]);

/**
 * ed25519_sign - signature of @msg.
 * @secret: from ed25519_keypair(); the halves must belong together.
 *
 * Spec: RFC 8032, 5.1.6.
 */
void ed25519_sign(const uint8_t secret[static ED25519_SECRET_BYTES],
                  struct bytes msg, uint8_t ret_sig[static ED25519_SIG_BYTES]);

/**
 * ed25519_verify - whether @sig is the signature of @msg by @public_key.
 *
 * The ordinary rules: S below the group order, no cofactor.  Keys of small
 * order and keys that are not canonical are refused too; no honest generator
 * makes them.
 *
 * Return: OK; E_MISMATCH.
 *
 * Spec: RFC 8032, 5.1.7.
 */
MUST_USE enum err
ed25519_verify(const uint8_t public_key[static ED25519_PUBLIC_BYTES],
               struct bytes msg, const uint8_t sig[static ED25519_SIG_BYTES]);

/**
 * ed25519_check - does the work of ed25519_verify(), for it alone: a program
 * that runs many nodes, all of which see the same signatures, has an
 * ed25519_verify() of its own that remembers those that were good.
 */
MUST_USE enum err
ed25519_check(const uint8_t public_key[static ED25519_PUBLIC_BYTES],
              struct bytes msg, const uint8_t sig[static ED25519_SIG_BYTES]);

#endif /* CRYPTO_ED25519_H */
