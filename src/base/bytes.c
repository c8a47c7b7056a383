#include "base/bytes.h"

#include <assert.h>

struct bytes bytes_sub(struct bytes in, size_t from, size_t len)
{
    assert(from <= in.len);
    assert(len <= in.len - from);

    if (len == 0)
        return BYTES_EMPTY;
    return (struct bytes){.p = in.p + from, .len = len};
}
