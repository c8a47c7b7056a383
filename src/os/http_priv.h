#ifndef OS_HTTP_PRIV_H
#define OS_HTTP_PRIV_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/list.h"
#include "env/clock.h"
#include "env/http.h"
#include "os/http_query.h"
#include "os/loop.h"
#include "os/slice_queue.h"

/*
 * The HTTP server is two modules: http_server.c accepts connections and drives
 * libmicrohttpd on the loop, http_request.c is the life of one request.
 */

struct os_http {
    struct http http;
    struct os_loop *loop;
    struct os_loop_hook turn;
    struct list servers;
};

/* One listener. */
struct http_listener {
    struct http_server *user;
    struct os_http *http;
    struct list link; /* in http.servers */
    struct MHD_Daemon *mhd;
    int listen_fd;
    int watch_fd; /* epoll: clients of suspended requests that go away */
    uv_poll_t listen_poll;
    uv_poll_t mhd_poll;
    uv_poll_t watch_poll;
    unsigned polls_open; /* of the three; the last to close frees */
    bool running;        /* inside MHD_run() */
    bool accepts;        /* @listen_poll is active */

    struct http_conn *accepting; /* for libmicrohttpd's callback */
    unsigned conns_count;
    struct list waiting;  /* connections that owe a request, oldest first */
    struct list requests; /* all */
    struct list fresh;    /* requests suspended, and not watched yet */

    struct os_loop_task run;    /* call MHD_run() soon */
    struct timer run_timer;     /* when libmicrohttpd asks for it */
    struct timer waiting_timer; /* of the first in @waiting */
    struct timer accept_timer;  /* try again: there were no descriptors */
    char *unix_path;            /* to be removed, or NULL */
};

/* One connection, from accept to its close. */
struct http_conn {
    struct http_listener *listener;
    int fd; /* libmicrohttpd's */
    struct http_peer peer;
    struct list link; /* in listener.waiting, or in none */
    struct mtime since;
};

/* One request. */
struct request {
    struct http_request pub;
    struct http_listener *listener;
    struct http_conn *conn;
    struct MHD_Connection *mhd;
    struct list link;  /* in listener.requests */
    struct list fresh; /* in listener.fresh, or in none */
    struct os_loop_task writable;

    char *uri;              /* path, NUL, query, NUL */
    const char *query_text; /* in @uri */
    struct http_query query;
    bool query_is_parsed;

    bool started;           /* on_request was called, so on_closed will be */
    bool in_call;           /* libmicrohttpd waits for what we say of it */
    bool is_head;           /* no body is wanted */
    bool paused;            /* no on_body */
    bool body_ended;        /* all of it is here */
    bool suspended;         /* libmicrohttpd leaves the connection alone */
    bool watched;           /* in listener.watch_fd */
    bool gone;              /* the client has closed */
    uint64_t dropped_bytes; /* of a body that nobody wants any more */

    bool responded;
    bool queued; /* libmicrohttpd has the response */
    bool ended;
    bool aborted;
    bool over; /* on_writable is owed */
    unsigned status;
    uint64_t len;
    struct slice_queue queue;
    char *header_text;
    struct http_header headers[HTTP_HEADERS_OUT_MAX];
    size_t headers_count;
};

/*
 * Callbacks of libmicrohttpd; @cls is the listener.
 */

/** http_request_on_uri - the request line is here: make the request. */
void *http_request_on_uri(void *cls, const char *uri,
                          struct MHD_Connection *mhd);
/** http_request_on_access - headers, a part of the body, or its end. */
enum MHD_Result http_request_on_access(void *cls, struct MHD_Connection *mhd,
                                       const char *url, const char *method,
                                       const char *version, const char *upload,
                                       size_t *upload_len, void **con_cls);

/** http_request_on_completed - the end: tell the handler, and free. */
void http_request_on_completed(void *cls, struct MHD_Connection *mhd,
                               void **con_cls,
                               enum MHD_RequestTerminationCode code);

/** http_request_gone - the client of a suspended request has closed. */
void http_request_gone(struct request *r);

/** http_request_drop - the listener ends: no more calls but on_closed. */
void http_request_drop(struct request *r);

/** http_request_methods - fill the part of @h that is about requests. */
void http_request_methods(struct http *h);

/** http_listener_run - call MHD_run() soon. */
void http_listener_run(struct http_listener *l);

/** http_listener_now - `now` of this turn. */
struct mtime http_listener_now(const struct http_listener *l);

/** http_listener_unwatch - forget @r, which was or was to be watched. */
void http_listener_unwatch(struct request *r);

/** http_conn_wait - the client owes a request from now on, or no longer. */
void http_conn_wait(struct http_conn *c, bool waits);

#endif /* OS_HTTP_PRIV_H */
