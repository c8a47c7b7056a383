/*
 * Goal: listening takes good addresses and paths, names what is wrong with
 * others, and leaves no socket file behind.
 * Method: listeners that nobody talks to, in a folder of the test's own.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "os/http_server.h"
#include "os/loop.h"
#include "os/unix_path.h"
#include "os_test.h"

#include "test.h"

static struct {
    char dir[OS_TEST_PATH_MAX];
    char path[OS_TEST_PATH_MAX];
    struct os_loop *loop;
    struct os_http *os_http;
    struct http *http;
    struct http_server server;
} t; /* NOLINT: of this test alone */

static struct http_server server_new(void)
{
    return (struct http_server){.priv = NULL}; /* nobody calls */
}

static int set_up(void **state)
{
    (void)state;
    os_test_dir(t.dir);
    os_test_path(t.path, t.dir, "api.sock");
    assert_int_equal(os_loop_open(&t.loop), OK);
    t.os_http = os_http_new(t.loop);
    t.http = os_http_env(t.os_http);
    t.server = server_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    os_http_free(t.os_http);
    os_loop_free(t.loop);
    os_test_remove(t.dir);
    return 0;
}

static void test_bad_addresses(void **state)
{
    static const char *const bad[] = {
        "",       ":",           "127.0.0.1",    "127.0.0.1:",
        ":80",    "127.0.0.1:x", "127.0.0.1:1x", "127.0.0.1:65536",
        "::1:80", "[::1:80",     "localhost:80", "127.0.0.1:-1",
    };
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < countof(bad); i++)
        assert_int_equal(t.http->listen_tcp(t.http, &t.server, bad[i], &port),
                         E_MALFORMED);
}

static void test_unix_socket_file(void **state)
{
    struct http_server second = server_new();
    char path[OS_TEST_PATH_MAX];
    struct stat st;

    (void)state;
    assert_int_equal(t.http->listen_unix(t.http, &t.server, t.path, 0600), OK);
    assert_int_equal(stat(t.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(t.http->listen_unix(t.http, &second, t.path, 0600),
                     E_EXISTS);
    /* A stale one: bound once, and nobody listens any more. */
    os_test_path(path, t.dir, "stale.sock");
    struct unix_path u;
    assert_int_equal(unix_path_init(&u, path), OK);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&u.addr, u.len), 0);
    (void)close(fd);
    unix_path_release(&u);
    assert_int_equal(t.http->listen_unix(t.http, &second, path, 0660), OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    t.http->unlisten(t.http, &second);
    assert_int_not_equal(stat(path, &st), 0);
    /* Something else is left alone. */
    os_test_path(path, t.dir, "file");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(t.http->listen_unix(t.http, &second, path, 0600),
                     E_EXISTS);
    os_test_path(path, t.dir, "no/such.sock");
    assert_int_equal(t.http->listen_unix(t.http, &second, path, 0600),
                     E_NOTFOUND);
}

#define LISTEN_TEST(test)                                                      \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTEN_TEST(test_bad_addresses),
        LISTEN_TEST(test_unix_socket_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
