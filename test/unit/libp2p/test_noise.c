/*
 * Goal: the Noise channel is byte for byte what other programs speak, and no
 * changed, cut or foreign message passes.  Method: the vectors of flynn/noise
 * (bare XX) and a libp2p handshake with known keys; every prefix and every
 * flipped byte of each message.
 */
#include "base/wr.h"
#include "libp2p/noise.h"
#include "multiformats/key.h"

#include "test.h"

struct end {
    struct noise_keypair s;
    struct noise_hs hs;
    struct privkey identity;
};

static void fill(uint8_t dst[static 32], uint8_t first)
{
    for (uint8_t i = 0; i < 32; i++)
        dst[i] = (uint8_t)(first + i);
}

/* Keys of the vectors: e of I 20.., of R 41..; s of I 00.., of R 01... */
static void begin(struct end *end, bool initiator)
{
    uint8_t key[32];

    fill(key, initiator ? 0x00 : 0x01);
    noise_keypair_init(&end->s, key);
    fill(key, initiator ? 0x20 : 0x41);
    noise_hs_init(&end->hs, initiator, &end->s, key);
    if (initiator) {
        assert_int_equal(unhex("7e0830617c4a7de83925dfb2694556b1"
                               "2936c477a0e1feb2e148ec9da60fee7d",
                               key, sizeof(key)),
                         32);
    } else {
        fill(key, 0x60);
    }
    privkey_init_seed(&end->identity, key);
}

static void end_release(struct end *end)
{
    noise_hs_release(&end->hs);
    privkey_release(&end->identity);
}

static size_t write_message(struct end *end, bool with_payload, uint8_t *dst,
                            size_t max)
{
    uint8_t payload[512];
    struct wr p = wr_init(payload, sizeof(payload));
    struct wr w = wr_init(dst, max);
    struct bytes out = BYTES_EMPTY;

    if (with_payload) {
        noise_payload_write(&end->identity, &end->s, &p);
        assert_int_equal(wr_finish(&p, &out), OK);
    }
    assert_true(noise_hs_turn(&end->hs));
    assert_int_equal(noise_hs_write(&end->hs, out, &w), OK);
    assert_int_equal(wr_finish(&w, &out), OK);
    return out.len;
}

static void expect_hex(const uint8_t *got, size_t len, const char *hex)
{
    uint8_t want[1024];
    assert_int_equal(unhex(hex, want, sizeof(want)), len);
    assert_memory_equal(got, want, len);
}

static void read_ok(struct end *end, uint8_t *frame, size_t len)
{
    struct bytes payload;
    assert_false(noise_hs_turn(&end->hs));
    assert_int_equal(noise_hs_read(&end->hs, frame + 2, len - 2, &payload), OK);
}

static void test_bare_vector(void **state)
{
    (void)state;
    struct end i;
    struct end r;
    uint8_t m[512];
    begin(&i, true);
    begin(&r, false);

    size_t len = write_message(&i, false, m, sizeof(m));
    expect_hex(m, len,
               "0020358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2"
               "cd166254");
    read_ok(&r, m, len);
    len = write_message(&r, false, m, sizeof(m));
    expect_hex(m, len,
               "0060"
               "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d4"
               "84663414af878d3e46a2f58911a816d6e8346d4ea17a6f2a0bb4ef4ed56c"
               "133cff4560a34e36ea82109f26cf2e5a5caf992b608d55c747f615e5a342"
               "5a7a19eefb8f");
    read_ok(&i, m, len);
    len = write_message(&i, false, m, sizeof(m));
    expect_hex(m, len,
               "0040"
               "87f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c93603e9"
               "c4d97e5ea11b16f3968710b23a3be3202dc1b5e1ce3c963347491e74f5c0"
               "768a9b42");
    read_ok(&r, m, len);
    assert_true(noise_hs_done(&i.hs));
    assert_true(noise_hs_done(&r.hs));
    expect_hex(i.hs.hash, 32,
               "9542b10ef534ed52859a8be801ecec0a152d0e03d25fda53221807962835"
               "7622");
    assert_memory_equal(i.hs.hash, r.hs.hash, 32);

    struct noise_cipher is;
    struct noise_cipher ir;
    struct noise_cipher rs;
    struct noise_cipher rr;
    noise_hs_split(&i.hs, &is, &ir);
    noise_hs_split(&r.hs, &rs, &rr);
    struct bytes text = BYTES_LIT("yellowsubmarine");
    len = noise_seal(&is, &text, 1, m);
    expect_hex(m, len,
               "001fa52ef02ba60e12696d1d6b9ef4245c88fca757b6134ad6e76b56e310"
               "a6adf6");
    size_t plain;
    assert_int_equal(noise_open(&rr, m + 2, len - 2, &plain), OK);
    assert_int_equal(plain, 15);
    assert_memory_equal(m + 2, "yellowsubmarine", 15);
    text = BYTES_LIT("submarineyellow");
    len = noise_seal(&rs, &text, 1, m);
    expect_hex(m, len,
               "001f2445aa438ebd649281c636cc7269ca82f1d9023d72520943aeabf909"
               "cdf521");
    noise_cipher_release(&is);
    noise_cipher_release(&ir);
    noise_cipher_release(&rs);
    noise_cipher_release(&rr);
    end_release(&i);
    end_release(&r);
}

static void expect_identity(const uint8_t *frame_payload, size_t len,
                            const struct end *other)
{
    struct noise_identity id;
    struct peer_id want = privkey_peer_id(&other->identity);

    assert_int_equal(
        noise_payload_read((struct bytes){.p = frame_payload, .len = len},
                           other->s.public_key, &id),
        OK);
    assert_true(peer_id_eq(&id.peer, &want));
    assert_true(id.yamux);
    assert_true(id.any_muxer);
}

static void test_libp2p_vector(void **state)
{
    (void)state;
    struct end i;
    struct end r;
    uint8_t m[512];
    struct bytes payload;
    begin(&i, true);
    begin(&r, false);

    size_t len = write_message(&i, false, m, sizeof(m));
    read_ok(&r, m, len);
    len = write_message(&r, true, m, sizeof(m));
    expect_hex(m, len,
               "00d864b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d98"
               "46d484663414af878d3e46a2f58911a816d6e8346d4ea17a6f2a0bb4ef4e"
               "d56c133cff4560a34e36ea82109f26cf2e5a5caf992b8b4dc7d75b055ee7"
               "67497ee1aae9c3d3620c259ff375edf38285e1cab58655dadb66164b7bc6"
               "87e8ce813fa5b2f2975a57fc23a962a9796a53028b3d89f33d286ecc03cb"
               "19b9d4b5b17b4f7617660e953bec540aea544273ce1d71dbc322f53606e5"
               "13d91923705794216610cafd32b1ac73bf9b837316a68368284835f09455"
               "4ec93ea05b5ff3f2");
    assert_int_equal(noise_hs_read(&i.hs, m + 2, len - 2, &payload), OK);
    expect_identity(payload.p, payload.len, &r);
    len = write_message(&i, true, m, sizeof(m));
    expect_hex(m, len,
               "00b887f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c936"
               "03e9c4d95bfb0de7aa504edfd34c59cc8effb09602320cd7b9b479fd98c4"
               "80fafdd61f5e93858f566ed8b6e39a20b486d45185eb32978db15c655ce1"
               "de6fbbdffb953a0c39f0b45a87a12bdc01aee67172c64b22b78e11709702"
               "25393bcdaf4d88e502fc1b160fd8ebc2f9bab60db8d2f09cc148c20dbe81"
               "0831018a8cbc9debef6fdb1c510dfc961b06f8a766b6250047aeffbf4726"
               "9c4c33919e0d");
    assert_int_equal(noise_hs_read(&r.hs, m + 2, len - 2, &payload), OK);
    expect_identity(payload.p, payload.len, &i);
    expect_hex(r.hs.hash, 32,
               "87369d9b8fbf07b3c100cd085ae16a7cc8fc47110bceb23237467727f749"
               "5032");

    struct noise_cipher send;
    struct noise_cipher recv;
    uint8_t syn[12];
    assert_int_equal(unhex("000100010000000100000000", syn, sizeof(syn)), 12);
    /* Given in pieces, it is the same message. */
    struct bytes pieces[] = {{.p = syn, .len = 5}, {.p = syn + 5, .len = 7}};
    noise_hs_split(&i.hs, &send, &recv);
    len = noise_seal(&send, pieces, 2, m);
    expect_hex(m, len,
               "001cdc4a9c46c979611d0f700aec9c288cb51aed38473d43889f84b4956e");
    noise_cipher_release(&send);
    noise_cipher_release(&recv);
    end_release(&i);
    end_release(&r);
}

/* Bring both ends to the point where message @number has been written. */
static size_t reach(struct end *i, struct end *r, int number, uint8_t *m,
                    size_t max)
{
    begin(i, true);
    begin(r, false);
    size_t len = write_message(i, false, m, max);
    if (number == 1)
        return len;
    read_ok(r, m, len);
    len = write_message(r, true, m, max);
    if (number == 2)
        return len;
    read_ok(i, m, len);
    return write_message(i, true, m, max);
}

static struct end *reader(struct end *i, struct end *r, int number)
{
    return number == 2 ? i : r;
}

static void test_every_prefix_fails(void **state)
{
    (void)state;
    for (int number = 1; number <= 3; number++) {
        struct end i;
        struct end r;
        uint8_t m[512];
        struct bytes payload;
        size_t len = reach(&i, &r, number, m, sizeof(m)) - 2;
        end_release(&i);
        end_release(&r);
        for (size_t cut = 0; cut < len; cut++) {
            (void)reach(&i, &r, number, m, sizeof(m)); /* the same again */
            struct end *to = reader(&i, &r, number);
            assert_int_not_equal(noise_hs_read(&to->hs, m + 2, cut, &payload),
                                 OK);
            end_release(&i);
            end_release(&r);
        }
    }
}

static void test_every_flip_fails(void **state)
{
    (void)state;
    /* Message 1 carries a key only: a flip there shows in message 2. */
    for (int number = 2; number <= 3; number++) {
        struct end i;
        struct end r;
        uint8_t m[512];
        struct bytes payload;
        size_t len = reach(&i, &r, number, m, sizeof(m)) - 2;
        end_release(&i);
        end_release(&r);
        for (size_t at = 0; at < len; at++) {
            (void)reach(&i, &r, number, m, sizeof(m)); /* the same again */
            struct end *to = reader(&i, &r, number);
            m[2 + at] ^= 1;
            assert_int_not_equal(noise_hs_read(&to->hs, m + 2, len, &payload),
                                 OK);
            end_release(&i);
            end_release(&r);
        }
    }
}

static void test_payload_of_another_fails(void **state)
{
    (void)state;
    struct end i;
    struct end r;
    uint8_t room[512];
    struct bytes payload;
    struct noise_identity id;
    begin(&i, true);
    begin(&r, false);
    struct wr w = wr_init(room, sizeof(room));
    noise_payload_write(&i.identity, &i.s, &w);
    assert_int_equal(wr_finish(&w, &payload), OK);
    assert_int_equal(payload.len, 120);
    assert_int_equal(noise_payload_read(payload, i.s.public_key, &id), OK);
    /* Replayed by somebody with another static key. */
    assert_int_equal(noise_payload_read(payload, r.s.public_key, &id),
                     E_MISMATCH);
    for (size_t len = 0; len < 102; len++) /* before the signature is whole */
        assert_int_not_equal(
            noise_payload_read((struct bytes){.p = room, .len = len},
                               i.s.public_key, &id),
            OK);
    /* Without the extensions it is complete, and offers no muxer. */
    assert_int_equal(
        noise_payload_read((struct bytes){.p = room, .len = 38 + 66},
                           i.s.public_key, &id),
        OK);
    assert_false(id.yamux);
    assert_false(id.any_muxer);
    end_release(&i);
    end_release(&r);
}

static void test_zero_key_fails(void **state)
{
    (void)state;
    struct end r;
    uint8_t m[512] = {0};
    struct bytes payload;
    struct wr w = wr_init(m, sizeof(m));
    begin(&r, false);
    assert_int_equal(noise_hs_read(&r.hs, m, 32, &payload), OK);
    assert_int_equal(noise_hs_write(&r.hs, BYTES_EMPTY, &w), E_MALFORMED);
    end_release(&r);
}

static void test_transport_limits(void **state)
{
    (void)state;
    static uint8_t plain[NOISE_PLAIN_MAX];
    static uint8_t frame[NOISE_FRAME_MAX];
    struct end i;
    struct end r;
    uint8_t m[512];
    size_t len = reach(&i, &r, 3, m, sizeof(m));
    read_ok(&r, m, len);
    struct noise_cipher send;
    struct noise_cipher recv;
    struct noise_cipher unused[2];
    noise_hs_split(&i.hs, &send, &unused[0]);
    noise_hs_split(&r.hs, &unused[1], &recv);
    memset(plain, 5, sizeof(plain));
    struct bytes all = {.p = plain, .len = sizeof(plain)};
    assert_int_equal(noise_seal(&send, &all, 1, frame), NOISE_FRAME_MAX);
    size_t got;
    assert_int_equal(noise_open(&recv, frame + 2, NOISE_MESSAGE_MAX, &got), OK);
    assert_int_equal(got, NOISE_PLAIN_MAX);
    assert_memory_equal(frame + 2, plain, sizeof(plain));
    for (size_t cut = 0; cut < AEAD_TAG_BYTES; cut++)
        assert_int_equal(noise_open(&recv, frame + 2, cut, &got), E_SHORT);
    /* The same message twice is not the next one. */
    struct bytes one = {.p = plain, .len = 1};
    len = noise_seal(&send, &one, 1, frame);
    uint8_t again[32];
    memcpy(again, frame, len);
    assert_int_equal(noise_open(&recv, frame + 2, len - 2, &got), OK);
    assert_int_equal(noise_open(&recv, again + 2, len - 2, &got), E_MISMATCH);
    recv.nonce = UINT64_MAX;
    assert_int_equal(noise_open(&recv, again + 2, len - 2, &got), E_LIMIT);
    noise_cipher_release(&send);
    noise_cipher_release(&recv);
    noise_cipher_release(&unused[0]);
    noise_cipher_release(&unused[1]);
    end_release(&i);
    end_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare_vector),
        cmocka_unit_test(test_libp2p_vector),
        cmocka_unit_test(test_every_prefix_fails),
        cmocka_unit_test(test_every_flip_fails),
        cmocka_unit_test(test_payload_of_another_fails),
        cmocka_unit_test(test_zero_key_fails),
        cmocka_unit_test(test_transport_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
