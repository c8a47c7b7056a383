/*
 * Goal: no packet breaks the reader or makes the core say more than it may;
 * what we answer we read as what we meant.
 * Input: a byte of flags (1: the asker is a plain DNS client, 2: it is on this
 * machine), then a packet, which comes twice.
 */
#include <assert.h>

#include "discovery/mdns.h"
#include "discovery/mdns_packet.h"

enum { OUTS_MAX = 2 * MDNS_TEXTS_MAX + 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct bytes nobody = {
    .p = (const uint8_t *)"abcdefghijklmnopqrstuvwxyz012345",
    .len = MDNS_INSTANCE_LEN};

static void check_packet(struct bytes packet)
{
    struct mdns_packet m;
    enum err err = mdns_packet_decode(packet, nobody, &m);

    assert(err == OK);
    assert(m.asks != m.tells);
    assert(m.asks || m.texts_count == 1);
}

static void check_outs(struct mdns *m)
{
    struct mdns_out out;
    unsigned count = 0;

    while (mdns_next(m, &out)) {
        count++;
        assert(count <= OUTS_MAX);
        switch (out.kind) {
        case MDNS_SEND:
        case MDNS_REPLY:
            check_packet(out.packet);
            break;
        case MDNS_FOUND:
            assert(out.addr.len > 0);
            assert(out.peer.len > 0);
            assert(!multiaddr_is_relay(&out.addr));
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct mdns_config config = {.seed = {1}};
    struct mdns_from from = {.ip = {.len = 4, .bytes = {10, 0, 0, 1}},
                             .port = MDNS_PORT};
    struct ma_ip ip = {.len = 4, .bytes = {10, 0, 0, 2}};
    struct mtime now = {0};

    if (len == 0)
        return 0;
    if ((data[0] & 1) != 0)
        from.port = 1;
    if ((data[0] & 2) != 0)
        from.ip.bytes[0] = 127;
    config.self = peer_id_of_key(BYTES_LIT("a key"));
    struct mdns *m = mdns_new(&config, now);
    struct multiaddr addr = multiaddr_from_ip_port(&ip, MA_TCP, 4101);
    mdns_set_addrs(m, &addr, 1, now);
    struct bytes in = {.p = data + 1, .len = len - 1};
    for (int i = 0; i < 2; i++) {
        mdns_on_packet(m, &from, in, now);
        now = mtime_add_ms(now, 5000);
        mdns_on_time(m, now);
    }
    check_outs(m);
    mdns_free(m);
    return 0;
}
