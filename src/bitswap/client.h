#ifndef BITSWAP_CLIENT_H
#define BITSWAP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mtime.h"
#include "bitswap/message.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"

/*
 * client - fetches blocks from peers and gateways: all sessions of a node.
 *
 * A protocol core: after every call that changes something the owner drains
 * bs_client_next() and arranges to call bs_client_on_time() at
 * bs_client_deadline().  Wants of one turn leave in one message per peer.
 *
 * How it works is told in docs/protocol/bitswap.md.
 */

struct bs_client;
struct bs_session;

enum {
    BS_PEERS_MAX = 512,         /* sources at a time, default */
    BS_SESSIONS_MAX = 1024,     /* default */
    BS_WANTS_MAX = 16384,       /* of all sessions, default */
    BS_PEER_ENTRIES_MAX = 1000, /* of our wants on one peer's list */
    BS_WINDOW_BYTES_START = 4 * 1024 * 1024,
    BS_WINDOW_BYTES_MAX = 32 * 1024 * 1024, /* asked of one peer */
    BS_WINDOW_ENTRIES_START = 64,
    /* Bytes of a peer that wait to be hashed: stop reading, and drop. */
    BS_HASHING_BYTES_FULL = 8 * 1024 * 1024,
    BS_HASHING_BYTES_MAX = 32 * 1024 * 1024,
    BS_UNASKED_MAX = 16, /* unasked blocks of a peer before it is a fault */
    BS_UNASKED_BYTES_MAX = 16 * 1024 * 1024,
    BS_GATEWAY_REQUESTS_START = 4, /* under way at one gateway */
    BS_GATEWAY_REQUESTS_MAX = 16,
};

/** struct bs_client_config - limits of a client; 0 means the default. */
struct bs_client_config {
    uint8_t seed[16]; /* random, keys the tables */
    uint32_t peers_max;
    uint32_t sessions_max;
    uint32_t wants_max;
};

/** enum bs_class - which sessions are served first when a source is scarce. */
enum bs_class {
    BS_CLASS_BACKGROUND, /* repair, replication */
    BS_CLASS_NORMAL,
    BS_CLASS_URGENT, /* somebody waits for the next bytes */
};

/** struct bs_want - one block that a session wants. */
struct bs_want {
    struct cid cid;
    uint64_t id;        /* of the owner, unique within the session */
    int32_t priority;   /* higher first; equal ones in the order of asking */
    uint32_t size_hint; /* bytes of the block if known, else 0 */
};

/** struct bs_source - what a session got from one peer. */
struct bs_source {
    struct peer_id peer;
    uint64_t bytes;
    uint64_t blocks;
};

/** enum bs_fault - why a peer should be dropped. */
enum bs_fault {
    BS_FAULT_UNASKED, /* blocks that we did not ask for, or with wrong bytes */
    BS_FAULT_FLOOD,   /* too much that has no effect */
    BS_FAULT_LIE,     /* a gateway gave wrong bytes for a block */
};

enum bs_client_out_kind {
    BS_CLIENT_SEND,    /* write the frame to a stream to the peer */
    BS_CLIENT_FETCH,   /* request the block of the gateway */
    BS_CLIENT_UNFETCH, /* end that request, if it is under way */
    BS_CLIENT_HASH,    /* compute a digest, then bs_client_on_hashed() */
    BS_CLIENT_GOT,     /* a want is answered and forgotten */
    BS_CLIENT_MISSING, /* no peer of now has it; it stays wanted */
    BS_CLIENT_FAULT,   /* the peer misbehaves; it should be dropped */
};

/** struct bs_client_out - what the owner is to do. */
struct bs_client_out {
    enum bs_client_out_kind kind;
    /* SEND, FETCH, UNFETCH, HASH, FAULT, GOT: the peer or gateway; len 0
     * where a CID needed none. */
    struct peer_id peer;
    struct bs_frame *frame;     /* SEND: belongs to the owner now */
    uint64_t hash_id;           /* HASH */
    uint64_t hash_code;         /* HASH: multicodec of the function */
    struct slice data;          /* HASH, GOT: belongs to the owner now */
    struct bs_session *session; /* GOT, MISSING: an open one */
    uint64_t want_id;           /* GOT, MISSING */
    struct cid cid;             /* GOT, MISSING, FETCH, UNFETCH */
    enum bs_fault fault;        /* FAULT */
};

/** bs_client_new - client without peers and sessions; @config is copied. */
MUST_USE struct bs_client *bs_client_new(const struct bs_client_config *config,
                                         struct mtime now);

/** bs_client_free - drop all; sessions too.  NULL does nothing. */
void bs_client_free(struct bs_client *c);

/**
 * bs_session_open - new session without wants.
 *
 * Return: OK; E_LIMIT when there are too many.
 */
MUST_USE enum err bs_session_open(struct bs_client *c, enum bs_class class,
                                  struct bs_session **ret_session);

/** bs_session_close - drop the session, its wants and its outputs. */
void bs_session_close(struct bs_client *c, struct bs_session *s,
                      struct mtime now);

/**
 * bs_session_want - the session wants a block.
 * @want: copied.
 *
 * Several sessions may want one CID, it is asked for once; a session that wants
 * it twice is answered twice.  A CID that tells its block is answered without
 * asking anybody.
 *
 * Return: OK; E_UNSUPPORTED when @want's CID names no content; E_LIMIT when
 * there are too many wants.
 */
MUST_USE enum err bs_session_want(struct bs_client *c, struct bs_session *s,
                                  const struct bs_want *want, struct mtime now);

/** bs_session_unwant - forget a want; harmless when it is answered. */
void bs_session_unwant(struct bs_client *c, struct bs_session *s,
                       uint64_t want_id, struct mtime now);

/**
 * bs_session_add_source - @peer is said to have what the session wants.
 *
 * Without this all peers are sources, in no special order.  A peer that was
 * not added to the client is remembered nowhere: add it first.
 */
void bs_session_add_source(struct bs_client *c, struct bs_session *s,
                           const struct peer_id *peer, struct mtime now);

/**
 * bs_session_only - ask @peer and nobody else; before the first want.
 *
 * A block that another session asked of somebody else may come from there:
 * BS_CLIENT_GOT tells who sent it.
 */
void bs_session_only(struct bs_session *s, const struct peer_id *peer);

/**
 * bs_session_sources - what the session got, by peer, oldest first.
 * @dst: room for @max; the rest is left out.
 *
 * Return: how many there are.
 */
size_t bs_session_sources(const struct bs_session *s, struct bs_source *dst,
                          size_t max);

/** bs_session_asks_gateway - whether a gateway was asked for the block of
 * @want_id and has not answered yet. */
bool bs_session_asks_gateway(const struct bs_session *s, uint64_t want_id);

/** bs_session_left - wants that are not answered yet. */
size_t bs_session_left(const struct bs_session *s);

/**
 * bs_client_peer_added - @peer is connected and speaks Bitswap.
 *
 * Return: OK; E_EXISTS, then only its version is changed; E_LIMIT.
 */
MUST_USE enum err bs_client_peer_added(struct bs_client *c,
                                       const struct peer_id *peer,
                                       enum bs_version version,
                                       struct mtime now);

/**
 * bs_client_gateway_added - @id stands for a gateway: a source that is asked
 * for one block a request, and that gives it or not.
 * @id: of no peer.
 *
 * It is the last that is asked where nobody is known to have a block; who gave
 * one is a source as others, by what was measured.
 *
 * Return: OK; E_EXISTS; E_LIMIT.
 */
MUST_USE enum err bs_client_gateway_added(struct bs_client *c,
                                          const struct peer_id *id,
                                          struct mtime now);

/**
 * bs_client_on_block - a gateway answered BS_CLIENT_FETCH.
 * @data: the reference passes; wrong bytes are a BS_FAULT_LIE.
 */
void bs_client_on_block(struct bs_client *c, const struct peer_id *id,
                        const struct cid *cid, struct slice data,
                        struct mtime now);

/** bs_client_on_no_block - the gateway has not got the block. */
void bs_client_on_no_block(struct bs_client *c, const struct peer_id *id,
                           const struct cid *cid, struct mtime now);

/** bs_client_peer_removed - @peer, or a gateway, is gone; others are asked for
 * its part.  No BS_CLIENT_UNFETCH comes. */
void bs_client_peer_removed(struct bs_client *c, const struct peer_id *peer,
                            struct mtime now);

/**
 * bs_client_stream_lost - the stream that we wrote to @peer broke.
 *
 * What we want of it is asked again, on a new stream.
 */
void bs_client_stream_lost(struct bs_client *c, const struct peer_id *peer,
                           struct mtime now);

/**
 * bs_client_on_message - blocks and presences of a message; not its wantlist.
 * @buf: holds the bytes of @message; slices of it are kept.
 */
void bs_client_on_message(struct bs_client *c, const struct peer_id *peer,
                          struct buf *buf, const struct bs_message *message,
                          struct mtime now);

/** bs_client_on_bytes - some bytes of a message of @peer came: it is alive. */
void bs_client_on_bytes(struct bs_client *c, const struct peer_id *peer,
                        struct mtime now);

/** bs_client_waits_for - whether @peer was asked for something and has not
 * answered yet. */
bool bs_client_waits_for(const struct bs_client *c, const struct peer_id *peer);

/**
 * bs_client_peer_full - true while @peer's blocks should not be read, since
 * those that wait for a hash are too many.
 */
bool bs_client_peer_full(const struct bs_client *c, const struct peer_id *peer);

/**
 * bs_client_on_hashed - answer to BS_CLIENT_HASH, in any order.
 * @digest: natural length; empty when it could not be computed.
 */
void bs_client_on_hashed(struct bs_client *c, uint64_t hash_id,
                         struct bytes digest, struct mtime now);

/** bs_client_on_time - it is @now; harmless when called early. */
void bs_client_on_time(struct bs_client *c, struct mtime now);

/** bs_client_deadline - when bs_client_on_time() must be called next. */
struct mtime bs_client_deadline(struct bs_client *c);

/**
 * bs_client_next - take the next output.
 * @ret_out: written when true is returned; what it holds is the owner's then.
 *
 * Return: false when there is none.
 */
bool bs_client_next(struct bs_client *c, struct bs_client_out *ret_out);

/** struct bs_client_stats - counts since the start, and of now. */
struct bs_client_stats {
    uint64_t blocks;      /* received and wanted */
    uint64_t bytes;       /* in them */
    uint64_t duplicates;  /* blocks that came more often than needed */
    uint64_t unasked;     /* blocks that we did not ask for */
    uint64_t dont_haves;  /* said to us */
    uint64_t stalls;      /* peers that were given up for a while */
    size_t wants_count;   /* distinct CIDs wanted now */
    size_t asks_count;    /* entries on lists of peers now */
    size_t hashing_bytes; /* handed out to be hashed now */
    size_t peers_count;
    size_t sessions_count;
};

/** bs_client_get_stats - counts of @c. */
struct bs_client_stats bs_client_get_stats(const struct bs_client *c);

#endif /* BITSWAP_CLIENT_H */
