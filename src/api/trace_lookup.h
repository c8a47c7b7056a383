#ifndef API_TRACE_LOOKUP_H
#define API_TRACE_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"
#include "node/dht.h"

struct request;

/*
 * trace_lookup - a walk through the DHT to a peer, told node by node: lines
 * {step: asked, peer_id, hop, result, ms, names, addresses, detail}.
 *
 * What others tell is shown as it came; only addresses that the DHT took, by
 * whom they came from, are given out to be dialled.
 */

enum { TRACE_NAMED_MAX = 512, TRACE_ADDRS_MAX = DHT_NETS_MAX * KAD_ADDRS_MAX };

/** struct trace_lookup - in the memory of its owner. */
struct trace_lookup {
    /** @done: it is over; as dht_op.done. */
    void (*done)(struct trace_lookup *l, enum err err, struct mtime now);
    struct request *q;
    struct peer_id peer;
    struct dht_op op;
    uint32_t asked; /* nodes */
    uint32_t answers;
    uint32_t tellers; /* of these that said where it is */
    struct multiaddr addrs[TRACE_ADDRS_MAX]; /* of trace_lookup_collect() */
    size_t count;
    size_t named_count; /* private: nodes that were heard of on the way */
    struct {
        struct peer_id peer;
        uint32_t hop;
    } named[TRACE_NAMED_MAX];
};

/** trace_lookup_start - @l zeroed but for @done, which is never called from
 * inside of this. */
void trace_lookup_start(struct trace_lookup *l, struct request *q,
                        const struct peer_id *peer, struct mtime now);

/** trace_lookup_collect - at the end: fill in @l->addrs. */
void trace_lookup_collect(struct trace_lookup *l);

/** trace_lookup_cancel - @done is not called any more; harmless when it is
 * over. */
void trace_lookup_cancel(struct trace_lookup *l);

#endif /* API_TRACE_LOOKUP_H */
