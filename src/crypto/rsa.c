#include "crypto/rsa.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

static bool is_wanted(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && bits >= RSA_BITS_MIN &&
           bits <= RSA_BITS_MAX;
}

static enum err load(struct bytes spki, EVP_PKEY **ret_key)
{
    if (spki.len > RSA_SPKI_BYTES_MAX)
        return E_LIMIT;
    if (spki.len == 0)
        return E_MALFORMED;
    const unsigned char *pos = spki.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &pos, (long)spki.len);
    if (key == NULL)
        return E_MALFORMED;
    if (pos != spki.p + spki.len) {
        EVP_PKEY_free(key);
        return E_MALFORMED;
    }
    if (!is_wanted(key)) {
        EVP_PKEY_free(key);
        return E_UNSUPPORTED;
    }
    *ret_key = key;
    return OK;
}

enum err rsa_verify(struct bytes spki, struct bytes msg, struct bytes sig)
{
    EVP_PKEY *key = NULL;
    enum err err = load(spki, &key);
    if (err != OK) {
        ERR_clear_error();
        return err;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert(ctx != NULL);
    /* PKCS#1 v1.5 is what an RSA key means when nothing else is asked for. */
    int ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key);
    assert(ok == 1);
    ok = EVP_DigestVerify(ctx, sig.p, sig.len, msg.p, msg.len);
    if (ok != 1)
        ERR_clear_error();
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok == 1 ? OK : E_MISMATCH;
}
