#ifndef NODE_PULL_H
#define NODE_PULL_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"

struct fault;
struct node;
struct pull;

/*
 * pull - fetch all blocks of an object that is kept for somebody else: those
 * that are not here come from peers, all of them are made durable and are
 * protected until pull_free().
 *
 * It stops at the first block past what was agreed; a few that were fetched
 * ahead may be stored beyond, as cache.
 */

enum {
    PULL_PEERS_MAX = 64,
    PULL_BLOCKS_MAX = 4 * 1024 * 1024, /* whatever was agreed: 40 to 107 bytes
                                          of memory each, twice */
};

struct pull_config {
    struct cid root;
    const struct peer_id *peers; /* asked first, copied; at most
                                    PULL_PEERS_MAX are looked at */
    size_t peers_count;
    uint64_t size_bytes; /* most, of distinct blocks */
    uint64_t blocks;     /* most, of distinct ones */
    uint32_t timeout_ms; /* longest without a block */
    /** @on_progress: some blocks came. */
    void (*on_progress)(void *user, struct mtime now);
    /** @done: OK: all is here and synced; E_LIMIT: it is larger; E_NOSPACE,
     * E_NOTFOUND, E_TIMEOUT, E_IO.  pull_blocks() tells more. */
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** pull_new - begin; there is a network (asserted).  No callback from
 * inside. */
MUST_USE struct pull *pull_new(struct node *n, const struct pull_config *config,
                               struct mtime now);

/** pull_free - end it at any time, also from inside @done; what it protected
 * is cache from then on, unless it was counted.  NULL does nothing. */
void pull_free(struct pull *p);

/** pull_fault - why it failed; NULL where E_LIMIT says it all. */
const struct fault *pull_fault(const struct pull *p);

/** pull_blocks - distinct blocks that are here so far; bytes in @ret_bytes. */
uint64_t pull_blocks(const struct pull *p, uint64_t *ret_bytes);

#endif /* NODE_PULL_H */
