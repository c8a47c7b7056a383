#include "storage/keeper_index.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "storage/keeper_priv.h"

enum { BUCKETS_MIN = 16, IDS_MIN = 16, HOLES = 16 };

void keeper_index_init(struct keeper_index *index,
                       const uint8_t seed[static 16])
{
    *index = (struct keeper_index){0};
    memcpy(index->seed, seed, sizeof(index->seed));
}

void keeper_index_release(struct keeper_index *index)
{
    mem_free(index->buckets);
    mem_free(index->by_id);
    index->buckets = NULL;
    index->by_id = NULL;
}

static uint32_t hash_of(const struct keeper_index *index, struct bytes root)
{
    return (uint32_t)siphash13(index->seed, root);
}

static struct bytes root_of(const struct keeper_object *o)
{
    return (struct bytes){.p = o->root, .len = o->root_len};
}

static void chain(struct keeper_index *index, struct keeper_object *o)
{
    struct keeper_object **place =
        &index->buckets[o->hash & (index->buckets_count - 1)];
    while (*place != NULL) /* the oldest first */
        place = &(*place)->chain;
    o->chain = NULL;
    *place = o;
}

static void grow_buckets(struct keeper_index *index)
{
    if (index->count < index->buckets_count)
        return;
    mem_free(index->buckets);
    index->buckets_count =
        index->buckets_count == 0 ? BUCKETS_MIN : index->buckets_count * 2;
    index->buckets =
        mem_zalloc(index->buckets_count, sizeof(struct keeper_object *));
    for (size_t i = 0; i < index->ids_count; i++) {
        if (index->by_id[i] != NULL)
            chain(index, index->by_id[i]);
    }
}

static void squeeze_ids(struct keeper_index *index)
{
    size_t count = 0;
    for (size_t i = 0; i < index->ids_count; i++) {
        if (index->by_id[i] != NULL)
            index->by_id[count++] = index->by_id[i];
    }
    index->ids_count = count;
}

static void grow_ids(struct keeper_index *index)
{
    if (index->ids_count < index->ids_room)
        return;
    if (index->count < index->ids_count) {
        squeeze_ids(index);
        return;
    }
    index->ids_room += index->ids_room / 8 + IDS_MIN;
    index->by_id = mem_resize(index->by_id, index->ids_room,
                              sizeof(struct keeper_object *));
}

void keeper_index_add(struct keeper_index *index, struct keeper_object *o)
{
    grow_buckets(index);
    grow_ids(index);
    o->hash = hash_of(index, root_of(o));
    chain(index, o);
    index->by_id[index->ids_count++] = o;
    index->count++;
}

/* The place of the oldest object that is there with an id above @id. */
static size_t place_after(const struct keeper_index *index, uint64_t id)
{
    size_t low = 0;
    size_t high = index->ids_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t there = middle;
        while (there < high && index->by_id[there] == NULL)
            there++;
        if (there < high && index->by_id[there]->id <= id)
            low = there + 1;
        else
            high = middle;
    }
    while (low < index->ids_count && index->by_id[low] == NULL)
        low++;
    return low;
}

void keeper_index_remove(struct keeper_index *index, struct keeper_object *o)
{
    struct keeper_object **place =
        &index->buckets[o->hash & (index->buckets_count - 1)];
    while (*place != o)
        place = &(*place)->chain;
    *place = o->chain;
    size_t at = place_after(index, o->id - 1);
    assert(index->by_id[at] == o);
    index->by_id[at] = NULL;
    index->count--;
    if (index->ids_count - index->count > index->ids_count / HOLES + IDS_MIN)
        squeeze_ids(index); /* so that no search walks over many */
}

static struct keeper_object *next_with(struct keeper_object *o,
                                       struct bytes root, uint32_t hash)
{
    while (o != NULL && (o->hash != hash || !bytes_eq(root_of(o), root)))
        o = o->chain;
    return o;
}

struct keeper_object *keeper_index_root(const struct keeper_index *index,
                                        const struct cid *root)
{
    uint8_t key[CID_BYTES_MAX];
    struct bytes bytes = {.p = key, .len = cid_encode(root, key)};
    uint32_t hash = hash_of(index, bytes);
    if (index->buckets_count == 0)
        return NULL;
    return next_with(index->buckets[hash & (index->buckets_count - 1)], bytes,
                     hash);
}

struct keeper_object *keeper_index_same(const struct keeper_object *o)
{
    return next_with(o->chain, root_of(o), o->hash);
}

struct keeper_object *keeper_index_after(const struct keeper_index *index,
                                         uint64_t id)
{
    size_t at = place_after(index, id);
    return at < index->ids_count ? index->by_id[at] : NULL;
}
