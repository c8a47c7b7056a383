#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *mem_alloc(size_t size)
{
    void *p = malloc(size > 0 ? size : 1);
    if (p == NULL)
        abort();
    return p;
}

void *mem_zalloc(size_t count, size_t size)
{
    void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (p == NULL)
        abort();
    return p;
}

void *mem_resize(void *p, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        abort();
    size_t bytes = count * size;
    void *q = realloc(p, bytes > 0 ? bytes : 1);
    if (q == NULL)
        abort();
    return q;
}

void *mem_dup(const void *p, size_t len)
{
    void *q = mem_alloc(len);
    if (len > 0)
        memcpy(q, p, len);
    return q;
}

char *mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

void mem_free(void *p)
{
    free(p);
}
