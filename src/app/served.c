#include "app/served.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "app/cli_error.h"
#include "app/folder.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "crypto/ed25519.h"
#include "crypto/secret.h"
#include "env/clock.h"
#include "env/http.h"
#include "env/rng.h"
#include "node/node.h"
#include "os/os_env.h"

enum {
    URL_BYTES_MAX = 300,
    SERVERS_BYTES_MAX = 64 * 1024,
    LOG_AS_JSON = 1, /* the schema's second choice */
};

static void on_turn_end(struct os_loop_hook *h, struct mtime now)
{
    struct served *s = container_of(h, struct served, hook);

    node_turn_end(s->node, now);
    /* Operations that were ended have jobs in the pool: those come back to
     * memory that lives no longer than the node. */
    if (s->stopped && !os_env_is_busy(s->os))
        os_env_stop(s->os);
}

enum err served_reload(struct served *s, struct json_t *changed,
                       struct json_t *restart, struct cli_error *ret_error)
{
    struct config fresh;
    enum err err = folder_settings(s->path, s->sets, &fresh, ret_error);

    for (int i = 0; err == OK && i < CONFIG_KEYS_COUNT; i++) {
        enum config_key key = (enum config_key)i;
        const struct config_schema *row = config_schema(key);
        if (!config_differs(&s->config, &fresh, key))
            continue;
        json_array_append_new(row->is_live ? changed : restart,
                              json_string(row->name));
        if (row->is_live)
            config_adopt(&s->config, &fresh, key);
    }
    config_release(&fresh);
    if (err == OK)
        node_settings_changed(s->node);
    return err;
}

static bool on_reload(void *user, const struct api_setting *set,
                      struct json_t *changed, struct json_t *restart,
                      struct fault *ret_fault)
{
    struct served *s = user;
    struct cli_error error = {.code = ""};
    enum err err = OK;

    if (set != NULL)
        err = folder_set(s->path, set->key, set->value, &error);
    if (err == OK)
        err = served_reload(s, changed, restart, &error);
    if (err != OK)
        fault_set(ret_fault, ERROR_BAD_CONFIG, error.message, BYTES_EMPTY);
    return err == OK;
}

static void make_key(struct os_env *os, struct privkey *ret_key)
{
    struct rng *rng = os->env.rng;
    uint8_t seed[ED25519_SEED_BYTES];

    rng->fill(rng, seed, sizeof(seed));
    privkey_init_seed(ret_key, seed);
    secret_wipe(seed, sizeof(seed));
}

static enum err set_name_servers(struct served *s, struct cli_error *ret_error)
{
    size_t count;
    const char *const *servers =
        config_get_list(&s->config, CONFIG_NETWORK_DNS_SERVERS, &count);
    struct strbuf all;

    strbuf_init(&all, SERVERS_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_str(&all, ",");
        strbuf_str(&all, servers[i]);
    }
    enum err err = os_env_set_dns_servers(s->os, strbuf_cstr(&all));
    if (err != OK)
        cli_error_setf(ret_error, ERROR_BAD_CONFIG,
                       "network.dns_servers: not IP addresses, with or "
                       "without :PORT: %s",
                       strbuf_cstr(&all));
    strbuf_release(&all);
    return err;
}

/* One that passes where nobody asks whose it is. */
static enum err get_key(struct served *s, const struct served_config *config,
                        struct privkey *ret_key, struct cli_error *ret_error)
{
    if (config->settings != NULL || config->use == ROUTE_READS_BLOCKS) {
        make_key(s->os, ret_key);
        return OK;
    }
    if (config->use == ROUTE_READS && !folder_exists(s->path)) {
        cli_error_set(ret_error, ERROR_NO_FOLDER, s->path);
        return E_AGAIN;
    }
    return folder_key(s->os, s->path, config->passphrase_file, ret_key,
                      ret_error);
}

static enum err open_node(struct served *s, const struct served_config *config,
                          struct cli_error *ret_error)
{
    struct fault fault;
    struct node_config node = {
        .path = s->path,
        .config = &s->config,
        .log = config->log,
        .version = XMBL_VERSION,
        .may_visit = config->visits,
        .checks_reads = config->checks_reads,
        .cache_bytes_max = config->cache_bytes_max,
        .only_reads = config->use != ROUTE_WRITES,
    };
    node.log.json =
        config_get_choice(&s->config, CONFIG_LOGGING_FORMAT) == LOG_AS_JSON;
    node.log.level =
        (enum log_level)config_get_choice(&s->config, CONFIG_LOGGING_LEVEL);
    enum err err = get_key(s, config, &node.key, ret_error);
    if (err != OK)
        return err;
    if (!node.only_reads)
        err = node_prepare(&s->os->env, s->path, &fault);
    if (err == OK)
        err = node_open(&s->os->env, &node, &s->node, &fault);
    if (err != OK) {
        privkey_release(&node.key);
        cli_error_setf(ret_error, fault.id, "%s", fault.text);
    }
    return err;
}

enum err served_open(struct served *s, const struct served_config *config,
                     struct os_env *os, const struct fslock *lock,
                     struct http *http, struct cli_error *ret_error)
{
    *s = (struct served){
        .os = os,
        .path = mem_strdup(config->path),
        .sets = config->sets,
    };
    const char *settings =
        config->settings != NULL ? config->settings : s->path;
    enum err err =
        folder_settings(settings, config->sets, &s->config, ret_error);
    if (err == OK)
        err = set_name_servers(s, ret_error);
    if (err == OK)
        err = open_node(s, config, ret_error);
    if (err != OK) {
        config_release(&s->config);
        mem_free(s->path);
        return err;
    }
    s->api_config = (struct api_config){
        .node = s->node,
        .http = http != NULL ? http : os->env.http,
        .uid = (uint32_t)geteuid(),
        .shutdown = config->shutdown,
        .shutdown_user = config->user,
        .reload = on_reload,
        .reload_user = s,
    };
    s->api = api_new(&s->api_config);
    s->lock = *lock;
    s->hook.turn_end = on_turn_end;
    os_loop_hook_add(os->loop, &s->hook, OS_LOOP_WORK);
    return OK;
}

enum err served_listen_tcp(struct served *s, char **ret_url,
                           struct cli_error *ret_error)
{
    const char *at = config_get_text(&s->config, CONFIG_API_LISTEN);
    struct http *http = s->os->env.http;
    uint16_t port = 0;
    struct strbuf url;

    if (strcmp(at, "off") == 0) {
        *ret_url = NULL;
        return OK;
    }
    s->tcp_api = api_new(&s->api_config);
    enum err err = http->listen_tcp(http, api_server(s->tcp_api), at, &port);
    if (err != OK) {
        api_free(s->tcp_api);
        s->tcp_api = NULL;
        cli_error_setf(ret_error,
                       err == E_EXISTS ? ERROR_ADDRESS_IN_USE
                                       : error_of_err(err),
                       "the API cannot listen there: %s", at);
        return err;
    }
    strbuf_init(&url, URL_BYTES_MAX);
    strbuf_str(&url, "http://");
    strbuf_add(&url, (struct bytes){(const uint8_t *)at,
                                    (size_t)(strrchr(at, ':') - at)});
    strbuf_str(&url, ":");
    strbuf_u64(&url, port);
    *ret_url = mem_strdup(strbuf_cstr(&url));
    strbuf_release(&url);
    return OK;
}

static void on_stopped(void *user, enum err err)
{
    struct served *s = user;

    s->stop_err = err;
    s->stopped = true;
}

enum err served_close(struct served *s)
{
    struct clock *clock = s->os->env.clock;

    node_stop(s->node, on_stopped, s, clock->now(clock));
    while (!s->stopped || os_env_is_busy(s->os))
        os_env_run(s->os);
    os_loop_hook_remove(&s->hook);
    api_free(s->tcp_api);
    api_free(s->api);
    node_free(s->node);
    config_release(&s->config);
    fslock_release(&s->lock);
    mem_free(s->path);
    return s->stop_err;
}
