#include "app/cli_error.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"

/* Copies what fits, whole characters only; @dst is a C string. */
static void copy_text(char *dst, size_t max, struct bytes text)
{
    size_t len = 0;

    while (len < text.len) {
        size_t step = utf8_len(bytes_sub(text, len, text.len - len));
        step = step > 0 ? step : 1;
        if (len + step >= max)
            break;
        len += step;
    }
    if (len > 0)
        memcpy(dst, text.p, len);
    dst[len] = '\0';
}

static void copy_escaped(char *dst, size_t max, const char *text)
{
    struct strbuf out;

    strbuf_init(&out, max * 8);
    strbuf_escape(&out, bytes_sub(bytes_str(text), 0, strnlen(text, max)));
    copy_text(dst, max, strbuf_bytes(&out));
    strbuf_release(&out);
}

static void take_row(struct cli_error *e, const struct error_info *row)
{
    *e = (struct cli_error){.exit_code = (int)row->exit_code};
    copy_text(e->code, sizeof(e->code), bytes_str(row->code));
    copy_text(e->message, sizeof(e->message), bytes_str(row->title));
    copy_text(e->hint, sizeof(e->hint), bytes_str(row->hint));
}

void cli_error_set(struct cli_error *e, enum error_id id, const char *where)
{
    struct strbuf out;

    take_row(e, error_info(id));
    if (where == NULL)
        return;
    strbuf_init(&out, (size_t)8 * CLI_MESSAGE_MAX);
    strbuf_str(&out, e->message);
    strbuf_str(&out, ": ");
    strbuf_escape(
        &out, bytes_sub(bytes_str(where), 0, strnlen(where, CLI_MESSAGE_MAX)));
    copy_text(e->message, sizeof(e->message), strbuf_bytes(&out));
    strbuf_release(&out);
}

void cli_error_setf(struct cli_error *e, enum error_id id, const char *format,
                    ...)
{
    char text[2 * CLI_MESSAGE_MAX];
    va_list args;

    take_row(e, error_info(id));
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* cut where too long */
    va_end(args);
    copy_escaped(e->message, sizeof(e->message), text);
}

void cli_error_hint(struct cli_error *e, const char *hint)
{
    copy_text(e->hint, sizeof(e->hint), bytes_str(hint));
}

void cli_error_kept(struct cli_error *e, const char *kept)
{
    take_row(e, error_info(ERROR_CANCELLED));
    if (kept != NULL)
        cli_error_hint(e, kept);
}

/* What a status alone says, when its body says nothing. */
static enum error_id error_of_status(unsigned status)
{
    switch (status) {
    case 400:
        return ERROR_BAD_REQUEST;
    case 401:
        return ERROR_UNAUTHORIZED;
    case 403:
        return ERROR_FORBIDDEN;
    case 404:
        return ERROR_NOT_FOUND;
    case 405:
        return ERROR_BAD_METHOD;
    case 409:
        return ERROR_EXISTS;
    case 413:
        return ERROR_TOO_LARGE;
    case 422:
        return ERROR_BAD_VALUE;
    case 429:
        return ERROR_TOO_MANY_REQUESTS;
    case 501:
        return ERROR_UNSUPPORTED;
    case 503:
        return ERROR_BUSY;
    case 504:
        return ERROR_TIMEOUT;
    case 507:
        return ERROR_NO_SPACE;
    default:
        return status < 500 ? ERROR_BAD_REQUEST : ERROR_INTERNAL;
    }
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Lays what @object tells over the row that stands in @e already. */
static void take_object(struct cli_error *e, const json_t *object,
                        const char *message)
{
    const char *hint = text_of(object, "hint");
    const json_t *details = json_object_get(object, "details");

    if (message != NULL && message[0] != '\0')
        copy_escaped(e->message, sizeof(e->message), message);
    if (hint != NULL && hint[0] != '\0')
        copy_escaped(e->hint, sizeof(e->hint), hint);
    if (!json_is_object(details))
        return;
    size_t len = json_dumpb(details, NULL, 0, JSON_COMPACT);
    if (len == 0 || len >= sizeof(e->details))
        return;
    (void)json_dumpb(details, e->details, len, JSON_COMPACT); /* it fits */
    e->details[len] = '\0';
}

static void take_code(struct cli_error *e, const json_t *object,
                      enum error_id otherwise)
{
    const char *code = text_of(object, "code");
    const struct error_info *row = code != NULL ? error_find(code) : NULL;

    take_row(e, row != NULL ? row : error_info(otherwise));
    /* A newer daemon may know words that we don't. */
    if (row == NULL && code != NULL && code[0] != '\0')
        copy_escaped(e->code, sizeof(e->code), code);
}

void cli_error_from_problem(struct cli_error *e, unsigned status,
                            struct bytes body)
{
    json_t *problem =
        json_loadb(body.len > 0 ? (const char *)body.p : "", body.len, 0, NULL);
    enum error_id otherwise = error_of_status(status);

    take_code(e, problem, otherwise);
    const char *detail = text_of(problem, "detail");
    take_object(e, problem,
                detail != NULL ? detail : text_of(problem, "title"));
    if (problem == NULL) {
        char text[64];
        (void)snprintf(text, sizeof(text), "the daemon answered %u", status);
        copy_text(e->message, sizeof(e->message), bytes_str(text));
    }
    json_decref(problem);
}

void cli_error_from_json(struct cli_error *e, const struct json_t *object)
{
    take_code(e, object, ERROR_INTERNAL);
    take_object(e, object, text_of(object, "message"));
}

void cli_error_text(const struct cli_error *e, struct strbuf *out)
{
    strbuf_str(out, "xmbl: ");
    strbuf_str(out, e->message);
    strbuf_str(out, ". ");
    if (e->hint[0] != '\0') {
        strbuf_str(out, e->hint);
        strbuf_str(out, " ");
    }
    strbuf_str(out, "[");
    strbuf_str(out, e->code);
    strbuf_str(out, "]\n");
}

void cli_error_json(const struct cli_error *e, struct strbuf *out)
{
    json_t *details =
        e->details[0] != '\0' ? json_loads(e->details, 0, NULL) : json_object();
    json_t *root =
        json_pack("{s:{s:s, s:s, s:s, s:o}}", "error", "code", e->code,
                  "message", e->message, "hint", e->hint, "details", details);
    assert(root != NULL);
    size_t len = json_dumpb(root, NULL, 0, JSON_COMPACT);
    char text[4 * (CLI_MESSAGE_MAX + CLI_HINT_MAX + CLI_DETAILS_MAX)];
    assert(len < sizeof(text));
    (void)json_dumpb(root, text, sizeof(text), JSON_COMPACT); /* it fits */
    strbuf_add(out, (struct bytes){(const uint8_t *)text, len});
    strbuf_str(out, "\n");
    json_decref(root);
}
