#ifndef KAD_COVERAGE_H
#define KAD_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "kad/keyspace.h"

/*
 * coverage - parts of the keyspace of which all peers are known.
 *
 * There are no other peers as near to the target of a lookup as the farthest of
 * those that it found.  The points nearer than this one make up parts of the
 * keyspace: for each bit in which it differs from the target, those that are
 * like it before this bit, and like the target in it.  A lookup covers them.
 * By the same rule the closest peers of a key are known when the parts that
 * are nearer to it than the farthest of them are covered.
 */

enum {
    /*
     * Bits after the first that differs which are looked at.  In the parts
     * behind them is one peer in 2^16 of those that a lookup finds.
     */
    COVERAGE_DEPTH = 16,
    COVERAGE_PARTS_MAX = 512, /* more are forgotten at once */
};

/** struct kad_part - the points that begin with some bits of a key. */
struct kad_part {
    struct kad_key key;
    unsigned bits; /* 0 to KAD_KEY_BITS */
};

/** kad_part_has - true when @key is in @part. */
bool kad_part_has(const struct kad_part *part, const struct kad_key *key);

/** struct coverage - what is covered.  Zeroed is nothing. */
struct coverage {
    struct kad_part *parts; /* owned */
    size_t count;
    size_t room;
};

/** coverage_release - free the memory; @c is as zeroed. */
void coverage_release(struct coverage *c);

/** coverage_add - a lookup of @target found peers up to @far. */
void coverage_add(struct coverage *c, const struct kad_key *target,
                  const struct kad_key *far);

/** coverage_holds - true when all of @whole is covered. */
bool coverage_holds(const struct coverage *c, const struct kad_part *whole);

/**
 * coverage_knows - whether all peers nearer to @key than @far are known.
 * @ret_part: where there may be others, when false is returned.
 */
bool coverage_knows(const struct coverage *c, const struct kad_key *key,
                    const struct kad_key *far, struct kad_part *ret_part);

/**
 * coverage_gap - the largest part of @whole that is not covered; the lowest
 * of them.  One of KAD_KEY_BITS bits when there is none.
 */
struct kad_part coverage_gap(const struct coverage *c,
                             const struct kad_part *whole);

#endif /* KAD_COVERAGE_H */
