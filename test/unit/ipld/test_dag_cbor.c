/*
 * The dag-cbor codec.  Goal: strict reading accepts canonical documents and
 * nothing else, lenient reading what old writers made, and both bound what
 * they use.  Method: the examples of the codec, good and bad, each written
 * again token for token; every prefix of a good document; records.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "multiformats/peer_id.h"

#include "test.h"

static const char *const good[] = {
    "a0",
    "80",
    "00",
    "17",
    "1818",
    "18ff",
    "190100",
    "19ffff",
    "1a00010000",
    "1b0000000100000000",
    "1bffffffffffffffff",
    "20",
    "38ff",
    "3b7fffffffffffffff",
    "3ba5f702b3a5f702b3",
    "f4",
    "f5",
    "f6",
    "fb3ff199999999999a",
    "fb3fe0000000000000",
    "fb8000000000000002",
    "fb8000000000000000",
    "6161",
    "63e6b0b4",
    "60",
    "40",
    "41a1",
    "8265617272617982626f66820582666e657374656482666172726179736121",
    "a1616101",
    "a1666f626a656374a16477697468a26134666e6573746564676f626a65637473a161216121",
    "a9616601626565026364646403646363636304656262626262056661616161616106666161616161620766616161616163086661616161626209",
    "d82a58250001551220b6fbd675f98e2abd22d4ed29fdc83150fedc48597e92dd1a7a24381d44a27451",
    "d82a582300122022ad631c69ee983095b5b8acd029ff94aff1dc6c48837878589a92b90dfea317",
    "d82a450001550000",
};

/* Refused in both modes. */
static const char *const bad[] = {
    "",
    "f7",                  /* undefined */
    "f8ff",                /* simple value */
    "e0",                  /* simple value 0 */
    "9f00ff",              /* indefinite list */
    "bf616100ff",          /* indefinite map */
    "5f4100ff",            /* indefinite bytes */
    "7f6161ff",            /* indefinite text */
    "ff",                  /* break alone */
    "1800",                /* not the shortest head */
    "1817",                /* the same */
    "1900ff",              /* the same */
    "1a0000ffff",          /* the same */
    "1b00000000ffffffff",  /* the same */
    "5800",                /* the same, of bytes */
    "d9002a450001550000",  /* the same, of a tag */
    "f97e00",              /* not a number, 16 bits */
    "f97c00",              /* infinity, 16 bits */
    "fa7fc00000",          /* not a number, 32 bits */
    "fb7ff8000000000000",  /* not a number */
    "fb7ff0000000000000",  /* infinity */
    "fbfff0000000000000",  /* minus infinity */
    "c11a514b67b0",        /* another tag */
    "d82a4100",            /* CID of no bytes */
    "d82a40",              /* link of no bytes */
    "d82a4401550000",      /* link without the leading 00 */
    "d82a460101550000 00", /* a 01 there */
    "d82a46000155000000",  /* a byte after the CID */
    "d82a6500015500 00",   /* link that is text */
    "d82a00",              /* link that is a number */
    "0000",                /* two documents */
    "a10101",              /* key that is a number */
    "a1414101",            /* key that is bytes */
    "a2616101616102",      /* key twice */
    "a16161",              /* pair without a value */
    "8201",                /* list that is cut off */
    "9b7fffffffffffffff",  /* list longer than the input */
    "bb7fffffffffffffff",  /* map longer than the input */
    "5b7fffffffffffffff",  /* bytes longer than the input */
    "6261",                /* text longer than the input */
    "1c",
    "1d",
    "1e",
    "1f", /* reserved heads */
};

/* Refused in strict mode only. */
static const char *const lax[] = {
    "a2626161016162 02",                /* longer key first */
    "a2616202616101",                   /* keys out of order */
    "a3636261720363666f6f0163666f6f02", /* out of order, then twice */
    "f93c00",                           /* 16 bits */
    "fa3f800000",                       /* 32 bits */
    "61ff",                             /* text that is not UTF-8 */
    "63eda080",                         /* a surrogate */
};

static struct bytes from_hex(const char *hex, uint8_t buf[static 512])
{
    return (struct bytes){buf, unhex(hex, buf, 512)};
}

static enum err walk(struct bytes in, enum cbor_mode mode)
{
    struct cbor_rd *r = mem_alloc(sizeof(*r));
    struct cbor_token t;

    cbor_rd_init(r, in, mode);
    while (cbor_next(r, &t))
        continue;
    enum err err = cbor_finish(r);
    mem_free(r);
    return err;
}

static void put_token(struct wr *w, const struct cbor_token *t)
{
    switch (t->kind) {
    case CBOR_UINT:
        cbor_put_uint(w, t->value);
        break;
    case CBOR_NINT:
        if (t->value <= INT64_MAX) {
            cbor_put_int(w, -1 - (int64_t)t->value);
        } else {
            wr_u8(w, 0x3b);
            wr_be64(w, t->value);
        }
        break;
    case CBOR_BYTES:
        cbor_put_bytes(w, t->bytes);
        break;
    case CBOR_TEXT:
        cbor_put_text(w, t->bytes);
        break;
    case CBOR_LIST:
        cbor_put_list(w, (size_t)t->value);
        break;
    case CBOR_MAP:
        cbor_put_map(w, (size_t)t->value);
        break;
    case CBOR_LINK:
        cbor_put_link(w, &t->cid);
        break;
    case CBOR_FALSE:
    case CBOR_TRUE:
        cbor_put_bool(w, t->kind == CBOR_TRUE);
        break;
    case CBOR_NULL:
        cbor_put_null(w);
        break;
    case CBOR_FLOAT:
        wr_u8(w, 0xfb);
        wr_be64(w, t->value);
        break;
    }
}

static void test_good(void **state)
{
    uint8_t buf[512];
    uint8_t out[512];

    (void)state;
    for (size_t i = 0; i < countof(good); i++) {
        struct bytes in = from_hex(good[i], buf);
        struct wr w = wr_init(out, sizeof(out));
        struct cbor_rd *r = mem_alloc(sizeof(*r));
        struct cbor_token t;
        cbor_rd_init(r, in, CBOR_STRICT);
        while (cbor_next(r, &t))
            put_token(&w, &t);
        assert_int_equal(cbor_finish(r), OK);
        mem_free(r);
        assert_int_equal(wr_len(&w), in.len);
        assert_memory_equal(out, in.p, in.len);
        assert_int_equal(walk(in, CBOR_LENIENT), OK);
    }
}

static void test_bad(void **state)
{
    uint8_t buf[512];

    (void)state;
    for (size_t i = 0; i < countof(bad); i++) {
        struct bytes in = from_hex(bad[i], buf);
        if (!err_is_peer_fault(walk(in, CBOR_STRICT)) ||
            !err_is_peer_fault(walk(in, CBOR_LENIENT)))
            fail_msg("case %zu is accepted: %s", i, bad[i]);
    }
}

static void test_lax(void **state)
{
    uint8_t buf[512];

    (void)state;
    for (size_t i = 0; i < countof(lax); i++) {
        struct bytes in = from_hex(lax[i], buf);
        assert_int_equal(walk(in, CBOR_STRICT), E_MALFORMED);
        /* The same key twice is found only side by side. */
        enum err want = i == 2 ? E_MALFORMED : OK;
        assert_int_equal(walk(in, CBOR_LENIENT), want);
    }
}

static void test_prefixes(void **state)
{
    uint8_t buf[512];

    (void)state;
    for (size_t i = 0; i < countof(good); i++) {
        struct bytes in = from_hex(good[i], buf);
        for (size_t len = 0; len < in.len; len++) {
            uint8_t *copy = mem_dup(in.p, len);
            enum err err = walk((struct bytes){copy, len}, CBOR_STRICT);
            /* Cut within a CID it may be malformed before it is short. */
            assert_true(err == E_SHORT || err == E_MALFORMED);
            mem_free(copy);
        }
    }
}

static uint64_t float_bits(const char *hex)
{
    uint8_t buf[512];
    struct cbor_rd *r = mem_alloc(sizeof(*r));
    struct cbor_token t = {.kind = CBOR_NULL};

    cbor_rd_init(r, from_hex(hex, buf), CBOR_LENIENT);
    assert_true(cbor_next(r, &t));
    assert_int_equal(t.kind, CBOR_FLOAT);
    mem_free(r);
    return t.value;
}

/* Numbers of RFC 8949, appendix A, in each width. */
static void test_floats(void **state)
{
    (void)state;
    assert_int_equal(float_bits("f90000"), 0);
    assert_int_equal(float_bits("f98000"), UINT64_C(0x8000000000000000));
    assert_int_equal(float_bits("f93c00"), UINT64_C(0x3ff0000000000000));
    assert_int_equal(float_bits("f93e00"), UINT64_C(0x3ff8000000000000));
    assert_int_equal(float_bits("f97bff"), UINT64_C(0x40effc0000000000));
    assert_int_equal(float_bits("f90001"), UINT64_C(0x3e70000000000000));
    assert_int_equal(float_bits("f90400"), UINT64_C(0x3f10000000000000));
    assert_int_equal(float_bits("f9c400"), UINT64_C(0xc010000000000000));
    assert_int_equal(float_bits("fa47c35000"), UINT64_C(0x40f86a0000000000));
    assert_int_equal(float_bits("fa7f7fffff"), UINT64_C(0x47efffffe0000000));
    assert_int_equal(float_bits("fa00000001"), UINT64_C(0x36a0000000000000));
}

static void test_depth(void **state)
{
    uint8_t deep[CBOR_DEPTH_MAX + 2];

    (void)state;
    memset(deep, 0x81, sizeof(deep));
    deep[CBOR_DEPTH_MAX] = 0x00;
    assert_int_equal(
        walk((struct bytes){deep, CBOR_DEPTH_MAX + 1}, CBOR_STRICT), OK);
    deep[CBOR_DEPTH_MAX] = 0x81;
    deep[CBOR_DEPTH_MAX + 1] = 0x00;
    assert_int_equal(
        walk((struct bytes){deep, CBOR_DEPTH_MAX + 2}, CBOR_STRICT), E_LIMIT);
}

/* {"a": 5, "b": [true, null, -3], "cc": h'0102'} */
static const char record_hex[] = "a3616105616283f5f622626363420102";

static enum err read_record(struct cbor_rd *r)
{
    assert_int_equal(cbor_get_map(r, 3), 3);
    cbor_get_key(r, "a");
    assert_int_equal(cbor_get_uint(r, 5), 5);
    assert_false(cbor_try_key(r, "aa"));
    assert_true(cbor_try_key(r, "b"));
    assert_int_equal(cbor_get_list(r, 3), 3);
    assert_true(cbor_get_bool(r));
    assert_true(cbor_try_null(r));
    assert_false(cbor_try_null(r));
    assert_int_equal(cbor_get_int(r), -3);
    cbor_end(r);
    cbor_get_key(r, "cc");
    struct bytes in = cbor_get_bytes(r, 2);
    assert_int_equal(in.len, 2);
    assert_false(cbor_try_key(r, "d"));
    cbor_end(r);
    return cbor_finish(r);
}

static void test_record(void **state)
{
    uint8_t buf[512];
    uint8_t out[64];
    struct cbor_rd *r = mem_alloc(sizeof(*r));
    struct bytes in = from_hex(record_hex, buf);

    (void)state;
    cbor_rd_init(r, in, CBOR_STRICT);
    assert_int_equal(read_record(r), OK);
    struct wr w = wr_init(out, sizeof(out));
    cbor_put_map(&w, 3);
    cbor_put_key(&w, "a");
    cbor_put_uint(&w, 5);
    cbor_put_key(&w, "b");
    cbor_put_list(&w, 3);
    cbor_put_bool(&w, true);
    cbor_put_null(&w);
    cbor_put_int(&w, -3);
    cbor_put_key(&w, "cc");
    cbor_put_bytes(&w, (struct bytes){(const uint8_t *)"\1\2", 2});
    assert_int_equal(wr_len(&w), in.len);
    assert_memory_equal(out, in.p, in.len);
    mem_free(r);
}

/* What a record does not expect sticks as a failure. */
static void test_record_failures(void **state)
{
    uint8_t buf[512];
    struct cbor_rd *r = mem_alloc(sizeof(*r));
    struct bytes in = from_hex(record_hex, buf);

    (void)state;
    cbor_rd_init(r, in, CBOR_STRICT);
    assert_int_equal(cbor_get_map(r, 2), 0);
    assert_int_equal(cbor_finish(r), E_LIMIT);
    cbor_rd_init(r, in, CBOR_STRICT);
    assert_int_equal(cbor_get_list(r, 9), 0);
    assert_int_equal(cbor_finish(r), E_MALFORMED);
    cbor_rd_init(r, in, CBOR_STRICT);
    assert_int_equal(cbor_get_map(r, 3), 3);
    cbor_end(r); /* there is more */
    assert_int_equal(cbor_finish(r), E_MALFORMED);
    cbor_rd_init(r, in, CBOR_STRICT);
    assert_int_equal(cbor_get_map(r, 3), 3);
    cbor_get_key(r, "b");
    assert_int_equal(cbor_finish(r), E_MALFORMED);
    cbor_rd_init(r, in, CBOR_STRICT);
    assert_int_equal(cbor_get_map(r, 3), 3);
    cbor_get_key(r, "a");
    assert_int_equal(cbor_get_uint(r, 4), 0);
    assert_int_equal(cbor_finish(r), E_LIMIT);
    /* A list shorter than the record wants. */
    cbor_rd_init(r, from_hex("8101", buf), CBOR_STRICT);
    assert_int_equal(cbor_get_list(r, 9), 1);
    assert_int_equal(cbor_get_uint(r, 9), 1);
    assert_int_equal(cbor_get_uint(r, 9), 0);
    assert_int_equal(cbor_finish(r), E_MALFORMED);
    /* A key of an outer map is not taken for one of the inner. */
    cbor_rd_init(r, from_hex("a26161a1617801616202", buf), CBOR_STRICT);
    assert_int_equal(cbor_get_map(r, 2), 2);
    cbor_get_key(r, "a");
    assert_int_equal(cbor_get_map(r, 2), 1);
    cbor_get_key(r, "x");
    assert_int_equal(cbor_get_uint(r, 9), 1);
    assert_false(cbor_try_key(r, "b"));
    cbor_end(r);
    assert_true(cbor_try_key(r, "b"));
    assert_int_equal(cbor_get_uint(r, 9), 2);
    cbor_end(r);
    assert_int_equal(cbor_finish(r), OK);
    mem_free(r);
}

static void test_skip(void **state)
{
    uint8_t buf[512];
    struct cbor_rd *r = mem_alloc(sizeof(*r));

    (void)state;
    for (size_t i = 0; i < countof(good); i++) {
        struct bytes in = from_hex(good[i], buf);
        cbor_rd_init(r, in, CBOR_STRICT);
        struct bytes all = cbor_skip(r);
        assert_int_equal(all.len, in.len);
        assert_int_equal(cbor_finish(r), OK);
    }
    cbor_rd_init(r, from_hex(record_hex, buf), CBOR_STRICT);
    assert_int_equal(cbor_get_map(r, 3), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_not_equal(cbor_skip(r).len, 0);
        assert_int_not_equal(cbor_skip(r).len, 0);
    }
    cbor_end(r);
    assert_int_equal(cbor_finish(r), OK);
    mem_free(r);
}

static void test_ints(void **state)
{
    static const int64_t values[] = {
        0,    -1,   23,    24,        -24,       -25,       255,
        -256, -257, 65536, INT64_MAX, INT64_MIN, INT32_MIN, -INT64_MAX};
    uint8_t out[16];
    struct cbor_rd *r = mem_alloc(sizeof(*r));

    (void)state;
    for (size_t i = 0; i < countof(values); i++) {
        struct wr w = wr_init(out, sizeof(out));
        cbor_put_int(&w, values[i]);
        cbor_rd_init(r, (struct bytes){out, wr_len(&w)}, CBOR_STRICT);
        assert_int_equal(cbor_get_int(r), values[i]);
        assert_int_equal(cbor_finish(r), OK);
    }
    cbor_rd_init(r, (struct bytes){out, unhex("3b8000000000000000", out, 16)},
                 CBOR_STRICT);
    assert_int_equal(cbor_get_int(r), 0);
    assert_int_equal(cbor_finish(r), E_LIMIT);
    mem_free(r);
}

static void test_peer(void **state)
{
    /* An Ed25519 key in an identity multihash, inside a byte string. */
    uint8_t doc[2 + 38] = {0x58, 38, 0x00, 36, 0x08, 0x01, 0x12, 32};
    struct bytes in = {doc, sizeof(doc)};
    struct cbor_rd r;
    struct peer_id peer;

    (void)state;
    memset(doc + 8, 7, 32);
    cbor_rd_init(&r, in, CBOR_STRICT);
    cbor_get_peer(&r, &peer);
    assert_int_equal(cbor_finish(&r), OK);
    assert_memory_equal(peer_id_bytes(&peer).p, doc + 2, 38);
    /* Every shorter value, in a document that is whole. */
    for (uint8_t len = 0; len < 38; len++) {
        doc[1] = len;
        uint8_t cut[sizeof(doc)];
        size_t head = len < 24 ? 1 : 2;
        cut[0] = len < 24 ? (uint8_t)(0x40 + len) : 0x58;
        cut[1] = len;
        memcpy(cut + head, doc + 2, len);
        cbor_rd_init(&r, (struct bytes){cut, head + len}, CBOR_STRICT);
        cbor_get_peer(&r, &peer);
        assert_int_equal(cbor_finish(&r), E_MALFORMED);
    }
    /* One byte more than a peer id may have, and what is no byte string. */
    uint8_t more[2 + PEER_ID_BYTES_MAX + 1] = {0x58, PEER_ID_BYTES_MAX + 1};
    cbor_rd_init(&r, (struct bytes){more, sizeof(more)}, CBOR_STRICT);
    cbor_get_peer(&r, &peer);
    assert_int_equal(cbor_finish(&r), E_LIMIT);
    uint8_t number[] = {0x01};
    cbor_rd_init(&r, (struct bytes){number, 1}, CBOR_STRICT);
    cbor_get_peer(&r, &peer);
    assert_int_equal(cbor_finish(&r), E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lax),    cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_floats), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_record), cmocka_unit_test(test_record_failures),
        cmocka_unit_test(test_skip),   cmocka_unit_test(test_ints),
        cmocka_unit_test(test_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
