#ifndef DISCOVERY_BOOK_PRIV_H
#define DISCOVERY_BOOK_PRIV_H

#include "discovery/book.h"

/* What the files of the book share; for nobody else. */

/* enum table - where a peer lies. */
enum table {
    TABLE_NONE, /* entered by hand: in no bucket */
    TABLE_NEW,
    TABLE_TRIED,
};

/* Flags of an address in book_peer.addrs. */
enum {
    ADDR_WORKED = 1, /* our last successful dial went there */
    ADDR_MANUAL = 2, /* entered by hand */
    ADDR_RECORD = 4, /* in the peer's record */
};

/* struct book_bucket - some peers of one table. */
struct book_bucket {
    struct list peers; /* of struct book_peer, by bucket */
    uint16_t count;
};

/* struct book_gone - key of a peer that is still on disk. */
struct book_gone {
    struct list link;
    struct peer_id id;
};

/* book_peer_new - a peer in no bucket, entered into the map. */
struct book_peer *book_peer_new(struct book *b, const struct peer_id *id);

/* book_peer_free - take @p out of everything, and forget that it was there. */
void book_peer_free(struct book *b, struct book_peer *p);

/* book_place - put @p, which lies nowhere, where it belongs: a manual one
 * nowhere, one in tried if @tried.  E_LIMIT when that is full of others that
 * are no worse. */
MUST_USE enum err book_place(struct book *b, struct book_peer *p, bool tried,
                             uint64_t unix_s);

/* book_set_record_bytes - keep @operator_id and @record, instead of others. */
void book_set_record_bytes(struct book *b, struct book_peer *p,
                           struct bytes operator_id, struct bytes record);

/* Addresses (book_addrs.c). */

/* book_addrs_merge - add @count addresses with @flags; those of @drop's flags
 * that were there before go.  At most BOOK_ADDRS_MAX stay, the best ones. */
void book_addrs_merge(struct book_peer *p, const struct multiaddr *addrs,
                      size_t count, uint8_t flags, uint8_t drop);

/* book_addrs_check - whether the packed addresses of @p are such. */
bool book_addrs_check(const struct book_peer *p);

/* book_addr_clean - @addr as it is kept for @peer; false for one that is not
 * kept: another peer's, too long, or not dialable. */
bool book_addr_clean(const struct peer_id *peer, struct multiaddr *addr);

/* book_since - seconds from @then to @now, 0 if not later. */
static inline uint64_t book_since(uint64_t then_s, uint64_t unix_s)
{
    return unix_s > then_s ? unix_s - then_s : 0;
}

#endif /* DISCOVERY_BOOK_PRIV_H */
