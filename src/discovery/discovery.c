#include "discovery/discovery.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "discovery/discovery_priv.h"
#include "multiformats/key.h"

enum {
    /* Candidates have changed: told at most once in so long, rarer when there
     * are many, all of which are looked at then. */
    CHANGED_MS = 1000,
    CHANGED_EACH_MS = 50,
    CHANGED_FEW = 100, /* peers; each one more counts */
    CHANGED_MORE_MS = 200,
    CHANGED_MAX_MS = 60 * 1000,
    CONNS_LEAST = 4,
    OUTBOUND_PART = 3, /* of all places, at most */
    PASSING_PART = 4,
    PASSING_SHARE_MAX = 64,
    PENALTY_BAN = 950, /* of QUALITY_PENALTY_MAX */
    KEY_SEQ = 's',
    SEQ_VERSION = 1,
};

/* Life. -------------------------------------------------------------------- */

static uint32_t or_default(uint32_t value, uint32_t preset)
{
    return value == 0 ? preset : value;
}

/* A user's numbers may not fit together: places are left for inbound peers. */
static void fit_limits(struct discovery *d)
{
    if (d->conns_high < CONNS_LEAST)
        d->conns_high = CONNS_LEAST;
    /* Each outbound place of a node takes an inbound one of another. */
    if (d->outbound_target > d->conns_high / OUTBOUND_PART)
        d->outbound_target = d->conns_high / OUTBOUND_PART;
    if (d->outbound_target == 0)
        d->outbound_target = 1;
    d->passing_share = d->conns_high / PASSING_PART;
    if (d->passing_share > PASSING_SHARE_MAX)
        d->passing_share = PASSING_SHARE_MAX;
    d->inbound_share = d->conns_high - d->outbound_target - d->passing_share;
}

struct discovery *discovery_new(const struct discovery_config *config)
{
    struct discovery *d = mem_zalloc(1, sizeof(*d));
    struct book_config book = {.peers_max = config->book_max};
    size_t name_len = strlen(config->network);

    assert(name_len > 0);
    assert(name_len <= CAPABILITY_NETWORK_MAX);
    memcpy(d->network, config->network, name_len);
    d->key = config->key;
    d->self_id = privkey_peer_id(config->key);
    memcpy(d->seed, config->seed, sizeof(d->seed));
    memcpy(book.seed, config->seed + sizeof(d->seed), sizeof(book.seed));
    d->outbound_target =
        or_default(config->outbound_target, DISCOVERY_OUTBOUND_TARGET);
    d->conns_high = or_default(config->conns_high, DISCOVERY_CONNS_HIGH);
    d->guests = or_default(config->guests, DISCOVERY_GUESTS);
    d->round_ms = or_default(config->round_ms, DISCOVERY_ROUND_MS);
    d->feeler_ms = or_default(config->feeler_ms, DISCOVERY_FEELER_MS);
    d->allow_only = config->allow_only;
    d->told_only = config->told_only;
    fit_limits(d);
    book_init(&d->book, &book);
    bans_init(&d->bans, d->seed);
    map_init(&d->links, d->seed);
    list_init(&d->requests);
    list_init(&d->probes);
    list_init(&d->dials);
    list_init(&d->outs);
    d->dial_at = MTIME_NEVER;
    d->links_at = MTIME_NEVER;
    d->trim_at = MTIME_NEVER;
    d->round_at = MTIME_NEVER;
    d->feeler_at = MTIME_NEVER;
    d->bootstrap_at = MTIME_NEVER;
    return d;
}

static void free_queued(struct queued *q)
{
    if (q != NULL)
        mem_free(q->message);
    mem_free(q);
}

void discovery_link_free(struct discovery *d, struct link *l)
{
    map_remove(&d->links, &l->node);
    mem_free(l);
}

void discovery_free(struct discovery *d)
{
    struct map_node *node;
    if (d == NULL)
        return;
    while ((node = map_first(&d->links)) != NULL)
        discovery_link_free(d, container_of(node, struct link, node));
    map_release(&d->links);
    list_for_each_safe (it, &d->requests)
        mem_free(container_of(it, struct request, link));
    list_for_each_safe (it, &d->probes)
        mem_free(container_of(it, struct probe, link));
    list_for_each_safe (it, &d->dials)
        mem_free(container_of(it, struct dial, link));
    list_for_each_safe (it, &d->outs)
        free_queued(container_of(it, struct queued, link));
    free_queued(d->current);
    discovery_self_release(d);
    mem_free(d->spares);
    bans_release(&d->bans);
    book_release(&d->book);
    mem_free(d);
}

void discovery_set_clock(struct discovery *d, uint64_t unix_ms,
                         struct mtime now)
{
    d->clock_ms = unix_ms;
    d->clock_at = now;
}

void discovery_start(struct discovery *d, struct mtime now)
{
    d->running = true;
    d->dial_at = now;
    d->bootstrap_at = now;
    d->bootstrap_ms = DISCOVERY_BOOTSTRAP_MS;
    d->round_at = mtime_add_ms(now, discovery_jitter(d, d->round_ms));
    d->feeler_at = mtime_add_ms(now, discovery_jitter(d, d->feeler_ms));
    discovery_note_change(d);
}

void discovery_stop(struct discovery *d)
{
    d->running = false;
}

/* Shared helpers. ---------------------------------------------------------- */

uint64_t discovery_unix_s(const struct discovery *d, struct mtime now)
{
    return (d->clock_ms + mtime_ms_since(d->clock_at, now)) / MS_PER_S;
}

uint32_t discovery_chance(struct discovery *d, uint32_t below)
{
    uint8_t bytes[8];
    struct wr w = wr_init(bytes, sizeof(bytes));
    wr_be64(&w, ++d->chance);
    return (uint32_t)(siphash13(d->seed, (struct bytes){bytes, sizeof(bytes)}) %
                      below);
}

/* @ms, a quarter of chance either way. */
uint32_t discovery_jitter(struct discovery *d, uint32_t ms)
{
    return ms - ms / 4 + discovery_chance(d, ms / 2 + 1);
}

struct link *discovery_link(const struct discovery *d,
                            const struct peer_id *peer)
{
    struct map_node *node = map_get(&d->links, peer_id_bytes(peer));
    return node == NULL ? NULL : container_of(node, struct link, node);
}

struct link *discovery_link_next(const struct discovery *d,
                                 const struct link *after)
{
    struct map_node *node = after == NULL ? map_first(&d->links)
                                          : map_next(&d->links, &after->node);
    return node == NULL ? NULL : container_of(node, struct link, node);
}

bool discovery_take(struct tokens *t, uint32_t burst, uint32_t each_ms,
                    struct mtime now)
{
    uint64_t passed = mtime_ms_since(t->at, now);
    t->used_ms = t->used_ms > passed ? t->used_ms - passed : 0;
    t->at = now;
    if (t->used_ms + each_ms > (uint64_t)burst * each_ms)
        return false;
    t->used_ms += each_ms;
    return true;
}

struct discovery_out *discovery_push(struct discovery *d,
                                     enum discovery_out_kind kind)
{
    struct queued *q = mem_zalloc(1, sizeof(*q));
    q->out.kind = kind;
    list_add_tail(&d->outs, &q->link);
    return &q->out;
}

void discovery_push_message(struct discovery *d, struct discovery_out *out,
                            const struct peers_message *m)
{
    struct queued *q = container_of(out, struct queued, out);
    size_t max = (size_t)2 * CAPABILITY_BYTES_MAX;
    (void)d; /* the queue that it is in */
    for (size_t i = 0; i < m->record_count; i++)
        max += m->records[i].len + CAPABILITY_OPERATOR_MAX;
    uint8_t *bytes = mem_alloc(max);
    struct wr w = wr_init(bytes, max);
    peers_message_encode(m, &w);
    assert(w.err == OK);
    q->out.message = (struct bytes){.p = bytes, .len = wr_len(&w)};
    assert(q->out.message.len <= PEERS_MESSAGE_BYTES_MAX);
    q->message = mem_dup(bytes, q->out.message.len);
    q->out.message.p = q->message;
    mem_free(bytes);
}

void discovery_note_change(struct discovery *d)
{
    d->changed = true;
}

void discovery_wake_links(struct discovery *d, struct mtime at)
{
    d->links_at = mtime_min(d->links_at, at);
}

void discovery_wake_dial(struct discovery *d, struct mtime at)
{
    if (d->running)
        d->dial_at = mtime_min(d->dial_at, at);
}

void discovery_disconnect(struct discovery *d, struct link *l,
                          enum discovery_why why)
{
    if (l->closing)
        return;
    l->closing = true;
    struct discovery_out *out = discovery_push(d, DISCOVERY_DISCONNECT);
    out->peer = l->peer;
    out->why = why;
}

/* Peers by hand. ----------------------------------------------------------- */

/* One that is full is not asked again the sooner for being told of again. */
static void hurry(struct book_peer *p, enum book_source source)
{
    if (p->turned == 0 || source == BOOK_MANUAL)
        p->next_try = (struct mtime){0};
}

enum err discovery_hear(struct discovery *d, const struct book_heard *heard,
                        struct mtime now)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    struct book_peer *p = NULL;
    if (peer_id_eq(heard->peer, &d->self_id) ||
        bans_refuse(&d->bans, heard->peer, NULL, unix_s))
        return E_REFUSED;
    enum err err = book_hear(&d->book, heard, unix_s, &p);
    if (err != OK)
        return err;
    p->told |= heard->source <= BOOK_DNS;
    if (heard->source == BOOK_BOOTSTRAP || heard->source == BOOK_DNS ||
        heard->source == BOOK_MANUAL || heard->source == BOOK_MDNS)
        hurry(p, heard->source);
    const struct link *l = discovery_link(d, heard->peer);
    if (l != NULL && l->outbound && !p->reached)
        book_reached(&d->book, p, &l->addr, unix_s);
    else if (l != NULL)
        book_seen(&d->book, p, unix_s);
    discovery_wake_dial(d, now);
    return OK;
}

enum err discovery_forget(struct discovery *d, const struct peer_id *peer,
                          struct mtime now)
{
    struct book_peer *p = book_find(&d->book, peer);
    struct link *l = discovery_link(d, peer);
    if (p == NULL)
        return E_NOTFOUND;
    if (l != NULL)
        l->quality = p->quality;
    book_remove(&d->book, p);
    discovery_note_change(d);
    discovery_wake_dial(d, now);
    return OK;
}

bool discovery_is_refused(const struct discovery *d, const struct peer_id *peer,
                          const struct multiaddr *addr, uint64_t unix_s)
{
    const struct ban *ban = bans_find(&d->bans, peer, addr, unix_s);
    if (ban == NULL)
        return d->allow_only && peer != NULL;
    return ban->kind != BAN_ALLOW;
}

enum err discovery_ban(struct discovery *d, const struct ban_target *target,
                       enum ban_kind kind, struct bytes reason, uint64_t for_s,
                       struct mtime now)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    uint64_t end_s = for_s > UINT64_MAX - unix_s ? UINT64_MAX : unix_s + for_s;
    enum err err = bans_put(&d->bans, target, kind, reason, end_s, unix_s);
    if (err != OK)
        return err;
    for (struct link *l = discovery_link_next(d, NULL); l != NULL;
         l = discovery_link_next(d, l)) {
        if (discovery_is_refused(d, &l->peer, &l->addr, unix_s))
            discovery_disconnect(d, l, DISCOVERY_WHY_BANNED);
    }
    discovery_note_change(d);
    return OK;
}

enum err discovery_unban(struct discovery *d, const struct ban_target *target,
                         struct mtime now)
{
    enum err err = bans_remove(&d->bans, target);
    discovery_note_change(d);
    discovery_wake_dial(d, now);
    return err;
}

/* Quality. ----------------------------------------------------------------- */

static void ban_attacker(struct discovery *d, const struct peer_id *peer,
                         struct mtime now)
{
    const struct book_peer *p = book_find(&d->book, peer);
    const struct ban *ban =
        bans_find(&d->bans, peer, NULL, discovery_unix_s(d, now));
    struct ban_target target = {.peer = *peer};
    if ((p != NULL && p->manual) || ban != NULL)
        return;
    /* When the list is full, others are banned and this one just goes. */
    if (discovery_ban(d, &target, BAN_TEMPORARY, BYTES_LIT("misbehaved"),
                      DISCOVERY_BAN_S, now) == OK)
        return;
    struct link *l = discovery_link(d, peer);
    if (l != NULL)
        discovery_disconnect(d, l, DISCOVERY_WHY_BANNED);
}

void discovery_event(struct discovery *d, const struct peer_id *peer,
                     enum quality_kind kind, uint64_t amount, struct mtime now)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    struct book_peer *p = book_find(&d->book, peer);
    struct link *l = discovery_link(d, peer);
    uint32_t penalty = 0;
    if (p != NULL) {
        book_event(&d->book, p, kind, amount, unix_s);
        penalty = quality_penalty(&p->quality, unix_s);
    } else if (l != NULL) {
        quality_event(&l->quality, kind, amount, unix_s);
        penalty = quality_penalty(&l->quality, unix_s);
    }
    if (penalty >= PENALTY_BAN)
        ban_attacker(d, peer, now);
}

void discovery_fault(struct discovery *d, struct link *l, uint32_t severity,
                     struct mtime now)
{
    discovery_event(d, &l->peer, QUALITY_FAULT, severity, now);
}

uint32_t discovery_score(const struct discovery *d, const struct peer_id *peer,
                         struct mtime now)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    const struct book_peer *p = book_find(&d->book, peer);
    const struct link *l = discovery_link(d, peer);
    if (p != NULL)
        return quality_score(&p->quality, unix_s);
    return l == NULL ? (uint32_t)QUALITY_NEW
                     : quality_score(&l->quality, unix_s);
}

/* Time. -------------------------------------------------------------------- */

struct mtime discovery_deadline(const struct discovery *d)
{
    struct mtime at = discovery_request_deadline(d);
    if (!d->running)
        return at;
    at = mtime_min(at, discovery_dial_deadline(d));
    at = mtime_min(at, discovery_self_deadline(d));
    at = mtime_min(at, mtime_min(d->links_at, d->round_at));
    at = mtime_min(at, d->trim_at);
    at = mtime_min(at, d->bootstrap_at);
    return d->changed ? mtime_min(at, d->changed_at) : at;
}

/* Whoever is told looks at all of them. */
static uint32_t changed_wait_ms(const struct discovery *d)
{
    uint32_t count = (uint32_t)d->book.peers.count;
    uint32_t wait_ms = count * CHANGED_EACH_MS;

    if (count > CHANGED_FEW)
        wait_ms += (count - CHANGED_FEW) * (CHANGED_MORE_MS - CHANGED_EACH_MS);
    if (wait_ms < CHANGED_MS)
        return CHANGED_MS;
    return wait_ms < CHANGED_MAX_MS ? wait_ms : CHANGED_MAX_MS;
}

void discovery_on_time(struct discovery *d, struct mtime now)
{
    discovery_request_on_time(d, now);
    if (!d->running)
        return;
    discovery_self_on_time(d, now);
    discovery_trim_on_time(d, now);
    discovery_links_on_time(d, now);
    discovery_round_on_time(d, now);
    discovery_bootstrap_on_time(d, now);
    discovery_dial_on_time(d, now);
    if (d->changed && mtime_reached(now, d->changed_at)) {
        d->changed = false;
        d->changed_at = mtime_add_ms(now, changed_wait_ms(d));
        (void)discovery_push(d, DISCOVERY_CHANGED);
    }
}

bool discovery_next(struct discovery *d, struct mtime now,
                    struct discovery_out *ret_out)
{
    free_queued(d->current);
    d->current = NULL;
    if (list_empty(&d->outs) && mtime_reached(now, discovery_deadline(d)))
        discovery_on_time(d, now);
    if (list_empty(&d->outs))
        return false;
    d->current = container_of(list_first(&d->outs), struct queued, link);
    list_remove(&d->current->link);
    *ret_out = d->current->out;
    return true;
}

/* What there is. ----------------------------------------------------------- */

const struct book *discovery_book(const struct discovery *d)
{
    return &d->book;
}

const struct bans *discovery_bans(const struct discovery *d)
{
    return &d->bans;
}

struct discovery_counts discovery_counts(const struct discovery *d)
{
    struct discovery_counts c = d->counts;
    c.known = (uint32_t)d->book.peers.count;
    for (const struct book_peer *p = book_next(&d->book, NULL); p != NULL;
         p = book_next(&d->book, p))
        c.reached += p->reached;
    map_for_each (it, &d->links) {
        const struct link *l = container_of(it, struct link, node);
        c.outbound += discovery_is_outbound(l);
        c.inbound += !l->outbound;
        c.members += l->member == MEMBER_YES;
    }
    return c;
}

static bool is_candidate(const struct book_peer *p, uint64_t unix_s)
{
    return p->record_len > 0 && p->reached && p->expires_s > unix_s &&
           !book_is_dead(p, unix_s) &&
           quality_score(&p->quality, unix_s) >= DISCOVERY_CANDIDATE_QUALITY;
}

static bool describe(const struct discovery *d, const struct book_peer *p,
                     uint64_t unix_s, struct discovery_candidate *ret_candidate)
{
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    struct discovery_candidate c = {.peer = p->id};
    if (book_addrs(p, addrs) == 0 ||
        discovery_is_refused(d, &p->id, &addrs[0], unix_s))
        return false;
    if (multiaddr_get_ip(&addrs[0], &c.ip) != OK)
        c.ip.len = 0;
    c.group = p->group;
    struct bytes operator_id = book_operator(p);
    c.operator_len = (uint8_t)operator_id.len;
    if (operator_id.len > 0)
        memcpy(c.operator_id, operator_id.p, operator_id.len);
    c.has_storage = p->has_storage;
    c.storage_offer = p->storage_offer;
    c.storage_free = p->storage_free;
    c.expires_s = p->expires_s;
    c.seen_s = p->seen_s;
    c.quality = quality_score(&p->quality, unix_s);
    const struct link *l = discovery_link(d, &p->id);
    c.is_connected = l != NULL && !l->closing;
    *ret_candidate = c;
    return true;
}

bool discovery_next_candidate(const struct discovery *d,
                              const struct peer_id *after, struct mtime now,
                              struct discovery_candidate *ret_candidate)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    const struct book_peer *p = NULL;
    if (after != NULL) {
        p = book_find(&d->book, after);
        if (p == NULL)
            return false;
    }
    while ((p = book_next(&d->book, p)) != NULL) {
        if (is_candidate(p, unix_s) && describe(d, p, unix_s, ret_candidate))
            return true;
    }
    return false;
}

/* On disk. ----------------------------------------------------------------- */

bool discovery_next_change(struct discovery *d, struct wr *ret_key,
                           struct wr *ret_value)
{
    if (d->self_seq_dirty) {
        d->self_seq_dirty = false;
        wr_u8(ret_key, KEY_SEQ);
        wr_u8(ret_value, SEQ_VERSION);
        wr_be64(ret_value, d->self_seq);
        return true;
    }
    return bans_next_change(&d->bans, ret_key, ret_value) ||
           book_next_change(&d->book, ret_key, ret_value);
}

static enum err load_seq(struct discovery *d, struct bytes value)
{
    struct rd r = rd_init(value);
    uint8_t version = rd_u8(&r);
    uint64_t seq = rd_be64(&r);
    if (version > SEQ_VERSION)
        return E_UNSUPPORTED;
    if (rd_finish(&r) != OK || version != SEQ_VERSION)
        return E_CORRUPT;
    d->self_seq = seq;
    return OK;
}

enum err discovery_load(struct discovery *d, struct bytes key,
                        struct bytes value)
{
    if (key.len == 1 && key.p[0] == KEY_SEQ)
        return load_seq(d, value);
    if (key.len > 0 && key.p[0] == 'b')
        return bans_load(&d->bans, key, value);
    return book_load(&d->book, key, value);
}
