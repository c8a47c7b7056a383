#ifndef NODE_SEEDS_H
#define NODE_SEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mtime.h"
#include "discovery/book.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct env;
struct seeds;

/*
 * seeds - first peers: addresses with names in them are looked up, and the
 * local network is asked by mDNS.
 */

enum { SEEDS_NAMES_MAX = 32 }; /* being looked up at a time */

/** struct seeds_config - copied. */
struct seeds_config {
    struct env *env;
    struct peer_id self;
    bool mdns;     /* ask the local network, and answer it */
    bool loopback; /* of mDNS: tell of loopback addresses too */
    /** @found: a peer may be there; nothing is proven. */
    void (*found)(void *user, const struct peer_id *peer,
                  const struct multiaddr *addr, enum book_source source,
                  struct mtime now);
    void *user;
};

/** seeds_new - with sockets on all interfaces if @config->mdns. */
MUST_USE struct seeds *seeds_new(const struct seeds_config *config,
                                 struct mtime now);

/**
 * seeds_resolve - tell what @addr stands for.
 * @addr: with or without a name, and with /p2p, at the end or where the name
 * leads.
 * @source: comes back.
 *
 * More than SEEDS_NAMES_MAX at a time are left out.
 */
void seeds_resolve(struct seeds *s, const struct multiaddr *addr,
                   enum book_source source, struct mtime now);

/** seeds_ask - ask the local network again. */
void seeds_ask(struct seeds *s, struct mtime now);

/** seeds_look - interfaces may have come or gone: open and close sockets. */
void seeds_look(struct seeds *s, struct mtime now);

/** seeds_set_addrs - what we announce. */
void seeds_set_addrs(struct seeds *s, const struct multiaddr *addrs,
                     size_t count, struct mtime now);

/** seeds_stop - end all lookups and sockets. */
void seeds_stop(struct seeds *s);

/** seeds_is_idle - after seeds_stop(): all sockets have closed. */
bool seeds_is_idle(const struct seeds *s);

/** seeds_free - when idle (asserted).  NULL does nothing. */
void seeds_free(struct seeds *s);

#endif /* NODE_SEEDS_H */
