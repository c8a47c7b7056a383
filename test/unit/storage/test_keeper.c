/*
 * What owners and holders do with each other, and what they refuse.
 *
 * A small network of keepers in virtual time; messages that no honest node
 * sends are made by hand.
 */
#include "base/wr.h"
#include "keeper_net.h"
#include "storage/message.h"
#include "storage/receipt.h"
#include "storage/record.h"

enum { OWNER = 0, SETTLE_MS = 20 * 1000, REPAIR_MS = 6 * NET_GRACE_MS };

static struct storage_message question; /* NOLINT: of this test alone */
static struct storage_message answer;   /* NOLINT: of this test alone */
static uint8_t
    record_bytes[OBJECT_RECORD_BYTES_MAX]; /* NOLINT: of this test alone */

/* A record of @owner's for @root, as its keeper would sign it. */
static struct checked_object sign(struct net *n, size_t owner, size_t root,
                                  uint8_t copies, uint64_t seq)
{
    struct object_record record = {
        .network = "testnet",
        .root = n->roots[root],
        .size_bytes = NET_OBJECT_BYTES,
        .blocks = NET_BLOCKS,
        .policy = {.copies = copies},
        .created_s = net_now(n).unix_ms / 1000,
        .expires_s = net_now(n).unix_ms / 1000 + 86400,
        .seq = seq,
    };
    struct checked_object object;
    assert_int_equal(object_sign(&record, &n->nodes[owner].key, &object), OK);
    return object;
}

static void ask_record(enum storage_message_type type,
                       const struct checked_object *object)
{
    struct wr w = wr_init(record_bytes, sizeof(record_bytes));
    object_write(&w, object);
    memset(&question, 0, sizeof(question));
    question.type = type;
    question.record = (struct bytes){.p = record_bytes, .len = wr_len(&w)};
}

static enum storage_reason refused(struct net *n, size_t from, size_t to)
{
    assert_int_equal(net_ask(n, from, to, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_REFUSE);
    return answer.reason;
}

static void test_forged_record(void **state)
{
    (void)state;
    struct net *n = net_new(1, 3);
    size_t root = net_root(n, NET_OBJECT_BYTES);
    struct checked_object object = sign(n, 0, root, 2, 1);
    ask_record(STORAGE_OFFER, &object);
    for (size_t i = 0; i < question.record.len; i += 7) {
        record_bytes[i] ^= 0x20;
        assert_int_equal(net_ask(n, 2, 1, &question, &answer), OK);
        assert_int_equal(answer.type, STORAGE_REFUSE);
        record_bytes[i] ^= 0x20;
        net_run(n, 100);
    }
    assert_int_equal(keeper_get_stats(n->nodes[1].keeper).held, 0);
    assert_true(n->nodes[1].events[KEEPER_EVENT_BAD_PEER] > 10);
    assert_int_equal(net_ask(n, 2, 1, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_ACCEPT);
    net_free(n);
}

static void test_other_network_and_times(void **state)
{
    (void)state;
    struct net *n = net_new(2, 3);
    size_t root = net_root(n, NET_OBJECT_BYTES);
    struct checked_object object = sign(n, 0, root, 2, 1);
    struct object_record record = object.record;
    memcpy(record.network, "another", 8);
    assert_int_equal(object_sign(&record, &n->nodes[0].key, &object), OK);
    ask_record(STORAGE_OFFER, &object);
    assert_int_equal(refused(n, 0, 1), STORAGE_REASON_NETWORK);

    object = sign(n, 0, root, 2, 1);
    record = object.record;
    record.created_s -= 1000;
    record.expires_s = record.created_s + 500;
    assert_int_equal(object_sign(&record, &n->nodes[0].key, &object), OK);
    ask_record(STORAGE_OFFER, &object);
    assert_int_equal(refused(n, 0, 1), STORAGE_REASON_EXPIRED);

    object = sign(n, 0, root, 2, net_now(n).unix_ms + UINT64_C(3600) * 1000);
    ask_record(STORAGE_OFFER, &object);
    assert_int_equal(refused(n, 0, 1), STORAGE_REASON_FUTURE);
    net_free(n);
}

static void test_replayed_record(void **state)
{
    (void)state;
    struct net *n = net_new(3, 3);
    size_t root = net_root(n, NET_OBJECT_BYTES);
    n->nodes[0].has[root] = true;
    uint64_t seq = net_now(n).unix_ms;
    struct checked_object older = sign(n, 0, root, 2, seq);
    struct checked_object newer = sign(n, 0, root, 3, seq + 1);
    ask_record(STORAGE_OFFER, &newer);
    assert_int_equal(net_ask(n, 0, 1, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_ACCEPT);
    ask_record(STORAGE_OFFER, &older);
    assert_int_equal(refused(n, 2, 1), STORAGE_REASON_STALE);
    struct checked_object sent;
    assert_int_equal(object_open(answer.record, &sent), OK);
    assert_int_equal(sent.record.seq, seq + 1);

    /* Released: neither comes back, also not after a restart. */
    struct checked_object release = sign(n, 0, root, 0, seq + 2);
    ask_record(STORAGE_RELEASE, &release);
    assert_int_equal(net_ask(n, 2, 1, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_OK);
    net_run(n, 2000);
    assert_false(n->nodes[1].has[root]);
    for (int i = 0; i < 2; i++) {
        ask_record(STORAGE_OFFER, &newer);
        assert_int_equal(refused(n, 2, 1), STORAGE_REASON_STALE);
        assert_int_equal(object_open(answer.record, &sent), OK);
        assert_int_equal(sent.record.seq, seq + 2);
        net_kill(n, 1);
        net_start(n, 1);
    }
    /* But the owner may want it kept again. */
    struct checked_object again = sign(n, 0, root, 1, seq + 3);
    ask_record(STORAGE_OFFER, &again);
    assert_int_equal(net_ask(n, 0, 1, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_ACCEPT);
    net_run(n, 2000);
    assert_true(n->nodes[1].kept[root]);
    net_free(n);
}

static void put_receipt(struct storage_receipt *receipt,
                        const struct privkey *key, uint8_t *bytes,
                        size_t *ret_len)
{
    struct checked_receipt checked;
    assert_int_equal(receipt_sign(receipt, key, &checked), OK);
    struct wr w = wr_init(bytes, RECEIPT_BYTES_MAX);
    receipt_write(&w, &checked);
    *ret_len = wr_len(&w);
}

static void test_forged_receipt(void **state)
{
    (void)state;
    struct net *n = net_new(4, 3);
    for (size_t i = 1; i < 3; i++)
        n->nodes[i].disk_full = true; /* nobody takes it */
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 2);
    net_run(n, 5000);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 0);

    /* What its record is: the owner says. */
    memset(&question, 0, sizeof(question));
    question.type = STORAGE_STATUS;
    question.root = n->roots[0];
    struct pubkey key = privkey_public(&n->nodes[OWNER].key);
    memcpy(question.owner, key.data.p, key.data.len);
    assert_int_equal(net_ask(n, 1, OWNER, &question, &answer), OK);
    assert_int_equal(answer.state, STORAGE_STATE_OWNED);
    struct checked_object object;
    assert_int_equal(object_open(answer.record, &object), OK);

    uint64_t now_ms = net_now(n).unix_ms;
    struct storage_receipt receipt = {.network = "testnet",
                                      .root = n->roots[0],
                                      .stored_s = now_ms / 1000,
                                      .until_s = now_ms / 1000 + 600,
                                      .seq = now_ms};
    memcpy(receipt.owner, object.record.owner, sizeof(receipt.owner));
    memcpy(receipt.record_hash, object.hash, sizeof(receipt.record_hash));
    uint8_t bytes[RECEIPT_BYTES_MAX];
    size_t len = 0;
    put_receipt(&receipt, &n->nodes[1].key, bytes, &len);
    memset(&question, 0, sizeof(question));
    question.type = STORAGE_RECEIPT;
    question.receipts_count = 1;
    question.receipts[0] = (struct bytes){.p = bytes, .len = len};
    bytes[len - 1] ^= 1; /* the signature is last or near it */
    bytes[len / 2] ^= 1;
    assert_int_equal(net_ask(n, 1, OWNER, &question, &answer), OK);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 0);

    /* By the owner itself, and one that has ended: no copies either. */
    put_receipt(&receipt, &n->nodes[OWNER].key, bytes, &len);
    question.receipts[0].len = len;
    assert_int_equal(net_ask(n, 1, OWNER, &question, &answer), OK);
    receipt.until_s = now_ms / 1000 - 1;
    receipt.stored_s = now_ms / 1000 - 10;
    receipt.seq = now_ms - 5000;
    put_receipt(&receipt, &n->nodes[1].key, bytes, &len);
    question.receipts[0].len = len;
    assert_int_equal(net_ask(n, 1, OWNER, &question, &answer), OK);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 0);
    net_free(n);
}

static void test_release(void **state)
{
    (void)state;
    struct net *n = net_new(5, 6);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, SETTLE_MS);
    size_t late = net_holder(n, OWNER, 0, 1);
    net_kill(n, late);
    assert_int_equal(
        keeper_remove(n->nodes[OWNER].keeper, &n->roots[0], net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, 5000);
    assert_int_equal(net_holders(n, OWNER, 0), 0);
    assert_int_equal(net_status(n, OWNER, 0).state, KEEPER_RELEASING);
    net_start(n, late); /* it did not know, and is told */
    net_run(n, NET_GRACE_MS);
    assert_int_equal(net_holders(n, OWNER, 0), 0);
    assert_int_equal(n->nodes[OWNER].events[KEEPER_EVENT_GONE], 1);
    struct keeper_status s;
    assert_int_equal(
        keeper_status(n->nodes[OWNER].keeper, &n->roots[0], net_now(n), &s),
        E_NOTFOUND);
    assert_int_equal(n->nodes[OWNER].rows_count, 0);
    net_free(n);
}

static void test_release_delay(void **state)
{
    (void)state;
    struct net *n = net_new(6, 5);
    size_t root = net_root(n, NET_OBJECT_BYTES);
    struct keeper_want want = {.root = n->roots[root],
                               .size_bytes = NET_OBJECT_BYTES,
                               .blocks = NET_BLOCKS,
                               .copies = 2,
                               .release_delay_s = 600};
    struct keeper *owner = n->nodes[OWNER].keeper;
    n->nodes[OWNER].has[root] = true;
    assert_int_equal(keeper_put(owner, &want, net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, SETTLE_MS);
    assert_int_equal(keeper_remove(owner, &want.root, net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(590) * 1000);
    assert_int_equal(net_holders(n, OWNER, root), 2);
    /* The owner thinks again: nothing is lost. */
    assert_int_equal(keeper_put(owner, &want, net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(3600) * 1000);
    assert_int_equal(net_holders(n, OWNER, root), 2);
    assert_int_equal(net_status(n, OWNER, root).copies_stored, 2);
    assert_int_equal(keeper_remove(owner, &want.root, net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(610) * 1000);
    assert_int_equal(net_holders(n, OWNER, root), 0);
    net_free(n);
}

static void test_expiry(void **state)
{
    (void)state;
    struct net *n = net_new(7, 5);
    size_t root = net_root(n, NET_OBJECT_BYTES);
    struct keeper_want want = {.root = n->roots[root],
                               .size_bytes = NET_OBJECT_BYTES,
                               .blocks = NET_BLOCKS,
                               .copies = 2};
    want.expires_ms = net_now(n).unix_ms + UINT64_C(300) * 1000;
    n->nodes[OWNER].has[root] = true;
    assert_int_equal(keeper_put(n->nodes[OWNER].keeper, &want, net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(290) * 1000);
    assert_int_equal(net_holders(n, OWNER, root), 2);
    net_run(n, UINT64_C(20) * 1000);
    assert_int_equal(net_holders(n, OWNER, root), 0);
    for (size_t i = 0; i < n->count; i++)
        assert_int_equal(n->nodes[i].rows_count, 0);
    net_free(n);
}

static void test_renewal(void **state)
{
    (void)state;
    struct net *n = net_new(8, 6);
    n->config.record_ms = UINT64_C(600) * 1000;
    n->config.receipt_ms = 200 * 1000;
    for (size_t i = 0; i < n->count; i++) {
        net_kill(n, i);
        net_start(n, i);
    }
    net_run(n, 1000);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, UINT64_C(3000) * 1000);
    struct keeper_status s = net_status(n, OWNER, 0);
    assert_int_equal(s.state, KEEPER_SAFE);
    assert_int_equal(net_holders(n, OWNER, 0), 3);
    for (size_t i = 0; i < n->count; i++)
        assert_int_equal(n->nodes[i].events[KEEPER_EVENT_REPAIRING], 0);
    /* Without its owner it lives until the record ends. */
    net_kill(n, OWNER);
    net_run(n, UINT64_C(250) * 1000);
    assert_int_equal(net_holders(n, OWNER, 0), 3);
    net_run(n, UINT64_C(400) * 1000);
    assert_int_equal(net_holders(n, OWNER, 0), 0);
    net_free(n);
}

static void test_receipts_renewed_without_owner(void **state)
{
    (void)state;
    struct net *n = net_new(9, 6);
    n->config.receipt_ms = 200 * 1000;
    for (size_t i = 0; i < n->count; i++) {
        net_kill(n, i);
        net_start(n, i);
    }
    net_run(n, 1000);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, SETTLE_MS);
    net_kill(n, OWNER);
    net_run(n, UINT64_C(7200) * 1000);
    assert_int_equal(net_holders(n, OWNER, 0), 3);
    size_t holder = net_holder(n, OWNER, 0, 0);
    assert_int_equal(net_status(n, holder, 0).copies_stored, 3);
    for (size_t i = 0; i < n->count; i++)
        assert_int_equal(n->nodes[i].events[KEEPER_EVENT_REPAIRING], 0);
    net_free(n);
}

static void test_larger_than_its_record(void **state)
{
    (void)state;
    struct net *n = net_new(10, 5);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES + 1), 2);
    net_run(n, SETTLE_MS);
    assert_int_equal(net_holders(n, OWNER, 0), 0);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 0);
    assert_string_equal(n->nodes[OWNER].refused, "size");
    for (size_t i = 1; i < n->count; i++)
        assert_int_equal(keeper_get_stats(n->nodes[i].keeper).promised_bytes,
                         0);
    net_free(n);
}

static void set_copies(struct net *n, uint32_t copies)
{
    assert_int_equal(keeper_set_copies(n->nodes[OWNER].keeper, &n->roots[0],
                                       copies, net_now(n)),
                     OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(3) * NET_GRACE_MS);
    assert_int_equal(net_holders(n, OWNER, 0), copies);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, copies);
}

static void test_set_copies(void **state)
{
    (void)state;
    struct net *n = net_new(11, 10);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 2);
    net_run(n, SETTLE_MS);
    set_copies(n, 5);
    set_copies(n, 1);
    set_copies(n, 7);
    set_copies(n, 3);
    struct keeper *owner = n->nodes[OWNER].keeper;
    assert_int_equal(keeper_set_copies(owner, &n->roots[0], 8, net_now(n)),
                     E_LIMIT);
    assert_int_equal(keeper_set_copies(owner, &n->roots[0], 0, net_now(n)),
                     E_LIMIT);
    net_free(n);
}

static enum err offer(struct net *n, size_t owner, size_t root, size_t to)
{
    struct checked_object object = sign(n, owner, root, 2, net_now(n).unix_ms);
    n->nodes[owner].has[root] = true;
    ask_record(STORAGE_OFFER, &object);
    return net_ask(n, owner, to, &question, &answer);
}

static void test_quota_of_owner(void **state)
{
    (void)state;
    struct net *n = net_new(12, 3);
    struct keeper *holder = n->nodes[1].keeper;
    size_t root = net_root(n, NET_OBJECT_BYTES);
    size_t second = net_root(n, NET_OBJECT_BYTES);
    keeper_set_offer(holder, UINT64_C(8) * NET_OBJECT_BYTES - 1, net_now(n));
    assert_int_equal(offer(n, 0, root, 1), OK);
    assert_int_equal(answer.reason, STORAGE_REASON_QUOTA);
    keeper_set_offer(holder, UINT64_C(8) * NET_OBJECT_BYTES, net_now(n));
    assert_int_equal(offer(n, 0, root, 1), OK);
    assert_int_equal(answer.type, STORAGE_ACCEPT);
    assert_int_equal(offer(n, 0, second, 1), OK);
    assert_int_equal(answer.reason, STORAGE_REASON_QUOTA);
    assert_int_equal(offer(n, 2, second, 1), OK); /* another owner */
    assert_int_equal(answer.type, STORAGE_ACCEPT);
    keeper_set_offer(holder, UINT64_C(2) * NET_OBJECT_BYTES, net_now(n));
    assert_int_equal(offer(n, 0, net_root(n, NET_OBJECT_BYTES), 1), OK);
    assert_int_equal(answer.reason, STORAGE_REASON_SPACE);
    keeper_set_offer(holder, 0, net_now(n));
    assert_int_equal(offer(n, 0, net_root(n, NET_OBJECT_BYTES), 1), OK);
    assert_int_equal(answer.reason, STORAGE_REASON_POLICY);
    net_free(n);
}

static void test_quota_of_group(void **state)
{
    (void)state;
    struct net *n = net_new(13, 6);
    for (size_t i = 2; i < 6; i++) {
        net_kill(n, i);
        net_run(n, 4000);       /* so that all see it come anew */
        n->nodes[i].ip[1] = 99; /* one IP group */
        net_start(n, i);
    }
    net_run(n, 1000);
    struct keeper *holder = n->nodes[1].keeper;
    keeper_set_offer(holder, UINT64_C(8) * NET_OBJECT_BYTES, net_now(n));
    for (size_t i = 2; i < 4; i++) {
        assert_int_equal(offer(n, i, net_root(n, NET_OBJECT_BYTES), 1), OK);
        assert_int_equal(answer.type, STORAGE_ACCEPT);
    }
    assert_int_equal(offer(n, 4, net_root(n, NET_OBJECT_BYTES), 1), OK);
    assert_int_equal(answer.reason, STORAGE_REASON_QUOTA);
    assert_int_equal(offer(n, 0, net_root(n, NET_OBJECT_BYTES), 1), OK);
    assert_int_equal(answer.type, STORAGE_ACCEPT); /* of another group */
    net_free(n);
}

static void test_banned(void **state)
{
    (void)state;
    struct net *n = net_new(14, 3);
    struct keeper *holder = n->nodes[1].keeper;
    keeper_on_ban(holder, &n->nodes[0].id, true, net_now(n));
    assert_int_equal(offer(n, 0, net_root(n, NET_OBJECT_BYTES), 1), OK);
    assert_int_equal(answer.reason, STORAGE_REASON_BANNED);
    /* Nor through another, who offers what the banned one owns. */
    struct checked_object object = sign(n, 0, 0, 2, net_now(n).unix_ms);
    ask_record(STORAGE_OFFER, &object);
    assert_int_equal(refused(n, 2, 1), STORAGE_REASON_BANNED);
    keeper_on_ban(holder, &n->nodes[0].id, false, net_now(n));
    assert_int_equal(offer(n, 0, 0, 1), OK);
    assert_int_equal(answer.type, STORAGE_ACCEPT);
    net_free(n);
}

static void test_sybils(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net *n = net_new(seed, 20);
        for (size_t i = 5; i < 20; i++)
            memcpy(n->nodes[i].ip, n->nodes[5].ip, 4);
        net_views(n);
        net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 4);
        net_run(n, SETTLE_MS);
        size_t on_one = 0;
        for (size_t i = 5; i < 20; i++)
            on_one += n->nodes[i].kept[0];
        assert_int_equal(net_holders(n, OWNER, 0), 4);
        assert_true(on_one <= 1);
        net_free(n);
    }
}

static void test_recover(void **state)
{
    (void)state;
    enum { OBJECTS = 40 }; /* more than one page */
    struct net *n = net_new(15, 4);
    for (size_t i = 0; i < OBJECTS; i++)
        net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, UINT64_C(60) * 1000);
    for (size_t i = 0; i < OBJECTS; i++)
        assert_int_equal(net_holders(n, OWNER, i), 3);
    net_kill(n, OWNER);
    net_wipe(n, OWNER);
    net_start(n, OWNER);
    net_run(n, 1000);
    struct peer_id peers[3];
    for (size_t i = 0; i < 3; i++)
        peers[i] = n->nodes[i + 1].id;
    uint64_t job = 0;
    assert_int_equal(
        keeper_recover(n->nodes[OWNER].keeper, peers, 3, net_now(n), &job), OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(30) * 1000);
    assert_int_equal(n->nodes[OWNER].done_job, job);
    assert_int_equal(n->nodes[OWNER].events[KEEPER_EVENT_RECOVERED], OBJECTS);
    net_run(n, UINT64_C(2) * NET_GRACE_MS);
    for (size_t i = 0; i < OBJECTS; i++)
        assert_int_equal(net_status(n, OWNER, i).copies_stored, 3);
    net_free(n);
}

static void test_mine_of_others(void **state)
{
    (void)state;
    struct net *n = net_new(16, 4);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, SETTLE_MS);
    memset(&question, 0, sizeof(question));
    question.type = STORAGE_MINE;
    question.at_s = net_now(n).unix_ms / 1000;
    struct pubkey key = privkey_public(&n->nodes[OWNER].key);
    memcpy(question.owner, key.data.p, key.data.len);
    storage_mine_sign(&n->nodes[2].key, &n->nodes[2].id, &n->nodes[1].id,
                      question.at_s, question.sig);
    assert_int_equal(refused(n, 2, 1), STORAGE_REASON_INVALID);
    storage_mine_sign(&n->nodes[OWNER].key, &n->nodes[OWNER].id,
                      &n->nodes[1].id, question.at_s, question.sig);
    assert_int_equal(refused(n, 2, 1), STORAGE_REASON_INVALID); /* replayed */
    assert_int_equal(net_ask(n, OWNER, 1, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_RECORDS);
    assert_int_equal(answer.records_count, 1);
    net_free(n);
}

static enum err verify(struct net *n)
{
    uint64_t job = 0;
    struct net_node *node = &n->nodes[OWNER];
    assert_int_equal(
        keeper_verify(node->keeper, &n->roots[0], net_now(n), &job), OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(10) * 1000);
    assert_int_equal(node->done_job, job);
    return node->done_err;
}

static void test_verify(void **state)
{
    (void)state;
    struct net *n = net_new(17, 8);
    uint64_t job = 0;
    struct cid unknown = cid_of(CODEC_RAW, BYTES_LIT("unknown"));
    assert_int_equal(
        keeper_verify(n->nodes[OWNER].keeper, &unknown, net_now(n), &job),
        E_NOTFOUND);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    assert_int_equal(verify(n), E_NOTFOUND); /* no copies yet */
    net_run(n, SETTLE_MS);
    assert_int_equal(verify(n), OK);
    size_t dead = net_holder(n, OWNER, 0, 0);
    net_kill(n, dead);
    assert_int_equal(verify(n), E_TIMEOUT);
    net_start(n, dead);
    net_run(n, NET_GRACE_MS);
    assert_int_equal(verify(n), OK);
    size_t liar = net_holder(n, OWNER, 0, 0);
    n->nodes[liar].lies = true;
    n->nodes[liar].has[0] = false;
    assert_int_equal(verify(n), E_MISMATCH);
    net_free(n);
}

static void test_wrong_bytes_are_not_safe(void **state)
{
    (void)state;
    struct net *n = net_new(18, 6);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    for (size_t i = 1; i < n->count; i++)
        n->nodes[i].corrupts = true;
    net_run(n, UINT64_C(10) * NET_GRACE_MS);
    struct keeper_status s = net_status(n, OWNER, 0);
    assert_int_equal(s.state, KEEPER_STORED);
    assert_int_equal(s.copies_verified, 0);
    for (size_t i = 1; i < n->count; i++)
        n->nodes[i].corrupts = false;
    net_run(n, UINT64_C(4) * NET_GRACE_MS);
    assert_int_equal(net_status(n, OWNER, 0).state, KEEPER_SAFE);
    net_free(n);
}

static void test_two_nodes_only(void **state)
{
    (void)state;
    struct net *n = net_new(19, 3);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 2);
    net_run(n, SETTLE_MS);
    /* No third node: each holder fetches from the other. */
    assert_int_equal(net_status(n, OWNER, 0).state, KEEPER_SAFE);
    net_free(n);
}

static void test_too_many_requests(void **state)
{
    (void)state;
    struct net *n = net_new(20, 2);
    memset(&question, 0, sizeof(question));
    question.type = STORAGE_STATUS;
    question.root = cid_of(CODEC_RAW, BYTES_LIT("x"));
    uint32_t answered = 0;
    uint32_t busy = 0;
    uint32_t dropped = 0;
    for (int i = 0; i < 300; i++) {
        enum err err = net_ask(n, 0, 1, &question, &answer);
        if (err == E_AGAIN)
            dropped++;
        else if (answer.type == STORAGE_REFUSE)
            busy++;
        else
            answered++;
    }
    assert_true(answered >= 32 && answered <= 100);
    assert_true(busy >= 32);
    assert_true(dropped >= 100);
    net_run(n, 5000);
    assert_int_equal(net_ask(n, 0, 1, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_STATE);
    assert_int_equal(answer.state, STORAGE_STATE_NONE);
    net_free(n);
}

static void test_objects_max(void **state)
{
    (void)state;
    struct net *n = net_new(21, 3);
    n->config.objects_max = 2;
    for (size_t i = 0; i < 3; i++) {
        net_kill(n, i);
        net_start(n, i);
    }
    net_run(n, 1000);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(offer(n, 0, net_root(n, NET_OBJECT_BYTES), 1), OK);
        assert_int_equal(answer.type, STORAGE_ACCEPT);
        net_put(n, 2, i, 1);
    }
    assert_int_equal(offer(n, 0, net_root(n, NET_OBJECT_BYTES), 1), OK);
    assert_int_equal(answer.reason, STORAGE_REASON_SPACE);
    struct keeper_want want = {.root = n->roots[2],
                               .size_bytes = NET_OBJECT_BYTES,
                               .blocks = NET_BLOCKS,
                               .copies = 1};
    assert_int_equal(keeper_put(n->nodes[2].keeper, &want, net_now(n)),
                     E_LIMIT);
    net_free(n);
}

static void test_rows_that_are_none(void **state)
{
    (void)state;
    struct net *n = net_new(22, 5);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, SETTLE_MS);
    size_t holder = net_holder(n, OWNER, 0, 0);
    const struct net_row *row = &n->nodes[holder].rows[0];
    struct bytes key = {.p = row->key, .len = row->key_len};
    struct keeper *k =
        keeper_new(&n->config, &n->nodes[holder].key, &n->rng, net_now(n));
    for (size_t len = 0; len < row->value_len; len++) {
        struct bytes part = {.p = row->value, .len = len};
        assert_int_equal(keeper_load(k, key, part, net_now(n)), E_CORRUPT);
    }
    struct bytes other_key = {.p = n->nodes[0].id.bytes, .len = 32};
    struct bytes all = {.p = row->value, .len = row->value_len};
    assert_int_equal(keeper_load(k, other_key, all, net_now(n)), E_CORRUPT);
    for (size_t i = 0; i < row->value_len; i++) {
        uint8_t *copy = malloc(row->value_len);
        assert_non_null(copy);
        memcpy(copy, row->value, row->value_len);
        copy[i] ^= (uint8_t)(1 << net_random(n, 8));
        struct keeper *other =
            keeper_new(&n->config, &n->nodes[holder].key, &n->rng, net_now(n));
        struct bytes bad = {.p = copy, .len = row->value_len};
        if (keeper_load(other, key, bad, net_now(n)) == OK)
            keeper_start(other, net_now(n)); /* as it says */
        keeper_free(other);
        free(copy);
    }
    assert_int_equal(keeper_load(k, key, all, net_now(n)), OK);
    assert_int_equal(keeper_load(k, key, all, net_now(n)), E_CORRUPT);
    keeper_free(k);
    net_free(n);
}

static void test_asking_a_fellow_for_the_block(void **state)
{
    (void)state;
    struct net *n = net_new(23, 5);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 2);
    net_run(n, SETTLE_MS);
    size_t holder = net_holder(n, OWNER, 0, 0);
    struct net_node *owner = &n->nodes[OWNER];
    uint64_t job = 0;
    assert_int_equal(
        keeper_verify(owner->keeper, &n->roots[0], net_now(n), &job), OK);
    net_drain(n, OWNER);
    bool refused_once = false;
    for (int i = 0; i < 200 && !refused_once; i++) {
        for (unsigned b = 0; b < NET_BLOCKS; b++) {
            uint8_t data[2] = {0, (uint8_t)b};
            struct cid cid = cid_of(CODEC_RAW, (struct bytes){data, 2});
            refused_once |= keeper_on_asked(owner->keeper, &n->nodes[holder].id,
                                            &cid, net_now(n));
        }
        net_run(n, 1);
    }
    assert_true(refused_once);
    net_run(n, 5000);
    assert_int_equal(owner->done_err, E_MISMATCH);
    net_free(n);
}

static void test_mutated_messages(void **state)
{
    (void)state;
    struct net *n = net_new(24, 4);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, SETTLE_MS);
    struct checked_object object = sign(n, OWNER, 0, 3, 5);
    ask_record(STORAGE_OFFER, &object);
    uint8_t bytes[4096];
    struct wr w = wr_init(bytes, sizeof(bytes));
    storage_message_encode(&w, &question);
    struct keeper *k = n->nodes[1].keeper;
    for (size_t i = 0; i < wr_len(&w); i++) {
        uint64_t id = 0;
        net_run(n, 200);
        assert_int_not_equal(keeper_serve(k, &n->nodes[2].id,
                                          (struct bytes){.p = bytes, .len = i},
                                          net_now(n), &id),
                             OK);
        bytes[i] ^= (uint8_t)(1 << net_random(n, 8));
        struct bytes bad = {.p = bytes, .len = wr_len(&w)};
        if (keeper_serve(k, &n->nodes[2].id, bad, net_now(n), &id) == OK)
            net_drain(n, 1);
    }
    net_run(n, NET_GRACE_MS);
    assert_int_equal(net_holders(n, OWNER, 0), 3);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_forged_record, net_teardown),
        cmocka_unit_test_teardown(test_other_network_and_times, net_teardown),
        cmocka_unit_test_teardown(test_replayed_record, net_teardown),
        cmocka_unit_test_teardown(test_forged_receipt, net_teardown),
        cmocka_unit_test_teardown(test_release, net_teardown),
        cmocka_unit_test_teardown(test_release_delay, net_teardown),
        cmocka_unit_test_teardown(test_expiry, net_teardown),
        cmocka_unit_test_teardown(test_renewal, net_teardown),
        cmocka_unit_test_teardown(test_receipts_renewed_without_owner,
                                  net_teardown),
        cmocka_unit_test_teardown(test_larger_than_its_record, net_teardown),
        cmocka_unit_test_teardown(test_set_copies, net_teardown),
        cmocka_unit_test_teardown(test_quota_of_owner, net_teardown),
        cmocka_unit_test_teardown(test_quota_of_group, net_teardown),
        cmocka_unit_test_teardown(test_banned, net_teardown),
        cmocka_unit_test_teardown(test_sybils, net_teardown),
        cmocka_unit_test_teardown(test_recover, net_teardown),
        cmocka_unit_test_teardown(test_mine_of_others, net_teardown),
        cmocka_unit_test_teardown(test_verify, net_teardown),
        cmocka_unit_test_teardown(test_wrong_bytes_are_not_safe, net_teardown),
        cmocka_unit_test_teardown(test_two_nodes_only, net_teardown),
        cmocka_unit_test_teardown(test_too_many_requests, net_teardown),
        cmocka_unit_test_teardown(test_objects_max, net_teardown),
        cmocka_unit_test_teardown(test_rows_that_are_none, net_teardown),
        cmocka_unit_test_teardown(test_asking_a_fellow_for_the_block,
                                  net_teardown),
        cmocka_unit_test_teardown(test_mutated_messages, net_teardown),
    };
    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
