#include "app/man.h"

#include <string.h>

#include "app/cli.h"
#include "base/strbuf.h"

/* A letter of a text that is set as it is. */
static void put_letter(struct strbuf *out, char letter)
{
    if (letter == '-')
        strbuf_str(out, "\\-");
    else if (letter == '\\')
        strbuf_str(out, "\\e");
    else
        strbuf_add(out, (struct bytes){(const uint8_t *)&letter, 1});
}

/* A piece of text within a line. */
static void put(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put_letter(out, text[i]);
}

static void put_str(struct strbuf *out, const char *text)
{
    put(out, text, strlen(text));
}

/* A whole line; one that begins like a macro must not be taken for one. */
static void put_line(struct strbuf *out, const char *text, size_t len)
{
    if (len > 0 && (text[0] == '.' || text[0] == '\''))
        strbuf_str(out, "\\&");
    put(out, text, len);
    strbuf_str(out, "\n");
}

static void put_bold(struct strbuf *out, const char *text)
{
    strbuf_str(out, "\\fB");
    put_str(out, text);
    strbuf_str(out, "\\fR");
}

static void put_section(struct strbuf *out, const char *name)
{
    strbuf_str(out, ".SH ");
    strbuf_str(out, name);
    strbuf_str(out, "\n");
}

/* Text of a help page: paragraphs, and examples, which are indented. */
static void put_text(struct strbuf *out, const char *text)
{
    bool is_example = false;

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        bool indented = text[0] == ' ';
        if (indented && !is_example)
            strbuf_str(out, ".PP\n.RS 4\n.nf\n");
        if (!indented && is_example)
            strbuf_str(out, ".fi\n.RE\n");
        is_example = indented;
        size_t skip = indented ? strspn(text, " ") : 0;
        if (len > 0)
            put_line(out, text + skip, len - skip);
        else if (text[1] != ' ' && text[1] != '\0')
            strbuf_str(out, ".PP\n");
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    if (is_example)
        strbuf_str(out, ".fi\n.RE\n");
}

/* "-w, --wrap", and the other names of the same option. */
static void put_names(struct strbuf *out, const struct cli_option *o)
{
    const struct cli_option *first = o;

    do {
        strbuf_str(out, o != first ? ", " : "");
        if (o->letter != 0) {
            strbuf_str(out, "\\fB\\-");
            put_letter(out, o->letter);
            strbuf_str(out, "\\fR, ");
        }
        strbuf_str(out, "\\fB\\-\\-");
        put_str(out, o->name);
        strbuf_str(out, "\\fR");
        o++;
    } while (o->name != NULL && o->help == NULL);
    if (first->value == NULL)
        return;
    strbuf_str(out, first->value_optional ? "[=\\fI" : " \\fI");
    put_str(out, first->value);
    strbuf_str(out, first->value_optional ? "\\fR]" : "\\fR");
}

static void put_options(struct strbuf *out, const struct cli_option *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        if (o->help == NULL)
            continue; /* another name for the one above */
        strbuf_str(out, ".TP\n");
        put_names(out, o);
        strbuf_str(out, "\n");
        put_line(out, o->help, strlen(o->help));
        if (o->choices != NULL) {
            strbuf_str(out, "(");
            put_str(out, o->choices);
            strbuf_str(out, ")\n");
        }
    }
}

static void put_usage(struct strbuf *out, const struct cli_command *c)
{
    strbuf_str(out, "\\fBxmbl ");
    put_str(out, c->name);
    strbuf_str(out, "\\fR");
    strbuf_str(out, c->options != NULL ? " [\\fIOPTION\\fR]..." : "");
    if (c->arguments != NULL) {
        strbuf_str(out, " ");
        put_str(out, c->arguments);
    }
    strbuf_str(out, "\n");
}

/* "pin add" belongs to "pin". */
static bool is_of(const struct cli_command *c, const char *word)
{
    size_t len = strlen(word);

    return strncmp(c->name, word, len) == 0 &&
           (c->name[len] == ' ' || c->name[len] == '\0');
}

static const char *family_summary(const char *word)
{
    size_t count = 0;
    const struct cli_family *table = cli_families(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, word) == 0)
            return table[i].summary;
    }
    return NULL;
}

const char *man_word(size_t index)
{
    size_t count = 0;
    const struct cli_family *table = cli_families(&count);
    const struct cli_command *c = NULL;

    if (index < count)
        return table[index].name;
    index -= count;
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (strchr(c->name, ' ') == NULL && index-- == 0)
            return c->name;
    }
    return NULL;
}

static char upper(char c)
{
    bool is_lower = c >= 'a' && c <= 'z';

    return (char)(is_lower ? c - 'a' + 'A' : c);
}

static void put_title(struct strbuf *out, const char *word, const char *summary)
{
    strbuf_str(out, ".TH XMBL");
    strbuf_str(out, word != NULL ? "\\-" : "");
    for (const char *at = word; at != NULL && *at != '\0'; at++)
        put_letter(out, upper(*at));
    strbuf_str(out, " 1 \"\" \"xmbl " XMBL_VERSION "\" \"xmbl\"\n");
    put_section(out, "NAME");
    strbuf_str(out, "xmbl");
    strbuf_str(out, word != NULL ? "\\-" : "");
    put_str(out, word != NULL ? word : "");
    strbuf_str(out, " \\- ");
    put_str(out, summary);
    strbuf_str(out, "\n");
}

static void put_see_also(struct strbuf *out, const char *word)
{
    put_section(out, "SEE ALSO");
    if (word != NULL)
        strbuf_str(out, "\\fBxmbl\\fR(1),\n");
    put_bold(out, "xmbl COMMAND --help");
    strbuf_str(out, ",\n");
    put_bold(out, "xmbl explain");
    strbuf_str(out, "\n");
}

/* Of a page about commands of one first word, and of a single command. */

static void put_commands(struct strbuf *out, const char *word, bool is_family)
{
    const struct cli_command *c = NULL;

    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (!is_of(c, word))
            continue;
        if (is_family) {
            strbuf_str(out, ".SS ");
            put_str(out, c->name);
            strbuf_str(out, "\n");
            put_usage(out, c);
            strbuf_str(out, ".PP\n");
            put_line(out, c->summary, strlen(c->summary));
            strbuf_str(out, ".PP\n");
        }
        put_text(out, c->help);
        if (is_family)
            put_options(out, c->options);
    }
}

static void put_synopsis(struct strbuf *out, const char *word)
{
    const struct cli_command *c = NULL;
    bool first = true;

    put_section(out, "SYNOPSIS");
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (!is_of(c, word))
            continue;
        strbuf_str(out, first ? "" : ".PP\n");
        put_usage(out, c);
        first = false;
    }
}

static void page_of_word(struct strbuf *out, const char *word,
                         const char *summary, bool is_family)
{
    const struct cli_command *single = cli_command_find(word);

    put_title(out, word, summary);
    put_synopsis(out, word);
    put_section(out, "DESCRIPTION");
    put_commands(out, word, is_family);
    put_section(out, "OPTIONS");
    if (single != NULL && single->options != NULL) {
        put_options(out, single->options);
        strbuf_str(out, ".SS Options of every command\n");
    } else {
        strbuf_str(out, "Those of every command:\n");
    }
    put_options(out, cli_globals());
    put_section(out, "EXIT STATUS");
    strbuf_str(out, "0 when it is done; the others stand in "
                    "\\fBxmbl\\fR(1).\n");
    put_see_also(out, word);
}

/* xmbl(1). */

static void put_pairs(struct strbuf *out, const char *const (*pairs)[2],
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        strbuf_str(out, ".TP\n");
        put_bold(out, pairs[i][0]);
        strbuf_str(out, "\n");
        put_line(out, pairs[i][1], strlen(pairs[i][1]));
    }
}

static void put_group(struct strbuf *out, enum cli_group group)
{
    const struct cli_command *c = NULL;

    strbuf_str(out, ".SS ");
    strbuf_str(out, cli_group_name(group));
    strbuf_str(out, "\n");
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (c->group != group || c->is_hidden)
            continue;
        strbuf_str(out, ".TP\n");
        put_usage(out, c);
        put_line(out, c->summary, strlen(c->summary));
    }
}

static void put_statuses(struct strbuf *out)
{
    static const char *const rows[][2] = {
        {"0", "done"},
        {"1", "failed"},
        {"2", "wrong usage"},
        {"3", "not found"},
        {"4", "refused: policy, permission, passphrase"},
        {"5", "no space, or over a quota"},
        {"6", "no daemon answers, or the folder is held by another process"},
        {"7", "the time is over"},
        {"130", "interrupted"},
    };

    put_section(out, "EXIT STATUS");
    put_pairs(out, rows, sizeof(rows) / sizeof(rows[0]));
    strbuf_str(out, ".PP\nThe word in brackets behind a message is explained "
                    "by \\fBxmbl explain\\fR.\n");
}

static void put_surroundings(struct strbuf *out)
{
    static const char *const variables[][2] = {
        {"XMBL_PATH", "the data folder, where --path is not given"},
        {"XMBL_TOKEN", "the token of the API that --api names"},
        {"XMBL_KEY_NAME", "in place of the setting key.name, as "
                          "XMBL_STORAGE_COPIES for storage.copies"},
        {"NO_COLOR", "no colours, whatever its value"},
    };
    static const char *const files[][2] = {
        {"$XDG_DATA_HOME/xmbl, ~/.local/share/xmbl",
         "the data folder: blocks, key, settings and the daemon's socket"},
        {"config.yaml", "in that folder: the settings, explained by "
                        "`xmbl config show --json`"},
    };

    put_section(out, "ENVIRONMENT");
    put_pairs(out, variables, sizeof(variables) / sizeof(variables[0]));
    put_section(out, "FILES");
    put_pairs(out, files, sizeof(files) / sizeof(files[0]));
}

static void page_of_all(struct strbuf *out)
{
    put_title(out, NULL, "a node of a decentralised storage network");
    put_section(out, "SYNOPSIS");
    strbuf_str(out, "\\fBxmbl\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... "
                    "[\\fIARGUMENT\\fR]...\n");
    put_section(out, "DESCRIPTION");
    put_text(out,
             "Stores files under addresses made of their content, keeps "
             "copies of them on other\nnodes, and fetches them from whoever "
             "has them.\n"
             "\n"
             "Commands go to the daemon that runs on the data folder; without "
             "one, those that\nneed no network work on the folder themselves.  "
             "CID stands for CID, /ipfs/CID,\n/ipns/NAME or ipfs://CID, with "
             "/path behind it.  stdout has the result only, all\nmessages go "
             "to stderr; with --json the result is one JSON value, or one a "
             "line.\n\n"
             "  xmbl daemon &\n"
             "  xmbl add --copies 3 report.pdf\n"
             "  xmbl get CID -o report.pdf");
    put_section(out, "COMMANDS");
    strbuf_str(out, "Each first word has a page of its own: "
                    "\\fBxmbl\\-add\\fR(1), \\fBxmbl\\-pin\\fR(1).\n");
    for (unsigned i = 0; i < CLI_GROUPS_COUNT; i++)
        put_group(out, (enum cli_group)i);
    put_section(out, "OPTIONS");
    strbuf_str(out, "Every command takes these:\n");
    put_options(out, cli_globals());
    put_statuses(out);
    put_surroundings(out);
    put_see_also(out, NULL);
}

bool man_page(struct strbuf *out, const char *word)
{
    if (word == NULL) {
        page_of_all(out);
        return true;
    }
    const struct cli_command *single = cli_command_find(word);
    const char *summary = family_summary(word);
    bool is_family = summary != NULL;

    if (strchr(word, ' ') != NULL || (single == NULL && !is_family))
        return false;
    page_of_word(out, word, is_family ? summary : single->summary, is_family);
    return true;
}
