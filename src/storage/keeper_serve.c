#include <assert.h>

#include "base/mem.h"
#include "base/wr.h"
#include "storage/keeper_priv.h"
#include "storage/keeper_status_priv.h"

/*
 * Requests of peers: counted, decoded, answered; now, or when the blocks were
 * read or the row is written.
 */

enum {
    SERVE_SAVED_MS = 2000, /* credit of a peer that asked nothing */
    SERVE_DEBT_MS = 2000,  /* refused up to here, dropped beyond */
    SERVE_ITEMS = 16,      /* of an audit, which cost as much as a request */
};

/* Whether @p may ask: more than 0 answered, 0 refused, below 0 dropped. */
static int take_token(struct keeper *k, struct keeper_peer *p)
{
    uint64_t all = SERVE_DEBT_MS + SERVE_SAVED_MS;
    uint64_t cost = 1000 / k->config.serves_per_s;
    p->tokens_ms += mtime_ms_since(p->tokens_at, k->now.mono);
    p->tokens_at = k->now.mono;
    if (p->tokens_ms > all)
        p->tokens_ms = all;
    if (p->tokens_ms < cost)
        return -1;
    p->tokens_ms -= cost;
    return p->tokens_ms < SERVE_DEBT_MS ? 0 : 1;
}

/*
 * Who asks is remembered until all its credit is back, and a table of them has
 * an end: else who holds nothing here would begin anew with each request.
 */
static void remember(struct keeper *k, struct keeper_peer *p)
{
    uint64_t all = SERVE_DEBT_MS + SERVE_SAVED_MS;
    if (list_empty(&p->asking))
        keeper_peer_ref(p);
    list_remove(&p->asking);
    list_add_tail(&k->askers, &p->asking);
    for (;;) {
        struct keeper_peer *oldest =
            container_of(list_first(&k->askers), struct keeper_peer, asking);
        if (oldest == p || mtime_ms_since(oldest->tokens_at, k->now.mono) < all)
            return;
        list_remove(&oldest->asking);
        keeper_peer_unref(k, oldest);
    }
}

void keeper_on_asker(struct keeper *k, const struct peer_id *peer,
                     uint64_t group, struct keeper_now now)
{
    k->now = now;
    struct keeper_peer *p = keeper_peer_get(k, peer);
    if (p == NULL)
        return;
    if (group != 0)
        p->group = group;
    remember(k, p);
}

/*
 * Pay for @more requests beside this one.  Who cannot is refused; that it asked
 * counts no more than any request does.
 */
static bool pay_more(const struct keeper *k, struct keeper_peer *p, size_t more)
{
    uint64_t cost = more * 1000 / k->config.serves_per_s;
    if (p->tokens_ms < SERVE_DEBT_MS + cost)
        return false;
    p->tokens_ms -= cost;
    return true;
}

static enum storage_state state_of(const struct keeper_object *o)
{
    if (o->role == KEEPER_OWNER)
        return STORAGE_STATE_OWNED;
    switch (o->phase) {
    case KEEPER_PHASE_PULLING:
    case KEEPER_PHASE_KEEPING:
        return STORAGE_STATE_PULLING;
    case KEEPER_PHASE_HELD:
        return keeper_has_all(o) ? STORAGE_STATE_KEPT : STORAGE_STATE_PULLING;
    case KEEPER_PHASE_RELEASING:
    case KEEPER_PHASE_TOMB:
        return STORAGE_STATE_RELEASED;
    }
    return STORAGE_STATE_NONE;
}

static void put_progress(struct keeper *k, const struct keeper_object *o)
{
    bool is_pulling =
        o->role == KEEPER_HOLDER &&
        (o->phase == KEEPER_PHASE_PULLING || keeper_look(o)->mending);
    if (k->out->state != STORAGE_STATE_KEPT &&
        k->out->state != STORAGE_STATE_PULLING)
        return;
    k->out->blocks = is_pulling ? keeper_look(o)->pulled_blocks : o->blocks;
    k->out->size_bytes =
        is_pulling ? keeper_look(o)->pulled_bytes : o->size_bytes;
}

static void serve_status(struct keeper *k, uint64_t id)
{
    struct keeper_object *o = keeper_object_find(k, &k->in->root, k->in->owner);
    keeper_out_begin(k, STORAGE_STATE, o);
    if (o != NULL) {
        k->out->state = state_of(o);
        put_progress(k, o);
        keeper_put_record(k, keeper_contract(k, o));
        keeper_put_receipts(k, o);
    }
    keeper_answer(k, id);
}

static bool is_release_known(const struct keeper_object *o)
{
    return keeper_is_release(o);
}

/*
 * Whether all receipts of the message name a record that is neither ours nor
 * the one before: the sender has missed more than one, or we have.
 */
static bool is_of_other_record(struct keeper *k, const struct keeper_object *o)
{
    struct storage_receipt receipt;
    for (size_t i = 0; i < k->in->receipts_count; i++) {
        if (receipt_decode(k->in->receipts[i], &receipt) == OK &&
            keeper_hash_index(k, o, receipt.record_hash) <= 1)
            return false;
    }
    return k->in->receipts_count > 0;
}

bool keeper_in_has_receipt(const struct keeper *k, const struct keeper_copy *c)
{
    struct storage_receipt receipt;
    for (size_t i = 0; i < k->in->receipts_count; i++) {
        if (receipt_decode(k->in->receipts[i], &receipt) == OK &&
            peer_id_eq(&receipt.holder, &c->peer->id))
            return true;
    }
    return false;
}

/* Whether the set in the message lacks a copy that is well, ours or another. */
static bool is_set_lacking(const struct keeper *k,
                           const struct keeper_object *o)
{
    list_for_each_copy(c, o)
    {
        if (keeper_is_well(k, c) && !keeper_in_has_receipt(k, c) &&
            (c->peer != k->self || keeper_has_all(o)))
            return true;
    }
    return false;
}

static void serve_holders(struct keeper *k, struct keeper_peer *from,
                          uint64_t id)
{
    struct keeper_object *o = keeper_object_find(k, &k->in->root, k->in->owner);
    if (o == NULL) {
        keeper_refuse(k, id, STORAGE_REASON_UNKNOWN, NULL);
        return;
    }
    if (is_release_known(o)) {
        keeper_refuse(k, id, STORAGE_REASON_STALE, keeper_contract(k, o));
        return;
    }
    keeper_merge_receipts(k, o, from);
    if (is_of_other_record(k, o)) {
        keeper_refuse(k, id, STORAGE_REASON_STALE, keeper_contract(k, o));
        return; /* the newer of the two records wins at both ends */
    }
    keeper_heard(k, o, from);
    if (is_set_lacking(k, o))
        keeper_tell_back(k, o, from);
    keeper_row_wait(k, o, id, STORAGE_OK); /* it will not be told again */
}

static void serve_notice(struct keeper *k, struct keeper_peer *from,
                         uint64_t id)
{
    struct keeper_object *o = keeper_object_find(k, &k->in->root, k->in->owner);
    struct keeper_copy *c = o == NULL ? NULL : keeper_copy_find(o, &from->id);
    if (c != NULL && is_release_known(o)) {
        keeper_on_released(k, o, from);
    } else if (c != NULL) {
        if (c->state == KEEPER_HOLDER_PULLING)
            keeper_tell(k, KEEPER_EVENT_REFUSED, o, from)->reason =
                storage_reason_name(k->in->reason);
        bool counted = keeper_counts(k, c);
        keeper_withdrawn(k, c);
        if (counted && k->in->reason == STORAGE_REASON_SURPLUS)
            keeper_repair_undone(k, o);
    }
    keeper_out_begin(k, STORAGE_OK, NULL);
    keeper_answer(k, id);
}

static void serve_receipt(struct keeper *k, struct keeper_peer *from,
                          uint64_t id)
{
    keeper_merge_receipts(k, NULL, from);
    keeper_out_begin(k, STORAGE_OK, NULL);
    keeper_answer(k, id);
}

/* Whether any object with @root is here; the auditor was heard for each. */
static bool is_here(struct keeper *k, const struct cid *root,
                    struct keeper_peer *from)
{
    bool found = false;
    for (struct keeper_object *o = keeper_index_root(&k->objects, root);
         o != NULL; o = keeper_index_same(o)) {
        if (o->role != KEEPER_HOLDER || o->phase != KEEPER_PHASE_HELD)
            continue;
        found = true;
        keeper_heard(k, o, from);
        keeper_claimed(k, o, from); /* who audits has it, or says so */
    }
    return found;
}

static void serve_audit(struct keeper *k, struct keeper_peer *from, uint64_t id)
{
    const struct storage_message *m = k->in;
    if (from->serving >= KEEPER_PEER_SERVING_MAX ||
        !pay_more(k, from, m->items_count / SERVE_ITEMS)) {
        keeper_refuse(k, id, STORAGE_REASON_BUSY, NULL);
        return;
    }
    struct keeper_task *t =
        keeper_task_new(k, KEEPER_TASK_SERVE_DIGEST, NULL, from);
    t->roots = mem_zalloc(m->items_count, sizeof(*t->roots));
    t->places = mem_zalloc(m->items_count, sizeof(*t->places));
    t->asked = m->items_count;
    t->generation = 0;
    struct cid *cids = mem_zalloc(m->items_count, sizeof(*cids));
    for (size_t i = 0; i < m->items_count; i++) {
        if (!is_here(k, &m->items[i].root, from))
            continue;
        t->roots[t->count] = m->items[i].root;
        t->places[t->count] = i;
        cids[t->count++] = m->items[i].cid;
    }
    from->serving++;
    t->began.ns = id; /* of the request; a task has one time only */
    if (t->count == 0) {
        mem_free(cids);
        keeper_on_digests(k, t->id, NULL, 0, k->now);
        return;
    }
    struct keeper_out *out = keeper_emit(k, KEEPER_DIGEST);
    out->id = t->id;
    out->cids = cids;
    out->cids_count = t->count;
    out->auditor = from->id;
    out->peer = k->self->id;
    memcpy(out->nonce, m->nonce, sizeof(out->nonce));
}

/* Sign anew what is past half of its life, so that the auditor has it. */
static void renew_receipts(struct keeper *k, const struct cid *root)
{
    uint64_t half_s = k->config.receipt_ms / 2000;
    for (struct keeper_object *o = keeper_index_root(&k->objects, root);
         o != NULL; o = keeper_index_same(o)) {
        const struct keeper_copy *self = keeper_self(o);
        if (o->role != KEEPER_HOLDER || !keeper_has_all(o))
            continue;
        if (self->until_s < keeper_unix_s(k) + half_s)
            keeper_sign_own(k, o);
        /* Again for a while: the answer with a new one may get lost. */
        if (self->seq + UINT64_C(2) * k->config.audit_ms > k->now.unix_ms)
            keeper_put_own_receipt(k, o);
    }
}

/*
 * Only who shares the object may have it looked through: an auditor may name
 * any block, also one that is not of it.
 */
static bool is_fellow(const struct keeper *k, const struct keeper_object *o,
                      const struct keeper_peer *peer)
{
    return keeper_owner_peer(k, o) == peer ||
           keeper_copy_find(o, &peer->id) != NULL;
}

static void mend_root(struct keeper *k, const struct cid *root,
                      const struct keeper_peer *auditor)
{
    for (struct keeper_object *o = keeper_index_root(&k->objects, root);
         o != NULL; o = keeper_index_same(o)) {
        if (o->role == KEEPER_HOLDER && o->phase == KEEPER_PHASE_HELD &&
            is_fellow(k, o, auditor))
            keeper_mend(k, o);
    }
}

static void answer_audit(struct keeper *k, const struct keeper_task *t,
                         const struct audit_digest *digests)
{
    keeper_out_begin(k, STORAGE_DIGESTS, NULL);
    struct storage_message *m = k->out;
    m->digests_count = t->asked;
    memset(m->digests, 0, sizeof(m->digests));
    for (size_t i = 0; i < t->count; i++) {
        m->digests[t->places[i]] = digests[i];
        if (digests[i].present)
            renew_receipts(k, &t->roots[i]);
        else
            mend_root(k, &t->roots[i], t->peer);
    }
    k->stats.audits_served++;
    keeper_answer(k, t->began.ns);
}

void keeper_on_digests(struct keeper *k, uint64_t id,
                       const struct audit_digest *digests, size_t count,
                       struct keeper_now now)
{
    k->now = now;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_SERVE_DIGEST);
    if (t == NULL) {
        keeper_audit_own(k, id, digests, count);
        return;
    }
    assert(count == t->count);
    t->peer->serving--;
    answer_audit(k, t, digests);
    keeper_task_free(k, t);
    keeper_settle(k);
}

static void serve_fetchback(struct keeper *k, struct keeper_peer *from,
                            uint64_t id)
{
    const struct storage_message *m = k->in;
    if (from->serving >= KEEPER_PEER_SERVING_MAX ||
        k->fetchbacks_count >= KEEPER_FETCHBACKS_MAX ||
        !pay_more(k, from, m->cids_count - 1)) {
        keeper_refuse(k, id, STORAGE_REASON_BUSY, NULL);
        return;
    }
    if (peer_id_eq(&m->holder, &k->self->id)) {
        keeper_refuse(k, id, STORAGE_REASON_INVALID, NULL);
        return;
    }
    struct keeper_task *t =
        keeper_task_new(k, KEEPER_TASK_SERVE_FETCH, NULL, from);
    t->began.ns = id; /* of the request; a task has one time only */
    from->serving++;
    k->fetchbacks_count++;
    struct keeper_out *out = keeper_emit(k, KEEPER_FETCHBACK);
    out->id = t->id;
    out->root = m->root;
    out->peer = m->holder;
    out->cids = mem_dup(m->cids, m->cids_count * sizeof(m->cids[0]));
    out->cids_count = m->cids_count;
    out->timeout_ms = k->config.request_ms * 2;
}

static enum storage_result result_of(enum err err)
{
    if (err == OK)
        return STORAGE_FETCH_OK;
    if (err == E_NOTFOUND)
        return STORAGE_FETCH_MISSING;
    if (err == E_MISMATCH)
        return STORAGE_FETCH_WRONG;
    if (err == E_TIMEOUT)
        return STORAGE_FETCH_SLOW;
    return STORAGE_FETCH_UNREACHABLE;
}

void keeper_on_fetched(struct keeper *k, uint64_t id, enum err err,
                       struct keeper_now now)
{
    k->now = now;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_SERVE_FETCH);
    if (t == NULL)
        return;
    t->peer->serving--;
    k->fetchbacks_count--;
    keeper_out_begin(k, STORAGE_FETCHED, NULL);
    k->out->result = result_of(err);
    keeper_answer(k, t->began.ns);
    keeper_task_free(k, t);
    keeper_settle(k);
}

static bool is_listed(const struct keeper_copy *c,
                      const struct keeper_object *o)
{
    return c->is_owner && o->role == KEEPER_HOLDER &&
           o->phase != KEEPER_PHASE_TOMB && o->phase != KEEPER_PHASE_RELEASING;
}

/* The objects of an owner are in the list of its peer by age, like the ids. */
static void put_records(struct keeper *k, const struct keeper_peer *owner,
                        uint64_t after, uint8_t *cursor)
{
    struct storage_message *m = k->out;
    uint64_t last = 0;
    size_t used = 0;
    list_for_each (link, &owner->copies) {
        const struct keeper_copy *c =
            container_of(link, struct keeper_copy, of_peer);
        const struct keeper_object *o = keeper_object_of(c);
        if (o->id <= after || !is_listed(c, o))
            continue;
        if (m->records_count == STORAGE_RECORDS_MAX) {
            struct wr w = wr_init(cursor, KEEPER_CURSOR_BYTES);
            wr_be64(&w, last);
            m->cursor = (struct bytes){.p = cursor, .len = KEEPER_CURSOR_BYTES};
            return;
        }
        struct wr w =
            wr_init(k->scratch + used, STORAGE_MESSAGE_BYTES_MAX - used);
        object_write(&w, keeper_contract(k, o));
        m->records[m->records_count++] =
            (struct bytes){.p = w.start, .len = wr_len(&w)};
        used += wr_len(&w);
        last = o->id;
    }
}

static void serve_mine(struct keeper *k, struct keeper_peer *from, uint64_t id)
{
    uint64_t now_s = keeper_unix_s(k);
    enum err err = storage_mine_check(k->in, &from->id, &k->self->id, now_s);
    if (err == E_TIMEOUT) {
        /* A wrong clock, its own or ours, is no forgery. */
        keeper_refuse(k, id,
                      k->in->at_s < now_s ? STORAGE_REASON_EXPIRED
                                          : STORAGE_REASON_FUTURE,
                      NULL);
        return;
    }
    if (err != OK) {
        keeper_bad_peer(k, from, E_MISMATCH);
        keeper_refuse(k, id, STORAGE_REASON_INVALID, NULL);
        return;
    }
    uint64_t after;
    if (!keeper_read_cursor(k, id, &after))
        return;
    uint8_t cursor[KEEPER_CURSOR_BYTES];
    const struct keeper_peer *owner = keeper_owner_find(k, k->in->owner);
    keeper_out_begin(k, STORAGE_RECORDS, NULL);
    if (owner != NULL)
        put_records(k, owner, after, cursor);
    keeper_answer(k, id);
}

static void serve(struct keeper *k, struct keeper_peer *from, uint64_t id)
{
    switch (k->in->type) {
    case STORAGE_OFFER:
    case STORAGE_HANDOVER:
        keeper_serve_offer(k, from, id);
        break;
    case STORAGE_RELEASE:
        keeper_serve_release(k, from, id);
        break;
    case STORAGE_RECEIPT:
        serve_receipt(k, from, id);
        break;
    case STORAGE_STATUS:
        serve_status(k, id);
        break;
    case STORAGE_HOLDERS:
        serve_holders(k, from, id);
        break;
    case STORAGE_NOTICE:
        serve_notice(k, from, id);
        break;
    case STORAGE_AUDIT:
        serve_audit(k, from, id);
        break;
    case STORAGE_FETCHBACK:
        serve_fetchback(k, from, id);
        break;
    case STORAGE_MINE:
        serve_mine(k, from, id);
        break;
    case STORAGE_ABOUT:
        keeper_serve_about(k, id);
        break;
    case STORAGE_UNKNOWN:
        keeper_refuse(k, id, STORAGE_REASON_UNSUPPORTED, NULL);
        break;
    case STORAGE_OK:
    case STORAGE_REFUSE:
    case STORAGE_ACCEPT:
    case STORAGE_STATE:
    case STORAGE_DIGESTS:
    case STORAGE_FETCHED:
    case STORAGE_RECORDS:
    case STORAGE_OBJECTS:
        assert(false); /* keeper_serve() lets requests through only */
        break;
    }
}

enum err keeper_serve(struct keeper *k, const struct peer_id *peer,
                      struct bytes message, struct keeper_now now,
                      uint64_t *ret_id)
{
    k->now = now;
    assert(!peer_id_eq(peer, &k->self->id));
    struct keeper_peer *from = keeper_peer_get(k, peer);
    if (from == NULL)
        return E_NOSPACE;
    keeper_peer_ref(from);
    remember(k, from);
    int tokens = take_token(k, from);
    enum err err = tokens < 0 ? E_AGAIN : OK;
    if (err == OK)
        err = storage_message_decode(message, k->in);
    if (err == OK && !storage_is_request(k->in->type))
        err = E_MALFORMED;
    if (err != OK) {
        if (err != E_AGAIN)
            keeper_bad_peer(k, from, err);
        keeper_peer_unref(k, from);
        return err;
    }
    *ret_id = k->ids++;
    if (from->banned)
        keeper_refuse(k, *ret_id, STORAGE_REASON_BANNED, NULL);
    else if (tokens == 0)
        keeper_refuse(k, *ret_id, STORAGE_REASON_BUSY, NULL);
    else
        serve(k, from, *ret_id);
    keeper_settle(k);
    keeper_peer_unref(k, from);
    return OK;
}
