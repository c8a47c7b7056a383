#include "os/random.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

static void random_fill(struct rng *r, uint8_t *dst, size_t len)
{
    (void)r; /* the kernel's generator has no state here */
    while (len > 0) {
        ssize_t n = getrandom(dst, len, 0);
        /* It can fail only where the kernel is older than any we support. */
        assert(n > 0 || errno == EINTR);
        if (n < 0)
            continue;
        dst += n;
        len -= (size_t)n;
    }
}

void os_random_init(struct rng *r)
{
    r->fill = random_fill;
}
