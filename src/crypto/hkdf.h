#ifndef CRYPTO_HKDF_H
#define CRYPTO_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    HMAC_SHA256_BYTES = 32,
    HMAC_SHA512_BYTES = 64,
    HKDF_BYTES_MAX = 255 * 32, /* most that one hkdf_sha256() gives */
    HKDF_INFO_MAX = 128,       /* longest info, bytes */
    HKDF_KEY_BYTES = 32,       /* each key of hkdf_noise() */
};

/**
 * hmac_sha256 - keyed hash of @in.
 * @key: any length.
 *
 * Spec: RFC 2104.
 */
void hmac_sha256(struct bytes key, struct bytes in,
                 uint8_t ret_mac[static HMAC_SHA256_BYTES]);

/** hmac_sha512 - as hmac_sha256(), with SHA-512. */
void hmac_sha512(struct bytes key, struct bytes in,
                 uint8_t ret_mac[static HMAC_SHA512_BYTES]);

/**
 * hkdf_sha256 - derive @dst_len bytes of key material from @ikm.
 * @salt: may be empty.
 * @info: binds the result to its use; may be empty, at most HKDF_INFO_MAX
 * bytes (asserted).
 * @dst_len: at most HKDF_BYTES_MAX (asserted).
 *
 * Spec: RFC 5869, 2.
 */
void hkdf_sha256(struct bytes salt, struct bytes ikm, struct bytes info,
                 uint8_t *dst, size_t dst_len);

/**
 * hkdf_noise - the two outputs of Noise's HKDF.
 * @chaining_key: the salt; @ret_key1 may be the same memory.
 * @ikm: result of a key agreement, or empty for the final split.
 *
 * Spec: Noise Protocol Framework revision 34, 4.3: HKDF with num_outputs 2.
 */
void hkdf_noise(const uint8_t chaining_key[static HKDF_KEY_BYTES],
                struct bytes ikm, uint8_t ret_key1[static HKDF_KEY_BYTES],
                uint8_t ret_key2[static HKDF_KEY_BYTES]);

#endif /* CRYPTO_HKDF_H */
