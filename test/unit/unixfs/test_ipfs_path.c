/* Paths of every form, good and bad, and their segments. */
#include "base/mem.h"
#include "base/strbuf.h"
#include "unixfs/ipfs_path.h"

#include "test.h"

#define CID_TEXT "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"

static void test_good(void **state)
{
    static const struct {
        const char *text;
        const char *joined; /* segments, with a | after each */
    } cases[] = {
        {CID_TEXT, ""},
        {"/ipfs/" CID_TEXT, ""},
        {"/ipfs/" CID_TEXT "/", ""},
        {"ipfs://" CID_TEXT "/a", "a|"},
        {CID_TEXT "/a/b", "a|b|"},
        {"/ipfs/" CID_TEXT "//a///b c/", "a|b c|"},
        {"/ipfs/" CID_TEXT "/./../x", ".|..|x|"},
        {"/ipfs/" CID_TEXT "/%2F", "%2F|"},
        {"QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn/ipfs", "ipfs|"},
    };

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct ipfs_path path;
        struct bytes segment;
        struct strbuf joined;
        size_t count = 0;
        strbuf_init(&joined, 64);
        assert_int_equal(ipfs_path_parse(bytes_str(cases[i].text), &path), OK);
        struct bytes rest = path.rest;
        for (; ipfs_path_next(&rest, &segment); count++) {
            strbuf_add(&joined, segment);
            strbuf_str(&joined, "|");
        }
        assert_string_equal(strbuf_cstr(&joined), cases[i].joined);
        strbuf_release(&joined);
        assert_int_equal(count, path.segments_count);
    }
}

static void test_bad(void **state)
{
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"", E_SHORT},
        {"/ipfs/", E_SHORT},
        {"ipfs://", E_SHORT},
        {"/ipns/example.com", E_UNSUPPORTED},
        {"ipns://example.com", E_UNSUPPORTED},
        {"/ipld/" CID_TEXT, E_UNSUPPORTED},
        {"/" CID_TEXT, E_UNSUPPORTED},
        {"/ipfs/hello", E_UNSUPPORTED},
        {"hello world", E_UNSUPPORTED},
        {"b!", E_MALFORMED},
    };
    static const uint8_t with_nul[] = {'Q', 'm', 0, 'x'};
    struct ipfs_path path;

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        enum err err = ipfs_path_parse(bytes_str(cases[i].text), &path);
        /* What is no CID is told by cid_parse() in its own words. */
        assert_int_not_equal(err, OK);
        if (i < 7)
            assert_int_equal(err, cases[i].err);
    }
    assert_int_equal(
        ipfs_path_parse((struct bytes){with_nul, sizeof(with_nul)}, &path),
        E_MALFORMED);
}

static void test_limits(void **state)
{
    struct ipfs_path path;
    uint8_t *text = mem_zalloc(IPFS_PATH_BYTES_MAX + 1, 1);
    const struct bytes cid = BYTES_LIT(CID_TEXT);
    size_t len = cid.len;

    (void)state;
    memset(text, 'a', IPFS_PATH_BYTES_MAX + 1);
    memcpy(text, cid.p, len);
    text[len] = '/';
    assert_int_equal(
        ipfs_path_parse((struct bytes){text, IPFS_PATH_BYTES_MAX}, &path), OK);
    assert_int_equal(path.segments_count, 1);
    assert_int_equal(
        ipfs_path_parse((struct bytes){text, IPFS_PATH_BYTES_MAX + 1}, &path),
        E_LIMIT);
    for (size_t i = 0; i < (size_t)2 * (IPFS_PATH_SEGMENTS_MAX + 1); i += 2) {
        text[len + i] = '/';
        text[len + i + 1] = 'a';
    }
    size_t most = len + (size_t)2 * IPFS_PATH_SEGMENTS_MAX;
    assert_int_equal(ipfs_path_parse((struct bytes){text, most}, &path), OK);
    assert_int_equal(path.segments_count, IPFS_PATH_SEGMENTS_MAX);
    assert_int_equal(ipfs_path_parse((struct bytes){text, most + 2}, &path),
                     E_LIMIT);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
