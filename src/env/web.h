#ifndef ENV_WEB_H
#define ENV_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mtime.h"

/*
 * web - requests to web servers.  Threads: loop only.
 *
 * The struct of a request is the caller's memory and stays put until @done or
 * a cancel.  No callback is called from inside a call of ours.
 */

enum {
    WEB_URL_MAX = 2048,              /* bytes of a URL, without NUL */
    WEB_REDIRECTS_MAX = 3,           /* followed, in a row */
    WEB_HEADERS_MAX = 64 * 1024,     /* bytes of the headers of all answers */
    WEB_CONNECTIONS_HOST_MAX = 8,    /* to one server, at a time */
    WEB_CONNECTIONS_MAX = 64,        /* to all */
    WEB_REQUESTS_MAX = 1024,         /* under way */
    WEB_TYPE_MAX = 64,               /* room for a media type and its NUL */
    WEB_WHY_MAX = 128,               /* room for web_answer.why and its NUL */
    WEB_RETRY_AFTER_MAX = 24 * 3600, /* seconds */
};

/** struct web_answer - how a request has ended; valid during @done. */
struct web_answer {
    /**
     * @err: OK, there is a whole answer, whatever its status.  Else:
     * E_NOTFOUND no such host; E_REFUSED nobody listens there; E_TIMEOUT no
     * connection in time; E_CLOSED it broke off; E_LIMIT the body is over
     * @body_max, or too much else; E_MISMATCH TLS does not show that it is
     * the right server; E_UNSUPPORTED the body is encoded, or it leads where
     * we don't go, or too often; E_MALFORMED no HTTP; E_IO.
     */
    enum err err;
    unsigned status;         /* 0: none came */
    char type[WEB_TYPE_MAX]; /* media type in lower case, without parameters;
                                "": none, or it is too long */
    uint32_t retry_after_s;  /* 0: not said in seconds */
    struct buf *body;        /* NULL unless OK; buf_ref() to keep it */
    char why[WEB_WHY_MAX];   /* of a failure, for people; else "" */
};

/** struct web_get - one request for what a URL names. */
struct web_get {
    /** @done: the last word, exactly once, unless it was canceled. */
    void (*done)(struct web_get *g, const struct web_answer *answer,
                 struct mtime now);

    /** @moved: some bytes of the body came; NULL: not wanted. */
    void (*moved)(struct web_get *g, struct mtime now);

    const char *url;     /* http:// or https://, at most WEB_URL_MAX; copied */
    const char *accept;  /* the media type that is wanted; copied */
    const char *agent;   /* who asks; copied */
    size_t body_max;     /* more is not kept: E_LIMIT */
    bool is_head;        /* the headers alone */
    uint32_t connect_ms; /* at most, for a connection */
    uint32_t total_ms;   /* at most, for all; 0: no limit */
    void *priv;          /* of the implementation */
};

/**
 * struct web - the web.
 *
 * Certificates are verified.  No encoding is asked for and none is undone.  A
 * redirect leads to https://, or with http:// to the address that was asked
 * first; others are not followed.  Proxies, cookies and passwords of the user
 * are not used.
 */
struct web {
    /**
     * @get: begin; @g->done follows.
     * Return: OK; E_MALFORMED no URL of http or https, or too long; E_LIMIT
     * WEB_REQUESTS_MAX; E_UNSUPPORTED there is no web here; E_IO.
     */
    enum err (*get)(struct web *w, struct web_get *g);

    /** @cancel: @g->done is not called any more; between get() and @done. */
    void (*cancel)(struct web *w, struct web_get *g);
};

#endif /* ENV_WEB_H */
