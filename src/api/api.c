#include "api/api.h"

#include <assert.h>
#include <string.h>

#include "api/api_priv.h"
#include "api/media_type.h"
#include "api/request.h"
#include "api/routes.h"
#include "base/mem.h"
#include "base/strbuf.h"

enum { QUERY_TEXT_MAX = 512, METHODS_MAX = 64 };

static struct api *api_of(struct http_server *s)
{
    return container_of(s, struct api, server);
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

/* The byte that "%HH" at @p stands for; 0 when it stands for none. */
static uint8_t coded_byte(const uint8_t *p, size_t left)
{
    unsigned high = left > 2 ? hex_of(p[1]) : 16;
    unsigned low = left > 2 ? hex_of(p[2]) : 16;

    return high < 16 && low < 16 ? (uint8_t)(high << 4 | low) : 0;
}

/* @in without its percent signs; NULL when it is malformed or has a NUL. */
static char *percent_decode(struct bytes in)
{
    const uint8_t *p = in.p;
    uint8_t *out = mem_alloc(in.len + 1);
    size_t at = 0;
    bool good = true;

    for (size_t i = 0; good && i < in.len; i++) {
        bool coded = p[i] == '%';
        uint8_t c = coded ? coded_byte(p + i, in.len - i) : p[i];
        good = c != 0;
        out[at++] = c;
        i += coded ? 2 : 0;
    }
    out[at] = 0;
    if (good)
        return (char *)out;
    mem_free(out);
    return NULL;
}

static bool is_own(const struct api *a, const struct http_peer *peer)
{
    return peer->is_unix && (peer->uid == a->config.uid || peer->uid == 0);
}

/* Over TCP nobody is served yet but for what needs no token. */
static bool may_use(const struct api *a, const struct route *route,
                    const struct http_peer *peer)
{
    if (route->is_local)
        return is_own(a, peer);
    return peer->is_unix || route->role == ROLE_NONE;
}

static bool is_known(const char *const *known, const char *name)
{
    while (*known != NULL && strcmp(*known, name) != 0)
        known++;
    return *known != NULL;
}

static void refuse_parameter(struct request *q, const char *const *known,
                             const char *name)
{
    struct strbuf s;

    strbuf_init(&s, QUERY_TEXT_MAX);
    if (*known == NULL)
        strbuf_str(&s, "this route takes no parameters");
    else
        strbuf_str(&s, "unknown parameter, this route knows ");
    for (size_t i = 0; known[i] != NULL; i++) {
        strbuf_str(&s, i > 0 ? ", " : "");
        strbuf_str(&s, known[i]);
    }
    reply_error(q, ERROR_BAD_REQUEST, strbuf_cstr(&s), name);
    strbuf_release(&s);
}

/* A parameter that nobody looks at is a mistake of who asks. */
static bool check_parameters(struct request *q)
{
    const char *const *known = route_query(q->route);
    const char *name = q->http->query_at(q->http, q->r, 0);

    for (size_t i = 1; name != NULL; i++) {
        if (!is_known(known, name)) {
            refuse_parameter(q, known, name);
            return false;
        }
        name = q->http->query_at(q->http, q->r, i);
    }
    return true;
}

/* Who says nothing of the type is believed to send what is wanted. */
static bool check_body(struct request *q)
{
    if (!q->r->has_body)
        return true;
    const char *type = q->http->header(q->http, q->r, "Content-Type");
    switch (q->route->body) {
    case BODY_NONE:
        reply_error(q, ERROR_BAD_REQUEST, "this route takes no body",
                    q->r->path);
        return false;
    case BODY_JSON:
        if (type == NULL || media_type_is(type, "application/json"))
            return true;
        reply_error(q, ERROR_BAD_TYPE, NULL, type);
        return false;
    case BODY_STREAM:
        return true;
    }
    return true;
}

static void refuse_method(struct request *q)
{
    struct strbuf methods;

    strbuf_init(&methods, METHODS_MAX);
    route_methods(q->r->path, &methods);
    struct http_header allow = {"Allow", strbuf_cstr(&methods)};
    reply_error_with(q, ERROR_BAD_METHOD, q->r->path, &allow);
    strbuf_release(&methods);
}

static bool find_route(struct request *q, struct mtime now)
{
    struct bytes tail;

    (void)now;
    switch (route_find(q->r->method, q->r->path, &q->route, &tail)) {
    case ROUTE_NO_PATH:
        reply_error(q, ERROR_NO_ROUTE, NULL, q->r->path);
        return false;
    case ROUTE_NO_METHOD:
        refuse_method(q);
        return false;
    case ROUTE_FOUND:
        break;
    }
    q->tail = tail.len <= REQUEST_PATH_MAX ? percent_decode(tail) : NULL;
    if (q->tail == NULL) {
        reply_error(q, ERROR_BAD_PATH, NULL, q->r->path);
        return false;
    }
    if (!may_use(q->api, q->route, &q->r->peer)) {
        reply_error(q,
                    q->r->peer.is_unix ? ERROR_FORBIDDEN : ERROR_UNAUTHORIZED,
                    NULL, q->r->path);
        return false;
    }
    return check_body(q) && check_parameters(q);
}

static void on_request(struct http_server *s, struct http_request *r,
                       struct mtime now)
{
    struct api *a = api_of(s);
    struct request *q = mem_zalloc(1, sizeof(*q));

    q->api = a;
    q->node = a->config.node;
    q->http = a->config.http;
    q->r = r;
    strbuf_init(&q->text, REQUEST_BODY_MAX);
    list_add_tail(&a->requests, &q->link);
    r->user = q;
    if (find_route(q, now) && q->route->body != BODY_JSON)
        q->route->start(q, now);
}

static void on_body(struct http_server *s, struct http_request *r,
                    struct bytes in, struct mtime now)
{
    struct request *q = r->user;

    (void)s;
    if (q->ended)
        return;
    if (q->on_body != NULL) {
        q->on_body(q, in, now);
        return;
    }
    if (q->route->body == BODY_JSON)
        strbuf_add(&q->text, in);
    if (strbuf_full(&q->text))
        reply_error(q, ERROR_TOO_LARGE, NULL, NULL);
}

static void start_json(struct request *q, struct mtime now)
{
    json_error_t error;

    q->body = json_loadb(strbuf_cstr(&q->text), q->text.len,
                         JSON_REJECT_DUPLICATES, &error);
    if (q->body == NULL || !json_is_object(q->body)) {
        reply_error(q, ERROR_BAD_REQUEST, "the body is no JSON object", NULL);
        return;
    }
    q->route->start(q, now);
}

static void on_body_end(struct http_server *s, struct http_request *r,
                        struct mtime now)
{
    struct request *q = r->user;

    (void)s;
    if (q->ended)
        return;
    if (q->route->body == BODY_JSON)
        start_json(q, now);
    else if (q->on_body_end != NULL)
        q->on_body_end(q, now);
}

static void on_writable(struct http_server *s, struct http_request *r,
                        struct mtime now)
{
    struct request *q = r->user;

    (void)s;
    q->queued = 0;
    if (q->on_writable != NULL && !q->ended)
        q->on_writable(q, now);
}

static void on_closed(struct http_server *s, struct http_request *r,
                      bool complete, struct mtime now)
{
    struct request *q = r->user;

    (void)s;
    (void)complete;
    (void)now;
    q->ended = true;
    if (q->cancel != NULL)
        q->cancel(q);
    list_remove(&q->link);
    json_decref(q->body);
    strbuf_release(&q->text);
    mem_free(q->tail);
    mem_free(q);
}

struct api *api_new(const struct api_config *config)
{
    struct api *a = mem_zalloc(1, sizeof(*a));

    a->config = *config;
    a->server.on_request = on_request;
    a->server.on_body = on_body;
    a->server.on_body_end = on_body_end;
    a->server.on_writable = on_writable;
    a->server.on_closed = on_closed;
    list_init(&a->requests);
    return a;
}

struct http_server *api_server(struct api *a)
{
    return &a->server;
}

void api_free(struct api *a)
{
    if (a == NULL)
        return;
    assert(list_empty(&a->requests));
    mem_free(a);
}
