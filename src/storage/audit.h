#ifndef STORAGE_AUDIT_H
#define STORAGE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"

/*
 * audit - proof that a block can be had by a holder.
 *
 * The auditor has the block too: it computes the answer itself and compares.
 * Nonce and both peers are hashed with the bytes, so that no answer is of use
 * to another.  It shows that the holder can have the bytes in time, not on
 * whose disk they are.
 *
 * Pure functions: a pool job may call them.
 *
 * Spec: docs/protocol/storage.md, "Audit".
 */

enum {
    AUDIT_NONCE_BYTES = 32, /* random, new for each request */
    AUDIT_DIGEST_BYTES = 32,
    AUDIT_SEED_BYTES = 32, /* random, new for each choice */
};

/** struct audit_digest - answer about one block. */
struct audit_digest {
    bool present; /* false: the holder has not got the block */
    uint8_t bytes[AUDIT_DIGEST_BYTES]; /* zero unless present */
};

/** struct audit_question - what a digest is made of beside the block. */
struct audit_question {
    uint8_t nonce[AUDIT_NONCE_BYTES];
    struct peer_id auditor; /* who asks */
    struct peer_id holder;  /* who is asked */
};

/**
 * audit_digest_of - the answer to @question about the block @cid.
 * @data: the bytes of the block.
 */
struct audit_digest audit_digest_of(const struct audit_question *question,
                                    const struct cid *cid, struct bytes data);

/**
 * audit_answer_ok - whether @answer proves the block @cid.
 * @data: the bytes of the block, from our own store.
 *
 * False also for an answer that says the block is not there.
 */
bool audit_answer_ok(const struct audit_question *question,
                     const struct cid *cid, struct bytes data,
                     const struct audit_digest *answer);

/**
 * audit_pick - index of a block of an object to be asked for.
 * @seed: random and kept secret until the request is sent; the holder must
 * not be able to foretell the choice.
 * @n: 0, 1, 2 … for as many choices as are needed; they may repeat.
 * @count: number of blocks, above 0 (asserted).
 *
 * The same arguments give the same index.  It counts the distinct blocks of
 * the DAG in the order in which dag_walk names them, or any other list of
 * them that the auditor keeps.
 *
 * Return: below @count, each with the same probability.
 */
uint64_t audit_pick(const uint8_t seed[static AUDIT_SEED_BYTES], uint64_t n,
                    uint64_t count);

#endif /* STORAGE_AUDIT_H */
