#ifndef OS_CONST_CAST_H
#define OS_CONST_CAST_H

/**
 * const_cast - @p for a library that takes a plain pointer and only reads.
 */
static inline void *const_cast(const void *p)
{
    union {
        const void *in;
        void *out;
    } same = {.in = p};

    return same.out;
}

#endif /* OS_CONST_CAST_H */
