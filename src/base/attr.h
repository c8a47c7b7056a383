#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#include <stddef.h>

/* Compiler attributes we use, and nothing else from the compiler. */

/** MUST_USE - the caller may not drop this result; a dropped one is an error.
 */
#define MUST_USE __attribute__((__warn_unused_result__))

/** PRINTF_LIKE - check arguments from @first against format number @fmt. */
#define PRINTF_LIKE(fmt, first) __attribute__((__format__(printf, fmt, first)))

/** container_of - the struct @type whose field @member is at @ptr. */
#define container_of(ptr, type, member)                                        \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/** countof - number of elements of the array @a. */
#define countof(a) (sizeof(a) / sizeof((a)[0]))

#endif /* BASE_ATTR_H */
