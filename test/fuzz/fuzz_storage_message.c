/*
 * Goal: a message that is read keeps to all limits, and written and read again
 * it is the same; all but unknown words are written to the same bytes.
 * Input: a message without its length.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "storage/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Too big for a stack. */
struct fuzz {
    struct storage_message first;
    struct storage_message second;
    uint8_t first_out[STORAGE_MESSAGE_BYTES_MAX];
    uint8_t second_out[STORAGE_MESSAGE_BYTES_MAX];
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct bytes encode(const struct storage_message *m, uint8_t *dst)
{
    struct wr w = wr_init(dst, STORAGE_MESSAGE_BYTES_MAX);
    struct bytes out;

    storage_message_encode(&w, m);
    must(wr_finish(&w, &out) == OK);
    return out;
}

static void check_limits(const struct storage_message *m)
{
    must(m->receipts_count <= STORAGE_RECEIPTS_BATCH_MAX);
    must(m->items_count <= STORAGE_AUDIT_ITEMS_MAX);
    must(m->digests_count <= STORAGE_AUDIT_ITEMS_MAX);
    must(m->cids_count <= STORAGE_FETCHBACK_CIDS_MAX);
    must(m->records_count <= STORAGE_RECORDS_MAX);
    must(m->cursor.len <= STORAGE_CURSOR_MAX);
    must(m->record.len <= OBJECT_RECORD_BYTES_MAX);
    for (size_t i = 0; i < m->receipts_count; i++)
        must(m->receipts[i].len > 0 && m->receipts[i].len <= RECEIPT_BYTES_MAX);
    for (size_t i = 0; i < m->records_count; i++)
        must(m->records[i].len > 0 &&
             m->records[i].len <= OBJECT_RECORD_BYTES_MAX);
}

static void check_again(struct fuzz *f, struct bytes in)
{
    const struct storage_message *m = &f->first;

    check_limits(m);
    struct bytes out = encode(m, f->first_out);
    /* A reason that we do not know is written as "other". */
    must(bytes_eq(out, in) || m->reason == STORAGE_REASON_OTHER);
    must(storage_message_decode(out, &f->second) == OK);
    must(f->second.type == m->type);
    must(bytes_eq(encode(&f->second, f->second_out), out));
    /* Whom it was signed for is not known: no peer at all. */
    if (m->type == STORAGE_MINE)
        must(storage_mine_check(m, &m->holder, &m->holder, m->at_s) ==
             E_MISMATCH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    struct fuzz *f = mem_zalloc(1, sizeof(*f));
    enum err err = storage_message_decode(in, &f->first);

    if (err != OK)
        must(err_is_peer_fault(err));
    else if (f->first.type != STORAGE_UNKNOWN)
        check_again(f, in);
    mem_free(f);
    return 0;
}
