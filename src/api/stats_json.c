#include "api/stats_json.h"

#include "api/peer_json.h"
#include "api/request.h"
#include "libp2p/swarm.h"
#include "node/dht.h"
#include "node/exchange.h"
#include "node/network.h"
#include "node/node.h"
#include "store/store.h"

/* One counter. */
struct row {
    const char *name;
    uint64_t value;
};

static void add_rows(json_t *v, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_set_new(v, rows[i].name,
                            json_integer((json_int_t)rows[i].value));
}

static json_t *json_store(const struct store_stats *s)
{
    const struct row rows[] = {
        {"blocks", s->blocks},
        {"bytes_used", s->bytes_used},
        {"bytes_on_disk", s->bytes_on_disk},
        {"bytes_free", s->bytes_free},
        {"segments", s->segments},
        {"pins", s->pins},
        {"cache_blocks", s->cache_blocks},
        {"cache_bytes", s->cache_bytes},
        {"quarantined", s->quarantined},
        {"problems", s->problems},
        {"index_changes_waiting", s->pending},
        {"roots_to_count", s->queue},
    };
    json_t *v = json_object();

    add_rows(v, rows, countof(rows));
    if (s->bytes_limit > 0)
        json_object_set_new(v, "bytes_limit",
                            json_integer((json_int_t)s->bytes_limit));
    return v;
}

static json_t *json_conns(const struct swarm *swarm, struct mtime now)
{
    json_t *list = json_array();
    struct swarm_conn_info info;
    struct conn_id at = {.n = 0};

    while (json_array_size(list) < LIST_MAX &&
           swarm_conn_next(swarm, at, &info) == OK) {
        struct swarm_rates rates = swarm_conn_rates(swarm, info.conn, now);
        const struct row rows[] = {
            {"bytes_in", info.bytes_in},
            {"bytes_out", info.bytes_out},
            {"rate_in", rates.in},
            {"rate_out", rates.out},
        };
        json_t *v = json_pack("{s:o,s:o}", "peer_id", json_peer(info.peer),
                              "address", json_addr(info.addr));
        add_rows(v, rows, countof(rows));
        json_array_append_new(list, v);
        at = info.conn;
    }
    return list;
}

static json_t *json_bandwidth(const struct swarm *swarm, bool connections,
                              struct mtime now)
{
    struct swarm_counts counts = swarm_counts(swarm);
    struct swarm_rates rates = swarm_rates(swarm, now);
    const struct row rows[] = {
        {"bytes_in", counts.bytes_in},
        {"bytes_out", counts.bytes_out},
        {"rate_in", rates.in},
        {"rate_out", rates.out},
    };
    json_t *v = json_object();

    add_rows(v, rows, countof(rows));
    if (connections)
        json_object_set_new(v, "connections", json_conns(swarm, now));
    return v;
}

static json_t *json_bitswap(const struct exchange *x)
{
    struct bs_client_stats client = exchange_client_stats(x);
    struct bs_server_stats server = exchange_server_stats(x);
    const struct row rows[] = {
        {"blocks_received", client.blocks},
        {"bytes_received", client.bytes},
        {"duplicates", client.duplicates},
        {"unasked", client.unasked},
        {"dont_haves", client.dont_haves},
        {"stalls", client.stalls},
        {"wants", client.wants_count},
        {"sessions", client.sessions_count},
        {"peers", client.peers_count},
        {"blocks_sent", server.blocks},
        {"bytes_sent", server.bytes},
        {"presences_sent", server.presences},
        {"wants_of_peers", server.wants_count},
        {"wants_dropped", server.dropped},
    };
    json_t *v = json_object();

    add_rows(v, rows, countof(rows));
    return v;
}

static json_t *json_kad(const char *name, const struct kad *kad)
{
    struct kad_stats s = kad_get_stats(kad);
    const struct row rows[] = {
        {"contacts", s.contacts_count},
        {"buckets", s.buckets_count},
        {"known", s.known_count},
        {"queries", s.queries},
        {"queries_running", s.queries_count},
        {"messages_out", s.messages_out},
        {"answers_in", s.answers_in},
        {"failures", s.failures},
        {"bad_answers", s.bad_answers},
        {"served", s.served},
        {"refused", s.refused},
        {"bytes_in", s.bytes_in},
        {"bytes_out", s.bytes_out},
        {"provider_keys", s.provider_keys_count},
        {"provider_records", s.provider_records_count},
        {"value_records", s.value_records_count},
        {"provides_in", s.provides_in},
        {"provides_dropped", s.provides_dropped},
    };
    json_t *v = json_pack("{s:s}", "name", name);

    add_rows(v, rows, countof(rows));
    return v;
}

static json_t *json_dhts(const struct dht *dht)
{
    json_t *list = json_array();
    const struct kad *kad;
    const char *name;

    for (size_t i = 0; (kad = dht_kad(dht, i, &name)) != NULL; i++)
        json_array_append_new(list, json_kad(name, kad));
    return list;
}

void stats_json_parts(json_t *v, struct node *n,
                      const struct store_stats *store, bool connections,
                      struct mtime now)
{
    struct network *network = node_network(n);

    json_object_set_new(v, "store", json_store(store));
    if (network == NULL)
        return;
    const struct swarm *swarm = network_swarm(network);
    struct swarm_rates rates = swarm_rates(swarm, now);
    const struct row rows[] = {
        {"rate_in", rates.in},
        {"rate_out", rates.out},
    };
    add_rows(v, rows, countof(rows));
    json_object_set_new(v, "bandwidth",
                        json_bandwidth(swarm, connections, now));
    json_object_set_new(v, "bitswap", json_bitswap(node_exchange(n)));
    if (node_dht(n) != NULL)
        json_object_set_new(v, "dht", json_dhts(node_dht(n)));
}
