#include "kad/lookup.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { PEERS_START = 32 };

_Static_assert(KAD_LOOKUP_PEERS_MAX < KAD_LOOKUP_NO_PEER, "numbers suffice");

void kad_lookup_init(struct kad_lookup *l, const struct kad_key *target,
                     const struct kad_key *self)
{
    *l = (struct kad_lookup){.target = *target,
                             .self = *self,
                             .k = KAD_K,
                             .alpha = KAD_ALPHA,
                             .beta = KAD_BETA};
}

void kad_lookup_set_width(struct kad_lookup *l, uint32_t k, uint32_t alpha,
                          uint32_t beta)
{
    assert(k >= 1);
    assert(alpha >= 1);
    assert(beta >= 1);

    l->k = k;
    l->alpha = alpha;
    l->beta = beta;
}

void kad_lookup_release(struct kad_lookup *l)
{
    for (size_t i = 0; i < l->count; i++)
        kad_addrs_release(&l->peers[i].addrs);
    mem_free(l->peers);
    mem_free(l->order);
    l->peers = NULL;
    l->order = NULL;
    l->count = 0;
    l->room = 0;
}

/* Place in the order where @key is, or would be put. */
static size_t place_of(const struct kad_lookup *l, const struct kad_key *key)
{
    size_t low = 0;
    size_t high = l->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct kad_key *other = &l->peers[l->order[mid]].key;
        if (kad_key_cmp_distance(&l->target, other, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool is_at(const struct kad_lookup *l, size_t place,
                  const struct kad_key *key)
{
    return place < l->count && kad_key_eq(&l->peers[l->order[place]].key, key);
}

static void grow(struct kad_lookup *l)
{
    if (l->count < l->room)
        return;
    size_t room = l->room == 0 ? PEERS_START : 2 * l->room;
    l->peers = mem_resize(l->peers, room, sizeof(*l->peers));
    l->order = mem_resize(l->order, room, sizeof(*l->order));
    l->room = room;
}

/*
 * A number for a new peer that belongs at @place.  When all are taken, that of
 * the farthest one that was only heard of, unless it is nearer.
 */
static uint16_t take_number(struct kad_lookup *l, size_t place)
{
    if (l->count < KAD_LOOKUP_PEERS_MAX) {
        grow(l);
        l->order[l->count] = (uint16_t)l->count;
        return (uint16_t)l->count++;
    }
    size_t last = l->count;
    while (last > place && l->peers[l->order[last - 1]].state != KAD_HEARD)
        last--;
    if (last == place)
        return KAD_LOOKUP_NO_PEER;
    uint16_t number = l->order[last - 1];
    memmove(&l->order[last - 1], &l->order[last],
            (l->count - last) * sizeof(l->order[0]));
    l->order[l->count - 1] = number;
    kad_addrs_release(&l->peers[number].addrs);
    return number;
}

static uint8_t hops_after(const struct kad_lookup *l, uint16_t named_by)
{
    if (named_by == KAD_LOOKUP_NO_PEER)
        return 1;
    uint8_t hops = l->peers[named_by].hops;
    return hops == UINT8_MAX ? hops : (uint8_t)(hops + 1);
}

/* Whether who named @p named mostly peers that cannot be reached. */
static bool is_doubtful(const struct kad_lookup *l,
                        const struct kad_lookup_peer *p)
{
    if (p->named_by == KAD_LOOKUP_NO_PEER)
        return false;
    const struct kad_lookup_peer *source = &l->peers[p->named_by];
    return source->bad >= KAD_LOOKUP_DUDS && source->bad > 2 * source->good;
}

bool kad_lookup_add(struct kad_lookup *l, const struct peer_id *id,
                    const struct kad_addrs *addrs, uint16_t named_by)
{
    struct kad_key key = kad_key_of_peer(id);

    if (kad_key_eq(&key, &l->self))
        return false;
    size_t place = place_of(l, &key);
    if (is_at(l, place, &key)) {
        struct kad_lookup_peer *old = &l->peers[l->order[place]];
        if (old->addrs.count == 0)
            old->addrs = kad_addrs_ref(addrs);
        if (old->state == KAD_HEARD && is_doubtful(l, old))
            old->named_by = named_by;
        return false;
    }
    uint8_t hops = hops_after(l, named_by);
    uint16_t number = take_number(l, place);
    if (number == KAD_LOOKUP_NO_PEER)
        return false;
    memmove(&l->order[place + 1], &l->order[place],
            (l->count - 1 - place) * sizeof(l->order[0]));
    l->order[place] = number;
    l->peers[number] = (struct kad_lookup_peer){.id = *id,
                                                .key = key,
                                                .addrs = kad_addrs_ref(addrs),
                                                .state = KAD_HEARD,
                                                .hops = hops,
                                                .named_by = named_by};
    return true;
}

bool kad_lookup_is_over(const struct kad_lookup *l)
{
    uint32_t wanted = l->follow_up ? l->k : l->beta;
    uint32_t answered = 0;
    bool nobody_left = true;

    for (size_t i = 0; i < l->count && answered < wanted; i++) {
        const struct kad_lookup_peer *p = &l->peers[l->order[i]];
        if (p->state == KAD_UNREACHABLE)
            continue;
        if (p->state == KAD_QUERIED) {
            answered++;
            continue;
        }
        bool passed_over = p->slow || is_doubtful(l, p);
        if (!passed_over)
            return false;
        if (p->state == KAD_WAITING || !l->follow_up)
            nobody_left = false;
    }
    if (answered == wanted || nobody_left)
        return true;
    return l->follow_up && answered >= l->beta; /* only slow ones are left */
}

/* The nearest peer only heard of among those that matter now. */
static uint16_t nearest_heard(const struct kad_lookup *l, bool doubtful)
{
    uint32_t better = 0;

    for (size_t i = 0; i < l->count; i++) {
        const struct kad_lookup_peer *p = &l->peers[l->order[i]];
        if (p->state == KAD_HEARD && is_doubtful(l, p) == doubtful)
            return l->order[i];
        if (p->state == KAD_QUERIED || (p->state == KAD_WAITING && !p->slow))
            better++;
        if (l->follow_up && better >= l->k)
            break;
    }
    return KAD_LOOKUP_NO_PEER;
}

uint16_t kad_lookup_next(struct kad_lookup *l)
{
    uint32_t places = l->follow_up ? l->k : l->alpha;

    if (l->waiting - l->slow >= places || l->waiting >= 2 * places)
        return KAD_LOOKUP_NO_PEER;
    if (kad_lookup_is_over(l))
        return KAD_LOOKUP_NO_PEER;
    uint16_t number = nearest_heard(l, false);
    bool stuck = number == KAD_LOOKUP_NO_PEER && l->waiting == l->slow;
    if (stuck && !l->follow_up)
        number = nearest_heard(l, true);
    if (number == KAD_LOOKUP_NO_PEER)
        return number;
    l->peers[number].state = KAD_WAITING;
    l->waiting++;
    return number;
}

struct kad_lookup_peer *kad_lookup_peer_at(const struct kad_lookup *l,
                                           uint16_t i)
{
    assert(i < l->count);
    return &l->peers[i];
}

uint16_t kad_lookup_get(const struct kad_lookup *l, const struct peer_id *id)
{
    struct kad_key key = kad_key_of_peer(id);
    size_t place = place_of(l, &key);

    return is_at(l, place, &key) ? l->order[place] : KAD_LOOKUP_NO_PEER;
}

void kad_lookup_slow(struct kad_lookup *l, uint16_t i)
{
    struct kad_lookup_peer *p = kad_lookup_peer_at(l, i);

    if (p->state != KAD_WAITING || p->slow)
        return;
    p->slow = true;
    l->slow++;
    if (p->named_by != KAD_LOOKUP_NO_PEER)
        l->peers[p->named_by].bad++;
}

static void stop_waiting(struct kad_lookup *l, struct kad_lookup_peer *p)
{
    assert(p->state == KAD_WAITING);
    l->waiting--;
    if (!p->slow)
        return;
    p->slow = false;
    l->slow--;
    if (p->named_by != KAD_LOOKUP_NO_PEER)
        l->peers[p->named_by].bad--;
}

void kad_lookup_answered(struct kad_lookup *l, uint16_t i)
{
    struct kad_lookup_peer *p = kad_lookup_peer_at(l, i);

    stop_waiting(l, p);
    p->state = KAD_QUERIED;
    if (p->hops > l->hops)
        l->hops = p->hops;
    if (p->named_by != KAD_LOOKUP_NO_PEER)
        l->peers[p->named_by].good++;
}

void kad_lookup_failed(struct kad_lookup *l, uint16_t i)
{
    struct kad_lookup_peer *p = kad_lookup_peer_at(l, i);

    stop_waiting(l, p);
    p->state = KAD_UNREACHABLE;
    if (p->named_by != KAD_LOOKUP_NO_PEER)
        l->peers[p->named_by].bad++;
}

size_t kad_lookup_closest(const struct kad_lookup *l, bool heard, uint16_t *dst,
                          size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < l->count && count < max; i++) {
        const struct kad_lookup_peer *p = &l->peers[l->order[i]];
        if (p->state == KAD_QUERIED || (heard && p->state != KAD_UNREACHABLE))
            dst[count++] = l->order[i];
    }
    return count;
}
