#ifndef NODE_RESOLVING_H
#define NODE_RESOLVING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mtime.h"
#include "node/fault.h"
#include "node/fetch.h"
#include "node/naming.h"
#include "unixfs/ipfs_path.h"
#include "unixfs/path_resolver.h"

/*
 * resolving - from the text of a path to where it leads, over a fetch.
 */

/** struct resolving - one path under way; caller's memory. */
struct resolving {
    /** @done: OK with @result; else @fault says which segment and why. */
    void (*done)(struct resolving *r, enum err err, struct mtime now);
    struct resolved result; /* written before @done with OK */
    struct block *block;    /* the block that @result names: owned, dropped by
                               resolving_release() */
    struct fault fault;
    struct fetch *fetch; /* private, as all below */
    struct fetch_op op;
    struct path_resolver core;
    struct ipfs_path path;
    struct naming naming; /* where the text begins with a name */
    bool is_naming;
    char *text;
};

/**
 * resolving_start - begin; resolving_release() at the end, always.
 * @text: "CID/a/b", "/ipfs/CID", "ipfs://CID/a", "/ipns/NAME/a"; copied.
 * @fetch: borrowed until resolving_release().
 *
 * Return: OK; E_MALFORMED, E_LIMIT, E_UNSUPPORTED for the text, with
 * @r->fault; then @done is not called.
 */
MUST_USE enum err resolving_start(struct resolving *r, struct fetch *fetch,
                                  struct bytes text);

/** resolving_release - end it at any time; harmless on a zeroed struct. */
void resolving_release(struct resolving *r);

#endif /* NODE_RESOLVING_H */
