/*
 * Goal: a stream means the same however it is cut: the messages found in one
 * piece are those found in pieces whose lengths the input chooses.
 * Input: a byte of seed for the lengths, then the stream.
 */
#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "bitswap/frame_reader.h"
#include "bitswap/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct result {
    enum err err;
    size_t count;
    uint64_t hash;
    bool idle;
};

static void take(struct bs_frame_reader *r, struct bytes in,
                 struct result *result)
{
    static const uint8_t key[16];
    struct buf *message;

    while (result->err == OK || result->err == E_AGAIN) {
        size_t before = in.len;
        result->err = bs_frame_reader_next(r, &in, &message);
        assert(in.len <= before);
        assert(bs_frame_reader_memory(r) <= BS_MESSAGE_BYTES_MAX);
        if (result->err != OK)
            break;
        result->count++;
        result->hash = result->hash * 31 + siphash13(key, buf_bytes(message));
        assert(message->refs == 1);
        buf_unref(message);
    }
    assert(result->err != E_AGAIN || in.len == 0);
}

static struct result read_all(struct bytes in, uint32_t seed)
{
    struct bs_frame_reader r;
    struct result result = {.err = OK};

    bs_frame_reader_init(&r);
    do {
        size_t len = in.len;
        seed = seed * 1664525 + 1013904223;
        if (seed != 0 && len > 1 + (seed >> 24) % 61)
            len = 1 + (seed >> 24) % 61;
        take(&r, bytes_sub(in, 0, len), &result);
        in = bytes_sub(in, len, in.len - len);
    } while (in.len > 0);
    result.idle = bs_frame_reader_idle(&r);
    bs_frame_reader_release(&r);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t none[1];

    if (len == 0)
        return 0;
    struct bytes in = {.p = len > 1 ? data + 1 : none, .len = len - 1};
    struct bs_frame_reader whole_reader;
    struct result whole = {.err = OK};
    bs_frame_reader_init(&whole_reader);
    take(&whole_reader, in, &whole);
    whole.idle = bs_frame_reader_idle(&whole_reader);
    bs_frame_reader_release(&whole_reader);
    struct result pieces = read_all(in, data[0]);
    assert(whole.err == pieces.err);
    assert(whole.count == pieces.count);
    assert(whole.hash == pieces.hash);
    assert(whole.idle == pieces.idle);
    return 0;
}
