#ifndef KAD_PROVIDERS_PRIV_H
#define KAD_PROVIDERS_PRIV_H

#include "base/list.h"
#include "base/map.h"
#include "kad/providers.h"

/*
 * Invariants:
 *   1. Records lie in pages and are named by their number, from 1; 0 is none.
 *      A record that lives is in the chain of its bucket and in the list of its
 *      claimant.  One that was removed waits in the queue of changes and is
 *      free when its change was taken; without config.keep it is free at once.
 *   2. A claimant is in the map while it has records, removed ones that wait
 *      included, or waits for a change of its own.  It is in a rank while it
 *      has records that live, by the number of which the rank is the binary
 *      logarithm.
 *   3. A group counts the records that live of its claimants, and those of its
 *      claimants that have any.
 */

enum {
    PAGE_BITS = 11,
    PAGE_RECORDS = 1 << PAGE_BITS,
    RANKS = 32,
    CLAIMANTS_MAX = (1 << 24) - 1,
    ADDR_HEAD_BYTES = 2, /* length of an address in claimant.addrs */
    ADDRS_BYTES_MAX =
        PROVIDERS_ADDRS_MAX * (ADDR_HEAD_BYTES + MULTIADDR_BYTES_MAX),
    ROW_KEY_MAX = 1 + KAD_KEY_BYTES + PEER_ID_BYTES_MAX,
    ROW_VALUE_MAX = 1 + 8 + 8 + ADDRS_BYTES_MAX,
};

/* Bits of record.flags. */
enum {
    RECORD_LIVES = 1,
    RECORD_CHANGED = 2, /* in the queue of changes */
};

/* struct record - a claimant has the content at a key. */
struct record {
    struct kad_key key;
    uint32_t claimant : 24; /* index into providers.claimants */
    uint32_t flags : 8;
    uint32_t ends_s; /* seconds since 1970 */
    uint32_t chain;  /* next of its bucket, or of the free ones */
    uint32_t prev;   /* of its claimant's list */
    uint32_t next;
    uint32_t change; /* next in the queue of changes */
};

_Static_assert(sizeof(struct record) == 56, "records are small");

/* struct group - claimants that share an IP group. */
struct group {
    struct map_node node;
    uint64_t number; /* key */
    uint32_t records;
    uint32_t peers;
    uint32_t claimants; /* those without records included: it goes with the
                           last one */
};

/* struct claimant - a peer that says that it has content. */
struct claimant {
    struct map_node node;
    struct list rank;    /* in a list of providers.ranks, or in none */
    struct list change;  /* in providers.claimant_changes, or in none */
    struct group *group; /* NULL when it is not limited */
    uint8_t *addrs;      /* owned: be16 length and bytes of each */
    uint32_t addrs_len;
    uint32_t addrs_end_s;
    uint32_t index;
    uint32_t records; /* that live */
    uint32_t refs;    /* records, those removed included, and calls */
    uint32_t first;   /* of its records, the one refreshed longest ago */
    uint32_t last;
    struct peer_id id;
};

/* struct row_room - where the row of a change is written. */
struct row_room {
    uint8_t key[ROW_KEY_MAX];
    uint8_t value[ROW_VALUE_MAX];
};

struct providers {
    struct providers_config config;
    struct record **pages; /* owned */
    uint32_t pages_count;
    uint32_t room;  /* records that the pages hold */
    uint32_t used;  /* numbers given out, free ones included */
    uint32_t free;  /* first free record */
    uint32_t count; /* records that live */
    uint32_t *buckets;
    uint32_t buckets_count; /* a power of two, or 0 */
    uint32_t hand;          /* last record that was looked at by time */
    uint32_t claimant_hand;
    uint32_t change_first; /* queue of records */
    uint32_t change_last;

    struct map claimants_by_id;
    struct map groups;
    struct claimant **claimants; /* owned; NULL where an index is free */
    uint32_t claimants_room;
    uint32_t index_hint;      /* below claimants_room: where to look */
    struct list ranks[RANKS]; /* the one heard of longest ago first */
    struct list claimant_changes;

    uint64_t chance; /* state of the order of answers */
    size_t addrs_bytes;
    struct providers_stats stats;
    struct row_room *row; /* owned; NULL when no changes are kept */
};

/* record @number, from 1 to p->used; it may move when the next is inserted */
struct record *providers_record(const struct providers *p, uint32_t number);

/* the live record of @c at @key, or 0 */
uint32_t providers_find(const struct providers *p, const struct kad_key *key,
                        const struct claimant *c);

/* providers_claimants.c */

/* claimant @id, or NULL */
struct claimant *providers_find_claimant(const struct providers *p,
                                         const struct peer_id *id);

/* claimant @id, made when there is none; NULL when there are too many */
struct claimant *providers_claimant(struct providers *p,
                                    const struct peer_id *id);

/* forget @c unless something still needs it */
void providers_drop_claimant(struct providers *p, struct claimant *c);

/* move @c with all its records to group @number, 0 for none */
void providers_set_group(struct providers *p, struct claimant *c,
                         uint64_t number);

/* group @number, or NULL */
struct group *providers_find_group(const struct providers *p, uint64_t number);

/* the addresses of @c become the packed @addrs */
void providers_set_addrs(struct providers *p, struct claimant *c,
                         struct bytes addrs, uint32_t end_s);

/* providers.c */

/* a new live record, or 0 when there is no free number; marks no change */
uint32_t providers_insert(struct providers *p, struct claimant *c,
                          const struct kad_key *key, uint32_t ends_s);

/* put what was removed and told on the list of the free ones */
void providers_free_record(struct providers *p, uint32_t number);

/* whole seconds of @unix_ms */
uint32_t providers_seconds(uint64_t unix_ms);

#endif /* KAD_PROVIDERS_PRIV_H */
