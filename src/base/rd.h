#ifndef BASE_RD_H
#define BASE_RD_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

/*
 * rd - bounded reader over bytes that we do not trust.
 *
 * The first failure sticks: from then on every read returns zero or an empty
 * view and consumes nothing.  A parser therefore reads all its fields in a
 * straight line and asks once, at the end, through rd_finish().  Until then no
 * value that came out may leave the parser, size an allocation or bound a loop
 * without the test written next to it.
 *
 * Nothing here allocates.  Views point into the buffer given to rd_init() and
 * live as long as it does.
 */
struct rd {
    const uint8_t *pos;
    const uint8_t *end;
    enum err err; /* OK until the first failure, then its cause */
};

/** rd_init - reader at the first byte of @in, which it borrows. */
struct rd rd_init(struct bytes in);

/** rd_left - bytes not yet read; 0 after a failure. */
size_t rd_left(const struct rd *r);

/** rd_fail - record @err unless an earlier failure is recorded already. */
void rd_fail(struct rd *r, enum err err);

/** rd_u8 - next byte. Fails with E_SHORT. */
uint8_t rd_u8(struct rd *r);

/** rd_be16 - next 2 bytes, most significant first. Fails with E_SHORT. */
uint16_t rd_be16(struct rd *r);

/** rd_be64 - next 8 bytes, most significant first. Fails with E_SHORT. */
uint64_t rd_be64(struct rd *r);

/** rd_le32 - next 4 bytes, least significant first. Fails with E_SHORT. */
uint32_t rd_le32(struct rd *r);

/** rd_le64 - next 8 bytes, least significant first. Fails with E_SHORT. */
uint64_t rd_le64(struct rd *r);

/** rd_rest - view of all bytes not yet read, which are thereby read. */
struct bytes rd_rest(struct rd *r);

/** rd_be32 - next 4 bytes, most significant first. Fails with E_SHORT. */
uint32_t rd_be32(struct rd *r);

/**
 * rd_uvarint - next multiformats unsigned varint, below 2^63.
 *
 * Fails with E_SHORT, or with E_MALFORMED when the number has more than
 * 9 bytes or is not minimally encoded.
 *
 * Spec: multiformats/unsigned-varint README.md, "Practical maximum of 9 bytes":
 *   "Implementations MUST restrict the size of the varint to a max of 9 bytes
 *   (63 bits)."
 */
uint64_t rd_uvarint(struct rd *r);

/**
 * rd_view - view of the next @len bytes.
 * @len: number of bytes, as the input claims; any value is safe to pass.
 *
 * Fails with E_SHORT; the view is then empty.
 */
struct bytes rd_view(struct rd *r, uint64_t len);

/**
 * rd_copy - copy the next @len bytes to @dst.
 * @dst: room for @dst_max bytes.
 *
 * Fails with E_LIMIT when @len > @dst_max and with E_SHORT when the input is
 * shorter; @dst is untouched then.
 */
void rd_copy(struct rd *r, uint8_t *dst, size_t dst_max, uint64_t len);

/**
 * rd_finish - result of the whole parse.
 *
 * Return: the first failure; E_MALFORMED if bytes are left over; else OK.
 */
MUST_USE enum err rd_finish(const struct rd *r);

#endif /* BASE_RD_H */
