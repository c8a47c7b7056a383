#ifndef KAD_KAD_PRIV_H
#define KAD_KAD_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "kad/kad.h"
#include "kad/kad_addrs.h"
#include "kad/lookup.h"
#include "kad/message.h"
#include "kad/providers.h"
#include "kad/table.h"
#include "kad/values.h"

/*
 * What the files of kad share.
 *
 * Invariants:
 * 1. A peer is in the table or in the book, never in both.
 * 2. A message that waits for its end is in requests, in fresh or slow by age,
 *    and in the list of its query if that still runs.
 * 3. A request of a lookup belongs to a peer of it in the state KAD_WAITING.
 * 4. A query that does not store has an unfinished lookup; one that stores has
 *    at least one request.  Else it is finished, by kadp_advance().
 * 5. Who enters the table was named by identify and then answered a message.
 */

enum {
    KADP_SLOW_MS = 2 * 1000,       /* then another peer is asked meanwhile */
    KADP_CHECKS_MAX = 8,           /* peers checked before entry at a time */
    KADP_CHECKS_WAITING_MAX = 256, /* that wait for it */
    KADP_PINGS_MAX = 8,            /* old contacts asked at a time */
    KADP_REFRESH_CPL_MAX = 15,     /* buckets after it are not refreshed */
    KADP_SEARCH_TRIES_MAX = 1 << 20,
    KADP_HEARD_MS = 30 * 60 * 1000, /* life of addresses from hearsay */
    KADP_LONELY_MS = 60 * 1000,     /* between two KAD_LONELY */
    KADP_GROUP_ANSWER_MAX = 3, /* peers of one IP group in an answer (WAN) */
    KADP_SWEEP_SENDS_MAX = 16, /* of one kad_provide_to() at a time */
    KADP_RATES_MAX = 1024,     /* peers and IP groups whose use is counted */
    KADP_OVER_CLASSES = MA_CLASS_LOOPBACK + 1,
};

/* A peer whose addresses are kept although it is not in the table. */
struct kadp_known {
    struct map_node node;
    struct list lru;   /* in kad.known_first or known_heard */
    struct list check; /* in kad.checks while it waits to be checked */
    struct peer_id id;
    struct kad_addrs addrs;
    struct mtime until; /* hearsay: when it is forgotten */
    uint64_t group;
    enum ma_class over;
    uint16_t cpl;
    bool first_hand; /* it told us itself */
    bool serves;
    bool connected;
    bool admitted; /* its connection passes the filter of the table */
};

enum kadp_kind {
    KADP_FIND_NODE,
    KADP_FIND_PEER,
    KADP_FIND_PROVIDERS,
    KADP_GET_VALUE,
    KADP_PUT_VALUE,
    KADP_PROVIDE,
    KADP_PROVIDE_TO,
};

/* A provider that a query has told. */
struct kadp_found {
    struct map_node node;
    struct peer_id id;
    bool with_addrs;
};

struct kadp_query {
    struct map_node node;
    uint64_t id;
    enum kadp_kind kind;
    bool upkeep;       /* our own: nothing is told */
    bool storing;      /* the lookup is over, records are being sent */
    struct list timed; /* in kad.timed unless it has no end */
    struct list requests;
    uint32_t requests_count;
    struct mtime started_at;
    struct bytes key; /* in @key_buf */
    struct buf *key_buf;
    struct buf *message; /* of the lookup */
    struct kad_lookup lookup;
    struct peer_id peer; /* FIND_PEER, PROVIDE_TO */
    struct map found;    /* FIND_PROVIDERS */
    uint32_t max;        /* providers, or valid records, to find */
    struct buf *value;   /* GET_VALUE: the best; PUT_VALUE */
    uint32_t version;    /* of the best value, 0: none */
    uint32_t values_count;
    struct buf *stores[KADP_OVER_CLASSES]; /* messages, when first needed */
    struct buf *hashes; /* PROVIDE_TO: each as its length and its bytes */
    size_t hashes_at;
    enum ma_class over;     /* PROVIDE_TO */
    struct kad_addrs addrs; /* PROVIDE_TO: of the peer */
    enum err err;           /* of the first store that failed */
    uint32_t stored_count;
    struct kad_query_stats stats;
};

struct kadp_out;

/* A message that was sent, or is about to be. */
struct kadp_request {
    struct map_node node;
    uint64_t id;
    struct list age;          /* in kad.fresh or kad.slow */
    struct list of_query;     /* in query->requests */
    struct kadp_query *query; /* NULL: upkeep, or nobody waits any more */
    uint16_t number;          /* of the peer in its lookup, or NO_PEER */
    uint32_t records;         /* that are stored when it was sent or answered */
    enum kad_type type;
    bool check; /* counted in kad.checks_count */
    bool ping;  /* counted in kad.pings_count */
    struct peer_id peer;
    size_t reply_max;
    struct mtime sent_at;
    struct kadp_out *out; /* the KAD_SEND until it is taken */
};

/* An output that waits; small, kad_next() unfolds it. */
struct kadp_out {
    struct list link; /* in kad.outs */
    enum kad_out_kind kind;
    uint64_t query;
    uint64_t message;
    struct kadp_request *request; /* SEND */
    struct peer_id peer;
    struct kad_addrs addrs;
    struct buf *bytes;
    size_t reply_max;
    struct kad_out *done; /* DONE: all of it */
};

/* How much a peer or an IP group used of what costs us. */
struct kadp_use {
    uint64_t used_milli;
    struct mtime at;
};

struct kadp_rate {
    struct map_node node;
    struct list lru;
    uint8_t key[1 + PEER_ID_BYTES_MAX];
    struct mtime used_at;
    struct kadp_use provides;
    struct kadp_use checks;
};

struct kad {
    struct kad_config config; /* defaults filled in */
    struct kad_key self_key;
    struct mtime now;
    uint64_t unix_ms; /* at @unix_at */
    struct mtime unix_at;
    uint64_t last_id;
    uint64_t chances; /* random numbers drawn */

    struct kad_table table;
    struct map known;
    struct list known_first; /* first hand, the longest unused first */
    struct list known_heard; /* hearsay, the same */
    struct list checks;
    uint32_t checks_waiting;
    uint32_t checks_count;
    uint32_t pings_count;

    struct map queries;
    struct list timed;  /* the oldest first */
    size_t asked_count; /* queries of the owner */
    struct map requests;
    struct list fresh; /* the oldest first */
    struct list slow;  /* the same */
    struct list outs;

    struct kad_addrs own[KADP_OVER_CLASSES]; /* ours, by who may hear them */

    struct providers *providers;
    struct values *values;
    struct mtime providers_at;
    struct mtime values_at;
    struct map rates;
    struct list rates_lru;
    struct kadp_use checks_used; /* of all peers */

    struct mtime refresh_at;
    uint64_t refresh_query;  /* 0: none runs */
    bool refreshing;         /* a round is under way */
    bool refreshed_self;     /* in this round */
    struct mtime rest_until; /* no lookup of the round before */
    struct mtime lonely_at;
    struct kad_stats stats;
};

/* kad.c */

uint64_t kadp_id(struct kad *k);
uint64_t kadp_chance(struct kad *k);
uint64_t kadp_unix_ms(const struct kad *k, struct mtime now);

/* Class of the other end of a connection; addresses of other kinds count as
 * public ones. */
enum ma_class kadp_class(const struct multiaddr *remote);

/* Output that is queued; the caller fills it in. */
struct kadp_out *kadp_emit(struct kad *k, enum kad_out_kind kind);

/* kad_book.c */

/* Addresses of a peer of the table or the book; NULL when none are known. */
const struct kad_addrs *kadp_addrs_of(const struct kad *k,
                                      const struct peer_id *peer);
/* As above, but only what it told us itself: what we tell others. */
const struct kad_addrs *kadp_own_word(const struct kad *k,
                                      const struct peer_id *peer);
enum ma_class kadp_over_of(const struct kad *k, const struct peer_id *peer);
void kadp_book_release(struct kad *k);

/* Hearsay: a peer may be at @addrs.  True when that is news. */
bool kadp_heard(struct kad *k, const struct peer_id *peer,
                const struct kad_addrs *addrs, struct mtime now);

/* A peer answered a message that showed that it serves; it may enter. */
void kadp_answered(struct kad *k, const struct peer_id *peer, size_t closer,
                   struct mtime now);

/* A peer did not answer. */
void kadp_unreachable(struct kad *k, const struct peer_id *peer,
                      struct mtime now);

/* Check peers that wait for it, as many as may be under way. */
void kadp_run_checks(struct kad *k, struct mtime now);

/* kad_request.c */

/* What is to be sent. */
struct kadp_send {
    const struct peer_id *peer;
    const struct kad_addrs *addrs;
    struct buf *bytes; /* a reference of the caller's, taken over */
    enum kad_type type;
    bool answered; /* an answer is expected */
};

/* Queue a message; @query may be NULL. */
struct kadp_request *kadp_send(struct kad *k, struct kadp_query *query,
                               const struct kadp_send *send, struct mtime now);

/* FIND_NODE of the peer's own id. */
struct kadp_request *kadp_send_check(struct kad *k, const struct peer_id *peer,
                                     const struct kad_addrs *addrs,
                                     struct mtime now);

/* Let the requests of a query go on without it; those that were not taken yet
 * are forgotten. */
void kadp_orphan(struct kad *k, struct kadp_query *q);

/* Whether a message to the peer is under way. */
bool kadp_is_asked(const struct kad *k, const struct peer_id *peer);

void kadp_requests_on_time(struct kad *k, struct mtime now);
struct mtime kadp_requests_deadline(const struct kad *k);
void kadp_requests_release(struct kad *k);

/* Bytes of requests. */
struct buf *kadp_encode_ask(enum kad_type type, struct bytes key);
struct buf *kadp_encode_put(struct bytes key, struct bytes value);
struct buf *kadp_encode_provider(const struct kad *k, struct bytes key,
                                 enum ma_class over);
/* The same of as many of @hashes as one message carries, 1 or more; each
 * follows a byte with its length.  @ret_len: how many of these bytes were
 * taken, @ret_count: how many hashes. */
struct buf *kadp_encode_providers(const struct kad *k, struct bytes hashes,
                                  enum ma_class over, size_t *ret_len,
                                  uint32_t *ret_count);

/* kad_query.c */

void kadp_advance(struct kad *k, struct kadp_query *q, struct mtime now);
/* A lookup of our own; 0 when the table is empty. */
uint64_t kadp_refresh_lookup(struct kad *k, struct bytes key, struct mtime now);
void kadp_query_finish(struct kad *k, struct kadp_query *q, enum err err,
                       struct mtime now);
void kadp_query_free(struct kad *k, struct kadp_query *q);
void kadp_queries_on_time(struct kad *k, struct mtime now);
struct mtime kadp_queries_deadline(const struct kad *k);

/* kad_answer.c: what came of a request of the query, which may end by it. */
void kadp_query_answer(struct kad *k, const struct kadp_request *r,
                       const struct kad_message *m, enum ma_class over,
                       struct mtime now);
void kadp_query_failed(struct kad *k, const struct kadp_request *r,
                       enum err err, struct mtime now);
/* A record of the value that a query looks for. */
void kadp_query_value(struct kad *k, struct kadp_query *q, struct bytes value,
                      struct kad_lookup_peer *from, struct mtime now);
/* A provider of the content that a query looks for. */
void kadp_query_provider(struct kad *k, struct kadp_query *q,
                         const struct peer_id *peer, struct kad_addrs *addrs);

/* kad_upkeep.c */

/* Whether so many contacts of bucket @i have answered since the last round that
 * it needs no lookup. */
bool kadp_bucket_suffices(const struct kad *k, size_t i, struct mtime now);
void kadp_upkeep(struct kad *k, struct mtime now);
struct mtime kadp_upkeep_deadline(const struct kad *k);
/* The first contact came, or the last one went. */
void kadp_upkeep_hurry(struct kad *k, struct mtime now);
void kadp_upkeep_ended(struct kad *k, uint64_t query, struct mtime now);

/* kad_serve.c */

void kadp_rates_release(struct kad *k);

#endif /* KAD_KAD_PRIV_H */
