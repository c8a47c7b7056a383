#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/mtime.h"
#include "env/clock.h"

/* struct sim_heap_place - a timer, and a copy of its order: comparing does not
 * touch the timers, which lie all over the memory of a large world. */
struct sim_heap_place {
    uint64_t at_ns;
    uint64_t seq;
    struct timer *timer;
};

/*
 * sim_heap - the timers that are set, by (time, number).
 *
 * The heap does not own the timers; timer.place is 1 + the index here, 0 for a
 * timer that is not set.
 */
struct sim_heap {
    struct sim_heap_place *places; /* private */
    size_t count;
    size_t room; /* private */
};

/** sim_heap_init - empty heap. */
void sim_heap_init(struct sim_heap *h);

/** sim_heap_release - free the table; the timers are untouched. */
void sim_heap_release(struct sim_heap *h);

/** sim_heap_set - set or move @t to @at with number @seq; MTIME_NEVER unsets
 * it. */
void sim_heap_set(struct sim_heap *h, struct timer *t, struct mtime at,
                  uint64_t seq);

/** sim_heap_first - the first timer, or NULL. */
struct timer *sim_heap_first(const struct sim_heap *h);

#endif /* SIM_HEAP_H */
