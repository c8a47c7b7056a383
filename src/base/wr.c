#include "base/wr.h"

#include <assert.h>
#include <string.h>

struct wr wr_init(uint8_t *dst, size_t max)
{
    assert(dst != NULL);
    return (struct wr){.start = dst, .pos = dst, .end = dst + max, .err = OK};
}

size_t wr_len(const struct wr *w)
{
    return (size_t)(w->pos - w->start);
}

/* The one place that moves the cursor. Returns NULL and fails if full. */
static uint8_t *take(struct wr *w, size_t len)
{
    if (w->err != OK || len > (size_t)(w->end - w->pos)) {
        w->err = E_LIMIT;
        return NULL;
    }
    uint8_t *p = w->pos;
    w->pos += len;
    return p;
}

static void put_be(struct wr *w, uint64_t value, unsigned count)
{
    uint8_t *p = take(w, count);
    for (unsigned i = 0; p != NULL && i < count; i++)
        p[i] = (uint8_t)(value >> (8 * (count - 1 - i)));
}

static void put_le(struct wr *w, uint64_t value, unsigned count)
{
    uint8_t *p = take(w, count);
    for (unsigned i = 0; p != NULL && i < count; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

void wr_u8(struct wr *w, uint8_t value)
{
    put_be(w, value, 1);
}

void wr_be16(struct wr *w, uint16_t value)
{
    put_be(w, value, 2);
}

void wr_be32(struct wr *w, uint32_t value)
{
    put_be(w, value, 4);
}

void wr_be64(struct wr *w, uint64_t value)
{
    put_be(w, value, 8);
}

void wr_le32(struct wr *w, uint32_t value)
{
    put_le(w, value, 4);
}

void wr_le64(struct wr *w, uint64_t value)
{
    put_le(w, value, 8);
}

size_t uvarint_len(uint64_t value)
{
    size_t len = 1;

    while (value >= 0x80) {
        value >>= 7;
        len++;
    }
    return len;
}

void wr_uvarint(struct wr *w, uint64_t value)
{
    assert(value >> 63 == 0);

    size_t len = uvarint_len(value);
    uint8_t *p = take(w, len);
    if (p == NULL)
        return;
    for (size_t i = 0; i + 1 < len; i++) {
        p[i] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    p[len - 1] = (uint8_t)value;
}

void wr_bytes(struct wr *w, struct bytes in)
{
    uint8_t *p = take(w, in.len);
    if (p != NULL && in.len > 0)
        memcpy(p, in.p, in.len);
}

enum err wr_finish(const struct wr *w, struct bytes *ret_out)
{
    if (w->err != OK)
        return w->err;
    *ret_out = (struct bytes){.p = w->start, .len = wr_len(w)};
    return OK;
}
