#ifndef OS_UNIX_PATH_H
#define OS_UNIX_PATH_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/attr.h"
#include "base/err.h"

/**
 * struct unix_path - address of a Unix socket whose path may be long.
 *
 * A path that does not fit is reached through its directory, which stays open
 * as /proc/self/fd/N while this struct is held.
 */
struct unix_path {
    struct sockaddr_un addr;
    socklen_t len;
    int dir_fd; /* private: -1 when none is needed */
};

/**
 * unix_path_init - address of @path.
 * Return: OK; E_NOTFOUND no such directory; E_LIMIT name too long, or no
 * descriptors; E_REFUSED; E_IO.
 */
MUST_USE enum err unix_path_init(struct unix_path *u, const char *path);

/** unix_path_release - close the directory. */
void unix_path_release(struct unix_path *u);

#endif /* OS_UNIX_PATH_H */
