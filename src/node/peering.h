#ifndef NODE_PEERING_H
#define NODE_PEERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "discovery/discovery.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct kv;
struct node;
struct peering;

/*
 * peering - discovery at work: the peer book on disk, dials, exchange of
 * records with members of the network, bootstrap peers, names of the DNS and
 * the local network.
 */

enum {
    PEERING_FLUSH_FIRST_MS = 500,
    PEERING_FLUSH_MS = 30 * 1000,
    PEERING_LOOK_MS = 10 * 1000, /* between looks at the interfaces */
    PEERING_SEEDS_MAX = 5,       /* names of a network */
};

/** peering_new - for @n, whose network it uses; the book is loaded from
 * @table of @kv. */
MUST_USE struct peering *peering_new(struct node *n, struct kv *kv,
                                     uint32_t table, struct mtime now);

/** peering_want_place - we have as many connections as we may, and one more is
 * wanted: one that nobody needs goes, if there is such a one. */
void peering_want_place(struct peering *p, struct mtime now);

/** peering_start - begin to dial. */
void peering_start(struct peering *p, struct mtime now);

/** peering_stop - dial nobody any more; names and datagrams end, and
 * peering_is_idle() tells when they have. */
void peering_stop(struct peering *p, struct mtime now);

/** peering_is_idle - after peering_stop(): nothing is under way. */
bool peering_is_idle(const struct peering *p);

/** peering_free - after it is idle, before the network is freed.  NULL does
 * nothing. */
void peering_free(struct peering *p, struct mtime now);

/** peering_pump - carry out what the cores want; true when there was
 * something. */
bool peering_pump(struct peering *p, struct mtime now);

/** peering_discovery - the core, for requests and looks; peering_pump() after
 * a request. */
struct discovery *peering_discovery(struct peering *p);

/** peering_set_storage - what our record says of storage. */
void peering_set_storage(struct peering *p, uint64_t offer_bytes,
                         uint64_t free_bytes, struct mtime now);

/** peering_event - something was measured of @peer; as discovery_event(). */
void peering_event(struct peering *p, const struct peer_id *peer,
                   enum quality_kind kind, uint64_t amount, struct mtime now);

/** peering_hear - the DHT told of a peer. */
void peering_hear(struct peering *p, const struct peer_id *peer,
                  const struct multiaddr *addrs, size_t count,
                  struct mtime now);

/** peering_lonely - the DHT knows nobody: bootstrap again, but not more often
 * than every DISCOVERY_BOOTSTRAP_MS. */
void peering_lonely(struct peering *p, struct mtime now);

/** peering_addrs - where the book says that @peer is; how many. */
size_t peering_addrs(const struct peering *p, const struct peer_id *peer,
                     struct multiaddr *dst, size_t max);

/** struct peering_probe - one question whether others can reach a peer;
 * caller's memory until @done or peering_probe_cancel(). */
struct peering_probe {
    /** @done: @err: OK, then @outcome says what @via found. */
    void (*done)(struct peering_probe *probe, enum err err,
                 enum peers_outcome outcome, struct mtime now);
    struct list link; /* private */
};

/** peering_ask_probe - ask @via to connect to @peer; as discovery_probe(). */
MUST_USE enum err peering_ask_probe(struct peering *p,
                                    struct peering_probe *probe,
                                    const struct peer_id *via,
                                    const struct peer_id *peer,
                                    struct mtime now);

/** peering_probe_cancel - @done is not called any more. */
void peering_probe_cancel(struct peering_probe *probe);

/** struct peering_watcher - who hears that the candidates for objects
 * changed; caller's memory until peering_unwatch(). */
struct peering_watcher {
    void (*changed)(struct peering_watcher *w, struct mtime now);
    struct list link; /* private */
};

/** peering_watch - tell @w from now on. */
void peering_watch(struct peering *p, struct peering_watcher *w);

/** peering_unwatch - tell @w no more. */
void peering_unwatch(struct peering_watcher *w);

#endif /* NODE_PEERING_H */
