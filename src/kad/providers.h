#ifndef KAD_PROVIDERS_H
#define KAD_PROVIDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "kad/change.h"
#include "kad/keyspace.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

/*
 * providers - who has which content, as peers told a DHT server.
 *
 * A record is a pair of key and peer with the time when it ends; the addresses
 * are kept once for each peer.  A record takes about 64 bytes.  Time is
 * wall-clock time: records outlive the program.
 *
 * Nobody may take all the room:
 *   - one peer has at most peer_records_max records, the peers that share an IP
 *     group group_records_max records and group_peers_max peers;
 *   - one key has at most PROVIDERS_KEY_MAX records, PROVIDERS_KEY_GROUP_MAX of
 *     one IP group: a new one then takes the place of the one that ends first;
 *   - when records_max are kept, a new one takes the place of one of the peers
 *     with the most records: those who have about as many (the same power of
 *     two) lose in turn, and each the one that ends first of its
 *     PROVIDERS_EVICT_LOOK oldest;
 *   - when peers_max are known, one of the peers with the fewest records goes;
 *     of those who have about as many, the one not heard of for longest.
 *
 * Spec: libp2p/specs kad-dht README.md, "Content provider advertisement and
 * discovery".
 */

struct providers;

enum {
    PROVIDERS_RECORDS_MAX = 200000,       /* default */
    PROVIDERS_PEERS_MAX = 16384,          /* default */
    PROVIDERS_PEER_RECORDS_MAX = 50000,   /* default: of one peer */
    PROVIDERS_GROUP_RECORDS_MAX = 100000, /* default: of one IP group */
    PROVIDERS_GROUP_PEERS_MAX = 4096,     /* default: of one IP group */
    PROVIDERS_KEY_MAX = 512,              /* of one key */
    PROVIDERS_KEY_GROUP_MAX = 128,        /* of one key and IP group */
    PROVIDERS_EVICT_LOOK = 16,
    PROVIDERS_ADDRS_MAX = 8,                   /* of one peer */
    PROVIDERS_RECORD_MS = 48 * 60 * 60 * 1000, /* life of a record */
    PROVIDERS_ADDRS_MS = 24 * 60 * 60 * 1000,  /* life of addresses */
    PROVIDERS_REFRESH_MS = 60 * 60 * 1000, /* less is no news: not written */
    PROVIDERS_WORK_MAX = 4096, /* records looked at by providers_on_time() */
    PROVIDERS_TIME_MS = 30 * 1000, /* how often to call that */
};

/** struct providers_config - limits; 0 means the default. */
struct providers_config {
    uint8_t seed[16]; /* random: keys the tables, and the order of answers */
    uint32_t records_max;
    uint32_t peers_max; /* below 2^24 */
    uint32_t peer_records_max;
    uint32_t group_records_max;
    uint32_t group_peers_max;
    bool keep; /* the owner takes what providers_next_change() says */
};

/** providers_new - empty store; @config is copied. */
MUST_USE struct providers *providers_new(const struct providers_config *config);

/** providers_free - forget everything.  NULL does nothing. */
void providers_free(struct providers *p);

/** struct providers_claim - a peer says that it has some content. */
struct providers_claim {
    struct kad_key key;            /* kad_key_of() the multihash */
    const struct peer_id *peer;    /* who says so, authenticated */
    const struct multiaddr *addrs; /* without /p2p at the end, best first */
    size_t addrs_count; /* those after PROVIDERS_ADDRS_MAX are left out,
                           0 leaves the addresses as they are */
    uint64_t group; /* ma_ip_group() of the connection; 0 is never limited */
};

/**
 * providers_add - keep a record, or prolong it.
 * @claim: borrowed for this call.
 * @unix_ms: wall-clock time.
 *
 * The peer's addresses replace those that were known.
 *
 * Return: OK; E_LIMIT when the peer or its IP group has too much, or when the
 * owner has too many changes to take.
 */
MUST_USE enum err providers_add(struct providers *p,
                                const struct providers_claim *claim,
                                uint64_t unix_ms);

/** struct provider - a peer that said it has the content. */
struct provider {
    struct peer_id peer;
    struct bytes addrs; /* for provider_next_addr(); view into the store, valid
                           until its next change; empty when they are too old */
};

/**
 * provider_next_addr - take the next address off @addrs.
 * @addrs: of struct provider; shortened.
 * @ret_addr: a multiaddr in binary.
 *
 * Return: false when there is none.
 */
bool provider_next_addr(struct bytes *addrs, struct bytes *ret_addr);

/**
 * providers_get - who has the content at @key.
 * @dst: room for @max.
 *
 * When there are more, another part of them is chosen by chance in each call.
 *
 * Return: how many were written.
 */
size_t providers_get(struct providers *p, const struct kad_key *key,
                     uint64_t unix_ms, struct provider *dst, size_t max);

/**
 * providers_on_time - drop what has ended.
 *
 * Looks at PROVIDERS_WORK_MAX records, then at the next ones in the next call:
 * to be called every PROVIDERS_TIME_MS or so.  What has ended is never told,
 * whether it was dropped or not.
 */
void providers_on_time(struct providers *p, uint64_t unix_ms);

/**
 * providers_next_change - take the next change that is to be written.
 * @ret_change: written when true is returned.
 *
 * Return: false when there is none.
 */
bool providers_next_change(struct providers *p, struct kad_change *ret_change);

/**
 * providers_load - give back a row that was written, in any order, before the
 * first providers_add().
 *
 * Return: OK, also for what has ended meanwhile, which the next changes
 * remove; E_SHORT, E_MALFORMED, E_UNSUPPORTED for a row that is none of ours
 * or of another version, to be removed by the owner; E_LIMIT for one too many,
 * the same.
 */
MUST_USE enum err providers_load(struct providers *p, struct bytes key,
                                 struct bytes value, uint64_t unix_ms);

/** struct providers_stats - counts since the start, and of now. */
struct providers_stats {
    size_t records_count; /* those that ended lately included */
    size_t keys_count;
    size_t peers_count;   /* that have records */
    size_t known_count;   /* peers of which anything is kept */
    size_t changes_count; /* not taken yet */
    size_t memory_bytes;  /* of tables, records and addresses */
    uint64_t added;       /* new records */
    uint64_t refreshed;
    uint64_t refused; /* E_LIMIT */
    uint64_t evicted; /* made room for others */
    uint64_t ended;
};

/** providers_get_stats - counts of @p. */
struct providers_stats providers_get_stats(const struct providers *p);

#endif /* KAD_PROVIDERS_H */
