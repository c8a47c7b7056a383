#ifndef API_BOOK_JSON_H
#define API_BOOK_JSON_H

#include <jansson.h>

#include "base/mtime.h"

struct book_peer;
struct request;

/** json_book_peer - what the peer book says of @p; this node is on line. */
json_t *json_book_peer(struct request *q, const struct book_peer *p,
                       struct mtime now);

#endif /* API_BOOK_JSON_H */
