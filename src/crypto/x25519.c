#include "crypto/x25519.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stddef.h>
#include <string.h>

#include "crypto/secret.h"

static EVP_PKEY *load_secret(const uint8_t *secret)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret,
                                                 X25519_BYTES);
    assert(key != NULL);
    return key;
}

void x25519_public(const uint8_t secret[static X25519_BYTES],
                   uint8_t ret_public[static X25519_BYTES])
{
    EVP_PKEY *key = load_secret(secret);
    size_t len = X25519_BYTES;
    int ok = EVP_PKEY_get_raw_public_key(key, ret_public, &len);
    assert(ok == 1);
    assert(len == X25519_BYTES);
    EVP_PKEY_free(key);
}

/*
 * Without a public key libcrypto would compute one, which takes as long as the
 * agreement itself and is not looked at by it.  So it is given zeros instead.
 */
static EVP_PKEY *load_secret_only(const uint8_t *secret)
{
    /* Parameters are passed by pointers that are not const. */
    uint8_t copy[X25519_BYTES];
    uint8_t zeros[X25519_BYTES] = {0};
    memcpy(copy, secret, sizeof(copy));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, copy,
                                          sizeof(copy)),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, zeros,
                                          sizeof(zeros)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
    assert(ctx != NULL);
    int ok = EVP_PKEY_fromdata_init(ctx);
    assert(ok == 1);
    EVP_PKEY *key = NULL;
    ok = EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
    assert(ok == 1);
    EVP_PKEY_CTX_free(ctx);
    secret_wipe(copy, sizeof(copy));
    return key;
}

enum err x25519_shared(const uint8_t secret[static X25519_BYTES],
                       const uint8_t peer_public[static X25519_BYTES],
                       uint8_t ret_shared[static X25519_BYTES])
{
    EVP_PKEY *key = load_secret_only(secret);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL,
                                                 peer_public, X25519_BYTES);
    assert(peer != NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert(ctx != NULL);
    int ok = EVP_PKEY_derive_init(ctx);
    assert(ok == 1);
    ok = EVP_PKEY_derive_set_peer(ctx, peer);
    assert(ok == 1);

    /* The one thing that libcrypto refuses here is a result of all zeros. */
    size_t len = X25519_BYTES;
    ok = EVP_PKEY_derive(ctx, ret_shared, &len);
    if (ok != 1)
        ERR_clear_error();

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
    return ok == 1 ? OK : E_MALFORMED;
}
