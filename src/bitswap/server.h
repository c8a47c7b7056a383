#ifndef BITSWAP_SERVER_H
#define BITSWAP_SERVER_H

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
 * server - answers the wantlists of peers.
 *
 * A protocol core without deadlines: after every call that changes something
 * the owner drains bs_server_next().  It asks the owner for the size of a block
 * (STAT) and for its bytes (READ), and says what to write to the one stream
 * that is kept open to each peer (SEND).
 *
 * How it works is told in docs/protocol/bitswap.md.
 */

struct bs_server;

enum {
    BS_SERVER_PEERS_MAX = 1024,      /* default */
    BS_SERVER_PEER_WANTS_MAX = 1024, /* entries kept of one peer's wantlist */
    BS_SERVER_WANTS_MAX = 65536,     /* of all peers, default */
    BS_SERVER_SMALL_BYTES = 1024,    /* sent instead of HAVE */
    BS_SERVER_MESSAGE_BYTES = 1024 * 1024, /* of blocks, unless one is more */
    /*
     * Read ahead and not yet written, of one peer and of all; a last block
     * may go beyond.
     */
    BS_SERVER_PEER_BYTES_MAX = 8 * 1024 * 1024,
    BS_SERVER_BYTES_MAX = 32 * 1024 * 1024,
    BS_SERVER_PRESENCES_MAX = 4096, /* waiting for one peer */
    /* Entries that have no effect: at once, and a second. */
    BS_SERVER_TOKENS_MAX = 65536,
    BS_SERVER_TOKENS_PER_S = 16384,
};

/** struct bs_server_config - limits of a server; 0 means the default. */
struct bs_server_config {
    uint8_t seed[16]; /* random, keys the tables */
    uint32_t peers_max;
    uint32_t wants_max;
};

enum bs_server_out_kind {
    BS_SERVER_STAT,  /* look up the block, then bs_server_on_stat() */
    BS_SERVER_READ,  /* read it, then bs_server_on_read() */
    BS_SERVER_SEND,  /* write the frame, then bs_server_on_drained() */
    BS_SERVER_FAULT, /* the peer floods us; it should be dropped */
};

/** struct bs_server_out - what the owner is to do. */
struct bs_server_out {
    enum bs_server_out_kind kind;
    struct peer_id peer;    /* who asked: STAT is the place for permissions */
    uint64_t id;            /* STAT, READ */
    struct cid cid;         /* STAT, READ */
    struct bs_frame *frame; /* SEND: belongs to the owner now */
};

/** bs_server_new - server without peers; @config is copied. */
MUST_USE struct bs_server *bs_server_new(const struct bs_server_config *config);

/** bs_server_free - drop all.  NULL does nothing. */
void bs_server_free(struct bs_server *s);

/**
 * bs_server_peer_added - @peer is connected.
 * @version: what it is answered in, as negotiated on the stream that we open.
 *
 * Return: OK; E_EXISTS, then only its version is changed; E_LIMIT.
 */
MUST_USE enum err bs_server_peer_added(struct bs_server *s,
                                       const struct peer_id *peer,
                                       enum bs_version version,
                                       struct mtime now);

/** bs_server_peer_removed - @peer is gone: forget its list, drop its reads. */
void bs_server_peer_removed(struct bs_server *s, const struct peer_id *peer);

/** bs_server_on_message - wantlist of a message; not its blocks, presences. */
void bs_server_on_message(struct bs_server *s, const struct peer_id *peer,
                          const struct bs_message *message, struct mtime now);

/**
 * bs_server_on_stat - answer to BS_SERVER_STAT, in any order.
 * @found: the block is stored and @peer may have it.
 * @size: of the block, bytes.
 */
void bs_server_on_stat(struct bs_server *s, uint64_t id, bool found,
                       uint32_t size);

/**
 * bs_server_on_read - answer to BS_SERVER_READ, in any order.
 * @err: OK, or why there is no block after all.
 * @data: the block; its reference passes to the server, on OK only.
 */
void bs_server_on_read(struct bs_server *s, uint64_t id, enum err err,
                       struct slice data);

/** bs_server_on_new_block - a block was stored: who waits for it gets it. */
void bs_server_on_new_block(struct bs_server *s, const struct cid *cid);

/**
 * bs_server_on_drained - @bytes of frames to @peer have left our memory, or
 * were thrown away with a stream that broke.
 */
void bs_server_on_drained(struct bs_server *s, const struct peer_id *peer,
                          size_t bytes);

/** bs_server_next - take the next output; false when there is none. */
bool bs_server_next(struct bs_server *s, struct bs_server_out *ret_out);

/** struct bs_server_stats - counts since the start, and of now. */
struct bs_server_stats {
    uint64_t blocks;    /* sent */
    uint64_t bytes;     /* in them */
    uint64_t presences; /* sent */
    uint64_t dropped;   /* entries that did not fit */
    size_t peers_count;
    size_t wants_count; /* on all lists now */
    size_t bytes_held;  /* being read, read, or not yet written */
    size_t stats_count; /* STAT that are not answered */
    size_t reads_count; /* READ that are not answered */
};

/** bs_server_get_stats - counts of @s. */
struct bs_server_stats bs_server_get_stats(const struct bs_server *s);

#endif /* BITSWAP_SERVER_H */
