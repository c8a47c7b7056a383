#ifndef CRYPTO_RSA_H
#define CRYPTO_RSA_H

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 8192,
    RSA_SPKI_BYTES_MAX = 2048, /* DER of a public key; 8192 bits need 1062 */
};

/**
 * rsa_verify - check a PKCS#1 v1.5 signature over SHA-256 of @msg.
 * @spki: DER SubjectPublicKeyInfo, from outside.
 * @sig: from outside; any length.
 *
 * Return: OK; E_MISMATCH for a wrong signature; E_MALFORMED when @spki is not
 * one RSA key exactly; E_LIMIT when @spki is over RSA_SPKI_BYTES_MAX;
 * E_UNSUPPORTED for another kind of key, or one with fewer than RSA_BITS_MIN
 * or more than RSA_BITS_MAX bits.
 *
 * Spec: RFC 8017, 8.2.2; libp2p/specs peer-ids.md, "RSA".
 */
MUST_USE enum err rsa_verify(struct bytes spki, struct bytes msg,
                             struct bytes sig);

#endif /* CRYPTO_RSA_H */
