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

/**
 * struct rows_cursor - a walk over a table, in the order of its keys.
 *
 * Set @kv, @table and @left, zero the rest; then call rows_next() while it is
 * true.
 */
struct rows_cursor {
    struct kv *kv;
    uint32_t table;
    size_t left;  /* rows that are still looked at, at most */
    enum err err; /* what ended the walk: OK, E_IO, E_CORRUPT */
    uint8_t key[KV_KEY_MAX];
    size_t key_len;
};

/** rows_next - the next row, until the next call; false: there is none. */
bool rows_next(struct rows_cursor *c, struct bytes *ret_key,
               struct bytes *ret_value);

/** rows_release - write what was collected, and forget it. */
void rows_release(struct rows *r);

#endif /* NODE_ROWS_H */
