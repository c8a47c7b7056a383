#include "sim/heap.h"

#include <assert.h>
#include <stdbool.h>

#include "base/mem.h"

enum { ROOM_FIRST = 8 };

void sim_heap_init(struct sim_heap *h)
{
    *h = (struct sim_heap){.timers = NULL};
}

void sim_heap_release(struct sim_heap *h)
{
    mem_free(h->timers);
    sim_heap_init(h);
}

static bool before(const struct timer *a, const struct timer *b)
{
    if (a->at.ns != b->at.ns)
        return mtime_before(a->at, b->at);
    return a->seq < b->seq;
}

static void put(struct sim_heap *h, size_t index, struct timer *t)
{
    h->timers[index] = t;
    t->place = index + 1;
}

/* Moves @t, whose place at @index is free, to where it belongs. */
static void settle(struct sim_heap *h, size_t index, struct timer *t)
{
    while (index > 0 && before(t, h->timers[(index - 1) / 2])) {
        put(h, index, h->timers[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (size_t child = 2 * index + 1; child < h->count;
         child = 2 * index + 1) {
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

static void unset(struct sim_heap *h, struct timer *t)
{
    size_t index = t->place - 1;
    assert(index < h->count);
    assert(h->timers[index] == t);

    struct timer *last = h->timers[--h->count];
    t->place = 0;
    t->at = MTIME_NEVER;
    if (last != t)
        settle(h, index, last);
}

void sim_heap_set(struct sim_heap *h, struct timer *t, struct mtime at,
                  uint64_t seq)
{
    if (at.ns == MTIME_NEVER.ns) {
        if (t->place != 0)
            unset(h, t);
        return;
    }
    t->at = at;
    t->seq = seq;
    if (t->place != 0) {
        settle(h, t->place - 1, t);
        return;
    }
    if (h->count == h->room) {
        h->room = h->room == 0 ? ROOM_FIRST : 2 * h->room;
        h->timers = mem_resize(h->timers, h->room, sizeof(struct timer *));
    }
    h->count++;
    settle(h, h->count - 1, t);
}

struct timer *sim_heap_first(const struct sim_heap *h)
{
    return h->count == 0 ? NULL : h->timers[0];
}
