#ifndef CONFIG_ERRORS_H
#define CONFIG_ERRORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/*
 * errors - the one table of the faults that a user is told of: the stable code
 * word, the exit status of a command, the status of an HTTP answer, what helps
 * and what `xmbl explain CODE` says.  Words are never changed or reused.
 */
enum error_id {
    ERROR_ADDRESS_IN_USE,
    ERROR_BAD_ADDRESS,
    ERROR_BAD_BLOCK,
    ERROR_BAD_CAR,
    ERROR_BAD_CID,
    ERROR_BAD_CONFIG,
    ERROR_BAD_KEY_FILE,
    ERROR_BAD_METHOD,
    ERROR_BAD_NAME,
    ERROR_BAD_PATH,
    ERROR_BAD_PEER_ID,
    ERROR_BAD_RANGE,
    ERROR_BAD_RECORD,
    ERROR_BAD_REQUEST,
    ERROR_BAD_SIGNATURE,
    ERROR_BAD_TYPE,
    ERROR_BAD_USAGE,
    ERROR_BAD_VALUE,
    ERROR_BUSY,
    ERROR_CANCELLED,
    ERROR_CHANGED_FILE,
    ERROR_CONN_LIMIT,
    ERROR_CORRUPT_BLOCK,
    ERROR_CORRUPT_STORE,
    ERROR_DAEMON_NEEDED,
    ERROR_DAEMON_UNREACHABLE,
    ERROR_EXISTS,
    ERROR_FOLDER_EXISTS,
    ERROR_FOLDER_LOCKED,
    ERROR_FORBIDDEN,
    ERROR_INCOMPLETE,
    ERROR_INTERNAL,
    ERROR_IO,
    ERROR_LIMIT,
    ERROR_NETWORK_OFF,
    ERROR_NEWER_FOLDER,
    ERROR_NOT_A_DIRECTORY,
    ERROR_NOT_A_FILE,
    ERROR_NOT_FOUND,
    ERROR_NOT_PINNED,
    ERROR_NO_FOLDER,
    ERROR_NO_ROUTE,
    ERROR_NO_SPACE,
    ERROR_OBJECT_ROOT,
    ERROR_OLD_RECORD,
    ERROR_PASSPHRASE_NEEDED,
    ERROR_PEER_MISMATCH,
    ERROR_PEER_UNREACHABLE,
    ERROR_PERMISSION,
    ERROR_PINNED,
    ERROR_QUOTA,
    ERROR_SHUTTING_DOWN,
    ERROR_TIMEOUT,
    ERROR_TOO_LARGE,
    ERROR_TOO_MANY_REQUESTS,
    ERROR_UNAUTHORIZED,
    ERROR_UNSUPPORTED,
    ERROR_UNSUPPORTED_CODEC,
    ERROR_WRONG_PASSPHRASE,
    ERRORS_COUNT,
};

/* Exit statuses of a command; part of the contract with scripts. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOTFOUND = 3,
    EXIT_REFUSED = 4,
    EXIT_NOSPACE = 5,
    EXIT_NODAEMON = 6,
    EXIT_TIMEOUT = 7,
    EXIT_INTERRUPTED = 130,
};

enum { ERROR_CODE_MAX = 32 }; /* room for any code word and its NUL */

/** struct error_info - one row of the table; texts live for ever. */
struct error_info {
    const char *code; /* FOLDER_LOCKED */
    enum exit_code exit_code;
    uint16_t http_status;
    const char *title;       /* what happened, no full stop */
    const char *hint;        /* what to do, a sentence */
    const char *explanation; /* sentences for `explain`, without line breaks */
};

/** error_info - the row of @id, never NULL. */
const struct error_info *error_info(enum error_id id);

/** error_find - the row with the code word @code in either case, or NULL. */
const struct error_info *error_find(const char *code);

/**
 * error_of_err - the nearest row for @err, when the caller knows no better.
 * @err: not OK (asserted).
 */
enum error_id error_of_err(enum err err);

#endif /* CONFIG_ERRORS_H */
