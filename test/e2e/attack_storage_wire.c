/* Attacks by the framing of the object protocol, and by how much is said. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attack_storage.h"
#include "base/mem.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    STREAMS = 200,
    DRIP_MS = 20,
    LONG_BODY = STORAGE_MESSAGE_BYTES_MAX + 1,
    REQUESTS = STORAGE_MINE + 1,
    CUTS_MAX = 24, /* messages that are cut, of one connection */
    MANY_RECEIPTS = 10000,
};

/* One of each kind of request, well formed; what they name is not there. */
static struct bytes request(struct link *l, enum storage_message_type type)
{
    static uint8_t record[OBJECT_RECORD_BYTES_MAX];
    static uint8_t receipt[RECEIPT_BYTES_MAX];
    struct privkey key = made_up_key();
    struct cid root = made_up_cid();
    struct object_record f = record_fields(&root, 1000, 1);
    struct storage_message *m = storage_message_new(type);
    struct wr w = storage_writer();

    if (type == STORAGE_RELEASE)
        f.policy.copies = 0;
    struct bytes made = record_put(&f, &key);
    memcpy(record, made.p, made.len);
    m->root = root;
    random_fill(m->owner, sizeof(m->owner));
    m->record = (struct bytes){.p = record, .len = made.len};
    m->receipts[0] = receipt_make(&f, &key, 0, receipt);
    m->receipts_count = 1;
    m->items_count = 2;
    m->cids_count = 2;
    for (size_t i = 0; i < 2; i++) {
        m->items[i].root = root;
        m->items[i].cid = made_up_cid();
        m->cids[i] = made_up_cid();
    }
    m->holder = privkey_peer_id(&l->key);
    m->at_s = storage_unix_s();
    storage_message_encode(&w, m);
    mem_free(m);
    privkey_release(&key);
    return storage_written(&w);
}

/* Frames that are none. */
static enum verdict raw(struct run *r, int which)
{
    static const struct bytes heads[] = {
        {(const uint8_t *)"\x81\x80\x04", 3}, /* 64 KiB + 1 */
        {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {(const uint8_t *)"\x80\x00", 2}, /* not minimal */
        {(const uint8_t *)"\x00", 1},     /* no bytes at all */
        {(const uint8_t *)"\x01\xff", 2}, /* a lone break */
        {(const uint8_t *)"\x02\xa1\x61", 3},
        {(const uint8_t *)"\x03\xbf\x61t", 4}, /* a map of no set length */
        {(const uint8_t *)"\x05\xa1\x61t\x61x\x00", 7}, /* one byte behind */
        {(const uint8_t *)"\x05\xa1\x61t\x62ok", 6},    /* an answer */
        {(const uint8_t *)"\x09\xbb\xff\xff\xff\xff\xff\xff\xff\xff", 10},
        {(const uint8_t *)"\x0a\x9b\x00\x00\x00\x01\x00\x00\x00\x00\x00", 11},
    };
    return raw_ends(link_session(r), STORAGE, heads[which]);
}

/* Lists in lists in lists. */
static enum verdict deep(struct run *r, int depth)
{
    struct wr w = storage_writer();

    wr_bytes(&w, BYTES_LIT("\xa2\x61t\x63"
                           "xyz\x64"
                           "deep"));
    for (int i = 0; i < depth; i++)
        wr_u8(&w, 0x81);
    wr_u8(&w, 0x80);
    return message_ends(link_session(r), STORAGE, storage_written(&w));
}

/* A message of a later version gets its refusal. */
static enum verdict unknown(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = storage_begin(l);

    (void)unused;
    if (c == NULL)
        return ends_free(l, 0);
    (void)send_framed(l, c, BYTES_LIT("\xa1\x61t\x63xyz"));
    const struct storage_message *answer = storage_answer(l, c);
    bool fine = answer != NULL && answer->type == STORAGE_REFUSE &&
                answer->reason == STORAGE_REASON_UNSUPPORTED;
    link_free(l);
    return fine ? ANSWERED : WRONG;
}

/* 64 KiB and a byte, all of it sent. */
static enum verdict long_body(struct run *r, int unused)
{
    static const uint8_t zeros[LONG_BODY];
    struct bytes body = {.p = zeros, .len = sizeof(zeros)};

    (void)unused;
    return message_ends(link_session(r), STORAGE, body);
}

/* More receipts than a message may have. */
static enum verdict many_receipts(struct run *r, int count)
{
    static uint8_t room[MANY_RECEIPTS * 8 + 200];
    struct wr w = wr_init(room, sizeof(room));

    wr_bytes(&w, BYTES_LIT("\xa2\x61t\x67receipt\x68receipts\x99"));
    wr_be16(&w, (uint16_t)count);
    for (int i = 0; i < count; i++)
        wr_bytes(&w, BYTES_LIT("\x44xxxx"));
    return message_ends(link_session(r), STORAGE, storage_written(&w));
}

/*
 * A request cut at every byte, its length telling so; the connections change,
 * for each is told off.
 */
static enum verdict cut(struct run *r, int type)
{
    struct link *l = link_session(r);
    static uint8_t kept[STORAGE_MESSAGE_BYTES_MAX];
    struct bytes body = request(l, (enum storage_message_type)type);
    unsigned dropped = 0;
    size_t answered = 0;
    size_t at = 0;

    memcpy(kept, body.p, body.len);
    for (unsigned of_link = 0; at < body.len; at++) {
        if (l->closed || of_link++ == CUTS_MAX) {
            dropped += l->closed;
            link_free(l);
            r->from += 256;
            l = link_session(r);
            of_link = 0;
        }
        struct channel *c = storage_begin(l);
        if (c == NULL)
            continue;
        (void)send_framed(l, c, (struct bytes){.p = kept, .len = at});
        (void)channel_wait_rst(l, c, PATIENCE_MS);
        answered += !c->rst && !l->closed;
        c->id = 0;
    }
    note(r, "%zu cuts, %u connections dropped, %zu not reset", at, dropped,
         answered);
    enum verdict v = ends_free(l, 0);
    return answered == 0 && v == DROPPED ? TOLERATED
           : answered == 0               ? v
                                         : WRONG;
}

/* The stream ends within a request. */
static enum verdict half(struct run *r, int unused)
{
    (void)unused;
    return half_ends(link_session(r), STORAGE);
}

/* Malformed messages until we are not heard any more. */
static enum verdict bad_again(struct run *r, int unused)
{
    struct link *l = link_session(r);
    unsigned count = 0;

    (void)unused;
    for (; count < CUTS_MAX && !l->closed; count++) {
        struct channel *c = storage_begin(l);
        if (c == NULL)
            break;
        (void)channel_send(l, c, "\x01\xff", 2);
        (void)channel_wait_rst(l, c, PATIENCE_MS);
        c->id = 0;
    }
    note(r, "%u messages", count);
    return ends_free(l, must_drop_ms(r));
}

/* Streams with nothing in them; then one that is honest. */
static enum verdict silent(struct run *r, int count)
{
    struct link *l = link_session(r);
    int opened = 0;
    int refused = 0;

    for (; opened + refused < count && !l->closed;) {
        if (storage_begin(l) != NULL)
            opened++;
        else
            refused++;
        if (refused > 2)
            break;
    }
    note(r, "%d streams, %d refused", opened, refused);
    return ends_free(l, 0);
}

/* A byte now and then on some streams. */
static enum verdict drip(struct run *r, int streams)
{
    struct link *l = link_session(r);
    struct channel *channels[STREAMS] = {NULL};
    static uint8_t kept[STORAGE_MESSAGE_BYTES_MAX + 10];
    struct wr w = wr_init(kept, sizeof(kept));
    struct bytes body = request(l, STORAGE_OFFER);
    uint64_t end = now_ms() + 4 * (uint64_t)r->flood_ms;
    int count = 0;
    size_t at = 0;

    wr_uvarint(&w, body.len);
    wr_bytes(&w, body);
    while (count < streams && (channels[count] = storage_begin(l)) != NULL)
        count++;
    for (; now_ms() < end && !l->closed && at + 1 < wr_len(&w); at++) {
        for (int i = 0; i < count; i++)
            (void)channel_send(l, channels[i], kept + at, 1);
        link_pump(l, DRIP_MS);
    }
    note(r, "%d streams, %zu bytes on each", count, at);
    return ends_free(l, 0);
}

/* Most of a long message on each of many streams. */
static enum verdict hoard(struct run *r, int unused)
{
    (void)unused;
    return hoard_ends(link_session(r), STORAGE);
}

/* Requests as fast as they go, one behind the other. */
static size_t fill(struct link *l, enum storage_message_type type,
                   uint8_t batch[static BATCH_BYTES])
{
    struct wr all = wr_init(batch, BATCH_BYTES);

    for (;;) {
        if (!batch_add(&all, request(l, type)))
            return wr_len(&all);
    }
}

static enum verdict flooded(struct run *r, int type, bool deaf)
{
    static uint8_t batch[BATCH_BYTES];
    struct link *l = link_session(r);
    size_t len = fill(l, (enum storage_message_type)type, batch);
    struct batch_flood f = {.protocol = STORAGE,
                            .batch = {.p = batch, .len = len},
                            .deaf = deaf,
                            .again = true};

    return batch_flood(l, &f);
}

static enum verdict flood_read(struct run *r, int type)
{
    return flooded(r, type, false);
}

static enum verdict flood_unread(struct run *r, int type)
{
    return flooded(r, type, true);
}

#define CUT(text, type)                                                        \
    {                                                                          \
        "storage_cut_" text, text " cut at every byte", TOLERATED, 0, 0, type, \
            cut                                                                \
    }
#define FLOOD(text, type)                                                      \
    {                                                                          \
        "storage_flood_" text, text ", no end", TOLERATED | DROPPED, 0, 0,     \
            type, flood_read                                                   \
    }

static const struct attack rows[] = {
    {"storage_len", "length over 64 KiB", RESET, 0, 0, 0, raw},
    {"storage_len_huge", "length of 2^64 - 1", RESET, 0, 0, 1, raw},
    {"storage_len_padded", "length not minimal", RESET, 0, 0, 2, raw},
    {"storage_len_0", "no bytes", RESET, 0, 0, 3, raw},
    {"storage_break", "a lone break", RESET, 0, 0, 4, raw},
    {"storage_short", "a map cut short", RESET, 0, 0, 5, raw},
    {"storage_endless", "a map of no set length", RESET, 0, 0, 6, raw},
    {"storage_behind", "a byte behind the map", RESET, 0, 0, 7, raw},
    {"storage_answer", "an answer as a request", RESET, 0, 0, 8, raw},
    {"storage_pairs", "a map of 2^64 - 1 pairs", RESET, 0, 0, 9, raw},
    {"storage_list", "a list of 2^32", RESET, 0, 0, 10, raw},
    {"storage_long", "64 KiB and a byte", RESET, 0, 0, 0, long_body},
    {"storage_deep_1000", "1,000 lists in lists", RESET | TOLERATED, 0, 0, 1000,
     deep},
    {"storage_deep_60000", "60,000 lists in lists", RESET, 0, 0, 60000, deep},
    {"storage_unknown", "a type of a later version", ANSWERED, 0, 0, 0,
     unknown},
    {"storage_receipts_65", "65 receipts", RESET, 0, 0, 65, many_receipts},
    {"storage_receipts_10000", "10,000 receipts", RESET, 0, 0, MANY_RECEIPTS,
     many_receipts},
    CUT("offer", STORAGE_OFFER),
    CUT("release", STORAGE_RELEASE),
    CUT("receipt", STORAGE_RECEIPT),
    CUT("status", STORAGE_STATUS),
    CUT("holders", STORAGE_HOLDERS),
    CUT("notice", STORAGE_NOTICE),
    CUT("audit", STORAGE_AUDIT),
    CUT("fetchback", STORAGE_FETCHBACK),
    CUT("mine", STORAGE_MINE),
    {"storage_half", "end of stream inside of a request", RESET, 0, 0, 0, half},
    {"storage_bad_again", "malformed messages again and again", DROPPED, 0, 0,
     0, bad_again},
    {"storage_silent_1", "a stream that says nothing", TOLERATED, 0, 0, 1,
     silent},
    {"storage_silent_600", "600 streams that say nothing", TOLERATED, 0, 0, 600,
     silent},
    {"storage_drip", "a byte now and then on 16 streams", TOLERATED, 0, 0, 16,
     drip},
    {"storage_hoard", "starts of messages on 200 streams", TOLERATED | DROPPED,
     0, 0, 0, hoard},
    FLOOD("offers", STORAGE_OFFER),
    FLOOD("releases", STORAGE_RELEASE),
    FLOOD("receipts", STORAGE_RECEIPT),
    FLOOD("status", STORAGE_STATUS),
    FLOOD("holders", STORAGE_HOLDERS),
    FLOOD("audits", STORAGE_AUDIT),
    FLOOD("fetchbacks", STORAGE_FETCHBACK),
    FLOOD("mine", STORAGE_MINE),
    {"storage_flood_unread", "status, no answer is read", TOLERATED | DROPPED,
     0, 0, STORAGE_STATUS, flood_unread},
};

struct attacks attacks_storage_wire(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
