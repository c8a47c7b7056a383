/* Attacks by records of the DHT: what may be put, and what must not. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attack_storage.h"
#include "base/mem.h"
#include "kad/ipns.h"
#include "kad/message.h"
#include "multiformats/pb.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    ROOM = 64 * 1024,
    LIFE_S = 24 * 60 * 60,
};

enum kind {
    AS_IT_SHOULD_BE,
    EXPIRED,
    FAR_FUTURE, /* valid for eight thousand years */
    LONGEST,
    SEQUENCE_MAX,
    OTHER_NAME, /* signed by another than the name says */
    BIT_FLIPPED,
};

struct name {
    struct privkey key;
    uint8_t text[6 + PEER_ID_BYTES_MAX];
    struct bytes key_bytes; /* "/ipns/" and the peer id */
};

static void name_init(struct name *n)
{
    struct wr w = wr_init(n->text, sizeof(n->text));

    n->key = made_up_key();
    struct peer_id id = privkey_peer_id(&n->key);
    wr_bytes(&w, BYTES_LIT("/ipns/"));
    wr_bytes(&w, peer_id_bytes(&id));
    n->key_bytes = storage_written(&w);
}

/* A record of @n; static memory, until the next. */
static struct bytes make(const struct name *n, enum kind kind,
                         uint64_t sequence)
{
    static uint8_t room[ROOM];
    static uint8_t value[IPNS_VALUE_MAX];
    struct wr w = wr_init(room, sizeof(room));
    struct privkey other = made_up_key();
    struct ipns_fields f = {
        .value = BYTES_LIT("/ipfs/bafkqaaa"),
        .sequence = kind == SEQUENCE_MAX ? UINT64_MAX : sequence,
        .eol = {.s = (int64_t)storage_unix_s() + LIFE_S},
        .ttl_ns = 1000,
    };

    if (kind == EXPIRED)
        f.eol.s -= (int64_t)2 * LIFE_S;
    else if (kind == FAR_FUTURE)
        f.eol.s = INT64_C(253000000000);
    if (kind == LONGEST) {
        memset(value, '/', sizeof(value));
        f.value = (struct bytes){.p = value, .len = sizeof(value)};
    }
    enum err err = ipns_make(kind == OTHER_NAME ? &other : &n->key, &f, &w);
    assert(err == OK);
    (void)err;
    if (kind == BIT_FLIPPED)
        room[wr_len(&w) / 2] ^= 4;
    privkey_release(&other);
    return storage_written(&w);
}

static void put_request(struct wr *w, const struct name *n, struct bytes record)
{
    static uint8_t room[ROOM];
    struct wr p = wr_init(room, sizeof(room));

    pb_put_bytes(&p, 1, n->key_bytes);
    pb_put_bytes(&p, 2, record);
    pb_put_uint(w, 1, KAD_PUT_VALUE);
    pb_put_bytes(w, 2, n->key_bytes);
    pb_put_bytes(w, 3, storage_written(&p));
}

/* Whether there was an answer on @c; it stays in @c->data. */
static bool answered(struct link *l, struct channel *c)
{
    uint64_t end = now_ms() + PATIENCE_MS;
    struct bytes body;

    while (!l->closed && !c->rst && now_ms() < end) {
        if (channel_message(c, &body) > 0)
            return true;
        link_pump(l, 20);
    }
    return false;
}

static bool put(struct link *l, const struct name *n, struct bytes record)
{
    struct channel *c = channel_open(l, KAD);
    struct wr w = storage_writer();

    if (c == NULL)
        return false;
    put_request(&w, n, record);
    bool fine = send_framed(l, c, storage_written(&w)) && answered(l, c);
    c->id = 0;
    return fine;
}

/* Whether the daemon gives exactly this record. */
static bool gives(struct link *l, const struct name *n, struct bytes record)
{
    struct channel *c = channel_open(l, KAD);
    struct wr w = storage_writer();
    struct kad_message m;
    struct bytes body;
    bool same = false;

    if (c == NULL)
        return false;
    pb_put_uint(&w, 1, KAD_GET_VALUE);
    pb_put_bytes(&w, 2, n->key_bytes);
    if (send_framed(l, c, storage_written(&w)) && answered(l, c)) {
        same = channel_message(c, &body) > 0 &&
               kad_message_decode(body, &m) == OK &&
               bytes_eq(m.record_value, record);
    }
    c->id = 0;
    return same;
}

/* Put, and asked for by another. */
static enum verdict put_and_get(struct run *r, int kind)
{
    struct link *l = link_session(r);
    struct name *n = mem_zalloc(1, sizeof(*n));

    name_init(n);
    struct bytes record = make(n, (enum kind)kind, 1);
    bool taken = put(l, n, record);
    struct link *other = link_session(r);
    bool given = gives(other, n, record);
    note(r, "%s, %s", taken ? "taken" : "not taken",
         given ? "given" : "not given");
    link_free(other);
    privkey_release(&n->key);
    mem_free(n);
    enum verdict v = ends_free(l, 0);
    if (taken != given)
        return WRONG;
    return taken ? ANSWERED : v == TOLERATED ? RESET : v;
}

/* The record before, behind the newer one. */
static enum verdict put_older(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct name *n = mem_zalloc(1, sizeof(*n));
    static uint8_t kept[ROOM];

    (void)unused;
    name_init(n);
    struct bytes record = make(n, AS_IT_SHOULD_BE, 1000);
    struct bytes newer = {.p = kept, .len = record.len};
    memcpy(kept, record.p, record.len);
    bool taken = put(l, n, newer);
    (void)put(l, n, make(n, AS_IT_SHOULD_BE, 999));
    bool given = gives(l, n, newer);
    privkey_release(&n->key);
    mem_free(n);
    link_free(l);
    return taken && given ? ANSWERED : WRONG;
}

/* True records of ever new names; one who comes after is served. */
static enum verdict put_flood(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct name *n = mem_zalloc(1, sizeof(*n));
    uint64_t end = now_ms() + 4 * (uint64_t)r->flood_ms;
    unsigned count = 0;
    unsigned taken = 0;

    (void)unused;
    while (!l->closed && now_ms() < end) {
        name_init(n);
        taken += put(l, n, make(n, LONGEST, 1));
        privkey_release(&n->key);
        count++;
    }
    enum verdict v = ends_free(l, 0);
    r->from ^= 0x00400000U; /* of another group of addresses */
    l = link_session(r);
    name_init(n);
    struct bytes record = make(n, AS_IT_SHOULD_BE, 1);
    bool fine = put(l, n, record) && gives(l, n, record);
    note(r, "%u of %u taken; one who comes after is %s", taken, count,
         fine ? "served" : "not served");
    privkey_release(&n->key);
    mem_free(n);
    link_free(l);
    return fine ? v : WRONG;
}

/* Claims to provide ever new keys, from one address; an honest one is kept. */
static enum verdict claim_flood(struct run *r, int keys)
{
    struct link *l = link_member(r);
    struct channel *c = channel_open(l, KAD);
    struct peer_id self = privkey_peer_id(&l->key);
    uint64_t end = now_ms() + 4 * (uint64_t)r->flood_ms;
    static uint8_t room[ROOM];
    uint64_t claimed = 0;

    while (c != NULL && !l->closed && !c->rst && now_ms() < end) {
        struct wr p = wr_init(room, sizeof(room));
        struct wr w = storage_writer();
        pb_put_bytes(&p, 1, peer_id_bytes(&self));
        pb_put_bytes(&p, 2,
                     (struct bytes){.p = l->where.bytes, .len = l->where.len});
        pb_put_uint(&w, 1, KAD_ADD_PROVIDER);
        struct cid first = made_up_cid();
        uint8_t hash[CID_BYTES_MAX];
        size_t len = cid_encode(&first, hash);
        pb_put_bytes(&w, 2, (struct bytes){.p = hash + 2, .len = len - 2});
        pb_put_bytes(&w, KAD_PROVIDER_PEERS, storage_written(&p));
        for (int i = 1; i < keys; i++) {
            random_fill(hash + 4, len - 4);
            pb_put_bytes(&w, KAD_MORE_KEYS,
                         (struct bytes){.p = hash + 2, .len = len - 2});
        }
        if (!send_framed(l, c, storage_written(&w)))
            break;
        claimed += (uint64_t)keys;
        channel_take(c, c->len);
    }
    note(r, "%llu keys claimed", (unsigned long long)claimed);
    return ends_free(l, 500);
}

static const struct attack rows[] = {
    {"record_honest", "a record is put and given", ANSWERED, 0, 0,
     AS_IT_SHOULD_BE, put_and_get},
    {"record_longest", "the longest value", ANSWERED, 0, 0, LONGEST,
     put_and_get},
    {"record_far", "valid for thousands of years", ANSWERED | RESET, 0, 0,
     FAR_FUTURE, put_and_get},
    {"record_sequence", "the highest sequence", ANSWERED, 0, 0, SEQUENCE_MAX,
     put_and_get},
    {"record_expired", "valid until yesterday", RESET, 0, 0, EXPIRED,
     put_and_get},
    {"record_other", "signed by another", RESET, 0, 0, OTHER_NAME, put_and_get},
    {"record_flipped", "a bit is wrong", RESET, 0, 0, BIT_FLIPPED, put_and_get},
    {"record_older", "the one before, again", ANSWERED, 0, 0, 0, put_older},
    {"record_flood", "true records of ever new names", TOLERATED | DROPPED, 0,
     0, 0, put_flood},
    {"claim_flood_1", "ever new keys, one at a time", TOLERATED | DROPPED, 0, 0,
     1, claim_flood},
    {"claim_flood_1500", "ever new keys, 1,500 at a time", TOLERATED | DROPPED,
     0, 0, 1500, claim_flood},
};

struct attacks attacks_records(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
