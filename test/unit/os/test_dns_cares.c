/*
 * Goal: lookups give what a name server says, within limits, end in time
 * whatever it says or does not say, and can be canceled at any moment.
 * Method: a name server of our own on the same loop, over loopback, at ports
 * that the system chooses; what it answers follows from the name.  Its clients
 * are the lookups of env/net.h; each test runs the loop until they are done.
 */
#include "base/attr.h"
#include "base/rd.h"
#include "base/wr.h"
#include "os/dns_cares.h"
#include "os/loop.h"
#include "os/net_uv.h"
#include "os/os_env.h"

#include "test.h"

enum {
    HEADER = 12,
    TYPE_A = 1,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    FLAG_TC = 0x0200,
    PACKET_MAX = 8192,
    /* Long, so that a slow machine asks nothing twice. */
    TRY_MS = 5000,
    LIMIT_MS = 60000,
};

struct ask {
    struct net_lookup lookup;
    unsigned dones;
    enum err err;
    size_t texts_count;
    size_t addrs_count;
    uint8_t text[NET_LOOKUP_TEXT_BYTES]; /* the first */
    size_t text_len;
    size_t last_len; /* of the last text */
    struct net_addr addrs[NET_LOOKUP_ADDRS_MAX];
    struct ask *then_start;  /* another lookup, from inside done */
    struct ask *then_cancel; /* one under way, from inside done */
};

/* One question, as the server sees it. */
struct question {
    struct bytes packet; /* header and question, nothing else */
    char name[256];      /* the first label */
    uint16_t id;
    uint16_t type;
    bool tcp;
    bool edns;
};

static struct {
    struct os_loop *loop;
    struct os_net *os_net;
    struct net *net;
    struct net_udp server;
    struct net_listener listener;
    struct net_sock tcp;
    unsigned tcp_open;
    unsigned asked; /* questions that came */
    unsigned waiting;
    bool inside; /* one of our calls */
    struct ask asks[NET_LOOKUPS_MAX + 1];
} t; /* NOLINT: of this test alone */

/* The server. */

static struct question read_question(struct bytes in, bool tcp)
{
    struct rd r = rd_init(in);
    struct question q = {.tcp = tcp};

    q.id = rd_be16(&r);
    (void)rd_view(&r, 8);
    q.edns = rd_be16(&r) != 0;
    size_t label = rd_u8(&r);
    rd_copy(&r, (uint8_t *)q.name, sizeof(q.name) - 1, label);
    for (label = rd_u8(&r); label != 0; label = rd_u8(&r))
        (void)rd_view(&r, label);
    q.type = rd_be16(&r);
    (void)rd_be16(&r);
    size_t left = rd_left(&r);
    (void)rd_rest(&r);
    assert_int_equal(rd_finish(&r), OK);
    q.packet = bytes_sub(in, 0, in.len - left);
    return q;
}

static void put_header(struct wr *w, const struct question *q, unsigned flags,
                       size_t count)
{
    wr_be16(w, q->id);
    wr_be16(w, (uint16_t)(0x8180 | flags));
    wr_be16(w, 1);
    wr_be16(w, (uint16_t)count);
    wr_be32(w, 0);
    wr_bytes(w, bytes_sub(q->packet, HEADER, q->packet.len - HEADER));
}

static void put_record(struct wr *w, uint16_t type, size_t len)
{
    wr_be16(w, 0xc000 | HEADER);
    wr_be16(w, type);
    wr_be16(w, 1);
    wr_be32(w, 60);
    wr_be16(w, (uint16_t)len);
}

/* A record of strings that are @len bytes together, all of them @c. */
static void put_long_text(struct wr *w, size_t len, uint8_t c)
{
    put_record(w, TYPE_TXT, len + (len + 254) / 255);
    while (len > 0) {
        size_t part = len < 255 ? len : 255;
        wr_u8(w, (uint8_t)part);
        for (size_t i = 0; i < part; i++)
            wr_u8(w, c);
        len -= part;
    }
}

static void put_text(struct wr *w, const char *first, const char *second)
{
    put_record(w, TYPE_TXT, strlen(first) + strlen(second) + 2);
    wr_u8(w, (uint8_t)strlen(first));
    wr_bytes(w, bytes_str(first));
    wr_u8(w, (uint8_t)strlen(second));
    wr_bytes(w, bytes_str(second));
}

static void put_ip(struct wr *w, uint16_t type, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_record(w, type, type == TYPE_A ? 4 : 16);
        wr_be32(w, 0x0a000000);
        if (type == TYPE_AAAA)
            wr_be64(w, 0);
        wr_be32(w, (uint32_t)i);
        if (type == TYPE_A)
            w->pos -= 4;
        if (type == TYPE_A && w->err == OK)
            w->pos[-1] = (uint8_t)i;
    }
}

static bool is(const struct question *q, const char *name)
{
    return strcmp(q->name, name) == 0;
}

/* Two records, the first of two strings. */
static void answer_two(struct wr *w, const struct question *q)
{
    put_header(w, q, 0, 2);
    put_text(w, "dnsaddr=/ip4/192.0.2.1", "/tcp/4001");
    put_text(w, "other", "");
}

static void answer_txt(struct wr *w, const struct question *q)
{
    if (is(q, "many")) {
        put_header(w, q, 0, NET_LOOKUP_TEXTS_MAX + 1);
        for (unsigned i = 0; i <= NET_LOOKUP_TEXTS_MAX; i++)
            put_long_text(w, 1 + i, 'a');
    } else if (is(q, "long")) {
        put_header(w, q, 0, 3);
        put_long_text(w, NET_LOOKUP_TEXT_BYTES + 1, 'x');
        put_long_text(w, NET_LOOKUP_TEXT_BYTES, 'y');
        put_long_text(w, 1, 'z');
    } else if (is(q, "tcp") && !q->tcp) {
        put_header(w, q, FLAG_TC, 0);
    } else if (is(q, "old") && q->edns) {
        put_header(w, q, RCODE_FORMERR, 0);
    } else {
        answer_two(w, q);
    }
}

static void answer_ip(struct wr *w, const struct question *q)
{
    size_t count = q->type == TYPE_A ? 2 : 1;

    if (is(q, "four") && q->type == TYPE_AAAA)
        count = 0;
    if (is(q, "six") && q->type == TYPE_A)
        count = 0;
    if (is(q, "many"))
        count = NET_LOOKUP_ADDRS_MAX + 1;
    put_header(w, q, 0, count);
    put_ip(w, q->type, count);
}

/* Return: the answer's length; 0: none. */
static size_t answer(const struct question *q, uint8_t *dst)
{
    struct wr w = wr_init(dst, PACKET_MAX);
    struct bytes out;

    t.asked++;
    if (is(q, "silent") || (is(q, "second") && t.asked == 1))
        return 0;
    if (is(q, "nowhere"))
        put_header(&w, q, RCODE_NXDOMAIN, 0);
    else if (is(q, "broken"))
        put_header(&w, q, RCODE_SERVFAIL, 0);
    else if (is(q, "empty"))
        put_header(&w, q, 0, 0);
    else if (q->type == TYPE_TXT)
        answer_txt(&w, q);
    else
        answer_ip(&w, q);
    assert_int_equal(wr_finish(&w, &out), OK);
    if (strncmp(q->name, "cut-", 4) == 0)
        return (size_t)strtoul(q->name + 4, NULL, 10);
    if (strncmp(q->name, "lie-", 4) == 0) /* a record, longer than it is */
        dst[q->packet.len + 11] ^= (uint8_t)strtoul(q->name + 4, NULL, 10);
    return out.len;
}

static void on_datagram(struct net_udp *u, const struct net_addr *from,
                        struct bytes in, struct mtime now)
{
    static uint8_t dst[PACKET_MAX];
    struct question q = read_question(in, false);

    (void)now;
    size_t len = answer(&q, dst);
    struct bytes out = {.p = dst, .len = len};
    if (is(&q, "forged")) { /* before the true one: another id */
        dst[0] ^= 1;
        dst[len - 1] ^= 1;
        assert_int_equal(t.net->udp_send(t.net, u, from, out), OK);
        dst[0] ^= 1;
        dst[len - 1] ^= 1;
    }
    if (len > 0)
        assert_int_equal(t.net->udp_send(t.net, u, from, out), OK);
}

static void on_server_closed(struct net_udp *u, struct mtime now)
{
    (void)u;
    (void)now;
    fail(); /* it is never closed by hand */
}

static void on_tcp_read(struct net_sock *s, uint8_t *p, size_t len,
                        struct mtime now)
{
    struct bytes in = {.p = p, .len = len};
    struct buf *b = buf_new(PACKET_MAX + 2);

    (void)now;
    assert_true(len > 2); /* both in one segment, over loopback */
    struct question q = read_question(bytes_sub(in, 2, len - 2), true);
    size_t out_len = answer(&q, b->data + 2);
    b->data[0] = (uint8_t)(out_len >> 8);
    b->data[1] = (uint8_t)out_len;
    b->len = out_len + 2;
    struct slice slice = {.buf = b, .bytes = buf_bytes(b)};
    (void)t.net->write(t.net, s, &slice, 1); /* one answer is not too much */
    memset(p, 0xee, len); /* the memory is ours during the call */
}

static void on_tcp_closed(struct net_sock *s, enum err why, struct mtime now)
{
    (void)s;
    (void)why;
    (void)now;
    t.tcp_open--;
}

static struct net_sock *on_accept(struct net_listener *l,
                                  const struct net_addr *remote,
                                  struct mtime now)
{
    (void)l;
    (void)remote;
    (void)now;
    if (t.tcp_open > 0)
        return NULL;
    t.tcp_open++;
    t.tcp =
        (struct net_sock){.on_read = on_tcp_read, .on_closed = on_tcp_closed};
    return &t.tcp;
}

/* UDP and TCP at one port: another program may have one of a pair. */
static void start_server(void)
{
    struct net_addr at = {.ip_len = 4, .ip = {127, 0, 0, 1}};
    enum err err = E_EXISTS;

    t.server.on_datagram = on_datagram;
    t.server.on_closed = on_server_closed;
    t.listener.on_accept = on_accept;
    for (int i = 0; i < 100 && err == E_EXISTS; i++) {
        at.port = 0;
        assert_int_equal(t.net->listen(t.net, &t.listener, &at), OK);
        at.port = t.listener.local.port;
        err = t.net->udp_open(t.net, &t.server, &at, 0);
        if (err != OK)
            t.net->unlisten(t.net, &t.listener);
    }
    assert_int_equal(err, OK);
}

/* The client. */

static void on_done(struct net_lookup *l, enum err err, struct mtime now);

static enum err start(struct ask *a, enum net_lookup_kind kind,
                      const char *name)
{
    memset(a, 0, sizeof(*a));
    a->lookup.done = on_done;
    t.inside = true;
    enum err err = t.net->lookup(t.net, &a->lookup, kind, bytes_str(name));
    t.inside = false;
    if (err == OK)
        t.waiting++;
    return err;
}

static void cancel(struct ask *a)
{
    t.inside = true;
    t.net->lookup_cancel(t.net, &a->lookup);
    t.inside = false;
    t.waiting--;
}

static void on_done(struct net_lookup *l, enum err err, struct mtime now)
{
    struct ask *a = container_of(l, struct ask, lookup);

    (void)now;
    assert_false(t.inside);
    a->dones++;
    a->err = err;
    if (err == OK) {
        a->texts_count = l->texts_count;
        a->addrs_count = l->addrs_count;
        assert_true(l->texts_count <= NET_LOOKUP_TEXTS_MAX);
        assert_true(l->addrs_count <= NET_LOOKUP_ADDRS_MAX);
        assert_true(l->texts_count + l->addrs_count > 0);
        for (size_t i = 0; i < l->texts_count; i++) {
            a->last_len = l->texts[i].len;
            assert_true(a->last_len <= NET_LOOKUP_TEXT_BYTES);
        }
    }
    if (err == OK && l->texts_count > 0) {
        a->text_len = l->texts[0].len;
        memcpy(a->text, l->texts[0].p, a->text_len);
    }
    if (err == OK && l->addrs_count > 0)
        memcpy(a->addrs, l->addrs, l->addrs_count * sizeof(a->addrs[0]));
    if (a->then_cancel != NULL)
        cancel(a->then_cancel);
    if (a->then_start != NULL)
        assert_int_equal(start(a->then_start, NET_LOOKUP_IP, "both.test"), OK);
    if (--t.waiting == 0)
        os_loop_stop(t.loop);
}

static struct ask *look_up(enum net_lookup_kind kind, const char *name)
{
    struct ask *a = &t.asks[0];

    assert_int_equal(start(a, kind, name), OK);
    os_loop_run(t.loop);
    assert_int_equal(a->dones, 1);
    return a;
}

static int set_up(void **state)
{
    char servers[32];

    (void)state;
    memset(&t, 0, sizeof(t));
    assert_int_equal(os_loop_open(&t.loop), OK);
    t.os_net = os_net_new(t.loop);
    t.net = os_net_env(t.os_net);
    start_server();
    int len = snprintf(servers, sizeof(servers), "127.0.0.1:%u",
                       (unsigned)t.server.local.port);
    assert_in_range(len, 1, sizeof(servers) - 1);
    struct os_dns *dns = os_net_dns(t.os_net);
    assert_int_equal(os_dns_set_servers(dns, servers), OK);
    os_dns_set_times(dns, TRY_MS, LIMIT_MS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    os_net_free(t.os_net);
    os_loop_free(t.loop);
    return 0;
}

static void test_texts(void **state)
{
    static const char want[] = "dnsaddr=/ip4/192.0.2.1/tcp/4001";

    (void)state;
    struct ask *a = look_up(NET_LOOKUP_TXT, "_dnsaddr.two.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(a->texts_count, 2);
    assert_int_equal(a->addrs_count, 0);
    assert_int_equal(a->text_len, sizeof(want) - 1);
    assert_memory_equal(a->text, want, a->text_len);
    assert_int_equal(a->last_len, 5);
    assert_int_equal(t.asked, 1);
}

static void test_too_many_texts(void **state)
{
    (void)state;
    struct ask *a = look_up(NET_LOOKUP_TXT, "many.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(a->texts_count, NET_LOOKUP_TEXTS_MAX);
    assert_int_equal(a->last_len, NET_LOOKUP_TEXTS_MAX);
}

static void test_too_long_a_text(void **state)
{
    (void)state;
    struct ask *a = look_up(NET_LOOKUP_TXT, "long.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(a->texts_count, 2);
    assert_int_equal(a->text_len, NET_LOOKUP_TEXT_BYTES);
    assert_int_equal(a->text[0], 'y');
    assert_int_equal(a->text[NET_LOOKUP_TEXT_BYTES - 1], 'y');
    assert_int_equal(a->last_len, 1);
}

static size_t count_ip(const struct ask *a, uint8_t ip_len)
{
    size_t count = 0;

    for (size_t i = 0; i < a->addrs_count; i++) {
        assert_int_equal(a->addrs[i].port, 0);
        assert_int_equal(a->addrs[i].ip[0], 10);
        count += a->addrs[i].ip_len == ip_len;
    }
    return count;
}

static void test_addresses(void **state)
{
    (void)state;
    struct ask *a = look_up(NET_LOOKUP_IP, "both.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(a->addrs_count, 3);
    assert_int_equal(count_ip(a, 4), 2);
    assert_int_equal(count_ip(a, 16), 1);
    assert_int_equal(a->texts_count, 0);
    a = look_up(NET_LOOKUP_IP, "four.test.");
    assert_int_equal(a->err, OK);
    assert_int_equal(count_ip(a, 4), 2);
    assert_int_equal(a->addrs_count, 2);
    a = look_up(NET_LOOKUP_IP, "six.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(count_ip(a, 16), 1);
    assert_int_equal(a->addrs_count, 1);
    a = look_up(NET_LOOKUP_IP, "many.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(a->addrs_count, NET_LOOKUP_ADDRS_MAX);
}

/* Whether the hosts file, which c-ares reads, has a name: a bare system may
 * have no such file. */
static bool hosts_know(const char *name)
{
    char line[256];
    bool found = false;
    FILE *f = fopen("/etc/hosts", "re");

    while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
        found = line[0] != '#' && strstr(line, name) != NULL;
    if (f != NULL)
        (void)fclose(f);
    return found;
}

/* c-ares answers this inside the call, from the hosts file. */
static void test_name_of_this_machine(void **state)
{
    (void)state;
    if (!hosts_know("localhost")) {
        print_message("no localhost in /etc/hosts\n");
        skip();
    }
    struct ask *a = look_up(NET_LOOKUP_IP, "localhost");
    assert_int_equal(a->err, OK);
    for (size_t i = 0; i < a->addrs_count; i++)
        assert_int_equal(a->addrs[i].port, 0);
    assert_int_equal(t.asked, 0);
}

static void test_no_such_name(void **state)
{
    (void)state;
    assert_int_equal(look_up(NET_LOOKUP_TXT, "nowhere.test")->err, E_NOTFOUND);
    assert_int_equal(look_up(NET_LOOKUP_IP, "nowhere.test")->err, E_NOTFOUND);
    assert_int_equal(look_up(NET_LOOKUP_TXT, "empty.test")->err, E_NOTFOUND);
    assert_int_equal(look_up(NET_LOOKUP_IP, "empty.test")->err, E_NOTFOUND);
    assert_int_equal(look_up(NET_LOOKUP_TXT, "nowhere")->err, E_NOTFOUND);
    assert_int_equal(look_up(NET_LOOKUP_IP, "nowhere")->err, E_NOTFOUND);
    assert_int_equal(t.asked, 9); /* no search list, A and AAAA */
}

static void test_server_fails(void **state)
{
    (void)state;
    assert_int_equal(look_up(NET_LOOKUP_TXT, "broken.test")->err, E_IO);
    assert_int_equal(look_up(NET_LOOKUP_IP, "broken.test")->err, E_IO);
}

static void test_silence(void **state)
{
    (void)state;
    os_dns_set_times(os_net_dns(t.os_net), 20, 60000);
    assert_int_equal(look_up(NET_LOOKUP_TXT, "silent.test")->err, E_TIMEOUT);
    assert_int_equal(t.asked, OS_DNS_TRIES);
    os_dns_set_times(os_net_dns(t.os_net), 60000, 20);
    assert_int_equal(look_up(NET_LOOKUP_IP, "silent.test")->err, E_TIMEOUT);
    assert_int_equal(look_up(NET_LOOKUP_TXT, "silent.test")->err, E_TIMEOUT);
}

static void test_second_try(void **state)
{
    (void)state;
    os_dns_set_times(os_net_dns(t.os_net), 50, LIMIT_MS);
    assert_int_equal(look_up(NET_LOOKUP_TXT, "second.test")->err, OK);
    assert_true(t.asked >= 2);
}

static void test_long_answers_come_by_tcp(void **state)
{
    (void)state;
    struct ask *a = look_up(NET_LOOKUP_TXT, "tcp.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(a->texts_count, 2);
    assert_int_equal(t.asked, 2);
}

static void test_server_without_edns(void **state)
{
    (void)state;
    struct ask *a = look_up(NET_LOOKUP_TXT, "old.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(t.asked, 2);
}

static void test_forged_id_is_not_believed(void **state)
{
    (void)state;
    struct ask *a = look_up(NET_LOOKUP_IP, "forged.test");
    assert_int_equal(a->err, OK);
    assert_int_equal(a->addrs_count, 3);
    for (size_t i = 0; i < 2; i++)
        assert_in_range(a->addrs[i].ip[a->addrs[i].ip_len - 1], 0, 1);
}

/* Every prefix of a good answer, all at once, so that the waiting is done
 * once.  Only the whole is an answer. */
static void test_every_prefix(void **state)
{
    char name[32];
    size_t const whole = HEADER + 18 + 12 + 33 + 12 + 7;

    (void)state;
    os_dns_set_times(os_net_dns(t.os_net), 20, 60000);
    for (size_t from = 1; from <= whole; from += NET_LOOKUPS_MAX) {
        for (size_t i = 0; i < NET_LOOKUPS_MAX; i++) {
            int len = snprintf(name, sizeof(name), "cut-%03zu.test", from + i);
            assert_in_range(len, 1, sizeof(name) - 1);
            assert_int_equal(start(&t.asks[i], NET_LOOKUP_TXT, name), OK);
            if (from + i == whole)
                break;
        }
        os_loop_run(t.loop);
        for (size_t i = 0; i < NET_LOOKUPS_MAX && from + i <= whole; i++) {
            assert_int_equal(t.asks[i].dones, 1);
            if (from + i == whole)
                assert_int_equal(t.asks[i].err, OK);
            else
                assert_int_not_equal(t.asks[i].err, OK);
        }
    }
}

/* The length of the first record changed in each bit of its low byte. */
static void test_lies_about_lengths(void **state)
{
    char name[32];

    (void)state;
    for (unsigned bit = 1; bit < 256; bit <<= 1) {
        int len = snprintf(name, sizeof(name), "lie-%u.test", bit);
        assert_in_range(len, 1, sizeof(name) - 1);
        (void)look_up(NET_LOOKUP_TXT, name); /* it ends, whatever it says */
        (void)look_up(NET_LOOKUP_IP, name);
    }
}

static void test_as_many_as_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < NET_LOOKUPS_MAX; i++)
        assert_int_equal(start(&t.asks[i], NET_LOOKUP_TXT, "two.test"), OK);
    struct ask *last = &t.asks[NET_LOOKUPS_MAX];
    assert_int_equal(start(last, NET_LOOKUP_TXT, "two.test"), E_LIMIT);
    cancel(&t.asks[3]);
    assert_int_equal(start(last, NET_LOOKUP_IP, "both.test"), OK);
    os_loop_run(t.loop);
    for (size_t i = 0; i <= NET_LOOKUPS_MAX; i++) {
        assert_int_equal(t.asks[i].dones, i == 3 ? 0 : 1);
        assert_int_equal(t.asks[i].err, OK);
    }
}

/* Canceled queries live on in c-ares while others are under way.  So many at
 * once that the system may drop some: the last is asked twice then. */
static void test_cancel_again_and_again(void **state)
{
    size_t started = 0;

    (void)state;
    os_dns_set_times(os_net_dns(t.os_net), 50, LIMIT_MS);
    assert_int_equal(start(&t.asks[0], NET_LOOKUP_TXT, "silent.test"), OK);
    while (start(&t.asks[1], NET_LOOKUP_TXT, "silent.test") == OK) {
        started++;
        cancel(&t.asks[1]);
        assert_true(started < 100000);
    }
    cancel(&t.asks[0]);
    assert_int_equal(look_up(NET_LOOKUP_TXT, "two.test")->err, OK);
}

static void test_calls_from_inside_done(void **state)
{
    (void)state;
    assert_int_equal(start(&t.asks[0], NET_LOOKUP_IP, "both.test"), OK);
    assert_int_equal(start(&t.asks[1], NET_LOOKUP_TXT, "silent.test"), OK);
    t.asks[0].then_cancel = &t.asks[1];
    t.asks[0].then_start = &t.asks[2];
    os_loop_run(t.loop);
    assert_int_equal(t.asks[0].dones, 1);
    assert_int_equal(t.asks[1].dones, 0);
    assert_int_equal(t.asks[2].dones, 1);
    assert_int_equal(t.asks[2].addrs_count, 3);
}

/* An answer that waits to be told can be canceled, too: the first done cancels
 * the second, whose answer is there. */
static void test_cancel_of_what_is_answered(void **state)
{
    (void)state;
    assert_int_equal(start(&t.asks[0], NET_LOOKUP_IP, "localhost"), OK);
    assert_int_equal(start(&t.asks[1], NET_LOOKUP_IP, "localhost"), OK);
    t.asks[0].then_cancel = &t.asks[1];
    os_loop_run(t.loop);
    assert_int_equal(t.asks[0].dones, 1);
    assert_int_equal(t.asks[1].dones, 0);
}

/* tear_down() frees what is under way. */
static void test_end_with_lookups(void **state)
{
    (void)state;
    assert_int_equal(look_up(NET_LOOKUP_TXT, "two.test")->err, OK);
    assert_int_equal(start(&t.asks[0], NET_LOOKUP_TXT, "silent.test"), OK);
    assert_int_equal(start(&t.asks[1], NET_LOOKUP_IP, "silent.test"), OK);
    assert_int_equal(start(&t.asks[2], NET_LOOKUP_IP, "localhost"), OK);
    assert_int_equal(start(&t.asks[3], NET_LOOKUP_IP, "silent.test"), OK);
    cancel(&t.asks[3]);
}

static void test_bad_names(void **state)
{
    char name[NET_NAME_MAX + 3];
    static const char *const bad[] = {
        "",      ".",        "..",   "a..b",  ".a",       "a b",       "a\\b",
        "a\x7f", "\xc3\xa4", "a\nb", "a.b..", "10.0.0.1", "10.0.0.1.", "::1"};

    (void)state;
    for (size_t i = 0; i < countof(bad); i++)
        assert_int_equal(start(&t.asks[0], NET_LOOKUP_TXT, bad[i]),
                         E_MALFORMED);
    memset(name, 'a', sizeof(name));
    for (size_t i = 63; i < sizeof(name); i += 64)
        name[i] = '.';
    name[64] = '\0';
    assert_int_equal(look_up(NET_LOOKUP_TXT, name)->err, OK); /* 63 and a dot */
    name[63] = 'a';
    assert_int_equal(start(&t.asks[0], NET_LOOKUP_TXT, name), E_MALFORMED);
    name[63] = '.';
    name[64] = 'a';
    name[NET_NAME_MAX + 1] = '\0';
    assert_int_equal(start(&t.asks[0], NET_LOOKUP_TXT, name), E_LIMIT);
    name[NET_NAME_MAX] = '\0';
    assert_int_equal(look_up(NET_LOOKUP_TXT, name)->err, OK);
    name[NET_NAME_MAX] = '.';
    assert_int_equal(look_up(NET_LOOKUP_TXT, name)->err, OK);
}

static void test_servers(void **state)
{
    static const char *const good[] = {
        "127.0.0.1", "127.0.0.1:53,[::1]:5353", "127.0.0.1:65535", "::1",
        "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,::1"};
    static const char *const bad[] = {"ns.example",
                                      "127.0.0",
                                      "127.0.0.1:x",
                                      "127.0.0.1:",
                                      "127.0.0.1:0",
                                      "127.0.0.1:65536",
                                      ",",
                                      "127.0.0.1,",
                                      " 127.0.0.1",
                                      "127.0.0.1 ",
                                      "[::1]",
                                      "[::1]53",
                                      "[127.0.0.1:53",
                                      "]",
                                      "::1]:53",
                                      "[]:53",
                                      "127.0.0.1:99999999999999999999",
                                      "::1,::1,::1,::1,::1,::1,::1,::1,::1"};

    (void)state;
    enum err known = hosts_know("localhost") ? OK : E_NOTFOUND;
    struct os_dns *dns = os_net_dns(t.os_net);
    for (size_t i = 0; i < countof(bad); i++)
        if (os_dns_set_servers(dns, bad[i]) != E_MALFORMED)
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(look_up(NET_LOOKUP_TXT, "two.test")->err, OK);
    for (size_t i = 0; i < countof(good); i++) {
        assert_int_equal(os_dns_set_servers(dns, good[i]), OK);
        assert_int_equal(look_up(NET_LOOKUP_IP, "localhost")->err, known);
    }
    assert_int_equal(os_dns_set_servers(dns, NULL), OK);
    assert_int_equal(os_dns_set_servers(dns, ""), OK);
    assert_int_equal(look_up(NET_LOOKUP_IP, "localhost")->err, known);
}

static void test_servers_of_the_process(void **state)
{
    struct os_config config = {.pool_threads = 1, .dns_servers = "nowhere"};
    struct os_env *e;

    (void)state;
    assert_int_equal(os_env_open(&config, &e), E_MALFORMED);
    config.dns_servers = "127.0.0.1:5300";
    assert_int_equal(os_env_open(&config, &e), OK);
    os_env_free(e);
    config.dns_servers = NULL;
    assert_int_equal(os_env_open(&config, &e), OK);
    os_env_free(e);
}

/* Nobody listens at the port of the server. */
static void test_no_server(void **state)
{
    (void)state;
    struct os_dns *dns = os_net_dns(t.os_net);
    assert_int_equal(os_dns_set_servers(dns, "127.0.0.1:1"), OK);
    os_dns_set_times(dns, 20, 60000);
    assert_int_not_equal(look_up(NET_LOOKUP_TXT, "two.test")->err, OK);
    assert_int_not_equal(look_up(NET_LOOKUP_IP, "two.test")->err, OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_texts),
        TEST(test_too_many_texts),
        TEST(test_too_long_a_text),
        TEST(test_addresses),
        TEST(test_name_of_this_machine),
        TEST(test_no_such_name),
        TEST(test_server_fails),
        TEST(test_silence),
        TEST(test_second_try),
        TEST(test_long_answers_come_by_tcp),
        TEST(test_server_without_edns),
        TEST(test_forged_id_is_not_believed),
        TEST(test_every_prefix),
        TEST(test_lies_about_lengths),
        TEST(test_as_many_as_allowed),
        TEST(test_cancel_again_and_again),
        TEST(test_calls_from_inside_done),
        TEST(test_cancel_of_what_is_answered),
        TEST(test_end_with_lookups),
        TEST(test_bad_names),
        TEST(test_servers),
        TEST(test_servers_of_the_process),
        TEST(test_no_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
