#ifndef BITSWAP_HEAP_PRIV_H
#define BITSWAP_HEAP_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * heap - queue of wants: the highest priority first, among equal ones the
 * oldest.  Elements embed a node and are not owned.
 */
struct bs_heap_node {
    size_t at; /* place + 1; 0: in no heap */
    int32_t priority;
    uint64_t seq; /* order among equal priorities */
};

struct bs_heap {
    struct bs_heap_node **nodes;
    size_t count;
    size_t max;
};

/** bs_heap_release - free the table; the elements are untouched. */
void bs_heap_release(struct bs_heap *h);

/** bs_heap_put - insert @node, whose priority and seq are set. */
void bs_heap_put(struct bs_heap *h, struct bs_heap_node *node);

/** bs_heap_first - the first node, or NULL. */
struct bs_heap_node *bs_heap_first(const struct bs_heap *h);

/** bs_heap_remove - take @node out; harmless when it is in no heap. */
void bs_heap_remove(struct bs_heap *h, struct bs_heap_node *node);

#endif /* BITSWAP_HEAP_PRIV_H */
