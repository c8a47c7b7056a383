#ifndef LIBP2P_SLOTS_H
#define LIBP2P_SLOTS_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct slots - table that gives pointers ids which are never used twice.
 *
 * The low 32 bits of an id are an index + 1, the high ones count the uses of
 * that place.  Zeroed is empty.
 */
struct slots {
    struct slot *table; /* owned */
    size_t room;
    size_t count;  /* in use, read-only for others */
    uint32_t free; /* private: head of the free places, 0: none */
};

/** slots_release - free the table; what it points at is untouched. */
void slots_release(struct slots *s);

/** slots_put - id of @item, which is not NULL; never 0. */
uint64_t slots_put(struct slots *s, void *item);

/** slots_get - what @id names, or NULL when it has gone. */
void *slots_get(const struct slots *s, uint64_t id);

/** slots_remove - @id, which is in use (asserted), names nothing any more. */
void slots_remove(struct slots *s, uint64_t id);

#endif /* LIBP2P_SLOTS_H */
