#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/multihash.h"

/*
 * segment - the bytes of a segment file: a header, then records.
 *
 * Everything here works on memory.  Layouts: docs/design/0002, "Format".
 */
enum {
    SEGMENT_VERSION = 1,
    SEGMENT_HEADER_BYTES = 32,
    SEGMENT_NAME_MAX = 32, /* room for a file's name and its NUL */
    SEGMENT_NUMBER_MAX = 999999,
    RECORD_FIXED_BYTES = 20, /* of a record, beside the multihash and bytes */
    RECORD_HEADER_MAX = RECORD_FIXED_BYTES + MULTIHASH_BYTES_MAX,
    RECORD_HEADER_MIN = RECORD_FIXED_BYTES + 2,
    RECORD_DELETION_BYTES = 8, /* what a deletion has for bytes */
    RECORD_PAGE_BYTES = 4096, /* what the bytes of an aligned record begin at */
    RECORD_ALIGN_MIN = 64 * 1024,
};

enum record_flags {
    RECORD_DELETION = 1, /* its bytes name a place whose record is dead */
    RECORD_KEEP = 2,     /* was put with STORE_KEEP */
    RECORD_ALIGNED = 4,  /* its bytes begin at the next page of the file */
};

/** struct store_key - a multihash in binary: what a block is stored under. */
struct store_key {
    uint8_t len;
    uint8_t p[MULTIHASH_BYTES_MAX];
};

/** struct store_place - where a record begins; segment 0: nowhere. */
struct store_place {
    uint32_t segment;
    uint32_t offset;
};

/** struct record - the header of a record. */
struct record {
    struct store_key key;
    uint8_t flags;
    uint32_t length; /* of the bytes behind the header */
    uint32_t crc;    /* crc32c of these */
};

/** store_key_bytes - view of @k, valid while it is. */
static inline struct bytes store_key_bytes(const struct store_key *k)
{
    return (struct bytes){.p = k->p, .len = k->len};
}

/** store_key_of - key of the block with @hash. */
struct store_key store_key_of(const struct multihash *hash);

/** store_key_read - key from bytes of ours; false when it is no multihash. */
bool store_key_read(struct bytes in, struct store_key *ret_key);

/** store_place_eq - whether @a and @b are the same. */
static inline bool store_place_eq(struct store_place a, struct store_place b)
{
    return a.segment == b.segment && a.offset == b.offset;
}

/** store_place_before - whether @a was written before @b. */
static inline bool store_place_before(struct store_place a,
                                      struct store_place b)
{
    return a.segment != b.segment ? a.segment < b.segment : a.offset < b.offset;
}

/** record_header_bytes - length of a header whose multihash has @key_len. */
static inline uint32_t record_header_bytes(size_t key_len)
{
    return RECORD_FIXED_BYTES + (uint32_t)key_len;
}

/** record_bytes - length of the whole record, without what aligns it. */
static inline uint32_t record_bytes(size_t key_len, uint32_t length)
{
    return record_header_bytes(key_len) + length;
}

/**
 * record_data_at - where the bytes of a record begin.
 * @at: where the record does, at most 2^31.
 * @flags: of the record.
 *
 * Large ones are aligned when they are written, so that a device can take them
 * from the memory where they lie.
 */
static inline uint32_t record_data_at(uint32_t at, size_t key_len,
                                      uint8_t flags)
{
    uint32_t end = at + record_header_bytes(key_len);
    uint32_t page = RECORD_PAGE_BYTES;

    return (flags & RECORD_ALIGNED) == 0 ? end : (end + page - 1) / page * page;
}

/** record_end - where the record ends that begins @at. */
static inline uint32_t record_end(uint32_t at, const struct record *r)
{
    return record_data_at(at, r->key.len, r->flags) + r->length;
}

/** segment_name - file name of segment @number, 1 to SEGMENT_NUMBER_MAX. */
void segment_name(uint32_t number, char dst[static SEGMENT_NAME_MAX]);

/** segment_name_parse - number of the segment file called @name; 0: it is
 * none. */
uint32_t segment_name_parse(const char *name);

/** segment_header_encode - first bytes of segment @number. */
void segment_header_encode(uint32_t number,
                           uint8_t dst[static SEGMENT_HEADER_BYTES]);

/**
 * segment_header_check - whether @in begins segment @number.
 *
 * Return: OK; E_SHORT; E_MALFORMED; E_UNSUPPORTED for a newer format;
 * E_MISMATCH for another number.
 */
MUST_USE enum err segment_header_check(struct bytes in, uint32_t number);

/**
 * record_encode - header of @r as it stands at @place.
 * @dst: room for RECORD_HEADER_MAX.
 *
 * Return: bytes written.
 */
size_t record_encode(const struct record *r, struct store_place place,
                     uint8_t dst[static RECORD_HEADER_MAX]);

/**
 * record_decode - header at the start of @in, which lies at @place.
 *
 * The place is part of the checksum, so that a record that was copied as the
 * bytes of a block is none.
 *
 * Return: OK; E_SHORT when @in ends first; E_MALFORMED; E_LIMIT for a length
 * that no block has.
 */
MUST_USE enum err record_decode(struct bytes in, struct store_place place,
                                struct record *ret_record);

/** deletion_encode - the bytes of a deletion of the record at @target. */
void deletion_encode(struct store_place target,
                     uint8_t dst[static RECORD_DELETION_BYTES]);

/** deletion_decode - what the bytes of a deletion name; E_MALFORMED. */
MUST_USE enum err deletion_decode(struct bytes in,
                                  struct store_place *ret_target);

#endif /* STORE_SEGMENT_H */
