#ifndef IPLD_DAG_WALK_H
#define IPLD_DAG_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "ipld/cid_set.h"
#include "ipld/links.h"
#include "multiformats/cid.h"

struct block;

/*
 * dag_walk - all blocks below a root, depth first, parents before children,
 * children in the order of their links.
 *
 * A core: it names the block it needs next (dag_walk_next()) and is given it
 * (dag_walk_on_block()) or told that there is none (dag_walk_on_missing()).
 * It keeps one block and one place for each level, not a list of children: a
 * million links to one block cost nothing.  A level is given up as soon as its
 * last child is named, so that a chain has no depth.
 *
 * Limits: the number of levels, the bytes of the blocks that they hold, and
 * the number of blocks; past one of them the walk ends with E_LIMIT.
 */

enum {
    DAG_WALK_DEPTH_MAX = 10000,
    DAG_WALK_HELD_BYTES_MAX = 256 * 1024 * 1024,
};

struct dag_walk_config {
    uint32_t depth_max;    /* levels held at once, 1 to DAG_WALK_DEPTH_MAX */
    size_t held_bytes_max; /* of the blocks at these levels */
    uint64_t blocks_max;   /* blocks asked for, repeated ones too */
    bool dedupe;           /* name each CID once only */
    uint8_t seed[16];      /* random: keys the set of CIDs seen */
};

/** dag_walk_config_default - no block limit, dedupe, other limits as above. */
struct dag_walk_config dag_walk_config_default(const uint8_t seed[static 16]);

/** struct dag_walk_level - a block whose children are being walked. */
struct dag_walk_level {
    struct block *block; /* owned reference */
    struct links links;
};

/** struct dag_walk - the walk; all fields are private. */
struct dag_walk {
    struct dag_walk_config config;
    struct dag_walk_level *levels;
    size_t levels_count;
    size_t levels_room;
    size_t held_bytes;
    uint64_t blocks_count;
    struct cid_set seen;
    struct cid want; /* what was named and not answered, or comes first */
    enum { DAG_WALK_ROOT, DAG_WALK_IDLE, DAG_WALK_WAITING } state;
};

/** dag_walk_init - walk that begins with @root. */
void dag_walk_init(struct dag_walk *w, const struct dag_walk_config *config,
                   const struct cid *root);

/** dag_walk_release - free what @w holds, at any time. */
void dag_walk_release(struct dag_walk *w);

/**
 * dag_walk_add_root - walk below @root too, once everything before is done.
 *
 * With dedupe, what was seen below earlier roots is not named again.  To be
 * called after dag_walk_next() has said that there is no more (asserted).
 */
void dag_walk_add_root(struct dag_walk *w, const struct cid *root);

/**
 * dag_walk_next - the block that is needed next.
 * @ret_cid: written when OK is returned; the same one again until answered.
 *
 * Return: OK; E_NOTFOUND when the walk is complete; E_LIMIT when blocks_max
 * are used up.
 */
MUST_USE enum err dag_walk_next(struct dag_walk *w, struct cid *ret_cid);

/**
 * dag_walk_on_block - answer with the block of the CID named last.
 * @b: borrowed; the walk takes a reference if it needs one.
 *
 * Return: OK; E_LIMIT past depth_max or held_bytes_max; else what links_init()
 * says of the block.  After a failure the walk goes on as if the block had no
 * links.
 */
MUST_USE enum err dag_walk_on_block(struct dag_walk *w, struct block *b);

/** dag_walk_on_missing - the block named last cannot be had; walk on. */
void dag_walk_on_missing(struct dag_walk *w);

/**
 * dag_walk_ahead - CIDs that will be named soon, for who wants to fetch early.
 * @ret_cids: room for @max CIDs.
 *
 * These are siblings of what was named last.  Some may be seen already.
 *
 * Return: the number written.
 */
size_t dag_walk_ahead(const struct dag_walk *w, struct cid *ret_cids,
                      size_t max);

#endif /* IPLD_DAG_WALK_H */
