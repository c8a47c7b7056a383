#ifndef APP_CLI_ERROR_H
#define APP_CLI_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "config/errors.h"

struct json_t;
struct strbuf;

enum {
    CLI_MESSAGE_MAX = 512,  /* room for a message and its NUL */
    CLI_HINT_MAX = 256,     /* room for a hint and its NUL */
    CLI_DETAILS_MAX = 1024, /* room for details as JSON text and a NUL */
};

/**
 * struct cli_error - why a command failed, for people and for scripts.
 *
 * @code empty: nothing failed yet.  Message and hint are plain text, escaped
 * already, without a full stop at the message's end.
 */
struct cli_error {
    char code[ERROR_CODE_MAX];
    char message[CLI_MESSAGE_MAX];
    char hint[CLI_HINT_MAX];
    char details[CLI_DETAILS_MAX]; /* a JSON object, or empty */
    int exit_code;
};

/** cli_error_set - @id at @where with the row's own words.
 * @where: what it happened to, a path or a CID; escaped here; NULL: nothing.
 */
void cli_error_set(struct cli_error *e, enum error_id id, const char *where);

/** cli_error_setf - @id with a message of its own, as printf() makes it; the
 * text is escaped here, the hint is the row's. */
void cli_error_setf(struct cli_error *e, enum error_id id, const char *format,
                    ...) PRINTF_LIKE(3, 4);

/** cli_error_hint - another hint, a sentence or more. */
void cli_error_hint(struct cli_error *e, const char *hint);

/**
 * cli_error_from_problem - the error that a daemon's answer tells of.
 * @status: of the answer, 400 or more.
 * @body: RFC 9457 JSON, from outside; whatever it is, @e is set.
 */
void cli_error_from_problem(struct cli_error *e, unsigned status,
                            struct bytes body);

/** cli_error_from_json - the error of an "error" object inside a stream. */
void cli_error_from_json(struct cli_error *e, const struct json_t *object);

/** cli_error_kept - that the user stopped it; @kept: what stays and how to go
 * on, sentences, or NULL for the row's. */
void cli_error_kept(struct cli_error *e, const char *kept);

/** cli_error_text - append `xmbl: what: where. What to do. [CODE]` and a line
 * end. */
void cli_error_text(const struct cli_error *e, struct strbuf *out);

/** cli_error_json - append {"error": {...}} and a line end. */
void cli_error_json(const struct cli_error *e, struct strbuf *out);

#endif /* APP_CLI_ERROR_H */
