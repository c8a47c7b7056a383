#include "kad/providers.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "kad/providers_priv.h"

enum {
    BUCKETS_MIN = 16,
    FIRST_PAGE_MIN = 16,     /* records: doubled until the page is whole */
    CLAIMANT_WORK_MAX = 512, /* looked at by providers_on_time() */
    MS_PER_S = 1000,
};

uint32_t providers_seconds(uint64_t unix_ms)
{
    uint64_t s = unix_ms / MS_PER_S;

    return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static uint32_t add_seconds(uint32_t s, uint32_t ms)
{
    uint32_t more = ms / MS_PER_S;

    return s > UINT32_MAX - more ? UINT32_MAX : s + more;
}

static void use_default(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

struct providers *providers_new(const struct providers_config *config)
{
    struct providers *p = mem_zalloc(1, sizeof(*p));
    struct providers_config *c = &p->config;

    *c = *config;
    use_default(&c->records_max, PROVIDERS_RECORDS_MAX);
    use_default(&c->peers_max, PROVIDERS_PEERS_MAX);
    use_default(&c->peer_records_max, PROVIDERS_PEER_RECORDS_MAX);
    use_default(&c->group_records_max, PROVIDERS_GROUP_RECORDS_MAX);
    use_default(&c->group_peers_max, PROVIDERS_GROUP_PEERS_MAX);
    assert(c->records_max <= UINT32_MAX / 4);
    assert(c->peers_max <= CLAIMANTS_MAX / 2);
    map_init(&p->claimants_by_id, config->seed);
    map_init(&p->groups, config->seed);
    list_init(&p->claimant_changes);
    for (size_t i = 0; i < RANKS; i++)
        list_init(&p->ranks[i]);
    if (c->keep)
        p->row = mem_alloc(sizeof(*p->row));
    struct rd r = rd_init((struct bytes){config->seed, sizeof(config->seed)});
    p->chance = rd_le64(&r);
    return p;
}

void providers_free(struct providers *p)
{
    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->claimants_room; i++) {
        if (p->claimants[i] == NULL)
            continue;
        mem_free(p->claimants[i]->addrs);
        mem_free(p->claimants[i]);
    }
    for (struct map_node *n = map_first(&p->groups); n != NULL;
         n = map_first(&p->groups)) {
        map_remove(&p->groups, n);
        mem_free(container_of(n, struct group, node));
    }
    for (uint32_t i = 0; i < p->pages_count; i++)
        mem_free(p->pages[i]);
    map_release(&p->claimants_by_id);
    map_release(&p->groups);
    mem_free(p->claimants);
    mem_free(p->pages);
    mem_free(p->row);
    mem_free(p->buckets);
    mem_free(p);
}

/* Records. ----------------------------------------------------------------- */

struct record *providers_record(const struct providers *p, uint32_t number)
{
    assert(number >= 1);
    assert(number <= p->used);
    uint32_t i = number - 1;

    return &p->pages[i >> PAGE_BITS][i & (PAGE_RECORDS - 1)];
}

static uint32_t *bucket_of(const struct providers *p, const struct kad_key *key)
{
    uint64_t hash = siphash13(p->config.seed, kad_key_bytes(key));

    return &p->buckets[hash & (p->buckets_count - 1)];
}

static void grow_buckets(struct providers *p)
{
    mem_free(p->buckets);
    p->buckets_count =
        p->buckets_count == 0 ? BUCKETS_MIN : 2 * p->buckets_count;
    p->buckets = mem_zalloc(p->buckets_count, sizeof(*p->buckets));
    for (uint32_t i = 1; i <= p->used; i++) {
        struct record *r = providers_record(p, i);
        if ((r->flags & RECORD_LIVES) == 0)
            continue;
        uint32_t *bucket = bucket_of(p, &r->key);
        r->chain = *bucket;
        *bucket = i;
    }
}

/* First record of the chain that @key is in; 0 when it is empty. */
static uint32_t chain_of(const struct providers *p, const struct kad_key *key)
{
    return p->buckets_count == 0 ? 0 : *bucket_of(p, key);
}

/* The next record at @key from @number on along its chain, or 0. */
static uint32_t next_at(const struct providers *p, uint32_t number,
                        const struct kad_key *key)
{
    while (number != 0) {
        const struct record *r = providers_record(p, number);
        if (kad_key_eq(&r->key, key))
            break;
        number = r->chain;
    }
    return number;
}

uint32_t providers_find(const struct providers *p, const struct kad_key *key,
                        const struct claimant *c)
{
    uint32_t i = next_at(p, chain_of(p, key), key);

    while (i != 0) {
        const struct record *r = providers_record(p, i);
        if (r->claimant == c->index)
            break;
        i = next_at(p, r->chain, key);
    }
    return i;
}

/*
 * Room for more records.  Most nodes hold few records, so the first page
 * begins small and doubles; those after it are whole.
 */
static void grow_pages(struct providers *p)
{
    if (p->room < PAGE_RECORDS) {
        uint32_t room = p->room == 0 ? FIRST_PAGE_MIN : 2 * p->room;
        if (p->pages == NULL)
            p->pages = mem_zalloc(1, sizeof(struct record *));
        p->pages[0] = mem_resize(p->pages[0], room, sizeof(struct record));
        p->pages_count = 1;
        p->room = room;
        return;
    }
    p->pages =
        mem_resize(p->pages, p->pages_count + 1, sizeof(struct record *));
    p->pages[p->pages_count] = mem_alloc(PAGE_RECORDS * sizeof(struct record));
    p->pages_count++;
    p->room += PAGE_RECORDS;
}

/* A record that is used for nothing, or 0. */
static uint32_t take_free(struct providers *p)
{
    uint32_t number = p->free;

    if (number != 0) {
        p->free = providers_record(p, number)->chain;
        return number;
    }
    uint32_t max = p->config.records_max;
    if (p->used >= (p->config.keep ? 2 * max : max))
        return 0;
    if (p->used == p->room)
        grow_pages(p);
    p->used++;
    *providers_record(p, p->used) = (struct record){.ends_s = 0};
    return p->used;
}

void providers_free_record(struct providers *p, uint32_t number)
{
    struct record *r = providers_record(p, number);
    struct claimant *c = p->claimants[r->claimant];

    *r = (struct record){.chain = p->free};
    p->free = number;
    c->refs--;
    providers_drop_claimant(p, c);
}

static void mark_record(struct providers *p, uint32_t number)
{
    struct record *r = providers_record(p, number);

    if (!p->config.keep || (r->flags & RECORD_CHANGED) != 0)
        return;
    r->flags |= RECORD_CHANGED;
    r->change = 0;
    if (p->change_first == 0)
        p->change_first = number;
    else
        providers_record(p, p->change_last)->change = number;
    p->change_last = number;
    p->stats.changes_count++;
}

/* Lists of claimants. ------------------------------------------------------ */

static void list_append(struct providers *p, struct claimant *c,
                        uint32_t number)
{
    struct record *r = providers_record(p, number);

    r->prev = c->last;
    r->next = 0;
    if (c->last == 0)
        c->first = number;
    else
        providers_record(p, c->last)->next = number;
    c->last = number;
}

static void list_take(struct providers *p, struct claimant *c, uint32_t number)
{
    const struct record *r = providers_record(p, number);

    if (r->prev == 0)
        c->first = r->next;
    else
        providers_record(p, r->prev)->next = r->next;
    if (r->next == 0)
        c->last = r->prev;
    else
        providers_record(p, r->next)->prev = r->prev;
}

/* @c was heard of, or has another number of records. */
static void set_rank(struct providers *p, struct claimant *c)
{
    unsigned rank = 0;

    list_remove(&c->rank);
    if (c->records == 0)
        return;
    for (uint32_t n = c->records; n > 1; n >>= 1)
        rank++;
    list_add_tail(&p->ranks[rank], &c->rank);
}

static void mark_claimant(struct providers *p, struct claimant *c)
{
    if (!p->config.keep || !list_empty(&c->change))
        return;
    list_add_tail(&p->claimant_changes, &c->change);
    p->stats.changes_count++;
}

/* One live record of @c more, or one less. */
static void count_record(struct providers *p, struct claimant *c, bool more)
{
    struct group *g = c->group;
    uint32_t before = c->records;

    c->records = more ? before + 1 : before - 1;
    p->count = more ? p->count + 1 : p->count - 1;
    if (g != NULL)
        g->records = more ? g->records + 1 : g->records - 1;
    bool first = before == 0;
    bool last = c->records == 0;
    if (first || last) {
        p->stats.peers_count += first ? 1 : (size_t)-1;
        if (g != NULL)
            g->peers = first ? g->peers + 1 : g->peers - 1;
    }
    set_rank(p, c);
}

static bool has_key(const struct providers *p, const struct kad_key *key)
{
    return next_at(p, chain_of(p, key), key) != 0;
}

uint32_t providers_insert(struct providers *p, struct claimant *c,
                          const struct kad_key *key, uint32_t ends_s)
{
    uint32_t number = take_free(p);

    if (number == 0)
        return 0;
    if (p->count >= p->buckets_count)
        grow_buckets(p);
    if (!has_key(p, key))
        p->stats.keys_count++;
    struct record *r = providers_record(p, number);
    *r = (struct record){
        .key = *key,
        .claimant = c->index & CLAIMANTS_MAX,
        .flags = RECORD_LIVES,
        .ends_s = ends_s,
    };
    uint32_t *bucket = bucket_of(p, key);
    r->chain = *bucket;
    *bucket = number;
    list_append(p, c, number);
    c->refs++;
    count_record(p, c, true);
    return number;
}

/* End the life of a record. Its claimant may go with it. */
static void remove_record(struct providers *p, uint32_t number)
{
    struct record *r = providers_record(p, number);
    struct claimant *c = p->claimants[r->claimant];
    uint32_t *at = bucket_of(p, &r->key);

    while (*at != number)
        at = &providers_record(p, *at)->chain;
    *at = r->chain;
    if (!has_key(p, &r->key))
        p->stats.keys_count--;
    list_take(p, c, number);
    r->flags &= (uint32_t)~RECORD_LIVES & 0xff;
    count_record(p, c, false);
    mark_record(p, number);
    if (c->records == 0)
        mark_claimant(p, c);
    if (!p->config.keep)
        providers_free_record(p, number);
}

/* Making room. ------------------------------------------------------------- */

static void evict(struct providers *p, uint32_t number)
{
    remove_record(p, number);
    p->stats.evicted++;
}

/* Of two records the one that ends first; 0 is none. */
static uint32_t sooner(const struct providers *p, uint32_t a, uint32_t b)
{
    if (a == 0)
        return b;
    const struct record *record_a = providers_record(p, a);
    const struct record *record_b = providers_record(p, b);
    return record_b->ends_s < record_a->ends_s ? b : a;
}

/* One record less for a claimant of the highest rank. */
static void evict_of_greediest(struct providers *p)
{
    size_t rank = RANKS - 1;
    uint32_t victim = 0;
    unsigned looked = 0;

    while (list_empty(&p->ranks[rank])) {
        assert(rank > 0);
        rank--;
    }
    const struct claimant *c =
        container_of(list_first(&p->ranks[rank]), struct claimant, rank);
    for (uint32_t i = c->first; i != 0 && looked < PROVIDERS_EVICT_LOOK;
         i = providers_record(p, i)->next) {
        victim = sooner(p, victim, i);
        looked++;
    }
    evict(p, victim);
}

/*
 * One claimant less, of the lowest rank.  That has fewer than twice the records
 * that each has on average, so the work is bounded.
 */
static void evict_claimant(struct providers *p)
{
    size_t rank = 0;

    while (list_empty(&p->ranks[rank])) {
        rank++;
        assert(rank < RANKS);
    }
    struct claimant *c =
        container_of(list_first(&p->ranks[rank]), struct claimant, rank);
    c->refs++;
    while (c->first != 0)
        evict(p, c->first);
    c->refs--;
    providers_drop_claimant(p, c);
}

/* Room at one key for a record of @group. */
static void make_room_at(struct providers *p, const struct kad_key *key,
                         const struct group *group)
{
    uint32_t all = 0;
    uint32_t of_group = 0;
    uint32_t first_of_all = 0;
    uint32_t first_of_group = 0;

    for (uint32_t i = next_at(p, chain_of(p, key), key); i != 0;
         i = next_at(p, providers_record(p, i)->chain, key)) {
        all++;
        first_of_all = sooner(p, first_of_all, i);
        const struct record *r = providers_record(p, i);
        if (group == NULL || p->claimants[r->claimant]->group != group)
            continue;
        of_group++;
        first_of_group = sooner(p, first_of_group, i);
    }
    if (of_group >= PROVIDERS_KEY_GROUP_MAX)
        evict(p, first_of_group);
    else if (all >= PROVIDERS_KEY_MAX)
        evict(p, first_of_all);
}

/* Adding. ------------------------------------------------------------------ */

/* Whether @c, or with NULL a new claimant, may have one record more. */
static bool is_allowed(const struct providers *p, const struct claimant *c,
                       uint64_t number)
{
    uint32_t records = c == NULL ? 0 : c->records;
    const struct group *g =
        number == 0 ? NULL : providers_find_group(p, number);

    if (records >= p->config.peer_records_max)
        return false;
    if (g == NULL)
        return true;
    bool is_in = c != NULL && c->group == g;
    if (g->records + (is_in ? 0 : records) >= p->config.group_records_max)
        return false;
    bool is_counted = is_in && records > 0;
    return is_counted || g->peers < p->config.group_peers_max;
}

static void take_addrs(struct providers *p, struct claimant *c,
                       const struct providers_claim *claim, uint32_t now_s)
{
    uint8_t packed[ADDRS_BYTES_MAX];
    struct wr w = wr_init(packed, sizeof(packed));
    struct bytes addrs = BYTES_EMPTY;
    uint32_t end_s = add_seconds(now_s, PROVIDERS_ADDRS_MS);

    if (claim->addrs_count == 0)
        return;
    for (size_t i = 0; i < claim->addrs_count && i < PROVIDERS_ADDRS_MAX; i++) {
        struct bytes addr = multiaddr_bytes(&claim->addrs[i]);
        wr_be16(&w, (uint16_t)addr.len);
        wr_bytes(&w, addr);
    }
    enum err err = wr_finish(&w, &addrs);
    assert(err == OK);
    struct bytes old = {.p = c->addrs, .len = c->addrs_len};
    bool is_news = !bytes_eq(addrs, old) ||
                   end_s >= add_seconds(c->addrs_end_s, PROVIDERS_REFRESH_MS);
    if (!is_news)
        return;
    providers_set_addrs(p, c, addrs, end_s);
    mark_claimant(p, c);
}

static void refresh(struct providers *p, struct claimant *c, uint32_t number,
                    uint32_t ends_s)
{
    struct record *r = providers_record(p, number);

    set_rank(p, c);
    if (ends_s < add_seconds(r->ends_s, PROVIDERS_REFRESH_MS))
        return;
    r->ends_s = ends_s;
    list_take(p, c, number);
    list_append(p, c, number);
    mark_record(p, number);
    p->stats.refreshed++;
}

/* True when removals that nobody took leave no number for a record. */
static bool is_stuck(const struct providers *p)
{
    return p->config.keep && p->free == 0 &&
           p->used >= 2 * p->config.records_max;
}

/* A record that is not there yet; @c is held. */
static void add_new(struct providers *p, struct claimant *c,
                    const struct providers_claim *claim, uint32_t now_s)
{
    uint32_t ends_s = add_seconds(now_s, PROVIDERS_RECORD_MS);

    if (c->records == 0 && p->stats.peers_count >= p->config.peers_max)
        evict_claimant(p);
    make_room_at(p, &claim->key, c->group);
    if (p->count >= p->config.records_max)
        evict_of_greediest(p);
    uint32_t number = providers_insert(p, c, &claim->key, ends_s);
    assert(number != 0);
    mark_record(p, number);
    if (c->records == 1)
        mark_claimant(p, c);
    take_addrs(p, c, claim, now_s);
    p->stats.added++;
}

enum err providers_add(struct providers *p, const struct providers_claim *claim,
                       uint64_t unix_ms)
{
    uint32_t now_s = providers_seconds(unix_ms);
    struct claimant *c = providers_find_claimant(p, claim->peer);
    uint32_t number = c == NULL ? 0 : providers_find(p, &claim->key, c);

    if (number != 0) {
        refresh(p, c, number, add_seconds(now_s, PROVIDERS_RECORD_MS));
        take_addrs(p, c, claim, now_s);
        return OK;
    }
    if (!is_stuck(p) && is_allowed(p, c, claim->group))
        c = providers_claimant(p, claim->peer);
    else
        c = NULL;
    if (c == NULL) {
        p->stats.refused++;
        return E_LIMIT;
    }
    c->refs++;
    providers_set_group(p, c, claim->group);
    add_new(p, c, claim, now_s);
    c->refs--;
    return OK;
}

/* Asking. ------------------------------------------------------------------ */

/* The next number of a sequence that only the seed decides. */
static uint64_t next_chance(struct providers *p)
{
    p->chance += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = p->chance;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The next record at @key along its chain that has not ended, or 0. */
static uint32_t next_live(const struct providers *p, uint32_t number,
                          const struct kad_key *key, uint32_t now_s)
{
    uint32_t i = next_at(p, number, key);

    while (i != 0) {
        const struct record *r = providers_record(p, i);
        if (r->ends_s > now_s)
            break;
        i = next_at(p, r->chain, key);
    }
    return i;
}

static struct provider make_provider(const struct providers *p, uint32_t number,
                                     uint32_t now_s)
{
    const struct record *r = providers_record(p, number);
    const struct claimant *c = p->claimants[r->claimant];
    struct provider out = {.peer = c->id};

    if (c->addrs_end_s > now_s)
        out.addrs = (struct bytes){.p = c->addrs, .len = c->addrs_len};
    return out;
}

size_t providers_get(struct providers *p, const struct kad_key *key,
                     uint64_t unix_ms, struct provider *dst, size_t max)
{
    uint32_t now_s = providers_seconds(unix_ms);
    uint32_t first = next_live(p, chain_of(p, key), key, now_s);
    uint64_t all = 0;
    size_t count = 0;

    for (uint32_t i = first; i != 0;
         i = next_live(p, providers_record(p, i)->chain, key, now_s))
        all++;
    if (all == 0)
        return 0;
    uint64_t skip = next_chance(p) % all;
    uint32_t at = first;
    while (skip > 0) {
        at = next_live(p, providers_record(p, at)->chain, key, now_s);
        skip--;
    }
    while (count < max && count < all) {
        dst[count++] = make_provider(p, at, now_s);
        at = next_live(p, providers_record(p, at)->chain, key, now_s);
        if (at == 0)
            at = first;
    }
    return count;
}

bool provider_next_addr(struct bytes *addrs, struct bytes *ret_addr)
{
    struct rd r = rd_init(*addrs);
    struct bytes addr = rd_view(&r, rd_be16(&r));

    if (r.err != OK)
        return false;
    *addrs = rd_rest(&r);
    *ret_addr = addr;
    return true;
}

/* Time. -------------------------------------------------------------------- */

/* Addresses that are too old, and claimants that a row was loaded of only. */
static void tidy_claimants(struct providers *p, uint32_t now_s)
{
    uint32_t work = p->claimants_room;

    if (work > CLAIMANT_WORK_MAX)
        work = CLAIMANT_WORK_MAX;
    for (; work > 0; work--) {
        p->claimant_hand = (p->claimant_hand + 1) % p->claimants_room;
        struct claimant *c = p->claimants[p->claimant_hand];
        if (c == NULL)
            continue;
        if (c->addrs_end_s <= now_s)
            providers_set_addrs(p, c, BYTES_EMPTY, 0);
        if (c->refs == 0)
            mark_claimant(p, c);
        providers_drop_claimant(p, c);
    }
}

void providers_on_time(struct providers *p, uint64_t unix_ms)
{
    uint32_t now_s = providers_seconds(unix_ms);
    uint32_t work = p->used;

    if (work > PROVIDERS_WORK_MAX)
        work = PROVIDERS_WORK_MAX;
    for (; work > 0; work--) {
        p->hand = p->hand % p->used + 1;
        const struct record *r = providers_record(p, p->hand);
        if ((r->flags & RECORD_LIVES) == 0 || r->ends_s > now_s)
            continue;
        remove_record(p, p->hand);
        p->stats.ended++;
    }
    tidy_claimants(p, now_s);
}

struct providers_stats providers_get_stats(const struct providers *p)
{
    struct providers_stats stats = p->stats;

    stats.records_count = p->count;
    stats.known_count = p->claimants_by_id.count;
    stats.memory_bytes =
        sizeof(*p) + (p->row == NULL ? 0 : sizeof(*p->row)) +
        p->room * sizeof(struct record) +
        p->buckets_count * sizeof(*p->buckets) +
        p->claimants_room * sizeof(struct claimant *) +
        p->claimants_by_id.count * sizeof(struct claimant) +
        p->claimants_by_id.buckets_count * sizeof(struct map_node *) +
        p->addrs_bytes;
    return stats;
}
