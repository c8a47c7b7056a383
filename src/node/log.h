#ifndef NODE_LOG_H
#define NODE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/strbuf.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
    LOG_CRITICAL,
};

/**
 * struct log - where events go.  One line for each, key=value or JSON.
 *
 * Values from outside are escaped.  Keys, payloads and passphrases are never
 * given to it.
 */
struct log {
    enum log_level level; /* events below it are dropped */
    bool json;
    /** @write: one line, without its end; NULL drops everything. */
    void (*write)(void *user, enum log_level level, struct bytes line);
    void *user;
};

/** struct log_line - one event being built; on the stack of who logs it. */
struct log_line {
    struct log *log; /* NULL: dropped */
    enum log_level level;
    struct strbuf text;
};

/**
 * log_begin - start an event.
 * @module: "network", "store", ...
 * @event: lower_case words joined by underscores.
 */
void log_begin(struct log_line *line, struct log *log, enum log_level level,
               const char *module, const char *event);

/** log_str - a field of text; @value may come from outside. */
void log_str(struct log_line *line, const char *key, struct bytes value);

/** log_end - write the event. */
void log_end(struct log_line *line);

#endif /* NODE_LOG_H */
