#include "storage/keeper_priv.h"

/* What is told of objects: states, lists, counts. */

const char *keeper_state_name(enum keeper_state state)
{
    switch (state) {
    case KEEPER_LOCAL:
        return "local";
    case KEEPER_ANNOUNCED:
        return "announced";
    case KEEPER_PARTIAL:
        return "partial";
    case KEEPER_STORED:
        return "stored";
    case KEEPER_VERIFIED:
        return "verified";
    case KEEPER_SAFE:
        return "safe";
    case KEEPER_DEGRADED:
        return "degraded";
    case KEEPER_LOST:
        return "lost";
    case KEEPER_RELEASING:
        return "releasing";
    }
    return "";
}

const char *keeper_holder_state_name(enum keeper_holder_state state)
{
    switch (state) {
    case KEEPER_HOLDER_OFFERED:
        return "offered";
    case KEEPER_HOLDER_PULLING:
        return "pulling";
    case KEEPER_HOLDER_STORED:
        return "stored";
    case KEEPER_HOLDER_VERIFIED:
        return "verified";
    case KEEPER_HOLDER_SILENT:
        return "silent";
    case KEEPER_HOLDER_FAILED:
        return "failed";
    case KEEPER_HOLDER_GONE:
        return "gone";
    }
    return "";
}

const char *keeper_event_name(enum keeper_event event)
{
    switch (event) {
    case KEEPER_EVENT_OFFERED:
        return "offered";
    case KEEPER_EVENT_ACCEPTED:
        return "accepted";
    case KEEPER_EVENT_REFUSED:
        return "refused";
    case KEEPER_EVENT_COPY:
        return "copy";
    case KEEPER_EVENT_FETCHED_BACK:
        return "fetched_back";
    case KEEPER_EVENT_STATE:
        return "state";
    case KEEPER_EVENT_AUDIT_PASSED:
        return "audit_passed";
    case KEEPER_EVENT_AUDIT_FAILED:
        return "audit_failed";
    case KEEPER_EVENT_SILENT:
        return "silent";
    case KEEPER_EVENT_GIVEN_UP:
        return "given_up";
    case KEEPER_EVENT_REPAIRING:
        return "repairing";
    case KEEPER_EVENT_REPAIRED:
        return "repaired";
    case KEEPER_EVENT_PULLING:
        return "pulling";
    case KEEPER_EVENT_HELD:
        return "held";
    case KEEPER_EVENT_PULL_FAILED:
        return "pull_failed";
    case KEEPER_EVENT_RELEASED:
        return "released";
    case KEEPER_EVENT_GONE:
        return "gone";
    case KEEPER_EVENT_RECOVERED:
        return "recovered";
    case KEEPER_EVENT_BAD_PEER:
        return "bad_peer";
    case KEEPER_EVENT_DOUBT:
        return "doubt";
    }
    return "";
}

/* Of the copies that are well: fetched back, proved in this run, and told. */
struct proofs {
    uint32_t verified;
    uint32_t safe;
    bool all_told;
};

static struct proofs count_proofs(const struct keeper *k,
                                  const struct keeper_object *o)
{
    struct proofs p = {.all_told = true};
    list_for_each_copy(c, o)
    {
        if (!keeper_is_well(k, c))
            continue;
        p.verified += c->state == KEEPER_HOLDER_VERIFIED;
        p.safe += c->state == KEEPER_HOLDER_VERIFIED && c->seen;
        if (!c->told && o->set_generation > 0)
            p.all_told = false;
    }
    return p;
}

/*
 * Whether @c may have the object, though it does not count: nobody has answered
 * for it yet, or its receipt has ended and it was not given up.
 */
static bool may_be_there(const struct keeper_copy *c)
{
    switch (c->state) {
    case KEEPER_HOLDER_STORED:
    case KEEPER_HOLDER_VERIFIED:
    case KEEPER_HOLDER_SILENT:
        return true;
    case KEEPER_HOLDER_PULLING:
        return !c->placed; /* it was said to have it */
    case KEEPER_HOLDER_OFFERED:
    case KEEPER_HOLDER_FAILED:
    case KEEPER_HOLDER_GONE:
        return false;
    }
    return false;
}

static bool is_lost(const struct keeper *k, const struct keeper_object *o)
{
    if (keeper_live(k, o) > 0)
        return false;
    list_for_each_copy(c, o)
    {
        if (!c->is_owner && may_be_there(c))
            return false;
    }
    return true;
}

enum keeper_state keeper_state_of(const struct keeper *k,
                                  const struct keeper_object *o)
{
    uint32_t wanted = keeper_wanted(o);
    uint32_t live = keeper_live(k, o);
    if (wanted == 0)
        return KEEPER_RELEASING;
    if (live >= wanted) {
        struct proofs p = count_proofs(k, o);
        if (p.safe >= wanted && p.all_told)
            return KEEPER_SAFE;
        return p.verified > 0 ? KEEPER_VERIFIED : KEEPER_STORED;
    }
    if (o->was_full)
        return is_lost(k, o) ? KEEPER_LOST : KEEPER_DEGRADED;
    if (live > 0)
        return KEEPER_PARTIAL;
    return keeper_look(o)->placing > 0 ? KEEPER_ANNOUNCED : KEEPER_LOCAL;
}

static void list_progress(const struct keeper_object *o,
                          const struct keeper_copy *c,
                          struct keeper_holder_status *h)
{
    if (c->has_receipt) {
        h->pulled_bytes = o->size_bytes;
        h->pulled_blocks = o->blocks;
    } else if (c->state == KEEPER_HOLDER_PULLING) {
        const struct keeper_work *w = keeper_look(o);
        const struct keeper_chore *chore = keeper_chore_look(c);
        bool is_self = c == keeper_self(o);
        h->pulled_bytes = is_self ? w->pulled_bytes : chore->pulled_bytes;
        h->pulled_blocks = is_self ? w->pulled_blocks : chore->pulled_blocks;
    }
}

static void list_holders(const struct keeper_object *o, struct keeper_status *s)
{
    list_for_each_copy(c, o)
    {
        if (c->is_owner || s->holders_count == KEEPER_HOLDERS_MAX)
            continue;
        struct keeper_holder_status *h = &s->holders[s->holders_count++];
        h->peer = c->peer->id;
        h->state = c->hearsay && c->state == KEEPER_HOLDER_STORED
                       ? KEEPER_HOLDER_SILENT
                       : c->state;
        h->since_ms = UINT64_C(1000) * c->since_s;
        h->last_verified_ms = UINT64_C(1000) * c->verified_s;
        h->until_ms = c->has_receipt ? UINT64_C(1000) * c->until_s : 0;
        if (c->state == KEEPER_HOLDER_FAILED)
            h->refusal = keeper_chore_look(c)->refusal;
        list_progress(o, c, h);
    }
}

static void fill_status(const struct keeper *k, const struct keeper_object *o,
                        struct keeper_status *s)
{
    memset(s, 0, sizeof(*s));
    s->id = o->id;
    s->root = keeper_root(o);
    s->owner = keeper_owner_peer(k, o)->id;
    s->role = o->role;
    s->state = keeper_state_of(k, o);
    s->kept = o->role == KEEPER_HOLDER && o->phase == KEEPER_PHASE_HELD;
    s->partial = keeper_look(o)->is_starved;
    keeper_mark_uses(k, o);
    s->tier = placement_tier_of(k->candidates, k->candidates_count, k->uses);
    s->copies_wanted = keeper_wanted(o);
    s->copies_stored = keeper_live(k, o);
    s->copies_verified = count_proofs(k, o).verified;
    s->size_bytes = o->size_bytes;
    s->blocks = o->blocks;
    s->created_ms = o->created_s * 1000;
    s->expires_ms = o->expires_s * 1000;
    s->seq = o->seq;
    s->release_delay_s = o->policy.release_delay_s;
    s->name_len = o->name_len;
    if (o->name_len > 0)
        memcpy(s->name, o->name, o->name_len);
    list_holders(o, s);
}

/* A tombstone is nothing that anybody asks for. */
static bool is_shown(const struct keeper_object *o)
{
    return o->role == KEEPER_OWNER || o->phase != KEEPER_PHASE_TOMB;
}

enum err keeper_status(struct keeper *k, const struct cid *root,
                       struct keeper_now now, struct keeper_status *ret_status)
{
    k->now = now;
    const struct keeper_object *o = keeper_object_own(k, root);
    if (o == NULL)
        o = keeper_index_root(&k->objects, root);
    while (o != NULL && !is_shown(o))
        o = keeper_index_same(o);
    if (o == NULL)
        return E_NOTFOUND;
    fill_status(k, o, ret_status);
    return OK;
}

size_t keeper_list(struct keeper *k, uint64_t after, struct keeper_now now,
                   struct keeper_status *dst, size_t max)
{
    k->now = now;
    size_t count = 0;
    const struct keeper_object *o = NULL;
    while (count < max &&
           (o = keeper_index_after(&k->objects, after)) != NULL) {
        after = o->id;
        if (is_shown(o))
            fill_status(k, o, &dst[count++]);
    }
    return count;
}

bool keeper_kept(const struct keeper *k, const struct cid *root)
{
    const struct keeper_object *o = keeper_index_root(&k->objects, root);
    while (o != NULL && !o->counted)
        o = keeper_index_same(o);
    return o != NULL;
}

struct keeper_stats keeper_get_stats(const struct keeper *k)
{
    struct keeper_stats s = k->stats;
    s.peers = k->peers.count - 1;
    s.promised_bytes = k->promised_bytes;
    s.pulling = k->pulls_count;
    s.repair_queue = 0;
    for (size_t i = KEEPER_QUEUE_REPAIR; i < KEEPER_QUEUES; i++) {
        list_for_each (link, &k->queues[i]) {
            s.repair_queue++;
        }
    }
    list_for_each (link, &k->pulls) {
        s.pulling++;
    }
    return s;
}
