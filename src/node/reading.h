#ifndef NODE_READING_H
#define NODE_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mtime.h"
#include "node/fault.h"
#include "node/fetch.h"

struct node;
struct reading;

/*
 * reading - the bytes of a file, or a range of it, in order (cat).
 */

/** struct reading_config - what to read, and who gets it. */
struct reading_config {
    struct bytes path;   /* as resolving_start() takes it; copied */
    uint64_t offset;     /* past the end: nothing */
    uint64_t length;     /* UINT64_MAX: to the end */
    uint32_t timeout_ms; /* as in struct fetch_config */
    bool local_only;

    /** @on_open: it is a file of @size bytes named @cid; once, first. */
    void (*on_open)(void *user, const struct cid *cid, uint64_t size,
                    struct mtime now);

    /** @on_data: the next bytes; the reference of @s passes.  After
     * reading_pause() a few more may come. */
    void (*on_data)(void *user, struct slice s, struct mtime now);

    /** @done: last; OK, or reading_fault() tells. */
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** reading_new - begin; no callback from inside.  Freed at any time. */
MUST_USE struct reading *reading_new(struct node *n,
                                     const struct reading_config *config);

/** reading_free - end it; no callback any more.  NULL does nothing. */
void reading_free(struct reading *r);

/** reading_pause - stop or go on calling @on_data. */
void reading_pause(struct reading *r, bool paused);

/** reading_fault - why it failed. */
const struct fault *reading_fault(const struct reading *r);

#endif /* NODE_READING_H */
