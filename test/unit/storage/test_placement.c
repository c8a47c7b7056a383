/*
 * Placement.  Goal: the order is that of the page, proportional to the
 * weights, and moves little; the choice takes what differs first, so that one
 * machine with many names gets one copy where there are others.
 * Method: scores of a second implementation; counts over many roots; hand-made
 * networks for each tier; random ones against a simple second choice.
 */
#include "sample.h"
#include "storage/placement.h"

enum { NODES_MAX = 64 };

static struct ma_ip ip4(uint32_t address)
{
    struct ma_ip ip = {.len = 4};

    for (unsigned i = 0; i < 4; i++)
        ip.bytes[i] = (uint8_t)(address >> (24 - 8 * i));
    return ip;
}

/* IPv6 address that begins with @high and ends with @low. */
static struct ma_ip ip6(uint64_t high, uint64_t low)
{
    struct ma_ip ip = {.len = 16};

    for (unsigned i = 0; i < 8; i++) {
        ip.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
        ip.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return ip;
}

/* A peer id of the right form, cheaper than a key. */
static struct peer_id peer_no(uint32_t n)
{
    struct peer_id id = {.len = 38, .bytes = {0, 0x24, 8, 1, 0x12, 0x20}};

    memcpy(id.bytes + 6, &n, sizeof(n));
    return id;
}

static struct cid root_no(uint32_t n)
{
    return cid_of(CODEC_RAW, (struct bytes){(const uint8_t *)&n, sizeof(n)});
}

static struct placement_candidate node(uint32_t n, uint8_t class, uint32_t ip)
{
    return (struct placement_candidate){
        .peer = peer_no(n), .free_class = class, .ip = ip4(ip), .quality = 50};
}

static void set_operator(struct placement_candidate *c, const char *name)
{
    c->operator_len = (uint8_t)strlen(name);
    memcpy(c->operator_id, name, c->operator_len);
}

static void scores_are_those_of_the_page(void **state)
{
    (void)state;
    static const uint64_t alone[] = {0xd1173bbbfff2feab, 0x6d77440f207cf4d2,
                                     0x48984599d69a7e7c, 0x1f84261354b221c0,
                                     0xe2fba8824ff22245, 0x8d2e4c445ca6f726,
                                     0x085c108939553f52, 0x78c05ac7a5675548};
    static const uint64_t weighted[] = {0xd1173bbbfff2feab, 0xfc5aad24b36beb14,
                                        0xf440a7ad41e9fa4c, 0xfd2dd76745bea2ec,
                                        0xefaa1b372566a10a, 0xf3c1f315fc2cec71,
                                        0xf807684b2bbc5f11, 0xfdf9ed2172210e73};
    static const uint32_t want[] = {8, 4, 2, 7, 3, 6, 5, 1};
    struct placement_candidate nodes[8];
    struct placement_rank order[8];
    struct cid root = sample_root();

    for (uint8_t i = 0; i < 8; i++) {
        struct peer_id peer = sample_peer((uint8_t)(i + 1));
        uint8_t weight = (uint8_t)(4 * (i + 1));
        assert_true(placement_score(&root, &peer, 1) == alone[i]);
        assert_true(placement_score(&root, &peer, weight) == weighted[i]);
        nodes[i] = node(0, weight, i);
        nodes[i].peer = peer;
    }
    placement_order(&root, nodes, 8, order);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(order[i].index + 1, want[i]);
        assert_true(order[i].score == weighted[order[i].index]);
    }
    /* A root is the same in either version. */
    struct cid v0 = cid_v0_of(sample_block());
    struct cid v1 = cid_to_v1(&v0);
    struct peer_id peer = sample_peer(1);
    assert_true(placement_score(&v0, &peer, 3) ==
                placement_score(&v1, &peer, 3));
}

static void classes_are_doublings(void **state)
{
    (void)state;
    uint64_t mib = UINT64_C(1) << 20;

    assert_int_equal(placement_class(0), 0);
    assert_int_equal(placement_class(mib - 1), 0);
    assert_int_equal(placement_class(mib), 1);
    assert_int_equal(placement_class(2 * mib - 1), 1);
    assert_int_equal(placement_class(2 * mib), 2);
    assert_int_equal(placement_class(mib << 10), 11);
    assert_int_equal(placement_class(mib << 20), 21);
    assert_int_equal(placement_class((mib << 31) - 1), 31);
    assert_int_equal(placement_class(mib << 31), 32);
    assert_int_equal(placement_class(UINT64_MAX), PLACEMENT_CLASS_MAX);
}

/* The order does not depend on how the candidates are listed. */
static void order_is_of_the_set(void **state)
{
    (void)state;
    struct placement_candidate nodes[NODES_MAX];
    struct placement_candidate turned[NODES_MAX];
    struct placement_rank order[NODES_MAX];
    struct placement_rank other[NODES_MAX];

    for (size_t count = 0; count <= NODES_MAX; count++) {
        struct cid root = root_no((uint32_t)count);
        for (size_t i = 0; i < count; i++) {
            nodes[i] = node((uint32_t)i, (uint8_t)(i * 7 % 33), 0);
            turned[count - 1 - i] = nodes[i];
        }
        placement_order(&root, nodes, count, order);
        placement_order(&root, turned, count, other);
        for (size_t i = 0; i < count; i++) {
            const struct placement_candidate *c = &nodes[order[i].index];
            assert_int_equal(order[i].index, count - 1 - other[i].index);
            assert_true(order[i].score ==
                        (c->free_class == 0 ? 0
                                            : placement_score(&root, &c->peer,
                                                              c->free_class)));
            if (i > 0)
                assert_true(order[i - 1].score >= order[i].score);
        }
    }
    /* Equal scores: by peer id.  Nobody with room: the same. */
    struct cid root = root_no(0);
    for (uint32_t i = 0; i < 3; i++)
        nodes[i] = node(2 - i, 0, 0);
    placement_order(&root, nodes, 3, order);
    assert_int_equal(order[0].index, 2);
    assert_int_equal(order[2].index, 0);
}

/*
 * Chi-square of counts against expectations: the sum of (seen - want)^2 / want
 * in thousandths.
 */
static uint64_t chi_square_milli(const uint64_t *seen, const uint64_t *want,
                                 size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t off =
            seen[i] > want[i] ? seen[i] - want[i] : want[i] - seen[i];
        sum += 1000 * off * off / want[i];
    }
    return sum;
}

static void shares_follow_weights(void **state)
{
    (void)state;
    static const uint8_t classes[] = {1, 2, 4, 8, 11, 16, 21, 32};
    enum { NODES = 8, SUM = 95, ROOTS = 200 * SUM };
    struct placement_candidate nodes[NODES];
    struct placement_rank order[NODES];
    uint64_t first[NODES] = {0};
    uint64_t want[NODES];
    uint64_t second_after_last = 0;
    uint64_t last_first = 0;

    for (size_t i = 0; i < NODES; i++) {
        nodes[i] = node((uint32_t)i, classes[i], (uint32_t)i << 16);
        want[i] = UINT64_C(200) * classes[i];
    }
    for (uint32_t n = 0; n < ROOTS; n++) {
        struct cid root = root_no(n);
        placement_order(&root, nodes, NODES, order);
        first[order[0].index]++;
        if (order[0].index == NODES - 1) {
            last_first++;
            second_after_last += order[1].index == NODES - 2;
        }
    }
    /* 7 degrees: under 24.4 in 999 of 1000 cases. */
    assert_true(chi_square_milli(first, want, NODES) < 24400);
    /* The second place too: 21 of the 63 that are left. */
    uint64_t third = last_first / 3;
    uint64_t off = second_after_last > third ? second_after_last - third
                                             : third - second_after_last;
    assert_true(off * off < 16 * third); /* 4 deviations, and more */
}

static void little_moves(void **state)
{
    (void)state;
    enum { NODES = 10, ROOTS = 2000, COPIES = 3 };
    struct placement_candidate nodes[NODES];
    struct placement_rank before[NODES];
    struct placement_rank after[NODES];
    size_t moved = 0;

    for (size_t i = 0; i < NODES; i++)
        nodes[i] = node((uint32_t)i, 20, (uint32_t)i << 16);
    for (uint32_t n = 0; n < ROOTS; n++) {
        struct cid root = root_no(n);
        size_t kept = 0;
        placement_order(&root, nodes, NODES, before);
        placement_order(&root, nodes, NODES - 1, after);
        /* The others keep their order: leaving takes one out, no more. */
        for (size_t i = 0; i < NODES; i++) {
            if (before[i].index == NODES - 1)
                moved += i < COPIES;
            else
                assert_int_equal(before[i].index, after[kept++].index);
        }
        assert_int_equal(kept, NODES - 1);
    }
    /* It had 3 copies of 30 places: a fifth of a tenth off at most. */
    assert_true(moved > ROOTS * COPIES / NODES * 8 / 10);
    assert_true(moved < ROOTS * COPIES / NODES * 12 / 10);
    /* A class more draws one more ticket and never loses a place to others. */
    for (uint32_t n = 0; n < ROOTS; n++) {
        struct cid root = root_no(n);
        assert_true(placement_score(&root, &nodes[0].peer, 21) >=
                    placement_score(&root, &nodes[0].peer, 20));
    }
}

struct choice {
    size_t count;
    size_t chosen[NODES_MAX];
    enum placement_tier tier;
};

static struct choice choose(const struct placement_candidate *nodes,
                            size_t count, size_t want,
                            const enum placement_use *use, uint32_t root_n)
{
    struct placement_rank order[NODES_MAX];
    struct cid root = root_no(root_n);
    struct placement_want w = {.count = want, .quality_min = 10, .use = use};
    struct choice c;

    placement_order(&root, nodes, count, order);
    c.count = placement_choose(nodes, order, count, &w, c.chosen, &c.tier);
    assert_true(c.count <= want);
    for (size_t i = 0; i < c.count; i++) {
        assert_true(c.chosen[i] < count);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(c.chosen[i], c.chosen[j]);
    }
    return c;
}

static void sybils_get_one_copy(void **state)
{
    (void)state;
    enum { SYBILS = 50, NODES = SYBILS + 6 };
    struct placement_candidate nodes[NODES];
    size_t with_sybil = 0;

    for (uint32_t i = 0; i < NODES; i++)
        nodes[i] =
            node(i, 20, i < SYBILS ? 0x01020304 : 0x05000000 + (i << 16));
    /* Those on one address claim all room that there is. */
    for (uint32_t i = 0; i < SYBILS; i++)
        nodes[i].free_class = PLACEMENT_CLASS_MAX;
    for (uint32_t n = 0; n < 500; n++) {
        for (size_t r = 1; r <= 7; r++) {
            size_t sybils = 0;
            struct choice c = choose(nodes, NODES, r, NULL, n);
            assert_int_equal(c.count, r);
            assert_int_equal(c.tier, PLACEMENT_GROUP);
            for (size_t i = 0; i < c.count; i++)
                sybils += c.chosen[i] < SYBILS;
            assert_true(sybils <= 1);
            with_sybil += sybils;
        }
    }
    assert_true(with_sybil > 0);
    /* One of them holds it already: none of them gets another. */
    enum placement_use use[NODES] = {PLACEMENT_HOLDS};
    struct choice c = choose(nodes, NODES, 6, use, 1);
    assert_int_equal(c.count, 6);
    for (size_t i = 0; i < c.count; i++)
        assert_true(c.chosen[i] >= SYBILS);
    /* Spread over their own /24 they have one copy still, over /16 too. */
    for (uint32_t i = 0; i < SYBILS; i++)
        nodes[i].ip = ip4(0x01020000 + i * 259);
    c = choose(nodes, NODES, 7, NULL, 2);
    size_t sybils = 0;
    for (size_t i = 0; i < c.count; i++)
        sybils += c.chosen[i] < SYBILS;
    assert_int_equal(sybils, 1);
    assert_int_equal(c.tier, PLACEMENT_GROUP);
    /* Or by one name of an operator. */
    for (uint32_t i = 0; i < SYBILS; i++) {
        nodes[i].ip = ip4(0x0a000000 + (i << 17));
        set_operator(&nodes[i], "one");
    }
    c = choose(nodes, NODES, 7, NULL, 3);
    sybils = 0;
    for (size_t i = 0; i < c.count; i++)
        sybils += c.chosen[i] < SYBILS;
    assert_int_equal(sybils, 1);
    /* Where no others are left, copies go to them. */
    c = choose(nodes, NODES, 9, NULL, 3);
    assert_int_equal(c.count, 9);
    assert_int_equal(c.tier, PLACEMENT_OPERATOR);
}

/* Tier that is needed for two copies on nodes with these addresses. */
static enum placement_tier tier_of_pair(struct ma_ip a, struct ma_ip b,
                                        const char *op_a, const char *op_b)
{
    struct placement_candidate nodes[2] = {node(1, 5, 0), node(2, 5, 0)};
    enum placement_use use[2] = {PLACEMENT_HOLDS, PLACEMENT_HOLDS};

    nodes[0].ip = a;
    nodes[1].ip = b;
    set_operator(&nodes[0], op_a);
    set_operator(&nodes[1], op_b);
    struct choice c = choose(nodes, 2, 2, NULL, 0);
    assert_int_equal(c.count, 2);
    assert_int_equal(placement_tier_of(nodes, 2, use), c.tier);
    return c.tier;
}

static void tiers(void **state)
{
    (void)state;
    struct ma_ip a = ip4(0x0a0b0c0d);
    struct ma_ip none = {.len = 0};
    uint64_t high = 0x20010db800010002;

    assert_int_equal(tier_of_pair(a, ip4(0x0a0a0c0d), "", ""), PLACEMENT_GROUP);
    assert_int_equal(tier_of_pair(a, ip4(0x0a0b0d0d), "", ""),
                     PLACEMENT_SUBNET);
    assert_int_equal(tier_of_pair(a, ip4(0x0a0b0c0e), "", ""),
                     PLACEMENT_ADDRESS);
    assert_int_equal(tier_of_pair(a, a, "", ""), PLACEMENT_PEER);
    assert_int_equal(tier_of_pair(a, a, "x", "y"), PLACEMENT_PEER);
    /* Operators. */
    assert_int_equal(tier_of_pair(a, ip4(0x0b0b0c0d), "x", "y"),
                     PLACEMENT_GROUP);
    assert_int_equal(tier_of_pair(a, ip4(0x0b0b0c0d), "x", "xx"),
                     PLACEMENT_GROUP);
    assert_int_equal(tier_of_pair(a, ip4(0x0b0b0c0d), "x", ""),
                     PLACEMENT_GROUP);
    assert_int_equal(tier_of_pair(a, ip4(0x0b0b0c0d), "x", "x"),
                     PLACEMENT_OPERATOR);
    assert_int_equal(tier_of_pair(a, ip4(0x0a0b0c0e), "x", "x"),
                     PLACEMENT_OPERATOR);
    assert_int_equal(tier_of_pair(a, a, "x", "x"), PLACEMENT_PEER);
    /* IPv6. */
    struct ma_ip six = ip6(high, 1);
    assert_int_equal(
        tier_of_pair(six, ip6(high ^ UINT64_C(1) << 32, 1), "", ""),
        PLACEMENT_GROUP);
    assert_int_equal(
        tier_of_pair(six, ip6(high ^ UINT64_C(1) << 31, 1), "", ""),
        PLACEMENT_SUBNET);
    assert_int_equal(
        tier_of_pair(six, ip6(high ^ UINT64_C(1) << 16, 1), "", ""),
        PLACEMENT_SUBNET);
    assert_int_equal(
        tier_of_pair(six, ip6(high ^ UINT64_C(1) << 15, 1), "", ""),
        PLACEMENT_ADDRESS);
    assert_int_equal(tier_of_pair(six, ip6(high ^ 1, 1), "", ""),
                     PLACEMENT_ADDRESS);
    assert_int_equal(tier_of_pair(six, ip6(high, 2), "", ""), PLACEMENT_PEER);
    assert_int_equal(tier_of_pair(six, a, "", ""), PLACEMENT_GROUP);
    /* An IPv4 address in IPv6 is itself. */
    assert_int_equal(tier_of_pair(ip6(0, 0xffff0a0b0c0d), a, "", ""),
                     PLACEMENT_PEER);
    assert_int_equal(tier_of_pair(ip6(0, 0xffff0a0b0c0e), a, "", ""),
                     PLACEMENT_ADDRESS);
    /* Unknown ones are one address. */
    assert_int_equal(tier_of_pair(none, none, "", ""), PLACEMENT_PEER);
    struct ma_ip left_over = {.len = 0, .bytes = {1}};
    assert_int_equal(tier_of_pair(none, left_over, "", ""), PLACEMENT_PEER);
    assert_int_equal(tier_of_pair(none, a, "", ""), PLACEMENT_GROUP);
    /* Loopback and private addresses are like others. */
    assert_int_equal(tier_of_pair(ip4(0x7f000001), ip4(0x7f000001), "", ""),
                     PLACEMENT_PEER);
    assert_int_equal(tier_of_pair(ip4(0xc0a80001), ip4(0xc0a80101), "", ""),
                     PLACEMENT_SUBNET);
    for (unsigned t = PLACEMENT_GROUP; t <= PLACEMENT_PEER; t++)
        assert_true(strlen(placement_tier_name((enum placement_tier)t)) > 3);
}

static void who_may_be_chosen(void **state)
{
    (void)state;
    struct placement_candidate nodes[6];
    enum placement_use use[6] = {PLACEMENT_FREE};

    for (uint32_t i = 0; i < 6; i++)
        nodes[i] = node(i, 20, i << 16);
    nodes[0].free_class = 0; /* no room */
    nodes[1].quality = 9;    /* below the floor */
    nodes[2].quality = 10;   /* on it */
    use[3] = PLACEMENT_SKIP;
    use[4] = PLACEMENT_HOLDS;
    struct choice c = choose(nodes, 6, 6, use, 0);
    assert_int_equal(c.count, 2);
    assert_int_equal(c.chosen[0] + c.chosen[1], 2 + 5);
    assert_int_equal(c.tier, PLACEMENT_GROUP);
    /* What is skipped is not to be differed from, what holds is. */
    nodes[2].ip = nodes[3].ip;
    c = choose(nodes, 6, 6, use, 0);
    assert_int_equal(c.tier, PLACEMENT_GROUP);
    nodes[2].ip = nodes[4].ip;
    c = choose(nodes, 6, 6, use, 0);
    assert_int_equal(c.count, 2);
    assert_int_equal(c.chosen[0], 5);
    assert_int_equal(c.tier, PLACEMENT_PEER);
    c = choose(nodes, 6, 1, use, 0);
    assert_int_equal(c.chosen[0], 5);
    assert_int_equal(c.tier, PLACEMENT_GROUP);
    /* Nothing wanted, nobody there. */
    c = choose(nodes, 6, 0, use, 0);
    assert_int_equal(c.count, 0);
    c = choose(nodes, 0, 3, NULL, 0);
    assert_int_equal(c.count, 0);
    assert_int_equal(c.tier, PLACEMENT_GROUP);
    assert_int_equal(placement_tier_of(nodes, 6, NULL), PLACEMENT_GROUP);
    assert_int_equal(placement_tier_of(nodes, 6, use), PLACEMENT_GROUP);
}

static void few_addresses_are_used_evenly(void **state)
{
    (void)state;
    struct placement_candidate nodes[20];
    enum placement_use use[20];

    /* Two machines of one network: a copy on each before a second on one. */
    for (uint32_t i = 0; i < 20; i++)
        nodes[i] = node(i, 20, i < 18 ? 0x01020304 : 0x01020305);
    for (uint32_t n = 0; n < 200; n++) {
        struct choice c = choose(nodes, 20, 2, NULL, n);
        assert_int_equal(c.count, 2);
        assert_true((c.chosen[0] < 18) != (c.chosen[1] < 18));
        assert_int_equal(c.tier, PLACEMENT_ADDRESS);
        c = choose(nodes, 20, 3, NULL, n);
        assert_int_equal(c.count, 3);
        assert_int_equal(c.tier, PLACEMENT_PEER);
        /* All of them on one address: the plain order. */
        for (size_t i = 0; i < 20; i++)
            use[i] = i < 18 ? PLACEMENT_FREE : PLACEMENT_SKIP;
        c = choose(nodes, 20, 7, use, n);
        assert_int_equal(c.count, 7);
        assert_int_equal(c.tier, PLACEMENT_PEER);
    }
}

/*
 * Random networks: the choice is as diverse as can be found one by one, never
 * in a worse tier than the tier it tells.
 */
static void random_networks(void **state)
{
    (void)state;
    uint32_t x = 12345;

    for (uint32_t n = 0; n < 300; n++) {
        struct placement_candidate nodes[NODES_MAX];
        enum placement_use use[NODES_MAX];
        x = x * 1664525 + 1013904223;
        size_t count = x >> 26;
        for (size_t i = 0; i < count; i++) {
            x = x * 1664525 + 1013904223;
            nodes[i] = node((uint32_t)i, (uint8_t)(x >> 28), 0);
            nodes[i].ip =
                ip4((x >> 8 & 3) << 16 | (x >> 12 & 3) << 8 | (x >> 16 & 3));
            nodes[i].quality = x >> 20 & 31;
            if ((x >> 25 & 1) == 1)
                set_operator(&nodes[i], (x >> 26 & 1) == 1 ? "a" : "b");
            use[i] = i % 9 == 0 ? PLACEMENT_HOLDS : PLACEMENT_FREE;
        }
        struct choice c = choose(nodes, count, 7, use, n);
        size_t able = 0;
        for (size_t i = 0; i < count; i++)
            able += use[i] == PLACEMENT_FREE && nodes[i].free_class > 0 &&
                    nodes[i].quality >= 10;
        assert_int_equal(c.count, able < 7 ? able : 7);
        enum placement_use after[NODES_MAX];
        for (size_t i = 0; i < count; i++)
            after[i] = PLACEMENT_FREE;
        for (size_t i = 0; i < c.count; i++) {
            assert_int_equal(use[c.chosen[i]], PLACEMENT_FREE);
            after[c.chosen[i]] = PLACEMENT_HOLDS;
        }
        /* Among each other they differ as well as was told, or better. */
        assert_true(placement_tier_of(nodes, count, after) <= c.tier);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_page),
        cmocka_unit_test(classes_are_doublings),
        cmocka_unit_test(order_is_of_the_set),
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(little_moves),
        cmocka_unit_test(sybils_get_one_copy),
        cmocka_unit_test(tiers),
        cmocka_unit_test(who_may_be_chosen),
        cmocka_unit_test(few_addresses_are_used_evenly),
        cmocka_unit_test(random_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
