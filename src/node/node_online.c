#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "discovery/discovery.h"
#include "env/clock.h"
#include "env/env.h"
#include "kad/kad.h"
#include "libp2p/swarm.h"
#include "node/announce.h"
#include "node/dht.h"
#include "node/exchange.h"
#include "node/names.h"
#include "node/network.h"
#include "node/node_priv.h"
#include "node/objects.h"
#include "node/peering.h"

enum { AGENT_MAX = 64, LISTEN_MAX = 16 };

/* Talking to others. */

static void network_config(struct node *n, char agent[static AGENT_MAX],
                           struct swarm_config *config)
{
    struct strbuf s;

    strbuf_init(&s, AGENT_MAX - 1);
    strbuf_str(&s, "xmbl/");
    strbuf_str(&s, n->version);
    memcpy(agent, strbuf_cstr(&s), s.len + 1);
    strbuf_release(&s);
    *config = (struct swarm_config){
        .key = &n->key,
        .agent = agent,
        .limits = swarm_limits_default(),
    };
    config->limits.conns_max =
        (uint32_t)config_get_uint(n->config, CONFIG_NETWORK_CONNECTIONS_MAX);
    config->limits.conns_per_ip = (uint32_t)config_get_uint(
        n->config, CONFIG_SECURITY_CONNECTIONS_PER_IP);
    config->limits.limit_loopback =
        config_get_bool(n->config, CONFIG_SECURITY_LIMIT_LOOPBACK);
    node_random(n, config->seed, sizeof(config->seed));
}

static void fault_listen(struct fault *f, enum err err, struct bytes where)
{
    if (err == E_EXISTS)
        fault_set(f, ERROR_ADDRESS_IN_USE, NULL, where);
    else if (err == E_MALFORMED || err == E_UNSUPPORTED)
        fault_set(f, ERROR_BAD_ADDRESS, "cannot listen on this address", where);
    else if (err == E_NOTFOUND)
        fault_set(f, ERROR_BAD_ADDRESS, "this machine has no such address",
                  where);
    else
        fault_from_err(f, err, "cannot listen", where);
}

/* An address of the defaults may move to the next port, or be left out where
 * this machine has no such kind; one that was asked for may not. */
static enum err listen_at(struct node *n, const char *text, bool is_default,
                          struct fault *ret_fault)
{
    struct multiaddr addr;
    struct multiaddr chosen;
    enum err err = multiaddr_parse(bytes_str(text), &addr);

    if (err == OK)
        err = network_listen(n->network, &addr, is_default, &chosen);
    if (err == OK && !multiaddr_eq(&addr, &chosen)) {
        char chosen_text[MULTIADDR_TEXT_MAX];
        size_t len = multiaddr_format(&chosen, chosen_text);
        node_log_event(n, is_default ? LOG_WARNING : LOG_DEBUG, "listening",
                       "address", (struct bytes){(uint8_t *)chosen_text, len});
    }
    bool optional = is_default && multiaddr_has(&addr, MA_IP6);
    if (err == OK || optional)
        return OK;
    fault_listen(ret_fault, err, bytes_str(text));
    return err;
}

static enum err listen_all(struct node *n, struct fault *ret_fault)
{
    size_t count;
    const char *const *texts =
        config_get_list(n->config, CONFIG_NETWORK_LISTEN, &count);
    bool is_default = config_is_default(n->config, CONFIG_NETWORK_LISTEN);

    for (size_t i = 0; i < count; i++) {
        enum err err = listen_at(n, texts[i], is_default, ret_fault);
        if (err != OK)
            return err;
    }
    return OK;
}

static void announce(struct node *n, struct mtime now)
{
    struct multiaddr addrs[LISTEN_MAX];
    size_t count;
    const char *const *texts =
        config_get_list(n->config, CONFIG_NETWORK_ANNOUNCE, &count);
    size_t known = 0;

    for (size_t i = 0; i < count && known < LISTEN_MAX; i++) {
        /* The schema has checked them. */
        if (multiaddr_parse(bytes_str(texts[i]), &addrs[known]) == OK)
            known++;
    }
    network_announce(n->network, addrs, known, now);
}

static void open_network(struct node *n, struct mtime now)
{
    char agent[AGENT_MAX];
    struct swarm_config config;

    network_config(n, agent, &config);
    n->network = network_new(n->env, &config, &n->log);
    n->exchange = exchange_new(n, now);
}

static void open_peers(struct node *n, struct mtime now)
{
    struct dht_tables tables = {n->state, STATE_DHT_PROVIDERS,
                                STATE_DHT_VALUES};

    n->peering = peering_new(n, n->state, STATE_PEERS, now);
    n->dht = dht_new(n, &tables, now);
    names_start(n->names, now);
}

enum err node_start(struct node *n, struct mtime now, struct fault *ret_fault)
{
    if (!config_get_bool(n->config, CONFIG_NETWORK_ENABLED))
        return OK;
    open_network(n, now);
    enum err err = listen_all(n, ret_fault);
    if (err != OK)
        return err;
    announce(n, now);
    open_peers(n, now);
    n->announce = announce_new(n, n->state, STATE_ANNOUNCE, now);
    peering_start(n->peering, now);
    objects_start(n->objects, now);
    return OK;
}

/* A visit to others. */

bool node_reach_out(struct node *n, struct mtime now)
{
    if (n->exchange != NULL)
        return true;
    if (!n->may_visit || n->stopping || n->network != NULL ||
        !config_get_bool(n->config, CONFIG_NETWORK_ENABLED))
        return false;
    if (n->only_reads) {
        n->wants_to_write = true; /* what comes is to be kept */
        return false;
    }
    n->is_visitor = true;
    open_network(n, now);
    open_peers(n, now);
    n->lonely_until = mtime_add_ms(now, node_knows_nobody(n) ? NODE_ALONE_MS
                                                             : NODE_LONELY_MS);
    peering_start(n->peering, now);
    return true;
}

bool node_is_visitor(const struct node *n)
{
    return n->is_visitor;
}

bool node_is_lonely(const struct node *n, struct mtime now)
{
    const struct kad *kad;
    const char *name;

    if (!n->is_visitor || n->dht == NULL || mtime_reached(now, n->lonely_until))
        return false;
    for (size_t i = 0; (kad = dht_kad(n->dht, i, &name)) != NULL; i++) {
        if (kad_get_stats(kad).contacts_count > 0)
            return false;
    }
    return true;
}

bool node_knows_nobody(const struct node *n)
{
    size_t given;

    (void)config_get_list(n->config, CONFIG_NETWORK_BOOTSTRAP, &given);
    return given == 0 &&
           discovery_counts(peering_discovery(n->peering)).known == 0;
}

void node_tell_lonely(const struct node *n, struct strbuf *out)
{
    uint32_t known = discovery_counts(peering_discovery(n->peering)).known;

    if (node_knows_nobody(n)) {
        strbuf_str(out, "no bootstrap peer is known, and the local network "
                        "has none");
    } else if (known == 0) {
        strbuf_str(out, "the addresses of the bootstrap peers lead nowhere");
    } else if (known == 1) {
        strbuf_str(out, "the only peer that is known does not answer");
    } else {
        strbuf_str(out, "none of ");
        strbuf_u64(out, known);
        strbuf_str(out, " peers that are known answers");
    }
}

bool node_pump_online(struct node *n, struct mtime now)
{
    bool more = false;

    if (n->exchange == NULL)
        return false;
    exchange_pump(n->exchange, now);
    if (n->announce != NULL)
        more |= announce_pump(n->announce, now);
    if (n->dht != NULL)
        more |= dht_pump(n->dht, now);
    if (n->peering != NULL)
        more |= peering_pump(n->peering, now);
    more |= network_drain(n->network, now);
    return more;
}

void node_go_offline(struct node *n, struct mtime now)
{
    if (n->network == NULL)
        return;
    announce_free(n->announce);
    n->announce = NULL;
    names_stop(n->names);
    dht_free(n->dht, now);
    n->dht = NULL;
    exchange_free(n->exchange);
    n->exchange = NULL;
    if (n->peering != NULL)
        peering_stop(n->peering, now);
    network_close(n->network, now);
}

bool node_is_offline(struct node *n)
{
    struct mtime now = n->env->clock->now(n->env->clock);

    if (n->network == NULL)
        return true;
    if (!network_is_idle(n->network) ||
        (n->peering != NULL && !peering_is_idle(n->peering)))
        return false;
    peering_free(n->peering, now);
    n->peering = NULL;
    network_free(n->network);
    n->network = NULL;
    return true;
}
