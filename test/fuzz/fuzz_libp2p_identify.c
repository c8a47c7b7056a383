/*
 * Goal: no identify breaks the reader, and what it read it reads again the
 * same after we wrote it.
 * Input: a byte (size of pieces), then what came on the stream.
 */
#include <assert.h>

#include "base/mem.h"
#include "base/wr.h"
#include "libp2p/identify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void expect_same(const struct identify *a, const struct identify *b)
{
    assert(bytes_eq(a->public_key, b->public_key));
    assert(bytes_eq(a->observed, b->observed));
    assert(bytes_eq(a->protocol_version, b->protocol_version));
    assert(bytes_eq(a->agent, b->agent));
    assert(bytes_eq(a->record, b->record));
    assert(a->protocols_count == b->protocols_count);
    for (size_t i = 0; i < a->protocols_count; i++)
        assert(bytes_eq(a->protocols[i], b->protocols[i]));
    assert(a->addrs_count <= b->addrs_count + 1); /* an empty one is lost */
}

/* The messages that @in, in pieces, brings; false: it was refused. */
static bool collect(struct identify_reader *r, struct bytes in, size_t piece)
{
    while (in.len > 0) {
        size_t len = in.len < piece ? in.len : piece;
        if (identify_reader_add(r, bytes_sub(in, 0, len)) != OK)
            return false;
        in = bytes_sub(in, len, in.len - len);
    }
    return true;
}

static void write_and_read(const struct identify *m)
{
    size_t room = (size_t)2 * IDENTIFY_BYTES_MAX;
    uint8_t *dst = mem_alloc(room);
    struct wr w = wr_init(dst, room);
    struct bytes out;
    struct bytes all;
    struct identify_reader r = {.len = 0};
    struct identify *back = mem_alloc(sizeof(*back));

    identify_encode(m, &w);
    enum err err = wr_finish(&w, &out);
    assert(err == OK);
    /* Two long messages of a peer may be one that is too long. */
    if (collect(&r, out, out.len + 1)) {
        err = identify_reader_end(&r, &all);
        assert(err == OK);
        err = identify_decode(all, back);
        assert(err == OK);
        expect_same(m, back);
    }
    identify_reader_release(&r);
    mem_free(back);
    mem_free(dst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct identify_reader r = {.len = 0};
    struct bytes all;

    if (len == 0)
        return 0;
    struct bytes in = {.p = data + 1, .len = len - 1};
    struct identify *m = mem_alloc(sizeof(*m));
    if (collect(&r, in, 1 + (size_t)data[0]) &&
        identify_reader_end(&r, &all) == OK && identify_decode(all, m) == OK)
        write_and_read(m);
    identify_reader_release(&r);
    mem_free(m);
    return 0;
}
