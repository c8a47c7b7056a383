#ifndef OS_DISK_PACE_H
#define OS_DISK_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * disk_pace - whether a device keeps up with what is written to it directly.
 *
 * A fast one takes bytes as they come, and costs less than the page cache.
 * Behind a slow one (a turning disk, one across a network) writers would
 * wait, and the page cache is what they want.
 */

enum {
    DISK_PACE_BYTES_MIN = 64 * 1024 * 1024, /* before that none is slow */
    DISK_PACE_BYTES_PER_MS = 128 * 1024,    /* a slow one takes fewer */
};

/** struct disk_pace - zeroed to begin with; used by several threads at once. */
struct disk_pace {
    atomic_uint_fast64_t bytes;
    atomic_uint_fast64_t ns;
};

/** disk_pace_note - @bytes were written in @ns nanoseconds. */
void disk_pace_note(struct disk_pace *p, uint64_t bytes, uint64_t ns);

/** disk_pace_is_slow - on the average of all that was noted. */
bool disk_pace_is_slow(struct disk_pace *p);

#endif /* OS_DISK_PACE_H */
