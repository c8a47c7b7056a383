/*
 * Goal: the small parts of the swarm keep their promises: queue of slices,
 * timers, token buckets, ids, records of hosts, back-off.  Method: each alone,
 * at its limits; timers against a plain search, in random order.
 */
#include "libp2p/backoff.h"
#include "libp2p/bucket.h"
#include "libp2p/guard.h"
#include "libp2p/sendq.h"
#include "libp2p/slots.h"
#include "libp2p/timerq.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

#include "test.h"

static const uint8_t seed[16] = {3};

static struct mtime at_ms(uint64_t ms)
{
    return (struct mtime){.ns = ms * 1000000};
}

static void test_sendq(void **state)
{
    (void)state;
    struct sendq q = {.ring = NULL};
    struct buf *b = buf_copy(BYTES_LIT("0123456789"));
    for (int i = 0; i < 9; i++)
        sendq_push(&q, slice_of(b, buf_bytes(b)));
    sendq_push(&q, slice_of(b, BYTES_EMPTY));
    assert_int_equal(q.bytes, 90);
    assert_int_equal(q.count, 9);
    struct slice part = sendq_take(&q, 4);
    assert_true(bytes_eq(part.bytes, BYTES_LIT("0123")));
    slice_release(&part);
    part = sendq_take(&q, 100);
    assert_true(bytes_eq(part.bytes, BYTES_LIT("456789")));
    slice_release(&part);
    assert_int_equal(q.bytes, 80);
    assert_int_equal(b->refs, 9);
    sendq_release(&q);
    assert_int_equal(b->refs, 1);
    assert_int_equal(q.bytes, 0);
    buf_unref(b);
}

static void test_timers_in_order(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct timerq q = {.heap = NULL};
    struct timer t[COUNT] = {{.place = 0}};
    uint32_t random = 7;
    for (int round = 0; round < 1000; round++) {
        random = random * 1664525U + 1013904223U;
        struct timer *one = &t[(random >> 8) % COUNT];
        if ((random >> 28) < 4)
            timerq_unset(&q, one);
        else
            timerq_set(&q, one, at_ms((random >> 4) % 1000));
        uint64_t first = UINT64_MAX;
        size_t set = 0;
        for (int i = 0; i < COUNT; i++) {
            if (!timer_is_set(&t[i]))
                continue;
            set++;
            first = t[i].at.ns < first ? t[i].at.ns : first;
        }
        assert_int_equal(q.count, set);
        assert_int_equal(timerq_deadline(&q).ns, first);
    }
    uint64_t last = 0;
    struct timer *due;
    while ((due = timerq_pop(&q, at_ms(500))) != NULL) {
        assert_true(due->at.ns >= last);
        last = due->at.ns;
    }
    assert_true(timerq_deadline(&q).ns > at_ms(500).ns);
    timerq_release(&q);
}

static void test_bucket(void **state)
{
    (void)state;
    static const struct bucket_rate rate = {.burst = 10, .per_second = 2};
    struct bucket b = {.used_milli = 0};
    struct mtime now = at_ms(1000000);
    for (int i = 0; i < 10; i++)
        assert_true(bucket_take(&b, rate, 1, now));
    assert_false(bucket_take(&b, rate, 1, now));
    now = at_ms(1000499);
    assert_false(bucket_take(&b, rate, 1, now));
    now = at_ms(1000500);
    assert_true(bucket_take(&b, rate, 1, now));
    assert_false(bucket_take(&b, rate, 1, now));
    assert_false(bucket_take(&b, rate, 11, at_ms(1005500)));
    assert_true(bucket_take(&b, rate, 10, at_ms(1005500)));
    assert_false(bucket_take(&b, rate, 1, at_ms(1005500)));
    /* A very long time is no trouble. */
    assert_true(bucket_take(&b, rate, 10, (struct mtime){UINT64_MAX}));
}

static void test_slots(void **state)
{
    (void)state;
    struct slots s = {.table = NULL};
    int item[40];
    uint64_t id[40];
    for (int i = 0; i < 40; i++) {
        id[i] = slots_put(&s, &item[i]);
        assert_true(id[i] != 0);
    }
    for (int i = 0; i < 40; i++)
        assert_ptr_equal(slots_get(&s, id[i]), &item[i]);
    slots_remove(&s, id[5]);
    assert_null(slots_get(&s, id[5]));
    uint64_t again = slots_put(&s, &item[5]);
    assert_true(again != id[5]);
    assert_null(slots_get(&s, id[5]));
    assert_ptr_equal(slots_get(&s, again), &item[5]);
    assert_null(slots_get(&s, 0));
    assert_null(slots_get(&s, UINT64_MAX));
    assert_int_equal(s.count, 40);
    slots_release(&s);
}

static struct multiaddr addr(const char *text)
{
    struct multiaddr a;
    assert_int_equal(multiaddr_parse(bytes_str(text), &a), OK);
    return a;
}

static void test_guard(void **state)
{
    (void)state;
    struct guard g;
    struct multiaddr one = addr("/ip4/1.2.3.4/tcp/1");
    struct multiaddr same_host = addr("/ip4/1.2.3.4/tcp/2");
    struct multiaddr mapped = addr("/ip6/::ffff:1.2.3.4/tcp/2");
    struct multiaddr other = addr("/ip4/1.2.3.5/tcp/1");
    struct multiaddr six = addr("/ip6/2001:db8:1:2::1/tcp/1");
    struct multiaddr same_net = addr("/ip6/2001:db8:1:2:3::1/tcp/1");
    struct multiaddr name = addr("/dns/example.org/tcp/1");
    guard_init(&g, 2, seed);
    struct guard_record *r = guard_hold_ip(&g, &one);
    assert_ptr_equal(guard_hold_ip(&g, &same_host), r);
    assert_ptr_equal(guard_hold_ip(&g, &mapped), r);
    assert_int_equal(r->conns, 3);
    struct guard_record *r6 = guard_hold_ip(&g, &six);
    assert_ptr_equal(guard_hold_ip(&g, &same_net), r6);
    assert_ptr_not_equal(r6, r);
    assert_null(guard_hold_ip(&g, &name));
    guard_drop(&g, NULL);
    /* Without connections a record stays until there are too many. */
    r->bucket.used_milli = 77;
    for (int i = 0; i < 3; i++)
        guard_drop(&g, r);
    assert_ptr_equal(guard_hold_ip(&g, &one), r);
    assert_int_equal(r->bucket.used_milli, 77);
    guard_drop(&g, r);
    guard_drop(&g, r6);
    guard_drop(&g, r6);
    guard_drop(&g, guard_hold_ip(&g, &other)); /* pushes out the oldest */
    assert_int_equal(g.records.count, 2);
    r = guard_hold_ip(&g, &one);
    assert_int_equal(r->bucket.used_milli, 0);
    guard_drop(&g, r);
    guard_release(&g);
}

static void test_backoff(void **state)
{
    (void)state;
    struct backoff b;
    struct multiaddr a = addr("/ip4/1.2.3.4/tcp/1");
    struct multiaddr other = addr("/ip4/1.2.3.4/tcp/2");
    backoff_init(&b, seed);
    struct mtime now = at_ms(1000);
    assert_false(backoff_holds(&b, &a, now));
    backoff_failed(&b, &a, now);
    assert_true(backoff_holds(&b, &a, at_ms(1000 + BACKOFF_FIRST_MS - 1)));
    assert_false(backoff_holds(&b, &a, at_ms(1000 + BACKOFF_FIRST_MS)));
    assert_false(backoff_holds(&b, &other, now));
    backoff_failed(&b, &a, now);
    assert_true(backoff_holds(&b, &a, at_ms(1000 + 2 * BACKOFF_FIRST_MS - 1)));
    for (int i = 0; i < 40; i++)
        backoff_failed(&b, &a, now);
    assert_true(backoff_holds(&b, &a, at_ms(1000 + BACKOFF_MAX_MS - 1)));
    assert_false(backoff_holds(&b, &a, at_ms(1000 + BACKOFF_MAX_MS)));
    backoff_worked(&b, &a);
    assert_false(backoff_holds(&b, &a, now));
    backoff_failed(&b, &a, now);
    for (uint32_t i = 0; i < BACKOFF_ADDRS_MAX; i++) {
        struct ma_ip ip = {.len = 4,
                           .bytes = {5, 5, (uint8_t)(i >> 8), (uint8_t)i}};
        struct multiaddr next = multiaddr_from_ip_port(&ip, MA_TCP, 9);
        backoff_failed(&b, &next, now);
    }
    assert_int_equal(b.addrs.count, BACKOFF_ADDRS_MAX);
    assert_false(backoff_holds(&b, &a, now)); /* the oldest went */
    backoff_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sendq),  cmocka_unit_test(test_timers_in_order),
        cmocka_unit_test(test_bucket), cmocka_unit_test(test_slots),
        cmocka_unit_test(test_guard),  cmocka_unit_test(test_backoff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
