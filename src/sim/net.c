#include "sim/net.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"
#include "sim/net_priv.h"

enum {
    LATENCY_NS = 500 * 1000,
    SPLIT_PPM = 20000,
    PORT_FIRST = 32768,
    LOOPBACK = 127,
    LOOPBACK_NS = 20 * 1000,
};

struct sim_cut {
    struct list link;
    bool one_way;
    size_t count;
    uint8_t sides[]; /* NOLINT: flexible array */
};

void sim_net_init(struct sim_net *n, struct sim_time *time, uint64_t seed)
{
    static const uint8_t key[16] = {2}; /* no enemy chooses the addresses */

    *n = (struct sim_net){
        .time = time,
        .seed = seed,
        .split_ppm = SPLIT_PPM,
        .ring = mem_alloc(SIM_SEGMENT_MAX),
    };
    map_init(&n->hosts, key);
    list_init(&n->all);
    list_init(&n->cuts);
    list_init(&n->names);
    list_init(&n->syns);
    list_init(&n->flights);
}

void sim_net_release(struct sim_net *n)
{
    assert(list_empty(&n->all));
    while (!list_empty(&n->cuts))
        sim_net_heal(container_of(list_first(&n->cuts), struct sim_cut, link));
    while (!list_empty(&n->names)) {
        struct sim_name_entry *e =
            container_of(list_first(&n->names), struct sim_name_entry, link);
        list_remove(&e->link);
        mem_free(e->name);
        mem_free(e->text);
        mem_free(e);
    }
    sim_syns_free(n);
    sim_flights_free(n);
    map_release(&n->hosts);
    mem_free(n->ring);
}

static void on_flush(struct timer *t, struct mtime now)
{
    (void)now; /* the clock is asked */
    sim_host_flush(container_of(t, struct sim_host, flush));
}

static size_t interfaces(struct net *net, struct net_addr *dst, size_t max)
{
    const struct sim_host *h = sim_host_of(net);
    const struct net_addr both[] = {
        {.ip_len = 4, .ip = {LOOPBACK, 0, 0, 1}},
        {.ip_len = 4,
         .ip = {h->nat ? 192 : h->addr.ip[0], h->nat ? 168 : h->addr.ip[1],
                h->addr.ip[2], h->addr.ip[3]}},
    };
    size_t count = max < countof(both) ? max : countof(both);

    memcpy(dst, both, count * sizeof(dst[0]));
    return count;
}

/* The address, and the port where it is not the host's own. */
static void set_key(struct sim_host *h)
{
    memcpy(h->key, h->addr.ip, 4);
    h->key[4] = (uint8_t)(h->shared >> 8);
    h->key[5] = (uint8_t)h->shared;
    map_put(&h->of->hosts, &h->node, (struct bytes){h->key, sizeof(h->key)});
}

void sim_host_share(struct sim_host *h, const uint8_t ip[static 4],
                    uint16_t port)
{
    map_remove(&h->of->hosts, &h->node);
    memcpy(h->addr.ip, ip, 4);
    h->shared = port;
    set_key(h);
}

void sim_host_init(struct sim_host *h, struct sim_net *n,
                   struct sim_clock *clock, const uint8_t ip[static 4])
{
    *h = (struct sim_host){
        .link_of = {.latency_ns = LATENCY_NS},
        .up = true,
        .of = n,
        .clock = clock,
        .addr = {.ip_len = 4},
        .port_last = PORT_FIRST,
    };
    memcpy(h->addr.ip, ip, 4);
    sim_dial_ops(&h->net);
    sim_stream_ops(&h->net);
    sim_udp_ops(&h->net);
    sim_lookup_ops(&h->net);
    h->net.interfaces = interfaces;
    sim_rand_init(&h->rand, n->seed, "net", clock->index);
    list_init(&h->listeners);
    list_init(&h->ends);
    list_init(&h->dirty);
    list_init(&h->udps);
    list_init(&h->lookups);
    timer_init(&h->flush, on_flush);
    set_key(h);
    list_add_tail(&n->all, &h->link);
}

void sim_host_release(struct sim_host *h)
{
    assert(list_empty(&h->listeners));
    assert(list_empty(&h->ends));
    assert(list_empty(&h->udps));
    assert(list_empty(&h->lookups));
    sim_clock_set(h->clock, &h->flush, MTIME_NEVER);
    map_remove(&h->of->hosts, &h->node);
    list_remove(&h->link);
}

void sim_host_turn_end(struct sim_host *h)
{
    if (!list_empty(&h->dirty))
        sim_host_flush(h);
}

void sim_host_die(struct sim_host *h, bool silent)
{
    h->up = h->up && !silent;
    list_for_each (it, &h->ends)
        sim_end_die(container_of(it, struct sim_end, link), silent);
    sim_clock_set(h->clock, &h->flush, MTIME_NEVER);
}

void sim_host_reset(struct sim_host *h)
{
    list_for_each (it, &h->ends) {
        struct sim_end *e = container_of(it, struct sim_end, link);
        if (e->state == SIM_END_OPEN)
            sim_end_reset(e, E_IO);
    }
}

/* Addresses. */

struct sim_host *sim_host_of(struct net *net)
{
    return container_of(net, struct sim_host, net);
}

static bool is_zero(const struct net_addr *a)
{
    for (size_t i = 0; i < a->ip_len; i++) {
        if (a->ip[i] != 0)
            return false;
    }
    return true;
}

bool sim_host_has(const struct sim_host *h, const struct net_addr *a)
{
    if (a->ip_len != 4)
        return false;
    return is_zero(a) || a->ip[0] == LOOPBACK ||
           memcmp(a->ip, h->addr.ip, 4) == 0;
}

struct sim_host *sim_host_at(struct sim_host *h, const struct net_addr *a)
{
    uint8_t key[6] = {a->ip[0], a->ip[1], a->ip[2], a->ip[3]};
    struct map_node *node = NULL;

    for (unsigned i = 0; node == NULL && a->ip_len == 4 && i < 2; i++) {
        key[4] = i > 0 ? 0 : (uint8_t)(a->port >> 8);
        key[5] = i > 0 ? 0 : (uint8_t)a->port;
        node = map_get(&h->of->hosts, (struct bytes){key, sizeof(key)});
    }
    if (node != NULL)
        return container_of(node, struct sim_host, node);
    return sim_host_has(h, a) ? h : NULL;
}

uint16_t sim_host_port(struct sim_host *h)
{
    h->port_last =
        h->port_last == UINT16_MAX ? PORT_FIRST : (uint16_t)(h->port_last + 1);
    return h->port_last;
}

/* What lies between two hosts. */

struct sim_cut *sim_net_cut(struct sim_net *n, const uint8_t *sides,
                            size_t count, bool one_way)
{
    struct sim_cut *cut = mem_zalloc(1, sizeof(*cut) + count);

    cut->one_way = one_way;
    cut->count = count;
    memcpy(cut->sides, sides, count);
    list_add_tail(&n->cuts, &cut->link);
    return cut;
}

void sim_net_heal(struct sim_cut *cut)
{
    if (cut == NULL)
        return;
    list_remove(&cut->link);
    mem_free(cut);
}

static uint8_t side_of(const struct sim_cut *cut, const struct sim_host *h)
{
    return h->clock->index < cut->count ? cut->sides[h->clock->index] : 0;
}

bool sim_net_is_cut(const struct sim_net *n, const struct sim_host *from,
                    const struct sim_host *to)
{
    if (n->apart && from != to)
        return true;
    list_for_each (it, &n->cuts) {
        const struct sim_cut *cut = container_of(it, struct sim_cut, link);
        uint8_t a = side_of(cut, from);
        uint8_t b = side_of(cut, to);
        if (a == 1 && b == 2)
            return true;
        if (a == 2 && b == 1 && !cut->one_way)
            return true;
    }
    return false;
}

static uint64_t jitter(struct sim_rand *r, uint64_t most_ns)
{
    return most_ns == 0 ? 0 : sim_rand_below(r, most_ns + 1);
}

uint64_t sim_host_delay(struct sim_host *from, const struct sim_host *to)
{
    const struct sim_link *a = &from->link_of;
    const struct sim_link *b = &to->link_of;

    if (from == to)
        return LOOPBACK_NS;
    return a->latency_ns + b->latency_ns +
           jitter(&from->rand, a->jitter_ns + b->jitter_ns);
}

bool sim_host_loses(struct sim_host *from, const struct sim_host *to)
{
    if (from == to)
        return false;
    return sim_rand_chance(&from->rand,
                           from->link_of.loss_ppm + to->link_of.loss_ppm);
}

void sim_net_name(struct sim_net *n, const char *name, const char *text,
                  const struct net_addr *addr)
{
    struct sim_name_entry *e = mem_zalloc(1, sizeof(*e));

    e->name = mem_strdup(name);
    e->text = text == NULL ? NULL : mem_strdup(text);
    if (addr != NULL)
        e->addr = *addr;
    list_add_tail(&n->names, &e->link);
}
