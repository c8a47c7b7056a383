#include "crypto/ed25519.h"

/* Nothing else is in this file, so that a program may have its own in place of
 * it. */

enum err ed25519_verify(const uint8_t public_key[static ED25519_PUBLIC_BYTES],
                        struct bytes msg,
                        const uint8_t sig[static ED25519_SIG_BYTES])
{
    return ed25519_check(public_key, msg, sig);
}
