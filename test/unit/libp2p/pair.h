#ifndef TEST_UNIT_LIBP2P_PAIR_H
#define TEST_UNIT_LIBP2P_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mtime.h"
#include "libp2p/swarm.h"
#include "multiformats/key.h"

/*
 * Two swarms and the wires between them, in memory: bytes arrive in pieces of
 * random size, time stands still unless the test moves it.
 */

enum { PAIR_WIRES_MAX = 512, PAIR_EVENTS_MAX = 8192 };

struct pair;

/** struct pair_wire - one transport connection. */
struct pair_wire {
    bool used;
    bool cut;               /* both ends were told */
    bool mute;              /* bytes vanish */
    struct conn_id conn[2]; /* of either side; 0: not there */
    uint8_t *bytes[2];      /* on their way to that side */
    size_t len[2];
    size_t sum[2]; /* that ever arrived there */
    size_t hash;   /* of all that ever arrived */
};

/** struct pair_event - an output that is neither dial, write nor close. */
struct pair_event {
    int side;
    struct swarm_out out; /* data: a view into pair.data */
};

struct pair_side {
    struct privkey key;
    struct swarm *swarm;
    struct multiaddr addr; /* where it listens */
};

struct pair {
    struct pair_side side[2];
    struct mtime now;
    uint64_t random;
    size_t piece_max; /* of bytes in one swarm_bytes(); 0: all */
    bool hold_data;   /* do not return credit */
    bool keep_data;   /* append stream data to data[side] */
    bool refuse_dials;
    size_t wire_max; /* bytes that reach side 1 of a wire */
    bool flip;       /* change byte @flip_at of what reaches side 1 */
    size_t flip_at;
    size_t queued; /* reported as waiting in each socket */
    struct pair_wire wires[PAIR_WIRES_MAX];
    struct pair_event events[PAIR_EVENTS_MAX];
    size_t events_count;
    uint8_t *data[2];
    size_t data_len[2];
    size_t data_sum[2];
};

/** pair_new - two swarms with keys 1 and 2 and @protocols. */
struct pair *pair_new(const struct swarm_protocol *protocols, size_t count,
                      const struct swarm_limits *limits);

void pair_free(struct pair *p);

/** pair_random - next number of the pair's own sequence. */
uint32_t pair_random(struct pair *p);

/** pair_run - carry bytes and outputs until nothing happens any more. */
void pair_run(struct pair *p);

/** pair_drain - outputs of one side only. */
void pair_drain(struct pair *p, int side);

/** pair_sleep - let @ms pass, in steps of deadlines. */
void pair_sleep(struct pair *p, uint32_t ms);

/** pair_connect - side 0 dials side 1; both are identified afterwards. */
void pair_connect(struct pair *p);

/** pair_find - the oldest event of @type at @side, or NULL. */
struct pair_event *pair_find(struct pair *p, int side,
                             enum swarm_out_type type);

/** pair_count - how many events of @type @side had. */
size_t pair_count(const struct pair *p, int side, enum swarm_out_type type);

/** pair_forget - drop recorded events and data. */
void pair_forget(struct pair *p);

/** pair_id - peer id of @side. */
const struct peer_id *pair_id(const struct pair *p, int side);

/** pair_transport - a transport of @wire as @side sees it. */
struct swarm_transport pair_transport(struct pair *p, int side, size_t wire);

/** pair_accept - @side accepts a wire whose other end is the test. */
enum err pair_accept(struct pair *p, int side, size_t *ret_wire);

/** pair_cut - the wire breaks; both ends hear of it. */
void pair_cut(struct pair *p, size_t wire);

#endif /* TEST_UNIT_LIBP2P_PAIR_H */
