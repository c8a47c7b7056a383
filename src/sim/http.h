#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "env/clock.h"
#include "env/http.h"

struct sim_clock;
struct sim_http;

/*
 * http - requests to the API of a simulated node, without a socket.
 */

enum { SIM_HTTP_PARAMS_MAX = 16, SIM_ANSWER_MAX = 1 << 20 };

struct sim_param {
    char *name;
    char *value;
};

/**
 * struct sim_call - one request; the caller's memory until @done.
 *
 * Set what is not private, then sim_http_call().
 */
struct sim_call {
    const char *method;
    const char *target; /* path, percent-encoded, with the query */
    struct bytes body;  /* used without @read_body; until @done */
    /** @read_body: the next bytes of the body, at most @max; 0 ends it. */
    size_t (*read_body)(struct sim_call *c, uint8_t *dst, size_t max);
    /** @on_body: the next bytes of the answer; NULL: they go to @answer. */
    void (*on_body)(struct sim_call *c, struct bytes in);
    /** @done: the last word, exactly once: OK, the answer is whole, whatever
     * its status; E_CLOSED it broke off; E_CANCELED the node ended. */
    void (*done)(struct sim_call *c, enum err err, struct mtime now);

    unsigned status;      /* of the answer; 0: none came */
    struct strbuf answer; /* up to SIM_ANSWER_MAX; freed after @done */

    struct sim_http *http; /* private, as all below */
    struct http_request request;
    struct sim_param params[SIM_HTTP_PARAMS_MAX];
    size_t params_count;
    char *path;
    struct list link;
    struct timer step; /* feeds the body; at the end tells that it is over */
    bool begun;
    bool paused;
    bool body_done;
    bool ended;
    enum err result;
};

/** struct sim_http - the API of one machine. */
struct sim_http {
    struct http http;           /* for the handlers */
    struct http_server *server; /* who answers; NULL: nobody */
    uint32_t uid;               /* of who asks */
    struct sim_clock *clock;    /* private, as all below */
    struct list calls;
    uint64_t answered;
    uint8_t *room; /* a step of a body */
};

/** sim_http_init - nobody answers yet. */
void sim_http_init(struct sim_http *h, struct sim_clock *clock);

/** sim_http_release - no call is under way (asserted). */
void sim_http_release(struct sim_http *h);

/** sim_http_call - begin; somebody answers (asserted). */
void sim_http_call(struct sim_http *h, struct sim_call *c);

/** sim_http_end_all - the node ends: @done of each call says E_CANCELED. */
void sim_http_end_all(struct sim_http *h);

#endif /* SIM_HTTP_H */
