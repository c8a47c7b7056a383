#ifndef UNIXFS_IPFS_PATH_H
#define UNIXFS_IPFS_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/cid.h"

/*
 * ipfs_path - a CID and the names below it, from text such as
 * "/ipfs/CID/a/b", "CID/a/b" or "ipfs://CID/a/b".
 */

enum {
    IPFS_PATH_BYTES_MAX = 16 * 1024,
    IPFS_PATH_SEGMENTS_MAX = 256,
};

struct ipfs_path {
    struct cid root;
    struct bytes rest; /* view into the text: what follows the CID */
    size_t segments_count;
};

/**
 * ipfs_path_parse - take @text apart.
 * @text: from outside, percent signs already decoded; borrowed.
 *
 * Empty segments are passed over; "." and ".." are names like others.
 *
 * Return: OK; E_UNSUPPORTED for "/ipns/" and other name spaces; E_LIMIT for
 * text over IPFS_PATH_BYTES_MAX or more than IPFS_PATH_SEGMENTS_MAX segments;
 * E_MALFORMED for NUL bytes; else what cid_parse() says of the CID.
 */
MUST_USE enum err ipfs_path_parse(struct bytes text,
                                  struct ipfs_path *ret_path);

/**
 * ipfs_path_next - cut the first segment off @rest.
 * @rest: updated; begin with ipfs_path.rest.
 *
 * Return: false when there is none.
 */
bool ipfs_path_next(struct bytes *rest, struct bytes *ret_segment);

#endif /* UNIXFS_IPFS_PATH_H */
