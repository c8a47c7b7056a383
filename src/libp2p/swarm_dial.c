#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "libp2p/swarm_priv.h"

/*
 * Dials: some addresses of one peer, tried in order until one of them becomes
 * a session.  A dial lives as long as it tries or has addresses left.
 */

static struct dial *find(const struct swarm *sw, const struct peer_id *peer)
{
    list_for_each (link, &sw->dials) {
        struct dial *d = container_of(link, struct dial, link);
        if (d->has_peer && peer_id_eq(&d->peer, peer))
            return d;
    }
    return NULL;
}

void dial_free(struct swarm *sw, struct dial *d)
{
    assert(list_empty(&d->conns));
    timerq_unset(&sw->timers, &d->timer);
    list_remove(&d->link);
    sw->dials_count--;
    mem_free(d->addrs);
    mem_free(d);
}

/* Try the next address.  The owner hears where to connect. */
static void try_next(struct swarm *sw, struct dial *d)
{
    struct conn *c = conn_new(sw);

    c->remote = d->addrs[d->next++];
    c->dial = d;
    list_add_tail(&d->conns, &c->dial_link);
    d->conns_count++;
    timerq_set(&sw->timers, &c->timer, mtime_add_ms(sw->now, DIAL_MS));
    struct note *n = swarm_note(sw, SWARM_DIAL);
    n->conn = c->id;
    n->addr = c->remote;
    if (d->has_peer)
        n->peer = d->peer;
    if (d->next < d->count)
        timerq_set(&sw->timers, &d->timer,
                   mtime_add_ms(sw->now, DIAL_STAGGER_MS));
}

/* Go on after a failure or when it is time; the dial may end here. */
static void go_on(struct swarm *sw, struct dial *d)
{
    if (d->next < d->count && d->conns_count < SWARM_DIAL_PARALLEL_MAX &&
        sw->conns_count < sw->limits.conns_max) {
        try_next(sw, d);
        return;
    }
    if (d->conns_count > 0)
        return;
    struct note *n = swarm_note(sw, SWARM_DIAL_FAILED);
    n->err = d->next < d->count ? E_LIMIT : d->err;
    n->owner = d->owner;
    if (d->has_peer)
        n->peer = d->peer;
    n->actual = d->actual;
    n->addr = d->addrs[d->next > 0 ? d->next - 1 : 0];
    dial_free(sw, d);
}

void dial_on_time(struct swarm *sw, struct dial *d)
{
    go_on(sw, d);
}

static void leave(struct conn *c)
{
    list_remove(&c->dial_link);
    c->dial->conns_count--;
    c->dial = NULL;
}

void *dial_on_open(struct swarm *sw, struct conn *c)
{
    struct dial *d = c->dial;
    void *owner = d->owner;

    leave(c);
    backoff_worked(&sw->backoff, &c->remote);
    while (!list_empty(&d->conns)) {
        struct conn *other =
            container_of(list_first(&d->conns), struct conn, dial_link);
        leave(other);
        conn_drop(sw, other, E_CANCELED, false);
    }
    dial_free(sw, d);
    return owner;
}

void dial_on_fail(struct swarm *sw, struct conn *c, enum err err)
{
    struct dial *d = c->dial;

    leave(c);
    d->err = err;
    if (err == E_EXISTS)
        d->next = d->count; /* another connection would be one too many */
    if (err != E_CANCELED && err != E_EXISTS)
        backoff_failed(&sw->backoff, &c->remote, sw->now);
    go_on(sw, d);
}

/* Copy the addresses that can be dialed; how many. */
static size_t usable(const struct swarm *sw, const struct swarm_dial_op *op,
                     struct multiaddr *dst, bool *ret_held)
{
    size_t count = 0;

    *ret_held = false;
    for (size_t i = 0; i < op->count && count < SWARM_ADDRS_MAX; i++) {
        struct multiaddr addr = op->addrs[i];
        struct ma_ip ip;
        struct bytes zone;
        uint16_t port;
        if (multiaddr_get_zoned_tcp(&addr, &ip, &port, &zone) != OK ||
            port == 0)
            continue;
        multiaddr_strip_peer(&addr);
        if (!op->force && backoff_holds(&sw->backoff, &addr, sw->now))
            *ret_held = true;
        else
            dst[count++] = addr;
    }
    return count;
}

static enum err check(const struct swarm *sw, const struct swarm_dial_op *op)
{
    if (op->peer != NULL) {
        if (peer_id_eq(op->peer, &sw->self))
            return E_REFUSED;
        if (swarm_peer(sw, op->peer) != NULL)
            return E_EXISTS;
        if (find(sw, op->peer) != NULL)
            return E_AGAIN;
    }
    if (sw->dials_count >= sw->limits.dials_max ||
        sw->conns_count >= sw->limits.conns_max)
        return E_LIMIT;
    return OK;
}

enum err swarm_dial(struct swarm *sw, const struct swarm_dial_op *op,
                    struct mtime now)
{
    bool held;

    sw->now = now;
    enum err err = check(sw, op);
    if (err != OK)
        return err;
    struct multiaddr *addrs = mem_zalloc(SWARM_ADDRS_MAX, sizeof(*addrs));
    size_t count = usable(sw, op, addrs, &held);
    if (count == 0) {
        mem_free(addrs);
        return held ? E_TIMEOUT : E_NOTFOUND;
    }
    struct dial *d = mem_zalloc(1, sizeof(*d));
    if (op->peer != NULL) {
        d->has_peer = true;
        d->peer = *op->peer;
    }
    d->addrs = addrs;
    d->count = count;
    d->owner = op->owner;
    d->timer.kind = TIMER_DIAL;
    list_init(&d->conns);
    list_add_tail(&sw->dials, &d->link);
    sw->dials_count++;
    try_next(sw, d);
    return OK;
}
