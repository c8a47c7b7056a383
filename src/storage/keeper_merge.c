#include "storage/keeper_priv.h"

/*
 * What others say about an object: receipts and records, from wherever they
 * come, are believed for their signatures only.
 */

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
    c->has_receipt = false;
    c->updating = false;
    c->fetched = false;
    c->due = MTIME_NEVER;
    keeper_unready(c);
    if (keeper_chore_look(c)->verify != NULL)
        keeper_verify_part(k, c, E_MISMATCH);
    keeper_row_change(k, keeper_object_of(c));
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

static void set_receipt(struct keeper_copy *c,
                        const struct storage_receipt *receipt)
{
    c->has_receipt = true;
    c->stored_s = (uint32_t)receipt->stored_s;
    c->until_s = (uint32_t)receipt->until_s;
    c->seq = receipt->seq;
    memcpy(keeper_sig(c), receipt->sig, sizeof(receipt->sig));
}

/* How a copy is seen after its receipt came from @from. */
static void receipt_taken(struct keeper *k, struct keeper_copy *c,
                          const struct keeper_peer *from)
{
    switch (c->state) {
    case KEEPER_HOLDER_OFFERED:
    case KEEPER_HOLDER_PULLING:
    case KEEPER_HOLDER_FAILED:
        keeper_copy_set(k, c, KEEPER_HOLDER_STORED);
        keeper_audit_plan(k, c);
        break;
    case KEEPER_HOLDER_GONE:
        if (c->seq <= UINT64_C(1000) * c->since_s + 999)
            break; /* an old word of one that was given up since */
        keeper_copy_set(k, c, KEEPER_HOLDER_STORED);
        keeper_audit_plan(k, c);
        break;
    case KEEPER_HOLDER_SILENT:
        if (from == c->peer)
            keeper_alive(k, c);
        break;
    case KEEPER_HOLDER_STORED:
    case KEEPER_HOLDER_VERIFIED:
        break;
    }
    if (from == c->peer)
        c->seen = true;
}

static void take_receipt(struct keeper *k, struct keeper_object *o,
                         const struct storage_receipt *receipt,
                         uint8_t hash_index, struct keeper_peer *from)
{
    struct keeper_copy *c = keeper_copy_find(o, &receipt->holder);
    bool is_new = c == NULL;
    if (is_new) {
        struct keeper_peer *peer = keeper_peer_learn(k, &receipt->holder);
        c = peer == NULL ? NULL
                         : keeper_copy_add(k, o, peer, KEEPER_HOLDER_STORED);
        if (c == NULL) {
            if (peer != NULL)
                keeper_peer_tidy(k, peer);
            return;
        }
    }
    bool counted = !is_new && keeper_counts(k, c);
    set_receipt(c, receipt);
    c->hash_index = hash_index;
    receipt_taken(k, c, from);
    if (is_new)
        keeper_audit_plan(k, c);
    c->updating = false;
    if (!counted && keeper_counts(k, c) && o->role == KEEPER_OWNER)
        keeper_tell(k, KEEPER_EVENT_COPY, o, c->peer);
    /*
     * What we have brought about is told to all, and what comes from somebody
     * after us: two who did not know of each other learn it through us.
     */
    bool is_news = !counted && !keeper_is_better(k, o, from);
    if ((c->placed || is_news) && keeper_counts(k, c)) {
        c->placed = false;
        keeper_set_changed(k, o);
    }
    keeper_row_change(k, o);
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
    const struct keeper_copy *c = keeper_copy_find(o, &receipt->holder);
    if (c != NULL && c->seq >= receipt->seq)
        return;
    if (c != NULL && c->state == KEEPER_HOLDER_FAILED &&
        !mtime_reached(k->now.mono, keeper_chore_look(c)->retry_at))
        return;
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
