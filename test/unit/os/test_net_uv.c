/*
 * Goal: streams carry every byte in order under back-pressure, end as
 * env/net.h says, and call back outside of our calls only.
 * Method: pairs of sockets of one loop over loopback, ports chosen by the
 * system; each test runs the loop until both ends have closed.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/attr.h"
#include "os/loop.h"
#include "os/net_uv.h"

#include "test.h"

enum { PIECE = 64 * 1024, BIG = 24 * 1024 * 1024 };

struct end {
    struct net_sock sock;
    const char *name;
    size_t sent;             /* bytes of the pattern given to write() */
    size_t to_send;          /* of the pattern, in all */
    size_t got;              /* bytes of the pattern that came */
    size_t echo_max;         /* most bytes that were queued */
    bool echo;               /* send back what comes */
    bool answers_first_byte; /* with the pattern */
    bool close_when_sent;
    bool close_when_got; /* as many as @expect */
    bool abort;          /* with those */
    size_t expect;
    bool is_open;
    enum err open_err;
    unsigned opens;
    unsigned closes;
    unsigned writables;
    enum err why;
    bool stuck; /* over the limit, waiting for on_writable */
};

static struct {
    struct os_loop *loop;
    struct os_net *os_net;
    struct net *net;
    struct net_listener listener;
    struct end client;
    struct end server;
    unsigned accepts;
    unsigned open_ends;
    bool refuse;
    bool inside; /* one of our calls */
} t;             /* NOLINT: of this test alone */

static uint8_t pattern(size_t i)
{
    return (uint8_t)((i * 31) ^ (i >> 9));
}

static void check_callback(void)
{
    assert_false(t.inside);
}

static size_t do_write(struct end *e, const struct slice *slices, size_t count)
{
    t.inside = true;
    size_t queued = t.net->write(t.net, &e->sock, slices, count);
    t.inside = false;
    if (queued > e->echo_max)
        e->echo_max = queued;
    if (queued > NET_HIGH_BYTES)
        e->stuck = true;
    return queued;
}

static void do_close(struct end *e, bool abort)
{
    t.inside = true;
    t.net->close(t.net, &e->sock, abort);
    t.inside = false;
}

static struct slice piece_at(size_t at, size_t len)
{
    struct buf *b = buf_new(len);

    for (size_t i = 0; i < len; i++)
        b->data[i] = pattern(at + i);
    b->len = len;
    return (struct slice){.buf = b, .bytes = buf_bytes(b)};
}

static void send_more(struct end *e)
{
    while (!e->stuck && e->sent < e->to_send) {
        size_t len =
            e->to_send - e->sent < PIECE ? e->to_send - e->sent : PIECE;
        struct slice s = piece_at(e->sent, len);
        e->sent += len;
        (void)do_write(e, &s, 1); /* do_write looks at it */
    }
    if (e->close_when_sent && e->sent == e->to_send)
        do_close(e, e->abort);
}

static void on_open(struct net_sock *s, enum err err, struct mtime now)
{
    struct end *e = container_of(s, struct end, sock);

    (void)now;
    check_callback();
    e->opens++;
    e->open_err = err;
    e->is_open = err == OK;
    if (err == OK)
        send_more(e);
}

static void on_read(struct net_sock *s, uint8_t *p, size_t len,
                    struct mtime now)
{
    struct end *e = container_of(s, struct end, sock);

    (void)now;
    check_callback();
    assert_int_equal(e->closes, 0);
    for (size_t i = 0; i < len; i++)
        if (p[i] != pattern(e->got + i))
            fail_msg("%s: byte %zu is wrong", e->name, e->got + i);
    e->got += len;
    if (e->echo) {
        struct buf *b = buf_copy((struct bytes){p, len});
        struct slice s1 = {.buf = b, .bytes = buf_bytes(b)};
        (void)do_write(e, &s1, 1); /* do_write looks at it */
        if (e->stuck)
            t.net->pause(t.net, s, true);
    }
    if (e->answers_first_byte && e->sent == 0)
        send_more(e);
    memset(p, 0xee, len); /* the memory is ours during the call */
    if (e->close_when_got && e->got >= e->expect)
        do_close(e, e->abort);
}

static void on_writable(struct net_sock *s, struct mtime now)
{
    struct end *e = container_of(s, struct end, sock);

    (void)now;
    check_callback();
    assert_true(e->stuck);
    e->stuck = false;
    e->writables++;
    if (e->echo)
        t.net->pause(t.net, s, false);
    send_more(e);
}

static void on_closed(struct net_sock *s, enum err why, struct mtime now)
{
    struct end *e = container_of(s, struct end, sock);

    (void)now;
    check_callback();
    e->closes++;
    e->why = why;
    if (--t.open_ends == 0)
        os_loop_stop(t.loop);
}

static struct end end_new(const char *name)
{
    return (struct end){.sock = {.on_open = on_open,
                                 .on_read = on_read,
                                 .on_writable = on_writable,
                                 .on_closed = on_closed},
                        .name = name};
}

static struct net_sock *on_accept(struct net_listener *l,
                                  const struct net_addr *remote,
                                  struct mtime now)
{
    (void)now;
    check_callback();
    assert_ptr_equal(l, &t.listener);
    assert_int_equal(remote->ip_len, l->local.ip_len);
    t.accepts++;
    if (t.refuse)
        return NULL;
    t.open_ends++;
    t.server.is_open = true;
    return &t.server.sock;
}

static struct net_addr loopback(void)
{
    return (struct net_addr){.ip_len = 4, .ip = {127, 0, 0, 1}};
}

static int set_up(void **state)
{
    struct net_addr at = loopback();

    (void)state;
    memset(&t, 0, sizeof(t));
    (void)signal(SIGPIPE, SIG_IGN); /* as os_env_open() does */
    assert_int_equal(os_loop_open(&t.loop), OK);
    t.os_net = os_net_new(t.loop);
    t.net = os_net_env(t.os_net);
    t.listener.on_accept = on_accept;
    assert_int_equal(t.net->listen(t.net, &t.listener, &at), OK);
    assert_int_not_equal(t.listener.local.port, 0);
    t.client = end_new("client");
    t.server = end_new("server");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (t.listener.priv != NULL)
        t.net->unlisten(t.net, &t.listener);
    os_net_free(t.os_net);
    os_loop_free(t.loop);
    return 0;
}

static void dial(void)
{
    t.inside = true;
    assert_int_equal(t.net->dial(t.net, &t.client.sock, &t.listener.local), OK);
    t.inside = false;
    t.open_ends++;
}

static void test_echo_under_back_pressure(void **state)
{
    (void)state;
    t.client.to_send = BIG;
    t.client.expect = BIG;
    t.client.close_when_got = true;
    t.server.echo = true;
    dial();
    os_loop_run(t.loop);
    assert_int_equal(t.client.got, BIG);
    assert_int_equal(t.server.got, BIG);
    assert_true(t.client.writables > 0);
    assert_in_range(t.client.echo_max, NET_HIGH_BYTES, NET_HIGH_BYTES + PIECE);
    assert_int_equal(t.client.opens, 1);
    assert_int_equal(t.client.open_err, OK);
    assert_int_equal(t.server.opens, 0);
    assert_int_equal(t.client.closes, 1);
    assert_int_equal(t.server.closes, 1);
    assert_int_equal(t.client.why, E_CANCELED);
    assert_int_equal(t.server.why, E_CLOSED);
    assert_int_equal(t.client.sock.remote.port, t.listener.local.port);
    assert_int_equal(t.server.sock.remote.port, t.client.sock.local.port);
    assert_memory_equal(t.client.sock.local.ip, loopback().ip, 4);
}

static void test_close_sends_what_is_queued(void **state)
{
    (void)state;
    t.client.to_send = NET_HIGH_BYTES;
    t.client.close_when_sent = true;
    dial();
    os_loop_run(t.loop);
    assert_int_equal(t.server.got, NET_HIGH_BYTES);
    assert_int_equal(t.server.why, E_CLOSED);
    assert_int_equal(t.client.why, E_CANCELED);
}

/* The server answers at the first byte and closes while the client is still
 * sending; the answer must not be lost in a reset. */
static void test_close_with_unread_bytes_loses_nothing(void **state)
{
    (void)state;
    t.client.to_send = BIG;
    t.server.answers_first_byte = true;
    t.server.to_send = NET_HIGH_BYTES;
    t.server.close_when_sent = true;
    dial();
    os_loop_run(t.loop);
    assert_int_equal(t.client.got, NET_HIGH_BYTES);
    assert_int_equal(t.server.why, E_CANCELED);
    assert_int_equal(t.server.closes, 1);
    assert_int_equal(t.client.closes, 1);
}

static void test_abort_resets(void **state)
{
    (void)state;
    t.client.to_send = PIECE;
    t.server.expect = 1;
    t.server.close_when_got = true;
    t.server.abort = true;
    dial();
    os_loop_run(t.loop);
    assert_int_equal(t.server.why, E_CANCELED);
    assert_int_equal(t.client.why, E_IO);
}

static void test_close_while_dialing(void **state)
{
    (void)state;
    t.refuse = true;
    dial();
    do_close(&t.client, false);
    os_loop_run(t.loop);
    assert_int_equal(t.client.opens, 0);
    assert_int_equal(t.client.closes, 1);
    assert_int_equal(t.client.why, E_CANCELED);
}

static void test_write_after_close_is_dropped(void **state)
{
    struct slice s = piece_at(0, 10);

    (void)state;
    t.refuse = true;
    dial();
    do_close(&t.client, true);
    struct buf *kept = buf_ref(s.buf);
    assert_int_equal(do_write(&t.client, &s, 1), 0);
    assert_int_equal(kept->refs, 1);
    buf_unref(kept);
    do_close(&t.client, true);
    os_loop_run(t.loop);
    assert_int_equal(t.client.closes, 1);
}

static void test_refused_by_the_listener(void **state)
{
    (void)state;
    t.refuse = true;
    dial();
    os_loop_run(t.loop);
    assert_int_equal(t.accepts, 1);
    assert_int_equal(t.client.closes, 1);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    t.net->unlisten(t.net, &t.listener);
    dial();
    os_loop_run(t.loop);
    assert_int_equal(t.client.open_err, E_REFUSED);
    assert_int_equal(t.client.opens, 1);
    assert_int_equal(t.client.closes, 1);
}

/* A link-local address without its zone fails inside the call. */
static void test_dial_that_fails_at_once(void **state)
{
    struct net_addr to = {
        .ip_len = 16, .ip = {0xfe, 0x80, [15] = 1}, .port = 1};

    (void)state;
    t.inside = true;
    assert_int_equal(t.net->dial(t.net, &t.client.sock, &to), OK);
    t.inside = false;
    t.open_ends = 1;
    os_loop_run(t.loop);
    assert_int_equal(t.client.opens, 1);
    assert_int_not_equal(t.client.open_err, OK);
    assert_int_equal(t.client.closes, 1);
}

static void test_listen_errors(void **state)
{
    struct net_listener other = {.on_accept = on_accept};
    struct net_addr foreign = {.ip_len = 4, .ip = {192, 0, 2, 1}};

    (void)state;
    assert_int_equal(t.net->listen(t.net, &other, &t.listener.local), E_EXISTS);
    assert_int_equal(t.net->listen(t.net, &other, &foreign), E_NOTFOUND);
}

static void test_no_descriptors(void **state)
{
    struct rlimit before;
    struct rlimit none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = fcntl(0, F_DUPFD_CLOEXEC, 0);
    assert_true(next >= 0);
    (void)close(next);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum err err = t.net->dial(t.net, &t.client.sock, &t.listener.local);
    /* One for the client, none for who should be accepted. */
    none.rlim_cur++;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    dial();
    os_loop_run(t.loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, E_LIMIT);
    assert_int_equal(t.accepts, 0);
    assert_int_equal(t.client.closes, 1);
    /* And it accepts again. */
    t.client = end_new("client");
    t.client.close_when_sent = true;
    dial();
    os_loop_run(t.loop);
    assert_int_equal(t.accepts, 1);
}

static void test_ipv6(void **state)
{
    struct net_addr at = {.ip_len = 16, .ip = {[15] = 1}};

    (void)state;
    t.net->unlisten(t.net, &t.listener);
    if (t.net->listen(t.net, &t.listener, &at) != OK)
        skip(); /* this machine has none */
    t.client.to_send = 10;
    t.client.close_when_sent = true;
    dial();
    os_loop_run(t.loop);
    assert_int_equal(t.server.got, 10);
    assert_memory_equal(t.server.sock.remote.ip, at.ip, 16);
}

static void test_interfaces_hold_loopback(void **state)
{
    struct net_addr all[64];
    size_t count = t.net->interfaces(t.net, all, countof(all));
    bool found = false;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(all[i].port, 0);
        found |= all[i].ip_len == 4 && memcmp(all[i].ip, loopback().ip, 4) == 0;
    }
    assert_true(found);
    assert_int_equal(t.net->interfaces(t.net, all, 0), 0);
}

static void stop_at_open(struct net_sock *s, enum err err, struct mtime now)
{
    (void)s;
    (void)now;
    assert_int_equal(err, OK);
    os_loop_stop(t.loop);
}

/* Freeing with sockets open calls nobody back; the sanitizers look for the
 * rest. */
static void test_free_with_open_sockets(void **state)
{
    (void)state;
    t.client.sock.on_open = stop_at_open;
    dial();
    struct slice s = piece_at(0, PIECE);
    (void)do_write(&t.client, &s, 1); /* before it is open */
    os_loop_run(t.loop);
    assert_int_equal(t.client.closes, 0);
}

#define NET_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(test_echo_under_back_pressure),
        NET_TEST(test_close_sends_what_is_queued),
        NET_TEST(test_close_with_unread_bytes_loses_nothing),
        NET_TEST(test_abort_resets),
        NET_TEST(test_close_while_dialing),
        NET_TEST(test_write_after_close_is_dropped),
        NET_TEST(test_refused_by_the_listener),
        NET_TEST(test_nobody_listens),
        NET_TEST(test_dial_that_fails_at_once),
        NET_TEST(test_listen_errors),
        NET_TEST(test_no_descriptors),
        NET_TEST(test_ipv6),
        NET_TEST(test_interfaces_hold_loopback),
        NET_TEST(test_free_with_open_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
