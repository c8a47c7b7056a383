/*
 * Goal: a DHT of many nodes finds what was put into it, also when nodes die
 * and lie; it keeps itself up, and the best of its records.
 * Method: nets of up to 150 nodes in virtual time.
 */
#include "kad/kad.h"
#include "kad_net.h"
#include "kad_one.h"

#include "test.h"

struct sums {
    uint64_t lookups;
    uint64_t hops;
    uint64_t messages;
    uint64_t bytes;
    uint64_t ms;
    uint64_t found;
};

static void add_up(const struct net *n, struct sums *s)
{
    s->lookups++;
    s->hops += n->last.out.stats.hops;
    s->messages += n->last.out.stats.messages;
    s->bytes += n->last.out.stats.bytes_in + n->last.out.stats.bytes_out;
    s->ms += n->last.out.stats.elapsed_ms;
    s->found += n->last.found_count > 0;
}

static void print_sums(const char *what, const struct sums *s)
{
    print_message("%s: %llu lookups, found %llu; each %.1f hops, %.1f "
                  "messages, %.1f KiB, %.0f ms\n",
                  what, (unsigned long long)s->lookups,
                  (unsigned long long)s->found,
                  (double)s->hops / (double)s->lookups,
                  (double)s->messages / (double)s->lookups,
                  (double)s->bytes / (double)s->lookups / 1024,
                  (double)s->ms / (double)s->lookups);
}

static void provide(struct net *n, size_t i, uint64_t content)
{
    struct multihash hash = hash_of(content);
    uint64_t query;
    assert_int_equal(kad_provide(n->nodes[i].kad, &hash, net_now(n), &query),
                     OK);
    net_wait(n, i, query);
    n->provider_of[content] = i;
}

static void find(struct net *n, size_t i, uint64_t content, uint32_t max)
{
    struct multihash hash = hash_of(content);
    uint64_t query;
    assert_int_equal(
        kad_find_providers(n->nodes[i].kad, &hash, max, net_now(n), &query),
        OK);
    net_wait(n, i, query);
}

static size_t pick_honest(struct net *n)
{
    size_t i = (size_t)net_chance(n, n->count);
    while (n->nodes[i].kind != NET_HONEST)
        i = (size_t)net_chance(n, n->count);
    return i;
}

static void change_kind(struct net *n, size_t count, enum net_kind kind)
{
    for (size_t j = 0; j < count; j++)
        n->nodes[pick_honest(n)].kind = kind;
}

/* An honest node that did not provide the content. */
static size_t pick_finder(struct net *n, uint64_t content)
{
    size_t i = pick_honest(n);
    while (i == n->provider_of[content])
        i = pick_honest(n);
    return i;
}

static void find_peer(struct net *n, size_t i, size_t wanted)
{
    uint64_t query;
    assert_int_equal(kad_find_peer(n->nodes[i].kad, &n->nodes[wanted].id,
                                   net_now(n), &query),
                     OK);
    net_wait(n, i, query);
    assert_int_equal(n->last.out.err, OK);
    assert_int_equal(n->last.found_count, 1);
    assert_true(peer_id_eq(&n->last.found[0], &n->nodes[wanted].id));
    assert_int_equal(n->last.found_addrs[0], 1);
}

static void check_stored_at_the_nearest(struct net *n, size_t i, uint64_t c)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    struct multihash hash = hash_of(c);
    struct bytes key = {bytes, multihash_encode(&hash, bytes)};
    size_t near[KAD_K];
    size_t right = 0;
    assert_int_equal(net_nearest(n, key, i, near, KAD_K), KAD_K);
    assert_int_equal(n->last.out.closest_count, KAD_K);
    for (size_t j = 0; j < KAD_K; j++) {
        for (size_t m = 0; m < KAD_K; m++)
            right += peer_id_eq(&n->last.out.closest[j], &n->nodes[near[m]].id);
    }
    assert_true(right >= KAD_K - 1);
}

static void finds_all_without_churn(void **state)
{
    (void)state;
    struct net *n = net_new(150, KAD_OWN, 1, NULL);
    struct sums provides = {.lookups = 0};
    struct sums finds = {.lookups = 0};
    struct sums peers = {.lookups = 0};
    net_join(n);
    net_run(n, 20000);
    for (uint64_t c = 0; c < 40; c++) {
        size_t i = (size_t)net_chance(n, n->count);
        provide(n, i, c);
        assert_int_equal(n->last.out.err, OK);
        assert_int_equal(n->last.out.stored_count, KAD_K);
        check_stored_at_the_nearest(n, i, c);
        add_up(n, &provides);
    }
    for (uint64_t c = 0; c < 40; c++) {
        find(n, pick_finder(n, c), c, 1);
        add_up(n, &finds);
    }
    for (size_t j = 0; j < 10; j++) {
        size_t i = (size_t)net_chance(n, n->count);
        find_peer(n, i, (i + 75) % n->count);
        add_up(n, &peers);
    }
    print_sums("provide, 150 nodes", &provides);
    print_sums("find, 150 nodes", &finds);
    print_sums("find peer, 150 nodes", &peers);
    assert_int_equal(finds.found, finds.lookups);
    net_free(n);
}

static void finds_nearly_all_when_a_fifth_is_dead(void **state)
{
    (void)state;
    struct net *n = net_new(100, KAD_OWN, 2, NULL);
    struct sums finds = {.lookups = 0};
    struct sums provides = {.lookups = 0};
    net_join(n);
    net_run(n, 20000);
    for (uint64_t c = 0; c < 50; c++)
        provide(n, (size_t)net_chance(n, n->count), c);
    change_kind(n, n->count / 5, NET_DEAD);
    for (uint64_t c = 0; c < 50; c++) {
        find(n, pick_finder(n, c), c, 1);
        add_up(n, &finds);
    }
    for (uint64_t c = 50; c < 70; c++) {
        provide(n, pick_honest(n), c);
        assert_int_equal(n->last.out.err, OK);
        assert_true(n->last.out.stored_count >= KAD_K / 2);
        add_up(n, &provides);
    }
    print_sums("find, 100 nodes, 20% dead", &finds);
    print_sums("provide, 100 nodes, 20% dead", &provides);
    assert_true(finds.found * 100 > finds.lookups * 95);
    net_free(n);
}

static void liars_do_not_hold_it_up(void **state)
{
    (void)state;
    static const enum net_kind kinds[] = {NET_LIAR_SELF, NET_LIAR_FAKES,
                                          NET_LIAR_HUGE, NET_LIAR_NOISE};
    static const char *const names[] = {
        "find, 60 nodes, 10% name only themselves",
        "find, 60 nodes, 10% name 40 that do not exist",
        "find, 60 nodes, 10% name 10,000", "find, 60 nodes, 10% send noise"};
    for (size_t k = 0; k < countof(kinds); k++) {
        struct net *n = net_new(60, KAD_OWN, 3 + k, NULL);
        struct sums finds = {.lookups = 0};
        net_join(n);
        net_run(n, 10000);
        change_kind(n, n->count / 10, kinds[k]);
        for (uint64_t c = 0; c < 15; c++)
            provide(n, pick_honest(n), c);
        for (uint64_t c = 0; c < 15; c++) {
            find(n, pick_finder(n, c), c, 1);
            add_up(n, &finds);
            assert_true(n->last.out.stats.elapsed_ms < KAD_QUERY_TIMEOUT_MS);
        }
        print_sums(names[k], &finds);
        assert_int_equal(finds.found, finds.lookups);
        net_free(n);
    }
}

static void says_when_nobody_knows(void **state)
{
    (void)state;
    struct net *n = net_new(30, KAD_OWN, 9, NULL);
    struct peer_id nobody = net_peer_id(5000, 5000);
    uint64_t query;
    net_join(n);
    assert_int_equal(
        kad_find_peer(n->nodes[3].kad, &nobody, net_now(n), &query), OK);
    net_wait(n, 3, query);
    assert_int_equal(n->last.out.err, E_NOTFOUND);
    assert_int_equal(n->last.found_count, 0);
    assert_int_equal(kad_find_node(n->nodes[3].kad, peer_id_bytes(&nobody),
                                   net_now(n), &query),
                     OK);
    net_wait(n, 3, query);
    assert_int_equal(n->last.out.err, OK);
    assert_int_equal(n->last.out.closest_count, KAD_K);
    find(n, 3, 99, 0);
    assert_int_equal(n->last.out.err, E_NOTFOUND);
    net_free(n);
}

static void wan_finds_too(void **state)
{
    (void)state;
    struct net *n = net_new(60, KAD_WAN, 11, NULL);
    struct sums finds = {.lookups = 0};
    net_join(n);
    net_run(n, 20000);
    for (uint64_t c = 0; c < 10; c++) {
        provide(n, pick_honest(n), c);
        assert_int_equal(n->last.out.stored_count, KAD_K);
        find(n, pick_finder(n, c), c, 1);
        add_up(n, &finds);
    }
    print_sums("find, 60 nodes, WAN", &finds);
    assert_int_equal(finds.found, finds.lookups);
    net_free(n);
}

static uint64_t trace_of(uint64_t seed)
{
    struct net *n = net_new(25, KAD_OWN, seed, NULL);
    net_join(n);
    provide(n, 7, 1);
    find(n, 20, 1, 0);
    uint64_t trace = n->trace;
    net_free(n);
    return trace;
}

static void a_seed_repeats_itself(void **state)
{
    (void)state;
    uint64_t first = trace_of(21);
    assert_true(trace_of(21) == first);
    assert_true(trace_of(22) != first);
}

static void upkeep_keeps_the_table_alive(void **state)
{
    (void)state;
    struct net *n = net_new(40, KAD_OWN, 31, NULL);
    net_join(n);
    net_run(n, 20000);
    change_kind(n, 12, NET_DEAD);
    net_run(n, UINT64_C(45) * 60 * 1000);
    size_t i = pick_honest(n);
    struct kad_contact_info info;
    size_t dead = 0;
    size_t count = 0;
    for (; kad_contact(n->nodes[i].kad, count, &info); count++)
        dead += n->nodes[net_find(n, &info.peer)].kind == NET_DEAD;
    assert_int_equal(dead, 0);
    assert_true(count > 15);
    struct kad_stats s = kad_get_stats(n->nodes[i].kad);
    assert_int_equal(s.contacts_count, count);
    print_message("upkeep, 40 nodes, 45 min: %llu messages of one node\n",
                  (unsigned long long)s.messages_out);
    net_free(n);
}

/* Values. ------------------------------------------------------------------ */

static void finds_the_best_value_and_corrects_others(void **state)
{
    (void)state;
    struct net *n = net_new(40, KAD_OWN, 41, NULL);
    struct record old;
    struct record best;
    uint64_t query;
    make_record(&old, 1);
    make_record(&best, 2);
    net_join(n);
    net_run(n, 20000);
    assert_int_equal(kad_put_value(n->nodes[1].kad, key_of(&best),
                                   value_of(&best), net_now(n), &query),
                     OK);
    net_wait(n, 1, query);
    assert_int_equal(n->last.out.err, OK);
    assert_int_equal(n->last.out.stored_count, KAD_K);
    /* An older one is refused here, and there. */
    assert_int_equal(kad_put_value(n->nodes[1].kad, key_of(&old),
                                   value_of(&old), net_now(n), &query),
                     E_REFUSED);
    /* Who is not near the key has to ask. */
    struct kad_stats stats = {.value_records_count = 1};
    size_t asker = 1;
    while (stats.value_records_count > 0)
        stats = kad_get_stats(n->nodes[++asker].kad);
    assert_int_equal(kad_get_value(n->nodes[asker].kad, key_of(&best), 1,
                                   net_now(n), &query),
                     OK);
    net_wait(n, asker, query);
    assert_int_equal(n->last.out.err, OK);
    assert_int_equal(n->last.value_len, best.len);
    assert_memory_equal(n->last.value, best.value, best.len);
    net_free(n);
}

static void corrects_who_has_an_older_value(void **state)
{
    (void)state;
    struct net *n = net_new(12, KAD_OWN, 43, NULL);
    struct record old;
    struct record best;
    uint64_t query;
    make_record(&old, 1);
    make_record(&best, 2);
    net_join(n);
    net_run(n, 20000);
    for (size_t i = 1; i < 4; i++) {
        const struct record *r = i == 2 ? &best : &old;
        struct buf *put = NULL;
        struct buf *reply = NULL;
        struct kad_message_out m = {.type = KAD_PUT_VALUE,
                                    .key = key_of(r),
                                    .has_record = true,
                                    .record_key = key_of(r),
                                    .record_value = value_of(r)};
        put = kad_message_encode(&m, 65536);
        struct kad_request request = {.from = &n->nodes[0].id,
                                      .remote = &n->nodes[0].addr,
                                      .bytes = buf_bytes(put)};
        assert_int_equal(
            kad_serve(n->nodes[i].kad, &request, net_now(n), &reply), OK);
        assert_non_null(reply);
        assert_int_equal(reply->len, put->len);
        buf_unref(reply);
        buf_unref(put);
    }
    assert_int_equal(
        kad_get_value(n->nodes[5].kad, key_of(&best), 0, net_now(n), &query),
        OK);
    net_wait(n, 5, query);
    assert_int_equal(n->last.out.err, OK);
    assert_true(n->last.values_count >= 1);
    assert_memory_equal(n->last.value, best.value, best.len);
    net_run(n, 1000);
    /* Now everybody else has the best. */
    size_t having = 0;
    for (size_t i = 0; i < n->count; i++)
        having += kad_get_stats(n->nodes[i].kad).value_records_count;
    assert_int_equal(having, n->count - 1);
    for (size_t i = 0; i < n->count; i++) {
        if (i == 5)
            continue;
        assert_int_equal(kad_get_value(n->nodes[i].kad, key_of(&best), 1,
                                       net_now(n), &query),
                         OK);
        net_wait(n, i, query);
        assert_memory_equal(n->last.value, best.value, best.len);
        assert_int_equal(n->last.out.stats.messages, 0);
    }
    net_free(n);
}

static void values_need_rules(void **state)
{
    (void)state;
    struct net *n = net_new(2, KAD_OWN, 44, NULL);
    uint64_t query;
    struct record r;
    make_record(&r, 1);
    net_join(n);
    assert_int_equal(kad_get_value(n->nodes[0].kad, BYTES_LIT("/abc/def"), 0,
                                   net_now(n), &query),
                     E_UNSUPPORTED);
    assert_int_equal(kad_put_value(n->nodes[0].kad, BYTES_LIT("/abc/def"),
                                   value_of(&r), net_now(n), &query),
                     E_UNSUPPORTED);
    r.value[r.len - 1] ^= 1;
    assert_int_equal(kad_put_value(n->nodes[0].kad, key_of(&r), value_of(&r),
                                   net_now(n), &query),
                     E_REFUSED);
    net_free(n);
}

/* The sweep's way to announce. --------------------------------------------- */

static void hands_many_keys_to_one_peer(void **state)
{
    (void)state;
    struct net *n = net_new(3, KAD_OWN, 51, NULL);
    static struct multihash hashes[KAD_SWEEP_KEYS_MAX + 1];
    struct kad *k = n->nodes[0].kad;
    uint64_t query;
    for (size_t i = 0; i < countof(hashes); i++)
        hashes[i] = hash_of(i);
    net_join(n);
    net_run(n, 5000);
    assert_int_equal(kad_provide_to(k, &n->nodes[1].id, hashes,
                                    KAD_SWEEP_KEYS_MAX + 1, net_now(n), &query),
                     E_LIMIT);
    assert_int_equal(
        kad_provide_to(k, &n->nodes[1].id, hashes, 300, net_now(n), &query),
        OK);
    net_wait(n, 0, query);
    assert_int_equal(n->last.out.err, OK);
    assert_int_equal(n->last.out.stored_count, 300);
    assert_int_equal(n->last.out.stats.messages, 1);
    struct kad_stats s = kad_get_stats(n->nodes[1].kad);
    assert_int_equal(s.provider_records_count, 300);
    assert_int_equal(s.provides_in, 300);
    /* As many as may be: three messages, all at once. */
    assert_int_equal(kad_provide_to(k, &n->nodes[1].id, hashes,
                                    KAD_SWEEP_KEYS_MAX, net_now(n), &query),
                     OK);
    uint64_t sends = n->nodes[0].sends;
    net_run(n, 0);
    assert_int_equal(n->nodes[0].sends - sends, 3);
    net_wait(n, 0, query);
    assert_int_equal(n->last.out.stored_count, KAD_SWEEP_KEYS_MAX);
    s = kad_get_stats(n->nodes[1].kad);
    assert_int_equal(s.provider_records_count, KAD_SWEEP_KEYS_MAX);
    assert_int_equal(kad_find_providers(n->nodes[2].kad, &hashes[299], 1,
                                        net_now(n), &query),
                     OK);
    net_wait(n, 2, query);
    assert_int_equal(n->last.found_count, 1);
    /* Nobody there: it ends at the first failure. */
    n->nodes[1].kind = NET_DEAD;
    assert_int_equal(
        kad_provide_to(k, &n->nodes[1].id, hashes, 300, net_now(n), &query),
        OK);
    net_wait(n, 0, query);
    assert_int_equal(n->last.out.err, E_TIMEOUT);
    assert_int_equal(n->last.out.stored_count, 0);
    assert_int_equal(n->last.out.stats.elapsed_ms, KAD_TIMEOUT_MS);
    net_free(n);
}

/* Where others know one key of a message only. */
static void hands_many_keys_one_by_one_elsewhere(void **state)
{
    (void)state;
    struct net *n = net_new(3, KAD_WAN, 52, NULL);
    static struct multihash hashes[300];
    struct kad *k = n->nodes[0].kad;
    uint64_t query;
    for (size_t i = 0; i < countof(hashes); i++)
        hashes[i] = hash_of(i);
    net_join(n);
    net_run(n, 5000);
    assert_int_equal(
        kad_provide_to(k, &n->nodes[1].id, hashes, 300, net_now(n), &query),
        OK);
    uint64_t sends = n->nodes[0].sends;
    net_run(n, 0);
    assert_int_equal(n->nodes[0].sends - sends, 16);
    net_wait(n, 0, query);
    assert_int_equal(n->last.out.err, OK);
    assert_int_equal(n->last.out.stored_count, 300);
    assert_int_equal(n->last.out.stats.messages, 300);
    struct kad_stats s = kad_get_stats(n->nodes[1].kad);
    assert_int_equal(s.provider_records_count, 300);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_all_without_churn),
        cmocka_unit_test(finds_nearly_all_when_a_fifth_is_dead),
        cmocka_unit_test(liars_do_not_hold_it_up),
        cmocka_unit_test(says_when_nobody_knows),
        cmocka_unit_test(wan_finds_too),
        cmocka_unit_test(a_seed_repeats_itself),
        cmocka_unit_test(upkeep_keeps_the_table_alive),
        cmocka_unit_test(finds_the_best_value_and_corrects_others),
        cmocka_unit_test(corrects_who_has_an_older_value),
        cmocka_unit_test(values_need_rules),
        cmocka_unit_test(hands_many_keys_to_one_peer),
        cmocka_unit_test(hands_many_keys_one_by_one_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
