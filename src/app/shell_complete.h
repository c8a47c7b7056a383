#ifndef APP_SHELL_COMPLETE_H
#define APP_SHELL_COMPLETE_H

#include <stddef.h>

struct strbuf;

/**
 * shell_complete - what could stand at the end of @line, by the tables of
 * commands: append each word and a line end.  None: a file may stand there.
 *
 * Return: how long the part of the word is that was typed already.
 */
size_t shell_complete(struct strbuf *out, const char *line);

#endif /* APP_SHELL_COMPLETE_H */
