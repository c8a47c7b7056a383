#include "os/trim.h"

#include <malloc.h>

enum {
    ARENAS_MAX = 2,
    KEEP_BYTES = 32 * 1024 * 1024, /* the largest threshold that glibc takes */
    RUSH_MS = 100,                 /* turns closer than this are one rush */
    QUIET_MS = 1000,               /* after it */
    DELAY_MAX_MS = 5000,           /* of a rush without end */
};

void os_trim_process(void)
{
    /*
     * Pool threads allocate little: an arena for each would only cost.  No
     * thread runs yet.  A setting that glibc refuses leaves its default.
     */
    (void)mallopt(M_ARENA_MAX, ARENAS_MAX);      /* NOLINT */
    (void)mallopt(M_MMAP_THRESHOLD, KEEP_BYTES); /* NOLINT */
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_BYTES); /* NOLINT */
}

static void on_turn_end(struct os_loop_hook *h, struct mtime now)
{
    struct os_trim *t = container_of(h, struct os_trim, hook);
    struct clock *clock = os_loop_clock(t->loop);
    bool in_rush = mtime_ms_since(t->last, now) < RUSH_MS;

    t->last = now;
    if (!in_rush || t->is_due)
        return;
    t->is_due = true;
    t->due = now;
    clock->set(clock, &t->timer, mtime_add_ms(now, QUIET_MS));
}

static void on_timer(struct timer *timer, struct mtime now)
{
    struct os_trim *t = container_of(timer, struct os_trim, timer);
    struct clock *clock = os_loop_clock(t->loop);

    if (mtime_ms_since(t->last, now) < QUIET_MS / 2 &&
        mtime_ms_since(t->due, now) < DELAY_MAX_MS) {
        clock->set(clock, timer, mtime_add_ms(now, QUIET_MS));
        return;
    }
    t->is_due = false;
    (void)malloc_trim(0); /* there may be nothing to give back */
}

void os_trim_init(struct os_trim *t, struct os_loop *loop)
{
    *t = (struct os_trim){.loop = loop};
    t->hook.turn_end = on_turn_end;
    timer_init(&t->timer, on_timer);
    os_loop_hook_add(loop, &t->hook, OS_LOOP_FINAL);
}

void os_trim_release(struct os_trim *t)
{
    struct clock *clock = os_loop_clock(t->loop);

    clock->set(clock, &t->timer, MTIME_NEVER);
    os_loop_hook_remove(&t->hook);
}
