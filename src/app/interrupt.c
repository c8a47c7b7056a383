#include "app/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t signals(void)
{
    sigset_t set;
    struct sigaction hup;

    (void)sigemptyset(&set); /* these fail for bad numbers only */
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    /* The terminal has gone; who started us with nohup does not care. */
    (void)sigaction(SIGHUP, NULL, &hup);
    if (hup.sa_handler != SIG_IGN)
        (void)sigaddset(&set, SIGHUP);
    return set;
}

enum err interrupt_open(int *ret_fd)
{
    sigset_t set = signals();

    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return E_IO;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? E_LIMIT : E_IO;
    *ret_fd = fd;
    return OK;
}

bool interrupt_seen(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return fd >= 0 && poll(&p, 1, 0) == 1;
}

void interrupt_close(int fd)
{
    sigset_t set = signals();
    struct signalfd_siginfo info;

    if (fd < 0)
        return;
    /* The first was heard; a second, for who can't wait, stays. */
    ssize_t n = read(fd, &info, sizeof(info));
    (void)n;                                        /* none: nothing came */
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* was blocked so */
    (void)close(fd);                                /* nothing to lose */
}
