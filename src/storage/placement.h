#ifndef STORAGE_PLACEMENT_H
#define STORAGE_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "multiformats/cid.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

/*
 * placement - which nodes are to keep an object.
 *
 * Weighted rendezvous hash by tickets: a node with weight w draws w tickets
 * of 64 bits from (root, peer id), its score is the highest of them, and the
 * nodes are taken by falling score.  The highest of all tickets belongs to
 * each node with the probability weight / sum of weights, so the order is
 * proportional to the weights without a logarithm; a node that comes or goes
 * moves nothing but what it wins or had.
 *
 * Then the order is walked for nodes that differ in operator and in IP group,
 * by tiers.  All integers; the same input gives the same output everywhere.
 *
 * Spec: docs/protocol/storage.md, "Placement".
 */

enum {
    PLACEMENT_CLASS_MAX = 32,    /* 2 PiB free and more */
    PLACEMENT_OPERATOR_MAX = 64, /* bytes of an operator's id */
};

/** enum placement_tier - how much the chosen nodes differ; best first. */
enum placement_tier {
    /* Operators differ, and /16 of IPv4, /32 of IPv6. */
    PLACEMENT_GROUP,
    /* Operators differ, and /24 of IPv4, /48 of IPv6. */
    PLACEMENT_SUBNET,
    /* Operators differ, and addresses: IPv4, or /64 of IPv6. */
    PLACEMENT_ADDRESS,
    /* Addresses differ; operators may be the same. */
    PLACEMENT_OPERATOR,
    /* Only peer ids differ. */
    PLACEMENT_PEER,
};

/** placement_tier_name - constant lower-case name of @tier, as in the API. */
const char *placement_tier_name(enum placement_tier tier);

/** struct placement_candidate - a node that may be asked; about 200 bytes. */
struct placement_candidate {
    struct peer_id peer;
    uint8_t free_class;   /* see placement_class(); 0 is never chosen */
    uint8_t operator_len; /* 0: says none, and differs from everybody */
    uint8_t operator_id[PLACEMENT_OPERATOR_MAX];
    struct ma_ip ip;  /* by which we reached it; len 0: unknown, and all
                         unknown ones count as one address */
    uint32_t quality; /* as measured by us; higher is better */
};

/** struct placement_rank - place of a candidate in the order of a root. */
struct placement_rank {
    uint64_t score;
    uint32_t index; /* of the candidate */
};

/**
 * placement_class - class of @free_bytes of free space, a node's weight.
 *
 * Return: 0 below 1 MiB; else 1 for 1 MiB, one more for each doubling, at most
 * PLACEMENT_CLASS_MAX.
 */
uint8_t placement_class(uint64_t free_bytes);

/**
 * placement_score - a node's score for @root, higher first.
 * @weight: 1 to PLACEMENT_CLASS_MAX (asserted).
 *
 * With weight 1 it is the same for all who know root and peer: this is the
 * order of the holders among each other, by which they audit and release.
 */
uint64_t placement_score(const struct cid *root, const struct peer_id *peer,
                         uint8_t weight);

/**
 * placement_order - the order of @candidates for @root.
 * @candidates: distinct peers.
 * @count: at most UINT32_MAX (asserted).
 * @ret_order: room for @count; best first.  Those with free_class 0 come last.
 */
void placement_order(const struct cid *root,
                     const struct placement_candidate *candidates, size_t count,
                     struct placement_rank *ret_order);

/** enum placement_use - what a candidate is to the object at hand. */
enum placement_use {
    PLACEMENT_FREE,  /* may be chosen */
    PLACEMENT_HOLDS, /* keeps it or has been asked to: is not chosen, and the
                        others must differ from it */
    PLACEMENT_SKIP,  /* refused it, or failed: as if it were not there */
};

/** struct placement_want - what placement_choose() looks for. */
struct placement_want {
    size_t count;         /* how many more, beside those that hold */
    uint32_t quality_min; /* candidates below are passed over */
    /* Use of each candidate, borrowed; NULL: all are free. */
    const enum placement_use *use;
};

/**
 * placement_choose - the first nodes in order that differ enough.
 * @order: from placement_order() of the same @count candidates.
 * @ret_chosen: room for @want->count indices of candidates, best first within
 * each tier.
 * @ret_tier: the tier that was needed for the last one chosen; GROUP if none
 * was.
 *
 * Each tier is walked to its end before the next one is tried, so that nodes
 * which share an address get a second copy only where no other is left.
 *
 * Return: how many were chosen, at most @want->count.
 */
size_t placement_choose(const struct placement_candidate *candidates,
                        const struct placement_rank *order, size_t count,
                        const struct placement_want *want, size_t *ret_chosen,
                        enum placement_tier *ret_tier);

/**
 * placement_tier_of - the best tier in which all who hold differ.
 * @use: of each of the @count candidates.
 *
 * Return: GROUP also when fewer than two hold.
 */
enum placement_tier
placement_tier_of(const struct placement_candidate *candidates, size_t count,
                  const enum placement_use *use);

#endif /* STORAGE_PLACEMENT_H */
