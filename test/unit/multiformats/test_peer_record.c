/*
 * Goal: signed envelopes and the peer records in them, to the byte as other
 * programs write them, and nothing accepted that was not signed for its use.
 * Method: the vector with the key of libp2p/specs; every prefix; every bit;
 * limits; records with useless addresses.
 */
#include "base/wr.h"
#include "multiformats/envelope.h"
#include "multiformats/key.h"
#include "multiformats/pb.h"
#include "multiformats/peer_record.h"

#include "test.h"

#define SEED    "7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d"
#define PUB     "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
#define PAYLOAD "0a26002408011220" PUB "10011a0a0a08047f000001060fa1"
#define ENVELOPE                                                               \
    "0a2408011220" PUB "120203011a36" PAYLOAD                                  \
    "2a404504e51a36806e8eba9344a743f2e1cbd0170d2632fb413f98101f6e3ff26d3d"     \
    "a91f4eedebf36383fa5819438bce1d7398117236e52d2d1dfce98196294ac60e"

enum { MESSAGE_MAX = ENVELOPE_BYTES_MAX + 16 };

static struct privkey make_key(const char *seed_hex)
{
    uint8_t seed[ED25519_SEED_BYTES];
    unhex(seed_hex, seed, sizeof(seed));
    struct privkey key;
    privkey_init_seed(&key, seed);
    return key;
}

static struct multiaddr addr_of(const char *text)
{
    struct multiaddr addr;
    assert_int_equal(multiaddr_parse(bytes_str(text), &addr), OK);
    return addr;
}

static struct peer_record make_record(const struct privkey *key)
{
    return (struct peer_record){
        .id = privkey_peer_id(key),
        .seq = 1,
        .addr_count = 1,
        .addrs = {addr_of("/ip4/127.0.0.1/tcp/4001")},
    };
}

static void vector(void **state)
{
    (void)state;
    struct privkey key = make_key(SEED);
    struct peer_record record = make_record(&key);
    uint8_t want[256];
    uint8_t got[256];
    size_t len = unhex(PAYLOAD, want, sizeof(want));
    struct wr w = wr_init(got, sizeof(got));
    peer_record_encode(&record, &w);
    assert_int_equal(wr_len(&w), len);
    assert_memory_equal(got, want, len);

    len = unhex(ENVELOPE, want, sizeof(want));
    w = wr_init(got, sizeof(got));
    peer_record_seal(&key, &record, &w);
    assert_int_equal(wr_len(&w), len);
    assert_memory_equal(got, want, len);

    struct peer_record back;
    assert_int_equal(peer_record_open((struct bytes){got, len}, &back), OK);
    assert_true(peer_id_eq(&back.id, &record.id));
    assert_int_equal(back.seq, 1);
    assert_int_equal(back.addr_count, 1);
    assert_true(multiaddr_eq(&back.addrs[0], &record.addrs[0]));
    privkey_release(&key);
}

static void every_prefix_and_bit(void **state)
{
    (void)state;
    uint8_t in[256];
    size_t len = unhex(ENVELOPE, in, sizeof(in));
    struct peer_record record;
    for (size_t cut = 0; cut < len; cut++)
        assert_int_not_equal(peer_record_open((struct bytes){in, cut}, &record),
                             OK);
    for (size_t bit = 0; bit < len * 8; bit++) {
        in[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(peer_record_open((struct bytes){in, len}, &record),
                             OK);
        in[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(peer_record_open((struct bytes){in, len}, &record), OK);
}

static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    uint8_t in[256];
    size_t len = unhex(ENVELOPE "3001 320161", in, sizeof(in));
    struct peer_record record;
    assert_int_equal(peer_record_open((struct bytes){in, len}, &record), OK);
}

static void one_use_only(void **state)
{
    (void)state;
    struct privkey key = make_key(SEED);
    uint8_t out[256];
    struct wr w = wr_init(out, sizeof(out));
    envelope_seal(&key, envelope_use_relay_rsvp(), BYTES_LIT("abc"), &w);
    struct bytes made = {out, wr_len(&w)};
    struct envelope envelope;
    assert_int_equal(envelope_open(made, envelope_use_relay_rsvp(), &envelope),
                     OK);
    assert_true(bytes_eq(envelope.payload, BYTES_LIT("abc")));
    struct peer_id id = privkey_peer_id(&key);
    assert_true(peer_id_eq(&envelope.signer, &id));
    assert_int_equal(envelope_open(made, envelope_use_peer_record(), &envelope),
                     E_MISMATCH);
    /* The right type, but signed for another domain. */
    struct envelope_use mixed = {
        .domain = envelope_use_peer_record().domain,
        .type = envelope_use_relay_rsvp().type,
    };
    assert_int_equal(envelope_open(made, mixed, &envelope), E_MISMATCH);
    privkey_release(&key);
}

static void payload_limit(void **state)
{
    (void)state;
    static uint8_t payload[ENVELOPE_PAYLOAD_MAX + 1];
    static uint8_t out[MESSAGE_MAX];
    struct privkey key = make_key(SEED);
    struct envelope_use use = envelope_use_peer_record();
    struct wr w = wr_init(out, sizeof(out));
    envelope_seal(&key, use, (struct bytes){payload, ENVELOPE_PAYLOAD_MAX}, &w);
    struct envelope envelope;
    assert_int_equal(
        envelope_open((struct bytes){out, wr_len(&w)}, use, &envelope), OK);
    assert_int_equal(envelope.payload.len, ENVELOPE_PAYLOAD_MAX);
    privkey_release(&key);

    w = wr_init(out, sizeof(out));
    pb_put_bytes(&w, 3, (struct bytes){payload, sizeof(payload)});
    assert_int_equal(
        envelope_open((struct bytes){out, wr_len(&w)}, use, &envelope),
        E_LIMIT);
    assert_int_equal(envelope_open((struct bytes){out, ENVELOPE_BYTES_MAX + 1},
                                   use, &envelope),
                     E_LIMIT);
}

static void about_another_peer(void **state)
{
    (void)state;
    struct privkey a = make_key(SEED);
    struct privkey b = make_key(
        "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f");
    struct peer_record record = make_record(&a);
    uint8_t out[256];
    struct wr w = wr_init(out, sizeof(out));
    peer_record_seal(&b, &record, &w);
    assert_int_equal(peer_record_open((struct bytes){out, wr_len(&w)}, &record),
                     E_MISMATCH);
    privkey_release(&b);
    privkey_release(&a);
}

static void put_addr(struct wr *w, struct bytes addr)
{
    pb_put_head(w, 3, pb_bytes_len(1, addr.len));
    pb_put_bytes(w, 1, addr);
}

static void put_text(struct wr *w, const char *text)
{
    struct multiaddr addr = addr_of(text);
    put_addr(w, multiaddr_bytes(&addr));
}

static void useless_addresses_are_left_out(void **state)
{
    (void)state;
    struct privkey key = make_key(SEED);
    struct peer_id id = privkey_peer_id(&key);
    privkey_release(&key);
    uint8_t out[1024];
    struct wr w = wr_init(out, sizeof(out));
    pb_put_bytes(&w, 1, peer_id_bytes(&id));
    pb_put_uint(&w, 2, UINT64_MAX);
    put_addr(&w, BYTES_EMPTY);
    put_addr(&w, BYTES_LIT("\xff\xff\x01")); /* unknown protocol */
    put_addr(&w, BYTES_LIT("\x04\x01"));     /* cut off */
    pb_put_bytes(&w, 3, BYTES_EMPTY);        /* no address at all */
    put_text(&w, "/ip4/1.2.3.4/tcp/1/p2p/"
                 "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq");
    put_text(&w, "/ip4/1.2.3.4/tcp/2/p2p/"
                 "12D3KooWBPCrmsYzhEALNAUVcxV4PAW6KRH2bmNqiJKLqk8PGyhE");
    put_text(&w, "/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq");
    put_text(&w, "/ip4/1.2.3.4/tcp/3/p2p/"
                 "12D3KooWBPCrmsYzhEALNAUVcxV4PAW6KRH2bmNqiJKLqk8PGyhE"
                 "/p2p-circuit");
    assert_int_equal(w.err, OK);

    struct peer_record record;
    assert_int_equal(
        peer_record_decode((struct bytes){out, wr_len(&w)}, &record), OK);
    assert_true(record.seq == UINT64_MAX);
    assert_int_equal(record.addr_count, 2);
    struct multiaddr want = addr_of("/ip4/1.2.3.4/tcp/1");
    assert_true(multiaddr_eq(&record.addrs[0], &want));
    assert_true(multiaddr_is_relay(&record.addrs[1]));
}

static enum err decode_many(size_t entries, size_t *ret_count)
{
    static uint8_t out[PEER_RECORD_BYTES_MAX];
    struct wr w = wr_init(out, sizeof(out));
    pb_put_bytes(&w, 1,
                 BYTES_LIT("\0\x03"
                           "abc"));
    for (size_t i = 0; i < entries; i++)
        put_text(&w, "/ip4/1.2.3.4/tcp/1");
    assert_int_equal(w.err, OK);
    struct peer_record record;
    enum err err = peer_record_decode((struct bytes){out, wr_len(&w)}, &record);
    *ret_count = err == OK ? record.addr_count : 0;
    return err;
}

static void number_of_addresses(void **state)
{
    (void)state;
    size_t count = 0;
    assert_int_equal(decode_many(0, &count), OK);
    assert_int_equal(count, 0);
    assert_int_equal(decode_many(PEER_RECORD_ADDRS_MAX, &count), OK);
    assert_int_equal(count, PEER_RECORD_ADDRS_MAX);
    assert_int_equal(decode_many(PEER_RECORD_ADDRS_MAX + 1, &count), OK);
    assert_int_equal(count, PEER_RECORD_ADDRS_MAX);
    assert_int_equal(decode_many(PEER_RECORD_ENTRIES_MAX, &count), OK);
    assert_int_equal(decode_many(PEER_RECORD_ENTRIES_MAX + 1, &count), E_LIMIT);
}

static enum err decode(const char *hex)
{
    uint8_t in[128] = {0};
    struct peer_record record;
    return peer_record_decode((struct bytes){in, unhex(hex, in, sizeof(in))},
                              &record);
}

static void records_refused(void **state)
{
    (void)state;
    static uint8_t long_one[PEER_RECORD_BYTES_MAX + 1];
    struct peer_record record;
    assert_int_equal(decode(""), E_MALFORMED);
    assert_int_equal(decode("1001"), E_MALFORMED);
    assert_int_equal(decode("0a00"), E_SHORT);
    assert_int_equal(decode("0a03120101"), E_UNSUPPORTED);
    assert_int_equal(decode("0801"), E_MALFORMED);
    assert_int_equal(decode("0a030001aa"), OK);
    assert_int_equal(decode("0a030001aa 1a0108"), E_SHORT);
    assert_int_equal(
        peer_record_decode((struct bytes){long_one, sizeof(long_one)}, &record),
        E_LIMIT);
}

static void full_record(void **state)
{
    (void)state;
    static struct peer_record record;
    static uint8_t out[MESSAGE_MAX];
    struct privkey key = make_key(SEED);
    record = make_record(&key);
    record.addr_count = PEER_RECORD_ADDRS_MAX;
    for (size_t i = 0; i < PEER_RECORD_ADDRS_MAX; i++) {
        /* The longest address there is: a name that fills it. */
        record.addrs[i] = (struct multiaddr){.len = MULTIADDR_BYTES_MAX};
        memset(record.addrs[i].bytes, 'a', MULTIADDR_BYTES_MAX);
        record.addrs[i].bytes[0] = MA_DNS;
        record.addrs[i].bytes[1] = 0xfd;
        record.addrs[i].bytes[2] = 0x01;
    }
    struct wr w = wr_init(out, sizeof(out));
    peer_record_seal(&key, &record, &w);
    assert_int_equal(w.err, OK);
    assert_true(wr_len(&w) <= ENVELOPE_BYTES_MAX);
    struct peer_record back;
    assert_int_equal(peer_record_open((struct bytes){out, wr_len(&w)}, &back),
                     OK);
    assert_int_equal(back.addr_count, PEER_RECORD_ADDRS_MAX);
    privkey_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector),
        cmocka_unit_test(every_prefix_and_bit),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(one_use_only),
        cmocka_unit_test(payload_limit),
        cmocka_unit_test(about_another_peer),
        cmocka_unit_test(useless_addresses_are_left_out),
        cmocka_unit_test(number_of_addresses),
        cmocka_unit_test(records_refused),
        cmocka_unit_test(full_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
