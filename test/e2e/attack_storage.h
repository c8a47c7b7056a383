#ifndef TEST_E2E_ATTACK_STORAGE_H
#define TEST_E2E_ATTACK_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attack.h"
#include "base/bytes.h"
#include "base/wr.h"
#include "multiformats/cid.h"
#include "multiformats/key.h"
#include "storage/message.h"
#include "storage/receipt.h"
#include "storage/record.h"

/*
 * attack_storage - what the attacks by the protocol of objects share: records,
 * receipts, and one request with its answer.
 */

/** made_up_cid - of a raw block that nobody has. */
struct cid made_up_cid(void);

/** storage_writer - scratch memory for one message; the next call reuses it. */
struct wr storage_writer(void);

/** storage_written - what is in @w. */
struct bytes storage_written(const struct wr *w);

/** storage_unix_s - the time of day. */
uint64_t storage_unix_s(void);

/** record_fields - of a record that is fine, for @root of @bytes in @blocks. */
struct object_record record_fields(const struct cid *root, uint64_t bytes,
                                   uint64_t blocks);

/** record_put - @fields signed by @key; static memory, until the next one. */
struct bytes record_put(struct object_record *fields,
                        const struct privkey *key);

/** record_take - the fields of a record of the daemon's, as if it was put last;
 * NULL: it is none. */
const struct object_record *record_take(struct bytes encoded);

/**
 * receipt_make - a receipt of @holder for the record that was put last.
 * @n: makes its time and seq differ.
 * @dst: room for RECEIPT_BYTES_MAX bytes.
 */
struct bytes receipt_make(const struct object_record *record,
                          const struct privkey *holder, uint64_t n,
                          uint8_t *dst);

/** storage_message_new - zeroed; the caller frees it with mem_free(). */
struct storage_message *storage_message_new(enum storage_message_type type);

/** storage_begin - a stream, or NULL. */
struct channel *storage_begin(struct link *l);

/**
 * storage_answer - the answer that comes on @c.
 *
 * Return: valid until the next call; NULL when none came or it is none.
 */
const struct storage_message *storage_answer(struct link *l, struct channel *c);

/** storage_ask - @m and its answer, on a stream of its own. */
const struct storage_message *storage_ask(struct link *l,
                                          const struct storage_message *m);

/** storage_refused - whether @m is answered by a refusal for @reason. */
bool storage_refused(struct link *l, const struct storage_message *m,
                     enum storage_reason reason);

/** storage_offer - ask to keep a record; the answer as of storage_ask(). */
const struct storage_message *storage_offer(struct link *l,
                                            struct bytes record);

/** storage_keeper - a session of one that serves this protocol too. */
struct link *storage_keeper(struct run *r);

#endif /* TEST_E2E_ATTACK_STORAGE_H */
