#ifndef KAD_LOOKUP_H
#define KAD_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "kad/kad.h"
#include "kad/kad_addrs.h"
#include "kad/keyspace.h"
#include "multiformats/peer_id.h"

/*
 * lookup - one walk towards a key: whom to ask next, and when it is over.
 *
 * Each peer is heard of, then waited for, then it has answered or is
 * unreachable.  The owner asks whom kad_lookup_next() names and says what
 * became of it.
 *
 * A peer that named peers which mostly do not answer loses credit: what it
 * alone named is asked after all others, and not waited for when it is slow, so
 * that a liar costs a lookup a few messages and little time.
 *
 * Spec: libp2p/specs kad-dht/README.md, "Peer routing".
 */

enum {
    KAD_LOOKUP_PEERS_MAX = 512, /* kept; farther ones are forgotten first */
    KAD_LOOKUP_DUDS = 3,        /* peers without answer that cost who named them
                                   credit */
    KAD_LOOKUP_NO_PEER = UINT16_MAX,
};

enum kad_lookup_state {
    KAD_HEARD,
    KAD_WAITING,
    KAD_QUERIED,
    KAD_UNREACHABLE,
};

/** struct kad_lookup_peer - a peer that a lookup knows. */
struct kad_lookup_peer {
    struct peer_id id;
    struct kad_key key;
    struct kad_addrs addrs; /* belongs to the lookup */
    enum kad_lookup_state state;
    uint8_t hops;      /* 1 for those of our own table */
    bool slow;         /* waited for, but no place is kept for it */
    uint16_t named_by; /* number of the peer, or KAD_LOOKUP_NO_PEER */
    uint16_t good;     /* peers that it named and that answered */
    uint16_t bad;      /* peers that it named and that did not, or are slow */
    uint32_t mark;     /* the owner's */
};

/** struct kad_lookup - private but for reading. */
struct kad_lookup {
    struct kad_key target;
    struct kad_key self; /* never added */
    uint32_t k;
    uint32_t alpha;
    uint32_t beta;
    bool follow_up;                /* until the k nearest have answered */
    struct kad_lookup_peer *peers; /* by number */
    uint16_t *order;               /* numbers, nearest first */
    size_t count;
    size_t room;
    uint32_t waiting;
    uint32_t slow; /* of these */
    uint32_t hops; /* most of one that answered */
};

/** kad_lookup_init - a lookup that knows nobody. */
void kad_lookup_init(struct kad_lookup *l, const struct kad_key *target,
                     const struct kad_key *self);

/** kad_lookup_set_width - k, alpha, beta; each at least 1. */
void kad_lookup_set_width(struct kad_lookup *l, uint32_t k, uint32_t alpha,
                          uint32_t beta);

/** kad_lookup_release - forget all. */
void kad_lookup_release(struct kad_lookup *l);

/**
 * kad_lookup_add - a peer was heard of.
 * @addrs: a reference is taken; addresses replace none at all.
 * @named_by: number of the peer that named it; KAD_LOOKUP_NO_PEER: our table.
 *
 * Return: true when it is new.
 */
bool kad_lookup_add(struct kad_lookup *l, const struct peer_id *id,
                    const struct kad_addrs *addrs, uint16_t named_by);

/**
 * kad_lookup_next - the peer to ask now; it is waited for then.
 *
 * Return: its number; KAD_LOOKUP_NO_PEER when nobody is to be asked now.
 */
uint16_t kad_lookup_next(struct kad_lookup *l);

/** kad_lookup_peer_at - peer number @i. */
struct kad_lookup_peer *kad_lookup_peer_at(const struct kad_lookup *l,
                                           uint16_t i);

/** kad_lookup_get - number of the peer @id, or KAD_LOOKUP_NO_PEER. */
uint16_t kad_lookup_get(const struct kad_lookup *l, const struct peer_id *id);

/** kad_lookup_slow - peer @i takes long: ask another one meanwhile. */
void kad_lookup_slow(struct kad_lookup *l, uint16_t i);

/** kad_lookup_answered - peer @i, which was waited for, has answered. */
void kad_lookup_answered(struct kad_lookup *l, uint16_t i);

/** kad_lookup_failed - peer @i, which was waited for, cannot be reached. */
void kad_lookup_failed(struct kad_lookup *l, uint16_t i);

/**
 * kad_lookup_is_over - nothing better is to be expected.
 *
 * True when the beta nearest that may be reached have answered (the k nearest
 * in the follow-up), or nobody is left to be asked or waited for.  The slow
 * and the doubtful ones are passed over, but waited for where fewer than beta
 * others answer; in the follow-up the doubtful are not asked at all.
 */
bool kad_lookup_is_over(const struct kad_lookup *l);

/**
 * kad_lookup_closest - the nearest peers that are not unreachable.
 * @dst: room for @max numbers.
 *
 * Those heard of but not asked count only where @heard.
 *
 * Return: how many, nearest first.
 */
size_t kad_lookup_closest(const struct kad_lookup *l, bool heard, uint16_t *dst,
                          size_t max);

#endif /* KAD_LOOKUP_H */
