#include "libp2p/guard.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

enum {
    KIND_IP4 = 4,
    KIND_IP6 = 6,
    KIND_PEER = 'p',
    IP4_BYTES = 4,
    IP6_NET_BYTES = 8, /* a /64 is one subscriber */
    IP6_MAPPED_AT = 12,
};

static const uint8_t ip4_mapped[IP6_MAPPED_AT] = {0, 0, 0, 0, 0,    0,
                                                  0, 0, 0, 0, 0xff, 0xff};

void guard_init(struct guard *g, size_t idle_max, const uint8_t seed[static 16])
{
    map_init(&g->records, seed);
    list_init(&g->idle);
    g->idle_max = idle_max;
    g->idle_count = 0;
}

static void forget(struct guard *g, struct guard_record *r)
{
    map_remove(&g->records, &r->node);
    list_remove(&r->idle);
    mem_free(r);
}

void guard_release(struct guard *g)
{
    struct map_node *node;
    while ((node = map_first(&g->records)) != NULL)
        forget(g, container_of(node, struct guard_record, node));
    map_release(&g->records);
    g->idle_count = 0;
}

static struct guard_record *hold(struct guard *g, struct bytes key)
{
    struct map_node *node = map_get(&g->records, key);
    struct guard_record *r;

    if (node == NULL) {
        r = mem_zalloc(1, sizeof(*r));
        list_init(&r->idle);
        assert(key.len <= sizeof(r->key));
        memcpy(r->key, key.p, key.len);
        map_put(&g->records, &r->node,
                (struct bytes){.p = r->key, .len = key.len});
    } else {
        r = container_of(node, struct guard_record, node);
        if (r->conns == 0)
            g->idle_count--;
        list_remove(&r->idle);
    }
    r->conns++;
    return r;
}

struct guard_record *guard_hold_ip(struct guard *g,
                                   const struct multiaddr *addr)
{
    struct ma_ip ip;
    if (multiaddr_get_ip(addr, &ip) != OK)
        return NULL;
    uint8_t key[GUARD_KEY_MAX];
    struct wr w = wr_init(key, sizeof(key));
    struct bytes host = {.p = ip.bytes, .len = ip.len};

    if (ip.len == IP4_BYTES) {
        wr_u8(&w, KIND_IP4);
        wr_bytes(&w, host);
    } else if (memcmp(ip.bytes, ip4_mapped, sizeof(ip4_mapped)) == 0) {
        wr_u8(&w, KIND_IP4);
        wr_bytes(&w, bytes_sub(host, IP6_MAPPED_AT, IP4_BYTES));
    } else {
        wr_u8(&w, KIND_IP6);
        wr_bytes(&w, bytes_sub(host, 0, IP6_NET_BYTES));
    }
    return hold(g, (struct bytes){.p = key, .len = wr_len(&w)});
}

struct guard_record *guard_hold_peer(struct guard *g,
                                     const struct peer_id *peer)
{
    uint8_t key[GUARD_KEY_MAX];
    struct wr w = wr_init(key, sizeof(key));

    wr_u8(&w, KIND_PEER);
    wr_bytes(&w, peer_id_bytes(peer));
    return hold(g, (struct bytes){.p = key, .len = wr_len(&w)});
}

void guard_drop(struct guard *g, struct guard_record *r)
{
    if (r == NULL)
        return;
    assert(r->conns > 0);
    if (--r->conns > 0)
        return;
    list_add_tail(&g->idle, &r->idle);
    g->idle_count++;
    if (g->idle_count <= g->idle_max)
        return;
    g->idle_count--;
    forget(g, container_of(list_first(&g->idle), struct guard_record, idle));
}
