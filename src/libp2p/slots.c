#include "libp2p/slots.h"

#include <assert.h>

#include "base/mem.h"

enum { ROOM_MIN = 16 };

struct slot {
    void *item;    /* NULL: free */
    uint32_t uses; /* how often it was given out */
    uint32_t next; /* of the free places, index + 1 */
};

void slots_release(struct slots *s)
{
    mem_free(s->table);
    *s = (struct slots){.table = NULL};
}

static void grow(struct slots *s)
{
    size_t room = s->room > 0 ? s->room * 2 : ROOM_MIN;
    assert(room < UINT32_MAX);
    s->table = mem_resize(s->table, room, sizeof(*s->table));
    for (size_t i = room; i > s->room; i--) {
        s->table[i - 1] = (struct slot){.next = s->free};
        s->free = (uint32_t)i;
    }
    s->room = room;
}

uint64_t slots_put(struct slots *s, void *item)
{
    assert(item != NULL);
    if (s->free == 0)
        grow(s);
    uint32_t place = s->free;
    struct slot *slot = &s->table[place - 1];
    s->free = slot->next;
    slot->item = item;
    slot->uses++;
    s->count++;
    return (uint64_t)slot->uses << 32 | place;
}

static struct slot *find(const struct slots *s, uint64_t id)
{
    uint32_t place = (uint32_t)id;
    if (place == 0 || place > s->room)
        return NULL;
    struct slot *slot = &s->table[place - 1];
    return slot->item != NULL && slot->uses == id >> 32 ? slot : NULL;
}

void *slots_get(const struct slots *s, uint64_t id)
{
    const struct slot *slot = find(s, id);
    return slot == NULL ? NULL : slot->item;
}

void slots_remove(struct slots *s, uint64_t id)
{
    struct slot *slot = find(s, id);
    assert(slot != NULL);
    slot->item = NULL;
    slot->next = s->free;
    s->free = (uint32_t)id;
    s->count--;
}
