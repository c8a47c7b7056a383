#include "os/web_curl.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "base/list.h"
#include "base/mem.h"
#include "os/loop.h"

/*
 * 1. libcurl is entered by step() and by the calls of env/web.h only, and may
 *    not be entered from its own callbacks: these note what happened, and
 *    tell_all() tells it when libcurl has returned.
 * 2. A transfer lives from get() to cancel(), or until @done has been called.
 * 3. libcurl says which sockets to watch (on_socket) and when to wake it
 *    (on_timeout).
 */
enum {
    BODY_ROOM_FIRST = 16 * 1024, /* where nobody says how long it is */
    BUFFER_BYTES = 64 * 1024,
    IDLE_CONNECTION_S = 60,
    STATUS_FINAL = 200,   /* the one whose body matters */
    STATUS_REDIRECTS = 3, /* hundreds */
    IP_TEXT_MAX = 64,
};

struct transfer {
    struct os_web *web;
    struct web_get *user;
    CURL *easy;
    struct curl_slist *headers;
    struct list link;   /* in web.transfers */
    struct list moving; /* in web.moving */
    struct buf *body;   /* NULL: nothing of it came */
    size_t body_max;
    size_t headers_bytes;
    bool is_https; /* as asked first */
    bool is_redirected;
    char first_ip[IP_TEXT_MAX]; /* whom it was sent to first */
    enum err err;               /* of a callback */
    const char *why;            /* with it */
    struct web_answer answer;
};

/* One socket of libcurl. */
struct watch {
    uv_poll_t poll;
    struct os_web *web;
    curl_socket_t fd;
};

struct os_web {
    struct web web;
    struct os_loop *loop;
    CURLM *multi; /* NULL until the first request */
    struct list transfers;
    size_t transfers_count;
    struct list moving; /* those of which bytes came */
    struct timer timer; /* for libcurl */
};

static struct mtime web_now(const struct os_web *w)
{
    struct clock *clock = os_loop_clock(w->loop);
    return clock->now(clock);
}

static void set_timer(struct os_web *w, struct mtime at)
{
    struct clock *clock = os_loop_clock(w->loop);
    clock->set(clock, &w->timer, at);
}

/* Transfers. */

static void transfer_free(struct transfer *t)
{
    (void)curl_multi_remove_handle(t->web->multi, t->easy); /* it was added */
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    list_remove(&t->link);
    list_remove(&t->moving);
    t->web->transfers_count--;
    buf_unref(t->body);
    mem_free(t);
}

/* The transfer ends with this; it stands for what libcurl then says. */
static bool refuse(struct transfer *t, enum err err, const char *why)
{
    if (t->err == OK) {
        t->err = err;
        t->why = why;
    }
    return false;
}

static enum err err_of_code(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK:
        return OK;
    case CURLE_COULDNT_RESOLVE_HOST:
        return E_NOTFOUND;
    case CURLE_COULDNT_CONNECT:
        return E_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return E_TIMEOUT;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return E_CLOSED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return E_MISMATCH;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return E_UNSUPPORTED;
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
        return E_MALFORMED;
    case CURLE_FILESIZE_EXCEEDED:
        return E_LIMIT;
    default:
        return E_IO;
    }
}

static void take_type(struct transfer *t)
{
    uint8_t *dst = (uint8_t *)t->answer.type;
    const char *type = NULL;
    size_t len = 0;

    if (curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type) != CURLE_OK ||
        type == NULL)
        return;
    while (type[len] > ' ' && type[len] <= '~' && type[len] != ';')
        len++;
    bool ends = type[len] == '\0' || type[len] == ' ' || type[len] == ';';
    if (!ends || len >= sizeof(t->answer.type))
        return;
    for (size_t i = 0; i < len; i++) {
        bool upper = type[i] >= 'A' && type[i] <= 'Z';
        dst[i] = (uint8_t)((uint8_t)type[i] | (upper ? 0x20 : 0));
    }
}

/* What the transfer came to. */
static void fill_answer(struct transfer *t, CURLcode code)
{
    struct web_answer *a = &t->answer;
    long status = 0;
    curl_off_t retry_s = 0;

    a->err = t->err != OK ? t->err : err_of_code(code);
    const char *why = t->err != OK ? t->why : curl_easy_strerror(code);
    if (a->err != OK)
        (void)snprintf(a->why, sizeof(a->why), "%s", why); /* may be cut */
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    a->status = (unsigned)status;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_s);
    if (retry_s > WEB_RETRY_AFTER_MAX)
        retry_s = WEB_RETRY_AFTER_MAX;
    a->retry_after_s = retry_s > 0 ? (uint32_t)retry_s : 0;
    take_type(t);
    if (a->err == OK && t->body == NULL)
        t->body = buf_new(0);
    a->body = a->err == OK ? t->body : NULL;
}

static void tell_done(struct transfer *t, CURLcode code, struct mtime now)
{
    struct web_get *user = t->user;

    fill_answer(t, code);
    user->priv = NULL;
    t->user = NULL;
    /* What it is about lives until the user has looked at it. */
    user->done(user, &t->answer, now);
    transfer_free(t);
}

/* Each call may start and cancel others. */
static void tell_all(struct os_web *w, struct mtime now)
{
    CURLMsg *message;
    int left;

    while (!list_empty(&w->moving)) {
        struct list *first = list_first(&w->moving);
        struct transfer *t = container_of(first, struct transfer, moving);
        list_remove(first);
        if (t->user->moved != NULL)
            t->user->moved(t->user, now);
    }
    while ((message = curl_multi_info_read(w->multi, &left)) != NULL) {
        char *place = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &place);
        tell_done((struct transfer *)(void *)place, code, now);
    }
}

static void step(struct os_web *w, curl_socket_t fd, int events,
                 struct mtime now)
{
    int running;

    /* It fails for want of memory only, and then says so of each transfer. */
    (void)curl_multi_socket_action(w->multi, fd, events, &running);
    tell_all(w, now);
}

/* What libcurl asks of the loop. */

static void on_watch_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    const struct watch *w = handle->data;
    int what = 0;

    if (status != 0)
        what = CURL_CSELECT_ERR;
    if ((events & UV_READABLE) != 0)
        what |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0)
        what |= CURL_CSELECT_OUT;
    step(w->web, w->fd, what, os_loop_enter(w->web->loop));
}

static struct watch *watch_new(struct os_web *web, curl_socket_t fd)
{
    struct watch *w = mem_zalloc(1, sizeof(*w));

    if (uv_poll_init_socket(os_loop_uv(web->loop), &w->poll, fd) != 0) {
        mem_free(w);
        return NULL;
    }
    w->poll.data = w;
    w->web = web;
    w->fd = fd;
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user,
                     void *place)
{
    struct os_web *web = user;
    struct watch *w = place;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL)
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        (void)curl_multi_assign(web->multi, fd, NULL); /* it is known */
        return 0;
    }
    if (w == NULL)
        w = watch_new(web, fd);
    if (w == NULL)
        return -1;                              /* its transfers fail */
    (void)curl_multi_assign(web->multi, fd, w); /* it is known */
    int events = (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;
    events |= (what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0;
    int failed = uv_poll_start(&w->poll, events, on_ready);
    assert(failed == 0);
    return 0;
}

static int on_timeout(CURLM *multi, long ms, void *user)
{
    struct os_web *w = user;

    (void)multi;
    set_timer(w, ms < 0 ? MTIME_NEVER : mtime_add_ms(web_now(w), (uint32_t)ms));
    return 0;
}

static void on_timer(struct timer *timer, struct mtime now)
{
    struct os_web *w = container_of(timer, struct os_web, timer);

    step(w, CURL_SOCKET_TIMEOUT, 0, now);
}

/* What libcurl tells of a transfer.  Its types are libcurl's. */

static void grow(struct transfer *t, size_t need)
{
    size_t room = t->body != NULL ? t->body->max : 0;
    curl_off_t said = -1;

    if (need <= room)
        return;
    if (room == 0)
        (void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
                                &said);
    room = said > 0 ? (size_t)said : 2 * room + BODY_ROOM_FIRST;
    room = room < need ? need : room;
    room = room < t->body_max ? room : t->body_max;
    struct buf *body = buf_new(room);
    if (t->body != NULL) {
        memcpy(body->data, t->body->data, t->body->len);
        body->len = t->body->len;
    }
    buf_unref(t->body);
    t->body = body;
}

/* NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t on_write(char *p, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    size_t len = size * count;
    size_t have = t->body != NULL ? t->body->len : 0;

    if (len > t->body_max - have) {
        (void)refuse(t, E_LIMIT, "the answer is too long");
        return 0;
    }
    if (len == 0)
        return 0;
    grow(t, have + len);
    memcpy(t->body->data + have, p, len);
    t->body->len = have + len;
    if (list_empty(&t->moving))
        list_add_tail(&t->web->moving, &t->moving);
    return len;
}

/* Whether the header's name is @name; @ret_value: what comes after it. */
static bool is_header(struct bytes line, const char *name,
                      struct bytes *ret_value)
{
    size_t len = strlen(name);

    if (line.len <= len || line.p[len] != ':' ||
        strncasecmp((const char *)line.p, name, len) != 0)
        return false;
    struct bytes value = bytes_sub(line, len + 1, line.len - len - 1);
    while (value.len > 0 && value.p[0] <= ' ')
        value = bytes_sub(value, 1, value.len - 1);
    while (value.len > 0 && value.p[value.len - 1] <= ' ')
        value.len--;
    *ret_value = value;
    return true;
}

static bool check_length(struct transfer *t)
{
    curl_off_t said = -1;

    (void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &said);
    if (t->user->is_head || said < 0 || (uint64_t)said <= t->body_max)
        return true;
    return refuse(t, E_LIMIT, "the answer is too long");
}

/* NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t on_header(char *p, size_t size, size_t count, void *user)
{
    static const char identity[] = "identity";
    struct transfer *t = user;
    struct bytes line = {.p = (const uint8_t *)p, .len = size * count};
    struct bytes value;
    long status = 0;
    bool good = true;

    t->headers_bytes += line.len;
    if (t->headers_bytes > WEB_HEADERS_MAX)
        good = refuse(t, E_LIMIT, "the headers are too long");
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == STATUS_REDIRECTS)
        t->is_redirected = true;
    if (status != STATUS_FINAL)
        return good ? line.len : 0;
    if (is_header(line, "content-encoding", &value) && value.len > 0 &&
        !(value.len == sizeof(identity) - 1 &&
          strncasecmp((const char *)value.p, identity, value.len) == 0))
        good = refuse(t, E_UNSUPPORTED, "the answer is encoded");
    if (line.len <= 2) /* the end of the headers */
        good = good && check_length(t);
    return good ? line.len : 0;
}

static bool is_loopback(const char *ip)
{
    return strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0;
}

/*
 * Called when there is a connection and before anything is sent on it.  A
 * server may send us to others that TLS shows to be the right ones, but with
 * plain HTTP only to itself: else it could have us ask what only we reach.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static int on_send(void *user, char *ip, char *local_ip, int port,
                   int local_port)
{
    struct transfer *t = user;
    char *url = NULL;

    (void)local_ip;
    (void)port;
    (void)local_port;
    if (!t->is_redirected) {
        (void)snprintf(t->first_ip, sizeof(t->first_ip), "%s", ip); /* fits */
        return CURL_PREREQFUNC_OK;
    }
    (void)curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
    bool plain = url == NULL || strncasecmp(url, "https:", 6) != 0;
    bool same = strcmp(ip, t->first_ip) == 0 ||
                (is_loopback(ip) && is_loopback(t->first_ip));
    if (!plain || same)
        return CURL_PREREQFUNC_OK;
    (void)refuse(t, E_UNSUPPORTED, "it leads to another machine without TLS");
    return CURL_PREREQFUNC_ABORT;
}

/* Setting up.  An option can only fail for want of memory, or because this
 * libcurl lacks it; on_send is the one that must not be lacking. */

static enum err multi_open(struct os_web *w)
{
    if (w->multi != NULL)
        return OK;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return E_IO;
    w->multi = curl_multi_init();
    if (w->multi == NULL)
        return E_IO;
    (void)curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    (void)curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
    (void)curl_multi_setopt(w->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                            (long)WEB_CONNECTIONS_HOST_MAX);
    (void)curl_multi_setopt(w->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                            (long)WEB_CONNECTIONS_MAX);
    return OK;
}

static void set_limits(struct transfer *t)
{
    CURL *e = t->easy;
    const struct web_get *g = t->user;

    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* never wait for DNS */
    (void)curl_easy_setopt(e, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    (void)curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)g->connect_ms);
    (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)g->total_ms);
    (void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)WEB_REDIRECTS_MAX);
    (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR,
                           t->is_https ? "https" : "http,https");
    (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                           (long)CURL_HTTP_VERSION_2TLS);
    /* Wait for what TLS says: with HTTP/2 one connection will do. */
    (void)curl_easy_setopt(e, CURLOPT_PIPEWAIT, t->is_https ? 1L : 0L);
}

static enum err set_request(struct transfer *t)
{
    CURL *e = t->easy;
    const struct web_get *g = t->user;
    char accept[WEB_TYPE_MAX + 16];

    (void)snprintf(accept, sizeof(accept), "Accept: %s", g->accept);
    t->headers = curl_slist_append(NULL, accept);
    (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
    (void)curl_easy_setopt(e, CURLOPT_USERAGENT, g->agent);
    (void)curl_easy_setopt(e, CURLOPT_NOBODY, g->is_head ? 1L : 0L);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    (void)curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    (void)curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
    bool good =
        curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_send) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_URL, g->url) == CURLE_OK;
    return good && t->headers != NULL ? OK : E_IO;
}

static bool is_web_url(const char *url, bool *ret_https)
{
    *ret_https = strncasecmp(url, "https://", 8) == 0;
    return strlen(url) <= WEB_URL_MAX &&
           (*ret_https || strncasecmp(url, "http://", 7) == 0);
}

static enum err do_get(struct web *web, struct web_get *g)
{
    struct os_web *w = container_of(web, struct os_web, web);
    bool https;

    assert(strlen(g->accept) < WEB_TYPE_MAX);
    if (!is_web_url(g->url, &https))
        return E_MALFORMED;
    if (w->transfers_count >= WEB_REQUESTS_MAX)
        return E_LIMIT;
    enum err err = multi_open(w);
    CURL *easy = err == OK ? curl_easy_init() : NULL;
    if (easy == NULL)
        return E_IO;
    struct transfer *t = mem_zalloc(1, sizeof(*t));
    t->web = w;
    t->user = g;
    t->easy = easy;
    t->is_https = https;
    t->body_max = g->body_max;
    list_init(&t->moving);
    list_add_tail(&w->transfers, &t->link);
    w->transfers_count++;
    set_limits(t);
    err = set_request(t);
    if (err == OK && curl_multi_add_handle(w->multi, easy) != CURLM_OK)
        err = E_IO;
    if (err != OK) {
        transfer_free(t);
        return err;
    }
    g->priv = t;
    return OK;
}

static void do_cancel(struct web *web, struct web_get *g)
{
    (void)web;
    transfer_free(g->priv);
    g->priv = NULL;
}

struct os_web *os_web_new(struct os_loop *loop)
{
    struct os_web *w = mem_zalloc(1, sizeof(*w));

    w->web = (struct web){.get = do_get, .cancel = do_cancel};
    w->loop = loop;
    list_init(&w->transfers);
    list_init(&w->moving);
    timer_init(&w->timer, on_timer);
    return w;
}

struct web *os_web_env(struct os_web *w)
{
    return &w->web;
}

void os_web_free(struct os_web *w)
{
    if (w == NULL)
        return;
    while (!list_empty(&w->transfers))
        transfer_free(
            container_of(list_first(&w->transfers), struct transfer, link));
    if (w->multi != NULL)
        (void)curl_multi_cleanup(w->multi); /* it has no transfer */
    set_timer(w, MTIME_NEVER);
    mem_free(w);
}
