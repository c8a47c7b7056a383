#include <assert.h>

#include "base/mem.h"
#include "storage/keeper_priv.h"

/*
 * The copies of an object, and what is under way with both.
 *
 * Slots are chained by falling rank.  A copy keeps its slot; when there are
 * none left all move to a larger piece of memory, which is the only time that a
 * pointer to a copy ends while the copy is there.
 */

enum {
    SLOT_OWNER = 0, /* of a holder */
    SLOT_SELF = 1,
    ROOM_STEP = 2,
    RANK_SHIFT = 48,
};

/* Slots of @o without a signature. */
static uint8_t unsigned_slots(const struct keeper_object *o)
{
    return o->role == KEEPER_HOLDER ? SLOT_SELF + 1 : 0;
}

static struct keeper_copy *at_slot(const struct keeper_object *o, uint8_t slot)
{
    return slot == KEEPER_SLOT_NONE ? NULL : &o->copies->at[slot];
}

struct keeper_object *keeper_object_of(const struct keeper_copy *c)
{
    /* What holds all slots begins right before the first one. */
    const uint8_t *first = (const uint8_t *)(c - c->slot);
    struct keeper_copies head;
    memcpy(&head, first - offsetof(struct keeper_copies, at), sizeof(head));
    return head.object;
}

struct keeper_copy *keeper_first(const struct keeper_object *o)
{
    return at_slot(o, o->best);
}

struct keeper_copy *keeper_after_copy(const struct keeper_copy *c)
{
    return at_slot(keeper_object_of(c), c->after);
}

static struct keeper_copy *fixed_slot(const struct keeper_object *o,
                                      uint8_t slot)
{
    if (o->role == KEEPER_OWNER || slot >= o->room)
        return NULL;
    struct keeper_copy *c = &o->copies->at[slot];
    return c->peer == NULL ? NULL : c;
}

struct keeper_copy *keeper_self(const struct keeper_object *o)
{
    return fixed_slot(o, SLOT_SELF);
}

struct keeper_copy *keeper_owner_copy(const struct keeper_object *o)
{
    return fixed_slot(o, SLOT_OWNER);
}

static uint8_t *sig_of_slot(const struct keeper_object *o, uint8_t slot)
{
    uint8_t *sigs = (uint8_t *)&o->copies->at[o->room];
    return sigs + (size_t)(slot - unsigned_slots(o)) * ED25519_SIG_BYTES;
}

uint8_t *keeper_sig(const struct keeper_copy *c)
{
    const struct keeper_object *o = keeper_object_of(c);
    assert(c->slot >= unsigned_slots(o));
    return sig_of_slot(o, c->slot);
}

/* The link at @from is at @to now. */
static void link_moved(const struct list *from, struct list *to)
{
    if (to->next == from) {
        list_init(to);
        return;
    }
    to->next->prev = to;
    to->prev->next = to;
}

static void grow(struct keeper_object *o)
{
    struct keeper_copies *old = o->copies;
    uint8_t old_room = o->room;
    uint8_t skipped = unsigned_slots(o);
    uint8_t room = (uint8_t)(old_room + ROOM_STEP);
    if (old_room == 0 && skipped == 0)
        room++; /* three copies are the usual */
    size_t sigs = (size_t)(room - skipped) * ED25519_SIG_BYTES;
    struct keeper_copies *new =
        mem_zalloc(1, sizeof(*new) + room * sizeof(new->at[0]) + sigs);
    new->object = o;
    for (uint8_t i = 0; i < old_room; i++) {
        new->at[i] = old->at[i];
        if (old->at[i].peer != NULL)
            link_moved(&old->at[i].of_peer, &new->at[i].of_peer);
    }
    const uint8_t *old_sigs = old_room == 0 ? NULL : sig_of_slot(o, skipped);
    o->copies = new;
    o->room = room;
    if (old_room > skipped)
        memcpy(sig_of_slot(o, skipped), old_sigs,
               (size_t)(old_room - skipped) * ED25519_SIG_BYTES);
    mem_free(old);
}

struct keeper_copy *keeper_copy_find(const struct keeper_object *o,
                                     const struct peer_id *peer)
{
    list_for_each_copy(c, o)
    {
        if (!c->is_owner && peer_id_eq(&c->peer->id, peer))
            return c;
    }
    return NULL;
}

static bool is_over_for_us(const struct keeper_copy *c)
{
    return c->state == KEEPER_HOLDER_FAILED || c->state == KEEPER_HOLDER_GONE;
}

/* How much would be lost with @c; above 2: it must stay. */
static unsigned worth(const struct keeper_copy *c, bool is_told)
{
    if (is_over_for_us(c))
        return c->hearsay ? 0 : 1;
    return c->hearsay && !is_told ? 2 : 3;
}

static bool make_room(struct keeper *k, struct keeper_object *o, bool is_told)
{
    struct keeper_copy *least = NULL;
    if (o->copies_count < KEEPER_HOLDERS_MAX)
        return true;
    list_for_each_copy(c, o)
    {
        if (worth(c, is_told) <= 2 &&
            (least == NULL || worth(c, is_told) < worth(least, is_told)))
            least = c;
    }
    if (least != NULL)
        keeper_copy_free(k, least);
    return least != NULL;
}

static bool is_better(const struct cid *root, const struct keeper_copy *a,
                      const struct keeper_copy *b)
{
    if (a->rank != b->rank)
        return a->rank > b->rank;
    uint64_t rank_a = placement_score(root, &a->peer->id, 1);
    uint64_t rank_b = placement_score(root, &b->peer->id, 1);
    if (rank_a != rank_b)
        return rank_a > rank_b;
    return peer_id_cmp(&a->peer->id, &b->peer->id) < 0;
}

static void insert_by_rank(struct keeper_object *o, struct keeper_copy *c)
{
    struct cid root = keeper_root(o);
    uint8_t *place = &o->best;
    c->rank = (uint16_t)(placement_score(&root, &c->peer->id, 1) >> RANK_SHIFT);
    while (*place != KEEPER_SLOT_NONE &&
           is_better(&root, at_slot(o, *place), c))
        place = &at_slot(o, *place)->after;
    c->after = *place;
    *place = c->slot;
}

static uint8_t free_slot(struct keeper *k, struct keeper_object *o,
                         const struct keeper_peer *peer)
{
    uint8_t slot = unsigned_slots(o);
    if (slot > 0 && o->copies_count == 0)
        slot = SLOT_OWNER;
    else if (slot > 0 && peer == k->self)
        slot = SLOT_SELF;
    while (slot < o->room && o->copies->at[slot].peer != NULL)
        slot++;
    if (slot >= o->room)
        grow(o);
    return slot;
}

struct keeper_copy *keeper_copy_add(struct keeper *k, struct keeper_object *o,
                                    struct keeper_peer *peer,
                                    enum keeper_holder_state state)
{
    if (!make_room(k, o, state == KEEPER_HOLDER_STORED))
        return NULL;
    uint8_t slot = free_slot(k, o, peer);
    struct keeper_copy *c = &o->copies->at[slot];
    memset(c, 0, sizeof(*c));
    c->slot = slot;
    c->peer = keeper_peer_ref(peer);
    c->state = state;
    c->since_s = keeper_unix_32(k);
    c->due = MTIME_NEVER;
    insert_by_rank(o, c);
    list_add_tail(&peer->copies, &c->of_peer);
    o->copies_count++;
    return c;
}

static bool is_placing(enum keeper_holder_state state)
{
    return state == KEEPER_HOLDER_OFFERED || state == KEEPER_HOLDER_PULLING;
}

static void free_chore(struct keeper_copy *c)
{
    struct keeper_chore *chore = keeper_chore(c);
    list_remove(&chore->link);
    list_remove(&chore->ready);
    list_remove(&chore->tell);
    mem_free(chore);
    c->has_chore = false;
}

void keeper_copy_free(struct keeper *k, struct keeper_copy *c)
{
    struct keeper_object *o = keeper_object_of(c);
    keeper_placed(k, c);
    if (keeper_chore_look(c)->verify != NULL)
        keeper_verify_part(k, c, E_NOTFOUND);
    keeper_audit_forget(c);
    if (c->has_chore)
        free_chore(c);
    list_remove(&c->of_peer);
    uint8_t *place = &o->best;
    while (*place != c->slot)
        place = &at_slot(o, *place)->after;
    *place = c->after;
    o->copies_count--;
    keeper_peer_unref(k, c->peer);
    c->peer = NULL;
}

void keeper_copy_set(struct keeper *k, struct keeper_copy *c,
                     enum keeper_holder_state state)
{
    if (!is_placing(state))
        keeper_placed(k, c);
    if (c->state == state)
        return;
    c->state = state;
    c->since_s = keeper_unix_32(k);
    keeper_touch(k, keeper_object_of(c));
}

void keeper_due(struct keeper *k, struct keeper_copy *c, struct mtime at)
{
    c->due = at;
    keeper_wake(k, keeper_object_of(c), at);
}

void keeper_due_sooner(struct keeper *k, struct keeper_copy *c, struct mtime at)
{
    if (mtime_before(at, c->due))
        keeper_due(k, c, at);
}

static const struct keeper_chore no_chore;
static const struct keeper_work no_work;

const struct keeper_chore *keeper_chore_look(const struct keeper_copy *c)
{
    if (!c->has_chore)
        return &no_chore;
    const struct keeper_object *o = keeper_object_of(c);
    list_for_each (link, &o->work->chores) {
        const struct keeper_chore *chore =
            container_of(link, struct keeper_chore, link);
        if (chore->slot == c->slot)
            return chore;
    }
    assert(false); /* has_chore says so */
    return &no_chore;
}

struct keeper_chore *keeper_chore(struct keeper_copy *c)
{
    struct keeper_object *o = keeper_object_of(c);
    struct keeper_work *w = keeper_work(o);
    list_for_each (link, &w->chores) {
        struct keeper_chore *chore =
            container_of(link, struct keeper_chore, link);
        if (chore->slot == c->slot)
            return chore;
    }
    struct keeper_chore *chore = mem_zalloc(1, sizeof(*chore));
    chore->object = o;
    chore->slot = c->slot;
    list_init(&chore->ready);
    list_init(&chore->tell);
    list_add_tail(&w->chores, &chore->link);
    c->has_chore = true;
    return chore;
}

struct keeper_copy *keeper_chore_copy(const struct keeper_chore *chore)
{
    return &chore->object->copies->at[chore->slot];
}

void keeper_unready(struct keeper_copy *c)
{
    if (c->has_chore)
        list_remove(&keeper_chore(c)->ready);
}

const struct keeper_work *keeper_look(const struct keeper_object *o)
{
    return o->work == NULL ? &no_work : o->work;
}

struct keeper_work *keeper_work(struct keeper_object *o)
{
    if (o->work != NULL)
        return o->work;
    struct keeper_work *w = mem_zalloc(1, sizeof(*w));
    w->object = o;
    list_init(&w->queue);
    list_init(&w->starved);
    list_init(&w->pulling);
    list_init(&w->tasks);
    list_init(&w->chores);
    w->row_generation = o->on_disk ? 1 : 0;
    w->row_written = w->row_generation;
    o->work = w;
    return w;
}

/* What it says about the past of a copy is not asked for any more. */
static bool is_done(const struct keeper *k, const struct keeper_copy *c,
                    const struct keeper_chore *chore)
{
    switch (c->state) {
    case KEEPER_HOLDER_STORED:
    case KEEPER_HOLDER_VERIFIED:
        break;
    case KEEPER_HOLDER_OFFERED:
    case KEEPER_HOLDER_PULLING:
        if (!c->is_owner && c->peer != k->self)
            return false;
        break;
    case KEEPER_HOLDER_SILENT:
    case KEEPER_HOLDER_FAILED:
    case KEEPER_HOLDER_GONE:
        return false;
    }
    return chore->audit == NULL && chore->verify == NULL &&
           list_empty(&chore->ready) && list_empty(&chore->tell) &&
           !chore->is_looking && mtime_reached(k->now.mono, chore->update_at) &&
           mtime_reached(k->now.mono, chore->retell_at) &&
           (c->state == KEEPER_HOLDER_VERIFIED || chore->backs_failed == 0);
}

static bool is_idle(const struct keeper *k, const struct keeper_work *w)
{
    return list_empty(&w->queue) && list_empty(&w->starved) &&
           list_empty(&w->pulling) && list_empty(&w->tasks) &&
           list_empty(&w->chores) && !w->row_writing &&
           w->row_generation == w->row_written && w->placer == NULL &&
           !w->mending && w->pull == NULL && !w->is_below && !w->is_starved &&
           !w->is_trimming && w->placing == 0 && !w->fetching_back &&
           w->retell_at.ns == 0 && w->trim_at.ns == 0 &&
           mtime_reached(k->now.mono, w->ask_at) &&
           mtime_reached(k->now.mono, w->claim_at) &&
           mtime_reached(k->now.mono, w->no_blocks_until) &&
           mtime_reached(k->now.mono, w->back_at) &&
           mtime_reached(k->now.mono, w->renew_at);
}

void keeper_work_tidy(const struct keeper *k, struct keeper_object *o)
{
    struct keeper_work *w = o->work;
    if (w == NULL)
        return;
    list_for_each_safe (link, &w->chores) {
        const struct keeper_chore *chore =
            container_of(link, struct keeper_chore, link);
        struct keeper_copy *c = keeper_chore_copy(chore);
        if (is_done(k, c, chore))
            free_chore(c);
    }
    if (!is_idle(k, w))
        return;
    mem_free(w);
    o->work = NULL;
}
