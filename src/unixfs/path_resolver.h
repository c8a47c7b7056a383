#ifndef UNIXFS_PATH_RESOLVER_H
#define UNIXFS_PATH_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/cid.h"
#include "unixfs/dag_node.h"
#include "unixfs/ipfs_path.h"

struct block;

/*
 * path_resolver - from a path to the CID that it leads to.
 *
 * A core: it names the block it needs, in the order in which they prove the
 * path; of a sharded folder only the shards on the way.  In dag-cbor a segment
 * is a key or an index, and links are followed.  Symlinks are not followed.
 */

/** struct path_resolver - state of one path; fields are private. */
struct path_resolver {
    struct cid want;
    enum { RESOLVER_WAITING, RESOLVER_DONE, RESOLVER_FAILED } state;
    struct bytes rest;    /* of the path; in the caller's text */
    struct bytes segment; /* being looked up; empty at the end */
    size_t segment_index;
    bool has_segment;
    uint32_t depth;    /* of shards within one folder */
    struct cid *roots; /* of each segment, the path's root first */
    size_t roots_count;
    size_t roots_room;
    enum node_type type;
    uint64_t file_bytes;
};

/**
 * path_resolver_init - begin with @path, whose text must live as long as @r.
 */
void path_resolver_init(struct path_resolver *r, const struct ipfs_path *path);

/** path_resolver_release - free what @r holds, at any time. */
void path_resolver_release(struct path_resolver *r);

/**
 * path_resolver_want - the block that is needed.
 * @ret_cid: written when true is returned.
 *
 * Return: false when the path is resolved or has failed.
 */
bool path_resolver_want(const struct path_resolver *r, struct cid *ret_cid);

/**
 * path_resolver_on_block - the block that was needed.
 * @b: borrowed for this call.
 *
 * Return: OK; E_NOTFOUND when there is no such name, see
 * path_resolver_segment(); E_UNSUPPORTED when the segment is to be looked up
 * in what has no names (a file, a symlink, an unknown codec), or leads to a
 * value of dag-cbor that is no link; else what is wrong with the block.
 */
MUST_USE enum err path_resolver_on_block(struct path_resolver *r,
                                         struct block *b);

/**
 * path_resolver_segment - the segment that is being looked up or has failed.
 * @ret_index: its number from 0.
 *
 * Return: the segment; empty when all have been passed.
 */
struct bytes path_resolver_segment(const struct path_resolver *r,
                                   size_t *ret_index);

/** struct resolved - where a path leads. */
struct resolved {
    struct cid cid;
    enum node_type type;
    uint64_t file_bytes; /* of a file */
};

/**
 * path_resolver_result - where the path leads.
 *
 * Return: OK; E_AGAIN before it is known.
 */
MUST_USE enum err path_resolver_result(const struct path_resolver *r,
                                       struct resolved *ret);

/**
 * path_resolver_roots - the CID at the end of each segment passed so far, the
 * root of the path first; without the shards between.
 * @ret_count: at least 1.
 *
 * Return: valid until the next call on @r.
 */
const struct cid *path_resolver_roots(const struct path_resolver *r,
                                      size_t *ret_count);

#endif /* UNIXFS_PATH_RESOLVER_H */
