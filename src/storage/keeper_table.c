#include <assert.h>

#include "base/mem.h"
#include "base/wr.h"
#include "crypto/sha256.h"
#include "storage/keeper_priv.h"

/*
 * The tables: objects by root and owner, peers, tasks.  An
 * object owns its copies; copies, tasks and being connected count the peer;
 * a task names an object as long as it is there.
 */

enum { LEARNT_SHARE = 2 }; /* of the table for peers: a half */

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
    p->number = ++k->peers_made;
    p->timer.kind = KEEPER_TIMER_PEER;
    list_init(&p->copies);
    list_init(&p->ready);
    list_init(&p->tell);
    list_init(&p->asking);
    p->tokens_at = k->now.mono;
    p->tokens_ms = UINT32_MAX; /* as much as may be saved */
    p->phase_ns = keeper_random(k, UINT64_C(1000000) * k->config.audit_ms);
    map_put(&k->peers, &p->node, peer_id_bytes(&p->id));
    return p;
}

struct keeper_peer *keeper_peer_learn(struct keeper *k,
                                      const struct peer_id *id)
{
    if (k->peers.count >= k->config.peers_max / LEARNT_SHARE)
        return keeper_peer_find(k, id);
    return keeper_peer_get(k, id);
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

struct cid keeper_root(const struct keeper_object *o)
{
    struct cid root;
    enum err err =
        cid_decode((struct bytes){.p = o->root, .len = o->root_len}, &root);
    assert(err == OK); /* it was encoded here */
    (void)err;
    return root;
}

struct keeper_peer *keeper_owner_peer(const struct keeper *k,
                                      const struct keeper_object *o)
{
    return o->role == KEEPER_OWNER ? k->self : keeper_owner_copy(o)->peer;
}

const uint8_t *keeper_owner(const struct keeper *k,
                            const struct keeper_object *o)
{
    /* The key is the end of an Ed25519 peer id. */
    const struct peer_id *id = &keeper_owner_peer(k, o)->id;
    return id->bytes + id->len - OBJECT_OWNER_BYTES;
}

struct keeper_object *
keeper_object_find(const struct keeper *k, const struct cid *root,
                   const uint8_t owner[static OBJECT_OWNER_BYTES])
{
    struct keeper_object *o = keeper_index_root(&k->objects, root);
    while (o != NULL &&
           memcmp(keeper_owner(k, o), owner, OBJECT_OWNER_BYTES) != 0)
        o = keeper_index_same(o);
    return o;
}

bool keeper_is_release(const struct keeper_object *o)
{
    return o->policy.copies == 0 && o->policy.k == 0;
}

const struct checked_object *keeper_contract(struct keeper *k,
                                             const struct keeper_object *o)
{
    struct object_record *record = &k->contract.record;
    *record = (struct object_record){
        .root = keeper_root(o),
        .size_bytes = o->size_bytes,
        .blocks = o->blocks,
        .policy = o->policy,
        .name_len = o->name_len,
        .created_s = o->created_s,
        .expires_s = o->expires_s,
        .seq = o->seq,
    };
    memcpy(record->network, k->network, sizeof(record->network));
    memcpy(record->owner, keeper_owner(k, o), OBJECT_OWNER_BYTES);
    memcpy(record->sig, o->sig, sizeof(record->sig));
    if (o->name_len > 0)
        memcpy(record->name, o->name, o->name_len);
    uint8_t encoded[OBJECT_RECORD_BYTES_MAX];
    struct wr w = wr_init(encoded, sizeof(encoded));
    object_record_encode(&w, record);
    sha256((struct bytes){.p = encoded, .len = wr_len(&w)}, k->contract.hash);
    return &k->contract;
}

void keeper_set_record(struct keeper_object *o,
                       const struct object_record *record)
{
    o->size_bytes = record->size_bytes;
    o->blocks = record->blocks;
    o->policy = record->policy;
    o->created_s = record->created_s;
    o->expires_s = record->expires_s;
    o->seq = record->seq;
    memcpy(o->sig, record->sig, sizeof(o->sig));
    mem_free(o->name);
    o->name = NULL;
    o->name_len = record->name_len;
    if (record->name_len > 0)
        o->name = mem_dup(record->name, record->name_len);
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
keeper_owner_find(const struct keeper *k,
                  const uint8_t key[static OBJECT_OWNER_BYTES])
{
    struct peer_id id = peer_of_key(key);
    return keeper_peer_find(k, &id);
}

struct keeper_peer *
keeper_owner_get(struct keeper *k, const uint8_t key[static OBJECT_OWNER_BYTES])
{
    struct peer_id id = peer_of_key(key);
    return keeper_peer_get(k, &id);
}

static void add_owner(struct keeper *k, struct keeper_object *o,
                      const uint8_t key[static OBJECT_OWNER_BYTES])
{
    struct keeper_peer *peer = keeper_owner_get(k, key);
    assert(peer != NULL); /* the caller has asked */
    struct keeper_copy *c = keeper_copy_add(k, o, peer, KEEPER_HOLDER_OFFERED);
    assert(c == keeper_owner_copy(o));
    c->is_owner = true;
    peer->owned_objects++;
}

static void add_self(struct keeper *k, struct keeper_object *o)
{
    struct keeper_copy *c =
        keeper_copy_add(k, o, k->self, KEEPER_HOLDER_PULLING);
    assert(c == keeper_self(o));
    (void)c;
}

struct keeper_object *keeper_object_new(struct keeper *k, enum keeper_role role,
                                        const struct checked_object *contract)
{
    const struct object_record *record = &contract->record;
    uint8_t root[CID_BYTES_MAX];
    size_t root_len = cid_encode(&record->root, root);
    struct keeper_object *o = mem_zalloc(1, sizeof(*o) + root_len);
    o->id = ++k->objects_made;
    o->role = role;
    o->timer.kind = KEEPER_TIMER_OBJECT;
    o->best = KEEPER_SLOT_NONE;
    o->root_len = (uint8_t)root_len;
    memcpy(o->root, root, root_len);
    keeper_set_record(o, record);
    keeper_index_add(&k->objects, o);
    if (role == KEEPER_OWNER) {
        k->stats.owned++;
        return o;
    }
    add_owner(k, o, record->owner);
    add_self(k, o);
    o->quiet_until =
        keeper_after(k, k->config.audit_ms + k->config.audit_ms / 2);
    return o;
}

static void undirty(struct keeper *k, const struct keeper_object *o)
{
    for (size_t i = k->dirty_next; o->is_dirty && i < k->dirty_count; i++) {
        if (k->dirty[i] == o)
            k->dirty[i] = NULL;
    }
}

static void free_work(struct keeper *k, struct keeper_object *o)
{
    struct keeper_work *w = o->work;
    if (w == NULL)
        return;
    if (w->pull != NULL) {
        keeper_emit(k, KEEPER_PULL_CANCEL)->id = w->pull->id;
        keeper_task_free(k, w->pull);
        k->pulls_count--;
    }
    while (!list_empty(&w->tasks)) {
        struct list *link = list_first(&w->tasks);
        list_remove(link);
        container_of(link, struct keeper_task, of_object)->object = NULL;
    }
    if (w->placer != NULL)
        keeper_peer_unref(k, w->placer);
    list_remove(&w->queue);
    list_remove(&w->starved);
    list_remove(&w->pulling);
    mem_free(w);
    o->work = NULL;
}

void keeper_uncount(struct keeper *k, const struct keeper_object *o)
{
    bool is_releasing = o->phase == KEEPER_PHASE_RELEASING;
    k->stats.releasing -= is_releasing;
    k->stats.held -= is_releasing || o->phase == KEEPER_PHASE_HELD;
}

void keeper_object_free(struct keeper *k, struct keeper_object *o)
{
    keeper_promise(k, o, false);
    keeper_count_root(k, o, false);
    if (o->role == KEEPER_HOLDER)
        keeper_owner_peer(k, o)->owned_objects--;
    /* While its owner is known yet. */
    keeper_index_remove(&k->objects, o);
    struct keeper_copy *c = NULL;
    while ((c = keeper_first(o)) != NULL)
        keeper_copy_free(k, c);
    free_work(k, o);
    if (o->role == KEEPER_OWNER)
        k->stats.owned--;
    else
        keeper_uncount(k, o);
    keeper_heap_unset(&k->heap, &o->timer);
    undirty(k, o);
    mem_free(o->copies);
    mem_free(o->past);
    mem_free(o->name);
    mem_free(o);
}

uint64_t keeper_bytes(const struct keeper_object *o)
{
    return o->is_measured ? o->held_bytes : o->size_bytes;
}

void keeper_measured(struct keeper *k, struct keeper_object *o, uint64_t bytes)
{
    bool promised = o->promised;
    if (promised)
        keeper_promise(k, o, false);
    o->held_bytes = bytes;
    o->is_measured = true;
    if (promised)
        keeper_promise(k, o, true);
}

void keeper_promise(struct keeper *k, struct keeper_object *o, bool promised)
{
    if (o->promised == promised)
        return;
    o->promised = promised;
    uint64_t bytes = keeper_bytes(o);
    struct keeper_peer *owner = keeper_owner_peer(k, o);
    if (promised) {
        k->promised_bytes += bytes;
        owner->owned_bytes += bytes;
        return;
    }
    assert(k->promised_bytes >= bytes);
    assert(owner->owned_bytes >= bytes);
    k->promised_bytes -= bytes;
    owner->owned_bytes -= bytes;
}

/* Whether any object counts the root of @o in the store. */
static bool is_root_counted(const struct keeper *k,
                            const struct keeper_object *o)
{
    struct cid root = keeper_root(o);
    return keeper_kept(k, &root);
}

void keeper_count_root(struct keeper *k, struct keeper_object *o, bool counts)
{
    if (o->counted == counts)
        return;
    o->counted = counts;
    if (!counts && k->started && !is_root_counted(k, o))
        keeper_emit(k, KEEPER_DROP)->root = keeper_root(o);
}

bool keeper_counts(const struct keeper *k, const struct keeper_copy *c)
{
    switch (c->state) {
    case KEEPER_HOLDER_STORED:
    case KEEPER_HOLDER_VERIFIED:
    case KEEPER_HOLDER_SILENT:
        return c->has_receipt && !c->hearsay && c->until_s > keeper_unix_s(k) &&
               !c->is_owner;
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
    list_for_each_copy(c, o)
    {
        count += keeper_counts(k, c) && counts_for_us(k, c);
    }
    return count;
}

uint32_t keeper_well(const struct keeper *k, const struct keeper_object *o)
{
    uint32_t count = 0;
    list_for_each_copy(c, o)
    {
        count += keeper_is_well(k, c) && counts_for_us(k, c);
    }
    return count;
}

uint32_t keeper_wanted(const struct keeper_object *o)
{
    return o->policy.copies;
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
        list_add_tail(&keeper_work(o)->tasks, &t->of_object);
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
