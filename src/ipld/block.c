#include "ipld/block.h"

#include <assert.h>

#include "base/mem.h"

/* Takes over the reference of @data. */
static struct block *new_block(const struct cid *cid, struct slice data)
{
    struct block *b = mem_alloc(sizeof(*b));

    *b = (struct block){.refs = 1, .cid = *cid, .data = data};
    return b;
}

struct block *block_make(unsigned version, uint64_t codec, struct slice data)
{
    assert(data.bytes.len <= BLOCK_BYTES_MAX);
    assert(version <= 1);
    assert(version == 1 || codec == CODEC_DAG_PB);

    struct cid cid =
        version == 0 ? cid_v0_of(data.bytes) : cid_of(codec, data.bytes);
    return new_block(&cid, data);
}

enum err block_check(const struct cid *cid, struct slice data,
                     struct block **ret_block)
{
    if (data.bytes.len > BLOCK_BYTES_MAX)
        return E_LIMIT;
    enum err err = cid_verify(cid, data.bytes);
    if (err != OK)
        return err;
    *ret_block = new_block(cid, data);
    return OK;
}

struct block *block_trust(const struct cid *cid, struct slice data)
{
    assert(data.bytes.len <= BLOCK_BYTES_MAX);

    return new_block(cid, data);
}

struct block *block_identity(const struct cid *cid)
{
    assert(cid_is_identity(cid));

    struct buf *buf = buf_copy((struct bytes){cid->hash.digest, cid->hash.len});
    return new_block(cid, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
}

struct block *block_ref(struct block *b)
{
    assert(b->refs > 0);

    b->refs++;
    return b;
}

void block_unref(struct block *b)
{
    if (b == NULL)
        return;
    assert(b->refs > 0);
    if (--b->refs > 0)
        return;
    slice_release(&b->data);
    mem_free(b);
}
