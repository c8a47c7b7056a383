#include "storage/keeper_priv.h"

/*
 * Placing: which objects need another copy, in which order they get it, and
 * who is asked.  Objects wait in queues: the owner's first copies, then the
 * repairs, those with the fewest copies first.
 */

enum {
    BUSY_RETRY_MS = 1000,
    BUSY_PARTS = 64,          /* of the grace, over which those who wait come */
    SLOWEST_PULL = 64 * 1024, /* bytes/s; a slower holder is given up */
    PULLS_STOOD_STILL_MAX = 10,
};

void keeper_placed(struct keeper *k, struct keeper_copy *c)
{
    if (!c->is_placing)
        return;
    c->is_placing = false;
    keeper_work(keeper_object_of(c))->placing--;
    k->placing_count--;
    keeper_touch(k, keeper_object_of(c));
}

void keeper_unqueue(struct keeper_object *o)
{
    if (o->work == NULL)
        return;
    list_remove(&o->work->queue);
    o->work->waits_in = 0;
}

static void end_starving(struct keeper_object *o)
{
    if (o->work == NULL)
        return;
    list_remove(&o->work->starved);
    o->work->is_starved = false;
}

static bool is_first_placing(const struct keeper_object *o)
{
    return o->role == KEEPER_OWNER && !o->was_full;
}

static bool may_place(struct keeper *k, const struct keeper_object *o)
{
    if (is_first_placing(o))
        return true;
    if (o->role == KEEPER_HOLDER && k->leave_job != 0)
        return k->connected > 0;
    return keeper_may_repair(k, o);
}

static void is_full_now(struct keeper *k, struct keeper_object *o)
{
    keeper_unqueue(o);
    end_starving(o);
    o->urgent = false;
    if (!o->was_full) {
        o->was_full = true;
        keeper_row_change(k, o);
    }
    if (o->repairing)
        keeper_tell(k, KEEPER_EVENT_REPAIRED, o, NULL);
    o->repairing = false;
}

void keeper_place_check(struct keeper *k, struct keeper_object *o)
{
    uint32_t live = keeper_live(k, o);
    uint32_t wanted = keeper_wanted(o);
    if (live >= wanted) {
        is_full_now(k, o);
        return;
    }
    if (live + keeper_look(o)->placing >= wanted || !may_place(k, o)) {
        keeper_unqueue(o);
        return;
    }
    if (keeper_look(o)->is_starved &&
        !mtime_reached(k->now.mono, keeper_look(o)->starved_until)) {
        keeper_wake(k, o, keeper_look(o)->starved_until);
        return;
    }
    end_starving(o);
    size_t queue = is_first_placing(o) ? (size_t)KEEPER_QUEUE_FIRST
                                       : (size_t)KEEPER_QUEUE_REPAIR + live;
    struct keeper_work *w = keeper_work(o);
    if (w->waits_in == queue + 1)
        return;
    keeper_unqueue(o);
    w->waits_in = (uint8_t)(queue + 1);
    list_add_tail(&k->queues[queue], &w->queue);
}

static enum placement_use use_of(const struct keeper *k,
                                 const struct keeper_object *o,
                                 const struct peer_id *peer)
{
    const struct peer_id *owner = &keeper_owner_peer(k, o)->id;
    if (peer_id_eq(peer, owner))
        return PLACEMENT_SKIP;
    if (peer_id_eq(peer, &k->self->id))
        return o->role == KEEPER_HOLDER ? PLACEMENT_HOLDS : PLACEMENT_SKIP;
    const struct keeper_copy *c = keeper_copy_find(o, peer);
    if (c == NULL)
        return PLACEMENT_FREE;
    if (keeper_counts(k, c) || c->is_placing)
        return PLACEMENT_HOLDS;
    if (c->state == KEEPER_HOLDER_FAILED && !c->has_receipt &&
        mtime_reached(k->now.mono, keeper_chore_look(c)->retry_at))
        return PLACEMENT_FREE;
    return PLACEMENT_SKIP;
}

void keeper_mark_uses(const struct keeper *k, const struct keeper_object *o)
{
    for (size_t i = 0; i < k->candidates_count; i++)
        k->uses[i] = use_of(k, o, &k->candidates[i].peer);
}

static size_t choose(struct keeper *k, const struct keeper_object *o,
                     size_t need, size_t *ret_chosen)
{
    keeper_mark_uses(k, o);
    struct cid root = keeper_root(o);
    placement_order(&root, k->candidates, k->candidates_count, k->order);
    struct placement_want want = {
        .count = need, .quality_min = k->config.quality_min, .use = k->uses};
    enum placement_tier tier;
    return placement_choose(k->candidates, k->order, k->candidates_count, &want,
                            ret_chosen, &tier);
}

static bool send_offer(struct keeper *k, struct keeper_object *o,
                       struct keeper_peer *peer)
{
    bool leaves = o->role == KEEPER_HOLDER && k->leave_job != 0;
    keeper_out_begin(k, leaves ? STORAGE_HANDOVER : STORAGE_OFFER, o);
    keeper_put_record(k, keeper_contract(k, o));
    keeper_put_receipts(k, o);
    return keeper_call(k, peer, o) != NULL;
}

/* Offer @o to the peer @id.  Return: false when it is too busy. */
static bool offer_to(struct keeper *k, struct keeper_object *o,
                     const struct peer_id *id)
{
    struct keeper_peer *peer = keeper_peer_get(k, id);
    if (peer == NULL || peer->calls >= KEEPER_PEER_CALLS_MAX)
        return false;
    struct keeper_copy *c = keeper_copy_find(o, id);
    if (c == NULL)
        c = keeper_copy_add(k, o, peer, KEEPER_HOLDER_OFFERED);
    if (c == NULL) {
        keeper_peer_tidy(k, peer);
        return false;
    }
    keeper_copy_set(k, c, KEEPER_HOLDER_OFFERED);
    c->placed = true;
    struct keeper_chore *chore = keeper_chore(c);
    chore->polls_failed = 0;
    chore->pulled_bytes = 0;
    chore->pulled_blocks = 0;
    c->is_placing = true;
    keeper_work(o)->placing++;
    k->placing_count++;
    (void)send_offer(k, o, peer); /* it is not too busy */
    keeper_tell(k, KEEPER_EVENT_OFFERED, o, peer);
    return true;
}

static void note_repair(struct keeper *k, struct keeper_object *o)
{
    uint64_t bytes = keeper_bytes(o);
    int64_t cost = bytes > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)bytes;
    k->budget_bytes -= cost;
    k->stats.repairs++;
    k->stats.repair_bytes += bytes;
    o->repairing = true;
    keeper_repair_noted(k, o);
    keeper_tell(k, KEEPER_EVENT_REPAIRING, o, NULL);
}

static void place(struct keeper *k, struct keeper_object *o, bool is_repair)
{
    size_t chosen[KEEPER_COPIES_MAX];
    size_t need =
        keeper_wanted(o) - keeper_live(k, o) - keeper_look(o)->placing;
    size_t count = choose(k, o, need, chosen);
    size_t busy = 0;
    for (size_t i = 0; i < count; i++) {
        if (!offer_to(k, o, &k->candidates[chosen[i]].peer))
            busy++;
        else if (is_repair)
            note_repair(k, o);
    }
    if (count == need && busy == 0)
        return;
    struct keeper_work *w = keeper_work(o);
    w->is_starved = true;
    list_add_tail(&k->starved, &w->starved);
    w->starved_until = busy > 0 ? keeper_after(k, BUSY_RETRY_MS)
                                : keeper_after(k, k->config.grace_ms / 4);
    keeper_wake(k, o, w->starved_until);
}

static struct keeper_object *next_queued(struct keeper *k, size_t *ret_queue)
{
    for (size_t i = 0; i < KEEPER_QUEUES; i++) {
        if (list_empty(&k->queues[i]))
            continue;
        *ret_queue = i;
        return container_of(list_first(&k->queues[i]), struct keeper_work,
                            queue)
            ->object;
    }
    return NULL;
}

void keeper_place_next(struct keeper *k)
{
    while (k->placing_count < k->config.offers_max) {
        size_t queue = 0;
        struct keeper_object *o = next_queued(k, &queue);
        if (o == NULL)
            return;
        bool is_repair = queue != KEEPER_QUEUE_FIRST;
        int64_t budget = is_repair ? keeper_budget(k) : 1;
        if (budget <= 0) {
            uint64_t wait_ms =
                1 + (uint64_t)-budget * 1000 / k->config.repair_rate;
            keeper_wake(k, o, keeper_after(k, wait_ms));
            return;
        }
        keeper_unqueue(o);
        place(k, o, is_repair);
    }
}

void keeper_on_accept(struct keeper *k, struct keeper_task *t)
{
    struct keeper_object *o = t->object;
    if (o == NULL)
        return;
    struct keeper_copy *c = keeper_copy_find(o, &t->peer->id);
    if (c == NULL)
        return;
    c->updating = false;
    keeper_chore(c)->update_at = keeper_after(k, k->config.grace_ms / 4);
    if (c->state == KEEPER_HOLDER_OFFERED) {
        keeper_copy_set(k, c, KEEPER_HOLDER_PULLING);
        keeper_due(k, c,
                   keeper_after(k, k->config.request_ms / KEEPER_POLL_DIVISOR));
        keeper_tell(k, KEEPER_EVENT_ACCEPTED, o, t->peer);
        keeper_row_change(k, o);
    }
    keeper_merge_receipts(k, o, t->peer);
}

static uint64_t retry_after(const struct keeper *k, enum storage_reason reason)
{
    switch (reason) {
    case STORAGE_REASON_BUSY:
        return k->config.grace_ms / 16;
    case STORAGE_REASON_OTHER:
    case STORAGE_REASON_SOURCES:
    case STORAGE_REASON_STALE:
        return k->config.grace_ms / 2;
    case STORAGE_REASON_SPACE:
    case STORAGE_REASON_QUOTA:
    case STORAGE_REASON_POLICY:
    case STORAGE_REASON_PRICE:
    case STORAGE_REASON_BANNED:
    case STORAGE_REASON_SIZE:
    case STORAGE_REASON_NETWORK:
    case STORAGE_REASON_EXPIRED:
    case STORAGE_REASON_INVALID:
    case STORAGE_REASON_FUTURE:
    case STORAGE_REASON_UNSUPPORTED:
    case STORAGE_REASON_UNKNOWN:
    case STORAGE_REASON_SURPLUS:
    case STORAGE_REASON_LEAVING:
    case STORAGE_REASON_RELEASED:
        break;
    }
    return UINT64_C(4) * k->config.grace_ms;
}

void keeper_on_no_accept(struct keeper *k, struct keeper_task *t,
                         enum storage_reason reason, bool answered)
{
    struct keeper_object *o = t->object;
    if (o == NULL)
        return;
    struct keeper_copy *c = keeper_copy_find(o, &t->peer->id);
    if (c != NULL && c->updating) {
        c->updating = false;
        keeper_chore(c)->update_at = keeper_after(k, k->config.grace_ms / 4);
    } else if (c != NULL && c->state == KEEPER_HOLDER_OFFERED) {
        const char *why =
            answered ? storage_reason_name(reason) : "unreachable";
        keeper_tell(k, KEEPER_EVENT_REFUSED, o, t->peer)->reason = why;
        keeper_lost_copy(k, c, retry_after(k, reason));
        keeper_chore(c)->refusal = why;
    }
    if (answered && k->in->record.len > 0)
        (void)keeper_merge_record(k, o, k->in->record, t->peer);
}

/* Pulling for longer than the slowest holder that we bear would take. */
static bool is_too_slow(const struct keeper *k, const struct keeper_copy *c)
{
    uint64_t normal_ms =
        keeper_bytes(keeper_object_of(c)) / SLOWEST_PULL * 1000 +
        UINT64_C(1) * PULLS_STOOD_STILL_MAX * k->config.pull_ms;
    uint64_t since_ms = UINT64_C(1000) * c->since_s;
    return k->now.unix_ms > since_ms && k->now.unix_ms - since_ms > normal_ms;
}

void keeper_poll(struct keeper *k, struct keeper_copy *c)
{
    if (is_too_slow(k, c)) {
        keeper_lost_copy(k, c, retry_after(k, STORAGE_REASON_OTHER));
        return;
    }
    (void)keeper_ask_status(k, keeper_object_of(c),
                            c->peer); /* else next time */
    keeper_due(k, c,
               keeper_after(k, k->config.request_ms / KEEPER_POLL_DIVISOR));
}

void keeper_expect(struct keeper *k, struct keeper_object *o,
                   struct keeper_peer *peer)
{
    struct keeper_copy *c = keeper_copy_find(o, &peer->id);
    if (c == NULL)
        c = keeper_copy_add(k, o, peer, KEEPER_HOLDER_PULLING);
    if (c == NULL)
        return;
    bool is_new = c->state == KEEPER_HOLDER_PULLING && !c->is_placing;
    if (is_new) {
        c->is_placing = true;
        keeper_work(o)->placing++;
        k->placing_count++;
        keeper_due(k, c, keeper_soon(k, k->config.request_ms));
    }
    if (!is_new && !c->hearsay)
        return;
    keeper_out_begin(k, STORAGE_STATUS, o);
    struct keeper_task *t = peer->calls < KEEPER_PEER_CALLS_MAX / 2
                                ? keeper_call(k, peer, o)
                                : NULL;
    if (t == NULL)
        return; /* asked when it is due */
    t->recovers = true;
    k->recover_left++;
}

static bool is_behind(const struct keeper *k, const struct keeper_copy *c)
{
    return c->peer != k->self && !c->is_owner && keeper_counts(k, c) &&
           !c->updating && c->hash_index != 0;
}

struct mtime keeper_busy_until(struct keeper *k)
{
    return mtime_add_ms(keeper_soon(k, k->config.grace_ms / BUSY_PARTS + 1),
                        BUSY_RETRY_MS);
}

void keeper_update_check(struct keeper *k, struct keeper_object *o)
{
    if (o->role == KEEPER_HOLDER && !keeper_is_acting(k, o))
        return;
    list_for_each_copy(c, o)
    {
        if (!is_behind(k, c))
            continue;
        if (!mtime_reached(k->now.mono, keeper_chore_look(c)->update_at)) {
            keeper_wake(k, o, keeper_chore_look(c)->update_at);
            continue;
        }
        if (c->peer->calls >= KEEPER_PEER_CALLS_MAX)
            keeper_wake(k, o, keeper_busy_until(k));
        else
            c->updating = send_offer(k, o, c->peer);
    }
}
