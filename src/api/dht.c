/* /api/v1/dht: who has what, and who is where. */
#include "node/dht.h"

#include <string.h>

#include "api/peer_json.h"
#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "libp2p/swarm.h"
#include "multiformats/key.h"
#include "node/network.h"
#include "node/node.h"
#include "store/store.h"

enum { PROVIDERS_DEFAULT = 20 };

/* One question under way. */
struct asking {
    struct request *q;
    struct dht_op op;
    struct cid cid;
    struct timer timer;
    uint32_t found;
    bool is_over;
};

static void set_timer(struct asking *a, struct mtime at)
{
    struct clock *clock = node_env(a->q->node)->clock;

    clock->set(clock, &a->timer, at);
}

static void cancel_asking(struct request *q)
{
    struct asking *a = q->op;

    set_timer(a, MTIME_NEVER);
    dht_cancel(&a->op);
    mem_free(a);
}

static void reply_failure(struct asking *a, enum err err, const char *what)
{
    if (err == E_TIMEOUT)
        reply_error(a->q, ERROR_TIMEOUT, what, a->q->tail);
    else if (err == E_AGAIN)
        reply_error(a->q, ERROR_PEER_UNREACHABLE,
                    "no peer takes part in the DHT with this node", a->q->tail);
    else if (err == E_LIMIT)
        reply_error(a->q, ERROR_BUSY, "too many searches are under way", NULL);
    else
        reply_error(a->q, ERROR_NOT_FOUND, what, a->q->tail);
}

static void on_time(struct timer *t, struct mtime now)
{
    struct asking *a = container_of(t, struct asking, timer);

    dht_cancel(&a->op);
    a->op.done(&a->op, E_TIMEOUT, now);
}

/* Begin: NULL when the request has been answered. */
static struct asking *ask(struct request *q, struct mtime now)
{
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);

    if (!good)
        return NULL;
    if (node_dht(q->node) == NULL) {
        reply_error(q, ERROR_NETWORK_OFF, NULL, NULL);
        return NULL;
    }
    struct asking *a = mem_zalloc(1, sizeof(*a));
    a->q = q;
    timer_init(&a->timer, on_time);
    if (timeout_ms > 0)
        set_timer(a, mtime_add_ms(now, timeout_ms));
    q->op = a;
    q->cancel = cancel_asking;
    return a;
}

/* Addresses of @peer: what was found, else of its connection. */
static json_t *json_where(struct request *q, const struct dht_found *found)
{
    struct swarm *swarm = network_swarm(node_network(q->node));
    struct swarm_conn_info info;
    struct conn_id at = {.n = 0};

    if (found->count > 0)
        return json_addrs(found->addrs, found->count);
    while (swarm_conn_next(swarm, at, &info) == OK) {
        at = info.conn;
        if (peer_id_eq(info.peer, &found->peer))
            return json_addrs(info.identified.addrs,
                              info.identified.addrs_count);
    }
    return json_array();
}

/* Peers. */

static void on_peer(struct dht_op *op, const struct dht_found *found,
                    struct mtime now)
{
    struct asking *a = container_of(op, struct asking, op);

    (void)now;
    if (a->found++ > 0 || found->count == 0)
        return;
    /* The answer ends the request; its end frees @a, so it comes last. */
    reply_json(a->q, 200,
               json_pack("{s:o,s:o}", "peer_id", json_peer(&found->peer),
                         "addresses", json_where(a->q, found)));
}

static void on_peer_done(struct dht_op *op, enum err err, struct mtime now)
{
    struct asking *a = container_of(op, struct asking, op);

    (void)now;
    if (a->found == 0)
        reply_failure(a, err, "nobody in the DHT knows this peer");
}

void handle_dht_peer(struct request *q, struct mtime now)
{
    struct peer_id id;

    if (!request_peer(q, &id))
        return;
    struct asking *a = ask(q, now);
    if (a == NULL)
        return;
    a->op.found = on_peer;
    a->op.done = on_peer_done;
    dht_find_peer(node_dht(q->node), &a->op, &id, now);
}

/* Providers. */

static void on_provider(struct dht_op *op, const struct dht_found *found,
                        struct mtime now)
{
    struct asking *a = container_of(op, struct asking, op);

    (void)now;
    a->found++;
    lines_json(a->q, json_pack("{s:o,s:o}", "peer_id", json_peer(&found->peer),
                               "addresses", json_where(a->q, found)));
}

static void on_providers_done(struct dht_op *op, enum err err, struct mtime now)
{
    struct asking *a = container_of(op, struct asking, op);

    (void)now;
    if (a->found > 0)
        lines_end(a->q);
    else
        reply_failure(a, err, "the DHT knows nobody who has it");
}

void handle_dht_providers(struct request *q, struct mtime now)
{
    bool good = true;
    uint64_t max =
        request_number(q, "limit", PROVIDERS_DEFAULT, KAD_FOUND_MAX, &good);
    struct cid cid;

    if (!good || !request_cid(q, &cid))
        return;
    struct asking *a = ask(q, now);
    if (a == NULL)
        return;
    a->op.found = on_provider;
    a->op.done = on_providers_done;
    dht_find_providers(node_dht(q->node), &a->op, &cid.hash, (uint32_t)max,
                       now);
}

/* Providing. */

static void on_provided(struct dht_op *op, enum err err, struct mtime now)
{
    struct asking *a = container_of(op, struct asking, op);

    (void)now;
    if (err != OK) {
        reply_failure(a, err, "no peer took the record");
        return;
    }
    reply_json(a->q, 200,
               json_pack("{s:o,s:i,s:I}", "cid", json_cid(&a->cid), "peers",
                         (int)op->stored_count, "messages",
                         (json_int_t)op->stats.messages));
}

void handle_dht_provide(struct request *q, struct mtime now)
{
    struct store_stat stat;
    struct cid cid;

    if (!request_cid(q, &cid))
        return;
    if (store_stat(node_store(q->node), &cid.hash, &stat) != OK) {
        reply_error(q, ERROR_NOT_FOUND,
                    "only what is on this node can be announced by it",
                    q->tail);
        return;
    }
    struct asking *a = ask(q, now);
    if (a == NULL)
        return;
    a->cid = cid;
    a->op.done = on_provided;
    dht_provide(node_dht(q->node), &a->op, &cid.hash, now);
}

/* The closest peers. */

static void on_closest(struct dht_op *op, enum err err, struct mtime now)
{
    struct asking *a = container_of(op, struct asking, op);
    json_t *list = json_array();

    (void)now;
    if (err != OK) {
        json_decref(list);
        reply_failure(a, err, "nobody answered");
        return;
    }
    for (size_t i = 0; i < op->closest_count; i++)
        json_array_append_new(list, json_peer(&op->closest[i]));
    reply_json(a->q, 200,
               json_pack("{s:o,s:i,s:i,s:I}", "peers", list, "hops",
                         (int)op->stats.hops, "messages",
                         (int)op->stats.messages, "elapsed_ms",
                         (json_int_t)op->stats.elapsed_ms));
}

void handle_dht_query(struct request *q, struct mtime now)
{
    struct peer_id id;
    struct cid cid;
    uint8_t key[PEER_ID_BYTES_MAX + MULTIHASH_BYTES_MAX];
    size_t len;

    /* A peer id, or a CID, whose key is its multihash. */
    if (peer_id_parse(bytes_str(q->tail), &id) == OK) {
        len = id.len;
        memcpy(key, id.bytes, len);
    } else if (cid_parse(bytes_str(q->tail), &cid) == OK) {
        len = multihash_encode(&cid.hash, key);
    } else {
        reply_error(q, ERROR_BAD_PEER_ID, "neither a peer id nor a CID",
                    q->tail);
        return;
    }
    struct asking *a = ask(q, now);
    if (a == NULL)
        return;
    a->op.done = on_closest;
    dht_find_node(node_dht(q->node), &a->op, (struct bytes){key, len}, now);
}

/* The routing table. */

static json_t *json_contact(const char *name, const struct kad *kad,
                            const struct kad_contact_info *c, struct mtime now)
{
    struct multiaddr addrs[KAD_ADDRS_MAX];
    size_t count = kad_addrs(kad, &c->peer, addrs);

    return json_pack("{s:s,s:o,s:i,s:b,s:I,s:o}", "dht", name, "peer_id",
                     json_peer(&c->peer), "bucket", (int)c->cpl, "connected",
                     (int)c->connected, "answered_ms_ago",
                     (json_int_t)mtime_ms_since(c->useful_at, now), "addresses",
                     json_addrs(addrs, count));
}

void handle_dht_table(struct request *q, struct mtime now)
{
    struct dht *dht = node_dht(q->node);
    json_t *items = json_array();
    const struct kad *kad;
    const char *name;

    for (size_t i = 0; dht != NULL && (kad = dht_kad(dht, i, &name)) != NULL;
         i++) {
        struct kad_contact_info info;
        for (size_t k = 0; kad_contact(kad, k, &info); k++)
            json_array_append_new(items, json_contact(name, kad, &info, now));
    }
    reply_json(q, 200, json_pack("{s:o}", "items", items));
}
