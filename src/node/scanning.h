#ifndef NODE_SCANNING_H
#define NODE_SCANNING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mtime.h"
#include "ipld/cid_set.h"
#include "multiformats/cid.h"
#include "node/fault.h"

struct node;
struct scanning;

/*
 * scanning - every distinct block of a DAG that is stored here, by CID and
 * length, without reading those that have no links: the size of an object, and
 * the choice of some of its blocks.
 *
 * The order is that of the walk: parents before children, children in the
 * order of their links.  Blocks are distinct by their multihash; a CID that
 * holds its block itself is none.
 */

struct scanning_config {
    struct cid root;
    bool skip_missing; /* go on past what is not here */
    /** @on_block: a block, the first time that it is met; false: enough, and
     * @done follows.  May not free the scanning. */
    bool (*on_block)(void *user, const struct cid *cid, uint32_t length);
    /** @done: OK; E_NOTFOUND: a block is not here; E_LIMIT: too deep; E_IO,
     * E_CORRUPT.  Never from inside scanning_new(). */
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** scanning_new - begin; @config is copied. */
MUST_USE struct scanning *scanning_new(struct node *n,
                                       const struct scanning_config *config);

/** scanning_free - end it at any time, from inside @done too; NULL does
 * nothing. */
void scanning_free(struct scanning *s);

/** scanning_missing - after E_NOTFOUND: the block that is not here. */
const struct cid *scanning_missing(const struct scanning *s);

/** scanning_blocks - distinct blocks so far; bytes in @ret_bytes. */
uint64_t scanning_blocks(const struct scanning *s, uint64_t *ret_bytes);

/**
 * dag_blocks_add - note @cid in @seen.
 * @ret_distinct: whether its block is another than all before.
 *
 * Return: false when this CID was there already.
 */
bool dag_blocks_add(struct cid_set *seen, const struct cid *cid,
                    bool *ret_distinct);

#endif /* NODE_SCANNING_H */
