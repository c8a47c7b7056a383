#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "os/http_priv.h"

/*
 * libmicrohttpd calls on_uri (the request is made), on_access once with the
 * headers, then with each part of the body, then with none, and on_completed
 * (the request is freed).
 *
 * 1. A request that can do nothing now is suspended, always from inside
 *    libmicrohttpd's own callback, and resumed by wake().
 * 2. Answers are given to libmicrohttpd from inside on_access only, at the end
 *    of the body, where it takes them.  An answer that comes before is kept;
 *    the rest of the body is read and dropped, at most DROP_MAX_BYTES, as a
 *    client that still sends would lose the answer in a reset.  A client that
 *    waits for "100 Continue" is answered at once.
 * 3. Answers that are whole by then go out from the slices themselves; longer
 *    ones are copied as the client takes them.
 * 4. A callback of the handler is called from events and tasks only, and all
 *    that the handler does in it is looked at when it returns.
 */
enum {
    DROP_MAX_BYTES = 16 * 1024 * 1024,
    PIECE_BYTES = 64 * 1024, /* of a streamed answer */
    IOVECS_MAX = 64,
};

static struct request *request_of(struct http_request *pub)
{
    return container_of(pub, struct request, pub);
}

static bool is_dead(const struct request *r)
{
    return r->gone || r->aborted;
}

/* Suspending and resuming. */

static void suspend(struct request *r)
{
    assert(!r->suspended);
    r->suspended = true;
    list_add_tail(&r->listener->fresh, &r->fresh);
    MHD_suspend_connection(r->mhd);
}

static bool can_go_on(const struct request *r)
{
    if (is_dead(r))
        return true;
    if (r->queued)
        return r->queue.count > 0 || r->ended;
    if (r->body_ended)
        return r->responded;
    return !r->paused || r->responded;
}

static void resume(struct request *r)
{
    r->suspended = false;
    http_listener_unwatch(r);
    MHD_resume_connection(r->mhd);
}

static void wake(struct request *r)
{
    if (!r->suspended || !can_go_on(r))
        return;
    resume(r);
    http_listener_run(r->listener);
}

void http_request_gone(struct request *r)
{
    r->gone = true;
    wake(r);
}

void http_request_drop(struct request *r)
{
    r->aborted = true;
    if (r->suspended)
        resume(r);
}

/* The answer, for libmicrohttpd. */

static ssize_t on_more(void *cls, uint64_t pos, char *dst, size_t max)
{
    struct request *r = cls;

    (void)pos; /* the queue knows */
    if (is_dead(r))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (r->queue.count == 0 && r->ended)
        return r->len == UINT64_MAX ? MHD_CONTENT_READER_END_OF_STREAM
                                    : MHD_CONTENT_READER_END_WITH_ERROR;
    if (r->queue.count == 0) {
        suspend(r);
        return 0;
    }
    size_t len = slice_queue_take(&r->queue, (uint8_t *)dst, max);
    if (r->over && r->queue.bytes < HTTP_SEND_LOW_BYTES)
        os_loop_defer(r->listener->http->loop, &r->writable);
    return (ssize_t)len;
}

static void free_queue(void *cls)
{
    struct slice_queue *q = cls;

    slice_queue_release(q);
    mem_free(q);
}

/* The answer lives as long as libmicrohttpd wants, so it takes the queue. */
static struct MHD_Response *whole_response(struct request *r)
{
    struct MHD_IoVec iovecs[IOVECS_MAX];
    unsigned count = (unsigned)r->queue.count;
    struct slice_queue *q = mem_dup(&r->queue, sizeof(r->queue));

    memset(&r->queue, 0, sizeof(r->queue));
    for (unsigned i = 0; i < count; i++) {
        struct bytes b = slice_queue_at(q, i);
        iovecs[i] = (struct MHD_IoVec){.iov_base = b.p, .iov_len = b.len};
    }
    struct MHD_Response *response =
        MHD_create_response_from_iovec(iovecs, count, free_queue, q);
    if (response == NULL)
        free_queue(q);
    return response;
}

static bool is_whole(const struct request *r)
{
    return r->ended && !r->is_head && r->queue.count <= IOVECS_MAX &&
           (r->len == UINT64_MAX || r->len == r->queue.bytes);
}

static struct MHD_Response *make_response(struct request *r)
{
    if (is_whole(r))
        return whole_response(r);
    uint64_t len = r->len == UINT64_MAX ? MHD_SIZE_UNKNOWN : r->len;
    size_t piece = r->is_head ? 1 : PIECE_BYTES;
    return MHD_create_response_from_callback(len, piece, on_more, r, NULL);
}

static enum MHD_Result queue_response(struct request *r)
{
    struct MHD_Response *response = make_response(r);
    enum MHD_Result result = response == NULL ? MHD_NO : MHD_YES;

    for (size_t i = 0; result == MHD_YES && i < r->headers_count; i++)
        result = MHD_add_response_header(response, r->headers[i].name,
                                         r->headers[i].value);
    if (result == MHD_YES)
        result = MHD_queue_response(r->mhd, r->status, response);
    if (response != NULL)
        MHD_destroy_response(response);
    r->queued = result == MHD_YES;
    return result;
}

/* An answer of our own to a request that the handler never sees. */
static enum MHD_Result refuse(struct request *r, unsigned status)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_NO;

    if (response == NULL)
        return MHD_NO;
    result = MHD_queue_response(r->mhd, status, response);
    MHD_destroy_response(response);
    return result;
}

/* The request, from libmicrohttpd. */

static void on_writable(struct os_loop_task *task, struct mtime now)
{
    struct request *r = container_of(task, struct request, writable);

    if (!r->over || is_dead(r) || r->queue.bytes >= HTTP_SEND_LOW_BYTES)
        return;
    r->over = false;
    r->listener->user->on_writable(r->listener->user, &r->pub, now);
}

/* A target may be a whole URL, whose host is in the Host header as well. */
static const char *path_of(const char *uri)
{
    const char *host = strstr(uri, "://");

    if (uri[0] == '/' || host == NULL)
        return uri;
    const char *path = strchr(host + 3, '/');
    return path == NULL ? "/" : path;
}

void *http_request_on_uri(void *cls, const char *uri,
                          struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *r = mem_zalloc(1, sizeof(*r));

    r->listener = cls;
    r->conn = info->socket_context;
    r->mhd = mhd;
    r->uri = mem_strdup(uri == NULL ? "" : path_of(uri));
    char *query = strchr(r->uri, '?');
    if (query != NULL)
        *query++ = '\0';
    r->query_text = query == NULL ? "" : query;
    r->writable.run = on_writable;
    list_init(&r->writable.link);
    list_init(&r->fresh);
    list_add_tail(&r->listener->requests, &r->link);
    return r;
}

static const char *header_of(struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

/* libmicrohttpd has checked that it is a number, where it is there. */
static uint64_t content_length(struct request *r)
{
    const char *text = header_of(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t len = 0;

    if (header_of(r, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL)
        return UINT64_MAX;
    for (; text != NULL && *text >= '0' && *text <= '9'; text++)
        len = len * 10 + (uint64_t)(*text - '0');
    return len;
}

static bool waits_for_continue(struct request *r)
{
    const char *expect = header_of(r, MHD_HTTP_HEADER_EXPECT);
    return expect != NULL && strcmp(expect, "100-continue") == 0;
}

static enum MHD_Result on_headers(struct request *r, const char *method)
{
    struct http_server *user = r->listener->user;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    http_conn_wait(r->conn, false);
    if (info == NULL || info->header_size > HTTP_HEADER_MAX)
        return refuse(r, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
    r->pub.method = method;
    r->pub.path = r->uri;
    r->pub.peer = r->conn->peer;
    r->pub.body_len = content_length(r);
    r->pub.has_body = r->pub.body_len > 0;
    r->is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    r->started = true;
    user->on_request(user, &r->pub, http_listener_now(r->listener));
    if (is_dead(r))
        return MHD_NO;
    if (r->responded && (!r->pub.has_body || waits_for_continue(r)))
        return queue_response(r);
    return MHD_YES;
}

static enum MHD_Result on_part(struct request *r, const char *part,
                               size_t *part_len)
{
    struct http_server *user = r->listener->user;
    struct bytes in = {.p = (const uint8_t *)part, .len = *part_len};

    if (r->responded) {
        r->dropped_bytes += in.len;
        *part_len = 0;
        return r->dropped_bytes > DROP_MAX_BYTES ? MHD_NO : MHD_YES;
    }
    if (r->paused) {
        suspend(r);
        return MHD_YES;
    }
    user->on_body(user, &r->pub, in, http_listener_now(r->listener));
    *part_len = 0;
    return is_dead(r) ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_whole(struct request *r)
{
    struct http_server *user = r->listener->user;

    if (!r->body_ended && !r->responded && !r->paused) {
        r->body_ended = true;
        user->on_body_end(user, &r->pub, http_listener_now(r->listener));
    }
    if (is_dead(r))
        return MHD_NO;
    if (r->responded)
        return queue_response(r);
    suspend(r);
    return MHD_YES;
}

static enum MHD_Result on_access(struct request *r, const char *method,
                                 const char *part, size_t *part_len)
{
    if (is_dead(r))
        return MHD_NO;
    if (!r->started)
        return on_headers(r, method);
    if (*part_len > 0)
        return on_part(r, part, part_len);
    return on_whole(r);
}

/* Its type is libmicrohttpd's. */
/* NOLINTNEXTLINE(readability-function-size) */
enum MHD_Result http_request_on_access(void *cls, struct MHD_Connection *mhd,
                                       const char *url, const char *method,
                                       const char *version, const char *upload,
                                       size_t *upload_len, void **con_cls)
{
    struct request *r = *con_cls;

    (void)cls; /* the request knows */
    (void)mhd;
    (void)url; /* decoded; ours is as it was sent */
    (void)version;
    r->in_call = true;
    enum MHD_Result result = on_access(r, method, upload, upload_len);
    r->in_call = false;
    return result;
}

void http_request_on_completed(void *cls, struct MHD_Connection *mhd,
                               void **con_cls,
                               enum MHD_RequestTerminationCode code)
{
    struct http_listener *l = cls;
    struct request *r = *con_cls;
    bool complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;

    (void)mhd; /* the request knows */
    if (r == NULL)
        return;
    *con_cls = NULL;
    assert(!r->suspended);
    http_conn_wait(r->conn, true);
    os_loop_cancel(&r->writable);
    list_remove(&r->link);
    if (r->started)
        l->user->on_closed(l->user, &r->pub, complete && r->queued,
                           http_listener_now(l));
    slice_queue_release(&r->queue);
    http_query_release(&r->query);
    mem_free(r->header_text);
    mem_free(r->uri);
    mem_free(r);
}

/* What the handler calls. */

static const char *http_header(struct http *h, struct http_request *pub,
                               const char *name)
{
    (void)h; /* the request knows */
    return header_of(request_of(pub), name);
}

static const struct http_query *query_of(struct request *r)
{
    if (!r->query_is_parsed)
        http_query_init(&r->query, r->query_text);
    r->query_is_parsed = true;
    return &r->query;
}

static const char *http_query(struct http *h, struct http_request *pub,
                              const char *name)
{
    (void)h; /* the request knows */
    return http_query_get(query_of(request_of(pub)), name);
}

static const char *http_query_at(struct http *h, struct http_request *pub,
                                 size_t index)
{
    (void)h; /* the request knows */
    return http_query_name(query_of(request_of(pub)), index);
}

/* Names and values go one after the other into one allocation. */
static void keep_headers(struct request *r, const struct http_header *headers,
                         size_t count)
{
    size_t len = 0;

    assert(count <= HTTP_HEADERS_OUT_MAX);
    for (size_t i = 0; i < count; i++)
        len += strlen(headers[i].name) + strlen(headers[i].value) + 2;
    r->header_text = mem_alloc(len);
    char *to = r->header_text;
    for (size_t i = 0; i < count; i++) {
        size_t name_size = strlen(headers[i].name) + 1;
        size_t value_size = strlen(headers[i].value) + 1;
        memcpy(to, headers[i].name, name_size);
        memcpy(to + name_size, headers[i].value, value_size);
        r->headers[i] =
            (struct http_header){.name = to, .value = to + name_size};
        to += name_size + value_size;
    }
    r->headers_count = count;
}

static void http_respond(struct http *h, struct http_request *pub,
                         unsigned status, const struct http_header *headers,
                         size_t count, uint64_t len)
{
    struct request *r = request_of(pub);

    (void)h; /* the request knows */
    assert(!r->responded);
    assert(status >= 200);
    assert(status <= 999);
    keep_headers(r, headers, count);
    r->status = status;
    r->len = len;
    r->responded = true;
    wake(r);
}

static size_t http_send(struct http *h, struct http_request *pub,
                        struct slice s)
{
    struct request *r = request_of(pub);

    (void)h; /* the request knows */
    assert(r->responded);
    assert(!r->ended);
    if (r->is_head || is_dead(r)) {
        slice_release(&s);
        return 0;
    }
    slice_queue_add(&r->queue, s);
    r->over = r->over || r->queue.bytes > HTTP_SEND_HIGH_BYTES;
    wake(r);
    return r->queue.bytes;
}

/* The client is to see a broken transfer, and libmicrohttpd an end: a reset
 * where TCP has it. */
static void abort_request(struct request *r)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};

    r->aborted = true;
    /* Failures of both leave a plain close, when libmicrohttpd comes to it. */
    (void)setsockopt(r->conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (!r->in_call && !r->suspended)
        (void)shutdown(r->conn->fd, SHUT_RDWR);
    wake(r);
}

static void http_end(struct http *h, struct http_request *pub, bool abort)
{
    struct request *r = request_of(pub);

    (void)h; /* the request knows */
    if (abort) {
        abort_request(r);
        return;
    }
    assert(r->responded);
    r->ended = true;
    wake(r);
}

static void http_pause(struct http *h, struct http_request *pub, bool paused)
{
    struct request *r = request_of(pub);

    (void)h; /* the request knows */
    r->paused = paused;
    wake(r);
}

void http_request_methods(struct http *h)
{
    h->header = http_header;
    h->query = http_query;
    h->query_at = http_query_at;
    h->respond = http_respond;
    h->send = http_send;
    h->end = http_end;
    h->pause = http_pause;
}
