#ifndef IPLD_CAR_H
#define IPLD_CAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "ipld/block.h"
#include "multiformats/cid.h"

/*
 * car - CAR files: a header with roots, then blocks, each with its CID.
 *
 * The reader is a core: bytes go in as they come, in pieces of any size;
 * header and sections come out.  It reads version 1, and version 2 by passing
 * over all but the version 1 file within.  It does not hash: whether a section
 * holds the block that its CID names is block_check()'s question.
 *
 * Spec: ipld/ipld specs/transport/car/carv1, carv2.
 */

enum {
    CAR_ROOTS_MAX = 64,
    CAR_HEADER_BYTES_MAX = 32 * 1024,
    CAR_SECTION_BYTES_MAX = BLOCK_BYTES_MAX + CID_BYTES_MAX,
    CAR_SECTION_HEAD_MAX = 9 + CID_BYTES_MAX,
    CAR_V2_PRAGMA_BYTES = 11,
    CAR_V2_HEADER_BYTES = 40,
};

/** enum car_fault - what is wrong with a file; see car_fault_text(). */
enum car_fault {
    CAR_FAULT_NONE,
    CAR_FAULT_EMPTY,         /* no bytes at all */
    CAR_FAULT_TRUNCATED,     /* ends within a header or section */
    CAR_FAULT_LENGTH,        /* a length that is no varint */
    CAR_FAULT_HEADER_LARGE,  /* over CAR_HEADER_BYTES_MAX */
    CAR_FAULT_HEADER,        /* no dag-cbor map with roots and version */
    CAR_FAULT_VERSION,       /* neither 1 nor 2, or 2 within 2 */
    CAR_FAULT_ROOTS,         /* over CAR_ROOTS_MAX */
    CAR_FAULT_V2_HEADER,     /* offsets that cannot be */
    CAR_FAULT_V2_PAYLOAD,    /* a section goes past the payload's end */
    CAR_FAULT_SECTION_EMPTY, /* length zero: padding, or garbage at the end */
    CAR_FAULT_SECTION_LARGE, /* over CAR_SECTION_BYTES_MAX */
    CAR_FAULT_CID,           /* a section does not begin with a CID */
};

/** car_fault_text - constant text of @fault for a message to the user. */
const char *car_fault_text(enum car_fault fault);

enum car_out_kind {
    CAR_HEADER,  /* the roots are known, see car_reader_roots() */
    CAR_SECTION, /* cid and data */
};

/** struct car_out - what the reader found. */
struct car_out {
    enum car_out_kind kind;
    struct cid cid;    /* of a section */
    struct slice data; /* of a section; the reference passes to the taker */
    uint64_t offset;   /* where the section begins, bytes from the start */
};

/** struct car_reader - reader of one file; fields are private but the last. */
struct car_reader {
    enum {
        CAR_AT_LENGTH,
        CAR_IN_HEADER,
        CAR_IN_V2_HEADER,
        CAR_IN_SKIP,
        CAR_IN_CID,
        CAR_IN_DATA,
        CAR_AT_END,
        CAR_FAILED,
    } state;
    bool has_header;
    bool has_out;
    bool is_v2;
    uint8_t length[10]; /* bytes of a length that is not complete */
    size_t length_len;
    struct buf *part;      /* header, CID or data that is being filled */
    size_t part_want;      /* bytes that @part gets */
    uint64_t section_left; /* bytes of the section after @part */
    uint64_t skip;         /* bytes to pass over */
    uint64_t begin;        /* where header or section begins */
    uint64_t offset;       /* bytes consumed */
    uint64_t end;          /* where the payload ends; UINT64_MAX: at the end */
    struct cid *roots;
    size_t roots_count;
    struct car_out out;
    enum err err;
    enum car_fault fault;  /* read-only: why on_bytes or on_end failed */
    uint64_t fault_offset; /* read-only: where */
};

/** car_reader_init - reader at the first byte of a file. */
void car_reader_init(struct car_reader *r);

/** car_reader_release - free what @r holds, at any time. */
void car_reader_release(struct car_reader *r);

/**
 * car_reader_on_bytes - the next bytes of the file.
 * @in: untrusted; borrowed for this call.
 * @ret_used: how many were taken: less than all only when there is an output
 *   to take first; the rest is to be given again.
 *
 * Return: OK; E_MALFORMED, E_LIMIT or E_UNSUPPORTED, see @r->fault; the same
 * again from then on.
 */
MUST_USE enum err car_reader_on_bytes(struct car_reader *r, struct bytes in,
                                      size_t *ret_used);

/**
 * car_reader_on_end - the file has ended.
 *
 * Return: OK when it is complete; E_SHORT and @r->fault otherwise; the failure
 * of car_reader_on_bytes() if there was one.
 */
MUST_USE enum err car_reader_on_end(struct car_reader *r);

/** car_reader_next - take the output; false when there is none. */
bool car_reader_next(struct car_reader *r, struct car_out *ret_out);

/**
 * car_reader_roots - the roots that the header names; valid while @r is.
 *
 * Return: the first of @ret_count; NULL when there are none.
 */
const struct cid *car_reader_roots(const struct car_reader *r,
                                   size_t *ret_count);

/**
 * car_make_header - the first bytes of a version 1 file.
 * @roots: at most CAR_ROOTS_MAX (asserted).
 *
 * Return: a buf with one reference.
 */
MUST_USE struct buf *car_make_header(const struct cid *roots, size_t count);

/**
 * car_section_head - what stands before the @data_len bytes of a block.
 * @dst: room for CAR_SECTION_HEAD_MAX.
 *
 * Return: the number of bytes written.
 */
size_t car_section_head(const struct cid *cid, size_t data_len,
                        uint8_t dst[static CAR_SECTION_HEAD_MAX]);

#endif /* IPLD_CAR_H */
