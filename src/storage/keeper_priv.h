#ifndef STORAGE_KEEPER_PRIV_H
#define STORAGE_KEEPER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "storage/keeper.h"
#include "storage/keeper_heap.h"
#include "storage/keeper_index.h"
#include "storage/message.h"
#include "storage/placement.h"
#include "storage/receipt.h"
#include "storage/record.h"

/*
 * What the files of the keeper share.  Every input notes the time in
 * keeper.now, changes something, marks the objects that it touched, and ends
 * with keeper_settle(), which looks at the marked ones.
 */

enum {
    KEEPER_PEER_CALLS_MAX = 16,    /* outstanding requests to one peer */
    KEEPER_PEER_TELLS_MAX = 8,     /* sets on their way to one peer */
    KEEPER_PEER_SERVING_MAX = 8,   /* requests of one peer being answered */
    KEEPER_FETCHBACKS_MAX = 16,    /* that we do for others */
    KEEPER_VERIFIES_MAX = 16,      /* keeper_verify() at a time */
    KEEPER_BACK_BLOCKS = 4,        /* fetched back of each copy */
    KEEPER_BUDGET_SAVED_MS = 4000, /* of repair_rate */
    KEEPER_AUDIT_SLOTS = 32,       /* of an interval, so that audits batch */
    KEEPER_POLL_DIVISOR = 2,       /* request_ms / this: is the pull done? */
    KEEPER_POLLS_FAILED_MAX = 3,
    KEEPER_DEEP_WAKE_MS = 3600 * 1000, /* longest sleep of an object */
    KEEPER_PAST_HASHES = 3,            /* of older records that receipts name */
    KEEPER_SLOT_NONE = 255,            /* no copy */
    KEEPER_ROOT_OWNERS_MAX = 256,      /* objects of one root that are held */
    KEEPER_PLACER_WAITS_MAX = 128,     /* pulls that wait, of one placer */
    KEEPER_GROUP_WAITS_MAX = 512,      /* and of one IP group */
};

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
    bool is_owner : 1;   /* no copy: the owner, who is told the set */
    bool placed : 1;     /* by us: its receipt is a change that we tell */
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
    struct mtime update_at; /* next try to give it the newer record */
    uint32_t polls_failed;
    uint32_t backs_failed;
    uint64_t pulled_bytes; /* PULLING: so far, as it says */
    uint64_t pulled_blocks;
};

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
    bool mending; /* a block was missing; all is being fetched again */
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
    uint64_t size_bytes;
    uint64_t blocks;
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
    uint8_t best;         /* slot of the first in rank */
    uint8_t late_repairs; /* that a better one should have made */
    enum keeper_role role : 8;
    enum keeper_phase phase : 8;      /* HOLDER */
    enum keeper_state told_state : 8; /* OWNER */
    bool is_dirty : 1;                /* in keeper.dirty */
    bool counted : 1;                 /* counts its root in the store */
    bool promised : 1;                /* its size is in keeper.promised_bytes */
    bool on_disk : 1;                 /* it has a row */
    bool was_full : 1;                /* it had all its copies once */
    bool urgent : 1;    /* a copy was found to be a lie: no grace */
    bool repairing : 1; /* a copy is being placed for a lost one */
    bool is_fixed : 1;  /* OWNER: its expiry was asked for: not renewed */
    uint8_t root_len;
    uint8_t root[]; /* NOLINT: binary CID, allocated with it */
};

/** struct keeper_audit_item - one block that is asked for. */
struct keeper_audit_item {
    struct keeper_object *object; /* NULL when the copy has gone */
    uint8_t slot;
    struct cid root;
    struct cid cid;
    bool is_picked;
    bool asked; /* it wanted the block from us meanwhile */
};

/** struct keeper_audit - one request to one peer, from picks to verdict. */
struct keeper_audit {
    struct keeper_peer *peer;
    struct mtime began;
    size_t picks_left;
    size_t tasks_left; /* that will name it yet */
    bool is_over;      /* freed with its last task */
    bool has_answer;
    bool has_own;
    uint8_t nonce[AUDIT_NONCE_BYTES];
    size_t count;
    struct keeper_audit_item items[STORAGE_AUDIT_ITEMS_MAX];
    struct audit_digest own[STORAGE_AUDIT_ITEMS_MAX];
    struct audit_digest answer[STORAGE_AUDIT_ITEMS_MAX];
};

/** struct keeper_verify - keeper_verify() under way. */
struct keeper_verify {
    struct list link;
    uint64_t job;
    uint32_t left;
    enum err err;
};

/** enum keeper_task_kind - what is waited for. */
enum keeper_task_kind {
    KEEPER_TASK_CALL,
    KEEPER_TASK_PULL,
    KEEPER_TASK_KEEP,
    KEEPER_TASK_STORE,
    KEEPER_TASK_AUDIT_PICK,
    KEEPER_TASK_AUDIT_DIGEST,
    KEEPER_TASK_BACK_PICK,
    KEEPER_TASK_SERVE_DIGEST,
    KEEPER_TASK_SERVE_FETCH,
    KEEPER_TASK_SERVE_ROW, /* an answer that waits for the row */
};

/** struct keeper_task - something handed out that will be answered. */
struct keeper_task {
    struct map_node node; /* of keeper.tasks */
    uint64_t id;
    enum keeper_task_kind kind;
    enum storage_message_type type; /* CALL: the request */
    struct keeper_object *object;   /* NULL: gone, or none */
    struct list of_object;
    struct keeper_peer *peer;   /* one reference; or NULL */
    struct keeper_audit *audit; /* CALL AUDIT, AUDIT_*; NULL: given up */
    size_t item;                /* AUDIT_PICK */
    uint32_t generation;        /* STORE, SERVE_ROW, CALL HOLDERS */
    struct peer_id other;       /* BACK_PICK, CALL FETCHBACK: the holder */
    struct cid *roots;          /* SERVE_DIGEST: of the items */
    size_t *places;             /* SERVE_DIGEST: items that were looked up */
    size_t count;               /* SERVE_DIGEST */
    size_t asked;               /* SERVE_DIGEST: items of the request */
    struct mtime began;
};

/** struct keeper_output - queued for keeper_next(). */
struct keeper_output {
    struct list link;
    struct keeper_out out;
};

struct keeper {
    struct keeper_config config;
    char network[OBJECT_NETWORK_MAX + 1];
    const struct privkey *key;
    uint8_t owner_key[OBJECT_OWNER_BYTES];
    struct rng *rng;
    struct keeper_now now;
    bool started;
    uint64_t started_ms; /* unix */
    struct keeper_peer *self;
    struct keeper_index objects;
    struct map peers;
    struct map tasks;
    struct keeper_object **dirty; /* touched; NULL: gone since */
    size_t dirty_count;
    size_t dirty_room;
    size_t dirty_next;
    struct list queues[KEEPER_QUEUES];
    struct list starved;
    struct list askers; /* peers that asked lately, the latest last */
    struct list pulls;  /* objects that wait for a pull */
    struct list pulls_running;
    struct list verifies;
    struct list outputs;
    struct keeper_heap heap;
    uint64_t ids;
    uint64_t objects_made;
    uint32_t peers_made;
    uint32_t pulls_count;
    uint32_t placing_count;
    uint32_t fetchbacks_count;

    struct placement_candidate *candidates;
    enum placement_use *uses; /* scratch: of each */
    struct placement_rank *order;
    size_t candidates_count;

    uint64_t promised_bytes;
    int64_t budget_bytes; /* of repair; below 0: a debt */
    struct mtime budget_at;
    uint64_t audit_credit_ms;
    struct mtime audit_credit_at;

    size_t connected;
    size_t window_count; /* connected when the window began */
    struct mtime window_at;
    struct mtime doubt_until;
    struct mtime back_at; /* the first peer came back */

    uint64_t leave_job; /* 0: not leaving */
    uint64_t recover_job;
    uint32_t recover_left;        /* requests under way */
    struct peer_id *recover_from; /* peers to be asked */
    size_t recover_count;
    size_t recover_next;
    struct keeper_stats stats;
    struct storage_message *in;     /* scratch: what is decoded */
    struct storage_message *out;    /* scratch: what is encoded */
    struct checked_object contract; /* scratch: of keeper_contract() */
    uint8_t *scratch;               /* STORAGE_MESSAGE_BYTES_MAX */
};

/* keeper.c */

/** keeper_emit - queue an output of @kind; the caller fills it in. */
struct keeper_out *keeper_emit(struct keeper *k, enum keeper_out_kind kind);

/** keeper_tell - queue an event about @o (or NULL) and @peer (or NULL). */
struct keeper_out *keeper_tell(struct keeper *k, enum keeper_event event,
                               const struct keeper_object *o,
                               const struct keeper_peer *peer);

/** keeper_touch - @o changed: keeper_settle() will look at it. */
void keeper_touch(struct keeper *k, struct keeper_object *o);

/** keeper_settle - look at all objects that were touched. */
void keeper_settle(struct keeper *k);

/** keeper_random - a number below @below, which is above 0. */
uint64_t keeper_random(struct keeper *k, uint64_t below);

/** keeper_after - now and @ms; keeper_soon - now and about up to @ms. */
struct mtime keeper_after(const struct keeper *k, uint64_t ms);
struct mtime keeper_soon(struct keeper *k, uint64_t ms);

/** keeper_wake - look at @o at @at, or before. */
void keeper_wake(struct keeper *k, struct keeper_object *o, struct mtime at);

/** keeper_wake_unix - look at @o at unix second @at_s, or before. */
void keeper_wake_unix(struct keeper *k, struct keeper_object *o, uint64_t at_s);

/** keeper_unix_s - now, unix seconds. */
uint64_t keeper_unix_s(const struct keeper *k);

/** keeper_unix_32 - the same, as copies keep it: at most UINT32_MAX. */
uint32_t keeper_unix_32(const struct keeper *k);

/* keeper_table.c */

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

/**
 * keeper_object_new - object by @contract, without copies but that of the
 * owner to be told (HOLDER).  The caller has looked that there is none, and
 * that keeper_owner_get() knows the owner.
 */
struct keeper_object *keeper_object_new(struct keeper *k, enum keeper_role role,
                                        const struct checked_object *contract);

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

/** keeper_promise - count, or no longer count, the size of @o. */
void keeper_promise(struct keeper *k, struct keeper_object *o, bool promised);

/** keeper_count_root - @o counts its root in the store, or no more. */
void keeper_count_root(struct keeper *k, struct keeper_object *o, bool counts);

/** keeper_copy_find - the copy of @peer, or NULL; not that of the owner. */
struct keeper_copy *keeper_copy_find(const struct keeper_object *o,
                                     const struct peer_id *peer);

/**
 * keeper_copy_add - copy of @peer, in the order of rank.
 *
 * One that is FAILED or GONE makes room where there are too many.
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

/** keeper_live - copies of @o that count; keeper_well - that are well. */
uint32_t keeper_live(const struct keeper *k, const struct keeper_object *o);
uint32_t keeper_well(const struct keeper *k, const struct keeper_object *o);

/** keeper_wanted - copies that the newest record asks for. */
uint32_t keeper_wanted(const struct keeper_object *o);

/** keeper_task_new - task of @kind; @o and @peer may be NULL. */
struct keeper_task *keeper_task_new(struct keeper *k,
                                    enum keeper_task_kind kind,
                                    struct keeper_object *o,
                                    struct keeper_peer *peer);

/** keeper_task_take - the task @id of @kind, or NULL; keeper_task_free() it. */
struct keeper_task *keeper_task_take(struct keeper *k, uint64_t id,
                                     enum keeper_task_kind kind);

/** keeper_task_free - forget a task. */
void keeper_task_free(struct keeper *k, struct keeper_task *t);

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

/* keeper_calls.c */

/**
 * keeper_call - send k->out to @peer; k->out.type is a request.
 *
 * Return: the task, whose fields the caller may fill in; NULL when too many
 * are outstanding at that peer.
 */
struct keeper_task *keeper_call(struct keeper *k, struct keeper_peer *peer,
                                struct keeper_object *o);

/** keeper_answer - send k->out as the answer to the request @id. */
void keeper_answer(struct keeper *k, uint64_t id);

/** keeper_refuse - answer the request @id with @reason and maybe a record. */
void keeper_refuse(struct keeper *k, uint64_t id, enum storage_reason reason,
                   const struct checked_object *contract);

/** keeper_put_record - the record of @o into k->out; uses k->scratch. */
void keeper_put_record(struct keeper *k, const struct checked_object *contract);

/** keeper_put_receipts - the receipts of @o that count into k->out. */
void keeper_put_receipts(struct keeper *k, const struct keeper_object *o);

/** keeper_put_own_receipt - our receipt for @o into k->out, added. */
void keeper_put_own_receipt(struct keeper *k, const struct keeper_object *o);

/** keeper_out_begin - empty k->out for a message of @type. */
void keeper_out_begin(struct keeper *k, enum storage_message_type type,
                      const struct keeper_object *o);

/** keeper_ask_status - ask @peer for record, state and receipts of @o. */
bool keeper_ask_status(struct keeper *k, struct keeper_object *o,
                       struct keeper_peer *peer);

/** keeper_send_receipt - our receipt for @o to who placed it. */
void keeper_send_receipt(struct keeper *k, struct keeper_object *o);

/** keeper_set_changed - by our doing: all are told the new set. */
void keeper_set_changed(struct keeper *k, struct keeper_object *o);

/** keeper_tell_check - queue tells of @o for those who are behind. */
void keeper_tell_check(struct keeper *k, struct keeper_object *o);

/** keeper_tell_peer - send sets that wait for @p, where it may be asked. */
void keeper_tell_peer(struct keeper *k, struct keeper_peer *p);

/** keeper_notice - tell @peer that we hold @o not. */
void keeper_notice(struct keeper *k, struct keeper_object *o,
                   struct keeper_peer *peer, enum storage_reason reason);

/* keeper_merge.c */

/**
 * keeper_merge_receipts - take the receipts of the message k->in, from
 * wherever they come.
 * @o: only those of this object; NULL: of any.
 * @from: who sent them.
 */
void keeper_merge_receipts(struct keeper *k, struct keeper_object *o,
                           struct keeper_peer *from);

/**
 * keeper_merge_record - a record that @from says is newer.
 *
 * Return: true when it was, and is the object's now; @o may be a tombstone
 * then.
 */
bool keeper_merge_record(struct keeper *k, struct keeper_object *o,
                         struct bytes encoded, struct keeper_peer *from);

/** keeper_bad_peer - @peer sent what no honest one sends. */
void keeper_bad_peer(struct keeper *k, struct keeper_peer *peer, enum err err);

/** keeper_lost_copy - @c is no copy: refused, a lie, or let go. */
void keeper_lost_copy(struct keeper *k, struct keeper_copy *c,
                      uint64_t retry_ms);

/* keeper_serve.c: keeper_serve() and its kin. */

/* keeper_hold.c */

/** keeper_serve_offer - OFFER and HANDOVER in k->in. */
void keeper_serve_offer(struct keeper *k, struct keeper_peer *from,
                        uint64_t id);

/** keeper_serve_release - RELEASE in k->in. */
void keeper_serve_release(struct keeper *k, struct keeper_peer *from,
                          uint64_t id);

/** keeper_adopt - @contract is the newer record of @o. */
void keeper_adopt(struct keeper *k, struct keeper_object *o,
                  const struct checked_object *contract);

/** keeper_let_go - the copy here goes, for @reason; told to the others. */
void keeper_let_go(struct keeper *k, struct keeper_object *o,
                   enum storage_reason reason);

/** keeper_cancel_pulls - refuse late what was accepted and is not here. */
void keeper_cancel_pulls(struct keeper *k);

/** keeper_hold_check - what a holder has to do for @o now.
 *
 * Return: false when @o is no more.
 */
bool keeper_hold_check(struct keeper *k, struct keeper_object *o);

/** keeper_sign_own - a new receipt of ours for @o. */
void keeper_sign_own(struct keeper *k, struct keeper_object *o);

/** keeper_own_stored - the row says HELD: receipt to who placed it. */
void keeper_own_stored(struct keeper *k, struct keeper_object *o);

/** keeper_pull_next - begin pulls that wait. */
void keeper_pull_next(struct keeper *k);

/** keeper_mend - a block of a kept object is missing: fetch it again. */
void keeper_mend(struct keeper *k, struct keeper_object *o);

/* keeper_place.c */

/** keeper_place_check - queue @o where it needs more copies. */
void keeper_place_check(struct keeper *k, struct keeper_object *o);

/** keeper_place_next - offer what is queued. */
void keeper_place_next(struct keeper *k);

/** keeper_mark_uses - what each candidate is to @o, into k->uses. */
void keeper_mark_uses(const struct keeper *k, const struct keeper_object *o);

/** keeper_unqueue - take @o out of its queue. */
void keeper_unqueue(struct keeper_object *o);

/** keeper_placed - copy @c is no longer being placed. */
void keeper_placed(struct keeper *k, struct keeper_copy *c);

/** keeper_on_accept - answer to OFFER; k->in. */
void keeper_on_accept(struct keeper *k, struct keeper_task *t);

/** keeper_on_no_accept - OFFER refused, or not answered. */
void keeper_on_no_accept(struct keeper *k, struct keeper_task *t,
                         enum storage_reason reason, bool answered);

/** keeper_poll - copy @c is PULLING: ask whether it is done. */
void keeper_poll(struct keeper *k, struct keeper_copy *c);

/** keeper_expect - @peer says that it has @o: ask for its receipt. */
void keeper_expect(struct keeper *k, struct keeper_object *o,
                   struct keeper_peer *peer);

/** keeper_busy_until - when to try again one who is asked too much. */
struct mtime keeper_busy_until(struct keeper *k);

/** keeper_update_check - give the newer record to those with an older one. */
void keeper_update_check(struct keeper *k, struct keeper_object *o);

/* keeper_audit.c */

/** keeper_audit_plan - when @c is to be audited next. */
void keeper_audit_plan(struct keeper *k, struct keeper_copy *c);

/** keeper_audits_due - the time of copies of @o may have come. */
void keeper_audits_due(struct keeper *k, struct keeper_object *o);

/** keeper_audit_now - audit @c before all others. */
void keeper_audit_now(struct keeper *k, struct keeper_copy *c);

/** keeper_audit_peer - begin an audit of @p if it may be asked. */
void keeper_audit_peer(struct keeper *k, struct keeper_peer *p);

/** keeper_audit_answer - DIGESTS in k->in. */
void keeper_audit_answer(struct keeper *k, struct keeper_task *t);

/** keeper_audit_failed - no digests came. */
void keeper_audit_failed(struct keeper *k, struct keeper_task *t, enum err err);

/** keeper_audit_own - our own digests for the audit of the task @id. */
void keeper_audit_own(struct keeper *k, uint64_t id,
                      const struct audit_digest *digests, size_t count);

/** keeper_audit_forget - the copy @c goes while it is being audited. */
void keeper_audit_forget(struct keeper_copy *c);

/** keeper_audit_end - no verdict for what @p is being asked. */
void keeper_audit_end(struct keeper_peer *p);

/** keeper_audit_untask - a task of @a is no more. */
void keeper_audit_untask(struct keeper_audit *a);

/** keeper_act_at - when it is on us, if we hear of nobody better till then. */
struct mtime keeper_act_at(const struct keeper *k,
                           const struct keeper_object *o);

/** keeper_on_back_picked - blocks of @t's object to be fetched back. */
void keeper_on_back_picked(struct keeper *k, struct keeper_task *t,
                           const struct cid *cids, size_t count);

/** keeper_place - our place among those who keep @o: 1 is first. */
uint64_t keeper_place(const struct keeper *k, const struct keeper_object *o);

/** keeper_can_act - whether we have what it takes to audit and repair @o. */
bool keeper_can_act(const struct keeper *k, const struct keeper_object *o);

/** keeper_is_acting - whether it is on us to audit and repair @o. */
bool keeper_is_acting(const struct keeper *k, const struct keeper_object *o);

/** keeper_is_better - whether @from is before us in who audits @o. */
bool keeper_is_better(const struct keeper *k, const struct keeper_object *o,
                      const struct keeper_peer *from);

/** keeper_heard - @from, a better one, audits @o or tells of it. */
void keeper_heard(struct keeper *k, struct keeper_object *o,
                  struct keeper_peer *from);

/** keeper_verify_part - one copy of a verify has its verdict. */
void keeper_verify_part(struct keeper *k, struct keeper_copy *c, enum err err);

/* keeper_repair.c */

/** keeper_silent - @c did not answer. */
void keeper_silent(struct keeper *k, struct keeper_copy *c);

/** keeper_alive - @c answered, but proved nothing. */
void keeper_alive(struct keeper *k, struct keeper_copy *c);

/** keeper_repair_check - lost copies, and too many.
 *
 * Return: false when @o is no more: it was one too many.
 */
bool keeper_repair_check(struct keeper *k, struct keeper_object *o);

/** keeper_may_repair - whether @o may get another copy by us now. */
bool keeper_may_repair(const struct keeper *k, const struct keeper_object *o);

/** keeper_below_check - note since when @o has too few copies that are well. */
void keeper_below_check(struct keeper *k, struct keeper_object *o);

/** keeper_repair_noted - we place a copy of @o for a lost one. */
void keeper_repair_noted(const struct keeper *k, struct keeper_object *o);

/** keeper_leave_check - keeper_leave() may have ended. */
void keeper_leave_check(struct keeper *k);

/** keeper_budget - bytes that repair may cause now. */
int64_t keeper_budget(struct keeper *k);

/* keeper_own.c */

/** keeper_own_check - what an owner has to do for @o now.
 *
 * Return: false when @o is no more.
 */
bool keeper_own_check(struct keeper *k, struct keeper_object *o);

/** keeper_on_released - answer to RELEASE: @c is told. */
void keeper_on_released(struct keeper *k, struct keeper_object *o,
                        struct keeper_peer *peer);

/** keeper_on_fetched_back - answer to FETCHBACK; false: none came. */
void keeper_on_fetched_back(struct keeper *k, struct keeper_task *t,
                            bool answered);

/** keeper_on_not_released - RELEASE was not answered. */
void keeper_on_not_released(struct keeper *k, struct keeper_task *t);

/** keeper_on_records - answer to MINE; false: none came. */
void keeper_on_records(struct keeper *k, struct keeper_task *t, bool answered);

/* keeper_info.c */

/** keeper_state_of - state of @o as its owner is told. */
enum keeper_state keeper_state_of(const struct keeper *k,
                                  const struct keeper_object *o);

#endif /* STORAGE_KEEPER_PRIV_H */
