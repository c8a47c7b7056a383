#include "storage/keeper_heap.h"

#include <assert.h>

#include "base/mem.h"

enum { ROOM_MIN = 64, PLACE_MAX = (1 << 30) - 1 };

static bool is_before(const struct keeper_timer *a,
                      const struct keeper_timer *b)
{
    if (a->at.ns != b->at.ns)
        return a->at.ns < b->at.ns;
    return (uint32_t)(b->order - a->order) - 1 < UINT32_MAX / 2;
}

static void put_at(struct keeper_heap *h, size_t place, struct keeper_timer *t)
{
    h->items[place - 1] = t;
    t->place = (uint32_t)place & (uint32_t)PLACE_MAX;
}

static void sift_up(struct keeper_heap *h, struct keeper_timer *t)
{
    size_t place = t->place;
    while (place > 1 && is_before(t, h->items[place / 2 - 1])) {
        put_at(h, place, h->items[place / 2 - 1]);
        place /= 2;
    }
    put_at(h, place, t);
}

static void sift_down(struct keeper_heap *h, struct keeper_timer *t)
{
    size_t place = t->place;
    while (place * 2 <= h->count) {
        size_t child = place * 2;
        if (child < h->count && is_before(h->items[child], h->items[child - 1]))
            child++;
        if (!is_before(h->items[child - 1], t))
            break;
        put_at(h, place, h->items[child - 1]);
        place = child;
    }
    put_at(h, place, t);
}

void keeper_heap_release(struct keeper_heap *h)
{
    mem_free(h->items);
    *h = (struct keeper_heap){0};
}

void keeper_heap_unset(struct keeper_heap *h, struct keeper_timer *t)
{
    if (t->place == 0)
        return;
    assert(h->items[t->place - 1] == t);
    struct keeper_timer *last = h->items[--h->count];
    if (last != t) {
        put_at(h, t->place, last);
        sift_up(h, last);
        sift_down(h, last);
    }
    t->place = 0;
}

static void heap_set(struct keeper_heap *h, struct keeper_timer *t,
                     struct mtime at)
{
    keeper_heap_unset(h, t);
    if (at.ns == MTIME_NEVER.ns)
        return;
    if (h->count == h->room) {
        h->room = h->room == 0 ? ROOM_MIN : h->room * 2;
        h->items = mem_resize(h->items, h->room, sizeof(struct keeper_timer *));
    }
    t->at = at;
    t->order = h->orders++;
    put_at(h, ++h->count, t);
    sift_up(h, t);
}

void keeper_heap_sooner(struct keeper_heap *h, struct keeper_timer *t,
                        struct mtime at)
{
    if (t->place == 0 || mtime_before(at, t->at))
        heap_set(h, t, at);
}

struct mtime keeper_heap_first(const struct keeper_heap *h)
{
    return h->count == 0 ? MTIME_NEVER : h->items[0]->at;
}

struct keeper_timer *keeper_heap_take(struct keeper_heap *h, struct mtime now)
{
    if (h->count == 0 || !mtime_reached(now, h->items[0]->at))
        return NULL;
    struct keeper_timer *t = h->items[0];
    keeper_heap_unset(h, t);
    return t;
}
