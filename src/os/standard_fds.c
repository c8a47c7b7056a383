#include "os/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* An open takes the lowest number: those before @fd are taken already. */
static bool fill(int fd)
{
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
        return true;
    return open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd;
}

bool standard_fds_fill(void)
{
    return fill(STDIN_FILENO) && fill(STDOUT_FILENO) && fill(STDERR_FILENO);
}
