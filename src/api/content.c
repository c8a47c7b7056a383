/* GET /api/v1/content: the bytes of a file; POST /api/v1/local/get. */
#include <string.h>

#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/export.h"
#include "node/node.h"
#include "node/reading.h"

enum { SOURCES_MAX = 64, NUMBER_MAX = 24, RANGE_MAX = 96 };

/* Bytes. */

struct content {
    struct request *q;
    struct reading *reading;
    uint64_t offset;
    uint64_t length;
    bool is_range; /* by a Range header: 206 */
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
    reply_bytes_begin(c->q, 416, NULL, &header, 1, 0);
    reply_bytes_end(c->q, false);
    strbuf_release(&range);
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
    char text[CID_TEXT_MAX];
    uint64_t from = c->offset < size ? c->offset : size;
    uint64_t len = c->length < size - from ? c->length : size - from;

    if (c->begun)
        return;
    c->begun = true;
    if (c->is_range && len == 0) {
        reply_outside(c, size);
        return;
    }
    (void)cid_format(&c->cid, text);
    strbuf_init(&etag, CID_TEXT_MAX + 2);
    strbuf_str(&etag, "\"");
    strbuf_str(&etag, text);
    strbuf_str(&etag, "\"");
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
    size_t count = c->is_range ? countof(headers) : countof(headers) - 1;
    reply_bytes_begin(c->q, c->is_range ? 206 : 200, "application/octet-stream",
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

static void on_read(void *user, enum err err, struct mtime now)
{
    struct content *c = user;

    (void)now;
    if (err != OK) {
        reply_fault(c->q, reading_fault(c->reading));
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

/* "bytes=a-b" or "bytes=a-"; anything else is not a range that we serve, and
 * the whole is a right answer to it. */
static void read_range(struct content *c, const char *text)
{
    uint64_t numbers[2] = {0, UINT64_MAX};
    bool has[2] = {false, false};
    unsigned at = 0;

    if (text == NULL || strncmp(text, "bytes=", 6) != 0)
        return;
    for (const char *p = text + 6; *p != '\0'; p++) {
        if (*p == '-' && at == 0) {
            at = 1;
            continue;
        }
        if (*p < '0' || *p > '9')
            return;
        uint64_t digit = (uint64_t)(*p - '0');
        uint64_t before = has[at] ? numbers[at] : 0;
        if (before > (UINT64_MAX - digit) / 10)
            return;
        numbers[at] = before * 10 + digit;
        has[at] = true;
    }
    if (!has[0] || at == 0 || (has[1] && numbers[1] < numbers[0]))
        return;
    c->is_range = true;
    c->offset = numbers[0];
    c->length = UINT64_MAX;
    if (has[1] && numbers[1] - numbers[0] < UINT64_MAX)
        c->length = numbers[1] - numbers[0] + 1;
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
    c->is_head = strcmp(q->r->method, "HEAD") == 0;
    if (!c->is_head) /* a range is of GET only */
        read_range(c, q->http->header(q->http, q->r, "Range"));
    q->op = c;
    q->cancel = cancel_content;
    q->on_writable = on_writable;
    struct reading_config config = {
        .path = bytes_str(q->tail),
        .offset = c->offset,
        .length = c->is_head ? 0 : c->length,
        .timeout_ms = timeout_ms,
        .on_open = on_open,
        .on_data = on_data,
        .done = on_read,
        .user = c,
    };
    c->reading = reading_new(q->node, &config);
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

static json_t *json_sources(const struct export *e)
{
    struct bs_source sources[SOURCES_MAX];
    size_t count = export_sources(e, sources, SOURCES_MAX);
    json_t *list = json_array();

    for (size_t i = 0; i < count && i < SOURCES_MAX; i++) {
        char peer[PEER_ID_TEXT_MAX];
        (void)peer_id_format(&sources[i].peer, peer);
        json_array_append_new(list,
                              json_pack("{s:s,s:I}", "peer", peer, "bytes",
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
                               "sources", json_sources(g->export)));
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

    if (json_unpack_ex(q->body, &error, JSON_STRICT, "{s:s,s:s,s?:b,s?:b,s?:I}",
                       "path", &path, "out", &out, "force", &force, "sync",
                       &sync, "timeout_s", &timeout_s) != 0) {
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
