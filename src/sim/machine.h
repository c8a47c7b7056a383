#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "config/config.h"
#include "env/env.h"
#include "env/rng.h"
#include "env/web.h"
#include "multiformats/peer_id.h"
#include "node/log.h"
#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/http.h"
#include "sim/kv.h"
#include "sim/liar.h"
#include "sim/net.h"
#include "sim/pool.h"
#include "sim/rand.h"

struct api;
struct fault;
struct node;
struct sim_world;

/*
 * machine - one simulated computer: its env, its disk, and the node that runs
 * on it or doesn't.
 */

/** SIM_PATH - the data folder, on each machine. */
#define SIM_PATH "/node"

enum { SIM_PORT = 4101 };

enum sim_machine_state {
    SIM_OFF,     /* no node runs */
    SIM_RUNNING, /* ... and answers requests */
    SIM_STOPPING,
};

struct sim_machine {
    struct sim_world *world; /* borrowed */
    uint32_t index;
    enum sim_machine_state state; /* read-only for others */
    bool powered;                 /* false: after a power cut */
    struct node *node;            /* while it runs or stops */
    struct peer_id peer;
    struct sim_clock clock;
    struct sim_host host;
    struct sim_disk disk;
    struct sim_pool pool;
    struct sim_kv_opener kv;
    struct sim_http http;
    struct web web;
    struct sim_liar liar;
    uint32_t starts;
    uint16_t port; /* where its node listens; see sim_machine_share() */

    struct env env; /* private, as all below */
    struct rng rng;
    struct sim_rand rand;
    struct api *api;
    struct config *config;    /* own, or the world's */
    struct sim_settings *own; /* beside the world's; NULL: none */
    struct log log;
    bool stopped; /* node_stop() has called back */
};

/** sim_machine_new - machine @index of @world with a fresh data folder. */
MUST_USE struct sim_machine *sim_machine_new(struct sim_world *world,
                                             uint32_t index,
                                             const uint8_t ip[static 4]);

/** sim_machine_free - its node is killed if it runs. */
void sim_machine_free(struct sim_machine *m);

/** sim_machine_set - "network.enabled=true" from the next start on.
 * Return: E_MALFORMED for no such key or a bad value. */
MUST_USE enum err sim_machine_set(struct sim_machine *m, const char *pair);

/**
 * sim_machine_start - power on and start the node.
 *
 * Return: OK; E_EXISTS it runs or is being stopped; E_AGAIN: its power was cut
 * meanwhile, since its disk was armed; what node_open() and
 * node_start() say, with @ret_fault.
 */
MUST_USE enum err sim_machine_start(struct sim_machine *m,
                                    struct fault *ret_fault);

/** sim_machine_stop - have the node end as SIGTERM does; state SIM_OFF tells
 * when it has.  Nothing when it does not run. */
void sim_machine_stop(struct sim_machine *m);

/** sim_machine_kill - end the node at once, without any effect of its own.
 * @power: the machine loses its power, and what was not synced. */
void sim_machine_kill(struct sim_machine *m, bool power);

/** sim_machine_wipe - as a power cut, and another disk is put in, on which
 * there is nothing but the node's key. */
void sim_machine_wipe(struct sim_machine *m);

/** sim_machine_share - have the address @ip, which other machines may have too,
 * and a port of its own.  Before its first start. */
void sim_machine_share(struct sim_machine *m, const uint8_t ip[static 4]);

/** sim_machine_turn - one turn. */
void sim_machine_turn(struct sim_machine *m);

/** sim_machine_addr - its multiaddr with peer id; to @dst, of @max bytes with
 * its NUL.  Return: length without it. */
size_t sim_machine_addr(const struct sim_machine *m, char *dst, size_t max);

#endif /* SIM_MACHINE_H */
