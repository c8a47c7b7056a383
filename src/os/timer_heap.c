#include "os/timer_heap.h"

#include <assert.h>

#include "base/mem.h"

enum { ROOM_FIRST = 16 };

void timer_heap_init(struct timer_heap *h)
{
    *h = (struct timer_heap){.timers = NULL};
}

void timer_heap_release(struct timer_heap *h)
{
    mem_free(h->timers);
    timer_heap_init(h);
}

static bool before(const struct timer *a, const struct timer *b)
{
    if (a->at.ns != b->at.ns)
        return mtime_before(a->at, b->at);
    return a->seq < b->seq;
}

static void put(struct timer_heap *h, size_t index, struct timer *t)
{
    h->timers[index] = t;
    t->place = index + 1;
}

/* Moves @t, whose place at @index is free, towards the root. */
static void sift_up(struct timer_heap *h, size_t index, struct timer *t)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!before(t, h->timers[parent]))
            break;
        put(h, index, h->timers[parent]);
        index = parent;
    }
    put(h, index, t);
}

/* Moves @t, whose place at @index is free, towards the leaves. */
static void sift_down(struct timer_heap *h, size_t index, struct timer *t)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count &&
            before(h->timers[child + 1], h->timers[child]))
            child++;
        if (!before(h->timers[child], t))
            break;
        put(h, index, h->timers[child]);
        index = child;
    }
    put(h, index, t);
}

static void unset(struct timer_heap *h, struct timer *t)
{
    size_t index = t->place - 1;
    assert(index < h->count);
    assert(h->timers[index] == t);

    struct timer *last = h->timers[--h->count];
    t->place = 0;
    t->at = MTIME_NEVER;
    if (last == t)
        return;
    if (index > 0 && before(last, h->timers[(index - 1) / 2]))
        sift_up(h, index, last);
    else
        sift_down(h, index, last);
}

void timer_heap_set(struct timer_heap *h, struct timer *t, struct mtime at)
{
    if (t->place != 0)
        unset(h, t);
    if (at.ns == MTIME_NEVER.ns)
        return;
    if (h->count == h->room) {
        h->room = h->room == 0 ? ROOM_FIRST : 2 * h->room;
        h->timers = mem_resize(h->timers, h->room, sizeof(struct timer *));
    }
    t->at = mtime_before(at, h->past) ? h->past : at;
    t->seq = h->seq++;
    h->count++;
    sift_up(h, h->count - 1, t);
}

struct mtime timer_heap_first(const struct timer_heap *h)
{
    return h->count == 0 ? MTIME_NEVER : h->timers[0]->at;
}

void timer_heap_fire(struct timer_heap *h, struct mtime now)
{
    uint64_t seq_end = h->seq;

    h->past = now;
    while (h->count > 0) {
        struct timer *t = h->timers[0];
        if (!mtime_reached(now, t->at) || t->seq >= seq_end)
            break;
        unset(h, t);
        t->fire(t, now);
    }
}
