#ifndef APP_CLI_H
#define APP_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/cli_error.h"
#include "base/attr.h"
#include "base/err.h"

struct cli;
struct client;

/* One option of a command. */
struct cli_option {
    const char *name;    /* "wrap", without the dashes */
    char letter;         /* 'w', or 0 */
    const char *value;   /* "N": it takes a value; NULL: it is a switch */
    bool value_optional; /* --raw-leaves or --raw-leaves=false */
    const char *help;
    const char *choices; /* "a|b|c" where there are few, or NULL */
};

/* Groups of the help page. */
enum cli_group {
    CLI_GROUP_NODE,
    CLI_GROUP_DATA,
    CLI_GROUP_NETWORK,
    CLI_GROUP_OTHER,
    CLI_GROUPS_COUNT,
};

/** struct cli_command - one row of the table of commands. */
struct cli_command {
    const char *name; /* "add", or two words: "pin add" */
    enum cli_group group;
    /** @run: do it.  Returns the exit status; on failure with @cli->error set,
     * which the caller prints. */
    int (*run)(struct cli *cli);
    const char *arguments; /* "PATH... | -", for the help */
    const char *choices;   /* "a|b|c": what the first one may be, or NULL */
    size_t args_min;
    size_t args_max;
    const char *summary;              /* one line */
    const char *help;                 /* more, with an example */
    const struct cli_option *options; /* ended by a row without name, or NULL */
    bool is_hidden;                   /* not in the help page: an alias */
    bool has_timeout;                 /* --timeout means something to it */
};

/** struct cli_given - an option as it was given. */
struct cli_given {
    const struct cli_option *option;
    const char *value; /* NULL: without one */
};

/** struct cli - one run of the program: what was asked for. */
struct cli {
    const struct cli_command *command; /* NULL: none was named */
    const char *family;          /* "pin" without a second word, or NULL */
    const char *path;            /* --path or $XMBL_PATH, or NULL */
    const char *api;             /* --api, or NULL */
    const char *token;           /* $XMBL_TOKEN or --token-file, or NULL */
    const char *passphrase_file; /* --passphrase-file, or NULL */
    uint32_t timeout_s;          /* --timeout, 0: not given */
    bool json;                   /* --json */
    bool quiet;                  /* --quiet, -q */
    bool help;                   /* --help */
    const char **args;           /* arguments, @args_count */
    size_t args_count;
    struct cli_given *given; /* options of the command, in order */
    size_t given_count;
    char *token_text;      /* private: owns what @token points at */
    struct client *client; /* private: call_open() */
    int cancel_fd;         /* readable after Ctrl-C; -1: not asked for */
    bool reader_gone;      /* who read stdout has what it wanted */
    const char *kept;      /* what stays when the user stops it, or NULL */
    struct cli_error error;
};

/** cli_init - nothing asked for yet; @cli->cancel_fd -1. */
void cli_init(struct cli *cli);

/** cli_release - free all, close the client. */
void cli_release(struct cli *cli);

/**
 * cli_parse - find the command and its options in the words of the caller.
 * @argv: lives as long as @cli.
 *
 * Return: OK; E_MALFORMED for wrong usage, with @cli->error set.
 */
MUST_USE enum err cli_parse(struct cli *cli, int argc, char **argv);

/** cli_run - do what was asked for; prints errors.  Returns the exit status. */
int cli_run(struct cli *cli);

/** cli_refuse - print the error of cli_parse().  Returns the exit status. */
int cli_refuse(const struct cli *cli);

/** cli_flag - whether switch @name is on; the last one given counts. */
bool cli_flag(const struct cli *cli, const char *name);

/** cli_value - value of option @name, the last one given, or NULL. */
const char *cli_value(const struct cli *cli, const char *name);

/** cli_value_at - value number @index of an option that may be repeated, or
 * NULL past the last. */
const char *cli_value_at(const struct cli *cli, const char *name, size_t index);

/** cli_number - value of option @name as a number; @otherwise without it.
 * @max: largest value.
 *
 * Return: OK; E_MALFORMED, with @cli->error set. */
MUST_USE enum err cli_number(struct cli *cli, const char *name, uint64_t max,
                             uint64_t otherwise, uint64_t *ret_number);

/** cli_fail - set the error of @id about @where and return its exit status. */
int cli_fail(struct cli *cli, enum error_id id, const char *where);

/** cli_given_count - how often option @name was given. */
size_t cli_given_count(const struct cli *cli, const char *name);

/** cli_globals - the options of every command, ended by one without name. */
const struct cli_option *cli_globals(void);

/** struct cli_family - what commands of two words have in common. */
struct cli_family {
    const char *name; /* "pin" */
    enum cli_group group;
    const char *words; /* "add|rm|ls" */
    const char *summary;
};

/** cli_families - the table of families; @ret_count: its rows. */
const struct cli_family *cli_families(size_t *ret_count);

/** cli_group_name - heading of a group. */
const char *cli_group_name(enum cli_group group);

/** cli_command_at - row @index of the table of commands, by groups; NULL past
 * the last. */
const struct cli_command *cli_command_at(size_t index);

/** cli_command_find - the command of that name, or NULL. */
const struct cli_command *cli_command_find(const char *name);

#endif /* APP_CLI_H */
