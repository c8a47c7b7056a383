/*
 * Goal: a holder whose disk loses what it writes makes no copies that nobody
 * needs; one whose disk is good again is relied on.
 * Method: a small network of keepers in virtual time without the owner.  The
 * disk of one holder reads nothing back, so that it can judge nobody, while
 * the copies that it has seen are lost one after the other.
 */
#include "keeper_net.h"

enum {
    SEEDS = 20,
    OWNER = 0,
    NODES = 10,
    COPIES = 3,
    SETTLE_MS = 20 * 1000,
    REPAIR_MS = 6 * NET_GRACE_MS,
    LONG_MS = 40 * NET_GRACE_MS,
};

static struct net *stored(uint64_t seed)
{
    struct net *n = net_new(seed, NODES);

    n->wanted = COPIES;
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), COPIES);
    net_run(n, SETTLE_MS);
    assert_int_equal(net_holders(n, OWNER, 0), COPIES);
    net_kill(n, OWNER);
    return n;
}

/* A holder but @bad. */
static size_t other_holder(struct net *n, size_t bad)
{
    size_t holder = net_holder(n, OWNER, 0, 0);

    return holder != bad ? holder : net_holder(n, OWNER, 0, 1);
}

/* It sees its own copy and words of others which it cannot test. */
static void test_bad_disk_repairs_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed);
        size_t bad = net_holder(n, OWNER, 0, net_random(n, COPIES));
        n->nodes[bad].forgets = true;
        net_run(n, REPAIR_MS);
        for (int i = 0; i < COPIES; i++) {
            net_kill(n, other_holder(n, bad));
            net_run(n, REPAIR_MS);
        }
        uint32_t before = n->nodes[bad].events[KEEPER_EVENT_REPAIRING];
        net_run(n, LONG_MS);
        assert_int_equal(n->nodes[bad].events[KEEPER_EVENT_REPAIRING], before);
        assert_int_equal(before, 0);
        assert_int_equal(net_holders(n, OWNER, 0), COPIES + 1);
        net_free(n);
    }
}

/* All others die: the last copy is on a disk that lost a block once. */
static void test_mended_disk_repairs(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed);
        size_t once = net_holder(n, OWNER, 0, net_random(n, COPIES));
        n->nodes[once].forgets = true;
        net_run(n, UINT64_C(2) * NET_AUDIT_MS);
        n->nodes[once].forgets = false;
        size_t left = NODES;
        while (net_holders(n, OWNER, 0) > 1 && left-- > 0)
            net_kill(n, other_holder(n, once));
        assert_int_equal(net_holder(n, OWNER, 0, 0), once);
        net_run(n, UINT64_C(2) * REPAIR_MS);
        assert_int_equal(net_holders(n, OWNER, 0), COPIES);
        net_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_bad_disk_repairs_nothing, net_teardown),
        cmocka_unit_test_teardown(test_mended_disk_repairs, net_teardown),
    };
    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
