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

    mem_free(ix->sorted);
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
    ix->sorted_count = 0;
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

/* Walks where nothing is committed. */

static struct bytes key_of(const struct change *c)
{
    return (struct bytes){c->key, c->key_len};
}

/* Moves the one at @at down to its place among those @gap apart. */
static void sink(struct change **items, size_t at, size_t gap)
{
    struct change *c = items[at];

    while (at >= gap && bytes_cmp(key_of(c), key_of(items[at - gap])) < 0) {
        items[at] = items[at - gap];
        at -= gap;
    }
    items[at] = c;
}

/* By Shell's method: there are some ten thousand at most, once a start. */
static void sort(struct change **items, size_t count)
{
    for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < count; i++)
            sink(items, i, gap);
}

static void make_sorted(struct index *ix)
{
    if (ix->sorted_count == ix->waiting.count)
        return;
    mem_free(ix->sorted);
    ix->sorted = mem_zalloc(ix->waiting.count, sizeof(void *));
    ix->sorted_count = 0;
    map_for_each (n, &ix->waiting)
        ix->sorted[ix->sorted_count++] = change_of(n);
    sort(ix->sorted, ix->sorted_count);
}

/* The first that waits behind @full, or at it when @inclusive, in the same
 * table; NULL: none. */
static const struct change *next_waiting(struct index *ix, struct bytes full,
                                         bool inclusive)
{
    size_t low = 0;
    size_t high = ix->sorted_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = bytes_cmp(key_of(ix->sorted[mid]), full);
        if (order > 0 || (order == 0 && inclusive))
            high = mid;
        else
            low = mid + 1;
    }
    if (low == ix->sorted_count || ix->sorted[low]->key[0] != full.p[0])
        return NULL;
    return ix->sorted[low];
}

enum err index_next(struct index *ix, uint32_t table, struct bytes key,
                    bool inclusive, struct bytes *ret_key,
                    struct bytes *ret_value)
{
    uint8_t room[KEY_MAX];
    struct bytes found;
    struct bytes value;
    enum err err = ix->kv->next(ix->kv, table, key, inclusive, &found, &value);

    if ((err == OK || err == E_NOTFOUND) && ix->only_reads) {
        make_sorted(ix);
        const struct change *c =
            next_waiting(ix, full_key(room, table, key), inclusive);
        struct bytes own = BYTES_EMPTY;
        if (c != NULL)
            own = (struct bytes){c->key + 1, (size_t)c->key_len - 1};
        if (c != NULL && (err != OK || bytes_cmp(own, found) <= 0)) {
            found = own;
            value = (struct bytes){c->value, c->value_len};
            err = OK;
        }
    }
    if (err == OK) {
        *ret_key = found;
        *ret_value = value;
    }
    return err;
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
