#ifndef NODE_RPC_H
#define NODE_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"
#include "node/network.h"

struct env;
struct rpc;
struct rpc_stream;

/*
 * rpc - requests and answers on streams of one protocol, as the DHT, peer
 * exchange and object storage speak them: each message has its length before
 * it, as a varint.
 *
 * A request goes out on a stream to the peer that is free, or else on a new
 * one, after dialing where there is no connection.  A stream carries one
 * request at a time; the next may follow when it was answered.
 */

enum {
    RPC_IDLE_MS = 60 * 1000,       /* a stream that carries nothing is closed */
    RPC_TARGET_ADDRS_MAX = 16,     /* dialed for one call */
    RPC_REFUSE_VIOLATION = 0x1004, /* codes of rpc_refuse() */
    RPC_REFUSE_RATE = 0x1003,
};

/** struct rpc_config - of one protocol; copied. */
struct rpc_config {
    const char *protocol; /* its name; outlives the rpc */
    size_t request_max;   /* longest request that is read, bytes */
    uint32_t streams_max; /* inbound, of one connection */
    bool one_request;     /* ours: each on a stream of its own, whose side is
                             closed behind it */
    /**
     * @on_request: a request came; NULL: we don't serve.
     * @id: for the one answer; @in: valid during the call.
     */
    void (*on_request)(void *user, uint64_t id, const struct peer_id *peer,
                       const struct multiaddr *remote, struct bytes in,
                       struct mtime now);
    void *user;
};

/** rpc_new - serve @config->protocol on @network from now on. */
MUST_USE struct rpc *rpc_new(struct env *env, struct network *network,
                             const struct rpc_config *config, struct mtime now);

/** rpc_free - end all streams and calls, whose @done is not called.  NULL does
 * nothing. */
void rpc_free(struct rpc *r, struct mtime now);

/* Answering; each may also be called from inside on_request. --------------- */

/** rpc_answer - @message is the answer to request @id; copied.  Nothing
 * happens when its stream has gone. */
void rpc_answer(struct rpc *r, uint64_t id, struct bytes message,
                struct mtime now);

/** rpc_silent - request @id has no answer; the next one may come. */
void rpc_silent(struct rpc *r, uint64_t id, struct mtime now);

/** rpc_refuse - reset the stream of request @id with @code. */
void rpc_refuse(struct rpc *r, uint64_t id, uint32_t code);

/* Asking. ------------------------------------------------------------------ */

/** struct rpc_call - one request; caller's memory until @done or
 * rpc_cancel(). */
struct rpc_call {
    /**
     * @done: OK with the answer, which is valid during the call, and @remote
     * set; else E_NOTFOUND no connection, and no address leads to one;
     * E_UNSUPPORTED the peer does not speak the protocol; E_TIMEOUT;
     * E_CLOSED, E_IO the stream or the connection ended; E_MALFORMED, E_LIMIT
     * the answer is none; E_AGAIN no connection, since we have as many as we
     * may; and what else swarm_dial() says.  Never from inside of
     * rpc_call_start().
     */
    void (*done)(struct rpc_call *c, enum err err, struct bytes answer,
                 struct mtime now);
    struct multiaddr remote; /* other end of the connection */
    struct peer_id peer;     /* private, as all below */
    struct rpc *rpc;         /* NULL: not under way */
    struct rpc_stream *stream;
    struct connect_op connect;
    bool connecting;
    bool again; /* the stream was an old one: try once more with a new one */
    struct slice frame;
    size_t answer_max;
    enum err err;
    struct timer timer;
    struct list link;
};

/** struct rpc_request - what to ask whom. */
struct rpc_request {
    struct network_target target; /* no address: connected, or it fails */
    struct bytes message;         /* copied */
    size_t answer_max;   /* longest answer, bytes; 0: none comes, and @done is
                            called when the request was written */
    uint32_t timeout_ms; /* for all of it; 0: none */
};

/** rpc_call_start - ask; @c->done follows.  @c with @done set, zeroed before
 * its first use. */
void rpc_call_start(struct rpc *r, struct rpc_call *c,
                    const struct rpc_request *request, struct mtime now);

/** rpc_cancel - @c->done is not called any more; harmless when it is over. */
void rpc_cancel(struct rpc_call *c);

#endif /* NODE_RPC_H */
