#include "sim/heap.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

enum { ROOM_FIRST = 8 };

void sim_heap_init(struct sim_heap *h)
{
    *h = (struct sim_heap){.places = NULL};
}

void sim_heap_release(struct sim_heap *h)
{
    mem_free(h->places);
    sim_heap_init(h);
}

static bool before(const struct sim_heap_place *a,
                   const struct sim_heap_place *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static void put(struct sim_heap *h, size_t index, struct sim_heap_place p)
{
    h->places[index] = p;
    p.timer->place = index + 1;
}

/* Moves @t, whose place at @index is free, to where it belongs. */
static void settle(struct sim_heap *h, size_t index, struct timer *t)
{
    struct sim_heap_place p = {.at_ns = t->at.ns, .seq = t->seq, .timer = t};

    while (index > 0 && before(&p, &h->places[(index - 1) / 2])) {
        put(h, index, h->places[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (size_t child = 2 * index + 1; child < h->count;
         child = 2 * index + 1) {
        if (child + 1 < h->count &&
            before(&h->places[child + 1], &h->places[child]))
            child++;
        if (!before(&h->places[child], &p))
            break;
        put(h, index, h->places[child]);
        index = child;
    }
    put(h, index, p);
}

static void unset(struct sim_heap *h, struct timer *t)
{
    size_t index = t->place - 1;
    assert(index < h->count);
    assert(h->places[index].timer == t);

    struct timer *last = h->places[--h->count].timer;
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
        h->places = mem_resize(h->places, h->room, sizeof(h->places[0]));
    }
    h->count++;
    settle(h, h->count - 1, t);
}

struct timer *sim_heap_first(const struct sim_heap *h)
{
    return h->count == 0 ? NULL : h->places[0].timer;
}
