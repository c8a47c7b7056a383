/*
 * Goal: hash_compute() knows the functions that CIDs use, by their multicodec,
 * and refuses the others.
 * Method: digests of "abc", made by another implementation.
 */
#include "crypto/hash.h"

#include "test.h"

static const struct {
    uint64_t code;
    const char *hex;
} digests_of_abc[] = {
    {HASH_IDENTITY, "616263"},
    {HASH_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {HASH_SHA2_256,
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HASH_SHA2_512,
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {HASH_SHA3_512,
     "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
     "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
    {HASH_SHA3_384,
     "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
     "98d88cea927ac7f539f1edf228376d25"},
    {HASH_SHA3_256,
     "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
    {HASH_SHA3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"},
    {HASH_DBL_SHA2_256,
     "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358"},
    {HASH_BLAKE2B_160, "384264f676f39536840523f284921cdc68b6846b"},
    {HASH_BLAKE2B_256,
     "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
    {HASH_BLAKE2B_512,
     "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
     "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"},
};

static void known_digests(void **state)
{
    (void)state;
    size_t count = sizeof(digests_of_abc) / sizeof(digests_of_abc[0]);
    for (size_t i = 0; i < count; i++) {
        uint8_t want[HASH_BYTES_MAX];
        uint8_t got[HASH_BYTES_MAX];
        size_t want_len = unhex(digests_of_abc[i].hex, want, sizeof(want));
        size_t len = 0;
        assert_int_equal(
            hash_compute(digests_of_abc[i].code, BYTES_LIT("abc"), got, &len),
            OK);
        assert_int_equal(len, want_len);
        assert_memory_equal(got, want, len);
    }
}

static void other_functions_are_refused(void **state)
{
    (void)state;
    static const uint64_t codes[] = {
        1,    0x10,  0x18,   0x19,       0x1a,
        0x1e, 0x22,  0xb201, 0xb213,     0xb241,
        0x55, 0x112, 0xb260, UINT64_MAX, UINT64_C(1) << 32 | 0x12,
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        uint8_t digest[HASH_BYTES_MAX] = {7};
        size_t len = 99;
        assert_int_equal(hash_compute(codes[i], BYTES_LIT("abc"), digest, &len),
                         E_UNSUPPORTED);
        assert_int_equal(digest[0], 7);
        assert_int_equal(len, 99);
    }
}

static void identity_has_a_limit(void **state)
{
    (void)state;
    uint8_t in[HASH_BYTES_MAX + 1] = {1, 2, 3};
    uint8_t digest[HASH_BYTES_MAX];
    size_t len = 0;
    assert_int_equal(
        hash_compute(HASH_IDENTITY, (struct bytes){in, 64}, digest, &len), OK);
    assert_int_equal(len, 64);
    assert_memory_equal(digest, in, 64);
    assert_int_equal(
        hash_compute(HASH_IDENTITY, (struct bytes){in, 65}, digest, &len),
        E_LIMIT);
    assert_int_equal(hash_compute(HASH_IDENTITY, BYTES_EMPTY, digest, &len),
                     OK);
    assert_int_equal(len, 0);
}

static void nothing_has_digests_too(void **state)
{
    (void)state;
    static const uint64_t codes[] = {HASH_SHA1, HASH_SHA2_256, HASH_SHA3_256,
                                     HASH_BLAKE2B_256, HASH_DBL_SHA2_256};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        uint8_t digest[HASH_BYTES_MAX];
        size_t len = 0;
        assert_int_equal(hash_compute(codes[i], BYTES_EMPTY, digest, &len), OK);
        assert_true(len >= 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(other_functions_are_refused),
        cmocka_unit_test(identity_has_a_limit),
        cmocka_unit_test(nothing_has_digests_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
