#include "multiformats/peer_id.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/hash.h"
#include "crypto/sha256.h"
#include "multiformats/cid.h"
#include "multiformats/key.h"
#include "multiformats/multibase.h"
#include "multiformats/multihash.h"

enum {
    SHORT_CHARS = 6,
};

static enum err from_hash(const struct multihash *hash, struct peer_id *ret_id)
{
    if (hash->code == HASH_IDENTITY) {
        if (hash->len == 0)
            return E_MALFORMED;
        if (hash->len > PEER_ID_BYTES_MAX - 2)
            return E_LIMIT;
    } else if (hash->code != HASH_SHA2_256 || hash->len != SHA256_BYTES) {
        return E_UNSUPPORTED;
    }
    struct peer_id id = {0};
    struct wr w = wr_init(id.bytes, sizeof(id.bytes));
    multihash_write(&w, hash);
    assert(w.err == OK);
    id.len = (uint8_t)wr_len(&w);
    *ret_id = id;
    return OK;
}

static enum err to_hash(const struct peer_id *id, struct multihash *ret_hash)
{
    return multihash_decode(peer_id_bytes(id), ret_hash);
}

enum err peer_id_decode(struct bytes in, struct peer_id *ret_id)
{
    struct multihash hash;
    enum err err = multihash_decode(in, &hash);
    if (err != OK)
        return err;
    return from_hash(&hash, ret_id);
}

struct bytes peer_id_bytes(const struct peer_id *id)
{
    assert(id->len <= PEER_ID_BYTES_MAX);
    return (struct bytes){id->bytes, id->len};
}

struct peer_id peer_id_of_key(struct bytes encoded)
{
    struct multihash hash = {.code = HASH_IDENTITY};
    if (encoded.len <= PEER_ID_INLINE_KEY_MAX) {
        assert(encoded.len > 0);
        hash.len = (uint8_t)encoded.len;
        memcpy(hash.digest, encoded.p, encoded.len);
    } else {
        hash = multihash_sha256(encoded);
    }
    struct peer_id id;
    enum err err = from_hash(&hash, &id);
    assert(err == OK);
    return id;
}

struct peer_id peer_id_of_pubkey(const struct pubkey *key)
{
    uint8_t encoded[PUBKEY_BYTES_MAX];
    struct wr w = wr_init(encoded, sizeof(encoded));
    pubkey_write(&w, key);
    assert(w.err == OK);
    return peer_id_of_key((struct bytes){encoded, wr_len(&w)});
}

enum err peer_id_key(const struct peer_id *id, struct pubkey *ret_key)
{
    struct rd r = rd_init(peer_id_bytes(id));
    uint64_t code = rd_uvarint(&r);
    uint64_t len = rd_uvarint(&r);
    struct bytes encoded = rd_view(&r, len);
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    if (code != HASH_IDENTITY)
        return E_NOTFOUND;
    return pubkey_decode(encoded, ret_key);
}

static bool is_base58_text(struct bytes text)
{
    return text.p[0] == '1' ||
           (text.len >= 2 && text.p[0] == 'Q' && text.p[1] == 'm');
}

enum err peer_id_parse(struct bytes text, struct peer_id *ret_id)
{
    if (text.len == 0)
        return E_SHORT;
    if (is_base58_text(text)) {
        if (text.len >= PEER_ID_TEXT_MAX)
            return E_LIMIT;
        uint8_t bytes[PEER_ID_TEXT_MAX];
        size_t len = 0;
        enum err err = multibase_decode_bare(MULTIBASE_58_BTC, text, bytes,
                                             sizeof(bytes), &len);
        if (err != OK)
            return err;
        return peer_id_decode((struct bytes){bytes, len}, ret_id);
    }
    struct cid cid;
    enum err err = cid_parse(text, &cid);
    if (err != OK)
        return err;
    return peer_id_from_cid(&cid, ret_id);
}

size_t peer_id_format(const struct peer_id *id,
                      char dst[static PEER_ID_TEXT_MAX])
{
    size_t len = 0;
    enum err err = multibase_encode_bare(MULTIBASE_58_BTC, peer_id_bytes(id),
                                         dst, PEER_ID_TEXT_MAX, &len);
    assert(err == OK);
    return len;
}

void peer_id_short(const struct peer_id *id, char dst[static PEER_ID_SHORT_MAX])
{
    char text[PEER_ID_TEXT_MAX];
    size_t len = peer_id_format(id, text);
    size_t skip = len > SHORT_CHARS ? len - SHORT_CHARS : 0;
    memcpy(dst, text + skip, len - skip + 1);
}

struct cid peer_id_to_cid(const struct peer_id *id)
{
    struct multihash hash;
    enum err err = to_hash(id, &hash);
    assert(err == OK);
    return cid_from_hash(CODEC_LIBP2P_KEY, &hash);
}

enum err peer_id_from_cid(const struct cid *cid, struct peer_id *ret_id)
{
    if (cid->version != 1 || cid->codec != CODEC_LIBP2P_KEY)
        return E_UNSUPPORTED;
    return from_hash(&cid->hash, ret_id);
}

bool peer_id_eq(const struct peer_id *a, const struct peer_id *b)
{
    return bytes_eq(peer_id_bytes(a), peer_id_bytes(b));
}

int peer_id_cmp(const struct peer_id *a, const struct peer_id *b)
{
    return bytes_cmp(peer_id_bytes(a), peer_id_bytes(b));
}
