#include "app/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app/cli_error.h"

enum { KEY_CTRL_C = 3 };

/* One line of @fd, without its end, into @line; false when it is too long,
 * cannot be read, or Ctrl-C was typed: the terminal makes no signal of it. */
static bool read_line(int fd, struct secret *line, size_t *ret_len)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = read(fd, line->p + len, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (n == 1 && line->p[len] == KEY_CTRL_C))
            return false;
        if (n == 0 || line->p[len] == '\n') {
            *ret_len = len;
            return true;
        }
        if (++len == line->len)
            return false;
    }
}

static enum err take_line(int fd, const char *where, struct secret *ret_pass,
                          struct cli_error *ret_error)
{
    struct secret line;
    size_t len = 0;

    secret_init(&line, PASSPHRASE_BYTES_MAX + 1);
    bool good = read_line(fd, &line, &len);
    if (good)
        secret_init_copy(ret_pass, (struct bytes){line.p, len});
    secret_release(&line);
    if (good)
        return OK;
    cli_error_setf(ret_error, ERROR_BAD_VALUE,
                   "no passphrase can be read from %s", where);
    return E_LIMIT;
}

static enum err ask(const char *prompt, struct secret *ret_pass,
                    struct cli_error *ret_error)
{
    struct termios old;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

    if (fd < 0 || tcgetattr(fd, &old) != 0) {
        if (fd >= 0)
            (void)close(fd); /* nothing was written */
        cli_error_set(ret_error, ERROR_PASSPHRASE_NEEDED, NULL);
        return E_NOTFOUND;
    }
    struct termios silent = old;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    /* Without an echo to switch off the question is still worth asking. */
    (void)tcsetattr(fd, TCSAFLUSH, &silent);
    (void)!write(fd, prompt, strlen(prompt));
    (void)!write(fd, ": ", 2);
    enum err err = take_line(fd, "the terminal", ret_pass, ret_error);
    (void)!write(fd, "\n", 1);
    (void)tcsetattr(fd, TCSAFLUSH, &old);
    (void)close(fd); /* nothing to lose */
    return err;
}

enum err passphrase_read(const char *file, const char *prompt,
                         struct secret *ret_pass, struct cli_error *ret_error)
{
    if (file == NULL)
        return ask(prompt, ret_pass, ret_error);

    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        cli_error_setf(ret_error, absent ? ERROR_NOT_FOUND : ERROR_PERMISSION,
                       "cannot read the passphrase file: %s", file);
        if (absent)
            cli_error_hint(ret_error, "Name a file that is there.");
        return E_REFUSED;
    }
    enum err err = take_line(fd, file, ret_pass, ret_error);
    (void)close(fd); /* it was only read */
    return err;
}
