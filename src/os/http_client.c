#include "os/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/errno_err.h"
#include "os/unix_path.h"

enum {
    CONNECT_MS_DEFAULT = 5000,
    URL_MAX = 16 * 1024,
    HEADER_LINE_MAX = 8 * 1024,
    WAIT_MS = 1000,
    BUFFER_BYTES = 256 * 1024, /* each way: libcurl's own make many calls */
    STATUS_FINAL = 200,        /* below are interim answers */
};

struct http_client {
    CURL *curl;
    CURLM *multi; /* keeps the connections, and can wait for @cancel_fd too */
    struct unix_path unix_path;
    char *place; /* for people: the socket's path, or the URL */
    char *base_url;
    char *bearer; /* header, or NULL */
    long connect_ms;
    int cancel_fd;
};

/* One call under way. */
struct transfer {
    struct http_client *client;
    const struct http_call *call;
    size_t body_at; /* of call.body */
    enum err err;   /* of a callback */
};

/* Callbacks of libcurl. */

static unsigned status_of(CURL *curl)
{
    long status = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status); /* or 0 */
    return (unsigned)status;
}

/* Its type is libcurl's. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t on_write(char *p, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    struct bytes in = {.p = (const uint8_t *)p, .len = size * count};

    if (t->call->on_body != NULL)
        t->err =
            t->call->on_body(t->call->user, status_of(t->client->curl), in);
    return t->err == OK ? in.len : 0;
}

static size_t on_header(char *p, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    struct bytes line = {.p = (const uint8_t *)p, .len = size * count};
    unsigned status = status_of(t->client->curl);
    const char *colon = memchr(p, ':', line.len);

    if (t->call->on_header == NULL || colon == NULL || status < STATUS_FINAL)
        return line.len;
    struct bytes name = bytes_sub(line, 0, (size_t)(colon - p));
    struct bytes value = bytes_sub(line, name.len + 1, line.len - name.len - 1);
    while (value.len > 0 && (*value.p == ' ' || *value.p == '\t'))
        value = bytes_sub(value, 1, value.len - 1);
    while (value.len > 0 && value.p[value.len - 1] <= ' ')
        value.len--;
    t->call->on_header(t->call->user, status, name, value);
    return line.len;
}

static size_t on_read(char *p, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    const struct http_call *call = t->call;
    size_t max = size * count;
    size_t len;

    if (call->read_body != NULL) {
        t->err = call->read_body(call->user, (uint8_t *)p, max, &len);
        return t->err == OK ? len : CURL_READFUNC_ABORT;
    }
    len = call->body.len - t->body_at;
    len = len < max ? len : max;
    if (len > 0)
        memcpy(p, call->body.p + t->body_at, len);
    t->body_at += len;
    return len;
}

/* A connection that was kept may turn out to be dead once some of the body is
 * gone; what lies in memory can be sent again. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct transfer *t = user;

    if (t->call->read_body != NULL || origin != SEEK_SET || offset < 0 ||
        (uint64_t)offset > t->call->body.len)
        return CURL_SEEKFUNC_CANTSEEK;
    t->body_at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* Setting up.  An option can only fail for want of memory, or because this
 * libcurl lacks it; the transfer then fails and tells. */

static void set_target(struct http_client *c)
{
    CURL *curl = c->curl;

    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, c->connect_ms);
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    (void)curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_BYTES);
    if (c->base_url == NULL)
        (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH,
                               c->unix_path.addr.sun_path);
}

static bool sends_body(const struct http_call *call)
{
    return call->read_body != NULL || call->body.len > 0 ||
           strcmp(call->method, "POST") == 0 ||
           strcmp(call->method, "PUT") == 0 ||
           strcmp(call->method, "PATCH") == 0;
}

static curl_off_t body_len(const struct http_call *call)
{
    uint64_t len =
        call->read_body != NULL ? call->body_len : (uint64_t)call->body.len;
    return len > INT64_MAX ? -1 : (curl_off_t)len;
}

static void set_call(struct transfer *t)
{
    CURL *curl = t->client->curl;

    if (strcmp(t->call->method, "HEAD") == 0)
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (sends_body(t->call)) {
        (void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE,
                               body_len(t->call));
        (void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        (void)curl_easy_setopt(curl, CURLOPT_READDATA, t);
        (void)curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        (void)curl_easy_setopt(curl, CURLOPT_SEEKDATA, t);
    }
    long limit = t->call->silence_s > 0 ? 1 : 0; /* bytes a second */
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, limit);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                           (long)t->call->silence_s);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, t->call->method);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_write);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
}

/* Return: false when the URL is too long. */
static bool set_url(struct http_client *c, const char *path)
{
    const char *base = c->base_url == NULL ? "http://localhost" : c->base_url;
    size_t size = strlen(base) + strlen(path) + 1;

    if (size > URL_MAX)
        return false;
    char *url = mem_alloc(size);
    (void)snprintf(url, size, "%s%s", base, path); /* it fits */
    (void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
    mem_free(url);
    return true;
}

static struct curl_slist *add_line(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    return longer == NULL ? list : longer;
}

static struct curl_slist *make_headers(const struct http_client *c,
                                       const struct http_call *call)
{
    struct curl_slist *list = NULL;

    if (c->bearer != NULL)
        list = add_line(list, c->bearer);
    for (size_t i = 0; i < call->headers_count; i++)
        list = add_line(list, call->headers[i]);
    return list;
}

/* Telling how it ended. */

static enum err connect_error(CURL *curl, char *text, size_t size)
{
    long number = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number); /* or 0 */
    if (number <= 0) {
        (void)snprintf(text, size, "no connection");
        return E_REFUSED;
    }
    (void)snprintf(text, size, "%s", strerrordesc_np((int)number));
    return err_of_errno((int)number);
}

static enum err error_of(const struct transfer *t, CURLcode code, char *text,
                         size_t size)
{
    (void)snprintf(text, size, "%s", curl_easy_strerror(code)); /* may be cut */
    if (t->err != OK)
        return t->err;
    /* libcurl's codes are many; these are the ones that mean something here. */
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
        return connect_error(t->client->curl, text, size);
    case CURLE_COULDNT_RESOLVE_HOST:
        return E_NOTFOUND;
    case CURLE_OPERATION_TIMEDOUT:
        return E_TIMEOUT;
    case CURLE_ABORTED_BY_CALLBACK:
        (void)snprintf(text, size, "interrupted");
        return E_CANCELED;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        (void)snprintf(text, size, "the connection broke off");
        return E_CLOSED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return E_MALFORMED;
    default:
        return E_IO;
    }
}

static enum err finish(const struct transfer *t, CURLcode code,
                       struct http_answer *ret_answer)
{
    char why[HTTP_CLIENT_TEXT_MAX / 2];

    ret_answer->status = status_of(t->client->curl);
    if (code == CURLE_OK)
        return OK;
    enum err err = error_of(t, code, why, sizeof(why));
    /* May be cut. */
    (void)snprintf(ret_answer->text, sizeof(ret_answer->text), "%.120s: %s",
                   t->client->place, why);
    return err;
}

/* Return: how the transfer, which is no longer under way, ended. */
static CURLcode result_of(CURLM *multi)
{
    int left;
    const CURLMsg *message = curl_multi_info_read(multi, &left);

    return message == NULL ? CURLE_OUT_OF_MEMORY : message->data.result;
}

static CURLcode perform(struct http_client *c)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    int running = 1;

    if (curl_multi_add_handle(c->multi, c->curl) != CURLM_OK)
        return code;
    while (curl_multi_perform(c->multi, &running) == CURLM_OK && running > 0) {
        struct curl_waitfd cancel = {.fd = c->cancel_fd,
                                     .events = CURL_WAIT_POLLIN};
        unsigned count = c->cancel_fd < 0 ? 0 : 1;
        if (curl_multi_poll(c->multi, &cancel, count, WAIT_MS, NULL) !=
            CURLM_OK)
            break;
        if (cancel.revents != 0) {
            code = CURLE_ABORTED_BY_CALLBACK;
            break;
        }
    }
    if (running == 0)
        code = result_of(c->multi);
    (void)curl_multi_remove_handle(c->multi, c->curl); /* it was added */
    return code;
}

enum err http_client_call(struct http_client *c, const struct http_call *call,
                          struct http_answer *ret_answer)
{
    struct transfer t = {.client = c, .call = call};

    *ret_answer = (struct http_answer){.status = 0};
    curl_easy_reset(c->curl); /* keeps the connection */
    set_target(c);
    set_call(&t);
    if (!set_url(c, call->path))
        return finish(&t, CURLE_URL_MALFORMAT, ret_answer);
    struct curl_slist *headers = make_headers(c, call);
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = perform(c);
    enum err err = finish(&t, code, ret_answer);
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return err;
}

static char *bearer_of(const char *token)
{
    char line[HEADER_LINE_MAX];
    int len = snprintf(line, sizeof(line), "Authorization: Bearer %s", token);

    return len < 0 || (size_t)len >= sizeof(line) ? NULL : mem_strdup(line);
}

enum err http_client_open(const struct http_target *target,
                          struct http_client **ret_client)
{
    struct http_client *c = mem_zalloc(1, sizeof(*c));
    bool is_unix = target->unix_path != NULL;
    const char *place = is_unix ? target->unix_path : target->base_url;
    enum err err = OK;

    c->unix_path.dir_fd = -1;
    if (is_unix)
        err = unix_path_init(&c->unix_path, target->unix_path);
    if (err == OK && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        c->curl = curl_easy_init();
        c->multi = curl_multi_init();
    }
    if (err == OK && (c->curl == NULL || c->multi == NULL))
        err = E_IO;
    c->place = mem_strdup(place);
    c->base_url = is_unix ? NULL : mem_strdup(place);
    c->bearer = target->token == NULL ? NULL : bearer_of(target->token);
    if (err == OK && target->token != NULL && c->bearer == NULL)
        err = E_LIMIT;
    c->cancel_fd = target->cancel_fd;
    c->connect_ms =
        target->connect_ms == 0 ? CONNECT_MS_DEFAULT : target->connect_ms;
    if (err != OK) {
        http_client_free(c);
        return err;
    }
    *ret_client = c;
    return OK;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    if (c->curl != NULL)
        curl_easy_cleanup(c->curl);
    if (c->multi != NULL)
        (void)curl_multi_cleanup(c->multi); /* it has no transfer */
    unix_path_release(&c->unix_path);
    mem_free(c->place);
    mem_free(c->base_url);
    mem_free(c->bearer);
    mem_free(c);
}
