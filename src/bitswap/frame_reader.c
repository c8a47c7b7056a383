#include "bitswap/frame_reader.h"

#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "bitswap/message.h"

void bs_frame_reader_init(struct bs_frame_reader *r)
{
    *r = (struct bs_frame_reader){.buf = NULL};
}

void bs_frame_reader_release(struct bs_frame_reader *r)
{
    buf_unref(r->buf);
    bs_frame_reader_init(r);
}

static enum err fail(struct bs_frame_reader *r, enum err err)
{
    bs_frame_reader_release(r);
    r->err = err;
    return err;
}

/* Moves the first @len bytes of @in to @dst. */
static void take(struct bytes *in, uint8_t *dst, size_t len)
{
    if (len > 0)
        memcpy(dst, in->p, len);
    *in = bytes_sub(*in, len, in->len - len);
}

/* The length prefix, byte by byte: it may be cut anywhere. */
static enum err read_head(struct bs_frame_reader *r, struct bytes *in)
{
    do {
        if (in->len == 0)
            return E_AGAIN;
        if (r->head_len == BS_FRAME_HEAD_MAX)
            return fail(r, E_LIMIT);
        take(in, &r->head[r->head_len++], 1);
    } while ((r->head[r->head_len - 1] & 0x80) != 0);

    struct rd rd = rd_init((struct bytes){.p = r->head, .len = r->head_len});
    uint64_t len = rd_uvarint(&rd);
    enum err err = rd_finish(&rd);
    if (err != OK)
        return fail(r, err);
    if (len > BS_MESSAGE_BYTES_MAX)
        return fail(r, E_LIMIT);
    r->len = (size_t)len;
    r->buf =
        buf_new(r->len < BS_FRAME_START_BYTES ? r->len : BS_FRAME_START_BYTES);
    return OK;
}

static void grow(struct bs_frame_reader *r)
{
    size_t at = bs_message_data_at(buf_bytes(r->buf));
    struct buf *whole = buf_new_aligned(r->len, at < r->len ? at : 0);

    memcpy(whole->data, r->buf->data, r->buf->len);
    whole->len = r->buf->len;
    buf_unref(r->buf);
    r->buf = whole;
}

static void fill(struct bs_frame_reader *r, struct bytes *in)
{
    size_t room = r->buf->max - r->buf->len;
    size_t len = in->len < room ? in->len : room;

    take(in, r->buf->data + r->buf->len, len);
    r->buf->len += len;
}

enum err bs_frame_reader_next(struct bs_frame_reader *r, struct bytes *in,
                              struct buf **ret_message)
{
    if (r->err != OK)
        return r->err;
    if (r->buf == NULL) {
        enum err err = read_head(r, in);
        if (err != OK)
            return err;
    }
    fill(r, in);
    if (r->buf->len == r->buf->max && r->buf->max < r->len) {
        grow(r);
        fill(r, in);
    }
    if (r->buf->len < r->len)
        return E_AGAIN;
    *ret_message = r->buf;
    bs_frame_reader_init(r);
    return OK;
}

bool bs_frame_reader_idle(const struct bs_frame_reader *r)
{
    return r->buf == NULL && r->head_len == 0;
}

size_t bs_frame_reader_memory(const struct bs_frame_reader *r)
{
    return r->buf != NULL ? r->buf->max : 0;
}
