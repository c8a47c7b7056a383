#ifndef NODE_FAULT_H
#define NODE_FAULT_H

#include "base/bytes.h"
#include "base/err.h"
#include "config/errors.h"

enum { FAULT_TEXT_MAX = 512 };

/**
 * struct fault - why an operation ended without success, for people.
 *
 * @text says what happened and where, in plain text that is escaped already,
 * without a full stop; what to do about it is in the table of config/errors.h.
 */
struct fault {
    enum error_id id;
    char text[FAULT_TEXT_MAX];
};

/**
 * fault_set - @id, with the words @what and the place @where.
 * @what: what happened; NULL: the table's words.
 * @where: a path, a CID, ...; untrusted, escaped here; empty: nowhere.
 */
void fault_set(struct fault *f, enum error_id id, const char *what,
               struct bytes where);

/** fault_from_err - the nearest fault for @err (not OK) at @where; of a full
 * disk in the table's words, which say more than @what. */
void fault_from_err(struct fault *f, enum err err, const char *what,
                    struct bytes where);

#endif /* NODE_FAULT_H */
