/*
 * Goal: peer ids as other programs make, read and print them.
 * Method: known peers in all their texts; every prefix; hashes that no id has.
 */
#include "base/wr.h"
#include "crypto/sha256.h"
#include "multiformats/cid.h"
#include "multiformats/key.h"
#include "multiformats/peer_id.h"

#include "test.h"

static const struct {
    const char *key; /* protobuf */
    const char *id;
    const char *text;
    const char *b36;
    const char *b32;
    const char *kad; /* sha2-256 of the id */
} peers[] = {
    {"080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
     "0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fc"
     "e27e",
     "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
     "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe",
     "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6",
     "dfd53212a4bd2beda3ea8e82d08285370c70a70cfe9c588e28754b23c8033121"},
    {"08011220174553b456dddfc6908ecab1c101fe6ab21e2baa0617795b7d43a63482993fd5",
     "002408011220174553b456dddfc6908ecab1c101fe6ab21e2baa0617795b7d43a6348299"
     "3fd5",
     "12D3KooWBPCrmsYzhEALNAUVcxV4PAW6KRH2bmNqiJKLqk8PGyhE",
     "k51qzi5uqu5dgrgw9fad178b9pqk2dgewhmpz4m8f37879mw6nyf5n7hhzsudx",
     "bafzaajaiaejcaf2fko2fnxo7y2ii5svryea742vsdyv2ubqxpfnx2q5ggsbjsp6v",
     "b131e926074f1ae18f606772d22e250f0eeb8d04c66c20f9946db1dc1403936b"},
    {"080112209e3b433cbd31c2b8a6ebbdca998bd0f4c2141c9c9af5422e976051b1e63af14d",
     "0024080112209e3b433cbd31c2b8a6ebbdca998bd0f4c2141c9c9af5422e976051b1e63a"
     "f14d",
     "12D3KooWLU2znyJMtDiHArqAGbZn8CgUGp92kxDBtefftEEaHSZS",
     "k51qzi5uqu5dk4kbd5bpmklj30q0q8n3091bncahugkx18e84p1od2rk25olsd", NULL,
     "e43d28f0996557c0d5571d75c62a57a59d7ac1d30a51ecedcdb9d5e4afa56100"},
    {"08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca"
     "99",
     NULL, "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY", NULL, NULL,
     NULL},
    {"0803125b3059301306072a8648ce3d020106082a8648ce3d03010703420004de3d300fa3"
     "6ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda020e8b6d5f8da30525e71d"
     "6851510c098e5c47c646a597fb4dcec034e9f77c409e62",
     NULL, "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk", NULL, NULL, NULL},
};

enum { PEER_COUNT = sizeof(peers) / sizeof(peers[0]) };

static struct peer_id id_of(size_t i)
{
    uint8_t key[256] = {0};
    return peer_id_of_key(
        (struct bytes){key, unhex(peers[i].key, key, sizeof(key))});
}

static void check_parse(const char *text, const struct peer_id *want)
{
    struct peer_id got;
    if (text == NULL)
        return;
    assert_int_equal(peer_id_parse(bytes_str(text), &got), OK);
    assert_true(peer_id_eq(&got, want));
}

static void known_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEER_COUNT; i++) {
        struct peer_id id = id_of(i);
        char text[PEER_ID_TEXT_MAX];
        assert_int_equal(peer_id_format(&id, text), strlen(peers[i].text));
        assert_string_equal(text, peers[i].text);
        check_parse(peers[i].text, &id);
        check_parse(peers[i].b36, &id);
        check_parse(peers[i].b32, &id);
        char last[PEER_ID_SHORT_MAX];
        peer_id_short(&id, last);
        assert_string_equal(last, text + strlen(text) - 6);

        struct peer_id back;
        assert_int_equal(peer_id_decode(peer_id_bytes(&id), &back), OK);
        assert_true(peer_id_eq(&back, &id));
    }
}

static void known_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct peer_id id = id_of(i);
        uint8_t want[64];
        size_t len = unhex(peers[i].id, want, sizeof(want));
        assert_int_equal(id.len, len);
        assert_memory_equal(id.bytes, want, len);
        uint8_t digest[SHA256_BYTES];
        sha256(peer_id_bytes(&id), digest);
        unhex(peers[i].kad, want, sizeof(want));
        assert_memory_equal(digest, want, sizeof(digest));

        struct cid cid = peer_id_to_cid(&id);
        char text[CID_TEXT_MAX];
        cid_format(&cid, text);
        assert_string_equal(text, peers[i].b36);
        struct peer_id back;
        assert_int_equal(peer_id_from_cid(&cid, &back), OK);
        assert_true(peer_id_eq(&back, &id));
    }
}

static void keys_inside(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEER_COUNT; i++) {
        struct peer_id id = id_of(i);
        struct pubkey key;
        enum err err = peer_id_key(&id, &key);
        if (id.bytes[0] != 0) {
            assert_int_equal(err, E_NOTFOUND);
            continue;
        }
        assert_int_equal(err, OK);
        struct peer_id again = peer_id_of_pubkey(&key);
        assert_true(peer_id_eq(&again, &id));
    }
    struct peer_id junk;
    assert_int_equal(peer_id_decode(BYTES_LIT("\0\x03"
                                              "abc"),
                                    &junk),
                     OK);
    struct pubkey key;
    assert_int_equal(peer_id_key(&junk, &key), E_MALFORMED);
}

static void inline_limit(void **state)
{
    (void)state;
    uint8_t key[PEER_ID_INLINE_KEY_MAX + 1] = {8, 1};
    struct peer_id id = peer_id_of_key((struct bytes){key, 42});
    assert_int_equal(id.len, 44);
    assert_int_equal(id.bytes[0], 0);
    id = peer_id_of_key((struct bytes){key, 43});
    assert_int_equal(id.len, 34);
    assert_int_equal(id.bytes[0], 0x12);
}

/* A short text may happen to be an id of its own, which then prints it. */
static void check_prefix(const char *text, size_t len)
{
    struct peer_id got;
    struct bytes prefix = {(const uint8_t *)text, len};
    if (peer_id_parse(prefix, &got) != OK)
        return;
    char again[PEER_ID_TEXT_MAX];
    assert_int_equal(peer_id_format(&got, again), len);
    assert_memory_equal(again, text, len);
}

static void every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEER_COUNT; i++) {
        struct peer_id id = id_of(i);
        struct peer_id got;
        for (size_t len = 0; len < id.len; len++)
            assert_int_equal(
                peer_id_decode((struct bytes){id.bytes, len}, &got), E_SHORT);
        assert_int_equal(
            peer_id_decode((struct bytes){id.bytes, id.len + 1U}, &got),
            E_MALFORMED);
        for (size_t len = 0; len < strlen(peers[i].text); len++)
            check_prefix(peers[i].text, len);
    }
}

static enum err decode(const char *hex)
{
    uint8_t in[128] = {0};
    struct peer_id id;
    return peer_id_decode((struct bytes){in, unhex(hex, in, sizeof(in))}, &id);
}

static void binary_refused(void **state)
{
    (void)state;
    assert_int_equal(decode("0000"), E_MALFORMED);
    assert_int_equal(decode("000101"), OK);
    assert_int_equal(decode("120101"), E_UNSUPPORTED);
    assert_int_equal(decode("1114e861e452cfd84dca9a176258c3d06e020a0c93d8"),
                     E_UNSUPPORTED);
    uint8_t in[2 + 63] = {0, 62, 1};
    struct peer_id id;
    assert_int_equal(peer_id_decode((struct bytes){in, 64}, &id), OK);
    assert_int_equal(id.len, PEER_ID_BYTES_MAX);
    char text[PEER_ID_TEXT_MAX];
    peer_id_format(&id, text);
    check_parse(text, &id);
    in[1] = 63;
    assert_int_equal(peer_id_decode((struct bytes){in, 65}, &id), E_LIMIT);
}

static enum err parse(const char *text)
{
    struct peer_id id;
    return peer_id_parse(bytes_str(text), &id);
}

static void text_refused(void **state)
{
    (void)state;
    assert_int_equal(parse(""), E_SHORT);
    assert_int_equal(parse("1"), E_SHORT);
    assert_int_equal(parse("Q"), E_SHORT);
    assert_int_equal(
        parse("12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R30q"),
        E_MALFORMED);
    /* CIDs of other codecs, and one that is a version 0. */
    assert_int_equal(
        parse("bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"),
        E_UNSUPPORTED);
    assert_int_equal(parse("zQmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk"),
                     E_UNSUPPORTED);
    assert_int_equal(parse("tcp"), E_MALFORMED);
    assert_int_equal(parse("?"), E_SHORT);
    assert_int_equal(parse("?unknown"), E_UNSUPPORTED);
    char text[PEER_ID_TEXT_MAX + 1];
    memset(text, '1', sizeof(text));
    text[PEER_ID_TEXT_MAX] = '\0';
    assert_int_equal(parse(text), E_LIMIT);
}

static void order(void **state)
{
    (void)state;
    struct peer_id a = id_of(0);
    struct peer_id b = id_of(1);
    assert_true(peer_id_cmp(&a, &b) > 0);
    assert_true(peer_id_cmp(&b, &a) < 0);
    assert_int_equal(peer_id_cmp(&a, &a), 0);
    assert_false(peer_id_eq(&a, &b));
    struct peer_id none = {0};
    assert_false(peer_id_eq(&a, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_peers),  cmocka_unit_test(known_bytes),
        cmocka_unit_test(keys_inside),  cmocka_unit_test(inline_limit),
        cmocka_unit_test(every_prefix), cmocka_unit_test(binary_refused),
        cmocka_unit_test(text_refused), cmocka_unit_test(order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
