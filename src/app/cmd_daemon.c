#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "app/cli.h"
#include "app/cli_error.h"
#include "app/commands.h"
#include "app/folder.h"
#include "app/served.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/http.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"
#include "node/network.h"
#include "node/node.h"
#include "os/os_env.h"
#include "os/sdnotify.h"

enum {
    SETS_MAX = 256,
    TIME_TEXT_MAX = 40,
    NS_PER_MS = 1000000,
    SET_BYTES_MAX = 64 * 1024,
    ADDRS_MAX = 32,
    SOCKET_MODE = 0600,
    LOCK_WAIT_MS = 5000
};

struct daemon {
    struct cli *cli;
    struct os_env *os;
    struct served served;
    char *sets[SETS_MAX + 1]; /* KEY=VALUE, ended by NULL */
    size_t sets_count;
    unsigned stops; /* signals and requests to end */
};

/* With the time in front, as the first field where it is JSON. */
static void on_log(void *user, enum log_level level, struct bytes line)
{
    const char *text = (const char *)line.p;
    struct timespec at;
    struct tm utc;
    char time[TIME_TEXT_MAX];

    (void)user;
    (void)level;
    (void)clock_gettime(CLOCK_REALTIME, &at); /* it cannot fail */
    size_t len = strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S",
                          gmtime_r(&at.tv_sec, &utc));
    (void)snprintf(time + len, sizeof(time) - len, ".%03ldZ",
                   at.tv_nsec / NS_PER_MS);
    if (text[0] == '{')
        (void)fprintf(stderr, "{\"time\":\"%s\",%.*s\n", time,
                      (int)line.len - 1, text + 1);
    else
        (void)fprintf(stderr, "%s %.*s\n", time, (int)line.len, text);
}

static void stop(struct daemon *d)
{
    d->stops++;
    os_env_stop(d->os);
}

static void on_shutdown(void *user)
{
    stop(user);
}

static void reload(struct daemon *d)
{
    struct cli_error error = {.code = ""};
    json_t *changed = json_array();
    json_t *restart = json_array();
    const json_t *name;
    size_t i;

    if (d->served.node == NULL)
        return; /* it is not up yet, and reads them anyway */
    if (served_reload(&d->served, changed, restart, &error) != OK)
        (void)fprintf(stderr, "xmbl: settings kept: %s\n", error.message);
    json_array_foreach(restart, i, name)
    {
        (void)fprintf(stderr, "xmbl: takes effect after a restart: %s\n",
                      json_string_value(name));
    }
    json_decref(changed);
    json_decref(restart);
}

static void on_signal(void *user, int signum, struct mtime now)
{
    (void)now;
    if (signum == SIGHUP)
        reload(user);
    else
        stop(user);
}

/* Options that are settings by another name. */

static void add_set(struct daemon *d, const char *key, const char *value)
{
    struct strbuf s;

    if (d->sets_count == SETS_MAX)
        return;
    strbuf_init(&s, SET_BYTES_MAX);
    strbuf_str(&s, key);
    strbuf_str(&s, "=");
    strbuf_str(&s, value);
    d->sets[d->sets_count++] = mem_strdup(strbuf_cstr(&s));
    strbuf_release(&s);
}

static void add_list(struct daemon *d, const char *option, const char *key)
{
    struct strbuf all;

    strbuf_init(&all, SET_BYTES_MAX);
    for (size_t i = 0; cli_value_at(d->cli, option, i) != NULL; i++) {
        if (i > 0)
            strbuf_str(&all, ",");
        strbuf_str(&all, cli_value_at(d->cli, option, i));
    }
    if (all.len > 0)
        add_set(d, key, strbuf_cstr(&all));
    strbuf_release(&all);
}

static void collect_sets(struct daemon *d)
{
    for (size_t i = 0; cli_value_at(d->cli, "set", i) != NULL; i++) {
        if (d->sets_count < SETS_MAX)
            d->sets[d->sets_count++] =
                mem_strdup(cli_value_at(d->cli, "set", i));
    }
    add_list(d, "listen", "network.listen");
    add_list(d, "bootstrap", "network.bootstrap");
    if (!cli_flag(d->cli, "no-bootstrap"))
        return;
    if (cli_value_at(d->cli, "bootstrap", 0) == NULL)
        add_set(d, "network.bootstrap", "");
    add_set(d, "network.seed_domain", "");
    add_set(d, "network.mdns", "false");
}

/* Coming up. */

static enum err take_lock(const char *path, struct fslock *ret_lock,
                          struct cli_error *ret_error)
{
    char *file = path_join(path, "lock");
    uint32_t pid = 0;
    enum err err = fslock_open(file, true, LOCK_WAIT_MS, ret_lock, &pid);

    mem_free(file);
    if (err == E_AGAIN)
        folder_fault_held(ret_error, pid, path);
    else if (err != OK)
        cli_error_set(ret_error, error_of_err(err), path);
    return err;
}

static enum err open_folder(struct daemon *d, const char *path)
{
    struct served_config config = {
        .path = path,
        .sets = (const char *const *)d->sets,
        .passphrase_file = d->cli->passphrase_file,
        .log = {.write = on_log},
        .shutdown = on_shutdown,
        .user = d,
    };
    struct cli_error *error = &d->cli->error;
    struct fslock lock;
    bool is_new = !folder_exists(path);
    enum err err = folder_make(path, error);
    if (err == OK)
        err = take_lock(path, &lock, error);
    if (err != OK)
        return err;
    if (is_new)
        (void)fprintf(stderr, "xmbl: made a new data folder: %s\n", path);
    err = served_open(&d->served, &config, d->os, &lock, NULL, error);
    if (err != OK)
        fslock_release(&lock);
    return err;
}

static enum err open_api(struct daemon *d)
{
    struct http *http = d->os->env.http;
    char *path = path_join(d->served.path, "api.sock");
    enum err err =
        http->listen_unix(http, api_server(d->served.api), path, SOCKET_MODE);

    if (err != OK)
        cli_error_setf(&d->cli->error, error_of_err(err),
                       "cannot make the socket of the API: %s", path);
    mem_free(path);
    return err;
}

static void print_addresses(struct daemon *d)
{
    struct network *network = node_network(d->served.node);
    struct multiaddr addrs[ADDRS_MAX];
    struct peer_id self = privkey_peer_id(node_key(d->served.node));
    size_t count =
        network != NULL ? network_addrs(network, addrs, ADDRS_MAX) : 0;

    if (network != NULL)
        count += network_link_addrs(network, addrs + count, ADDRS_MAX - count);
    for (size_t i = 0; i < count; i++) {
        char text[MULTIADDR_TEXT_MAX];
        if (multiaddr_append_peer(&addrs[i], &self) != OK)
            continue; /* too long to be of use to anybody */
        (void)multiaddr_format(&addrs[i], text);
        (void)printf("listening %s\n", text);
    }
}

static enum err come_up(struct daemon *d)
{
    struct clock *clock = d->os->env.clock;
    struct fault fault;
    char *url = NULL;
    enum err err = open_api(d);
    if (err == OK)
        err = served_listen_tcp(&d->served, &url, &d->cli->error);
    if (err != OK)
        return err;

    err = node_start(d->served.node, clock->now(clock), &fault);
    if (err != OK) {
        cli_error_setf(&d->cli->error, fault.id, "%s", fault.text);
        mem_free(url);
        return err;
    }
    print_addresses(d);
    (void)printf("api unix:%s/api.sock\n", d->served.path);
    if (url != NULL)
        (void)printf("api %s\n", url);
    mem_free(url);
    (void)printf("ready\n");
    (void)fflush(stdout); /* a reader that has gone is no reason to end */
    (void)sd_notify_state("READY=1"); /* without a manager nobody misses it */
    return OK;
}

static enum err come_down(struct daemon *d)
{
    struct http *http = d->os->env.http;

    (void)sd_notify_state("STOPPING=1"); /* likewise */
    http->unlisten(http, api_server(d->served.api));
    if (d->served.tcp_api != NULL)
        http->unlisten(http, api_server(d->served.tcp_api));
    enum err err = served_close(&d->served);
    if (err != OK && d->cli->error.code[0] == '\0')
        cli_error_set(&d->cli->error, error_of_err(err),
                      "the end could not be written to the disk");
    return err;
}

static enum err run(struct daemon *d)
{
    char *path = folder_path(d->cli->path);
    enum err err = open_folder(d, path);

    mem_free(path);
    if (err != OK)
        return err;
    err = come_up(d);
    while (err == OK && d->stops == 0)
        os_env_run(d->os);
    enum err end = come_down(d);
    return err != OK ? err : end;
}

int cmd_daemon(struct cli *cli)
{
    struct daemon d = {.cli = cli};
    struct os_config os = {.on_signal = on_signal, .user = &d};
    enum err err = os_env_open(&os, &d.os);
    if (err != OK)
        return cli_fail(cli, error_of_err(err), NULL);

    collect_sets(&d);
    err = run(&d);
    for (size_t i = 0; i < d.sets_count; i++)
        mem_free(d.sets[i]);
    os_env_free(d.os);
    if (err == OK)
        return 0;
    return cli->error.code[0] != '\0' ? cli->error.exit_code
                                      : cli_fail(cli, error_of_err(err), NULL);
}
