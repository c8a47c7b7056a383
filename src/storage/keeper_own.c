#include <assert.h>

#include "base/mem.h"
#include "storage/keeper_priv.h"

/*
 * An owner's side: records, their renewal, fetching back, release, recovery.
 */

enum {
    RENEW_RETRY_MS = 3600 * 1000,
    RELEASE_TRIES_MAX = 16, /* of a copy that never gave us a receipt */
    RECOVER_PARALLEL = 16,
    BACK_RETRY_MS = 5000,
};

static uint64_t next_seq(const struct keeper *k, const struct keeper_object *o)
{
    uint64_t last = o == NULL ? 0 : o->seq;
    return last < k->now.unix_ms ? k->now.unix_ms : last + 1;
}

/* Sign @record, and put it in the place of what @o has. */
static enum err sign_and_adopt(struct keeper *k, struct keeper_object *o,
                               struct object_record *record)
{
    struct checked_object contract;
    record->seq = next_seq(k, o);
    enum err err = object_sign(record, k->key, &contract);
    if (err != OK)
        return err;
    keeper_adopt(k, o, &contract);
    list_for_each_copy(c, o)
    {
        if (c->has_chore)
            keeper_chore(c)->update_at = k->now.mono;
    }
    return OK;
}

static enum err fill_record(struct keeper *k, const struct keeper_want *want,
                            struct object_record *ret_record)
{
    if (want->copies > KEEPER_COPIES_MAX || want->name.len > KEEPER_NAME_MAX ||
        want->release_delay_s > OBJECT_RELEASE_DELAY_MAX_S)
        return E_LIMIT;
    struct object_record record = {
        .root = cid_to_v1(&want->root),
        .size_bytes = want->size_bytes,
        .blocks = want->blocks,
        .created_s = keeper_unix_s(k),
        .name_len = (uint8_t)want->name.len,
    };
    memcpy(record.network, k->network, sizeof(record.network));
    record.policy.copies = (uint8_t)want->copies;
    record.policy.release_delay_s = want->release_delay_s;
    if (want->name.len > 0)
        memcpy(record.name, want->name.p, want->name.len);
    record.expires_s = want->expires_ms != 0
                           ? want->expires_ms / 1000
                           : record.created_s + k->config.record_ms / 1000;
    *ret_record = record;
    return OK;
}

static enum err put_new(struct keeper *k, const struct object_record *record,
                        struct keeper_object **ret_object)
{
    struct checked_object contract;
    struct object_record wanted = *record;
    if (k->objects.count >= k->config.objects_max)
        return E_LIMIT;
    wanted.seq = next_seq(k, NULL);
    enum err err = object_sign(&wanted, k->key, &contract);
    if (err == OK)
        *ret_object = keeper_object_new(k, KEEPER_OWNER, &contract);
    return err;
}

enum err keeper_put(struct keeper *k, const struct keeper_want *want,
                    struct keeper_now now)
{
    k->now = now;
    if (want->copies == 0) {
        enum err gone = keeper_remove(k, &want->root, now);
        return gone == E_NOTFOUND ? OK : gone;
    }
    struct object_record record;
    enum err err = fill_record(k, want, &record);
    if (err != OK)
        return err;
    struct keeper_object *o = keeper_object_find(k, &record.root, k->owner_key);
    if (o != NULL && o->role != KEEPER_OWNER)
        return E_EXISTS;
    err = o != NULL ? sign_and_adopt(k, o, &record) : put_new(k, &record, &o);
    if (err != OK)
        return err;
    o->is_fixed = want->expires_ms != 0;
    if (o->work != NULL)
        o->work->no_blocks_until = k->now.mono;
    keeper_row_change(k, o);
    keeper_settle(k);
    return OK;
}

enum err keeper_set_copies(struct keeper *k, const struct cid *root,
                           uint32_t copies, struct keeper_now now)
{
    k->now = now;
    struct keeper_object *o = keeper_object_own(k, root);
    if (o == NULL || keeper_is_release(o))
        return E_NOTFOUND;
    if (copies == 0 || copies > KEEPER_COPIES_MAX)
        return E_LIMIT;
    struct object_record record = keeper_contract(k, o)->record;
    record.policy.copies = (uint8_t)copies;
    enum err err = sign_and_adopt(k, o, &record);
    if (err == OK)
        keeper_settle(k);
    return err;
}

enum err keeper_remove(struct keeper *k, const struct cid *root,
                       struct keeper_now now)
{
    k->now = now;
    struct keeper_object *o = keeper_object_own(k, root);
    if (o == NULL)
        return E_NOTFOUND;
    if (keeper_is_release(o))
        return OK;
    struct object_record record = keeper_contract(k, o)->record;
    record.policy.copies = 0;
    enum err err = sign_and_adopt(k, o, &record);
    if (err != OK)
        return err;
    keeper_unqueue(o);
    keeper_settle(k);
    return OK;
}

void keeper_on_released(struct keeper *k, struct keeper_object *o,
                        struct keeper_peer *peer)
{
    struct keeper_copy *c = keeper_copy_find(o, &peer->id);
    if (c == NULL || o->role != KEEPER_OWNER)
        return;
    keeper_copy_free(k, c);
    keeper_touch(k, o);
}

void keeper_on_not_released(struct keeper *k, struct keeper_task *t)
{
    if (t->object == NULL)
        return;
    struct keeper_copy *c = keeper_copy_find(t->object, &t->peer->id);
    if (c == NULL)
        return;
    c->updating = false;
    keeper_chore(c)->polls_failed++;
    keeper_chore(c)->update_at = keeper_after(k, k->config.grace_ms / 4);
}

/* Whether @c may still have what is released, so that it must be told. */
static bool may_hold(const struct keeper *k, const struct keeper_copy *c)
{
    if (c->state == KEEPER_HOLDER_FAILED && !c->has_receipt)
        return false;
    if (c->has_receipt && !c->hearsay)
        return c->until_s > keeper_unix_s(k);
    return keeper_chore_look(c)->polls_failed < RELEASE_TRIES_MAX;
}

static void release_copy(struct keeper *k, struct keeper_copy *c)
{
    struct keeper_object *o = keeper_object_of(c);
    if (c->updating)
        return;
    if (!mtime_reached(k->now.mono, keeper_chore_look(c)->update_at)) {
        keeper_wake(k, o, keeper_chore_look(c)->update_at);
        return;
    }
    if (c->peer->calls >= KEEPER_PEER_CALLS_MAX) {
        keeper_wake(k, o, keeper_busy_until(k));
        return;
    }
    keeper_out_begin(k, STORAGE_RELEASE, o);
    keeper_put_record(k, keeper_contract(k, o));
    c->updating = keeper_call(k, c->peer, o) != NULL;
}

/* Return: false when all know, and the object is no more. */
static bool release_check(struct keeper *k, struct keeper_object *o)
{
    struct keeper_copy *next = NULL;
    for (struct keeper_copy *c = keeper_first(o); c != NULL; c = next) {
        next = keeper_after_copy(c);
        if (may_hold(k, c))
            release_copy(k, c);
        else
            keeper_copy_free(k, c);
    }
    if (o->copies_count > 0)
        return true;
    keeper_tell(k, KEEPER_EVENT_GONE, o, NULL);
    keeper_row_remove(k, o);
    keeper_object_free(k, o);
    return false;
}

static void renew_check(struct keeper *k, struct keeper_object *o)
{
    if (o->is_fixed)
        return;
    uint64_t half_s = o->created_s + (o->expires_s - o->created_s) / 2;
    if (half_s > keeper_unix_s(k)) {
        keeper_wake_unix(k, o, half_s);
        return;
    }
    if (!mtime_reached(k->now.mono, keeper_look(o)->renew_at))
        return;
    struct object_record record = keeper_contract(k, o)->record;
    record.created_s = keeper_unix_s(k);
    record.expires_s = record.created_s + k->config.record_ms / 1000;
    if (sign_and_adopt(k, o, &record) != OK)
        keeper_work(o)->renew_at = keeper_after(k, RENEW_RETRY_MS);
}

static struct keeper_copy *next_back(const struct keeper *k,
                                     const struct keeper_object *o)
{
    struct keeper_copy *best = NULL;
    list_for_each_copy(c, o)
    {
        if (c->state != KEEPER_HOLDER_STORED || !keeper_is_well(k, c))
            continue;
        if (best == NULL || keeper_chore_look(c)->backs_failed <
                                keeper_chore_look(best)->backs_failed)
            best = c;
    }
    return best;
}

static void back_check(struct keeper *k, struct keeper_object *o)
{
    if (keeper_look(o)->fetching_back ||
        !mtime_reached(k->now.mono, keeper_look(o)->no_blocks_until))
        return;
    const struct keeper_copy *c = next_back(k, o);
    if (c == NULL)
        return;
    if (!mtime_reached(k->now.mono, keeper_look(o)->back_at)) {
        keeper_wake(k, o, keeper_look(o)->back_at);
        return;
    }
    struct keeper_task *t =
        keeper_task_new(k, KEEPER_TASK_BACK_PICK, o, c->peer);
    t->other = c->peer->id;
    keeper_work(o)->fetching_back = true;
    struct keeper_out *out = keeper_emit(k, KEEPER_PICK);
    out->id = t->id;
    out->root = keeper_root(o);
    out->blocks = KEEPER_BACK_BLOCKS;
}

/* A third node: connected, and holds nothing of it; another one each time. */
static struct keeper_peer *third_node(struct keeper *k,
                                      const struct keeper_object *o)
{
    size_t thirds = 0;
    keeper_mark_uses(k, o);
    for (size_t i = 0; i < k->candidates_count; i++) {
        const struct keeper_peer *p =
            keeper_peer_find(k, &k->candidates[i].peer);
        bool is_third = p != NULL && p->connected && p != k->self &&
                        k->uses[i] != PLACEMENT_HOLDS;
        k->uses[i] = is_third ? PLACEMENT_FREE : PLACEMENT_SKIP;
        thirds += is_third;
    }
    if (thirds == 0)
        return NULL;
    size_t place = (size_t)keeper_random(k, thirds);
    for (size_t i = 0; i < k->candidates_count; i++) {
        if (k->uses[i] == PLACEMENT_FREE && place-- == 0)
            return keeper_peer_find(k, &k->candidates[i].peer);
    }
    return NULL;
}

/* Where there is no third node: a holder of another copy. */
static struct keeper_peer *other_holder(const struct keeper *k,
                                        const struct keeper_object *o,
                                        const struct peer_id *holder)
{
    list_for_each_copy(c, o)
    {
        if (keeper_is_well(k, c) && !peer_id_eq(&c->peer->id, holder))
            return c->peer;
    }
    return NULL;
}

static bool ask_back(struct keeper *k, struct keeper_object *o,
                     struct keeper_copy *c, const struct cid *cids,
                     size_t count)
{
    struct keeper_peer *third = third_node(k, o);
    if (third == NULL)
        third = other_holder(k, o, &c->peer->id);
    if (third == NULL)
        return false;
    keeper_out_begin(k, STORAGE_FETCHBACK, o);
    struct storage_message *m = k->out;
    m->holder = c->peer->id;
    m->cids_count = count;
    memcpy(m->cids, cids, count * sizeof(*cids));
    struct keeper_task *t = keeper_call(k, third, o);
    if (t == NULL)
        return false;
    t->other = c->peer->id;
    return true;
}

void keeper_on_back_picked(struct keeper *k, struct keeper_task *t,
                           const struct cid *cids, size_t count)
{
    struct keeper_object *o = t->object;
    if (o == NULL)
        return;
    keeper_touch(k, o);
    struct keeper_copy *c = keeper_copy_find(o, &t->other);
    keeper_work(o)->fetching_back = false;
    if (count == 0)
        keeper_work(o)->no_blocks_until = keeper_after(k, k->config.grace_ms);
    if (count > STORAGE_FETCHBACK_CIDS_MAX)
        count = STORAGE_FETCHBACK_CIDS_MAX;
    if (c == NULL || count == 0)
        return;
    keeper_work(o)->fetching_back = ask_back(k, o, c, cids, count);
    if (!keeper_look(o)->fetching_back)
        keeper_work(o)->back_at = keeper_after(k, k->config.grace_ms / 4);
}

void keeper_on_fetched_back(struct keeper *k, struct keeper_task *t,
                            bool answered)
{
    struct keeper_object *o = t->object;
    if (o == NULL)
        return;
    keeper_work(o)->fetching_back = false;
    struct keeper_copy *c = keeper_copy_find(o, &t->other);
    if (c == NULL)
        return;
    if (answered && k->in->result == STORAGE_FETCH_OK) {
        c->fetched = true;
        if (c->has_chore)
            keeper_chore(c)->backs_failed = 0;
        if (c->state == KEEPER_HOLDER_STORED)
            keeper_copy_set(k, c, KEEPER_HOLDER_VERIFIED);
        keeper_row_change(k, o);
        keeper_tell(k, KEEPER_EVENT_FETCHED_BACK, o, t->peer)->other = t->other;
        return;
    }
    keeper_chore(c)->backs_failed++;
    keeper_work(o)->back_at = keeper_after(k, BACK_RETRY_MS);
    bool is_bad = answered && (k->in->result == STORAGE_FETCH_MISSING ||
                               k->in->result == STORAGE_FETCH_WRONG);
    if (is_bad && keeper_counts(k, c) && keeper_chore_look(c)->audit == NULL)
        keeper_audit_now(k, c); /* a third node's word is no proof */
}

static void state_check(struct keeper *k, struct keeper_object *o)
{
    enum keeper_state state = keeper_state_of(k, o);
    if (state == o->told_state)
        return;
    o->told_state = state;
    keeper_tell(k, KEEPER_EVENT_STATE, o, NULL)->state = state;
}

bool keeper_own_check(struct keeper *k, struct keeper_object *o)
{
    if (keeper_is_release(o)) {
        state_check(k, o);
        return release_check(k, o);
    }
    renew_check(k, o);
    uint64_t expires_s = o->expires_s;
    if (expires_s <= keeper_unix_s(k)) {
        keeper_tell(k, KEEPER_EVENT_GONE, o, NULL)->err = E_TIMEOUT;
        keeper_row_remove(k, o);
        keeper_object_free(k, o);
        return false;
    }
    keeper_wake_unix(k, o, expires_s);
    keeper_below_check(k, o);
    keeper_update_check(k, o);
    keeper_place_check(k, o);
    back_check(k, o);
    keeper_tell_check(k, o);
    state_check(k, o);
    return true;
}

/* Recovery. */

static bool ask_mine(struct keeper *k, struct keeper_peer *peer,
                     struct bytes cursor)
{
    keeper_out_begin(k, STORAGE_MINE, NULL);
    struct storage_message *m = k->out;
    memcpy(m->owner, k->owner_key, sizeof(m->owner));
    m->at_s = keeper_unix_s(k);
    m->cursor = cursor;
    storage_mine_sign(k->key, &k->self->id, &peer->id, m->at_s, m->sig);
    return keeper_call(k, peer, NULL) != NULL;
}

static void recover_next(struct keeper *k)
{
    while (k->recover_left < RECOVER_PARALLEL &&
           k->recover_next < k->recover_count) {
        const struct peer_id *id = &k->recover_from[k->recover_next++];
        if (peer_id_eq(id, &k->self->id))
            continue;
        struct keeper_peer *peer = keeper_peer_get(k, id);
        if (peer == NULL)
            continue;
        if (ask_mine(k, peer, BYTES_EMPTY))
            k->recover_left++;
        else
            keeper_peer_tidy(k, peer);
    }
    if (k->recover_job == 0 || k->recover_left > 0)
        return;
    struct keeper_out *out = keeper_emit(k, KEEPER_DONE);
    out->id = k->recover_job;
    k->recover_job = 0;
    mem_free(k->recover_from);
    k->recover_from = NULL;
}

static void recover_record(struct keeper *k, struct keeper_peer *peer,
                           struct bytes encoded)
{
    struct checked_object contract;
    enum err err = object_open(encoded, &contract);
    const struct object_record *record = &contract.record;
    if (err == OK &&
        memcmp(record->owner, k->owner_key, sizeof(k->owner_key)) != 0)
        err = E_MALFORMED;
    if (err != OK) {
        keeper_bad_peer(k, peer, err);
        return;
    }
    if (object_check(&contract, k->network, k->now.unix_ms) != OBJECT_FINE ||
        object_is_release(record))
        return;
    struct keeper_object *o =
        keeper_object_find(k, &record->root, record->owner);
    if (o == NULL && k->objects.count >= k->config.objects_max)
        return;
    bool is_new = o == NULL;
    if (is_new)
        o = keeper_object_new(k, KEEPER_OWNER, &contract);
    else if (object_supersedes(&contract, keeper_contract(k, o)))
        keeper_adopt(k, o, &contract);
    keeper_row_change(k, o);
    if (is_new) {
        o->was_full = true; /* so that what is missing waits for the grace */
        keeper_tell(k, KEEPER_EVENT_RECOVERED, o, peer);
    }
    keeper_expect(k, o, peer);
}

void keeper_on_expected(struct keeper *k)
{
    assert(k->recover_left > 0);
    k->recover_left--;
    recover_next(k);
}

void keeper_on_records(struct keeper *k, struct keeper_task *t, bool answered)
{
    assert(k->recover_left > 0);
    k->recover_left--;
    if (answered && k->recover_job != 0) {
        for (size_t i = 0; i < k->in->records_count; i++)
            recover_record(k, t->peer, k->in->records[i]);
        if (k->in->cursor.len > 0 && k->in->records_count > 0 &&
            ask_mine(k, t->peer, k->in->cursor))
            k->recover_left++;
    }
    recover_next(k);
}

enum err keeper_recover(struct keeper *k, const struct peer_id *peers,
                        size_t count, struct keeper_now now, uint64_t *ret_job)
{
    k->now = now;
    if (k->recover_job != 0)
        return E_AGAIN;
    if (count > KEEPER_CANDIDATES_MAX)
        count = KEEPER_CANDIDATES_MAX;
    k->recover_job = k->ids++;
    *ret_job = k->recover_job;
    k->recover_from = mem_dup(peers, count * sizeof(*peers));
    k->recover_count = count;
    k->recover_next = 0;
    recover_next(k);
    keeper_settle(k);
    return OK;
}
