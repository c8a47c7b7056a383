/*
 * The calls of libcrypto that take the state from the caller are deprecated,
 * but they are the only ones that neither allocate nor look the algorithm up
 * by name for every digest, which would cost more than a small block itself.
 */
#define OPENSSL_API_COMPAT 10100

#include "crypto/sha256.h"

#include <assert.h>
#include <openssl/sha.h>
#include <string.h>

#include "crypto/secret.h"

_Static_assert(sizeof(SHA256_CTX) == SHA256_STATE_BYTES, "size of the state");
_Static_assert(SHA256_BYTES == SHA256_DIGEST_LENGTH, "size of a digest");

void sha256(struct bytes in, uint8_t ret_digest[static SHA256_BYTES])
{
    SHA256_CTX state;
    int ok = SHA256_Init(&state);
    if (in.len > 0)
        ok &= SHA256_Update(&state, in.p, in.len);
    ok &= SHA256_Final(ret_digest, &state);
    assert(ok == 1);
}

void sha256_init(struct sha256 *s)
{
    SHA256_CTX state;
    int ok = SHA256_Init(&state);
    assert(ok == 1);
    memcpy(s->opaque, &state, sizeof(state));
}

void sha256_update(struct sha256 *s, struct bytes in)
{
    if (in.len == 0)
        return;
    SHA256_CTX state;
    memcpy(&state, s->opaque, sizeof(state));
    int ok = SHA256_Update(&state, in.p, in.len);
    assert(ok == 1);
    memcpy(s->opaque, &state, sizeof(state));
}

void sha256_final(struct sha256 *s, uint8_t ret_digest[static SHA256_BYTES])
{
    SHA256_CTX state;
    memcpy(&state, s->opaque, sizeof(state));
    int ok = SHA256_Final(ret_digest, &state);
    assert(ok == 1);
    secret_wipe(s->opaque, sizeof(s->opaque));
}
