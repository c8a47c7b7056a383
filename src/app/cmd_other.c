#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/cli.h"
#include "app/commands.h"
#include "app/completion.h"
#include "app/help.h"
#include "app/output.h"
#include "base/strbuf.h"
#include "config/nearest.h"

enum { PAGE_MAX = 1 << 18 };

/* `explain`, `version`, `completion`, `help`. */

static json_t *row_json(const struct error_info *row)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "code", row->code,
                     "title", row->title, "hint", row->hint, "explanation",
                     row->explanation, "exit_code", (int)row->exit_code,
                     "http_status", (int)row->http_status);
}

static int explain_all(struct cli *cli)
{
    for (unsigned i = 0; i < ERRORS_COUNT; i++) {
        const struct error_info *row = error_info((enum error_id)i);
        if (cli->json)
            output_json(row_json(row));
        else
            output_line("%-20s %s", row->code, row->title);
    }
    return EXIT_DONE;
}

static int explain_unknown(struct cli *cli, const char *word)
{
    char upper[NEAREST_WORD_MAX + 1];
    char hint[CLI_HINT_MAX];
    struct nearest nearest;
    size_t len =
        strlen(word) < NEAREST_WORD_MAX ? strlen(word) : NEAREST_WORD_MAX;

    for (size_t i = 0; i < len; i++) {
        bool lower = word[i] >= 'a' && word[i] <= 'z';
        upper[i] = (char)(lower ? word[i] - 'a' + 'A' : word[i]);
    }
    nearest_init(&nearest, (struct bytes){(const uint8_t *)upper, len});
    for (unsigned i = 0; i < ERRORS_COUNT; i++)
        nearest_try(&nearest, error_info((enum error_id)i)->code);
    cli_error_setf(&cli->error, ERROR_BAD_USAGE, "unknown code: %.60s", word);
    if (nearest_best(&nearest) != NULL)
        (void)snprintf(hint, sizeof(hint), "Did you mean %s?",
                       nearest_best(&nearest));
    else
        (void)snprintf(hint, sizeof(hint), "`xmbl explain` lists all.");
    cli_error_hint(&cli->error, hint);
    return cli->error.exit_code;
}

/* A text in lines of at most 76 columns. */
static void print_wrapped(const char *text)
{
    enum { COLUMNS = 76 };
    size_t column = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column > 0 && column + 1 + len > COLUMNS) {
            output_text("\n");
            column = 0;
        } else if (column > 0) {
            output_text(" ");
            column++;
        }
        output_part(text, len);
        text += len;
        text += strspn(text, " ");
        column += len;
    }
    output_text("\n");
}

int cmd_explain(struct cli *cli)
{
    if (cli->args_count == 0)
        return explain_all(cli);
    const struct error_info *row = error_find(cli->args[0]);
    if (row == NULL)
        return explain_unknown(cli, cli->args[0]);
    if (cli->json) {
        output_json(row_json(row));
        return EXIT_DONE;
    }
    output_line("%s: %s\n", row->code, row->title);
    print_wrapped(row->explanation);
    output_text("\n");
    print_wrapped(row->hint);
    output_line("\nExit status %d, HTTP status %u.", (int)row->exit_code,
                (unsigned)row->http_status);
    return EXIT_DONE;
}

int cmd_version(struct cli *cli)
{
    if (cli->json)
        output_json(json_pack("{s:s}", "version", XMBL_VERSION));
    else
        output_line("xmbl %s", XMBL_VERSION);
    return EXIT_DONE;
}

int cmd_completion(struct cli *cli)
{
    struct strbuf out;

    strbuf_init(&out, PAGE_MAX);
    bool known = completion_script(&out, cli->args[0]);
    output_text(strbuf_cstr(&out));
    strbuf_release(&out);
    if (known)
        return EXIT_DONE;
    cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                   "the shell is none of bash, zsh, fish: %.50s", cli->args[0]);
    return cli->error.exit_code;
}

static bool is_family(const char *name)
{
    size_t count = 0;
    const struct cli_family *table = cli_families(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0)
            return true;
    }
    return false;
}

int cmd_help(struct cli *cli)
{
    struct strbuf out;
    struct strbuf name;
    int code = EXIT_DONE;

    strbuf_init(&out, PAGE_MAX);
    strbuf_init(&name, PAGE_MAX);
    for (size_t i = 0; i < cli->args_count; i++) {
        strbuf_str(&name, i > 0 ? " " : "");
        strbuf_str(&name, cli->args[i]);
    }
    const struct cli_command *command = cli_command_find(strbuf_cstr(&name));
    if (cli->args_count == 0)
        help_all(&out);
    else if (command != NULL)
        help_command(&out, command);
    else if (is_family(strbuf_cstr(&name)))
        help_family(&out, strbuf_cstr(&name));
    else
        code = cli_fail(cli, ERROR_BAD_USAGE, strbuf_cstr(&name));
    output_text(strbuf_cstr(&out));
    strbuf_release(&name);
    strbuf_release(&out);
    return code;
}
