#ifndef NODE_GATEWAYS_H
#define NODE_GATEWAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"
#include "node/gateway_rules.h"

struct bs_client;
struct env;
struct gateways;
struct log;

/*
 * gateways - HTTP gateways as sources of blocks, beside the peers of bitswap.
 *
 * To the client of bitswap a gateway is a source with an id that no peer can
 * have: the hash of its URL.
 */

enum { GATEWAYS_MAX = 8 };

/** struct gateways_config - what gateways_new() needs. */
struct gateways_config {
    struct env *env;          /* borrowed */
    struct log *log;          /* borrowed */
    struct bs_client *client; /* borrowed; outlives them */
    const char *version;      /* of the program; lives for ever */
    const char *const *urls;  /* copied; at most GATEWAYS_MAX are used */
    size_t count;
};

/** gateways_new - all of them become sources; nobody is asked yet. */
MUST_USE struct gateways *gateways_new(const struct gateways_config *config,
                                       struct mtime now);

/** gateways_free - end all requests; no look is under way (asserted).  NULL
 * does nothing. */
void gateways_free(struct gateways *g);

/** gateways_count - those that are configured. */
size_t gateways_count(const struct gateways *g);

/** gateways_ready - those that are asked for blocks now. */
size_t gateways_ready(const struct gateways *g);

/** gateways_why - why one of those that are not asked is not, for people;
 * while @g is; "": all are. */
const char *gateways_why(const struct gateways *g);

/** gateways_url - origin of the gateway that @id stands for, while @g is;
 * NULL: it is none. */
const char *gateways_url(const struct gateways *g, const struct peer_id *id);

/** gateways_fetch - carry out BS_CLIENT_FETCH. */
void gateways_fetch(struct gateways *g, const struct peer_id *id,
                    const struct cid *cid, struct mtime now);

/** gateways_unfetch - carry out BS_CLIENT_UNFETCH. */
void gateways_unfetch(struct gateways *g, const struct peer_id *id,
                      const struct cid *cid);

/** gateways_lied - carry out BS_CLIENT_FAULT: it is dropped. */
void gateways_lied(struct gateways *g, const struct peer_id *id,
                   struct mtime now);

/** gateways_wanted - somebody wants a block: those that have rested are tried
 * again. */
void gateways_wanted(struct gateways *g);

struct gateway_request;

/** struct gateways_look - the question who has a block; zeroed at first. */
struct gateways_look {
    /** @done: all have answered. */
    void (*done)(struct gateways_look *l, struct mtime now);
    size_t asked;
    size_t answered;
    size_t have;                /* they say; no bytes were seen */
    const char *first;          /* origin of the first that has it, or NULL */
    char why[WEB_WHY_MAX + 64]; /* why the last one has not */
    struct gateway_request *requests[GATEWAYS_MAX]; /* private */
};

/**
 * gateways_look - ask all of them whether they have @cid, also those that
 * rest.  @l->done follows, unless @l->asked is 0.
 * @timeout_ms: for each.
 */
void gateways_look(struct gateways *g, struct gateways_look *l,
                   const struct cid *cid, uint32_t timeout_ms);

/** gateways_look_cancel - @l->done is not called any more; harmless after it.
 */
void gateways_look_cancel(struct gateways_look *l);

#endif /* NODE_GATEWAYS_H */
