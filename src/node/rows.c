#include "node/rows.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { BATCH_START = 16 };

/* The bytes of a change. */
struct copy {
    uint8_t *key;
    uint8_t *value; /* NULL: removed */
};

struct rows_batch {
    struct kv_batch batch;
    struct rows *rows; /* NULL: released */
    struct kv_change *changes;
    struct copy *copies; /* one for each change */
    size_t count;
    size_t max;
    struct list link;
};

void rows_init(struct rows *r, struct kv *kv, uint32_t table)
{
    *r = (struct rows){.kv = kv, .table = table};
    list_init(&r->flying);
}

static void add(struct rows *r, struct bytes key, const struct bytes *value)
{
    struct rows_batch *b = r->batch;

    if (b == NULL) {
        b = mem_zalloc(1, sizeof(*b));
        r->batch = b;
    }
    if (b->count == b->max) {
        b->max = b->max > 0 ? 2 * b->max : BATCH_START;
        b->changes = mem_resize(b->changes, b->max, sizeof(b->changes[0]));
        b->copies = mem_resize(b->copies, b->max, sizeof(b->copies[0]));
    }
    struct copy *copy = &b->copies[b->count];
    struct kv_change *c = &b->changes[b->count++];
    *copy = (struct copy){.key = mem_dup(key.p, key.len)};
    *c = (struct kv_change){
        .table = r->table,
        .key = {copy->key, key.len},
        .remove = value == NULL,
    };
    if (value == NULL)
        return;
    copy->value = mem_dup(value->p, value->len);
    c->value = (struct bytes){copy->value, value->len};
}

void rows_put(struct rows *r, struct bytes key, struct bytes value)
{
    add(r, key, &value);
}

void rows_remove(struct rows *r, struct bytes key)
{
    add(r, key, NULL);
}

static void written(struct kv_batch *batch, enum err err, struct mtime now)
{
    struct rows_batch *b = container_of(batch, struct rows_batch, batch);
    struct rows *r = b->rows;

    (void)now;
    list_remove(&b->link);
    for (size_t i = 0; i < b->count; i++) {
        mem_free(b->copies[i].key);
        mem_free(b->copies[i].value);
    }
    mem_free(b->copies);
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

bool rows_next(struct rows_cursor *c, struct bytes *ret_key,
               struct bytes *ret_value)
{
    struct bytes after = {c->key, c->key_len};
    struct bytes next;

    if (c->left == 0)
        return false;
    c->left--;
    enum err err = c->kv->next(c->kv, c->table, after, false, &next, ret_value);
    if (err != OK) {
        c->left = 0;
        c->err = err == E_NOTFOUND ? OK : err;
        return false;
    }
    assert(next.len <= sizeof(c->key));
    memcpy(c->key, next.p, next.len);
    c->key_len = next.len;
    *ret_key = (struct bytes){c->key, c->key_len};
    return true;
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
