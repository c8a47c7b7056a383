#ifndef ENV_CLOCK_H
#define ENV_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/mtime.h"

/**
 * struct timer - one deadline; embedded in the struct that waits for it.
 *
 * Made by timer_init().  The memory stays put while the timer is set.
 */
struct timer {
    /** @fire: the deadline has come; the timer is no longer set. */
    void (*fire)(struct timer *t, struct mtime now);
    struct mtime at; /* private: MTIME_NEVER when not set */
    uint64_t seq;    /* private: equal deadlines fire in the order of setting */
    size_t place;    /* private: of who implements the clock */
};

/** struct clock - time, and who wants to be woken.  Threads: loop only. */
struct clock {
    /** @now: monotonic time of this turn of the loop; equal all turn long. */
    struct mtime (*now)(struct clock *c);

    /** @unix_ms: wall-clock milliseconds since 1970, may jump. */
    uint64_t (*unix_ms)(struct clock *c);

    /**
     * @set: call @t->fire at @at, or in the next turn when that has passed.
     * A timer that is set already is moved.  MTIME_NEVER unsets it.
     */
    void (*set)(struct clock *c, struct timer *t, struct mtime at);
};

/** timer_init - make @t unset, with @fire. */
static inline void timer_init(struct timer *t,
                              void (*fire)(struct timer *t, struct mtime now))
{
    t->fire = fire;
    t->at = MTIME_NEVER;
    t->seq = 0;
    t->place = 0;
}

#endif /* ENV_CLOCK_H */
