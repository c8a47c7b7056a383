/*
 * Object records.  Goal: a record is taken exactly as its owner signed it, in
 * one encoding, within its limits and its time.  Method: vectors of a second
 * implementation; every prefix and every flipped bit of a good record; each
 * limit at and past it; records signed by others, replayed, of other networks.
 */
#include "ipld/dag_cbor.h"
#include "sample.h"
#include "storage/record.h"

static void assert_hex(const uint8_t *got, const char *hex)
{
    uint8_t want[64];
    size_t len = unhex(hex, want, sizeof(want));

    assert_memory_equal(got, want, len);
}

static void vectors_open(void **state)
{
    (void)state;
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];
    uint8_t again[OBJECT_RECORD_BYTES_MAX];
    struct checked_object object;
    struct bytes in = sample_load("record", buf, sizeof(buf));

    assert_int_equal(object_open(in, &object), OK);
    assert_hex(object.hash, "dd9fd3bb2239f3de84693854cbbc2a2d"
                            "bd1c4419d47826561a14a2a9640af354");
    struct object_record want = sample_record();
    struct object_record *r = &object.record;
    assert_string_equal(r->network, want.network);
    assert_true(cid_eq(&r->root, &want.root));
    assert_int_equal(r->size_bytes, 12);
    assert_int_equal(r->blocks, 1);
    assert_int_equal(r->policy.copies, 3);
    assert_int_equal(r->policy.release_delay_s, 86400);
    assert_int_equal(r->name_len, 5);
    assert_memory_equal(r->name, want.name, sizeof(want.name));
    assert_int_equal(r->created_s, want.created_s);
    assert_int_equal(r->expires_s, want.expires_s);
    assert_int_equal(r->seq, want.seq);
    assert_false(object_is_release(r));
    /* Signing is deterministic: ours is theirs, bit for bit. */
    struct checked_object ours = sample_sign(&want);
    struct wr w = wr_init(again, sizeof(again));
    object_write(&w, &ours);
    assert_true(bytes_eq(sample_written(&w), in));
    assert_memory_equal(ours.hash, object.hash, sizeof(ours.hash));

    in = sample_load("release", buf, sizeof(buf));
    assert_int_equal(object_open(in, &object), OK);
    assert_true(object_is_release(&object.record));
    assert_int_equal(object.record.name_len, 0);
    assert_int_equal(object_check(&object, "testnet", SAMPLE_NOW_MS),
                     OBJECT_FINE);

    in = sample_load("erasure", buf, sizeof(buf));
    assert_int_equal(object_open(in, &object), OK);
    assert_false(object_is_release(&object.record));
    assert_int_equal(object.record.policy.k, 4);
    assert_int_equal(object.record.policy.m, 2);
    assert_int_equal(object_check(&object, "testnet", SAMPLE_NOW_MS),
                     OBJECT_ERASURE);
}

static void ids_are_those_of_the_page(void **state)
{
    (void)state;
    uint8_t hash[OBJECT_HASH_BYTES];
    struct object_record record = sample_record();
    struct checked_object object = sample_sign(&record);

    object_id_hash(&object.record.root, object.record.owner, hash);
    assert_hex(hash, "2ecae6825d1611d9ba76718c9061e06a"
                     "8d010d38c404cd4f6d45884d7b3ddfd3");
    struct multihash index = owner_index_multihash(object.record.owner);
    assert_int_equal(index.code, 0x12);
    assert_int_equal(index.len, 32);
    assert_hex(index.digest, "7722b608cdcef78b38e9b0a1e39d50f7"
                             "a24034e320097e54080ed90614f671e9");
    /* One object, whichever version its CID is written in. */
    uint8_t v0_hash[OBJECT_HASH_BYTES];
    struct cid v0 = cid_v0_of(sample_block());
    struct cid v1 = cid_to_v1(&v0);
    object_id_hash(&v0, object.record.owner, v0_hash);
    object_id_hash(&v1, object.record.owner, hash);
    assert_memory_equal(v0_hash, hash, sizeof(hash));
}

static void parts_are_refused(void **state)
{
    (void)state;
    uint8_t buf[OBJECT_RECORD_BYTES_MAX + 1];
    struct checked_object object;
    struct bytes in = sample_load("record", buf, sizeof(buf));

    for (size_t len = 0; len < in.len; len++) {
        struct bytes prefix = {in.p, len};
        assert_int_not_equal(object_open(prefix, &object), OK);
    }
    buf[in.len] = 0;
    in.len++;
    assert_int_equal(object_open(in, &object), E_MALFORMED);
    in.len = OBJECT_RECORD_BYTES_MAX + 1;
    assert_int_equal(object_open(in, &object), E_LIMIT);
}

static void flipped_bits_are_refused(void **state)
{
    (void)state;
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];
    struct checked_object object;
    struct bytes in = sample_load("record", buf, sizeof(buf));
    size_t mismatches = 0;

    for (size_t bit = 0; bit < 8 * in.len; bit++) {
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err err = object_open(in, &object);
        assert_int_not_equal(err, OK);
        assert_true(err_is_peer_fault(err));
        mismatches += err == E_MISMATCH;
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    /* Signature, owner, name and digest alone have so many bits. */
    assert_true(mismatches > (size_t)8 * (64 + 32 + 5 + 32));
    assert_int_equal(object_open(in, &object), OK);
}

static void forgeries_are_refused(void **state)
{
    (void)state;
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];
    struct object_record record = sample_record();
    struct privkey thief = sample_key(9);
    struct checked_object forged;
    struct checked_object mine = sample_sign(&record);
    struct checked_object out;

    /* Another's key, our name in it. */
    assert_int_equal(object_sign(&record, &thief, &forged), OK);
    memcpy(forged.record.owner, mine.record.owner, sizeof(mine.record.owner));
    struct wr w = wr_init(buf, sizeof(buf));
    object_record_encode(&w, &forged.record);
    assert_int_equal(object_open(sample_written(&w), &out), E_MISMATCH);
    /* A key of small order, for which signatures can be made up. */
    forged = mine;
    memset(forged.record.owner, 0, sizeof(forged.record.owner));
    memset(forged.record.sig, 0, sizeof(forged.record.sig));
    w = wr_init(buf, sizeof(buf));
    object_record_encode(&w, &forged.record);
    assert_int_equal(object_open(sample_written(&w), &out), E_MISMATCH);
    privkey_release(&thief);
}

/* Signature by the owner of record.bin without its sig, for @domain. */
static void sign_for(const char *domain, uint8_t ret_sig[64])
{
    enum { SIG_AT = 17, SIG_PAIR = 70 }; /* where it begins, how long it is */
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];
    uint8_t out[OBJECT_RECORD_BYTES_MAX];
    struct bytes in = sample_load("record", buf, sizeof(buf));
    struct wr w = wr_init(out, sizeof(out));
    struct privkey key = sample_key(1);

    buf[0]--; /* one pair less */
    wr_uvarint(&w, strlen(domain));
    wr_bytes(&w, bytes_str(domain));
    wr_uvarint(&w, in.len - SIG_PAIR);
    wr_bytes(&w, bytes_sub(in, 0, SIG_AT));
    wr_bytes(&w, bytes_sub(in, SIG_AT + SIG_PAIR, in.len - SIG_AT - SIG_PAIR));
    privkey_sign(&key, sample_written(&w), ret_sig);
    privkey_release(&key);
}

static void domains_are_kept_apart(void **state)
{
    (void)state;
    static const char *const domains[] = {"xmbl/object/1", "xmbl/receipt/1",
                                          "xmbl/object/2", "xmbl/mine/1", ""};
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];

    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        struct object_record record = sample_record();
        struct checked_object o = sample_sign(&record);
        struct wr w = wr_init(buf, sizeof(buf));
        sign_for(domains[i], o.record.sig);
        object_record_encode(&w, &o.record);
        assert_int_equal(object_open(sample_written(&w), &o),
                         i == 0 ? OK : E_MISMATCH);
    }
}

/* What both the signer and the reader say about @record. */
static enum err judge(const struct object_record *record)
{
    uint8_t buf[2 * OBJECT_RECORD_BYTES_MAX];
    struct privkey key = sample_key(1);
    struct checked_object object;
    struct object_record decoded;
    enum err signer = object_sign(record, &key, &object);
    struct wr w = wr_init(buf, sizeof(buf));

    object_record_encode(&w, record);
    struct bytes encoded = sample_written(&w);
    enum err reader = object_record_decode(encoded, &decoded);
    privkey_release(&key);
    assert_int_equal(signer, reader);
    if (reader == OK) {
        uint8_t again[OBJECT_RECORD_BYTES_MAX];
        w = wr_init(again, sizeof(again));
        object_record_encode(&w, &decoded);
        assert_true(bytes_eq(sample_written(&w), encoded));
    }
    return signer;
}

static void limits_of_numbers(void **state)
{
    (void)state;
    struct object_record r = sample_record();

    r.policy.copies = OBJECT_COPIES_MAX;
    assert_int_equal(judge(&r), OK);
    r.policy.copies++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.policy.copies = 0;
    assert_int_equal(judge(&r), OK);
    r.policy.release_delay_s = OBJECT_RELEASE_DELAY_MAX_S;
    assert_int_equal(judge(&r), OK);
    r.policy.release_delay_s++;
    assert_int_equal(judge(&r), E_LIMIT);

    r = sample_record();
    r.policy =
        (struct object_policy){.k = OBJECT_DATA_MAX, .m = OBJECT_PARITY_MAX};
    assert_int_equal(judge(&r), OK);
    r.policy.k++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.policy.k = 1;
    r.policy.m++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.policy.m = 0;
    assert_int_equal(judge(&r), E_MALFORMED);

    r = sample_record();
    r.blocks = OBJECT_BLOCKS_MAX;
    r.size_bytes = OBJECT_SIZE_BYTES_MAX;
    assert_int_equal(judge(&r), OK);
    r.size_bytes++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.size_bytes--;
    r.blocks++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.blocks = 0;
    r.size_bytes = 0;
    assert_int_equal(judge(&r), E_MALFORMED);
    r.blocks = 3; /* no more than three blocks can hold */
    r.size_bytes = UINT64_C(3) << 21;
    assert_int_equal(judge(&r), OK);
    r.size_bytes++;
    assert_int_equal(judge(&r), E_MALFORMED);
}

static void limits_of_times(void **state)
{
    (void)state;
    struct object_record r = sample_record();

    r.expires_s = r.created_s + OBJECT_LIFE_MAX_S;
    assert_int_equal(judge(&r), OK);
    r.expires_s++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.expires_s = r.created_s + 1;
    assert_int_equal(judge(&r), OK);
    r.expires_s = r.created_s;
    assert_int_equal(judge(&r), E_MALFORMED);
    r.expires_s = OBJECT_TIME_MAX_S;
    r.created_s = OBJECT_TIME_MAX_S - 1;
    assert_int_equal(judge(&r), OK);
    r.expires_s++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.created_s = UINT64_MAX;
    assert_int_equal(judge(&r), E_LIMIT);

    r = sample_record();
    r.seq = OBJECT_SEQ_MAX;
    assert_int_equal(judge(&r), OK);
    r.seq++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.seq = 0;
    assert_int_equal(judge(&r), E_MALFORMED);
}

static void roots_must_name_content(void **state)
{
    (void)state;
    struct object_record r = sample_record();

    r.root = cid_v0_of(sample_block());
    assert_int_equal(judge(&r), E_MALFORMED);
    r.root = cid_to_v1(&r.root);
    assert_int_equal(judge(&r), OK);
    assert_int_equal(cid_identity(CODEC_RAW, sample_block(), &r.root), OK);
    assert_int_equal(judge(&r), E_UNSUPPORTED);
    r.root = sample_root();
    r.root.hash.code = 0x7777; /* no hash function that we know */
    assert_int_equal(judge(&r), E_UNSUPPORTED);
    r.root = sample_root();
    r.root.hash.len = MULTIHASH_DIGEST_MIN - 1;
    memset(r.root.hash.digest + r.root.hash.len, 0,
           sizeof(r.root.hash.digest) - r.root.hash.len);
    assert_int_equal(judge(&r), E_UNSUPPORTED);
}

static void names_of_networks(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a", "testnet", "0", "a-b", "a--b", "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"",    "-a",  "a-",       "A", "a b",
                                      "a/b", "a_b", "\xc3\xa4", "-"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(object_network_ok(bytes_str(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(object_network_ok(bytes_str(bad[i])));
    assert_false(
        object_network_ok(BYTES_LIT("abcdefghijklmnopqrstuvwxyz0123456")));
    assert_false(object_network_ok(BYTES_LIT("a\0b")));
    struct object_record r = sample_record();
    struct privkey key = sample_key(1);
    struct checked_object object;
    memset(r.network, 'a', sizeof(r.network)); /* has no end */
    assert_int_equal(object_sign(&r, &key, &object), E_LIMIT);
    r.network[0] = '\0';
    assert_int_equal(judge(&r), E_MALFORMED);
    privkey_release(&key);
}

static void the_largest_fits(void **state)
{
    (void)state;
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];
    struct object_record r = sample_record();

    memset(r.network, 'z', OBJECT_NETWORK_MAX);
    r.root = (struct cid){
        .version = 1, .codec = INT64_MAX, .hash = {.code = 0xb240, .len = 64}};
    r.size_bytes = OBJECT_SIZE_BYTES_MAX;
    r.blocks = OBJECT_BLOCKS_MAX;
    r.policy =
        (struct object_policy){.k = OBJECT_DATA_MAX,
                               .m = OBJECT_PARITY_MAX,
                               .release_delay_s = OBJECT_RELEASE_DELAY_MAX_S};
    r.name_len = OBJECT_NAME_MAX;
    memset(r.name, 0xff, sizeof(r.name));
    r.expires_s = OBJECT_TIME_MAX_S;
    r.created_s = OBJECT_TIME_MAX_S - OBJECT_LIFE_MAX_S;
    r.seq = OBJECT_SEQ_MAX;
    struct checked_object object = sample_sign(&r);
    struct wr w = wr_init(buf, sizeof(buf));
    object_write(&w, &object);
    struct checked_object again;
    assert_int_equal(object_open(sample_written(&w), &again), OK);
    assert_memory_equal(again.record.name, r.name, sizeof(r.name));
}

/* record.bin with the bytes @from, which occur in it, replaced by @to. */
static enum err open_with(const char *from, const char *to)
{
    uint8_t buf[OBJECT_RECORD_BYTES_MAX];
    uint8_t from_bytes[64];
    uint8_t to_bytes[320];
    uint8_t out[2 * OBJECT_RECORD_BYTES_MAX];
    struct bytes in = sample_load("record", buf, sizeof(buf));
    size_t from_len = unhex(from, from_bytes, sizeof(from_bytes));
    size_t to_len = unhex(to, to_bytes, sizeof(to_bytes));
    struct object_record record;
    size_t at = 0;

    while (memcmp(in.p + at, from_bytes, from_len) != 0) {
        at++;
        assert_true(at + from_len <= in.len);
    }
    struct wr w = wr_init(out, sizeof(out));
    wr_bytes(&w, bytes_sub(in, 0, at));
    wr_bytes(&w, (struct bytes){to_bytes, to_len});
    wr_bytes(&w, bytes_sub(in, at + from_len, in.len - at - from_len));
    return object_record_decode(sample_written(&w), &record);
}

static void one_encoding_only(void **state)
{
    (void)state;

    assert_int_equal(open_with("ac6176", "ac6176"), OK);
    /* Another version; a version that is a text. */
    assert_int_equal(open_with("617601", "617602"), E_UNSUPPORTED);
    assert_int_equal(open_with("617601", "617600"), E_UNSUPPORTED);
    assert_int_equal(open_with("617601", "61766131"), E_MALFORMED);
    /* Longer heads than needed. */
    assert_int_equal(open_with("617601", "61761801"), E_MALFORMED);
    assert_int_equal(open_with("66626c6f636b7301", "66626c6f636b731801"),
                     E_MALFORMED);
    /* An empty name, which is written by leaving it out. */
    assert_int_equal(open_with("646e616d654568656c6c6f", "646e616d6540"),
                     E_MALFORMED);
    /* The name as text; a key that nobody knows in its place. */
    assert_int_equal(
        open_with("646e616d654568656c6c6f", "646e616d656568656c6c6f"),
        E_MALFORMED);
    assert_int_equal(open_with("646e616d6545", "646e616e6545"), E_MALFORMED);
    /* One pair more, and one less, than the map says. */
    assert_int_equal(open_with("ac6176", "ab6176"), E_MALFORMED);
    assert_int_equal(open_with("ac6176", "ad6176"), E_LIMIT);
    /* Copies and an erasure code at a time; neither. */
    assert_int_equal(
        open_with("a266636f7069657303", "a3616b0166636f7069657303"),
        E_MALFORMED);
    assert_int_equal(open_with("a266636f7069657303", "a1"), E_MALFORMED);
    assert_int_equal(open_with("a266636f7069657303", "a3616b00616d00"),
                     E_MALFORMED);
    /* Keys out of order. */
    assert_int_equal(open_with("64726f6f74", "646f6f7474"), E_MALFORMED);
    /* A document that is no map. */
    struct object_record record;
    uint8_t list[] = {0x80};
    assert_int_equal(object_record_decode((struct bytes){list, 1}, &record),
                     E_MALFORMED);
    assert_int_equal(object_record_decode(BYTES_EMPTY, &record), E_SHORT);
}

static void time_and_network_are_checked(void **state)
{
    (void)state;
    struct object_record r = sample_record();
    struct checked_object o = sample_sign(&r);
    uint64_t skew_ms = UINT64_C(1000) * OBJECT_SKEW_MAX_S;
    uint64_t end_ms = 1000 * r.expires_s;

    assert_int_equal(object_check(&o, "testnet", SAMPLE_NOW_MS), OBJECT_FINE);
    assert_int_equal(object_check(&o, "mainnet", SAMPLE_NOW_MS),
                     OBJECT_OTHER_NETWORK);
    assert_int_equal(object_check(&o, "test", SAMPLE_NOW_MS),
                     OBJECT_OTHER_NETWORK);
    assert_int_equal(object_check(&o, "testnet", end_ms - 1), OBJECT_FINE);
    assert_int_equal(object_check(&o, "testnet", end_ms), OBJECT_EXPIRED);
    assert_int_equal(object_check(&o, "testnet", SAMPLE_NOW_MS - skew_ms),
                     OBJECT_FINE);
    assert_int_equal(object_check(&o, "testnet", SAMPLE_NOW_MS - skew_ms - 1),
                     OBJECT_FROM_FUTURE);
    assert_int_equal(object_check(&o, "testnet", 0), OBJECT_FROM_FUTURE);
    /* The seq alone is ahead. */
    r.seq = SAMPLE_NOW_MS + skew_ms;
    o = sample_sign(&r);
    assert_int_equal(object_check(&o, "testnet", SAMPLE_NOW_MS), OBJECT_FINE);
    r.seq++;
    o = sample_sign(&r);
    assert_int_equal(object_check(&o, "testnet", SAMPLE_NOW_MS),
                     OBJECT_FROM_FUTURE);
    /* Created alone is ahead. */
    r = sample_record();
    r.created_s += OBJECT_SKEW_MAX_S + 1;
    o = sample_sign(&r);
    assert_int_equal(object_check(&o, "testnet", SAMPLE_NOW_MS),
                     OBJECT_FROM_FUTURE);
    assert_int_equal(object_check(&o, "testnet", SAMPLE_NOW_MS + 1000),
                     OBJECT_FINE);
    for (unsigned f = OBJECT_FINE; f <= OBJECT_ERASURE; f++)
        assert_true(strlen(object_fault_name((enum object_fault)f)) > 1);
}

static void newer_records_supersede(void **state)
{
    (void)state;
    struct object_record r = sample_record();
    struct checked_object old = sample_sign(&r);

    assert_false(object_supersedes(&old, &old));
    r.seq++;
    struct checked_object new = sample_sign(&r);
    assert_true(object_supersedes(&new, &old));
    assert_false(object_supersedes(&old, &new)); /* replayed */
    /* The same seq: one of both, whoever asks. */
    r.policy.copies = 0;
    struct checked_object twin = sample_sign(&r);
    assert_true(object_supersedes(&twin, &new) !=
                object_supersedes(&new, &twin));
    assert_true(object_supersedes(&twin, &old));
    /* Other objects. */
    r.root = cid_of(CODEC_RAW, BYTES_LIT("other"));
    r.seq++;
    struct checked_object other = sample_sign(&r);
    assert_false(object_supersedes(&other, &old));
    struct privkey key = sample_key(2);
    r.root = sample_root();
    assert_int_equal(object_sign(&r, &key, &other), OK);
    assert_false(object_supersedes(&other, &old));
    privkey_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_open),
        cmocka_unit_test(ids_are_those_of_the_page),
        cmocka_unit_test(parts_are_refused),
        cmocka_unit_test(flipped_bits_are_refused),
        cmocka_unit_test(forgeries_are_refused),
        cmocka_unit_test(domains_are_kept_apart),
        cmocka_unit_test(limits_of_numbers),
        cmocka_unit_test(limits_of_times),
        cmocka_unit_test(roots_must_name_content),
        cmocka_unit_test(names_of_networks),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(one_encoding_only),
        cmocka_unit_test(time_and_network_are_checked),
        cmocka_unit_test(newer_records_supersede),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
