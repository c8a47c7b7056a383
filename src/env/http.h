#ifndef ENV_HTTP_H
#define ENV_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"

/*
 * http - requests from clients.  Threads: loop only.
 *
 * The life of a request: on_request, on_body..., on_body_end, then on_closed,
 * exactly once and last, also when the client has gone.  The handler answers
 * with respond(), send()..., end() at any time between on_request and
 * on_closed; nothing is called from inside these.  Who answers before
 * on_body_end gets no more on_body or on_body_end: the rest is dropped.  A
 * client that closes its sending side has gone.
 */

enum {
    HTTP_HEADER_MAX = 16 * 1024,    /* request line and headers, bytes */
    HTTP_SEND_HIGH_BYTES = 1 << 20, /* queued to one client */
    HTTP_SEND_LOW_BYTES = 256 << 10,
    HTTP_HEADERS_OUT_MAX = 16,
};

/** struct http_peer - who asks. */
struct http_peer {
    bool is_unix; /* through the Unix socket; @uid is then the kernel's word */
    uint32_t uid;
    uint8_t ip_len; /* else 4 or 16 */
    uint8_t ip[16];
};

/** struct http_header - one header of an answer; text lives during the call. */
struct http_header {
    const char *name;
    const char *value;
};

/** struct http_request - one request; the implementation's memory until
 * on_closed has returned. */
struct http_request {
    const char *method; /* "GET", ... */
    const char *path;   /* as sent, percent-encoded, without the query */
    struct http_peer peer;
    uint64_t body_len; /* 0: none; UINT64_MAX: there is one, of any length */
    bool has_body;     /* body_len is not 0 */
    void *user;        /* the handler's */
    void *priv;        /* of the implementation */
};

/** struct http_server - one listener and its handler. */
struct http_server {
    /** @on_request: request line and headers are here. */
    void (*on_request)(struct http_server *s, struct http_request *r,
                       struct mtime now);

    /** @on_body: the next bytes, valid during the call. */
    void (*on_body)(struct http_server *s, struct http_request *r,
                    struct bytes in, struct mtime now);

    /** @on_body_end: the body is whole (also when there was none). */
    void (*on_body_end)(struct http_server *s, struct http_request *r,
                        struct mtime now);

    /** @on_writable: what was queued fell below HTTP_SEND_LOW_BYTES. */
    void (*on_writable)(struct http_server *s, struct http_request *r,
                        struct mtime now);

    /** @on_closed: the last word. @complete: the client has all of it. */
    void (*on_closed)(struct http_server *s, struct http_request *r,
                      bool complete, struct mtime now);

    void *priv; /* of the implementation */
};

struct http {
    /** @listen_unix: serve on a Unix socket @path with @mode; a stale one is
     * replaced.  OK; E_EXISTS something else is there, or somebody listens;
     * E_NOTFOUND no such directory; E_REFUSED, E_LIMIT, E_NOSPACE, E_IO. */
    enum err (*listen_unix)(struct http *h, struct http_server *s,
                            const char *path, uint32_t mode);

    /** @listen_tcp: serve on @text "127.0.0.1:3000" or "[::1]:0".
     * @ret_port: the port that was chosen.
     * OK; E_EXISTS taken; E_NOTFOUND not our address; E_MALFORMED @text;
     * E_REFUSED, E_LIMIT, E_IO. */
    enum err (*listen_tcp)(struct http *h, struct http_server *s,
                           const char *text, uint16_t *ret_port);

    /** @unlisten: close the listener and all its requests (on_closed is
     * called for each, before this returns).  Not from inside a callback of
     * @s. */
    void (*unlisten)(struct http *h, struct http_server *s);

    /** @header: value of request header @name (any case), or NULL. */
    const char *(*header)(struct http *h, struct http_request *r,
                          const char *name);

    /** @query: percent-decoded value of the first parameter @name, "" where
     * it has none, or NULL where it is absent; '+' is a blank.  The text
     * lives until on_closed, as that of header(). */
    const char *(*query)(struct http *h, struct http_request *r,
                         const char *name);

    /** @query_at: name of parameter number @index, or NULL past the last. */
    const char *(*query_at)(struct http *h, struct http_request *r,
                            size_t index);

    /**
     * @respond: status and headers; once.
     * @len: Content-Length, or UINT64_MAX for a body of unknown length.
     */
    void (*respond)(struct http *h, struct http_request *r, unsigned status,
                    const struct http_header *headers, size_t count,
                    uint64_t len);

    /** @send: queue @s, whose reference passes; after respond().
     * Return: bytes queued now; over HTTP_SEND_HIGH_BYTES wait for
     * on_writable. */
    size_t (*send)(struct http *h, struct http_request *r, struct slice s);

    /** @end: the body is complete. @abort: it is not, and never will be: the
     * client sees a broken transfer. */
    void (*end)(struct http *h, struct http_request *r, bool abort);

    /** @pause: stop or go on calling on_body and on_body_end (back-pressure).
     */
    void (*pause)(struct http *h, struct http_request *r, bool paused);
};

#endif /* ENV_HTTP_H */
