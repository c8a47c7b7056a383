#ifndef NODE_DHT_H
#define NODE_DHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "kad/kad.h"
#include "multiformats/multihash.h"
#include "multiformats/peer_id.h"

struct dht;
struct node;

/*
 * dht - the DHTs of a node over its network: that of its own network always,
 * those of IPFS where network.ipfs_dht says so.
 *
 * A question goes to all of them at once; the answers are put together.
 */

enum {
    DHT_NETS_MAX = 3, /* own, LAN and WAN of IPFS */
    DHT_FLUSH_MS = 30 * 1000,
};

/** struct dht_tables - tables of the node's kv that the records are kept in. */
struct dht_tables {
    struct kv *kv;
    uint32_t providers;
    uint32_t values;
};

/** dht_new - for @n, whose network it uses; records are loaded. */
MUST_USE struct dht *dht_new(struct node *n, const struct dht_tables *tables,
                             struct mtime now);

/** dht_free - operations under way are forgotten.  NULL does nothing. */
void dht_free(struct dht *d, struct mtime now);

/** dht_addrs_changed - what we announce has changed. */
void dht_addrs_changed(struct dht *d);

/** struct dht_found - what an operation found. */
struct dht_found {
    struct peer_id peer;
    const struct multiaddr *addrs; /* @count, may be 0; valid in the call */
    size_t count;
    struct bytes value; /* dht_get_value(): valid in the call */
};

/** struct dht_heard - how it went with one peer that an operation asked. */
struct dht_heard {
    const struct peer_id *peer;
    enum err err; /* OK with @answer; E_TIMEOUT; E_CANCELED: the operation has
                     no use for it any more; else why there is none */
    struct bytes answer; /* for kad_message_decode(); valid in the call */
    uint64_t elapsed_ms; /* dialing included */
};

/** struct dht_op - one question; caller's memory until @done or
 * dht_cancel(). */
struct dht_op {
    /** @found: a peer, a provider, a better record; NULL: unwanted. */
    void (*found)(struct dht_op *op, const struct dht_found *found,
                  struct mtime now);
    /** @heard: one of the peers that were asked has answered, or will not;
     * NULL: unwanted. */
    void (*heard)(struct dht_op *op, const struct dht_heard *heard,
                  struct mtime now);
    /** @done: it is over; @err: OK when any of the DHTs said so, else the
     * failure of the first, E_AGAIN when nobody could be asked.  The fields
     * below tell more.  Never from inside of a call. */
    void (*done)(struct dht_op *op, enum err err, struct mtime now);
    struct peer_id closest[KAD_K]; /* of our own network, or the first one */
    size_t closest_count;
    uint32_t stored_count;        /* peers that took it, of all DHTs */
    struct kad_query_stats stats; /* summed up; hops: the most */
    bool lonely;                  /* one of the DHTs had nobody to ask */
    struct dht *dht;              /* private, as all below; NULL: over */
    uint64_t queries[DHT_NETS_MAX];
    bool any_ok;
    enum err err;
    struct list link;
};

/* Each as its namesake in kad.h.  @op with its callbacks set, memory zeroed
 * before its first use.  A failure to begin is told by @done. */

/** dht_find_providers - who has the content @hash. */
void dht_find_providers(struct dht *d, struct dht_op *op,
                        const struct multihash *hash, uint32_t max,
                        struct mtime now);

/** dht_find_peer - where a peer is. */
void dht_find_peer(struct dht *d, struct dht_op *op, const struct peer_id *peer,
                   struct mtime now);

/** dht_find_node - the peers closest to a key. */
void dht_find_node(struct dht *d, struct dht_op *op, struct bytes key,
                   struct mtime now);

/** dht_get_value - the best record under @key. */
void dht_get_value(struct dht *d, struct dht_op *op, struct bytes key,
                   uint32_t quorum, struct mtime now);

/** dht_put_value - store a record under @key. */
void dht_put_value(struct dht *d, struct dht_op *op, struct bytes key,
                   struct bytes value, struct mtime now);

/** dht_provide - tell that we have the content @hash. */
void dht_provide(struct dht *d, struct dht_op *op, const struct multihash *hash,
                 struct mtime now);

/** dht_provide_to - tell one peer that we have all this content; asked in our
 * own network only. */
void dht_provide_to(struct dht *d, struct dht_op *op,
                    const struct peer_id *peer, const struct multihash *hashes,
                    size_t count, struct mtime now);

/** dht_cancel - @op->done is not called any more; harmless when over. */
void dht_cancel(struct dht_op *op);

/** dht_pump - carry out what the cores want; true when there was something. */
bool dht_pump(struct dht *d, struct mtime now);

/** dht_kad - the DHT of place @i, whose name is @ret_name; NULL past the last.
 * To be looked at. */
const struct kad *dht_kad(const struct dht *d, size_t i, const char **ret_name);

/** dht_is_lonely - whether the routing table of one of them is empty. */
bool dht_is_lonely(const struct dht *d);

/** dht_online - whether the routing table of our own network has anybody. */
bool dht_online(const struct dht *d);

#endif /* NODE_DHT_H */
