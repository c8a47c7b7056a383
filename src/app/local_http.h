#ifndef APP_LOCAL_HTTP_H
#define APP_LOCAL_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "env/http.h"

struct os_env;

/*
 * local_http - the routes of the API without a socket.
 *
 * Where no daemon runs, a command serves itself: the handlers of src/api get
 * its request through this env/http, one at a time, and what they answer is
 * handed to the command as it comes.  So there is one implementation of each
 * command, whoever serves it.
 */
struct local_http;

/** struct local_call - one request, and where its answer goes. */
struct local_call {
    const char *method;
    const char *target; /* path, percent-encoded, with the query */
    struct bytes body;  /* used without @read_body */
    /** @read_body: the next bytes of the body, at most @max, 0 at its end. */
    enum err (*read_body)(void *user, uint8_t *dst, size_t max,
                          size_t *ret_len);
    /** @on_head: status and Content-Type ("" where there is none). */
    void (*on_head)(void *user, unsigned status, const char *type);
    /** @on_body: the next bytes; another result than OK ends the request. */
    enum err (*on_body)(void *user, struct bytes in);
    /** @interrupted: asked between turns; true ends the request. */
    bool (*interrupted)(void *user);
    void *user;
};

/** local_http_new - on the loop of @os, which it borrows. */
MUST_USE struct local_http *local_http_new(struct os_env *os);

/** local_http_free - NULL does nothing. */
void local_http_free(struct local_http *l);

/** local_http_env - what the handlers are given as their env/http. */
struct http *local_http_env(struct local_http *l);

/**
 * local_http_serve - have @s answer the calls from now on; borrowed.
 */
void local_http_serve(struct local_http *l, struct http_server *s);

/**
 * local_http_call - serve one request, running the loop until it has ended.
 *
 * Return: OK whatever the status; E_CANCELED interrupted; E_CLOSED the answer
 * broke off; or what a callback of @call said.
 */
MUST_USE enum err local_http_call(struct local_http *l,
                                  const struct local_call *call);

#endif /* APP_LOCAL_HTTP_H */
