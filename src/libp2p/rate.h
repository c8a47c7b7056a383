#ifndef LIBP2P_RATE_H
#define LIBP2P_RATE_H

#include <stdint.h>

#include "base/mtime.h"

/*
 * rate - bytes a second, over the last ten whole ones.  No timer: time is cut
 * into parts of two seconds, of which the latest five and the present one are
 * kept, and what is old goes when something is added or asked.
 */

enum { RATE_PART_MS = 2000, RATE_PARTS = 5 };

/** struct rate - zeroed: nothing was added. */
struct rate {
    uint32_t parts[RATE_PARTS + 1]; /* bytes; at most what fits */
    uint32_t last;                  /* number of the part added to last */
};

/** rate_add - @bytes have passed. */
void rate_add(struct rate *r, uint64_t bytes, struct mtime now);

/** rate_per_s - bytes a second, of ten seconds that ended at most two ago. */
uint64_t rate_per_s(const struct rate *r, struct mtime now);

#endif /* LIBP2P_RATE_H */
