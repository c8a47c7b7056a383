#ifndef NODE_FETCH_PUTS_H
#define NODE_FETCH_PUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "node/store_waiter.h"

struct block;
struct fetch_lease;
struct fetch_wait;
struct multihash;
struct node;

/*
 * fetch_puts - the blocks of one fetch on their way into the store.
 *
 * What came from a peer is written beside its download: cached, or under a
 * lease where it is to be kept.  A cache that can't keep up loses blocks, a
 * lease does not: its owner stops asking while there is no room.
 */

enum {
    FETCH_UNWRITTEN_BYTES_MAX = 16 * 1024 * 1024,
};

/** struct fetch_puts - embedded in its fetch; all but the callbacks and
 * @err is private. */
struct fetch_puts {
    /** @written: the store has taken or refused a block. */
    void (*written)(struct fetch_puts *puts, struct mtime now);
    /** @synced: the answer to fetch_puts_sync(): OK; E_NOSPACE, E_IO. */
    void (*synced)(struct fetch_puts *puts, enum err err, struct mtime now);
    struct node *node;
    struct fetch_lease *lease; /* NULL: cache */
    struct list at_store;      /* struct fetch_put */
    struct list held;          /* struct fetch_put; the store was full */
    size_t held_bytes;
    size_t count;           /* of both */
    size_t unwritten_bytes; /* of both: memory until the disk has it */
    struct store_waiter waiter;
    uint64_t epoch;
    enum err err; /* for others to read: first that a block could not be
                     stored for */
    bool syncing; /* @synced to be called */
    struct fetch_wait *wait; /* NULL: the store is not asked to sync */
};

/** fetch_puts_init - nothing to write; @keep: all that comes, or is here
 * already, is protected until fetch_puts_release().  Callbacks are set by the
 * caller. */
void fetch_puts_init(struct fetch_puts *puts, struct node *n, bool keep);

/** fetch_puts_release - what is at the store is written, what is held is
 * dropped; nobody is called any more. */
void fetch_puts_release(struct fetch_puts *puts);

/** fetch_puts_add - write @block, which came from outside. */
void fetch_puts_add(struct fetch_puts *puts, struct block *block);

/** fetch_puts_keep - protect the block @hash, which is here; nothing without
 * @keep. */
void fetch_puts_keep(struct fetch_puts *puts, const struct multihash *hash);

/** fetch_puts_room - whether more may be asked for. */
bool fetch_puts_room(const struct fetch_puts *puts);

/** fetch_puts_sync - call @synced when all that was added is on the medium;
 * one at a time (asserted). */
void fetch_puts_sync(struct fetch_puts *puts);

#endif /* NODE_FETCH_PUTS_H */
