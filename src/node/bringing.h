#ifndef NODE_BRINGING_H
#define NODE_BRINGING_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mtime.h"
#include "node/fault.h"
#include "storage/keeper.h"

struct bringing;
struct node;

/*
 * bringing - brings an own object back that others keep: fetches all of its
 * blocks, from its holders first, and pins its root, as it was pinned when it
 * was added.
 */

enum { BRINGING_STILL_MS = 60 * 1000 }; /* longest without a block */

struct bringing_config {
    const struct keeper_status *status; /* of the object; copied */
    uint32_t timeout_ms;                /* 0: BRINGING_STILL_MS */
    /** @on_progress: some blocks came; bringing_bytes() tells.  May be NULL. */
    void (*on_progress)(void *user, struct mtime now);
    /** @done: OK: all is here, durable and pinned; else bringing_fault()
     * tells. */
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** bringing_new - begin; there is a network (asserted).  No callback from
 * inside. */
MUST_USE struct bringing *bringing_new(struct node *n,
                                       const struct bringing_config *config,
                                       struct mtime now);

/** bringing_free - end it at any time, also from inside @done; what came is
 * cache from then on, unless it was pinned.  NULL does nothing. */
void bringing_free(struct bringing *b);

/** bringing_bytes - of the blocks that are here so far. */
uint64_t bringing_bytes(const struct bringing *b);

/** bringing_fault - why it failed. */
const struct fault *bringing_fault(const struct bringing *b);

#endif /* NODE_BRINGING_H */
