/*
 * Objects survive what happens to nodes.
 *
 * A network of keepers in virtual time; each fault with many seeds, which
 * decide latencies, who holds what, and when it happens.
 */
#include "keeper_net.h"

enum {
    SEEDS = 50,
    OWNER = 0,
    SETTLE_MS = 20 * 1000,
    /* Seen, waited for, doubted, repaired. */
    REPAIR_MS = 6 * NET_GRACE_MS,
};

static struct net *stored(uint64_t seed, size_t nodes, uint32_t copies)
{
    struct net *n = net_new(seed, nodes);
    n->wanted = copies;
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), copies);
    net_run(n, SETTLE_MS);
    assert_int_equal(net_holders(n, OWNER, 0), copies);
    return n;
}

static void test_put_gets_safe(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, 8, 3);
        net_run(n, UINT64_C(2) * NET_AUDIT_MS);
        struct keeper_status s = net_status(n, OWNER, 0);
        assert_int_equal(s.state, KEEPER_SAFE);
        assert_int_equal(s.copies_stored, 3);
        assert_int_equal(s.copies_verified, 3);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        net_free(n);
    }
}

static void test_all_but_one_die_in_turn(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, 10, 3);
        if (seed % 2 == 0)
            net_kill(n, OWNER);
        for (int i = 0; i < 5; i++) {
            net_kill(n, net_holder(n, OWNER, 0, net_random(n, 3)));
            net_run(n, REPAIR_MS);
            assert_int_equal(net_holders(n, OWNER, 0), 3);
        }
        net_free(n);
    }
}

static void test_two_of_three_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, 9, 3);
        net_kill(n, OWNER); /* for ever */
        size_t first = net_holder(n, OWNER, 0, 0);
        size_t last = net_holder(n, OWNER, 0, 2);
        net_kill(n, first);
        net_kill(n, last);
        net_run(n, REPAIR_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        net_free(n);
    }
}

static void test_liar_is_replaced(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, 8, 3);
        if (seed % 2 == 0)
            net_kill(n, OWNER);
        size_t liar = net_holder(n, OWNER, 0, net_random(n, 3));
        n->nodes[liar].lies = true;
        n->nodes[liar].has[0] = false;
        net_run(n, REPAIR_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        uint32_t found = 0;
        for (size_t i = 0; i < n->count; i++)
            found += n->nodes[i].events[KEEPER_EVENT_AUDIT_FAILED];
        assert_true(found > 0);
        net_free(n);
    }
}

static void test_partition(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, 12, 3);
        net_split(n, 4 + net_random(n, 5));
        net_run(n, UINT64_C(3600) * 1000);
        net_heal(n);
        net_run(n, UINT64_C(4) * NET_GRACE_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        assert_true(net_status(n, OWNER, 0).copies_stored >= 3);
        net_free(n);
    }
}

static void test_all_restarted(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, 8, 3);
        for (size_t i = 0; i < n->count; i++)
            net_kill(n, i);
        net_run(n, 10000);
        for (size_t i = 0; i < n->count; i++)
            net_start(n, i);
        net_run(n, REPAIR_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        assert_int_equal(net_status(n, OWNER, 0).state, KEEPER_SAFE);
        uint32_t repairs = 0;
        for (size_t i = 0; i < n->count; i++)
            repairs += n->nodes[i].events[KEEPER_EVENT_REPAIRING];
        assert_int_equal(repairs, 0);
        net_free(n);
    }
}

static void test_fewer_nodes_than_copies(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = net_new(seed, 6);
        for (size_t i = 3; i < 6; i++)
            net_kill(n, i);
        net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 4);
        net_run(n, SETTLE_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 2);
        struct keeper_status s = net_status(n, OWNER, 0);
        assert_int_equal(s.state, KEEPER_PARTIAL);
        assert_true(s.partial);
        net_start(n, 3);
        net_start(n, 4);
        net_run(n, SETTLE_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 4);
        net_free(n);
    }
}

static void test_node_alone(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = stored(seed, 8, 3);
        size_t alone = net_holder(n, OWNER, 0, net_random(n, 3));
        for (size_t i = 0; i < n->count; i++)
            n->nodes[i].side = i == alone ? 1 : 0;
        net_split(n, n->count);
        net_run(n, UINT64_C(20) * NET_GRACE_MS);
        assert_int_equal(n->nodes[alone].events[KEEPER_EVENT_REPAIRING], 0);
        assert_int_equal(n->nodes[alone].events[KEEPER_EVENT_GIVEN_UP], 0);
        net_heal(n);
        net_run(n, REPAIR_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        net_free(n);
    }
}

static void test_views_differ(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = net_new(seed, 14);
        n->view_percent = 60;
        net_views(n);
        n->wanted = 3;
        net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
        net_run(n, SETTLE_MS);
        net_split(n, 7);
        net_run(n, UINT64_C(10) * NET_GRACE_MS);
        net_heal(n);
        if (seed % 3 == 0)
            net_kill(n, net_holder(n, OWNER, 0, 0));
        net_run(n, UINT64_C(2) * REPAIR_MS);
        net_views(n);
        net_run(n, REPAIR_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        net_free(n);
    }
}

static void test_disk_full(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = net_new(seed, 8);
        for (size_t i = 1; i < 5; i++)
            n->nodes[i].disk_full = true;
        net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
        net_run(n, SETTLE_MS);
        assert_int_equal(net_holders(n, OWNER, 0), 3);
        for (size_t i = 1; i < 5; i++)
            assert_false(n->nodes[i].kept[0]);
        net_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_put_gets_safe, net_teardown),
        cmocka_unit_test_teardown(test_all_but_one_die_in_turn, net_teardown),
        cmocka_unit_test_teardown(test_two_of_three_at_once, net_teardown),
        cmocka_unit_test_teardown(test_liar_is_replaced, net_teardown),
        cmocka_unit_test_teardown(test_partition, net_teardown),
        cmocka_unit_test_teardown(test_all_restarted, net_teardown),
        cmocka_unit_test_teardown(test_fewer_nodes_than_copies, net_teardown),
        cmocka_unit_test_teardown(test_node_alone, net_teardown),
        cmocka_unit_test_teardown(test_views_differ, net_teardown),
        cmocka_unit_test_teardown(test_disk_full, net_teardown),
    };
    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
