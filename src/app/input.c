#include "app/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"
#include "base/strbuf.h"

enum { PART_BYTES = 64 * 1024 };

static enum err fail(struct cli *cli, const char *path, int error)
{
    enum error_id id = ERROR_IO;

    if (error == ENOENT || error == ENOTDIR)
        id = ERROR_NOT_FOUND;
    else if (error == EACCES || error == EPERM)
        id = ERROR_PERMISSION;
    else if (error == EISDIR)
        id = ERROR_NOT_A_FILE;
    cli_error_set(&cli->error, id, path);
    if (id == ERROR_NOT_FOUND || id == ERROR_NOT_A_FILE)
        cli_error_hint(&cli->error, "Name a file that is there.");
    return E_IO;
}

enum err input_open(struct cli *cli, const char *path, int *ret_fd)
{
    struct stat st;

    if (strcmp(path, "-") == 0) {
        *ret_fd = STDIN_FILENO;
        return OK;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(cli, path, errno);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)close(fd); /* was only opened */
        return fail(cli, path, EISDIR);
    }
    *ret_fd = fd;
    return OK;
}

void input_close(int fd)
{
    if (fd != STDIN_FILENO)
        (void)close(fd); /* was only read */
}

/* Waits for bytes, or until Ctrl-C where somebody listens for it. */
static bool wait_or_cancel(const struct cli *cli, int fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = cli->cancel_fd, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR)
            return true;
    }
    return fds[1].revents == 0;
}

static enum err read_all(struct cli *cli, int fd, const char *path,
                         struct strbuf *out)
{
    uint8_t part[PART_BYTES];

    for (;;) {
        if (!wait_or_cancel(cli, fd)) {
            cli_error_kept(&cli->error, NULL);
            return E_CANCELED;
        }
        ssize_t n = read(fd, part, sizeof(part));
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return fail(cli, path, errno);
        if (n == 0)
            return OK;
        strbuf_add(out, (struct bytes){part, (size_t)n});
        if (strbuf_full(out)) {
            cli_error_set(&cli->error, ERROR_TOO_LARGE, path);
            return E_LIMIT;
        }
    }
}

enum err input_read(struct cli *cli, const char *path, struct strbuf *out)
{
    int fd = -1;
    enum err err = input_open(cli, path, &fd);

    if (err != OK)
        return err;
    err = read_all(cli, fd, path, out);
    input_close(fd);
    return err;
}
