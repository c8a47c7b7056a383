#ifndef NODE_NETWORK_H
#define NODE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "libp2p/swarm.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct env;
struct fault;
struct log;
struct network;

/*
 * network - carries bytes between the swarm and sockets, and what the swarm
 * tells to whom it concerns: about a stream to its owner, about a new one to
 * the service whose protocol it speaks, about a peer to all who watch.
 */

enum {
    NETWORK_LISTENERS_MAX = 16,
    NETWORK_PORT_TRIES = 100,
    NETWORK_SERVICES_MAX = 32,
};

/** network_new - a swarm by @config on @env; @log is borrowed. */
MUST_USE struct network *network_new(struct env *env,
                                     const struct swarm_config *config,
                                     struct log *log);

/** network_free - all sockets have closed (network_close()); NULL: no-op. */
void network_free(struct network *n);

/**
 * struct network_stream - owner of a stream, of either direction; embedded in
 * a larger struct.  For a stream of ours it is swarm_open_op.owner.
 */
struct network_stream {
    /** @on_out: an output of this stream; @s may be freed meanwhile. */
    void (*on_out)(struct network_stream *s, const struct swarm_out *out,
                   struct mtime now);
    struct stream_id id;
};

/** struct network_service - who serves a protocol; the caller's memory until
 * network_unserve(). */
struct network_service {
    /** @on_stream: a peer opened a stream (SWARM_STREAM_IN).
     * Return: its owner, with both fields set; NULL refuses it. */
    struct network_stream *(*on_stream)(struct network_service *service,
                                        const struct swarm_out *out,
                                        struct mtime now);
    const char *name; /* private */
    uint32_t handler; /* private */
};

/**
 * network_serve - serve @protocol, whose handler is not looked at.
 *
 * At most NETWORK_SERVICES_MAX, each name once (asserted).
 */
void network_serve(struct network *n, struct network_service *service,
                   const struct swarm_protocol *protocol, struct mtime now);

/** network_unserve - accept no new stream of it. */
void network_unserve(struct network *n, struct network_service *service,
                     struct mtime now);

/** network_protocol - name of the protocol in place @index below
 * NETWORK_SERVICES_MAX; NULL: none. */
const char *network_protocol(const struct network *n, size_t index);

/** struct network_watcher - who hears of peers; the caller's memory until
 * network_unwatch(). */
struct network_watcher {
    /** @on_peer: SWARM_CONNECTED, DIAL_FAILED, IDENTIFIED, DISCONNECTED or
     * FAULT. */
    void (*on_peer)(struct network_watcher *w, const struct swarm_out *out,
                    struct mtime now);
    struct list link; /* private */
};

/** network_watch - tell @w from now on; watchers hear in the order in which
 * they came. */
void network_watch(struct network *n, struct network_watcher *w);

/** network_unwatch - tell @w no more; not from inside of on_peer. */
void network_unwatch(struct network_watcher *w);

/**
 * network_set_gate - ask @gate who may be connected; NULL admits all.
 *
 * About each that connects, with no @peer, before anything is known of it but
 * where it is; and about each address where a peer is to be dialed.
 */
void network_set_gate(struct network *n,
                      bool (*gate)(void *user, const struct peer_id *peer,
                                   const struct multiaddr *remote,
                                   struct mtime now),
                      void *user);

/** network_swarm - the swarm, for requests and look-ups. */
struct swarm *network_swarm(struct network *n);

/**
 * network_listen - listen on @addr, an IP and a TCP port.
 * @search: take the next free port when that one is taken.
 * @ret_addr: the address with the port that was chosen.
 *
 * Return: OK; E_EXISTS the port is taken; E_NOTFOUND not an address of this
 * machine; E_UNSUPPORTED not an IP with a TCP port; E_LIMIT too many
 * listeners; E_REFUSED, E_IO.
 */
MUST_USE enum err network_listen(struct network *n,
                                 const struct multiaddr *addr, bool search,
                                 struct multiaddr *ret_addr);

/**
 * network_announce - tell peers these addresses, or where @count is 0 those
 * that we listen on, a wildcard as the addresses of the interfaces.
 */
void network_announce(struct network *n, const struct multiaddr *addrs,
                      size_t count, struct mtime now);

/**
 * network_refresh - look at the interfaces again, where a wildcard stands for
 * them.
 *
 * Return: true when what we announce is another now.
 */
bool network_refresh(struct network *n, struct mtime now);

/**
 * network_addrs - what we announce, without /p2p.
 *
 * Return: number of addresses written, at most @max.
 */
size_t network_addrs(const struct network *n, struct multiaddr *dst,
                     size_t max);

/** network_link_addrs - where we listen on one link only (/ip6zone): for who
 * starts the node, not for others.  As network_addrs(). */
size_t network_link_addrs(const struct network *n, struct multiaddr *dst,
                          size_t max);

/**
 * struct connect_op - waits for a connection to a peer; caller's memory until
 * @done or network_connect_cancel().
 */
struct connect_op {
    /** @done: OK connected; else why not; E_MISMATCH: @actual is there. */
    void (*done)(struct connect_op *op, enum err err, struct mtime now);
    struct peer_id peer;
    struct peer_id actual;
    struct list link; /* private */
};

/**
 * network_connect - connect to the peer at @addr, which ends in /p2p.
 *
 * Return: as network_dial(); E_MALFORMED without a peer id.
 */
MUST_USE enum err network_connect(struct network *n, struct connect_op *op,
                                  const struct multiaddr *addr,
                                  struct mtime now);

/** struct network_target - whom to dial where. */
struct network_target {
    struct peer_id peer;
    const struct multiaddr *addrs; /* @count of them, with or without /p2p */
    size_t count;
    bool force;   /* also addresses that failed a moment ago */
    bool passing; /* for one question: nobody minds if it is closed after it */
};

/** network_is_passing - whether @out, SWARM_CONNECTED, is the end of such a
 * dial. */
bool network_is_passing(const struct network *n, const struct swarm_out *out);

/**
 * network_dial - connect to a peer at any of its addresses.
 *
 * Return: OK, @op->done follows; E_EXISTS connected already; E_REFUSED the gate
 * admits it at none of them; the failures of swarm_dial().
 */
MUST_USE enum err network_dial(struct network *n, struct connect_op *op,
                               const struct network_target *target,
                               struct mtime now);

/** network_connect_cancel - @op->done is not called any more. */
void network_connect_cancel(struct connect_op *op);

/** struct ping_op - waits for one round trip; as struct connect_op. */
struct ping_op {
    void (*done)(struct ping_op *op, enum err err, uint64_t rtt_us,
                 struct mtime now);
    struct list link; /* private */
};

/** network_ping - as swarm_ping(). */
MUST_USE enum err network_ping(struct network *n, struct ping_op *op,
                               const struct peer_id *peer, struct mtime now);

/** network_ping_cancel - @op->done is not called any more. */
void network_ping_cancel(struct ping_op *op);

/** network_drain - carry out all that the swarm wants now; true when there was
 * something. */
bool network_drain(struct network *n, struct mtime now);

/** network_close - stop listening and close all connections; the sockets are
 * gone when network_is_idle(). */
void network_close(struct network *n, struct mtime now);

/** network_is_idle - true when no socket is left. */
bool network_is_idle(const struct network *n);

#endif /* NODE_NETWORK_H */
