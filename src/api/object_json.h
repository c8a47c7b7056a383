#ifndef API_OBJECT_JSON_H
#define API_OBJECT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mtime.h"
#include "storage/keeper.h"

struct cid;
struct node;
struct request;

/* object_json - objects in answers. */

/** json_copies - {wanted, stored, verified, state} of @status; @state NULL:
 * its own. */
json_t *json_copies(const struct node *n, const struct keeper_status *status,
                    const char *state);

/** json_object_status - all about an object; @holders: with them. */
json_t *json_object_status(const struct node *n,
                           const struct keeper_status *status, bool holders);

/**
 * object_survey - answer with what others know of @root.
 * @timeout_ms: 0: the default.
 *
 * Return: false when nobody can be asked, or no object can have this root: @q
 * was not answered.
 */
bool object_survey(struct request *q, const struct cid *root,
                   uint32_t timeout_ms, struct mtime now);

#endif /* API_OBJECT_JSON_H */
