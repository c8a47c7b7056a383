#include "libp2p/bucket.h"

static void refill(struct bucket *b, struct bucket_rate rate, struct mtime now)
{
    uint64_t ms = mtime_ms_since(b->at, now);
    if (ms == 0)
        return;
    /* A second more or less does not matter; the product cannot overflow. */
    uint64_t ms_full = b->used_milli / rate.per_second + 1;
    uint64_t back = ms >= ms_full ? b->used_milli : ms * rate.per_second;

    b->used_milli -= back < b->used_milli ? back : b->used_milli;
    b->at = now;
}

bool bucket_take(struct bucket *b, struct bucket_rate rate, uint32_t tokens,
                 struct mtime now)
{
    refill(b, rate, now);
    uint64_t used = b->used_milli + UINT64_C(1000) * tokens;
    if (used > UINT64_C(1000) * rate.burst)
        return false;
    b->used_milli = used;
    return true;
}
