#include "store/index.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

struct change {
    struct map_node node;
    bool remove;
    uint8_t value_len;
    uint8_t key_len; /* with the table's number in front */
    uint8_t value[INDEX_VALUE_MAX];
    uint8_t key[]; /* NOLINT: flexible array, allocated with the struct */
};

enum { KEY_MAX = 200 };

static struct change *change_of(struct map_node *n)
{
    return container_of(n, struct change, node);
}

static struct bytes full_key(uint8_t dst[static KEY_MAX], uint32_t table,
                             struct bytes key)
{
    assert(key.len < KEY_MAX);

    dst[0] = (uint8_t)table;
    memcpy(dst + 1, key.p, key.len);
    return (struct bytes){dst, key.len + 1};
}

void index_init(struct index *ix, struct kv *kv, const uint8_t seed[static 16])
{
    *ix = (struct index){.kv = kv};
    map_init(&ix->waiting, seed);
    map_init(&ix->committing, seed);
}

static void empty(struct map *m)
{
    struct map_node *n = map_first(m);

    while (n != NULL) {
        map_remove(m, n);
        mem_free(change_of(n));
        n = map_first(m);
    }
}

void index_release(struct index *ix)
{
    assert(!ix->busy);

    empty(&ix->waiting);
    map_release(&ix->waiting);
    map_release(&ix->committing);
}

enum err index_get(struct index *ix, uint32_t table, struct bytes key,
                   struct bytes *ret_value)
{
    uint8_t room[KEY_MAX];
    struct bytes full = full_key(room, table, key);
    struct map_node *n = map_get(&ix->waiting, full);

    if (n == NULL)
        n = map_get(&ix->committing, full);
    if (n == NULL)
        return ix->kv->get(ix->kv, table, key, ret_value);
    const struct change *c = change_of(n);
    if (c->remove)
        return E_NOTFOUND;
    *ret_value = (struct bytes){c->value, c->value_len};
    return OK;
}

static struct change *change_for(struct index *ix, uint32_t table,
                                 struct bytes key)
{
    uint8_t room[KEY_MAX];
    struct bytes full = full_key(room, table, key);
    struct map_node *n = map_get(&ix->waiting, full);

    if (n != NULL)
        return change_of(n);
    struct change *c = mem_alloc(sizeof(*c) + full.len);
    c->key_len = (uint8_t)full.len;
    memcpy(c->key, full.p, full.len);
    map_put(&ix->waiting, &c->node, (struct bytes){c->key, full.len});
    return c;
}

void index_put(struct index *ix, uint32_t table, struct bytes key,
               struct bytes value)
{
    assert(value.len <= INDEX_VALUE_MAX);

    struct change *c = change_for(ix, table, key);
    c->remove = false;
    c->value_len = (uint8_t)value.len;
    if (value.len > 0)
        memmove(c->value, value.p, value.len);
}

void index_remove(struct index *ix, uint32_t table, struct bytes key)
{
    struct change *c = change_for(ix, table, key);

    c->remove = true;
    c->value_len = 0;
}

enum err index_next(struct index *ix, uint32_t table, struct bytes key,
                    bool inclusive, struct bytes *ret_key,
                    struct bytes *ret_value)
{
    return ix->kv->next(ix->kv, table, key, inclusive, ret_key, ret_value);
}

size_t index_pending(const struct index *ix)
{
    return ix->waiting.count + ix->committing.count;
}

/* What was not committed waits again, unless it has been changed since. */
static void take_back(struct index *ix)
{
    struct map_node *n = map_first(&ix->committing);

    while (n != NULL) {
        struct change *c = change_of(n);
        struct bytes key = {c->key, c->key_len};
        map_remove(&ix->committing, n);
        if (map_get(&ix->waiting, key) == NULL)
            map_put(&ix->waiting, n, key);
        else
            mem_free(c);
        n = map_first(&ix->committing);
    }
}

static void committed(struct kv_batch *b, enum err err, struct mtime now)
{
    struct index *ix = container_of(b, struct index, batch);

    if (err == OK)
        empty(&ix->committing);
    else
        take_back(ix);
    mem_free(ix->changes);
    ix->changes = NULL;
    ix->busy = false;
    ix->done(ix, err, now);
}

void index_commit(struct index *ix)
{
    assert(!ix->busy);
    assert(ix->waiting.count > 0);

    size_t i = 0;
    ix->changes = mem_zalloc(ix->waiting.count, sizeof(*ix->changes));
    map_for_each (n, &ix->waiting) {
        const struct change *c = change_of(n);
        ix->changes[i++] = (struct kv_change){
            .table = c->key[0],
            .remove = c->remove,
            .key = {c->key + 1, (size_t)c->key_len - 1},
            .value = {c->value, c->value_len},
        };
    }
    /* The elements point at the head, so the maps cannot be swapped as such. */
    struct map_node *n = map_first(&ix->waiting);
    while (n != NULL) {
        struct change *c = change_of(n);
        map_remove(&ix->waiting, n);
        map_put(&ix->committing, n, (struct bytes){c->key, c->key_len});
        n = map_first(&ix->waiting);
    }
    ix->batch = (struct kv_batch){
        .changes = ix->changes, .count = i, .done = committed};
    list_init(&ix->batch.link);
    ix->busy = true;
    ix->kv->write(ix->kv, &ix->batch);
}
