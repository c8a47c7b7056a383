/*
 * Goal: the lock of a data folder excludes as os/fslock.h says, tells who
 * holds it, and ends with its holder.
 * Method: locks belong to open files, so two in one process exclude each other
 * as two processes do; a child holds one to be killed.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fslock.h"
#include "os_test.h"

#include "test.h"

static char dir[OS_TEST_PATH_MAX];  /* NOLINT: of this test alone */
static char path[OS_TEST_PATH_MAX]; /* NOLINT: of this test alone */

static int set_up(void **state)
{
    (void)state;
    os_test_dir(dir);
    os_test_path(path, dir, "lock");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    os_test_remove(dir);
    return 0;
}

static void test_exclusive_excludes_all(void **state)
{
    struct fslock lock;
    struct fslock other;
    uint32_t pid = 0;

    (void)state;
    assert_int_equal(fslock_holder(path, &pid), E_NOTFOUND);
    assert_int_equal(fslock_open(path, true, 0, &lock, NULL), OK);
    assert_int_equal(fslock_open(path, true, 0, &other, &pid), E_AGAIN);
    assert_int_equal(pid, getpid());
    pid = 0;
    assert_int_equal(fslock_open(path, false, 30, &other, &pid), E_AGAIN);
    assert_int_equal(pid, getpid());
    pid = 0;
    assert_int_equal(fslock_holder(path, &pid), OK);
    assert_int_equal(pid, getpid());
    fslock_release(&lock);
    fslock_release(&lock);
    assert_int_equal(fslock_holder(path, &pid), E_NOTFOUND);
    assert_int_equal(fslock_open(path, true, 0, &lock, &pid), OK);
    fslock_release(&lock);
}

static void test_shared_ones_get_along(void **state)
{
    struct fslock one;
    struct fslock two;
    struct fslock three;
    uint32_t pid;

    (void)state;
    assert_int_equal(fslock_open(path, false, 0, &one, &pid), OK);
    assert_int_equal(fslock_open(path, false, 0, &two, &pid), OK);
    assert_int_equal(fslock_holder(path, &pid), E_NOTFOUND);
    assert_int_equal(fslock_open(path, true, 0, &three, &pid), E_AGAIN);
    assert_int_equal(pid, 0);
    fslock_release(&one);
    assert_int_equal(fslock_open(path, true, 0, &three, &pid), E_AGAIN);
    fslock_release(&two);
    assert_int_equal(fslock_open(path, true, 0, &three, &pid), OK);
    fslock_release(&three);
}

static void test_no_folder(void **state)
{
    struct fslock lock;
    char below[OS_TEST_PATH_MAX];

    (void)state;
    os_test_path(below, dir, "no/lock");
    assert_int_equal(fslock_open(below, true, 0, &lock, NULL), E_NOTFOUND);
    assert_int_equal(fslock_open(dir, true, 0, &lock, NULL), E_REFUSED);
}

static void hold_until_killed(int ready)
{
    struct fslock lock;

    if (fslock_open(path, true, 0, &lock, NULL) == OK)
        (void)!write(ready, "x", 1);
    for (;;)
        (void)pause();
}

/* The waiting ends when the holder is killed, and the pid was the holder's. */
static void test_ends_with_its_process(void **state)
{
    struct fslock lock;
    uint32_t pid = 0;
    int ready[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        hold_until_killed(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(fslock_holder(path, &pid), OK);
    assert_int_equal(pid, child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(fslock_open(path, true, 10000, &lock, &pid), OK);
    assert_int_equal(waitpid(child, NULL, 0), child);
    fslock_release(&lock);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void test_garbage_is_no_pid(void **state)
{
    struct fslock lock;
    uint32_t pid = 1;

    (void)state;
    assert_int_equal(fslock_open(path, true, 0, &lock, NULL), OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("99999999999999999999", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(fslock_holder(path, &pid), OK);
    assert_int_equal(pid, 0);
    fslock_release(&lock);
}

#define LOCK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_TEST(test_exclusive_excludes_all),
        LOCK_TEST(test_shared_ones_get_along),
        LOCK_TEST(test_no_folder),
        LOCK_TEST(test_ends_with_its_process),
        LOCK_TEST(test_garbage_is_no_pid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
