#include <assert.h>

#include "base/mem.h"
#include "env/rng.h"
#include "storage/keeper_priv.h"

/*
 * Audits: when a copy is due it joins the queue of its peer; one request a
 * peer is under way.
 *
 *   begin()   takes up to 64 copies, asks the store for a block of each
 *   send()    with the last pick: the request, and our own digests
 *   judge()   with both answers: a verdict for each copy
 *   end()     the audit is over; the struct stays until its last task is
 */

enum {
    OWN_AUDITS = 8,    /* intervals; even where a better one audits */
    BLIND_AUDITS = 4,  /* intervals; an owner without a block asks for states */
    RENEW_PART = 4,    /* of its life: a receipt is asked for anew */
    HEAR_PARTS = 4,    /* of the grace: who was told of is asked within */
    NEAR_PARTS = 16,   /* the same for one who is connected */
    UNKNOWN_SHARE = 4, /* of the audits, for who was told of only */
    CREDIT_MS = 1000,
};

uint64_t keeper_place(const struct keeper *k, const struct keeper_object *o)
{
    uint64_t place = 1; /* the owner is before all holders */
    list_for_each_copy(c, o)
    {
        if (c == keeper_self(o))
            break;
        place += keeper_counts(k, c);
    }
    return place;
}

static struct mtime later(struct mtime a, struct mtime b)
{
    return mtime_before(a, b) ? b : a;
}

struct mtime keeper_act_at(const struct keeper *k,
                           const struct keeper_object *o)
{
    if (o->role == KEEPER_OWNER)
        return keeper_look(o)->no_blocks_until;
    uint64_t wait_ms = keeper_place(k, o) * (k->config.grace_ms / 8);
    return later(mtime_add_ms(o->quiet_until, (uint32_t)wait_ms),
                 keeper_look(o)->no_blocks_until);
}

bool keeper_can_act(const struct keeper *k, const struct keeper_object *o)
{
    if (o->role == KEEPER_HOLDER && !keeper_has_all(o))
        return false;
    return mtime_reached(k->now.mono, keeper_look(o)->no_blocks_until);
}

bool keeper_is_acting(const struct keeper *k, const struct keeper_object *o)
{
    return keeper_can_act(k, o) &&
           mtime_reached(k->now.mono, keeper_act_at(k, o));
}

bool keeper_is_better(const struct keeper *k, const struct keeper_object *o,
                      const struct keeper_peer *from)
{
    if (o->role == KEEPER_OWNER)
        return false;
    if (keeper_owner_copy(o) != NULL && keeper_owner_copy(o)->peer == from)
        return true;
    list_for_each_copy(c, o)
    {
        if (c == keeper_self(o))
            return false;
        if (c->peer == from)
            return keeper_counts(k, c);
    }
    return false;
}

void keeper_heard(struct keeper *k, struct keeper_object *o,
                  struct keeper_peer *from)
{
    if (o->role != KEEPER_HOLDER || keeper_self(o) == NULL ||
        !keeper_is_better(k, o, from))
        return;
    uint64_t audit_ms = k->config.audit_ms;
    o->quiet_until = keeper_after(k, audit_ms + audit_ms / 2);
    o->heard_from = from->number;
}

/* The next slot of @p at or after @at: audits of one peer share slots. */
static struct mtime slot_after(const struct keeper *k,
                               const struct keeper_peer *p, struct mtime at)
{
    uint64_t slot_ns =
        UINT64_C(1000000) * k->config.audit_ms / KEEPER_AUDIT_SLOTS + 1;
    uint64_t late = (at.ns + slot_ns - p->phase_ns % slot_ns) % slot_ns;
    return (struct mtime){.ns = at.ns + (slot_ns - late)};
}

void keeper_audit_plan(struct keeper *k, struct keeper_copy *c)
{
    if (c->is_owner || c->peer == k->self)
        return;
    uint64_t audit_ms = k->config.audit_ms;
    uint64_t wait_ms = audit_ms * 9 / 10 + keeper_random(k, audit_ms / 5 + 1);
    if (c->verified_s == 0 || !c->seen)
        wait_ms = keeper_random(k, audit_ms); /* the first one of this run */
    keeper_due(k, c, slot_after(k, c->peer, keeper_after(k, wait_ms)));
}

void keeper_audit_first(struct keeper *k, struct keeper_copy *c)
{
    uint32_t parts = c->peer->connected ? NEAR_PARTS : HEAR_PARTS;
    struct mtime at = keeper_soon(k, k->config.grace_ms / parts + 1);
    keeper_due(k, c, slot_after(k, c->peer, at));
}

/*
 * How long the word of a better one is enough: whether a copy is there, each
 * sees for itself now and then.  What it found silent it asks until it knows,
 * and whom it has only heard of it asks once.
 */
static uint64_t own_wait_ms(const struct keeper *k, const struct keeper_copy *c)
{
    uint64_t since_ms = UINT64_C(1000) * c->since_s;
    bool is_first = !c->seen && c->verified_s == 0 && since_ms > k->started_ms;
    if (c->state == KEEPER_HOLDER_SILENT || c->hearsay || is_first)
        return 0;
    if (c->since_s < c->verified_s)
        since_ms = UINT64_C(1000) * c->verified_s;
    if (since_ms < k->started_ms)
        since_ms = k->started_ms;
    uint64_t at_ms = since_ms + UINT64_C(1) * OWN_AUDITS * k->config.audit_ms;
    return at_ms > k->now.unix_ms ? at_ms - k->now.unix_ms : 0;
}

/* A better one audits @c; when it is looked at again. */
static void leave_to_better(struct keeper *k, struct keeper_copy *c,
                            uint64_t own_ms)
{
    struct mtime at = later(keeper_act_at(k, keeper_object_of(c)), k->now.mono);
    at = mtime_min(at, keeper_after(k, own_ms));
    at = mtime_add_ms(
        at, 1 + (uint32_t)keeper_random(k, k->config.audit_ms / 8 + 1));
    keeper_due(k, c, at);
}

/*
 * Whom we do not count though it has a receipt we ask ourselves: only our own
 * audit counts it again.  An owner asks all that it has.
 */
static bool is_ours_to_ask(const struct keeper_object *o,
                           const struct keeper_copy *c)
{
    bool is_back = c->peer->connected && (c->state == KEEPER_HOLDER_SILENT ||
                                          c->state == KEEPER_HOLDER_GONE);
    return is_back || c->state == KEEPER_HOLDER_FAILED ||
           o->role == KEEPER_OWNER;
}

static void audit_due(struct keeper *k, struct keeper_copy *c)
{
    struct keeper_object *o = keeper_object_of(c);
    switch (c->state) {
    case KEEPER_HOLDER_PULLING:
        if (c->is_placing)
            keeper_poll(k, c);
        return;
    case KEEPER_HOLDER_OFFERED:
        return;
    case KEEPER_HOLDER_FAILED:
    case KEEPER_HOLDER_GONE:
        if (!c->has_receipt)
            return;
        if (c->until_s <= keeper_unix_s(k)) {
            keeper_copy_free(k, c);
            return;
        }
        break;
    case KEEPER_HOLDER_STORED:
    case KEEPER_HOLDER_VERIFIED:
    case KEEPER_HOLDER_SILENT:
        break;
    }
    uint64_t own_ms = keeper_can_act(k, o) ? own_wait_ms(k, c) : UINT32_MAX;
    if (!is_ours_to_ask(o, c) && own_ms > 0 && !keeper_is_acting(k, o)) {
        leave_to_better(k, c, own_ms);
        return;
    }
    struct keeper_chore *chore = keeper_chore(c);
    if (list_empty(&chore->ready) && chore->audit == NULL)
        list_add_tail(&c->peer->ready, &chore->ready);
    keeper_audit_peer(k, c->peer);
}

void keeper_audits_due(struct keeper *k, struct keeper_object *o)
{
    struct keeper_copy *next = NULL;
    for (struct keeper_copy *c = keeper_first(o); c != NULL; c = next) {
        next = keeper_after_copy(c);
        if (!mtime_reached(k->now.mono, c->due))
            continue;
        c->due = MTIME_NEVER;
        audit_due(k, c);
    }
}

void keeper_audit_now(struct keeper *k, struct keeper_copy *c)
{
    c->due = MTIME_NEVER;
    struct keeper_chore *chore = keeper_chore(c);
    list_remove(&chore->ready);
    list_add_head(&c->peer->ready, &chore->ready);
    keeper_audit_peer(k, c->peer);
}

static struct keeper_chore *first_ready(const struct keeper_peer *p)
{
    return container_of(list_first(&p->ready), struct keeper_chore, ready);
}

/* Whether one more request of @cost may leave now; else when. */
static bool take_credit(const struct keeper *k, struct keeper_credit *credit,
                        uint64_t cost, struct mtime *ret_at)
{
    credit->ms += mtime_ms_since(credit->at, k->now.mono);
    credit->at = k->now.mono;
    if (credit->ms > CREDIT_MS)
        credit->ms = CREDIT_MS;
    if (credit->ms < cost) {
        *ret_at = keeper_after(k, cost - credit->ms + 1);
        return false;
    }
    credit->ms -= cost;
    return true;
}

/*
 * The same for an audit of @p.  Peers that were told of only have a part of
 * their own: whoever makes up many delays no other audit.
 */
static bool may_audit(struct keeper *k, const struct keeper_peer *p,
                      struct mtime *ret_at)
{
    uint64_t cost = CREDIT_MS / k->config.audits_per_s;
    bool is_unknown =
        !p->connected && keeper_chore_copy(first_ready(p))->hearsay;
    if (!is_unknown)
        return take_credit(k, &k->audit_credit, cost, ret_at);
    cost = cost * UNKNOWN_SHARE < CREDIT_MS ? cost * UNKNOWN_SHARE : CREDIT_MS;
    return take_credit(k, &k->unknown_credit, cost, ret_at);
}

void keeper_audit_untask(struct keeper_audit *a)
{
    assert(a->tasks_left > 0);
    if (--a->tasks_left == 0 && a->is_over)
        mem_free(a);
}

static struct keeper_task *
audit_task(struct keeper *k, enum keeper_task_kind kind, struct keeper_audit *a)
{
    struct keeper_task *t = keeper_task_new(k, kind, NULL, a->peer);
    t->audit = a;
    a->tasks_left++;
    return t;
}

/* The copy of an item, or NULL. */
static struct keeper_copy *item_copy(const struct keeper_audit_item *item)
{
    return item->object == NULL ? NULL : &item->object->copies->at[item->slot];
}

/* The same, and it is not being audited any more. */
static struct keeper_copy *take_item(struct keeper_audit_item *item)
{
    struct keeper_copy *c = item_copy(item);
    if (c != NULL)
        keeper_chore(c)->audit = NULL;
    item->object = NULL;
    return c;
}

static void end(struct keeper_audit *a)
{
    for (size_t i = 0; i < a->count; i++)
        (void)take_item(&a->items[i]);
    a->is_over = true;
    a->peer->audit = NULL;
    if (a->tasks_left == 0)
        mem_free(a);
}

void keeper_audit_end(struct keeper_peer *p)
{
    if (p->audit != NULL)
        end(p->audit);
}

void keeper_audit_forget(struct keeper_copy *c)
{
    struct keeper_audit *a = keeper_chore_look(c)->audit;
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->count; i++) {
        if (item_copy(&a->items[i]) == c)
            a->items[i].object = NULL;
    }
    keeper_chore(c)->audit = NULL;
}

/* There is no verdict about @c; it is asked again. */
static void no_verdict(struct keeper *k, struct keeper_copy *c)
{
    if (keeper_chore_look(c)->verify != NULL)
        keeper_verify_part(k, c, E_AGAIN);
    keeper_audit_plan(k, c);
}

/* An owner who has not got the blocks of late: it may ask, not judge. */
static bool is_blind(const struct keeper *k, const struct keeper_object *o)
{
    return o->role == KEEPER_OWNER &&
           !mtime_reached(k->now.mono, keeper_look(o)->no_blocks_until);
}

/* The peer cannot be reached: so are the others that wait for it. */
static void silence_ready(struct keeper *k, struct keeper_peer *p)
{
    while (!list_empty(&p->ready)) {
        struct list *link = list_first(&p->ready);
        list_remove(link);
        keeper_silent(k, keeper_chore_copy(
                             container_of(link, struct keeper_chore, ready)));
    }
}

/* Ask the first that waits for its state, in the place of an audit. */
static void look(struct keeper *k, struct keeper_peer *p)
{
    struct keeper_chore *chore = first_ready(p);
    list_remove(&chore->ready);
    chore->is_looking = keeper_ask_status(k, chore->object, p);
    assert(chore->is_looking); /* it is not too busy */
}

void keeper_looked(struct keeper *k, struct keeper_copy *c, bool is_there,
                   enum err err)
{
    if (!keeper_chore_look(c)->is_looking)
        return;
    keeper_chore(c)->is_looking = false;
    if (!is_there) {
        keeper_silent(k, c);
        if (err != E_REFUSED)
            silence_ready(k, c->peer);
    } else if (c->state != KEEPER_HOLDER_FAILED) {
        keeper_audit_plan(k, c);
    } else if (c->has_receipt) {
        keeper_due(k, c, keeper_after(k, k->config.grace_ms));
    }
}

static void begin(struct keeper *k, struct keeper_peer *p)
{
    struct keeper_audit *a = mem_zalloc(1, sizeof(*a));
    a->peer = p;
    p->audit = a;
    while (a->count < STORAGE_AUDIT_ITEMS_MAX && !list_empty(&p->ready) &&
           !is_blind(k, first_ready(p)->object)) {
        struct keeper_chore *chore = first_ready(p);
        list_remove(&chore->ready);
        struct keeper_audit_item *item = &a->items[a->count];
        chore->audit = a;
        item->object = chore->object;
        item->slot = chore->slot;
        item->root = keeper_root(chore->object);
        struct keeper_task *t = audit_task(k, KEEPER_TASK_AUDIT_PICK, a);
        t->item = a->count++;
        struct keeper_out *out = keeper_emit(k, KEEPER_PICK);
        out->id = t->id;
        out->root = item->root;
        out->blocks = 1;
    }
    a->picks_left = a->count;
}

void keeper_audit_peer(struct keeper *k, struct keeper_peer *p)
{
    if (!k->started || p->audit != NULL || list_empty(&p->ready) ||
        p->calls >= KEEPER_PEER_CALLS_MAX)
        return; /* what ends one of those comes back here */
    struct mtime at;
    if (!may_audit(k, p, &at))
        keeper_heap_sooner(&k->heap, &p->timer, at);
    else if (is_blind(k, first_ready(p)->object))
        look(k, p);
    else
        begin(k, p);
}

static void drop_unpicked(struct keeper_audit *a)
{
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i].object != NULL && a->items[i].is_picked)
            a->items[count++] = a->items[i];
    }
    a->count = count;
}

static void give_up(struct keeper *k, struct keeper_audit *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i].object != NULL)
            no_verdict(k, item_copy(&a->items[i]));
    }
    end(a);
}

static void ask_own_digests(struct keeper *k, struct keeper_audit *a)
{
    struct keeper_task *t = audit_task(k, KEEPER_TASK_AUDIT_DIGEST, a);
    struct keeper_out *out = keeper_emit(k, KEEPER_DIGEST);
    out->id = t->id;
    out->auditor = k->self->id;
    out->peer = a->peer->id;
    memcpy(out->nonce, a->nonce, sizeof(out->nonce));
    out->cids = mem_zalloc(a->count, sizeof(*out->cids));
    out->cids_count = a->count;
    for (size_t i = 0; i < a->count; i++)
        out->cids[i] = a->items[i].cid;
}

static void send(struct keeper *k, struct keeper_audit *a)
{
    drop_unpicked(a);
    if (a->count == 0) {
        end(a);
        return;
    }
    k->rng->fill(k->rng, a->nonce, sizeof(a->nonce));
    a->began = k->now.mono;
    keeper_out_begin(k, STORAGE_AUDIT, NULL);
    struct storage_message *m = k->out;
    memcpy(m->nonce, a->nonce, sizeof(m->nonce));
    m->items_count = a->count;
    for (size_t i = 0; i < a->count; i++) {
        m->items[i].root = a->items[i].root;
        m->items[i].cid = a->items[i].cid;
    }
    struct keeper_task *t = keeper_call(k, a->peer, NULL);
    if (t == NULL) {
        give_up(k, a);
        return;
    }
    t->audit = a;
    a->tasks_left++;
    ask_own_digests(k, a);
}

/* We have not got what we should judge by. */
static void no_block_here(struct keeper *k, struct keeper_copy *c)
{
    struct keeper_object *o = keeper_object_of(c);
    if (o->role == KEEPER_HOLDER) {
        o->unread = true;
        keeper_work(o)->no_blocks_until = keeper_after(k, k->config.grace_ms);
        if (o->phase == KEEPER_PHASE_HELD)
            keeper_mend(k, o);
        no_verdict(k, c);
        return;
    }
    keeper_work(o)->no_blocks_until =
        keeper_after(k, UINT64_C(1) * BLIND_AUDITS * k->config.audit_ms);
    if (keeper_chore_look(c)->verify != NULL)
        keeper_verify_part(k, c, E_AGAIN);
    struct keeper_chore *chore = keeper_chore(c);
    list_remove(&chore->ready);
    list_add_tail(&c->peer->ready, &chore->ready);
}

static void audit_picked(struct keeper *k, struct keeper_audit *a, size_t item,
                         const struct cid *cids, size_t count)
{
    struct keeper_audit_item *it = &a->items[item];
    if (it->object != NULL && count > 0) {
        it->cid = cids[0];
        it->is_picked = true;
    } else if (it->object != NULL) {
        no_block_here(k, take_item(it));
    }
    if (--a->picks_left == 0)
        send(k, a);
}

void keeper_on_picked(struct keeper *k, uint64_t id, enum err err,
                      const struct cid *cids, size_t count,
                      struct keeper_now now)
{
    k->now = now;
    if (err != OK)
        count = 0;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_BACK_PICK);
    if (t != NULL) {
        keeper_on_back_picked(k, t, cids, count);
        keeper_task_free(k, t);
        keeper_settle(k);
        return;
    }
    t = keeper_task_take(k, id, KEEPER_TASK_AUDIT_PICK);
    if (t == NULL)
        return;
    struct keeper_peer *p = keeper_peer_ref(t->peer);
    audit_picked(k, t->audit, t->item, cids, count);
    keeper_task_free(k, t);
    keeper_audit_peer(k, p);
    keeper_settle(k);
    keeper_peer_unref(k, p);
}

static void passed(struct keeper *k, struct keeper_copy *c,
                   const struct keeper_audit *a)
{
    k->stats.audits_passed++;
    c->verified_s = keeper_unix_32(k);
    if (mtime_reached(a->began, keeper_look(keeper_object_of(c))->trim_began))
        c->proved = true;
    c->seen = true;
    if (keeper_is_refuted(c))
        keeper_counts_again(k, c);
    else
        keeper_alive(k, c);
    keeper_tell(k, KEEPER_EVENT_AUDIT_PASSED, keeper_object_of(c), c->peer);
    if (keeper_chore_look(c)->verify != NULL)
        keeper_verify_part(k, c, OK);
    uint64_t left_s =
        c->until_s > keeper_unix_s(k) ? c->until_s - keeper_unix_s(k) : 0;
    if (left_s < k->config.receipt_ms / 1000 / RENEW_PART)
        (void)keeper_ask_status(k, keeper_object_of(c),
                                c->peer); /* or next time */
    keeper_audit_plan(k, c);
    keeper_touch(k, keeper_object_of(c));
}

/*
 * A wrong digest is a lie.  A missing block may be a copy that was let go, of
 * which we were not told: that is a lie only if the peer says to hold it.
 */
static void failed(struct keeper *k, struct keeper_copy *c, enum err err)
{
    struct keeper_object *o = keeper_object_of(c);
    k->stats.audits_failed++;
    o->urgent = o->urgent || keeper_counts(k, c);
    bool counted = keeper_counts(k, c);
    keeper_refuted(k, c, err != E_NOTFOUND);
    if (counted)
        keeper_set_changed(k, o);
    if (err == E_NOTFOUND)
        c->suspect = keeper_ask_status(k, o, c->peer);
    else
        keeper_tell(k, KEEPER_EVENT_AUDIT_FAILED, o, c->peer)->err = err;
}

static void judge_item(struct keeper *k, struct keeper_audit *a, size_t i)
{
    struct keeper_copy *c = take_item(&a->items[i]);
    if (c == NULL)
        return;
    if (!a->own[i].present)
        no_block_here(k, c);
    else if (!a->answer[i].present)
        failed(k, c, E_NOTFOUND);
    else if (a->items[i].asked || memcmp(a->own[i].bytes, a->answer[i].bytes,
                                         AUDIT_DIGEST_BYTES) != 0)
        failed(k, c, E_MISMATCH);
    else
        passed(k, c, a);
}

static void judge(struct keeper *k, struct keeper_audit *a)
{
    if (!a->has_own || !a->has_answer || a->is_over)
        return;
    for (size_t i = 0; i < a->count; i++)
        judge_item(k, a, i);
    end(a);
}

/* What was read here shows that our own copies are there. */
static void note_read(const struct keeper_audit *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i].object != NULL && a->own[i].present)
            a->items[i].object->unread = false;
    }
}

void keeper_audit_own(struct keeper *k, uint64_t id,
                      const struct audit_digest *digests, size_t count)
{
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_AUDIT_DIGEST);
    if (t == NULL)
        return;
    struct keeper_audit *a = t->audit;
    struct keeper_peer *p = keeper_peer_ref(t->peer);
    if (!a->is_over) {
        assert(count == a->count);
        memcpy(a->own, digests, count * sizeof(*digests));
        a->has_own = true;
        note_read(a);
        judge(k, a);
    }
    keeper_task_free(k, t);
    keeper_audit_peer(k, p);
    keeper_settle(k);
    keeper_peer_unref(k, p);
}

/* Receipts that came with the answer are news for the others. */
static void take_renewed(struct keeper *k, const struct keeper_audit *a)
{
    uint64_t before[STORAGE_AUDIT_ITEMS_MAX] = {0};
    for (size_t i = 0; i < a->count; i++)
        before[i] =
            a->items[i].object == NULL ? 0 : item_copy(&a->items[i])->seq;
    keeper_merge_receipts(k, NULL, a->peer);
    for (size_t i = 0; i < a->count; i++) {
        const struct keeper_copy *c = item_copy(&a->items[i]);
        if (c != NULL && c->seq != before[i])
            keeper_set_changed(k, keeper_object_of(c));
    }
}

void keeper_audit_answer(struct keeper *k, struct keeper_task *t)
{
    struct keeper_audit *a = t->audit;
    if (a->is_over)
        return;
    if (k->in->digests_count != a->count) {
        keeper_bad_peer(k, t->peer, E_MALFORMED);
        keeper_audit_failed(k, t, E_MALFORMED);
        return;
    }
    memcpy(a->answer, k->in->digests, a->count * sizeof(a->answer[0]));
    a->has_answer = true;
    take_renewed(k, a);
    judge(k, a);
}

void keeper_audit_failed(struct keeper *k, struct keeper_task *t, enum err err)
{
    struct keeper_audit *a = t->audit;
    if (a->is_over)
        return;
    k->stats.audits_silent++;
    for (size_t i = 0; i < a->count; i++) {
        struct keeper_copy *c = take_item(&a->items[i]);
        if (c != NULL)
            keeper_silent(k, c);
    }
    if (err != E_REFUSED)
        silence_ready(k, a->peer);
    end(a);
}

bool keeper_on_asked(struct keeper *k, const struct peer_id *peer,
                     const struct cid *cid, struct keeper_now now)
{
    k->now = now;
    struct keeper_peer *p = keeper_peer_find(k, peer);
    if (p == NULL || p->audit == NULL || p->audit->has_answer)
        return false;
    bool found = false;
    for (size_t i = 0; i < p->audit->count; i++) {
        struct keeper_audit_item *item = &p->audit->items[i];
        if (!item->is_picked || !cid_eq(&item->cid, cid))
            continue;
        item->asked = true;
        found = true;
    }
    return found;
}

void keeper_verify_part(struct keeper *k, struct keeper_copy *c, enum err err)
{
    struct keeper_verify *v = keeper_chore_look(c)->verify;
    keeper_chore(c)->verify = NULL;
    if (err != OK && v->err != E_MISMATCH)
        v->err = err;
    if (--v->left > 0)
        return;
    struct keeper_out *out = keeper_emit(k, KEEPER_DONE);
    out->id = v->job;
    out->err = v->err;
    list_remove(&v->link);
    mem_free(v);
}

static struct keeper_object *any_object(const struct keeper *k,
                                        const struct cid *root)
{
    struct keeper_object *o = keeper_object_own(k, root);
    return o != NULL ? o : keeper_index_root(&k->objects, root);
}

static size_t verifies_count(const struct keeper *k)
{
    size_t count = 0;
    list_for_each (link, &k->verifies) {
        count++;
    }
    return count;
}

enum err keeper_verify(struct keeper *k, const struct cid *root,
                       struct keeper_now now, uint64_t *ret_job)
{
    k->now = now;
    struct keeper_object *o = any_object(k, root);
    if (o == NULL)
        return E_NOTFOUND;
    if (verifies_count(k) >= KEEPER_VERIFIES_MAX)
        return E_AGAIN;
    struct keeper_verify *v = mem_zalloc(1, sizeof(*v));
    v->job = k->ids++;
    v->left = 1; /* this call */
    list_add_tail(&k->verifies, &v->link);
    *ret_job = v->job;
    uint32_t copies = 0;
    list_for_each_copy(c, o)
    {
        if (!keeper_counts(k, c) || c->peer == k->self ||
            keeper_chore_look(c)->verify != NULL)
            continue;
        keeper_chore(c)->verify = v;
        v->left++;
        copies++;
        if (keeper_chore_look(c)->audit == NULL)
            keeper_audit_now(k, c);
    }
    if (copies == 0)
        v->err = E_NOTFOUND;
    if (--v->left == 0) {
        struct keeper_out *out = keeper_emit(k, KEEPER_DONE);
        out->id = v->job;
        out->err = v->err;
        list_remove(&v->link);
        mem_free(v);
    }
    keeper_settle(k);
    return OK;
}
