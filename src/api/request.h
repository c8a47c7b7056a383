#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/mtime.h"
#include "base/strbuf.h"
#include "config/errors.h"
#include "env/http.h"
#include "multiformats/cid.h"
#include "node/fault.h"

struct api;
struct node;
struct request;
struct route;

/*
 * request - one request under way, as its handler sees it.
 *
 * A handler is a function that is called when the request line is there, or,
 * where its route says so, when its JSON body is.  It answers at once, or
 * leaves an operation in @op and a function that ends it in @cancel, and
 * answers from the callbacks of that operation.  @cancel is called exactly
 * once when the request is over, however it ended; nothing of the request may
 * be touched after that.
 */

enum {
    REQUEST_BODY_MAX = 1 << 20, /* of JSON */
    REQUEST_PATH_MAX = 16 * 1024,
    PROGRESS_MS = 200,  /* between lines of progress */
    LIST_DEFAULT = 100, /* items of a page, unless told */
    LIST_MAX = 1000,
};

struct request {
    struct api *api;
    struct node *node;
    struct http *http;
    struct http_request *r;
    const struct route *route;
    char *tail;   /* what stood for the star in the route, percent-decoded, as
                     NUL-terminated bytes without NUL within; "" if none */
    json_t *body; /* of routes with JSON bodies: an object; else NULL */

    /** @on_body: the next bytes of a body that is not JSON; NULL: refused. */
    void (*on_body)(struct request *q, struct bytes in, struct mtime now);
    /** @on_body_end: that body is whole. */
    void (*on_body_end)(struct request *q, struct mtime now);
    /** @on_writable: what was queued is few again; NULL: don't care. */
    void (*on_writable)(struct request *q, struct mtime now);
    /** @cancel: the request is over: end @op. */
    void (*cancel)(struct request *q);
    void *op;

    size_t queued;      /* private: bytes at the client's socket */
    bool responded;     /* private */
    bool ended;         /* private: the answer is complete */
    bool is_stream;     /* private: NDJSON has begun */
    struct strbuf text; /* private: of a JSON body */
    struct list link;   /* private */
};

/* What the caller gave. */

/** request_query - value of a parameter, NULL where it is absent. */
const char *request_query(struct request *q, const char *name);

/**
 * request_flag - parameter @name as a bool: "", "1", "true" are true; "0",
 * "false" false; @otherwise where it is absent.  Another value answers the
 * request with a problem and returns false in @ret_ok.
 */
bool request_flag(struct request *q, const char *name, bool otherwise,
                  bool *ret_ok);

/** request_number - parameter @name as a decimal number; likewise. */
uint64_t request_number(struct request *q, const char *name, uint64_t otherwise,
                        uint64_t max, bool *ret_ok);

/** request_limit - parameter "limit" of a list, 1 to LIST_MAX; likewise. */
uint64_t request_limit(struct request *q, bool *ret_ok);

/** request_timeout_ms - parameter "timeout" in seconds, 0 where absent. */
uint32_t request_timeout_ms(struct request *q, bool *ret_ok);

/** request_body_timeout_ms - field "timeout_s" of the JSON body, 0 where it is
 * absent; as request_flag(), after request_fields(). */
uint32_t request_body_timeout_ms(struct request *q, bool *ret_ok);

/** struct request_field - what a JSON body may have. */
struct request_field {
    const char *name;
    enum { FIELD_TEXT, FIELD_BOOL, FIELD_INT, FIELD_LIST } type;
};

/**
 * request_fields - look through the JSON body before its fields are used: those
 * of route_fields() are known.
 * Return: false when another is there, or one has another type; the request
 * is answered then.
 */
bool request_fields(struct request *q);

/**
 * request_cid - the tail as a CID alone.
 * Return: false when it is none; the request is answered then.
 */
bool request_cid(struct request *q, struct cid *ret_cid);

/** request_names_cid - the tail is a path, or else a CID alone; otherwise as
 * request_cid(). */
bool request_names_cid(struct request *q);

/* Answers.  Each of the first three ends the request. */

/** reply_json - @status with a JSON body; takes the reference of @value. */
void reply_json(struct request *q, unsigned status, json_t *value);

/** reply_empty - @status without a body. */
void reply_empty(struct request *q, unsigned status);

/** reply_fault - a problem as RFC 9457 has it; inside a stream its last line.
 */
void reply_fault(struct request *q, const struct fault *f);

/** reply_error - reply_fault() of @id, @what (NULL: the table's words) about
 * @where (may be NULL). */
void reply_error(struct request *q, enum error_id id, const char *what,
                 const char *where);

/** lines_begin - 200 and NDJSON from here on; harmless when it has begun. */
void lines_begin(struct request *q);

/** lines_json - one line; takes the reference of @value. */
void lines_json(struct request *q, json_t *value);

/** lines_progress - one line {"progress": ...}; @total 0: unknown. */
void lines_progress(struct request *q, uint64_t done, uint64_t total,
                    const char *unit);

/** lines_end - no more lines. */
void lines_end(struct request *q);

/** reply_error_with - reply_error() with the table's words about @where, and
 * a @header more; before anything was answered. */
void reply_error_with(struct request *q, enum error_id id, const char *where,
                      const struct http_header *header);

/** reply_bytes_begin - 200 or another success @status with a body of @len
 * bytes (UINT64_MAX: unknown) in @type and @count more headers. */
void reply_bytes_begin(struct request *q, unsigned status, const char *type,
                       const struct http_header *headers, size_t count,
                       uint64_t len);

/** reply_bytes - the next bytes; the reference of @s passes.
 * Return: true when the caller should pause until @on_writable. */
bool reply_bytes(struct request *q, struct slice s);

/** reply_bytes_end - the body is complete; @abort: it never will be. */
void reply_bytes_end(struct request *q, bool abort);

/** request_is_full - true while the client reads too slowly. */
bool request_is_full(const struct request *q);

/** json_cid - @cid as a JSON string. */
json_t *json_cid(const struct cid *cid);

/** json_text - untrusted bytes as a JSON string: UTF-8 as it is, other bytes
 * replaced by U+FFFD. */
json_t *json_text(struct bytes text);

/** json_time_ms - a time, unix milliseconds, as RFC 3339 has it. */
json_t *json_time_ms(uint64_t unix_ms);

/* Routes. */

enum route_role {
    ROLE_NONE, /* no token */
    ROLE_READ,
    ROLE_STORE,
    ROLE_ADMIN,
};

enum route_body {
    BODY_NONE,   /* refused when there is one */
    BODY_JSON,   /* the handler is called with @body */
    BODY_STREAM, /* the handler sets @on_body */
};

/** struct route - one row of the table. */
struct route {
    const char *method;
    const char *pattern; /* "/api/v1/pins/+" one segment, ".../ *" the rest */
    enum route_role role;
    enum route_body body;
    bool is_local; /* for a Unix client with our uid or root only */
    void (*start)(struct request *q, struct mtime now);
};

/* Handlers, by file. */
void handle_add(struct request *q, struct mtime now);
void handle_local_add(struct request *q, struct mtime now);
void handle_local_get(struct request *q, struct mtime now);
void handle_content(struct request *q, struct mtime now);
void handle_ls(struct request *q, struct mtime now);
void handle_stat(struct request *q, struct mtime now);
void handle_blocks_list(struct request *q, struct mtime now);
void handle_block_get(struct request *q, struct mtime now);
void handle_block_put(struct request *q, struct mtime now);
void handle_block_delete(struct request *q, struct mtime now);
void handle_pins_list(struct request *q, struct mtime now);
void handle_pin_get(struct request *q, struct mtime now);
void handle_pin_put(struct request *q, struct mtime now);
void handle_pin_delete(struct request *q, struct mtime now);
void handle_gc(struct request *q, struct mtime now);
void handle_verify(struct request *q, struct mtime now);
void handle_fsck(struct request *q, struct mtime now);
void handle_car_export(struct request *q, struct mtime now);
void handle_car_import(struct request *q, struct mtime now);
void handle_node(struct request *q, struct mtime now);
void handle_stats(struct request *q, struct mtime now);
void handle_shutdown(struct request *q, struct mtime now);
void handle_sign(struct request *q, struct mtime now);
void handle_connections(struct request *q, struct mtime now);
void handle_connect(struct request *q, struct mtime now);
void handle_disconnect(struct request *q, struct mtime now);
void handle_ping(struct request *q, struct mtime now);
void handle_dht_peer(struct request *q, struct mtime now);
void handle_dht_providers(struct request *q, struct mtime now);
void handle_dht_provide(struct request *q, struct mtime now);
void handle_dht_query(struct request *q, struct mtime now);
void handle_dht_table(struct request *q, struct mtime now);
void handle_ipns_publish(struct request *q, struct mtime now);
void handle_ipns_resolve(struct request *q, struct mtime now);
void handle_ipns_get(struct request *q, struct mtime now);
void handle_ipns_put(struct request *q, struct mtime now);
void handle_peers_list(struct request *q, struct mtime now);
void handle_peer_add(struct request *q, struct mtime now);
void handle_peer_delete(struct request *q, struct mtime now);
void handle_ban_put(struct request *q, struct mtime now);
void handle_ban_delete(struct request *q, struct mtime now);
void handle_bans_list(struct request *q, struct mtime now);
void handle_config(struct request *q, struct mtime now);
void handle_config_schema(struct request *q, struct mtime now);
void handle_config_patch(struct request *q, struct mtime now);
void handle_config_reload(struct request *q, struct mtime now);
void handle_openapi(struct request *q, struct mtime now);
void handle_health(struct request *q, struct mtime now);
void handle_objects_list(struct request *q, struct mtime now);
void handle_object_get(struct request *q, struct mtime now);
void handle_object_post(struct request *q, struct mtime now);
void handle_object_patch(struct request *q, struct mtime now);
void handle_object_delete(struct request *q, struct mtime now);
void handle_object_verify(struct request *q, struct mtime now);
void handle_objects_recover(struct request *q, struct mtime now);
void handle_objects_leave(struct request *q, struct mtime now);
void handle_why(struct request *q, struct mtime now);
void handle_trace(struct request *q, struct mtime now);

#endif /* API_REQUEST_H */
