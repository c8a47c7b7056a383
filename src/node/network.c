#include "node/network.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/net.h"
#include "env/rng.h"
#include "node/log.h"

enum { INTERFACES_MAX = 64 };

struct listener {
    struct net_listener l;
    struct network *network;
    struct multiaddr addr;
};

/* One socket; freed when its last callback has come. */
struct node_sock {
    struct net_sock sock;
    struct network *network;
    struct conn_id conn; /* 0 when the swarm has forgotten it */
    bool dialing;
    struct list link;
};

struct network {
    struct env *env;
    struct log *log;
    struct swarm *swarm;
    struct network_service *services[NETWORK_SERVICES_MAX]; /* by handler */
    struct list watchers;
    bool (*gate)(void *user, const struct peer_id *peer,
                 const struct multiaddr *remote, struct mtime now);
    void *gate_user;
    struct listener *listeners[NETWORK_LISTENERS_MAX];
    size_t listeners_count;
    struct multiaddr *addrs; /* owned: at most SWARM_ADDRS_MAX */
    size_t addrs_count;
    bool is_told; /* they are not those that we listen on */
    struct list socks;
    struct list connects;
    struct list pings;
    struct timer timer;
    bool draining;
};

static struct multiaddr to_multiaddr(const struct net_addr *a)
{
    struct ma_ip ip = {.len = a->ip_len};

    memcpy(ip.bytes, a->ip, a->ip_len);
    return multiaddr_from_ip_port(&ip, MA_TCP, a->port);
}

/* E_NOTFOUND: this machine has no such zone. */
static enum err to_net_addr(struct net *net, const struct multiaddr *addr,
                            struct net_addr *ret_addr)
{
    struct ma_ip ip;
    struct bytes zone;
    uint16_t port;
    enum err err = multiaddr_get_zoned_tcp(addr, &ip, &port, &zone);
    if (err != OK)
        return E_UNSUPPORTED;

    struct net_addr a = {.ip_len = ip.len, .port = port};
    memcpy(a.ip, ip.bytes, ip.len);
    if (zone.len > 0 && net->zone != NULL)
        a.scope = net->zone(net, zone);
    if (zone.len > 0 && a.scope == 0)
        return E_NOTFOUND;
    *ret_addr = a;
    return OK;
}

/* @local behind the zone that @addr begins with, if it does. */
static struct multiaddr with_zone(const struct multiaddr *addr,
                                  struct multiaddr local)
{
    struct multiaddr out = {.len = 0};
    struct rd r = multiaddr_rd(addr);
    struct ma_component first;

    if (!multiaddr_next(&r, &first) || first.code != MA_IP6ZONE)
        return local;
    out.len = (uint16_t)(addr->len - rd_left(&r));
    memcpy(out.bytes, addr->bytes, out.len);
    return multiaddr_append(&out, &local) == OK ? out : local;
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct network *n = container_of(t, struct network, timer);

    swarm_on_time(n->swarm, now);
    (void)network_drain(n, now);
}

struct network *network_new(struct env *env, const struct swarm_config *config,
                            struct log *log)
{
    struct network *n = mem_zalloc(1, sizeof(*n));

    n->env = env;
    n->log = log;
    n->swarm = swarm_new(config);
    list_init(&n->socks);
    list_init(&n->connects);
    list_init(&n->pings);
    list_init(&n->watchers);
    timer_init(&n->timer, on_timer);
    return n;
}

void network_free(struct network *n)
{
    if (n == NULL)
        return;
    assert(list_empty(&n->socks) && list_empty(&n->watchers));
    n->env->clock->set(n->env->clock, &n->timer, MTIME_NEVER);
    swarm_free(n->swarm);
    mem_free(n->addrs);
    mem_free(n);
}

void network_serve(struct network *n, struct network_service *service,
                   const struct swarm_protocol *protocol, struct mtime now)
{
    struct swarm_protocol p = *protocol;

    p.handler = 0;
    while (p.handler < NETWORK_SERVICES_MAX && n->services[p.handler] != NULL)
        p.handler++;
    assert(p.handler < NETWORK_SERVICES_MAX);
    service->name = p.name;
    service->handler = p.handler;
    n->services[p.handler] = service;
    enum err err = swarm_protocol_add(n->swarm, &p, now);
    assert(err == OK);
    (void)err; /* without asserts */
}

void network_unserve(struct network *n, struct network_service *service,
                     struct mtime now)
{
    swarm_protocol_remove(n->swarm, service->name, now);
    n->services[service->handler] = NULL;
}

const char *network_protocol(const struct network *n, size_t index)
{
    return n->services[index] != NULL ? n->services[index]->name : NULL;
}

void network_watch(struct network *n, struct network_watcher *w)
{
    list_add_tail(&n->watchers, &w->link);
}

void network_unwatch(struct network_watcher *w)
{
    list_remove(&w->link);
}

void network_set_gate(struct network *n,
                      bool (*gate)(void *user, const struct peer_id *peer,
                                   const struct multiaddr *remote,
                                   struct mtime now),
                      void *user)
{
    n->gate = gate;
    n->gate_user = user;
}

static bool is_admitted(const struct network *n, const struct peer_id *peer,
                        const struct multiaddr *remote, struct mtime now)
{
    return n->gate == NULL || n->gate(n->gate_user, peer, remote, now);
}

struct swarm *network_swarm(struct network *n)
{
    return n->swarm;
}

/* Sockets. */

static void fill_transport(struct network *n, struct node_sock *s,
                           const struct net_addr *local,
                           const struct net_addr *remote,
                           struct swarm_transport *t)
{
    *t = (struct swarm_transport){
        .owner = s,
        .local = to_multiaddr(local),
        .remote = to_multiaddr(remote),
    };
    n->env->rng->fill(n->env->rng, t->entropy, sizeof(t->entropy));
}

static void on_open(struct net_sock *sock, enum err err, struct mtime now)
{
    struct node_sock *s = container_of(sock, struct node_sock, sock);
    struct network *n = s->network;

    if (s->conn.n == 0)
        return; /* the swarm has changed its mind; on_closed follows */
    s->dialing = false;
    if (err != OK) {
        swarm_dial_failed(n->swarm, s->conn, err, now);
        s->conn.n = 0;
        (void)network_drain(n, now);
        return;
    }
    struct swarm_transport t;
    fill_transport(n, s, &sock->local, &sock->remote, &t);
    t.secured = sock->secured;
    if (swarm_dialed(n->swarm, s->conn, &t, now) != OK) {
        s->conn.n = 0;
        n->env->net->close(n->env->net, sock, true);
    }
    (void)network_drain(n, now);
}

static void on_read(struct net_sock *sock, uint8_t *p, size_t len,
                    struct mtime now)
{
    struct node_sock *s = container_of(sock, struct node_sock, sock);

    if (s->conn.n == 0)
        return;
    swarm_bytes(s->network->swarm, s->conn, p, len, now);
    (void)network_drain(s->network, now);
}

static void on_writable(struct net_sock *sock, struct mtime now)
{
    struct node_sock *s = container_of(sock, struct node_sock, sock);

    if (s->conn.n == 0)
        return;
    swarm_queued(s->network->swarm, s->conn, NET_LOW_BYTES);
    (void)network_drain(s->network, now);
}

static void on_closed(struct net_sock *sock, enum err why, struct mtime now)
{
    struct node_sock *s = container_of(sock, struct node_sock, sock);
    struct network *n = s->network;

    if (s->conn.n != 0 && s->dialing)
        swarm_dial_failed(n->swarm, s->conn, why, now);
    else if (s->conn.n != 0)
        swarm_transport_closed(n->swarm, s->conn, why, now);
    list_remove(&s->link);
    mem_free(s);
    (void)network_drain(n, now);
}

static struct node_sock *sock_new(struct network *n)
{
    struct node_sock *s = mem_zalloc(1, sizeof(*s));

    s->sock.on_open = on_open;
    s->sock.on_read = on_read;
    s->sock.on_writable = on_writable;
    s->sock.on_closed = on_closed;
    s->network = n;
    list_add_tail(&n->socks, &s->link);
    return s;
}

static struct net_sock *on_accept(struct net_listener *l,
                                  const struct net_addr *remote,
                                  struct mtime now)
{
    struct listener *at = container_of(l, struct listener, l);
    struct network *n = at->network;
    struct node_sock *s = sock_new(n);
    struct swarm_transport t;

    fill_transport(n, s, &l->local, remote, &t);
    t.secured = l->secured;
    bool admitted = is_admitted(n, NULL, &t.remote, now);
    if (!admitted || swarm_accepted(n->swarm, &t, now, &s->conn) != OK) {
        list_remove(&s->link);
        mem_free(s);
        return NULL;
    }
    return &s->sock;
}

/* Listening and announcing. */

enum err network_listen(struct network *n, const struct multiaddr *addr,
                        bool search, struct multiaddr *ret_addr)
{
    struct net_addr at;
    enum err err = to_net_addr(n->env->net, addr, &at);
    if (err != OK)
        return err;
    if (n->listeners_count == NETWORK_LISTENERS_MAX)
        return E_LIMIT;

    struct net *net = n->env->net;
    struct listener *l = mem_zalloc(1, sizeof(*l));
    l->l.on_accept = on_accept;
    l->network = n;
    err = net->listen(net, &l->l, &at);
    for (unsigned i = 1; err == E_EXISTS && search && at.port < UINT16_MAX &&
                         i < NETWORK_PORT_TRIES;
         i++) {
        at.port++;
        err = net->listen(net, &l->l, &at);
    }
    if (err != OK) {
        mem_free(l);
        return err;
    }
    n->listeners[n->listeners_count++] = l;
    l->addr = with_zone(addr, to_multiaddr(&l->l.local));
    *ret_addr = l->addr;
    return OK;
}

static bool is_wildcard(const struct net_addr *a)
{
    for (size_t i = 0; i < a->ip_len; i++) {
        if (a->ip[i] != 0)
            return false;
    }
    return true;
}

static void push_addr(struct network *n, const struct multiaddr *addr)
{
    if (n->addrs_count == SWARM_ADDRS_MAX)
        return;
    n->addrs = mem_resize(n->addrs, n->addrs_count + 1, sizeof(n->addrs[0]));
    n->addrs[n->addrs_count++] = *addr;
}

static void add_addr(struct network *n, const struct net_addr *a)
{
    struct multiaddr addr = to_multiaddr(a);

    push_addr(n, &addr);
}

static void add_interfaces(struct network *n, const struct net_addr *listening)
{
    struct net_addr found[INTERFACES_MAX];
    size_t count = n->env->net->interfaces(n->env->net, found, INTERFACES_MAX);

    for (size_t i = 0; i < count; i++) {
        /* An address with a zone means nothing on another machine. */
        if (found[i].ip_len != listening->ip_len || found[i].scope != 0)
            continue;
        found[i].port = listening->port;
        add_addr(n, &found[i]);
    }
}

static void add_listening(struct network *n)
{
    for (size_t i = 0; i < n->listeners_count; i++) {
        const struct net_addr *a = &n->listeners[i]->l.local;
        if (is_wildcard(a))
            add_interfaces(n, a);
        else if (a->scope == 0)
            add_addr(n, a);
    }
}

static void publish(struct network *n, struct mtime now)
{
    uint64_t seq = n->env->clock->unix_ms(n->env->clock) * 1000000;

    swarm_set_addrs(n->swarm, n->addrs, n->addrs_count, seq, now);
    (void)network_drain(n, now);
}

void network_announce(struct network *n, const struct multiaddr *addrs,
                      size_t count, struct mtime now)
{
    n->addrs_count = 0;
    n->is_told = count > 0;
    for (size_t i = 0; i < count; i++)
        push_addr(n, &addrs[i]);
    if (!n->is_told)
        add_listening(n);
    publish(n, now);
}

bool network_refresh(struct network *n, struct mtime now)
{
    size_t count = n->addrs_count;
    struct multiaddr *old;
    bool same = true;

    if (n->is_told)
        return false;
    old = n->addrs;
    n->addrs = NULL;
    n->addrs_count = 0;
    add_listening(n);
    same = n->addrs_count == count;
    for (size_t i = 0; same && i < count; i++)
        same = multiaddr_eq(&old[i], &n->addrs[i]);
    mem_free(old);
    if (!same)
        publish(n, now);
    return !same;
}

size_t network_addrs(const struct network *n, struct multiaddr *dst, size_t max)
{
    size_t count = n->addrs_count < max ? n->addrs_count : max;

    for (size_t i = 0; i < count; i++)
        dst[i] = n->addrs[i];
    return count;
}

size_t network_link_addrs(const struct network *n, struct multiaddr *dst,
                          size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < n->listeners_count && count < max; i++)
        if (n->listeners[i]->l.local.scope != 0)
            dst[count++] = n->listeners[i]->addr;
    return count;
}

/* Requests. */

enum err network_dial(struct network *n, struct connect_op *op,
                      const struct network_target *target, struct mtime now)
{
    struct multiaddr addrs[SWARM_ADDRS_MAX];
    struct swarm_dial_op dial = {
        .peer = &target->peer,
        .addrs = addrs,
        .force = target->force,
        .owner = target->passing ? n : NULL,
    };

    for (size_t i = 0; i < target->count && dial.count < SWARM_ADDRS_MAX; i++) {
        if (is_admitted(n, &target->peer, &target->addrs[i], now))
            addrs[dial.count++] = target->addrs[i];
    }
    op->peer = target->peer;
    if (target->count > 0 && dial.count == 0)
        return E_REFUSED;
    enum err err = swarm_dial(n->swarm, &dial, now);
    if (err == OK || err == E_AGAIN) {
        list_add_tail(&n->connects, &op->link);
        return OK;
    }
    return err;
}

bool network_is_passing(const struct network *n, const struct swarm_out *out)
{
    return out->owner == n;
}

enum err network_connect(struct network *n, struct connect_op *op,
                         const struct multiaddr *addr, struct mtime now)
{
    struct network_target target = {.addrs = addr, .count = 1, .force = true};

    if (multiaddr_get_peer(addr, &target.peer) != OK)
        return E_MALFORMED;
    return network_dial(n, op, &target, now);
}

void network_connect_cancel(struct connect_op *op)
{
    list_remove(&op->link);
}

static void end_connects(struct network *n, const struct swarm_out *out,
                         enum err err, struct mtime now)
{
    struct list ended;

    list_init(&ended);
    list_for_each_safe (it, &n->connects) {
        struct connect_op *op = container_of(it, struct connect_op, link);
        if (peer_id_eq(&op->peer, &out->peer)) {
            list_remove(it);
            list_add_tail(&ended, it);
        }
    }
    while (!list_empty(&ended)) {
        struct list *first = list_first(&ended);
        struct connect_op *op = container_of(first, struct connect_op, link);
        list_remove(first);
        op->actual = out->actual;
        op->done(op, err, now);
    }
}

enum err network_ping(struct network *n, struct ping_op *op,
                      const struct peer_id *peer, struct mtime now)
{
    enum err err = swarm_ping(n->swarm, peer, op, now);

    if (err == OK)
        list_add_tail(&n->pings, &op->link);
    return err;
}

void network_ping_cancel(struct ping_op *op)
{
    list_remove(&op->link);
}

/* An op that was cancelled is in no list any more: compare, don't follow. */
static void end_ping(struct network *n, const struct swarm_out *out,
                     struct mtime now)
{
    list_for_each (it, &n->pings) {
        struct ping_op *op = container_of(it, struct ping_op, link);
        if (op != out->owner)
            continue;
        list_remove(&op->link);
        op->done(op, out->err, out->rtt_us, now);
        return;
    }
}

/* What the swarm says. */

static void log_peer(struct network *n, enum log_level level, const char *event,
                     const struct swarm_out *out)
{
    struct log_line line;
    char peer[PEER_ID_TEXT_MAX];
    char addr[MULTIADDR_TEXT_MAX];

    log_begin(&line, n->log, level, "network", event);
    if (out->peer.len > 0) {
        size_t len = peer_id_format(&out->peer, peer);
        log_str(&line, "peer", (struct bytes){(uint8_t *)peer, len});
    }
    if (out->addr.len > 0) {
        size_t len = multiaddr_format(&out->addr, addr);
        log_str(&line, "address", (struct bytes){(uint8_t *)addr, len});
    }
    if (out->err != OK)
        log_str(&line, "error", bytes_str(err_name(out->err)));
    log_end(&line);
}

static void do_dial(struct network *n, const struct swarm_out *out,
                    struct mtime now)
{
    struct net_addr to;
    enum err err = to_net_addr(n->env->net, &out->addr, &to);
    if (err != OK) {
        swarm_dial_failed(n->swarm, out->conn, err, now);
        return;
    }
    struct node_sock *s = sock_new(n);
    s->conn = out->conn;
    s->dialing = true;
    err = n->env->net->dial(n->env->net, &s->sock, &to);
    if (err == OK)
        return;
    list_remove(&s->link);
    mem_free(s);
    swarm_dial_failed(n->swarm, out->conn, err, now);
}

static struct node_sock *sock_of_conn(struct network *n, struct conn_id conn)
{
    list_for_each (it, &n->socks) {
        struct node_sock *s = container_of(it, struct node_sock, link);
        if (s->conn.n == conn.n)
            return s;
    }
    return NULL;
}

static void do_close(struct network *n, const struct swarm_out *out)
{
    /* A dial that is still under way has no owner at the swarm yet. */
    struct node_sock *s =
        out->conn_owner != NULL ? out->conn_owner : sock_of_conn(n, out->conn);
    if (s == NULL)
        return;
    s->conn.n = 0;
    n->env->net->close(n->env->net, &s->sock, out->abort);
}

static void do_write(struct network *n, struct swarm_out *out)
{
    struct node_sock *s = out->conn_owner;
    size_t queued = n->env->net->write(n->env->net, &s->sock, &out->slice, 1);

    swarm_queued(n->swarm, out->conn, queued);
}

static void log_fault(struct network *n, const struct swarm_out *out)
{
    static const char *const words[] = {
        [SWARM_FAULT_HANDSHAKE] = "peer_failed_handshake",
        [SWARM_FAULT_IDENTITY] = "peer_is_somebody_else",
        [SWARM_FAULT_PROTOCOL] = "peer_broke_protocol",
        [SWARM_FAULT_IDENTIFY] = "peer_sent_bad_identify",
        [SWARM_FAULT_FLOOD] = "peer_floods",
        [SWARM_FAULT_TIMEOUT] = "peer_does_not_answer",
        [SWARM_FAULT_HOARD] = "peer_made_us_hold_too_much",
    };

    log_peer(n, LOG_INFO, words[out->fault], out);
}

static void tell_watchers(struct network *n, const struct swarm_out *out,
                          struct mtime now)
{
    list_for_each (it, &n->watchers) {
        struct network_watcher *w =
            container_of(it, struct network_watcher, link);
        w->on_peer(w, out, now);
    }
}

static void accept_stream(struct network *n, const struct swarm_out *out,
                          struct mtime now)
{
    /* The service may have ended since. */
    struct network_service *service =
        out->handler < NETWORK_SERVICES_MAX ? n->services[out->handler] : NULL;
    struct network_stream *s =
        service != NULL ? service->on_stream(service, out, now) : NULL;

    if (s != NULL)
        swarm_stream_set_owner(n->swarm, out->stream, s);
    else
        swarm_stream_reset(n->swarm, out->stream, SWARM_RESET_LIMIT);
}

static void tell_owner(const struct swarm_out *out, struct mtime now)
{
    struct network_stream *s = out->owner;

    if (s != NULL)
        s->on_out(s, out, now);
}

static void carry_out(struct network *n, struct swarm_out *out,
                      struct mtime now)
{
    switch (out->type) {
    case SWARM_DIAL:
        do_dial(n, out, now);
        break;
    case SWARM_WRITE:
        do_write(n, out);
        break;
    case SWARM_CLOSE:
        do_close(n, out);
        break;
    case SWARM_CONNECTED:
        log_peer(n, LOG_DEBUG, "connected", out);
        tell_watchers(n, out, now);
        end_connects(n, out, OK, now);
        break;
    case SWARM_DIAL_FAILED:
        log_peer(n, LOG_DEBUG, "dial_failed", out);
        tell_watchers(n, out, now);
        end_connects(n, out, out->err, now);
        break;
    case SWARM_DISCONNECTED:
        log_peer(n, LOG_DEBUG, "disconnected", out);
        tell_watchers(n, out, now);
        break;
    case SWARM_IDENTIFIED:
        tell_watchers(n, out, now);
        break;
    case SWARM_PING:
        end_ping(n, out, now);
        break;
    case SWARM_FAULT:
        log_fault(n, out);
        tell_watchers(n, out, now);
        break;
    case SWARM_STREAM_IN:
        accept_stream(n, out, now);
        break;
    case SWARM_STREAM_OPEN:
    case SWARM_STREAM_DATA:
    case SWARM_STREAM_EOF:
    case SWARM_STREAM_RESET:
    case SWARM_STREAM_WRITABLE:
        tell_owner(out, now);
        break;
    }
}

bool network_drain(struct network *n, struct mtime now)
{
    struct swarm_out out;
    bool any = false;

    /* A callback of an op may ask for something and so come here again. */
    if (n->draining)
        return false;
    n->draining = true;
    while (swarm_next(n->swarm, now, &out)) {
        carry_out(n, &out, now);
        any = true;
    }
    n->draining = false;
    n->env->clock->set(n->env->clock, &n->timer, swarm_deadline(n->swarm));
    return any;
}

void network_close(struct network *n, struct mtime now)
{
    struct net *net = n->env->net;

    for (size_t i = 0; i < n->listeners_count; i++) {
        net->unlisten(net, &n->listeners[i]->l);
        mem_free(n->listeners[i]);
    }
    n->listeners_count = 0;
    list_for_each (it, &n->socks) {
        struct node_sock *s = container_of(it, struct node_sock, link);
        if (s->conn.n != 0 && !s->dialing)
            swarm_close(n->swarm, s->conn, now);
    }
    (void)network_drain(n, now);
    list_for_each (it, &n->socks) {
        struct node_sock *s = container_of(it, struct node_sock, link);
        if (s->conn.n == 0)
            continue;
        s->conn.n = 0;
        net->close(net, &s->sock, true);
    }
}

bool network_is_idle(const struct network *n)
{
    return list_empty(&n->socks);
}
