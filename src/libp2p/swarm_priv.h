#ifndef LIBP2P_SWARM_PRIV_H
#define LIBP2P_SWARM_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "libp2p/backoff.h"
#include "libp2p/bucket.h"
#include "libp2p/guard.h"
#include "libp2p/identify.h"
#include "libp2p/multistream.h"
#include "libp2p/noise.h"
#include "libp2p/rate.h"
#include "libp2p/sendq.h"
#include "libp2p/slots.h"
#include "libp2p/swarm.h"
#include "libp2p/timerq.h"
#include "libp2p/yamux.h"
#include "multiformats/key.h"

/* What the files of the swarm share. */

enum {
    UPGRADE_IN_MS = 15 * 1000,
    DIAL_MS = 15 * 1000, /* one address: transport and upgrade */
    DIAL_STAGGER_MS = 250,
    NEGOTIATE_MS = 10 * 1000,
    IDENTIFY_MS = 5 * 1000,
    LINGER_MS = 60 * 1000,    /* for what is queued when its owner has gone */
    KEEPALIVE_MS = 30 * 1000, /* without a byte from the peer */
    KEEPALIVE_TURN_MS = 2 * 1000,   /* less, for who was pinged last */
    KEEPALIVE_MOST_MS = 120 * 1000, /* between two pings: how far is it now? */
    KEEPALIVE_ANSWER_MS = 10 * 1000,
    KEEPALIVE_PATIENCE_MS = 60 * 1000, /* while other bytes keep coming */
    PING_ANSWER_MS = 10 * 1000,
    PING_IDLE_MS = 10 * 1000,
    PING_LIFE_MS = 60 * 1000,
    PING_BYTES = 32,
    PING_STREAMS_MAX = 2, /* inbound, a connection */
    PUSH_DELAY_MS = 500,
    PUSH_EVERY_MS = 5 * 1000,
    BUILTINS = 3,
    WRITE_BATCHES = 4, /* Noise messages in one SWARM_WRITE */
    SPARES_MAX = 6,    /* large buffers kept for output */
    SPARE_BYTES_MIN = 32 * 1024,
    GUARD_IDLE_MAX = 4096,
};

/* What does no good, in tokens. */
enum {
    COST_ACCEPT = 10,
    COST_UPGRADE_FAILED = 40,
    COST_NOTHING = 1,
    COST_PING = 1,
    COST_PROPOSAL = 1,
    COST_STREAM_REFUSED = 1,
    COST_STREAM_WASTED = 2,
    COST_IDENTIFY = 5,
    COST_PUSH_REFUSED = 20,
    COST_IDENTIFY_BAD = 20,
    TINY_BYTES = 12,     /* pieces of input below this are tiny */
    TINY_PER_TOKEN = 32, /* so many of them cost a token */
};

enum timer_kind { TIMER_CONN, TIMER_STREAM, TIMER_DIAL, TIMER_PUSH };

enum conn_state {
    CONN_DIALING,   /* the owner dials */
    CONN_SECURITY,  /* /noise is being agreed */
    CONN_HANDSHAKE, /* Noise messages 1 to 3 */
    CONN_MUXER,     /* /yamux is being agreed inside Noise */
    CONN_OPEN,      /* Yamux runs */
    CONN_GONE,      /* only its SWARM_CLOSE is to be told */
};

/* Needed until Yamux runs. */
struct upgrade {
    struct mss mss;
    struct noise_hs hs;
    uint8_t entropy[SWARM_ENTROPY_BYTES];
    bool expects; /* a certain peer */
    struct peer_id expected;
    struct peer_id peer; /* proven, from CONN_MUXER on */
};

/* What of an identify message is kept; views into peer.raw. */
struct said {
    struct bytes protocol_version;
    struct bytes agent;
    struct bytes record;
    size_t protocols_count;
    struct bytes protocols[]; /* NOLINT: flexible array */
};

/* What is known about a peer while there is a connection to it. */
struct peer {
    struct map_node node;
    struct peer_id id;
    struct list conns; /* of struct conn by peer_link, oldest first */
    size_t conns_count;
    bool identified;
    uint64_t told_version;   /* of our identify that it got; 0: none */
    uint8_t *raw;            /* owned: its identify */
    struct said *message;    /* owned */
    struct multiaddr *addrs; /* owned */
    size_t addrs_count;
    struct multiaddr observed;
};

struct conn {
    struct conn_id id;
    void *owner;
    enum conn_state state;
    bool inbound;
    bool clear;   /* secured by the transport: no Noise */
    bool counted; /* in swarm.upgrading */
    struct multiaddr local;
    struct multiaddr remote;
    enum ma_class class;
    struct list all;   /* in swarm.conns */
    struct peer *peer; /* from CONN_OPEN on */
    struct list peer_link;
    struct dial *dial; /* that wants it, or NULL */
    struct list dial_link;
    struct timer timer;
    struct upgrade *upgrade;
    struct mtime since;
    /* Input. */
    struct list readable; /* in swarm.readable */
    uint8_t *in;          /* view: not yet looked at */
    size_t in_len;
    uint8_t *part; /* owned: an incomplete Noise message with its length */
    size_t part_len;
    size_t part_room;
    struct bytes plain;           /* view: decrypted, not yet looked at */
    struct stream_id rest_stream; /* who gets @rest */
    struct bytes rest; /* view: came glued to the end of a negotiation */
    struct noise_cipher recv;
    struct yamux yamux;
    /* Output. */
    struct list dirty; /* in swarm.dirty */
    struct sendq raw;  /* ready for the wire, before all else */
    struct noise_cipher send;
    size_t queued; /* bytes in the socket */
    /* Limits. */
    struct guard_record *by_ip;
    struct guard_record *by_peer;
    struct bucket bucket;
    struct bucket pushes; /* identify pushes, where nobody else answers */
    uint32_t tiny;        /* pieces not charged yet */
    uint32_t streams_in;
    uint32_t streams_out;
    uint32_t negotiating; /* inbound without a protocol */
    size_t unread;
    /* Keepalive and figures. */
    bool ping_waits;
    bool ping_was_ours; /* the last one on this connection */
    uint32_t ping_opaque;
    struct mtime ping_at;
    struct mtime received_at;
    struct mtime used_at; /* a stream of the owner carried something */
    bool is_used;         /* written to: @used_at is set when it goes out */
    uint64_t rtt_ns;
    uint64_t bytes_in;
    uint64_t bytes_out;
    struct rate rate_in;
    struct rate rate_out;
};

enum stream_kind {
    STREAM_NEW, /* inbound, no protocol yet */
    STREAM_OWNER,
    STREAM_IDENTIFY_IN,  /* we answer */
    STREAM_IDENTIFY_OUT, /* we ask */
    STREAM_PUSH_IN,
    STREAM_PUSH_OUT,
    STREAM_PING_IN,
    STREAM_PING_OUT,
};

struct stream_proposal {
    struct mss mss;
    struct bytes names[SWARM_PROPOSALS_MAX]; /* of an initiator */
    const char *texts[SWARM_PROPOSALS_MAX];
};

struct stream_ping {
    uint8_t bytes[PING_BYTES]; /* sent, or coming in */
    size_t len;                /* of what has come */
    struct mtime started;
};

struct stream {
    struct yamux_stream y;
    struct stream_id id;
    struct conn *conn; /* NULL: gone, only its end is to be told */
    enum stream_kind kind;
    void *owner;
    bool inbound;
    bool opened; /* protocol agreed */
    bool lazy;   /* may be written before it is */
    bool eof_told;
    bool write_closed;
    uint32_t handler;
    uint32_t window_extra;
    struct timer timer;
    struct stream_proposal *proposal; /* owned, until @opened */
    struct identify_reader reader;
    struct stream_ping *ping; /* owned */
};

struct dial {
    struct list link; /* in swarm.dials */
    bool has_peer;
    struct peer_id peer;
    struct multiaddr *addrs; /* owned: to be tried */
    size_t count;
    size_t next;
    struct list conns; /* trying now */
    size_t conns_count;
    void *owner;
    struct timer timer; /* when to try one more */
    enum err err;       /* of the last that failed */
    struct peer_id actual;
};

/* An output that waits. */
struct note {
    struct list link;
    enum swarm_out_type type;
    struct conn_id conn;
    struct stream_id stream;
    void *owner;
    enum err err;
    uint32_t code;
    uint32_t severity;
    enum swarm_fault fault;
    bool inbound;
    bool abort;
    bool peer_left;
    uint64_t rtt_us;
    const char *protocol;
    struct peer_id peer;
    struct peer_id actual;
    struct multiaddr addr;
};

struct protocol {
    char *name; /* owned */
    uint32_t handler;
    uint32_t window_extra;
    uint32_t streams_max;
};

struct swarm {
    const struct privkey *key;
    struct peer_id self;
    char agent[SWARM_AGENT_MAX + 1];
    struct swarm_limits limits;
    uint8_t map_seed[16];
    uint8_t chance_key[16];
    uint64_t chance_count;
    struct noise_keypair noise_keys;
    struct mtime now; /* of the last call that told */
    struct protocol protocols[SWARM_PROTOCOLS_MAX];
    size_t protocols_count;
    struct bytes names[BUILTINS + SWARM_PROTOCOLS_MAX];
    struct multiaddr *addrs; /* owned */
    size_t addrs_count;
    uint64_t seq;
    uint64_t version;  /* of our identify, from 1 */
    struct timer push; /* when to tell peers of it */
    struct mtime pushed_at;
    struct slots conn_slots;
    struct slots stream_slots;
    struct list conns;    /* all but CONN_GONE, oldest first */
    struct list readable; /* with input */
    struct list dirty;    /* with output, perhaps */
    struct list notes;
    struct map peers;
    struct list dials;
    uint32_t dials_count;
    uint32_t conns_count;
    uint32_t upgrading; /* inbound */
    size_t unread;
    struct timerq timers;
    struct guard guard;
    struct backoff backoff;
    struct swarm_counts totals; /* only those that grow */
    struct rate rate_in;
    struct rate rate_out;
    struct buf *spares[SPARES_MAX]; /* see output_buf() */
};

/* swarm.c */

/** swarm_note - a new output at the end of the queue, to be filled in. */
struct note *swarm_note(struct swarm *sw, enum swarm_out_type type);

/** swarm_chance - the next of a row of numbers nobody can guess. */
uint64_t swarm_chance(struct swarm *sw);

/** swarm_names - the protocols that we serve, builtins first. */
struct mss_names swarm_names(const struct swarm *sw);

/** swarm_fault - tell the owner what the peer of @c did. */
void swarm_fault(struct swarm *sw, const struct conn *c, enum swarm_fault what,
                 uint32_t severity);

/** swarm_peer - the record of a connected peer, or NULL. */
struct peer *swarm_peer(const struct swarm *sw, const struct peer_id *id);

/* swarm_conn.c */

/** conn_new - a connection in CONN_DIALING. */
struct conn *conn_new(struct swarm *sw);

/** conn_touch - @c may have output. */
void conn_touch(struct swarm *sw, struct conn *c);

/**
 * conn_drop - end @c: tell its streams, its dial, its owner.
 *
 * @c is CONN_GONE afterwards, or freed when @closed: the transport has gone.
 */
void conn_drop(struct swarm *sw, struct conn *c, enum err err, bool closed);

/** conn_forget - free @c, which is CONN_GONE, and its id. */
void conn_forget(struct swarm *sw, struct conn *c);

/** conn_fail - drop @c for a fault of the peer. */
void conn_fail(struct swarm *sw, struct conn *c, enum swarm_fault what,
               uint32_t severity, enum err err);

/** conn_charge - take @cost tokens from all who answer for @c; false: they are
 * used up and @c was dropped. */
bool conn_charge(struct swarm *sw, struct conn *c, uint32_t cost);

/**
 * conn_charge_tiny - charge for a piece of input of @len bytes if it is tiny:
 * it takes more work than it is worth.  Returns as conn_charge().
 */
bool conn_charge_tiny(struct swarm *sw, struct conn *c, size_t len);

/** conn_input - one step of the input of @c; true: @ret_out is to be told. */
bool conn_input(struct swarm *sw, struct conn *c, struct swarm_out *ret_out);

/** conn_output - what @c has to send; true: @ret_out is to be told. */
bool conn_output(struct swarm *sw, struct conn *c, struct swarm_out *ret_out);

/** conn_on_time - the timer of @c is due. */
void conn_on_time(struct swarm *sw, struct conn *c);

/* swarm_upgrade.c */

/** upgrade_begin - first bytes of a connection. */
void upgrade_begin(struct swarm *sw, struct conn *c,
                   const struct swarm_transport *t);

/** upgrade_release - wipe and free it. */
void upgrade_release(struct conn *c);

/** upgrade_on_token - negotiation bytes; cuts what it uses off @io_in. */
void upgrade_on_token(struct swarm *sw, struct conn *c, struct bytes *io_in);

/** upgrade_on_frame - a handshake message of @len bytes. */
void upgrade_on_frame(struct swarm *sw, struct conn *c, uint8_t *p, size_t len);

/* swarm_session.c */

/** session_begin - Yamux runs: the peer is connected. */
void session_begin(struct swarm *sw, struct conn *c, const struct peer_id *id);

/** session_end - streams and peer of @c, which is going. */
void session_end(struct swarm *sw, struct conn *c, enum err err);

/** session_input - one step through @c->plain; true: @ret_out is to be told. */
bool session_input(struct swarm *sw, struct conn *c, struct swarm_out *ret_out);

/** session_on_time - keepalive. */
void session_on_time(struct swarm *sw, struct conn *c);

/* swarm_stream.c */

/** struct stream_start - what stream to begin. */
struct stream_start {
    enum stream_kind kind;
    const char *const *protocols;
    size_t count;
    uint32_t window_extra;
    void *owner;
    bool lazy;
};

/** stream_begin - open a stream on @c; E_LIMIT. */
MUST_USE enum err stream_begin(struct swarm *sw, struct conn *c,
                               const struct stream_start *start,
                               struct stream **ret_stream);

/** stream_of - the stream around @y. */
struct stream *stream_of(struct yamux_stream *y);

/** stream_on_opened - the peer opened a stream: take or refuse it. */
void stream_on_opened(struct swarm *sw, struct conn *c);

/** stream_on_data - bytes came; true: @ret_out is to be told. */
bool stream_on_data(struct swarm *sw, struct stream *s, struct bytes in,
                    struct swarm_out *ret_out);

/** stream_on_eof - the peer's FIN came; true: @ret_out is to be told. */
bool stream_on_eof(struct swarm *sw, struct stream *s,
                   struct swarm_out *ret_out);

/** stream_on_told - Yamux says that @s is finished or has room. */
void stream_on_told(struct swarm *sw, struct stream *s);

/** stream_on_time - the timer of @s is due. */
void stream_on_time(struct swarm *sw, struct stream *s);

/** stream_end - @s is over: tell its owner when there is one, detach it. */
void stream_end(struct swarm *sw, struct stream *s, enum err err,
                uint32_t code);

/** stream_abort - reset @s towards the peer, and stream_end() it. */
void stream_abort(struct swarm *sw, struct stream *s, enum err err,
                  uint32_t code);

/** stream_free - forget a stream that is detached or finished. */
void stream_free(struct swarm *sw, struct stream *s);

/** stream_send - queue a copy of @in. */
void stream_send(struct swarm *sw, struct stream *s, struct bytes in);

/** stream_finish - FIN after what is queued. */
void stream_finish(struct swarm *sw, struct stream *s);

/* swarm_service.c */

/** service_name - of the protocol @index that the swarm itself serves. */
const char *service_name(size_t index);

/** service_kind - of an inbound stream of builtin @index. */
enum stream_kind service_kind(size_t index);

/** service_on_open - the protocol of @s has been agreed. */
void service_on_open(struct swarm *sw, struct stream *s);

/** service_on_data - bytes of @s came. */
void service_on_data(struct swarm *sw, struct stream *s, struct bytes in);

/** service_on_eof - no more will come on @s. */
void service_on_eof(struct swarm *sw, struct stream *s);

/** service_on_time - the timer of @s is due. */
void service_on_time(struct swarm *sw, struct stream *s);

/** service_on_end - @s has gone before it was done. */
void service_on_end(struct swarm *sw, struct stream *s, enum err err);

/** service_ask - ask the new peer of @c to identify itself. */
void service_ask(struct swarm *sw, struct conn *c);

/** service_changed - our identify is another now: tell peers soon. */
void service_changed(struct swarm *sw);

/** service_push - tell them. */
void service_push(struct swarm *sw);

/** service_forget - what was kept about @p. */
void service_forget(struct peer *p);

/* swarm_dial.c */

/** dial_on_time - try one more address. */
void dial_on_time(struct swarm *sw, struct dial *d);

/** dial_on_open - @c, which it wanted, is open.  Returns its owner. */
void *dial_on_open(struct swarm *sw, struct conn *c);

/** dial_on_fail - @c, which it wanted, failed. */
void dial_on_fail(struct swarm *sw, struct conn *c, enum err err);

/** dial_free - forget it; its connections must be gone. */
void dial_free(struct swarm *sw, struct dial *d);

#endif /* LIBP2P_SWARM_PRIV_H */
