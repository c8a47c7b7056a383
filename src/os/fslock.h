#ifndef OS_FSLOCK_H
#define OS_FSLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/*
 * fslock - the `lock` file of a data folder, held by flock().
 *
 * The lock is the kernel's and ends with the process; the pid that the file
 * holds is for people only.  Who shares the lock writes nothing: the file need
 * only be readable.  Needs no loop.
 */
struct fslock {
    int fd; /* private: -1 when not held */
};

/**
 * fslock_open - lock file @path, made (mode 0600) where absent.
 * @exclusive: nobody else may hold it; else others may hold it shared.
 * @timeout_ms: how long to try; 0: once.
 * @ret_lock: the lock, until fslock_release() or the end of the process.
 * @ret_pid: of a holder when E_AGAIN, 0 where unknown; may be NULL.
 *
 * Return: OK; E_AGAIN another process holds it; E_NOTFOUND no such folder;
 * E_REFUSED, E_LIMIT, E_NOSPACE, E_IO.
 */
MUST_USE enum err fslock_open(const char *path, bool exclusive,
                              uint32_t timeout_ms, struct fslock *ret_lock,
                              uint32_t *ret_pid);

/**
 * fslock_holder - does somebody hold @path exclusively?  Waits for nobody.
 * @ret_pid: its pid, 0 where unknown.
 *
 * Return: OK, somebody does; E_NOTFOUND nobody does, or there is no file;
 * E_REFUSED, E_LIMIT, E_IO.
 */
MUST_USE enum err fslock_holder(const char *path, uint32_t *ret_pid);

/** fslock_release - give it back; the file stays. */
void fslock_release(struct fslock *lock);

#endif /* OS_FSLOCK_H */
