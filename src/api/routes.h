#ifndef API_ROUTES_H
#define API_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct route;

enum {
    ROUTE_QUERY_MAX = 13,  /* parameters of a route, and the NULL */
    ROUTE_FIELDS_MAX = 14, /* fields of a body, and the end */
};

/** enum route_found - what a look at the table says. */
enum route_found {
    ROUTE_FOUND,
    ROUTE_NO_PATH,   /* 404 */
    ROUTE_NO_METHOD, /* 405 */
};

/** enum route_use - what an answer does with the data folder, from most to
 * least. */
enum route_use {
    ROUTE_WRITES,       /* changes it */
    ROUTE_READS,        /* others may read at the same time */
    ROUTE_READS_BLOCKS, /* likewise; it is about blocks and needs no key */
};

/**
 * route_use_of - what a request does with the data folder.
 * @target: as sent, with its query.
 *
 * What only reads and wants a block that is not here writes after all, where it
 * asks peers: node_wants_to_write().
 */
enum route_use route_use_of(const char *method, const char *target);

/**
 * route_find - the row for @method and @path.
 * @path: as sent, percent-encoded.
 * @ret_tail: what stood for the star, a view into @path; on FOUND only.
 */
enum route_found route_find(const char *method, const char *path,
                            const struct route **ret_route,
                            struct bytes *ret_tail);

/** route_at - row number @i of the table, NULL past the last. */
const struct route *route_at(size_t i);

struct strbuf;

/** route_methods - append the methods that @path knows, with commas. */
void route_methods(const char *path, struct strbuf *out);

/** route_query - names of the parameters that @route knows, NULL behind the
 * last. */
const char *const *route_query(const struct route *route);

struct request_field;

/** route_fields - fields that a JSON body of @route may have, up to one without
 * a name; NULL: the handler knows. */
const struct request_field *route_fields(const struct route *route);

#endif /* API_ROUTES_H */
