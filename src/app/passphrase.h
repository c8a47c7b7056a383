#ifndef APP_PASSPHRASE_H
#define APP_PASSPHRASE_H

#include "base/attr.h"
#include "base/err.h"
#include "crypto/secret.h"

struct cli_error;

enum { PASSPHRASE_BYTES_MAX = 1024 };

/**
 * passphrase_read - a passphrase from a file, or asked for on the terminal.
 * @file: its first line without the line end is the passphrase; NULL: ask.
 * @prompt: what to ask, without colon.
 * @ret_pass: released by the caller.
 *
 * Return: OK; E_NOTFOUND when there is neither a file nor a terminal;
 * E_REFUSED, E_IO for a file that cannot be read; E_LIMIT when it is too long;
 * each with @ret_error.
 */
MUST_USE enum err passphrase_read(const char *file, const char *prompt,
                                  struct secret *ret_pass,
                                  struct cli_error *ret_error);

#endif /* APP_PASSPHRASE_H */
