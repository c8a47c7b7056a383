#ifndef TEST_UNIT_DISCOVERY_WORLD_H
#define TEST_UNIT_DISCOVERY_WORLD_H

/*
 * A network of discoveries in one thread and virtual time: connections are
 * made when both sides admit them, messages arrive at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mtime.h"
#include "discovery/discovery.h"
#include "multiformats/key.h"

enum { WORLD_MAX = 64 };

/** struct world_node - one node of the world. */
struct world_node {
    struct discovery *core;
    struct privkey key;
    struct peer_id id;
    struct multiaddr addr;
    bool alive;
    bool stranger;    /* does not serve the protocol, only answers dials */
    size_t bootstrap; /* whom it hears of when it asks; itself: nobody */
    uint32_t dials;
    uint32_t bootstraps;
    uint32_t changes;
};

struct world {
    struct world_node nodes[WORLD_MAX];
    size_t count;
    bool linked[WORLD_MAX][WORLD_MAX]; /* both ways */
    struct mtime now;
    uint64_t requests; /* sent so far */
    uint64_t hellos;   /* of these */
};

/** world_init - @count nodes at /ip4/A.B.0.1, each in a group of its own. */
void world_init(struct world *w, size_t count);

/** world_release - stop and free all. */
void world_release(struct world *w);

/** world_start - node @i begins, with @bootstrap. */
void world_start(struct world *w, size_t i, size_t bootstrap);

/** world_kill - node @i is gone, without a word. */
void world_kill(struct world *w, size_t i);

/** world_run - pass @ms of time. */
void world_run(struct world *w, uint64_t ms);

/** world_find - the node with @id; fails the test without. */
size_t world_find(const struct world *w, const struct peer_id *id);

/** world_links - how many @i is connected with. */
size_t world_links(const struct world *w, size_t i);

/** world_candidates - how many candidates @i knows. */
size_t world_candidates(const struct world *w, size_t i);

#endif /* TEST_UNIT_DISCOVERY_WORLD_H */
