/* GET /api/v1/why/CID: whether it can be had, step by step. */
#include <string.h>

#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/dht.h"
#include "node/fetch.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"
#include "node/scanning.h"

/*
 * The steps, in order: is it here, is anybody connected, who says to have it,
 * can one of them be reached, does a block come.  A step that cannot be tried
 * says so, and the next one is tried all the same where that may help.
 */

enum {
    PROVIDERS_MAX = 8,
    ADDRS_MAX = 8,
    STEP_MS = 15 * 1000, /* of each step, unless told otherwise */
    SLOW_MS = 2000,
    TEXT_MAX = 200,
};

struct provider {
    struct peer_id peer;
    struct multiaddr addrs[ADDRS_MAX];
    size_t count;
};

struct why {
    struct request *q;
    struct cid root;
    struct cid want; /* what is not here: the root, or a block below */
    uint32_t step_ms;
    const char *step;
    struct mtime began;
    struct timer timer; /* of the step */
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
    struct fetch *fetch;
    struct fetch_op get;
    struct strbuf text;
};

static struct clock *clock_of(const struct why *w)
{
    return node_env(w->q->node)->clock;
}

static void begin(struct why *w, const char *step)
{
    struct clock *clock = clock_of(w);

    w->step = step;
    w->began = clock->now(clock);
    clock->set(clock, &w->timer, mtime_add_ms(w->began, w->step_ms));
}

/* Tell the step that was begun last. */
static void tell(struct why *w, const char *result, const char *detail,
                 const char *remedy)
{
    struct clock *clock = clock_of(w);
    uint64_t ms = mtime_ms_since(w->began, clock->now(clock));

    clock->set(clock, &w->timer, MTIME_NEVER);
    json_t *v = json_pack("{s:s,s:s,s:I}", "step", w->step, "result", result,
                          "ms", (json_int_t)ms);
    if (detail != NULL)
        json_object_set_new(v, "detail", json_string(detail));
    if (remedy != NULL)
        json_object_set_new(v, "remedy", json_string(remedy));
    lines_json(w->q, v);
}

static void skip(struct why *w, const char *step, const char *detail)
{
    begin(w, step);
    tell(w, "not_tried", detail, NULL);
}

static void finish(struct why *w, bool can)
{
    lines_json(w->q, json_pack("{s:o,s:b}", "cid", json_cid(&w->root),
                               "fetchable", (int)can));
    lines_end(w->q);
}

/* "N words". */
static const char *counted(struct why *w, uint64_t number, const char *words)
{
    strbuf_reset(&w->text);
    strbuf_u64(&w->text, number);
    strbuf_str(&w->text, words);
    return strbuf_cstr(&w->text);
}

/* The last step: a block. */

static void on_fetched(struct fetch_op *op, enum err err, struct block *block,
                       struct mtime now)
{
    struct why *w = container_of(op, struct why, get);
    uint64_t ms = mtime_ms_since(w->began, now);

    if (err != OK) {
        tell(w, "failed", fetch_fault(w->fetch)->text,
             "Connect to a node that has it: `xmbl swarm connect MADDR`.");
        finish(w, false);
        return;
    }
    (void)counted(w, block->data.bytes.len, " bytes came");
    tell(w, "ok", strbuf_cstr(&w->text),
         ms > SLOW_MS ? "It is slow: more nodes that have it would help."
                      : NULL);
    finish(w, true);
}

static void step_fetch(struct why *w)
{
    struct fetch_config config = {.timeout_ms = w->step_ms, .urgent = true};

    begin(w, "fetch");
    clock_of(w)->set(clock_of(w), &w->timer, MTIME_NEVER); /* it has its own */
    w->fetch = fetch_new(w->q->node, &config);
    w->get.done = on_fetched;
    fetch_get(w->fetch, &w->get, &w->want, 0, 0);
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
    tell(w, "ok", NULL, NULL);
    step_fetch(w);
}

static const char off_or_hidden[] =
    "They may be off, or behind a router that lets nobody in.";

static void tell_unreached(struct why *w, const char *words, const char *hint)
{
    tell(w, "failed", counted(w, w->providers_count, words), hint);
    step_fetch(w);
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

/* Have somebody else try: is it they, or is it we? */
static bool ask_for_probe(struct why *w, struct mtime now)
{
    struct peering *peering = node_peering(w->q->node);
    struct swarm *swarm = network_swarm(node_network(w->q->node));
    struct swarm_conn_info info;
    struct conn_id at = {.n = 0};

    w->probe.done = on_probed;
    while (peering != NULL && swarm_conn_next(swarm, at, &info) == OK) {
        struct peer_id via = *info.peer;
        at = info.conn;
        if (peering_ask_probe(peering, &w->probe, &via, &w->providers[0].peer,
                              now) == OK)
            return true;
    }
    return false;
}

static void none_reached(struct why *w, struct mtime now)
{
    w->probing = ask_for_probe(w, now);
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
        tell(w, "ok", "connected already", NULL);
        step_fetch(w);
        return;
    }
    none_reached(w, now);
}

static void step_reach(struct why *w, struct mtime now)
{
    if (w->providers_count == 0) {
        skip(w, "reachable", "nobody is known to have it");
        step_fetch(w);
        return;
    }
    begin(w, "reachable");
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
        tell(w, "ok", counted(w, w->providers_count, " nodes say to have it"),
             NULL);
    else
        tell(w, "failed", "nobody has announced it",
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
        skip(w, "announced", "the DHT knows no other node");
        step_reach(w, now);
        return;
    }
    begin(w, "announced");
    w->finding = true;
    w->find.found = on_provider;
    w->find.done = on_searched;
    dht_find_providers(dht, &w->find, &w->root.hash, PROVIDERS_MAX, now);
}

/* Anybody at all. */

static void step_peers(struct why *w, struct mtime now)
{
    struct network *network = node_network(w->q->node);

    begin(w, "peers");
    if (network == NULL) {
        tell(w, "failed", "this node is not on the network",
             "Start it with `xmbl daemon`.");
        skip(w, "announced", NULL);
        skip(w, "reachable", NULL);
        skip(w, "fetch", NULL);
        finish(w, false);
        return;
    }
    uint32_t count = swarm_counts(network_swarm(network)).peers;
    if (count == 0)
        tell(w, "failed", "no node is connected",
             "Connect to one: `xmbl swarm connect MADDR`.");
    else
        tell(w, "ok", counted(w, count, " nodes are connected"), NULL);
    step_providers(w, now);
}

/* Here. */

static void on_scanned(void *user, enum err err, struct mtime now)
{
    struct why *w = user;
    uint64_t bytes = 0;
    uint64_t blocks = scanning_blocks(w->scanning, &bytes);

    if (err == OK) {
        tell(w, "ok", counted(w, blocks, " blocks are here, all of it"), NULL);
        skip(w, "peers", NULL);
        skip(w, "announced", NULL);
        skip(w, "reachable", NULL);
        skip(w, "fetch", NULL);
        finish(w, true);
        return;
    }
    if (err == E_NOTFOUND)
        w->want = *scanning_missing(w->scanning);
    tell(w, "failed",
         blocks == 0 ? "nothing of it is here"
                     : counted(w, blocks, " blocks are here, not all of it"),
         NULL);
    step_peers(w, now);
}

/* A step takes too long. */
static void on_timer(struct timer *t, struct mtime now)
{
    struct why *w = container_of(t, struct why, timer);

    if (w->finding) {
        dht_cancel(&w->find);
        w->finding = false;
        providers_done(w, now);
    } else if (w->connecting) {
        network_connect_cancel(&w->connect);
        w->connecting = false;
        w->at = w->providers_count;
        clock_of(w)->set(clock_of(w), &w->timer, mtime_add_ms(now, w->step_ms));
        none_reached(w, now);
    } else if (w->probing) {
        peering_probe_cancel(&w->probe);
        on_probed(&w->probe, E_TIMEOUT, PEERS_FAILED, now);
    }
}

static void cancel(struct request *q)
{
    struct why *w = q->op;

    clock_of(w)->set(clock_of(w), &w->timer, MTIME_NEVER);
    scanning_free(w->scanning);
    dht_cancel(&w->find);
    if (w->connecting)
        network_connect_cancel(&w->connect);
    if (w->probing)
        peering_probe_cancel(&w->probe);
    fetch_free(w->fetch);
    strbuf_release(&w->text);
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
    w->step_ms = timeout_ms > 0 ? timeout_ms : STEP_MS;
    w->providers = mem_zalloc(PROVIDERS_MAX, sizeof(*w->providers));
    strbuf_init(&w->text, TEXT_MAX);
    timer_init(&w->timer, on_timer);
    q->op = w;
    q->cancel = cancel;
    begin(w, "local");
    w->scanning = scanning_new(q->node, &config);
}
