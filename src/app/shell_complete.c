#include "app/shell_complete.h"

#include <string.h>

#include "app/cli.h"
#include "app/shell_words.h"
#include "base/strbuf.h"

/* What the words before the cursor mean. */
struct context {
    struct strbuf *out;
    const char *typed;                 /* the word at the cursor */
    const char *first;                 /* NULL: not typed yet */
    const struct cli_command *command; /* NULL: not known */
    const struct cli_option *option;   /* whose value is at the cursor */
    bool ended;                        /* "--" was there */
    bool has_argument;                 /* behind the command's name */
};

static void offer(struct context *c, const char *word, size_t len)
{
    size_t typed = strlen(c->typed);

    if (typed > len || strncmp(word, c->typed, typed) != 0)
        return;
    strbuf_add(c->out, (struct bytes){(const uint8_t *)word, len});
    strbuf_str(c->out, "\n");
}

static void offer_choices(struct context *c, const char *choices)
{
    while (choices != NULL && *choices != '\0') {
        size_t len = strcspn(choices, "|");
        offer(c, choices, len);
        choices += len + (choices[len] == '|' ? 1 : 0);
    }
}

static void offer_options(struct context *c, const struct cli_option *o)
{
    char word[64] = "--";

    for (; o != NULL && o->name != NULL; o++) {
        size_t len = strlen(o->name);
        if (o->help == NULL || len + 3 > sizeof(word))
            continue; /* another name for the one above */
        memcpy(word + 2, o->name, len + 1);
        offer(c, word, len + 2);
    }
}

static void offer_first_words(struct context *c)
{
    size_t count = 0;
    const struct cli_family *families = cli_families(&count);
    const struct cli_command *command = NULL;

    for (size_t i = 0; i < count; i++)
        offer(c, families[i].name, strlen(families[i].name));
    for (size_t i = 0; (command = cli_command_at(i)) != NULL; i++) {
        if (strchr(command->name, ' ') == NULL)
            offer(c, command->name, strlen(command->name));
    }
    offer(c, "exit", strlen("exit"));
}

static void offer_second_words(struct context *c)
{
    size_t len = strlen(c->first);
    const struct cli_command *command = NULL;

    for (size_t i = 0; (command = cli_command_at(i)) != NULL; i++) {
        const char *second = command->name + len + 1;
        if (strncmp(command->name, c->first, len) == 0 &&
            command->name[len] == ' ')
            offer(c, second, strlen(second));
    }
}

static const struct cli_option *in_table(const struct cli_option *table,
                                         const char *word)
{
    for (; table != NULL && table->name != NULL; table++) {
        bool is_long = word[1] == '-' && strcmp(word + 2, table->name) == 0;
        bool is_short =
            table->letter != 0 && word[1] == table->letter && word[2] == '\0';
        if (is_long || is_short)
            return table;
    }
    return NULL;
}

static void take_option(struct context *c, const char *word)
{
    const struct cli_option *o = NULL;

    c->ended = strcmp(word, "--") == 0;
    if (c->command != NULL)
        o = in_table(c->command->options, word);
    if (o == NULL)
        o = in_table(cli_globals(), word);
    c->option = o != NULL && o->value != NULL && !o->value_optional ? o : NULL;
}

static void take_argument(struct context *c, const char *word)
{
    char name[128];
    size_t len = c->first != NULL ? strlen(c->first) : 0;

    c->has_argument = c->command != NULL;
    if (c->first == NULL) {
        c->first = word;
        c->command = cli_command_find(word);
    } else if (c->command == NULL && len + strlen(word) + 2 < sizeof(name)) {
        memcpy(name, c->first, len);
        name[len] = ' ';
        memcpy(name + len + 1, word, strlen(word) + 1);
        c->command = cli_command_find(name);
    }
}

static void take_word(struct context *c, const char *word)
{
    if (c->option != NULL)
        c->option = NULL; /* this was its value */
    else if (word[0] == '-' && word[1] != '\0' && !c->ended)
        take_option(c, word);
    else
        take_argument(c, word);
}

/* Whether the argument of the command is another one. */
static bool takes_command(const struct cli_command *command)
{
    return command != NULL && (strcmp(command->name, "help") == 0 ||
                               strcmp(command->name, "man") == 0);
}

static void offer_all(struct context *c)
{
    bool is_option = c->typed[0] == '-' && !c->ended;

    if (c->option != NULL) {
        offer_choices(c, c->option->choices);
    } else if (is_option) {
        if (c->command != NULL)
            offer_options(c, c->command->options);
        offer_options(c, cli_globals());
    } else if (c->first == NULL || takes_command(c->command)) {
        offer_first_words(c);
    } else if (c->command == NULL) {
        offer_second_words(c);
    } else if (!c->has_argument) {
        offer_choices(c, c->command->choices);
    }
}

size_t shell_complete(struct strbuf *out, const char *line)
{
    struct context c = {.out = out, .typed = ""};
    struct shell_words w;

    (void)shell_words_split(&w, line); /* what there is of it will do */
    size_t before = w.count - (w.in_word ? 1 : 0);
    if (w.in_word)
        c.typed = w.at[before];
    size_t begin = before > 0 && strcmp(w.at[0], "xmbl") == 0 ? 1 : 0;
    for (size_t i = begin; i < before; i++)
        take_word(&c, w.at[i]);
    offer_all(&c);
    size_t typed = strlen(c.typed);
    shell_words_release(&w);
    return typed;
}
