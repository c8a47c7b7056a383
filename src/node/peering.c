#include "node/peering.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/wr.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/kv.h"
#include "libp2p/swarm.h"
#include "node/dht.h"
#include "node/exchange.h"
#include "node/log.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering_links.h"
#include "node/rows.h"
#include "node/rpc.h"
#include "node/seeds.h"

enum {
    STREAMS_MAX = 8, /* inbound, of one connection */
    ADDRS_MAX = 32,
    LOAD_MAX = 100000, /* rows that are looked at */
    SEED_TEXT_MAX = 512,
    GUESTS_PART = 8, /* of all connections */
    GUESTS_LEAST = 6,
    RTTS_EACH = 4, /* flushes: distances are noted with each so many */
};

/* A request to a member. */
struct ask {
    struct rpc_call call;
    struct peering *peering;
    uint64_t id;
    struct list link;
};

/* A dial for somebody who wants to know whether a peer can be reached. */
struct
try {
    struct peering *peering;
    uint64_t id;
    struct peer_id peer;
    struct list link;
};

struct peering {
    struct node *node;
    struct env *env;
    struct network *network;
    struct swarm *swarm;
    struct discovery *core;
    struct rpc *rpc;
    struct seeds *seeds;
    struct network_watcher watcher;
    struct rows rows;
    char protocol[NODE_PROTOCOL_MAX];
    struct list asks;
    struct list tries;
    struct list probes;
    struct list watchers;
    struct timer timer;
    struct timer flush;
    uint32_t flush_ms; /* to the next one */
    uint32_t flushes;
    struct timer look;
    struct mtime bootstrap_at; /* not again before */
    uint64_t offer_bytes;
    uint64_t free_bytes;
    bool started;
    bool pumping;
};

struct discovery *peering_discovery(struct peering *p)
{
    return p->core;
}

static void set_timer(struct peering *p)
{
    struct clock *clock = p->env->clock;

    clock->set(clock, &p->timer, discovery_deadline(p->core));
}

/* First peers. */

static void hear(struct peering *p, const struct book_heard *heard,
                 struct mtime now)
{
    /* One that is banned, or for which there is no room, is left out. */
    (void)discovery_hear(p->core, heard, now);
}

static void on_found(void *user, const struct peer_id *peer,
                     const struct multiaddr *addr, enum book_source source,
                     struct mtime now)
{
    struct peering *p = user;
    struct book_heard heard = {
        .peer = peer, .addrs = addr, .count = 1, .source = source};

    hear(p, &heard, now);
    (void)peering_pump(p, now);
}

static void resolve_text(struct peering *p, const char *text,
                         enum book_source source, struct mtime now)
{
    struct multiaddr addr;

    if (multiaddr_parse(bytes_str(text), &addr) == OK)
        seeds_resolve(p->seeds, &addr, source, now);
}

/* "xmbl.example" stands for: there is no domain yet. */
static bool is_asked(const char *domain)
{
    static const char never[] = "example";
    size_t len = strlen(domain);
    size_t end = sizeof(never) - 1;

    return len > 0 &&
           (len < end || memcmp(domain + len - end, never, end) != 0);
}

static void resolve_seeds(struct peering *p, struct mtime now)
{
    const struct config *config = node_settings(p->node);
    const char *domain = config_get_text(config, CONFIG_NETWORK_SEED_DOMAIN);

    for (unsigned i = 1; is_asked(domain) && i <= PEERING_SEEDS_MAX; i++) {
        struct strbuf s;
        strbuf_init(&s, SEED_TEXT_MAX);
        strbuf_str(&s, "/dnsaddr/seed");
        strbuf_u64(&s, i);
        strbuf_str(&s, ".");
        strbuf_str(&s, config_get_text(config, CONFIG_NETWORK_NAME));
        strbuf_str(&s, ".");
        strbuf_str(&s, domain);
        resolve_text(p, strbuf_cstr(&s), BOOK_DNS, now);
        strbuf_release(&s);
    }
}

static void bootstrap(struct peering *p, struct mtime now)
{
    const struct config *config = node_settings(p->node);
    size_t count;
    const char *const *texts =
        config_get_list(config, CONFIG_NETWORK_BOOTSTRAP, &count);

    p->bootstrap_at = mtime_add_ms(now, DISCOVERY_BOOTSTRAP_MS);
    for (size_t i = 0; i < count; i++)
        resolve_text(p, texts[i], BOOK_BOOTSTRAP, now);
    if (!config_get_bool(config, CONFIG_NETWORK_DISCOVERY))
        return;
    resolve_seeds(p, now);
    seeds_ask(p->seeds, now);
}

void peering_lonely(struct peering *p, struct mtime now)
{
    if (p->started && mtime_reached(now, p->bootstrap_at))
        bootstrap(p, now);
}

void peering_hear(struct peering *p, const struct peer_id *peer,
                  const struct multiaddr *addrs, size_t count, struct mtime now)
{
    struct book_heard heard = {
        .peer = peer, .addrs = addrs, .count = count, .source = BOOK_DHT};

    hear(p, &heard, now);
}

size_t peering_addrs(const struct peering *p, const struct peer_id *peer,
                     struct multiaddr *dst, size_t max)
{
    const struct book_peer *known = book_find(discovery_book(p->core), peer);
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    if (known == NULL)
        return 0;

    size_t count = book_addrs(known, addrs);
    count = count < max ? count : max;
    memcpy(dst, addrs, count * sizeof(addrs[0]));
    return count;
}

/* Our own record. */

static void tell_self(struct peering *p, struct mtime now)
{
    if (node_is_visitor(p->node))
        return; /* it is gone before anybody could have use of it */

    struct capability *self = mem_zalloc(1, sizeof(*self));
    struct multiaddr addrs[ADDRS_MAX];
    size_t count = network_addrs(p->network, addrs, ADDRS_MAX);

    for (size_t i = 0; i < count && self->addr_count < CAPABILITY_ADDRS_MAX;
         i++) {
        if (addrs[i].len <= CAPABILITY_ADDR_BYTES_MAX)
            self->addrs[self->addr_count++] = addrs[i];
    }
    self->has_storage = p->offer_bytes > 0;
    self->storage_offer = p->offer_bytes;
    self->storage_free = p->free_bytes;
    discovery_set_self(p->core, self, now);
    mem_free(self);
}

void peering_set_storage(struct peering *p, uint64_t offer_bytes,
                         uint64_t free_bytes, struct mtime now)
{
    p->offer_bytes = offer_bytes < CAPABILITY_STORAGE_MAX
                         ? offer_bytes
                         : CAPABILITY_STORAGE_MAX;
    p->free_bytes = free_bytes < p->offer_bytes ? free_bytes : p->offer_bytes;
    tell_self(p, now);
    set_timer(p);
}

static void addrs_changed(struct peering *p, struct mtime now)
{
    struct multiaddr addrs[ADDRS_MAX];
    size_t count = network_addrs(p->network, addrs, ADDRS_MAX);

    seeds_set_addrs(p->seeds, addrs, count, now);
    tell_self(p, now);
    set_timer(p);
}

/* Requests. */

static void ask_free(struct ask *a)
{
    list_remove(&a->link);
    mem_free(a);
}

static void on_answer(struct rpc_call *call, enum err err, struct bytes answer,
                      struct mtime now)
{
    struct ask *a = container_of(call, struct ask, call);
    struct peering *p = a->peering;
    uint64_t id = a->id;

    ask_free(a);
    discovery_on_answer(p->core, id, err, answer, now);
    set_timer(p);
}

static void do_request(struct peering *p, const struct discovery_out *out,
                       struct mtime now)
{
    struct ask *a = mem_zalloc(1, sizeof(*a));
    struct rpc_request request = {
        .target = {.peer = out->peer},
        .message = out->message,
        .answer_max = PEERS_MESSAGE_BYTES_MAX,
        .timeout_ms = DISCOVERY_REQUEST_MS,
    };

    a->peering = p;
    a->id = out->id;
    a->call.done = on_answer;
    list_add_tail(&p->asks, &a->link);
    rpc_call_start(p->rpc, &a->call, &request, now);
}

static void on_request(void *user, uint64_t id, const struct peer_id *peer,
                       const struct multiaddr *remote, struct bytes in,
                       struct mtime now)
{
    struct peering *p = user;

    (void)remote; /* the core knows where its peers are */
    discovery_on_request(p->core, peer, id, in, now);
    set_timer(p);
}

/* Dials. */

static void do_dial(struct peering *p, const struct discovery_out *out,
                    struct mtime now)
{
    /* Of the way into the network the core knows best when to try again.  Of
     * all others the addresses' own waits count too: many peers may be told of
     * at the address of one who has nothing to do with us. */
    struct swarm_dial_op op = {
        .peer = &out->peer,
        .addrs = out->addrs,
        .count = out->addr_count,
        .force = out->wanted,
    };
    enum err err = swarm_dial(p->swarm, &op, now);

    /* E_AGAIN: somebody else's dial tells the end; E_EXISTS: it did. */
    if (err != OK && err != E_AGAIN && err != E_EXISTS)
        discovery_on_dial_failed(p->core, &out->peer, err, now);
}

static void try_free(struct try *t)
{
    list_remove(&t->link);
    mem_free(t);
}

static void do_probe(struct peering *p, const struct discovery_out *out,
                     struct mtime now)
{
    struct try *t = mem_zalloc(1, sizeof(*t));
    struct swarm_dial_op op = {
        .addrs = out->addrs,
        .count = out->addr_count,
        .force = true,
        .owner = t,
    };

    t->peering = p;
    t->id = out->id;
    t->peer = out->peer;
    list_add_tail(&p->tries, &t->link);
    enum err err = swarm_dial(p->swarm, &op, now);
    if (err == OK)
        return;
    try_free(t);
    discovery_on_probed(p->core, out->id, err, NULL, now);
}

/* The dial that @out tells of is one of ours? */
static struct try *try_of(const struct peering *p, const struct swarm_out *out)
{
    list_for_each (it, &p->tries) {
        struct try *t = container_of(it, struct try, link);
        if (t == out->owner)
            return t;
    }
    return NULL;
}

static void end_try(struct peering *p, struct try *t,
                    const struct swarm_out *out, struct mtime now)
{
    uint64_t id = t->id;
    enum err err = out->err;

    if (out->type == SWARM_CONNECTED) {
        err = peer_id_eq(&t->peer, &out->peer) ? OK : E_MISMATCH;
        swarm_close(p->swarm, out->conn, now);
    }
    try_free(t);
    discovery_on_probed(p->core, id, err, err == OK ? &out->addr : NULL, now);
}

/* Probes that we asked others for. */

enum err peering_ask_probe(struct peering *p, struct peering_probe *probe,
                           const struct peer_id *via,
                           const struct peer_id *peer, struct mtime now)
{
    struct multiaddr addrs[ADDRS_MAX];
    size_t count = network_addrs(p->network, addrs, ADDRS_MAX);
    enum err err =
        discovery_probe(p->core, via, peer, addrs, count, probe, now);

    if (err == OK)
        list_add_tail(&p->probes, &probe->link);
    set_timer(p);
    return err;
}

void peering_probe_cancel(struct peering_probe *probe)
{
    list_remove(&probe->link);
}

static void end_probe(struct peering *p, const struct discovery_out *out,
                      struct mtime now)
{
    list_for_each (it, &p->probes) {
        struct peering_probe *probe =
            container_of(it, struct peering_probe, link);
        if (probe != out->owner)
            continue;
        list_remove(it);
        probe->done(probe, out->err, out->outcome, now);
        return;
    }
}

/* Who watches. */

void peering_watch(struct peering *p, struct peering_watcher *w)
{
    list_add_tail(&p->watchers, &w->link);
}

void peering_unwatch(struct peering_watcher *w)
{
    list_remove(&w->link);
}

static void tell_watchers(struct peering *p, struct mtime now)
{
    list_for_each (it, &p->watchers) {
        struct peering_watcher *w =
            container_of(it, struct peering_watcher, link);
        w->changed(w, now);
    }
}

/* What the core says. */

static void log_let_go(struct peering *p, const struct discovery_out *out)
{
    static const char *const words[] = {
        [DISCOVERY_WHY_FEELER] = "feeler",
        [DISCOVERY_WHY_TRIMMED] = "too many connections",
        [DISCOVERY_WHY_PASSED] = "not used any more",
        [DISCOVERY_WHY_BANNED] = "banned",
    };
    struct log_line line;
    char text[PEER_ID_TEXT_MAX];
    size_t len = peer_id_format(&out->peer, text);

    log_begin(&line, node_log(p->node),
              out->why == DISCOVERY_WHY_BANNED ? LOG_INFO : LOG_DEBUG, "peers",
              "peer_let_go");
    log_str(&line, "peer", (struct bytes){(uint8_t *)text, len});
    log_str(&line, "why", bytes_str(words[out->why]));
    log_end(&line);
}

static void carry_out(struct peering *p, const struct discovery_out *out,
                      struct mtime now)
{
    switch (out->kind) {
    case DISCOVERY_DIAL:
        do_dial(p, out, now);
        break;
    case DISCOVERY_REQUEST:
        do_request(p, out, now);
        break;
    case DISCOVERY_REPLY:
        rpc_answer(p->rpc, out->id, out->message, now);
        break;
    case DISCOVERY_RESET:
        rpc_refuse(p->rpc, out->id, RPC_REFUSE_VIOLATION);
        break;
    case DISCOVERY_PROBE:
        do_probe(p, out, now);
        break;
    case DISCOVERY_PROBED:
        end_probe(p, out, now);
        break;
    case DISCOVERY_DISCONNECT:
        log_let_go(p, out);
        /* One that has gone by itself is gone as well. */
        (void)swarm_disconnect(p->swarm, &out->peer, now);
        break;
    case DISCOVERY_CHANGED:
        tell_watchers(p, now);
        break;
    case DISCOVERY_BOOTSTRAP:
        bootstrap(p, now);
        break;
    }
}

/* Before the core decides whom to let go. */
static void tell_use(struct peering *p, struct mtime now)
{
    const struct exchange *x = node_exchange(p->node);
    struct swarm_conn_info info;
    struct conn_id after = {0};

    if (!discovery_wants_use(p->core, now))
        return;
    bool any_wants = exchange_client_stats(x).wants_count > 0;
    while (swarm_conn_next(p->swarm, after, &info) == OK) {
        after = info.conn;
        discovery_on_use(p->core, info.peer, info.used_at,
                         any_wants && exchange_waits_for(x, info.peer));
    }
}

bool peering_pump(struct peering *p, struct mtime now)
{
    struct discovery_out *out;
    bool any = false;

    if (p->pumping)
        return false;
    p->pumping = true;
    tell_use(p, now);
    out = mem_alloc(sizeof(*out));
    while (discovery_next(p->core, now, out)) {
        carry_out(p, out, now);
        any = true;
    }
    mem_free(out);
    p->pumping = false;
    set_timer(p);
    return any;
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct peering *p = container_of(t, struct peering, timer);

    tell_use(p, now);
    discovery_on_time(p->core, now);
    (void)peering_pump(p, now);
}

void peering_want_place(struct peering *p, struct mtime now)
{
    discovery_want_place(p->core, now);
    set_timer(p);
}

void peering_event(struct peering *p, const struct peer_id *peer,
                   enum quality_kind kind, uint64_t amount, struct mtime now)
{
    discovery_event(p->core, peer, kind, amount, now);
    set_timer(p);
}

/* What the swarm says. */

static void on_connected(struct peering *p, const struct swarm_out *out,
                         struct mtime now)
{
    enum err err =
        discovery_admits(p->core, &out->peer, &out->addr, out->inbound, now);

    discovery_on_connected(p->core, &out->peer, &out->addr, out->inbound, now);
    if (network_is_passing(p->network, out))
        discovery_on_passing(p->core, &out->peer, now);
    if (err != OK)
        swarm_close(p->swarm, out->conn, now);
}

static void on_peer(struct network_watcher *w, const struct swarm_out *out,
                    struct mtime now)
{
    struct peering *p = container_of(w, struct peering, watcher);
    struct try *t = NULL;

    if (out->type == SWARM_CONNECTED || out->type == SWARM_DIAL_FAILED)
        t = try_of(p, out);
    if (t != NULL)
        end_try(p, t, out, now);
    else if (out->type == SWARM_CONNECTED)
        on_connected(p, out, now);
    else if (out->type == SWARM_DIAL_FAILED && out->peer.len > 0)
        discovery_on_dial_failed(p->core, &out->peer, out->err, now);
    else if (out->type == SWARM_IDENTIFIED)
        discovery_on_identified(
            p->core, &out->peer,
            swarm_identified_serves(&out->identified, p->protocol), now);
    else if (out->type == SWARM_DISCONNECTED && !out->peer_left)
        discovery_on_disconnected(p->core, &out->peer, now);
    else if (out->type == SWARM_FAULT && out->peer.len > 0)
        discovery_event(p->core, &out->peer, QUALITY_FAULT, out->severity, now);
    set_timer(p);
}

static bool on_gate(void *user, const struct peer_id *peer,
                    const struct multiaddr *remote, struct mtime now)
{
    struct peering *p = user;

    return discovery_admits(p->core, peer, remote, peer == NULL, now) == OK;
}

/* Interfaces. */

static void set_look(struct peering *p, struct mtime now)
{
    struct clock *clock = p->env->clock;

    clock->set(clock, &p->look, mtime_add_ms(now, PEERING_LOOK_MS));
}

static void on_look(struct timer *t, struct mtime now)
{
    struct peering *p = container_of(t, struct peering, look);

    set_look(p, now);
    peering_end_doubles(p->swarm, now);
    if (network_refresh(p->network, now)) {
        addrs_changed(p, now);
        dht_addrs_changed(node_dht(p->node));
    }
    seeds_look(p->seeds, now);
    (void)peering_pump(p, now);
}

/* Rows. */

static void write_changes(struct peering *p)
{
    uint8_t key_room[BOOK_KEY_MAX];
    uint8_t *room = mem_alloc(BOOK_VALUE_MAX);

    for (;;) {
        struct wr key = wr_init(key_room, sizeof(key_room));
        struct wr value = wr_init(room, BOOK_VALUE_MAX);
        if (!discovery_next_change(p->core, &key, &value))
            break;
        struct bytes k = {key_room, wr_len(&key)};
        if (wr_len(&value) > 0)
            rows_put(&p->rows, k, (struct bytes){room, wr_len(&value)});
        else
            rows_remove(&p->rows, k);
    }
    mem_free(room);
    rows_write(&p->rows);
}

/* Soon at first, when all that is known is new. */
static void set_flush(struct peering *p, struct mtime now)
{
    struct clock *clock = p->env->clock;

    clock->set(clock, &p->flush, mtime_add_ms(now, p->flush_ms));
    p->flush_ms *= 2;
    if (p->flush_ms > PEERING_FLUSH_MS)
        p->flush_ms = PEERING_FLUSH_MS;
}

static void on_flush(struct timer *t, struct mtime now)
{
    struct peering *p = container_of(t, struct peering, flush);
    struct clock *clock = p->env->clock;

    discovery_set_clock(p->core, clock->unix_ms(clock), now);
    /* Each makes a row of the book to be written. */
    if (p->flushes++ % RTTS_EACH == 0)
        peering_measure_rtts(p->swarm, p->core, now);
    write_changes(p);
    set_flush(p, now);
    set_timer(p);
}

static void load_rows(struct peering *p, struct kv *kv, uint32_t table)
{
    struct rows_cursor c = {.kv = kv, .table = table, .left = LOAD_MAX};
    struct bytes key;
    struct bytes value;

    while (rows_next(&c, &key, &value)) {
        enum err err = discovery_load(p->core, key, value);
        if (err == E_CORRUPT || err == E_LIMIT)
            rows_remove(&p->rows, key);
    }
    rows_write(&p->rows);
}

/* Life. */

static void open_core(struct peering *p)
{
    const struct config *config = node_settings(p->node);
    struct discovery_config core = {
        .network = config_get_text(config, CONFIG_NETWORK_NAME),
        .key = node_key(p->node),
        .outbound_target =
            (uint32_t)config_get_uint(config, CONFIG_NETWORK_OUTBOUND),
        .conns_high =
            (uint32_t)config_get_uint(config, CONFIG_NETWORK_CONNECTIONS_MAX),
        .told_only = !config_get_bool(config, CONFIG_NETWORK_DISCOVERY),
    };

    /* The rest is for those that come to a full node: they are answered. */
    uint32_t guests = core.conns_high / GUESTS_PART;
    if (guests < GUESTS_LEAST)
        guests = GUESTS_LEAST;
    if (guests > core.conns_high / 4)
        guests = core.conns_high / 4;
    core.conns_high -= guests;
    core.guests = guests > 0 ? guests : 1;
    node_random(p->node, core.seed, sizeof(core.seed));
    p->core = discovery_new(&core);
    node_protocol(p->node, "/peers/1.0.0", p->protocol);
}

struct peering *peering_new(struct node *n, struct kv *kv, uint32_t table,
                            struct mtime now)
{
    struct peering *p = mem_zalloc(1, sizeof(*p));
    const struct config *config = node_settings(n);

    p->node = n;
    p->env = node_env(n);
    p->network = node_network(n);
    p->swarm = network_swarm(p->network);
    list_init(&p->asks);
    list_init(&p->tries);
    list_init(&p->probes);
    list_init(&p->watchers);
    timer_init(&p->timer, on_timer);
    timer_init(&p->flush, on_flush);
    p->flush_ms = PEERING_FLUSH_FIRST_MS;
    timer_init(&p->look, on_look);
    rows_init(&p->rows, kv, table);
    open_core(p);
    discovery_set_clock(p->core, p->env->clock->unix_ms(p->env->clock), now);
    load_rows(p, kv, table);
    struct rpc_config rpc = {
        .protocol = p->protocol,
        .request_max = PEERS_MESSAGE_BYTES_MAX,
        .streams_max = STREAMS_MAX,
        .one_request = true,
        .on_request = node_is_visitor(n) ? NULL : on_request,
        .user = p,
    };
    p->rpc = rpc_new(p->env, p->network, &rpc, now);
    struct seeds_config seeds = {
        .env = p->env,
        .self = privkey_peer_id(node_key(n)),
        .mdns = config_get_bool(config, CONFIG_NETWORK_MDNS) &&
                config_get_bool(config, CONFIG_NETWORK_DISCOVERY),
        .found = on_found,
        .user = p,
    };
    p->seeds = seeds_new(&seeds, now);
    p->watcher.on_peer = on_peer;
    network_watch(p->network, &p->watcher);
    network_set_gate(p->network, on_gate, p);
    return p;
}

void peering_start(struct peering *p, struct mtime now)
{
    p->started = true;
    addrs_changed(p, now);
    discovery_start(p->core, now); /* which asks for bootstrap() first */
    set_flush(p, now);
    set_look(p, now);
    (void)peering_pump(p, now);
}

void peering_stop(struct peering *p, struct mtime now)
{
    struct clock *clock = p->env->clock;

    (void)now;
    p->started = false;
    discovery_stop(p->core);
    seeds_stop(p->seeds);
    clock->set(clock, &p->timer, MTIME_NEVER);
    clock->set(clock, &p->flush, MTIME_NEVER);
    clock->set(clock, &p->look, MTIME_NEVER);
}

bool peering_is_idle(const struct peering *p)
{
    return seeds_is_idle(p->seeds);
}

void peering_free(struct peering *p, struct mtime now)
{
    if (p == NULL)
        return;

    assert(list_empty(&p->watchers));
    network_set_gate(p->network, NULL, NULL);
    network_unwatch(&p->watcher);
    list_for_each_safe (it, &p->asks) {
        struct ask *a = container_of(it, struct ask, link);
        rpc_cancel(&a->call);
        ask_free(a);
    }
    list_for_each_safe (it, &p->tries)
        try_free(container_of(it, struct try, link));
    list_for_each_safe (it, &p->probes)
        list_remove(it);
    write_changes(p);
    rows_release(&p->rows);
    rpc_free(p->rpc, now);
    p->env->clock->set(p->env->clock, &p->timer, MTIME_NEVER);
    seeds_free(p->seeds);
    discovery_free(p->core);
    mem_free(p);
}
