#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "sim/heap.h"
#include "sim/trace.h"

/*
 * clock - virtual time of the world, and the clock of each machine.
 *
 * A clock holds all timers of its machine, those of the node and those of the
 * parts that simulate its env.  What happens next in the world is the first
 * timer of all clocks.  A clock that was stopped (its node is to end without
 * any effect) has left the world and goes on alone.
 */

enum { SIM_MS = 1000 * 1000, SIM_S = 1000 * 1000 * 1000 }; /* ns */

/** SIM_UNIX_MS - wall-clock time when a world begins. */
#define SIM_UNIX_MS UINT64_C(1700000000000)

/** struct sim_time - the time of a world and what has happened in it. */
struct sim_time {
    struct mtime now;
    uint64_t seq;           /* private: of the last timer that was set */
    uint64_t turns;         /* how many there were */
    struct sim_heap clocks; /* private: the wake of each clock */
    struct sim_trace trace;
};

/** struct sim_clock - time and timers of one machine. */
struct sim_clock {
    struct clock clock; /* for the node */
    struct sim_time *time;
    uint32_t index; /* of the machine, for the trace */
    bool dead;
    bool in_turn;          /* private: @wake is looked at when it ends */
    int64_t wall_ms;       /* how far the wall clock is off */
    int64_t wall_ppm;      /* and how much more it gets so */
    struct mtime dead_now; /* private */
    struct sim_heap heap;  /* private */
    struct timer wake;     /* private: in sim_time.clocks */
};

/** sim_time_init - zero. */
void sim_time_init(struct sim_time *t);

/** sim_time_release - all clocks have been released. */
void sim_time_release(struct sim_time *t);

/** sim_time_next - the clock whose turn is next, or NULL; sets @t->now when
 * that is at or before @until. */
struct sim_clock *sim_time_next(struct sim_time *t, struct mtime until);

/** sim_clock_init - in the world of @time, which is borrowed. */
void sim_clock_init(struct sim_clock *c, struct sim_time *time, uint32_t index);

/** sim_clock_release - its timers are forgotten. */
void sim_clock_release(struct sim_clock *c);

/** sim_clock_now - the time there. */
struct mtime sim_clock_now(const struct sim_clock *c);

/** sim_clock_unix_ms - the wall-clock time there. */
uint64_t sim_clock_unix_ms(const struct sim_clock *c);

/** sim_clock_set - as clock->set(). */
void sim_clock_set(struct sim_clock *c, struct timer *t, struct mtime at);

/** sim_clock_after - set @t to fire in @ns. */
void sim_clock_after(struct sim_clock *c, struct timer *t, uint64_t ns);

/** sim_clock_fire - fire what is due; timers set meanwhile wait for the next
 * call. */
void sim_clock_fire(struct sim_clock *c);

/** sim_clock_turn - a turn of its machine begins, or ends: what is set
 * meanwhile is shown to the world once, at the end. */
void sim_clock_turn(struct sim_clock *c, bool begins);

/** sim_clock_stop - leave the world: time stands still, then jumps by
 * sim_clock_step(); nothing is traced. */
void sim_clock_stop(struct sim_clock *c);

/** sim_clock_step - of a stopped clock: go on to its first timer.  False:
 * there is none. */
bool sim_clock_step(struct sim_clock *c);

/** sim_clock_resume - be in the world again; timers that are set stay. */
void sim_clock_resume(struct sim_clock *c);

/** sim_clock_trace - @kind has happened here, unless the clock is stopped. */
void sim_clock_trace(struct sim_clock *c, enum sim_kind kind,
                     struct bytes payload);

#endif /* SIM_CLOCK_H */
