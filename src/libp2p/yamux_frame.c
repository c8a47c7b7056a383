#include "libp2p/yamux_frame.h"

#include <assert.h>

#include "base/rd.h"
#include "base/wr.h"

enum err yamux_head_read(const uint8_t in[static YAMUX_HEAD_BYTES],
                         struct yamux_head *ret_head)
{
    struct rd r = rd_init((struct bytes){.p = in, .len = YAMUX_HEAD_BYTES});
    uint8_t version = rd_u8(&r);
    uint8_t type = rd_u8(&r);
    uint16_t flags = rd_be16(&r);
    uint32_t stream = rd_be32(&r);
    uint32_t length = rd_be32(&r);

    if (version != 0 || type > YAMUX_TYPE_GOAWAY)
        return E_UNSUPPORTED;
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    *ret_head = (struct yamux_head){
        .type = (enum yamux_type)type,
        .flags = flags,
        .stream = stream,
        .length = length,
    };
    return OK;
}

void yamux_head_write(const struct yamux_head *head,
                      uint8_t dst[static YAMUX_HEAD_BYTES])
{
    struct wr w = wr_init(dst, YAMUX_HEAD_BYTES);
    wr_u8(&w, 0);
    wr_u8(&w, (uint8_t)head->type);
    wr_be16(&w, head->flags);
    wr_be32(&w, head->stream);
    wr_be32(&w, head->length);
    assert(wr_len(&w) == YAMUX_HEAD_BYTES);
}
