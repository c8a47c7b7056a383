#ifndef SIM_NET_PRIV_H
#define SIM_NET_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "sim/net.h"

/*
 * net: what its files share.
 *
 * A connection is two ends.  Each holds what travels to it, in order; the
 * first segment of the list decides when its @arrival timer fires.
 *
 * 1. end.other is the other end, or NULL when that has closed, or its machine
 *    died.  Both ways are undone together.
 * 2. An end is freed by on_closed only, which its owner hears exactly once,
 *    from a timer.
 * 3. Segments arrive in order: none before the one ahead of it.
 */

enum sim_segment_kind {
    SIM_SEGMENT_OPEN, /* the dial has succeeded */
    SIM_SEGMENT_DATA,
    SIM_SEGMENT_FIN,
    SIM_SEGMENT_RESET,
};

struct sim_segment {
    struct list link;
    struct mtime at;
    enum sim_segment_kind kind;
    size_t len;
    size_t count;
    struct slice slices[]; /* NOLINT: flexible array */
};

enum sim_end_state {
    SIM_END_DIALING,
    SIM_END_OPEN,
    SIM_END_FLUSHING, /* we closed; what is queued goes out */
    SIM_END_CLOSED,   /* on_closed is due */
};

struct sim_end {
    struct sim_host *host;
    struct net_sock *sock;
    struct sim_end *other; /* NULL: has gone, or was never there */
    struct sim_host *far;  /* where the other end is or was; NULL: nowhere */
    enum sim_end_state state;
    struct list link;  /* in host.ends */
    struct list dirty; /* in host.dirty */

    struct slice *queue; /* to send; a ring */
    size_t queue_first;
    size_t queue_count;
    size_t queue_room;
    size_t queued; /* bytes of them */
    bool over;     /* on_writable is owed */

    struct list coming; /* struct sim_segment */
    size_t coming_len;  /* bytes of them */
    bool paused;
    unsigned retries;         /* of the first segment over a cut link */
    struct mtime stalled;     /* since when; MTIME_NEVER: it is not */
    bool heard;               /* something has come */
    struct sim_liar_way *way; /* from a liar, or NULL */
    struct timer arrival;     /* on our clock */
    struct timer own;         /* on our clock: the dial, closing, writable */
    enum err why;             /* for on_closed */
    struct sim_syn *syn;      /* under way, or NULL */
};

/* A dial on its way to the other machine, on whose clock it is. */
struct sim_syn {
    struct timer timer;
    struct list link;     /* in sim_net.syns */
    struct sim_end *from; /* NULL: it was given up */
    struct sim_host *to;
    uint16_t port;
};

struct sim_listener {
    struct list link; /* in host.listeners */
    struct net_listener *user;
};

/** sim_host_at - who has the address, or NULL; @h has its own and loopback. */
struct sim_host *sim_host_at(struct sim_host *h, const struct net_addr *a);

/** sim_net_is_cut - true when nothing gets from @from to @to. */
bool sim_net_is_cut(const struct sim_net *n, const struct sim_host *from,
                    const struct sim_host *to);

/** sim_host_delay - how long something from @from to @to takes this time. */
uint64_t sim_host_delay(struct sim_host *from, const struct sim_host *to);

/** sim_host_loses - whether a packet between the two is lost this time. */
bool sim_host_loses(struct sim_host *from, const struct sim_host *to);

/** sim_host_port - a number for a socket of @h that did not ask for one. */
uint16_t sim_host_port(struct sim_host *h);

/** sim_host_of - the host behind @net. */
struct sim_host *sim_host_of(struct net *net);

/** sim_host_has - true when @a is an address of @h, or any. */
bool sim_host_has(const struct sim_host *h, const struct net_addr *a);

/** sim_dial_ops - set the functions of @net that make streams. */
void sim_dial_ops(struct net *net);

/** sim_stream_ops - set the functions of @net for streams that are there. */
void sim_stream_ops(struct net *net);

/** sim_udp_ops - set the functions of @net for datagrams. */
void sim_udp_ops(struct net *net);

/** sim_lookup_ops - set the functions of @net for lookups. */
void sim_lookup_ops(struct net *net);

/** sim_end_new - of @sock, which may be NULL until it is known. */
MUST_USE struct sim_end *sim_end_new(struct sim_host *h, struct net_sock *sock,
                                     enum sim_end_state state);

/** sim_end_send - let the other end get a segment without bytes. */
void sim_end_send(struct sim_end *e, enum sim_segment_kind kind);

/** sim_end_reset - it ends for its owner, who will hear @why; the other end
 * gets a reset. */
void sim_end_reset(struct sim_end *e, enum err why);

/** sim_end_die - what sim_host_die() does to it. */
void sim_end_die(struct sim_end *e, bool silent);

/** sim_syns_free - those that are on their way, of a world that ends. */
void sim_syns_free(struct sim_net *n);

/** sim_flights_free - likewise. */
void sim_flights_free(struct sim_net *n);

/** sim_host_flush - send what window and uplink take. */
void sim_host_flush(struct sim_host *h);

#endif /* SIM_NET_PRIV_H */
