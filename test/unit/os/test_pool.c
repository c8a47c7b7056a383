/*
 * Goal: jobs of one kind start in order, each comes back once, at most
 * OS_POOL_DISK_MAX disk jobs run at once and hold back no other, and freeing
 * the pool waits for what runs.
 * Method: jobs that note their start, and jobs that hold each other at
 * barriers, so that the test hangs, and is ended, where the pool runs fewer at
 * once than it should.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/attr.h"
#include "os/loop.h"
#include "os/pool.h"

#include "test.h"

enum { JOBS = 2000, THREADS = 8 };

struct run;

struct job {
    struct pool_job job;
    struct run *run;
    unsigned started_as;
    unsigned done_count;
};

struct run {
    struct os_loop *loop;
    struct os_pool *pool;
    atomic_uint starts;
    atomic_uint disk_now;
    atomic_uint disk_most;
    pthread_barrier_t barrier;
    unsigned left;
    struct job jobs[JOBS];
};

static struct run run; /* NOLINT: of this test alone */

static void on_done(struct pool_job *job, struct mtime now)
{
    struct job *j = container_of(job, struct job, job);

    (void)now;
    j->done_count++;
    if (--run.left == 0)
        os_loop_stop(run.loop);
}

static void start(unsigned threads)
{
    memset(&run, 0, sizeof(run));
    assert_int_equal(os_loop_open(&run.loop), OK);
    assert_int_equal(os_pool_open(run.loop, threads, &run.pool), OK);
}

static void end(void)
{
    os_pool_free(run.pool);
    os_loop_free(run.loop);
}

static void submit(size_t i, void (*work)(struct pool_job *),
                   enum pool_kind kind)
{
    struct pool *pool = os_pool_env(run.pool);

    run.jobs[i].run = &run;
    run.jobs[i].job.run = work;
    run.jobs[i].job.done = on_done;
    run.left++;
    pool->submit(pool, &run.jobs[i].job, kind);
}

static void note_start(struct pool_job *job)
{
    struct job *j = container_of(job, struct job, job);
    j->started_as = atomic_fetch_add(&j->run->starts, 1);
}

static void test_one_thread_keeps_the_order(void **state)
{
    (void)state;
    start(1);
    for (size_t i = 0; i < JOBS; i++)
        submit(i, note_start, POOL_CPU);
    os_loop_run(run.loop);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(run.jobs[i].started_as, i);
        assert_int_equal(run.jobs[i].done_count, 1);
    }
    end();
}

static void test_every_job_comes_back_once(void **state)
{
    (void)state;
    start(THREADS);
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < JOBS; i++)
            submit(i, note_start, i % 3 == 0 ? POOL_DISK : POOL_CPU);
        os_loop_run(run.loop);
        for (size_t i = 0; i < JOBS; i++)
            assert_int_equal(run.jobs[i].done_count, round + 1);
    }
    end();
}

static void meet(struct pool_job *job)
{
    (void)job;
    (void)pthread_barrier_wait(&run.barrier); /* one of them gets a mark */
}

static void test_all_threads_work_at_once(void **state)
{
    (void)state;
    start(THREADS);
    assert_int_equal(pthread_barrier_init(&run.barrier, NULL, THREADS), 0);
    for (size_t i = 0; i < THREADS; i++)
        submit(i, meet, POOL_CPU);
    os_loop_run(run.loop);
    (void)pthread_barrier_destroy(&run.barrier);
    end();
}

static void count_disk(struct pool_job *job)
{
    unsigned now = atomic_fetch_add(&run.disk_now, 1) + 1;
    unsigned most = atomic_load(&run.disk_most);

    (void)job;
    while (now > most &&
           !atomic_compare_exchange_weak(&run.disk_most, &most, now))
        continue;
    (void)pthread_barrier_wait(&run.barrier); /* one of them gets a mark */
    atomic_fetch_sub(&run.disk_now, 1);
}

/* Four disk jobs and four others meet: neither kind holds the other back, and
 * the disk jobs come four at a time. */
static void test_disk_jobs_at_once(void **state)
{
    enum { ROUNDS = 50, DISK = ROUNDS * OS_POOL_DISK_MAX };
    enum { CPU = ROUNDS * (THREADS - OS_POOL_DISK_MAX) };

    (void)state;
    start(THREADS);
    assert_int_equal(pthread_barrier_init(&run.barrier, NULL, THREADS), 0);
    for (size_t i = 0; i < DISK; i++)
        submit(i, count_disk, POOL_DISK);
    for (size_t i = 0; i < CPU; i++)
        submit(DISK + i, meet, POOL_CPU);
    os_loop_run(run.loop);
    assert_int_equal(run.disk_most, OS_POOL_DISK_MAX);
    (void)pthread_barrier_destroy(&run.barrier);
    end();
}

static void submit_next(struct pool_job *job, struct mtime now)
{
    size_t i = (size_t)(container_of(job, struct job, job) - run.jobs);

    if (i + 1 < JOBS) {
        submit(i + 1, note_start, POOL_CPU);
        run.jobs[i + 1].job.done = submit_next;
    }
    on_done(job, now);
}

static void test_jobs_submitted_from_done(void **state)
{
    (void)state;
    start(0);
    submit(0, note_start, POOL_CPU);
    run.jobs[0].job.done = submit_next;
    os_loop_run(run.loop);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(run.jobs[i].started_as, i);
    end();
}

static void stop_at_first(struct pool_job *job, struct mtime now)
{
    (void)now;
    container_of(job, struct job, job)->done_count++;
    os_loop_stop(run.loop);
}

static void test_free_waits_for_running_jobs_and_drops_others(void **state)
{
    (void)state;
    start(2);
    for (size_t i = 0; i < JOBS; i++) {
        submit(i, note_start, POOL_CPU);
        run.jobs[i].job.done = stop_at_first;
    }
    os_loop_run(run.loop);
    os_pool_free(run.pool);
    unsigned after = atomic_load(&run.starts);
    os_loop_free(run.loop);
    assert_in_range(after, 1, JOBS);
    assert_int_equal(atomic_load(&run.starts), after);
}

static void test_is_busy_until_the_last_done(void **state)
{
    (void)state;
    start(2);
    assert_false(os_pool_is_busy(run.pool));
    submit(0, note_start, POOL_DISK);
    submit(1, note_start, POOL_CPU);
    assert_true(os_pool_is_busy(run.pool));
    os_loop_run(run.loop);
    assert_int_equal(run.left, 0);
    assert_false(os_pool_is_busy(run.pool));
    end();
}

static void test_free_unused(void **state)
{
    (void)state;
    start(OS_POOL_THREADS_MAX + 1);
    end();
    os_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_keeps_the_order),
        cmocka_unit_test(test_every_job_comes_back_once),
        cmocka_unit_test(test_all_threads_work_at_once),
        cmocka_unit_test(test_disk_jobs_at_once),
        cmocka_unit_test(test_jobs_submitted_from_done),
        cmocka_unit_test(test_free_waits_for_running_jobs_and_drops_others),
        cmocka_unit_test(test_is_busy_until_the_last_done),
        cmocka_unit_test(test_free_unused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
