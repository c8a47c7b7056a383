#include "os/os_env.h"

#include <signal.h>
#include <uv.h>

#include "base/mem.h"
#include "os/disk.h"
#include "os/dns_cares.h"
#include "os/errno_err.h"
#include "os/http_server.h"
#include "os/kv_lmdb.h"
#include "os/loop.h"
#include "os/net_uv.h"
#include "os/pool.h"
#include "os/random.h"
#include "os/trim.h"
#include "os/web_curl.h"

enum { SIGNALS_COUNT = 3 };

struct os {
    struct os_env env; /* what the caller sees */
    struct os_config config;
    struct rng rng;
    struct disk disk;
    struct os_kv_opener kv;
    struct os_pool *pool;
    struct os_net *net;
    struct os_http *http;
    struct os_web *web;
    struct os_trim trim;
    uv_signal_t signals[SIGNALS_COUNT];
    unsigned signals_count;
};

static void on_signal(uv_signal_t *handle, int signum)
{
    struct os *os = handle->data;
    os->config.on_signal(os->config.user, signum, os_loop_enter(os->env.loop));
}

static enum err catch_signals(struct os *os)
{
    static const int caught[SIGNALS_COUNT] = {SIGTERM, SIGINT, SIGHUP};

    if (os->config.on_signal == NULL)
        return OK;
    for (unsigned i = 0; i < SIGNALS_COUNT; i++) {
        uv_signal_t *handle = &os->signals[i];
        int failed = uv_signal_init(os_loop_uv(os->env.loop), handle);
        if (failed != 0)
            return err_of_errno(-failed);
        os->signals_count++;
        handle->data = os;
        failed = uv_signal_start(handle, on_signal, caught[i]);
        if (failed != 0)
            return err_of_errno(-failed);
    }
    return OK;
}

static void set_process(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sigaction(SIGPIPE, &ignore, NULL); /* cannot fail for SIGPIPE */
    os_trim_process();
}

enum err os_env_open(const struct os_config *config, struct os_env **ret_env)
{
    struct os *os = mem_zalloc(1, sizeof(*os));

    set_process();
    os->config = *config;
    enum err err = os_loop_open(&os->env.loop);
    if (err == OK)
        err = catch_signals(os);
    if (err == OK)
        err = os_pool_open(os->env.loop, config->pool_threads, &os->pool);
    if (err == OK) {
        os->net = os_net_new(os->env.loop);
        err = os_dns_set_servers(os_net_dns(os->net), config->dns_servers);
    }
    if (err != OK) {
        os_env_free(&os->env);
        return err;
    }

    os_trim_init(&os->trim, os->env.loop);
    os_random_init(&os->rng);
    os_disk_init(&os->disk);
    os_kv_opener_init(&os->kv, os->env.loop);
    os->http = os_http_new(os->env.loop);
    os->web = os_web_new(os->env.loop);
    os->env.env = (struct env){
        .clock = os_loop_clock(os->env.loop),
        .rng = &os->rng,
        .net = os_net_env(os->net),
        .disk = &os->disk,
        .kv = &os->kv.opener,
        .pool = os_pool_env(os->pool),
        .http = os_http_env(os->http),
        .web = os_web_env(os->web),
    };
    *ret_env = &os->env;
    return OK;
}

enum err os_env_set_dns_servers(struct os_env *e, const char *servers)
{
    struct os *os = container_of(e, struct os, env);

    return os_dns_set_servers(os_net_dns(os->net), servers);
}

void os_env_run(struct os_env *e)
{
    os_loop_run(e->loop);
}

void os_env_stop(struct os_env *e)
{
    os_loop_stop(e->loop);
}

bool os_env_is_busy(struct os_env *e)
{
    struct os *os = container_of(e, struct os, env);

    return os_pool_is_busy(os->pool);
}

void os_env_free(struct os_env *e)
{
    if (e == NULL)
        return;
    struct os *os = container_of(e, struct os, env);

    if (os->trim.loop != NULL)
        os_trim_release(&os->trim);
    os_web_free(os->web);
    os_http_free(os->http);
    os_net_free(os->net);
    os_pool_free(os->pool);
    for (unsigned i = 0; i < os->signals_count; i++)
        uv_close((uv_handle_t *)&os->signals[i], NULL);
    os_loop_free(os->env.loop);
    mem_free(os);
}
