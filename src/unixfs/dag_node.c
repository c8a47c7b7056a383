#include "unixfs/dag_node.h"

#include "ipld/block.h"
#include "multiformats/multicodec.h"

static enum err open_file(struct dag_node *n)
{
    if (n->unixfs.blocksizes_count != n->pb.links_count)
        return E_MALFORMED;
    n->type = NODE_FILE;
    n->file_bytes = n->unixfs.filesize;
    n->contents = n->unixfs.data;
    return OK;
}

static enum err open_unixfs(struct dag_node *n)
{
    enum err err = unixfs_decode(n->pb.data, &n->unixfs);

    if (err != OK)
        return err;
    switch (n->unixfs.type) {
    case UNIXFS_RAW:
    case UNIXFS_FILE:
        return open_file(n);
    case UNIXFS_DIRECTORY:
        n->type = NODE_DIRECTORY;
        return OK;
    case UNIXFS_HAMT:
        n->type = NODE_SHARDED;
        return OK;
    case UNIXFS_SYMLINK:
        n->type = NODE_SYMLINK;
        n->contents = n->unixfs.data;
        return OK;
    case UNIXFS_METADATA:
        return OK;
    }
    return OK;
}

enum err dag_node_open(const struct block *b, struct dag_node *ret_node)
{
    struct dag_node n = {.type = NODE_UNKNOWN, .contents = BYTES_EMPTY};
    enum err err = OK;

    if (b->cid.codec == CODEC_RAW) {
        n.type = NODE_FILE;
        n.contents = b->data.bytes;
        n.file_bytes = b->data.bytes.len;
    } else if (b->cid.codec == CODEC_DAG_CBOR) {
        n.type = NODE_DATA;
    } else if (b->cid.codec == CODEC_DAG_PB) {
        err = dag_pb_open(b->data.bytes, &n.pb);
        if (err == OK && n.pb.has_data)
            err = open_unixfs(&n);
    }
    if (err == OK)
        *ret_node = n;
    return err;
}

const char *dag_node_type_name(enum node_type type)
{
    switch (type) {
    case NODE_FILE:
        return "file";
    case NODE_DIRECTORY:
    case NODE_SHARDED:
        return "directory";
    case NODE_SYMLINK:
        return "symlink";
    case NODE_DATA:
    case NODE_UNKNOWN:
        return "unknown";
    }
    return "unknown";
}
