#include "os/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/errno_err.h"

static bool fits(const struct unix_path *u, size_t len)
{
    return len < sizeof(u->addr.sun_path);
}

static void set_path(struct unix_path *u, const char *path, size_t len)
{
    memcpy(u->addr.sun_path, path, len + 1);
    u->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

/* Through the directory, which is the part of @path before its last slash. */
static enum err set_long_path(struct unix_path *u, const char *path, size_t len)
{
    char dir[PATH_MAX];
    char alias[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (slash == NULL || slash == path || len >= sizeof(dir))
        return E_LIMIT;
    size_t dir_len = (size_t)(slash - path);
    memcpy(dir, path, dir_len);
    dir[dir_len] = '\0';
    u->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (u->dir_fd < 0)
        return err_of_errno(errno);
    int alias_len =
        snprintf(alias, sizeof(alias), "/proc/self/fd/%d%s", u->dir_fd, slash);
    if (alias_len < 0 || !fits(u, (size_t)alias_len)) {
        unix_path_release(u);
        return E_LIMIT;
    }
    set_path(u, alias, (size_t)alias_len);
    return OK;
}

enum err unix_path_init(struct unix_path *u, const char *path)
{
    size_t len = strlen(path);

    *u = (struct unix_path){.addr = {.sun_family = AF_UNIX}, .dir_fd = -1};
    if (len == 0)
        return E_LIMIT;
    if (!fits(u, len))
        return set_long_path(u, path, len);
    set_path(u, path, len);
    return OK;
}

void unix_path_release(struct unix_path *u)
{
    if (u->dir_fd >= 0)
        (void)close(u->dir_fd); /* was only a name */
    u->dir_fd = -1;
}
