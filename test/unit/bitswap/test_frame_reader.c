/*
 * Goal: a stream is cut into its messages however its bytes arrive, and memory
 * follows what has come, not what was announced.
 * Method: streams of messages of many sizes fed in pieces of every size, the
 * length limit at the limit and one past it, and each kind of bad length.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "bitswap/frame_reader.h"
#include "bitswap/message.h"
#include "multiformats/multicodec.h"

#include "test.h"

static size_t put_message(uint8_t *dst, size_t max, size_t len)
{
    struct wr w = wr_init(dst, max);
    wr_uvarint(&w, len);
    for (size_t i = 0; i < len; i++)
        wr_u8(&w, (uint8_t)(len + i));
    assert_int_equal(w.err, OK);
    return wr_len(&w);
}

/* Reads messages out of @in and compares them with @sizes from @from on. */
static size_t take_all(struct bs_frame_reader *r, struct bytes in,
                       const size_t *sizes, size_t from)
{
    struct buf *message;
    enum err err;
    while ((err = bs_frame_reader_next(r, &in, &message)) == OK) {
        assert_int_equal(message->len, sizes[from]);
        for (size_t i = 0; i < message->len; i++) {
            if (message->data[i] != (uint8_t)(message->len + i))
                fail_msg("byte %zu of message %zu", i, from);
        }
        assert_true(bs_frame_reader_idle(r));
        assert_int_equal(message->refs, 1);
        buf_unref(message);
        from++;
    }
    assert_int_equal(err, E_AGAIN);
    assert_int_equal(in.len, 0);
    return from;
}

static void test_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,
                                   127,   128,
                                   5,     300,
                                   0,     0,
                                   20000, BS_FRAME_START_BYTES,
                                   3,     BS_FRAME_START_BYTES + 1,
                                   200000};
    enum { MAX = 512 * 1024 };
    uint8_t *stream = mem_alloc(MAX);
    size_t len = 0;
    for (size_t i = 0; i < countof(sizes); i++)
        len += put_message(stream + len, MAX - len, sizes[i]);
    static const size_t pieces[] = {1, 2, 3, 7, 100, 4096, 65536, MAX};
    for (size_t p = 0; p < countof(pieces); p++) {
        struct bs_frame_reader r;
        bs_frame_reader_init(&r);
        size_t count = 0;
        for (size_t at = 0; at < len; at += pieces[p]) {
            size_t part = len - at < pieces[p] ? len - at : pieces[p];
            /* A copy of its own shows reads past the piece. */
            uint8_t *copy = mem_dup(stream + at, part);
            count = take_all(&r, (struct bytes){copy, part}, sizes, count);
            mem_free(copy);
        }
        assert_int_equal(count, countof(sizes));
        assert_true(bs_frame_reader_idle(&r));
        bs_frame_reader_release(&r);
    }
    mem_free(stream);
}

/* A block of a long message lies where a device can take it from. */
static void test_alignment(void **state)
{
    (void)state;
    enum { BLOCK = 300000 };
    struct buf *b = buf_new(BLOCK);
    memset(b->data, 5, BLOCK);
    b->len = BLOCK;
    struct bs_reply_item item = {
        .kind = BS_ITEM_BLOCK,
        .data = {.buf = b, .bytes = buf_bytes(b)},
        .cid = {.version = 1,
                .codec = CODEC_RAW,
                .hash = {.code = 0x12, .len = 32}},
    };
    struct bs_frame *frame = bs_reply_encode(&item, 1, BS_1_2_0);
    struct bs_frame_reader r;
    struct buf *message = NULL;
    bs_frame_reader_init(&r);
    for (size_t i = 0; i < frame->parts_count; i++) {
        struct bytes in = frame->parts[i].bytes;
        bool last = i + 1 == frame->parts_count;
        assert_int_equal(bs_frame_reader_next(&r, &in, &message),
                         last ? OK : E_AGAIN);
    }
    assert_non_null(message);
    if (message == NULL)
        return;
    const uint8_t *data = message->data + message->len - BLOCK;
    assert_int_equal((uintptr_t)data % BUF_ALIGN_BYTES, 0);
    assert_int_equal(data[0], 5);
    assert_int_equal(data[BLOCK - 1], 5);
    assert_int_not_equal(data[-1], 5);
    buf_unref(message);
    bs_frame_free(frame);
}

static void test_memory(void **state)
{
    (void)state;
    struct bs_frame_reader r;
    struct buf *message;
    bs_frame_reader_init(&r);
    uint8_t head[8];
    struct wr w = wr_init(head, sizeof(head));
    wr_uvarint(&w, BS_MESSAGE_BYTES_MAX);
    struct bytes in = {head, wr_len(&w)};
    assert_int_equal(bs_frame_reader_next(&r, &in, &message), E_AGAIN);
    assert_int_equal(bs_frame_reader_memory(&r), BS_FRAME_START_BYTES);
    assert_false(bs_frame_reader_idle(&r));
    static uint8_t bytes[BS_FRAME_START_BYTES];
    in = (struct bytes){bytes, sizeof(bytes) - 1};
    assert_int_equal(bs_frame_reader_next(&r, &in, &message), E_AGAIN);
    assert_int_equal(bs_frame_reader_memory(&r), BS_FRAME_START_BYTES);
    in = (struct bytes){bytes, 1};
    assert_int_equal(bs_frame_reader_next(&r, &in, &message), E_AGAIN);
    assert_int_equal(bs_frame_reader_memory(&r), BS_MESSAGE_BYTES_MAX);
    for (size_t i = 1; i < BS_MESSAGE_BYTES_MAX / sizeof(bytes); i++) {
        in = (struct bytes){bytes, sizeof(bytes)};
        bool last = i + 1 == BS_MESSAGE_BYTES_MAX / sizeof(bytes);
        assert_int_equal(bs_frame_reader_next(&r, &in, &message),
                         last ? OK : E_AGAIN);
    }
    assert_int_equal(message->len, BS_MESSAGE_BYTES_MAX);
    assert_int_equal(bs_frame_reader_memory(&r), 0);
    buf_unref(message);

    /* A short message takes no more than it is long. */
    in = BYTES_LIT("\x05"
                   "ab");
    assert_int_equal(bs_frame_reader_next(&r, &in, &message), E_AGAIN);
    assert_int_equal(bs_frame_reader_memory(&r), 5);
    bs_frame_reader_release(&r);
    assert_true(bs_frame_reader_idle(&r));
}

static void test_bad_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
    } cases[] = {
        {"80808002", E_AGAIN},   /* 4 MiB */
        {"81808002", E_LIMIT},   /* and one byte */
        {"ffffff7f", E_LIMIT},   /* longest in four bytes */
        {"8080808001", E_LIMIT}, /* five bytes */
        {"8000", E_MALFORMED},   /* not minimal */
        {"81808000", E_MALFORMED}, {"808080", E_AGAIN},
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct bs_frame_reader r;
        struct buf *message;
        uint8_t bytes[16];
        bs_frame_reader_init(&r);
        struct bytes in = {bytes, unhex(cases[i].hex, bytes, sizeof(bytes))};
        assert_int_equal(bs_frame_reader_next(&r, &in, &message), cases[i].err);
        in = BYTES_LIT("\x01x");
        if (cases[i].err != E_AGAIN)
            assert_int_equal(bs_frame_reader_next(&r, &in, &message),
                             cases[i].err);
        bs_frame_reader_release(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_bad_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
