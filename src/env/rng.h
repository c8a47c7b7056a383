#ifndef ENV_RNG_H
#define ENV_RNG_H

#include <stddef.h>
#include <stdint.h>

/** struct rng - the only source of random bytes.  Threads: loop only. */
struct rng {
    /** @fill: @len unpredictable bytes to @dst; cannot fail. */
    void (*fill)(struct rng *r, uint8_t *dst, size_t len);
};

#endif /* ENV_RNG_H */
