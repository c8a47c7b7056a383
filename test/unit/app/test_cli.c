/*
 * Goal: words on the command line become the command, options and arguments
 * that were meant; what is wrong is named, with the nearest known word.
 * Method: parse lists of words; no command is run.
 */
#include "app/cli.h"

#include "test.h"

enum { WORDS_MAX = 16 };

struct parsed {
    struct cli cli;
    char *words[WORDS_MAX];
    int count;
};

static enum err parse(struct parsed *p, const char *const *words)
{
    p->count = 0;
    p->words[p->count++] = strdup("xmbl");
    for (; *words != NULL; words++)
        p->words[p->count++] = strdup(*words);
    cli_init(&p->cli);
    return cli_parse(&p->cli, p->count, p->words);
}

static void drop(struct parsed *p)
{
    cli_release(&p->cli);
    for (int i = 0; i < p->count; i++)
        free(p->words[i]);
}

#define PARSE(p, ...) parse((p), (const char *const[]){__VA_ARGS__, NULL})

static void options_are_found(void **state)
{
    struct parsed p;

    (void)state;
    assert_int_equal(PARSE(&p, "--json", "add", "-wn", "--copies", "3",
                           "--name=a=b", "one", "-Q", "two", "--path", "/x",
                           "--timeout", "1500ms"),
                     OK);
    assert_string_equal(p.cli.command->name, "add");
    assert_true(p.cli.json);
    assert_false(p.cli.quiet);
    assert_true(cli_flag(&p.cli, "wrap"));
    assert_true(cli_flag(&p.cli, "only-hash"));
    assert_true(cli_flag(&p.cli, "quieter"));
    assert_false(cli_flag(&p.cli, "no-hidden"));
    assert_string_equal(cli_value(&p.cli, "copies"), "3");
    assert_string_equal(cli_value(&p.cli, "name"), "a=b");
    assert_null(cli_value(&p.cli, "wait"));
    assert_string_equal(p.cli.path, "/x");
    assert_int_equal(p.cli.timeout_s, 2);
    assert_int_equal(p.cli.args_count, 2);
    assert_string_equal(p.cli.args[0], "one");
    assert_string_equal(p.cli.args[1], "two");
    drop(&p);
}

static void letters_take_values(void **state)
{
    struct parsed p;

    (void)state;
    assert_int_equal(PARSE(&p, "get", "-oout", "cid"), OK);
    assert_string_equal(cli_value(&p.cli, "output"), "out");
    drop(&p);
    assert_int_equal(PARSE(&p, "get", "cid", "-o", "-x"), OK);
    assert_string_equal(cli_value(&p.cli, "output"), "-x");
    drop(&p);
    assert_int_equal(PARSE(&p, "get", "cid", "-o"), E_MALFORMED);
    drop(&p);
}

static void switches_take_truth(void **state)
{
    struct parsed p;

    (void)state;
    assert_int_equal(PARSE(&p, "add", "--raw-leaves=false", "--pin",
                           "--wrap=true", "--wrap=false", "x"),
                     OK);
    assert_int_equal(cli_given_count(&p.cli, "raw-leaves"), 1);
    assert_false(cli_flag(&p.cli, "raw-leaves"));
    assert_true(cli_flag(&p.cli, "pin"));
    assert_false(cli_flag(&p.cli, "wrap")); /* the last one counts */
    drop(&p);
    assert_int_equal(PARSE(&p, "add", "--wrap=maybe", "x"), E_MALFORMED);
    drop(&p);
}

static void two_words_are_one_command(void **state)
{
    struct parsed p;

    (void)state;
    assert_int_equal(PARSE(&p, "pin", "--json", "add", "cid"), OK);
    assert_string_equal(p.cli.command->name, "pin add");
    assert_int_equal(p.cli.args_count, 1);
    drop(&p);
    assert_int_equal(PARSE(&p, "pin"), E_MALFORMED);
    assert_int_equal(p.cli.error.exit_code, 2);
    drop(&p);
    assert_int_equal(PARSE(&p, "pin", "--help"), OK);
    assert_null(p.cli.command);
    assert_string_equal(p.cli.family, "pin");
    drop(&p);
    assert_int_equal(PARSE(&p, "pin", "ad", "cid"), E_MALFORMED);
    assert_non_null(strstr(p.cli.error.hint, "xmbl pin add"));
    drop(&p);
}

static void words_behind_two_dashes_are_arguments(void **state)
{
    struct parsed p;

    (void)state;
    assert_int_equal(PARSE(&p, "add", "--", "--json", "-x", "-"), OK);
    assert_false(p.cli.json);
    assert_int_equal(p.cli.args_count, 3);
    assert_string_equal(p.cli.args[0], "--json");
    drop(&p);
    assert_int_equal(PARSE(&p, "add", "-"), OK);
    assert_string_equal(p.cli.args[0], "-");
    drop(&p);
}

static void options_may_be_repeated(void **state)
{
    struct parsed p;

    (void)state;
    assert_int_equal(
        PARSE(&p, "daemon", "--listen", "/a", "--listen=/b", "--set", "k=v"),
        OK);
    assert_int_equal(cli_given_count(&p.cli, "listen"), 2);
    assert_string_equal(cli_value_at(&p.cli, "listen", 0), "/a");
    assert_string_equal(cli_value_at(&p.cli, "listen", 1), "/b");
    assert_null(cli_value_at(&p.cli, "listen", 2));
    assert_string_equal(cli_value_at(&p.cli, "set", 0), "k=v");
    drop(&p);
}

static void wrong_usage_is_named(void **state)
{
    static const struct {
        const char *words[4];
        const char *message;
        const char *hint;
    } rows[] = {
        {{"ad", NULL}, "unknown command: ad", "Did you mean `xmbl add`?"},
        {{"xyzzy", NULL}, "unknown command: xyzzy", "--help"},
        {{"add", "--wrp", "x", NULL},
         "unknown option: --wrp",
         "Did you mean --wrap?"},
        {{"add", "--jsn", "x", NULL},
         "unknown option: --jsn",
         "Did you mean --json?"},
        {{"add", "-z", "x", NULL}, "unknown option: -z", "xmbl add --help"},
        {{"add", NULL}, "an argument is missing: PATH... | -", "add --help"},
        {{"stat", "a", "b", NULL}, "an argument too many: b", "stat --help"},
        {{"add", "x", "--copies", NULL}, "wants a value: --copies", "add"},
        {{"cat", "x", "--timeout=soon", NULL}, "30s", "cat"},
        {{"cat", "x", "--timeout=0", NULL}, "30s", "cat"},
        {{"cat", "x", "--quiet=perhaps", NULL}, "is a switch", "cat"},
        {{"ad\x1b[31m", NULL}, "ad\\x1b[31m", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed p;
        assert_int_equal(parse(&p, rows[i].words), E_MALFORMED);
        assert_string_equal(p.cli.error.code, "BAD_USAGE");
        assert_int_equal(p.cli.error.exit_code, 2);
        assert_non_null(strstr(p.cli.error.message, rows[i].message));
        if (rows[i].hint != NULL)
            assert_non_null(strstr(p.cli.error.hint, rows[i].hint));
        drop(&p);
    }
}

static void json_is_known_even_when_words_are_wrong(void **state)
{
    struct parsed p;

    (void)state;
    assert_int_equal(PARSE(&p, "--wrong", "add", "--json"), E_MALFORMED);
    assert_true(p.cli.json);
    drop(&p);
    assert_int_equal(PARSE(&p, "add", "--", "--json"), OK);
    assert_false(p.cli.json);
    drop(&p);
}

static void nothing_is_no_command(void **state)
{
    struct parsed p;
    const char *const none[] = {NULL};

    (void)state;
    assert_int_equal(parse(&p, none), OK);
    assert_null(p.cli.command);
    drop(&p);
}

static void numbers_are_bounded(void **state)
{
    struct parsed p;
    uint64_t n = 0;

    (void)state;
    assert_int_equal(PARSE(&p, "add", "x", "--copies", "7"), OK);
    assert_int_equal(cli_number(&p.cli, "copies", 7, 0, &n), OK);
    assert_int_equal(n, 7);
    assert_int_equal(cli_number(&p.cli, "copies", 6, 0, &n), E_MALFORMED);
    assert_int_equal(cli_number(&p.cli, "cid-version", 1, 9, &n), OK);
    assert_int_equal(n, 9);
    drop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_found),
        cmocka_unit_test(letters_take_values),
        cmocka_unit_test(switches_take_truth),
        cmocka_unit_test(two_words_are_one_command),
        cmocka_unit_test(words_behind_two_dashes_are_arguments),
        cmocka_unit_test(options_may_be_repeated),
        cmocka_unit_test(wrong_usage_is_named),
        cmocka_unit_test(json_is_known_even_when_words_are_wrong),
        cmocka_unit_test(nothing_is_no_command),
        cmocka_unit_test(numbers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
