/*
 * Goal: a record says what was put into it, to the byte; nobody can forge one,
 * and nothing over a limit gets in.
 * Method: vectors of test/vectors/peers; every prefix and every bit of a good
 * record; limits at the limit and one past it, with records that are sealed
 * round maps made by hand; clocks.
 */
#include "discovery/capability.h"
#include "ipld/dag_cbor.h"
#include "multiformats/envelope.h"
#include "peers.h"

#define DIR "test/vectors/peers/"

static const struct bytes devnet = {(const uint8_t *)"devnet", 6};

/* The key of the vectors: seed 00 01 .. 1f. */
static struct privkey vector_key(void)
{
    uint8_t seed[ED25519_SEED_BYTES];
    struct privkey key;
    for (size_t i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)i;
    privkey_init_seed(&key, seed);
    return key;
}

static struct capability least(const struct privkey *key)
{
    struct capability c = record_of(key, NULL);
    c.has_storage = false;
    c.storage_offer = 0;
    c.storage_free = 0;
    return c;
}

static struct capability full(const struct privkey *key)
{
    struct capability c = record_of(key, "/ip4/1.2.3.4/tcp/4101");
    c.addrs[c.addr_count++] = addr_of("/ip6/2a00::1/tcp/4101");
    c.addrs[c.addr_count++] = addr_of("/dns/node.example/tcp/4101");
    memcpy(c.operator_id, "acme", 4);
    c.operator_len = 4;
    /* {"a": 1} */
    static const uint8_t blob[] = {0xa1, 0x61, 0x61, 0x01};
    memcpy(c.compute.bytes, blob, sizeof(blob));
    memcpy(c.profile.bytes, blob, sizeof(blob));
    c.compute.len = sizeof(blob);
    c.profile.len = sizeof(blob);
    return c;
}

static void assert_same(const struct capability *a, const struct capability *b)
{
    assert_string_equal(a->network, b->network);
    assert_true(peer_id_eq(&a->peer, &b->peer));
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->expires_s, b->expires_s);
    assert_int_equal(a->addr_count, b->addr_count);
    for (size_t i = 0; i < a->addr_count; i++)
        assert_true(multiaddr_eq(&a->addrs[i], &b->addrs[i]));
    assert_true(bytes_eq(capability_operator(a), capability_operator(b)));
    assert_int_equal(a->has_storage, b->has_storage);
    assert_int_equal(a->storage_offer, b->storage_offer);
    assert_int_equal(a->storage_free, b->storage_free);
    assert_int_equal(a->compute.len, b->compute.len);
    assert_memory_equal(a->compute.bytes, b->compute.bytes, a->compute.len);
    assert_int_equal(a->profile.len, b->profile.len);
    assert_memory_equal(a->profile.bytes, b->profile.bytes, a->profile.len);
}

static void check_vector(const char *path, const struct capability *c,
                         const struct privkey *key)
{
    uint8_t expected[CAPABILITY_BYTES_MAX];
    uint8_t dst[CAPABILITY_BYTES_MAX];
    struct capability got;
    struct bytes made = sealed_of(key, c, dst);
    size_t len = test_load(path, expected, sizeof(expected));
    assert_int_equal(made.len, len);
    assert_memory_equal(made.p, expected, len);
    assert_int_equal(capability_open((struct bytes){expected, len}, devnet,
                                     TEST_UNIX_S, &got),
                     OK);
    assert_same(&got, c);
}

static void test_vectors(void **state)
{
    (void)state;
    struct privkey key = vector_key();
    struct capability c = full(&key);
    check_vector(DIR "capability_full.bin", &c, &key);
    c = least(&key);
    check_vector(DIR "capability_least.bin", &c, &key);
    privkey_release(&key);
}

static void test_prefixes(void **state)
{
    (void)state;
    struct privkey key = key_of(1);
    struct capability c = full(&key);
    uint8_t dst[CAPABILITY_BYTES_MAX];
    struct bytes made = sealed_of(&key, &c, dst);
    struct peer_id peer;
    uint64_t seq;
    for (size_t len = 0; len < made.len; len++) {
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, dst, len);
        struct bytes part = {copy, len};
        enum err err = capability_open(part, devnet, TEST_UNIX_S, &c);
        assert_true(err_is_peer_fault(err));
        err = capability_peek(part, &peer, &seq);
        assert_true(err == OK || err_is_peer_fault(err));
        free(copy);
    }
    assert_int_equal(capability_peek(made, &peer, &seq), OK);
    assert_true(peer_id_eq(&peer, &c.peer));
    assert_int_equal(seq, c.seq);
    privkey_release(&key);
}

static void test_every_bit(void **state)
{
    (void)state;
    struct privkey key = key_of(1);
    struct capability c = full(&key);
    uint8_t dst[CAPABILITY_BYTES_MAX];
    struct bytes made = sealed_of(&key, &c, dst);
    for (size_t bit = 0; bit < made.len * 8; bit++) {
        dst[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(capability_open(made, devnet, TEST_UNIX_S, &c),
                             OK);
        dst[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(capability_open(made, devnet, TEST_UNIX_S, &c), OK);
    privkey_release(&key);
}

static enum err open_at(const struct privkey *key, const struct capability *c,
                        uint64_t unix_s)
{
    uint8_t dst[CAPABILITY_BYTES_MAX];
    struct capability got;
    return capability_open(sealed_of(key, c, dst), devnet, unix_s, &got);
}

static void test_clocks(void **state)
{
    (void)state;
    struct privkey key = key_of(1);
    struct capability c = least(&key);
    assert_int_equal(open_at(&key, &c, c.expires_s - 1), OK);
    assert_int_equal(open_at(&key, &c, c.expires_s), E_TIMEOUT);
    assert_int_equal(open_at(&key, &c, TEST_UNIX_S - CAPABILITY_SKEW_S), OK);
    assert_int_equal(open_at(&key, &c, TEST_UNIX_S - CAPABILITY_SKEW_S - 1),
                     E_AGAIN);
    c.expires_s++;
    assert_int_equal(open_at(&key, &c, TEST_UNIX_S), E_LIMIT);
    c.expires_s = TEST_UNIX_S - 5;
    assert_int_equal(open_at(&key, &c, TEST_UNIX_S - 6), OK);
    c.seq = UINT64_MAX;
    c.expires_s = UINT64_MAX;
    assert_int_equal(open_at(&key, &c, TEST_UNIX_S), E_LIMIT);
    c.expires_s = UINT64_MAX / 1000;
    assert_int_equal(open_at(&key, &c, TEST_UNIX_S), E_AGAIN);
    privkey_release(&key);
}

static void test_network(void **state)
{
    (void)state;
    struct privkey key = key_of(1);
    struct capability c = least(&key);
    memcpy(c.network, "testnet", 8);
    assert_int_equal(open_at(&key, &c, TEST_UNIX_S), E_REFUSED);
    memset(c.network, 'a', CAPABILITY_NETWORK_MAX);
    assert_int_equal(open_at(&key, &c, TEST_UNIX_S), E_REFUSED);
    privkey_release(&key);
}

/* struct raw - what a map made by hand holds. */
struct raw {
    uint64_t version;
    size_t pairs;
    const char *network;
    struct peer_id peer;
    size_t blob_len; /* of compute; 0: none */
    uint64_t offer;
    uint64_t free;
    size_t operator_len; /* plus 1; 0: none */
    size_t addrs;
    size_t addr_len; /* 0: as it is */
    const char *addr;
};

static void put_raw_address(struct wr *w, const struct raw *raw)
{
    struct multiaddr addr = addr_of(raw->addr);
    /* A long name makes an address long: head and length are 2 and 3 bytes. */
    if (raw->addr_len > 0) {
        memset(&addr, 0, sizeof(addr));
        addr.bytes[0] = MA_DNS;
        addr.bytes[1] = (uint8_t)(raw->addr_len - 5);
        memset(addr.bytes + 2, 'x', raw->addr_len - 5);
        addr.bytes[raw->addr_len - 3] = MA_TCP;
        addr.bytes[raw->addr_len - 2] = 1;
        addr.len = (uint16_t)raw->addr_len;
    }
    cbor_put_bytes(w, multiaddr_bytes(&addr));
}

static struct raw raw_of(const struct privkey *key)
{
    return (struct raw){.version = 1,
                        .pairs = 7,
                        .network = "devnet",
                        .peer = privkey_peer_id(key),
                        .offer = 2,
                        .free = 1,
                        .addrs = 1,
                        .addr = "/ip4/1.2.3.4/tcp/1"};
}

static size_t put_raw(uint8_t *map, size_t max, const struct raw *raw)
{
    static const uint8_t zeros[512];
    struct wr w = wr_init(map, max);
    cbor_put_map(&w, raw->pairs);
    cbor_put_key(&w, "v");
    cbor_put_uint(&w, raw->version);
    cbor_put_key(&w, "seq");
    cbor_put_uint(&w, (uint64_t)TEST_UNIX_S * 1000);
    cbor_put_key(&w, "peer");
    cbor_put_bytes(&w, peer_id_bytes(&raw->peer));
    if (raw->blob_len > 0) { /* {"": bytes}, of blob_len bytes in all */
        cbor_put_key(&w, "compute");
        cbor_put_map(&w, 1);
        cbor_put_key(&w, "");
        cbor_put_bytes(&w, (struct bytes){zeros, raw->blob_len - 4});
    }
    cbor_put_key(&w, "expires");
    cbor_put_uint(&w, TEST_UNIX_S + 60);
    cbor_put_key(&w, "network");
    cbor_put_text(&w, bytes_str(raw->network));
    cbor_put_key(&w, "storage");
    cbor_put_map(&w, 2);
    cbor_put_key(&w, "free");
    cbor_put_uint(&w, raw->free);
    cbor_put_key(&w, "offer");
    cbor_put_uint(&w, raw->offer);
    if (raw->operator_len > 0) {
        cbor_put_key(&w, "operator");
        cbor_put_bytes(&w, (struct bytes){zeros, raw->operator_len - 1});
    }
    cbor_put_key(&w, "addresses");
    cbor_put_list(&w, raw->addrs);
    for (size_t i = 0; i < raw->addrs; i++)
        put_raw_address(&w, raw);
    assert_int_equal(w.err, OK);
    return wr_len(&w);
}

static enum err open_raw(const struct raw *raw, const struct privkey *key,
                         struct envelope_use use, struct capability *ret_c)
{
    uint8_t map[3000];
    uint8_t dst[4000];
    size_t len = put_raw(map, sizeof(map), raw);
    struct wr w = wr_init(dst, sizeof(dst));
    envelope_seal(key, use, (struct bytes){map, len}, &w);
    assert_int_equal(w.err, OK);
    return capability_open((struct bytes){dst, wr_len(&w)}, devnet, TEST_UNIX_S,
                           ret_c);
}

static enum err try_raw(const struct raw *raw)
{
    struct envelope_use use = {.domain = BYTES_LIT("xmbl-capability"),
                               .type = BYTES_LIT("/xmbl/capability/1")};
    struct privkey key = key_of(1);
    struct capability c;
    enum err err = open_raw(raw, &key, use, &c);
    privkey_release(&key);
    return err;
}

static void test_limits(void **state)
{
    (void)state;
    struct privkey key = key_of(1);
    const struct raw good = raw_of(&key);
    struct raw raw = good;
    assert_int_equal(try_raw(&raw), OK);
    raw.addrs = CAPABILITY_ADDRS_MAX;
    raw.addr_len = CAPABILITY_ADDR_BYTES_MAX;
    assert_int_equal(try_raw(&raw), OK);
    raw.addr_len++;
    assert_int_equal(try_raw(&raw), E_LIMIT);
    raw = good;
    raw.addrs = CAPABILITY_ADDRS_MAX + 1;
    assert_int_equal(try_raw(&raw), E_LIMIT);
    raw = good;
    raw.pairs++;
    raw.blob_len = CAPABILITY_COMPUTE_MAX;
    assert_int_equal(try_raw(&raw), OK);
    raw.blob_len++;
    assert_int_equal(try_raw(&raw), E_LIMIT);
    raw = good;
    raw.pairs++;
    raw.operator_len = CAPABILITY_OPERATOR_MAX + 1;
    assert_int_equal(try_raw(&raw), OK);
    raw.operator_len++;
    assert_int_equal(try_raw(&raw), E_LIMIT);
    raw.operator_len = 1;
    assert_int_equal(try_raw(&raw), E_MALFORMED);
    raw = good;
    raw.offer = CAPABILITY_STORAGE_MAX;
    raw.free = CAPABILITY_STORAGE_MAX;
    assert_int_equal(try_raw(&raw), OK);
    raw.offer++;
    assert_int_equal(try_raw(&raw), E_LIMIT);
    raw = good;
    raw.free = raw.offer + 1;
    assert_int_equal(try_raw(&raw), E_MALFORMED);
    privkey_release(&key);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const names[] = {"", "Devnet", "dev net", "-d", "d-"};
    struct privkey key = key_of(1);
    const struct raw good = raw_of(&key);
    struct raw raw = good;
    raw.version = 2;
    assert_int_equal(try_raw(&raw), E_UNSUPPORTED);
    raw = good;
    raw.pairs--;
    assert_int_equal(try_raw(&raw), E_MALFORMED);
    raw.pairs += 2;
    assert_true(err_is_peer_fault(try_raw(&raw)));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        raw = good;
        raw.network = names[i];
        assert_int_equal(try_raw(&raw), E_MALFORMED);
    }
    raw = good;
    raw.addr =
        "/ip4/1.2.3.4/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
    assert_int_equal(try_raw(&raw), E_MALFORMED);
    privkey_release(&key);
}

/* A record that somebody else signed, or that was signed for something else. */
static void test_forged(void **state)
{
    (void)state;
    struct envelope_use use = {.domain = BYTES_LIT("xmbl-capability"),
                               .type = BYTES_LIT("/xmbl/capability/1")};
    struct privkey key = key_of(1);
    struct privkey thief = key_of(2);
    struct raw raw = raw_of(&key);
    struct capability c;
    assert_int_equal(open_raw(&raw, &key, use, &c), OK);
    assert_int_equal(open_raw(&raw, &thief, use, &c), E_MISMATCH);
    use.domain = BYTES_LIT("xmbl-capabilitY");
    assert_int_equal(open_raw(&raw, &key, use, &c), E_MISMATCH);
    use.domain = BYTES_LIT("xmbl-capability");
    use.type = BYTES_LIT("/xmbl/capability/2");
    assert_int_equal(open_raw(&raw, &key, use, &c), E_MISMATCH);
    privkey_release(&key);
    privkey_release(&thief);
}

/* The largest record that can be made fits, and one byte more is refused. */
static void test_largest(void **state)
{
    (void)state;
    struct privkey key = key_of(1);
    struct capability c = full(&key);
    struct capability got;
    uint8_t dst[CAPABILITY_BYTES_MAX + 1] = {0};
    memset(c.network, 'n', CAPABILITY_NETWORK_MAX);
    c.operator_len = CAPABILITY_OPERATOR_MAX;
    c.storage_offer = CAPABILITY_STORAGE_MAX;
    c.storage_free = CAPABILITY_STORAGE_MAX;
    for (c.addr_count = 0; c.addr_count < CAPABILITY_ADDRS_MAX;
         c.addr_count++) {
        struct multiaddr *addr = &c.addrs[c.addr_count];
        memset(addr, 0, sizeof(*addr));
        addr->bytes[0] = MA_DNS;
        addr->bytes[1] = CAPABILITY_ADDR_BYTES_MAX - 5;
        memset(addr->bytes + 2, 'x', CAPABILITY_ADDR_BYTES_MAX - 5);
        addr->bytes[CAPABILITY_ADDR_BYTES_MAX - 3] = MA_TCP;
        addr->len = CAPABILITY_ADDR_BYTES_MAX;
    }
    static const uint8_t head[] = {0xa1, 0x61, 0x61, 0x58,
                                   CAPABILITY_COMPUTE_MAX - 5};
    memcpy(c.compute.bytes, head, sizeof(head));
    c.compute.len = CAPABILITY_COMPUTE_MAX;
    c.profile = c.compute;
    struct bytes made = sealed_of(&key, &c, dst);
    assert_true(made.len > CAPABILITY_BYTES_MAX - 250);
    assert_int_equal(
        capability_open(made, bytes_str(c.network), TEST_UNIX_S, &got), OK);
    assert_same(&got, &c);
    made.len = sizeof(dst);
    assert_int_equal(
        capability_open(made, bytes_str(c.network), TEST_UNIX_S, &got),
        E_LIMIT);
    privkey_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),   cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_every_bit), cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_network),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_forged),
        cmocka_unit_test(test_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
