/*
 * Goal: what others tell of copies puts no repair off.
 * Method: a small network of keepers in virtual time.  A node that nobody
 * reaches tells the owner and the holders again and again of copies, made-up
 * ones or its own, with true signatures; then a holder is lost.  Within a few
 * graces there must be as many copies as are wanted.
 */
#include "base/wr.h"
#include "keeper_net.h"
#include "storage/message.h"
#include "storage/receipt.h"
#include "storage/record.h"

enum {
    SEEDS = 6,
    OWNER = 0,
    STRANGER = 9, /* speaks, but is not there when it is asked */
    NODES = 10,
    COPIES = 3,
    MADE_UP = 3, /* told of at once */
    LIFE_S = 3600,
    SETTLE_MS = 20 * 1000,
    TELL_MS = NET_GRACE_MS / 6,
    REPAIR_GRACES = 4,
};

static struct storage_message question; /* NOLINT: of this test alone */
static struct storage_message answer;   /* NOLINT: of this test alone */
static uint8_t receipts[MADE_UP]        /* NOLINT: of this test alone */
                       [RECEIPT_BYTES_MAX];

static void begin_question(struct net *n, enum storage_message_type type)
{
    struct pubkey key = privkey_public(&n->nodes[OWNER].key);

    memset(&question, 0, sizeof(question));
    question.type = type;
    question.root = n->roots[0];
    memcpy(question.owner, key.data.p, OBJECT_OWNER_BYTES);
}

/* What the object's record is, as anybody may ask. */
static void ask_hash(struct net *n, size_t to, uint8_t *ret_hash)
{
    struct checked_object object;

    begin_question(n, STORAGE_STATUS);
    assert_int_equal(net_ask(n, STRANGER, to, &question, &answer), OK);
    assert_int_equal(object_open(answer.record, &object), OK);
    memcpy(ret_hash, object.hash, OBJECT_HASH_BYTES);
}

static struct bytes sign(struct net *n, const struct privkey *key,
                         const uint8_t *hash, uint8_t *dst)
{
    struct checked_receipt checked;
    struct wr w = wr_init(dst, RECEIPT_BYTES_MAX);
    uint64_t now_ms = net_now(n).unix_ms;
    struct pubkey owner = privkey_public(&n->nodes[OWNER].key);
    struct storage_receipt r = {.network = "testnet",
                                .root = n->roots[0],
                                .stored_s = now_ms / 1000 - 1,
                                .until_s = now_ms / 1000 + LIFE_S,
                                .seq = now_ms};

    memcpy(r.owner, owner.data.p, sizeof(r.owner));
    memcpy(r.record_hash, hash, sizeof(r.record_hash));
    assert_int_equal(receipt_sign(&r, key, &checked), OK);
    receipt_write(&w, &checked);
    return (struct bytes){.p = dst, .len = wr_len(&w)};
}

/* What the stranger does at each of its turns. */
struct lie {
    bool of_itself; /* its own receipt; else those of made-up holders */
    bool is_fresh;  /* others each time */
    bool lets_go;   /* and says at once that it had one too many */
    bool owner_goes;
    bool restarts; /* who was told begins anew */
};

static void put_made_up(struct net *n, const struct lie *lie,
                        const uint8_t *hash)
{
    static uint32_t fresh; /* NOLINT: of this test alone */

    question.receipts_count = MADE_UP;
    for (uint32_t i = 0; i < MADE_UP; i++) {
        uint32_t name = lie->is_fresh ? ++fresh : i;
        uint8_t seed[32] = {99};
        struct privkey key;
        memcpy(seed + 1, &name, sizeof(name));
        privkey_init_seed(&key, seed);
        question.receipts[i] = sign(n, &key, hash, receipts[i]);
        privkey_release(&key);
    }
}

static void tell(struct net *n, const struct lie *lie, const uint8_t *hash,
                 size_t to)
{
    if (n->nodes[to].keeper == NULL || !n->nodes[to].has[0])
        return;
    begin_question(n, STORAGE_HOLDERS);
    if (lie->of_itself) {
        question.receipts_count = 1;
        question.receipts[0] =
            sign(n, &n->nodes[STRANGER].key, hash, receipts[0]);
    } else {
        put_made_up(n, lie, hash);
    }
    assert_int_equal(net_ask(n, STRANGER, to, &question, &answer), OK);
    if (!lie->lets_go)
        return;
    begin_question(n, STORAGE_NOTICE);
    question.reason = STORAGE_REASON_SURPLUS;
    assert_int_equal(net_ask(n, STRANGER, to, &question, &answer), OK);
}

static void tell_all(struct net *n, const struct lie *lie, const uint8_t *hash,
                     uint32_t graces)
{
    uint64_t end_ms = n->now_ms + (uint64_t)graces * NET_GRACE_MS;

    while (n->now_ms < end_ms) {
        for (size_t i = 0; i < STRANGER; i++)
            tell(n, lie, hash, i);
        net_run(n, TELL_MS);
    }
}

static void assert_all_say(struct net *n, uint32_t copies)
{
    for (size_t i = 0; i < STRANGER; i++) {
        if (n->nodes[i].keeper == NULL || !n->nodes[i].has[0])
            continue;
        struct keeper_status s = net_status(n, i, 0);
        if (s.copies_stored != copies)
            net_print(n, 0);
        assert_int_equal(s.copies_stored, copies);
    }
}

static void restart(struct net *n, size_t node)
{
    net_kill(n, node);
    net_start(n, node);
    net_run(n, 100);
}

static struct net *kept(uint64_t seed)
{
    struct net *n = net_new(seed, NODES);

    net_kill(n, STRANGER);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), COPIES);
    net_run(n, SETTLE_MS + UINT64_C(2) * NET_AUDIT_MS);
    assert_int_equal(net_holders(n, OWNER, 0), COPIES);
    assert_all_say(n, COPIES);
    return n;
}

static void check(uint64_t seed, const struct lie *lie)
{
    struct net *n = kept(seed);
    uint8_t hash[OBJECT_HASH_BYTES];

    ask_hash(n, net_holder(n, OWNER, 0, 0), hash);
    if (lie->owner_goes)
        net_kill(n, OWNER);
    tell_all(n, lie, hash, 1);
    for (size_t i = 0; i < COPIES && lie->restarts; i++)
        restart(n, net_holder(n, OWNER, 0, i));
    if (lie->restarts && !lie->owner_goes)
        restart(n, OWNER);
    assert_all_say(n, COPIES);
    net_kill(n, net_holder(n, OWNER, 0, net_random(n, COPIES)));
    tell_all(n, lie, hash, REPAIR_GRACES);
    if (net_holders(n, OWNER, 0) < COPIES)
        net_print(n, 0);
    assert_true(net_holders(n, OWNER, 0) >= COPIES);
    net_free(n);
}

static void each_seed(void **state)
{
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct lie lie = *(const struct lie *)*state;
        check(seed, &lie);
        lie.owner_goes = true;
        check(seed, &lie);
    }
}

/* The owner need not wait for the end of receipts of who never was there. */
static void test_made_up_holders_are_released(void **state)
{
    struct net *n = kept(1);
    uint8_t hash[OBJECT_HASH_BYTES];
    struct lie lie = {.is_fresh = false};
    static struct keeper_status s; /* NOLINT: scratch */

    (void)state;
    ask_hash(n, net_holder(n, OWNER, 0, 0), hash);
    tell_all(n, &lie, hash, 1);
    assert_int_equal(
        keeper_remove(n->nodes[OWNER].keeper, &n->roots[0], net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(6) * NET_GRACE_MS);
    assert_int_equal(
        keeper_status(n->nodes[OWNER].keeper, &n->roots[0], net_now(n), &s),
        E_NOTFOUND);
    net_free(n);
}

/* A table full of made-up holders has room for a true one. */
static void test_crowd_leaves_room(void **state)
{
    struct net *n = kept(1);
    uint8_t hash[OBJECT_HASH_BYTES];
    struct lie lie = {.is_fresh = true};

    (void)state;
    ask_hash(n, net_holder(n, OWNER, 0, 0), hash);
    for (size_t i = 0; i < KEEPER_HOLDERS_MAX; i++)
        tell(n, &lie, hash, OWNER);
    assert_all_say(n, COPIES);
    assert_int_equal(keeper_set_copies(n->nodes[OWNER].keeper, &n->roots[0],
                                       COPIES + 1, net_now(n)),
                     OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(2) * NET_GRACE_MS);
    assert_int_equal(net_holders(n, OWNER, 0), COPIES + 1);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, COPIES + 1);
    net_free(n);
}

int main(void)
{
    static struct lie made_up = {.is_fresh = false};
    static struct lie again = {.restarts = true};
    static struct lie fresh = {.is_fresh = true};
    static struct lie its_own = {.of_itself = true};
    static struct lie surplus = {.of_itself = true, .lets_go = true};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(each_seed, NULL, net_teardown,
                                                 &made_up),
        cmocka_unit_test_prestate_setup_teardown(each_seed, NULL, net_teardown,
                                                 &again),
        cmocka_unit_test_prestate_setup_teardown(each_seed, NULL, net_teardown,
                                                 &fresh),
        cmocka_unit_test_prestate_setup_teardown(each_seed, NULL, net_teardown,
                                                 &its_own),
        cmocka_unit_test_prestate_setup_teardown(each_seed, NULL, net_teardown,
                                                 &surplus),
        cmocka_unit_test_teardown(test_made_up_holders_are_released,
                                  net_teardown),
        cmocka_unit_test_teardown(test_crowd_leaves_room, net_teardown),
    };

    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
