/*
 * Goal: gateways are asked when peers don't do, for no more than they may be
 * asked for, and their silence and lies hold nothing up.
 * Method: one client core driven by hand, in virtual time; peer 0 is a peer,
 * 1 and 2 are gateways; hashes are computed as soon as they are asked for.
 */
#include "bitswap/client.h"
#include "crypto/hash.h"
#include "said.h"

#include "test.h"

enum { LEN = 5000, PEER = 0, GATE = 1, OTHER = 2, SOURCES = 3, MAX = 256 };

struct rig {
    struct bs_client *client;
    struct bs_session *session;
    struct mtime now;
    struct peer_id ids[SOURCES];
    size_t sends;          /* messages to the peer */
    struct said said;      /* the last one */
    struct cid asked[MAX]; /* of the gateways, in order */
    size_t asked_of[MAX];  /* which one */
    size_t asked_count;
    struct cid ended[MAX]; /* requests taken back */
    size_t ended_count;
    struct peer_id from[MAX]; /* of blocks that came */
    size_t got_count;
    size_t missing;
    size_t lies;
    size_t faults;
};

static void take(struct rig *r, struct bs_client_out *out)
{
    switch (out->kind) {
    case BS_CLIENT_SEND:
        assert_int_equal(said_number(r->ids, &out->peer), PEER);
        said_free(&r->said);
        said_frame(&r->said, out->frame);
        r->sends++;
        break;
    case BS_CLIENT_FETCH:
        assert_true(r->asked_count < MAX);
        r->asked_of[r->asked_count] = said_number(r->ids, &out->peer);
        r->asked[r->asked_count++] = out->cid;
        break;
    case BS_CLIENT_UNFETCH:
        assert_true(r->ended_count < MAX);
        r->ended[r->ended_count++] = out->cid;
        break;
    case BS_CLIENT_HASH:
        said_hash(r->client, out, r->now);
        break;
    case BS_CLIENT_GOT:
        assert_true(r->got_count < MAX);
        r->from[r->got_count++] = out->peer;
        slice_release(&out->data);
        break;
    case BS_CLIENT_MISSING:
        r->missing++;
        break;
    case BS_CLIENT_FAULT:
        r->faults++;
        r->lies += out->fault == BS_FAULT_LIE;
        break;
    }
}

static void drain(struct rig *r)
{
    struct bs_client_out out;
    while (bs_client_next(r->client, &out))
        take(r, &out);
}

/* A client with the first @gateways gateways, and a peer or not. */
static struct rig *rig_new(bool peer, size_t gateways)
{
    struct rig *r = mem_zalloc(1, sizeof(*r));
    struct bs_client_config config = {.seed = {2}, .peers_max = SOURCES};
    r->now = at_ms(1000);
    r->client = bs_client_new(&config, r->now);
    for (size_t i = 0; i < SOURCES; i++)
        r->ids[i] = some_peer((uint16_t)i);
    if (peer)
        assert_int_equal(
            bs_client_peer_added(r->client, &r->ids[PEER], BS_1_2_0, r->now),
            OK);
    for (size_t i = GATE; i < GATE + gateways; i++)
        assert_int_equal(bs_client_gateway_added(r->client, &r->ids[i], r->now),
                         OK);
    assert_int_equal(bs_session_open(r->client, BS_CLASS_NORMAL, &r->session),
                     OK);
    return r;
}

static void rig_free(struct rig *r)
{
    said_free(&r->said);
    bs_client_free(r->client);
    mem_free(r);
}

static void want(struct rig *r, uint32_t n)
{
    struct bs_want want = {.cid = some_cid(n, LEN), .id = n};
    assert_int_equal(bs_session_want(r->client, r->session, &want, r->now), OK);
    drain(r);
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

/* The gateway answers the request for block @n with the bytes of @with. */
static void answer(struct rig *r, size_t gateway, uint32_t n, uint32_t with)
{
    struct cid cid = some_cid(n, LEN);
    bs_client_on_block(r->client, &r->ids[gateway], &cid, some_data(with, LEN),
                       r->now);
    drain(r);
}

static void answer_none(struct rig *r, size_t gateway, uint32_t n)
{
    struct cid cid = some_cid(n, LEN);
    bs_client_on_no_block(r->client, &r->ids[gateway], &cid, r->now);
    drain(r);
}

static void peer_says(struct rig *r, uint32_t n, enum bs_item_kind kind)
{
    struct said s;
    struct bs_reply_item item = {.cid = some_cid(n, LEN), .kind = kind};
    if (kind == BS_ITEM_BLOCK)
        item.data = some_data(n, LEN);
    said_frame(&s, bs_reply_encode(&item, 1, BS_1_2_0));
    bs_client_on_message(r->client, &r->ids[PEER], s.buf, &s.message, r->now);
    said_free(&s);
    drain(r);
}

static void assert_last(const struct rig *r, size_t gateway, uint32_t n)
{
    struct cid cid = some_cid(n, LEN);
    assert_true(r->asked_count > 0);
    assert_true(cid_eq(&r->asked[r->asked_count - 1], &cid));
    assert_int_equal(r->asked_of[r->asked_count - 1], gateway);
}

static void test_alone(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 1);
    want(r, 7);
    assert_int_equal(r->missing, 0);
    assert_last(r, GATE, 7);
    assert_true(bs_session_asks_gateway(r->session, 7));
    assert_false(bs_session_asks_gateway(r->session, 8));
    r->now = at_ms(1030);
    answer(r, GATE, 7, 7);
    assert_int_equal(r->got_count, 1);
    assert_true(peer_id_eq(&r->from[0], &r->ids[GATE]));
    struct bs_source source;
    assert_int_equal(bs_session_sources(r->session, &source, 1), 1);
    assert_int_equal(source.bytes, LEN);
    assert_true(peer_id_eq(&source.peer, &r->ids[GATE]));
    wait_ms(r, 60000);
    assert_int_equal(r->asked_count + r->ended_count, 1);
    rig_free(r);
}

/* A peer of which nothing is known goes first. */
static void test_after_peers(void **state)
{
    (void)state;
    struct rig *r = rig_new(true, 1);
    want(r, 1);
    assert_int_equal(r->sends, 1);
    assert_int_equal(r->asked_count, 0);
    peer_says(r, 1, BS_ITEM_DONT_HAVE);
    assert_last(r, GATE, 1);
    assert_int_equal(r->missing, 0);
    answer(r, GATE, 1, 1);
    assert_int_equal(r->got_count, 1);
    rig_free(r);
}

/* One who says nothing has a second, then the gateway is asked beside. */
static void test_patience(void **state)
{
    (void)state;
    struct rig *r = rig_new(true, 1);
    want(r, 1);
    wait_ms(r, 900);
    assert_int_equal(r->asked_count, 0);
    wait_ms(r, 200);
    assert_last(r, GATE, 1);
    assert_int_equal(r->asked_count, 1);
    size_t sends = r->sends;
    answer(r, GATE, 1, 1);
    assert_int_equal(r->got_count, 1);
    assert_int_equal(r->sends, sends + 1);
    assert_true(r->said.items[0].entry.cancel);
    rig_free(r);
}

/* And the peer beside a gateway that takes long; its request ends then. */
static void test_peer_beside(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 1);
    want(r, 1);
    assert_int_equal(
        bs_client_peer_added(r->client, &r->ids[PEER], BS_1_2_0, r->now), OK);
    drain(r);
    wait_ms(r, 900);
    assert_int_equal(r->sends, 0);
    want(r, 2); /* asked of the peer, whose turn it is */
    peer_says(r, 2, BS_ITEM_DONT_HAVE);
    size_t sends = r->sends;
    wait_ms(r, 300);
    assert_int_equal(r->sends, sends + 1);
    peer_says(r, 1, BS_ITEM_BLOCK);
    assert_int_equal(r->got_count, 1);
    assert_int_equal(r->ended_count, 1);
    struct cid cid = some_cid(1, LEN);
    assert_true(cid_eq(&r->ended[0], &cid));
    rig_free(r);
}

static void test_none(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 2);
    want(r, 1);
    size_t first = r->asked_of[0];
    answer_none(r, first, 1);
    assert_int_equal(r->asked_count, 2);
    assert_int_not_equal(r->asked_of[1], first);
    answer_none(r, first, 1); /* said twice */
    assert_int_equal(r->missing, 0);
    answer_none(r, r->asked_of[1], 1);
    assert_int_equal(r->missing, 1);
    assert_false(bs_session_asks_gateway(r->session, 1));
    wait_ms(r, 29000);
    assert_int_equal(r->asked_count, 2);
    wait_ms(r, 1100);
    assert_int_equal(r->asked_count, 3);
    assert_int_equal(r->ended_count, 0);
    rig_free(r);
}

static void test_lie(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 2);
    for (uint32_t n = 0; n < 2; n++)
        want(r, n);
    size_t liar = r->asked_of[0];
    answer(r, liar, 0, 1000);
    assert_int_equal(r->lies, 1);
    assert_int_equal(r->got_count, 0);
    answer(r, liar, 1, 1001); /* told once, and not looked at any more */
    answer(r, liar, 1, 1);
    assert_int_equal(r->faults, 1);
    bs_client_peer_removed(r->client, &r->ids[liar], r->now);
    drain(r);
    for (uint32_t n = 0; n < 2; n++)
        answer(r, GATE + OTHER - liar, n, n);
    assert_int_equal(r->got_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_false(peer_id_eq(&r->from[i], &r->ids[liar]));
    rig_free(r);
}

/* Another block that is wanted too is a lie for this one. */
static void test_other_block_is_a_lie(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 1);
    want(r, 0);
    want(r, 1);
    answer(r, GATE, 0, 1);
    assert_int_equal(r->lies, 1);
    assert_int_equal(r->got_count, 0);
    rig_free(r);
}

static void test_requests_limit(void **state)
{
    (void)state;
    enum { FIRST = 8, ALL = 64 };
    struct rig *r = rig_new(false, 1);
    for (uint32_t n = 0; n < ALL; n++)
        want(r, n);
    assert_int_equal(r->asked_count, BS_GATEWAY_REQUESTS_START);
    for (uint32_t n = 0; n < FIRST; n++)
        answer(r, GATE, n, n);
    size_t under_way = r->asked_count - r->got_count;
    assert_int_equal(under_way, BS_GATEWAY_REQUESTS_MAX);
    for (uint32_t n = FIRST; n < ALL; n++) {
        answer(r, GATE, n, n);
        assert_true(r->asked_count - r->got_count <= BS_GATEWAY_REQUESTS_MAX);
    }
    assert_int_equal(r->got_count, ALL);
    assert_int_equal(r->asked_count, ALL);
    rig_free(r);
}

/* Who wants it no more ends the request; what comes then is no fault. */
static void test_unwant(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 1);
    want(r, 1);
    bs_session_unwant(r->client, r->session, 1, r->now);
    drain(r);
    assert_int_equal(r->ended_count, 1);
    answer(r, GATE, 1, 1);
    answer(r, GATE, 1, 2);
    answer_none(r, GATE, 1);
    assert_int_equal(r->got_count + r->faults + r->missing, 0);
    rig_free(r);
}

/* It has 30 s for what it has to find; then it is asked again after 6 s. */
static void test_stall(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 1);
    want(r, 1);
    wait_ms(r, 29900);
    assert_int_equal(r->ended_count + r->missing, 0);
    wait_ms(r, 200);
    assert_int_equal(r->ended_count, 1);
    assert_int_equal(r->missing, 1);
    assert_int_equal(r->asked_count, 1);
    wait_ms(r, 6000);
    assert_int_equal(r->asked_count, 2);
    answer(r, GATE, 1, 1);
    assert_int_equal(r->got_count, 1);
    rig_free(r);
}

/* Bytes that come are a sign of life, but not for ever. */
static void test_trickle(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 1);
    want(r, 1);
    for (uint32_t s = 0; s < 55; s++) {
        wait_ms(r, 1000);
        bs_client_on_bytes(r->client, &r->ids[GATE], r->now);
    }
    assert_int_equal(r->ended_count, 0);
    for (uint32_t s = 0; s < 10; s++) {
        wait_ms(r, 1000);
        bs_client_on_bytes(r->client, &r->ids[GATE], r->now);
    }
    assert_true(r->ended_count >= 1);
    rig_free(r);
}

/* One request that others overtake is given up, the gateway is not. */
static void test_overtaken(void **state)
{
    (void)state;
    struct rig *r = rig_new(false, 1);
    want(r, 0);
    wait_ms(r, 100);
    for (uint32_t n = 1; n < 30; n++) {
        want(r, n);
        wait_ms(r, 500);
        answer(r, GATE, n, n);
    }
    assert_int_equal(r->ended_count, 0);
    wait_ms(r, 700);
    assert_int_equal(r->ended_count, 1);
    struct cid cid = some_cid(0, LEN);
    assert_true(cid_eq(&r->ended[0], &cid));
    want(r, 100);
    assert_last(r, GATE, 100);
    rig_free(r);
}

/* Beside a good peer a gateway is tried after half a second, and again when
 * the session has lasted twice as long; seven times more at most. */
static void test_trials(void **state)
{
    (void)state;
    enum { STEP_MS = 50, STEPS = 4000 };
    struct rig *r = rig_new(true, 1);
    for (uint32_t n = 0; n < STEPS; n++) {
        size_t trials = 0;
        want(r, n);
        peer_says(r, n, BS_ITEM_BLOCK);
        while (trials < 8 && UINT32_C(500) << trials <= n * STEP_MS)
            trials++;
        assert_int_equal(r->asked_count, trials);
        r->got_count = 0;
        wait_ms(r, STEP_MS);
    }
    assert_int_equal(r->asked_count, 8);
    assert_int_equal(r->ended_count, 8); /* the peer was faster */
    rig_free(r);
}

/* A gateway that is much faster gets most of what is wanted. */
static void test_faster_than_a_peer(void **state)
{
    (void)state;
    enum { ALL = 200 };
    struct rig *r = rig_new(true, 1);
    size_t by_gateway = 0;
    for (uint32_t n = 0; n < ALL; n++) {
        size_t before = r->asked_count;
        want(r, n);
        wait_ms(r, 10);
        if (r->asked_count > before) {
            answer(r, GATE, n, n);
            continue;
        }
        wait_ms(r, 200);
        peer_says(r, n, BS_ITEM_BLOCK);
    }
    assert_int_equal(r->got_count, ALL);
    for (size_t i = 0; i < ALL; i++)
        by_gateway += peer_id_eq(&r->from[i], &r->ids[GATE]);
    assert_in_range(by_gateway, ALL * 3 / 4, ALL);
    rig_free(r);
}

/* Who may ask one peer only asks no gateway. */
static void test_only(void **state)
{
    (void)state;
    struct rig *r = rig_new(true, 1);
    bs_session_only(r->session, &r->ids[PEER]);
    want(r, 1);
    peer_says(r, 1, BS_ITEM_DONT_HAVE);
    assert_int_equal(r->missing, 1);
    wait_ms(r, 60000);
    assert_int_equal(r->asked_count, 0);
    rig_free(r);
}

static void test_limits(void **state)
{
    (void)state;
    struct rig *r = rig_new(true, 2);
    struct peer_id more = some_peer(9);
    assert_int_equal(bs_client_gateway_added(r->client, &r->ids[1], r->now),
                     E_EXISTS);
    assert_int_equal(bs_client_gateway_added(r->client, &more, r->now),
                     E_LIMIT);
    bs_client_peer_removed(r->client, &r->ids[1], r->now);
    assert_int_equal(bs_client_gateway_added(r->client, &more, r->now), OK);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_after_peers),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_peer_beside),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_lie),
        cmocka_unit_test(test_other_block_is_a_lie),
        cmocka_unit_test(test_requests_limit),
        cmocka_unit_test(test_unwant),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_overtaken),
        cmocka_unit_test(test_trials),
        cmocka_unit_test(test_faster_than_a_peer),
        cmocka_unit_test(test_only),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
