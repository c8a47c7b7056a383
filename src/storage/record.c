#include "storage/record.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/hash.h"
#include "crypto/sha256.h"
#include "ipld/block.h"
#include "ipld/dag_cbor.h"
#include "multiformats/key.h"
#include "storage/fields_priv.h"
#include "storage/parts_priv.h"

static const char record_domain[] = "xmbl/object/1";

enum { RECORD_KEYS_MAX = 12, POLICY_KEYS_MAX = 3 };

const char *object_fault_name(enum object_fault fault)
{
    switch (fault) {
    case OBJECT_FINE:
        return "fine";
    case OBJECT_OTHER_NETWORK:
        return "made for another network";
    case OBJECT_FROM_FUTURE:
        return "made later than our clock shows";
    case OBJECT_EXPIRED:
        return "expired";
    case OBJECT_ERASURE:
        return "asks for an erasure code";
    }
    return "?";
}

bool object_network_ok(struct bytes name)
{
    if (name.len == 0 || name.len > OBJECT_NETWORK_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        bool inner = i > 0 && i + 1 < name.len;
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && !(inner && c == '-'))
            return false;
    }
    return true;
}

enum err object_root_check(const struct cid *root)
{
    if (root->version != 1)
        return E_MALFORMED;
    if (cid_is_identity(root) || !cid_is_allowed(root))
        return E_UNSUPPORTED;
    return OK;
}

static enum err check_policy(const struct object_policy *policy)
{
    bool is_code = policy->k > 0;

    if (is_code != (policy->m > 0) || (is_code && policy->copies > 0))
        return E_MALFORMED;
    if (policy->copies > OBJECT_COPIES_MAX || policy->k > OBJECT_DATA_MAX ||
        policy->m > OBJECT_PARITY_MAX ||
        policy->release_delay_s > OBJECT_RELEASE_DELAY_MAX_S)
        return E_LIMIT;
    return OK;
}

static enum err check_sizes(const struct object_record *r)
{
    if (r->size_bytes > OBJECT_SIZE_BYTES_MAX || r->blocks > OBJECT_BLOCKS_MAX)
        return E_LIMIT;
    /* The product is below 2^62. */
    if (r->blocks == 0 || r->size_bytes > r->blocks * BLOCK_BYTES_MAX)
        return E_MALFORMED;
    return OK;
}

static enum err check_times(const struct object_record *r)
{
    if (r->created_s > OBJECT_TIME_MAX_S || r->expires_s > OBJECT_TIME_MAX_S ||
        r->seq > OBJECT_SEQ_MAX)
        return E_LIMIT;
    if (r->seq == 0 || r->expires_s <= r->created_s)
        return E_MALFORMED;
    if (r->expires_s - r->created_s > OBJECT_LIFE_MAX_S)
        return E_LIMIT;
    return OK;
}

/* What holds of every record, whoever made it; all but owner and sig. */
static enum err check_fields(const struct object_record *r)
{
    if (!object_network_ok(bytes_str(r->network)))
        return E_MALFORMED;
    enum err err = object_root_check(&r->root);
    if (err == OK)
        err = check_policy(&r->policy);
    if (err == OK)
        err = check_sizes(r);
    if (err == OK)
        err = check_times(r);
    return err;
}

static void put_policy(struct wr *w, const struct object_policy *policy)
{
    bool is_code = policy->k > 0;

    cbor_put_map(w, is_code ? 3 : 2);
    if (is_code) {
        cbor_put_key(w, "k");
        cbor_put_uint(w, policy->k);
        cbor_put_key(w, "m");
        cbor_put_uint(w, policy->m);
    } else {
        cbor_put_key(w, "copies");
        cbor_put_uint(w, policy->copies);
    }
    cbor_put_key(w, "release_delay_s");
    cbor_put_uint(w, policy->release_delay_s);
}

static void put_record(struct wr *w, const struct object_record *r,
                       bool with_sig)
{
    cbor_put_map(w, 10u + (with_sig ? 1 : 0) + (r->name_len > 0 ? 1 : 0));
    cbor_put_key(w, "v");
    cbor_put_uint(w, OBJECT_VERSION);
    cbor_put_key(w, "seq");
    cbor_put_uint(w, r->seq);
    if (with_sig) {
        cbor_put_key(w, "sig");
        cbor_put_bytes(w, (struct bytes){r->sig, sizeof(r->sig)});
    }
    if (r->name_len > 0) {
        cbor_put_key(w, "name");
        cbor_put_bytes(w, (struct bytes){r->name, r->name_len});
    }
    cbor_put_key(w, "root");
    cbor_put_link(w, &r->root);
    cbor_put_key(w, "owner");
    cbor_put_bytes(w, (struct bytes){r->owner, sizeof(r->owner)});
    cbor_put_key(w, "blocks");
    cbor_put_uint(w, r->blocks);
    cbor_put_key(w, "policy");
    put_policy(w, &r->policy);
    cbor_put_key(w, "created");
    cbor_put_uint(w, r->created_s);
    cbor_put_key(w, "expires");
    cbor_put_uint(w, r->expires_s);
    cbor_put_key(w, "network");
    cbor_put_text(w, bytes_str(r->network));
    cbor_put_key(w, "size_bytes");
    cbor_put_uint(w, r->size_bytes);
}

void object_record_encode(struct wr *w, const struct object_record *record)
{
    put_record(w, record, true);
}

static void get_name(struct cbor_rd *r, struct object_record *ret)
{
    if (!cbor_try_key(r, "name"))
        return;
    struct bytes name = cbor_get_bytes(r, OBJECT_NAME_MAX);
    if (name.len == 0) {
        /* No name is written by leaving it out. */
        rd_fail(&r->rd, E_MALFORMED);
        return;
    }
    memcpy(ret->name, name.p, name.len);
    ret->name_len = (uint8_t)name.len;
}

static void get_policy(struct cbor_rd *r, struct object_policy *ret)
{
    (void)cbor_get_map(r, POLICY_KEYS_MAX); /* cbor_end() counts the keys */
    if (cbor_try_key(r, "k")) {
        ret->k = (uint8_t)cbor_get_uint(r, OBJECT_DATA_MAX);
        cbor_get_key(r, "m");
        ret->m = (uint8_t)cbor_get_uint(r, OBJECT_PARITY_MAX);
        if (ret->k == 0)
            rd_fail(&r->rd, E_MALFORMED);
    } else {
        cbor_get_key(r, "copies");
        ret->copies = (uint8_t)cbor_get_uint(r, OBJECT_COPIES_MAX);
    }
    cbor_get_key(r, "release_delay_s");
    ret->release_delay_s =
        (uint32_t)cbor_get_uint(r, OBJECT_RELEASE_DELAY_MAX_S);
    cbor_end(r);
}

enum err object_record_decode(struct bytes in, struct object_record *ret_record)
{
    struct object_record record = {.seq = 0};
    struct cbor_rd r;

    if (in.len > OBJECT_RECORD_BYTES_MAX)
        return E_LIMIT;
    cbor_rd_init(&r, in, CBOR_STRICT);
    (void)cbor_get_map(&r, RECORD_KEYS_MAX); /* cbor_end() counts the keys */
    field_version(&r, OBJECT_VERSION);
    cbor_get_key(&r, "seq");
    record.seq = cbor_get_uint(&r, OBJECT_SEQ_MAX);
    cbor_get_key(&r, "sig");
    field_exactly(&r, record.sig, sizeof(record.sig));
    get_name(&r, &record);
    cbor_get_key(&r, "root");
    cbor_get_link(&r, &record.root);
    cbor_get_key(&r, "owner");
    field_exactly(&r, record.owner, sizeof(record.owner));
    cbor_get_key(&r, "blocks");
    record.blocks = cbor_get_uint(&r, OBJECT_BLOCKS_MAX);
    cbor_get_key(&r, "policy");
    get_policy(&r, &record.policy);
    cbor_get_key(&r, "created");
    record.created_s = cbor_get_uint(&r, OBJECT_TIME_MAX_S);
    cbor_get_key(&r, "expires");
    record.expires_s = cbor_get_uint(&r, OBJECT_TIME_MAX_S);
    cbor_get_key(&r, "network");
    field_network(&r, record.network);
    cbor_get_key(&r, "size_bytes");
    record.size_bytes = cbor_get_uint(&r, OBJECT_SIZE_BYTES_MAX);
    cbor_end(&r);
    enum err err = cbor_finish(&r);
    if (err == OK)
        err = check_fields(&record);
    if (err != OK)
        return err;
    *ret_record = record;
    return OK;
}

/* What the signature is over; @buf has room for it. */
static struct bytes signed_bytes(const struct object_record *record,
                                 uint8_t *buf, size_t buf_len)
{
    uint8_t body_buf[OBJECT_RECORD_BYTES_MAX];
    struct wr body_wr = wr_init(body_buf, sizeof(body_buf));
    struct bytes body;

    put_record(&body_wr, record, false);
    enum err err = wr_finish(&body_wr, &body);
    assert(err == OK); /* the fields were checked */
    return parts_signed(bytes_str(record_domain), body, buf, buf_len);
}

enum { SIGNED_BYTES_MAX = OBJECT_RECORD_BYTES_MAX + 64 };

static void hash_record(struct checked_object *object)
{
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];
    struct wr w = wr_init(buf, sizeof(buf));
    struct bytes encoded;

    put_record(&w, &object->record, true);
    enum err err = wr_finish(&w, &encoded);
    assert(err == OK); /* the fields were checked */
    sha256(encoded, object->hash);
}

enum err object_sign(const struct object_record *record,
                     const struct privkey *key,
                     struct checked_object *ret_object)
{
    struct checked_object object = {.record = *record};
    struct object_record *r = &object.record;
    uint8_t buf[SIGNED_BYTES_MAX];

    if (memchr(r->network, '\0', sizeof(r->network)) == NULL)
        return E_LIMIT;
    enum err err = check_fields(r);
    if (err != OK)
        return err;
    memset(r->name + r->name_len, 0, sizeof(r->name) - r->name_len);
    struct pubkey owner = privkey_public(key);
    assert(owner.data.len == sizeof(r->owner));
    memcpy(r->owner, owner.data.p, sizeof(r->owner));
    privkey_sign(key, signed_bytes(r, buf, sizeof(buf)), r->sig);
    hash_record(&object);
    *ret_object = object;
    return OK;
}

enum err object_open(struct bytes in, struct checked_object *ret_object)
{
    struct checked_object object;
    uint8_t buf[SIGNED_BYTES_MAX];
    enum err err = object_record_decode(in, &object.record);

    if (err != OK)
        return err;
    const struct object_record *r = &object.record;
    err = ed25519_verify(r->owner, signed_bytes(r, buf, sizeof(buf)), r->sig);
    if (err != OK)
        return err;
    sha256(in, object.hash);
    *ret_object = object;
    return OK;
}

void object_write(struct wr *w, const struct checked_object *object)
{
    put_record(w, &object->record, true);
}

enum object_fault object_check(const struct checked_object *object,
                               const char *network, uint64_t now_ms)
{
    const struct object_record *r = &object->record;
    uint64_t now_s = now_ms / 1000;

    if (strcmp(r->network, network) != 0)
        return OBJECT_OTHER_NETWORK;
    if (r->expires_s <= now_s)
        return OBJECT_EXPIRED;
    if (r->created_s > now_s && r->created_s - now_s > OBJECT_SKEW_MAX_S)
        return OBJECT_FROM_FUTURE;
    if (r->seq > now_ms && r->seq - now_ms > UINT64_C(1000) * OBJECT_SKEW_MAX_S)
        return OBJECT_FROM_FUTURE;
    if (r->policy.k > 0)
        return OBJECT_ERASURE;
    return OBJECT_FINE;
}

bool object_supersedes(const struct checked_object *newer,
                       const struct checked_object *older)
{
    const struct object_record *a = &newer->record;
    const struct object_record *b = &older->record;

    if (!cid_eq(&a->root, &b->root) ||
        memcmp(a->owner, b->owner, sizeof(a->owner)) != 0)
        return false;
    if (a->seq != b->seq)
        return a->seq > b->seq;
    return memcmp(newer->hash, older->hash, sizeof(newer->hash)) > 0;
}

bool object_is_release(const struct object_record *record)
{
    return record->policy.copies == 0 && record->policy.k == 0;
}

void object_id_hash(const struct cid *root,
                    const uint8_t owner[static OBJECT_OWNER_BYTES],
                    uint8_t ret_hash[static OBJECT_HASH_BYTES])
{
    struct cid v1 = cid_to_v1(root);
    uint8_t cid[CID_BYTES_MAX];
    size_t cid_bytes = cid_encode(&v1, cid);
    struct sha256 s;

    sha256_init(&s);
    parts_hash(&s, BYTES_LIT("xmbl/object-id/1"));
    parts_hash(&s, (struct bytes){owner, OBJECT_OWNER_BYTES});
    parts_hash(&s, (struct bytes){cid, cid_bytes});
    sha256_final(&s, ret_hash);
}

struct multihash
owner_index_multihash(const uint8_t owner[static OBJECT_OWNER_BYTES])
{
    struct multihash hash = {.code = HASH_SHA2_256, .len = SHA256_BYTES};
    struct sha256 s;

    sha256_init(&s);
    parts_hash(&s, BYTES_LIT("xmbl/owner"));
    parts_hash(&s, (struct bytes){owner, OBJECT_OWNER_BYTES});
    sha256_final(&s, hash.digest);
    return hash;
}
