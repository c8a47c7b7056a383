#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "kad/kad_priv.h"

static struct kadp_known *known_get(const struct kad *k,
                                    const struct peer_id *peer)
{
    struct map_node *node = map_get(&k->known, peer_id_bytes(peer));

    return node == NULL ? NULL : container_of(node, struct kadp_known, node);
}

static void uncheck(struct kad *k, struct kadp_known *n)
{
    if (!list_empty(&n->check))
        k->checks_waiting--;
    list_remove(&n->check);
}

static void forget(struct kad *k, struct kadp_known *n)
{
    uncheck(k, n);
    list_remove(&n->lru);
    map_remove(&k->known, &n->node);
    kad_addrs_release(&n->addrs);
    mem_free(n);
}

void kadp_book_release(struct kad *k)
{
    struct map_node *node = map_first(&k->known);

    while (node != NULL) {
        forget(k, container_of(node, struct kadp_known, node));
        node = map_first(&k->known);
    }
    map_release(&k->known);
}

static void make_room(struct kad *k)
{
    if (k->known.count < k->config.known_max)
        return;
    struct list *from =
        list_empty(&k->known_heard) ? &k->known_first : &k->known_heard;
    forget(k, container_of(list_first(from), struct kadp_known, lru));
}

/* The peer's entry in the book; a new one when there is none. */
static struct kadp_known *known_need(struct kad *k, const struct peer_id *peer)
{
    struct kadp_known *n = known_get(k, peer);

    if (n != NULL)
        return n;
    make_room(k);
    n = mem_zalloc(1, sizeof(*n));
    n->id = *peer;
    n->until = MTIME_NEVER;
    n->over = MA_CLASS_PUBLIC;
    struct kad_key key = kad_key_of_peer(peer);
    n->cpl = (uint16_t)kad_key_cpl(&k->self_key, &key);
    list_init(&n->lru);
    list_init(&n->check);
    map_put(&k->known, &n->node, peer_id_bytes(&n->id));
    return n;
}

static void touch(struct kad *k, struct kadp_known *n)
{
    list_remove(&n->lru);
    list_add_tail(n->first_hand ? &k->known_first : &k->known_heard, &n->lru);
}

const struct kad_addrs *kadp_addrs_of(const struct kad *k,
                                      const struct peer_id *peer)
{
    const struct kad_contact *c = kad_table_get(&k->table, peer);

    if (c != NULL)
        return c->addrs.count > 0 ? &c->addrs : NULL;
    const struct kadp_known *n = known_get(k, peer);
    if (n == NULL || n->addrs.count == 0 || mtime_reached(k->now, n->until))
        return NULL;
    return &n->addrs;
}

const struct kad_addrs *kadp_own_word(const struct kad *k,
                                      const struct peer_id *peer)
{
    const struct kadp_known *n = known_get(k, peer);

    return n != NULL && !n->first_hand ? NULL : kadp_addrs_of(k, peer);
}

enum ma_class kadp_over_of(const struct kad *k, const struct peer_id *peer)
{
    const struct kad_contact *c = kad_table_get(&k->table, peer);
    const struct kadp_known *n = known_get(k, peer);

    if (c != NULL)
        return c->over;
    if (n == NULL)
        return MA_CLASS_PUBLIC;
    return n->first_hand ? n->over : kad_addrs_class(&n->addrs);
}

bool kadp_heard(struct kad *k, const struct peer_id *peer,
                const struct kad_addrs *addrs, struct mtime now)
{
    if (addrs->count == 0 || kad_table_get(&k->table, peer) != NULL)
        return false;
    struct kadp_known *n = known_get(k, peer);
    bool is_new = n == NULL;
    if (is_new)
        n = known_need(k, peer);
    if (n->first_hand)
        return false;
    kad_addrs_release(&n->addrs);
    n->addrs = kad_addrs_ref(addrs);
    n->until = mtime_add_ms(now, KADP_HEARD_MS);
    touch(k, n);
    return is_new;
}

/* The IP group of a connection, if it counts in this DHT. */
static uint64_t group_of(const struct kad *k, const struct multiaddr *remote)
{
    struct ma_ip ip;

    if (!k->config.ip_diversity || multiaddr_get_ip(remote, &ip) != OK)
        return 0;
    if (k->config.scope != KAD_WAN && kadp_class(remote) != MA_CLASS_PUBLIC)
        return 0;
    return ma_ip_group(&ip);
}

static struct kad_addrs pack_allowed(const struct kad *k,
                                     const struct multiaddr *addrs,
                                     size_t count, enum ma_class over)
{
    struct kad_addr_list list = {.count = 0};

    for (size_t i = 0; i < count; i++) {
        if (kad_addr_allowed(k->config.scope, &addrs[i], over))
            kad_addr_list_add(&list, &addrs[i]);
    }
    return kad_addrs_pack(&list);
}

static void replace_addrs(struct kad_addrs *old, struct kad_addrs by)
{
    kad_addrs_release(old);
    *old = by;
}

/* Whether the peer may be checked now, to enter the table. */
static bool is_candidate(const struct kad *k, const struct kadp_known *n)
{
    return n->first_hand && n->serves && n->connected && n->admitted &&
           kad_addrs_usable(&n->addrs, k->config.scope) &&
           kad_table_has_room(&k->table, &n->id, n->group) == OK;
}

static void want_check(struct kad *k, struct kadp_known *n)
{
    if (!list_empty(&n->check) || k->checks_waiting >= KADP_CHECKS_WAITING_MAX)
        return;
    if (!is_candidate(k, n) || kadp_is_asked(k, &n->id))
        return;
    list_add_tail(&k->checks, &n->check);
    k->checks_waiting++;
}

void kadp_run_checks(struct kad *k, struct mtime now)
{
    while (k->checks_count < KADP_CHECKS_MAX && !list_empty(&k->checks)) {
        struct kadp_known *n =
            container_of(list_first(&k->checks), struct kadp_known, check);
        uncheck(k, n);
        if (!is_candidate(k, n) || kadp_is_asked(k, &n->id))
            continue;
        struct kadp_request *r = kadp_send_check(k, &n->id, &n->addrs, now);
        r->check = true;
        k->checks_count++;
    }
}

static bool is_self(const struct kad *k, const struct peer_id *peer)
{
    return peer_id_eq(peer, &k->config.self);
}

/* What a connected peer told of itself; NULL when it is in the table. */
static struct kadp_known *first_hand(struct kad *k, const struct peer_id *peer,
                                     struct kad_addrs addrs,
                                     const struct multiaddr *remote)
{
    struct kad_contact *c = kad_table_get(&k->table, peer);

    if (c != NULL) {
        replace_addrs(&c->addrs, addrs);
        c->over = kadp_class(remote);
        c->connected = true;
        return NULL;
    }
    struct kadp_known *n = known_need(k, peer);
    replace_addrs(&n->addrs, addrs);
    n->first_hand = true;
    n->connected = true;
    n->until = MTIME_NEVER;
    n->over = kadp_class(remote);
    n->group = group_of(k, remote);
    n->admitted = k->config.scope != KAD_LAN || n->over != MA_CLASS_PUBLIC;
    touch(k, n);
    return n;
}

void kad_on_peer(struct kad *k, const struct peer_id *peer,
                 const struct multiaddr *addrs, size_t count,
                 const struct multiaddr *remote, struct mtime now)
{
    k->now = now;
    if (is_self(k, peer))
        return;
    struct kad_addrs packed = pack_allowed(k, addrs, count, kadp_class(remote));
    struct kadp_known *n = first_hand(k, peer, packed, remote);
    if (n == NULL)
        return;
    n->serves = true;
    want_check(k, n);
    kadp_run_checks(k, now);
}

void kad_on_addrs(struct kad *k, const struct peer_id *peer,
                  const struct multiaddr *addrs, size_t count,
                  const struct multiaddr *remote, struct mtime now)
{
    k->now = now;
    if (is_self(k, peer))
        return;
    struct kad_addrs packed = pack_allowed(k, addrs, count, kadp_class(remote));
    (void)first_hand(k, peer, packed, remote); /* found where it was put */
}

/* A place in bucket @cpl is free: one of those that wait may have it. */
static void fill_bucket(struct kad *k, uint16_t cpl, struct mtime now)
{
    list_for_each (link, &k->known_first) {
        struct kadp_known *n = container_of(link, struct kadp_known, lru);
        if (n->cpl == cpl)
            want_check(k, n);
    }
    kadp_run_checks(k, now);
}

static void leave_table(struct kad *k, struct kad_contact *c, struct mtime now)
{
    uint16_t cpl = c->cpl;

    kad_table_remove(&k->table, c);
    fill_bucket(k, cpl, now);
    if (kad_table_count(&k->table) == 0)
        kadp_upkeep_hurry(k, now);
}

void kad_on_peer_left(struct kad *k, const struct peer_id *peer,
                      struct mtime now)
{
    k->now = now;
    struct kad_contact *c = kad_table_get(&k->table, peer);
    if (c != NULL) {
        struct kad_addrs addrs = kad_addrs_ref(&c->addrs);
        leave_table(k, c, now);
        (void)kadp_heard(k, peer, &addrs, now); /* new or not */
        kad_addrs_release(&addrs);
        return;
    }
    struct kadp_known *n = known_get(k, peer);
    if (n == NULL)
        return;
    n->serves = false;
    uncheck(k, n);
}

void kad_on_disconnected(struct kad *k, const struct peer_id *peer,
                         struct mtime now)
{
    k->now = now;
    struct kad_contact *c = kad_table_get(&k->table, peer);
    if (c != NULL)
        c->connected = false;
    struct kadp_known *n = known_get(k, peer);
    if (n == NULL)
        return;
    n->connected = false;
    n->first_hand = false; /* its addresses are not kept up any more */
    n->until = mtime_add_ms(now, KADP_HEARD_MS);
    uncheck(k, n);
    touch(k, n);
}

static void enter_table(struct kad *k, struct kadp_known *n, struct mtime now)
{
    struct kad_contact *c;
    bool first = kad_table_count(&k->table) == 0;

    if (!is_candidate(k, n) ||
        kad_table_add(&k->table, &n->id, n->group, now, &c) != OK)
        return;
    c->addrs = kad_addrs_ref(&n->addrs);
    c->over = n->over;
    c->connected = n->connected;
    forget(k, n);
    if (first)
        kadp_upkeep_hurry(k, now);
}

void kadp_answered(struct kad *k, const struct peer_id *peer, size_t closer,
                   struct mtime now)
{
    struct kad_contact *c = kad_table_get(&k->table, peer);

    if (c != NULL) {
        c->useful_at = now;
        c->heard_at = now;
        return;
    }
    struct kadp_known *n = known_get(k, peer);
    if (n == NULL)
        return;
    if (closer > 0 || kad_table_count(&k->table) < k->config.k)
        enter_table(k, n, now);
}

void kadp_unreachable(struct kad *k, const struct peer_id *peer,
                      struct mtime now)
{
    struct kad_contact *c = kad_table_get(&k->table, peer);
    struct kadp_known *n = known_get(k, peer);

    if (n != NULL && n->first_hand) {
        n->serves = false; /* until identify says so again */
        uncheck(k, n);
    } else if (n != NULL) {
        forget(k, n);
    }
    if (c != NULL)
        leave_table(k, c, now);
}
