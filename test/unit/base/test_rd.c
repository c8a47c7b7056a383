/*
 * Goal: the reader never reads past its input, its first failure sticks, and
 * each kind of value is what its bytes say.
 * Method: whole inputs, every prefix of them in memory of exactly that length,
 * and limits at the limit and one past it.
 */
#include "base/rd.h"

#include "test.h"

static struct rd reader(const void *p, size_t len)
{
    return rd_init((struct bytes){.p = p, .len = len});
}

static void integers_have_their_order(void **state)
{
    static const uint8_t in[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,
                                 10, 11, 12, 13, 14, 15, 16, 17, 18,
                                 19, 20, 21, 22, 23, 24, 25, 26, 27};
    struct rd r = reader(in, sizeof(in));

    (void)state;
    assert_int_equal(rd_u8(&r), 1);
    assert_int_equal(rd_be16(&r), 0x0203);
    assert_int_equal(rd_be32(&r), 0x04050607);
    assert_true(rd_be64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
    assert_int_equal(rd_le32(&r), 0x13121110);
    assert_true(rd_le64(&r) == UINT64_C(0x1b1a191817161514));
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(rd_finish(&r), OK);
}

static void largest_integers_are_whole(void **state)
{
    uint8_t in[27];

    (void)state;
    memset(in, 0xff, sizeof(in));
    struct rd r = reader(in, sizeof(in));
    assert_int_equal(rd_u8(&r), UINT8_MAX);
    assert_int_equal(rd_be16(&r), UINT16_MAX);
    assert_true(rd_be32(&r) == UINT32_MAX);
    assert_true(rd_be64(&r) == UINT64_MAX);
    assert_true(rd_le32(&r) == UINT32_MAX);
    assert_true(rd_le64(&r) == UINT64_MAX);
    assert_int_equal(rd_finish(&r), OK);
}

/* Reads number @kind of the integers; returns its length. */
static size_t read_kind(struct rd *r, unsigned kind, uint64_t *ret_value)
{
    switch (kind) {
    case 0:
        *ret_value = rd_u8(r);
        return 1;
    case 1:
        *ret_value = rd_be16(r);
        return 2;
    case 2:
        *ret_value = rd_be32(r);
        return 4;
    case 3:
        *ret_value = rd_le32(r);
        return 4;
    case 4:
        *ret_value = rd_be64(r);
        return 8;
    default:
        *ret_value = rd_le64(r);
        return 8;
    }
}

static void short_integers_are_zero_and_sticky(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 6; kind++) {
        for (size_t len = 0; len <= 8; len++) {
            uint8_t *in = malloc(len > 0 ? len : 1);
            assert_non_null(in);
            memset(in, 0xff, len);
            struct rd r = reader(in, len);
            uint64_t value = 1;
            size_t wanted = read_kind(&r, kind, &value);
            assert_int_equal(r.err, len < wanted ? E_SHORT : OK);
            assert_true((value == 0) == (len < wanted));
            assert_int_equal(rd_left(&r), len < wanted ? 0 : len - wanted);
            free(in);
        }
    }
}

static void the_first_failure_sticks(void **state)
{
    static const uint8_t in[] = {1, 2, 3};
    struct rd r = reader(in, sizeof(in));

    (void)state;
    assert_int_equal(rd_be32(&r), 0);
    assert_int_equal(r.err, E_SHORT);
    rd_fail(&r, E_MALFORMED);
    assert_int_equal(rd_finish(&r), E_SHORT);
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(rd_uvarint(&r), 0);
    assert_int_equal(rd_view(&r, 0).len, 0);
    assert_int_equal(rd_rest(&r).len, 0);
    assert_int_equal(rd_left(&r), 0);
    r = reader(in, sizeof(in));
    rd_fail(&r, E_LIMIT);
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(rd_finish(&r), E_LIMIT);
}

static void bytes_left_over_are_a_failure(void **state)
{
    static const uint8_t in[] = {1, 2};
    struct rd r = reader(in, sizeof(in));

    (void)state;
    assert_int_equal(rd_finish(&r), E_MALFORMED);
    (void)rd_u8(&r);
    assert_int_equal(rd_finish(&r), E_MALFORMED);
    (void)rd_u8(&r);
    assert_int_equal(rd_finish(&r), OK);
    r = rd_init(BYTES_EMPTY);
    assert_int_equal(rd_finish(&r), OK);
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(rd_finish(&r), E_SHORT);
}

static void varints_are_read(void **state)
{
    static const struct {
        const char *hex;
        uint64_t value;
    } rows[] = {
        {"00", 0},
        {"01", 1},
        {"7f", 127},
        {"8001", 128},
        {"ff01", 255},
        {"ac02", 300},
        {"808001", 16384},
        {"ffffffff0f", UINT32_MAX},
        {"ffffffffffffffff7f", UINT64_C(0x7fffffffffffffff)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t in[16];
        size_t len = unhex(rows[i].hex, in, sizeof(in));
        struct rd r = reader(in, len);
        assert_true(rd_uvarint(&r) == rows[i].value);
        assert_int_equal(rd_finish(&r), OK);
        for (size_t part = 0; part < len; part++) {
            r = reader(in, part);
            assert_int_equal(rd_uvarint(&r), 0);
            assert_int_equal(rd_finish(&r), E_SHORT);
        }
    }
}

static void varints_have_one_form(void **state)
{
    static const char *const rows[] = {"8000",
                                       "ff00",
                                       "808000",
                                       "80808080808080808001",
                                       "ffffffffffffffffff01",
                                       "808080808080808080",
                                       "ffffffffffffffffff7f"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t in[16];
        size_t len = unhex(rows[i], in, sizeof(in));
        struct rd r = reader(in, len);
        assert_int_equal(rd_uvarint(&r), 0);
        assert_int_equal(rd_finish(&r), E_MALFORMED);
    }
}

static void views_stay_inside(void **state)
{
    static const uint8_t in[] = {1, 2, 3, 4};
    struct rd r = reader(in, sizeof(in));

    (void)state;
    struct bytes view = rd_view(&r, 3);
    assert_ptr_equal(view.p, in);
    assert_int_equal(view.len, 3);
    assert_int_equal(rd_view(&r, 0).len, 0);
    assert_int_equal(r.err, OK);
    view = rd_rest(&r);
    assert_ptr_equal(view.p, in + 3);
    assert_int_equal(view.len, 1);
    assert_int_equal(rd_finish(&r), OK);
    assert_int_equal(rd_rest(&r).len, 0);
    assert_int_equal(rd_finish(&r), OK);
    static const uint64_t over[] = {5, SIZE_MAX, UINT64_MAX, UINT64_C(1) << 63};
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
        r = reader(in, sizeof(in));
        assert_int_equal(rd_view(&r, over[i]).len, 0);
        assert_int_equal(rd_finish(&r), E_SHORT);
    }
}

static void copies_are_bounded(void **state)
{
    static const uint8_t in[] = {1, 2, 3, 4};
    uint8_t out[4] = {9, 9, 9, 9};
    struct rd r = reader(in, sizeof(in));

    (void)state;
    rd_copy(&r, out, 3, 4);
    assert_int_equal(r.err, E_LIMIT);
    assert_int_equal(out[0], 9);
    r = reader(in, 3);
    rd_copy(&r, out, 4, 4);
    assert_int_equal(r.err, E_SHORT);
    assert_int_equal(out[0], 9);
    r = reader(in, sizeof(in));
    rd_copy(&r, out, 4, UINT64_MAX);
    assert_int_equal(r.err, E_LIMIT);
    r = reader(in, sizeof(in));
    rd_copy(&r, out, 4, 0);
    assert_int_equal(out[0], 9);
    rd_copy(&r, out, 4, 4);
    assert_memory_equal(out, in, 4);
    assert_int_equal(rd_finish(&r), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_have_their_order),
        cmocka_unit_test(largest_integers_are_whole),
        cmocka_unit_test(short_integers_are_zero_and_sticky),
        cmocka_unit_test(the_first_failure_sticks),
        cmocka_unit_test(bytes_left_over_are_a_failure),
        cmocka_unit_test(varints_are_read),
        cmocka_unit_test(varints_have_one_form),
        cmocka_unit_test(views_stay_inside),
        cmocka_unit_test(copies_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
