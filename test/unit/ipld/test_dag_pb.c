/*
 * The dag-pb codec.  Goal: each rule of the format is held against the block,
 * and what is encoded is the canonical form.  Method: the fixtures of the
 * codec, good and bad, every prefix of a good block, and a round trip.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "ipld/dag_pb.h"

#include "test.h"

static struct bytes from_hex(const char *hex, uint8_t buf[static 256])
{
    return (struct bytes){buf, unhex(hex, buf, 256)};
}

static void test_good(void **state)
{
    static const struct {
        const char *hex;
        bool has_data;
        size_t data_len;
        size_t links_count;
    } cases[] = {
        {"", false, 0, 0},
        {"0a00", true, 0, 0},
        {"0a050001020304", true, 5, 0},
        {"120b0a09015500050001020304", false, 0, 1},
        {"120d0a090155000500010203041200", false, 0, 1},
        {"12140a0901550005000102030418ffffffffffffff0f", false, 0, 1},
        /* data first, as old writers have it */
        {"0a0108 120b0a09015500050001020304", true, 1, 1},
        {"120b0a09015500050001020304 120b0a09015500050001020304 0a0108", true,
         1, 2},
    };
    uint8_t buf[256];

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct dag_pb n;
        struct dag_pb_link link;
        size_t count = 0;
        assert_int_equal(dag_pb_open(from_hex(cases[i].hex, buf), &n), OK);
        assert_int_equal(n.has_data, cases[i].has_data);
        assert_int_equal(n.data.len, cases[i].data_len);
        assert_int_equal(n.links_count, cases[i].links_count);
        while (dag_pb_link_next(&n, &link)) {
            assert_int_equal(link.cid.codec, CODEC_RAW);
            count++;
        }
        assert_int_equal(count, n.links_count);
    }
}

static void test_fields(void **state)
{
    uint8_t buf[256];
    struct dag_pb n;
    struct dag_pb_link link;

    (void)state;
    assert_int_equal(dag_pb_open(from_hex("120f 0a04 01550000 1203 666f6f "
                                          "18ac02",
                                          buf),
                                 &n),
                     E_SHORT);
    assert_int_equal(dag_pb_open(from_hex("120e 0a04 01550000 1203 666f6f "
                                          "18ac02",
                                          buf),
                                 &n),
                     OK);
    assert_true(dag_pb_link_next(&n, &link));
    assert_true(link.has_name);
    assert_true(bytes_eq(link.name, BYTES_LIT("foo")));
    assert_true(link.has_tsize);
    assert_int_equal(link.tsize, 300);
    assert_false(dag_pb_link_next(&n, &link));
}

static void test_bad(void **state)
{
    static const char *const cases[] = {
        "1200",                       /* link without hash */
        "1200 0a050001020304",        /* the same, and data */
        "12020a00",                   /* empty hash */
        "12021200",                   /* empty name alone */
        "120b1209736f6d65206e616d65", /* name alone */
        "12021800",                   /* tsize alone */
        "120318f207",                 /* tsize alone */
        "12240a221220cf92fdefcdc34cac009c8b05eb662be0618db9de55ecd42785e9ec6712f8df650a040802180612240a221220cf92fdefcdc34cac009c8b05eb662be0618db9de55ecd42785e9ec6712f8df65", /* data between links */
        "0a00 0a00",                      /* data twice */
        "1a00",                           /* unknown field */
        "0801",                           /* data of the wrong wire type */
        "1001",                           /* link of the wrong wire type */
        "1206 0a04015500ff",              /* hash that is cut off */
        "1207 0a050155000000",            /* hash with a byte left over */
        "1208 1200 0a0401550000",         /* name before hash */
        "1208 1800 0a0401550000",         /* tsize before hash */
        "120a 0a0401550000 1800 1200",    /* tsize before name */
        "120c 0a0401550000 0a0401550000", /* hash twice */
        "120a 0a0401550000 1200 1200",    /* name twice */
        "120a 0a0401550000 1800 1800",    /* tsize twice */
        "1208 0a0401550000 2000",         /* unknown field of a link */
        "1208 0a0401550000 1000",         /* name of the wrong wire type */
        "1208 0a0401550000 1a00",         /* tsize of the wrong wire type */
        "1208 0a0401550000 1880",         /* tsize that is cut off */
    };
    uint8_t buf[256];

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct dag_pb n = {.links_count = 77};
        enum err err = dag_pb_open(from_hex(cases[i], buf), &n);
        if (err != E_MALFORMED)
            print_error("case %zu: %s\n", i, err_name(err));
        assert_int_equal(err, E_MALFORMED);
        assert_int_equal(n.links_count, 77);
    }
}

/* A prefix that ends between fields is a block too, the others are short. */
static void test_prefixes(void **state)
{
    static const char hex[] =
        "122a0a24015512200ebdc3317b75839f643387d783535adc360ca01f33c75f7c1e7373"
        "adcd675c0b12001804 0a0a0802180a200420042002";
    uint8_t buf[256];
    struct bytes in = from_hex(hex, buf);
    struct dag_pb n;

    (void)state;
    for (size_t len = 0; len <= in.len; len++) {
        uint8_t *copy = mem_dup(in.p, len);
        enum err want = len == 0 || len == 44 || len == in.len ? OK : E_SHORT;
        assert_int_equal(dag_pb_open((struct bytes){copy, len}, &n), want);
        mem_free(copy);
    }
}

static void test_encode(void **state)
{
    static const char want[] =
        "1218 0a0401550000 1205 68656c6c6f 18ffffffffffffffffff01"
        "120a 0a0401550000 1200 1800 0a03 616263";
    uint8_t buf[256];
    uint8_t out[256];
    struct bytes in = from_hex("01550000", buf);
    struct cid cid;

    (void)state;
    assert_int_equal(cid_decode(in, &cid), OK);
    struct wr w = wr_init(out, sizeof(out));
    dag_pb_put_link(&w, &cid, BYTES_LIT("hello"), UINT64_MAX);
    assert_int_equal(wr_len(&w), dag_pb_link_len(&cid, 5, UINT64_MAX));
    dag_pb_put_link(&w, &cid, BYTES_EMPTY, 0);
    assert_int_equal(wr_len(&w), dag_pb_link_len(&cid, 5, UINT64_MAX) +
                                     dag_pb_link_len(&cid, 0, 0));
    size_t links_len = wr_len(&w);
    dag_pb_put_data_head(&w, 3);
    wr_bytes(&w, BYTES_LIT("abc"));
    assert_int_equal(wr_len(&w), links_len + dag_pb_data_len(3));
    struct bytes block;
    assert_int_equal(wr_finish(&w, &block), OK);
    in = from_hex(want, buf);
    assert_int_equal(block.len, in.len);
    assert_memory_equal(block.p, in.p, in.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_fields),
        cmocka_unit_test(test_bad),    cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
