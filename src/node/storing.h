#ifndef NODE_STORING_H
#define NODE_STORING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "node/fault.h"

struct block;
struct node;
struct storing;

/*
 * storing - a series of blocks into the store, kept under one lease, made
 * durable together and pinned at the end: what an import does.
 *
 * No callback from inside a call.  The first failure ends the series: nothing
 * is put any more.
 */

struct storing_config {
    /** @on_change: blocks were stored, or storing_err() is new. */
    void (*on_change)(void *user, struct mtime now);
    /** @done: after storing_finish(): OK, all is durable and pinned; else
     * storing_fault() tells. */
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** struct storing_roots - what is pinned at the end. */
struct storing_roots {
    const struct cid *cids;
    size_t count;      /* 0: nothing */
    struct bytes name; /* of each pin */
};

/** storing_new - a series without blocks; @config is copied. */
MUST_USE struct storing *storing_new(struct node *n,
                                     const struct storing_config *config);

/** storing_free - end it at any time: blocks that the store has taken are
 * cache then, unless they were pinned.  NULL does nothing. */
void storing_free(struct storing *s);

/**
 * storing_put - store @block.
 * @block: its reference passes to @s, always.
 *
 * Where the store is full the block waits in a queue: who sees
 * storing_is_full() makes no more blocks before @on_change.
 */
void storing_put(struct storing *s, struct block *block);

/** storing_is_full - true when blocks wait for room in the store. */
bool storing_is_full(const struct storing *s);

/** storing_bytes - of blocks that are not written yet. */
size_t storing_bytes(const struct storing *s);

/** storing_finish - there are no more blocks; sync, then pin @roots, which are
 * copied.  Once, and not after a failure (asserted). */
void storing_finish(struct storing *s, const struct storing_roots *roots);

/** storing_err - OK, or the first failure. */
enum err storing_err(const struct storing *s);

/** storing_fault - of the failure. */
const struct fault *storing_fault(const struct storing *s);

#endif /* NODE_STORING_H */
