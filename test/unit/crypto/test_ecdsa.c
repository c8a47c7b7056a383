/*
 * Goal: ECDSA signatures of P-256 and secp256k1 keys are checked.
 * Method: keys and signatures made by the openssl program; every prefix; bits
 * turned over; keys of other curves.
 */
#include "crypto/ecdsa.h"

#include "test.h"

#define DIR "test/vectors/crypto/"

struct file {
    uint8_t b[256];
    size_t len;
};

static struct bytes load(const char *path, struct file *file)
{
    file->len = test_load(path, file->b, sizeof(file->b));
    return (struct bytes){file->b, file->len};
}

typedef enum err verify_fn(struct bytes key, struct bytes msg,
                           struct bytes sig);

static void check(verify_fn *verify, const char *key_path, const char *sig_path)
{
    struct file key_file;
    struct file sig_file;
    struct bytes key = load(key_path, &key_file);
    struct bytes sig = load(sig_path, &sig_file);
    struct bytes msg = BYTES_LIT("libp2p message");
    assert_int_equal(verify(key, msg, sig), OK);
    assert_int_equal(verify(key, BYTES_LIT("libp2p messagf"), sig), E_MISMATCH);
    for (size_t len = 0; len < sig.len; len++)
        assert_int_equal(verify(key, msg, (struct bytes){sig.p, len}),
                         E_MISMATCH);
    for (size_t bit = 0; bit < sig.len * 8; bit++) {
        sig_file.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(verify(key, msg, sig), E_MISMATCH);
        sig_file.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < key.len; len++)
        assert_int_not_equal(verify((struct bytes){key.p, len}, msg, sig), OK);
    for (size_t bit = 0; bit < key.len * 8; bit++) {
        key_file.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(verify(key, msg, sig), OK);
        key_file.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    sig_file.b[sig.len] = 0;
    assert_int_equal(verify(key, msg, (struct bytes){sig.p, sig.len + 1}),
                     E_MISMATCH);
    assert_int_equal(
        verify(key, msg, (struct bytes){sig.p, ECDSA_SIG_BYTES_MAX + 1}),
        E_MISMATCH);
}

static void p256(void **state)
{
    (void)state;
    check(ecdsa_verify_p256, DIR "ec_prime256v1_spki.der",
          DIR "ec_prime256v1_sig.bin");
}

static void secp256k1(void **state)
{
    (void)state;
    check(ecdsa_verify_secp256k1, DIR "ec_secp256k1_point.bin",
          DIR "ec_secp256k1_sig.bin");
}

static void other_keys_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {
        DIR "ec_secp256k1_spki.der",
        DIR "ec_secp384r1_spki.der",
        DIR "ec_prime256v1_compressed_spki.der",
    };
    struct bytes some = BYTES_LIT("x");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct file file;
        assert_int_equal(ecdsa_verify_p256(load(keys[i], &file), some, some),
                         E_UNSUPPORTED);
    }
    assert_int_equal(ecdsa_verify_p256(BYTES_EMPTY, some, some), E_MALFORMED);
    assert_int_equal(ecdsa_verify_secp256k1(BYTES_EMPTY, some, some),
                     E_MALFORMED);
}

static void points_off_the_curve_are_refused(void **state)
{
    (void)state;
    struct file file;
    struct bytes some = BYTES_LIT("x");
    struct bytes key = load(DIR "ec_prime256v1_spki.der", &file);
    file.b[key.len - 1] ^= 1;
    assert_int_equal(ecdsa_verify_p256(key, some, some), E_MALFORMED);
    /* There is no point with x = 5 on secp256k1. */
    uint8_t point[ECDSA_POINT_BYTES] = {2};
    point[ECDSA_POINT_BYTES - 1] = 5;
    assert_int_equal(ecdsa_verify_secp256k1(
                         (struct bytes){point, sizeof(point)}, some, some),
                     E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p256),
        cmocka_unit_test(secp256k1),
        cmocka_unit_test(other_keys_are_refused),
        cmocka_unit_test(points_off_the_curve_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
