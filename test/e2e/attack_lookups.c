/* Attacks by answers to what the daemon asks in the DHT. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "base/mem.h"
#include "base/wr.h"
#include "kad/message.h"
#include "multiformats/pb.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    MIB = 1 << 20,
    ROOM = 8 * MIB,
    FIT_BYTES = 63 * 1024, /* of an answer that may be read */
    HOLD_MS = 25000,
    QUEUE_MAX = 64,
    CALLERS_MAX = 100, /* connections to who was named: more are too many */
    PEER_BYTES = 80,   /* room of one of the peers that are made up */
    ID_BYTES = 38,
    SLOW_MS = 50,
};

/* How requests are answered, once we are in the daemon's table. */
enum how {
    SILENCE,
    RESETS,
    PEERS_10000,
    PEERS_THAT_FIT,
    PEERS_LIKE_TARGET,
    ADDRS_400000,
    ADDRS_THAT_FIT,
    CUT_SHORT,
    OTHER_TYPE,
    GARBAGE,
    HUGE_LENGTH,
    SLOW_ANSWER,
    TWO_ANSWERS,
    ITSELF,
    PROVIDERS_THAT_FIT,
    PROVIDERS_WITHOUT_ADDRESS,
    BAD_IDS,
};

struct asked {
    uint32_t channel;
    uint64_t type;
    uint8_t key[KAD_PROVIDER_KEY_MAX];
    size_t key_len;
};

struct liar {
    enum how how;
    struct asked queue[QUEUE_MAX]; /* requests that are to be answered */
    size_t count;
    uint64_t seen;
    bool trusted; /* the first one was answered as it should be */
    int callers_fd;
    struct multiaddr callers_at;
    unsigned callers; /* who came to whom we have named */
    uint32_t slow;    /* channel of the slow answer */
};

/* Requests. */

static void note_request(struct liar *s, struct channel *c, struct bytes in)
{
    struct kad_message m;
    struct asked *a = &s->queue[s->count];

    if (s->count == QUEUE_MAX || kad_message_decode(in, &m) != OK)
        return;
    s->count++;
    a->channel = c->id;
    a->type = m.type;
    a->key_len = m.key.len < sizeof(a->key) ? m.key.len : sizeof(a->key);
    memcpy(a->key, m.key.p, a->key_len);
}

static void read_requests(struct liar *s, struct channel *c)
{
    struct bytes body;
    size_t used;

    while ((used = channel_message(c, &body)) > 0) {
        note_request(s, c, body);
        channel_take(c, used);
    }
}

/* What came on streams that the daemon opened for the DHT. */
static void read_all(struct link *l, struct liar *s)
{
    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        struct channel *c = &l->channels[i];
        if (c->id != 0 && c->theirs && c->agreed && c->protocol == SERVED_KAD)
            read_requests(s, c);
    }
}

/* Answers. */

static struct wr writer(void)
{
    static uint8_t room[ROOM];
    return wr_init(room, ROOM);
}

static struct bytes written(const struct wr *w)
{
    return (struct bytes){.p = w->start, .len = wr_len(w)};
}

/* The id of nobody, an Ed25519 one by its form. */
static struct bytes made_up_id(void)
{
    static uint8_t id[ID_BYTES] = {0x00, 0x24, 0x08, 0x01, 0x12, 0x20};
    random_fill(id + 6, ID_BYTES - 6);
    return (struct bytes){.p = id, .len = sizeof(id)};
}

static void put_peer(struct wr *w, uint32_t list, struct bytes id,
                     const struct multiaddr *where)
{
    uint8_t room[PEER_BYTES + MULTIADDR_BYTES_MAX];
    struct wr p = wr_init(room, sizeof(room));

    pb_put_bytes(&p, 1, id);
    if (where != NULL)
        pb_put_bytes(&p, 2,
                     (struct bytes){.p = where->bytes, .len = where->len});
    pb_put_bytes(w, list, written(&p));
}

static void put_peers(struct wr *w, uint32_t list, size_t max_bytes,
                      size_t count, const struct multiaddr *where)
{
    for (size_t i = 0; i < count && wr_len(w) + PEER_BYTES < max_bytes; i++)
        put_peer(w, list, made_up_id(), where);
}

static void put_addrs(struct wr *w, size_t count)
{
    struct multiaddr where;
    enum err err =
        multiaddr_parse(BYTES_LIT("/ip4/127.9.9.9/tcp/9999"), &where);
    struct bytes id = made_up_id();
    size_t each = pb_bytes_len(2, where.len);

    assert(err == OK);
    pb_put_head(w, 8, pb_bytes_len(1, id.len) + count * each);
    pb_put_bytes(w, 1, id);
    for (size_t i = 0; i < count; i++) {
        where.bytes[4] = (uint8_t)(i >> 8);
        where.bytes[7] = (uint8_t)i;
        pb_put_bytes(w, 2, (struct bytes){.p = where.bytes, .len = where.len});
    }
}

static struct multiaddr daemons_address(const struct run *r)
{
    struct ma_ip ip;
    enum err err = ma_ip_parse(bytes_str(r->host), &ip);

    assert(err == OK);
    return multiaddr_from_ip_port(&ip, MA_TCP, r->port);
}

static void put_answer(const struct run *r, struct liar *s,
                       const struct asked *a, struct wr *w)
{
    struct multiaddr daemon = daemons_address(r);

    bool other = s->trusted && s->how == OTHER_TYPE;

    pb_put_uint(w, 1, other ? KAD_PING : a->type);
    switch (s->trusted ? s->how : SILENCE) {
    case SILENCE:
    case RESETS:
    case CUT_SHORT:
    case OTHER_TYPE:
    case HUGE_LENGTH:
    case SLOW_ANSWER:
    case TWO_ANSWERS:
        break;
    case PEERS_10000:
        put_peers(w, 8, ROOM, 10000, &s->callers_at);
        break;
    case PEERS_THAT_FIT:
        put_peers(w, 8, FIT_BYTES, 10000, &s->callers_at);
        break;
    case PEERS_LIKE_TARGET:
        for (int i = 0; i < 40 && a->key_len > 0; i++)
            put_peer(w, 8, (struct bytes){.p = a->key, .len = a->key_len},
                     &s->callers_at);
        break;
    case ADDRS_400000:
        put_addrs(w, 400000);
        break;
    case ADDRS_THAT_FIT:
        put_addrs(w, 4000);
        break;
    case GARBAGE:
        pb_put_bytes(w, 8, BYTES_LIT("\x0a\xff\xff\x12"));
        break;
    case ITSELF:
        put_peers(w, 8, FIT_BYTES, 10000, &daemon);
        break;
    case PROVIDERS_THAT_FIT:
        put_peers(w, 9, FIT_BYTES, 10000, &s->callers_at);
        break;
    case PROVIDERS_WITHOUT_ADDRESS:
        put_peers(w, 9, FIT_BYTES, 10000, NULL);
        break;
    case BAD_IDS:
        for (int i = 0; i < 400; i++)
            put_peer(w, 8, BYTES_LIT("nobody"), &s->callers_at);
        break;
    }
}

static void answer(struct link *l, struct liar *s, const struct asked *a)
{
    struct channel *c = channel_find(l, a->channel);
    struct wr w = writer();

    if (c == NULL || c->rst || a->type == KAD_ADD_PROVIDER)
        return;
    put_answer(l->run, s, a, &w);
    assert(w.err == OK);
    /* An honest answer is framed as most are. */
    enum how how = s->trusted ? s->how : PEERS_THAT_FIT;
    if (how == SILENCE)
        return;
    if (how == RESETS) {
        channel_reset(l, c);
    } else if (how == CUT_SHORT) {
        (void)channel_send(l, c, "\x20\x08", 2);
        (void)link_frame(l, WINDOW, FIN, c->id, 0);
    } else if (how == HUGE_LENGTH) {
        (void)channel_send(l, c, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
    } else if (how == SLOW_ANSWER) {
        (void)channel_send(l, c, "\x80\x20", 2);
        s->slow = c->id;
    } else {
        (void)send_framed(l, c, written(&w));
    }
    if (how == TWO_ANSWERS)
        (void)send_framed(l, c, written(&w));
}

static void answer_all(struct link *l, struct liar *s)
{
    size_t count = s->count;
    struct asked *list = mem_dup(s->queue, count * sizeof(*list));

    s->count = 0;
    for (size_t i = 0; i < count && !l->closed; i++) {
        answer(l, s, &list[i]);
        if (s->trusted)
            s->seen++;
    }
    mem_free(list);
    if (s->trusted || count == 0)
        return;
    s->trusted = true;
    printf("dht\n");
    (void)fflush(stdout);
}

/* Serve the DHT, say "dht" when the daemon has us in its table, then lie until
 * told to end. */
static enum verdict lie(struct run *r, int how)
{
    struct liar *s = mem_zalloc(1, sizeof(*s));

    s->how = (enum how)how;
    s->callers_fd = callers_listen(&s->callers_at);
    struct link *l = link_member(r);
    uint64_t end = now_ms() + HOLD_MS;
    while (!l->closed && now_ms() < end && !told_to_end()) {
        link_pump(l, SLOW_MS);
        read_all(l, s);
        answer_all(l, s);
        s->callers += callers_count(s->callers_fd);
        struct channel *slow = channel_find(l, s->slow);
        if (slow != NULL)
            (void)channel_send(l, slow, "", 1);
    }
    note(r, "%llu asked, %u called", (unsigned long long)s->seen, s->callers);
    bool seen = s->seen > 0;
    bool many = s->callers > CALLERS_MAX;
    r->begin_ms = r->dropped_ms != 0 ? r->dropped_ms : r->begin_ms;
    enum verdict v = ends_free(l, 500);
    (void)close(s->callers_fd);
    mem_free(s);
    if (!seen)
        return BROKEN;
    return many ? WRONG : v;
}

#define LIE(name, what, how)                                                   \
    {                                                                          \
        name, what, TOLERATED | DROPPED, 0, DRIVEN, how, lie                   \
    }

static const struct attack rows[] = {
    LIE("lookup_silence", "no answer in the DHT", SILENCE),
    LIE("lookup_resets", "streams of the DHT are reset", RESETS),
    LIE("lookup_10000", "10,000 peers in an answer", PEERS_10000),
    LIE("lookup_many", "as many peers as fit", PEERS_THAT_FIT),
    LIE("lookup_same", "the target forty times", PEERS_LIKE_TARGET),
    LIE("lookup_400000", "400,000 addresses of a peer", ADDRS_400000),
    LIE("lookup_addrs", "as many addresses as fit", ADDRS_THAT_FIT),
    LIE("lookup_cut", "half an answer, then the end", CUT_SHORT),
    LIE("lookup_type", "answers of another type", OTHER_TYPE),
    LIE("lookup_garbage", "malformed answers", GARBAGE),
    LIE("lookup_length", "a length of 2^55", HUGE_LENGTH),
    LIE("lookup_slow", "an answer, a byte each 50 ms", SLOW_ANSWER),
    LIE("lookup_two", "two answers to each request", TWO_ANSWERS),
    LIE("lookup_itself", "peers at the daemon's own address", ITSELF),
    LIE("lookup_providers", "as many providers as fit", PROVIDERS_THAT_FIT),
    LIE("lookup_nowhere", "providers without addresses",
        PROVIDERS_WITHOUT_ADDRESS),
    LIE("lookup_ids", "peers with bad ids", BAD_IDS),
};

struct attacks attacks_lookups(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
