#include <assert.h>

#include "base/mem.h"
#include "bitswap/heap_priv.h"

enum { HEAP_MIN = 16 };

static bool before(const struct bs_heap_node *a, const struct bs_heap_node *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->seq < b->seq;
}

static void place(struct bs_heap *h, size_t at, struct bs_heap_node *node)
{
    h->nodes[at] = node;
    node->at = at + 1;
}

static void sift_up(struct bs_heap *h, size_t at, struct bs_heap_node *node)
{
    while (at > 0 && before(node, h->nodes[(at - 1) / 2])) {
        place(h, at, h->nodes[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(h, at, node);
}

static void sift_down(struct bs_heap *h, size_t at, struct bs_heap_node *node)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count &&
            before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!before(h->nodes[child], node))
            break;
        place(h, at, h->nodes[child]);
        at = child;
    }
    place(h, at, node);
}

void bs_heap_release(struct bs_heap *h)
{
    mem_free(h->nodes);
    *h = (struct bs_heap){.nodes = NULL};
}

void bs_heap_put(struct bs_heap *h, struct bs_heap_node *node)
{
    assert(node->at == 0);

    if (h->count == h->max) {
        h->max = h->max == 0 ? HEAP_MIN : 2 * h->max;
        h->nodes = mem_resize(h->nodes, h->max, sizeof(struct bs_heap_node *));
    }
    h->count++;
    sift_up(h, h->count - 1, node);
}

struct bs_heap_node *bs_heap_first(const struct bs_heap *h)
{
    return h->count > 0 ? h->nodes[0] : NULL;
}

void bs_heap_remove(struct bs_heap *h, struct bs_heap_node *node)
{
    if (node->at == 0)
        return;
    size_t at = node->at - 1;
    assert(at < h->count);
    assert(h->nodes[at] == node);

    node->at = 0;
    struct bs_heap_node *last = h->nodes[--h->count];
    if (last == node)
        return;
    if (at > 0 && before(last, h->nodes[(at - 1) / 2]))
        sift_up(h, at, last);
    else
        sift_down(h, at, last);
}
