/*
 * Goal: all ways to write content lead to one path, and what goes into a URL
 * is encoded.
 * Method: tables of texts.
 */
#include "app/cli.h"
#include "app/content_path.h"
#include "base/strbuf.h"

#include "test.h"

static void ways_to_write_it(void **state)
{
    static const struct {
        const char *text;
        const char *plain;
    } rows[] = {
        {"bafy", "bafy"},
        {"bafy/a b/c", "bafy/a b/c"},
        {"/ipfs/bafy/a", "bafy/a"},
        {"ipfs://bafy/a%20b", "bafy/a b"},
        {"bafy/a%20b", "bafy/a%20b"}, /* no URL: a name with a percent sign */
    };
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        strbuf_reset(&out);
        assert_int_equal(content_path_plain(&out, rows[i].text), OK);
        assert_string_equal(strbuf_cstr(&out), rows[i].plain);
    }
    strbuf_release(&out);
}

static void what_is_refused(void **state)
{
    static const char *const malformed[] = {
        "",   "/ipfs/",   "/ipfs//a",   "ipfs://",    "ipfs:///a",
        "/a", "ipfs://%", "ipfs://a%2", "ipfs://%0g", "ipfs://a%00"};
    struct strbuf out;
    struct cli cli;

    (void)state;
    cli_init(&cli);
    strbuf_init(&out, 16);
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        strbuf_reset(&out);
        assert_int_equal(content_path_plain(&out, malformed[i]), E_MALFORMED);
        assert_int_equal(content_path_route(&cli, &out, "ls", malformed[i]),
                         E_MALFORMED);
        assert_string_equal(cli.error.code, "BAD_PATH");
        assert_int_equal(cli.error.exit_code, 2);
    }
    strbuf_reset(&out);
    assert_int_equal(content_path_plain(&out, "/ipns/x"), OK);
    assert_string_equal(strbuf_cstr(&out), "ipns/x");
    assert_int_equal(content_path_cid(&cli, &out, "pins", "/ipns/x"),
                     E_UNSUPPORTED);
    assert_string_equal(strbuf_cstr(&out), "ipns/x");
    strbuf_reset(&out);
    assert_int_equal(content_path_plain(&out, "0123456789abcdef"), OK);
    assert_int_equal(content_path_plain(&out, "0"), E_LIMIT);
    strbuf_release(&out);
    cli_release(&cli);
}

static void routes_are_encoded(void **state)
{
    struct strbuf out;
    struct cli cli;

    (void)state;
    cli_init(&cli);
    strbuf_init(&out, 4096);
    assert_int_equal(
        content_path_route(&cli, &out, "content", "/ipfs/bafy/a b?/\xc3\xa4#%"),
        OK);
    content_path_query(&out, "offset", "1&2");
    content_path_query(&out, "none", NULL);
    cli.timeout_s = 30;
    content_path_timeout(&cli, &out);
    assert_string_equal(strbuf_cstr(&out),
                        "/api/v1/content/bafy/a%20b%3F/%C3%A4%23%25"
                        "?offset=1%262&timeout=30");
    strbuf_release(&out);
    cli_release(&cli);
}

static void the_last_part_is_the_name(void **state)
{
    (void)state;
    assert_string_equal(content_path_last("bafy"), "bafy");
    assert_string_equal(content_path_last("bafy/a/b"), "b");
    assert_string_equal(content_path_last("bafy/a//"), "a//");
    assert_string_equal(content_path_last("/x"), "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_to_write_it),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(routes_are_encoded),
        cmocka_unit_test(the_last_part_is_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
