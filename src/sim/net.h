#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/map.h"
#include "env/clock.h"
#include "env/net.h"
#include "sim/rand.h"

struct peer_id;
struct sim_clock;
struct sim_cut;
struct sim_liar;
struct sim_host;
struct sim_time;

/*
 * net - streams, datagrams and names between machines.
 *
 * A *host* is what a machine has of the network: its addresses, its access
 * link, its sockets.  What two hosts have between them is the sum of their
 * access links.  See docs/design/0004.
 */

enum {
    SIM_SEGMENT_MAX = 64 * 1024,        /* bytes that travel together */
    SIM_WINDOW_BYTES = 2 * 1024 * 1024, /* of one direction on its way */
    SIM_PACKET_BYTES = 1460,            /* is lost as a whole */
    SIM_DIAL_MS = 10 * 1000,
    SIM_STALL_S = 15 * 60, /* after it a stream that stands still fails */
    SIM_GROUPS_MAX = 4,    /* multicast groups of one socket */
};

/** struct sim_link - the access link of a host. */
struct sim_link {
    uint64_t latency_ns; /* one way, to the middle of the network */
    uint64_t jitter_ns;  /* up to so much more */
    uint64_t loss_ppm;   /* of packets */
    uint64_t dup_ppm;    /* of datagrams that come twice */
    uint64_t up_bytes_s; /* 0: no limit */
    uint64_t down_bytes_s;
};

/** struct sim_name_entry - what a name stands for. */
struct sim_name_entry {
    struct list link;
    char *name;
    char *text;           /* of a TXT record, or NULL */
    struct net_addr addr; /* where @text is NULL */
};

/** struct sim_net - the network of a world. */
struct sim_net {
    struct sim_time *time; /* borrowed */
    uint64_t seed;
    bool secured;         /* no Noise: see net_sock.secured */
    uint64_t split_ppm;   /* of segments that are read in two parts */
    struct map hosts;     /* by address */
    struct list all;      /* struct sim_host.link */
    bool apart;           /* nothing passes between any two hosts */
    struct list cuts;     /* private */
    struct list names;    /* struct sim_name_entry */
    struct list syns;     /* private: dials on their way */
    struct list flights;  /* private: datagrams on their way */
    uint8_t *ring;        /* private: what a read sees */
    uint64_t segments;    /* delivered */
    uint64_t bytes;       /* delivered in streams */
    uint64_t datagrams;   /* delivered */
    uint64_t connections; /* that were made */
};

/** struct sim_host - a machine's place in the network. */
struct sim_host {
    struct net net; /* for the node */
    struct sim_link link_of;
    bool up;           /* false: it answers nothing */
    bool nat;          /* cannot be dialed, and has a private address beside */
    bool garbles;      /* what it sends is altered here and there */
    uint32_t lan;      /* multicast reaches hosts of the same number; 0: none */
    uint64_t bytes_in; /* of streams */
    uint64_t bytes_out;
    const struct peer_id *peer; /* who is there, for sim_net.secured */
    /** @liar: alters what this host sends over connections that begin from
     * now on; of a secured net only.  Borrowed; NULL: nobody. */
    struct sim_liar *liar;

    struct sim_net *of; /* private, as all below */
    struct sim_clock *clock;
    struct sim_rand rand;
    struct net_addr addr;
    uint16_t shared;      /* port on an address of several; 0: own address */
    uint8_t key[6];       /* @addr and @shared */
    struct map_node node; /* in sim_net.hosts */
    struct list link;     /* in sim_net.all */
    struct list listeners;
    struct list ends;
    struct list dirty; /* ends with something to send */
    struct list udps;
    struct list lookups;
    size_t lookups_count;
    uint64_t up_free_ns;   /* when the uplink is free */
    uint64_t down_free_ns; /* when the downlink is free */
    struct timer flush;
    uint16_t port_last;
};

/** sim_net_init - without hosts. */
void sim_net_init(struct sim_net *n, struct sim_time *time, uint64_t seed);

/** sim_net_release - its hosts have been released. */
void sim_net_release(struct sim_net *n);

/** sim_host_init - a host at @ip (IPv4), up, with a fast link.
 * @clock: of its machine, borrowed. */
void sim_host_init(struct sim_host *h, struct sim_net *n,
                   struct sim_clock *clock, const uint8_t ip[static 4]);

/** sim_host_share - have the address @ip, which other hosts may have too; who
 * dials @port of it reaches @h.  Before its node listens there. */
void sim_host_share(struct sim_host *h, const uint8_t ip[static 4],
                    uint16_t port);

/** sim_host_release - it has no sockets any more (asserted). */
void sim_host_release(struct sim_host *h);

/** sim_host_turn_end - send what was written; at the end of its turn. */
void sim_host_turn_end(struct sim_host *h);

/**
 * sim_host_die - its node will be heard of no more.
 * @silent: a power cut: peers hear nothing; else their streams end.
 *
 * The sockets stay, for the node to close: what is written to them is dropped.
 */
void sim_host_die(struct sim_host *h, bool silent);

/** sim_host_reset - all its streams are reset, on both sides. */
void sim_host_reset(struct sim_host *h);

/**
 * sim_net_cut - let nothing pass between two sides.
 * @sides: of each machine 1, 2 or 0 for neither, @count of them; copied.
 * @one_way: only what side 1 sends to side 2 is lost.
 *
 * Return: for sim_net_heal().
 */
MUST_USE struct sim_cut *sim_net_cut(struct sim_net *n, const uint8_t *sides,
                                     size_t count, bool one_way);

/** sim_net_heal - undo it; NULL does nothing. */
void sim_net_heal(struct sim_cut *cut);

/** sim_net_name - let @name have a TXT record @text, or where that is NULL the
 * address @addr; both copied. */
void sim_net_name(struct sim_net *n, const char *name, const char *text,
                  const struct net_addr *addr);

#endif /* SIM_NET_H */
