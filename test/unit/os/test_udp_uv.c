/*
 * Goal: datagrams arrive whole and from whom they say, multicast stays on the
 * interface that was joined, and sockets close as env/net.h says.
 * Method: sockets of one loop over loopback, ports chosen by the system; each
 * test runs the loop until what it waits for has come.  Multicast uses the
 * loopback interface; where the machine has none with multicast the test is
 * skipped.
 */
#include <uv.h>

#include "base/attr.h"
#include "os/loop.h"
#include "os/net_uv.h"

#include "test.h"

enum { ENDS = 3 };

struct end {
    struct net_udp udp;
    uint8_t got[NET_UDP_BYTES_MAX];
    size_t got_len;
    unsigned got_count;
    unsigned closes;
    struct net_addr from;
};

static struct {
    struct os_loop *loop;
    struct os_net *os_net;
    struct net *net;
    struct end ends[ENDS];
    unsigned events_left; /* until the loop stops */
    bool inside;          /* one of our calls */
} t;                      /* NOLINT: of this test alone */

static void count_event(void)
{
    assert_false(t.inside);
    assert_true(t.events_left > 0);
    if (--t.events_left == 0)
        os_loop_stop(t.loop);
}

static void run_until(unsigned events)
{
    t.events_left = events;
    os_loop_run(t.loop);
}

static void on_datagram(struct net_udp *u, const struct net_addr *from,
                        struct bytes in, struct mtime now)
{
    struct end *e = container_of(u, struct end, udp);

    (void)now;
    assert_int_equal(e->closes, 0);
    assert_true(in.len <= NET_UDP_BYTES_MAX);
    if (in.len > 0)
        memcpy(e->got, in.p, in.len);
    e->got_len = in.len;
    e->got_count++;
    e->from = *from;
    count_event();
}

static void on_closed(struct net_udp *u, struct mtime now)
{
    struct end *e = container_of(u, struct end, udp);

    (void)now;
    e->closes++;
    count_event();
}

static struct net_addr loopback4(void)
{
    return (struct net_addr){.ip_len = 4, .ip = {127, 0, 0, 1}};
}

static struct net_addr loopback6(void)
{
    return (struct net_addr){.ip_len = 16, .ip = {[15] = 1}};
}

static struct net_addr group4(void)
{
    return (struct net_addr){.ip_len = 4, .ip = {224, 0, 0, 251}};
}

static struct net_addr group6(void)
{
    return (struct net_addr){.ip_len = 16, .ip = {0xff, 0x02, [15] = 0xfb}};
}

static enum err open_at(unsigned i, const struct net_addr *at, unsigned flags)
{
    struct net_udp *u = &t.ends[i].udp;

    u->on_datagram = on_datagram;
    u->on_closed = on_closed;
    t.inside = true;
    enum err err = t.net->udp_open(t.net, u, at, flags);
    t.inside = false;
    if (err != OK)
        u->priv = NULL;
    return err;
}

static enum err send_to(unsigned i, const struct net_addr *to, struct bytes in)
{
    t.inside = true;
    enum err err = t.net->udp_send(t.net, &t.ends[i].udp, to, in);
    t.inside = false;
    return err;
}

static void close_end(unsigned i)
{
    t.inside = true;
    t.net->udp_close(t.net, &t.ends[i].udp);
    t.inside = false;
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    assert_int_equal(os_loop_open(&t.loop), OK);
    t.os_net = os_net_new(t.loop);
    t.net = os_net_env(t.os_net);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    os_net_free(t.os_net);
    os_loop_free(t.loop);
    for (unsigned i = 0; i < ENDS; i++)
        assert_true(t.ends[i].closes <= 1);
    return 0;
}

static void there_and_back(struct net_addr at)
{
    assert_int_equal(open_at(0, &at, 0), OK);
    assert_int_equal(open_at(1, &at, 0), OK);
    struct end *a = &t.ends[0];
    struct end *b = &t.ends[1];
    assert_int_not_equal(a->udp.local.port, 0);
    assert_int_not_equal(a->udp.local.port, b->udp.local.port);
    assert_memory_equal(a->udp.local.ip, at.ip, at.ip_len);

    assert_int_equal(send_to(0, &b->udp.local, BYTES_LIT("ping")), OK);
    run_until(1);
    assert_int_equal(b->got_len, 4);
    assert_memory_equal(b->got, "ping", 4);
    assert_int_equal(b->from.ip_len, at.ip_len);
    assert_int_equal(b->from.port, a->udp.local.port);
    assert_int_equal(send_to(1, &b->from, BYTES_LIT("pong!")), OK);
    run_until(1);
    assert_int_equal(a->got_len, 5);
    assert_memory_equal(a->got, "pong!", 5);
}

static void test_there_and_back(void **state)
{
    (void)state;
    there_and_back(loopback4());
}

static void test_there_and_back_ip6(void **state)
{
    struct net_addr at = loopback6();

    (void)state;
    if (open_at(2, &at, 0) != OK)
        skip(); /* no IPv6 here */
    there_and_back(at);
}

static void test_empty_and_longest(void **state)
{
    static uint8_t big[NET_UDP_BYTES_MAX + 1];
    struct net_addr at = loopback4();

    (void)state;
    assert_int_equal(open_at(0, &at, 0), OK);
    assert_int_equal(open_at(1, &at, 0), OK);
    const struct net_addr *to = &t.ends[1].udp.local;
    assert_int_equal(send_to(0, to, BYTES_EMPTY), OK);
    run_until(1);
    assert_int_equal(t.ends[1].got_len, 0);
    memset(big, 7, sizeof(big));
    struct bytes in = {.p = big, .len = NET_UDP_BYTES_MAX};
    assert_int_equal(send_to(0, to, in), OK);
    run_until(1);
    assert_int_equal(t.ends[1].got_len, NET_UDP_BYTES_MAX);
    assert_memory_equal(t.ends[1].got, big, NET_UDP_BYTES_MAX);
    in.len++;
    assert_int_equal(send_to(0, to, in), E_LIMIT);
    assert_int_equal(send_to(0, to, BYTES_LIT("next")), OK);
    run_until(1);
    assert_int_equal(t.ends[1].got_count, 3);
}

static void on_other_closed(uv_handle_t *handle)
{
    (void)handle; /* there is one */
    count_event();
}

/* A datagram that others send may be longer than we take. */
static void test_too_long_is_dropped(void **state)
{
    static char big[NET_UDP_BYTES_MAX + 1];
    struct net_addr at = loopback4();
    uv_udp_t other;
    struct sockaddr_in to;
    uv_buf_t buf = uv_buf_init(big, sizeof(big));

    (void)state;
    assert_int_equal(open_at(0, &at, 0), OK);
    assert_int_equal(uv_udp_init(os_loop_uv(t.loop), &other), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", t.ends[0].udp.local.port, &to),
                     0);
    const struct sockaddr *sa = (struct sockaddr *)&to;
    assert_int_equal(uv_udp_try_send(&other, &buf, 1, sa), sizeof(big));
    buf.len = 3;
    assert_int_equal(uv_udp_try_send(&other, &buf, 1, sa), 3);
    run_until(1);
    assert_int_equal(t.ends[0].got_len, 3);
    assert_int_equal(t.ends[0].got_count, 1);
    uv_close((uv_handle_t *)&other, on_other_closed);
    run_until(1);
}

static void test_close(void **state)
{
    struct net_addr at = loopback4();

    (void)state;
    assert_int_equal(open_at(0, &at, 0), OK);
    assert_int_equal(open_at(1, &at, 0), OK);
    struct net_addr to = t.ends[1].udp.local;
    assert_int_equal(send_to(0, &to, BYTES_LIT("lost")), OK);
    close_end(1); /* before the loop has looked */
    close_end(1);
    assert_int_equal(send_to(1, &to, BYTES_LIT("late")), E_CANCELED);
    struct net_addr group = group4();
    assert_int_equal(t.net->udp_join(t.net, &t.ends[1].udp, &group, &at),
                     E_CANCELED);
    run_until(1);
    assert_int_equal(t.ends[1].got_count, 0);
    assert_int_equal(t.ends[1].closes, 1);
    assert_int_equal(t.ends[0].closes, 0);
}

/* tear_down() sees that nobody is told of a socket that the end of all closes,
 * nor of one whose close was under way. */
static void test_end_without_callbacks(void **state)
{
    struct net_addr at = loopback4();

    (void)state;
    assert_int_equal(open_at(0, &at, 0), OK);
    assert_int_equal(open_at(1, &at, 0), OK);
    close_end(1);
    os_net_free(t.os_net);
    t.os_net = NULL;
    os_loop_free(t.loop);
    t.loop = NULL;
    assert_int_equal(t.ends[0].closes, 0);
    assert_int_equal(t.ends[1].closes, 0);
}

static void test_port_in_use(void **state)
{
    struct net_addr at = loopback4();

    (void)state;
    assert_int_equal(open_at(0, &at, 0), OK);
    at.port = t.ends[0].udp.local.port;
    assert_int_equal(open_at(1, &at, 0), E_EXISTS);
    assert_int_equal(open_at(1, &at, NET_UDP_REUSE), E_EXISTS);
}

static void test_not_our_address(void **state)
{
    struct net_addr at = {.ip_len = 4, .ip = {192, 0, 2, 1}};

    (void)state;
    assert_int_equal(open_at(0, &at, 0), E_NOTFOUND);
}

/* Two that share a port of the group, as we do with other programs, hear each
 * other and themselves; one that has not joined hears nothing. */
static void multicast(struct net_addr group, struct net_addr iface,
                      struct net_addr unicast)
{
    struct net_addr at = group;

    if (open_at(0, &at, NET_UDP_REUSE) != OK)
        skip(); /* no multicast here */
    at.port = t.ends[0].udp.local.port;
    assert_int_not_equal(at.port, 0);
    assert_int_equal(open_at(1, &at, NET_UDP_REUSE), OK);
    assert_int_equal(open_at(2, &at, NET_UDP_REUSE), OK);
    for (unsigned i = 0; i < 2; i++) {
        enum err err = t.net->udp_join(t.net, &t.ends[i].udp, &group, &iface);
        if (err == E_UNSUPPORTED)
            skip();
        assert_int_equal(err, OK);
    }
    assert_int_equal(t.net->udp_join(t.net, &t.ends[0].udp, &group, &iface),
                     E_EXISTS);
    if (send_to(0, &at, BYTES_LIT("all")) != OK)
        skip(); /* the interface has no multicast */
    run_until(2);
    assert_int_equal(t.ends[0].got_count, 1);
    assert_int_equal(t.ends[1].got_count, 1);
    assert_int_equal(t.ends[1].got_len, 3);
    assert_int_equal(t.ends[1].from.port, at.port);

    /* What is sent to the machine itself does not come in. */
    unicast.port = at.port;
    assert_int_equal(send_to(0, &unicast, BYTES_LIT("one")), OK);
    assert_int_equal(send_to(1, &at, BYTES_LIT("again")), OK);
    run_until(2);
    assert_int_equal(t.ends[0].got_len, 5);
    assert_int_equal(t.ends[0].got_count, 2);
    assert_int_equal(t.ends[1].got_count, 2);
    assert_int_equal(t.ends[2].got_count, 0);
}

static void test_multicast(void **state)
{
    (void)state;
    multicast(group4(), loopback4(), loopback4());
}

static void test_multicast_ip6(void **state)
{
    struct net_addr group = group6();

    (void)state;
    group.scope = 1; /* Linux numbers the loopback interface so */
    multicast(group, loopback6(), loopback6());
}

static void test_join_where_there_is_nothing(void **state)
{
    struct net_addr at = loopback4();
    struct net_addr group = group4();
    struct net_addr iface = {.ip_len = 4, .ip = {192, 0, 2, 1}};

    (void)state;
    assert_int_equal(open_at(0, &at, 0), OK);
    assert_int_equal(t.net->udp_join(t.net, &t.ends[0].udp, &group, &iface),
                     E_NOTFOUND);
    iface.scope = INT32_MAX;
    assert_int_equal(t.net->udp_join(t.net, &t.ends[0].udp, &group, &iface),
                     E_NOTFOUND);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_there_and_back_ip6, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_empty_and_longest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_too_long_is_dropped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_without_callbacks, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_port_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_our_address, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_multicast, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_multicast_ip6, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_join_where_there_is_nothing,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
