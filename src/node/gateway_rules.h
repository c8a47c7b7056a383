#ifndef NODE_GATEWAY_RULES_H
#define NODE_GATEWAY_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "env/web.h"
#include "multiformats/cid.h"

/* gateway_rules - what a gateway is asked, and what its answers mean. */

enum {
    GATEWAY_URL_MAX = 640,               /* room for an origin and its NUL */
    GATEWAY_REST_MS = 1000,              /* after a first failure */
    GATEWAY_REST_MAX_MS = 5 * 60 * 1000, /* after many */
    GATEWAY_RETRY_AFTER_MAX_MS = 3600 * 1000,
    GATEWAY_WRONG_MS = 3600 * 1000, /* after what no gateway does */
    GATEWAY_OVERSIZED_MAX = 4,      /* in a row before it is WRONG */
};

/** enum gateway_verdict - what an answer means. */
enum gateway_verdict {
    GATEWAY_GIVES,   /* bytes that are to be checked */
    GATEWAY_HAS_NOT, /* this block; others may be there */
    GATEWAY_BUSY,    /* or broken: later */
    GATEWAY_WRONG,   /* it is no trustless gateway, or none that we trust */
};

/** gateway_judge - what @answer means for a request for a block. */
enum gateway_verdict gateway_judge(const struct web_answer *answer);

/**
 * gateway_rest_ms - how long a gateway that is busy is left alone.
 * @failures: in a row, 1 and up.
 * @retry_after_s: what it said; 0: nothing.
 */
uint32_t gateway_rest_ms(uint32_t failures, uint32_t retry_after_s);

/**
 * gateway_block_url - where the block @cid is.
 * @origin: under GATEWAY_URL_MAX, without "/" at the end.
 * @dst: room for WEB_URL_MAX + 1.
 *
 * Spec: ipfs/specs trustless-gateway.md, "GET /ipfs/{cid}[/{path}][?{params}]".
 */
void gateway_block_url(const char *origin, const struct cid *cid,
                       char dst[static WEB_URL_MAX + 1]);

/** GATEWAY_PROBE - path of the empty block that every gateway has. */
#define GATEWAY_PROBE "/ipfs/bafkqaaa?format=raw"

/** GATEWAY_TYPE - the media type of a block. */
#define GATEWAY_TYPE "application/vnd.ipld.raw"

#endif /* NODE_GATEWAY_RULES_H */
