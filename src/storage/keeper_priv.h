#ifndef STORAGE_KEEPER_PRIV_H
#define STORAGE_KEEPER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "storage/keeper.h"
#include "storage/keeper_copy.h"
#include "storage/keeper_heap.h"
#include "storage/keeper_index.h"
#include "storage/keeper_object.h"
#include "storage/keeper_task.h"
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
    KEEPER_ROOT_OWNERS_MAX = 256,      /* objects of one root that are held */
    KEEPER_PLACER_WAITS_MAX = 128,     /* pulls that wait, of one placer */
    KEEPER_GROUP_WAITS_MAX = 512,      /* and of one IP group */
};

/** struct keeper_output - queued for keeper_next(). */
struct keeper_output {
    struct list link;
    struct keeper_out out;
};

/** struct keeper_credit - what may be spent now, in ms of a rate. */
struct keeper_credit {
    uint64_t ms;
    struct mtime at;
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
    struct keeper_credit audit_credit;
    struct keeper_credit unknown_credit; /* for audits of peers told of */

    size_t connected;
    size_t window_count; /* connected when the window began */
    struct mtime window_at;
    struct mtime doubt_until;
    struct mtime back_at; /* the first peer came back */

    uint64_t leave_job;    /* 0: not leaving */
    struct mtime leave_at; /* nobody relies on our copies any more */
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

enum { KEEPER_CURSOR_BYTES = 8 }; /* where an answer in parts goes on */

/** keeper_read_cursor - the cursor of the request, 0 where it has none; false
 * for a bad one, after an answer to the request @id that says so. */
bool keeper_read_cursor(struct keeper *k, uint64_t id, uint64_t *ret_after);

/** keeper_refuse - answer the request @id with @reason and maybe a record. */
void keeper_refuse(struct keeper *k, uint64_t id, enum storage_reason reason,
                   const struct checked_object *contract);

/** keeper_put_record - the record of @o into k->out; uses k->scratch. */
void keeper_put_record(struct keeper *k, const struct checked_object *contract);

/** keeper_in_has_receipt - whether k->in has a receipt of @c's peer. */
bool keeper_in_has_receipt(const struct keeper *k, const struct keeper_copy *c);

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

/** keeper_tell_back - the set of @from lacks a copy that we count. */
void keeper_tell_back(struct keeper *k, struct keeper_object *o,
                      const struct keeper_peer *from);

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

/** keeper_counts_now - @c did not count before: it is told of where it does. */
void keeper_counts_now(struct keeper *k, struct keeper_copy *c);

/** keeper_bad_peer - @peer sent what no honest one sends. */
void keeper_bad_peer(struct keeper *k, struct keeper_peer *peer, enum err err);

/** keeper_lost_copy - @c is no copy: refused, or not heard of again. */
void keeper_lost_copy(struct keeper *k, struct keeper_copy *c,
                      uint64_t retry_ms);

/** keeper_withdrawn - the peer of @c itself says not to hold it. */
void keeper_withdrawn(struct keeper *k, struct keeper_copy *c);

/**
 * keeper_claimed - somebody says, or does as if, @peer had a copy of @o.  Where
 * we know of none since it said so itself, or never heard of it, it is asked.
 */
void keeper_claimed(struct keeper *k, struct keeper_object *o,
                    struct keeper_peer *peer);

/**
 * keeper_refuted - @c has failed an audit.  Its receipt is remembered: it is
 * audited again, each time after a longer wait, and counts when it passes.
 * @is_lie: it has given wrong bytes.
 */
void keeper_refuted(struct keeper *k, struct keeper_copy *c, bool is_lie);

/** keeper_is_refuted - whether @c has a receipt and failed an audit since. */
bool keeper_is_refuted(const struct keeper_copy *c);

/** keeper_is_lost_to_us - whether @c has a receipt that lasts, but is GONE or
 * refuted: others may know better. */
bool keeper_is_lost_to_us(const struct keeper *k, const struct keeper_copy *c);

/* keeper_serve.c: keeper_serve() and its kin. */

/* keeper_room.c */

/** keeper_owner_group - the IP group that the owner's bytes are counted to,
 * when @from offers them; 0: unknown. */
uint64_t keeper_owner_group(const struct keeper_peer *owner,
                            const struct keeper_peer *from);

/** keeper_pull_group - the IP group that pulls of @o are counted to; 0:
 * unknown. */
uint64_t keeper_pull_group(const struct keeper *k,
                           const struct keeper_object *o);

/** keeper_no_room - why @owner may not have @more bytes here;
 * STORAGE_REASON_OTHER: he may. */
enum storage_reason keeper_no_room(const struct keeper *k,
                                   const struct keeper_peer *owner,
                                   uint64_t group, uint64_t more);

/** keeper_why_not - why @contract, offered by @from, is not taken;
 * STORAGE_REASON_OTHER: it is. */
enum storage_reason keeper_why_not(struct keeper *k,
                                   const struct keeper_peer *from,
                                   const struct keeper_peer *owner,
                                   const struct checked_object *contract);

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

/** keeper_has_all - whether a holder of @o acknowledges it now: it has given
 * its receipt and misses no block. */
bool keeper_has_all(const struct keeper_object *o);

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

/** keeper_expect - @peer says that it has @o: ask for its receipt.  The
 * recovery waits for the answer, if @peer may be asked at once. */
void keeper_expect(struct keeper *k, struct keeper_object *o,
                   struct keeper_peer *peer);

/** keeper_busy_until - when to try again one who is asked too much. */
struct mtime keeper_busy_until(struct keeper *k);

/** keeper_update_check - give the newer record to those with an older one. */
void keeper_update_check(struct keeper *k, struct keeper_object *o);

/* keeper_repair.c */

/** keeper_silent - @c did not answer. */
void keeper_silent(struct keeper *k, struct keeper_copy *c);

/** keeper_counts_again - @c is a copy again, which all are told. */
void keeper_counts_again(struct keeper *k, struct keeper_copy *c);

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

/** keeper_repair_undone - somebody let a copy of @o go as one too many. */
void keeper_repair_undone(const struct keeper *k, struct keeper_object *o);

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

/** keeper_on_expected - one that was asked by keeper_expect() is done. */
void keeper_on_expected(struct keeper *k);

/** keeper_on_records - answer to MINE; false: none came. */
void keeper_on_records(struct keeper *k, struct keeper_task *t, bool answered);

/* keeper_info.c */

/** keeper_state_of - state of @o as its owner is told. */
enum keeper_state keeper_state_of(const struct keeper *k,
                                  const struct keeper_object *o);

#endif /* STORAGE_KEEPER_PRIV_H */
