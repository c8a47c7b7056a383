/*
 * Goal: a lookup asks the right peers in the right order, ends when it should,
 * and a liar does not hold it up.
 * Method: peers told by hand; what is asked is compared with the rules.
 */
#include "kad/lookup.h"
#include "kad_net.h"

#include "test.h"

enum { SEED = 5 };

static const struct kad_addrs none = {.count = 0};

static void make(struct kad_lookup *l)
{
    struct peer_id self = net_peer_id(100000, SEED);
    struct peer_id target = net_peer_id(100001, SEED);
    struct kad_key self_key = kad_key_of_peer(&self);
    struct kad_key target_key = kad_key_of_peer(&target);
    kad_lookup_init(l, &target_key, &self_key);
}

static uint16_t add(struct kad_lookup *l, uint64_t i, uint16_t by)
{
    struct peer_id id = net_peer_id(i, SEED);
    (void)kad_lookup_add(l, &id, &none, by); /* tests ask where it matters */
    return kad_lookup_get(l, &id);
}

static void nobody_is_over_at_once(void **state)
{
    (void)state;
    struct kad_lookup l;
    make(&l);
    assert_true(kad_lookup_is_over(&l));
    assert_int_equal(kad_lookup_next(&l), KAD_LOOKUP_NO_PEER);
    kad_lookup_release(&l);
}

static void we_are_never_asked(void **state)
{
    (void)state;
    struct kad_lookup l;
    struct peer_id self = net_peer_id(100000, SEED);
    make(&l);
    assert_false(kad_lookup_add(&l, &self, &none, KAD_LOOKUP_NO_PEER));
    assert_int_equal(l.count, 0);
    kad_lookup_release(&l);
}

static void asks_the_nearest_first_and_alpha_at_once(void **state)
{
    (void)state;
    struct kad_lookup l;
    make(&l);
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(add(&l, i, KAD_LOOKUP_NO_PEER), i);
    struct peer_id again = net_peer_id(7, SEED);
    assert_false(kad_lookup_add(&l, &again, &none, KAD_LOOKUP_NO_PEER));
    struct kad_key last = l.target;
    for (size_t i = 0; i < KAD_ALPHA; i++) {
        uint16_t n = kad_lookup_next(&l);
        assert_int_not_equal(n, KAD_LOOKUP_NO_PEER);
        const struct kad_lookup_peer *p = kad_lookup_peer_at(&l, n);
        assert_int_equal(p->state, KAD_WAITING);
        assert_true(kad_key_cmp_distance(&l.target, &last, &p->key) < 0);
        last = p->key;
    }
    assert_int_equal(kad_lookup_next(&l), KAD_LOOKUP_NO_PEER);
    assert_false(kad_lookup_is_over(&l));
    kad_lookup_release(&l);
}

static void ends_when_the_nearest_three_answered(void **state)
{
    (void)state;
    struct kad_lookup l;
    uint16_t asked[KAD_ALPHA];
    make(&l);
    for (uint64_t i = 0; i < 50; i++)
        (void)(add(&l, i, KAD_LOOKUP_NO_PEER));
    for (size_t i = 0; i < KAD_ALPHA; i++)
        asked[i] = kad_lookup_next(&l);
    kad_lookup_answered(&l, asked[1]);
    kad_lookup_answered(&l, asked[2]);
    kad_lookup_answered(&l, asked[3]);
    assert_false(kad_lookup_is_over(&l)); /* the nearest may still answer */
    kad_lookup_failed(&l, asked[0]);
    assert_true(kad_lookup_is_over(&l));
    assert_int_equal(kad_lookup_next(&l), KAD_LOOKUP_NO_PEER);
    uint16_t near[KAD_K];
    assert_int_equal(kad_lookup_closest(&l, false, near, KAD_K), 3);
    assert_int_equal(near[0], asked[1]);
    assert_int_equal(kad_lookup_closest(&l, true, near, KAD_K), KAD_K);
    assert_int_equal(near[0], asked[1]);
    assert_int_equal(near[3], asked[4]);
    kad_lookup_release(&l);
}

static void the_follow_up_asks_the_nearest_twenty(void **state)
{
    (void)state;
    struct kad_lookup l;
    uint16_t near[KAD_K];
    size_t asked = 0;
    make(&l);
    for (uint64_t i = 0; i < 50; i++)
        (void)(add(&l, i, KAD_LOOKUP_NO_PEER));
    l.follow_up = true;
    while (!kad_lookup_is_over(&l)) {
        uint16_t n = kad_lookup_next(&l);
        assert_int_not_equal(n, KAD_LOOKUP_NO_PEER);
        asked++;
        if (asked == 5)
            kad_lookup_failed(&l, n);
        else
            kad_lookup_answered(&l, n);
    }
    assert_int_equal(asked, KAD_K + 1);
    assert_int_equal(kad_lookup_closest(&l, false, near, KAD_K), KAD_K);
    kad_lookup_release(&l);
}

static void ends_when_nobody_is_left(void **state)
{
    (void)state;
    struct kad_lookup l;
    make(&l);
    uint16_t a = add(&l, 1, KAD_LOOKUP_NO_PEER);
    uint16_t b = add(&l, 2, KAD_LOOKUP_NO_PEER);
    (void)kad_lookup_next(&l);
    (void)kad_lookup_next(&l);
    kad_lookup_answered(&l, a);
    assert_false(kad_lookup_is_over(&l));
    kad_lookup_failed(&l, b);
    assert_true(kad_lookup_is_over(&l));
    kad_lookup_release(&l);
}

static void a_slow_one_keeps_no_place(void **state)
{
    (void)state;
    struct kad_lookup l;
    make(&l);
    kad_lookup_set_width(&l, KAD_K, 2, KAD_BETA);
    for (uint64_t i = 0; i < 50; i++)
        (void)(add(&l, i, KAD_LOOKUP_NO_PEER));
    uint16_t a = kad_lookup_next(&l);
    uint16_t b = kad_lookup_next(&l);
    assert_int_equal(kad_lookup_next(&l), KAD_LOOKUP_NO_PEER);
    kad_lookup_slow(&l, a);
    kad_lookup_slow(&l, a);
    uint16_t c = kad_lookup_next(&l);
    assert_int_not_equal(c, KAD_LOOKUP_NO_PEER);
    assert_int_equal(kad_lookup_next(&l), KAD_LOOKUP_NO_PEER);
    kad_lookup_slow(&l, b);
    kad_lookup_slow(&l, c);
    assert_int_not_equal(kad_lookup_next(&l), KAD_LOOKUP_NO_PEER);
    /* Twice alpha are never exceeded. */
    assert_int_equal(kad_lookup_next(&l), KAD_LOOKUP_NO_PEER);
    kad_lookup_answered(&l, a);
    assert_int_equal(l.waiting, 3);
    assert_int_equal(l.slow, 2);
    kad_lookup_release(&l);
}

static void counts_hops(void **state)
{
    (void)state;
    struct kad_lookup l;
    make(&l);
    uint16_t a = add(&l, 1, KAD_LOOKUP_NO_PEER);
    assert_int_equal(kad_lookup_next(&l), a);
    kad_lookup_answered(&l, a);
    assert_int_equal(l.hops, 1);
    uint16_t b = add(&l, 2, a);
    assert_int_equal(kad_lookup_peer_at(&l, b)->hops, 2);
    assert_int_equal(kad_lookup_next(&l), b);
    kad_lookup_answered(&l, b);
    assert_int_equal(l.hops, 2);
    kad_lookup_release(&l);
}

/* Peers nearer than all numbers below 50, as a liar would name them. */
static size_t make_near(const struct kad_lookup *l, struct peer_id *dst,
                        size_t max)
{
    size_t count = 0;
    for (uint64_t i = 1000; count < max; i++) {
        struct peer_id id = net_peer_id(i, SEED);
        struct kad_key key = kad_key_of_peer(&id);
        if (kad_key_cpl(&key, &l->target) >= 8)
            dst[count++] = id;
    }
    return count;
}

static void a_liar_loses_credit(void **state)
{
    (void)state;
    struct kad_lookup l;
    struct peer_id fakes[20];
    size_t asked_fakes = 0;
    make(&l);
    kad_lookup_set_width(&l, KAD_K, 3, KAD_BETA);
    for (uint64_t i = 0; i < 10; i++)
        (void)(add(&l, i, KAD_LOOKUP_NO_PEER));
    uint16_t liar = kad_lookup_next(&l);
    kad_lookup_answered(&l, liar);
    size_t count = make_near(&l, fakes, countof(fakes));
    for (size_t i = 0; i < count; i++)
        assert_true(kad_lookup_add(&l, &fakes[i], &none, liar));
    while (!kad_lookup_is_over(&l)) {
        uint16_t n = kad_lookup_next(&l);
        assert_int_not_equal(n, KAD_LOOKUP_NO_PEER);
        if (kad_lookup_peer_at(&l, n)->named_by == liar) {
            asked_fakes++;
            kad_lookup_failed(&l, n);
        } else {
            kad_lookup_answered(&l, n);
        }
    }
    assert_int_equal(asked_fakes, KAD_LOOKUP_DUDS);
    /* Who is named by somebody else too is asked after all. */
    uint16_t honest = add(&l, 0, KAD_LOOKUP_NO_PEER);
    assert_false(kad_lookup_add(&l, &fakes[10], &none, honest));
    uint16_t n = kad_lookup_get(&l, &fakes[10]);
    assert_int_equal(kad_lookup_peer_at(&l, n)->named_by, honest);
    assert_int_equal(kad_lookup_next(&l), n);
    kad_lookup_release(&l);
}

static void the_doubtful_are_asked_when_nobody_else_is_left(void **state)
{
    (void)state;
    struct kad_lookup l;
    size_t asked = 0;
    make(&l);
    uint16_t liar = add(&l, 1, KAD_LOOKUP_NO_PEER);
    assert_int_equal(kad_lookup_next(&l), liar);
    kad_lookup_answered(&l, liar);
    for (uint64_t i = 10; i < 16; i++)
        (void)(add(&l, i, liar));
    while (!kad_lookup_is_over(&l)) {
        uint16_t n = kad_lookup_next(&l);
        assert_int_not_equal(n, KAD_LOOKUP_NO_PEER);
        kad_lookup_failed(&l, n);
        asked++;
    }
    assert_int_equal(asked, 6);
    kad_lookup_release(&l);
}

static void forgets_the_farthest_when_full(void **state)
{
    (void)state;
    struct kad_lookup l;
    struct peer_id near[4];
    make(&l);
    for (uint64_t i = 0; i < KAD_LOOKUP_PEERS_MAX; i++)
        (void)(add(&l, i, KAD_LOOKUP_NO_PEER));
    assert_int_equal(l.count, KAD_LOOKUP_PEERS_MAX);
    uint16_t last = l.order[l.count - 1];
    struct peer_id far = kad_lookup_peer_at(&l, last)->id;
    (void)make_near(&l, near, countof(near));
    assert_true(kad_lookup_add(&l, &near[0], &none, KAD_LOOKUP_NO_PEER));
    assert_int_equal(l.count, KAD_LOOKUP_PEERS_MAX);
    assert_int_equal(kad_lookup_get(&l, &far), KAD_LOOKUP_NO_PEER);
    assert_int_not_equal(kad_lookup_get(&l, &near[0]), KAD_LOOKUP_NO_PEER);
    /* The one that was forgotten is farther than all: it is not taken. */
    assert_false(kad_lookup_add(&l, &far, &none, KAD_LOOKUP_NO_PEER));
    for (size_t i = 1; i < l.count; i++)
        assert_true(kad_key_cmp_distance(&l.target,
                                         &l.peers[l.order[i - 1]].key,
                                         &l.peers[l.order[i]].key) < 0);
    kad_lookup_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_over_at_once),
        cmocka_unit_test(we_are_never_asked),
        cmocka_unit_test(asks_the_nearest_first_and_alpha_at_once),
        cmocka_unit_test(ends_when_the_nearest_three_answered),
        cmocka_unit_test(the_follow_up_asks_the_nearest_twenty),
        cmocka_unit_test(ends_when_nobody_is_left),
        cmocka_unit_test(a_slow_one_keeps_no_place),
        cmocka_unit_test(counts_hops),
        cmocka_unit_test(a_liar_loses_credit),
        cmocka_unit_test(the_doubtful_are_asked_when_nobody_else_is_left),
        cmocka_unit_test(forgets_the_farthest_when_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
