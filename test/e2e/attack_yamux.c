/* Attacks on the muxer. */
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "base/wr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { BATCH = 60000, BATCH_ROOM = BATCH + 64, WINDOW_BYTES = 256 * 1024 };

/* Scratch memory. */
static uint8_t *batch(void)
{
    static uint8_t batch_bytes[BATCH_ROOM];
    return batch_bytes;
}

/* One frame. */

struct frame {
    unsigned type;
    unsigned flags;
    uint32_t id;
    uint32_t len;
};

static const struct frame singles[] = {
    {0x100, SYN, 1, 0}, /* version 1: see single() */
    {4, 0, 1, 0},
    {255, 0xffff, 0xffffffff, 0xffffffff},
    {WINDOW, SYN, 2, 0},
    {DATA, SYN, 4, 0},
    {WINDOW, SYN, 0, 0},
    {GOAWAY, 0, 0, 0},
    {GOAWAY, 0, 0, 1},
    {GOAWAY, 0, 7, 0xffffffff},
    {DATA, 0, 99, 0xffffffff},
    {DATA, 0, 99, 64 << 20},
    {PING, ACK, 0, 12345},
    {PING, SYN | ACK, 0, 1},
    {PING, SYN, 5, 1},
    {PING, 0, 0, 1},
    {PING, 0xfff0, 0, 1},
    {WINDOW, 0, 99, 1000},
    {WINDOW, FIN, 99, 0},
    {WINDOW, RST, 99, 0},
    {WINDOW, ACK, 99, 0},
    {DATA, 0, 0, 0},
    {WINDOW, SYN, 1, 0xffffffff},
    {WINDOW, SYN, 0xffffffff, 0},
    {WINDOW, SYN | 0xfff0, 1, 0},
    {WINDOW, SYN | ACK, 1, 0},
    {WINDOW, SYN | FIN, 1, 0},
    {WINDOW, SYN | RST, 1, 0},
    {DATA, SYN | FIN, 1, 0},
};

enum single {
    VERSION,
    TYPE_4,
    ALL_ONES,
    PARITY,
    PARITY_DATA,
    SYN_0,
    GO_0,
    GO_1,
    GO_ANY,
    DATA_4G,
    DATA_64M,
    PONG_ONE,
    PING_BOTH,
    PING_ID,
    PING_NONE,
    PING_ODD,
    WINDOW_UNKNOWN,
    FIN_UNKNOWN,
    RST_UNKNOWN,
    ACK_UNKNOWN,
    DATA_ID_0,
    SYN_4G,
    SYN_LAST,
    SYN_ODD,
    SYN_ACK,
    SYN_FIN,
    SYN_RST,
    SYN_FIN_DATA,
};

static enum verdict single(struct run *r, int which)
{
    struct link *l = link_session(r);
    const struct frame *f = &singles[which];
    uint8_t head[YAMUX_HEAD_BYTES];

    (void)head_put(head, DATA, f->flags, f->id, f->len);
    head[0] = which == VERSION ? 1 : 0;
    head[1] = (uint8_t)f->type;
    (void)link_plain(l, head, sizeof(head));
    return ends_free(l, must_drop_ms(r));
}

/* The same frame without end; the id grows by @f->len when @grows. */
static enum verdict flood_frames(struct link *l, const struct frame *f,
                                 uint32_t step)
{
    uint64_t end = now_ms() + l->run->flood_ms;
    uint32_t id = f->id;

    while (!l->closed && now_ms() < end) {
        size_t len = 0;
        while (len + YAMUX_HEAD_BYTES <= BATCH) {
            len += head_put(batch() + len, f->type, f->flags, id, f->len);
            id += step;
        }
        (void)link_plain(l, batch(), len);
        link_pump(l, 0);
    }
    note(l->run, "%llu KiB sent", (unsigned long long)(l->sent >> 10));
    return ends_free(l, 1000);
}

static const struct frame floods[] = {
    {PING, SYN, 0, 7},       {PING, ACK, 0, 7},      {PING, 0, 0, 7},
    {WINDOW, 0, 1001, 0},    {WINDOW, FIN, 1001, 0}, {WINDOW, RST, 1001, 0},
    {WINDOW, ACK, 1001, 0},  {DATA, 0, 1001, 0},     {DATA, FIN, 1001, 0},
    {WINDOW, 0, 0, 1 << 20},
};

enum {
    F_PING,
    F_PONG,
    F_PING_NONE,
    F_WINDOW,
    F_FIN,
    F_RST,
    F_ACK,
    F_DATA,
    F_DATA_FIN,
    F_WINDOW_0
};

static enum verdict flood_unknown(struct run *r, int which)
{
    return flood_frames(link_session(r), &floods[which], 0);
}

static enum verdict flood_unknown_ids(struct run *r, int which)
{
    return flood_frames(link_session(r), &floods[which], 2);
}

/* A stream of bitswap, and then frames for it. */
static const struct frame on_stream[] = {
    {DATA, 0, 0, 0},        {WINDOW, 0, 0, 0},       {WINDOW, 0, 0, 1},
    {WINDOW, 0, 0, 1000},   {WINDOW, 0, 0, 1 << 30}, {WINDOW, FIN, 0, 0},
    {WINDOW, ACK, 0, 0},    {DATA, FIN, 0, 0},       {WINDOW, RST, 0, 0},
    {WINDOW, 0xfff0, 0, 0},
};

enum {
    S_EMPTY,
    S_WINDOW_0,
    S_WINDOW_1,
    S_WINDOW_1000,
    S_WINDOW_1G,
    S_FIN,
    S_ACK,
    S_DATA_FIN,
    S_RST,
    S_ODD
};

static enum verdict flood_stream(struct run *r, int which)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    struct frame f = on_stream[which];

    if (c == NULL)
        return ends_free(l, 0);
    f.id = c->id;
    return flood_frames(l, &f, 0);
}

/* New streams. */

static const struct frame openings[] = {
    {WINDOW, SYN, 0, 0},
    {DATA, SYN, 0, 0},
    {WINDOW, SYN | FIN, 0, 0},
    {WINDOW, SYN | RST, 0, 0},
};

static enum verdict open_many(struct run *r, int which)
{
    struct link *l = link_session(r);
    struct frame f = openings[which];

    f.id = link_id(l);
    return flood_frames(l, &f, 2);
}

static enum verdict open_10000(struct run *r, int unused)
{
    struct link *l = link_session(r);

    (void)unused;
    for (int i = 0; i < 10000 && !l->closed;) {
        size_t len = 0;
        for (int n = 0; n < 500; n++, i++)
            len += head_put(batch() + len, WINDOW, SYN, link_id(l), 0);
        (void)link_plain(l, batch(), len);
        link_pump(l, 0);
    }
    note(r, "%llu acks, %llu resets", (unsigned long long)l->acks,
         (unsigned long long)l->resets);
    return ends_free(l, must_drop_ms(r));
}

/* So many frames for each new stream: SYN, then what follows. */
static enum verdict churn_with(struct run *r, const uint8_t *body, size_t size,
                               unsigned last)
{
    struct link *l = link_session(r);
    uint64_t end = now_ms() + r->flood_ms;

    while (!l->closed && now_ms() < end) {
        size_t len = 0;
        while (len + size + 3 * (size_t)YAMUX_HEAD_BYTES < 4096) {
            uint32_t id = link_id(l);
            len += head_put(batch() + len, WINDOW, SYN, id, 0);
            if (size > 0) {
                len += head_put(batch() + len, DATA, 0, id, (uint32_t)size);
                memcpy(batch() + len, body, size);
                len += size;
            }
            len += head_put(batch() + len, WINDOW, last, id, 0);
        }
        (void)link_plain(l, batch(), len);
        link_pump(l, 0);
    }
    note(r, "%u streams, %llu resets came", l->id_next / 2,
         (unsigned long long)l->resets);
    return ends_free(l, 1000);
}

static enum verdict churn(struct run *r, int last)
{
    return churn_with(r, NULL, 0, (unsigned)last);
}

static const char *const protocols[] = {"/ipfs/ping/1.0.0", "/ipfs/id/1.0.0",
                                        BITSWAP, "/no/such/thing"};

static size_t proposal_put(uint8_t *dst, const char *protocol)
{
    struct wr w = wr_init(dst, 256);

    wr_bytes(&w, BYTES_LIT("\x13/multistream/1.0.0\n"));
    wr_uvarint(&w, strlen(protocol) + 1);
    wr_bytes(&w, bytes_str(protocol));
    wr_u8(&w, '\n');
    return wr_len(&w);
}

static enum verdict churn_protocol(struct run *r, int which)
{
    uint8_t body[256];
    return churn_with(r, body, proposal_put(body, protocols[which]), FIN);
}

static enum verdict churn_protocol_rst(struct run *r, int which)
{
    uint8_t body[256];
    return churn_with(r, body, proposal_put(body, protocols[which]), RST);
}

/* As churn_protocol(), no more at a time than the daemon takes. */
static enum verdict churn_paced(struct run *r, int which)
{
    struct link *l = link_session(r);
    uint64_t end = now_ms() + 4 * (uint64_t)r->flood_ms;
    uint8_t body[256];
    size_t size = proposal_put(body, protocols[which]);
    int at_a_time = which == 2 ? 30 : 0; /* two streams of ping may be open */

    while (!l->closed && now_ms() < end) {
        size_t len = 0;
        for (int i = 0; i < at_a_time; i++) {
            uint32_t id = link_id(l);
            len += head_put(batch() + len, WINDOW, SYN, id, 0);
            len += head_put(batch() + len, DATA, FIN, id, (uint32_t)size);
            memcpy(batch() + len, body, size);
            len += size;
        }
        (void)link_plain(l, batch(), len);
        struct channel *c = channel_begin(l);
        (void)channel_send(l, c, body, size);
        (void)link_frame(l, WINDOW, FIN, c->id, 0);
        uint64_t till = now_ms() + 1000;
        while (!l->closed && !c->rst && !c->fin && now_ms() < till)
            link_pump(l, 20);
        c->id = 0;
    }
    note(r, "%u streams, %llu resets came", l->id_next / 2,
         (unsigned long long)l->resets);
    return ends_free(l, 1000);
}

static enum verdict duplicate_syn(struct run *r, int unused)
{
    struct link *l = link_session(r);

    (void)unused;
    (void)link_frame(l, WINDOW, SYN, 1, 0);
    (void)link_frame(l, WINDOW, SYN, 1, 0);
    return ends_free(l, must_drop_ms(r));
}

static enum verdict descending(struct run *r, int unused)
{
    struct link *l = link_session(r);

    (void)unused;
    for (uint32_t id = 41; id > 1; id -= 2)
        (void)link_frame(l, WINDOW, SYN, id, 0);
    l->id_next = 101;
    enum verdict v = ping_works(l) ? ANSWERED : ends(l, 0);
    link_free(l);
    return v;
}

static enum verdict used_again(struct run *r, int unused)
{
    struct link *l = link_session(r);

    (void)unused;
    for (int i = 0; i < 20; i++) {
        (void)link_frame(l, WINDOW, SYN, 1, 0);
        (void)link_frame(l, WINDOW, RST, 1, 0);
    }
    return ends_free(l, 0);
}

/* Windows. */

static enum verdict overrun(struct run *r, int by)
{
    struct link *l = link_session(r);

    (void)link_frame(l, WINDOW, SYN, 1, 0);
    (void)link_frame(l, DATA, 0, 1, (uint32_t)(WINDOW_BYTES + by));
    return ends_free(l, must_drop_ms(r));
}

static enum verdict overrun_4g(struct run *r, int unused)
{
    struct link *l = link_session(r);

    (void)unused;
    (void)link_frame(l, WINDOW, SYN, 1, 0);
    (void)link_frame(l, DATA, 0, 1, 0xffffffff);
    return ends_free(l, must_drop_ms(r));
}

/* 256 KiB for streams that the daemon has reset: late data is no fault. */
static enum verdict late_data(struct run *r, int unused)
{
    struct link *l = link_session(r);
    static uint8_t body[65000];

    (void)unused;
    (void)link_frame(l, WINDOW, SYN, 1, 0);
    (void)link_data(l, 1, "\0", 1); /* a token of no bytes: reset */
    for (int i = 0; i < 4; i++)
        (void)link_data(l, 1, body, sizeof(body));
    return ends_free(l, 0);
}

static enum verdict overflow(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, "/ipfs/ping/1.0.0");

    (void)unused;
    for (int i = 0; i < 4 && c != NULL; i++)
        (void)link_frame(l, WINDOW, 0, c->id, 0xffffffff);
    return ends_free(l, 0);
}

static enum verdict after_fin(struct run *r, int count)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint64_t end = now_ms() + r->flood_ms;

    if (c == NULL)
        return ends_free(l, 0);
    (void)link_frame(l, WINDOW, FIN, c->id, 0);
    for (int i = 0; (count == 0 || i < count) && !l->closed && now_ms() < end;
         i++)
        (void)link_data(l, c->id, batch(), 1000);
    return ends_free(l, 1000);
}

static enum verdict fin_twice(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);

    (void)unused;
    for (int i = 0; i < 3 && c != NULL; i++)
        (void)link_frame(l, WINDOW, FIN, c->id, 0);
    return ends_free(l, 0);
}

/* Data for streams that are not there, in frames of a size. */
static enum verdict unknown_data(struct run *r, int size)
{
    struct link *l = link_session(r);
    uint64_t end = now_ms() + r->flood_ms;

    while (!l->closed && now_ms() < end) {
        (void)link_data(l, 4001, batch(), (size_t)size);
        link_pump(l, 0);
    }
    note(r, "%llu KiB sent", (unsigned long long)(l->sent >> 10));
    return ends_free(l, 1000);
}

/* Silence. */

static enum verdict half_open(struct run *r, int count)
{
    struct link *l = link_session(r);

    for (int i = 0; i < count; i++)
        (void)link_frame(l, WINDOW, SYN, link_id(l), 0);
    uint64_t end = now_ms() + 13000;
    while (!l->closed && now_ms() < end)
        link_pump(l, 100);
    note(r, "%llu acks, %llu resets", (unsigned long long)l->acks,
         (unsigned long long)l->resets);
    if (!l->closed && l->resets < (uint64_t)count) {
        link_free(l);
        return WRONG;
    }
    return ends_free(l, 0);
}

static enum verdict no_pongs(struct run *r, int unused)
{
    struct link *l = link_open(r);

    (void)unused;
    l->mute = true;
    (void)link_secure(l);
    return ends_free(l, must_drop_ms(r));
}

static enum verdict deaf(struct run *r, int unused)
{
    struct link *l = link_open(r);

    (void)unused;
    (void)link_secure(l);
    l->deaf = true;
    return ends_free(l, must_drop_ms(r));
}

static enum verdict half_a_header(struct run *r, int unused)
{
    struct link *l = link_open(r);

    (void)unused;
    l->mute = true;
    l->silent = true;
    (void)link_secure(l);
    (void)link_plain(l, "\0\1\0\1\0", 5);
    return ends_free(l, must_drop_ms(r));
}

/* A ping stream whose answers nobody reads. */
static enum verdict pings_unread(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, "/ipfs/ping/1.0.0");
    uint64_t end = now_ms() + r->flood_ms;

    (void)unused;
    if (c == NULL)
        return ends_free(l, 0);
    l->deaf = true;
    while (!l->closed && now_ms() < end)
        (void)link_data(l, c->id, batch(), 32000);
    return ends_free(l, 1000);
}

/* Yamux pings whose answers nobody reads. */
static enum verdict pongs_unread(struct run *r, int unused)
{
    struct link *l = link_session(r);

    (void)unused;
    l->deaf = true;
    return flood_frames(l, &floods[F_PING], 0);
}

/* A stream of bitswap whose data comes a byte a frame: an unknown field. */
static enum verdict byte_data(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint64_t end = now_ms() + 2 * (uint64_t)r->flood_ms;
    /* Length 4 MiB less some, then field 99 with all the rest. */
    static const uint8_t start[] = {0x80, 0xf0, 0xff, 0x01, 0x9a,
                                    0x06, 0xf9, 0xef, 0xff, 0x01};
    size_t at = 0;

    (void)unused;
    if (c == NULL)
        return ends_free(l, 0);
    while (!l->closed && !c->rst && now_ms() < end) {
        size_t len = 0;
        while (len < 8000) {
            len += head_put(batch() + len, DATA, 0, c->id, 1);
            batch()[len++] = at < sizeof(start) ? start[at] : 0;
            at++;
        }
        (void)link_plain(l, batch(), len);
        link_pump(l, 0);
    }
    note(r, "%zu bytes", at);
    return ends_free(l, 1000);
}

/* 32 byte pings, a byte a frame, forever. */
static enum verdict byte_pings(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, "/ipfs/ping/1.0.0");
    struct frame f = {DATA, 0, 0, 1};
    uint64_t end = now_ms() + r->flood_ms;

    (void)unused;
    if (c == NULL)
        return ends_free(l, 0);
    while (!l->closed && now_ms() < end) {
        size_t len = 0;
        while (len < 8000) {
            len += head_put(batch() + len, f.type, 0, c->id, 1);
            batch()[len++] = 0;
        }
        (void)link_plain(l, batch(), len);
        link_pump(l, 0);
    }
    return ends_free(l, 1000);
}

static const struct attack rows[] = {
    {"yamux_version", "a frame of version 1", DROPPED, 0, 0, VERSION, single},
    {"yamux_type", "a frame of type 4", DROPPED, 0, 0, TYPE_4, single},
    {"yamux_ones", "a frame of ones", DROPPED, 0, 0, ALL_ONES, single},
    {"yamux_parity", "a stream with an id of the daemon's", DROPPED, 0, 0,
     PARITY, single},
    {"yamux_parity_data", "the same with DATA", DROPPED, 0, 0, PARITY_DATA,
     single},
    {"yamux_syn_0", "a stream with id 0", DROPPED, 0, 0, SYN_0, single},
    {"yamux_goaway_0", "GO_AWAY 0", DROPPED, 0, 0, GO_0, single},
    {"yamux_goaway_1", "GO_AWAY 1", DROPPED, 0, 0, GO_1, single},
    {"yamux_goaway_any", "GO_AWAY of no known code", DROPPED, 0, 0, GO_ANY,
     single},
    {"yamux_data_4g", "4 GiB for a stream that is not there", DROPPED, 0, 0,
     DATA_4G, single},
    {"yamux_data_64m", "64 MiB for a stream that is not there", DROPPED, 0, 0,
     DATA_64M, single},
    {"yamux_pong", "an answer to no ping", TOLERATED, 0, 0, PONG_ONE, single},
    {"yamux_ping_both", "a ping with SYN and ACK", TOLERATED, 0, 0, PING_BOTH,
     single},
    {"yamux_ping_id", "a ping with a stream id", TOLERATED, 0, 0, PING_ID,
     single},
    {"yamux_ping_none", "a ping without flags", TOLERATED, 0, 0, PING_NONE,
     single},
    {"yamux_ping_odd", "a ping with odd flags", TOLERATED, 0, 0, PING_ODD,
     single},
    {"yamux_window_unknown", "a window of no stream", TOLERATED, 0, 0,
     WINDOW_UNKNOWN, single},
    {"yamux_fin_unknown", "FIN of no stream", TOLERATED, 0, 0, FIN_UNKNOWN,
     single},
    {"yamux_rst_unknown", "RST of no stream", TOLERATED, 0, 0, RST_UNKNOWN,
     single},
    {"yamux_ack_unknown", "ACK of no stream", TOLERATED, 0, 0, ACK_UNKNOWN,
     single},
    {"yamux_data_id_0", "DATA for id 0", TOLERATED, 0, 0, DATA_ID_0, single},
    {"yamux_syn_4g", "a stream with a window of 4 GiB", TOLERATED, 0, 0, SYN_4G,
     single},
    {"yamux_syn_last", "the last id there is", TOLERATED, 0, 0, SYN_LAST,
     single},
    {"yamux_syn_odd", "SYN with odd flags", TOLERATED | DROPPED, 0, 0, SYN_ODD,
     single},
    {"yamux_syn_ack", "SYN and ACK", TOLERATED, 0, 0, SYN_ACK, single},
    {"yamux_syn_fin", "SYN and FIN", TOLERATED, 0, 0, SYN_FIN, single},
    {"yamux_syn_rst", "SYN and RST", TOLERATED, 0, 0, SYN_RST, single},
    {"yamux_syn_fin_data", "SYN and FIN on DATA", TOLERATED, 0, 0, SYN_FIN_DATA,
     single},
    {"yamux_duplicate_syn", "SYN for a stream that is there", DROPPED, 0, 0, 0,
     duplicate_syn},
    {"yamux_descending", "ids that go down", ANSWERED, 0, 0, 0, descending},
    {"yamux_used_again", "an id again after RST", TOLERATED, 0, 0, 0,
     used_again},
    {"yamux_window_full", "all of a window", TOLERATED | HUNG, 0, 0, 0,
     overrun},
    {"yamux_overrun_1", "a byte over the window", DROPPED, 0, 0, 1, overrun},
    {"yamux_overrun_4g", "4 GiB over the window", DROPPED, 0, 0, 0, overrun_4g},
    {"yamux_late_data", "data for a stream that was reset", TOLERATED, 0, 0, 0,
     late_data},
    {"yamux_overflow", "windows over 2^32", TOLERATED, 0, 0, 0, overflow},
    {"yamux_after_fin", "data after FIN", TOLERATED, 0, 0, 10, after_fin},
    {"yamux_after_fin_flood", "data after FIN without end", DROPPED, 0, 0, 0,
     after_fin},
    {"yamux_fin_twice", "FIN three times", TOLERATED, 0, 0, 0, fin_twice},
    {"yamux_unknown_data_1", "bytes for no stream", DROPPED, 0, 0, 1,
     unknown_data},
    {"yamux_unknown_data_60k", "60,000 bytes for no stream, no end", DROPPED, 0,
     0, BATCH, unknown_data},
    {"yamux_ping_flood", "pings without end", DROPPED, 0, 0, F_PING,
     flood_unknown},
    {"yamux_pong_flood", "answers to no ping", DROPPED, 0, 0, F_PONG,
     flood_unknown},
    {"yamux_ping_none_flood", "pings without flags", DROPPED, 0, 0, F_PING_NONE,
     flood_unknown},
    {"yamux_window_flood", "windows of no stream", DROPPED, 0, 0, F_WINDOW,
     flood_unknown},
    {"yamux_fin_flood", "FIN of no stream", DROPPED, 0, 0, F_FIN,
     flood_unknown_ids},
    {"yamux_rst_flood", "RST of no stream", DROPPED, 0, 0, F_RST,
     flood_unknown_ids},
    {"yamux_ack_flood", "ACK of no stream", DROPPED, 0, 0, F_ACK,
     flood_unknown},
    {"yamux_data_flood", "empty DATA for no stream", DROPPED, 0, 0, F_DATA,
     flood_unknown},
    {"yamux_data_fin_flood", "FIN on DATA for no stream", DROPPED, 0, 0,
     F_DATA_FIN, flood_unknown_ids},
    {"yamux_window_id_0_flood", "windows of id 0", DROPPED, 0, 0, F_WINDOW_0,
     flood_unknown},
    {"yamux_empty_flood", "empty DATA for a stream", DROPPED, 0, 0, S_EMPTY,
     flood_stream},
    {"yamux_window_0_flood", "windows of 0", DROPPED, 0, 0, S_WINDOW_0,
     flood_stream},
    {"yamux_window_1_flood", "windows of 1", DROPPED, 0, 0, S_WINDOW_1,
     flood_stream},
    {"yamux_window_1000_flood", "windows of 1000", DROPPED, 0, 0, S_WINDOW_1000,
     flood_stream},
    {"yamux_window_1g_flood", "windows of 1 GiB", DROPPED, 0, 0, S_WINDOW_1G,
     flood_stream},
    {"yamux_stream_fin_flood", "FIN on a stream, no end", DROPPED, 0, 0, S_FIN,
     flood_stream},
    {"yamux_stream_ack_flood", "ACK on a stream, no end", DROPPED, 0, 0, S_ACK,
     flood_stream},
    {"yamux_stream_data_fin_flood", "DATA with FIN, no end", DROPPED, 0, 0,
     S_DATA_FIN, flood_stream},
    {"yamux_stream_rst_flood", "RST on a stream, no end", DROPPED, 0, 0, S_RST,
     flood_stream},
    {"yamux_stream_odd_flood", "odd flags, no end", DROPPED, 0, 0, S_ODD,
     flood_stream},
    {"yamux_open_flood", "streams without end", DROPPED, 0, 0, 0, open_many},
    {"yamux_open_data_flood", "streams by DATA", DROPPED, 0, 0, 1, open_many},
    {"yamux_open_fin_flood", "streams with SYN and FIN", DROPPED, 0, 0, 2,
     open_many},
    {"yamux_open_rst_flood", "streams with SYN and RST", DROPPED, 0, 0, 3,
     open_many},
    {"yamux_open_10000", "10,000 streams", DROPPED, 0, 0, 0, open_10000},
    {"yamux_churn_rst", "SYN, RST", DROPPED, 0, 0, RST, churn},
    {"yamux_churn_fin", "SYN, FIN", DROPPED, 0, 0, FIN, churn},
    {"yamux_churn_ping", "streams for ping that end", DROPPED, 0, 0, 0,
     churn_protocol},
    {"yamux_churn_identify", "streams for identify that end", DROPPED, 0, 0, 1,
     churn_protocol},
    {"yamux_churn_bitswap", "streams for bitswap that end", DROPPED, 0, 0, 2,
     churn_protocol},
    {"yamux_churn_unknown", "streams for nothing that end", DROPPED, 0, 0, 3,
     churn_protocol},
    {"yamux_churn_ping_rst", "streams for ping that are reset", DROPPED, 0, 0,
     0, churn_protocol_rst},
    {"yamux_churn_bitswap_rst", "streams for bitswap that are reset", DROPPED,
     0, 0, 2, churn_protocol_rst},
    {"yamux_churn_ping_paced", "streams for ping, no more than may be", DROPPED,
     4000, 0, 0, churn_paced},
    {"yamux_churn_bitswap_paced", "streams for bitswap likewise", DROPPED, 4000,
     0, 2, churn_paced},
    {"yamux_half_open_64", "64 streams that say nothing", TOLERATED, 0, SLOW,
     64, half_open},
    {"yamux_half_open_256", "256 streams that say nothing", TOLERATED, 0, SLOW,
     256, half_open},
    {"yamux_no_pongs", "answers no ping, and nothing else comes", DROPPED,
     16000, SLOW, 0, no_pongs},
    {"yamux_deaf", "reads nothing", DROPPED, 16000, SLOW, 0, deaf},
    {"yamux_half_a_header", "half a header, then nothing", DROPPED, 16000, SLOW,
     0, half_a_header},
    {"yamux_pings_unread", "pings whose answers are not read", DROPPED, 0, 0, 0,
     pings_unread},
    {"yamux_pongs_unread", "Yamux pings likewise", DROPPED, 0, 0, 0,
     pongs_unread},
    {"yamux_byte_data", "a message in frames of a byte", DROPPED, 0, 0, 0,
     byte_data},
    {"yamux_byte_pings", "ping streams in frames of a byte", DROPPED, 0, 0, 0,
     byte_pings},
};

struct attacks attacks_yamux(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
