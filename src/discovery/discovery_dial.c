#include <string.h>

#include "base/mem.h"
#include "discovery/discovery_priv.h"

enum {
    RETRY_MS = 10 * 1000,
    RETRY_ALONE_MS = 3 * 1000, /* of bootstrap peers, while nobody is there, */
    RETRY_ALONE_MAX_MS = 30 * 1000, /* at most */
    NEXT_WAY_IN_MS = 500, /* until the next bootstrap peer is dialled too */
    RETRY_DOUBLINGS = 9,
    RETRY_MAX_MS = 60 * 60 * 1000,
    RETRY_WANTED_MS = 5 * 60 * 1000, /* at most, of manual, bootstrap peers */
    TURNED_MS = 60 * 1000,           /* of who let us go again */
    TURNED_DOUBLINGS = 6,
    SETTLED_MS = 15 * 1000, /* full nodes let go of guests before */
    SCAN_MS = 200, /* between looks through the book; and 1 ms for each peer */
    IDLE_MS = 60 * 1000,      /* until the next, when none fits */
    DIAL_LOST_MS = 60 * 1000, /* when the owner says nothing */
    FEELERS_MAX = 2,

    /* Points of a peer that may be dialled: its quality, chance, and: */
    POINTS_CHANCE = 200,
    POINTS_TABLE = 400, /* new or tried, as the coin wants it */
    POINTS_WANTED = 10000,
    POINTS_ANCHOR = 20000,
    POINTS_MANUAL = 40000,
    COST_FAILURE = 40,
    COIN_TRIED = 2, /* of */
    COIN_ALL = 3,
    FEW_TARGETS = 2,
    PUBLIC_GROUP_MAX_BIT = 63, /* above it: local groups, without limit */
};

bool discovery_is_outbound(const struct link *l)
{
    return l->outbound && !l->feeler && !l->closing && !l->passing &&
           l->member != MEMBER_NO;
}

struct dial *discovery_dial_find(const struct discovery *d,
                                 const struct peer_id *peer)
{
    list_for_each (it, &d->dials) {
        struct dial *dial = container_of(it, struct dial, link);
        if (peer_id_eq(&dial->peer, peer))
            return dial;
    }
    return NULL;
}

void discovery_dial_end(struct discovery *d, struct dial *dial)
{
    if (dial == NULL)
        return;
    list_remove(&dial->link);
    d->dial_count--;
    mem_free(dial);
}

static struct mtime later(struct mtime a, struct mtime b)
{
    return mtime_before(a, b) ? b : a;
}

static bool is_wanted(const struct book_peer *p)
{
    return p->manual || p->source == BOOK_BOOTSTRAP || p->source == BOOK_DNS;
}

/* One of those that everybody who is new dials: they are not all dialled at
 * once, since one that answers is enough. */
static bool is_way_in(const struct book_peer *p)
{
    return is_wanted(p) && !p->manual;
}

/* Whether nobody is connected but perhaps @p, which is about to go. */
static bool is_alone(const struct discovery *d, const struct book_peer *p)
{
    return d->links.count == (discovery_link(d, &p->id) != NULL);
}

/* While nobody is connected there is no other way in: it is looked at often
 * whether it is open again. */
static uint32_t longest_wait(const struct discovery *d,
                             const struct book_peer *p)
{
    if (!is_wanted(p))
        return RETRY_MAX_MS;
    return is_alone(d, p) ? RETRY_ALONE_MAX_MS : RETRY_WANTED_MS;
}

void discovery_retry_later(struct discovery *d, struct book_peer *p,
                           struct mtime now)
{
    uint32_t doublings = p->failures > 0 ? p->failures - 1 : 0;
    if (doublings > RETRY_DOUBLINGS)
        doublings = RETRY_DOUBLINGS;
    /* The way into the network may be full, and soon is not. */
    bool hurry = is_wanted(p) && is_alone(d, p);
    uint32_t ms = (uint32_t)(hurry ? RETRY_ALONE_MS : RETRY_MS) << doublings;
    uint32_t most = longest_wait(d, p);
    ms = discovery_jitter(d, ms < most ? ms : most);
    p->next_try = mtime_add_ms(now, ms);
    discovery_wake_dial(d, p->next_try);
}

/* Manual and bootstrap peers are tried again sooner: there may be no others. */
void discovery_turned_away(struct discovery *d, struct book_peer *p,
                           struct mtime now)
{
    uint32_t most = longest_wait(d, p);
    uint32_t ms = is_wanted(p) ? RETRY_MS : TURNED_MS;
    ms <<= p->turned;
    ms = discovery_jitter(d, ms < most ? ms : most);
    p->next_try = mtime_add_ms(now, ms);
    discovery_wake_dial(d, p->next_try);
    if (p->turned < TURNED_DOUBLINGS)
        p->turned++;
    /* A bootstrap peer lets go of everybody: it says nothing of the others. */
    if (is_wanted(p))
        return;
    if (d->turned < TURNED_DOUBLINGS)
        d->turned++;
    d->turned_at = now;
    d->calm_ms = discovery_jitter(d, MS_PER_S);
}

/* Outbound links where we are no guest any more. */
static uint32_t settled_count(const struct discovery *d, struct mtime now)
{
    uint32_t count = 0;
    map_for_each (it, &d->links) {
        const struct link *l = container_of(it, struct link, node);
        count += discovery_is_outbound(l) &&
                 mtime_ms_since(l->since, now) >= SETTLED_MS;
    }
    return count;
}

/*
 * When the next place may be filled.  Where most are full it takes many dials
 * to find one, and each of them costs somebody else's: the more are connected,
 * the less haste.
 */
static struct mtime calm_until(const struct discovery *d, struct mtime now)
{
    uint32_t doublings = d->turned;
    if (discovery_outbound_count(d) >= d->outbound_target)
        return MTIME_NEVER;
    if (d->links.count == 0)
        doublings = 0;
    else if (settled_count(d, now) <= d->outbound_target / 2)
        doublings /= 2;
    return mtime_add_ms(d->turned_at, d->calm_ms << doublings);
}

static void dial(struct discovery *d, struct book_peer *p, bool feeler,
                 struct mtime now)
{
    struct dial *new_dial = mem_zalloc(1, sizeof(*new_dial));
    new_dial->peer = p->id;
    new_dial->group = p->group;
    new_dial->feeler = feeler;
    new_dial->deadline = mtime_add_ms(now, DIAL_LOST_MS);
    list_add_tail(&d->dials, &new_dial->link);
    d->dial_count++;
    d->counts.dials++;
    if (is_way_in(p))
        d->way_in_at = mtime_add_ms(now, NEXT_WAY_IN_MS);
    struct discovery_out *out = discovery_push(d, DISCOVERY_DIAL);
    out->peer = p->id;
    out->feeler = feeler;
    out->wanted = is_wanted(p);
    out->addr_count = book_addrs(p, out->addrs);
}

uint32_t discovery_outbound_count(const struct discovery *d)
{
    uint32_t count = 0;
    map_for_each (it, &d->links)
        count += discovery_is_outbound(container_of(it, struct link, node));
    list_for_each (it, &d->dials)
        count += !container_of(it, struct dial, link)->feeler;
    return count;
}

static uint32_t member_count(const struct discovery *d)
{
    uint32_t count = 0;
    map_for_each (it, &d->links)
        count += container_of(it, struct link, node)->member == MEMBER_YES;
    return count;
}

static bool group_is_full(const struct discovery *d, uint64_t group)
{
    uint32_t count = 0;
    if (group >> PUBLIC_GROUP_MAX_BIT != 0)
        return false;
    map_for_each (it, &d->links) {
        const struct link *l = container_of(it, struct link, node);
        count += discovery_is_outbound(l) && l->group == group;
    }
    list_for_each (it, &d->dials)
        count += container_of(it, struct dial, link)->group == group;
    return count >= DISCOVERY_PER_GROUP;
}

/* struct search - one look through the book. */
struct search {
    struct mtime now;
    uint64_t unix_s;
    bool only_manual;    /* no more outbound peers are wanted */
    bool want_bootstrap; /* few peers are known, or nobody is connected */
    bool want_tried;     /* what the coin says */
    struct mtime next;   /* when the first of those that wait is due */
};

static uint32_t points(struct discovery *d, const struct book_peer *p,
                       const struct search *s)
{
    uint32_t sum = quality_score(&p->quality, s->unix_s) +
                   discovery_chance(d, POINTS_CHANCE) + 1;
    uint32_t cost = p->failures * COST_FAILURE;
    if (p->reached == s->want_tried)
        sum += POINTS_TABLE;
    sum = sum > cost ? sum - cost : 1;
    if (p->manual)
        return sum + POINTS_MANUAL;
    if (p->anchor)
        return sum + POINTS_ANCHOR;
    if (s->want_bootstrap && is_wanted(p))
        return sum + POINTS_WANTED;
    return sum;
}

static bool may_dial(const struct discovery *d, const struct book_peer *p,
                     uint64_t unix_s)
{
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    if (!p->manual && group_is_full(d, p->group))
        return false;
    size_t count = book_addrs(p, addrs);
    return count > 0 && !bans_refuse(&d->bans, &p->id, &addrs[0], unix_s);
}

static bool is_idle(const struct discovery *d, const struct book_peer *p)
{
    return p->addr_count > 0 && discovery_link(d, &p->id) == NULL &&
           discovery_dial_find(d, &p->id) == NULL;
}

/* The cheap questions come first: the book may be long. */
static struct book_peer *pick(struct discovery *d, struct search *s)
{
    struct book_peer *best = NULL;
    uint32_t most = 0;
    s->next = mtime_add_ms(s->now, IDLE_MS);
    for (struct book_peer *p = book_next(&d->book, NULL); p != NULL;
         p = book_next(&d->book, p)) {
        if ((s->only_manual && !p->manual) ||
            (d->told_only && !p->manual && !p->told))
            continue;
        struct mtime due =
            is_way_in(p) ? later(p->next_try, d->way_in_at) : p->next_try;
        if (!mtime_reached(s->now, due)) {
            if (mtime_before(due, s->next) && is_idle(d, p))
                s->next = due;
            continue;
        }
        uint32_t sum = points(d, p, s);
        if (sum <= most || !is_idle(d, p) || !may_dial(d, p, s->unix_s))
            continue;
        best = p;
        most = sum;
    }
    return best;
}

static void dial_some(struct discovery *d, struct mtime now)
{
    struct search s = {.now = now, .unix_s = discovery_unix_s(d, now)};
    d->dial_at = mtime_add_ms(now, IDLE_MS);
    d->scan_at = mtime_add_ms(now, SCAN_MS + (uint32_t)d->book.peers.count);
    s.want_bootstrap =
        member_count(d) == 0 ||
        d->book.peers.count < (size_t)d->outbound_target * FEW_TARGETS;
    while (d->dial_count < DISCOVERY_DIALS_MAX) {
        struct mtime calm = calm_until(d, now);
        s.only_manual = !mtime_reached(now, calm);
        if (s.only_manual && d->book.manual_count == 0) {
            d->dial_at = mtime_min(d->dial_at, calm);
            return;
        }
        s.want_tried = discovery_chance(d, COIN_ALL) < COIN_TRIED;
        struct book_peer *p = pick(d, &s);
        if (p == NULL) {
            d->dial_at = s.only_manual ? mtime_min(s.next, calm) : s.next;
            return;
        }
        dial(d, p, false, now);
    }
}

/* A feeler goes to one that was never reached; every third to the one that
 * was not seen for longest. */
static void feel(struct discovery *d, struct mtime now)
{
    struct book_peer *found = NULL;
    uint32_t seen = 0;
    uint64_t unix_s = discovery_unix_s(d, now);
    bool old = discovery_chance(d, COIN_ALL) == 0;

    if (d->told_only ||
        d->dial_count >= (uint32_t)DISCOVERY_DIALS_MAX + FEELERS_MAX)
        return;
    for (struct book_peer *p = book_next(&d->book, NULL); p != NULL;
         p = book_next(&d->book, p)) {
        if (p->reached != old || !mtime_reached(now, p->next_try) ||
            !is_idle(d, p))
            continue;
        bool better = old ? found == NULL || p->seen_s < found->seen_s
                          : discovery_chance(d, ++seen) == 0;
        if (better && may_dial(d, p, unix_s))
            found = p;
    }
    if (found != NULL)
        dial(d, found, true, now);
}

/* Time. -------------------------------------------------------------------- */

struct mtime discovery_dial_deadline(const struct discovery *d)
{
    struct mtime at = mtime_min(later(d->dial_at, d->scan_at), d->feeler_at);
    if (!list_empty(&d->dials))
        at = mtime_min(
            at,
            container_of(list_first(&d->dials), struct dial, link)->deadline);
    return at;
}

void discovery_dial_on_time(struct discovery *d, struct mtime now)
{
    while (!list_empty(&d->dials)) {
        struct dial *first =
            container_of(list_first(&d->dials), struct dial, link);
        if (!mtime_reached(now, first->deadline))
            break;
        struct book_peer *p = book_find(&d->book, &first->peer);
        if (p != NULL)
            discovery_retry_later(d, p, now);
        discovery_dial_end(d, first);
        discovery_wake_dial(d, now);
    }
    if (mtime_reached(now, d->feeler_at)) {
        d->feeler_at = mtime_add_ms(now, discovery_jitter(d, d->feeler_ms));
        feel(d, now);
    }
    if (mtime_reached(now, later(d->dial_at, d->scan_at)))
        dial_some(d, now);
}
