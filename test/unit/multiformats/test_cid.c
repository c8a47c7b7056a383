/*
 * Goal: CIDs in binary and text as other programs read and write them, and
 * blocks checked against them.
 * Method: known CIDs in all their forms; every prefix; reserved versions;
 * limits at and past them.
 */
#include "base/wr.h"
#include "crypto/hash.h"
#include "multiformats/cid.h"

#include "test.h"

#define HELLO "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"
#define HELLO_HEX                                                              \
    "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"
#define DIR_V0 "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
#define DIR_V1 "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"

static struct cid parse(const char *text)
{
    struct cid cid;
    assert_int_equal(cid_parse(bytes_str(text), &cid), OK);
    return cid;
}

static enum err parse_fails(const char *text)
{
    struct cid cid;
    return cid_parse(bytes_str(text), &cid);
}

static enum err decode(const char *hex)
{
    uint8_t in[256];
    size_t len = unhex(hex, in, sizeof(in));
    struct cid cid;
    return cid_decode((struct bytes){in, len}, &cid);
}

static void check_text(const struct cid *cid, const char *want)
{
    char text[CID_TEXT_MAX];
    assert_int_equal(cid_format(cid, text), strlen(want));
    assert_string_equal(text, want);
}

static void version_1(void **state)
{
    (void)state;
    struct cid cid = parse(HELLO);
    assert_int_equal(cid.version, 1);
    assert_int_equal(cid.codec, CODEC_RAW);
    assert_int_equal(cid.hash.code, HASH_SHA2_256);
    assert_int_equal(cid.hash.len, 32);
    check_text(&cid, HELLO);

    uint8_t want[64];
    uint8_t got[CID_BYTES_MAX];
    size_t len = unhex(HELLO_HEX, want, sizeof(want));
    assert_int_equal(cid_encode(&cid, got), len);
    assert_int_equal(cid_len(&cid), len);
    assert_memory_equal(got, want, len);
    struct cid back;
    assert_int_equal(cid_decode((struct bytes){want, len}, &back), OK);
    assert_true(cid_eq(&back, &cid));

    struct cid made = cid_of(CODEC_RAW, BYTES_LIT("hello world\n"));
    assert_true(cid_eq(&made, &cid));
    made = cid_from_digest(CODEC_RAW, cid.hash.digest);
    assert_true(cid_eq(&made, &cid));
    made = cid_from_hash(CODEC_RAW, &cid.hash);
    assert_true(cid_eq(&made, &cid));
}

static void version_0(void **state)
{
    (void)state;
    struct cid v0 = parse(DIR_V0);
    struct cid v1 = parse(DIR_V1);
    assert_int_equal(v0.version, 0);
    assert_int_equal(v0.codec, CODEC_DAG_PB);
    assert_int_equal(cid_len(&v0), 34);
    check_text(&v0, DIR_V0);
    check_text(&v1, DIR_V1);
    assert_false(cid_eq(&v0, &v1));

    struct cid turned = cid_to_v1(&v0);
    assert_true(cid_eq(&turned, &v1));
    assert_int_equal(cid_to_v0(&v1, &turned), OK);
    assert_true(cid_eq(&turned, &v0));

    uint8_t key0[MULTIHASH_BYTES_MAX];
    uint8_t key1[MULTIHASH_BYTES_MAX];
    assert_int_equal(cid_key(&v0, key0), 34);
    assert_int_equal(cid_key(&v1, key1), 34);
    assert_memory_equal(key0, key1, 34);

    /* The block of the empty folder. */
    turned = cid_v0_of(BYTES_LIT("\x0a\x02\x08\x01"));
    assert_true(cid_eq(&turned, &v0));
    struct cid raw = parse(HELLO);
    assert_int_equal(cid_to_v0(&raw, &turned), E_UNSUPPORTED);
    v1.hash.len = 31;
    assert_int_equal(cid_to_v0(&v1, &turned), E_UNSUPPORTED);
}

static void other_bases(void **state)
{
    (void)state;
    struct cid want = parse(HELLO);
    static const enum multibase bases[] = {
        MULTIBASE_16,     MULTIBASE_16_UPPER,   MULTIBASE_32_UPPER,
        MULTIBASE_32_HEX, MULTIBASE_32_HEX_PAD, MULTIBASE_32_PAD_UPPER,
        MULTIBASE_32_Z,   MULTIBASE_36,         MULTIBASE_36_UPPER,
        MULTIBASE_58_BTC, MULTIBASE_64,         MULTIBASE_64_PAD,
        MULTIBASE_64_URL, MULTIBASE_64_URL_PAD,
    };
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        char text[CID_TEXT_MAX];
        size_t len = cid_format_base(&want, bases[i], text);
        assert_int_equal(len, strlen(text));
        assert_int_equal(text[0], bases[i]);
        struct cid got = parse(text);
        assert_true(cid_eq(&got, &want));
    }
    /* Host names change case. */
    struct cid got =
        parse("bAFKREIFJJCIE6LYPI6NY7AMXNFFTAGCLBUXNDQONFIPMB64F2KM2DEVEI4");
    assert_true(cid_eq(&got, &want));
}

static void version_0_behind_a_prefix_is_read_but_never_written(void **state)
{
    (void)state;
    struct cid want = parse(DIR_V0);
    struct cid got = parse("z" DIR_V0);
    assert_true(cid_eq(&got, &want));
    char text[CID_TEXT_MAX];
    cid_format_base(&want, MULTIBASE_32, text);
    assert_string_equal(text, DIR_V0);
}

static void empty_identity(void **state)
{
    (void)state;
    struct cid cid = parse("bafkqaaa");
    assert_true(cid_is_identity(&cid));
    assert_int_equal(cid.hash.len, 0);
    assert_int_equal(cid_verify(&cid, BYTES_EMPTY), OK);
    assert_int_equal(cid_verify(&cid, BYTES_LIT("x")), E_MISMATCH);
    struct cid made;
    assert_int_equal(cid_identity(CODEC_RAW, BYTES_EMPTY, &made), OK);
    assert_true(cid_eq(&made, &cid));
    uint8_t in[MULTIHASH_DIGEST_MAX + 1] = {1};
    assert_int_equal(cid_identity(CODEC_RAW, (struct bytes){in, 64}, &made),
                     OK);
    check_text(&made,
               "bafkqaqabaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(cid_identity(CODEC_RAW, (struct bytes){in, 65}, &made),
                     E_LIMIT);
}

static void keys_are_in_base36(void **state)
{
    (void)state;
    static const char b36[] =
        "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe";
    struct cid cid = parse(b36);
    assert_int_equal(cid.codec, CODEC_LIBP2P_KEY);
    check_text(&cid, b36);
    char text[CID_TEXT_MAX];
    cid_format_base(&cid, MULTIBASE_32, text);
    assert_string_equal(
        text,
        "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6");
}

static void labels(void **state)
{
    (void)state;
    char text[CID_TEXT_MAX];
    size_t len = 0;
    struct cid cid = parse(DIR_V0);
    assert_int_equal(cid_format_label(&cid, text, &len), OK);
    assert_string_equal(text, DIR_V1);
    assert_int_equal(len, strlen(DIR_V1));
    cid = parse(
        "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6");
    assert_int_equal(cid_format_label(&cid, text, &len), OK);
    assert_string_equal(
        text, "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe");
    /* 36 bytes of identity are 40 in all: 65 characters of base32, 63 of 36. */
    uint8_t in[64] = {0};
    assert_int_equal(cid_identity(CODEC_RAW, (struct bytes){in, 36}, &cid), OK);
    assert_int_equal(cid_format_label(&cid, text, &len), OK);
    assert_int_equal(text[0], 'k');
    assert_true(len <= CID_LABEL_MAX);
    assert_int_equal(cid_identity(CODEC_RAW, (struct bytes){in, 40}, &cid), OK);
    assert_int_equal(cid_format_label(&cid, text, &len), E_LIMIT);
}

static void every_prefix(void **state)
{
    (void)state;
    uint8_t in[64];
    struct cid cid;
    size_t len = unhex(HELLO_HEX, in, sizeof(in));
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(cid_decode((struct bytes){in, cut}, &cid), E_SHORT);
    in[len] = 0;
    assert_int_equal(cid_decode((struct bytes){in, len + 1}, &cid),
                     E_MALFORMED);
    /* The same as version 0: skip the version and the codec. */
    for (size_t cut = 0; cut < len - 2; cut++)
        assert_int_equal(cid_decode((struct bytes){in + 2, cut}, &cid),
                         E_SHORT);
    assert_int_equal(cid_decode((struct bytes){in + 2, len - 2}, &cid), OK);
    assert_int_equal(cid_decode((struct bytes){in + 2, len - 1}, &cid),
                     E_MALFORMED);
}

static void stream(void **state)
{
    (void)state;
    uint8_t in[CID_BYTES_MAX * 2];
    struct wr w = wr_init(in, sizeof(in));
    struct cid a = parse(HELLO);
    struct cid b = parse(DIR_V0);
    cid_write(&w, &a);
    cid_write(&w, &b);
    wr_u8(&w, 0x77);
    struct rd r = rd_init((struct bytes){in, wr_len(&w)});
    struct cid got;
    cid_read(&r, &got);
    assert_true(cid_eq(&got, &a));
    cid_read(&r, &got);
    assert_true(cid_eq(&got, &b));
    assert_int_equal(rd_u8(&r), 0x77);
    assert_int_equal(rd_finish(&r), OK);
}

static void binary_refused(void **state)
{
    (void)state;
    assert_int_equal(decode("00550000"), E_UNSUPPORTED);
    assert_int_equal(decode("02550000"), E_UNSUPPORTED);
    assert_int_equal(decode("03550000"), E_UNSUPPORTED);
    assert_int_equal(decode("01550000"), OK);
    assert_int_equal(decode("8100550000"), E_MALFORMED);
    assert_int_equal(decode("01d5000000"), E_MALFORMED);
    assert_int_equal(decode("01551241"), E_LIMIT);
    /* A multihash of sha2-256 that is no version 0. */
    assert_int_equal(decode("120100"), E_UNSUPPORTED);
    assert_int_equal(decode("1220"), E_SHORT);
    /* The largest codec and function there can be. */
    assert_int_equal(decode("01ffffffffffffffff7fffffffffffffffff7f0100"), OK);
    assert_int_equal(decode("01ffffffffffffffffff010000"), E_MALFORMED);
}

static void text_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_fails(""), E_SHORT);
    assert_int_equal(parse_fails("b"), E_SHORT);
    assert_int_equal(parse_fails("bafkqaa"), E_MALFORMED);
    assert_int_equal(parse_fails("bafkqaaaa"), E_MALFORMED);
    assert_int_equal(parse_fails("xafkqaaa"), E_UNSUPPORTED);
    assert_int_equal(parse_fails(HELLO " "), E_MALFORMED);
    assert_int_equal(parse_fails(HELLO "/a"), E_MALFORMED);
    assert_int_equal(
        parse_fails("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3N"),
        E_UNSUPPORTED);
    assert_int_equal(
        parse_fails("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3N0"),
        E_MALFORMED);
    char text[CID_PARSE_MAX + 2];
    memset(text, '0', sizeof(text));
    text[0] = 'f';
    text[CID_PARSE_MAX + 1] = '\0';
    assert_int_equal(parse_fails(text), E_LIMIT);
    text[CID_PARSE_MAX - 1] = '\0';
    assert_int_equal(parse_fails(text), E_UNSUPPORTED);
}

static void longest(void **state)
{
    (void)state;
    struct cid cid = {
        .version = 1,
        .codec = UINT64_MAX >> 1,
        .hash = {.code = UINT64_MAX >> 1, .len = MULTIHASH_DIGEST_MAX}};
    memset(cid.hash.digest, 0xff, sizeof(cid.hash.digest));
    uint8_t bytes[CID_BYTES_MAX];
    assert_int_equal(cid_encode(&cid, bytes), CID_BYTES_MAX);
    static const char prefixes[] = "fFbBvVcCtThkKzmMuU";
    for (size_t i = 0; i < sizeof(prefixes) - 1; i++) {
        char text[CID_TEXT_MAX];
        cid_format_base(&cid, (enum multibase)prefixes[i], text);
        struct cid back = parse(text);
        assert_true(cid_eq(&back, &cid));
    }
}

static void verify(void **state)
{
    (void)state;
    struct cid cid = parse(HELLO);
    assert_true(cid_is_allowed(&cid));
    assert_int_equal(cid_verify(&cid, BYTES_LIT("hello world\n")), OK);
    assert_int_equal(cid_verify(&cid, BYTES_LIT("hello world")), E_MISMATCH);
    cid.hash.len = MULTIHASH_DIGEST_MIN;
    assert_int_equal(cid_verify(&cid, BYTES_LIT("hello world\n")), OK);
    cid.hash.len = MULTIHASH_DIGEST_MIN - 1;
    assert_int_equal(cid_verify(&cid, BYTES_LIT("hello world\n")),
                     E_UNSUPPORTED);
    cid.hash.len = 32;
    cid.hash.code = 0x1e;
    assert_true(cid_is_allowed(&cid));
    assert_int_equal(cid_verify(&cid, BYTES_LIT("hello world\n")),
                     E_UNSUPPORTED);
    cid.hash.code = 0x22;
    assert_false(cid_is_allowed(&cid));
}

static void order(void **state)
{
    (void)state;
    struct cid cids[] = {parse(DIR_V0), parse("bafkqaaa"), parse(HELLO),
                         parse(DIR_V1)};
    size_t count = sizeof(cids) / sizeof(cids[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int got = cid_cmp(&cids[i], &cids[j]);
            assert_int_equal(got < 0, i < j);
            assert_int_equal(got == 0, i == j);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1),
        cmocka_unit_test(version_0),
        cmocka_unit_test(other_bases),
        cmocka_unit_test(version_0_behind_a_prefix_is_read_but_never_written),
        cmocka_unit_test(empty_identity),
        cmocka_unit_test(keys_are_in_base36),
        cmocka_unit_test(labels),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(stream),
        cmocka_unit_test(binary_refused),
        cmocka_unit_test(text_refused),
        cmocka_unit_test(longest),
        cmocka_unit_test(verify),
        cmocka_unit_test(order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
