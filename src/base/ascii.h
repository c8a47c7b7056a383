#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include <stdint.h>

/** ascii_lower - @c, an ASCII capital as its small letter; all others stay. */
static inline uint8_t ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

#endif /* BASE_ASCII_H */
