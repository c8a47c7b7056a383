#include "base/err.h"

const char *err_name(enum err err)
{
    switch (err) {
    case OK:
        return "ok";
    case E_NOTFOUND:
        return "not found";
    case E_AGAIN:
        return "again";
    case E_CANCELED:
        return "canceled";
    case E_EXISTS:
        return "exists";
    case E_TIMEOUT:
        return "timed out";
    case E_REFUSED:
        return "refused";
    case E_CLOSED:
        return "closed";
    case E_SHORT:
        return "short";
    case E_MALFORMED:
        return "malformed";
    case E_LIMIT:
        return "over limit";
    case E_UNSUPPORTED:
        return "unsupported";
    case E_MISMATCH:
        return "mismatch";
    case E_IO:
        return "i/o error";
    case E_NOSPACE:
        return "no space";
    case E_CORRUPT:
        return "corrupt";
    }
    return "unknown";
}

bool err_is_peer_fault(enum err err)
{
    return err >= E_SHORT && err <= E_MISMATCH;
}
