/* Attacks by what is said in the exchange of peers. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"
#include "base/mem.h"
#include "base/wr.h"
#include "discovery/capability.h"
#include "discovery/peers_message.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    ROOM = 256 * 1024,
    RECORD_ROOM = CAPABILITY_BYTES_MAX,
    FORGED_HELLOS = 6, /* five are enough for a ban */
    MS_PER_S = 1000,
    DAY_S = 24 * 60 * 60,
    CALLERS_MAX = 100,
    SERVE_MS = 1500,
};

/* Records. */

enum record {
    GOOD,
    BAD_SIGNATURE,
    OF_OTHER,
    NO_RECORD,
    EXPIRED,
    FROM_FUTURE,
    OTHER_NETWORK,
    LIVES_LONG,
};

static struct wr writer(void)
{
    static uint8_t room[ROOM];
    return wr_init(room, ROOM);
}

static struct bytes written(const struct wr *w)
{
    return (struct bytes){.p = w->start, .len = wr_len(w)};
}

/* Signed by @key; @n makes them differ. */
static size_t record_put(const struct privkey *key, enum record which,
                         uint64_t n, const struct multiaddr *where,
                         uint8_t dst[static RECORD_ROOM])
{
    static const char *const networks[] = {"mainnet", "othernet"};
    struct capability *c = mem_zalloc(1, sizeof(*c));
    struct wr w = wr_init(dst, RECORD_ROOM);
    uint64_t now_s = (uint64_t)time(NULL);
    const char *network = networks[which == OTHER_NETWORK];

    memcpy(c->network, network, strlen(network) + 1);
    c->peer = privkey_peer_id(key);
    c->seq = now_s * MS_PER_S + n;
    c->expires_s = now_s + DAY_S / 2;
    if (which == EXPIRED) {
        c->seq -= (uint64_t)DAY_S * MS_PER_S;
        c->expires_s = now_s - DAY_S / 2;
    } else if (which == FROM_FUTURE) {
        c->seq += (uint64_t)DAY_S * MS_PER_S;
        c->expires_s = now_s + DAY_S + DAY_S / 2;
    } else if (which == LIVES_LONG) {
        c->expires_s = now_s + (uint64_t)DAY_S * 10;
    }
    c->addrs[0] = *where;
    c->addr_count = 1;
    capability_seal(key, c, &w);
    assert(w.err == OK);
    mem_free(c);
    if (which == BAD_SIGNATURE)
        dst[wr_len(&w) - 1] ^= 1;
    if (which == NO_RECORD)
        memset(dst, 0xff, wr_len(&w));
    return wr_len(&w);
}

/* Requests. */

/* The answer's kind is @want; a stream for each. */
static bool ask(struct link *l, const struct peers_message *m,
                enum peers_kind want)
{
    struct channel *c = channel_open(l, PEERS);
    struct wr w = writer();
    struct peers_message *answer = mem_zalloc(1, sizeof(*answer));
    struct bytes body;
    bool fine = false;

    peers_message_encode(m, &w);
    if (c != NULL && send_framed(l, c, written(&w))) {
        (void)link_frame(l, WINDOW, FIN, c->id, 0);
        (void)channel_wait(l, c, ROOM, PATIENCE_MS); /* until it ends */
        size_t used = channel_message(c, &body);
        fine = used > 0 && used == c->len &&
               peers_message_decode(body, answer) == OK && answer->kind == want;
    }
    mem_free(answer);
    return fine;
}

static bool hello(struct link *l, enum record which, uint64_t n)
{
    uint8_t record[RECORD_ROOM];
    struct privkey other = made_up_key();
    const struct privkey *key = which == OF_OTHER ? &other : &l->key;
    struct peers_message *m = mem_zalloc(1, sizeof(*m));

    m->kind = PEERS_HELLO;
    m->record.p = record;
    m->record.len = record_put(key, which, n, &l->where, record);
    bool fine = ask(l, m, PEERS_HELLO);
    privkey_release(&other);
    mem_free(m);
    return fine;
}

/* Records of one kind, again and again. */
static enum verdict hellos(struct run *r, int which)
{
    struct link *l = link_member(r);
    unsigned answers = 0;

    for (unsigned i = 0; i < FORGED_HELLOS && !l->closed; i++)
        answers += hello(l, (enum record)which, i);
    note(r, "%u answers", answers);
    enum verdict v = answers == FORGED_HELLOS ? ANSWERED : ends(l, 500);
    link_free(l);
    return v;
}

static enum verdict ask_for_peers(struct run *r, int unused)
{
    struct link *l = link_member(r);
    struct peers_message *m = mem_zalloc(1, sizeof(*m));

    (void)unused;
    m->kind = PEERS_ASK;
    m->max = PEERS_RECORDS_MAX;
    enum verdict v = ask(l, m, PEERS_PEERS) ? ANSWERED : ends(l, 0);
    mem_free(m);
    link_free(l);
    return v;
}

/* What is no request. */
static enum verdict raw(struct run *r, int which)
{
    static const struct bytes messages[] = {
        {(const uint8_t *)"\x81\x80\x04", 3}, /* 64 KiB + 1 */
        {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {(const uint8_t *)"\x01\xff", 2},
        {(const uint8_t *)"\x02\xa1\x61", 3},
        {(const uint8_t *)"\x03\x9f\x01\xff", 4}, /* of no set length */
        /* {"max": 0, "type": "ask"} and {"max": 65, "type": "ask"} */
        {(const uint8_t *)"\x0f\xa2\x63max\x00\x64type\x63"
                          "ask",
         16},
        {(const uint8_t *)"\x10\xa2\x63max\x18\x41\x64type\x63"
                          "ask",
         17},
        /* {"type": "peers", "records": []}, keys in the wrong order, then an
         * answer as a request */
        {(const uint8_t *)"\x15\xa2\x64type\x65peers\x67records\x80", 22},
        {(const uint8_t *)"\x15\xa2\x67records\x80\x64type\x65peers", 22},
        /* an array a thousand deep has no end */
        {(const uint8_t *)"\x0a\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81", 11},
    };
    return raw_ends(link_session(r), PEERS, messages[which]);
}

/* As fast as they go. */
static enum verdict flood_asks(struct run *r, int unused)
{
    struct link *l = link_member(r);
    uint64_t end = now_ms() + 2 * (uint64_t)r->flood_ms;
    unsigned answers = 0;
    unsigned count = 0;

    (void)unused;
    struct peers_message *m = mem_zalloc(1, sizeof(*m));
    m->kind = PEERS_ASK;
    m->max = PEERS_RECORDS_MAX;
    while (!l->closed && now_ms() < end && count < 1000) {
        answers += ask(l, m, PEERS_PEERS);
        count++;
    }
    mem_free(m);
    note(r, "%u asked, %u answers", count, answers);
    enum verdict v = ends(l, 500);
    link_free(l);
    return answers <= 20 ? v : WRONG;
}

/* Have the daemon dial another address than ours. */
static enum verdict probe_other(struct run *r, int count)
{
    struct peers_message *m = mem_zalloc(1, sizeof(*m));
    struct multiaddr where;
    int fd = callers_listen(&where);
    struct link *l = link_member(r);
    unsigned answers = 0;

    m->kind = PEERS_PROBE;
    m->addr_count = PEERS_ADDRS_MAX;
    for (size_t i = 0; i < PEERS_ADDRS_MAX; i++)
        m->addrs[i] = where;
    for (int i = 0; i < count && !l->closed; i++) {
        struct privkey other = made_up_key();
        m->peer = privkey_peer_id(i % 2 == 0 ? &l->key : &other);
        answers += ask(l, m, PEERS_RESULT);
        privkey_release(&other);
    }
    unsigned callers = callers_count(fd);
    note(r, "%u answers, %u called", answers, callers);
    enum verdict v = answers > 0 ? ANSWERED : ends(l, 0);
    (void)close(fd);
    mem_free(m);
    link_free(l);
    return callers == 0 ? v : WRONG;
}

/* Answers to what the daemon asks a member. */

enum how {
    SILENCE,
    RESETS,
    GARBAGE,
    OTHER_KIND,
    HUGE_LENGTH,
    FORGED_RECORDS,
    EXPIRED_RECORDS,
    MADE_UP_PEERS,
};

static void put_records(struct wr *w, enum record which,
                        const struct multiaddr *where)
{
    uint8_t *all = mem_alloc((size_t)PEERS_RECORDS_MAX * RECORD_ROOM);
    struct peers_message *m = mem_zalloc(1, sizeof(*m));

    m->kind = PEERS_PEERS;
    for (size_t i = 0; i < PEERS_RECORDS_MAX; i++) {
        struct privkey key = made_up_key();
        uint8_t *at = all + i * RECORD_ROOM;
        m->records[i].p = at;
        m->records[i].len = record_put(&key, which, i, where, at);
        privkey_release(&key);
    }
    m->record_count = PEERS_RECORDS_MAX;
    peers_message_encode(m, w);
    mem_free(m);
    mem_free(all);
}

static void answer(struct link *l, struct channel *c, enum how how,
                   const struct multiaddr *where)
{
    struct wr w = writer();

    switch (how) {
    case SILENCE:
        return;
    case RESETS:
        channel_reset(l, c);
        return;
    case HUGE_LENGTH:
        (void)channel_send(l, c, "\xff\xff\xff\xff\x7f", 5);
        return;
    case GARBAGE:
        wr_bytes(&w, BYTES_LIT("\xa1\xff\xff"));
        break;
    case OTHER_KIND:
        wr_bytes(&w, BYTES_LIT("\xa2\x63max\x01\x64type\x63"
                               "ask"));
        break;
    case FORGED_RECORDS:
        put_records(&w, BAD_SIGNATURE, where);
        break;
    case EXPIRED_RECORDS:
        put_records(&w, EXPIRED, where);
        break;
    case MADE_UP_PEERS:
        put_records(&w, GOOD, where);
        break;
    }
    (void)send_framed(l, c, written(&w));
    (void)link_frame(l, WINDOW, FIN, c->id, 0);
}

/* Whether there is a whole request in @c; it is taken off. */
static bool take_request(struct channel *c)
{
    struct bytes body;

    if (channel_message(c, &body) == 0)
        return false;
    channel_take(c, c->len);
    return true;
}

static enum verdict member(struct run *r, int how)
{
    struct multiaddr where;
    int fd = callers_listen(&where);
    struct link *l = link_member(r);
    uint64_t end = now_ms() + SERVE_MS;
    unsigned asked = 0;
    unsigned callers = 0;

    (void)hello(l, GOOD, 0);
    while (!l->closed && now_ms() < end) {
        link_pump(l, 20);
        for (size_t i = 0; i < CHANNELS_MAX; i++) {
            struct channel *c = &l->channels[i];
            if (c->id == 0 || !c->theirs || !c->agreed ||
                c->protocol != SERVED_PEERS || !take_request(c))
                continue;
            asked++;
            answer(l, c, (enum how)how, &where);
        }
        callers += callers_count(fd);
    }
    note(r, "%u asked, %u called", asked, callers);
    enum verdict v = ends(l, 0);
    (void)close(fd);
    link_free(l);
    if (asked == 0)
        return BROKEN;
    return callers <= CALLERS_MAX ? v : WRONG;
}

static const struct attack rows[] = {
    {"peers_hello", "honest hello", ANSWERED, 0, 0, GOOD, hellos},
    {"peers_ask", "honest ask", ANSWERED, 0, 0, 0, ask_for_peers},
    {"peers_forged", "records with wrong signatures", DROPPED, 0, 0,
     BAD_SIGNATURE, hellos},
    {"peers_of_other", "hello with another peer's record", DROPPED, 0, 0,
     OF_OTHER, hellos},
    {"peers_no_record", "hello with garbage", DROPPED, 0, 0, NO_RECORD, hellos},
    {"peers_lives_long", "records that live for ten days", DROPPED, 0, 0,
     LIVES_LONG, hellos},
    {"peers_expired", "records that have expired", ANSWERED, 0, 0, EXPIRED,
     hellos},
    {"peers_future", "records of tomorrow", ANSWERED, 0, 0, FROM_FUTURE,
     hellos},
    {"peers_network", "records of another network", ANSWERED, 0, 0,
     OTHER_NETWORK, hellos},
    {"peers_len", "length over 64 KiB", RESET, 0, 0, 0, raw},
    {"peers_len_huge", "length of 2^64 - 1", RESET, 0, 0, 1, raw},
    {"peers_break", "a lone break", RESET, 0, 0, 2, raw},
    {"peers_cut", "a map cut short", RESET, 0, 0, 3, raw},
    {"peers_endless", "a list of no set length", RESET, 0, 0, 4, raw},
    {"peers_ask_0", "ask for none", RESET, 0, 0, 5, raw},
    {"peers_ask_65", "ask for 65", RESET, 0, 0, 6, raw},
    {"peers_order", "keys in the wrong order", RESET, 0, 0, 7, raw},
    {"peers_answer", "an answer as a request", RESET, 0, 0, 8, raw},
    {"peers_deep", "lists in lists", RESET, 0, 0, 9, raw},
    {"peers_flood", "ask, no end", TOLERATED | DROPPED, 0, 0, 0, flood_asks},
    {"peers_probe", "probe of an address that is not ours", ANSWERED, 0, 0, 1,
     probe_other},
    {"peers_probe_flood", "12 such probes", ANSWERED, 0, 0, 12, probe_other},
    {"member_silent", "no answer to ask", TOLERATED, 0, 0, SILENCE, member},
    {"member_resets", "streams are reset", TOLERATED, 0, 0, RESETS, member},
    {"member_garbage", "malformed answers", TOLERATED | DROPPED, 0, 0, GARBAGE,
     member},
    {"member_kind", "answers of another kind", TOLERATED | DROPPED, 0, 0,
     OTHER_KIND, member},
    {"member_length", "a length of 32 GiB", TOLERATED | DROPPED, 0, 0,
     HUGE_LENGTH, member},
    {"member_forged", "64 forged records", TOLERATED | DROPPED, 0, 0,
     FORGED_RECORDS, member},
    {"member_expired", "64 expired records", TOLERATED, 0, 0, EXPIRED_RECORDS,
     member},
    {"member_made_up", "64 records of peers that are not", TOLERATED, 0, 0,
     MADE_UP_PEERS, member},
};

struct attacks attacks_peers(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
