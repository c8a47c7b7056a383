#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "config/config.h"
#include "node/log.h"
#include "sim/clock.h"
#include "sim/machine.h"
#include "sim/net.h"

/*
 * world - machines in virtual time.
 *
 * Life: sim_world_new(), sim_machine_start() of some, then sim_world_run()
 * again and again; between runs, and from timers of world.clock, everything
 * may be looked at and changed.
 */

enum {
    SIM_MACHINES_MAX = 100000,
    SIM_SETTINGS_MAX = 64,
    SIM_TURNS_MAX = 1000000, /* at one instant: then time does not go on */
};

/** struct sim_settings - KEY=VALUE of the configuration. */
struct sim_settings {
    char *pairs[SIM_SETTINGS_MAX];
    size_t count;
};

/** sim_settings_add - one more, checked.  E_MALFORMED: no such key or a bad
 * value; E_LIMIT: too many. */
MUST_USE enum err sim_settings_add(struct sim_settings *s, const char *pair);

/** sim_settings_release - free all. */
void sim_settings_release(struct sim_settings *s);

/** sim_settings_apply - lay them over @c. */
void sim_settings_apply(const struct sim_settings *s, struct config *c);

/** struct sim_world_config - what to make. */
struct sim_world_config {
    uint64_t seed;
    uint32_t machines; /* at most SIM_MACHINES_MAX */
    bool secured;
    const struct sim_settings *settings; /* of all machines; copied */
    /** @group_of: the first two bytes of the address of machine @index, or 0
     * for the default, where each has its own; NULL: all have the default. */
    uint16_t (*group_of)(void *user, uint32_t index);
    /** @on_log: hears of each log line; or NULL. */
    void (*on_log)(void *user, struct sim_machine *m, enum log_level level,
                   struct bytes line);
    void *user;
};

struct sim_world {
    uint64_t seed;
    struct sim_time time;
    struct sim_net net;
    struct sim_clock clock; /* of what belongs to no machine */
    struct sim_machine **machines;
    uint32_t machines_count;
    bool stuck;   /* time did not go on */
    bool stopped; /* sim_world_stop() */

    struct sim_world_config config; /* private, as all below */
    struct config shared; /* of machines without settings of their own */
    uint64_t turns_here;  /* at this instant */
};

/** sim_world_new - all machines off. */
MUST_USE struct sim_world *sim_world_new(const struct sim_world_config *config);

/** sim_world_free - NULL does nothing. */
void sim_world_free(struct sim_world *w);

/** sim_world_set - of all machines, before the first start. */
MUST_USE enum err sim_world_set(struct sim_world *w, const char *pair);

/** sim_world_run - until @until, sim_world_stop(), nothing is left to happen,
 * or time does not go on (@w->stuck). */
void sim_world_run(struct sim_world *w, struct mtime until);

/** sim_world_stop - end sim_world_run() after this turn. */
void sim_world_stop(struct sim_world *w);

#endif /* SIM_WORLD_H */
