#ifndef API_IDENTITY_JSON_H
#define API_IDENTITY_JSON_H

#include <jansson.h>

struct privkey;

/** json_identity - what a key alone says of its node, as GET /node has it:
 * {peer_id, agent, public_key}. */
json_t *json_identity(const struct privkey *key, const char *version);

#endif /* API_IDENTITY_JSON_H */
