#include "app/cli.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/client.h"
#include "app/help.h"
#include "app/interrupt.h"
#include "app/output.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "config/nearest.h"
#include "config/units.h"

enum { COMMAND_WORDS_MAX = 64, TOKEN_MAX = 1024, TIMEOUT_S_MAX = 86400 * 366 };

static const struct cli_option globals[] = {
    {"path", 0, "DIR", false, "data folder, else $XMBL_PATH", NULL},
    {"api", 0, "ADDR", false, "another daemon's API", NULL},
    {"token-file", 0, "FILE", false, "its token, else $XMBL_TOKEN", NULL},
    {"passphrase-file", 0, "FILE", false, "passphrase of the node's key", NULL},
    {"timeout", 0, "TIME", false, "longest wait for the network, 30s", NULL},
    {"json", 0, NULL, false, "print JSON", NULL},
    {"quiet", 'q', NULL, false, "print less", NULL},
    {"help", 'h', NULL, false, "print help", NULL},
    {NULL, 0, NULL, false, NULL, NULL},
};

const struct cli_option *cli_globals(void)
{
    return globals;
}

void cli_init(struct cli *cli)
{
    *cli = (struct cli){.cancel_fd = -1};
}

void cli_release(struct cli *cli)
{
    client_close(cli->client);
    interrupt_close(cli->cancel_fd);
    mem_free(cli->args);
    mem_free(cli->given);
    mem_free(cli->token_text);
    cli_init(cli);
}

int cli_fail(struct cli *cli, enum error_id id, const char *where)
{
    cli_error_set(&cli->error, id, where);
    return cli->error.exit_code;
}

/* Words on the command line, and how far they were read. */
struct words {
    char **at;
    size_t count;
    size_t next;
    bool ended; /* "--" was seen */
};

static enum err wrong(struct cli *cli, const char *what, const char *word,
                      const char *meant)
{
    char hint[CLI_HINT_MAX];

    cli_error_setf(&cli->error, ERROR_BAD_USAGE, "%s: %.200s", what, word);
    if (meant != NULL)
        (void)snprintf(hint, sizeof(hint), "Did you mean %s?", meant);
    else if (cli->command != NULL)
        (void)snprintf(hint, sizeof(hint), "`xmbl %s --help` tells more.",
                       cli->command->name);
    else
        (void)snprintf(hint, sizeof(hint), "`xmbl --help` lists the commands.");
    cli_error_hint(&cli->error, hint);
    return E_MALFORMED;
}

static const struct cli_option *in_table(const struct cli_option *table,
                                         const char *name, size_t len,
                                         char letter)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (letter != 0 && table->letter == letter)
            return table;
        if (letter == 0 && strlen(table->name) == len &&
            memcmp(table->name, name, len) == 0)
            return table;
    }
    return NULL;
}

/* The command's own option covers one of all commands. */
static const struct cli_option *
find_option(const struct cli *cli, const char *name, size_t len, char letter)
{
    const struct cli_option *o = NULL;

    if (cli->command != NULL)
        o = in_table(cli->command->options, name, len, letter);
    return o != NULL ? o : in_table(globals, name, len, letter);
}

static void try_table(struct nearest *nearest, const struct cli_option *table)
{
    for (; table != NULL && table->name != NULL; table++)
        nearest_try(nearest, table->name);
}

static enum err unknown_option(struct cli *cli, const char *word, size_t len)
{
    char meant[NEAREST_WORD_MAX + 3];
    struct nearest nearest;

    nearest_init(&nearest, (struct bytes){(const uint8_t *)word + 2, len - 2});
    if (cli->command != NULL)
        try_table(&nearest, cli->command->options);
    try_table(&nearest, globals);
    const char *best = len > 2 ? nearest_best(&nearest) : NULL;
    if (best != NULL)
        (void)snprintf(meant, sizeof(meant), "--%s", best);
    return wrong(cli, "unknown option", word, best != NULL ? meant : NULL);
}

static enum err read_token(struct cli *cli, const char *path)
{
    char text[TOKEN_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        (void)close(fd); /* was only read */
    if (n < 0) {
        cli_error_set(&cli->error,
                      errno == ENOENT   ? ERROR_NOT_FOUND
                      : errno == EACCES ? ERROR_PERMISSION
                                        : ERROR_IO,
                      path);
        return E_MALFORMED;
    }
    text[n] = '\0';
    text[strcspn(text, " \t\r\n")] = '\0';
    mem_free(cli->token_text);
    cli->token_text = mem_strdup(text);
    cli->token = cli->token_text;
    return OK;
}

static enum err take_timeout(struct cli *cli, const char *value)
{
    uint64_t ms = 0;

    if (units_parse_duration(bytes_str(value), &ms) != OK || ms == 0 ||
        ms / 1000 > TIMEOUT_S_MAX)
        return wrong(cli, "--timeout wants a time such as 30s or 5m", value,
                     NULL);
    cli->timeout_s = (uint32_t)((ms + 999) / 1000);
    return OK;
}

static bool is_false(const char *value)
{
    return value != NULL &&
           (strcmp(value, "false") == 0 || strcmp(value, "0") == 0 ||
            strcmp(value, "no") == 0);
}

static enum err take_global(struct cli *cli, const struct cli_option *option,
                            const char *value)
{
    const char *name = option->name;

    if (strcmp(name, "path") == 0)
        cli->path = value;
    else if (strcmp(name, "api") == 0)
        cli->api = value;
    else if (strcmp(name, "passphrase-file") == 0)
        cli->passphrase_file = value;
    else if (strcmp(name, "json") == 0)
        cli->json = !is_false(value);
    else if (strcmp(name, "quiet") == 0)
        cli->quiet = !is_false(value);
    else if (strcmp(name, "help") == 0)
        cli->help = true;
    else if (strcmp(name, "timeout") == 0)
        return take_timeout(cli, value);
    else
        return read_token(cli, value);
    return OK;
}

static bool is_global(const struct cli_option *option)
{
    return option >= globals && option < globals + countof(globals);
}

/* Whether @value is one of "a|b|c". */
static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);

    for (const char *at = choices; at != NULL;) {
        size_t span = strcspn(at, "|");
        if (span == len && memcmp(at, value, len) == 0)
            return true;
        at = at[span] == '|' ? at + span + 1 : NULL;
    }
    return false;
}

static bool is_truth(const char *value)
{
    return strcmp(value, "true") == 0 || strcmp(value, "1") == 0 ||
           strcmp(value, "yes") == 0 || is_false(value);
}

static enum err take_option(struct cli *cli, const struct cli_option *option,
                            const char *value)
{
    if (is_global(option))
        return take_global(cli, option, value);
    if (option->choices != NULL && value != NULL &&
        !is_choice(option->choices, value))
        return wrong(cli, "the option takes one of these only", option->choices,
                     NULL);
    if (option->value_optional && value != NULL && !is_truth(value))
        return wrong(cli, "the option takes true or false only", value, NULL);
    cli->given[cli->given_count++] =
        (struct cli_given){.option = option, .value = value};
    return OK;
}

/* "--name", "--name=value", "--name value". */
static enum err take_long(struct cli *cli, struct words *w, const char *word)
{
    size_t len = strcspn(word, "=");
    const char *value = word[len] == '=' ? word + len + 1 : NULL;
    const struct cli_option *o = find_option(cli, word + 2, len - 2, 0);

    if (o == NULL)
        return unknown_option(cli, word, len);
    if (o->value == NULL && value != NULL && !is_truth(value))
        return wrong(cli, "the option is a switch", word, NULL);
    if (o->value != NULL && value == NULL && !o->value_optional) {
        if (w->next == w->count)
            return wrong(cli, "the option wants a value", word, NULL);
        value = w->at[w->next++];
    }
    return take_option(cli, o, value);
}

/* "-w", "-wn", "-oFILE", "-o FILE". */
static enum err take_short(struct cli *cli, struct words *w, const char *word)
{
    for (size_t i = 1; word[i] != '\0'; i++) {
        const struct cli_option *o = find_option(cli, NULL, 0, word[i]);
        const char *value = NULL;
        if (o == NULL)
            return wrong(cli, "unknown option", word, NULL);
        if (o->value == NULL || o->value_optional) {
            enum err err = take_option(cli, o, NULL);
            if (err != OK)
                return err;
            continue;
        }
        if (word[i + 1] != '\0')
            value = word + i + 1;
        else if (w->next < w->count)
            value = w->at[w->next++];
        if (value == NULL)
            return wrong(cli, "the option wants a value", word, NULL);
        return take_option(cli, o, value);
    }
    return OK;
}

/*
 * The next word that is no option; options before it are taken.  NULL at the
 * end.
 */
static enum err next_argument(struct cli *cli, struct words *w,
                              const char **ret_word)
{
    *ret_word = NULL;
    while (w->next < w->count) {
        const char *word = w->at[w->next++];
        enum err err = OK;
        if (w->ended || word[0] != '-' || word[1] == '\0') {
            *ret_word = word;
            return OK;
        }
        if (strcmp(word, "--") == 0)
            w->ended = true;
        else if (word[1] == '-')
            err = take_long(cli, w, word);
        else
            err = take_short(cli, w, word);
        if (err != OK)
            return err;
    }
    return OK;
}

/* True when @word is the first of the two words of a command. */
static bool is_family(const char *word)
{
    size_t len = strlen(word);
    const struct cli_command *c = NULL;

    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
            return true;
    }
    return false;
}

static enum err unknown_command(struct cli *cli, const char *name)
{
    const struct cli_command *c = NULL;
    struct nearest nearest;
    char meant[COMMAND_WORDS_MAX + 8];

    nearest_init(&nearest, bytes_str(name));
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++)
        nearest_try(&nearest, c->name);
    const char *best = nearest_best(&nearest);
    if (best != NULL)
        (void)snprintf(meant, sizeof(meant), "`xmbl %s`", best);
    return wrong(cli, "unknown command", name, best != NULL ? meant : NULL);
}

/* Takes the second word of "pin add"; help may be asked for without it. */
static enum err take_second_word(struct cli *cli, struct words *w,
                                 const char *first)
{
    char name[COMMAND_WORDS_MAX];
    const char *second = NULL;
    enum err err = next_argument(cli, w, &second);

    if (err != OK)
        return err;
    if (second == NULL) {
        cli->family = first;
        return cli->help ? OK
                         : wrong(cli, "a second word is missing", first, NULL);
    }
    if (snprintf(name, sizeof(name), "%s %s", first, second) >=
        (int)sizeof(name))
        return wrong(cli, "unknown command", second, NULL);
    cli->command = cli_command_find(name);
    return cli->command != NULL ? OK : unknown_command(cli, name);
}

static enum err take_command(struct cli *cli, struct words *w)
{
    const char *first = NULL;
    enum err err = next_argument(cli, w, &first);

    if (err != OK || first == NULL)
        return err;
    cli->command = cli_command_find(first);
    if (cli->command != NULL)
        return OK;
    if (is_family(first))
        return take_second_word(cli, w, first);
    return unknown_command(cli, first);
}

static enum err take_arguments(struct cli *cli, struct words *w)
{
    const struct cli_command *c = cli->command;

    for (;;) {
        const char *word = NULL;
        enum err err = next_argument(cli, w, &word);
        if (err != OK)
            return err;
        if (word == NULL)
            break;
        cli->args[cli->args_count++] = word;
    }
    if (cli->help)
        return OK;
    if (cli->args_count < c->args_min)
        return wrong(cli, "an argument is missing", c->arguments, NULL);
    if (cli->args_count > c->args_max)
        return wrong(cli, "an argument too many", cli->args[c->args_max], NULL);
    return OK;
}

/* So that also the error of an earlier word comes as JSON. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return false;
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

static const char *variable(const char *name)
{
    /* Nothing changes the environment while threads run. */
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */

    return value != NULL && value[0] != '\0' ? value : NULL;
}

enum err cli_parse(struct cli *cli, int argc, char **argv)
{
    size_t count = argc > 0 ? (size_t)argc : 0;
    struct words w = {.at = argv, .count = count, .next = count > 0 ? 1 : 0};

    cli->args = mem_zalloc(count + 1, sizeof(*cli->args));
    /* One word may hold many letters. */
    size_t given_max = count;
    for (size_t i = 0; i < count; i++)
        given_max += strlen(argv[i]);
    cli->given = mem_zalloc(given_max + 1, sizeof(*cli->given));
    cli->json = wants_json(argc, argv);
    cli->path = variable("XMBL_PATH");
    cli->token = variable("XMBL_TOKEN");
    enum err err = take_command(cli, &w);
    if (err == OK && cli->command != NULL)
        err = take_arguments(cli, &w);
    return err;
}

static const struct cli_given *last_given(const struct cli *cli,
                                          const char *name)
{
    for (size_t i = cli->given_count; i > 0; i--) {
        if (strcmp(cli->given[i - 1].option->name, name) == 0)
            return &cli->given[i - 1];
    }
    return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
    const struct cli_given *g = last_given(cli, name);

    return g != NULL && !is_false(g->value);
}

const char *cli_value(const struct cli *cli, const char *name)
{
    const struct cli_given *g = last_given(cli, name);

    return g != NULL ? g->value : NULL;
}

const char *cli_value_at(const struct cli *cli, const char *name, size_t index)
{
    for (size_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, name) != 0)
            continue;
        if (index-- == 0)
            return cli->given[i].value;
    }
    return NULL;
}

size_t cli_given_count(const struct cli *cli, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, name) == 0)
            count++;
    }
    return count;
}

enum err cli_number(struct cli *cli, const char *name, uint64_t max,
                    uint64_t otherwise, uint64_t *ret_number)
{
    const char *text = cli_value(cli, name);
    uint64_t number = otherwise;

    if (text != NULL &&
        (units_parse_number(bytes_str(text), &number) != OK || number > max)) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "--%s wants a number up to %llu: %.100s", name,
                       (unsigned long long)max, text);
        return E_MALFORMED;
    }
    *ret_number = number;
    return OK;
}

/* The result counts as done only when it has been written. */
static int finish(struct cli *cli, int code)
{
    enum err err = output_finish();

    if (err == OK || code != EXIT_DONE)
        return code;
    if (err == E_CLOSED)
        return EXIT_DONE; /* the reader had what it wanted */
    output_failed(cli, err);
    output_error(cli);
    return cli->error.exit_code;
}

int cli_refuse(const struct cli *cli)
{
    output_error(cli);
    return cli->error.exit_code;
}

int cli_run(struct cli *cli)
{
    if (cli->help || cli->command == NULL) {
        bool asked = cli->help || cli->command != NULL;
        help_print(cli);
        return finish(cli, asked ? EXIT_DONE : EXIT_USAGE);
    }
    int code = cli->command->run(cli);
    if (code != EXIT_DONE && cli->error.code[0] != '\0') {
        int written = (int)output_finish();
        (void)written; /* the first failure is the one to tell */
        output_error(cli);
    }
    return finish(cli, code);
}
