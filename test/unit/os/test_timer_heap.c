/*
 * Goal: timers fire in the order of their deadlines, equal ones in the order
 * in which they were set, and each change of the heap keeps that.
 * Method: fixed cases, then random sets, moves and unsets against a list that
 * is searched from end to end.
 */
#include "base/attr.h"
#include "os/timer_heap.h"

#include "test.h"

enum { TIMERS = 200, STEPS = 20000 };

struct probe {
    struct timer timer;
    uint64_t at; /* of the model, UINT64_MAX when not set */
    uint64_t set_as;
};

struct run {
    struct timer_heap heap;
    struct probe probes[TIMERS];
    uint64_t sets;
};

static struct probe *fired[TIMERS]; /* NOLINT: of this test alone */
static size_t fired_count;          /* NOLINT: of this test alone */

static void on_fire(struct timer *t, struct mtime now)
{
    (void)now; /* the order is looked at */
    assert_true(fired_count < TIMERS);
    fired[fired_count++] = container_of(t, struct probe, timer);
}

static void start(struct run *r)
{
    memset(r, 0, sizeof(*r));
    timer_heap_init(&r->heap);
    for (size_t i = 0; i < TIMERS; i++) {
        timer_init(&r->probes[i].timer, on_fire);
        r->probes[i].at = UINT64_MAX;
    }
    fired_count = 0;
}

static void set(struct run *r, size_t i, uint64_t at)
{
    timer_heap_set(&r->heap, &r->probes[i].timer, (struct mtime){at});
    r->probes[i].at = at;
    r->probes[i].set_as = r->sets++;
}

static void test_equal_deadlines_fire_in_order_of_setting(void **state)
{
    struct run r;

    (void)state;
    start(&r);
    set(&r, 2, 10);
    set(&r, 0, 10);
    set(&r, 1, 10);
    set(&r, 2, 10); /* moved: now the last */
    assert_int_equal(timer_heap_first(&r.heap).ns, 10);
    timer_heap_fire(&r.heap, (struct mtime){9});
    assert_int_equal(fired_count, 0);
    timer_heap_fire(&r.heap, (struct mtime){10});
    assert_int_equal(fired_count, 3);
    assert_ptr_equal(fired[0], &r.probes[0]);
    assert_ptr_equal(fired[1], &r.probes[1]);
    assert_ptr_equal(fired[2], &r.probes[2]);
    assert_int_equal(timer_heap_first(&r.heap).ns, UINT64_MAX);
    timer_heap_release(&r.heap);
}

static struct run again; /* NOLINT: of this test alone */
static int again_count;  /* NOLINT: of this test alone */

static void on_again(struct timer *t, struct mtime now)
{
    (void)now; /* set into the past on purpose */
    again_count++;
    timer_heap_set(&again.heap, t, (struct mtime){0});
}

static void test_one_that_sets_itself_anew_starves_nobody(void **state)
{
    (void)state;
    start(&again);
    again.probes[0].timer.fire = on_again;
    again_count = 0;
    set(&again, 0, 5);
    set(&again, 1, 7);
    timer_heap_fire(&again.heap, (struct mtime){6});
    assert_int_equal(again_count, 1);
    assert_int_equal(fired_count, 0);
    timer_heap_fire(&again.heap, (struct mtime){8});
    assert_int_equal(again_count, 2);
    assert_int_equal(fired_count, 1);
    timer_heap_release(&again.heap);
}

static struct probe *model_first(struct run *r, uint64_t now)
{
    struct probe *first = NULL;

    for (size_t i = 0; i < TIMERS; i++) {
        struct probe *p = &r->probes[i];
        if (p->at > now || p->at == UINT64_MAX)
            continue;
        if (first == NULL || p->at < first->at ||
            (p->at == first->at && p->set_as < first->set_as))
            first = p;
    }
    return first;
}

static void fire_like_model(struct run *r, uint64_t now)
{
    fired_count = 0;
    timer_heap_fire(&r->heap, (struct mtime){now});
    for (size_t i = 0; i < fired_count; i++) {
        struct probe *first = model_first(r, now);
        assert_ptr_equal(fired[i], first);
        first->at = UINT64_MAX;
    }
    assert_null(model_first(r, now));
}

static void test_random_steps_agree_with_model(void **state)
{
    struct run r;
    uint64_t chance = 1;
    uint64_t now = 0;

    (void)state;
    start(&r);
    for (int step = 0; step < STEPS; step++) {
        chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t word = chance >> 33;
        size_t i = word % TIMERS;
        if (word % 7 == 0)
            set(&r, i, UINT64_MAX);
        else
            set(&r, i, now + word / TIMERS % 50);
        if (word % 16 == 0)
            fire_like_model(&r, now += word / 16 % 8);
    }
    fire_like_model(&r, UINT64_MAX - 1);
    assert_int_equal(r.heap.count, 0);
    timer_heap_release(&r.heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_deadlines_fire_in_order_of_setting),
        cmocka_unit_test(test_one_that_sets_itself_anew_starves_nobody),
        cmocka_unit_test(test_random_steps_agree_with_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
