#ifndef LIBP2P_SENDQ_H
#define LIBP2P_SENDQ_H

#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

/**
 * struct sendq - bytes waiting to be sent, as slices in order.
 *
 * A ring that grows; the caller caps the bytes.  Zeroed is empty.
 */
struct sendq {
    struct slice *ring; /* owned */
    size_t room;        /* elements of @ring, a power of two or 0 */
    size_t first;
    size_t count;
    size_t bytes; /* in all slices, read-only for others */
};

/** sendq_release - drop everything; @q is empty. */
void sendq_release(struct sendq *q);

/** sendq_push - append @slice, whose reference passes.  Empty ones vanish. */
void sendq_push(struct sendq *q, struct slice slice);

/**
 * sendq_take - take the front slice, at most @max bytes of it.
 *
 * Not to be called when empty (asserted).
 *
 * Return: a slice with a reference of its own.
 */
MUST_USE struct slice sendq_take(struct sendq *q, size_t max);

#endif /* LIBP2P_SENDQ_H */
