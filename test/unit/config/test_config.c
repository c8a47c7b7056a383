/*
 * Goal: values are checked against their schema, sources cover each other in
 * their order, and each value tells where it came from.
 * Method: every type at its limits and past them; all sources laid over each
 * other in both orders.
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
    strbuf_init(&f->out, CONFIG_TEXT_MAX);
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

static enum err set(struct fixture *f, enum config_key key, const char *value)
{
    return config_set(&f->config, key, bytes_str(value), CONFIG_FROM_FILE,
                      "test", &f->notes);
}

static const char *shown(struct fixture *f, enum config_key key)
{
    strbuf_reset(&f->out);
    config_show_value(&f->config, key, &f->out);
    return strbuf_cstr(&f->out);
}

static const char *source(struct fixture *f, enum config_key key)
{
    strbuf_reset(&f->out);
    config_show_source(&f->config, key, &f->out);
    return strbuf_cstr(&f->out);
}

static void every_key_has_a_whole_row(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < CONFIG_KEYS_COUNT; i++) {
        enum config_key key = (enum config_key)i;
        const struct config_schema *s = config_schema(key);
        const char *group = config_group_name(s->group);
        enum config_key found;
        assert_int_equal(config_find(bytes_str(s->name), &found), OK);
        assert_int_equal(found, key);
        assert_memory_equal(s->name, group, strlen(group));
        assert_int_equal(s->name[strlen(group)], '.');
        /* "XMBL_", the name and a NUL, and a dollar sign in front. */
        assert_true(strlen(s->name) + 7 < CONFIG_NAME_MAX);
        assert_int_equal(s->help[strlen(s->help) - 1], '.');
        assert_true((s->type == CONFIG_ENUM) == (s->choices != NULL));
        assert_true(strlen(config_type_name(s->type)) > 1);
        assert_true(config_is_default(&f->config, key));
        assert_string_equal(source(f, key), "default");
        /* What is shown can be set again. */
        char text[CONFIG_VALUE_MAX];
        assert_true(strlen(shown(f, key)) < sizeof(text));
        memcpy(text, shown(f, key), strlen(shown(f, key)) + 1);
        assert_int_equal(set(f, key, text), OK);
        assert_string_equal(shown(f, key), text);
        assert_false(config_is_default(&f->config, key));
        assert_string_equal(source(f, key), "test");
    }
}

static void defaults_are_the_documented_ones(void **state)
{
    const struct config *c = &((struct fixture *)*state)->config;
    size_t count = 0;

    assert_string_equal(config_get_text(c, CONFIG_NETWORK_NAME), "mainnet");
    assert_true(config_get_bool(c, CONFIG_NETWORK_ENABLED));
    const char *const *listen =
        config_get_list(c, CONFIG_NETWORK_LISTEN, &count);
    assert_int_equal(count, 2);
    assert_string_equal(listen[0], "/ip4/0.0.0.0/tcp/4101");
    assert_string_equal(listen[1], "/ip6/::/tcp/4101");
    assert_int_equal(config_get_uint(c, CONFIG_STORAGE_COPIES), 0);
    assert_true(config_get_size(c, CONFIG_STORAGE_LIMIT) == CONFIG_NONE);
    assert_int_equal(config_get_size(c, CONFIG_STORAGE_RESERVE), 1 << 30);
    assert_int_equal(config_get_share(c, CONFIG_STORAGE_OFFER, 1000), 100);
    assert_string_equal(config_get_text(c, CONFIG_STORAGE_PROFILE),
                        "unixfs-v1-2025");
    assert_int_equal(config_get_choice(c, CONFIG_STORAGE_PROFILE), 0);
    assert_int_equal(config_get_uint(c, CONFIG_SECURITY_CONNECTIONS_PER_IP), 3);
    assert_string_equal(config_get_text(c, CONFIG_API_LISTEN), "off");
}

static void limits_hold(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(set(f, CONFIG_STORAGE_COPIES, "7"), OK);
    assert_int_equal(set(f, CONFIG_STORAGE_COPIES, "8"), E_MALFORMED);
    assert_int_equal(config_get_uint(&f->config, CONFIG_STORAGE_COPIES), 7);
    assert_string_equal(f->notes.items[0].text,
                        "storage.copies: \"8\" is not in the range 0 to 7");
    assert_int_equal(set(f, CONFIG_STORAGE_LIMIT, "1048576"), OK);
    assert_int_equal(set(f, CONFIG_STORAGE_LIMIT, "1048575"), E_MALFORMED);
    assert_int_equal(set(f, CONFIG_STORAGE_LIMIT, "1024PiB"), OK);
    assert_int_equal(set(f, CONFIG_STORAGE_LIMIT, "1152921504606846977"),
                     E_MALFORMED);
    assert_int_equal(set(f, CONFIG_STORAGE_LIMIT, "none"), OK);
    assert_int_equal(set(f, CONFIG_STORAGE_RESERVE, "none"), E_MALFORMED);
    assert_int_equal(set(f, CONFIG_STORAGE_OFFER, "100%"), OK);
    assert_true(config_get_share(&f->config, CONFIG_STORAGE_OFFER,
                                 UINT64_MAX) == UINT64_MAX);
    assert_int_equal(set(f, CONFIG_STORAGE_OFFER, "101%"), E_MALFORMED);
    assert_int_equal(set(f, CONFIG_STORAGE_OFFER, "%"), E_MALFORMED);
    assert_int_equal(set(f, CONFIG_STORAGE_OFFER, "5GiB"), OK);
    assert_true(config_get_share(&f->config, CONFIG_STORAGE_OFFER, 1) ==
                UINT64_C(5) << 30);
    assert_int_equal(f->notes.errors_count, 6);
    assert_int_equal(f->notes.count, 6);
}

static void texts_are_checked(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum config_key key;
        const char *good;
        const char *bad;
    } rows[] = {
        {CONFIG_NETWORK_NAME, "my-town-2", "My town"},
        {CONFIG_NETWORK_NAME, "a", "-a"},
        {CONFIG_NETWORK_NAME, "a2345678901234567890123456789012",
         "a23456789012345678901234567890123"},
        {CONFIG_NETWORK_NAME, "a", ""},
        {CONFIG_NETWORK_ENABLED, "off", "maybe"},
        {CONFIG_NETWORK_ENABLED, "yes", ""},
        {CONFIG_LOGGING_LEVEL, "debug", "debu"},
        {CONFIG_LOGGING_LEVEL, "critical", "debug|info"},
        {CONFIG_STORAGE_PROFILE, "kubo-v0", "kubo"},
        {CONFIG_NETWORK_LISTEN, "/ip4/1.2.3.4/tcp/0", "1.2.3.4:0"},
        {CONFIG_NETWORK_LISTEN, "", "/ip4/1.2.3.4/tcp/0,"},
        {CONFIG_NETWORK_LISTEN, "/a,/b", "/a b"},
        {CONFIG_API_LISTEN, "127.0.0.1:3000", "127.0.0.1"},
        {CONFIG_API_LISTEN, "[::1]:0", "::1:0"},
        {CONFIG_API_LISTEN, "localhost:65535", "localhost:65536"},
        {CONFIG_API_LISTEN, "off", ":1"},
        {CONFIG_API_HOSTS, "node.example,[::1]", "a/b"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(set(f, rows[i].key, rows[i].good), OK);
        assert_int_equal(f->notes.errors_count, i);
        assert_int_equal(set(f, rows[i].key, rows[i].bad), E_MALFORMED);
        assert_int_equal(f->notes.errors_count, i + 1);
        if (i != 1)
            assert_true(strlen(shown(f, rows[i].key)) == strlen(rows[i].good) ||
                        i == 4 || i == 5);
    }
}

static void notes_are_escaped_and_bounded(void **state)
{
    struct fixture *f = *state;
    char big[CONFIG_VALUE_MAX + 2];

    assert_int_equal(set(f, CONFIG_API_HOSTS, "\x1b[31m"), E_MALFORMED);
    assert_null(strchr(f->notes.items[0].text, 0x1b));
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(set(f, CONFIG_API_HOSTS, big), E_MALFORMED);
    assert_non_null(strstr(f->notes.items[1].text, "too long"));
    big[sizeof(big) - 2] = '\0'; /* the longest */
    assert_int_equal(set(f, CONFIG_API_HOSTS, big), OK);
    for (size_t i = 0; i < CONFIG_NOTES_MAX; i++)
        assert_int_equal(set(f, CONFIG_STORAGE_COPIES, "x"), E_MALFORMED);
    assert_int_equal(f->notes.count, CONFIG_NOTES_MAX);
    assert_int_equal(f->notes.errors_count, CONFIG_NOTES_MAX + 2);
}

static void lists_have_a_length(void **state)
{
    struct fixture *f = *state;
    const char *items[CONFIG_LIST_MAX + 1];
    size_t count = 0;

    for (size_t i = 0; i <= CONFIG_LIST_MAX; i++)
        items[i] = "/ip4/127.0.0.1/tcp/0";
    assert_int_equal(config_set_list(&f->config, CONFIG_NETWORK_LISTEN, items,
                                     16, &f->notes),
                     OK);
    config_get_list(&f->config, CONFIG_NETWORK_LISTEN, &count);
    assert_int_equal(count, 16);
    assert_string_equal(source(f, CONFIG_NETWORK_LISTEN), "command line");
    assert_int_equal(config_set_list(&f->config, CONFIG_NETWORK_LISTEN, items,
                                     17, &f->notes),
                     E_MALFORMED);
    assert_int_equal(config_set_list(&f->config, CONFIG_NETWORK_LISTEN, items,
                                     CONFIG_LIST_MAX + 1, &f->notes),
                     E_MALFORMED);
    items[0] = "/a,/b";
    assert_int_equal(
        config_set_list(&f->config, CONFIG_NETWORK_LISTEN, items, 1, &f->notes),
        E_MALFORMED);
    assert_int_equal(
        config_set_list(&f->config, CONFIG_NETWORK_LISTEN, items, 0, &f->notes),
        OK);
    config_get_list(&f->config, CONFIG_NETWORK_LISTEN, &count);
    assert_int_equal(count, 0);
}

static void sources_cover_each_other(void **state)
{
    struct fixture *f = *state;
    char one[] = "XMBL_STORAGE_COPIES=4";
    char two[] = "PATH=/bin";
    char three[] = "XMBL_STORAGE_COPYS=4";
    char four[] = "XMBL_PATH=/x";
    char *pairs[] = {one, two, three, four, NULL};

    assert_int_equal(config_load_environment(&f->config, "testnet", &f->notes),
                     OK);
    assert_string_equal(shown(f, CONFIG_NETWORK_NAME), "testnet");
    assert_string_equal(source(f, CONFIG_NETWORK_NAME), "XMBL_ENVIRONMENT");
    assert_int_equal(config_set_pair(&f->config, "storage.copies=5", &f->notes),
                     OK);
    /* A lower source that comes later covers nothing. */
    assert_int_equal(config_load_env(&f->config, pairs, &f->notes), OK);
    assert_string_equal(shown(f, CONFIG_STORAGE_COPIES), "5");
    assert_string_equal(source(f, CONFIG_STORAGE_COPIES), "command line");
    assert_int_equal(f->notes.errors_count, 0);
    assert_int_equal(f->notes.count, 1);
    assert_false(f->notes.items[0].is_error);
    strbuf_reset(&f->out);
    config_note_format(&f->notes.items[0], &f->out);
    assert_string_equal(strbuf_cstr(&f->out),
                        "environment: unknown variable XMBL_STORAGE_COPYS; did "
                        "you mean XMBL_STORAGE_COPIES?");
}

static void variables_are_read(void **state)
{
    struct fixture *f = *state;
    char good[] = "XMBL_NETWORK_CONNECTIONS_MAX=7";
    char bad[] = "XMBL_STORAGE_COPIES=nine";
    char *pairs[] = {good, bad, NULL};

    assert_int_equal(config_load_env(&f->config, pairs, &f->notes),
                     E_MALFORMED);
    assert_string_equal(source(f, CONFIG_NETWORK_CONNECTIONS_MAX),
                        "$XMBL_NETWORK_CONNECTIONS_MAX");
    assert_int_equal(
        config_get_uint(&f->config, CONFIG_NETWORK_CONNECTIONS_MAX), 7);
    assert_string_equal(f->notes.items[0].source, "$XMBL_STORAGE_COPIES");
    assert_true(f->notes.items[0].is_error);
}

static void pairs_of_the_command_line_are_checked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(config_set_pair(&f->config, "storage.copies", &f->notes),
                     E_MALFORMED);
    assert_int_equal(config_set_pair(&f->config, "storage.copis=1", &f->notes),
                     E_MALFORMED);
    assert_non_null(strstr(f->notes.items[1].text, "storage.copies"));
    assert_int_equal(config_set_pair(&f->config, "=1", &f->notes), E_MALFORMED);
    assert_int_equal(config_load_environment(&f->config, "moon", &f->notes),
                     E_NOTFOUND);
    assert_int_equal(f->notes.errors_count, 4);
}

static void values_must_fit_together(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(config_check_all(&f->config, &f->notes), OK);
    assert_int_equal(set(f, CONFIG_STORAGE_LIMIT, "1GiB"), OK);
    assert_int_equal(set(f, CONFIG_STORAGE_OFFER, "1GiB"), OK);
    assert_int_equal(config_check_all(&f->config, &f->notes), OK);
    assert_int_equal(set(f, CONFIG_STORAGE_OFFER, "1073741825"), OK);
    assert_int_equal(config_check_all(&f->config, &f->notes), E_MALFORMED);
    assert_int_equal(set(f, CONFIG_STORAGE_OFFER, "99%"), OK);
    assert_int_equal(set(f, CONFIG_NETWORK_CONNECTIONS_MAX, "2"), OK);
    assert_int_equal(config_check_all(&f->config, &f->notes), OK);
    assert_int_equal(set(f, CONFIG_SECURITY_CONNECTIONS_PER_IP, "3"), OK);
    assert_int_equal(config_check_all(&f->config, &f->notes), E_MALFORMED);
}

static void copies_are_equal_and_apart(void **state)
{
    struct fixture *f = *state;
    struct config copy;

    config_copy(&copy, &f->config);
    for (unsigned i = 0; i < CONFIG_KEYS_COUNT; i++)
        assert_false(config_differs(&copy, &f->config, (enum config_key)i));
    assert_int_equal(set(f, CONFIG_NETWORK_LISTEN, "/a,/ip6/::/tcp/4101"), OK);
    assert_int_equal(set(f, CONFIG_NETWORK_NAME, "other"), OK);
    assert_int_equal(set(f, CONFIG_STORAGE_OFFER, "10"), OK);
    assert_true(config_differs(&copy, &f->config, CONFIG_NETWORK_LISTEN));
    assert_true(config_differs(&copy, &f->config, CONFIG_NETWORK_NAME));
    assert_true(config_differs(&copy, &f->config, CONFIG_STORAGE_OFFER));
    assert_false(config_differs(&copy, &f->config, CONFIG_STORAGE_LIMIT));
    assert_string_equal(config_get_text(&copy, CONFIG_NETWORK_NAME), "mainnet");
    config_release(&copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_key_has_a_whole_row),
        TEST(defaults_are_the_documented_ones),
        TEST(limits_hold),
        TEST(texts_are_checked),
        TEST(notes_are_escaped_and_bounded),
        TEST(lists_have_a_length),
        TEST(sources_cover_each_other),
        TEST(variables_are_read),
        TEST(pairs_of_the_command_line_are_checked),
        TEST(values_must_fit_together),
        TEST(copies_are_equal_and_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
