#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/list.h"

/*
 * map - hash table from byte strings to structs that embed a struct map_node.
 *
 * The map owns neither key nor element: the key lies in the element and does
 * not change while it is in the map.  The hash is keyed (SipHash-1-3), so that
 * who chooses the keys cannot choose the buckets.  Iteration is in the order
 * of insertion.
 */
struct map_node {
    struct map_node *chain; /* private */
    struct list order;      /* private */
    struct bytes key;       /* private: lies in the element */
    uint64_t hash;          /* private */
};

struct map {
    struct map_node **buckets; /* private */
    size_t buckets_count;      /* private: a power of two, or 0 */
    size_t count;              /* elements, read-only for others */
    struct list order;         /* private */
    uint8_t seed[16];          /* private */
};

/** map_init - empty map; @seed is random, or fixed where keys are trusted. */
void map_init(struct map *m, const uint8_t seed[static 16]);

/** map_release - free the table; the elements are untouched. */
void map_release(struct map *m);

/** map_get - element node with @key, or NULL. */
struct map_node *map_get(const struct map *m, struct bytes key);

/**
 * map_put - insert @node under @key, which must not be in the map (asserted).
 * @key: lies in the element; must not move or change while it is in the map.
 */
void map_put(struct map *m, struct map_node *node, struct bytes key);

/** map_remove - take @node, which is in @m, out of it. */
void map_remove(struct map *m, struct map_node *node);

/** map_first - oldest element, or NULL. */
struct map_node *map_first(const struct map *m);

/** map_next - element inserted after @node, or NULL. */
struct map_node *map_next(const struct map *m, const struct map_node *node);

/** map_for_each - @it walks the nodes of @m; do not remove @it meanwhile. */
#define map_for_each(it, m)                                                    \
    for (struct map_node *it = map_first(m); it != NULL; it = map_next(m, it))

/** siphash13 - keyed 64-bit hash of @in. */
uint64_t siphash13(const uint8_t key[static 16], struct bytes in);

#endif /* BASE_MAP_H */
