/*
 * Goal: the lock of a data folder excludes as os/fslock.h says, tells who
 * holds it, and ends with its holder.
 * Method: locks belong to open files, so two in one process exclude each other
 * as two processes do; a child holds one to be killed.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
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
    fslock_release(&one);
    assert_int_equal(fslock_open(path, true, 0, &three, &pid), E_AGAIN);
    fslock_release(&two);
    assert_int_equal(fslock_open(path, true, 0, &three, &pid), OK);
    fslock_release(&three);
}

/* Whether the kernel tells of locks in @path, as it does not on every file
 * system. */
static bool kernel_tells(void)
{
    char line[256];
    char inode[32];
    struct stat st;
    bool found = false;
    FILE *locks = fopen("/proc/locks", "re");

    if (locks == NULL)
        return false;
    assert_int_equal(stat(path, &st), 0);
    (void)snprintf(inode, sizeof(inode), ":%lu ", (unsigned long)st.st_ino);
    while (!found && fgets(line, sizeof(line), locks) != NULL)
        found = strstr(line, inode) != NULL;
    (void)fclose(locks);
    return found;
}

/* Who shares the lock writes no pid: neither that of an earlier holder is told,
 * nor that of another one who waits. */
static void test_who_shares_is_named(void **state)
{
    struct fslock one;
    struct fslock two;
    uint32_t pid = 1;

    (void)state;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("4711\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(fslock_open(path, false, 0, &one, NULL), OK);
    bool tells = kernel_tells();
    assert_int_equal(fslock_open(path, true, 0, &two, &pid), E_AGAIN);
    assert_int_equal(pid, tells ? getpid() : 0);
    assert_int_equal(fslock_open(path, true, 30, &two, &pid), E_AGAIN);
    assert_int_equal(pid, tells ? getpid() : 0);
    fslock_release(&one);
}

/* The file need only be readable, and stays as it is. */
static void test_sharing_changes_nothing(void **state)
{
    struct fslock one;
    struct stat before;
    struct stat after;

    (void)state;
    assert_int_equal(fslock_open(path, false, 0, &one, NULL), OK);
    fslock_release(&one);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(fslock_open(path, false, 0, &one, NULL), OK);
    assert_int_equal(fcntl(one.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    fslock_release(&one);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim,
                        sizeof(before.st_mtim));
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
        LOCK_TEST(test_who_shares_is_named),
        LOCK_TEST(test_sharing_changes_nothing),
        LOCK_TEST(test_no_folder),
        LOCK_TEST(test_ends_with_its_process),
        LOCK_TEST(test_garbage_is_no_pid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
