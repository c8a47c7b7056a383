#ifndef MULTIFORMATS_MULTIBASE_H
#define MULTIFORMATS_MULTIBASE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

/* Bases by their prefix letter. */
enum multibase {
    MULTIBASE_16 = 'f',
    MULTIBASE_16_UPPER = 'F',
    MULTIBASE_32 = 'b',
    MULTIBASE_32_UPPER = 'B',
    MULTIBASE_32_HEX = 'v',
    MULTIBASE_32_HEX_UPPER = 'V',
    MULTIBASE_32_PAD = 'c',
    MULTIBASE_32_PAD_UPPER = 'C',
    MULTIBASE_32_HEX_PAD = 't',
    MULTIBASE_32_HEX_PAD_UPPER = 'T',
    MULTIBASE_32_Z = 'h',
    MULTIBASE_36 = 'k',
    MULTIBASE_36_UPPER = 'K',
    MULTIBASE_58_BTC = 'z',
    MULTIBASE_64 = 'm',
    MULTIBASE_64_PAD = 'M',
    MULTIBASE_64_URL = 'u',
    MULTIBASE_64_URL_PAD = 'U',
};

enum {
    /* Bases 36 and 58 take time in the square of the length: bytes, digits. */
    MULTIBASE_BIG_BYTES_MAX = 1024,
    MULTIBASE_BIG_TEXT_MAX = 1600,
};

/**
 * multibase_text_max - room that @len bytes need as text in any base.
 *
 * Prefix and NUL are counted; @len is at most SIZE_MAX / 4.
 */
size_t multibase_text_max(size_t len);

/**
 * multibase_bytes_max - room that @len characters need as bytes, any base.
 */
size_t multibase_bytes_max(size_t len);

/**
 * multibase_encode - text of @in, prefix letter first.
 * @dst: room for @dst_max bytes; gets a NUL at the end.
 * @ret_len: length of the text without NUL.
 *
 * Return: OK; E_LIMIT when @dst is too small, or when @in is over
 * MULTIBASE_BIG_BYTES_MAX and the base is 36 or 58.
 *
 * Spec: multiformats/multibase README.md.
 */
MUST_USE enum err multibase_encode(enum multibase base, struct bytes in,
                                   char *dst, size_t dst_max, size_t *ret_len);

/**
 * multibase_decode - bytes of @text, which begins with its prefix letter.
 * @dst: room for @dst_max bytes; overwritten in part even on failure.
 * @ret_len: bytes written.
 *
 * Bases whose two cases share an alphabet are read in either case.
 *
 * Return: OK; E_SHORT for empty text; E_UNSUPPORTED for an unknown prefix;
 * E_MALFORMED for a character, a length or padding that the base forbids, or
 * bits left over that are not zero; E_LIMIT when the bytes are over @dst_max,
 * or the text is over MULTIBASE_BIG_TEXT_MAX in bases 36 and 58.
 */
MUST_USE enum err multibase_decode(struct bytes text, uint8_t *dst,
                                   size_t dst_max, size_t *ret_len);

/** multibase_encode_bare - as multibase_encode(), without a prefix letter. */
MUST_USE enum err multibase_encode_bare(enum multibase base, struct bytes in,
                                        char *dst, size_t dst_max,
                                        size_t *ret_len);

/**
 * multibase_decode_bare - as multibase_decode(), without a prefix letter.
 *
 * Empty text gives no bytes.
 */
MUST_USE enum err multibase_decode_bare(enum multibase base, struct bytes text,
                                        uint8_t *dst, size_t dst_max,
                                        size_t *ret_len);

#endif /* MULTIFORMATS_MULTIBASE_H */
