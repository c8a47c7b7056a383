#include "node/finding.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "libp2p/swarm.h"
#include "multiformats/key.h"
#include "node/dht.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"

/* One that has it. */
struct provider {
    struct finding *finding;
    struct peer_id peer;
    struct multiaddr addrs[KAD_ADDRS_MAX];
    size_t addrs_count;
    enum {
        PROVIDER_WAITS,
        PROVIDER_ASKED,
        PROVIDER_DIALED,
        PROVIDER_CONNECTED,
        PROVIDER_FAILED
    } state;
    bool looked;   /* for its addresses, in this round */
    bool is_moved; /* at others than those that were dialed */
    struct connect_op connect;
    struct dht_op where; /* looks for its addresses */
    struct list link;
};

/* The search for who has one thing. */
struct hunt {
    struct finding *finding;
    struct multihash hash;
    struct dht_op query;
    bool searching;
    bool waits; /* for somebody to ask */
};

struct finding {
    struct node *node;
    struct finding_config config;
    struct hunt hunts[FINDING_HASHES_MAX];
    size_t hunts_count;
    struct list providers;
    size_t providers_count;
    size_t busy; /* being asked for or dialed */
    struct mtime begun;
    struct timer look; /* for those that wait */
};

static void start_some(struct finding *f, struct mtime now);

static void end(struct provider *p, struct mtime now)
{
    struct finding *f = p->finding;

    if (!swarm_is_connected(network_swarm(node_network(f->node)), &p->peer)) {
        p->state = PROVIDER_FAILED;
        return;
    }
    p->state = PROVIDER_CONNECTED;
    f->config.source(f->config.user, &p->peer, now);
}

static void on_connected(struct connect_op *op, enum err err, struct mtime now);

/* Returns false when that failed at once, or is not needed. */
static bool dial(struct provider *p, struct mtime now)
{
    struct finding *f = p->finding;
    struct network_target target = {
        .peer = p->peer, .addrs = p->addrs, .count = p->addrs_count};

    p->connect.done = on_connected;
    if (p->addrs_count == 0 ||
        network_dial(node_network(f->node), &p->connect, &target, now) != OK)
        return false;
    p->state = PROVIDER_DIALED;
    f->busy++;
    return true;
}

static bool has_addr(const struct provider *p, const struct multiaddr *addr)
{
    for (size_t i = 0; i < p->addrs_count; i++) {
        if (multiaddr_eq(&p->addrs[i], addr))
            return true;
    }
    return false;
}

static void set_addrs(struct provider *p, const struct dht_found *found)
{
    p->addrs_count =
        found->count < KAD_ADDRS_MAX ? found->count : KAD_ADDRS_MAX;
    memcpy(p->addrs, found->addrs, p->addrs_count * sizeof(p->addrs[0]));
}

static void on_where(struct dht_op *op, const struct dht_found *found,
                     struct mtime now)
{
    struct provider *p = container_of(op, struct provider, where);
    bool moved = p->is_moved;

    (void)now;
    for (size_t i = 0; i < found->count; i++)
        moved |= !has_addr(p, &found->addrs[i]);
    if (moved)
        set_addrs(p, found);
    p->is_moved = moved;
}

static void on_where_done(struct dht_op *op, enum err err, struct mtime now)
{
    struct provider *p = container_of(op, struct provider, where);
    struct finding *f = p->finding;

    (void)err; /* the addresses tell */
    f->busy--;
    if (!p->is_moved || !dial(p, now))
        end(p, now);
    start_some(f, now);
}

/* Nobody has told us an address, or it is not there: where is it? */
static void look(struct provider *p, struct mtime now)
{
    struct finding *f = p->finding;

    p->state = PROVIDER_FAILED;
    if (node_dht(f->node) == NULL)
        return; /* the node goes down */
    p->state = PROVIDER_ASKED;
    p->looked = true;
    p->is_moved = false;
    f->busy++;
    p->where.found = on_where;
    p->where.done = on_where_done;
    dht_find_peer(node_dht(f->node), &p->where, &p->peer, now);
}

static void on_connected(struct connect_op *op, enum err err, struct mtime now)
{
    struct provider *p = container_of(op, struct provider, connect);
    struct finding *f = p->finding;

    f->busy--;
    if (err != OK && !p->looked)
        look(p, now);
    else
        end(p, now);
    start_some(f, now);
}

static void start(struct provider *p, struct mtime now)
{
    struct finding *f = p->finding;
    struct swarm *swarm = network_swarm(node_network(f->node));

    if (swarm_is_connected(swarm, &p->peer)) {
        end(p, now);
        return;
    }
    if (p->addrs_count == 0)
        p->addrs_count = peering_addrs(node_peering(f->node), &p->peer,
                                       p->addrs, KAD_ADDRS_MAX);
    if (!dial(p, now))
        look(p, now);
}

static void start_some(struct finding *f, struct mtime now)
{
    list_for_each (it, &f->providers) {
        struct provider *p = container_of(it, struct provider, link);
        if (f->busy >= FINDING_DIALS_MAX)
            return;
        if (p->state == PROVIDER_WAITS)
            start(p, now);
    }
}

static struct provider *provider_of(struct finding *f,
                                    const struct peer_id *peer)
{
    list_for_each (it, &f->providers) {
        struct provider *p = container_of(it, struct provider, link);
        if (peer_id_eq(&p->peer, peer))
            return p;
    }
    if (f->providers_count == FINDING_PROVIDERS_MAX)
        return NULL;
    struct provider *p = mem_zalloc(1, sizeof(*p));
    p->finding = f;
    p->peer = *peer;
    list_add_tail(&f->providers, &p->link);
    f->providers_count++;
    return p;
}

static void on_found(struct dht_op *op, const struct dht_found *found,
                     struct mtime now)
{
    struct finding *f = container_of(op, struct hunt, query)->finding;
    struct peer_id self = privkey_peer_id(node_key(f->node));

    if (peer_id_eq(&found->peer, &self))
        return;
    struct provider *p = provider_of(f, &found->peer);
    if (p == NULL || p->state != PROVIDER_WAITS)
        return;
    if (found->count > 0 && p->addrs_count == 0)
        set_addrs(p, found);
    /* One without addresses is told again when they are known. */
    if (p->addrs_count > 0 && f->busy < FINDING_DIALS_MAX)
        start(p, now);
}

static void set_look(struct finding *f, struct mtime at)
{
    struct clock *clock = node_env(f->node)->clock;

    clock->set(clock, &f->look, at);
}

static bool may_wait(const struct finding *f, struct mtime now)
{
    return !mtime_reached(now, mtime_add_ms(f->begun, FINDING_JOIN_MS));
}

static void on_searched(struct dht_op *op, enum err err, struct mtime now)
{
    struct hunt *h = container_of(op, struct hunt, query);
    struct finding *f = h->finding;

    (void)err; /* the counts tell */
    /* A node that has just started knows nobody yet. */
    if (op->lonely && may_wait(f, now)) {
        h->waits = true;
        set_look(f, mtime_add_ms(now, FINDING_JOIN_LOOK_MS));
        return;
    }
    h->searching = false;
    start_some(f, now);
}

static void search(struct finding *f, struct hunt *h, struct mtime now)
{
    h->query.found = on_found;
    h->query.done = on_searched;
    h->searching = true;
    dht_find_providers(node_dht(f->node), &h->query, &h->hash,
                       FINDING_PROVIDERS_MAX, now);
}

static void on_look(struct timer *t, struct mtime now)
{
    struct finding *f = container_of(t, struct finding, look);
    const struct dht *d = node_dht(f->node);
    bool lonely = d == NULL || dht_is_lonely(d);

    if (lonely && may_wait(f, now)) {
        set_look(f, mtime_add_ms(now, FINDING_JOIN_LOOK_MS));
        return;
    }
    for (size_t i = 0; i < f->hunts_count; i++) {
        struct hunt *h = &f->hunts[i];
        if (!h->waits)
            continue;
        h->waits = false;
        if (lonely)
            h->searching = false;
        else
            search(f, h, now);
    }
    start_some(f, now);
}

struct finding *finding_new(struct node *n, const struct finding_config *config,
                            struct mtime now)
{
    struct finding *f;

    if (node_dht(n) == NULL)
        return NULL;
    f = mem_zalloc(1, sizeof(*f));
    f->node = n;
    f->config = *config;
    f->begun = now;
    list_init(&f->providers);
    timer_init(&f->look, on_look);
    return f;
}

void finding_look(struct finding *f, const struct multihash *hash,
                  struct mtime now)
{
    for (size_t i = 0; i < f->hunts_count; i++) {
        if (multihash_eq(&f->hunts[i].hash, hash))
            return;
    }
    if (f->hunts_count == FINDING_HASHES_MAX)
        return;
    struct hunt *h = &f->hunts[f->hunts_count++];
    h->finding = f;
    h->hash = *hash;
    search(f, h, now);
}

void finding_again(struct finding *f, struct mtime now)
{
    if (!finding_is_over(f) ||
        !mtime_reached(now, mtime_add_ms(f->begun, FINDING_AGAIN_MS)))
        return;
    f->begun = now;
    list_for_each (it, &f->providers) {
        struct provider *p = container_of(it, struct provider, link);
        p->state = PROVIDER_WAITS;
        p->looked = false;
        p->addrs_count = 0;
    }
    for (size_t i = 0; i < f->hunts_count; i++)
        search(f, &f->hunts[i], now);
}

void finding_free(struct finding *f)
{
    if (f == NULL)
        return;
    set_look(f, MTIME_NEVER);
    for (size_t i = 0; i < f->hunts_count; i++)
        dht_cancel(&f->hunts[i].query);
    list_for_each_safe (it, &f->providers) {
        struct provider *p = container_of(it, struct provider, link);
        if (p->state == PROVIDER_ASKED)
            dht_cancel(&p->where);
        if (p->state == PROVIDER_DIALED)
            network_connect_cancel(&p->connect);
        list_remove(it);
        mem_free(p);
    }
    mem_free(f);
}

bool finding_is_over(const struct finding *f)
{
    for (size_t i = 0; i < f->hunts_count; i++) {
        if (f->hunts[i].searching)
            return false;
    }
    return f->busy == 0;
}

struct finding_counts finding_counts(const struct finding *f)
{
    struct finding_counts counts = {.found = (uint32_t)f->providers_count};

    list_for_each (it, &f->providers) {
        const struct provider *p = container_of(it, struct provider, link);
        counts.connected += p->state == PROVIDER_CONNECTED;
        counts.failed += p->state == PROVIDER_FAILED;
    }
    return counts;
}
