#include "sim/http.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"

enum { STEP_BYTES = 256 * 1024, HEX_NONE = 16 };

static struct sim_call *call_of(struct http_request *r)
{
    return container_of(r, struct sim_call, request);
}

/* The target. */

static unsigned hex_of(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);

    return found == NULL ? HEX_NONE : (unsigned)(found - digits) % HEX_NONE;
}

static char *decode(const char *p, size_t len)
{
    uint8_t *out = mem_alloc(len + 1);
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        bool coded = p[i] == '%' && len - i > 2 && hex_of(p[i + 1]) < HEX_NONE;
        if (!coded) {
            out[at++] = p[i] == '+' ? ' ' : (uint8_t)p[i];
            continue;
        }
        out[at++] = (uint8_t)(hex_of(p[i + 1]) << 4 | hex_of(p[i + 2]));
        i += 2;
    }
    out[at] = 0;
    return (char *)out;
}

static void add_param(struct sim_call *c, const char *p, size_t len)
{
    const char *eq = memchr(p, '=', len);
    size_t name_len = eq != NULL ? (size_t)(eq - p) : len;
    const char *value = eq != NULL ? eq + 1 : "";
    size_t value_len = eq != NULL ? len - name_len - 1 : 0;

    assert(c->params_count < SIM_HTTP_PARAMS_MAX);
    c->params[c->params_count++] = (struct sim_param){
        .name = decode(p, name_len),
        .value = decode(value, value_len),
    };
}

static void split_target(struct sim_call *c)
{
    const char *query = strchr(c->target, '?');
    size_t len =
        query != NULL ? (size_t)(query - c->target) : strlen(c->target);

    c->path = mem_alloc(len + 1);
    memcpy(c->path, c->target, len);
    c->path[len] = '\0';
    while (query != NULL && query[1] != '\0') {
        const char *p = query + 1;
        query = strchr(p, '&');
        size_t param_len = query != NULL ? (size_t)(query - p) : strlen(p);
        if (param_len > 0)
            add_param(c, p, param_len);
    }
}

/* The life of a call. */

static void finish(struct sim_call *c, enum err result)
{
    if (c->ended)
        return;
    c->ended = true;
    c->result = result;
    sim_clock_after(c->http->clock, &c->step, 0);
}

static void tell_end(struct sim_call *c, struct mtime now)
{
    struct sim_http *h = c->http;
    uint8_t payload[2] = {(uint8_t)c->result, (uint8_t)(c->status >> 2)};

    if (c->begun)
        h->server->on_closed(h->server, &c->request, c->result == OK, now);
    sim_clock_trace(h->clock, SIM_ANSWERED,
                    (struct bytes){payload, sizeof(payload)});
    list_remove(&c->link);
    for (size_t i = 0; i < c->params_count; i++) {
        mem_free(c->params[i].name);
        mem_free(c->params[i].value);
    }
    c->params_count = 0;
    mem_free(c->path);
    h->answered++;
    struct strbuf answer = c->answer;
    c->done(c, c->result, now);
    strbuf_release(&answer); /* @c may be gone */
}

static void feed(struct sim_call *c, struct mtime now)
{
    struct sim_http *h = c->http;
    struct bytes in = c->body;

    if (c->read_body != NULL) {
        if (h->room == NULL)
            h->room = mem_alloc(STEP_BYTES);
        in.p = h->room;
        in.len = c->read_body(c, h->room, STEP_BYTES);
    }
    if (in.len > 0)
        h->server->on_body(h->server, &c->request, in, now);
    if (c->ended || (c->read_body != NULL && in.len > 0))
        return;
    c->body_done = true;
    h->server->on_body_end(h->server, &c->request, now);
}

static void begin(struct sim_call *c, struct mtime now)
{
    struct http_server *server = c->http->server;

    c->begun = true;
    server->on_request(server, &c->request, now);
}

static void on_step(struct timer *t, struct mtime now)
{
    struct sim_call *c = container_of(t, struct sim_call, step);

    if (c->ended) {
        tell_end(c, now);
        return;
    }
    if (!c->begun)
        begin(c, now);
    else if (!c->paused && !c->body_done)
        feed(c, now);
    if (!c->body_done && !c->paused && !c->ended)
        sim_clock_after(c->http->clock, t, 0);
}

/* struct http. */

static const char *get_header(struct http *h, struct http_request *r,
                              const char *name)
{
    (void)h;
    (void)r;
    (void)name;
    return NULL; /* scenarios send none */
}

static const char *get_query(struct http *h, struct http_request *r,
                             const char *name)
{
    const struct sim_call *c = call_of(r);

    (void)h; /* the request knows */
    for (size_t i = 0; i < c->params_count; i++) {
        if (strcmp(c->params[i].name, name) == 0)
            return c->params[i].value;
    }
    return NULL;
}

static const char *get_query_at(struct http *h, struct http_request *r,
                                size_t index)
{
    const struct sim_call *c = call_of(r);

    (void)h; /* the request knows */
    return index < c->params_count ? c->params[index].name : NULL;
}

static void do_respond(struct http *h, struct http_request *r, unsigned status,
                       const struct http_header *headers, size_t count,
                       uint64_t len)
{
    (void)h;
    (void)headers;
    (void)count;
    (void)len;
    call_of(r)->status = status;
}

static size_t do_send(struct http *h, struct http_request *r, struct slice s)
{
    struct sim_call *c = call_of(r);

    (void)h; /* the request knows */
    if (!c->ended && c->on_body != NULL)
        c->on_body(c, s.bytes);
    else if (!c->ended)
        strbuf_add(&c->answer, s.bytes);
    slice_release(&s);
    return 0;
}

static void do_end(struct http *h, struct http_request *r, bool abort)
{
    (void)h; /* the request knows */
    finish(call_of(r), abort ? E_CLOSED : OK);
}

static void do_pause(struct http *h, struct http_request *r, bool paused)
{
    struct sim_call *c = call_of(r);

    (void)h; /* the request knows */
    c->paused = paused;
    if (!paused && c->begun && !c->body_done && !c->ended && c->step.place == 0)
        sim_clock_after(c->http->clock, &c->step, 0);
}

/* The API of a simulated node is asked by sim_http_call() only. */
static enum err listen_unix(struct http *h, struct http_server *s,
                            const char *path, uint32_t mode)
{
    (void)h;
    (void)s;
    (void)path;
    (void)mode;
    return E_REFUSED;
}

static enum err listen_tcp(struct http *h, struct http_server *s,
                           const char *text, uint16_t *ret_port)
{
    (void)h;
    (void)s;
    (void)text;
    *ret_port = 0;
    return E_REFUSED;
}

static void unlisten(struct http *h, struct http_server *s)
{
    (void)h;
    (void)s;
}

void sim_http_init(struct sim_http *h, struct sim_clock *clock)
{
    *h = (struct sim_http){
        .http =
            {
                .listen_unix = listen_unix,
                .listen_tcp = listen_tcp,
                .unlisten = unlisten,
                .header = get_header,
                .query = get_query,
                .query_at = get_query_at,
                .respond = do_respond,
                .send = do_send,
                .end = do_end,
                .pause = do_pause,
            },
        .clock = clock,
    };
    list_init(&h->calls);
}

void sim_http_release(struct sim_http *h)
{
    assert(list_empty(&h->calls));
    mem_free(h->room);
}

void sim_http_call(struct sim_http *h, struct sim_call *c)
{
    bool streams = c->read_body != NULL;

    assert(h->server != NULL);
    c->http = h;
    c->status = 0;
    c->params_count = 0;
    c->begun = false;
    c->paused = false;
    c->body_done = false;
    c->ended = false;
    c->result = OK;
    strbuf_init(&c->answer, SIM_ANSWER_MAX);
    split_target(c);
    c->request = (struct http_request){
        .method = c->method,
        .path = c->path,
        .peer = {.is_unix = true, .uid = h->uid},
        .body_len = streams ? UINT64_MAX : c->body.len,
        .has_body = streams || c->body.len > 0,
    };
    timer_init(&c->step, on_step);
    list_add_tail(&h->calls, &c->link);
    sim_clock_after(h->clock, &c->step, 0);
}

void sim_http_end_all(struct sim_http *h)
{
    struct mtime now = sim_clock_now(h->clock);

    while (!list_empty(&h->calls)) {
        struct sim_call *c =
            container_of(list_first(&h->calls), struct sim_call, link);
        sim_clock_set(h->clock, &c->step, MTIME_NEVER);
        if (!c->ended)
            c->result = E_CANCELED;
        c->ended = true;
        tell_end(c, now);
    }
}
