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

enum { PATH_NAME_MAX = 255 }; /* bytes of a name in a folder */

/**
 * path_beside - as path_with(), for a file that is to lie beside @path.
 *
 * The last component loses as many characters at its end as @suffix has no
 * room for within PATH_NAME_MAX.  @suffix: shorter than that.
 */
MUST_USE char *path_beside(const char *path, const char *suffix);

#endif /* BASE_PATH_H */
