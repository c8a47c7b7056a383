#ifndef NODE_STORE_WAITER_H
#define NODE_STORE_WAITER_H

#include "base/list.h"
#include "base/mtime.h"

/**
 * struct store_waiter - waits until the store takes puts again, after it has
 * said E_AGAIN; embedded in the op that waits.
 *
 * Given to node_wait_store(), which may be repeated; when STORE_EVENT_WRITABLE
 * comes, the node takes all waiters out of its list and calls each once, in the
 * order in which they came.  Who finds the store full again waits again.
 */
struct store_waiter {
    /** @writable: the store takes puts; any waiter may be freed meanwhile. */
    void (*writable)(struct store_waiter *w, struct mtime now);
    struct list link; /* in no list: does not wait */
};

/** store_waiter_init - a waiter that does not wait yet. */
static inline void store_waiter_init(struct store_waiter *w,
                                     void (*writable)(struct store_waiter *w,
                                                      struct mtime now))
{
    w->writable = writable;
    list_init(&w->link);
}

/** store_waiter_cancel - @w is not called any more; harmless at any time. */
static inline void store_waiter_cancel(struct store_waiter *w)
{
    list_remove(&w->link);
}

#endif /* NODE_STORE_WAITER_H */
