/*
 * Goal: who has what is told while it holds; nobody takes all the room; a
 * record costs about 64 bytes; what the disk is told gives the same store back.
 * Method: each limit at it and one past it; a slow model and a disk in memory
 * that are compared with the store after random inputs; every prefix of a row.
 */
#include "kad/providers.h"
#include "kad_rows.h"

#include "test.h"

enum {
    HOUR_MS = 60 * 60 * 1000,
    RECORD_HOURS = PROVIDERS_RECORD_MS / HOUR_MS,
};

#define NOW UINT64_C(1800000000000)

static struct peer_id peer(unsigned n)
{
    uint8_t in[34] = {0x12, 0x20, (uint8_t)n, (uint8_t)(n >> 8),
                      (uint8_t)(n >> 16)};
    struct peer_id id;
    assert_int_equal(peer_id_decode((struct bytes){in, sizeof(in)}, &id), OK);
    return id;
}

static struct kad_key content(unsigned n)
{
    uint8_t in[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 1};
    return kad_key_of((struct bytes){in, sizeof(in)});
}

static struct multiaddr addr(unsigned n)
{
    char text[64];
    struct multiaddr a;
    (void)snprintf(text, sizeof(text), "/ip4/1.2.%u.%u/tcp/%u", n >> 8 & 255,
                   n & 255, 1 + (n >> 16));
    assert_int_equal(multiaddr_parse(bytes_str(text), &a), OK);
    return a;
}

static struct providers *store(struct providers_config config)
{
    return providers_new(&config);
}

static enum err add_from(struct providers *p, unsigned who, unsigned what,
                         uint64_t group, uint64_t now)
{
    struct peer_id id = peer(who);
    struct multiaddr a = addr(who);
    struct providers_claim claim = {.key = content(what),
                                    .peer = &id,
                                    .addrs = &a,
                                    .addrs_count = 1,
                                    .group = group};
    return providers_add(p, &claim, now);
}

static enum err add(struct providers *p, unsigned who, unsigned what,
                    uint64_t now)
{
    return add_from(p, who, what, 0, now);
}

enum { GOT_MAX = 1024 };

/* What get() found last. */
static struct provider *got(void)
{
    static struct provider found[GOT_MAX];
    return found;
}

static size_t get(struct providers *p, unsigned what, uint64_t now)
{
    struct kad_key key = content(what);
    return providers_get(p, &key, now, got(), GOT_MAX);
}

static bool has(struct providers *p, unsigned who, unsigned what, uint64_t now)
{
    struct peer_id id = peer(who);
    size_t count = get(p, what, now);
    for (size_t i = 0; i < count; i++) {
        if (peer_id_eq(&got()[i].peer, &id))
            return true;
    }
    return false;
}

static void add_and_get(void **state)
{
    (void)state;
    struct providers *p = store((struct providers_config){.keep = false});
    assert_int_equal(get(p, 1, NOW), 0);
    assert_int_equal(add(p, 1, 1, NOW), OK);
    assert_int_equal(add(p, 2, 1, NOW), OK);
    assert_int_equal(add(p, 2, 2, NOW), OK);
    assert_int_equal(get(p, 1, NOW), 2);
    assert_int_equal(get(p, 2, NOW), 1);
    assert_int_equal(get(p, 3, NOW), 0);
    struct peer_id two = peer(2);
    struct multiaddr want = addr(2);
    assert_int_equal(get(p, 2, NOW), 1);
    assert_true(peer_id_eq(&got()[0].peer, &two));
    struct bytes rest = got()[0].addrs;
    struct bytes a;
    assert_true(provider_next_addr(&rest, &a));
    assert_true(bytes_eq(a, multiaddr_bytes(&want)));
    assert_false(provider_next_addr(&rest, &a));
    struct providers_stats stats = providers_get_stats(p);
    assert_int_equal(stats.records_count, 3);
    assert_int_equal(stats.keys_count, 2);
    assert_int_equal(stats.peers_count, 2);
    assert_int_equal(stats.added, 3);
    assert_int_equal(stats.changes_count, 0);
    struct kad_key key = content(1);
    assert_int_equal(providers_get(p, &key, NOW, got(), 1), 1);
    assert_int_equal(providers_get(p, &key, NOW, got(), 0), 0);
    providers_free(p);
    providers_free(NULL);
}

static void addresses_are_of_the_peer(void **state)
{
    (void)state;
    struct providers *p = store((struct providers_config){.keep = false});
    struct multiaddr many[PROVIDERS_ADDRS_MAX + 1];
    for (unsigned i = 0; i < PROVIDERS_ADDRS_MAX + 1; i++)
        many[i] = addr(1000 + i);
    struct peer_id id = peer(1);
    struct providers_claim claim = {.key = content(1),
                                    .peer = &id,
                                    .addrs = many,
                                    .addrs_count = PROVIDERS_ADDRS_MAX + 1};
    assert_int_equal(add(p, 1, 2, NOW), OK);
    assert_int_equal(providers_add(p, &claim, NOW), OK);
    for (unsigned what = 1; what <= 2; what++) {
        assert_int_equal(get(p, what, NOW), 1);
        struct bytes rest = got()[0].addrs;
        struct bytes a;
        for (unsigned i = 0; i < PROVIDERS_ADDRS_MAX; i++) {
            assert_true(provider_next_addr(&rest, &a));
            assert_true(bytes_eq(a, multiaddr_bytes(&many[i])));
        }
        assert_false(provider_next_addr(&rest, &a));
    }
    /* No addresses in a claim: the known ones stay. */
    claim.addrs_count = 0;
    assert_int_equal(providers_add(p, &claim, NOW), OK);
    assert_int_equal(get(p, 1, NOW), 1);
    assert_true(got()[0].addrs.len > 0);
    /* They end before the record does, and live on when told again. */
    assert_int_equal(get(p, 1, NOW + PROVIDERS_ADDRS_MS - 1), 1);
    assert_true(got()[0].addrs.len > 0);
    assert_int_equal(get(p, 1, NOW + PROVIDERS_ADDRS_MS), 1);
    assert_int_equal(got()[0].addrs.len, 0);
    size_t memory = providers_get_stats(p).memory_bytes;
    providers_on_time(p, NOW + PROVIDERS_ADDRS_MS);
    assert_true(providers_get_stats(p).memory_bytes < memory);
    assert_int_equal(add(p, 1, 2, NOW + PROVIDERS_ADDRS_MS), OK);
    assert_int_equal(get(p, 1, NOW + PROVIDERS_ADDRS_MS), 1);
    assert_true(got()[0].addrs.len > 0);
    providers_free(p);
}

static void life(void **state)
{
    (void)state;
    struct providers *p = store((struct providers_config){.keep = false});
    uint64_t end = NOW + PROVIDERS_RECORD_MS;
    assert_int_equal(add(p, 1, 1, NOW), OK);
    assert_int_equal(add(p, 2, 1, NOW), OK);
    /* Too soon is no news; an hour later it is. */
    assert_int_equal(add(p, 1, 1, NOW + PROVIDERS_REFRESH_MS - 1000), OK);
    assert_int_equal(providers_get_stats(p).refreshed, 0);
    assert_int_equal(add(p, 2, 1, NOW + PROVIDERS_REFRESH_MS), OK);
    assert_int_equal(providers_get_stats(p).refreshed, 1);
    assert_int_equal(get(p, 1, end - 1), 2);
    assert_int_equal(get(p, 1, end), 1);
    providers_on_time(p, end - 1);
    assert_int_equal(providers_get_stats(p).records_count, 2);
    providers_on_time(p, end);
    assert_int_equal(providers_get_stats(p).records_count, 1);
    assert_int_equal(providers_get_stats(p).peers_count, 1);
    assert_true(has(p, 2, 1, end));
    providers_on_time(p, end + PROVIDERS_REFRESH_MS);
    struct providers_stats stats = providers_get_stats(p);
    assert_int_equal(stats.records_count, 0);
    assert_int_equal(stats.keys_count, 0);
    assert_int_equal(stats.peers_count, 0);
    assert_int_equal(stats.ended, 2);
    /* What has ended and is not dropped yet lives again when it is told. */
    assert_int_equal(add(p, 3, 3, NOW), OK);
    assert_int_equal(get(p, 3, end), 0);
    assert_int_equal(add(p, 3, 3, end), OK);
    assert_int_equal(get(p, 3, end), 1);
    providers_free(p);
}

static void limits_of_a_peer_and_a_group(void **state)
{
    (void)state;
    struct providers *p = store((struct providers_config){
        .peer_records_max = 10, .group_records_max = 15, .group_peers_max = 3});
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(add_from(p, 1, i, 7, NOW), OK);
    assert_int_equal(add_from(p, 1, 10, 7, NOW), E_LIMIT);
    assert_int_equal(add_from(p, 1, 9, 7, NOW), OK); /* it has that one */
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(add_from(p, 2, i, 7, NOW), OK);
    assert_int_equal(add_from(p, 2, 5, 7, NOW), E_LIMIT);
    assert_int_equal(add_from(p, 3, 5, 7, NOW), E_LIMIT);
    assert_int_equal(add_from(p, 3, 5, 8, NOW), OK);
    assert_int_equal(providers_get_stats(p).refused, 3);
    /* Peer 2 comes with its records from elsewhere: 5 + 1 of 15. */
    assert_int_equal(add_from(p, 2, 5, 9, NOW), OK);
    assert_int_equal(add_from(p, 3, 6, 7, NOW), OK);
    assert_int_equal(add_from(p, 4, 6, 7, NOW), OK);
    assert_int_equal(add_from(p, 5, 6, 7, NOW), E_LIMIT); /* fourth peer */
    assert_int_equal(add_from(p, 2, 6, 7, NOW), E_LIMIT);
    assert_int_equal(add_from(p, 5, 6, 0, NOW), OK);
    /* When they have gone there is room again. */
    uint64_t end = NOW + PROVIDERS_RECORD_MS;
    providers_on_time(p, end);
    assert_int_equal(providers_get_stats(p).records_count, 0);
    assert_int_equal(add_from(p, 2, 6, 7, end), OK);
    providers_free(p);
}

static void limits_of_a_key(void **state)
{
    (void)state;
    struct providers *p = store((struct providers_config){.keep = false});
    for (unsigned i = 0; i < PROVIDERS_KEY_GROUP_MAX; i++)
        assert_int_equal(add_from(p, i, 1, 7, NOW + UINT64_C(1000) * i), OK);
    assert_int_equal(get(p, 1, NOW), PROVIDERS_KEY_GROUP_MAX);
    assert_int_equal(add_from(p, PROVIDERS_KEY_GROUP_MAX, 1, 7, NOW + 1000000),
                     OK);
    assert_int_equal(get(p, 1, NOW), PROVIDERS_KEY_GROUP_MAX);
    assert_false(has(p, 0, 1, NOW));
    assert_true(has(p, 1, 1, NOW));
    unsigned more = PROVIDERS_KEY_MAX - PROVIDERS_KEY_GROUP_MAX;
    for (unsigned i = 0; i < more; i++)
        assert_int_equal(add_from(p, 1000 + i, 1, 100 + i, NOW + HOUR_MS), OK);
    assert_int_equal(get(p, 1, NOW), PROVIDERS_KEY_MAX);
    assert_int_equal(add_from(p, 5000, 1, 5000, NOW + HOUR_MS), OK);
    assert_int_equal(get(p, 1, NOW), PROVIDERS_KEY_MAX);
    assert_false(has(p, 1, 1, NOW));
    assert_true(has(p, 5000, 1, NOW));
    assert_int_equal(providers_get_stats(p).evicted, 2);
    assert_int_equal(providers_get_stats(p).keys_count, 1);
    providers_free(p);
}

static void the_greediest_makes_room(void **state)
{
    (void)state;
    enum { MAX = 100 };
    struct providers *p = store((struct providers_config){.records_max = MAX});
    for (unsigned i = 0; i < 70; i++)
        assert_int_equal(add(p, 1, i, NOW + UINT64_C(1000) * i), OK);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(add(p, 2, i, NOW), OK);
    assert_int_equal(providers_get_stats(p).records_count, MAX);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(add(p, 3 + i, 500, NOW), OK);
    assert_int_equal(providers_get_stats(p).records_count, MAX);
    assert_int_equal(providers_get_stats(p).evicted, 20);
    for (unsigned i = 0; i < 30; i++)
        assert_true(has(p, 2, i, NOW));
    for (unsigned i = 0; i < 70; i++)
        assert_int_equal(has(p, 1, i, NOW), i >= 20);
    /* Who has the most makes room for itself as well. */
    assert_int_equal(add(p, 1, 1000, NOW), OK);
    assert_false(has(p, 1, 20, NOW));
    assert_true(has(p, 1, 1000, NOW));
    assert_int_equal(providers_get_stats(p).records_count, MAX);
    providers_free(p);

    /* One record in all: the newest stays. */
    p = store((struct providers_config){.records_max = 1});
    assert_int_equal(add(p, 1, 1, NOW), OK);
    assert_int_equal(add(p, 1, 2, NOW), OK);
    assert_int_equal(add(p, 2, 2, NOW), OK);
    assert_true(has(p, 2, 2, NOW));
    assert_int_equal(providers_get_stats(p).records_count, 1);
    assert_int_equal(providers_get_stats(p).peers_count, 1);
    providers_free(p);
}

static void too_many_peers(void **state)
{
    (void)state;
    enum { MAX = 50 };
    struct providers *p = store((struct providers_config){.peers_max = MAX});
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(add(p, 0, i, NOW), OK);
    for (unsigned i = 1; i < MAX; i++)
        assert_int_equal(add(p, i, 1, NOW), OK);
    assert_int_equal(add(p, 1, 1, NOW), OK); /* heard of again */
    assert_int_equal(providers_get_stats(p).peers_count, MAX);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(add(p, MAX + i, 1, NOW), OK);
        assert_int_equal(providers_get_stats(p).peers_count, MAX);
        assert_false(has(p, 2 + i, 1, NOW));
    }
    assert_true(has(p, 0, 9, NOW));
    assert_true(has(p, 1, 1, NOW));
    providers_free(p);
}

static void another_part_each_time(void **state)
{
    (void)state;
    enum { COUNT = 100, ASK = 20 };
    struct providers *p = store((struct providers_config){.seed = {1, 2, 3}});
    unsigned seen[COUNT] = {0};
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(add(p, i, 1, NOW), OK);
    struct kad_key key = content(1);
    for (unsigned round = 0; round < 100; round++) {
        assert_int_equal(providers_get(p, &key, NOW, got(), ASK), ASK);
        for (unsigned i = 0; i < ASK; i++) {
            unsigned who = got()[i].peer.bytes[2];
            for (unsigned j = 0; j < i; j++)
                assert_int_not_equal(got()[j].peer.bytes[2], who);
            seen[who]++;
        }
    }
    for (unsigned i = 0; i < COUNT; i++)
        assert_in_range(seen[i], 1, 60); /* 20 on average */
    providers_free(p);
}

/* The issue: a record costs about 64 bytes, at the default limits. */
static void memory_of_a_full_store(void **state)
{
    (void)state;
    struct providers *p = store((struct providers_config){.keep = false});
    size_t empty = providers_get_stats(p).memory_bytes;
    for (unsigned i = 0; i < PROVIDERS_RECORDS_MAX; i++)
        assert_int_equal(add(p, i % 4, i, NOW), OK);
    struct providers_stats stats = providers_get_stats(p);
    assert_int_equal(stats.records_count, PROVIDERS_RECORDS_MAX);
    assert_int_equal(stats.evicted, 0);
    size_t each = (stats.memory_bytes - empty) / PROVIDERS_RECORDS_MAX;
    assert_in_range(each, 56, 66);
    /* One peer can't have more than its part. */
    assert_int_equal(add(p, 0, PROVIDERS_RECORDS_MAX, NOW), E_LIMIT);
    assert_int_equal(add(p, 9, PROVIDERS_RECORDS_MAX, NOW), OK);
    providers_on_time(p, NOW + PROVIDERS_RECORD_MS);
    size_t count = providers_get_stats(p).records_count;
    assert_int_equal(count, PROVIDERS_RECORDS_MAX - PROVIDERS_WORK_MAX);
    providers_free(p);
}

/* Most nodes hold few records: they cost little there. */
static void memory_of_a_small_store(void **state)
{
    (void)state;
    struct providers *p = store((struct providers_config){.keep = true});
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(add_from(p, i, i, 1 + i, NOW), OK);
    assert_true(providers_get_stats(p).memory_bytes <= UINT64_C(8) * 1024);
    /* Records that move when there are more are the same ones. */
    for (unsigned i = 10; i < 5000; i++) {
        assert_int_equal(add(p, i % 10, i, NOW), OK);
        assert_true(has(p, i / 2 % 10, i / 2, NOW));
    }
    for (unsigned i = 0; i < 5000; i++)
        assert_true(has(p, i % 10, i, NOW));
    providers_free(p);
}

static struct kad_rows *disk(void)
{
    static struct kad_rows d;
    return &d;
}

static size_t drain(struct providers *p, struct kad_rows *d)
{
    struct kad_change change;
    size_t count = 0;
    while (providers_next_change(p, &change)) {
        kad_rows_apply(d, &change);
        count++;
    }
    assert_int_equal(providers_get_stats(p).changes_count, 0);
    return count;
}

static enum err load(struct providers *p, const struct kad_row *row,
                     uint64_t now)
{
    return providers_load(p, kad_row_key(row), kad_row_value(row), now);
}

/* What each of the few peers and keys of the random test should say. */
enum { PEERS = 12, KEYS = 12 };

struct model {
    uint64_t ends_s[PEERS][KEYS]; /* 0: none */
    uint64_t addrs_s[PEERS];
};

static void check_model(struct providers *p, const struct model *m,
                        uint64_t now)
{
    size_t records = 0;
    for (unsigned what = 0; what < KEYS; what++) {
        size_t want = 0;
        for (unsigned who = 0; who < PEERS; who++)
            want += m->ends_s[who][what] > now / 1000;
        records += want;
        size_t count = get(p, what, now);
        assert_int_equal(count, want);
        for (size_t i = 0; i < count; i++) {
            unsigned who = got()[i].peer.bytes[2];
            assert_true(m->ends_s[who][what] > now / 1000);
            assert_int_equal(got()[i].addrs.len > 0,
                             m->addrs_s[who] > now / 1000);
        }
    }
    assert_true(providers_get_stats(p).records_count >= records);
}

static void add_to_model(struct model *m, unsigned who, unsigned what,
                         uint64_t now)
{
    uint64_t ends_s = (now + PROVIDERS_RECORD_MS) / 1000;
    uint64_t addrs_s = (now + PROVIDERS_ADDRS_MS) / 1000;
    uint64_t news_s = PROVIDERS_REFRESH_MS / 1000;
    if (ends_s >= m->ends_s[who][what] + news_s)
        m->ends_s[who][what] = ends_s;
    if (addrs_s >= m->addrs_s[who] + news_s)
        m->addrs_s[who] = addrs_s;
}

static void reload_and_check(const struct providers_config *config,
                             const struct model *m, uint64_t now, bool backward)
{
    struct providers *copy = providers_new(config);
    for (size_t j = 0; j < disk()->count; j++) {
        size_t at = backward ? disk()->count - 1 - j : j;
        assert_int_equal(load(copy, &disk()->rows[at], now), OK);
    }
    assert_int_equal(providers_get_stats(copy).changes_count, 0);
    check_model(copy, m, now);
    providers_free(copy);
}

static void the_disk_gives_the_store_back(void **state)
{
    (void)state;
    struct providers_config config = {.keep = true};
    struct providers *p = providers_new(&config);
    struct model m = {0};
    uint64_t now = NOW;
    unsigned x = 1;
    disk()->count = 0;
    for (unsigned i = 0; i < 4000; i++) {
        x = x * 1103515245 + 12345;
        unsigned who = (x >> 16) % PEERS;
        unsigned what = (x >> 8) % KEYS;
        assert_int_equal(add_from(p, who, what, (x >> 20) % 4, now), OK);
        add_to_model(&m, who, what, now);
        now += (x >> 12) % (HOUR_MS * 2);
        if (i % 10 == 0)
            providers_on_time(p, now);
        check_model(p, &m, now);
        if (i % 7 == 0)
            drain(p, disk());
        if (i % 100 != 0)
            continue;
        drain(p, disk());
        struct providers_stats stats = providers_get_stats(p);
        assert_int_equal(disk()->count,
                         stats.records_count + stats.peers_count);
        reload_and_check(&config, &m, now, i % 200 == 0);
    }
    assert_true(providers_get_stats(p).ended > 0);
    now += PROVIDERS_RECORD_MS;
    providers_on_time(p, now);
    drain(p, disk());
    providers_on_time(p, now);
    drain(p, disk());
    assert_int_equal(disk()->count, 0);
    assert_int_equal(providers_get_stats(p).peers_count, 0);
    providers_free(p);
}

static void small_stores_stay_in_their_limits(void **state)
{
    (void)state;
    struct providers_config config = {.records_max = 60,
                                      .peers_max = 12,
                                      .peer_records_max = 20,
                                      .group_records_max = 30,
                                      .group_peers_max = 5,
                                      .keep = true};
    struct providers *p = providers_new(&config);
    uint64_t now = NOW;
    unsigned x = 7;
    disk()->count = 0;
    for (unsigned i = 0; i < 20000; i++) {
        x = x * 1103515245 + 12345;
        unsigned who = (x >> 16) % 40;
        enum err err =
            add_from(p, who, (x >> 6) % 97, 1 + (who + (x >> 28) % 2) % 6, now);
        assert_true(err == OK || err == E_LIMIT);
        now += (x >> 12) % (HOUR_MS / 4);
        if (i % 31 == 0)
            providers_on_time(p, now);
        drain(p, disk());
        struct providers_stats stats = providers_get_stats(p);
        assert_true(stats.records_count <= config.records_max);
        assert_true(stats.peers_count <= config.peers_max);
        assert_int_equal(disk()->count,
                         stats.records_count + stats.peers_count);
        if (i % 1000 == 0) {
            struct providers *copy = providers_new(&config);
            for (size_t j = 0; j < disk()->count; j++)
                assert_int_equal(load(copy, &disk()->rows[j], now), OK);
            struct providers_stats of_copy = providers_get_stats(copy);
            assert_int_equal(of_copy.records_count, stats.records_count);
            assert_int_equal(of_copy.keys_count, stats.keys_count);
            assert_int_equal(of_copy.peers_count, stats.peers_count);
            providers_free(copy);
        }
    }
    struct providers_stats stats = providers_get_stats(p);
    assert_true(stats.evicted > 0);
    assert_true(stats.refused > 0);
    assert_true(stats.ended > 0);
    providers_free(p);
}

static void bad_rows(void **state)
{
    (void)state;
    struct providers_config config = {.keep = true};
    struct providers *p = providers_new(&config);
    disk()->count = 0;
    assert_int_equal(add_from(p, 1, 1, 5, NOW), OK);
    drain(p, disk());
    assert_int_equal(disk()->count, 2);
    providers_free(p);
    p = providers_new(&config);
    for (size_t i = 0; i < disk()->count; i++) {
        struct kad_row row = disk()->rows[i];
        for (row.key_len = 0; row.key_len < disk()->rows[i].key_len;
             row.key_len++)
            assert_int_not_equal(load(p, &row, NOW), OK);
        row = disk()->rows[i];
        for (size_t len = 0; len < disk()->rows[i].value_len; len++) {
            row.value_len = len;
            /* A peer without addresses is one. */
            enum err want = row.key[0] == 'p' && len == 17 ? OK : E_SHORT;
            assert_int_equal(load(p, &row, NOW), want);
        }
        row = disk()->rows[i];
        row.value[0]++;
        assert_int_equal(load(p, &row, NOW), E_UNSUPPORTED);
        row = disk()->rows[i];
        row.key[0] = 'x';
        assert_int_equal(load(p, &row, NOW), E_MALFORMED);
    }
    /* One byte too many in a record; an address that is none. */
    struct kad_row record = disk()->rows[disk()->rows[0].key[0] == 'r' ? 0 : 1];
    struct kad_row of_peer =
        disk()->rows[disk()->rows[0].key[0] == 'r' ? 1 : 0];
    record.value[record.value_len++] = 0;
    assert_int_equal(load(p, &record, NOW), E_MALFORMED);
    record.value_len--;
    struct kad_row broken = of_peer;
    memset(broken.value + 19, 0xff, broken.value_len - 19);
    assert_int_not_equal(load(p, &broken, NOW), OK);
    /* Nine addresses. */
    broken = of_peer;
    size_t each = broken.value_len - 17;
    for (size_t i = 1; i < PROVIDERS_ADDRS_MAX + 1; i++)
        memcpy(broken.value + 17 + i * each, of_peer.value + 17, each);
    broken.value_len = 17 + (PROVIDERS_ADDRS_MAX + 1) * each;
    assert_int_equal(load(p, &broken, NOW), E_LIMIT);
    broken.value_len -= each;
    assert_int_equal(load(p, &broken, NOW), OK);
    /* A time in the future is not believed. */
    memset(record.value + 1, 0xff, 8);
    assert_int_equal(load(p, &record, NOW), OK);
    assert_int_equal(get(p, 1, NOW + PROVIDERS_RECORD_MS - 1), 1);
    assert_int_equal(get(p, 1, NOW + PROVIDERS_RECORD_MS), 0);
    assert_int_equal(load(p, &record, NOW), E_MALFORMED); /* twice */
    providers_free(p);
}

static void a_peer_row_alone_is_removed(void **state)
{
    (void)state;
    struct providers_config config = {.keep = true};
    struct providers *p = providers_new(&config);
    disk()->count = 0;
    assert_int_equal(add(p, 1, 1, NOW), OK);
    drain(p, disk());
    providers_free(p);
    if (disk()->rows[0].key[0] != 'p')
        disk()->rows[0] = disk()->rows[1];
    disk()->count = 1;
    p = providers_new(&config);
    assert_int_equal(load(p, &disk()->rows[0], NOW), OK);
    assert_int_equal(providers_get_stats(p).peers_count, 0);
    assert_int_equal(providers_get_stats(p).known_count, 1);
    providers_on_time(p, NOW);
    assert_int_equal(drain(p, disk()), 1);
    assert_int_equal(disk()->count, 0);
    assert_int_equal(providers_get_stats(p).known_count, 0);
    providers_free(p);
}

static void nobody_takes_the_changes(void **state)
{
    (void)state;
    enum { MAX = 10 };
    struct providers *p = store((struct providers_config){
        .records_max = MAX, .peers_max = MAX, .keep = true});
    unsigned added = 0;
    while (added < 100 && add(p, added, added, NOW) == OK)
        added++;
    assert_int_equal(added, 2 * MAX);
    disk()->count = 0;
    drain(p, disk());
    assert_int_equal(add(p, 500, 500, NOW), OK);
    /* Told once, however often it changes before it is taken. */
    drain(p, disk());
    for (unsigned i = 0; i < RECORD_HOURS; i++)
        assert_int_equal(add(p, 500, 500, NOW + (uint64_t)i * HOUR_MS), OK);
    assert_int_equal(providers_get_stats(p).changes_count, 2);
    providers_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_and_get),
        cmocka_unit_test(addresses_are_of_the_peer),
        cmocka_unit_test(life),
        cmocka_unit_test(limits_of_a_peer_and_a_group),
        cmocka_unit_test(limits_of_a_key),
        cmocka_unit_test(the_greediest_makes_room),
        cmocka_unit_test(too_many_peers),
        cmocka_unit_test(another_part_each_time),
        cmocka_unit_test(memory_of_a_full_store),
        cmocka_unit_test(memory_of_a_small_store),
        cmocka_unit_test(the_disk_gives_the_store_back),
        cmocka_unit_test(small_stores_stay_in_their_limits),
        cmocka_unit_test(bad_rows),
        cmocka_unit_test(a_peer_row_alone_is_removed),
        cmocka_unit_test(nobody_takes_the_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
