#ifndef UNIXFS_PROFILE_H
#define UNIXFS_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

/*
 * profile - the choices that decide which CID a file or folder gets.
 *
 * Spec: ipfs/specs src/ipips/ipip-0499.md, "UnixFS CID profiles".
 */

enum {
    CHUNK_BYTES_MAX = 2 * 1024 * 1024 - 256, /* wrapped, it fits a block */
    FILE_WIDTH_MIN = 2,
    FILE_WIDTH_MAX = 8192,            /* children of one inner node of a file */
    DIR_LIMIT_BYTES_MAX = 256 * 1024, /* so that the block is below 2 MiB */
};

/** enum dir_estimate - what is compared with dir_limit_bytes. */
enum dir_estimate {
    DIR_ESTIMATE_LINKS, /* the sum of the lengths of names and binary CIDs */
    DIR_ESTIMATE_BLOCK, /* the length of the folder's one block */
};

/** struct import_profile - the choices. */
struct import_profile {
    const char *name;
    uint8_t cid_version;  /* of dag-pb blocks; raw leaves are always 1 */
    bool raw_leaves;      /* a leaf is the bare chunk, codec raw */
    uint32_t chunk_bytes; /* 1 to CHUNK_BYTES_MAX */
    uint32_t width;       /* FILE_WIDTH_MIN to FILE_WIDTH_MAX */
    /* A folder whose estimate is over this is sharded. */
    uint32_t dir_limit_bytes; /* at most DIR_LIMIT_BYTES_MAX */
    enum dir_estimate dir_estimate;
    uint32_t hamt_fanout; /* power of two, UNIXFS_FANOUT_MIN to _MAX */
};

/** profile_default - the profile "unixfs-v1-2025". */
const struct import_profile *profile_default(void);

/**
 * profile_find - one of "unixfs-v1-2025", "kubo-v1" (kubo's add with
 * --cid-version=1) and "kubo-v0" (kubo's default).
 * @ret_profile: constant.
 *
 * Return: OK; E_NOTFOUND.
 */
MUST_USE enum err profile_find(struct bytes name,
                               const struct import_profile **ret_profile);

/**
 * profile_name - name of profile number @index, for help texts; NULL after
 * the last.
 */
const char *profile_name(unsigned index);

/**
 * profile_parse_chunker - chunk length from text such as "size-262144".
 *
 * Return: OK; E_MALFORMED for what is not "size-" and a decimal number;
 * E_LIMIT for 0 and above CHUNK_BYTES_MAX; E_UNSUPPORTED for other chunkers
 * ("rabin...", "buzhash").
 */
MUST_USE enum err profile_parse_chunker(struct bytes text,
                                        uint32_t *ret_chunk_bytes);

#endif /* UNIXFS_PROFILE_H */
