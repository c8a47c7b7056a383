#include "discovery/mdns.h"

#include <assert.h>

#include "base/list.h"
#include "base/mem.h"
#include "discovery/mdns_packet.h"

/*
 * 1. Queries and announcements go out by all sockets, at times of ours:
 *    @query_at, @announce_at.
 * 2. A question makes one answer of ours due on the socket that it came by.
 *    More questions until then, or within MDNS_ANSWER_GAP_MS of the last
 *    answer or announcement, make no more than one.
 * 3. What is due becomes an output in mdns_on_time() and leaves in
 *    mdns_next(), where the packet is made: one buffer is enough.
 * 4. What others can make us do is counted by the second in @quota.
 */
struct socket {
    bool asked;              /* an answer is due */
    bool send;               /* it is an output */
    struct mtime due;        /* when it becomes one */
    struct mtime not_before; /* of the next answer */
};

struct reply {
    struct list link;
    struct mdns_from to;
    uint16_t id;
};

struct found {
    struct list link;
    struct peer_id peer;
    struct multiaddr addr;
    struct mdns_from from;
};

struct mdns {
    struct mdns_config config;
    uint8_t instance[MDNS_INSTANCE_LEN];
    uint64_t dice; /* for the delay of answers */

    struct mdns_text *texts; /* owned: at most MDNS_ADDRS_MAX */
    size_t texts_count;
    struct ma_ip ip4; /* of the first text that has one */
    struct ma_ip ip6;
    uint16_t port;

    struct mtime query_at;
    uint32_t query_gap_ms; /* from that query to the next */
    struct mtime query_not_before;
    bool send_query;
    struct mtime announce_at; /* the earliest that the next may be */
    unsigned announces_left;
    bool send_announce;
    struct socket sockets[MDNS_SOCKETS_MAX];
    struct list replies;
    struct list founds;
    size_t founds_count;

    struct { /* used in the second that began at @since */
        struct mtime since;
        uint32_t packets;
        uint32_t replies;
        uint32_t founds;
    } quota;
    struct mdns_stats stats;
    uint8_t packet[MDNS_ANSWER_BYTES_MAX];
};

_Static_assert((int)MDNS_QUERY_BYTES <= (int)MDNS_ANSWER_BYTES_MAX,
               "one buffer holds both");
_Static_assert((int)MDNS_INSTANCE_LEN == (int)MDNS_SEED_BYTES,
               "a byte of the seed makes a letter");

/* An announcement is an answer without a question; a query follows soon by
 * itself. */
static void begin_announcing(struct mdns *m, struct mtime now)
{
    m->announces_left = m->texts_count > 0 ? MDNS_ANNOUNCE_COUNT : 0;
    if (mtime_before(m->announce_at, now))
        m->announce_at = now;
}

static void begin_asking(struct mdns *m, struct mtime now)
{
    m->query_at = now;
    m->query_gap_ms = MDNS_QUERY_FIRST_MS;
}

struct mdns *mdns_new(const struct mdns_config *config, struct mtime now)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    struct mdns *m = mem_zalloc(1, sizeof(*m));

    m->config = *config;
    for (size_t i = 0; i < MDNS_INSTANCE_LEN; i++) {
        uint8_t c = config->seed[i];
        m->instance[i] = (uint8_t)letters[c % (sizeof(letters) - 1)];
        m->dice = m->dice * 131 + c;
    }
    m->dice |= 1; /* zero would stay zero */
    m->quota.since = now;
    list_init(&m->replies);
    list_init(&m->founds);
    begin_asking(m, now);
    mdns_on_time(m, now);
    return m;
}

static void drop_reply(struct reply *r)
{
    list_remove(&r->link);
    mem_free(r);
}

/* There is nothing to answer with any more. */
static void forget_questions(struct mdns *m)
{
    m->send_announce = false;
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        m->sockets[i].asked = false;
        m->sockets[i].send = false;
    }
    while (!list_empty(&m->replies))
        drop_reply(container_of(list_first(&m->replies), struct reply, link));
}

static void drop_found(struct mdns *m, struct found *f)
{
    list_remove(&f->link);
    m->founds_count--;
    mem_free(f);
}

void mdns_free(struct mdns *m)
{
    if (m == NULL)
        return;
    forget_questions(m);
    while (!list_empty(&m->founds))
        drop_found(m, container_of(list_first(&m->founds), struct found, link));
    mem_free(m->texts);
    mem_free(m);
}

/* Between 0 and @max, by xorshift: only who may guess it is our neighbours,
 * whom it would not help. */
static uint32_t roll(struct mdns *m, uint32_t max)
{
    m->dice ^= m->dice << 13;
    m->dice ^= m->dice >> 7;
    m->dice ^= m->dice << 17;
    return (uint32_t)(m->dice >> 32) % (max + 1);
}

/* Our addresses. */

static bool only_browsers_dial(const struct multiaddr *addr)
{
    static const uint32_t codes[] = {
        MA_WS,     MA_WSS,           MA_WEBTRANSPORT,
        MA_WEBRTC, MA_WEBRTC_DIRECT, MA_P2P_WEBRTC_DIRECT};

    for (size_t i = 0; i < countof(codes); i++)
        if (multiaddr_has(addr, codes[i]))
            return true;
    return false;
}

/* Whether @addr is of use to who is on the same link. */
static bool is_suitable(const struct multiaddr *addr, bool loopback)
{
    struct ma_ip ip;

    if (multiaddr_get_ip(addr, &ip) != OK || multiaddr_is_relay(addr) ||
        only_browsers_dial(addr))
        return false;
    switch (multiaddr_class(addr)) {
    case MA_CLASS_PUBLIC:
    case MA_CLASS_PRIVATE:
        return true;
    case MA_CLASS_LOOPBACK:
        return loopback;
    case MA_CLASS_UNROUTABLE:
    case MA_CLASS_OTHER:
        break;
    }
    return false;
}

/* Return: false when @addr is not to be told, or too long. */
static bool make_text(const struct mdns *m, struct multiaddr addr,
                      struct mdns_text *ret_text)
{
    static const char head[] = "dnsaddr=";
    char text[MULTIADDR_TEXT_MAX];

    multiaddr_strip_peer(&addr);
    if (!is_suitable(&addr, m->config.loopback) ||
        multiaddr_append_peer(&addr, &m->config.self) != OK)
        return false;
    size_t len = multiaddr_format(&addr, text);
    size_t head_len = sizeof(head) - 1;
    if (len > MDNS_TEXT_MAX - head_len)
        return false;
    *ret_text = (struct mdns_text){.len = (uint8_t)(head_len + len)};
    memcpy(ret_text->bytes, head, head_len);
    memcpy(ret_text->bytes + head_len, text, len);
    return true;
}

static void note_ip(struct mdns *m, const struct multiaddr *addr)
{
    struct ma_ip ip;
    uint16_t port;

    if (multiaddr_get_tcp(addr, &ip, &port) == OK && m->port == 0)
        m->port = port;
    if (multiaddr_get_ip(addr, &ip) != OK)
        return;
    struct ma_ip *known = ip.len == 4 ? &m->ip4 : &m->ip6;
    if (known->len == 0)
        *known = ip;
}

static bool is_known(const struct mdns *m, const struct mdns_text *text)
{
    for (size_t i = 0; i < m->texts_count; i++)
        if (memcmp(&m->texts[i], text, sizeof(*text)) == 0)
            return true;
    return false;
}

void mdns_set_addrs(struct mdns *m, const struct multiaddr *addrs, size_t count,
                    struct mtime now)
{
    struct mdns_text *old = m->texts;
    size_t old_count = m->texts_count;

    m->texts = NULL;
    m->texts_count = 0;
    m->ip4.len = 0;
    m->ip6.len = 0;
    m->port = 0;
    for (size_t i = 0; i < count && m->texts_count < MDNS_ADDRS_MAX; i++) {
        struct mdns_text made;
        if (!make_text(m, addrs[i], &made) || is_known(m, &made))
            continue;
        m->texts = mem_resize(m->texts, m->texts_count + 1, sizeof(made));
        m->texts[m->texts_count++] = made;
        note_ip(m, &addrs[i]);
    }
    bool same = old_count == m->texts_count;
    for (size_t i = 0; same && i < old_count; i++)
        same = memcmp(&old[i], &m->texts[i], sizeof(old[i])) == 0;
    mem_free(old);
    if (same)
        return;
    if (m->texts_count == 0)
        forget_questions(m);
    begin_announcing(m, now);
    mdns_on_time(m, now);
}

/* What others send. */

static void begin_second(struct mdns *m, struct mtime now)
{
    if (mtime_ms_since(m->quota.since, now) < 1000)
        return;
    m->quota.since = now;
    m->quota.packets = 0;
    m->quota.replies = 0;
    m->quota.founds = 0;
}

/* A question from another port is that of a plain DNS client, which hears no
 * multicast. */
static void reply(struct mdns *m, const struct mdns_from *from, uint16_t id)
{
    if (m->quota.replies == MDNS_DIRECT_MAX) {
        m->stats.dropped++;
        return;
    }
    m->quota.replies++;
    struct reply *r = mem_zalloc(1, sizeof(*r));
    r->to = *from;
    r->id = id;
    list_add_tail(&m->replies, &r->link);
}

static void on_question(struct mdns *m, const struct mdns_from *from,
                        uint16_t id, struct mtime now)
{
    struct socket *s = &m->sockets[from->socket];

    if (m->texts_count == 0)
        return;
    if (from->port != MDNS_PORT) {
        reply(m, from, id);
        return;
    }
    if (s->asked || s->send)
        return;
    uint32_t delay_ms =
        MDNS_ANSWER_DELAY_MIN_MS +
        roll(m, MDNS_ANSWER_DELAY_MAX_MS - MDNS_ANSWER_DELAY_MIN_MS);
    s->asked = true;
    s->due = mtime_add_ms(now, delay_ms);
    if (mtime_before(s->due, s->not_before))
        s->due = s->not_before;
}

/* Whether an address on this machine's loopback may be meant. */
static bool is_loopback(const struct mdns *m, const struct mdns_from *from)
{
    struct multiaddr addr =
        multiaddr_from_ip_port(&from->ip, MA_UDP, from->port);

    return m->config.loopback || multiaddr_class(&addr) == MA_CLASS_LOOPBACK;
}

static void on_text(struct mdns *m, const struct mdns_from *from,
                    struct bytes text)
{
    struct multiaddr addr;
    struct peer_id peer;

    if (multiaddr_parse(text, &addr) != OK ||
        multiaddr_get_peer(&addr, &peer) != OK ||
        peer_id_eq(&peer, &m->config.self))
        return;
    multiaddr_strip_peer(&addr);
    if (!is_suitable(&addr, is_loopback(m, from)))
        return;
    if (m->quota.founds == MDNS_FOUND_MAX ||
        m->founds_count == MDNS_FOUND_MAX) {
        m->stats.dropped++;
        return;
    }
    m->quota.founds++;
    m->founds_count++;
    struct found *f = mem_zalloc(1, sizeof(*f));
    f->peer = peer;
    f->addr = addr;
    f->from = *from;
    list_add_tail(&m->founds, &f->link);
}

void mdns_on_packet(struct mdns *m, const struct mdns_from *from,
                    struct bytes in, struct mtime now)
{
    struct bytes instance = {.p = m->instance, .len = sizeof(m->instance)};
    struct mdns_packet packet;

    assert(from->socket < MDNS_SOCKETS_MAX);
    m->stats.packets++;
    begin_second(m, now);
    if (m->quota.packets == MDNS_PACKETS_MAX) {
        m->stats.dropped++;
        return;
    }
    m->quota.packets++;
    if (mdns_packet_decode(in, instance, &packet) != OK) {
        m->stats.malformed++;
        return;
    }
    if (packet.asks && !packet.knows_us)
        on_question(m, from, packet.id, now);
    for (size_t i = 0; i < packet.texts_count; i++)
        on_text(m, from, packet.texts[i]);
    mdns_on_time(m, now);
}

/* Time. */

void mdns_ask(struct mdns *m, struct mtime now)
{
    begin_asking(m, mtime_before(now, m->query_not_before) ? m->query_not_before
                                                           : now);
    mdns_on_time(m, now);
}

/* Gaps: MDNS_QUERY_FIRST_MS, MDNS_QUERY_MS, twice that, ... */
static void query(struct mdns *m, struct mtime now)
{
    m->send_query = true;
    m->query_at = mtime_add_ms(now, m->query_gap_ms);
    m->query_not_before = mtime_add_ms(now, MDNS_QUERY_FIRST_MS);
    if (m->query_gap_ms < MDNS_QUERY_MS)
        m->query_gap_ms = MDNS_QUERY_MS;
    else if (m->query_gap_ms > MDNS_QUERY_MAX_MS / 2)
        m->query_gap_ms = MDNS_QUERY_MAX_MS;
    else
        m->query_gap_ms *= 2;
}

static void announce(struct mdns *m, struct mtime now)
{
    m->send_announce = true;
    m->announces_left--;
    m->announce_at = mtime_add_ms(now, MDNS_ANNOUNCE_GAP_MS);
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        m->sockets[i].asked = false;
        m->sockets[i].not_before = mtime_add_ms(now, MDNS_ANSWER_GAP_MS);
    }
}

void mdns_on_time(struct mdns *m, struct mtime now)
{
    if (mtime_reached(now, m->query_at))
        query(m, now);
    if (m->announces_left > 0 && mtime_reached(now, m->announce_at))
        announce(m, now);
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        struct socket *s = &m->sockets[i];
        if (!s->asked || !mtime_reached(now, s->due))
            continue;
        s->asked = false;
        s->send = true;
        s->not_before = mtime_add_ms(now, MDNS_ANSWER_GAP_MS);
    }
}

struct mtime mdns_deadline(const struct mdns *m)
{
    struct mtime first = m->query_at;

    if (m->announces_left > 0)
        first = mtime_min(first, m->announce_at);
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++)
        if (m->sockets[i].asked)
            first = mtime_min(first, m->sockets[i].due);
    return first;
}

/* Outputs. */

/* @r: for one asker; NULL: for all. */
static struct bytes make_answer(struct mdns *m, const struct reply *r)
{
    struct mdns_answer answer = {
        .instance = {.p = m->instance, .len = sizeof(m->instance)},
        .texts = m->texts,
        .texts_count = m->texts_count,
        .ip4 = m->ip4,
        .ip6 = m->ip6,
        .port = m->port,
        .direct = r != NULL,
        .id = r == NULL ? 0 : r->id,
    };

    m->stats.answers++;
    return mdns_answer_encode(&answer, m->packet);
}

/* The first socket that owes an answer, or MDNS_SOCKETS_MAX. */
static uint32_t next_answer(struct mdns *m)
{
    uint32_t i = 0;

    while (i < MDNS_SOCKETS_MAX && !m->sockets[i].send)
        i++;
    return i;
}

static void take_found(struct mdns *m, struct mdns_out *out)
{
    struct found *f = container_of(list_first(&m->founds), struct found, link);

    out->kind = MDNS_FOUND;
    out->peer = f->peer;
    out->addr = f->addr;
    out->from = f->from;
    drop_found(m, f);
}

static void take_reply(struct mdns *m, struct mdns_out *out)
{
    struct reply *r = container_of(list_first(&m->replies), struct reply, link);

    out->kind = MDNS_REPLY;
    out->to = r->to;
    out->packet = make_answer(m, r);
    drop_reply(r);
}

bool mdns_next(struct mdns *m, struct mdns_out *ret_out)
{
    struct mdns_out out = {.kind = MDNS_SEND, .socket = MDNS_ALL_SOCKETS};
    uint32_t socket = next_answer(m);

    if (m->send_query) {
        m->send_query = false;
        out.packet = mdns_query_encode(m->packet);
    } else if (m->send_announce) {
        m->send_announce = false;
        out.packet = make_answer(m, NULL);
    } else if (socket < MDNS_SOCKETS_MAX) {
        m->sockets[socket].send = false;
        out.socket = socket;
        out.packet = make_answer(m, NULL);
    } else if (!list_empty(&m->replies)) {
        take_reply(m, &out);
    } else if (!list_empty(&m->founds)) {
        take_found(m, &out);
    } else {
        return false;
    }
    *ret_out = out;
    return true;
}

struct mdns_stats mdns_get_stats(const struct mdns *m)
{
    return m->stats;
}
