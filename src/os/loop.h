#ifndef OS_LOOP_H
#define OS_LOOP_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "env/clock.h"

/*
 * loop - the event loop of the process, its clock and its turns.
 *
 * One turn: `now` is taken -> events are delivered -> deferred tasks -> due
 * timers -> hooks -> finals -> sleep until the next event or deadline.  No
 * hook makes the loop spin: a turn follows at once only where a callback was
 * delivered after the hooks, or where a task was deferred.
 *
 * Threads: the one that runs it.
 */
struct os_loop;
struct uv_loop_s;

/**
 * struct os_loop_hook - called once in each turn, after its events.
 *
 * The node drains its cores here.  Set @turn_end, then os_loop_hook_add();
 * caller's memory until os_loop_hook_remove().
 */
struct os_loop_hook {
    void (*turn_end)(struct os_loop_hook *h, struct mtime now);
    struct list link; /* private */
};

/** enum os_loop_stage - hooks of a later stage come after all the earlier. */
enum os_loop_stage {
    OS_LOOP_WORK,  /* the node: what follows from this turn's events */
    OS_LOOP_FINAL, /* os/: hand out what the node queued: sends, pool jobs */
};

/**
 * struct os_loop_task - something to do later in this turn or in the next,
 * outside of every call.  Set @run and list_init(&task.link); caller's memory
 * until it ran or os_loop_cancel().
 */
struct os_loop_task {
    void (*run)(struct os_loop_task *task, struct mtime now);
    struct list link; /* private */
};

/** os_loop_open - new loop.  Return: OK; E_LIMIT no descriptors; E_IO. */
MUST_USE enum err os_loop_open(struct os_loop **ret_loop);

/** os_loop_run - turn until os_loop_stop(). */
void os_loop_run(struct os_loop *l);

/** os_loop_stop - make os_loop_run() return after this turn. */
void os_loop_stop(struct os_loop *l);

/**
 * os_loop_free - close; every owner of a handle has asked to close it before.
 * Runs the loop until they are.  NULL does nothing.
 */
void os_loop_free(struct os_loop *l);

/** os_loop_clock - the clock, which lives as long as the loop. */
struct clock *os_loop_clock(struct os_loop *l);

/** os_loop_uv - libuv's loop, for handles of others in os/. */
struct uv_loop_s *os_loop_uv(struct os_loop *l);

/**
 * os_loop_enter - `now`, for who is about to deliver a callback from libuv.
 *
 * It also makes sure that the hooks are called after it before the loop
 * sleeps.  From inside a hook or a call of the node use the clock instead.
 */
struct mtime os_loop_enter(struct os_loop *l);

/** os_loop_hook_add - call @h from now on; equal stages in order of adding. */
void os_loop_hook_add(struct os_loop *l, struct os_loop_hook *h,
                      enum os_loop_stage stage);

/** os_loop_hook_remove - stop; not from inside a hook of the same stage. */
void os_loop_hook_remove(struct os_loop_hook *h);

/** os_loop_defer - run @task soon; nothing when it waits already. */
void os_loop_defer(struct os_loop *l, struct os_loop_task *task);

/** os_loop_cancel - @task is not run; harmless when it does not wait. */
void os_loop_cancel(struct os_loop_task *task);

#endif /* OS_LOOP_H */
