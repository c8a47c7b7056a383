#include "unixfs/unixfs.h"

#include <assert.h>

#include "base/wr.h"
#include "multiformats/pb.h"

enum {
    FIELD_TYPE = 1,
    FIELD_DATA = 2,
    FIELD_FILESIZE = 3,
    FIELD_BLOCKSIZES = 4,
    FIELD_HASH_TYPE = 5,
    FIELD_FANOUT = 6,
    FIELD_MODE = 7,
    FIELD_MTIME = 8,
};

enum { MTIME_SECONDS = 1, MTIME_NS = 2 };

enum { MODE_MASK = 07777, NS_MAX = 999999999 };

/* What is needed while decoding only. */
struct decoding {
    struct unixfs u;
    bool has_type;
    uint64_t type;
    uint64_t hash_type;
    uint64_t sum; /* of blocksizes */
};

static void add_size(struct rd *r, struct decoding *d, uint64_t size)
{
    if (size > UINT64_MAX - d->sum) {
        rd_fail(r, E_MALFORMED);
        return;
    }
    d->sum += size;
    d->u.blocksizes_count++;
}

/* Blocksizes come one a field, or many packed into one. */
static void read_sizes(struct rd *r, const struct pb_field *f,
                       struct decoding *d)
{
    if (f->wire != PB_BYTES) {
        add_size(r, d, pb_get_uint(r, f, UINT64_MAX));
        return;
    }
    struct rd packed = rd_init(f->bytes);
    while (rd_left(&packed) > 0 && r->err == OK) {
        uint64_t size = pb_varint(&packed);
        if (packed.err != OK)
            rd_fail(r, E_MALFORMED);
        else
            add_size(r, d, size);
    }
}

static void read_mtime(struct rd *r, const struct pb_field *f, struct unixfs *u)
{
    struct rd in = rd_init(pb_get_bytes(r, f, SIZE_MAX));
    struct pb_field part;
    bool has_seconds = false;

    while (pb_next(&in, &part)) {
        if (part.number == MTIME_SECONDS) {
            has_seconds = true;
            /* A negative number is its two's complement. */
            u->mtime_seconds = (int64_t)pb_get_uint(&in, &part, UINT64_MAX);
        } else if (part.number == MTIME_NS && part.wire == PB_FIXED32) {
            u->mtime_ns = (uint32_t)part.value;
        } else if (part.number == MTIME_NS) {
            rd_fail(&in, E_MALFORMED);
        }
    }
    if (rd_finish(&in) != OK || !has_seconds || u->mtime_ns > NS_MAX)
        rd_fail(r, E_MALFORMED);
    u->has_mtime = true;
}

static void read_field(struct rd *r, const struct pb_field *f,
                       struct decoding *d)
{
    struct unixfs *u = &d->u;

    switch (f->number) {
    case FIELD_TYPE:
        d->has_type = true;
        d->type = pb_get_uint(r, f, UINT64_MAX);
        break;
    case FIELD_DATA:
        u->has_data = true;
        u->data = pb_get_bytes(r, f, SIZE_MAX);
        break;
    case FIELD_FILESIZE:
        u->has_filesize = true;
        u->filesize = pb_get_uint(r, f, UINT64_MAX);
        break;
    case FIELD_BLOCKSIZES:
        read_sizes(r, f, d);
        break;
    case FIELD_HASH_TYPE:
        d->hash_type = pb_get_uint(r, f, UINT64_MAX);
        break;
    case FIELD_FANOUT:
        u->fanout = pb_get_uint(r, f, UINT64_MAX);
        break;
    case FIELD_MODE:
        u->has_mode = true;
        u->mode = (uint32_t)pb_get_uint(r, f, UINT64_MAX) & MODE_MASK;
        break;
    case FIELD_MTIME:
        read_mtime(r, f, u);
        break;
    default:
        break;
    }
}

static enum err check_file(struct decoding *d)
{
    struct unixfs *u = &d->u;

    if (d->sum > UINT64_MAX - u->data.len)
        return E_MALFORMED;
    uint64_t size = d->sum + u->data.len;
    if (u->has_filesize && u->filesize != size)
        return E_MALFORMED;
    u->filesize = size;
    return OK;
}

static enum err check_hamt(const struct decoding *d)
{
    uint64_t fanout = d->u.fanout;
    bool is_power = (fanout & (fanout - 1)) == 0;

    if (d->hash_type != UNIXFS_HASH_MURMUR3 || !is_power ||
        fanout < UNIXFS_FANOUT_MIN || fanout > UNIXFS_FANOUT_MAX)
        return E_UNSUPPORTED;
    return OK;
}

enum err unixfs_decode(struct bytes in, struct unixfs *ret)
{
    struct decoding d = {.u = {.data = BYTES_EMPTY}};
    struct rd r = rd_init(in);
    struct pb_field f;
    enum err err = OK;

    while (pb_next(&r, &f))
        read_field(&r, &f, &d);
    err = rd_finish(&r);
    if (err != OK)
        return err;
    if (!d.has_type)
        return E_MALFORMED;
    if (d.type > UNIXFS_HAMT)
        return E_UNSUPPORTED;
    d.u.type = (enum unixfs_type)d.type;
    if (d.u.type == UNIXFS_FILE || d.u.type == UNIXFS_RAW)
        err = check_file(&d);
    else if (d.u.type == UNIXFS_HAMT)
        err = check_hamt(&d);
    if (err == OK)
        *ret = d.u;
    return err;
}

struct unixfs_sizes unixfs_sizes_init(struct bytes in)
{
    return (struct unixfs_sizes){
        .message = rd_init(in),
        .packed = rd_init(BYTES_EMPTY),
    };
}

bool unixfs_sizes_next(struct unixfs_sizes *s, uint64_t *ret_size)
{
    struct pb_field f;

    while (rd_left(&s->packed) == 0) {
        if (!pb_next(&s->message, &f))
            return false;
        if (f.number != FIELD_BLOCKSIZES)
            continue;
        if (f.wire == PB_VARINT) {
            *ret_size = f.value;
            return true;
        }
        s->packed = rd_init(f.bytes);
    }
    *ret_size = pb_varint(&s->packed);
    return true;
}

static size_t mtime_len(const struct unixfs *u)
{
    enum { FIXED32_FIELD_BYTES = 5 };

    return pb_uint_len(MTIME_SECONDS, (uint64_t)u->mtime_seconds) +
           (u->mtime_ns > 0 ? FIXED32_FIELD_BYTES : 0);
}

size_t unixfs_len(const struct unixfs *u, const uint64_t *blocksizes)
{
    size_t len = pb_uint_len(FIELD_TYPE, (uint64_t)u->type);

    if (u->has_data)
        len += pb_bytes_len(FIELD_DATA, u->data.len);
    if (u->has_filesize)
        len += pb_uint_len(FIELD_FILESIZE, u->filesize);
    for (size_t i = 0; i < u->blocksizes_count; i++)
        len += pb_uint_len(FIELD_BLOCKSIZES, blocksizes[i]);
    if (u->type == UNIXFS_HAMT)
        len += pb_uint_len(FIELD_HASH_TYPE, UNIXFS_HASH_MURMUR3) +
               pb_uint_len(FIELD_FANOUT, u->fanout);
    if (u->has_mode)
        len += pb_uint_len(FIELD_MODE, u->mode);
    if (u->has_mtime)
        len += pb_bytes_len(FIELD_MTIME, mtime_len(u));
    return len;
}

static void put_mtime(struct wr *w, const struct unixfs *u)
{
    pb_put_head(w, FIELD_MTIME, mtime_len(u));
    pb_put_uint(w, MTIME_SECONDS, (uint64_t)u->mtime_seconds);
    if (u->mtime_ns > 0) {
        wr_u8(w, MTIME_NS << 3 | PB_FIXED32);
        wr_le32(w, u->mtime_ns);
    }
}

void unixfs_put(struct wr *w, const struct unixfs *u,
                const uint64_t *blocksizes)
{
    pb_put_uint(w, FIELD_TYPE, (uint64_t)u->type);
    if (u->has_data)
        pb_put_bytes(w, FIELD_DATA, u->data);
    if (u->has_filesize)
        pb_put_uint(w, FIELD_FILESIZE, u->filesize);
    for (size_t i = 0; i < u->blocksizes_count; i++)
        pb_put_uint(w, FIELD_BLOCKSIZES, blocksizes[i]);
    if (u->type == UNIXFS_HAMT) {
        pb_put_uint(w, FIELD_HASH_TYPE, UNIXFS_HASH_MURMUR3);
        pb_put_uint(w, FIELD_FANOUT, u->fanout);
    }
    if (u->has_mode)
        pb_put_uint(w, FIELD_MODE, u->mode);
    if (u->has_mtime)
        put_mtime(w, u);
}
