#ifndef OS_TIMER_HEAP_H
#define OS_TIMER_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/mtime.h"
#include "env/clock.h"

/*
 * timer_heap - the timers that are set, by (deadline, order of setting).
 *
 * The heap does not own the timers; timer.place is 1 + the index here, 0 for a
 * timer that is not set.
 */
struct timer_heap {
    struct timer **timers; /* private */
    size_t count;
    size_t room;       /* private */
    uint64_t seq;      /* private */
    struct mtime past; /* private: no deadline is put before the last fire, or
                        * one that is set anew for ever starves the others */
};

/** timer_heap_init - empty heap. */
void timer_heap_init(struct timer_heap *h);

/** timer_heap_release - free the table; the timers are untouched. */
void timer_heap_release(struct timer_heap *h);

/** timer_heap_set - set or move @t to @at; MTIME_NEVER unsets it. */
void timer_heap_set(struct timer_heap *h, struct timer *t, struct mtime at);

/** timer_heap_first - deadline of the first timer, MTIME_NEVER if none. */
struct mtime timer_heap_first(const struct timer_heap *h);

/**
 * timer_heap_fire - fire what is due at @now.
 *
 * Timers that are set from inside a callback wait for the next call, also
 * those whose deadline has passed.
 */
void timer_heap_fire(struct timer_heap *h, struct mtime now);

#endif /* OS_TIMER_HEAP_H */
