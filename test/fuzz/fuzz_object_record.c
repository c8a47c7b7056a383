/*
 * Goal: a record that is read is written to the same bytes, opening is never
 * kinder than reading, and what was opened can be asked everything.
 * Input: a record.
 */
#include <stdlib.h>
#include <string.h>

#include "base/wr.h"
#include "storage/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];
    struct wr w = wr_init(buf, sizeof(buf));
    struct object_record record;
    struct checked_object object;
    struct bytes out;
    enum err err = object_record_decode(in, &record);
    enum err open_err = object_open(in, &object);

    if (err != OK) {
        must(err_is_peer_fault(err));
        must(open_err == err);
        return 0;
    }
    object_record_encode(&w, &record);
    must(wr_finish(&w, &out) == OK);
    must(bytes_eq(out, in));
    must(open_err == OK || open_err == E_MISMATCH);
    if (open_err != OK)
        return 0;
    must(!object_supersedes(&object, &object));
    must(object_check(&object, "another", record.seq) == OBJECT_OTHER_NETWORK ||
         strcmp(record.network, "another") == 0);
    must(object_check(&object, record.network, 1000 * record.expires_s) ==
         OBJECT_EXPIRED);
    return 0;
}
