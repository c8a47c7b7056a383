/*
 * Goal: two swarms find, prove and introduce themselves to each other, carry
 * streams whatever the segmentation, and end in order.  Method: both in memory
 * (pair.h), with pieces of random size, cuts, changed bytes and moved time.
 */
#include "base/mem.h"
#include "libp2p/pair.h"

#include "test.h"

enum {
    MIB = 1024 * 1024,
    TOKENS = 20 + 9, /* bytes that negotiate "/echo/1" or "/wide/1" */
    WINDOW = 256 * 1024 - TOKENS,
};

static const struct swarm_protocol protocols[] = {
    {.name = "/echo/1", .handler = 7},
    {.name = "/wide/1", .handler = 8, .window_extra = 4 * MIB},
};
static const char *const echo[] = {"/echo/1"};
static const char *const wide[] = {"/wide/1"};
static const char *const odd[] = {"/none/1", "/echo/1"};

static struct pair *new_pair(void)
{
    return pair_new(protocols, countof(protocols), NULL);
}

static struct stream_id open_stream(struct pair *p, const char *const *names,
                                    size_t count)
{
    struct swarm_open_op op = {
        .peer = pair_id(p, 1), .protocols = names, .count = count};
    struct stream_id s;
    enum err err = swarm_stream_open(p->side[0].swarm, &op, p->now, &s);
    assert_int_equal(err, OK);
    return s;
}

static enum err write_bytes(struct pair *p, int side, struct stream_id s,
                            struct bytes in)
{
    size_t queued;
    return swarm_stream_write_copy(p->side[side].swarm, s, in, &queued);
}

static void write_zeros(struct pair *p, struct stream_id s, size_t len)
{
    uint8_t *zeros = mem_zalloc(len, 1);
    assert_int_equal(
        write_bytes(p, 0, s, (struct bytes){.p = zeros, .len = len}), OK);
    mem_free(zeros);
}

static void test_connect(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    struct swarm_dial_op op = {.peer = pair_id(p, 1),
                               .addrs = &p->side[1].addr,
                               .count = 1,
                               .owner = p};
    assert_int_equal(swarm_dial(p->side[0].swarm, &op, p->now), OK);
    assert_int_equal(swarm_dial(p->side[0].swarm, &op, p->now), E_AGAIN);
    pair_run(p);
    struct pair_event *e = pair_find(p, 0, SWARM_CONNECTED);
    assert_non_null(e);
    assert_ptr_equal(e->out.owner, p);
    assert_false(e->out.inbound);
    assert_true(peer_id_eq(&e->out.peer, pair_id(p, 1)));
    assert_true(multiaddr_eq(&e->out.addr, &p->side[1].addr));
    e = pair_find(p, 1, SWARM_CONNECTED);
    assert_non_null(e);
    assert_true(e->out.inbound);
    assert_true(peer_id_eq(&e->out.peer, pair_id(p, 0)));
    assert_non_null(pair_find(p, 0, SWARM_IDENTIFIED));
    assert_int_equal(swarm_dial(p->side[0].swarm, &op, p->now), E_EXISTS);

    struct swarm_conn_info info;
    struct conn_id none = {0};
    assert_int_equal(swarm_conn_next(p->side[0].swarm, none, &info), OK);
    assert_true(peer_id_eq(info.peer, pair_id(p, 1)));
    assert_true(info.rtt_us == 0); /* time stood still */
    assert_int_equal(info.streams, 0);
    assert_true(info.bytes_in > 0 && info.bytes_out > 0);
    assert_true(bytes_eq(info.identified.agent, BYTES_LIT("one/1")));
    assert_int_equal(info.identified.protocols_count, 5);
    assert_int_equal(info.identified.addrs_count, 1);
    assert_true(multiaddr_eq(&info.identified.addrs[0], &p->side[1].addr));
    assert_true(multiaddr_eq(&info.identified.observed, &p->side[0].addr));
    assert_true(info.identified.record.len > 0);
    assert_int_equal(swarm_conn_next(p->side[0].swarm, info.conn, &info),
                     E_NOTFOUND);
    pair_free(p);
}

static void test_echo_in_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece += 3) {
        struct pair *p = new_pair();
        p->piece_max = piece;
        p->keep_data = true;
        pair_connect(p);
        struct stream_id s = open_stream(p, echo, 1);
        /* 0-RTT: data goes out before the answer. */
        assert_int_equal(write_bytes(p, 0, s, BYTES_LIT("hello")), OK);
        swarm_stream_close_write(p->side[0].swarm, s);
        assert_int_equal(write_bytes(p, 0, s, BYTES_LIT("x")), E_CLOSED);
        pair_run(p);
        struct pair_event *in = pair_find(p, 1, SWARM_STREAM_IN);
        assert_non_null(in);
        assert_int_equal(in->out.handler, 7);
        assert_string_equal(in->out.protocol, "/echo/1");
        assert_true(peer_id_eq(&in->out.peer, pair_id(p, 0)));
        assert_int_equal(p->data_len[1], 5);
        assert_memory_equal(p->data[1], "hello", 5);
        assert_non_null(pair_find(p, 1, SWARM_STREAM_EOF));
        struct pair_event *open = pair_find(p, 0, SWARM_STREAM_OPEN);
        assert_non_null(open);
        assert_int_equal(open->out.err, OK);
        assert_ptr_equal(open->out.protocol, echo[0]);
        assert_int_equal(write_bytes(p, 1, in->out.stream, BYTES_LIT("world")),
                         OK);
        swarm_stream_close_write(p->side[1].swarm, in->out.stream);
        pair_run(p);
        assert_memory_equal(p->data[0], "world", 5);
        assert_non_null(pair_find(p, 0, SWARM_STREAM_EOF));
        for (int side = 0; side < 2; side++)
            assert_int_equal(swarm_counts(p->side[side].swarm).streams, 0);
        pair_free(p);
    }
}

/* How many bytes the peer may send when nothing is consumed. */
static size_t window_of(const char *const *names)
{
    struct pair *p = new_pair();
    pair_connect(p);
    p->hold_data = true;
    struct stream_id s = open_stream(p, names, 1);
    write_zeros(p, s, (size_t)8 * MIB);
    pair_run(p);
    size_t sum = p->data_sum[1];
    pair_free(p);
    return sum;
}

static void test_windows(void **state)
{
    (void)state;
    assert_int_equal(window_of(echo), WINDOW);
    assert_int_equal(window_of(wide), WINDOW + 4 * MIB);
}

/* 64 MiB pass, in order, and the window grows while they do. */
static void test_bulk(void **state)
{
    (void)state;
    enum { TOTAL_MIB = 64 };
    struct pair *p = new_pair();
    pair_connect(p);
    struct stream_id s = open_stream(p, echo, 1);
    uint32_t *words = mem_alloc(MIB);
    p->keep_data = true;
    p->piece_max = 100000;
    for (uint32_t i = 0; i < TOTAL_MIB; i++) {
        for (uint32_t w = 0; w < MIB / 4; w++)
            words[w] = i * (MIB / 4) + w;
        assert_int_equal(write_bytes(p, 0, s,
                                     (struct bytes){.p = (const uint8_t *)words,
                                                    .len = MIB}),
                         OK);
        pair_run(p);
        assert_int_equal(p->data_len[1], MIB);
        assert_memory_equal(p->data[1], words, MIB);
        pair_forget(p);
    }
    p->hold_data = true;
    p->keep_data = false;
    write_zeros(p, s, (size_t)20 * MIB);
    pair_run(p);
    assert_true(p->data_sum[1] > (size_t)8 * MIB);
    assert_true(p->data_sum[1] <= (size_t)16 * MIB);
    mem_free(words);
    pair_free(p);
}

static void test_writable(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    p->hold_data = true;
    struct stream_id s = open_stream(p, echo, 1);
    pair_run(p);
    write_zeros(p, s, SWARM_STREAM_HIGH_BYTES + 1 + WINDOW);
    pair_run(p);
    assert_null(pair_find(p, 0, SWARM_STREAM_WRITABLE));
    struct pair_event *in = pair_find(p, 1, SWARM_STREAM_IN);
    assert_int_equal(p->data_sum[1], WINDOW);
    p->hold_data = false;
    swarm_stream_consumed(p->side[1].swarm, in->out.stream, WINDOW);
    pair_run(p);
    assert_int_equal(pair_count(p, 0, SWARM_STREAM_WRITABLE), 1);
    pair_free(p);
}

/* When a connection was used last: by a stream of the owner's, whichever way,
 * not by keepalive and identify. */
static void test_used_at(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    struct swarm_conn_info info;
    struct conn_id none = {0};
    pair_connect(p);
    struct mtime since = p->now;
    pair_sleep(p, 60 * 1000);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(swarm_conn_next(p->side[side].swarm, none, &info), OK);
        assert_int_equal(info.used_at.ns, since.ns);
    }
    struct mtime used = p->now;
    struct stream_id s = open_stream(p, echo, 1);
    assert_int_equal(write_bytes(p, 0, s, BYTES_LIT("hello")), OK);
    pair_run(p);
    pair_sleep(p, 60 * 1000);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(swarm_conn_next(p->side[side].swarm, none, &info), OK);
        assert_int_equal(info.used_at.ns, used.ns);
    }
    pair_free(p);
}

/* Nothing is produced for a socket that has enough. */
static void test_socket_back_pressure(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    size_t limit = swarm_limits_default().socket_queue_max;
    pair_connect(p);
    struct swarm_conn_info info;
    struct conn_id none = {0};
    assert_int_equal(swarm_conn_next(p->side[0].swarm, none, &info), OK);
    struct conn_id conn = info.conn;
    swarm_queued(p->side[0].swarm, conn, limit + 1);
    struct stream_id s = open_stream(p, echo, 1);
    write_zeros(p, s, 1000);
    pair_run(p);
    assert_null(pair_find(p, 1, SWARM_STREAM_IN));
    swarm_queued(p->side[0].swarm, conn, limit);
    pair_run(p);
    assert_non_null(pair_find(p, 1, SWARM_STREAM_IN));
    assert_int_equal(p->data_sum[1], 1000);
    pair_free(p);
}

static void test_stream_reset(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    struct stream_id s = open_stream(p, echo, 1);
    write_zeros(p, s, 10);
    pair_run(p);
    swarm_stream_reset(p->side[0].swarm, s, 0x55);
    swarm_stream_reset(p->side[0].swarm, s, 0x55); /* it has gone */
    assert_int_equal(write_bytes(p, 0, s, BYTES_LIT("x")), E_NOTFOUND);
    pair_run(p);
    struct pair_event *e = pair_find(p, 1, SWARM_STREAM_RESET);
    assert_non_null(e);
    assert_int_equal(e->out.code, 0x55);
    assert_int_equal(swarm_counts(p->side[1].swarm).streams, 0);
    assert_null(pair_find(p, 0, SWARM_STREAM_RESET));
    pair_free(p);
}

static void test_choice_of_protocol(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    struct stream_id s = open_stream(p, odd, 2);
    pair_run(p);
    struct pair_event *e = pair_find(p, 0, SWARM_STREAM_OPEN);
    assert_non_null(e);
    assert_string_equal(e->out.protocol, "/echo/1");
    struct swarm_open_op op = {
        .peer = pair_id(p, 1), .protocols = odd, .count = 1};
    assert_int_equal(swarm_stream_open(p->side[0].swarm, &op, p->now, &s),
                     E_UNSUPPORTED);
    assert_int_equal(swarm_supports(p->side[0].swarm, pair_id(p, 1), "/echo/1"),
                     OK);
    assert_int_equal(swarm_supports(p->side[0].swarm, pair_id(p, 1), "/none/1"),
                     E_UNSUPPORTED);
    op.peer = pair_id(p, 0);
    assert_int_equal(swarm_stream_open(p->side[0].swarm, &op, p->now, &s),
                     E_NOTFOUND);
    assert_int_equal(swarm_supports(p->side[0].swarm, pair_id(p, 0), "/echo/1"),
                     E_NOTFOUND);
    pair_free(p);
}

/* A protocol that has been removed is refused, and the failure is told. */
static void test_refused_protocol(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    swarm_protocol_remove(p->side[1].swarm, "/echo/1", p->now);
    (void)open_stream(p, echo, 1); /* identify still lists it */
    pair_run(p);
    struct pair_event *e = pair_find(p, 0, SWARM_STREAM_OPEN);
    assert_non_null(e);
    assert_int_equal(e->out.err, E_UNSUPPORTED);
    assert_int_equal(swarm_counts(p->side[0].swarm).streams, 0);
    pair_sleep(p, 20000);
    assert_int_equal(swarm_counts(p->side[1].swarm).streams, 0);
    pair_free(p);
}

static void test_push(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    struct swarm_protocol more = {.name = "/more/1", .handler = 9};
    assert_int_equal(swarm_protocol_add(p->side[1].swarm, &more, p->now), OK);
    assert_int_equal(swarm_protocol_add(p->side[1].swarm, &more, p->now),
                     E_EXISTS);
    pair_sleep(p, 1000);
    assert_int_equal(pair_count(p, 0, SWARM_IDENTIFIED), 1);
    assert_int_equal(swarm_supports(p->side[0].swarm, pair_id(p, 1), "/more/1"),
                     OK);
    /* Two changes in a row are one push, 5 s after the last. */
    swarm_protocol_remove(p->side[1].swarm, "/more/1", p->now);
    swarm_set_addrs(p->side[1].swarm, &p->side[0].addr, 1, 2000, p->now);
    pair_sleep(p, 3000);
    assert_int_equal(pair_count(p, 0, SWARM_IDENTIFIED), 1);
    pair_sleep(p, 3000);
    assert_int_equal(pair_count(p, 0, SWARM_IDENTIFIED), 2);
    assert_int_equal(swarm_supports(p->side[0].swarm, pair_id(p, 1), "/more/1"),
                     E_UNSUPPORTED);
    struct swarm_conn_info info;
    struct conn_id none = {0};
    assert_int_equal(swarm_conn_next(p->side[0].swarm, none, &info), OK);
    assert_true(multiaddr_eq(&info.identified.addrs[0], &p->side[0].addr));
    pair_free(p);
}

static void test_ping(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    assert_int_equal(swarm_ping(p->side[0].swarm, pair_id(p, 1), p, p->now),
                     E_NOTFOUND);
    pair_connect(p);
    assert_int_equal(swarm_ping(p->side[0].swarm, pair_id(p, 1), p, p->now),
                     OK);
    pair_drain(p, 0);
    p->now = mtime_add_ms(p->now, 3);
    pair_run(p);
    struct pair_event *e = pair_find(p, 0, SWARM_PING);
    assert_non_null(e);
    assert_int_equal(e->out.err, OK);
    assert_int_equal(e->out.rtt_us, 3000);
    assert_ptr_equal(e->out.owner, p);
    assert_int_equal(swarm_counts(p->side[0].swarm).streams, 0);
    assert_int_equal(swarm_counts(p->side[1].swarm).streams, 0);
    /* A third at one time is over the limit of the other end. */
    pair_forget(p);
    for (int i = 0; i < 3; i++)
        assert_int_equal(swarm_ping(p->side[0].swarm, pair_id(p, 1), p, p->now),
                         OK);
    pair_run(p);
    assert_int_equal(pair_count(p, 0, SWARM_PING), 3);
    pair_free(p);
}

static void test_cut(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    struct stream_id s = open_stream(p, echo, 1);
    write_zeros(p, s, 10);
    pair_run(p);
    assert_int_equal(swarm_ping(p->side[0].swarm, pair_id(p, 1), p, p->now),
                     OK);
    pair_cut(p, 0);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(pair_count(p, side, SWARM_STREAM_RESET), 1);
        assert_int_equal(pair_count(p, side, SWARM_DISCONNECTED), 1);
        assert_false(pair_find(p, side, SWARM_DISCONNECTED)->out.peer_left);
        struct swarm_counts counts = swarm_counts(p->side[side].swarm);
        assert_int_equal(counts.streams, 0);
        assert_int_equal(counts.conns, 0);
        assert_int_equal(counts.peers, 0);
        assert_true(swarm_deadline(p->side[side].swarm).ns == UINT64_MAX);
    }
    assert_int_equal(pair_find(p, 0, SWARM_PING)->out.err, E_CLOSED);
    pair_free(p);
}

static void test_disconnect(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    assert_int_equal(swarm_disconnect(p->side[0].swarm, pair_id(p, 1), p->now),
                     OK);
    assert_int_equal(swarm_disconnect(p->side[0].swarm, pair_id(p, 1), p->now),
                     E_NOTFOUND);
    pair_run(p);
    assert_int_equal(pair_count(p, 0, SWARM_CLOSE), 1);
    assert_int_equal(pair_count(p, 1, SWARM_DISCONNECTED), 1);
    pair_connect(p); /* and again */
    pair_free(p);
}

/* The owner resets a stream whose end waits to be told: it is not told. */
static void test_owner_is_behind(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    struct stream_id s = open_stream(p, echo, 1);
    pair_run(p);
    swarm_transport_closed(p->side[0].swarm, p->wires[0].conn[0], E_IO, p->now);
    swarm_stream_reset(p->side[0].swarm, s, 0);
    p->wires[0].conn[0].n = 0;
    pair_drain(p, 0);
    assert_null(pair_find(p, 0, SWARM_STREAM_RESET));
    assert_int_equal(pair_count(p, 0, SWARM_DISCONNECTED), 1);
    assert_int_equal(swarm_counts(p->side[0].swarm).streams, 0);
    pair_free(p);
}

static void test_wrong_peer(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    struct peer_id wanted = *pair_id(p, 1);
    wanted.bytes[wanted.len - 1] ^= 1;
    struct swarm_dial_op op = {
        .peer = &wanted, .addrs = &p->side[1].addr, .count = 1};
    assert_int_equal(swarm_dial(p->side[0].swarm, &op, p->now), OK);
    pair_run(p);
    struct pair_event *e = pair_find(p, 0, SWARM_DIAL_FAILED);
    assert_non_null(e);
    assert_int_equal(e->out.err, E_MISMATCH);
    assert_true(peer_id_eq(&e->out.peer, &wanted));
    assert_true(peer_id_eq(&e->out.actual, pair_id(p, 1)));
    e = pair_find(p, 0, SWARM_FAULT);
    assert_non_null(e);
    assert_int_equal(e->out.fault, SWARM_FAULT_IDENTITY);
    assert_null(pair_find(p, 0, SWARM_CONNECTED));
    assert_int_equal(swarm_counts(p->side[0].swarm).conns, 0);
    pair_free(p);
}

static void test_dial_refusals(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    struct swarm *sw = p->side[0].swarm;
    struct multiaddr udp;
    assert_int_equal(
        multiaddr_parse(BYTES_LIT("/ip4/1.2.3.4/udp/1/quic-v1"), &udp), OK);
    struct swarm_dial_op op = {
        .peer = pair_id(p, 0), .addrs = &p->side[1].addr, .count = 1};
    assert_int_equal(swarm_dial(sw, &op, p->now), E_REFUSED);
    op.peer = pair_id(p, 1);
    op.count = 0;
    assert_int_equal(swarm_dial(sw, &op, p->now), E_NOTFOUND);
    op.addrs = &udp;
    op.count = 1;
    assert_int_equal(swarm_dial(sw, &op, p->now), E_NOTFOUND);
    /* A failure holds the address back; force does not care. */
    p->refuse_dials = true;
    op.addrs = &p->side[1].addr;
    assert_int_equal(swarm_dial(sw, &op, p->now), OK);
    pair_run(p);
    assert_int_equal(pair_find(p, 0, SWARM_DIAL_FAILED)->out.err, E_REFUSED);
    assert_int_equal(swarm_dial(sw, &op, p->now), E_TIMEOUT);
    op.force = true;
    assert_int_equal(swarm_dial(sw, &op, p->now), OK);
    pair_run(p);
    op.force = false;
    pair_sleep(p, 9999);
    assert_int_equal(swarm_dial(sw, &op, p->now), E_TIMEOUT);
    pair_sleep(p, 1);
    p->refuse_dials = false;
    assert_int_equal(swarm_dial(sw, &op, p->now), OK);
    pair_run(p);
    assert_true(swarm_is_connected(sw, pair_id(p, 1)));
    pair_free(p);
}

/* An address that leads back to ourselves, dialed without a peer id. */
static void test_dial_finds_ourselves(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    struct swarm *sw = p->side[0].swarm;
    struct swarm_transport t = pair_transport(p, 0, 0);
    struct conn_id conn;
    t.secured = pair_id(p, 0);
    assert_int_equal(swarm_accepted(sw, &t, p->now, &conn), OK);
    pair_drain(p, 0);
    assert_null(pair_find(p, 0, SWARM_CONNECTED));
    assert_int_equal(pair_find(p, 0, SWARM_CLOSE)->out.err, E_REFUSED);
    pair_free(p);
}

/* The second address is tried 250 ms after the first one said nothing. */
static void test_dial_stagger(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    struct swarm *sw = p->side[0].swarm;
    struct multiaddr addrs[5];
    struct swarm_out out;
    struct conn_id conns[5];
    size_t count = 0;
    for (size_t i = 0; i < countof(addrs); i++) {
        struct ma_ip ip = {.len = 4, .bytes = {10, 0, 0, (uint8_t)i}};
        addrs[i] = multiaddr_from_ip_port(&ip, MA_TCP, 1);
    }
    struct swarm_dial_op op = {
        .peer = pair_id(p, 1), .addrs = addrs, .count = countof(addrs)};
    assert_int_equal(swarm_dial(sw, &op, p->now), OK);
    for (int ms = 0; ms <= 1000; ms += 250) {
        swarm_on_time(sw, p->now);
        while (swarm_next(sw, p->now, &out)) {
            assert_int_equal(out.type, SWARM_DIAL);
            assert_true(multiaddr_eq(&out.addr, &addrs[count]));
            conns[count++] = out.conn;
        }
        /* Never more than 3 at one time. */
        assert_int_equal(count, ms / 250 < 3 ? ms / 250 + 1 : 3);
        p->now = mtime_add_ms(p->now, 250);
    }
    swarm_dial_failed(sw, conns[0], E_REFUSED, p->now);
    assert_true(swarm_next(sw, p->now, &out));
    assert_true(multiaddr_eq(&out.addr, &addrs[3]));
    /* One of them is it: the others are called off. */
    struct swarm_transport t = pair_transport(p, 0, 0);
    t.secured = pair_id(p, 1);
    assert_int_equal(swarm_dialed(sw, conns[1], &t, p->now), OK);
    int closed = 0;
    while (swarm_next(sw, p->now, &out)) {
        closed += out.type == SWARM_CLOSE;
        if (out.type == SWARM_WRITE)
            slice_release(&out.slice);
    }
    assert_int_equal(closed, 2);
    assert_int_equal(swarm_dialed(sw, conns[2], &t, p->now), E_NOTFOUND);
    assert_int_equal(swarm_counts(sw).conns, 1);
    assert_int_equal(swarm_counts(sw).dials, 0);
    pair_free(p);
}

static void test_dial_times_out(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    struct swarm *sw = p->side[0].swarm;
    struct swarm_out out;
    struct swarm_dial_op op = {
        .peer = pair_id(p, 1), .addrs = &p->side[1].addr, .count = 1};
    assert_int_equal(swarm_dial(sw, &op, p->now), OK);
    assert_true(swarm_next(sw, p->now, &out));
    assert_int_equal(out.type, SWARM_DIAL);
    pair_sleep(p, 14999);
    assert_int_equal(p->events_count, 0);
    pair_sleep(p, 1);
    assert_int_equal(pair_find(p, 0, SWARM_DIAL_FAILED)->out.err, E_TIMEOUT);
    assert_int_equal(pair_count(p, 0, SWARM_CLOSE), 1);
    pair_free(p);
}

static void test_silent_inbound(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    size_t wire;
    assert_int_equal(pair_accept(p, 1, &wire), OK);
    pair_sleep(p, 14999);
    assert_null(pair_find(p, 1, SWARM_CLOSE));
    pair_sleep(p, 1);
    assert_int_equal(pair_find(p, 1, SWARM_CLOSE)->out.err, E_TIMEOUT);
    assert_int_equal(pair_find(p, 1, SWARM_FAULT)->out.fault,
                     SWARM_FAULT_TIMEOUT);
    pair_free(p);
}

/* A connection that lives is kept; one that is dead is noticed. */
static void test_keepalive(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    pair_sleep(p, 600 * 1000);
    assert_true(swarm_is_connected(p->side[0].swarm, pair_id(p, 1)));
    p->wires[0].mute = true;
    pair_sleep(p, 40 * 1000);
    assert_false(swarm_is_connected(p->side[0].swarm, pair_id(p, 1)));
    assert_int_equal(pair_find(p, 0, SWARM_FAULT)->out.fault,
                     SWARM_FAULT_TIMEOUT);
    pair_free(p);
}

/* Of two ends where nothing passes one pings every half minute, not both: and
 * each does, so that each knows how far away the other is. */
static void test_keepalive_takes_turns(void **state)
{
    enum { MINUTES = 20, FRAME = 12 + 16 + 2 };
    size_t before[2];

    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    pair_sleep(p, 60 * 1000);
    for (int side = 0; side < 2; side++)
        before[side] = p->wires[0].sum[side];
    pair_sleep(p, MINUTES * 60 * 1000);
    for (int side = 0; side < 2; side++) {
        size_t frames = (p->wires[0].sum[side] - before[side]) / FRAME;
        assert_in_range(frames, 2 * MINUTES - 2, 2 * MINUTES + 4);
    }
    pair_free(p);
}

static void test_two_connections(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    struct swarm_dial_op op = {
        .peer = pair_id(p, 1), .addrs = &p->side[1].addr, .count = 1};
    struct swarm_dial_op back = {
        .peer = pair_id(p, 0), .addrs = &p->side[0].addr, .count = 1};
    /* Both dial at once: both connections stay. */
    assert_int_equal(swarm_dial(p->side[0].swarm, &op, p->now), OK);
    assert_int_equal(swarm_dial(p->side[1].swarm, &back, p->now), OK);
    pair_run(p);
    assert_int_equal(swarm_counts(p->side[0].swarm).conns, 2);
    assert_int_equal(swarm_counts(p->side[0].swarm).peers, 1);
    pair_forget(p);
    pair_cut(p, 0);
    assert_true(pair_find(p, 0, SWARM_DISCONNECTED)->out.peer_left);
    assert_true(swarm_is_connected(p->side[0].swarm, pair_id(p, 1)));
    pair_free(p);
}

/* Cut the initiator's bytes anywhere: nothing but an orderly end. */
static void test_every_prefix(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    size_t all = p->wires[0].sum[1];
    pair_free(p);
    for (size_t len = 0; len < all; len += len < 600 ? 1 : 37) {
        p = new_pair();
        struct swarm_dial_op op = {
            .peer = pair_id(p, 1), .addrs = &p->side[1].addr, .count = 1};
        p->wire_max = len;
        assert_int_equal(swarm_dial(p->side[0].swarm, &op, p->now), OK);
        pair_run(p);
        pair_cut(p, 0);
        pair_sleep(p, 20000);
        for (int side = 0; side < 2; side++) {
            assert_int_equal(swarm_counts(p->side[side].swarm).conns, 0);
            assert_int_equal(swarm_counts(p->side[side].swarm).streams, 0);
            assert_int_equal(pair_count(p, side, SWARM_CONNECTED),
                             pair_count(p, side, SWARM_DISCONNECTED));
        }
        pair_free(p);
    }
}

/* Change one byte anywhere: the connection ends, or never comes to be. */
static void test_flips(void **state)
{
    (void)state;
    struct pair *p = new_pair();
    pair_connect(p);
    size_t all = p->wires[0].sum[1];
    pair_free(p);
    for (size_t at = 0; at < all; at += 3) {
        p = new_pair();
        struct swarm_dial_op op = {
            .peer = pair_id(p, 1), .addrs = &p->side[1].addr, .count = 1};
        p->flip = true;
        p->flip_at = at;
        p->random = at + 1;
        p->piece_max = 64;
        assert_int_equal(swarm_dial(p->side[0].swarm, &op, p->now), OK);
        pair_run(p);
        pair_sleep(p, 120000); /* a longer frame may be waited for */
        assert_int_equal(swarm_counts(p->side[0].swarm).conns, 0);
        assert_int_equal(swarm_counts(p->side[1].swarm).conns, 0);
        pair_free(p);
    }
}

/* The same inputs give the same outputs, byte for byte. */
static void test_determinism(void **state)
{
    (void)state;
    size_t sum[2];
    size_t events[2];
    for (int run = 0; run < 2; run++) {
        struct pair *p = new_pair();
        p->piece_max = 50;
        pair_connect(p);
        struct stream_id s = open_stream(p, echo, 1);
        write_zeros(p, s, 100000);
        pair_sleep(p, 100000);
        sum[run] = p->wires[0].sum[0] * 1000003 + p->wires[0].sum[1] +
                   p->wires[0].hash;
        events[run] = p->events_count;
        pair_free(p);
    }
    assert_int_equal(sum[0], sum[1]);
    assert_int_equal(events[0], events[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_echo_in_pieces),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_writable),
        cmocka_unit_test(test_used_at),
        cmocka_unit_test(test_socket_back_pressure),
        cmocka_unit_test(test_stream_reset),
        cmocka_unit_test(test_choice_of_protocol),
        cmocka_unit_test(test_refused_protocol),
        cmocka_unit_test(test_push),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_disconnect),
        cmocka_unit_test(test_owner_is_behind),
        cmocka_unit_test(test_wrong_peer),
        cmocka_unit_test(test_dial_refusals),
        cmocka_unit_test(test_dial_finds_ourselves),
        cmocka_unit_test(test_dial_stagger),
        cmocka_unit_test(test_dial_times_out),
        cmocka_unit_test(test_silent_inbound),
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_keepalive_takes_turns),
        cmocka_unit_test(test_two_connections),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_determinism),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
