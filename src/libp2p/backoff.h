#ifndef LIBP2P_BACKOFF_H
#define LIBP2P_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"

struct multiaddr;

/*
 * backoff - addresses that could not be dialed, and until when to leave them
 * alone: 5 s after the first failure, twice as long after each further one, at
 * most 10 minutes.  The longest unused are forgotten first.
 */

enum {
    BACKOFF_FIRST_MS = 5 * 1000,
    BACKOFF_MAX_MS = 10 * 60 * 1000,
    BACKOFF_ADDRS_MAX = 2048,
};

struct backoff {
    struct map addrs;  /* of struct backoff_addr */
    struct list order; /* the longest unused first */
};

/** backoff_init - no address is held back. */
void backoff_init(struct backoff *b, const uint8_t seed[static 16]);

/** backoff_release - forget everything. */
void backoff_release(struct backoff *b);

/** backoff_failed - dialing @addr failed at @now. */
void backoff_failed(struct backoff *b, const struct multiaddr *addr,
                    struct mtime now);

/** backoff_worked - forget the failures of @addr. */
void backoff_worked(struct backoff *b, const struct multiaddr *addr);

/** backoff_holds - true when @addr is to be left alone at @now. */
bool backoff_holds(const struct backoff *b, const struct multiaddr *addr,
                   struct mtime now);

#endif /* LIBP2P_BACKOFF_H */
