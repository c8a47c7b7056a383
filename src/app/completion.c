#include "app/completion.h"

#include <string.h>

#include "app/cli.h"
#include "base/strbuf.h"

/*
 * The scripts hold what the tables say: the first words, the second words of
 * each family, and the options of each command.  Files are completed where
 * nothing else fits.
 */

static void put_choices(struct strbuf *out, const char *choices)
{
    for (const char *at = choices; *at != '\0'; at++)
        strbuf_add(out, *at == '|' ? BYTES_LIT(" ")
                                   : (struct bytes){(const uint8_t *)at, 1});
}

/* The second words of all commands that begin with @family. */
static void put_words_of(struct strbuf *out, const char *family)
{
    size_t len = strlen(family);
    const struct cli_command *c = NULL;
    bool first = true;

    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (strncmp(c->name, family, len) != 0 || c->name[len] != ' ')
            continue;
        strbuf_str(out, first ? "" : " ");
        strbuf_str(out, c->name + len + 1);
        first = false;
    }
}

/* The first words of all commands, each once. */
static void put_first_words(struct strbuf *out)
{
    size_t count = 0;
    const struct cli_family *families = cli_families(&count);

    for (size_t i = 0; i < count; i++) {
        strbuf_str(out, families[i].name);
        strbuf_str(out, " ");
    }
    const struct cli_command *c = NULL;
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (strchr(c->name, ' ') != NULL)
            continue;
        strbuf_str(out, c->name);
        strbuf_str(out, " ");
    }
}

static void put_options(struct strbuf *out, const struct cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (options->help == NULL)
            continue; /* another name for the one above */
        strbuf_str(out, "--");
        strbuf_str(out, options->name);
        strbuf_str(out, " ");
    }
}

/* Lines of a case statement: PATTERN) VARIABLE="WORDS" ;; */
static void put_case(struct strbuf *out, const char *pattern,
                     const char *variable)
{
    strbuf_str(out, "    \"");
    strbuf_str(out, pattern);
    strbuf_str(out, "\") ");
    strbuf_str(out, variable);
    strbuf_str(out, "=\"");
}

static void put_end(struct strbuf *out)
{
    strbuf_str(out, "\" ;;\n");
}

static void put_second_words(struct strbuf *out)
{
    size_t count = 0;
    const struct cli_family *families = cli_families(&count);

    for (size_t i = 0; i < count; i++) {
        put_case(out, families[i].name, "offers");
        put_words_of(out, families[i].name);
        put_end(out);
    }
}

/* What the first argument of a command may be. */
static void put_arguments(struct strbuf *out)
{
    const struct cli_command *c = NULL;

    strbuf_str(out, "  [ -n \"$second\" ] || case \"$command\" in\n");
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (c->choices == NULL)
            continue;
        put_case(out, c->name, "offers");
        put_choices(out, c->choices);
        put_end(out);
    }
    strbuf_str(out, "  esac\n");
}

static void put_command_options(struct strbuf *out)
{
    const struct cli_command *c = NULL;

    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (c->options == NULL)
            continue;
        put_case(out, c->name, "options");
        put_options(out, c->options);
        put_end(out);
    }
}

static void put_choice_cases(struct strbuf *out)
{
    const struct cli_command *c = NULL;

    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        for (const struct cli_option *o = c->options;
             o != NULL && o->name != NULL; o++) {
            if (o->choices == NULL || o->help == NULL)
                continue;
            strbuf_str(out, "    \"");
            strbuf_str(out, c->name);
            strbuf_str(out, " --");
            strbuf_str(out, o->name);
            strbuf_str(out, "\") offers=\"");
            put_choices(out, o->choices);
            put_end(out);
        }
    }
}

/* What bash and zsh share: from first, second, previous to offers, options. */
static void put_body(struct strbuf *out)
{
    strbuf_str(out, "  local offers=\"\" options=\"\" command=\"$first\"\n"
                    "  case \"$first\" in\n");
    put_second_words(out);
    strbuf_str(out, "  esac\n"
                    "  if [ -n \"$offers\" ] && [ -n \"$second\" ]; then\n"
                    "    command=\"$first $second\"\n"
                    "    offers=\"\"\n"
                    "  fi\n");
    put_arguments(out);
    strbuf_str(out, "  case \"$command\" in\n");
    put_command_options(out);
    strbuf_str(out, "  esac\n"
                    "  options=\"$options");
    put_options(out, cli_globals());
    strbuf_str(out, "\"\n"
                    "  case \"$command $previous\" in\n");
    put_choice_cases(out);
    strbuf_str(out, "  esac\n");
}

static void put_bash(struct strbuf *out)
{
    strbuf_str(out, "# Completion of xmbl for bash.\n"
                    "_xmbl() {\n"
                    "  local current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                    "  local previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                    "  local first=\"${COMP_WORDS[1]}\" second=\"\"\n"
                    "  [ \"$COMP_CWORD\" -gt 2 ] && "
                    "second=\"${COMP_WORDS[2]}\"\n"
                    "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                    "    COMPREPLY=($(compgen -W \"");
    put_first_words(out);
    strbuf_str(out, "\" -- \"$current\"))\n"
                    "    return\n"
                    "  fi\n");
    put_body(out);
    strbuf_str(out,
               "  if [ \"${current#-}\" != \"$current\" ]; then\n"
               "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
               "  elif [ -n \"$offers\" ]; then\n"
               "    COMPREPLY=($(compgen -W \"$offers\" -- \"$current\"))\n"
               "  fi\n"
               "}\n"
               "complete -o default -F _xmbl xmbl\n");
}

static void put_zsh(struct strbuf *out)
{
    strbuf_str(out, "#compdef xmbl\n"
                    "# Completion of xmbl for zsh.\n"
                    "_xmbl() {\n"
                    "  local current=\"${words[CURRENT]}\"\n"
                    "  local previous=\"${words[CURRENT-1]}\"\n"
                    "  local first=\"${words[2]}\" second=\"\"\n"
                    "  [ \"$CURRENT\" -gt 3 ] && second=\"${words[3]}\"\n"
                    "  if [ \"$CURRENT\" -eq 2 ]; then\n"
                    "    compadd -- ");
    put_first_words(out);
    strbuf_str(out, "\n"
                    "    return\n"
                    "  fi\n");
    put_body(out);
    strbuf_str(out, "  if [ \"${current#-}\" != \"$current\" ]; then\n"
                    "    compadd -- ${=options}\n"
                    "  elif [ -n \"$offers\" ]; then\n"
                    "    compadd -- ${=offers}\n"
                    "  else\n"
                    "    _files\n"
                    "  fi\n"
                    "}\n"
                    "if [ \"${funcstack[1]}\" = \"_xmbl\" ]; then\n"
                    "  _xmbl\n"
                    "else\n"
                    "  compdef _xmbl xmbl\n"
                    "fi\n");
}

/* fish: a text in single quotes. */
static void put_quoted(struct strbuf *out, const char *text)
{
    strbuf_str(out, "'");
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            strbuf_str(out, "\\");
        strbuf_add(out, (struct bytes){(const uint8_t *)text, 1});
    }
    strbuf_str(out, "'");
}

static void put_fish_options(struct strbuf *out, const char *condition,
                             const struct cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        char letter[] = {options->letter, '\0'};
        if (options->help == NULL)
            continue; /* another name for the one above */
        strbuf_str(out, "complete -c xmbl");
        strbuf_str(out, condition);
        strbuf_str(out, options->letter != 0 ? " -s " : "");
        strbuf_str(out, letter);
        strbuf_str(out, " -l ");
        strbuf_str(out, options->name);
        bool needs = options->value != NULL && !options->value_optional;
        strbuf_str(out, needs ? " -r" : "");
        if (options->choices != NULL) {
            strbuf_str(out, " -f -a '");
            put_choices(out, options->choices);
            strbuf_str(out, "'");
        }
        strbuf_str(out, " -d ");
        put_quoted(out, options->help);
        strbuf_str(out, "\n");
    }
}

/* " -n '__fish_seen_subcommand_from pin; and ... from add'" */
static void put_condition(struct strbuf *out, const char *name)
{
    size_t len = strcspn(name, " ");

    strbuf_str(out, " -n '__fish_seen_subcommand_from ");
    strbuf_add(out, (struct bytes){(const uint8_t *)name, len});
    if (name[len] == ' ') {
        strbuf_str(out, "; and __fish_seen_subcommand_from ");
        strbuf_str(out, name + len + 1);
    }
    strbuf_str(out, "'");
}

static void put_fish_commands(struct strbuf *out)
{
    const struct cli_command *c = NULL;
    struct strbuf condition;

    strbuf_init(&condition, 1024);
    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (strchr(c->name, ' ') == NULL) {
            strbuf_str(out, "complete -c xmbl -f -n __fish_use_subcommand -a ");
            strbuf_str(out, c->name);
            strbuf_str(out, " -d ");
            put_quoted(out, c->summary);
            strbuf_str(out, "\n");
        }
        strbuf_reset(&condition);
        put_condition(&condition, c->name);
        put_fish_options(out, strbuf_cstr(&condition), c->options);
        if (c->choices != NULL) {
            strbuf_str(out, "complete -c xmbl -f");
            strbuf_add(out, strbuf_bytes(&condition));
            strbuf_str(out, " -a '");
            put_choices(out, c->choices);
            strbuf_str(out, "'\n");
        }
    }
    strbuf_release(&condition);
}

static void put_fish(struct strbuf *out)
{
    size_t count = 0;
    const struct cli_family *families = cli_families(&count);

    strbuf_str(out, "# Completion of xmbl for fish.\n");
    for (size_t i = 0; i < count; i++) {
        strbuf_str(out, "complete -c xmbl -f -n __fish_use_subcommand -a ");
        strbuf_str(out, families[i].name);
        strbuf_str(out, " -d ");
        put_quoted(out, families[i].summary);
        strbuf_str(out, "\ncomplete -c xmbl -f -n "
                        "'__fish_seen_subcommand_from ");
        strbuf_str(out, families[i].name);
        strbuf_str(out, "; and not __fish_seen_subcommand_from ");
        put_words_of(out, families[i].name);
        strbuf_str(out, "' -a '");
        put_words_of(out, families[i].name);
        strbuf_str(out, "'\n");
    }
    put_fish_commands(out);
    put_fish_options(out, "", cli_globals());
}

bool completion_script(struct strbuf *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        put_bash(out);
    else if (strcmp(shell, "zsh") == 0)
        put_zsh(out);
    else if (strcmp(shell, "fish") == 0)
        put_fish(out);
    else
        return false;
    return !strbuf_full(out);
}
