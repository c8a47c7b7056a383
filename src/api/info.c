/* /api/v1/node, /stats, /health: the node itself. */
#include <string.h>

#include "api/api_priv.h"
#include "api/identity_json.h"
#include "api/peer_json.h"
#include "api/request.h"
#include "api/stats_json.h"
#include "base/mem.h"
#include "base/wr.h"
#include "config/config.h"
#include "crypto/ed25519.h"
#include "env/clock.h"
#include "env/env.h"
#include "libp2p/swarm.h"
#include "multiformats/key.h"
#include "multiformats/multiaddr.h"
#include "multiformats/multibase.h"
#include "multiformats/peer_id.h"
#include "node/announce.h"
#include "node/exchange.h"
#include "node/network.h"
#include "node/node.h"
#include "node/objects.h"
#include "store/store.h"

enum { ADDRS_MAX = 32, SIGN_BYTES_MAX = 512 * 1024 };

static json_t *json_base64(struct bytes in)
{
    size_t room = multibase_text_max(in.len);
    char *text = mem_alloc(room);
    size_t len = 0;
    enum err err =
        multibase_encode_bare(MULTIBASE_64_PAD, in, text, room, &len);
    json_t *v = json_stringn(text, err == OK ? len : 0);

    mem_free(text);
    return v;
}

static json_t *json_public_key(const struct privkey *private)
{
    uint8_t bytes[PUBKEY_BYTES_MAX];
    struct pubkey key = privkey_public(private);
    struct wr w = wr_init(bytes, sizeof(bytes));

    pubkey_write(&w, &key);
    return json_base64((struct bytes){bytes, wr_len(&w)});
}

json_t *json_identity(const struct privkey *key, const char *version)
{
    struct peer_id self = privkey_peer_id(key);

    return json_pack("{s:o,s:o,s:o}", "peer_id", json_peer(&self), "agent",
                     json_sprintf("xmbl/%s", version), "public_key",
                     json_public_key(key));
}

static json_t *json_addresses(struct node *n)
{
    struct multiaddr addrs[ADDRS_MAX];
    struct peer_id self = privkey_peer_id(node_key(n));
    struct network *network = node_network(n);
    size_t count =
        network != NULL ? network_addrs(network, addrs, ADDRS_MAX) : 0;
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        char text[MULTIADDR_TEXT_MAX];
        if (multiaddr_append_peer(&addrs[i], &self) != OK)
            continue; /* too long to be of use to anybody */
        (void)multiaddr_format(&addrs[i], text);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

/* What the swarm serves by itself, and what the node serves now. */
static json_t *json_protocols(const struct node *n)
{
    static const char *const own[] = {"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0",
                                      "/ipfs/ping/1.0.0"};
    const struct network *network = node_network(n);
    json_t *list = json_array();

    for (size_t i = 0; network != NULL && i < countof(own); i++)
        json_array_append_new(list, json_string(own[i]));
    for (size_t i = 0; network != NULL && i < NETWORK_SERVICES_MAX; i++) {
        const char *name = network_protocol(network, i);
        if (name != NULL)
            json_array_append_new(list, json_string(name));
    }
    return list;
}

static double uptime_s(struct node *n)
{
    struct clock *clock = node_env(n)->clock;

    return (double)mtime_ms_since(node_started(n), clock->now(clock)) / 1000;
}

static const char *state_name(const struct node *n,
                              const struct store_stats *stats)
{
    if (stats->rebuilding)
        return "rebuilding";
    if (stats->degraded)
        return "degraded";
    return node_network(n) != NULL ? "online" : "offline";
}

void handle_node(struct request *q, struct mtime now)
{
    struct node *n = q->node;
    struct store_stats stats;

    (void)now;
    store_stats(node_store(n), &stats);
    json_t *v = json_identity(node_key(n), node_version(n));
    json_t *more = json_pack(
        "{s:o,s:o,s:s,s:f,s:s,s:s}", "addresses", json_addresses(n),
        "protocols", json_protocols(n), "version", node_version(n), "uptime_s",
        uptime_s(n), "state", state_name(n, &stats), "path", node_path(n));
    json_object_update(v, more);
    json_decref(more);
    reply_json(q, 200, v);
}

static void add_counts(json_t *v, struct node *n)
{
    struct network *network = node_network(n);
    if (network == NULL) {
        json_object_set_new(v, "peers", json_integer(0));
        return;
    }
    struct swarm_counts c = swarm_counts(network_swarm(network));
    struct bs_client_stats client = exchange_client_stats(node_exchange(n));
    struct bs_server_stats server = exchange_server_stats(node_exchange(n));
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"peers", c.peers},
        {"connections", c.conns},
        {"streams", c.streams},
        {"bytes_in", c.bytes_in},
        {"bytes_out", c.bytes_out},
        {"connections_refused", c.refused},
        {"connections_dropped", c.dropped},
        {"blocks_received", client.blocks},
        {"blocks_received_bytes", client.bytes},
        {"blocks_duplicate", client.duplicates},
        {"blocks_unasked", client.unasked},
        {"blocks_sent", server.blocks},
        {"blocks_sent_bytes", server.bytes},
    };
    for (size_t i = 0; i < countof(rows); i++)
        json_object_set_new(v, rows[i].name,
                            json_integer((json_int_t)rows[i].value));
}

static void add_objects(json_t *v, struct node *n, const struct keeper_stats *k)
{
    uint64_t free = 0;
    uint64_t offer = objects_offer(node_objects(n), &free);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"objects_held", k->held},
        {"objects_pulling", k->pulling},
        {"objects_promised_bytes", k->promised_bytes},
        {"offer_bytes", offer},
        {"offer_free_bytes", free},
        {"audits_passed", k->audits_passed},
        {"audits_failed", k->audits_failed},
        {"audits_silent", k->audits_silent},
        {"audits_served", k->audits_served},
        {"offers_accepted", k->offers_accepted},
        {"offers_refused", k->offers_refused},
        {"repairs", k->repairs},
        {"repair_bytes", k->repair_bytes},
        {"repair_queue", k->repair_queue},
    };

    for (size_t i = 0; i < countof(rows); i++)
        json_object_set_new(v, rows[i].name,
                            json_integer((json_int_t)rows[i].value));
}

static void add_announce(json_t *v, struct node *n, struct mtime now)
{
    if (node_announce(n) == NULL)
        return;
    struct announce_stats a = announce_get_stats(node_announce(n), now);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"roots_waiting", a.roots_waiting},
        {"roots_announced", a.roots_done},
        {"roots_failed", a.roots_failed},
        {"blocks_announced", a.keys},
        {"records_sent", a.records},
        {"sends_failed", a.sends_failed},
        {"regions", a.regions},
        {"circles", a.circles},
        {"lookups", a.lookups},
        {"late_s", a.late_ms / 1000},
        {"scans", a.scans},
        {"blocks_scanned", a.scanned},
    };
    json_t *part =
        json_pack("{s:s,s:b}", "mode",
                  config_get_text(node_settings(n), CONFIG_STORAGE_ANNOUNCE),
                  "online", (int)a.online);

    for (size_t i = 0; i < countof(rows); i++)
        json_object_set_new(part, rows[i].name,
                            json_integer((json_int_t)rows[i].value));
    json_object_set_new(v, "announce", part);
}

void handle_stats(struct request *q, struct mtime now)
{
    struct node *n = q->node;
    struct store_stats s;
    bool good = true;
    bool connections = request_flag(q, "connections", false, &good);

    if (!good)
        return;
    store_stats(node_store(n), &s);
    struct keeper_stats k = objects_stats(node_objects(n));
    json_t *v = json_pack(
        "{s:s,s:f,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:I}", "state",
        state_name(n, &s), "uptime_s", uptime_s(n), "blocks",
        (json_int_t)s.blocks, "bytes_used", (json_int_t)s.bytes_used,
        "bytes_free", (json_int_t)s.bytes_free, "cache_blocks",
        (json_int_t)s.cache_blocks, "cache_bytes", (json_int_t)s.cache_bytes,
        "quarantined", (json_int_t)s.quarantined, "pins", (json_int_t)s.pins,
        "segments", (int)s.segments, "objects", (json_int_t)k.owned);
    add_objects(v, n, &k);
    if (s.bytes_limit > 0)
        json_object_set_new(v, "bytes_limit",
                            json_integer((json_int_t)s.bytes_limit));
    add_counts(v, n);
    add_announce(v, n, now);
    stats_json_parts(v, n, &s, connections, now);
    reply_json(q, 200, v);
}

void handle_health(struct request *q, struct mtime now)
{
    struct store_stats s;

    (void)now;
    store_stats(node_store(q->node), &s);
    json_t *reasons = json_array();
    if (s.degraded)
        json_array_append_new(
            reasons, json_string("the index cannot be written to the disk"));
    if (s.rebuilding)
        json_array_append_new(reasons,
                              json_string("the index is being built again"));
    if (s.quarantined > 0)
        json_array_append_new(reasons,
                              json_string("damaged blocks wait for a copy"));
    size_t count = json_array_size(reasons);
    unsigned status = s.degraded ? 503 : 200;
    reply_json(q, status,
               json_pack("{s:s,s:i,s:o}", "status",
                         count == 0 ? "ok" : "degraded", "score",
                         count == 0 ? 100 : 50, "reasons", reasons));
}

void handle_shutdown(struct request *q, struct mtime now)
{
    const struct api_config *c = &q->api->config;

    (void)now;
    if (c->shutdown == NULL) {
        reply_error(q, ERROR_DAEMON_NEEDED, NULL, NULL);
        return;
    }
    reply_json(q, 202, json_pack("{s:s}", "state", "stopping"));
    c->shutdown(c->shutdown_user);
}

void handle_sign(struct request *q, struct mtime now)
{
    const char *text = json_string_value(json_object_get(q->body, "data"));
    size_t len = text != NULL ? strlen(text) : 0;
    uint8_t sig[ED25519_SIG_BYTES];
    char peer[PEER_ID_TEXT_MAX];
    struct peer_id self = privkey_peer_id(node_key(q->node));

    (void)now;
    if (!request_fields(q))
        return;
    if (text == NULL || len > SIGN_BYTES_MAX) {
        reply_error(q, ERROR_BAD_REQUEST, "data: base64 is wanted", NULL);
        return;
    }
    size_t room = multibase_bytes_max(len);
    uint8_t *data = mem_alloc(room);
    size_t data_len = 0;
    enum err err = multibase_decode_bare(MULTIBASE_64_PAD, bytes_str(text),
                                         data, room, &data_len);
    if (err != OK) {
        mem_free(data);
        reply_error(q, ERROR_BAD_REQUEST, "data is no base64", NULL);
        return;
    }
    privkey_sign(node_key(q->node), (struct bytes){data, data_len}, sig);
    mem_free(data);
    (void)peer_id_format(&self, peer);
    reply_json(q, 200,
               json_pack("{s:o,s:o,s:s}", "signature",
                         json_base64((struct bytes){sig, sizeof(sig)}),
                         "public_key", json_public_key(node_key(q->node)),
                         "peer_id", peer));
}
