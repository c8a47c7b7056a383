#ifndef DISCOVERY_REACH_H
#define DISCOVERY_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "multiformats/multiaddr.h"

/*
 * reach - who may hear of an address, and which addresses count as one place.
 */

/** enum reach - from where an address works; a wider one comes first. */
enum reach {
    REACH_PUBLIC,
    REACH_PRIVATE,
    REACH_LOOPBACK,
};

/** reach_of - reach of @addr; of a relay's address that of the relay. */
enum reach reach_of(const struct multiaddr *addr);

/**
 * reach_may_pass - whether an address of reach @what may be told to, or taken
 * from, a peer that is connected at @peer.
 *
 * Loopback addresses pass between loopback peers only, private ones between
 * private and loopback peers: otherwise any peer makes us dial inner services.
 */
static inline bool reach_may_pass(enum reach what, enum reach peer)
{
    return what <= peer;
}

/** reach_is_dialable - false for addresses that nobody answers at. */
bool reach_is_dialable(const struct multiaddr *addr);

/**
 * reach_group - number that addresses of one operator likely share, not 0.
 *
 * Public IP addresses: ma_ip_group().  Private and loopback addresses: each
 * host and port a group of its own, since a whole local network is one
 * operator's.  Names share one group, everything else another.
 */
uint64_t reach_group(const struct multiaddr *addr);

#endif /* DISCOVERY_REACH_H */
