#include "app/local_http.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "env/clock.h"
#include "os/loop.h"
#include "os/os_env.h"

enum {
    BODY_STEP_BYTES = 1 << 20,
    PARAMS_MAX = 32,
    INTERRUPT_POLL_MS = 50,
};

struct param {
    char *name;
    char *value;
};

struct local_http {
    struct http http;
    struct os_env *os;
    struct http_server *server;
    const struct local_call *call; /* NULL: none is under way */
    struct http_request request;
    struct param params[PARAMS_MAX];
    size_t params_count;
    char *path;
    struct os_loop_task body_task; /* feeds the body, one step a turn */
    struct os_loop_task end_task;  /* tells the handler that it is over */
    struct timer poll;             /* looks for an interrupt */
    uint8_t *step;
    bool paused;
    bool body_done;
    bool ended;
    enum err result;
};

static struct local_http *of(struct http *h)
{
    return container_of(h, struct local_http, http);
}

static unsigned hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0';
    if (c >= 'a' && c <= 'f')
        return c - (unsigned)'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - (unsigned)'A' + 10;
    return 16;
}

static char *percent_decode(const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)text;
    uint8_t *out = mem_alloc(len + 1);
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        bool coded = p[i] == '%' && len - i > 2 && hex_of(p[i + 1]) < 16 &&
                     hex_of(p[i + 2]) < 16;
        if (!coded) {
            out[at++] = p[i] == '+' ? ' ' : p[i];
            continue;
        }
        out[at++] = (uint8_t)(hex_of(p[i + 1]) << 4 | hex_of(p[i + 2]));
        i += 2;
    }
    out[at] = 0;
    return (char *)out;
}

static void add_param(struct local_http *l, const char *p, size_t len)
{
    assert(l->params_count < PARAMS_MAX); /* the commands' own queries */

    const char *eq = memchr(p, '=', len);
    size_t name_len = eq != NULL ? (size_t)(eq - p) : len;
    const char *value = eq != NULL ? eq + 1 : "";
    size_t value_len = eq != NULL ? len - name_len - 1 : 0;
    l->params[l->params_count++] = (struct param){
        .name = percent_decode(p, name_len),
        .value = percent_decode(value, value_len),
    };
}

static void split_target(struct local_http *l, const char *target)
{
    const char *query = strchr(target, '?');
    size_t len = query != NULL ? (size_t)(query - target) : strlen(target);

    l->path = mem_alloc(len + 1);
    memcpy(l->path, target, len);
    l->path[len] = '\0';
    while (query != NULL && query[1] != '\0') {
        const char *p = query + 1;
        query = strchr(p, '&');
        size_t param_len = query != NULL ? (size_t)(query - p) : strlen(p);
        if (param_len > 0)
            add_param(l, p, param_len);
    }
}

static void release_call(struct local_http *l)
{
    for (size_t i = 0; i < l->params_count; i++) {
        mem_free(l->params[i].name);
        mem_free(l->params[i].value);
    }
    l->params_count = 0;
    mem_free(l->path);
    l->path = NULL;
    l->call = NULL;
}

/* The request is over for us; the handler hears of it outside of its calls. */
static void finish(struct local_http *l, enum err result)
{
    if (l->ended)
        return;
    l->ended = true;
    l->result = result;
    os_loop_cancel(&l->body_task);
    os_loop_defer(l->os->loop, &l->end_task);
}

static void on_end_task(struct os_loop_task *task, struct mtime now)
{
    struct local_http *l = container_of(task, struct local_http, end_task);

    l->server->on_closed(l->server, &l->request, l->result == OK, now);
    os_env_stop(l->os);
}

static void feed_step(struct local_http *l, struct mtime now)
{
    size_t len = 0;
    enum err err =
        l->call->read_body(l->call->user, l->step, BODY_STEP_BYTES, &len);
    if (err != OK) {
        finish(l, err);
        return;
    }
    if (len > 0) {
        struct bytes in = {l->step, len};
        l->server->on_body(l->server, &l->request, in, now);
        return;
    }
    l->body_done = true;
    l->server->on_body_end(l->server, &l->request, now);
}

static void on_body_task(struct os_loop_task *task, struct mtime now)
{
    struct local_http *l = container_of(task, struct local_http, body_task);

    if (l->ended || l->paused || l->body_done)
        return;
    if (l->call->read_body != NULL) {
        feed_step(l, now);
    } else {
        if (l->call->body.len > 0)
            l->server->on_body(l->server, &l->request, l->call->body, now);
        l->body_done = true;
        l->server->on_body_end(l->server, &l->request, now);
    }
    if (!l->body_done && !l->paused && !l->ended)
        os_loop_defer(l->os->loop, &l->body_task);
}

static void on_poll(struct timer *t, struct mtime now)
{
    struct local_http *l = container_of(t, struct local_http, poll);
    struct clock *clock = l->os->env.clock;

    if (l->call == NULL || l->ended)
        return;
    if (l->call->interrupted != NULL && l->call->interrupted(l->call->user))
        finish(l, E_CANCELED);
    else
        clock->set(clock, t, mtime_add_ms(now, INTERRUPT_POLL_MS));
}

static const char *get_header(struct http *h, struct http_request *r,
                              const char *name)
{
    (void)h;
    (void)r;
    (void)name;
    return NULL; /* the commands send none */
}

static const char *get_query(struct http *h, struct http_request *r,
                             const char *name)
{
    struct local_http *l = of(h);

    (void)r;
    for (size_t i = 0; i < l->params_count; i++) {
        if (strcmp(l->params[i].name, name) == 0)
            return l->params[i].value;
    }
    return NULL;
}

static const char *get_query_at(struct http *h, struct http_request *r,
                                size_t index)
{
    struct local_http *l = of(h);

    (void)r;
    return index < l->params_count ? l->params[index].name : NULL;
}

static void do_respond(struct http *h, struct http_request *r, unsigned status,
                       const struct http_header *headers, size_t count,
                       uint64_t len)
{
    struct local_http *l = of(h);
    const char *type = "";

    (void)r;
    (void)len;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(headers[i].name, "Content-Type") == 0)
            type = headers[i].value;
    }
    if (!l->ended && l->call->on_head != NULL)
        l->call->on_head(l->call->user, status, type);
}

static size_t do_send(struct http *h, struct http_request *r, struct slice s)
{
    struct local_http *l = of(h);

    (void)r;
    if (!l->ended) {
        enum err err = l->call->on_body(l->call->user, s.bytes);
        if (err != OK)
            finish(l, err);
    }
    slice_release(&s);
    return 0;
}

static void do_end(struct http *h, struct http_request *r, bool abort)
{
    (void)r;
    finish(of(h), abort ? E_CLOSED : OK);
}

static void do_pause(struct http *h, struct http_request *r, bool paused)
{
    struct local_http *l = of(h);

    (void)r;
    l->paused = paused;
    if (!paused && !l->body_done && !l->ended)
        os_loop_defer(l->os->loop, &l->body_task);
}

struct local_http *local_http_new(struct os_env *os)
{
    struct local_http *l = mem_zalloc(1, sizeof(*l));

    l->os = os;
    l->http.header = get_header;
    l->http.query = get_query;
    l->http.query_at = get_query_at;
    l->http.respond = do_respond;
    l->http.send = do_send;
    l->http.end = do_end;
    l->http.pause = do_pause;
    l->body_task.run = on_body_task;
    list_init(&l->body_task.link);
    l->end_task.run = on_end_task;
    list_init(&l->end_task.link);
    timer_init(&l->poll, on_poll);
    return l;
}

void local_http_free(struct local_http *l)
{
    if (l == NULL)
        return;
    assert(l->call == NULL);
    mem_free(l->step);
    mem_free(l);
}

struct http *local_http_env(struct local_http *l)
{
    return &l->http;
}

void local_http_serve(struct local_http *l, struct http_server *s)
{
    l->server = s;
}

enum err local_http_call(struct local_http *l, const struct local_call *call)
{
    assert(l->call == NULL);
    struct clock *clock = l->os->env.clock;

    split_target(l, call->target);
    l->call = call;
    l->paused = false;
    l->body_done = false;
    l->ended = false;
    l->result = OK;
    if (call->read_body != NULL && l->step == NULL)
        l->step = mem_alloc(BODY_STEP_BYTES);
    l->request = (struct http_request){
        .method = call->method,
        .path = l->path,
        .peer = {.is_unix = true, .uid = (uint32_t)geteuid()},
        .body_len = call->read_body != NULL ? UINT64_MAX : call->body.len,
        .has_body = call->read_body != NULL || call->body.len > 0,
    };
    struct mtime now = clock->now(clock);
    l->server->on_request(l->server, &l->request, now);
    os_loop_defer(l->os->loop, &l->body_task);
    clock->set(clock, &l->poll, mtime_add_ms(now, INTERRUPT_POLL_MS));
    os_env_run(l->os);
    clock->set(clock, &l->poll, MTIME_NEVER);
    enum err result = l->result;
    release_call(l);
    return result;
}
