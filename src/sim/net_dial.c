/* Listening, dialing and accepting. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"
#include "sim/net_priv.h"

enum { SYN_AGAIN_MS = 1000, TRACE_BYTES = 2 + 2 * NET_ADDR_IP_MAX };

static struct sim_listener *listener_at(struct sim_host *h, uint16_t port)
{
    list_for_each (it, &h->listeners) {
        struct sim_listener *l = container_of(it, struct sim_listener, link);
        if (l->user->local.port == port)
            return l;
    }
    return NULL;
}

static enum err do_listen(struct net *net, struct net_listener *user,
                          const struct net_addr *at)
{
    struct sim_host *h = sim_host_of(net);

    if (h->clock->dead)
        return E_IO;
    if (!sim_host_has(h, at))
        return E_NOTFOUND;
    uint16_t port = at->port != 0 ? at->port : sim_host_port(h);
    if (listener_at(h, port) != NULL)
        return E_EXISTS;
    struct sim_listener *l = mem_zalloc(1, sizeof(*l));
    l->user = user;
    user->priv = l;
    user->local = *at;
    user->local.port = port;
    list_add_tail(&h->listeners, &l->link);
    return OK;
}

static void do_unlisten(struct net *net, struct net_listener *user)
{
    struct sim_listener *l = user->priv;

    (void)net; /* the listener knows */
    list_remove(&l->link);
    mem_free(l);
    user->priv = NULL;
}

static void set_addrs(struct net_sock *s, const struct net_addr *local,
                      const struct net_addr *remote)
{
    s->local = *local;
    s->remote = *remote;
}

static void trace_accept(struct sim_end *e)
{
    const struct net_sock *s = e->sock;
    uint8_t both[TRACE_BYTES] = {(uint8_t)s->remote.port,
                                 (uint8_t)(s->remote.port >> 8)};

    memcpy(both + 2, s->local.ip, s->local.ip_len);
    memcpy(both + 2 + NET_ADDR_IP_MAX, s->remote.ip, s->remote.ip_len);
    sim_clock_trace(e->host->clock, SIM_DIALED,
                    (struct bytes){both, sizeof(both)});
}

/* Somebody whose address is @from->sock->local knocks at @l. */
static bool accept(struct sim_host *h, struct sim_listener *l,
                   struct sim_end *from, struct mtime now)
{
    const struct sim_host *who = from->host;
    struct net_addr local = from->sock->remote;
    struct net_addr remote = from->sock->local;

    l->user->secured = h->of->secured ? who->peer : NULL;
    struct net_sock *sock = l->user->on_accept(l->user, &remote, now);
    if (sock == NULL)
        return false;
    struct sim_end *e = sim_end_new(h, sock, SIM_END_OPEN);
    e->other = from;
    e->far = from->host;
    from->other = e;
    set_addrs(sock, &local, &remote);
    from->sock->secured = h->of->secured ? h->peer : NULL;
    h->of->connections++;
    trace_accept(e);
    sim_end_send(e, SIM_SEGMENT_OPEN);
    return true;
}

/* A packet that says no travels back by itself. */
static void refuse(struct sim_end *from, struct sim_host *h)
{
    struct sim_end shadow = {.host = h, .other = from, .far = from->host};

    sim_end_send(&shadow, SIM_SEGMENT_RESET);
}

static void free_syn(struct sim_syn *syn)
{
    list_remove(&syn->link);
    mem_free(syn);
}

void sim_syns_free(struct sim_net *n)
{
    while (!list_empty(&n->syns))
        free_syn(container_of(list_first(&n->syns), struct sim_syn, link));
}

static void on_syn(struct timer *t, struct mtime now)
{
    struct sim_syn *syn = container_of(t, struct sim_syn, timer);
    struct sim_end *from = syn->from;
    struct sim_host *h = syn->to;

    if (from == NULL || h->clock->dead) {
        if (from != NULL)
            from->syn = NULL;
        free_syn(syn);
        return;
    }
    if (!h->up || sim_net_is_cut(h->of, from->host, h) ||
        sim_net_is_cut(h->of, h, from->host) || (h->nat && from->host != h)) {
        sim_clock_set(h->clock, t, mtime_add_ms(now, SYN_AGAIN_MS));
        return;
    }
    uint16_t port = syn->port;
    from->syn = NULL;
    free_syn(syn);
    struct sim_listener *l = listener_at(h, port);
    if (l == NULL || !accept(h, l, from, now))
        refuse(from, h);
}

static void send_syn(struct sim_end *e, const struct net_addr *to)
{
    struct sim_syn *syn = mem_zalloc(1, sizeof(*syn));

    syn->from = e;
    syn->to = e->far;
    syn->port = to->port;
    timer_init(&syn->timer, on_syn);
    e->syn = syn;
    list_add_tail(&e->host->of->syns, &syn->link);
    sim_clock_after(e->far->clock, &syn->timer,
                    sim_host_delay(e->host, e->far));
}

static enum err do_dial(struct net *net, struct net_sock *s,
                        const struct net_addr *to)
{
    struct sim_host *h = sim_host_of(net);

    if (h->clock->dead)
        return E_IO;
    struct sim_end *e = sim_end_new(h, s, SIM_END_DIALING);
    struct net_addr local = h->addr;
    local.port = sim_host_port(h);
    set_addrs(s, &local, to);
    s->secured = NULL;
    e->far = to->port == 0 ? NULL : sim_host_at(h, to);
    sim_clock_set(h->clock, &e->own,
                  mtime_add_ms(sim_clock_now(h->clock), SIM_DIAL_MS));
    if (e->far != NULL)
        send_syn(e, to);
    return OK;
}

void sim_dial_ops(struct net *net)
{
    net->listen = do_listen;
    net->unlisten = do_unlisten;
    net->dial = do_dial;
}
