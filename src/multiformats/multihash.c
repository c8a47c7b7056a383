#include "multiformats/multihash.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/hash.h"
#include "crypto/sha256.h"

/* Functions that others accept in CIDs and that hash_compute() may lack. */
enum {
    HASH_SHAKE_256 = 0x19,
    HASH_BLAKE3 = 0x1e,
    HASH_BLAKE2S_160 = 0xb254,
    HASH_BLAKE2S_256 = 0xb260,
};

_Static_assert((int)MULTIHASH_DIGEST_MAX == (int)HASH_BYTES_MAX,
               "every digest that we compute fits");

void multihash_read(struct rd *r, struct multihash *ret_hash)
{
    struct multihash hash = {0};
    hash.code = rd_uvarint(r);
    uint64_t len = rd_uvarint(r);
    rd_copy(r, hash.digest, sizeof(hash.digest), len);
    if (r->err == OK)
        hash.len = (uint8_t)len;
    *ret_hash = hash;
}

enum err multihash_decode(struct bytes in, struct multihash *ret_hash)
{
    struct rd r = rd_init(in);
    struct multihash hash;
    multihash_read(&r, &hash);
    enum err err = rd_finish(&r);
    if (err == OK)
        *ret_hash = hash;
    return err;
}

void multihash_write(struct wr *w, const struct multihash *hash)
{
    assert(hash->len <= MULTIHASH_DIGEST_MAX);
    wr_uvarint(w, hash->code);
    wr_uvarint(w, hash->len);
    wr_bytes(w, (struct bytes){hash->digest, hash->len});
}

size_t multihash_encode(const struct multihash *hash,
                        uint8_t dst[static MULTIHASH_BYTES_MAX])
{
    struct wr w = wr_init(dst, MULTIHASH_BYTES_MAX);
    multihash_write(&w, hash);
    assert(w.err == OK);
    return wr_len(&w);
}

bool multihash_eq(const struct multihash *a, const struct multihash *b)
{
    return a->code == b->code && a->len == b->len &&
           memcmp(a->digest, b->digest, a->len) == 0;
}

int multihash_cmp(const struct multihash *a, const struct multihash *b)
{
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    return bytes_cmp((struct bytes){a->digest, a->len},
                     (struct bytes){b->digest, b->len});
}

struct multihash multihash_sha256(struct bytes in)
{
    struct multihash hash = {.code = HASH_SHA2_256, .len = SHA256_BYTES};
    sha256(in, hash.digest);
    return hash;
}

enum err multihash_verify(const struct multihash *hash, struct bytes in)
{
    struct bytes claimed = {hash->digest, hash->len};
    if (hash->code == HASH_IDENTITY)
        return bytes_eq(claimed, in) ? OK : E_MISMATCH;

    uint8_t digest[HASH_BYTES_MAX];
    size_t len = 0;
    enum err err = hash_compute(hash->code, in, digest, &len);
    if (err != OK)
        return err;
    /* No digest at all would be the prefix of any. */
    if (claimed.len == 0 || claimed.len > len)
        return E_MISMATCH;
    return memcmp(digest, claimed.p, claimed.len) == 0 ? OK : E_MISMATCH;
}

static bool is_between(uint64_t code, uint64_t first, uint64_t last)
{
    return code >= first && code <= last;
}

static bool is_known(uint64_t code)
{
    return is_between(code, HASH_SHA1, HASH_SHA3_224) ||
           is_between(code, HASH_SHAKE_256, HASH_BLAKE3) ||
           code == HASH_DBL_SHA2_256 ||
           is_between(code, HASH_BLAKE2B_160, HASH_BLAKE2B_512) ||
           is_between(code, HASH_BLAKE2S_160, HASH_BLAKE2S_256);
}

bool multihash_is_allowed(const struct multihash *hash)
{
    if (hash->code == HASH_IDENTITY)
        return true;
    return is_known(hash->code) && hash->len >= MULTIHASH_DIGEST_MIN;
}
