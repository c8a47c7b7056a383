#include "node/seeds.h"

#include <assert.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "discovery/dnsaddr.h"
#include "discovery/mdns.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/net.h"
#include "env/rng.h"

enum { INTERFACES_MAX = 64 };

struct name;

/* A question of one name. */
struct lookup {
    struct net_lookup lookup;
    struct name *name;
    uint32_t id;
    enum net_lookup_kind kind;
    struct list link;
};

/* An address that is being resolved. */
struct name {
    struct seeds *seeds;
    struct dnsaddr *core;
    enum book_source source;
    struct list lookups;
    struct list link;
    bool pumping;
};

/* One socket of mDNS. */
struct socket {
    struct net_udp udp;
    struct net_addr iface;
    struct seeds *seeds;
    bool is_used; /* until it has closed */
    bool is_open;
};

struct seeds {
    struct seeds_config config;
    struct list names;
    size_t names_count;
    struct mdns *mdns; /* NULL: off */
    struct socket sockets[MDNS_SOCKETS_MAX];
    struct timer timer;
};

/* Names. */

static void pump_name(struct name *n, struct mtime now);

static void name_free(struct name *n)
{
    struct net *net = n->seeds->config.env->net;

    list_for_each_safe (it, &n->lookups) {
        struct lookup *l = container_of(it, struct lookup, link);
        net->lookup_cancel(net, &l->lookup);
        list_remove(it);
        mem_free(l);
    }
    list_remove(&n->link);
    n->seeds->names_count--;
    dnsaddr_free(n->core);
    mem_free(n);
}

static void answer_ips(struct lookup *l, enum err err)
{
    struct ma_ip ips[NET_LOOKUP_ADDRS_MAX];
    size_t count = err == OK ? l->lookup.addrs_count : 0;

    for (size_t i = 0; i < count; i++) {
        ips[i] = (struct ma_ip){.len = l->lookup.addrs[i].ip_len};
        memcpy(ips[i].bytes, l->lookup.addrs[i].ip, ips[i].len);
    }
    dnsaddr_on_ips(l->name->core, l->id, err, ips, count);
}

static void on_looked_up(struct net_lookup *lookup, enum err err,
                         struct mtime now)
{
    struct lookup *l = container_of(lookup, struct lookup, lookup);
    struct name *n = l->name;

    list_remove(&l->link);
    if (l->kind == NET_LOOKUP_IP)
        answer_ips(l, err);
    else
        dnsaddr_on_texts(n->core, l->id, err, lookup->texts,
                         err == OK ? lookup->texts_count : 0);
    mem_free(l);
    pump_name(n, now);
}

static void look_up(struct name *n, enum net_lookup_kind kind,
                    const struct dnsaddr_out *out)
{
    struct net *net = n->seeds->config.env->net;
    struct lookup *l = mem_zalloc(1, sizeof(*l));

    l->lookup.done = on_looked_up;
    l->name = n;
    l->id = out->id;
    l->kind = kind;
    list_add_tail(&n->lookups, &l->link);
    enum err err = net->lookup(net, &l->lookup, kind, out->name);
    if (err == OK)
        return;
    list_remove(&l->link);
    mem_free(l);
    if (kind == NET_LOOKUP_IP)
        dnsaddr_on_ips(n->core, out->id, err, NULL, 0);
    else
        dnsaddr_on_texts(n->core, out->id, err, NULL, 0);
}

static void tell(struct seeds *s, const struct multiaddr *addr,
                 enum book_source source, struct mtime now)
{
    struct multiaddr plain = *addr;
    struct peer_id peer;

    if (multiaddr_get_peer(addr, &peer) != OK ||
        peer_id_eq(&peer, &s->config.self))
        return; /* nobody, or nobody else, is there */
    multiaddr_strip_peer(&plain);
    s->config.found(s->config.user, &peer, &plain, source, now);
}

static void pump_name(struct name *n, struct mtime now)
{
    struct dnsaddr_out out;

    if (n->pumping)
        return;
    n->pumping = true;
    while (dnsaddr_next(n->core, &out)) {
        switch (out.kind) {
        case DNSADDR_LOOKUP_TXT:
            look_up(n, NET_LOOKUP_TXT, &out);
            break;
        case DNSADDR_LOOKUP_IP:
            look_up(n, NET_LOOKUP_IP, &out);
            break;
        case DNSADDR_FOUND:
            tell(n->seeds, &out.addr, n->source, now);
            break;
        case DNSADDR_DONE:
            name_free(n);
            return;
        }
    }
    n->pumping = false;
}

void seeds_resolve(struct seeds *s, const struct multiaddr *addr,
                   enum book_source source, struct mtime now)
{
    struct dnsaddr *core;

    if (s->names_count == SEEDS_NAMES_MAX || dnsaddr_new(addr, &core) != OK)
        return;
    struct name *n = mem_zalloc(1, sizeof(*n));
    n->seeds = s;
    n->core = core;
    n->source = source;
    list_init(&n->lookups);
    list_add_tail(&s->names, &n->link);
    s->names_count++;
    pump_name(n, now);
}

/* The local network. */

static struct net_addr group_of(uint8_t ip_len, uint32_t scope)
{
    struct ma_ip group = ip_len == 4 ? MDNS_GROUP4 : MDNS_GROUP6;
    struct net_addr at = {.ip_len = ip_len, .port = MDNS_PORT};

    at.scope = ip_len == 4 ? 0 : scope;
    memcpy(at.ip, group.bytes, ip_len);
    return at;
}

static void send_to(struct seeds *s, size_t socket, const struct net_addr *to,
                    struct bytes packet)
{
    struct net *net = s->config.env->net;
    struct socket *k = &s->sockets[socket];

    if (k->is_open) /* what is lost is asked again */
        (void)net->udp_send(net, &k->udp, to, packet);
}

static void send_to_group(struct seeds *s, const struct mdns_out *out)
{
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        const struct net_addr *local = &s->sockets[i].iface;
        if (out->socket != MDNS_ALL_SOCKETS && out->socket != i)
            continue;
        struct net_addr to = group_of(local->ip_len, local->scope);
        send_to(s, i, &to, out->packet);
    }
}

static void reply_to(struct seeds *s, const struct mdns_out *out)
{
    struct net_addr to = {
        .ip_len = out->to.ip.len, .port = out->to.port, .scope = out->to.scope};

    memcpy(to.ip, out->to.ip.bytes, to.ip_len);
    send_to(s, out->to.socket, &to, out->packet);
}

static void pump_mdns(struct seeds *s, struct mtime now)
{
    struct clock *clock = s->config.env->clock;
    struct mdns_out out;

    while (mdns_next(s->mdns, &out)) {
        switch (out.kind) {
        case MDNS_SEND:
            send_to_group(s, &out);
            break;
        case MDNS_REPLY:
            reply_to(s, &out);
            break;
        case MDNS_FOUND:
            s->config.found(s->config.user, &out.peer, &out.addr, BOOK_MDNS,
                            now);
            break;
        }
    }
    clock->set(clock, &s->timer, mdns_deadline(s->mdns));
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct seeds *s = container_of(t, struct seeds, timer);

    mdns_on_time(s->mdns, now);
    pump_mdns(s, now);
}

static void on_datagram(struct net_udp *udp, const struct net_addr *from,
                        struct bytes in, struct mtime now)
{
    struct socket *k = container_of(udp, struct socket, udp);
    struct seeds *s = k->seeds;
    struct mdns_from who = {
        .ip = {.len = from->ip_len},
        .port = from->port,
        .scope = from->scope,
        .socket = (uint32_t)(k - s->sockets),
    };

    memcpy(who.ip.bytes, from->ip, from->ip_len);
    mdns_on_packet(s->mdns, &who, in, now);
    pump_mdns(s, now);
}

static void on_udp_closed(struct net_udp *udp, struct mtime now)
{
    struct socket *k = container_of(udp, struct socket, udp);

    (void)now;
    k->is_used = false;
}

static void close_socket(struct seeds *s, struct socket *k)
{
    struct net *net = s->config.env->net;

    k->is_open = false;
    net->udp_close(net, &k->udp);
}

/* An interface without multicast is none of ours. */
static bool open_socket(struct seeds *s, struct socket *k,
                        const struct net_addr *iface)
{
    struct net *net = s->config.env->net;
    struct net_addr group = group_of(iface->ip_len, iface->scope);

    memset(k, 0, sizeof(*k));
    k->seeds = s;
    k->iface = *iface;
    k->udp.on_datagram = on_datagram;
    k->udp.on_closed = on_udp_closed;
    if (net->udp_open(net, &k->udp, &group, NET_UDP_REUSE) != OK)
        return false;
    k->is_used = true;
    k->is_open = true;
    if (net->udp_join(net, &k->udp, &group, iface) == OK)
        return true;
    close_socket(s, k);
    return false;
}

static bool is_usable(const struct seeds *s, const struct net_addr *iface)
{
    bool loopback = iface->ip_len == 4 && iface->ip[0] == 127;

    /* One socket an interface and family: of IPv6 that of its link. */
    if (iface->ip_len == 16)
        return iface->scope != 0;
    return !loopback || s->config.loopback;
}

static bool is_same(const struct net_addr *a, const struct net_addr *b)
{
    return a->ip_len == b->ip_len && a->scope == b->scope &&
           memcmp(a->ip, b->ip, a->ip_len) == 0;
}

static bool is_among(const struct net_addr *list, size_t count,
                     const struct net_addr *iface)
{
    for (size_t i = 0; i < count; i++) {
        if (is_same(&list[i], iface))
            return true;
    }
    return false;
}

static bool has_socket(const struct seeds *s, const struct net_addr *iface)
{
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        if (s->sockets[i].is_open && is_same(&s->sockets[i].iface, iface))
            return true;
    }
    return false;
}

static struct socket *free_place(struct seeds *s)
{
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        if (!s->sockets[i].is_used)
            return &s->sockets[i];
    }
    return NULL;
}

/* True when there is a new one. */
static bool fit_sockets(struct seeds *s)
{
    struct net *net = s->config.env->net;
    struct net_addr found[INTERFACES_MAX];
    size_t count = net->interfaces(net, found, INTERFACES_MAX);
    bool any = false;

    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        struct socket *k = &s->sockets[i];
        if (k->is_open && !is_among(found, count, &k->iface))
            close_socket(s, k);
    }
    for (size_t i = 0; i < count; i++) {
        struct socket *k = free_place(s);
        if (k != NULL && is_usable(s, &found[i]) && !has_socket(s, &found[i]))
            any |= open_socket(s, k, &found[i]);
    }
    return any;
}

void seeds_look(struct seeds *s, struct mtime now)
{
    if (s->mdns == NULL || !fit_sockets(s))
        return;
    mdns_ask(s->mdns, now);
    pump_mdns(s, now);
}

void seeds_ask(struct seeds *s, struct mtime now)
{
    if (s->mdns == NULL)
        return;
    mdns_ask(s->mdns, now);
    pump_mdns(s, now);
}

void seeds_set_addrs(struct seeds *s, const struct multiaddr *addrs,
                     size_t count, struct mtime now)
{
    if (s->mdns == NULL)
        return;
    mdns_set_addrs(s->mdns, addrs, count, now);
    pump_mdns(s, now);
}

/* Life. */

struct seeds *seeds_new(const struct seeds_config *config, struct mtime now)
{
    struct seeds *s = mem_zalloc(1, sizeof(*s));
    struct mdns_config mdns = {.self = config->self,
                               .loopback = config->loopback};

    s->config = *config;
    list_init(&s->names);
    timer_init(&s->timer, on_timer);
    if (!config->mdns)
        return s;
    config->env->rng->fill(config->env->rng, mdns.seed, sizeof(mdns.seed));
    s->mdns = mdns_new(&mdns, now);
    (void)fit_sockets(s); /* mdns_new() asks */
    pump_mdns(s, now);
    return s;
}

void seeds_stop(struct seeds *s)
{
    struct env *env = s->config.env;

    env->clock->set(env->clock, &s->timer, MTIME_NEVER);
    list_for_each_safe (it, &s->names)
        name_free(container_of(it, struct name, link));
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        if (s->sockets[i].is_open)
            close_socket(s, &s->sockets[i]);
    }
}

bool seeds_is_idle(const struct seeds *s)
{
    for (size_t i = 0; i < MDNS_SOCKETS_MAX; i++) {
        if (s->sockets[i].is_used)
            return false;
    }
    return true;
}

void seeds_free(struct seeds *s)
{
    if (s == NULL)
        return;
    assert(seeds_is_idle(s) && list_empty(&s->names));
    mdns_free(s->mdns);
    mem_free(s);
}
