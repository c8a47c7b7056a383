/*
 * Goal: the help fits a screen of 80 columns, the first page one of 40 lines,
 * each command has an example, and the completion scripts are scripts.
 * Method: measure the pages; give the bash script to `bash -n`.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/completion.h"
#include "app/help.h"
#include "base/strbuf.h"

#include "test.h"

enum { COLUMNS = 80, LINES = 44 };

/* Lines of @text; the test fails at one that is too wide. */
static size_t measure(const char *text)
{
    size_t lines = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        if (len > COLUMNS)
            fail_msg("too wide: %.*s", (int)len, text);
        lines++;
        text += len;
        text += *text == '\n' ? 1 : 0;
    }
    return lines;
}

static void the_first_page_fits(void **state)
{
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 1 << 16);
    help_all(&out);
    assert_true(measure(strbuf_cstr(&out)) <= LINES);
    assert_non_null(strstr(strbuf_cstr(&out), "\n  add "));
    assert_non_null(strstr(strbuf_cstr(&out), "pin add|rm|ls"));
    strbuf_release(&out);
}

static void each_command_has_a_page(void **state)
{
    const struct cli_command *c = NULL;
    struct strbuf out;
    char example[64];

    (void)state;
    strbuf_init(&out, 1 << 16);
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        strbuf_reset(&out);
        help_command(&out, c);
        (void)measure(strbuf_cstr(&out)); /* for the width */
        (void)snprintf(example, sizeof(example), "xmbl %s", c->name);
        assert_non_null(strstr(c->help, example));
        assert_non_null(c->run);
        assert_true(c->args_min <= c->args_max);
        assert_true(c->args_max == 0 || c->arguments != NULL);
    }
    strbuf_release(&out);
}

static void families_have_a_page(void **state)
{
    size_t count = 0;
    const struct cli_family *families = cli_families(&count);
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 1 << 16);
    for (size_t i = 0; i < count; i++) {
        strbuf_reset(&out);
        help_family(&out, families[i].name);
        assert_true(measure(strbuf_cstr(&out)) >= 2);
    }
    strbuf_release(&out);
}

static int check_with(const char *shell, const char *script)
{
    char path[] = "/tmp/xmbl-test-XXXXXX";
    int fd = mkstemp(path);
    int status = 0;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    (void)close(fd);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execlp(shell, shell, "-n", path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)unlink(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void scripts_are_scripts(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 1 << 18);
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        strbuf_reset(&out);
        assert_true(completion_script(&out, shells[i]));
        assert_non_null(strstr(strbuf_cstr(&out), "unixfs-v1-2025"));
        assert_non_null(strstr(strbuf_cstr(&out), "disconnect"));
        int status = check_with(shells[i], strbuf_cstr(&out));
        assert_true(status == 0 || status == 127); /* 127: no such shell */
    }
    assert_false(completion_script(&out, "csh"));
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_page_fits),
        cmocka_unit_test(each_command_has_a_page),
        cmocka_unit_test(families_have_a_page),
        cmocka_unit_test(scripts_are_scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
