#ifndef NODE_FETCH_H
#define NODE_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "bitswap/client.h"
#include "multiformats/cid.h"
#include "node/fault.h"
#include "store/store.h"

struct block;
struct fetch;
struct fetch_read;
struct node;
struct peer_id;

/*
 * fetch - blocks by CID, from the store or else from peers.
 *
 * One fetch is what one download wants: its blocks come from the same session
 * of bitswap, share one deadline, and are written to the store as they come.
 * Nobody has to wait for that write: the block is handed on before it.
 */

enum {
    FETCH_TIMEOUT_MS = 60 * 1000, /* default */
    FETCH_NOBODY_MS = 5 * 1000,   /* wait for a peer that has it */
};

/** struct fetch_config - how to fetch. */
struct fetch_config {
    bool local_only;     /* ask no peers */
    uint32_t timeout_ms; /* longest without a block while one is wanted, and
                            wait for who has it; 0: FETCH_TIMEOUT_MS and
                            FETCH_NOBODY_MS */
    bool keep;           /* blocks that come, or are here already, are
                            protected until fetch_free(); else cached */
    bool urgent;         /* somebody waits for the next bytes */
    bool background;     /* nobody waits: repair, replication */
};

/** fetch_new - no blocks wanted yet; @config is copied. */
MUST_USE struct fetch *fetch_new(struct node *n,
                                 const struct fetch_config *config);

/** fetch_free - forget all wants: their @done is not called.  Writes to the
 * store go on by themselves.  NULL does nothing. */
void fetch_free(struct fetch *f);

/** fetch_leave - forget all wants as fetch_free() does, and have no more to do
 * with peers; what is protected stays so until fetch_free(). */
void fetch_leave(struct fetch *f);

/** struct fetch_op - one block that is wanted; caller's memory until @done,
 * fetch_cancel() or fetch_free(). */
struct fetch_op {
    /**
     * @done: OK with @block, of which the callee borrows the caller's
     * reference: block_ref() to keep it.  Else NULL, and fetch_fault() tells:
     * E_NOTFOUND nobody has it; E_TIMEOUT; E_CORRUPT damaged here and nobody
     * else has it; E_UNSUPPORTED; E_IO; E_LIMIT.  Never from inside a call.
     */
    void (*done)(struct fetch_op *op, enum err err, struct block *block,
                 struct mtime now);
    struct cid cid;          /* read-only for others */
    struct fetch *fetch;     /* private, as all below; NULL: not under way */
    struct fetch_read *read; /* the store's look, while it lasts */
    uint32_t size_hint;
    int32_t priority;
    enum { FETCH_QUEUED, FETCH_READING, FETCH_ASKED, FETCH_ENDED } state;
    enum err err; /* ENDED: what @done will be told; else what the store
                     said */
    bool missing; /* ASKED: no peer of now has it */
    uint64_t want_id;
    struct map_node by_id;
    struct list link;
};

/**
 * fetch_get - want the block @cid.
 * @op: with @done set; memory zeroed before its first use.
 * @size_hint: bytes it will have, about; 0: unknown.
 * @priority: higher first.
 */
void fetch_get(struct fetch *f, struct fetch_op *op, const struct cid *cid,
               uint32_t size_hint, int32_t priority);

/** fetch_cancel - @op->done is not called any more; harmless after it. */
void fetch_cancel(struct fetch_op *op);

/** fetch_add_source - @peer is said to have it: ask it first, if it is
 * connected. */
void fetch_add_source(struct fetch *f, const struct peer_id *peer,
                      struct mtime now);

/** fetch_fault - why an op ended without a block, the last one that did. */
const struct fault *fetch_fault(const struct fetch *f);

/** fetch_how - how it fetches, and for which node. */
const struct fetch_config *fetch_how(const struct fetch *f,
                                     struct node **ret_node);

/** fetch_store_err - OK, or the first failure to store what came. */
enum err fetch_store_err(const struct fetch *f);

/** fetch_sources - what came from whom, as bs_session_sources(). */
size_t fetch_sources(const struct fetch *f, struct bs_source *dst, size_t max);

/** struct fetch_sync_op - waits until what was fetched is durable. */
struct fetch_sync_op {
    void (*done)(struct fetch_sync_op *op, enum err err, struct mtime now);
};

/**
 * fetch_sync - wait until all blocks that came from peers are on the medium.
 *
 * Done: OK; E_NOSPACE, E_IO when one of them could not be stored.  With @keep
 * only; a cache may be lost.  One at a time (asserted); forgotten by
 * fetch_free().
 */
void fetch_sync(struct fetch *f, struct fetch_sync_op *op);

#endif /* NODE_FETCH_H */
