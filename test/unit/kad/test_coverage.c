/*
 * Goal: what is said to be known is known, and what a lookup showed is said.
 * Method: random peers of which some are found by lookups that see everything;
 * each claim is compared with all peers.
 */
#include "kad/coverage.h"

#include "test.h"

enum { PEERS = 300, FOUND = 20, KEYS = 200 };

static uint64_t chance(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *state >> 33;
}

static struct kad_key random_key(uint64_t *seed)
{
    struct kad_key key = {.b = {0}};
    for (size_t i = 0; i < sizeof(key.b); i++)
        key.b[i] = (uint8_t)chance(seed);
    return key;
}

struct net {
    struct kad_key peers[PEERS];
    bool known[PEERS];
    struct coverage covered;
};

/* Of all peers, or the known ones, the nearest to @target, to @dst. */
static void nearest(const struct net *n, const struct kad_key *target,
                    bool only_known, size_t *dst)
{
    size_t count = 0;
    for (size_t i = 0; i < PEERS; i++) {
        if (only_known && !n->known[i])
            continue;
        size_t at = count < FOUND ? count : FOUND;
        while (at > 0 && kad_key_cmp_distance(target, &n->peers[i],
                                              &n->peers[dst[at - 1]]) < 0)
            at--;
        if (at == FOUND)
            continue;
        if (count < FOUND)
            count++;
        memmove(&dst[at + 1], &dst[at], (count - at - 1) * sizeof(dst[0]));
        dst[at] = i;
    }
    assert_int_equal(count, FOUND);
}

static void look_up(struct net *n, const struct kad_key *target)
{
    size_t found[FOUND];
    nearest(n, target, false, found);
    for (size_t i = 0; i < FOUND; i++)
        n->known[found[i]] = true;
    coverage_add(&n->covered, target, &n->peers[found[FOUND - 1]]);
}

static size_t count_known_keys(const struct net *n, uint64_t *seed)
{
    size_t count = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        struct kad_key key = random_key(seed);
        size_t all[FOUND];
        size_t known[FOUND];
        struct kad_part part;
        nearest(n, &key, false, all);
        nearest(n, &key, true, known);
        const struct kad_key *far = &n->peers[known[FOUND - 1]];
        if (coverage_knows(&n->covered, &key, far, &part)) {
            assert_memory_equal(known, all, sizeof(all));
            count++;
            continue;
        }
        /* Where others may be is nearer than what is known. */
        struct kad_key first = kad_key_first(&part.key, part.bits);
        struct kad_key last = kad_key_last(&part.key, part.bits);
        assert_true(kad_key_cmp_distance(&key, &first, far) < 0);
        assert_true(kad_key_cmp_distance(&key, &last, far) < 0);
        assert_false(coverage_holds(&n->covered, &part));
        struct kad_part gap = coverage_gap(&n->covered, &part);
        assert_true(gap.bits >= part.bits);
        assert_true(kad_part_has(&part, &gap.key));
        assert_false(coverage_holds(&n->covered, &gap));
    }
    return count;
}

static void what_is_known_is_known(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        struct net n = {.covered = {0}};
        uint64_t s = seed;
        for (size_t i = 0; i < PEERS; i++)
            n.peers[i] = random_key(&s);
        struct kad_part all = {.bits = 0};
        assert_false(coverage_holds(&n.covered, &all));
        assert_int_equal(coverage_gap(&n.covered, &all).bits, 0);
        /* Aimed at the gap that is largest, some lookups cover it all. */
        unsigned lookups = 0;
        size_t known = 0;
        while (!coverage_holds(&n.covered, &all)) {
            struct kad_part gap = coverage_gap(&n.covered, &all);
            struct kad_key target = random_key(&s);
            for (unsigned i = 0; i < gap.bits; i++)
                kad_key_set_bit(&target, i, kad_key_bit(&gap.key, i));
            look_up(&n, &target);
            assert_false(coverage_holds(&n.covered, &gap) &&
                         !kad_part_has(&gap, &target));
            size_t more = count_known_keys(&n, &s);
            assert_true(more + KEYS / 4 >= known);
            known = more;
            assert_true(lookups++ < 200);
        }
        assert_int_equal(count_known_keys(&n, &s), KEYS);
        for (size_t i = 0; i < PEERS; i++)
            assert_true(n.known[i]);
        assert_in_range(lookups, PEERS / FOUND, 100);
        assert_int_equal(coverage_gap(&n.covered, &all).bits, KAD_KEY_BITS);
        coverage_release(&n.covered);
        coverage_release(&n.covered);
    }
}

static void no_more_than_so_many_parts(void **state)
{
    (void)state;
    struct coverage c = {0};
    uint64_t seed = 9;
    for (unsigned i = 0; i < 2000; i++) {
        struct kad_key target = random_key(&seed);
        struct kad_key far = random_key(&seed);
        /* Close by, so that none covers another. */
        for (unsigned bit = 0; bit < 100; bit++)
            kad_key_set_bit(&far, bit, kad_key_bit(&target, bit));
        coverage_add(&c, &target, &far);
        assert_true(c.count <= COVERAGE_PARTS_MAX);
    }
    assert_int_equal(c.count, COVERAGE_PARTS_MAX);
    coverage_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_known),
        cmocka_unit_test(no_more_than_so_many_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
