#include "unixfs/leaf.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "ipld/dag_pb.h"
#include "multiformats/pb.h"
#include "unixfs/profile.h"
#include "unixfs/unixfs.h"

enum { FIELD_DATA = 2, FIELD_FILESIZE = 3 };

struct leaf_frame leaf_frame(const struct import_profile *profile,
                             size_t chunk_len)
{
    struct leaf_frame f = {.head_len = 0};

    assert(chunk_len <= CHUNK_BYTES_MAX);
    if (profile->raw_leaves)
        return f;
    /* The message of a file, cut where the chunk goes. */
    const struct unixfs empty = {.type = UNIXFS_FILE};
    struct wr tail = wr_init(f.tail, sizeof(f.tail));
    pb_put_uint(&tail, FIELD_FILESIZE, chunk_len);
    size_t data_len = chunk_len > 0 ? pb_bytes_len(FIELD_DATA, chunk_len) : 0;
    size_t message_len = unixfs_len(&empty, NULL) + data_len + wr_len(&tail);

    struct wr head = wr_init(f.head, sizeof(f.head));
    dag_pb_put_data_head(&head, message_len);
    unixfs_put(&head, &empty, NULL);
    if (chunk_len > 0)
        pb_put_head(&head, FIELD_DATA, chunk_len);
    assert(head.err == OK);
    assert(tail.err == OK);
    f.head_len = wr_len(&head);
    f.tail_len = wr_len(&tail);
    return f;
}

struct slice leaf_wrap(const struct import_profile *profile,
                       const struct slice *chunk)
{
    struct leaf_frame f = leaf_frame(profile, chunk->bytes.len);

    if (profile->raw_leaves)
        return slice_ref(chunk);
    size_t len = f.head_len + chunk->bytes.len + f.tail_len;
    struct buf *b = buf_new_aligned(len, 0);
    struct wr w = wr_init(b->data, b->max);
    wr_bytes(&w, (struct bytes){f.head, f.head_len});
    wr_bytes(&w, chunk->bytes);
    wr_bytes(&w, (struct bytes){f.tail, f.tail_len});
    assert(w.err == OK);
    b->len = wr_len(&w);
    return (struct slice){.buf = b, .bytes = buf_bytes(b)};
}

struct dag_link leaf_link(const struct import_profile *profile,
                          const uint8_t digest[static 32], size_t chunk_len)
{
    struct leaf_frame f = leaf_frame(profile, chunk_len);
    uint64_t codec = profile->raw_leaves ? CODEC_RAW : CODEC_DAG_PB;
    struct cid cid = cid_from_digest(codec, digest);

    if (!profile->raw_leaves && profile->cid_version == 0) {
        enum err err = cid_to_v0(&cid, &cid);
        assert(err == OK);
    }
    return (struct dag_link){
        .cid = cid,
        .tsize = f.head_len + chunk_len + f.tail_len,
        .file_bytes = chunk_len,
    };
}
