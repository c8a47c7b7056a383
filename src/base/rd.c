#include "base/rd.h"

#include <assert.h>
#include <string.h>

enum { UVARINT_BYTES_MAX = 9 };

static const uint8_t empty[1];

struct rd rd_init(struct bytes in)
{
    assert(in.p != NULL || in.len == 0);

    /* NULL + 0 is undefined in C17, so an empty input gets a real address. */
    const uint8_t *p = in.len > 0 ? in.p : empty;
    return (struct rd){.pos = p, .end = p + in.len, .err = OK};
}

size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->pos);
}

void rd_fail(struct rd *r, enum err err)
{
    assert(err != OK);

    if (r->err == OK)
        r->err = err;
    r->pos = r->end;
}

/* The one place that moves the cursor. Returns NULL and fails if short. */
static const uint8_t *take(struct rd *r, uint64_t len)
{
    if (len > rd_left(r)) {
        rd_fail(r, E_SHORT);
        return NULL;
    }

    const uint8_t *p = r->pos;
    r->pos += len;
    return p;
}

uint8_t rd_u8(struct rd *r)
{
    const uint8_t *p = take(r, 1);
    return p != NULL ? p[0] : 0;
}

uint32_t rd_be32(struct rd *r)
{
    const uint8_t *p = take(r, 4);
    if (p == NULL)
        return 0;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           (uint32_t)p[3];
}

uint16_t rd_be16(struct rd *r)
{
    const uint8_t *p = take(r, 2);
    return p != NULL ? (uint16_t)((unsigned)p[0] << 8 | p[1]) : 0;
}

uint64_t rd_be64(struct rd *r)
{
    const uint8_t *p = take(r, 8);
    uint64_t value = 0;

    for (unsigned i = 0; p != NULL && i < 8; i++)
        value = value << 8 | p[i];
    return value;
}

uint64_t rd_le64(struct rd *r)
{
    const uint8_t *p = take(r, 8);
    uint64_t value = 0;

    for (unsigned i = 0; p != NULL && i < 8; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

uint32_t rd_le32(struct rd *r)
{
    const uint8_t *p = take(r, 4);
    uint32_t value = 0;

    for (unsigned i = 0; p != NULL && i < 4; i++)
        value |= (uint32_t)p[i] << (8 * i);
    return value;
}

uint64_t rd_uvarint(struct rd *r)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < UVARINT_BYTES_MAX; i++) {
        uint8_t byte = rd_u8(r);
        if (r->err != OK)
            return 0;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) != 0)
            continue;
        if (byte == 0 && i > 0)
            break; /* a leading zero: not minimal */
        return value;
    }
    rd_fail(r, E_MALFORMED);
    return 0;
}

struct bytes rd_view(struct rd *r, uint64_t len)
{
    const uint8_t *p = take(r, len);
    if (p == NULL)
        return (struct bytes){.p = NULL, .len = 0};
    return (struct bytes){.p = p, .len = (size_t)len};
}

struct bytes rd_rest(struct rd *r)
{
    return rd_view(r, rd_left(r));
}

void rd_copy(struct rd *r, uint8_t *dst, size_t dst_max, uint64_t len)
{
    if (len > dst_max) {
        rd_fail(r, E_LIMIT);
        return;
    }
    const uint8_t *p = take(r, len);
    if (p != NULL && len > 0)
        memcpy(dst, p, (size_t)len);
}

enum err rd_finish(const struct rd *r)
{
    if (r->err != OK)
        return r->err;
    return rd_left(r) > 0 ? E_MALFORMED : OK;
}
