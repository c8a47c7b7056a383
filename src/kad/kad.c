#include "kad/kad.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "kad/change.h"
#include "kad/kad_priv.h"

enum {
    SEED_HALF = KAD_SEED_BYTES / 2, /* one for tables, one for chances */
    TABLE_SEED = 0,
    CHANCE_SEED = SEED_HALF,
};

static void set_default(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_defaults(struct kad_config *c)
{
    set_default(&c->k, KAD_K);
    set_default(&c->alpha, c->scope == KAD_OWN ? KAD_ALPHA_OWN : KAD_ALPHA);
    set_default(&c->beta, KAD_BETA);
    set_default(&c->queries_max, KAD_QUERIES_MAX);
    set_default(&c->known_max, KAD_KNOWN_MAX);
    set_default(&c->refresh_ms, KAD_REFRESH_MS);
    assert(c->self.len > 0);
    assert(c->k <= KAD_K);
    assert(c->alpha <= KAD_K);
    assert(c->beta <= c->k);
}

static void make_stores(struct kad *k)
{
    struct providers_config providers = {.keep = k->config.keep};
    struct values_config values = {.keep = k->config.keep};

    memcpy(providers.seed, &k->config.seed[TABLE_SEED], SEED_HALF);
    memcpy(values.seed, &k->config.seed[TABLE_SEED], SEED_HALF);
    k->providers = providers_new(&providers);
    k->values = values_new(&values);
}

struct kad *kad_new(const struct kad_config *config, struct mtime now)
{
    struct kad *k = mem_zalloc(1, sizeof(*k));

    k->config = *config;
    set_defaults(&k->config);
    const uint8_t *seed = &k->config.seed[TABLE_SEED];
    k->self_key = kad_key_of_peer(&k->config.self);
    k->now = now;
    k->unix_ms = config->unix_ms;
    k->unix_at = now;
    kad_table_init(&k->table, &k->self_key, k->config.k, seed);
    map_init(&k->known, seed);
    map_init(&k->queries, seed);
    map_init(&k->requests, seed);
    map_init(&k->rates, seed);
    list_init(&k->known_first);
    list_init(&k->known_heard);
    list_init(&k->checks);
    list_init(&k->timed);
    list_init(&k->fresh);
    list_init(&k->slow);
    list_init(&k->outs);
    list_init(&k->rates_lru);
    make_stores(k);
    k->providers_at = mtime_add_ms(now, PROVIDERS_TIME_MS);
    k->values_at = mtime_add_ms(now, VALUES_TIME_MS);
    k->refresh_at = now;
    k->lonely_at = now;
    return k;
}

static void free_out(struct kadp_out *o)
{
    list_remove(&o->link);
    kad_addrs_release(&o->addrs);
    buf_unref(o->bytes);
    mem_free(o->done);
    mem_free(o);
}

void kad_free(struct kad *k)
{
    if (k == NULL)
        return;
    struct map_node *node = map_first(&k->queries);
    while (node != NULL) {
        kadp_query_free(k, container_of(node, struct kadp_query, node));
        node = map_first(&k->queries);
    }
    kadp_requests_release(k);
    list_for_each_safe (link, &k->outs)
        free_out(container_of(link, struct kadp_out, link));
    kadp_rates_release(k);
    kadp_book_release(k);
    kad_table_release(&k->table);
    for (size_t i = 0; i < KADP_OVER_CLASSES; i++)
        kad_addrs_release(&k->own[i]);
    map_release(&k->queries);
    map_release(&k->requests);
    providers_free(k->providers);
    values_free(k->values);
    mem_free(k);
}

void kad_set_unix_time(struct kad *k, uint64_t unix_ms, struct mtime now)
{
    k->unix_ms = unix_ms;
    k->unix_at = now;
}

uint64_t kadp_unix_ms(const struct kad *k, struct mtime now)
{
    return k->unix_ms + mtime_ms_since(k->unix_at, now);
}

void kad_set_server(struct kad *k, bool server)
{
    k->config.server = server;
}

void kad_set_addrs(struct kad *k, const struct multiaddr *addrs, size_t count)
{
    for (size_t over = 0; over < KADP_OVER_CLASSES; over++) {
        struct kad_addr_list list = {.count = 0};
        for (size_t i = 0; i < count; i++) {
            if (kad_addr_allowed(k->config.scope, &addrs[i],
                                 (enum ma_class)over))
                kad_addr_list_add(&list, &addrs[i]);
        }
        kad_addrs_release(&k->own[over]);
        k->own[over] = kad_addrs_pack(&list);
    }
}

uint64_t kadp_id(struct kad *k)
{
    return ++k->last_id;
}

uint64_t kadp_chance(struct kad *k)
{
    uint64_t n = k->chances++;
    struct bytes in = {.p = (const uint8_t *)&n, .len = sizeof(n)};

    return siphash13(&k->config.seed[CHANCE_SEED], in);
}

enum ma_class kadp_class(const struct multiaddr *remote)
{
    enum ma_class class = multiaddr_class(remote);

    return class == MA_CLASS_LOOPBACK || class == MA_CLASS_PRIVATE
               ? class
               : MA_CLASS_PUBLIC;
}

struct kadp_out *kadp_emit(struct kad *k, enum kad_out_kind kind)
{
    struct kadp_out *o = mem_zalloc(1, sizeof(*o));

    o->kind = kind;
    list_add_tail(&k->outs, &o->link);
    return o;
}

bool kad_next(struct kad *k, struct kad_out *ret_out)
{
    struct kad_addr_list list;

    if (list_empty(&k->outs))
        return false;
    struct kadp_out *o =
        container_of(list_first(&k->outs), struct kadp_out, link);
    if (o->done != NULL) {
        *ret_out = *o->done;
        free_out(o);
        return true;
    }
    *ret_out = (struct kad_out){.kind = o->kind,
                                .query = o->query,
                                .message = o->message,
                                .peer = o->peer,
                                .bytes = o->bytes,
                                .reply_max = o->reply_max};
    kad_addrs_unpack(&o->addrs, &list);
    ret_out->addrs_count = list.count;
    for (size_t i = 0; i < list.count; i++)
        ret_out->addrs[i] = list.addrs[i];
    if (o->request != NULL)
        o->request->out = NULL;
    o->bytes = NULL; /* the owner's now */
    free_out(o);
    return true;
}

void kad_on_time(struct kad *k, struct mtime now)
{
    k->now = now;
    kadp_requests_on_time(k, now);
    kadp_queries_on_time(k, now);
    if (mtime_reached(now, k->providers_at)) {
        providers_on_time(k->providers, kadp_unix_ms(k, now));
        k->providers_at = mtime_add_ms(now, PROVIDERS_TIME_MS);
    }
    if (mtime_reached(now, k->values_at)) {
        values_on_time(k->values, kadp_unix_ms(k, now));
        k->values_at = mtime_add_ms(now, VALUES_TIME_MS);
    }
    kadp_upkeep(k, now);
}

struct mtime kad_deadline(const struct kad *k)
{
    struct mtime t =
        mtime_min(kadp_requests_deadline(k), kadp_queries_deadline(k));

    t = mtime_min(t, kadp_upkeep_deadline(k));
    /* Peers without a record are tidied away as well. */
    if (providers_get_stats(k->providers).known_count > 0)
        t = mtime_min(t, k->providers_at);
    if (values_get_stats(k->values).count > 0)
        t = mtime_min(t, k->values_at);
    return t;
}

bool kad_next_change(struct kad *k, enum kad_store store,
                     struct kad_change *ret_change)
{
    switch (store) {
    case KAD_STORE_PROVIDERS:
        return providers_next_change(k->providers, ret_change);
    case KAD_STORE_VALUES:
        return values_next_change(k->values, ret_change);
    }
    return false;
}

enum err kad_load(struct kad *k, enum kad_store store, struct bytes key,
                  struct bytes value, struct mtime now)
{
    uint64_t unix_ms = kadp_unix_ms(k, now);

    switch (store) {
    case KAD_STORE_PROVIDERS:
        /* A peer may come long before its records: it is not tidied away. */
        k->providers_at = mtime_add_ms(now, PROVIDERS_TIME_MS);
        return providers_load(k->providers, key, value, unix_ms);
    case KAD_STORE_VALUES:
        return values_load(k->values, key, value, unix_ms);
    }
    return E_UNSUPPORTED;
}

size_t kad_addrs(const struct kad *k, const struct peer_id *peer,
                 struct multiaddr dst[static KAD_ADDRS_MAX])
{
    const struct kad_addrs *addrs = kadp_addrs_of(k, peer);
    struct kad_addr_list list;

    if (addrs == NULL)
        return 0;
    kad_addrs_unpack(addrs, &list);
    for (size_t i = 0; i < list.count; i++)
        dst[i] = list.addrs[i];
    return list.count;
}

size_t kad_closest(const struct kad *k, struct bytes key, struct peer_id *dst,
                   size_t max)
{
    struct kad_contact *near[KAD_K];
    struct kad_key target = kad_key_of(key);

    if (max == 0)
        return 0;
    size_t count = kad_table_closest(&k->table, &target, NULL, near,
                                     max < KAD_K ? max : KAD_K);
    for (size_t i = 0; i < count; i++)
        dst[i] = near[i]->id;
    return count;
}

bool kad_contact(const struct kad *k, size_t i,
                 struct kad_contact_info *ret_info)
{
    const struct kad_contact *c = kad_table_at(&k->table, i);

    if (c == NULL)
        return false;
    *ret_info = (struct kad_contact_info){.peer = c->id,
                                          .cpl = c->cpl,
                                          .connected = c->connected,
                                          .added_at = c->added_at,
                                          .useful_at = c->useful_at};
    return true;
}

struct kad_stats kad_get_stats(const struct kad *k)
{
    struct kad_stats s = k->stats;
    struct providers_stats p = providers_get_stats(k->providers);

    s.contacts_count = kad_table_count(&k->table);
    s.buckets_count = kad_table_used_buckets(&k->table);
    s.known_count = k->known.count;
    s.queries_count = k->queries.count;
    s.messages_count = k->requests.count;
    s.provider_keys_count = p.keys_count;
    s.provider_records_count = p.records_count;
    s.value_records_count = values_get_stats(k->values).count;
    return s;
}
