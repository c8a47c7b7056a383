#ifndef APP_HELP_H
#define APP_HELP_H

struct cli;
struct cli_command;
struct strbuf;

/** help_all - append the page of all commands: at most 40 lines of 80. */
void help_all(struct strbuf *out);

/** help_family - append the page of the commands whose first word is @name. */
void help_family(struct strbuf *out, const char *name);

/** help_command - append the page of @command. */
void help_command(struct strbuf *out, const struct cli_command *command);

/** help_print - the page that @cli asks for, to stdout: of its command, of its
 * family of commands, or of all. */
void help_print(const struct cli *cli);

#endif /* APP_HELP_H */
