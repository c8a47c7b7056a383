#ifndef UNIXFS_DIR_BUILDER_H
#define UNIXFS_DIR_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "unixfs/dag_link.h"
#include "unixfs/profile.h"

struct block;
struct dir_item;
struct dir_shard;

/*
 * dir_builder - the blocks of a folder.
 *
 * A core: entries go in, in any order; after dir_builder_finish() blocks come
 * out one at a time, children before parents, the root last.  Names are bytes,
 * not text.  Nothing depends on the order in which entries came.
 */

enum {
    DIR_NAME_BYTES_MAX = 4096,
    DIR_ENTRIES_MAX = 16 * 1024 * 1024,
    DIR_BYTES_MAX = 1024 * 1024 * 1024, /* all names and CIDs together */
};

/** struct dir_builder - state of one folder; fields are private. */
struct dir_builder {
    struct import_profile profile;
    struct dir_item *items;
    size_t items_count;
    size_t items_room;
    uint8_t *arena; /* names and binary CIDs of the items */
    size_t arena_len;
    size_t arena_room;
    uint64_t links_estimate;  /* DIR_ESTIMATE_LINKS so far */
    uint64_t block_estimate;  /* DIR_ESTIMATE_BLOCK so far */
    struct dir_shard *shards; /* open shards, the root first */
    size_t shards_count;
    size_t duplicate;
    struct dag_link root;
    enum { DIR_ADDING, DIR_BASIC, DIR_SHARDED, DIR_DONE } state;
};

/** dir_builder_init - folder without entries; @profile is copied. */
void dir_builder_init(struct dir_builder *b,
                      const struct import_profile *profile);

/** dir_builder_release - free what @b holds, at any time. */
void dir_builder_release(struct dir_builder *b);

/**
 * dir_builder_add - add an entry.
 * @name: copied.
 * @link: to what file_builder_finish(), leaf_link() or dir_builder_root() gave.
 *
 * Return: OK; E_MALFORMED for a name that is empty or has a '/' or NUL;
 * E_LIMIT for a name over DIR_NAME_BYTES_MAX, more than DIR_ENTRIES_MAX
 * or DIR_BYTES_MAX.
 */
MUST_USE enum err dir_builder_add(struct dir_builder *b, struct bytes name,
                                  const struct dag_link *link);

/**
 * dir_builder_finish - there are no more entries.
 *
 * Takes the time to sort them: about a second for a million.
 *
 * Return: OK; E_EXISTS when two have one name, see dir_builder_duplicate();
 * E_UNSUPPORTED when two different names have the same 64-bit hash, which no
 * sharded folder can hold.
 */
MUST_USE enum err dir_builder_finish(struct dir_builder *b);

/** dir_builder_duplicate - the name for which finish said E_EXISTS. */
struct bytes dir_builder_duplicate(const struct dir_builder *b);

/**
 * dir_builder_next - make and take the next block.
 * @ret_block: the reference passes to the caller; on OK only.
 *
 * Return: OK; E_NOTFOUND after the last.
 */
MUST_USE enum err dir_builder_next(struct dir_builder *b,
                                   struct block **ret_block);

/** dir_builder_root - link to the folder, once all blocks were taken. */
struct dag_link dir_builder_root(const struct dir_builder *b);

/**
 * symlink_block - block of a symbolic link.
 * @ret_block: one reference.
 * @ret_link: link to it, for dir_builder_add(); @ret_link->file_bytes is 0.
 *
 * Return: OK; E_LIMIT for a target over UNIXFS_SYMLINK_BYTES_MAX; E_MALFORMED
 * for one that is empty or has a NUL.
 */
MUST_USE enum err symlink_block(const struct import_profile *profile,
                                struct bytes target, struct block **ret_block,
                                struct dag_link *ret_link);

#endif /* UNIXFS_DIR_BUILDER_H */
