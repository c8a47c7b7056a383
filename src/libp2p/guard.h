#ifndef LIBP2P_GUARD_H
#define LIBP2P_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "libp2p/bucket.h"

struct multiaddr;
struct peer_id;

/*
 * guard - what addresses and peers used lately of what does no good.
 *
 * A record outlives the connections it was made for, so that whoever connects
 * anew goes on where it stopped.  Records without connections are forgotten,
 * the longest unused first, when there are too many.
 */

enum { GUARD_KEY_MAX = 1 + 64 };

struct guard_record {
    struct map_node node;
    struct list idle; /* in guard.idle while @conns is 0 */
    uint8_t key[GUARD_KEY_MAX];
    uint32_t conns; /* connections that hold it, read-only for others */
    struct bucket bucket;
    struct bucket pushes; /* identify pushes */
};

struct guard {
    struct map records;
    struct list idle; /* the longest unused first */
    size_t idle_max;
    size_t idle_count;
};

/** guard_init - no records; at most @idle_max of those without connections. */
void guard_init(struct guard *g, size_t idle_max,
                const uint8_t seed[static 16]);

/** guard_release - forget everything. */
void guard_release(struct guard *g);

/**
 * guard_hold_ip - record of the host of @addr: an IPv4 address, an IPv6 /64.
 *
 * Return: the record with one more connection; NULL without IP address.
 */
struct guard_record *guard_hold_ip(struct guard *g,
                                   const struct multiaddr *addr);

/** guard_hold_peer - record of @peer with one more connection. */
struct guard_record *guard_hold_peer(struct guard *g,
                                     const struct peer_id *peer);

/** guard_drop - one connection less for @r; NULL does nothing. */
void guard_drop(struct guard *g, struct guard_record *r);

#endif /* LIBP2P_GUARD_H */
