#include "discovery/capability.h"

#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "multiformats/envelope.h"
#include "multiformats/key.h"
#include "multiformats/pb.h"

enum {
    VERSION = 1,
    PAIRS_ALWAYS = 6, /* v, seq, peer, expires, network, addresses */
    PAIRS_MAX = 10,
    FIELD_PAYLOAD = 3, /* of the envelope */
    MS = 1000,

    /*
     * The longest record: names of the keys (65), heads (3 each), numbers (9),
     * and what they hold; in an envelope of an Ed25519 key.
     */
    LONGEST_MAP = 65 + 3 * 32 + 5 * 9 + CAPABILITY_NETWORK_MAX +
                  PEER_ID_BYTES_MAX + CAPABILITY_COMPUTE_MAX +
                  CAPABILITY_PROFILE_MAX + CAPABILITY_OPERATOR_MAX +
                  CAPABILITY_ADDRS_MAX * CAPABILITY_ADDR_BYTES_MAX,
    LONGEST_SEAL = 2 + PUBKEY_ED25519_BYTES + 2 + 24 + 3 + 2 + 64,
};

_Static_assert(LONGEST_MAP + LONGEST_SEAL <= CAPABILITY_BYTES_MAX,
               "every record fits");
_Static_assert((int)CAPABILITY_COMPUTE_MAX == (int)CAPABILITY_PROFILE_MAX,
               "both are blobs");

static struct envelope_use use(void)
{
    return (struct envelope_use){.domain = BYTES_LIT("xmbl-capability"),
                                 .type = BYTES_LIT("/xmbl/capability/1")};
}

struct bytes capability_operator(const struct capability *c)
{
    return (struct bytes){.p = c->operator_id, .len = c->operator_len};
}

static bool network_ok(struct bytes name)
{
    if (name.len == 0 || name.len > CAPABILITY_NETWORK_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        bool inner = i > 0 && i + 1 < name.len;
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            !(c == '-' && inner))
            return false;
    }
    return true;
}

static bool address_ok(const struct multiaddr *addr)
{
    struct peer_id end;
    return addr->len > 0 && addr->len <= CAPABILITY_ADDR_BYTES_MAX &&
           multiaddr_get_peer(addr, &end) != OK;
}

/* Encoding. ---------------------------------------------------------------- */

static void put_blob(struct wr *w, const char *name,
                     const struct capability_blob *blob)
{
    if (blob->len == 0)
        return;
    assert(blob->len <= sizeof(blob->bytes));
    cbor_put_key(w, name);
    wr_bytes(w, (struct bytes){.p = blob->bytes, .len = blob->len});
}

static void put_storage(struct wr *w, const struct capability *c)
{
    if (!c->has_storage)
        return;
    assert(c->storage_offer <= CAPABILITY_STORAGE_MAX);
    assert(c->storage_free <= c->storage_offer);
    cbor_put_key(w, "storage");
    cbor_put_map(w, 2);
    cbor_put_key(w, "free");
    cbor_put_uint(w, c->storage_free);
    cbor_put_key(w, "offer");
    cbor_put_uint(w, c->storage_offer);
}

static void put_addresses(struct wr *w, const struct capability *c)
{
    assert(c->addr_count <= CAPABILITY_ADDRS_MAX);
    cbor_put_key(w, "addresses");
    cbor_put_list(w, c->addr_count);
    for (size_t i = 0; i < c->addr_count; i++) {
        assert(address_ok(&c->addrs[i]));
        cbor_put_bytes(w, multiaddr_bytes(&c->addrs[i]));
    }
}

static void put_map(struct wr *w, const struct capability *c)
{
    assert(network_ok(bytes_str(c->network)));
    assert(c->operator_len <= CAPABILITY_OPERATOR_MAX);
    cbor_put_map(w, (size_t)PAIRS_ALWAYS + (c->compute.len > 0) +
                        (c->profile.len > 0) + c->has_storage +
                        (c->operator_len > 0));
    cbor_put_key(w, "v");
    cbor_put_uint(w, VERSION);
    cbor_put_key(w, "seq");
    cbor_put_uint(w, c->seq);
    cbor_put_key(w, "peer");
    cbor_put_bytes(w, peer_id_bytes(&c->peer));
    put_blob(w, "compute", &c->compute);
    cbor_put_key(w, "expires");
    cbor_put_uint(w, c->expires_s);
    cbor_put_key(w, "network");
    cbor_put_text(w, bytes_str(c->network));
    put_blob(w, "profile", &c->profile);
    put_storage(w, c);
    if (c->operator_len > 0) {
        cbor_put_key(w, "operator");
        cbor_put_bytes(w, capability_operator(c));
    }
    put_addresses(w, c);
}

void capability_seal(const struct privkey *key, const struct capability *c,
                     struct wr *w)
{
    struct peer_id self = privkey_peer_id(key);
    assert(peer_id_eq(&self, &c->peer));
    uint8_t map[LONGEST_MAP];
    struct wr m = wr_init(map, sizeof(map));
    put_map(&m, c);
    assert(m.err == OK);
    envelope_seal(key, use(), (struct bytes){.p = map, .len = wr_len(&m)}, w);
}

/* Decoding. ---------------------------------------------------------------- */

static void get_blob(struct cbor_rd *r, const char *name, size_t *pairs,
                     struct capability_blob *blob)
{
    if (!cbor_try_key(r, name))
        return;
    (*pairs)++;
    struct bytes value = cbor_skip(r);
    if (value.len > sizeof(blob->bytes)) {
        rd_fail(&r->rd, E_LIMIT);
        return;
    }
    /* The upper 3 bits of a head tell its kind. */
    if (value.len > 0 && value.p[0] >> 5 != 5) {
        rd_fail(&r->rd, E_MALFORMED);
        return;
    }
    if (value.len > 0)
        memcpy(blob->bytes, value.p, value.len);
    blob->len = (uint16_t)value.len;
}

static void get_network(struct cbor_rd *r, struct capability *c)
{
    struct cbor_token t;
    cbor_get_key(r, "network");
    if (!cbor_next(r, &t))
        return;
    if (t.kind != CBOR_TEXT || !network_ok(t.bytes)) {
        rd_fail(&r->rd, E_MALFORMED);
        return;
    }
    memcpy(c->network, t.bytes.p, t.bytes.len);
}

static void get_storage(struct cbor_rd *r, size_t *pairs, struct capability *c)
{
    if (!cbor_try_key(r, "storage"))
        return;
    (*pairs)++;
    c->has_storage = true;
    if (cbor_get_map(r, 2) != 2)
        rd_fail(&r->rd, E_MALFORMED);
    cbor_get_key(r, "free");
    c->storage_free = cbor_get_uint(r, CAPABILITY_STORAGE_MAX);
    cbor_get_key(r, "offer");
    c->storage_offer = cbor_get_uint(r, CAPABILITY_STORAGE_MAX);
    cbor_end(r);
    if (c->storage_free > c->storage_offer)
        rd_fail(&r->rd, E_MALFORMED);
}

static void get_operator(struct cbor_rd *r, size_t *pairs, struct capability *c)
{
    if (!cbor_try_key(r, "operator"))
        return;
    (*pairs)++;
    struct bytes id = cbor_get_bytes(r, CAPABILITY_OPERATOR_MAX);
    if (id.len == 0) {
        rd_fail(&r->rd, E_MALFORMED);
        return;
    }
    memcpy(c->operator_id, id.p, id.len);
    c->operator_len = (uint8_t)id.len;
}

static void get_addresses(struct cbor_rd *r, struct capability *c)
{
    cbor_get_key(r, "addresses");
    size_t count = cbor_get_list(r, CAPABILITY_ADDRS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct multiaddr *addr = &c->addrs[c->addr_count];
        struct bytes in = cbor_get_bytes(r, CAPABILITY_ADDR_BYTES_MAX);
        if (r->rd.err != OK)
            return;
        enum err err = multiaddr_decode(in, addr);
        if (err == E_UNSUPPORTED)
            continue;
        if (err == OK && !address_ok(addr))
            err = E_MALFORMED;
        if (err != OK)
            rd_fail(&r->rd, err);
        c->addr_count++;
    }
    cbor_end(r);
}

static enum err decode_map(struct bytes in, struct capability *c)
{
    struct cbor_rd r;
    memset(c, 0, sizeof(*c));
    cbor_rd_init(&r, in, CBOR_STRICT);
    size_t count = cbor_get_map(&r, PAIRS_MAX);
    size_t pairs = PAIRS_ALWAYS;

    cbor_get_key(&r, "v");
    if (cbor_get_uint(&r, UINT64_MAX) != VERSION)
        rd_fail(&r.rd, E_UNSUPPORTED);
    cbor_get_key(&r, "seq");
    c->seq = cbor_get_uint(&r, UINT64_MAX);
    cbor_get_key(&r, "peer");
    cbor_get_peer(&r, &c->peer);
    get_blob(&r, "compute", &pairs, &c->compute);
    cbor_get_key(&r, "expires");
    c->expires_s = cbor_get_uint(&r, UINT64_MAX);
    get_network(&r, c);
    get_blob(&r, "profile", &pairs, &c->profile);
    get_storage(&r, &pairs, c);
    get_operator(&r, &pairs, c);
    get_addresses(&r, c);
    cbor_end(&r);
    if (count != pairs)
        rd_fail(&r.rd, E_MALFORMED);
    return cbor_finish(&r);
}

/* The payload of an envelope whose signature is not looked at. */
static enum err find_payload(struct bytes in, struct bytes *ret_payload)
{
    if (in.len > CAPABILITY_BYTES_MAX)
        return E_LIMIT;
    struct bytes payload = BYTES_EMPTY;
    struct rd r = rd_init(in);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number == FIELD_PAYLOAD)
            payload = pb_get_bytes(&r, &f, CAPABILITY_BYTES_MAX);
    }
    enum err err = rd_finish(&r);
    if (err == OK)
        *ret_payload = payload;
    return err;
}

enum err capability_peek(struct bytes in, struct peer_id *ret_peer,
                         uint64_t *ret_seq)
{
    struct bytes payload;
    enum err err = find_payload(in, &payload);
    if (err != OK)
        return err;
    struct cbor_rd r;
    struct peer_id peer = {.len = 0};
    cbor_rd_init(&r, payload, CBOR_STRICT);
    (void)cbor_get_map(&r, PAIRS_MAX); /* r remembers what was wrong */
    cbor_get_key(&r, "v");
    if (cbor_get_uint(&r, UINT64_MAX) != VERSION)
        rd_fail(&r.rd, E_UNSUPPORTED);
    cbor_get_key(&r, "seq");
    uint64_t seq = cbor_get_uint(&r, UINT64_MAX);
    cbor_get_key(&r, "peer");
    cbor_get_peer(&r, &peer);
    if (r.rd.err != OK)
        return r.rd.err;
    *ret_peer = peer;
    *ret_seq = seq;
    return OK;
}

static enum err check(const struct capability *c, struct bytes network,
                      uint64_t unix_s)
{
    uint64_t seq_s = c->seq / MS;
    if (!bytes_eq(bytes_str(c->network), network))
        return E_REFUSED;
    if (c->expires_s > seq_s && c->expires_s - seq_s > CAPABILITY_LIFE_S)
        return E_LIMIT;
    if (seq_s > unix_s && seq_s - unix_s > CAPABILITY_SKEW_S)
        return E_AGAIN;
    if (c->expires_s <= unix_s)
        return E_TIMEOUT;
    return OK;
}

enum err capability_open(struct bytes in, struct bytes network, uint64_t unix_s,
                         struct capability *ret_c)
{
    struct bytes payload;
    struct capability c;
    struct envelope envelope;
    enum err err = find_payload(in, &payload);
    if (err == OK)
        err = decode_map(payload, &c);
    if (err == OK)
        err = check(&c, network, unix_s);
    if (err == OK)
        err = envelope_open(in, use(), &envelope);
    if (err != OK)
        return err;
    /* Both read the envelope; it has to be the same bytes that they mean. */
    if (!bytes_eq(payload, envelope.payload) ||
        !peer_id_eq(&c.peer, &envelope.signer))
        return E_MISMATCH;
    *ret_c = c;
    return OK;
}
