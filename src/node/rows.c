#include "node/rows.h"

#include <string.h>

#include "base/mem.h"

enum { BATCH_START = 16 };

struct rows_batch {
    struct kv_batch batch;
    struct rows *rows; /* NULL: released */
    struct kv_change *changes;
    size_t count;
    size_t max;
    struct list link;
};

void rows_init(struct rows *r, struct kv *kv, uint32_t table)
{
    *r = (struct rows){.kv = kv, .table = table};
    list_init(&r->flying);
}

static struct kv_change *add(struct rows *r, struct bytes key)
{
    struct rows_batch *b = r->batch;

    if (b == NULL) {
        b = mem_zalloc(1, sizeof(*b));
        r->batch = b;
    }
    if (b->count == b->max) {
        b->max = b->max > 0 ? 2 * b->max : BATCH_START;
        b->changes = mem_resize(b->changes, b->max, sizeof(b->changes[0]));
    }
    struct kv_change *c = &b->changes[b->count++];
    *c = (struct kv_change){.table = r->table};
    c->key = (struct bytes){mem_dup(key.p, key.len), key.len};
    return c;
}

void rows_put(struct rows *r, struct bytes key, struct bytes value)
{
    struct kv_change *c = add(r, key);

    c->value = (struct bytes){mem_dup(value.p, value.len), value.len};
}

void rows_remove(struct rows *r, struct bytes key)
{
    add(r, key)->remove = true;
}

static void free_copy(struct bytes copy)
{
    mem_free((void *)(uintptr_t)copy.p);
}

static void written(struct kv_batch *batch, enum err err, struct mtime now)
{
    struct rows_batch *b = container_of(batch, struct rows_batch, batch);
    struct rows *r = b->rows;

    (void)now;
    list_remove(&b->link);
    for (size_t i = 0; i < b->count; i++) {
        free_copy(b->changes[i].key);
        free_copy(b->changes[i].value);
    }
    mem_free(b->changes);
    mem_free(b);
    if (err != OK && r != NULL && r->failed != NULL)
        r->failed(r->user, err);
}

void rows_write(struct rows *r)
{
    struct rows_batch *b = r->batch;
    if (b == NULL)
        return;

    r->batch = NULL;
    b->rows = r;
    b->batch.changes = b->changes;
    b->batch.count = b->count;
    b->batch.done = written;
    list_add_tail(&r->flying, &b->link);
    r->kv->write(r->kv, &b->batch);
}

void rows_release(struct rows *r)
{
    rows_write(r);
    list_for_each_safe (it, &r->flying) {
        struct rows_batch *b = container_of(it, struct rows_batch, link);
        b->rows = NULL;
        list_remove(it);
    }
}
