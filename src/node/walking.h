#ifndef NODE_WALKING_H
#define NODE_WALKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "node/fault.h"
#include "unixfs/dag_node.h"

struct block;
struct node;
struct peer_id;
struct walking;

/*
 * walking - every block below a path, once each, parents before children, in
 * the order of the links: for stat, pin, car export, verify of one CID.
 *
 * Blocks that will be named soon are fetched ahead.
 */

/** struct walking_config - where, how, and who gets it. */
struct walking_config {
    struct bytes path; /* copied */
    uint32_t timeout_ms;
    bool local_only;
    bool local_below;  /* ask peers for the path only, not for what is below */
    bool root_only;    /* the block that the path leads to, and no other */
    bool skip_missing; /* go on past blocks that cannot be had */
    bool keep;         /* keep what is fetched under a lease, and what is here
                          already, until walking_free(); then done comes when
                          all of it is durable */
    bool background;   /* nobody waits for it */

    /** @on_open: where the path leads, before any block. */
    void (*on_open)(void *user, const struct cid *root, enum node_type type,
                    uint64_t file_bytes, struct mtime now);
    /** @on_block: the next block, borrowed; NULL: @cid could not be had. */
    void (*on_block)(void *user, const struct cid *cid, struct block *block,
                     struct mtime now);
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** walking_new - begin; no callback from inside. */
MUST_USE struct walking *walking_new(struct node *n,
                                     const struct walking_config *config);

/** walking_free - end it at any time; NULL does nothing. */
void walking_free(struct walking *w);

/** walking_pause - stop or go on calling @on_block (a few more may come). */
void walking_pause(struct walking *w, bool paused);

/** walking_add_source - @peer is said to have it: ask it first. */
void walking_add_source(struct walking *w, const struct peer_id *peer,
                        struct mtime now);

/** walking_fault - why it failed. */
const struct fault *walking_fault(const struct walking *w);

#endif /* NODE_WALKING_H */
