#ifndef STORAGE_FIELDS_PRIV_H
#define STORAGE_FIELDS_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ipld/dag_cbor.h"
#include "storage/record.h"

/*
 * fields - reads that records, receipts and messages share.  Each takes the
 * next value, and fails the reader where that is not what is asked for.
 */

/** field_version - key "v" and its value; E_UNSUPPORTED unless @version. */
void field_version(struct cbor_rd *r, uint64_t version);

/** field_exactly - byte string of exactly @len bytes, copied to @dst. */
void field_exactly(struct cbor_rd *r, uint8_t *dst, size_t len);

/** field_text - text of at most @max bytes; E_LIMIT for more. */
struct bytes field_text(struct cbor_rd *r, size_t max);

/** field_network - name of a network, with a NUL behind it in @dst. */
void field_network(struct cbor_rd *r, char dst[static OBJECT_NETWORK_MAX + 1]);

#endif /* STORAGE_FIELDS_PRIV_H */
