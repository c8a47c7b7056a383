#ifndef NODE_EXCHANGE_PRIV_H
#define NODE_EXCHANGE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "bitswap/client.h"
#include "bitswap/frame_reader.h"
#include "bitswap/server.h"
#include "env/clock.h"
#include "libp2p/swarm.h"
#include "node/network.h"

struct env;
struct exchange;
struct gateways;
struct node;

/* exchange - its peers and their streams.  Private to exchange*.c. */

enum { EXCHANGE_PROTOCOLS_COUNT = 4 };

/* A stream, of either direction. */
struct xstream {
    struct network_stream base;
    struct exchange *exchange;
    struct xpeer *peer;
    bool outbound;
    struct bs_frame_reader reader; /* inbound */
    size_t part;                   /* bytes that @reader holds */
    size_t unconsumed;             /* bytes whose window is withheld */
    struct list link;
};

/* A connected peer that speaks bitswap. */
struct xpeer {
    struct map_node node;
    struct peer_id id;
    unsigned protocol;     /* index into protocols */
    struct xstream *out;   /* NULL: none is open */
    size_t queued;         /* bytes in @out, as last seen */
    uint64_t debt;         /* bytes of the server's frames not yet drained */
    uint64_t taken;        /* of the debt, since @taken_at */
    struct mtime taken_at; /* 0 while there is no debt */
    size_t parts;          /* bytes of messages that are not complete */
    uint32_t strikes;
    struct list ins;
    struct list busy; /* in exchange.busy */
};

/* One of the protocols that we serve. */
struct xservice {
    struct network_service base;
    struct exchange *exchange;
    unsigned protocol; /* index */
};

struct exchange {
    struct node *node;
    struct env *env;
    struct network *network;
    struct swarm *swarm;
    struct network_watcher watcher;
    struct xservice services[EXCHANGE_PROTOCOLS_COUNT];
    struct bs_client *client;
    struct bs_server *server;
    struct gateways *gateways;
    struct map peers;
    /* Peers with a debt, or with windows that are withheld: the others cost
     * nothing at each turn. */
    struct list busy;
    struct list sessions;
    struct list reads;  /* of blocks for the server */
    struct list hashes; /* in the pool */
    size_t parts;       /* of all peers */
    struct timer timer;
    bool pumping;
};

/** exchange_find_peer - the peer that speaks bitswap, or NULL. */
struct xpeer *exchange_find_peer(struct exchange *x, const struct peer_id *id);

/** exchange_streams_start - serve the protocols and watch peers. */
void exchange_streams_start(struct exchange *x, struct mtime now);

/** exchange_streams_end - forget all peers; nothing is heard any more. */
void exchange_streams_end(struct exchange *x, struct mtime now);

/** exchange_drop_peer - end all connections to @id; @event is for the log. */
void exchange_drop_peer(struct exchange *x, const struct peer_id *id,
                        const char *event, struct mtime now);

/** exchange_send_wants - carry out BS_CLIENT_SEND. */
void exchange_send_wants(struct exchange *x, struct bs_client_out *out,
                         struct mtime now);

/** exchange_send_reply - carry out BS_SERVER_SEND. */
void exchange_send_reply(struct exchange *x, struct bs_server_out *out,
                         struct mtime now);

/** exchange_look_at_streams - open windows that were withheld, and note bytes
 * that have left.  Return: when to look again. */
struct mtime exchange_look_at_streams(struct exchange *x, struct mtime now);

#endif /* NODE_EXCHANGE_PRIV_H */
