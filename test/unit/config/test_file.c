/*
 * Goal: a configuration file is read with its lines, faults name the line and
 * the nearest key, and a change touches its own line only.
 * Method: whole small files; every prefix of a good one; texts before and
 * after a change, which are then read back.
 */
#include "base/strbuf.h"
#include "config/config.h"

#include "test.h"

struct fixture {
    struct config config;
    struct config_notes notes;
    struct strbuf out;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    config_init(&f->config);
    strbuf_init(&f->out, (size_t)2 * CONFIG_TEXT_MAX);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    config_release(&f->config);
    strbuf_release(&f->out);
    free(f);
    return 0;
}

static enum err load(struct fixture *f, struct bytes text)
{
    return config_load_yaml(&f->config, text, "config.yaml", CONFIG_FROM_FILE,
                            &f->notes);
}

static const char good_file[] = "# My node.\n"
                                "network:\n"
                                "  name: my-town   # ours\n"
                                "  listen:\n"
                                "    - /ip4/127.0.0.1/tcp/0\n"
                                "    - \"/ip6/::1/tcp/0\"\n"
                                "storage: {copies: 3, limit: 10GiB}\n"
                                "api.listen: '127.0.0.1:0'\n"
                                "ledger:\n";

static void a_file_is_read(void **state)
{
    struct fixture *f = *state;
    size_t count = 0;

    assert_int_equal(load(f, BYTES_LIT(good_file)), OK);
    assert_int_equal(f->notes.count, 0);
    assert_string_equal(config_get_text(&f->config, CONFIG_NETWORK_NAME),
                        "my-town");
    const char *const *listen =
        config_get_list(&f->config, CONFIG_NETWORK_LISTEN, &count);
    assert_int_equal(count, 2);
    assert_string_equal(listen[1], "/ip6/::1/tcp/0");
    assert_int_equal(config_get_uint(&f->config, CONFIG_STORAGE_COPIES), 3);
    assert_string_equal(config_get_text(&f->config, CONFIG_API_LISTEN),
                        "127.0.0.1:0");
    config_show_source(&f->config, CONFIG_STORAGE_COPIES, &f->out);
    assert_string_equal(strbuf_cstr(&f->out), "config.yaml:7");
    strbuf_reset(&f->out);
    config_show_source(&f->config, CONFIG_NETWORK_LISTEN, &f->out);
    assert_string_equal(strbuf_cstr(&f->out), "config.yaml:4");
}

static void json_is_read(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, BYTES_LIT("{\"storage\": {\"copies\": 2,\n"
                                       "\t\"serve_cache\": false},\n"
                                       "\"network\": {\"listen\": []}}")),
                     OK);
    assert_int_equal(config_get_uint(&f->config, CONFIG_STORAGE_COPIES), 2);
    assert_false(config_get_bool(&f->config, CONFIG_STORAGE_SERVE_CACHE));
}

static void nothing_is_a_file_too(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, BYTES_EMPTY), OK);
    assert_int_equal(load(f, BYTES_LIT("# only this\n")), OK);
    assert_int_equal(load(f, BYTES_LIT("---\n...\n")), OK);
    assert_int_equal(load(f, BYTES_LIT("{}")), OK);
    assert_int_equal(f->notes.count, 0);
}

static void every_prefix_is_safe(void **state)
{
    struct fixture *f = *state;

    for (size_t len = 0; len < sizeof(good_file); len++) {
        char *part = malloc(len + 1); /* exact, so that ASan sees the end */
        assert_non_null(part);
        memcpy(part, good_file, len);
        f->notes.count = 0;
        enum err err = load(f, (struct bytes){(uint8_t *)part, len});
        assert_true(err == OK || f->notes.count > 0);
        free(part);
    }
}

static void faults_name_line_and_key(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "storage:\n"
                               "  copys: 3\n"
                               "  limit: lots\n"
                               "  copies: [1]\n"
                               "  copies: 1\n"
                               "  copies: 2\n"
                               "stroage.copies: 1\n"
                               "network: {name: {deep: 1}, listen: /a}\n";

    assert_int_equal(load(f, BYTES_LIT(text)), E_MALFORMED);
    static const char *const wanted[] = {
        "config.yaml:2: unknown key \"storage.copys\"; did you mean "
        "storage.copies?",
        "config.yaml:3: storage.limit: \"lots\" is not a size such as 10GiB, "
        "500MB or none",
        "config.yaml:4: storage.copies: \"1\" begins a list, and one value is "
        "wanted",
        "config.yaml:5: storage.copies is there a second time",
        "config.yaml:6: storage.copies is there a second time",
        "config.yaml:7: unknown key \"stroage.copies\"; did you mean "
        "storage.copies?",
        "config.yaml:8: unknown key \"network.name.deep\"; did you mean "
        "network.name?",
    };
    assert_int_equal(f->notes.count, sizeof(wanted) / sizeof(wanted[0]));
    for (size_t i = 0; i < f->notes.count; i++) {
        strbuf_reset(&f->out);
        config_note_format(&f->notes.items[i], &f->out);
        assert_string_equal(strbuf_cstr(&f->out), wanted[i]);
    }
}

static void forms_that_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "- a\n",
        "text",
        "storage: &a {copies: 1}\n",
        "storage: {copies: &a 1}\n",
        "storage: {copies: 1, limit: *a}\n",
        "storage: !x {copies: 1}\n",
        "storage: {copies: !!int 1}\n",
        "storage: {copies: 1}\n---\nstorage: {copies: 1}\n",
        "network: {listen: [[/a]]}\n",
        "network: {listen: [{a: b}]}\n",
        "? [a]\n: b\n",
        "\"\": 1\n",
        "storage: {copies: 1\n",
        "storage:\n\tcopies: 1\n",
        "storage: {copies: \"\x01\"}\n",
        "storage: {copies: \"\xff\"}\n",
        "storage: {\"copies\\0x\": 1}\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        f->notes.count = 0;
        assert_int_equal(load(f, bytes_str(texts[i])), E_MALFORMED);
        assert_int_equal(f->notes.count, 1);
    }
    assert_true(config_is_default(&f->config, CONFIG_NETWORK_LISTEN));
}

static void depth_and_size_are_limited(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, BYTES_LIT("{a: {a: {a: {a: {a: {a: {a: {a: 1}}"
                                       "}}}}}}")),
                     E_MALFORMED);
    assert_non_null(strstr(f->notes.items[0].text, "unknown key"));
    assert_int_equal(load(f, BYTES_LIT("{a: {a: {a: {a: {a: {a: {a: {a: {a: 1"
                                       "}}}}}}}}}")),
                     E_MALFORMED);
    assert_non_null(strstr(f->notes.items[1].text, "too deep"));
    char *big = malloc(CONFIG_TEXT_MAX + 1);
    assert_non_null(big);
    memset(big, '#', CONFIG_TEXT_MAX + 1);
    assert_int_equal(load(f, (struct bytes){(uint8_t *)big, CONFIG_TEXT_MAX}),
                     OK);
    assert_int_equal(
        load(f, (struct bytes){(uint8_t *)big, CONFIG_TEXT_MAX + 1}),
        E_MALFORMED);
    free(big);
}

static void check_set(struct fixture *f, enum config_key key, const char *value,
                      const char *before, const char *after)
{
    struct config read;

    assert_int_equal(
        config_text_set(bytes_str(before), key, bytes_str(value), &f->out), OK);
    assert_string_equal(strbuf_cstr(&f->out), after);
    config_init(&read);
    assert_int_equal(config_load_yaml(&read, strbuf_bytes(&f->out), "x",
                                      CONFIG_FROM_FILE, &f->notes),
                     OK);
    strbuf_reset(&f->out);
    config_show_value(&read, key, &f->out);
    assert_string_equal(strbuf_cstr(&f->out), value);
    config_release(&read);
}

static void a_value_is_changed_alone(void **state)
{
    struct fixture *f = *state;

    check_set(
        f, CONFIG_STORAGE_COPIES, "5",
        "# \xc3\xa4 first\nstorage:\n  copies: 3  # why\n  limit: 1GiB\n",
        "# \xc3\xa4 first\nstorage:\n  copies: 5  # why\n  limit: 1GiB\n");
    check_set(f, CONFIG_STORAGE_COPIES, "5",
              "storage: {copies: 3, limit: 1GiB}",
              "storage: {copies: 5, limit: 1GiB}");
    check_set(f, CONFIG_STORAGE_COPIES, "5", "storage.copies: '3' # x",
              "storage.copies: 5 # x");
    check_set(f, CONFIG_STORAGE_LIMIT, "none", "storage:\n  limit: \"1GiB\"\n",
              "storage:\n  limit: none\n");
    check_set(f, CONFIG_API_LISTEN, "127.0.0.1:0", "api:\n  listen: off\n",
              "api:\n  listen: \"127.0.0.1:0\"\n");
    check_set(
        f, CONFIG_NETWORK_LISTEN, "/a,/b",
        "network:\n  listen: # here\n    # one\n    - /c # two\n    - /d\n"
        "  name: x\n",
        "network:\n  listen: [/a, /b] # here\n# one\n# two\n"
        "  name: x\n");
    check_set(f, CONFIG_NETWORK_LISTEN, "/a",
              "network:\n  listen: [/c,\n    /d]\n  name: x\n",
              "network:\n  listen: [/a]\n  name: x\n");
    check_set(f, CONFIG_NETWORK_LISTEN, "", "network:\n  listen:\n  - /c\n",
              "network:\n  listen: []\n");
    check_set(f, CONFIG_STORAGE_OFFER, "10%", "storage: {\"offer\": 1GiB}\n",
              "storage: {\"offer\": \"10%\"}\n");
}

static void a_new_key_joins_its_group(void **state)
{
    struct fixture *f = *state;

    check_set(f, CONFIG_STORAGE_COPIES, "1", "", "storage:\n  copies: 1\n");
    check_set(f, CONFIG_STORAGE_COPIES, "1", "# none yet",
              "# none yet\nstorage:\n  copies: 1\n");
    check_set(f, CONFIG_STORAGE_COPIES, "1",
              "storage:\n    limit: 1GiB # x\n\n# net\nnetwork:\n  name: a\n",
              "storage:\n    limit: 1GiB # x\n    copies: 1\n\n# net\n"
              "network:\n  name: a\n");
    check_set(f, CONFIG_STORAGE_COPIES, "1", "storage:\nnetwork:\n  name: a\n",
              "storage:\n  copies: 1\nnetwork:\n  name: a\n");
    check_set(f, CONFIG_STORAGE_COPIES, "1", "network:\n  name: a\n",
              "network:\n  name: a\nstorage:\n  copies: 1\n");
    check_set(f, CONFIG_STORAGE_COPIES, "1", "network: {name: a}\n...\n",
              "network: {name: a}\nstorage:\n  copies: 1\n...\n");
    check_set(f, CONFIG_STORAGE_COPIES, "1", "storage: {}\n",
              "storage: {copies: 1}\n");
    check_set(f, CONFIG_STORAGE_COPIES, "1", "{}",
              "{\"storage\": {\"copies\": "
              "1}}");
    check_set(f, CONFIG_STORAGE_COPIES, "1",
              "{\n  \"network\": {\"name\": \"a\"}\n}\n",
              "{\n  \"network\": {\"name\": \"a\"}, "
              "\"storage\": {\"copies\": 1}}\n");
    check_set(f, CONFIG_STORAGE_LIMIT, "1GiB",
              "{\"storage\": {\"copies\": 2 }}",
              "{\"storage\": {\"copies\": 2, \"limit\": \"1GiB\"}}");
}

static void what_cannot_be_changed_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"storage: [", "- a\n", "a: *b\n",
                                        "storage: 5\n",
                                        "{storage: {limit: 1GiB # x\n}}"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(config_text_set(bytes_str(texts[i]),
                                         CONFIG_STORAGE_COPIES, BYTES_LIT("1"),
                                         &f->out),
                         E_MALFORMED);
    char *big = malloc(CONFIG_TEXT_MAX);
    assert_non_null(big);
    memset(big, '#', CONFIG_TEXT_MAX);
    assert_int_equal(
        config_text_set((struct bytes){(uint8_t *)big, CONFIG_TEXT_MAX},
                        CONFIG_STORAGE_COPIES, BYTES_LIT("1"), &f->out),
        E_LIMIT);
    free(big);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read),
        TEST(json_is_read),
        TEST(nothing_is_a_file_too),
        TEST(every_prefix_is_safe),
        TEST(faults_name_line_and_key),
        TEST(forms_that_are_refused),
        TEST(depth_and_size_are_limited),
        TEST(a_value_is_changed_alone),
        TEST(a_new_key_joins_its_group),
        TEST(what_cannot_be_changed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
