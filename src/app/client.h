#ifndef APP_CLIENT_H
#define APP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct cli_error;
struct client;

/*
 * client - the way to the API's routes: a daemon's Unix socket or address, or
 * where no daemon runs a node inside this process that serves the same table.
 */

/** struct client_config - which node, and what may be done to reach it. */
struct client_config {
    const char *path; /* data folder, NULL: by the default rules */
    const char *api;  /* --api: another daemon's address, or NULL */
    const char *token;
    const char *passphrase_file; /* for the key of a node in this process */
    bool may_create;     /* make the folder where there is none, say where */
    bool needs_daemon;   /* no node in this process will do */
    bool running_only;   /* a daemon that answers, or nobody: the folder's lock
                            is not waited for */
    bool fetches;        /* a node in this process asks peers for what is not
                            here */
    bool anonymous_ok;   /* and does so where there is no data folder */
    bool stores_nothing; /* no folder is held, and no daemon asked */
    const char *out;     /* what it makes then, absolute, to go on with when it
                            was stopped; or NULL */
    const char *bootstrap; /* its bootstrap peers, with commas; NULL: those of
                              the settings */
    const char *gateways;  /* likewise, the HTTP gateways it asks */
    bool quiet;            /* no messages on stderr but errors */
    uint32_t timeout_s;    /* for waiting on the network; 0: the default */
    /* Readable once the user has pressed Ctrl-C; not read by the client, which
     * then ends its call with E_CANCELED.  -1: none. */
    int cancel_fd;
};

/** struct client_request - one call of a route. */
struct client_request {
    const char *method;       /* "GET", ... */
    const char *path;         /* percent-encoded, with the query */
    const char *content_type; /* of the body; NULL: application/json for @body,
                                 application/octet-stream for @read_body */
    struct bytes body;        /* empty: none */

    /** @read_body: the next bytes of a streamed body, at most @max; *@ret_len
     * 0 at its end.  NULL: @body is all.  May wait for its input. */
    enum err (*read_body)(void *ctx, uint8_t *dst, size_t max, size_t *ret_len);

    /** @on_headers: the answer begins.  @content_type "" when there is none.
     * May be NULL. */
    enum err (*on_headers)(void *ctx, unsigned status,
                           const char *content_type);

    /** @on_body: the next bytes of the answer, also of a problem; valid during
     * the call.  May wait.  May be NULL. */
    enum err (*on_body)(void *ctx, struct bytes in);

    void *ctx;
};

/**
 * client_open - find or start the node that @config asks for.
 * @ret: freed by client_close().
 * @ret_error: set when not OK.
 *
 * Return: OK; E_NOTFOUND without a folder; E_REFUSED for passphrase and
 * permission; E_CLOSED when no daemon can be reached or another holds the
 * folder; E_TIMEOUT; E_CANCELED; E_IO.
 */
MUST_USE enum err client_open(const struct client_config *config,
                              struct client **ret, struct cli_error *ret_error);

/**
 * client_call - call a route and hand out its answer.
 * @ret_status: HTTP status of the answer, whatever it is.
 * @ret_error: set when not OK, unless a callback of @request failed.
 *
 * An answer of 400 or more is OK here: its body went to on_body.
 *
 * Return: OK when the whole answer came; what a callback returned when that
 * was not OK; E_CLOSED when the connection was lost; E_TIMEOUT; E_CANCELED.
 */
MUST_USE enum err client_call(struct client *client,
                              const struct client_request *request,
                              unsigned *ret_status,
                              struct cli_error *ret_error);

/** client_is_local - whether the node is on this machine and runs as this
 * user, so that it may open files for us: the routes /local/ may be used. */
bool client_is_local(const struct client *client);

/** client_is_lonely - a node in this process has nobody to ask yet. */
bool client_is_lonely(const struct client *client);

/** client_keeps - whether a folder is left beside config.out that the next
 * command goes on from. */
bool client_keeps(const struct client *client);

/** client_has_lone - the node in this process has no data folder. */
bool client_has_lone(const struct client *client);

/** client_close - end, and free; NULL does nothing. */
void client_close(struct client *client);

#endif /* APP_CLIENT_H */
