#include "multiformats/cid.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/hash.h"
#include "crypto/sha256.h"

enum {
    V0_TEXT_LEN = 46,
};

static bool is_v0_hash(const struct multihash *hash)
{
    return hash->code == HASH_SHA2_256 && hash->len == SHA256_BYTES;
}

/* A copy of the reader looks ahead: 0x12 is no version, so one byte decides. */
static bool is_v0_next(struct rd r)
{
    return rd_u8(&r) == HASH_SHA2_256;
}

void cid_read(struct rd *r, struct cid *ret_cid)
{
    struct cid cid = {0};

    /*
     * Spec: multiformats/cid README.md, "Decoding Algorithm":
     *   "If it's 34 bytes long with the leading bytes `[0x12, 0x20, ...]`,
     *   it's a CIDv0."
     */
    if (is_v0_next(*r)) {
        cid.codec = CODEC_DAG_PB;
        multihash_read(r, &cid.hash);
        if (r->err == OK && !is_v0_hash(&cid.hash))
            rd_fail(r, E_UNSUPPORTED);
    } else {
        cid.version = 1;
        if (rd_uvarint(r) != 1)
            rd_fail(r, E_UNSUPPORTED);
        cid.codec = rd_uvarint(r);
        multihash_read(r, &cid.hash);
    }
    *ret_cid = cid;
}

enum err cid_decode(struct bytes in, struct cid *ret_cid)
{
    struct rd r = rd_init(in);
    struct cid cid;
    cid_read(&r, &cid);
    enum err err = rd_finish(&r);
    if (err == OK)
        *ret_cid = cid;
    return err;
}

void cid_write(struct wr *w, const struct cid *cid)
{
    assert(cid->version <= 1);
    if (cid->version == 1) {
        wr_uvarint(w, 1);
        wr_uvarint(w, cid->codec);
    }
    multihash_write(w, &cid->hash);
}

size_t cid_encode(const struct cid *cid, uint8_t dst[static CID_BYTES_MAX])
{
    struct wr w = wr_init(dst, CID_BYTES_MAX);
    cid_write(&w, cid);
    assert(w.err == OK);
    return wr_len(&w);
}

size_t cid_len(const struct cid *cid)
{
    size_t len = uvarint_len(cid->hash.code) + uvarint_len(cid->hash.len) +
                 cid->hash.len;
    if (cid->version == 1)
        len += 1 + uvarint_len(cid->codec);
    return len;
}

static bool is_v0_text(struct bytes text)
{
    return text.len == V0_TEXT_LEN && text.p[0] == 'Q' && text.p[1] == 'm';
}

enum err cid_parse(struct bytes text, struct cid *ret_cid)
{
    if (text.len < 2)
        return E_SHORT;
    if (text.len > CID_PARSE_MAX)
        return E_LIMIT;

    uint8_t bytes[CID_PARSE_MAX];
    size_t len = 0;
    enum err err = is_v0_text(text)
                       ? multibase_decode_bare(MULTIBASE_58_BTC, text, bytes,
                                               sizeof(bytes), &len)
                       : multibase_decode(text, bytes, sizeof(bytes), &len);
    if (err != OK)
        return err;
    return cid_decode((struct bytes){bytes, len}, ret_cid);
}

size_t cid_format_base(const struct cid *cid, enum multibase base,
                       char dst[static CID_TEXT_MAX])
{
    uint8_t bytes[CID_BYTES_MAX];
    struct bytes in = {bytes, cid_encode(cid, bytes)};
    size_t len = 0;
    enum err err = cid->version == 0
                       ? multibase_encode_bare(MULTIBASE_58_BTC, in, dst,
                                               CID_TEXT_MAX, &len)
                       : multibase_encode(base, in, dst, CID_TEXT_MAX, &len);
    assert(err == OK);
    return len;
}

static enum multibase usual_base(const struct cid *cid)
{
    return cid->codec == CODEC_LIBP2P_KEY ? MULTIBASE_36 : MULTIBASE_32;
}

size_t cid_format(const struct cid *cid, char dst[static CID_TEXT_MAX])
{
    return cid_format_base(cid, usual_base(cid), dst);
}

enum err cid_format_label(const struct cid *cid, char dst[static CID_TEXT_MAX],
                          size_t *ret_len)
{
    struct cid v1 = cid_to_v1(cid);
    size_t len = cid_format_base(&v1, usual_base(&v1), dst);
    if (len > CID_LABEL_MAX)
        len = cid_format_base(&v1, MULTIBASE_36, dst);
    if (len > CID_LABEL_MAX)
        return E_LIMIT;
    *ret_len = len;
    return OK;
}

bool cid_eq(const struct cid *a, const struct cid *b)
{
    return a->version == b->version && a->codec == b->codec &&
           multihash_eq(&a->hash, &b->hash);
}

int cid_cmp(const struct cid *a, const struct cid *b)
{
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    if (a->codec != b->codec)
        return a->codec < b->codec ? -1 : 1;
    return multihash_cmp(&a->hash, &b->hash);
}

size_t cid_key(const struct cid *cid, uint8_t dst[static MULTIHASH_BYTES_MAX])
{
    return multihash_encode(&cid->hash, dst);
}

struct cid cid_to_v1(const struct cid *cid)
{
    return cid_from_hash(cid->codec, &cid->hash);
}

enum err cid_to_v0(const struct cid *cid, struct cid *ret_cid)
{
    if (cid->codec != CODEC_DAG_PB || !is_v0_hash(&cid->hash))
        return E_UNSUPPORTED;
    struct cid v0 = *cid;
    v0.version = 0;
    *ret_cid = v0;
    return OK;
}

struct cid cid_from_hash(uint64_t codec, const struct multihash *hash)
{
    return (struct cid){.version = 1, .codec = codec, .hash = *hash};
}

struct cid cid_of(uint64_t codec, struct bytes in)
{
    struct multihash hash = multihash_sha256(in);
    return cid_from_hash(codec, &hash);
}

struct cid cid_v0_of(struct bytes in)
{
    struct cid cid = cid_of(CODEC_DAG_PB, in);
    cid.version = 0;
    return cid;
}

struct cid cid_from_digest(uint64_t codec, const uint8_t digest[static 32])
{
    struct multihash hash = {.code = HASH_SHA2_256, .len = SHA256_BYTES};
    memcpy(hash.digest, digest, SHA256_BYTES);
    return cid_from_hash(codec, &hash);
}

enum err cid_identity(uint64_t codec, struct bytes in, struct cid *ret_cid)
{
    if (in.len > MULTIHASH_DIGEST_MAX)
        return E_LIMIT;
    struct multihash hash = {.code = HASH_IDENTITY, .len = (uint8_t)in.len};
    if (in.len > 0)
        memcpy(hash.digest, in.p, in.len);
    *ret_cid = cid_from_hash(codec, &hash);
    return OK;
}

bool cid_is_identity(const struct cid *cid)
{
    return cid->hash.code == HASH_IDENTITY;
}

bool cid_is_allowed(const struct cid *cid)
{
    return multihash_is_allowed(&cid->hash);
}

enum err cid_verify(const struct cid *cid, struct bytes in)
{
    if (!cid_is_allowed(cid))
        return E_UNSUPPORTED;
    return multihash_verify(&cid->hash, in);
}
