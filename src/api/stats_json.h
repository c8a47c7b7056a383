#ifndef API_STATS_JSON_H
#define API_STATS_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/mtime.h"

struct node;
struct store_stats;

/**
 * stats_json_parts - add to @v what `stats PART` shows: "store", and of a node
 * that is on line "bandwidth", "bitswap", "dht".
 * @connections: each connection too.
 */
void stats_json_parts(json_t *v, struct node *n,
                      const struct store_stats *store, bool connections,
                      struct mtime now);

#endif /* API_STATS_JSON_H */
