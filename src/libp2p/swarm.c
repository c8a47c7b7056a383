#include "libp2p/swarm.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "crypto/hkdf.h"
#include "crypto/secret.h"
#include "libp2p/swarm_priv.h"

/*
 * Invariants of the whole swarm:
 *
 *  1. A struct conn is in sw->conns until conn_drop(); from then on only its
 *     id stays, in CONN_GONE, until its SWARM_CLOSE was told.
 *  2. A struct stream belongs to a conn (s->conn) until stream_end(); from
 *     then on only its id stays until its end was told.
 *  3. Outputs about a stream or a connection are looked up by id when they
 *     are told, so that those who have gone meanwhile are not mentioned.
 *  4. swarm_next() tells notes first, then input, then output: what is
 *     written in answer to one read leaves in as few writes as possible.
 */

struct swarm_limits swarm_limits_default(void)
{
    return (struct swarm_limits){
        .conns_max = 512,
        .upgrading_max = 64,
        .conns_per_ip = 3,
        .conns_per_peer = 2,
        .limit_loopback = false,
        .dials_max = 64,
        .streams_in_max = 512,
        .streams_out_max = 512,
        .negotiating_max = 64,
        .window_extra_max = (size_t)32 * 1024 * 1024,
        .unread_max = (size_t)32 * 1024 * 1024,
        .stream_queue_max = (size_t)32 * 1024 * 1024,
        .socket_queue_max = (size_t)1024 * 1024,
    };
}

static void derive(struct swarm *sw,
                   const uint8_t seed[static SWARM_SEED_BYTES])
{
    uint8_t secret[X25519_BYTES];
    struct bytes ikm = {.p = seed, .len = SWARM_SEED_BYTES};

    hkdf_sha256(BYTES_EMPTY, ikm, BYTES_LIT("swarm map"), sw->map_seed,
                sizeof(sw->map_seed));
    hkdf_sha256(BYTES_EMPTY, ikm, BYTES_LIT("swarm chance"), sw->chance_key,
                sizeof(sw->chance_key));
    hkdf_sha256(BYTES_EMPTY, ikm, BYTES_LIT("swarm noise"), secret,
                sizeof(secret));
    noise_keypair_init(&sw->noise_keys, secret);
    secret_wipe(secret, sizeof(secret));
}

static void copy_protocol(struct swarm *sw, const struct swarm_protocol *p)
{
    struct protocol *dst = &sw->protocols[sw->protocols_count++];

    dst->name = mem_strdup(p->name);
    dst->handler = p->handler;
    dst->window_extra = p->window_extra;
    dst->streams_max = p->streams_max;
}

static void list_names(struct swarm *sw)
{
    for (size_t i = 0; i < BUILTINS; i++)
        sw->names[i] = bytes_str(service_name(i));
    for (size_t i = 0; i < sw->protocols_count; i++)
        sw->names[BUILTINS + i] = bytes_str(sw->protocols[i].name);
}

struct swarm *swarm_new(const struct swarm_config *config)
{
    struct swarm *sw = mem_zalloc(1, sizeof(*sw));

    assert(strlen(config->agent) <= SWARM_AGENT_MAX);
    assert(config->protocols_count <= SWARM_PROTOCOLS_MAX);
    sw->key = config->key;
    sw->self = privkey_peer_id(config->key);
    memcpy(sw->agent, config->agent, strlen(config->agent) + 1);
    sw->limits = config->limits;
    derive(sw, config->seed);
    for (size_t i = 0; i < config->protocols_count; i++) {
        assert(strlen(config->protocols[i].name) <= SWARM_PROTOCOL_NAME_MAX);
        copy_protocol(sw, &config->protocols[i]);
    }
    list_names(sw);
    sw->version = 1;
    sw->push.kind = TIMER_PUSH;
    list_init(&sw->conns);
    list_init(&sw->readable);
    list_init(&sw->dirty);
    list_init(&sw->notes);
    list_init(&sw->dials);
    map_init(&sw->peers, sw->map_seed);
    guard_init(&sw->guard, GUARD_IDLE_MAX, sw->map_seed);
    backoff_init(&sw->backoff, sw->map_seed);
    return sw;
}

static void note_free(struct note *n)
{
    list_remove(&n->link);
    mem_free(n);
}

/* Forget what @n stands for, which its owner will not hear of. */
static void note_discard(struct swarm *sw, struct note *n)
{
    struct conn *c = slots_get(&sw->conn_slots, n->conn.n);
    struct stream *s = slots_get(&sw->stream_slots, n->stream.n);

    if (n->type == SWARM_CLOSE && c != NULL)
        conn_forget(sw, c);
    if (s != NULL && s->conn == NULL)
        stream_free(sw, s);
    note_free(n);
}

void swarm_free(struct swarm *sw)
{
    if (sw == NULL)
        return;
    while (!list_empty(&sw->dials)) {
        struct dial *d =
            container_of(list_first(&sw->dials), struct dial, link);
        d->next = d->count; /* nothing more is tried */
        while (!list_empty(&d->conns)) {
            struct conn *c =
                container_of(list_first(&d->conns), struct conn, dial_link);
            list_remove(&c->dial_link);
            c->dial = NULL;
            conn_drop(sw, c, E_CANCELED, false);
        }
        dial_free(sw, d);
    }
    while (!list_empty(&sw->conns))
        conn_drop(sw, container_of(list_first(&sw->conns), struct conn, all),
                  E_CANCELED, false);
    while (!list_empty(&sw->notes))
        note_discard(sw,
                     container_of(list_first(&sw->notes), struct note, link));
    assert(sw->stream_slots.count == 0);
    assert(sw->conn_slots.count == 0);
    timerq_unset(&sw->timers, &sw->push);
    timerq_release(&sw->timers);
    slots_release(&sw->conn_slots);
    slots_release(&sw->stream_slots);
    map_release(&sw->peers);
    guard_release(&sw->guard);
    backoff_release(&sw->backoff);
    for (size_t i = 0; i < SPARES_MAX; i++)
        buf_unref(sw->spares[i]);
    for (size_t i = 0; i < sw->protocols_count; i++)
        mem_free(sw->protocols[i].name);
    mem_free(sw->addrs);
    secret_wipe(sw, sizeof(*sw));
    mem_free(sw);
}

const struct peer_id *swarm_self(const struct swarm *sw)
{
    return &sw->self;
}

struct mss_names swarm_names(const struct swarm *sw)
{
    return (struct mss_names){.names = sw->names,
                              .count = BUILTINS + sw->protocols_count};
}

uint64_t swarm_chance(struct swarm *sw)
{
    uint8_t count[8];
    struct wr w = wr_init(count, sizeof(count));

    wr_le64(&w, sw->chance_count++);
    return siphash13(sw->chance_key,
                     (struct bytes){.p = count, .len = sizeof(count)});
}

struct peer *swarm_peer(const struct swarm *sw, const struct peer_id *id)
{
    struct map_node *node = map_get(&sw->peers, peer_id_bytes(id));
    return node == NULL ? NULL : container_of(node, struct peer, node);
}

void swarm_set_addrs(struct swarm *sw, const struct multiaddr *addrs,
                     size_t count, uint64_t seq, struct mtime now)
{
    sw->now = now;
    sw->addrs_count = 0;
    count = count < SWARM_ADDRS_MAX ? count : SWARM_ADDRS_MAX;
    sw->addrs = mem_resize(sw->addrs, count, sizeof(sw->addrs[0]));
    for (size_t i = 0; i < count; i++) {
        struct multiaddr addr = addrs[i];
        multiaddr_strip_peer(&addr);
        if (addr.len > 0)
            sw->addrs[sw->addrs_count++] = addr;
    }
    sw->seq = seq;
    service_changed(sw);
}

static struct protocol *find_protocol(struct swarm *sw, const char *name)
{
    for (size_t i = 0; i < sw->protocols_count; i++) {
        if (bytes_eq(bytes_str(sw->protocols[i].name), bytes_str(name)))
            return &sw->protocols[i];
    }
    return NULL;
}

enum err swarm_protocol_add(struct swarm *sw,
                            const struct swarm_protocol *protocol,
                            struct mtime now)
{
    sw->now = now;
    if (find_protocol(sw, protocol->name) != NULL)
        return E_EXISTS;
    if (sw->protocols_count == SWARM_PROTOCOLS_MAX ||
        strlen(protocol->name) > SWARM_PROTOCOL_NAME_MAX)
        return E_LIMIT;
    copy_protocol(sw, protocol);
    list_names(sw);
    service_changed(sw);
    return OK;
}

void swarm_protocol_remove(struct swarm *sw, const char *name, struct mtime now)
{
    struct protocol *p = find_protocol(sw, name);

    sw->now = now;
    if (p == NULL)
        return;
    list_for_each (it, &sw->notes) {
        struct note *n = container_of(it, struct note, link);
        if (n->protocol == p->name)
            n->protocol = ""; /* it outlives the name */
    }
    mem_free(p->name);
    *p = sw->protocols[--sw->protocols_count];
    list_names(sw);
    service_changed(sw);
}

/* Outputs. ---------------------------------------------------------------- */

struct note *swarm_note(struct swarm *sw, enum swarm_out_type type)
{
    struct note *n = mem_zalloc(1, sizeof(*n));
    n->type = type;
    list_add_tail(&sw->notes, &n->link);
    return n;
}

void swarm_fault(struct swarm *sw, const struct conn *c, enum swarm_fault what,
                 uint32_t severity)
{
    struct note *n = swarm_note(sw, SWARM_FAULT);
    n->fault = what;
    n->severity = severity;
    n->addr = c->remote;
    n->inbound = c->inbound;
    if (c->peer != NULL)
        n->peer = c->peer->id;
    else if (c->upgrade != NULL)
        n->peer = c->upgrade->peer;
}

static void tell_identified(const struct peer *p, struct swarm_identified *ret)
{
    *ret = (struct swarm_identified){.addrs = p->addrs};
    if (!p->identified)
        return;
    ret->agent = p->message->agent;
    ret->protocol_version = p->message->protocol_version;
    ret->protocols = p->message->protocols;
    ret->protocols_count = p->message->protocols_count;
    ret->addrs_count = p->addrs_count;
    ret->observed = p->observed;
    ret->record = p->message->record;
}

/* Look up what @n is about; false when it is of no interest any more. */
static bool resolve(struct swarm *sw, const struct note *n,
                    struct swarm_out *out)
{
    struct conn *c = slots_get(&sw->conn_slots, n->conn.n);
    struct stream *s = slots_get(&sw->stream_slots, n->stream.n);

    if (n->stream.n != 0) {
        if (s == NULL)
            return false;
        out->owner = s->owner;
        if (s->conn != NULL)
            out->conn_owner = s->conn->owner;
    }
    if (c != NULL)
        out->conn_owner = c->owner;
    if ((n->type == SWARM_CLOSE || n->type == SWARM_DIAL) && c == NULL)
        return false;
    if (n->type == SWARM_DIAL && c->state == CONN_GONE)
        return false;
    if (n->type == SWARM_IDENTIFIED) {
        const struct peer *p = swarm_peer(sw, &n->peer);
        if (p == NULL)
            return false;
        tell_identified(p, &out->identified);
    }
    return true;
}

static bool is_last_of_stream(const struct note *n)
{
    return n->type == SWARM_STREAM_RESET ||
           (n->type == SWARM_STREAM_OPEN && n->err != OK);
}

/* Tell the oldest note; false when it turned out to be of no interest. */
static bool tell_note(struct swarm *sw, struct swarm_out *out)
{
    struct note *n = container_of(list_first(&sw->notes), struct note, link);

    memset(out, 0, sizeof(*out));
    out->type = n->type;
    out->err = n->err;
    out->conn = n->conn;
    out->stream = n->stream;
    out->owner = n->owner;
    out->peer = n->peer;
    out->actual = n->actual;
    out->addr = n->addr;
    out->inbound = n->inbound;
    out->abort = n->abort;
    out->peer_left = n->peer_left;
    out->code = n->code;
    out->severity = n->severity;
    out->fault = n->fault;
    out->rtt_us = n->rtt_us;
    out->protocol = n->protocol;
    bool told = resolve(sw, n, out);
    if (n->type == SWARM_STREAM_IN && told) {
        const struct stream *s = slots_get(&sw->stream_slots, n->stream.n);
        out->handler = s->handler;
    }
    if (n->type == SWARM_CLOSE || is_last_of_stream(n))
        note_discard(sw, n);
    else
        note_free(n);
    return told;
}

bool swarm_next(struct swarm *sw, struct mtime now, struct swarm_out *ret_out)
{
    sw->now = now;
    for (;;) {
        if (!list_empty(&sw->notes)) {
            if (tell_note(sw, ret_out))
                return true;
        } else if (!list_empty(&sw->readable)) {
            struct conn *c =
                container_of(list_first(&sw->readable), struct conn, readable);
            if (conn_input(sw, c, ret_out))
                return true;
        } else if (!list_empty(&sw->dirty)) {
            struct conn *c =
                container_of(list_first(&sw->dirty), struct conn, dirty);
            if (conn_output(sw, c, ret_out))
                return true;
        } else {
            return false;
        }
    }
}

/* Time. ------------------------------------------------------------------- */

struct mtime swarm_deadline(const struct swarm *sw)
{
    return timerq_deadline(&sw->timers);
}

void swarm_on_time(struct swarm *sw, struct mtime now)
{
    struct timer *t;

    sw->now = now;
    while ((t = timerq_pop(&sw->timers, now)) != NULL) {
        switch ((enum timer_kind)t->kind) {
        case TIMER_CONN:
            conn_on_time(sw, container_of(t, struct conn, timer));
            break;
        case TIMER_STREAM:
            stream_on_time(sw, container_of(t, struct stream, timer));
            break;
        case TIMER_DIAL:
            dial_on_time(sw, container_of(t, struct dial, timer));
            break;
        case TIMER_PUSH:
            service_push(sw);
            break;
        }
    }
}

/* What there is. ---------------------------------------------------------- */

bool swarm_is_connected(const struct swarm *sw, const struct peer_id *peer)
{
    return swarm_peer(sw, peer) != NULL;
}

bool swarm_identified_serves(const struct swarm_identified *who,
                             const char *protocol)
{
    for (size_t i = 0; i < who->protocols_count; i++) {
        if (bytes_eq(who->protocols[i], bytes_str(protocol)))
            return true;
    }
    return false;
}

enum err swarm_supports(const struct swarm *sw, const struct peer_id *peer,
                        const char *protocol)
{
    const struct peer *p = swarm_peer(sw, peer);
    struct swarm_identified who;

    if (p == NULL)
        return E_NOTFOUND;
    if (!p->identified)
        return E_AGAIN;
    tell_identified(p, &who);
    return swarm_identified_serves(&who, protocol) ? OK : E_UNSUPPORTED;
}

static void tell_conn(const struct conn *c, struct swarm_conn_info *ret_info)
{
    *ret_info = (struct swarm_conn_info){
        .conn = c->id,
        .peer = &c->peer->id,
        .addr = &c->remote,
        .inbound = c->inbound,
        .others = (uint32_t)c->peer->conns_count - 1,
        .rtt_us = c->rtt_ns / 1000,
        .streams = (uint32_t)c->yamux.streams.count,
        .bytes_in = c->bytes_in,
        .bytes_out = c->bytes_out,
        .since = c->since,
        .used_at = c->used_at,
    };
    tell_identified(c->peer, &ret_info->identified);
}

enum err swarm_conn_get(const struct swarm *sw, struct conn_id conn,
                        struct swarm_conn_info *ret_info)
{
    const struct conn *c = slots_get(&sw->conn_slots, conn.n);

    if (c == NULL || c->state != CONN_OPEN)
        return E_NOTFOUND;
    tell_conn(c, ret_info);
    return OK;
}

enum err swarm_conn_next(const struct swarm *sw, struct conn_id after,
                         struct swarm_conn_info *ret_info)
{
    const struct list *at = &sw->conns;

    if (after.n != 0) {
        const struct conn *c = slots_get(&sw->conn_slots, after.n);
        if (c == NULL || c->state == CONN_GONE)
            return E_NOTFOUND;
        at = &c->all;
    }
    for (at = at->next; at != &sw->conns; at = at->next) {
        const struct conn *c =
            (const struct conn *)(const void *)((const char *)at -
                                                offsetof(struct conn, all));
        if (c->state != CONN_OPEN)
            continue;
        tell_conn(c, ret_info);
        return OK;
    }
    return E_NOTFOUND;
}

struct swarm_rates swarm_conn_rates(const struct swarm *sw, struct conn_id conn,
                                    struct mtime now)
{
    const struct conn *c = slots_get(&sw->conn_slots, conn.n);

    if (c == NULL)
        return (struct swarm_rates){.in = 0};
    return (struct swarm_rates){.in = rate_per_s(&c->rate_in, now),
                                .out = rate_per_s(&c->rate_out, now)};
}

struct swarm_rates swarm_rates(const struct swarm *sw, struct mtime now)
{
    return (struct swarm_rates){.in = rate_per_s(&sw->rate_in, now),
                                .out = rate_per_s(&sw->rate_out, now)};
}

struct swarm_counts swarm_counts(const struct swarm *sw)
{
    struct swarm_counts counts = sw->totals;
    counts.conns = sw->conns_count;
    counts.peers = (uint32_t)sw->peers.count;
    counts.streams = (uint32_t)sw->stream_slots.count;
    counts.dials = sw->dials_count;
    return counts;
}
