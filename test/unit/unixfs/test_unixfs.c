/*
 * The UnixFS message.  Goal: every form that others write is read, each rule
 * refuses, and what is written is canonical.  Method: messages by hand, every
 * prefix of a good one, round trips.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "unixfs/unixfs.h"

#include "test.h"

static struct bytes from_hex(const char *hex, uint8_t buf[static 256])
{
    return (struct bytes){buf, unhex(hex, buf, 256)};
}

static void test_file(void **state)
{
    uint8_t buf[256];
    struct unixfs u;
    struct unixfs_sizes sizes;
    uint64_t size = 0;

    (void)state;
    assert_int_equal(unixfs_decode(from_hex("0802 1203 616263 1803", buf), &u),
                     OK);
    assert_int_equal(u.type, UNIXFS_FILE);
    assert_true(bytes_eq(u.data, BYTES_LIT("abc")));
    assert_int_equal(u.filesize, 3);
    assert_int_equal(u.blocksizes_count, 0);
    /* without a filesize it is the sum */
    assert_int_equal(unixfs_decode(from_hex("0800 1203 616263", buf), &u), OK);
    assert_int_equal(u.type, UNIXFS_RAW);
    assert_int_equal(u.filesize, 3);
    /* blocksizes: one a field, packed, and both */
    struct bytes in = from_hex("0802 1201 61 18ae02 2001 2203 ac0200", buf);
    assert_int_equal(unixfs_decode(in, &u), OK);
    assert_int_equal(u.blocksizes_count, 3);
    sizes = unixfs_sizes_init(in);
    static const uint64_t want[] = {1, 300, 0};
    for (size_t i = 0; i < 3; i++) {
        assert_true(unixfs_sizes_next(&sizes, &size));
        assert_int_equal(size, want[i]);
    }
    assert_false(unixfs_sizes_next(&sizes, &size));
}

static void test_others(void **state)
{
    uint8_t buf[256];
    struct unixfs u;

    (void)state;
    assert_int_equal(unixfs_decode(from_hex("0801", buf), &u), OK);
    assert_int_equal(u.type, UNIXFS_DIRECTORY);
    assert_int_equal(unixfs_decode(from_hex("0804 1203 666f6f", buf), &u), OK);
    assert_int_equal(u.type, UNIXFS_SYMLINK);
    assert_int_equal(
        unixfs_decode(from_hex("0805 1201 01 2822 308002", buf), &u), OK);
    assert_int_equal(u.type, UNIXFS_HAMT);
    assert_int_equal(u.fanout, 256);
    /* unknown fields of each wire type */
    assert_int_equal(unixfs_decode(from_hex("0801 7801 7a0161 7d00000000 "
                                            "790000000000000000",
                                            buf),
                                   &u),
                     OK);
    /* mode with bits that are none, time before 1970 and with a fraction */
    assert_int_equal(
        unixfs_decode(from_hex("0801 38ff8304 4210 08ffffffffffffffffff01 "
                               "1501000000",
                               buf),
                      &u),
        OK);
    assert_true(u.has_mode);
    assert_int_equal(u.mode, 0777);
    assert_true(u.has_mtime);
    assert_int_equal(u.mtime_seconds, -1);
    assert_int_equal(u.mtime_ns, 1);
}

static void test_refused(void **state)
{
    static const struct {
        const char *hex;
        enum err err;
    } cases[] = {
        {"", E_MALFORMED},                         /* no type */
        {"1800", E_MALFORMED},                     /* no type */
        {"0806", E_UNSUPPORTED},                   /* unknown type */
        {"08ffffffff0f", E_UNSUPPORTED},           /* unknown type */
        {"0a00", E_MALFORMED},                     /* type of bytes */
        {"0802 1001", E_MALFORMED},                /* data that is a number */
        {"0802 1203 616263 1804", E_MALFORMED},    /* size is not the sum */
        {"0802 1803 2002", E_MALFORMED},           /* the same */
        {"0802 1803 2202 0102 2001", E_MALFORMED}, /* the same */
        {"0802 20ffffffffffffffffff01 2001", E_MALFORMED},    /* it wraps */
        {"0802 1201 61 20ffffffffffffffffff01", E_MALFORMED}, /* it wraps */
        {"0802 2201 80", E_MALFORMED},               /* packed, cut off */
        {"0802 2500000000", E_MALFORMED},            /* size of 32 bits */
        {"0805 1201 01 2822 30ff01", E_UNSUPPORTED}, /* fanout 255 */
        {"0805 1201 01 2822 3004", E_UNSUPPORTED},   /* fanout 4 */
        {"0805 1201 01 2822 308010", E_UNSUPPORTED}, /* fanout 2048 */
        {"0805 1201 01 2822", E_UNSUPPORTED},        /* no fanout */
        {"0805 1201 01 2823 308002", E_UNSUPPORTED}, /* another hash */
        {"0805 1201 01 308002", E_UNSUPPORTED},      /* no hash */
        {"0801 4200", E_MALFORMED},                  /* time without seconds */
        {"0801 4204 0801 1001", E_MALFORMED},        /* fraction, varint */
        {"0801 4207 0801 15ffffffff", E_MALFORMED},  /* a second or more */
        {"0801 1b", E_UNSUPPORTED},                  /* a group */
        {"0801 18", E_SHORT},
    };
    uint8_t buf[256];

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct unixfs u = {.fanout = 77};
        enum err err = unixfs_decode(from_hex(cases[i].hex, buf), &u);
        if (err != cases[i].err)
            fail_msg("case %zu: %s", i, err_name(err));
        assert_int_equal(u.fanout, 77);
    }
}

static void test_prefixes(void **state)
{
    uint8_t buf[256];
    struct bytes in = from_hex("0802 1203 616263 18b102 2001 20ad02", buf);
    struct unixfs u;

    (void)state;
    assert_int_equal(unixfs_decode(in, &u), OK);
    for (size_t len = 0; len < in.len; len++) {
        uint8_t *copy = mem_dup(in.p, len);
        enum err err = unixfs_decode((struct bytes){copy, len}, &u);
        /* Without a filesize the sum is not checked. */
        bool is_whole = len == 2 || len == 7;
        assert_int_equal(err == OK, is_whole);
        mem_free(copy);
    }
}

static void check_put(const struct unixfs *u, const uint64_t *sizes,
                      const char *want)
{
    uint8_t buf[256];
    uint8_t out[256];
    struct bytes in = from_hex(want, buf);
    struct wr w = wr_init(out, sizeof(out));

    unixfs_put(&w, u, sizes);
    assert_int_equal(w.err, OK);
    assert_int_equal(wr_len(&w), unixfs_len(u, sizes));
    assert_int_equal(wr_len(&w), in.len);
    assert_memory_equal(out, in.p, in.len);
}

static void test_put(void **state)
{
    static const uint64_t sizes[] = {4, 4, 2};
    struct unixfs u = {.type = UNIXFS_DIRECTORY};

    (void)state;
    check_put(&u, NULL, "0801");
    u = (struct unixfs){.type = UNIXFS_FILE, .has_filesize = true};
    check_put(&u, NULL, "0802 1800");
    u.filesize = 10;
    u.blocksizes_count = 3;
    check_put(&u, sizes, "0802180a200420042002");
    u = (struct unixfs){
        .type = UNIXFS_HAMT,
        .has_data = true,
        .data = BYTES_LIT("\x01"),
        .fanout = 256,
    };
    check_put(&u, NULL, "0805 1201 01 2822 308002");
    u = (struct unixfs){
        .type = UNIXFS_DIRECTORY,
        .has_mode = true,
        .mode = 0755,
        .has_mtime = true,
        .mtime_seconds = -1,
        .mtime_ns = 1,
    };
    check_put(&u, NULL, "0801 38ed03 4210 08ffffffffffffffffff01 1501000000");
    u.mtime_seconds = 1;
    u.mtime_ns = 0;
    check_put(&u, NULL, "0801 38ed03 4202 0801");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),    cmocka_unit_test(test_others),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
