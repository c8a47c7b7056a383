/*
 * Goal: ChaCha20-Poly1305 as in RFC 8439, whatever pieces the plaintext comes
 * in, and no plaintext from a message that was touched.
 * Method: the vector of RFC 8439, 2.8.2; pieces of many lengths against the
 * message in one; every bit of a short message turned over.
 */
#include "crypto/aead.h"
#include "crypto/sha256.h"

#include "test.h"

enum { BIG = 70000 };

static const uint8_t nonce[AEAD_NONCE_BYTES] = {
    7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
static const uint8_t ad_bytes[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                   0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
static const struct bytes ad = {ad_bytes, sizeof(ad_bytes)};

static struct aead make_aead(void)
{
    uint8_t key[AEAD_KEY_BYTES];
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)(0x80 + i);
    struct aead a;
    aead_init(&a, key);
    return a;
}

static void rfc_8439(void **state)
{
    (void)state;
    struct bytes plain =
        BYTES_LIT("Ladies and Gentlemen of the class of '99: If I could offer "
                  "you only one tip for the future, sunscreen would be it.");
    uint8_t want[256];
    size_t want_len =
        unhex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
              "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
              "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
              "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060"
              "0691",
              want, sizeof(want));
    struct aead a = make_aead();
    uint8_t got[256];
    size_t len = aead_seal(&a, nonce, ad, &plain, 1, got);
    assert_int_equal(len, want_len);
    assert_memory_equal(got, want, len);

    uint8_t opened[256];
    assert_int_equal(aead_open(&a, nonce, ad, (struct bytes){got, len}, opened),
                     OK);
    assert_memory_equal(opened, plain.p, plain.len);
    aead_release(&a);
    assert_null(a.ctx);
    aead_release(&a);
}

static uint8_t *make_big(void)
{
    uint8_t *big = malloc(BIG);
    assert_non_null(big);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)(i % 251);
    return big;
}

/* Pieces of @first, then @step, 2 * @step ... bytes over all of @in. */
static size_t cut(struct bytes in, size_t first, size_t step,
                  struct bytes *pieces, size_t max)
{
    size_t count = 0;
    size_t len = first;
    while (in.len > 0) {
        assert_true(count < max);
        if (len > in.len || count == max - 1)
            len = in.len;
        pieces[count++] = (struct bytes){in.p, len};
        in = (struct bytes){in.p + len, in.len - len};
        len = step * count;
    }
    return count;
}

static void pieces_are_the_whole(void **state)
{
    (void)state;
    uint8_t *big = make_big();
    uint8_t *out = malloc(BIG + AEAD_TAG_BYTES);
    assert_non_null(out);
    uint8_t want[SHA256_BYTES];
    unhex("ec012a294389330ac6e96c3d9dea7697f9e2b3ffbc1f4e036f91c63474f49cb2",
          want, sizeof(want));
    struct aead a = make_aead();
    static const size_t firsts[] = {0,    1,    12,   63,   64,   65,    1000,
                                    2047, 2048, 2049, 2112, 4096, 65519, BIG};
    static const size_t steps[] = {1, 13, 64, 500, 2048, 2049, 3000, 50000};
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
            struct bytes pieces[64];
            size_t count =
                cut((struct bytes){big, BIG}, firsts[i], steps[j], pieces, 64);
            size_t len = aead_seal(&a, nonce, ad, pieces, count, out);
            assert_int_equal(len, BIG + AEAD_TAG_BYTES);
            uint8_t got[SHA256_BYTES];
            sha256((struct bytes){out, len}, got);
            assert_memory_equal(got, want, sizeof(want));
        }
    }
    aead_release(&a);
    free(out);
    free(big);
}

static void in_place(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 64, 2048, 2049, 2111, 5000, BIG};
    uint8_t *big = make_big();
    uint8_t *buf = malloc(BIG + AEAD_TAG_BYTES);
    uint8_t *other = malloc(BIG + AEAD_TAG_BYTES);
    assert_non_null(buf);
    assert_non_null(other);
    struct aead a = make_aead();
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        size_t len = lens[i];
        memcpy(buf, big, len);
        struct bytes piece = {buf, len};
        size_t sealed = aead_seal(&a, nonce, ad, &piece, 1, buf);
        struct bytes apart = {big, len};
        assert_int_equal(aead_seal(&a, nonce, ad, &apart, 1, other), sealed);
        assert_memory_equal(buf, other, sealed);
        assert_int_equal(
            aead_open(&a, nonce, ad, (struct bytes){buf, sealed}, buf), OK);
        if (len > 0)
            assert_memory_equal(buf, big, len);
    }
    aead_release(&a);
    free(other);
    free(buf);
    free(big);
}

static void no_pieces(void **state)
{
    (void)state;
    struct aead a = make_aead();
    uint8_t tag[AEAD_TAG_BYTES];
    uint8_t none[1];
    assert_int_equal(aead_seal(&a, nonce, BYTES_EMPTY, NULL, 0, tag),
                     AEAD_TAG_BYTES);
    assert_int_equal(aead_open(&a, nonce, BYTES_EMPTY,
                               (struct bytes){tag, sizeof(tag)}, none),
                     OK);
    for (size_t len = 0; len < AEAD_TAG_BYTES; len++)
        assert_int_equal(
            aead_open(&a, nonce, BYTES_EMPTY, (struct bytes){tag, len}, none),
            E_SHORT);
    aead_release(&a);
}

static void touched_messages_are_refused(void **state)
{
    (void)state;
    struct aead a = make_aead();
    struct bytes plain = BYTES_LIT("nineteen characters");
    uint8_t sealed[64];
    size_t len = aead_seal(&a, nonce, ad, &plain, 1, sealed);
    uint8_t out[64];
    static const uint8_t zeros[64];
    for (size_t bit = 0; bit < len * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        memset(out, 1, sizeof(out));
        assert_int_equal(
            aead_open(&a, nonce, ad, (struct bytes){sealed, len}, out),
            E_MISMATCH);
        assert_memory_equal(out, zeros, plain.len);
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    struct bytes good = {sealed, len};
    uint8_t other_nonce[AEAD_NONCE_BYTES] = {0};
    assert_int_equal(aead_open(&a, other_nonce, ad, good, out), E_MISMATCH);
    assert_int_equal(aead_open(&a, nonce, BYTES_EMPTY, good, out), E_MISMATCH);
    for (size_t cut_len = AEAD_TAG_BYTES; cut_len < len; cut_len++)
        assert_int_equal(
            aead_open(&a, nonce, ad, (struct bytes){sealed, cut_len}, out),
            E_MISMATCH);
    assert_int_equal(aead_open(&a, nonce, ad, good, out), OK);
    aead_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_8439),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(in_place),
        cmocka_unit_test(no_pieces),
        cmocka_unit_test(touched_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
