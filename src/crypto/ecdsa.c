#include "crypto/ecdsa.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    POINT_FULL_BYTES = 65, /* 04, x, y */
    SPKI_HEAD_BYTES = ECDSA_SPKI_BYTES - POINT_FULL_BYTES,
    DER_SEQUENCE = 0x30,
};

/*
 * Everything before the point in the one DER form of a P-256 key: the
 * algorithm id-ecPublicKey, the curve prime256v1 by name, a bit string.
 * Comparing it keeps curves given by parameters away from the library.
 */
static const uint8_t p256_head[SPKI_HEAD_BYTES] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};

/* NULL when @point is not on the curve. */
static EVP_PKEY *load(const char *curve, struct bytes point)
{
    /* libcrypto takes parameters by pointers that are not const. */
    char group[16] = {0};
    uint8_t copy[POINT_FULL_BYTES];
    assert(strlen(curve) < sizeof(group));
    assert(point.len <= sizeof(copy));
    memcpy(group, curve, strlen(curve) + 1);
    memcpy(copy, point.p, point.len);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy,
                                          point.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    assert(ctx != NULL);
    int ok = EVP_PKEY_fromdata_init(ctx);
    assert(ok == 1);
    EVP_PKEY *key = NULL;
    if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static enum err verify(const char *curve, struct bytes point, struct bytes msg,
                       struct bytes sig)
{
    EVP_PKEY *key = load(curve, point);
    if (key == NULL) {
        ERR_clear_error();
        return E_MALFORMED;
    }
    int ok = 0;
    if (sig.len > 0 && sig.len <= ECDSA_SIG_BYTES_MAX) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        assert(ctx != NULL);
        ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key);
        assert(ok == 1);
        ok = EVP_DigestVerify(ctx, sig.p, sig.len, msg.p, msg.len);
        EVP_MD_CTX_free(ctx);
    }
    if (ok != 1)
        ERR_clear_error();
    EVP_PKEY_free(key);
    return ok == 1 ? OK : E_MISMATCH;
}

enum err ecdsa_verify_p256(struct bytes spki, struct bytes msg,
                           struct bytes sig)
{
    if (spki.len == 0 || spki.p[0] != DER_SEQUENCE)
        return E_MALFORMED;
    if (spki.len != ECDSA_SPKI_BYTES ||
        memcmp(spki.p, p256_head, SPKI_HEAD_BYTES) != 0)
        return E_UNSUPPORTED;
    struct bytes point = bytes_sub(spki, SPKI_HEAD_BYTES, POINT_FULL_BYTES);
    return verify("prime256v1", point, msg, sig);
}

enum err ecdsa_verify_secp256k1(struct bytes point, struct bytes msg,
                                struct bytes sig)
{
    if (point.len != ECDSA_POINT_BYTES)
        return E_MALFORMED;
    return verify("secp256k1", point, msg, sig);
}
