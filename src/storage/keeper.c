#include "storage/keeper.h"

#include <assert.h>

#include "base/mem.h"
#include "env/rng.h"
#include "storage/keeper_priv.h"

/*
 * Invariants of the turn:
 *  1. Inputs note the time, change things, and end with keeper_settle().
 *  2. Nothing is freed while an object is looked at but that object itself,
 *     by its own check, which then says so.
 *  3. What is handed out is a task until it is answered; an answer to a task
 *     that is not there is nothing.
 */

enum { DIRTY_MIN = 16, DIRTY_MAX = 4096 };

struct keeper_out *keeper_emit(struct keeper *k, enum keeper_out_kind kind)
{
    struct keeper_output *item = mem_zalloc(1, sizeof(*item));
    item->out.kind = kind;
    list_add_tail(&k->outputs, &item->link);
    return &item->out;
}

struct keeper_out *keeper_tell(struct keeper *k, enum keeper_event event,
                               const struct keeper_object *o,
                               const struct keeper_peer *peer)
{
    struct keeper_out *out = keeper_emit(k, KEEPER_EVENT);
    out->event = event;
    if (peer != NULL)
        out->peer = peer->id;
    if (o == NULL)
        return out;
    out->root = keeper_root(o);
    out->count = keeper_live(k, o);
    out->wanted = keeper_wanted(o);
    return out;
}

void keeper_touch(struct keeper *k, struct keeper_object *o)
{
    if (o->is_dirty)
        return;
    o->is_dirty = true;
    if (k->dirty_count == k->dirty_room) {
        k->dirty_room = k->dirty_room * 2 + DIRTY_MIN;
        k->dirty =
            mem_resize(k->dirty, k->dirty_room, sizeof(struct keeper_object *));
    }
    k->dirty[k->dirty_count++] = o;
}

static void check_object(struct keeper *k, struct keeper_object *o)
{
    keeper_wake(k, o, keeper_after(k, KEEPER_DEEP_WAKE_MS));
    bool is_there = o->role == KEEPER_OWNER ? keeper_own_check(k, o)
                                            : keeper_hold_check(k, o);
    if (!is_there)
        return;
    keeper_row_check(k, o);
    list_for_each_copy(c, o)
    {
        keeper_wake(k, o, c->due);
    }
    keeper_work_tidy(k, o);
}

static void check_touched(struct keeper *k)
{
    while (k->dirty_next < k->dirty_count) {
        struct keeper_object *o = k->dirty[k->dirty_next++];
        if (o == NULL)
            continue; /* gone since */
        o->is_dirty = false;
        check_object(k, o);
    }
    k->dirty_count = 0;
    k->dirty_next = 0;
    if (k->dirty_room <= DIRTY_MAX)
        return;
    mem_free(k->dirty);
    k->dirty = NULL;
    k->dirty_room = 0;
}

void keeper_settle(struct keeper *k)
{
    if (!k->started)
        return;
    check_touched(k);
    keeper_pull_next(k);
    keeper_place_next(k);
    check_touched(k);
    keeper_leave_check(k);
}

uint64_t keeper_random(struct keeper *k, uint64_t below)
{
    assert(below > 0);
    uint8_t raw[8];
    k->rng->fill(k->rng, raw, sizeof(raw));
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(raw); i++)
        value = value << 8 | raw[i];
    return value % below;
}

struct mtime keeper_after(const struct keeper *k, uint64_t ms)
{
    if (ms > UINT32_MAX)
        ms = UINT32_MAX;
    return mtime_add_ms(k->now.mono, (uint32_t)ms);
}

struct mtime keeper_soon(struct keeper *k, uint64_t ms)
{
    return keeper_after(k, ms == 0 ? 0 : keeper_random(k, ms));
}

void keeper_wake(struct keeper *k, struct keeper_object *o, struct mtime at)
{
    keeper_heap_sooner(&k->heap, &o->timer, at);
}

uint64_t keeper_unix_s(const struct keeper *k)
{
    return k->now.unix_ms / 1000;
}

uint32_t keeper_unix_32(const struct keeper *k)
{
    uint64_t now_s = keeper_unix_s(k);
    return now_s > UINT32_MAX ? UINT32_MAX : (uint32_t)now_s;
}

void keeper_wake_unix(struct keeper *k, struct keeper_object *o, uint64_t at_s)
{
    uint64_t at_ms = at_s * 1000;
    uint64_t wait_ms = at_ms > k->now.unix_ms ? at_ms - k->now.unix_ms : 0;
    if (wait_ms > KEEPER_DEEP_WAKE_MS)
        return;
    keeper_wake(k, o, keeper_after(k, wait_ms + 1));
}

static void set_default_32(uint32_t *value, uint32_t normal)
{
    if (*value == 0)
        *value = normal;
}

static void set_default_64(uint64_t *value, uint64_t normal)
{
    if (*value == 0)
        *value = normal;
}

static void set_defaults(struct keeper_config *c)
{
    enum { MINUTE_MS = 60 * 1000, DAY_S = 24 * 3600 };
    set_default_32(&c->grace_ms, 15 * MINUTE_MS);
    set_default_32(&c->audit_ms, 10 * MINUTE_MS);
    set_default_32(&c->receipt_ms, RECEIPT_LIFE_MAX_S * 1000);
    set_default_32(&c->request_ms, 20 * 1000);
    set_default_32(&c->pull_ms, 2 * MINUTE_MS);
    set_default_64(&c->record_ms, UINT64_C(1000) * OBJECT_LIFE_MAX_S);
    set_default_64(&c->repair_rate, UINT64_C(16) * 1024 * 1024);
    set_default_32(&c->objects_max, KEEPER_OBJECTS_MAX);
    set_default_32(&c->peers_max, KEEPER_PEERS_MAX);
    set_default_32(&c->pulls_max, 8);
    set_default_32(&c->offers_max, 64);
    set_default_32(&c->audits_per_s, 8);
    set_default_32(&c->serves_per_s, 32);
    set_default_64(&c->size_max, OBJECT_SIZE_BYTES_MAX);
    assert(c->receipt_ms <= RECEIPT_LIFE_MAX_S * 1000);
    assert(c->record_ms <= UINT64_C(1000) * OBJECT_LIFE_MAX_S);
}

static void init_lists(struct keeper *k)
{
    for (size_t i = 0; i < KEEPER_QUEUES; i++)
        list_init(&k->queues[i]);
    list_init(&k->starved);
    list_init(&k->askers);
    list_init(&k->pulls);
    list_init(&k->pulls_running);
    list_init(&k->verifies);
    list_init(&k->outputs);
}

struct keeper *keeper_new(const struct keeper_config *config,
                          const struct privkey *key, struct rng *rng,
                          struct keeper_now now)
{
    struct keeper *k = mem_zalloc(1, sizeof(*k));
    size_t network_len = strlen(config->network);
    assert(network_len <= OBJECT_NETWORK_MAX);
    k->config = *config;
    memcpy(k->network, config->network, network_len);
    k->config.network = k->network;
    set_defaults(&k->config);
    k->key = key;
    k->rng = rng;
    k->now = now;
    k->budget_at = now.mono;
    k->audit_credit = (struct keeper_credit){.ms = 1000, .at = now.mono};
    k->unknown_credit = k->audit_credit;
    k->ids = 1;
    init_lists(k);
    keeper_index_init(&k->objects, config->seed);
    map_init(&k->peers, config->seed);
    map_init(&k->tasks, config->seed);
    k->in = mem_zalloc(1, sizeof(*k->in));
    k->out = mem_zalloc(1, sizeof(*k->out));
    k->scratch = mem_alloc(STORAGE_MESSAGE_BYTES_MAX);
    struct pubkey public = privkey_public(key);
    assert(public.data.len == OBJECT_OWNER_BYTES);
    memcpy(k->owner_key, public.data.p, OBJECT_OWNER_BYTES);
    struct peer_id self = privkey_peer_id(key);
    k->self = keeper_peer_ref(keeper_peer_get(k, &self));
    return k;
}

static void free_tables(struct keeper *k)
{
    struct keeper_object *o = NULL;
    for (size_t i = k->dirty_next; i < k->dirty_count; i++) {
        if (k->dirty[i] != NULL)
            k->dirty[i]->is_dirty = false;
    }
    k->dirty_count = k->dirty_next;
    while ((o = keeper_index_after(&k->objects, 0)) != NULL)
        keeper_object_free(k, o);
    map_for_each (it, &k->peers) {
        keeper_audit_end(container_of(it, struct keeper_peer, node));
    }
    while (map_first(&k->tasks) != NULL)
        keeper_task_free(
            k, container_of(map_first(&k->tasks), struct keeper_task, node));
    while (!list_empty(&k->verifies)) {
        struct list *link = list_first(&k->verifies);
        list_remove(link);
        mem_free(container_of(link, struct keeper_verify, link));
    }
    while (map_first(&k->peers) != NULL) {
        struct keeper_peer *p =
            container_of(map_first(&k->peers), struct keeper_peer, node);
        p->refs = 0;
        keeper_peer_tidy(k, p);
    }
}

void keeper_free(struct keeper *k)
{
    if (k == NULL)
        return;
    k->started = false; /* what is freed starts nothing new */
    free_tables(k);
    struct keeper_out out;
    while (keeper_next(k, &out))
        keeper_out_release(&out);
    keeper_index_release(&k->objects);
    map_release(&k->peers);
    map_release(&k->tasks);
    keeper_heap_release(&k->heap);
    mem_free(k->candidates);
    mem_free(k->recover_from);
    mem_free(k->uses);
    mem_free(k->dirty);
    mem_free(k->order);
    mem_free(k->in);
    mem_free(k->out);
    mem_free(k->scratch);
    mem_free(k);
}

void keeper_start(struct keeper *k, struct keeper_now now)
{
    k->now = now;
    k->started = true;
    k->started_ms = now.unix_ms;
    k->back_at = now.mono;
    struct keeper_object *o = NULL;
    for (uint64_t id = 0; (o = keeper_index_after(&k->objects, id)) != NULL;
         id = o->id) {
        o->quiet_until =
            keeper_after(k, k->config.audit_ms + k->config.audit_ms / 2);
        list_for_each_copy(c, o)
        {
            keeper_audit_plan(k, c);
        }
        /* A lost tell is told again: nobody knows what we had told. */
        if (o->set_generation == 0 && o->copies_count > 1)
            o->set_generation = 1;
        keeper_touch(k, o);
    }
    keeper_settle(k);
}

void keeper_set_offer(struct keeper *k, uint64_t offer_bytes,
                      struct keeper_now now)
{
    k->now = now;
    k->config.offer_bytes = offer_bytes;
}

void keeper_on_time(struct keeper *k, struct keeper_now now)
{
    k->now = now;
    struct keeper_timer *t = NULL;
    while ((t = keeper_heap_take(&k->heap, now.mono)) != NULL) {
        switch ((enum keeper_timer_kind)t->kind) {
        case KEEPER_TIMER_OBJECT:
            keeper_audits_due(k, container_of(t, struct keeper_object, timer));
            keeper_touch(k, container_of(t, struct keeper_object, timer));
            break;
        case KEEPER_TIMER_PEER:
            keeper_audit_peer(k, container_of(t, struct keeper_peer, timer));
            keeper_tell_peer(k, container_of(t, struct keeper_peer, timer));
            break;
        }
    }
    keeper_settle(k);
}

struct mtime keeper_deadline(const struct keeper *k)
{
    return k->started ? keeper_heap_first(&k->heap) : MTIME_NEVER;
}

bool keeper_next(struct keeper *k, struct keeper_out *ret_out)
{
    if (list_empty(&k->outputs))
        return false;
    struct list *link = list_first(&k->outputs);
    list_remove(link);
    struct keeper_output *item = container_of(link, struct keeper_output, link);
    *ret_out = item->out;
    mem_free(item);
    return true;
}

void keeper_out_release(struct keeper_out *out)
{
    buf_unref(out->data);
    mem_free(out->peers);
    mem_free(out->cids);
    out->data = NULL;
    out->peers = NULL;
    out->cids = NULL;
}

void keeper_set_candidates(struct keeper *k,
                           const struct placement_candidate *candidates,
                           size_t count, struct keeper_now now)
{
    k->now = now;
    if (count > KEEPER_CANDIDATES_MAX)
        count = KEEPER_CANDIDATES_MAX;
    k->candidates = mem_resize(k->candidates, count, sizeof(*k->candidates));
    k->uses = mem_resize(k->uses, count, sizeof(*k->uses));
    k->order = mem_resize(k->order, count, sizeof(*k->order));
    k->candidates_count = count;
    for (size_t i = 0; i < count; i++)
        k->candidates[i] = candidates[i];
    while (!list_empty(&k->starved)) {
        struct list *link = list_first(&k->starved);
        list_remove(link);
        struct keeper_work *w = container_of(link, struct keeper_work, starved);
        w->is_starved = false;
        keeper_touch(k, w->object);
    }
    keeper_settle(k);
}
