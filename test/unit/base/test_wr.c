/*
 * Goal: the writer never writes past its memory, its first failure sticks, and
 * what it writes the reader reads.
 * Method: write into every size from 0 to one that is enough, with a guard
 * behind it; read back.
 */
#include "base/rd.h"
#include "base/wr.h"

#include "test.h"

enum { ALL_LEN = 1 + 2 + 4 + 8 + 4 + 8 + 9 + 3, GUARD = 0xa5 };

static void write_all(struct wr *w)
{
    wr_u8(w, 0x01);
    wr_be16(w, 0x0203);
    wr_be32(w, 0x04050607);
    wr_be64(w, UINT64_C(0x08090a0b0c0d0e0f));
    wr_le32(w, 0x13121110);
    wr_le64(w, UINT64_C(0x1b1a191817161514));
    wr_uvarint(w, UINT64_C(0x7fffffffffffffff));
    wr_bytes(w, BYTES_LIT("abc"));
}

static void what_is_written_is_read(void **state)
{
    uint8_t mem[ALL_LEN];
    struct wr w = wr_init(mem, sizeof(mem));
    struct bytes out;

    (void)state;
    assert_int_equal(wr_len(&w), 0);
    write_all(&w);
    assert_int_equal(wr_len(&w), ALL_LEN);
    assert_int_equal(wr_finish(&w, &out), OK);
    assert_ptr_equal(out.p, mem);
    assert_int_equal(out.len, ALL_LEN);
    for (size_t i = 0; i < 27; i++)
        assert_int_equal(mem[i], i + 1);
    struct rd r = rd_init(out);
    (void)rd_view(&r, 27);
    assert_true(rd_uvarint(&r) == UINT64_C(0x7fffffffffffffff));
    assert_memory_equal(rd_view(&r, 3).p, "abc", 3);
    assert_int_equal(rd_finish(&r), OK);
}

static void nothing_passes_the_end(void **state)
{
    (void)state;
    for (size_t max = 0; max < ALL_LEN; max++) {
        uint8_t mem[ALL_LEN + 8];
        struct bytes out = {NULL, 77};
        memset(mem, GUARD, sizeof(mem));
        struct wr w = wr_init(mem, max);
        write_all(&w);
        assert_int_equal(wr_finish(&w, &out), E_LIMIT);
        assert_int_equal(out.len, 77); /* written on success only */
        for (size_t i = max; i < sizeof(mem); i++)
            assert_int_equal(mem[i], GUARD);
    }
}

static void the_first_failure_sticks(void **state)
{
    uint8_t mem[4] = {0, 0, 0, 0};
    struct wr w = wr_init(mem, 3);
    struct bytes out;

    (void)state;
    wr_u8(&w, 1);
    wr_be32(&w, 0xffffffff); /* does not fit */
    wr_u8(&w, 2);            /* would fit */
    wr_bytes(&w, BYTES_EMPTY);
    assert_int_equal(wr_finish(&w, &out), E_LIMIT);
    assert_int_equal(mem[0], 1);
    assert_int_equal(mem[1], 0);
}

static void varints_have_their_length(void **state)
{
    (void)state;
    assert_int_equal(uvarint_len(0), 1);
    for (unsigned bits = 7; bits < 63; bits += 7) {
        uint64_t limit = UINT64_C(1) << bits;
        assert_int_equal(uvarint_len(limit - 1), bits / 7);
        assert_int_equal(uvarint_len(limit), bits / 7 + 1);
    }
    for (unsigned shift = 0; shift < 63; shift++) {
        for (unsigned less = 0; less < 2; less++) {
            uint64_t value = (UINT64_C(1) << shift) - less;
            uint8_t mem[UVARINT_LEN_MAX];
            struct bytes out;
            struct wr w = wr_init(mem, sizeof(mem));
            wr_uvarint(&w, value);
            assert_int_equal(wr_finish(&w, &out), OK);
            assert_int_equal(out.len, uvarint_len(value));
            struct rd r = rd_init(out);
            assert_true(rd_uvarint(&r) == value);
            assert_int_equal(rd_finish(&r), OK);
            w = wr_init(mem, out.len - 1);
            wr_uvarint(&w, value);
            assert_int_equal(wr_finish(&w, &out), E_LIMIT);
        }
    }
}

static void nothing_at_all_is_written(void **state)
{
    uint8_t mem[1] = {GUARD};
    struct wr w = wr_init(mem, 0);
    struct bytes out;

    (void)state;
    wr_bytes(&w, BYTES_EMPTY);
    assert_int_equal(wr_finish(&w, &out), OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(mem[0], GUARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(nothing_passes_the_end),
        cmocka_unit_test(the_first_failure_sticks),
        cmocka_unit_test(varints_have_their_length),
        cmocka_unit_test(nothing_at_all_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
