#include "node/log.h"

#include <string.h>

enum { LINE_BYTES_MAX = 4096 };

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARNING:
        return "warning";
    case LOG_ERROR:
        return "error";
    case LOG_CRITICAL:
        return "critical";
    }
    return "critical";
}

/* A string of JSON: what strbuf_escape() lets through needs only these two. */
static void add_json_text(struct strbuf *s, struct bytes value)
{
    struct strbuf plain;

    strbuf_init(&plain, LINE_BYTES_MAX);
    strbuf_escape(&plain, value);
    strbuf_str(s, "\"");
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.p[i] == '"' || plain.p[i] == '\\')
            strbuf_str(s, "\\");
        strbuf_add(s, (struct bytes){plain.p + i, 1});
    }
    strbuf_str(s, "\"");
    strbuf_release(&plain);
}

/* In text, a value with a space or quote is put in quotes. */
static void add_plain_text(struct strbuf *s, struct bytes value)
{
    bool quote = value.len == 0 || memchr(value.p, ' ', value.len) != NULL ||
                 memchr(value.p, '"', value.len) != NULL;
    if (quote)
        add_json_text(s, value);
    else
        strbuf_escape(s, value);
}

static void add_key(struct log_line *line, const char *key)
{
    struct strbuf *s = &line->text;

    if (!line->log->json) {
        strbuf_str(s, " ");
        strbuf_str(s, key);
        strbuf_str(s, "=");
        return;
    }
    strbuf_str(s, s->len > 1 ? ",\"" : "\"");
    strbuf_str(s, key);
    strbuf_str(s, "\":");
}

void log_begin(struct log_line *line, struct log *log, enum log_level level,
               const char *module, const char *event)
{
    bool wanted = log->write != NULL && level >= log->level;

    line->log = wanted ? log : NULL;
    line->level = level;
    strbuf_init(&line->text, LINE_BYTES_MAX);
    if (!wanted)
        return;
    if (log->json)
        strbuf_str(&line->text, "{");
    else
        strbuf_str(&line->text, level_name(level));
    if (log->json)
        log_str(line, "level", bytes_str(level_name(level)));
    log_str(line, "module", bytes_str(module));
    log_str(line, "event", bytes_str(event));
}

void log_str(struct log_line *line, const char *key, struct bytes value)
{
    if (line->log == NULL)
        return;
    add_key(line, key);
    if (line->log->json)
        add_json_text(&line->text, value);
    else
        add_plain_text(&line->text, value);
}

void log_end(struct log_line *line)
{
    if (line->log != NULL) {
        if (line->log->json)
            strbuf_str(&line->text, "}");
        line->log->write(line->log->user, line->level,
                         strbuf_bytes(&line->text));
    }
    strbuf_release(&line->text);
}
