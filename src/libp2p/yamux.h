#ifndef LIBP2P_YAMUX_H
#define LIBP2P_YAMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "libp2p/sendq.h"
#include "libp2p/yamux_frame.h"

/*
 * yamux - many streams in one connection: one session, no I/O.
 *
 * Input is pulled: yamux_next() takes plaintext and gives one event at a time,
 * with views into that plaintext.  Output is gathered: yamux_fill() gives
 * pieces that make up frames, control frames first, then data of the streams
 * in turn.  The memory of streams is the caller's.
 *
 * Spec: libp2p/specs yamux/README.md.
 */

enum {
    YAMUX_WINDOW_MIN = 256 * 1024, /* of every new stream */
    YAMUX_WINDOW_MAX = 16 * 1024 * 1024,
    YAMUX_PAYLOAD_MAX = 65507,    /* of a frame we send: with its header it
                                     fills one Noise message */
    YAMUX_PONGS_MAX = 32,         /* waiting; more pings go unanswered */
    YAMUX_UNACKED_MAX = 256,      /* streams of ours not yet acknowledged */
    YAMUX_RESETS_MAX = 4096,      /* waiting to be sent */
    YAMUX_LATE_MIN = 1024 * 1024, /* bytes for streams that are not there */
    YAMUX_LATE_MAX = 64 * 1024 * 1024, /* with what our resets allow */
};

/** struct yamux_stream - one stream; embedded in the caller's struct. */
struct yamux_stream {
    uint32_t id;             /* 0: in no session */
    uint8_t key[4];          /* private: @id, as key of the map */
    struct map_node node;    /* private */
    struct list ctl;         /* private: in session.ctl */
    struct list ready;       /* private: in session.ready */
    struct list told;        /* private: in session.told */
    struct sendq sendq;      /* read-only for others */
    uint64_t send_window;    /* private */
    uint32_t recv_window;    /* private: size of the window we give */
    uint32_t recv_left;      /* private: what the peer may still send */
    uint32_t owed;           /* private: consumed, not yet granted again */
    uint32_t grant;          /* private: delta to be sent */
    size_t unread;           /* given as data, not consumed; read-only */
    size_t low;              /* tell when fewer bytes wait; 0: do not */
    struct mtime granted_at; /* private: 0 before the first grant */
    bool urgent;             /* before all others once */
    bool syn_pending;        /* private */
    bool ack_pending;        /* private */
    bool unacked;            /* private: counted in session.unacked */
    bool fin_wanted;         /* no more will be written */
    bool fin_sent;           /* read-only for others */
    bool fin_got;            /* read-only for others */
};

struct yamux_reset {
    uint32_t id;
    uint32_t code;
};

/** struct yamux - one session. */
struct yamux {
    bool client;        /* we opened the connection */
    uint32_t id_next;   /* of our next stream */
    struct map streams; /* private; count is read-only for others */
    struct list ctl;    /* private: streams with control frames */
    struct list ready;  /* private: streams with data or FIN to send */
    struct list told;   /* private: streams for yamux_next_told() */
    uint32_t unacked;   /* private */
    uint64_t rtt_ns;    /* set by the caller; 0: not known */
    size_t extra;       /* private: windows over YAMUX_WINDOW_MIN, sum */
    size_t extra_max;
    uint64_t late_left; /* private: bytes for unknown streams allowed */
    uint32_t pongs[YAMUX_PONGS_MAX];
    size_t pongs_count;
    bool ping_pending;
    uint32_t ping_opaque;
    struct yamux_reset *resets; /* owned, ring of YAMUX_RESETS_MAX; NULL: none
                                   waits */
    size_t resets_first;
    size_t resets_count;
    /* The frame that is coming in. */
    enum yamux_step step;
    uint8_t head[YAMUX_HEAD_BYTES];
    size_t head_len;
    struct yamux_head frame;
    struct yamux_stream *target; /* of that frame; NULL: drop it */
    uint32_t body_left;
};

/**
 * yamux_init - session without streams.
 * @client: we opened the connection.
 * @extra_max: limit for the sum of windows beyond YAMUX_WINDOW_MIN.
 * @seed: for the map.
 */
void yamux_init(struct yamux *y, bool client, size_t extra_max,
                const uint8_t seed[static 16]);

/** yamux_release - free; every stream has been released before (asserted). */
void yamux_release(struct yamux *y);

enum yamux_event_type {
    YAMUX_MORE,      /* input used up */
    YAMUX_OPENED,    /* the peer opens a stream: yamux_accept() or
                        yamux_refuse() must follow at once */
    YAMUX_DATA,      /* @data for @stream */
    YAMUX_EOF,       /* the peer sends no more on @stream */
    YAMUX_RESET,     /* the peer reset @stream with @code; release it */
    YAMUX_PONG,      /* answer to the ping @code */
    YAMUX_PINGED,    /* the peer's ping; the answer is queued */
    YAMUX_NOTHING,   /* a frame without effect */
    YAMUX_GOAWAY,    /* the peer ends the session with @code */
    YAMUX_VIOLATION, /* the peer broke the protocol: @err; input is dead */
};

struct yamux_event {
    enum yamux_event_type type;
    struct yamux_stream *stream;
    struct bytes data; /* view into the input */
    uint32_t code;
    enum err err; /* E_MALFORMED, E_UNSUPPORTED; E_LIMIT window, late data */
};

/**
 * yamux_next - the next event of what came in.
 * @io_in: plaintext from outside; what was used is cut off its front.
 */
struct yamux_event yamux_next(struct yamux *y, struct bytes *io_in);

/** yamux_is_busy - true when yamux_next() has more to tell about a frame that
 * is all here, so that it is to be called though no input is left. */
bool yamux_is_busy(const struct yamux *y);

/** yamux_accept - take the stream of YAMUX_OPENED into @s, which is zeroed. */
void yamux_accept(struct yamux *y, struct yamux_stream *s);

/** yamux_refuse - answer YAMUX_OPENED by a reset. */
void yamux_refuse(struct yamux *y, uint32_t code);

/**
 * yamux_open - begin a stream in @s, which is zeroed.
 *
 * Return: OK; E_LIMIT when too many wait for their acknowledgement or ids are
 * used up.
 */
MUST_USE enum err yamux_open(struct yamux *y, struct yamux_stream *s);

/** yamux_grant - let the peer send up to @extra bytes more than usual. */
void yamux_grant(struct yamux *y, struct yamux_stream *s, uint32_t extra);

/** yamux_write - queue @slice, whose reference passes. */
void yamux_write(struct yamux *y, struct yamux_stream *s, struct slice slice);

/** yamux_close_write - FIN after what is queued. */
void yamux_close_write(struct yamux *y, struct yamux_stream *s);

/** yamux_consumed - @len bytes of data need no memory any more. */
void yamux_consumed(struct yamux *y, struct yamux_stream *s, size_t len,
                    struct mtime now);

/** yamux_finished - true when both directions have been ended on the wire. */
bool yamux_finished(const struct yamux_stream *s);

/** yamux_stream_release - forget @s; nothing is sent. */
void yamux_stream_release(struct yamux *y, struct yamux_stream *s);

/**
 * yamux_stream_reset - forget @s and tell the peer.
 *
 * Return: false when too many resets wait: the connection should go.
 */
bool yamux_stream_reset(struct yamux *y, struct yamux_stream *s, uint32_t code);

/** yamux_ping - send a ping with @opaque. */
void yamux_ping(struct yamux *y, uint32_t opaque);

/** yamux_next_told - a stream that is finished, or whose queue fell below
 * @low, since it was told the last time; or NULL. */
struct yamux_stream *yamux_next_told(struct yamux *y);

/** yamux_first_stream - any stream, or NULL: to release them all. */
struct yamux_stream *yamux_first_stream(const struct yamux *y);

/** yamux_next_stream - the one accepted or opened after @s, or NULL. */
struct yamux_stream *yamux_next_stream(const struct yamux *y,
                                       const struct yamux_stream *s);

enum {
    YAMUX_BATCH_HEADS = 64,
    YAMUX_BATCH_SLICES = 96,
    YAMUX_BATCH_PIECES = YAMUX_BATCH_HEADS + YAMUX_BATCH_SLICES,
};

/** struct yamux_batch - pieces of plaintext, in order. */
struct yamux_batch {
    struct bytes pieces[YAMUX_BATCH_PIECES];
    size_t pieces_count;
    size_t bytes;                                       /* sum of the pieces */
    struct slice held[YAMUX_BATCH_SLICES];              /* private */
    size_t held_count;                                  /* private */
    uint8_t heads[YAMUX_BATCH_HEADS][YAMUX_HEAD_BYTES]; /* private */
    size_t heads_count;                                 /* private */
};

/** yamux_has_output - true when yamux_fill() would give something. */
bool yamux_has_output(const struct yamux *y);

/**
 * yamux_fill - gather frames that are to be sent now.
 * @max: bytes of plaintext, at least YAMUX_HEAD_BYTES + YAMUX_PAYLOAD_MAX.
 * @b: filled anew; yamux_batch_release() it when the pieces were used.
 */
void yamux_fill(struct yamux *y, size_t max, struct yamux_batch *b);

/** yamux_batch_release - drop the references that the pieces need. */
void yamux_batch_release(struct yamux_batch *b);

#endif /* LIBP2P_YAMUX_H */
