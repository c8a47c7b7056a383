#ifndef OS_SDNOTIFY_H
#define OS_SDNOTIFY_H

#include "base/attr.h"
#include "base/err.h"

/**
 * sd_notify_state - tell the service manager, if there is one.
 * @state: as "READY=1" or "STOPPING=1\nSTATUS=..."
 *
 * Return: OK, also without NOTIFY_SOCKET; E_REFUSED, E_LIMIT, E_IO.
 * Spec: sd_notify(3): one datagram to the Unix socket that the environment
 * names; a first character '@' stands for the abstract namespace.
 */
MUST_USE enum err sd_notify_state(const char *state);

#endif /* OS_SDNOTIFY_H */
