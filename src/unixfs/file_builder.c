#include "unixfs/file_builder.h"

#include <assert.h>

#include "base/mem.h"
#include "base/wr.h"
#include "ipld/block.h"
#include "ipld/dag_pb.h"
#include "unixfs/unixfs.h"

static const uint64_t file_bytes_max = INT64_MAX;

void file_builder_init(struct file_builder *b,
                       const struct import_profile *profile)
{
    assert(profile->width >= FILE_WIDTH_MIN);
    assert(profile->width <= FILE_WIDTH_MAX);

    *b = (struct file_builder){.profile = *profile};
}

void file_builder_release(struct file_builder *b)
{
    struct block *block;

    while (file_builder_next(b, &block))
        block_unref(block);
    for (size_t i = 0; i < b->levels_count; i++)
        mem_free(b->levels[i].links);
    b->levels_count = 0;
}

bool file_builder_next(struct file_builder *b, struct block **ret_block)
{
    if (b->outs_count == 0)
        return false;
    *ret_block = b->outs[b->outs_first];
    b->outs_first++;
    b->outs_count--;
    if (b->outs_count == 0)
        b->outs_first = 0;
    return true;
}

static void put_out(struct file_builder *b, struct block *block)
{
    size_t at = b->outs_first + b->outs_count;

    assert(at < countof(b->outs));
    b->outs[at] = block;
    b->outs_count++;
}

/* Makes the block of a node with the links of @level. */
static struct block *make_node(const struct file_builder *b,
                               const struct file_level *level,
                               uint64_t file_bytes)
{
    uint64_t *sizes = mem_zalloc(level->count, sizeof(*sizes));
    size_t len = 0;

    for (size_t i = 0; i < level->count; i++) {
        const struct dag_link *link = &level->links[i];
        sizes[i] = link->file_bytes;
        len += dag_pb_link_len(&link->cid, 0, link->tsize);
    }
    const struct unixfs u = {
        .type = UNIXFS_FILE,
        .has_filesize = true,
        .filesize = file_bytes,
        .blocksizes_count = level->count,
    };
    size_t message_len = unixfs_len(&u, sizes);
    len += dag_pb_data_len(message_len);

    struct buf *buf = buf_new(len);
    struct wr w = wr_init(buf->data, buf->max);
    for (size_t i = 0; i < level->count; i++) {
        const struct dag_link *link = &level->links[i];
        dag_pb_put_link(&w, &link->cid, BYTES_EMPTY, link->tsize);
    }
    dag_pb_put_data_head(&w, message_len);
    unixfs_put(&w, &u, sizes);
    mem_free(sizes);
    assert(w.err == OK);
    assert(wr_len(&w) == len);
    buf->len = len;
    return block_make(b->profile.cid_version, CODEC_DAG_PB,
                      (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
}

/* Turns the links of @level into one node, whose block is an output. */
static struct dag_link close_level(struct file_builder *b,
                                   struct file_level *level)
{
    struct dag_link link = {.tsize = 0};

    for (size_t i = 0; i < level->count; i++) {
        link.tsize += level->links[i].tsize;
        link.file_bytes += level->links[i].file_bytes;
    }
    struct block *block = make_node(b, level, link.file_bytes);
    link.cid = block->cid;
    link.tsize += block->data.bytes.len;
    level->count = 0;
    put_out(b, block);
    return link;
}

/* Adds @link at level @at, after making room in all levels that are full. */
static void add_link(struct file_builder *b, size_t at, struct dag_link link)
{
    size_t full_end = at;

    while (full_end < b->levels_count &&
           b->levels[full_end].count == b->profile.width)
        full_end++;
    assert(full_end < FILE_LEVELS_MAX);
    if (full_end == b->levels_count) {
        b->levels[full_end] = (struct file_level){
            .links = mem_zalloc(b->profile.width, sizeof(struct dag_link)),
        };
        b->levels_count++;
    }
    /* A level's node goes to the one above, but only after that made room. */
    struct dag_link carry = link;
    for (size_t i = at; i < full_end; i++) {
        struct dag_link node = close_level(b, &b->levels[i]);
        b->levels[i].links[b->levels[i].count++] = carry;
        carry = node;
    }
    struct file_level *level = &b->levels[full_end];
    level->links[level->count++] = carry;
}

enum err file_builder_leaf(struct file_builder *b, const struct dag_link *leaf)
{
    assert(!b->finished);
    assert(b->outs_count == 0);

    if (leaf->file_bytes > file_bytes_max - b->file_bytes)
        return E_LIMIT;
    b->file_bytes += leaf->file_bytes;
    add_link(b, 0, *leaf);
    return OK;
}

void file_builder_finish(struct file_builder *b, struct dag_link *ret_root)
{
    assert(!b->finished);
    assert(b->outs_count == 0);
    assert(b->levels_count > 0);

    b->finished = true;
    for (size_t i = 0; i + 1 < b->levels_count; i++) {
        /* May add a level above the last one. */
        struct dag_link node = close_level(b, &b->levels[i]);
        add_link(b, i + 1, node);
    }
    struct file_level *top = &b->levels[b->levels_count - 1];
    *ret_root = top->count == 1 ? top->links[0] : close_level(b, top);
}
