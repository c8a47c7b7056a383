#ifndef UNIXFS_DAG_NODE_H
#define UNIXFS_DAG_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "ipld/dag_pb.h"
#include "unixfs/unixfs.h"

struct block;

/** enum node_type - what a block is to a user. */
enum node_type {
    NODE_FILE, /* codec raw too */
    NODE_DIRECTORY,
    NODE_SHARDED, /* a directory, or a part of one, sharded */
    NODE_SYMLINK,
    NODE_DATA,    /* dag-cbor: has links, but is no file */
    NODE_UNKNOWN, /* any other codec, or dag-pb without data */
};

/** struct dag_node - a block, opened. */
struct dag_node {
    enum node_type type;
    uint64_t file_bytes;   /* contents of a file */
    struct bytes contents; /* of a raw block or leaf; target of a symlink */
    struct dag_pb pb;      /* of dag-pb blocks; else empty */
    struct unixfs unixfs;  /* of dag-pb blocks with a message */
};

/**
 * dag_node_open - what @b is.
 * @ret_node: its views are valid while @b is.
 *
 * Return: OK; else what dag_pb_open() says of a dag-pb block, and
 * unixfs_decode() of the data in it; E_MALFORMED for a file that has not one
 * blocksize for each link.
 */
MUST_USE enum err dag_node_open(const struct block *b,
                                struct dag_node *ret_node);

/** dag_node_type_name - "file", "directory", "symlink" or "unknown". */
const char *dag_node_type_name(enum node_type type);

#endif /* UNIXFS_DAG_NODE_H */
