#include "libp2p/pair.h"

#include "base/mem.h"

#include "test.h"

static struct multiaddr address(const char *text)
{
    struct multiaddr addr;
    enum err err = multiaddr_parse(bytes_str(text), &addr);
    assert_int_equal(err, OK);
    return addr;
}

struct pair *pair_new(const struct swarm_protocol *protocols, size_t count,
                      const struct swarm_limits *limits)
{
    struct pair *p = mem_zalloc(1, sizeof(*p));

    p->random = 1;
    p->wire_max = SIZE_MAX;
    p->now.ns = 1000000000;
    for (int i = 0; i < 2; i++) {
        struct pair_side *side = &p->side[i];
        uint8_t seed[32];
        memset(seed, i + 1, sizeof(seed));
        privkey_init_seed(&side->key, seed);
        struct swarm_config config = {
            .key = &side->key,
            .agent = i == 0 ? "zero/1" : "one/1",
            .protocols = protocols,
            .protocols_count = count,
            .limits = limits != NULL ? *limits : swarm_limits_default(),
        };
        memset(config.seed, i + 17, sizeof(config.seed));
        side->swarm = swarm_new(&config);
        side->addr = address(i == 0 ? "/ip4/192.168.7.1/tcp/4101"
                                    : "/ip4/192.168.7.2/tcp/4101");
        swarm_set_addrs(side->swarm, &side->addr, 1, 1000, p->now);
    }
    return p;
}

void pair_forget(struct pair *p)
{
    p->events_count = 0;
    for (int i = 0; i < 2; i++) {
        mem_free(p->data[i]);
        p->data[i] = NULL;
        p->data_len[i] = 0;
        p->data_sum[i] = 0;
    }
}

void pair_free(struct pair *p)
{
    pair_forget(p);
    for (int i = 0; i < 2; i++) {
        swarm_free(p->side[i].swarm);
        privkey_release(&p->side[i].key);
    }
    for (size_t i = 0; i < PAIR_WIRES_MAX; i++) {
        mem_free(p->wires[i].bytes[0]);
        mem_free(p->wires[i].bytes[1]);
    }
    mem_free(p);
}

uint32_t pair_random(struct pair *p)
{
    p->random = p->random * UINT64_C(6364136223846793005) +
                UINT64_C(1442695040888963407);
    return (uint32_t)(p->random >> 33);
}

const struct peer_id *pair_id(const struct pair *p, int side)
{
    return swarm_self(p->side[side].swarm);
}

struct swarm_transport pair_transport(struct pair *p, int side, size_t wire)
{
    struct swarm_transport t = {
        .owner = &p->wires[wire],
        .local = p->side[side].addr,
        .remote = p->side[1 - side].addr,
    };
    for (size_t i = 0; i < sizeof(t.entropy); i++)
        t.entropy[i] = (uint8_t)pair_random(p);
    return t;
}

static size_t new_wire(struct pair *p)
{
    for (size_t i = 0; i < PAIR_WIRES_MAX; i++) {
        if (p->wires[i].used)
            continue;
        p->wires[i].used = true;
        return i;
    }
    fail_msg("no wire is left");
    return 0;
}

enum err pair_accept(struct pair *p, int side, size_t *ret_wire)
{
    size_t wire = new_wire(p);
    struct swarm_transport t = pair_transport(p, side, wire);
    enum err err = swarm_accepted(p->side[side].swarm, &t, p->now,
                                  &p->wires[wire].conn[side]);
    *ret_wire = wire;
    return err;
}

static void on_dial(struct pair *p, int side, const struct swarm_out *out)
{
    size_t wire = new_wire(p);
    struct pair_wire *w = &p->wires[wire];
    struct swarm_transport here = pair_transport(p, side, wire);
    struct swarm_transport there = pair_transport(p, 1 - side, wire);

    if (p->refuse_dials || swarm_accepted(p->side[1 - side].swarm, &there,
                                          p->now, &w->conn[1 - side]) != OK) {
        swarm_dial_failed(p->side[side].swarm, out->conn, E_REFUSED, p->now);
        return;
    }
    w->conn[side] = out->conn;
    enum err err = swarm_dialed(p->side[side].swarm, out->conn, &here, p->now);
    assert_int_equal(err, OK);
}

static struct pair_wire *wire_of(struct pair *p, int side, struct conn_id conn)
{
    for (size_t i = 0; i < PAIR_WIRES_MAX; i++) {
        if (p->wires[i].used && p->wires[i].conn[side].n == conn.n)
            return &p->wires[i];
    }
    return NULL;
}

static void on_write(struct pair *p, int side, struct swarm_out *out)
{
    struct pair_wire *w = wire_of(p, side, out->conn);

    assert_non_null(w);
    if (w != NULL && !w->cut && !w->mute) {
        int to = 1 - side;
        size_t len = out->slice.bytes.len;
        w->bytes[to] = mem_resize(w->bytes[to], w->len[to] + len, 1);
        memcpy(w->bytes[to] + w->len[to], out->slice.bytes.p, len);
        w->len[to] += len;
    }
    slice_release(&out->slice);
    swarm_queued(p->side[side].swarm, out->conn, p->queued);
}

static void on_data(struct pair *p, int side, struct swarm_out *out)
{
    size_t len = out->data.len;

    p->data_sum[side] += len;
    if (p->keep_data) {
        p->data[side] = mem_resize(p->data[side], p->data_len[side] + len, 1);
        memcpy(p->data[side] + p->data_len[side], out->data.p, len);
        p->data_len[side] += len;
    }
    if (!p->hold_data)
        swarm_stream_consumed(p->side[side].swarm, out->stream, len);
}

static void record(struct pair *p, int side, const struct swarm_out *out)
{
    assert_true(p->events_count < PAIR_EVENTS_MAX);
    p->events[p->events_count++] =
        (struct pair_event){.side = side, .out = *out};
}

void pair_drain(struct pair *p, int side)
{
    struct swarm_out out;

    while (swarm_next(p->side[side].swarm, p->now, &out)) {
        if (out.type == SWARM_DIAL) {
            on_dial(p, side, &out);
        } else if (out.type == SWARM_WRITE) {
            on_write(p, side, &out);
        } else if (out.type == SWARM_CLOSE) {
            struct pair_wire *w = wire_of(p, side, out.conn);
            if (w != NULL) {
                w->conn[side].n = 0;
                w->cut = true;
            }
            record(p, side, &out);
        } else if (out.type == SWARM_STREAM_DATA) {
            on_data(p, side, &out);
        } else {
            record(p, side, &out);
        }
    }
}

/* Hand over some bytes that are on the way to @side; false: there are none. */
static bool deliver(struct pair *p, struct pair_wire *w, int side)
{
    size_t len = w->len[side];

    if (side == 1 && len > p->wire_max - w->sum[1])
        len = p->wire_max - w->sum[1];
    if (len == 0 || w->conn[side].n == 0)
        return false;
    if (p->piece_max > 0) {
        size_t max = 1 + pair_random(p) % p->piece_max;
        len = len < max ? len : max;
    }
    uint8_t *piece = mem_dup(w->bytes[side], len);
    if (p->flip && side == 1 && p->flip_at - w->sum[1] < len)
        piece[p->flip_at - w->sum[1]] ^= (uint8_t)(1U << pair_random(p) % 8);
    for (size_t i = 0; i < len; i++)
        w->hash = w->hash * 31 + piece[i];
    w->len[side] -= len;
    w->sum[side] += len;
    memmove(w->bytes[side], w->bytes[side] + len, w->len[side]);
    swarm_bytes(p->side[side].swarm, w->conn[side], piece, len, p->now);
    pair_drain(p, side);
    mem_free(piece);
    return true;
}

static bool deliver_wire(struct pair *p, struct pair_wire *w)
{
    bool any = false;

    for (int side = 0; side < 2; side++)
        any = deliver(p, w, side) || any;
    if (!w->cut || any)
        return any;
    /* One end closed, and what it had sent has arrived. */
    for (int side = 0; side < 2; side++) {
        if (w->conn[side].n == 0)
            continue;
        swarm_transport_closed(p->side[side].swarm, w->conn[side], E_CLOSED,
                               p->now);
        w->conn[side].n = 0;
        any = true;
    }
    return any;
}

void pair_run(struct pair *p)
{
    bool any = true;

    while (any) {
        any = false;
        pair_drain(p, 0);
        pair_drain(p, 1);
        for (size_t i = 0; i < PAIR_WIRES_MAX; i++)
            any = (p->wires[i].used && deliver_wire(p, &p->wires[i])) || any;
    }
}

void pair_cut(struct pair *p, size_t wire)
{
    struct pair_wire *w = &p->wires[wire];

    w->cut = true;
    w->len[0] = 0;
    w->len[1] = 0;
    pair_run(p);
}

void pair_sleep(struct pair *p, uint32_t ms)
{
    struct mtime end = mtime_add_ms(p->now, ms);

    for (;;) {
        struct mtime due = mtime_min(swarm_deadline(p->side[0].swarm),
                                     swarm_deadline(p->side[1].swarm));
        if (mtime_before(end, due))
            break;
        if (mtime_before(p->now, due))
            p->now = due;
        swarm_on_time(p->side[0].swarm, p->now);
        swarm_on_time(p->side[1].swarm, p->now);
        pair_run(p);
    }
    p->now = end;
}

void pair_connect(struct pair *p)
{
    struct swarm_dial_op op = {
        .peer = pair_id(p, 1),
        .addrs = &p->side[1].addr,
        .count = 1,
    };
    enum err err = swarm_dial(p->side[0].swarm, &op, p->now);
    assert_int_equal(err, OK);
    pair_run(p);
    assert_non_null(pair_find(p, 0, SWARM_IDENTIFIED));
    assert_non_null(pair_find(p, 1, SWARM_IDENTIFIED));
    pair_forget(p);
}

struct pair_event *pair_find(struct pair *p, int side, enum swarm_out_type type)
{
    for (size_t i = 0; i < p->events_count; i++) {
        if (p->events[i].side == side && p->events[i].out.type == type)
            return &p->events[i];
    }
    return NULL;
}

size_t pair_count(const struct pair *p, int side, enum swarm_out_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < p->events_count; i++)
        count += p->events[i].side == side && p->events[i].out.type == type;
    return count;
}
