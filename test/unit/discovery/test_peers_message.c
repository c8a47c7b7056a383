/*
 * Goal: each message reads back as it was written, to the byte as the vectors
 * have it, and nothing over a limit or of another form is taken.
 * Method: vectors of test/vectors/peers; every prefix; limits at the limit and
 * one past it; messages made by hand.
 */
#include "discovery/peers_message.h"
#include "ipld/dag_cbor.h"
#include "peers.h"

#define DIR "test/vectors/peers/"

enum { ROOM = 160 * 1024 };

static const uint8_t record[CAPABILITY_BYTES_MAX + 1] = "record";

/* Where messages are made. */
static uint8_t *room(void)
{
    static uint8_t bytes[ROOM];
    return bytes;
}

static struct peers_message message(enum peers_kind kind)
{
    struct peers_message m;
    memset(&m, 0, sizeof(m));
    m.kind = kind;
    switch (kind) {
    case PEERS_HELLO:
        m.record = (struct bytes){record, 6};
        break;
    case PEERS_ASK:
        m.max = 64;
        break;
    case PEERS_PEERS:
        m.records[m.record_count++] = (struct bytes){record, 6};
        m.records[m.record_count++] = (struct bytes){record, 3};
        break;
    case PEERS_PROBE:
        m.peer = id_of(7);
        m.addrs[m.addr_count++] = addr_of("/ip4/1.2.3.4/tcp/4101");
        m.addrs[m.addr_count++] = addr_of("/ip6/2a00::1/tcp/4101");
        break;
    case PEERS_RESULT:
        m.outcome = PEERS_REACHED;
        m.elapsed_ms = 25;
        m.addr = addr_of("/ip4/1.2.3.4/tcp/4101");
        break;
    }
    return m;
}

static struct bytes encode(const struct peers_message *m)
{
    struct wr w = wr_init(room(), ROOM);
    struct bytes out;
    peers_message_encode(m, &w);
    assert_int_equal(wr_finish(&w, &out), OK);
    return out;
}

static void assert_same(const struct peers_message *a,
                        const struct peers_message *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(bytes_eq(a->record, b->record));
    assert_int_equal(a->max, b->max);
    assert_int_equal(a->record_count, b->record_count);
    for (size_t i = 0; i < a->record_count; i++)
        assert_true(bytes_eq(a->records[i], b->records[i]));
    assert_true(peer_id_eq(&a->peer, &b->peer));
    assert_int_equal(a->addr_count, b->addr_count);
    for (size_t i = 0; i < a->addr_count; i++)
        assert_true(multiaddr_eq(&a->addrs[i], &b->addrs[i]));
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->elapsed_ms, b->elapsed_ms);
    assert_true(multiaddr_eq(&a->addr, &b->addr));
}

static void test_vectors(void **state)
{
    static const char *const paths[] = {
        [PEERS_HELLO] = DIR "hello.bin",   [PEERS_ASK] = DIR "ask.bin",
        [PEERS_PEERS] = DIR "peers.bin",   [PEERS_PROBE] = DIR "probe.bin",
        [PEERS_RESULT] = DIR "result.bin",
    };
    uint8_t file[1024];
    (void)state;
    for (size_t i = 0; i <= PEERS_RESULT; i++) {
        struct peers_message m = message((enum peers_kind)i);
        struct peers_message got;
        struct bytes made = encode(&m);
        size_t len = test_load(paths[i], file, sizeof(file));
        assert_int_equal(made.len, len);
        assert_memory_equal(made.p, file, len);
        assert_int_equal(peers_message_decode((struct bytes){file, len}, &got),
                         OK);
        assert_same(&m, &got);
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i <= PEERS_RESULT; i++) {
        struct peers_message m = message((enum peers_kind)i);
        struct bytes made = encode(&m);
        for (size_t len = 0; len <= made.len; len++) {
            uint8_t *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy, made.p, len);
            enum err err = peers_message_decode((struct bytes){copy, len}, &m);
            assert_true(len == made.len ? err == OK : err_is_peer_fault(err));
            free(copy);
        }
    }
}

static void test_without(void **state)
{
    struct peers_message m = message(PEERS_HELLO);
    struct peers_message got;
    (void)state;
    m.record = BYTES_EMPTY;
    assert_int_equal(peers_message_decode(encode(&m), &got), OK);
    assert_same(&m, &got);
    m = message(PEERS_RESULT);
    m.addr = (struct multiaddr){0};
    m.outcome = PEERS_REFUSED;
    m.elapsed_ms = UINT32_MAX;
    assert_int_equal(peers_message_decode(encode(&m), &got), OK);
    assert_same(&m, &got);
    m = message(PEERS_PEERS);
    m.record_count = 0;
    assert_int_equal(peers_message_decode(encode(&m), &got), OK);
    assert_same(&m, &got);
}

/* {"type": "peers", "records": @count of @len bytes} */
static enum err try_records(size_t count, size_t len)
{
    struct peers_message got;
    struct wr w = wr_init(room(), ROOM);
    cbor_put_map(&w, 2);
    cbor_put_key(&w, "type");
    cbor_put_text(&w, bytes_str("peers"));
    cbor_put_key(&w, "records");
    cbor_put_list(&w, count);
    for (size_t i = 0; i < count; i++)
        cbor_put_bytes(&w, (struct bytes){record, len});
    assert_int_equal(w.err, OK);
    return peers_message_decode((struct bytes){room(), wr_len(&w)}, &got);
}

static void test_record_limits(void **state)
{
    (void)state;
    assert_int_equal(try_records(PEERS_RECORDS_MAX, 900), OK);
    assert_int_equal(try_records(PEERS_RECORDS_MAX + 1, 1), E_LIMIT);
    assert_int_equal(try_records(1, CAPABILITY_BYTES_MAX), OK);
    assert_int_equal(try_records(1, CAPABILITY_BYTES_MAX + 1), E_LIMIT);
    /* 31 * 2051 + a rest of 1936 + head: 65536 bytes and one more. */
    size_t beside = 1 + 5 + 6 + 8 + 2;
    struct peers_message got;
    for (size_t over = 0; over < 2; over++) {
        struct wr w = wr_init(room(), ROOM);
        cbor_put_map(&w, 2);
        cbor_put_key(&w, "type");
        cbor_put_text(&w, bytes_str("peers"));
        cbor_put_key(&w, "records");
        cbor_put_list(&w, 32);
        assert_int_equal(wr_len(&w), beside);
        for (size_t i = 0; i < 31; i++)
            cbor_put_bytes(&w, (struct bytes){record, CAPABILITY_BYTES_MAX});
        size_t rest = PEERS_MESSAGE_BYTES_MAX + over - wr_len(&w) - 3;
        cbor_put_bytes(&w, (struct bytes){record, rest});
        assert_int_equal(w.err, OK);
        assert_int_equal(wr_len(&w), PEERS_MESSAGE_BYTES_MAX + over);
        assert_int_equal(
            peers_message_decode((struct bytes){room(), wr_len(&w)}, &got),
            over == 0 ? OK : E_LIMIT);
    }
}

/* {"max": @max, "type": @type} */
static enum err try_max(uint64_t max, const char *type)
{
    struct peers_message got;
    struct wr w = wr_init(room(), ROOM);
    cbor_put_map(&w, 2);
    cbor_put_key(&w, "max");
    cbor_put_uint(&w, max);
    cbor_put_key(&w, "type");
    cbor_put_text(&w, bytes_str(type));
    return peers_message_decode((struct bytes){room(), wr_len(&w)}, &got);
}

static void test_ask(void **state)
{
    (void)state;
    assert_int_equal(try_max(1, "ask"), OK);
    assert_int_equal(try_max(PEERS_RECORDS_MAX, "ask"), OK);
    assert_int_equal(try_max(PEERS_RECORDS_MAX + 1, "ask"), E_LIMIT);
    assert_int_equal(try_max(0, "ask"), E_MALFORMED);
    assert_int_equal(try_max(1, "hello"), E_MALFORMED);
    assert_int_equal(try_max(1, "asks"), E_UNSUPPORTED);
}

/* {"peer": bytes, "type": "probe", "addresses": @count of @len bytes} */
static enum err try_probe(size_t count, size_t len, struct peers_message *got)
{
    struct peer_id id = id_of(1);
    struct wr w = wr_init(room(), ROOM);
    uint8_t addr[256] = {0};
    addr[0] = MA_DNS;
    addr[1] = (uint8_t)(len - 5);
    memset(addr + 2, 'x', len - 5);
    addr[len - 3] = MA_TCP;
    cbor_put_map(&w, 3);
    cbor_put_key(&w, "peer");
    cbor_put_bytes(&w, peer_id_bytes(&id));
    cbor_put_key(&w, "type");
    cbor_put_text(&w, bytes_str("probe"));
    cbor_put_key(&w, "addresses");
    cbor_put_list(&w, count);
    for (size_t i = 0; i < count; i++)
        cbor_put_bytes(&w, (struct bytes){addr, len});
    return peers_message_decode((struct bytes){room(), wr_len(&w)}, got);
}

static void test_probe_limits(void **state)
{
    struct peers_message got;
    (void)state;
    assert_int_equal(
        try_probe(PEERS_ADDRS_MAX, CAPABILITY_ADDR_BYTES_MAX, &got), OK);
    assert_int_equal(got.addr_count, PEERS_ADDRS_MAX);
    assert_int_equal(try_probe(PEERS_ADDRS_MAX + 1, 20, &got), E_LIMIT);
    assert_int_equal(try_probe(1, CAPABILITY_ADDR_BYTES_MAX + 1, &got),
                     E_LIMIT);
}

/* Addresses of protocols of the future are left out, bad ones are a fault. */
static void test_unknown_address(void **state)
{
    static const uint8_t unknown[] = {0xff, 0x7f};
    static const uint8_t bad[] = {MA_IP4, 1};
    struct peers_message got;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct wr w = wr_init(room(), ROOM);
        cbor_put_map(&w, 4);
        cbor_put_key(&w, "type");
        cbor_put_text(&w, bytes_str("result"));
        cbor_put_key(&w, "address");
        cbor_put_bytes(&w, i == 0 ? (struct bytes){unknown, 2}
                                  : (struct bytes){bad, 2});
        cbor_put_key(&w, "elapsed");
        cbor_put_uint(&w, 0);
        cbor_put_key(&w, "outcome");
        cbor_put_uint(&w, 0);
        enum err err =
            peers_message_decode((struct bytes){room(), wr_len(&w)}, &got);
        if (i == 0)
            assert_int_equal(err, OK);
        else
            assert_true(err == E_SHORT || err == E_MALFORMED);
    }
    assert_int_equal(got.addr.len, 0);
}

static void test_result_limits(void **state)
{
    static const struct {
        uint64_t elapsed;
        uint64_t outcome;
        enum err err;
    } rows[] = {
        {UINT32_MAX, PEERS_REFUSED, OK},
        {UINT64_C(1) << 32, PEERS_REFUSED, E_LIMIT},
        {0, PEERS_REFUSED + 1, E_LIMIT},
    };
    struct peers_message got;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wr w = wr_init(room(), ROOM);
        cbor_put_map(&w, 3);
        cbor_put_key(&w, "type");
        cbor_put_text(&w, bytes_str("result"));
        cbor_put_key(&w, "elapsed");
        cbor_put_uint(&w, rows[i].elapsed);
        cbor_put_key(&w, "outcome");
        cbor_put_uint(&w, rows[i].outcome);
        assert_int_equal(
            peers_message_decode((struct bytes){room(), wr_len(&w)}, &got),
            rows[i].err);
    }
}

static void test_other_bytes(void **state)
{
    static const struct {
        const char *hex;
        enum err err;
    } rows[] = {
        {"", E_SHORT},
        {"a0", E_MALFORMED},                     /* {} */
        {"80", E_MALFORMED},                     /* [] */
        {"a16474797065646173", E_SHORT},         /* cut short */
        {"a1647479706501", E_MALFORMED},         /* {"type": 1} */
        {"a16474797065636d6178", E_UNSUPPORTED}, /* {"type": "max"} */
        {"a1647479706563617363", E_UNSUPPORTED}, /* {"type": "asc"} */
        {"a164747970656361736b", E_MALFORMED},   /* {"type": "ask"} */
        {"a0a0", E_MALFORMED},
    };
    struct peers_message got;
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        size_t len = unhex(rows[i].hex, room(), ROOM);
        assert_int_equal(
            peers_message_decode((struct bytes){room(), len}, &got),
            rows[i].err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_without),
        cmocka_unit_test(test_record_limits),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_probe_limits),
        cmocka_unit_test(test_unknown_address),
        cmocka_unit_test(test_result_limits),
        cmocka_unit_test(test_other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
