#include "base/mem.h"
#include "storage/keeper_priv.h"

/*
 * Lost copies and surplus ones.
 *
 *   SILENT  keeper_silent(), the first time
 *   GONE    keeper_silent(), after the grace, unless our own link is in doubt
 *   STORED  keeper_alive()
 *
 * A copy here that is one too many: trim_at (a little later, the last in rank
 * first) -> is_trimming (fresh audits of the better ones) -> let go.
 */

enum {
    SILENT_PARTS = 4, /* of the grace, between two tries */
    RANK_PARTS = 8,   /* of the grace, between two ranks */
    HURRY_PARTS = 16, /* of the grace, within which a change is looked at */
    SLOW_PULL = 1024, /* bytes/ms; a better one's new copy may take so long */
    LATE_GRACES_MAX = 8, /* but no longer than so many graces */
    DOUBLINGS_MAX = 6,
    TRIM_MS_MAX = 30 * 1000,
};

static bool is_in_doubt(const struct keeper *k)
{
    return k->connected == 0 || !mtime_reached(k->now.mono, k->doubt_until);
}

/* When a copy that is silent may be given up. */
static struct mtime gone_at(const struct keeper *k, const struct keeper_copy *c)
{
    struct mtime since = keeper_chore_look(c)->silent_since;
    if (mtime_before(since, k->back_at))
        since = k->back_at;
    return mtime_add_ms(since, k->config.grace_ms);
}

static void ask_again(struct keeper *k, struct keeper_copy *c,
                      struct mtime gone)
{
    struct mtime at = keeper_after(k, k->config.grace_ms / SILENT_PARTS + 1);
    if (mtime_before(k->now.mono, gone))
        at = mtime_min(at, gone);
    keeper_due(k, c, at);
}

void keeper_silent(struct keeper *k, struct keeper_copy *c)
{
    struct keeper_object *o = keeper_object_of(c);
    if (keeper_chore_look(c)->verify != NULL)
        keeper_verify_part(k, c, E_TIMEOUT);
    if (c->state == KEEPER_HOLDER_GONE || c->state == KEEPER_HOLDER_FAILED) {
        keeper_due(k, c, keeper_after(k, k->config.grace_ms));
        return;
    }
    if (c->state != KEEPER_HOLDER_SILENT) {
        keeper_copy_set(k, c, KEEPER_HOLDER_SILENT);
        keeper_chore(c)->silent_since = k->now.mono;
        keeper_tell(k, KEEPER_EVENT_SILENT, o, c->peer);
    }
    struct mtime gone = gone_at(k, c);
    if (is_in_doubt(k) || !mtime_reached(k->now.mono, gone)) {
        ask_again(k, c, gone);
        return;
    }
    keeper_copy_set(k, c, KEEPER_HOLDER_GONE);
    keeper_due(k, c, keeper_after(k, k->config.grace_ms));
    keeper_tell(k, KEEPER_EVENT_GIVEN_UP, o, c->peer);
    keeper_row_change(k, o);
}

void keeper_counts_again(struct keeper *k, struct keeper_copy *c)
{
    struct keeper_object *o = keeper_object_of(c);
    bool counted = keeper_counts(k, c);
    bool is_first = c->hearsay;
    c->hearsay = false;
    keeper_copy_set(k, c,
                    c->fetched ? KEEPER_HOLDER_VERIFIED : KEEPER_HOLDER_STORED);
    if (counted)
        return;
    if (is_first) {
        keeper_counts_now(k, c);
        keeper_row_change(k, o);
        return;
    }
    o->undone = 0; /* our view was short of this one, it may be */
    keeper_row_change(k, o);
    keeper_set_changed(k, o); /* there may be too many now */
}

void keeper_alive(struct keeper *k, struct keeper_copy *c)
{
    if (c->state == KEEPER_HOLDER_SILENT || c->state == KEEPER_HOLDER_GONE ||
        c->hearsay)
        keeper_counts_again(k, c);
}

int64_t keeper_budget(struct keeper *k)
{
    uint64_t rate = k->config.repair_rate;
    uint64_t most = rate / 1000 * KEEPER_BUDGET_SAVED_MS;
    uint64_t passed_ms = mtime_ms_since(k->budget_at, k->now.mono);
    if (most > INT64_MAX / 4)
        most = INT64_MAX / 4;
    if (most == 0)
        most = 1;
    if (passed_ms == 0)
        return k->budget_bytes;
    k->budget_at = k->now.mono;
    uint64_t more = passed_ms > INT64_MAX / 4 / rate ? INT64_MAX / 4
                                                     : rate * passed_ms / 1000;
    k->budget_bytes += (int64_t)more;
    if (k->budget_bytes > (int64_t)most)
        k->budget_bytes = (int64_t)most;
    return k->budget_bytes;
}

/*
 * While there are too many copies, somebody may not know of them all: one who
 * had good reason not to believe a receipt when it was told.  Who acts may be
 * that one, so the others tell too, less often.
 */
static void retell_check(struct keeper *k, struct keeper_object *o)
{
    if (keeper_well(k, o) <= keeper_kept_copies(o)) {
        if (o->work != NULL)
            o->work->retell_at = (struct mtime){0};
        return;
    }
    bool is_first = keeper_look(o)->retell_at.ns == 0;
    if (is_first || mtime_reached(k->now.mono, keeper_look(o)->retell_at)) {
        uint64_t place = keeper_is_acting(k, o) ? 1 : keeper_place(k, o) + 1;
        keeper_work(o)->retell_at = keeper_after(k, place * k->config.grace_ms);
        if (!is_first)
            keeper_set_changed(k, o);
    }
    keeper_wake(k, o, keeper_look(o)->retell_at);
}

/*
 * Whether there are as many as are wanted if those are there that have given
 * their word and that only we hold for lost.
 */
static bool may_be_enough(const struct keeper *k, const struct keeper_object *o)
{
    uint32_t count = keeper_live(k, o);
    list_for_each_copy(c, o)
    {
        count += keeper_is_lost_to_us(k, c);
    }
    return count >= keeper_wanted(o);
}

/*
 * When we repair where it is on us.  Somebody who lets a copy go as one too
 * many has seen enough of them, where we see too few: it is our view that is
 * short, since others refuse us, say, and so the next repair waits for longer.
 */
static struct mtime repair_at(const struct keeper *k,
                              const struct keeper_object *o)
{
    uint64_t wait_ms = k->config.grace_ms;
    if (may_be_enough(k, o))
        wait_ms <<= o->undone;
    if (wait_ms > UINT32_MAX)
        wait_ms = UINT32_MAX;
    return mtime_add_ms(keeper_look(o)->below_since, (uint32_t)wait_ms);
}

/*
 * When we repair though a better one audits: it should have done so long ago.
 * Each time that we had to, we wait twice as long the next time: it may be our
 * own link only that does not show us the copies that it sees.
 */
static struct mtime late_at(const struct keeper *k,
                            const struct keeper_object *o)
{
    uint64_t grace_ms = k->config.grace_ms;
    uint64_t pull_ms = keeper_bytes(o) / SLOW_PULL;
    uint64_t most_ms = grace_ms * LATE_GRACES_MAX;
    if (pull_ms > most_ms)
        pull_ms = most_ms;
    uint64_t wait_ms = keeper_place(k, o) * (grace_ms / RANK_PARTS) + pull_ms;
    wait_ms = (wait_ms << o->undone) + grace_ms;
    if (wait_ms > UINT32_MAX)
        wait_ms = UINT32_MAX;
    return mtime_add_ms(keeper_look(o)->below_since, (uint32_t)wait_ms);
}

void keeper_repair_noted(const struct keeper *k, struct keeper_object *o)
{
    if (!keeper_is_acting(k, o) && o->undone < DOUBLINGS_MAX)
        o->undone++;
}

void keeper_below_check(struct keeper *k, struct keeper_object *o)
{
    retell_check(k, o);
    if (keeper_well(k, o) >= keeper_wanted(o)) {
        if (o->work != NULL)
            o->work->is_below = false;
        return;
    }
    if (!keeper_look(o)->is_below) {
        keeper_work(o)->is_below = true;
        keeper_work(o)->below_since = k->now.mono;
    }
    struct mtime at = repair_at(k, o);
    if (mtime_before(at, k->doubt_until))
        at = k->doubt_until;
    if (mtime_before(at, keeper_act_at(k, o)))
        at = keeper_act_at(k, o);
    if (mtime_before(k->now.mono, at))
        keeper_wake(k, o, at);
    if (o->role == KEEPER_HOLDER && mtime_before(k->now.mono, late_at(k, o)))
        keeper_wake(k, o, late_at(k, o));
    list_for_each_copy(c, o)
    {
        if (keeper_counts(k, c))
            keeper_wake_unix(k, o, c->until_s);
    }
}

/*
 * Whether a disk that loses what we keep is why we see too few: while somebody
 * else may have a copy, who could not read his own block judges nobody.
 */
static bool is_our_disk(const struct keeper *k, const struct keeper_object *o)
{
    if (!o->unread)
        return false;
    list_for_each_copy(c, o)
    {
        if (c->peer != k->self && !c->is_owner && c->has_receipt &&
            c->until_s > keeper_unix_s(k) && !keeper_is_refuted(c))
            return true;
    }
    return false;
}

bool keeper_may_repair(const struct keeper *k, const struct keeper_object *o)
{
    if (!keeper_look(o)->is_below || is_in_doubt(k) || !keeper_can_act(k, o) ||
        is_our_disk(k, o))
        return false;
    if (!keeper_is_acting(k, o))
        return mtime_reached(k->now.mono, late_at(k, o));
    return (o->urgent && o->undone == 0) ||
           mtime_reached(k->now.mono, repair_at(k, o));
}

void keeper_repair_undone(const struct keeper *k, struct keeper_object *o)
{
    if (keeper_live(k, o) < keeper_wanted(o) && may_be_enough(k, o) &&
        o->undone < DOUBLINGS_MAX)
        o->undone++;
}

/* Copies that are well before and after ours in rank. */
static void count_around(const struct keeper *k, const struct keeper_object *o,
                         uint32_t *ret_better, uint32_t *ret_worse)
{
    bool is_past = false;
    *ret_better = 0;
    *ret_worse = 0;
    list_for_each_copy(c, o)
    {
        if (c == keeper_self(o))
            is_past = true;
        else if (keeper_is_well(k, c))
            *(is_past ? ret_worse : ret_better) += 1;
    }
}

/*
 * Whether @c has to prove itself before ours may go, and counts then: the
 * better ones.  For one who leaves all others do, in any rank.
 */
static bool is_witness(const struct keeper *k, const struct keeper_copy *c,
                       bool is_past)
{
    return c->peer != k->self && (!is_past || k->leave_job != 0) &&
           keeper_is_well(k, c);
}

/* So long at most after its question an answer lets a copy go. */
static uint32_t trim_ms(const struct keeper *k)
{
    uint32_t ms = k->config.grace_ms / SILENT_PARTS;
    return ms < TRIM_MS_MAX ? ms : (uint32_t)TRIM_MS_MAX;
}

static void begin_trimming(struct keeper *k, struct keeper_object *o)
{
    struct keeper_work *w = keeper_work(o);
    bool is_past = false;
    w->is_trimming = true;
    w->trim_began = k->now.mono;
    list_for_each_copy(c, o)
    {
        c->proved = false;
        c->talked = false;
    }
    list_for_each_copy(c, o)
    {
        is_past = is_past || c == keeper_self(o);
        if (!is_witness(k, c, is_past))
            continue;
        (void)keeper_ask_status(k, o, c->peer); /* else tried again later */
        if (keeper_chore_look(c)->audit == NULL)
            keeper_audit_now(k, c);
    }
    keeper_wake(k, o, keeper_after(k, trim_ms(k)));
}

/* Witnesses that proved themselves since the trimming began. */
static uint32_t count_proved(const struct keeper *k,
                             const struct keeper_object *o)
{
    uint32_t count = 0;
    bool is_past = false;
    list_for_each_copy(c, o)
    {
        is_past = is_past || c == keeper_self(o);
        count += is_witness(k, c, is_past) && c->proved && c->talked;
    }
    return count;
}

static void end_trimming(struct keeper_object *o)
{
    if (o->work == NULL)
        return;
    o->work->is_trimming = false;
    o->work->trim_at = (struct mtime){0};
}

/* One who waits in vain asks again later.  Return: false when the copy here is
 * gone. */
static bool trim(struct keeper *k, struct keeper_object *o,
                 enum storage_reason reason)
{
    if (!keeper_look(o)->is_trimming) {
        begin_trimming(k, o);
        return true;
    }
    if (count_proved(k, o) >= keeper_kept_copies(o)) {
        keeper_let_go(k, o, reason);
        return false;
    }
    struct mtime end = mtime_add_ms(keeper_look(o)->trim_began, trim_ms(k));
    if (mtime_reached(k->now.mono, end)) {
        keeper_work(o)->is_trimming = false;
        keeper_work(o)->trim_at =
            keeper_after(k, k->config.grace_ms / RANK_PARTS + 1);
    }
    keeper_wake(k, o,
                keeper_look(o)->is_trimming ? end : keeper_look(o)->trim_at);
    return true;
}

/* Return: false when the copy here was one too many and is gone. */
static bool check_surplus(struct keeper *k, struct keeper_object *o)
{
    uint32_t wanted = keeper_kept_copies(o);
    uint32_t better = 0;
    uint32_t worse = 0;
    count_around(k, o, &better, &worse);
    if (better < wanted) {
        end_trimming(o);
        return true;
    }
    if (keeper_look(o)->trim_at.ns == 0) {
        struct mtime at = keeper_soon(k, k->config.grace_ms / HURRY_PARTS + 1);
        keeper_work(o)->trim_at =
            mtime_add_ms(at, worse * (k->config.grace_ms / RANK_PARTS));
    }
    if (!mtime_reached(k->now.mono, keeper_look(o)->trim_at)) {
        keeper_wake(k, o, keeper_look(o)->trim_at);
        return true;
    }
    return trim(k, o, STORAGE_REASON_SURPLUS);
}

/* As many others as are wanted proved since then that they have it: a receipt
 * may be of one who has died. */
static bool check_leaving(struct keeper *k, struct keeper_object *o)
{
    if (keeper_well(k, o) < keeper_kept_copies(o)) {
        end_trimming(o);
        return true;
    }
    struct mtime at = k->leave_at;
    if (mtime_before(at, keeper_look(o)->trim_at))
        at = keeper_look(o)->trim_at;
    if (mtime_before(k->now.mono, at)) {
        keeper_wake(k, o, at);
        return true;
    }
    return trim(k, o, STORAGE_REASON_LEAVING);
}

bool keeper_repair_check(struct keeper *k, struct keeper_object *o)
{
    keeper_below_check(k, o);
    return k->leave_job != 0 ? check_leaving(k, o) : check_surplus(k, o);
}

void keeper_leave_check(struct keeper *k)
{
    if (k->leave_job == 0 || k->stats.held > k->stats.releasing)
        return;
    struct keeper_out *out = keeper_emit(k, KEEPER_DONE);
    out->id = k->leave_job;
    k->leave_job = 0;
    k->config.offer_bytes = 0; /* nothing new comes in */
}

enum err keeper_leave(struct keeper *k, struct keeper_now now,
                      uint64_t *ret_job)
{
    k->now = now;
    if (k->leave_job != 0)
        return E_AGAIN;
    k->leave_job = k->ids++;
    k->leave_at = keeper_after(k, trim_ms(k));
    *ret_job = k->leave_job;
    keeper_cancel_pulls(k);
    struct keeper_object *o = NULL;
    for (uint64_t id = 0; (o = keeper_index_after(&k->objects, id)) != NULL;
         id = o->id)
        keeper_touch(k, o);
    keeper_settle(k);
    return OK;
}

void keeper_stay(struct keeper *k, struct keeper_now now)
{
    k->now = now;
    k->leave_job = 0;
}

/* The copies of @p are looked at soon: it came, or it went. */
static void hurry(struct keeper *k, struct keeper_peer *p)
{
    uint32_t part_ms = k->config.grace_ms / HURRY_PARTS + 1;
    if (p->hurried_at.ns != 0 &&
        !mtime_reached(k->now.mono, mtime_add_ms(p->hurried_at, part_ms * 2)))
        return;
    p->hurried_at = k->now.mono;
    list_for_each (link, &p->copies) {
        struct keeper_copy *c = container_of(link, struct keeper_copy, of_peer);
        if (c->due.ns != MTIME_NEVER.ns && c->state != KEEPER_HOLDER_PULLING &&
            c->state != KEEPER_HOLDER_FAILED)
            keeper_due_sooner(k, c, keeper_soon(k, part_ms));
    }
}

static void forget_heard(struct keeper *k, const struct keeper_peer *p)
{
    list_for_each (link, &p->copies) {
        struct keeper_copy *c = container_of(link, struct keeper_copy, of_peer);
        struct keeper_object *o = keeper_object_of(c);
        if (o->heard_from != p->number)
            continue;
        o->heard_from = 0;
        o->quiet_until = k->now.mono;
        keeper_touch(k, o);
    }
}

static void peer_came(struct keeper *k, struct keeper_peer *p)
{
    p->connected = true;
    keeper_peer_ref(p);
    if (k->connected++ == 0)
        k->back_at = k->now.mono;
    p->quiet_until = k->now.mono;
    hurry(k, p);
    keeper_tell_peer(k, p);
    list_for_each (link, &p->copies) {
        keeper_touch(k, keeper_object_of(
                            container_of(link, struct keeper_copy, of_peer)));
    }
}

static void peer_went(struct keeper *k, struct keeper_peer *p)
{
    uint32_t window_ms = k->config.grace_ms / SILENT_PARTS;
    if (k->window_count == 0 ||
        mtime_reached(k->now.mono, mtime_add_ms(k->window_at, window_ms))) {
        k->window_at = k->now.mono;
        k->window_count = k->connected;
    }
    p->connected = false;
    k->connected--;
    if (k->window_count > 1 && k->connected * 2 <= k->window_count) {
        bool was = !mtime_reached(k->now.mono, k->doubt_until);
        k->doubt_until = mtime_add_ms(
            mtime_add_ms(k->now.mono, k->config.grace_ms), k->config.grace_ms);
        if (!was)
            keeper_tell(k, KEEPER_EVENT_DOUBT, NULL, NULL);
    }
    forget_heard(k, p);
    hurry(k, p);
    keeper_peer_unref(k, p);
}

void keeper_on_peer(struct keeper *k, const struct peer_id *peer,
                    bool connected, uint64_t group, struct keeper_now now)
{
    k->now = now;
    if (peer_id_eq(peer, &k->self->id))
        return;
    struct keeper_peer *p = keeper_peer_get(k, peer);
    if (p == NULL)
        return;
    if (group != 0)
        p->group = group;
    if (connected && !p->connected)
        peer_came(k, p);
    else if (!connected && p->connected)
        peer_went(k, p);
    else
        keeper_peer_tidy(k, p);
    keeper_settle(k);
}

void keeper_on_ban(struct keeper *k, const struct peer_id *peer, bool banned,
                   struct keeper_now now)
{
    k->now = now;
    struct keeper_peer *p = keeper_peer_get(k, peer);
    if (p == NULL)
        return;
    if (banned && !p->banned) {
        p->banned = true;
        keeper_peer_ref(p);
    } else if (!banned && p->banned) {
        p->banned = false;
        keeper_peer_unref(k, p);
    } else {
        keeper_peer_tidy(k, p);
    }
}
