#include "base/buf.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

struct buf *buf_new(size_t max)
{
    struct buf *b = mem_alloc(sizeof(*b) + max);

    *b = (struct buf){.refs = 1, .max = max, .data = (uint8_t *)(b + 1)};
    return b;
}

struct buf *buf_new_aligned(size_t max, size_t at)
{
    assert(at <= max);
    struct buf *b = buf_new(BUF_ALIGN_BYTES + max);
    size_t past = (uintptr_t)(b->data + at) % BUF_ALIGN_BYTES;

    b->data += past > 0 ? BUF_ALIGN_BYTES - past : 0;
    b->max = max;
    return b;
}

struct buf *buf_copy(struct bytes in)
{
    struct buf *b = buf_new(in.len);

    if (in.len > 0)
        memcpy(b->data, in.p, in.len);
    b->len = in.len;
    return b;
}

struct buf *buf_ref(struct buf *b)
{
    assert(b->refs > 0);
    b->refs++;
    return b;
}

void buf_unref(struct buf *b)
{
    if (b == NULL)
        return;
    assert(b->refs > 0);
    if (--b->refs == 0)
        mem_free(b);
}

struct slice slice_of(struct buf *b, struct bytes bytes)
{
    assert(bytes.len == 0 ||
           (bytes.p >= b->data && bytes.p + bytes.len <= b->data + b->max));
    return (struct slice){.buf = buf_ref(b), .bytes = bytes};
}

struct slice slice_ref(const struct slice *s)
{
    if (s->buf != NULL)
        buf_ref(s->buf);
    return *s;
}

void slice_release(struct slice *s)
{
    buf_unref(s->buf);
    *s = (struct slice){.buf = NULL, .bytes = BYTES_EMPTY};
}
