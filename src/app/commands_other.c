/* Commands about this program. */
#include <stddef.h>

#include "app/cli.h"
#include "app/commands.h"

static const struct cli_option man_options[] = {
    {"output", 'o', "DIR", false, "write all pages into that folder", NULL},
    {.name = NULL},
};

static const struct cli_command table[] = {
    {.name = "shell",
     .group = CLI_GROUP_OTHER,
     .run = cmd_shell,
     .summary = "run commands one after the other",
     .help =
         "Reads lines and runs each as a command: `add file` for `xmbl add "
         "file`.  Words\nare quoted as in a shell; there are no variables, "
         "pipes and redirections.  On a\nterminal lines can be edited, "
         "recalled, and completed with Tab; Ctrl-C ends the\ncommand, `exit` "
         "or Ctrl-D the shell.  Lines of commands are kept in\n"
         "~/.local/state/xmbl/history, but for those that begin with a "
         "blank.\n\nFrom a pipe or a file the lines are a script: no prompt, "
         "nothing is kept,\ncommands read no input, and the first that fails "
         "ends it with its exit status.\n\n"
         "  echo 'version' | xmbl shell"},
    {.name = "explain",
     .group = CLI_GROUP_OTHER,
     .run = cmd_explain,
     .arguments = "[CODE]",
     .args_max = 1,
     .summary = "tell more about an error, or list them",
     .help = "Explains the word that stands in brackets at the end of an "
             "error.\n\n"
             "  xmbl explain FOLDER_LOCKED"},
    {.name = "version",
     .group = CLI_GROUP_OTHER,
     .run = cmd_version,
     .summary = "print the version",
     .help = "Prints the version of this program.\n\n"
             "  xmbl version"},
    {.name = "completion",
     .group = CLI_GROUP_OTHER,
     .run = cmd_completion,
     .arguments = "bash|zsh|fish",
     .choices = "bash|zsh|fish",
     .args_min = 1,
     .args_max = 1,
     .summary = "print a script for the Tab key",
     .help = "Prints the completion script of a shell.\n\n"
             "  source <(xmbl completion bash)"},
    {.name = "help",
     .group = CLI_GROUP_OTHER,
     .run = cmd_help,
     .arguments = "[COMMAND]",
     .args_max = 2,
     .summary = "print this, or the page of a command",
     .help = "Prints the page of a command, as `xmbl COMMAND --help` does.\n\n"
             "  xmbl help add",
     .is_hidden = true},
    {.name = "man",
     .group = CLI_GROUP_OTHER,
     .run = cmd_man,
     .arguments = "[COMMAND]",
     .args_max = 1,
     .summary = "print a manual page",
     .help = "Prints the manual page of this program, or of the commands that "
             "begin with a\nword, as man(1) takes it.\n\n"
             "  xmbl man add | man -l -",
     .options = man_options,
     .is_hidden = true},
};

const struct cli_command *commands_other(size_t *ret_count)
{
    *ret_count = sizeof(table) / sizeof(table[0]);
    return table;
}
