#ifndef OS_OS_ENV_H
#define OS_OS_ENV_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mtime.h"
#include "env/env.h"

struct os_loop;

/** struct os_config - how the process meets the system. */
struct os_config {
    unsigned pool_threads; /* 0: cores + 4 */

    /* Name servers to ask, as os_dns_set_servers() has them; NULL: those of
     * the system. */
    const char *dns_servers;

    /** @on_signal: SIGTERM, SIGINT or SIGHUP came; on the loop.  NULL leaves
     * the three as they are. */
    void (*on_signal)(void *user, int signum, struct mtime now);
    void *user;
};

/**
 * struct os_env - Linux, as the structs of env/.
 *
 * SIGPIPE is ignored from os_env_open() on.  Order at the end: stop the node
 * and run the loop until its jobs and sockets are done, os_env_stop(), free
 * the node, os_env_free().
 */
struct os_env {
    struct env env;
    struct os_loop *loop; /* hooks: os/loop.h */
};

/** os_env_open - loop, clock, pool, files, kv, net and http.
 * Return: OK; E_MALFORMED @config's dns_servers; E_LIMIT no descriptors; E_IO.
 */
MUST_USE enum err os_env_open(const struct os_config *config,
                              struct os_env **ret_env);

/** os_env_set_dns_servers - as dns_servers of the config, where that is read
 * later; before the first lookup.  Return: OK; E_MALFORMED. */
MUST_USE enum err os_env_set_dns_servers(struct os_env *e, const char *servers);

/** os_env_run - turn the loop until os_env_stop(). */
void os_env_run(struct os_env *e);

/** os_env_stop - make os_env_run() return after this turn. */
void os_env_stop(struct os_env *e);

/** os_env_is_busy - whether pool jobs are under way, whose done is to come. */
bool os_env_is_busy(struct os_env *e);

/**
 * os_env_free - wait for pool jobs that run (their done and those of queued
 * ones are not called any more), close all; NULL does nothing.
 */
void os_env_free(struct os_env *e);

#endif /* OS_OS_ENV_H */
