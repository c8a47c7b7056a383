#include "libp2p/timerq.h"

#include <assert.h>
#include <stdint.h>

#include "base/mem.h"

enum { ROOM_MIN = 16 };

static void put(struct timerq *q, size_t index, struct timerq_place p)
{
    q->heap[index] = p;
    p.timer->place = index + 1;
}

static void rise(struct timerq *q, size_t index, struct timerq_place p)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!mtime_before(p.at, q->heap[parent].at))
            break;
        put(q, index, q->heap[parent]);
        index = parent;
    }
    put(q, index, p);
}

static void sink(struct timerq *q, size_t index, struct timerq_place p)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= q->count)
            break;
        if (child + 1 < q->count &&
            mtime_before(q->heap[child + 1].at, q->heap[child].at))
            child++;
        if (!mtime_before(q->heap[child].at, p.at))
            break;
        put(q, index, q->heap[child]);
        index = child;
    }
    put(q, index, p);
}

/* Puts @p, for which @index is free, to where it belongs. */
static void settle(struct timerq *q, size_t index, struct timerq_place p)
{
    if (index > 0 && mtime_before(p.at, q->heap[(index - 1) / 2].at))
        rise(q, index, p);
    else
        sink(q, index, p);
}

void timerq_release(struct timerq *q)
{
    for (size_t i = 0; i < q->count; i++)
        q->heap[i].timer->place = 0;
    mem_free(q->heap);
    *q = (struct timerq){.heap = NULL};
}

void timerq_set(struct timerq *q, struct timer *t, struct mtime at)
{
    struct timerq_place p = {.at = at, .timer = t};

    t->at = at;
    if (t->place != 0) {
        settle(q, t->place - 1, p);
        return;
    }
    if (q->count == q->room) {
        q->room = q->room > 0 ? q->room * 2 : ROOM_MIN;
        q->heap = mem_resize(q->heap, q->room, sizeof(q->heap[0]));
    }
    q->count++;
    rise(q, q->count - 1, p);
}

void timerq_unset(struct timerq *q, struct timer *t)
{
    if (t->place == 0)
        return;
    size_t index = t->place - 1;
    assert(index < q->count);
    struct timerq_place last = q->heap[q->count - 1];

    t->place = 0;
    q->count--;
    if (last.timer != t)
        settle(q, index, last);
}

bool timer_is_set(const struct timer *t)
{
    return t->place != 0;
}

struct mtime timerq_deadline(const struct timerq *q)
{
    return q->count > 0 ? q->heap[0].at : MTIME_NEVER;
}

struct timer *timerq_pop(struct timerq *q, struct mtime now)
{
    if (q->count == 0 || !mtime_reached(now, q->heap[0].at))
        return NULL;
    struct timer *t = q->heap[0].timer;
    timerq_unset(q, t);
    return t;
}
