#ifndef CRYPTO_X25519_H
#define CRYPTO_X25519_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum { X25519_BYTES = 32 }; /* secret keys, public keys and shared secrets */

/**
 * x25519_public - public key of @secret.
 * @secret: 32 random bytes; clamped inside, stored as they are.
 *
 * Spec: RFC 7748, 6.1.
 */
void x25519_public(const uint8_t secret[static X25519_BYTES],
                   uint8_t ret_public[static X25519_BYTES]);

/**
 * x25519_shared - secret that both ends of a key agreement compute.
 * @peer_public: the other's key, from outside.
 *
 * Return: OK; E_MALFORMED when the result is all zero, that is when
 * @peer_public is a point of small order.
 *
 * Spec: RFC 7748, 6.1.
 */
MUST_USE enum err x25519_shared(const uint8_t secret[static X25519_BYTES],
                                const uint8_t peer_public[static X25519_BYTES],
                                uint8_t ret_shared[static X25519_BYTES]);

#endif /* CRYPTO_X25519_H */
