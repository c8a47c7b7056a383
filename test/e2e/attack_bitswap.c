/* Attacks by messages of bitswap that nobody asked for. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "base/mem.h"
#include "base/wr.h"
#include "multiformats/pb.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { MIB = 1 << 20, ROOM = 9 * MIB };

/* Scratch memory. */
static uint8_t *room(void)
{
    static uint8_t room_bytes[ROOM];
    return room_bytes;
}

static struct wr writer(void)
{
    return wr_init(room(), ROOM);
}

/* Pieces of messages. */

static void put_cid(struct wr *w, uint32_t n)
{
    uint8_t digest[32] = {0};
    struct cid cid;

    memcpy(digest, &n, sizeof(n));
    cid = cid_from_digest(0x55, digest);
    cid_write(w, &cid);
}

static void put_entry(struct wr *w, struct bytes cid, unsigned have,
                      unsigned cancel, unsigned dont_have)
{
    uint8_t text[400];
    struct wr e = wr_init(text, sizeof(text));

    pb_put_bytes(&e, 1, cid);
    pb_put_uint(&e, 2, 1);
    if (cancel != 0)
        pb_put_uint(&e, 3, 1);
    if (have != 0)
        pb_put_uint(&e, 4, 1);
    if (dont_have != 0)
        pb_put_uint(&e, 5, 1);
    pb_put_bytes(w, 1, (struct bytes){.p = text, .len = wr_len(&e)});
}

static void put_want(struct wr *w, uint32_t n, unsigned cancel)
{
    uint8_t text[64];
    struct wr c = wr_init(text, sizeof(text));

    put_cid(&c, n);
    put_entry(w, (struct bytes){.p = text, .len = wr_len(&c)}, 0, cancel, 1);
}

/* A message of a wantlist alone, with its length, at @dst. */
static size_t frame_wants(const struct wr *list, bool full, uint8_t *dst,
                          size_t max)
{
    struct wr w = wr_init(dst, max);
    size_t len = wr_len(list) + (full ? 2 : 0);

    wr_uvarint(&w, 1 + uvarint_len(len) + len);
    pb_put_head(&w, 1, len);
    wr_bytes(&w, (struct bytes){.p = list->start, .len = wr_len(list)});
    if (full)
        pb_put_uint(&w, 2, 1);
    return wr_len(&w);
}

size_t wants_put(const struct bs_entry *entries, size_t count, bool full,
                 uint8_t *dst, size_t max)
{
    uint8_t *text = mem_alloc(count * 100 + 1);
    struct wr list = wr_init(text, count * 100 + 1);

    for (size_t i = 0; i < count; i++) {
        uint8_t cid[CID_BYTES_MAX];
        size_t len = cid_encode(&entries[i].cid, cid);
        put_entry(&list, (struct bytes){.p = cid, .len = len},
                  entries[i].want_have, entries[i].cancel,
                  entries[i].send_dont_have);
    }
    size_t len = frame_wants(&list, full, dst, max);
    mem_free(text);
    return len;
}

void block_put(struct wr *w, struct bytes prefix, struct bytes data)
{
    size_t len = 1 + uvarint_len(prefix.len) + prefix.len + 1 +
                 uvarint_len(data.len) + data.len;
    pb_put_head(w, 3, len);
    pb_put_bytes(w, 1, prefix);
    pb_put_bytes(w, 2, data);
}

void prefix_put(struct wr *w, const struct cid *cid)
{
    wr_uvarint(w, cid->version);
    wr_uvarint(w, cid->codec);
    wr_uvarint(w, cid->hash.code);
    wr_uvarint(w, cid->hash.len);
}

#define PREFIX BYTES_LIT("\x01\x55\x12\x20")

bool send_framed(struct link *l, struct channel *c, struct bytes body)
{
    uint8_t head[10];
    struct wr w = wr_init(head, sizeof(head));

    wr_uvarint(&w, body.len);
    return channel_send(l, c, head, wr_len(&w)) &&
           channel_send(l, c, body.p, body.len);
}

static struct bytes written(const struct wr *w)
{
    return (struct bytes){.p = w->start, .len = wr_len(w)};
}

/* Lengths. */

static enum verdict length_of(struct run *r, int which)
{
    static const struct bytes heads[] = {
        {(const uint8_t *)"\x81\x80\x80\x02", 4}, /* 4 MiB + 1 */
        {(const uint8_t *)"\xff\xff\xff\xff\x7f", 5},
        {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {(const uint8_t *)"\x80\x00", 2},
    };
    return raw_ends(link_session(r), BITSWAP, heads[which]);
}

static enum verdict cut_by_fin(struct run *r, int unused)
{
    (void)unused;
    return half_ends(link_session(r), BITSWAP);
}

/* The start of a message of 4 MiB on each of many streams, then silence. */
static enum verdict hoard(struct run *r, int each_kib)
{
    struct link *l = link_session(r);
    struct channel *channels[200];
    size_t count = 0;
    static uint8_t part[65000];
    size_t total = 0;

    for (size_t i = 0; i < COUNT(channels) && !l->closed; i++) {
        struct channel *c = channel_open(l, BITSWAP);
        if (c == NULL)
            break;
        channels[count++] = c;
        if (!channel_send(l, c, "\x80\x80\x80\x02", 4))
            break;
    }
    for (size_t i = 0; i < count && !l->closed; i++) {
        size_t left = (size_t)each_kib * 1024;
        while (left > 0) {
            size_t len = left < sizeof(part) ? left : sizeof(part);
            if (!channel_send(l, channels[i], part, len))
                break;
            left -= len;
            total += len;
        }
    }
    if (!l->closed)
        (void)link_wait_drop(l, 500);
    note(r, "%zu streams, %zu MiB sent", count, total >> 20);
    return ends_free(l, 0);
}

/* Protobufs. */

static const struct bytes malformed[] = {
    {(const uint8_t *)"\xff", 1},                     /* half a tag */
    {(const uint8_t *)"\x0a\x05x", 3},                /* field cut short */
    {(const uint8_t *)"\x08\x01", 2},                 /* wantlist a number */
    {(const uint8_t *)"\x0b\x0c", 2},                 /* a group */
    {(const uint8_t *)"\x0f", 1},                     /* wire type 7 */
    {(const uint8_t *)"\x02\x00", 2},                 /* field 0 */
    {(const uint8_t *)"\x0a\x04\x0a\x02\x0a\x00", 6}, /* empty CID */
    {(const uint8_t *)"\x0a\x02\x0a\x00", 4},         /* entry without CID */
    {(const uint8_t *)"\x0a\x06\x0a\x04\x0a\x02\x01\x55", 8}, /* half a CID */
    {(const uint8_t *)"\x0a\x07\x0a\x05\x0a\x03\x07\x55\x12", 9}, /* v7 */
    {(const uint8_t *)"\x1a\x00", 2},                  /* empty Block */
    {(const uint8_t *)"\x1a\x03\x12\x01x", 5},         /* no prefix */
    {(const uint8_t *)"\x1a\x05\x0a\x00\x12\x01x", 7}, /* empty prefix */
    {(const uint8_t *)"\x1a\x08\x0a\x03\x01\x55\x12\x12\x01x", 10},
    {(const uint8_t *)"\x1a\x09\x0a\x04\x01\x55\x13\xff\x12\x01x", 11},
    {(const uint8_t *)"\x1a\x09\x0a\x04\x01\x55\x11\x05\x12\x01x", 11},
    {(const uint8_t *)"\x1a\x09\x0a\x04\x09\x55\x12\x20\x12\x01x", 11},
    {(const uint8_t *)"\x1a\x09\x0a\x04\x01\x55\x00\x01\x12\x01x", 11},
    {(const uint8_t *)"\x22\x00", 2},                 /* presence of nothing */
    {(const uint8_t *)"\x22\x02\x10\x01", 4},         /* no CID */
    {(const uint8_t *)"\x22\x04\x0a\x02\x01\x55", 6}, /* half a CID */
    {(const uint8_t *)"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
};

static enum verdict bad_protobuf(struct run *r, int which)
{
    return message_ends(link_session(r), BITSWAP, malformed[which]);
}

/* All of them, each on a new stream. */
static enum verdict bad_protobufs(struct run *r, int unused)
{
    struct link *l = link_session(r);

    (void)unused;
    for (size_t i = 0; i < COUNT(malformed) && !l->closed; i++) {
        struct channel *c = channel_open(l, BITSWAP);
        if (c == NULL)
            break;
        (void)send_framed(l, c, malformed[i]);
        (void)channel_wait_rst(l, c, 500);
    }
    return ends_free(l, must_drop_ms(r));
}

/* Blocks. */

static enum verdict unasked(struct run *r, int bytes)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint8_t *data = mem_zalloc(1, (size_t)bytes);
    uint32_t n = 0;

    for (; n < 1000 && c != NULL && !l->closed && !c->rst; n++) {
        struct wr w = writer();
        memcpy(data, &n, sizeof(n));
        block_put(&w, PREFIX, (struct bytes){.p = data, .len = (size_t)bytes});
        (void)send_framed(l, c, written(&w));
    }
    mem_free(data);
    note(r, "%u blocks, %llu KiB", n, (unsigned long long)(l->sent >> 10));
    return ends_free(l, must_drop_ms(r));
}

static enum verdict unasked_at_once(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    struct wr w = writer();
    uint8_t data[1000] = {0};

    (void)unused;
    for (uint32_t n = 0; n < 1000; n++) {
        memcpy(data, &n, sizeof(n));
        block_put(&w, PREFIX, (struct bytes){.p = data, .len = sizeof(data)});
    }
    if (c != NULL)
        (void)send_framed(l, c, written(&w));
    return ends_free(l, must_drop_ms(r));
}

static enum verdict large_block(struct run *r, int bytes)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    struct wr w = writer();
    uint8_t *data = mem_zalloc(1, (size_t)bytes);

    if (c == NULL)
        return ends_free(l, 0);
    block_put(&w, PREFIX, (struct bytes){.p = data, .len = (size_t)bytes});
    (void)send_framed(l, c, written(&w));
    enum verdict v = channel_ends(l, c, bytes > 2 * MIB ? 2000 : 100);
    mem_free(data);
    link_free(l);
    return v;
}

static enum verdict presences(struct run *r, int kind)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint64_t end = now_ms() + r->flood_ms;
    struct wr w = writer();

    for (uint32_t n = 0; n < 1000; n++) {
        uint8_t text[64];
        struct wr p = wr_init(text, sizeof(text));
        uint8_t cid[40];
        struct wr k = wr_init(cid, sizeof(cid));
        put_cid(&k, n);
        pb_put_bytes(&p, 1, written(&k));
        pb_put_uint(&p, 2, (uint64_t)kind);
        pb_put_bytes(&w, 4, written(&p));
    }
    while (c != NULL && !l->closed && !c->rst && now_ms() < end)
        (void)send_framed(l, c, written(&w));
    note(r, "%llu KiB", (unsigned long long)(l->sent >> 10));
    return ends_free(l, 1000);
}

/* Messages without effect. */

static enum verdict nothing_flood(struct run *r, int which)
{
    static const struct bytes bodies[] = {
        {(const uint8_t *)"\x00", 1},
        {(const uint8_t *)"\x02\x0a\x00", 3},
        {(const uint8_t *)"\x04\x0a\x02\x10\x01", 5},
        {(const uint8_t *)"\x02\x28\x05", 3},
    };
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint64_t end = now_ms() + 2 * (uint64_t)r->flood_ms;
    struct wr w = writer();

    while (wr_len(&w) < 60000)
        wr_bytes(&w, bodies[which]);
    while (c != NULL && !l->closed && !c->rst && now_ms() < end)
        (void)channel_send(l, c, room(), wr_len(&w));
    note(r, "%llu KiB", (unsigned long long)(l->sent >> 10));
    return ends_free(l, 1000);
}

/* Messages of one unknown field of some size. */
static enum verdict padding_flood(struct run *r, int kib)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint64_t end = now_ms() + 4 * (uint64_t)r->flood_ms;
    struct wr w = writer();
    uint8_t *zeros = mem_zalloc(1024, (size_t)kib);

    pb_put_bytes(&w, 99, (struct bytes){.p = zeros, .len = 1024 * (size_t)kib});
    mem_free(zeros);
    while (c != NULL && !l->closed && !c->rst && now_ms() < end)
        (void)send_framed(l, c, written(&w));
    note(r, "%llu MiB", (unsigned long long)(l->sent >> 20));
    return ends_free(l, 1000);
}

/* Wants. */

static enum verdict want_and_cancel(struct run *r, int per_message)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint64_t end = now_ms() + 8 * (uint64_t)r->flood_ms;
    static uint8_t list[MIB];
    uint32_t n = 0;

    while (c != NULL && !l->closed && !c->rst && now_ms() < end) {
        struct wr w = wr_init(list, sizeof(list));
        for (int i = 0; i < per_message; i++, n++) {
            put_want(&w, n, 0);
            put_want(&w, n, 1);
        }
        size_t len = frame_wants(&w, false, room(), ROOM);
        (void)channel_send(l, c, room(), len);
        link_pump(l, 0);
    }
    note(r, "%u wants", n);
    return ends_free(l, 1000);
}

/* The same wants again and again. */
static enum verdict same_wants(struct run *r, int full)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint64_t end = now_ms() + 8 * (uint64_t)r->flood_ms;
    static uint8_t list[MIB];
    struct wr w = wr_init(list, sizeof(list));
    uint32_t sent = 0;

    for (uint32_t n = 0; n < 500; n++)
        put_want(&w, n, 0);
    size_t len = frame_wants(&w, full == 1, room(), ROOM);
    while (c != NULL && !l->closed && !c->rst && now_ms() < end) {
        (void)channel_send(l, c, room(), len);
        link_pump(l, 0);
        sent += 500;
    }
    note(r, "%u wants", sent);
    return ends_free(l, 1000);
}

/* Bytes on all streams that the daemon opened for answers. */
static size_t answered(const struct link *l)
{
    size_t len = 0;
    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        if (l->channels[i].id != 0 && l->channels[i].theirs)
            len += l->channels[i].len;
    }
    return len;
}

/* So many wants in one message; all must be answered by DONT_HAVE. */
static enum verdict many_wants(struct run *r, int count)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    static uint8_t list[8 * MIB];
    struct wr w = wr_init(list, sizeof(list));
    uint64_t end = now_ms() + PATIENCE_MS;

    for (int n = 0; n < count; n++)
        put_want(&w, (uint32_t)n, 0);
    size_t len = frame_wants(&w, false, room(), ROOM);
    if (c == NULL)
        return ends_free(l, 0);
    (void)channel_send(l, c, room(), len);
    if ((r->attack->must & ANSWERED) == 0) {
        enum verdict v = channel_ends(l, c, must_drop_ms(r));
        link_free(l);
        return v;
    }
    size_t want = (size_t)count * 42;
    while (!l->closed && answered(l) < want && now_ms() < end)
        link_pump(l, 20);
    note(r, "%zu of %zu bytes", answered(l), want);
    enum verdict v = answered(l) >= want ? ANSWERED : ends(l, 0);
    link_free(l);
    return v;
}

enum odd_cid {
    IDENTITY_CID,
    LONG_CID,
    HUGE_CID,
    UNKNOWN_HASH,
    NO_DIGEST,
    EMPTY_BLOCK
};

static enum verdict odd_wants(struct run *r, int which)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint8_t cid[300] = {0};
    struct bytes in = {.p = cid, .len = 0};
    static uint8_t list[MIB];
    struct wr w = wr_init(list, sizeof(list));
    struct wr k = wr_init(cid, sizeof(cid));

    if (which == IDENTITY_CID)
        wr_bytes(&k, BYTES_LIT("\x01\x55\x00\x05hello"));
    else if (which == LONG_CID)
        wr_bytes(&k, BYTES_LIT("\x01\x55\x00\xa5\x01"));
    else if (which == HUGE_CID)
        wr_bytes(&k, BYTES_LIT("\x01\x55\x00\xa4\x02"));
    else if (which == UNKNOWN_HASH)
        wr_bytes(&k, BYTES_LIT("\x01\x55\xff\xff\x03\x04"
                               "abcd"));
    else
        wr_bytes(&k, BYTES_LIT("\x01\x55\x12\x00"));
    in.len = wr_len(&k);
    if (which == LONG_CID)
        in.len += 165;
    if (which == HUGE_CID)
        in.len += 292 <= sizeof(cid) - in.len ? 292 : sizeof(cid) - in.len;
    for (int i = 0; i < 100; i++)
        put_entry(&w, in, 0, 0, 1);
    size_t len = frame_wants(&w, false, room(), ROOM);
    if (c == NULL)
        return ends_free(l, 0);
    (void)channel_send(l, c, room(), len);
    enum verdict v = channel_ends(l, c, 100);
    link_free(l);
    return v;
}

/* Streams. */

static enum verdict idle_streams(struct run *r, int count)
{
    struct link *l = link_session(r);
    int opened = 0;

    while (opened < count && channel_open(l, BITSWAP) != NULL)
        opened++;
    note(r, "%d streams", opened);
    return ends_free(l, 0);
}

static enum verdict old_version(struct run *r, int which)
{
    static const char *const names[] = {"/ipfs/bitswap", "/ipfs/bitswap/1.0.0",
                                        "/ipfs/bitswap/1.1.0"};
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, names[which]);
    uint8_t data[100] = {0};
    uint32_t n = 0;

    for (; n < 1000 && c != NULL && !l->closed && !c->rst; n++) {
        struct wr w = writer();
        memcpy(data, &n, sizeof(n));
        pb_put_bytes(&w, 2, (struct bytes){.p = data, .len = sizeof(data)});
        (void)send_framed(l, c, written(&w));
    }
    note(r, "%u blocks", n);
    return ends_free(l, must_drop_ms(r));
}

static const struct attack rows[] = {
    {"bitswap_4m_1", "a message of 4 MiB and a byte", RESET, 0, 0, 0,
     length_of},
    {"bitswap_length_5", "a length of 5 bytes", RESET, 0, 0, 1, length_of},
    {"bitswap_length_10", "a length of 10 bytes", RESET, 0, 0, 2, length_of},
    {"bitswap_length_padded", "a length that is not minimal", RESET, 0, 0, 3,
     length_of},
    {"bitswap_fin", "a message cut by FIN", RESET, 0, 0, 0, cut_by_fin},
    {"bitswap_hoard_0", "4 MiB announced on 200 streams", TOLERATED | DROPPED,
     0, 0, 0, hoard},
    {"bitswap_hoard_65", "65 KiB of 4 MiB on 200 streams", TOLERATED | DROPPED,
     0, 0, 65, hoard},
    {"bitswap_hoard_4000", "4000 KiB of 4 MiB on 200 streams", DROPPED, 5000, 0,
     4000, hoard},
    {"bitswap_bad_tag", "half a tag", RESET, 0, 0, 0, bad_protobuf},
    {"bitswap_bad_short", "a field cut short", RESET, 0, 0, 1, bad_protobuf},
    {"bitswap_bad_wire", "a wantlist that is a number", RESET, 0, 0, 2,
     bad_protobuf},
    {"bitswap_bad_group", "a group", RESET, 0, 0, 3, bad_protobuf},
    {"bitswap_bad_type", "wire type 7", RESET, 0, 0, 4, bad_protobuf},
    {"bitswap_bad_field", "field 0", RESET, 0, 0, 5, bad_protobuf},
    {"bitswap_bad_cid_empty", "an empty CID", RESET, 0, 0, 6, bad_protobuf},
    {"bitswap_bad_entry", "an entry without a CID", RESET, 0, 0, 7,
     bad_protobuf},
    {"bitswap_bad_cid_half", "half a CID", RESET, 0, 0, 8, bad_protobuf},
    {"bitswap_bad_cid_v7", "a CID of version 7", RESET, 0, 0, 9, bad_protobuf},
    {"bitswap_bad_block", "an empty Block", RESET, 0, 0, 10, bad_protobuf},
    {"bitswap_bad_no_prefix", "a block without prefix", RESET, 0, 0, 11,
     bad_protobuf},
    {"bitswap_bad_prefix", "an empty prefix", RESET, 0, 0, 12, bad_protobuf},
    {"bitswap_bad_prefix_half", "half a prefix", RESET, 0, 0, 13, bad_protobuf},
    {"bitswap_bad_prefix_hash", "a prefix of a bad hash", RESET, 0, 0, 14,
     bad_protobuf},
    {"bitswap_bad_prefix_sha1", "a prefix of 5 bytes of sha1", RESET, 0, 0, 15,
     bad_protobuf},
    {"bitswap_bad_prefix_v9", "a prefix of version 9", RESET, 0, 0, 16,
     bad_protobuf},
    {"bitswap_bad_prefix_id", "a prefix of identity", TOLERATED, 0, 0, 17,
     bad_protobuf},
    {"bitswap_bad_presence", "a presence of nothing", RESET, 0, 0, 18,
     bad_protobuf},
    {"bitswap_bad_presence_cid", "a presence without CID", RESET, 0, 0, 19,
     bad_protobuf},
    {"bitswap_bad_presence_half", "a presence of half a CID", RESET, 0, 0, 20,
     bad_protobuf},
    {"bitswap_bad_varint", "a number of 11 bytes", RESET, 0, 0, 21,
     bad_protobuf},
    {"bitswap_bad_all", "all of these, one after the other", DROPPED, 0, 0, 0,
     bad_protobufs},
    {"bitswap_unasked_100", "1,000 blocks of 100 bytes", DROPPED, 0, 0, 100,
     unasked},
    {"bitswap_unasked_1m", "1,000 blocks of 1 MiB", DROPPED, 0, 0, MIB,
     unasked},
    {"bitswap_unasked_once", "1,000 blocks in one message", DROPPED, 0, 0, 0,
     unasked_at_once},
    {"bitswap_block_2m", "a block of 2 MiB", TOLERATED, 0, 0, 2 * MIB,
     large_block},
    {"bitswap_block_2m_1", "a block of 2 MiB and a byte", RESET, 0, 0,
     2 * MIB + 1, large_block},
    {"bitswap_haves", "HAVE for what nobody asked", DROPPED, 0, 0, 0,
     presences},
    {"bitswap_dont_haves", "DONT_HAVE likewise", DROPPED, 0, 0, 1, presences},
    {"bitswap_empty_flood", "empty messages", DROPPED, 0, 0, 0, nothing_flood},
    {"bitswap_empty_list_flood", "empty wantlists", DROPPED, 0, 0, 1,
     nothing_flood},
    {"bitswap_full_flood", "empty wantlists that replace", DROPPED, 0, 0, 2,
     nothing_flood},
    {"bitswap_pending_flood", "pendingBytes alone", DROPPED, 0, 0, 3,
     nothing_flood},
    {"bitswap_padding_1k", "messages of 1 KiB without content", DROPPED, 4000,
     0, 1, padding_flood},
    {"bitswap_padding_4000k", "messages of 4000 KiB without content", DROPPED,
     4000, 0, 4000, padding_flood},
    {"bitswap_cancel_1", "want and cancel, each in a message", DROPPED, 4000, 0,
     1, want_and_cancel},
    {"bitswap_cancel_500", "500 wants and cancels a message", DROPPED, 4000, 0,
     500, want_and_cancel},
    {"bitswap_same_wants", "the same 500 wants", DROPPED, 4000, 0, 0,
     same_wants},
    {"bitswap_same_full", "the same 500 wants, full", DROPPED, 4000, 0, 1,
     same_wants},
    {"bitswap_wants_1000", "1,000 wants", ANSWERED, 0, 0, 1000, many_wants},
    {"bitswap_wants_3000", "3,000 wants", ANSWERED, 0, 0, 3000, many_wants},
    {"bitswap_wants_30000", "30,000 wants", ANSWERED | TOLERATED, 0, 0, 30000,
     many_wants},
    {"bitswap_wants_32769", "32,769 wants", RESET, 0, 0, 32769, many_wants},
    {"bitswap_wants_100000", "100,000 wants", RESET, 0, 0, 100000, many_wants},
    {"bitswap_identity", "wants of identity CIDs", TOLERATED, 0, 0,
     IDENTITY_CID, odd_wants},
    {"bitswap_cid_170", "wants of CIDs of 170 bytes", TOLERATED, 0, 0, LONG_CID,
     odd_wants},
    {"bitswap_cid_297", "wants of CIDs of 297 bytes", TOLERATED, 0, 0, HUGE_CID,
     odd_wants},
    {"bitswap_unknown_hash", "wants by an unknown hash", TOLERATED, 0, 0,
     UNKNOWN_HASH, odd_wants},
    {"bitswap_no_digest", "wants by an empty digest", TOLERATED, 0, 0,
     NO_DIGEST, odd_wants},
    {"bitswap_idle_600", "600 streams, and nothing in them", TOLERATED, 0, 0,
     600, idle_streams},
    {"bitswap_1_0_unasked", "blocks by 1.0.0", DROPPED, 0, 0, 1, old_version},
    {"bitswap_unnumbered_unasked", "blocks by the oldest", DROPPED, 0, 0, 0,
     old_version},
    {"bitswap_1_1_unasked", "blocks by 1.1.0, without prefix", DROPPED, 0, 0, 2,
     old_version},
};

struct attacks attacks_bitswap(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
