#ifndef APP_CALL_H
#define APP_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct cli;
struct json_t;

/*
 * call - what commands ask of the API.  Every failure sets @cli->error; a
 * command passes it on.
 */

/* What a command needs of the node. */
enum call_needs {
    CALL_PLAIN = 0,
    CALL_MAY_CREATE = 1,   /* makes the data folder where there is none */
    CALL_NEEDS_DAEMON = 2, /* a node in this process will not do */
    CALL_FETCHES = 4,   /* what is not here comes from peers, without a daemon
                           too; of a data folder that is named there must be
                           one */
    CALL_ANONYMOUS = 8, /* likewise, and needs no data folder at all */
    CALL_STORES_NOTHING = 32, /* needs no data folder, no peers, no daemon */
    CALL_RUNNING = 16,        /* a daemon where one answers, else E_AGAIN and no
                                 message: the caller does without a node */
};

/** call_open - find the node; once, before anything else here.
 *
 * Return: OK; those of client_open(). */
MUST_USE enum err call_open(struct cli *cli, unsigned needs);

/** call_open_for - as call_open() with CALL_ANONYMOUS, to make the file or
 * folder @out: when it was stopped, the same call goes on from what came. */
MUST_USE enum err call_open_for(struct cli *cli, const char *out);

/**
 * call_json - an answer that is one JSON value.
 * @body: what is sent, its reference passes; NULL: nothing.
 * @ret_json: the answer, json_decref() by the caller; NULL for none.  May be
 * NULL when the caller wants none.
 *
 * Return: OK; E_REFUSED when the node says no, and those of client_call().
 */
MUST_USE enum err call_json(struct cli *cli, const char *method,
                            const char *path, struct json_t *body,
                            struct json_t **ret_json);

/** struct call_stream - a call whose answer comes line by line. */
struct call_stream {
    const char *method;
    const char *path;
    struct json_t *body;  /* its reference passes; NULL: none or @body_fd */
    int body_fd;          /* sent as it is; -1: none */
    const char *progress; /* label of the progress bar; NULL: none is shown */

    /** @on_line: one line that is no progress; borrowed.  NULL: not wanted. */
    enum err (*on_line)(struct cli *cli, void *ctx, const struct json_t *line);
    void *ctx;
};

/** call_stream - an answer of JSON lines.
 *
 * Return: as call_json(); what on_line returned when that was not OK; E_IO
 * when @body_fd cannot be read. */
MUST_USE enum err call_stream(struct cli *cli, const struct call_stream *s);

/** struct call_bytes - a call whose answer is bytes. */
struct call_bytes {
    const char *path;
    uint64_t total_bytes; /* for the progress bar, or PROGRESS_UNKNOWN */
    const char *progress; /* label of the progress bar; NULL: none is shown */

    /** @on_bytes: the next ones. */
    enum err (*on_bytes)(struct cli *cli, void *ctx, struct bytes in);
    void *ctx;
};

/** call_bytes - GET of bytes.
 *
 * Return: as call_stream(). */
MUST_USE enum err call_bytes(struct cli *cli, const struct call_bytes *b);

/**
 * call_pages - all items of a list that comes in pages.
 * @path: without query.
 * @on_item: one of them, borrowed.
 *
 * Return: as call_stream().
 */
MUST_USE enum err call_pages(struct cli *cli, const char *path,
                             enum err (*on_item)(struct cli *cli, void *ctx,
                                                 const struct json_t *item),
                             void *ctx);

/** call_exit - the exit status of @err, by @cli->error; 0 for OK. */
int call_exit(const struct cli *cli, enum err err);

#endif /* APP_CALL_H */
