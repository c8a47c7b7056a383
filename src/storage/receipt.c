#include "storage/receipt.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "multiformats/key.h"
#include "storage/fields_priv.h"
#include "storage/parts_priv.h"

static const char receipt_domain[] = "xmbl/receipt/1";

enum {
    RECEIPT_KEYS = 10,
    SIGNED_BYTES_MAX = RECEIPT_BYTES_MAX + 64,
};

/* What holds of every receipt, whoever made it; all but holder and sig. */
static enum err check_fields(const struct storage_receipt *r)
{
    if (!object_network_ok(bytes_str(r->network)))
        return E_MALFORMED;
    enum err err = object_root_check(&r->root);
    if (err != OK)
        return err;
    if (r->stored_s > OBJECT_TIME_MAX_S || r->until_s > OBJECT_TIME_MAX_S ||
        r->seq > OBJECT_SEQ_MAX)
        return E_LIMIT;
    if (r->seq == 0 || r->until_s <= r->stored_s)
        return E_MALFORMED;
    if (r->until_s > r->seq / 1000 + RECEIPT_LIFE_MAX_S)
        return E_LIMIT;
    return OK;
}

/* The key that verifies what @holder signs; a view into @holder. */
static enum err holder_key(const struct peer_id *holder, struct pubkey *ret_key)
{
    struct pubkey key;

    if (peer_id_key(holder, &key) != OK || key.type != KEY_ED25519)
        return E_UNSUPPORTED;
    *ret_key = key;
    return OK;
}

static void put_receipt(struct wr *w, const struct storage_receipt *r,
                        bool with_sig)
{
    cbor_put_map(w, with_sig ? RECEIPT_KEYS : RECEIPT_KEYS - 1);
    cbor_put_key(w, "v");
    cbor_put_uint(w, RECEIPT_VERSION);
    cbor_put_key(w, "seq");
    cbor_put_uint(w, r->seq);
    if (with_sig) {
        cbor_put_key(w, "sig");
        cbor_put_bytes(w, (struct bytes){r->sig, sizeof(r->sig)});
    }
    cbor_put_key(w, "root");
    cbor_put_link(w, &r->root);
    cbor_put_key(w, "owner");
    cbor_put_bytes(w, (struct bytes){r->owner, sizeof(r->owner)});
    cbor_put_key(w, "until");
    cbor_put_uint(w, r->until_s);
    cbor_put_key(w, "holder");
    cbor_put_bytes(w, peer_id_bytes(&r->holder));
    cbor_put_key(w, "record");
    cbor_put_bytes(w, (struct bytes){r->record_hash, sizeof(r->record_hash)});
    cbor_put_key(w, "stored");
    cbor_put_uint(w, r->stored_s);
    cbor_put_key(w, "network");
    cbor_put_text(w, bytes_str(r->network));
}

void receipt_encode(struct wr *w, const struct storage_receipt *receipt)
{
    put_receipt(w, receipt, true);
}

void receipt_write(struct wr *w, const struct checked_receipt *receipt)
{
    put_receipt(w, &receipt->receipt, true);
}

static void get_holder(struct cbor_rd *r, struct peer_id *ret_holder)
{
    struct bytes in = cbor_get_bytes(r, PEER_ID_BYTES_MAX);
    struct pubkey key;

    if (r->rd.err != OK)
        return;
    enum err err = peer_id_decode(in, ret_holder);
    if (err == OK)
        err = holder_key(ret_holder, &key);
    if (err != OK)
        rd_fail(&r->rd, err == E_SHORT ? E_MALFORMED : err);
}

enum err receipt_decode(struct bytes in, struct storage_receipt *ret_receipt)
{
    struct storage_receipt receipt = {.seq = 0};
    struct cbor_rd r;

    if (in.len > RECEIPT_BYTES_MAX)
        return E_LIMIT;
    cbor_rd_init(&r, in, CBOR_STRICT);
    (void)cbor_get_map(&r, RECEIPT_KEYS); /* cbor_end() counts the keys */
    field_version(&r, RECEIPT_VERSION);
    cbor_get_key(&r, "seq");
    receipt.seq = cbor_get_uint(&r, OBJECT_SEQ_MAX);
    cbor_get_key(&r, "sig");
    field_exactly(&r, receipt.sig, sizeof(receipt.sig));
    cbor_get_key(&r, "root");
    cbor_get_link(&r, &receipt.root);
    cbor_get_key(&r, "owner");
    field_exactly(&r, receipt.owner, sizeof(receipt.owner));
    cbor_get_key(&r, "until");
    receipt.until_s = cbor_get_uint(&r, OBJECT_TIME_MAX_S);
    cbor_get_key(&r, "holder");
    get_holder(&r, &receipt.holder);
    cbor_get_key(&r, "record");
    field_exactly(&r, receipt.record_hash, sizeof(receipt.record_hash));
    cbor_get_key(&r, "stored");
    receipt.stored_s = cbor_get_uint(&r, OBJECT_TIME_MAX_S);
    cbor_get_key(&r, "network");
    field_network(&r, receipt.network);
    cbor_end(&r);
    enum err err = cbor_finish(&r);
    if (err == OK)
        err = check_fields(&receipt);
    if (err != OK)
        return err;
    *ret_receipt = receipt;
    return OK;
}

/* What the signature is over; @buf has room for it. */
static struct bytes signed_bytes(const struct storage_receipt *receipt,
                                 uint8_t *buf, size_t buf_len)
{
    uint8_t body_buf[RECEIPT_BYTES_MAX];
    struct wr body_wr = wr_init(body_buf, sizeof(body_buf));
    struct bytes body;

    put_receipt(&body_wr, receipt, false);
    enum err err = wr_finish(&body_wr, &body);
    assert(err == OK); /* the fields were checked */
    return parts_signed(bytes_str(receipt_domain), body, buf, buf_len);
}

enum err receipt_sign(const struct storage_receipt *receipt,
                      const struct privkey *key,
                      struct checked_receipt *ret_receipt)
{
    struct checked_receipt checked = {.receipt = *receipt};
    struct storage_receipt *r = &checked.receipt;
    uint8_t buf[SIGNED_BYTES_MAX];

    if (memchr(r->network, '\0', sizeof(r->network)) == NULL)
        return E_LIMIT;
    enum err err = check_fields(r);
    if (err != OK)
        return err;
    r->holder = privkey_peer_id(key);
    privkey_sign(key, signed_bytes(r, buf, sizeof(buf)), r->sig);
    *ret_receipt = checked;
    return OK;
}

enum err receipt_open(struct bytes in, struct checked_receipt *ret_receipt)
{
    struct checked_receipt checked;
    uint8_t buf[SIGNED_BYTES_MAX];
    struct pubkey key;
    const struct storage_receipt *r = &checked.receipt;
    enum err err = receipt_decode(in, &checked.receipt);

    if (err == OK)
        err = holder_key(&r->holder, &key);
    if (err != OK)
        return err;
    err = ed25519_verify(key.data.p, signed_bytes(r, buf, sizeof(buf)), r->sig);
    if (err != OK)
        return err;
    *ret_receipt = checked;
    return OK;
}

enum object_fault receipt_check(const struct checked_receipt *receipt,
                                const char *network, uint64_t now_ms)
{
    const struct storage_receipt *r = &receipt->receipt;
    uint64_t now_s = now_ms / 1000;

    if (strcmp(r->network, network) != 0)
        return OBJECT_OTHER_NETWORK;
    if (r->until_s <= now_s)
        return OBJECT_EXPIRED;
    if (r->stored_s > now_s && r->stored_s - now_s > OBJECT_SKEW_MAX_S)
        return OBJECT_FROM_FUTURE;
    if (r->seq > now_ms && r->seq - now_ms > UINT64_C(1000) * OBJECT_SKEW_MAX_S)
        return OBJECT_FROM_FUTURE;
    return OBJECT_FINE;
}

bool receipt_is_for(const struct checked_receipt *receipt,
                    const struct checked_object *object)
{
    const struct storage_receipt *r = &receipt->receipt;
    const struct object_record *o = &object->record;

    return strcmp(r->network, o->network) == 0 && cid_eq(&r->root, &o->root) &&
           memcmp(r->owner, o->owner, sizeof(r->owner)) == 0 &&
           memcmp(r->record_hash, object->hash, sizeof(r->record_hash)) == 0;
}

bool receipt_replaces(const struct checked_receipt *newer,
                      const struct checked_receipt *older)
{
    const struct storage_receipt *a = &newer->receipt;
    const struct storage_receipt *b = &older->receipt;

    if (!peer_id_eq(&a->holder, &b->holder) || !cid_eq(&a->root, &b->root) ||
        memcmp(a->owner, b->owner, sizeof(a->owner)) != 0)
        return false;
    if (a->seq != b->seq)
        return a->seq > b->seq;
    return memcmp(a->sig, b->sig, sizeof(a->sig)) > 0;
}
