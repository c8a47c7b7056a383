#include "shelf.h"

#include "base/mem.h"
#include "crypto/sha256.h"
#include "unixfs/file_builder.h"
#include "unixfs/leaf.h"

#include "test.h"

struct shelf_entry {
    struct map_node node;
    uint8_t key[CID_BYTES_MAX];
    struct block *block;
};

void shelf_init(struct shelf *s)
{
    static const uint8_t seed[16] = {1};

    map_init(&s->blocks, seed);
}

void shelf_release(struct shelf *s)
{
    struct map_node *node = map_first(&s->blocks);

    while (node != NULL) {
        struct shelf_entry *e = container_of(node, struct shelf_entry, node);
        node = map_next(&s->blocks, node);
        block_unref(e->block);
        mem_free(e);
    }
    map_release(&s->blocks);
}

static struct shelf_entry *lookup(const struct shelf *s, const struct cid *cid)
{
    uint8_t key[CID_BYTES_MAX];
    size_t len = cid_encode(cid, key);
    struct map_node *node = map_get(&s->blocks, (struct bytes){key, len});

    return node != NULL ? container_of(node, struct shelf_entry, node) : NULL;
}

void shelf_put(struct shelf *s, struct block *b)
{
    if (s == NULL || lookup(s, &b->cid) != NULL) {
        block_unref(b);
        return;
    }
    struct shelf_entry *e = mem_zalloc(1, sizeof(*e));
    size_t len = cid_encode(&b->cid, e->key);
    e->block = b;
    map_put(&s->blocks, &e->node, (struct bytes){e->key, len});
}

struct block *shelf_get(const struct shelf *s, const struct cid *cid)
{
    struct shelf_entry *e = lookup(s, cid);

    return e != NULL ? e->block : NULL;
}

struct block *shelf_find(const struct shelf *s, const struct cid *cid)
{
    struct block *b = shelf_get(s, cid);

    if (b == NULL)
        fail_msg("no block %s", text_of(cid));
    return b;
}

struct cid shelf_add(struct shelf *s, uint64_t codec, struct bytes data)
{
    struct buf *buf = buf_copy(data);
    struct block *b = block_make(
        1, codec, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    struct cid cid = b->cid;

    shelf_put(s, b);
    return cid;
}

struct source source_pattern(void)
{
    return (struct source){.kind = SOURCE_PATTERN};
}

struct source source_stream(const char *seed)
{
    struct source s = {.kind = SOURCE_STREAM};

    sha256(bytes_str(seed), s.key);
    return s;
}

static uint32_t rotl32(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void quarter(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
    x[a] += x[b];
    x[d] = rotl32(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = rotl32(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = rotl32(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = rotl32(x[b] ^ x[c], 7);
}

/* Block number @counter of the key stream, RFC 8439, 2.3; nonce zero. */
static void chacha20_block(const uint8_t key[32], uint32_t counter,
                           uint8_t out[64])
{
    uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t x[16];

    for (unsigned i = 0; i < 32; i++)
        in[4 + i / 4] |= (uint32_t)key[i] << (8 * (i % 4));
    in[12] = counter;
    memcpy(x, in, sizeof(x));
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++)
            quarter(x, i, 4 + i, 8 + i, 12 + i);
        for (unsigned i = 0; i < 4; i++)
            quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (unsigned i = 0; i < 64; i++)
        out[i] = (uint8_t)((x[i / 4] + in[i / 4]) >> (8 * (i % 4)));
}

static void stream_read(struct source *s, uint8_t *dst, size_t len)
{
    uint8_t block[64];
    size_t at = 0;

    while (at < len) {
        size_t skip = (size_t)(s->offset % 64);
        size_t take = len - at < 64 - skip ? len - at : 64 - skip;
        chacha20_block(s->key, (uint32_t)(s->offset / 64), block);
        memcpy(dst + at, block + skip, take);
        at += take;
        s->offset += take;
    }
}

void source_read(struct source *s, uint8_t *dst, size_t len)
{
    if (s->kind == SOURCE_STREAM) {
        stream_read(s, dst, len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        dst[i] = s->kind == SOURCE_ZERO ? 0 : (uint8_t)((s->offset + i) % 251);
    s->offset += len;
}

struct file_import {
    struct shelf *shelf;
    struct import_profile profile;
    struct file_builder builder;
    bool has_leaf;
};

struct file_import *file_import_new(struct shelf *s,
                                    const struct import_profile *profile)
{
    struct file_import *f = mem_zalloc(1, sizeof(*f));

    f->shelf = s;
    f->profile = *profile;
    file_builder_init(&f->builder, profile);
    return f;
}

static void drain(struct file_import *f)
{
    struct block *b;

    while (file_builder_next(&f->builder, &b))
        shelf_put(f->shelf, b);
}

void file_import_chunk(struct file_import *f, struct bytes chunk)
{
    struct buf *buf = buf_copy(chunk);
    struct slice slice = {.buf = buf, .bytes = buf_bytes(buf)};
    struct slice leaf = leaf_wrap(&f->profile, &slice);
    uint8_t digest[SHA256_BYTES];

    slice_release(&slice);
    sha256(leaf.bytes, digest);
    struct dag_link link = leaf_link(&f->profile, digest, chunk.len);
    assert_int_equal(link.tsize, leaf.bytes.len);
    shelf_put(f->shelf, block_trust(&link.cid, leaf));
    assert_int_equal(file_builder_leaf(&f->builder, &link), OK);
    drain(f);
    f->has_leaf = true;
}

struct dag_link file_import_finish(struct file_import *f)
{
    struct dag_link root;

    if (!f->has_leaf)
        file_import_chunk(f, BYTES_EMPTY);
    file_builder_finish(&f->builder, &root);
    drain(f);
    file_builder_release(&f->builder);
    mem_free(f);
    return root;
}

struct dag_link import_file(struct shelf *s,
                            const struct import_profile *profile,
                            struct source source, uint64_t size)
{
    struct file_import *f = file_import_new(s, profile);
    uint8_t *chunk = mem_alloc(profile->chunk_bytes);

    while (size > 0) {
        size_t len =
            size < profile->chunk_bytes ? (size_t)size : profile->chunk_bytes;
        source_read(&source, chunk, len);
        file_import_chunk(f, (struct bytes){chunk, len});
        size -= len;
    }
    mem_free(chunk);
    return file_import_finish(f);
}

struct dag_link import_bytes(struct shelf *s,
                             const struct import_profile *profile,
                             struct bytes in)
{
    struct file_import *f = file_import_new(s, profile);

    for (size_t at = 0; at < in.len; at += profile->chunk_bytes) {
        size_t left = in.len - at;
        size_t len = left < profile->chunk_bytes ? left : profile->chunk_bytes;
        file_import_chunk(f, bytes_sub(in, at, len));
    }
    return file_import_finish(f);
}

struct import_profile find_profile(const char *name)
{
    const struct import_profile *found = NULL;

    assert_int_equal(profile_find(bytes_str(name), &found), OK);
    assert_non_null(found);
    return *found;
}

const char *text_of(const struct cid *cid)
{
    static char text[CID_TEXT_MAX];

    (void)cid_format(cid, text); /* its length is not needed */
    return text;
}

uint64_t dice_next(struct dice *d, uint64_t below)
{
    /* splitmix64 */
    d->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = d->state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}
