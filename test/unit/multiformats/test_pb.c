/*
 * Goal: protobuf's wire format is read leniently where others are, and written
 * in its shortest form.
 * Method: numbers at the edges of their lengths; every prefix; all wire types.
 */
#include "base/wr.h"
#include "multiformats/pb.h"

#include "test.h"

static struct rd reader(const char *hex, uint8_t *in, size_t max)
{
    return rd_init((struct bytes){in, unhex(hex, in, max)});
}

static void varints(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *hex;
    } vectors[] = {
        {0, "00"},
        {1, "01"},
        {127, "7f"},
        {128, "8001"},
        {300, "ac02"},
        {2147483647, "ffffffff07"},
        {UINT64_MAX >> 1, "ffffffffffffffff7f"},
        {UINT64_C(1) << 63, "80808080808080808001"},
        {UINT64_MAX, "ffffffffffffffffff01"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t in[16];
        struct rd r = reader(vectors[i].hex, in, sizeof(in));
        size_t len = rd_left(&r);
        assert_true(pb_varint(&r) == vectors[i].value);
        assert_int_equal(rd_finish(&r), OK);
        assert_int_equal(pb_varint_len(vectors[i].value), len);
        uint8_t out[PB_VARINT_LEN_MAX];
        struct wr w = wr_init(out, sizeof(out));
        pb_put_varint(&w, vectors[i].value);
        assert_int_equal(wr_len(&w), len);
        assert_memory_equal(out, in, len);
        for (size_t cut = 0; cut < len; cut++) {
            r = rd_init((struct bytes){in, cut});
            assert_int_equal(pb_varint(&r), 0);
            assert_int_equal(r.err, E_SHORT);
        }
    }
}

static void lenient_varints(void **state)
{
    (void)state;
    uint8_t in[16];
    struct rd r = reader("8100", in, sizeof(in));
    assert_int_equal(pb_varint(&r), 1);
    assert_int_equal(rd_finish(&r), OK);
    r = reader("80808080808080808000", in, sizeof(in));
    assert_int_equal(pb_varint(&r), 0);
    assert_int_equal(rd_finish(&r), OK);
    r = reader("ffffffffffffffffff02", in, sizeof(in));
    assert_int_equal(pb_varint(&r), 0);
    assert_int_equal(r.err, E_MALFORMED);
    r = reader("8080808080808080808000", in, sizeof(in));
    (void)pb_varint(&r); /* the failure is looked at */
    assert_int_equal(r.err, E_MALFORMED);
}

/* Fields 1 varint 150, 2 "abc", 3 fixed32 1, 4 fixed64 2, 2047 empty bytes. */
#define MESSAGE "089601 1203616263 1d01000000 210200000000000000 fa7f00"

static void fields(void **state)
{
    (void)state;
    uint8_t in[64];
    struct rd r = reader(MESSAGE, in, sizeof(in));
    struct pb_field f;
    assert_true(pb_next(&r, &f));
    assert_int_equal(f.number, 1);
    assert_int_equal(f.wire, PB_VARINT);
    assert_int_equal(f.value, 150);
    assert_int_equal(f.bytes.len, 0);
    assert_true(pb_next(&r, &f));
    assert_int_equal(f.number, 2);
    assert_int_equal(f.wire, PB_BYTES);
    assert_int_equal(f.value, 0);
    assert_true(bytes_eq(f.bytes, BYTES_LIT("abc")));
    assert_true(pb_next(&r, &f));
    assert_int_equal(f.number, 3);
    assert_int_equal(f.wire, PB_FIXED32);
    assert_int_equal(f.value, 1);
    assert_true(pb_next(&r, &f));
    assert_int_equal(f.number, 4);
    assert_int_equal(f.wire, PB_FIXED64);
    assert_int_equal(f.value, 2);
    assert_true(pb_next(&r, &f));
    assert_int_equal(f.number, 2047);
    assert_int_equal(f.wire, PB_BYTES);
    assert_int_equal(f.bytes.len, 0);
    assert_false(pb_next(&r, &f));
    assert_int_equal(rd_finish(&r), OK);
}

static enum err read_all(struct bytes in, size_t *ret_count)
{
    struct rd r = rd_init(in);
    struct pb_field f;
    *ret_count = 0;
    while (pb_next(&r, &f))
        *ret_count += 1;
    return rd_finish(&r);
}

static void every_prefix(void **state)
{
    (void)state;
    uint8_t in[64];
    size_t len = unhex(MESSAGE, in, sizeof(in));
    size_t count = 0;
    /* A cut between two fields leaves a whole message. */
    static const size_t ends[] = {0, 3, 8, 13, 22};
    for (size_t cut = 0; cut < len; cut++) {
        bool whole = false;
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
            whole = whole || ends[i] == cut;
        assert_int_equal(read_all((struct bytes){in, cut}, &count),
                         whole ? OK : E_SHORT);
    }
    assert_int_equal(read_all((struct bytes){in, len}, &count), OK);
    assert_int_equal(count, 5);
}

static enum err read_hex(const char *hex)
{
    uint8_t in[64] = {0};
    size_t count = 0;
    return read_all((struct bytes){in, unhex(hex, in, sizeof(in))}, &count);
}

static void refused(void **state)
{
    (void)state;
    assert_int_equal(read_hex("0000"), E_MALFORMED);   /* field 0 */
    assert_int_equal(read_hex("0b0c"), E_UNSUPPORTED); /* groups */
    assert_int_equal(read_hex("0c"), E_UNSUPPORTED);
    assert_int_equal(read_hex("0e"), E_MALFORMED); /* no such types */
    assert_int_equal(read_hex("0f"), E_MALFORMED);
    assert_int_equal(read_hex("f8ffffff0f00"), OK); /* largest number */
    assert_int_equal(read_hex("808080801000"), E_MALFORMED);
    assert_int_equal(read_hex("0affffffffffffffffff01"), E_SHORT);
    assert_int_equal(read_hex("0affffffffffffffffff02"), E_MALFORMED);
}

static void typed_getters(void **state)
{
    (void)state;
    uint8_t in[64];
    struct rd r = reader("089601 1203616263", in, sizeof(in));
    struct pb_field number;
    struct pb_field text;
    assert_true(pb_next(&r, &number));
    assert_true(pb_next(&r, &text));
    assert_int_equal(pb_get_uint(&r, &number, 150), 150);
    assert_int_equal(pb_get_bytes(&r, &text, 3).len, 3);
    assert_int_equal(r.err, OK);

    struct rd copy = r;
    assert_int_equal(pb_get_uint(&copy, &number, 149), 0);
    assert_int_equal(copy.err, E_LIMIT);
    copy = r;
    assert_int_equal(pb_get_bytes(&copy, &text, 2).len, 0);
    assert_int_equal(copy.err, E_LIMIT);
    copy = r;
    assert_int_equal(pb_get_uint(&copy, &text, 150), 0);
    assert_int_equal(copy.err, E_MALFORMED);
    copy = r;
    assert_int_equal(pb_get_bytes(&copy, &number, 150).len, 0);
    assert_int_equal(copy.err, E_MALFORMED);
}

static void writing(void **state)
{
    (void)state;
    uint8_t out[64];
    uint8_t want[64];
    struct wr w = wr_init(out, sizeof(out));
    pb_put_uint(&w, 1, 150);
    pb_put_uint(&w, 1, 0);
    pb_put_bytes(&w, 2, BYTES_LIT("abc"));
    pb_put_bytes(&w, 2047, BYTES_EMPTY);
    pb_put_head(&w, 2, 2);
    pb_put_uint(&w, 1, 1);
    pb_put_uint(&w, PB_NUMBER_MAX, UINT64_MAX);
    size_t len = unhex("089601 0800 1203616263 fa7f00 1202 0801"
                       "f8ffffff0f ffffffffffffffffff01",
                       want, sizeof(want));
    assert_int_equal(wr_len(&w), len);
    assert_memory_equal(out, want, len);
    assert_int_equal(pb_uint_len(1, 150), 3);
    assert_int_equal(pb_uint_len(PB_NUMBER_MAX, UINT64_MAX), 15);
    assert_int_equal(pb_bytes_len(2, 3), 5);
    assert_int_equal(pb_bytes_len(2047, 128), 2 + 2 + 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints), cmocka_unit_test(lenient_varints),
        cmocka_unit_test(fields),  cmocka_unit_test(every_prefix),
        cmocka_unit_test(refused), cmocka_unit_test(typed_getters),
        cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
