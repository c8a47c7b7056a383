#ifndef BASE_WR_H
#define BASE_WR_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

/*
 * wr - bounded writer into memory of the caller, the mirror of rd.
 *
 * The first write that does not fit sticks: nothing is written from then on,
 * and wr_finish() says E_LIMIT.  Nothing here allocates.
 */
struct wr {
    uint8_t *start;
    uint8_t *pos;
    uint8_t *end;
    enum err err; /* OK until the first failure */
};

enum { UVARINT_LEN_MAX = 9 };

/** wr_init - writer at @dst, which has room for @max bytes. */
struct wr wr_init(uint8_t *dst, size_t max);

/** wr_len - bytes written so far. */
size_t wr_len(const struct wr *w);

/** wr_u8 - one byte. */
void wr_u8(struct wr *w, uint8_t value);

/** wr_be16 - 2 bytes, most significant first. */
void wr_be16(struct wr *w, uint16_t value);

/** wr_be32 - 4 bytes, most significant first. */
void wr_be32(struct wr *w, uint32_t value);

/** wr_be64 - 8 bytes, most significant first. */
void wr_be64(struct wr *w, uint64_t value);

/** wr_le32 - 4 bytes, least significant first. */
void wr_le32(struct wr *w, uint32_t value);

/** wr_le64 - 8 bytes, least significant first. */
void wr_le64(struct wr *w, uint64_t value);

/** wr_uvarint - multiformats unsigned varint of @value, below 2^63. */
void wr_uvarint(struct wr *w, uint64_t value);

/** wr_bytes - the bytes of @in. */
void wr_bytes(struct wr *w, struct bytes in);

/**
 * wr_finish - result of all writes.
 * @ret_out: view of what was written, valid while the memory is; on OK only.
 *
 * Return: OK; E_LIMIT when something did not fit.
 */
MUST_USE enum err wr_finish(const struct wr *w, struct bytes *ret_out);

/** uvarint_len - bytes that wr_uvarint() writes for @value, 1 to 9. */
size_t uvarint_len(uint64_t value);

#endif /* BASE_WR_H */
