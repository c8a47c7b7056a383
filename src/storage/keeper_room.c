#include "storage/keeper_priv.h"

/*
 * Room: whether an object is taken, by whose it is, how large, and what else
 * is here.  All that a stranger may make us hold is bounded here.
 */

enum {
    OWNER_SHARE = 8, /* one owner gets an eighth of the offer */
    GROUP_SHARE = 4, /* those of one IP group a quarter */
    COUNT_MIN = 64,  /* but so many objects, where few are taken at all */
};

/* What the owners of one IP group have here. */
struct owned {
    uint64_t bytes;
    uint64_t objects;
    uint64_t owners;
};

uint64_t keeper_owner_group(const struct keeper_peer *owner,
                            const struct keeper_peer *from)
{
    return owner->group != 0 ? owner->group : from->group;
}

static struct owned owned_by_group(const struct keeper *k, uint64_t group)
{
    struct owned sum = {0};
    map_for_each (it, &k->peers) {
        const struct keeper_peer *p =
            container_of(it, struct keeper_peer, node);
        if (p->owned_group != group || p->owned_objects == 0)
            continue;
        sum.bytes += p->owned_bytes;
        sum.objects += p->owned_objects;
        sum.owners++;
    }
    return sum;
}

/* Room for @more bytes of @all, of which @used are taken. */
static bool fits(uint64_t all, uint64_t used, uint64_t more)
{
    return used <= all && more <= all - used;
}

/* So many keep the same root that looking through them would be slow. */
static bool is_crowded(const struct keeper *k, const struct cid *root)
{
    size_t count = 0;
    for (const struct keeper_object *o = keeper_index_root(&k->objects, root);
         o != NULL; o = keeper_index_same(o))
        count++;
    return count >= KEEPER_ROOT_OWNERS_MAX;
}

/* What of @all that can be counted one of @share gets. */
static uint64_t count_share(uint64_t all, uint64_t share)
{
    return all / share > COUNT_MIN ? all / share : COUNT_MIN;
}

enum storage_reason keeper_no_room(const struct keeper *k,
                                   const struct keeper_peer *owner,
                                   uint64_t group, uint64_t more)
{
    uint64_t offer = k->config.offer_bytes;
    if (!fits(offer, k->promised_bytes, more))
        return STORAGE_REASON_SPACE;
    if (!fits(offer / OWNER_SHARE, owner->owned_bytes, more))
        return STORAGE_REASON_QUOTA;
    if (group != 0 &&
        !fits(offer / GROUP_SHARE, owned_by_group(k, group).bytes, more))
        return STORAGE_REASON_QUOTA;
    return STORAGE_REASON_OTHER;
}

/*
 * Whether @owner has too many objects here, whatever their size.  A key costs
 * nothing, so those of one IP group are counted together, and the owners too:
 * each takes a place among the peers.
 */
static bool has_too_many(const struct keeper *k,
                         const struct keeper_peer *owner, uint64_t group)
{
    uint64_t all = k->config.objects_max;
    if (!fits(count_share(all, OWNER_SHARE), owner->owned_objects, 1))
        return true;
    if (group == 0)
        return false;
    struct owned sum = owned_by_group(k, group);
    if (!fits(count_share(all, GROUP_SHARE), sum.objects, 1))
        return true;
    return owner->owned_objects == 0 &&
           !fits(count_share(k->config.peers_max, OWNER_SHARE), sum.owners, 1);
}

uint64_t keeper_pull_group(const struct keeper *k,
                           const struct keeper_object *o)
{
    return keeper_owner_peer(k, o)->owned_group;
}

/* Whether as many pulls of @from or of its group wait as may. */
static bool waits_for_many(const struct keeper *k,
                           const struct keeper_peer *from, uint64_t group)
{
    size_t of_placer = 0;
    size_t of_group = 0;
    list_for_each (link, &k->pulls) {
        const struct keeper_work *w =
            container_of(link, struct keeper_work, pulling);
        of_placer += w->placer == from;
        of_group += group != 0 && keeper_pull_group(k, w->object) == group;
    }
    return of_placer >= KEEPER_PLACER_WAITS_MAX ||
           of_group >= KEEPER_GROUP_WAITS_MAX;
}

enum storage_reason keeper_why_not(struct keeper *k,
                                   const struct keeper_peer *from,
                                   const struct keeper_peer *owner,
                                   const struct checked_object *contract)
{
    uint64_t size = contract->record.size_bytes;
    uint64_t group = keeper_owner_group(owner, from);
    if (k->leave_job != 0)
        return STORAGE_REASON_LEAVING;
    if (owner->banned)
        return STORAGE_REASON_BANNED;
    if (k->config.offer_bytes == 0)
        return STORAGE_REASON_POLICY;
    if (size > k->config.size_max)
        return STORAGE_REASON_SIZE;
    if (k->objects.count >= k->config.objects_max)
        return STORAGE_REASON_SPACE;
    if (is_crowded(k, &contract->record.root) || has_too_many(k, owner, group))
        return STORAGE_REASON_QUOTA;
    if (waits_for_many(k, from, group))
        return STORAGE_REASON_BUSY;
    return keeper_no_room(k, owner, group, size);
}
