#ifndef STORAGE_KEEPER_COPY_H
#define STORAGE_KEEPER_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"
#include "storage/keeper.h"
#include "storage/keeper_heap.h"
#include "storage/record.h"

struct keeper_audit;
struct keeper_object;
struct keeper_verify;

/* Other nodes, and their copies of objects: keeper_table.c, keeper_copies.c. */

/** struct keeper_peer - another node, or ourselves. */
struct keeper_peer {
    struct map_node node; /* of keeper.peers */
    struct peer_id id;
    uint32_t number; /* counts the peers made */
    uint32_t refs;   /* copies, tasks, being connected, being banned */
    bool connected;
    bool banned;
    uint64_t group;
    struct list copies;         /* keeper_copy.of_peer */
    struct list ready;          /* keeper_chore.ready: to be audited */
    struct list tell;           /* keeper_chore.tell: to be told the set */
    struct keeper_audit *audit; /* outstanding */
    uint32_t calls;
    uint32_t tells;
    uint32_t serving;
    uint64_t tokens_ms; /* credit for requests, in ms of the rate */
    struct mtime tokens_at;
    struct list asking;       /* of keeper.askers, with a reference */
    struct mtime quiet_until; /* no tells before, since one failed */
    struct mtime hurried_at;  /* its copies' audits were last brought forward */
    uint64_t phase_ns;        /* of its audit slots */
    uint64_t owned_bytes;     /* promised to it as an owner */
    uint32_t owned_objects;   /* of it as an owner, tombstones too */
    uint64_t owned_group;     /* IP group that they are counted to */
    struct keeper_timer timer;
};

enum { KEEPER_SLOT_NONE = 255 }; /* no copy */

/**
 * struct keeper_copy - one peer's copy of one object, as we see it.
 *
 * There are hundreds of thousands: what is needed while something is under way
 * lies in its chore.  It lies in a slot of struct keeper_copies and keeps its
 * slot, but it moves when keeper_copy_add() needs more room.  Seconds fit until
 * the year 2106; a receipt that ends later is not taken.
 */
struct keeper_copy {
    struct keeper_peer *peer; /* one reference; NULL: the slot is free */
    struct list of_peer;
    struct mtime due;    /* audited or polled then; MTIME_NEVER: not */
    uint64_t seq;        /* of its receipt, like the next two */
    uint32_t stored_s;   /* unix */
    uint32_t until_s;    /* unix */
    uint32_t since_s;    /* unix: in its state since */
    uint32_t verified_s; /* unix: last good audit; 0: none */
    uint16_t rank;       /* the first bits; higher is better */
    uint8_t slot;
    uint8_t after;                      /* slot of the next in rank */
    enum keeper_holder_state state : 8; /* a byte, to be small */
    uint8_t hash_index; /* its receipt names: 0 the record, 1 the one before */
    bool has_receipt : 1;
    bool hearsay : 1;    /* it did not answer us yet: it does not count */
    bool is_owner : 1;   /* no copy: the owner, who is told the set */
    bool placed : 1;     /* by us, or told by one after us: that it counts is
                            a change that we tell */
    bool is_placing : 1; /* counted in placing and placing_count */
    bool seen : 1;       /* proved itself to us since the start */
    bool fetched : 1;    /* back, by a third node: VERIFIED unless SILENT */
    bool told : 1;       /* it has acknowledged the set of now */
    bool telling : 1;    /* a set is on its way to it */
    bool suspect : 1;    /* had not got a block; does it say to hold it? */
    bool updating : 1;   /* a newer record is on its way to it */
    bool proved : 1;     /* passed an audit since the trimming began */
    bool talked : 1;     /* answered STATUS since the trimming began */
    bool has_chore : 1;
    uint8_t fails : 2; /* audits that it failed; more wait longer */
};

/**
 * struct keeper_copies - the copies of one object, in one piece of memory.
 *
 * A holder has the owner in slot 0 and itself in slot 1.  Behind the slots lie
 * the signatures of the receipts, but of these two: see keeper_sig().
 */
struct keeper_copies {
    struct keeper_object *object;
    struct keeper_copy at[]; /* NOLINT: flexible array, allocated with it */
};

/** struct keeper_chore - what is under way with a copy, or was lately. */
struct keeper_chore {
    struct list link; /* of keeper_work.chores */
    struct keeper_object *object;
    uint8_t slot;
    struct list ready;
    struct list tell;
    struct keeper_audit *audit;
    struct keeper_verify *verify;
    struct mtime silent_since;
    struct mtime retry_at;  /* FAILED: may be asked again */
    const char *refusal;    /* FAILED: why it refused; else NULL */
    struct mtime update_at; /* next try to give it the newer record */
    struct mtime tell_at;   /* not told before; lies ahead for a while where
                               its sets went on to lack one of ours */
    struct mtime retell_at; /* the next time that it is told for that */
    bool is_looking;        /* it is asked for its state, for want of blocks */
    uint32_t polls_failed;
    uint32_t backs_failed;
    uint64_t pulled_bytes; /* PULLING: so far, as it says */
    uint64_t pulled_blocks;
};

/** keeper_peer_get - the peer @id, made where it is not known.
 *
 * Return: NULL when there are too many.
 */
struct keeper_peer *keeper_peer_get(struct keeper *k, const struct peer_id *id);

/** keeper_peer_learn - as keeper_peer_get(), of whom others tell only.
 *
 * Return: NULL when the rest of the table is for those who come themselves.
 */
struct keeper_peer *keeper_peer_learn(struct keeper *k,
                                      const struct peer_id *id);

/** keeper_peer_find - the peer @id, or NULL. */
struct keeper_peer *keeper_peer_find(const struct keeper *k,
                                     const struct peer_id *id);

/** keeper_owner_find - the peer of an owner's key, or NULL. */
struct keeper_peer *
keeper_owner_find(const struct keeper *k,
                  const uint8_t key[static OBJECT_OWNER_BYTES]);

/** keeper_owner_get - the peer of an owner's key; NULL: too many peers. */
struct keeper_peer *
keeper_owner_get(struct keeper *k,
                 const uint8_t key[static OBJECT_OWNER_BYTES]);

/** keeper_peer_ref - one more; keeper_peer_unref - one less; frees at 0. */
struct keeper_peer *keeper_peer_ref(struct keeper_peer *p);
void keeper_peer_unref(struct keeper *k, struct keeper_peer *p);

/** keeper_peer_tidy - forget @p if nothing needs it. */
void keeper_peer_tidy(struct keeper *k, struct keeper_peer *p);

/** keeper_copy_find - the copy of @peer, or NULL; not that of the owner. */
struct keeper_copy *keeper_copy_find(const struct keeper_object *o,
                                     const struct peer_id *peer);

/**
 * keeper_copy_add - copy of @peer, in the order of rank.
 *
 * One that is FAILED or GONE makes room where there are too many, first of
 * those that never answered us; for one that is not STORED, also one that is
 * hearsay.
 *
 * Return: NULL when there are too many.
 */
struct keeper_copy *keeper_copy_add(struct keeper *k, struct keeper_object *o,
                                    struct keeper_peer *peer,
                                    enum keeper_holder_state state);

/** keeper_copy_free - forget a copy. */
void keeper_copy_free(struct keeper *k, struct keeper_copy *c);

/** keeper_copy_set - @c is in @state from now on. */
void keeper_copy_set(struct keeper *k, struct keeper_copy *c,
                     enum keeper_holder_state state);

/** keeper_first - the best copy of @o by rank, or NULL. */
struct keeper_copy *keeper_first(const struct keeper_object *o);

/** keeper_after_copy - the next in rank after @c, or NULL. */
struct keeper_copy *keeper_after_copy(const struct keeper_copy *c);

/** list_for_each_copy - @c walks the copies of @o; do not free @c. */
#define list_for_each_copy(c, o)                                               \
    for (struct keeper_copy *c = keeper_first(o); c != NULL;                   \
         c = keeper_after_copy(c))

/** keeper_object_of - the object of @c. */
struct keeper_object *keeper_object_of(const struct keeper_copy *c);

/** keeper_self - the copy here, of a holder; or NULL. */
struct keeper_copy *keeper_self(const struct keeper_object *o);

/** keeper_owner_copy - the owner who is to be told, of a holder; or NULL. */
struct keeper_copy *keeper_owner_copy(const struct keeper_object *o);

/** keeper_sig - where the signature of the receipt of @c lies.
 *
 * Not of our own copy: that is signed again when it is shown.
 */
uint8_t *keeper_sig(const struct keeper_copy *c);

/** keeper_chore - what is under way with @c, to be changed. */
struct keeper_chore *keeper_chore(struct keeper_copy *c);

/** keeper_chore_look - what is under way with @c; all zero where nothing is.
 *
 * Its lists are of no use then.
 */
const struct keeper_chore *keeper_chore_look(const struct keeper_copy *c);

/** keeper_chore_copy - the copy of a chore. */
struct keeper_copy *keeper_chore_copy(const struct keeper_chore *chore);

/** keeper_unready - @c is not to be audited. */
void keeper_unready(struct keeper_copy *c);

/** keeper_due - @c is looked at @at; keeper_due_sooner - or before. */
void keeper_due(struct keeper *k, struct keeper_copy *c, struct mtime at);
void keeper_due_sooner(struct keeper *k, struct keeper_copy *c,
                       struct mtime at);

/** keeper_counts - whether @c is a copy that counts now. */
bool keeper_counts(const struct keeper *k, const struct keeper_copy *c);

/** keeper_is_well - whether @c counts and is not silent. */
bool keeper_is_well(const struct keeper *k, const struct keeper_copy *c);

#endif /* STORAGE_KEEPER_COPY_H */
