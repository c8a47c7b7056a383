/*
 * Goal: Ed25519 as in RFC 8032: the same signatures, and no others accepted.
 * Method: the vectors of RFC 8032, 7.1; every bit of signature, key and
 * message turned over; a signature whose S is not reduced.
 */
#include "crypto/ed25519.h"

#include "test.h"

static const struct {
    const char *seed;
    const char *public_key;
    const char *msg;
    const char *sig;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
     "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

static void rfc_8032(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t seed[ED25519_SEED_BYTES];
        uint8_t public_key[ED25519_PUBLIC_BYTES];
        uint8_t msg_bytes[8];
        uint8_t want[ED25519_SIG_BYTES];
        unhex(vectors[i].seed, seed, sizeof(seed));
        unhex(vectors[i].public_key, public_key, sizeof(public_key));
        unhex(vectors[i].sig, want, sizeof(want));
        struct bytes msg = {
            msg_bytes, unhex(vectors[i].msg, msg_bytes, sizeof(msg_bytes))};

        uint8_t secret[ED25519_SECRET_BYTES];
        ed25519_keypair(seed, secret);
        assert_memory_equal(secret, seed, sizeof(seed));
        assert_memory_equal(secret + ED25519_SEED_BYTES, public_key,
                            sizeof(public_key));
        uint8_t sig[ED25519_SIG_BYTES];
        ed25519_sign(secret, msg, sig);
        assert_memory_equal(sig, want, sizeof(sig));
        assert_int_equal(ed25519_verify(public_key, msg, sig), OK);
    }
}

/* Key pair and signature of "abc". */
struct signed_abc {
    uint8_t secret[ED25519_SECRET_BYTES];
    uint8_t msg[3];
    uint8_t sig[ED25519_SIG_BYTES];
};

static struct signed_abc sign_abc(void)
{
    struct signed_abc s = {.msg = {'a', 'b', 'c'}};
    uint8_t seed[ED25519_SEED_BYTES] = {1, 2, 3};
    ed25519_keypair(seed, s.secret);
    ed25519_sign(s.secret, (struct bytes){s.msg, sizeof(s.msg)}, s.sig);
    return s;
}

static enum err verify(const struct signed_abc *s)
{
    return ed25519_verify(s->secret + ED25519_SEED_BYTES,
                          (struct bytes){s->msg, sizeof(s->msg)}, s->sig);
}

static void check_every_bit(struct signed_abc *s, uint8_t *part, size_t len)
{
    for (size_t bit = 0; bit < len * 8; bit++) {
        part[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(verify(s), E_MISMATCH);
        part[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(verify(s), OK);
}

static void every_bit_counts(void **state)
{
    (void)state;
    struct signed_abc s = sign_abc();
    check_every_bit(&s, s.sig, sizeof(s.sig));
    check_every_bit(&s, s.msg, sizeof(s.msg));
    check_every_bit(&s, s.secret + ED25519_SEED_BYTES, ED25519_PUBLIC_BYTES);
}

static void s_must_be_reduced(void **state)
{
    (void)state;
    static const uint8_t order[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    struct signed_abc s = sign_abc();
    unsigned carry = 0;
    for (size_t i = 0; i < sizeof(order); i++) {
        carry += (unsigned)s.sig[32 + i] + order[i];
        s.sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(verify(&s), E_MISMATCH);
}

static void key_of_small_order_is_refused(void **state)
{
    (void)state;
    struct signed_abc s = {.msg = {'a', 'b', 'c'}};
    s.secret[ED25519_SEED_BYTES] = 1;
    s.sig[0] = 1;
    assert_int_equal(verify(&s), E_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_8032),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(s_must_be_reduced),
        cmocka_unit_test(key_of_small_order_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
