#include "os/fslock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "os/clock_ns.h"
#include "os/errno_err.h"

enum {
    PID_TEXT_MAX = 16,
    TRY_MS = 20,
    NS_PER_MS = 1000 * 1000,
    LINE_BYTES = 256,
};

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

/* flock() itself cannot wait for a limited time. */
static enum err lock_in_time(int fd, bool exclusive, uint32_t timeout_ms)
{
    const struct timespec pause = {.tv_nsec = (long)TRY_MS * NS_PER_MS};
    uint64_t end_ms = os_clock_ns(CLOCK_MONOTONIC) / NS_PER_MS + timeout_ms;
    enum err err = try_lock(fd, exclusive);

    while (err == E_AGAIN &&
           os_clock_ns(CLOCK_MONOTONIC) / NS_PER_MS < end_ms) {
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

/* True when @line of /proc/locks tells of a flock on @st that is held, not
 * waited for: "1: FLOCK  ADVISORY  READ 4711 08:02:131077 0 EOF". */
static bool is_lock_of(const char *line, const struct stat *st,
                       uint32_t *ret_pid)
{
    char kind[LINE_BYTES];
    unsigned major_no;
    unsigned minor_no;
    unsigned long inode;
    long pid;

    /* A line that is waited for has "->" in the second place. */
    if (sscanf(line, "%*s %255s %*s %*s %ld %x:%x:%lu", /* NOLINT: kernel's */
               kind, &pid, &major_no, &minor_no, &inode) != 5 ||
        strcmp(kind, "FLOCK") != 0 || inode != st->st_ino ||
        major_no != major(st->st_dev) || minor_no != minor(st->st_dev) ||
        pid <= 0 || pid > INT32_MAX)
        return false;
    *ret_pid = (uint32_t)pid;
    return true;
}

/* Pid of one of those that hold @fd; 0: the kernel does not tell, as of a file
 * system that others see under another number. */
static uint32_t ask_kernel(int fd)
{
    char line[LINE_BYTES];
    struct stat st;
    uint32_t pid = 0;
    FILE *locks = fopen("/proc/locks", "re");

    if (locks == NULL)
        return 0;
    if (fstat(fd, &st) == 0)
        while (fgets(line, sizeof(line), locks) != NULL)
            if (is_lock_of(line, &st, &pid))
                break;
    (void)fclose(locks); /* it was only read */
    return pid;
}

/* Who is in the way.  Who shares the lock leaves no pid in the file: what it
 * holds then is of one who has ended. */
static uint32_t find_holder(int fd)
{
    uint32_t pid = ask_kernel(fd);

    if (pid != 0 || try_lock(fd, false) == OK)
        return pid;
    return read_pid(fd);
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
    int fd = open_lock(path, exclusive ? O_RDWR | O_CREAT : O_RDONLY);

    if (fd < 0 && !exclusive && errno == ENOENT)
        fd = open_lock(path, O_RDWR | O_CREAT);
    if (fd < 0)
        return err_of_errno(errno);
    enum err err = lock_in_time(fd, exclusive, timeout_ms);
    if (err == E_AGAIN && ret_pid != NULL)
        *ret_pid = find_holder(fd);
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
