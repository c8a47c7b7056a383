#ifndef MULTIFORMATS_PB_H
#define MULTIFORMATS_PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"

struct wr;

/*
 * pb - the protobuf wire format: fields by number, over rd and wr.
 *
 * Its varints have up to 10 bytes, need not be minimal and hold 64 bits; they
 * are not the varints of multiformats.  A parser loops over pb_next(), switches
 * on the number, skips what it does not know, and ends with rd_finish().
 *
 * Spec: protobuf.dev, "Encoding".
 */

enum pb_wire {
    PB_VARINT = 0,
    PB_FIXED64 = 1,
    PB_BYTES = 2,
    PB_FIXED32 = 5,
};

enum {
    PB_NUMBER_MAX = (1 << 29) - 1,
    PB_VARINT_LEN_MAX = 10,
};

/** struct pb_field - one field: its number and its value. */
struct pb_field {
    uint32_t number; /* 1 to PB_NUMBER_MAX */
    enum pb_wire wire;
    uint64_t value;     /* of PB_VARINT, PB_FIXED64, PB_FIXED32; else 0 */
    struct bytes bytes; /* of PB_BYTES; view into the input; else empty */
};

/**
 * pb_next - read the next field of @r.
 * @ret_field: written when true is returned.
 *
 * Return: false at the end and after a failure, which @r remembers: E_SHORT;
 * E_MALFORMED for a number out of range or a varint over 64 bits;
 * E_UNSUPPORTED for groups.
 */
bool pb_next(struct rd *r, struct pb_field *ret_field);

/** pb_varint - next protobuf varint. Fails with E_SHORT, E_MALFORMED. */
uint64_t pb_varint(struct rd *r);

/**
 * pb_get_uint - value of a varint field.
 *
 * Fails @r with E_MALFORMED when @field has another wire type, E_LIMIT when it
 * is over @max; the result is then 0.
 */
uint64_t pb_get_uint(struct rd *r, const struct pb_field *field, uint64_t max);

/**
 * pb_get_bytes - contents of a field of bytes, text or a message.
 *
 * Fails @r with E_MALFORMED when @field has another wire type, E_LIMIT when
 * there are more than @max bytes; the result is then empty.
 */
struct bytes pb_get_bytes(struct rd *r, const struct pb_field *field,
                          size_t max);

/** pb_put_varint - a varint without a field around it, minimal. */
void pb_put_varint(struct wr *w, uint64_t value);

/** pb_put_uint - field @number with an unsigned value, zero included. */
void pb_put_uint(struct wr *w, uint32_t number, uint64_t value);

/** pb_put_bytes - field @number with the bytes @in, also when empty. */
void pb_put_bytes(struct wr *w, uint32_t number, struct bytes in);

/**
 * pb_put_head - tag and length of field @number whose @len bytes follow.
 *
 * For a message inside a message: the caller knows @len and writes it next.
 */
void pb_put_head(struct wr *w, uint32_t number, size_t len);

/** pb_varint_len - bytes that pb_put_varint() writes, 1 to 10. */
size_t pb_varint_len(uint64_t value);

/** pb_uint_len - bytes that pb_put_uint() writes. */
size_t pb_uint_len(uint32_t number, uint64_t value);

/** pb_bytes_len - bytes that pb_put_bytes() writes for @len bytes. */
size_t pb_bytes_len(uint32_t number, size_t len);

#endif /* MULTIFORMATS_PB_H */
