#include "os/write_all.h"

#include <errno.h>

#include "os/errno_err.h"

int iov_advance(struct iovec **iov, int count, size_t n)
{
    while (count > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        count--;
    }
    if (count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
    return count;
}

enum err write_all(int fd, uint64_t *offset, struct iovec *iov, int count)
{
    while (count > 0) {
        ssize_t n = pwritev(fd, iov, count, (off_t)*offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_of_errno(errno);
        *offset += (uint64_t)n;
        count = iov_advance(&iov, count, (size_t)n);
    }
    return OK;
}
