#include <assert.h>
#include <string.h>

#include "bitswap/client_priv.h"

/*
 * Who is asked for what.
 *
 * A want is asked of the good source that will be done with it first: one that
 * said HAVE, or that gave this session blocks, or that the owner named.  Where
 * there is none, one peer is asked for the block and some others whether they
 * have it, so that an unknown peer costs no round trip and the next one is
 * known when the first has not got it.
 *
 * A gateway is asked for blocks only, since having one costs it as much as
 * giving it.  One of which nothing is known comes after the peers: when none
 * is left to ask, when a peer takes long, and now and then beside a good peer
 * in a session that lasts, to see which one is faster.
 */
enum {
    NOS_MAX = 16,     /* DONT_HAVEs in a row: no good source any more */
    PROBES_MAX = 8,   /* peers asked for HAVE at a time, for one want */
    PROBING_MAX = 32, /* wants of a session that nobody is known to have */
    PROBE_TURN = 16,  /* of so many wants one looks for more sources */
    PROBE_TURN_PEERS = 2,
    HELD_MAX = 8, /* wants looked at that cannot be placed now */
    BATCH = 16,   /* wants of one session, then the next session */
    TRIES_SHIFT_MAX = 4,
    RETRY_MS = 30000,
    TAIL_WANTS_MAX = 256,
    TAIL_TICK_MS = 50,
    TAIL_PATIENCE_MS = 1000,    /* at least, where nobody waits */
    GATEWAY_PATIENCE_MS = 1000, /* before one is asked beside a peer */
    GATEWAY_TRIAL_MS = 500, /* a session that lasts so long tries one; again at
                               twice the time */
    GATEWAY_TRIALS_MAX = 8,
    NS_PER_MS = 1000000,
};

/* Assumed of a peer that was not measured, bytes/s. */
static const uint64_t rate_default = UINT64_C(4) * 1024 * 1024;

enum rank {
    RANK_NONE,    /* not to be asked */
    RANK_POOR,    /* only when there is nobody else */
    RANK_GATEWAY, /* may have it; others go first */
    RANK_UNKNOWN, /* may have it */
    RANK_GOOD,
};

struct choice {
    struct bsc_peer *peer; /* NULL: nobody with room */
    enum rank rank;
    enum rank full; /* best of those without room */
    uint64_t eta_ms;
};

static enum rank rank_of(const struct bsc_want *w, const struct bsc_peer *p)
{
    const struct bsc_source *source = &w->home->sources[p->place];

    if (p->stalled || p->faulted || bsc_bit(w->no, p->place) ||
        bsc_bit(w->asked, p->place))
        return RANK_NONE;
    if (w->home->only.len > 0 && !peer_id_eq(&w->home->only, &p->id))
        return RANK_NONE;
    if (p->suspect)
        return RANK_POOR;
    if (source->good || bsc_bit(w->has, p->place))
        return RANK_GOOD;
    if (p->version < BS_1_2_0 || source->nos >= NOS_MAX)
        return RANK_POOR;
    return p->gateway ? RANK_GATEWAY : RANK_UNKNOWN;
}

/* When the peer will be done with @bytes more, from now. */
static uint64_t eta_ms(const struct bsc_peer *p, uint64_t bytes)
{
    uint64_t rate = p->rate > 0 ? p->rate : rate_default;

    return p->latency_min_ns / NS_PER_MS +
           (p->asked_bytes + bytes) * 1000 / rate;
}

static void consider(struct choice *choice, const struct bsc_want *w,
                     struct bsc_peer *p)
{
    enum rank rank = rank_of(w, p);

    if (rank == RANK_NONE)
        return;
    if (!bsc_peer_room(p)) {
        choice->full = rank > choice->full ? rank : choice->full;
        return;
    }
    uint64_t eta = eta_ms(p, bsc_want_guess(w));
    if (rank > choice->rank || (rank == choice->rank && eta < choice->eta_ms)) {
        choice->peer = p;
        choice->rank = rank;
        choice->eta_ms = eta;
    }
}

/* A good source without room is waited for rather than a stranger asked. */
static struct choice choose(const struct bs_client *c, const struct bsc_want *w)
{
    struct choice choice = {.peer = NULL};

    for (uint32_t i = 0; i < c->places_count; i++) {
        if (c->places[i] != NULL)
            consider(&choice, w, c->places[i]);
    }
    if (choice.rank < RANK_GOOD && choice.full == RANK_GOOD)
        choice.peer = NULL;
    return choice;
}

/* The gateway that would be done first, good or not known. */
static struct choice choose_gateway(const struct bs_client *c,
                                    const struct bsc_want *w)
{
    struct choice choice = {.peer = NULL};

    for (uint32_t i = 0; i < c->places_count; i++) {
        if (c->places[i] != NULL && c->places[i]->gateway)
            consider(&choice, w, c->places[i]);
    }
    if (choice.rank < RANK_GATEWAY)
        choice.peer = NULL;
    return choice;
}

bool bsc_other(const struct bs_client *c, const struct bsc_want *w,
               const struct bsc_peer *p)
{
    for (uint32_t i = 0; i < c->places_count; i++) {
        const struct bsc_peer *other = c->places[i];
        if (other != NULL && other != p && rank_of(w, other) >= RANK_GATEWAY)
            return true;
    }
    return false;
}

void bsc_good_set(struct bs_session *s, const struct bsc_peer *p, bool good)
{
    struct bsc_source *source = &s->sources[p->place];

    if (good)
        source->nos = 0;
    source->good = good;
}

void bsc_probing_set(struct bsc_want *w, bool probing)
{
    if (w->probing == probing)
        return;
    w->probing = probing;
    if (probing)
        w->home->probing++;
    else
        w->home->probing--;
}

/* @w needs no place among those that look for a source: another may. */
static void end_probing(struct bs_client *c, struct bsc_want *w)
{
    if (w->probing)
        c->placing = true;
    bsc_probing_set(w, false);
}

void bsc_queue(struct bs_client *c, struct bsc_want *w)
{
    if (w->blocks > 0)
        return;
    /* Nobody is asked: more urgent ones may stand before it for ever. */
    if (w->haves == 0)
        end_probing(c, w);
    if (w->queued.at != 0)
        return;
    list_remove(&w->missing);
    bs_heap_put(&w->home->queue, &w->queued);
    c->placing = true;
}

void bsc_probe(struct bs_client *c, struct bsc_want *w, uint32_t count)
{
    for (uint32_t i = 0; i < c->peers_max && count > 0; i++) {
        uint32_t at = c->probe_from + i;
        if (at >= c->peers_max)
            at -= c->peers_max;
        struct bsc_peer *p = at < c->places_count ? c->places[at] : NULL;
        if (p == NULL || rank_of(w, p) != RANK_UNKNOWN ||
            !bsc_peer_room_list(p))
            continue;
        bsc_ask_put(c, w, p, BSC_ASK_HAVE);
        count--;
    }
    if (++c->probe_from >= c->peers_max)
        c->probe_from = 0;
}

static void miss(struct bs_client *c, struct bsc_want *w)
{
    uint32_t shift = w->tries < TRIES_SHIFT_MAX ? w->tries : TRIES_SHIFT_MAX;

    w->tries++;
    w->ticks_left = UINT32_C(1) << shift;
    end_probing(c, w);
    list_add_tail(&c->missing, &w->missing);
    if (c->retry_at.ns == MTIME_NEVER.ns)
        c->retry_at = mtime_add_ms(c->now, RETRY_MS);
    if (w->told)
        return;
    w->told = true;
    list_for_each (it, &w->interests) {
        struct bsc_interest *i = container_of(it, struct bsc_interest, of_want);
        struct bs_client_out *out = bsc_out(c, BS_CLIENT_MISSING);
        out->session = i->session;
        out->want_id = i->id;
        out->cid = w->cid;
    }
}

/* Ask a gateway too for @w, which a good source was asked for: the longer the
 * session lasts, the more seldom. */
static void try_gateway(struct bs_client *c, struct bsc_want *w)
{
    struct choice choice = choose_gateway(c, w);

    if (choice.peer == NULL || choice.rank != RANK_GATEWAY)
        return;
    struct bsc_source *source = &w->home->sources[choice.peer->place];
    uint64_t after_ms = (uint64_t)GATEWAY_TRIAL_MS << source->trials;
    if (source->trials >= GATEWAY_TRIALS_MAX ||
        mtime_ms_since(w->home->began, c->now) < after_ms)
        return;
    source->trials++;
    bsc_ask_put(c, w, choice.peer, BSC_ASK_BLOCK);
}

enum placed {
    PLACED,
    HELD, /* until there is room */
    LEFT, /* missing, or it waits for a HAVE */
};

static enum placed place(struct bs_client *c, struct bsc_want *w)
{
    struct bs_session *s = w->home;
    struct choice choice = choose(c, w);

    if (choice.peer == NULL) {
        if (choice.full != RANK_NONE)
            return HELD;
        if (w->haves == 0)
            miss(c, w);
        return LEFT;
    }
    if (choice.rank == RANK_GOOD) {
        end_probing(c, w);
        bsc_ask_put(c, w, choice.peer, BSC_ASK_BLOCK);
        if (s->placed++ % PROBE_TURN == 0)
            bsc_probe(c, w, PROBE_TURN_PEERS);
        try_gateway(c, w);
        return PLACED;
    }
    if (!w->probing && s->probing >= PROBING_MAX && c->peers.count > 1)
        return HELD;
    bsc_probing_set(w, true);
    bsc_ask_put(c, w, choice.peer, BSC_ASK_BLOCK);
    if (w->haves < PROBES_MAX)
        bsc_probe(c, w, PROBES_MAX - w->haves);
    return PLACED;
}

/* Gives out up to BATCH wants of the session; true when there may be more. */
static bool place_some(struct bs_client *c, struct bs_session *s)
{
    struct bsc_want *held[HELD_MAX];
    size_t held_count = 0;
    unsigned placed_count = 0;

    while (placed_count < BATCH && held_count < HELD_MAX) {
        struct bs_heap_node *node = bs_heap_first(&s->queue);
        if (node == NULL)
            break;
        struct bsc_want *w = container_of(node, struct bsc_want, queued);
        bs_heap_remove(&s->queue, node);
        enum placed placed = place(c, w);
        if (placed == PLACED)
            placed_count++;
        else if (placed == HELD)
            held[held_count++] = w;
    }
    for (size_t i = 0; i < held_count; i++)
        bs_heap_put(&s->queue, &held[i]->queued);
    return placed_count == BATCH;
}

static void place_class(struct bs_client *c, struct list *sessions)
{
    bool more = !list_empty(sessions);

    while (more) {
        more = false;
        list_for_each (it, sessions) {
            struct bs_session *s = container_of(it, struct bs_session, link);
            if (place_some(c, s))
                more = true;
        }
    }
    if (list_empty(sessions))
        return;
    struct list *first = list_first(sessions);
    list_remove(first);
    list_add_tail(sessions, first);
}

void bsc_place_all(struct bs_client *c)
{
    c->placing = false;
    for (size_t i = BSC_CLASSES; i > 0; i--)
        place_class(c, &c->sessions[i - 1]);
    if (c->tail_at.ns == MTIME_NEVER.ns && c->peers.count > 1 &&
        c->wants.count > 0)
        c->tail_at = mtime_add_ms(c->now, TAIL_TICK_MS);
}

void bsc_missing_wake(struct bs_client *c)
{
    list_for_each_safe (it, &c->missing) {
        struct bsc_want *w = container_of(it, struct bsc_want, missing);
        if (w->tries > 0)
            w->tries--; /* this was no try of all */
        bsc_queue(c, w);
    }
}

void bsc_missing_tick(struct bs_client *c)
{
    c->retry_at = MTIME_NEVER;
    list_for_each_safe (it, &c->missing) {
        struct bsc_want *w = container_of(it, struct bsc_want, missing);
        if (--w->ticks_left > 0)
            continue;
        memset(w->no, 0, c->words * sizeof(w->no[0]));
        w->told = false;
        bsc_queue(c, w);
    }
    if (!list_empty(&c->missing))
        c->retry_at = mtime_add_ms(c->now, RETRY_MS);
}

static struct bsc_ask *block_ask(const struct bsc_want *w)
{
    list_for_each (it, &w->asks) {
        struct bsc_ask *a = container_of(it, struct bsc_ask, of_want);
        if (a->state == BSC_ASK_BLOCK)
            return a;
    }
    return NULL;
}

/* A stranger is a second source only where one of the two is a gateway. */
static struct choice choose_second(const struct bs_client *c,
                                   const struct bsc_want *w,
                                   const struct bsc_ask *first)
{
    struct choice choice = choose(c, w);
    enum rank least = first->peer->gateway ? RANK_GATEWAY : RANK_GOOD;

    if (choice.peer == NULL || choice.rank < least)
        choice = choose_gateway(c, w);
    return choice;
}

/*
 * Asks a second source when the first takes twice its usual time, or the other
 * would be done in half of what the first still needs.
 */
static void double_ask(struct bs_client *c, struct bsc_want *w)
{
    const struct bsc_ask *a = block_ask(w);

    assert(a != NULL);
    struct choice other = choose_second(c, w, a);
    if (other.peer == NULL)
        return;
    uint64_t usual_ms = 2 * a->peer->latency_ns / NS_PER_MS;
    uint64_t least_ms =
        w->home->class == BS_CLASS_BACKGROUND ? TAIL_PATIENCE_MS : TAIL_TICK_MS;
    if (other.rank < RANK_GOOD)
        least_ms = GATEWAY_PATIENCE_MS;
    if (usual_ms < least_ms)
        usual_ms = least_ms;
    bool overdue = mtime_ms_since(a->asked_at, c->now) >= usual_ms;
    bool slower = a->peer->rate > 0 && other.peer->rate > 0 &&
                  eta_ms(a->peer, 0) / 2 > other.eta_ms;
    if (overdue || (slower && other.rank == RANK_GOOD))
        bsc_ask_put(c, w, other.peer, BSC_ASK_BLOCK);
}

/* True when some want of the session is asked of one peer only. */
static bool tail_of(struct bs_client *c, struct bs_session *s)
{
    bool some = false;

    if (s->queue.count > 0 || s->interests.count > TAIL_WANTS_MAX)
        return false;
    map_for_each (it, &s->interests) {
        struct bsc_want *w = container_of(it, struct bsc_interest, node)->want;
        if (w->home != s || w->blocks != 1)
            continue;
        double_ask(c, w);
        some = true;
    }
    return some;
}

void bsc_tail(struct bs_client *c)
{
    bool some = false;

    c->tail_at = MTIME_NEVER;
    for (size_t i = 0; i < BSC_CLASSES; i++) {
        list_for_each (it, &c->sessions[i]) {
            if (tail_of(c, container_of(it, struct bs_session, link)))
                some = true;
        }
    }
    if (some && c->peers.count > 1)
        c->tail_at = mtime_add_ms(c->now, TAIL_TICK_MS);
}
