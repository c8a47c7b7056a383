#include "app/client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "api/routes.h"
#include "app/cli_error.h"
#include "app/folder.h"
#include "app/interrupt.h"
#include "app/local_http.h"
#include "app/lone.h"
#include "app/progress.h"
#include "app/served.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "node/exchange.h"
#include "node/node.h"
#include "os/fslock.h"
#include "os/http_client.h"
#include "os/os_env.h"

enum {
    LOCK_WAIT_MS = 5000,
    LOCK_STEP_MS = 20,
    PROBE_CONNECT_MS = 1000,
    PROBE_SILENCE_S = 3,
    TIMEOUT_SLACK_S = 3, /* the node's own deadline should come first */
    TYPE_BYTES_MAX = 128,
    LONE_CACHE_BYTES_MAX = 256 * 1024 * 1024,
    SET_BYTES_MAX = 64 * 1024,
};

static const char system_socket[] = "/run/xmbl/api.sock";

struct client {
    struct client_config config;
    struct http_client *http; /* a daemon; NULL: a node in this process */
    bool own_user;            /* the daemon runs as we do */
    struct os_env *os;
    struct local_http *local;
    struct served served;
    struct lone lone;   /* its folder, where there is no data folder */
    char *path;         /* the data folder that we hold, or NULL */
    struct fslock lock; /* of @path, while no node has it */
    bool is_held;
    bool is_writable;   /* @path may be changed */
    enum route_use use; /* what the node in this process may do */
    char *bootstrap;    /* KEY=VALUE of the command line, or NULL */
    char *gateways;     /* likewise */
    const char *sets[3];
    struct progress progress; /* that peers are looked for */
};

/* One call through either transport. */
struct call {
    struct client *client;
    const struct client_request *request;
    unsigned status;
    bool began; /* on_headers was called */
    bool again; /* a node that only reads cannot answer it */
    uint64_t handed_bytes;
    uint64_t skip_bytes; /* handed out by an earlier try */
    bool broke;          /* this one ends otherwise than that began */
    char type[TYPE_BYTES_MAX];
    enum err err; /* of a callback */
};

static enum err begin(struct call *c, unsigned status)
{
    const struct client_request *r = c->request;

    c->broke = c->broke || (c->began && c->status < 300 && status >= 300);
    if (c->broke)
        c->err = E_CLOSED;
    if (c->began)
        return c->err;
    c->began = true;
    c->status = status;
    if (r->on_headers == NULL)
        return OK;
    c->err = r->on_headers(r->ctx, status, c->type);
    return c->err;
}

static enum err hand_out(struct call *c, struct bytes in)
{
    size_t skip = c->skip_bytes < in.len ? (size_t)c->skip_bytes : in.len;

    c->skip_bytes -= skip;
    c->handed_bytes += in.len - skip;
    in = bytes_sub(in, skip, in.len - skip);
    if (c->request->on_body == NULL || in.len == 0)
        return OK;
    c->err = c->request->on_body(c->request->ctx, in);
    return c->err;
}

static enum err take_in(struct call *c, uint8_t *dst, size_t max,
                        size_t *ret_len)
{
    c->err = c->request->read_body(c->request->ctx, dst, max, ret_len);
    return c->err;
}

/* Through a socket. */

static void http_on_header(void *user, unsigned status, struct bytes name,
                           struct bytes value)
{
    static const char wanted[] = "content-type";
    struct call *c = user;
    bool same = name.len == sizeof(wanted) - 1;

    (void)status;
    for (size_t i = 0; same && i < name.len; i++)
        same = (name.p[i] | 0x20) == (uint8_t)wanted[i];
    if (!same || value.len >= sizeof(c->type))
        return;
    memcpy(c->type, value.p, value.len);
    c->type[value.len] = '\0';
}

static enum err http_on_body(void *user, unsigned status, struct bytes in)
{
    struct call *c = user;
    enum err err = begin(c, status);

    return err == OK ? hand_out(c, in) : err;
}

static enum err http_read_body(void *user, uint8_t *dst, size_t max,
                               size_t *ret_len)
{
    return take_in(user, dst, max, ret_len);
}

/* How long the daemon may say nothing: for ever, unless told otherwise. */
static uint32_t silence_s(const struct client *c)
{
    uint32_t timeout_s = c->config.timeout_s;

    return timeout_s > 0 ? timeout_s + TIMEOUT_SLACK_S : 0;
}

static void fault_daemon(const struct call *c, enum err err, const char *why,
                         struct cli_error *e)
{
    if (err == E_TIMEOUT)
        cli_error_setf(e, ERROR_TIMEOUT, "the daemon does not answer");
    else if (c->began && c->status < 300)
        cli_error_setf(e, ERROR_INCOMPLETE,
                       "the answer broke off before its end");
    else
        cli_error_setf(e, ERROR_DAEMON_UNREACHABLE,
                       "the connection to the daemon was lost: %s", why);
}

static enum err call_daemon(struct call *c, struct cli_error *ret_error)
{
    const struct client_request *r = c->request;
    const char *type = r->content_type;
    struct strbuf header;
    struct http_answer answer;
    bool has_body = r->read_body != NULL || r->body.len > 0;

    if (type == NULL)
        type = r->read_body != NULL ? "application/octet-stream"
                                    : "application/json";
    strbuf_init(&header, TYPE_BYTES_MAX);
    strbuf_str(&header, "Content-Type: ");
    strbuf_str(&header, type);
    const char *const headers[] = {strbuf_cstr(&header)};
    struct http_call call = {
        .method = r->method,
        .path = r->path,
        .headers = headers,
        .headers_count = has_body ? 1 : 0,
        .body = r->body,
        .read_body = r->read_body != NULL ? http_read_body : NULL,
        .body_len = UINT64_MAX,
        .silence_s = silence_s(c->client),
        .on_header = http_on_header,
        .on_body = http_on_body,
        .user = c,
    };
    enum err err = http_client_call(c->client->http, &call, &answer);
    strbuf_release(&header);
    if (err == OK)
        err = begin(c, answer.status);
    if (err != OK && c->err == OK && err != E_CANCELED)
        fault_daemon(c, err, answer.text, ret_error);
    return err;
}

/* In this process. */

/* Whether the node, which only reads, has met what it may not do. */
static bool is_stuck(const struct call *c)
{
    const struct client *client = c->client;

    return client->use != ROUTE_WRITES && client->is_writable &&
           node_wants_to_write(client->served.node);
}

static void local_on_head(void *user, unsigned status, const char *type)
{
    struct call *c = user;
    size_t len = strlen(type);

    c->again = c->again || is_stuck(c);
    if (c->again)
        return;
    if (len < sizeof(c->type))
        memcpy(c->type, type, len + 1);
    (void)begin(c, status); /* its failure is kept in c->err */
}

static enum err local_on_body(void *user, struct bytes in)
{
    struct call *c = user;

    c->again = c->again || is_stuck(c);
    if (c->again)
        return E_CANCELED;
    return c->err == OK ? hand_out(c, in) : c->err;
}

bool client_is_lonely(const struct client *client)
{
    if (client->local == NULL || !node_is_visitor(client->served.node))
        return false;
    const struct exchange *x = node_exchange(client->served.node);
    return x != NULL && exchange_peers(x) == 0;
}

/* Asked now and then. */
static bool local_interrupted(void *user)
{
    const struct call *c = user;

    if (client_is_lonely(c->client))
        progress_note(&c->client->progress);
    else
        progress_clear(&c->client->progress);
    return interrupt_seen(c->client->config.cancel_fd);
}

static enum err call_local(struct call *c, struct cli_error *ret_error)
{
    const struct client_request *r = c->request;
    struct local_call call = {
        .method = r->method,
        .target = r->path,
        .body = r->body,
        .read_body = r->read_body != NULL ? http_read_body : NULL,
        .on_head = local_on_head,
        .on_body = local_on_body,
        .interrupted = local_interrupted,
        .user = c,
    };
    enum err err = local_http_call(c->client->local, &call);

    progress_clear(&c->client->progress);
    c->again = c->again || is_stuck(c);
    if (c->again)
        return OK;
    if (err == OK)
        err = c->err;
    if (err == E_CLOSED && c->err == OK)
        cli_error_setf(ret_error, ERROR_INCOMPLETE,
                       "the answer broke off before its end");
    return err;
}

/* Finding the node. */

static enum err open_http(struct client *c, const char *unix_path,
                          const char *url)
{
    struct http_target target = {
        .unix_path = unix_path,
        .base_url = url,
        .token = c->config.token,
        .connect_ms = PROBE_CONNECT_MS,
        .cancel_fd = c->config.cancel_fd,
    };

    return http_client_open(&target, &c->http);
}

/* OK: a daemon answers there; the client is open then.  E_TIMEOUT: something
 * is there that says nothing. */
static enum err try_daemon(struct client *c, const char *unix_path)
{
    struct http_call call = {
        .method = "GET",
        .path = "/livez",
        .silence_s = PROBE_SILENCE_S,
    };
    struct http_answer answer;

    enum err err = open_http(c, unix_path, NULL);
    if (err != OK)
        return err;
    err = http_client_call(c->http, &call, &answer);
    if (err == OK)
        return OK;
    http_client_free(c->http);
    c->http = NULL;
    return err;
}

static bool probe(struct client *c, const char *unix_path)
{
    return try_daemon(c, unix_path) == OK;
}

static void log_to_stderr(void *user, enum log_level level, struct bytes line)
{
    const struct client *c = user;

    if (level >= LOG_CRITICAL && !c->config.quiet)
        (void)fprintf(stderr, "xmbl: %.*s\n", (int)line.len,
                      (const char *)line.p);
}

static char *make_set(const char *key, const char *value)
{
    struct strbuf s;

    strbuf_init(&s, SET_BYTES_MAX);
    strbuf_str(&s, key);
    strbuf_str(&s, "=");
    strbuf_str(&s, value);
    char *set = mem_strdup(strbuf_cstr(&s));
    strbuf_release(&s);
    return set;
}

/* @settings: folder that has them, where that is not @path. */
static enum err serve_self(struct client *c, const char *path,
                           const char *settings, const struct fslock *lock,
                           struct cli_error *ret_error)
{
    struct os_config os = {.pool_threads = 0};
    struct served_config config = {
        .path = path,
        .settings = settings,
        .sets = c->sets,
        .passphrase_file = c->config.passphrase_file,
        .visits = c->config.fetches,
        .use = c->use,
        .checks_reads = c->lone.is_leftover,
        /* To go on later all is needed; what is only read is not. */
        .cache_bytes_max = settings != NULL && c->config.out == NULL
                               ? LONE_CACHE_BYTES_MAX
                               : 0,
        .log = {.level = LOG_WARNING, .write = log_to_stderr, .user = c},
    };
    enum err err = os_env_open(&os, &c->os);
    if (err != OK) {
        cli_error_set(ret_error, error_of_err(err), NULL);
        return err;
    }
    c->local = local_http_new(c->os);
    err = served_open(&c->served, &config, c->os, lock,
                      local_http_env(c->local), ret_error);
    if (err == OK) {
        local_http_serve(c->local, api_server(c->served.api));
        return OK;
    }
    local_http_free(c->local);
    c->local = NULL;
    os_env_free(c->os);
    c->os = NULL;
    return err;
}

static uint64_t clock_ms(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at); /* it cannot fail */
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

static void wait_a_little(void)
{
    struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};

    (void)nanosleep(&step, NULL); /* a shorter sleep is as good */
}

/* Who holds the folder is asked, if it answers. */
static enum err ask_folder(struct client *c, const char *path,
                           struct cli_error *ret_error)
{
    char *socket = path_join(path, "api.sock");
    enum err err = try_daemon(c, socket);

    c->own_user = err == OK;
    if (err == E_TIMEOUT)
        cli_error_setf(ret_error, ERROR_DAEMON_UNREACHABLE,
                       "the daemon does not answer: %s", socket);
    mem_free(socket);
    return err == OK || err == E_TIMEOUT ? err : E_AGAIN;
}

/* Whoever holds the folder is asked, where it answers; else the lock is ours,
 * or it is told whose it is. */
static enum err hold_folder(struct client *c, bool exclusive,
                            struct cli_error *ret_error)
{
    char *lock = path_join(c->path, "lock");
    char *socket = path_join(c->path, "api.sock");
    uint32_t pid = 0;
    enum err err = E_AGAIN;

    uint64_t until_ms = clock_ms() + LOCK_WAIT_MS;
    while (err == E_AGAIN && clock_ms() < until_ms) {
        err = fslock_open(lock, exclusive, 0, &c->lock, NULL);
        if (err != E_AGAIN || probe(c, socket))
            break;
        if (interrupt_seen(c->config.cancel_fd))
            err = E_CANCELED;
        else
            wait_a_little();
    }
    if (err == E_AGAIN && c->http == NULL)
        err = fslock_open(lock, exclusive, 0, &c->lock, &pid);
    mem_free(lock);
    mem_free(socket);
    c->is_held = err == OK;
    c->own_user = c->http != NULL;
    if (err == OK || c->http != NULL)
        return OK;
    if (err == E_CANCELED)
        cli_error_set(ret_error, ERROR_CANCELLED, NULL);
    else if (err == E_AGAIN)
        folder_fault_held(ret_error, pid, c->path);
    else if (err == E_REFUSED)
        cli_error_set(ret_error, ERROR_PERMISSION, c->path);
    else
        cli_error_set(ret_error, error_of_err(err), c->path);
    return err == E_AGAIN ? E_CLOSED : err;
}

static void let_go(struct client *c)
{
    if (c->is_held)
        fslock_release(&c->lock);
    c->is_held = false;
}

/* No daemon has the folder from now on: what the node in this process may do
 * is decided by what is asked of it, see ready(). */
static enum err open_folder(struct client *c, const char *path,
                            struct cli_error *ret_error)
{
    c->path = mem_strdup(path);
    enum err err = hold_folder(c, false, ret_error);
    if (err != OK || c->http != NULL)
        return err;
    if (c->config.needs_daemon) {
        cli_error_set(ret_error, ERROR_DAEMON_NEEDED, NULL);
        return E_CLOSED;
    }
    c->is_writable = folder_is_writable(path);
    return OK;
}

static void close_node(struct client *c)
{
    if (c->local == NULL)
        return;
    /* On a full disk the index waits: the next start reads the blocks. */
    enum err err = served_close(&c->served);
    if (err != OK && err != E_NOSPACE)
        (void)fprintf(stderr,
                      "xmbl: the end could not be written to the disk\n");
    local_http_free(c->local);
    os_env_free(c->os);
    c->local = NULL;
    c->os = NULL;
}

static enum err open_node(struct client *c, enum route_use use,
                          struct cli_error *ret_error)
{
    bool writes = use == ROUTE_WRITES;
    enum err err = OK;

    close_node(c);
    if (writes)
        let_go(c);
    if (!c->is_held)
        err = hold_folder(c, writes, ret_error);
    if (err != OK || c->http != NULL)
        return err;
    c->use = use;
    err = serve_self(c, c->path, NULL, &c->lock, ret_error);
    if (err == OK)
        c->is_held = false; /* it is the node's */
    return err;
}

/* A daemon, or a node in this process that may do what @use says. */
static enum err ready(struct client *c, enum route_use use,
                      struct cli_error *ret_error)
{
    if (c->http != NULL || (c->local != NULL && c->use <= use))
        return OK;
    enum err err = open_node(c, use, ret_error);
    if (err != E_AGAIN || use == ROUTE_WRITES || !c->is_writable)
        return err;
    *ret_error = (struct cli_error){.code = ""};
    return open_node(c, ROUTE_WRITES, ret_error);
}

/* There is no data folder at @path, and none is made. */
static enum err open_lone(struct client *c, const char *path,
                          struct cli_error *ret_error)
{
    struct fslock lock;
    enum err err = lone_open(c->config.out, &c->lone, &lock, ret_error);
    if (err != OK)
        return err;

    err = serve_self(c, c->lone.path, path, &lock, ret_error);
    if (err != OK) {
        fslock_release(&lock);
        lone_close(&c->lone);
    }
    return err;
}

static enum err make_folder(struct client *c, const char *path,
                            struct cli_error *ret_error)
{
    if (!c->config.may_create) {
        cli_error_set(ret_error, ERROR_NO_FOLDER, path);
        return E_NOTFOUND;
    }
    enum err err = folder_make(path, ret_error);
    if (err == OK && !c->config.quiet)
        (void)fprintf(stderr, "xmbl: made a new data folder: %s\n", path);
    return err;
}

static enum err find_node(struct client *c, struct cli_error *ret_error)
{
    if (c->config.api != NULL) {
        bool is_path = c->config.api[0] == '/';
        enum err err = open_http(c, is_path ? c->config.api : NULL,
                                 is_path ? NULL : c->config.api);
        if (err != OK)
            cli_error_set(ret_error, ERROR_DAEMON_UNREACHABLE, c->config.api);
        return err == OK ? OK : E_CLOSED;
    }
    char *path = folder_path(c->config.path);
    enum err err = OK;
    bool there = !c->config.stores_nothing &&
                 (folder_exists(path) || folder_has_lock(path));
    bool done = !there && !c->config.stores_nothing && c->config.path == NULL &&
                probe(c, system_socket);
    bool alone =
        !done && !there && (c->config.anonymous_ok || c->config.stores_nothing);
    if (alone)
        err = open_lone(c, path, ret_error);
    if (alone && err != OK && c->config.stores_nothing && folder_exists(path)) {
        /* no temporary folder can be made: ours will do */
        *ret_error = (struct cli_error){.code = ""};
        alone = false;
        err = OK;
    } else if (!alone && !done && !there)
        err = make_folder(c, path, ret_error);
    if (!done && !alone && err == OK)
        err = c->config.running_only ? ask_folder(c, path, ret_error)
                                     : open_folder(c, path, ret_error);
    mem_free(path);
    return err;
}

static void release(struct client *c)
{
    let_go(c);
    mem_free(c->path);
    mem_free(c->bootstrap);
    mem_free(c->gateways);
    mem_free(c);
}

enum err client_open(const struct client_config *config, struct client **ret,
                     struct cli_error *ret_error)
{
    struct client *c = mem_zalloc(1, sizeof(*c));

    c->config = *config;
    progress_init(&c->progress, "looking for peers", !config->quiet);
    if (config->bootstrap != NULL)
        c->bootstrap = make_set("network.bootstrap", config->bootstrap);
    if (config->gateways != NULL)
        c->gateways = make_set("network.gateways", config->gateways);
    size_t count = 0;
    if (c->bootstrap != NULL)
        c->sets[count++] = c->bootstrap;
    if (c->gateways != NULL)
        c->sets[count++] = c->gateways;
    enum err err = find_node(c, ret_error);
    if (err != OK) {
        release(c);
        return err;
    }
    *ret = c;
    return OK;
}

/* Calls. */

/* A node that only reads gave @c up.  A GET has the same answer each time, of
 * which a part may have been handed out; a POST has told of progress at most;
 * who was told that it failed is told no more. */
static void begin_again(struct call *c)
{
    bool is_get = strcmp(c->request->method, "GET") == 0;

    assert(c->request->read_body == NULL);
    c->again = false;
    c->skip_bytes = is_get ? c->handed_bytes : 0;
    if (c->began && c->status >= 300)
        c->skip_bytes = UINT64_MAX;
    else if (c->skip_bytes == 0)
        c->began = false;
}

static enum err call_once(struct call *c, enum route_use use,
                          struct cli_error *ret_error)
{
    enum err err = ready(c->client, use, ret_error);

    if (err != OK)
        return err;
    return c->client->http != NULL ? call_daemon(c, ret_error)
                                   : call_local(c, ret_error);
}

enum err client_call(struct client *client,
                     const struct client_request *request, unsigned *ret_status,
                     struct cli_error *ret_error)
{
    struct call c = {.client = client, .request = request, .err = OK};
    enum err err =
        call_once(&c, route_use_of(request->method, request->path), ret_error);

    if (err == OK && c.again) {
        begin_again(&c);
        err = call_once(&c, ROUTE_WRITES, ret_error);
    }
    if (c.broke)
        cli_error_setf(ret_error, ERROR_INCOMPLETE,
                       "the answer broke off before its end");
    if (err == OK)
        *ret_status = c.status;
    return err;
}

bool client_is_local(const struct client *client)
{
    return client->http == NULL || client->own_user;
}

bool client_has_lone(const struct client *client)
{
    return client->lone.path != NULL;
}

bool client_keeps(const struct client *client)
{
    return lone_keeps(&client->lone);
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    http_client_free(client->http);
    close_node(client);
    lone_close(&client->lone);
    release(client);
}
