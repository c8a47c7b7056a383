/*
 * What nodes think of a copy comes to what is true.
 *
 * A network of keepers in virtual time.  Somebody is misjudged, blind, or has
 * no dealings with some of the others; then all that can see each other must
 * agree again, soon, on as many copies as are wanted.
 */
#include "keeper_net.h"
#include "storage/message.h"

enum {
    SEEDS = 20,
    OWNER = 0,
    NODES = 10,
    COPIES = 3,
    SETTLE_MS = 20 * 1000,
    LONG_GRACES = 20, /* much less than the life of a receipt */
    TRIES = 999,
    TRY_MS = 500,
};

static struct storage_message question; /* NOLINT: of this test alone */
static struct storage_message answer;   /* NOLINT: of this test alone */

static struct net *stored(uint64_t seed, uint32_t copies)
{
    struct net *n = net_new(seed, NODES);
    n->wanted = copies;
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), copies);
    net_run(n, SETTLE_MS + UINT64_C(2) * NET_AUDIT_MS);
    assert_int_equal(net_holders(n, OWNER, 0), copies);
    return n;
}

/* One check, of a new network with so many copies for each seed. */
struct scene {
    uint32_t copies;
    void (*check)(struct net *n);
};

static void each_seed(void **state)
{
    const struct scene *scene = *state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, scene->copies);
        scene->check(n);
        net_free(n);
    }
}

/* The question about the object, without what @type adds. */
static void begin_question(struct net *n, enum storage_message_type type)
{
    struct pubkey key = privkey_public(&n->nodes[OWNER].key);
    memset(&question, 0, sizeof(question));
    question.type = type;
    question.root = n->roots[0];
    memcpy(question.owner, key.data.p, OBJECT_OWNER_BYTES);
}

static void ask(struct net *n, size_t from, size_t to,
                enum storage_message_type type, enum storage_reason reason)
{
    begin_question(n, type);
    question.reason = reason;
    assert_int_equal(net_ask(n, from, to, &question, &answer), OK);
}

static void ask_state(struct net *n, size_t from, size_t to)
{
    ask(n, from, to, STORAGE_STATUS, STORAGE_REASON_OTHER);
}

static void notice(struct net *n, size_t from, size_t to,
                   enum storage_reason reason)
{
    ask(n, from, to, STORAGE_NOTICE, reason);
}

/* What @node thinks of the copy of @other. */
static enum keeper_holder_state view(struct net *n, size_t node, size_t other)
{
    struct keeper_status s = net_status(n, node, 0);
    for (size_t i = 0; i < s.holders_count; i++) {
        if (peer_id_eq(&s.holders[i].peer, &n->nodes[other].id))
            return s.holders[i].state;
    }
    return KEEPER_HOLDER_FAILED;
}

static bool counts(enum keeper_holder_state state)
{
    return state == KEEPER_HOLDER_STORED || state == KEEPER_HOLDER_VERIFIED;
}

/* Whether @node counts all that keep it. */
static bool knows_all(struct net *n, size_t node)
{
    for (size_t at = 0; net_holder(n, OWNER, 0, at) != SIZE_MAX; at++) {
        if (!counts(view(n, node, net_holder(n, OWNER, 0, at))))
            return false;
    }
    return true;
}

/* Whether there are as many as are wanted and all there know of each other. */
static bool agree(struct net *n, bool with_owner)
{
    if (net_holders(n, OWNER, 0) != COPIES)
        return false;
    for (size_t at = 0; at < COPIES; at++) {
        if (!knows_all(n, net_holder(n, OWNER, 0, at)))
            return false;
    }
    return !with_owner || knows_all(n, OWNER);
}

static void assert_agree(struct net *n, bool with_owner)
{
    if (!agree(n, with_owner))
        net_print(n, 0);
    assert_true(agree(n, with_owner));
}

/* Let time pass until the owner tells of @event; false: it did not. */
static bool happens(struct net *n, enum keeper_event event)
{
    for (int tries = 0; n->nodes[OWNER].events[event] == 0; tries++) {
        if (tries == TRIES)
            return false;
        net_run(n, TRY_MS);
    }
    return true;
}

/* A holder cannot read its blocks and has found out; it answered last. */
static size_t mending_holder(struct net *n)
{
    n->pull_ms = 3000;
    size_t holder = net_holder(n, OWNER, 0, net_random(n, COPIES));
    n->nodes[holder].has[0] = false;
    int tries = 0;
    do {
        net_run(n, TRY_MS);
        ask_state(n, OWNER, holder);
    } while (answer.state == STORAGE_STATE_KEPT && ++tries <= TRIES);
    return holder;
}

/* The owner counts the copy of @holder, unless it was one too many since. */
static void assert_counted(struct net *n, size_t holder)
{
    assert_true(!n->nodes[holder].kept[0] || counts(view(n, OWNER, holder)));
}

/* An owner with nothing but its key sees its only holder go and come. */
static void test_blind_owner_sees_holders(struct net *n)
{
    n->wanted = 0;
    size_t holder = net_holder(n, OWNER, 0, 0);
    net_kill(n, OWNER);
    net_wipe(n, OWNER);
    net_start(n, OWNER);
    net_run(n, SETTLE_MS);
    uint64_t job = 0;
    assert_int_equal(keeper_recover(n->nodes[OWNER].keeper,
                                    &n->nodes[holder].id, 1, net_now(n), &job),
                     OK);
    net_drain(n, OWNER);
    net_run(n, UINT64_C(4) * NET_AUDIT_MS);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 1);
    net_kill(n, holder);
    net_run(n, UINT64_C(3) * NET_GRACE_MS);
    assert_int_equal(net_status(n, OWNER, 0).state, KEEPER_LOST);
    net_start(n, holder);
    net_run(n, UINT64_C(5) * NET_GRACE_MS);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 1);
    assert_counted(n, holder);
}

/* It does not take what it hears for an audit, so holders go on to act. */
static void test_blind_owner_leaves_repair(struct net *n)
{
    n->nodes[OWNER].has[0] = false;
    net_run(n, UINT64_C(3) * NET_AUDIT_MS);
    net_kill(n, net_holder(n, OWNER, 0, net_random(n, COPIES)));
    net_run(n, UINT64_C(6) * NET_GRACE_MS);
    assert_agree(n, true);
}

/* Wrong digests for a while: an honest node is taken for a liar. */
static void test_misjudged_counts_again(struct net *n)
{
    size_t holder = net_holder(n, OWNER, 0, net_random(n, COPIES));
    n->nodes[holder].lies = true;
    net_run(n, UINT64_C(2) * NET_AUDIT_MS);
    n->nodes[holder].lies = false;
    assert_false(counts(view(n, OWNER, holder)));
    net_run(n, (UINT64_C(1) * LONG_GRACES + 4) * NET_GRACE_MS);
    assert_agree(n, true);
}

/* A new holder hears of one whom only the owner does not trust, and looks. */
static void test_new_holder_hears_of_misjudged(void **state)
{
    uint32_t looked = 0;
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, COPIES);
        n->wanted = 0;
        size_t old[COPIES];
        for (size_t i = 0; i < COPIES; i++)
            old[i] = net_holder(n, OWNER, 0, i);
        size_t holder = old[net_random(n, COPIES)];
        n->nodes[holder].lies = true;
        (void)happens(n, KEEPER_EVENT_AUDIT_FAILED);
        n->nodes[holder].lies = false;
        for (size_t i = 0; i < COPIES; i++)
            n->nodes[old[i]].is_lazy = true;
        /* The others of before do not tell. */
        for (size_t i = 0; i < COPIES; i++) {
            if (old[i] != holder)
                net_kill(n, old[i]);
        }
        net_kill(n, holder);
        net_run(n, UINT64_C(3) * NET_GRACE_MS);
        net_start(n, holder);
        net_run(n, UINT64_C(2) * NET_GRACE_MS);
        size_t knowing = 0;
        size_t count = net_holders(n, OWNER, 0);
        for (size_t i = 0; i < count; i++)
            knowing += counts(view(n, net_holder(n, OWNER, 0, i), holder));
        if (n->nodes[holder].kept[0]) { /* it was not one too many */
            assert_true(knowing > 1);   /* itself, and one that only heard */
            looked++;
        }
        net_free(n);
    }
    assert_true(looked > 0);
}

/* Blocks that cannot be read once: it mends, and says so. */
static void test_mended_counts_again(struct net *n)
{
    uint64_t before = net_status(n, OWNER, 0).seq;
    size_t holder = mending_holder(n);
    /* While a block is missing it neither says nor shows to hold it. */
    assert_int_equal(answer.state, STORAGE_STATE_PULLING);
    for (size_t i = 0; i < answer.receipts_count; i++) {
        struct storage_receipt r;
        assert_int_equal(receipt_decode(answer.receipts[i], &r), OK);
        assert_false(peer_id_eq(&r.holder, &n->nodes[holder].id));
    }
    assert_int_equal(net_status(n, OWNER, 0).seq, before);
    net_run(n, UINT64_C(1) * LONG_GRACES * NET_GRACE_MS);
    assert_agree(n, true);
}

/* An offer while it mends is accepted, and the receipt follows. */
static void test_offer_while_mending(struct net *n)
{
    size_t holder = mending_holder(n);
    static uint8_t record[OBJECT_RECORD_BYTES_MAX];
    struct bytes encoded = answer.record;
    memcpy(record, encoded.p, encoded.len);
    memset(&question, 0, sizeof(question));
    question.type = STORAGE_OFFER;
    question.record = (struct bytes){.p = record, .len = encoded.len};
    assert_int_equal(net_ask(n, OWNER, holder, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_ACCEPT);
    assert_int_equal(answer.receipts_count, 0);
    net_run(n, UINT64_C(2) * NET_GRACE_MS);
    assert_counted(n, holder);
}

/* What @of tells of who keeps it, said by @from to @to. */
static void send_set(struct net *n, size_t of, size_t from, size_t to)
{
    static uint8_t receipts[STORAGE_RECEIPTS_MAX][RECEIPT_BYTES_MAX];
    size_t lens[STORAGE_RECEIPTS_MAX];
    ask_state(n, to, of);
    size_t count = answer.receipts_count;
    for (size_t i = 0; i < count; i++) {
        lens[i] = answer.receipts[i].len;
        memcpy(receipts[i], answer.receipts[i].p, lens[i]);
    }
    begin_question(n, STORAGE_HOLDERS);
    question.receipts_count = count;
    for (size_t i = 0; i < count; i++)
        question.receipts[i] = (struct bytes){.p = receipts[i], .len = lens[i]};
    assert_int_equal(net_ask(n, from, to, &question, &answer), OK);
}

/* An old notice comes again: its sender keeps the copy that it denies. */
static void test_replayed_notice(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, COPIES);
        bool is_left = seed % 2 == 0;
        size_t holder = net_holder(n, OWNER, 0, net_random(n, COPIES));
        size_t told[COPIES + 1] = {OWNER};
        for (size_t i = 0; i < COPIES; i++)
            told[i + 1] = net_holder(n, OWNER, 0, i);
        for (size_t i = 0; i < COPIES + 1; i++) {
            if (told[i] != holder)
                notice(n, holder, told[i], STORAGE_REASON_OTHER);
        }
        assert_false(counts(view(n, OWNER, holder)));
        if (is_left)
            net_kill(n, OWNER);
        net_run(n, UINT64_C(1) * LONG_GRACES * NET_GRACE_MS);
        assert_agree(n, !is_left);
        net_free(n);
    }
}

/* The clock of a holder is behind: what it says after a notice is new. */
static void test_receipt_after_notice(struct net *n)
{
    size_t holder = net_holder(n, OWNER, 0, net_random(n, COPIES));
    notice(n, holder, OWNER, STORAGE_REASON_OTHER);
    assert_false(counts(view(n, OWNER, holder)));
    ask_state(n, OWNER, holder);
    send_set(n, holder, holder, OWNER);
    /* It is no proof against what it said itself: an audit is. */
    assert_false(counts(view(n, OWNER, holder)));
    net_run(n, UINT64_C(3) * NET_GRACE_MS);
    assert_counted(n, holder);
}

/* All holders have no dealings with the owner, all others have. */
static void shun_owner(struct net *n)
{
    size_t holders[COPIES];
    for (size_t i = 0; i < COPIES; i++)
        holders[i] = net_holder(n, OWNER, 0, i);
    for (size_t i = 0; i < COPIES; i++)
        net_shun(n, OWNER, holders[i]);
}

/* All holders learn of the first one, and of those it knows. */
static void introduce(struct net *n)
{
    size_t first = net_holder(n, OWNER, 0, 0);
    for (size_t i = 1; net_holder(n, OWNER, 0, i) != SIZE_MAX; i++)
        send_set(n, first, first, net_holder(n, OWNER, 0, i));
}

static uint32_t repairs_in(struct net *n, uint32_t graces)
{
    uint32_t before = n->nodes[OWNER].events[KEEPER_EVENT_REPAIRING];
    for (uint32_t i = 0; i < graces; i++) {
        net_run(n, NET_GRACE_MS);
        introduce(n);
    }
    return n->nodes[OWNER].events[KEEPER_EVENT_REPAIRING] - before;
}

/* Whom the holders refuse offers its object ever less often. */
static void test_refused_owner_calms_down(struct net *n)
{
    shun_owner(n);
    assert_true(repairs_in(n, LONG_GRACES) > 0);
    assert_true(repairs_in(n, 2 * LONG_GRACES) <= 2 * COPIES);
    assert_true(net_holders(n, OWNER, 0) >= COPIES);
}

/* Who lies that there are too many does not keep an owner from repair. */
static void test_false_surplus(struct net *n)
{
    for (size_t i = 1; i < NODES; i++)
        n->nodes[i].is_lazy = true; /* only the owner can repair */
    net_views(n);
    for (int i = 0; i < 5; i++) {
        size_t liar = net_holder(n, OWNER, 0, net_random(n, COPIES));
        notice(n, liar, OWNER, STORAGE_REASON_SURPLUS);
        net_kill(n, liar);
        net_run(n, UINT64_C(2) * NET_GRACE_MS);
        assert_int_equal(net_status(n, OWNER, 0).copies_stored, COPIES);
    }
}

/* Two sets of holders that never heard of each other become one. */
static void test_two_sets_meet(struct net *n)
{
    shun_owner(n);
    assert_true(happens(n, KEEPER_EVENT_REPAIRED));
    net_run(n, 2000);
    net_kill(n, OWNER);
    net_run(n, UINT64_C(1) * LONG_GRACES * NET_GRACE_MS);
    assert_agree(n, false);
}

static void assert_not_lost(struct net *n)
{
    static struct keeper_status s; /* NOLINT: scratch */
    enum err err =
        keeper_status(n->nodes[OWNER].keeper, &n->roots[0], net_now(n), &s);
    assert_true(err != OK || s.state != KEEPER_LOST);
}

/* Who lists its objects as soon as they are recovered sees what there is. */
static void test_recovered_is_not_lost(struct net *n)
{
    struct peer_id peers[NODES - 1];
    for (size_t i = 1; i < NODES; i++)
        peers[i - 1] = n->nodes[i].id;
    net_kill(n, OWNER);
    net_wipe(n, OWNER);
    net_start(n, OWNER);
    net_run(n, SETTLE_MS);
    uint64_t job = 0;
    assert_int_equal(keeper_recover(n->nodes[OWNER].keeper, peers, NODES - 1,
                                    net_now(n), &job),
                     OK);
    net_drain(n, OWNER);
    for (int tries = 0; n->nodes[OWNER].done_job != job; tries++) {
        assert_true(tries < TRIES);
        assert_not_lost(n);
        net_run(n, 1);
    }
    struct keeper_status s = net_status(n, OWNER, 0);
    assert_int_equal(s.copies_stored, COPIES);
    assert_int_equal(s.state, KEEPER_STORED);
}

/* An owner that was away for longer than receipts last does not know yet. */
static void test_back_late_is_not_lost(void **state)
{
    enum { RECEIPT_MS = 10 * 60 * 1000, STEPS = 100 };
    struct net *n = net_new(1, NODES);
    (void)state;
    n->config.receipt_ms = RECEIPT_MS;
    for (size_t i = 0; i < NODES; i++) {
        net_kill(n, i);
        net_start(n, i);
    }
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), COPIES);
    net_run(n, SETTLE_MS + UINT64_C(2) * NET_AUDIT_MS);
    net_kill(n, OWNER);
    net_run(n, UINT64_C(2) * RECEIPT_MS);
    net_start(n, OWNER);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 0);
    for (int i = 0; i < STEPS; i++) {
        assert_not_lost(n);
        net_run(n, NET_AUDIT_MS / STEPS + 50);
    }
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, COPIES);
    /* Its holders have nothing any more, and say so. */
    n->nodes[OWNER].is_lazy = true;
    for (size_t i = 1; i < NODES; i++) {
        net_kill(n, i);
        net_wipe(n, i);
        net_start(n, i);
        n->nodes[i].disk_full = true;
    }
    net_run(n, UINT64_C(3) * NET_GRACE_MS);
    assert_int_equal(net_status(n, OWNER, 0).state, KEEPER_LOST);
    net_free(n);
}

#define SCENE(copies, check)                                                   \
    {                                                                          \
#check, each_seed, NULL, net_teardown, &(struct scene)                 \
        {                                                                      \
            copies, check                                                      \
        }                                                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(1, test_blind_owner_sees_holders),
        SCENE(COPIES, test_blind_owner_leaves_repair),
        SCENE(COPIES, test_misjudged_counts_again),
        cmocka_unit_test_teardown(test_new_holder_hears_of_misjudged,
                                  net_teardown),
        SCENE(COPIES, test_mended_counts_again),
        SCENE(COPIES, test_offer_while_mending),
        cmocka_unit_test_teardown(test_replayed_notice, net_teardown),
        SCENE(COPIES, test_receipt_after_notice),
        SCENE(COPIES, test_refused_owner_calms_down),
        SCENE(COPIES, test_false_surplus),
        SCENE(COPIES, test_two_sets_meet),
        SCENE(COPIES, test_recovered_is_not_lost),
        cmocka_unit_test_teardown(test_back_late_is_not_lost, net_teardown),
    };
    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
