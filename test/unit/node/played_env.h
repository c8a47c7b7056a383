#ifndef TEST_UNIT_NODE_PLAYED_ENV_H
#define TEST_UNIT_NODE_PLAYED_ENV_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/rng.h"

/*
 * played_env - time that passes when it is told to, and chance that is none.
 * It needs no framework of tests: fuzz targets have it too.
 */

enum { PLAYED_TIMERS_MAX = 64 };

/** struct played_env - clock, timers and chance of one program. */
struct played_env {
    struct env env;
    struct clock clock;
    struct rng rng;
    struct mtime now;
    struct timer *timers[PLAYED_TIMERS_MAX]; /* NULL: a free place */
};

static inline struct mtime played_clock_now(struct clock *c)
{
    return container_of(c, struct played_env, clock)->now;
}

static inline void played_clock_set(struct clock *c, struct timer *t,
                                    struct mtime at)
{
    struct played_env *e = container_of(c, struct played_env, clock);
    size_t place = PLAYED_TIMERS_MAX;

    t->at = at;
    for (size_t i = PLAYED_TIMERS_MAX; i-- > 0;) {
        if (e->timers[i] == t)
            e->timers[i] = NULL;
        if (e->timers[i] == NULL)
            place = i;
    }
    assert(place < PLAYED_TIMERS_MAX);
    if (at.ns != MTIME_NEVER.ns)
        e->timers[place] = t;
}

static inline void played_rng_fill(struct rng *r, uint8_t *dst, size_t len)
{
    (void)r;
    memset(dst, 7, len);
}

/** played_env_init - no timers, and some time. */
static inline void played_env_init(struct played_env *e)
{
    memset(e, 0, sizeof(*e));
    e->clock = (struct clock){.now = played_clock_now, .set = played_clock_set};
    e->rng.fill = played_rng_fill;
    e->env = (struct env){.clock = &e->clock, .rng = &e->rng};
    e->now = (struct mtime){1000000000};
}

/** played_env_due - a timer that is to fire now, or NULL. */
static inline struct timer *played_env_due(const struct played_env *e)
{
    for (size_t i = 0; i < PLAYED_TIMERS_MAX; i++) {
        if (e->timers[i] != NULL && mtime_reached(e->now, e->timers[i]->at))
            return e->timers[i];
    }
    return NULL;
}

/** played_env_pass - let @ms pass; at its end fire what is due, and no more
 * than so many, for one may be due again at once. */
static inline void played_env_pass(struct played_env *e, uint32_t ms)
{
    struct timer *t;

    e->now = mtime_add_ms(e->now, ms);
    for (int i = 0; i < PLAYED_TIMERS_MAX && (t = played_env_due(e)) != NULL;
         i++) {
        played_clock_set(&e->clock, t, MTIME_NEVER);
        t->fire(t, e->now);
    }
}

/** played_env_idle - whether no timer runs. */
static inline bool played_env_idle(const struct played_env *e)
{
    for (size_t i = 0; i < PLAYED_TIMERS_MAX; i++) {
        if (e->timers[i] != NULL)
            return false;
    }
    return true;
}

#endif /* TEST_UNIT_NODE_PLAYED_ENV_H */
