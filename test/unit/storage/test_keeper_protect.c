/*
 * What a thief of the owner's key, a lazy node and a wrong clock cannot do.
 *
 * A small network of keepers in virtual time.  Records of the thief are made
 * by hand with the owner's key and sent by a node that holds nothing.
 */
#include "base/wr.h"
#include "keeper_net.h"
#include "storage/message.h"
#include "storage/placement.h"
#include "storage/record.h"

enum {
    OWNER = 0,
    THIEF = 1,
    DELAY_S = 600,
    LIFE_S = 86400,
    SETTLE_MS = 20 * 1000,
};

static struct storage_message question; /* NOLINT: of this test alone */
static struct storage_message answer;   /* NOLINT: of this test alone */
static uint8_t
    record_bytes[OBJECT_RECORD_BYTES_MAX]; /* NOLINT: of this test alone */

/* What a record of the tests says; the rest is the same in all. */
struct terms {
    uint8_t copies;
    uint32_t delay_s;
    uint64_t expires_s;
};

static struct checked_object sign(struct net *n, struct terms terms,
                                  uint64_t seq)
{
    struct object_record record = {
        .network = "testnet",
        .root = n->roots[0],
        .size_bytes = NET_OBJECT_BYTES,
        .blocks = NET_BLOCKS,
        .policy = {.copies = terms.copies, .release_delay_s = terms.delay_s},
        .created_s = net_now(n).unix_ms / 1000,
        .expires_s = terms.expires_s,
        .seq = seq,
    };
    struct checked_object object;
    assert_int_equal(object_sign(&record, &n->nodes[OWNER].key, &object), OK);
    return object;
}

/* The thief, or whoever has the key, sends a record to the node @to. */
static enum storage_message_type send(struct net *n, size_t to,
                                      struct terms terms, uint64_t seq)
{
    struct checked_object object = sign(n, terms, seq);
    struct wr w = wr_init(record_bytes, sizeof(record_bytes));
    object_write(&w, &object);
    memset(&question, 0, sizeof(question));
    question.type = terms.copies == 0 ? STORAGE_RELEASE : STORAGE_OFFER;
    question.record = (struct bytes){.p = record_bytes, .len = wr_len(&w)};
    assert_int_equal(net_ask(n, THIEF, to, &question, &answer), OK);
    return answer.type;
}

/* Three holders of one object of an owner who is gone; its record. */
static struct net *kept(struct terms *ret_terms, size_t *ret_holders)
{
    struct net *n = net_new(1, 5);
    *ret_terms =
        (struct terms){.copies = 3,
                       .delay_s = DELAY_S,
                       .expires_s = net_now(n).unix_ms / 1000 + LIFE_S};
    net_kill(n, THIEF); /* it is to hold nothing */
    struct keeper_want want = {.root = n->roots[net_root(n, NET_OBJECT_BYTES)],
                               .size_bytes = NET_OBJECT_BYTES,
                               .blocks = NET_BLOCKS,
                               .copies = 3,
                               .release_delay_s = DELAY_S,
                               .expires_ms = ret_terms->expires_s * 1000};
    n->nodes[OWNER].has[0] = true;
    assert_int_equal(keeper_put(n->nodes[OWNER].keeper, &want, net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, SETTLE_MS);
    assert_int_equal(net_holders(n, OWNER, 0), 3);
    for (size_t i = 0; i < 3; i++)
        ret_holders[i] = net_holder(n, OWNER, 0, i);
    net_kill(n, OWNER);
    net_start(n, THIEF);
    net_run(n, 1000);
    return n;
}

static void restart(struct net *n, size_t node)
{
    net_kill(n, node);
    net_start(n, node);
    net_run(n, 100);
}

static void test_release_after_a_shorter_delay(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct terms terms;
        size_t h[3];
        struct net *n = kept(&terms, h);
        uint64_t seq = net_now(n).unix_ms;
        terms.delay_s = 0;
        assert_int_equal(send(n, h[0], terms, seq), STORAGE_ACCEPT);
        if (restarts > 0)
            restart(n, h[0]);
        terms.copies = 0;
        assert_int_equal(send(n, h[0], terms, seq + 1), STORAGE_OK);
        if (restarts > 0)
            restart(n, h[0]);
        net_run(n, (DELAY_S - 10) * UINT64_C(1000));
        assert_true(n->nodes[h[0]].kept[0]);
        net_run(n, UINT64_C(20) * 1000);
        assert_false(n->nodes[h[0]].kept[0]);
        net_free(n);
    }
}

static void test_fewer_copies_and_no_delay(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct terms terms;
        size_t h[3];
        struct net *n = kept(&terms, h);
        uint64_t seq = net_now(n).unix_ms;
        terms.copies = 1;
        terms.delay_s = 0;
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(send(n, h[i], terms, seq), STORAGE_ACCEPT);
        for (size_t i = 0; i < 3 && restarts > 0; i++)
            restart(n, h[i]);
        net_run(n, (DELAY_S - 10) * UINT64_C(1000));
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        net_run(n, UINT64_C(4) * NET_GRACE_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 1);
        net_free(n);
    }
}

static void test_nearer_expiry(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct terms terms;
        size_t h[3];
        struct net *n = kept(&terms, h);
        terms.expires_s = net_now(n).unix_ms / 1000 + 60;
        assert_int_equal(send(n, h[0], terms, net_now(n).unix_ms),
                         STORAGE_ACCEPT);
        if (restarts > 0)
            restart(n, h[0]);
        net_run(n, (DELAY_S - 10) * UINT64_C(1000));
        assert_true(n->nodes[h[0]].kept[0]);
        net_run(n, UINT64_C(20) * 1000);
        assert_false(n->nodes[h[0]].kept[0]);
        net_free(n);
    }
}

/* Each record of a chain waits for the longest delay since. */
static void test_chain_begins_anew(void **state)
{
    (void)state;
    struct terms terms;
    size_t h[3];
    struct net *n = kept(&terms, h);
    uint64_t seq = net_now(n).unix_ms;
    terms.copies = 2;
    terms.delay_s = 1;
    assert_int_equal(send(n, h[0], terms, seq), STORAGE_ACCEPT);
    net_run(n, (DELAY_S - 10) * UINT64_C(1000));
    terms.copies = 0;
    assert_int_equal(send(n, h[0], terms, seq + 1), STORAGE_OK);
    net_run(n, (DELAY_S - 20) * UINT64_C(1000));
    assert_true(n->nodes[h[0]].kept[0]);
    net_run(n, UINT64_C(30) * 1000);
    assert_false(n->nodes[h[0]].kept[0]);
    net_free(n);
}

/* After its time a shorter delay counts. */
static void test_shorter_delay_counts_later(void **state)
{
    (void)state;
    struct terms terms;
    size_t h[3];
    struct net *n = kept(&terms, h);
    uint64_t seq = net_now(n).unix_ms;
    terms.delay_s = 30;
    assert_int_equal(send(n, h[0], terms, seq), STORAGE_ACCEPT);
    net_run(n, (DELAY_S + 10) * UINT64_C(1000));
    terms.copies = 0;
    assert_int_equal(send(n, h[0], terms, seq + 1), STORAGE_OK);
    net_run(n, UINT64_C(25) * 1000);
    assert_true(n->nodes[h[0]].kept[0]);
    net_run(n, UINT64_C(10) * 1000);
    assert_false(n->nodes[h[0]].kept[0]);
    net_free(n);
}

static void test_owner_ends_the_wait(void **state)
{
    (void)state;
    struct terms terms;
    size_t h[3];
    struct net *n = kept(&terms, h);
    struct terms none = {.expires_s = terms.expires_s};
    uint64_t seq = net_now(n).unix_ms;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(send(n, h[i], none, seq), STORAGE_OK);
    net_run(n, (DELAY_S - 10) * UINT64_C(1000));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(send(n, h[i], terms, seq + 1), STORAGE_ACCEPT);
    restart(n, h[1]);
    net_run(n, UINT64_C(2) * DELAY_S * 1000);
    assert_int_equal(net_holders(n, OWNER, 0), 3);
    /* The thief again: the whole delay counts anew. */
    assert_int_equal(send(n, h[0], none, seq + 2), STORAGE_OK);
    net_run(n, (DELAY_S - 10) * UINT64_C(1000));
    assert_true(n->nodes[h[0]].kept[0]);
    net_run(n, UINT64_C(20) * 1000);
    assert_false(n->nodes[h[0]].kept[0]);
    net_free(n);
}

/* A release that ends soon: what it released cannot be replayed. */
static void test_tombstone_outlives_its_record(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct terms terms;
        size_t h[3];
        struct net *n = kept(&terms, h);
        uint64_t seq = net_now(n).unix_ms;
        struct terms none = {.expires_s =
                                 net_now(n).unix_ms / 1000 + DELAY_S + 100};
        assert_int_equal(send(n, h[0], none, seq), STORAGE_OK);
        net_run(n, (DELAY_S + 10) * UINT64_C(1000));
        assert_false(n->nodes[h[0]].kept[0]);
        net_run(n, UINT64_C(1000) * 1000);
        if (restarts > 0)
            restart(n, h[0]);
        assert_int_equal(send(n, h[0], terms, seq - 1), STORAGE_REFUSE);
        assert_int_equal(answer.reason, STORAGE_REASON_STALE);
        net_run(n, LIFE_S * UINT64_C(1000));
        assert_int_equal(n->nodes[h[0]].rows_count, 0);
        net_free(n);
    }
}

static void test_wrong_clock_is_no_forgery(void **state)
{
    (void)state;
    struct net *n = net_new(16, 4);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, SETTLE_MS);
    uint64_t now_s = net_now(n).unix_ms / 1000;
    const uint64_t times[] = {now_s - OBJECT_SKEW_MAX_S - 10,
                              now_s + OBJECT_SKEW_MAX_S + 10};
    const enum storage_reason reasons[] = {STORAGE_REASON_EXPIRED,
                                           STORAGE_REASON_FUTURE};
    for (size_t i = 0; i < 2; i++) {
        memset(&question, 0, sizeof(question));
        question.type = STORAGE_MINE;
        question.at_s = times[i];
        struct pubkey key = privkey_public(&n->nodes[OWNER].key);
        memcpy(question.owner, key.data.p, key.data.len);
        storage_mine_sign(&n->nodes[OWNER].key, &n->nodes[OWNER].id,
                          &n->nodes[2].id, question.at_s, question.sig);
        assert_int_equal(net_ask(n, OWNER, 2, &question, &answer), OK);
        assert_int_equal(answer.type, STORAGE_REFUSE);
        assert_int_equal(answer.reason, reasons[i]);
        assert_int_equal(n->nodes[2].events[KEEPER_EVENT_BAD_PEER], 0);
    }
    question.at_s = now_s;
    assert_int_equal(net_ask(n, OWNER, 2, &question, &answer), OK);
    assert_int_equal(answer.reason, STORAGE_REASON_INVALID);
    assert_int_equal(n->nodes[2].events[KEEPER_EVENT_BAD_PEER], 1);
    net_free(n);
}

static void test_progress_of_a_pull(void **state)
{
    (void)state;
    struct net *n = net_new(2, 2);
    n->pull_ms = 9000;
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 1);
    net_run(n, 3000);
    uint64_t pull = n->nodes[1].pull;
    struct keeper *holder = n->nodes[1].keeper;
    keeper_on_pull_counted(holder, pull, NET_OBJECT_BYTES / 4, 5, net_now(n));
    net_run(n, 2000);
    struct keeper_status s = net_status(n, OWNER, 0);
    assert_int_equal(s.holders_count, 1);
    assert_int_equal(s.holders[0].state, KEEPER_HOLDER_PULLING);
    assert_int_equal(s.holders[0].pulled_bytes, NET_OBJECT_BYTES / 4);
    assert_int_equal(s.holders[0].pulled_blocks, 5);
    s = net_status(n, 1, 0);
    assert_int_equal(s.holders[0].pulled_bytes, NET_OBJECT_BYTES / 4);
    /* More than the record allows is not believed. */
    keeper_on_pull_counted(holder, pull, UINT64_MAX, UINT64_MAX, net_now(n));
    net_run(n, 2000);
    s = net_status(n, OWNER, 0);
    assert_int_equal(s.holders[0].pulled_bytes, NET_OBJECT_BYTES);
    assert_int_equal(s.holders[0].pulled_blocks, NET_BLOCKS);
    net_run(n, 10000);
    s = net_status(n, OWNER, 0);
    assert_int_equal(s.copies_stored, 1);
    assert_int_equal(s.holders[0].pulled_bytes, NET_OBJECT_BYTES);
    net_free(n);
}

/* The first in rank audits, but knows nobody to place a copy on. */
static void test_first_never_repairs(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(20); seed++) {
        struct net *n = net_new(seed, 8);
        net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
        net_run(n, SETTLE_MS);
        size_t best = SIZE_MAX;
        size_t worst = SIZE_MAX;
        uint64_t most = 0;
        uint64_t least = UINT64_MAX;
        for (size_t i = 0; i < 3; i++) {
            size_t h = net_holder(n, OWNER, 0, i);
            uint64_t rank = placement_score(&n->roots[0], &n->nodes[h].id, 1);
            if (rank >= most) {
                most = rank;
                best = h;
            }
            if (rank <= least) {
                least = rank;
                worst = h;
            }
        }
        n->nodes[best].is_lazy = true;
        net_kill(n, OWNER);
        net_run(n, UINT64_C(4) * NET_AUDIT_MS);
        net_kill(n, worst);
        net_run(n, 14 * NET_AUDIT_MS + 4 * NET_GRACE_MS);
        assert_int_equal(n->nodes[best].events[KEEPER_EVENT_REPAIRING], 0);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        net_free(n);
    }
}

/* A node that ends at any moment of the first placing comes back to it. */
static void test_restart_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 700; ms += 7) {
        for (size_t node = 0; node < 2; node++) {
            struct net *n = net_new(3, 2);
            net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 1);
            net_run(n, ms);
            restart(n, node);
            if (n->nodes[OWNER].rows_count > 0) {
                net_run(n, UINT64_C(4) * NET_GRACE_MS);
                assert_int_equal(net_status(n, OWNER, 0).copies_stored, 1);
                assert_int_equal(net_holders(n, OWNER, 0), 1);
            }
            net_free(n);
        }
    }
}

/* Objects come and go; the list has those that are there, the oldest first. */
static void test_list_of_many(void **state)
{
    (void)state;
    enum { MANY = 700, PAGE = 32 };
    static struct keeper_status page[PAGE];
    static bool is_there[MANY];
    struct net *n = net_new(4, 1);
    struct keeper *k = n->nodes[OWNER].keeper;
    struct cid roots[MANY];
    size_t count = 0;
    for (size_t i = 0; i < MANY; i++) {
        uint8_t data[2] = {(uint8_t)i, (uint8_t)(i >> 8)};
        roots[i] = cid_of(CODEC_RAW, (struct bytes){.p = data, .len = 2});
        struct keeper_want want = {
            .root = roots[i], .size_bytes = 1, .blocks = 1, .copies = 1};
        assert_int_equal(keeper_put(k, &want, net_now(n)), OK);
        is_there[i] = true;
        count++;
        size_t gone = net_random(n, i + 1);
        if (i % 3 > 0 && is_there[gone]) {
            assert_int_equal(keeper_remove(k, &roots[gone], net_now(n)), OK);
            is_there[gone] = false;
            count--;
        }
    }
    size_t next = 0;
    uint64_t after = 0;
    for (size_t got = PAGE; got == PAGE;) {
        got = keeper_list(k, after, net_now(n), page, PAGE);
        for (size_t i = 0; i < got; i++) {
            while (!is_there[next])
                next++;
            assert_true(cid_eq(&page[i].root, &roots[next++]));
            after = page[i].id;
            count--;
        }
    }
    assert_int_equal(count, 0);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(keeper_status(k, &roots[i], net_now(n), page),
                         is_there[i] ? OK : E_NOTFOUND);
    struct keeper_out out;
    while (keeper_next(k, &out))
        keeper_out_release(&out);
    net_free(n);
}

/* One root of very many owners is taken up to a limit. */
static void test_owners_of_one_root(void **state)
{
    (void)state;
    enum { OWNERS = 256 };
    struct net *n = net_new(5, 2);
    size_t root = net_root(n, 1);
    n->nodes[OWNER].has[root] = true;
    for (size_t i = 0; i <= OWNERS; i++) {
        uint8_t seed[ED25519_SEED_BYTES] = {9, (uint8_t)i, (uint8_t)(i >> 8)};
        struct privkey key;
        struct checked_object object;
        privkey_init_seed(&key, seed);
        struct object_record record =
            sign(
                n,
                (struct terms){.copies = 1,
                               .expires_s = net_now(n).unix_ms / 1000 + LIFE_S},
                1)
                .record;
        record.size_bytes = 1;
        assert_int_equal(object_sign(&record, &key, &object), OK);
        privkey_release(&key);
        struct wr w = wr_init(record_bytes, sizeof(record_bytes));
        object_write(&w, &object);
        memset(&question, 0, sizeof(question));
        question.type = STORAGE_OFFER;
        question.record = (struct bytes){.p = record_bytes, .len = wr_len(&w)};
        assert_int_equal(net_ask(n, OWNER, THIEF, &question, &answer), OK);
        assert_int_equal(answer.type,
                         i < OWNERS ? STORAGE_ACCEPT : STORAGE_REFUSE);
        net_run(n, 100);
    }
    assert_int_equal(answer.reason, STORAGE_REASON_QUOTA);
    assert_true(n->roots_count == root + 1);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_release_after_a_shorter_delay,
                                  net_teardown),
        cmocka_unit_test_teardown(test_fewer_copies_and_no_delay, net_teardown),
        cmocka_unit_test_teardown(test_nearer_expiry, net_teardown),
        cmocka_unit_test_teardown(test_chain_begins_anew, net_teardown),
        cmocka_unit_test_teardown(test_shorter_delay_counts_later,
                                  net_teardown),
        cmocka_unit_test_teardown(test_owner_ends_the_wait, net_teardown),
        cmocka_unit_test_teardown(test_tombstone_outlives_its_record,
                                  net_teardown),
        cmocka_unit_test_teardown(test_wrong_clock_is_no_forgery, net_teardown),
        cmocka_unit_test_teardown(test_progress_of_a_pull, net_teardown),
        cmocka_unit_test_teardown(test_first_never_repairs, net_teardown),
        cmocka_unit_test_teardown(test_restart_at_any_moment, net_teardown),
        cmocka_unit_test_teardown(test_list_of_many, net_teardown),
        cmocka_unit_test_teardown(test_owners_of_one_root, net_teardown),
    };
    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
