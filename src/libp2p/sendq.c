#include "libp2p/sendq.h"

#include <assert.h>

#include "base/mem.h"

enum { ROOM_MIN = 4 };

void sendq_release(struct sendq *q)
{
    for (size_t i = 0; i < q->count; i++)
        slice_release(&q->ring[(q->first + i) & (q->room - 1)]);
    mem_free(q->ring);
    *q = (struct sendq){.ring = NULL};
}

static void grow(struct sendq *q)
{
    size_t room = q->room > 0 ? q->room * 2 : ROOM_MIN;
    struct slice *ring = mem_zalloc(room, sizeof(*ring));

    for (size_t i = 0; i < q->count; i++)
        ring[i] = q->ring[(q->first + i) & (q->room - 1)];
    mem_free(q->ring);
    q->ring = ring;
    q->room = room;
    q->first = 0;
}

void sendq_push(struct sendq *q, struct slice slice)
{
    if (slice.bytes.len == 0) {
        slice_release(&slice);
        return;
    }
    if (q->count == q->room)
        grow(q);
    q->ring[(q->first + q->count) & (q->room - 1)] = slice;
    q->count++;
    q->bytes += slice.bytes.len;
}

struct slice sendq_take(struct sendq *q, size_t max)
{
    assert(q->count > 0);
    struct slice *front = &q->ring[q->first];

    if (front->bytes.len <= max) {
        struct slice whole = *front;
        q->first = (q->first + 1) & (q->room - 1);
        q->count--;
        q->bytes -= whole.bytes.len;
        return whole;
    }
    struct slice part = slice_ref(front);
    part.bytes.len = max;
    front->bytes.p += max;
    front->bytes.len -= max;
    q->bytes -= max;
    return part;
}
