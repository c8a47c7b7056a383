/* GET /api/v1/trace/PEER: how a peer is known and reached, step by step. */
#include <string.h>

#include "api/book_json.h"
#include "api/peer_json.h"
#include "api/request.h"
#include "api/steps.h"
#include "api/trace_lookup.h"
#include "base/mem.h"
#include "discovery/discovery.h"
#include "env/env.h"
#include "multiformats/key.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"

/*
 * The steps, in order:
 *
 *   book        what the peer book says
 *   allowed     whether a ban is in the way
 *   connection  the one that is there; no line where there is none
 *   dial        once for each address of the request and of the book
 *   asked       once for each node that the lookup asked: where is it?
 *   lookup      what the DHT says in all
 *   dial        once for each address that only the lookup brought
 *   identify    what the peer says of itself
 *   ping        whether it answers now
 *   probe       of one that was not reached: whether another node reaches it
 *
 * No address is dialled once there is a connection.  A peer is reached when it
 * answers a ping.  The last line says so, or names the step that decided.
 */

enum { ADDRS_MAX = 32, PINGS = 3 };

/* What a step wants next. */
enum wants {
    WANTS_NEXT,  /* it is over: the next one */
    WANTS_AGAIN, /* call it once more */
    WANTS_WAIT,  /* a callback goes on, or the request is over */
};

struct trace {
    struct steps s;
    struct request *q;
    struct peer_id peer;
    size_t phase;
    bool has_timeout;
    bool late; /* the time of the step is over */
    bool banned;
    bool connected;
    bool answered; /* a ping */
    struct multiaddr addrs[ADDRS_MAX];
    const char *sources[ADDRS_MAX]; /* of each */
    size_t count;
    size_t at; /* the one being dialled */
    enum err dial_err;
    struct connect_op connect;
    bool connecting;
    struct trace_lookup lookup;
    bool looking;
    bool looked;
    bool lonely; /* nobody could be asked */
    struct network_watcher watcher;
    bool waiting; /* for identify */
    struct ping_op ping;
    bool pinging;
    json_t *rtts; /* NULL before the first ping */
    struct peering_probe probe;
    bool probing;
    bool probed;
    bool others_reach;
};

static void go_on(struct trace *t, struct mtime now);

/* The oldest connection to the peer. */
static bool find_conn(const struct trace *t, struct swarm_conn_info *ret_info)
{
    struct swarm *swarm = network_swarm(node_network(t->q->node));
    struct conn_id at = {.n = 0};

    while (swarm_conn_next(swarm, at, ret_info) == OK) {
        if (peer_id_eq(ret_info->peer, &t->peer))
            return true;
        at = ret_info->conn;
    }
    return false;
}

/* Addresses that are to be dialled; each once. */
static void add_addrs(struct trace *t, const struct multiaddr *addrs,
                      size_t count, const char *source)
{
    for (size_t i = 0; i < count && t->count < ADDRS_MAX; i++) {
        struct multiaddr addr = addrs[i];
        size_t k = 0;
        multiaddr_strip_peer(&addr);
        while (k < t->count && !multiaddr_eq(&t->addrs[k], &addr))
            k++;
        if (k < t->count)
            continue;
        t->addrs[t->count] = addr;
        t->sources[t->count++] = source;
    }
}

static void add_text(struct trace *t, json_t *text)
{
    const char *s = json_string_value(text);

    strbuf_str(&t->s.text, s != NULL ? s : "");
    json_decref(text);
}

/* What is known here. */

static enum wants step_book(struct trace *t, struct mtime now)
{
    struct peering *peering = node_peering(t->q->node);
    struct strbuf *text = &t->s.text;
    struct multiaddr addrs[BOOK_ADDRS_MAX];

    steps_begin(&t->s, "book");
    const struct book_peer *p =
        book_find(discovery_book(peering_discovery(peering)), &t->peer);
    if (p == NULL) {
        steps_tell(&t->s, "failed", "the peer book does not have it", NULL);
        return WANTS_NEXT;
    }
    json_t *known = json_book_peer(t->q, p, now);
    const json_t *seen = json_object_get(known, "last_seen");
    size_t count = book_addrs(p, addrs);
    strbuf_reset(text);
    strbuf_str(text, "quality ");
    strbuf_u64(text,
               (uint64_t)json_integer_value(json_object_get(known, "quality")));
    strbuf_str(text, ", known by ");
    strbuf_str(text, json_string_value(json_object_get(known, "source")));
    strbuf_str(text, seen != NULL ? ", seen " : ", never seen");
    strbuf_str(text, seen != NULL ? json_string_value(seen) : "");
    strbuf_str(text, ", addresses: ");
    strbuf_u64(text, count);
    json_t *line = steps_line(&t->s, "ok", strbuf_cstr(text));
    json_object_update(line, known);
    json_decref(known);
    lines_json(t->q, line);
    add_addrs(t, addrs, count, "book");
    return WANTS_NEXT;
}

static enum wants step_allowed(struct trace *t, struct mtime now)
{
    struct peering *peering = node_peering(t->q->node);
    struct clock *clock = node_env(t->q->node)->clock;
    struct strbuf *text = &t->s.text;

    (void)now;
    steps_begin(&t->s, "allowed");
    const struct ban *b =
        bans_find(discovery_bans(peering_discovery(peering)), &t->peer, NULL,
                  clock->unix_ms(clock) / 1000);
    t->banned = b != NULL && b->kind != BAN_ALLOW;
    if (!t->banned) {
        steps_tell(&t->s, "ok", NULL, NULL);
        return WANTS_NEXT;
    }
    strbuf_reset(text);
    strbuf_str(text, "it is banned");
    if (b->kind == BAN_TEMPORARY) {
        strbuf_str(text, " until ");
        add_text(t, json_time_ms(b->expires_s * 1000));
    }
    if (b->reason_len > 0) {
        strbuf_str(text, ": ");
        strbuf_escape(
            text, (struct bytes){(const uint8_t *)b->reason, b->reason_len});
    }
    steps_tell(&t->s, "failed", strbuf_cstr(text),
               "`xmbl peers unban PEER` lets it in again.");
    return WANTS_NEXT;
}

static enum wants step_connection(struct trace *t, struct mtime now)
{
    struct swarm_conn_info info;

    steps_begin(&t->s, "connection");
    t->connected = find_conn(t, &info);
    if (!t->connected) {
        steps_no_limit(&t->s);
        return WANTS_NEXT;
    }
    uint64_t age_s = mtime_ms_since(info.since, now) / 1000;
    strbuf_reset(&t->s.text);
    strbuf_str(&t->s.text, info.inbound ? "it connected from " : "made to ");
    add_text(t, json_addr(info.addr));
    strbuf_str(&t->s.text, ", for ");
    strbuf_u64(&t->s.text, age_s);
    strbuf_str(&t->s.text, " s");
    json_t *line = steps_line(&t->s, "ok", strbuf_cstr(&t->s.text));
    json_object_set_new(line, "address", json_addr(info.addr));
    json_object_set_new(line, "direction",
                        json_string(info.inbound ? "inbound" : "outbound"));
    json_object_set_new(line, "age_s", json_integer((json_int_t)age_s));
    lines_json(t->q, line);
    return WANTS_NEXT;
}

/* Dialling. */

static const char *why_not(struct trace *t, enum err err, bool begun)
{
    if (err == E_MISMATCH) {
        strbuf_reset(&t->s.text);
        strbuf_str(&t->s.text, "another peer is there: ");
        add_text(t, json_peer(&t->connect.actual));
        return strbuf_cstr(&t->s.text);
    }
    if (!begun && err == E_REFUSED)
        return "bans or lists of this node do not admit it";
    if (!begun && err == E_NOTFOUND)
        return "no IP address with a TCP port can be dialled there";
    if (err == E_REFUSED)
        return "the connection was refused there";
    if (err == E_TIMEOUT)
        return "no answer";
    if (err == E_NOTFOUND)
        return "this machine has no way to that address";
    if (err == E_CLOSED)
        return "the other side closed it before it was secured";
    if (err == E_LIMIT)
        return "too many connections";
    return err_name(err);
}

static void tell_dial(struct trace *t, const char *result, const char *detail)
{
    json_t *line = steps_line(&t->s, result, detail);

    json_object_set_new(line, "address", json_addr(&t->addrs[t->at]));
    json_object_set_new(line, "source", json_string(t->sources[t->at]));
    lines_json(t->q, line);
    t->at++;
}

static void dial_ended(struct trace *t, enum err err, bool begun)
{
    t->connected = err == OK;
    t->dial_err = err;
    if (err == OK)
        tell_dial(t, "ok", NULL);
    else
        tell_dial(t, "failed", why_not(t, err, begun));
}

static void on_connected(struct connect_op *op, enum err err, struct mtime now)
{
    struct trace *t = container_of(op, struct trace, connect);

    t->connecting = false;
    dial_ended(t, err, true);
    go_on(t, now);
}

static enum wants step_dial(struct trace *t, struct mtime now)
{
    struct swarm_conn_info info;

    if (t->connecting) { /* the time is over, but the swarm goes on trying */
        network_connect_cancel(&t->connect);
        t->connecting = false;
        dial_ended(t, E_TIMEOUT, true);
        t->at = t->count;
    }
    /* The lookup, or the peer, may have made a connection meanwhile. */
    t->connected = find_conn(t, &info);
    if (t->connected || t->banned || t->at == t->count)
        return WANTS_NEXT;
    struct network_target target = {.peer = t->peer,
                                    .addrs = &t->addrs[t->at],
                                    .count = 1,
                                    .force = true,
                                    .passing = true};
    steps_begin(&t->s, "dial");
    if (!t->has_timeout)
        steps_no_limit(&t->s);
    t->connect.done = on_connected;
    enum err err =
        network_dial(node_network(t->q->node), &t->connect, &target, now);
    t->connecting = err == OK;
    if (t->connecting)
        return WANTS_WAIT;
    dial_ended(t, err == E_EXISTS ? OK : err, false);
    return WANTS_AGAIN;
}

/* The DHT. */

static void tell_lookup(struct trace *t, enum err err)
{
    struct trace_lookup *l = &t->lookup;
    struct strbuf *text = &t->s.text;

    t->looking = false;
    t->looked = true;
    t->lonely = err == E_AGAIN;
    trace_lookup_collect(l);
    add_addrs(t, l->addrs, l->count, "dht");
    strbuf_reset(text);
    strbuf_u64(text, l->tellers);
    strbuf_str(text, " of ");
    strbuf_u64(text, l->answers);
    strbuf_str(text, " nodes that answered tell where it is; asked: ");
    strbuf_u64(text, l->asked);
    if (t->lonely)
        steps_tell(&t->s, "not_tried", "the DHT knows no other node", NULL);
    else if (err == E_LIMIT)
        steps_tell(&t->s, "not_tried", "too many searches are under way", NULL);
    else
        steps_tell(&t->s, l->tellers > 0 ? "ok" : "failed", strbuf_cstr(text),
                   NULL);
}

static void on_lookup(struct trace_lookup *l, enum err err, struct mtime now)
{
    struct trace *t = container_of(l, struct trace, lookup);

    tell_lookup(t, err);
    go_on(t, now);
}

static enum wants step_lookup(struct trace *t, struct mtime now)
{
    if (t->looking) {
        trace_lookup_cancel(&t->lookup);
        tell_lookup(t, E_TIMEOUT);
    }
    if (t->looked || t->banned)
        return WANTS_NEXT;
    steps_begin(&t->s, "lookup");
    t->looking = true;
    trace_lookup_start(&t->lookup, t->q, &t->peer, now);
    return WANTS_WAIT;
}

/* Who is there. */

static void on_peer(struct network_watcher *w, const struct swarm_out *out,
                    struct mtime now)
{
    struct trace *t = container_of(w, struct trace, watcher);
    bool tells = out->type == SWARM_IDENTIFIED ||
                 out->type == SWARM_DISCONNECTED || out->type == SWARM_FAULT;

    /* Not from inside of this: the request may end, and with it the watch. */
    if (t->waiting && tells && peer_id_eq(&out->peer, &t->peer)) {
        struct clock *clock = node_env(t->q->node)->clock;
        clock->set(clock, &t->s.timer, now);
    }
}

static void tell_identified(struct trace *t, const struct swarm_identified *who)
{
    struct strbuf *text = &t->s.text;
    json_t *protocols = json_array();

    strbuf_reset(text);
    strbuf_escape(text, who->agent);
    strbuf_str(text, ", protocols:");
    for (size_t i = 0; i < who->protocols_count; i++) {
        json_array_append_new(protocols, json_text(who->protocols[i]));
        strbuf_str(text, " ");
        strbuf_escape(text, who->protocols[i]);
    }
    json_t *line = steps_line(&t->s, "ok", strbuf_cstr(text));
    json_object_set_new(line, "agent", json_text(who->agent));
    json_object_set_new(line, "protocols", protocols);
    json_object_set_new(line, "addresses",
                        json_addrs(who->addrs, who->addrs_count));
    lines_json(t->q, line);
}

static enum wants step_identify(struct trace *t, struct mtime now)
{
    struct swarm_conn_info info;
    bool first = !t->waiting;

    (void)now;
    if (!t->connected) {
        steps_skip(&t->s, "identify", NULL);
        return WANTS_NEXT;
    }
    if (first)
        steps_begin(&t->s, "identify");
    bool there = find_conn(t, &info);
    bool known = there && info.identified.protocols_count > 0;
    t->waiting = !known && first && there;
    if (t->waiting)
        return WANTS_WAIT;
    if (known)
        tell_identified(t, &info.identified);
    else
        steps_tell(&t->s, "failed",
                   there ? "it does not say who it is"
                         : "it closed the connection",
                   NULL);
    return WANTS_NEXT;
}

/* Pings. */

static void add_ms(struct strbuf *text, uint64_t us)
{
    strbuf_u64(text, us / 1000);
    strbuf_str(text, ".");
    strbuf_u64(text, us / 100 % 10);
    strbuf_u64(text, us / 10 % 10);
}

static void on_pinged(struct ping_op *op, enum err err, uint64_t rtt_us,
                      struct mtime now)
{
    struct trace *t = container_of(op, struct trace, ping);
    struct strbuf *text = &t->s.text;

    t->pinging = false;
    if (err == OK) {
        strbuf_str(text, json_array_size(t->rtts) == 0 ? "" : " / ");
        add_ms(text, rtt_us);
        t->answered = true;
        json_array_append_new(t->rtts, json_real((double)rtt_us / 1000));
    } else {
        t->late = true; /* no more of them */
    }
    go_on(t, now);
}

static void tell_pings(struct trace *t)
{
    size_t count = json_array_size(t->rtts);
    json_t *detail =
        count > 0 ? json_sprintf("%u of %u answered, in %s ms", (unsigned)count,
                                 (unsigned)PINGS, strbuf_cstr(&t->s.text))
                  : json_string("no answer");
    json_t *line = steps_line(&t->s, count > 0 ? "ok" : "failed", NULL);

    json_object_set_new(line, "detail", detail);
    json_object_set(line, "rtts_ms", t->rtts);
    lines_json(t->q, line);
}

static enum wants step_ping(struct trace *t, struct mtime now)
{
    if (!t->connected) {
        steps_skip(&t->s, "ping", NULL);
        return WANTS_NEXT;
    }
    if (t->rtts == NULL) {
        t->rtts = json_array();
        t->late = false;
        strbuf_reset(&t->s.text);
        steps_begin(&t->s, "ping");
        t->ping.done = on_pinged;
    }
    if (t->pinging)
        network_ping_cancel(&t->ping);
    bool more = !t->late && json_array_size(t->rtts) < PINGS;
    t->pinging = more && network_ping(node_network(t->q->node), &t->ping,
                                      &t->peer, now) == OK;
    if (t->pinging)
        return WANTS_WAIT;
    tell_pings(t);
    return WANTS_NEXT;
}

/* The end. */

static const char remedy_off[] =
    "It may be off, or behind a router that lets nobody in.";

static void on_probed(struct peering_probe *probe, enum err err,
                      enum peers_outcome outcome, struct mtime now)
{
    struct trace *t = container_of(probe, struct trace, probe);

    t->probing = false;
    t->others_reach = err == OK && outcome == PEERS_REACHED;
    if (t->others_reach)
        steps_tell(&t->s, "ok", "another node reaches it", NULL);
    else if (err == OK)
        steps_tell(&t->s, "failed", "another node does not reach it either",
                   NULL);
    else
        steps_tell(&t->s, "not_tried", "the node that was asked did not try",
                   NULL);
    go_on(t, now);
}

static enum wants step_probe(struct trace *t, struct mtime now)
{
    if (t->probing) {
        peering_probe_cancel(&t->probe);
        t->probing = false;
        steps_tell(&t->s, "not_tried", "the node that was asked is silent",
                   NULL);
    }
    if (t->connected || t->banned || t->probed)
        return WANTS_NEXT;
    t->probed = true;
    steps_begin(&t->s, "probe");
    t->probe.done = on_probed;
    t->probing =
        t->count > 0 && steps_ask_probe(t->q, &t->probe, &t->peer, now);
    if (t->probing)
        return WANTS_WAIT;
    steps_tell(&t->s, "not_tried",
               t->count > 0 ? "nobody is connected who could try"
                            : "no address of it is known",
               NULL);
    return WANTS_NEXT;
}

static const char *dial_remedy(const struct trace *t)
{
    if (t->others_reach)
        return "Look at the firewall and router of this machine.";
    if (t->dial_err == E_MISMATCH)
        return "Ask who runs it for its present id.";
    if (t->dial_err == E_REFUSED)
        return "Check that its daemon runs, and listens at that port.";
    return remedy_off;
}

/* Which step decided that it is not reached, and what would help. */
static const char *decided_by(const struct trace *t, const char **ret_remedy)
{
    *ret_remedy = "`xmbl peers unban PEER` lets it in again.";
    if (t->banned)
        return "allowed";
    *ret_remedy = "It is connected and silent: it may hang, or the way to it "
                  "was cut.";
    if (t->connected)
        return "ping";
    *ret_remedy = dial_remedy(t);
    if (t->count > 0)
        return "dial";
    *ret_remedy = t->lonely
                      ? "Connect to a node first: `xmbl swarm connect MADDR`."
                      : "Ask who runs it for its address, and trace that.";
    return "lookup";
}

static enum wants step_end(struct trace *t, struct mtime now)
{
    bool reached = t->connected && t->answered;
    const char *remedy = NULL;
    const char *failed = decided_by(t, &remedy);
    json_t *v = json_pack("{s:o,s:b}", "peer_id", json_peer(&t->peer),
                          "reached", (int)reached);

    (void)now;
    if (!reached) {
        json_object_set_new(v, "failed", json_string(failed));
        json_object_set_new(v, "remedy", json_string(remedy));
    }
    lines_json(t->q, v);
    lines_end(t->q);
    return WANTS_WAIT;
}

static void go_on(struct trace *t, struct mtime now)
{
    static enum wants (*const all[])(struct trace * t, struct mtime now) = {
        step_book, step_allowed,  step_connection, step_dial,  step_lookup,
        step_dial, step_identify, step_ping,       step_probe, step_end,
    };
    enum wants wants = WANTS_AGAIN;

    while (wants != WANTS_WAIT) {
        wants = all[t->phase](t, now);
        if (wants == WANTS_NEXT)
            t->phase++;
    }
}

/* A step takes too long, or what it waited for has come. */
static void on_timer(struct timer *timer, struct mtime now)
{
    struct trace *t = container_of(timer, struct trace, s.timer);

    t->late = true;
    go_on(t, now);
}

static void cancel(struct request *q)
{
    struct trace *t = q->op;

    steps_release(&t->s);
    network_unwatch(&t->watcher);
    trace_lookup_cancel(&t->lookup);
    if (t->connecting)
        network_connect_cancel(&t->connect);
    if (t->pinging)
        network_ping_cancel(&t->ping);
    if (t->probing)
        peering_probe_cancel(&t->probe);
    json_decref(t->rtts);
    mem_free(t);
}

/* Whom to trace: false when the request was answered. */
static bool take_target(struct request *q, struct peer_id *ret_peer,
                        struct multiaddr *ret_addr)
{
    const char *text = request_query(q, "address");
    struct peer_id self = privkey_peer_id(node_key(q->node));
    struct peer_id other;

    *ret_addr = (struct multiaddr){.len = 0};
    if (!request_peer(q, ret_peer))
        return false;
    if (peer_id_eq(ret_peer, &self)) {
        reply_error(q, ERROR_BAD_ADDRESS, "this is the node itself", q->tail);
        return false;
    }
    if (text == NULL)
        return true;
    if (multiaddr_parse(bytes_str(text), ret_addr) == OK &&
        (!multiaddr_has(ret_addr, MA_P2P) ||
         (multiaddr_get_peer(ret_addr, &other) == OK &&
          peer_id_eq(&other, ret_peer))))
        return true;
    reply_error(q, ERROR_BAD_ADDRESS, "this is no address of that peer", text);
    return false;
}

void handle_trace(struct request *q, struct mtime now)
{
    struct peer_id peer;
    struct multiaddr addr;
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);

    if (!good || !take_target(q, &peer, &addr))
        return;
    if (node_network(q->node) == NULL || node_peering(q->node) == NULL) {
        reply_error(q, ERROR_NETWORK_OFF, NULL, NULL);
        return;
    }
    struct trace *t = mem_zalloc(1, sizeof(*t));
    t->q = q;
    t->peer = peer;
    t->has_timeout = timeout_ms > 0;
    steps_init(&t->s, q, timeout_ms, on_timer);
    if (addr.len > 0)
        add_addrs(t, &addr, 1, "request");
    t->lookup.done = on_lookup;
    t->watcher.on_peer = on_peer;
    network_watch(node_network(q->node), &t->watcher);
    q->op = t;
    q->cancel = cancel;
    go_on(t, now);
}
