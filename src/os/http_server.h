#ifndef OS_HTTP_SERVER_H
#define OS_HTTP_SERVER_H

#include "base/attr.h"
#include "base/err.h"
#include "env/http.h"

struct os_loop;
struct os_http;

enum {
    OS_HTTP_CONNECTIONS_MAX = 1000, /* a listener */
    OS_HTTP_CONNECTION_BYTES = 32 * 1024,
    OS_HTTP_IDLE_S = 10, /* for the request line and headers, and between */
};

/** os_http_new - HTTP on @loop; costs nothing until the first listen. */
MUST_USE struct os_http *os_http_new(struct os_loop *loop);

/** os_http_env - as the node sees it. */
struct http *os_http_env(struct os_http *h);

/** os_http_free - close what still listens; NULL does nothing. */
void os_http_free(struct os_http *h);

#endif /* OS_HTTP_SERVER_H */
