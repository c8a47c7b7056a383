/*
 * Nothing is lost while nodes come and go at random.
 *
 * Kills, restarts, partitions, changes of copies and handovers, decided by a
 * seed.  A node is killed only where another live one has each of its objects.
 * At the end all are there again: every object has the copies that its owner
 * wants, no more, and its owner knows it.
 */
#include "keeper_net.h"

enum {
    SEEDS = 12,
    NODES = 12,
    OWNERS = 2,
    OBJECTS = 6,
    TURNS = 25,
    AT_THE_END_MS = 10 * NET_GRACE_MS,
};

static bool is_needed(const struct net *n, size_t node)
{
    for (size_t r = 0; r < OBJECTS; r++) {
        if (!n->nodes[node].has[r])
            continue;
        size_t others = 0;
        for (size_t i = 0; i < n->count; i++)
            others +=
                i != node && n->nodes[i].keeper != NULL && n->nodes[i].kept[r];
        if (others == 0)
            return true;
    }
    return false;
}

static void kill_one(struct net *n)
{
    size_t node = net_random(n, n->count);
    if (n->nodes[node].keeper != NULL && !is_needed(n, node))
        net_kill(n, node);
}

static void start_one(struct net *n)
{
    size_t node = net_random(n, n->count);
    if (n->nodes[node].keeper == NULL)
        net_start(n, node);
}

static void change_copies(struct net *n, uint32_t *copies)
{
    size_t root = net_random(n, OBJECTS);
    struct net_node *owner = &n->nodes[root % OWNERS];
    uint32_t wanted = 2 + (uint32_t)net_random(n, 3);
    if (owner->keeper == NULL)
        return;
    assert_int_equal(
        keeper_set_copies(owner->keeper, &n->roots[root], wanted, net_now(n)),
        OK);
    net_drain(n, root % OWNERS);
    copies[root] = wanted;
}

static void turn(struct net *n, uint32_t *copies)
{
    switch (net_random(n, 8)) {
    case 0:
    case 1:
    case 2:
        kill_one(n);
        break;
    case 3:
    case 4:
        start_one(n);
        break;
    case 5:
        net_split(n, 2 + net_random(n, NODES - 4));
        break;
    case 6:
        net_heal(n);
        break;
    default:
        change_copies(n, copies);
        break;
    }
}

static void test_chaos(void **state)
{
    (void)state;
    for (uint64_t seed = net_first_seed(); seed <= net_last_seed(SEEDS);
         seed++) {
        struct net *n = net_new(seed, NODES);
        uint32_t copies[OBJECTS];
        for (size_t r = 0; r < OBJECTS; r++) {
            copies[r] = 2 + (uint32_t)net_random(n, 2);
            net_put(n, r % OWNERS, net_root(n, NET_OBJECT_BYTES), copies[r]);
        }
        net_run(n, NET_GRACE_MS);
        for (int i = 0; i < TURNS; i++) {
            turn(n, copies);
            net_run(n, net_random(n, UINT64_C(3) * NET_GRACE_MS));
        }
        for (size_t i = 0; i < n->count; i++) {
            if (n->nodes[i].keeper == NULL)
                net_start(n, i);
        }
        net_heal(n);
        net_run(n, AT_THE_END_MS);
        for (size_t r = 0; r < OBJECTS; r++) {
            if (net_holders(n, r % OWNERS, r) != copies[r])
                net_print(n, r);
            assert_int_equal(net_holders(n, r % OWNERS, r), copies[r]);
            /* A renewed receipt is on its way to the others for a moment. */
            if (net_status(n, r % OWNERS, r).state != KEEPER_SAFE)
                net_run(n, 1000);
            assert_int_equal(net_status(n, r % OWNERS, r).state, KEEPER_SAFE);
        }
        net_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_chaos, net_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
