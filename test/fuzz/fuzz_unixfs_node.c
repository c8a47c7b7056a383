/*
 * Any bytes as a dag-pb block of a file or folder: opened, listed, looked into
 * and read as a file.  What a message says of itself must hold.
 */
#include <stdlib.h>
#include <string.h>

#include "ipld/block.h"
#include "unixfs/dag_node.h"
#include "unixfs/dir_reader.h"
#include "unixfs/file_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Every shard that is wanted is this block again. */
static void list(struct block *b)
{
    struct dir_reader r;
    struct dir_out out;
    unsigned budget = 5000;

    dir_reader_init(&r, &b->cid);
    dir_reader_next(&r, &out);
    while (out.kind != DIR_END && budget-- > 0) {
        if (out.kind == DIR_WANT) {
            r.want = b->cid;
            (void)dir_reader_on_block(&r, b); /* then it is at its end */
        } else {
            struct dir_found found;
            (void)dir_find(b, out.name, 0, &found); /* may be elsewhere */
        }
        dir_reader_next(&r, &out);
    }
    dir_reader_release(&r);
}

static void check_sizes(const struct dag_node *n)
{
    struct unixfs_sizes sizes = unixfs_sizes_init(n->pb.data);
    uint64_t sum = n->unixfs.data.len;
    uint64_t size = 0;
    size_t count = 0;

    for (; unixfs_sizes_next(&sizes, &size); count++)
        sum += size;
    must(count == n->pb.links_count);
    must(sum == n->file_bytes);
}

static void read_root(struct block *b, uint8_t range)
{
    const struct file_reader_config config = {
        .offset = range & 15,
        .length = range >> 4 == 0 ? UINT64_MAX : range >> 4,
        .ordered = (range & 1) != 0,
        .lookahead_bytes_max = 20000,
    };
    struct file_reader r;
    struct file_want want;
    struct file_out out;

    file_reader_init(&r, &config, &b->cid);
    must(file_reader_want(&r, &want));
    if (file_reader_on_block(&r, want.id, b) == OK) {
        unsigned budget = 1000;
        while (budget-- > 0 && file_reader_want(&r, &want))
            continue;
        while (file_reader_next(&r, &out))
            slice_release(&out.slice);
    } else {
        must(file_reader_fault(&r) != NULL);
    }
    file_reader_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dag_node n;

    if (len == 0 || len > BLOCK_BYTES_MAX)
        return 0;
    struct buf *buf = buf_copy((struct bytes){data + 1, len - 1});
    struct cid cid = cid_of(CODEC_DAG_PB, BYTES_EMPTY);
    struct block *b =
        block_trust(&cid, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    if (dag_node_open(b, &n) == OK && n.type == NODE_FILE)
        check_sizes(&n);
    list(b);
    read_root(b, data[0]);
    block_unref(b);
    return 0;
}
