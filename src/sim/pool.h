#ifndef SIM_POOL_H
#define SIM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "env/clock.h"
#include "env/pool.h"
#include "sim/rand.h"

struct sim_clock;
struct sim_disk;

/*
 * pool - jobs that take virtual time.
 *
 * Up to SIM_POOL_AT_ONCE jobs of a kind are under way.  Each takes a drawn time
 * and what its disk operations cost.  Whether its work is seen when it begins
 * or when it ends is drawn too, since both may be.
 */

enum { SIM_POOL_AT_ONCE = 4, SIM_POOL_SLOTS = 2 * SIM_POOL_AT_ONCE };

struct sim_pool;

/* One job under way. */
struct sim_pool_slot {
    struct sim_pool *pool;
    struct pool_job *job; /* NULL: free */
    bool ran;
    struct timer end;
};

struct sim_pool {
    struct pool pool;
    uint64_t job_ns; /* a job of CPU or disk takes up to so much */

    struct sim_clock *clock; /* private, as all below */
    struct sim_disk *disk;
    struct sim_rand rand;
    struct list waiting[2]; /* by kind */
    struct sim_pool_slot slots[SIM_POOL_SLOTS];
    size_t under_way; /* submitted, not done */
    uint64_t done;    /* how many were */
};

/** sim_pool_init - for the machine of @disk; @seed of the world. */
void sim_pool_init(struct sim_pool *p, struct sim_disk *disk, uint64_t seed);

/** sim_pool_is_busy - true while a job is waiting or under way. */
bool sim_pool_is_busy(const struct sim_pool *p);

#endif /* SIM_POOL_H */
