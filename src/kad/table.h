#ifndef KAD_TABLE_H
#define KAD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mtime.h"
#include "kad/kad.h"
#include "kad/kad_addrs.h"
#include "kad/keyspace.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

/*
 * table - the routing table: peers that answered, by how near they are to us.
 *
 * Bucket c holds those whose keys share exactly c leading bits with ours.  A
 * full bucket takes nobody: who has answered longest stays, so that nobody
 * displaces our peers by coming in numbers.
 */

enum {
    KAD_GROUP_BUCKET_MAX = 2, /* contacts of one IP group in a bucket */
    KAD_GROUP_TABLE_MAX = 3,  /* as above, in the table */
};

/** struct kad_contact - a peer in the table. */
struct kad_contact {
    struct map_node node; /* private */
    struct peer_id id;
    struct kad_key key;
    struct kad_addrs addrs; /* belongs to the contact */
    uint64_t group;         /* IP group that counts; 0: none */
    uint16_t cpl;
    bool connected;
    bool asked;         /* the owner's: a check of it is under way */
    enum ma_class over; /* class of the other end of its connection */
    struct mtime added_at;
    struct mtime useful_at; /* when it answered last */
    struct mtime heard_at;  /* the same, or when it asked us last */
};

/** struct kad_bucket - contacts with one cpl, the oldest first. */
struct kad_bucket {
    struct kad_contact *contacts[KAD_K];
    uint8_t count;
    bool refreshed;            /* there was a lookup in its part */
    struct mtime refreshed_at; /* when the last one ended */
};

struct kad_table {
    struct map contacts; /* by id */
    struct kad_key self;
    uint32_t bucket_max;
    struct kad_bucket *buckets;
    size_t buckets_count; /* up to the last one that ever had a contact */
};

/** kad_table_init - empty table around @self; @bucket_max at most KAD_K. */
void kad_table_init(struct kad_table *t, const struct kad_key *self,
                    uint32_t bucket_max, const uint8_t seed[static 16]);

/** kad_table_release - forget all contacts. */
void kad_table_release(struct kad_table *t);

/** kad_table_count - contacts in the table. */
size_t kad_table_count(const struct kad_table *t);

/** kad_table_get - the contact @id, or NULL. */
struct kad_contact *kad_table_get(const struct kad_table *t,
                                  const struct peer_id *id);

/**
 * kad_table_has_room - whether a peer could be added.
 * @group: its IP group; 0 is never limited.
 *
 * Return: OK; E_EXISTS when it is in the table; E_REFUSED for ourselves;
 * E_LIMIT when its bucket is full, or has too many of @group, or the table
 * has.
 */
MUST_USE enum err kad_table_has_room(const struct kad_table *t,
                                     const struct peer_id *id, uint64_t group);

/**
 * kad_table_add - add a peer that has just answered.
 * @ret_contact: the new contact, without addresses; valid until it is removed.
 *
 * Return: as kad_table_has_room().
 */
MUST_USE enum err kad_table_add(struct kad_table *t, const struct peer_id *id,
                                uint64_t group, struct mtime now,
                                struct kad_contact **ret_contact);

/** kad_table_remove - remove and free the contact @c. */
void kad_table_remove(struct kad_table *t, struct kad_contact *c);

/**
 * kad_table_closest - contacts nearest to a point.
 * @except: left out, when not NULL.
 * @dst: room for @max; 1 to KAD_K.
 *
 * Return: how many, nearest first.
 */
size_t kad_table_closest(const struct kad_table *t, const struct kad_key *key,
                         const struct peer_id *except, struct kad_contact **dst,
                         size_t max);

/** kad_table_at - contact number @i, by bucket and age; NULL past the end. */
struct kad_contact *kad_table_at(const struct kad_table *t, size_t i);

/** kad_table_refreshed - a lookup of @key has just ended, or begun. */
void kad_table_refreshed(struct kad_table *t, const struct kad_key *key,
                         struct mtime now);

/** kad_table_used_buckets - buckets that hold contacts. */
size_t kad_table_used_buckets(const struct kad_table *t);

#endif /* KAD_TABLE_H */
