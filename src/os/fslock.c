#include "os/fslock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "os/errno_err.h"

enum { PID_TEXT_MAX = 16, TRY_MS = 20, NS_PER_MS = 1000 * 1000 };

static int open_lock(const char *path, int flags)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Return: OK; E_AGAIN somebody holds it; or what went wrong. */
static enum err try_lock(int fd, bool exclusive)
{
    int failed;

    do
        failed = flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
    while (failed != 0 && errno == EINTR);
    if (failed == 0)
        return OK;
    return errno == EWOULDBLOCK ? E_AGAIN : err_of_errno(errno);
}

static uint64_t now_ms(void)
{
    struct timespec t = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* it is there on Linux */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / NS_PER_MS;
}

/* flock() itself cannot wait for a limited time. */
static enum err lock_in_time(int fd, bool exclusive, uint32_t timeout_ms)
{
    const struct timespec pause = {.tv_nsec = (long)TRY_MS * NS_PER_MS};
    uint64_t end_ms = now_ms() + timeout_ms;
    enum err err = try_lock(fd, exclusive);

    while (err == E_AGAIN && now_ms() < end_ms) {
        (void)nanosleep(&pause, NULL); /* waking early does no harm */
        err = try_lock(fd, exclusive);
    }
    return err;
}

static uint32_t read_pid(int fd)
{
    char text[PID_TEXT_MAX] = "";
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    unsigned long pid = len <= 0 ? 0 : strtoul(text, NULL, 10);

    return pid > INT32_MAX ? 0 : (uint32_t)pid;
}

/* For people only, so that a full disk is no reason to fail. */
static void write_pid(int fd)
{
    char text[PID_TEXT_MAX];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)len, 0);
}

enum err fslock_open(const char *path, bool exclusive, uint32_t timeout_ms,
                     struct fslock *ret_lock, uint32_t *ret_pid)
{
    int fd = open_lock(path, O_RDWR | O_CREAT);

    if (fd < 0)
        return err_of_errno(errno);
    enum err err = lock_in_time(fd, exclusive, timeout_ms);
    if (err == E_AGAIN && ret_pid != NULL)
        *ret_pid = read_pid(fd);
    if (err != OK) {
        (void)close(fd); /* nothing was written */
        return err;
    }
    if (exclusive)
        write_pid(fd);
    ret_lock->fd = fd;
    return OK;
}

enum err fslock_holder(const char *path, uint32_t *ret_pid)
{
    int fd = open_lock(path, O_RDONLY);

    if (fd < 0)
        return err_of_errno(errno);
    enum err err = try_lock(fd, false);
    if (err == E_AGAIN)
        *ret_pid = read_pid(fd);
    (void)close(fd); /* nothing was written */
    if (err == E_AGAIN)
        return OK;
    return err == OK ? E_NOTFOUND : err;
}

void fslock_release(struct fslock *lock)
{
    if (lock->fd >= 0)
        (void)close(lock->fd); /* ends the lock */
    lock->fd = -1;
}
