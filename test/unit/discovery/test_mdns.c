/*
 * Goal: peers of one link find each other by what they say, say it no more
 * often than they should, and believe nothing that does harm.
 * Method: cores with a clock of the test; packets go from one to another by
 * hand, or are written here.
 */
#include "base/attr.h"
#include "base/mem.h"
#include "base/wr.h"
#include "discovery/mdns.h"
#include "discovery/mdns_packet.h"

#include "test.h"

#define PEER_A "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
#define PEER_B "QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN"

/* S - a second, in milliseconds. */
#define S UINT64_C(1000)

enum { ROOM = 16384 };

/* What a core has put out, and when. */
struct outs {
    size_t sends;
    size_t replies;
    size_t founds;
    struct mdns_out last; /* the packet in @packet */
    uint8_t packet[MDNS_ANSWER_BYTES_MAX];
    char found[MDNS_FOUND_MAX][MULTIADDR_TEXT_MAX];
};

static uint8_t room[ROOM];      /* NOLINT: of this test alone */
static struct outs outs;        /* NOLINT */
static struct mdns_packet read; /* NOLINT: the last packet, decoded */

static struct mtime at(uint64_t ms)
{
    return (struct mtime){ms * 1000000};
}

static struct multiaddr parse(const char *text)
{
    struct multiaddr addr;

    if (multiaddr_parse(bytes_str(text), &addr) != OK)
        fail_msg("%s is no address", text);
    return addr;
}

static struct mdns *core(const char *id, bool loopback)
{
    struct mdns_config config = {.loopback = loopback};

    assert_int_equal(peer_id_parse(bytes_str(id), &config.self), OK);
    memcpy(config.seed, id, sizeof(config.seed));
    return mdns_new(&config, at(0));
}

static struct mdns_from on_link(uint32_t socket)
{
    return (struct mdns_from){.ip = {.len = 4, .bytes = {10, 0, 0, 9}},
                              .port = MDNS_PORT,
                              .socket = socket};
}

static void take_packet(const struct mdns_out *out)
{
    assert_true(out->packet.len <= sizeof(outs.packet));
    memcpy(outs.packet, out->packet.p, out->packet.len);
    outs.last.packet.p = outs.packet;
    assert_int_equal(
        mdns_packet_decode(outs.last.packet, BYTES_LIT("nobody"), &read), OK);
    assert_true(read.asks != read.tells);
}

/* Everything that there is, to @outs. */
static void drain(struct mdns *m)
{
    struct mdns_out out;

    memset(&outs, 0, sizeof(outs));
    while (mdns_next(m, &out)) {
        outs.last = out;
        switch (out.kind) {
        case MDNS_SEND:
            outs.sends++;
            take_packet(&out);
            break;
        case MDNS_REPLY:
            outs.replies++;
            take_packet(&out);
            break;
        case MDNS_FOUND:
            assert_true(outs.founds < MDNS_FOUND_MAX);
            (void)multiaddr_format(&out.addr, outs.found[outs.founds++]);
            break;
        }
    }
}

/* The core's next deadline has come; it is not before that. */
static uint64_t step(struct mdns *m)
{
    struct mtime deadline = mdns_deadline(m);

    mdns_on_time(m, (struct mtime){deadline.ns - 1});
    drain(m);
    assert_int_equal(outs.sends + outs.replies, 0);
    mdns_on_time(m, deadline);
    drain(m);
    return deadline.ns / 1000000;
}

static void set_addrs(struct mdns *m, const char *const *texts, size_t count,
                      uint64_t now_ms)
{
    struct multiaddr addrs[2 * MDNS_ADDRS_MAX];

    assert_true(count <= countof(addrs));
    for (size_t i = 0; i < count; i++)
        addrs[i] = parse(texts[i]);
    mdns_set_addrs(m, addrs, count, at(now_ms));
}

static const char *const lan[] = {"/ip4/10.0.0.1/tcp/4101"};

/* A core that has said what it has to say, and asks no more for a while. */
static struct mdns *quiet_core(void)
{
    struct mdns *m = core(PEER_A, false);

    set_addrs(m, lan, countof(lan), 0);
    drain(m);
    for (int i = 0; i < 12; i++)
        (void)step(m);
    assert_true(mdns_deadline(m).ns > at(30 * S).ns);
    return m;
}

static struct bytes question(void)
{
    return mdns_query_encode(room);
}

static bool was_found(const char *text)
{
    for (size_t i = 0; i < outs.founds; i++)
        if (strcmp(outs.found[i], text) == 0)
            return true;
    return false;
}

static void test_when_it_asks(void **state)
{
    static const uint32_t gaps_s[] = {1, 10, 20, 40, 80, 160, 300, 300};
    struct mdns *m = core(PEER_A, false);
    uint64_t now_ms = 0;

    (void)state;
    drain(m);
    assert_int_equal(outs.sends, 1);
    assert_true(read.asks);
    assert_int_equal(outs.last.socket, MDNS_ALL_SOCKETS);
    for (size_t i = 0; i < countof(gaps_s); i++) {
        now_ms += gaps_s[i] * S;
        assert_int_equal(step(m), now_ms);
        assert_int_equal(outs.sends, 1);
        assert_true(read.asks);
    }
    assert_int_equal(mdns_get_stats(m).answers, 0);
    mdns_free(m);
}

static void test_asks_when_told(void **state)
{
    struct mdns *m = core(PEER_A, false);

    (void)state;
    drain(m);
    mdns_ask(m, at(10)); /* too early: put off to one second */
    drain(m);
    assert_int_equal(outs.sends, 0);
    assert_int_equal(step(m), 1 * S);
    assert_int_equal(step(m), 2 * S);
    assert_int_equal(step(m), 12 * S);
    mdns_ask(m, at(20 * S));
    drain(m);
    assert_int_equal(outs.sends, 1);
    assert_int_equal(step(m), 21 * S);
    assert_int_equal(step(m), 31 * S);
    mdns_free(m);
}

static void test_when_it_announces(void **state)
{
    static const char *const more[] = {"/ip4/10.0.0.1/tcp/4101",
                                       "/ip6/fd00::1/tcp/4101"};
    struct mdns *m = core(PEER_A, false);

    (void)state;
    drain(m);
    set_addrs(m, lan, countof(lan), 100);
    drain(m);
    assert_int_equal(outs.sends, 1);
    assert_true(read.tells);
    assert_int_equal(read.texts_count, 1);
    assert_true(bytes_eq(read.texts[0],
                         bytes_str("/ip4/10.0.0.1/tcp/4101/p2p/" PEER_A)));
    assert_int_equal(outs.last.socket, MDNS_ALL_SOCKETS);
    assert_int_equal(step(m), 1000); /* a query */
    assert_true(read.asks);
    assert_int_equal(step(m), 1100);
    assert_true(read.tells);
    assert_int_equal(step(m), 11 * S); /* and no third */
    set_addrs(m, lan, countof(lan), 12 * S);
    drain(m);
    assert_int_equal(outs.sends, 0); /* nothing has changed */
    set_addrs(m, more, countof(more), 13 * S);
    drain(m);
    assert_int_equal(outs.sends, 1);
    assert_int_equal(read.texts_count, 2);
    set_addrs(m, lan, countof(lan), 13 * S + 10); /* again: not at once */
    drain(m);
    assert_int_equal(outs.sends, 0);
    assert_int_equal(step(m), 14 * S);
    assert_int_equal(read.texts_count, 1);
    mdns_free(m);
}

static void test_answers(void **state)
{
    struct mdns *m = quiet_core();
    struct mdns_from from = on_link(3);
    uint64_t now_ms = 10000 * S;

    (void)state;
    mdns_on_time(m, at(now_ms));
    drain(m);
    mdns_on_packet(m, &from, question(), at(now_ms));
    drain(m);
    assert_int_equal(outs.sends, 0);
    uint64_t answered_ms = step(m);
    assert_in_range(answered_ms, now_ms + MDNS_ANSWER_DELAY_MIN_MS,
                    now_ms + MDNS_ANSWER_DELAY_MAX_MS);
    assert_int_equal(outs.sends, 1);
    assert_int_equal(outs.last.socket, 3);
    assert_true(read.tells);
    assert_int_equal(read.texts_count, 1);

    /* Whoever asks within the same second waits. */
    mdns_on_packet(m, &from, question(), at(answered_ms + 1));
    mdns_on_packet(m, &from, question(), at(answered_ms + 2));
    assert_int_equal(step(m), answered_ms + MDNS_ANSWER_GAP_MS);
    assert_int_equal(outs.sends, 1);

    from.socket = MDNS_SOCKETS_MAX - 1; /* another link does not */
    mdns_on_packet(m, &from, question(), at(answered_ms + 1001));
    assert_true(step(m) < answered_ms + 1001 + MDNS_ANSWER_GAP_MS);
    assert_int_equal(outs.last.socket, MDNS_SOCKETS_MAX - 1);
    mdns_free(m);
}

/* A hundred questions a second: one answer a second. */
static void test_flood_of_questions(void **state)
{
    struct mdns *m = quiet_core();
    struct mdns_from from = on_link(0);
    uint64_t before = mdns_get_stats(m).answers;

    (void)state;
    for (uint64_t ms = 10000 * S; ms < 10010 * S; ms += 10) {
        mdns_on_packet(m, &from, question(), at(ms));
        drain(m);
    }
    assert_in_range(mdns_get_stats(m).answers - before, 9, 10);
    mdns_free(m);
}

static void test_questions_that_get_no_answer(void **state)
{
    struct mdns *a = quiet_core();
    struct mdns *b = core(PEER_B, false); /* without addresses */
    struct mdns_from from = on_link(0);
    struct wr w = wr_init(room, sizeof(room));
    struct bytes in;

    (void)state;
    drain(b);
    mdns_on_packet(b, &from, question(), at(1));
    from.port = 1;
    mdns_on_packet(b, &from, question(), at(1));
    drain(b);
    assert_int_equal(outs.replies, 0);
    assert_int_equal(step(b), 1 * S);
    assert_int_equal(mdns_get_stats(b).answers, 0);

    /* Who asks and says that it knows the answer: what a told b, behind the
     * question, in a packet that is none. */
    set_addrs(a, (const char *const[]){"/ip4/10.0.0.2/tcp/1"}, 1, 10000 * S);
    drain(a);
    assert_true(read.tells);
    wr_be64(&w, 0x0000000000010001);
    wr_be32(&w, 0);
    wr_bytes(&w, BYTES_LIT("\4_p2p\4_udp\5local\0\0\14\0\1\300\14"));
    wr_bytes(&w, bytes_sub(outs.last.packet, 12 + 17, 10 + 35));
    assert_int_equal(wr_finish(&w, &in), OK);
    from.port = MDNS_PORT;
    uint64_t before = mdns_get_stats(a).answers;
    mdns_on_packet(a, &from, in, at(10005 * S));
    assert_int_equal(mdns_get_stats(a).malformed, 0);
    drain(a);
    assert_int_equal(outs.last.socket, MDNS_ALL_SOCKETS); /* announced */
    assert_true(mdns_deadline(a).ns > at(10010 * S).ns);
    room[12 + 21 + 2 + 10 + 1] ^= 1; /* knows another */
    mdns_on_packet(a, &from, in, at(10009 * S));
    (void)step(a);
    assert_int_equal(outs.last.socket, 0);
    assert_int_equal(mdns_get_stats(a).answers - before, 2);
    mdns_free(a);
    mdns_free(b);
}

static void test_plain_dns_clients(void **state)
{
    struct mdns *m = quiet_core();
    struct mdns_from from = on_link(7);
    uint64_t now_ms = 10000 * S;
    struct bytes in = question();

    (void)state;
    mdns_on_time(m, at(now_ms));
    drain(m);
    from.port = 40000;
    from.scope = 3;
    room[0] = 0xab;
    room[1] = 0xcd;
    mdns_on_packet(m, &from, in, at(now_ms));
    drain(m);
    assert_int_equal(outs.sends, 0);
    assert_int_equal(outs.replies, 1);
    assert_int_equal(outs.last.to.port, 40000);
    assert_int_equal(outs.last.to.socket, 7);
    assert_int_equal(outs.last.to.scope, 3);
    assert_memory_equal(outs.last.to.ip.bytes, from.ip.bytes, 4);
    assert_int_equal(read.id, 0xabcd);
    assert_true(read.tells);
    for (int i = 1; i <= MDNS_DIRECT_MAX; i++)
        mdns_on_packet(m, &from, in, at(now_ms + 1));
    drain(m);
    assert_int_equal(outs.replies, MDNS_DIRECT_MAX - 1);
    assert_int_equal(mdns_get_stats(m).dropped, 1);
    mdns_on_packet(m, &from, in, at(now_ms + 1000));
    drain(m);
    assert_int_equal(outs.replies, 1);
    mdns_free(m);
}

static void test_two_find_each_other(void **state)
{
    static const char *const of_a[] = {
        "/ip4/10.0.0.1/tcp/4101", ("/ip6/fd00::1/tcp/4101/p2p/" PEER_A),
        "/ip4/8.8.8.8/tcp/4101", "/ip4/10.0.0.1/udp/4101/quic-v1"};
    static const char *const not_told[] = {
        "/ip4/127.0.0.1/tcp/4101",
        "/ip4/10.0.0.1/tcp/4101", /* again */
        "/ip4/0.0.0.0/tcp/4101",
        "/dns4/a.example/tcp/4101",
        "/dns4/a.local/tcp/4101",
        "/ip4/10.0.0.1/tcp/4102/ws",
        ("/ip4/10.0.0.1/tcp/4102/p2p/" PEER_B "/p2p-circuit"),
        "/ip4/10.0.0.1/udp/4101/webrtc-direct",
        "/unix/a"};
    const char *all[countof(of_a) + countof(not_told)];
    struct mdns *a = core(PEER_A, false);
    struct mdns *b = core(PEER_B, false);
    struct mdns_from from = on_link(5);
    struct mdns_out out;

    (void)state;
    memcpy(all, of_a, sizeof(of_a));
    memcpy(all + countof(of_a), not_told, sizeof(not_told));
    set_addrs(a, all, countof(all), 0);
    drain(b);
    while (mdns_next(a, &out)) { /* a query and an announcement */
        assert_int_equal(out.kind, MDNS_SEND);
        mdns_on_packet(b, &from, out.packet, at(1));
        uint8_t copy[MDNS_ANSWER_BYTES_MAX]; /* a hears itself, too */
        memcpy(copy, out.packet.p, out.packet.len);
        mdns_on_packet(a, &from, (struct bytes){copy, out.packet.len}, at(1));
    }
    drain(b);
    assert_int_equal(outs.founds, countof(of_a));
    assert_true(was_found("/ip4/10.0.0.1/tcp/4101"));
    assert_true(was_found("/ip6/fd00::1/tcp/4101"));
    assert_true(was_found("/ip4/8.8.8.8/tcp/4101"));
    assert_true(was_found("/ip4/10.0.0.1/udp/4101/quic-v1"));
    assert_int_equal(outs.last.from.socket, 5);
    char id[PEER_ID_TEXT_MAX];
    (void)peer_id_format(&outs.last.peer, id);
    assert_string_equal(id, PEER_A);
    drain(a);
    assert_int_equal(outs.founds, 0);
    mdns_free(a);
    mdns_free(b);
}

/* A packet that tells of @texts. */
static struct bytes tell(const char *const *texts, size_t count)
{
    static struct mdns_text strings[MDNS_TEXTS_MAX];
    struct mdns_answer a = {.instance =
                                BYTES_LIT("abcdefghijklmnopqrstuvwxyz012345"),
                            .texts = strings,
                            .texts_count = count};

    for (size_t i = 0; i < count; i++) {
        int len = snprintf((char *)strings[i].bytes, MDNS_TEXT_MAX,
                           "dnsaddr=%s", texts[i]);
        assert_in_range(len, 1, MDNS_TEXT_MAX - 1);
        strings[i].len = (uint8_t)len;
    }
    return mdns_answer_encode(&a, room);
}

static void test_what_is_not_believed(void **state)
{
    static const char *const texts[] = {
        ("/ip4/127.0.0.1/tcp/1/p2p/" PEER_B),
        ("/ip6/::1/tcp/1/p2p/" PEER_B),
        ("/ip4/224.0.0.1/tcp/1/p2p/" PEER_B),
        "/ip4/10.0.0.1/tcp/1",
        ("/ip4/10.0.0.1/tcp/1/p2p/" PEER_A),
        ("/p2p/" PEER_B),
        ("/ip4/10.0.0.1/tcp/1/p2p/" PEER_A "/p2p-circuit/p2p/" PEER_B),
        ("/dns/inner.example/tcp/1/p2p/" PEER_B),
        "nonsense",
        ("/ip4/10.0.0.7/tcp/7/p2p/" PEER_B)};
    struct mdns *m = core(PEER_A, false);
    struct mdns_from from = on_link(0);

    (void)state;
    mdns_on_packet(m, &from, tell(texts, countof(texts)), at(1));
    drain(m);
    assert_int_equal(outs.founds, 1);
    assert_true(was_found("/ip4/10.0.0.7/tcp/7"));

    from.ip = (struct ma_ip){.len = 4, .bytes = {127, 0, 0, 1}};
    mdns_on_packet(m, &from, tell(texts, countof(texts)), at(1));
    drain(m);
    assert_int_equal(outs.founds, 3); /* from this machine */
    assert_true(was_found("/ip4/127.0.0.1/tcp/1"));
    assert_true(was_found("/ip6/::1/tcp/1"));
    mdns_free(m);
}

static void test_loopback_where_wanted(void **state)
{
    static const char *const texts[] = {"/ip4/127.0.0.1/tcp/1"};
    struct mdns *a = core(PEER_A, true);
    struct mdns *b = core(PEER_B, true);
    struct mdns_from from = on_link(0);

    (void)state;
    set_addrs(a, texts, countof(texts), 0);
    drain(a);
    assert_true(read.tells);
    mdns_on_packet(b, &from, outs.last.packet, at(1));
    drain(b);
    assert_int_equal(outs.founds, 1);
    mdns_free(a);
    mdns_free(b);
}

static void test_addresses_that_are_too_many(void **state)
{
    static char texts[MDNS_ADDRS_MAX + 1][64];
    const char *all[MDNS_ADDRS_MAX + 1];
    struct mdns *m = core(PEER_A, false);

    (void)state;
    for (size_t i = 0; i <= MDNS_ADDRS_MAX; i++) {
        int len = snprintf(texts[i], sizeof(texts[i]), "/ip4/10.0.0.1/tcp/%zu",
                           i + 1);
        assert_in_range(len, 1, sizeof(texts[i]) - 1);
        all[i] = texts[i];
    }
    set_addrs(m, all, MDNS_ADDRS_MAX + 1, 0);
    drain(m);
    assert_true(read.tells);
    assert_in_range(read.texts_count, 10, MDNS_ADDRS_MAX); /* one packet */
    assert_true(outs.last.packet.len <= MDNS_ANSWER_BYTES_MAX);
    set_addrs(m, all, MDNS_ADDRS_MAX, 5 * S); /* the last was left out */
    drain(m);
    assert_int_equal(outs.sends, 0);
    mdns_free(m);
}

/* What was due when the last address went is forgotten. */
static void test_no_address_any_more(void **state)
{
    struct mdns *m = quiet_core();
    struct mdns_from from = on_link(0);
    uint64_t before = mdns_get_stats(m).answers;

    (void)state;
    mdns_on_time(m, at(10000 * S));
    drain(m);
    mdns_on_packet(m, &from, question(), at(10000 * S));
    from.socket = 1;
    mdns_on_packet(m, &from, question(), at(10000 * S));
    mdns_on_time(m, at(10000 * S + MDNS_ANSWER_DELAY_MAX_MS));
    from.port = 1;
    mdns_on_packet(m, &from, question(), at(10000 * S));
    set_addrs(m, NULL, 0, 10000 * S + 500);
    drain(m);
    assert_int_equal(outs.sends + outs.replies, 0);
    for (int i = 0; i < 5; i++)
        (void)step(m);
    assert_int_equal(mdns_get_stats(m).answers, before);
    mdns_free(m);
}

static void test_limits_of_a_second(void **state)
{
    const char *texts[8];
    struct mdns *m = core(PEER_A, false);
    struct mdns_from from = on_link(0);

    (void)state;
    drain(m);
    for (int i = 0; i <= MDNS_PACKETS_MAX; i++)
        mdns_on_packet(m, &from, BYTES_LIT("x"), at(1));
    assert_int_equal(mdns_get_stats(m).packets, MDNS_PACKETS_MAX + 1);
    assert_int_equal(mdns_get_stats(m).malformed, MDNS_PACKETS_MAX);
    assert_int_equal(mdns_get_stats(m).dropped, 1);

    for (size_t i = 0; i < countof(texts); i++)
        texts[i] = "/ip4/10.0.0.7/tcp/7/p2p/" PEER_B;
    struct bytes in = tell(texts, countof(texts));
    for (size_t i = 0; i <= MDNS_FOUND_MAX / countof(texts); i++)
        mdns_on_packet(m, &from, in, at(2 * S));
    assert_int_equal(mdns_get_stats(m).dropped, 1 + countof(texts));
    mdns_on_packet(m, &from, in, at(4 * S)); /* they wait: no more */
    assert_int_equal(mdns_get_stats(m).dropped, 1 + 2 * countof(texts));
    drain(m);
    assert_int_equal(outs.founds, MDNS_FOUND_MAX);
    mdns_on_packet(m, &from, in, at(5 * S));
    drain(m);
    assert_int_equal(outs.founds, countof(texts));
    mdns_free(m);
}

static void test_equal_seeds_act_alike(void **state)
{
    struct mdns *a = quiet_core();
    struct mdns *b = quiet_core();
    struct mdns_from from = on_link(0);

    (void)state;
    for (uint64_t ms = 10000 * S; ms < 10100 * S; ms += 3 * S) {
        mdns_on_packet(a, &from, question(), at(ms));
        mdns_on_packet(b, &from, question(), at(ms));
        assert_int_equal(mdns_deadline(a).ns, mdns_deadline(b).ns);
        drain(a);
        uint8_t packet[MDNS_ANSWER_BYTES_MAX];
        memcpy(packet, outs.packet, sizeof(packet));
        drain(b);
        assert_memory_equal(packet, outs.packet, sizeof(packet));
    }
    mdns_free(a);
    mdns_free(b);
    mdns_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when_it_asks),
        cmocka_unit_test(test_asks_when_told),
        cmocka_unit_test(test_when_it_announces),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_flood_of_questions),
        cmocka_unit_test(test_questions_that_get_no_answer),
        cmocka_unit_test(test_plain_dns_clients),
        cmocka_unit_test(test_two_find_each_other),
        cmocka_unit_test(test_what_is_not_believed),
        cmocka_unit_test(test_loopback_where_wanted),
        cmocka_unit_test(test_addresses_that_are_too_many),
        cmocka_unit_test(test_no_address_any_more),
        cmocka_unit_test(test_limits_of_a_second),
        cmocka_unit_test(test_equal_seeds_act_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
