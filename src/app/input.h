#ifndef APP_INPUT_H
#define APP_INPUT_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct cli;
struct strbuf;

/** input_open - the file @path for reading, stdin for "-".
 *
 * Return: OK; E_IO with @cli->error set. */
MUST_USE enum err input_open(struct cli *cli, const char *path, int *ret_fd);

/** input_close - close what input_open() gave; stdin stays open. */
void input_close(int fd);

/** input_read - append all of the file @path, stdin for "-".
 *
 * Return: OK; E_LIMIT when it is longer than @out takes; E_IO; E_CANCELED;
 * each with @cli->error set. */
MUST_USE enum err input_read(struct cli *cli, const char *path,
                             struct strbuf *out);

#endif /* APP_INPUT_H */
