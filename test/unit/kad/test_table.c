/*
 * Goal: the routing table holds whom it should, within its limits, and names
 * the nearest.
 * Method: hundreds of peers at random against a plain search; every limit at
 * the limit and one past it.
 */
#include "kad/table.h"
#include "kad_net.h"

#include "test.h"

static const uint8_t seed[16] = {1};
static const struct mtime now = {1000};

static void make(struct kad_table *t)
{
    struct peer_id self = net_peer_id(0, 99);
    struct kad_key key = kad_key_of_peer(&self);
    kad_table_init(t, &key, KAD_K, seed);
}

static enum err add(struct kad_table *t, const struct peer_id *id,
                    uint64_t group)
{
    struct kad_contact *c;
    enum err room = kad_table_has_room(t, id, group);
    enum err err = kad_table_add(t, id, group, now, &c);
    assert_int_equal(err, room);
    if (err == OK)
        assert_ptr_equal(kad_table_get(t, id), c);
    return err;
}

static unsigned cpl_of(const struct kad_table *t, const struct peer_id *id)
{
    struct kad_key key = kad_key_of_peer(id);
    return kad_key_cpl(&t->self, &key);
}

/* The next peer from *@i on that belongs into bucket @cpl. */
static struct peer_id in_bucket(const struct kad_table *t, unsigned cpl,
                                uint64_t *i)
{
    struct peer_id id = net_peer_id(++*i, 99);
    while (cpl_of(t, &id) != cpl)
        id = net_peer_id(++*i, 99);
    return id;
}

static void a_bucket_holds_twenty(void **state)
{
    (void)state;
    struct kad_table t;
    uint64_t i = 0;
    make(&t);
    struct peer_id first = in_bucket(&t, 1, &i);
    assert_int_equal(add(&t, &first, 0), OK);
    assert_int_equal(add(&t, &first, 0), E_EXISTS);
    for (size_t n = 1; n < KAD_K; n++) {
        struct peer_id id = in_bucket(&t, 1, &i);
        assert_int_equal(add(&t, &id, 0), OK);
    }
    struct peer_id late = in_bucket(&t, 1, &i);
    assert_int_equal(add(&t, &late, 0), E_LIMIT);
    struct peer_id other = in_bucket(&t, 0, &i);
    assert_int_equal(add(&t, &other, 0), OK);
    assert_int_equal(kad_table_count(&t), KAD_K + 1);
    assert_int_equal(kad_table_used_buckets(&t), 2);
    /* Who has been there longest has not been displaced; one who leaves makes
     * room. */
    struct kad_contact *c = kad_table_get(&t, &first);
    assert_non_null(c);
    kad_table_remove(&t, c);
    assert_null(kad_table_get(&t, &first));
    assert_int_equal(add(&t, &late, 0), OK);
    kad_table_release(&t);
}

static void we_are_not_in_it(void **state)
{
    (void)state;
    struct kad_table t;
    struct peer_id self = net_peer_id(0, 99);
    make(&t);
    assert_int_equal(add(&t, &self, 0), E_REFUSED);
    assert_int_equal(kad_table_count(&t), 0);
    kad_table_release(&t);
}

static void groups_have_limits(void **state)
{
    (void)state;
    struct kad_table t;
    uint64_t i = 0;
    make(&t);
    for (size_t n = 0; n < KAD_GROUP_BUCKET_MAX; n++) {
        struct peer_id id = in_bucket(&t, 0, &i);
        assert_int_equal(add(&t, &id, 7), OK);
    }
    struct peer_id third = in_bucket(&t, 0, &i);
    assert_int_equal(add(&t, &third, 7), E_LIMIT);
    assert_int_equal(add(&t, &third, 8), OK);
    for (size_t n = KAD_GROUP_BUCKET_MAX; n < KAD_GROUP_TABLE_MAX; n++) {
        struct peer_id id = in_bucket(&t, 1, &i);
        assert_int_equal(add(&t, &id, 7), OK);
    }
    struct peer_id one_more = in_bucket(&t, 2, &i);
    assert_int_equal(add(&t, &one_more, 7), E_LIMIT);
    /* No group: no limit but that of the bucket. */
    for (size_t n = 0; n < KAD_K; n++) {
        struct peer_id id = in_bucket(&t, 2, &i);
        assert_int_equal(add(&t, &id, 0), OK);
    }
    assert_int_equal(add(&t, &one_more, 0), E_LIMIT);
    kad_table_release(&t);
}

/* Whether @a lies nearer to @target than @b. */
static bool nearer(const struct kad_key *target, const struct kad_contact *a,
                   const struct kad_contact *b)
{
    return kad_key_cmp_distance(target, &a->key, &b->key) < 0;
}

static void check_closest(const struct kad_table *t, const struct kad_key *key,
                          const struct peer_id *except, size_t max)
{
    struct kad_contact *near[KAD_K];
    size_t count = kad_table_closest(t, key, except, near, max);
    size_t others = kad_table_count(t);
    for (size_t i = 1; i < count; i++)
        assert_true(nearer(key, near[i - 1], near[i]));
    /* All that are left out are farther than the last. */
    for (size_t i = 0; i < kad_table_count(t); i++) {
        const struct kad_contact *c = kad_table_at(t, i);
        assert_non_null(c);
        bool in = false;
        for (size_t j = 0; j < count; j++)
            in = in || near[j] == c;
        if (except != NULL && peer_id_eq(&c->id, except)) {
            assert_false(in);
            others--;
        } else if (!in) {
            assert_true(nearer(key, near[count - 1], c));
        }
    }
    assert_int_equal(count, others < max ? others : max);
    assert_null(kad_table_at(t, kad_table_count(t)));
}

static void names_the_nearest(void **state)
{
    (void)state;
    struct kad_table t;
    struct peer_id self = net_peer_id(0, 99);
    make(&t);
    check_closest(&t, &t.self, NULL, KAD_K);
    for (uint64_t i = 1; i < 400; i++) {
        struct peer_id id = net_peer_id(i, 99);
        (void)(add(&t, &id, 0) == OK); /* buckets fill up, as they should */
        if (i % 20 != 3)
            continue;
        for (uint64_t j = 0; j < 20; j++) {
            struct peer_id target = net_peer_id(j % 2 == 0 ? j : j + 1000, 99);
            struct kad_key key = kad_key_of_peer(&target);
            check_closest(&t, &key, NULL, KAD_K);
            check_closest(&t, &key, &target, 1 + j % KAD_K);
        }
    }
    assert_true(kad_table_count(&t) > 100);
    check_closest(&t, &t.self, &self, KAD_K);
    while (kad_table_count(&t) > 0) {
        kad_table_remove(&t, kad_table_at(&t, kad_table_count(&t) / 2));
        check_closest(&t, &t.self, NULL, 3);
    }
    kad_table_release(&t);
}

static void remembers_when_a_bucket_was_refreshed(void **state)
{
    (void)state;
    struct kad_table t;
    uint64_t i = 0;
    make(&t);
    struct peer_id id = in_bucket(&t, 2, &i);
    struct kad_key key = kad_key_of_peer(&id);
    kad_table_refreshed(&t, &key, now); /* no bucket yet: nothing to note */
    assert_int_equal(add(&t, &id, 0), OK);
    assert_false(t.buckets[2].refreshed);
    kad_table_refreshed(&t, &key, now);
    assert_true(t.buckets[2].refreshed);
    assert_false(t.buckets[1].refreshed);
    kad_table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_holds_twenty),
        cmocka_unit_test(we_are_not_in_it),
        cmocka_unit_test(groups_have_limits),
        cmocka_unit_test(names_the_nearest),
        cmocka_unit_test(remembers_when_a_bucket_was_refreshed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
