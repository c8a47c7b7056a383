#ifndef STORAGE_KEEPER_HEAP_H
#define STORAGE_KEEPER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mtime.h"

/*
 * keeper_heap - timers of the keeper, the earliest first.
 *
 * A timer lies in what it wakes.  Of two with the same time the one that was
 * set first comes first, so that equal inputs give equal outputs.
 */

/** enum keeper_timer_kind - what a timer lies in. */
enum keeper_timer_kind {
    KEEPER_TIMER_OBJECT,
    KEEPER_TIMER_PEER,
};

/** struct keeper_timer - private to the heap but for @kind. */
struct keeper_timer {
    struct mtime at;
    uint32_t order;      /* counts the sets, modulo 2^32 */
    uint32_t place : 30; /* in the heap, from 1; 0: not set */
    uint32_t kind : 2;   /* enum keeper_timer_kind */
};

/** struct keeper_heap - zeroed: no timers. */
struct keeper_heap {
    struct keeper_timer **items; /* private */
    size_t count;
    size_t room;     /* private */
    uint32_t orders; /* private */
};

/** keeper_heap_release - free the table; timers are untouched. */
void keeper_heap_release(struct keeper_heap *h);

/** keeper_heap_sooner - @t goes off at @at, unless it does so sooner. */
void keeper_heap_sooner(struct keeper_heap *h, struct keeper_timer *t,
                        struct mtime at);

/** keeper_heap_unset - @t does not go off; harmless when it was not set. */
void keeper_heap_unset(struct keeper_heap *h, struct keeper_timer *t);

/** keeper_heap_first - the earliest time; MTIME_NEVER when there is none. */
struct mtime keeper_heap_first(const struct keeper_heap *h);

/** keeper_heap_take - unset and return a timer that is due, or NULL. */
struct keeper_timer *keeper_heap_take(struct keeper_heap *h, struct mtime now);

#endif /* STORAGE_KEEPER_HEAP_H */
