#include "crypto/ed25519.h"

#include <assert.h>
#include <sodium/crypto_sign_ed25519.h>

_Static_assert(ED25519_SEED_BYTES == crypto_sign_ed25519_SEEDBYTES, "seed");
_Static_assert(ED25519_PUBLIC_BYTES == crypto_sign_ed25519_PUBLICKEYBYTES,
               "public key");
_Static_assert(ED25519_SECRET_BYTES == crypto_sign_ed25519_SECRETKEYBYTES,
               "secret key");
_Static_assert(ED25519_SIG_BYTES == crypto_sign_ed25519_BYTES, "signature");

void ed25519_keypair(const uint8_t seed[static ED25519_SEED_BYTES],
                     uint8_t ret_secret[static ED25519_SECRET_BYTES])
{
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    int failed = crypto_sign_ed25519_seed_keypair(public_key, ret_secret, seed);
    assert(failed == 0);
}

void ed25519_sign(const uint8_t secret[static ED25519_SECRET_BYTES],
                  struct bytes msg, uint8_t ret_sig[static ED25519_SIG_BYTES])
{
    int failed =
        crypto_sign_ed25519_detached(ret_sig, NULL, msg.p, msg.len, secret);
    assert(failed == 0);
}

enum err ed25519_check(const uint8_t public_key[static ED25519_PUBLIC_BYTES],
                       struct bytes msg,
                       const uint8_t sig[static ED25519_SIG_BYTES])
{
    int failed =
        crypto_sign_ed25519_verify_detached(sig, msg.p, msg.len, public_key);
    return failed == 0 ? OK : E_MISMATCH;
}
