/*
 * Goal: identify messages are written and read as other programs do.  Method:
 * the worked bytes of the specification, messages in pieces and in twos, every
 * prefix, every limit.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "libp2p/identify.h"

#include "test.h"

static const char worked[] =
    "5d"
    "0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fc"
    "e27e"
    "1208047f000001060fa1"
    "1a102f697066732f70696e672f312e302e30"
    "2208047f0000010610e1"
    "2a0a697066732f302e312e30"
    "3203782f31";

static struct bytes view(const uint8_t *p, size_t len)
{
    return (struct bytes){.p = p, .len = len};
}

static void test_worked_bytes(void **state)
{
    (void)state;
    uint8_t want[128];
    uint8_t got[128];
    size_t len = unhex(worked, want, sizeof(want));
    struct identify *m = mem_zalloc(1, sizeof(*m));
    assert_int_equal(identify_decode(view(want + 1, len - 1), m), OK);
    assert_int_equal(m->public_key.len, 36);
    assert_int_equal(m->addrs_count, 1);
    assert_int_equal(m->protocols_count, 1);
    assert_true(bytes_eq(m->protocols[0], BYTES_LIT("/ipfs/ping/1.0.0")));
    assert_true(bytes_eq(m->agent, BYTES_LIT("x/1")));
    assert_true(bytes_eq(m->protocol_version, BYTES_LIT("ipfs/0.1.0")));
    assert_int_equal(m->record.len, 0);
    struct wr w = wr_init(got, sizeof(got));
    struct bytes out;
    identify_encode(m, &w);
    assert_int_equal(wr_finish(&w, &out), OK);
    assert_true(bytes_eq(out, view(want, len)));
    mem_free(m);
}

static void test_every_prefix(void **state)
{
    (void)state;
    uint8_t in[128];
    size_t len = unhex(worked, in, sizeof(in));
    struct identify *m = mem_zalloc(1, sizeof(*m));
    size_t good = 0;
    for (size_t cut = 1; cut < len; cut++)
        good += identify_decode(view(in + 1, cut - 1), m) == OK;
    assert_int_equal(good, 6); /* only at the ends of fields, and nothing */
    /* A reader takes a whole message or none. */
    for (size_t cut = 0; cut <= len; cut++) {
        struct identify_reader r = {.len = 0};
        struct bytes all;
        assert_int_equal(identify_reader_add(&r, view(in, cut)), OK);
        assert_int_equal(identify_reader_end(&r, &all),
                         cut == len ? OK : E_SHORT);
        identify_reader_release(&r);
    }
    mem_free(m);
}

/* Two messages, the second cut short, in pieces of every size. */
static void test_reader_merges(void **state)
{
    (void)state;
    static const uint8_t in[] = {2, 0x32, 0, 3,   0x32, 1,   'a',
                                 3, 0x1a, 1, 'p', 9,    0x1a};
    struct identify *m = mem_zalloc(1, sizeof(*m));
    for (size_t piece = 1; piece <= sizeof(in); piece++) {
        struct identify_reader r = {.len = 0};
        for (size_t at = 0; at < sizeof(in); at += piece) {
            size_t len = sizeof(in) - at < piece ? sizeof(in) - at : piece;
            assert_int_equal(identify_reader_add(&r, view(in + at, len)), OK);
        }
        struct bytes all;
        assert_int_equal(identify_reader_end(&r, &all), OK);
        assert_int_equal(identify_decode(all, m), OK);
        assert_true(bytes_eq(m->agent, BYTES_LIT("a")));
        assert_int_equal(m->protocols_count, 1);
        identify_reader_release(&r);
    }
    mem_free(m);
}

static enum err read_message(size_t len, int count)
{
    uint8_t *in = mem_zalloc(len + 16, 1);
    struct identify_reader r = {.len = 0};
    struct wr w = wr_init(in, len + 16);
    enum err err = OK;
    wr_uvarint(&w, len);
    for (int i = 0; i < count && err == OK; i++)
        err = identify_reader_add(&r, view(in, wr_len(&w) + len));
    identify_reader_release(&r);
    mem_free(in);
    return err;
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(read_message(IDENTIFY_MESSAGE_MAX, 1), OK);
    assert_int_equal(read_message(IDENTIFY_MESSAGE_MAX + 1, 1), E_LIMIT);
    assert_int_equal(read_message(UINT64_C(1) << 20, 1), E_LIMIT);
    assert_int_equal(read_message(1, IDENTIFY_MESSAGES_MAX), OK);
    assert_int_equal(read_message(1, IDENTIFY_MESSAGES_MAX + 1), E_LIMIT);
    assert_int_equal(read_message(IDENTIFY_MESSAGE_MAX,
                                  IDENTIFY_BYTES_MAX / IDENTIFY_MESSAGE_MAX),
                     OK);
    assert_int_equal(
        read_message(IDENTIFY_MESSAGE_MAX,
                     IDENTIFY_BYTES_MAX / IDENTIFY_MESSAGE_MAX + 1),
        E_LIMIT);
    static const uint8_t padded[] = {0x81, 0x00};
    struct identify_reader r = {.len = 0};
    assert_int_equal(identify_reader_add(&r, view(padded, 2)), E_MALFORMED);
    identify_reader_release(&r);
}

static void test_split(void **state)
{
    (void)state;
    static uint8_t record[IDENTIFY_SPLIT_BYTES];
    static uint8_t room[8192];
    struct identify *m = mem_zalloc(1, sizeof(*m));
    struct identify *back = mem_zalloc(1, sizeof(*back));
    m->agent = BYTES_LIT("a");
    for (size_t over = 0; over <= 1; over++) {
        /* Field 6 takes 3 bytes, field 8 its head of 3 and the record. */
        m->record = view(record, IDENTIFY_SPLIT_BYTES - 6 + over);
        struct wr w = wr_init(room, sizeof(room));
        struct bytes out;
        struct bytes all;
        struct identify_reader r = {.len = 0};
        identify_encode(m, &w);
        assert_int_equal(wr_finish(&w, &out), OK);
        assert_int_equal(identify_reader_add(&r, out), OK);
        assert_int_equal(r.count, 1 + over);
        assert_int_equal(identify_reader_end(&r, &all), OK);
        assert_int_equal(identify_decode(all, back), OK);
        assert_true(bytes_eq(back->record, m->record));
        assert_true(bytes_eq(back->agent, m->agent));
        identify_reader_release(&r);
    }
    mem_free(m);
    mem_free(back);
}

static void test_lists_are_capped(void **state)
{
    (void)state;
    static uint8_t room[8192];
    struct wr w = wr_init(room, sizeof(room));
    struct identify *m = mem_zalloc(1, sizeof(*m));
    struct bytes in;
    for (int i = 0; i < IDENTIFY_PROTOCOLS_MAX + 1; i++)
        wr_bytes(&w, BYTES_LIT("\x1a\x01p"));
    for (int i = 0; i < IDENTIFY_ADDRS_MAX + 1; i++) {
        wr_bytes(&w, BYTES_LIT("\x12\x01"));
        wr_u8(&w, (uint8_t)i);
    }
    assert_int_equal(wr_finish(&w, &in), OK);
    assert_int_equal(identify_decode(in, m), OK);
    assert_int_equal(m->protocols_count, IDENTIFY_PROTOCOLS_MAX);
    assert_int_equal(m->addrs_count, IDENTIFY_ADDRS_MAX);
    /* The same address again is left out. */
    assert_int_equal(identify_decode(BYTES_LIT("\x12\x01x\x12\x01x"), m), OK);
    assert_int_equal(m->addrs_count, 1);
    mem_free(m);
}

static bool allowed(const char *text, enum ma_class over)
{
    struct multiaddr addr;
    assert_int_equal(multiaddr_parse(bytes_str(text), &addr), OK);
    return identify_addr_allowed(&addr, over);
}

static void test_classes(void **state)
{
    (void)state;
    static const char loopback[] = "/ip4/127.0.0.1/tcp/1";
    static const char private_one[] = "/ip4/192.168.1.1/tcp/1";
    static const char public_one[] = "/ip4/9.9.9.9/tcp/1";
    assert_true(allowed(loopback, MA_CLASS_LOOPBACK));
    assert_false(allowed(loopback, MA_CLASS_PRIVATE));
    assert_false(allowed(loopback, MA_CLASS_PUBLIC));
    assert_true(allowed(private_one, MA_CLASS_LOOPBACK));
    assert_true(allowed(private_one, MA_CLASS_PRIVATE));
    assert_false(allowed(private_one, MA_CLASS_PUBLIC));
    assert_true(allowed(public_one, MA_CLASS_PUBLIC));
    assert_false(allowed("/ip4/0.0.0.0/tcp/1", MA_CLASS_LOOPBACK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_bytes),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_reader_merges),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_lists_are_capped),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
