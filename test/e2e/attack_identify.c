/* Attacks by identify, identify push and ping. */
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "base/mem.h"
#include "base/wr.h"
#include "multiformats/envelope.h"
#include "multiformats/multiaddr.h"
#include "multiformats/pb.h"
#include "multiformats/peer_record.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define PUSH          "/ipfs/id/push/1.0.0"
#define PING_PROTOCOL "/ipfs/ping/1.0.0"

enum { ROOM = 1 << 20 };

/* Scratch memory. */
static uint8_t *text(void)
{
    static uint8_t text_bytes[ROOM];
    return text_bytes;
}

enum message {
    HONEST,
    BYTES_8193,
    MESSAGES_11,
    BYTES_40K,
    BAD_RECORD,
    OTHERS_RECORD,
    RECORD_OF_OTHER_KEY,
    OTHERS_KEY,
    JUNK_KEY,
    GARBAGE,
    CUT_SHORT,
    EMPTY,
    ZERO_MESSAGES,
    ADDRS_10000,
    BAD_ADDRS,
    PROTOCOLS_10000,
    LONG_PROTOCOL,
    CONTROL_CHARACTERS,
    LONG_AGENT,
    UNKNOWN_FIELDS,
    LONG_VARINT,
    NO_FIN,
    NOTHING,
    FIN_ONLY,
    RESET_IT,
    WRONG_WIRE_TYPE,
};

static void put_framed(struct wr *w, const struct wr *body)
{
    wr_uvarint(w, wr_len(body));
    wr_bytes(w, (struct bytes){.p = body->start, .len = wr_len(body)});
}

static void put_key_of(const struct privkey *key, struct wr *w)
{
    uint8_t room[PUBKEY_BYTES_MAX];
    struct wr k = wr_init(room, sizeof(room));
    struct pubkey public_key = privkey_public(key);

    pubkey_write(&k, &public_key);
    pb_put_bytes(w, 1, (struct bytes){.p = room, .len = wr_len(&k)});
}

static void put_record(const struct privkey *signer, const struct privkey *of,
                       struct wr *w)
{
    static uint8_t room[8192];
    struct wr e = wr_init(room, sizeof(room));
    struct peer_record *record = mem_zalloc(1, sizeof(*record));

    record->id = privkey_peer_id(of);
    record->seq = 1;
    (void)multiaddr_parse(BYTES_LIT("/ip4/127.0.0.1/tcp/9"), &record->addrs[0]);
    record->addr_count = 1;
    peer_record_seal(signer, record, &e);
    pb_put_bytes(w, 8, (struct bytes){.p = room, .len = wr_len(&e)});
    mem_free(record);
}

static void fill_lists(enum message which, struct wr *b)
{
    char name[400];

    for (int i = 0; i < 10000; i++) {
        if (which == ADDRS_10000) {
            uint8_t addr[8] = {4,          127, 0, (uint8_t)(i >> 8),
                               (uint8_t)i, 6,   1, 1};
            pb_put_bytes(b, 2, (struct bytes){.p = addr, .len = 8});
        } else {
            (void)snprintf(name, sizeof(name), "/p/%d", i);
            pb_put_bytes(b, 3, bytes_str(name));
        }
    }
}

/* Lists of 10,000 come in ten messages of 8 KiB at most, or in one of more. */
static void put_message(struct link *l, enum message which, struct wr *w)
{
    static uint8_t room[400 * 1024];
    static uint8_t junk[64 * 1024];
    struct wr b = wr_init(room, sizeof(room));
    struct privkey other;
    uint8_t seed[32];

    random_fill(seed, sizeof(seed));
    privkey_init_seed(&other, seed);
    memset(junk, 'x', sizeof(junk));
    if (which != OTHERS_KEY && which != JUNK_KEY && which != EMPTY)
        put_key_of(&l->key, &b);
    switch ((int)which) {
    case BYTES_8193:
        pb_put_bytes(&b, 6,
                     (struct bytes){.p = junk, .len = 8193 - wr_len(&b) - 3});
        break;
    case BYTES_40K:
        pb_put_bytes(&b, 15, (struct bytes){.p = junk, .len = 4400});
        for (int i = 0; i < 8; i++)
            put_framed(w, &b);
        break;
    case BAD_RECORD:
        pb_put_bytes(&b, 8, (struct bytes){.p = junk, .len = 300});
        break;
    case OTHERS_RECORD:
        put_record(&other, &other, &b);
        break;
    case RECORD_OF_OTHER_KEY:
        put_record(&l->key, &other, &b);
        break;
    case OTHERS_KEY:
        put_key_of(&other, &b);
        break;
    case JUNK_KEY:
        pb_put_bytes(&b, 1, (struct bytes){.p = junk, .len = 7000});
        break;
    case GARBAGE:
        random_fill(junk, 500);
        junk[0] = 0x0b; /* a group begins, which proto2 has no more */
        wr_bytes(&b, (struct bytes){.p = junk, .len = 500});
        break;
    case ADDRS_10000:
    case PROTOCOLS_10000:
        fill_lists(which, &b);
        break;
    case BAD_ADDRS:
        for (int i = 0; i < 100; i++)
            pb_put_bytes(&b, 2, (struct bytes){.p = junk, .len = (size_t)i});
        break;
    case LONG_PROTOCOL:
        pb_put_bytes(&b, 3, (struct bytes){.p = junk, .len = 8000});
        break;
    case CONTROL_CHARACTERS:
        pb_put_bytes(&b, 6, BYTES_LIT("\x1b[2J\x1b]0;x\x07\r\nnode=\"\0\xff"));
        pb_put_bytes(&b, 5, BYTES_LIT("\x1b[31m\n\n"));
        pb_put_bytes(&b, 3, BYTES_LIT("/\x1b[H\n"));
        break;
    case LONG_AGENT:
        pb_put_bytes(&b, 6, (struct bytes){.p = junk, .len = 8000});
        break;
    case UNKNOWN_FIELDS:
        pb_put_bytes(&b, 5000, (struct bytes){.p = junk, .len = 3000});
        pb_put_uint(&b, 7, 1);
        break;
    case WRONG_WIRE_TYPE:
        pb_put_uint(&b, 3, 5);
        break;
    default:
        break;
    }
    privkey_release(&other);
    if (which == MESSAGES_11) {
        for (int i = 0; i < 10; i++)
            put_framed(w, &b);
    }
    put_framed(w, &b);
}

static size_t message_put(struct link *l, enum message which)
{
    struct wr w = wr_init(text(), ROOM);

    if (which == LONG_VARINT) {
        memset(text(), 0xff, 12);
        return 12;
    }
    if (which == ZERO_MESSAGES) {
        memset(text(), 0, 10);
        return 10;
    }
    put_message(l, which, &w);
    return which == CUT_SHORT ? wr_len(&w) - 3 : wr_len(&w);
}

/* The daemon asks who we are. */

struct asked {
    enum message which;
    struct channel *channel;
    uint32_t id;
};

static void on_asked(struct link *l, struct channel *c)
{
    struct asked *a = l->user;
    if (c->protocol == 0 && a->channel == NULL) {
        a->channel = c;
        a->id = c->id;
    }
}

static void answer(struct link *l, struct asked *a)
{
    struct channel *c = a->channel;

    if (a->which == NOTHING)
        return;
    if (a->which == RESET_IT) {
        (void)link_frame(l, WINDOW, RST, c->id, 0);
        return;
    }
    if (a->which != FIN_ONLY)
        (void)channel_send(l, c, text(), message_put(l, a->which));
    if (a->which != NO_FIN)
        (void)link_frame(l, WINDOW, FIN, c->id, 0);
}

static enum verdict identify(struct run *r, int which)
{
    struct link *l = link_open(r);
    struct asked a = {.which = (enum message)which};
    uint64_t end = now_ms() + PATIENCE_MS;

    l->on_open = on_asked;
    l->user = &a;
    if (!link_secure(l))
        return ends_free(l, 0);
    while (a.channel == NULL && !l->closed && now_ms() < end)
        link_pump(l, 20);
    if (a.channel == NULL) {
        link_free(l);
        return BROKEN;
    }
    answer(l, &a);
    bool want_reset = (r->attack->must & RESET) != 0;
    enum verdict v =
        channel_ends(l, a.channel, want_reset ? must_drop_ms(r) : 100);
    link_free(l);
    return v;
}

static enum verdict push(struct run *r, int which)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, PUSH);
    struct asked a = {.which = (enum message)which, .channel = c};

    if (c == NULL)
        return ends_free(l, 0);
    answer(l, &a);
    bool want_reset = (r->attack->must & RESET) != 0;
    enum verdict v = channel_ends(l, c, want_reset ? must_drop_ms(r) : 100);
    link_free(l);
    return v;
}

/* Streams with all of a push in them, without waiting. */
static enum verdict push_flood(struct run *r, int which)
{
    struct link *l = link_session(r);
    static uint8_t batch[200000];
    uint64_t end = now_ms() + r->flood_ms;
    uint32_t count = 0;

    while (!l->closed && now_ms() < end) {
        size_t size = message_put(l, (enum message)which);
        struct wr w = wr_init(batch + 24, sizeof(batch) - 24);
        wr_bytes(&w, BYTES_LIT("\x13/multistream/1.0.0\n\x14" PUSH "\n"));
        wr_bytes(&w, (struct bytes){.p = text(), .len = size});
        uint32_t id = link_id(l);
        (void)head_put(batch, WINDOW, SYN, id, 0);
        (void)head_put(batch + 12, DATA, FIN, id, (uint32_t)wr_len(&w));
        (void)link_plain(l, batch, 24 + wr_len(&w));
        link_pump(l, 0);
        count++;
    }
    note(r, "%u pushes, %llu reset", count, (unsigned long long)l->resets);
    return ends_free(l, 1000);
}

/* A push at a time, each answered before the next one. */
static enum verdict push_paced(struct run *r, int which)
{
    struct link *l = link_session(r);
    uint64_t end = now_ms() + 4 * (uint64_t)r->flood_ms;
    uint32_t count = 0;

    while (!l->closed && now_ms() < end) {
        struct channel *c = channel_open(l, PUSH);
        struct asked a = {.which = (enum message)which, .channel = c};
        if (c == NULL)
            continue;
        answer(l, &a);
        uint64_t till = now_ms() + 1000;
        while (!l->closed && !c->fin && !c->rst && now_ms() < till)
            link_pump(l, 20);
        c->id = 0;
        count++;
    }
    note(r, "%u pushes, %llu reset", count, (unsigned long long)l->resets);
    return ends_free(l, 1000);
}

/* The beginning of a stream of identify, and something after it. */
static const char asking[] =
    "\x13/multistream/1.0.0\n\x0f/ipfs/id/1.0.0\nabcdefgh";

/* Asking who the daemon is, again and again. */
static enum verdict ask_flood(struct run *r, int deaf)
{
    struct link *l = link_session(r);
    uint64_t end = now_ms() + r->flood_ms;
    uint32_t count = 0;

    l->deaf = deaf == 1;
    while (!l->closed && now_ms() < end) {
        uint8_t batch[128];
        uint32_t id = link_id(l);
        size_t len = head_put(batch, DATA, SYN, id, 36);
        memcpy(batch + len, asking, 36);
        (void)link_plain(l, batch, len + 36);
        link_pump(l, deaf == 1 ? 0 : 1);
        if (deaf == 0)
            (void)link_frame(l, WINDOW, FIN, id, 0);
        count++;
    }
    note(r, "%u asked, %llu reset", count, (unsigned long long)l->resets);
    return ends_free(l, 1000);
}

/* Data where none is to come. */
static enum verdict talk_to_identify(struct run *r, int unused)
{
    struct link *l = link_session(r);
    uint8_t batch[128];
    uint32_t id = link_id(l);
    size_t len = head_put(batch, DATA, SYN, id, 40);

    (void)unused;
    memcpy(batch + len, asking, 40);
    (void)link_plain(l, batch, len + 40);
    return ends_free(l, 0);
}

/* Ping. */

static enum verdict ping_third(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = NULL;

    (void)unused;
    for (int i = 0; i < 3; i++)
        c = channel_open(l, PING_PROTOCOL);
    enum verdict v = c == NULL ? ends(l, 0) : WRONG;
    if (v == TOLERATED)
        v = RESET;
    link_free(l);
    return v;
}

static enum verdict ping_part(struct run *r, int len)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, PING_PROTOCOL);
    uint64_t end = now_ms() + 13000;

    if (c == NULL)
        return ends_free(l, 0);
    (void)channel_send(l, c, text(), (size_t)len);
    while (!l->closed && !c->fin && !c->rst && now_ms() < end)
        link_pump(l, 50);
    enum verdict v = c->fin || c->rst ? ends(l, 0) : WRONG;
    link_free(l);
    return v == TOLERATED ? RESET : v;
}

static enum verdict ping_stream_flood(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, PING_PROTOCOL);
    uint64_t end = now_ms() + r->flood_ms;

    (void)unused;
    while (c != NULL && !l->closed && !c->rst && now_ms() < end) {
        (void)channel_send(l, c, text(), 32768);
        c->len = 0;
    }
    return ends_free(l, 1000);
}

static const struct attack rows[] = {
    {"identify_honest", "what is right", TOLERATED, 0, 0, HONEST, identify},
    {"identify_8193", "a message of 8193 bytes", RESET, 0, 0, BYTES_8193,
     identify},
    {"identify_11_messages", "11 messages", RESET, 0, 0, MESSAGES_11, identify},
    {"identify_40k", "40 KiB in messages of 4 KiB", RESET, 0, 0, BYTES_40K,
     identify},
    {"identify_bad_record", "a record that is none", TOLERATED, 0, 0,
     BAD_RECORD, identify},
    {"identify_others_record", "the record of another peer", TOLERATED, 0, 0,
     OTHERS_RECORD, identify},
    {"identify_forged_record", "a record signed by another", TOLERATED, 0, 0,
     RECORD_OF_OTHER_KEY, identify},
    {"identify_others_key", "the key of another peer", TOLERATED | RESET, 0, 0,
     OTHERS_KEY, identify},
    {"identify_junk_key", "a key of 7000 bytes", TOLERATED | RESET, 0, 0,
     JUNK_KEY, identify},
    {"identify_garbage", "no protobuf", RESET, 0, 0, GARBAGE, identify},
    {"identify_cut_short", "a message cut short", RESET, 0, 0, CUT_SHORT,
     identify},
    {"identify_empty", "an empty message", TOLERATED, 0, 0, EMPTY, identify},
    {"identify_zero_messages", "ten messages of no bytes", TOLERATED, 0, 0,
     ZERO_MESSAGES, identify},
    {"identify_10000_addrs", "10,000 addresses", RESET, 0, 0, ADDRS_10000,
     identify},
    {"identify_10000_protocols", "10,000 protocols", RESET, 0, 0,
     PROTOCOLS_10000, identify},
    {"identify_bad_addrs", "addresses that are none", TOLERATED, 0, 0,
     BAD_ADDRS, identify},
    {"identify_long_protocol", "a protocol of 8000 bytes", TOLERATED, 0, 0,
     LONG_PROTOCOL, identify},
    {"identify_control", "control characters", TOLERATED, 0, 0,
     CONTROL_CHARACTERS, identify},
    {"identify_long_agent", "an agent of 8000 bytes", TOLERATED, 0, 0,
     LONG_AGENT, identify},
    {"identify_unknown", "unknown fields", TOLERATED, 0, 0, UNKNOWN_FIELDS,
     identify},
    {"identify_wire_type", "a field of another type", RESET, 0, 0,
     WRONG_WIRE_TYPE, identify},
    {"identify_long_varint", "a length of 12 bytes", RESET, 0, 0, LONG_VARINT,
     identify},
    {"identify_fin_only", "ends without a message", RESET, 0, 0, FIN_ONLY,
     identify},
    {"identify_reset", "resets the question", TOLERATED, 0, 0, RESET_IT,
     identify},
    {"identify_no_fin", "never ends its answer", RESET, 7000, SLOW, NO_FIN,
     identify},
    {"identify_nothing", "never answers", RESET, 7000, SLOW, NOTHING, identify},
    {"push_8193", "a push of 8193 bytes", RESET, 0, 0, BYTES_8193, push},
    {"push_40k", "a push of 40 KiB", RESET, 0, 0, BYTES_40K, push},
    {"push_garbage", "a push that is no protobuf", RESET, 0, 0, GARBAGE, push},
    {"push_others_key", "a push for another peer", RESET | TOLERATED, 0, 0,
     OTHERS_KEY, push},
    {"push_control", "a push with control characters", TOLERATED, 0, 0,
     CONTROL_CHARACTERS, push},
    {"push_no_fin", "a push that never ends", RESET, 7000, SLOW, NO_FIN, push},
    {"push_flood", "pushes without end", DROPPED, 0, 0, HONEST, push_flood},
    {"push_large_flood", "pushes of 8 KiB", DROPPED, 0, 0, LONG_PROTOCOL,
     push_flood},
    {"push_bad_flood", "pushes that are wrong", DROPPED, 0, 0, GARBAGE,
     push_flood},
    {"push_record_flood", "pushes with signatures to check", DROPPED, 0, 0,
     RECORD_OF_OTHER_KEY, push_flood},
    {"push_paced", "pushes one after the other", DROPPED, 4000, 0, HONEST,
     push_paced},
    {"push_bad_paced", "wrong pushes one after the other", DROPPED, 4000, 0,
     GARBAGE, push_paced},
    {"identify_ask_flood", "asks without end", DROPPED, 0, 0, 0, ask_flood},
    {"identify_ask_unread", "asks, and reads nothing", DROPPED, 0, 0, 1,
     ask_flood},
    {"identify_talk", "talks where nothing is to be said", TOLERATED, 0, 0, 0,
     talk_to_identify},
    {"ping_third", "a third stream of pings", RESET, 0, 0, 0, ping_third},
    {"ping_part", "31 bytes of a ping, then nothing", RESET, 0, SLOW, 31,
     ping_part},
    {"ping_nothing", "a stream for pings, and none", RESET, 0, SLOW, 0,
     ping_part},
    {"ping_flood", "pings as fast as they go", DROPPED, 0, 0, 0,
     ping_stream_flood},
};

struct attacks attacks_identify(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
