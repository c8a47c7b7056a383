#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/output.h"
#include "app/shell_edit.h"
#include "app/shell_words.h"
#include "base/mem.h"

/*
 * `shell`: runs lines as commands.
 *
 * Each command is a process of its own, this program again: so it is the same
 * as from another shell, and ends by Ctrl-C while this one goes on.  From a
 * terminal lines are edited and remembered; from a file or a pipe they are a
 * script, which has no input for its commands and stops at the first that
 * fails.
 */

enum {
    PROMPT_MAX = 64,
    OWN_WORDS_MAX = 16, /* before those of the line */
    TAIL_LEN = 8,       /* of a peer id */
    PROMPT_WAIT_S = 1,  /* for a daemon that hangs */
    SIGNAL_BASE = 128,
    PATH_BYTES_MAX = 4096,
    LINE_BYTES_MAX = 64 * 1024, /* of a script, its end included */
};

/* A command's process. */

struct command {
    char **argv; /* @count words that it owns, and NULL behind them */
    size_t count;
};

static void add_word(struct command *c, const char *word)
{
    c->argv[c->count++] = mem_strdup(word);
}

static void command_release(struct command *c)
{
    for (size_t i = 0; i < c->count; i++)
        mem_free(c->argv[i]);
    mem_free(c->argv);
}

/* What was said to the shell is said to each command, before its words. */
static void add_globals(const struct cli *cli, struct command *c)
{
    char timeout[24];
    const char *const pairs[][2] = {
        {"--path", cli->path},
        {"--api", cli->api},
        {"--passphrase-file", cli->passphrase_file},
        {"--timeout", cli->timeout_s > 0 ? timeout : NULL},
    };

    (void)snprintf(timeout, sizeof(timeout), "%us", (unsigned)cli->timeout_s);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (pairs[i][1] == NULL)
            continue;
        add_word(c, pairs[i][0]);
        add_word(c, pairs[i][1]);
    }
    if (cli->json)
        add_word(c, "--json");
    if (cli->quiet)
        add_word(c, "--quiet");
}

static int spawn_self(char *const *argv, bool has_input, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t defaults;

    /* These fail for want of memory only, and then posix_spawn() does too. */
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attr);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGINT);
    (void)posix_spawnattr_setsigdefault(&attr, &defaults);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    if (!has_input)
        (void)posix_spawn_file_actions_addopen(&files, STDIN_FILENO,
                                               "/dev/null", O_RDONLY, 0);
    int failed =
        posix_spawn(ret_pid, "/proc/self/exe", &files, &attr, argv, environ);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return failed;
}

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return EXIT_FAILED;
    }
    if (WIFSIGNALED(status))
        return SIGNAL_BASE + WTERMSIG(status);
    return WEXITSTATUS(status);
}

/* Runs the words from @first on; Ctrl-C is the command's. */
static int run_words(const struct cli *cli, const struct shell_words *w,
                     size_t first, bool has_input)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    struct command c = {
        .argv = mem_zalloc(OWN_WORDS_MAX + w->count, sizeof(*c.argv))};
    pid_t pid = 0;
    int code = EXIT_FAILED;

    add_word(&c, "xmbl");
    add_globals(cli, &c);
    for (size_t i = first; i < w->count; i++)
        add_word(&c, w->at[i]);
    (void)fflush(stdout);                      /* output_finish() tells */
    (void)sigaction(SIGINT, &ignore, &before); /* fails for no number of ours */
    int failed = spawn_self(c.argv, has_input, &pid);
    if (failed == 0)
        code = wait_for(pid);
    else
        (void)fprintf(stderr, "xmbl: the command cannot be started\n");
    (void)sigaction(SIGINT, &before, NULL);
    command_release(&c);
    return code;
}

/* Lines. */

enum line_end {
    LINE_DONE, /* with an exit status */
    LINE_EXIT, /* the shell ends */
};

static bool is_word(const struct shell_words *w, size_t at, const char *word)
{
    return at < w->count && strcmp(w->at[at], word) == 0;
}

/* Something is wrong with the line itself. */
static int refuse(const struct cli *cli, const char *what, const char *hint)
{
    struct cli told = {.json = cli->json, .quiet = cli->quiet};

    cli_error_setf(&told.error, ERROR_BAD_USAGE, "%s", what);
    cli_error_hint(&told.error, hint);
    return cli_refuse(&told);
}

static int refuse_input(const struct cli *cli)
{
    struct cli told = {.json = cli->json, .quiet = cli->quiet};

    cli_error_set(&told.error, ERROR_IO, "stdin");
    return cli_refuse(&told);
}

static int refuse_words(const struct cli *cli, enum shell_fault fault)
{
    if (fault == SHELL_UNCLOSED)
        return refuse(cli, "a quote is not closed",
                      "Put ' or \" behind the word, or \\ before it.");
    return refuse(cli, "this shell has no pipes, redirections and variables",
                  "Put such a letter between ' and ', or use `xmbl` from "
                  "your own shell.");
}

static enum line_end run_line(const struct cli *cli, const char *line,
                              bool has_input, int *ret_code)
{
    struct shell_words w;
    enum shell_fault fault = shell_words_split(&w, line);
    enum line_end end = LINE_DONE;
    size_t first = is_word(&w, 0, "xmbl") ? 1 : 0;

    if (fault != SHELL_FINE)
        *ret_code = refuse_words(cli, fault);
    else if (is_word(&w, first, "exit") || is_word(&w, first, "quit"))
        end = LINE_EXIT;
    else if (w.count > first)
        *ret_code = run_words(cli, &w, first, has_input);
    shell_words_release(&w);
    return end;
}

/*
 * Whether a line may be kept: one that begins with a command of ours, and not
 * with a blank.  So a passphrase that was typed at the wrong time is not.
 */
static bool is_kept(const char *line)
{
    struct shell_words w;
    bool known = false;
    const struct cli_command *c = NULL;
    size_t len = 0;

    (void)shell_words_split(&w, line); /* what there is of it will do */
    size_t first = is_word(&w, 0, "xmbl") ? 1 : 0;
    for (size_t i = 0; w.count > first && (c = cli_command_at(i)) != NULL;
         i++) {
        len = strcspn(c->name, " ");
        known |= strlen(w.at[first]) == len &&
                 memcmp(c->name, w.at[first], len) == 0;
    }
    shell_words_release(&w);
    return known && line[0] != ' ' && line[0] != '\t';
}

/* A script. */

static int run_script(const struct cli *cli, FILE *in)
{
    char *line = mem_alloc(LINE_BYTES_MAX);
    size_t number = 0;
    int code = EXIT_DONE;
    enum line_end end = LINE_DONE;

    while (code == EXIT_DONE && end == LINE_DONE &&
           fgets(line, LINE_BYTES_MAX, in) != NULL) {
        number++;
        if (strlen(line) + 1 == LINE_BYTES_MAX)
            code = refuse(cli, "the line is too long",
                          "Commands of a line have at most 64 KiB.");
        else
            end = run_line(cli, line, false, &code);
    }
    mem_free(line);
    if (code == EXIT_DONE && ferror(in) != 0)
        code = refuse_input(cli);
    if (code != EXIT_DONE)
        output_message(cli, "xmbl: stopped at line %zu", number);
    return code;
}

/* A terminal. */

/* "xmbl ...8gwb7g> ": whose commands go where. */
static void make_prompt(const struct cli *cli, char prompt[static PROMPT_MAX])
{
    json_t *node = NULL;
    struct cli asks;

    cli_init(&asks);
    asks.path = cli->path;
    asks.api = cli->api;
    asks.token = cli->token;
    asks.timeout_s = PROMPT_WAIT_S;
    enum err err = call_open(&asks, CALL_RUNNING);
    if (err == OK)
        err = call_json(&asks, "GET", "/api/v1/node", NULL, &node);
    const char *id = node != NULL ? answer_text(node, "peer_id") : "";
    size_t len = strlen(id);
    if (err == OK)
        (void)snprintf(prompt, PROMPT_MAX, "xmbl %s> ",
                       len > TAIL_LEN ? id + len - TAIL_LEN : id);
    else
        (void)snprintf(prompt, PROMPT_MAX, "xmbl (%s)> ",
                       err == E_AGAIN || err == E_NOTFOUND
                           ? "no daemon"
                           : "daemon does not answer");
    json_decref(node);
    cli_release(&asks);
}

static const char *variable(const char *name)
{
    /* Nothing changes the environment while threads run. */
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The file of the history in @path, its folders made; false: there is none. */
static bool history_path(char path[static PATH_BYTES_MAX])
{
    const char *state = variable("XDG_STATE_HOME");
    const char *home = variable("HOME");
    int len = -1;

    if (state != NULL && state[0] == '/')
        len = snprintf(path, PATH_BYTES_MAX, "%s/xmbl/history", state);
    else if (home != NULL)
        len = snprintf(path, PATH_BYTES_MAX, "%s/.local/state/xmbl/history",
                       home);
    if (len < 0 || len >= PATH_BYTES_MAX)
        return false;
    for (char *at = strchr(path + 1, '/'); at != NULL;
         at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(path, 0700); /* open() tells */
        *at = '/';
    }
    return true;
}

static int run_terminal(struct cli *cli)
{
    char path[PATH_BYTES_MAX];
    char prompt[PROMPT_MAX];
    struct shell_edit *edit = NULL;
    enum line_end end = LINE_DONE;
    const char *line = NULL;
    bool has_path = history_path(path);
    enum err err = shell_edit_open(has_path ? path : NULL, &edit);

    if (err != OK)
        return cli_fail(cli, ERROR_IO, "the terminal");
    output_message(cli, "Commands as `xmbl COMMAND`, without the first word; "
                        "Tab helps, `exit` ends.");
    while (end == LINE_DONE && err != E_CLOSED) {
        int code = EXIT_DONE;
        make_prompt(cli, prompt);
        err = shell_edit_line(edit, prompt, &line);
        if (err != OK) {
            output_text("\n");
            continue;
        }
        if (is_kept(line))
            shell_edit_remember(edit, line);
        end = run_line(cli, line, true, &code);
    }
    shell_edit_close(edit);
    return EXIT_DONE;
}

int cmd_shell(struct cli *cli)
{
    /* Of --token-file; words of a process are there for all to see.  No other
     * thread runs, and without it the API refuses. */
    if (cli->token != NULL)
        (void)setenv(/* NOLINT(concurrency-mt-unsafe) */
                     "XMBL_TOKEN", cli->token, 1);
    if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1)
        return run_terminal(cli);
    return run_script(cli, stdin);
}
