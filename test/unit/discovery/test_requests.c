/*
 * Goal: one core alone: what it asks and answers, and that nothing a peer sends
 * gets it to do, dial or believe more than it should.
 * Method: the test is the owner and all peers; time is an argument.
 */
#include "discovery/discovery.h"
#include "owner.h"
#include "peers.h"

/* Requests. ---------------------------------------------------------------- */

static void test_hello(void **state)
{
    struct owner *o = *state;
    struct peers_message m;
    struct discovery_out out;
    struct capability self;
    owner_start(o);
    memset(&self, 0, sizeof(self));
    self.addrs[self.addr_count++] = addr_of("/ip4/20.0.0.1/tcp/1");
    self.addrs[self.addr_count++] = addr_of("/ip4/10.0.0.1/tcp/1");
    self.addrs[self.addr_count++] = addr_of("/ip4/127.0.0.1/tcp/1");
    discovery_set_self(o->d, &self, o->now);
    /* Each hears what he may. */
    static const struct {
        const char *from;
        size_t addrs;
    } rows[] = {{"/ip4/21.0.0.1/tcp/1", 1},
                {"/ip4/192.168.0.1/tcp/1", 2},
                {"/ip4/127.0.0.1/tcp/2", 3}};
    for (uint32_t i = 0; i < countof(rows); i++) {
        struct capability c;
        struct peer_id id = id_of(i);
        owner_connect(o, i, addr_of(rows[i].from), true);
        owner_hello(o, &id, BYTES_EMPTY);
        assert_true(owner_answered(o, &m));
        assert_int_equal(m.kind, PEERS_HELLO);
        assert_int_equal(
            capability_open(m.record, BYTES_LIT("devnet"), TEST_UNIX_S, &c),
            OK);
        assert_int_equal(c.addr_count, rows[i].addrs);
        assert_int_equal(c.seq, (uint64_t)TEST_UNIX_S * 1000);
    }
    /* Who was dialled waits for the other's hello, then says it himself. */
    owner_drain(o);
    owner_pass(o, 6 * SECOND);
    assert_int_equal(owner_count(o, DISCOVERY_REQUEST),
                     3); /* asks, once more */
    owner_connect(o, 10, addr_n(10), true);
    assert_int_equal(owner_count(o, DISCOVERY_REQUEST), 0);
    struct peer_id id = id_of(10);
    owner_pass(o, 29 * SECOND);
    while (owner_next(o, DISCOVERY_REQUEST, &out))
        assert_false(peer_id_eq(&out.peer, &id));
    owner_pass(o, 2 * SECOND);
    do
        assert_true(owner_next(o, DISCOVERY_REQUEST, &out));
    while (!peer_id_eq(&out.peer, &id));
    assert_int_equal(peers_message_decode(out.message, &m), OK);
    assert_int_equal(m.kind, PEERS_HELLO);
    owner_stop(o);
}

static void test_rate(void **state)
{
    struct owner *o = *state;
    struct peers_message m;
    struct peer_id id = id_of(1);
    owner_start(o);
    owner_connect(o, 1, addr_n(1), true);
    for (size_t i = 0; i < 16; i++) {
        owner_ask(o, &id, 64);
        assert_true(owner_answered(o, &m));
        assert_int_equal(m.record_count, 0);
    }
    uint32_t before = owner_score(o, 1);
    owner_ask(o, &id, 64);
    assert_false(owner_answered(o, &m));
    assert_int_equal(discovery_counts(o->d).requests_refused, 1);
    assert_true(owner_score(o, 1) < before);
    owner_pass(o, 4 * SECOND);
    owner_ask(o, &id, 64);
    assert_true(owner_answered(o, &m));
    owner_ask(o, &id, 64);
    assert_false(owner_answered(o, &m));
    /* One who goes on is banned. */
    for (size_t i = 0; i < 60; i++)
        owner_ask(o, &id, 64);
    assert_true(owner_refuses(o, &id));
    assert_int_equal(owner_count(o, DISCOVERY_DISCONNECT), 1);
    owner_stop(o);
}

static void test_bad_requests(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    struct peer_id id = id_of(1);
    struct peers_message m;
    owner_start(o);
    /* Nobody who is not connected is answered. */
    owner_ask(o, &id, 1);
    assert_false(owner_answered(o, &m));
    owner_connect(o, 1, addr_n(1), true);
    discovery_on_request(o->d, &id, 77, BYTES_LIT("?"), o->now);
    assert_true(owner_next(o, DISCOVERY_RESET, &out));
    assert_int_equal(out.id, 77);
    assert_true(owner_score(o, 1) < QUALITY_NEW);
    /* An answer is no request. */
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_RESULT;
    owner_send(o, &id, &m);
    assert_false(owner_answered(o, &m));
    /* Nothing after the end, but no crash. */
    discovery_stop(o->d);
    owner_ask(o, &id, 1);
    assert_false(owner_answered(o, &m));
    owner_stop(o);
}

/* Records that are told on: of whom we dialled, as far as he may hear. */
static void test_passing_on(void **state)
{
    struct owner *o = *state;
    struct peers_message m;
    owner_start(o);
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    (void)owner_member(o, 2, "/ip4/20.2.0.1/tcp/1", false);
    struct peer_id c = owner_member(o, 3, "/ip4/10.0.0.3/tcp/1", false);
    struct peer_id e =
        owner_member(o, 4, "/ip4/20.4.0.1/tcp/1", true); /* unchecked */
    owner_drain(o);
    owner_ask(o, &a, 64);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.record_count, 1); /* b; neither a, nor c, nor e */
    owner_ask(o, &c, 64);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.record_count, 2); /* a, b */
    owner_ask(o, &e, 64);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.record_count, 2);
    owner_ask(o, &e, 1);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.record_count, 1);
    /* The one who came is dialled back; then it is told of too. */
    struct discovery_out out;
    owner_pass(o, 3 * SECOND);
    assert_true(owner_next(o, DISCOVERY_PROBE, &out));
    assert_true(peer_id_eq(&out.peer, &e));
    discovery_on_probed(o->d, out.id, OK, &out.addrs[0], o->now);
    owner_ask(o, &c, 64);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.record_count, 3);
    /* Nobody is told of whose record has ended. */
    owner_pass(o, 25 * HOUR);
    owner_ask(o, &c, 64);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.record_count, 0);
    owner_stop(o);
}

/* Replies stay below the limit of a message with the largest records. */
static void test_large_answers(void **state)
{
    struct owner *o = *state;
    struct peers_message m;
    struct discovery_out out;
    owner_start(o);
    for (uint32_t n = 0; n < 70; n++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "/ip4/20.%u.0.1/tcp/1", n);
        struct privkey key = key_of(n);
        uint8_t bytes[CAPABILITY_BYTES_MAX];
        struct capability c = record_of(&key, text);
        /* Eight long addresses and a large blob. */
        while (c.addr_count < CAPABILITY_ADDRS_MAX) {
            struct multiaddr *addr = &c.addrs[c.addr_count++];
            memset(addr, 0, sizeof(*addr));
            addr->bytes[0] = MA_DNS;
            addr->bytes[1] = CAPABILITY_ADDR_BYTES_MAX - 5;
            memset(addr->bytes + 2, 'x', CAPABILITY_ADDR_BYTES_MAX - 5);
            addr->bytes[CAPABILITY_ADDR_BYTES_MAX - 3] = MA_TCP;
            addr->len = CAPABILITY_ADDR_BYTES_MAX;
        }
        struct multiaddr a = addr_of(text);
        discovery_on_connected(o->d, &c.peer, &a, false, o->now);
        discovery_on_identified(o->d, &c.peer, true, o->now);
        owner_hello(o, &c.peer, sealed_of(&key, &c, bytes));
        privkey_release(&key);
        owner_drain(o);
    }
    struct privkey key = key_of(0);
    struct peer_id id = privkey_peer_id(&key);
    privkey_release(&key);
    owner_ask(o, &id, 64);
    assert_true(owner_next(o, DISCOVERY_REPLY, &out));
    assert_true(out.message.len <= PEERS_MESSAGE_BYTES_MAX);
    assert_true(out.message.len > PEERS_MESSAGE_BYTES_MAX * 9 / 10);
    assert_int_equal(peers_message_decode(out.message, &m), OK);
    assert_in_range(m.record_count, 40, 63);
    owner_stop(o);
}

/* Liars. ------------------------------------------------------------------- */

/* The id of the request for peers that the core sent to @peer. */
static uint64_t find_ask(struct owner *o, const struct peer_id *peer)
{
    struct discovery_out out;
    struct peers_message m;
    for (size_t i = 0; i < 20; i++) {
        while (owner_next(o, DISCOVERY_REQUEST, &out)) {
            assert_int_equal(peers_message_decode(out.message, &m), OK);
            if (m.kind == PEERS_ASK && peer_id_eq(&out.peer, peer))
                return out.id;
        }
        owner_pass(o, MINUTE);
    }
    fail_msg("%s", "not asked");
    return 0;
}

static void answer_peers(struct owner *o, uint64_t id,
                         const struct bytes *records, size_t n)
{
    static uint8_t bytes[2 * PEERS_MESSAGE_BYTES_MAX];
    struct peers_message m;
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_PEERS;
    m.record_count = n;
    memcpy(m.records, records, n * sizeof(records[0]));
    struct wr w = wr_init(bytes, sizeof(bytes));
    struct bytes out;
    peers_message_encode(&m, &w);
    assert_int_equal(wr_finish(&w, &out), OK);
    discovery_on_answer(o->d, id, OK, out, o->now);
}

/* struct lie - records that a peer answers with. */
struct lie {
    uint8_t bytes[3][CAPABILITY_BYTES_MAX];
    struct bytes records[3];
    struct privkey keys[3];
};

static void make_records(struct lie *lie)
{
    for (uint32_t i = 0; i < 3; i++) {
        char text[64];
        lie->keys[i] = key_of(40 + i);
        (void)snprintf(text, sizeof(text), "/ip4/30.%u.0.1/tcp/1", i);
        struct capability c = record_of(&lie->keys[i], text);
        lie->records[i] = sealed_of(&lie->keys[i], &c, lie->bytes[i]);
    }
}

static void end_lie(struct lie *lie)
{
    for (size_t i = 0; i < 3; i++)
        privkey_release(&lie->keys[i]);
}

static uint32_t known(struct owner *o)
{
    return discovery_counts(o->d).known;
}

static void test_honest_answer(void **state)
{
    struct owner *o = *state;
    static struct lie lie;
    owner_start(o);
    make_records(&lie);
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    answer_peers(o, find_ask(o, &a), lie.records, 3);
    assert_int_equal(known(o), 4);
    assert_int_equal(discovery_counts(o->d).records_in, 4);
    assert_true(discovery_score(o->d, &a, o->now) > QUALITY_NEW);
    struct discovery_out out;
    owner_pass(o, SECOND);
    assert_true(owner_next(o, DISCOVERY_DIAL, &out));
    /* Once more is no fault, and costs no check. */
    answer_peers(o, find_ask(o, &a), lie.records, 3);
    assert_int_equal(discovery_counts(o->d).records_in, 4);
    assert_int_equal(discovery_counts(o->d).records_bad, 0);
    /* They are no candidates before that has succeeded. */
    struct discovery_candidate c;
    assert_true(discovery_next_candidate(o->d, NULL, o->now, &c));
    assert_true(peer_id_eq(&c.peer, &a));
    assert_false(discovery_next_candidate(o->d, &c.peer, o->now, &c));
    end_lie(&lie);
    owner_stop(o);
}

/* A good record without room is not checked again the next time, nor an hour
 * long; then once more. */
static void test_spare_records(void **state)
{
    struct owner *o = *state;
    static struct lie lie;
    owner_start_with(o, (struct discovery_config){.book_max = 1});
    make_records(&lie);
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    uint64_t before = discovery_counts(o->d).records_checked;
    for (unsigned i = 0; i < 3; i++) {
        answer_peers(o, find_ask(o, &a), lie.records, 3);
        assert_int_equal(known(o), 1);
        assert_int_equal(discovery_counts(o->d).records_checked, before + 3);
    }
    owner_pass(o, HOUR);
    answer_peers(o, find_ask(o, &a), lie.records, 3);
    assert_int_equal(discovery_counts(o->d).records_checked, before + 6);
    end_lie(&lie);
    owner_stop(o);
}

static void test_forged_answer(void **state)
{
    struct owner *o = *state;
    static struct lie lie;
    owner_start(o);
    make_records(&lie);
    lie.bytes[1][lie.records[1].len - 1] ^= 1;
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    uint64_t id = find_ask(o, &a);
    uint32_t before = discovery_score(o->d, &a, o->now);
    answer_peers(o, id, lie.records, 3);
    /* The rest of the message is dropped. */
    assert_int_equal(known(o), 2);
    assert_int_equal(discovery_counts(o->d).records_bad, 1);
    assert_true(discovery_score(o->d, &a, o->now) < before - 5);
    /* Five such answers, and it is banned for an hour. */
    for (size_t i = 0; i < 4; i++)
        answer_peers(o, find_ask(o, &a), lie.records + 1, 1);
    assert_true(owner_refuses(o, &a));
    owner_pass(o, HOUR - SECOND);
    assert_true(owner_refuses(o, &a));
    owner_pass(o, SECOND);
    assert_false(owner_refuses(o, &a));
    end_lie(&lie);
    owner_stop(o);
}

/* Others' networks, old and foreign records. */
static void test_useless_records(void **state)
{
    struct owner *o = *state;
    static struct lie lie;
    owner_start(o);
    make_records(&lie);
    struct capability c = record_of(&lie.keys[0], "/ip4/30.0.0.1/tcp/1");
    c.seq -= 3600000;
    c.expires_s = TEST_UNIX_S + 1;
    lie.records[0] = sealed_of(&lie.keys[0], &c, lie.bytes[0]);
    c = record_of(&lie.keys[1], "/ip4/30.1.0.1/tcp/1");
    memcpy(c.network, "other\0", 7);
    lie.records[1] = sealed_of(&lie.keys[1], &c, lie.bytes[1]);
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    uint64_t id = find_ask(o, &a);
    owner_pass(o, 2 * SECOND);
    answer_peers(o, id, lie.records, 3);
    assert_int_equal(discovery_counts(o->d).records_bad, 1);
    assert_int_equal(known(o), 2); /* a, and the third */
    end_lie(&lie);
    owner_stop(o);
}

static void test_too_many_records(void **state)
{
    struct owner *o = *state;
    static struct lie lie;
    struct bytes many[64];
    /* Where the book is half full, 16 are asked for. */
    owner_start_with(o, (struct discovery_config){.book_max = 2});
    make_records(&lie);
    for (size_t i = 0; i < 64; i++)
        many[i] = lie.records[0];
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    uint64_t id = find_ask(o, &a);
    uint32_t before = discovery_score(o->d, &a, o->now);
    answer_peers(o, id, many, 17);
    assert_int_equal(known(o), 1);
    assert_true(discovery_score(o->d, &a, o->now) < before);
    end_lie(&lie);
    owner_stop(o);
}

/* An address is taken by the class of who tells it. */
static void test_reach_of_teller(void **state)
{
    struct owner *o = *state;
    uint8_t bytes[CAPABILITY_BYTES_MAX];
    struct privkey key = key_of(50);
    struct capability c = record_of(&key, "/ip4/10.0.0.9/tcp/1");
    c.addrs[c.addr_count++] = addr_of("/ip4/127.0.0.1/tcp/9");
    struct bytes record = sealed_of(&key, &c, bytes);
    static const struct {
        const char *teller;
        uint8_t addrs;
    } rows[] = {{"/ip4/20.1.0.1/tcp/1", 0},
                {"/ip4/10.0.0.1/tcp/1", 1},
                {"/ip4/127.0.0.1/tcp/1", 2}};
    for (size_t i = 0; i < countof(rows); i++) {
        owner_start(o);
        struct peer_id a = owner_member(o, 1, rows[i].teller, false);
        answer_peers(o, find_ask(o, &a), &record, 1);
        const struct book_peer *p = book_find(discovery_book(o->d), &c.peer);
        assert_int_equal(p == NULL ? 0 : p->addr_count, rows[i].addrs);
        owner_stop(o);
    }
    privkey_release(&key);
}

/* A hello with somebody else's record. */
static void test_foreign_hello(void **state)
{
    struct owner *o = *state;
    static struct lie lie;
    struct peer_id id = id_of(1);
    struct peers_message m;
    owner_start(o);
    make_records(&lie);
    owner_connect(o, 1, addr_n(1), true);
    owner_hello(o, &id, lie.records[0]);
    assert_true(owner_answered(o, &m));
    assert_int_equal(known(o), 0);
    assert_true(owner_score(o, 1) < QUALITY_NEW);
    end_lie(&lie);
    owner_stop(o);
}

/* Of one number the record that comes from the peer itself counts: it knows
 * which addresses we may hear. */
static void test_same_number(void **state)
{
    struct owner *o = *state;
    uint8_t first[CAPABILITY_BYTES_MAX];
    uint8_t second[CAPABILITY_BYTES_MAX];
    struct privkey key = key_of(50);
    struct capability c = record_of(&key, "/ip4/30.0.0.1/tcp/1");
    struct bytes public_one = sealed_of(&key, &c, first);
    c.addrs[c.addr_count++] = addr_of("/ip4/10.0.0.9/tcp/1");
    struct bytes private_one = sealed_of(&key, &c, second);
    owner_start(o);
    struct peer_id a = owner_member(o, 1, "/ip4/10.0.0.1/tcp/1", false);
    answer_peers(o, find_ask(o, &a), &public_one, 1);
    const struct book_peer *p = book_find(discovery_book(o->d), &c.peer);
    assert_int_equal(p->addr_count, 1);
    answer_peers(o, find_ask(o, &a), &private_one, 1);
    assert_int_equal(p->addr_count, 1);
    struct multiaddr from = addr_of("/ip4/10.0.0.9/tcp/7");
    discovery_on_connected(o->d, &c.peer, &from, true, o->now);
    owner_hello(o, &c.peer, private_one);
    p = book_find(discovery_book(o->d), &c.peer);
    assert_int_equal(p->addr_count, 2);
    assert_true(bytes_eq(book_record(p), private_one));
    privkey_release(&key);
    owner_stop(o);
}

/* Answers of the wrong kind, broken ones, none, and ones that nobody waits
 * for. */
static void test_bad_answers(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    owner_start(o);
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    uint64_t id = find_ask(o, &a);
    uint32_t before = discovery_score(o->d, &a, o->now);
    discovery_on_answer(o->d, id, OK, BYTES_LIT("\xa1\x64type\x65hello"),
                        o->now);
    assert_true(discovery_score(o->d, &a, o->now) < before);
    before = discovery_score(o->d, &a, o->now);
    discovery_on_answer(o->d, id, OK, BYTES_LIT("?"), o->now);
    assert_int_equal(discovery_score(o->d, &a, o->now), before);
    id = find_ask(o, &a);
    discovery_on_answer(o->d, id, OK, BYTES_LIT("?"), o->now);
    assert_true(discovery_score(o->d, &a, o->now) < before);
    /* No answer at all. */
    (void)find_ask(o, &a);
    before = discovery_score(o->d, &a, o->now);
    owner_pass(o, DISCOVERY_REQUEST_MS);
    owner_drain(o);
    assert_true(discovery_score(o->d, &a, o->now) < before);
    /* A stream that ends with the connection is nobody's fault. */
    id = find_ask(o, &a);
    before = discovery_score(o->d, &a, o->now);
    discovery_on_disconnected(o->d, &a, o->now);
    discovery_on_answer(o->d, id, E_CLOSED, BYTES_EMPTY, o->now);
    assert_true(discovery_score(o->d, &a, o->now) >= before);
    while (discovery_next(o->d, o->now, &out))
        assert_int_not_equal(out.kind, DISCOVERY_REQUEST);
    owner_stop(o);
}

/* Probes. ------------------------------------------------------------------ */

static void send_probe(struct owner *o, const struct peer_id *from,
                       const struct peer_id *peer, const char *const *addrs,
                       size_t n)
{
    struct peers_message m;
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_PROBE;
    m.peer = *peer;
    for (size_t i = 0; i < n; i++)
        m.addrs[m.addr_count++] = addr_of(addrs[i]);
    owner_send(o, from, &m);
}

static void assert_outcome(struct owner *o, enum peers_outcome outcome)
{
    struct peers_message m;
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.kind, PEERS_RESULT);
    assert_int_equal(m.outcome, outcome);
}

static void test_probe_of_asker(void **state)
{
    struct owner *o = *state;
    static const char *const addrs[] = {
        "/ip4/20.1.0.1/tcp/80",  /* its own */
        "/ip4/20.1.0.2/tcp/80",  /* a neighbour's */
        "/ip4/127.0.0.1/tcp/80", /* ours */
        "/dns/victim.example/tcp/80",
    };
    struct discovery_out out;
    struct peers_message m;
    struct peer_id a = id_of(1);
    owner_start(o);
    owner_connect(o, 1, addr_of("/ip4/20.1.0.1/tcp/5555"), true);
    send_probe(o, &a, &a, addrs + 1, 3);
    assert_outcome(o, PEERS_UNKNOWN);
    send_probe(o, &a, &a, addrs, 4);
    assert_true(owner_next(o, DISCOVERY_PROBE, &out));
    assert_true(peer_id_eq(&out.peer, &a));
    assert_int_equal(out.addr_count, 1);
    struct multiaddr first = addr_of(addrs[0]);
    assert_true(multiaddr_eq(&out.addrs[0], &first));
    owner_pass(o, 30);
    discovery_on_probed(o->d, out.id, OK, &out.addrs[0], o->now);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.outcome, PEERS_REACHED);
    assert_int_equal(m.elapsed_ms, 30);
    assert_true(multiaddr_eq(&m.addr, &first));
    /* Two at once, then one in half a minute. */
    send_probe(o, &a, &a, addrs, 1);
    assert_outcome(o, PEERS_REFUSED);
    owner_pass(o, 30 * SECOND);
    send_probe(o, &a, &a, addrs, 1);
    assert_true(owner_next(o, DISCOVERY_PROBE, &out));
    discovery_on_probed(o->d, out.id, E_MISMATCH, NULL, o->now);
    assert_outcome(o, PEERS_OTHER);
    owner_pass(o, 30 * SECOND);
    send_probe(o, &a, &a, addrs, 1);
    assert_true(owner_next(o, DISCOVERY_PROBE, &out));
    owner_pass(o, DISCOVERY_PROBE_MS);
    assert_outcome(o, PEERS_FAILED);
    /* The end comes once. */
    discovery_on_probed(o->d, out.id, OK, &out.addrs[0], o->now);
    assert_int_equal(owner_count(o, DISCOVERY_REPLY), 0);
    owner_stop(o);
}

static void test_probe_of_other(void **state)
{
    struct owner *o = *state;
    static const char *const victim[] = {"/ip4/99.0.0.1/tcp/80"};
    struct discovery_out out;
    struct peer_id a = id_of(1);
    struct peer_id b = id_of(2);
    struct peer_id c = id_of(3);
    owner_start(o);
    owner_connect(o, 1, addr_n(1), true);
    send_probe(o, &a, &b, victim, 1);
    assert_outcome(o, PEERS_UNKNOWN);
    /* One in the book: at the addresses there. */
    assert_int_equal(owner_hear(o, 2, addr_n(2), BOOK_EXCHANGE), OK);
    send_probe(o, &a, &b, victim, 1);
    assert_true(owner_next(o, DISCOVERY_PROBE, &out));
    struct multiaddr addr = addr_n(2);
    assert_int_equal(out.addr_count, 1);
    assert_true(multiaddr_eq(&out.addrs[0], &addr));
    discovery_on_probed(o->d, out.id, E_IO, NULL, o->now);
    assert_outcome(o, PEERS_FAILED);
    /* One that we have dialled: there it is. */
    owner_pass(o, 2 * MINUTE);
    owner_connect(o, 3, addr_n(3), false);
    send_probe(o, &a, &c, NULL, 0);
    assert_outcome(o, PEERS_REACHED);
    /* At private addresses not for somebody from outside. */
    assert_int_equal(
        owner_hear(o, 4, addr_of("/ip4/10.0.0.4/tcp/1"), BOOK_MDNS), OK);
    struct peer_id e = id_of(4);
    send_probe(o, &a, &e, NULL, 0);
    assert_outcome(o, PEERS_UNKNOWN);
    owner_stop(o);
}

static void test_probes_in_all(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    owner_start(o);
    for (uint32_t n = 0; n < 9; n++) {
        struct peer_id id = id_of(n);
        const char *addrs[1];
        char text[64];
        (void)snprintf(text, sizeof(text), "/ip4/20.%u.0.1/tcp/1", n);
        addrs[0] = text;
        owner_connect(o, n, addr_n(n), true);
        send_probe(o, &id, &id, addrs, 1);
        if (n < 8)
            assert_true(owner_next(o, DISCOVERY_PROBE, &out));
        else
            assert_outcome(o, PEERS_REFUSED);
    }
    owner_stop(o);
}

static void test_own_probe(void **state)
{
    struct owner *o = *state;
    static int owner;
    struct discovery_out out;
    struct peers_message m;
    struct multiaddr addr = addr_n(9);
    struct peer_id c = id_of(3);
    owner_start(o);
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    assert_int_equal(discovery_probe(o->d, &c, &c, &addr, 1, &owner, o->now),
                     E_NOTFOUND);
    owner_drain(o);
    assert_int_equal(discovery_probe(o->d, &a, &c, &addr, 1, &owner, o->now),
                     OK);
    assert_true(owner_next(o, DISCOVERY_REQUEST, &out));
    assert_int_equal(peers_message_decode(out.message, &m), OK);
    assert_int_equal(m.kind, PEERS_PROBE);
    assert_true(peer_id_eq(&m.peer, &c));
    uint8_t bytes[200];
    struct wr w = wr_init(bytes, sizeof(bytes));
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_RESULT;
    m.outcome = PEERS_REACHED;
    m.elapsed_ms = 12;
    m.addr = addr;
    peers_message_encode(&m, &w);
    discovery_on_answer(o->d, out.id, OK, (struct bytes){bytes, wr_len(&w)},
                        o->now);
    assert_true(owner_next(o, DISCOVERY_PROBED, &out));
    assert_ptr_equal(out.owner, &owner);
    assert_int_equal(out.err, OK);
    assert_int_equal(out.outcome, PEERS_REACHED);
    assert_int_equal(out.elapsed_ms, 12);
    assert_true(multiaddr_eq(&out.addrs[0], &addr));
    /* Without an answer it ends too, also when the peer goes. */
    assert_int_equal(discovery_probe(o->d, &a, &c, &addr, 1, &owner, o->now),
                     OK);
    owner_pass(o, DISCOVERY_REQUEST_MS);
    assert_true(owner_next(o, DISCOVERY_PROBED, &out));
    assert_int_equal(out.err, E_TIMEOUT);
    assert_int_equal(discovery_probe(o->d, &a, &c, &addr, 1, &owner, o->now),
                     OK);
    discovery_on_disconnected(o->d, &a, o->now);
    assert_true(owner_next(o, DISCOVERY_PROBED, &out));
    assert_int_equal(out.err, E_CANCELED);
    owner_stop(o);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct owner));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_passing_on),
        cmocka_unit_test(test_large_answers),
        cmocka_unit_test(test_honest_answer),
        cmocka_unit_test(test_spare_records),
        cmocka_unit_test(test_forged_answer),
        cmocka_unit_test(test_useless_records),
        cmocka_unit_test(test_too_many_records),
        cmocka_unit_test(test_reach_of_teller),
        cmocka_unit_test(test_foreign_hello),
        cmocka_unit_test(test_same_number),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_probe_of_asker),
        cmocka_unit_test(test_probe_of_other),
        cmocka_unit_test(test_probes_in_all),
        cmocka_unit_test(test_own_probe),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
