#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "discovery/discovery_priv.h"

enum {
    TELL_MS = 60 * 1000, /* at most one change in */
    SPREAD_MS = 1000,    /* over which members are told */
    FREE_PART = 8,       /* an eighth of difference is told */
};

void discovery_self_release(struct discovery *d)
{
    for (size_t i = 0; i < REACHES; i++)
        mem_free(d->sealed[i].bytes);
    mem_free(d->self);
}

/* The addresses of @self that peers of @reach may hear. */
static void filter(struct capability *c, enum reach reach)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->addr_count; i++) {
        struct multiaddr addr = c->addrs[i];
        multiaddr_strip_peer(&addr);
        if (addr.len > 0 && addr.len <= CAPABILITY_ADDR_BYTES_MAX &&
            reach_is_dialable(&addr) && reach_may_pass(reach_of(&addr), reach))
            c->addrs[kept++] = addr;
    }
    c->addr_count = kept;
}

static void seal(struct discovery *d, struct sealed *s, enum reach reach)
{
    struct capability c = *d->self;
    uint8_t bytes[CAPABILITY_BYTES_MAX];
    struct wr w = wr_init(bytes, sizeof(bytes));

    filter(&c, reach);
    c.seq = d->self_seq;
    c.expires_s = d->self_seq / MS_PER_S + CAPABILITY_LIFE_S;
    capability_seal(d->key, &c, &w);
    assert(w.err == OK);
    mem_free(s->bytes);
    s->len = (uint16_t)wr_len(&w);
    s->bytes = mem_dup(bytes, s->len);
    s->seq = d->self_seq;
}

struct bytes discovery_self_record(struct discovery *d, enum reach reach,
                                   struct mtime now)
{
    if (d->self == NULL)
        return BYTES_EMPTY;
    discovery_self_on_time(d, now);
    struct sealed *s = &d->sealed[reach];
    if (s->seq != d->self_seq)
        seal(d, s, reach);
    return (struct bytes){.p = s->bytes, .len = s->len};
}

static bool blob_eq(const struct capability_blob *a,
                    const struct capability_blob *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static bool addrs_eq(const struct capability *a, const struct capability *b)
{
    if (a->addr_count != b->addr_count)
        return false;
    for (size_t i = 0; i < a->addr_count; i++) {
        if (!multiaddr_eq(&a->addrs[i], &b->addrs[i]))
            return false;
    }
    return true;
}

static bool differs(const struct capability *a, const struct capability *b)
{
    uint64_t less =
        a->storage_free < b->storage_free ? a->storage_free : b->storage_free;
    uint64_t more =
        a->storage_free < b->storage_free ? b->storage_free : a->storage_free;
    if (more - less > more / FREE_PART || (less == 0 && more > 0))
        return true;
    return a->has_storage != b->has_storage ||
           a->storage_offer != b->storage_offer || !addrs_eq(a, b) ||
           !bytes_eq(capability_operator(a), capability_operator(b)) ||
           !blob_eq(&a->compute, &b->compute) ||
           !blob_eq(&a->profile, &b->profile);
}

void discovery_set_self(struct discovery *d, const struct capability *self,
                        struct mtime now)
{
    bool first = d->self == NULL;
    if (first)
        d->self = mem_zalloc(1, sizeof(*d->self));
    else if (!differs(d->self, self))
        return;
    *d->self = *self;
    d->self->peer = d->self_id;
    memset(d->self->network, 0, sizeof(d->self->network));
    memcpy(d->self->network, d->network, strlen(d->network));
    d->self_pending = true;
    if (first)
        d->self_at = now;
    discovery_self_on_time(d, now);
}

struct mtime discovery_self_deadline(const struct discovery *d)
{
    if (d->self == NULL)
        return MTIME_NEVER;
    return d->self_pending ? mtime_min(d->self_at, d->renew_at) : d->renew_at;
}

void discovery_self_on_time(struct discovery *d, struct mtime now)
{
    if (!mtime_reached(now, discovery_self_deadline(d)))
        return;
    uint64_t ms = d->clock_ms + mtime_ms_since(d->clock_at, now);
    d->self_seq = ms > d->self_seq ? ms : d->self_seq + 1;
    d->self_seq_dirty = true;
    d->self_pending = false;
    d->self_at = mtime_add_ms(now, TELL_MS);
    d->renew_at = mtime_add_ms(now, DISCOVERY_RENEW_MS);
    map_for_each (it, &d->links) {
        struct link *l = container_of(it, struct link, node);
        if (l->member != MEMBER_YES)
            continue;
        struct mtime at = mtime_add_ms(now, discovery_chance(d, SPREAD_MS));
        l->hello_at = mtime_min(l->hello_at, at);
        discovery_wake_links(d, l->hello_at);
    }
}
