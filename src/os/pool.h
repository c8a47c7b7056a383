#ifndef OS_POOL_H
#define OS_POOL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "env/pool.h"

struct os_loop;

/*
 * pool - struct pool on threads.
 *
 * Threads are started when jobs wait and nobody is free, up to the limit, with
 * small stacks (OS_POOL_STACK_BYTES): jobs keep no large arrays there.
 */
enum {
    OS_POOL_THREADS_MAX = 64,
    OS_POOL_DISK_MAX = 4, /* disk jobs at once; fewer where threads are few */
    OS_POOL_STACK_BYTES = 256 * 1024,
};

struct os_pool;

/**
 * os_pool_open - pool whose jobs come back through @loop.
 * @threads: 1 to OS_POOL_THREADS_MAX, or 0 for cores + 4; more are cut.
 * Return: OK; E_LIMIT no descriptors; E_IO.
 */
MUST_USE enum err os_pool_open(struct os_loop *loop, unsigned threads,
                               struct os_pool **ret_pool);

/** os_pool_env - the pool as the node sees it. */
struct pool *os_pool_env(struct os_pool *p);

/** os_pool_is_busy - whether the done of a job is still to come. */
bool os_pool_is_busy(const struct os_pool *p);

/**
 * os_pool_free - wait for the jobs that run, drop those that wait, end the
 * threads; no done is called any more.  NULL does nothing.
 */
void os_pool_free(struct os_pool *p);

#endif /* OS_POOL_H */
