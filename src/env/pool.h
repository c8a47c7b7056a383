#ifndef ENV_POOL_H
#define ENV_POOL_H

#include "base/list.h"
#include "base/mtime.h"

/*
 * pool - runs slow work off the loop.
 *
 * A job owns its input and output and touches nothing else; the only structs
 * of the outside world that @run may use are struct disk and its files.  It
 * never takes or drops a reference to a buf.
 */

enum pool_kind {
    POOL_CPU,  /* hash, signature: as many at once as there are threads */
    POOL_DISK, /* reads and writes: at most 4 at once */
};

/** struct pool_job - embedded in the op that waits; stays put until @done. */
struct pool_job {
    /** @run: the work, in some thread. */
    void (*run)(struct pool_job *job);

    /** @done: on the loop, exactly once for each submit. */
    void (*done)(struct pool_job *job, struct mtime now);

    enum pool_kind kind; /* private */
    struct list link;    /* private */
};

/** struct pool - threads.  Threads: submit on the loop only. */
struct pool {
    /**
     * @submit: queue @job, whose callbacks are set.  Jobs of one kind start
     * in the order of submission and may end in any.
     */
    void (*submit)(struct pool *p, struct pool_job *job, enum pool_kind kind);
};

#endif /* ENV_POOL_H */
