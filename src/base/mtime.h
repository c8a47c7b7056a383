#ifndef BASE_MTIME_H
#define BASE_MTIME_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct mtime - point on the node's monotonic clock.
 *
 * Zero is when the node started.  Only os/ and sim/ make these; everything
 * else is handed one.  A struct, so that it cannot be mixed up with a length
 * of time or with wall-clock time.
 */
struct mtime {
    uint64_t ns;
};

/** MTIME_NEVER - later than every time; the deadline of one who waits. */
#define MTIME_NEVER ((struct mtime){UINT64_MAX})

/** mtime_add_ms - @t and @ms milliseconds. */
static inline struct mtime mtime_add_ms(struct mtime t, uint32_t ms)
{
    return (struct mtime){t.ns + UINT64_C(1000000) * ms};
}

/** mtime_reached - true when @now is at or past @deadline. */
static inline bool mtime_reached(struct mtime now, struct mtime deadline)
{
    return now.ns >= deadline.ns;
}

/** mtime_before - true when @a is earlier than @b. */
static inline bool mtime_before(struct mtime a, struct mtime b)
{
    return a.ns < b.ns;
}

/** mtime_min - the earlier of @a and @b. */
static inline struct mtime mtime_min(struct mtime a, struct mtime b)
{
    return a.ns < b.ns ? a : b;
}

/** mtime_ms_since - whole milliseconds from @then to @now, 0 if not later. */
static inline uint64_t mtime_ms_since(struct mtime then, struct mtime now)
{
    return now.ns > then.ns ? (now.ns - then.ns) / UINT64_C(1000000) : 0;
}

#endif /* BASE_MTIME_H */
