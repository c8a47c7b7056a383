/* /api/v1/connections, /api/v1/ping: other peers. */
#include <string.h>

#include "api/peer_json.h"
#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "libp2p/swarm.h"
#include "multiformats/key.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"
#include "node/network.h"
#include "node/node.h"

enum { PING_COUNT_DEFAULT = 3, PING_COUNT_MAX = 1000, PING_INTERVAL_MS = 1000 };

static struct network *network_of(struct request *q)
{
    struct network *n = node_network(q->node);

    if (n == NULL)
        reply_error(q, ERROR_NETWORK_OFF, NULL, NULL);
    return n;
}

/* The list. */

static json_t *json_conn(const struct swarm_conn_info *info)
{
    json_t *v = json_pack("{s:o,s:o,s:s,s:i}", "peer_id", json_peer(info->peer),
                          "address", json_addr(info->addr), "direction",
                          info->inbound ? "inbound" : "outbound", "streams",
                          (int)info->streams);

    if (info->rtt_us > 0)
        json_object_set_new(v, "latency_ms",
                            json_real((double)info->rtt_us / 1000));
    if (info->identified.agent.len > 0)
        json_object_set_new(v, "agent", json_text(info->identified.agent));
    return v;
}

void handle_connections(struct request *q, struct mtime now)
{
    struct network *n = node_network(q->node);
    struct swarm_conn_info info;
    bool good = true;
    uint64_t max = request_limit(q, &good);
    struct conn_id at = {
        .n = good ? request_number(q, "after", 0, INT64_MAX, &good) : 0};

    (void)now;
    if (!good)
        return;
    json_t *items = json_array();
    json_t *answer = json_pack("{s:O}", "items", items);
    while (n != NULL && swarm_conn_next(network_swarm(n), at, &info) == OK) {
        if (json_array_size(items) >= max) {
            json_object_set_new(answer, "next",
                                json_sprintf("%llu", (unsigned long long)at.n));
            break;
        }
        json_array_append_new(items, json_conn(&info));
        at = info.conn;
    }
    json_decref(items);
    reply_json(q, 200, answer);
}

/* Connecting. */

struct connect {
    struct request *q;
    struct connect_op op;
    struct multiaddr addr;
    struct timer limit;
    bool waiting; /* @op is under way */
};

static void fault_connect(struct connect *c, enum err err, struct fault *f)
{
    char text[MULTIADDR_TEXT_MAX];
    struct bytes where = {(uint8_t *)text, multiaddr_format(&c->addr, text)};
    struct peer_id self = privkey_peer_id(node_key(c->q->node));

    if (err == E_MISMATCH)
        fault_set(f, ERROR_PEER_MISMATCH, NULL, where);
    else if (err == E_NOTFOUND || err == E_UNSUPPORTED)
        fault_set(f, ERROR_BAD_ADDRESS,
                  "no IP address with a TCP port can be dialed there", where);
    else if (err == E_LIMIT)
        fault_set(f, ERROR_CONN_LIMIT, NULL, where);
    else if (err == E_REFUSED && !c->waiting && peer_id_eq(&c->op.peer, &self))
        fault_set(f, ERROR_BAD_ADDRESS, "this node does not dial itself",
                  where);
    else if (err == E_REFUSED && !c->waiting)
        fault_set(f, ERROR_FORBIDDEN, "this peer or its address is banned",
                  where);
    else
        fault_set(f, ERROR_PEER_UNREACHABLE, NULL, where);
}

static void reply_connected(struct connect *c)
{
    reply_json(c->q, 200,
               json_pack("{s:o,s:o}", "peer_id", json_peer(&c->op.peer),
                         "address", json_addr(&c->addr)));
}

static void on_connected(struct connect_op *op, enum err err, struct mtime now)
{
    struct connect *c = container_of(op, struct connect, op);
    struct fault f;

    (void)now;
    if (err == OK)
        reply_connected(c);
    else
        fault_connect(c, err, &f);
    c->waiting = false;
    if (err != OK)
        reply_fault(c->q, &f);
}

static void on_connect_limit(struct timer *t, struct mtime now)
{
    struct connect *c = container_of(t, struct connect, limit);

    (void)now;
    if (!c->waiting)
        return;
    network_connect_cancel(&c->op);
    c->waiting = false;
    reply_error(c->q, ERROR_TIMEOUT, "no connection in that time",
                json_string_value(json_object_get(c->q->body, "address")));
}

static void cancel_connect(struct request *q)
{
    struct connect *c = q->op;
    struct clock *clock = node_env(q->node)->clock;

    clock->set(clock, &c->limit, MTIME_NEVER);
    if (c->waiting)
        network_connect_cancel(&c->op);
    mem_free(c);
}

void handle_connect(struct request *q, struct mtime now)
{
    const char *text = json_string_value(json_object_get(q->body, "address"));
    struct network *n = network_of(q);
    struct clock *clock = node_env(q->node)->clock;
    bool good = true;
    struct fault f;

    if (n == NULL || !request_fields(q))
        return;
    uint32_t timeout_ms = request_body_timeout_ms(q, &good);
    if (!good)
        return;
    struct connect *c = mem_zalloc(1, sizeof(*c));
    c->q = q;
    timer_init(&c->limit, on_connect_limit);
    c->op.done = on_connected;
    q->op = c;
    q->cancel = cancel_connect;
    if (text == NULL || multiaddr_parse(bytes_str(text), &c->addr) != OK ||
        !multiaddr_has(&c->addr, MA_P2P)) {
        reply_error(q, ERROR_BAD_ADDRESS,
                    "an address ends in /p2p/ and a peer id", text);
        return;
    }
    enum err err = network_connect(n, &c->op, &c->addr, now);
    c->waiting = err == OK;
    if (c->waiting && timeout_ms > 0)
        clock->set(clock, &c->limit, mtime_add_ms(now, timeout_ms));
    if (c->waiting)
        return;
    if (err == E_EXISTS) {
        reply_connected(c);
        return;
    }
    fault_connect(c, err, &f);
    reply_fault(q, &f);
}

void handle_disconnect(struct request *q, struct mtime now)
{
    struct network *n = network_of(q);
    struct peer_id id;

    if (n == NULL || !request_peer(q, &id))
        return;
    if (swarm_disconnect(network_swarm(n), &id, now) == OK)
        reply_empty(q, 204);
    else
        reply_error(q, ERROR_NOT_FOUND, "this peer is not connected", q->tail);
}

/* Ping. */

struct ping {
    struct request *q;
    struct network *network;
    struct peer_id peer;
    struct ping_op op;
    struct timer timer;
    struct timer limit;
    uint64_t count;
    uint64_t sent;
    uint64_t received;
    uint64_t min_us;
    uint64_t max_us;
    uint64_t sum_us;
    bool waiting;
};

static void ping_summary(struct ping *p)
{
    json_t *v = json_pack("{s:I,s:I}", "sent", (json_int_t)p->sent, "received",
                          (json_int_t)p->received);
    struct clock *clock = node_env(p->q->node)->clock;

    clock->set(clock, &p->limit, MTIME_NEVER);
    if (p->received > 0) {
        double mean = (double)p->sum_us / (double)p->received;
        json_object_set_new(v, "min_ms", json_real((double)p->min_us / 1000));
        json_object_set_new(v, "avg_ms", json_real(mean / 1000));
        json_object_set_new(v, "max_ms", json_real((double)p->max_us / 1000));
        lines_json(p->q, v);
        lines_end(p->q);
        return;
    }
    json_decref(v);
    reply_error(p->q, ERROR_PEER_UNREACHABLE, "no ping was answered",
                p->q->tail);
}

static void ping_once(struct ping *p, struct mtime now)
{
    p->sent++;
    p->waiting = network_ping(p->network, &p->op, &p->peer, now) == OK;
    if (!p->waiting)
        ping_summary(p);
}

static void on_pinged(struct ping_op *op, enum err err, uint64_t rtt_us,
                      struct mtime now)
{
    struct ping *p = container_of(op, struct ping, op);
    struct clock *clock = node_env(p->q->node)->clock;

    p->waiting = false;
    if (err == OK) {
        p->received++;
        p->sum_us += rtt_us;
        p->min_us = p->received == 1 || rtt_us < p->min_us ? rtt_us : p->min_us;
        p->max_us = rtt_us > p->max_us ? rtt_us : p->max_us;
        lines_json(p->q, json_pack("{s:I,s:f}", "seq", (json_int_t)p->sent,
                                   "rtt_ms", (double)rtt_us / 1000));
    }
    if (p->sent == p->count)
        ping_summary(p);
    else
        clock->set(clock, &p->timer, mtime_add_ms(now, PING_INTERVAL_MS));
}

static void on_ping_limit(struct timer *t, struct mtime now)
{
    struct ping *p = container_of(t, struct ping, limit);
    struct clock *clock = node_env(p->q->node)->clock;

    (void)now;
    clock->set(clock, &p->timer, MTIME_NEVER);
    if (p->waiting)
        network_ping_cancel(&p->op);
    p->waiting = false;
    ping_summary(p);
}

static void on_interval(struct timer *t, struct mtime now)
{
    ping_once(container_of(t, struct ping, timer), now);
}

static void cancel_ping(struct request *q)
{
    struct ping *p = q->op;
    struct clock *clock = node_env(q->node)->clock;

    clock->set(clock, &p->timer, MTIME_NEVER);
    clock->set(clock, &p->limit, MTIME_NEVER);
    if (p->waiting)
        network_ping_cancel(&p->op);
    mem_free(p);
}

void handle_ping(struct request *q, struct mtime now)
{
    struct network *n = network_of(q);
    bool good = n != NULL;
    uint64_t count = good ? request_number(q, "count", PING_COUNT_DEFAULT,
                                           PING_COUNT_MAX, &good)
                          : 0;
    uint32_t timeout_ms = good ? request_timeout_ms(q, &good) : 0;
    struct clock *clock = node_env(q->node)->clock;
    struct peer_id id;

    if (!good || !request_peer(q, &id))
        return;
    if (!swarm_is_connected(network_swarm(n), &id)) {
        reply_error(q, ERROR_PEER_UNREACHABLE, "this peer is not connected",
                    q->tail);
        return;
    }
    struct ping *p = mem_zalloc(1, sizeof(*p));
    p->q = q;
    p->network = n;
    p->peer = id;
    p->count = count > 0 ? count : 1;
    p->op.done = on_pinged;
    timer_init(&p->timer, on_interval);
    timer_init(&p->limit, on_ping_limit);
    if (timeout_ms > 0)
        clock->set(clock, &p->limit, mtime_add_ms(now, timeout_ms));
    q->op = p;
    q->cancel = cancel_ping;
    ping_once(p, now);
}
