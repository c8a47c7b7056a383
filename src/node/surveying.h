#ifndef NODE_SURVEYING_H
#define NODE_SURVEYING_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "node/fault.h"

struct node;
struct survey;
struct surveying;

/*
 * surveying - asks others who keeps an object, which this node neither owns
 * nor keeps: those that are connected, providers of its root in the DHT, and
 * those that they name.
 *
 * It ends when all of them have answered or failed, soon after as many holders
 * as wanted have answered, or at its deadline.
 */

enum {
    SURVEYING_MS = 20 * 1000,      /* for all of it, unless told otherwise */
    SURVEYING_PEERS_MAX = 96,      /* that are asked */
    SURVEYING_CONNECTED_MAX = 32,  /* of them, for being connected */
    SURVEYING_PARALLEL = 8,        /* at a time */
    SURVEYING_CALL_MS = 8 * 1000,  /* for one answer, dialing included */
    SURVEYING_WHOLE_MS = 2 * 1000, /* the search goes on for so long when
                                      nobody is missed */
};

struct surveying_config {
    struct cid root;
    uint32_t timeout_ms; /* 0: SURVEYING_MS */
    /** @done: OK: surveying_survey() has an object at least; else
     * surveying_fault() tells.  Never from inside surveying_new(). */
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** surveying_new - begin; @config is copied.  There is a network
 * (node_reach_out(), asserted). */
MUST_USE struct surveying *surveying_new(struct node *n,
                                         const struct surveying_config *config,
                                         struct mtime now);

/** surveying_free - end it at any time, from inside @done too; NULL does
 * nothing. */
void surveying_free(struct surveying *s);

/** surveying_survey - what was told, as of now. */
const struct survey *surveying_survey(const struct surveying *s);

/** surveying_fault - why nothing was found. */
const struct fault *surveying_fault(const struct surveying *s);

/** struct surveying_counts - peers, as of now. */
struct surveying_counts {
    uint32_t asked;    /* or looked for */
    uint32_t answered; /* with what they know, or that they know nothing */
    uint32_t lied;     /* sent what is forged or malformed */
};

/** surveying_counts - of those that were asked. */
struct surveying_counts surveying_counts(const struct surveying *s);

#endif /* NODE_SURVEYING_H */
