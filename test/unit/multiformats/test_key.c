/*
 * Goal: keys in their protobuf and in PEM, and signatures of all four kinds.
 * Method: the key pair of libp2p/specs; the examples of RFC 8410; keys and
 * signatures made by the openssl program; every prefix and every bit.
 */
#include "base/wr.h"
#include "multiformats/key.h"
#include "multiformats/peer_id.h"

#include "test.h"

#define DIR  "test/vectors/crypto/"
#define SEED "7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d"
#define PUB  "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
#define PEM                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "MC4CAQAwBQYDK2VwBCIEIH4IMGF8Sn3oOSXfsmlFVrEpNsR3oOH+suFI7J2mD+59\n"       \
    "-----END PRIVATE KEY-----\n"

static struct privkey make_key(void)
{
    uint8_t seed[ED25519_SEED_BYTES];
    unhex(SEED, seed, sizeof(seed));
    struct privkey key;
    privkey_init_seed(&key, seed);
    return key;
}

static enum err decode(const char *hex, uint8_t *in, size_t max,
                       struct privkey *ret_key)
{
    return privkey_decode((struct bytes){in, unhex(hex, in, max)}, ret_key);
}

static void private_protobuf(void **state)
{
    (void)state;
    uint8_t in[128];
    struct privkey key;
    assert_int_equal(decode("08011240" SEED PUB, in, sizeof(in), &key), OK);
    uint8_t out[PRIVKEY_BYTES];
    privkey_encode(&key, out);
    assert_memory_equal(out, in, sizeof(out));
    struct peer_id id = privkey_peer_id(&key);
    char text[PEER_ID_TEXT_MAX];
    peer_id_format(&id, text);
    assert_string_equal(text,
                        "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq");
    privkey_release(&key);
    privkey_release(&key);

    for (size_t len = 0; len < PRIVKEY_BYTES; len++)
        assert_int_equal(privkey_decode((struct bytes){in, len}, &key),
                         E_SHORT);
    assert_int_equal(
        privkey_decode((struct bytes){in, PRIVKEY_BYTES + 1}, &key),
        E_MALFORMED);
    for (size_t bit = 0; bit < (size_t)PRIVKEY_BYTES * 8; bit++) {
        in[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(
            privkey_decode((struct bytes){in, PRIVKEY_BYTES}, &key), OK);
        in[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void old_private_protobuf(void **state)
{
    (void)state;
    uint8_t in[128];
    struct privkey key;
    assert_int_equal(decode("08011260" SEED PUB PUB, in, sizeof(in), &key), OK);
    privkey_release(&key);
    in[99] ^= 1;
    assert_int_equal(privkey_decode((struct bytes){in, 100}, &key), E_MISMATCH);
    assert_int_equal(decode("08001240" SEED PUB, in, sizeof(in), &key),
                     E_UNSUPPORTED);
    assert_int_equal(decode("08011241" SEED PUB "00", in, sizeof(in), &key),
                     E_MALFORMED);
    assert_int_equal(decode("08011220" SEED, in, sizeof(in), &key),
                     E_MALFORMED);
}

static void public_protobuf(void **state)
{
    (void)state;
    uint8_t in[64];
    size_t len = unhex("08011220" PUB, in, sizeof(in));
    struct pubkey key;
    assert_int_equal(pubkey_decode((struct bytes){in, len}, &key), OK);
    assert_int_equal(key.type, KEY_ED25519);
    assert_int_equal(pubkey_len(&key), PUBKEY_ED25519_BYTES);
    uint8_t out[PUBKEY_ED25519_BYTES];
    struct wr w = wr_init(out, sizeof(out));
    pubkey_write(&w, &key);
    assert_int_equal(wr_len(&w), len);
    assert_memory_equal(out, in, len);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(pubkey_decode((struct bytes){in, cut}, &key), E_SHORT);
    assert_int_equal(pubkey_decode((struct bytes){in, len + 1}, &key),
                     E_MALFORMED);
}

static enum err decode_public(const char *hex)
{
    uint8_t in[64] = {0};
    struct pubkey key;
    return pubkey_decode((struct bytes){in, unhex(hex, in, sizeof(in))}, &key);
}

static void public_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_public("08041201aa"), E_UNSUPPORTED);
    assert_int_equal(decode_public("0881001201aa"), E_MALFORMED);
    assert_int_equal(decode_public("08011201aa"), E_MALFORMED);
    assert_int_equal(decode_public("08021201aa"), E_MALFORMED);
    assert_int_equal(decode_public("08001200"), E_MALFORMED);
    assert_int_equal(decode_public("08001201aa"), OK);
    assert_int_equal(decode_public("08031201aa"), OK);
    /* The data before the type; a field more. */
    assert_int_equal(decode_public("1201aa0800"), E_MALFORMED);
    assert_int_equal(decode_public("08001201aa1800"), E_MALFORMED);
    assert_int_equal(decode_public("0800128100aa"), E_MALFORMED);

    static uint8_t in[5 + PUBKEY_DATA_MAX + 1] = {8, 0, 0x12, 0x80, 0x10};
    struct pubkey key;
    assert_int_equal(pubkey_decode((struct bytes){in, PUBKEY_BYTES_MAX}, &key),
                     OK);
    in[3] = 0x81;
    assert_int_equal(
        pubkey_decode((struct bytes){in, PUBKEY_BYTES_MAX + 1}, &key), E_LIMIT);
}

struct file {
    uint8_t b[2048];
    size_t len;
};

static struct bytes load(const char *path, struct file *file)
{
    file->len = test_load(path, file->b, sizeof(file->b));
    return (struct bytes){file->b, file->len};
}

static void check_verify(enum key_type type, const char *key_path,
                         const char *sig_path)
{
    struct file key_file;
    struct file sig_file;
    struct pubkey key = {.type = type, .data = load(key_path, &key_file)};
    struct bytes sig = load(sig_path, &sig_file);
    assert_int_equal(pubkey_verify(&key, BYTES_LIT("libp2p message"), sig), OK);
    assert_int_equal(pubkey_verify(&key, BYTES_LIT("another message"), sig),
                     E_MISMATCH);
    assert_int_equal(
        pubkey_verify(&key, BYTES_LIT("libp2p message"), BYTES_EMPTY),
        E_MISMATCH);
}

static void signatures(void **state)
{
    (void)state;
    check_verify(KEY_RSA, DIR "rsa_2048_spki.der", DIR "rsa_2048_sig.bin");
    check_verify(KEY_SECP256K1, DIR "ec_secp256k1_point.bin",
                 DIR "ec_secp256k1_sig.bin");
    check_verify(KEY_ECDSA, DIR "ec_prime256v1_spki.der",
                 DIR "ec_prime256v1_sig.bin");

    struct privkey key = make_key();
    struct pubkey public_key = privkey_public(&key);
    uint8_t sig[ED25519_SIG_BYTES + 1];
    struct bytes msg = BYTES_LIT("message");
    privkey_sign(&key, msg, sig);
    assert_int_equal(
        pubkey_verify(&public_key, msg, (struct bytes){sig, ED25519_SIG_BYTES}),
        OK);
    assert_int_equal(pubkey_verify(&public_key, msg,
                                   (struct bytes){sig, ED25519_SIG_BYTES - 1}),
                     E_MISMATCH);
    assert_int_equal(pubkey_verify(&public_key, msg,
                                   (struct bytes){sig, ED25519_SIG_BYTES + 1}),
                     E_MISMATCH);
    privkey_release(&key);
}

static void pem(void **state)
{
    (void)state;
    struct privkey key = make_key();
    char text[PRIVKEY_PEM_BYTES];
    assert_int_equal(privkey_to_pem(&key, text), PRIVKEY_PEM_BYTES - 1);
    assert_string_equal(text, PEM);
    struct privkey back;
    assert_int_equal(privkey_from_pem(bytes_str(text), &back), OK);
    assert_true(
        bytes_eq(secret_bytes(&back.secret), secret_bytes(&key.secret)));
    privkey_release(&back);
    privkey_release(&key);
}

static enum err read_pem(const char *text)
{
    struct privkey key;
    enum err err = privkey_from_pem(bytes_str(text), &key);
    if (err == OK)
        privkey_release(&key);
    return err;
}

static void pem_with_public_key(void **state)
{
    (void)state;
    static const char text[] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"
        "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n"
        "-----END PRIVATE KEY-----\n";
    struct privkey key;
    assert_int_equal(privkey_from_pem(bytes_str(text), &key), OK);
    uint8_t want[ED25519_PUBLIC_BYTES];
    unhex("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1",
          want, sizeof(want));
    assert_memory_equal(privkey_public(&key).data.p, want, sizeof(want));
    privkey_release(&key);

    /* Another public key than the seed's. */
    char other[sizeof(text)];
    memcpy(other, text, sizeof(text));
    char *place = strstr(other, "rXAxZuE=");
    assert_non_null(place);
    place[1] = 'Y';
    assert_int_equal(read_pem(other), E_MISMATCH);
}

static void pem_of_others(void **state)
{
    (void)state;
    /* Carriage returns, blanks, text around the block. */
    assert_int_equal(read_pem("made by hand\r\n-----BEGIN PRIVATE KEY-----\r\n"
                              "MC4CAQAwBQYDK2VwBCIEIH4IMGF8Sn3oOSXfsmlF\r\n"
                              "\tVrEpNsR3oOH+suFI7J2mD+59 \r\n"
                              "-----END PRIVATE KEY-----\r\nend"),
                     OK);
    /* An EC key, an X25519 key. */
    assert_int_equal(
        read_pem(
            "-----BEGIN PRIVATE KEY-----\n"
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgr5/uwLCpWqeIIZGa"
            "\nKxLpfnDiVo9Ou9Xu1lBLeQASH4ahRANCAASBN5TK17Pldzkv1ha9pdnjuMSrAn"
            "kB\nQDoYajOhCjZKg/dWoUmyf7s0CZscsCvf2oGLs47KUttywRZcAHMcrAmG\n"
            "-----END PRIVATE KEY-----\n"),
        E_UNSUPPORTED);
    assert_int_equal(
        read_pem(
            "-----BEGIN PRIVATE KEY-----\n"
            "MC4CAQAwBQYDK2VuBCIEIH4IMGF8Sn3oOSXfsmlFVrEpNsR3oOH+suFI7J2mD+59"
            "\n-----END PRIVATE KEY-----\n"),
        E_UNSUPPORTED);
    assert_int_equal(read_pem("-----BEGIN RSA PRIVATE KEY-----\nAA==\n"
                              "-----END RSA PRIVATE KEY-----\n"),
                     E_NOTFOUND);
    assert_int_equal(read_pem("-----BEGIN PRIVATE KEY-----\n"
                              "-----END PRIVATE KEY-----\n"),
                     E_MALFORMED);
    assert_int_equal(read_pem("-----BEGIN PRIVATE KEY-----\nMC4?\n"
                              "-----END PRIVATE KEY-----\n"),
                     E_MALFORMED);
    assert_int_equal(read_pem(""), E_NOTFOUND);
}

static void every_prefix_of_pem(void **state)
{
    (void)state;
    size_t begin = strlen("-----BEGIN PRIVATE KEY-----");
    struct privkey key;
    for (size_t len = 0; len < sizeof(PEM) - 2; len++)
        assert_int_equal(
            privkey_from_pem((struct bytes){(const uint8_t *)PEM, len}, &key),
            len < begin ? E_NOTFOUND : E_SHORT);
}

static void every_bit_of_pem(void **state)
{
    (void)state;
    char text[] = PEM;
    for (size_t i = 28; i < 28 + 64; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ 1 << bit);
            /* A changed seed is a key too; a changed head never is. */
            if (i < 28 + 20)
                assert_int_not_equal(read_pem(text), OK);
            else
                (void)read_pem(text); /* must not touch other memory */
            text[i] = (char)(text[i] ^ 1 << bit);
        }
    }
}

static void pem_limit(void **state)
{
    (void)state;
    static char text[PRIVKEY_PEM_MAX + 2];
    memset(text, '\n', PRIVKEY_PEM_MAX + 1);
    memcpy(text, PEM, strlen(PEM));
    assert_int_equal(read_pem(text), E_LIMIT);
    text[PRIVKEY_PEM_MAX] = '\0';
    assert_int_equal(read_pem(text), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_protobuf),
        cmocka_unit_test(old_private_protobuf),
        cmocka_unit_test(public_protobuf),
        cmocka_unit_test(public_refused),
        cmocka_unit_test(signatures),
        cmocka_unit_test(pem),
        cmocka_unit_test(pem_with_public_key),
        cmocka_unit_test(pem_of_others),
        cmocka_unit_test(every_prefix_of_pem),
        cmocka_unit_test(every_bit_of_pem),
        cmocka_unit_test(pem_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
