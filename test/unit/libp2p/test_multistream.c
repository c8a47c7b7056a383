/*
 * Goal: both ends agree on the first protocol that both have, in whatever
 * pieces the tokens come, and not one byte of what follows is lost.  Method:
 * two negotiators joined by hand; worked bytes; limits and garbage.
 */
#include "base/wr.h"
#include "libp2p/multistream.h"

#include "test.h"

static const struct bytes abc[] = {{.p = (const uint8_t *)"/a", .len = 2},
                                   {.p = (const uint8_t *)"/b", .len = 2},
                                   {.p = (const uint8_t *)"/c", .len = 2}};

static struct mss_names names(size_t from, size_t count)
{
    return (struct mss_names){.names = abc + from, .count = count};
}

struct out {
    uint8_t room[MSS_OUT_MAX];
    struct wr w;
};

static void out_init(struct out *o)
{
    o->w = wr_init(o->room, sizeof(o->room));
}

static struct bytes out_bytes(const struct out *o)
{
    struct bytes b;
    assert_int_equal(wr_finish(&o->w, &b), OK);
    return b;
}

/* Give @in in pieces of @piece bytes; the last result. */
static enum err feed(struct mss *m, struct bytes in, size_t piece,
                     struct out *o, struct bytes *ret_rest, size_t *ret_index)
{
    while (in.len > 0) {
        size_t len = in.len < piece ? in.len : piece;
        struct bytes part = bytes_sub(in, 0, len);
        enum err err = mss_step(m, &part, &o->w, ret_index);
        in = bytes_sub(in, len - part.len, in.len - (len - part.len));
        if (err != E_AGAIN) {
            *ret_rest = in;
            return err;
        }
        assert_int_equal(part.len, 0);
    }
    *ret_rest = in;
    return E_AGAIN;
}

static void test_worked_bytes(void **state)
{
    (void)state;
    static const char text[] = "\x13/multistream/1.0.0\n\x07/noise\n";
    const struct bytes noise = BYTES_LIT("/noise");
    struct mss m;
    struct out o;
    out_init(&o);
    mss_init_initiator(&m, (struct mss_names){.names = &noise, .count = 1},
                       &o.w);
    assert_true(bytes_eq(out_bytes(&o), BYTES_LIT(text)));
}

/* kubo proposes /tls/1.0.0 first. */
static void test_responder_refuses_then_agrees(void **state)
{
    (void)state;
    const struct bytes noise = BYTES_LIT("/noise");
    struct bytes in =
        BYTES_LIT("\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n\x07/noise\nrest");
    for (size_t piece = 1; piece <= in.len; piece++) {
        struct mss m;
        struct out o;
        struct bytes rest;
        size_t index = 9;
        out_init(&o);
        mss_init_responder(&m, (struct mss_names){.names = &noise, .count = 1});
        assert_int_equal(feed(&m, in, piece, &o, &rest, &index), OK);
        assert_int_equal(index, 0);
        assert_int_equal(m.refused, 1);
        assert_true(bytes_eq(rest, BYTES_LIT("rest")));
        assert_true(bytes_eq(
            out_bytes(&o),
            BYTES_LIT("\x13/multistream/1.0.0\n\x03na\n\x07/noise\n")));
    }
}

static void test_both_ends(void **state)
{
    (void)state;
    /* The initiator has /a /b, the responder /b /c. */
    struct mss i;
    struct mss r;
    struct out from_i;
    struct out from_r;
    struct bytes rest;
    size_t index_i = 9;
    size_t index_r = 9;
    out_init(&from_i);
    out_init(&from_r);
    mss_init_initiator(&i, names(0, 2), &from_i.w);
    mss_init_responder(&r, names(1, 2));
    assert_int_equal(
        feed(&r, out_bytes(&from_i), 100, &from_r, &rest, &index_r), E_AGAIN);
    out_init(&from_i);
    assert_int_equal(
        feed(&i, out_bytes(&from_r), 100, &from_i, &rest, &index_i), E_AGAIN);
    out_init(&from_r);
    assert_int_equal(
        feed(&r, out_bytes(&from_i), 100, &from_r, &rest, &index_r), OK);
    assert_int_equal(index_r, 0);
    assert_int_equal(
        feed(&i, out_bytes(&from_r), 100, &from_i, &rest, &index_i), OK);
    assert_int_equal(index_i, 1);
}

static void test_none_in_common(void **state)
{
    (void)state;
    struct mss i;
    struct out o;
    struct bytes rest;
    size_t index;
    out_init(&o);
    mss_init_initiator(&i, names(0, 1), &o.w);
    assert_int_equal(feed(&i, BYTES_LIT("\x13/multistream/1.0.0\n\x03na\n"), 5,
                          &o, &rest, &index),
                     E_UNSUPPORTED);
}

static enum err respond(struct bytes in)
{
    struct mss m;
    struct out o;
    struct bytes rest;
    size_t index;
    out_init(&o);
    mss_init_responder(&m, names(0, 3));
    return feed(&m, in, 3, &o, &rest, &index);
}

static void test_garbage(void **state)
{
    (void)state;
    assert_int_equal(respond(BYTES_LIT("\x13/multistream/2.0.0\n")),
                     E_MALFORMED);
    assert_int_equal(respond(BYTES_LIT("\x03/a\n")), E_MALFORMED);
    assert_int_equal(respond(BYTES_LIT("\x13/multistream/1.0.0 ")),
                     E_MALFORMED);
    static const uint8_t zero[] = {0};
    assert_int_equal(respond((struct bytes){.p = zero, .len = 1}), E_MALFORMED);
    static const uint8_t padded[] = {0x93, 0x00};
    assert_int_equal(respond((struct bytes){.p = padded, .len = 2}),
                     E_MALFORMED);
    static const uint8_t huge[] = {0x80, 0x80, 0x01};
    assert_int_equal(respond((struct bytes){.p = huge, .len = 3}), E_LIMIT);

    struct mss i;
    struct out o;
    struct bytes rest;
    size_t index;
    out_init(&o);
    mss_init_initiator(&i, names(0, 1), &o.w);
    assert_int_equal(feed(&i, BYTES_LIT("\x13/multistream/1.0.0\n\x03/b\n"), 5,
                          &o, &rest, &index),
                     E_MALFORMED);
}

static void test_token_limit(void **state)
{
    (void)state;
    for (size_t len = MSS_TOKEN_MAX; len <= MSS_TOKEN_MAX + 1; len++) {
        uint8_t in[64 + MSS_TOKEN_MAX];
        struct wr w = wr_init(in, sizeof(in));
        wr_bytes(&w, BYTES_LIT("\x13/multistream/1.0.0\n"));
        wr_uvarint(&w, len);
        for (size_t n = 1; n < len; n++)
            wr_u8(&w, 'x');
        wr_u8(&w, '\n');
        struct bytes all;
        assert_int_equal(wr_finish(&w, &all), OK);
        assert_int_equal(respond(all),
                         len <= MSS_TOKEN_MAX ? E_AGAIN : E_LIMIT);
    }
}

static void test_proposals_limit(void **state)
{
    (void)state;
    struct mss m;
    struct out o;
    struct bytes rest;
    size_t index;
    out_init(&o);
    mss_init_responder(&m, names(0, 3));
    assert_int_equal(
        feed(&m, BYTES_LIT("\x13/multistream/1.0.0\n"), 100, &o, &rest, &index),
        E_AGAIN);
    for (int n = 0; n < MSS_PROPOSALS_MAX; n++)
        assert_int_equal(
            feed(&m, BYTES_LIT("\x03/x\n"), 100, &o, &rest, &index), E_AGAIN);
    assert_int_equal(feed(&m, BYTES_LIT("\x03/x\n"), 100, &o, &rest, &index),
                     E_LIMIT);
}

static void test_every_prefix_waits(void **state)
{
    (void)state;
    struct bytes good = BYTES_LIT("\x13/multistream/1.0.0\n\x03/b\n");
    for (size_t len = 0; len < good.len; len++)
        assert_int_equal(respond(bytes_sub(good, 0, len)), E_AGAIN);
    assert_int_equal(respond(good), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_bytes),
        cmocka_unit_test(test_responder_refuses_then_agrees),
        cmocka_unit_test(test_both_ends),
        cmocka_unit_test(test_none_in_common),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_token_limit),
        cmocka_unit_test(test_proposals_limit),
        cmocka_unit_test(test_every_prefix_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
