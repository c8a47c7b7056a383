#include "os/pool.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "os/errno_err.h"
#include "os/loop.h"

/*
 * Waking a thread costs as much as a short job, so:
 *
 * 1. submit() wakes nobody.  At the end of the turn the loop wakes or starts
 *    one thread, if a job can run and none is on its way already (@waking).
 * 2. A thread that takes a job and leaves others that can run wakes or starts
 *    the next one.  Short jobs are thus done by few threads, long ones by all.
 *    Who became idle last is woken first: its stack is warm.
 * 3. A thread that ends a job wakes the loop only when the list of done jobs
 *    was empty: the loop takes the whole list at once.
 *
 * @mutex guards all fields below it; the jobs' own data are handed over by it.
 */
struct worker {
    struct os_pool *pool;
    pthread_t thread;
    sem_t wake;
    struct worker *next_idle;
};

struct os_pool {
    struct pool pool;
    struct os_loop *loop;
    struct os_loop_hook turn;
    uv_async_t async; /* jobs are done */
    unsigned threads_max;
    unsigned disk_max; /* disk jobs at once: one thread is left for others */
    bool submitted;    /* in this turn */
    size_t under_way;  /* submitted, done not called yet */

    pthread_mutex_t mutex;
    struct list cpu;       /* jobs that wait */
    struct list disk;      /* jobs that wait */
    struct list done;      /* jobs that ran, in the order of their ends */
    unsigned disk_running; /* disk jobs under way */
    struct worker *idle;   /* a stack */
    bool waking;           /* one worker is on its way to a job */
    bool stopping;
    unsigned workers_count;
    struct worker workers[OS_POOL_THREADS_MAX];
};

static void wake_one(struct os_pool *p);

static bool disk_can_run(const struct os_pool *p)
{
    return !list_empty(&p->disk) && p->disk_running < p->disk_max;
}

static bool can_run(const struct os_pool *p)
{
    return disk_can_run(p) || !list_empty(&p->cpu);
}

/* Disk jobs go first: they wait more than they compute. */
static struct pool_job *take_job(struct os_pool *p)
{
    struct list *from = disk_can_run(p) ? &p->disk : &p->cpu;
    struct pool_job *job =
        container_of(list_first(from), struct pool_job, link);

    list_remove(&job->link);
    if (job->kind == POOL_DISK)
        p->disk_running++;
    return job;
}

/* Return: whether the loop has to be woken. */
static bool put_done(struct os_pool *p, struct pool_job *job)
{
    bool first = list_empty(&p->done);

    if (job->kind == POOL_DISK)
        p->disk_running--;
    list_add_tail(&p->done, &job->link);
    return first;
}

/* With the mutex held, which is not held meanwhile. */
static void run_job(struct os_pool *p, struct pool_job *job)
{
    (void)pthread_mutex_unlock(&p->mutex);
    job->run(job);
    (void)pthread_mutex_lock(&p->mutex);
    if (!put_done(p, job))
        return;
    (void)pthread_mutex_unlock(&p->mutex);
    (void)uv_async_send(&p->async); /* fails only when closing */
    (void)pthread_mutex_lock(&p->mutex);
}

/* With the mutex held, which is not held meanwhile. */
static void wait_idle(struct os_pool *p, struct worker *w)
{
    w->next_idle = p->idle;
    p->idle = w;
    (void)pthread_mutex_unlock(&p->mutex);
    while (sem_wait(&w->wake) != 0)
        continue; /* a debugger may interrupt */
    (void)pthread_mutex_lock(&p->mutex);
    p->waking = false;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct os_pool *p = w->pool;

    (void)pthread_mutex_lock(&p->mutex);
    p->waking = false;
    while (!p->stopping) {
        if (!can_run(p)) {
            wait_idle(p, w);
            continue;
        }
        struct pool_job *job = take_job(p);
        wake_one(p);
        run_job(p, job);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Signals are the loop's business: the thread starts with all of them blocked.
 */
static int start_thread(struct worker *w)
{
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    int failed = pthread_attr_init(&attr);

    assert(failed == 0);
    failed = pthread_attr_setstacksize(&attr, OS_POOL_STACK_BYTES);
    assert(failed == 0);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&w->thread, &attr, worker_main, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return failed;
}

/* With the mutex held.  Return: 0, or an errno. */
static int add_worker(struct os_pool *p)
{
    struct worker *w = &p->workers[p->workers_count];

    w->pool = p;
    (void)sem_init(&w->wake, 0, 0); /* cannot fail with these arguments */
    int failed = start_thread(w);
    if (failed != 0) {
        (void)sem_destroy(&w->wake);
        return failed;
    }
    p->workers_count++;
    p->waking = true;
    return 0;
}

/* With the mutex held: one thread more, if there is something to do for it. */
static void wake_one(struct os_pool *p)
{
    if (p->waking || p->stopping || !can_run(p))
        return;
    if (p->idle != NULL) {
        struct worker *w = p->idle;
        p->idle = w->next_idle;
        p->waking = true;
        (void)sem_post(&w->wake); /* it is 0 while the worker is idle */
        return;
    }
    /* Where no thread can be had, those that there are do the work. */
    if (p->workers_count < p->threads_max)
        (void)add_worker(p);
}

static void on_turn_end(struct os_loop_hook *hook, struct mtime now)
{
    struct os_pool *p = container_of(hook, struct os_pool, turn);

    (void)now; /* jobs have no deadline */
    if (!p->submitted)
        return;
    p->submitted = false;
    (void)pthread_mutex_lock(&p->mutex);
    wake_one(p);
    (void)pthread_mutex_unlock(&p->mutex);
}

static void on_async(uv_async_t *handle)
{
    struct os_pool *p = handle->data;
    struct mtime now = os_loop_enter(p->loop);
    struct list ended;

    list_init(&ended);
    (void)pthread_mutex_lock(&p->mutex);
    list_add_head(&p->done, &ended); /* the new head of the same ring */
    list_remove(&p->done);
    (void)pthread_mutex_unlock(&p->mutex);
    while (!list_empty(&ended)) {
        struct pool_job *job =
            container_of(list_first(&ended), struct pool_job, link);
        list_remove(&job->link);
        p->under_way--;
        job->done(job, now);
    }
}

static void pool_submit(struct pool *pool, struct pool_job *job,
                        enum pool_kind kind)
{
    struct os_pool *p = container_of(pool, struct os_pool, pool);

    job->kind = kind;
    p->submitted = true;
    p->under_way++;
    (void)pthread_mutex_lock(&p->mutex);
    list_add_tail(kind == POOL_DISK ? &p->disk : &p->cpu, &job->link);
    (void)pthread_mutex_unlock(&p->mutex);
}

static unsigned disk_jobs_max(unsigned threads)
{
    if (threads > OS_POOL_DISK_MAX)
        return OS_POOL_DISK_MAX;
    return threads > 1 ? threads - 1 : 1;
}

static unsigned threads_wanted(unsigned threads)
{
    if (threads == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        threads = cores < 1 || cores > OS_POOL_THREADS_MAX
                      ? OS_POOL_THREADS_MAX
                      : (unsigned)cores + OS_POOL_DISK_MAX;
    }
    return threads < OS_POOL_THREADS_MAX ? threads : OS_POOL_THREADS_MAX;
}

/* The first thread is there from the start, so that one always is. */
static int start(struct os_pool *p)
{
    (void)pthread_mutex_lock(&p->mutex);
    int failed = add_worker(p);
    (void)pthread_mutex_unlock(&p->mutex);
    return failed;
}

static void on_async_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

enum err os_pool_open(struct os_loop *loop, unsigned threads,
                      struct os_pool **ret_pool)
{
    struct os_pool *p = mem_zalloc(1, sizeof(*p));
    int failed = uv_async_init(os_loop_uv(loop), &p->async, on_async);
    if (failed != 0) {
        mem_free(p);
        return err_of_errno(-failed);
    }

    p->async.data = p;
    p->pool.submit = pool_submit;
    p->loop = loop;
    p->threads_max = threads_wanted(threads);
    p->disk_max = disk_jobs_max(p->threads_max);
    (void)pthread_mutex_init(&p->mutex, NULL); /* cannot fail on Linux */
    list_init(&p->cpu);
    list_init(&p->disk);
    list_init(&p->done);
    list_init(&p->turn.link);
    failed = start(p);
    if (failed != 0) {
        (void)pthread_mutex_destroy(&p->mutex);
        uv_close((uv_handle_t *)&p->async, on_async_closed);
        return E_LIMIT;
    }
    p->turn.turn_end = on_turn_end;
    os_loop_hook_add(loop, &p->turn, OS_LOOP_FINAL);
    *ret_pool = p;
    return OK;
}

struct pool *os_pool_env(struct os_pool *p)
{
    return &p->pool;
}

bool os_pool_is_busy(const struct os_pool *p)
{
    return p->under_way > 0;
}

static void stop_workers(struct os_pool *p)
{
    (void)pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    for (; p->idle != NULL; p->idle = p->idle->next_idle)
        (void)sem_post(&p->idle->wake); /* it is 0 while the worker is idle */
    (void)pthread_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < p->workers_count; i++) {
        (void)pthread_join(p->workers[i].thread, NULL);
        (void)sem_destroy(&p->workers[i].wake);
    }
}

void os_pool_free(struct os_pool *p)
{
    if (p == NULL)
        return;
    stop_workers(p);
    os_loop_hook_remove(&p->turn);
    (void)pthread_mutex_destroy(&p->mutex);
    uv_close((uv_handle_t *)&p->async, on_async_closed);
}
