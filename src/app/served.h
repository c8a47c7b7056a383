#ifndef APP_SERVED_H
#define APP_SERVED_H

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "api/routes.h"
#include "base/attr.h"
#include "base/err.h"
#include "config/config.h"
#include "node/log.h"
#include "os/fslock.h"
#include "os/loop.h"

struct cli_error;
struct http;
struct json_t;
struct node;
struct os_env;

/*
 * served - a node in this process with its folder, settings and API: what the
 * daemon and a command that serves itself have in common.
 */
struct served {
    struct os_env *os;
    struct fslock lock;
    char *path;
    struct config config;
    const char *const *sets; /* of the command line; borrowed, or NULL */
    struct node *node;
    struct api *api;
    struct api *tcp_api; /* the same routes for api.listen; NULL: off */
    struct api_config api_config;
    struct os_loop_hook hook; /* ends each turn of the node */
    enum err stop_err;
    bool stopped;
};

/** struct served_config - what to open, and how. */
struct served_config {
    const char *path;            /* data folder, absolute; is there */
    const char *settings;        /* folder with the settings of one that has no
                                    data folder: @path is a passing one, its
                                    key is new and written nowhere; or NULL */
    const char *const *sets;     /* KEY=VALUE of the command line, or NULL */
    const char *passphrase_file; /* or NULL */
    struct log log;
    bool visits;              /* node_config.may_visit */
    bool checks_reads;        /* node_config.checks_reads */
    uint64_t cache_bytes_max; /* likewise */
    enum route_use use;       /* what the lock allows; without a key where only
                                 blocks are read */
    /** @shutdown: of POST /node/shutdown; NULL: not possible. */
    void (*shutdown)(void *user);
    void *user;
};

/**
 * served_open - settings, key, node and API of a folder whose lock the caller
 * has and passes on.
 * @lock: passes on success.
 * @http: where requests come from; NULL: the sockets of the loop.
 *
 * Return: OK; anything else with @ret_error: E_AGAIN, for one that only reads,
 * when somebody who writes has to open the folder first.
 */
MUST_USE enum err served_open(struct served *s,
                              const struct served_config *config,
                              struct os_env *os, const struct fslock *lock,
                              struct http *http, struct cli_error *ret_error);

/**
 * served_reload - read the settings again; those that may change live do.
 * @changed, @restart: get the names of keys, of the others in @restart.
 *
 * Return: OK; E_MALFORMED with @ret_error, and nothing changed.
 */
MUST_USE enum err served_reload(struct served *s, struct json_t *changed,
                                struct json_t *restart,
                                struct cli_error *ret_error);

/**
 * served_listen_tcp - serve api.listen too; nothing when that is off.
 * @ret_url: "http://127.0.0.1:3000", given back with mem_free(); NULL when off.
 *
 * Return: OK; E_EXISTS, E_REFUSED, E_IO with @ret_error.
 */
MUST_USE enum err served_listen_tcp(struct served *s, char **ret_url,
                                    struct cli_error *ret_error);

/** served_close - stop the node, running the loop until it has, and free all
 * but @s->os.  Return: OK, or what could not be written at the end. */
MUST_USE enum err served_close(struct served *s);

#endif /* APP_SERVED_H */
