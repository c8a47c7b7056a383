#ifndef UNIXFS_LEAF_H
#define UNIXFS_LEAF_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "unixfs/dag_link.h"

struct import_profile;

/*
 * leaf - the block of one chunk: the chunk itself, or the chunk with some
 * bytes before and after it.
 *
 * leaf_frame() gives these bytes, so that a chunk may be read straight to
 * where its block has it; a pool job may use it, and leaf_link(), as they
 * count no references.
 */

enum {
    LEAF_HEAD_MAX = 24, /* bytes before the chunk */
    LEAF_TAIL_MAX = 8,  /* bytes after it */
};

/** struct leaf_frame - what stands around a chunk in its block. */
struct leaf_frame {
    size_t head_len; /* 0 for raw leaves */
    size_t tail_len;
    uint8_t head[LEAF_HEAD_MAX];
    uint8_t tail[LEAF_TAIL_MAX];
};

/**
 * leaf_frame - frame of a chunk of @chunk_len bytes, at most CHUNK_BYTES_MAX.
 */
struct leaf_frame leaf_frame(const struct import_profile *profile,
                             size_t chunk_len);

/**
 * leaf_wrap - the block of @chunk, which may be empty (an empty file).
 *
 * Return: a slice with a reference of its own: of the same bytes for raw
 * leaves, of a copy with the frame around it otherwise.
 */
MUST_USE struct slice leaf_wrap(const struct import_profile *profile,
                                const struct slice *chunk);

/**
 * leaf_link - link to the leaf whose block has the sha2-256 @digest.
 * @chunk_len: bytes of the chunk, without the frame.
 */
struct dag_link leaf_link(const struct import_profile *profile,
                          const uint8_t digest[static 32], size_t chunk_len);

#endif /* UNIXFS_LEAF_H */
