/*
 * Goal: messages are read and written as others do; nothing malformed comes
 * through, and nothing over a limit is looked at.
 * Method: worked bytes, messages built by hand, every prefix of a good one,
 * limits at the limit and one past it, and reading what was written.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "kad/kad_addrs.h"
#include "kad/message.h"
#include "kad_net.h"
#include "multiformats/multihash.h"
#include "multiformats/pb.h"

#include "test.h"

/* FIND_NODE for key A of the peer id vectors, as go-libp2p writes it. */
#define FIND_NODE_A                                                            \
    "0804 1226"                                                                \
    "0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fc" \
    "e27e 5001"

static struct bytes from_hex(const char *hex)
{
    static uint8_t bytes[4096];
    return (struct bytes){.p = bytes, .len = unhex(hex, bytes, sizeof(bytes))};
}

static enum err decode_hex(const char *hex, struct kad_message *ret)
{
    return kad_message_decode(from_hex(hex), ret);
}

static struct multiaddr addr_of(const char *text)
{
    struct multiaddr addr;
    assert_int_equal(multiaddr_parse(bytes_str(text), &addr), OK);
    return addr;
}

static struct kad_addrs addrs_of(const char *const *texts, size_t count)
{
    struct kad_addr_list list = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        struct multiaddr addr = addr_of(texts[i]);
        kad_addr_list_add(&list, &addr);
    }
    return kad_addrs_pack(&list);
}

static void reads_what_go_writes(void **state)
{
    (void)state;
    struct kad_message m;
    assert_int_equal(decode_hex(FIND_NODE_A, &m), OK);
    assert_int_equal(m.type, KAD_FIND_NODE);
    assert_int_equal(m.key.len, 38);
    assert_false(m.has_record);
    assert_int_equal(m.closer_count, 0);
    assert_int_equal(m.providers_count, 0);
}

static void writes_find_node(void **state)
{
    (void)state;
    struct kad_message m;
    assert_int_equal(decode_hex(FIND_NODE_A, &m), OK);
    struct kad_message_out out = {.type = KAD_FIND_NODE, .key = m.key};
    struct buf *bytes = kad_message_encode(&out, 1024);
    /* Ours leaves out field 10, which says nothing. */
    assert_int_equal(bytes->len, m.bytes.len - 2);
    assert_memory_equal(bytes->data, m.bytes.p, bytes->len);
    buf_unref(bytes);
}

static void absent_type_is_put_value(void **state)
{
    (void)state;
    struct kad_message m;
    assert_int_equal(decode_hex("", &m), OK);
    assert_int_equal(m.type, KAD_PUT_VALUE);
    assert_int_equal(m.key.len, 0);
    assert_int_equal(decode_hex("1201ff 1a06 0a0161 120162", &m), OK);
    assert_true(m.has_record);
    assert_true(bytes_eq(m.record_key, BYTES_LIT("a")));
    assert_true(bytes_eq(m.record_value, BYTES_LIT("b")));
}

static void refuses_what_is_malformed(void **state)
{
    (void)state;
    struct kad_message m;
    assert_int_equal(decode_hex("0806", &m), E_UNSUPPORTED);
    assert_int_equal(decode_hex("08ffffffffffffffffff01", &m), E_UNSUPPORTED);
    assert_int_equal(decode_hex("0a00", &m), E_MALFORMED); /* type as bytes */
    assert_int_equal(decode_hex("1001", &m), E_MALFORMED); /* key as number */
    assert_int_equal(decode_hex("4001", &m), E_MALFORMED); /* peer as number */
    assert_int_equal(decode_hex("4801", &m), E_MALFORMED);
    assert_int_equal(decode_hex("1801", &m), E_MALFORMED); /* record */
    assert_int_equal(decode_hex("1a02 0801", &m), E_MALFORMED);
    assert_int_equal(decode_hex("4202 0801", &m), E_MALFORMED); /* id */
    assert_int_equal(decode_hex("4202 1001", &m), E_MALFORMED); /* address */
    assert_int_equal(decode_hex("4202 1a00", &m), E_MALFORMED); /* connection */
    assert_int_equal(decode_hex("4202 0a05", &m), E_SHORT);
    assert_int_equal(decode_hex("4a02 0a05", &m), E_SHORT);
    assert_int_equal(decode_hex("0b", &m), E_UNSUPPORTED); /* a group */
    assert_int_equal(decode_hex("00", &m), E_MALFORMED);
}

static void skips_what_is_unknown(void **state)
{
    (void)state;
    struct kad_message m;
    assert_int_equal(decode_hex("0805 5001 7801 a20602ffff 7d01020304", &m),
                     OK);
    assert_int_equal(m.type, KAD_PING);
}

static void skips_bad_ids_and_addresses(void **state)
{
    (void)state;
    struct kad_message m;
    struct kad_message_peer peer;
    struct multiaddr addr;
    /* A peer without an id, one with a bad one, one with three addresses:
     * none, unknown protocol, good. */
    assert_int_equal(decode_hex("0804 4200 4203 0a01ff"
                                "4211 0a03000101 1200 1201ff 1205047f000001",
                                &m),
                     OK);
    assert_int_equal(m.closer_count, 3);
    struct kad_peer_cursor c = kad_peer_cursor_init(&m, KAD_CLOSER_PEERS);
    assert_true(kad_peer_cursor_next(&c, &peer));
    assert_int_equal(peer.id.len, 3);
    struct kad_addr_cursor a = kad_addr_cursor_init(&peer);
    assert_true(kad_addr_cursor_next(&a, &addr));
    assert_int_equal(addr.len, 5);
    assert_false(kad_addr_cursor_next(&a, &addr));
    assert_false(kad_peer_cursor_next(&c, &peer));
    c = kad_peer_cursor_init(&m, KAD_PROVIDER_PEERS);
    assert_false(kad_peer_cursor_next(&c, &peer));
}

/* A message of each field that we write. */
static struct buf *full_message(size_t max)
{
    static const char *const texts[] = {"/ip4/1.2.3.4/tcp/4001",
                                        "/ip6/2001:db9::1/udp/9/quic-v1"};
    struct kad_addrs addrs = addrs_of(texts, 2);
    struct kad_addrs none = {.count = 0};
    struct kad_peer_out peers[] = {
        {.id = net_peer_id(1, 1), .addrs = &addrs, .connection = KAD_CONNECTED},
        {.id = net_peer_id(2, 1), .addrs = &none},
        {.id = net_peer_id(3, 1), .addrs = &addrs},
    };
    struct kad_message_out m = {.type = KAD_GET_VALUE,
                                .key = BYTES_LIT("the key"),
                                .has_record = true,
                                .record_key = BYTES_LIT("the key"),
                                .record_value = BYTES_LIT("value"),
                                .record_time = BYTES_LIT("2020"),
                                .closer = peers,
                                .closer_count = 2,
                                .providers = peers,
                                .providers_count = 3};
    struct buf *bytes = kad_message_encode(&m, max);
    kad_addrs_release(&addrs);
    return bytes;
}

static void reads_what_it_wrote(void **state)
{
    (void)state;
    struct buf *bytes = full_message(4096);
    struct kad_message m;
    struct kad_message_peer peer;
    struct multiaddr addr;
    assert_int_equal(kad_message_decode(buf_bytes(bytes), &m), OK);
    assert_int_equal(m.type, KAD_GET_VALUE);
    assert_true(bytes_eq(m.key, BYTES_LIT("the key")));
    assert_true(bytes_eq(m.record_key, BYTES_LIT("the key")));
    assert_true(bytes_eq(m.record_value, BYTES_LIT("value")));
    assert_int_equal(m.closer_count, 2);
    assert_int_equal(m.providers_count, 3);
    struct kad_peer_cursor c = kad_peer_cursor_init(&m, KAD_PROVIDER_PEERS);
    for (uint64_t i = 1; i <= 3; i++) {
        struct peer_id want = net_peer_id(i, 1);
        assert_true(kad_peer_cursor_next(&c, &peer));
        assert_true(peer_id_eq(&peer.id, &want));
        struct kad_addr_cursor a = kad_addr_cursor_init(&peer);
        size_t count = 0;
        while (kad_addr_cursor_next(&a, &addr))
            count++;
        assert_int_equal(count, i == 2 ? 0 : 2);
    }
    assert_false(kad_peer_cursor_next(&c, &peer));
    buf_unref(bytes);
}

static void no_prefix_is_dangerous(void **state)
{
    (void)state;
    struct buf *bytes = full_message(4096);
    size_t good = 0;
    for (size_t len = 0; len < bytes->len; len++) {
        uint8_t *copy = mem_dup(bytes->data, len);
        struct kad_message m;
        struct kad_message_peer peer;
        enum err err = kad_message_decode((struct bytes){copy, len}, &m);
        if (err == OK) {
            struct kad_peer_cursor c =
                kad_peer_cursor_init(&m, KAD_CLOSER_PEERS);
            while (kad_peer_cursor_next(&c, &peer))
                ;
            good++;
        } else {
            assert_int_equal(err, E_SHORT);
        }
        mem_free(copy);
    }
    /* Only between two of its eight fields, and before the first. */
    assert_int_equal(good, 8);
    buf_unref(bytes);
}

static void leaves_out_providers_that_do_not_fit(void **state)
{
    (void)state;
    struct kad_message m;
    struct buf *all = full_message(4096);
    struct buf *exact = full_message(all->len);
    struct buf *less = full_message(all->len - 1);
    assert_int_equal(exact->len, all->len);
    assert_int_equal(kad_message_decode(buf_bytes(less), &m), OK);
    assert_int_equal(m.providers_count, 2);
    assert_int_equal(m.closer_count, 2);
    buf_unref(all);
    buf_unref(exact);
    buf_unref(less);
}

/* The worked example of docs/protocol/kad.md: ADD_PROVIDER of three contents,
 * the names of "a", "b" and "c", of a peer without addresses. */
#define MANY_KEYS                                                              \
    "0802 1222 1220ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785"   \
    "afee48bb 4a05 0a03000101"                                                 \
    "8201 22 12203e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed5"   \
    "9c009d"                                                                   \
    "8201 22 12202e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a2"   \
    "5aefc6"

static struct bytes name_of(const char *text, uint8_t dst[MULTIHASH_BYTES_MAX])
{
    struct multihash hash = multihash_sha256(bytes_str(text));
    return (struct bytes){dst, multihash_encode(&hash, dst)};
}

static void one_message_carries_many_keys(void **state)
{
    (void)state;
    uint8_t first[MULTIHASH_BYTES_MAX];
    uint8_t name[MULTIHASH_BYTES_MAX];
    uint8_t more[2 * (1 + MULTIHASH_BYTES_MAX)];
    struct wr w = wr_init(more, sizeof(more));
    for (const char *s = "b\0c"; s <= &"b\0c"[2]; s += 2) {
        struct bytes key = name_of(s, name);
        wr_u8(&w, (uint8_t)key.len);
        wr_bytes(&w, key);
    }
    struct kad_addrs none = {.count = 0};
    struct kad_peer_out peer = {.id = {.len = 3, .bytes = {0, 1, 1}},
                                .addrs = &none};
    struct kad_message_out out = {.type = KAD_ADD_PROVIDER,
                                  .key = name_of("a", first),
                                  .more_keys = {more, wr_len(&w)},
                                  .providers = &peer,
                                  .providers_count = 1};
    struct buf *b = kad_message_encode(&out, 4096);
    assert_int_equal(b->len, kad_message_len(&out));
    struct bytes want = from_hex(MANY_KEYS);
    assert_int_equal(b->len, want.len);
    assert_memory_equal(b->data, want.p, want.len);
    struct kad_message m;
    assert_int_equal(kad_message_decode(buf_bytes(b), &m), OK);
    assert_true(bytes_eq(m.key, out.key));
    assert_int_equal(m.providers_count, 1);
    struct kad_more_keys c = kad_more_keys_init(&m);
    struct bytes key;
    assert_true(kad_more_keys_next(&c, &key));
    assert_true(bytes_eq(key, name_of("b", name)));
    assert_true(kad_more_keys_next(&c, &key));
    assert_true(bytes_eq(key, name_of("c", name)));
    assert_false(kad_more_keys_next(&c, &key));
    for (size_t len = 0; len < b->len; len++) {
        uint8_t *copy = mem_dup(b->data, len);
        size_t count = 0;
        if (kad_message_decode((struct bytes){copy, len}, &m) == OK) {
            c = kad_more_keys_init(&m);
            while (kad_more_keys_next(&c, &key))
                count++;
        }
        assert_in_range(count, 0, 1);
        mem_free(copy);
    }
    buf_unref(b);
}

static size_t count_more(const struct kad_message *m)
{
    struct kad_more_keys c = kad_more_keys_init(m);
    struct bytes key;
    size_t count = 0;
    while (kad_more_keys_next(&c, &key))
        count++;
    return count;
}

static void looks_at_so_many_keys_only(void **state)
{
    (void)state;
    struct kad_message m;
    static uint8_t more[2 * (KAD_MESSAGE_MORE_KEYS_MAX + 1)];
    for (size_t i = 0; i < sizeof(more); i += 2)
        more[i] = 1;
    for (size_t i = KAD_MESSAGE_MORE_KEYS_MAX - 1;
         i <= KAD_MESSAGE_MORE_KEYS_MAX + 1; i++) {
        struct kad_message_out out = {.type = KAD_ADD_PROVIDER,
                                      .more_keys = {more, 2 * i}};
        struct buf *b = kad_message_encode(&out, 65536);
        assert_int_equal(kad_message_decode(buf_bytes(b), &m), OK);
        size_t max = KAD_MESSAGE_MORE_KEYS_MAX;
        assert_int_equal(count_more(&m), i < max ? i : max);
        buf_unref(b);
    }
    /* Too long ones are skipped, as are numbers. */
    uint8_t big[1 + KAD_PROVIDER_KEY_MAX + 1] = {KAD_PROVIDER_KEY_MAX};
    for (size_t over = 0; over < 2; over++) {
        struct kad_message_out out = {
            .more_keys = {big, 1 + KAD_PROVIDER_KEY_MAX + over}};
        big[0] = (uint8_t)(KAD_PROVIDER_KEY_MAX + over);
        struct buf *b = kad_message_encode(&out, 65536);
        assert_int_equal(kad_message_decode(buf_bytes(b), &m), OK);
        assert_int_equal(count_more(&m), 1 - over);
        buf_unref(b);
    }
    assert_int_equal(decode_hex("0802 800105 82010161 8501 01020304", &m), OK);
    assert_int_equal(count_more(&m), 1);
}

/* A message of @count peers in field @number, each with @addrs addresses. */
static struct buf *crowd(uint32_t number, size_t count, size_t addrs)
{
    struct peer_id id = net_peer_id(1, 1);
    struct multiaddr addr = net_addr(1);
    size_t body = pb_bytes_len(1, id.len) + addrs * pb_bytes_len(2, addr.len);
    struct buf *b = buf_new(count * pb_bytes_len(number, body));
    struct wr w = wr_init(b->data, b->max);
    for (size_t i = 0; i < count; i++) {
        pb_put_head(&w, number, body);
        pb_put_bytes(&w, 1, peer_id_bytes(&id));
        for (size_t j = 0; j < addrs; j++)
            pb_put_bytes(&w, 2, multiaddr_bytes(&addr));
    }
    assert_int_equal(w.err, OK);
    b->len = wr_len(&w);
    return b;
}

static size_t walk(const struct kad_message *m, enum kad_peer_list which)
{
    struct kad_peer_cursor c = kad_peer_cursor_init(m, which);
    struct kad_message_peer peer;
    size_t count = 0;
    while (kad_peer_cursor_next(&c, &peer))
        count++;
    return count;
}

static void looks_at_so_many_peers_only(void **state)
{
    (void)state;
    struct kad_message m;
    static const struct {
        enum kad_peer_list which;
        size_t max;
    } rows[] = {{KAD_CLOSER_PEERS, KAD_MESSAGE_CLOSER_MAX},
                {KAD_PROVIDER_PEERS, KAD_MESSAGE_PROVIDERS_MAX}};
    for (size_t i = 0; i < countof(rows); i++) {
        for (size_t count = rows[i].max - 1; count <= rows[i].max + 1;
             count++) {
            struct buf *b = crowd((uint32_t)rows[i].which, count, 1);
            assert_int_equal(kad_message_decode(buf_bytes(b), &m), OK);
            size_t want = count < rows[i].max ? count : rows[i].max;
            assert_int_equal(walk(&m, rows[i].which), want);
            buf_unref(b);
        }
    }
}

static void looks_at_so_many_addresses_only(void **state)
{
    (void)state;
    struct kad_message m;
    struct kad_message_peer peer;
    struct multiaddr addr;
    for (size_t i = KAD_MESSAGE_ADDRS_MAX - 1; i <= KAD_MESSAGE_ADDRS_MAX + 1;
         i++) {
        struct buf *b = crowd(KAD_CLOSER_PEERS, 1, i);
        assert_int_equal(kad_message_decode(buf_bytes(b), &m), OK);
        struct kad_peer_cursor c = kad_peer_cursor_init(&m, KAD_CLOSER_PEERS);
        assert_true(kad_peer_cursor_next(&c, &peer));
        struct kad_addr_cursor a = kad_addr_cursor_init(&peer);
        size_t count = 0;
        while (kad_addr_cursor_next(&a, &addr))
            count++;
        assert_int_equal(count,
                         i < KAD_MESSAGE_ADDRS_MAX ? i : KAD_MESSAGE_ADDRS_MAX);
        buf_unref(b);
    }
}

static void keys_and_records_have_limits(void **state)
{
    (void)state;
    struct kad_message m;
    static uint8_t big[KAD_MESSAGE_KEY_MAX + 1];
    for (size_t i = 0; i < 3; i++) {
        for (size_t over = 0; over < 2; over++) {
            struct bytes max = {big, KAD_MESSAGE_KEY_MAX + over};
            struct bytes one = {big, 1};
            struct kad_message_out out = {.type = KAD_PUT_VALUE,
                                          .key = i == 0 ? max : one,
                                          .has_record = true,
                                          .record_key = i == 1 ? max : one,
                                          .record_value = i == 2 ? max : one};
            struct buf *b = kad_message_encode(&out, 65536);
            assert_int_equal(kad_message_decode(buf_bytes(b), &m),
                             over == 0 ? OK : E_LIMIT);
            buf_unref(b);
        }
    }
}

static void addresses_travel_by_class(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "/ip4/1.2.3.4/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1",
        "/ip4/0.0.0.0/tcp/1", "/dns4/example.org/tcp/1"};
    static const enum ma_class over[] = {MA_CLASS_PUBLIC, MA_CLASS_PRIVATE,
                                         MA_CLASS_LOOPBACK};
    static const uint8_t own[] = {2, 3, 4};
    struct kad_addrs all = addrs_of(texts, countof(texts));
    assert_int_equal(all.count, 5);
    for (size_t i = 0; i < countof(over); i++) {
        struct kad_addrs some = kad_addrs_allowed(&all, KAD_OWN, over[i]);
        assert_int_equal(some.count, own[i]);
        kad_addrs_release(&some);
        some = kad_addrs_allowed(&all, KAD_WAN, over[i]);
        assert_int_equal(some.count, 2);
        kad_addrs_release(&some);
    }
    assert_int_equal(kad_addrs_class(&all), MA_CLASS_LOOPBACK);
    kad_addrs_release(&all);
}

static void a_list_holds_eight_different_ones(void **state)
{
    (void)state;
    struct kad_addr_list list = {.count = 0};
    struct peer_id id = net_peer_id(1, 1);
    struct multiaddr addr = net_addr(0);
    kad_addr_list_add(&list, &addr);
    assert_int_equal(multiaddr_append_peer(&addr, &id), OK);
    kad_addr_list_add(&list, &addr); /* the same one */
    assert_int_equal(list.count, 1);
    for (uint64_t i = 1; i <= KAD_ADDRS_MAX; i++) {
        addr = net_addr(i);
        kad_addr_list_add(&list, &addr);
    }
    assert_int_equal(list.count, KAD_ADDRS_MAX);
    struct kad_addrs packed = kad_addrs_pack(&list);
    struct kad_addr_list again;
    kad_addrs_unpack(&packed, &again);
    assert_int_equal(again.count, KAD_ADDRS_MAX);
    for (size_t i = 0; i < again.count; i++)
        assert_true(multiaddr_eq(&again.addrs[i], &list.addrs[i]));
    kad_addrs_release(&packed);
}

static void a_relay_is_no_place_to_ask(void **state)
{
    (void)state;
    static const char *const relay[] = {
        "/ip4/1.2.3.4/tcp/1/p2p/"
        "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq/p2p-circuit"};
    static const char *const direct[] = {"/ip4/1.2.3.4/tcp/1"};
    struct kad_addrs a = addrs_of(relay, 1);
    struct kad_addrs b = addrs_of(direct, 1);
    assert_false(kad_addrs_usable(&a, KAD_WAN));
    assert_true(kad_addrs_usable(&a, KAD_OWN));
    assert_true(kad_addrs_usable(&b, KAD_WAN));
    assert_int_equal(kad_addrs_group(&a), 0);
    assert_true(kad_addrs_group(&b) != 0);
    kad_addrs_release(&a);
    kad_addrs_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_go_writes),
        cmocka_unit_test(writes_find_node),
        cmocka_unit_test(absent_type_is_put_value),
        cmocka_unit_test(refuses_what_is_malformed),
        cmocka_unit_test(skips_what_is_unknown),
        cmocka_unit_test(skips_bad_ids_and_addresses),
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(no_prefix_is_dangerous),
        cmocka_unit_test(leaves_out_providers_that_do_not_fit),
        cmocka_unit_test(looks_at_so_many_peers_only),
        cmocka_unit_test(looks_at_so_many_addresses_only),
        cmocka_unit_test(one_message_carries_many_keys),
        cmocka_unit_test(looks_at_so_many_keys_only),
        cmocka_unit_test(keys_and_records_have_limits),
        cmocka_unit_test(addresses_travel_by_class),
        cmocka_unit_test(a_list_holds_eight_different_ones),
        cmocka_unit_test(a_relay_is_no_place_to_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
