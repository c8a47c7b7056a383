/*
 * Goal: a liar alters what it says it alters and nothing else, and a session
 * of Yamux can go on behind it.
 *
 * Method: frames are put together by hand and given in one read, and in reads
 * of every length; what comes out is taken apart again.
 */
#include "base/mem.h"
#include "libp2p/yamux_frame.h"
#include "sim/liar.h"
#include "sim/net.h"

#include "test.h"

enum { ROOM = 8192, LARGE = 2000 };

/* {"t": "ok"} with its length in front. */
static const uint8_t ok[] = {6, 0xa1, 0x61, 't', 0x62, 'o', 'k'};
static const uint8_t no[] = {6, 0xa1, 0x61, 't', 0x62, 'n', 'o'};
static const uint8_t notice[] = {10,  0xa1, 0x61, 't', 0x66, 'n',
                                 'o', 't',  'i',  'c', 'e'};
static const char bitswap[] =
    "\x13/multistream/1.0.0\n\x15/ipfs/bitswap/1.2.0\n";

struct wire {
    uint8_t bytes[ROOM];
    size_t len;
};

static void add_frame(struct wire *w, enum yamux_type type, uint32_t stream,
                      const void *payload, size_t len)
{
    struct yamux_head head = {
        .type = type, .stream = stream, .length = (uint32_t)len};

    yamux_head_write(&head, w->bytes + w->len);
    w->len += YAMUX_HEAD_BYTES;
    if (type != YAMUX_TYPE_DATA)
        return;
    memcpy(w->bytes + w->len, payload, len);
    w->len += len;
}

/* All of @in, @step bytes a read. */
static struct wire pass(struct sim_liar *l, const struct wire *in, size_t step)
{
    struct wire out = {.len = 0};
    struct sim_liar_way *way = sim_liar_way_new();

    for (size_t at = 0; at < in->len; at += step) {
        size_t n = in->len - at < step ? in->len - at : step;
        size_t len;
        const uint8_t *p =
            sim_liar_pass(l, way, (struct bytes){in->bytes + at, n}, &len);
        assert_true(out.len + len <= sizeof(out.bytes));
        memcpy(out.bytes + out.len, p, len);
        out.len += len;
    }
    sim_liar_way_free(way);
    return out;
}

static struct wire all_kinds(void)
{
    struct wire w = {.len = 0};
    uint8_t large[LARGE];

    memset(large, 'x', sizeof(large));
    add_frame(&w, YAMUX_TYPE_DATA, 1, ok, sizeof(ok));
    add_frame(&w, YAMUX_TYPE_WINDOW, 1, NULL, 70000);
    add_frame(&w, YAMUX_TYPE_DATA, 3, bitswap, sizeof(bitswap) - 1);
    add_frame(&w, YAMUX_TYPE_DATA, 3, large, sizeof(large));
    add_frame(&w, YAMUX_TYPE_PING, 0, NULL, 5);
    add_frame(&w, YAMUX_TYPE_DATA, 5, notice, sizeof(notice));
    add_frame(&w, YAMUX_TYPE_DATA, 5, "", 0);
    add_frame(&w, YAMUX_TYPE_DATA, 1, ok, sizeof(ok));
    return w;
}

static unsigned bits_changed(const uint8_t *a, const uint8_t *b, size_t len)
{
    unsigned count = 0;

    for (size_t i = 0; i < len; i++) {
        for (uint8_t x = a[i] ^ b[i]; x != 0; x = (uint8_t)(x & (x - 1)))
            count++;
    }
    return count;
}

static void who_does_not_lie_alters_nothing(void **state)
{
    (void)state;
    struct wire in = all_kinds();
    struct sim_liar l;

    sim_liar_init(&l, 1, 0);
    for (size_t step = 1; step <= in.len; step++) {
        struct wire out = pass(&l, &in, step);
        assert_int_equal(out.len, in.len);
        assert_memory_equal(out.bytes, in.bytes, in.len);
    }
    assert_int_equal(l.told, 0);
    sim_liar_release(&l);
}

static void who_is_mute_sends_empty_frames(void **state)
{
    (void)state;
    struct wire in = all_kinds();
    struct wire want = {.len = 0};
    struct sim_liar l;

    add_frame(&want, YAMUX_TYPE_DATA, 1, ok, sizeof(ok));
    add_frame(&want, YAMUX_TYPE_WINDOW, 1, NULL, 70000);
    add_frame(&want, YAMUX_TYPE_DATA, 3, "", 0);
    add_frame(&want, YAMUX_TYPE_DATA, 3, "", 0);
    add_frame(&want, YAMUX_TYPE_PING, 0, NULL, 5);
    add_frame(&want, YAMUX_TYPE_DATA, 5, "", 0);
    add_frame(&want, YAMUX_TYPE_DATA, 5, "", 0);
    add_frame(&want, YAMUX_TYPE_DATA, 1, ok, sizeof(ok));
    sim_liar_init(&l, 1, 0);
    l.lies = SIM_LIE_MUTE;
    struct wire out = pass(&l, &in, in.len);
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.bytes, want.bytes, want.len);
    assert_int_equal(l.told, 3);
    sim_liar_release(&l);
}

static void a_forger_flips_one_bit_of_messages_only(void **state)
{
    (void)state;
    struct wire in = all_kinds();
    struct sim_liar l;

    sim_liar_init(&l, 1, 0);
    l.lies = SIM_LIE_FORGE;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t before = l.told;
        struct wire out = pass(&l, &in, in.len);
        assert_int_equal(out.len, in.len);
        assert_int_equal(bits_changed(in.bytes, out.bytes, in.len),
                         l.told - before);
        /* The length in front stays, and so does what is no message. */
        assert_int_equal(out.bytes[YAMUX_HEAD_BYTES], ok[0]);
        size_t from = (size_t)2 * YAMUX_HEAD_BYTES + sizeof(ok);
        size_t to =
            in.len - (size_t)4 * YAMUX_HEAD_BYTES - sizeof(ok) - sizeof(notice);
        assert_memory_equal(out.bytes + from, in.bytes + from, to - from);
    }
    assert_true(l.told > 30 && l.told < 120);
    sim_liar_release(&l);
}

static void who_replays_sends_what_it_sent_before(void **state)
{
    (void)state;
    struct wire first = {.len = 0};
    struct wire second = {.len = 0};
    struct sim_liar l;
    unsigned old = 0;

    add_frame(&first, YAMUX_TYPE_DATA, 1, ok, sizeof(ok));
    add_frame(&first, YAMUX_TYPE_DATA, 1, notice, sizeof(notice));
    add_frame(&second, YAMUX_TYPE_DATA, 1, no, sizeof(no));
    for (unsigned i = 0; i < 40; i++) {
        sim_liar_init(&l, i, 0);
        l.lies = SIM_LIE_REPLAY;
        struct wire out = pass(&l, &first, first.len);
        assert_memory_equal(out.bytes, first.bytes, first.len);
        out = pass(&l, &second, second.len);
        assert_int_equal(out.len, second.len);
        const uint8_t *got = out.bytes + YAMUX_HEAD_BYTES;
        bool is_old = memcmp(got, ok, sizeof(ok)) == 0;
        assert_true(is_old || memcmp(got, no, sizeof(no)) == 0);
        assert_int_equal(l.told, is_old);
        old += is_old;
        sim_liar_release(&l);
    }
    assert_true(old > 8 && old < 32);
}

static void who_spoils_alters_each_large_frame(void **state)
{
    (void)state;
    struct wire in = all_kinds();
    struct sim_liar l;
    size_t small =
        (size_t)4 * YAMUX_HEAD_BYTES + sizeof(ok) + sizeof(bitswap) - 1;

    sim_liar_init(&l, 1, 0);
    l.lies = SIM_LIE_SPOIL;
    struct wire out = pass(&l, &in, in.len);
    assert_int_equal(out.len, in.len);
    assert_int_equal(l.told, 1);
    assert_memory_equal(out.bytes, in.bytes, small + LARGE / 2);
    assert_memory_not_equal(out.bytes + small + LARGE / 2,
                            in.bytes + small + LARGE / 2, LARGE / 2);
    sim_liar_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_lie_alters_nothing),
        cmocka_unit_test(who_is_mute_sends_empty_frames),
        cmocka_unit_test(a_forger_flips_one_bit_of_messages_only),
        cmocka_unit_test(who_replays_sends_what_it_sent_before),
        cmocka_unit_test(who_spoils_alters_each_large_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
