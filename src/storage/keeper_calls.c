#include <assert.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "storage/keeper_priv.h"
#include "storage/keeper_status_priv.h"

/*
 * Requests to peers, their answers, and the telling of sets: after a change
 * each fellow, and the owner, is behind by a generation until it has
 * acknowledged a set of that generation.
 */

void keeper_out_begin(struct keeper *k, enum storage_message_type type,
                      const struct keeper_object *o)
{
    struct storage_message *m = k->out;
    m->type = type;
    m->record = BYTES_EMPTY;
    m->receipts_count = 0;
    m->reason = STORAGE_REASON_OTHER;
    m->state = STORAGE_STATE_NONE;
    m->blocks = 0;
    m->size_bytes = 0;
    m->items_count = 0;
    m->digests_count = 0;
    m->cids_count = 0;
    m->cursor = BYTES_EMPTY;
    m->records_count = 0;
    if (o == NULL)
        return;
    m->root = keeper_root(o);
    memcpy(m->owner, keeper_owner(k, o), sizeof(m->owner));
}

/*
 * Records and receipts of a message are encoded one behind the other in the
 * scratch memory; the message itself goes into a buf.
 */
static struct bytes scratch_part(const struct wr *w, const uint8_t *start)
{
    assert(w->err == OK);
    return (struct bytes){.p = start, .len = (size_t)(w->pos - start)};
}

static size_t scratch_used(const struct keeper *k)
{
    const struct storage_message *m = k->out;
    size_t used = m->record.len;
    for (size_t i = 0; i < m->receipts_count; i++)
        used += m->receipts[i].len;
    for (size_t i = 0; i < m->records_count; i++)
        used += m->records[i].len;
    return used;
}

static struct wr scratch_wr(struct keeper *k)
{
    size_t used = scratch_used(k);
    return wr_init(k->scratch + used, STORAGE_MESSAGE_BYTES_MAX - used);
}

void keeper_put_record(struct keeper *k, const struct checked_object *contract)
{
    struct wr w = scratch_wr(k);
    const uint8_t *start = w.pos;
    object_write(&w, contract);
    k->out->record = scratch_part(&w, start);
}

/*
 * The same fields and key give the same signature as before.
 *
 * Return: false for fields that never were in a receipt: the row was damaged.
 */
static bool sign_again(const struct keeper *k, struct storage_receipt *receipt)
{
    struct checked_receipt checked;
    if (receipt_sign(receipt, k->key, &checked) != OK)
        return false;
    *receipt = checked.receipt;
    return true;
}

static void put_receipt(struct keeper *k, const struct keeper_object *o,
                        const struct keeper_copy *c)
{
    struct storage_message *m = k->out;
    if (m->receipts_count == STORAGE_RECEIPTS_BATCH_MAX)
        return;
    const uint8_t *hash = keeper_hash_at(k, o, c->hash_index);
    if (hash == NULL)
        return; /* for a record that is long gone */
    struct storage_receipt receipt = {.root = keeper_root(o),
                                      .holder = c->peer->id,
                                      .stored_s = c->stored_s,
                                      .until_s = c->until_s,
                                      .seq = c->seq};
    memcpy(receipt.network, k->network, sizeof(receipt.network));
    memcpy(receipt.owner, keeper_owner(k, o), sizeof(receipt.owner));
    memcpy(receipt.record_hash, hash, sizeof(receipt.record_hash));
    if (c->peer != k->self)
        memcpy(receipt.sig, keeper_sig(c), sizeof(receipt.sig));
    else if (!sign_again(k, &receipt))
        return;
    struct wr w = scratch_wr(k);
    const uint8_t *start = w.pos;
    receipt_encode(&w, &receipt);
    m->receipts[m->receipts_count++] = scratch_part(&w, start);
}

void keeper_add_record(struct keeper *k, const struct checked_object *contract)
{
    struct wr w = scratch_wr(k);
    const uint8_t *start = w.pos;
    object_write(&w, contract);
    k->out->records[k->out->records_count++] = scratch_part(&w, start);
}

/* Nobody is to let his copy go because of ours when we leave. */
static bool is_ours_told(const struct keeper *k, const struct keeper_object *o)
{
    return keeper_has_all(o) &&
           (k->leave_job == 0 || k->out->type != STORAGE_STATE);
}

void keeper_put_receipts(struct keeper *k, const struct keeper_object *o)
{
    size_t max = k->out->type == STORAGE_OBJECTS ? STORAGE_RECEIPTS_BATCH_MAX
                                                 : STORAGE_RECEIPTS_MAX;
    list_for_each_copy(c, o)
    {
        bool is_told = c->peer != k->self || is_ours_told(k, o);
        if (keeper_counts(k, c) && is_told && k->out->receipts_count < max)
            put_receipt(k, o, c);
    }
}

/*
 * Of those too that are lost to us only, gone from our sight or refuted: each
 * sees for itself, and two sets that both sides of a quarrel have placed learn
 * of each other.
 */
static void put_lost_receipts(struct keeper *k, const struct keeper_object *o)
{
    list_for_each_copy(c, o)
    {
        if (keeper_is_lost_to_us(k, c) &&
            k->out->receipts_count < STORAGE_RECEIPTS_MAX)
            put_receipt(k, o, c);
    }
}

void keeper_put_own_receipt(struct keeper *k, const struct keeper_object *o)
{
    if (keeper_has_all(o))
        put_receipt(k, o, keeper_self(o));
}

static struct buf *encode_out(struct keeper *k)
{
    struct buf *data = buf_new(STORAGE_MESSAGE_BYTES_MAX);
    struct wr w = wr_init(data->data, data->max);
    storage_message_encode(&w, k->out);
    assert(w.err == OK);
    struct buf *exact =
        buf_copy((struct bytes){.p = data->data, .len = wr_len(&w)});
    buf_unref(data);
    return exact;
}

struct keeper_task *keeper_call(struct keeper *k, struct keeper_peer *peer,
                                struct keeper_object *o)
{
    assert(peer != k->self);
    /* Of MINE there is one a peer; its next page must not get lost. */
    if (peer->calls >= KEEPER_PEER_CALLS_MAX && k->out->type != STORAGE_MINE)
        return NULL;
    struct keeper_task *t = keeper_task_new(k, KEEPER_TASK_CALL, o, peer);
    t->type = k->out->type;
    peer->calls++;
    struct keeper_out *out = keeper_emit(k, KEEPER_SEND);
    out->id = t->id;
    out->peer = peer->id;
    out->data = encode_out(k);
    out->timeout_ms = k->config.request_ms;
    if (t->type == STORAGE_FETCHBACK)
        out->timeout_ms = k->config.request_ms * 3;
    return t;
}

void keeper_answer(struct keeper *k, uint64_t id)
{
    struct keeper_out *out = keeper_emit(k, KEEPER_REPLY);
    out->id = id;
    out->data = encode_out(k);
}

void keeper_refuse(struct keeper *k, uint64_t id, enum storage_reason reason,
                   const struct checked_object *contract)
{
    keeper_out_begin(k, STORAGE_REFUSE, NULL);
    k->out->reason = reason;
    if (contract != NULL)
        keeper_put_record(k, contract);
    keeper_answer(k, id);
}

bool keeper_read_cursor(struct keeper *k, uint64_t id, uint64_t *ret_after)
{
    struct rd r = rd_init(k->in->cursor);

    *ret_after = k->in->cursor.len > 0 ? rd_be64(&r) : 0;
    if (rd_finish(&r) == OK)
        return true;
    keeper_refuse(k, id, STORAGE_REASON_INVALID, NULL);
    return false;
}

bool keeper_ask_status(struct keeper *k, struct keeper_object *o,
                       struct keeper_peer *peer)
{
    keeper_out_begin(k, STORAGE_STATUS, o);
    return keeper_call(k, peer, o) != NULL;
}

void keeper_notice(struct keeper *k, struct keeper_object *o,
                   struct keeper_peer *peer, enum storage_reason reason)
{
    keeper_out_begin(k, STORAGE_NOTICE, o);
    k->out->reason = reason;
    (void)keeper_call(k, peer, NULL); /* else an audit finds out */
}

void keeper_send_receipt(struct keeper *k, struct keeper_object *o)
{
    if (keeper_look(o)->placer == NULL) {
        keeper_set_changed(k, o);
        return;
    }
    keeper_out_begin(k, STORAGE_RECEIPT, NULL);
    keeper_put_own_receipt(k, o);
    if (keeper_call(k, keeper_look(o)->placer, o) == NULL)
        keeper_set_changed(k, o);
}

void keeper_set_changed(struct keeper *k, struct keeper_object *o)
{
    o->set_generation++;
    list_for_each_copy(c, o)
    {
        c->told = false;
        if (c->has_chore)
            keeper_chore(c)->tell_at = k->now.mono;
    }
    keeper_touch(k, o);
}

/*
 * It hears of the copy from us: at once, but then at most once a grace, since
 * it may have reason not to count it.
 */
void keeper_tell_back(struct keeper *k, struct keeper_object *o,
                      const struct keeper_peer *from)
{
    struct keeper_copy *c = keeper_owner_copy(o);
    if (c == NULL || c->peer != from)
        c = keeper_copy_find(o, &from->id);
    if (c == NULL || (!c->is_owner && !keeper_counts(k, c)))
        return;
    struct keeper_chore *chore = keeper_chore(c);
    if (mtime_reached(k->now.mono, chore->retell_at))
        chore->tell_at = k->now.mono;
    else
        chore->tell_at = chore->retell_at;
    chore->retell_at = mtime_add_ms(chore->tell_at, k->config.grace_ms);
    c->told = false;
    if (o->set_generation == 0)
        o->set_generation = 1;
    keeper_touch(k, o);
}

/*
 * The owner is told when it is there; it is not looked for.  When it comes all
 * its objects are looked at again.
 */
static bool is_to_be_told(const struct keeper *k, const struct keeper_copy *c)
{
    if (c->peer == k->self || c->telling || c->told ||
        keeper_object_of(c)->set_generation == 0)
        return false;
    return c->is_owner ? c->peer->connected : keeper_counts(k, c);
}

void keeper_tell_check(struct keeper *k, struct keeper_object *o)
{
    /* Who acts may know more, or less, than who did so before. */
    if (o->set_generation == 0 && keeper_is_acting(k, o))
        o->set_generation = 1;
    list_for_each_copy(c, o)
    {
        if (!is_to_be_told(k, c))
            continue;
        struct keeper_chore *chore = keeper_chore(c);
        if (!mtime_reached(k->now.mono, chore->tell_at)) {
            keeper_wake(k, o, chore->tell_at);
            continue;
        }
        if (!list_empty(&chore->tell))
            continue;
        list_add_tail(&c->peer->tell, &chore->tell);
        keeper_tell_peer(k, c->peer);
    }
}

static struct keeper_copy *next_tell(struct keeper *k, struct keeper_peer *p)
{
    while (!list_empty(&p->tell)) {
        struct list *link = list_first(&p->tell);
        struct keeper_copy *c =
            keeper_chore_copy(container_of(link, struct keeper_chore, tell));
        list_remove(link);
        if (is_to_be_told(k, c))
            return c;
    }
    return NULL;
}

void keeper_tell_peer(struct keeper *k, struct keeper_peer *p)
{
    if (!k->started)
        return;
    if (!mtime_reached(k->now.mono, p->quiet_until)) {
        keeper_heap_sooner(&k->heap, &p->timer, p->quiet_until);
        return;
    }
    while (p->tells < KEEPER_PEER_TELLS_MAX &&
           p->calls < KEEPER_PEER_CALLS_MAX) {
        struct keeper_copy *c = next_tell(k, p);
        if (c == NULL)
            return;
        keeper_out_begin(k, STORAGE_HOLDERS, keeper_object_of(c));
        struct keeper_object *o = keeper_object_of(c);
        keeper_put_receipts(k, o);
        put_lost_receipts(k, o);
        struct keeper_task *t = keeper_call(k, p, o);
        assert(t != NULL);
        t->generation = o->set_generation;
        c->telling = true;
        p->tells++;
    }
}

/* The copy of the peer of @t, also that of the owner; or NULL. */
static struct keeper_copy *copy_of_task(const struct keeper_task *t)
{
    if (t->object == NULL)
        return NULL;
    struct keeper_copy *c = keeper_copy_find(t->object, &t->peer->id);
    struct keeper_copy *owner = keeper_owner_copy(t->object);
    if (c == NULL && owner != NULL && owner->peer == t->peer)
        c = owner;
    return c;
}

static struct keeper_copy *end_telling(const struct keeper_task *t)
{
    t->peer->tells--;
    struct keeper_copy *c = copy_of_task(t);
    if (c != NULL)
        c->telling = false;
    return c;
}

static void on_told(struct keeper *k, struct keeper_task *t)
{
    struct keeper_copy *c = end_telling(t);
    if (c != NULL && t->generation == t->object->set_generation)
        c->told = true;
    keeper_tell_peer(k, t->peer);
}

static void on_not_told(struct keeper *k, struct keeper_task *t)
{
    struct keeper_peer *p = t->peer;
    p->quiet_until = keeper_after(k, k->config.grace_ms / 4);
    struct keeper_copy *c = end_telling(t);
    if (c != NULL && list_empty(&keeper_chore(c)->tell))
        list_add_tail(&p->tell, &keeper_chore(c)->tell);
    keeper_heap_sooner(&k->heap, &p->timer, p->quiet_until);
}

/* A fellow does not hold it, or holds it by a newer record. */
static void on_told_refused(struct keeper *k, struct keeper_task *t)
{
    struct keeper_copy *c = end_telling(t);
    if (c == NULL)
        return;
    c->told = t->generation == t->object->set_generation;
    if (k->in->record.len > 0 &&
        keeper_merge_record(k, t->object, k->in->record, t->peer))
        return;
    if (k->in->reason == STORAGE_REASON_UNKNOWN && !c->is_owner &&
        keeper_counts(k, c))
        keeper_withdrawn(k, c);
}

/* It had not got a block.  One that says to hold nothing has told the truth. */
static void judge_suspect(struct keeper *k, struct keeper_copy *c)
{
    if (c->suspect && k->in->state == STORAGE_STATE_KEPT)
        keeper_tell(k, KEEPER_EVENT_AUDIT_FAILED, keeper_object_of(c), c->peer)
            ->err = E_NOTFOUND;
    c->suspect = false;
}

static void note_progress(const struct keeper *k, struct keeper_copy *c)
{
    const struct keeper_object *o = keeper_object_of(c);
    struct keeper_chore *chore = keeper_chore(c);
    uint64_t bytes = k->in->size_bytes;
    uint64_t blocks = k->in->blocks;
    chore->pulled_bytes = bytes < o->size_bytes ? bytes : o->size_bytes;
    chore->pulled_blocks = blocks < o->blocks ? blocks : o->blocks;
}

static void on_state(struct keeper *k, struct keeper_task *t)
{
    struct keeper_object *o = t->object;
    if (o == NULL)
        return;
    if (k->in->record.len > 0)
        (void)keeper_merge_record(k, o, k->in->record, t->peer);
    keeper_merge_receipts(k, o, t->peer);
    struct keeper_copy *c = copy_of_task(t);
    if (c == NULL || c->is_owner)
        return;
    judge_suspect(k, c);
    if (mtime_reached(t->began, keeper_look(o)->trim_began))
        c->talked = keeper_in_has_receipt(k, c);
    if (c->has_chore)
        keeper_chore(c)->polls_failed = 0;
    keeper_touch(k, o);
    switch (k->in->state) {
    case STORAGE_STATE_PULLING:
        if (c->state != KEEPER_HOLDER_PULLING && keeper_counts(k, c))
            keeper_lost_copy(k, c, 0);
        note_progress(k, c);
        break;
    case STORAGE_STATE_KEPT:
        /* An owner may have no blocks to audit by; a holder has them. */
        if (!c->hearsay || o->role == KEEPER_OWNER)
            keeper_alive(k, c);
        break;
    case STORAGE_STATE_NONE:
    case STORAGE_STATE_RELEASED:
    case STORAGE_STATE_OWNED:
        keeper_withdrawn(k, c);
        break;
    }
    keeper_looked(k, c, true, OK);
}

static void on_state_failed(struct keeper *k, struct keeper_task *t,
                            enum err err)
{
    struct keeper_copy *c = copy_of_task(t);
    if (c == NULL || c->is_owner)
        return;
    keeper_looked(k, c, false, err);
    if (c->state == KEEPER_HOLDER_PULLING &&
        ++keeper_chore(c)->polls_failed >= KEEPER_POLLS_FAILED_MAX)
        keeper_lost_copy(k, c, k->config.grace_ms);
}

static void on_answer(struct keeper *k, struct keeper_task *t)
{
    switch (t->type) {
    case STORAGE_OFFER:
    case STORAGE_HANDOVER:
        keeper_on_accept(k, t);
        break;
    case STORAGE_RELEASE:
        if (t->object != NULL)
            keeper_on_released(k, t->object, t->peer);
        break;
    case STORAGE_STATUS:
        on_state(k, t);
        break;
    case STORAGE_HOLDERS:
        on_told(k, t);
        break;
    case STORAGE_AUDIT:
        keeper_audit_answer(k, t);
        break;
    case STORAGE_FETCHBACK:
        keeper_on_fetched_back(k, t, true);
        break;
    case STORAGE_MINE:
        keeper_on_records(k, t, true);
        break;
    case STORAGE_RECEIPT:
    case STORAGE_NOTICE:
    case STORAGE_OK:
    case STORAGE_REFUSE:
    case STORAGE_ACCEPT:
    case STORAGE_STATE:
    case STORAGE_DIGESTS:
    case STORAGE_FETCHED:
    case STORAGE_RECORDS:
    case STORAGE_OBJECTS:
    case STORAGE_ABOUT: /* surveys ask */
    case STORAGE_UNKNOWN:
        break;
    }
}

/* Our receipt did not reach who placed the copy: all others are told. */
static void on_receipt_failed(struct keeper *k, struct keeper_task *t)
{
    if (t->object != NULL)
        keeper_set_changed(k, t->object);
}

static void release_refused(struct keeper *k, struct keeper_task *t)
{
    bool is_none = k->in->reason == STORAGE_REASON_UNKNOWN ||
                   k->in->reason == STORAGE_REASON_STALE;
    if (t->object != NULL && is_none)
        keeper_on_released(k, t->object, t->peer);
    else
        keeper_on_not_released(k, t);
}

static void on_no_answer(struct keeper *k, struct keeper_task *t, enum err err)
{
    switch (t->type) {
    case STORAGE_OFFER:
    case STORAGE_HANDOVER:
        keeper_on_no_accept(k, t, STORAGE_REASON_OTHER, false);
        break;
    case STORAGE_HOLDERS:
        on_not_told(k, t);
        break;
    case STORAGE_AUDIT:
        keeper_audit_failed(k, t, err);
        break;
    case STORAGE_FETCHBACK:
        keeper_on_fetched_back(k, t, false);
        break;
    case STORAGE_MINE:
        keeper_on_records(k, t, false);
        break;
    case STORAGE_STATUS:
        on_state_failed(k, t, err);
        break;
    case STORAGE_RECEIPT:
        on_receipt_failed(k, t);
        break;
    case STORAGE_RELEASE:
        keeper_on_not_released(k, t);
        break;
    case STORAGE_NOTICE:
    case STORAGE_OK:
    case STORAGE_REFUSE:
    case STORAGE_ACCEPT:
    case STORAGE_STATE:
    case STORAGE_DIGESTS:
    case STORAGE_FETCHED:
    case STORAGE_RECORDS:
    case STORAGE_OBJECTS:
    case STORAGE_ABOUT: /* surveys ask */
    case STORAGE_UNKNOWN:
        break;
    }
}

/* A refusal says more than silence where a reason counts. */
static void on_refused(struct keeper *k, struct keeper_task *t)
{
    if (t->type == STORAGE_OFFER || t->type == STORAGE_HANDOVER)
        keeper_on_no_accept(k, t, k->in->reason, true);
    else if (t->type == STORAGE_RELEASE)
        release_refused(k, t);
    else if (t->type == STORAGE_HOLDERS)
        on_told_refused(k, t);
    else
        on_no_answer(k, t, E_REFUSED);
}

static void finish_call(struct keeper *k, struct keeper_task *t)
{
    struct keeper_peer *p = keeper_peer_ref(t->peer);
    bool recovers = t->recovers;
    if (t->object != NULL)
        keeper_touch(k, t->object);
    keeper_task_free(k, t);
    if (recovers)
        keeper_on_expected(k);
    keeper_audit_peer(k, p);
    keeper_tell_peer(k, p);
    keeper_settle(k);
    keeper_peer_unref(k, p);
}

void keeper_on_reply(struct keeper *k, uint64_t id, struct bytes message,
                     struct keeper_now now)
{
    k->now = now;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_CALL);
    if (t == NULL)
        return;
    enum err err = storage_message_decode(message, k->in);
    if (err == OK && !storage_answers(t->type, k->in->type))
        err = E_MALFORMED;
    if (err != OK) {
        keeper_bad_peer(k, t->peer, err);
        on_no_answer(k, t, err);
    } else if (k->in->type == STORAGE_REFUSE) {
        on_refused(k, t);
    } else {
        on_answer(k, t);
    }
    finish_call(k, t);
}

void keeper_on_failed(struct keeper *k, uint64_t id, enum err err,
                      struct keeper_now now)
{
    k->now = now;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_CALL);
    if (t == NULL)
        return;
    on_no_answer(k, t, err);
    finish_call(k, t);
}
