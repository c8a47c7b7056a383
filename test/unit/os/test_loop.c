/*
 * Goal: a turn is as os/loop.h tells: one `now`, events, tasks, timers, hooks
 * of both stages; the loop sleeps when nothing is due and not otherwise.
 * Method: real loops; events come from other timers, from signals to this
 * process and from jobs of the pool.
 */
#include <signal.h>
#include <time.h>

#include "env/pool.h"
#include "env/rng.h"
#include "os/loop.h"
#include "os/os_env.h"

#include "test.h"

enum { LOG_MAX = 64 };

struct run {
    struct os_loop *loop;
    struct os_loop_hook early;
    struct os_loop_hook late;
    struct os_loop_task task;
    struct timer timer;
    struct timer stop;
    char log[LOG_MAX];
    size_t log_len;
    unsigned turns;
    uint64_t now_ns; /* of this turn */
    bool again;      /* the task defers itself once */
};

static struct run run; /* NOLINT: of this test alone */

static void note(char what, struct mtime now)
{
    if (run.now_ns == 0)
        run.now_ns = now.ns;
    assert_int_equal(now.ns, run.now_ns);
    struct clock *clock = os_loop_clock(run.loop);
    assert_int_equal(clock->now(clock).ns, now.ns);
    if (run.log_len < LOG_MAX - 1)
        run.log[run.log_len++] = what;
}

static void on_early(struct os_loop_hook *h, struct mtime now)
{
    (void)h;
    note('e', now);
}

static void on_late(struct os_loop_hook *h, struct mtime now)
{
    (void)h;
    note('l', now);
    run.now_ns = 0;
    run.turns++;
}

static void on_task(struct os_loop_task *task, struct mtime now)
{
    note('k', now);
    if (run.again)
        os_loop_defer(run.loop, task);
    run.again = false;
}

static void on_timer(struct timer *t, struct mtime now)
{
    (void)t;
    note('t', now);
}

static void on_stop(struct timer *t, struct mtime now)
{
    (void)t;
    note('s', now);
    os_loop_stop(run.loop);
}

static void start(void)
{
    memset(&run, 0, sizeof(run));
    assert_int_equal(os_loop_open(&run.loop), OK);
    run.early.turn_end = on_early;
    run.late.turn_end = on_late;
    os_loop_hook_add(run.loop, &run.late, OS_LOOP_FINAL);
    os_loop_hook_add(run.loop, &run.early, OS_LOOP_WORK);
    run.task.run = on_task;
    list_init(&run.task.link);
    timer_init(&run.timer, on_timer);
    timer_init(&run.stop, on_stop);
}

static void set(struct timer *t, uint32_t ms)
{
    struct clock *clock = os_loop_clock(run.loop);
    clock->set(clock, t, mtime_add_ms(clock->now(clock), ms));
}

static void end(const char *log)
{
    assert_string_equal(run.log, log);
    os_loop_hook_remove(&run.early);
    os_loop_hook_remove(&run.late);
    os_loop_free(run.loop);
}

static void test_order_within_turns(void **state)
{
    (void)state;
    start();
    run.again = true;
    os_loop_defer(run.loop, &run.task);
    os_loop_defer(run.loop, &run.task); /* waits already */
    set(&run.timer, 0);
    set(&run.stop, 1);
    os_loop_run(run.loop);
    /* First turn: task, timer. Second: the task again. Third: the stop. */
    end("ktelkelsel");
}

static void test_sleeps_until_the_deadline(void **state)
{
    struct timespec before;
    struct timespec after;

    (void)state;
    start();
    set(&run.stop, 30);
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    os_loop_run(run.loop);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t ns = (after.tv_sec - before.tv_sec) * INT64_C(1000000000) +
                 after.tv_nsec - before.tv_nsec;
    assert_true(ns >= 29 * INT64_C(1000000));
    /* The turn before the first sleep, that of the deadline, and at most two
     * where the system's clock ticks coarsely. */
    assert_in_range(run.turns, 2, 4);
    os_loop_hook_remove(&run.early);
    os_loop_hook_remove(&run.late);
    os_loop_free(run.loop);
}

static void test_cancelled_task_and_unset_timer(void **state)
{
    (void)state;
    start();
    os_loop_defer(run.loop, &run.task);
    os_loop_cancel(&run.task);
    os_loop_cancel(&run.task);
    set(&run.timer, 0);
    struct clock *clock = os_loop_clock(run.loop);
    clock->set(clock, &run.timer, MTIME_NEVER);
    set(&run.stop, 0);
    os_loop_run(run.loop);
    end("sel");
}

static void test_runs_again_after_a_stop(void **state)
{
    (void)state;
    start();
    set(&run.stop, 0);
    os_loop_run(run.loop);
    set(&run.stop, 0);
    os_loop_run(run.loop);
    end("selsel");
}

static void test_wall_clock(void **state)
{
    (void)state;
    start();
    struct clock *clock = os_loop_clock(run.loop);
    uint64_t s = (uint64_t)time(NULL);
    assert_in_range(clock->unix_ms(clock) / 1000, s, s + 2);
    end("");
}

static int caught; /* NOLINT: of this test alone */

static void on_signal(void *user, int signum, struct mtime now)
{
    (void)now;
    caught = signum;
    os_env_stop(*(struct os_env **)user);
}

static void test_signals_come_on_the_loop(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct os_env *env;
    struct os_config config = {.on_signal = on_signal, .user = (void *)&env};

    (void)state;
    assert_int_equal(os_env_open(&config, &env), OK);
    for (size_t i = 0; i < countof(signals); i++) {
        caught = 0;
        assert_int_equal(raise(signals[i]), 0);
        assert_int_equal(caught, 0);
        os_env_run(env);
        assert_int_equal(caught, signals[i]);
    }
    assert_int_equal(raise(SIGPIPE), 0);
    os_env_free(env);
}

static void test_random_bytes_differ(void **state)
{
    struct os_env *env;
    struct os_config config = {.pool_threads = 1};
    uint8_t a[1000] = {0};
    uint8_t b[1000] = {0};

    (void)state;
    assert_int_equal(os_env_open(&config, &env), OK);
    env->env.rng->fill(env->env.rng, a, sizeof(a));
    env->env.rng->fill(env->env.rng, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    env->env.rng->fill(env->env.rng, a, 0);
    os_env_free(env);
    os_env_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_within_turns),
        cmocka_unit_test(test_sleeps_until_the_deadline),
        cmocka_unit_test(test_cancelled_task_and_unset_timer),
        cmocka_unit_test(test_runs_again_after_a_stop),
        cmocka_unit_test(test_wall_clock),
        cmocka_unit_test(test_signals_come_on_the_loop),
        cmocka_unit_test(test_random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
