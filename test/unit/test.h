#ifndef TEST_UNIT_TEST_H
#define TEST_UNIT_TEST_H

/*
 * What every unit test starts with: cmocka, and the headers that it asks to be
 * included before it.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/** unhex_digit - value of one hex digit; the test fails at anything else. */
static inline uint8_t unhex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    if (found == NULL)
        fail_msg("'%c' is no hex digit", c);
    return (uint8_t)((size_t)(found - digits) % 16);
}

/**
 * unhex - write the bytes that @hex spells.
 * @hex: hex digits of either case; blanks and newlines between bytes are
 *       skipped.
 * @out: room for @out_max bytes.
 *
 * The test fails when @hex is malformed or longer than @out.
 *
 * Return: the number of bytes written.
 */
static inline size_t unhex(const char *hex, uint8_t *out, size_t out_max)
{
    size_t len = 0;
    while (*hex != '\0') {
        if (*hex == ' ' || *hex == '\n') {
            hex++;
            continue;
        }
        assert_true(len < out_max);
        uint8_t high = unhex_digit(hex[0]);
        uint8_t low = unhex_digit(hex[1]);
        out[len++] = (uint8_t)(high << 4 | low);
        hex += 2;
    }
    return len;
}

/**
 * test_load - read a whole file, such as a vector of test/vectors.
 * @path: from the root of the sources, where tests run.
 * @out: room for @out_max bytes.
 *
 * The test fails when the file cannot be read or is longer than @out.
 *
 * Return: the number of bytes read.
 */
static inline size_t test_load(const char *path, uint8_t *out, size_t out_max)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s cannot be opened", path);
    size_t len = fread(out, 1, out_max, file);
    int more = fgetc(file);
    (void)fclose(file); /* was only read */
    if (more != EOF)
        fail_msg("%s is longer than %zu bytes", path, out_max);
    return len;
}

#endif /* TEST_UNIT_TEST_H */
