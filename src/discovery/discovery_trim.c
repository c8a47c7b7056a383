#include "discovery/discovery_priv.h"

/*
 * Letting go of links.
 *
 * A link is *kept* when we chose it: outbound and ours up to the target, a
 * manual peer's, an anchor's.  These are never let go for others.  Of the rest
 * each kind has its share of conns_high:
 *
 *   passing   dialled for one question to the DHT: goes when nobody has used it
 *             for a while, or sooner when there are too many
 *   inbound   those over the share are guests: they are answered, and after a
 *             while the worst of all inbound ones goes
 *
 * So whoever comes to a full node gets its answers, and there is room for the
 * next.  It is looked at by time, not when somebody comes: what a link carries
 * is told by the owner just before.
 */

enum {
    LOOK_MS = 500,             /* after somebody came, */
    LOOK_BUSY_MS = 1000,       /* or after all those that might go were used */
    GUEST_MS = 10 * 1000,      /* whoever came is let be for so long, */
    GUEST_TIGHT_MS = 2 * 1000, /* or so, when half of the guests' places are
                                  taken */
    QUIET_MS = 5 * 1000,       /* what carried nothing for so long rests */
    QUIET_TIGHT_MS = 1000,
    TOLD_QUIET_MS = 300,        /* and a guest that has had its answers goes */
    VISIT_MS = 60 * 1000,       /* a link for a question is gone by then */
    PASSING_STAY_MS = 2 * 1000, /* when there are too many */
    LOCAL_GROUP_BIT = 63,       /* above it: local groups, without limit */
};

/* Which links may go, how long those that came are guests, and how long links
 * have to have rested. */
struct rule {
    bool passing;
    bool inbound;
    bool outbound; /* not passing, and not kept */
    bool tight;    /* guests go as soon as they have had their answers */
    uint32_t stay_ms;
    uint32_t quiet_ms;
};

struct tally {
    uint32_t all;
    uint32_t inbound;
    uint32_t passing;
};

static struct tally count_links(const struct discovery *d)
{
    struct tally t = {.all = 0};
    map_for_each (it, &d->links) {
        const struct link *l = container_of(it, struct link, node);
        t.all += !l->closing;
        t.inbound += !l->closing && !l->outbound;
        t.passing += !l->closing && l->passing;
    }
    return t;
}

static bool is_kept(const struct discovery *d, const struct link *l)
{
    const struct book_peer *p = book_find(&d->book, &l->peer);
    return l->closing || l->waits ||
           (discovery_is_outbound(l) && (l->ours || d->keep_outbound)) ||
           (p != NULL && (p->manual || p->anchor));
}

/* Until when a link that has just come is let be. */
static struct mtime guest_until(const struct link *l, const struct rule *rule)
{
    struct mtime end = mtime_add_ms(l->since, rule->stay_ms);
    if (rule->tight && l->told)
        end = mtime_min(end, mtime_add_ms(l->used_at, TOLD_QUIET_MS));
    return end;
}

static bool is_guest(const struct link *l, const struct rule *rule,
                     struct mtime now)
{
    return !mtime_reached(now, guest_until(l, rule));
}

static bool came_just_now(const struct link *l, const struct rule *rule,
                          struct mtime now)
{
    return mtime_ms_since(l->since, now) < rule->stay_ms;
}

/* A guest is looked at too, though it is not gone yet: that somebody has just
 * come is no reason to let go of another. */
static bool may_go(const struct discovery *d, const struct link *l,
                   const struct rule *rule, struct mtime now)
{
    bool kind = l->passing    ? rule->passing
                : l->outbound ? rule->outbound
                              : rule->inbound;
    bool rests = mtime_ms_since(l->used_at, now) >= rule->quiet_ms;
    return kind && (rests || came_just_now(l, rule, now)) && !is_kept(d, l);
}

/* A guest that knows others to go to now, or one that came for a question. */
static bool is_over(const struct link *l, const struct rule *rule,
                    struct mtime now)
{
    if (is_guest(l, rule, now))
        return false;
    return came_just_now(l, rule, now) ||
           (l->member == MEMBER_YES && !l->greeted &&
            mtime_ms_since(l->since, now) < VISIT_MS);
}

/* Who may go, and how many others may that are in the group of each. */
static void count_crowds(struct discovery *d, const struct rule *rule,
                         struct mtime now)
{
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l)) {
        l->may_go = may_go(d, l, rule, now);
        l->is_over = l->may_go && is_over(l, rule, now);
        l->crowd = 0;
    }
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l)) {
        if (!l->may_go || l->group >> LOCAL_GROUP_BIT != 0)
            continue;
        map_for_each (it, &d->links)
            l->crowd += container_of(it, struct link, node)->group == l->group;
    }
}

/* Passing ones first, the longest unused of them; then guests that have had
 * their answers; then one of the most crowded group, those that were bad to us
 * first, else the newest: who came late finds a place elsewhere with the least
 * trouble for both. */
static bool is_worse(const struct discovery *d, const struct link *l,
                     const struct link *than, struct mtime now)
{
    if (l->passing != than->passing)
        return l->passing;
    if (l->passing)
        return mtime_before(l->used_at, than->used_at);
    if (l->is_over != than->is_over)
        return l->is_over;
    if (l->crowd != than->crowd)
        return l->crowd > than->crowd;
    bool is_bad =
        discovery_score(d, &l->peer, now) < DISCOVERY_CANDIDATE_QUALITY;
    bool was_bad =
        discovery_score(d, &than->peer, now) < DISCOVERY_CANDIDATE_QUALITY;
    if (is_bad != was_bad)
        return is_bad;
    return !mtime_before(l->since, than->since);
}

static struct link *worst(const struct discovery *d, struct mtime now)
{
    struct link *found = NULL;
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l)) {
        if (l->may_go && (found == NULL || is_worse(d, l, found, now)))
            found = l;
    }
    return found;
}

/* Looks again then. */
static void wake_trim(struct discovery *d, struct mtime at)
{
    d->trim_at = mtime_min(d->trim_at, at);
}

/* When there are still too many then, it is looked at again in time. */
static void let_go(struct discovery *d, uint32_t count, const struct rule *rule,
                   struct mtime now)
{
    if (count == 0)
        return;
    count_crowds(d, rule, now);
    while (count > 0) {
        struct link *l = worst(d, now);
        if (l == NULL) {
            wake_trim(d, mtime_add_ms(now, LOOK_BUSY_MS));
            return;
        }
        if (is_guest(l, rule, now)) {
            wake_trim(d, guest_until(l, rule));
            return;
        }
        map_for_each (it, &d->links) {
            struct link *other = container_of(it, struct link, node);
            if (other->group == l->group && other->crowd > 0)
                other->crowd--;
        }
        l->may_go = false;
        discovery_disconnect(d, l, DISCOVERY_WHY_TRIMMED);
        count--;
    }
}

/* A link that has served its purpose goes, or fills a place of ours. */
static void end_passing(struct discovery *d, struct link *l, struct mtime now)
{
    bool wanted = l->member == MEMBER_YES &&
                  discovery_outbound_count(d) < d->outbound_target &&
                  book_find(&d->book, &l->peer) != NULL;
    if (!wanted) {
        discovery_disconnect(d, l, DISCOVERY_WHY_PASSED);
        return;
    }
    l->passing = false;
    l->ours = true;
    l->hello_at = now;
    discovery_wake_links(d, now);
}

static void end_all_passing(struct discovery *d, struct mtime now)
{
    /* Those of one lookup go together. */
    struct mtime soonest = mtime_add_ms(now, PASSING_STAY_MS);
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l)) {
        if (!l->passing || l->closing)
            continue;
        struct mtime at = mtime_add_ms(l->used_at, DISCOVERY_PASSING_MS);
        if (!mtime_reached(now, at))
            wake_trim(d, mtime_before(at, soonest) ? soonest : at);
        else if (l->waits)
            wake_trim(d, mtime_add_ms(now, DISCOVERY_PASSING_MS));
        else
            end_passing(d, l, now);
    }
}

static uint32_t excess(uint32_t count, uint32_t most)
{
    return count > most ? count - most : 0;
}

static bool is_too_many(const struct discovery *d, const struct tally *t)
{
    return t->inbound > d->inbound_share || t->passing > d->passing_share ||
           t->all > d->conns_high;
}

/* Links that have no share, since others than this core have dialled them, may
 * fill all places while no share is used up. */
static void make_place(struct discovery *d, struct mtime now)
{
    struct rule resting = {.passing = true,
                           .outbound = true,
                           .stay_ms = PASSING_STAY_MS,
                           .quiet_ms = QUIET_MS};
    if (!d->wants_place)
        return;
    d->wants_place = false;
    d->keep_outbound = discovery_outbound_count(d) <= d->outbound_target;
    let_go(d, 1, &resting, now);
}

void discovery_trim_on_time(struct discovery *d, struct mtime now)
{
    if (!mtime_reached(now, d->trim_at))
        return;
    d->trim_at = MTIME_NEVER;
    end_all_passing(d, now);
    make_place(d, now);
    struct tally t = count_links(d);
    if (!is_too_many(d, &t))
        return;
    bool tight = t.inbound >= d->inbound_share + d->guests / 2;
    struct rule passing = {.passing = true,
                           .stay_ms = PASSING_STAY_MS,
                           .quiet_ms = PASSING_STAY_MS};
    struct rule inbound = {.inbound = true,
                           .tight = tight,
                           .stay_ms = tight ? GUEST_TIGHT_MS : GUEST_MS,
                           .quiet_ms = tight ? QUIET_TIGHT_MS : QUIET_MS};
    struct rule all = {.passing = true,
                       .inbound = true,
                       .outbound = true,
                       .stay_ms = GUEST_MS,
                       .quiet_ms = QUIET_MS};
    d->keep_outbound = discovery_outbound_count(d) <= d->outbound_target;
    let_go(d, excess(t.passing, d->passing_share), &passing, now);
    let_go(d, excess(t.inbound, d->inbound_share), &inbound, now);
    t = count_links(d);
    let_go(d, excess(t.all, d->conns_high), &all, now);
}

void discovery_trim_soon(struct discovery *d, struct mtime now)
{
    struct tally t = count_links(d);
    if (is_too_many(d, &t))
        wake_trim(d, mtime_add_ms(now, LOOK_MS));
}

void discovery_want_place(struct discovery *d, struct mtime now)
{
    d->wants_place = true;
    wake_trim(d, now);
}

bool discovery_wants_use(const struct discovery *d, struct mtime now)
{
    return d->running && mtime_reached(now, d->trim_at);
}

void discovery_on_use(struct discovery *d, const struct peer_id *peer,
                      struct mtime used_at, bool waits)
{
    struct link *l = discovery_link(d, peer);
    if (l == NULL)
        return;
    if (mtime_before(l->used_at, used_at))
        l->used_at = used_at;
    l->waits = waits;
}

void discovery_on_passing(struct discovery *d, const struct peer_id *peer,
                          struct mtime now)
{
    struct link *l = discovery_link(d, peer);
    if (l == NULL || l->ours || l->inbound || !l->outbound)
        return;
    l->passing = true;
    wake_trim(d, mtime_add_ms(now, DISCOVERY_PASSING_MS));
    discovery_trim_soon(d, now);
}
