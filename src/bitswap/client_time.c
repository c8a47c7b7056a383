#include <assert.h>

#include "bitswap/client_priv.h"

/*
 * How fast peers are, and what is done about those that are late.
 *
 * A peer that owes answers and gives none for several times as long as it
 * usually takes is stalled: its wants are given to others, and it is asked
 * again after a while that doubles from time to time.  The shortest while is
 * more than the five seconds in which helia does not send a block twice.
 */
enum {
    STALL_FIRST_MS = 5000, /* of a peer that sent nothing yet */
    STALL_MIN_MS = 2000,
    STALL_MAX_MS = 30000, /* also for bytes that never become a block */
    STALL_LATENCIES = 4,
    GATEWAY_FIRST_MS = 30000, /* it may have to find the block itself */
    GATEWAY_MIN_MS = 10000,
    PAUSE_MS = 6000,
    PAUSE_SHIFT_MAX = 4,
    REPEAT_MS = 6000,
    REPEATS_MAX = 2,
    GATEWAY_LATE_MS = 15000, /* of a request that later ones overtook */
    DELIVERED_MAX = 1000,
    SAMPLE_MS = 20,
    SAMPLE_BYTES = 1024 * 1024,
    NS_PER_MS = 1000000,
    NS_PER_US = 1000,
};

static const uint64_t window_min = UINT64_C(256) * 1024;

static uint64_t ns_since(struct mtime then, struct mtime now)
{
    return now.ns > then.ns ? now.ns - then.ns : 0;
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    if (value < min)
        return min;
    return value > max ? max : value;
}

static void measure_latency(struct bsc_peer *p, uint64_t ns)
{
    if (ns == 0)
        ns = 1;
    if (p->latency_ns == 0) {
        p->latency_ns = ns;
        p->latency_min_ns = ns;
        return;
    }
    p->latency_ns = (7 * p->latency_ns + ns) / 8;
    if (ns < p->latency_min_ns)
        p->latency_min_ns = ns;
    else
        p->latency_min_ns += (ns - p->latency_min_ns) / 64;
}

/*
 * A peer that was asked for less than its window shows what was asked for, not
 * what it can do: that may raise the rate, but not lower it.
 */
static void measure_rate(struct bsc_peer *p, struct mtime arrived)
{
    uint64_t ns = ns_since(p->measured_from, arrived);

    if (ns < NS_PER_MS ||
        (ns / NS_PER_MS < SAMPLE_MS && p->measured_bytes < SAMPLE_BYTES))
        return;
    uint64_t sample = p->measured_bytes * 1000 / (ns / NS_PER_MS);
    bool whole = p->measured_full || p->measured_bytes >= SAMPLE_BYTES;
    p->measured_from = arrived;
    p->measured_bytes = 0;
    p->measured_full = p->full;
    if (!whole && (p->rate == 0 || sample < p->rate))
        return;
    p->rate = p->rate == 0 ? sample : (3 * p->rate + sample) / 4;
    if (p->rate == 0)
        p->rate = 1;
}

/*
 * Twice bandwidth times delay, so that a window that holds the peer back
 * doubles; but what the peer sends in a second, up to the first window, in
 * any case.
 */
static void set_window(struct bsc_peer *p)
{
    if (p->rate == 0)
        return;
    uint64_t flight = p->rate / 1000 * (p->latency_min_ns / NS_PER_US) / 500;
    uint64_t floor = clamp(p->rate, window_min, BS_WINDOW_BYTES_START);
    p->window_bytes = clamp(flight, floor, BS_WINDOW_BYTES_MAX);
}

void bsc_measure(struct bs_client *c, struct bsc_peer *p, uint32_t bytes,
                 struct mtime asked_at, struct mtime arrived)
{
    if (p->delivered < DELIVERED_MAX)
        p->delivered++;
    p->measured_bytes += bytes;
    measure_latency(p, ns_since(asked_at, arrived));
    measure_rate(p, arrived);
    set_window(p);
    if (mtime_before(p->overtaken_at, asked_at))
        p->overtaken_at = asked_at;
    bsc_peer_full_update(c, p);
}

static struct mtime stall_at(const struct bsc_peer *p)
{
    uint64_t ms = p->gateway ? GATEWAY_FIRST_MS : STALL_FIRST_MS;
    uint64_t min_ms = p->gateway ? GATEWAY_MIN_MS : STALL_MIN_MS;

    if (!bsc_peer_waits(p) || p->hashing_count > 0)
        return MTIME_NEVER;
    if (p->delivered > 0)
        ms = clamp(STALL_LATENCIES * (p->latency_ns / NS_PER_MS), min_ms,
                   STALL_MAX_MS);
    struct mtime alive = p->progress_at;
    if (mtime_before(alive, p->bytes_at))
        alive = mtime_min(p->bytes_at, mtime_add_ms(alive, STALL_MAX_MS));
    return mtime_add_ms(alive, (uint32_t)ms);
}

static struct bsc_ask *oldest(const struct bsc_peer *p)
{
    return container_of(list_first(&p->waiting), struct bsc_ask, of_peer);
}

/* When the oldest ask is said again, if later ones were answered before it. */
static struct mtime repeat_at(const struct bsc_peer *p)
{
    if (list_empty(&p->waiting))
        return MTIME_NEVER;
    const struct bsc_ask *a = oldest(p);
    if (!mtime_before(a->asked_at, p->overtaken_at))
        return MTIME_NEVER;
    return mtime_add_ms(a->asked_at, p->gateway ? GATEWAY_LATE_MS : REPEAT_MS);
}

bool bsc_peer_idle(const struct bsc_peer *p)
{
    return list_empty(&p->waiting) && p->cancel_at.ns == MTIME_NEVER.ns &&
           !p->stalled;
}

struct mtime bsc_peer_deadline(const struct bsc_peer *p)
{
    struct mtime at = mtime_min(stall_at(p), repeat_at(p));

    at = mtime_min(at, p->cancel_at);
    return p->stalled ? mtime_min(at, p->stalled_until) : at;
}

static void forget_good(struct bs_client *c, const struct bsc_peer *p)
{
    for (size_t i = 0; i < BSC_CLASSES; i++) {
        list_for_each (it, &c->sessions[i])
            bsc_good_set(container_of(it, struct bs_session, link), p, false);
    }
}

static void take_back(struct bs_client *c, struct bsc_ask *a)
{
    struct bsc_want *w = a->want;

    bsc_bit_clear(w->has, a->peer->place);
    bsc_ask_set(c, a, BSC_ASK_LATE);
    bsc_queue(c, w);
}

/* Versions without DONT_HAVE say nothing when they have not got a block. */
static void stall(struct bs_client *c, struct bsc_peer *p)
{
    uint32_t shift = p->stalls < PAUSE_SHIFT_MAX ? p->stalls : PAUSE_SHIFT_MAX;

    c->stats.stalls++;
    p->stalled = true;
    bsc_peer_timed(c, p);
    p->stalls++;
    p->stalled_until = mtime_add_ms(c->now, (uint32_t)PAUSE_MS << shift);
    p->window_bytes =
        clamp(p->window_bytes / 2, window_min, BS_WINDOW_BYTES_MAX);
    forget_good(c, p);
    while (!list_empty(&p->waiting)) {
        struct bsc_ask *a = oldest(p);
        if (p->version < BS_1_2_0)
            bsc_bit_set(a->want->no, p->place);
        take_back(c, a);
    }
}

void bsc_peer_wake(struct bs_client *c, struct bsc_peer *p)
{
    if (!p->stalled)
        return;
    p->stalled = false;
    p->progress_at = c->now;
    bsc_missing_wake(c);
    c->placing = true;
}

static void repeat_oldest(struct bs_client *c, struct bsc_peer *p)
{
    struct bsc_ask *a = oldest(p);

    /* A request is not lost: it would be the same a second time. */
    if (a->repeats < REPEATS_MAX && !p->gateway) {
        bsc_ask_repeat(c, a);
        return;
    }
    bsc_bit_set(a->want->no, p->place);
    take_back(c, a);
}

void bsc_peer_on_time(struct bs_client *c, struct bsc_peer *p)
{
    if (p->stalled && mtime_reached(c->now, p->stalled_until))
        bsc_peer_wake(c, p);
    if (mtime_reached(c->now, stall_at(p)))
        stall(c, p);
    while (mtime_reached(c->now, repeat_at(p)))
        repeat_oldest(c, p);
    if (mtime_reached(c->now, p->cancel_at)) {
        p->cancel_at = MTIME_NEVER;
        bsc_peer_dirty(c, p);
    }
}

void bsc_peer_suspect(struct bs_client *c, struct bsc_peer *p)
{
    p->suspect = true;
    list_for_each_safe (it, &p->waiting) {
        struct bsc_ask *a = container_of(it, struct bsc_ask, of_peer);
        if (a->state == BSC_ASK_BLOCK && bsc_other(c, a->want, p))
            take_back(c, a);
    }
}
