#ifndef APP_LONE_H
#define APP_LONE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "os/fslock.h"

struct cli_error;

/*
 * lone - the folder of a command that fetches where there is neither a daemon
 * nor a data folder.
 *
 * What makes OUT has it as OUT.xmbl-part.d beside OUT.xmbl-part, and as long
 * as that: when it was stopped, the next one finds there what has come.  Since
 * others may have made that folder, nothing in it is believed: all but the
 * blocks is removed, and the blocks are hashed when they are read.  Any other
 * command has a folder of its own in $TMPDIR, which goes with it.
 */
struct lone {
    char *path;       /* absolute; NULL: none */
    char *part;       /* OUT.xmbl-part, or NULL */
    bool is_leftover; /* an earlier command made it */
};

/**
 * lone_open - make the folder and lock it.
 * @out: what is being made, absolute; NULL: nothing that could go on later.
 * @ret: lone_close() after the lock was released.
 *
 * Return: OK; E_CLOSED when another process makes the same; E_EXISTS when
 * something else is in the way; E_REFUSED, E_NOTFOUND, E_NOSPACE, E_IO; each
 * with @ret_error.
 */
MUST_USE enum err lone_open(const char *out, struct lone *ret,
                            struct fslock *ret_lock,
                            struct cli_error *ret_error);

/** lone_keeps - whether something is left to go on from. */
bool lone_keeps(const struct lone *l);

/** lone_close - remove the folder, unless it is kept; harmless on a zeroed
 * struct. */
void lone_close(struct lone *l);

#endif /* APP_LONE_H */
