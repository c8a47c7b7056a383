#include "bitswap/client.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "bitswap/client_priv.h"
#include "ipld/block.h"
#include "multiformats/multihash.h"

enum {
    BLOCK_GUESS_START = 64 * 1024, /* of a session without blocks, bytes */
    TALLIES_MAX = 1024,            /* peers counted apart by a session */
    WORD_BITS = 64,
    PLACES_STEP = 32,
    BIT_SETS = 3,
};

void bsc_now(struct bs_client *c, struct mtime now)
{
    if (mtime_before(c->now, now))
        c->now = now;
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value > 0 ? value : fallback;
}

struct bs_client *bs_client_new(const struct bs_client_config *config,
                                struct mtime now)
{
    struct bs_client *c = mem_zalloc(1, sizeof(*c));

    memcpy(c->seed, config->seed, sizeof(c->seed));
    c->peers_max = or_default(config->peers_max, BS_PEERS_MAX);
    c->sessions_max = or_default(config->sessions_max, BS_SESSIONS_MAX);
    c->wants_max = or_default(config->wants_max, BS_WANTS_MAX);
    c->words = (c->peers_max + WORD_BITS - 1) / WORD_BITS;
    c->now = now;
    map_init(&c->peers, c->seed);
    map_init(&c->wants, c->seed);
    for (size_t i = 0; i < BSC_CLASSES; i++)
        list_init(&c->sessions[i]);
    list_init(&c->missing);
    list_init(&c->dirty);
    list_init(&c->timed);
    list_init(&c->outs);
    list_init(&c->hashings);
    c->retry_at = MTIME_NEVER;
    c->tail_at = MTIME_NEVER;
    return c;
}

static struct bsc_peer *peer_of(struct map_node *node)
{
    return container_of(node, struct bsc_peer, node);
}

struct bsc_peer *bsc_peer(const struct bs_client *c, const struct peer_id *id)
{
    struct map_node *node = map_get(&c->peers, peer_id_bytes(id));

    return node != NULL ? peer_of(node) : NULL;
}

struct bs_client_out *bsc_out(struct bs_client *c, enum bs_client_out_kind kind)
{
    struct bsc_out *o = mem_zalloc(1, sizeof(*o));

    o->out.kind = kind;
    list_add_tail(&c->outs, &o->link);
    return &o->out;
}

static void out_free(struct bsc_out *o)
{
    list_remove(&o->link);
    slice_release(&o->out.data);
    bs_frame_free(o->out.frame);
    mem_free(o);
}

void bsc_fault(struct bs_client *c, struct bsc_peer *p, enum bs_fault fault)
{
    if (p->faulted)
        return;
    p->faulted = true;
    struct bs_client_out *out = bsc_out(c, BS_CLIENT_FAULT);
    out->peer = p->id;
    out->fault = fault;
}

uint32_t bsc_want_guess(const struct bsc_want *w)
{
    uint64_t guess = w->size_hint > 0 ? w->size_hint : w->home->block_bytes;

    return guess < BLOCK_BYTES_MAX ? (uint32_t)guess : BLOCK_BYTES_MAX;
}

/* Sessions. */

enum err bs_session_open(struct bs_client *c, enum bs_class class,
                         struct bs_session **ret_session)
{
    if (c->sessions_count >= c->sessions_max)
        return E_LIMIT;
    struct bs_session *s = mem_zalloc(1, sizeof(*s));
    s->class = class;
    s->block_bytes = BLOCK_GUESS_START;
    s->sources = mem_zalloc(c->peers_max, sizeof(struct bsc_source));
    map_init(&s->interests, c->seed);
    list_init(&s->tallies);
    list_add_tail(&c->sessions[class], &s->link);
    c->sessions_count++;
    *ret_session = s;
    return OK;
}

void bsc_interest_free(struct bsc_interest *i)
{
    map_remove(&i->session->interests, &i->node);
    list_remove(&i->of_want);
    mem_free(i);
}

void bsc_want_free(struct bs_client *c, struct bsc_want *w)
{
    assert(list_empty(&w->interests));

    while (!list_empty(&w->asks))
        bsc_ask_free(
            c, container_of(list_first(&w->asks), struct bsc_ask, of_want),
            true);
    if (w->probing)
        c->placing = true; /* another may look for a source now */
    bsc_probing_set(w, false);
    bs_heap_remove(&w->home->queue, &w->queued);
    list_remove(&w->missing);
    map_remove(&c->wants, &w->node);
    mem_free(w);
}

/* The session of the oldest interest is the home of a want, but one that may
 * ask everybody goes before those that may not. */
static struct bs_session *home_of(const struct bsc_want *w)
{
    struct list *first = list_first(&w->interests);

    list_for_each (it, &w->interests) {
        struct bs_session *s =
            container_of(it, struct bsc_interest, of_want)->session;
        if (s->only.len == 0)
            return s;
    }
    return container_of(first, struct bsc_interest, of_want)->session;
}

static void want_rehome(struct bsc_want *w)
{
    struct bs_session *s = home_of(w);
    bool queued = w->queued.at != 0;
    bool probing = w->probing;

    if (s == w->home)
        return;
    bsc_probing_set(w, false);
    bs_heap_remove(&w->home->queue, &w->queued);
    w->home = s;
    bsc_probing_set(w, probing);
    if (queued)
        bs_heap_put(&s->queue, &w->queued);
}

static void interest_end(struct bs_client *c, struct bsc_interest *i)
{
    struct bsc_want *w = i->want;

    bsc_interest_free(i);
    if (list_empty(&w->interests))
        bsc_want_free(c, w);
    else
        want_rehome(w);
}

static bool is_about(const struct bsc_out *o, const struct bs_session *s)
{
    return o->out.session == s;
}

void bs_session_close(struct bs_client *c, struct bs_session *s,
                      struct mtime now)
{
    bsc_now(c, now);
    while (s->interests.count > 0)
        interest_end(c, container_of(map_first(&s->interests),
                                     struct bsc_interest, node));
    list_for_each_safe (it, &c->outs) {
        struct bsc_out *o = container_of(it, struct bsc_out, link);
        if (is_about(o, s))
            out_free(o);
    }
    list_for_each_safe (tally, &s->tallies)
        mem_free(container_of(tally, struct bsc_tally, link));
    map_release(&s->interests);
    bs_heap_release(&s->queue);
    mem_free(s->sources);
    list_remove(&s->link);
    c->sessions_count--;
    c->placing = true;
    mem_free(s);
}

struct bsc_want *bsc_want_find(const struct bs_client *c, const struct cid *cid)
{
    uint8_t key[CID_BYTES_MAX];
    size_t len = cid_encode(cid, key);
    struct map_node *node =
        map_get(&c->wants, (struct bytes){.p = key, .len = len});

    return node != NULL ? container_of(node, struct bsc_want, node) : NULL;
}

static struct bsc_want *want_new(struct bs_client *c, struct bs_session *s,
                                 const struct bs_want *want)
{
    struct bsc_want *w =
        mem_zalloc(1, sizeof(*w) + BIT_SETS * c->words * sizeof(w->bits[0]));

    w->cid = want->cid;
    w->size_hint = want->size_hint;
    w->home = s;
    w->no = w->bits;
    w->has = w->no + c->words;
    w->asked = w->has + c->words;
    w->queued.priority = want->priority;
    w->queued.seq = c->seq++;
    list_init(&w->interests);
    list_init(&w->asks);
    list_init(&w->missing);
    size_t len = cid_encode(&w->cid, w->key);
    map_put(&c->wants, &w->node, (struct bytes){.p = w->key, .len = len});
    return w;
}

/* Whom another session waits for longer is not waited for twice. */
static void want_raise(struct bsc_want *w, const struct bs_want *want,
                       struct bs_session *s)
{
    bool queued = w->queued.at != 0;
    bool better = s->only.len == 0 &&
                  (s->class > w->home->class || w->home->only.len > 0);

    if (want->priority <= w->queued.priority && !better)
        return;
    bool probing = w->probing;
    bsc_probing_set(w, false);
    bs_heap_remove(&w->home->queue, &w->queued);
    if (want->priority > w->queued.priority)
        w->queued.priority = want->priority;
    if (better)
        w->home = s;
    bsc_probing_set(w, probing);
    if (queued)
        bs_heap_put(&w->home->queue, &w->queued);
}

static void interest_new(struct bs_session *s, struct bsc_want *w, uint64_t id)
{
    struct bsc_interest *i = mem_zalloc(1, sizeof(*i));

    i->session = s;
    i->want = w;
    i->id = id;
    list_add_tail(&w->interests, &i->of_want);
    map_put(&s->interests, &i->node,
            (struct bytes){.p = (const uint8_t *)&i->id, .len = sizeof(i->id)});
}

/* The blocks that a CID tells by itself: inlined ones, and the empty one. */
static bool is_told_by_cid(const struct cid *cid, struct bytes *ret_data)
{
    static const uint8_t empty_digest[] = {
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
        0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
        0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
    enum { SHA2_256 = 0x12 };

    *ret_data = BYTES_EMPTY;
    if (cid_is_identity(cid)) {
        *ret_data = (struct bytes){.p = cid->hash.digest, .len = cid->hash.len};
        return true;
    }
    return cid->hash.code == SHA2_256 &&
           cid->hash.len <= sizeof(empty_digest) &&
           memcmp(cid->hash.digest, empty_digest, cid->hash.len) == 0;
}

static void answer_at_once(struct bs_client *c, struct bs_session *s,
                           const struct bs_want *want, struct bytes data)
{
    struct bs_client_out *out = bsc_out(c, BS_CLIENT_GOT);
    struct buf *buf = buf_copy(data);

    out->session = s;
    out->want_id = want->id;
    out->cid = want->cid;
    out->data = (struct slice){.buf = buf, .bytes = buf_bytes(buf)};
}

enum err bs_session_want(struct bs_client *c, struct bs_session *s,
                         const struct bs_want *want, struct mtime now)
{
    struct bytes data;

    bsc_now(c, now);
    if (!cid_is_allowed(&want->cid))
        return E_UNSUPPORTED;
    if (s->began.ns == 0)
        s->began = c->now;
    if (is_told_by_cid(&want->cid, &data)) {
        answer_at_once(c, s, want, data);
        return OK;
    }
    struct bsc_want *w = bsc_want_find(c, &want->cid);
    if (s->interests.count >= c->wants_max ||
        (w == NULL && c->wants.count >= c->wants_max))
        return E_LIMIT;
    if (w == NULL) {
        w = want_new(c, s, want);
        interest_new(s, w, want->id);
        bsc_queue(c, w);
        return OK;
    }
    interest_new(s, w, want->id);
    want_raise(w, want, s);
    if (w->told)
        w->told = false;
    if (!list_empty(&w->missing))
        bsc_queue(c, w);
    return OK;
}

void bs_session_unwant(struct bs_client *c, struct bs_session *s,
                       uint64_t want_id, struct mtime now)
{
    struct map_node *node =
        map_get(&s->interests, (struct bytes){.p = (const uint8_t *)&want_id,
                                              .len = sizeof(want_id)});

    bsc_now(c, now);
    if (node != NULL)
        interest_end(c, container_of(node, struct bsc_interest, node));
}

void bs_session_add_source(struct bs_client *c, struct bs_session *s,
                           const struct peer_id *peer, struct mtime now)
{
    const struct bsc_peer *p = bsc_peer(c, peer);

    bsc_now(c, now);
    if (p == NULL)
        return;
    bsc_good_set(s, p, true);
    c->placing = true;
}

void bs_session_only(struct bs_session *s, const struct peer_id *peer)
{
    assert(s->interests.count == 0);

    s->only = *peer;
}

void bsc_session_got(struct bs_session *s, const struct peer_id *peer,
                     size_t bytes)
{
    struct bsc_tally *tally = NULL;

    list_for_each (it, &s->tallies) {
        tally = container_of(it, struct bsc_tally, link);
        if (peer_id_eq(&tally->source.peer, peer))
            break;
        tally = NULL;
    }
    if (tally == NULL) {
        if (s->tallies_count >= TALLIES_MAX)
            return;
        tally = mem_zalloc(1, sizeof(*tally));
        tally->source.peer = *peer;
        list_add_tail(&s->tallies, &tally->link);
        s->tallies_count++;
    }
    tally->source.bytes += bytes;
    tally->source.blocks++;
}

size_t bs_session_sources(const struct bs_session *s, struct bs_source *dst,
                          size_t max)
{
    size_t count = 0;

    list_for_each (it, &s->tallies) {
        if (count < max)
            dst[count] = container_of(it, struct bsc_tally, link)->source;
        count++;
    }
    return count;
}

bool bs_session_asks_gateway(const struct bs_session *s, uint64_t want_id)
{
    struct map_node *node =
        map_get(&s->interests, (struct bytes){.p = (const uint8_t *)&want_id,
                                              .len = sizeof(want_id)});

    if (node == NULL)
        return false;
    const struct bsc_want *w =
        container_of(node, struct bsc_interest, node)->want;
    list_for_each (it, &w->asks) {
        const struct bsc_ask *a = container_of(it, struct bsc_ask, of_want);
        if (a->state == BSC_ASK_BLOCK && a->peer->gateway)
            return true;
    }
    return false;
}

size_t bs_session_left(const struct bs_session *s)
{
    return s->interests.count;
}

/* Peers. */

static uint32_t free_place(struct bs_client *c)
{
    uint32_t at = 0;

    while (at < c->places_count && c->places[at] != NULL)
        at++;
    if (at < c->places_count)
        return at;
    c->places_count += PLACES_STEP;
    c->places =
        mem_resize(c->places, c->places_count, sizeof(struct bsc_peer *));
    memset(c->places + at, 0, PLACES_STEP * sizeof(struct bsc_peer *));
    return at;
}

static struct bsc_peer *peer_new(const struct peer_id *id,
                                 enum bs_version version, struct mtime now)
{
    struct bsc_peer *p = mem_zalloc(1, sizeof(*p));

    p->id = *id;
    p->version = version;
    p->window_bytes = BS_WINDOW_BYTES_START;
    p->cancel_at = MTIME_NEVER;
    p->unasked_at = now;
    p->noise_at = now;
    list_init(&p->dirty);
    list_init(&p->timed);
    list_init(&p->waiting);
    list_init(&p->idle);
    list_init(&p->late);
    list_init(&p->unsent);
    list_init(&p->cancels);
    return p;
}

static void peer_put(struct bs_client *c, struct bsc_peer *p)
{
    p->place = free_place(c);
    c->places[p->place] = p;
    map_put(&c->peers, &p->node, peer_id_bytes(&p->id));
    bsc_missing_wake(c);
    c->placing = true;
}

enum err bs_client_peer_added(struct bs_client *c, const struct peer_id *peer,
                              enum bs_version version, struct mtime now)
{
    struct bsc_peer *p = bsc_peer(c, peer);

    bsc_now(c, now);
    if (p != NULL) {
        p->version = version;
        return E_EXISTS;
    }
    if (c->peers.count >= c->peers_max)
        return E_LIMIT;
    peer_put(c, peer_new(peer, version, c->now));
    return OK;
}

enum err bs_client_gateway_added(struct bs_client *c, const struct peer_id *id,
                                 struct mtime now)
{
    bsc_now(c, now);
    if (bsc_peer(c, id) != NULL)
        return E_EXISTS;
    if (c->peers.count >= c->peers_max)
        return E_LIMIT;
    struct bsc_peer *p = peer_new(id, BS_1_2_0, c->now);
    p->gateway = true;
    peer_put(c, p);
    return OK;
}

static void end_all(struct bs_client *c, const struct list *asks)
{
    while (!list_empty(asks)) {
        struct bsc_ask *a =
            container_of(list_first(asks), struct bsc_ask, of_peer);
        struct bsc_want *w = a->want;
        bsc_ask_free(c, a, false);
        if (list_empty(&w->missing))
            bsc_queue(c, w);
    }
}

/* No want, session, hash or output speaks of the peer any more. */
static void forget(struct bs_client *c, struct bsc_peer *p)
{
    map_for_each (it, &c->wants) {
        struct bsc_want *w = container_of(it, struct bsc_want, node);
        bsc_bit_clear(w->no, p->place);
        bsc_bit_clear(w->has, p->place);
    }
    for (size_t i = 0; i < BSC_CLASSES; i++) {
        list_for_each (it, &c->sessions[i])
            container_of(it, struct bs_session, link)->sources[p->place] =
                (struct bsc_source){.nos = 0};
    }
    list_for_each (it, &c->hashings) {
        struct bsc_hashing *h = container_of(it, struct bsc_hashing, link);
        if (h->from == p)
            h->from = NULL;
    }
}

static void peer_free(struct bs_client *c, struct bsc_peer *p)
{
    bsc_peer_drop_cancels(p);
    list_remove(&p->dirty);
    list_remove(&p->timed);
    map_remove(&c->peers, &p->node);
    c->places[p->place] = NULL;
    mem_free(p);
}

void bs_client_peer_removed(struct bs_client *c, const struct peer_id *peer,
                            struct mtime now)
{
    struct bsc_peer *p = bsc_peer(c, peer);

    bsc_now(c, now);
    if (p == NULL)
        return;
    end_all(c, &p->waiting);
    end_all(c, &p->idle);
    end_all(c, &p->late);
    forget(c, p);
    peer_free(c, p);
    c->placing = true;
}

void bs_client_stream_lost(struct bs_client *c, const struct peer_id *peer,
                           struct mtime now)
{
    struct bsc_peer *p = bsc_peer(c, peer);

    bsc_now(c, now);
    if (p == NULL || (bsc_peer_listed(p) == 0 && p->cancels_count == 0))
        return;
    p->resend = true;
    bsc_peer_dirty(c, p);
}

/* Time and outputs. */

void bs_client_on_time(struct bs_client *c, struct mtime now)
{
    bsc_now(c, now);
    if (mtime_reached(c->now, c->retry_at))
        bsc_missing_tick(c);
    if (mtime_reached(c->now, c->tail_at))
        bsc_tail(c);
    list_for_each_safe (it, &c->timed)
        bsc_peer_on_time(c, container_of(it, struct bsc_peer, timed));
}

struct mtime bs_client_deadline(struct bs_client *c)
{
    struct mtime at = mtime_min(c->retry_at, c->tail_at);

    list_for_each_safe (it, &c->timed) {
        const struct bsc_peer *p = container_of(it, struct bsc_peer, timed);
        at = mtime_min(at, bsc_peer_deadline(p));
        if (bsc_peer_idle(p))
            list_remove(it);
    }
    return at;
}

static bool next_queued(struct bs_client *c, struct bs_client_out *ret_out)
{
    if (list_empty(&c->outs))
        return false;
    struct bsc_out *o =
        container_of(list_first(&c->outs), struct bsc_out, link);
    *ret_out = o->out;
    list_remove(&o->link);
    mem_free(o);
    return true;
}

static bool peer_next(struct bsc_peer *p, struct bs_client_out *ret_out)
{
    if (p->faulted)
        return false;
    if (p->gateway)
        return bsc_gateway_send(p, ret_out);
    struct bs_frame *frame = bsc_peer_send(p);
    if (frame == NULL)
        return false;
    *ret_out = (struct bs_client_out){
        .kind = BS_CLIENT_SEND, .peer = p->id, .frame = frame};
    return true;
}

static bool next_send(struct bs_client *c, struct bs_client_out *ret_out)
{
    while (!list_empty(&c->dirty)) {
        struct bsc_peer *p =
            container_of(list_first(&c->dirty), struct bsc_peer, dirty);
        if (peer_next(p, ret_out))
            return true;
        list_remove(&p->dirty);
    }
    return false;
}

bool bs_client_next(struct bs_client *c, struct bs_client_out *ret_out)
{
    if (next_queued(c, ret_out))
        return true;
    if (c->placing)
        bsc_place_all(c);
    return next_queued(c, ret_out) || next_send(c, ret_out);
}

bool bs_client_waits_for(const struct bs_client *c, const struct peer_id *peer)
{
    struct map_node *node = map_get(&c->peers, peer_id_bytes(peer));

    return node != NULL && peer_of(node)->blocks + peer_of(node)->haves > 0;
}

struct bs_client_stats bs_client_get_stats(const struct bs_client *c)
{
    struct bs_client_stats stats = c->stats;

    stats.wants_count = c->wants.count;
    stats.peers_count = c->peers.count;
    stats.sessions_count = c->sessions_count;
    return stats;
}

void bs_client_free(struct bs_client *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < BSC_CLASSES; i++) {
        while (!list_empty(&c->sessions[i]))
            bs_session_close(c,
                             container_of(list_first(&c->sessions[i]),
                                          struct bs_session, link),
                             c->now);
    }
    while (c->peers.count > 0)
        peer_free(c, peer_of(map_first(&c->peers)));
    list_for_each_safe (it, &c->outs)
        out_free(container_of(it, struct bsc_out, link));
    list_for_each_safe (hashing, &c->hashings) {
        struct bsc_hashing *h = container_of(hashing, struct bsc_hashing, link);
        slice_release(&h->data);
        mem_free(h);
    }
    bs_ids_release(&c->ids);
    map_release(&c->peers);
    map_release(&c->wants);
    mem_free(c->places);
    mem_free(c);
}
