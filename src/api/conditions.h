#ifndef API_CONDITIONS_H
#define API_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * conditions - what a request asks by the headers Range, If-Range and
 * If-None-Match (RFC 9110, sections 13 and 14).
 */

enum range_kind {
    RANGE_WHOLE, /* none, or none that is served: the whole is a right answer */
    RANGE_FROM,  /* @length bytes from @offset on */
    RANGE_SUFFIX, /* the last @length bytes */
};

struct range {
    enum range_kind kind;
    uint64_t offset;
    uint64_t length; /* UINT64_MAX: to the end */
};

/**
 * range_parse - one range of bytes.
 * @text: the header's value, or NULL.
 *
 * Numbers too large for the type mean the end of every file.  More than one
 * range, another unit and what is malformed are RANGE_WHOLE.
 */
struct range range_parse(const char *text);

/**
 * etag_is_listed - whether If-None-Match @list has the entity tag of @cid.
 * @list: the header's value, or NULL; "*" has every one, weak ones count.
 * @cid: text, without quotes.
 */
bool etag_is_listed(const char *list, const char *cid);

/** etag_is - whether If-Range @text is the strong entity tag of @cid. */
bool etag_is(const char *text, const char *cid);

#endif /* API_CONDITIONS_H */
