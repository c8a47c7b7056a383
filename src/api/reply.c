#include <assert.h>
#include <string.h>

#include "api/request.h"
#include "base/mem.h"
#include "kad/rfc3339.h"

enum { STATUS_OK = 200 };

static const char type_json[] = "application/json";
static const char type_problem[] = "application/problem+json";
static const char type_stream[] = "application/x-ndjson";

/* Text of @value as a slice of its own. */
static struct slice dump(const json_t *value, bool line)
{
    size_t len = json_dumpb(value, NULL, 0, JSON_COMPACT);
    struct buf *buf = buf_new(len + 1);

    buf->len = json_dumpb(value, (char *)buf->data, len, JSON_COMPACT);
    if (line)
        buf->data[buf->len++] = '\n';
    return (struct slice){.buf = buf, .bytes = buf_bytes(buf)};
}

static void respond(struct request *q, unsigned status, const char *type,
                    const struct http_header *more, size_t count, uint64_t len)
{
    struct http_header headers[HTTP_HEADERS_OUT_MAX];
    size_t n = 0;

    assert(!q->responded && count + 2 <= HTTP_HEADERS_OUT_MAX);
    if (type != NULL)
        headers[n++] = (struct http_header){"Content-Type", type};
    headers[n++] = (struct http_header){"X-Content-Type-Options", "nosniff"};
    for (size_t i = 0; i < count; i++)
        headers[n++] = more[i];
    q->responded = true;
    q->http->respond(q->http, q->r, status, headers, n, len);
}

static void send(struct request *q, struct slice s)
{
    if (s.bytes.len == 0) {
        slice_release(&s);
        return;
    }
    q->queued = q->http->send(q->http, q->r, s);
}

static void end(struct request *q, bool abort)
{
    assert(!q->ended);
    q->ended = true;
    q->http->end(q->http, q->r, abort);
}

void reply_json(struct request *q, unsigned status, json_t *value)
{
    struct slice text = dump(value, true);

    json_decref(value);
    if (!q->ended) {
        respond(q, status, type_json, NULL, 0, text.bytes.len);
        send(q, text);
        end(q, false);
        return;
    }
    slice_release(&text);
}

void reply_empty(struct request *q, unsigned status)
{
    if (q->ended)
        return;
    respond(q, status, NULL, NULL, 0, 0);
    end(q, false);
}

static void lines_fault(struct request *q, const struct fault *f,
                        const struct error_info *info)
{
    lines_json(q, json_pack("{s:{s:s,s:s,s:s}}", "error", "code", info->code,
                            "message", f->text, "hint", info->hint));
    lines_end(q);
}

static void reply_problem(struct request *q, const struct fault *f,
                          const struct http_header *more, size_t count)
{
    const struct error_info *info = error_info(f->id);
    json_t *problem =
        json_pack("{s:s,s:s,s:i,s:s,s:s,s:s}", "type", "about:blank", "title",
                  info->title, "status", (int)info->http_status, "code",
                  info->code, "detail", f->text, "hint", info->hint);
    struct slice text = dump(problem, true);

    json_decref(problem);
    respond(q, info->http_status, type_problem, more, count, text.bytes.len);
    send(q, text);
    end(q, false);
}

void reply_fault(struct request *q, const struct fault *f)
{
    const struct error_info *info = error_info(f->id);

    if (q->ended)
        return;
    if (q->is_stream) {
        lines_fault(q, f, info);
        return;
    }
    if (q->responded) { /* bytes have begun: only their end can tell */
        end(q, true);
        return;
    }
    reply_problem(q, f, NULL, 0);
}

void reply_error(struct request *q, enum error_id id, const char *what,
                 const char *where)
{
    struct fault f;

    fault_set(&f, id, what, where != NULL ? bytes_str(where) : BYTES_EMPTY);
    reply_fault(q, &f);
}

void reply_error_with(struct request *q, enum error_id id, const char *where,
                      const struct http_header *header)
{
    struct fault f;

    fault_set(&f, id, NULL, bytes_str(where));
    if (!q->ended)
        reply_problem(q, &f, header, 1);
}

void lines_begin(struct request *q)
{
    if (q->is_stream || q->ended)
        return;
    q->is_stream = true;
    respond(q, STATUS_OK, type_stream, NULL, 0, UINT64_MAX);
}

void lines_json(struct request *q, json_t *value)
{
    lines_begin(q);
    if (!q->ended)
        send(q, dump(value, true));
    json_decref(value);
}

void lines_progress(struct request *q, uint64_t done, uint64_t total,
                    const char *unit)
{
    json_t *p = json_pack("{s:I,s:s}", "done", (json_int_t)done, "unit", unit);

    if (total > 0)
        json_object_set_new(p, "total", json_integer((json_int_t)total));
    lines_json(q, json_pack("{s:o}", "progress", p));
}

void lines_end(struct request *q)
{
    lines_begin(q);
    if (!q->ended)
        end(q, false);
}

void reply_bytes_begin(struct request *q, unsigned status, const char *type,
                       const struct http_header *headers, size_t count,
                       uint64_t len)
{
    if (!q->ended)
        respond(q, status, type, headers, count, len);
}

bool reply_bytes(struct request *q, struct slice s)
{
    if (q->ended)
        slice_release(&s);
    else
        send(q, s);
    return request_is_full(q);
}

void reply_bytes_end(struct request *q, bool abort)
{
    if (!q->ended)
        end(q, abort);
}

bool request_is_full(const struct request *q)
{
    return q->queued > HTTP_SEND_HIGH_BYTES;
}

json_t *json_cid(const struct cid *cid)
{
    char text[CID_TEXT_MAX];
    size_t len = cid_format(cid, text);

    return json_stringn(text, len);
}

json_t *json_text(struct bytes text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    struct strbuf s;
    size_t at = 0;

    strbuf_init(&s, REQUEST_BODY_MAX);
    while (at < text.len) {
        struct bytes rest = bytes_sub(text, at, text.len - at);
        size_t len = utf8_len(rest);
        /* A NUL is refused by many who read JSON. */
        if (len > 0 && rest.p[0] != 0)
            strbuf_add(&s, bytes_sub(rest, 0, len));
        else
            strbuf_str(&s, replacement);
        at += len > 0 ? len : 1;
    }
    json_t *value = json_stringn(strbuf_cstr(&s), s.len);
    strbuf_release(&s);
    return value;
}

json_t *json_time_ms(uint64_t unix_ms)
{
    enum { TO_MS = 23 }; /* "2026-01-31T12:00:00.123" */
    struct unix_time t = unix_time_of_ms(unix_ms);
    char text[RFC3339_TEXT_MAX];

    (void)rfc3339_format(&t, text);
    text[TO_MS] = 'Z';
    text[TO_MS + 1] = '\0';
    return json_string(text);
}
