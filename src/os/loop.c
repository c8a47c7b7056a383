#include "os/loop.h"

#include <assert.h>
#include <uv.h>

#include "base/mem.h"
#include "os/clock_ns.h"
#include "os/errno_err.h"
#include "os/timer_heap.h"

/*
 * A turn is one iteration of libuv's loop: its check handle, which comes after
 * the events, does the second half of the turn, and its prepare handle, which
 * comes last before the wait, decides how long to wait.
 *
 * 1. `now` is read at most once between two prepares (@now_is_fresh).
 * 2. @dirty: a callback was delivered since the hooks were called; then the
 *    loop does not wait.
 * 3. The idle handle does nothing; while it is active libuv does not wait.
 */
struct os_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;

    struct clock clock;
    struct timer_heap timers;
    uint64_t armed_ms; /* what @timer waits for in libuv's time, or 0 */

    uint64_t start_ns;
    struct mtime now;
    bool now_is_fresh;
    bool dirty;

    struct list work;   /* hooks */
    struct list finals; /* hooks */
    struct list tasks;
};

enum { NS_PER_MS = 1000 * 1000 };

static struct mtime loop_now(struct os_loop *l)
{
    if (!l->now_is_fresh) {
        l->now.ns = os_clock_ns(CLOCK_MONOTONIC) - l->start_ns;
        l->now_is_fresh = true;
    }
    return l->now;
}

static struct mtime clock_now(struct clock *c)
{
    return loop_now(container_of(c, struct os_loop, clock));
}

static uint64_t clock_unix_ms(struct clock *c)
{
    (void)c; /* the wall clock is the machine's */
    return os_clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

static void clock_set(struct clock *c, struct timer *t, struct mtime at)
{
    timer_heap_set(&container_of(c, struct os_loop, clock)->timers, t, at);
}

static void call_hooks(struct list *hooks, struct mtime now)
{
    list_for_each_safe (it, hooks) {
        struct os_loop_hook *h = container_of(it, struct os_loop_hook, link);
        h->turn_end(h, now);
    }
}

/* Runs what is deferred now, not what that defers in turn. */
static void run_tasks(struct os_loop *l, struct mtime now)
{
    struct list end;

    list_init(&end);
    list_add_tail(&l->tasks, &end);
    while (list_first(&l->tasks) != &end) {
        struct list *it = list_first(&l->tasks);
        list_remove(it);
        struct os_loop_task *task = container_of(it, struct os_loop_task, link);
        task->run(task, now);
    }
    list_remove(&end);
}

static void on_check(uv_check_t *handle)
{
    struct os_loop *l = handle->data;
    struct mtime now = loop_now(l);

    (void)uv_idle_stop(&l->idle); /* cannot fail */
    run_tasks(l, now);
    timer_heap_fire(&l->timers, now);
    l->dirty = false;
    call_hooks(&l->work, now);
    call_hooks(&l->finals, now);
}

static void on_timer(uv_timer_t *handle)
{
    struct os_loop *l = handle->data;
    l->armed_ms = 0; /* it has ended the wait, which is all it is for */
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* it keeps the loop from waiting, which is all it is for */
}

static void arm_timer(struct os_loop *l)
{
    struct mtime first = timer_heap_first(&l->timers);
    if (first.ns == MTIME_NEVER.ns) {
        if (l->armed_ms != 0)
            (void)uv_timer_stop(&l->timer); /* cannot fail */
        l->armed_ms = 0;
        return;
    }

    uint64_t at_ms = (l->start_ns + first.ns) / NS_PER_MS + 1;
    if (at_ms == l->armed_ms)
        return;
    uint64_t now_ms = uv_now(&l->uv);
    uint64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    int failed = uv_timer_start(&l->timer, on_timer, wait_ms, 0);
    assert(failed == 0);
    l->armed_ms = at_ms;
}

static void on_prepare(uv_prepare_t *handle)
{
    struct os_loop *l = handle->data;

    arm_timer(l);
    if (l->dirty || !list_empty(&l->tasks))
        (void)uv_idle_start(&l->idle, on_idle); /* cannot fail */
    l->now_is_fresh = false;
}

/* None of these can fail on a fresh loop: they only link lists. */
static void start_handles(struct os_loop *l)
{
    (void)uv_prepare_init(&l->uv, &l->prepare);
    (void)uv_check_init(&l->uv, &l->check);
    (void)uv_idle_init(&l->uv, &l->idle);
    (void)uv_timer_init(&l->uv, &l->timer);
    l->prepare.data = l;
    l->check.data = l;
    l->idle.data = l;
    l->timer.data = l;
    (void)uv_prepare_start(&l->prepare, on_prepare);
    (void)uv_check_start(&l->check, on_check);
}

enum err os_loop_open(struct os_loop **ret_loop)
{
    struct os_loop *l = mem_zalloc(1, sizeof(*l));
    int failed = uv_loop_init(&l->uv);
    if (failed != 0) {
        mem_free(l);
        return err_of_errno(-failed);
    }

    start_handles(l);
    l->clock.now = clock_now;
    l->clock.unix_ms = clock_unix_ms;
    l->clock.set = clock_set;
    timer_heap_init(&l->timers);
    l->start_ns = os_clock_ns(CLOCK_MONOTONIC);
    list_init(&l->work);
    list_init(&l->finals);
    list_init(&l->tasks);
    *ret_loop = l;
    return OK;
}

void os_loop_run(struct os_loop *l)
{
    /* What was queued before has had no hook yet. */
    l->dirty = true;
    (void)uv_run(&l->uv, UV_RUN_DEFAULT); /* handles are left on purpose */
}

void os_loop_stop(struct os_loop *l)
{
    uv_stop(&l->uv);
}

void os_loop_free(struct os_loop *l)
{
    if (l == NULL)
        return;
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_close((uv_handle_t *)&l->timer, NULL);
    /* Handles close in one round; a stop that nobody ran into takes one more.
     * The assert below tells of handles that nobody has closed. */
    for (int i = 0; i < 3; i++)
        (void)uv_run(&l->uv, UV_RUN_NOWAIT);
    int busy = uv_loop_close(&l->uv);
    assert(busy == 0);
    timer_heap_release(&l->timers);
    mem_free(l);
}

struct clock *os_loop_clock(struct os_loop *l)
{
    return &l->clock;
}

struct uv_loop_s *os_loop_uv(struct os_loop *l)
{
    return &l->uv;
}

struct mtime os_loop_enter(struct os_loop *l)
{
    l->dirty = true;
    return loop_now(l);
}

void os_loop_hook_add(struct os_loop *l, struct os_loop_hook *h,
                      enum os_loop_stage stage)
{
    list_add_tail(stage == OS_LOOP_WORK ? &l->work : &l->finals, &h->link);
}

void os_loop_hook_remove(struct os_loop_hook *h)
{
    list_remove(&h->link);
}

void os_loop_defer(struct os_loop *l, struct os_loop_task *task)
{
    if (list_empty(&task->link))
        list_add_tail(&l->tasks, &task->link);
}

void os_loop_cancel(struct os_loop_task *task)
{
    list_remove(&task->link);
}
