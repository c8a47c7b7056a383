/*
 * Goal: at the limit of connections, without descriptors, and with requests
 * that nobody answers yet, the server waits and does not spin.
 * Method: raw sockets that do not block, and a loop that is turned until what
 * is expected has come; turns are counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/attr.h"
#include "os/http_server.h"
#include "os/loop.h"
#include "os/unix_path.h"
#include "os_test.h"

#include "test.h"

enum { CLIENTS = OS_HTTP_CONNECTIONS_MAX + 1, FILES = 3 * CLIENTS };

static struct {
    char dir[OS_TEST_PATH_MAX];
    struct os_loop *loop;
    struct os_loop_hook turn;
    struct os_http *os_http;
    struct http *http;
    struct http_server server;
    struct unix_path path;
    struct rlimit files_before;
    unsigned turns;
    unsigned requests;
    unsigned closed;
    struct http_request *held;
    int clients[CLIENTS];
} t; /* NOLINT: of this test alone */

static void on_turn_end(struct os_loop_hook *h, struct mtime now)
{
    (void)h;
    (void)now;
    t.turns++;
}

static void on_request(struct http_server *s, struct http_request *r,
                       struct mtime now)
{
    (void)s;
    (void)r;
    (void)now;
    t.requests++;
}

static void on_body_end(struct http_server *s, struct http_request *r,
                        struct mtime now)
{
    (void)s;
    (void)now;
    if (strcmp(r->path, "/hold") == 0) {
        t.held = r;
        return;
    }
    t.http->respond(t.http, r, 204, NULL, 0, 0);
    t.http->end(t.http, r, false);
}

static void on_closed(struct http_server *s, struct http_request *r,
                      bool complete, struct mtime now)
{
    (void)s;
    (void)complete;
    (void)now;
    t.closed++;
    if (r == t.held)
        t.held = NULL;
}

static int set_up(void **state)
{
    char path[OS_TEST_PATH_MAX];
    struct rlimit files;

    (void)state;
    memset(&t, 0, sizeof(t));
    (void)signal(SIGPIPE, SIG_IGN); /* as os_env_open() does */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &t.files_before), 0);
    files = t.files_before;
    if (files.rlim_cur < FILES && files.rlim_max >= FILES)
        files.rlim_cur = FILES;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    os_test_dir(t.dir);
    os_test_path(path, t.dir, "api.sock");
    assert_int_equal(os_loop_open(&t.loop), OK);
    t.os_http = os_http_new(t.loop);
    t.http = os_http_env(t.os_http);
    t.server.on_request = on_request;
    t.server.on_body_end = on_body_end;
    t.server.on_closed = on_closed;
    assert_int_equal(t.http->listen_unix(t.http, &t.server, path, 0600), OK);
    assert_int_equal(unix_path_init(&t.path, path), OK);
    t.turn.turn_end = on_turn_end;
    os_loop_hook_add(t.loop, &t.turn, OS_LOOP_WORK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unix_path_release(&t.path);
    os_http_free(t.os_http);
    assert_int_equal(t.closed, t.requests);
    os_loop_hook_remove(&t.turn);
    os_loop_free(t.loop);
    os_test_remove(t.dir);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &t.files_before), 0);
    return 0;
}

static int new_client(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    while (connect(fd, (struct sockaddr *)&t.path.addr, t.path.len) != 0) {
        assert_int_equal(errno, EAGAIN); /* the backlog is full */
        (void)uv_run(os_loop_uv(t.loop), UV_RUN_NOWAIT);
    }
    return fd;
}

static void ask(int fd, const char *path)
{
    char request[64];
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);

    assert_int_equal(send(fd, request, (size_t)len, 0), len);
}

static bool has_answer(int fd)
{
    char text[512];
    ssize_t len = recv(fd, text, sizeof(text), MSG_DONTWAIT);

    if (len < 0)
        assert_int_equal(errno, EAGAIN);
    return len > 0;
}

static void turn_until_answer(int fd)
{
    while (!has_answer(fd))
        (void)uv_run(os_loop_uv(t.loop), UV_RUN_ONCE);
}

static void test_connection_limit(void **state)
{
    struct rlimit files;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < FILES)
        skip(); /* not allowed that many here */
    for (size_t i = 0; i < CLIENTS; i++) {
        t.clients[i] = new_client();
        ask(t.clients[i], "/");
    }
    for (size_t i = 0; i < OS_HTTP_CONNECTIONS_MAX; i++)
        turn_until_answer(t.clients[i]);
    /* One past the limit: nobody answers, and the loop sleeps. */
    ask(t.clients[0], "/");
    turn_until_answer(t.clients[0]);
    assert_false(has_answer(t.clients[CLIENTS - 1]));
    assert_int_equal(t.requests, OS_HTTP_CONNECTIONS_MAX + 1);
    (void)close(t.clients[7]);
    turn_until_answer(t.clients[CLIENTS - 1]);
    for (size_t i = 0; i < CLIENTS; i++)
        if (i != 7)
            (void)close(t.clients[i]);
}

static void on_timer(struct timer *timer, struct mtime now)
{
    (void)timer;
    (void)now;
    os_loop_stop(t.loop);
}

/* Return: turns that the loop makes in @ms. */
static unsigned turns_in(uint32_t ms)
{
    struct clock *clock = os_loop_clock(t.loop);
    struct timer timer;

    timer_init(&timer, on_timer);
    t.turns = 0;
    clock->set(clock, &timer, mtime_add_ms(clock->now(clock), ms));
    os_loop_run(t.loop);
    return t.turns;
}

static void test_no_descriptors(void **state)
{
    struct rlimit before;
    struct rlimit none;

    (void)state;
    int fd = new_client();
    ask(fd, "/");
    int next = fcntl(0, F_DUPFD_CLOEXEC, 0);
    assert_true(next >= 0);
    (void)close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_in_range(turns_in(50), 1, 20);
    assert_int_equal(t.requests, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    turn_until_answer(fd);
    (void)close(fd);
}

static void test_waiting_costs_no_turns(void **state)
{
    (void)state;
    int idle = new_client();
    int held = new_client();
    ask(idle, "/");
    turn_until_answer(idle);
    ask(held, "/hold");
    while (t.held == NULL)
        (void)uv_run(os_loop_uv(t.loop), UV_RUN_ONCE);
    assert_in_range(turns_in(50), 1, 20);
    assert_false(has_answer(held));
    (void)close(held);
    while (t.held != NULL)
        (void)uv_run(os_loop_uv(t.loop), UV_RUN_ONCE);
    assert_in_range(turns_in(50), 1, 20);
    (void)close(idle);
}

#define LIMIT_TEST(test)                                                       \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMIT_TEST(test_connection_limit),
        LIMIT_TEST(test_no_descriptors),
        LIMIT_TEST(test_waiting_costs_no_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
