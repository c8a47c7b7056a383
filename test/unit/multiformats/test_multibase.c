/*
 * Goal: all bases of the table that we speak, as text and back.
 * Method: the vectors of multiformats/multibase; round trips of every length
 * up to a bound; characters, padding and lengths that a base forbids; limits.
 */
#include "multiformats/multibase.h"

#include "test.h"

enum { TEXT_MAX = 4096 };

static struct bytes text_of(const char *text)
{
    return bytes_str(text);
}

static void check(const char *text, struct bytes want)
{
    uint8_t got[256];
    size_t len = 0;
    assert_int_equal(multibase_decode(text_of(text), got, sizeof(got), &len),
                     OK);
    assert_true(bytes_eq((struct bytes){got, len}, want));

    char out[256];
    assert_int_equal(
        multibase_encode((enum multibase)text[0], want, out, sizeof(out), &len),
        OK);
    assert_string_equal(out, text);
    assert_int_equal(len, strlen(text));
}

static const char *const basic[] = {
    "f796573206d616e692021", "F796573206D616E692021", "bpfsxgidnmfxgsibb",
    "BPFSXGIDNMFXGSIBB",     "vf5in683dc5n6i811",     "VF5IN683DC5N6I811",
    "cpfsxgidnmfxgsibb",     "CPFSXGIDNMFXGSIBB",     "tf5in683dc5n6i811",
    "TF5IN683DC5N6I811",     "hxf1zgedpcfzg1ebb",     "k2lcpzo5yikidynfl",
    "K2LCPZO5YIKIDYNFL",     "z7paNL19xttacUY",       "meWVzIG1hbmkgIQ",
    "MeWVzIG1hbmkgIQ==",     "ueWVzIG1hbmkgIQ",       "UeWVzIG1hbmkgIQ==",
};

static const char *const one_zero[] = {
    "f00796573206d616e692021",   "F00796573206D616E692021",
    "bab4wk4zanvqw42jaee",       "BAB4WK4ZANVQW42JAEE",
    "v01smasp0dlgmsq9044",       "V01SMASP0DLGMSQ9044",
    "cab4wk4zanvqw42jaee======", "CAB4WK4ZANVQW42JAEE======",
    "t01smasp0dlgmsq9044======", "T01SMASP0DLGMSQ9044======",
    "hybhskh3ypiosh4jyrr",       "k02lcpzo5yikidynfl",
    "K02LCPZO5YIKIDYNFL",        "z17paNL19xttacUY",
    "mAHllcyBtYW5pICE",          "MAHllcyBtYW5pICE=",
    "uAHllcyBtYW5pICE",          "UAHllcyBtYW5pICE=",
};

static const char *const two_zeros[] = {
    "f0000796573206d616e692021", "F0000796573206D616E692021",
    "baaahszltebwwc3tjeaqq",     "BAAAHSZLTEBWWC3TJEAQQ",
    "v0007ipbj41mm2rj940gg",     "V0007IPBJ41MM2RJ940GG",
    "caaahszltebwwc3tjeaqq====", "CAAAHSZLTEBWWC3TJEAQQ====",
    "t0007ipbj41mm2rj940gg====", "T0007IPBJ41MM2RJ940GG====",
    "hyyy813murbssn5ujryoo",     "k002lcpzo5yikidynfl",
    "K002LCPZO5YIKIDYNFL",       "z117paNL19xttacUY",
    "mAAB5ZXMgbWFuaSAh",         "MAAB5ZXMgbWFuaSAh",
    "uAAB5ZXMgbWFuaSAh",         "UAAB5ZXMgbWFuaSAh",
};

enum { BASE_COUNT = sizeof(basic) / sizeof(basic[0]) };

static void vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < BASE_COUNT; i++) {
        check(basic[i], BYTES_LIT("yes mani !"));
        check(one_zero[i], BYTES_LIT("\0yes mani !"));
        check(two_zeros[i], BYTES_LIT("\0\0yes mani !"));
    }
}

static void either_case(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "f68656c6c6f20776F726C64",   "F68656c6c6f20776F726C64",
        "bnbswy3dpeB3W64TMMQ",       "Bnbswy3dpeB3W64TMMQ",
        "vd1imor3f41RMUSJCCG",       "Vd1imor3f41RMUSJCCG",
        "cnbswy3dpeB3W64TMMQ======", "Cnbswy3dpeB3W64TMMQ======",
        "td1imor3f41RMUSJCCG======", "Td1imor3f41RMUSJCCG======",
        "kfUvrsIvVnfRbjWaJo",        "KfUVrSIVVnFRbJWAJo",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint8_t got[64];
        size_t len = 0;
        assert_int_equal(
            multibase_decode(text_of(texts[i]), got, sizeof(got), &len), OK);
        assert_true(
            bytes_eq((struct bytes){got, len}, BYTES_LIT("hello world")));
    }
}

/* Every base gives back what it was given, in the room that it asked for. */
static void check_round_trip(enum multibase base, struct bytes in)
{
    static char text[TEXT_MAX];
    static uint8_t back[TEXT_MAX];
    size_t text_max = multibase_text_max(in.len);
    assert_true(text_max <= sizeof(text));
    size_t len = 0;
    assert_int_equal(multibase_encode(base, in, text, text_max, &len), OK);
    assert_int_equal(text[len], '\0');
    assert_true(multibase_bytes_max(len) >= in.len);
    size_t back_len = 0;
    struct bytes encoded = {(const uint8_t *)text, len};
    assert_int_equal(multibase_decode(encoded, back, in.len, &back_len), OK);
    assert_true(bytes_eq((struct bytes){back, back_len}, in));

    /* One byte less does not do, on either way. */
    size_t none = 77;
    assert_int_equal(multibase_encode(base, in, text, len, &none), E_LIMIT);
    if (in.len > 0)
        assert_int_equal(multibase_decode(encoded, back, in.len - 1, &none),
                         E_LIMIT);
    assert_int_equal(none, 77);
}

static void round_trips(void **state)
{
    (void)state;
    uint8_t in[140];
    uint32_t x = 1;
    for (size_t len = 0; len <= sizeof(in); len++) {
        for (size_t i = 0; i < len; i++) {
            x = x * 1664525 + 1013904223;
            in[i] = len % 3 == 0 ? 0 : (uint8_t)(x >> 24);
        }
        if (len % 3 == 1)
            memset(in, 0xff, len);
        for (size_t i = 0; i < BASE_COUNT; i++)
            check_round_trip((enum multibase)basic[i][0],
                             (struct bytes){in, len});
    }
}

static enum err decode(const char *text)
{
    uint8_t got[TEXT_MAX];
    size_t len = 0;
    return multibase_decode(text_of(text), got, sizeof(got), &len);
}

static void refused(void **state)
{
    (void)state;
    assert_int_equal(decode(""), E_SHORT);
    static const char *const unknown[] = {
        "x00", "0abc", "Qabc", "9abc", "Z7Pznk19XTTzBtx", " b"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(decode(unknown[i]), E_UNSUPPORTED);

    static const char *const malformed[] = {
        "f0",                  /* half a byte */
        "f0g",                 /* no hex digit */
        "f 00",                /* blank */
        "bpf1",                /* 1 is no digit of base 32 */
        "ba",                  /* 5 bits */
        "bpfs",                /* a digit too many */
        "bab4wk4zanvqw42jaef", /* bits left over */
        "bpfsxgidn=",          /* padding where there is none */
        "cab4wk4zanvqw42jaee=====",
        "cab4wk4zanvqw42jaee",
        "c========",
        "cab4wk4zanvqw42jaee==============",
        "MeWVzIG1hbmkgIQ=",
        "MeWVzIG1hbmkgIQ",
        "MeWVzIG1hbmkgI===",
        "MeWVzIG1h=mkgIQ==",
        "M====",
        "meWVzIG1hbmkgIQ==",
        "meWVzIG1hbmkgIR", /* bits left over */
        "mA",
        "m-_", /* digits of the other base 64 */
        "u+/",
        "z0", /* 0, O, I, l are no digits of base 58 */
        "zO",
        "zI",
        "zl",
        "zabc ",
        "k_",
        "hl",
        "hYBH", /* base 32 z has one case */
    };
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_int_equal(decode(malformed[i]), E_MALFORMED);
}

static void nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < BASE_COUNT; i++) {
        char text[2] = {basic[i][0], '\0'};
        check(text, BYTES_EMPTY);
    }
}

static void check_big_limit(enum multibase base, char digit)
{
    static uint8_t in[MULTIBASE_BIG_BYTES_MAX + 1];
    static char text[TEXT_MAX];
    static uint8_t out[TEXT_MAX];
    memset(in, 0xff, sizeof(in));
    size_t len = 0;
    struct bytes most = {in, MULTIBASE_BIG_BYTES_MAX};
    assert_int_equal(
        multibase_encode_bare(base, most, text, sizeof(text), &len), OK);
    assert_true(len <= MULTIBASE_BIG_TEXT_MAX);
    size_t back = 0;
    assert_int_equal(multibase_decode_bare(base,
                                           (struct bytes){(uint8_t *)text, len},
                                           out, sizeof(out), &back),
                     OK);
    assert_true(bytes_eq((struct bytes){out, back}, most));
    assert_int_equal(multibase_encode_bare(base, (struct bytes){in, sizeof(in)},
                                           text, sizeof(text), &len),
                     E_LIMIT);

    memset(text, digit, sizeof(text));
    struct bytes longest = {(uint8_t *)text, MULTIBASE_BIG_TEXT_MAX};
    assert_int_equal(
        multibase_decode_bare(base, longest, out, sizeof(out), &back), OK);
    longest.len++;
    assert_int_equal(
        multibase_decode_bare(base, longest, out, sizeof(out), &back), E_LIMIT);
}

static void big_numbers_have_a_limit(void **state)
{
    (void)state;
    check_big_limit(MULTIBASE_58_BTC, 'z');
    check_big_limit(MULTIBASE_58_BTC, '1');
    check_big_limit(MULTIBASE_36, 'z');
    check_big_limit(MULTIBASE_36, '0');
}

static void other_bases_have_none(void **state)
{
    (void)state;
    static uint8_t in[5000];
    static char text[10000 + 10];
    memset(in, 0xa5, sizeof(in));
    size_t len = 0;
    assert_int_equal(multibase_encode(MULTIBASE_16,
                                      (struct bytes){in, sizeof(in)}, text,
                                      sizeof(text), &len),
                     OK);
    assert_int_equal(len, 10001);
    assert_int_equal(multibase_encode(MULTIBASE_64_PAD,
                                      (struct bytes){in, sizeof(in)}, text,
                                      sizeof(text), &len),
                     OK);
    assert_int_equal(len, 1 + 6668);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(either_case),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(refused),
        cmocka_unit_test(nothing),
        cmocka_unit_test(big_numbers_have_a_limit),
        cmocka_unit_test(other_bases_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
