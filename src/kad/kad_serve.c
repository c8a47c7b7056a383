#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "kad/kad_priv.h"
#include "kad/rfc3339.h"
#include "multiformats/cid.h"

/*
 * The server.  What an answer costs us is bounded by the table, the stores and
 * the limits here; what a peer may store by the stores' own limits, which are
 * wide enough for a peer that announces thousands of blocks in a row.
 */

enum {
    PROVIDES_BURST = 20000, /* keys that a peer, and an IP group, provides */
    PROVIDES_PER_S = 2000,
    CHECKS_BURST = 50, /* records of a peer, and of an IP group, checked */
    CHECKS_PER_S = 30,
    ALL_CHECKS_BURST = 400, /* of all peers */
    ALL_CHECKS_PER_S = 200,
    MILLI = 1000,
    NS_PER_MILLI_S = 1000 * 1000,
    KEY_PEER = 0, /* what a rate is counted for: first byte of its key */
    KEY_GROUP = 1,
    RATE_IDLE_MS = PROVIDES_BURST / PROVIDES_PER_S * 1000, /* all is back */
};

/* One more of at most @burst, of which @per_second come back. */
static bool take(struct kadp_use *u, uint32_t burst, uint32_t per_second,
                 struct mtime now)
{
    uint64_t back = mtime_ms_since(u->at, now) * per_second;

    if (back > 0) {
        u->used_milli -= back < u->used_milli ? back : u->used_milli;
        u->at.ns += (mtime_ms_since(u->at, now)) * NS_PER_MILLI_S;
    }
    if (u->used_milli + MILLI > (uint64_t)burst * MILLI)
        return false;
    u->used_milli += MILLI;
    return true;
}

static void rate_free(struct kad *k, struct kadp_rate *rate)
{
    list_remove(&rate->lru);
    map_remove(&k->rates, &rate->node);
    mem_free(rate);
}

void kadp_rates_release(struct kad *k)
{
    struct map_node *node = map_first(&k->rates);

    while (node != NULL) {
        rate_free(k, container_of(node, struct kadp_rate, node));
        node = map_first(&k->rates);
    }
    map_release(&k->rates);
}

static void forget_idle_rates(struct kad *k, struct mtime now)
{
    while (!list_empty(&k->rates_lru)) {
        struct kadp_rate *rate =
            container_of(list_first(&k->rates_lru), struct kadp_rate, lru);
        if (k->rates.count < KADP_RATES_MAX &&
            mtime_ms_since(rate->used_at, now) < RATE_IDLE_MS)
            break;
        rate_free(k, rate);
    }
}

/* What was used of late by @what, a peer or an IP group. */
static struct kadp_rate *rate_of(struct kad *k, uint8_t kind, struct bytes what,
                                 struct mtime now)
{
    uint8_t bytes[1 + PEER_ID_BYTES_MAX] = {kind};
    struct bytes key = {.p = bytes, .len = 1 + what.len};

    assert(what.len <= PEER_ID_BYTES_MAX);
    memcpy(&bytes[1], what.p, what.len);
    struct map_node *node = map_get(&k->rates, key);
    if (node != NULL) {
        struct kadp_rate *old = container_of(node, struct kadp_rate, node);
        list_remove(&old->lru);
        list_add_tail(&k->rates_lru, &old->lru);
        old->used_at = now;
        return old;
    }
    forget_idle_rates(k, now);
    struct kadp_rate *rate = mem_zalloc(1, sizeof(*rate));
    memcpy(rate->key, bytes, sizeof(bytes));
    rate->used_at = now;
    rate->provides.at = now;
    rate->checks.at = now;
    list_add_tail(&k->rates_lru, &rate->lru);
    map_put(&k->rates, &rate->node,
            (struct bytes){.p = rate->key, .len = key.len});
    return rate;
}

/* The IP group of who asks; 0 where near peers share one by nature. */
static uint64_t group_of(const struct kad_request *r)
{
    struct ma_ip ip;

    if (kadp_class(r->remote) != MA_CLASS_PUBLIC ||
        multiaddr_get_ip(r->remote, &ip) != OK)
        return 0;
    return ma_ip_group(&ip);
}

static struct kadp_rate *rate_of_group(struct kad *k, uint64_t group,
                                       struct mtime now)
{
    struct bytes what = {.p = (const uint8_t *)&group, .len = sizeof(group)};

    return group == 0 ? NULL : rate_of(k, KEY_GROUP, what, now);
}

static bool may_provide(struct kad *k, const struct kad_request *r,
                        struct mtime now)
{
    struct kadp_rate *peer = rate_of(k, KEY_PEER, peer_id_bytes(r->from), now);

    if (!take(&peer->provides, PROVIDES_BURST, PROVIDES_PER_S, now))
        return false;
    struct kadp_rate *group = rate_of_group(k, group_of(r), now);
    return group == NULL ||
           take(&group->provides, PROVIDES_BURST, PROVIDES_PER_S, now);
}

static bool may_check(struct kad *k, const struct kad_request *r,
                      struct mtime now)
{
    struct kadp_rate *peer = rate_of(k, KEY_PEER, peer_id_bytes(r->from), now);

    if (!take(&peer->checks, CHECKS_BURST, CHECKS_PER_S, now))
        return false;
    struct kadp_rate *group = rate_of_group(k, group_of(r), now);
    if (group != NULL && !take(&group->checks, CHECKS_BURST, CHECKS_PER_S, now))
        return false;
    return take(&k->checks_used, ALL_CHECKS_BURST, ALL_CHECKS_PER_S, now);
}

/* The peers of an answer, and the addresses that they borrow. */
struct closer {
    struct kad_peer_out peers[KAD_K + 1];
    struct kad_addrs addrs[KAD_K + 1];
    size_t count;
};

static void add_closer(const struct kad *k, const struct kad_request *r,
                       const struct peer_id *id, const struct kad_addrs *addrs,
                       struct closer *c)
{
    struct kad_addrs allowed =
        kad_addrs_allowed(addrs, k->config.scope, kadp_class(r->remote));

    if (allowed.count == 0) {
        kad_addrs_release(&allowed);
        return;
    }
    c->addrs[c->count] = allowed;
    c->peers[c->count] =
        (struct kad_peer_out){.id = *id, .addrs = &c->addrs[c->count]};
    c->count++;
}

static void release_closer(struct closer *c)
{
    for (size_t i = 0; i < c->count; i++)
        kad_addrs_release(&c->addrs[i]);
}

/* The contacts nearest to @key whose addresses the asker may hear. */
static void find_closer(struct kad *k, const struct kad_request *r,
                        struct bytes key, struct closer *c)
{
    struct kad_contact *near[KAD_K];
    struct kad_key target = kad_key_of(key);
    size_t count =
        kad_table_closest(&k->table, &target, r->from, near, k->config.k);

    for (size_t i = 0; i < count; i++) {
        size_t at = c->count;
        add_closer(k, r, &near[i]->id, &near[i]->addrs, c);
        if (c->count > at && near[i]->connected)
            c->peers[at].connection = KAD_CONNECTED;
    }
}

/* The peer @key itself, if we know where it is and it is not in the table. */
static void find_exactly(struct kad *k, const struct kad_request *r,
                         struct bytes key, struct closer *c)
{
    struct peer_id id;

    if (peer_id_decode(key, &id) != OK)
        return;
    if (peer_id_eq(&id, &k->config.self)) {
        add_closer(k, r, &id, &k->own[kadp_class(r->remote)], c);
        return;
    }
    const struct kad_addrs *addrs = kadp_own_word(k, &id);
    bool found_anyway =
        kad_table_get(&k->table, &id) != NULL && !peer_id_eq(&id, r->from);
    if (addrs != NULL && !found_anyway)
        add_closer(k, r, &id, addrs, c);
}

static struct buf *reply_find_node(struct kad *k, const struct kad_request *r,
                                   const struct kad_message *m)
{
    struct closer c = {.count = 0};

    find_exactly(k, r, m->key, &c);
    find_closer(k, r, m->key, &c);
    struct kad_message_out reply = {
        .type = KAD_FIND_NODE, .closer = c.peers, .closer_count = c.count};
    struct buf *bytes = kad_message_encode(&reply, KAD_REPLY_BYTES_MAX);
    release_closer(&c);
    return bytes;
}

/* Providers of an answer, and the addresses that they borrow. */
struct providing {
    struct provider found[PROVIDERS_KEY_MAX];
    struct kad_peer_out peers[PROVIDERS_KEY_MAX];
    struct kad_addrs addrs[PROVIDERS_KEY_MAX];
    size_t count;
};

static struct kad_addrs provider_addrs(const struct kad *k,
                                       const struct provider *p,
                                       enum ma_class over)
{
    struct kad_addr_list list = {.count = 0};

    if (peer_id_eq(&p->peer, &k->config.self))
        return kad_addrs_ref(&k->own[over]);
    struct bytes left = p->addrs;
    struct bytes in;
    struct multiaddr addr;

    while (provider_next_addr(&left, &in)) {
        if (multiaddr_decode(in, &addr) == OK &&
            kad_addr_allowed(k->config.scope, &addr, over))
            kad_addr_list_add(&list, &addr);
    }
    if (list.count > 0)
        return kad_addrs_pack(&list);
    const struct kad_addrs *known = kadp_own_word(k, &p->peer);
    if (known == NULL)
        return (struct kad_addrs){.count = 0};
    return kad_addrs_allowed(known, k->config.scope, over);
}

static void find_providers(struct kad *k, const struct kad_request *r,
                           struct bytes key, struct mtime now,
                           struct providing *p)
{
    struct kad_key target = kad_key_of(key);

    p->count = providers_get(k->providers, &target, kadp_unix_ms(k, now),
                             p->found, PROVIDERS_KEY_MAX);
    for (size_t i = 0; i < p->count; i++) {
        p->addrs[i] = provider_addrs(k, &p->found[i], kadp_class(r->remote));
        p->peers[i] = (struct kad_peer_out){.id = p->found[i].peer,
                                            .addrs = &p->addrs[i]};
    }
}

/*
 * The multihash that a provider key is.  Some old peers send a CID, whose
 * multihash they mean.
 */
static enum err provider_key(struct bytes in, uint8_t dst[MULTIHASH_BYTES_MAX],
                             struct bytes *ret_key)
{
    struct multihash hash;
    struct cid cid;

    if (in.len == 0)
        return E_MALFORMED;
    if (in.len > KAD_PROVIDER_KEY_MAX)
        return E_LIMIT;
    if (multihash_decode(in, &hash) != OK) {
        enum err err = cid_decode(in, &cid);
        if (err != OK)
            return err;
        hash = cid.hash;
    }
    *ret_key = (struct bytes){.p = dst, .len = multihash_encode(&hash, dst)};
    return OK;
}

static enum err reply_providers(struct kad *k, const struct kad_request *r,
                                const struct kad_message *m, struct mtime now,
                                struct buf **ret_reply)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    struct bytes key;
    struct closer c = {.count = 0};
    enum err err = provider_key(m->key, bytes, &key);

    if (err != OK)
        return err;
    struct providing *p = mem_alloc(sizeof(*p));
    find_providers(k, r, key, now, p);
    find_closer(k, r, key, &c);
    struct kad_message_out reply = {.type = KAD_GET_PROVIDERS,
                                    .key = m->key,
                                    .closer = c.peers,
                                    .closer_count = c.count,
                                    .providers = p->peers,
                                    .providers_count = p->count};
    *ret_reply = kad_message_encode(&reply, KAD_REPLY_BYTES_MAX);
    release_closer(&c);
    for (size_t i = 0; i < p->count; i++)
        kad_addrs_release(&p->addrs[i]);
    mem_free(p);
    return OK;
}

/* Addresses of @peer that may be kept; false when it names none at all. */
static bool claimed_addrs(const struct kad *k, const struct kad_request *r,
                          const struct kad_message_peer *peer,
                          struct kad_addr_list *list)
{
    struct kad_addr_cursor c = kad_addr_cursor_init(peer);
    struct multiaddr addr;
    bool any = false;

    while (list->count < KAD_ADDRS_MAX && kad_addr_cursor_next(&c, &addr)) {
        any = true;
        if (kad_addr_allowed(k->config.scope, &addr, kadp_class(r->remote)))
            kad_addr_list_add(list, &addr);
    }
    return any;
}

/* A record more of the peer of @claim, at @key, a multihash. */
static void keep_claim(struct kad *k, const struct kad_request *r,
                       struct providers_claim *claim, struct bytes key,
                       struct mtime now)
{
    claim->key = kad_key_of(key);
    if (may_provide(k, r, now) &&
        providers_add(k->providers, claim, kadp_unix_ms(k, now)) == OK)
        k->stats.provides_in++;
    else
        k->stats.provides_dropped++;
}

static void keep_more_claims(struct kad *k, const struct kad_request *r,
                             const struct kad_message *m,
                             struct providers_claim *claim, struct mtime now)
{
    struct kad_more_keys c = kad_more_keys_init(m);
    struct multihash hash;
    struct bytes key;

    while (kad_more_keys_next(&c, &key)) {
        if (multihash_decode(key, &hash) == OK)
            keep_claim(k, r, claim, key, now);
    }
}

static enum err add_provider(struct kad *k, const struct kad_request *r,
                             const struct kad_message *m, struct mtime now)
{
    struct kad_peer_cursor c = kad_peer_cursor_init(m, KAD_PROVIDER_PEERS);
    struct kad_message_peer peer;
    struct kad_addr_list list = {.count = 0};
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    struct bytes key;
    bool valid = false;
    enum err err = provider_key(m->key, bytes, &key);

    if (err != OK)
        return err;
    while (!valid && kad_peer_cursor_next(&c, &peer))
        valid =
            peer_id_eq(&peer.id, r->from) && claimed_addrs(k, r, &peer, &list);
    if (!valid)
        return E_MALFORMED;
    struct providers_claim claim = {.peer = r->from,
                                    .addrs = list.addrs,
                                    .addrs_count = list.count,
                                    .group = group_of(r)};
    keep_claim(k, r, &claim, key, now);
    if (k->config.scope == KAD_OWN)
        keep_more_claims(k, r, m, &claim, now);
    return OK;
}

static enum err reply_value(struct kad *k, const struct kad_request *r,
                            const struct kad_message *m, struct mtime now,
                            struct buf **ret_reply)
{
    char text[RFC3339_TEXT_MAX];
    struct closer c = {.count = 0};
    struct kad_message_out reply = {.type = KAD_GET_VALUE, .key = m->key};
    struct value value;

    if (m->key.len == 0)
        return E_MALFORMED;
    if (values_get(k->values, m->key, kadp_unix_ms(k, now), &value) == OK) {
        struct unix_time t = unix_time_of_ms(value.received_unix_ms);
        reply.has_record = true;
        reply.record_key = m->key;
        reply.record_value = value.bytes;
        reply.record_time.len = rfc3339_format(&t, text);
        reply.record_time.p = (const uint8_t *)text;
    }
    find_closer(k, r, m->key, &c);
    reply.closer = c.peers;
    reply.closer_count = c.count;
    *ret_reply = kad_message_encode(&reply, KAD_REPLY_BYTES_MAX);
    release_closer(&c);
    return OK;
}

static enum err put_value(struct kad *k, const struct kad_request *r,
                          const struct kad_message *m, struct mtime now,
                          struct buf **ret_reply)
{
    struct value_key parsed;

    if (!m->has_record || !bytes_eq(m->key, m->record_key))
        return E_MALFORMED;
    if (value_key_decode(m->key, &parsed) != OK)
        return E_REFUSED;
    if (!may_check(k, r, now))
        return E_LIMIT;
    if (values_put(k->values, m->key, m->record_value, group_of(r),
                   kadp_unix_ms(k, now)) != OK)
        return E_REFUSED;
    *ret_reply = kadp_encode_put(m->key, m->record_value);
    return OK;
}

static enum err serve(struct kad *k, const struct kad_request *r,
                      const struct kad_message *m, struct mtime now,
                      struct buf **ret_reply)
{
    static const struct kad_message_out pong = {.type = KAD_PING};

    switch (m->type) {
    case KAD_PUT_VALUE:
        return put_value(k, r, m, now, ret_reply);
    case KAD_GET_VALUE:
        return reply_value(k, r, m, now, ret_reply);
    case KAD_ADD_PROVIDER:
        return add_provider(k, r, m, now);
    case KAD_GET_PROVIDERS:
        return reply_providers(k, r, m, now, ret_reply);
    case KAD_FIND_NODE:
        if (m->key.len == 0)
            return E_MALFORMED;
        *ret_reply = reply_find_node(k, r, m);
        return OK;
    case KAD_PING:
        *ret_reply = kad_message_encode(&pong, KAD_REPLY_BYTES_MAX);
        return OK;
    }
    return E_UNSUPPORTED;
}

enum err kad_serve(struct kad *k, const struct kad_request *request,
                   struct mtime now, struct buf **ret_reply)
{
    struct kad_message m;
    struct buf *reply = NULL;
    enum err err = OK;

    k->now = now;
    k->stats.bytes_in += request->bytes.len;
    if (!k->config.server)
        err = E_UNSUPPORTED;
    else if (request->bytes.len > KAD_REQUEST_BYTES_MAX)
        err = E_LIMIT;
    if (err == OK)
        err = kad_message_decode(request->bytes, &m);
    if (err == OK)
        err = serve(k, request, &m, now, &reply);
    if (err != OK) {
        k->stats.refused++;
        return err;
    }
    struct kad_contact *from = kad_table_get(&k->table, request->from);
    if (from != NULL)
        from->heard_at = now;
    k->stats.served++;
    if (reply != NULL)
        k->stats.bytes_out += reply->len;
    *ret_reply = reply;
    return OK;
}
