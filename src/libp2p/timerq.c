#include "libp2p/timerq.h"

#include <assert.h>
#include <stdint.h>

#include "base/mem.h"

enum { ROOM_MIN = 16 };

static void put(struct timerq *q, size_t index, struct timer *t)
{
    q->heap[index] = t;
    t->place = index + 1;
}

static void rise(struct timerq *q, size_t index, struct timer *t)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!mtime_before(t->at, q->heap[parent]->at))
            break;
        put(q, index, q->heap[parent]);
        index = parent;
    }
    put(q, index, t);
}

static void sink(struct timerq *q, size_t index, struct timer *t)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= q->count)
            break;
        if (child + 1 < q->count &&
            mtime_before(q->heap[child + 1]->at, q->heap[child]->at))
            child++;
        if (!mtime_before(q->heap[child]->at, t->at))
            break;
        put(q, index, q->heap[child]);
        index = child;
    }
    put(q, index, t);
}

void timerq_release(struct timerq *q)
{
    for (size_t i = 0; i < q->count; i++)
        q->heap[i]->place = 0;
    mem_free(q->heap);
    *q = (struct timerq){.heap = NULL};
}

void timerq_set(struct timerq *q, struct timer *t, struct mtime at)
{
    timerq_unset(q, t);
    if (q->count == q->room) {
        q->room = q->room > 0 ? q->room * 2 : ROOM_MIN;
        q->heap = mem_resize((void *)q->heap, q->room, sizeof(struct timer *));
    }
    t->at = at;
    q->count++;
    rise(q, q->count - 1, t);
}

void timerq_unset(struct timerq *q, struct timer *t)
{
    if (t->place == 0)
        return;
    size_t index = t->place - 1;
    assert(index < q->count);
    struct timer *last = q->heap[q->count - 1];

    t->place = 0;
    q->count--;
    if (last == t)
        return;
    if (index > 0 && mtime_before(last->at, q->heap[(index - 1) / 2]->at))
        rise(q, index, last);
    else
        sink(q, index, last);
}

bool timer_is_set(const struct timer *t)
{
    return t->place != 0;
}

struct mtime timerq_deadline(const struct timerq *q)
{
    return q->count > 0 ? q->heap[0]->at : MTIME_NEVER;
}

struct timer *timerq_pop(struct timerq *q, struct mtime now)
{
    if (q->count == 0 || !mtime_reached(now, q->heap[0]->at))
        return NULL;
    struct timer *t = q->heap[0];
    timerq_unset(q, t);
    return t;
}
