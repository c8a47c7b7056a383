#ifndef TEST_UNIT_OS_OS_TEST_H
#define TEST_UNIT_OS_OS_TEST_H

/* What the tests of os/ share: a folder of their own for files. */

#include <stddef.h>

enum { OS_TEST_PATH_MAX = 512 };

/** os_test_dir - make a folder in TMPDIR; its path to @dst. */
void os_test_dir(char dst[static OS_TEST_PATH_MAX]);

/** os_test_remove - remove folder @path with all that is in it. */
void os_test_remove(const char *path);

/** os_test_path - "@dir/@name" to @dst. */
void os_test_path(char dst[static OS_TEST_PATH_MAX], const char *dir,
                  const char *name);

#endif /* TEST_UNIT_OS_OS_TEST_H */
