#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mtime.h"
#include "env/kv.h"

/*
 * index - kv tables with changes that wait in memory.
 *
 * 1. A read sees every change at once; the kv sees them in commits, each of
 *    which holds all changes made before it began, and none made later.
 * 2. One commit is under way at most.
 * 3. A commit that fails leaves its changes waiting.
 * 4. Where nothing is ever committed, a walk meets what waits too.
 */
enum { INDEX_VALUE_MAX = 104 };

struct change; /* private */

struct index {
    struct kv *kv;
    struct map waiting;    /* changes of the next commit */
    struct map committing; /* changes of the commit under way */
    struct kv_batch batch;
    struct kv_change *changes; /* of @batch */
    bool busy;                 /* a commit is under way */
    bool only_reads;           /* there are no commits; set by the owner */
    struct change **sorted;    /* private: @waiting by key, for walks */
    size_t sorted_count;       /* private: 0: to be made again */

    /** @done: a commit ended; set by the owner. */
    void (*done)(struct index *ix, enum err err, struct mtime now);
};

/** index_init - no changes. */
void index_init(struct index *ix, struct kv *kv, const uint8_t seed[static 16]);

/** index_release - changes that wait are lost; no commit may be under way. */
void index_release(struct index *ix);

/** index_get - value of @key, valid until the next call or turn.
 * Return: OK, E_NOTFOUND, E_IO, E_CORRUPT. */
MUST_USE enum err index_get(struct index *ix, uint32_t table, struct bytes key,
                            struct bytes *ret_value);

/** index_put - @value, at most INDEX_VALUE_MAX, under @key; both copied. */
void index_put(struct index *ix, uint32_t table, struct bytes key,
               struct bytes value);

/** index_remove - no value under @key any more. */
void index_remove(struct index *ix, uint32_t table, struct bytes key);

/** index_next - as kv: the next pair that is committed, with only_reads also
 * of what waits; look it up by index_get() to see whether it was changed or
 * removed since.
 * Views: until the next call that changes something, or turn. */
MUST_USE enum err index_next(struct index *ix, uint32_t table, struct bytes key,
                             bool inclusive, struct bytes *ret_key,
                             struct bytes *ret_value);

/** index_pending - changes that are not committed. */
size_t index_pending(const struct index *ix);

/** index_commit - start to commit what waits; not busy, something waits. */
void index_commit(struct index *ix);

#endif /* STORE_INDEX_H */
