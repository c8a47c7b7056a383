/*
 * Goal: Yamux frames are what other programs speak, windows are kept to the
 * byte, and a peer that breaks the rules is found out.  Method: worked bytes
 * of the specification; two sessions joined by hand; frames made by hand.
 */
#include "base/mem.h"
#include "libp2p/yamux.h"

#include "test.h"

static const uint8_t seed[16] = {1};

static struct bytes view(const uint8_t *p, size_t len)
{
    return (struct bytes){.p = p, .len = len};
}

/* All that @y has to send, at @dst. */
static size_t flush(struct yamux *y, uint8_t *dst, size_t max)
{
    static struct yamux_batch b;
    size_t len = 0;

    while (yamux_has_output(y)) {
        yamux_fill(y, YAMUX_HEAD_BYTES + YAMUX_PAYLOAD_MAX, &b);
        if (b.bytes == 0)
            break;
        size_t sum = 0;
        for (size_t i = 0; i < b.pieces_count; i++) {
            assert_true(b.pieces[i].len <= max - len);
            memcpy(dst + len, b.pieces[i].p, b.pieces[i].len);
            len += b.pieces[i].len;
            sum += b.pieces[i].len;
        }
        assert_int_equal(sum, b.bytes);
        assert_true(b.bytes <= YAMUX_HEAD_BYTES + YAMUX_PAYLOAD_MAX);
        yamux_batch_release(&b);
    }
    return len;
}

static void expect_output(struct yamux *y, const char *hex)
{
    static uint8_t got[1 << 20];
    uint8_t want[512];
    size_t len = flush(y, got, sizeof(got));
    assert_int_equal(len, unhex(hex, want, sizeof(want)));
    assert_memory_equal(got, want, len);
}

static struct yamux_event input(struct yamux *y, const char *hex)
{
    static uint8_t room[512]; /* data of the event points here */
    struct bytes in = view(room, unhex(hex, room, sizeof(room)));
    return yamux_next(y, &in);
}

static void write_text(struct yamux *y, struct yamux_stream *s,
                       const char *text)
{
    struct buf *b = buf_copy(bytes_str(text));
    yamux_write(y, s, (struct slice){.buf = b, .bytes = buf_bytes(b)});
}

static void write_zeros(struct yamux *y, struct yamux_stream *s, size_t len)
{
    struct buf *b = buf_new(len);
    memset(b->data, 0, len);
    b->len = len;
    yamux_write(y, s, (struct slice){.buf = b, .bytes = buf_bytes(b)});
}

static void test_heads(void **state)
{
    (void)state;
    uint8_t in[12];
    struct yamux_head h;
    assert_int_equal(unhex("000100010000000100fc0000", in, 12), 12);
    assert_int_equal(yamux_head_read(in, &h), OK);
    assert_int_equal(h.type, YAMUX_TYPE_WINDOW);
    assert_int_equal(h.flags, YAMUX_SYN);
    assert_int_equal(h.stream, 1);
    assert_int_equal(h.length, 0xfc0000);
    uint8_t out[12];
    yamux_head_write(&h, out);
    assert_memory_equal(in, out, 12);
    in[0] = 1;
    assert_int_equal(yamux_head_read(in, &h), E_UNSUPPORTED);
    in[0] = 0;
    in[1] = 4;
    assert_int_equal(yamux_head_read(in, &h), E_UNSUPPORTED);
    in[1] = 3;
    assert_int_equal(yamux_head_read(in, &h), OK);
}

static void test_worked_bytes(void **state)
{
    (void)state;
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    yamux_init(&y, true, 0, seed);
    assert_false(yamux_has_output(&y));
    assert_int_equal(yamux_open(&y, &s), OK);
    write_text(&y, &s, "hello");
    yamux_close_write(&y, &s);
    expect_output(&y, "000100010000000100000000"
                      "00000000000000010000000568656c6c6f"
                      "000100040000000100000000");
    yamux_ping(&y, 7);
    expect_output(&y, "000200010000000000000007");
    assert_int_equal(input(&y, "000200010000000000000007").type, YAMUX_PINGED);
    expect_output(&y, "000200020000000000000007");
    struct yamux_event e = input(&y, "000200020000000000000007");
    assert_int_equal(e.type, YAMUX_PONG);
    assert_int_equal(e.code, 7);
    e = input(&y, "000300000000000000000001");
    assert_int_equal(e.type, YAMUX_GOAWAY);
    assert_int_equal(e.code, 1);
    assert_true(yamux_stream_reset(&y, &s, 0));
    expect_output(&y, "000100080000000100000000");
    yamux_release(&y);
}

static void test_accept_with_window(void **state)
{
    (void)state;
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    yamux_init(&y, false, YAMUX_WINDOW_MAX, seed);
    assert_int_equal(input(&y, "000100010000000100000000").type, YAMUX_OPENED);
    yamux_accept(&y, &s);
    yamux_grant(&y, &s, YAMUX_WINDOW_MAX);
    expect_output(&y, "00010002 00000001 00fc0000");
    yamux_stream_release(&y, &s);
    yamux_release(&y);
}

/* SYN, data, FIN in one frame, which comes byte by byte. */
static void test_all_in_one_frame(void **state)
{
    (void)state;
    uint8_t frame[15];
    assert_int_equal(unhex("000000050000000300000003616263", frame, 15), 15);
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    yamux_init(&y, false, 0, seed);
    int opened = 0;
    int eof = 0;
    char text[4] = {0};
    size_t len = 0;
    for (size_t i = 0; i < sizeof(frame); i++) {
        struct bytes in = view(frame + i, 1);
        for (;;) {
            struct yamux_event e = yamux_next(&y, &in);
            if (e.type == YAMUX_MORE)
                break;
            if (e.type == YAMUX_OPENED) {
                opened++;
                yamux_accept(&y, &s);
            } else if (e.type == YAMUX_DATA) {
                assert_ptr_equal(e.stream, &s);
                memcpy(text + len, e.data.p, e.data.len);
                len += e.data.len;
            } else {
                assert_int_equal(e.type, YAMUX_EOF);
                eof++;
            }
        }
        assert_int_equal(in.len, 0);
    }
    assert_int_equal(opened, 1);
    assert_int_equal(eof, 1);
    assert_string_equal(text, "abc");
    assert_int_equal(s.unread, 3);
    yamux_stream_release(&y, &s);
    yamux_release(&y);
}

/* The sender stops at the window, to the byte, and goes on with more. */
static void test_send_window(void **state)
{
    (void)state;
    static uint8_t out[1 << 20];
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    yamux_init(&y, true, 0, seed);
    assert_int_equal(yamux_open(&y, &s), OK);
    write_zeros(&y, &s, YAMUX_WINDOW_MIN + 5);
    size_t len = flush(&y, out, sizeof(out));
    size_t heads =
        1 + (YAMUX_WINDOW_MIN + YAMUX_PAYLOAD_MAX - 1) / YAMUX_PAYLOAD_MAX;
    assert_int_equal(len, heads * 12 + YAMUX_WINDOW_MIN);
    assert_int_equal(s.sendq.bytes, 5);
    assert_false(yamux_has_output(&y));
    yamux_close_write(&y, &s);
    assert_false(yamux_has_output(&y)); /* FIN waits for the data */
    assert_int_equal(input(&y, "000100020000000100000000").type, YAMUX_MORE);
    /* A delta of 5: without use for flood control, but it counts. */
    assert_int_equal(input(&y, "000100000000000100000005").type, YAMUX_NOTHING);
    len = flush(&y, out, sizeof(out));
    assert_int_equal(len, 12 + 5 + 12);
    assert_true(s.fin_sent);
    yamux_stream_release(&y, &s);
    yamux_release(&y);
}

static enum yamux_event_type data_of(struct yamux *y, uint32_t id, uint32_t len)
{
    uint8_t head[12];
    yamux_head_write(&(struct yamux_head){.type = YAMUX_TYPE_DATA,
                                          .stream = id,
                                          .length = len},
                     head);
    struct bytes in = view(head, sizeof(head));
    return yamux_next(y, &in).type;
}

/* What may come is the window, to the byte. */
static void test_receive_window(void **state)
{
    (void)state;
    for (uint32_t over = 0; over <= 1; over++) {
        struct yamux y;
        struct yamux_stream s = {.id = 0};
        yamux_init(&y, false, 0, seed);
        assert_int_equal(input(&y, "000100010000000100000000").type,
                         YAMUX_OPENED);
        yamux_accept(&y, &s);
        assert_int_equal(data_of(&y, 1, YAMUX_WINDOW_MIN + over),
                         over == 0 ? YAMUX_MORE : YAMUX_VIOLATION);
        yamux_stream_release(&y, &s);
        yamux_release(&y);
    }
}

static void take(struct yamux *y, struct yamux_stream *s, size_t len)
{
    static uint8_t zeros[1 << 20];
    assert_int_equal(data_of(y, s->id, (uint32_t)len), YAMUX_MORE);
    struct bytes in = view(zeros, len);
    struct yamux_event e = yamux_next(y, &in);
    assert_int_equal(e.type, YAMUX_DATA);
    assert_int_equal(e.data.len, len);
}

static void test_window_updates(void **state)
{
    (void)state;
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    struct mtime now = {.ns = 1000};
    yamux_init(&y, false, YAMUX_WINDOW_MIN, seed);
    y.rtt_ns = 1000;
    assert_int_equal(input(&y, "000100010000000100000000").type, YAMUX_OPENED);
    yamux_accept(&y, &s);
    expect_output(&y, "000100020000000100000000");
    size_t half = YAMUX_WINDOW_MIN / 2;
    take(&y, &s, half);
    yamux_consumed(&y, &s, half - 1, now);
    expect_output(&y, ""); /* less than half a window */
    yamux_consumed(&y, &s, 1, now);
    expect_output(&y, "000100000000000100020000");
    /* The next half within 4 round trips: the window doubles. */
    now.ns += 3999;
    take(&y, &s, half);
    yamux_consumed(&y, &s, half, now);
    expect_output(&y, "000100000000000100060000");
    /* The connection's limit is reached: no more growth. */
    take(&y, &s, 2 * half);
    yamux_consumed(&y, &s, 2 * half, now);
    expect_output(&y, "000100000000000100040000");
    assert_int_equal(y.extra, YAMUX_WINDOW_MIN);
    yamux_stream_release(&y, &s);
    assert_int_equal(y.extra, 0);
    yamux_release(&y);
}

static void test_no_growth_when_slow(void **state)
{
    (void)state;
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    struct mtime now = {.ns = 1000};
    yamux_init(&y, false, YAMUX_WINDOW_MAX, seed);
    y.rtt_ns = 1000;
    assert_int_equal(input(&y, "000100010000000100000000").type, YAMUX_OPENED);
    yamux_accept(&y, &s);
    for (int i = 0; i < 8; i++) {
        take(&y, &s, YAMUX_WINDOW_MIN / 2);
        yamux_consumed(&y, &s, YAMUX_WINDOW_MIN / 2, now);
        now.ns += 4000;
    }
    assert_int_equal(y.extra, 0);
    yamux_stream_release(&y, &s);
    yamux_release(&y);
}

static void test_wrong_syns(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "000100010000000200000000", /* our own parity */
        "000100010000000000000000", /* id 0 */
        "010100010000000100000000", /* another version */
        "000400010000000100000000", /* an unknown type */
    };
    for (size_t i = 0; i < countof(bad); i++) {
        struct yamux y;
        yamux_init(&y, false, 0, seed);
        assert_int_equal(input(&y, bad[i]).type, YAMUX_VIOLATION);
        /* Nothing comes after it. */
        assert_int_equal(input(&y, "000200010000000000000007").type,
                         YAMUX_MORE);
        yamux_release(&y);
    }
}

static void test_same_id_twice(void **state)
{
    (void)state;
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    yamux_init(&y, false, 0, seed);
    assert_int_equal(input(&y, "000100010000000100000000").type, YAMUX_OPENED);
    yamux_accept(&y, &s);
    struct bytes none = BYTES_EMPTY;
    assert_int_equal(yamux_next(&y, &none).type, YAMUX_MORE);
    assert_int_equal(input(&y, "000100010000000100000000").type,
                     YAMUX_VIOLATION);
    yamux_stream_release(&y, &s);
    yamux_release(&y);
}

/* Drained in silence, but counted, and not without end. */
static void test_unknown_streams(void **state)
{
    (void)state;
    static const char *const late[] = {
        "000100000000000900000010", "000100080000000900000000",
        "000100040000000900000000", "000100020000000900000000",
        "000000000000000900000000"};
    struct yamux y;
    yamux_init(&y, false, 0, seed);
    for (size_t i = 0; i < countof(late); i++) {
        assert_int_equal(input(&y, late[i]).type, YAMUX_NOTHING);
        struct bytes none = BYTES_EMPTY;
        assert_int_equal(yamux_next(&y, &none).type, YAMUX_MORE);
    }
    expect_output(&y, ""); /* no reset in answer */
    assert_int_equal(data_of(&y, 9, YAMUX_LATE_MIN), YAMUX_NOTHING);
    static uint8_t zeros[YAMUX_LATE_MIN];
    struct bytes in = view(zeros, sizeof(zeros));
    assert_int_equal(yamux_next(&y, &in).type, YAMUX_MORE);
    assert_int_equal(data_of(&y, 9, 1), YAMUX_VIOLATION);
    yamux_release(&y);

    yamux_init(&y, false, 0, seed);
    assert_int_equal(data_of(&y, 9, UINT32_MAX), YAMUX_VIOLATION);
    yamux_release(&y);
}

/* What is on its way when we reset a stream may come. */
static void test_late_after_our_reset(void **state)
{
    (void)state;
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    yamux_init(&y, false, 0, seed);
    assert_int_equal(input(&y, "000100010000000100000000").type, YAMUX_OPENED);
    yamux_accept(&y, &s);
    expect_output(&y, "000100020000000100000000");
    assert_true(yamux_stream_reset(&y, &s, 0x1002));
    expect_output(&y, "000100080000000100001002");
    assert_int_equal(data_of(&y, 1, YAMUX_LATE_MIN + YAMUX_WINDOW_MIN),
                     YAMUX_NOTHING);
    yamux_release(&y);
}

static void test_unsent_stream_is_not_reset(void **state)
{
    (void)state;
    struct yamux y;
    struct yamux_stream s = {.id = 0};
    yamux_init(&y, true, 0, seed);
    assert_int_equal(yamux_open(&y, &s), OK);
    assert_true(yamux_stream_reset(&y, &s, 0));
    expect_output(&y, "");
    yamux_release(&y);
}

static void test_unacked_limit(void **state)
{
    (void)state;
    struct yamux y;
    struct yamux_stream *s = mem_zalloc(YAMUX_UNACKED_MAX + 2, sizeof(*s));
    yamux_init(&y, true, 0, seed);
    for (size_t i = 0; i < YAMUX_UNACKED_MAX; i++)
        assert_int_equal(yamux_open(&y, &s[i]), OK);
    assert_int_equal(yamux_open(&y, &s[YAMUX_UNACKED_MAX]), E_LIMIT);
    assert_int_equal(input(&y, "000100020000000100000000").type, YAMUX_MORE);
    assert_int_equal(yamux_open(&y, &s[YAMUX_UNACKED_MAX]), OK);
    assert_int_equal(yamux_open(&y, &s[YAMUX_UNACKED_MAX + 1]), E_LIMIT);
    struct yamux_stream *first;
    while ((first = yamux_first_stream(&y)) != NULL)
        yamux_stream_release(&y, first);
    yamux_release(&y);
    mem_free(s);
}

/* Streams take turns, frame by frame. */
static void test_round_robin(void **state)
{
    (void)state;
    static uint8_t out[1 << 20];
    struct yamux y;
    struct yamux_stream s[2] = {{.id = 0}, {.id = 0}};
    yamux_init(&y, true, 0, seed);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(yamux_open(&y, &s[i]), OK);
        write_zeros(&y, &s[i], (size_t)3 * YAMUX_PAYLOAD_MAX);
    }
    size_t len = flush(&y, out, sizeof(out));
    uint32_t order[16];
    size_t count = 0;
    for (size_t at = 24; at < len;) {
        struct yamux_head h;
        assert_int_equal(yamux_head_read(out + at, &h), OK);
        if (count == 0 || order[count - 1] != h.stream)
            order[count++] = h.stream;
        at += 12 + h.length;
    }
    assert_true(count >= 6);
    for (int i = 0; i < 2; i++)
        yamux_stream_release(&y, &s[i]);
    yamux_release(&y);
}

static void test_pongs_are_limited(void **state)
{
    (void)state;
    struct yamux y;
    static uint8_t out[4096];
    yamux_init(&y, false, 0, seed);
    for (int i = 0; i < YAMUX_PONGS_MAX + 5; i++)
        assert_int_equal(input(&y, "000200010000000000000007").type,
                         YAMUX_PINGED);
    assert_int_equal(flush(&y, out, sizeof(out)), 12 * YAMUX_PONGS_MAX);
    yamux_release(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_worked_bytes),
        cmocka_unit_test(test_accept_with_window),
        cmocka_unit_test(test_all_in_one_frame),
        cmocka_unit_test(test_send_window),
        cmocka_unit_test(test_receive_window),
        cmocka_unit_test(test_window_updates),
        cmocka_unit_test(test_no_growth_when_slow),
        cmocka_unit_test(test_wrong_syns),
        cmocka_unit_test(test_same_id_twice),
        cmocka_unit_test(test_unknown_streams),
        cmocka_unit_test(test_late_after_our_reset),
        cmocka_unit_test(test_unsent_stream_is_not_reset),
        cmocka_unit_test(test_unacked_limit),
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_pongs_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
