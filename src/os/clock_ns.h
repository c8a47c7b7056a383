#ifndef OS_CLOCK_NS_H
#define OS_CLOCK_NS_H

#include <stdint.h>
#include <time.h>

/** os_clock_ns - what a clock of the system shows, in nanoseconds.
 * @which: CLOCK_MONOTONIC or CLOCK_REALTIME. */
uint64_t os_clock_ns(clockid_t which);

#endif /* OS_CLOCK_NS_H */
