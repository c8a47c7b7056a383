#include "sim/pool.h"

#include "base/attr.h"
#include "sim/clock.h"
#include "sim/disk.h"

enum { JOB_NS = 200 * 1000, HALF_PPM = 500000 };

static void start_more(struct sim_pool *p, enum pool_kind kind);

static void run(struct sim_pool_slot *slot)
{
    slot->ran = true;
    slot->job->run(slot->job);
}

static void on_end(struct timer *t, struct mtime now)
{
    struct sim_pool_slot *slot = container_of(t, struct sim_pool_slot, end);
    struct sim_pool *p = slot->pool;
    struct pool_job *job = slot->job;

    if (!slot->ran) {
        /* What the disk takes delays what comes after it, not the past. */
        p->disk->cost_ns = 0;
        run(slot);
        if (p->disk->cost_ns > 0) {
            sim_clock_after(p->clock, t, p->disk->cost_ns);
            return;
        }
    }
    slot->job = NULL;
    p->under_way--;
    p->done++;
    start_more(p, job->kind);
    job->done(job, now);
}

static void start(struct sim_pool *p, struct sim_pool_slot *slot,
                  struct pool_job *job)
{
    uint64_t cost_ns = sim_rand_below(&p->rand, p->job_ns + 1);

    slot->job = job;
    slot->ran = false;
    p->disk->cost_ns = 0;
    if (sim_rand_chance(&p->rand, HALF_PPM))
        run(slot);
    sim_clock_after(p->clock, &slot->end, cost_ns + p->disk->cost_ns);
}

/* Each kind has its own half of the slots. */
static struct sim_pool_slot *free_slot(struct sim_pool *p, enum pool_kind kind)
{
    size_t first = kind == POOL_DISK ? SIM_POOL_AT_ONCE : 0;

    for (size_t i = first; i < first + SIM_POOL_AT_ONCE; i++) {
        if (p->slots[i].job == NULL)
            return &p->slots[i];
    }
    return NULL;
}

static void start_more(struct sim_pool *p, enum pool_kind kind)
{
    struct list *waiting = &p->waiting[kind == POOL_DISK];

    while (!list_empty(waiting)) {
        struct sim_pool_slot *slot = free_slot(p, kind);
        if (slot == NULL)
            return;
        struct list *it = list_first(waiting);
        list_remove(it);
        start(p, slot, container_of(it, struct pool_job, link));
    }
}

static void submit(struct pool *pool, struct pool_job *job, enum pool_kind kind)
{
    struct sim_pool *p = container_of(pool, struct sim_pool, pool);
    struct sim_pool_slot *slot = free_slot(p, kind);

    job->kind = kind;
    p->under_way++;
    if (slot == NULL || !list_empty(&p->waiting[kind == POOL_DISK])) {
        list_add_tail(&p->waiting[kind == POOL_DISK], &job->link);
        return;
    }
    start(p, slot, job);
}

void sim_pool_init(struct sim_pool *p, struct sim_disk *disk, uint64_t seed)
{
    *p = (struct sim_pool){
        .pool = {submit},
        .job_ns = JOB_NS,
        .clock = disk->clock,
        .disk = disk,
    };
    sim_rand_init(&p->rand, seed, "pool", disk->clock->index);
    list_init(&p->waiting[0]);
    list_init(&p->waiting[1]);
    for (size_t i = 0; i < SIM_POOL_SLOTS; i++) {
        p->slots[i].pool = p;
        timer_init(&p->slots[i].end, on_end);
    }
}

bool sim_pool_is_busy(const struct sim_pool *p)
{
    return p->under_way > 0;
}
