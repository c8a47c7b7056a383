#include "crypto/aead.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

enum {
    SEAL = 1,
    OPEN = 0,
    BLOCK_BYTES = 64,   /* of keystream */
    SHORT_BYTES = 2048, /* up to here a copy is cheaper than a call */
};

void aead_init(struct aead *a, const uint8_t key[static AEAD_KEY_BYTES])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    assert(ctx != NULL);
    int ok =
        EVP_CipherInit_ex(ctx, EVP_chacha20_poly1305(), NULL, key, NULL, SEAL);
    assert(ok == 1);
    a->ctx = ctx;
}

void aead_release(struct aead *a)
{
    EVP_CIPHER_CTX_free(a->ctx);
    a->ctx = NULL;
}

static void start(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, struct bytes ad,
                  int direction)
{
    assert(ctx != NULL);
    assert(ad.len <= INT_MAX);
    int ok = EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, direction);
    assert(ok == 1);
    if (ad.len == 0)
        return;
    int len = 0;
    ok = EVP_CipherUpdate(ctx, NULL, &len, ad.p, (int)ad.len);
    assert(ok == 1);
}

static void cipher(EVP_CIPHER_CTX *ctx, const uint8_t *src, size_t len,
                   uint8_t *dst)
{
    if (len == 0)
        return;
    assert(len <= INT_MAX);
    int written = 0;
    int ok = EVP_CipherUpdate(ctx, dst, &written, src, (int)len);
    assert(ok == 1);
    assert(written == (int)len);
}

/*
 * struct run - plaintext that lies in the output and waits for encryption.
 *
 * A call of the cipher costs as much as a kilobyte of work, and a stream that
 * stands in the middle of a block of the keystream is slow for all that
 * follows.  So short pieces are gathered in the output first, and of a long one
 * whole blocks are read where they lie, once the run before it is whole too.
 */
struct run {
    EVP_CIPHER_CTX *ctx;
    uint8_t *pos; /* end of what was encrypted, begin of the run */
    size_t len;   /* of the run */
};

static void gather(struct run *run, const uint8_t *src, size_t len)
{
    uint8_t *dst = run->pos + run->len;
    if (len > 0 && dst != src)
        memcpy(dst, src, len);
    run->len += len;
}

static void flush(struct run *run)
{
    cipher(run->ctx, run->pos, run->len, run->pos);
    run->pos += run->len;
    run->len = 0;
}

static void seal_piece(struct run *run, struct bytes piece)
{
    if (piece.len <= SHORT_BYTES) {
        gather(run, piece.p, piece.len);
        return;
    }
    size_t head = (BLOCK_BYTES - run->len % BLOCK_BYTES) % BLOCK_BYTES;
    gather(run, piece.p, head);
    flush(run);
    size_t whole = (piece.len - head) / BLOCK_BYTES * BLOCK_BYTES;
    cipher(run->ctx, piece.p + head, whole, run->pos);
    run->pos += whole;
    gather(run, piece.p + head + whole, piece.len - head - whole);
}

size_t aead_seal(struct aead *a, const uint8_t nonce[static AEAD_NONCE_BYTES],
                 struct bytes ad, const struct bytes *pieces, size_t count,
                 uint8_t *dst)
{
    start(a->ctx, nonce, ad, SEAL);
    struct run run = {.ctx = a->ctx, .pos = dst};
    for (size_t i = 0; i < count; i++)
        seal_piece(&run, pieces[i]);
    flush(&run);

    int written = 0;
    int ok = EVP_CipherFinal_ex(a->ctx, run.pos, &written);
    assert(ok == 1);
    ok = EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES,
                             run.pos);
    assert(ok == 1);
    return (size_t)(run.pos - dst) + AEAD_TAG_BYTES;
}

enum err aead_open(struct aead *a, const uint8_t nonce[static AEAD_NONCE_BYTES],
                   struct bytes ad, struct bytes sealed, uint8_t *dst)
{
    if (sealed.len < AEAD_TAG_BYTES)
        return E_SHORT;
    size_t len = sealed.len - AEAD_TAG_BYTES;

    uint8_t tag[AEAD_TAG_BYTES];
    memcpy(tag, sealed.p + len, sizeof(tag));
    start(a->ctx, nonce, ad, OPEN);
    int ok =
        EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag);
    assert(ok == 1);
    cipher(a->ctx, sealed.p, len, dst);
    int written = 0;
    if (EVP_CipherFinal_ex(a->ctx, tag, &written) == 1)
        return OK;
    if (len > 0)
        memset(dst, 0, len);
    return E_MISMATCH;
}
