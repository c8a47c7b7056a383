#ifndef ENV_KV_H
#define ENV_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"

/*
 * kv - ordered, transactional key-value tables in one environment.
 *
 * Reads are answered at once, on the loop, from the state after the last
 * commit that has called back, or a later one.  Writes are batches: each is
 * atomic and durable when its @done is called; batches are committed in order,
 * several of them together where they wait.  Keys are 1 to KV_KEY_MAX bytes.
 */

enum { KV_KEY_MAX = 500, KV_TABLES_MAX = 16 };

/** struct kv_change - put @value under @key, or remove @key. */
struct kv_change {
    uint32_t table; /* index into the names given to kv_open() */
    bool remove;    /* true: @value is unused; a key that is absent is fine */
    struct bytes key;
    struct bytes value;
};

/** struct kv_batch - a write under way; caller's memory until @done. */
struct kv_batch {
    const struct kv_change *changes; /* and what they point to: until @done */
    size_t count;

    /** @done: committed (OK), or nothing of it was written: E_IO, E_NOSPACE,
     * E_CORRUPT.  On the loop, exactly once. */
    void (*done)(struct kv_batch *b, enum err err, struct mtime now);

    enum err err;     /* private */
    struct list link; /* private */
};

struct kv {
    /**
     * @get: value of @key.
     * @ret_value: valid until the next turn of the loop.
     * Return: OK, E_NOTFOUND, E_IO, E_CORRUPT.
     */
    enum err (*get)(struct kv *kv, uint32_t table, struct bytes key,
                    struct bytes *ret_value);

    /**
     * @next: first pair whose key is after @key, or at it when @inclusive.
     * @key may be empty: the first pair of the table.
     * Views as for @get.  Return: OK, E_NOTFOUND at the end, E_IO, E_CORRUPT.
     */
    enum err (*next)(struct kv *kv, uint32_t table, struct bytes key,
                     bool inclusive, struct bytes *ret_key,
                     struct bytes *ret_value);

    /** @count: pairs in the table, as of the last commit. */
    uint64_t (*count)(struct kv *kv, uint32_t table);

    /** @write: queue @b. */
    void (*write)(struct kv *kv, struct kv_batch *b);

    /** @close: waits for queued batches, whose @done may then not be called
     * any more; frees @kv. */
    void (*close)(struct kv *kv);
};

/** struct kv_opener - makes environments; synchronous, at start only. */
struct kv_opener {
    /**
     * @open: open or create the environment in directory @path.
     * @tables: @count names, at most KV_TABLES_MAX; made where absent.
     * Return: OK; E_CORRUPT when it is not an environment or is damaged;
     * E_UNSUPPORTED a later version made it; E_IO, E_NOSPACE, E_REFUSED.
     */
    enum err (*open)(struct kv_opener *o, const char *path,
                     const char *const *tables, size_t count,
                     struct kv **ret_kv);

    /**
     * @open_shared: as @open, while nobody has it open to write: nothing on
     * the medium is changed, others may have it open too, and a batch fails
     * with E_REFUSED.  NULL where there is only one process.
     * Return: as @open; E_NOTFOUND when @path or one of @tables is not there.
     */
    enum err (*open_shared)(struct kv_opener *o, const char *path,
                            const char *const *tables, size_t count,
                            struct kv **ret_kv);
};

#endif /* ENV_KV_H */
