/*
 * Goal: RSA signatures of peers are checked, for keys of 2048 to 8192 bits.
 * Method: keys and signatures made by the openssl program; keys one step past
 * each limit; every prefix of a key; bits turned over.
 */
#include "crypto/rsa.h"

#include "test.h"

#define DIR "test/vectors/crypto/"

struct file {
    uint8_t b[2049];
    size_t len;
};

static struct bytes load(const char *path, struct file *file)
{
    file->len = test_load(path, file->b, sizeof(file->b));
    return (struct bytes){file->b, file->len};
}

static enum err verify(const char *key, const char *sig)
{
    struct file files[3];
    return rsa_verify(load(key, &files[0]),
                      load(DIR "signed_message.bin", &files[1]),
                      load(sig, &files[2]));
}

static void good_signatures(void **state)
{
    (void)state;
    assert_int_equal(verify(DIR "rsa_2048_spki.der", DIR "rsa_2048_sig.bin"),
                     OK);
    assert_int_equal(verify(DIR "rsa_4096_spki.der", DIR "rsa_4096_sig.bin"),
                     OK);
    assert_int_equal(verify(DIR "rsa_8192_spki.der", DIR "rsa_8192_sig.bin"),
                     OK);
}

static void other_keys_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {
        DIR "rsa_2040_spki.der",     DIR "rsa_8200_spki.der",
        DIR "rsa_pss_2048_spki.der", DIR "ec_prime256v1_spki.der",
        DIR "ec_secp256k1_spki.der",
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_int_equal(verify(keys[i], DIR "rsa_2048_sig.bin"),
                         E_UNSUPPORTED);
}

static void wrong_signatures_are_refused(void **state)
{
    (void)state;
    struct file key_file;
    struct file sig_file;
    struct bytes key = load(DIR "rsa_2048_spki.der", &key_file);
    struct bytes sig = load(DIR "rsa_2048_sig.bin", &sig_file);
    struct bytes msg = BYTES_LIT("libp2p message");
    assert_int_equal(rsa_verify(key, msg, sig), OK);
    assert_int_equal(rsa_verify(key, BYTES_LIT("libp2p messagf"), sig),
                     E_MISMATCH);
    assert_int_equal(rsa_verify(key, BYTES_EMPTY, sig), E_MISMATCH);
    assert_int_equal(rsa_verify(key, msg, BYTES_EMPTY), E_MISMATCH);
    for (size_t len = 0; len < sig.len; len += 17)
        assert_int_equal(rsa_verify(key, msg, (struct bytes){sig.p, len}),
                         E_MISMATCH);
    for (size_t bit = 0; bit < sig.len * 8; bit += 37) {
        sig_file.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(rsa_verify(key, msg, sig), E_MISMATCH);
        sig_file.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void keys_fill_their_bytes(void **state)
{
    (void)state;
    struct file key_file;
    struct bytes key = load(DIR "rsa_2048_spki.der", &key_file);
    struct bytes msg = BYTES_LIT("libp2p message");
    for (size_t len = 0; len < key.len; len++) {
        /* Memory of exactly this length shows reads past the end. */
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, key.p, len);
        assert_int_equal(rsa_verify((struct bytes){copy, len}, msg, msg),
                         E_MALFORMED);
        free(copy);
    }
    key_file.b[key.len] = 0;
    assert_int_equal(rsa_verify((struct bytes){key.p, key.len + 1}, msg, msg),
                     E_MALFORMED);
    memset(key_file.b, 0, sizeof(key_file.b));
    assert_int_equal(
        rsa_verify((struct bytes){key.p, RSA_SPKI_BYTES_MAX}, msg, msg),
        E_MALFORMED);
    assert_int_equal(
        rsa_verify((struct bytes){key.p, RSA_SPKI_BYTES_MAX + 1}, msg, msg),
        E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_signatures),
        cmocka_unit_test(other_keys_are_refused),
        cmocka_unit_test(wrong_signatures_are_refused),
        cmocka_unit_test(keys_fill_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
