#ifndef OS_HTTP_QUERY_H
#define OS_HTTP_QUERY_H

#include <stddef.h>

/* http_query - the parameters behind the '?' of a request. */
struct http_query {
    char *text;         /* private: decoded names and values */
    const char **words; /* private: name, value, name, value, ... */
    size_t count;       /* of pairs */
};

/**
 * http_query_init - take @text apart.
 * @text: as sent, without the '?'; "" gives no pair.
 *
 * '+' is a blank, "%20" too; a percent sign without two hex digits behind it,
 * and "%00", stay as they are.  Empty parts between two '&' are skipped.
 */
void http_query_init(struct http_query *q, const char *text);

/** http_query_release - free the memory. */
void http_query_release(struct http_query *q);

/** http_query_get - value of the first @name, "" where it has none, or NULL. */
const char *http_query_get(const struct http_query *q, const char *name);

/** http_query_name - name of pair @index, or NULL past the last. */
const char *http_query_name(const struct http_query *q, size_t index);

#endif /* OS_HTTP_QUERY_H */
