/*
 * Goal: the bytes of segments are as docs/design/0002 says, and a scan takes
 * only what is right of whatever it is given.
 * Method: known bytes, every prefix, every changed byte, and a scan of a
 * segment with gaps and with records hidden in the bytes of a block.
 */
#include "crypto/crc32c.h"
#include "env/disk.h"
#include "ipld/block.h"
#include "store/scan.h"
#include "store/segment.h"

#include "test.h"

static const struct store_place place = {.segment = 3, .offset = 4096};

static struct store_key key_of(const char *text)
{
    struct multihash hash = multihash_sha256(bytes_str(text));

    return store_key_of(&hash);
}

static void names(void **state)
{
    char name[SEGMENT_NAME_MAX];

    (void)state;
    segment_name(1, name);
    assert_string_equal(name, "segment-000001.dat");
    segment_name(SEGMENT_NUMBER_MAX, name);
    assert_string_equal(name, "segment-999999.dat");
    assert_int_equal(segment_name_parse(name), SEGMENT_NUMBER_MAX);
    assert_int_equal(segment_name_parse("segment-000042.dat"), 42);
    assert_int_equal(segment_name_parse("segment-00004x.dat"), 0);
    assert_int_equal(segment_name_parse("segment-000042.da"), 0);
    assert_int_equal(segment_name_parse("segment-000042.dat~"), 0);
    assert_int_equal(segment_name_parse("segmenT-000042.dat"), 0);
    assert_int_equal(segment_name_parse(""), 0);
}

static void header(void **state)
{
    uint8_t in[SEGMENT_HEADER_BYTES];
    struct bytes all = {in, sizeof(in)};

    (void)state;
    segment_header_encode(7, in);
    assert_memory_equal(in, "XMBLSEGM\1\0\0\0\7\0\0\0", 16);
    assert_int_equal(segment_header_check(all, 7), OK);
    assert_int_equal(segment_header_check(all, 8), E_MISMATCH);
    for (size_t len = 0; len < sizeof(in); len++)
        assert_int_equal(segment_header_check((struct bytes){in, len}, 7),
                         E_SHORT);
    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] ^= 0x10;
        assert_int_equal(segment_header_check(all, 7), E_MALFORMED);
        in[i] ^= 0x10;
    }
    /* A newer format is told from a damaged one. */
    in[8] = 2;
    uint32_t crc = crc32c(0, (struct bytes){in, 28});
    for (unsigned i = 0; i < 4; i++)
        in[28 + i] = (uint8_t)(crc >> (8 * i));
    assert_int_equal(segment_header_check(all, 7), E_UNSUPPORTED);
}

static void record_bytes_and_prefixes(void **state)
{
    uint8_t in[RECORD_HEADER_MAX];
    struct record r = {.key = key_of("x"),
                       .flags = RECORD_KEEP,
                       .length = 0x010203,
                       .crc = 0xa1b2c3d4};
    struct record back;

    (void)state;
    size_t len = record_encode(&r, place, in);
    assert_int_equal(len, 20 + 34);
    assert_memory_equal(in, "XREC\x22\x02\0\0\3\2\1\0\xd4\xc3\xb2\xa1", 16);
    assert_memory_equal(in + 16, r.key.p, 34);
    struct bytes all = {in, len};
    assert_int_equal(record_decode(all, place, &back), OK);
    assert_int_equal(back.length, r.length);
    assert_int_equal(back.crc, r.crc);
    assert_int_equal(back.flags, r.flags);
    assert_memory_equal(back.key.p, r.key.p, r.key.len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(record_decode((struct bytes){in, i}, place, &back),
                         E_SHORT);
    for (size_t i = 0; i < len; i++) {
        in[i] ^= 1;
        assert_int_not_equal(record_decode(all, place, &back), OK);
        in[i] ^= 1;
    }
    /* At another place it is none. */
    struct store_place other = {.segment = 3, .offset = 4097};
    assert_int_equal(record_decode(all, other, &back), E_MALFORMED);
    other = (struct store_place){.segment = 4, .offset = 4096};
    assert_int_equal(record_decode(all, other, &back), E_MALFORMED);
}

static enum err decode_length(uint8_t flags, uint32_t length)
{
    uint8_t in[RECORD_HEADER_MAX];
    struct record r = {.key = key_of("x"), .flags = flags, .length = length};
    struct record back;
    size_t len = record_encode(&r, place, in);

    return record_decode((struct bytes){in, len}, place, &back);
}

static void record_limits(void **state)
{
    (void)state;
    assert_int_equal(decode_length(0, 0), OK);
    assert_int_equal(decode_length(0, BLOCK_BYTES_MAX), OK);
    assert_int_equal(decode_length(0, BLOCK_BYTES_MAX + 1), E_LIMIT);
    assert_int_equal(decode_length(0, UINT32_MAX), E_LIMIT);
    assert_int_equal(decode_length(RECORD_DELETION, 8), OK);
    assert_int_equal(decode_length(RECORD_DELETION, 9), E_MALFORMED);
    assert_int_equal(decode_length(RECORD_ALIGNED, 1), OK);
    assert_int_equal(decode_length(8, 1), E_MALFORMED);
}

static void deletion(void **state)
{
    uint8_t in[RECORD_DELETION_BYTES + 1] = {0};
    struct store_place at;

    (void)state;
    deletion_encode(place, in);
    for (size_t len = 0; len < sizeof(in) + 1; len++) {
        enum err err = deletion_decode((struct bytes){in, len}, &at);
        assert_int_equal(err, len == RECORD_DELETION_BYTES ? OK : E_MALFORMED);
    }
    assert_true(store_place_eq(at, place));
    deletion_encode((struct store_place){.segment = 0, .offset = 9}, in);
    assert_int_equal(
        deletion_decode((struct bytes){in, RECORD_DELETION_BYTES}, &at),
        E_MALFORMED);
}

static void aligned_bytes(void **state)
{
    struct record r = {.key = key_of("x"), .length = 10};

    (void)state;
    assert_int_equal(record_data_at(32, 34, 0), 86);
    assert_int_equal(record_data_at(32, 34, RECORD_ALIGNED), 4096);
    assert_int_equal(record_data_at(4096 - 54, 34, RECORD_ALIGNED), 4096);
    assert_int_equal(record_data_at(4096 - 53, 34, RECORD_ALIGNED), 8192);
    assert_int_equal(record_end(32, &r), 96);
    r.flags = RECORD_ALIGNED | RECORD_KEEP;
    assert_int_equal(record_end(32, &r), 4106);
}

/* Scanning. */

struct image {
    uint8_t bytes[65536];
    uint32_t len;
};

static uint32_t add(struct image *m, const char *text, uint8_t flags)
{
    uint32_t at = m->len;
    struct bytes data = bytes_str(text);
    uint8_t target[RECORD_DELETION_BYTES];
    struct record r = {.key = key_of(text), .flags = flags};

    if ((flags & RECORD_DELETION) != 0) {
        deletion_encode((struct store_place){.segment = 1, .offset = 32},
                        target);
        data = (struct bytes){target, sizeof(target)};
    }
    r.length = (uint32_t)data.len;
    r.crc = crc32c(0, data);
    struct store_place here = {.segment = 1, .offset = at};
    (void)record_encode(&r, here, m->bytes + at);
    uint32_t data_at = record_data_at(at, r.key.len, flags);
    memcpy(m->bytes + data_at, data.p, data.len);
    m->len = data_at + (uint32_t)data.len;
    return at;
}

static void scan(struct scan *sc, const struct image *m, enum scan_depth depth,
                 bool stop_at_gap)
{
    scan_init(sc, 1, SEGMENT_HEADER_BYTES, m->len, depth);
    sc->stop_at_gap = stop_at_gap;
    memcpy(sc->buffer, m->bytes + SEGMENT_HEADER_BYTES,
           m->len - SEGMENT_HEADER_BYTES);
    scan_parse(sc, m->len - SEGMENT_HEADER_BYTES, true);
}

static void scan_all_good(void **state)
{
    struct image m = {.len = SEGMENT_HEADER_BYTES};
    struct scan sc;

    (void)state;
    add(&m, "one", 0);
    add(&m, "two", RECORD_KEEP | RECORD_ALIGNED);
    add(&m, "three", RECORD_DELETION);
    for (enum scan_depth d = SCAN_HEADERS; d <= SCAN_HASH; d++) {
        scan(&sc, &m, d, false);
        assert_int_equal(sc.count, 3);
        assert_true(scan_done(&sc));
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(sc.records[i].state, SCAN_GOOD);
        assert_int_equal(sc.records[2].target.offset, 32);
        scan_release(&sc);
    }
}

/* Cut off anywhere: the records before the cut, and no other. */
static void scan_every_prefix(void **state)
{
    struct image m = {.len = SEGMENT_HEADER_BYTES};
    uint32_t ends[4] = {m.len};
    struct scan sc;

    (void)state;
    for (unsigned i = 1; i < 4; i++) {
        add(&m,
            i == 1   ? "one"
            : i == 2 ? "two"
                     : "three",
            i == 2 ? RECORD_ALIGNED : 0);
        ends[i] = m.len;
    }
    uint32_t full = m.len;
    for (m.len = SEGMENT_HEADER_BYTES; m.len <= full; m.len++) {
        unsigned whole = 0;
        if (m.len == 1000)
            m.len = 4000; /* of what aligns the second one, both ends do */
        while (whole < 3 && ends[whole + 1] <= m.len)
            whole++;
        scan(&sc, &m, SCAN_CRC, true);
        assert_int_equal(sc.count, whole);
        assert_int_equal(sc.pos, ends[whole]);
        assert_int_equal(sc.stopped, m.len != ends[whole]);
        scan_release(&sc);
    }
}

/* A file in memory; each read of it is counted. */
struct long_file {
    struct disk disk;
    uint8_t *bytes;
    uint32_t len;
    unsigned reads;
};

static enum err read_long(struct disk *disk, struct disk_file *file,
                          uint64_t offset, uint8_t *dst, size_t len,
                          size_t *ret_len)
{
    struct long_file *f = (struct long_file *)disk;
    size_t left = offset < f->len ? f->len - (size_t)offset : 0;

    (void)file;
    *ret_len = len < left ? len : left;
    if (*ret_len > 0)
        memcpy(dst, f->bytes + offset, *ret_len);
    f->reads++;
    return OK;
}

static void add_long(struct long_file *f, uint32_t number, uint32_t len)
{
    uint8_t name[4] = {(uint8_t)number, (uint8_t)(number >> 8)};
    struct multihash hash = multihash_sha256((struct bytes){name, 4});
    struct record r = {.key = store_key_of(&hash), .length = len};
    struct store_place here = {.segment = 1, .offset = f->len};

    f->len += (uint32_t)record_encode(&r, here, f->bytes + f->len);
    f->len += len;
}

/* Headers far apart: all are found, around each little is read, and what asks
 * gets many at a time.  Short records in between change nothing. */
static void scan_headers_far_apart(void **state)
{
    enum { COUNT = 300, LONG = 200000, SHORT = 10, EVERY = 50 };
    struct long_file f = {.disk.read = read_long, .len = SEGMENT_HEADER_BYTES};
    uint32_t places[COUNT];
    struct scan sc;
    unsigned windows = 0;
    size_t found = 0;

    (void)state;
    f.bytes = calloc(COUNT, LONG + 100);
    assert_non_null(f.bytes);
    for (uint32_t i = 0; i < COUNT; i++) {
        places[i] = f.len;
        add_long(&f, i, i % EVERY < EVERY / 10 ? SHORT : LONG);
    }
    scan_init(&sc, 1, SEGMENT_HEADER_BYTES, f.len, SCAN_HEADERS);
    sc.disk = &f.disk;
    sc.file = (struct disk_file *)(void *)&f; /* only its address is used */
    while (!scan_done(&sc)) {
        uint32_t before = sc.pos;
        scan_window(&sc);
        windows++;
        assert_int_equal(sc.err, OK);
        assert_int_equal(sc.begun_at, before);
        assert_true(sc.pos > before);
        for (size_t i = 0; i < sc.count; i++, found++) {
            assert_int_equal(sc.records[i].state, SCAN_GOOD);
            assert_int_equal(sc.records[i].place.offset, places[found]);
        }
    }
    assert_int_equal(found, COUNT);
    assert_int_equal(sc.pos, f.len);
    assert_in_range(windows, 1, COUNT / 10);
    assert_in_range(f.reads, COUNT / 2, COUNT);
    scan_release(&sc);
    free(f.bytes);
}

static void scan_over_a_gap(void **state)
{
    struct image m = {.len = SEGMENT_HEADER_BYTES};
    struct scan sc;

    (void)state;
    add(&m, "one", 0);
    uint32_t bad = add(&m, "two", 0);
    uint32_t next = add(&m, "three", 0);
    add(&m, "gone", RECORD_DELETION);
    add(&m, "four", 0);
    m.bytes[bad] ^= 1;
    scan(&sc, &m, SCAN_HEADERS, false);
    assert_int_equal(sc.count, 4); /* deletions behind a gap do not count */
    assert_int_equal(sc.records[1].state, SCAN_GAP);
    assert_int_equal(sc.records[1].place.offset, bad);
    assert_int_equal(sc.records[1].record.length, next - bad);
    assert_int_equal(sc.records[2].state, SCAN_GOOD);
    assert_int_equal(sc.records[2].place.offset, next);
    assert_int_equal(sc.records[3].state, SCAN_GOOD);
    scan_release(&sc);
}

/* A record within the bytes of a block, at the right place and with the right
 * checksums, but not with the right hash. */
static void hidden_record_is_not_taken(void **state)
{
    struct image m = {.len = SEGMENT_HEADER_BYTES};
    struct image in = {.len = SEGMENT_HEADER_BYTES + 20 + 34};
    struct scan sc;

    (void)state;
    struct record r = {.key = key_of("victim"), .length = 4};
    r.crc = crc32c(0, BYTES_LIT("liar"));
    struct store_place at = {.segment = 1, .offset = in.len};
    in.len += (uint32_t)record_encode(&r, at, in.bytes + in.len);
    memcpy(in.bytes + in.len, "liar", 4);
    in.len += 4;
    size_t head = SEGMENT_HEADER_BYTES + 20 + 34;
    struct record outer = {.key = key_of("outer"),
                           .length = in.len - (uint32_t)head};
    outer.crc = crc32c(0, (struct bytes){in.bytes + head, outer.length});
    at.offset = SEGMENT_HEADER_BYTES;
    m.len += (uint32_t)record_encode(&outer, at, m.bytes + m.len);
    memcpy(m.bytes + m.len, in.bytes + head, outer.length);
    m.len += outer.length;
    m.bytes[SEGMENT_HEADER_BYTES] ^= 1;
    uint32_t last = add(&m, "after", 0);
    scan(&sc, &m, SCAN_HEADERS, false);
    assert_int_equal(sc.count, 2);
    assert_int_equal(sc.records[0].state, SCAN_GAP);
    assert_int_equal(sc.records[1].place.offset, last);
    scan_release(&sc);
}

static void scan_bad_bytes(void **state)
{
    struct image m = {.len = SEGMENT_HEADER_BYTES};
    struct scan sc;

    (void)state;
    uint32_t at = add(&m, "one", 0);
    add(&m, "two", 0);
    m.bytes[at + 54] ^= 1;
    scan(&sc, &m, SCAN_HEADERS, false);
    assert_int_equal(sc.records[0].state, SCAN_GOOD);
    scan_release(&sc);
    scan(&sc, &m, SCAN_CRC, false);
    assert_int_equal(sc.count, 2);
    assert_int_equal(sc.records[0].state, SCAN_BAD_BYTES);
    assert_int_equal(sc.records[1].state, SCAN_GOOD);
    scan_release(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(header),
        cmocka_unit_test(record_bytes_and_prefixes),
        cmocka_unit_test(record_limits),
        cmocka_unit_test(deletion),
        cmocka_unit_test(aligned_bytes),
        cmocka_unit_test(scan_all_good),
        cmocka_unit_test(scan_every_prefix),
        cmocka_unit_test(scan_headers_far_apart),
        cmocka_unit_test(scan_over_a_gap),
        cmocka_unit_test(hidden_record_is_not_taken),
        cmocka_unit_test(scan_bad_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
