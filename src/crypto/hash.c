#include "crypto/hash.h"

#include <assert.h>
#include <openssl/evp.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <string.h>

#include "crypto/sha256.h"

_Static_assert(HASH_BYTES_MAX == crypto_generichash_blake2b_BYTES_MAX,
               "the longest BLAKE2b fits");

static const EVP_MD *find_digest(uint64_t code)
{
    switch (code) {
    case HASH_SHA1:
        return EVP_sha1();
    case HASH_SHA2_512:
        return EVP_sha512();
    case HASH_SHA3_512:
        return EVP_sha3_512();
    case HASH_SHA3_384:
        return EVP_sha3_384();
    case HASH_SHA3_256:
        return EVP_sha3_256();
    case HASH_SHA3_224:
        return EVP_sha3_224();
    default:
        return NULL;
    }
}

static size_t by_openssl(const EVP_MD *md, struct bytes in, uint8_t *dst)
{
    unsigned int len = 0;
    int ok = EVP_Digest(in.p, in.len, dst, &len, md, NULL);
    assert(ok == 1);
    assert(len <= HASH_BYTES_MAX);
    return len;
}

static size_t by_blake2b(uint64_t code, struct bytes in, uint8_t *dst)
{
    size_t len = 20 + (size_t)(code - HASH_BLAKE2B_160);
    int failed = crypto_generichash_blake2b(dst, len, in.p, in.len, NULL, 0);
    assert(failed == 0);
    return len;
}

static size_t by_sha256_twice(struct bytes in, uint8_t *dst)
{
    uint8_t once[SHA256_BYTES];
    sha256(in, once);
    sha256((struct bytes){once, sizeof(once)}, dst);
    return SHA256_BYTES;
}

enum err hash_compute(uint64_t code, struct bytes in,
                      uint8_t ret_digest[static HASH_BYTES_MAX],
                      size_t *ret_len)
{
    if (code == HASH_SHA2_256) {
        sha256(in, ret_digest);
        *ret_len = SHA256_BYTES;
        return OK;
    }
    if (code == HASH_IDENTITY) {
        if (in.len > HASH_BYTES_MAX)
            return E_LIMIT;
        if (in.len > 0)
            memcpy(ret_digest, in.p, in.len);
        *ret_len = in.len;
        return OK;
    }
    if (code == HASH_DBL_SHA2_256) {
        *ret_len = by_sha256_twice(in, ret_digest);
        return OK;
    }
    if (code >= HASH_BLAKE2B_160 && code <= HASH_BLAKE2B_512) {
        *ret_len = by_blake2b(code, in, ret_digest);
        return OK;
    }
    const EVP_MD *md = find_digest(code);
    if (md == NULL)
        return E_UNSUPPORTED;
    *ret_len = by_openssl(md, in, ret_digest);
    return OK;
}
