#ifndef STORAGE_PARTS_PRIV_H
#define STORAGE_PARTS_PRIV_H

#include "base/bytes.h"

struct sha256;
struct wr;

/*
 * parts - how several values are hashed or signed as one: each is preceded by
 * its length as a varint, so that no two lists of parts give the same bytes.
 * The first part always says what is hashed.
 *
 * Spec: docs/protocol/storage.md, "Notation".
 */

/** parts_hash - hash the length of @part, then @part, after what came before.
 */
void parts_hash(struct sha256 *s, struct bytes part);

/** parts_write - write the length of @part, then @part. */
void parts_write(struct wr *w, struct bytes part);

#endif /* STORAGE_PARTS_PRIV_H */
