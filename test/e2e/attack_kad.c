/* Attacks by requests of the DHT. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "base/mem.h"
#include "base/wr.h"
#include "kad/message.h"
#include "multiformats/pb.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    MIB = 1 << 20,
    ROOM = 2 * MIB,
    REQUEST_MAX = 64 * 1024,
    HASH_BYTES = 34,
};

/* Scratch memory. */
static struct wr writer(void)
{
    static uint8_t room[ROOM];
    return wr_init(room, ROOM);
}

static struct bytes written(const struct wr *w)
{
    return (struct bytes){.p = w->start, .len = wr_len(w)};
}

/* Pieces of messages. */

/* The multihash of something that nobody has. */
static struct bytes hash_of(uint64_t n)
{
    static uint8_t hash[HASH_BYTES] = {0x12, 0x20};
    random_fill(hash + 2, HASH_BYTES - 2);
    memcpy(hash + 2, &n, sizeof(n));
    return (struct bytes){.p = hash, .len = sizeof(hash)};
}

/* One of the lists of peers: @id at @where, if that is not NULL. */
static void put_peer(struct wr *w, uint32_t list, const struct peer_id *id,
                     const struct multiaddr *where)
{
    uint8_t room[PEER_ID_BYTES_MAX + MULTIADDR_BYTES_MAX + 20];
    struct wr p = wr_init(room, sizeof(room));

    pb_put_bytes(&p, 1, peer_id_bytes(id));
    if (where != NULL)
        pb_put_bytes(&p, 2,
                     (struct bytes){.p = where->bytes, .len = where->len});
    pb_put_bytes(w, list, written(&p));
}

static struct multiaddr address(const char *text)
{
    struct multiaddr addr;
    enum err err = multiaddr_parse(bytes_str(text), &addr);
    assert(err == OK);
    return addr;
}

static void put_claim(struct wr *w, struct bytes key, const struct peer_id *id,
                      const char *where)
{
    struct multiaddr addr;

    if (where != NULL)
        addr = address(where);
    pb_put_uint(w, 1, KAD_ADD_PROVIDER);
    pb_put_bytes(w, 2, key);
    put_peer(w, KAD_PROVIDER_PEERS, id, where != NULL ? &addr : NULL);
}

static void put_record(struct wr *w, struct bytes key, struct bytes record_key,
                       size_t value_len)
{
    static uint8_t value[REQUEST_MAX];
    uint8_t room[REQUEST_MAX + 100];
    struct wr p = wr_init(room, sizeof(room));

    random_fill(value, value_len);
    pb_put_bytes(&p, 1, record_key);
    pb_put_bytes(&p, 2, (struct bytes){.p = value, .len = value_len});
    pb_put_uint(w, 1, KAD_PUT_VALUE);
    pb_put_bytes(w, 2, key);
    pb_put_bytes(w, 3, written(&p));
}

/* Requests that must not be answered. */

enum bad {
    CLAIM_OF_OTHER,
    CLAIM_WITHOUT_ADDRESS,
    CLAIM_OF_NOTHING,
    CLAIM_LONG_KEY,
    PUT_GARBAGE,
    PUT_OTHER_KEY,
    PUT_UNKNOWN_KIND,
    PUT_NO_RECORD,
    PUT_LONG,
    FIND_NO_KEY,
    FIND_LONG_KEY,
    GET_LONG_KEY,
    TYPE_UNKNOWN,
    BODY_LONG,
};

static void put_bad(struct link *l, enum bad which, struct wr *w)
{
    static const uint8_t zeros[REQUEST_MAX + 1];
    struct peer_id self = privkey_peer_id(&l->key);
    struct bytes ipns = BYTES_LIT("/ipns/\x12\x20"
                                  "01234567890123456789012345678901");

    switch (which) {
    case CLAIM_OF_OTHER:
        put_claim(w, hash_of(1), &l->run->target, "/ip4/127.0.0.1/tcp/1");
        break;
    case CLAIM_WITHOUT_ADDRESS:
        put_claim(w, hash_of(1), &self, NULL);
        break;
    case CLAIM_OF_NOTHING:
        put_claim(w, BYTES_EMPTY, &self, "/ip4/127.0.0.1/tcp/1");
        break;
    case CLAIM_LONG_KEY:
        put_claim(w, (struct bytes){.p = zeros, .len = 81}, &self,
                  "/ip4/127.0.0.1/tcp/1");
        break;
    case PUT_GARBAGE:
        put_record(w, ipns, ipns, 300);
        break;
    case PUT_OTHER_KEY:
        put_record(w, ipns, BYTES_LIT("/ipns/other"), 300);
        break;
    case PUT_UNKNOWN_KIND:
        put_record(w, BYTES_LIT("/foo/bar"), BYTES_LIT("/foo/bar"), 3);
        break;
    case PUT_NO_RECORD:
        pb_put_uint(w, 1, KAD_PUT_VALUE);
        pb_put_bytes(w, 2, ipns);
        break;
    case PUT_LONG:
        put_record(w, ipns, ipns, 10 * 1024 + 1);
        break;
    case FIND_NO_KEY:
        pb_put_uint(w, 1, KAD_FIND_NODE);
        break;
    case FIND_LONG_KEY:
        pb_put_uint(w, 1, KAD_FIND_NODE);
        pb_put_bytes(w, 2, (struct bytes){.p = zeros, .len = 10 * 1024 + 1});
        break;
    case GET_LONG_KEY:
        pb_put_uint(w, 1, KAD_GET_PROVIDERS);
        pb_put_bytes(w, 2, (struct bytes){.p = zeros, .len = 81});
        break;
    case TYPE_UNKNOWN:
        pb_put_uint(w, 1, 77);
        break;
    case BODY_LONG:
        pb_put_bytes(w, 100, (struct bytes){.p = zeros, .len = sizeof(zeros)});
        break;
    }
}

static enum verdict bad(struct run *r, int which)
{
    struct link *l = link_session(r);
    struct wr w = writer();

    put_bad(l, (enum bad)which, &w);
    assert(w.err == OK);
    return message_ends(l, KAD, written(&w));
}

/* Bytes that are no message. */
static enum verdict raw(struct run *r, int which)
{
    static const struct bytes heads[] = {
        {(const uint8_t *)"\x81\x80\x04", 3}, /* 64 KiB + 1 */
        {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {(const uint8_t *)"\x80\x00", 2},
        {(const uint8_t *)"\x01\xff", 2},             /* half a tag */
        {(const uint8_t *)"\x03\x12\x05x", 4},        /* a field cut short */
        {(const uint8_t *)"\x02\x0a\x01", 3},         /* type as bytes */
        {(const uint8_t *)"\x02\x0b\x0c", 3},         /* a group */
        {(const uint8_t *)"\x04\x08\x04\x10\x01", 5}, /* the key a number */
        {(const uint8_t *)"\x02\x00\x00", 3},         /* field 0 */
    };
    return raw_ends(link_session(r), KAD, heads[which]);
}

static enum verdict half(struct run *r, int unused)
{
    (void)unused;
    return half_ends(link_session(r), KAD);
}

/* Honest: a request and its answer, then another on the same stream. */
static enum verdict honest(struct run *r, int type)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, KAD);
    unsigned answers = 0;

    for (int i = 0; i < 3 && c != NULL; i++) {
        struct wr w = writer();
        pb_put_uint(&w, 1, (uint64_t)type);
        pb_put_bytes(&w, 2, hash_of(1));
        (void)send_framed(l, c, written(&w));
        answers += channel_wait(l, c, 2, PATIENCE_MS) && c->data[1] == 0x08 &&
                   c->data[2] == type;
        channel_take(c, c->len);
    }
    enum verdict v = answers == 3 ? ANSWERED : ends(l, 0);
    link_free(l);
    return v;
}

/* Floods. */

enum kind {
    FLOOD_CLAIMS,
    FLOOD_MANY_CLAIMS, /* a thousand keys in each */
    FLOOD_FIND,
    FLOOD_PING,
    FLOOD_GET,
};

static void put_many_claims(struct link *l, struct wr *w)
{
    struct peer_id self = privkey_peer_id(&l->key);

    put_claim(w, hash_of(0), &self, "/ip4/127.0.0.1/tcp/1");
    for (uint64_t n = 1; n <= 1500; n++)
        pb_put_bytes(w, KAD_MORE_KEYS, hash_of(n));
}

static void put_flood(struct link *l, enum kind kind, uint64_t n, struct wr *w)
{
    struct peer_id self = privkey_peer_id(&l->key);

    switch (kind) {
    case FLOOD_CLAIMS:
        put_claim(w, hash_of(n), &self, "/ip4/127.0.0.1/tcp/1");
        break;
    case FLOOD_MANY_CLAIMS:
        put_many_claims(l, w);
        break;
    case FLOOD_FIND:
        pb_put_uint(w, 1, KAD_FIND_NODE);
        pb_put_bytes(w, 2, hash_of(n));
        break;
    case FLOOD_PING:
        pb_put_uint(w, 1, KAD_PING);
        break;
    case FLOOD_GET:
        pb_put_uint(w, 1, KAD_GET_PROVIDERS);
        pb_put_bytes(w, 2, hash_of(n));
        break;
    }
}

/* As many messages as fit in a batch, each with its length. */
static size_t fill_batch(struct link *l, enum kind kind,
                         uint8_t batch[static BATCH_BYTES])
{
    struct wr all = wr_init(batch, BATCH_BYTES);

    for (uint64_t n = 0;; n++) {
        struct wr w = writer();
        put_flood(l, kind, n, &w);
        if (!batch_add(&all, written(&w)))
            return wr_len(&all);
    }
}

static enum verdict flooded(struct run *r, int kind, bool deaf)
{
    static uint8_t batch[BATCH_BYTES];
    struct link *l = link_session(r);
    size_t len = fill_batch(l, (enum kind)kind, batch);
    struct batch_flood f = {
        .protocol = KAD, .batch = {.p = batch, .len = len}, .deaf = deaf};

    return batch_flood(l, &f);
}

static enum verdict flood_read(struct run *r, int kind)
{
    return flooded(r, kind, false);
}

static enum verdict flood_unread(struct run *r, int kind)
{
    return flooded(r, kind, true);
}

/* Records whose signature is to be checked, each on a stream of its own. */
static enum verdict put_flood_bad(struct run *r, int unused)
{
    struct link *l = link_session(r);
    uint64_t end = now_ms() + 2 * (uint64_t)r->flood_ms;
    unsigned count = 0;

    (void)unused;
    while (!l->closed && now_ms() < end) {
        struct channel *c = channel_open(l, KAD);
        struct wr w = writer();
        if (c == NULL)
            break;
        put_bad(l, PUT_GARBAGE, &w);
        (void)send_framed(l, c, written(&w));
        (void)channel_wait_rst(l, c, 500);
        count += c->rst;
        c->id = 0;
    }
    note(r, "%u records", count);
    return ends_free(l, 1000);
}

/* The start of a long message on each of many streams, then silence. */
static enum verdict hoard(struct run *r, int unused)
{
    (void)unused;
    return hoard_ends(link_session(r), KAD);
}

static const struct attack rows[] = {
    {"kad_find", "honest FIND_NODE", ANSWERED, 0, 0, KAD_FIND_NODE, honest},
    {"kad_get", "honest GET_PROVIDERS", ANSWERED, 0, 0, KAD_GET_PROVIDERS,
     honest},
    {"kad_claim_other", "ADD_PROVIDER of another peer", RESET, 0, 0,
     CLAIM_OF_OTHER, bad},
    {"kad_claim_nowhere", "ADD_PROVIDER without an address", RESET, 0, 0,
     CLAIM_WITHOUT_ADDRESS, bad},
    {"kad_claim_no_key", "ADD_PROVIDER of nothing", RESET, 0, 0,
     CLAIM_OF_NOTHING, bad},
    {"kad_claim_long_key", "ADD_PROVIDER, key of 81 bytes", RESET, 0, 0,
     CLAIM_LONG_KEY, bad},
    {"kad_put_garbage", "PUT_VALUE of garbage", RESET, 0, 0, PUT_GARBAGE, bad},
    {"kad_put_other_key", "PUT_VALUE with two keys", RESET, 0, 0, PUT_OTHER_KEY,
     bad},
    {"kad_put_unknown", "PUT_VALUE of an unknown kind", RESET, 0, 0,
     PUT_UNKNOWN_KIND, bad},
    {"kad_put_nothing", "PUT_VALUE without a record", RESET, 0, 0,
     PUT_NO_RECORD, bad},
    {"kad_put_long", "PUT_VALUE of 10 KiB and a byte", RESET, 0, 0, PUT_LONG,
     bad},
    {"kad_find_no_key", "FIND_NODE without a key", RESET, 0, 0, FIND_NO_KEY,
     bad},
    {"kad_find_long_key", "FIND_NODE, key over 10 KiB", RESET, 0, 0,
     FIND_LONG_KEY, bad},
    {"kad_get_long_key", "GET_PROVIDERS, key of 81 bytes", RESET, 0, 0,
     GET_LONG_KEY, bad},
    {"kad_type", "unknown type", RESET, 0, 0, TYPE_UNKNOWN, bad},
    {"kad_long", "request over 64 KiB", RESET, 0, 0, BODY_LONG, bad},
    {"kad_len", "length over 64 KiB", RESET, 0, 0, 0, raw},
    {"kad_len_huge", "length of 2^64 - 1", RESET, 0, 0, 1, raw},
    {"kad_len_overlong", "length not minimal", RESET, 0, 0, 2, raw},
    {"kad_half_tag", "half a tag", RESET, 0, 0, 3, raw},
    {"kad_cut", "field cut short", RESET, 0, 0, 4, raw},
    {"kad_type_bytes", "type as bytes", RESET, 0, 0, 5, raw},
    {"kad_group", "a group", RESET, 0, 0, 6, raw},
    {"kad_key_number", "key as a number", RESET, 0, 0, 7, raw},
    {"kad_field_0", "field 0", RESET, 0, 0, 8, raw},
    {"kad_half", "end of stream inside of a request", RESET, 0, 0, 0, half},
    {"kad_flood_claims", "ADD_PROVIDER, no end", TOLERATED, 0, 0, FLOOD_CLAIMS,
     flood_read},
    {"kad_flood_many_claims", "ADD_PROVIDER of 1500 keys, no end", TOLERATED, 0,
     0, FLOOD_MANY_CLAIMS, flood_read},
    {"kad_flood_find", "FIND_NODE, no end", TOLERATED, 0, 0, FLOOD_FIND,
     flood_read},
    {"kad_flood_ping", "PING, no end", TOLERATED, 0, 0, FLOOD_PING, flood_read},
    {"kad_flood_get", "GET_PROVIDERS, no end", TOLERATED, 0, 0, FLOOD_GET,
     flood_read},
    {"kad_flood_unread", "FIND_NODE, no answer is read", TOLERATED | DROPPED, 0,
     0, FLOOD_FIND, flood_unread},
    {"kad_flood_ping_unread", "PING, no answer is read", TOLERATED | DROPPED, 0,
     0, FLOOD_PING, flood_unread},
    {"kad_flood_put", "records with bad signatures, no end",
     TOLERATED | DROPPED, 0, 0, 0, put_flood_bad},
    {"kad_hoard", "starts of requests on 200 streams", TOLERATED | DROPPED, 0,
     0, 0, hoard},
};

struct attacks attacks_kad(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
