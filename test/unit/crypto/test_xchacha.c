/*
 * Goal: XChaCha20-Poly1305 as in draft-irtf-cfrg-xchacha-03, A.3.1.
 * Method: its vector; every bit turned over; every length cut.
 */
#include "crypto/xchacha.h"

#include "test.h"

static const uint8_t ad_bytes[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                   0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
static const struct bytes ad = {ad_bytes, sizeof(ad_bytes)};

static void make_key(uint8_t *key, uint8_t *nonce)
{
    for (size_t i = 0; i < XCHACHA_KEY_BYTES; i++)
        key[i] = (uint8_t)(0x80 + i);
    for (size_t i = 0; i < XCHACHA_NONCE_BYTES; i++)
        nonce[i] = (uint8_t)(0x40 + i);
}

static void vector_of_the_draft(void **state)
{
    (void)state;
    uint8_t key[XCHACHA_KEY_BYTES];
    uint8_t nonce[XCHACHA_NONCE_BYTES];
    make_key(key, nonce);
    struct bytes plain =
        BYTES_LIT("Ladies and Gentlemen of the class of '99: If I could offer "
                  "you only one tip for the future, sunscreen would be it.");
    uint8_t want[256];
    size_t want_len =
        unhex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
              "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
              "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
              "21f9664c97637da9768812f615c68b13b52e"
              "c0875924c1c7987947deafd8780acf49",
              want, sizeof(want));
    uint8_t got[256];
    assert_int_equal(want_len, plain.len + XCHACHA_TAG_BYTES);
    xchacha_seal(key, nonce, ad, plain, got);
    assert_memory_equal(got, want, want_len);

    /* In place. */
    assert_int_equal(
        xchacha_open(key, nonce, ad, (struct bytes){got, want_len}, got), OK);
    assert_memory_equal(got, plain.p, plain.len);
}

static void touched_messages_are_refused(void **state)
{
    (void)state;
    uint8_t key[XCHACHA_KEY_BYTES];
    uint8_t nonce[XCHACHA_NONCE_BYTES];
    make_key(key, nonce);
    uint8_t sealed[3 + XCHACHA_TAG_BYTES];
    uint8_t out[sizeof(sealed)];
    xchacha_seal(key, nonce, ad, BYTES_LIT("abc"), sealed);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(xchacha_open(key, nonce, ad,
                                      (struct bytes){sealed, sizeof(sealed)},
                                      out),
                         E_MISMATCH);
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sizeof(sealed); len++)
        assert_int_equal(
            xchacha_open(key, nonce, ad, (struct bytes){sealed, len}, out),
            len < XCHACHA_TAG_BYTES ? E_SHORT : E_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_of_the_draft),
        cmocka_unit_test(touched_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
