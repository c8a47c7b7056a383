#ifndef API_PEER_JSON_H
#define API_PEER_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct request;

/* peer_json - peers and addresses in requests and answers. */

/** json_peer - @id as a JSON string. */
json_t *json_peer(const struct peer_id *id);

/** json_addr - @addr as a JSON string. */
json_t *json_addr(const struct multiaddr *addr);

/** json_addrs - @count addresses as a JSON array. */
json_t *json_addrs(const struct multiaddr *addrs, size_t count);

/**
 * request_peer - the tail as a peer id.
 * Return: false when it is none; the request is answered then.
 */
bool request_peer(struct request *q, struct peer_id *ret_id);

#endif /* API_PEER_JSON_H */
