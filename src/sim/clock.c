#include "sim/clock.h"

#include <assert.h>

#include "base/attr.h"

enum { PPM = 1000 * 1000 };

void sim_time_init(struct sim_time *t)
{
    *t = (struct sim_time){.now = {0}};
    sim_heap_init(&t->clocks);
    sim_trace_init(&t->trace);
}

void sim_time_release(struct sim_time *t)
{
    assert(t->clocks.count == 0);
    sim_heap_release(&t->clocks);
}

struct sim_clock *sim_time_next(struct sim_time *t, struct mtime until)
{
    struct timer *wake = sim_heap_first(&t->clocks);

    if (wake == NULL || mtime_before(until, wake->at))
        return NULL;
    assert(!mtime_before(wake->at, t->now));
    t->now = wake->at;
    t->turns++;
    return container_of(wake, struct sim_clock, wake);
}

/* The world knows of the first timer only. */
static void show_first(struct sim_clock *c)
{
    const struct timer *first = sim_heap_first(&c->heap);

    if (c->dead || c->in_turn)
        return;
    if (first == NULL)
        sim_heap_set(&c->time->clocks, &c->wake, MTIME_NEVER, 0);
    else if (c->wake.place == 0 || c->wake.seq != first->seq)
        sim_heap_set(&c->time->clocks, &c->wake, first->at, first->seq);
}

static struct mtime clock_now(struct clock *clock)
{
    return sim_clock_now(container_of(clock, struct sim_clock, clock));
}

static uint64_t clock_unix_ms(struct clock *clock)
{
    return sim_clock_unix_ms(container_of(clock, struct sim_clock, clock));
}

static void clock_set(struct clock *clock, struct timer *t, struct mtime at)
{
    sim_clock_set(container_of(clock, struct sim_clock, clock), t, at);
}

void sim_clock_init(struct sim_clock *c, struct sim_time *time, uint32_t index)
{
    *c = (struct sim_clock){
        .clock = {clock_now, clock_unix_ms, clock_set},
        .time = time,
        .index = index,
    };
    sim_heap_init(&c->heap);
    timer_init(&c->wake, NULL);
}

void sim_clock_release(struct sim_clock *c)
{
    sim_heap_set(&c->time->clocks, &c->wake, MTIME_NEVER, 0);
    sim_heap_release(&c->heap);
}

struct mtime sim_clock_now(const struct sim_clock *c)
{
    return c->dead ? c->dead_now : c->time->now;
}

uint64_t sim_clock_unix_ms(const struct sim_clock *c)
{
    int64_t ms = (int64_t)(sim_clock_now(c).ns / SIM_MS);

    return SIM_UNIX_MS + (uint64_t)(ms + c->wall_ms + ms * c->wall_ppm / PPM);
}

void sim_clock_set(struct sim_clock *c, struct timer *t, struct mtime at)
{
    struct mtime now = sim_clock_now(c);

    if (mtime_before(at, now))
        at = now;
    /* Owners set their timers far more often than their times change. */
    if (t->at.ns == at.ns && (t->place != 0 || at.ns == MTIME_NEVER.ns))
        return;
    sim_heap_set(&c->heap, t, at, ++c->time->seq);
    show_first(c);
}

void sim_clock_after(struct sim_clock *c, struct timer *t, uint64_t ns)
{
    sim_clock_set(c, t, (struct mtime){sim_clock_now(c).ns + ns});
}

void sim_clock_fire(struct sim_clock *c)
{
    struct mtime now = sim_clock_now(c);
    uint64_t seq_last = c->time->seq;

    for (;;) {
        struct timer *t = sim_heap_first(&c->heap);
        if (t == NULL || !mtime_reached(now, t->at) || t->seq > seq_last)
            break;
        sim_heap_set(&c->heap, t, MTIME_NEVER, 0);
        t->fire(t, now);
    }
    show_first(c);
}

void sim_clock_turn(struct sim_clock *c, bool begins)
{
    c->in_turn = begins;
    show_first(c);
}

void sim_clock_stop(struct sim_clock *c)
{
    c->dead_now = c->time->now;
    c->dead = true;
    sim_heap_set(&c->time->clocks, &c->wake, MTIME_NEVER, 0);
}

bool sim_clock_step(struct sim_clock *c)
{
    const struct timer *first = sim_heap_first(&c->heap);

    assert(c->dead);
    if (first == NULL)
        return false;
    if (mtime_before(c->dead_now, first->at))
        c->dead_now = first->at;
    return true;
}

void sim_clock_resume(struct sim_clock *c)
{
    c->dead = false;
    show_first(c);
}

void sim_clock_trace(struct sim_clock *c, enum sim_kind kind,
                     struct bytes payload)
{
    if (!c->dead)
        sim_trace_add(&c->time->trace, c->time->now, c->index, kind, payload);
}
