#ifndef LIBP2P_BUCKET_H
#define LIBP2P_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mtime.h"

/** struct bucket_rate - how much one may use. */
struct bucket_rate {
    uint32_t burst;      /* tokens of a full bucket, above 0 */
    uint32_t per_second; /* tokens that come back, above 0 */
};

/**
 * struct bucket - token bucket in integers.  Zeroed is full.
 *
 * It keeps what was used, in thousandths of a token, so that small rates add
 * up exactly.
 */
struct bucket {
    uint64_t used_milli;
    struct mtime at; /* when @used_milli was right */
};

/**
 * bucket_take - use @tokens.
 *
 * Return: true when they were there; false otherwise, and nothing is used.
 */
bool bucket_take(struct bucket *b, struct bucket_rate rate, uint32_t tokens,
                 struct mtime now);

#endif /* LIBP2P_BUCKET_H */
