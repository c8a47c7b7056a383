#ifndef NODE_PLACING_H
#define NODE_PLACING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "node/fault.h"
#include "storage/keeper.h"

struct node;
struct placing;

/*
 * placing - make an object of what is stored here, and wait until it is as
 * safe as somebody wants.
 *
 * Nobody waits for nodes that are not there: with fewer candidates than copies
 * it ends when those have it, and when nothing moves any more.
 */

enum {
    PLACING_STILL_MS =
        30 * 1000, /* nobody is asked, nothing changes: the end */
};

/** enum placing_wait - how far; in the order of the names of `--wait`. */
enum placing_wait {
    PLACING_LOCAL,    /* the record is durable here */
    PLACING_STORED,   /* as many receipts as copies wanted */
    PLACING_VERIFIED, /* and one was fetched back */
    PLACING_SAFE,     /* and all of them: this node may go */
};

/** placing_wait_of - the one called @name; E_NOTFOUND. */
MUST_USE enum err placing_wait_of(struct bytes name,
                                  enum placing_wait *ret_wait);

struct placing_config {
    struct cid root;
    uint32_t copies;          /* 1 to KEEPER_COPIES_MAX; 0: as it is, only
                                 wait */
    uint32_t release_delay_s; /* of a new object */
    struct bytes name;        /* holders read it; copied; may be empty */
    enum placing_wait wait;
    uint32_t timeout_ms; /* 0: none */
    /** @on_change: copies were made, or lost; may be NULL. */
    void (*on_change)(void *user, const struct keeper_status *status,
                      struct mtime now);
    /** @done: OK: it is so far, or as far as it goes now; E_NOTFOUND: a block
     * is not here; E_TIMEOUT; else placing_fault() tells.  Never from inside
     * placing_new(). */
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** placing_new - begin; @config is copied.  An object of ours that is there
 * gets the new number of copies. */
MUST_USE struct placing *placing_new(struct node *n,
                                     const struct placing_config *config);

/** placing_free - wait no more; the object stays.  NULL does nothing. */
void placing_free(struct placing *p);

/** placing_status - as last seen; NULL before there was one. */
const struct keeper_status *placing_status(const struct placing *p);

/** placing_fault - why it failed. */
const struct fault *placing_fault(const struct placing *p);

/** placing_state - name of @status's state for people: an object that waits
 * for nodes is partial. */
const char *placing_state(const struct node *n,
                          const struct keeper_status *status);

#endif /* NODE_PLACING_H */
