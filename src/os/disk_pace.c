#include "os/disk_pace.h"

enum { NS_PER_MS = 1000 * 1000 };

/* The two counters may be seen at different times: an average does not mind. */

void disk_pace_note(struct disk_pace *p, uint64_t bytes, uint64_t ns)
{
    atomic_fetch_add_explicit(&p->bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->ns, ns, memory_order_relaxed);
}

bool disk_pace_is_slow(struct disk_pace *p)
{
    uint64_t bytes = atomic_load_explicit(&p->bytes, memory_order_relaxed);
    uint64_t ms =
        atomic_load_explicit(&p->ns, memory_order_relaxed) / NS_PER_MS;

    return bytes >= DISK_PACE_BYTES_MIN && ms > bytes / DISK_PACE_BYTES_PER_MS;
}
