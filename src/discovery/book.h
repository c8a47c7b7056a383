#ifndef DISCOVERY_BOOK_H
#define DISCOVERY_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "discovery/capability.h"
#include "discovery/quality.h"
#include "discovery/reach.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct wr;

/*
 * book - the peers of our network that we have heard of.
 *
 * Nobody can fill it with peers of his own: a peer that was only heard of lies
 * in one of BOOK_NEW_BUCKETS buckets, chosen by a secret salt, the IP group of
 * its address and the group of who told of it; one that we have dialled
 * ourselves in one of BOOK_TRIED_BUCKETS, chosen by salt and group.  A full
 * bucket gives up its worst peer for a better one only.
 *
 *   told by one group             at most 4 of 32 rows: 3072 peers
 *   in one IP group, not tried    one column of 32: 768 peers
 *   both                          one bucket: 24 peers
 *   in one IP group, tried        4 of 256 buckets: 64 peers
 *
 * Peers that were entered by hand lie in no bucket and are never given up.
 *
 * Times are unix seconds.  Memory is taken as peers come.
 */

enum {
    BOOK_PEERS_MAX = 10000,
    BOOK_ADDRS_MAX = CAPABILITY_ADDRS_MAX, /* of one peer */
    BOOK_ADDR_BYTES_MAX = CAPABILITY_ADDR_BYTES_MAX,
    BOOK_MANUAL_MAX = 256,
    BOOK_ANCHORS_MAX = 8,
    BOOK_NEW_BUCKETS = 1024, /* 32 rows of 32 */
    BOOK_NEW_SIZE = 24,      /* peers in one */
    BOOK_TRIED_BUCKETS = 256,
    BOOK_TRIED_SIZE = 16,
    BOOK_TRIED_PER_GROUP = 4,                 /* buckets */
    BOOK_FAILURES_MAX = 1000,                 /* counted in a row */
    BOOK_RECORDS_BYTES_MAX = 8 * 1024 * 1024, /* of all peers */
    BOOK_DEAD_S = 60 * 60,                    /* failing for so long */
    BOOK_UNHEARD_S = 48 * 60 * 60,            /* never tried, not heard of */
    BOOK_FORGET_MAX_S = 7 * 24 * 60 * 60,
};

/** enum book_source - how we came to know a peer; the first one counts, but
 * the first two over all others. */
enum book_source {
    BOOK_BOOTSTRAP,
    BOOK_DNS,
    BOOK_MDNS,
    BOOK_EXCHANGE,
    BOOK_DHT,
    BOOK_MANUAL,
    BOOK_INBOUND, /* it connected to us */
};

/** struct book_peer - one peer; all read-only for others but @next_try, @told
 * and @turned. */
struct book_peer {
    struct map_node node;
    struct list bucket;    /* private */
    bool is_stored;        /* private: on disk */
    struct list dirty;     /* private */
    uint16_t bucket_index; /* private */
    uint8_t table;         /* private */
    struct peer_id id;
    uint8_t source; /* enum book_source */
    bool manual;
    bool reached; /* we have dialled it ourselves, with success */
    bool anchor;
    bool told;      /* of whoever dials: by us, since the start */
    uint8_t turned; /* of whoever dials: it let us go, times in a row */
    uint8_t addr_count;
    uint16_t addrs_len;    /* private */
    uint8_t *addrs;        /* private; book_addrs() */
    uint64_t group;        /* reach_group() of its best address */
    uint64_t source_group; /* of who told of it; 0: ourselves */
    uint64_t added_s;
    uint64_t heard_s;      /* somebody told of it */
    uint64_t seen_s;       /* it was connected; 0: never */
    uint64_t reached_s;    /* our last successful dial; 0: never */
    uint64_t good_since_s; /* first success of the present row; 0: none */
    uint64_t tried_s;      /* our last dial; 0: never */
    uint64_t fail_since_s; /* first failure of the present row; 0: none */
    uint32_t failures;     /* in the present row */
    struct mtime next_try; /* of whoever dials; zero: at once */
    struct quality quality;
    uint64_t seq; /* of the record; 0: there is none */
    uint64_t expires_s;
    uint64_t storage_offer;
    uint64_t storage_free;
    bool has_storage;
    bool record_checked;  /* its signature, since the start */
    uint8_t record_reach; /* enum reach: narrowest address in the record */
    uint8_t operator_len;
    uint16_t record_len;
    uint8_t *record; /* operator id, then the record; book_record() */
};

/** struct book_config - of a book. */
struct book_config {
    uint32_t peers_max; /* 0: BOOK_PEERS_MAX, and at most that */
    uint8_t seed[16];   /* random; keys the tables, replaced by what is loaded
                           in their place on disk */
};

struct book_bucket;

struct book {
    struct map peers; /* of struct book_peer, oldest first */
    uint32_t peers_max;
    uint32_t manual_count;
    uint32_t tried_count;
    uint32_t anchor_count;
    size_t records_bytes;
    uint8_t salt[16];             /* private */
    bool salt_dirty;              /* private */
    struct book_bucket **buckets; /* private: new ones, then tried ones */
    struct list dirty;            /* private */
    struct list removed;          /* private */
};

/** book_init - no peers. */
void book_init(struct book *b, const struct book_config *config);

/** book_release - forget everything. */
void book_release(struct book *b);

/** book_find - the peer, or NULL; valid until the next change of the book. */
struct book_peer *book_find(const struct book *b, const struct peer_id *id);

/** book_next - the peer added after @after, NULL begins; NULL at the end. */
struct book_peer *book_next(const struct book *b,
                            const struct book_peer *after);

/** struct book_heard - somebody tells of a peer. */
struct book_heard {
    const struct peer_id *peer;
    const struct multiaddr *addrs; /* @count; those with a /p2p of another
        peer, too long or not dialable are left out, those past
        BOOK_ADDRS_MAX too */
    size_t count;
    enum book_source source; /* BOOK_MANUAL makes it a manual one */
    uint64_t source_group;   /* reach_group() of who tells; 0: ourselves */
};

/**
 * book_hear - enter a peer, or addresses of one that is there already.
 *
 * Addresses of a manual peer that were entered by hand stay.
 *
 * Return: OK, @ret_peer is it; E_LIMIT when its bucket or the book is full of
 * better ones, or there are BOOK_MANUAL_MAX; E_NOTFOUND for a new peer without
 * an address.
 */
MUST_USE enum err book_hear(struct book *b, const struct book_heard *heard,
                            uint64_t unix_s, struct book_peer **ret_peer);

/**
 * book_put_record - keep a peer's capability record, and its addresses.
 * @p: in the book, the peer of @c.
 * @bytes: @c as it came, its signature checked; copied.
 * @limit: addresses of a narrower reach are left out.
 *
 * One of the same number is replaced too.
 *
 * Return: OK; E_EXISTS when the one that is kept is newer; E_LIMIT over
 * BOOK_RECORDS_BYTES_MAX, of which peers that were never reached get half.
 */
MUST_USE enum err book_put_record(struct book *b, struct book_peer *p,
                                  const struct capability *c,
                                  struct bytes bytes, enum reach limit,
                                  uint64_t unix_s);

/** book_drop_record - forget @p's record, not its number. */
void book_drop_record(struct book *b, struct book_peer *p);

/** book_record - the record's bytes, empty: none; until the next change. */
struct bytes book_record(const struct book_peer *p);

/** book_operator - operator id of the record, empty: none. */
struct bytes book_operator(const struct book_peer *p);

/** book_addrs - its addresses, the best first; returns how many. */
size_t book_addrs(const struct book_peer *p,
                  struct multiaddr dst[static BOOK_ADDRS_MAX]);

/** book_remove - forget @p. */
void book_remove(struct book *b, struct book_peer *p);

/** book_set_manual - whether @p was entered by hand; E_LIMIT. */
MUST_USE enum err book_set_manual(struct book *b, struct book_peer *p,
                                  bool manual, uint64_t unix_s);

/** book_set_anchor - @p is to be dialled first after a restart; past
 * BOOK_ANCHORS_MAX nothing happens. */
void book_set_anchor(struct book *b, struct book_peer *p, bool anchor);

/**
 * book_reached - a dial of ours to @p succeeded.
 * @addr: where; becomes its best address.
 */
void book_reached(struct book *b, struct book_peer *p,
                  const struct multiaddr *addr, uint64_t unix_s);

/** book_seen - @p is connected, whoever dialled. */
void book_seen(struct book *b, struct book_peer *p, uint64_t unix_s);

/**
 * book_failed - a dial of ours to @p failed.
 * @ours: nobody else is connected either, so it may be our own link: the peer
 * doesn't age by it.
 */
void book_failed(struct book *b, struct book_peer *p, bool ours,
                 uint64_t unix_s);

/** book_event - as quality_event(). */
void book_event(struct book *b, struct book_peer *p, enum quality_kind kind,
                uint64_t amount, uint64_t unix_s);

/** book_is_dead - failing for BOOK_DEAD_S: told to nobody, not asked for
 * anything, still dialled now and then. */
bool book_is_dead(const struct book_peer *p, uint64_t unix_s);

/**
 * book_sweep - forget the peers that are dead for longer than they were good
 * (at least BOOK_DEAD_S, at most BOOK_FORGET_MAX_S), and those that nobody told
 * of for BOOK_UNHEARD_S and that were never reached.
 *
 * Not to be called while nobody is connected.
 */
void book_sweep(struct book *b, uint64_t unix_s);

enum { BOOK_KEY_MAX = 72, BOOK_VALUE_MAX = 4096 };

/**
 * book_next_change - what is to be written down next: @ret_value under
 * @ret_key, or where nothing was written to @ret_value, the key removed.
 * @ret_key: room for BOOK_KEY_MAX.
 * @ret_value: room for BOOK_VALUE_MAX.
 *
 * Return: false when everything has been told.
 */
bool book_next_change(struct book *b, struct wr *ret_key, struct wr *ret_value);

/**
 * book_load - one pair as it was written down; in any order but the salt,
 * whose key sorts first, before the rest.
 *
 * Return: OK; E_CORRUPT; E_UNSUPPORTED of a later version; E_EXISTS for a peer
 * that is there; E_LIMIT when its bucket is full.
 */
MUST_USE enum err book_load(struct book *b, struct bytes key,
                            struct bytes value);

#endif /* DISCOVERY_BOOK_H */
