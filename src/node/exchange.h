#ifndef NODE_EXCHANGE_H
#define NODE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "bitswap/client.h"
#include "bitswap/server.h"
#include "libp2p/swarm.h"

struct exchange;
struct gateways;
struct node;

/*
 * exchange - blocks from and to peers: the client and the server of bitswap,
 * over streams of the swarm; and blocks from gateways, to the same client.
 *
 * To each peer one stream is kept for all that we write; any number of inbound
 * ones is read.  Blocks that come are hashed in the pool before anybody sees
 * them.
 */

/** struct exchange_session - what a fetch wants of peers; caller's memory from
 * exchange_session_open() to exchange_session_close(). */
struct exchange_session {
    /** @got: an answered want.  The reference of @data passes.  The bytes have
     * the hash that @cid names. */
    void (*got)(struct exchange_session *s, uint64_t want_id,
                const struct cid *cid, struct slice data, struct mtime now);
    /** @missing: no peer of now has it; it stays wanted. */
    void (*missing)(struct exchange_session *s, uint64_t want_id,
                    struct mtime now);
    struct peer_id from;     /* of the block, during @got; len 0: nobody; of a
                                gateway no peer's */
    struct bs_session *core; /* private */
    struct list link;        /* private */
};

/** exchange_new - for @n, whose network it uses; without peers. */
MUST_USE struct exchange *exchange_new(struct node *n, struct mtime now);

/** exchange_free - no session is open (asserted); reads and hashes under way
 * end by themselves.  NULL does nothing. */
void exchange_free(struct exchange *x);

/** exchange_session_open - Return: OK; E_LIMIT. */
MUST_USE enum err exchange_session_open(struct exchange *x, enum bs_class class,
                                        struct exchange_session *s);

/** exchange_session_close - nothing more comes. */
void exchange_session_close(struct exchange *x, struct exchange_session *s,
                            struct mtime now);

/** exchange_session_only - as bs_session_only(). */
void exchange_session_only(struct exchange_session *s,
                           const struct peer_id *peer);

/** exchange_session_add_source - as bs_session_add_source(). */
void exchange_session_add_source(struct exchange *x, struct exchange_session *s,
                                 const struct peer_id *peer, struct mtime now);

/** exchange_want - as bs_session_want(). */
MUST_USE enum err exchange_want(struct exchange *x, struct exchange_session *s,
                                const struct bs_want *want, struct mtime now);

/** exchange_unwant - as bs_session_unwant(). */
void exchange_unwant(struct exchange *x, struct exchange_session *s,
                     uint64_t want_id, struct mtime now);

/** exchange_stored - a block was stored: who waits for it gets it. */
void exchange_stored(struct exchange *x, const struct cid *cid);

/** exchange_peers - connected peers that can be asked. */
size_t exchange_peers(const struct exchange *x);

/** exchange_gateways - HTTP gateways, which may be none. */
struct gateways *exchange_gateways(const struct exchange *x);

/** exchange_has_sources - whether there is a peer or gateway to ask now. */
bool exchange_has_sources(const struct exchange *x);

/** exchange_asks_gateway - as bs_session_asks_gateway(). */
bool exchange_asks_gateway(const struct exchange_session *s, uint64_t want_id);

/** exchange_has_peer - whether @peer is connected and can be asked. */
bool exchange_has_peer(struct exchange *x, const struct peer_id *peer);

/** exchange_waits_for - whether @peer was asked for something and has not
 * answered yet. */
bool exchange_waits_for(const struct exchange *x, const struct peer_id *peer);

/** exchange_client_stats, exchange_server_stats - counts. */
struct bs_client_stats exchange_client_stats(const struct exchange *x);

/** exchange_server_stats - counts. */
struct bs_server_stats exchange_server_stats(const struct exchange *x);

/** exchange_pump - do what the cores want now; once a turn, before and after
 * the network is drained. */
void exchange_pump(struct exchange *x, struct mtime now);

#endif /* NODE_EXCHANGE_H */
