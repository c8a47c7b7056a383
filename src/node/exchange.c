#include "node/exchange.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/config.h"
#include "crypto/hash.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/pool.h"
#include "ipld/block.h"
#include "node/exchange_priv.h"
#include "node/gateways.h"
#include "node/network.h"
#include "node/node.h"
#include "node/objects.h"
#include "store/store.h"

/* Hashing so few bytes takes less time than waking a thread. */
enum { HASH_INLINE_BYTES = 8 * 1024 };

/* A block being hashed; outlives the exchange if it has to. */
struct hash_op {
    struct pool_job job;
    struct exchange *exchange; /* NULL: nobody waits any more */
    uint64_t id;
    uint64_t code;
    struct slice data;
    uint8_t digest[HASH_BYTES_MAX];
    size_t digest_len;
    struct list link;
};

/* A block being read for a peer. */
struct read_op {
    struct store_get_op get;
    struct exchange *exchange; /* NULL: nobody waits any more */
    uint64_t id;
    struct list link;
};

static void on_timer(struct timer *t, struct mtime now)
{
    struct exchange *x = container_of(t, struct exchange, timer);

    bs_client_on_time(x->client, now);
    exchange_pump(x, now);
}

static struct gateways *make_gateways(struct exchange *x, struct mtime now)
{
    struct gateways_config config = {
        .env = x->env,
        .log = node_log(x->node),
        .client = x->client,
        .version = node_version(x->node),
    };

    config.urls = config_get_list(node_settings(x->node),
                                  CONFIG_NETWORK_GATEWAYS, &config.count);
    return gateways_new(&config, now);
}

struct exchange *exchange_new(struct node *n, struct mtime now)
{
    struct exchange *x = mem_zalloc(1, sizeof(*x));
    struct bs_client_config client = {.peers_max = 0};
    struct bs_server_config server = {.peers_max = 0};
    uint8_t seed[16];

    x->node = n;
    x->env = node_env(n);
    x->network = node_network(n);
    x->swarm = network_swarm(x->network);
    node_random(n, client.seed, sizeof(client.seed));
    node_random(n, server.seed, sizeof(server.seed));
    node_random(n, seed, sizeof(seed));
    x->client = bs_client_new(&client, now);
    x->server = bs_server_new(&server);
    x->gateways = make_gateways(x, now);
    map_init(&x->peers, seed);
    list_init(&x->busy);
    list_init(&x->sessions);
    list_init(&x->reads);
    list_init(&x->hashes);
    timer_init(&x->timer, on_timer);
    exchange_streams_start(x, now);
    return x;
}

/* Hashing. */

static void compute(struct hash_op *op)
{
    if (hash_compute(op->code, op->data.bytes, op->digest, &op->digest_len) !=
        OK)
        op->digest_len = 0;
}

static void hash_run(struct pool_job *job)
{
    compute(container_of(job, struct hash_op, job));
}

static void hash_end(struct hash_op *op, struct mtime now)
{
    struct exchange *x = op->exchange;
    struct bytes digest = {op->digest, op->digest_len};

    list_remove(&op->link);
    slice_release(&op->data);
    if (x != NULL)
        bs_client_on_hashed(x->client, op->id, digest, now);
    mem_free(op);
}

static void hash_done(struct pool_job *job, struct mtime now)
{
    hash_end(container_of(job, struct hash_op, job), now);
}

static void start_hash(struct exchange *x, struct bs_client_out *out,
                       struct mtime now)
{
    struct hash_op *op = mem_zalloc(1, sizeof(*op));

    op->exchange = x;
    op->id = out->hash_id;
    op->code = out->hash_code;
    op->data = out->data;
    op->job.run = hash_run;
    op->job.done = hash_done;
    list_add_tail(&x->hashes, &op->link);
    if (op->data.bytes.len > HASH_INLINE_BYTES) {
        x->env->pool->submit(x->env->pool, &op->job, POOL_CPU);
        return;
    }
    compute(op);
    hash_end(op, now);
}

/* Reading for peers. */

static void read_done(struct store_get_op *get, enum err err,
                      struct block *block, struct mtime now)
{
    struct read_op *op = container_of(get, struct read_op, get);
    struct exchange *x = op->exchange;
    struct slice none = {.buf = NULL, .bytes = BYTES_EMPTY};

    (void)now;
    list_remove(&op->link);
    if (x != NULL) {
        bs_server_on_read(x->server, op->id, err,
                          err == OK ? slice_ref(&block->data) : none);
    }
    block_unref(block);
    mem_free(op);
}

static void start_read(struct exchange *x, const struct bs_server_out *out)
{
    struct read_op *op = mem_zalloc(1, sizeof(*op));
    struct slice none = {.buf = NULL, .bytes = BYTES_EMPTY};

    op->get.done = read_done;
    op->exchange = x;
    op->id = out->id;
    list_add_tail(&x->reads, &op->link);
    enum err err = store_get(node_store(x->node), &op->get, &out->cid);
    if (err == OK)
        return;
    list_remove(&op->link);
    mem_free(op);
    bs_server_on_read(x->server, out->id, err, none);
}

static void answer_stat(struct exchange *x, const struct bs_server_out *out,
                        struct mtime now)
{
    struct store_stat stat = {.length = 0};
    enum err err = store_stat(node_store(x->node), &out->cid.hash, &stat);
    bool served = err == OK && (stat.keep || stat.counted ||
                                config_get_bool(node_settings(x->node),
                                                CONFIG_STORAGE_SERVE_CACHE));

    /* Who is asked to prove that it has a block does not get it from us. */
    if (served &&
        objects_refuses(node_objects(x->node), &out->peer, &out->cid, now))
        served = false;
    bs_server_on_stat(x->server, out->id, served, stat.length);
}

/* Sessions. */

enum err exchange_session_open(struct exchange *x, enum bs_class class,
                               struct exchange_session *s)
{
    enum err err = bs_session_open(x->client, class, &s->core);
    if (err == OK)
        list_add_tail(&x->sessions, &s->link);
    return err;
}

void exchange_session_close(struct exchange *x, struct exchange_session *s,
                            struct mtime now)
{
    bs_session_close(x->client, s->core, now);
    list_remove(&s->link);
    s->core = NULL;
}

void exchange_session_only(struct exchange_session *s,
                           const struct peer_id *peer)
{
    bs_session_only(s->core, peer);
}

void exchange_session_add_source(struct exchange *x, struct exchange_session *s,
                                 const struct peer_id *peer, struct mtime now)
{
    bs_session_add_source(x->client, s->core, peer, now);
}

enum err exchange_want(struct exchange *x, struct exchange_session *s,
                       const struct bs_want *want, struct mtime now)
{
    gateways_wanted(x->gateways);
    return bs_session_want(x->client, s->core, want, now);
}

void exchange_unwant(struct exchange *x, struct exchange_session *s,
                     uint64_t want_id, struct mtime now)
{
    bs_session_unwant(x->client, s->core, want_id, now);
}

void exchange_stored(struct exchange *x, const struct cid *cid)
{
    bs_server_on_new_block(x->server, cid);
}

size_t exchange_peers(const struct exchange *x)
{
    return x->peers.count;
}

struct gateways *exchange_gateways(const struct exchange *x)
{
    return x->gateways;
}

bool exchange_has_sources(const struct exchange *x)
{
    return x->peers.count > 0 || gateways_ready(x->gateways) > 0;
}

bool exchange_asks_gateway(const struct exchange_session *s, uint64_t want_id)
{
    return bs_session_asks_gateway(s->core, want_id);
}

bool exchange_has_peer(struct exchange *x, const struct peer_id *peer)
{
    return exchange_find_peer(x, peer) != NULL;
}

bool exchange_waits_for(const struct exchange *x, const struct peer_id *peer)
{
    return bs_client_waits_for(x->client, peer);
}

struct bs_client_stats exchange_client_stats(const struct exchange *x)
{
    return bs_client_get_stats(x->client);
}

struct bs_server_stats exchange_server_stats(const struct exchange *x)
{
    return bs_server_get_stats(x->server);
}

static struct exchange_session *session_of(struct exchange *x,
                                           const struct bs_session *core)
{
    list_for_each (it, &x->sessions) {
        struct exchange_session *s =
            container_of(it, struct exchange_session, link);
        if (s->core == core)
            return s;
    }
    return NULL;
}

/* Pumping. */

static void do_fault(struct exchange *x, const struct bs_client_out *out,
                     struct mtime now)
{
    switch (out->fault) {
    case BS_FAULT_UNASKED:
        exchange_drop_peer(x, &out->peer, "peer_sent_unasked_blocks", now);
        break;
    case BS_FAULT_FLOOD:
        exchange_drop_peer(x, &out->peer, "peer_floods_with_answers", now);
        break;
    case BS_FAULT_LIE:
        gateways_lied(x->gateways, &out->peer, now);
        break;
    }
}

static void do_client(struct exchange *x, struct bs_client_out *out,
                      struct mtime now)
{
    struct exchange_session *s;

    switch (out->kind) {
    case BS_CLIENT_SEND:
        exchange_send_wants(x, out, now);
        break;
    case BS_CLIENT_FETCH:
        gateways_fetch(x->gateways, &out->peer, &out->cid, now);
        break;
    case BS_CLIENT_UNFETCH:
        gateways_unfetch(x->gateways, &out->peer, &out->cid);
        break;
    case BS_CLIENT_HASH:
        start_hash(x, out, now);
        break;
    case BS_CLIENT_GOT:
        s = session_of(x, out->session);
        assert(s != NULL);
        s->from = out->peer;
        s->got(s, out->want_id, &out->cid, out->data, now);
        break;
    case BS_CLIENT_MISSING:
        s = session_of(x, out->session);
        assert(s != NULL);
        s->missing(s, out->want_id, now);
        break;
    case BS_CLIENT_FAULT:
        do_fault(x, out, now);
        break;
    }
}

static void do_server(struct exchange *x, struct bs_server_out *out,
                      struct mtime now)
{
    switch (out->kind) {
    case BS_SERVER_STAT:
        answer_stat(x, out, now);
        break;
    case BS_SERVER_READ:
        start_read(x, out);
        break;
    case BS_SERVER_SEND:
        exchange_send_reply(x, out, now);
        break;
    case BS_SERVER_FAULT:
        exchange_drop_peer(x, &out->peer, "peer_floods_with_wants", now);
        break;
    }
}

void exchange_pump(struct exchange *x, struct mtime now)
{
    struct bs_client_out client;
    struct bs_server_out server;

    if (x->pumping)
        return;
    x->pumping = true;
    struct mtime stalls = exchange_look_at_streams(x, now);
    while (bs_client_next(x->client, &client))
        do_client(x, &client, now);
    while (bs_server_next(x->server, &server))
        do_server(x, &server, now);
    x->pumping = false;
    x->env->clock->set(x->env->clock, &x->timer,
                       mtime_min(stalls, bs_client_deadline(x->client)));
}

void exchange_free(struct exchange *x)
{
    if (x == NULL)
        return;
    assert(list_empty(&x->sessions));
    x->env->clock->set(x->env->clock, &x->timer, MTIME_NEVER);
    struct mtime now = x->env->clock->now(x->env->clock);
    exchange_streams_end(x, now);
    gateways_free(x->gateways);
    map_release(&x->peers);
    list_for_each_safe (it, &x->reads) {
        container_of(it, struct read_op, link)->exchange = NULL;
        list_remove(it);
    }
    list_for_each_safe (it, &x->hashes) {
        container_of(it, struct hash_op, link)->exchange = NULL;
        list_remove(it);
    }
    bs_client_free(x->client);
    bs_server_free(x->server);
    mem_free(x);
}
