/*
 * Goal: every command and every option of it is in a manual page, and a page
 * is roff that any formatter takes.
 * Method: walk the table of commands, look for each word in its page, and look
 * at each line of all pages: only the macros that we know, nothing that begins
 * like one by chance.
 */
#include "app/cli.h"
#include "app/man.h"
#include "base/strbuf.h"

#include "test.h"

enum { PAGE_BYTES = 1 << 18, ROFF_LINE_MAX = 400 };

/* @text as a page has it: dashes and backslashes escaped. */
static const char *escaped(const char *text)
{
    static char room[512];
    size_t at = 0;

    for (; *text != '\0' && at < sizeof(room) - 3; text++) {
        if (*text == '-' || *text == '\\')
            room[at++] = '\\';
        room[at++] = *text;
        if (*text == '\\')
            room[at - 1] = 'e';
    }
    room[at] = '\0';
    return room;
}

static void assert_has(const char *page, const char *what)
{
    if (strstr(page, escaped(what)) == NULL)
        fail_msg("no %s in: %.200s", what, page);
}

/* Each line of @text; the indentation of an example may be another. */
static void assert_has_lines(const char *page, const char *text)
{
    char line[256];

    while (*text != '\0') {
        text += strspn(text, " \n");
        size_t len = strcspn(text, "\n");
        assert_true(len < sizeof(line));
        (void)snprintf(line, sizeof(line), "%.*s", (int)len, text);
        assert_has(page, line);
        text += len;
    }
}

static void assert_has_options(const char *page, const struct cli_option *o)
{
    char name[64];

    for (; o != NULL && o->name != NULL; o++) {
        (void)snprintf(name, sizeof(name), "--%s", o->name);
        assert_has(page, name);
        if (o->help != NULL)
            assert_has(page, o->help);
    }
}

static void every_command_is_in_a_page(void **state)
{
    const struct cli_command *c = NULL;
    struct strbuf page;
    char word[64];

    (void)state;
    strbuf_init(&page, PAGE_BYTES);
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(c->name, " "),
                       c->name);
        strbuf_reset(&page);
        assert_true(man_page(&page, word));
        assert_has(strbuf_cstr(&page), c->name);
        assert_has(strbuf_cstr(&page), c->summary);
        assert_has_options(strbuf_cstr(&page), c->options);
        assert_has_options(strbuf_cstr(&page), cli_globals());
        assert_has_lines(strbuf_cstr(&page), strstr(c->help, "\n\n  ") + 2);
    }
    assert_false(strbuf_full(&page));
    strbuf_release(&page);
}

static void the_first_page_has_all(void **state)
{
    const struct cli_command *c = NULL;
    struct strbuf page;

    (void)state;
    strbuf_init(&page, PAGE_BYTES);
    assert_true(man_page(&page, NULL));
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (!c->is_hidden)
            assert_has(strbuf_cstr(&page), c->name);
    }
    assert_has(strbuf_cstr(&page), "XMBL_PATH");
    assert_has(strbuf_cstr(&page), "130");
    assert_has_options(strbuf_cstr(&page), cli_globals());
    strbuf_release(&page);
}

static void check_line(const char *line, size_t len, int *filled)
{
    static const char *const macros[] = {".TH ", ".SH ", ".SS ", ".TP", ".PP",
                                         ".nf",  ".fi",  ".RS",  ".RE"};
    size_t i = 0;

    assert_true(len > 0); /* an empty line is no line of roff */
    assert_true(len < ROFF_LINE_MAX);
    assert_true(line[0] != '\'');
    for (size_t k = 0; k < len; k++)
        assert_true((unsigned char)line[k] >= ' ');
    if (line[0] != '.')
        return;
    while (i < sizeof(macros) / sizeof(macros[0]) &&
           strncmp(line, macros[i], strlen(macros[i])) != 0)
        i++;
    if (i == sizeof(macros) / sizeof(macros[0]))
        fail_msg("no macro of ours: %.*s", (int)len, line);
    *filled += strncmp(line, ".nf", 3) == 0 ? -1 : 0;
    *filled += strncmp(line, ".fi", 3) == 0 ? 1 : 0;
    assert_true(*filled == 0 || *filled == -1);
}

static void check_page(const char *page)
{
    static const char *const order[] = {
        "\n.SH NAME\n",    "\n.SH SYNOPSIS\n",    "\n.SH DESCRIPTION\n",
        "\n.SH OPTIONS\n", "\n.SH EXIT STATUS\n", "\n.SH SEE ALSO\n"};
    const char *at = page;
    int filled = 0;

    assert_int_equal(strncmp(page, ".TH XMBL", 8), 0);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        const char *found = strstr(at, order[i]);
        if (found == NULL)
            fail_msg("%s is missing or misplaced: %.100s", order[i], page);
        else
            at = found;
    }
    for (at = page; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        assert_true(at[len] == '\n');
        check_line(at, len, &filled);
        at += len + 1;
    }
    assert_int_equal(filled, 0);
}

static void pages_are_roff(void **state)
{
    const char *word = NULL;
    struct strbuf page;
    size_t count = 0;

    (void)state;
    strbuf_init(&page, PAGE_BYTES);
    assert_true(man_page(&page, NULL));
    check_page(strbuf_cstr(&page));
    for (; (word = man_word(count)) != NULL; count++) {
        strbuf_reset(&page);
        assert_true(man_page(&page, word));
        check_page(strbuf_cstr(&page));
    }
    assert_true(count > 20);
    strbuf_reset(&page);
    assert_false(man_page(&page, "nonsense"));
    assert_false(man_page(&page, "pin add"));
    assert_int_equal(page.len, 0);
    strbuf_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_in_a_page),
        cmocka_unit_test(the_first_page_has_all),
        cmocka_unit_test(pages_are_roff),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
