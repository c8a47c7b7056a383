#include <assert.h>

#include "base/mem.h"
#include "kad/kad_priv.h"

/* A peer that an answer names, with what is believed of its addresses. */
struct named {
    struct peer_id id;
    struct kad_addrs addrs; /* a reference of ours */
    uint64_t group;
};

static struct kad_addrs read_addrs(const struct kad *k,
                                   const struct kad_message_peer *peer,
                                   enum ma_class over)
{
    struct kad_addr_cursor c = kad_addr_cursor_init(peer);
    struct kad_addr_list list = {.count = 0};
    struct multiaddr addr;

    while (list.count < KAD_ADDRS_MAX && kad_addr_cursor_next(&c, &addr)) {
        if (kad_addr_allowed(k->config.scope, &addr, over))
            kad_addr_list_add(&list, &addr);
    }
    return kad_addrs_pack(&list);
}

/* Addresses that we know ourselves, where the answer names none of use. */
static void add_known(const struct kad *k, struct named *n)
{
    if (kad_addrs_usable(&n->addrs, k->config.scope))
        return;
    const struct kad_addrs *known = kadp_addrs_of(k, &n->id);
    if (known == NULL)
        return;
    kad_addrs_release(&n->addrs);
    n->addrs = kad_addrs_ref(known);
}

static size_t read_named(const struct kad *k, const struct kad_message *m,
                         enum ma_class over,
                         struct named dst[static KAD_MESSAGE_CLOSER_MAX])
{
    struct kad_peer_cursor c = kad_peer_cursor_init(m, KAD_CLOSER_PEERS);
    struct kad_message_peer peer;
    size_t count = 0;

    while (count < KAD_MESSAGE_CLOSER_MAX && kad_peer_cursor_next(&c, &peer)) {
        if (peer_id_eq(&peer.id, &k->config.self))
            continue;
        struct named *n = &dst[count++];
        n->id = peer.id;
        n->addrs = read_addrs(k, &peer, over);
        add_known(k, n);
        n->group = 0;
        if (k->config.scope == KAD_WAN && k->config.ip_diversity)
            n->group = kad_addrs_group(&n->addrs);
    }
    return count;
}

/* Whether too many of an answer lie in the IP group of @n. */
static bool is_crowded(const struct named *all, size_t count,
                       const struct named *n)
{
    size_t same = 0;

    if (n->group == 0)
        return false;
    for (size_t i = 0; i < count; i++)
        same += all[i].group == n->group;
    return same > KADP_GROUP_ANSWER_MAX;
}

static void add_closer(struct kad *k, struct kadp_query *q, uint16_t from,
                       const struct named *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct named *n = &all[i];
        bool is_target =
            bytes_eq(peer_id_bytes(&n->id), q->key) && n->addrs.count > 0;
        if (!is_target && (!kad_addrs_usable(&n->addrs, k->config.scope) ||
                           is_crowded(all, count, n)))
            continue;
        (void)kad_lookup_add(&q->lookup, &n->id, &n->addrs,
                             from); /* known already is as well */
    }
}

/* FIND_PEER: the one that is looked for, if it is named with addresses. */
static bool find_target(struct kad *k, struct kadp_query *q,
                        const struct named *all, size_t count, struct mtime now)
{
    for (size_t i = 0; i < count; i++) {
        if (!peer_id_eq(&all[i].id, &q->peer) || all[i].addrs.count == 0)
            continue;
        struct kadp_out *o = kadp_emit(k, KAD_FOUND_PEER);
        o->query = q->id;
        o->peer = q->peer;
        o->addrs = kad_addrs_ref(&all[i].addrs);
        (void)kadp_heard(k, &q->peer, &all[i].addrs, now); /* new or not */
        return true;
    }
    return false;
}

void kadp_query_provider(struct kad *k, struct kadp_query *q,
                         const struct peer_id *peer, struct kad_addrs *addrs)
{
    struct map_node *node = map_get(&q->found, peer_id_bytes(peer));
    struct kadp_found *f = NULL;

    if (peer_id_eq(peer, &k->config.self))
        return;
    if (node != NULL)
        f = container_of(node, struct kadp_found, node);
    if (f != NULL && (f->with_addrs || addrs->count == 0))
        return;
    if (f == NULL) {
        if (q->found.count >= q->max)
            return;
        f = mem_zalloc(1, sizeof(*f));
        f->id = *peer;
        map_put(&q->found, &f->node, peer_id_bytes(&f->id));
    }
    f->with_addrs = addrs->count > 0;
    struct kadp_out *o = kadp_emit(k, KAD_FOUND_PROVIDER);
    o->query = q->id;
    o->peer = *peer;
    o->addrs = kad_addrs_ref(addrs);
}

static void read_providers(struct kad *k, struct kadp_query *q,
                           const struct kad_message *m, enum ma_class over)
{
    struct kad_peer_cursor c = kad_peer_cursor_init(m, KAD_PROVIDER_PEERS);
    struct kad_message_peer peer;

    while (q->found.count < q->max && kad_peer_cursor_next(&c, &peer)) {
        struct named n = {.id = peer.id, .addrs = read_addrs(k, &peer, over)};
        add_known(k, &n);
        kadp_query_provider(k, q, &n.id, &n.addrs);
        kad_addrs_release(&n.addrs);
    }
}

void kadp_query_value(struct kad *k, struct kadp_query *q, struct bytes value,
                      struct kad_lookup_peer *from, struct mtime now)
{
    if (value_check(q->key, value, kadp_unix_ms(k, now)) != OK)
        return;
    q->values_count++;
    int order =
        q->version == 0 ? 1 : value_cmp(q->key, value, buf_bytes(q->value));
    if (order > 0) {
        buf_unref(q->value);
        q->value = buf_copy(value);
        q->version++;
        struct kadp_out *o = kadp_emit(k, KAD_FOUND_VALUE);
        o->query = q->id;
        o->bytes = buf_ref(q->value);
    }
    if (order >= 0 && from != NULL)
        from->mark = q->version;
}

static void read_value(struct kad *k, struct kadp_query *q,
                       const struct kadp_request *r,
                       const struct kad_message *m, struct mtime now)
{
    if (!m->has_record || m->record_value.len == 0)
        return;
    if (m->record_key.len > 0 && !bytes_eq(m->record_key, q->key))
        return;
    kadp_query_value(k, q, m->record_value,
                     kad_lookup_peer_at(&q->lookup, r->number), now);
}

/* Whether the query has all that it was made for. */
static bool is_enough(const struct kadp_query *q)
{
    switch (q->kind) {
    case KADP_FIND_PROVIDERS:
        return q->found.count >= q->max;
    case KADP_GET_VALUE:
        return q->values_count >= q->max;
    case KADP_FIND_NODE:
    case KADP_FIND_PEER:
    case KADP_PUT_VALUE:
    case KADP_PROVIDE:
    case KADP_PROVIDE_TO:
        break;
    }
    return false;
}

static void lookup_answer(struct kad *k, struct kadp_query *q,
                          const struct kadp_request *r,
                          const struct kad_message *m, enum ma_class over,
                          struct mtime now)
{
    struct named all[KAD_MESSAGE_CLOSER_MAX];
    size_t count = read_named(k, m, over, all);
    bool enough =
        q->kind == KADP_FIND_PEER && find_target(k, q, all, count, now);

    kad_lookup_answered(&q->lookup, r->number);
    add_closer(k, q, r->number, all, count);
    for (size_t i = 0; i < count; i++)
        kad_addrs_release(&all[i].addrs);
    if (q->kind == KADP_FIND_PROVIDERS)
        read_providers(k, q, m, over);
    if (q->kind == KADP_GET_VALUE)
        read_value(k, q, r, m, now);
    if (enough || is_enough(q))
        kadp_query_finish(k, q, OK, now);
    else
        kadp_advance(k, q, now);
}

void kadp_query_answer(struct kad *k, const struct kadp_request *r,
                       const struct kad_message *m, enum ma_class over,
                       struct mtime now)
{
    struct kadp_query *q = r->query;

    if (!q->storing && q->kind != KADP_PROVIDE_TO) {
        lookup_answer(k, q, r, m, over, now);
        return;
    }
    /* Who took a record says so by repeating it. */
    if (q->kind != KADP_PUT_VALUE ||
        bytes_eq(m->record_value, buf_bytes(q->value)))
        q->stored_count += r->records;
    kadp_advance(k, q, now);
}

void kadp_query_failed(struct kad *k, const struct kadp_request *r,
                       enum err err, struct mtime now)
{
    struct kadp_query *q = r->query;

    if (q->kind == KADP_PROVIDE_TO)
        q->err = err;
    else if (!q->storing)
        kad_lookup_failed(&q->lookup, r->number);
    kadp_advance(k, q, now);
}
