/* Datagrams and multicast. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "sim/clock.h"
#include "sim/net_priv.h"

enum { MULTICAST_FIRST = 224, MULTICAST_LAST = 239 };

struct sim_udp {
    struct list link; /* in host.udps */
    struct sim_host *host;
    struct net_udp *user;
    unsigned flags;
    bool closed;
    struct net_addr groups[SIM_GROUPS_MAX];
    size_t groups_count;
    struct timer end;
};

/* One datagram on its way to one host. */
struct flight {
    struct timer arrival;
    struct list link; /* in sim_net.flights */
    struct sim_host *from;
    struct sim_host *to;
    struct net_addr source;
    struct net_addr dest;
    struct buf *buf;
};

static bool is_group(const struct net_addr *a)
{
    return a->ip_len == 4 && a->ip[0] >= MULTICAST_FIRST &&
           a->ip[0] <= MULTICAST_LAST;
}

static bool has_joined(const struct sim_udp *u, const struct net_addr *group)
{
    for (size_t i = 0; i < u->groups_count; i++) {
        if (memcmp(u->groups[i].ip, group->ip, 4) == 0)
            return true;
    }
    return false;
}

static bool wants(const struct sim_udp *u, const struct net_addr *dest)
{
    if (u->closed || u->user->local.port != dest->port)
        return false;
    return !is_group(dest) || has_joined(u, dest);
}

static void on_end(struct timer *t, struct mtime now)
{
    struct sim_udp *u = container_of(t, struct sim_udp, end);
    struct net_udp *user = u->user;

    list_remove(&u->link);
    mem_free(u);
    user->priv = NULL;
    user->on_closed(user, now);
}

static bool is_shared(const struct sim_host *h, uint16_t port, unsigned flags)
{
    list_for_each (it, &h->udps) {
        const struct sim_udp *u = container_of(it, struct sim_udp, link);
        if (u->closed || u->user->local.port != port)
            continue;
        if ((u->flags & flags & NET_UDP_REUSE) == 0)
            return false;
    }
    return true;
}

static enum err do_open(struct net *net, struct net_udp *user,
                        const struct net_addr *at, unsigned flags)
{
    struct sim_host *h = sim_host_of(net);

    if (h->clock->dead)
        return E_IO;
    if (!sim_host_has(h, at))
        return E_NOTFOUND;
    uint16_t port = at->port != 0 ? at->port : sim_host_port(h);
    if (!is_shared(h, port, flags))
        return E_EXISTS;
    struct sim_udp *u = mem_zalloc(1, sizeof(*u));
    u->host = h;
    u->user = user;
    u->flags = flags;
    timer_init(&u->end, on_end);
    list_add_tail(&h->udps, &u->link);
    user->priv = u;
    user->local = *at;
    user->local.port = port;
    return OK;
}

static enum err do_join(struct net *net, struct net_udp *user,
                        const struct net_addr *group,
                        const struct net_addr *iface)
{
    struct sim_udp *u = user->priv;
    const struct sim_host *h = sim_host_of(net);

    if (!is_group(group) || h->lan == 0)
        return E_UNSUPPORTED;
    if (!sim_host_has(h, iface) && !h->nat)
        return E_NOTFOUND;
    if (has_joined(u, group))
        return E_EXISTS;
    if (u->groups_count == SIM_GROUPS_MAX)
        return E_LIMIT;
    u->groups[u->groups_count++] = *group;
    return OK;
}

static void free_flight(struct flight *f)
{
    list_remove(&f->link);
    buf_unref(f->buf);
    mem_free(f);
}

void sim_flights_free(struct sim_net *n)
{
    while (!list_empty(&n->flights))
        free_flight(container_of(list_first(&n->flights), struct flight, link));
}

static void on_flight(struct timer *t, struct mtime now)
{
    struct flight *f = container_of(t, struct flight, arrival);
    struct sim_host *h = f->to;
    bool lost = h->clock->dead || !h->up || sim_net_is_cut(h->of, f->from, h);

    list_for_each_safe (it, &h->udps) {
        struct sim_udp *u = container_of(it, struct sim_udp, link);
        if (lost || !wants(u, &f->dest))
            continue;
        h->of->datagrams++;
        sim_clock_trace(h->clock, SIM_DATAGRAM, buf_bytes(f->buf));
        u->user->on_datagram(u->user, &f->source, buf_bytes(f->buf), now);
        if (!is_group(&f->dest))
            break;
    }
    free_flight(f);
}

static void fly(struct sim_udp *u, struct sim_host *to,
                const struct net_addr *dest, struct buf *buf)
{
    struct flight *f = mem_zalloc(1, sizeof(*f));

    f->from = u->host;
    f->to = to;
    f->source = u->host->addr;
    f->source.port = u->user->local.port;
    f->dest = *dest;
    f->buf = buf_ref(buf);
    list_add_tail(&u->host->of->flights, &f->link);
    timer_init(&f->arrival, on_flight);
    sim_clock_after(to->clock, &f->arrival, sim_host_delay(u->host, to));
}

static void post(struct sim_udp *u, struct sim_host *to,
                 const struct net_addr *dest, struct buf *buf)
{
    struct sim_host *h = u->host;

    if (sim_host_loses(h, to) || (to->nat && to != h && !is_group(dest)))
        return;
    fly(u, to, dest, buf);
    if (sim_rand_chance(&h->rand, h->link_of.dup_ppm))
        fly(u, to, dest, buf);
}

static void post_to_group(struct sim_udp *u, const struct net_addr *dest,
                          struct buf *buf)
{
    list_for_each (it, &u->host->of->all) {
        struct sim_host *h = container_of(it, struct sim_host, link);
        if (h->lan == u->host->lan)
            post(u, h, dest, buf);
    }
}

static enum err do_send(struct net *net, struct net_udp *user,
                        const struct net_addr *to, struct bytes in)
{
    struct sim_udp *u = user->priv;
    struct sim_host *h = sim_host_of(net);

    if (u->closed || h->clock->dead)
        return u->closed ? E_CANCELED : E_IO;
    if (in.len > NET_UDP_BYTES_MAX)
        return E_LIMIT;
    bool group = is_group(to);
    struct sim_host *there = group ? NULL : sim_host_at(h, to);
    if (group && (h->lan == 0 || u->groups_count == 0))
        return E_NOTFOUND;
    struct buf *buf = buf_copy(in);
    if (group)
        post_to_group(u, to, buf);
    else if (there != NULL)
        post(u, there, to, buf);
    buf_unref(buf);
    return OK;
}

static void do_close(struct net *net, struct net_udp *user)
{
    struct sim_udp *u = user->priv;

    if (u == NULL || u->closed)
        return;
    u->closed = true;
    sim_clock_after(sim_host_of(net)->clock, &u->end, 0);
}

void sim_udp_ops(struct net *net)
{
    net->udp_open = do_open;
    net->udp_join = do_join;
    net->udp_send = do_send;
    net->udp_close = do_close;
}
