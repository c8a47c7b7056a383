/*
 * Goal: a record that says more bytes than its object has takes no more room,
 * and delays no more repairs, than the object is worth.
 * Method: a small network of keepers in virtual time; what an owner says of its
 * objects is more than a pull of them finds.
 */
#include "keeper_net.h"
#include "storage/placement.h"

enum {
    OWNER = 0,
    NODES = 7,
    COPIES = 3,
    CLAIM = 2 * 1000 * 1000,
    MANY = 12,
    SETTLE_MS = 20 * 1000,
    SLOW_RATE = 16 * 1024, /* bytes/s of repair */
    REPAIR_GRACES = 5,
};

static void put(struct net *n, size_t root, uint64_t claim, uint32_t copies)
{
    struct keeper_want want = {.root = n->roots[root],
                               .size_bytes = claim,
                               .blocks = NET_BLOCKS,
                               .copies = copies};

    n->nodes[OWNER].has[root] = true;
    assert_int_equal(keeper_put(n->nodes[OWNER].keeper, &want, net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, SETTLE_MS);
}

static void assert_promised(const struct net *n, uint64_t bytes)
{
    for (size_t i = 0; i < COPIES; i++) {
        size_t holder = net_holder(n, OWNER, 0, i);
        assert_int_equal(
            keeper_get_stats(n->nodes[holder].keeper).promised_bytes, bytes);
    }
}

static void test_true_size_is_promised(void **state)
{
    struct net *n = net_new(1, NODES);

    (void)state;
    put(n, net_root(n, NET_OBJECT_BYTES), CLAIM, COPIES);
    assert_int_equal(net_holders(n, OWNER, 0), COPIES);
    assert_promised(n, NET_OBJECT_BYTES);
    /* The owner is told what it said. */
    assert_int_equal(net_status(n, OWNER, 0).size_bytes, CLAIM);
    for (size_t i = 0; i < COPIES; i++) {
        size_t holder = net_holder(n, OWNER, 0, i);
        net_kill(n, holder);
        net_start(n, holder);
        net_run(n, 1000);
    }
    assert_promised(n, NET_OBJECT_BYTES);
    /* A newer record does not change what the object is. */
    put(n, 0, UINT64_C(2) * CLAIM, COPIES);
    net_run(n, UINT64_C(3) * NET_GRACE_MS);
    assert_promised(n, NET_OBJECT_BYTES);
    assert_int_equal(
        keeper_remove(n->nodes[OWNER].keeper, &n->roots[0], net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, SETTLE_MS);
    for (size_t i = 1; i < NODES; i++)
        assert_int_equal(keeper_get_stats(n->nodes[i].keeper).promised_bytes,
                         0);
    net_free(n);
}

static void test_empty_object_takes_nothing(void **state)
{
    struct net *n = net_new(1, NODES);

    (void)state;
    put(n, net_root(n, 0), CLAIM, COPIES);
    assert_int_equal(net_holders(n, OWNER, 0), COPIES);
    assert_promised(n, 0);
    net_free(n);
}

static void test_repair_costs_the_true_size(void **state)
{
    struct net *n = net_new(1, NODES);

    (void)state;
    n->config.repair_rate = SLOW_RATE;
    for (size_t i = 0; i < NODES; i++) {
        net_kill(n, i);
        net_start(n, i);
    }
    net_run(n, 1000);
    for (size_t i = 0; i < MANY; i++)
        put(n, net_root(n, NET_OBJECT_BYTES), CLAIM, COPIES);
    net_run(n, UINT64_C(2) * NET_AUDIT_MS);
    net_kill(n, OWNER);
    net_kill(n, net_holder(n, OWNER, 0, 0));
    net_run(n, UINT64_C(1) * REPAIR_GRACES * NET_GRACE_MS);
    for (size_t i = 0; i < MANY; i++)
        assert_true(net_holders(n, OWNER, i) >= COPIES);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_true_size_is_promised, net_teardown),
        cmocka_unit_test_teardown(test_empty_object_takes_nothing,
                                  net_teardown),
        cmocka_unit_test_teardown(test_repair_costs_the_true_size,
                                  net_teardown),
    };

    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
