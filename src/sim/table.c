#include "sim/table.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"

enum { BITS_A_LEVEL = 2 };

static uint8_t levels_of(struct bytes key)
{
    static const uint8_t seed[16] = {1};
    uint64_t hash = siphash13(seed, key);
    uint8_t levels = 1;

    while (levels < SIM_TABLE_LEVELS && (hash & 3) == 0) {
        levels++;
        hash >>= BITS_A_LEVEL;
    }
    return levels;
}

/* Sets @ret_links to the pointers that pass the place of @key.  Return: the
 * row at or after it. */
static struct sim_row *find(struct sim_table *t, struct bytes key,
                            struct sim_row **ret_links[SIM_TABLE_LEVELS])
{
    struct sim_row **links = t->heads;

    for (unsigned level = SIM_TABLE_LEVELS; level > 0; level--) {
        struct sim_row *row = links[level - 1];
        while (row != NULL && bytes_cmp(row->key, key) < 0) {
            links = row->next;
            row = links[level - 1];
        }
        ret_links[level - 1] = &links[level - 1];
    }
    return *ret_links[0];
}

static void set_value(struct sim_row *row, struct bytes value)
{
    row->value.p = value.len == 0 ? NULL : mem_dup(value.p, value.len);
    row->value.len = value.len;
}

/* The value was copied by mem_dup(): it is ours to free. */
static void free_value(struct sim_row *row)
{
    union {
        const uint8_t *view;
        void *own;
    } p = {.view = row->value.p};

    mem_free(p.own);
}

void sim_table_release(struct sim_table *t)
{
    struct sim_row *row = t->heads[0];

    while (row != NULL) {
        struct sim_row *next = row->next[0];
        free_value(row);
        mem_free(row);
        row = next;
    }
    *t = (struct sim_table){.count = 0};
}

void sim_table_put(struct sim_table *t, struct bytes key, struct bytes value)
{
    struct sim_row **links[SIM_TABLE_LEVELS];
    struct sim_row *row = find(t, key, links);

    if (row != NULL && bytes_eq(row->key, key)) {
        free_value(row);
        set_value(row, value);
        return;
    }
    uint8_t levels = levels_of(key);
    size_t size = sizeof(*row) + levels * sizeof(struct sim_row *);
    row = mem_alloc(size + key.len);
    uint8_t *copy = (uint8_t *)row + size;
    memcpy(copy, key.p, key.len);
    row->key = (struct bytes){copy, key.len};
    row->levels = levels;
    set_value(row, value);
    for (unsigned i = 0; i < levels; i++) {
        row->next[i] = *links[i];
        *links[i] = row;
    }
    t->count++;
}

void sim_table_remove(struct sim_table *t, struct bytes key)
{
    struct sim_row **links[SIM_TABLE_LEVELS];
    struct sim_row *row = find(t, key, links);

    if (row == NULL || !bytes_eq(row->key, key))
        return;
    for (unsigned i = 0; i < row->levels; i++)
        *links[i] = row->next[i];
    free_value(row);
    mem_free(row);
    t->count--;
}

const struct sim_row *sim_table_seek(const struct sim_table *t,
                                     struct bytes key, bool inclusive)
{
    struct sim_row *const *links = t->heads;
    const struct sim_row *row = NULL;

    for (unsigned level = SIM_TABLE_LEVELS; level > 0; level--) {
        row = links[level - 1];
        while (row != NULL && bytes_cmp(row->key, key) < 0) {
            links = row->next;
            row = links[level - 1];
        }
    }
    if (row != NULL && !inclusive && bytes_eq(row->key, key))
        row = row->next[0];
    return row;
}
