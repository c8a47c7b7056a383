/*
 * Goal: requests and answers of every shape pass whole in both directions,
 * under back-pressure, over Unix sockets and TCP; a client that goes away is
 * noticed; every request ends once.
 * Method: the server on a loop in the test's thread; clients in a second
 * thread, as os/http_client.h where that can say it, else as bytes on a socket.
 * The client's thread stops the loop when it is done.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "os/http_client.h"
#include "os/http_server.h"
#include "os/loop.h"
#include "os/unix_path.h"
#include "os_test.h"

#include "test.h"

enum {
    BIG = 20 * 1024 * 1024,
    PIECE = 48 * 1024,
    REQUESTS = 1000,
    UPLOAD = 4 * 1024 * 1024,
    SMALL_UPLOAD = 300 * 1024
};

static struct {
    char dir[OS_TEST_PATH_MAX];
    char path[OS_TEST_PATH_MAX]; /* of the socket */
    struct os_loop *loop;
    struct os_http *os_http;
    struct http *http;
    struct http_server server;
    struct http_server tcp;
    uint16_t port;
    uv_async_t client_done;
    pthread_t thread;
    void (*client)(void);

    unsigned requests;
    unsigned closed;
    unsigned complete;
    unsigned writables;
    uint64_t received; /* bytes of bodies */
    uint64_t sent;     /* bytes of the pattern, of the answer under way */
    bool wrong;        /* a byte of a body */
    struct http_request *stream; /* answered by send_more() */
    struct http_request *held;   /* answered by nobody */
    struct timer timer;
    struct http_peer peer;
    uint64_t body_len;
    atomic_int hang_up_fd; /* closed when a request is held */
} t;                       /* NOLINT: of this test alone */

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)((i * 131) ^ (i >> 8));
}

/* The handler: what it does is chosen by the path. */

static bool is_path(const struct http_request *r, const char *path)
{
    return strcmp(r->path, path) == 0;
}

static struct slice text_slice(const char *text)
{
    return (struct slice){.buf = NULL, .bytes = bytes_str(text)};
}

static void answer(struct http_request *r, unsigned status, const char *text)
{
    const struct http_header headers[] = {{"Content-Type", "text/plain"},
                                          {"X-Path", r->path}};

    t.http->respond(t.http, r, status, headers, 2, strlen(text));
    (void)t.http->send(t.http, r, text_slice(text)); /* little */
    t.http->end(t.http, r, false);
}

static void send_more(struct http_request *r)
{
    while (t.sent < BIG) {
        size_t len = BIG - t.sent < PIECE ? (size_t)(BIG - t.sent) : PIECE;
        struct buf *b = buf_new(len);
        for (size_t i = 0; i < len; i++)
            b->data[i] = pattern(t.sent + i);
        b->len = len;
        t.sent += len;
        struct slice s = {.buf = b, .bytes = buf_bytes(b)};
        if (t.http->send(t.http, r, s) > HTTP_SEND_HIGH_BYTES)
            return;
    }
    t.http->end(t.http, r, false);
    t.stream = NULL;
}

static void on_unpause(struct timer *timer, struct mtime now)
{
    (void)timer;
    (void)now;
    if (t.held != NULL)
        t.http->pause(t.http, t.held, false);
}

static void on_late(struct timer *timer, struct mtime now)
{
    struct http_request *r = t.held;

    (void)timer;
    (void)now;
    t.held = NULL;
    answer(r, 200, "late");
}

static void set_timer(void (*fire)(struct timer *, struct mtime), uint32_t ms)
{
    struct clock *clock = os_loop_clock(t.loop);
    struct mtime now = clock->now(clock);

    timer_init(&t.timer, fire);
    clock->set(clock, &t.timer, mtime_add_ms(now, ms));
}

static void on_request(struct http_server *s, struct http_request *r,
                       struct mtime now)
{
    (void)s;
    (void)now;
    t.requests++;
    t.received = 0;
    t.sent = 0;
    t.peer = r->peer;
    t.body_len = r->body_len;
    if (is_path(r, "/early"))
        answer(r, 403, "no");
    if (is_path(r, "/abort-early"))
        t.http->end(t.http, r, true);
    if (is_path(r, "/paused")) {
        t.http->pause(t.http, r, true);
        t.held = r;
        set_timer(on_unpause, 1);
    }
}

static void on_body(struct http_server *s, struct http_request *r,
                    struct bytes in, struct mtime now)
{
    (void)s;
    (void)now;
    assert_false(is_path(r, "/early"));
    for (size_t i = 0; i < in.len; i++)
        if (in.p[i] != pattern(t.received + i))
            t.wrong = true;
    t.received += in.len;
    if (is_path(r, "/paused")) {
        t.http->pause(t.http, r, true);
        set_timer(on_unpause, 0);
    }
}

static void start_stream(struct http_request *r, uint64_t len)
{
    t.http->respond(t.http, r, 200, NULL, 0, len);
    t.stream = r;
    send_more(r);
}

static void on_short(struct http_request *r)
{
    t.http->respond(t.http, r, 200, NULL, 0, 100);
    (void)t.http->send(t.http, r, text_slice("only this")); /* little */
    t.http->end(t.http, r, false);
}

static void on_header_echo(struct http_request *r)
{
    const char *header = t.http->header(t.http, r, "x-tEST");
    const char *query = t.http->query(t.http, r, "q");
    const char *name = t.http->query_at(t.http, r, 1);
    struct buf *b = buf_new(256);

    b->len = (size_t)snprintf((char *)b->data, 256, "%s|%s|%s|%s", r->method,
                              header == NULL ? "-" : header,
                              query == NULL ? "-" : query,
                              name == NULL ? "-" : name);
    struct slice s = {.buf = b, .bytes = buf_bytes(b)};
    t.http->respond(t.http, r, 200, NULL, 0, UINT64_MAX);
    (void)t.http->send(t.http, r, s); /* little */
    t.http->end(t.http, r, false);
}

static void on_body_end(struct http_server *s, struct http_request *r,
                        struct mtime now)
{
    (void)s;
    (void)now;
    assert_false(is_path(r, "/early"));
    if (is_path(r, "/big"))
        start_stream(r, BIG);
    else if (is_path(r, "/chunked"))
        start_stream(r, UINT64_MAX);
    else if (is_path(r, "/short"))
        on_short(r);
    else if (is_path(r, "/echo"))
        on_header_echo(r);
    else if (is_path(r, "/late") || is_path(r, "/hang-up"))
        t.held = r;
    else if (is_path(r, "/abort"))
        t.http->end(t.http, r, true);
    else if (is_path(r, "/none"))
        answer(r, 404, "");
    else
        answer(r, 200, "small");
    if (is_path(r, "/late"))
        set_timer(on_late, 1);
    if (is_path(r, "/hang-up"))
        (void)shutdown(t.hang_up_fd, SHUT_RDWR);
}

static void on_writable(struct http_server *s, struct http_request *r,
                        struct mtime now)
{
    (void)s;
    (void)now;
    assert_ptr_equal(r, t.stream);
    t.writables++;
    send_more(r);
}

static void on_closed(struct http_server *s, struct http_request *r,
                      bool complete, struct mtime now)
{
    (void)s;
    (void)now;
    t.closed++;
    t.complete += complete ? 1 : 0;
    if (r == t.stream)
        t.stream = NULL;
    if (r == t.held) {
        struct clock *clock = os_loop_clock(t.loop);
        clock->set(clock, &t.timer, MTIME_NEVER);
        t.held = NULL;
    }
}

static struct http_server server_new(void)
{
    return (struct http_server){.on_request = on_request,
                                .on_body = on_body,
                                .on_body_end = on_body_end,
                                .on_writable = on_writable,
                                .on_closed = on_closed};
}

/* The client's thread.  What it finds is looked at after its end. */

static struct {
    struct http_client *client;
    struct http_target target;
    struct http_answer answer;
    enum err err;
    uint64_t got;
    bool wrong;
    char text[512];
    size_t text_len;
    char path_header[64];
    char type_header[64];
    uint64_t put;
    uint64_t put_max;
    uint64_t abort_at; /* bytes of the answer, 0: never */
    unsigned failures;
} c; /* NOLINT: of this test alone */

static void on_client_done(uv_async_t *async)
{
    (void)async;
    os_loop_stop(t.loop);
}

static void *client_main(void *arg)
{
    (void)arg;
    t.client();
    (void)uv_async_send(&t.client_done);
    return NULL;
}

static void run(void (*client)(void))
{
    t.client = client;
    assert_int_equal(pthread_create(&t.thread, NULL, client_main, NULL), 0);
    os_loop_run(t.loop);
    assert_int_equal(pthread_join(t.thread, NULL), 0);
}

/* Requests that are still closing take some turns more. */
static void settle(void)
{
    while (t.closed < t.requests) {
        struct clock *clock = os_loop_clock(t.loop);
        (void)clock;
        (void)uv_run(os_loop_uv(t.loop), UV_RUN_ONCE);
    }
}

static enum err client_body(void *user, unsigned status, struct bytes in)
{
    (void)user;
    (void)status;
    for (size_t i = 0; i < in.len; i++)
        if (in.p[i] != pattern(c.got + i))
            c.wrong = true;
    for (size_t i = 0; i < in.len && c.text_len < sizeof(c.text) - 1; i++)
        c.text[c.text_len++] = (char)in.p[i];
    c.got += in.len;
    return c.abort_at != 0 && c.got >= c.abort_at ? E_NOSPACE : OK;
}

static void keep(char dst[static 64], struct bytes value)
{
    size_t len = value.len < 63 ? value.len : 63;
    memcpy(dst, value.p, len);
    dst[len] = '\0';
}

static void client_header(void *user, unsigned status, struct bytes name,
                          struct bytes value)
{
    (void)user;
    (void)status;
    if (bytes_eq(name, BYTES_LIT("X-Path")))
        keep(c.path_header, value);
    if (bytes_eq(name, BYTES_LIT("Content-Type")))
        keep(c.type_header, value);
}

static enum err client_read(void *user, uint8_t *dst, size_t max,
                            size_t *ret_len)
{
    size_t len = 0;

    (void)user;
    for (; len < max && c.put < c.put_max; len++)
        dst[len] = pattern(c.put++);
    *ret_len = len;
    return OK;
}

static void call(const struct http_call *call)
{
    c.got = 0;
    c.put = 0;
    c.text_len = 0;
    memset(c.text, 0, sizeof(c.text));
    if (c.client == NULL)
        c.err = http_client_open(&c.target, &c.client);
    if (c.client != NULL)
        c.err = http_client_call(c.client, call, &c.answer);
}

static struct http_call get_call(const char *path)
{
    return (struct http_call){.method = "GET",
                              .path = path,
                              .on_body = client_body,
                              .on_header = client_header};
}

static void get(const char *path)
{
    struct http_call request = get_call(path);
    call(&request);
}

static void put(const char *path, uint64_t len, bool known)
{
    struct http_call request = get_call(path);

    c.put_max = len;
    request.method = "PUT";
    request.read_body = client_read;
    request.body_len = known ? len : UINT64_MAX;
    call(&request);
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    memset(&c, 0, sizeof(c));
    (void)signal(SIGPIPE, SIG_IGN); /* as os_env_open() does */
    os_test_dir(t.dir);
    os_test_path(t.path, t.dir, "api.sock");
    assert_int_equal(os_loop_open(&t.loop), OK);
    assert_int_equal(
        uv_async_init(os_loop_uv(t.loop), &t.client_done, on_client_done), 0);
    t.os_http = os_http_new(t.loop);
    t.http = os_http_env(t.os_http);
    t.server = server_new();
    t.tcp = server_new();
    assert_int_equal(t.http->listen_unix(t.http, &t.server, t.path, 0600), OK);
    c.target = (struct http_target){.unix_path = t.path, .cancel_fd = -1};
    timer_init(&t.timer, on_late);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_client_free(c.client);
    os_http_free(t.os_http);
    uv_close((uv_handle_t *)&t.client_done, NULL);
    os_loop_free(t.loop);
    os_test_remove(t.dir);
    assert_int_equal(t.closed, t.requests);
    return 0;
}

static void get_small(void)
{
    get("/small?x=1");
}

static void test_small_answer(void **state)
{
    (void)state;
    run(get_small);
    assert_int_equal(c.err, OK);
    assert_int_equal(c.answer.status, 200);
    assert_string_equal(c.answer.text, "");
    assert_string_equal(c.text, "small");
    assert_string_equal(c.path_header, "/small");
    assert_string_equal(c.type_header, "text/plain");
    assert_true(t.peer.is_unix);
    assert_int_equal(t.peer.uid, getuid());
    assert_int_equal(t.body_len, 0);
    assert_int_equal(t.complete, 1);
}

static void get_echo(void)
{
    static const char *const lines[] = {"X-Test: a value"};
    struct http_call request = get_call("/echo?q=%41+b&%7e=1&q=no");

    request.headers = lines;
    request.headers_count = 1;
    request.method = "DELETE";
    call(&request);
}

static void test_method_header_and_query(void **state)
{
    (void)state;
    run(get_echo);
    assert_int_equal(c.err, OK);
    assert_string_equal(c.text, "DELETE|a value|A b|~");
}

static void get_big(void)
{
    get("/big");
}

static void test_big_answer(void **state)
{
    (void)state;
    run(get_big);
    assert_int_equal(c.err, OK);
    assert_int_equal(c.got, BIG);
    assert_false(c.wrong);
    assert_true(t.writables > 0);
    assert_int_equal(t.complete, 1);
}

static void get_chunked(void)
{
    get("/chunked");
}

static void test_answer_of_unknown_length(void **state)
{
    (void)state;
    run(get_chunked);
    assert_int_equal(c.err, OK);
    assert_int_equal(c.got, BIG);
    assert_false(c.wrong);
}

static void put_big(void)
{
    put("/put", BIG, true);
}

static void test_big_body(void **state)
{
    (void)state;
    run(put_big);
    assert_int_equal(c.err, OK);
    assert_int_equal(t.received, BIG);
    assert_int_equal(t.body_len, BIG);
    assert_false(t.wrong);
    assert_string_equal(c.text, "small");
}

static void put_chunked(void)
{
    put("/put", BIG, false);
}

static void test_body_of_unknown_length(void **state)
{
    (void)state;
    run(put_chunked);
    assert_int_equal(c.err, OK);
    assert_int_equal(t.received, BIG);
    assert_int_equal(t.body_len, UINT64_MAX);
    assert_false(t.wrong);
}

static void put_paused(void)
{
    put("/paused", UPLOAD, true);
}

static void test_paused_body(void **state)
{
    (void)state;
    run(put_paused);
    assert_int_equal(c.err, OK);
    assert_int_equal(t.received, UPLOAD);
    assert_false(t.wrong);
}

static void put_early(void)
{
    put("/early", UPLOAD, true); /* waits for 100 Continue */
    c.failures += c.answer.status != 403;
    put("/early", SMALL_UPLOAD, true); /* does not wait */
    c.failures += c.answer.status != 403;
    get("/early");
    c.failures += c.answer.status != 403;
}

static void test_answer_before_the_body(void **state)
{
    (void)state;
    run(put_early);
    assert_int_equal(c.failures, 0);
    assert_int_equal(t.requests, 3);
    settle();
    assert_int_equal(t.complete, 3);
}

static void get_late(void)
{
    get("/late");
}

static void test_answer_in_a_later_turn(void **state)
{
    (void)state;
    run(get_late);
    assert_int_equal(c.err, OK);
    assert_string_equal(c.text, "late");
}

static void get_broken(void)
{
    get("/abort");
    c.failures += c.err != E_CLOSED;
    get("/abort-early");
    c.failures += c.err != E_CLOSED;
    get("/short");
    c.failures += c.err != E_CLOSED;
    c.failures += c.got >= 100;
}

static void test_broken_answers(void **state)
{
    (void)state;
    run(get_broken);
    settle();
    assert_int_equal(c.failures, 0);
    assert_int_equal(t.requests, 3);
    assert_int_equal(t.complete, 0);
    assert_non_null(strstr(c.answer.text, "broke off"));
}

static void get_some_and_leave(void)
{
    c.abort_at = 100000;
    get("/chunked");
}

static void test_client_leaves_a_stream(void **state)
{
    (void)state;
    run(get_some_and_leave);
    assert_int_equal(c.err, E_NOSPACE);
    settle();
    assert_int_equal(t.complete, 0);
    assert_true(t.sent < BIG);
}

static void get_and_hang_up(void)
{
    struct unix_path u;
    static const char request[] = "GET /hang-up HTTP/1.1\r\nHost: x\r\n\r\n";
    char byte;

    t.hang_up_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (unix_path_init(&u, t.path) != OK ||
        connect(t.hang_up_fd, (struct sockaddr *)&u.addr, u.len) != 0 ||
        send(t.hang_up_fd, request, sizeof(request) - 1, 0) < 0)
        c.failures++;
    unix_path_release(&u);
    (void)!read(t.hang_up_fd, &byte, 1); /* until the server hangs it up */
    (void)close(t.hang_up_fd);
}

/* The request is suspended: nobody but our own watch looks at the socket. */
static void test_client_leaves_while_we_work(void **state)
{
    (void)state;
    run(get_and_hang_up);
    settle();
    assert_int_equal(c.failures, 0);
    assert_int_equal(t.requests, 1);
    assert_int_equal(t.complete, 0);
    assert_null(t.held);
}

static void get_many(void)
{
    static const char *const paths[] = {"/a", "/echo", "/none", "/a?b"};

    for (unsigned i = 0; i < REQUESTS; i++) {
        get(paths[i % countof(paths)]);
        c.failures += c.err != OK;
        c.failures += c.answer.status != (i % 4 == 2 ? 404U : 200U);
    }
}

static void test_many_requests(void **state)
{
    (void)state;
    run(get_many);
    settle();
    assert_int_equal(c.failures, 0);
    assert_int_equal(t.requests, REQUESTS);
    assert_int_equal(t.complete, REQUESTS);
}

static void head_big(void)
{
    struct http_call request = get_call("/big");

    request.method = "HEAD";
    call(&request);
}

static void test_head(void **state)
{
    (void)state;
    run(head_big);
    assert_int_equal(c.err, OK);
    assert_int_equal(c.answer.status, 200);
    assert_int_equal(c.got, 0);
    assert_int_equal(t.complete, 1);
}

/* What the server says to raw bytes, until it closes, or its first part. */
static void say(const char *bytes, size_t len)
{
    struct unix_path u;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    c.text_len = 0;
    memset(c.text, 0, sizeof(c.text));
    if (unix_path_init(&u, t.path) != OK ||
        connect(fd, (struct sockaddr *)&u.addr, u.len) != 0)
        c.failures++;
    unix_path_release(&u);
    (void)!send(fd, bytes, len, MSG_NOSIGNAL); /* it may refuse early */
    ssize_t got = read(fd, c.text, sizeof(c.text) - 1);
    c.text_len = got < 0 ? 0 : (size_t)got;
    (void)close(fd);
}

static bool says(const char *line)
{
    return strncmp(c.text, line, strlen(line)) == 0;
}

static void say_header_of(size_t size)
{
    static const char start[] = "GET /a HTTP/1.1\r\nHost: x\r\nX: ";
    char *bytes = mem_alloc(size + 1);
    int digits = (int)(size - strlen(start) - 4);

    (void)snprintf(bytes, size + 1, "%s%0*d\r\n\r\n", start, digits, 0);
    say(bytes, size);
    mem_free(bytes);
}

static void say_header_sizes(void)
{
    say_header_of(HTTP_HEADER_MAX);
    c.failures += !says("HTTP/1.1 200");
    say_header_of(HTTP_HEADER_MAX + 1);
    c.failures += !says("HTTP/1.1 431");
    say_header_of((size_t)4 * HTTP_HEADER_MAX);
    c.failures += says("HTTP/1.1 200");
}

static void test_header_limit(void **state)
{
    (void)state;
    run(say_header_sizes);
    assert_int_equal(c.failures, 0);
    settle();
    assert_int_equal(t.requests, 1);
}

static void say_nonsense(void)
{
    static const char *const wrong[] = {
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", /* without Host */
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    };

    for (size_t i = 0; i < countof(wrong); i++) {
        say(wrong[i], strlen(wrong[i]));
        c.failures += says("HTTP/1.1 200");
    }
    static const char good[] = "GET http://x/echo?q=1 HTTP/1.1\r\n"
                               "Host: x\r\nConnection: close\r\n\r\n";
    /* Every prefix, too: the server just waits, and sees us go. */
    for (size_t len = 0; len < sizeof(good) - 1; len += 7) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        struct unix_path u;
        if (unix_path_init(&u, t.path) == OK &&
            connect(fd, (struct sockaddr *)&u.addr, u.len) == 0)
            (void)!send(fd, good, len, MSG_NOSIGNAL);
        unix_path_release(&u);
        (void)close(fd);
    }
    say(good, sizeof(good) - 1);
    c.failures += !says("HTTP/1.1 200");
    c.failures += strstr(c.text, "GET|-|1|-") == NULL;
}

static void test_malformed_requests(void **state)
{
    (void)state;
    run(say_nonsense);
    assert_int_equal(c.failures, 0);
    settle();
}

static void get_over_tcp(void)
{
    static char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", t.port);
    c.target.unix_path = NULL;
    c.target.base_url = url;
    c.target.token = "secret";
    static const char *const lines[] = {"X-Test: tcp"};
    struct http_call request = get_call("/echo");
    request.headers = lines;
    request.headers_count = 1;
    call(&request);
}

static void test_tcp(void **state)
{
    uint16_t other;
    char taken[64];

    (void)state;
    assert_int_equal(t.http->listen_tcp(t.http, &t.tcp, "127.0.0.1:0", &t.port),
                     OK);
    assert_int_not_equal(t.port, 0);
    run(get_over_tcp);
    assert_int_equal(c.err, OK);
    assert_string_equal(c.text, "GET|tcp|-|-");
    assert_false(t.peer.is_unix);
    assert_int_equal(t.peer.ip_len, 4);
    assert_int_equal(t.peer.ip[0], 127);
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%u", t.port);
    struct http_server second = server_new();
    assert_int_equal(t.http->listen_tcp(t.http, &second, taken, &other),
                     E_EXISTS);
    assert_int_equal(t.http->listen_tcp(t.http, &second, "192.0.2.1:0", &other),
                     E_NOTFOUND);
}

static void test_long_socket_path(void **state)
{
    char path[OS_TEST_PATH_MAX];
    char part[121];

    (void)state;
    memset(part, 'p', 120);
    part[120] = '\0';
    os_test_path(path, t.dir, part);
    assert_int_equal(mkdir(path, 0700), 0);
    char sock[OS_TEST_PATH_MAX];
    os_test_path(sock, path, "api.sock");
    struct http_server second = server_new();
    assert_int_equal(t.http->listen_unix(t.http, &second, sock, 0600), OK);
    c.target.unix_path = sock;
    run(get_small);
    assert_int_equal(c.err, OK);
    assert_string_equal(c.text, "small");
    settle();
    t.http->unlisten(t.http, &second);
}

static void get_nothing(void)
{
    get("/");
}

static void test_client_finds_nobody(void **state)
{
    char path[OS_TEST_PATH_MAX];

    (void)state;
    os_test_path(path, t.dir, "nobody.sock");
    c.target.unix_path = path;
    run(get_nothing);
    assert_int_equal(c.err, E_NOTFOUND);
    assert_int_equal(c.answer.status, 0);
    assert_non_null(strstr(c.answer.text, "nobody.sock"));
}

static int cancel_pipe[2]; /* NOLINT: of this test alone */

static void get_cancelled(void)
{
    get("/hang-up");
}

static void on_cancel(struct timer *timer, struct mtime now)
{
    (void)timer;
    (void)now;
    if (t.held == NULL)
        set_timer(on_cancel, 1);
    else
        (void)!write(cancel_pipe[1], "x", 1);
}

static void test_client_is_cancelled(void **state)
{
    (void)state;
    assert_int_equal(pipe(cancel_pipe), 0);
    t.hang_up_fd = -1;
    c.target.cancel_fd = cancel_pipe[0];
    set_timer(on_cancel, 1);
    run(get_cancelled);
    assert_int_equal(c.err, E_CANCELED);
    settle();
    assert_null(t.held);
    (void)close(cancel_pipe[0]);
    (void)close(cancel_pipe[1]);
}

static void on_unlisten(struct timer *timer, struct mtime now)
{
    (void)timer;
    (void)now;
    if (t.held == NULL) {
        set_timer(on_unlisten, 1);
        return;
    }
    t.http->unlisten(t.http, &t.server);
    t.server.priv = NULL;
}

/* The request is held: it is closed before unlisten() returns. */
static void test_unlisten_closes_requests(void **state)
{
    (void)state;
    t.hang_up_fd = -1;
    set_timer(on_unlisten, 1);
    run(get_cancelled);
    assert_int_equal(c.err, E_CLOSED);
    assert_int_equal(t.requests, 1);
    assert_int_equal(t.closed, 1);
    assert_int_equal(t.complete, 0);
}

#define HTTP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(test_small_answer),
        HTTP_TEST(test_method_header_and_query),
        HTTP_TEST(test_big_answer),
        HTTP_TEST(test_answer_of_unknown_length),
        HTTP_TEST(test_big_body),
        HTTP_TEST(test_body_of_unknown_length),
        HTTP_TEST(test_paused_body),
        HTTP_TEST(test_answer_before_the_body),
        HTTP_TEST(test_answer_in_a_later_turn),
        HTTP_TEST(test_broken_answers),
        HTTP_TEST(test_client_leaves_a_stream),
        HTTP_TEST(test_client_leaves_while_we_work),
        HTTP_TEST(test_many_requests),
        HTTP_TEST(test_head),
        HTTP_TEST(test_header_limit),
        HTTP_TEST(test_malformed_requests),
        HTTP_TEST(test_tcp),
        HTTP_TEST(test_long_socket_path),
        HTTP_TEST(test_client_finds_nobody),
        HTTP_TEST(test_client_is_cancelled),
        HTTP_TEST(test_unlisten_closes_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
