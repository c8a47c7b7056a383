/*
 * Goal: timers fire in the order of time, those of a machine of setting too, a
 * clock that left the world does not touch it, and chance follows from its
 * name alone.
 *
 * Method: drawn timers against a sorted list.
 */
#include "base/attr.h"
#include "sim/clock.h"
#include "sim/rand.h"

#include "test.h"

enum { CLOCKS = 3, TIMERS = 200, STEPS = 2000 };

struct fixture;

struct alarm {
    struct timer timer;
    struct fixture *f;
    uint64_t want_ns; /* 0: not set */
    uint64_t number;  /* of the setting */
};

struct fixture {
    struct sim_time time;
    struct sim_clock clocks[CLOCKS];
    struct alarm alarms[TIMERS];
    uint64_t settings;
    uint64_t latest_ns;
    uint64_t last_ns[CLOCKS];
    uint64_t last_number[CLOCKS];
    size_t fired;
};

static void on_fire(struct timer *t, struct mtime now)
{
    struct alarm *a = container_of(t, struct alarm, timer);
    struct fixture *f = a->f;

    assert_true(a->want_ns != 0);
    assert_true(now.ns == a->want_ns);
    size_t clock = (size_t)(a - f->alarms) % CLOCKS;
    /* A turn of a machine fires all that is due there. */
    assert_true(now.ns > f->last_ns[clock] ||
                a->number > f->last_number[clock]);
    assert_true(now.ns >= f->latest_ns);
    f->latest_ns = now.ns;
    f->last_ns[clock] = now.ns;
    f->last_number[clock] = a->number;
    a->want_ns = 0;
    f->fired++;
}

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.settings = 0};
    sim_time_init(&f->time);
    for (uint32_t i = 0; i < CLOCKS; i++)
        sim_clock_init(&f->clocks[i], &f->time, i);
    for (size_t i = 0; i < TIMERS; i++) {
        f->alarms[i].f = f;
        timer_init(&f->alarms[i].timer, on_fire);
    }
}

static void close_fixture(struct fixture *f)
{
    for (uint32_t i = 0; i < CLOCKS; i++)
        sim_clock_release(&f->clocks[i]);
    sim_time_release(&f->time);
}

static void set(struct fixture *f, size_t index, uint64_t ns)
{
    struct alarm *a = &f->alarms[index];

    a->want_ns = ns;
    a->number = ++f->settings;
    sim_clock_set(&f->clocks[index % CLOCKS], &a->timer, (struct mtime){ns});
}

static void unset(struct fixture *f, size_t index)
{
    f->alarms[index].want_ns = 0;
    sim_clock_set(&f->clocks[index % CLOCKS], &f->alarms[index].timer,
                  MTIME_NEVER);
}

static void timers_fire_in_order(void **state)
{
    struct fixture f;
    struct sim_rand rand;
    size_t expected = 0;

    (void)state;
    open_fixture(&f);
    sim_rand_init(&rand, 1, "test", 0);
    for (unsigned i = 0; i < STEPS; i++) {
        size_t index = (size_t)sim_rand_below(&rand, TIMERS);
        if (sim_rand_chance(&rand, 200000))
            unset(&f, index);
        else
            set(&f, index, 1 + sim_rand_below(&rand, 50));
    }
    for (size_t i = 0; i < TIMERS; i++)
        expected += f.alarms[i].want_ns != 0;
    struct sim_clock *c;
    while ((c = sim_time_next(&f.time, MTIME_NEVER)) != NULL)
        sim_clock_fire(c);
    assert_int_equal(f.fired, expected);
    close_fixture(&f);
}

static void time_stops_where_it_was_told(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    set(&f, 0, 10);
    set(&f, 1, 20);
    struct sim_clock *c = sim_time_next(&f.time, (struct mtime){10});
    assert_ptr_equal(c, &f.clocks[0]);
    sim_clock_fire(c);
    assert_null(sim_time_next(&f.time, (struct mtime){19}));
    assert_int_equal(f.time.now.ns, 10);
    /* What is past is due now. */
    f.alarms[2].want_ns = 10;
    f.alarms[2].number = ++f.settings;
    sim_clock_set(&f.clocks[2], &f.alarms[2].timer, (struct mtime){5});
    c = sim_time_next(&f.time, (struct mtime){19});
    assert_ptr_equal(c, &f.clocks[2]);
    sim_clock_fire(c);
    assert_int_equal(f.fired, 2);
    close_fixture(&f);
}

static void a_stopped_clock_goes_on_alone(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    set(&f, 0, 10);
    set(&f, 3, 40);
    set(&f, 1, 20);
    sim_clock_stop(&f.clocks[0]);
    uint64_t count = f.time.trace.count;
    sim_clock_trace(&f.clocks[0], SIM_LOGGED, BYTES_EMPTY);
    assert_int_equal(f.time.trace.count, count);
    assert_true(sim_clock_step(&f.clocks[0]));
    sim_clock_fire(&f.clocks[0]);
    assert_int_equal(sim_clock_now(&f.clocks[0]).ns, 10);
    assert_int_equal(f.time.now.ns, 0);
    assert_int_equal(f.fired, 1);
    sim_clock_resume(&f.clocks[0]);
    struct sim_clock *c = sim_time_next(&f.time, MTIME_NEVER);
    assert_ptr_equal(c, &f.clocks[1]);
    sim_clock_fire(c);
    c = sim_time_next(&f.time, MTIME_NEVER);
    assert_ptr_equal(c, &f.clocks[0]);
    sim_clock_fire(c);
    assert_int_equal(f.fired, 3);
    close_fixture(&f);
}

static void the_wall_clock_is_off(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    f.clocks[1].wall_ms = -5000;
    f.clocks[2].wall_ppm = 1000;
    f.time.now.ns = UINT64_C(100) * SIM_S;
    assert_true(sim_clock_unix_ms(&f.clocks[0]) == SIM_UNIX_MS + 100000);
    assert_true(sim_clock_unix_ms(&f.clocks[1]) == SIM_UNIX_MS + 95000);
    assert_true(sim_clock_unix_ms(&f.clocks[2]) == SIM_UNIX_MS + 100100);
    close_fixture(&f);
}

/* The numbers themselves: they are the same on every machine. */
static void chance_is_named(void **state)
{
    struct sim_rand a;
    struct sim_rand b;
    uint8_t bytes[11];
    unsigned hits = 0;

    (void)state;
    sim_rand_init(&a, 1, "disk", 3);
    sim_rand_init(&b, 1, "disk", 3);
    uint64_t first = sim_rand_next(&a);
    assert_true(first == sim_rand_next(&b));
    assert_true(first == UINT64_C(0xdb8cbdc50c07050f));
    sim_rand_init(&b, 1, "disk", 4);
    assert_true(first != sim_rand_next(&b));
    sim_rand_init(&b, 1, "net", 3);
    assert_true(first != sim_rand_next(&b));
    sim_rand_init(&b, 2, "disk", 3);
    assert_true(first != sim_rand_next(&b));
    sim_rand_fill(&a, bytes, sizeof(bytes));
    for (unsigned i = 0; i < 10000; i++) {
        assert_true(sim_rand_below(&a, 7) < 7);
        hits += sim_rand_chance(&a, 100000);
    }
    assert_in_range(hits, 850, 1150);
    assert_false(sim_rand_chance(&a, 0));
    assert_true(sim_rand_chance(&a, 1000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order),
        cmocka_unit_test(time_stops_where_it_was_told),
        cmocka_unit_test(a_stopped_clock_goes_on_alone),
        cmocka_unit_test(the_wall_clock_is_off),
        cmocka_unit_test(chance_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
