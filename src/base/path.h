#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/attr.h"

/*
 * path - names of files, put together.  What is returned is the caller's, who
 * gives it back with mem_free().
 */

/** path_join - @dir/@name. */
MUST_USE char *path_join(const char *dir, const char *name);

/** path_with - @path with @suffix behind it. */
MUST_USE char *path_with(const char *path, const char *suffix);

#endif /* BASE_PATH_H */
