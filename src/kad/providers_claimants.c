#include <assert.h>

#include "base/mem.h"
#include "kad/providers_priv.h"

enum { CLAIMANTS_MIN = 16 };

struct claimant *providers_find_claimant(const struct providers *p,
                                         const struct peer_id *id)
{
    struct map_node *n = map_get(&p->claimants_by_id, peer_id_bytes(id));

    return n == NULL ? NULL : container_of(n, struct claimant, node);
}

/* An index that is free; there is one since their number is limited. */
static uint32_t free_index(struct providers *p)
{
    uint32_t count = (uint32_t)p->claimants_by_id.count;

    if (count == p->claimants_room) {
        uint32_t room = count == 0 ? CLAIMANTS_MIN : 2 * count;
        p->claimants =
            mem_resize(p->claimants, room, sizeof(struct claimant *));
        for (uint32_t i = count; i < room; i++)
            p->claimants[i] = NULL;
        p->claimants_room = room;
        return count;
    }
    /* What was freed last is free, or many are: the walk is short. */
    uint32_t i = p->index_hint;
    while (p->claimants[i] != NULL)
        i = (i + 1) % p->claimants_room;
    p->index_hint = i;
    return i;
}

struct claimant *providers_claimant(struct providers *p,
                                    const struct peer_id *id)
{
    struct claimant *c = providers_find_claimant(p, id);

    if (c != NULL)
        return c;
    if (p->claimants_by_id.count >= (size_t)2 * p->config.peers_max)
        return NULL;
    c = mem_zalloc(1, sizeof(*c));
    c->id = *id;
    c->index = free_index(p);
    list_init(&c->rank);
    list_init(&c->change);
    map_put(&p->claimants_by_id, &c->node, peer_id_bytes(&c->id));
    p->claimants[c->index] = c;
    return c;
}

static struct bytes group_key(const struct group *g)
{
    return (struct bytes){.p = (const uint8_t *)&g->number,
                          .len = sizeof(g->number)};
}

struct group *providers_find_group(const struct providers *p, uint64_t number)
{
    struct group wanted = {.number = number};
    struct map_node *n = map_get(&p->groups, group_key(&wanted));

    return n == NULL ? NULL : container_of(n, struct group, node);
}

static struct group *make_group(struct providers *p, uint64_t number)
{
    struct group *g = number == 0 ? NULL : providers_find_group(p, number);

    if (g != NULL || number == 0)
        return g;
    g = mem_zalloc(1, sizeof(*g));
    g->number = number;
    map_put(&p->groups, &g->node, group_key(g));
    return g;
}

void providers_set_group(struct providers *p, struct claimant *c,
                         uint64_t number)
{
    struct group *old = c->group;
    struct group *g = make_group(p, number);
    uint32_t peers = c->records > 0 ? 1 : 0;

    if (g == old)
        return;
    if (g != NULL) {
        g->records += c->records;
        g->peers += peers;
        g->claimants++;
    }
    c->group = g;
    if (old == NULL)
        return;
    old->records -= c->records;
    old->peers -= peers;
    old->claimants--;
    if (old->claimants == 0) {
        map_remove(&p->groups, &old->node);
        mem_free(old);
    }
}

void providers_drop_claimant(struct providers *p, struct claimant *c)
{
    if (c->refs > 0 || !list_empty(&c->change))
        return;
    assert(c->records == 0);
    providers_set_group(p, c, 0);
    providers_set_addrs(p, c, BYTES_EMPTY, 0);
    map_remove(&p->claimants_by_id, &c->node);
    p->claimants[c->index] = NULL;
    p->index_hint = c->index;
    mem_free(c);
}

void providers_set_addrs(struct providers *p, struct claimant *c,
                         struct bytes addrs, uint32_t end_s)
{
    p->addrs_bytes -= c->addrs_len;
    mem_free(c->addrs);
    c->addrs = addrs.len == 0 ? NULL : mem_dup(addrs.p, addrs.len);
    c->addrs_len = (uint32_t)addrs.len;
    c->addrs_end_s = end_s;
    p->addrs_bytes += c->addrs_len;
}
