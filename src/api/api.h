#ifndef API_API_H
#define API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mtime.h"

struct api;
struct fault;
struct http;
struct http_server;
struct json_t;
struct node;

/*
 * api - the HTTP API of a node: one table of routes for the Unix socket, for
 * TCP, and for commands that serve themselves.
 *
 * Threads: loop only.
 */

/** struct api_setting - a setting to be changed; both from outside. */
struct api_setting {
    const char *key;
    const char *value;
};

/** struct api_config - what the API may do beside asking the node. */
struct api_config {
    struct node *node; /* borrowed; outlives the api */
    struct http *http; /* borrowed: where requests come from */
    uint32_t uid;      /* of this process: /local/ is for it and root */
    /** @shutdown: POST /api/v1/node/shutdown; NULL: not possible. */
    void (*shutdown)(void *user);
    void *shutdown_user;
    /** @reload: change @set (NULL: nothing) in the file of settings and read
     * it again; adds names of keys to @changed and @restart.  NULL: not
     * possible.  False: refused, nothing changed. */
    bool (*reload)(void *user, const struct api_setting *set,
                   struct json_t *changed, struct json_t *restart,
                   struct fault *ret_fault);
    void *reload_user;
};

/** api_new - without requests; @config is copied. */
MUST_USE struct api *api_new(const struct api_config *config);

/** api_server - what env/http listeners are given. */
struct http_server *api_server(struct api *a);

/** api_free - no request is left: the listeners are closed (asserted).  NULL
 * does nothing. */
void api_free(struct api *a);

#endif /* API_API_H */
