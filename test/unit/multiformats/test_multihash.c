/*
 * Goal: multihashes are read and written in one form, and content is checked
 * against those that we may trust.
 * Method: vectors of multiformats/multihash; every prefix; lengths at and past
 * the limit; the list of allowed functions at its edges.
 */
#include "base/wr.h"
#include "crypto/hash.h"
#include "multiformats/multihash.h"

#include "test.h"

#define DATA "431fb5d4c9b735ba1a34d0df045118806ae2336f2c"

static struct multihash decode(const char *hex)
{
    uint8_t in[128];
    size_t len = unhex(hex, in, sizeof(in));
    struct multihash hash;
    assert_int_equal(multihash_decode((struct bytes){in, len}, &hash), OK);
    uint8_t out[MULTIHASH_BYTES_MAX];
    assert_int_equal(multihash_encode(&hash, out), len);
    assert_memory_equal(out, in, len);
    return hash;
}

static enum err decode_fails(const char *hex)
{
    uint8_t in[128];
    size_t len = unhex(hex, in, sizeof(in));
    struct multihash hash;
    return multihash_decode((struct bytes){in, len}, &hash);
}

static void vectors(void **state)
{
    (void)state;
    /* The data is the text itself, not the bytes that it spells. */
    static const char *const hashes[] = {
        "110ae861e452cfd84dca9a17",
        "1114e861e452cfd84dca9a176258c3d06e020a0c93d8",
        "1220ffb31f07aa15348368c90c73a834dbf9f8710365860fa0fd4ddce9ac2782cc17",
        "120affb31f07aa15348368c9",
    };
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        struct multihash hash = decode(hashes[i]);
        assert_int_equal(multihash_verify(&hash, BYTES_LIT(DATA)), OK);
        assert_int_equal(multihash_verify(&hash, BYTES_LIT("x")), E_MISMATCH);
        hash.digest[hash.len - 1] ^= 1;
        assert_int_equal(multihash_verify(&hash, BYTES_LIT(DATA)), E_MISMATCH);
    }
    struct multihash made = multihash_sha256(BYTES_LIT(DATA));
    struct multihash want = decode(hashes[2]);
    assert_true(multihash_eq(&made, &want));
}

static void every_prefix(void **state)
{
    (void)state;
    uint8_t in[40];
    size_t len = unhex(
        "1220ffb31f07aa15348368c90c73a834dbf9f8710365860fa0fd4ddce9ac2782cc17",
        in, sizeof(in));
    struct multihash hash;
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(multihash_decode((struct bytes){in, cut}, &hash),
                         E_SHORT);
    in[len] = 0;
    assert_int_equal(multihash_decode((struct bytes){in, len + 1}, &hash),
                     E_MALFORMED);
}

static void lengths(void **state)
{
    (void)state;
    uint8_t in[2 + MULTIHASH_DIGEST_MAX + 1] = {HASH_SHA2_512,
                                                MULTIHASH_DIGEST_MAX, 1, 2};
    struct multihash hash;
    assert_int_equal(multihash_decode((struct bytes){in, 66}, &hash), OK);
    assert_int_equal(hash.len, MULTIHASH_DIGEST_MAX);
    in[1]++;
    assert_int_equal(multihash_decode((struct bytes){in, 67}, &hash), E_LIMIT);
    assert_int_equal(decode_fails("12ffffffffffffffff7f"), E_LIMIT);
    assert_int_equal(decode_fails("0000"), OK);
    /* Numbers that are not minimal. */
    assert_int_equal(decode_fails("92000101"), E_MALFORMED);
    assert_int_equal(decode_fails("12810001"), E_MALFORMED);
    assert_int_equal(decode_fails("ffffffffffffffffff010101"), E_MALFORMED);
}

static void reader_goes_on_behind(void **state)
{
    (void)state;
    uint8_t in[] = {HASH_SHA1, 2, 0xaa, 0xbb, 0x77};
    struct rd r = rd_init((struct bytes){in, sizeof(in)});
    struct multihash hash;
    multihash_read(&r, &hash);
    assert_int_equal(hash.len, 2);
    assert_int_equal(rd_u8(&r), 0x77);
    assert_int_equal(rd_finish(&r), OK);
}

static void verify(void **state)
{
    (void)state;
    struct multihash hash = decode("0003616263");
    assert_int_equal(multihash_verify(&hash, BYTES_LIT("abc")), OK);
    assert_int_equal(multihash_verify(&hash, BYTES_LIT("abcd")), E_MISMATCH);
    assert_int_equal(multihash_verify(&hash, BYTES_LIT("ab")), E_MISMATCH);
    hash = decode("0000");
    assert_int_equal(multihash_verify(&hash, BYTES_EMPTY), OK);
    assert_int_equal(multihash_verify(&hash, BYTES_LIT("a")), E_MISMATCH);

    /* No digest is no proof, and neither is one that is too long. */
    hash = decode("1200");
    assert_int_equal(multihash_verify(&hash, BYTES_LIT("abc")), E_MISMATCH);
    hash = multihash_sha256(BYTES_LIT("abc"));
    assert_int_equal(multihash_verify(&hash, BYTES_LIT("abc")), OK);
    hash.len++;
    assert_int_equal(multihash_verify(&hash, BYTES_LIT("abc")), E_MISMATCH);
    hash = decode("1e03616263");
    assert_int_equal(multihash_verify(&hash, BYTES_LIT("abc")), E_UNSUPPORTED);
}

static bool is_allowed(uint64_t code, uint8_t len)
{
    struct multihash hash = {.code = code, .len = len};
    return multihash_is_allowed(&hash);
}

static void allowed(void **state)
{
    (void)state;
    static const uint64_t good[] = {
        0x11, 0x12, 0x13, 0x14, 0x15,   0x16,   0x17,   0x19,   0x1a,  0x1b,
        0x1c, 0x1d, 0x1e, 0x56, 0xb214, 0xb220, 0xb240, 0xb254, 0xb260};
    static const uint64_t bad[] = {
        0x01,   0x10,   0x18,   0x1f,   0x22, 0x55,           0xb201,
        0xb213, 0xb241, 0xb253, 0xb261, 0xd5, UINT64_MAX >> 1};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(is_allowed(good[i], MULTIHASH_DIGEST_MIN));
        assert_true(is_allowed(good[i], MULTIHASH_DIGEST_MAX));
        assert_false(is_allowed(good[i], MULTIHASH_DIGEST_MIN - 1));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(is_allowed(bad[i], 32));
    assert_true(is_allowed(0, 0));
    assert_true(is_allowed(0, MULTIHASH_DIGEST_MAX));
}

static void order(void **state)
{
    (void)state;
    struct multihash hashes[] = {decode("0000"), decode("000101"),
                                 decode("00020100"), decode("000102"),
                                 decode("110101")};
    size_t count = sizeof(hashes) / sizeof(hashes[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int got = multihash_cmp(&hashes[i], &hashes[j]);
            assert_int_equal(got < 0, i < j);
            assert_int_equal(got == 0, i == j);
            assert_int_equal(multihash_eq(&hashes[i], &hashes[j]), i == j);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors), cmocka_unit_test(every_prefix),
        cmocka_unit_test(lengths), cmocka_unit_test(reader_goes_on_behind),
        cmocka_unit_test(verify),  cmocka_unit_test(allowed),
        cmocka_unit_test(order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
