/*
 * A CAR file in pieces gives the same as at once: the first byte says how long
 * the pieces are.  Sections stay within their limits, and a file that was read
 * to its end can be written and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "ipld/car.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct summary {
    enum err err;
    enum car_fault fault;
    uint64_t fault_offset;
    size_t headers;
    size_t sections;
    uint64_t bytes;
};

static void take_outs(struct car_reader *r, struct summary *s)
{
    struct car_out out;

    while (car_reader_next(r, &out)) {
        if (out.kind == CAR_HEADER) {
            s->headers++;
            continue;
        }
        must(s->headers == 1);
        must(out.data.bytes.len <= BLOCK_BYTES_MAX);
        s->sections++;
        s->bytes = s->bytes * 31 + out.data.bytes.len + out.cid.codec;
        slice_release(&out.data);
    }
}

static struct summary read_all(struct bytes in, size_t piece)
{
    struct summary s = {.err = OK};
    struct car_reader r;
    size_t at = 0;

    car_reader_init(&r);
    while (at < in.len && s.err == OK) {
        size_t len = in.len - at < piece ? in.len - at : piece;
        size_t used = 0;
        s.err = car_reader_on_bytes(&r, bytes_sub(in, at, len), &used);
        at += used;
        take_outs(&r, &s);
    }
    if (s.err == OK)
        s.err = car_reader_on_end(&r);
    s.fault = r.fault;
    s.fault_offset = r.fault_offset;
    must((s.err == OK) == (s.fault == CAR_FAULT_NONE));
    must(s.fault_offset <= in.len);
    car_reader_release(&r);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct bytes in = {data + 1, len - 1};
    struct summary once = read_all(in, in.len + 1);
    struct summary parts = read_all(in, data[0] % 64 + 1U);

    must(once.err == parts.err);
    must(once.fault == parts.fault);
    must(once.fault_offset == parts.fault_offset);
    must(once.sections == parts.sections);
    must(once.bytes == parts.bytes);
    return 0;
}
