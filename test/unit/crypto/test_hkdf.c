/*
 * Goal: HMAC and HKDF as in RFC 4231 and RFC 5869, and Noise's use of them.
 * Method: the vectors of the documents; Noise's two outputs from another
 * implementation; the longest output.
 */
#include "crypto/hkdf.h"
#include "crypto/sha256.h"

#include "test.h"

static struct bytes fill(uint8_t *dst, size_t len, uint8_t first, uint8_t step)
{
    for (size_t i = 0; i < len; i++)
        dst[i] = (uint8_t)(first + i * step);
    return (struct bytes){dst, len};
}

static void check(const uint8_t *got, const char *hex, size_t len)
{
    uint8_t want[128];
    assert_int_equal(unhex(hex, want, sizeof(want)), len);
    assert_memory_equal(got, want, len);
}

static void rfc_4231(void **state)
{
    (void)state;
    uint8_t key[131];
    uint8_t mac[HMAC_SHA512_BYTES];
    struct bytes short_key = fill(key, 20, 0x0b, 0);
    hmac_sha256(short_key, BYTES_LIT("Hi There"), mac);
    check(mac,
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
          HMAC_SHA256_BYTES);
    hmac_sha512(short_key, BYTES_LIT("Hi There"), mac);
    check(mac,
          "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
          "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
          HMAC_SHA512_BYTES);
    struct bytes long_key = fill(key, 131, 0xaa, 0);
    hmac_sha256(
        long_key,
        BYTES_LIT("Test Using Larger Than Block-Size Key - Hash Key First"),
        mac);
    check(mac,
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
          HMAC_SHA256_BYTES);
    hmac_sha256(BYTES_EMPTY, BYTES_EMPTY, mac);
    check(mac,
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
          HMAC_SHA256_BYTES);
}

static void rfc_5869(void **state)
{
    (void)state;
    uint8_t salt[80];
    uint8_t ikm[80];
    uint8_t info[80];
    uint8_t okm[128];
    hkdf_sha256(fill(salt, 13, 0, 1), fill(ikm, 22, 0x0b, 0),
                fill(info, 10, 0xf0, 1), okm, 42);
    check(okm,
          "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
          "34007208d5b887185865",
          42);
    hkdf_sha256(fill(salt, 80, 0x60, 1), fill(ikm, 80, 0, 1),
                fill(info, 80, 0xb0, 1), okm, 82);
    check(okm,
          "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
          "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
          "cc30c58179ec3e87c14c01d5c1f3434f1d87",
          82);
    hkdf_sha256(BYTES_EMPTY, fill(ikm, 22, 0x0b, 0), BYTES_EMPTY, okm, 42);
    check(okm,
          "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
          "9d201395faa4b61a96c8",
          42);
}

static void longest_output_and_info(void **state)
{
    (void)state;
    static uint8_t okm[HKDF_BYTES_MAX + 1];
    okm[HKDF_BYTES_MAX] = 0x5a;
    hkdf_sha256(BYTES_LIT("s"), BYTES_LIT("k"), BYTES_LIT("i"), okm,
                HKDF_BYTES_MAX);
    uint8_t digest[SHA256_BYTES];
    sha256((struct bytes){okm, HKDF_BYTES_MAX}, digest);
    check(digest,
          "813255b76aa629b61a02f931fad42294020186e8b7fcc89add6e736456703a02",
          SHA256_BYTES);
    assert_int_equal(okm[HKDF_BYTES_MAX], 0x5a);

    uint8_t info[HKDF_INFO_MAX] = {0};
    hkdf_sha256(BYTES_EMPTY, BYTES_EMPTY, (struct bytes){info, sizeof(info)},
                okm, 64);
}

static void noise(void **state)
{
    (void)state;
    uint8_t ck[HKDF_KEY_BYTES];
    uint8_t ikm[32];
    uint8_t key1[HKDF_KEY_BYTES];
    uint8_t key2[HKDF_KEY_BYTES];
    fill(ck, sizeof(ck), 0, 1);
    hkdf_noise(ck, fill(ikm, sizeof(ikm), 32, 1), key1, key2);
    check(key1,
          "2607f5d05b268e0057684567787ed2f250fdb6e5b0572df9ef57a29539e5b5f8",
          HKDF_KEY_BYTES);
    check(key2,
          "ccc538566c93ab32f7106fbee1e0e9fa5501f6363b63ce894b3a27385f13c86c",
          HKDF_KEY_BYTES);
    /* The final split has no input; the first output may replace the salt. */
    hkdf_noise(ck, BYTES_EMPTY, ck, key2);
    check(ck,
          "1d7e0d6f1d9da2d68dabed53b5f88345f3fd01cb75411fbe5aa4293bd8f430d6",
          HKDF_KEY_BYTES);
    check(key2,
          "3ed9b8035bbf370b8cfef7ff15007de45488e18660c84e3d996e8e6c658fa7f8",
          HKDF_KEY_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_4231),
        cmocka_unit_test(rfc_5869),
        cmocka_unit_test(longest_output_and_info),
        cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
