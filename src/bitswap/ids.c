#include <assert.h>

#include "base/mem.h"
#include "bitswap/ids_priv.h"

enum { IDS_MIN = 16 };

void bs_ids_release(struct bs_ids *ids)
{
    mem_free(ids->places);
    *ids = (struct bs_ids){.places = NULL};
}

static void grow(struct bs_ids *ids)
{
    uint32_t max = ids->max == 0 ? IDS_MIN : 2 * ids->max;

    assert(max > ids->max);
    ids->places = mem_resize(ids->places, max, sizeof(struct bs_ids_place));
    for (uint32_t i = ids->max; i < max; i++)
        ids->places[i] = (struct bs_ids_place){
            .what = NULL, .next_free = i + 1 < max ? i + 2 : 0};
    ids->first_free = ids->max + 1;
    ids->max = max;
}

uint64_t bs_ids_put(struct bs_ids *ids, void *what)
{
    assert(what != NULL);

    if (ids->first_free == 0)
        grow(ids);
    uint32_t at = ids->first_free - 1;
    struct bs_ids_place *place = &ids->places[at];
    ids->first_free = place->next_free;
    place->what = what;
    place->uses++;
    ids->count++;
    return (uint64_t)place->uses << 32 | (at + 1);
}

void *bs_ids_take(struct bs_ids *ids, uint64_t id)
{
    uint64_t at = (id & UINT32_MAX) - 1;

    if (at >= ids->max)
        return NULL;
    struct bs_ids_place *place = &ids->places[at];
    void *what = place->what;
    if (what == NULL || place->uses != id >> 32)
        return NULL;
    place->what = NULL;
    place->next_free = ids->first_free;
    ids->first_free = (uint32_t)at + 1;
    ids->count--;
    return what;
}
