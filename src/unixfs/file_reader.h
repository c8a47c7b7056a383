#ifndef UNIXFS_FILE_READER_H
#define UNIXFS_FILE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "multiformats/cid.h"

struct block;
struct file_item;

/*
 * file_reader - the contents of a file, or of a range of it, from its blocks.
 *
 * A core: it names blocks that are wanted, many at a time, in the order of the
 * file; they are given in any order; pieces of the file come out, as they
 * arrive or in the order of the file.
 *
 * What a parent claims about the size of a child is held against the child.
 * A file whose sizes lie is refused, and no byte of a child that does not have
 * its size comes out.  Pieces may have come out before the lie is seen.
 *
 * Memory: at most lookahead_bytes_max of contents that are wanted or have not
 * been taken, and inner nodes: those open at each level, and those ahead as
 * far as they are needed to keep the lookahead full.
 */

enum {
    FILE_READER_DEPTH_MAX = 64,
    /* Least that any wanted block counts, so that tiny ones are limited. */
    FILE_READER_COST_MIN = 4 * 1024,
    /* What an inner node counts while it is wanted. */
    FILE_READER_INNER_COST = 64 * 1024,
};

struct file_reader_config {
    uint64_t offset;              /* first byte of the file to read */
    uint64_t length;              /* UINT64_MAX: to the end */
    bool ordered;                 /* pieces in the order of the file */
    uint64_t lookahead_bytes_max; /* wanted or not taken; above 0 */
};

/** struct file_want - a block that is wanted. */
struct file_want {
    uint64_t id; /* never used twice */
    struct cid cid;
    uint64_t size_hint; /* bytes that the block will have, about */
};

enum file_out_kind {
    FILE_PIECE, /* offset and slice */
    FILE_END,   /* size: of the whole file; once */
};

struct file_out {
    enum file_out_kind kind;
    uint64_t offset;    /* in the file, bytes */
    struct slice slice; /* the reference passes to the taker */
    uint64_t size;
};

/** struct file_reader - one reading; fields are private. */
struct file_reader {
    struct file_reader_config config;
    uint64_t end;  /* of the range, exclusive */
    uint64_t size; /* of the file, once known */
    bool has_size;
    bool ended; /* FILE_END was given */
    enum err failed;
    const char *fault; /* why, when failed */
    uint64_t next_id;
    uint64_t cost;        /* of items wanted and not taken */
    uint64_t inner_ahead; /* bytes below inner nodes that are wanted */
    uint64_t held_bytes;  /* of the blocks that items hold */
    struct list items;    /* all, in the order of the file */
    struct list rests;    /* inner nodes with children to come, in order */
    struct list ready;    /* pieces, as they came */
    struct list again;    /* to be wanted again */
    struct map wanted;    /* by id */
};

/**
 * file_reader_init - reading of the file @root.
 * @config: copied.
 */
void file_reader_init(struct file_reader *r,
                      const struct file_reader_config *config,
                      const struct cid *root);

/** file_reader_release - free what @r holds, at any time. */
void file_reader_release(struct file_reader *r);

/**
 * file_reader_want - the next block to fetch.
 * @ret_want: written when true is returned.
 *
 * The same CID may be wanted more than once, each time with its own id: to
 * fetch it once is the caller's business.
 *
 * Return: false when nothing more is wanted now: ask again after blocks were
 * given or pieces taken.
 */
bool file_reader_want(struct file_reader *r, struct file_want *ret_want);

/**
 * file_reader_on_block - a block that was wanted.
 * @id: of the want; each is answered once (asserted).
 * @b: borrowed; the reader takes references of its own.
 *
 * Return: OK; E_MALFORMED when it is not what its parent claims, or no part of
 * a file, see file_reader_fault(); E_UNSUPPORTED when the root is no file;
 * E_LIMIT when it is too deep.  A failure ends the reading.
 */
MUST_USE enum err file_reader_on_block(struct file_reader *r, uint64_t id,
                                       struct block *b);

/**
 * file_reader_next - take the next piece.
 * @ret_out: written when true is returned.  No piece is empty.
 *
 * Return: false when there is none now, after the end, and after a failure.
 */
bool file_reader_next(struct file_reader *r, struct file_out *ret_out);

/** file_reader_size - size of the whole file; E_AGAIN before it is known. */
MUST_USE enum err file_reader_size(const struct file_reader *r,
                                   uint64_t *ret_size);

/** file_reader_fault - the rule that was broken; constant, NULL if none was. */
const char *file_reader_fault(const struct file_reader *r);

#endif /* UNIXFS_FILE_READER_H */
