#include "libp2p/rate.h"

enum { PARTS_KEPT = RATE_PARTS + 1 };

static uint32_t part_of(struct mtime now)
{
    /* Two seconds in 32 bits are 272 years. */
    return (uint32_t)(now.ns / (UINT64_C(1000000) * RATE_PART_MS));
}

void rate_add(struct rate *r, uint64_t bytes, struct mtime now)
{
    uint32_t part = part_of(now);
    uint32_t passed = part - r->last;

    for (uint32_t i = 1; i <= passed && i <= PARTS_KEPT; i++)
        r->parts[(r->last + i) % PARTS_KEPT] = 0;
    r->last = part;
    uint32_t *p = &r->parts[part % PARTS_KEPT];
    *p = bytes > UINT32_MAX - *p ? UINT32_MAX : *p + (uint32_t)bytes;
}

uint64_t rate_per_s(const struct rate *r, struct mtime now)
{
    uint32_t part = part_of(now);
    uint64_t sum = 0;

    /* Whole parts before this one, of which those up to the last are there. */
    for (uint32_t back = 1; back <= RATE_PARTS && back <= part; back++) {
        uint32_t age = r->last - (part - back); /* wraps for later ones */
        if (age < PARTS_KEPT)
            sum += r->parts[(part - back) % PARTS_KEPT];
    }
    return sum * 1000 / ((uint64_t)RATE_PARTS * RATE_PART_MS);
}
