/*
 * Goal: no message crashes the decoder, what it accepts is within the limits,
 * and has one encoding: encode(decode(x)) == x, but for addresses that are left
 * out.
 */
#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "discovery/peers_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_limits(const struct peers_message *m)
{
    assert(m->record_count <= PEERS_RECORDS_MAX);
    for (size_t i = 0; i < m->record_count; i++)
        assert(m->records[i].len <= CAPABILITY_BYTES_MAX);
    assert(m->record.len <= CAPABILITY_BYTES_MAX);
    assert(m->addr_count <= PEERS_ADDRS_MAX);
    assert(m->max <= PEERS_RECORDS_MAX);
    assert(m->kind != PEERS_ASK || m->max > 0);
    assert(m->kind != PEERS_PROBE || m->peer.len > 0);
    assert(m->outcome <= PEERS_REFUSED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t room[PEERS_MESSAGE_BYTES_MAX];
    struct peers_message m;
    struct peers_message again;
    if (peers_message_decode((struct bytes){data, len}, &m) != OK)
        return 0;
    check_limits(&m);
    struct wr w = wr_init(room, sizeof(room));
    struct bytes out;
    peers_message_encode(&m, &w);
    enum err err = wr_finish(&w, &out);
    assert(err == OK);
    assert(out.len <= len);
    if (out.len == len)
        assert(memcmp(out.p, data, len) == 0);
    else
        assert(m.kind == PEERS_PROBE || m.kind == PEERS_RESULT);
    err = peers_message_decode(out, &again);
    assert(err == OK);
    assert(again.kind == m.kind);
    assert(again.addr_count == m.addr_count);
    return 0;
}
