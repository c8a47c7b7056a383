#ifndef APP_COMPLETION_H
#define APP_COMPLETION_H

#include <stdbool.h>

#include "base/attr.h"

struct strbuf;

/** completion_script - append the script that completes our commands and
 * options in @shell: bash, zsh or fish; false for another one. */
MUST_USE bool completion_script(struct strbuf *out, const char *shell);

#endif /* APP_COMPLETION_H */
