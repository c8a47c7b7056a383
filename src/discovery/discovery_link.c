#include <string.h>

#include "base/mem.h"
#include "discovery/discovery_priv.h"

enum {
    HELLO_WAIT_MS = 30 * 1000, /* who was dialled lets the other begin */
    FEELER_STAY_MS = 10 * 1000,
    SHORT_STAY_MS = 60 * 1000,
    LONG_STAY_MS = 10 * 60 * 1000, /* who leaves sooner is left alone longer */
    LET_GO_RETRY_MS = 5 * 60 * 1000, /* of one that we let go */
    BOOTSTRAP_MAX_MS = 5 * 60 * 1000,
    ALONE_MS = 10 * 1000, /* after one that did not stay */
};

/* What happens. ------------------------------------------------------------ */

static bool is_same_public_ip(const struct link *l, const struct ma_ip *ip)
{
    struct ma_ip other;
    return l->reach == REACH_PUBLIC &&
           multiaddr_get_ip(&l->addr, &other) == OK && other.len == ip->len &&
           memcmp(other.bytes, ip->bytes, ip->len) == 0;
}

enum err discovery_admits(struct discovery *d, const struct peer_id *peer,
                          const struct multiaddr *addr, bool inbound,
                          struct mtime now)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    struct ma_ip ip = {.len = 0};
    uint32_t all = 0;
    uint32_t same = 0;

    if (discovery_is_refused(d, peer, addr, unix_s))
        return E_REFUSED;
    const struct ban *allowed = bans_find(&d->bans, peer, addr, unix_s);
    if (!inbound || allowed != NULL)
        return OK;
    if (addr != NULL && multiaddr_get_ip(addr, &ip) != OK)
        ip.len = 0;
    map_for_each (it, &d->links) {
        const struct link *l = container_of(it, struct link, node);
        bool other = !l->closing && !l->outbound &&
                     (peer == NULL || !peer_id_eq(&l->peer, peer));
        all += other;
        same += other && ip.len > 0 && is_same_public_ip(l, &ip);
    }
    if (all >= d->inbound_share + d->guests || same >= DISCOVERY_PER_IP)
        return E_LIMIT;
    return OK;
}

static struct link *new_link(struct discovery *d, const struct peer_id *peer,
                             const struct multiaddr *addr, struct mtime now)
{
    if (d->links.count >= DISCOVERY_LINKS_MAX)
        return NULL;
    struct link *l = mem_zalloc(1, sizeof(*l));
    l->peer = *peer;
    l->addr = *addr;
    l->reach = reach_of(addr);
    l->group = reach_group(addr);
    l->since = now;
    l->used_at = now;
    l->counted = now;
    l->hello_at = MTIME_NEVER;
    l->check_at = MTIME_NEVER;
    l->leave_at = MTIME_NEVER;
    l->ask_at = MTIME_NEVER;
    l->quality = quality_init(discovery_unix_s(d, now));
    map_put(&d->links, &l->node, peer_id_bytes(&l->peer));
    return l;
}

static void note_outbound(struct discovery *d, struct link *l,
                          const struct multiaddr *addr, struct mtime now)
{
    struct dial *dial = discovery_dial_find(d, &l->peer);
    struct book_peer *p = book_find(&d->book, &l->peer);
    l->outbound = true;
    l->addr = *addr;
    l->reach = reach_of(addr);
    l->group = reach_group(addr);
    if (dial != NULL) {
        l->ours = true;
        l->passing = false;
        l->feeler =
            dial->feeler && discovery_outbound_count(d) >= d->outbound_target;
    }
    if (l->feeler) {
        l->leave_at = mtime_add_ms(now, FEELER_STAY_MS);
        discovery_wake_links(d, l->leave_at);
        discovery_wake_links(d, l->ask_at);
    }
    if (p == NULL)
        quality_event(&l->quality, QUALITY_CONNECTED, 0,
                      discovery_unix_s(d, now));
    else
        book_reached(&d->book, p, addr, discovery_unix_s(d, now));
    discovery_note_change(d);
}

void discovery_on_connected(struct discovery *d, const struct peer_id *peer,
                            const struct multiaddr *addr, bool inbound,
                            struct mtime now)
{
    struct link *l = discovery_link(d, peer);
    if (l == NULL)
        l = new_link(d, peer, addr, now);
    if (l == NULL)
        return;
    struct book_peer *p = book_find(&d->book, peer);
    l->closing = false;
    l->inbound |= inbound;
    /* What we had dialled for a question is theirs now: one of those that came
     * to us, and has its share. */
    if (inbound && l->passing) {
        l->passing = false;
        l->outbound = false;
    }
    if (!inbound)
        note_outbound(d, l, addr, now);
    else if (p != NULL)
        book_seen(&d->book, p, discovery_unix_s(d, now));
    discovery_dial_end(d, discovery_dial_find(d, peer));
    discovery_wake_dial(d, now);
    if (discovery_is_refused(d, peer, addr, discovery_unix_s(d, now)))
        discovery_disconnect(d, l, DISCOVERY_WHY_BANNED);
    else
        discovery_trim_soon(d, now);
}

static void count_uptime(struct discovery *d, struct link *l, struct mtime now)
{
    uint64_t s = mtime_ms_since(l->counted, now) / MS_PER_S;
    if (s == 0)
        return;
    l->counted = now;
    discovery_event(d, &l->peer, QUALITY_UPTIME, s, now);
    struct book_peer *p = book_find(&d->book, &l->peer);
    if (p != NULL && !l->closing)
        book_seen(&d->book, p, discovery_unix_s(d, now));
}

/* When to dial @l's peer again. */
static void set_next_try(struct discovery *d, const struct link *l,
                         struct book_peer *p, struct mtime now)
{
    uint64_t stayed_ms = mtime_ms_since(l->since, now);
    bool is_last = d->links.count == 1;
    if (stayed_ms >= LONG_STAY_MS) {
        p->turned = 0;
        d->turned = 0;
    }
    if (l->closing && !p->manual)
        p->next_try = mtime_add_ms(now, discovery_jitter(d, LET_GO_RETRY_MS));
    else if (stayed_ms >= SHORT_STAY_MS && (p->manual || is_last))
        p->next_try = mtime_add_ms(now, MS_PER_S);
    else if (l->closing || stayed_ms >= LONG_STAY_MS)
        discovery_retry_later(d, p, now);
    else if (stayed_ms < SHORT_STAY_MS || p->turned > 0)
        discovery_turned_away(d, p, now);
    else { /* it may just start anew; not so the next time */
        discovery_retry_later(d, p, now);
        p->turned = 1;
    }
}

void discovery_on_disconnected(struct discovery *d, const struct peer_id *peer,
                               struct mtime now)
{
    struct link *l = discovery_link(d, peer);
    if (l == NULL)
        return;
    count_uptime(d, l, now);
    struct book_peer *p = book_find(&d->book, peer);
    bool stayed = mtime_ms_since(l->since, now) >= SHORT_STAY_MS;
    if (p != NULL)
        set_next_try(d, l, p, now);
    discovery_link_free(d, l);
    discovery_requests_drop(d, peer, now);
    if (stayed)
        d->bootstrap_ms = DISCOVERY_BOOTSTRAP_MS;
    if (d->links.count == 0 && d->running)
        d->bootstrap_at =
            stayed ? now : mtime_add_ms(now, discovery_jitter(d, ALONE_MS));
    discovery_note_change(d);
    discovery_wake_dial(d, mtime_add_ms(now, MS_PER_S));
}

/* Whether a failed dial may be the fault of our own link: nobody is connected
 * from as far away as @p is. */
static bool is_ours(const struct discovery *d, const struct book_peer *p)
{
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    enum reach reach =
        book_addrs(p, addrs) == 0 ? REACH_PUBLIC : reach_of(&addrs[0]);
    map_for_each (it, &d->links) {
        if (container_of(it, struct link, node)->reach <= reach)
            return false;
    }
    return true;
}

void discovery_on_dial_failed(struct discovery *d, const struct peer_id *peer,
                              enum err err, struct mtime now)
{
    struct book_peer *p = book_find(&d->book, peer);
    discovery_dial_end(d, discovery_dial_find(d, peer));
    discovery_wake_dial(d, now);
    if (p == NULL)
        return;
    /* Our own limits say nothing of the peer. */
    if (err != E_LIMIT && err != E_CANCELED && err != E_EXISTS &&
        err != E_AGAIN && discovery_link(d, peer) == NULL)
        book_failed(&d->book, p, is_ours(d, p), discovery_unix_s(d, now));
    discovery_retry_later(d, p, now);
    discovery_note_change(d);
}

static void note_stranger(struct discovery *d, struct link *l)
{
    struct book_peer *p = book_find(&d->book, &l->peer);
    bool told = p != NULL && !p->manual && p->source != BOOK_BOOTSTRAP &&
                p->source != BOOK_DNS;
    if (told) {
        l->quality = p->quality;
        book_remove(&d->book, p);
    }
    if (l->ours && (told || l->feeler))
        discovery_disconnect(d, l, DISCOVERY_WHY_FEELER);
}

void discovery_on_identified(struct discovery *d, const struct peer_id *peer,
                             bool member, struct mtime now)
{
    struct link *l = discovery_link(d, peer);
    if (l == NULL || l->closing)
        return;
    bool was = l->member == MEMBER_YES;
    l->member = member ? MEMBER_YES : MEMBER_NO;
    if (!member) {
        note_stranger(d, l);
        discovery_wake_dial(d, now);
        return;
    }
    /* A peer that answers a question of the DHT has no use for our record, nor
     * we for its own, unless we know few. */
    if (was || (l->passing && !discovery_knows_few(d)))
        return;
    l->hello_at = l->outbound ? now : mtime_add_ms(now, HELLO_WAIT_MS);
    discovery_wake_links(d, l->hello_at);
}

/* Time. -------------------------------------------------------------------- */

static void link_on_time(struct discovery *d, struct link *l, struct mtime now)
{
    if (l->closing)
        return;
    if (mtime_reached(now, l->leave_at)) {
        l->leave_at = MTIME_NEVER;
        /* One that a user, or a place to fill, has found use for stays. */
        if (l->feeler)
            discovery_disconnect(d, l, DISCOVERY_WHY_FEELER);
        return;
    }
    if (mtime_reached(now, l->hello_at))
        discovery_send_hello(d, l, now);
    if (mtime_reached(now, l->check_at))
        discovery_send_check(d, l, now);
    if (mtime_reached(now, l->ask_at))
        discovery_ask_met(d, l, now);
}

void discovery_links_on_time(struct discovery *d, struct mtime now)
{
    if (!mtime_reached(now, d->links_at))
        return;
    d->links_at = MTIME_NEVER;
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l)) {
        link_on_time(d, l, now);
        if (l->closing)
            continue;
        discovery_wake_links(d, l->hello_at);
        discovery_wake_links(d, l->check_at);
        discovery_wake_links(d, l->leave_at);
        discovery_wake_links(d, l->ask_at);
    }
}

/* The anchors are the best outbound members of now; without any, the earlier
 * ones stay. */
static void note_anchors(struct discovery *d, struct mtime now)
{
    struct book_peer *best[BOOK_ANCHORS_MAX];
    size_t count = 0;
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l)) {
        struct book_peer *p = book_find(&d->book, &l->peer);
        if (p == NULL || !discovery_is_outbound(l) || l->member != MEMBER_YES)
            continue;
        uint32_t score = discovery_score(d, &l->peer, now);
        size_t at = count < BOOK_ANCHORS_MAX ? count++ : BOOK_ANCHORS_MAX;
        while (at > 0 && discovery_score(d, &best[at - 1]->id, now) < score) {
            if (at < BOOK_ANCHORS_MAX)
                best[at] = best[at - 1];
            at--;
        }
        if (at < BOOK_ANCHORS_MAX)
            best[at] = p;
    }
    if (count == 0)
        return;
    for (struct book_peer *p = book_next(&d->book, NULL); p != NULL;
         p = book_next(&d->book, p)) {
        bool stays = false;
        for (size_t i = 0; i < count; i++)
            stays |= best[i] == p;
        if (!stays)
            book_set_anchor(&d->book, p, false);
    }
    for (size_t i = 0; i < count; i++)
        book_set_anchor(&d->book, best[i], true);
}

/* Three members of all, each with the same chance. */
static void ask_some(struct discovery *d, struct mtime now)
{
    struct link *picked[DISCOVERY_ASKED_MAX];
    uint32_t seen = 0;
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l)) {
        if (l->member != MEMBER_YES || l->closing)
            continue;
        uint32_t at =
            seen < DISCOVERY_ASKED_MAX ? seen : discovery_chance(d, seen + 1);
        if (at < DISCOVERY_ASKED_MAX)
            picked[at] = l;
        seen++;
    }
    for (uint32_t i = 0; i < seen && i < DISCOVERY_ASKED_MAX; i++)
        discovery_send_ask(d, picked[i], now);
}

void discovery_round_on_time(struct discovery *d, struct mtime now)
{
    if (!mtime_reached(now, d->round_at))
        return;
    d->round_at = mtime_add_ms(now, discovery_jitter(d, d->round_ms));
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l))
        count_uptime(d, l, now);
    note_anchors(d, now);
    ask_some(d, now);
    bans_expire(&d->bans, discovery_unix_s(d, now));
    if (d->links.count > 0) {
        book_sweep(&d->book, discovery_unix_s(d, now));
        discovery_note_change(d);
    }
}

void discovery_bootstrap_on_time(struct discovery *d, struct mtime now)
{
    if (!mtime_reached(now, d->bootstrap_at))
        return;
    d->bootstrap_at = mtime_add_ms(now, discovery_jitter(d, d->bootstrap_ms));
    if (d->links.count > 0) {
        d->bootstrap_at = MTIME_NEVER;
        return;
    }
    d->bootstrap_ms *= 2;
    if (d->bootstrap_ms > BOOTSTRAP_MAX_MS)
        d->bootstrap_ms = BOOTSTRAP_MAX_MS;
    (void)discovery_push(d, DISCOVERY_BOOTSTRAP);
}
