#ifndef KAD_KAD_H
#define KAD_KAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/multiaddr.h"
#include "multiformats/multihash.h"
#include "multiformats/peer_id.h"

/*
 * kad - one Kademlia DHT of a node: client, and server if configured.
 *
 * A protocol core: no I/O, no clock, no chance of its own.  A node that takes
 * part in several DHTs has one of these for each.  The owner
 *
 *   1. calls inputs (kad_on_peer(), kad_serve(), kad_on_reply(), ...) and
 *      requests (kad_find_providers(), kad_provide(), ...);
 *   2. calls kad_next() until it returns false, and does what it says;
 *      requests may be made in between;
 *   3. sleeps until kad_deadline() or an input, then kad_on_time().
 *
 * Queries and messages have ids out of one row, which are never used twice and
 * never 0: what is named by an id that has gone is ignored.
 *
 * What we do where peers differ, and all limits: docs/protocol/kad.md.
 *
 * Spec: libp2p/specs kad-dht/README.md; ipfs/specs src/routing/kad-dht.md.
 */

struct kad;
struct kad_change;

enum {
    KAD_K = 20,                /* size of a bucket and of a closest set */
    KAD_ALPHA = 10,            /* messages of one lookup at a time */
    KAD_ALPHA_OWN = 3,         /* as above, in our own network */
    KAD_BETA = 3,              /* closest peers that have to answer */
    KAD_ADDRS_MAX = 8,         /* addresses of one peer, kept and sent */
    KAD_QUERIES_MAX = 64,      /* asked for by the owner, default */
    KAD_FOUND_MAX = 1024,      /* providers that one query may find */
    KAD_KNOWN_MAX = 1024,      /* peers whose addresses are kept, default */
    KAD_SWEEP_KEYS_MAX = 4096, /* multihashes of one kad_provide_to() */
    KAD_KEY_BYTES_MAX = 256,   /* of a key that we look up */
    KAD_SEED_BYTES = 32,
    KAD_TIMEOUT_MS = 10 * 1000,       /* of one message, dialing included */
    KAD_QUERY_TIMEOUT_MS = 60 * 1000, /* of one query */
    KAD_REFRESH_MS = 10 * 60 * 1000,  /* of a bucket, default */
    /* Longest messages that are read, without the length before them. */
    KAD_REQUEST_BYTES_MAX = 64 * 1024,
    KAD_REPLY_BYTES_MAX = 64 * 1024,
    KAD_PROVIDERS_REPLY_BYTES_MAX = 256 * 1024,
};

/**
 * enum kad_scope - which DHT it is: whom and which addresses it takes.
 *
 * WAN: public addresses only.  LAN and OWN: loopback addresses come from and go
 * to loopback peers only, private ones private and loopback peers only; LAN
 * admits to its table only who is connected over such an address.
 */
enum kad_scope {
    KAD_WAN, /* "/ipfs/kad/1.0.0" */
    KAD_LAN, /* "/ipfs/lan/kad/1.0.0" */
    KAD_OWN, /* "/xmbl/<network>/kad/1.0.0" */
};

/** struct kad_config - what kad_new() needs; copied.  0 means the default. */
struct kad_config {
    struct peer_id self;
    enum kad_scope scope;
    bool server;       /* answer; set it only when the protocol is listed */
    bool keep;         /* the owner takes what kad_next_change() says */
    bool ip_diversity; /* limit who shares an IP group; never for loopback and
                          private addresses in LAN and OWN */
    uint32_t k;        /* at most KAD_K */
    uint32_t alpha;
    uint32_t beta;
    uint32_t queries_max;
    uint32_t known_max;
    uint32_t refresh_ms;
    uint64_t unix_ms;             /* wall-clock time at the start; 0 means 0 */
    uint8_t seed[KAD_SEED_BYTES]; /* random */
};

/** kad_new - a DHT that knows nobody.  Config errors are asserted. */
MUST_USE struct kad *kad_new(const struct kad_config *config, struct mtime now);

/** kad_free - forget everything.  NULL does nothing. */
void kad_free(struct kad *k);

/**
 * kad_set_unix_time - what the wall clock says at @now.
 * @unix_ms: milliseconds since 1970.
 *
 * Signed records expire by it.  To be called when the clock was set, and every
 * hour or so.
 */
void kad_set_unix_time(struct kad *k, uint64_t unix_ms, struct mtime now);

/**
 * kad_set_addrs - our own addresses, as they are told in ADD_PROVIDER.
 * @addrs: @count without /p2p at the end, best first; copied.  Each peer is
 * told the first KAD_ADDRS_MAX of those that it may hear.
 */
void kad_set_addrs(struct kad *k, const struct multiaddr *addrs, size_t count);

/** kad_set_server - begin or cease to answer, as the protocol is listed. */
void kad_set_server(struct kad *k, bool server);

/* Inputs: peers. ----------------------------------------------------------- */

/**
 * kad_on_peer - identify says that a connected peer serves this DHT.
 * @addrs: @count that it listens on; those that it may not tell us over
 * @remote are left out.
 * @remote: the other end of the connection, as we see it.
 *
 * It enters the routing table when it passes the filters and answers a lookup
 * for its own id.  May be said again when something changed.
 */
void kad_on_peer(struct kad *k, const struct peer_id *peer,
                 const struct multiaddr *addrs, size_t count,
                 const struct multiaddr *remote, struct mtime now);

/**
 * kad_on_addrs - addresses of any peer, also one that does not serve the DHT.
 *
 * As kad_on_peer(), but it does not enter the table: so that we can tell
 * others where a peer is that is connected to us, and send to it.
 */
void kad_on_addrs(struct kad *k, const struct peer_id *peer,
                  const struct multiaddr *addrs, size_t count,
                  const struct multiaddr *remote, struct mtime now);

/** kad_on_peer_left - @peer does not serve the DHT any more: it leaves the
 * table. */
void kad_on_peer_left(struct kad *k, const struct peer_id *peer,
                      struct mtime now);

/** kad_on_disconnected - no connection to @peer is left; it stays in the
 * table until it fails to answer. */
void kad_on_disconnected(struct kad *k, const struct peer_id *peer,
                         struct mtime now);

/* Inputs: messages. -------------------------------------------------------- */

/** struct kad_request - a message that came on a stream of a peer. */
struct kad_request {
    const struct peer_id *from;     /* authenticated */
    const struct multiaddr *remote; /* other end of the connection */
    struct bytes bytes;             /* without the length before it */
};

/**
 * kad_serve - answer a request of a peer.
 * @ret_reply: the answer without the length before it, to be written and then
 * released by the caller; NULL when the request gets none (ADD_PROVIDER): read
 * on.
 *
 * Return: OK; any error: reset the stream.  E_UNSUPPORTED when we do not
 * serve, and for a type that we don't know; E_REFUSED for a record that is
 * invalid, of a namespace unknown to us, or older than what we have; E_LIMIT
 * for a request over a limit, and for too many records to be checked;
 * E_SHORT, E_MALFORMED.
 */
MUST_USE enum err kad_serve(struct kad *k, const struct kad_request *request,
                            struct mtime now, struct buf **ret_reply);

/**
 * kad_on_reply - the answer to a KAD_SEND that expects one.
 * @remote: other end of the connection that it came over.
 * @reply: without the length before it.
 *
 * Return: OK; E_NOTFOUND when nobody waits for it any more; the peer's fault
 * otherwise: E_LIMIT, E_SHORT, E_MALFORMED, E_MISMATCH.  The caller closes the
 * stream then and need say nothing else.
 */
MUST_USE enum err kad_on_reply(struct kad *k, uint64_t message,
                               const struct multiaddr *remote,
                               struct bytes reply, struct mtime now);

/**
 * kad_on_sent - a KAD_SEND that expects no answer was written.
 *
 * To be called for each of them: only some are under way at a time.
 */
void kad_on_sent(struct kad *k, uint64_t message, struct mtime now);

/**
 * kad_on_failed - a KAD_SEND came to nothing: no connection, no such protocol,
 * stream reset.
 */
void kad_on_failed(struct kad *k, uint64_t message, enum err err,
                   struct mtime now);

/* Requests.  All take a query id; 0 when there is none. -------------------- */

/**
 * kad_find_node - the peers closest to a key.
 * @key: 1 to KAD_KEY_BYTES_MAX bytes, before hashing; copied.
 *
 * Ends with KAD_DONE: OK; E_NOTFOUND when nobody answered; E_TIMEOUT.
 *
 * Return: OK; E_LIMIT when too many queries run, or for the length of @key;
 * E_AGAIN when the routing table is empty.  The same for all requests below.
 */
MUST_USE enum err kad_find_node(struct kad *k, struct bytes key,
                                struct mtime now, uint64_t *ret_query);

/**
 * kad_find_peer - addresses of a peer: KAD_FOUND_PEER, then KAD_DONE.
 *
 * What is known already is told at once, also with an empty table; then the
 * query ends.  KAD_DONE says E_NOTFOUND when nobody knew.
 */
MUST_USE enum err kad_find_peer(struct kad *k, const struct peer_id *peer,
                                struct mtime now, uint64_t *ret_query);

/**
 * kad_find_providers - who has the content @hash: KAD_FOUND_PROVIDER for each,
 * then KAD_DONE.
 * @max: providers to find before it ends, at most KAD_FOUND_MAX; 0: those.
 *
 * A provider whose addresses become known later is told twice; we ourselves
 * are never told.  KAD_DONE says
 * E_NOTFOUND when there was none.  With an empty table it ends at once with
 * what is stored here.
 */
MUST_USE enum err kad_find_providers(struct kad *k,
                                     const struct multihash *hash, uint32_t max,
                                     struct mtime now, uint64_t *ret_query);

/**
 * kad_get_value - the best record under @key: KAD_FOUND_VALUE whenever a better
 * one is found, then KAD_DONE.
 * @key: "/ipns/..." or "/pk/..." in binary.
 * @quorum: valid records after which it ends; 0: when the lookup is over.
 *
 * Peers close to the key that had none or a worse one are sent the best.
 *
 * Return: also E_UNSUPPORTED for a namespace without rules.
 */
MUST_USE enum err kad_get_value(struct kad *k, struct bytes key,
                                uint32_t quorum, struct mtime now,
                                uint64_t *ret_query);

/**
 * kad_put_value - store a record under @key here and at the closest peers.
 * @value: copied.
 *
 * KAD_DONE says how many took it in stored_count, and E_REFUSED for none.
 *
 * Return: also E_UNSUPPORTED for a namespace without rules; E_REFUSED when
 * the record is not valid, or an older one than the one that we have; with
 * E_AGAIN it is kept here.
 */
MUST_USE enum err kad_put_value(struct kad *k, struct bytes key,
                                struct bytes value, struct mtime now,
                                uint64_t *ret_query);

/**
 * kad_provide - tell the peers closest to @hash that we have this content.
 *
 * A server keeps the record also itself, to tell it when it is asked.  KAD_DONE
 * says in stored_count to how many peers it was written; E_NOTFOUND: none.
 *
 * Return: also E_REFUSED when we have no address to tell; with E_AGAIN a server
 * has kept the record.
 */
MUST_USE enum err kad_provide(struct kad *k, const struct multihash *hash,
                              struct mtime now, uint64_t *ret_query);

/**
 * kad_provide_to - tell one peer that we have all this content.
 * @hashes: @count of them, 1 to KAD_SWEEP_KEYS_MAX; copied.
 *
 * In our own network a message carries as many as fit, else one.  The messages
 * go out a few at a time, as kad_on_sent() comes.  KAD_DONE says in
 * stored_count how many hashes were written; it ends at the first failure,
 * whose cause it names.
 *
 * Return: as kad_provide(), but never E_AGAIN.
 */
MUST_USE enum err kad_provide_to(struct kad *k, const struct peer_id *peer,
                                 const struct multihash *hashes, size_t count,
                                 struct mtime now, uint64_t *ret_query);

/**
 * kad_cancel - end a query: no KAD_DONE comes, and no output of it that was
 * not taken yet.  Harmless when it is over.
 */
void kad_cancel(struct kad *k, uint64_t query, struct mtime now);

/* Outputs. ----------------------------------------------------------------- */

enum kad_out_kind {
    KAD_SEND,           /* write a message to a peer */
    KAD_DROP,           /* a message is not waited for any more */
    KAD_FOUND_PEER,     /* addresses of the peer that a query looked for */
    KAD_FOUND_PROVIDER, /* a peer that has the content */
    KAD_FOUND_VALUE,    /* a record, better than those before it */
    KAD_DONE,           /* a query is over */
    KAD_LEARNED,        /* a peer and its addresses were heard of */
    KAD_LONELY,         /* nobody in the table: connect to bootstrap peers */
};

/** struct kad_query_stats - what a query took. */
struct kad_query_stats {
    uint32_t hops;      /* most peers from us to one that answered */
    uint32_t messages;  /* requests sent */
    uint32_t answers;   /* of these answered, or written where none comes */
    uint32_t failures;  /* of these failed */
    uint64_t bytes_out; /* in requests, lengths and streams not counted */
    uint64_t bytes_in;  /* in answers */
    uint64_t elapsed_ms;
};

/** struct kad_out - what the owner is to do or to know. */
struct kad_out {
    enum kad_out_kind kind;
    uint64_t query;   /* FOUND_*, DONE; SEND: or 0 when it is our own upkeep */
    uint64_t message; /* SEND, DROP */

    /*
     * SEND: dial @peer at @addrs unless it is connected (there may be none:
     * the owner may know better), open or reuse a stream, write the length of
     * @bytes and @bytes.  Then kad_on_reply() if @reply_max is not 0, else
     * kad_on_sent(); or kad_on_failed().  No timer is needed: KAD_DROP comes
     * when it takes too long, then reset the stream and say nothing.
     */
    struct peer_id peer; /* SEND, FOUND_PEER, FOUND_PROVIDER, LEARNED */
    struct multiaddr addrs[KAD_ADDRS_MAX]; /* of @peer */
    size_t addrs_count;
    struct buf *bytes; /* SEND: the message; FOUND_VALUE: the record.  The
                          owner's, to be released by buf_unref() */
    size_t reply_max;  /* SEND: longest answer; 0: none comes */

    /* DONE */
    enum err err;
    struct peer_id closest[KAD_K]; /* that answered or were heard of, nearest
                                      first; kad_addrs() has their addresses */
    size_t closest_count;
    uint32_t stored_count; /* peers that took the record; kad_provide_to():
                              hashes written */
    struct kad_query_stats stats;
};

/**
 * kad_next - take the next output.
 * @ret_out: written when true is returned; what it holds is the owner's then.
 *
 * Return: false when there is none.
 */
bool kad_next(struct kad *k, struct kad_out *ret_out);

/** kad_on_time - it is @now; harmless when called early. */
void kad_on_time(struct kad *k, struct mtime now);

/** kad_deadline - when kad_on_time() must be called next. */
struct mtime kad_deadline(const struct kad *k);

/* Records over restarts. --------------------------------------------------- */

/** enum kad_store - which records. */
enum kad_store {
    KAD_STORE_PROVIDERS,
    KAD_STORE_VALUES,
};

/**
 * kad_next_change - take the next change that is to be written to disk.
 * @ret_change: written when true is returned; views, valid until the next call
 * to @k.
 *
 * To be drained in batches, when config.keep was set; each store has rows of
 * its own.
 *
 * Return: false when there is none.
 */
bool kad_next_change(struct kad *k, enum kad_store store,
                     struct kad_change *ret_change);

/**
 * kad_load - give back a row that was written, in any order, at the start.
 *
 * Return: OK; E_SHORT, E_MALFORMED, E_UNSUPPORTED, E_LIMIT for one that is not
 * kept: remove it.
 */
MUST_USE enum err kad_load(struct kad *k, enum kad_store store,
                           struct bytes key, struct bytes value,
                           struct mtime now);

/* Looking at it. ----------------------------------------------------------- */

/**
 * kad_addrs - addresses that are known of a peer, of the table or not.
 * @dst: room for KAD_ADDRS_MAX.
 *
 * Return: how many; 0 when there are none.
 */
size_t kad_addrs(const struct kad *k, const struct peer_id *peer,
                 struct multiaddr dst[static KAD_ADDRS_MAX]);

/**
 * kad_closest - the peers of the routing table closest to @key.
 * @key: before hashing.
 * @dst: room for @max.
 *
 * Return: how many were written, nearest first.
 */
size_t kad_closest(const struct kad *k, struct bytes key, struct peer_id *dst,
                   size_t max);

/** struct kad_contact_info - one row of the routing table. */
struct kad_contact_info {
    struct peer_id peer;
    uint32_t cpl; /* leading bits shared with us: its bucket */
    bool connected;
    struct mtime added_at;
    struct mtime useful_at; /* when it answered last */
};

/**
 * kad_contact - row @i of the routing table, by bucket and age.
 *
 * Return: false when there are fewer rows.
 */
bool kad_contact(const struct kad *k, size_t i,
                 struct kad_contact_info *ret_info);

/** struct kad_stats - counts since the start, and of now. */
struct kad_stats {
    uint64_t queries;          /* begun, upkeep included */
    uint64_t messages_out;     /* requests sent */
    uint64_t answers_in;       /* good answers to them */
    uint64_t failures;         /* those that failed or took too long */
    uint64_t bad_answers;      /* of these: malformed or over a limit */
    uint64_t bytes_out;        /* requests and answers */
    uint64_t bytes_in;         /* requests and answers */
    uint64_t served;           /* requests answered */
    uint64_t refused;          /* requests that ended the stream */
    uint64_t provides_in;      /* keys of ADD_PROVIDERs that were kept */
    uint64_t provides_dropped; /* keys of ADD_PROVIDERs over a limit */
    size_t contacts_count;     /* in the table */
    size_t buckets_count;      /* that hold contacts */
    size_t known_count;        /* peers whose addresses are kept */
    size_t queries_count;      /* running, upkeep included */
    size_t messages_count;     /* not answered yet */
    size_t provider_keys_count;
    size_t provider_records_count;
    size_t value_records_count;
};

/** kad_get_stats - counts of @k. */
struct kad_stats kad_get_stats(const struct kad *k);

#endif /* KAD_KAD_H */
