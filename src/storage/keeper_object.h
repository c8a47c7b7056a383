#ifndef STORAGE_KEEPER_OBJECT_H
#define STORAGE_KEEPER_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/mtime.h"
#include "crypto/ed25519.h"
#include "multiformats/cid.h"
#include "storage/keeper.h"
#include "storage/keeper_copy.h"
#include "storage/keeper_heap.h"
#include "storage/message.h"
#include "storage/record.h"

struct keeper_task;

/*
 * Objects, what is under way with them, what their older records still say, and
 * their rows: keeper_table.c, keeper_past.c, keeper_row.c.
 */

enum { KEEPER_PAST_HASHES = 3 }; /* of older records that receipts name */

/** enum keeper_phase - where a holder is with an object. */
enum keeper_phase {
    KEEPER_PHASE_PULLING,
    KEEPER_PHASE_KEEPING,
    KEEPER_PHASE_HELD,
    KEEPER_PHASE_RELEASING,
    KEEPER_PHASE_TOMB,
};

/** enum keeper_queue - where an object waits for its placing. */
enum keeper_queue {
    KEEPER_QUEUE_FIRST,  /* the owner's first copies */
    KEEPER_QUEUE_REPAIR, /* + copies left, 0 to KEEPER_COPIES_MAX */
    KEEPER_QUEUES = KEEPER_QUEUE_REPAIR + KEEPER_COPIES_MAX + 1,
};

/** struct keeper_past - what an older record of an object still says. */
struct keeper_past {
    bool has_previous; /* receipts for the record before this one count */
    uint8_t copies;    /* in force until until_s, as are the next two */
    uint32_t delay_s;
    uint64_t expires_s;
    uint64_t until_s;  /* unix: the newest record takes effect; 0: it has */
    uint64_t latest_s; /* unix: the latest expiry of all older records */
    uint64_t since_s;  /* unix: the newest record came, or we started */
    uint8_t hashes[KEEPER_PAST_HASHES][OBJECT_HASH_BYTES]; /* latest first */
};

/** struct keeper_work - what is under way with an object, or was lately. */
struct keeper_work {
    struct keeper_object *object;
    struct list queue;   /* of keeper.queues */
    struct list starved; /* of keeper.starved: no candidates */
    struct list pulling; /* of keeper.pulls, then of keeper.pulls_running */
    struct list tasks;
    struct list chores;

    /* The row. */
    uint32_t row_generation; /* of what is to be written; 0: nothing yet */
    uint32_t row_written;    /* generation that is on disk */
    bool row_writing;

    /* Holder. */
    struct keeper_peer *placer; /* who offered it, one reference; or NULL */
    bool mending;         /* a block is missing; all is being fetched again */
    struct mtime mend_at; /* not before, since it failed */
    uint32_t held_generation; /* of the row that says HELD first */
    struct keeper_task *pull;
    struct mtime pulled_at; /* last progress of the pull */
    struct mtime turn_at;   /* when the pull began, or went on */
    uint32_t still_ms;      /* it stood still in the turns before */
    uint64_t pulled_bytes;  /* so far */
    uint64_t pulled_blocks;

    /* Both. */
    bool is_below;
    bool is_starved; /* no candidates left */
    bool is_trimming;
    uint8_t waits_in; /* its queue + 1; 0: none */
    uint32_t placing; /* copies OFFERED or PULLING by us */
    struct mtime starved_until;
    struct mtime below_since;
    struct mtime ask_at;          /* not asked for a newer record before */
    struct mtime claim_at;        /* nobody is asked before whether it has it */
    struct mtime no_blocks_until; /* we cannot audit: no blocks here */
    struct mtime retell_at;       /* still too many; 0: there are not */
    struct mtime trim_at;         /* begin at; 0: not decided */
    struct mtime trim_began;

    /* Owner. */
    bool fetching_back;
    struct mtime back_at;  /* next try to fetch back */
    struct mtime renew_at; /* not before, since it failed */
};

/**
 * struct keeper_object - an object of this node's or of another's.
 *
 * There may be 100,000.  Its record is kept by its fields; keeper_contract()
 * puts it together again.
 */
struct keeper_object {
    struct keeper_object *chain; /* of the table of roots */
    uint64_t id;
    struct keeper_timer timer;
    struct keeper_copies *copies;
    struct keeper_work *work; /* NULL: nothing is under way */
    struct keeper_past *past; /* NULL: this is the first record */
    uint8_t *name;            /* name_len bytes; NULL: none */
    struct mtime quiet_until; /* a better one audits; not before this */
    uint64_t size_bytes;      /* as the record says, like the next one */
    uint64_t blocks;
    uint64_t held_bytes; /* HOLDER: what the pull found; see is_measured */
    uint64_t created_s;
    uint64_t expires_s;
    uint64_t seq;
    struct object_policy policy;
    uint8_t sig[ED25519_SIG_BYTES];
    uint32_t hash;           /* of the root, in the table */
    uint32_t heard_from;     /* number of the peer */
    uint32_t set_generation; /* of the set of receipts; 0: none yet */
    uint8_t name_len;
    uint8_t room; /* slots */
    uint8_t copies_count;
    uint8_t best;   /* slot of the first in rank */
    uint8_t undone; /* repairs that others had no need of; see may_repair */
    enum keeper_role role : 8;
    enum keeper_phase phase : 8;      /* HOLDER */
    enum keeper_state told_state : 8; /* OWNER */
    bool is_dirty : 1;                /* in keeper.dirty */
    bool counted : 1;                 /* counts its root in the store */
    bool promised : 1;                /* its size is in keeper.promised_bytes */
    bool is_measured : 1;             /* all of it was here: held_bytes */
    bool on_disk : 1;                 /* it has a row */
    bool was_full : 1;                /* it had all its copies once */
    bool urgent : 1;    /* a copy was found to be a lie: no grace */
    bool repairing : 1; /* a copy is being placed for a lost one */
    bool unread : 1;    /* HOLDER: a block was missing here, none read since */
    bool is_fixed : 1;  /* OWNER: its expiry was asked for: not renewed */
    uint8_t root_len;
    uint8_t root[]; /* NOLINT: binary CID, allocated with it */
};

/**
 * keeper_object_new - object by @contract, without copies but that of the
 * owner to be told (HOLDER).  The caller has looked that there is none, and
 * that keeper_owner_get() knows the owner.
 */
struct keeper_object *keeper_object_new(struct keeper *k, enum keeper_role role,
                                        const struct checked_object *contract);

/** keeper_uncount - @o is held no more; nothing where it was not. */
void keeper_uncount(struct keeper *k, const struct keeper_object *o);

/** keeper_object_free - forget @o, its copies and what it waits for. */
void keeper_object_free(struct keeper *k, struct keeper_object *o);

/** keeper_object_find - the object (@root, @owner), or NULL. */
struct keeper_object *
keeper_object_find(const struct keeper *k, const struct cid *root,
                   const uint8_t owner[static OBJECT_OWNER_BYTES]);

/** keeper_object_own - the own object @root, or NULL. */
struct keeper_object *keeper_object_own(const struct keeper *k,
                                        const struct cid *root);

/** keeper_root - the root of @o. */
struct cid keeper_root(const struct keeper_object *o);

/** keeper_owner - the owner's key of @o, valid while @o is. */
const uint8_t *keeper_owner(const struct keeper *k,
                            const struct keeper_object *o);

/** keeper_owner_peer - the peer of the owner of @o. */
struct keeper_peer *keeper_owner_peer(const struct keeper *k,
                                      const struct keeper_object *o);

/** keeper_is_release - whether the record of @o asks for no copies. */
bool keeper_is_release(const struct keeper_object *o);

/**
 * keeper_contract - the record of @o.
 *
 * Return: lies in k->contract, until the next call.
 */
const struct checked_object *keeper_contract(struct keeper *k,
                                             const struct keeper_object *o);

/** keeper_set_record - @o is what @record says; the same root and owner. */
void keeper_set_record(struct keeper_object *o,
                       const struct object_record *record);

/** keeper_work - what is under way with @o, to be changed; made if need be. */
struct keeper_work *keeper_work(struct keeper_object *o);

/** keeper_look - what is under way with @o; all zero where nothing is. */
const struct keeper_work *keeper_look(const struct keeper_object *o);

/** keeper_work_tidy - forget what is under way with @o where nothing is. */
void keeper_work_tidy(const struct keeper *k, struct keeper_object *o);

/** keeper_bytes - what @o takes: as the record says until it was pulled. */
uint64_t keeper_bytes(const struct keeper_object *o);

/** keeper_measured - the pull of @o found so many bytes. */
void keeper_measured(struct keeper *k, struct keeper_object *o, uint64_t bytes);

/** keeper_promise - count, or no longer count, the size of @o. */
void keeper_promise(struct keeper *k, struct keeper_object *o, bool promised);

/** keeper_count_root - @o counts its root in the store, or no more. */
void keeper_count_root(struct keeper *k, struct keeper_object *o, bool counts);

/** keeper_live - copies of @o that count; keeper_well - that are well. */
uint32_t keeper_live(const struct keeper *k, const struct keeper_object *o);
uint32_t keeper_well(const struct keeper *k, const struct keeper_object *o);

/** keeper_wanted - copies that the newest record asks for. */
uint32_t keeper_wanted(const struct keeper_object *o);

/* keeper_row.c */

/** keeper_row_change - the row of @o is to be written again. */
void keeper_row_change(struct keeper *k, struct keeper_object *o);

/** keeper_row_remove - remove the row of @o, which goes. */
void keeper_row_remove(struct keeper *k, struct keeper_object *o);

/** keeper_row_check - write the row of @o if it changed. */
void keeper_row_check(struct keeper *k, struct keeper_object *o);

/**
 * keeper_row_wait - answer the request @id when the row is written.
 * @type: ACCEPT, with our receipt where all is here, or OK.
 */
void keeper_row_wait(struct keeper *k, struct keeper_object *o, uint64_t id,
                     enum storage_message_type type);

/* keeper_past.c */

/** keeper_kept_copies - copies below which no holder lets its own go. */
uint32_t keeper_kept_copies(const struct keeper_object *o);

/** keeper_kept_expires_s - until when @o is kept, or remembered; unix. */
uint64_t keeper_kept_expires_s(const struct keeper_object *o);

/** keeper_past_replace - the record of @o is about to become @newer. */
void keeper_past_replace(struct keeper *k, struct keeper_object *o,
                         const struct object_record *newer);

/** keeper_past_forget - @o begins anew; what had expired later is known. */
void keeper_past_forget(struct keeper_object *o);

/** keeper_hash_index - 0: @hash is that of the record of @o; 1: of the one
 * before, whose receipts count; above: of neither. */
uint8_t keeper_hash_index(struct keeper *k, const struct keeper_object *o,
                          const uint8_t hash[static OBJECT_HASH_BYTES]);

/** keeper_hash_at - the hash with that index; NULL: no longer known. */
const uint8_t *keeper_hash_at(struct keeper *k, const struct keeper_object *o,
                              uint8_t index);

/** keeper_past_waits - whether the newest record is not in effect yet. */
bool keeper_past_waits(struct keeper *k, struct keeper_object *o);

#endif /* STORAGE_KEEPER_OBJECT_H */
