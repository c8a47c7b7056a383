#ifndef OS_TERM_H
#define OS_TERM_H

#include <stdbool.h>

enum { TERM_COLUMNS_DEFAULT = 80 };

/** term_is_terminal - true when descriptor @fd is a terminal. */
bool term_is_terminal(int fd);

/** term_columns - width of terminal @fd, TERM_COLUMNS_DEFAULT if unknown. */
unsigned term_columns(int fd);

/** term_wants_colour - @fd is a terminal, TERM is not "dumb", no NO_COLOR. */
bool term_wants_colour(int fd);

/** term_echo - switch echo of typed characters; false when @fd is none. */
bool term_echo(int fd, bool on);

#endif /* OS_TERM_H */
