/*
 * Goal: no bytes harm the protobuf reader; what it accepted and we write again
 * is read as the same fields.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wr.h"
#include "multiformats/pb.h"

enum { INPUT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Writes every field that we have a writer for; false if the input is bad. */
static bool copy_fields(struct bytes in, struct wr *w)
{
    struct rd r = rd_init(in);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.wire == PB_VARINT)
            pb_put_uint(w, f.number, f.value);
        if (f.wire == PB_BYTES)
            pb_put_bytes(w, f.number, f.bytes);
    }
    return rd_finish(&r) == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > INPUT_MAX)
        return 0;
    uint8_t once[INPUT_MAX];
    uint8_t twice[INPUT_MAX];
    /* Minimal numbers are never longer than those that came. */
    struct wr w1 = wr_init(once, sizeof(once));
    if (!copy_fields((struct bytes){data, len}, &w1))
        return 0;
    assert(w1.err == OK);
    assert(wr_len(&w1) <= len);
    struct wr w2 = wr_init(twice, sizeof(twice));
    bool good = copy_fields((struct bytes){once, wr_len(&w1)}, &w2);
    assert(good);
    assert(bytes_eq((struct bytes){once, wr_len(&w1)},
                    (struct bytes){twice, wr_len(&w2)}));
    return 0;
}
