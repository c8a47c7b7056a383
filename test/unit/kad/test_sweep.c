/*
 * Goal: every key reaches its closest peers, for far fewer messages than a
 * lookup a key; the sweep keeps to its plan, and goes on where it stopped.
 * Method: a network in memory.  Its peers have routing tables of 20 contacts a
 * bucket, lookups go from peer to peer and count their requests; or, where the
 * result is to be exact, they see everything.  What each peer was told is
 * compared with who is closest of all.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "kad/kad.h"
#include "kad/sweep.h"

#include "test.h"

enum {
    PEERS_MAX = 1000,
    BUCKETS = 24,
    CLOSEST = SWEEP_K,
    HOUR_MS = 60 * 60 * 1000,
    SAMPLE = 101, /* of so many keys one is looked at */
};

#define UNIX_MS   UINT64_C(1800000000000)
#define SECOND_NS UINT64_C(1000000000)

struct key_row {
    struct kad_key key;
    uint32_t number;
};

struct world {
    size_t peers_count;
    struct peer_id ids[PEERS_MAX];
    struct kad_key points[PEERS_MAX];
    uint16_t tables[PEERS_MAX][BUCKETS][CLOSEST];
    uint8_t table_counts[PEERS_MAX][BUCKETS];
    bool walks; /* lookups go from peer to peer */
    unsigned lost_percent;
    bool dead; /* lookups find nobody */
    bool sends_fail;

    struct key_row *keys;
    size_t keys_count;
    uint8_t *told; /* of sampled keys: a byte a peer */
    uint64_t told_count;
    bool counts;       /* messages that it takes to tell */
    uint64_t messages; /* ADD_PROVIDERs */
    uint32_t messages_of[SWEEP_KEYS_MAX + 1]; /* by keys; 0: not known yet */
    uint64_t chance;

    struct sweep_cursor saved;
    unsigned saves;
    unsigned under_way_max;
    bool one_circle; /* do no more when the keyspace was walked round */
};

static uint32_t chance(struct world *w)
{
    w->chance = w->chance * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(w->chance >> 33);
}

static struct multihash hash_of(uint32_t number)
{
    struct multihash h = {.code = 0x12, .len = 32};
    memcpy(h.digest, &number, sizeof(number));
    return h;
}

static int order(const void *a, const void *b)
{
    const struct key_row *x = a;
    const struct key_row *y = b;
    return kad_key_cmp(&x->key, &y->key);
}

static struct kad_key point_of(uint32_t number)
{
    struct multihash h = hash_of(number);
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    size_t len = multihash_encode(&h, bytes);
    return kad_key_of((struct bytes){bytes, len});
}

static void make_peer(struct world *w, size_t i, uint32_t number)
{
    uint8_t in[34] = {0x12, 0x20, 9};
    memcpy(in + 3, &number, sizeof(number));
    struct bytes bytes = {in, sizeof(in)};
    assert_int_equal(peer_id_decode(bytes, &w->ids[i]), OK);
    w->points[i] = kad_key_of_peer(&w->ids[i]);
}

static struct world *make_world(size_t peers, size_t keys)
{
    struct world *w = mem_zalloc(1, sizeof(*w));
    w->chance = peers * 31 + keys;
    w->peers_count = peers;
    for (size_t i = 0; i < peers; i++)
        make_peer(w, i, (uint32_t)i);
    w->keys_count = keys;
    w->keys = mem_zalloc(keys + 1, sizeof(*w->keys));
    for (uint32_t i = 0; i < keys; i++)
        w->keys[i] = (struct key_row){point_of(i), i};
    qsort(w->keys, keys, sizeof(*w->keys), order);
    w->told = mem_zalloc(keys / SAMPLE + 1, PEERS_MAX);
    return w;
}

static void free_world(struct world *w)
{
    mem_free(w->keys);
    mem_free(w->told);
    mem_free(w);
}

/* Routing tables: of each bucket up to 20 peers, by chance. */
static void make_tables(struct world *w)
{
    w->walks = true;
    for (size_t i = 0; i < w->peers_count; i++) {
        unsigned seen[BUCKETS] = {0};
        for (size_t j = 0; j < w->peers_count; j++) {
            unsigned cpl = kad_key_cpl(&w->points[i], &w->points[j]);
            if (i == j || cpl >= BUCKETS)
                continue;
            size_t at = seen[cpl]++;
            if (at >= CLOSEST)
                at = chance(w) % seen[cpl];
            if (at < CLOSEST)
                w->tables[i][cpl][at] = (uint16_t)j;
            if (w->table_counts[i][cpl] < CLOSEST)
                w->table_counts[i][cpl]++;
        }
    }
}

/* A list of peers, nearest to a target first. */
struct nearest {
    struct kad_key target;
    size_t max;
    size_t count;
    uint16_t peers[CLOSEST];
};

static void offer(const struct world *w, struct nearest *n, uint16_t peer)
{
    const struct kad_key *point = &w->points[peer];
    size_t at = n->count;
    while (at > 0 && kad_key_cmp_distance(&n->target, point,
                                          &w->points[n->peers[at - 1]]) < 0)
        at--;
    if (at > 0 && n->peers[at - 1] == peer)
        return;
    if (at == n->max)
        return;
    if (n->count < n->max)
        n->count++;
    memmove(&n->peers[at + 1], &n->peers[at],
            (n->count - at - 1) * sizeof(n->peers[0]));
    n->peers[at] = peer;
}

static struct nearest closest_of_all(const struct world *w,
                                     const struct kad_key *target)
{
    struct nearest n = {.target = *target, .max = CLOSEST};
    for (size_t i = 0; i < w->peers_count; i++)
        offer(w, &n, (uint16_t)i);
    return n;
}

static void ask_peer(const struct world *w, struct nearest *n, uint16_t peer)
{
    struct nearest answer = {.target = n->target, .max = CLOSEST};
    for (unsigned b = 0; b < BUCKETS; b++) {
        for (unsigned i = 0; i < w->table_counts[peer][b]; i++)
            offer(w, &answer, w->tables[peer][b][i]);
    }
    for (size_t i = 0; i < answer.count; i++)
        offer(w, n, answer.peers[i]);
}

/* Ask until the 20 closest that are known have all been asked. */
static struct nearest walk(struct world *w, const struct kad_key *target,
                           uint32_t *messages)
{
    bool asked[PEERS_MAX] = {false};
    struct nearest n = {.target = *target, .max = CLOSEST};
    /* What we know ourselves is what some peer knows. */
    ask_peer(w, &n, (uint16_t)(chance(w) % w->peers_count));
    for (size_t i = 0; i < n.count;) {
        uint16_t peer = n.peers[i];
        if (asked[peer]) {
            i++;
            continue;
        }
        asked[peer] = true;
        (*messages)++;
        ask_peer(w, &n, peer);
        i = 0;
    }
    return n;
}

static void answer_lookup(struct world *w, struct sweep *s,
                          const struct sweep_out *out, struct mtime now)
{
    struct kad_key target =
        kad_key_of((struct bytes){out->target, out->target_len});
    uint32_t messages = 0;
    struct nearest n =
        w->walks ? walk(w, &target, &messages) : closest_of_all(w, &target);
    struct peer_id peers[CLOSEST];
    size_t count = 0;
    for (size_t i = 0; i < n.count && !w->dead; i++) {
        if (chance(w) % 100 >= w->lost_percent)
            peers[count++] = w->ids[n.peers[i]];
    }
    sweep_on_lookup(s, out->id, peers, count, messages, now);
}

static void answer_keys(struct world *w, struct sweep *s,
                        const struct sweep_out *out, struct mtime now)
{
    static struct sweep_key page[SWEEP_KEYS_MAX];
    size_t low = 0;
    size_t high = w->keys_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (kad_key_cmp(&w->keys[middle].key, &out->from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    assert_true(kad_key_cmp(&out->from, &out->to) <= 0);
    size_t count = 0;
    while (low + count < w->keys_count && count < out->keys_max &&
           kad_key_cmp(&w->keys[low + count].key, &out->to) <= 0) {
        const struct key_row *row = &w->keys[low + count];
        page[count++] = (struct sweep_key){row->key, hash_of(row->number)};
    }
    size_t next = low + count;
    bool more = next < w->keys_count && count > 0 &&
                kad_key_cmp(&w->keys[next].key, &out->to) <= 0;
    sweep_on_keys(s, out->id, page, count, more, now);
}

/*
 * ADD_PROVIDERs that a SEND takes in our own network: as many as the DHT itself
 * makes of it, with all addresses that it may tell.
 */
static uint32_t messages_of(const struct sweep_out *out)
{
    static struct kad_out sent;
    struct kad_config config = {.self = {.len = 3, .bytes = {0, 1, 1}},
                                .scope = KAD_OWN};
    struct multiaddr addrs[KAD_ADDRS_MAX];
    struct mtime now = {1};
    uint64_t query;
    struct kad *k = kad_new(&config, now);
    for (size_t i = 0; i < KAD_ADDRS_MAX; i++) {
        struct ma_ip ip = {.len = 16, .bytes = {0x20, 1, 0x48, (uint8_t)i}};
        addrs[i] = multiaddr_from_ip_port(&ip, MA_TCP, 4001);
    }
    kad_set_addrs(k, addrs, KAD_ADDRS_MAX);
    assert_int_equal(kad_provide_to(k, &out->peer, out->hashes,
                                    out->hashes_count, now, &query),
                     OK);
    while (kad_next(k, &sent) && sent.kind == KAD_SEND) {
        buf_unref(sent.bytes);
        kad_on_sent(k, sent.message, now);
    }
    assert_int_equal(sent.kind, KAD_DONE);
    assert_int_equal(sent.stored_count, out->hashes_count);
    kad_free(k);
    return sent.stats.messages;
}

/* The same for each SEND; all keys are of one length, so their number tells. */
static void count_messages(struct world *w, const struct sweep_out *out)
{
    uint32_t *messages = &w->messages_of[out->hashes_count];
    if (*messages == 0)
        *messages = messages_of(out);
    w->messages += *messages;
}

static void take_send(struct world *w, const struct sweep_out *out)
{
    size_t peer = 0;
    while (!peer_id_eq(&w->ids[peer], &out->peer))
        peer++;
    assert_in_range(out->hashes_count, 1, SWEEP_KEYS_MAX);
    if (w->counts)
        count_messages(w, out);
    for (size_t i = 0; i < out->hashes_count; i++) {
        uint32_t number;
        memcpy(&number, out->hashes[i].digest, sizeof(number));
        w->told_count++;
        if (number % SAMPLE == 0)
            w->told[(size_t)(number / SAMPLE) * PEERS_MAX + peer]++;
    }
}

/* Do what the sweep says until it says no more. */
static void drain(struct world *w, struct sweep *s, struct mtime now)
{
    struct sweep_out out;
    uint64_t sends[SWEEP_SENDS_MAX + 1];
    unsigned under_way = 0;
    bool any = true;
    while (any) {
        if (w->one_circle && sweep_get_stats(s, now).circles == 1)
            return;
        any = sweep_next(s, &out);
        if (any && out.kind == SWEEP_SEND) {
            take_send(w, &out);
            assert_true(under_way < SWEEP_SENDS_MAX);
            sends[under_way++] = out.id;
            if (under_way > w->under_way_max)
                w->under_way_max = under_way;
        } else if (any && out.kind == SWEEP_WANT_KEYS) {
            answer_keys(w, s, &out, now);
        } else if (any && out.kind == SWEEP_LOOKUP) {
            answer_lookup(w, s, &out, now);
        } else if (any) {
            w->saved = out.cursor;
            w->saves++;
        } else if (under_way > 0) {
            /* Any order will do. */
            unsigned i = chance(w) % under_way;
            uint64_t id = sends[i];
            sends[i] = sends[--under_way];
            sweep_on_sent(s, id, !w->sends_fail, now);
            any = true;
        }
    }
}

/* Let time pass until @until, as an owner does. */
static void run(struct world *w, struct sweep *s, struct mtime *now,
                struct mtime until)
{
    drain(w, s, *now);
    while (!mtime_before(until, sweep_deadline(s))) {
        struct mtime next = sweep_deadline(s);
        assert_false(mtime_before(next, *now) &&
                     sweep_get_stats(s, *now).late_ms == 0);
        if (mtime_before(*now, next))
            *now = next;
        sweep_on_time(s, *now);
        drain(w, s, *now);
    }
    *now = until;
}

static struct sweep *begin(const struct sweep_cursor *cursor, uint64_t unix_ms,
                           struct mtime now)
{
    struct sweep_config config = {
        .seed = 1, .unix_ms = unix_ms, .cursor = cursor};
    return sweep_new(&config, now);
}

/*
 * How many of its closest peers each sampled key reached: at least, and the sum
 * of all.  None was told a key more than @times.
 */
static size_t check_told(const struct world *w, unsigned times,
                         uint64_t *ret_sum)
{
    size_t least = CLOSEST;
    *ret_sum = 0;
    for (size_t i = 0; i < w->keys_count; i++) {
        uint32_t number = w->keys[i].number;
        if (number % SAMPLE != 0)
            continue;
        const uint8_t *told = &w->told[(size_t)(number / SAMPLE) * PEERS_MAX];
        struct nearest n = closest_of_all(w, &w->keys[i].key);
        size_t reached = 0;
        for (size_t j = 0; j < n.count; j++)
            reached += told[n.peers[j]] > 0;
        for (size_t j = 0; j < w->peers_count; j++)
            assert_true(told[j] <= times);
        if (reached < least)
            least = reached;
        *ret_sum += reached;
    }
    return least;
}

static void forget_told(struct world *w)
{
    memset(w->told, 0, (w->keys_count / SAMPLE + 1) * PEERS_MAX);
    w->told_count = 0;
}

static void a_million_keys(void **state)
{
    (void)state;
    enum { KEYS = 1000 * 1000, LOOKUPS = 300 };
    struct world *w = make_world(PEERS_MAX, KEYS);
    make_tables(w);
    uint32_t single = 0;
    for (uint32_t i = 0; i < LOOKUPS; i++)
        (void)walk(w, &w->keys[(size_t)i * (KEYS / LOOKUPS)].key, &single);

    struct mtime now = {0};
    struct sweep *s = begin(NULL, UNIX_MS, now);
    w->one_circle = true;
    w->counts = true;
    drain(w, s, now);
    struct sweep_stats stats = sweep_get_stats(s, now);
    uint64_t sum = 0;
    size_t least = check_told(w, 1, &sum);
    size_t samples = KEYS / SAMPLE + 1;
    assert_int_equal(stats.keys, KEYS);
    assert_int_equal(stats.records, (uint64_t)KEYS * CLOSEST);
    assert_int_equal(w->told_count, stats.records);
    assert_true(least >= 16);

    /*
     * Requests of lookups and ADD_PROVIDERs in our own network, against the
     * requests of a lookup a key without any ADD_PROVIDER.
     */
    uint64_t one_by_one = (uint64_t)KEYS * single / LOOKUPS;
    uint64_t swept = stats.lookup_messages + w->messages;
    print_message(
        "1,000,000 keys, 1,000 peers: %llu regions, %llu lookups, "
        "%llu requests in them, %llu sends of %llu records\n",
        (unsigned long long)stats.regions, (unsigned long long)stats.lookups,
        (unsigned long long)stats.lookup_messages,
        (unsigned long long)stats.sends, (unsigned long long)stats.records);
    print_message("%llu ADD_PROVIDERs in our own network; a lookup a key: %llu "
                  "requests, %llu times as many as all of these; closest peers "
                  "reached: %zu at least, %llu.%02llu on average\n",
                  (unsigned long long)w->messages,
                  (unsigned long long)one_by_one,
                  (unsigned long long)(one_by_one / swept), least,
                  (unsigned long long)(sum / samples),
                  (unsigned long long)(sum * 100 / samples % 100));
    assert_true(w->messages >= stats.sends);
    assert_true(one_by_one >= 20 * swept);
    sweep_free(s);
    free_world(w);
}

/* With lookups that see everything, exactly the closest peers are told. */
static void exact_in_networks_of_all_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,  2,  3,  10, 19,  20,  21,
                                   22, 40, 41, 60, 100, 300, 1000};
    static const size_t keys[] = {1, 2, 50, 5000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t j = 0; j < sizeof(keys) / sizeof(keys[0]); j++) {
            struct world *w = make_world(sizes[i], keys[j]);
            struct mtime now = {0};
            struct sweep *s = begin(NULL, UNIX_MS, now);
            w->one_circle = true;
            drain(w, s, now);
            struct sweep_stats stats = sweep_get_stats(s, now);
            uint64_t sum = 0;
            size_t closest = sizes[i] < CLOSEST ? sizes[i] : CLOSEST;
            assert_int_equal(check_told(w, 1, &sum), closest);
            assert_int_equal(stats.circles, 1);
            assert_int_equal(stats.keys, keys[j]);
            assert_int_equal(stats.records, keys[j] * closest);
            assert_int_equal(stats.late_ms, 0);
            assert_true(stats.lookups <= keys[j] + 400);
            sweep_free(s);
            free_world(w);
        }
    }
}

/* Half of the peers crowd into 1/256 of the keyspace. */
static void exact_where_peers_crowd(void **state)
{
    (void)state;
    struct world *w = make_world(600, 20000);
    uint32_t number = 10000;
    for (size_t i = 0; i < w->peers_count; i += 2) {
        do
            make_peer(w, i, number++);
        while (w->points[i].b[0] != 0x5a);
    }
    struct mtime now = {0};
    struct sweep *s = begin(NULL, UNIX_MS, now);
    w->one_circle = true;
    drain(w, s, now);
    uint64_t sum = 0;
    assert_int_equal(check_told(w, 1, &sum), CLOSEST);
    assert_int_equal(sweep_get_stats(s, now).keys, 20000);
    sweep_free(s);
    free_world(w);
}

static void lookups_that_miss_peers(void **state)
{
    (void)state;
    struct world *w = make_world(1000, 20000);
    make_tables(w);
    w->lost_percent = 10;
    struct mtime now = {0};
    struct sweep *s = begin(NULL, UNIX_MS, now);
    w->one_circle = true;
    drain(w, s, now);
    uint64_t sum = 0;
    size_t least = check_told(w, 1, &sum);
    assert_true(least >= 10);
    assert_true(sum >= 17 * (w->keys_count / SAMPLE + 1));
    assert_int_equal(sweep_get_stats(s, now).keys, 20000);
    sweep_free(s);
    free_world(w);
}

static void sends_are_few_at_a_time(void **state)
{
    (void)state;
    struct world *w = make_world(100, 3000);
    struct mtime now = {0};
    w->sends_fail = true;
    struct sweep *s = begin(NULL, UNIX_MS, now);
    w->one_circle = true;
    drain(w, s, now);
    struct sweep_stats stats = sweep_get_stats(s, now);
    assert_int_equal(w->under_way_max, SWEEP_SENDS_MAX);
    assert_int_equal(stats.sends_failed, stats.sends);
    assert_int_equal(stats.keys, 3000);
    sweep_on_sent(s, 0, true, now);
    sweep_on_sent(s, 1234567, true, now);
    sweep_free(s);
    free_world(w);
}

static void pages_of_any_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 7, 1999, 2000, 2001, 0};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct world *w = make_world(15, 2000);
        struct sweep_config config = {.unix_ms = UNIX_MS, .keys_max = sizes[i]};
        struct mtime now = {0};
        struct sweep *s = sweep_new(&config, now);
        w->one_circle = true;
        drain(w, s, now);
        uint64_t sum = 0;
        assert_int_equal(check_told(w, 1, &sum), 15);
        assert_int_equal(w->told_count, 2000 * 15);
        sweep_free(s);
        free_world(w);
    }
}

static struct mtime after_ms(struct mtime t, uint64_t ms)
{
    return (struct mtime){t.ns + ms * 1000000};
}

/* Where the cursor is, in 1/1000 of the keyspace. */
static unsigned place(const struct sweep *s, struct mtime now)
{
    struct kad_key at = sweep_get_stats(s, now).at;
    return (unsigned)(((unsigned)at.b[0] << 8 | at.b[1]) * 1000 >> 16);
}

static void spread_over_the_interval(void **state)
{
    (void)state;
    struct world *w = make_world(1000, 20000);
    struct sweep_cursor cursor = {.due_unix_ms = UNIX_MS};
    struct mtime now = {5 * SECOND_NS};
    struct sweep *s = begin(&cursor, UNIX_MS, now);
    struct mtime start = now;
    for (unsigned i = 1; i <= 20; i++) {
        run(w, s, &now, after_ms(start, (uint64_t)SWEEP_INTERVAL_MS * i / 20));
        unsigned want = i * 50 % 1000;
        unsigned got = place(s, now);
        /* A region ahead at most, of which there are 32 or more. */
        assert_in_range((got + 1000 - want) % 1000, 0, 70);
        assert_int_equal(sweep_get_stats(s, now).late_ms, 0);
    }
    assert_in_range(w->told_count, 20 * 20000, 20 * 21500);
    assert_in_range(w->saves, 30, 200);
    uint64_t sum = 0;
    assert_int_equal(check_told(w, 2, &sum), CLOSEST);
    /* The next circle begins where the plan says. */
    forget_told(w);
    run(w, s, &now, after_ms(now, SWEEP_INTERVAL_MS));
    assert_int_equal(check_told(w, 2, &sum), CLOSEST);
    assert_int_equal(sweep_get_stats(s, now).circles, 2);
    sweep_free(s);
    free_world(w);
}

static void goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct world *w = make_world(500, 10000);
    struct sweep_cursor cursor = {.due_unix_ms = UNIX_MS};
    struct mtime now = {5 * SECOND_NS};
    uint64_t unix_ms = UNIX_MS;
    /* Six starts, each with another zero of time, as of a machine. */
    for (unsigned i = 0; i < 6; i++) {
        struct sweep *s = begin(&cursor, unix_ms, now);
        run(w, s, &now, after_ms(now, SWEEP_INTERVAL_MS / 6));
        unix_ms += SWEEP_INTERVAL_MS / 6;
        cursor = w->saved;
        sweep_free(s);
        now.ns = i * SECOND_NS;
    }
    uint64_t sum = 0;
    assert_int_equal(check_told(w, 2, &sum), CLOSEST);
    assert_in_range(w->told_count, 20 * 10000, 20 * 11500);
    free_world(w);
}

static void late_by(uint64_t late_ms, uint64_t min_keys, uint64_t max_keys)
{
    struct world *w = make_world(1000, 20000);
    struct sweep_cursor cursor = {.at = {.b = {0x40}},
                                  .due_unix_ms = UNIX_MS - late_ms};
    struct mtime now = {SECOND_NS};
    struct sweep *s = begin(&cursor, UNIX_MS, now);
    drain(w, s, now);
    assert_in_range(sweep_get_stats(s, now).keys, min_keys, max_keys);
    assert_int_equal(sweep_get_stats(s, now).late_ms, 0);
    assert_true(mtime_before(now, sweep_deadline(s)));
    sweep_free(s);
    free_world(w);
}

static void late_is_made_up_for(void **state)
{
    (void)state;
    late_by(0, 0, 1500); /* one region */
    late_by(SWEEP_INTERVAL_MS / 4, 5000, 6500);
    late_by(SWEEP_INTERVAL_MS, 20000, 21500);
    /* Once round is enough, however late. */
    late_by(UINT64_C(100) * SWEEP_INTERVAL_MS, 20000, 21500);
    late_by(UNIX_MS, 20000, 21500);
}

static void clock_set_back(void **state)
{
    (void)state;
    struct sweep_cursor cursor = {.due_unix_ms = UNIX_MS * 2};
    struct mtime now = {SECOND_NS};
    struct sweep *s = begin(&cursor, UNIX_MS, now);
    assert_int_equal(sweep_deadline(s).ns, after_ms(now, SWEEP_INTERVAL_MS).ns);
    sweep_free(s);
}

static void hurry(void **state)
{
    (void)state;
    struct world *w = make_world(300, 5000);
    struct sweep_cursor cursor = {.due_unix_ms = UNIX_MS + HOUR_MS};
    struct mtime now = {SECOND_NS};
    struct sweep *s = begin(&cursor, UNIX_MS, now);
    drain(w, s, now);
    assert_int_equal(w->told_count, 0);
    sweep_hurry(s, now);
    assert_true(sweep_get_stats(s, now).late_ms > 0);
    drain(w, s, now);
    /* And the first region again, whose turn it is by the plan. */
    assert_in_range(w->told_count, 20 * 5000, 20 * 6500);
    assert_int_equal(sweep_get_stats(s, now).late_ms, 0);
    sweep_free(s);
    free_world(w);
}

/* A key that comes while there are none waits for its place in the circle. */
static void nothing_to_announce(void **state)
{
    (void)state;
    struct world *w = make_world(100, 0);
    struct mtime now = {0};
    struct sweep *s = begin(NULL, UNIX_MS, now);
    drain(w, s, now);
    assert_int_equal(sweep_get_stats(s, now).lookups, 0);
    struct mtime start = now;
    run(w, s, &now, after_ms(start, SWEEP_INTERVAL_MS / 2));
    assert_in_range(place(s, now), 500, 520);
    assert_int_equal(sweep_get_stats(s, now).lookups, 0);
    struct mtime next = sweep_deadline(s);
    assert_true(next.ns - now.ns <=
                after_ms((struct mtime){0}, SWEEP_INTERVAL_MS / 64 + 1).ns);
    sweep_free(s);
    free_world(w);
}

static void nobody_is_found(void **state)
{
    (void)state;
    struct world *w = make_world(100, 1000);
    struct mtime now = {0};
    w->dead = true;
    struct sweep *s = begin(NULL, UNIX_MS, now);
    for (unsigned i = 1; i <= SWEEP_FAILURES_MAX; i++) {
        drain(w, s, now);
        struct sweep_stats stats = sweep_get_stats(s, now);
        assert_int_equal(stats.lookups, i);
        assert_int_equal(stats.regions_skipped, i == SWEEP_FAILURES_MAX);
        assert_int_equal(sweep_deadline(s).ns,
                         mtime_add_ms(now, SWEEP_RETRY_MS).ns);
        sweep_on_time(s, (struct mtime){sweep_deadline(s).ns - 1});
        struct sweep_out out;
        assert_false(sweep_next(s, &out));
        now = sweep_deadline(s);
        sweep_on_time(s, now);
    }
    assert_int_equal(place(s, now), 1000 / 64);
    /* Back again: the rest is announced at once, since it is late. */
    w->dead = false;
    w->one_circle = true;
    drain(w, s, now);
    assert_in_range(w->told_count, 20 * 960, 20 * 1000);
    w->one_circle = false;
    drain(w, s, now); /* what was begun is finished */

    /* Offline nothing is begun. */
    sweep_set_online(s, false, now);
    sweep_hurry(s, now);
    assert_int_equal(sweep_deadline(s).ns, MTIME_NEVER.ns);
    forget_told(w);
    drain(w, s, now);
    assert_int_equal(w->told_count, 0);
    sweep_set_online(s, true, now);
    drain(w, s, now);
    assert_true(w->told_count > 0);
    sweep_free(s);
    free_world(w);
}

/* Some of the lookups within a region find nobody: the rest is enough. */
static void some_lookups_fail(void **state)
{
    (void)state;
    struct world *w = make_world(1000, 20000);
    struct mtime now = {0};
    struct sweep *s = begin(NULL, UNIX_MS, now);
    struct sweep_out out;
    unsigned i = 0;
    while (sweep_get_stats(s, now).circles == 0) {
        w->dead = false;
        drain(w, s, now);
        assert_true(i++ < 10000);
        now = sweep_deadline(s);
        sweep_on_time(s, now);
        while (sweep_next(s, &out)) {
            w->dead = chance(w) % 4 == 0;
            if (out.kind == SWEEP_LOOKUP)
                answer_lookup(w, s, &out, now);
            else if (out.kind == SWEEP_WANT_KEYS)
                answer_keys(w, s, &out, now);
            else if (out.kind == SWEEP_SEND) {
                take_send(w, &out);
                sweep_on_sent(s, out.id, true, now);
            }
        }
    }
    assert_true(sweep_get_stats(s, now).keys >= 20000);
    sweep_free(s);
    free_world(w);
}

/* Answers that nobody waits for change nothing. */
static void old_answers(void **state)
{
    (void)state;
    struct world *w = make_world(30, 100);
    struct mtime now = {0};
    struct sweep *s = begin(NULL, UNIX_MS, now);
    struct sweep_out out;
    sweep_on_keys(s, 1, NULL, 0, false, now); /* not asked yet */
    assert_true(sweep_next(s, &out));
    assert_int_equal(out.kind, SWEEP_WANT_KEYS);
    sweep_on_keys(s, out.id + 1, NULL, 0, false, now);
    sweep_on_lookup(s, out.id + 1, w->ids, 1, 1, now);
    assert_false(sweep_next(s, &out));
    sweep_free(s);
    s = begin(NULL, UNIX_MS, now);
    assert_true(sweep_next(s, &out));
    answer_keys(w, s, &out, now);
    uint64_t old = out.id;
    assert_true(sweep_next(s, &out));
    assert_int_equal(out.kind, SWEEP_LOOKUP);
    sweep_on_keys(s, old, NULL, 0, false, now);
    answer_lookup(w, s, &out, now);
    sweep_on_lookup(s, out.id, w->ids, 1, 1, now);
    assert_int_equal(sweep_get_stats(s, now).lookups, 1);
    sweep_free(s); /* in the middle */
    sweep_free(NULL);
    free_world(w);
}

static void cursor_in_bytes(void **state)
{
    (void)state;
    struct sweep_cursor cursor = {.at = point_of(1), .due_unix_ms = UNIX_MS};
    struct sweep_cursor back = {0};
    uint8_t bytes[SWEEP_CURSOR_BYTES + 1] = {0};
    sweep_cursor_encode(&cursor, bytes);
    struct bytes in = {bytes, SWEEP_CURSOR_BYTES};
    assert_int_equal(sweep_cursor_decode(in, &back), OK);
    assert_true(kad_key_eq(&back.at, &cursor.at));
    assert_int_equal(back.due_unix_ms, UNIX_MS);
    for (in.len = 0; in.len < SWEEP_CURSOR_BYTES; in.len++)
        assert_int_equal(sweep_cursor_decode(in, &back), E_SHORT);
    in.len++;
    assert_int_equal(sweep_cursor_decode(in, &back), E_MALFORMED);
    bytes[0]++;
    in.len--;
    assert_int_equal(sweep_cursor_decode(in, &back), E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_keys),
        cmocka_unit_test(exact_in_networks_of_all_sizes),
        cmocka_unit_test(exact_where_peers_crowd),
        cmocka_unit_test(lookups_that_miss_peers),
        cmocka_unit_test(sends_are_few_at_a_time),
        cmocka_unit_test(pages_of_any_size),
        cmocka_unit_test(spread_over_the_interval),
        cmocka_unit_test(goes_on_where_it_stopped),
        cmocka_unit_test(late_is_made_up_for),
        cmocka_unit_test(clock_set_back),
        cmocka_unit_test(hurry),
        cmocka_unit_test(nothing_to_announce),
        cmocka_unit_test(nobody_is_found),
        cmocka_unit_test(some_lookups_fail),
        cmocka_unit_test(old_answers),
        cmocka_unit_test(cursor_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
