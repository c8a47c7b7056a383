/*
 * Goal: the way from a bare transport to a session is walked with every kind
 * of peer: one that proposes TLS first, one that knows no early muxer
 * negotiation, one that glues or one that dawdles, one that is no peer.
 * Method: a peer made by hand, with its own end of Noise, in both roles.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "libp2p/noise.h"
#include "libp2p/pair.h"

#include "test.h"

enum { ROOM = 65536, MUXER_BYTES = 16 }; /* of the extension in a payload */

/* The test as peer of side 1 of the pair. */
struct peer {
    struct pair *p;
    size_t wire;
    struct privkey key;
    struct noise_keypair s;
    struct noise_hs hs;
    struct noise_cipher send;
    struct noise_cipher recv;
    size_t read; /* of what side 1 sent */
};

static void peer_init(struct peer *peer, struct pair *p, size_t wire,
                      bool initiator)
{
    uint8_t key[32];

    memset(peer, 0, sizeof(*peer));
    peer->p = p;
    peer->wire = wire;
    memset(key, 0x77, sizeof(key));
    privkey_init_seed(&peer->key, key);
    noise_keypair_init(&peer->s, key);
    memset(key, 0x78, sizeof(key));
    noise_hs_init(&peer->hs, initiator, &peer->s, key);
}

static void peer_release(struct peer *peer)
{
    noise_cipher_release(&peer->send);
    noise_cipher_release(&peer->recv);
    noise_hs_release(&peer->hs);
    privkey_release(&peer->key);
}

static void give(struct peer *peer, struct bytes in)
{
    uint8_t *copy = mem_dup(in.p, in.len);
    swarm_bytes(peer->p->side[1].swarm, peer->p->wires[peer->wire].conn[1],
                copy, in.len, peer->p->now);
    pair_drain(peer->p, 1);
    mem_free(copy);
}

/* The next @len bytes that side 1 sent. */
static uint8_t *take(struct peer *peer, size_t len)
{
    struct pair_wire *w = &peer->p->wires[peer->wire];
    assert_true(peer->read + len <= w->len[0]);
    uint8_t *p = w->bytes[0] + peer->read;
    peer->read += len;
    return p;
}

static void expect(struct peer *peer, struct bytes want)
{
    assert_memory_equal(take(peer, want.len), want.p, want.len);
}

static size_t take_len(struct peer *peer)
{
    const uint8_t *p = take(peer, 2);
    return (size_t)p[0] << 8 | p[1];
}

/* Our next handshake message; without a muxer when @plain. */
static struct bytes make_message(struct peer *peer, bool plain)
{
    static uint8_t room[1024];
    uint8_t payload[512];
    struct wr p = wr_init(payload, sizeof(payload));
    struct wr w = wr_init(room, sizeof(room));
    struct bytes out = BYTES_EMPTY;

    if (peer->hs.messages > 0) {
        noise_payload_write(&peer->key, &peer->s, &p);
        assert_int_equal(wr_finish(&p, &out), OK);
        if (plain)
            out.len -= MUXER_BYTES;
    }
    assert_int_equal(noise_hs_write(&peer->hs, out, &w), OK);
    assert_int_equal(wr_finish(&w, &out), OK);
    return out;
}

static void take_message(struct peer *peer)
{
    struct bytes payload;
    struct noise_identity id;
    size_t len = take_len(peer);
    uint8_t *message = take(peer, len);

    assert_int_equal(noise_hs_read(&peer->hs, message, len, &payload), OK);
    if (peer->hs.messages < 2)
        return;
    assert_int_equal(noise_payload_read(payload, peer->hs.remote_s, &id), OK);
    assert_true(peer_id_eq(&id.peer, pair_id(peer->p, 1)));
    assert_true(id.yamux);
}

static void seal(struct peer *peer, struct bytes plain)
{
    static uint8_t frame[ROOM];
    size_t len = noise_seal(&peer->send, &plain, 1, frame);
    give(peer, (struct bytes){.p = frame, .len = len});
}

/* The plaintext of the next transport message. */
static struct bytes open_next(struct peer *peer)
{
    size_t len = take_len(peer);
    uint8_t *message = take(peer, len);
    size_t plain;
    assert_int_equal(noise_open(&peer->recv, message, len, &plain), OK);
    return (struct bytes){.p = message, .len = plain};
}

static size_t accept_one(struct pair *p)
{
    size_t wire;
    assert_int_equal(pair_accept(p, 1, &wire), OK);
    return wire;
}

/* Who dials negotiates Noise, and the session is secured. */
static void secure(struct peer *peer, bool plain)
{
    give(peer, BYTES_LIT("\x13/multistream/1.0.0\n\x07/noise\n"));
    expect(peer, BYTES_LIT("\x13/multistream/1.0.0\n\x07/noise\n"));
    give(peer, make_message(peer, plain));
    take_message(peer);
    give(peer, make_message(peer, plain));
    noise_hs_split(&peer->hs, &peer->send, &peer->recv);
}

/* As kubo: TLS first, then Noise, muxer by the payload, all glued. */
static void test_as_kubo_dials(void **state)
{
    (void)state;
    struct pair *p = pair_new(NULL, 0, NULL);
    struct peer peer;
    peer_init(&peer, p, accept_one(p), true);
    give(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n"));
    expect(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x03na\n"));
    give(&peer, BYTES_LIT("\x07/noise\n"));
    expect(&peer, BYTES_LIT("\x07/noise\n"));
    give(&peer, make_message(&peer, false));
    take_message(&peer);
    /* Message 3 and the first frames in one segment. */
    static uint8_t glued[1024];
    struct wr w = wr_init(glued, sizeof(glued));
    wr_bytes(&w, make_message(&peer, false));
    noise_hs_split(&peer.hs, &peer.send, &peer.recv);
    uint8_t ping[12];
    assert_int_equal(unhex("000200010000000000000007", ping, sizeof(ping)), 12);
    uint8_t frame[64];
    struct bytes plain = {.p = ping, .len = sizeof(ping)};
    size_t len = noise_seal(&peer.send, &plain, 1, frame);
    wr_bytes(&w, (struct bytes){.p = frame, .len = len});
    give(&peer, (struct bytes){.p = glued, .len = wr_len(&w)});
    assert_non_null(pair_find(p, 1, SWARM_CONNECTED));
    plain = open_next(&peer);
    /* The answer to the ping comes before everything else. */
    assert_int_equal(unhex("000200020000000000000007", ping, sizeof(ping)), 12);
    assert_memory_equal(plain.p, ping, 12);
    peer_release(&peer);
    pair_free(p);
}

/* A peer that offers no muxer in its payload, dialing us. */
static void test_muxer_by_multistream_inbound(void **state)
{
    (void)state;
    struct pair *p = pair_new(NULL, 0, NULL);
    struct peer peer;
    peer_init(&peer, p, accept_one(p), true);
    secure(&peer, true);
    assert_null(pair_find(p, 1, SWARM_CONNECTED));
    seal(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x0d/mplex/6.7.0\n"));
    assert_true(bytes_eq(open_next(&peer),
                         BYTES_LIT("\x13/multistream/1.0.0\n\x03na\n")));
    seal(&peer, BYTES_LIT("\x0d/yamux/1.0.0\n"));
    assert_true(bytes_eq(open_next(&peer), BYTES_LIT("\x0d/yamux/1.0.0\n")));
    assert_non_null(pair_find(p, 1, SWARM_CONNECTED));
    peer_release(&peer);
    pair_free(p);
}

/* Side 1 dials the test; @ret_peer is what answers. */
static void dial_us(struct pair *p, struct peer *ret_peer)
{
    struct swarm *sw = p->side[1].swarm;
    struct swarm_out out;
    struct swarm_dial_op op = {.addrs = &p->side[0].addr, .count = 1};
    struct swarm_transport t = pair_transport(p, 1, 0);

    p->wires[0].used = true;
    assert_int_equal(swarm_dial(sw, &op, p->now), OK);
    assert_true(swarm_next(sw, p->now, &out));
    assert_int_equal(out.type, SWARM_DIAL);
    p->wires[0].conn[1] = out.conn;
    assert_int_equal(swarm_dialed(sw, out.conn, &t, p->now), OK);
    pair_drain(p, 1);
    peer_init(ret_peer, p, 0, false);
}

/* The dialer writes tokens and message 1 at once; no muxer in our payload. */
static void test_muxer_by_multistream_outbound(void **state)
{
    (void)state;
    struct pair *p = pair_new(NULL, 0, NULL);
    struct peer peer;
    dial_us(p, &peer);
    assert_int_equal(p->wires[0].len[0], 20 + 8 + 2 + 32);
    expect(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x07/noise\n"));
    take_message(&peer);
    give(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x07/noise\n"));
    give(&peer, make_message(&peer, true));
    take_message(&peer);
    noise_hs_split(&peer.hs, &peer.send, &peer.recv);
    assert_true(
        bytes_eq(open_next(&peer),
                 BYTES_LIT("\x13/multistream/1.0.0\n\x0d/yamux/1.0.0\n")));
    assert_null(pair_find(p, 1, SWARM_CONNECTED));
    seal(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x0d/yamux/1.0.0\n"));
    assert_non_null(pair_find(p, 1, SWARM_CONNECTED));
    peer_release(&peer);
    pair_free(p);
}

static void expect_refused(struct pair *p, enum swarm_fault fault)
{
    struct pair_event *e = pair_find(p, 1, SWARM_FAULT);
    assert_non_null(e);
    assert_int_equal(e->out.fault, fault);
    assert_non_null(pair_find(p, 1, SWARM_CLOSE));
    assert_null(pair_find(p, 1, SWARM_CONNECTED));
    assert_int_equal(swarm_counts(p->side[1].swarm).conns, 0);
}

static void test_no_common_security(void **state)
{
    (void)state;
    struct pair *p = pair_new(NULL, 0, NULL);
    struct peer peer;
    dial_us(p, &peer);
    give(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x03na\n"));
    expect_refused(p, SWARM_FAULT_HANDSHAKE);
    struct pair_event *e = pair_find(p, 1, SWARM_DIAL_FAILED);
    assert_int_equal(e->out.err, E_UNSUPPORTED);
    peer_release(&peer);
    pair_free(p);
}

static void test_not_a_peer(void **state)
{
    (void)state;
    struct pair *p = pair_new(NULL, 0, NULL);
    struct peer peer;
    peer_init(&peer, p, accept_one(p), true);
    give(&peer, BYTES_LIT("GET / HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n"
                          "User-Agent: one of those that look everywhere\r\n"));
    expect_refused(p, SWARM_FAULT_HANDSHAKE);
    peer_release(&peer);
    pair_free(p);
}

/* Proposals without end during the upgrade. */
static void test_endless_proposals(void **state)
{
    (void)state;
    struct pair *p = pair_new(NULL, 0, NULL);
    struct peer peer;
    size_t wire = accept_one(p);
    peer_init(&peer, p, wire, true);
    give(&peer, BYTES_LIT("\x13/multistream/1.0.0\n"));
    int count = 0;
    while (p->wires[wire].conn[1].n != 0 && count < 1000) {
        give(&peer, BYTES_LIT("\x03/x\n"));
        count++;
    }
    assert_int_equal(count, 65);
    expect_refused(p, SWARM_FAULT_HANDSHAKE);
    peer_release(&peer);
    pair_free(p);
}

/* Somebody who proves the key of nobody: a signature of another key. */
static void test_forged_identity(void **state)
{
    (void)state;
    struct pair *p = pair_new(NULL, 0, NULL);
    struct peer peer;
    peer_init(&peer, p, accept_one(p), true);
    give(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x07/noise\n"));
    expect(&peer, BYTES_LIT("\x13/multistream/1.0.0\n\x07/noise\n"));
    give(&peer, make_message(&peer, false));
    take_message(&peer);
    /* The payload is made for other Noise keys than those in use. */
    uint8_t payload[512];
    uint8_t room[1024];
    uint8_t key[32] = {9};
    struct noise_keypair other;
    struct wr w = wr_init(payload, sizeof(payload));
    struct bytes out;
    noise_keypair_init(&other, key);
    noise_payload_write(&peer.key, &other, &w);
    assert_int_equal(wr_finish(&w, &out), OK);
    w = wr_init(room, sizeof(room));
    assert_int_equal(noise_hs_write(&peer.hs, out, &w), OK);
    assert_int_equal(wr_finish(&w, &out), OK);
    give(&peer, out);
    expect_refused(p, SWARM_FAULT_HANDSHAKE);
    peer_release(&peer);
    pair_free(p);
}

/* Whoever is on the way may alter bytes: the connection ends, and the peer is
 * not held to have attacked. */
static void test_altered_on_the_way(void **state)
{
    (void)state;
    struct pair *p = pair_new(NULL, 0, NULL);
    struct peer peer;
    peer_init(&peer, p, accept_one(p), true);
    secure(&peer, false);
    assert_non_null(pair_find(p, 1, SWARM_CONNECTED));
    uint8_t frame[64];
    struct bytes bytes = BYTES_LIT("some bytes");
    size_t len = noise_seal(&peer.send, &bytes, 1, frame);
    frame[len / 2] ^= 1;
    give(&peer, (struct bytes){.p = frame, .len = len});
    struct pair_event *e = pair_find(p, 1, SWARM_FAULT);
    assert_non_null(e);
    assert_int_equal(e->out.fault, SWARM_FAULT_PROTOCOL);
    assert_int_equal(e->out.severity, 1);
    assert_non_null(pair_find(p, 1, SWARM_CLOSE));
    peer_release(&peer);
    pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_kubo_dials),
        cmocka_unit_test(test_muxer_by_multistream_inbound),
        cmocka_unit_test(test_muxer_by_multistream_outbound),
        cmocka_unit_test(test_no_common_security),
        cmocka_unit_test(test_not_a_peer),
        cmocka_unit_test(test_endless_proposals),
        cmocka_unit_test(test_forged_identity),
        cmocka_unit_test(test_altered_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
