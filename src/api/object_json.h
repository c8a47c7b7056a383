#ifndef API_OBJECT_JSON_H
#define API_OBJECT_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "storage/keeper.h"

struct node;

/* object_json - objects in answers. */

/** json_copies - {wanted, stored, verified, state} of @status; @state NULL:
 * its own. */
json_t *json_copies(const struct node *n, const struct keeper_status *status,
                    const char *state);

/** json_object_status - all about an object; @holders: with them. */
json_t *json_object_status(const struct node *n,
                           const struct keeper_status *status, bool holders);

#endif /* API_OBJECT_JSON_H */
