#ifndef BITSWAP_FRAME_READER_H
#define BITSWAP_FRAME_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    /* Room taken for a message before any of it has come. */
    BS_FRAME_START_BYTES = 64 * 1024,
    BS_FRAME_HEAD_MAX = 4, /* bytes of the longest length prefix we take */
};

/**
 * struct bs_frame_reader - cuts one inbound stream into messages.
 *
 * Each message is put together in a buf of its own, of which its blocks are
 * slices.  At first the buf has room for BS_FRAME_START_BYTES; once so much
 * has come it gets the whole length, so that a long message costs one move of
 * its beginning and a lying length prefix costs little.  It then lies such that
 * the bytes of its first block do so as buf_new_aligned() tells.  All fields
 * are private.
 */
struct bs_frame_reader {
    struct buf *buf; /* NULL while the length prefix is read */
    size_t len;      /* of the message being read */
    uint8_t head[BS_FRAME_HEAD_MAX];
    uint8_t head_len;
    enum err err; /* OK, or what ended the stream */
};

/** bs_frame_reader_init - reader at the beginning of a stream. */
void bs_frame_reader_init(struct bs_frame_reader *r);

/** bs_frame_reader_release - drop a message that is not complete. */
void bs_frame_reader_release(struct bs_frame_reader *r);

/**
 * bs_frame_reader_next - go on until a message is complete or @in is used up.
 * @in: bytes of the stream; set to what was not looked at yet.
 * @ret_message: the message without its length prefix, maybe empty; one
 *   reference, which passes to the caller; on OK only.
 *
 * Return: OK, call again; E_AGAIN when @in is used up; E_MALFORMED for a length
 * that is no varint and E_LIMIT for one over BS_MESSAGE_BYTES_MAX, from then on
 * always: the stream is to be reset.
 */
MUST_USE enum err bs_frame_reader_next(struct bs_frame_reader *r,
                                       struct bytes *in,
                                       struct buf **ret_message);

/** bs_frame_reader_idle - true between messages: the stream may end here. */
bool bs_frame_reader_idle(const struct bs_frame_reader *r);

/** bs_frame_reader_memory - bytes that an incomplete message holds. */
size_t bs_frame_reader_memory(const struct bs_frame_reader *r);

#endif /* BITSWAP_FRAME_READER_H */
