#include "node/pull.h"

#include <assert.h>

#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "ipld/cid_set.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"
#include "node/scanning.h"
#include "node/walking.h"

enum { ADDRS_MAX = 8 };

/* A peer that is said to have it, while it is being connected to. */
struct pull_peer {
    struct connect_op op;
    bool connecting;
};

struct pull {
    struct pull_config config;
    struct node *node;
    struct walking *walking; /* NULL: it was ended for being too large */
    struct pull_peer *peers;
    size_t peers_count;
    struct cid_set seen;
    uint64_t blocks;
    uint64_t bytes;
    struct timer timer; /* the end */
    enum err err;
};

static void end(struct pull *p, enum err err)
{
    struct clock *clock = node_env(p->node)->clock;

    p->err = err;
    clock->set(clock, &p->timer, clock->now(clock));
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct pull *p = container_of(t, struct pull, timer);

    p->config.done(p->config.user, p->err, now);
}

static void on_block(void *user, const struct cid *cid, struct block *block,
                     struct mtime now)
{
    struct pull *p = user;
    bool distinct = false;

    if (!dag_blocks_add(&p->seen, cid, &distinct) || !distinct)
        return;
    size_t len = block->data.bytes.len;
    if (p->blocks >= p->config.blocks || p->blocks >= PULL_BLOCKS_MAX ||
        len > p->config.size_bytes - p->bytes) {
        walking_free(p->walking);
        p->walking = NULL;
        end(p, E_LIMIT);
        return;
    }
    p->blocks++;
    p->bytes += len;
    p->config.on_progress(p->config.user, now);
}

static void on_done(void *user, enum err err, struct mtime now)
{
    struct pull *p = user;

    (void)now;
    end(p, err);
}

/* A peer that could not be reached is one source less, and nothing more. */
static void on_connected(struct connect_op *op, enum err err, struct mtime now)
{
    struct pull_peer *peer = container_of(op, struct pull_peer, op);

    (void)err;
    (void)now;
    peer->connecting = false;
}

static void connect_to(struct pull *p, const struct peer_id *id,
                       struct mtime now)
{
    struct multiaddr addrs[ADDRS_MAX];
    struct peering *peering = node_peering(p->node);
    struct pull_peer *peer = &p->peers[p->peers_count++];
    struct network_target target = {.peer = *id, .addrs = addrs};

    if (peering != NULL)
        target.count = peering_addrs(peering, id, addrs, ADDRS_MAX);
    peer->op.done = on_connected;
    peer->connecting =
        network_dial(node_network(p->node), &peer->op, &target, now) == OK;
    walking_add_source(p->walking, id, now);
}

struct pull *pull_new(struct node *n, const struct pull_config *config,
                      struct mtime now)
{
    struct pull *p = mem_zalloc(1, sizeof(*p));
    char path[CID_TEXT_MAX];
    uint8_t seed[16];
    struct walking_config walking = {
        .timeout_ms = config->timeout_ms,
        .keep = true,
        .background = true,
        .on_block = on_block,
        .done = on_done,
        .user = p,
    };

    assert(node_network(n) != NULL);
    p->config = *config;
    p->node = n;
    node_random(n, seed, sizeof(seed));
    cid_set_init(&p->seen, seed);
    timer_init(&p->timer, on_timer);
    walking.path =
        (struct bytes){(uint8_t *)path, cid_format(&config->root, path)};
    p->walking = walking_new(n, &walking);
    size_t count = config->peers_count < PULL_PEERS_MAX ? config->peers_count
                                                        : PULL_PEERS_MAX;
    p->peers = mem_zalloc(count + 1, sizeof(*p->peers));
    for (size_t i = 0; i < count; i++)
        connect_to(p, &config->peers[i], now);
    p->config.peers = NULL;
    return p;
}

void pull_free(struct pull *p)
{
    if (p == NULL)
        return;
    struct clock *clock = node_env(p->node)->clock;
    clock->set(clock, &p->timer, MTIME_NEVER);
    for (size_t i = 0; i < p->peers_count; i++) {
        if (p->peers[i].connecting)
            network_connect_cancel(&p->peers[i].op);
    }
    walking_free(p->walking);
    cid_set_release(&p->seen);
    mem_free(p->peers);
    mem_free(p);
}

const struct fault *pull_fault(const struct pull *p)
{
    return p->walking != NULL ? walking_fault(p->walking) : NULL;
}

uint64_t pull_blocks(const struct pull *p, uint64_t *ret_bytes)
{
    *ret_bytes = p->bytes;
    return p->blocks;
}
