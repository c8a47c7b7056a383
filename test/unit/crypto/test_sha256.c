/*
 * Goal: SHA-256, at once and in pieces, gives the digests of FIPS 180-4.
 * Method: known digests; then every way to cut one input into two pieces.
 */
#include "crypto/sha256.h"

#include "test.h"

static void check(struct bytes in, const char *hex)
{
    uint8_t want[SHA256_BYTES];
    uint8_t got[SHA256_BYTES];
    assert_int_equal(unhex(hex, want, sizeof(want)), SHA256_BYTES);
    sha256(in, got);
    assert_memory_equal(got, want, SHA256_BYTES);
}

static void known_digests(void **state)
{
    (void)state;
    check(BYTES_EMPTY,
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check(BYTES_LIT("abc"),
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    static uint8_t pattern[100000];
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i % 251);
    check((struct bytes){pattern, sizeof(pattern)},
          "cd2df694e424bc7968cc37f47751019e5ca0cd1bdf2e479ea537c3a1c32ee1aa");
}

static void pieces_are_the_whole(void **state)
{
    (void)state;
    uint8_t in[200];
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)i;
    uint8_t want[SHA256_BYTES];
    sha256((struct bytes){in, sizeof(in)}, want);
    for (size_t cut = 0; cut <= sizeof(in); cut++) {
        struct sha256 s;
        sha256_init(&s);
        sha256_update(&s, (struct bytes){in, cut});
        sha256_update(&s, BYTES_EMPTY);
        sha256_update(&s, (struct bytes){in + cut, sizeof(in) - cut});
        uint8_t got[SHA256_BYTES];
        sha256_final(&s, got);
        assert_memory_equal(got, want, SHA256_BYTES);
    }
}

static void a_copy_goes_its_own_way(void **state)
{
    (void)state;
    struct sha256 a;
    sha256_init(&a);
    sha256_update(&a, BYTES_LIT("a"));
    struct sha256 b = a;
    sha256_update(&b, BYTES_LIT("x"));
    sha256_update(&a, BYTES_LIT("bc"));
    uint8_t got[SHA256_BYTES];
    uint8_t want[SHA256_BYTES];
    sha256_final(&a, got);
    sha256(BYTES_LIT("abc"), want);
    assert_memory_equal(got, want, SHA256_BYTES);
    sha256_final(&b, got);
    sha256(BYTES_LIT("ax"), want);
    assert_memory_equal(got, want, SHA256_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(a_copy_goes_its_own_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
