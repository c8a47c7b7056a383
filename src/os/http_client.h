#ifndef OS_HTTP_CLIENT_H
#define OS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

/*
 * http_client - blocking HTTP for the command line, over libcurl.
 *
 * One client keeps its connection between requests.  Needs no loop.
 */
struct http_client;

enum { HTTP_CLIENT_TEXT_MAX = 256 };

/** struct http_target - where the daemon is. */
struct http_target {
    const char *unix_path; /* Unix socket of any length, or NULL */
    const char *base_url;  /* "http://127.0.0.1:3000", used without a path */
    const char *token;     /* sent as a Bearer token, or NULL */
    uint32_t connect_ms;   /* 0: 5 s */

    /* Readable once the user has pressed Ctrl-C: ends the request with
     * E_CANCELED; polled, never read.  -1: none. */
    int cancel_fd;
};

/** struct http_call - one request, and where its answer goes. */
struct http_call {
    const char *method;
    const char *path;           /* encoded, from "/" on, with the query */
    const char *const *headers; /* "Name: value", or NULL */
    size_t headers_count;

    struct bytes body; /* used without @read_body */

    /** @read_body: the next bytes of the body, at most @max, 0 at its end.
     * Return: OK, or an error that ends the request with it. */
    enum err (*read_body)(void *user, uint8_t *dst, size_t max,
                          size_t *ret_len);
    uint32_t silence_s; /* E_TIMEOUT when nothing moves for so long; 0: wait */
    uint64_t body_len;  /* of read_body; UINT64_MAX when unknown */

    /** @on_header: one header of the answer, without the line's end, after
     * the status; NULL: not wanted. */
    void (*on_header)(void *user, unsigned status, struct bytes name,
                      struct bytes value);

    /** @on_body: the next bytes of the answer.
     * Return: OK, or an error that ends the request with it.  NULL: dropped. */
    enum err (*on_body)(void *user, unsigned status, struct bytes in);
    void *user;
};

/** struct http_answer - how a request ended. */
struct http_answer {
    unsigned status;                 /* 0 when there was no answer */
    char text[HTTP_CLIENT_TEXT_MAX]; /* of a failure, for people; else "" */
};

/** http_client_open - client of @target, whose strings are copied.
 * Return: OK; E_NOTFOUND no such folder of the socket; E_REFUSED; E_LIMIT;
 * E_IO. */
MUST_USE enum err http_client_open(const struct http_target *target,
                                   struct http_client **ret_client);

/** http_client_free - NULL does nothing. */
void http_client_free(struct http_client *c);

/**
 * http_client_call - send @call and wait for the whole answer.
 * @ret_answer: written always.
 *
 * Return: OK whatever the status; E_REFUSED nobody listens there; E_NOTFOUND
 * no such host or socket; E_TIMEOUT no connection, or nothing moved, in time;
 * E_CANCELED interrupted; E_CLOSED the answer broke off; E_MALFORMED the URL;
 * E_LIMIT, E_IO; or what a callback said.
 */
MUST_USE enum err http_client_call(struct http_client *c,
                                   const struct http_call *call,
                                   struct http_answer *ret_answer);

#endif /* OS_HTTP_CLIENT_H */
