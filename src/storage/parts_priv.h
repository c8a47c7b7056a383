#ifndef STORAGE_PARTS_PRIV_H
#define STORAGE_PARTS_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct sha256;

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

/**
 * parts_signed - @domain and @body as two parts: what a signature is over.
 * @buf: room for both and their lengths (asserted).
 */
struct bytes parts_signed(struct bytes domain, struct bytes body, uint8_t *buf,
                          size_t buf_len);

#endif /* STORAGE_PARTS_PRIV_H */
