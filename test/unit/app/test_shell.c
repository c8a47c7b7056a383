/*
 * Goal: the words of a line are those that a shell would see, what the shell
 * here cannot do is refused and not taken for a word, and Tab offers what the
 * tables say.
 * Method: lines and their words; every prefix of a line with all quotes; lines
 * up to a cursor and what is offered.
 */
#include "app/shell_complete.h"
#include "app/shell_words.h"
#include "base/strbuf.h"

#include "test.h"

/* The words of @line with '|' behind each; what the fault is called. */
static const char *split(const char *line)
{
    static char text[1024];
    struct shell_words w;
    enum shell_fault fault = shell_words_split(&w, line);
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < w.count; i++) {
        assert_true(len + strlen(w.at[i]) + 2 < sizeof(text));
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s|", w.at[i]);
    }
    assert_null(w.at[w.count]);
    shell_words_release(&w);
    if (fault == SHELL_UNCLOSED)
        return "UNCLOSED";
    return fault == SHELL_OPERATOR ? "OPERATOR" : text;
}

static void words_are_those_of_a_shell(void **state)
{
    (void)state;
    assert_string_equal(split(""), "");
    assert_string_equal(split(" \t "), "");
    assert_string_equal(split("add  a\tb"), "add|a|b|");
    assert_string_equal(split("add 'a b'"), "add|a b|");
    assert_string_equal(split("add \"a b\""), "add|a b|");
    assert_string_equal(split("add a\\ b"), "add|a b|");
    assert_string_equal(split("add a'b c'\"d e\"f"), "add|ab cd ef|");
    assert_string_equal(split("x '' \"\""), "x|||");
    assert_string_equal(split("x 'a\\b\"c'"), "x|a\\b\"c|");
    assert_string_equal(split("x \"a\\\"b\\\\c\\$d\\e'f\""),
                        "x|a\"b\\c$d\\e'f|");
    assert_string_equal(split("x \\'\\\"\\\\"), "x|'\"\\|");
    assert_string_equal(split("x $HOME *.c ~ a=b"), "x|$HOME|*.c|~|a=b|");
    assert_string_equal(split("x # a 'comment"), "x|");
    assert_string_equal(split("# only"), "");
    assert_string_equal(split("x a#b '#c'"), "x|a#b|#c|");
}

static void what_it_cannot_do_is_refused(void **state)
{
    static const char *const lines[] = {
        "cat x > y", "cat x >y", "a | b", "a;b",        "a & b",
        "a < b",     "x $(a)",   "x `a`", "x \"$(a)\"", "x \"`a`\""};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_string_equal(split(lines[i]), "OPERATOR");
    assert_string_equal(split("x '>' \"|\" \\; '$(a)' '`' \\`"),
                        "x|>|||;|$(a)|`|`|");
    assert_string_equal(split("x 'a"), "UNCLOSED");
    assert_string_equal(split("x \"a"), "UNCLOSED");
    assert_string_equal(split("x a\\"), "UNCLOSED");
    assert_string_equal(split("x \"a\\\""), "UNCLOSED");
}

static void every_prefix_is_taken(void **state)
{
    static const char line[] = "add 'a b'\"c \\\" d\"\\ e --wait=x '' # end";
    char part[sizeof(line)];

    (void)state;
    for (size_t len = 0; len < sizeof(line); len++) {
        memcpy(part, line, len);
        part[len] = '\0';
        (void)split(part); /* asserts what holds for all */
    }
    assert_string_equal(split(line), "add|a bc \" d e|--wait=x||");
}

/* What is offered at the end of @line, each with a blank behind it. */
static const char *offers(const char *line)
{
    static char text[8192];
    struct strbuf out;

    strbuf_init(&out, sizeof(text) - 1);
    (void)shell_complete(&out, line);
    (void)snprintf(text, sizeof(text), "%s", strbuf_cstr(&out));
    strbuf_release(&out);
    for (char *at = strchr(text, '\n'); at != NULL; at = strchr(at, '\n'))
        *at = ' ';
    return text;
}

static void tab_offers_what_the_tables_say(void **state)
{
    (void)state;
    assert_string_equal(offers("expl"), "explain ");
    assert_string_equal(offers("ex"), "explain exit ");
    assert_string_equal(offers("xmbl expl"), "explain ");
    assert_string_equal(offers("objects l"), "ls leave ");
    assert_string_equal(offers("objects"), "objects ");
    assert_non_null(strstr(offers("objects "), "set-copies "));
    assert_string_equal(offers("add --cop"), "--copies ");
    assert_string_equal(offers("add --wait s"), "stored safe ");
    assert_string_equal(offers("add file --wait s"), "stored safe ");
    assert_string_equal(offers("--json add --cop"), "--copies ");
    assert_string_equal(offers("--path ad add --cop"), "--copies ");
    assert_string_equal(offers("add --copies 3 --q"), "--quieter --quiet ");
    assert_string_equal(offers("add -- --cop"), "");
    assert_string_equal(offers("add 'x y' --chu"), "--chunker ");
    assert_string_equal(offers("nonsense --json"), "--json ");
    assert_string_equal(offers("help obj"), "objects ");
    assert_string_equal(offers("completion b"), "bash ");
    assert_string_equal(offers("stats --watch b"), "bandwidth bitswap ");
    assert_string_equal(offers("stats store b"), "");
    assert_string_equal(offers("add fil"), "");
    assert_non_null(strstr(offers(""), "add "));
}

static void the_typed_part_is_told(void **state)
{
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 4096);
    assert_int_equal(shell_complete(&out, "objects le"), 2);
    assert_int_equal(shell_complete(&out, "objects "), 0);
    assert_int_equal(shell_complete(&out, "add --cop"), 5);
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_of_a_shell),
        cmocka_unit_test(what_it_cannot_do_is_refused),
        cmocka_unit_test(every_prefix_is_taken),
        cmocka_unit_test(tab_offers_what_the_tables_say),
        cmocka_unit_test(the_typed_part_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
