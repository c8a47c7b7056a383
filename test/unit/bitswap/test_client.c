/*
 * Goal: wants are asked of the right peers, answered once with the right bytes,
 * and nobody's silence or lies hold them up.
 * Method: one client core driven by hand, in virtual time; hashes are computed
 * as soon as they are asked for, unless a test says otherwise.
 */
#include "bitswap/client.h"
#include "crypto/hash.h"
#include "said.h"

#include "test.h"

enum { LEN = 5000, PEERS = 6, GOTS_MAX = 1024 };

struct rig {
    struct bs_client *client;
    struct bs_session *session;
    struct mtime now;
    struct peer_id peers[PEERS];
    struct said said[PEERS]; /* what was last said to each */
    size_t sends[PEERS];
    struct bs_client_out gots[GOTS_MAX];
    size_t gots_count;
    struct bs_client_out hashes[GOTS_MAX]; /* kept when @slow */
    size_t hashes_count;
    bool slow;
    size_t missing;
    uint64_t missing_id;
    size_t faults;
    enum bs_fault fault;
};

static struct rig *rig_new(size_t peers)
{
    struct rig *r = mem_zalloc(1, sizeof(*r));
    struct bs_client_config config = {.seed = {2}, .peers_max = PEERS};
    r->client = bs_client_new(&config, r->now);
    for (size_t i = 0; i < PEERS; i++)
        r->peers[i] = some_peer((uint16_t)i);
    for (size_t i = 0; i < peers; i++)
        assert_int_equal(
            bs_client_peer_added(r->client, &r->peers[i], BS_1_2_0, r->now),
            OK);
    assert_int_equal(bs_session_open(r->client, BS_CLASS_NORMAL, &r->session),
                     OK);
    return r;
}

static void rig_free(struct rig *r)
{
    for (size_t i = 0; i < r->gots_count; i++)
        slice_release(&r->gots[i].data);
    for (size_t i = 0; i < r->hashes_count; i++)
        slice_release(&r->hashes[i].data);
    for (size_t i = 0; i < PEERS; i++)
        said_free(&r->said[i]);
    bs_client_free(r->client);
    mem_free(r);
}

static void drain(struct rig *r)
{
    struct bs_client_out out;
    while (bs_client_next(r->client, &out)) {
        size_t p = 0;
        switch (out.kind) {
        case BS_CLIENT_SEND:
            p = said_number(r->peers, &out.peer);
            said_free(&r->said[p]);
            said_frame(&r->said[p], out.frame);
            r->sends[p]++;
            break;
        case BS_CLIENT_FETCH:
        case BS_CLIENT_UNFETCH:
            fail(); /* there is no gateway */
            break;
        case BS_CLIENT_HASH:
            if (r->slow)
                r->hashes[r->hashes_count++] = out;
            else
                said_hash(r->client, &out, r->now);
            break;
        case BS_CLIENT_GOT:
            r->gots[r->gots_count++] = out;
            break;
        case BS_CLIENT_MISSING:
            r->missing++;
            r->missing_id = out.want_id;
            break;
        case BS_CLIENT_FAULT:
            r->faults++;
            r->fault = out.fault;
            break;
        }
    }
}

static enum err want_in(struct rig *r, struct bs_session *s, uint32_t n)
{
    struct bs_want want = {.cid = some_cid(n, LEN), .id = n};
    return bs_session_want(r->client, s, &want, r->now);
}

static void want(struct rig *r, uint32_t n)
{
    assert_int_equal(want_in(r, r->session, n), OK);
    drain(r);
}

static void hear(struct rig *r, size_t peer, struct bs_reply_item *items,
                 size_t count)
{
    struct said s;
    said_frame(&s, bs_reply_encode(items, count, BS_1_2_0));
    bs_client_on_message(r->client, &r->peers[peer], s.buf, &s.message, r->now);
    said_free(&s);
    drain(r);
}

static void send_block(struct rig *r, size_t peer, uint32_t n)
{
    struct bs_reply_item item = {.cid = some_cid(n, LEN),
                                 .kind = BS_ITEM_BLOCK,
                                 .data = some_data(n, LEN)};
    hear(r, peer, &item, 1);
}

/* Bytes that do not have the name by which they are sent. */
static void send_lie(struct rig *r, size_t peer, uint32_t n)
{
    struct bs_reply_item item = {.cid = some_cid(n, LEN),
                                 .kind = BS_ITEM_BLOCK,
                                 .data = some_data(n + 1000000, LEN)};
    hear(r, peer, &item, 1);
}

static void send_presence(struct rig *r, size_t peer, uint32_t n, bool have)
{
    struct bs_reply_item item = {.cid = some_cid(n, LEN),
                                 .kind =
                                     have ? BS_ITEM_HAVE : BS_ITEM_DONT_HAVE};
    hear(r, peer, &item, 1);
}

static void wait_ms(struct rig *r, uint32_t ms)
{
    struct mtime end = mtime_add_ms(r->now, ms);
    for (;;) {
        struct mtime at = bs_client_deadline(r->client);
        if (!mtime_before(at, end))
            break;
        if (mtime_before(r->now, at))
            r->now = at;
        bs_client_on_time(r->client, r->now);
        drain(r);
    }
    r->now = end;
    bs_client_on_time(r->client, r->now);
    drain(r);
}

static void assert_asked(const struct rig *r, size_t peer, uint32_t n,
                         bool have)
{
    struct cid cid = some_cid(n, LEN);
    const struct said *s = &r->said[peer];
    assert_int_equal(s->count, 1);
    assert_true(cid_eq(&s->items[0].entry.cid, &cid));
    assert_false(s->items[0].entry.cancel);
    assert_int_equal(s->items[0].entry.want_have, have);
    assert_true(s->items[0].entry.send_dont_have);
}

static void assert_cancelled(const struct rig *r, size_t peer, uint32_t n)
{
    struct cid cid = some_cid(n, LEN);
    const struct said *s = &r->said[peer];
    assert_int_equal(s->count, 1);
    assert_true(cid_eq(&s->items[0].entry.cid, &cid));
    assert_true(s->items[0].entry.cancel);
}

static void test_one_block(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    want(r, 7);
    assert_asked(r, 0, 7, false);
    assert_int_equal(bs_session_left(r->session), 1);
    assert_true(bs_client_waits_for(r->client, &r->peers[0]));
    r->now = at_ms(30);
    send_block(r, 0, 7);
    assert_false(bs_client_waits_for(r->client, &r->peers[0]));
    assert_int_equal(r->gots_count, 1);
    assert_int_equal(r->gots[0].want_id, 7);
    assert_ptr_equal(r->gots[0].session, r->session);
    assert_true(peer_id_eq(&r->gots[0].peer, &r->peers[0]));
    struct slice data = some_data(7, LEN);
    assert_true(bytes_eq(r->gots[0].data.bytes, data.bytes));
    slice_release(&data);
    assert_int_equal(bs_session_left(r->session), 0);
    assert_int_equal(r->sends[0], 1); /* no cancel for whom it came from */
    struct bs_source source;
    assert_int_equal(bs_session_sources(r->session, &source, 1), 1);
    assert_int_equal(source.bytes, LEN);
    assert_int_equal(source.blocks, 1);
    struct bs_client_stats stats = bs_client_get_stats(r->client);
    assert_int_equal(stats.wants_count + stats.asks_count, 0);
    wait_ms(r, 60000);
    assert_int_equal(r->sends[0], 1);
    rig_free(r);
}

/* Wants of one turn leave in one message, the first window full. */
static void test_batch(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    for (uint32_t n = 0; n < 100; n++)
        assert_int_equal(want_in(r, r->session, n), OK);
    drain(r);
    assert_int_equal(r->sends[0], 1);
    assert_int_equal(r->said[0].count, BS_WINDOW_ENTRIES_START);
    for (uint32_t n = 0; n < 100; n++)
        send_block(r, 0, n);
    assert_int_equal(r->gots_count, 100);
    assert_in_range(r->sends[0], 2, 6);
    rig_free(r);
}

static void test_entries_limit(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    for (uint32_t n = 0; n < 16; n++)
        want(r, n);
    for (uint32_t n = 0; n < 16; n++)
        send_block(r, 0, n);
    for (uint32_t n = 100; n < 2000; n++) {
        struct bs_want w = {.cid = some_cid(n, LEN), .id = n, .size_hint = 100};
        assert_int_equal(bs_session_want(r->client, r->session, &w, r->now),
                         OK);
    }
    drain(r);
    struct bs_client_stats stats = bs_client_get_stats(r->client);
    assert_int_equal(stats.asks_count, BS_PEER_ENTRIES_MAX);
    assert_int_equal(r->said[0].count, BS_PEER_ENTRIES_MAX);
    rig_free(r);
}

static void test_nobody_then_somebody(void **state)
{
    (void)state;
    struct rig *r = rig_new(0);
    want(r, 3);
    assert_int_equal(r->missing, 1);
    assert_int_equal(r->missing_id, 3);
    assert_int_equal(
        bs_client_peer_added(r->client, &r->peers[0], BS_1_2_0, r->now), OK);
    drain(r);
    assert_asked(r, 0, 3, false);
    send_presence(r, 0, 3, false);
    assert_int_equal(r->missing, 1); /* it was told */
    /* It stays on the list of the peer, who sends it when it has it. */
    send_block(r, 0, 3);
    assert_int_equal(r->gots_count, 1);
    rig_free(r);
}

static void test_dont_have_goes_on(void **state)
{
    (void)state;
    struct rig *r = rig_new(3);
    want(r, 1);
    assert_asked(r, 0, 1, false);
    assert_asked(r, 1, 1, true);
    assert_asked(r, 2, 1, true);
    send_presence(r, 2, 1, true);
    assert_int_equal(r->sends[2], 1); /* the first has not answered yet */
    send_presence(r, 0, 1, false);
    assert_asked(r, 2, 1, false); /* it said HAVE */
    send_presence(r, 1, 1, false);
    send_presence(r, 2, 1, false); /* and has it no more */
    assert_int_equal(r->missing, 1);
    size_t sends = r->sends[2];
    wait_ms(r, 30000); /* then they are asked again, the best first */
    assert_int_equal(r->sends[2], sends + 1);
    assert_int_equal(r->sends[0], 1);
    send_presence(r, 2, 1, false);
    assert_int_equal(r->sends[0], 2);
    assert_asked(r, 0, 1, false);
    assert_asked(r, 1, 1, true);
    send_block(r, 0, 1);
    assert_int_equal(r->gots_count, 1);
    wait_ms(r, 1000);
    assert_cancelled(r, 1, 1);
    assert_cancelled(r, 2, 1);
    rig_free(r);
}

/* More wants than may look for a source at a time: the others are asked for
 * once these have found one, though nothing else happens. */
static void test_source_found_late(void **state)
{
    (void)state;
    enum { FIRST = 32, ALL = 40 };
    struct rig *r = rig_new(2);
    for (uint32_t n = 0; n < ALL; n++)
        want(r, n);
    assert_int_equal(r->sends[0], FIRST);
    for (uint32_t n = 0; n < FIRST; n++)
        send_presence(r, 1, n, false);
    send_block(r, 0, 0);
    assert_int_equal(r->said[0].count, ALL - FIRST);
    for (uint32_t n = 1; n < ALL; n++)
        send_block(r, 0, n);
    assert_int_equal(r->gots_count, ALL);
    rig_free(r);
}

/* The same where nobody has any of them, and the later are the more urgent. */
static void test_no_source_for_all(void **state)
{
    (void)state;
    enum { FIRST = 32, ALL = 40 };
    struct rig *r = rig_new(2);
    for (uint32_t n = 0; n < ALL; n++) {
        struct bs_want want = {
            .cid = some_cid(n, LEN), .id = n, .priority = (int32_t)n};
        assert_int_equal(bs_session_want(r->client, r->session, &want, r->now),
                         OK);
        drain(r);
    }
    for (uint32_t n = 0; n < ALL; n++) {
        send_presence(r, 0, n, false);
        send_presence(r, 1, n, false);
    }
    assert_int_equal(r->missing, ALL);
    rig_free(r);
}

/* A source that gave blocks is asked alone, but for a probe now and then. */
static void test_good_source_is_asked(void **state)
{
    (void)state;
    struct rig *r = rig_new(3);
    want(r, 1);
    send_block(r, 1, 1); /* small enough to come instead of HAVE */
    assert_int_equal(r->gots_count, 1);
    assert_cancelled(r, 0, 1);
    size_t others = r->sends[0] + r->sends[2];
    for (uint32_t n = 10; n < 26; n++)
        want(r, n);
    assert_int_equal(r->sends[1], 1 + 16);
    assert_in_range(r->sends[0] + r->sends[2] - others, 1, 4);
    rig_free(r);
}

static void test_named_source_first(void **state)
{
    (void)state;
    struct rig *r = rig_new(3);
    bs_session_add_source(r->client, r->session, &r->peers[2], r->now);
    struct peer_id nobody = some_peer(99);
    bs_session_add_source(r->client, r->session, &nobody, r->now);
    want(r, 1);
    assert_asked(r, 2, 1, false);
    rig_free(r);
}

static void test_told_by_cid(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    struct bs_want w = {.id = 5};
    assert_int_equal(cid_identity(CODEC_RAW, BYTES_LIT("inline"), &w.cid), OK);
    assert_int_equal(bs_session_want(r->client, r->session, &w, r->now), OK);
    w.id = 6;
    w.cid = cid_of(CODEC_RAW, BYTES_EMPTY);
    assert_int_equal(bs_session_want(r->client, r->session, &w, r->now), OK);
    w.id = 7;
    w.cid = cid_v0_of(BYTES_EMPTY);
    assert_int_equal(bs_session_want(r->client, r->session, &w, r->now), OK);
    drain(r);
    assert_int_equal(r->gots_count, 3);
    assert_true(bytes_eq(r->gots[0].data.bytes, BYTES_LIT("inline")));
    assert_int_equal(r->gots[1].data.bytes.len, 0);
    assert_int_equal(r->gots[2].want_id, 7);
    assert_int_equal(r->gots[0].peer.len, 0);
    assert_int_equal(r->sends[0], 0);
    rig_free(r);
}

static void test_limits(void **state)
{
    (void)state;
    struct bs_client_config config = {
        .peers_max = 2, .sessions_max = 2, .wants_max = 3};
    struct mtime now = {0};
    struct bs_client *c = bs_client_new(&config, now);
    struct bs_session *s = NULL;
    for (uint16_t i = 0; i < 3; i++) {
        struct peer_id id = some_peer(i);
        assert_int_equal(bs_client_peer_added(c, &id, BS_1_2_0, now),
                         i < 2 ? OK : E_LIMIT);
        assert_int_equal(bs_session_open(c, BS_CLASS_URGENT, &s),
                         i < 2 ? OK : E_LIMIT);
    }
    struct peer_id id = some_peer(0);
    assert_int_equal(bs_client_peer_added(c, &id, BS_1_1_0, now), E_EXISTS);
    for (uint32_t i = 0; i < 4; i++) {
        struct bs_want w = {.cid = some_cid(i, LEN), .id = i};
        assert_int_equal(bs_session_want(c, s, &w, now), i < 3 ? OK : E_LIMIT);
    }
    struct bs_want w = {.cid = some_cid(1, LEN), .id = 9};
    w.cid.hash.len = MULTIHASH_DIGEST_MIN - 1;
    assert_int_equal(bs_session_want(c, s, &w, now), E_UNSUPPORTED);
    w.cid.hash.len = 32;
    w.cid.hash.code = 0x1012;
    assert_int_equal(bs_session_want(c, s, &w, now), E_UNSUPPORTED);
    bs_client_free(c);
    bs_client_free(NULL);
}

static void test_shared_want(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    struct bs_session *other = NULL;
    assert_int_equal(bs_session_open(r->client, BS_CLASS_URGENT, &other), OK);
    want(r, 4);
    assert_int_equal(want_in(r, other, 4), OK);
    drain(r);
    assert_int_equal(r->sends[0], 1);
    send_block(r, 0, 4);
    assert_int_equal(r->gots_count, 2);

    want(r, 5);
    assert_int_equal(want_in(r, other, 5), OK);
    bs_session_close(r->client, r->session, r->now);
    drain(r);
    assert_asked(r, 0, 5, false); /* still wanted by the other */
    bs_session_close(r->client, other, r->now);
    drain(r);
    assert_cancelled(r, 0, 5);
    send_block(r, 0, 5); /* it crossed the cancel */
    assert_int_equal(r->gots_count, 2);
    rig_free(r);
}

/* All that is on its way when a session ends may still come. */
static void test_close_in_flight(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    for (uint32_t n = 0; n < 64; n++)
        assert_int_equal(want_in(r, r->session, n), OK);
    drain(r);
    bs_session_close(r->client, r->session, r->now);
    drain(r);
    assert_int_equal(r->said[0].count, 64);
    for (uint32_t n = 0; n < 64; n++)
        send_block(r, 0, n);
    assert_int_equal(bs_client_get_stats(r->client).unasked, 0);
    assert_int_equal(bs_client_get_stats(r->client).duplicates, 64);
    assert_int_equal(r->faults, 0);
    rig_free(r);
}

/* A duplicate that is being hashed does not stand in the way of the next. */
static void test_hashing_a_duplicate(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    r->slow = true;
    want(r, 1);
    assert_asked(r, 0, 1, false);
    assert_asked(r, 1, 1, true);
    send_block(r, 0, 1);
    send_block(r, 1, 1);
    assert_int_equal(r->hashes_count, 2);
    said_hash(r->client, &r->hashes[1], r->now);
    drain(r);
    assert_int_equal(r->gots_count, 1);
    bs_session_add_source(r->client, r->session, &r->peers[0], r->now);
    want(r, 2);
    assert_asked(r, 0, 2, false);
    send_block(r, 0, 2);
    assert_int_equal(r->hashes_count, 3);
    said_hash(r->client, &r->hashes[0], r->now);
    said_hash(r->client, &r->hashes[2], r->now);
    drain(r);
    r->hashes_count = 0;
    assert_int_equal(r->gots_count, 2);
    struct bs_client_stats stats = bs_client_get_stats(r->client);
    assert_int_equal(stats.unasked, 0);
    assert_int_equal(stats.duplicates, 1);
    rig_free(r);
}

static void test_unwant(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    want(r, 4);
    bs_session_unwant(r->client, r->session, 77, r->now);
    bs_session_unwant(r->client, r->session, 4, r->now);
    drain(r);
    assert_cancelled(r, 0, 4);
    assert_int_equal(want_in(r, r->session, 5), OK);
    bs_session_unwant(r->client, r->session, 5, r->now);
    drain(r); /* within one turn nothing is said */
    assert_cancelled(r, 0, 4);
    assert_int_equal(r->sends[0], 2);
    rig_free(r);
}

/* Answers that wait for the owner are dropped with their session. */
static void test_close_drops_outputs(void **state)
{
    (void)state;
    struct rig *r = rig_new(0);
    assert_int_equal(want_in(r, r->session, 1), OK);
    struct bs_want w = {.cid = cid_of(CODEC_RAW, BYTES_EMPTY), .id = 2};
    assert_int_equal(bs_session_want(r->client, r->session, &w, r->now), OK);
    bs_session_close(r->client, r->session, r->now);
    drain(r);
    assert_int_equal(r->gots_count + r->missing, 0);
    rig_free(r);
}

static void test_stall(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    bs_session_add_source(r->client, r->session, &r->peers[0], r->now);
    want(r, 1);
    assert_asked(r, 0, 1, false);
    send_presence(r, 1, 1, true); /* of the first want others are probed */
    wait_ms(r, 40);
    assert_int_equal(r->sends[1], 1);
    wait_ms(r, 5000);
    assert_asked(r, 1, 1, false);
    struct bs_client_stats stats = bs_client_get_stats(r->client);
    assert_true(stats.stalls <= 1);
    /* The late block still counts. */
    send_block(r, 0, 1);
    assert_int_equal(r->gots_count, 1);
    assert_cancelled(r, 1, 1);
    assert_int_equal(bs_client_get_stats(r->client).unasked, 0);
    rig_free(r);
}

/* One silent peer: asked again after more than 5 s, ever less often. */
static void test_stall_alone(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    want(r, 1);
    wait_ms(r, 4999);
    assert_int_equal(r->sends[0], 1);
    wait_ms(r, 1);
    assert_cancelled(r, 0, 1);
    assert_int_equal(r->missing, 1);
    wait_ms(r, 5999);
    assert_int_equal(r->sends[0], 2);
    wait_ms(r, 1);
    assert_asked(r, 0, 1, false);
    size_t sends = r->sends[0];
    wait_ms(r, 600000);
    assert_in_range(r->sends[0] - sends, 4, 20);
    send_block(r, 0, 1);
    assert_int_equal(r->gots_count, 1);
    rig_free(r);
}

/* Bytes on the way are a sign of life, but not for ever. */
static void test_slow_is_not_silent(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    want(r, 1);
    for (int i = 0; i < 29; i++) {
        bs_client_on_bytes(r->client, &r->peers[0], r->now);
        wait_ms(r, 1000);
    }
    assert_int_equal(bs_client_get_stats(r->client).stalls, 0);
    for (int i = 0; i < 10; i++) {
        bs_client_on_bytes(r->client, &r->peers[0], r->now);
        wait_ms(r, 1000);
    }
    assert_int_equal(bs_client_get_stats(r->client).stalls, 1);
    rig_free(r);
}

/* A want that others overtook is said again, and then given up there. */
static void test_repeat(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    want(r, 1);
    r->now = at_ms(10);
    for (uint32_t i = 0; i < 40; i++) {
        want(r, 100 + i);
        send_block(r, 0, 100 + i);
        if (i == 5) /* more than 6 s: it was said again */
            assert_int_equal(r->sends[0], 1 + 6);
        wait_ms(r, 1000);
    }
    assert_int_equal(r->gots_count, 40);
    assert_int_equal(r->missing, 1);
    assert_int_equal(bs_client_get_stats(r->client).stalls, 0);
    send_block(r, 0, 1);
    assert_int_equal(r->gots_count, 41);
    rig_free(r);
}

static void test_unasked(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    r->slow = true;
    for (uint32_t i = 0; i < BS_UNASKED_MAX; i++)
        send_block(r, 0, i);
    assert_int_equal(r->hashes_count, 0); /* they cost no hash */
    assert_int_equal(r->faults, 0);
    send_block(r, 0, 50);
    assert_int_equal(r->faults, 1);
    assert_int_equal(r->fault, BS_FAULT_UNASKED);
    send_block(r, 0, 51);
    assert_int_equal(r->faults, 1);

    want(r, 1); /* asked of the other one only */
    assert_int_equal(r->sends[0], 0);
    assert_asked(r, 1, 1, false);
    struct bs_reply_item item = {.cid = some_cid(1, LEN),
                                 .kind = BS_ITEM_BLOCK,
                                 .data = some_data(1, LEN)};
    item.cid.codec = CODEC_DAG_CBOR; /* not the name it was asked by */
    hear(r, 1, &item, 1);
    assert_int_equal(r->hashes_count, 0);
    send_block(r, 1, 1);
    assert_int_equal(r->hashes_count, 1);
    send_block(r, 1, 1); /* as many hashes as asks */
    assert_int_equal(r->hashes_count, 1);
    assert_int_equal(bs_client_get_stats(r->client).unasked,
                     BS_UNASKED_MAX + 3);
    rig_free(r);
}

static void test_unasked_is_forgiven(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    for (uint32_t i = 0; i < 100; i++) {
        send_block(r, 0, i);
        r->now = mtime_add_ms(r->now, 10000);
    }
    assert_int_equal(r->faults, 0);
    rig_free(r);
}

static void test_liar(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    bs_session_add_source(r->client, r->session, &r->peers[0], r->now);
    for (uint32_t n = 0; n < 20; n++)
        want(r, n);
    assert_int_equal(r->sends[0], 20);
    send_lie(r, 0, 0);
    drain(r);
    assert_int_equal(r->gots_count, 0);
    /* At the first bad hash the other one gets its wants. */
    assert_true(r->sends[1] > 0);
    for (uint32_t n = 0; n < 20; n++)
        send_block(r, 1, n);
    assert_int_equal(r->gots_count, 20);
    for (uint32_t n = 0; n <= BS_UNASKED_MAX + 20; n++)
        send_lie(r, 0, n);
    assert_int_equal(r->faults, 1);
    rig_free(r);
}

static void test_noise(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    for (uint32_t i = 0; i < 16384; i++)
        send_presence(r, 0, 1, i % 2 == 0);
    assert_int_equal(r->faults, 0);
    send_presence(r, 0, 1, true);
    assert_int_equal(r->faults, 1);
    assert_int_equal(r->fault, BS_FAULT_FLOOD);
    rig_free(r);
}

static void test_old_version(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    assert_int_equal(
        bs_client_peer_added(r->client, &r->peers[1], BS_1_1_0, r->now), OK);
    want(r, 1);
    assert_asked(r, 0, 1, false); /* who can say no is asked first */
    assert_int_equal(r->sends[1], 0);
    send_presence(r, 0, 1, false);
    assert_asked(r, 1, 1, false);
    wait_ms(r, 5000); /* its silence is a no */
    assert_int_equal(r->missing, 1);
    rig_free(r);
}

static void test_stream_lost(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    bs_client_stream_lost(r->client, &r->peers[0], r->now);
    drain(r);
    assert_int_equal(r->sends[0], 0); /* nothing to say */
    for (uint32_t n = 0; n < 10; n++)
        want(r, n);
    send_presence(r, 0, 3, false);
    bs_client_stream_lost(r->client, &r->peers[0], r->now);
    drain(r);
    assert_true(r->said[0].message.full);
    assert_int_equal(r->said[0].count, 10);
    rig_free(r);
}

/* What is being hashed when its peer leaves is not lost. */
static void test_leaves_while_hashing(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    r->slow = true;
    want(r, 1);
    send_block(r, 0, 1);
    bs_client_peer_removed(r->client, &r->peers[0], r->now);
    drain(r);
    assert_int_equal(r->missing, 1);
    said_hash(r->client, &r->hashes[0], r->now);
    drain(r);
    assert_int_equal(r->gots_count, 1);
    struct bs_client_stats stats = bs_client_get_stats(r->client);
    assert_int_equal(stats.hashing_bytes, 0);
    assert_int_equal(stats.asks_count, 0);
    bs_client_on_hashed(r->client, 12345, BYTES_EMPTY, r->now);
    r->hashes_count = 0;
    rig_free(r);
}

static void test_digest_failed(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    r->slow = true;
    want(r, 1);
    send_block(r, 0, 1);
    bs_client_on_hashed(r->client, r->hashes[0].hash_id, BYTES_EMPTY, r->now);
    drain(r);
    assert_int_equal(r->gots_count, 0);
    assert_int_equal(bs_client_get_stats(r->client).unasked, 1);
    rig_free(r);
}

/* Reading stops when too much waits to be hashed, and goes on after. */
static void test_back_pressure(void **state)
{
    (void)state;
    enum { BIG = 1 << 20 };
    struct rig *r = rig_new(1);
    r->slow = true;
    for (uint32_t n = 0; n < 64; n++)
        assert_int_equal(want_in(r, r->session, n), OK);
    drain(r);
    for (uint32_t n = 0; n < BS_HASHING_BYTES_MAX / BIG + 2; n++) {
        assert_int_equal(bs_client_peer_full(r->client, &r->peers[0]),
                         n >= BS_HASHING_BYTES_FULL / BIG);
        struct bs_reply_item item = {.cid = some_cid(n, LEN),
                                     .kind = BS_ITEM_BLOCK,
                                     .data = some_data(n, BIG)};
        hear(r, 0, &item, 1);
    }
    assert_int_equal(r->hashes_count, BS_HASHING_BYTES_MAX / BIG);
    assert_int_equal(bs_client_get_stats(r->client).hashing_bytes,
                     BS_HASHING_BYTES_MAX);
    rig_free(r);
}

static void test_removed_peer(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    bs_session_add_source(r->client, r->session, &r->peers[0], r->now);
    for (uint32_t n = 0; n < 10; n++)
        want(r, n);
    bs_client_peer_removed(r->client, &r->peers[0], r->now);
    bs_client_peer_removed(r->client, &r->peers[0], r->now);
    drain(r);
    struct bs_client_stats stats = bs_client_get_stats(r->client);
    assert_int_equal(stats.asks_count, 10);
    for (uint32_t n = 0; n < 10; n++)
        send_block(r, 1, n);
    assert_int_equal(r->gots_count, 10);
    rig_free(r);
}

/* Two sessions: the urgent one gets what room there is. */
static void test_classes(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    struct bs_session *urgent = NULL;
    assert_int_equal(bs_session_open(r->client, BS_CLASS_URGENT, &urgent), OK);
    for (uint32_t n = 0; n < 60; n++) {
        assert_int_equal(want_in(r, r->session, n), OK);
        assert_int_equal(want_in(r, urgent, 1000 + n), OK);
    }
    drain(r);
    for (uint32_t n = 0; n < 60; n++) {
        struct cid cid = some_cid(1000 + n, LEN);
        assert_true(cid_eq(&r->said[0].items[n].entry.cid, &cid));
    }
    rig_free(r);
}

/* Whether another is asked too, @ms after the first one was. */
static bool is_doubled(enum bs_class class, uint32_t ms)
{
    struct rig *r = rig_new(2);
    bs_session_close(r->client, r->session, r->now);
    assert_int_equal(bs_session_open(r->client, class, &r->session), OK);
    bs_session_add_source(r->client, r->session, &r->peers[0], r->now);
    bs_session_add_source(r->client, r->session, &r->peers[1], r->now);
    want(r, 1);
    assert_int_equal(r->sends[0] + r->sends[1], 1);
    wait_ms(r, ms);
    size_t sends = r->sends[0] + r->sends[1];
    rig_free(r);
    return sends == 2;
}

/* The last block is asked of two when it takes too long: soon where somebody
 * waits for it, else late, since one of them comes for nothing. */
static void test_patience(void **state)
{
    (void)state;
    assert_false(is_doubled(BS_CLASS_NORMAL, 49));
    assert_true(is_doubled(BS_CLASS_NORMAL, 150));
    assert_true(is_doubled(BS_CLASS_URGENT, 150));
    assert_false(is_doubled(BS_CLASS_BACKGROUND, 999));
    assert_true(is_doubled(BS_CLASS_BACKGROUND, 1100));
}

static struct bs_session *open_only(struct rig *r, size_t peer)
{
    struct bs_session *s = NULL;
    assert_int_equal(bs_session_open(r->client, BS_CLASS_BACKGROUND, &s), OK);
    bs_session_only(s, &r->peers[peer]);
    return s;
}

/* A session for one peer asks nobody else, however long it takes. */
static void test_only_one_peer(void **state)
{
    (void)state;
    struct rig *r = rig_new(3);
    struct bs_session *back = open_only(r, 2);
    assert_int_equal(want_in(r, back, 1), OK);
    drain(r);
    assert_asked(r, 2, 1, false);
    wait_ms(r, 20000);
    assert_int_equal(r->sends[0] + r->sends[1], 0);
    send_presence(r, 2, 1, false);
    assert_int_equal(r->missing, 1);
    wait_ms(r, 60000);
    assert_int_equal(r->sends[0] + r->sends[1], 0);
    send_block(r, 2, 1);
    assert_int_equal(r->gots_count, 1);
    assert_true(peer_id_eq(&r->gots[0].peer, &r->peers[2]));
    rig_free(r);
}

/* What another session gets from somebody else is told with his name, and
 * wanted again it is asked of the one peer. */
static void test_only_and_all(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    struct bs_session *back = open_only(r, 1);
    bs_session_add_source(r->client, r->session, &r->peers[0], r->now);
    want(r, 1);
    assert_asked(r, 0, 1, false);
    assert_int_equal(want_in(r, back, 1), OK);
    drain(r);
    send_block(r, 0, 1);
    assert_int_equal(r->gots_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(peer_id_eq(&r->gots[i].peer, &r->peers[0]));
    size_t before = r->sends[0];
    assert_int_equal(want_in(r, back, 1), OK);
    drain(r);
    assert_asked(r, 1, 1, false);
    assert_int_equal(r->sends[0], before);
    rig_free(r);
}

/* A session that may ask everybody is not held up by one that may not; when it
 * has gone, the other is alone with its peer again. */
static void test_all_after_only(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    struct bs_session *back = open_only(r, 1);
    assert_int_equal(want_in(r, back, 1), OK);
    drain(r);
    assert_asked(r, 1, 1, false);
    want(r, 1);
    send_presence(r, 1, 1, false);
    assert_asked(r, 0, 1, false);
    assert_int_equal(r->missing, 0);
    bs_session_unwant(r->client, r->session, 1, r->now);
    send_presence(r, 0, 1, false);
    assert_int_equal(r->missing, 1); /* the one peer has said so */
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_block),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_entries_limit),
        cmocka_unit_test(test_nobody_then_somebody),
        cmocka_unit_test(test_dont_have_goes_on),
        cmocka_unit_test(test_source_found_late),
        cmocka_unit_test(test_no_source_for_all),
        cmocka_unit_test(test_good_source_is_asked),
        cmocka_unit_test(test_named_source_first),
        cmocka_unit_test(test_told_by_cid),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_shared_want),
        cmocka_unit_test(test_close_in_flight),
        cmocka_unit_test(test_hashing_a_duplicate),
        cmocka_unit_test(test_unwant),
        cmocka_unit_test(test_close_drops_outputs),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_stall_alone),
        cmocka_unit_test(test_slow_is_not_silent),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_unasked),
        cmocka_unit_test(test_unasked_is_forgiven),
        cmocka_unit_test(test_liar),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_old_version),
        cmocka_unit_test(test_stream_lost),
        cmocka_unit_test(test_leaves_while_hashing),
        cmocka_unit_test(test_digest_failed),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_removed_peer),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_only_one_peer),
        cmocka_unit_test(test_only_and_all),
        cmocka_unit_test(test_all_after_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
