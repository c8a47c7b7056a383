#include "os_test.h"

#include <ftw.h>
#include <unistd.h>

#include "test.h"

void os_test_dir(char dst[static OS_TEST_PATH_MAX])
{
    const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */

    os_test_path(dst, tmp == NULL ? "/tmp" : tmp, "xmbl-os-XXXXXX");
    assert_non_null(mkdtemp(dst));
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *place)
{
    (void)st; /* all go */
    (void)kind;
    (void)place;
    return remove(path);
}

void os_test_remove(const char *path)
{
    int failed = /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(failed, 0);
}

void os_test_path(char dst[static OS_TEST_PATH_MAX], const char *dir,
                  const char *name)
{
    int len = snprintf(dst, OS_TEST_PATH_MAX, "%s/%s", dir, name);
    assert_in_range(len, 1, OS_TEST_PATH_MAX - 1);
}
