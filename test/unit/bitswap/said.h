#ifndef TEST_UNIT_BITSWAP_SAID_H
#define TEST_UNIT_BITSWAP_SAID_H

#include "base/mem.h"
#include "base/mtime.h"
#include "bitswap/client.h"
#include "bitswap/message.h"
#include "crypto/hash.h"
#include "multiformats/multicodec.h"
#include "multiformats/peer_id.h"

#include "test.h"

/*
 * said - a message in one piece with its items, and ways to make messages.
 */

enum { SAID_MAX = 2048 };

struct said {
    struct buf *buf; /* of the whole frame */
    struct bs_message message;
    size_t count;
    struct bs_item items[SAID_MAX];
};

/** said_bytes - read the message @in, which is well formed. */
static inline void said_bytes(struct said *s, struct bytes in)
{
    s->buf = buf_copy(in);
    s->count = 0;
    assert_int_equal(bs_message_decode(buf_bytes(s->buf), &s->message), OK);
    struct bs_cursor c = bs_cursor_init(&s->message);
    while (s->count < SAID_MAX && bs_cursor_next(&c, &s->items[s->count]))
        s->count++;
}

/** said_frame - read the message of @frame, and free the frame. */
static inline void said_frame(struct said *s, struct bs_frame *frame)
{
    struct buf *all = buf_new(frame->len);
    for (size_t i = 0; i < frame->parts_count; i++) {
        struct bytes part = frame->parts[i].bytes;
        memcpy(all->data + all->len, part.p, part.len);
        all->len += part.len;
    }
    struct rd r = rd_init(buf_bytes(all));
    uint64_t len = rd_uvarint(&r);
    assert_int_equal(len, rd_left(&r));
    said_bytes(s, rd_rest(&r));
    buf_unref(all);
    bs_frame_free(frame);
}

/** said_free - drop the message. */
static inline void said_free(struct said *s)
{
    buf_unref(s->buf);
    s->buf = NULL;
}

/** some_peer - a peer id made of @n. */
static inline struct peer_id some_peer(uint16_t n)
{
    struct peer_id id;
    uint8_t key[5] = {0, 3, 'p', (uint8_t)(n >> 8), (uint8_t)n};
    assert_int_equal(peer_id_decode((struct bytes){key, 5}, &id), OK);
    return id;
}

/** some_data - @len bytes that differ by @n. */
static inline struct slice some_data(uint32_t n, size_t len)
{
    struct buf *b = buf_new(len);
    memset(b->data, (int)(n % 251), len);
    for (size_t i = 0; i < 4 && i < len; i++)
        b->data[i] = (uint8_t)(n >> (8 * i));
    b->len = len;
    return (struct slice){.buf = b, .bytes = buf_bytes(b)};
}

/** some_cid - CID of some_data(n, len). */
static inline struct cid some_cid(uint32_t n, size_t len)
{
    struct slice data = some_data(n, len);
    struct cid cid = cid_of(CODEC_RAW, data.bytes);
    slice_release(&data);
    return cid;
}

static inline struct mtime at_ms(uint32_t ms)
{
    return mtime_add_ms((struct mtime){0}, ms);
}

/** said_number - where @id is in @ids; it is there. */
static inline size_t said_number(const struct peer_id *ids,
                                 const struct peer_id *id)
{
    size_t i = 0;
    while (!peer_id_eq(&ids[i], id))
        i++;
    return i;
}

/** said_hash - compute what @out of @client asks for. */
static inline void said_hash(struct bs_client *client,
                             struct bs_client_out *out, struct mtime now)
{
    uint8_t digest[HASH_BYTES_MAX];
    size_t len = 0;
    assert_int_equal(
        hash_compute(out->hash_code, out->data.bytes, digest, &len), OK);
    bs_client_on_hashed(client, out->hash_id, (struct bytes){digest, len}, now);
    slice_release(&out->data);
}

#endif /* TEST_UNIT_BITSWAP_SAID_H */
