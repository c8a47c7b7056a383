#ifndef APP_STEPS_PRINT_H
#define APP_STEPS_PRINT_H

#include "base/attr.h"
#include "base/err.h"

struct cli;
struct json_t;

/**
 * steps_ask - GET an answer that tells steps as they are tried, and print each
 * as it comes: for people "step WHERE: result, 3 ms: detail", the remedy
 * below.
 * @on_end: the line that is no step; borrowed.
 *
 * Return: as call_stream().
 */
MUST_USE enum err
steps_ask(struct cli *cli, const char *path,
          void (*on_end)(void *ctx, const struct json_t *line), void *ctx);

#endif /* APP_STEPS_PRINT_H */
