#ifndef TEST_UNIT_KAD_KAD_ONE_H
#define TEST_UNIT_KAD_KAD_ONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kad/kad.h"
#include "kad/message.h"
#include "kad/values.h"

/* one - a single node that is handed messages by a test. */

/* A node that is handed messages, the last output of it, and its time. */
struct one {
    struct kad *kad;
    struct peer_id self;
    struct kad_out out;
    struct mtime now;
};

/* A server; @queries_max 0 is the default. */
void one_make(struct one *o, enum kad_scope scope, uint32_t queries_max);
void one_end(struct one *o);

/* The next output of this kind, in @o->out; those before it are dropped. */
bool one_next(struct one *o, enum kad_out_kind kind);

/* Drops all outputs. */
void one_drain(struct one *o);

/* Identify of peer number @i, connected over @remote or, if that is NULL, over
 * its own address. */
void one_meet(struct one *o, uint64_t i, const struct multiaddr *remote);

/* An answer that names @count peers from number @from on. */
struct buf *one_answer(enum kad_type type, uint64_t from, size_t count);

/* @bytes, which are taken over, come as the answer to @message. */
enum err one_reply(struct one *o, uint64_t message, struct buf *bytes);

/* Peer @i is met and passes its check. */
void one_admit(struct one *o, uint64_t i);

/* How many are in the table. */
size_t one_contacts(const struct one *o);

/* "/ipns/" and a name, and a record of it. */
struct record {
    uint8_t key[VALUE_KEY_MAX];
    size_t key_len;
    uint8_t value[1024];
    size_t len;
};

void make_record(struct record *r, uint64_t sequence);
struct bytes key_of(const struct record *r);
struct bytes value_of(const struct record *r);

/* Name of content number @i. */
struct multihash hash_of(uint64_t i);

#endif /* TEST_UNIT_KAD_KAD_ONE_H */
