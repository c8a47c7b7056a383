/*
 * Goal: X25519 as in RFC 7748, refusing keys that lead to a shared secret of
 * zeros.
 * Method: the vectors of RFC 7748, 5.2 and 6.1, those of Noise's static keys,
 * the points of small order.
 */
#include "crypto/x25519.h"

#include "test.h"

struct key {
    uint8_t b[X25519_BYTES];
};

static struct key key_of(const char *hex)
{
    struct key key = {0};
    assert_int_equal(unhex(hex, key.b, sizeof(key.b)), X25519_BYTES);
    return key;
}

static void check_public(const char *secret, const char *want)
{
    struct key got;
    x25519_public(key_of(secret).b, got.b);
    assert_memory_equal(got.b, key_of(want).b, X25519_BYTES);
}

static void check_shared(const char *secret, const char *peer, const char *want)
{
    struct key got;
    assert_int_equal(x25519_shared(key_of(secret).b, key_of(peer).b, got.b),
                     OK);
    assert_memory_equal(got.b, key_of(want).b, X25519_BYTES);
}

static void rfc_7748(void **state)
{
    (void)state;
    check_shared(
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    check_shared(
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
    check_public(
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    check_public(
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    check_shared(
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    check_shared(
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

static void static_keys_of_noise(void **state)
{
    (void)state;
    check_public(
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f");
    check_public(
        "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
        "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c");
}

static void points_of_small_order_are_refused(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct key secret = key_of(
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        struct key shared;
        assert_int_equal(x25519_shared(secret.b, key_of(points[i]).b, shared.b),
                         E_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_7748),
        cmocka_unit_test(static_keys_of_noise),
        cmocka_unit_test(points_of_small_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
