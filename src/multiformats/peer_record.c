#include "multiformats/peer_record.h"

#include <assert.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "multiformats/envelope.h"
#include "multiformats/pb.h"

enum {
    FIELD_PEER_ID = 1,
    FIELD_SEQ = 2,
    FIELD_ADDRESS = 3,
    FIELD_MULTIADDR = 1, /* of AddressInfo */
};

_Static_assert((int)PEER_RECORD_BYTES_MAX == (int)ENVELOPE_PAYLOAD_MAX,
               "a record fits into an envelope");

void peer_record_encode(const struct peer_record *record, struct wr *w)
{
    assert(record->addr_count <= PEER_RECORD_ADDRS_MAX);
    pb_put_bytes(w, FIELD_PEER_ID, peer_id_bytes(&record->id));
    pb_put_uint(w, FIELD_SEQ, record->seq);
    for (size_t i = 0; i < record->addr_count; i++) {
        struct bytes addr = multiaddr_bytes(&record->addrs[i]);
        assert(addr.len > 0);
        pb_put_head(w, FIELD_ADDRESS, pb_bytes_len(FIELD_MULTIADDR, addr.len));
        pb_put_bytes(w, FIELD_MULTIADDR, addr);
    }
}

/* Adds the address in an AddressInfo, unless it is of no use. */
static void read_address(struct rd *outer, struct bytes in,
                         struct peer_record *record)
{
    struct bytes addr = BYTES_EMPTY;
    struct rd r = rd_init(in);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number == FIELD_MULTIADDR)
            addr = pb_get_bytes(&r, &f, PEER_RECORD_BYTES_MAX);
    }
    enum err err = rd_finish(&r);
    if (err != OK) {
        rd_fail(outer, err);
        return;
    }
    if (record->addr_count == PEER_RECORD_ADDRS_MAX)
        return;
    err = multiaddr_decode(addr, &record->addrs[record->addr_count]);
    if (err == OK)
        record->addr_count++;
}

/*
 * Addresses come without the peer's own id at the end.  Where it stands there
 * all the same it is removed; an address that ends at another peer is not one
 * of this peer.
 */
static bool clean_address(struct multiaddr *addr, const struct peer_id *self)
{
    struct peer_id end;
    while (multiaddr_get_peer(addr, &end) == OK) {
        if (!peer_id_eq(&end, self))
            return false;
        multiaddr_strip_peer(addr);
    }
    return addr->len > 0;
}

static void clean_addresses(struct peer_record *record)
{
    size_t kept = 0;
    for (size_t i = 0; i < record->addr_count; i++) {
        struct multiaddr addr = record->addrs[i];
        if (clean_address(&addr, &record->id))
            record->addrs[kept++] = addr;
    }
    record->addr_count = kept;
}

static void read_id(struct rd *r, const struct pb_field *f, struct peer_id *id)
{
    struct bytes in = pb_get_bytes(r, f, PEER_RECORD_BYTES_MAX);
    if (r->err != OK)
        return;
    enum err err = peer_id_decode(in, id);
    if (err != OK)
        rd_fail(r, err);
}

static void read_record(struct rd *r, struct peer_record *record)
{
    size_t entries = 0;
    struct pb_field f;
    while (pb_next(r, &f)) {
        switch (f.number) {
        case FIELD_PEER_ID:
            read_id(r, &f, &record->id);
            break;
        case FIELD_SEQ:
            record->seq = pb_get_uint(r, &f, UINT64_MAX);
            break;
        case FIELD_ADDRESS:
            if (++entries > PEER_RECORD_ENTRIES_MAX)
                rd_fail(r, E_LIMIT);
            read_address(r, pb_get_bytes(r, &f, PEER_RECORD_BYTES_MAX), record);
            break;
        default:
            break;
        }
    }
    if (r->err == OK && record->id.len == 0)
        rd_fail(r, E_MALFORMED);
}

enum err peer_record_decode(struct bytes in, struct peer_record *ret_record)
{
    if (in.len > PEER_RECORD_BYTES_MAX)
        return E_LIMIT;
    struct rd r = rd_init(in);
    struct peer_record record = {.addr_count = 0};
    read_record(&r, &record);
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    clean_addresses(&record);
    *ret_record = record;
    return OK;
}

void peer_record_seal(const struct privkey *key,
                      const struct peer_record *record, struct wr *w)
{
    uint8_t *payload = mem_alloc(PEER_RECORD_BYTES_MAX);
    struct wr p = wr_init(payload, PEER_RECORD_BYTES_MAX);
    peer_record_encode(record, &p);
    assert(p.err == OK);
    envelope_seal(key, envelope_use_peer_record(),
                  (struct bytes){payload, wr_len(&p)}, w);
    mem_free(payload);
}

enum err peer_record_open(struct bytes in, struct peer_record *ret_record)
{
    struct envelope envelope;
    enum err err = envelope_open(in, envelope_use_peer_record(), &envelope);
    if (err != OK)
        return err;
    struct peer_record record;
    err = peer_record_decode(envelope.payload, &record);
    if (err != OK)
        return err;
    if (!peer_id_eq(&record.id, &envelope.signer))
        return E_MISMATCH;
    *ret_record = record;
    return OK;
}
