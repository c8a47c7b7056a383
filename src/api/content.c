/* GET /api/v1/content: the bytes of a file; POST /api/v1/local/get. */
#include <string.h>

#include "api/conditions.h"
#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/exchange.h"
#include "node/export.h"
#include "node/gateways.h"
#include "node/node.h"
#include "node/reading.h"

enum { SOURCES_MAX = 64, NUMBER_MAX = 24, RANGE_MAX = 96 };

/* Bytes. */

struct content {
    struct request *q;
    struct reading *reading;
    uint64_t offset;
    uint64_t length;
    uint32_t timeout_ms;
    struct range range; /* of the header */
    bool is_probe;      /* only name and size are read so far */
    bool is_head;
    bool begun; /* status and headers are out */
    struct cid cid;
    uint64_t size; /* of the whole file */
};

static void add_number(struct strbuf *s, const char *before, uint64_t n)
{
    strbuf_str(s, before);
    strbuf_u64(s, n);
}

/* Nothing of the file lies in the range that was asked for. */
static void reply_outside(struct content *c, uint64_t size)
{
    struct strbuf range;

    strbuf_init(&range, RANGE_MAX);
    add_number(&range, "bytes */", size);
    struct http_header header = {"Content-Range", strbuf_cstr(&range)};
    reply_error_with(c->q, ERROR_BAD_RANGE, c->q->tail, &header);
    strbuf_release(&range);
}

/* "CID" */
static void put_etag(struct strbuf *s, const struct cid *cid)
{
    char text[CID_TEXT_MAX];

    (void)cid_format(cid, text);
    strbuf_str(s, "\"");
    strbuf_str(s, text);
    strbuf_str(s, "\"");
}

/* The client has it already. */
static void reply_unchanged(struct content *c)
{
    struct strbuf etag;

    strbuf_init(&etag, CID_TEXT_MAX + 2);
    put_etag(&etag, &c->cid);
    struct http_header header = {"ETag", strbuf_cstr(&etag)};
    reply_bytes_begin(c->q, 304, NULL, &header, 1, 0);
    reply_bytes_end(c->q, false);
    strbuf_release(&etag);
}

static void on_open(void *user, const struct cid *cid, uint64_t size,
                    struct mtime now)
{
    struct content *c = user;

    (void)now;
    c->cid = *cid;
    c->size = size;
}

/* The answer begins with the first byte, or the end: until then a fault can
 * still be told. */
static void begin(struct content *c)
{
    uint64_t size = c->size;
    struct strbuf etag;
    struct strbuf range;
    bool is_range = c->range.kind != RANGE_WHOLE;
    uint64_t from = c->offset < size ? c->offset : size;
    uint64_t len = c->length < size - from ? c->length : size - from;

    if (c->begun)
        return;
    c->begun = true;
    if (is_range && len == 0) {
        reply_outside(c, size);
        return;
    }
    strbuf_init(&etag, CID_TEXT_MAX + 2);
    put_etag(&etag, &c->cid);
    strbuf_init(&range, RANGE_MAX);
    add_number(&range, "bytes ", from);
    add_number(&range, "-", len > 0 ? from + len - 1 : from);
    add_number(&range, "/", size);
    struct http_header headers[] = {
        {"ETag", strbuf_cstr(&etag)},
        {"Accept-Ranges", "bytes"},
        {"Content-Security-Policy", "sandbox; default-src 'none'"},
        {"Content-Disposition", "attachment"},
        {"Content-Range", strbuf_cstr(&range)},
    };
    size_t count = is_range ? countof(headers) : countof(headers) - 1;
    reply_bytes_begin(c->q, is_range ? 206 : 200, "application/octet-stream",
                      headers, count, len);
    strbuf_release(&etag);
    strbuf_release(&range);
}

static void on_data(void *user, struct slice s, struct mtime now)
{
    struct content *c = user;

    (void)now;
    begin(c);
    if (c->is_head) {
        slice_release(&s);
        return;
    }
    if (reply_bytes(c->q, s))
        reading_pause(c->reading, true);
}

static void on_probed(struct content *c);

static void on_read(void *user, enum err err, struct mtime now)
{
    struct content *c = user;

    (void)now;
    if (err != OK) {
        reply_fault(c->q, reading_fault(c->reading));
        return;
    }
    if (c->is_probe) {
        on_probed(c);
        return;
    }
    begin(c);
    reply_bytes_end(c->q, false);
}

static void on_writable(struct request *q, struct mtime now)
{
    struct content *c = q->op;

    (void)now;
    reading_pause(c->reading, false);
}

static void cancel_content(struct request *q)
{
    struct content *c = q->op;

    reading_free(c->reading);
    mem_free(c);
}

static void start(struct content *c)
{
    struct reading_config config = {
        .path = bytes_str(c->q->tail),
        .offset = c->is_probe ? 0 : c->offset,
        .length = c->is_head || c->is_probe ? 0 : c->length,
        .timeout_ms = c->timeout_ms,
        .on_open = on_open,
        .on_data = on_data,
        .done = on_read,
        .user = c,
    };
    c->reading = reading_new(c->q->node, &config);
}

static const char *header(const struct content *c, const char *name)
{
    struct request *q = c->q;

    return q->http->header(q->http, q->r, name);
}

/* The header's range is one of the whole file.  @c->size is known for one of
 * its end. */
static void apply_range(struct content *c)
{
    const struct range *r = &c->range;

    if (r->kind == RANGE_WHOLE)
        return;
    c->offset = r->offset;
    c->length = r->kind == RANGE_FROM ? r->length : UINT64_MAX;
    if (r->kind == RANGE_SUFFIX && r->length < c->size)
        c->offset = c->size - r->length;
}

/* Name and size are known: what the headers ask for can be told. */
static void on_probed(struct content *c)
{
    const char *if_range = header(c, "If-Range");
    char cid[CID_TEXT_MAX];

    (void)cid_format(&c->cid, cid);
    if (etag_is_listed(header(c, "If-None-Match"), cid)) {
        reply_unchanged(c);
        return;
    }
    if (if_range != NULL && !etag_is(if_range, cid))
        c->range.kind = RANGE_WHOLE;
    c->is_probe = false;
    apply_range(c);
    reading_free(c->reading);
    start(c);
}

void handle_content(struct request *q, struct mtime now)
{
    bool good = true;
    uint64_t offset = request_number(q, "offset", 0, INT64_MAX, &good);
    uint64_t length =
        good ? request_number(q, "length", UINT64_MAX, INT64_MAX, &good) : 0;
    uint32_t timeout_ms = good ? request_timeout_ms(q, &good) : 0;

    (void)now;
    if (!good)
        return;
    if (request_query(q, "format") != NULL) {
        reply_error(q, ERROR_UNSUPPORTED, "no such format",
                    request_query(q, "format"));
        return;
    }
    struct content *c = mem_zalloc(1, sizeof(*c));
    c->q = q;
    c->offset = offset;
    c->length = length;
    c->timeout_ms = timeout_ms;
    c->is_head = strcmp(q->r->method, "HEAD") == 0;
    if (!c->is_head) /* a range is of GET only */
        c->range = range_parse(header(c, "Range"));
    c->is_probe = c->range.kind == RANGE_SUFFIX ||
                  header(c, "If-None-Match") != NULL ||
                  header(c, "If-Range") != NULL;
    if (!c->is_probe)
        apply_range(c);
    q->op = c;
    q->cancel = cancel_content;
    q->on_writable = on_writable;
    start(c);
}

/* A file here. */

struct get {
    struct request *q;
    struct export *export;
    struct timer progress;
    struct mtime began;
    char *out;
};

static void on_progress(struct timer *t, struct mtime now)
{
    struct get *g = container_of(t, struct get, progress);
    struct clock *clock = node_env(g->q->node)->clock;
    struct export_progress p = export_progress(g->export);

    if (!request_is_full(g->q))
        lines_progress(g->q, p.bytes_done, p.bytes_total, "bytes");
    clock->set(clock, t, mtime_add_ms(now, PROGRESS_MS));
}

/* The peer's id, or the gateway's URL. */
static json_t *json_source_name(struct node *n, const struct peer_id *peer)
{
    char text[PEER_ID_TEXT_MAX];
    const struct exchange *x = node_exchange(n);
    const char *url =
        x != NULL ? gateways_url(exchange_gateways(x), peer) : NULL;

    if (url != NULL)
        return json_string(url);
    (void)peer_id_format(peer, text);
    return json_string(text);
}

static json_t *json_sources(struct node *n, const struct export *e)
{
    struct bs_source sources[SOURCES_MAX];
    size_t count = export_sources(e, sources, SOURCES_MAX);
    json_t *list = json_array();

    for (size_t i = 0; i < count && i < SOURCES_MAX; i++) {
        json_t *peer = json_source_name(n, &sources[i].peer);
        json_array_append_new(list,
                              json_pack("{s:o,s:I}", "peer", peer, "bytes",
                                        (json_int_t)sources[i].bytes));
    }
    return list;
}

static void on_exported(void *user, enum err err, struct mtime now)
{
    struct get *g = user;
    struct clock *clock = node_env(g->q->node)->clock;
    struct export_progress p = export_progress(g->export);

    clock->set(clock, &g->progress, MTIME_NEVER);
    if (err != OK) {
        reply_fault(g->q, export_fault(g->export));
        return;
    }
    double seconds = (double)mtime_ms_since(g->began, now) / 1000;
    lines_json(g->q, json_pack("{s:o,s:o,s:I,s:f,s:o}", "cid", json_cid(&p.cid),
                               "path", json_text(bytes_str(g->out)), "bytes",
                               (json_int_t)p.bytes_done, "seconds", seconds,
                               "sources", json_sources(g->q->node, g->export)));
    lines_end(g->q);
}

static void cancel_get(struct request *q)
{
    struct get *g = q->op;
    struct clock *clock = node_env(q->node)->clock;

    clock->set(clock, &g->progress, MTIME_NEVER);
    export_free(g->export);
    mem_free(g->out);
    mem_free(g);
}

/* True for an absolute path whose last component can be made. */
static bool is_place(const char *out)
{
    const char *last = strrchr(out, '/');

    return out[0] == '/' && last[1] != '\0' && strcmp(last, "/.") != 0 &&
           strcmp(last, "/..") != 0;
}

void handle_local_get(struct request *q, struct mtime now)
{
    const char *path = NULL;
    const char *out = NULL;
    int force = 0;
    int sync = 0;
    json_int_t timeout_s = 0;
    json_error_t error;

    if (!request_fields(q))
        return;
    if (json_unpack_ex(q->body, &error, 0, "{s:s,s:s,s?:b,s?:b,s?:I}", "path",
                       &path, "out", &out, "force", &force, "sync", &sync,
                       "timeout_s", &timeout_s) != 0) {
        reply_error(q, ERROR_BAD_REQUEST, "the request is not understood",
                    error.text);
        return;
    }
    if (timeout_s < 0 || timeout_s > UINT32_MAX / 1000) {
        reply_error(q, ERROR_BAD_VALUE, "not a number within the limits",
                    "timeout_s");
        return;
    }
    if (!is_place(out)) {
        reply_error(q, ERROR_BAD_PATH, "not an absolute path of a file", out);
        return;
    }
    struct get *g = mem_zalloc(1, sizeof(*g));
    struct clock *clock = node_env(q->node)->clock;
    struct export_config config = {
        .path = bytes_str(path),
        .out = out,
        .force = force != 0,
        .sync = sync != 0,
        .timeout_ms = (uint32_t)timeout_s * 1000,
        .done = on_exported,
        .user = g,
    };
    g->q = q;
    g->began = now;
    g->out = mem_strdup(out);
    q->op = g;
    q->cancel = cancel_get;
    timer_init(&g->progress, on_progress);
    clock->set(clock, &g->progress, mtime_add_ms(now, PROGRESS_MS));
    g->export = export_new(q->node, &config);
}
