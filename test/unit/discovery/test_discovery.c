/*
 * Goal: one core alone: whom it dials and when, whom it lets go, whom it
 * proposes for objects, and what it remembers.
 * Method: the test is the owner and all peers; time is an argument.
 */
#include "discovery/discovery.h"
#include "owner.h"
#include "peers.h"

/* Dialling. ---------------------------------------------------------------- */

/* Inbound places of the usual limits. */
enum {
    SHARE = DISCOVERY_CONNS_HIGH - DISCOVERY_OUTBOUND_TARGET -
            DISCOVERY_CONNS_HIGH / 4
};

static void test_bootstrap(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    owner_start(o);
    assert_true(owner_next(o, DISCOVERY_BOOTSTRAP, &out));
    assert_int_equal(owner_count(o, DISCOVERY_BOOTSTRAP), 0);
    assert_int_equal(owner_hear(o, 1, addr_n(1), BOOK_BOOTSTRAP), OK);
    owner_pass(o, 200);
    assert_true(owner_next(o, DISCOVERY_DIAL, &out));
    struct peer_id id = id_of(1);
    assert_true(peer_id_eq(&out.peer, &id));
    assert_int_equal(out.addr_count, 1);
    assert_false(out.feeler);
    /* It fails: again after a while, and the owner is asked for others. */
    discovery_on_dial_failed(o->d, &id, E_IO, o->now);
    size_t dials = 0;
    size_t asked = 0;
    for (size_t s = 0; s < 600; s++) {
        owner_pass(o, SECOND);
        while (discovery_next(o->d, o->now, &out)) {
            asked += out.kind == DISCOVERY_BOOTSTRAP;
            if (out.kind != DISCOVERY_DIAL)
                continue;
            dials++;
            discovery_on_dial_failed(o->d, &id, E_IO, o->now);
        }
    }
    /* Every half minute: there is no other way in. */
    assert_in_range(dials, 16, 34);
    assert_in_range(asked, 3, 6);
    /* Not once somebody is connected. */
    owner_connect(o, 2, addr_n(2), true);
    owner_pass(o, 10 * MINUTE);
    assert_int_equal(owner_count(o, DISCOVERY_BOOTSTRAP), 0);
    id = id_of(2);
    discovery_on_disconnected(o->d, &id, o->now);
    assert_true(owner_next(o, DISCOVERY_BOOTSTRAP, &out));
    owner_stop(o);
}

/* Of many bootstrap peers one after another is dialled, with half a second in
 * between, until one has told of enough others. */
static void test_ways_in(void **state)
{
    struct owner *o = *state;
    owner_start(o);
    for (uint32_t n = 0; n < 16; n++)
        assert_int_equal(owner_hear(o, n, addr_n(n), BOOK_BOOTSTRAP), OK);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), 1);
    owner_pass(o, 400);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), 0);
    owner_pass(o, 600);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), 1);
    for (unsigned i = 0; i < 20; i++) {
        owner_pass(o, 400);
        assert_true(owner_count(o, DISCOVERY_DIAL) <= 1);
    }
    /* The others of the book do not wait for it. */
    owner_stop(o);
    owner_start(o);
    assert_int_equal(owner_hear(o, 1, addr_n(1), BOOK_BOOTSTRAP), OK);
    for (uint32_t n = 20; n < 50; n++)
        assert_int_equal(owner_hear(o, n, addr_n(n), BOOK_EXCHANGE), OK);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), DISCOVERY_DIALS_MAX);
    owner_stop(o);
}

/* A bootstrap peer that lets us go is full of others: that slows no dial to
 * anybody else, as being let go by an ordinary peer does. */
static void test_let_go_by_bootstrap(void **state)
{
    struct owner *o = *state;
    static const enum book_source sources[] = {BOOK_BOOTSTRAP, BOOK_EXCHANGE};
    struct peer_id id = id_of(1);
    size_t dials[countof(sources)];
    for (size_t i = 0; i < countof(sources); i++) {
        owner_start(o);
        for (uint32_t n = 2; n <= DISCOVERY_OUTBOUND_TARGET / 2 + 2; n++)
            owner_connect(o, n, addr_n(n), false);
        assert_int_equal(owner_hear(o, 1, addr_n(1), sources[i]), OK);
        owner_pass(o, SECOND);
        assert_int_equal(owner_count(o, DISCOVERY_DIAL), 1);
        owner_connect(o, 1, addr_n(1), false);
        discovery_on_disconnected(o->d, &id, o->now);
        assert_int_equal(owner_hear(o, 60, addr_n(60), BOOK_EXCHANGE), OK);
        owner_pass(o, SECOND / 2);
        dials[i] = owner_count(o, DISCOVERY_DIAL);
        owner_stop(o);
    }
    assert_int_equal(dials[0], 1);
    assert_int_equal(dials[1], 0);
}

/* At most 8 at a time, and no more than the target. */
static void test_target(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    uint32_t connected = 0;
    owner_start(o);
    for (uint32_t n = 0; n < 60; n++)
        assert_int_equal(owner_hear(o, n, addr_n(n), BOOK_EXCHANGE), OK);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), DISCOVERY_DIALS_MAX);
    owner_stop(o);
    owner_start(o);
    for (uint32_t n = 0; n < 60; n++)
        assert_int_equal(owner_hear(o, n, addr_n(n), BOOK_EXCHANGE), OK);
    for (size_t i = 0; i < 100; i++) {
        while (discovery_next(o->d, o->now, &out)) {
            if (out.kind != DISCOVERY_DIAL || out.feeler)
                continue;
            discovery_on_connected(o->d, &out.peer, &out.addrs[0], false,
                                   o->now);
            discovery_on_identified(o->d, &out.peer, true, o->now);
            connected++;
        }
        owner_pass(o, SECOND);
    }
    assert_int_equal(connected, DISCOVERY_OUTBOUND_TARGET);
    struct discovery_counts c = discovery_counts(o->d);
    assert_int_equal(c.outbound, DISCOVERY_OUTBOUND_TARGET);
    assert_int_equal(c.reached, DISCOVERY_OUTBOUND_TARGET);
    /* Inbound peers take none of these places. */
    owner_stop(o);
    owner_start(o);
    for (uint32_t n = 0; n < 90; n++)
        owner_connect(o, 1000 + n, addr_n(100 + n), true);
    for (uint32_t n = 0; n < 60; n++)
        (void)owner_hear(o, n, addr_n(n), BOOK_EXCHANGE);
    owner_pass(o, SECOND);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), DISCOVERY_DIALS_MAX);
    owner_stop(o);
}

static void test_groups(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    size_t dials = 0;
    owner_start(o);
    for (uint32_t n = 0; n < 20; n++)
        (void)owner_hear(o, n, addr_ip(0x14010001U + n), BOOK_EXCHANGE);
    while (owner_next(o, DISCOVERY_DIAL, &out)) {
        discovery_on_connected(o->d, &out.peer, &out.addrs[0], false, o->now);
        dials++;
        owner_pass(o, SECOND);
    }
    assert_int_equal(dials, DISCOVERY_PER_GROUP);
    owner_stop(o);
    /* Private addresses are not limited so. */
    owner_start(o);
    for (uint32_t n = 0; n < 20; n++)
        (void)owner_hear(o, n, addr_ip(0x0a010001U + n), BOOK_MDNS);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), DISCOVERY_DIALS_MAX);
    owner_stop(o);
}

/* Manual peers are dialled over the target, and again when they go. */
static void test_manual(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    owner_start(o);
    for (uint32_t n = 0; n < DISCOVERY_OUTBOUND_TARGET; n++)
        owner_connect(o, n, addr_n(n), false);
    owner_drain(o);
    owner_pass(o, SECOND);
    assert_int_equal(owner_hear(o, 50, addr_n(50), BOOK_EXCHANGE), OK);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), 0);
    assert_int_equal(owner_hear(o, 51, addr_n(51), BOOK_MANUAL), OK);
    owner_pass(o, SECOND);
    assert_true(owner_next(o, DISCOVERY_DIAL, &out));
    struct peer_id id = id_of(51);
    assert_true(peer_id_eq(&out.peer, &id));
    owner_connect(o, 51, addr_n(51), false);
    owner_pass(o, 2 * MINUTE);
    owner_drain(o);
    discovery_on_disconnected(o->d, &id, o->now);
    owner_pass(o, 2 * SECOND);
    bool again = false;
    while (owner_next(o, DISCOVERY_DIAL, &out))
        again |= peer_id_eq(&out.peer, &id);
    assert_true(again);
    assert_int_equal(discovery_forget(o->d, &id, o->now), OK);
    assert_int_equal(discovery_forget(o->d, &id, o->now), E_NOTFOUND);
    owner_stop(o);
}

/* Failures double the wait, up to an hour. */
static void test_backoff(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    struct peer_id id = id_of(1);
    uint64_t last_ms = 0;
    size_t dials = 0;
    owner_start(o);
    assert_int_equal(owner_hear(o, 1, addr_n(1), BOOK_EXCHANGE), OK);
    for (uint64_t s = 0; s < 21600; s++) {
        while (owner_next(o, DISCOVERY_DIAL, &out)) {
            uint64_t at_ms = o->now.ns / 1000000;
            if (dials > 0) {
                uint64_t wait = UINT64_C(10000) << (dials - 1);
                if (wait > HOUR)
                    wait = HOUR;
                assert_in_range(at_ms - last_ms, wait * 3 / 4,
                                wait * 5 / 4 + 1100);
            }
            last_ms = at_ms;
            dials++;
            discovery_on_dial_failed(o->d, &id, E_IO, o->now);
        }
        owner_pass(o, SECOND);
    }
    assert_in_range(dials, 10, 15);
    owner_stop(o);
}

/* An owner that says nothing of a dial blocks no place for ever. */
static void test_lost_dials(void **state)
{
    struct owner *o = *state;
    owner_start(o);
    for (uint32_t n = 0; n < 20; n++)
        (void)owner_hear(o, n, addr_n(n), BOOK_EXCHANGE);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), DISCOVERY_DIALS_MAX);
    owner_pass(o, 59 * SECOND);
    assert_int_equal(owner_count(o, DISCOVERY_DIAL), 0);
    owner_pass(o, SECOND);
    assert_true(owner_count(o, DISCOVERY_DIAL) >= DISCOVERY_DIALS_MAX);
    owner_stop(o);
}

/* Every two minutes a peer never reached is looked at, and left. */
static void test_feelers(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    size_t feelers = 0;
    size_t left = 0;
    owner_start(o);
    for (uint32_t n = 0; n < DISCOVERY_OUTBOUND_TARGET; n++)
        owner_connect(o, 1000 + n, addr_n(100 + n), false);
    for (uint32_t n = 0; n < 60; n++)
        (void)owner_hear(o, n, addr_n(n), BOOK_EXCHANGE);
    for (size_t s = 0; s < 3600; s++) {
        while (discovery_next(o->d, o->now, &out)) {
            if (out.kind == DISCOVERY_DIAL) {
                assert_true(out.feeler);
                feelers++;
                discovery_on_connected(o->d, &out.peer, &out.addrs[0], false,
                                       o->now);
                discovery_on_identified(o->d, &out.peer, true, o->now);
            } else if (out.kind == DISCOVERY_DISCONNECT) {
                assert_int_equal(out.why, DISCOVERY_WHY_FEELER);
                discovery_on_disconnected(o->d, &out.peer, o->now);
                left++;
            } else if (out.kind == DISCOVERY_REQUEST) {
                discovery_on_answer(o->d, out.id, E_CANCELED, BYTES_EMPTY,
                                    o->now);
            }
        }
        owner_pass(o, SECOND);
    }
    assert_in_range(feelers, 20, 40);
    assert_true(feelers - left <= 1);
    assert_true(discovery_counts(o->d).reached >= feelers / 2);
    owner_stop(o);
}

/* Anchors are noted in the rounds, written down, and dialled first. */
static void test_anchors(void **state)
{
    struct owner *o = *state;
    static uint8_t keys[128][BOOK_KEY_MAX];
    static uint8_t values[128][BOOK_VALUE_MAX];
    size_t key_lens[128];
    size_t value_lens[128];
    size_t rows = 0;
    struct discovery_out out;
    owner_start(o);
    for (uint32_t n = 0; n < 100; n++)
        assert_int_equal(owner_hear(o, n, addr_n(n), BOOK_EXCHANGE), OK);
    for (uint32_t n = 0; n < DISCOVERY_OUTBOUND_TARGET; n++)
        owner_connect(o, n, addr_n(n), false);
    for (uint32_t n = 4; n < 12; n++) {
        struct peer_id id = id_of(n);
        discovery_event(o->d, &id, QUALITY_GOOD_BYTES, 1 << 28, o->now);
    }
    owner_drain(o);
    owner_pass(o, 7 * MINUTE);
    owner_drain(o);
    for (;;) {
        struct wr k = wr_init(keys[rows], BOOK_KEY_MAX);
        struct wr v = wr_init(values[rows], BOOK_VALUE_MAX);
        if (!discovery_next_change(o->d, &k, &v))
            break;
        key_lens[rows] = wr_len(&k);
        value_lens[rows++] = wr_len(&v);
        assert_true(rows < 128);
    }
    owner_stop(o);
    owner_start(o);
    for (size_t i = 0; i < rows; i++)
        assert_int_equal(
            discovery_load(o->d, (struct bytes){keys[i], key_lens[i]},
                           (struct bytes){values[i], value_lens[i]}),
            OK);
    bool is_anchor[12] = {false};
    for (size_t i = 0; i < BOOK_ANCHORS_MAX; i++) {
        assert_true(owner_next(o, DISCOVERY_DIAL, &out));
        uint32_t n = out.peer.bytes[5];
        assert_in_range(n, 4, 11);
        is_anchor[n] = true;
    }
    for (size_t n = 4; n < 12; n++)
        assert_true(is_anchor[n]);
    owner_stop(o);
}

static void test_refusals(void **state)
{
    struct owner *o = *state;
    owner_start(o);
    struct peer_id self = privkey_peer_id(&o->key);
    struct multiaddr addr = addr_n(1);
    struct book_heard heard = {
        .peer = &self, .addrs = &addr, .count = 1, .source = BOOK_MANUAL};
    assert_int_equal(discovery_hear(o->d, &heard, o->now), E_REFUSED);
    struct ban_target t = {.peer = id_of(1)};
    assert_int_equal(
        discovery_ban(o->d, &t, BAN_TEMPORARY, BYTES_EMPTY, 100, o->now), OK);
    assert_int_equal(owner_hear(o, 1, addr, BOOK_EXCHANGE), E_REFUSED);
    owner_pass(o, 100 * SECOND);
    assert_int_equal(owner_hear(o, 1, addr, BOOK_EXCHANGE), OK);
    assert_int_equal(discovery_unban(o->d, &t, o->now), OK);
    assert_int_equal(discovery_unban(o->d, &t, o->now), E_NOTFOUND);
    owner_stop(o);
}

/* Who comes in, and who is let go. ----------------------------------------- */

static void test_ban_disconnects(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    struct ban_target t = {.ip = {.len = 4, .bytes = {20, 3}}, .bits = 16};
    owner_start(o);
    owner_connect(o, 3, addr_n(3), true);
    owner_connect(o, 4, addr_n(4), true);
    owner_drain(o);
    assert_int_equal(
        discovery_ban(o->d, &t, BAN_DENY, BYTES_LIT("x"), 0, o->now), OK);
    assert_true(owner_next(o, DISCOVERY_DISCONNECT, &out));
    struct peer_id id = id_of(3);
    assert_true(peer_id_eq(&out.peer, &id));
    assert_int_equal(out.why, DISCOVERY_WHY_BANNED);
    assert_int_equal(owner_count(o, DISCOVERY_DISCONNECT), 0);
    struct multiaddr addr = addr_n(3);
    assert_int_equal(discovery_admits(o->d, NULL, &addr, true, o->now),
                     E_REFUSED);
    assert_int_equal(discovery_admits(o->d, NULL, &addr, false, o->now),
                     E_REFUSED);
    /* Allowed wins. */
    t = (struct ban_target){.peer = id_of(3)};
    assert_int_equal(discovery_ban(o->d, &t, BAN_ALLOW, BYTES_EMPTY, 0, o->now),
                     OK);
    assert_int_equal(discovery_admits(o->d, &t.peer, &addr, true, o->now), OK);
    owner_stop(o);
    owner_start_with(o, (struct discovery_config){.allow_only = true});
    assert_int_equal(discovery_admits(o->d, &t.peer, &addr, true, o->now),
                     E_REFUSED);
    assert_int_equal(discovery_ban(o->d, &t, BAN_ALLOW, BYTES_EMPTY, 0, o->now),
                     OK);
    assert_int_equal(discovery_admits(o->d, &t.peer, &addr, true, o->now), OK);
    owner_stop(o);
}

static void test_admits(void **state)
{
    struct owner *o = *state;
    struct multiaddr addr = addr_of("/ip4/20.0.0.1/tcp/1");
    struct multiaddr local = addr_of("/ip4/127.0.0.1/tcp/1");
    owner_start(o);
    for (uint32_t n = 0; n < DISCOVERY_PER_IP; n++) {
        assert_int_equal(discovery_admits(o->d, NULL, &addr, true, o->now), OK);
        owner_connect(o, n, addr, true);
        owner_connect(o, 100 + n, local, true);
        owner_connect(o, 200 + n, local, true);
    }
    assert_int_equal(discovery_admits(o->d, NULL, &addr, true, o->now),
                     E_LIMIT);
    assert_int_equal(discovery_admits(o->d, NULL, &addr, false, o->now), OK);
    assert_int_equal(discovery_admits(o->d, NULL, &local, true, o->now), OK);
    struct peer_id id = id_of(0);
    assert_int_equal(discovery_admits(o->d, &id, &addr, true, o->now), OK);
    owner_stop(o);
}

/* Ends all links that the core lets go, each with @why and a number between
 * @first and @last; how many. */
static size_t end_let_go(struct owner *o, enum discovery_why why,
                         uint32_t first, uint32_t last)
{
    struct discovery_out out;
    size_t gone = 0;
    while (owner_next(o, DISCOVERY_DISCONNECT, &out)) {
        uint32_t n = (uint32_t)out.peer.bytes[4] << 8 | out.peer.bytes[5];
        assert_int_equal(out.why, why);
        assert_in_range(n, first, last);
        discovery_on_disconnected(o->d, &out.peer, o->now);
        gone++;
    }
    return gone;
}

/* Over the limit the newest of the most crowded group go; never those that are
 * manual or outbound. */
static void test_trim(void **state)
{
    struct owner *o = *state;
    owner_start(o);
    for (uint32_t n = 0; n < DISCOVERY_OUTBOUND_TARGET; n++)
        owner_connect(o, n, addr_n(n), false);
    for (uint32_t n = 0; n < SHARE / 2; n++) {
        /* One group with half of all, one with one each. */
        owner_connect(o, 500 + n, addr_ip(0x2d000001U + n), true);
        owner_connect(o, 600 + n, addr_n(20 + n), true);
    }
    owner_pass(o, MINUTE);
    assert_int_equal(owner_count(o, DISCOVERY_DISCONNECT), 0);
    owner_connect(o, 700, addr_n(80), true);
    owner_pass(o, SECOND);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_TRIMMED, 527, 527), 1);
    owner_pass(o, HOUR / 60);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_TRIMMED, 0, 0), 0);
    assert_int_equal(discovery_counts(o->d).inbound, SHARE);
    assert_int_equal(discovery_counts(o->d).outbound,
                     DISCOVERY_OUTBOUND_TARGET);
    owner_stop(o);
}

/* Those that come to a full node are guests: let in up to a number, let be for
 * a while, shorter when they are many; then they go, not those that were there
 * before. */
static void test_guests(void **state)
{
    struct owner *o = *state;
    struct multiaddr addr = addr_n(900);
    owner_start(o);
    for (uint32_t n = 0; n < SHARE; n++)
        owner_connect(o, 100 + n, addr_n(100 + n), true);
    owner_pass(o, MINUTE);
    owner_connect(o, 500, addr_n(500), true);
    owner_pass(o, 9 * SECOND);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_TRIMMED, 0, 0), 0);
    owner_pass(o, 2 * SECOND);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_TRIMMED, 500, 500), 1);
    for (uint32_t n = 0; n < DISCOVERY_GUESTS; n++) {
        assert_int_equal(discovery_admits(o->d, NULL, &addr, true, o->now), OK);
        owner_connect(o, 600 + n, addr_n(600 + n), true);
    }
    assert_int_equal(discovery_admits(o->d, NULL, &addr, true, o->now),
                     E_LIMIT);
    owner_pass(o, SECOND);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_TRIMMED, 0, 0), 0);
    owner_pass(o, 2 * SECOND);
    assert_int_equal(
        end_let_go(o, DISCOVERY_WHY_TRIMMED, 600, 600 + DISCOVERY_GUESTS - 1),
        DISCOVERY_GUESTS);
    assert_int_equal(discovery_admits(o->d, NULL, &addr, true, o->now), OK);
    owner_stop(o);
}

/* When guests are many, one that was told of others goes at once, though it is
 * not the newest; one that was told nothing has its time. */
static void test_told_guest(void **state)
{
    struct owner *o = *state;
    struct peers_message m;
    struct peer_id told = id_of(600);
    owner_start(o);
    (void)owner_member(o, 1, "/ip4/45.0.0.1/tcp/1", false);
    for (uint32_t n = 0; n < SHARE; n++)
        owner_connect(o, 100 + n, addr_n(100 + n), true);
    owner_pass(o, 2 * MINUTE);
    owner_drain(o);
    for (uint32_t n = 0; n < DISCOVERY_GUESTS / 2 + 1; n++)
        owner_connect(o, 600 + n, addr_n(600 + n), true);
    owner_ask(o, &told, 1);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.record_count, 1);
    owner_pass(o, SECOND);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_TRIMMED, 600, 600), 1);
    owner_stop(o);
}

/* One that came a while ago for a question, and so said no hello, goes before a
 * guest that has just come. */
static void test_visitor(void **state)
{
    struct owner *o = *state;
    struct peer_id visitor = id_of(600);
    owner_start(o);
    for (uint32_t n = 0; n < SHARE - 1; n++)
        owner_connect(o, 100 + n, addr_n(100 + n), true);
    owner_pass(o, 2 * MINUTE);
    owner_drain(o);
    owner_connect(o, 600, addr_n(600), true);
    owner_pass(o, 20 * SECOND);
    discovery_on_use(o->d, &visitor, o->now, false);
    owner_pass(o, 6 * SECOND);
    owner_connect(o, 601, addr_n(601), true);
    owner_pass(o, SECOND);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_TRIMMED, 600, 600), 1);
    owner_stop(o);
}

/* What is used or waited for stays, while others go. */
static void test_used(void **state)
{
    struct owner *o = *state;
    owner_start(o);
    for (uint32_t n = 0; n < SHARE + 2; n++)
        owner_connect(o, 100 + n, addr_n(100 + n), true);
    struct peer_id used = id_of(100 + SHARE + 1);
    struct peer_id waited = id_of(100 + SHARE);
    for (unsigned s = 0; s < 20; s++) {
        discovery_on_use(o->d, &used, o->now, false);
        discovery_on_use(o->d, &waited, o->now, true);
        owner_pass(o, SECOND);
    }
    assert_int_equal(
        end_let_go(o, DISCOVERY_WHY_TRIMMED, 100 + SHARE - 2, 100 + SHARE - 1),
        2);
    owner_stop(o);
}

/* A link for one question ends when it is not used any more, says no hello to a
 * peer once we know enough, and takes no outbound place, but may fill one. */
static void test_passing(void **state)
{
    struct owner *o = *state;
    struct peer_id id = id_of(50);
    owner_start(o);
    for (uint32_t n = 0; n < 4 * DISCOVERY_OUTBOUND_TARGET; n++)
        assert_int_equal(owner_hear(o, 200 + n, addr_n(200 + n), BOOK_DHT), OK);
    for (uint32_t n = 0; n < DISCOVERY_OUTBOUND_TARGET; n++)
        owner_connect(o, n, addr_n(n), false);
    owner_drain(o);
    discovery_on_connected(o->d, &id, &(struct multiaddr){.len = 0}, false,
                           o->now);
    discovery_on_passing(o->d, &id, o->now);
    discovery_on_identified(o->d, &id, true, o->now);
    assert_int_equal(owner_count(o, DISCOVERY_REQUEST), 0);
    assert_int_equal(discovery_counts(o->d).outbound,
                     DISCOVERY_OUTBOUND_TARGET);
    owner_pass(o, DISCOVERY_PASSING_MS - SECOND);
    discovery_on_use(o->d, &id, o->now, false);
    owner_pass(o, DISCOVERY_PASSING_MS - SECOND);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_PASSED, 0, 0), 0);
    owner_pass(o, 2 * SECOND);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_PASSED, 50, 50), 1);

    struct peer_id lost = id_of(0);
    discovery_on_disconnected(o->d, &lost, o->now);
    assert_int_equal(owner_hear(o, 50, addr_n(50), BOOK_DHT), OK);
    struct multiaddr addr = addr_n(50);
    discovery_on_connected(o->d, &id, &addr, false, o->now);
    discovery_on_passing(o->d, &id, o->now);
    discovery_on_identified(o->d, &id, true, o->now);
    owner_pass(o, 2 * DISCOVERY_PASSING_MS);
    assert_int_equal(end_let_go(o, DISCOVERY_WHY_PASSED, 0, 0), 0);
    assert_int_equal(discovery_counts(o->d).outbound,
                     DISCOVERY_OUTBOUND_TARGET);
    owner_stop(o);
}

/* A bootstrap peer that lets us go at once is left alone for half a minute,
 * also when it is told of again, and whoever is alone asks for others at
 * intervals; an ordinary peer for longer each time. */
static void test_turned_away(void **state)
{
    struct owner *o = *state;
    static const enum book_source sources[] = {BOOK_BOOTSTRAP, BOOK_EXCHANGE};
    for (size_t i = 0; i < countof(sources); i++) {
        struct discovery_out out;
        struct peer_id id = id_of(1);
        struct multiaddr addr = addr_n(1);
        size_t dials = 0;
        owner_start(o);
        for (unsigned s = 0; s < HOUR / SECOND; s++) {
            bool told = false;
            while (discovery_next(o->d, o->now, &out)) {
                told |= out.kind == DISCOVERY_BOOTSTRAP;
                if (out.kind != DISCOVERY_DIAL)
                    continue;
                dials++;
                discovery_on_connected(o->d, &id, &addr, false, o->now);
                discovery_on_disconnected(o->d, &id, o->now);
            }
            if (told)
                assert_int_equal(owner_hear(o, 1, addr, sources[i]), OK);
            owner_pass(o, SECOND);
        }
        if (sources[i] == BOOK_BOOTSTRAP)
            assert_in_range(dials, 90, 170);
        else
            assert_in_range(dials, 4, 8);
        owner_stop(o);
    }
}

/* Whom many have let go dials others the sooner, the fewer are connected; one
 * that has just come does not count as much: we may be its guest. */
static void test_haste(void **state)
{
    struct owner *o = *state;
    enum { SOME = DISCOVERY_OUTBOUND_TARGET / 2 + 1, AWAY = 40, OTHER = 60 };
    static const struct {
        uint32_t settled;
        uint32_t young;
        int least_ms;
        int most_ms;
    } rows[] = {
        {SOME, 0, 40 * SECOND, 100 * SECOND},
        {SOME - 1, 1, 4 * SECOND, 15 * SECOND},
        {0, SOME, 4 * SECOND, 15 * SECOND},
        {0, 0, 0, 2 * SECOND},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        owner_start(o);
        for (uint32_t n = 0; n < rows[i].settled; n++)
            owner_connect(o, n, addr_n(n), false);
        owner_pass(o, 20 * SECOND);
        for (uint32_t n = AWAY; n < AWAY + 8; n++) {
            struct peer_id id = id_of(n);
            assert_int_equal(owner_hear(o, n, addr_n(n), BOOK_EXCHANGE), OK);
            owner_connect(o, n, addr_n(n), false);
            discovery_on_disconnected(o->d, &id, o->now);
        }
        for (uint32_t n = 0; n < rows[i].young; n++)
            owner_connect(o, SOME + n, addr_n(SOME + n), false);
        assert_int_equal(owner_hear(o, OTHER, addr_n(OTHER), BOOK_EXCHANGE),
                         OK);
        int passed_ms = 0;
        while (owner_count(o, DISCOVERY_DIAL) == 0) {
            owner_pass(o, SECOND / 4);
            passed_ms += SECOND / 4;
            assert_true(passed_ms <= rows[i].most_ms);
        }
        assert_true(passed_ms >= rows[i].least_ms);
        owner_stop(o);
    }
}

/* Limits that do not fit together are made to. */
static void test_small_limits(void **state)
{
    struct owner *o = *state;
    static const struct discovery_config rows[] = {
        {.conns_high = 1},
        {.conns_high = 10},
        {.conns_high = 10, .guests = 1},
        {.conns_high = 10, .outbound_target = 10},
        {.conns_high = UINT32_MAX, .outbound_target = UINT32_MAX},
    };
    struct discovery_out out;
    for (size_t i = 0; i < countof(rows); i++) {
        owner_start_with(o, rows[i]);
        for (uint32_t n = 0; n < 40; n++) {
            owner_connect(o, n, addr_n(n), n % 4 == 0);
            owner_pass(o, 20 * SECOND);
            while (owner_next(o, DISCOVERY_DISCONNECT, &out))
                discovery_on_disconnected(o->d, &out.peer, o->now);
        }
        struct discovery_counts c = discovery_counts(o->d);
        assert_true(c.inbound + c.outbound > 0);
        if (rows[i].conns_high == 10)
            assert_true(c.inbound + c.outbound <= 10);
        owner_stop(o);
    }
}

/* Candidates. -------------------------------------------------------------- */

static bool is_candidate(struct owner *o, const struct peer_id *id)
{
    struct discovery_candidate c;
    struct peer_id after;
    const struct peer_id *at = NULL;
    while (discovery_next_candidate(o->d, at, o->now, &c)) {
        after = c.peer;
        at = &after;
        if (peer_id_eq(&c.peer, id))
            return true;
    }
    return false;
}

static void test_candidates(void **state)
{
    struct owner *o = *state;
    struct discovery_out out;
    owner_start(o);
    struct peer_id a = owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    struct peer_id b = owner_member(o, 2, "/ip4/20.2.0.1/tcp/1", true);
    assert_true(is_candidate(o, &a));
    /* b has to be dialled back first; a failure says nothing for ever. */
    assert_false(is_candidate(o, &b));
    owner_drain(o);
    owner_pass(o, 3 * SECOND);
    assert_true(owner_next(o, DISCOVERY_PROBE, &out));
    discovery_on_probed(o->d, out.id, E_IO, NULL, o->now);
    assert_false(is_candidate(o, &b));
    owner_pass(o, 13 * MINUTE);
    assert_true(owner_next(o, DISCOVERY_PROBE, &out));
    discovery_on_probed(o->d, out.id, OK, &out.addrs[0], o->now);
    assert_true(is_candidate(o, &b));
    assert_true(
        owner_next(o, DISCOVERY_CHANGED, &out) ||
        (owner_pass(o, SECOND), owner_next(o, DISCOVERY_CHANGED, &out)));
    /* Quality below the floor, a ban, an end of the record. */
    for (size_t i = 0; i < 3; i++)
        discovery_event(o->d, &a, QUALITY_AUDIT_FAILED, 0, o->now);
    assert_false(is_candidate(o, &a));
    struct ban_target t = {.peer = b};
    assert_int_equal(
        discovery_ban(o->d, &t, BAN_TEMPORARY, BYTES_EMPTY, 60, o->now), OK);
    assert_false(is_candidate(o, &b));
    owner_pass(o, 61 * SECOND);
    assert_true(is_candidate(o, &b));
    owner_pass(o, 24 * HOUR);
    assert_false(is_candidate(o, &b));
    owner_stop(o);
}

/* What was read from disk and damaged there is told to nobody. */
static void test_damaged_record(void **state)
{
    struct owner *o = *state;
    static uint8_t keys[16][BOOK_KEY_MAX];
    static uint8_t values[16][BOOK_VALUE_MAX];
    size_t key_lens[16];
    size_t value_lens[16];
    size_t rows = 0;
    struct peers_message m;
    owner_start(o);
    (void)owner_member(o, 1, "/ip4/20.1.0.1/tcp/1", false);
    (void)owner_member(o, 2, "/ip4/20.2.0.1/tcp/1", false);
    for (;;) {
        struct wr k = wr_init(keys[rows], BOOK_KEY_MAX);
        struct wr v = wr_init(values[rows], BOOK_VALUE_MAX);
        if (!discovery_next_change(o->d, &k, &v))
            break;
        key_lens[rows] = wr_len(&k);
        value_lens[rows++] = wr_len(&v);
        assert_true(rows < 16);
    }
    owner_stop(o);
    owner_start(o);
    assert_true(rows > 0);
    if (rows == 0)
        return;
    values[rows - 1][value_lens[rows - 1] - 1] ^= 1;
    for (size_t i = 0; i < rows; i++)
        assert_int_equal(
            discovery_load(o->d, (struct bytes){keys[i], key_lens[i]},
                           (struct bytes){values[i], value_lens[i]}),
            OK);
    struct peer_id id = id_of(5);
    owner_connect(o, 5, addr_n(50), true);
    owner_ask(o, &id, 64);
    assert_true(owner_answered(o, &m));
    assert_int_equal(m.record_count, 1);
    owner_stop(o);
}

/* The number of our record grows over a restart with a clock set back. */
static void test_own_number(void **state)
{
    struct owner *o = *state;
    uint8_t key[BOOK_KEY_MAX];
    uint8_t value[BOOK_VALUE_MAX];
    struct capability self;
    struct capability c;
    struct peers_message m;
    owner_start(o);
    memset(&self, 0, sizeof(self));
    discovery_set_self(o->d, &self, o->now);
    struct wr k = wr_init(key, sizeof(key));
    struct wr v = wr_init(value, sizeof(value));
    assert_true(discovery_next_change(o->d, &k, &v));
    owner_stop(o);
    owner_start(o);
    assert_int_equal(discovery_load(o->d, (struct bytes){key, wr_len(&k)},
                                    (struct bytes){value, wr_len(&v)}),
                     OK);
    for (size_t len = 0; len < wr_len(&v); len++)
        assert_int_equal(discovery_load(o->d, (struct bytes){key, wr_len(&k)},
                                        (struct bytes){value, len}),
                         E_CORRUPT);
    discovery_set_clock(o->d, (uint64_t)(TEST_UNIX_S - 100) * 1000, o->now);
    discovery_set_self(o->d, &self, o->now);
    struct peer_id id = id_of(1);
    owner_connect(o, 1, addr_n(1), true);
    owner_hello(o, &id, BYTES_EMPTY);
    assert_true(owner_answered(o, &m));
    assert_int_equal(
        capability_open(m.record, BYTES_LIT("devnet"), TEST_UNIX_S, &c), OK);
    assert_int_equal(c.seq, (uint64_t)TEST_UNIX_S * 1000 + 1);
    owner_stop(o);
}

/* Tables have ends. -------------------------------------------------------- */

static void test_links_limit(void **state)
{
    struct owner *o = *state;
    owner_start_with(o, (struct discovery_config){.conns_high = 100000,
                                                  .guests = 9,
                                                  .outbound_target = 1});
    struct multiaddr addr = addr_n(1);
    for (uint32_t n = 0; n <= DISCOVERY_LINKS_MAX; n++) {
        struct peer_id id = id_of(n);
        discovery_on_connected(o->d, &id, &addr, true, o->now);
    }
    struct peer_id id = id_of(DISCOVERY_LINKS_MAX);
    assert_int_equal(discovery_counts(o->d).inbound, DISCOVERY_LINKS_MAX);
    /* One that is not tracked is not served, and going is no trouble. */
    struct peers_message m;
    owner_ask(o, &id, 1);
    assert_false(owner_answered(o, &m));
    discovery_on_disconnected(o->d, &id, o->now);
    owner_stop(o);
}

/* Calls about peers and numbers that are not there. */
static void test_nobody(void **state)
{
    struct owner *o = *state;
    struct peer_id id = id_of(1);
    struct multiaddr addr = addr_n(1);
    owner_start(o);
    discovery_on_disconnected(o->d, &id, o->now);
    discovery_on_dial_failed(o->d, &id, E_IO, o->now);
    discovery_on_identified(o->d, &id, true, o->now);
    discovery_on_answer(o->d, 5, E_TIMEOUT, BYTES_EMPTY, o->now);
    discovery_on_probed(o->d, 5, OK, &addr, o->now);
    discovery_event(o->d, &id, QUALITY_FAULT, 100, o->now);
    assert_int_equal(discovery_score(o->d, &id, o->now), QUALITY_NEW);
    struct discovery_candidate c;
    assert_false(discovery_next_candidate(o->d, NULL, o->now, &c));
    assert_false(discovery_next_candidate(o->d, &id, o->now, &c));
    assert_false(owner_refuses(o, &id));
    owner_stop(o);
    discovery_free(NULL);
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

/* Dialled for a question, then it dials us: one of those that came. */
static void a_passing_link_that_dials_us_came(void **state)
{
    struct owner o;
    struct peer_id id = id_of(1);
    struct multiaddr addr = addr_n(1);

    (void)state;
    owner_start(&o);
    owner_connect(&o, 1, addr, false);
    discovery_on_passing(o.d, &id, o.now);
    assert_int_equal(discovery_counts(o.d).outbound, 0);
    assert_int_equal(discovery_counts(o.d).inbound, 0);
    discovery_on_connected(o.d, &id, &addr, true, o.now);
    assert_int_equal(discovery_counts(o.d).outbound, 0);
    assert_int_equal(discovery_counts(o.d).inbound, 1);
    owner_stop(&o);
}

/* Links that others have dialled have no share of the places.  When somebody
 * finds all taken, one of them that rests goes, but none that we chose. */
static void a_place_is_made_when_one_is_wanted(void **state)
{
    struct discovery_out out;
    struct owner o;

    (void)state;
    owner_start_with(
        &o, (struct discovery_config){.outbound_target = 2, .conns_high = 20});
    for (uint32_t n = 1; n <= 6; n++)
        owner_connect(&o, n, addr_n(n), false);
    owner_connect(&o, 7, addr_n(7), true);
    owner_drain(&o);
    discovery_want_place(o.d, o.now);
    assert_int_equal(owner_count(&o, DISCOVERY_DISCONNECT), 0);
    owner_pass(&o, 6 * SECOND);
    owner_drain(&o);
    discovery_want_place(o.d, o.now);
    assert_true(owner_next(&o, DISCOVERY_DISCONNECT, &out));
    assert_int_equal(out.why, DISCOVERY_WHY_TRIMMED);
    struct peer_id inbound = id_of(7);
    assert_false(peer_id_eq(&out.peer, &inbound));
    assert_int_equal(owner_count(&o, DISCOVERY_DISCONNECT), 0);
    owner_stop(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_ways_in),
        cmocka_unit_test(test_let_go_by_bootstrap),
        cmocka_unit_test(test_told_guest),
        cmocka_unit_test(test_visitor),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_lost_dials),
        cmocka_unit_test(test_feelers),
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_ban_disconnects),
        cmocka_unit_test(test_admits),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_guests),
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_passing),
        cmocka_unit_test(test_turned_away),
        cmocka_unit_test(test_haste),
        cmocka_unit_test(test_small_limits),
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_damaged_record),
        cmocka_unit_test(test_own_number),
        cmocka_unit_test(test_links_limit),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(a_passing_link_that_dials_us_came),
        cmocka_unit_test(a_place_is_made_when_one_is_wanted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
