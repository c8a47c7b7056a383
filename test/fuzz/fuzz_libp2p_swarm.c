/*
 * Goal: nothing that a peer with a good handshake sends, no order of bytes,
 * requests, time and ends breaks the swarm or leaves something behind.
 * Input: steps, each a byte and its arguments; the peer is made here, with
 * fixed keys, and its frames are sealed as they should be.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "libp2p/noise.h"
#include "libp2p/swarm.h"
#include "multiformats/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { STREAMS_MAX = 16, ROOM = 4096 };

struct fuzz {
    struct swarm *sw;
    struct rd in;
    struct mtime now;
    struct conn_id conn;
    bool closed;
    /* The peer. */
    struct privkey key;
    struct peer_id id;
    struct noise_keypair s;
    struct noise_hs hs;
    struct noise_cipher send;
    struct noise_cipher recv;
    uint8_t got[ROOM]; /* what the swarm sent during the handshake */
    size_t got_len;
    bool ready;
    struct stream_id streams[STREAMS_MAX];
    size_t unread[STREAMS_MAX];
};

static size_t place_of(struct fuzz *f, struct stream_id id, bool make)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (f->streams[i].n == id.n)
            return i;
    }
    for (size_t i = 0; make && i < STREAMS_MAX; i++) {
        if (f->streams[i].n == 0) {
            f->streams[i] = id;
            f->unread[i] = 0;
            return i;
        }
    }
    return STREAMS_MAX;
}

static void on_write(struct fuzz *f, struct swarm_out *out)
{
    size_t len = out->slice.bytes.len;

    if (!f->ready) {
        assert(len <= ROOM - f->got_len);
        memcpy(f->got + f->got_len, out->slice.bytes.p, len);
        f->got_len += len;
    }
    slice_release(&out->slice);
    swarm_queued(f->sw, out->conn, 0);
}

static void on_stream(struct fuzz *f, const struct swarm_out *out)
{
    size_t i = place_of(f, out->stream, out->type == SWARM_STREAM_IN);

    if (i == STREAMS_MAX) {
        swarm_stream_reset(f->sw, out->stream, 1);
        return;
    }
    if (out->type == SWARM_STREAM_DATA) {
        for (size_t n = 0; n < out->data.len; n++)
            f->unread[i] += out->data.p[n] == 0xff ? 0 : 1; /* look at all */
        swarm_stream_consumed(f->sw, out->stream, out->data.len);
    } else if (out->type == SWARM_STREAM_RESET ||
               (out->type == SWARM_STREAM_OPEN && out->err != OK)) {
        f->streams[i].n = 0;
    }
}

static void drain(struct fuzz *f)
{
    struct swarm_out out;

    while (swarm_next(f->sw, f->now, &out)) {
        if (out.type == SWARM_WRITE)
            on_write(f, &out);
        else if (out.type == SWARM_CLOSE)
            f->closed = true;
        else if (out.stream.n != 0)
            on_stream(f, &out);
    }
}

static void give(struct fuzz *f, struct bytes in)
{
    if (f->closed || in.len == 0)
        return;
    uint8_t *copy = mem_dup(in.p, in.len);
    swarm_bytes(f->sw, f->conn, copy, in.len, f->now);
    drain(f);
    mem_free(copy);
}

static void seal_and_give(struct fuzz *f, struct bytes plain)
{
    if (plain.len == 0)
        return;
    uint8_t *frame = mem_alloc(plain.len + 64);
    size_t len = noise_seal(&f->send, &plain, 1, frame);
    give(f, (struct bytes){.p = frame, .len = len});
    mem_free(frame);
}

/* The swarm's handshake message, which follows @skip bytes of tokens. */
static void take_message(struct fuzz *f, size_t skip)
{
    struct bytes payload;
    struct rd r =
        rd_init((struct bytes){.p = f->got + skip, .len = f->got_len - skip});
    size_t len = rd_be16(&r);
    assert(skip + 2 + len <= f->got_len);
    enum err err = noise_hs_read(&f->hs, f->got + skip + 2, len, &payload);
    assert(err == OK);
}

static void handshake(struct fuzz *f)
{
    uint8_t room[512];
    uint8_t payload[256];
    struct wr p = wr_init(payload, sizeof(payload));
    struct wr w = wr_init(room, sizeof(room));
    struct bytes out;

    wr_bytes(&w, BYTES_LIT("\x13/multistream/1.0.0\n\x07/noise\n"));
    enum err err = noise_hs_write(&f->hs, BYTES_EMPTY, &w);
    assert(err == OK);
    give(f, (struct bytes){.p = room, .len = wr_len(&w)});
    take_message(f, 28);
    noise_payload_write(&f->key, &f->s, &p);
    err = wr_finish(&p, &out);
    assert(err == OK);
    w = wr_init(room, sizeof(room));
    err = noise_hs_write(&f->hs, out, &w);
    assert(err == OK);
    f->ready = true;
    noise_hs_split(&f->hs, &f->send, &f->recv);
    give(f, (struct bytes){.p = room, .len = wr_len(&w)});
    assert(swarm_is_connected(f->sw, &f->id));
}

static void use_stream(struct fuzz *f, uint8_t op)
{
    static const char *const names[] = {"/a", "/b"};
    struct stream_id s = f->streams[op / 16 % STREAMS_MAX];
    struct swarm_open_op open = {
        .peer = &f->id, .protocols = names, .count = 1 + op / 128};
    size_t queued;

    if (op % 4 == 0 && swarm_stream_open(f->sw, &open, f->now, &s) == OK)
        (void)place_of(f, s, true);
    else if (op % 4 == 1)
        (void)swarm_stream_write_copy(f->sw, s, BYTES_LIT("some bytes"),
                                      &queued);
    else if (op % 4 == 2)
        swarm_stream_close_write(f->sw, s);
    else if (op % 4 == 3)
        swarm_stream_reset(f->sw, s, op);
}

static void step(struct fuzz *f)
{
    uint8_t op = rd_u8(&f->in);

    switch (op % 8) {
    case 0:
    case 1:
    case 2:
    case 3:
        seal_and_give(f, rd_view(&f->in, rd_u8(&f->in)));
        break;
    case 4:
        use_stream(f, rd_u8(&f->in));
        break;
    case 5:
        f->now = mtime_add_ms(f->now, (uint32_t)rd_u8(&f->in) * 100);
        swarm_on_time(f->sw, f->now);
        break;
    case 6:
        if (swarm_ping(f->sw, &f->id, NULL, f->now) == OK)
            swarm_queued(f->sw, f->conn, (size_t)op << 14);
        break;
    default:
        if (op == 255)
            give(f, rd_view(&f->in, rd_u8(&f->in)));
        else if (op > 240)
            swarm_transport_closed(f->sw, f->conn, E_IO, f->now);
        break;
    }
    drain(f);
}

static void begin(struct fuzz *f, struct privkey *self)
{
    static const struct swarm_protocol protocols[] = {
        {.name = "/a", .handler = 1, .window_extra = 100000},
        {.name = "/c", .handler = 2, .streams_max = 2},
    };
    uint8_t key[32] = {1};
    struct swarm_config config = {
        .key = self,
        .agent = "fuzz",
        .protocols = protocols,
        .protocols_count = 2,
        .limits = swarm_limits_default(),
    };
    struct swarm_transport t = {.owner = NULL};
    struct ma_ip ip = {.len = 4, .bytes = {10, 0, 0, 1}};

    privkey_init_seed(self, key);
    f->sw = swarm_new(&config);
    key[0] = 2;
    privkey_init_seed(&f->key, key);
    f->id = privkey_peer_id(&f->key);
    noise_keypair_init(&f->s, key);
    key[0] = 3;
    noise_hs_init(&f->hs, true, &f->s, key);
    t.local = multiaddr_from_ip_port(&ip, MA_TCP, 1);
    t.remote = multiaddr_from_ip_port(&ip, MA_TCP, 2);
    swarm_set_addrs(f->sw, &t.local, 1, 1, f->now);
    enum err err = swarm_accepted(f->sw, &t, f->now, &f->conn);
    assert(err == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz *f = mem_zalloc(1, sizeof(*f));
    struct privkey self;

    f->in = rd_init((struct bytes){.p = data, .len = len});
    f->now.ns = 1000000000;
    begin(f, &self);
    handshake(f);
    while (rd_left(&f->in) > 0 && !f->closed)
        step(f);
    swarm_free(f->sw);
    noise_cipher_release(&f->send);
    noise_cipher_release(&f->recv);
    noise_hs_release(&f->hs);
    privkey_release(&f->key);
    privkey_release(&self);
    mem_free(f);
    return 0;
}
