#ifndef UNIXFS_DIR_READER_H
#define UNIXFS_DIR_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "ipld/dag_pb.h"
#include "multiformats/cid.h"
#include "unixfs/hamt.h"

struct block;

/*
 * dir_reader - the entries of a folder, sharded or not.
 *
 * A core: dir_reader_next() names a block that is needed, hands out an entry,
 * or says that it is done.  Entries come in the order that other programs
 * list them: of the links, and of the buckets.  It holds one block a level.
 */

enum { DIR_LEVELS_MAX = 64 / 3 + 1 }; /* the hash is used up below */

enum dir_out_kind {
    DIR_WANT,  /* give the block of cid to dir_reader_on_block() */
    DIR_ENTRY, /* name, cid, tsize */
    DIR_END,
};

struct dir_out {
    enum dir_out_kind kind;
    struct cid cid;
    struct bytes name; /* valid until the next call; any bytes, see below */
    uint64_t tsize;    /* as the folder claims */
};

/** struct dir_level - a block whose links are being read; private. */
struct dir_level {
    struct block *block;
    bool is_shard;
    struct dag_pb pb;
    struct hamt_shard shard;
};

/** struct dir_reader - one listing; fields are private. */
struct dir_reader {
    struct cid want;
    bool waiting;
    uint32_t fanout; /* of the root shard: all have the same */
    size_t levels_count;
    struct dir_level levels[DIR_LEVELS_MAX];
};

/** dir_reader_init - listing of the folder @root. */
void dir_reader_init(struct dir_reader *r, const struct cid *root);

/** dir_reader_release - free what @r holds, at any time. */
void dir_reader_release(struct dir_reader *r);

/**
 * dir_reader_next - what comes next.
 *
 * A DIR_WANT is repeated until it is answered.  Names come as they are: the
 * same one may come twice (the first counts), and "." or "..", or one with a
 * '/' or NUL, is possible: who writes files must ask dir_name_is_safe().
 */
void dir_reader_next(struct dir_reader *r, struct dir_out *ret_out);

/**
 * dir_reader_on_block - the block that was wanted.
 * @b: borrowed; the reader takes its own reference.
 *
 * Return: OK; E_UNSUPPORTED when it is no folder, or no shard where a shard
 * must be; E_MALFORMED when its shards differ in fanout; E_LIMIT when they lie
 * too deep; else what dag_node_open() and
 * hamt_open() say.  After a failure the listing is at its end.
 */
MUST_USE enum err dir_reader_on_block(struct dir_reader *r, struct block *b);

/**
 * dir_reader_ahead - shards that will be wanted soon, to fetch them early.
 * @ret_cids: room for @max CIDs.
 *
 * Return: the number written.
 */
size_t dir_reader_ahead(const struct dir_reader *r, struct cid *ret_cids,
                        size_t max);

/** dir_name_is_safe - true for a name that may become one of a file here. */
bool dir_name_is_safe(struct bytes name);

/** struct dir_found - answer of dir_find(). */
struct dir_found {
    bool is_shard; /* go on with the shard @cid, one level down */
    struct cid cid;
    uint64_t tsize;
};

/**
 * dir_find - look up one name in a block of a folder.
 * @b: folder, or shard at level @depth, the root shard being 0.
 *
 * Return: OK; E_NOTFOUND; E_UNSUPPORTED when @b is no folder; E_LIMIT when
 * shards lie too deep; else what dag_node_open() and hamt_open() say.
 */
MUST_USE enum err dir_find(const struct block *b, struct bytes name,
                           uint32_t depth, struct dir_found *ret_found);

#endif /* UNIXFS_DIR_READER_H */
