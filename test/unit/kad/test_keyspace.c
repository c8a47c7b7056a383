/*
 * Goal: points, distances, shared prefixes and the search for a key in a
 * region.
 * Method: vectors of ipfs/specs and of known peers; a slow model that works bit
 * by bit; every number of bits.
 */
#include "kad/keyspace.h"
#include "multiformats/peer_id.h"

#include "test.h"

static struct kad_key of_hex(const char *hex)
{
    uint8_t in[128];
    size_t len = unhex(hex, in, sizeof(in));
    return kad_key_of((struct bytes){in, len});
}

static struct kad_key make(const char *hex)
{
    struct kad_key key = {.b = {0}};
    assert_int_equal(unhex(hex, key.b, sizeof(key.b)), KAD_KEY_BYTES);
    return key;
}

static void assert_key(struct kad_key got, const char *hex)
{
    struct kad_key want = make(hex);
    assert_memory_equal(got.b, want.b, sizeof(want.b));
}

#define ID_A                                                                   \
    "0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fc" \
    "e27e"

static void vectors(void **state)
{
    (void)state;
    const char *kad_a =
        "dfd53212a4bd2beda3ea8e82d08285370c70a70cfe9c588e28754b23c8033121";
    assert_key(of_hex(ID_A), kad_a);
    uint8_t in[64];
    struct peer_id id;
    size_t len = unhex(ID_A, in, sizeof(in));
    assert_int_equal(peer_id_decode((struct bytes){in, len}, &id), OK);
    assert_key(kad_key_of_peer(&id), kad_a);
    /* "/ipns/" and the id. */
    assert_key(
        of_hex("2f69706e732f" ID_A),
        "2ea101fbb97dda568a8838337e171e0f017e01699d69a589e39fecc5f77bbf58");
    /* A multihash, of ipfs/specs. */
    assert_key(
        of_hex("1220e536c7f88d731f374dccb568aff6f56e838a19382e488039b1ca8ad259"
               "9e82fe"),
        "d623250f3f660ab4c3a53d3c97b3f6a0194c548053488d093520206248253bcb");
    struct kad_key key = of_hex(ID_A);
    assert_int_equal(kad_key_bytes(&key).len, KAD_KEY_BYTES);
    assert_ptr_equal(kad_key_bytes(&key).p, key.b);
}

/* Numbers that are the same in every run. */
static uint64_t chance(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *state >> 33;
}

static struct kad_key random_key(uint64_t *seed)
{
    struct kad_key key = {.b = {0}};
    for (size_t i = 0; i < sizeof(key.b); i++)
        key.b[i] = (uint8_t)chance(seed);
    return key;
}

static bool model_bit(const struct kad_key *key, unsigned i)
{
    return (key->b[i / 8] & (0x80U >> i % 8)) != 0;
}

static int model_cmp(const struct kad_key *t, const struct kad_key *a,
                     const struct kad_key *b)
{
    for (unsigned i = 0; i < KAD_KEY_BITS; i++) {
        bool far_a = model_bit(a, i) != model_bit(t, i);
        bool far_b = model_bit(b, i) != model_bit(t, i);
        if (far_a != far_b)
            return far_b ? -1 : 1;
    }
    return 0;
}

static int sign(int x)
{
    return x < 0 ? -1 : x > 0;
}

static void distance_is_xor(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (unsigned i = 0; i < 2000; i++) {
        struct kad_key t = random_key(&seed);
        struct kad_key a = random_key(&seed);
        struct kad_key b = a;
        unsigned bit = i % KAD_KEY_BITS;
        kad_key_set_bit(&b, bit, !kad_key_bit(&b, bit));
        struct kad_key c = random_key(&seed);
        assert_int_equal(sign(kad_key_cmp_distance(&t, &a, &b)),
                         model_cmp(&t, &a, &b));
        assert_int_equal(sign(kad_key_cmp_distance(&t, &b, &a)),
                         model_cmp(&t, &b, &a));
        assert_int_equal(sign(kad_key_cmp_distance(&t, &a, &c)),
                         model_cmp(&t, &a, &c));
        assert_int_equal(kad_key_cmp_distance(&t, &a, &a), 0);
        assert_true(kad_key_cmp_distance(&a, &a, &b) < 0);
        struct kad_key zero = {0};
        assert_int_equal(sign(kad_key_cmp(&a, &c)), model_cmp(&zero, &a, &c));
        assert_int_equal(kad_key_cpl(&a, &b), bit);
        assert_int_equal(kad_key_cpl(&b, &a), bit);
        assert_false(kad_key_eq(&a, &b));
    }
    struct kad_key a = random_key(&seed);
    struct kad_key b = a;
    assert_true(kad_key_eq(&a, &b));
    assert_int_equal(kad_key_cpl(&a, &b), KAD_KEY_BITS);
}

static void ranges_of_a_prefix(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (unsigned bits = 0; bits <= KAD_KEY_BITS; bits++) {
        struct kad_key key = random_key(&seed);
        struct kad_key first = kad_key_first(&key, bits);
        struct kad_key last = kad_key_last(&key, bits);
        assert_true(kad_key_cpl(&key, &first) >= bits);
        assert_true(kad_key_cpl(&key, &last) >= bits);
        for (unsigned i = bits; i < KAD_KEY_BITS; i++) {
            assert_false(kad_key_bit(&first, i));
            assert_true(kad_key_bit(&last, i));
        }
        struct kad_key next = kad_key_next(&last);
        if (bits > 0)
            assert_true(kad_key_cpl(&next, &key) < bits);
        else
            assert_key(next, "00000000000000000000000000000000"
                             "00000000000000000000000000000000");
    }
    assert_key(
        kad_key_next(&(struct kad_key){.b = {[30] = 7, [31] = 0xff}}),
        "0000000000000000000000000000000000000000000000000000000000000800");
}

static void search_finds_a_key_in_the_region(void **state)
{
    (void)state;
    uint64_t seed = 3;
    uint8_t first[KAD_SEARCH_BYTES];
    uint8_t other[KAD_SEARCH_BYTES];
    struct peer_id id;
    for (unsigned bits = 0; bits <= 12; bits++) {
        struct kad_key near = random_key(&seed);
        assert_int_equal(kad_key_search(&near, bits, 1, 1U << 16, first), OK);
        struct bytes found = {first, sizeof(first)};
        struct kad_key key = kad_key_of(found);
        assert_true(kad_key_cpl(&key, &near) >= bits);
        assert_int_equal(peer_id_decode(found, &id), OK);
        assert_int_equal(kad_key_search(&near, bits, 2, 1U << 16, other), OK);
        assert_memory_not_equal(first, other, sizeof(first));
    }
    struct kad_key near = random_key(&seed);
    memcpy(other, first, sizeof(other));
    assert_int_equal(kad_key_search(&near, 60, 1, 1000, first), E_NOTFOUND);
    assert_int_equal(kad_key_search(&near, 0, 1, 0, first), E_NOTFOUND);
    assert_memory_equal(first, other, sizeof(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(distance_is_xor),
        cmocka_unit_test(ranges_of_a_prefix),
        cmocka_unit_test(search_finds_a_key_in_the_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
