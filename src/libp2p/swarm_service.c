#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "libp2p/swarm_priv.h"
#include "multiformats/peer_record.h"

/*
 * The protocols that the swarm itself speaks: identify, identify push, ping.
 *
 * Spec: libp2p/specs identify/README.md and ping/ping.md.
 */

static const struct bucket_rate push_rate = {.burst = 10, .per_second = 1};

enum {
    SERVICE_IDENTIFY,
    SERVICE_PUSH,
    SERVICE_PING,
    MESSAGE_ROOM = 24 * 1024,
    NAMES_BYTES_MAX = 5 * 1024, /* of our protocols in one message */
};

const char *service_name(size_t index)
{
    static const char *const names[BUILTINS] = {
        "/ipfs/id/1.0.0",
        "/ipfs/id/push/1.0.0",
        "/ipfs/ping/1.0.0",
    };
    assert(index < BUILTINS);
    return names[index];
}

enum stream_kind service_kind(size_t index)
{
    if (index == SERVICE_IDENTIFY)
        return STREAM_IDENTIFY_IN;
    return index == SERVICE_PUSH ? STREAM_PUSH_IN : STREAM_PING_IN;
}

static void set_timer(struct swarm *sw, struct stream *s, uint32_t ms)
{
    timerq_set(&sw->timers, &s->timer, mtime_add_ms(sw->now, ms));
}

/* Open a stream of our own on @c; NULL when there are too many. */
static struct stream *begin(struct swarm *sw, struct conn *c, size_t index,
                            enum stream_kind kind, void *owner)
{
    const char *name = service_name(index);
    struct stream *s;
    enum err err = stream_begin(sw, c,
                                &(struct stream_start){
                                    .kind = kind,
                                    .protocols = &name,
                                    .count = 1,
                                    .owner = owner,
                                    .lazy = true,
                                },
                                &s);
    return err == OK ? s : NULL;
}

/* What we say about ourselves. --------------------------------------------- */

/* Everything a message of ours points into; too much for the stack. */
struct draft {
    struct identify message;
    struct peer_record record;
    uint8_t key[PUBKEY_BYTES_MAX];
    uint8_t envelope[MESSAGE_ROOM];
    uint8_t out[MESSAGE_ROOM];
};

static void draft_addrs(const struct swarm *sw, const struct conn *c,
                        struct draft *d)
{
    struct peer_record *r = &d->record;

    for (size_t i = 0; i < sw->addrs_count; i++) {
        if (!identify_addr_allowed(&sw->addrs[i], c->class) ||
            r->addr_count == PEER_RECORD_ADDRS_MAX)
            continue;
        r->addrs[r->addr_count] = sw->addrs[i];
        d->message.addrs[d->message.addrs_count++] =
            multiaddr_bytes(&r->addrs[r->addr_count]);
        r->addr_count++;
    }
    if (sw->seq == 0)
        return; /* we were never told our addresses */
    r->id = sw->self;
    r->seq = sw->seq;
    struct wr w = wr_init(d->envelope, sizeof(d->envelope));
    peer_record_seal(sw->key, r, &w);
    enum err err = wr_finish(&w, &d->message.record);
    assert(err == OK);
}

static void draft_names(const struct swarm *sw, struct identify *m)
{
    struct mss_names names = swarm_names(sw);
    size_t sum = 0;

    for (size_t i = 0; i < names.count; i++) {
        sum += names.names[i].len;
        if (sum > NAMES_BYTES_MAX)
            break;
        m->protocols[m->protocols_count++] = names.names[i];
    }
}

/* Write our identify to @s and end it. */
static void introduce(struct swarm *sw, struct stream *s)
{
    struct draft *d = mem_zalloc(1, sizeof(*d));
    struct conn *c = s->conn;
    struct wr key = wr_init(d->key, sizeof(d->key));
    struct wr out = wr_init(d->out, sizeof(d->out));
    struct pubkey public_key = privkey_public(sw->key);
    struct bytes bytes;

    pubkey_write(&key, &public_key);
    enum err err = wr_finish(&key, &d->message.public_key);
    assert(err == OK);
    d->message.observed = multiaddr_bytes(&c->remote);
    d->message.protocol_version = BYTES_LIT("ipfs/0.1.0");
    d->message.agent = bytes_str(sw->agent);
    draft_names(sw, &d->message);
    draft_addrs(sw, c, d);
    identify_encode(&d->message, &out);
    err = wr_finish(&out, &bytes);
    assert(err == OK);
    stream_send(sw, s, bytes);
    stream_finish(sw, s);
    c->peer->told_version = sw->version;
    mem_free(d);
}

static void want_push(struct swarm *sw)
{
    if (timer_is_set(&sw->push))
        return;
    struct mtime at = mtime_add_ms(sw->now, PUSH_DELAY_MS);
    struct mtime again = mtime_add_ms(sw->pushed_at, PUSH_EVERY_MS);
    if (sw->pushed_at.ns != 0 && mtime_before(at, again))
        at = again;
    timerq_set(&sw->timers, &sw->push, at);
}

void service_changed(struct swarm *sw)
{
    sw->version++;
    if (sw->peers.count > 0)
        want_push(sw);
}

void service_push(struct swarm *sw)
{
    sw->pushed_at = sw->now;
    map_for_each (node, &sw->peers) {
        struct peer *p = container_of(node, struct peer, node);
        if (p->told_version == sw->version ||
            swarm_supports(sw, &p->id, service_name(SERVICE_PUSH)) != OK)
            continue;
        /* When there are too many streams the peer hears of it next time. */
        (void)begin(sw,
                    container_of(list_first(&p->conns), struct conn, peer_link),
                    SERVICE_PUSH, STREAM_PUSH_OUT, NULL);
    }
}

/* What peers say about themselves. ----------------------------------------- */

void service_ask(struct swarm *sw, struct conn *c)
{
    struct stream *s =
        begin(sw, c, SERVICE_IDENTIFY, STREAM_IDENTIFY_OUT, NULL);
    assert(s != NULL); /* the first stream of its connection */
    set_timer(sw, s, IDENTIFY_MS);
}

void service_forget(struct peer *p)
{
    mem_free(p->raw);
    mem_free(p->message);
    mem_free(p->addrs);
    p->raw = NULL;
    p->message = NULL;
    p->addrs = NULL;
    p->addrs_count = 0;
    p->identified = false;
}

static void keep_addr(struct peer *p, const struct multiaddr *addr,
                      enum ma_class over)
{
    struct multiaddr plain = *addr;

    multiaddr_strip_peer(&plain);
    if (plain.len > 0 && p->addrs_count < SWARM_ADDRS_MAX &&
        identify_addr_allowed(&plain, over))
        p->addrs[p->addrs_count++] = plain;
}

static void keep_listed(struct peer *p, const struct identify *m,
                        enum ma_class over)
{
    for (size_t i = 0; i < m->addrs_count; i++) {
        struct multiaddr addr;
        if (multiaddr_decode(m->addrs[i], &addr) == OK)
            keep_addr(p, &addr, over);
    }
}

/* The signed record counts when there is a good one; one that is about
 * somebody else spoils all; one that is not good is as none. */
static void keep_addrs(struct peer *p, struct identify *m, enum ma_class over)
{
    struct peer_record *r = mem_zalloc(1, sizeof(*r));
    bool good = m->record.len > 0 && peer_record_open(m->record, r) == OK;

    p->addrs = mem_zalloc(SWARM_ADDRS_MAX, sizeof(*p->addrs));
    if (!good) {
        m->record = BYTES_EMPTY;
        keep_listed(p, m, over);
    } else if (peer_id_eq(&r->id, &p->id)) {
        for (size_t i = 0; i < r->addr_count; i++)
            keep_addr(p, &r->addrs[i], over);
    } else {
        m->record = BYTES_EMPTY;
    }
    p->addrs = mem_resize(p->addrs, p->addrs_count, sizeof(*p->addrs));
    mem_free(r);
}

static struct said *keep_said(const struct identify *m)
{
    size_t size = m->protocols_count * sizeof(m->protocols[0]);
    struct said *said = mem_alloc(sizeof(*said) + size);

    *said = (struct said){
        .protocol_version = m->protocol_version,
        .agent = m->agent,
        .record = m->record,
        .protocols_count = m->protocols_count,
    };
    memcpy(said->protocols, m->protocols, size);
    return said;
}

static bool is_about(const struct identify *m, const struct peer *p)
{
    struct peer_id id;

    if (m->public_key.len == 0)
        return true;
    if (m->public_key.len > PUBKEY_BYTES_MAX)
        return false;
    id = peer_id_of_key(m->public_key);
    return peer_id_eq(&id, &p->id);
}

/* @s has brought all messages: take what they say. */
static enum err learn(struct swarm *sw, struct stream *s)
{
    struct bytes in;
    enum err err = identify_reader_end(&s->reader, &in);
    if (err != OK)
        return err;
    struct conn *c = s->conn;
    struct peer *p = c->peer;
    uint8_t *raw = mem_dup(in.p, in.len);
    struct identify *m = mem_alloc(sizeof(*m));

    err = identify_decode((struct bytes){.p = raw, .len = in.len}, m);
    if (err == OK && !is_about(m, p))
        err = E_MISMATCH;
    if (err != OK) {
        mem_free(raw);
        mem_free(m);
        return err;
    }
    service_forget(p);
    p->raw = raw;
    p->identified = true;
    keep_addrs(p, m, c->class);
    p->message = keep_said(m);
    p->observed = (struct multiaddr){.len = 0};
    struct multiaddr observed;
    if (multiaddr_decode(m->observed, &observed) == OK)
        p->observed = observed;
    mem_free(m);
    struct note *n = swarm_note(sw, SWARM_IDENTIFIED);
    n->conn = c->id;
    n->peer = p->id;
    if (p->told_version != 0 && p->told_version != sw->version)
        want_push(sw);
    return OK;
}

/* @s brought what is no identify. */
static void refuse_identify(struct swarm *sw, struct stream *s, enum err err)
{
    struct conn *c = s->conn;

    swarm_fault(sw, c, SWARM_FAULT_IDENTIFY, 5);
    stream_abort(sw, s, err, SWARM_RESET_VIOLATION);
    if (c->state == CONN_OPEN)
        (void)conn_charge(sw, c, COST_IDENTIFY_BAD); /* last thing here */
}

static void on_identify_end(struct swarm *sw, struct stream *s)
{
    enum err err = learn(sw, s);

    if (err != OK) {
        refuse_identify(sw, s, err);
        return;
    }
    if (!s->write_closed)
        stream_finish(sw, s);
    if (yamux_finished(&s->y))
        stream_free(sw, s);
    else
        set_timer(sw, s, IDENTIFY_MS);
}

/* Whether a push may come now; they cost us more than the peer. */
static bool is_push_welcome(struct swarm *sw, struct stream *s)
{
    struct conn *c = s->conn;
    struct bucket *b = c->by_peer != NULL ? &c->by_peer->pushes : &c->pushes;

    if (bucket_take(b, push_rate, 1, sw->now))
        return true;
    stream_abort(sw, s, E_LIMIT, SWARM_RESET_RATE);
    if (c->state == CONN_OPEN)
        (void)conn_charge(sw, c, COST_PUSH_REFUSED); /* last thing here */
    return false;
}

/* Ping. ------------------------------------------------------------------- */

enum err swarm_ping(struct swarm *sw, const struct peer_id *peer, void *owner,
                    struct mtime now)
{
    const struct peer *p = swarm_peer(sw, peer);

    sw->now = now;
    if (p == NULL)
        return E_NOTFOUND;
    struct stream *s =
        begin(sw, container_of(list_first(&p->conns), struct conn, peer_link),
              SERVICE_PING, STREAM_PING_OUT, owner);
    if (s == NULL)
        return E_LIMIT;
    s->ping = mem_zalloc(1, sizeof(*s->ping));
    s->ping->started = now;
    struct wr w = wr_init(s->ping->bytes, PING_BYTES);
    while (wr_len(&w) < PING_BYTES)
        wr_le64(&w, swarm_chance(sw));
    stream_send(sw, s, (struct bytes){.p = s->ping->bytes, .len = PING_BYTES});
    set_timer(sw, s, PING_ANSWER_MS);
    return OK;
}

static void tell_ping(struct swarm *sw, const struct stream *s, enum err err)
{
    struct note *n = swarm_note(sw, SWARM_PING);
    n->conn = s->conn->id;
    n->owner = s->owner;
    n->peer = s->conn->peer->id;
    n->err = err;
    if (err == OK)
        n->rtt_us = (sw->now.ns - s->ping->started.ns) / 1000;
}

static void on_echo(struct swarm *sw, struct stream *s, struct bytes in)
{
    struct stream_ping *p = s->ping;

    if (p->len + in.len > PING_BYTES ||
        memcmp(p->bytes + p->len, in.p, in.len) != 0) {
        stream_abort(sw, s, E_MISMATCH, SWARM_RESET_VIOLATION);
        return;
    }
    p->len += in.len;
    if (p->len < PING_BYTES)
        return;
    tell_ping(sw, s, OK);
    stream_finish(sw, s);
}

/* Answer complete units of 32 bytes; false: @s has gone. */
static void answer_pings(struct swarm *sw, struct stream *s, struct bytes in)
{
    struct stream_ping *p = s->ping;
    struct conn *c = s->conn;

    while (in.len > 0) {
        size_t len = PING_BYTES - p->len;
        if (len > in.len)
            len = in.len;
        memcpy(p->bytes + p->len, in.p, len);
        p->len += len;
        in = bytes_sub(in, len, in.len - len);
        if (p->len < PING_BYTES)
            break;
        p->len = 0;
        /* Also caps what waits for a peer that does not read. */
        if (!conn_charge(sw, c, COST_PING))
            return;
        stream_send(sw, s, (struct bytes){.p = p->bytes, .len = PING_BYTES});
    }
    if (mtime_ms_since(p->started, sw->now) >= PING_LIFE_MS && !s->write_closed)
        stream_finish(sw, s);
    else
        set_timer(sw, s, PING_IDLE_MS);
}

/* Dispatch. --------------------------------------------------------------- */

void service_on_open(struct swarm *sw, struct stream *s)
{
    switch (s->kind) {
    case STREAM_NEW:
    case STREAM_OWNER:
    case STREAM_PING_OUT:
        break;
    case STREAM_IDENTIFY_IN:
        if (!conn_charge(sw, s->conn, COST_IDENTIFY))
            return;
        introduce(sw, s);
        set_timer(sw, s, IDENTIFY_MS);
        break;
    case STREAM_IDENTIFY_OUT:
        set_timer(sw, s, IDENTIFY_MS);
        break;
    case STREAM_PUSH_IN:
        if (is_push_welcome(sw, s))
            set_timer(sw, s, IDENTIFY_MS);
        break;
    case STREAM_PUSH_OUT:
        introduce(sw, s);
        set_timer(sw, s, IDENTIFY_MS);
        break;
    case STREAM_PING_IN:
        s->ping = mem_zalloc(1, sizeof(*s->ping));
        s->ping->started = sw->now;
        set_timer(sw, s, PING_IDLE_MS);
        break;
    }
}

void service_on_data(struct swarm *sw, struct stream *s, struct bytes in)
{
    struct conn *c = s->conn;
    enum err err;

    switch (s->kind) {
    case STREAM_NEW:
    case STREAM_OWNER:
        break;
    case STREAM_IDENTIFY_IN:
    case STREAM_PUSH_OUT: /* nothing is to come there */
        stream_abort(sw, s, E_MALFORMED, SWARM_RESET_VIOLATION);
        if (c->state == CONN_OPEN)
            (void)conn_charge(sw, c, COST_STREAM_WASTED); /* last thing */
        break;
    case STREAM_IDENTIFY_OUT:
    case STREAM_PUSH_IN:
        err = identify_reader_add(&s->reader, in);
        if (err != OK)
            refuse_identify(sw, s, err);
        break;
    case STREAM_PING_IN:
        answer_pings(sw, s, in);
        break;
    case STREAM_PING_OUT:
        on_echo(sw, s, in);
        break;
    }
}

void service_on_eof(struct swarm *sw, struct stream *s)
{
    switch (s->kind) {
    case STREAM_IDENTIFY_OUT:
    case STREAM_PUSH_IN:
        on_identify_end(sw, s);
        return;
    case STREAM_NEW:
    case STREAM_OWNER:
    case STREAM_IDENTIFY_IN:
    case STREAM_PUSH_OUT:
    case STREAM_PING_IN:
        break;
    case STREAM_PING_OUT:
        if (!s->write_closed) {
            stream_abort(sw, s, E_CLOSED, SWARM_RESET_NONE);
            return;
        }
        break;
    }
    if (!s->write_closed)
        stream_finish(sw, s);
    if (yamux_finished(&s->y))
        stream_free(sw, s);
    else
        set_timer(sw, s, IDENTIFY_MS);
}

void service_on_time(struct swarm *sw, struct stream *s)
{
    if (s->kind == STREAM_PING_IN && !s->write_closed) {
        stream_finish(sw, s);
        set_timer(sw, s, PING_IDLE_MS);
        return;
    }
    stream_abort(sw, s, E_TIMEOUT, SWARM_RESET_NONE);
}

void service_on_end(struct swarm *sw, struct stream *s, enum err err)
{
    if (s->kind == STREAM_PING_OUT && !s->write_closed)
        tell_ping(sw, s, err);
}
