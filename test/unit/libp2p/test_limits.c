/*
 * Goal: nobody gets more of us than he should, and who floods us with what has
 * no effect is dropped, also when he comes back.  Method: a swarm whose peer
 * is the test itself, which writes Yamux frames by hand over a transport that
 * needs no Noise; each limit at the limit and one past it.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "libp2p/pair.h"
#include "libp2p/yamux_frame.h"

#include "test.h"

static const struct swarm_protocol protocols[] = {
    {.name = "/echo/1", .handler = 7},
    {.name = "/few/1", .handler = 8, .streams_max = 2},
};

/* The test as peer of side 1. */
struct raw {
    struct pair *p;
    size_t wire;
    struct peer_id id;
};

static struct peer_id make_id(uint8_t n)
{
    struct privkey key;
    uint8_t seed[32];
    memset(seed, n, sizeof(seed));
    privkey_init_seed(&key, seed);
    struct peer_id id = privkey_peer_id(&key);
    privkey_release(&key);
    return id;
}

static struct multiaddr make_addr(uint8_t host, bool loopback)
{
    struct ma_ip ip = {.len = 4, .bytes = {loopback ? 127 : 10, 0, 0, host}};
    return multiaddr_from_ip_port(&ip, MA_TCP, 5000);
}

static enum err try_join(struct raw *r, struct pair *p, uint8_t peer,
                         const struct multiaddr *from)
{
    struct swarm_transport t = pair_transport(p, 1, 0);
    size_t wire = 0;

    while (p->wires[wire].used)
        wire++;
    r->p = p;
    r->wire = wire;
    r->id = make_id(peer);
    t.owner = &p->wires[wire];
    t.remote = *from;
    t.secured = &r->id;
    enum err err =
        swarm_accepted(p->side[1].swarm, &t, p->now, &p->wires[wire].conn[1]);
    if (err == OK)
        p->wires[wire].used = true;
    pair_drain(p, 1);
    return err;
}

static struct raw join(struct pair *p, uint8_t peer, uint8_t host)
{
    struct raw r;
    struct multiaddr from = make_addr(host, false);
    assert_int_equal(try_join(&r, p, peer, &from), OK);
    return r;
}

static bool is_alive(const struct raw *r)
{
    return r->p->wires[r->wire].conn[1].n != 0;
}

static void send_bytes(struct raw *r, struct bytes in)
{
    if (!is_alive(r))
        return;
    uint8_t *copy = mem_dup(in.p, in.len);
    swarm_bytes(r->p->side[1].swarm, r->p->wires[r->wire].conn[1], copy, in.len,
                r->p->now);
    pair_drain(r->p, 1);
    mem_free(copy);
}

static void send_frame(struct raw *r, enum yamux_type type, uint16_t flags,
                       uint32_t id, uint32_t length)
{
    uint8_t head[YAMUX_HEAD_BYTES];
    yamux_head_write(
        &(struct yamux_head){
            .type = type, .flags = flags, .stream = id, .length = length},
        head);
    send_bytes(r, (struct bytes){.p = head, .len = sizeof(head)});
}

static void send_data(struct raw *r, uint32_t id, uint16_t flags,
                      struct bytes in)
{
    uint8_t *frame = mem_alloc(YAMUX_HEAD_BYTES + in.len);
    yamux_head_write(&(struct yamux_head){.type = YAMUX_TYPE_DATA,
                                          .flags = flags,
                                          .stream = id,
                                          .length = (uint32_t)in.len},
                     frame);
    if (in.len > 0)
        memcpy(frame + YAMUX_HEAD_BYTES, in.p, in.len);
    send_bytes(r, (struct bytes){.p = frame, .len = YAMUX_HEAD_BYTES + in.len});
    mem_free(frame);
}

/* Frames that came from side 1 since the last look: how many match. */
static size_t seen(struct raw *r, enum yamux_type type, uint16_t flags,
                   uint32_t id, uint32_t length)
{
    struct pair_wire *w = &r->p->wires[r->wire];
    size_t count = 0;

    for (size_t at = 0; at < w->len[0];) {
        struct yamux_head h;
        assert_int_equal(yamux_head_read(w->bytes[0] + at, &h), OK);
        count += h.type == type && h.flags == flags && h.stream == id &&
                 h.length == length;
        at += YAMUX_HEAD_BYTES;
        if (h.type == YAMUX_TYPE_DATA)
            at += h.length;
    }
    return count;
}

static void clear_seen(struct raw *r)
{
    r->p->wires[r->wire].len[0] = 0;
}

static struct bytes opening(const char *name)
{
    static uint8_t room[300];
    struct wr w = wr_init(room, sizeof(room));
    struct bytes out;
    wr_bytes(&w, BYTES_LIT("\x13/multistream/1.0.0\n"));
    wr_uvarint(&w, strlen(name) + 1);
    wr_bytes(&w, bytes_str(name));
    wr_u8(&w, '\n');
    assert_int_equal(wr_finish(&w, &out), OK);
    return out;
}

static struct pair *new_pair(const struct swarm_limits *limits)
{
    return pair_new(protocols, countof(protocols), limits);
}

static void expect_fault(struct pair *p, enum swarm_fault what)
{
    struct pair_event *e = pair_find(p, 1, SWARM_FAULT);
    assert_non_null(e);
    assert_int_equal(e->out.fault, what);
}

/* ------------------------------------------------------------------------- */

static void test_conns_per_ip(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r[5];
    struct multiaddr a = make_addr(1, false);
    struct multiaddr b = make_addr(2, false);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(try_join(&r[i], p, (uint8_t)(50 + i), &a), OK);
    assert_int_equal(try_join(&r[3], p, 53, &a), E_LIMIT);
    assert_int_equal(try_join(&r[3], p, 53, &b), OK);
    pair_cut(p, r[0].wire);
    assert_int_equal(try_join(&r[4], p, 54, &a), OK);
    pair_free(p);
}

static void test_loopback_counts_when_told(void **state)
{
    (void)state;
    struct swarm_limits limits = swarm_limits_default();
    for (int limit = 0; limit <= 1; limit++) {
        limits.limit_loopback = limit == 1;
        struct pair *p = new_pair(&limits);
        struct multiaddr a = make_addr(1, true);
        struct raw r;
        for (uint8_t i = 0; i < 10; i++)
            assert_int_equal(try_join(&r, p, (uint8_t)(50 + i), &a),
                             limit == 1 && i >= 3 ? E_LIMIT : OK);
        pair_free(p);
    }
}

static void test_conns_per_peer(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw one = join(p, 50, 1);
    struct raw two = join(p, 50, 2);
    struct raw three = join(p, 50, 3);
    assert_true(is_alive(&one));
    assert_true(is_alive(&two));
    assert_false(is_alive(&three));
    assert_int_equal(pair_count(p, 1, SWARM_CONNECTED), 2);
    pair_free(p);
}

static void test_conns_max(void **state)
{
    (void)state;
    struct swarm_limits limits = swarm_limits_default();
    limits.conns_max = 4;
    limits.upgrading_max = 2;
    struct pair *p = new_pair(&limits);
    size_t wires[3];
    for (size_t i = 0; i < countof(wires); i++) {
        assert_int_equal(pair_accept(p, 1, &wires[i]), OK);
        pair_drain(p, 1);
    }
    /* Of too many that are in upgrade the oldest goes. */
    assert_int_equal(p->wires[wires[0]].conn[1].n, 0);
    assert_int_not_equal(p->wires[wires[1]].conn[1].n, 0);
    assert_int_not_equal(p->wires[wires[2]].conn[1].n, 0);
    assert_int_equal(swarm_counts(p->side[1].swarm).conns, 2);
    assert_int_equal(swarm_counts(p->side[1].swarm).refused, 1);
    pair_sleep(p, 15000); /* both were silent */
    struct multiaddr a;
    struct raw r;
    for (uint8_t i = 0; i < 5; i++) {
        a = make_addr((uint8_t)(10 + i), false);
        assert_int_equal(try_join(&r, p, (uint8_t)(50 + i), &a),
                         i < 4 ? OK : E_LIMIT);
    }
    struct swarm_dial_op op = {
        .peer = pair_id(p, 0), .addrs = &p->side[0].addr, .count = 1};
    assert_int_equal(swarm_dial(p->side[1].swarm, &op, p->now), E_LIMIT);
    pair_free(p);
}

static void test_streams_in(void **state)
{
    (void)state;
    struct swarm_limits limits = swarm_limits_default();
    limits.streams_in_max = 5;
    limits.negotiating_max = 3;
    struct pair *p = new_pair(&limits);
    struct raw r = join(p, 50, 1);
    for (uint32_t id = 1; id <= 7; id += 2)
        send_frame(&r, YAMUX_TYPE_WINDOW, YAMUX_SYN, id, 0);
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 7, SWARM_RESET_LIMIT), 1);
    for (uint32_t id = 1; id <= 5; id += 2)
        send_data(&r, id, 0, opening("/echo/1"));
    for (uint32_t id = 9; id <= 13; id += 2)
        send_frame(&r, YAMUX_TYPE_WINDOW, YAMUX_SYN, id, 0);
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 11, SWARM_RESET_LIMIT), 0);
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 13, SWARM_RESET_LIMIT), 1);
    assert_int_equal(pair_count(p, 1, SWARM_STREAM_IN), 3);
    assert_true(is_alive(&r));
    /* One that ends makes room. */
    send_frame(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 1, 0);
    send_frame(&r, YAMUX_TYPE_WINDOW, YAMUX_SYN, 15, 0);
    assert_int_equal(seen(&r, YAMUX_TYPE_WINDOW, YAMUX_ACK, 15, 0), 1);
    pair_free(p);
}

static void test_streams_of_a_protocol(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    for (uint32_t id = 1; id <= 5; id += 2)
        send_data(&r, id, YAMUX_SYN, opening("/few/1"));
    assert_int_equal(pair_count(p, 1, SWARM_STREAM_IN), 2);
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 5, SWARM_RESET_LIMIT), 1);
    pair_free(p);
}

static void test_negotiation_times_out(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    send_frame(&r, YAMUX_TYPE_WINDOW, YAMUX_SYN, 1, 0);
    p->now = mtime_add_ms(p->now, 9999);
    swarm_on_time(p->side[1].swarm, p->now);
    pair_drain(p, 1);
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 1, SWARM_RESET_NEGOTIATION), 0);
    send_frame(&r, YAMUX_TYPE_PING, YAMUX_SYN, 0, 1); /* it is there */
    p->now = mtime_add_ms(p->now, 1);
    swarm_on_time(p->side[1].swarm, p->now);
    pair_drain(p, 1);
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 1, SWARM_RESET_NEGOTIATION), 1);
    pair_free(p);
}

static void test_garbage_negotiation(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    send_data(&r, 1, YAMUX_SYN, BYTES_LIT("\x05GET /"));
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 1, SWARM_RESET_NEGOTIATION), 1);
    assert_true(is_alive(&r));
    /* Opened and ended at once: in silence. */
    send_data(&r, 3, YAMUX_SYN | YAMUX_FIN, BYTES_EMPTY);
    assert_true(is_alive(&r));
    pair_free(p);
}

/* Frames without effect: how many pass before the connection goes. */
enum flood {
    FLOOD_PING,
    FLOOD_PONG,
    FLOOD_EMPTY,
    FLOOD_ZERO_DELTA,
    FLOOD_UNKNOWN,
    FLOOD_UNKNOWN_RESET,
    FLOOD_SYN_RST,
    FLOOD_NA,
    FLOODS,
};

static void flood_once(struct raw *r, enum flood kind, uint32_t round)
{
    uint32_t id = 101 + 2 * round;

    switch (kind) {
    case FLOOD_PING:
        send_frame(r, YAMUX_TYPE_PING, YAMUX_SYN, 0, round);
        break;
    case FLOOD_PONG:
        send_frame(r, YAMUX_TYPE_PING, YAMUX_ACK, 0, 77);
        break;
    case FLOOD_EMPTY:
        send_frame(r, YAMUX_TYPE_DATA, 0, 1, 0);
        break;
    case FLOOD_ZERO_DELTA:
        send_frame(r, YAMUX_TYPE_WINDOW, 0, 1, 0);
        break;
    case FLOOD_UNKNOWN:
        send_frame(r, YAMUX_TYPE_WINDOW, 0, 99, 5000);
        break;
    case FLOOD_UNKNOWN_RESET:
        send_frame(r, YAMUX_TYPE_WINDOW, YAMUX_RST, 99, 0);
        break;
    case FLOOD_SYN_RST:
        send_frame(r, YAMUX_TYPE_WINDOW, YAMUX_SYN, id, 0);
        send_frame(r, YAMUX_TYPE_WINDOW, YAMUX_RST, id, 0);
        break;
    case FLOOD_NA:
        if (round % 60 == 0)
            send_data(r, id, YAMUX_SYN, BYTES_LIT("\x13/multistream/1.0.0\n"));
        send_data(r, 101 + 2 * (round - round % 60), 0, BYTES_LIT("\x03/x\n"));
        break;
    case FLOODS:
        break;
    }
    clear_seen(r);
}

static uint32_t flood(struct raw *r, enum flood kind)
{
    uint32_t round = 0;
    while (round < 100000 && is_alive(r))
        flood_once(r, kind, round++);
    return round;
}

static void test_floods(void **state)
{
    (void)state;
    for (int kind = 0; kind < FLOODS; kind++) {
        struct pair *p = new_pair(NULL);
        struct raw r = join(p, 50, 1);
        send_data(&r, 1, YAMUX_SYN, opening("/echo/1"));
        uint32_t rounds = flood(&r, (enum flood)kind);
        assert_in_range(rounds, 400, 1001);
        expect_fault(p, SWARM_FAULT_FLOOD);
        /* Who comes back finds his record, and is soon shut out. */
        pair_forget(p);
        uint32_t more = 0;
        for (int again = 0; again < 10; again++) {
            struct multiaddr from = make_addr(1, false);
            if (try_join(&r, p, 50, &from) != OK)
                break;
            more += flood(&r, (enum flood)kind);
        }
        assert_in_range(more, 0, 1100);
        pair_free(p);
    }
}

/* The same at a pace that is no trouble: the connection stays. */
static void test_slow_is_no_flood(void **state)
{
    (void)state;
    for (int kind = 0; kind < FLOOD_NA; kind++) {
        struct pair *p = new_pair(NULL);
        struct raw r = join(p, 50, 1);
        send_data(&r, 1, YAMUX_SYN, opening("/echo/1"));
        for (uint32_t round = 0; round < 3000; round++) {
            flood_once(&r, (enum flood)kind, round);
            p->now = mtime_add_ms(p->now, 20);
        }
        assert_true(is_alive(&r));
        pair_free(p);
    }
}

static void test_address_is_shut_out(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct multiaddr from = make_addr(1, false);
    struct raw r;
    enum err err = OK;
    uint8_t peer = 60;
    while (err == OK && peer < 250) {
        err = try_join(&r, p, peer++, &from); /* always somebody else */
        if (err == OK)
            (void)flood(&r, FLOOD_PING); /* until it is dropped */
    }
    assert_int_equal(err, E_REFUSED);
    assert_in_range(peer, 62, 68);
    /* After a while it may come again. */
    p->now = mtime_add_ms(p->now, 60000);
    assert_int_equal(try_join(&r, p, 251, &from), OK);
    pair_free(p);
}

static void test_data_for_nobody(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    send_frame(&r, YAMUX_TYPE_DATA, 0, 9, UINT32_MAX);
    assert_false(is_alive(&r));
    expect_fault(p, SWARM_FAULT_PROTOCOL);
    pair_free(p);
}

static void test_pushes(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    for (uint32_t i = 0; i <= 10; i++) {
        uint32_t id = 1 + 2 * i;
        send_data(&r, id, YAMUX_SYN, opening("/ipfs/id/push/1.0.0"));
        assert_int_equal(
            seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, id, SWARM_RESET_RATE),
            i < 10 ? 0 : 1);
        send_data(&r, id, YAMUX_FIN,
                  BYTES_LIT("\x05\x32\x03"
                            "me!"));
    }
    assert_int_equal(pair_count(p, 1, SWARM_IDENTIFIED), 10);
    assert_true(is_alive(&r));
    pair_free(p);
}

/* Pushes of a peer for whom nobody but the connection answers. */
static void test_pushes_over_loopback(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct multiaddr from = make_addr(1, true);
    struct raw r;
    assert_int_equal(try_join(&r, p, 50, &from), OK);
    for (uint32_t i = 0; i < 100 && is_alive(&r); i++) {
        uint32_t id = 1 + 2 * i;
        send_data(&r, id, YAMUX_SYN, opening("/ipfs/id/push/1.0.0"));
        send_data(&r, id, YAMUX_FIN,
                  BYTES_LIT("\x05\x32\x03"
                            "me!"));
        clear_seen(&r);
    }
    assert_int_equal(pair_count(p, 1, SWARM_IDENTIFIED), 10);
    assert_false(is_alive(&r));
    expect_fault(p, SWARM_FAULT_FLOOD);
    pair_free(p);
}

/* Bytes of data that come one by one: 32 of them are worth a token. */
static void test_tiny_data(void **state)
{
    (void)state;
    for (size_t len = 11; len <= 12; len++) {
        struct pair *p = new_pair(NULL);
        struct raw r = join(p, 50, 1);
        struct bytes in = {.p = (const uint8_t *)"twelve bytes", .len = len};
        send_data(&r, 1, YAMUX_SYN, opening("/echo/1"));
        uint32_t round = 0;
        for (; round < 33000 && is_alive(&r); round++) {
            send_data(&r, 1, 0, in);
            clear_seen(&r);
        }
        assert_int_equal(is_alive(&r), len == 12);
        if (len == 11)
            assert_in_range(round, 31900, 32100);
        pair_free(p);
    }
}

static void test_bad_identify(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    send_data(&r, 1, YAMUX_SYN, opening("/ipfs/id/push/1.0.0"));
    send_data(&r, 1, YAMUX_FIN, BYTES_LIT("\x03\x0a\x01x")); /* another key */
    expect_fault(p, SWARM_FAULT_IDENTIFY);
    assert_int_equal(pair_count(p, 1, SWARM_IDENTIFIED), 0);
    assert_true(is_alive(&r));
    pair_free(p);
}

/* One is bad luck, a hundred are none. */
static void test_bad_identify_flood(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct multiaddr from = make_addr(1, true);
    struct raw r;
    assert_int_equal(try_join(&r, p, 50, &from), OK);
    uint32_t round = 0;
    for (; round < 100 && is_alive(&r); round++) {
        uint32_t id = 1 + 2 * round;
        send_data(&r, id, YAMUX_SYN, opening("/ipfs/id/push/1.0.0"));
        send_data(&r, id, YAMUX_FIN, BYTES_LIT("\x03\x0a\x01x"));
        p->now = mtime_add_ms(p->now, 10);
    }
    assert_in_range(round, 40, 70);
    pair_free(p);
}

/* What our owner does not consume is limited for all together. */
static void test_unread(void **state)
{
    (void)state;
    struct swarm_limits limits = swarm_limits_default();
    limits.unread_max = 100000;
    struct pair *p = new_pair(&limits);
    static uint8_t zeros[60000];
    struct raw small = join(p, 50, 1);
    struct raw large = join(p, 51, 2);
    p->hold_data = true;
    send_data(&small, 1, YAMUX_SYN, opening("/echo/1"));
    send_data(&large, 1, YAMUX_SYN, opening("/echo/1"));
    send_data(&large, 1, 0, (struct bytes){.p = zeros, .len = 60000});
    send_data(&small, 1, 0, (struct bytes){.p = zeros, .len = 40000});
    assert_true(is_alive(&large));
    send_data(&small, 1, 0, (struct bytes){.p = zeros, .len = 1});
    assert_false(is_alive(&large));
    assert_true(is_alive(&small));
    expect_fault(p, SWARM_FAULT_HOARD);
    assert_int_equal(p->data_sum[1], 100001);
    pair_free(p);
}

static void test_send_queue(void **state)
{
    (void)state;
    struct swarm_limits limits = swarm_limits_default();
    limits.stream_queue_max = 1000;
    struct pair *p = new_pair(&limits);
    struct raw r = join(p, 50, 1);
    static uint8_t zeros[1001];
    size_t queued;
    send_data(&r, 1, YAMUX_SYN, opening("/echo/1"));
    struct stream_id s = pair_find(p, 1, SWARM_STREAM_IN)->out.stream;
    struct swarm *sw = p->side[1].swarm;
    assert_int_equal(
        swarm_stream_write_copy(sw, s, (struct bytes){.p = zeros, .len = 1001},
                                &queued),
        E_LIMIT);
    assert_int_equal(
        swarm_stream_write_copy(sw, s, (struct bytes){.p = zeros, .len = 1000},
                                &queued),
        OK);
    assert_int_equal(queued, 1000);
    assert_int_equal(swarm_stream_write_copy(sw, s, BYTES_LIT("x"), &queued),
                     E_LIMIT);
    pair_free(p);
}

static void test_streams_out(void **state)
{
    (void)state;
    struct swarm_limits limits = swarm_limits_default();
    limits.streams_out_max = 3; /* identify is one of them */
    struct pair *p = new_pair(&limits);
    struct raw r = join(p, 50, 1);
    static const char *const names[] = {"/echo/1"};
    struct swarm_open_op op = {.peer = &r.id, .protocols = names, .count = 1};
    struct stream_id s;
    struct swarm *sw = p->side[1].swarm;
    assert_int_equal(swarm_stream_open(sw, &op, p->now, &s), OK);
    assert_int_equal(swarm_stream_open(sw, &op, p->now, &s), OK);
    assert_int_equal(swarm_stream_open(sw, &op, p->now, &s), E_LIMIT);
    assert_int_equal(swarm_ping(sw, &r.id, NULL, p->now), E_LIMIT);
    pair_free(p);
}

/* Two protocols, nothing known about the peer: no 0-RTT. */
static void test_full_negotiation(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    static const char *const names[] = {"/a/1", "/b/1"};
    struct swarm_open_op op = {.peer = &r.id, .protocols = names, .count = 2};
    struct stream_id s;
    size_t queued;
    struct swarm *sw = p->side[1].swarm;
    assert_int_equal(swarm_stream_open(sw, &op, p->now, &s), OK);
    assert_int_equal(swarm_stream_write_copy(sw, s, BYTES_LIT("x"), &queued),
                     E_AGAIN);
    pair_drain(p, 1);
    send_data(&r, 4, YAMUX_ACK, BYTES_LIT("\x13/multistream/1.0.0\n\x03na\n"));
    send_data(&r, 4, 0, BYTES_LIT("\x05/b/1\nhello"));
    struct pair_event *e = pair_find(p, 1, SWARM_STREAM_OPEN);
    assert_non_null(e);
    assert_int_equal(e->out.err, OK);
    assert_ptr_equal(e->out.protocol, names[1]);
    assert_int_equal(p->data_sum[1], 5);
    assert_int_equal(swarm_stream_write_copy(sw, s, BYTES_LIT("x"), &queued),
                     OK);
    pair_free(p);
}

/* Ping streams: echo whole units, end after a time, two at most. */
static void test_ping_server(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    static uint8_t unit[32] = {1, 2, 3};
    for (uint32_t id = 1; id <= 5; id += 2)
        send_data(&r, id, YAMUX_SYN, opening("/ipfs/ping/1.0.0"));
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 5, SWARM_RESET_LIMIT), 1);
    clear_seen(&r);
    send_data(&r, 1, 0, (struct bytes){.p = unit, .len = 31});
    assert_int_equal(seen(&r, YAMUX_TYPE_DATA, 0, 1, 32), 0);
    send_data(&r, 1, 0, (struct bytes){.p = unit + 31, .len = 1});
    assert_int_equal(seen(&r, YAMUX_TYPE_DATA, 0, 1, 32), 1);
    p->now = mtime_add_ms(p->now, 9999);
    send_frame(&r, YAMUX_TYPE_PING, YAMUX_SYN, 0, 1); /* it is there */
    p->now = mtime_add_ms(p->now, 1);
    swarm_on_time(p->side[1].swarm, p->now);
    pair_drain(p, 1);
    assert_int_equal(seen(&r, YAMUX_TYPE_WINDOW, YAMUX_FIN, 1, 0), 1);
    send_data(&r, 1, YAMUX_FIN, BYTES_EMPTY);
    send_data(&r, 7, YAMUX_SYN, opening("/ipfs/ping/1.0.0"));
    assert_int_equal(
        seen(&r, YAMUX_TYPE_WINDOW, YAMUX_RST, 7, SWARM_RESET_LIMIT), 0);
    pair_free(p);
}

static void test_goaway(void **state)
{
    (void)state;
    struct pair *p = new_pair(NULL);
    struct raw r = join(p, 50, 1);
    send_frame(&r, YAMUX_TYPE_GOAWAY, 0, 0, 0);
    assert_false(is_alive(&r));
    assert_int_equal(pair_find(p, 1, SWARM_DISCONNECTED)->out.err, E_CLOSED);
    assert_null(pair_find(p, 1, SWARM_FAULT));
    pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conns_per_ip),
        cmocka_unit_test(test_loopback_counts_when_told),
        cmocka_unit_test(test_conns_per_peer),
        cmocka_unit_test(test_conns_max),
        cmocka_unit_test(test_streams_in),
        cmocka_unit_test(test_streams_of_a_protocol),
        cmocka_unit_test(test_negotiation_times_out),
        cmocka_unit_test(test_garbage_negotiation),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_slow_is_no_flood),
        cmocka_unit_test(test_address_is_shut_out),
        cmocka_unit_test(test_data_for_nobody),
        cmocka_unit_test(test_pushes),
        cmocka_unit_test(test_pushes_over_loopback),
        cmocka_unit_test(test_tiny_data),
        cmocka_unit_test(test_bad_identify),
        cmocka_unit_test(test_bad_identify_flood),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_send_queue),
        cmocka_unit_test(test_streams_out),
        cmocka_unit_test(test_full_negotiation),
        cmocka_unit_test(test_ping_server),
        cmocka_unit_test(test_goaway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
