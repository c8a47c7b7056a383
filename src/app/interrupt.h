#ifndef APP_INTERRUPT_H
#define APP_INTERRUPT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/*
 * interrupt - Ctrl-C as something to wait for, so that a command can end its
 * work and say what it keeps.
 */

/**
 * interrupt_open - from now on SIGINT, SIGTERM and, unless it is ignored,
 * SIGHUP make @ret_fd readable instead of ending the process.
 *
 * Return: OK; E_LIMIT no descriptors; E_IO.
 */
MUST_USE enum err interrupt_open(int *ret_fd);

/** interrupt_seen - whether a signal came; waits for nothing; @fd -1: no. */
bool interrupt_seen(int fd);

/** interrupt_close - signals end the process again, at once when one came a
 * second time; @fd -1 does nothing. */
void interrupt_close(int fd);

#endif /* APP_INTERRUPT_H */
