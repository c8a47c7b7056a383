#include "crypto/hkdf.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/secret.h"

static void hmac(const EVP_MD *md, struct bytes key, struct bytes in,
                 uint8_t *dst)
{
    /* An empty key needs an address all the same, or an old one is reused. */
    static const uint8_t no_key[1] = {0};
    assert(key.len <= INT_MAX);
    const uint8_t *p = key.len > 0 ? key.p : no_key;
    const uint8_t *mac = HMAC(md, p, (int)key.len, in.p, in.len, dst, NULL);
    assert(mac == dst);
}

void hmac_sha256(struct bytes key, struct bytes in,
                 uint8_t ret_mac[static HMAC_SHA256_BYTES])
{
    hmac(EVP_sha256(), key, in, ret_mac);
}

void hmac_sha512(struct bytes key, struct bytes in,
                 uint8_t ret_mac[static HMAC_SHA512_BYTES])
{
    hmac(EVP_sha512(), key, in, ret_mac);
}

/* T(n) = HMAC(key, T(n-1) | info | n), T(0) empty; @t holds T(n-1) and T(n). */
static void next_block(struct bytes key, struct bytes info, uint8_t n,
                       uint8_t t[static HMAC_SHA256_BYTES])
{
    /*
     * Short inputs, the rule, go through one call.  Longer ones would need a
     * running HMAC, for which nobody has a use.
     */
    uint8_t in[HMAC_SHA256_BYTES + HKDF_INFO_MAX + 1];
    struct wr w = wr_init(in, sizeof(in));
    if (n > 1)
        wr_bytes(&w, (struct bytes){t, HMAC_SHA256_BYTES});
    wr_bytes(&w, info);
    wr_u8(&w, n);
    assert(w.err == OK);
    hmac_sha256(key, (struct bytes){in, wr_len(&w)}, t);
    secret_wipe(in, sizeof(in));
}

void hkdf_sha256(struct bytes salt, struct bytes ikm, struct bytes info,
                 uint8_t *dst, size_t dst_len)
{
    assert(dst_len <= HKDF_BYTES_MAX);
    assert(info.len <= HKDF_INFO_MAX);
    uint8_t prk[HMAC_SHA256_BYTES];
    hmac_sha256(salt, ikm, prk);

    uint8_t t[HMAC_SHA256_BYTES];
    size_t done = 0;
    for (unsigned n = 1; done < dst_len; n++) {
        next_block((struct bytes){prk, sizeof(prk)}, info, (uint8_t)n, t);
        size_t len = dst_len - done;
        if (len > sizeof(t))
            len = sizeof(t);
        memcpy(dst + done, t, len);
        done += len;
    }
    secret_wipe(t, sizeof(t));
    secret_wipe(prk, sizeof(prk));
}

void hkdf_noise(const uint8_t chaining_key[static HKDF_KEY_BYTES],
                struct bytes ikm, uint8_t ret_key1[static HKDF_KEY_BYTES],
                uint8_t ret_key2[static HKDF_KEY_BYTES])
{
    uint8_t keys[2 * HKDF_KEY_BYTES];
    struct bytes salt = {chaining_key, HKDF_KEY_BYTES};
    hkdf_sha256(salt, ikm, BYTES_EMPTY, keys, sizeof(keys));
    memcpy(ret_key1, keys, HKDF_KEY_BYTES);
    memcpy(ret_key2, keys + HKDF_KEY_BYTES, HKDF_KEY_BYTES);
    secret_wipe(keys, sizeof(keys));
}
