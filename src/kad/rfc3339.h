#ifndef KAD_RFC3339_H
#define KAD_RFC3339_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    RFC3339_TEXT_MAX = 30 + 1, /* room for rfc3339_format() and its NUL */
    RFC3339_PARSE_MAX = 35,    /* longest text that is a time */
};

/**
 * struct unix_time - point in wall-clock time, to the nanosecond.
 *
 * Years 0 to 9999; leap seconds do not exist.
 */
struct unix_time {
    int64_t s;   /* since 1970-01-01T00:00:00Z */
    uint32_t ns; /* below 1,000,000,000 */
};

/** unix_time_of_ms - @ms milliseconds after 1970 began. */
struct unix_time unix_time_of_ms(uint64_t ms);

/** unix_time_to_ms - whole milliseconds since 1970, 0 for earlier times. */
uint64_t unix_time_to_ms(const struct unix_time *t);

/** unix_time_cmp - below 0 when @a is earlier, above 0 when it is later. */
int unix_time_cmp(const struct unix_time *a, const struct unix_time *b);

/**
 * rfc3339_parse - time from text such as "2100-01-01T00:00:00.5Z".
 *
 * A fraction has 1 to 9 digits if there is one; the zone is "Z" or "+hh:mm".
 *
 * Return: OK; E_MALFORMED, also for a time that is in another year in UTC than
 * 0 to 9999; E_LIMIT over RFC3339_PARSE_MAX; E_SHORT when the
 * text ends too early.
 *
 * Spec: RFC 3339, 5.6.
 */
MUST_USE enum err rfc3339_parse(struct bytes text, struct unix_time *ret_time);

/**
 * rfc3339_format - text of @t in UTC with 9 digits of fraction.
 * @dst: gets a NUL at the end.
 *
 * Return: length without NUL.
 */
size_t rfc3339_format(const struct unix_time *t,
                      char dst[static RFC3339_TEXT_MAX]);

#endif /* KAD_RFC3339_H */
