#include "discovery/peers_message.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "ipld/dag_cbor.h"

enum { KINDS = PEERS_RESULT + 1, PAIRS_MAX = 4, OUTCOME_LAST = PEERS_REFUSED };

static const char *const kind_names[KINDS] = {
    [PEERS_HELLO] = "hello", [PEERS_ASK] = "ask",       [PEERS_PEERS] = "peers",
    [PEERS_PROBE] = "probe", [PEERS_RESULT] = "result",
};

static void put_type(const struct peers_message *m, struct wr *w)
{
    cbor_put_key(w, "type");
    cbor_put_text(w, bytes_str(kind_names[m->kind]));
}

static void put_hello(const struct peers_message *m, struct wr *w)
{
    assert(m->record.len <= CAPABILITY_BYTES_MAX);
    cbor_put_map(w, m->record.len > 0 ? 2 : 1);
    put_type(m, w);
    if (m->record.len == 0)
        return;
    cbor_put_key(w, "record");
    cbor_put_bytes(w, m->record);
}

static void put_ask(const struct peers_message *m, struct wr *w)
{
    assert(m->max > 0);
    assert(m->max <= PEERS_RECORDS_MAX);
    cbor_put_map(w, 2);
    cbor_put_key(w, "max");
    cbor_put_uint(w, m->max);
    put_type(m, w);
}

static void put_peers(const struct peers_message *m, struct wr *w)
{
    assert(m->record_count <= PEERS_RECORDS_MAX);
    cbor_put_map(w, 2);
    put_type(m, w);
    cbor_put_key(w, "records");
    cbor_put_list(w, m->record_count);
    for (size_t i = 0; i < m->record_count; i++) {
        assert(m->records[i].len <= CAPABILITY_BYTES_MAX);
        cbor_put_bytes(w, m->records[i]);
    }
}

static void put_probe(const struct peers_message *m, struct wr *w)
{
    assert(m->addr_count <= PEERS_ADDRS_MAX);
    cbor_put_map(w, 3);
    cbor_put_key(w, "peer");
    cbor_put_bytes(w, peer_id_bytes(&m->peer));
    put_type(m, w);
    cbor_put_key(w, "addresses");
    cbor_put_list(w, m->addr_count);
    for (size_t i = 0; i < m->addr_count; i++) {
        assert(m->addrs[i].len <= CAPABILITY_ADDR_BYTES_MAX);
        cbor_put_bytes(w, multiaddr_bytes(&m->addrs[i]));
    }
}

static void put_result(const struct peers_message *m, struct wr *w)
{
    cbor_put_map(w, m->addr.len > 0 ? 4 : 3);
    put_type(m, w);
    if (m->addr.len > 0) {
        assert(m->addr.len <= CAPABILITY_ADDR_BYTES_MAX);
        cbor_put_key(w, "address");
        cbor_put_bytes(w, multiaddr_bytes(&m->addr));
    }
    cbor_put_key(w, "elapsed");
    cbor_put_uint(w, m->elapsed_ms);
    cbor_put_key(w, "outcome");
    cbor_put_uint(w, (uint64_t)m->outcome);
}

void peers_message_encode(const struct peers_message *m, struct wr *w)
{
    switch (m->kind) {
    case PEERS_HELLO:
        put_hello(m, w);
        return;
    case PEERS_ASK:
        put_ask(m, w);
        return;
    case PEERS_PEERS:
        put_peers(m, w);
        return;
    case PEERS_PROBE:
        put_probe(m, w);
        return;
    case PEERS_RESULT:
        put_result(m, w);
        return;
    }
}

/* Address of at most CAPABILITY_ADDR_BYTES_MAX; false when it is to be left
 * out, or @r failed. */
static bool get_address(struct cbor_rd *r, struct multiaddr *ret_addr)
{
    struct multiaddr addr;
    struct bytes in = cbor_get_bytes(r, CAPABILITY_ADDR_BYTES_MAX);
    if (r->rd.err != OK)
        return false;
    enum err err = multiaddr_decode(in, &addr);
    if (err == OK)
        *ret_addr = addr;
    else if (err != E_UNSUPPORTED)
        rd_fail(&r->rd, err);
    return err == OK;
}

/*
 * Fields that sort before "type" tell the kind too: no two kinds begin alike.
 * Here the type is read, and has to be what it was taken for.
 */
static void get_type(struct cbor_rd *r, struct peers_message *m)
{
    struct cbor_token t;
    cbor_get_key(r, "type");
    if (!cbor_next(r, &t))
        return;
    if (t.kind != CBOR_TEXT) {
        rd_fail(&r->rd, E_MALFORMED);
        return;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (bytes_eq(t.bytes, bytes_str(kind_names[i]))) {
            m->kind = (enum peers_kind)i;
            return;
        }
    }
    rd_fail(&r->rd, E_UNSUPPORTED);
}

static void get_records(struct cbor_rd *r, struct peers_message *m)
{
    cbor_get_key(r, "records");
    size_t count = cbor_get_list(r, PEERS_RECORDS_MAX);
    for (size_t i = 0; i < count; i++)
        m->records[i] = cbor_get_bytes(r, CAPABILITY_BYTES_MAX);
    cbor_end(r);
    m->record_count = count;
}

static void get_addresses(struct cbor_rd *r, struct peers_message *m)
{
    cbor_get_key(r, "addresses");
    size_t count = cbor_get_list(r, PEERS_ADDRS_MAX);
    for (size_t i = 0; i < count; i++)
        m->addr_count += get_address(r, &m->addrs[m->addr_count]);
    cbor_end(r);
}

static void get_result(struct cbor_rd *r, struct peers_message *m)
{
    if (cbor_try_key(r, "address"))
        (void)get_address(r, &m->addr); /* left out where it is of no use */
    cbor_get_key(r, "elapsed");
    m->elapsed_ms = (uint32_t)cbor_get_uint(r, UINT32_MAX);
    cbor_get_key(r, "outcome");
    m->outcome = (enum peers_outcome)cbor_get_uint(r, OUTCOME_LAST);
}

static void get_rest(struct cbor_rd *r, struct peers_message *m)
{
    if (r->rd.err != OK)
        return;
    switch (m->kind) {
    case PEERS_HELLO:
        if (!cbor_try_key(r, "record"))
            return;
        m->record = cbor_get_bytes(r, CAPABILITY_BYTES_MAX);
        if (m->record.len == 0)
            rd_fail(&r->rd, E_MALFORMED);
        return;
    case PEERS_ASK:
        if (m->max == 0)
            rd_fail(&r->rd, E_MALFORMED);
        return;
    case PEERS_PEERS:
        get_records(r, m);
        return;
    case PEERS_PROBE:
        if (m->peer.len == 0)
            rd_fail(&r->rd, E_MALFORMED);
        get_addresses(r, m);
        return;
    case PEERS_RESULT:
        get_result(r, m);
        return;
    }
}

enum err peers_message_decode(struct bytes in, struct peers_message *ret_m)
{
    if (in.len > PEERS_MESSAGE_BYTES_MAX)
        return E_LIMIT;
    struct cbor_rd r;
    struct peers_message m;
    memset(&m, 0, sizeof(m));
    cbor_rd_init(&r, in, CBOR_STRICT);
    (void)cbor_get_map(&r, PAIRS_MAX); /* cbor_end() knows the number */
    if (cbor_try_key(&r, "max")) {
        m.max = (uint32_t)cbor_get_uint(&r, PEERS_RECORDS_MAX);
        if (m.max == 0)
            rd_fail(&r.rd, E_MALFORMED);
    }
    if (cbor_try_key(&r, "peer"))
        cbor_get_peer(&r, &m.peer);
    get_type(&r, &m);
    if ((m.max > 0 && m.kind != PEERS_ASK) ||
        (m.peer.len > 0 && m.kind != PEERS_PROBE))
        rd_fail(&r.rd, E_MALFORMED);
    get_rest(&r, &m);
    cbor_end(&r);
    enum err err = cbor_finish(&r);
    if (err == OK)
        *ret_m = m;
    return err;
}
