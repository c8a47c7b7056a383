/*
 * A file that the input builds, read back in an order that the input decides:
 * the bytes are the same.  The input is: profile, chunk length, width, range,
 * lookahead, then contents; the rest decides the order of arrival too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/sha256.h"
#include "ipld/block.h"
#include "unixfs/file_builder.h"
#include "unixfs/file_reader.h"
#include "unixfs/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD = 8, BLOCKS_MAX = 4096, FLIGHT_MAX = 256 };

struct shelf {
    struct block *blocks[BLOCKS_MAX];
    size_t count;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void put(struct shelf *s, struct block *b)
{
    must(s->count < BLOCKS_MAX);
    s->blocks[s->count++] = b;
}

static struct block *find(const struct shelf *s, const struct cid *cid)
{
    for (size_t i = 0; i < s->count; i++) {
        if (cid_eq(&s->blocks[i]->cid, cid))
            return s->blocks[i];
    }
    abort();
}

static void add_leaf(struct shelf *s, struct file_builder *b,
                     const struct import_profile *p, struct bytes chunk)
{
    struct buf *buf = buf_copy(chunk);
    struct slice slice = {.buf = buf, .bytes = buf_bytes(buf)};
    struct slice leaf = leaf_wrap(p, &slice);
    uint8_t digest[SHA256_BYTES];
    struct block *inner = NULL;

    slice_release(&slice);
    sha256(leaf.bytes, digest);
    struct dag_link link = leaf_link(p, digest, chunk.len);
    put(s, block_trust(&link.cid, leaf));
    must(file_builder_leaf(b, &link) == OK);
    while (file_builder_next(b, &inner))
        put(s, inner);
}

static struct dag_link build(struct shelf *s, const struct import_profile *p,
                             struct bytes in)
{
    struct file_builder b;
    struct block *inner = NULL;
    struct dag_link root;

    file_builder_init(&b, p);
    for (size_t at = 0; at < in.len; at += p->chunk_bytes) {
        size_t left = in.len - at;
        size_t take = left < p->chunk_bytes ? left : p->chunk_bytes;
        add_leaf(s, &b, p, bytes_sub(in, at, take));
    }
    if (in.len == 0)
        add_leaf(s, &b, p, BYTES_EMPTY);
    file_builder_finish(&b, &root);
    while (file_builder_next(&b, &inner))
        put(s, inner);
    file_builder_release(&b);
    return root;
}

static void read_back(const struct shelf *s, const struct cid *root,
                      const struct file_reader_config *config, struct bytes in)
{
    struct file_want flight[FLIGHT_MAX];
    struct file_reader r;
    struct file_out out;
    uint64_t got = 0;
    size_t count = 0;
    size_t turn = 0;
    bool ended = false;

    file_reader_init(&r, config, root);
    while (!ended) {
        while (count < FLIGHT_MAX && file_reader_want(&r, &flight[count]))
            count++;
        must(count > 0);
        size_t at = in.len > 0 ? in.p[turn++ % in.len] % count : 0;
        struct file_want want = flight[at];
        flight[at] = flight[--count];
        must(file_reader_on_block(&r, want.id, find(s, &want.cid)) == OK);
        while (file_reader_next(&r, &out)) {
            ended = out.kind == FILE_END;
            if (ended)
                continue;
            struct bytes piece = out.slice.bytes;
            must(bytes_eq(piece, bytes_sub(in, (size_t)out.offset, piece.len)));
            got += piece.len;
            slice_release(&out.slice);
        }
    }
    uint64_t from = config->offset < in.len ? config->offset : in.len;
    uint64_t want =
        config->length < in.len - from ? config->length : in.len - from;
    must(got == want);
    file_reader_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const names[] = {"unixfs-v1-2025", "kubo-v1", "kubo-v0"};
    const struct import_profile *found = NULL;
    struct shelf s = {.count = 0};

    if (len < HEAD || len > HEAD + 1500)
        return 0;
    must(profile_find(bytes_str(names[data[0] % 3]), &found) == OK);
    struct import_profile p = *found;
    p.chunk_bytes = (uint32_t)(data[1] % 64 + 1U + len / 100);
    p.width = data[2] % 8 + 2U;
    struct file_reader_config config = {
        .offset = (uint64_t)data[3] * 8,
        .length = data[4] == 0 ? UINT64_MAX : data[4],
        .ordered = (data[5] & 1) != 0,
        .lookahead_bytes_max = (uint64_t)data[6] * 512 + 1,
    };
    struct bytes in = {data + HEAD, len - HEAD};
    struct dag_link root = build(&s, &p, in);
    must(root.file_bytes == in.len);
    read_back(&s, &root.cid, &config, in);
    for (size_t i = 0; i < s.count; i++)
        block_unref(s.blocks[i]);
    return 0;
}
