#ifndef UNIXFS_DAG_LINK_H
#define UNIXFS_DAG_LINK_H

#include <stdint.h>

#include "multiformats/cid.h"

/** struct dag_link - a finished file, folder or part of a file. */
struct dag_link {
    struct cid cid;
    uint64_t tsize;      /* bytes of all blocks below, repeated ones too */
    uint64_t file_bytes; /* of the file's contents below; 0 for a folder */
};

#endif /* UNIXFS_DAG_LINK_H */
