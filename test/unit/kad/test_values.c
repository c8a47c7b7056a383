/*
 * Goal: only valid values are kept, the better of two wins, nobody takes all
 * the room, nothing outlives its time, and what the disk is told gives the same
 * store back.
 * Method: records and keys made from seeds; each limit at it and one past it;
 * a disk in memory that is compared with the store after random inputs; every
 * prefix and every byte of a row.
 */
#include "base/wr.h"
#include "kad/ipns.h"
#include "kad/values.h"
#include "kad_rows.h"
#include "multiformats/key.h"

#include "test.h"

enum { HOUR_MS = 60 * 60 * 1000 };

#define NOW UINT64_C(1800000000000)

/* A value and its key, of the owner @seed. */
struct sample {
    uint8_t key[VALUE_KEY_MAX];
    size_t key_len;
    uint8_t value[IPNS_RECORD_MAX];
    size_t value_len;
};

static struct bytes key_of(const struct sample *s)
{
    return (struct bytes){s->key, s->key_len};
}

static struct bytes value_of(const struct sample *s)
{
    return (struct bytes){s->value, s->value_len};
}

static struct privkey owner(unsigned seed)
{
    uint8_t bytes[ED25519_SEED_BYTES] = {(uint8_t)seed, (uint8_t)(seed >> 8)};
    struct privkey key;
    privkey_init_seed(&key, bytes);
    return key;
}

static void make_ipns(struct sample *s, unsigned seed, uint64_t sequence,
                      uint64_t eol_ms, size_t len)
{
    static uint8_t text[IPNS_VALUE_MAX] = "/ipfs/";
    struct privkey key = owner(seed);
    struct value_key parts = {VALUE_IPNS, privkey_peer_id(&key)};
    struct ipns_fields fields = {.value = {text, len},
                                 .sequence = sequence,
                                 .eol = unix_time_of_ms(eol_ms),
                                 .ttl_ns = 1};
    struct wr w = wr_init(s->value, sizeof(s->value));
    assert_int_equal(ipns_make(&key, &fields, &w), OK);
    s->value_len = wr_len(&w);
    s->key_len = value_key_encode(&parts, s->key);
    privkey_release(&key);
}

static struct sample ipns(unsigned seed, uint64_t sequence)
{
    struct sample s;
    make_ipns(&s, seed, sequence, NOW + (uint64_t)1000 * HOUR_MS, 6);
    return s;
}

static void make_pk(struct sample *s, unsigned seed)
{
    struct privkey key = owner(seed);
    struct value_key parts = {VALUE_PK, privkey_peer_id(&key)};
    struct pubkey public = privkey_public(&key);
    struct wr w = wr_init(s->value, sizeof(s->value));
    pubkey_write(&w, &public);
    s->value_len = wr_len(&w);
    s->key_len = value_key_encode(&parts, s->key);
    privkey_release(&key);
}

static struct values *store(struct values_config config)
{
    return values_new(&config);
}

static enum err put(struct values *v, const struct sample *s, uint64_t now)
{
    return values_put(v, key_of(s), value_of(s), 0, now);
}

static bool has(const struct values *v, const struct sample *s, uint64_t now)
{
    struct value got;
    enum err err = values_get(v, key_of(s), now, &got);
    if (err == OK)
        return bytes_eq(got.bytes, value_of(s));
    assert_int_equal(err, E_NOTFOUND);
    return false;
}

static void keys(void **state)
{
    (void)state;
    struct sample s = ipns(1, 1);
    struct value_key parts;
    assert_int_equal(value_key_decode(key_of(&s), &parts), OK);
    assert_int_equal(parts.space, VALUE_IPNS);
    uint8_t again[VALUE_KEY_MAX];
    assert_int_equal(value_key_encode(&parts, again), s.key_len);
    assert_memory_equal(again, s.key, s.key_len);
    assert_memory_equal(again, "/ipns/\x00\x24\x08\x01\x12\x20", 12);
    make_pk(&s, 1);
    assert_int_equal(value_key_decode(key_of(&s), &parts), OK);
    assert_int_equal(parts.space, VALUE_PK);
    assert_memory_equal(s.key, "/pk/\x00\x24\x08\x01\x12\x20", 10);
    for (size_t len = 0; len < s.key_len; len++)
        assert_int_not_equal(
            value_key_decode((struct bytes){s.key, len}, &parts), OK);
    assert_int_equal(value_key_decode(BYTES_LIT("/foo/x"), &parts),
                     E_UNSUPPORTED);
    assert_int_equal(value_key_decode(BYTES_LIT(""), &parts), E_UNSUPPORTED);
    assert_int_equal(value_key_decode(BYTES_LIT("pk/"), &parts), E_UNSUPPORTED);
}

static void only_valid_values(void **state)
{
    (void)state;
    struct sample s = ipns(1, 1);
    struct sample other = ipns(2, 1);
    struct sample pk;
    make_pk(&pk, 1);
    assert_int_equal(value_check(key_of(&s), value_of(&s), NOW), OK);
    assert_int_equal(value_check(key_of(&other), value_of(&s), NOW),
                     E_MISMATCH);
    assert_int_equal(value_check(key_of(&s), value_of(&s), UINT64_MAX / 4),
                     E_TIMEOUT);
    assert_int_equal(value_check(key_of(&pk), value_of(&pk), NOW), OK);
    assert_int_equal(value_check(BYTES_LIT("/xx/a"), value_of(&s), NOW),
                     E_UNSUPPORTED);
    static uint8_t big[VALUE_BYTES_MAX + 1];
    assert_int_equal(
        value_check(key_of(&s), (struct bytes){big, sizeof(big)}, NOW),
        E_LIMIT);
    assert_int_equal(
        value_check(key_of(&s), (struct bytes){big, sizeof(big) - 1}, NOW),
        E_MALFORMED);
    struct sample pk2;
    make_pk(&pk2, 2);
    assert_int_equal(value_check(key_of(&pk), value_of(&pk2), NOW), E_MISMATCH);
    for (size_t len = 0; len < pk.value_len; len++)
        assert_int_not_equal(
            value_check(key_of(&pk), (struct bytes){pk.value, len}, NOW), OK);
    for (size_t len = 0; len < s.value_len; len++)
        assert_int_not_equal(
            value_check(key_of(&s), (struct bytes){s.value, len}, NOW), OK);
    assert_int_equal(value_cmp(key_of(&pk), value_of(&pk), value_of(&pk)), 0);
    struct sample newer = ipns(1, 2);
    assert_true(value_cmp(key_of(&s), value_of(&newer), value_of(&s)) > 0);
    assert_true(value_cmp(key_of(&s), value_of(&s), value_of(&newer)) < 0);
}

static void the_better_stays(void **state)
{
    (void)state;
    struct values *v = store((struct values_config){.keep = false});
    struct sample first = ipns(1, 5);
    struct sample newer = ipns(1, 6);
    struct sample pk;
    make_pk(&pk, 1);
    assert_false(has(v, &first, NOW));
    assert_int_equal(put(v, &first, NOW), OK);
    assert_true(has(v, &first, NOW));
    assert_int_equal(put(v, &newer, NOW), OK);
    assert_true(has(v, &newer, NOW));
    assert_int_equal(put(v, &first, NOW), E_REFUSED);
    assert_true(has(v, &newer, NOW));
    assert_int_equal(put(v, &pk, NOW), OK);
    assert_true(has(v, &pk, NOW));
    struct values_stats stats = values_get_stats(v);
    assert_int_equal(stats.count, 2);
    assert_int_equal(stats.stored, 3);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.changes_count, 0);
    /* What a store refuses leaves it as it was. */
    newer.value[newer.value_len - 1] ^= 1;
    assert_int_not_equal(put(v, &newer, NOW), OK);
    newer.value[newer.value_len - 1] ^= 1;
    assert_true(has(v, &newer, NOW));
    values_free(v);
}

static void life(void **state)
{
    (void)state;
    struct values *v = store((struct values_config){.keep = false});
    struct sample s = ipns(1, 1);
    struct sample brief;
    make_ipns(&brief, 2, 1, NOW + HOUR_MS, 6);
    uint64_t end = NOW + VALUES_LIFE_MS;
    assert_int_equal(put(v, &s, NOW), OK);
    assert_int_equal(put(v, &brief, NOW), OK);
    assert_true(has(v, &brief, NOW + HOUR_MS - 1));
    assert_false(has(v, &brief, NOW + HOUR_MS));
    assert_true(has(v, &s, end - 1));
    assert_false(has(v, &s, end));
    values_on_time(v, end - 1);
    assert_int_equal(values_get_stats(v).count, 1);
    assert_int_equal(values_get_stats(v).ended, 1);

    /* The same again: too soon is no news, later it lives longer. */
    assert_int_equal(put(v, &s, NOW + VALUES_REFRESH_MS - 1), OK);
    assert_false(has(v, &s, end));
    assert_int_equal(put(v, &s, NOW + VALUES_REFRESH_MS), OK);
    assert_true(has(v, &s, end));
    struct value got;
    assert_int_equal(values_get(v, key_of(&s), end, &got), OK);
    assert_int_equal(got.received_unix_ms, NOW + VALUES_REFRESH_MS);
    assert_int_equal(values_get_stats(v).refreshed, 1);

    /* An older one is taken when the better one has ended. */
    struct sample newer;
    make_ipns(&newer, 3, 9, NOW + HOUR_MS, 6);
    struct sample older = ipns(3, 8);
    assert_int_equal(put(v, &newer, NOW), OK);
    assert_int_equal(put(v, &older, NOW), E_REFUSED);
    assert_int_equal(put(v, &older, NOW + HOUR_MS), OK);
    assert_true(has(v, &older, NOW + HOUR_MS));
    values_free(v);
}

static void limits_of_all(void **state)
{
    (void)state;
    enum { MAX = 20 };
    struct values *v = store((struct values_config){.count_max = MAX});
    for (unsigned i = 0; i < MAX; i++) {
        struct sample s = ipns(i, 1);
        assert_int_equal(put(v, &s, NOW + i), OK);
    }
    /* A new value under a key that is there takes no other's place. */
    struct sample again = ipns(0, 2);
    assert_int_equal(put(v, &again, NOW + MAX), OK);
    assert_int_equal(values_get_stats(v).evicted, 0);
    struct sample s = ipns(MAX, 1);
    assert_int_equal(put(v, &s, NOW + MAX), OK);
    assert_int_equal(values_get_stats(v).count, MAX);
    assert_int_equal(values_get_stats(v).evicted, 1);
    struct sample oldest = ipns(1, 1);
    assert_false(has(v, &oldest, NOW));
    assert_true(has(v, &again, NOW));
    values_free(v);

    enum { BYTES = 32 * 1024 };
    v = store((struct values_config){.bytes_max = BYTES});
    for (unsigned i = 0; i < 200; i++) {
        make_ipns(&s, i, 1, NOW + HOUR_MS, i % 7 == 0 ? 4096 : 6);
        assert_int_equal(put(v, &s, NOW + i), OK);
        assert_true(has(v, &s, NOW));
        assert_true(values_get_stats(v).bytes <= BYTES);
    }
    assert_true(values_get_stats(v).bytes > BYTES - IPNS_RECORD_MAX);
    values_free(v);
}

static void limits_of_a_group(void **state)
{
    (void)state;
    enum { GROUP_MAX = 5 };
    struct values *v =
        store((struct values_config){.group_count_max = GROUP_MAX});
    struct sample mine = ipns(100, 1);
    assert_int_equal(values_put(v, key_of(&mine), value_of(&mine), 7, NOW), OK);
    for (unsigned i = 0; i < 3 * GROUP_MAX; i++) {
        struct sample s = ipns(i, 1);
        assert_int_equal(values_put(v, key_of(&s), value_of(&s), 8, NOW + i),
                         OK);
        size_t own = i + 1 < GROUP_MAX ? i + 1 : GROUP_MAX;
        assert_int_equal(values_get_stats(v).count, 1 + own);
        assert_true(has(v, &s, NOW));
    }
    assert_true(has(v, &mine, NOW));
    for (unsigned i = 0; i < 3 * GROUP_MAX; i++) {
        struct sample s = ipns(i, 1);
        assert_int_equal(has(v, &s, NOW), i >= 2 * GROUP_MAX);
    }
    /* Without a group there is no such limit. */
    for (unsigned i = 200; i < 200 + 3 * GROUP_MAX; i++) {
        struct sample s = ipns(i, 1);
        assert_int_equal(put(v, &s, NOW), OK);
    }
    assert_int_equal(values_get_stats(v).count, 1 + 4 * GROUP_MAX);
    /* A value goes to the group of who sent it last. */
    struct sample moved = ipns(200, 2);
    assert_int_equal(values_put(v, key_of(&moved), value_of(&moved), 8, NOW),
                     OK);
    assert_int_equal(values_get_stats(v).count, 4 * GROUP_MAX);
    values_free(v);
}

static size_t drain(struct values *v, struct kad_rows *d)
{
    struct kad_change change;
    size_t count = 0;
    while (values_next_change(v, &change)) {
        kad_rows_apply(d, &change);
        count++;
    }
    assert_int_equal(values_get_stats(v).changes_count, 0);
    return count;
}

static enum err load(struct values *v, const struct kad_row *row, uint64_t now)
{
    return values_load(v, kad_row_key(row), kad_row_value(row), now);
}

static void the_disk_gives_the_store_back(void **state)
{
    (void)state;
    enum { OWNERS = 24, MAX = 16 };
    static struct kad_rows d;
    struct values_config config = {
        .count_max = MAX, .group_count_max = 6, .keep = true};
    struct values *v = store(config);
    uint64_t now = NOW;
    unsigned x = 1;
    d.count = 0;
    for (unsigned i = 0; i < 600; i++) {
        x = x * 1103515245 + 12345;
        unsigned who = (x >> 16) % OWNERS;
        struct sample s = ipns(who, (x >> 8) % 64);
        enum err err =
            values_put(v, key_of(&s), value_of(&s), (x >> 20) % 4, now);
        assert_true(err == OK || err == E_REFUSED);
        now += (x >> 12) % (HOUR_MS / 4);
        if (i % 100 == 99)
            now += VALUES_LIFE_MS - HOUR_MS;
        if (i % 10 == 0)
            values_on_time(v, now);
        if (i % 7 == 0)
            drain(v, &d);
        if (i % 50 != 0)
            continue;
        drain(v, &d);
        assert_int_equal(d.count, values_get_stats(v).count);
        struct values *copy = store(config);
        for (size_t j = d.count; j > 0; j--)
            assert_int_equal(load(copy, &d.rows[j - 1], now), OK);
        for (size_t j = 0; j < d.count; j++) {
            struct bytes key = {d.rows[j].key, d.rows[j].key_len};
            struct value a = {0};
            struct value b = {0};
            assert_int_equal(values_get(v, key, now, &a),
                             values_get(copy, key, now, &b));
            assert_true(bytes_eq(a.bytes, b.bytes));
            assert_int_equal(a.received_unix_ms, b.received_unix_ms);
        }
        /* What has ended is removed, and nothing else is written. */
        size_t ended = values_get_stats(copy).ended;
        assert_int_equal(drain(copy, &d), ended);
        values_free(copy);
    }
    assert_true(values_get_stats(v).evicted > 0);
    assert_true(values_get_stats(v).ended > 0);
    values_free(v);
}

static void bad_rows(void **state)
{
    (void)state;
    static struct kad_rows d;
    struct values_config config = {.keep = true, .count_max = 2};
    struct values *v = store(config);
    struct sample s = ipns(1, 1);
    struct sample pk;
    make_pk(&pk, 1);
    d.count = 0;
    assert_int_equal(put(v, &s, NOW), OK);
    assert_int_equal(put(v, &pk, NOW), OK);
    drain(v, &d);
    assert_int_equal(d.count, 2);
    values_free(v);

    v = store(config);
    struct kad_row row = d.rows[0];
    for (size_t len = 0; len < d.rows[0].value_len; len++) {
        row.value_len = len;
        assert_int_not_equal(load(v, &row, NOW), OK);
    }
    row = d.rows[0];
    for (size_t len = 0; len < d.rows[0].key_len; len++) {
        row.key_len = len;
        assert_int_not_equal(load(v, &row, NOW), OK);
    }
    row = d.rows[0];
    row.value[0]++;
    assert_int_equal(load(v, &row, NOW), E_UNSUPPORTED);
    /* A time in the future is not believed. */
    row = d.rows[0];
    memset(row.value + 9, 0xff, 8);
    assert_int_equal(load(v, &row, NOW), OK);
    struct value got;
    assert_int_equal(values_get(v, key_of(&s), NOW, &got), OK);
    assert_int_equal(got.received_unix_ms, NOW);
    assert_int_equal(load(v, &row, NOW), E_LIMIT); /* twice */
    assert_int_equal(load(v, &d.rows[1], NOW), OK);
    struct sample third = ipns(3, 1);
    memcpy(row.key, third.key, third.key_len);
    assert_int_equal(load(v, &row, NOW), E_LIMIT); /* one too many */
    values_free(v);
}

static void nobody_takes_the_changes(void **state)
{
    (void)state;
    enum { MAX = 8 };
    struct values *v =
        store((struct values_config){.count_max = MAX, .keep = true});
    unsigned stored = 0;
    enum err err = OK;
    while (err == OK && stored < 10 * MAX) {
        struct sample s = ipns(stored, 1);
        err = put(v, &s, NOW + stored);
        stored += err == OK;
    }
    assert_int_equal(err, E_LIMIT);
    assert_int_equal(values_get_stats(v).changes_count, 2 * MAX);
    struct kad_change change;
    assert_true(values_next_change(v, &change));
    assert_int_equal(change.kind, KAD_CHANGE_REMOVE);
    struct sample s = ipns(stored, 1);
    assert_int_equal(put(v, &s, NOW + stored), OK);
    values_free(v); /* with changes that wait */
    values_free(NULL);
}

static void bounded_work(void **state)
{
    (void)state;
    enum { COUNT = VALUES_WORK_MAX + 10 };
    struct values *v = store((struct values_config){.keep = false});
    for (unsigned i = 0; i < COUNT; i++) {
        struct sample s;
        make_pk(&s, i);
        assert_int_equal(put(v, &s, NOW), OK);
    }
    values_on_time(v, NOW + VALUES_LIFE_MS - 1);
    assert_int_equal(values_get_stats(v).count, COUNT);
    values_on_time(v, NOW + VALUES_LIFE_MS);
    assert_int_equal(values_get_stats(v).count, 10);
    values_on_time(v, NOW + VALUES_LIFE_MS);
    assert_int_equal(values_get_stats(v).count, 0);
    assert_int_equal(values_get_stats(v).bytes, 0);
    values_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(only_valid_values),
        cmocka_unit_test(the_better_stays),
        cmocka_unit_test(life),
        cmocka_unit_test(limits_of_all),
        cmocka_unit_test(limits_of_a_group),
        cmocka_unit_test(the_disk_gives_the_store_back),
        cmocka_unit_test(bad_rows),
        cmocka_unit_test(nobody_takes_the_changes),
        cmocka_unit_test(bounded_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
