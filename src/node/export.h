#ifndef NODE_EXPORT_H
#define NODE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "bitswap/client.h"
#include "multiformats/cid.h"
#include "node/fault.h"

struct export;
struct node;

/*
 * export - a file or folder from its blocks to the disk (get).
 *
 * It is made as OUT.xmbl-part beside OUT and renamed when it is whole; nothing
 * is ever written outside of it, whatever the names in a folder are.  A
 * leftover OUT.xmbl-part of an earlier try is removed: its blocks are in the
 * store, so that work is not lost.
 */

struct export_config {
    struct bytes path;   /* copied */
    const char *out;     /* absolute; copied */
    bool force;          /* replace what is there */
    bool sync;           /* done comes when it is on the medium */
    uint32_t timeout_ms; /* as in struct fetch_config */

    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** struct export_progress - how far it is; of what is known so far. */
struct export_progress {
    struct cid cid;       /* version 0 with no hash before it is known */
    uint64_t bytes_done;  /* written */
    uint64_t bytes_total; /* 0: unknown yet (folders: what was listed) */
    uint64_t files_done;
};

/** export_new - begin; no callback from inside. */
MUST_USE struct export *export_new(struct node *n,
                                   const struct export_config *config);

/** export_free - end it at any time; jobs under way end by themselves.  What
 * is not whole stays as OUT.xmbl-part.  NULL does nothing. */
void export_free(struct export *e);

/** export_progress - numbers of now. */
struct export_progress export_progress(const struct export *e);

/** export_sources - what came from whom. */
size_t export_sources(const struct export *e, struct bs_source *dst,
                      size_t max);

/** export_fault - why it failed. */
const struct fault *export_fault(const struct export *e);

#endif /* NODE_EXPORT_H */
