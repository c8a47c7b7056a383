#ifndef TEST_UNIT_KAD_KAD_NET_H
#define TEST_UNIT_KAD_KAD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "kad/kad.h"

/*
 * net - many DHTs in one program that exchange messages in virtual time.
 *
 * A message takes some 20 to 80 ms each way.  Who is asked for the first time
 * is connected to, and both learn by identify who the other is.  The dead never
 * answer; liars answer as their kind says.
 */

enum net_kind {
    NET_HONEST,
    NET_DEAD,
    NET_LIAR_SELF,  /* names itself only, whatever it is asked for */
    NET_LIAR_FAKES, /* names 40 peers near the key that do not exist */
    NET_LIAR_HUGE,  /* names 10,000 peers */
    NET_LIAR_NOISE, /* answers with bytes that are no message */
};

struct net_node {
    struct map_node node;
    struct kad *kad;
    struct peer_id id;
    struct multiaddr addr;
    enum net_kind kind;
    uint64_t wake_ns; /* when it is to be woken; UINT64_MAX: never */
    uint64_t sends;   /* KAD_SENDs taken from it */
    uint64_t lonely;  /* KAD_LONELYs */
};

enum {
    NET_FOUND_MAX = 1200,
    NET_NODES_MAX = 400,
};

/* What came of one query. */
struct net_result {
    bool done;
    struct kad_out out; /* KAD_DONE */
    size_t found_count;
    struct peer_id found[NET_FOUND_MAX]; /* providers, or peer */
    size_t found_addrs[NET_FOUND_MAX];   /* how many addresses came with it */
    size_t values_count;
    uint8_t value[10 * 1024]; /* the last one */
    size_t value_len;
};

struct net {
    struct net_node nodes[NET_NODES_MAX];
    size_t count;
    struct map by_id;
    enum kad_scope scope;
    uint64_t now_ns;
    uint64_t chance;
    struct event *events; /* a heap */
    size_t events_count;
    size_t events_max;
    uint64_t seq;
    uint64_t refused_replies; /* that kad_on_reply() did not like */
    uint64_t trace;           /* of all that happened, in order */
    uint8_t connected[NET_NODES_MAX][NET_NODES_MAX];
    struct net_result last; /* what came of the last query waited for */
    bool waiting;
    size_t provider_of[128]; /* who provided content number i: the test's */
    size_t result_node;
    uint64_t result_query;
};

/* A net of @count servers that know nobody; @tweak may be NULL. */
struct net *net_new(size_t count, enum kad_scope scope, uint64_t seed,
                    const struct kad_config *tweak);
void net_free(struct net *n);
uint64_t net_chance(struct net *n, uint64_t below);
struct mtime net_now(const struct net *n);

/* Connects @a and @b: identify tells each of the other. */
void net_connect(struct net *n, size_t a, size_t b);

/* Connects each but the first to one or two before it, at random. */
void net_join(struct net *n);

/* Lets @ms of virtual time pass. */
void net_run(struct net *n, uint64_t ms);

/* Runs until @query of node @i is over; what it found is in @n->last. */
void net_wait(struct net *n, size_t i, uint64_t query);

/* Number of the node @id; SIZE_MAX when there is none. */
size_t net_find(const struct net *n, const struct peer_id *id);

/* The real nearest nodes that are not dead and not @except. */
size_t net_nearest(const struct net *n, struct bytes key, size_t except,
                   size_t *dst, size_t max);

/* Peer id and address number @i of a net, or of nobody. */
struct peer_id net_peer_id(uint64_t i, uint64_t seed);
struct multiaddr net_addr(uint64_t i);

#endif /* TEST_UNIT_KAD_KAD_NET_H */
