/*
 * A holder that hands over.  Goal: it ends when others have what it held, but
 * for what is released already; it takes nothing meanwhile, and goes on as
 * before when it is stopped; what a banned owner wants is refused, whoever
 * offers it.  Method: a small network of keepers in virtual time.
 */
#include "keeper_net.h"
#include "storage/message.h"

enum { OWNER = 0, SETTLE_MS = 20 * 1000, OBJECTS = 4 };

/* Some objects, three copies of each. */
static struct net *stored(uint64_t seed)
{
    struct net *n = net_new(seed, 6);

    n->wanted = 3;
    for (size_t i = 0; i < OBJECTS; i++)
        net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, SETTLE_MS);
    return n;
}

static void assert_stored(const struct net *n)
{
    for (size_t i = 0; i < OBJECTS; i++)
        assert_int_equal(net_holders(n, OWNER, i), 3);
}

static void assert_keeps_nothing(const struct net *n, size_t node)
{
    for (size_t i = 0; i < OBJECTS; i++)
        assert_false(n->nodes[node].kept[i]);
}

static uint64_t leave(struct net *n, size_t node)
{
    uint64_t job = 0;

    assert_int_equal(keeper_leave(n->nodes[node].keeper, net_now(n), &job), OK);
    net_drain(n, node);
    return job;
}

static void stay(struct net *n, size_t node)
{
    keeper_stay(n->nodes[node].keeper, net_now(n));
    net_drain(n, node);
}

/* The owner and two holders: nobody can take over. */
static void without_others_it_waits(void **state)
{
    (void)state;
    struct net *n = net_new(1, 3);
    uint64_t job = 0;
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 2);
    net_run(n, SETTLE_MS);
    n->nodes[1].done_job = 0;
    (void)leave(n, 1);
    assert_int_equal(keeper_leave(n->nodes[1].keeper, net_now(n), &job),
                     E_AGAIN);
    net_run(n, UINT64_C(10) * NET_GRACE_MS);
    assert_int_equal(n->nodes[1].done_job, 0);
    assert_true(n->nodes[1].kept[0]);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 2);
    /* Nothing else is taken: there is one that could. */
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 2);
    net_run(n, SETTLE_MS);
    assert_false(n->nodes[1].kept[1]);
    assert_int_equal(net_status(n, OWNER, 1).copies_stored, 1);
    /* Stopped, it keeps what it had and takes again. */
    stay(n, 1);
    net_run(n, UINT64_C(10) * NET_GRACE_MS);
    assert_true(n->nodes[1].kept[0]);
    assert_true(n->nodes[1].kept[1]);
    assert_int_equal(net_status(n, OWNER, 1).copies_stored, 2);
    net_free(n);
}

/* What it held is with others, whether or not the owner is there. */
static void hands_over(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net *n = stored(seed);
        if (seed % 2 == 0)
            net_kill(n, OWNER);
        size_t leaver = net_holder(n, OWNER, 0, 1);
        uint64_t job = leave(n, leaver);
        net_run(n, NET_GRACE_MS);
        assert_int_equal(n->nodes[leaver].done_job, job);
        net_run(n, UINT64_C(3) * NET_GRACE_MS);
        assert_keeps_nothing(n, leaver);
        assert_stored(n);
        net_free(n);
    }
}

static void stopped_in_the_middle(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net *n = stored(seed);
        size_t leaver = net_holder(n, OWNER, 0, 1);
        (void)leave(n, leaver);
        net_run(n, seed * 100); /* some were handed over, some were not */
        stay(n, leaver);
        net_run(n, UINT64_C(5) * NET_GRACE_MS);
        assert_stored(n);
        n->nodes[leaver].done_job = 0;
        uint64_t job = leave(n, leaver);
        net_run(n, NET_GRACE_MS);
        assert_int_equal(n->nodes[leaver].done_job, job);
        assert_keeps_nothing(n, leaver);
        net_free(n);
    }
}

/* The only copy moves: its owner is told where to, and does not repair. */
static void the_owner_hears_who_has_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net *n = net_new(seed, 4);
        net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 1);
        net_run(n, SETTLE_MS);
        size_t leaver = net_holder(n, OWNER, 0, 0);
        uint64_t job = leave(n, leaver);
        for (uint64_t ms = 0; ms < NET_GRACE_MS; ms += 10) {
            assert_int_not_equal(net_status(n, OWNER, 0).state, KEEPER_LOST);
            net_run(n, 10);
        }
        assert_int_equal(net_status(n, OWNER, 0).copies_stored, 1);
        assert_int_equal(n->nodes[leaver].done_job, job);
        net_run(n, UINT64_C(4) * NET_GRACE_MS);
        assert_int_equal(n->nodes[OWNER].events[KEEPER_EVENT_REPAIRING], 0);
        assert_int_equal(net_holders(n, OWNER, 0), 1);
        net_free(n);
    }
}

/* What its owner has released is nobody's to take over: it stays its time. */
static void released_ones_are_not_waited_for(void **state)
{
    enum { DELAY_S = 3600 };
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct net *n = stored(1);
        size_t leaver = net_holder(n, OWNER, 0, 1);
        struct keeper_want want = {.root = n->roots[0],
                                   .size_bytes = NET_OBJECT_BYTES,
                                   .blocks = NET_BLOCKS,
                                   .copies = 3,
                                   .release_delay_s = DELAY_S};
        assert_int_equal(keeper_put(n->nodes[OWNER].keeper, &want, net_now(n)),
                         OK);
        net_drain(n, OWNER);
        net_run(n, SETTLE_MS);
        assert_int_equal(
            keeper_remove(n->nodes[OWNER].keeper, &n->roots[0], net_now(n)),
            OK);
        net_drain(n, OWNER);
        net_run(n, SETTLE_MS);
        if (restarts > 0) {
            net_kill(n, leaver);
            net_start(n, leaver);
            net_run(n, 1000);
        }
        struct keeper_stats stats = keeper_get_stats(n->nodes[leaver].keeper);
        assert_int_equal(stats.releasing, 1);
        size_t others = stats.held - stats.releasing;
        uint64_t job = leave(n, leaver);
        net_run(n, UINT64_C(60) * 1000);
        assert_int_equal(n->nodes[leaver].done_job, job);
        for (size_t i = 1; i < OBJECTS; i++)
            assert_false(n->nodes[leaver].kept[i]);
        assert_true(others > 0);
        assert_true(n->nodes[leaver].kept[0]);
        stats = keeper_get_stats(n->nodes[leaver].keeper);
        assert_int_equal(stats.held, 1);
        assert_int_equal(stats.releasing, 1);
        net_run(n, UINT64_C(1000) * DELAY_S);
        assert_false(n->nodes[leaver].kept[0]);
        stats = keeper_get_stats(n->nodes[leaver].keeper);
        assert_int_equal(stats.held, 0);
        assert_int_equal(stats.releasing, 0);
        net_free(n);
    }
}

/* Node 1 has banned the owner: it takes nothing of it from anybody. */
static void a_banned_owner_gets_no_room(void **state)
{
    (void)state;
    struct net *n = net_new(4, 4);
    struct net_node *shy = &n->nodes[1];
    keeper_on_ban(shy->keeper, &n->nodes[OWNER].id, true, net_now(n));
    keeper_on_ban(shy->keeper, &n->nodes[OWNER].id, true, net_now(n));
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 2);
    net_run(n, SETTLE_MS);
    assert_false(shy->kept[0]);
    assert_int_equal(net_status(n, OWNER, 0).copies_stored, 2);
    net_kill(n, net_holder(n, OWNER, 0, 0));
    net_run(n, UINT64_C(4) * NET_GRACE_MS);
    assert_false(shy->kept[0]);
    assert_true(keeper_get_stats(shy->keeper).offers_refused > 0 ||
                n->nodes[OWNER].refused != NULL);
    keeper_on_ban(shy->keeper, &n->nodes[OWNER].id, false, net_now(n));
    net_run(n, UINT64_C(10) * NET_GRACE_MS);
    assert_true(shy->kept[0]);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(without_others_it_waits, net_teardown),
        cmocka_unit_test_teardown(hands_over, net_teardown),
        cmocka_unit_test_teardown(stopped_in_the_middle, net_teardown),
        cmocka_unit_test_teardown(the_owner_hears_who_has_it, net_teardown),
        cmocka_unit_test_teardown(released_ones_are_not_waited_for,
                                  net_teardown),
        cmocka_unit_test_teardown(a_banned_owner_gets_no_room, net_teardown),
    };
    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
