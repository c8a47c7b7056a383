#ifndef NODE_ROWS_H
#define NODE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "env/kv.h"

/*
 * rows - changes of one table, collected and written as one batch.
 *
 * The writes outlive the struct: rows_release() may be called while some are
 * under way.
 */
struct rows {
    struct kv *kv;
    uint32_t table;
    struct rows_batch *batch; /* being filled; NULL: nothing to write */
    struct list flying;       /* struct rows_batch at the kv */
    /** @failed: a batch could not be written; NULL: nobody cares. */
    void (*failed)(void *user, enum err err);
    void *user;
};

/** rows_init - nothing to write; @kv is borrowed. */
void rows_init(struct rows *r, struct kv *kv, uint32_t table);

/** rows_put - @value will stand under @key; copied. */
void rows_put(struct rows *r, struct bytes key, struct bytes value);

/** rows_remove - nothing will stand under @key. */
void rows_remove(struct rows *r, struct bytes key);

/** rows_write - write what was collected, if anything. */
void rows_write(struct rows *r);

/** rows_release - write what was collected, and forget it. */
void rows_release(struct rows *r);

#endif /* NODE_ROWS_H */
