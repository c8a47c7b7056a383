/*
 * Goal: what we write is DNS as others read it, and no packet, however it is
 * bent, is read beyond its end, for ever, or as something it does not say.
 * Method: packets written out by hand, each limit at the limit and one past
 * it, each prefix of the good ones, names with pointers that lead astray.
 */
#include "base/attr.h"
#include "base/mem.h"
#include "base/wr.h"
#include "discovery/mdns_packet.h"

#include "test.h"

enum {
    ROOM = 16384,
    TYPE_PTR = 12,
    TYPE_TXT = 16,
    HEADER = 12,
    ANSWER = 0x8400,
    QUERY = 0,
};

#define SELF "abcdefghijklmnopqrstuvwxyz012345"

static const struct bytes instance = {.p = (const uint8_t *)SELF, .len = 32};
static uint8_t room[ROOM]; /* NOLINT: of this test alone */

static struct bytes whole(const struct wr *w)
{
    struct bytes out;

    assert_int_equal(wr_finish(w, &out), OK);
    return out;
}

static struct wr begin(uint16_t flags, size_t questions, size_t records)
{
    struct wr w = wr_init(room, sizeof(room));

    wr_be16(&w, 0x1234);
    wr_be16(&w, flags);
    wr_be16(&w, (uint16_t)questions);
    wr_be16(&w, (uint16_t)records);
    wr_be32(&w, 0);
    return w;
}

static void put_service(struct wr *w)
{
    wr_bytes(w, BYTES_LIT("\4_p2p\4_udp\5local\0"));
}

static void put_question(struct wr *w, uint16_t type, uint16_t class)
{
    put_service(w);
    wr_be16(w, type);
    wr_be16(w, class);
}

static void put_head(struct wr *w, uint16_t type, uint32_t ttl, size_t len)
{
    wr_be16(w, type);
    wr_be16(w, 1);
    wr_be32(w, ttl);
    wr_be16(w, (uint16_t)len);
}

/* The service is offered by @label. */
static void put_ptr(struct wr *w, const char *label, uint32_t ttl)
{
    put_service(w);
    put_head(w, TYPE_PTR, ttl, 1 + strlen(label) + 17);
    wr_u8(w, (uint8_t)strlen(label));
    wr_bytes(w, bytes_str(label));
    put_service(w);
}

static void put_txt(struct wr *w, const char *const *texts, size_t count,
                    uint32_t ttl)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += 1 + strlen(texts[i]);
    wr_u8(w, 0); /* the root: whose it is does not matter */
    put_head(w, TYPE_TXT, ttl, len);
    for (size_t i = 0; i < count; i++) {
        wr_u8(w, (uint8_t)strlen(texts[i]));
        wr_bytes(w, bytes_str(texts[i]));
    }
}

/* Decodes from memory of exactly that size, so that the sanitizer sees more
 * than a read past the end of @room. */
static enum err decode(struct bytes in, struct mdns_packet *ret_packet)
{
    uint8_t *copy = mem_dup(in.p, in.len);
    struct bytes same = {.p = copy, .len = in.len};
    enum err err = mdns_packet_decode(same, instance, ret_packet);

    for (size_t i = 0; err == OK && i < ret_packet->texts_count; i++) {
        struct bytes *text = &ret_packet->texts[i];
        assert_true(text->p >= copy && text->p + text->len <= copy + in.len);
        text->p = in.p + (text->p - copy);
    }
    mem_free(copy);
    return err;
}

static void expect_text(const struct mdns_packet *m, size_t i, const char *want)
{
    assert_true(i < m->texts_count);
    if (!bytes_eq(m->texts[i], bytes_str(want)))
        fail_msg("text %zu is not %s", i, want);
}

static void test_query(void **state)
{
    static const uint8_t want[] =
        "\0\0\0\0\0\1\0\0\0\0\0\0\4_p2p\4_udp\5local\0\0\14\0\1";
    uint8_t dst[MDNS_QUERY_BYTES];
    struct mdns_packet m;

    (void)state;
    struct bytes out = mdns_query_encode(dst);
    assert_int_equal(out.len, MDNS_QUERY_BYTES);
    assert_int_equal(out.len, sizeof(want) - 1);
    assert_memory_equal(out.p, want, out.len);
    assert_int_equal(decode(out, &m), OK);
    assert_true(m.asks);
    assert_false(m.tells);
    assert_false(m.knows_us);
    assert_int_equal(m.id, 0);
}

static struct mdns_text text_of(const char *s)
{
    struct mdns_text t = {.len = (uint8_t)strlen(s)};

    assert_true(strlen(s) <= MDNS_TEXT_MAX);
    memcpy(t.bytes, s, t.len);
    return t;
}

/* Byte for byte, as RFC 1035 and RFC 6762 have it. */
static void test_answer(void **state)
{
    static const char want_hex[] =
        "0000 8400 0000 0001 0000 0003"
        "04 5f703270 04 5f756470 05 6c6f63616c 00" /* 12: _p2p._udp.local */
        "000c 0001 00000078 0023"
        "20 6162636465666768696a6b6c6d6e6f707172737475767778797a303132333435"
        "c00c" /* 39: instance */
        "c027 0021 8001 00000078 0029 0000 0000 0fa1"
        "20 6162636465666768696a6b6c6d6e6f707172737475767778797a303132333435"
        "c016" /* 92: host */
        "c05c 0001 8001 00000078 0004 c0a80105"
        "c027 0010 8001 00000078 000c 09 646e73616464723d 2f 01 78";
    struct mdns_text texts[2] = {text_of("dnsaddr=/"), text_of("x")};
    struct mdns_answer a = {.instance = instance,
                            .texts = texts,
                            .texts_count = 2,
                            .ip4 = {.len = 4, .bytes = {192, 168, 1, 5}},
                            .port = 4001};
    uint8_t want[256];
    struct mdns_packet m;

    (void)state;
    size_t want_len = unhex(want_hex, want, sizeof(want));
    struct bytes out = mdns_answer_encode(&a, room);
    assert_int_equal(out.len, want_len);
    assert_memory_equal(out.p, want, want_len);
    assert_int_equal(decode(out, &m), OK);
    assert_true(m.tells);
    assert_false(m.asks);
    assert_int_equal(m.texts_count, 1);
    expect_text(&m, 0, "/");
}

static void test_direct_answer(void **state)
{
    struct mdns_text text = text_of("dnsaddr=/ip4/1.2.3.4/tcp/1");
    struct mdns_answer a = {.instance = instance,
                            .texts = &text,
                            .texts_count = 1,
                            .ip6 = {.len = 16, .bytes = {0xfe, 0x80}},
                            .direct = true,
                            .id = 0xbeef};
    struct mdns_packet m;

    (void)state;
    struct bytes out = mdns_answer_encode(&a, room);
    assert_int_equal(decode(out, &m), OK);
    assert_int_equal(m.id, 0xbeef);
    assert_true(m.tells);
    assert_int_equal(m.texts_count, 1);
    assert_int_equal(room[5], 1); /* the question is repeated */
    assert_memory_equal(room + HEADER + 17, "\0\14\0\1\300\14", 6);
    assert_int_equal(room[HEADER + 17 + 6 + 7], MDNS_TTL_DIRECT_S);
}

static void test_what_does_not_fit_is_left_out(void **state)
{
    static struct mdns_text texts[64];
    struct mdns_answer a = {.instance = instance,
                            .texts = texts,
                            .ip4 = {.len = 4},
                            .ip6 = {.len = 16}};
    struct mdns_packet m;
    char text[MDNS_TEXT_MAX + 1];

    (void)state;
    memset(text, 'a', MDNS_TEXT_MAX);
    memcpy(text, "dnsaddr=", 8);
    text[MDNS_TEXT_MAX] = '\0';
    for (size_t count = 0; count < countof(texts); count++) {
        a.texts_count = count;
        struct bytes out = mdns_answer_encode(&a, room);
        assert_true(out.len <= MDNS_ANSWER_BYTES_MAX);
        assert_int_equal(decode(out, &m), OK);
        assert_int_equal(m.texts_count, count < 4 ? count : 4);
        texts[count] = text_of(text);
    }
    text[60] = '\0'; /* 61 bytes each: up to the last byte of the packet */
    for (size_t i = 0; i < countof(texts); i++)
        texts[i] = text_of(text);
    for (size_t len = 0; len < 61; len++) {
        texts[0].len = (uint8_t)(9 + len);
        struct bytes out = mdns_answer_encode(&a, room);
        assert_true(out.len <= MDNS_ANSWER_BYTES_MAX);
        assert_true(out.len + 61 > MDNS_ANSWER_BYTES_MAX);
    }
}

static void test_questions(void **state)
{
    static const struct {
        uint16_t flags;
        uint16_t type;
        uint16_t class;
        bool asks;
    } cases[] = {
        {QUERY, TYPE_PTR, 1, true},      {QUERY, 255, 1, true},
        {QUERY, TYPE_PTR, 0x8001, true}, /* an answer to one would do */
        {QUERY, TYPE_TXT, 1, false},     {QUERY, TYPE_PTR, 3, false},
        {ANSWER, TYPE_PTR, 1, false},
    };
    struct mdns_packet m;

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct wr w = begin(cases[i].flags, 1, 0);
        put_question(&w, cases[i].type, cases[i].class);
        assert_int_equal(decode(whole(&w), &m), OK);
        assert_int_equal(m.asks, cases[i].asks);
        assert_int_equal(m.id, 0x1234);
    }
    struct wr w = begin(QUERY, 2, 0);
    wr_bytes(&w, BYTES_LIT("\5_http\4_tcp\5local\0\0\14\0\1"));
    wr_bytes(&w, BYTES_LIT("\4_P2p\4_UDP\5LOCAL\0\0\14\0\1"));
    assert_int_equal(decode(whole(&w), &m), OK);
    assert_true(m.asks);
}

static void test_known_answers(void **state)
{
    static const struct {
        const char *name;
        uint32_t ttl;
        bool knows;
    } cases[] = {
        {SELF, MDNS_TTL_S, true},
        {SELF, MDNS_TTL_S / 2, true},
        {SELF, MDNS_TTL_S / 2 - 1, false},
        {"abcdefghijklmnopqrstuvwxyz012346", MDNS_TTL_S, false},
        {"abcdefghijklmnopqrstuvwxyz01234", MDNS_TTL_S, false},
    };
    struct mdns_packet m;

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct wr w = begin(QUERY, 1, 1);
        put_question(&w, TYPE_PTR, 1);
        put_ptr(&w, cases[i].name, cases[i].ttl);
        assert_int_equal(decode(whole(&w), &m), OK);
        assert_true(m.asks);
        assert_false(m.tells);
        assert_int_equal(m.knows_us, cases[i].knows);
    }
}

static void test_texts(void **state)
{
    static const char *const texts[] = {"dnsaddr=/ip4/1.2.3.4/tcp/1",
                                        "dnsaddr=",
                                        "txtvers=1",
                                        "",
                                        "dnsadd",
                                        "dnsaddr=x"};
    struct mdns_packet m;

    (void)state;
    struct wr w = begin(ANSWER, 0, 2);
    put_txt(&w, texts, countof(texts), 1); /* in front of the PTR */
    put_ptr(&w, "somebody", 1);
    assert_int_equal(decode(whole(&w), &m), OK);
    assert_true(m.tells);
    assert_int_equal(m.texts_count, 2);
    expect_text(&m, 0, "/ip4/1.2.3.4/tcp/1");
    expect_text(&m, 1, "x");

    w = begin(QUERY, 0, 2); /* a probe: not yet said */
    put_txt(&w, texts, countof(texts), 1);
    put_ptr(&w, "somebody", 1);
    assert_int_equal(decode(whole(&w), &m), OK);
    assert_false(m.tells);
    assert_int_equal(m.texts_count, 0);

    w = begin(ANSWER, 0, 1); /* of another service */
    put_txt(&w, texts, countof(texts), 1);
    assert_int_equal(decode(whole(&w), &m), OK);
    assert_false(m.tells);
    assert_int_equal(m.texts_count, 0);

    w = begin(ANSWER, 0, 2); /* a farewell */
    put_txt(&w, texts, countof(texts), 0);
    put_ptr(&w, "somebody", 0);
    assert_int_equal(decode(whole(&w), &m), OK);
    assert_false(m.tells);
    assert_int_equal(m.texts_count, 0);
}

static void test_counts(void **state)
{
    static const char *const text[] = {"dnsaddr=/"};
    struct mdns_packet m;

    (void)state;
    for (size_t count = MDNS_QUESTIONS_MAX; count <= MDNS_QUESTIONS_MAX + 1;
         count++) {
        struct wr w = begin(QUERY, count, 0);
        for (size_t i = 0; i < count; i++)
            put_question(&w, TYPE_PTR, 1);
        assert_int_equal(decode(whole(&w), &m),
                         count > MDNS_QUESTIONS_MAX ? E_LIMIT : OK);
    }
    for (size_t count = MDNS_RECORDS_MAX; count <= MDNS_RECORDS_MAX + 1;
         count++) {
        struct wr w = begin(ANSWER, 0, count);
        put_ptr(&w, "a", 1);
        for (size_t i = 1; i < count; i++)
            put_txt(&w, text, 1, 1);
        assert_int_equal(decode(whole(&w), &m),
                         count > MDNS_RECORDS_MAX ? E_LIMIT : OK);
    }
    assert_int_equal(m.texts_count, MDNS_TEXTS_MAX); /* of those that were OK */
    /* The three counts of records together, none of which is too large. */
    struct wr w = wr_init(room, sizeof(room));
    wr_be64(&w, 0x0000840000000080);
    wr_be32(&w, 0x00800001);
    assert_int_equal(decode(whole(&w), &m), E_LIMIT);
}

static void test_other_operations(void **state)
{
    static const uint16_t flags[] = {0x0800, 0x2800, 0x7800, 0x8403, 0x0001};
    struct mdns_packet m;

    (void)state;
    for (size_t i = 0; i < countof(flags); i++) {
        struct wr w = begin(flags[i], 0, 0);
        assert_int_equal(decode(whole(&w), &m), E_UNSUPPORTED);
    }
}

/* A name of @len bytes with its lengths, as the question of a packet. */
static enum err decode_name(size_t len)
{
    struct wr w = begin(QUERY, 1, 0);
    struct mdns_packet m;

    for (size_t left = len - 1; left > 0;) {
        size_t label = left < 64 ? left - 1 : left == 65 ? 62 : 63;
        wr_u8(&w, (uint8_t)label);
        for (size_t i = 0; i < label; i++)
            wr_u8(&w, 'a');
        left -= label + 1;
    }
    wr_u8(&w, 0);
    wr_be32(&w, 0x000c0001);
    return decode(whole(&w), &m);
}

static void test_long_names(void **state)
{
    struct mdns_packet m;

    (void)state;
    for (size_t len = 3; len <= MDNS_NAME_MAX; len++)
        assert_int_equal(decode_name(len), OK);
    for (size_t len = MDNS_NAME_MAX + 1; len < MDNS_NAME_MAX + 80; len++)
        assert_int_equal(decode_name(len), E_LIMIT);

    struct wr w = begin(QUERY, 1, 0);
    wr_u8(&w, 64); /* neither a length nor a pointer */
    for (size_t i = 0; i < 64; i++)
        wr_u8(&w, 'a');
    wr_u8(&w, 0);
    wr_be32(&w, 0x000c0001);
    assert_int_equal(decode(whole(&w), &m), E_MALFORMED);
}

/* A question whose name is a pointer to @to. */
static enum err decode_pointer(uint16_t to)
{
    struct wr w = begin(QUERY, 2, 0);
    struct mdns_packet m;

    put_question(&w, TYPE_TXT, 1);
    wr_be16(&w, 0xc000 | to);
    wr_be32(&w, 0x000c0001);
    enum err err = decode(whole(&w), &m);
    if (err == OK)
        assert_int_equal(m.asks, to == HEADER);
    return err;
}

static void test_pointers(void **state)
{
    size_t const at = HEADER + 17 + 4; /* of the pointer */

    (void)state;
    assert_int_equal(decode_pointer(HEADER), OK);
    assert_int_equal(decode_pointer(HEADER + 5), OK);
    assert_int_equal(decode_pointer(HEADER + 16), OK); /* the root */
    assert_int_equal(decode_pointer((uint16_t)at), E_MALFORMED);
    assert_int_equal(decode_pointer((uint16_t)at + 1), E_MALFORMED);
    assert_int_equal(decode_pointer((uint16_t)at + 2), E_MALFORMED);
    assert_int_equal(decode_pointer(0x3fff), E_MALFORMED);
}

/* Questions each of which points at the one before: the @count-th name takes
 * as many jumps. */
static enum err decode_jumps(size_t count)
{
    struct wr w = begin(QUERY, count + 1, 0);
    struct mdns_packet m;
    size_t last = HEADER;

    put_question(&w, TYPE_TXT, 1);
    for (size_t i = 0; i < count; i++) {
        size_t at = wr_len(&w);
        wr_be16(&w, (uint16_t)(0xc000 | last));
        wr_be32(&w, 0x000c0001);
        last = at;
    }
    return decode(whole(&w), &m);
}

static void test_jumps(void **state)
{
    (void)state;
    assert_int_equal(decode_jumps(16), OK);
    assert_int_equal(decode_jumps(17), E_MALFORMED);
}

/* What a PTR names has to fill its data. */
static void test_target(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        enum err want;
    } cases[] = {
        {"\1a\300\14", 4, OK},
        {"\1a\300\14", 3, E_SHORT},
        {"\1a\300\14x", 5, E_MALFORMED},
        {"\1a\0", 3, OK},
        {"\1a\0b", 4, E_MALFORMED},
        {"", 0, E_SHORT},
        {"\300\47", 2, E_MALFORMED},
        {"\300\46", 2, E_SHORT},
        {"\2a", 2, E_SHORT},
    };
    struct mdns_packet m;

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct wr w = begin(ANSWER, 0, 1);
        put_service(&w);
        put_head(&w, TYPE_PTR, 1, cases[i].len);
        wr_bytes(&w, (struct bytes){.p = (const uint8_t *)cases[i].data,
                                    .len = cases[i].len});
        enum err err = decode(whole(&w), &m);
        if (err != cases[i].want)
            fail_msg("case %zu: %d", i, (int)err);
    }
}

static void check_prefixes(struct bytes good)
{
    uint8_t *copy = mem_alloc(good.len + 1);
    struct mdns_packet m;

    for (size_t len = 0; len < good.len; len++)
        assert_int_not_equal(decode(bytes_sub(good, 0, len), &m), OK);
    assert_int_equal(decode(good, &m), OK);
    memcpy(copy, good.p, good.len);
    copy[good.len] = 0;
    assert_int_equal(decode((struct bytes){copy, good.len + 1}, &m),
                     E_MALFORMED);
    mem_free(copy);
}

static void test_every_prefix(void **state)
{
    static const char *const texts[] = {"dnsaddr=/ip4/1.2.3.4/tcp/1", "a"};
    struct mdns_text text = text_of("dnsaddr=/ip4/1.2.3.4/tcp/1");
    struct mdns_answer a = {.instance = instance,
                            .texts = &text,
                            .texts_count = 1,
                            .ip4 = {.len = 4},
                            .direct = true};
    uint8_t dst[MDNS_QUERY_BYTES];

    (void)state;
    check_prefixes(mdns_query_encode(dst));
    check_prefixes(mdns_answer_encode(&a, room));
    struct wr w = begin(ANSWER, 1, 3);
    put_question(&w, TYPE_PTR, 1);
    put_ptr(&w, "a", 1);
    put_txt(&w, texts, countof(texts), 1);
    put_ptr(&w, SELF, 1);
    check_prefixes(whole(&w));
}

/* What kubo 0.42 sent on a network of two: see test/vectors/mdns. */
static void test_kubo(void **state)
{
    uint8_t packet[2048];
    struct mdns_packet m;

    (void)state;
    size_t len =
        test_load("test/vectors/mdns/kubo_answer.bin", packet, sizeof(packet));
    assert_int_equal(decode((struct bytes){packet, len}, &m), OK);
    assert_true(m.tells);
    assert_true(m.texts_count > 0);
    for (size_t i = 0; i < m.texts_count; i++)
        assert_memory_equal(m.texts[i].p, "/ip", 3);
    len = test_load("test/vectors/mdns/kubo_query.bin", packet, sizeof(packet));
    assert_int_equal(decode((struct bytes){packet, len}, &m), OK);
    assert_true(m.asks);
    assert_false(m.knows_us);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_direct_answer),
        cmocka_unit_test(test_what_does_not_fit_is_left_out),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_other_operations),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_kubo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
