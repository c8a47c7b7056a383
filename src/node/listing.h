#ifndef NODE_LISTING_H
#define NODE_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "node/fault.h"
#include "unixfs/dag_node.h"

struct listing;
struct node;

/*
 * listing - the entries of a folder (ls), with type and size of each.
 */

/** struct listing_entry - one entry; views are valid during the call. */
struct listing_entry {
    struct bytes name; /* untrusted bytes */
    struct cid cid;
    enum node_type type; /* NODE_UNKNOWN when its block could not be had */
    bool is_raw;         /* a bare block, not a UnixFS file */
    uint64_t bytes;      /* of a file; of a folder or unknown: its tsize */
};

struct listing_config {
    struct bytes path; /* copied */
    uint32_t timeout_ms;
    bool local_only;
    bool with_types; /* fetch each entry's root block to tell its type; else
                        types of dag-pb entries are NODE_UNKNOWN */

    /** @on_open: what the path leads to; a file or symlink has no entries. */
    void (*on_open)(void *user, const struct cid *cid, enum node_type type,
                    struct mtime now);
    /** @on_entry: the next one, in the folder's order. */
    void (*on_entry)(void *user, const struct listing_entry *entry,
                     struct mtime now);
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** listing_new - begin; no callback from inside. */
MUST_USE struct listing *listing_new(struct node *n,
                                     const struct listing_config *config);

/** listing_free - end it at any time; NULL does nothing. */
void listing_free(struct listing *l);

/** listing_pause - stop or go on calling @on_entry (a few more may come). */
void listing_pause(struct listing *l, bool paused);

/** listing_fault - why it failed. */
const struct fault *listing_fault(const struct listing *l);

#endif /* NODE_LISTING_H */
