/* GET /api/v1/why/CID: whether it can be had, step by step. */
#include <string.h>

#include "api/request.h"
#include "api/steps.h"
#include "base/mem.h"
#include "ipld/block.h"
#include "node/dht.h"
#include "node/exchange.h"
#include "node/fetch.h"
#include "node/gateways.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"
#include "node/scanning.h"

/*
 * The steps, in order: is it here, is anybody connected, who says to have it,
 * can one of them be reached, has a gateway got it, does a block come.  A step
 * that cannot be tried says so, and the next one is tried all the same where
 * that may help.
 */

enum {
    PROVIDERS_MAX = 8,
    ADDRS_MAX = 8,
    SLOW_MS = 2000,
};

struct provider {
    struct peer_id peer;
    struct multiaddr addrs[ADDRS_MAX];
    size_t count;
};

struct why {
    struct steps s;
    struct request *q;
    struct cid root;
    struct cid want; /* what is not here: the root, or a block below */
    struct scanning *scanning;
    struct dht_op find;
    bool finding;
    struct provider *providers;
    size_t providers_count;
    struct connect_op connect;
    bool connecting;
    size_t at; /* provider being connected to */
    struct peering_probe probe;
    bool probing; /* another node tries to reach the first provider */
    struct gateways_look look;
    bool looking; /* gateways are being asked */
    struct fetch *fetch;
    struct fetch_op get;
};

static void finish(struct why *w, bool can)
{
    lines_json(w->q, json_pack("{s:o,s:b}", "cid", json_cid(&w->root),
                               "fetchable", (int)can));
    lines_end(w->q);
}

/* The last step: a block. */

static void on_fetched(struct fetch_op *op, enum err err, struct block *block,
                       struct mtime now)
{
    struct why *w = container_of(op, struct why, get);
    uint64_t ms = mtime_ms_since(w->s.began, now);

    if (err != OK) {
        steps_tell(
            &w->s, "failed", fetch_fault(w->fetch)->text,
            "Connect to a node that has it: `xmbl swarm connect MADDR`.");
        finish(w, false);
        return;
    }
    (void)steps_counted(&w->s, block->data.bytes.len, " bytes came");
    steps_tell(&w->s, "ok", strbuf_cstr(&w->s.text),
               ms > SLOW_MS ? "It is slow: more nodes that have it would help."
                            : NULL);
    finish(w, true);
}

static void step_fetch(struct why *w)
{
    struct fetch_config config = {.timeout_ms = w->s.step_ms, .urgent = true};

    steps_begin(&w->s, "fetch");
    steps_no_limit(&w->s); /* it has its own */
    w->fetch = fetch_new(w->q->node, &config);
    w->get.done = on_fetched;
    fetch_get(w->fetch, &w->get, &w->want, 0, 0);
}

/* HTTP gateways. */

static void tell_looked(struct why *w)
{
    const struct gateways_look *l = &w->look;

    w->looking = false;
    (void)steps_counted(&w->s, l->asked, " asked, ");
    strbuf_u64(&w->s.text, l->have);
    strbuf_str(&w->s.text, " say to have it");
    strbuf_str(&w->s.text, l->first != NULL || l->why[0] != '\0' ? ": " : "");
    strbuf_str(&w->s.text, l->first != NULL ? l->first : l->why);
    if (l->have > 0)
        steps_tell(&w->s, "ok", strbuf_cstr(&w->s.text), NULL);
    else
        steps_tell(&w->s, "failed", strbuf_cstr(&w->s.text),
                   "See network.gateways: `xmbl config get network.gateways`.");
    step_fetch(w);
}

static void on_looked(struct gateways_look *l, struct mtime now)
{
    (void)now;
    tell_looked(container_of(l, struct why, look));
}

static void step_gateways(struct why *w)
{
    struct gateways *g = exchange_gateways(node_exchange(w->q->node));

    if (gateways_count(g) == 0) {
        steps_skip(&w->s, "gateways", "none is configured (network.gateways)");
        step_fetch(w);
        return;
    }
    steps_begin(&w->s, "gateways");
    w->look.done = on_looked;
    w->looking = true;
    gateways_look(g, &w->look, &w->want, w->s.step_ms);
    if (w->look.asked == 0)
        tell_looked(w);
}

/* Reaching one who says to have it. */

static void connect_next(struct why *w, struct mtime now);

static void on_connected(struct connect_op *op, enum err err, struct mtime now)
{
    struct why *w = container_of(op, struct why, connect);

    w->connecting = false;
    if (err != OK) {
        w->at++;
        connect_next(w, now);
        return;
    }
    steps_tell(&w->s, "ok", NULL, NULL);
    step_gateways(w);
}

static const char off_or_hidden[] =
    "They may be off, or behind a router that lets nobody in.";

static void tell_unreached(struct why *w, const char *words, const char *hint)
{
    steps_tell(&w->s, "failed", steps_counted(&w->s, w->providers_count, words),
               hint);
    step_gateways(w);
}

static void on_probed(struct peering_probe *probe, enum err err,
                      enum peers_outcome outcome, struct mtime now)
{
    struct why *w = container_of(probe, struct why, probe);

    (void)now;
    w->probing = false;
    if (err == OK && outcome == PEERS_REACHED)
        tell_unreached(w,
                       " nodes say to have it, none could be connected to, "
                       "but another node reaches one",
                       "Look at the firewall and router of this machine.");
    else if (err == OK)
        tell_unreached(w,
                       " nodes say to have it, none could be connected to, "
                       "and another node reaches none either",
                       off_or_hidden);
    else
        tell_unreached(w, " nodes say to have it, none could be connected to",
                       off_or_hidden);
}

static void none_reached(struct why *w, struct mtime now)
{
    /* Is it they, or is it we? */
    w->probe.done = on_probed;
    w->probing = steps_ask_probe(w->q, &w->probe, &w->providers[0].peer, now);
    if (!w->probing)
        tell_unreached(w, " nodes say to have it, none could be connected to",
                       off_or_hidden);
}

/* Where it is tried to connect to next, @ret_target->addrs has room. */
static void target_of(struct why *w, struct multiaddr *room,
                      struct network_target *ret_target)
{
    struct provider *p = &w->providers[w->at];
    struct peering *peering = node_peering(w->q->node);
    size_t count = p->count;

    memcpy(room, p->addrs, count * sizeof(*room));
    if (peering != NULL)
        count += peering_addrs(peering, &p->peer, room + count, ADDRS_MAX);
    *ret_target = (struct network_target){
        .peer = p->peer, .addrs = room, .count = count, .force = true};
}

static void connect_next(struct why *w, struct mtime now)
{
    struct network *network = node_network(w->q->node);
    struct multiaddr room[2 * ADDRS_MAX];
    enum err err = E_NOTFOUND;

    for (; w->at < w->providers_count; w->at++) {
        struct network_target target;
        target_of(w, room, &target);
        err = network_dial(network, &w->connect, &target, now);
        if (err == OK) {
            w->connecting = true;
            return;
        }
        if (err == E_EXISTS)
            break;
    }
    if (err == E_EXISTS) {
        steps_tell(&w->s, "ok", "connected already", NULL);
        step_gateways(w);
        return;
    }
    none_reached(w, now);
}

static void step_reach(struct why *w, struct mtime now)
{
    if (w->providers_count == 0) {
        steps_skip(&w->s, "reachable", "nobody is known to have it");
        step_gateways(w);
        return;
    }
    steps_begin(&w->s, "reachable");
    w->connect.done = on_connected;
    connect_next(w, now);
}

/* Looking for who has it. */

static void on_provider(struct dht_op *op, const struct dht_found *found,
                        struct mtime now)
{
    struct why *w = container_of(op, struct why, find);
    struct peer_id self = privkey_peer_id(node_key(w->q->node));

    (void)now;
    if (w->providers_count == PROVIDERS_MAX || peer_id_eq(&found->peer, &self))
        return;
    struct provider *p = &w->providers[w->providers_count++];
    p->peer = found->peer;
    p->count = found->count < ADDRS_MAX ? found->count : ADDRS_MAX;
    if (p->count > 0)
        memcpy(p->addrs, found->addrs, p->count * sizeof(*p->addrs));
}

static void providers_done(struct why *w, struct mtime now)
{
    if (w->providers_count > 0)
        steps_tell(
            &w->s, "ok",
            steps_counted(&w->s, w->providers_count, " nodes say to have it"),
            NULL);
    else
        steps_tell(&w->s, "failed", "nobody has announced it",
                   "On a node that has it: `xmbl dht provide CID`.");
    step_reach(w, now);
}

static void on_searched(struct dht_op *op, enum err err, struct mtime now)
{
    struct why *w = container_of(op, struct why, find);

    (void)err; /* what was found counts */
    w->finding = false;
    providers_done(w, now);
}

static void step_providers(struct why *w, struct mtime now)
{
    struct dht *dht = node_dht(w->q->node);

    if (dht == NULL || !dht_online(dht)) {
        steps_skip(&w->s, "announced", "the DHT knows no other node");
        step_reach(w, now);
        return;
    }
    steps_begin(&w->s, "announced");
    w->finding = true;
    w->find.found = on_provider;
    w->find.done = on_searched;
    dht_find_providers(dht, &w->find, &w->root.hash, PROVIDERS_MAX, now);
}

/* Anybody at all. */

static void step_peers(struct why *w, struct mtime now)
{
    struct network *network = node_network(w->q->node);

    steps_begin(&w->s, "peers");
    if (network == NULL) {
        steps_tell(&w->s, "failed", "this node is not on the network",
                   "Start it with `xmbl daemon`.");
        steps_skip(&w->s, "announced", NULL);
        steps_skip(&w->s, "reachable", NULL);
        steps_skip(&w->s, "gateways", NULL);
        steps_skip(&w->s, "fetch", NULL);
        finish(w, false);
        return;
    }
    uint32_t count = swarm_counts(network_swarm(network)).peers;
    if (count == 0)
        steps_tell(&w->s, "failed", "no node is connected",
                   "Connect to one: `xmbl swarm connect MADDR`.");
    else
        steps_tell(&w->s, "ok",
                   steps_counted(&w->s, count, " nodes are connected"), NULL);
    step_providers(w, now);
}

/* Here. */

static void on_scanned(void *user, enum err err, struct mtime now)
{
    struct why *w = user;
    uint64_t bytes = 0;
    uint64_t blocks = scanning_blocks(w->scanning, &bytes);

    if (err == OK) {
        steps_tell(&w->s, "ok",
                   steps_counted(&w->s, blocks, " blocks are here, all of it"),
                   NULL);
        steps_skip(&w->s, "peers", NULL);
        steps_skip(&w->s, "announced", NULL);
        steps_skip(&w->s, "reachable", NULL);
        steps_skip(&w->s, "gateways", NULL);
        steps_skip(&w->s, "fetch", NULL);
        finish(w, true);
        return;
    }
    if (err == E_NOTFOUND)
        w->want = *scanning_missing(w->scanning);
    steps_tell(&w->s, "failed",
               blocks == 0 ? "nothing of it is here"
                           : steps_counted(&w->s, blocks,
                                           " blocks are here, not all of it"),
               NULL);
    step_peers(w, now);
}

/* A step takes too long. */
static void on_timer(struct timer *t, struct mtime now)
{
    struct why *w = container_of(t, struct why, s.timer);

    if (w->finding) {
        dht_cancel(&w->find);
        w->finding = false;
        providers_done(w, now);
    } else if (w->connecting) {
        network_connect_cancel(&w->connect);
        w->connecting = false;
        w->at = w->providers_count;
        steps_more_time(&w->s, now);
        none_reached(w, now);
    } else if (w->looking) {
        gateways_look_cancel(&w->look);
        tell_looked(w);
    } else if (w->probing) {
        peering_probe_cancel(&w->probe);
        on_probed(&w->probe, E_TIMEOUT, PEERS_FAILED, now);
    }
}

static void cancel(struct request *q)
{
    struct why *w = q->op;

    steps_release(&w->s);
    scanning_free(w->scanning);
    dht_cancel(&w->find);
    if (w->connecting)
        network_connect_cancel(&w->connect);
    if (w->probing)
        peering_probe_cancel(&w->probe);
    gateways_look_cancel(&w->look);
    fetch_free(w->fetch);
    mem_free(w->providers);
    mem_free(w);
}

void handle_why(struct request *q, struct mtime now)
{
    struct cid cid;
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);

    (void)now;
    if (!good || !request_cid(q, &cid))
        return;
    struct why *w = mem_zalloc(1, sizeof(*w));
    struct scanning_config config = {
        .root = cid, .done = on_scanned, .user = w};
    w->q = q;
    w->root = cid;
    w->want = cid;
    steps_init(&w->s, q, timeout_ms, on_timer);
    w->providers = mem_zalloc(PROVIDERS_MAX, sizeof(*w->providers));
    q->op = w;
    q->cancel = cancel;
    steps_begin(&w->s, "local");
    w->scanning = scanning_new(q->node, &config);
}
