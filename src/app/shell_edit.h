#ifndef APP_SHELL_EDIT_H
#define APP_SHELL_EDIT_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct shell_edit;

/* shell_edit - lines from a terminal: editing, recalling, and Tab. */

/**
 * shell_edit_open - begin.
 * @history: file with the lines of before, which may not be there; lines are
 * added to it; NULL: none.  Copied.
 *
 * Return: OK; E_IO when the terminal cannot be used.
 */
MUST_USE enum err shell_edit_open(const char *history,
                                  struct shell_edit **ret_edit);

/** shell_edit_close - end; NULL does nothing. */
void shell_edit_close(struct shell_edit *e);

/**
 * shell_edit_line - let the user type one.
 * @prompt: of ours; in front of it.
 * @ret_line: with its end; valid until the next call.
 *
 * Return: OK; E_CANCELED Ctrl-C; E_CLOSED the end.
 */
MUST_USE enum err shell_edit_line(struct shell_edit *e, const char *prompt,
                                  const char **ret_line);

/** shell_edit_remember - @line can be recalled from now on, also by the next
 * shell. */
void shell_edit_remember(struct shell_edit *e, const char *line);

#endif /* APP_SHELL_EDIT_H */
