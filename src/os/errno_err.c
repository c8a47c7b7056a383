#include "os/errno_err.h"

#include <assert.h>
#include <errno.h>

enum err err_of_errno(int number)
{
    assert(number > 0);
    switch (number) {
    case ENOENT:
        return E_NOTFOUND;
    case EEXIST:
    case ENOTEMPTY:
    case EADDRINUSE:
        return E_EXISTS;
    case EROFS:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case ETXTBSY:
    case ENXIO:
    case ENODEV:
    case ECONNREFUSED:
        return E_REFUSED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return E_NOSPACE;
    case EMFILE:
    case ENFILE:
    case ENAMETOOLONG:
        return E_LIMIT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return E_NOTFOUND;
    case ETIMEDOUT:
        return E_TIMEOUT;
    case ECANCELED:
        return E_CANCELED;
    default:
        return E_IO;
    }
}
