#include "storage/keeper_priv.h"

/*
 * What others say about an object: receipts and records, from wherever they
 * come, are believed for their signatures only.
 */

enum {
    FAIL_SHIFT = 2, /* each wait for another audit is four times the last */
    LIE_FAILS = 2,  /* what wrong bytes count for */
    FAILS_MAX = 3,
    SOON_PARTS = 4, /* of the grace */
};

void keeper_bad_peer(struct keeper *k, struct keeper_peer *peer, enum err err)
{
    k->stats.bad_messages++;
    keeper_tell(k, KEEPER_EVENT_BAD_PEER, NULL, peer)->err = err;
}

void keeper_lost_copy(struct keeper *k, struct keeper_copy *c,
                      uint64_t retry_ms)
{
    if (c->is_owner || c->peer == k->self)
        return;
    keeper_copy_set(k, c, KEEPER_HOLDER_FAILED);
    keeper_chore(c)->retry_at = keeper_after(k, retry_ms);
    keeper_chore(c)->refusal = NULL;
    c->has_receipt = false;
    c->hearsay = false;
    c->updating = false;
    c->fetched = false;
    c->due = MTIME_NEVER;
    keeper_unready(c);
    if (keeper_chore_look(c)->verify != NULL)
        keeper_verify_part(k, c, E_MISMATCH);
    struct keeper_object *o = keeper_object_of(c);
    if (o->heard_from == c->peer->number) {
        o->heard_from = 0; /* that it audits is worth no more */
        o->quiet_until = k->now.mono;
    }
    keeper_row_change(k, o);
}

void keeper_withdrawn(struct keeper *k, struct keeper_copy *c)
{
    keeper_lost_copy(k, c, k->config.grace_ms);
    if (c->state == KEEPER_HOLDER_FAILED && c->seq < k->now.unix_ms)
        c->seq = k->now.unix_ms; /* what others show of before is void */
}

void keeper_refuted(struct keeper *k, struct keeper_copy *c, bool is_lie)
{
    if (is_lie && c->fails < LIE_FAILS)
        c->fails = LIE_FAILS;
    uint64_t wait_ms = (uint64_t)k->config.grace_ms << (FAIL_SHIFT * c->fails);
    if (c->fails < FAILS_MAX)
        c->fails++;
    bool has_receipt = c->has_receipt;
    keeper_lost_copy(k, c, wait_ms);
    c->has_receipt = has_receipt;
    if (keeper_is_refuted(c))
        keeper_due(k, c, keeper_chore_look(c)->retry_at);
}

bool keeper_is_refuted(const struct keeper_copy *c)
{
    return c->state == KEEPER_HOLDER_FAILED && c->has_receipt;
}

bool keeper_is_lost_to_us(const struct keeper *k, const struct keeper_copy *c)
{
    return (c->state == KEEPER_HOLDER_GONE || keeper_is_refuted(c)) &&
           c->has_receipt && c->until_s > keeper_unix_s(k);
}

static bool is_same_object(const struct keeper *k,
                           const struct keeper_object *o,
                           const struct cid *root,
                           const uint8_t owner[static OBJECT_OWNER_BYTES])
{
    struct cid own = keeper_root(o);
    return cid_eq(&own, root) &&
           memcmp(keeper_owner(k, o), owner, OBJECT_OWNER_BYTES) == 0;
}

/* The receipt is for a record that we do not know: maybe a newer one. */
static void ask_record(struct keeper *k, struct keeper_object *o,
                       struct keeper_peer *from)
{
    if (from == NULL || from == k->self ||
        !mtime_reached(k->now.mono, keeper_look(o)->ask_at))
        return;
    keeper_work(o)->ask_at = keeper_after(k, k->config.request_ms);
    (void)keeper_ask_status(k, o, from); /* else with the next receipt */
}

void keeper_claimed(struct keeper *k, struct keeper_object *o,
                    struct keeper_peer *peer)
{
    const struct keeper_copy *c = keeper_copy_find(o, &peer->id);
    const struct keeper_copy *owner = keeper_owner_copy(o);
    if (peer == k->self || (owner != NULL && owner->peer == peer) ||
        !mtime_reached(k->now.mono, keeper_look(o)->claim_at))
        return;
    if (c != NULL &&
        (c->state != KEEPER_HOLDER_FAILED || c->has_receipt ||
         !mtime_reached(k->now.mono, keeper_chore_look(c)->retry_at)))
        return;
    keeper_work(o)->claim_at = keeper_after(k, k->config.grace_ms);
    (void)keeper_ask_status(k, o, peer); /* else when it is claimed again */
}

static void set_receipt(struct keeper_copy *c,
                        const struct storage_receipt *receipt)
{
    c->has_receipt = true;
    c->stored_s = (uint32_t)receipt->stored_s;
    c->until_s = (uint32_t)receipt->until_s;
    c->seq = receipt->seq;
    memcpy(keeper_sig(c), receipt->sig, sizeof(receipt->sig));
}

/*
 * The receipt is no proof against what we know: an audit decides.  A newer one
 * of somebody who only missed a block is looked at soon.
 */
static void prove_first(struct keeper *k, struct keeper_copy *c, bool is_newer)
{
    struct mtime at = keeper_chore_look(c)->retry_at;
    if (is_newer && c->fails < LIE_FAILS)
        at = keeper_soon(k, k->config.grace_ms / SOON_PARTS + 1);
    keeper_due_sooner(k, c, at);
}

/*
 * Its receipt is a word only, whoever brought it: it counts when it has
 * answered us.
 */
static void hear(struct keeper *k, struct keeper_copy *c)
{
    c->hearsay = true;
    keeper_audit_first(k, c);
}

/* How a copy is seen after its newer receipt came from @from. */
static void receipt_taken(struct keeper *k, struct keeper_copy *c,
                          const struct keeper_peer *from)
{
    switch (c->state) {
    case KEEPER_HOLDER_OFFERED:
    case KEEPER_HOLDER_PULLING:
        /* It answers what we have asked of it: see take_receipt(). */
        c->hearsay = false;
        keeper_copy_set(k, c, KEEPER_HOLDER_STORED);
        keeper_audit_plan(k, c);
        c->seen = true;
        break;
    case KEEPER_HOLDER_FAILED:
        keeper_copy_set(k, c, KEEPER_HOLDER_STORED);
        hear(k, c);
        break;
    case KEEPER_HOLDER_SILENT:
    case KEEPER_HOLDER_GONE:
        if (from == c->peer)
            keeper_due_sooner(
                k, c, keeper_soon(k, k->config.grace_ms / SOON_PARTS + 1));
        break;
    case KEEPER_HOLDER_STORED:
    case KEEPER_HOLDER_VERIFIED:
        break;
    }
}

/* The copy of a holder that we hear of for the first time; or NULL. */
static struct keeper_copy *hear_of(struct keeper *k, struct keeper_object *o,
                                   const struct peer_id *holder)
{
    struct keeper_peer *peer = keeper_peer_learn(k, holder);
    if (peer == NULL)
        return NULL;
    struct keeper_copy *c = keeper_copy_add(k, o, peer, KEEPER_HOLDER_STORED);
    if (c == NULL)
        keeper_peer_tidy(k, peer);
    return c;
}

static void take_receipt(struct keeper *k, struct keeper_object *o,
                         const struct storage_receipt *receipt,
                         uint8_t hash_index, struct keeper_peer *from)
{
    struct keeper_copy *c = keeper_copy_find(o, &receipt->holder);
    bool is_new = c == NULL;
    if (is_new)
        c = hear_of(k, o, &receipt->holder);
    if (c == NULL)
        return;
    if (c->is_placing && from != c->peer) {
        keeper_due_sooner(k, c, k->now.mono); /* it tells us itself */
        return;
    }
    bool counted = !is_new && keeper_counts(k, c);
    bool is_newer = is_new || receipt->seq > c->seq;
    bool is_doubted = !is_new && (keeper_is_refuted(c) || !is_newer) &&
                      c->state == KEEPER_HOLDER_FAILED;
    set_receipt(c, receipt);
    c->hash_index = hash_index;
    c->updating = false;
    /*
     * What we have brought about is told to all, and what comes from somebody
     * after us: two who did not know of each other learn it through us.
     */
    if (!counted && !keeper_is_better(k, o, from))
        c->placed = true;
    if (is_doubted)
        prove_first(k, c, is_newer);
    else if (is_new)
        hear(k, c);
    else
        receipt_taken(k, c, from);
    if (!counted)
        keeper_counts_now(k, c);
    keeper_row_change(k, o);
}

void keeper_counts_now(struct keeper *k, struct keeper_copy *c)
{
    struct keeper_object *o = keeper_object_of(c);
    if (!keeper_counts(k, c))
        return;
    if (o->role == KEEPER_OWNER)
        keeper_tell(k, KEEPER_EVENT_COPY, o, c->peer);
    if (c->placed)
        keeper_set_changed(k, o);
    c->placed = false;
    keeper_touch(k, o);
}

/* What comes with these is of the one who answers, and of nobody else. */
static bool speaks_for_itself(const struct keeper *k)
{
    return k->in->type == STORAGE_ACCEPT || k->in->type == STORAGE_DIGESTS;
}

static void merge_receipt(struct keeper *k, struct keeper_object *o,
                          struct bytes encoded, struct keeper_peer *from)
{
    struct checked_receipt checked;
    struct storage_receipt *receipt = &checked.receipt;
    enum err err = receipt_decode(encoded, receipt);
    if (err != OK) {
        keeper_bad_peer(k, from, err);
        return;
    }
    if (speaks_for_itself(k) && !peer_id_eq(&receipt->holder, &from->id)) {
        keeper_bad_peer(k, from, E_MISMATCH);
        return;
    }
    if (o == NULL)
        o = keeper_object_find(k, &receipt->root, receipt->owner);
    if (o == NULL || !is_same_object(k, o, &receipt->root, receipt->owner))
        return;
    if (peer_id_eq(&receipt->holder, &k->self->id) ||
        peer_id_eq(&receipt->holder, &keeper_owner_peer(k, o)->id))
        return; /* an owner's own blocks are no copy */
    struct keeper_copy *c = keeper_copy_find(o, &receipt->holder);
    if (c != NULL && c->seq >= receipt->seq &&
        (c->has_receipt || from != c->peer)) {
        keeper_claimed(k, o, c->peer);
        return;
    }
    uint8_t hash_index = keeper_hash_index(k, o, receipt->record_hash);
    if (hash_index > 1) {
        ask_record(k, o, from);
        return;
    }
    err = receipt_open(encoded, &checked);
    if (err != OK) {
        keeper_bad_peer(k, from, err);
        return;
    }
    if (receipt_check(&checked, k->network, k->now.unix_ms) == OBJECT_FINE &&
        receipt->until_s <= UINT32_MAX && receipt->stored_s <= UINT32_MAX)
        take_receipt(k, o, receipt, hash_index, from);
}

void keeper_merge_receipts(struct keeper *k, struct keeper_object *o,
                           struct keeper_peer *from)
{
    for (size_t i = 0; i < k->in->receipts_count; i++)
        merge_receipt(k, o, k->in->receipts[i], from);
}

bool keeper_merge_record(struct keeper *k, struct keeper_object *o,
                         struct bytes encoded, struct keeper_peer *from)
{
    struct checked_object contract;
    enum err err = object_open(encoded, &contract);
    if (err != OK) {
        keeper_bad_peer(k, from, err);
        return false;
    }
    if (!object_supersedes(&contract, keeper_contract(k, o)) ||
        object_check(&contract, k->network, k->now.unix_ms) != OBJECT_FINE)
        return false;
    keeper_adopt(k, o, &contract);
    return true;
}
