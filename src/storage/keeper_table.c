#include <assert.h>

#include "base/mem.h"
#include "storage/keeper_priv.h"

/*
 * The tables: objects by (root, owner), roots, copies, peers, tasks.  An
 * object owns its copies; copies, tasks and being connected count the peer;
 * a task names an object as long as it is there.
 */

struct keeper_peer *keeper_peer_find(const struct keeper *k,
                                     const struct peer_id *id)
{
    struct map_node *node = map_get(&k->peers, peer_id_bytes(id));
    return node == NULL ? NULL : container_of(node, struct keeper_peer, node);
}

struct keeper_peer *keeper_peer_get(struct keeper *k, const struct peer_id *id)
{
    struct keeper_peer *p = keeper_peer_find(k, id);
    if (p != NULL)
        return p;
    if (k->peers.count >= k->config.peers_max)
        return NULL;
    p = mem_zalloc(1, sizeof(*p));
    p->id = *id;
    p->timer.kind = KEEPER_TIMER_PEER;
    list_init(&p->copies);
    list_init(&p->ready);
    list_init(&p->tell);
    p->tokens_at = k->now.mono;
    p->tokens_ms = UINT32_MAX; /* as much as may be saved */
    p->phase_ns = keeper_random(k, UINT64_C(1000000) * k->config.audit_ms);
    map_put(&k->peers, &p->node, peer_id_bytes(&p->id));
    return p;
}

struct keeper_peer *keeper_peer_ref(struct keeper_peer *p)
{
    p->refs++;
    return p;
}

void keeper_peer_tidy(struct keeper *k, struct keeper_peer *p)
{
    if (p->refs > 0)
        return;
    keeper_heap_unset(&k->heap, &p->timer);
    map_remove(&k->peers, &p->node);
    mem_free(p);
}

void keeper_peer_unref(struct keeper *k, struct keeper_peer *p)
{
    assert(p->refs > 0);
    p->refs--;
    keeper_peer_tidy(k, p);
}

struct keeper_root *keeper_root_find(const struct keeper *k,
                                     const struct cid *cid)
{
    uint8_t key[CID_BYTES_MAX];
    struct bytes bytes = {.p = key, .len = cid_encode(cid, key)};
    struct map_node *node = map_get(&k->roots, bytes);
    return node == NULL ? NULL : container_of(node, struct keeper_root, node);
}

static struct keeper_root *root_get(struct keeper *k, const struct cid *cid)
{
    struct keeper_root *r = keeper_root_find(k, cid);
    if (r != NULL)
        return r;
    r = mem_zalloc(1, sizeof(*r));
    r->cid = *cid;
    list_init(&r->objects);
    struct bytes key = {.p = r->key, .len = cid_encode(cid, r->key)};
    map_put(&k->roots, &r->node, key);
    return r;
}

static void root_tidy(struct keeper *k, struct keeper_root *r)
{
    if (!list_empty(&r->objects))
        return;
    assert(r->kept == 0);
    map_remove(&k->roots, &r->node);
    mem_free(r);
}

struct keeper_object *
keeper_object_find(const struct keeper *k, const struct cid *root,
                   const uint8_t owner[static OBJECT_OWNER_BYTES])
{
    uint8_t key[OBJECT_HASH_BYTES];
    object_id_hash(root, owner, key);
    struct map_node *node =
        map_get(&k->objects, (struct bytes){.p = key, .len = sizeof(key)});
    return node == NULL ? NULL : container_of(node, struct keeper_object, node);
}

struct keeper_object *keeper_object_own(const struct keeper *k,
                                        const struct cid *root)
{
    struct keeper_object *o = keeper_object_find(k, root, k->owner_key);
    return o != NULL && o->role == KEEPER_OWNER ? o : NULL;
}

static struct peer_id peer_of_key(const uint8_t key[static OBJECT_OWNER_BYTES])
{
    struct pubkey public = {.type = KEY_ED25519,
                            .data = {.p = key, .len = OBJECT_OWNER_BYTES}};
    return peer_id_of_pubkey(&public);
}

struct keeper_peer *
keeper_owner_get(struct keeper *k, const uint8_t key[static OBJECT_OWNER_BYTES])
{
    struct peer_id id = peer_of_key(key);
    return keeper_peer_get(k, &id);
}

static void add_owner(struct keeper *k, struct keeper_object *o)
{
    struct keeper_peer *peer = keeper_owner_get(k, o->contract.record.owner);
    assert(peer != NULL); /* the caller has asked */
    struct keeper_copy *c = keeper_copy_add(k, o, peer, KEEPER_HOLDER_OFFERED);
    assert(c != NULL);
    c->is_owner = true;
    o->owner = c;
}

static void add_self(struct keeper *k, struct keeper_object *o)
{
    o->self = keeper_copy_add(k, o, k->self, KEEPER_HOLDER_PULLING);
    assert(o->self != NULL);
}

struct keeper_object *keeper_object_new(struct keeper *k, enum keeper_role role,
                                        const struct checked_object *contract)
{
    struct keeper_object *o = mem_zalloc(1, sizeof(*o));
    const struct object_record *record = &contract->record;
    o->id = ++k->objects_made;
    o->role = role;
    o->contract = *contract;
    o->timer.kind = KEEPER_TIMER_OBJECT;
    o->waits_in = -1;
    list_init(&o->of_root);
    list_init(&o->dirty);
    list_init(&o->queue);
    list_init(&o->starved);
    list_init(&o->pulling);
    list_init(&o->tasks);
    list_init(&o->copies);
    o->root = root_get(k, &record->root);
    list_add_tail(&o->root->objects, &o->of_root);
    object_id_hash(&record->root, record->owner, o->key);
    map_put(&k->objects, &o->node,
            (struct bytes){.p = o->key, .len = sizeof(o->key)});
    if (role == KEEPER_OWNER) {
        k->stats.owned++;
        return o;
    }
    add_owner(k, o);
    add_self(k, o);
    o->quiet_until =
        keeper_after(k, k->config.audit_ms + k->config.audit_ms / 2);
    return o;
}

static void forget_tasks(struct keeper_object *o)
{
    while (!list_empty(&o->tasks)) {
        struct list *link = list_first(&o->tasks);
        list_remove(link);
        container_of(link, struct keeper_task, of_object)->object = NULL;
    }
}

void keeper_object_free(struct keeper *k, struct keeper_object *o)
{
    keeper_unqueue(o);
    keeper_promise(k, o, false);
    keeper_count_root(k, o, false);
    while (!list_empty(&o->copies))
        keeper_copy_free(k, keeper_copy_of(list_first(&o->copies)));
    if (o->pull != NULL) {
        keeper_emit(k, KEEPER_PULL_CANCEL)->id = o->pull->id;
        keeper_task_free(k, o->pull);
        k->pulls_count--;
    }
    forget_tasks(o);
    if (o->placer != NULL)
        keeper_peer_unref(k, o->placer);
    if (o->role == KEEPER_OWNER)
        k->stats.owned--;
    else if (o->phase == KEEPER_PHASE_HELD ||
             o->phase == KEEPER_PHASE_RELEASING)
        k->stats.held--;
    keeper_heap_unset(&k->heap, &o->timer);
    list_remove(&o->dirty);
    list_remove(&o->starved);
    list_remove(&o->pulling);
    list_remove(&o->of_root);
    root_tidy(k, o->root);
    map_remove(&k->objects, &o->node);
    mem_free(o);
}

void keeper_promise(struct keeper *k, struct keeper_object *o, bool promised)
{
    if (o->promised == promised)
        return;
    o->promised = promised;
    uint64_t bytes = o->contract.record.size_bytes;
    struct keeper_peer *owner = o->owner->peer;
    if (promised) {
        k->promised_bytes += bytes;
        owner->owned_bytes += bytes;
        owner->owned_group = o->group;
        return;
    }
    assert(k->promised_bytes >= bytes);
    assert(owner->owned_bytes >= bytes);
    k->promised_bytes -= bytes;
    owner->owned_bytes -= bytes;
}

void keeper_count_root(struct keeper *k, struct keeper_object *o, bool counts)
{
    struct keeper_root *r = o->root;
    if (o->counted == counts)
        return;
    o->counted = counts;
    r->kept += counts ? 1 : UINT32_MAX; /* one less */
    if (r->kept > 0 || !r->counted)
        return;
    r->counted = false;
    if (k->started)
        keeper_emit(k, KEEPER_DROP)->root = r->cid;
}

struct keeper_copy *keeper_copy_of(struct list *link)
{
    return container_of(link, struct keeper_copy, of_object);
}

struct keeper_copy *keeper_copy_find(const struct keeper_object *o,
                                     const struct peer_id *peer)
{
    list_for_each (link, &o->copies) {
        struct keeper_copy *c = keeper_copy_of(link);
        if (!c->is_owner && peer_id_eq(&c->peer->id, peer))
            return c;
    }
    return NULL;
}

static bool make_room(struct keeper *k, struct keeper_object *o)
{
    if (o->copies_count < KEEPER_HOLDERS_MAX)
        return true;
    list_for_each (link, &o->copies) {
        struct keeper_copy *c = keeper_copy_of(link);
        if (c->state != KEEPER_HOLDER_FAILED && c->state != KEEPER_HOLDER_GONE)
            continue;
        keeper_copy_free(k, c);
        return true;
    }
    return false;
}

static void insert_by_rank(struct keeper_object *o, struct keeper_copy *c)
{
    struct list *place = &o->copies;
    list_for_each (link, &o->copies) {
        const struct keeper_copy *other = keeper_copy_of(link);
        if (other->rank > c->rank ||
            (other->rank == c->rank &&
             peer_id_cmp(&other->peer->id, &c->peer->id) < 0))
            continue;
        place = link;
        break;
    }
    list_add_tail(place, &c->of_object);
}

struct keeper_copy *keeper_copy_add(struct keeper *k, struct keeper_object *o,
                                    struct keeper_peer *peer,
                                    enum keeper_holder_state state)
{
    if (!make_room(k, o))
        return NULL;
    struct keeper_copy *c = mem_zalloc(1, sizeof(*c));
    c->object = o;
    c->peer = keeper_peer_ref(peer);
    c->rank = placement_score(&o->root->cid, &peer->id, 1);
    c->state = state;
    c->since_ms = k->now.unix_ms;
    c->timer.kind = KEEPER_TIMER_COPY;
    list_init(&c->ready);
    list_init(&c->tell);
    insert_by_rank(o, c);
    list_add_tail(&peer->copies, &c->of_peer);
    o->copies_count++;
    return c;
}

static bool is_placing(enum keeper_holder_state state)
{
    return state == KEEPER_HOLDER_OFFERED || state == KEEPER_HOLDER_PULLING;
}

void keeper_copy_free(struct keeper *k, struct keeper_copy *c)
{
    struct keeper_object *o = c->object;
    keeper_placed(k, c);
    if (c->verify != NULL)
        keeper_verify_part(k, c, E_NOTFOUND);
    keeper_audit_forget(c);
    keeper_heap_unset(&k->heap, &c->timer);
    list_remove(&c->of_object);
    list_remove(&c->of_peer);
    list_remove(&c->ready);
    list_remove(&c->tell);
    o->copies_count--;
    if (o->self == c)
        o->self = NULL;
    if (o->owner == c)
        o->owner = NULL;
    keeper_peer_unref(k, c->peer);
    mem_free(c);
}

void keeper_copy_set(struct keeper *k, struct keeper_copy *c,
                     enum keeper_holder_state state)
{
    if (!is_placing(state))
        keeper_placed(k, c);
    if (c->state == state)
        return;
    c->state = state;
    c->since_ms = k->now.unix_ms;
    keeper_touch(k, c->object);
}

bool keeper_counts(const struct keeper *k, const struct keeper_copy *c)
{
    switch (c->state) {
    case KEEPER_HOLDER_STORED:
    case KEEPER_HOLDER_VERIFIED:
    case KEEPER_HOLDER_SILENT:
        return c->has_receipt && c->until_s > keeper_unix_s(k) && !c->is_owner;
    case KEEPER_HOLDER_OFFERED:
    case KEEPER_HOLDER_PULLING:
    case KEEPER_HOLDER_FAILED:
    case KEEPER_HOLDER_GONE:
        return false;
    }
    return false;
}

bool keeper_is_well(const struct keeper *k, const struct keeper_copy *c)
{
    return c->state != KEEPER_HOLDER_SILENT && keeper_counts(k, c);
}

/* A copy here does not count for one who is about to leave. */
static bool counts_for_us(const struct keeper *k, const struct keeper_copy *c)
{
    return c->peer != k->self || k->leave_job == 0;
}

uint32_t keeper_live(const struct keeper *k, const struct keeper_object *o)
{
    uint32_t count = 0;
    list_for_each (link, &o->copies) {
        const struct keeper_copy *c = keeper_copy_of(link);
        count += keeper_counts(k, c) && counts_for_us(k, c);
    }
    return count;
}

uint32_t keeper_well(const struct keeper *k, const struct keeper_object *o)
{
    uint32_t count = 0;
    list_for_each (link, &o->copies) {
        const struct keeper_copy *c = keeper_copy_of(link);
        count += keeper_is_well(k, c) && counts_for_us(k, c);
    }
    return count;
}

uint32_t keeper_wanted(const struct keeper_object *o)
{
    return o->contract.record.policy.copies;
}

struct keeper_task *keeper_task_new(struct keeper *k,
                                    enum keeper_task_kind kind,
                                    struct keeper_object *o,
                                    struct keeper_peer *peer)
{
    struct keeper_task *t = mem_zalloc(1, sizeof(*t));
    t->id = k->ids++;
    t->kind = kind;
    t->object = o;
    t->began = k->now.mono;
    t->peer = peer == NULL ? NULL : keeper_peer_ref(peer);
    list_init(&t->of_object);
    if (o != NULL)
        list_add_tail(&o->tasks, &t->of_object);
    map_put(&k->tasks, &t->node,
            (struct bytes){.p = (const uint8_t *)&t->id, .len = sizeof(t->id)});
    return t;
}

struct keeper_task *keeper_task_take(struct keeper *k, uint64_t id,
                                     enum keeper_task_kind kind)
{
    struct map_node *node =
        map_get(&k->tasks,
                (struct bytes){.p = (const uint8_t *)&id, .len = sizeof(id)});
    if (node == NULL)
        return NULL;
    struct keeper_task *t = container_of(node, struct keeper_task, node);
    return t->kind == kind ? t : NULL;
}

void keeper_task_free(struct keeper *k, struct keeper_task *t)
{
    map_remove(&k->tasks, &t->node);
    list_remove(&t->of_object);
    if (t->kind == KEEPER_TASK_CALL)
        t->peer->calls--;
    if (t->audit != NULL)
        keeper_audit_untask(t->audit);
    if (t->peer != NULL)
        keeper_peer_unref(k, t->peer);
    mem_free(t->roots);
    mem_free(t->places);
    mem_free(t);
}
