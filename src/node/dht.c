#include "node/dht.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "kad/change.h"
#include "libp2p/swarm.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"
#include "node/rows.h"
#include "node/rpc.h"

enum {
    STREAMS_MAX = 32, /* inbound, of one connection */
    SEED_BYTES = 16,
    ROW_KEY_MAX = 1 + KAD_CHANGE_KEY_MAX, /* the DHT's mark before it */
    ADDRS_MAX = 32,
    LOAD_MAX = 1000000, /* rows that are looked at */
    BAD_ANSWER_SEVERITY = 10,
    PLACE_WAIT_MS = 5 * 1000, /* where we have as many links as we may */
    PLACE_LOOK_MS = 400,      /* then: between two tries */
};

/* One DHT. */
struct net {
    struct dht *dht;
    struct kad *kad;
    struct rpc *rpc;
    char name[NODE_PROTOCOL_MAX]; /* of its protocol */
    uint8_t mark;                 /* before its rows */
};

/* A message on its way. */
struct message {
    struct rpc_call call;
    struct net *net;
    uint64_t id;
    uint64_t query; /* 0: upkeep */
    struct mtime since;
    struct map_node node;
    bool is_oneway;
    struct buf *bytes; /* what is sent, while it may be sent again */
    size_t answer_max;
    struct multiaddr *addrs; /* owned; NULL: none */
    size_t addrs_count;
    struct timer again;
};

struct dht {
    struct node *node;
    struct env *env;
    struct network *network;
    struct network_watcher watcher;
    struct dht_tables tables;
    struct net nets[DHT_NETS_MAX];
    size_t nets_count;
    struct map messages[DHT_NETS_MAX]; /* struct message, by id */
    struct list ops;
    struct list ended;   /* struct dht_op whose @done is to be called */
    struct rows rows[2]; /* by enum kad_store */
    struct timer timer;
    struct timer flush;
};

static size_t place_of(const struct net *net)
{
    return (size_t)(net - net->dht->nets);
}

/* Operations. */

static void set_timer(struct dht *d)
{
    struct clock *clock = d->env->clock;
    struct mtime at = MTIME_NEVER;

    for (size_t i = 0; i < d->nets_count; i++)
        at = mtime_min(at, kad_deadline(d->nets[i].kad));
    if (!list_empty(&d->ended))
        at = clock->now(clock);
    clock->set(clock, &d->timer, at);
}

static void op_begin(struct dht *d, struct dht_op *op)
{
    op->dht = d;
    op->closest_count = 0;
    op->stored_count = 0;
    op->stats = (struct kad_query_stats){.hops = 0};
    op->lonely = dht_is_lonely(d);
    op->any_ok = false;
    op->err = OK;
    memset(op->queries, 0, sizeof(op->queries));
    list_add_tail(&d->ops, &op->link);
}

static bool op_is_over(const struct dht_op *op)
{
    for (size_t i = 0; i < DHT_NETS_MAX; i++) {
        if (op->queries[i] != 0)
            return false;
    }
    return true;
}

static void note_end(struct dht_op *op, enum err err)
{
    op->any_ok |= err == OK;
    if (op->err == OK)
        op->err = err;
}

/* A question that could not be put is over; one that was is told of later. */
static void note_begin(struct dht_op *op, enum err err)
{
    if (err != OK)
        note_end(op, err);
}

/* All questions were put; those that could not be are over already. */
static void op_asked(struct dht *d, struct dht_op *op)
{
    if (op_is_over(op)) {
        list_remove(&op->link);
        list_add_tail(&d->ended, &op->link);
    }
    set_timer(d);
}

static void tell_done(struct dht_op *op, struct mtime now)
{
    list_remove(&op->link);
    op->dht = NULL;
    enum err err = op->any_ok ? OK : op->err;
    if (err != OK && op->lonely && op->stats.messages == 0)
        err = E_AGAIN;
    op->done(op, err, now);
}

static struct dht_op *op_of(struct dht *d, size_t place, uint64_t query)
{
    list_for_each (it, &d->ops) {
        struct dht_op *op = container_of(it, struct dht_op, link);
        if (op->queries[place] == query)
            return op;
    }
    return NULL;
}

void dht_cancel(struct dht_op *op)
{
    struct dht *d = op->dht;
    if (d == NULL)
        return;

    struct mtime now = d->env->clock->now(d->env->clock);
    for (size_t i = 0; i < d->nets_count; i++) {
        if (op->queries[i] != 0)
            kad_cancel(d->nets[i].kad, op->queries[i], now);
    }
    list_remove(&op->link);
    op->dht = NULL;
    set_timer(d);
}

void dht_find_providers(struct dht *d, struct dht_op *op,
                        const struct multihash *hash, uint32_t max,
                        struct mtime now)
{
    op_begin(d, op);
    for (size_t i = 0; i < d->nets_count; i++)
        note_begin(op, kad_find_providers(d->nets[i].kad, hash, max, now,
                                          &op->queries[i]));
    op_asked(d, op);
}

void dht_find_peer(struct dht *d, struct dht_op *op, const struct peer_id *peer,
                   struct mtime now)
{
    op_begin(d, op);
    for (size_t i = 0; i < d->nets_count; i++)
        note_begin(op,
                   kad_find_peer(d->nets[i].kad, peer, now, &op->queries[i]));
    op_asked(d, op);
}

void dht_find_node(struct dht *d, struct dht_op *op, struct bytes key,
                   struct mtime now)
{
    op_begin(d, op);
    for (size_t i = 0; i < d->nets_count; i++)
        note_begin(op,
                   kad_find_node(d->nets[i].kad, key, now, &op->queries[i]));
    op_asked(d, op);
}

void dht_get_value(struct dht *d, struct dht_op *op, struct bytes key,
                   uint32_t quorum, struct mtime now)
{
    op_begin(d, op);
    for (size_t i = 0; i < d->nets_count; i++)
        note_begin(op, kad_get_value(d->nets[i].kad, key, quorum, now,
                                     &op->queries[i]));
    op_asked(d, op);
}

void dht_put_value(struct dht *d, struct dht_op *op, struct bytes key,
                   struct bytes value, struct mtime now)
{
    op_begin(d, op);
    for (size_t i = 0; i < d->nets_count; i++)
        note_begin(op, kad_put_value(d->nets[i].kad, key, value, now,
                                     &op->queries[i]));
    op_asked(d, op);
}

void dht_provide(struct dht *d, struct dht_op *op, const struct multihash *hash,
                 struct mtime now)
{
    op_begin(d, op);
    for (size_t i = 0; i < d->nets_count; i++)
        note_begin(op, kad_provide(d->nets[i].kad, hash, now, &op->queries[i]));
    op_asked(d, op);
}

void dht_provide_to(struct dht *d, struct dht_op *op,
                    const struct peer_id *peer, const struct multihash *hashes,
                    size_t count, struct mtime now)
{
    op_begin(d, op);
    note_begin(op, kad_provide_to(d->nets[0].kad, peer, hashes, count, now,
                                  &op->queries[0]));
    op_asked(d, op);
}

/* Messages. */

static void message_free(struct message *m)
{
    struct clock *clock = m->net->dht->env->clock;

    map_remove(&m->net->dht->messages[place_of(m->net)], &m->node);
    clock->set(clock, &m->again, MTIME_NEVER);
    buf_unref(m->bytes);
    mem_free(m->addrs);
    mem_free(m);
}

static void start_message(struct message *m, struct mtime now)
{
    struct rpc_request request = {
        .target = {.peer = m->call.peer,
                   .addrs = m->addrs,
                   .count = m->addrs_count,
                   .passing = true},
        .message = buf_bytes(m->bytes),
        .answer_max = m->answer_max,
    };

    rpc_call_start(m->net->rpc, &m->call, &request, now);
}

static void on_again(struct timer *t, struct mtime now)
{
    start_message(container_of(t, struct message, again), now);
}

/* A full node has a place for one that is dialled as soon as a passing link or
 * a guest goes, which they do after a second or two. */
static bool waits_for_place(struct message *m, enum err err, struct mtime now)
{
    struct clock *clock = m->net->dht->env->clock;

    if (err != E_AGAIN || mtime_ms_since(m->since, now) >= PLACE_WAIT_MS)
        return false;
    clock->set(clock, &m->again, mtime_add_ms(now, PLACE_LOOK_MS));
    peering_want_place(node_peering(m->net->dht->node), now);
    return true;
}

static void tell_heard(const struct message *m, enum err err,
                       struct bytes answer, struct mtime now)
{
    struct dht_op *op =
        m->query != 0 ? op_of(m->net->dht, place_of(m->net), m->query) : NULL;
    struct dht_heard heard = {
        .peer = &m->call.peer,
        .err = err,
        .answer = answer,
        .elapsed_ms = mtime_ms_since(m->since, now),
    };

    if (op != NULL && op->heard != NULL)
        op->heard(op, &heard, now);
}

static void on_answer(struct rpc_call *call, enum err err, struct bytes answer,
                      struct mtime now)
{
    struct message *m = container_of(call, struct message, call);
    struct net *net = m->net;
    struct dht *d = net->dht;

    if (waits_for_place(m, err, now))
        return;
    tell_heard(m, err, answer, now);
    if (err != OK)
        kad_on_failed(net->kad, m->id, err, now);
    else if (m->is_oneway)
        kad_on_sent(net->kad, m->id, now);
    else if (err_is_peer_fault(
                 kad_on_reply(net->kad, m->id, &call->remote, answer, now)))
        peering_event(node_peering(d->node), &call->peer, QUALITY_FAULT,
                      BAD_ANSWER_SEVERITY, now);
    message_free(m);
    set_timer(d);
}

static void send_message(struct net *net, struct kad_out *out, struct mtime now)
{
    struct dht *d = net->dht;
    struct message *m = mem_zalloc(1, sizeof(*m));
    struct multiaddr known[RPC_TARGET_ADDRS_MAX];
    const struct multiaddr *addrs = out->addrs;

    m->addrs_count = out->addrs_count;
    if (m->addrs_count == 0) {
        addrs = known;
        m->addrs_count = peering_addrs(node_peering(d->node), &out->peer, known,
                                       RPC_TARGET_ADDRS_MAX);
    }
    if (m->addrs_count > 0)
        m->addrs = mem_dup(addrs, m->addrs_count * sizeof(*addrs));
    m->net = net;
    m->id = out->message;
    m->query = out->query;
    m->since = now;
    m->is_oneway = out->reply_max == 0;
    m->answer_max = out->reply_max;
    m->bytes = out->bytes; /* the reference is ours now */
    m->call.peer = out->peer;
    m->call.done = on_answer;
    timer_init(&m->again, on_again);
    map_put(&d->messages[place_of(net)], &m->node,
            (struct bytes){(const uint8_t *)&m->id, sizeof(m->id)});
    start_message(m, now);
}

static void drop_message(struct net *net, uint64_t id, struct mtime now)
{
    struct map_node *n =
        map_get(&net->dht->messages[place_of(net)],
                (struct bytes){(const uint8_t *)&id, sizeof(id)});
    if (n == NULL)
        return;

    struct message *m = container_of(n, struct message, node);
    bool is_late = mtime_ms_since(m->since, now) >= KAD_TIMEOUT_MS;
    rpc_cancel(&m->call);
    tell_heard(m, is_late ? E_TIMEOUT : E_CANCELED, BYTES_EMPTY, now);
    message_free(m);
}

static void on_request(void *user, uint64_t id, const struct peer_id *peer,
                       const struct multiaddr *remote, struct bytes in,
                       struct mtime now)
{
    struct net *net = user;
    struct kad_request request = {.from = peer, .remote = remote, .bytes = in};
    struct buf *reply;
    enum err err = kad_serve(net->kad, &request, now, &reply);

    if (err != OK) {
        rpc_refuse(net->rpc, id, 0);
    } else if (reply != NULL) {
        rpc_answer(net->rpc, id, buf_bytes(reply), now);
        buf_unref(reply);
    } else {
        rpc_silent(net->rpc, id, now);
    }
    set_timer(net->dht);
}

/* What the cores say. */

static void tell_found(struct net *net, const struct kad_out *out,
                       struct bytes value, struct mtime now)
{
    struct dht_op *op = op_of(net->dht, place_of(net), out->query);
    struct dht_found found = {
        .peer = out->peer,
        .addrs = out->addrs,
        .count = out->addrs_count,
        .value = value,
    };

    if (op != NULL && op->found != NULL)
        op->found(op, &found, now);
}

static void add_stats(struct dht_op *op, const struct kad_query_stats *more)
{
    struct kad_query_stats *sum = &op->stats;

    sum->hops = more->hops > sum->hops ? more->hops : sum->hops;
    sum->messages += more->messages;
    sum->answers += more->answers;
    sum->failures += more->failures;
    sum->bytes_out += more->bytes_out;
    sum->bytes_in += more->bytes_in;
    if (more->elapsed_ms > sum->elapsed_ms)
        sum->elapsed_ms = more->elapsed_ms;
}

static void query_done(struct net *net, const struct kad_out *out,
                       struct mtime now)
{
    size_t place = place_of(net);
    struct dht_op *op = op_of(net->dht, place, out->query);
    if (op == NULL)
        return;

    op->queries[place] = 0;
    note_end(op, out->err);
    if (op->closest_count == 0) {
        op->closest_count = out->closest_count;
        memcpy(op->closest, out->closest,
               out->closest_count * sizeof(op->closest[0]));
    }
    op->stored_count += out->stored_count;
    add_stats(op, &out->stats);
    if (op_is_over(op))
        tell_done(op, now);
}

static void carry_out(struct net *net, struct kad_out *out, struct mtime now)
{
    struct dht *d = net->dht;

    switch (out->kind) {
    case KAD_SEND:
        send_message(net, out, now);
        break;
    case KAD_DROP:
        drop_message(net, out->message, now);
        break;
    case KAD_FOUND_PEER:
    case KAD_FOUND_PROVIDER:
        tell_found(net, out, BYTES_EMPTY, now);
        break;
    case KAD_FOUND_VALUE:
        tell_found(net, out, buf_bytes(out->bytes), now);
        buf_unref(out->bytes);
        break;
    case KAD_DONE:
        query_done(net, out, now);
        break;
    case KAD_LEARNED:
        if (place_of(net) == 0)
            peering_hear(node_peering(d->node), &out->peer, out->addrs,
                         out->addrs_count, now);
        break;
    case KAD_LONELY:
        peering_lonely(node_peering(d->node), now);
        break;
    }
}

bool dht_pump(struct dht *d, struct mtime now)
{
    struct kad_out out;
    bool any = false;

    for (size_t i = 0; i < d->nets_count; i++) {
        while (kad_next(d->nets[i].kad, &out)) {
            carry_out(&d->nets[i], &out, now);
            any = true;
        }
    }
    set_timer(d);
    return any;
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct dht *d = container_of(t, struct dht, timer);
    struct list batch;

    list_init(&batch);
    while (!list_empty(&d->ended)) {
        struct list *first = list_first(&d->ended);
        list_remove(first);
        list_add_tail(&batch, first);
    }
    while (!list_empty(&batch))
        tell_done(container_of(list_first(&batch), struct dht_op, link), now);
    for (size_t i = 0; i < d->nets_count; i++)
        kad_on_time(d->nets[i].kad, now);
    (void)dht_pump(d, now);
}

/* Peers. */

static void on_identified(struct dht *d, const struct swarm_out *out,
                          struct mtime now)
{
    const struct swarm_identified *who = &out->identified;
    struct swarm_conn_info info;
    if (swarm_conn_get(network_swarm(d->network), out->conn, &info) != OK)
        return;

    struct multiaddr remote = *info.addr;
    for (size_t i = 0; i < d->nets_count; i++) {
        struct net *net = &d->nets[i];
        if (swarm_identified_serves(who, net->name)) {
            kad_on_peer(net->kad, &out->peer, who->addrs, who->addrs_count,
                        &remote, now);
            continue;
        }
        kad_on_peer_left(net->kad, &out->peer, now);
        kad_on_addrs(net->kad, &out->peer, who->addrs, who->addrs_count,
                     &remote, now);
    }
}

static void on_peer(struct network_watcher *w, const struct swarm_out *out,
                    struct mtime now)
{
    struct dht *d = container_of(w, struct dht, watcher);

    if (out->type == SWARM_IDENTIFIED)
        on_identified(d, out, now);
    if (out->type == SWARM_DISCONNECTED && !out->peer_left) {
        for (size_t i = 0; i < d->nets_count; i++)
            kad_on_disconnected(d->nets[i].kad, &out->peer, now);
    }
    set_timer(d);
}

/* Rows. */

static void write_change(struct net *net, enum kad_store store,
                         const struct kad_change *change)
{
    struct rows *rows = &net->dht->rows[store];
    uint8_t room[ROW_KEY_MAX];
    struct bytes key = {room, 1 + change->key.len};

    room[0] = net->mark;
    memcpy(room + 1, change->key.p, change->key.len);
    switch (change->kind) {
    case KAD_CHANGE_PUT:
        rows_put(rows, key, change->value);
        break;
    case KAD_CHANGE_REMOVE:
        rows_remove(rows, key);
        break;
    }
}

static void collect_changes(struct net *net, enum kad_store store)
{
    struct kad_change change;

    while (kad_next_change(net->kad, store, &change))
        write_change(net, store, &change);
}

static void write_changes(struct dht *d)
{
    for (size_t i = 0; i < d->nets_count; i++) {
        collect_changes(&d->nets[i], KAD_STORE_PROVIDERS);
        collect_changes(&d->nets[i], KAD_STORE_VALUES);
    }
    rows_write(&d->rows[KAD_STORE_PROVIDERS]);
    rows_write(&d->rows[KAD_STORE_VALUES]);
}

static void set_flush(struct dht *d, struct mtime now)
{
    struct clock *clock = d->env->clock;

    clock->set(clock, &d->flush, mtime_add_ms(now, DHT_FLUSH_MS));
}

static void on_flush(struct timer *t, struct mtime now)
{
    struct dht *d = container_of(t, struct dht, flush);
    struct clock *clock = d->env->clock;

    for (size_t i = 0; i < d->nets_count; i++)
        kad_set_unix_time(d->nets[i].kad, clock->unix_ms(clock), now);
    write_changes(d);
    set_flush(d, now);
    set_timer(d);
}

static void load_row(struct dht *d, enum kad_store store, struct bytes key,
                     struct bytes value, struct mtime now)
{
    enum err err = E_NOTFOUND;

    for (size_t i = 0; i < d->nets_count; i++) {
        if (key.p[0] == d->nets[i].mark)
            err = kad_load(d->nets[i].kad, store,
                           bytes_sub(key, 1, key.len - 1), value, now);
    }
    /* A row of a DHT that is switched off stays: it expires when it is read
     * again. */
    if (err != OK && err != E_NOTFOUND)
        rows_remove(&d->rows[store], key);
}

static void load_rows(struct dht *d, enum kad_store store, uint32_t table,
                      struct mtime now)
{
    struct rows_cursor c = {
        .kv = d->tables.kv,
        .table = table,
        .left = LOAD_MAX,
    };
    struct bytes key;
    struct bytes value;

    while (rows_next(&c, &key, &value))
        load_row(d, store, key, value, now);
    rows_write(&d->rows[store]);
}

/* Life. */

static void net_open(struct dht *d, enum kad_scope scope, const char *name,
                     struct mtime now)
{
    struct net *net = &d->nets[d->nets_count];
    struct clock *clock = d->env->clock;
    struct kad_config config = {
        .self = privkey_peer_id(node_key(d->node)),
        .scope = scope,
        /* Nobody knows yet whether the world can reach us, and a visitor is
         * gone soon. */
        .server = scope != KAD_WAN && !node_is_visitor(d->node),
        .keep = true,
        .ip_diversity = true,
        .alpha = scope == KAD_OWN ? KAD_ALPHA_OWN : KAD_ALPHA,
        .unix_ms = clock->unix_ms(clock),
    };
    uint8_t seed[SEED_BYTES];

    node_random(d->node, config.seed, sizeof(config.seed));
    node_random(d->node, seed, sizeof(seed));
    map_init(&d->messages[d->nets_count], seed);
    d->nets_count++;
    net->dht = d;
    net->mark = (uint8_t)('0' + scope);
    assert(strlen(name) < sizeof(net->name));
    memcpy(net->name, name, strlen(name) + 1);
    net->kad = kad_new(&config, now);
    struct rpc_config rpc = {
        .protocol = net->name,
        .request_max = KAD_REQUEST_BYTES_MAX,
        .streams_max = STREAMS_MAX,
        .on_request = config.server ? on_request : NULL,
        .user = net,
    };
    net->rpc = rpc_new(d->env, d->network, &rpc, now);
}

static void open_own(struct dht *d, struct mtime now)
{
    char name[NODE_PROTOCOL_MAX];

    node_protocol(d->node, "/kad/1.0.0", name);
    net_open(d, KAD_OWN, name, now);
}

static void open_nets(struct dht *d, struct mtime now)
{
    unsigned which =
        config_get_choice(node_settings(d->node), CONFIG_NETWORK_IPFS_DHT);

    open_own(d, now);
    if (which == CONFIG_IPFS_DHT_LAN || which == CONFIG_IPFS_DHT_BOTH)
        net_open(d, KAD_LAN, "/ipfs/lan/kad/1.0.0", now);
    if (which == CONFIG_IPFS_DHT_WAN || which == CONFIG_IPFS_DHT_BOTH)
        net_open(d, KAD_WAN, "/ipfs/kad/1.0.0", now);
}

struct dht *dht_new(struct node *n, const struct dht_tables *tables,
                    struct mtime now)
{
    struct dht *d = mem_zalloc(1, sizeof(*d));

    d->node = n;
    d->env = node_env(n);
    d->network = node_network(n);
    d->tables = *tables;
    list_init(&d->ops);
    list_init(&d->ended);
    rows_init(&d->rows[KAD_STORE_PROVIDERS], tables->kv, tables->providers);
    rows_init(&d->rows[KAD_STORE_VALUES], tables->kv, tables->values);
    timer_init(&d->timer, on_timer);
    timer_init(&d->flush, on_flush);
    open_nets(d, now);
    load_rows(d, KAD_STORE_PROVIDERS, tables->providers, now);
    load_rows(d, KAD_STORE_VALUES, tables->values, now);
    d->watcher.on_peer = on_peer;
    network_watch(d->network, &d->watcher);
    dht_addrs_changed(d);
    set_flush(d, now);
    set_timer(d);
    return d;
}

static void net_close(struct net *net, struct mtime now)
{
    struct map *messages = &net->dht->messages[place_of(net)];
    struct map_node *first = map_first(messages);

    while (first != NULL) {
        struct message *m = container_of(first, struct message, node);
        rpc_cancel(&m->call);
        message_free(m);
        first = map_first(messages);
    }
    map_release(messages);
    rpc_free(net->rpc, now);
    /* Messages that were not taken belong to the core. */
    kad_free(net->kad);
}

void dht_free(struct dht *d, struct mtime now)
{
    struct clock *clock;
    if (d == NULL)
        return;

    clock = d->env->clock;
    clock->set(clock, &d->timer, MTIME_NEVER);
    clock->set(clock, &d->flush, MTIME_NEVER);
    network_unwatch(&d->watcher);
    list_for_each_safe (it, &d->ops) {
        container_of(it, struct dht_op, link)->dht = NULL;
        list_remove(it);
    }
    list_for_each_safe (it, &d->ended) {
        container_of(it, struct dht_op, link)->dht = NULL;
        list_remove(it);
    }
    write_changes(d);
    for (size_t i = 0; i < d->nets_count; i++)
        net_close(&d->nets[i], now);
    rows_release(&d->rows[KAD_STORE_PROVIDERS]);
    rows_release(&d->rows[KAD_STORE_VALUES]);
    mem_free(d);
}

void dht_addrs_changed(struct dht *d)
{
    struct multiaddr addrs[ADDRS_MAX];
    size_t count = network_addrs(d->network, addrs, ADDRS_MAX);

    for (size_t i = 0; i < d->nets_count; i++)
        kad_set_addrs(d->nets[i].kad, addrs, count);
}

const struct kad *dht_kad(const struct dht *d, size_t i, const char **ret_name)
{
    if (i >= d->nets_count)
        return NULL;
    *ret_name = d->nets[i].name;
    return d->nets[i].kad;
}

bool dht_is_lonely(const struct dht *d)
{
    for (size_t i = 0; i < d->nets_count; i++) {
        if (kad_get_stats(d->nets[i].kad).contacts_count == 0)
            return true;
    }
    return false;
}

bool dht_online(const struct dht *d)
{
    return kad_get_stats(d->nets[0].kad).contacts_count > 0;
}
