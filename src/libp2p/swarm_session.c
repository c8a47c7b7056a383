#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "libp2p/swarm_priv.h"

/* A connection on which Yamux runs: its peer, its events, its keepalive. */

static struct peer *join_peer(struct swarm *sw, struct conn *c,
                              const struct peer_id *id)
{
    struct peer *p = swarm_peer(sw, id);

    if (p == NULL) {
        p = mem_zalloc(1, sizeof(*p));
        p->id = *id;
        list_init(&p->conns);
        map_put(&sw->peers, &p->node, peer_id_bytes(&p->id));
    }
    list_add_tail(&p->conns, &c->peer_link);
    p->conns_count++;
    return p;
}

static void leave_peer(struct swarm *sw, struct conn *c)
{
    struct peer *p = c->peer;

    list_remove(&c->peer_link);
    p->conns_count--;
    c->peer = NULL;
    if (p->conns_count > 0)
        return;
    map_remove(&sw->peers, &p->node);
    service_forget(p);
    mem_free(p);
}

static void send_ping(struct swarm *sw, struct conn *c)
{
    c->ping_opaque = (uint32_t)swarm_chance(sw);
    c->ping_at = sw->now;
    c->ping_waits = true;
    c->ping_was_ours = true;
    yamux_ping(&c->yamux, c->ping_opaque);
    timerq_set(&sw->timers, &c->timer,
               mtime_add_ms(sw->now, KEEPALIVE_ANSWER_MS));
    conn_touch(sw, c);
}

void session_begin(struct swarm *sw, struct conn *c, const struct peer_id *id)
{
    if (c->counted)
        sw->upgrading--;
    c->counted = false;
    c->state = CONN_OPEN;
    c->used_at = sw->now;
    c->peer = join_peer(sw, c, id);
    if (c->class != MA_CLASS_LOOPBACK || sw->limits.limit_loopback)
        c->by_peer = guard_hold_peer(&sw->guard, id);
    yamux_init(&c->yamux, !c->inbound, sw->limits.window_extra_max,
               sw->map_seed);
    void *owner = c->dial != NULL ? dial_on_open(sw, c) : NULL;
    struct note *n = swarm_note(sw, SWARM_CONNECTED);
    n->conn = c->id;
    n->owner = owner;
    n->peer = *id;
    n->inbound = c->inbound;
    n->addr = c->remote;
    send_ping(sw, c);
    service_ask(sw, c);
}

void session_end(struct swarm *sw, struct conn *c, enum err err)
{
    struct yamux_stream *y;

    while ((y = yamux_first_stream(&c->yamux)) != NULL)
        stream_end(sw, stream_of(y), err, SWARM_RESET_NONE);
    struct note *n = swarm_note(sw, SWARM_DISCONNECTED);
    n->conn = c->id;
    n->err = err;
    n->peer = c->peer->id;
    n->addr = c->remote;
    n->inbound = c->inbound;
    n->peer_left = c->peer->conns_count > 1;
    leave_peer(sw, c);
}

/* Whatever comes shows that the peer lives, its ping as well as the answer to
 * ours: the two take turns, and each link carries half as many.  Where both
 * have pinged at once who dialled begins. */
static struct mtime ping_due(const struct conn *c)
{
    uint32_t wait_ms = KEEPALIVE_MS;

    if (!c->ping_was_ours)
        wait_ms -= KEEPALIVE_TURN_MS;
    if (!c->inbound)
        wait_ms -= KEEPALIVE_TURN_MS / 2;
    return mtime_min(mtime_add_ms(c->received_at, wait_ms),
                     mtime_add_ms(c->ping_at, KEEPALIVE_MOST_MS));
}

static void on_pong(struct swarm *sw, struct conn *c, uint32_t opaque)
{
    if (!c->ping_waits || opaque != c->ping_opaque) {
        (void)conn_charge(sw, c, COST_NOTHING); /* the caller looks at state */
        return;
    }
    uint64_t rtt_ns = sw->now.ns - c->ping_at.ns;
    c->rtt_ns = c->rtt_ns == 0 ? rtt_ns : (7 * c->rtt_ns + rtt_ns) / 8;
    if (c->rtt_ns == 0)
        c->rtt_ns = 1; /* known, and too small for the clock */
    c->yamux.rtt_ns = c->rtt_ns;
    c->ping_waits = false;
    timerq_set(&sw->timers, &c->timer, ping_due(c));
}

static void ping_in_time(struct swarm *sw, struct conn *c)
{
    struct mtime due = ping_due(c);

    if (mtime_reached(sw->now, due))
        send_ping(sw, c);
    else
        timerq_set(&sw->timers, &c->timer, due);
}

void session_on_time(struct swarm *sw, struct conn *c)
{
    if (!c->ping_waits) {
        ping_in_time(sw, c);
        return;
    }
    /* The answer may wait behind much data of ours or theirs. */
    struct mtime heard = mtime_add_ms(c->received_at, KEEPALIVE_ANSWER_MS);
    struct mtime end = mtime_add_ms(c->ping_at, KEEPALIVE_PATIENCE_MS);
    struct mtime due = mtime_min(heard, end);
    if (mtime_reached(sw->now, due))
        conn_fail(sw, c, SWARM_FAULT_TIMEOUT, 2, E_TIMEOUT);
    else
        timerq_set(&sw->timers, &c->timer, due);
}

/* The connection with most unread bytes, when all have too many. */
static struct conn *fullest(const struct swarm *sw)
{
    struct conn *worst = NULL;

    list_for_each (link, &sw->conns) {
        struct conn *c = container_of(link, struct conn, all);
        if (worst == NULL || c->unread > worst->unread)
            worst = c;
    }
    return worst;
}

static bool on_data(struct swarm *sw, struct conn *c,
                    const struct yamux_event *e, struct swarm_out *ret_out)
{
    struct stream *s = stream_of(e->stream);

    c->unread += e->data.len;
    sw->unread += e->data.len;
    if (!conn_charge_tiny(sw, c, e->data.len))
        return false;
    if (sw->unread > sw->limits.unread_max) {
        struct conn *worst = fullest(sw);
        conn_fail(sw, worst, SWARM_FAULT_HOARD, 1, E_LIMIT);
        if (worst == c)
            return false;
    }
    return stream_on_data(sw, s, e->data, ret_out);
}

static void on_reset(struct swarm *sw, struct conn *c,
                     const struct yamux_event *e)
{
    struct stream *s = stream_of(e->stream);
    bool wasted = s->inbound;

    stream_end(sw, s, E_CLOSED, e->code);
    if (wasted)
        (void)conn_charge(sw, c, COST_STREAM_WASTED); /* last thing here */
}

static bool on_event(struct swarm *sw, struct conn *c,
                     const struct yamux_event *e, struct swarm_out *ret_out)
{
    switch (e->type) {
    case YAMUX_MORE:
        break;
    case YAMUX_OPENED:
        stream_on_opened(sw, c);
        break;
    case YAMUX_DATA:
        return on_data(sw, c, e, ret_out);
    case YAMUX_EOF:
        return stream_on_eof(sw, stream_of(e->stream), ret_out);
    case YAMUX_RESET:
        on_reset(sw, c, e);
        break;
    case YAMUX_PONG:
        on_pong(sw, c, e->code);
        break;
    case YAMUX_PINGED:
        c->ping_was_ours = false;
        conn_touch(sw, c);
        (void)conn_charge(sw, c, COST_PING); /* last thing here */
        break;
    case YAMUX_NOTHING:
        (void)conn_charge(sw, c, COST_NOTHING); /* last thing here */
        break;
    case YAMUX_GOAWAY:
        conn_drop(sw, c, E_CLOSED, false);
        break;
    case YAMUX_VIOLATION:
        conn_fail(sw, c, SWARM_FAULT_PROTOCOL, 20, e->err);
        break;
    }
    return false;
}

bool session_input(struct swarm *sw, struct conn *c, struct swarm_out *ret_out)
{
    if (c->rest.len > 0) {
        struct stream *s = slots_get(&sw->stream_slots, c->rest_stream.n);
        struct bytes rest = c->rest;
        c->rest = BYTES_EMPTY;
        return s != NULL && s->conn == c &&
               stream_on_data(sw, s, rest, ret_out);
    }
    struct yamux_event e = yamux_next(&c->yamux, &c->plain);
    bool told = on_event(sw, c, &e, ret_out);
    /* A window update may have made more of our data ready. */
    if (c->state == CONN_OPEN && yamux_has_output(&c->yamux))
        conn_touch(sw, c);
    return told;
}
