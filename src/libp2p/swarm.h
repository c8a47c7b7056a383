#ifndef LIBP2P_SWARM_H
#define LIBP2P_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct privkey;

/*
 * swarm - all connections of a node to its peers, and the streams in them.
 *
 * A protocol core: no I/O, no clock, no chance of its own.  The owner carries
 * bytes between it and sockets, and does what swarm_next() says:
 *
 *   1. call input functions (swarm_accepted(), swarm_bytes(), ...) and
 *      requests (swarm_dial(), swarm_stream_write(), ...);
 *   2. call swarm_next() until it returns false, and carry each output out;
 *      requests may be made in between;
 *   3. sleep until swarm_deadline() or an input, then swarm_on_time().
 *
 * Nothing is ever called back.  Connections and streams are named by ids that
 * are never used twice: a call with the id of something that has gone does
 * nothing and says E_NOTFOUND, so an owner that is one event behind is safe.
 */

/** struct conn_id - names one connection; 0 names none. */
struct conn_id {
    uint64_t n;
};

/** struct stream_id - names one stream; 0 names none. */
struct stream_id {
    uint64_t n;
};

enum {
    SWARM_ENTROPY_BYTES = 32, /* random bytes for each connection */
    SWARM_SEED_BYTES = 32,    /* random bytes for a swarm */
    SWARM_PROTOCOL_NAME_MAX = 255,
    SWARM_PROTOCOLS_MAX = 64,    /* registered at one time */
    SWARM_PROPOSALS_MAX = 8,     /* protocols of one swarm_stream_open() */
    SWARM_AGENT_MAX = 128,       /* bytes of an agent string, ours or theirs */
    SWARM_ADDRS_MAX = 32,        /* addresses we announce, or dial at once */
    SWARM_DIAL_PARALLEL_MAX = 3, /* addresses of one peer tried at one time */
    SWARM_WINDOW_EXTRA_MAX = 16 * 1024 * 1024 - 256 * 1024,
};

/* Codes in a stream reset, as go-libp2p numbers them; others are possible. */
enum {
    SWARM_RESET_NONE = 0,
    SWARM_RESET_NEGOTIATION = 0x1001,
    SWARM_RESET_LIMIT = 0x1002, /* back off */
    SWARM_RESET_RATE = 0x1003,  /* back off */
    SWARM_RESET_VIOLATION = 0x1004,
    SWARM_RESET_SHUTDOWN = 0x1007,
};

/**
 * struct swarm_protocol - an application protocol that the owner serves.
 *
 * identify, identify push and ping are served by the swarm itself and listed
 * by it.
 */
struct swarm_protocol {
    const char *name;      /* "/ipfs/bitswap/1.2.0"; copied */
    uint32_t handler;      /* the owner's number, comes with STREAM_IN */
    uint32_t window_extra; /* bytes granted beyond 256 KiB at once, at most
                              SWARM_WINDOW_EXTRA_MAX; 0: grow when needed */
    uint32_t streams_max;  /* inbound, per connection; 0: the general limit */
};

/**
 * struct swarm_limits - what peers may use.  Zero is not "no limit".
 *
 * swarm_limits_default() fills in values that suit a node of moderate size.
 */
struct swarm_limits {
    uint32_t conns_max;       /* all, those in upgrade included */
    uint32_t upgrading_max;   /* inbound, before the peer is known */
    uint32_t conns_per_ip;    /* an IPv4 address, an IPv6 /64 */
    uint32_t conns_per_peer;  /* the older ones stay */
    bool limit_loopback;      /* conns_per_ip and rates hold there too */
    uint32_t dials_max;       /* peers being dialed at one time */
    uint32_t streams_in_max;  /* inbound, a connection */
    uint32_t streams_out_max; /* outbound, a connection */
    uint32_t negotiating_max; /* inbound without a protocol, a connection */
    size_t window_extra_max;  /* sum of windows over 256 KiB, a connection */
    size_t unread_max;        /* bytes not consumed, all connections */
    size_t stream_queue_max;  /* bytes to be sent, a stream */
    size_t socket_queue_max;  /* no more is produced over this, a socket */
};

struct swarm_limits swarm_limits_default(void);

/** struct swarm_config - what swarm_new() needs; copied except for @key. */
struct swarm_config {
    const struct privkey *key; /* our identity; outlives the swarm */
    const char *agent;         /* at most SWARM_AGENT_MAX bytes */
    const struct swarm_protocol *protocols; /* @protocols_count of them */
    size_t protocols_count;
    struct swarm_limits limits;
    uint8_t seed[SWARM_SEED_BYTES]; /* random; a secret */
};

struct swarm;

/** swarm_new - a swarm without connections.  Config errors are asserted. */
MUST_USE struct swarm *swarm_new(const struct swarm_config *config);

/** swarm_free - forget everything; the owner closes the sockets.  NULL: no-op.
 */
void swarm_free(struct swarm *sw);

/** swarm_self - our peer id, valid while @sw is. */
const struct peer_id *swarm_self(const struct swarm *sw);

/**
 * swarm_set_addrs - the addresses that we announce in identify.
 * @addrs: @count without /p2p at the end; those past SWARM_ADDRS_MAX are left
 * out; copied.
 * @seq: of the signed record; must grow, also over restarts: unix time in ns.
 *
 * Peers that were told something else are pushed the change.  A peer hears
 * loopback addresses over loopback only, private ones over private networks
 * and loopback only.
 */
void swarm_set_addrs(struct swarm *sw, const struct multiaddr *addrs,
                     size_t count, uint64_t seq, struct mtime now);

/**
 * swarm_protocol_add - serve @protocol from now on; pushed to peers.
 *
 * Return: OK; E_EXISTS; E_LIMIT over SWARM_PROTOCOLS_MAX or for a name longer
 * than SWARM_PROTOCOL_NAME_MAX.
 */
MUST_USE enum err swarm_protocol_add(struct swarm *sw,
                                     const struct swarm_protocol *protocol,
                                     struct mtime now);

/** swarm_protocol_remove - accept no new stream of @name; pushed to peers. */
void swarm_protocol_remove(struct swarm *sw, const char *name,
                           struct mtime now);

/* Transport: what the owner tells. ----------------------------------------- */

/** struct swarm_transport - a socket that has been connected. */
struct swarm_transport {
    void *owner;             /* the socket; comes back in outputs */
    struct multiaddr local;  /* /ip4|ip6/.../tcp/PORT */
    struct multiaddr remote; /* as above */
    uint8_t entropy[SWARM_ENTROPY_BYTES]; /* random, fresh; a secret */
    const struct peer_id *secured;        /* who is there, when the transport is
               secured already and Yamux begins at once (simulator); else NULL */
};

/**
 * swarm_accepted - a peer has connected.
 *
 * Return: OK; E_LIMIT when it is one too many (all, in upgrade, or from its
 * address) and E_REFUSED when its address misbehaved of late: close it.
 */
MUST_USE enum err swarm_accepted(struct swarm *sw,
                                 const struct swarm_transport *transport,
                                 struct mtime now, struct conn_id *ret_conn);

/** swarm_dialed - what SWARM_DIAL asked for has succeeded.  E_NOTFOUND when
 * nobody wants it any more: close it. */
MUST_USE enum err swarm_dialed(struct swarm *sw, struct conn_id conn,
                               const struct swarm_transport *transport,
                               struct mtime now);

/** swarm_dial_failed - what SWARM_DIAL asked for has failed. */
void swarm_dial_failed(struct swarm *sw, struct conn_id conn, enum err err,
                       struct mtime now);

/**
 * swarm_bytes - bytes have come.
 * @p: @len bytes that the swarm may overwrite; they are decrypted in place.
 * They stay valid until swarm_next() has returned false, and before that
 * happened swarm_bytes() is not called again for this connection (asserted).
 */
void swarm_bytes(struct swarm *sw, struct conn_id conn, uint8_t *p, size_t len,
                 struct mtime now);

/**
 * swarm_queued - @queued bytes wait in the socket now: called after each
 * SWARM_WRITE, and when they have become fewer after being over
 * socket_queue_max.
 */
void swarm_queued(struct swarm *sw, struct conn_id conn, size_t queued);

/** swarm_transport_closed - the socket has gone; not needed after CLOSE. */
void swarm_transport_closed(struct swarm *sw, struct conn_id conn, enum err why,
                            struct mtime now);

/* Peers: what the owner asks for. ------------------------------------------ */

/** struct swarm_dial_op - whom to dial where. */
struct swarm_dial_op {
    const struct peer_id *peer;    /* NULL: whoever answers */
    const struct multiaddr *addrs; /* @count; TCP over IP is used, with or
        without /p2p; anything else is skipped; copied */
    size_t count;
    bool force;  /* also addresses that failed a moment ago */
    void *owner; /* comes back in SWARM_DIAL_FAILED and SWARM_CONNECTED */
};

/**
 * swarm_dial - connect to a peer.
 *
 * Addresses are tried in their order, the next one when one failed or after
 * 250 ms.  SWARM_CONNECTED or SWARM_DIAL_FAILED tells the end.
 *
 * Return: OK; E_EXISTS when connected already; E_AGAIN when it is being dialed
 * already, whose end is told; E_REFUSED for ourselves; E_NOTFOUND without an
 * address that can be used; E_TIMEOUT when all of them failed a moment ago;
 * E_LIMIT over dials_max or conns_max.
 */
MUST_USE enum err swarm_dial(struct swarm *sw, const struct swarm_dial_op *op,
                             struct mtime now);

/** swarm_disconnect - close all connections to @peer; E_NOTFOUND: none. */
MUST_USE enum err swarm_disconnect(struct swarm *sw, const struct peer_id *peer,
                                   struct mtime now);

/** swarm_close - close one connection; nothing when it has gone. */
void swarm_close(struct swarm *sw, struct conn_id conn, struct mtime now);

/** swarm_is_connected - true when @peer can be asked for a stream. */
bool swarm_is_connected(const struct swarm *sw, const struct peer_id *peer);

/**
 * swarm_supports - whether @peer serves @protocol.
 *
 * Return: OK; E_UNSUPPORTED; E_AGAIN when its identify has not come yet;
 * E_NOTFOUND when it is not connected.
 */
MUST_USE enum err swarm_supports(const struct swarm *sw,
                                 const struct peer_id *peer,
                                 const char *protocol);

/**
 * swarm_ping - measure the round trip to @peer with /ipfs/ping/1.0.0.
 *
 * SWARM_PING tells the end, within 10 s.
 *
 * Return: OK; E_NOTFOUND when not connected; E_LIMIT.
 */
MUST_USE enum err swarm_ping(struct swarm *sw, const struct peer_id *peer,
                             void *owner, struct mtime now);

/* Streams. ------------------------------------------------------------------
 *
 * A stream ends for its owner, who hears no more of it, when
 *   - SWARM_STREAM_RESET, or SWARM_STREAM_OPEN with an error, has come;
 *   - it called swarm_stream_reset();
 *   - SWARM_STREAM_EOF has come and it called swarm_stream_close_write().
 */

/** struct swarm_open_op - what stream to open. */
struct swarm_open_op {
    const struct peer_id *peer;
    const char *const *protocols; /* @count by preference; live as long as the
                                     stream, as literals do */
    size_t count;                 /* 1 to SWARM_PROPOSALS_MAX */
    uint32_t window_extra;        /* as in struct swarm_protocol */
    void *owner;                  /* comes back in outputs of the stream */
};

/**
 * swarm_stream_open - open a stream to a connected peer.
 * @ret_stream: its id.
 *
 * When one protocol is given, or identify said which the peer serves, writing
 * may begin at once; the answer is checked when it comes (0-RTT).  Otherwise
 * swarm_stream_write() says E_AGAIN until SWARM_STREAM_OPEN.  In both cases
 * SWARM_STREAM_OPEN comes before anything else of this stream.
 *
 * Return: OK; E_NOTFOUND when not connected; E_LIMIT for too many streams;
 * E_UNSUPPORTED when identify says that the peer serves none of them.
 */
MUST_USE enum err swarm_stream_open(struct swarm *sw,
                                    const struct swarm_open_op *op,
                                    struct mtime now,
                                    struct stream_id *ret_stream);

/** swarm_stream_set_owner - what comes back in outputs of @stream. */
void swarm_stream_set_owner(struct swarm *sw, struct stream_id stream,
                            void *owner);

/**
 * swarm_stream_write - queue bytes.
 * @slice: its reference passes to the swarm, also on failure.
 * @ret_queued: bytes now waiting in this stream.  Over SWARM_STREAM_HIGH_BYTES
 * the owner should wait for SWARM_STREAM_WRITABLE.
 *
 * Return: OK; E_NOTFOUND; E_CLOSED after swarm_stream_close_write(); E_AGAIN
 * while the protocol is being negotiated; E_LIMIT over stream_queue_max.
 */
MUST_USE enum err swarm_stream_write(struct swarm *sw, struct stream_id stream,
                                     struct slice slice, size_t *ret_queued);

enum {
    SWARM_STREAM_HIGH_BYTES = 1024 * 1024,
    SWARM_STREAM_LOW_BYTES = 256 * 1024,
};

/** swarm_stream_write_copy - as swarm_stream_write(), of a copy of @in. */
MUST_USE enum err swarm_stream_write_copy(struct swarm *sw,
                                          struct stream_id stream,
                                          struct bytes in, size_t *ret_queued);

/** swarm_stream_queued - bytes that wait in the stream; 0 when it has gone. */
size_t swarm_stream_queued(const struct swarm *sw, struct stream_id stream);

/** swarm_stream_close_write - end our direction after what is queued. */
void swarm_stream_close_write(struct swarm *sw, struct stream_id stream);

/** swarm_stream_reset - end both directions now, dropping what is queued. */
void swarm_stream_reset(struct swarm *sw, struct stream_id stream,
                        uint32_t code);

/**
 * swarm_stream_consumed - the owner has no more use for @len bytes that
 * SWARM_STREAM_DATA gave: the peer may send as many again.
 * @len: in sum not more than was given (asserted).
 */
void swarm_stream_consumed(struct swarm *sw, struct stream_id stream,
                           size_t len);

/* Outputs. ----------------------------------------------------------------- */

enum swarm_out_type {
    SWARM_DIAL,            /* connect to @addr, then swarm_dialed() or
                              swarm_dial_failed() with @conn */
    SWARM_WRITE,           /* send @slice, whose reference passes */
    SWARM_CLOSE,           /* close the socket (@abort: by reset), or stop the
                              dial; the swarm has forgotten @conn */
    SWARM_CONNECTED,       /* @peer can be used; @inbound, @addr */
    SWARM_DIAL_FAILED,     /* @err; @actual for E_MISMATCH: who is there */
    SWARM_IDENTIFIED,      /* @identified of @peer has come or changed */
    SWARM_DISCONNECTED,    /* a connection that was CONNECTED has gone: @err;
                              @peer_left: others to the same peer remain */
    SWARM_STREAM_IN,       /* @peer opened a stream for @handler */
    SWARM_STREAM_OPEN,     /* our stream: @err, and on OK @protocol */
    SWARM_STREAM_DATA,     /* @data came; give swarm_stream_consumed() later */
    SWARM_STREAM_EOF,      /* the peer will send no more */
    SWARM_STREAM_RESET,    /* the stream has gone: @code, @err */
    SWARM_STREAM_WRITABLE, /* fewer than SWARM_STREAM_LOW_BYTES wait again */
    SWARM_PING,            /* end of swarm_ping(): @err, on OK @rtt_us */
    SWARM_FAULT,           /* @peer (len 0: unknown) at @addr did @fault */
};

/** enum swarm_fault - what a peer did; for scores and logs. */
enum swarm_fault {
    SWARM_FAULT_HANDSHAKE, /* could not prove who it is, or spoke no protocol
                              of ours */
    SWARM_FAULT_IDENTITY,  /* is somebody else than we dialed */
    SWARM_FAULT_PROTOCOL,  /* broke Noise or Yamux */
    SWARM_FAULT_IDENTIFY,  /* identify message that is none */
    SWARM_FAULT_FLOOD,     /* too much of what has no effect */
    SWARM_FAULT_TIMEOUT,   /* did not answer */
    SWARM_FAULT_HOARD,     /* made us hold too much */
};

/** struct swarm_identified - what a peer says about itself; unproven but for
 * @record. */
struct swarm_identified {
    struct bytes agent;            /* escape it before a log */
    struct bytes protocol_version; /* escape it before a log */
    const struct bytes *protocols; /* @protocols_count names */
    size_t protocols_count;
    const struct multiaddr *addrs; /* @addrs_count, by class of what we may
                                      pass on, without /p2p */
    size_t addrs_count;
    struct multiaddr observed; /* we as seen from there; len 0: not told */
    struct bytes record;       /* its signed peer record; empty: none */
};

/** swarm_identified_serves - whether @who names @protocol. */
bool swarm_identified_serves(const struct swarm_identified *who,
                             const char *protocol);

/**
 * struct swarm_out - one thing to do or to know.
 *
 * Which fields are set is told with each type; @conn, @conn_owner are set in
 * all about a connection, @stream, @owner in all about a stream.  Views and
 * pointers are valid until the next swarm_next().
 */
struct swarm_out {
    enum swarm_out_type type;
    enum err err;
    struct conn_id conn;
    void *conn_owner; /* from struct swarm_transport; NULL while dialing */
    struct stream_id stream;
    void *owner; /* of the stream, the dial or the ping */
    struct peer_id peer;
    struct peer_id actual;
    struct multiaddr addr;
    bool inbound;
    bool abort;
    bool peer_left;
    uint32_t handler;
    uint32_t code;
    uint32_t severity; /* 1: may be bad luck, to 100: an attack */
    enum swarm_fault fault;
    uint64_t rtt_us;
    const char *protocol;
    struct bytes data;
    struct slice slice;
    struct swarm_identified identified;
};

/**
 * swarm_next - the next output.
 * @ret_out: written when true is returned.
 *
 * Return: false when there is nothing to do now.
 */
bool swarm_next(struct swarm *sw, struct mtime now, struct swarm_out *ret_out);

/** swarm_deadline - when swarm_on_time() is to be called; MTIME_NEVER. */
struct mtime swarm_deadline(const struct swarm *sw);

/** swarm_on_time - do what is due; drain swarm_next() afterwards. */
void swarm_on_time(struct swarm *sw, struct mtime now);

/* What there is. ----------------------------------------------------------- */

/** struct swarm_conn_info - one connection; views valid until the next call of
 * anything but swarm_conn_next(). */
struct swarm_conn_info {
    struct conn_id conn;
    const struct peer_id *peer;
    const struct multiaddr *addr; /* remote */
    bool inbound;
    uint32_t others;    /* connections that the peer has beside this one */
    uint64_t rtt_us;    /* of Yamux pings, smoothed; 0: not known yet */
    uint32_t streams;   /* of both sides */
    uint64_t bytes_in;  /* on the wire */
    uint64_t bytes_out; /* on the wire */
    struct mtime since;
    struct mtime used_at; /* a stream of the owner's carried something; else as
                             @since */
    struct swarm_identified identified; /* empty before identify */
};

/**
 * swarm_conn_next - walk the connections whose peer is known, oldest first.
 * @after: the connection before; 0 begins.
 *
 * Return: OK with @ret_info; E_NOTFOUND at the end.
 */
MUST_USE enum err swarm_conn_next(const struct swarm *sw, struct conn_id after,
                                  struct swarm_conn_info *ret_info);

/** swarm_conn_get - one connection; E_NOTFOUND when it has gone. */
MUST_USE enum err swarm_conn_get(const struct swarm *sw, struct conn_id conn,
                                 struct swarm_conn_info *ret_info);

/** struct swarm_rates - bytes a second on the wire, as rate_per_s(). */
struct swarm_rates {
    uint64_t in;
    uint64_t out;
};

/** swarm_conn_rates - of one connection; zeroes when it has gone. */
struct swarm_rates swarm_conn_rates(const struct swarm *sw, struct conn_id conn,
                                    struct mtime now);

/** swarm_rates - of all connections. */
struct swarm_rates swarm_rates(const struct swarm *sw, struct mtime now);

/** struct swarm_counts - totals since swarm_new(), and what there is now. */
struct swarm_counts {
    uint32_t conns;
    uint32_t peers;
    uint32_t streams;
    uint32_t dials;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t accepted;
    uint64_t refused; /* accepts and peers over a limit */
    uint64_t dropped; /* connections closed for a fault */
};

struct swarm_counts swarm_counts(const struct swarm *sw);

#endif /* LIBP2P_SWARM_H */
