#ifndef STORAGE_KEEPER_INDEX_H
#define STORAGE_KEEPER_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct cid;
struct keeper_object;

/*
 * keeper_index - the objects of a keeper by their root, and by their id.
 *
 * A table of chains by the keyed hash of the root, which lies in the objects;
 * and all objects, the oldest first.  20 bytes an object.
 */
struct keeper_index {
    size_t count; /* objects, read-only for others */

    struct keeper_object **buckets; /* private */
    size_t buckets_count;           /* private: a power of two, or 0 */
    struct keeper_object **by_id;   /* private: rising; NULL: gone */
    size_t ids_count;               /* private: of them, gone ones too */
    size_t ids_room;                /* private */
    uint8_t seed[16];               /* private */
};

/** keeper_index_init - empty; @seed is random. */
void keeper_index_init(struct keeper_index *index,
                       const uint8_t seed[static 16]);

/** keeper_index_release - free the tables; objects are untouched. */
void keeper_index_release(struct keeper_index *index);

/** keeper_index_add - @o, whose root and id are set; the highest id so far. */
void keeper_index_add(struct keeper_index *index, struct keeper_object *o);

/** keeper_index_remove - take out @o, which is in it. */
void keeper_index_remove(struct keeper_index *index, struct keeper_object *o);

/** keeper_index_root - the first object with that root, or NULL. */
struct keeper_object *keeper_index_root(const struct keeper_index *index,
                                        const struct cid *root);

/** keeper_index_same - the next object with the root of @o, or NULL. */
struct keeper_object *keeper_index_same(const struct keeper_object *o);

/** keeper_index_after - the oldest object with an id above @id, or NULL.
 *
 * So a walk goes on safely where the object before has been removed.
 */
struct keeper_object *keeper_index_after(const struct keeper_index *index,
                                         uint64_t id);

#endif /* STORAGE_KEEPER_INDEX_H */
