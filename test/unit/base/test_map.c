/*
 * Goal: the map finds what was put in, in any number, forgets what was
 * removed, and is walked in the order of insertion; its hash is SipHash-1-3.
 * Method: the hash against an independent computation for every length of the
 * usual test input; the map against an array as its model, with seeded chance.
 */
#include "base/map.h"

#include "test.h"

static const uint8_t seed[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                 8, 9, 10, 11, 12, 13, 14, 15};

struct item {
    struct map_node node;
    char key[16];
    size_t key_len;
    bool present;
    uint64_t order;
};

static struct item *item_of(struct map_node *node)
{
    return node != NULL ? container_of(node, struct item, node) : NULL;
}

static struct bytes key_of(const struct item *item)
{
    return (struct bytes){(const uint8_t *)item->key, item->key_len};
}

static void the_hash_is_siphash_1_3(void **state)
{
    /* Key 00..0f, message 00 01 02 ... of the length that is the index. */
    static const uint64_t expected[] = {
        UINT64_C(0xabac0158050fc4dc), UINT64_C(0xc9f49bf37d57ca93),
        UINT64_C(0x82cb9b024dc7d44d), UINT64_C(0x8bf80ab8e7ddf7fb),
        UINT64_C(0xcf75576088d38328), UINT64_C(0xdef9d52f49533b67),
        UINT64_C(0xc50d2b50c59f22a7), UINT64_C(0xd3927d989bb11140),
        UINT64_C(0x369095118d299a8e), UINT64_C(0x25a48eb36c063de4),
        UINT64_C(0x79de85ee92ff097f), UINT64_C(0x70c118c1f94dc352),
        UINT64_C(0x78a384b157b4d9a2), UINT64_C(0x306f760c1229ffa7),
        UINT64_C(0x605aa111c0f95d34), UINT64_C(0xd320d86d2a519956),
        UINT64_C(0xcc4fdd1a7d908b66), UINT64_C(0x9cf2689063dbd80c),
        UINT64_C(0x8ffc389cb473e63e), UINT64_C(0xf21f9de58d297d1c),
        UINT64_C(0xc0dc2f46a6cce040), UINT64_C(0xb992abfe2b45f844),
        UINT64_C(0x7ffe7b9ba320872e), UINT64_C(0x525a0e7fdae6c123),
        UINT64_C(0xf464aeb267349c8c), UINT64_C(0x45cd5928705b0979),
        UINT64_C(0x3a3e35e3ca9913a5), UINT64_C(0xa91dc74e4ade3b35),
        UINT64_C(0xfb0bed02ef6cd00d), UINT64_C(0x88d93cb44ab1e1f4),
        UINT64_C(0x540f11d643c5e663), UINT64_C(0x2370dd1f8c21d1bc),
        UINT64_C(0x81157b6c16a7b60d), UINT64_C(0x4d54b9e57a8ff9bf),
        UINT64_C(0x759f12781f2a753e), UINT64_C(0xcea1a3bebf186b91),
        UINT64_C(0x2cf508d3ada26206), UINT64_C(0xb6101c2da3c33057),
        UINT64_C(0xb3f47496ae3a36a1), UINT64_C(0x626b57547b108392),
        UINT64_C(0xc1d2363299e41531), UINT64_C(0x667cc1923f1ad944),
        UINT64_C(0x65704ffec8138825), UINT64_C(0x24f280d1c28949a6),
        UINT64_C(0xc2ca1cedfaf8876b), UINT64_C(0xc2164bfc9f042196),
        UINT64_C(0xa16e9c9368b1d623), UINT64_C(0x49fb169c8b5114fd),
        UINT64_C(0x9f3143f8df074c46), UINT64_C(0xc6fdaf2412cc86b3),
        UINT64_C(0x7eaf49d10a52098f), UINT64_C(0x1cf313559d292f9a),
        UINT64_C(0xc44a30dda2f41f12), UINT64_C(0x36fae98943a71ed0),
        UINT64_C(0x318fb34c73f0bce6), UINT64_C(0xa27abf3670a7e980),
        UINT64_C(0xb4bcc0db243c6d75), UINT64_C(0x23f8d852fdb71513),
        UINT64_C(0x8f035f4da67d8a08), UINT64_C(0xd89cd0e5b7e8f148),
        UINT64_C(0xf6f4e6bcf7a644ee), UINT64_C(0xaec59ad80f1837f2),
        UINT64_C(0xc3b2f6154b6694e0), UINT64_C(0x9d199062b7bbb3a8),
    };
    uint8_t in[64];

    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)i;
    for (size_t len = 0; len < sizeof(in); len++)
        assert_true(siphash13(seed, (struct bytes){in, len}) == expected[len]);
}

static void an_empty_map_has_nothing(void **state)
{
    struct map m;

    (void)state;
    map_init(&m, seed);
    assert_int_equal(m.count, 0);
    assert_null(map_get(&m, BYTES_LIT("x")));
    assert_null(map_get(&m, BYTES_EMPTY));
    assert_null(map_first(&m));
    map_release(&m);
}

static void keys_are_bytes(void **state)
{
    struct item items[4] = {{.key = "", .key_len = 0},
                            {.key = "a", .key_len = 1},
                            {.key = "a\0b", .key_len = 3},
                            {.key = "a\0c", .key_len = 3}};
    struct map m;

    (void)state;
    map_init(&m, seed);
    for (size_t i = 0; i < 4; i++) {
        assert_null(map_get(&m, key_of(&items[i])));
        map_put(&m, &items[i].node, key_of(&items[i]));
    }
    assert_int_equal(m.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(item_of(map_get(&m, key_of(&items[i]))), &items[i]);
    map_remove(&m, &items[0].node);
    assert_null(map_get(&m, BYTES_EMPTY));
    assert_ptr_equal(item_of(map_first(&m)), &items[1]);
    map_put(&m, &items[0].node, key_of(&items[0]));
    assert_null(map_next(&m, &items[0].node)); /* it is the youngest now */
    map_release(&m);
}

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void check_against_model(const struct map *m, struct item *items,
                                size_t count, size_t present)
{
    uint64_t last = 0;
    size_t walked = 0;

    assert_int_equal(m->count, present);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(item_of(map_get(m, key_of(&items[i]))),
                         items[i].present ? &items[i] : NULL);
    map_for_each (it, m) {
        const struct item *item = item_of(it);
        assert_true(item->present);
        assert_true(item->order > last);
        last = item->order;
        walked++;
    }
    assert_int_equal(walked, present);
}

static void it_behaves_as_its_model(void **state)
{
    enum { ITEMS = 600, STEPS = 6000, CHECK_EVERY = 500 };
    struct item *items = calloc(ITEMS, sizeof(*items));
    uint64_t random = 0x1234567;
    uint64_t clock = 1;
    size_t present = 0;
    struct map m;

    (void)state;
    assert_non_null(items);
    map_init(&m, seed);
    for (size_t i = 0; i < ITEMS; i++)
        items[i].key_len =
            (size_t)snprintf(items[i].key, sizeof(items[i].key), "key-%zu", i);
    for (size_t step = 0; step < STEPS; step++) {
        struct item *item = &items[next_random(&random) % ITEMS];
        if (item->present) {
            map_remove(&m, &item->node);
            present--;
        } else {
            map_put(&m, &item->node, key_of(item));
            item->order = clock++;
            present++;
        }
        item->present = !item->present;
        if (step % CHECK_EVERY == 0)
            check_against_model(&m, items, ITEMS, present);
    }
    check_against_model(&m, items, ITEMS, present);
    map_release(&m);
    free(items);
}

static void growth_keeps_everything(void **state)
{
    enum { ITEMS = 5000 };
    struct item *items = calloc(ITEMS, sizeof(*items));
    struct map m;

    (void)state;
    assert_non_null(items);
    map_init(&m, seed);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i].key_len =
            (size_t)snprintf(items[i].key, sizeof(items[i].key), "%zu", i);
        items[i].present = true;
        items[i].order = i + 1;
        map_put(&m, &items[i].node, key_of(&items[i]));
    }
    check_against_model(&m, items, ITEMS, ITEMS);
    map_release(&m);
    assert_int_equal(m.count, 0);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash_1_3),
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(it_behaves_as_its_model),
        cmocka_unit_test(growth_keeps_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
