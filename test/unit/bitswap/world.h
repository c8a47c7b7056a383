#ifndef TEST_UNIT_BITSWAP_WORLD_H
#define TEST_UNIT_BITSWAP_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/mtime.h"
#include "bitswap/client.h"
#include "bitswap/frame_reader.h"
#include "bitswap/server.h"

/*
 * world - peers with real client and server cores, joined by streams that are
 * ordered but slow, in virtual time.  One seed decides everything; the trace
 * is a hash of all that was sent and told.
 */

enum {
    WORLD_PEERS_MAX = 16,
    WORLD_BLOCKS_MAX = 512,
    WORLD_WANTS_MAX = 2048,
};

enum world_kind {
    WORLD_HONEST,
    WORLD_STALLS, /* takes messages, says nothing */
    WORLD_LIES,   /* sends wrong bytes */
    WORLD_CLAIMS, /* says HAVE for everything and sends nothing */
    WORLD_FLOODS, /* sends what nobody asked for */
};

struct world_block {
    struct cid cid;
    struct slice data;
};

struct world_want {
    uint32_t block;
    unsigned got; /* times */
    unsigned missing;
};

struct world_peer {
    struct peer_id id;
    enum world_kind kind;
    enum bs_version version;
    bool gone;
    bool has[WORLD_BLOCKS_MAX];
    struct bs_client *client;
    struct bs_server *server;
    struct bs_session *session; /* NULL: wants nothing */
    struct world_want wants[WORLD_WANTS_MAX];
    size_t wants_count;
    size_t got_count;
    bool keeps; /* what it gets it also serves */
    unsigned faults;
    struct mtime timer;
    uint32_t latency_us; /* of what it sends */
    uint32_t rate;       /* bytes/ms */
};

struct world_link {
    bool up;
    uint32_t streams; /* so many were opened */
    struct mtime busy_until;
    struct mtime last;
    struct bs_frame_reader reader; /* at the receiver */
};

struct world_event {
    struct mtime at;
    uint64_t seq;
    enum {
        WORLD_DELIVER,
        WORLD_DRAINED,
        WORLD_HASHED,
        WORLD_READ,
        WORLD_TIMER,
        WORLD_VANISH,
        WORLD_RETURN,
        WORLD_RESET,
        WORLD_FLOOD,
    } kind;
    uint32_t from;
    uint32_t to;
    uint32_t stream; /* of the link */
    uint64_t id;
    uint64_t code;
    struct slice data;
    size_t len;
};

struct world {
    uint64_t random;
    struct mtime now;
    uint64_t seq;
    uint64_t trace;
    struct world_event *events; /* a heap */
    size_t events_count;
    size_t events_max;
    struct world_block blocks[WORLD_BLOCKS_MAX];
    size_t blocks_count;
    struct world_peer peers[WORLD_PEERS_MAX];
    size_t peers_count;
    struct world_link links[WORLD_PEERS_MAX][WORLD_PEERS_MAX];
    uint64_t sent_bytes;
    uint64_t messages;
    bool piecemeal; /* streams arrive in pieces of any size */
};

/** world_new - world with @blocks blocks of all sizes and no peers. */
struct world *world_new(uint64_t seed, size_t blocks, size_t bytes_max);

/** world_new_even - world with @blocks raw blocks of one size, no peers. */
struct world *world_new_even(uint64_t seed, size_t blocks, size_t bytes);

/** world_free - drop all. */
void world_free(struct world *w);

/** world_random - number below @below. */
uint32_t world_random(struct world *w, uint32_t below);

/** world_add - one more peer, joined to nobody; returns its number. */
uint32_t world_add(struct world *w, enum world_kind kind,
                   enum bs_version version);

/** world_join - connect two peers. */
void world_join(struct world *w, uint32_t a, uint32_t b);

/** world_join_all - connect each with each. */
void world_join_all(struct world *w);

/** world_part - disconnect two peers. */
void world_part(struct world *w, uint32_t a, uint32_t b);

/** world_want - peer @a wants @block; opens its session when it has none. */
void world_want(struct world *w, uint32_t a, uint32_t block, int32_t priority);

/** world_store - peer @a stores @block now. */
void world_store(struct world *w, uint32_t a, uint32_t block);

/** world_after - something happens to @from after @ms. */
void world_after(struct world *w, int kind, uint32_t from, uint32_t to,
                 uint32_t ms);

/** world_run - until nothing is wanted, or @ms have passed. */
void world_run(struct world *w, uint32_t ms);

/** world_pump - take all outputs of @a. */
void world_pump(struct world *w, uint32_t a);

/** world_left - wants of all peers that are not answered. */
size_t world_left(const struct world *w);

#endif /* TEST_UNIT_BITSWAP_WORLD_H */
