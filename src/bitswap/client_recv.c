#include <assert.h>

#include "base/mem.h"
#include "bitswap/client_priv.h"
#include "ipld/block.h"

/*
 * What peers send us.
 *
 * A block is hashed only if the peer was asked for one with the same prefix,
 * and only as many at a time as it was asked for.  Its name is computed from
 * its bytes: wrong bytes are a block that nobody asked for.  A gateway says
 * which block it sends: there wrong bytes are a lie.
 */
enum {
    UNASKED_LEAK_S = 10,           /* one unasked block is forgiven */
    UNASKED_LEAK_BYTES = 64 << 10, /* a second */
    NOISE_MAX = 16384,
    NOISE_LEAK = 4096, /* a second */
    MS_PER_S = 1000,
    NOS_MAX = 16,
};

static uint64_t leak(uint64_t level, uint64_t by)
{
    return level > by ? level - by : 0;
}

static uint64_t seconds_since(struct mtime then, struct mtime now)
{
    return mtime_ms_since(then, now) / MS_PER_S;
}

static void on_unasked(struct bs_client *c, struct bsc_peer *p, size_t bytes)
{
    uint64_t seconds = seconds_since(p->unasked_at, c->now);

    c->stats.unasked++;
    if (seconds >= UNASKED_LEAK_S) {
        p->unasked = leak(p->unasked, seconds / UNASKED_LEAK_S);
        p->unasked_bytes = leak(p->unasked_bytes, seconds * UNASKED_LEAK_BYTES);
        p->unasked_at = c->now;
    }
    p->unasked++;
    p->unasked_bytes += bytes;
    if (p->unasked > BS_UNASKED_MAX || p->unasked_bytes > BS_UNASKED_BYTES_MAX)
        bsc_fault(c, p, BS_FAULT_UNASKED);
}

/* Takes one of the blocks that may cross a cancel of ours. */
static bool is_duplicate(struct bs_client *c, struct bsc_peer *p)
{
    if (p->duplicates_due == 0)
        return false;
    p->duplicates_due--;
    c->stats.duplicates++;
    return true;
}

static bool any_with_prefix(const struct list *asks,
                            const struct bs_prefix *prefix)
{
    list_for_each (it, asks) {
        const struct bsc_ask *a = container_of(it, struct bsc_ask, of_peer);
        struct bs_prefix asked = bs_prefix_of(&a->want->cid);
        if (bs_prefix_eq(&asked, prefix))
            return true;
    }
    return false;
}

static bool is_expected(const struct bsc_peer *p, const struct bs_item *item)
{
    /* Of those being hashed some may be duplicates already. */
    size_t asks = (size_t)bsc_peer_listed(p) + p->lates + p->duplicates_due;

    if (item->data.len == 0 || p->hashing_count >= asks ||
        item->data.len > BS_HASHING_BYTES_MAX - p->hashing_bytes)
        return false;
    return any_with_prefix(&p->waiting, &item->prefix) ||
           any_with_prefix(&p->late, &item->prefix) ||
           any_with_prefix(&p->idle, &item->prefix);
}

/* What @how tells of a block that @p sent: the rest is added. */
static void hash(struct bs_client *c, struct bsc_peer *p,
                 struct bsc_hashing how)
{
    struct bsc_hashing *h = mem_alloc(sizeof(*h));
    size_t len = how.data.bytes.len;

    *h = how;
    h->from = p;
    h->peer = p->id;
    h->arrived = c->now;
    list_add_tail(&c->hashings, &h->link);
    p->hashing_count++;
    p->hashing_bytes += len;
    p->progress_at = c->now;
    c->stats.hashing_bytes += len;
    struct bs_client_out *out = bsc_out(c, BS_CLIENT_HASH);
    out->peer = p->id;
    out->hash_id = bs_ids_put(&c->ids, h);
    out->hash_code = h->prefix.hash_code;
    out->data = slice_ref(&h->data);
}

static void on_block(struct bs_client *c, struct bsc_peer *p, struct buf *buf,
                     const struct bs_item *item)
{
    if (!is_expected(p, item)) {
        if (!is_duplicate(c, p))
            on_unasked(c, p, item->data.len);
        return;
    }
    hash(c, p,
         (struct bsc_hashing){.prefix = item->prefix,
                              .data = slice_of(buf, item->data)});
}

void bs_client_on_block(struct bs_client *c, const struct peer_id *id,
                        const struct cid *cid, struct slice data,
                        struct mtime now)
{
    struct bsc_peer *p = bsc_peer(c, id);
    struct bsc_want *w = bsc_want_find(c, cid);

    bsc_now(c, now);
    if (p == NULL || p->faulted || w == NULL || bsc_ask_find(w, p) == NULL) {
        slice_release(&data);
        return;
    }
    assert(p->gateway);
    p->bytes_at = c->now;
    hash(c, p,
         (struct bsc_hashing){.prefix = bs_prefix_of(cid),
                              .cid = *cid,
                              .named = true,
                              .data = data});
}

static void on_noise(struct bs_client *c, struct bsc_peer *p)
{
    uint64_t seconds = seconds_since(p->noise_at, c->now);

    if (seconds > 0) {
        p->noise = leak(p->noise, seconds * NOISE_LEAK);
        p->noise_at = c->now;
    }
    if (++p->noise > NOISE_MAX)
        bsc_fault(c, p, BS_FAULT_FLOOD);
}

/* The server takes a want-have that it has answered off its list. */
static void on_have(struct bs_client *c, struct bsc_ask *a)
{
    struct bsc_want *w = a->want;
    struct bsc_peer *p = a->peer;

    bsc_bit_set(w->has, p->place);
    bsc_bit_clear(w->no, p->place);
    bsc_good_set(w->home, p, true);
    if (a->state == BSC_ASK_HAVE || a->state == BSC_ASK_IDLE)
        bsc_ask_free(c, a, false);
    bsc_queue(c, w);
    c->placing = true;
}

static void on_dont_have(struct bs_client *c, struct bsc_ask *a)
{
    struct bsc_want *w = a->want;
    struct bsc_peer *p = a->peer;
    struct bsc_source *source = &w->home->sources[p->place];

    c->stats.dont_haves++;
    bsc_bit_set(w->no, p->place);
    bsc_bit_clear(w->has, p->place);
    if (++source->nos >= NOS_MAX)
        bsc_good_set(w->home, p, false);
    bool was_have = a->state == BSC_ASK_HAVE;
    if (p->gateway)
        bsc_ask_free(c, a, false); /* it remembers no wants */
    else
        bsc_ask_set(c, a, BSC_ASK_IDLE);
    if (w->blocks == 0)
        bsc_queue(c, w);
    else if (was_have && w->probing)
        bsc_probe(c, w, 1);
}

void bs_client_on_no_block(struct bs_client *c, const struct peer_id *id,
                           const struct cid *cid, struct mtime now)
{
    struct bsc_peer *p = bsc_peer(c, id);
    struct bsc_want *w = bsc_want_find(c, cid);
    struct bsc_ask *a = p != NULL && w != NULL ? bsc_ask_find(w, p) : NULL;

    bsc_now(c, now);
    if (a == NULL || a->state != BSC_ASK_BLOCK)
        return;
    p->progress_at = c->now;
    on_dont_have(c, a);
}

static void on_presence(struct bs_client *c, struct bsc_peer *p,
                        const struct bs_item *item)
{
    struct bsc_want *w = bsc_want_find(c, &item->cid);
    struct bsc_ask *a = w != NULL ? bsc_ask_find(w, p) : NULL;

    if (a == NULL || a->state == BSC_ASK_LATE ||
        (a->state == BSC_ASK_IDLE && item->kind == BS_ITEM_DONT_HAVE)) {
        on_noise(c, p);
        return;
    }
    p->progress_at = c->now;
    if (item->kind == BS_ITEM_HAVE)
        on_have(c, a);
    else
        on_dont_have(c, a);
}

void bs_client_on_message(struct bs_client *c, const struct peer_id *peer,
                          struct buf *buf, const struct bs_message *message,
                          struct mtime now)
{
    struct bsc_peer *p = bsc_peer(c, peer);

    bsc_now(c, now);
    if (p == NULL)
        return;
    p->bytes_at = c->now;
    struct bs_cursor cursor = bs_cursor_init(message);
    struct bs_item item;
    while (!p->faulted && bs_cursor_next(&cursor, &item)) {
        switch (item.kind) {
        case BS_ITEM_ENTRY:
            break;
        case BS_ITEM_BLOCK:
            on_block(c, p, buf, &item);
            break;
        case BS_ITEM_HAVE:
        case BS_ITEM_DONT_HAVE:
            on_presence(c, p, &item);
            break;
        }
    }
}

void bs_client_on_bytes(struct bs_client *c, const struct peer_id *peer,
                        struct mtime now)
{
    struct bsc_peer *p = bsc_peer(c, peer);

    bsc_now(c, now);
    if (p != NULL)
        p->bytes_at = c->now;
}

bool bs_client_peer_full(const struct bs_client *c, const struct peer_id *peer)
{
    const struct bsc_peer *p = bsc_peer(c, peer);

    return p != NULL && p->hashing_bytes >= BS_HASHING_BYTES_FULL;
}

static void end_asks(struct bs_client *c, struct bsc_want *w,
                     const struct bsc_peer *from)
{
    list_for_each_safe (it, &w->asks) {
        struct bsc_ask *a = container_of(it, struct bsc_ask, of_want);
        bsc_ask_free(c, a, a->peer != from);
    }
}

static void tell_got(struct bs_client *c, struct bsc_want *w,
                     const struct bsc_hashing *h, const struct bsc_peer *p)
{
    list_for_each_safe (it, &w->interests) {
        struct bsc_interest *i = container_of(it, struct bsc_interest, of_want);
        struct bs_session *s = i->session;
        struct bs_client_out *out = bsc_out(c, BS_CLIENT_GOT);
        out->session = s;
        out->want_id = i->id;
        out->cid = w->cid;
        out->peer = h->peer;
        out->data = slice_ref(&h->data);
        bsc_session_got(s, &h->peer, h->data.bytes.len);
        s->block_bytes = (7 * s->block_bytes + h->data.bytes.len) / 8;
        if (p != NULL && !s->sources[p->place].good)
            c->placing = true; /* wants may have waited for a good one */
        if (p != NULL)
            bsc_good_set(s, p, true);
        bsc_interest_free(i);
    }
}

static void finish(struct bs_client *c, struct bsc_want *w,
                   const struct bsc_hashing *h)
{
    struct bsc_peer *p = h->from;
    const struct bsc_ask *a = p != NULL ? bsc_ask_find(w, p) : NULL;

    c->stats.blocks++;
    c->stats.bytes += h->data.bytes.len;
    if (p != NULL) {
        p->stalls = 0;
        p->suspect = false;
        p->progress_at = c->now;
        bsc_peer_wake(c, p);
    }
    if (a != NULL && (a->state == BSC_ASK_BLOCK || a->state == BSC_ASK_HAVE))
        bsc_measure(c, p, (uint32_t)h->data.bytes.len, a->asked_at, h->arrived);
    tell_got(c, w, h, p);
    end_asks(c, w, p);
    bsc_want_free(c, w);
}

static void on_digest(struct bs_client *c, const struct bsc_hashing *h,
                      struct bytes digest)
{
    struct cid cid;
    struct bsc_want *w = NULL;
    struct bsc_peer *p = h->from;

    bool is_cid = bs_prefix_cid(&h->prefix, digest, &cid) == OK;
    if (h->named && (!is_cid || !cid_eq(&cid, &h->cid))) {
        if (p != NULL)
            bsc_fault(c, p, BS_FAULT_LIE);
        return;
    }
    if (is_cid)
        w = bsc_want_find(c, &cid);
    if (w != NULL) {
        finish(c, w, h);
        return;
    }
    if (p == NULL || h->named || is_duplicate(c, p))
        return;
    bsc_peer_suspect(c, p);
    on_unasked(c, p, h->data.bytes.len);
}

void bs_client_on_hashed(struct bs_client *c, uint64_t hash_id,
                         struct bytes digest, struct mtime now)
{
    struct bsc_hashing *h = bs_ids_take(&c->ids, hash_id);

    bsc_now(c, now);
    if (h == NULL)
        return;
    size_t len = h->data.bytes.len;
    list_remove(&h->link);
    c->stats.hashing_bytes -= len;
    if (h->from != NULL) {
        h->from->hashing_count--;
        h->from->hashing_bytes -= len;
        if (mtime_before(h->from->progress_at, c->now))
            h->from->progress_at = c->now;
    }
    on_digest(c, h, digest);
    slice_release(&h->data);
    mem_free(h);
}
