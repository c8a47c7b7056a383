#ifndef UNIXFS_FILE_BUILDER_H
#define UNIXFS_FILE_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "unixfs/dag_link.h"
#include "unixfs/profile.h"

struct block;

/*
 * file_builder - the balanced tree above the leaves of a file.
 *
 * A core: leaves go in, in the order of the file; inner blocks come out as
 * soon as they are complete, children before parents.  It keeps at most width
 * links for each level.
 *
 * Rules, on which every CID depends:
 *  1. One leaf alone is the root.  An empty file is one leaf of no bytes.
 *  2. All leaves are at the same depth; every inner node is full, but the
 *     last of its level.
 *  3. The last node of a level may have a single child and stays.
 */

enum { FILE_LEVELS_MAX = 64 };

/** struct file_level - links that wait for their node; private. */
struct file_level {
    struct dag_link *links; /* room for the width */
    size_t count;
};

/** struct file_builder - state of one file; fields are private. */
struct file_builder {
    struct import_profile profile;
    struct file_level levels[FILE_LEVELS_MAX];
    size_t levels_count;
    uint64_t file_bytes;
    struct block *outs[2 * FILE_LEVELS_MAX]; /* blocks to take */
    size_t outs_first;
    size_t outs_count;
    bool finished;
};

/** file_builder_init - file of no leaves yet; @profile is copied. */
void file_builder_init(struct file_builder *b,
                       const struct import_profile *profile);

/** file_builder_release - free what @b holds, at any time. */
void file_builder_release(struct file_builder *b);

/**
 * file_builder_leaf - add the next leaf.
 *
 * All outputs were taken before (asserted).
 *
 * Return: OK; E_LIMIT when the sum of the sizes is over 2^63.
 */
MUST_USE enum err file_builder_leaf(struct file_builder *b,
                                    const struct dag_link *leaf);

/**
 * file_builder_next - take an inner block that is complete.
 * @ret_block: the reference passes to the caller.
 *
 * Return: false when there is none.
 */
bool file_builder_next(struct file_builder *b, struct block **ret_block);

/**
 * file_builder_finish - there are no more leaves; there was at least one
 * (asserted), and all outputs were taken (asserted).
 * @ret_root: link to the file.
 *
 * The last inner blocks, the root last of all, are outputs afterwards.
 */
void file_builder_finish(struct file_builder *b, struct dag_link *ret_root);

#endif /* UNIXFS_FILE_BUILDER_H */
