#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * struct bytes - borrowed, read-only view of @len bytes at @p.
 *
 * A view owns nothing.  It is valid while the memory it points into is; every
 * function that returns one says until when.  @p may be NULL only if @len is 0.
 */
struct bytes {
    const uint8_t *p;
    size_t len;
};

/** BYTES_EMPTY - a view of nothing. */
#define BYTES_EMPTY ((struct bytes){.p = NULL, .len = 0})

/** BYTES_LIT - view of the string literal @s without its NUL. */
#define BYTES_LIT(s)                                                           \
    ((struct bytes){.p = (const uint8_t *)(s), .len = sizeof(s) - 1})

/** bytes_str - view of the NUL-terminated @s without its NUL. */
static inline struct bytes bytes_str(const char *s)
{
    return (struct bytes){.p = (const uint8_t *)s, .len = strlen(s)};
}

/** bytes_eq - true when @a and @b hold the same bytes.  Not constant time. */
static inline bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/**
 * bytes_cmp - order of @a and @b byte by byte, a prefix before what it begins.
 *
 * Return: below 0, 0 or above 0.
 */
static inline int bytes_cmp(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.p, b.p, len);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

/** bytes_sub - view of @len bytes of @in from @from; both within @in. */
struct bytes bytes_sub(struct bytes in, size_t from, size_t len);

#endif /* BASE_BYTES_H */
