#include "os/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

bool term_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

unsigned term_columns(int fd)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return TERM_COLUMNS_DEFAULT;
    return size.ws_col;
}

/* Nothing changes the environment while threads run. */
static const char *variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return value == NULL ? "" : value;
}

bool term_wants_colour(int fd)
{
    return term_is_terminal(fd) && variable("NO_COLOR")[0] == '\0' &&
           strcmp(variable("TERM"), "dumb") != 0;
}

bool term_echo(int fd, bool on)
{
    struct termios mode;

    if (tcgetattr(fd, &mode) != 0)
        return false;
    if (on)
        mode.c_lflag |= ECHO;
    else
        mode.c_lflag &= ~(tcflag_t)ECHO;
    return tcsetattr(fd, TCSAFLUSH, &mode) == 0;
}
