#include "multiformats/pb.h"

#include <assert.h>

#include "base/wr.h"

enum {
    WIRE_GROUP_START = 3,
    WIRE_GROUP_END = 4,
    TAG_WIRE_BITS = 3,
    TAG_WIRE_MASK = 7,
};

uint64_t pb_varint(struct rd *r)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < PB_VARINT_LEN_MAX; i++) {
        uint8_t byte = rd_u8(r);
        /* The tenth byte has room for the 64th bit only. */
        if (i == PB_VARINT_LEN_MAX - 1 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80)
            return r->err == OK ? value : 0;
    }
    rd_fail(r, E_MALFORMED);
    return 0;
}

static void read_value(struct rd *r, unsigned wire, struct pb_field *field)
{
    switch (wire) {
    case PB_VARINT:
        field->wire = PB_VARINT;
        field->value = pb_varint(r);
        break;
    case PB_FIXED64:
        field->wire = PB_FIXED64;
        field->value = rd_le64(r);
        break;
    case PB_BYTES:
        field->wire = PB_BYTES;
        field->bytes = rd_view(r, pb_varint(r));
        break;
    case PB_FIXED32:
        field->wire = PB_FIXED32;
        field->value = rd_le32(r);
        break;
    case WIRE_GROUP_START:
    case WIRE_GROUP_END:
        rd_fail(r, E_UNSUPPORTED);
        break;
    default:
        rd_fail(r, E_MALFORMED);
        break;
    }
}

bool pb_next(struct rd *r, struct pb_field *ret_field)
{
    if (rd_left(r) == 0)
        return false;
    uint64_t tag = pb_varint(r);
    uint64_t number = tag >> TAG_WIRE_BITS;
    if (number == 0 || number > PB_NUMBER_MAX)
        rd_fail(r, E_MALFORMED);
    if (r->err != OK)
        return false;

    struct pb_field field = {.number = (uint32_t)number};
    read_value(r, (unsigned)(tag & TAG_WIRE_MASK), &field);
    if (r->err != OK)
        return false;
    *ret_field = field;
    return true;
}

uint64_t pb_get_uint(struct rd *r, const struct pb_field *field, uint64_t max)
{
    if (field->wire != PB_VARINT)
        rd_fail(r, E_MALFORMED);
    else if (field->value > max)
        rd_fail(r, E_LIMIT);
    return r->err == OK ? field->value : 0;
}

struct bytes pb_get_bytes(struct rd *r, const struct pb_field *field,
                          size_t max)
{
    if (field->wire != PB_BYTES)
        rd_fail(r, E_MALFORMED);
    else if (field->bytes.len > max)
        rd_fail(r, E_LIMIT);
    return r->err == OK ? field->bytes : BYTES_EMPTY;
}

void pb_put_varint(struct wr *w, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        wr_u8(w, (uint8_t)(value | 0x80));
    wr_u8(w, (uint8_t)value);
}

static uint64_t make_tag(uint32_t number, enum pb_wire wire)
{
    assert(number >= 1);
    assert(number <= PB_NUMBER_MAX);
    return (uint64_t)number << TAG_WIRE_BITS | wire;
}

void pb_put_uint(struct wr *w, uint32_t number, uint64_t value)
{
    pb_put_varint(w, make_tag(number, PB_VARINT));
    pb_put_varint(w, value);
}

void pb_put_head(struct wr *w, uint32_t number, size_t len)
{
    pb_put_varint(w, make_tag(number, PB_BYTES));
    pb_put_varint(w, len);
}

void pb_put_bytes(struct wr *w, uint32_t number, struct bytes in)
{
    pb_put_head(w, number, in.len);
    wr_bytes(w, in);
}

size_t pb_varint_len(uint64_t value)
{
    size_t len = 1;
    for (; value >= 0x80; value >>= 7)
        len++;
    return len;
}

size_t pb_uint_len(uint32_t number, uint64_t value)
{
    return pb_varint_len(make_tag(number, PB_VARINT)) + pb_varint_len(value);
}

size_t pb_bytes_len(uint32_t number, size_t len)
{
    return pb_varint_len(make_tag(number, PB_BYTES)) + pb_varint_len(len) + len;
}
