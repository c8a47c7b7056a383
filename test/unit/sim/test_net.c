/*
 * Goal: streams of the simulated network are ordered, whole, bounded and end
 * as those of TCP do; datagrams and names behave as the header of env/net.h
 * says.
 *
 * Method: three hosts and a clock each; both ends of every stream write a
 * pattern, compare what they read, and note their callbacks.
 */
#include "base/mem.h"
#include "sim/clock.h"
#include "sim/net.h"

#include "test.h"

enum { HOSTS = 3, PORT = 4001, BIG = 5 * 1024 * 1024, PIECE = 100000 };

struct end {
    struct net_sock sock;
    struct fixture *f;
    unsigned opens;
    unsigned closes;
    unsigned writables;
    enum err open_err;
    enum err why;
    uint64_t got;
    bool echo_close; /* closes when it has read all of BIG */
};

struct fixture {
    struct sim_time time;
    struct sim_net net;
    struct sim_clock clocks[HOSTS];
    struct sim_host hosts[HOSTS];
    struct net_listener listener;
    struct end dialer;
    struct end acceptor;
    bool refuses;
    unsigned datagrams;
    size_t datagram_len;
    unsigned udp_closes;
    unsigned answers;
    enum err answer_err;
    struct net_addr answer_addr;
    size_t texts_count;
};

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static void on_open(struct net_sock *s, enum err err, struct mtime now)
{
    struct end *e = container_of(s, struct end, sock);

    (void)now;
    e->opens++;
    e->open_err = err;
}

static void on_read(struct net_sock *s, uint8_t *p, size_t len,
                    struct mtime now)
{
    struct end *e = container_of(s, struct end, sock);

    (void)now;
    for (size_t i = 0; i < len; i++)
        assert_int_equal(p[i], pattern(e->got + i));
    e->got += len;
    memset(p, 0xee, len); /* it is ours to overwrite */
    struct net *net = &e->f->hosts[1].net;
    if (e->echo_close && e->got == BIG)
        net->close(net, s, false);
}

static void on_writable(struct net_sock *s, struct mtime now)
{
    (void)now;
    container_of(s, struct end, sock)->writables++;
}

static void on_closed(struct net_sock *s, enum err why, struct mtime now)
{
    struct end *e = container_of(s, struct end, sock);

    (void)now;
    e->closes++;
    e->why = why;
}

static void init_end(struct fixture *f, struct end *e)
{
    *e = (struct end){
        .sock = {.on_open = on_open,
                 .on_read = on_read,
                 .on_writable = on_writable,
                 .on_closed = on_closed},
        .f = f,
    };
}

static struct net_sock *on_accept(struct net_listener *l,
                                  const struct net_addr *remote,
                                  struct mtime now)
{
    struct fixture *f = container_of(l, struct fixture, listener);

    (void)now;
    assert_int_equal(remote->ip_len, 4);
    return f->refuses ? NULL : &f->acceptor.sock;
}

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.refuses = false};
    sim_time_init(&f->time);
    sim_net_init(&f->net, &f->time, 1);
    for (unsigned i = 0; i < HOSTS; i++) {
        uint8_t ip[4] = {20, (uint8_t)i, 0, 1};
        sim_clock_init(&f->clocks[i], &f->time, i);
        sim_host_init(&f->hosts[i], &f->net, &f->clocks[i], ip);
    }
    f->listener.on_accept = on_accept;
    init_end(f, &f->dialer);
    init_end(f, &f->acceptor);
    struct net_addr any = {.ip_len = 4, .port = PORT};
    struct net *net = &f->hosts[1].net;
    assert_int_equal(net->listen(net, &f->listener, &any), OK);
}

static void run_until(struct fixture *f, uint64_t ms)
{
    struct mtime until = {ms * SIM_MS};

    for (size_t i = 0; i < HOSTS; i++) /* what was written between turns */
        sim_host_turn_end(&f->hosts[i]);
    for (;;) {
        struct sim_clock *c = sim_time_next(&f->time, until);
        if (c == NULL)
            break;
        sim_clock_fire(c);
        sim_host_turn_end(&f->hosts[c->index]);
    }
    f->time.now = until;
}

static void close_fixture(struct fixture *f)
{
    struct net *net = &f->hosts[1].net;

    net->unlisten(net, &f->listener);
    for (size_t i = 0; i < HOSTS; i++) {
        sim_host_release(&f->hosts[i]);
        sim_clock_release(&f->clocks[i]);
    }
    sim_net_release(&f->net);
    sim_time_release(&f->time);
}

static void dial(struct fixture *f, uint8_t host, uint16_t port)
{
    struct net *net = &f->hosts[0].net;
    struct net_addr to = {.ip_len = 4, .ip = {20, host, 0, 1}, .port = port};

    assert_int_equal(net->dial(net, &f->dialer.sock, &to), OK);
    assert_int_equal(f->dialer.opens, 0);
}

/* Return: bytes queued. */
static size_t write_pattern(struct fixture *f, struct end *e, uint64_t from,
                            size_t len)
{
    struct net *net = &f->hosts[e == &f->dialer ? 0 : 1].net;
    size_t queued = 0;

    for (size_t at = 0; at < len; at += PIECE) {
        size_t n = len - at < PIECE ? len - at : PIECE;
        struct buf *b = buf_new(n);
        b->len = n;
        for (size_t i = 0; i < n; i++)
            b->data[i] = pattern(from + at + i);
        struct slice s = {b, buf_bytes(b)};
        queued = net->write(net, &e->sock, &s, 1);
    }
    return queued;
}

static void connect(struct fixture *f)
{
    dial(f, 1, PORT);
    run_until(f, 100);
    assert_int_equal(f->dialer.opens, 1);
    assert_int_equal(f->dialer.open_err, OK);
}

static void close_end(struct fixture *f, struct end *e, bool abort)
{
    struct net *net = &f->hosts[e == &f->dialer ? 0 : 1].net;

    net->close(net, &e->sock, abort);
    assert_int_equal(e->closes, 0);
}

static void bytes_come_whole_and_in_order(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    f.net.split_ppm = 500000;
    for (size_t i = 0; i < 2; i++) {
        f.hosts[i].link_of.loss_ppm = 20000;
        f.hosts[i].link_of.jitter_ns = UINT64_C(10) * SIM_MS;
    }
    connect(&f);
    size_t queued = write_pattern(&f, &f.dialer, 0, BIG);
    assert_int_equal(queued, BIG);
    (void)write_pattern(&f, &f.acceptor, 0, 1000);
    /* What is not sent yet goes out before the end. */
    close_end(&f, &f.dialer, false);
    f.acceptor.echo_close = true;
    run_until(&f, 1900);
    assert_int_equal(f.acceptor.got, BIG);
    run_until(&f, 10000);
    assert_int_equal(f.dialer.closes, 1);
    assert_int_equal(f.dialer.why, E_CANCELED);
    assert_int_equal(f.acceptor.closes, 1);
    close_fixture(&f);
}

static void a_full_queue_tells_when_it_is_low(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    f.hosts[0].link_of.up_bytes_s = UINT64_C(1024) * 1024;
    connect(&f);
    assert_true(write_pattern(&f, &f.dialer, 0, BIG) > NET_HIGH_BYTES);
    run_until(&f, 3000);
    assert_int_equal(f.dialer.writables, 0);
    /* 1 MiB a second: 2.9 MiB have come, give or take. */
    assert_in_range(f.acceptor.got, 2700 * 1024, 3100 * 1024);
    run_until(&f, 5500);
    assert_int_equal(f.dialer.writables, 1);
    assert_int_equal(f.acceptor.got, BIG);
    close_end(&f, &f.dialer, true);
    run_until(&f, 6000);
    assert_int_equal(f.acceptor.why, E_IO);
    assert_int_equal(f.dialer.why, E_CANCELED);
    close_fixture(&f);
}

static void who_reads_nothing_is_sent_one_window(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    connect(&f);
    struct net *net = &f.hosts[1].net;
    net->pause(net, &f.acceptor.sock, true);
    size_t queued = write_pattern(&f, &f.dialer, 0, BIG);
    run_until(&f, 2000);
    assert_int_equal(f.acceptor.got, 0);
    assert_int_equal(f.dialer.writables, 0);
    assert_true(queued >= BIG - SIM_WINDOW_BYTES);
    net->pause(net, &f.acceptor.sock, false);
    run_until(&f, 4000);
    assert_int_equal(f.acceptor.got, BIG);
    assert_int_equal(f.dialer.writables, 1);
    close_end(&f, &f.acceptor, false);
    run_until(&f, 8000);
    assert_int_equal(f.dialer.why, E_CLOSED);
    assert_int_equal(f.acceptor.why, E_CANCELED);
    close_fixture(&f);
}

static void dials_that_fail(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    dial(&f, 1, PORT + 1); /* nobody's port */
    run_until(&f, 1000);
    assert_int_equal(f.dialer.open_err, E_REFUSED);
    assert_int_equal(f.dialer.closes, 1);

    f.refuses = true;
    init_end(&f, &f.dialer);
    dial(&f, 1, PORT);
    run_until(&f, 2000);
    assert_int_equal(f.dialer.open_err, E_REFUSED);

    init_end(&f, &f.dialer);
    dial(&f, 9, PORT); /* nobody's address */
    run_until(&f, 11999);
    assert_int_equal(f.dialer.opens, 0);
    run_until(&f, 12001);
    assert_int_equal(f.dialer.open_err, E_TIMEOUT);
    assert_int_equal(f.dialer.closes, 1);

    f.hosts[1].nat = true;
    init_end(&f, &f.dialer);
    dial(&f, 1, PORT);
    run_until(&f, 30000);
    assert_int_equal(f.dialer.open_err, E_TIMEOUT);
    close_fixture(&f);
}

/* Two hosts and a cut between them; the third is not concerned. */
static struct sim_cut *cut_off(struct fixture *f, bool one_way)
{
    static const uint8_t sides[HOSTS] = {1, 2, 0};

    return sim_net_cut(&f->net, sides, HOSTS, one_way);
}

static void a_cut_stalls_and_heals(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    connect(&f);
    struct sim_cut *cut = cut_off(&f, false);
    (void)write_pattern(&f, &f.dialer, 0, 5000);
    run_until(&f, 10000);
    assert_int_equal(f.acceptor.got, 0);
    assert_int_equal(f.dialer.closes, 0);
    sim_net_heal(cut);
    run_until(&f, 40000);
    assert_int_equal(f.acceptor.got, 5000);

    /* Over a cut link nobody is reached; a try meanwhile succeeds after. */
    cut = cut_off(&f, true);
    struct end second = f.dialer;
    init_end(&f, &second);
    struct net_addr to = {.ip_len = 4, .ip = {20, 1, 0, 1}, .port = PORT};
    struct net *net = &f.hosts[0].net;
    close_end(&f, &f.dialer, true);
    run_until(&f, 41000);
    f.acceptor.closes = 0;
    assert_int_equal(net->dial(net, &second.sock, &to), OK);
    run_until(&f, 43000);
    assert_int_equal(second.opens, 0);
    init_end(&f, &f.acceptor);
    sim_net_heal(cut);
    run_until(&f, 46000);
    assert_int_equal(second.opens, 1);
    assert_int_equal(second.open_err, OK);
    net->close(net, &second.sock, true);
    run_until(&f, 47000);
    close_fixture(&f);
}

static void a_long_cut_ends_who_sends(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    connect(&f);
    struct sim_cut *cut = cut_off(&f, false);
    (void)write_pattern(&f, &f.dialer, 0, 5000);
    run_until(&f, (uint64_t)SIM_STALL_S * 1000 - 60000);
    assert_int_equal(f.dialer.closes, 0);
    run_until(&f, (uint64_t)SIM_STALL_S * 1000 + 130000);
    assert_int_equal(f.dialer.closes, 1);
    assert_int_equal(f.dialer.why, E_IO);
    assert_int_equal(f.acceptor.closes, 0);
    sim_net_heal(cut);
    close_end(&f, &f.acceptor, false);
    run_until(&f, (uint64_t)SIM_STALL_S * 1000 + 140000);
    assert_int_equal(f.acceptor.closes, 1);
    close_fixture(&f);
}

/* Its own owner hears the end of each socket when it closes it. */
static void bury(struct fixture *f, struct end *e, struct sim_host *h)
{
    h->net.close(&h->net, &e->sock, true);
    while (sim_clock_step(h->clock))
        sim_clock_fire(h->clock);
    assert_int_equal(e->closes, 1);
    sim_clock_resume(h->clock);
    (void)f;
}

static void a_power_cut_is_not_heard(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    connect(&f);
    sim_clock_stop(&f.clocks[1]);
    sim_host_die(&f.hosts[1], true);
    bury(&f, &f.acceptor, &f.hosts[1]);
    run_until(&f, 5000);
    assert_int_equal(f.dialer.closes, 0);
    (void)write_pattern(&f, &f.dialer, 0, 5000);
    run_until(&f, 20000);
    assert_int_equal(f.dialer.closes, 0);
    /* The machine is there again and knows nothing of the stream. */
    f.hosts[1].up = true;
    run_until(&f, 60000);
    assert_int_equal(f.dialer.closes, 1);
    assert_int_equal(f.dialer.why, E_IO);
    close_fixture(&f);
}

static void a_kill_is_heard(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    connect(&f);
    sim_clock_stop(&f.clocks[1]);
    sim_host_die(&f.hosts[1], false);
    bury(&f, &f.acceptor, &f.hosts[1]);
    run_until(&f, 5000);
    assert_int_equal(f.dialer.closes, 1);
    assert_true(f.dialer.why == E_CLOSED || f.dialer.why == E_IO);
    assert_true(f.hosts[1].up);
    close_fixture(&f);
}

static void a_reset_ends_both(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    connect(&f);
    sim_host_reset(&f.hosts[0]);
    run_until(&f, 1000);
    assert_int_equal(f.dialer.why, E_IO);
    assert_int_equal(f.acceptor.why, E_IO);
    assert_int_equal(f.dialer.closes + f.acceptor.closes, 2);
    close_fixture(&f);
}

/* Datagrams. */

struct udp {
    struct net_udp udp;
    struct fixture *f;
};

static void on_datagram(struct net_udp *u, const struct net_addr *from,
                        struct bytes in, struct mtime now)
{
    struct fixture *f = container_of(u, struct udp, udp)->f;

    (void)now;
    assert_int_equal(from->ip[0], 20);
    f->datagrams++;
    f->datagram_len = in.len;
}

static void on_udp_closed(struct net_udp *u, struct mtime now)
{
    (void)now;
    container_of(u, struct udp, udp)->f->udp_closes++;
}

static void open_udp(struct fixture *f, struct udp *u, size_t host,
                     uint16_t port)
{
    struct net *net = &f->hosts[host].net;
    struct net_addr any = {.ip_len = 4, .port = port};

    *u = (struct udp){
        .udp = {.on_datagram = on_datagram, .on_closed = on_udp_closed},
        .f = f};
    assert_int_equal(net->udp_open(net, &u->udp, &any, 0), OK);
}

static void close_udp(struct fixture *f, struct udp *u, size_t host)
{
    struct net *net = &f->hosts[host].net;

    net->udp_close(net, &u->udp);
}

static void datagrams_come_or_not(void **state)
{
    static const uint8_t room[NET_UDP_BYTES_MAX + 1] = {0};
    struct fixture f;
    struct udp a;
    struct udp b;

    (void)state;
    open_fixture(&f);
    open_udp(&f, &a, 0, 0);
    open_udp(&f, &b, 1, PORT);
    struct net *net = &f.hosts[0].net;
    struct net_addr to = {.ip_len = 4, .ip = {20, 1, 0, 1}, .port = PORT};
    assert_int_equal(net->udp_send(net, &a.udp, &to, (struct bytes){room, 7}),
                     OK);
    assert_int_equal(f.datagrams, 0);
    run_until(&f, 100);
    assert_int_equal(f.datagrams, 1);
    assert_int_equal(f.datagram_len, 7);
    struct bytes largest = {room, NET_UDP_BYTES_MAX};
    assert_int_equal(net->udp_send(net, &a.udp, &to, largest), OK);
    largest.len++;
    assert_int_equal(net->udp_send(net, &a.udp, &to, largest), E_LIMIT);
    run_until(&f, 200);
    assert_int_equal(f.datagrams, 2);
    /* Half are lost, some come twice. */
    f.hosts[0].link_of.loss_ppm = 500000;
    f.hosts[0].link_of.dup_ppm = 300000;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(
            net->udp_send(net, &a.udp, &to, (struct bytes){room, 1}), OK);
    run_until(&f, 1000);
    assert_in_range(f.datagrams, 40, 95);
    close_udp(&f, &a, 0);
    assert_int_equal(net->udp_send(net, &a.udp, &to, (struct bytes){room, 1}),
                     E_CANCELED);
    close_udp(&f, &b, 1);
    run_until(&f, 1100);
    assert_int_equal(f.udp_closes, 2);
    close_fixture(&f);
}

static void multicast_reaches_one_segment(void **state)
{
    struct fixture f;
    struct udp all[HOSTS];
    struct net_addr group = {.ip_len = 4, .ip = {224, 0, 0, 251}, .port = 5353};
    struct net_addr any = {.ip_len = 4};

    (void)state;
    open_fixture(&f);
    f.hosts[0].lan = 1;
    f.hosts[1].lan = 1;
    f.hosts[2].lan = 2;
    for (size_t i = 0; i < HOSTS; i++) {
        struct net *net = &f.hosts[i].net;
        open_udp(&f, &all[i], i, 5353);
        assert_int_equal(net->udp_join(net, &all[i].udp, &group, &any), OK);
        assert_int_equal(net->udp_join(net, &all[i].udp, &group, &any),
                         E_EXISTS);
    }
    struct net *net = &f.hosts[0].net;
    assert_int_equal(
        net->udp_send(net, &all[0].udp, &group, BYTES_LIT("hello")), OK);
    run_until(&f, 100);
    assert_int_equal(f.datagrams, 2); /* its own machine hears it too */
    for (size_t i = 0; i < HOSTS; i++)
        close_udp(&f, &all[i], i);
    run_until(&f, 200);
    close_fixture(&f);
}

/* Names. */

struct question {
    struct net_lookup lookup;
    struct fixture *f;
};

static void on_answer(struct net_lookup *l, enum err err, struct mtime now)
{
    struct fixture *f = container_of(l, struct question, lookup)->f;

    (void)now;
    f->answers++;
    f->answer_err = err;
    f->texts_count = l->texts_count;
    if (l->addrs_count > 0)
        f->answer_addr = l->addrs[0];
}

static enum err ask(struct fixture *f, struct question *q,
                    enum net_lookup_kind kind, const char *name)
{
    struct net *net = &f->hosts[0].net;

    *q = (struct question){.lookup = {.done = on_answer}, .f = f};
    return net->lookup(net, &q->lookup, kind, bytes_str(name));
}

static void names_are_looked_up(void **state)
{
    struct fixture f;
    struct question q;
    struct net_addr addr = {.ip_len = 4, .ip = {1, 2, 3, 4}};
    char label[70];

    (void)state;
    open_fixture(&f);
    sim_net_name(&f.net, "a.example", "one", NULL);
    sim_net_name(&f.net, "a.example", "two", NULL);
    sim_net_name(&f.net, "a.example", NULL, &addr);
    assert_int_equal(ask(&f, &q, NET_LOOKUP_TXT, "a.example."), OK);
    run_until(&f, 100);
    assert_int_equal(f.answers, 1);
    assert_int_equal(f.answer_err, OK);
    assert_int_equal(f.texts_count, 2);
    assert_int_equal(ask(&f, &q, NET_LOOKUP_IP, "a.example"), OK);
    run_until(&f, 200);
    assert_int_equal(f.answer_err, OK);
    assert_int_equal(f.answer_addr.ip[3], 4);
    assert_int_equal(ask(&f, &q, NET_LOOKUP_IP, "b.example"), OK);
    run_until(&f, 300);
    assert_int_equal(f.answer_err, E_NOTFOUND);
    assert_int_equal(ask(&f, &q, NET_LOOKUP_IP, "c.example"), OK);
    struct net *net = &f.hosts[0].net;
    net->lookup_cancel(net, &q.lookup);
    run_until(&f, 400);
    assert_int_equal(f.answers, 3);
    assert_int_equal(ask(&f, &q, NET_LOOKUP_IP, ""), E_MALFORMED);
    assert_int_equal(ask(&f, &q, NET_LOOKUP_IP, "a..b"), E_MALFORMED);
    assert_int_equal(ask(&f, &q, NET_LOOKUP_IP, "a b"), E_MALFORMED);
    memset(label, 'x', sizeof(label));
    label[64] = '\0';
    assert_int_equal(ask(&f, &q, NET_LOOKUP_IP, label), E_MALFORMED);
    assert_int_equal(ask(&f, &q, NET_LOOKUP_IP, label + 1), OK);
    run_until(&f, 500);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_whole_and_in_order),
        cmocka_unit_test(a_full_queue_tells_when_it_is_low),
        cmocka_unit_test(who_reads_nothing_is_sent_one_window),
        cmocka_unit_test(dials_that_fail),
        cmocka_unit_test(a_cut_stalls_and_heals),
        cmocka_unit_test(a_long_cut_ends_who_sends),
        cmocka_unit_test(a_power_cut_is_not_heard),
        cmocka_unit_test(a_kill_is_heard),
        cmocka_unit_test(a_reset_ends_both),
        cmocka_unit_test(datagrams_come_or_not),
        cmocka_unit_test(multicast_reaches_one_segment),
        cmocka_unit_test(names_are_looked_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
