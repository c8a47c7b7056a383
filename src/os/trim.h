#ifndef OS_TRIM_H
#define OS_TRIM_H

#include <stdbool.h>

#include "base/mtime.h"
#include "env/clock.h"
#include "os/loop.h"

/**
 * struct os_trim - gives memory back to the system when a rush is over.
 *
 * Freed memory is kept at first: the next block of 1 MiB would pay for each of
 * its pages again, which costs more than to hash it.  One second after the
 * last turn that followed another within a tenth of a second it is given back,
 * and after five where there is no end to the rush.
 */
struct os_trim {
    struct os_loop *loop; /* private, as all */
    struct os_loop_hook hook;
    struct timer timer;
    struct mtime last; /* turn */
    bool is_due;       /* the timer is set */
    struct mtime due;  /* since when */
};

/** os_trim_process - set up the allocator; before any thread is started. */
void os_trim_process(void);

/** os_trim_init - begin; caller's memory until os_trim_release(). */
void os_trim_init(struct os_trim *t, struct os_loop *loop);

/** os_trim_release - end. */
void os_trim_release(struct os_trim *t);

#endif /* OS_TRIM_H */
