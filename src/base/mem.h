#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"

/*
 * mem - the only place that asks the C library for memory.
 *
 * Out of memory ends the program: every size was compared with a limit before
 * it came here, so there is nobody who could do better.  Memory from here is
 * given back with mem_free() only.
 */

/** mem_alloc - @size bytes, undefined contents; @size 0 is allowed. */
MUST_USE void *mem_alloc(size_t size);

/** mem_zalloc - @count elements of @size bytes, all zero. */
MUST_USE void *mem_zalloc(size_t count, size_t size);

/** mem_resize - @p (or NULL) with room for @count elements of @size bytes. */
MUST_USE void *mem_resize(void *p, size_t count, size_t size);

/** mem_dup - copy of @len bytes at @p. */
MUST_USE void *mem_dup(const void *p, size_t len);

/** mem_strdup - NUL-terminated copy of @s. */
MUST_USE char *mem_strdup(const char *s);

/** mem_free - give back what came from here; NULL does nothing. */
void mem_free(void *p);

#endif /* BASE_MEM_H */
