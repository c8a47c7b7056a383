#ifndef APP_OUTPUT_H
#define APP_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct cli;
struct json_t;
struct strbuf;

/*
 * output - what a command prints: its result on stdout, all else on stderr.
 *
 * A failure to write is remembered and asked for once, by output_finish().
 */

/** output_body - bytes to stdout as they are; a callback of call_bytes(), so
 * @ctx is not used.
 *
 * Return: OK; E_CLOSED when the reader has gone, with @cli->reader_gone set;
 * E_CANCELED after Ctrl-C; E_NOSPACE, E_IO with the error set. */
MUST_USE enum err output_body(struct cli *cli, void *ctx, struct bytes in);

/** output_text - one text of ours to stdout. */
void output_text(const char *text);

/** output_part - the first @len bytes of a text of ours to stdout. */
void output_part(const char *text, size_t len);

/** output_escaped - text from outside to stdout, escaped. */
void output_escaped(const char *text);

/** output_line - @format as printf() makes it, to stdout; only what is ours
 * or escaped may be in it. */
void output_line(const char *format, ...) PRINTF_LIKE(1, 2);

/** output_number - @number in decimal, at least @columns wide, to stdout. */
void output_number(uint64_t number, int columns);

/** output_json - @value and a line end to stdout; takes over a reference. */
void output_json(struct json_t *value);

/** output_message - a line for people to stderr, unless --quiet or --json. */
void output_message(const struct cli *cli, const char *format, ...)
    PRINTF_LIKE(2, 3);

/** output_error - the error of @cli to stderr, as --json wants it. */
void output_error(const struct cli *cli);

/** output_finish - write out what is left.
 * Return: OK; E_CLOSED the reader has gone; E_NOSPACE; E_IO. */
MUST_USE enum err output_finish(void);

/** output_failed - set the error that @err of output_finish() means. */
void output_failed(struct cli *cli, enum err err);

/** output_size - @bytes for people in @dst: "1.2 GiB"; returns @dst. */
const char *output_size(char dst[static 32], uint64_t bytes);

#endif /* APP_OUTPUT_H */
