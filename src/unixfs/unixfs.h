#ifndef UNIXFS_UNIXFS_H
#define UNIXFS_UNIXFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"

struct wr;

/*
 * unixfs - the message in the data of a dag-pb block that says what the block
 * is: a file or a part of one, a folder, a symbolic link.
 *
 * Spec: ipfs/specs src/unixfs.md, "Data" message: type 1, data 2, filesize 3,
 * blocksizes 4 (repeated), hashType 5, fanout 6, mode 7, mtime 8.
 */

enum unixfs_type {
    UNIXFS_RAW = 0, /* an old leaf; read as UNIXFS_FILE */
    UNIXFS_DIRECTORY = 1,
    UNIXFS_FILE = 2,
    UNIXFS_METADATA = 3,
    UNIXFS_SYMLINK = 4,
    UNIXFS_HAMT = 5, /* a folder, or a part of one, sharded by hash */
};

enum {
    UNIXFS_HASH_MURMUR3 = 0x22, /* the only hash of names */
    UNIXFS_FANOUT_MIN = 8,
    UNIXFS_FANOUT_MAX = 1024,
    UNIXFS_SYMLINK_BYTES_MAX = 4096, /* target of a symlink that we make */
};

/** struct unixfs - the fields of one message. */
struct unixfs {
    enum unixfs_type type;
    bool has_data;
    bool has_filesize;
    bool has_mode;
    bool has_mtime;
    struct bytes data;       /* contents, symlink target or HAMT bitfield */
    uint64_t filesize;       /* of files also when absent: the sum */
    size_t blocksizes_count; /* one for each link of a file */
    uint64_t fanout;         /* of a HAMT */
    uint32_t mode;           /* low 12 bits */
    int64_t mtime_seconds;
    uint32_t mtime_ns;
};

/** struct unixfs_sizes - a place in the list of blocksizes; private. */
struct unixfs_sizes {
    struct rd message;
    struct rd packed; /* of a packed list that is being read */
};

/**
 * unixfs_decode - parse the data of a dag-pb block.
 * @in: untrusted; the views in @ret point into it.
 *
 * Unknown fields are passed over.  Whether blocksizes_count is the number of
 * links is the question of who has the links.
 *
 * Return: OK; E_SHORT; E_MALFORMED for what is no such message, has no type,
 * or is a file whose filesize is not the length of data plus the sum of the
 * blocksizes; E_UNSUPPORTED for an unknown type, and for a HAMT with another
 * hash or a fanout that is no power of two from UNIXFS_FANOUT_MIN to
 * UNIXFS_FANOUT_MAX.
 */
MUST_USE enum err unixfs_decode(struct bytes in, struct unixfs *ret);

/** unixfs_sizes_init - before the first blocksize of @in, which was decoded. */
struct unixfs_sizes unixfs_sizes_init(struct bytes in);

/** unixfs_sizes_next - the next blocksize; false after the last. */
bool unixfs_sizes_next(struct unixfs_sizes *s, uint64_t *ret_size);

/**
 * unixfs_len - bytes that unixfs_put() writes.
 * @blocksizes: @u->blocksizes_count numbers; NULL when there are none.
 */
size_t unixfs_len(const struct unixfs *u, const uint64_t *blocksizes);

/**
 * unixfs_put - write the message, fields in ascending order, type always.
 * @blocksizes: as for unixfs_len().
 */
void unixfs_put(struct wr *w, const struct unixfs *u,
                const uint64_t *blocksizes);

#endif /* UNIXFS_UNIXFS_H */
