#include "os/sdnotify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/errno_err.h"

enum err sd_notify_state(const char *state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    /* Nothing changes the environment while threads run. */
    const char *path =
        getenv("NOTIFY_SOCKET"); /* NOLINT(concurrency-mt-unsafe) */

    if (path == NULL || path[0] == '\0')
        return OK;
    size_t len = strlen(path);
    if (len > sizeof(addr.sun_path))
        return E_LIMIT;
    memcpy(addr.sun_path, path, len);
    if (path[0] == '@')
        addr.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_of_errno(errno);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                          (const struct sockaddr *)&addr, size);
    enum err err = sent < 0 ? err_of_errno(errno) : OK;
    (void)close(fd); /* the datagram is out, or not */
    return err;
}
