#ifndef DISCOVERY_MDNS_H
#define DISCOVERY_MDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/mtime.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

/*
 * mdns - finds peers on the local network, and is found by them.
 *
 * A protocol core: after every call that changes something the owner drains
 * mdns_next() and arranges to call mdns_on_time() at mdns_deadline().
 *
 * The owner has a datagram socket for each interface and address family, bound
 * to MDNS_PORT of the group itself, so that nothing from outside the link comes
 * in, and shared with other programs of this machine:
 *
 *   udp_open(net, u, {group, MDNS_PORT, scope}, NET_UDP_REUSE),
 *   udp_join(net, u, group, address of the interface)
 *
 * It numbers them from 0 to MDNS_SOCKETS_MAX - 1.  What we send comes back to
 * us, and that is fine.
 *
 * Spec: libp2p/specs discovery/mdns.md; RFC 6762, 5.2, 6, 6.7, 7.1, 8.3.
 */
struct mdns;

enum {
    MDNS_PORT = 5353,
    MDNS_SOCKETS_MAX = 32,
    MDNS_ALL_SOCKETS = MDNS_SOCKETS_MAX, /* in mdns_out.socket */
    MDNS_SEED_BYTES = 32,
    MDNS_ADDRS_MAX = 32, /* of ours; the rest is not announced */

    MDNS_QUERY_FIRST_MS = 1000, /* from the first query to the second */
    MDNS_QUERY_MS = 10 * 1000,  /* from it to the third; then doubled up to */
    MDNS_QUERY_MAX_MS = 5 * 60 * 1000,
    MDNS_ANNOUNCE_COUNT = 2,       /* when we start, and when we move */
    MDNS_ANNOUNCE_GAP_MS = 1000,   /* between them */
    MDNS_ANSWER_GAP_MS = 1000,     /* between two on one socket */
    MDNS_ANSWER_DELAY_MIN_MS = 20, /* since others answer too */
    MDNS_ANSWER_DELAY_MAX_MS = 120,

    MDNS_PACKETS_MAX = 200, /* looked at in a second; the rest is dropped */
    MDNS_DIRECT_MAX = 10,   /* answers to one asker alone, in a second */
    MDNS_FOUND_MAX = 512,   /* FOUND in a second, and waiting; dropped, too */
};

/** MDNS_GROUP4, MDNS_GROUP6 - 224.0.0.251 and ff02::fb. */
#define MDNS_GROUP4 ((struct ma_ip){.len = 4, .bytes = {224, 0, 0, 251}})
#define MDNS_GROUP6                                                            \
    ((struct ma_ip){.len = 16, .bytes = {0xff, 0x02, [15] = 0xfb}})

/** struct mdns_config - who we are. */
struct mdns_config {
    struct peer_id self;
    uint8_t seed[MDNS_SEED_BYTES]; /* random; names this run of the node */

    /* Tell of our loopback addresses, too, and use those of others whatever
     * socket they come by: for nodes of one machine. */
    bool loopback;
};

/** struct mdns_from - the other end of a datagram, and our socket. */
struct mdns_from {
    struct ma_ip ip;
    uint16_t port;
    uint32_t scope;  /* IPv6 zone index, 0: none */
    uint32_t socket; /* below MDNS_SOCKETS_MAX */
};

enum mdns_out_kind {
    MDNS_SEND,  /* send a datagram to the group, by one socket or all */
    MDNS_REPLY, /* send a datagram to one asker */
    MDNS_FOUND, /* somebody says that a peer is there; nothing is proven */
};

/** struct mdns_out - what the owner is to do. */
struct mdns_out {
    enum mdns_out_kind kind;
    uint32_t socket;       /* SEND: by which one, or MDNS_ALL_SOCKETS */
    struct mdns_from to;   /* REPLY */
    struct bytes packet;   /* SEND, REPLY: valid until the next call */
    struct peer_id peer;   /* FOUND: never ourselves */
    struct multiaddr addr; /* FOUND: without /p2p at the end */
    struct mdns_from from; /* FOUND: who said so; a link-local @addr is in
                            * its zone */
};

/** mdns_new - ask at once, and say nothing until mdns_set_addrs(). */
MUST_USE struct mdns *mdns_new(const struct mdns_config *config,
                               struct mtime now);

/** mdns_free - NULL does nothing. */
void mdns_free(struct mdns *m);

/**
 * mdns_set_addrs - where we can be reached from now on; they are copied.
 * @addrs: with or without /p2p/<self>; best first, since what does not fit
 * into a packet is left out.  Names, unroutable ones, relays and what only
 * browsers dial are left out, too.
 *
 * A change is announced.  Without addresses we don't answer.
 */
void mdns_set_addrs(struct mdns *m, const struct multiaddr *addrs, size_t count,
                    struct mtime now);

/** mdns_ask - ask again now and begin anew with short intervals: the network
 * has changed, or there are too few peers.  At most once a second. */
void mdns_ask(struct mdns *m, struct mtime now);

/** mdns_on_packet - a datagram came; whatever it is. */
void mdns_on_packet(struct mdns *m, const struct mdns_from *from,
                    struct bytes in, struct mtime now);

/** mdns_on_time - it is @now; harmless when called early. */
void mdns_on_time(struct mdns *m, struct mtime now);

/** mdns_deadline - when mdns_on_time() must be called next. */
struct mtime mdns_deadline(const struct mdns *m);

/**
 * mdns_next - take the next output.
 *
 * Return: false when there is none.
 */
bool mdns_next(struct mdns *m, struct mdns_out *ret_out);

/** struct mdns_stats - counts since the start. */
struct mdns_stats {
    uint64_t packets;   /* that came */
    uint64_t malformed; /* among them */
    uint64_t dropped;   /* packets and FOUND over a limit */
    uint64_t answers;   /* SEND and REPLY that tell of us */
};

/** mdns_get_stats - counts of @m. */
struct mdns_stats mdns_get_stats(const struct mdns *m);

#endif /* DISCOVERY_MDNS_H */
