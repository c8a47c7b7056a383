#include "crypto/xchacha.h"

#include <assert.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>

_Static_assert(XCHACHA_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
               "size of a key");
_Static_assert(XCHACHA_NONCE_BYTES ==
                   crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
               "size of a nonce");
_Static_assert(XCHACHA_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "size of a tag");

void xchacha_seal(const uint8_t key[static XCHACHA_KEY_BYTES],
                  const uint8_t nonce[static XCHACHA_NONCE_BYTES],
                  struct bytes ad, struct bytes plain, uint8_t *dst)
{
    unsigned long long len = 0;
    int failed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        dst, &len, plain.p, plain.len, ad.p, ad.len, NULL, nonce, key);
    assert(failed == 0);
    assert(len == plain.len + XCHACHA_TAG_BYTES);
}

enum err xchacha_open(const uint8_t key[static XCHACHA_KEY_BYTES],
                      const uint8_t nonce[static XCHACHA_NONCE_BYTES],
                      struct bytes ad, struct bytes sealed, uint8_t *dst)
{
    if (sealed.len < XCHACHA_TAG_BYTES)
        return E_SHORT;
    unsigned long long len = 0;
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        dst, &len, NULL, sealed.p, sealed.len, ad.p, ad.len, nonce, key);
    return failed == 0 ? OK : E_MISMATCH;
}
