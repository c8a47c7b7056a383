#include "libp2p/backoff.h"

#include "base/attr.h"
#include "base/mem.h"
#include "multiformats/multiaddr.h"

struct backoff_addr {
    struct map_node node;
    struct list order;
    struct multiaddr addr;
    uint32_t wait_ms;
    struct mtime until;
};

void backoff_init(struct backoff *b, const uint8_t seed[static 16])
{
    map_init(&b->addrs, seed);
    list_init(&b->order);
}

static void forget(struct backoff *b, struct backoff_addr *a)
{
    map_remove(&b->addrs, &a->node);
    list_remove(&a->order);
    mem_free(a);
}

void backoff_release(struct backoff *b)
{
    struct map_node *node;
    while ((node = map_first(&b->addrs)) != NULL)
        forget(b, container_of(node, struct backoff_addr, node));
    map_release(&b->addrs);
}

static struct backoff_addr *find(const struct backoff *b,
                                 const struct multiaddr *addr)
{
    struct map_node *node = map_get(&b->addrs, multiaddr_bytes(addr));
    return node == NULL ? NULL : container_of(node, struct backoff_addr, node);
}

void backoff_failed(struct backoff *b, const struct multiaddr *addr,
                    struct mtime now)
{
    struct backoff_addr *a = find(b, addr);

    if (a == NULL) {
        if (b->addrs.count == BACKOFF_ADDRS_MAX)
            forget(b, container_of(list_first(&b->order), struct backoff_addr,
                                   order));
        a = mem_zalloc(1, sizeof(*a));
        a->addr = *addr;
        a->wait_ms = BACKOFF_FIRST_MS;
        list_init(&a->order);
        map_put(&b->addrs, &a->node, multiaddr_bytes(&a->addr));
    } else {
        a->wait_ms *= 2;
        if (a->wait_ms > BACKOFF_MAX_MS)
            a->wait_ms = BACKOFF_MAX_MS;
    }
    list_remove(&a->order);
    list_add_tail(&b->order, &a->order);
    a->until = mtime_add_ms(now, a->wait_ms);
}

void backoff_worked(struct backoff *b, const struct multiaddr *addr)
{
    struct backoff_addr *a = find(b, addr);
    if (a != NULL)
        forget(b, a);
}

bool backoff_holds(const struct backoff *b, const struct multiaddr *addr,
                   struct mtime now)
{
    const struct backoff_addr *a = find(b, addr);
    return a != NULL && mtime_before(now, a->until);
}
