#ifndef CRYPTO_ECDSA_H
#define CRYPTO_ECDSA_H

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    ECDSA_POINT_BYTES = 33,   /* compressed point of secp256k1 */
    ECDSA_SPKI_BYTES = 91,    /* DER of a public key of P-256 */
    ECDSA_SIG_BYTES_MAX = 80, /* DER of a signature; 256 bits need 72 */
};

/**
 * ecdsa_verify_p256 - check a DER signature over SHA-256 of @msg, P-256.
 * @spki: DER SubjectPublicKeyInfo, from outside.
 * @sig: DER signature, from outside.
 *
 * Return: OK; E_MISMATCH for a wrong signature; E_MALFORMED when @spki is no
 * key or its point is not on the curve; E_UNSUPPORTED for another kind of key,
 * another curve, or a point that is not written out in full.
 *
 * Spec: libp2p/specs peer-ids.md, "ECDSA".
 */
MUST_USE enum err ecdsa_verify_p256(struct bytes spki, struct bytes msg,
                                    struct bytes sig);

/**
 * ecdsa_verify_secp256k1 - the same for a secp256k1 key.
 * @point: compressed point, ECDSA_POINT_BYTES, from outside.
 *
 * Return: OK; E_MISMATCH for a wrong signature; E_MALFORMED when @point is no
 * compressed point of the curve.
 *
 * Spec: libp2p/specs peer-ids.md, "Secp256k1".
 */
MUST_USE enum err ecdsa_verify_secp256k1(struct bytes point, struct bytes msg,
                                         struct bytes sig);

#endif /* CRYPTO_ECDSA_H */
