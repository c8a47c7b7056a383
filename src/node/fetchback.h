#ifndef NODE_FETCHBACK_H
#define NODE_FETCHBACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"
#include "node/network.h"

struct fetchback;
struct node;

/*
 * fetchback - fetch some blocks from one peer and from nobody else, whether
 * they are here or not, and forget them: to see that it gives them out.
 */

enum {
    FETCHBACK_CIDS_MAX = 64,
    FETCHBACK_ROUNDS_MAX = 8, /* a block came from another peer: once more */
};

struct fetchback_config {
    struct network_target target; /* copied; where the peer is not connected */
    const struct cid *cids;       /* copied; at most FETCHBACK_CIDS_MAX */
    size_t count;
    uint32_t timeout_ms; /* for all of it */
    /**
     * @done: OK; E_NOTFOUND the peer said that it has not got one; E_MISMATCH
     * it sent other bytes; E_TIMEOUT; else it could not be reached.  Never from
     * inside fetchback_new().
     */
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** fetchback_new - begin; there is a network (asserted). */
MUST_USE struct fetchback *fetchback_new(struct node *n,
                                         const struct fetchback_config *config,
                                         struct mtime now);

/** fetchback_free - end it at any time, also from inside @done; NULL does
 * nothing. */
void fetchback_free(struct fetchback *f);

#endif /* NODE_FETCHBACK_H */
