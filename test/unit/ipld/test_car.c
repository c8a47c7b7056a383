/*
 * CAR files.  Goal: files of both versions give their roots and sections in
 * pieces of any size, and each way to be wrong is told apart, with its place.
 * Method: the fixtures of the format and small files by hand, cut at every
 * byte and fed byte by byte; files written here are read back.
 */
#include "base/mem.h"
#include "ipld/car.h"
#include "ipld/dag_cbor.h"

#include "test.h"

enum { FILE_MAX = 4096 };

static const char hello_hex[] =
    "3aa265726f6f747381d82a58250001551220a948904f2f0f479b8f8197694b30184b0d2ed1"
    "c1cd2a1ec0fb85d299a192a4476776657273696f6e01"
    "3001551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"
    "68656c6c6f20776f726c640a";

enum { HELLO_HEADER = 59, HELLO_SECTION = 49 };

/* What came out of a reading. */
struct result {
    enum err err;
    enum car_fault fault;
    uint64_t fault_offset;
    size_t roots;
    size_t sections;
    size_t good; /* sections whose data has their CID */
    uint64_t data_bytes;
    uint64_t last_offset;
};

static void take_outs(struct car_reader *r, struct result *got)
{
    struct car_out out;

    while (car_reader_next(r, &out)) {
        got->last_offset = out.offset;
        if (out.kind == CAR_HEADER) {
            (void)car_reader_roots(r, &got->roots); /* their number is it */
            continue;
        }
        got->sections++;
        got->data_bytes += out.data.bytes.len;
        struct block *b = NULL;
        if (block_check(&out.cid, out.data, &b) == OK)
            got->good++;
        else
            slice_release(&out.data);
        block_unref(b);
    }
}

/* Reads @in in pieces of @piece bytes. */
static struct result read_car(struct bytes in, size_t piece)
{
    struct result got = {.err = OK};
    struct car_reader r;
    size_t at = 0;

    car_reader_init(&r);
    while (at < in.len && got.err == OK) {
        size_t len = in.len - at < piece ? in.len - at : piece;
        uint8_t *copy = mem_dup(in.p + at, len);
        size_t used = 0;
        got.err = car_reader_on_bytes(&r, (struct bytes){copy, len}, &used);
        mem_free(copy);
        at += used;
        take_outs(&r, &got);
    }
    if (got.err == OK)
        got.err = car_reader_on_end(&r);
    else
        assert_int_equal(car_reader_on_end(&r), got.err);
    got.fault = r.fault;
    got.fault_offset = r.fault_offset;
    car_reader_release(&r);
    assert_int_equal(got.err == OK, got.fault == CAR_FAULT_NONE);
    assert_int_not_equal(strlen(car_fault_text(got.fault)), 0);
    return got;
}

static struct bytes hello(uint8_t buf[static FILE_MAX])
{
    return (struct bytes){buf, unhex(hello_hex, buf, FILE_MAX)};
}

static void test_hello(void **state)
{
    uint8_t buf[FILE_MAX];
    struct bytes in = hello(buf);

    (void)state;
    for (size_t piece = 1; piece <= in.len; piece++) {
        struct result got = read_car(in, piece);
        assert_int_equal(got.err, OK);
        assert_int_equal(got.roots, 1);
        assert_int_equal(got.sections, 1);
        assert_int_equal(got.good, 1);
        assert_int_equal(got.last_offset, HELLO_HEADER);
    }
}

static void test_fixtures(void **state)
{
    static const struct {
        const char *path;
        size_t roots;
        size_t sections;
    } cases[] = {
        {"test/vectors/ipld/carv1-basic.car", 2, 8},
        {"test/vectors/ipld/carv2-basic.car", 1, 5},
    };
    uint8_t buf[FILE_MAX];

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        size_t len = test_load(cases[i].path, buf, sizeof(buf));
        for (size_t piece = 1; piece <= len; piece++) {
            struct result got = read_car((struct bytes){buf, len}, piece);
            assert_int_equal(got.err, OK);
            assert_int_equal(got.roots, cases[i].roots);
            assert_int_equal(got.sections, cases[i].sections);
            assert_int_equal(got.good, cases[i].sections);
        }
    }
}

/* A header alone is a file; anything else that is cut off is not. */
static void test_prefixes(void **state)
{
    uint8_t buf[FILE_MAX];
    struct bytes in = hello(buf);

    (void)state;
    for (size_t len = 0; len < in.len; len++) {
        struct result got = read_car((struct bytes){in.p, len}, 7);
        if (len == HELLO_HEADER) {
            assert_int_equal(got.err, OK);
            continue;
        }
        assert_int_equal(got.err, E_SHORT);
        assert_int_equal(got.fault,
                         len == 0 ? CAR_FAULT_EMPTY : CAR_FAULT_TRUNCATED);
        assert_int_equal(got.fault_offset,
                         len < HELLO_HEADER ? 0 : HELLO_HEADER);
    }
}

/* Every prefix of version 2, up to where its payload ends. */
static void test_prefixes_v2(void **state)
{
    enum { PAYLOAD_END = 0x1f3 };
    uint8_t buf[FILE_MAX];
    size_t len =
        test_load("test/vectors/ipld/carv2-basic.car", buf, sizeof(buf));

    (void)state;
    for (size_t i = 0; i <= len; i++) {
        struct result got = read_car((struct bytes){buf, i}, 7);
        assert_int_equal(got.err, i < PAYLOAD_END ? E_SHORT : OK);
    }
}

static void test_roots(void **state)
{
    static const char none[] = "11a265726f6f7473806776657273696f6e01";
    static const char identity[] =
        "19a265726f6f747381d82a4500015500006776657273696f6e01";
    uint8_t buf[FILE_MAX];

    (void)state;
    struct result got =
        read_car((struct bytes){buf, unhex(none, buf, sizeof(buf))}, 3);
    assert_int_equal(got.err, OK);
    assert_int_equal(got.roots, 0);
    got = read_car((struct bytes){buf, unhex(identity, buf, sizeof(buf))}, 3);
    assert_int_equal(got.err, OK);
    assert_int_equal(got.roots, 1);
}

static void test_bad_headers(void **state)
{
    static const struct {
        const char *hex;
        enum err err;
        enum car_fault fault;
    } cases[] = {
        {"00", E_MALFORMED, CAR_FAULT_HEADER},
        {"01a0", E_UNSUPPORTED, CAR_FAULT_VERSION},
        {"0180", E_MALFORMED, CAR_FAULT_HEADER},
        {"02a0a0", E_MALFORMED, CAR_FAULT_HEADER},
        {"0aa16776657273696f6e01", E_MALFORMED, CAR_FAULT_HEADER},
        {"0aa16776657273696f6e03", E_UNSUPPORTED, CAR_FAULT_VERSION},
        {"11a265726f6f7473806776657273696f6e00", E_UNSUPPORTED,
         CAR_FAULT_VERSION},
        {"12a265726f6f747381006776657273696f6e01", E_MALFORMED,
         CAR_FAULT_HEADER},
        {"8000", E_MALFORMED, CAR_FAULT_LENGTH},
        {"ffffffffffffffffff7f", E_MALFORMED, CAR_FAULT_LENGTH},
        {"ffffffffffffffff7f", E_LIMIT, CAR_FAULT_HEADER_LARGE},
        {"818002", E_LIMIT, CAR_FAULT_HEADER_LARGE},
        {"808002", E_SHORT, CAR_FAULT_TRUNCATED},
        /* the key roots three times */
        {"1fa4 65726f6f747380 65726f6f747380 6776657273696f6e01 "
         "65726f6f747380",
         E_MALFORMED, CAR_FAULT_HEADER},
        {"1ca3 65726f6f747380 6776657273696f6e01 65726f6f74738100", E_SHORT,
         CAR_FAULT_TRUNCATED},
        {"19a3 65726f6f747380 6776657273696f6e01 65726f6f74738100", E_MALFORMED,
         CAR_FAULT_HEADER},
    };
    uint8_t buf[FILE_MAX];

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        size_t len = unhex(cases[i].hex, buf, sizeof(buf));
        struct result got = read_car((struct bytes){buf, len}, 100);
        if (got.err != cases[i].err || got.fault != cases[i].fault)
            fail_msg("case %zu: %s, %s", i, err_name(got.err),
                     car_fault_text(got.fault));
        assert_int_equal(got.fault_offset, 0);
    }
}

static void test_bad_sections(void **state)
{
    static const struct {
        const char *hex;
        enum err err;
        enum car_fault fault;
    } cases[] = {
        {"00", E_MALFORMED, CAR_FAULT_SECTION_EMPTY},
        {"000000", E_MALFORMED, CAR_FAULT_SECTION_EMPTY},
        {"05", E_SHORT, CAR_FAULT_TRUNCATED},
        {"80", E_SHORT, CAR_FAULT_TRUNCATED},
        {"8000", E_MALFORMED, CAR_FAULT_LENGTH},
        {"0401551220", E_MALFORMED, CAR_FAULT_CID},
        {"0402550000", E_UNSUPPORTED, CAR_FAULT_CID},
        {"05ffffffffff", E_MALFORMED, CAR_FAULT_CID},
        {"ffffffff07", E_LIMIT, CAR_FAULT_SECTION_LARGE},
    };
    uint8_t buf[FILE_MAX];
    struct bytes in = hello(buf);

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        size_t len = unhex(cases[i].hex, buf + in.len, sizeof(buf) - in.len);
        struct result got = read_car((struct bytes){buf, in.len + len}, 100);
        if (got.err != cases[i].err || got.fault != cases[i].fault)
            fail_msg("case %zu: %s, %s", i, err_name(got.err),
                     car_fault_text(got.fault));
        assert_int_equal(got.sections, 1);
        assert_int_equal(got.fault_offset, HELLO_HEADER + HELLO_SECTION);
    }
}

/* Data of no bytes is a section; a section of another block is told by hash. */
static void test_data(void **state)
{
    uint8_t buf[FILE_MAX];
    struct bytes in = hello(buf);

    (void)state;
    size_t len = unhex("0401550000", buf + in.len, sizeof(buf) - in.len);
    struct result got = read_car((struct bytes){buf, in.len + len}, 5);
    assert_int_equal(got.err, OK);
    assert_int_equal(got.sections, 2);
    assert_int_equal(got.good, 2);
    buf[in.len - 1] ^= 1;
    got = read_car((struct bytes){buf, in.len}, 5);
    assert_int_equal(got.err, OK);
    assert_int_equal(got.sections, 1);
    assert_int_equal(got.good, 0);
}

/* The largest block is taken, one byte more is not. */
static void test_section_limit(void **state)
{
    struct cid cid = cid_of(CODEC_RAW, BYTES_EMPTY);
    size_t room = CAR_SECTION_HEAD_MAX + BLOCK_BYTES_MAX + 1;
    struct buf *header = car_make_header(&cid, 1);
    uint8_t *file = mem_zalloc(header->len + room, 1);

    (void)state;
    memcpy(file, header->data, header->len);
    for (size_t extra = 0; extra < 2; extra++) {
        size_t len = BLOCK_BYTES_MAX + extra;
        size_t head = car_section_head(&cid, len, file + header->len);
        struct result got =
            read_car((struct bytes){file, header->len + head + len}, 65536);
        assert_int_equal(got.err, extra == 0 ? OK : E_LIMIT);
        assert_int_equal(got.sections, 1 - extra);
    }
    mem_free(file);
    buf_unref(header);
}

static void test_v2_offsets(void **state)
{
    static const struct {
        size_t at; /* byte of the file to change */
        uint8_t value;
        enum car_fault fault;
    } cases[] = {
        {27, 0x32, CAR_FAULT_V2_HEADER},  /* payload within the header */
        {34, 0xff, CAR_FAULT_V2_HEADER},  /* offset past 2^63 */
        {42, 0xff, CAR_FAULT_V2_HEADER},  /* length past 2^63 */
        {35, 0xbf, CAR_FAULT_V2_PAYLOAD}, /* ends within a section */
        {36, 0x00, CAR_FAULT_V2_PAYLOAD}, /* the same */
        {36, 0xff, CAR_FAULT_CID},        /* goes on in the index */
        {51, 0xff, CAR_FAULT_V2_PAYLOAD}, /* header longer than the payload */
    };
    uint8_t buf[FILE_MAX];

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        size_t len =
            test_load("test/vectors/ipld/carv2-basic.car", buf, sizeof(buf));
        buf[cases[i].at] = cases[i].value;
        struct result got = read_car((struct bytes){buf, len}, 100);
        assert_int_equal(got.fault, cases[i].fault);
        assert_int_not_equal(got.err, OK);
    }
    /* Version 2 within version 2. */
    size_t len =
        test_load("test/vectors/ipld/carv2-basic.car", buf, sizeof(buf));
    memmove(buf + 51 + 11, buf + 51, len - 51);
    memcpy(buf + 51, buf, 11);
    struct result got = read_car((struct bytes){buf, len}, 100);
    assert_int_equal(got.fault, CAR_FAULT_VERSION);
}

static void test_write(void **state)
{
    uint8_t buf[FILE_MAX];
    uint8_t head[CAR_SECTION_HEAD_MAX];
    struct bytes in = hello(buf);
    struct cid cid = cid_of(CODEC_RAW, BYTES_LIT("hello world\n"));

    (void)state;
    struct buf *header = car_make_header(&cid, 1);
    assert_int_equal(header->len, HELLO_HEADER);
    assert_memory_equal(header->data, in.p, HELLO_HEADER);
    buf_unref(header);
    size_t len = car_section_head(&cid, 12, head);
    assert_int_equal(len, HELLO_SECTION - 12);
    assert_memory_equal(head, in.p + HELLO_HEADER, len);
}

/* As many roots as are allowed can be written and read, one more is refused. */
static void test_roots_limit(void **state)
{
    struct cid cids[CAR_ROOTS_MAX];
    uint8_t buf[FILE_MAX + 4096];

    (void)state;
    for (size_t i = 0; i < CAR_ROOTS_MAX; i++)
        cids[i] = cid_of(CODEC_RAW, (struct bytes){(const uint8_t *)&i, 1});
    struct buf *header = car_make_header(cids, CAR_ROOTS_MAX);
    struct result got = read_car(buf_bytes(header), 1000);
    assert_int_equal(got.err, OK);
    assert_int_equal(got.roots, CAR_ROOTS_MAX);
    /* One more link, put in before the first: lengths by hand. */
    size_t link_len = 41;
    size_t list = 2 + 1 + 6; /* length, map, key: where the list's head is */
    memcpy(buf, header->data, list + 2);
    assert_int_equal(buf[list], 0x98);
    assert_int_equal(buf[list + 1], CAR_ROOTS_MAX);
    buf[list + 1]++;
    memcpy(buf + list + 2, header->data + list + 2, link_len);
    memcpy(buf + list + 2 + link_len, header->data + list + 2,
           header->len - list - 2);
    size_t total = header->len + link_len - 2;
    buf[0] = (uint8_t)(total & 0x7f) | 0x80;
    buf[1] = (uint8_t)(total >> 7);
    got = read_car((struct bytes){buf, header->len + link_len}, 1000);
    assert_int_equal(got.err, E_LIMIT);
    assert_int_equal(got.fault, CAR_FAULT_ROOTS);
    buf_unref(header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_fixtures),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_prefixes_v2),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_sections),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_section_limit),
        cmocka_unit_test(test_v2_offsets),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_roots_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
