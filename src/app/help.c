#include "app/help.h"

#include <string.h>

#include "app/cli.h"
#include "app/output.h"
#include "base/strbuf.h"

enum { PAGE_MAX = 1 << 16, NAME_COLUMNS = 34 };

static void put_columns(struct strbuf *out, const char *left, size_t columns,
                        const char *right)
{
    size_t len = strlen(left);

    strbuf_str(out, left);
    for (size_t i = len; i < columns; i++)
        strbuf_str(out, " ");
    if (len >= columns)
        strbuf_str(out, " ");
    strbuf_str(out, right);
    strbuf_str(out, "\n");
}

static void put_row(struct strbuf *out, const char *name, const char *words,
                    const char *summary)
{
    struct strbuf left;

    strbuf_init(&left, PAGE_MAX);
    strbuf_str(&left, "  ");
    strbuf_str(&left, name);
    if (words != NULL) {
        strbuf_str(&left, " ");
        strbuf_str(&left, words);
    }
    put_columns(out, strbuf_cstr(&left), NAME_COLUMNS, summary);
    strbuf_release(&left);
}

static bool is_of_family(const struct cli_command *c, const char *family)
{
    size_t len = strlen(family);

    return strncmp(c->name, family, len) == 0 && c->name[len] == ' ';
}

/* The row of a family, at its first command; NULL for a single one. */
static const struct cli_family *family_of(const struct cli_command *c)
{
    size_t count = 0;
    const struct cli_family *table = cli_families(&count);

    for (size_t i = 0; i < count; i++) {
        if (is_of_family(c, table[i].name))
            return &table[i];
    }
    return NULL;
}

static void put_group(struct strbuf *out, enum cli_group group)
{
    const struct cli_command *c = NULL;
    const struct cli_family *last = NULL;

    strbuf_str(out, cli_group_name(group));
    strbuf_str(out, "\n");
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        const struct cli_family *family = family_of(c);
        if (c->group != group || c->is_hidden)
            continue;
        if (family == NULL)
            put_row(out, c->name, NULL, c->summary);
        else if (family != last)
            put_row(out, family->name, family->words, family->summary);
        last = family;
    }
}

void help_all(struct strbuf *out)
{
    strbuf_str(out, "Usage: xmbl COMMAND [OPTION]... [ARGUMENT]...\n"
                    "A node of a decentralised storage network.\n\n");
    for (unsigned i = 0; i < CLI_GROUPS_COUNT; i++) {
        put_group(out, (enum cli_group)i);
        strbuf_str(out, "\n");
    }
    strbuf_str(
        out, "Everywhere: --json, --quiet, --path DIR, --api ADDR; --help has "
             "an example.\n");
}

void help_family(struct strbuf *out, const char *name)
{
    const struct cli_command *c = NULL;

    strbuf_str(out, "Usage: xmbl ");
    strbuf_str(out, name);
    strbuf_str(out, " COMMAND [OPTION]... [ARGUMENT]...\n\n");
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (is_of_family(c, name) && !c->is_hidden)
            put_row(out, c->name, NULL, c->summary);
    }
}

static void put_options(struct strbuf *out, const struct cli_option *options)
{
    struct strbuf left;

    strbuf_init(&left, PAGE_MAX);
    for (; options != NULL && options->name != NULL; options++) {
        char letter[] = {options->letter, '\0'};
        if (options->help == NULL)
            continue; /* another name for the one above */
        strbuf_reset(&left);
        strbuf_str(&left, options->letter != 0 ? "  -" : "      ");
        strbuf_str(&left, letter);
        strbuf_str(&left, options->letter != 0 ? ", --" : "--");
        strbuf_str(&left, options->name);
        if (options->value != NULL) {
            strbuf_str(&left, options->value_optional ? "[=" : " ");
            strbuf_str(&left, options->value);
            strbuf_str(&left, options->value_optional ? "]" : "");
        }
        put_columns(out, strbuf_cstr(&left), NAME_COLUMNS, options->help);
    }
    strbuf_release(&left);
}

void help_command(struct strbuf *out, const struct cli_command *command)
{
    strbuf_str(out, "Usage: xmbl ");
    strbuf_str(out, command->name);
    strbuf_str(out, command->options != NULL ? " [OPTION]..." : "");
    if (command->arguments != NULL) {
        strbuf_str(out, " ");
        strbuf_str(out, command->arguments);
    }
    strbuf_str(out, "\n\n");
    strbuf_str(out, command->help);
    strbuf_str(out, "\n");
    if (command->options != NULL) {
        strbuf_str(out, "\nOptions\n");
        put_options(out, command->options);
    }
    strbuf_str(out, "\nOptions of every command\n");
    put_options(out, cli_globals());
}

void help_print(const struct cli *cli)
{
    struct strbuf out;

    strbuf_init(&out, PAGE_MAX);
    if (cli->command != NULL)
        help_command(&out, cli->command);
    else if (cli->family != NULL)
        help_family(&out, cli->family);
    else
        help_all(&out);
    output_text(strbuf_cstr(&out));
    strbuf_release(&out);
}
