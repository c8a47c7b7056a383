/*
 * Goal: no envelope or peer record harms the parser; a record that is accepted
 * is the same after being written and read, also through an envelope of ours.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wr.h"
#include "multiformats/envelope.h"
#include "multiformats/key.h"
#include "multiformats/peer_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_eq(const struct peer_record *a, const struct peer_record *b)
{
    assert(peer_id_eq(&a->id, &b->id));
    assert(a->seq == b->seq);
    assert(a->addr_count == b->addr_count);
    for (size_t i = 0; i < a->addr_count; i++)
        assert(multiaddr_eq(&a->addrs[i], &b->addrs[i]));
}

static void check_record(const struct peer_record *record)
{
    uint8_t out[ENVELOPE_BYTES_MAX];
    struct wr w = wr_init(out, sizeof(out));
    peer_record_encode(record, &w);
    assert(w.err == OK);
    struct peer_record back;
    enum err err = peer_record_decode((struct bytes){out, wr_len(&w)}, &back);
    assert(err == OK);
    check_eq(record, &back);
}

static void check_sealed(struct bytes payload)
{
    if (payload.len > ENVELOPE_PAYLOAD_MAX)
        return;
    static const uint8_t seed[ED25519_SEED_BYTES] = {1};
    struct privkey key;
    privkey_init_seed(&key, seed);
    uint8_t out[ENVELOPE_BYTES_MAX];
    struct wr w = wr_init(out, sizeof(out));
    envelope_seal(&key, envelope_use_peer_record(), payload, &w);
    privkey_release(&key);
    assert(w.err == OK);
    struct envelope envelope;
    enum err err = envelope_open((struct bytes){out, wr_len(&w)},
                                 envelope_use_peer_record(), &envelope);
    assert(err == OK);
    assert(bytes_eq(envelope.payload, payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    struct peer_record record;
    if (peer_record_decode(in, &record) == OK)
        check_record(&record);
    if (peer_record_open(in, &record) == OK)
        check_record(&record);
    check_sealed(in);
    return 0;
}
