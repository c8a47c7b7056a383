#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "kad/kad_priv.h"

static struct bytes id_bytes(const uint64_t *id)
{
    return (struct bytes){.p = (const uint8_t *)id, .len = sizeof(*id)};
}

static struct kadp_query *query_get(const struct kad *k, uint64_t id)
{
    struct map_node *node = map_get(&k->queries, id_bytes(&id));

    return node == NULL ? NULL : container_of(node, struct kadp_query, node);
}

/* A query that is not in the table of queries yet; it takes a copy of @key. */
static struct kadp_query *query_new(struct kad *k, enum kadp_kind kind,
                                    struct bytes key, struct mtime now)
{
    struct kadp_query *q = mem_zalloc(1, sizeof(*q));
    struct kad_key target = kad_key_of(key);

    q->kind = kind;
    q->key_buf = buf_copy(key);
    q->key = buf_bytes(q->key_buf);
    q->started_at = now;
    q->err = OK;
    list_init(&q->timed);
    list_init(&q->requests);
    map_init(&q->found, k->config.seed);
    kad_lookup_init(&q->lookup, &target, &k->self_key);
    kad_lookup_set_width(&q->lookup, k->config.k, k->config.alpha,
                         k->config.beta);
    return q;
}

static void release_found(struct kadp_query *q)
{
    struct map_node *node = map_first(&q->found);

    while (node != NULL) {
        map_remove(&q->found, node);
        mem_free(container_of(node, struct kadp_found, node));
        node = map_first(&q->found);
    }
    map_release(&q->found);
}

void kadp_query_free(struct kad *k, struct kadp_query *q)
{
    kadp_orphan(k, q);
    list_remove(&q->timed);
    if (q->id != 0) {
        map_remove(&k->queries, &q->node);
        k->asked_count -= !q->upkeep;
    }
    release_found(q);
    kad_lookup_release(&q->lookup);
    kad_addrs_release(&q->addrs);
    for (size_t i = 0; i < KADP_OVER_CLASSES; i++)
        buf_unref(q->stores[i]);
    buf_unref(q->hashes);
    buf_unref(q->value);
    buf_unref(q->message);
    buf_unref(q->key_buf);
    mem_free(q);
}

static enum kad_type ask_of(enum kadp_kind kind)
{
    switch (kind) {
    case KADP_FIND_PROVIDERS:
        return KAD_GET_PROVIDERS;
    case KADP_GET_VALUE:
        return KAD_GET_VALUE;
    case KADP_FIND_NODE:
    case KADP_FIND_PEER:
    case KADP_PUT_VALUE:
    case KADP_PROVIDE:
    case KADP_PROVIDE_TO:
        break;
    }
    return KAD_FIND_NODE;
}

/* From now on the query has an id, and its end is told. */
static uint64_t query_begin(struct kad *k, struct kadp_query *q)
{
    q->id = kadp_id(k);
    map_put(&k->queries, &q->node, id_bytes(&q->id));
    k->asked_count += !q->upkeep;
    k->stats.queries++;
    if (q->kind != KADP_PROVIDE_TO)
        list_add_tail(&k->timed, &q->timed);
    return q->id;
}

/* Puts the closest of our table into the lookup; false when there are none. */
static bool seed_lookup(struct kad *k, struct kadp_query *q)
{
    struct kad_contact *near[KAD_K];
    size_t count = kad_table_closest(&k->table, &q->lookup.target, NULL, near,
                                     k->config.k);

    for (size_t i = 0; i < count; i++)
        (void)kad_lookup_add(&q->lookup, &near[i]->id, &near[i]->addrs,
                             KAD_LOOKUP_NO_PEER); /* surely new */
    q->message = kadp_encode_ask(ask_of(q->kind), q->key);
    return count > 0;
}

static void ask_next(struct kad *k, struct kadp_query *q, struct mtime now)
{
    uint16_t i = kad_lookup_next(&q->lookup);

    while (i != KAD_LOOKUP_NO_PEER) {
        const struct kad_lookup_peer *p = kad_lookup_peer_at(&q->lookup, i);
        struct kadp_send send = {.peer = &p->id,
                                 .addrs = &p->addrs,
                                 .bytes = buf_ref(q->message),
                                 .type = ask_of(q->kind)};
        kadp_send(k, q, &send, now)->number = i;
        i = kad_lookup_next(&q->lookup);
    }
}

static bool stores(const struct kadp_query *q)
{
    return q->kind == KADP_PUT_VALUE || q->kind == KADP_PROVIDE;
}

/* Whether it looks for somebody to put into a bucket, no matter whom. */
static bool refreshes(const struct kad *k, const struct kadp_query *q)
{
    return q->upkeep && !bytes_eq(q->key, peer_id_bytes(&k->config.self));
}

/*
 * Whether the k nearest are asked too, not only the beta nearest.  To refresh a
 * bucket the way there is enough.
 */
static bool wants_follow_up(const struct kad *k, const struct kadp_query *q)
{
    switch (q->kind) {
    case KADP_FIND_NODE:
        return !refreshes(k, q);
    case KADP_PUT_VALUE:
    case KADP_PROVIDE:
        return true;
    case KADP_FIND_PROVIDERS:
        return q->found.count == 0;
    case KADP_GET_VALUE:
        return q->values_count < q->max || q->version == 0;
    case KADP_FIND_PEER:
    case KADP_PROVIDE_TO:
        break;
    }
    return false;
}

static void store_at(struct kad *k, struct kadp_query *q,
                     const struct peer_id *peer, const struct kad_addrs *addrs,
                     struct mtime now)
{
    enum ma_class over = KADP_OVER_CLASSES - 1;
    bool is_value = q->kind == KADP_PUT_VALUE || q->kind == KADP_GET_VALUE;

    if (!is_value) {
        const struct kad_addrs *known = kadp_addrs_of(k, peer);
        over = known != NULL ? kadp_over_of(k, peer) : kad_addrs_class(addrs);
        if (k->own[over].count == 0)
            return;
    }
    if (q->stores[over] == NULL)
        q->stores[over] = is_value
                              ? kadp_encode_put(q->key, buf_bytes(q->value))
                              : kadp_encode_provider(k, q->key, over);
    struct kadp_send send = {.peer = peer,
                             .addrs = addrs,
                             .bytes = buf_ref(q->stores[over]),
                             .type =
                                 is_value ? KAD_PUT_VALUE : KAD_ADD_PROVIDER};
    (void)kadp_send(k, q, &send, now);
}

static void begin_storing(struct kad *k, struct kadp_query *q, struct mtime now)
{
    uint16_t near[KAD_K];

    kadp_orphan(k, q);
    q->storing = true;
    q->err = q->kind == KADP_PUT_VALUE ? E_REFUSED : E_NOTFOUND;
    size_t count = kad_lookup_closest(&q->lookup, false, near, k->config.k);
    for (size_t i = 0; i < count; i++) {
        const struct kad_lookup_peer *p =
            kad_lookup_peer_at(&q->lookup, near[i]);
        store_at(k, q, &p->id, &p->addrs, now);
    }
}

/* Peers near to the key that have no record, or a worse one, get the best. */
static void correct(struct kad *k, struct kadp_query *q, struct mtime now)
{
    uint16_t near[KAD_K];
    size_t count = kad_lookup_closest(&q->lookup, false, near, k->config.k);

    if (q->version == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct kad_lookup_peer *p =
            kad_lookup_peer_at(&q->lookup, near[i]);
        if (p->mark == q->version)
            continue;
        struct kadp_send send = {
            .peer = &p->id,
            .addrs = &p->addrs,
            .bytes = kadp_encode_put(q->key, buf_bytes(q->value)),
            .type = KAD_PUT_VALUE};
        (void)kadp_send(k, NULL, &send, now);
    }
}

/* What a lookup that came to its own end says. */
static enum err lookup_result(const struct kadp_query *q)
{
    uint16_t any;

    switch (q->kind) {
    case KADP_FIND_PROVIDERS:
        return q->found.count > 0 ? OK : E_NOTFOUND;
    case KADP_GET_VALUE:
        return q->version > 0 ? OK : E_NOTFOUND;
    case KADP_FIND_NODE:
        return kad_lookup_closest(&q->lookup, false, &any, 1) > 0 ? OK
                                                                  : E_NOTFOUND;
    case KADP_FIND_PEER:
    case KADP_PUT_VALUE:
    case KADP_PROVIDE:
    case KADP_PROVIDE_TO:
        break;
    }
    return E_NOTFOUND;
}

static enum err store_result(const struct kadp_query *q)
{
    return q->stored_count > 0 ? OK : q->err;
}

/* The next messages of a kad_provide_to(). */
static void send_hashes(struct kad *k, struct kadp_query *q, struct mtime now)
{
    struct bytes all = buf_bytes(q->hashes);

    while (q->requests_count < KADP_SWEEP_SENDS_MAX && q->hashes_at < all.len) {
        struct bytes rest =
            bytes_sub(all, q->hashes_at, all.len - q->hashes_at);
        size_t len = 0;
        uint32_t count = 0;
        struct kadp_send send = {
            .peer = &q->peer,
            .addrs = &q->addrs,
            .bytes = kadp_encode_providers(k, rest, q->over, &len, &count),
            .type = KAD_ADD_PROVIDER};
        kadp_send(k, q, &send, now)->records = count;
        q->hashes_at += len;
    }
}

static void advance_sweep(struct kad *k, struct kadp_query *q, struct mtime now)
{
    if (q->err == OK)
        send_hashes(k, q, now);
    if (q->err != OK || q->requests_count == 0)
        kadp_query_finish(k, q, q->err, now);
}

void kadp_advance(struct kad *k, struct kadp_query *q, struct mtime now)
{
    if (q->kind == KADP_PROVIDE_TO) {
        advance_sweep(k, q, now);
        return;
    }
    if (q->storing) {
        if (q->requests_count == 0)
            kadp_query_finish(k, q, store_result(q), now);
        return;
    }
    if (refreshes(k, q) &&
        kadp_bucket_suffices(k, kad_key_cpl(&k->self_key, &q->lookup.target),
                             now)) {
        kadp_query_finish(k, q, OK, now);
        return;
    }
    ask_next(k, q, now);
    if (!kad_lookup_is_over(&q->lookup))
        return;
    if (!q->lookup.follow_up && wants_follow_up(k, q)) {
        q->lookup.follow_up = true;
        ask_next(k, q, now);
        if (!kad_lookup_is_over(&q->lookup))
            return;
    }
    kad_table_refreshed(&k->table, &q->lookup.target, now);
    if (!stores(q)) {
        kadp_query_finish(k, q, lookup_result(q), now);
        return;
    }
    begin_storing(k, q, now);
    if (q->requests_count == 0)
        kadp_query_finish(k, q, store_result(q), now);
}

/* Remembers where the closest peers are, since they are likely used next. */
static void keep_closest(struct kad *k, const struct kadp_query *q,
                         const uint16_t *near, size_t count, struct mtime now)
{
    for (size_t i = 0; i < count; i++) {
        const struct kad_lookup_peer *p =
            kad_lookup_peer_at(&q->lookup, near[i]);
        if (!kadp_heard(k, &p->id, &p->addrs, now))
            continue;
        struct kadp_out *o = kadp_emit(k, KAD_LEARNED);
        o->peer = p->id;
        o->addrs = kad_addrs_ref(&p->addrs);
    }
}

static void tell_done(struct kad *k, const struct kadp_query *q, enum err err,
                      const uint16_t *near, size_t count)
{
    struct kadp_out *o = kadp_emit(k, KAD_DONE);
    struct kad_out *done = mem_zalloc(1, sizeof(*done));

    o->query = q->id;
    o->done = done;
    done->kind = KAD_DONE;
    done->query = q->id;
    done->err = err;
    done->stats = q->stats;
    done->stored_count = q->stored_count;
    done->closest_count = count;
    for (size_t i = 0; i < count; i++)
        done->closest[i] = kad_lookup_peer_at(&q->lookup, near[i])->id;
}

void kadp_query_finish(struct kad *k, struct kadp_query *q, enum err err,
                       struct mtime now)
{
    uint16_t near[KAD_K];
    bool heard = err == E_TIMEOUT; /* else all the nearest were asked */
    size_t count = kad_lookup_closest(&q->lookup, heard, near, k->config.k);
    uint64_t id = q->id;

    q->stats.hops = q->lookup.hops;
    q->stats.elapsed_ms = mtime_ms_since(q->started_at, now);
    if (q->kind == KADP_GET_VALUE)
        correct(k, q, now);
    if (!q->upkeep) {
        keep_closest(k, q, near, count, now);
        tell_done(k, q, err, near, count);
    }
    bool upkeep = q->upkeep;
    kadp_query_free(k, q);
    if (upkeep)
        kadp_upkeep_ended(k, id, now);
}

static struct kadp_query *oldest(const struct kad *k)
{
    return list_empty(&k->timed)
               ? NULL
               : container_of(list_first(&k->timed), struct kadp_query, timed);
}

static enum err late_result(const struct kadp_query *q)
{
    enum err err = q->storing ? store_result(q) : lookup_result(q);

    if (q->kind == KADP_FIND_NODE)
        return E_TIMEOUT;
    return err == OK ? OK : E_TIMEOUT;
}

/* Who has answered so far gets the record; each message has its own end. */
static void store_late(struct kad *k, struct kadp_query *q, struct mtime now)
{
    list_remove(&q->timed);
    begin_storing(k, q, now);
    if (q->requests_count == 0)
        kadp_query_finish(k, q, E_TIMEOUT, now);
}

void kadp_queries_on_time(struct kad *k, struct mtime now)
{
    struct kadp_query *q = oldest(k);

    while (
        q != NULL &&
        mtime_reached(now, mtime_add_ms(q->started_at, KAD_QUERY_TIMEOUT_MS))) {
        if (stores(q) && !q->storing)
            store_late(k, q, now);
        else
            kadp_query_finish(k, q, late_result(q), now);
        q = oldest(k);
    }
}

struct mtime kadp_queries_deadline(const struct kad *k)
{
    const struct kadp_query *q = oldest(k);

    return q == NULL ? MTIME_NEVER
                     : mtime_add_ms(q->started_at, KAD_QUERY_TIMEOUT_MS);
}

/* Refusals that all requests of the owner share. */
static enum err may_begin(struct kad *k, struct bytes key, struct mtime now)
{
    k->now = now;
    if (k->asked_count >= k->config.queries_max)
        return E_LIMIT;
    return key.len < 1 || key.len > KAD_KEY_BYTES_MAX ? E_LIMIT : OK;
}

/* Starts @q, which has been seeded; it may end by that. */
static uint64_t start(struct kad *k, struct kadp_query *q, struct mtime now)
{
    uint64_t id = query_begin(k, q);

    kadp_advance(k, q, now);
    return id;
}

/* A query that is nothing without somebody to ask. */
static enum err start_lookup(struct kad *k, struct kadp_query *q,
                             struct mtime now, uint64_t *ret_query)
{
    if (!seed_lookup(k, q)) {
        kadp_query_free(k, q);
        return E_AGAIN;
    }
    *ret_query = start(k, q, now);
    return OK;
}

uint64_t kadp_refresh_lookup(struct kad *k, struct bytes key, struct mtime now)
{
    struct kadp_query *q = query_new(k, KADP_FIND_NODE, key, now);
    uint64_t id = 0;

    q->upkeep = true;
    return start_lookup(k, q, now, &id) == OK ? id : 0;
}

enum err kad_find_node(struct kad *k, struct bytes key, struct mtime now,
                       uint64_t *ret_query)
{
    enum err err = may_begin(k, key, now);

    if (err != OK)
        return err;
    return start_lookup(k, query_new(k, KADP_FIND_NODE, key, now), now,
                        ret_query);
}

static void tell_peer(struct kad *k, const struct kadp_query *q,
                      const struct kad_addrs *addrs)
{
    struct kadp_out *o = kadp_emit(k, KAD_FOUND_PEER);

    o->query = q->id;
    o->peer = q->peer;
    o->addrs = kad_addrs_ref(addrs);
}

enum err kad_find_peer(struct kad *k, const struct peer_id *peer,
                       struct mtime now, uint64_t *ret_query)
{
    enum err err = may_begin(k, peer_id_bytes(peer), now);

    if (err != OK)
        return err;
    struct kadp_query *q =
        query_new(k, KADP_FIND_PEER, peer_id_bytes(peer), now);
    q->peer = *peer;
    const struct kad_addrs *addrs = kadp_addrs_of(k, peer);
    if (addrs == NULL)
        return start_lookup(k, q, now, ret_query);
    *ret_query = query_begin(k, q);
    tell_peer(k, q, addrs);
    kadp_query_finish(k, q, OK, now);
    return OK;
}

/* Providers that our own store knows. */
static void find_here(struct kad *k, struct kadp_query *q, struct mtime now)
{
    struct provider *all = mem_zalloc(PROVIDERS_KEY_MAX, sizeof(*all));
    /* One more, since we may be among them and are not told. */
    size_t max = q->max < PROVIDERS_KEY_MAX ? q->max + 1 : PROVIDERS_KEY_MAX;
    size_t count = providers_get(k->providers, &q->lookup.target,
                                 kadp_unix_ms(k, now), all, max);

    for (size_t i = 0; i < count; i++) {
        struct kad_addr_list list = {.count = 0};
        struct multiaddr addr;
        struct bytes in;
        while (provider_next_addr(&all[i].addrs, &in)) {
            if (multiaddr_decode(in, &addr) == OK)
                kad_addr_list_add(&list, &addr);
        }
        struct kad_addrs addrs = kad_addrs_pack(&list);
        kadp_query_provider(k, q, &all[i].peer, &addrs);
        kad_addrs_release(&addrs);
    }
    mem_free(all);
}

enum err kad_find_providers(struct kad *k, const struct multihash *hash,
                            uint32_t max, struct mtime now, uint64_t *ret_query)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    struct bytes key = {.p = bytes, .len = multihash_encode(hash, bytes)};
    enum err err = may_begin(k, key, now);

    if (err != OK)
        return err;
    struct kadp_query *q = query_new(k, KADP_FIND_PROVIDERS, key, now);
    q->max = max == 0 || max > KAD_FOUND_MAX ? KAD_FOUND_MAX : max;
    bool anybody = seed_lookup(k, q);
    *ret_query = query_begin(k, q);
    find_here(k, q, now);
    if (q->found.count >= q->max || !anybody)
        kadp_query_finish(k, q, lookup_result(q), now);
    else
        kadp_advance(k, q, now);
    return OK;
}

enum err kad_get_value(struct kad *k, struct bytes key, uint32_t quorum,
                       struct mtime now, uint64_t *ret_query)
{
    struct value_key parsed;
    struct value value;
    enum err err = may_begin(k, key, now);

    if (err != OK)
        return err;
    if (value_key_decode(key, &parsed) != OK)
        return E_UNSUPPORTED;
    struct kadp_query *q = query_new(k, KADP_GET_VALUE, key, now);
    q->max = quorum == 0 ? UINT32_MAX : quorum;
    if (!seed_lookup(k, q) &&
        values_get(k->values, key, kadp_unix_ms(k, now), &value) != OK) {
        kadp_query_free(k, q);
        return E_AGAIN;
    }
    *ret_query = query_begin(k, q);
    if (values_get(k->values, key, kadp_unix_ms(k, now), &value) == OK)
        kadp_query_value(k, q, value.bytes, NULL, now);
    if (q->values_count >= q->max)
        kadp_query_finish(k, q, OK, now);
    else
        kadp_advance(k, q, now);
    return OK;
}

enum err kad_put_value(struct kad *k, struct bytes key, struct bytes value,
                       struct mtime now, uint64_t *ret_query)
{
    struct value_key parsed;
    enum err err = may_begin(k, key, now);

    if (err != OK)
        return err;
    if (value_key_decode(key, &parsed) != OK)
        return E_UNSUPPORTED;
    err = values_put(k->values, key, value, 0, kadp_unix_ms(k, now));
    if (err != OK)
        return err == E_LIMIT ? E_LIMIT : E_REFUSED;
    struct kadp_query *q = query_new(k, KADP_PUT_VALUE, key, now);
    q->value = buf_copy(value);
    return start_lookup(k, q, now, ret_query);
}

/*
 * Our own record, for those who ask us: we may be one of the closest.  Where we
 * are is said when it is asked for.
 */
static void provide_here(struct kad *k, struct bytes key, struct mtime now)
{
    struct providers_claim claim = {.key = kad_key_of(key),
                                    .peer = &k->config.self};

    enum err err = providers_add(k->providers, &claim, kadp_unix_ms(k, now));
    /* Where there is no room for it the others tell. */
    assert(err == OK || err == E_LIMIT);
}

static bool has_own_addrs(const struct kad *k)
{
    for (size_t i = 0; i < KADP_OVER_CLASSES; i++) {
        if (k->own[i].count > 0)
            return true;
    }
    return false;
}

enum err kad_provide(struct kad *k, const struct multihash *hash,
                     struct mtime now, uint64_t *ret_query)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    struct bytes key = {.p = bytes, .len = multihash_encode(hash, bytes)};
    enum err err = may_begin(k, key, now);

    if (err != OK)
        return err;
    if (!has_own_addrs(k))
        return E_REFUSED;
    if (k->config.server)
        provide_here(k, key, now);
    return start_lookup(k, query_new(k, KADP_PROVIDE, key, now), now,
                        ret_query);
}

static struct buf *pack_hashes(const struct multihash *hashes, size_t count)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += 1 + multihash_encode(&hashes[i], bytes);
    struct buf *buf = buf_new(len);
    for (size_t i = 0; i < count; i++) {
        size_t one = multihash_encode(&hashes[i], bytes);
        buf->data[buf->len] = (uint8_t)one;
        memcpy(&buf->data[buf->len + 1], bytes, one);
        buf->len += 1 + one;
    }
    return buf;
}

enum err kad_provide_to(struct kad *k, const struct peer_id *peer,
                        const struct multihash *hashes, size_t count,
                        struct mtime now, uint64_t *ret_query)
{
    enum err err = may_begin(k, peer_id_bytes(peer), now);

    assert(count >= 1);
    if (err != OK)
        return err;
    if (count > KAD_SWEEP_KEYS_MAX)
        return E_LIMIT;
    enum ma_class over = kadp_over_of(k, peer);
    if (k->own[over].count == 0)
        return E_REFUSED;
    struct kadp_query *q =
        query_new(k, KADP_PROVIDE_TO, peer_id_bytes(peer), now);
    const struct kad_addrs *addrs = kadp_addrs_of(k, peer);
    q->peer = *peer;
    q->over = over;
    if (addrs != NULL)
        q->addrs = kad_addrs_ref(addrs);
    q->hashes = pack_hashes(hashes, count);
    *ret_query = start(k, q, now);
    return OK;
}

/* Outputs of a query that are not wanted any more. */
static void drop_outs(struct kad *k, uint64_t query)
{
    list_for_each_safe (link, &k->outs) {
        struct kadp_out *o = container_of(link, struct kadp_out, link);
        if (o->query != query || o->request != NULL)
            continue; /* a message is forgotten with its request */
        list_remove(&o->link);
        kad_addrs_release(&o->addrs);
        buf_unref(o->bytes);
        mem_free(o->done);
        mem_free(o);
    }
}

void kad_cancel(struct kad *k, uint64_t query, struct mtime now)
{
    struct kadp_query *q = query == 0 ? NULL : query_get(k, query);

    k->now = now;
    if (query == 0)
        return;
    if (q != NULL && !q->upkeep)
        kadp_query_free(k, q);
    drop_outs(k, query);
}
