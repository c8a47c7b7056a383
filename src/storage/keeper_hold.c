#include <assert.h>

#include "base/mem.h"
#include "storage/keeper_priv.h"

/*
 * A holder's side: how what is accepted gets here, and how it goes.
 *
 *   PULLING    take_new(), revive()
 *   KEEPING    keeper_on_pulled()
 *   HELD       keeper_on_kept(); the receipt is signed in keeper_own_stored()
 *   RELEASING  keeper_adopt() of a release
 *   TOMB       bury()
 *   (gone)     keeper_let_go(), pull_failed(), expiry in keeper_hold_check()
 */

enum {
    PULL_TURN_MS = 5000, /* standing still for so long, others go first */
};

static void set_placer(struct keeper *k, struct keeper_object *o,
                       struct keeper_peer *from)
{
    keeper_peer_ref(from);
    struct keeper_work *w = keeper_work(o);
    if (w->placer != NULL)
        keeper_peer_unref(k, w->placer);
    w->placer = from;
}

static void begin_pull(struct keeper *k, struct keeper_object *o)
{
    struct keeper_work *w = keeper_work(o);
    if (w->pull == NULL && list_empty(&w->pulling))
        list_add_tail(&k->pulls, &w->pulling);
}

static void begin_holding(struct keeper *k, struct keeper_object *o,
                          struct keeper_peer *from, uint64_t id)
{
    set_placer(k, o, from);
    o->phase = KEEPER_PHASE_PULLING;
    struct keeper_peer *owner = keeper_owner_peer(k, o);
    owner->owned_group = keeper_owner_group(owner, from);
    keeper_promise(k, o, true);
    keeper_merge_receipts(k, o, from);
    begin_pull(k, o);
    keeper_row_change(k, o);
    keeper_row_wait(k, o, id, STORAGE_ACCEPT);
    k->stats.offers_accepted++;
    keeper_tell(k, KEEPER_EVENT_PULLING, o, from);
}

/* A tombstone whose owner wants the object kept again. */
static void revive(struct keeper *k, struct keeper_object *o,
                   const struct checked_object *contract)
{
    keeper_past_forget(o);
    o->is_measured = false;
    keeper_set_record(o, &contract->record);
    if (keeper_self(o) == NULL)
        (void)keeper_copy_add(k, o, k->self, KEEPER_HOLDER_PULLING);
    assert(keeper_self(o) != NULL); /* a tombstone has no copies */
}

/* A quarter of the peers' table is for those who come themselves. */
static struct keeper_peer *
new_owner(struct keeper *k, const uint8_t key[static OBJECT_OWNER_BYTES])
{
    uint32_t most = k->config.peers_max - k->config.peers_max / 4;
    if (k->peers.count >= most)
        return keeper_owner_find(k, key);
    return keeper_owner_get(k, key);
}

static void take_new(struct keeper *k, struct keeper_peer *from, uint64_t id,
                     const struct checked_object *contract)
{
    const struct object_record *record = &contract->record;
    struct keeper_object *o =
        keeper_object_find(k, &record->root, record->owner);
    struct keeper_peer *owner = new_owner(k, record->owner);
    if (owner == NULL) {
        keeper_refuse(k, id, STORAGE_REASON_BUSY, NULL);
        return;
    }
    keeper_peer_ref(owner);
    enum storage_reason reason = keeper_why_not(k, from, owner, contract);
    if (reason != STORAGE_REASON_OTHER) {
        k->stats.offers_refused++;
        keeper_refuse(k, id, reason, NULL);
        keeper_peer_unref(k, owner);
        return;
    }
    if (o == NULL)
        o = keeper_object_new(k, KEEPER_HOLDER, contract);
    else
        revive(k, o, contract);
    keeper_peer_unref(k, owner);
    begin_holding(k, o, from, id);
}

static void offer_known(struct keeper *k, struct keeper_object *o,
                        struct keeper_peer *from, uint64_t id,
                        const struct checked_object *contract)
{
    bool is_same = keeper_hash_index(k, o, contract->hash) == 0;
    if (o->role == KEEPER_OWNER) {
        keeper_refuse(k, id, STORAGE_REASON_POLICY, NULL);
        return;
    }
    if (!is_same && !object_supersedes(contract, keeper_contract(k, o))) {
        keeper_refuse(k, id, STORAGE_REASON_STALE, keeper_contract(k, o));
        return;
    }
    if (o->phase == KEEPER_PHASE_TOMB) {
        take_new(k, from, id, contract);
        return;
    }
    uint64_t old_bytes = keeper_bytes(o);
    uint64_t bytes = contract->record.size_bytes;
    struct keeper_peer *owner = keeper_owner_peer(k, o);
    enum storage_reason reason = STORAGE_REASON_OTHER;
    if (bytes > k->config.size_max)
        reason = STORAGE_REASON_SIZE;
    else if (bytes > old_bytes && !o->is_measured)
        reason =
            keeper_no_room(k, owner, owner->owned_group, bytes - old_bytes);
    if (reason != STORAGE_REASON_OTHER) {
        keeper_refuse(k, id, reason, NULL);
        return;
    }
    if (!is_same)
        keeper_adopt(k, o, contract);
    keeper_merge_receipts(k, o, from);
    if (o->phase != KEEPER_PHASE_RELEASING && !keeper_has_all(o))
        set_placer(k, o, from);
    keeper_row_wait(k, o, id, STORAGE_ACCEPT);
}

static bool open_record(struct keeper *k, struct keeper_peer *from, uint64_t id,
                        bool is_release, struct checked_object *ret_contract)
{
    enum err err = object_open(k->in->record, ret_contract);
    if (err == OK && object_is_release(&ret_contract->record) != is_release)
        err = E_MALFORMED;
    if (err != OK) {
        keeper_bad_peer(k, from, err);
        keeper_refuse(k, id,
                      err == E_UNSUPPORTED ? STORAGE_REASON_UNSUPPORTED
                                           : STORAGE_REASON_INVALID,
                      NULL);
        return false;
    }
    enum object_fault fault =
        object_check(ret_contract, k->network, k->now.unix_ms);
    if (fault == OBJECT_FINE)
        return true;
    keeper_refuse(k, id, storage_reason_of_fault(fault), NULL);
    return false;
}

void keeper_serve_offer(struct keeper *k, struct keeper_peer *from, uint64_t id)
{
    struct checked_object contract;
    if (!open_record(k, from, id, false, &contract))
        return;
    struct keeper_object *o =
        keeper_object_find(k, &contract.record.root, contract.record.owner);
    if (o != NULL)
        offer_known(k, o, from, id, &contract);
    else if (memcmp(contract.record.owner, k->owner_key,
                    sizeof(k->owner_key)) == 0)
        keeper_refuse(k, id, STORAGE_REASON_POLICY, NULL); /* our own */
    else
        take_new(k, from, id, &contract);
}

void keeper_serve_release(struct keeper *k, struct keeper_peer *from,
                          uint64_t id)
{
    struct checked_object contract;
    if (!open_record(k, from, id, true, &contract))
        return;
    struct keeper_object *o =
        keeper_object_find(k, &contract.record.root, contract.record.owner);
    if (o == NULL || o->role == KEEPER_OWNER) {
        keeper_refuse(k, id, STORAGE_REASON_UNKNOWN, NULL);
        return;
    }
    if (object_supersedes(&contract, keeper_contract(k, o))) {
        keeper_adopt(k, o, &contract);
    } else if (keeper_hash_index(k, o, contract.hash) != 0) {
        keeper_refuse(k, id, STORAGE_REASON_STALE, keeper_contract(k, o));
        return;
    }
    keeper_row_wait(k, o, id, STORAGE_OK);
}

static void cancel_pull(struct keeper *k, struct keeper_object *o)
{
    struct keeper_work *w = keeper_work(o);
    list_remove(&w->pulling);
    if (w->pull == NULL)
        return;
    keeper_emit(k, KEEPER_PULL_CANCEL)->id = w->pull->id;
    keeper_task_free(k, w->pull);
    w->pull = NULL;
    k->pulls_count--;
}

static void drop_copies(struct keeper *k, struct keeper_object *o)
{
    struct keeper_copy *next = NULL;
    for (struct keeper_copy *c = keeper_first(o); c != NULL; c = next) {
        next = keeper_after_copy(c);
        if (!c->is_owner)
            keeper_copy_free(k, c);
    }
}

/* Nothing of it stays here but the memory that it was released. */
static void bury(struct keeper *k, struct keeper_object *o)
{
    keeper_uncount(k, o);
    cancel_pull(k, o);
    keeper_unqueue(o);
    drop_copies(k, o);
    keeper_promise(k, o, false);
    keeper_count_root(k, o, false);
    o->phase = KEEPER_PHASE_TOMB;
    keeper_work(o)->mending = false;
    keeper_row_change(k, o);
    k->stats.released++;
    keeper_tell(k, KEEPER_EVENT_RELEASED, o, NULL);
}

static void begin_release(struct keeper *k, struct keeper_object *o)
{
    switch (o->phase) {
    case KEEPER_PHASE_HELD:
        o->phase = KEEPER_PHASE_RELEASING;
        k->stats.releasing++;
        break;
    case KEEPER_PHASE_PULLING:
    case KEEPER_PHASE_KEEPING:
        o->phase = KEEPER_PHASE_RELEASING; /* nobody waits for a receipt */
        k->stats.held++;
        k->stats.releasing++;
        o->past->until_s = 0;
        break;
    case KEEPER_PHASE_RELEASING:
    case KEEPER_PHASE_TOMB:
        break;
    }
}

void keeper_adopt(struct keeper *k, struct keeper_object *o,
                  const struct checked_object *contract)
{
    bool is_release = object_is_release(&contract->record);
    bool promised = o->promised;
    if (promised)
        keeper_promise(k, o, false);
    keeper_past_replace(k, o, &contract->record);
    if (contract->record.policy.copies > o->policy.copies)
        o->was_full = false;
    keeper_set_record(o, &contract->record);
    if (promised)
        keeper_promise(k, o, true);
    if (o->work != NULL)
        o->work->is_trimming = false;
    keeper_row_change(k, o);
    if (o->role == KEEPER_OWNER)
        return;
    if (is_release) {
        begin_release(k, o);
    } else if (o->phase == KEEPER_PHASE_RELEASING) {
        o->phase = KEEPER_PHASE_HELD;
        k->stats.releasing--;
    }
    if (o->phase == KEEPER_PHASE_HELD && keeper_self(o)->has_receipt)
        keeper_sign_own(k, o);
}

static size_t pull_sources(struct keeper *k, const struct keeper_object *o,
                           struct peer_id *dst)
{
    size_t count = 0;
    list_for_each_copy(c, o)
    {
        if (c->peer != k->self &&
            (c->is_owner || c->hearsay || keeper_counts(k, c)))
            dst[count++] = c->peer->id;
    }
    if (keeper_look(o)->placer != NULL)
        dst[count++] = keeper_look(o)->placer->id;
    return count;
}

/*
 * How many pulls run that were placed like @w, to be compared; UINT32_MAX: as
 * many as may.  Of what runs at a time one placer has a half and one IP group
 * three quarters, so that offers of what cannot be had do not keep others
 * waiting.
 */
static uint32_t pulls_like(const struct keeper *k, const struct keeper_work *w)
{
    uint32_t all = k->config.pulls_max;
    uint64_t group = keeper_pull_group(k, w->object);
    uint32_t of_placer = 0;
    uint32_t of_group = 0;
    list_for_each (link, &k->pulls_running) {
        const struct keeper_work *other =
            container_of(link, struct keeper_work, pulling);
        of_placer += w->placer != NULL && other->placer == w->placer;
        of_group += group != 0 && keeper_pull_group(k, other->object) == group;
    }
    if (of_placer >= all - all / 2 || of_group >= all - all / 4)
        return UINT32_MAX;
    uint32_t had_turn = w->still_ms > 0 ? 1 : 0;
    return (had_turn * (all + 1) + of_placer) * (all + 1) + of_group;
}

/* What did not stand still yet goes first, then whose placer, then whose group
 * has least, then the oldest. */
static struct keeper_work *next_pull(const struct keeper *k)
{
    struct keeper_work *best = NULL;
    uint32_t least = UINT32_MAX;
    if (k->pulls_count >= k->config.pulls_max)
        return NULL;
    list_for_each (link, &k->pulls) {
        struct keeper_work *w = container_of(link, struct keeper_work, pulling);
        uint32_t like = pulls_like(k, w);
        if (like >= least)
            continue;
        best = w;
        least = like;
        if (like == 0)
            break;
    }
    return best;
}

void keeper_pull_next(struct keeper *k)
{
    struct keeper_work *w = NULL;
    while ((w = next_pull(k)) != NULL) {
        struct keeper_object *o = w->object;
        list_remove(&w->pulling);
        list_add_tail(&k->pulls_running, &w->pulling);
        w->pull = keeper_task_new(k, KEEPER_TASK_PULL, o, NULL);
        w->turn_at = k->now.mono;
        w->pulled_at = k->now.mono;
        w->pulled_bytes = 0;
        w->pulled_blocks = 0;
        k->pulls_count++;
        struct keeper_out *out = keeper_emit(k, KEEPER_PULL);
        out->id = w->pull->id;
        out->root = keeper_root(o);
        out->size_bytes = o->size_bytes;
        out->blocks = o->blocks;
        out->peers =
            mem_zalloc((size_t)o->copies_count + 1, sizeof(*out->peers));
        out->peers_count = pull_sources(k, o, out->peers);
        keeper_wake(k, o, keeper_after(k, PULL_TURN_MS));
    }
}

bool keeper_has_all(const struct keeper_object *o)
{
    return o->role == KEEPER_HOLDER && o->phase == KEEPER_PHASE_HELD &&
           keeper_self(o)->has_receipt && !keeper_look(o)->mending;
}

void keeper_mend(struct keeper *k, struct keeper_object *o)
{
    if (keeper_look(o)->mending)
        return;
    keeper_work(o)->mending = true;
    keeper_work(o)->mend_at = k->now.mono;
    keeper_touch(k, o);
}

/* What was missing is to be had now, or again later. */
static void mend_check(struct keeper *k, struct keeper_object *o)
{
    if (mtime_reached(k->now.mono, keeper_look(o)->mend_at))
        begin_pull(k, o);
    else
        keeper_wake(k, o, keeper_look(o)->mend_at);
}

static void forget_placer(struct keeper *k, struct keeper_work *w)
{
    if (w->placer != NULL)
        keeper_peer_unref(k, w->placer);
    w->placer = NULL;
}

/*
 * All is here again.  The receipt of before is of no use to whoever has found
 * that a block was missing: all are told a new one.
 */
static void mended(struct keeper *k, struct keeper_object *o)
{
    struct keeper_work *w = keeper_work(o);
    w->mending = false;
    w->no_blocks_until = k->now.mono;
    if (o->phase != KEEPER_PHASE_HELD || !keeper_self(o)->has_receipt)
        return;
    keeper_self(o)->stored_s = keeper_unix_32(k);
    keeper_sign_own(k, o);
    if (w->placer != NULL)
        keeper_send_receipt(k, o);
    forget_placer(k, w);
    keeper_set_changed(k, o);
}

static enum storage_reason reason_of(enum err err)
{
    if (err == E_LIMIT)
        return STORAGE_REASON_SIZE;
    if (err == E_NOSPACE)
        return STORAGE_REASON_SPACE;
    if (err == E_CANCELED)
        return STORAGE_REASON_LEAVING;
    return STORAGE_REASON_SOURCES;
}

/* What was accepted did not get here: forget it and say so. */
static void pull_failed(struct keeper *k, struct keeper_object *o, enum err err)
{
    struct keeper_out *event =
        keeper_tell(k, KEEPER_EVENT_PULL_FAILED, o, keeper_look(o)->placer);
    event->err = err;
    if (keeper_look(o)->placer != NULL)
        keeper_notice(k, o, keeper_look(o)->placer, reason_of(err));
    if (keeper_look(o)->mending) {
        /* What is left here stays: there may be no other copy of it. */
        forget_placer(k, keeper_work(o));
        keeper_work(o)->mend_at = keeper_after(k, k->config.grace_ms);
        keeper_work(o)->still_ms = 0;
        return;
    }
    keeper_row_remove(k, o);
    keeper_object_free(k, o);
}

/* All blocks are here and synced: count the root, unless it is counted. */
static void begin_keeping(struct keeper *k, struct keeper_object *o,
                          uint64_t bytes)
{
    o->phase = KEEPER_PHASE_KEEPING;
    keeper_measured(k, o, bytes);
    keeper_count_root(k, o, true);
    struct keeper_task *t = keeper_task_new(k, KEEPER_TASK_KEEP, o, NULL);
    struct keeper_out *out = keeper_emit(k, KEEPER_KEEP);
    out->id = t->id;
    out->root = keeper_root(o);
}

void keeper_on_pulled(struct keeper *k, uint64_t id, enum err err,
                      uint64_t bytes, uint64_t blocks, struct keeper_now now)
{
    k->now = now;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_PULL);
    if (t == NULL)
        return;
    struct keeper_object *o = t->object;
    assert(o != NULL && keeper_look(o)->pull == t); /* else it was cancelled */
    keeper_work(o)->pull = NULL;
    list_remove(&keeper_work(o)->pulling);
    keeper_work(o)->still_ms = 0;
    k->pulls_count--;
    keeper_task_free(k, t);
    if (err == OK && !keeper_is_release(o) &&
        (bytes > o->size_bytes || blocks > o->blocks))
        err = E_LIMIT;
    keeper_touch(k, o);
    if (err != OK)
        pull_failed(k, o, err);
    else if (o->phase == KEEPER_PHASE_PULLING)
        begin_keeping(k, o, bytes);
    else
        mended(k, o);
    keeper_settle(k);
}

void keeper_on_pull_counted(struct keeper *k, uint64_t id, uint64_t bytes,
                            uint64_t blocks, struct keeper_now now)
{
    k->now = now;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_PULL);
    if (t == NULL || t->object == NULL)
        return;
    struct keeper_object *o = t->object;
    struct keeper_work *w = keeper_work(o);
    w->pulled_at = now.mono;
    w->pulled_bytes = bytes < o->size_bytes ? bytes : o->size_bytes;
    w->pulled_blocks = blocks < o->blocks ? blocks : o->blocks;
}

void keeper_on_kept(struct keeper *k, uint64_t id, enum err err,
                    struct keeper_now now)
{
    k->now = now;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_KEEP);
    if (t == NULL)
        return;
    struct keeper_object *o = t->object;
    keeper_task_free(k, t);
    if (o == NULL)
        return;
    if (err != OK) {
        pull_failed(k, o, err);
        keeper_settle(k);
        return;
    }
    if (o->phase == KEEPER_PHASE_KEEPING) {
        o->phase = KEEPER_PHASE_HELD;
        k->stats.held++;
        keeper_self(o)->stored_s = keeper_unix_32(k);
        keeper_row_change(k, o);
        keeper_work(o)->held_generation = keeper_look(o)->row_generation;
    }
    keeper_touch(k, o);
    keeper_settle(k);
}

void keeper_sign_own(struct keeper *k, struct keeper_object *o)
{
    struct keeper_copy *c = keeper_self(o);
    struct storage_receipt receipt = {.root = keeper_root(o),
                                      .stored_s = c->stored_s};
    memcpy(receipt.network, k->network, sizeof(receipt.network));
    memcpy(receipt.owner, keeper_owner(k, o), sizeof(receipt.owner));
    memcpy(receipt.record_hash, keeper_contract(k, o)->hash, OBJECT_HASH_BYTES);
    receipt.seq = c->seq < k->now.unix_ms ? k->now.unix_ms : c->seq + 1;
    receipt.until_s = keeper_unix_s(k) + k->config.receipt_ms / 1000;
    struct checked_receipt checked;
    if (receipt.until_s > UINT32_MAX ||
        receipt_sign(&receipt, k->key, &checked) != OK)
        return; /* a clock that stands before what it said once */
    c->has_receipt = true;
    c->until_s = (uint32_t)receipt.until_s;
    c->seq = receipt.seq;
    c->hash_index = 0;
    keeper_copy_set(k, c, KEEPER_HOLDER_STORED);
    keeper_row_change(k, o);
}

void keeper_own_stored(struct keeper *k, struct keeper_object *o)
{
    if (o->phase != KEEPER_PHASE_HELD || keeper_self(o)->has_receipt ||
        !o->on_disk ||
        keeper_look(o)->row_written < keeper_look(o)->held_generation)
        return;
    keeper_sign_own(k, o);
    keeper_tell(k, KEEPER_EVENT_HELD, o, keeper_look(o)->placer);
    keeper_send_receipt(k, o);
    forget_placer(k, keeper_work(o));
}

void keeper_cancel_pulls(struct keeper *k)
{
    struct keeper_object *o = NULL;
    for (uint64_t id = 0; (o = keeper_index_after(&k->objects, id)) != NULL;) {
        id = o->id;
        if (o->role != KEEPER_HOLDER || (o->phase != KEEPER_PHASE_PULLING &&
                                         o->phase != KEEPER_PHASE_KEEPING))
            continue;
        cancel_pull(k, o);
        pull_failed(k, o, E_CANCELED);
    }
}

void keeper_let_go(struct keeper *k, struct keeper_object *o,
                   enum storage_reason reason)
{
    struct keeper_out *event = keeper_tell(k, KEEPER_EVENT_RELEASED, o, NULL);
    event->err = reason == STORAGE_REASON_EXPIRED   ? E_TIMEOUT
                 : reason == STORAGE_REASON_SURPLUS ? E_EXISTS
                                                    : E_CLOSED;
    list_for_each_copy(c, o)
    {
        bool tells = c->is_owner ? c->peer->connected : keeper_counts(k, c);
        if (c->peer != k->self && tells && reason != STORAGE_REASON_EXPIRED)
            keeper_notice(k, o, c->peer, reason);
    }
    k->stats.released++;
    keeper_row_remove(k, o);
    keeper_object_free(k, o);
}

/* How long it stood still in the turns before this one, in which nothing came
 * either. */
static uint32_t still_before_ms(const struct keeper_work *w)
{
    return w->pulled_at.ns == w->turn_at.ns ? w->still_ms : 0;
}

/* A pull that stands still lets those go first who wait, and then goes on. */
static void give_turn(struct keeper *k, struct keeper_object *o,
                      struct mtime until)
{
    struct keeper_work *w = keeper_work(o);
    struct mtime turn = mtime_add_ms(w->pulled_at, PULL_TURN_MS);
    if (!mtime_reached(k->now.mono, turn)) {
        keeper_wake(k, o, mtime_min(turn, until));
        return;
    }
    if (list_empty(&k->pulls)) {
        keeper_wake(k, o, mtime_min(keeper_after(k, PULL_TURN_MS), until));
        return;
    }
    w->still_ms = still_before_ms(w) +
                  (uint32_t)mtime_ms_since(w->pulled_at, k->now.mono);
    cancel_pull(k, o);
    begin_pull(k, o);
}

/* The pull stands still, or nobody keeps the record any more. */
static bool check_pull(struct keeper *k, struct keeper_object *o)
{
    if (keeper_look(o)->pull == NULL)
        return true;
    uint32_t before_ms = still_before_ms(keeper_look(o));
    uint32_t left_ms =
        k->config.pull_ms > before_ms ? k->config.pull_ms - before_ms : 0;
    struct mtime until = mtime_add_ms(keeper_look(o)->pulled_at, left_ms);
    if (!mtime_reached(k->now.mono, until)) {
        give_turn(k, o, until);
        return true;
    }
    bool is_mending = keeper_look(o)->mending;
    cancel_pull(k, o);
    pull_failed(k, o, E_TIMEOUT);
    return is_mending;
}

static void renew_own(struct keeper *k, struct keeper_object *o,
                      const struct keeper_copy *self)
{
    uint64_t renew_s = self->until_s - k->config.receipt_ms / 4000;
    if (renew_s <= keeper_unix_s(k) || self->hash_index != 0) {
        keeper_sign_own(k, o);
        keeper_set_changed(k, o);
    }
    keeper_wake_unix(k, o, renew_s);
}

static bool check_held(struct keeper *k, struct keeper_object *o)
{
    const struct keeper_copy *self = keeper_self(o);
    if (!self->has_receipt) {
        keeper_own_stored(k, o); /* unless the row is being written */
        return true;
    }
    if (keeper_look(o)->mending)
        mend_check(k, o);
    else
        renew_own(k, o, self);
    if (!keeper_repair_check(k, o))
        return false;
    keeper_update_check(k, o);
    keeper_place_check(k, o);
    keeper_tell_check(k, o);
    return true;
}

bool keeper_hold_check(struct keeper *k, struct keeper_object *o)
{
    bool waits = keeper_past_waits(k, o);
    uint64_t expires_s = keeper_kept_expires_s(o);
    if (expires_s <= keeper_unix_s(k)) {
        keeper_let_go(k, o, STORAGE_REASON_EXPIRED);
        return false;
    }
    keeper_wake_unix(k, o, expires_s);
    if (!check_pull(k, o))
        return false;
    switch (o->phase) {
    case KEEPER_PHASE_PULLING:
        begin_pull(k, o); /* also after a restart */
        break;
    case KEEPER_PHASE_RELEASING:
        if (!waits)
            bury(k, o);
        break;
    case KEEPER_PHASE_HELD:
        return check_held(k, o);
    case KEEPER_PHASE_KEEPING:
    case KEEPER_PHASE_TOMB:
        break;
    }
    return true;
}
