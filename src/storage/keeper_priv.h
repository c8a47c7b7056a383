#ifndef STORAGE_KEEPER_PRIV_H
#define STORAGE_KEEPER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "storage/keeper.h"
#include "storage/keeper_heap.h"
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
};

/** struct keeper_root - a root, and the objects that have it. */
struct keeper_root {
    struct map_node node; /* of keeper.roots, by the CID's bytes */
    struct cid cid;
    uint8_t key[CID_BYTES_MAX];
    struct list objects;
    uint32_t kept; /* objects by which it is counted in the store */
    bool counted;  /* the store was told */
};

/** struct keeper_peer - another node, or ourselves. */
struct keeper_peer {
    struct map_node node; /* of keeper.peers */
    struct peer_id id;
    uint32_t refs; /* copies, tasks, being connected, being banned */
    bool connected;
    bool banned;
    uint64_t group;
    struct list copies;         /* keeper_copy.of_peer */
    struct list ready;          /* keeper_copy.ready: to be audited */
    struct list tell;           /* keeper_copy.tell: to be told the set */
    struct keeper_audit *audit; /* outstanding */
    uint32_t calls;
    uint32_t tells;
    uint32_t serving;
    uint64_t tokens_ms; /* credit for requests, in ms of the rate */
    struct mtime tokens_at;
    struct mtime quiet_until; /* no tells before, since one failed */
    struct mtime hurried_at;  /* its copies' audits were last brought forward */
    uint64_t phase_ns;        /* of its audit slots */
    uint64_t owned_bytes;     /* promised to it as an owner */
    uint64_t owned_group;     /* IP group that they are counted to */
    struct keeper_timer timer;
};

/** struct keeper_copy - one peer's copy of one object, as we see it. */
struct keeper_copy {
    struct list of_object;
    struct list of_peer;
    struct list ready;
    struct list tell;
    struct keeper_timer timer;
    struct keeper_object *object;
    struct keeper_peer *peer; /* one reference */
    struct keeper_audit *audit;
    struct keeper_verify *verify;
    uint64_t rank; /* higher is better */
    enum keeper_holder_state state;
    bool is_owner;   /* no copy: the owner, who is told the set */
    bool placed;     /* by us: its receipt is a change that we tell */
    bool is_placing; /* counted in placing and placing_count */
    bool seen;       /* proved itself to us since the start */
    bool fetched;    /* back, by a third node: VERIFIED unless SILENT */
    bool telling;    /* a set is on its way to it */
    bool suspect;    /* had not got a block; does it say to hold it? */
    bool updating;   /* a newer record is on its way to it */
    bool has_receipt;
    uint8_t record_hash[OBJECT_HASH_BYTES];
    uint64_t stored_s;
    uint64_t until_s;
    uint64_t seq;
    uint8_t sig[ED25519_SIG_BYTES];
    uint64_t since_ms;    /* unix */
    uint64_t verified_ms; /* unix: last good audit */
    struct mtime silent_since;
    struct mtime passed_at; /* when the last good audit was begun; 0: none */
    struct mtime talked_at; /* it answered STATUS, after this; 0: never */
    struct mtime retry_at;  /* FAILED: may be asked again */
    struct mtime update_at; /* next try to give it the newer record */
    uint32_t polls_failed;
    uint32_t backs_failed;
    uint32_t told; /* generation of the set that it has acknowledged */
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

/** struct keeper_object - an object of this node's or of another's. */
struct keeper_object {
    struct map_node node; /* of keeper.objects, by object_id_hash() */
    uint8_t key[OBJECT_HASH_BYTES];
    struct list of_root;
    struct list dirty;   /* of keeper.dirty */
    struct list queue;   /* of keeper.queues */
    struct list starved; /* of keeper.starved: no candidates */
    struct list pulling; /* of keeper.pulls */
    struct list tasks;
    struct list copies; /* keeper_copy.of_object, best rank first */
    size_t copies_count;
    struct keeper_timer timer;
    struct keeper_root *root;
    uint64_t id;
    enum keeper_role role;
    struct checked_object contract;
    bool has_previous;
    uint8_t previous_hash[OBJECT_HASH_BYTES];

    /* The row. */
    uint32_t row_generation; /* of what is to be written; 0: nothing yet */
    uint32_t row_written;    /* generation that is on disk */
    bool row_writing;
    bool row_gone; /* removed, or to be removed */

    /* Holder. */
    enum keeper_phase phase;
    struct keeper_copy *self;
    struct keeper_copy *owner;
    struct keeper_peer *placer; /* who offered it, one reference; or NULL */
    uint64_t group;
    bool counted;  /* in root->kept */
    bool promised; /* its size is in keeper.promised_bytes */
    bool mending;  /* a block was missing; all is being fetched again */
    uint64_t release_at_s;
    uint32_t held_generation; /* of the row that says HELD first */
    struct keeper_task *pull;
    struct mtime pulled_at; /* last progress of the pull */

    /* Both. */
    bool was_full; /* it had all its copies once */
    bool urgent;   /* a copy was found to be a lie: no grace */
    bool is_below;
    bool repairing;  /* a copy is being placed for a lost one */
    bool is_starved; /* no candidates left */
    struct mtime starved_until;
    struct mtime below_since;
    struct mtime quiet_until;       /* a better one audits; not before this */
    struct keeper_peer *heard_from; /* compared only */
    struct mtime ask_at;            /* not asked for a newer record before */
    struct mtime no_blocks_until;   /* we cannot audit: no blocks here */
    uint32_t set_generation;
    bool is_trimming;
    struct mtime retell_at; /* there are still too many; 0: there are not */
    struct mtime trim_at;   /* begin at; 0: not decided */
    struct mtime trim_began;
    uint32_t placing; /* copies OFFERED or PULLING by us */
    int waits_in;     /* its queue, or -1 */

    /* Owner. */
    bool fetching_back;
    struct mtime back_at;  /* next try to fetch back */
    struct mtime renew_at; /* not before, since it failed */
    bool is_fixed;         /* its expiry was asked for: it is not renewed */
    enum keeper_state told_state;
};

/** struct keeper_audit_item - one block that is asked for. */
struct keeper_audit_item {
    struct keeper_copy *copy; /* NULL when it has gone */
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
    struct keeper_peer *self;
    struct map objects;
    struct map roots;
    struct map peers;
    struct map tasks;
    struct list dirty;
    struct list queues[KEEPER_QUEUES];
    struct list starved;
    struct list pulls; /* objects that wait for a pull */
    struct list verifies;
    struct list outputs;
    struct keeper_heap heap;
    uint64_t ids;
    uint64_t objects_made;
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
    struct storage_message *in;  /* scratch: what is decoded */
    struct storage_message *out; /* scratch: what is encoded */
    uint8_t *scratch;            /* STORAGE_MESSAGE_BYTES_MAX */
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

/* keeper_table.c */

/** keeper_peer_get - the peer @id, made where it is not known.
 *
 * Return: NULL when there are too many.
 */
struct keeper_peer *keeper_peer_get(struct keeper *k, const struct peer_id *id);

/** keeper_peer_find - the peer @id, or NULL. */
struct keeper_peer *keeper_peer_find(const struct keeper *k,
                                     const struct peer_id *id);

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

/** keeper_root_find - the root @cid, or NULL. */
struct keeper_root *keeper_root_find(const struct keeper *k,
                                     const struct cid *cid);

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

/** keeper_copy_of - the copy of the link in a list of an object. */
struct keeper_copy *keeper_copy_of(struct list *link);

/** keeper_counts - whether @c is a copy that counts now. */
bool keeper_counts(const struct keeper *k, const struct keeper_copy *c);

/** keeper_is_well - whether @c counts and is not silent. */
bool keeper_is_well(const struct keeper *k, const struct keeper_copy *c);

/** keeper_live - copies of @o that count; keeper_well - that are well. */
uint32_t keeper_live(const struct keeper *k, const struct keeper_object *o);
uint32_t keeper_well(const struct keeper *k, const struct keeper_object *o);

/** keeper_wanted - copies that the record asks for. */
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

/** keeper_update_check - give the newer record to those with an older one. */
void keeper_update_check(struct keeper *k, struct keeper_object *o);

/* keeper_audit.c */

/** keeper_audit_plan - when @c is to be audited next. */
void keeper_audit_plan(struct keeper *k, struct keeper_copy *c);

/** keeper_audit_due - the time of @c has come. */
void keeper_audit_due(struct keeper *k, struct keeper_copy *c);

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
