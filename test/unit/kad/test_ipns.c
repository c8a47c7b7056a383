/*
 * Goal: IPNS records are made as others make them, and judged as others judge
 * them; names in text; times in text.
 * Method: a record whose bytes were computed elsewhere; records that a Go
 * program made, good and broken ones; each rule broken on its own in a record
 * that is signed anew; every prefix and every bit of a good record.
 */
#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "kad/ipns.h"
#include "multiformats/key.h"
#include "multiformats/pb.h"

#include "test.h"

#define DIR   "test/vectors/ipns/"
#define SEED  "7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d"
#define VALUE "/ipfs/bafkqaaa"
#define EOL   "2100-01-01T00:00:00.000000000Z"

enum { NOW_MS = 1700000000 }; /* 1970-01-20: before every end */

#define EOL_S UINT64_C(4102444800)

static struct privkey make_key(void)
{
    uint8_t seed[ED25519_SEED_BYTES];
    unhex(SEED, seed, sizeof(seed));
    struct privkey key;
    privkey_init_seed(&key, seed);
    return key;
}

/* Another key, and its name. */
static struct privkey other_key(void)
{
    uint8_t seed[ED25519_SEED_BYTES] = {1, 2, 3};
    struct privkey key;
    privkey_init_seed(&key, seed);
    return key;
}

static struct ipns_fields good_fields(void)
{
    return (struct ipns_fields){
        .value = BYTES_LIT(VALUE),
        .sequence = 1,
        .eol = {.s = (int64_t)EOL_S},
        .ttl_ns = UINT64_C(300000000000),
    };
}

static struct bytes make(const struct ipns_fields *fields, uint8_t *out,
                         size_t max)
{
    struct privkey key = make_key();
    struct wr w = wr_init(out, max);
    struct bytes made;
    assert_int_equal(ipns_make(&key, fields, &w), OK);
    assert_int_equal(wr_finish(&w, &made), OK);
    privkey_release(&key);
    return made;
}

static struct peer_id name_of_key(void)
{
    struct privkey key = make_key();
    struct peer_id name = privkey_peer_id(&key);
    privkey_release(&key);
    return name;
}

static enum err judge(struct bytes in, const struct peer_id *name, uint64_t ms)
{
    struct ipns_record record;
    enum err err = ipns_decode(in, &record);
    return err == OK ? ipns_validate(&record, name, ms) : err;
}

/* The record of specs, byte for byte. */
static void makes_the_known_record(void **state)
{
    (void)state;
    static const char hex[] =
        "0a0e2f697066732f6261666b7161616112"
        "4029052e231ef3e2f4d9fa2b35f0afd217299248d17899403a24aacfae4712f23f83d1"
        "e6ff54ea75038f723c816fbd21de2ec537c009a3a60c1d14a2bb701c430a1800221e"
        "323130302d30312d30315430303a30303a30302e3030303030303030305a2801"
        "3080f092cbdd084240"
        "5e296366d5d6df577371ab1447ffed3dcad95e3e83b173e7c212a509e9c17772a29acc"
        "6f31dbc65818c0b6a6be080b8d83d318404e47b815621547f08f497e054a64"
        "a56354544c1b00000045d964b8006556616c75654e2f697066732f6261666b71616161"
        "6853657175656e6365016856616c6964697479581e323130302d30312d30315430303a"
        "30303a30302e3030303030303030305a6c56616c69646974795479706500";
    uint8_t want[512];
    size_t want_len = unhex(hex, want, sizeof(want));
    assert_int_equal(want_len, 293);
    uint8_t out[512];
    struct ipns_fields fields = good_fields();
    struct bytes made = make(&fields, out, sizeof(out));
    assert_int_equal(made.len, want_len);
    assert_memory_equal(made.p, want, want_len);

    struct ipns_record record;
    assert_int_equal(ipns_decode(made, &record), OK);
    assert_true(bytes_eq(record.value, BYTES_LIT(VALUE)));
    assert_int_equal(record.sequence, 1);
    assert_true(record.has_ttl);
    assert_int_equal(record.ttl_ns, UINT64_C(300000000000));
    assert_int_equal(record.eol.s, EOL_S);
    assert_int_equal(record.eol.ns, 0);
    assert_int_equal(record.pubkey.len, 0);
    assert_true(record.v1_agrees);
    struct peer_id name = name_of_key();
    assert_int_equal(ipns_validate(&record, &name, NOW_MS), OK);
    assert_int_equal(ipns_validate(&record, &name, EOL_S * 1000), OK);
    assert_int_equal(ipns_validate(&record, &name, EOL_S * 1000 + 1),
                     E_TIMEOUT);
    struct privkey other = other_key();
    name = privkey_peer_id(&other);
    assert_int_equal(ipns_validate(&record, &name, NOW_MS), E_MISMATCH);
    privkey_release(&other);
}

static void judges_the_records_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *name;
        enum err err;
    } rows[] = {
        {DIR "v1-v2.ipns-record",
         "k51qzi5uqu5dlkw8pxuw9qmqayfdeh4kfebhmreauqdc6a7c3y7d5i9fi8mk9w", OK},
        {DIR "v2.ipns-record",
         "k51qzi5uqu5dit2ku9mutlfgwyz8u730on38kd10m97m36bjt66my99hb6103f", OK},
        {DIR "v1-v2-broken-signature-v1.ipns-record",
         "k51qzi5uqu5dilgf7gorsh9vcqqq4myo6jd4zmqkuy9pxyxi5fua3uf7axph4y", OK},
        {DIR "v1-v2-broken-v1-value.ipns-record",
         "k51qzi5uqu5dlmit2tuwdvnx4sbnyqgmvbxftl0eo3f33wwtb9gr7yozae9kpw",
         E_MISMATCH},
        {DIR "v1-v2-broken-signature-v2.ipns-record",
         "k51qzi5uqu5diamp7qnnvs1p1gzmku3eijkeijs3418j23j077zrkok63xdm8c",
         E_MISMATCH},
        {DIR "v1.ipns-record",
         "k51qzi5uqu5dm4tm0wt8srkg9h9suud4wuiwjimndrkydqm81cqtlb5ak6p7ku",
         E_UNSUPPORTED},
    };
    uint8_t in[1024];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer_id name;
        assert_int_equal(ipns_name_parse(bytes_str(rows[i].name), &name), OK);
        size_t len = test_load(rows[i].file, in, sizeof(in));
        assert_int_equal(judge((struct bytes){in, len}, &name, NOW_MS),
                         rows[i].err);
        char text[IPNS_NAME_TEXT_MAX];
        assert_int_equal(ipns_name_format(&name, text), strlen(rows[i].name));
        assert_string_equal(text, rows[i].name);
    }
}

static void prefixes_and_bits(void **state)
{
    (void)state;
    uint8_t out[512];
    struct ipns_fields fields = good_fields();
    struct bytes made = make(&fields, out, sizeof(out));
    struct peer_id name = name_of_key();
    for (size_t len = 0; len < made.len; len++)
        assert_int_not_equal(judge((struct bytes){made.p, len}, &name, NOW_MS),
                             OK);
    /*
     * Free to change is the signature of V1, and that it is one; and the type
     * of validity may be left out.  None of that changes what is said.
     */
    struct ipns_record before;
    struct ipns_record after;
    assert_int_equal(ipns_decode(made, &before), OK);
    size_t v1_tag = 2 + 14;
    size_t v1_from = v1_tag + 2;
    size_t type_tag = v1_from + ED25519_SIG_BYTES;
    for (size_t bit = 0; bit < made.len * 8; bit++) {
        size_t at = bit / 8;
        out[at] ^= (uint8_t)(1U << bit % 8);
        enum err err = judge(made, &name, NOW_MS);
        if (at >= v1_from && at < type_tag)
            assert_int_equal(err, OK);
        else if (at < v1_tag || at > type_tag)
            assert_int_not_equal(err, OK);
        if (err == OK) {
            assert_int_equal(ipns_decode(made, &after), OK);
            assert_true(bytes_eq(after.value, before.value));
            assert_int_equal(after.sequence, before.sequence);
            assert_int_equal(after.ttl_ns, before.ttl_ns);
            assert_int_equal(unix_time_cmp(&after.eol, &before.eol), 0);
        }
        out[at] ^= (uint8_t)(1U << bit % 8);
    }
}

/* What a record made by hand says; NULL and 0 leave things out. */
struct by_hand {
    bool with_v1;
    const char *v1_value;
    uint64_t v1_sequence;
    uint64_t v1_ttl;
    const char *v1_validity;
    const char *validity;
    uint64_t validity_type;
    bool no_ttl;
    bool negative_ttl;
    bool twice;
    bool unsorted;
    unsigned extras;
    bool text_value;
    bool no_sequence;
    struct bytes pubkey;
};

static struct by_hand good_by_hand(void)
{
    return (struct by_hand){.v1_value = VALUE,
                            .v1_sequence = 1,
                            .v1_ttl = 5,
                            .v1_validity = EOL,
                            .validity = EOL};
}

static void put_sequence(const struct by_hand *h, struct wr *w)
{
    if (h->no_sequence)
        return;
    cbor_put_key(w, "Sequence");
    cbor_put_uint(w, 1);
}

static void put_map(const struct by_hand *h, struct wr *w)
{
    size_t pairs = 5 - (h->no_ttl ? 1U : 0U) - (h->no_sequence ? 1U : 0U) +
                   (h->twice ? 1U : 0U) + h->extras;
    cbor_put_map(w, pairs);
    if (h->unsorted)
        put_sequence(h, w);
    if (!h->no_ttl) {
        cbor_put_key(w, "TTL");
        cbor_put_int(w, h->negative_ttl ? -1 : 5);
    }
    cbor_put_key(w, "Value");
    if (h->text_value)
        cbor_put_text(w, BYTES_LIT(VALUE));
    else
        cbor_put_bytes(w, BYTES_LIT(VALUE));
    if (!h->unsorted)
        put_sequence(h, w);
    if (h->twice)
        put_sequence(h, w);
    cbor_put_key(w, "Validity");
    cbor_put_bytes(w, bytes_str(h->validity));
    cbor_put_key(w, "ValidityType");
    cbor_put_uint(w, h->validity_type);
    for (unsigned i = 0; i < h->extras; i++) {
        char extra[] = "_metadata_000";
        extra[10] = (char)('0' + i / 100);
        extra[11] = (char)('0' + i / 10 % 10);
        extra[12] = (char)('0' + i % 10);
        cbor_put_key(w, extra);
        cbor_put_list(w, 2);
        cbor_put_null(w);
        cbor_put_map(w, 0);
    }
}

static struct bytes write_by_hand(const struct by_hand *h,
                                  const struct privkey *key, uint8_t *out,
                                  size_t max)
{
    static uint8_t message[IPNS_RECORD_MAX];
    struct wr m = wr_init(message, sizeof(message));
    wr_bytes(&m, BYTES_LIT("ipns-signature:"));
    size_t prefix = wr_len(&m);
    put_map(h, &m);
    struct bytes text;
    assert_int_equal(wr_finish(&m, &text), OK);
    struct bytes data = bytes_sub(text, prefix, text.len - prefix);
    uint8_t sig[ED25519_SIG_BYTES];
    privkey_sign(key, text, sig);

    struct wr w = wr_init(out, max);
    if (h->with_v1) {
        if (h->v1_value != NULL)
            pb_put_bytes(&w, 1, bytes_str(h->v1_value));
        pb_put_bytes(&w, 2, BYTES_LIT("not looked at"));
        pb_put_uint(&w, 3, h->validity_type);
        pb_put_bytes(&w, 4, bytes_str(h->v1_validity));
        pb_put_uint(&w, 5, h->v1_sequence);
        pb_put_uint(&w, 6, h->v1_ttl);
    }
    if (h->pubkey.len > 0)
        pb_put_bytes(&w, 7, h->pubkey);
    pb_put_bytes(&w, 8, (struct bytes){sig, sizeof(sig)});
    pb_put_bytes(&w, 9, data);
    pb_put_bytes(&w, 99, BYTES_LIT("unknown"));
    struct bytes made;
    assert_int_equal(wr_finish(&w, &made), OK);
    return made;
}

static enum err judge_by_hand(const struct by_hand *h)
{
    static uint8_t out[IPNS_RECORD_MAX];
    struct privkey key = make_key();
    struct bytes made = write_by_hand(h, &key, out, sizeof(out));
    struct peer_id name = privkey_peer_id(&key);
    privkey_release(&key);
    return judge(made, &name, NOW_MS);
}

static void each_rule(void **state)
{
    (void)state;
    struct by_hand h = good_by_hand();
    assert_int_equal(judge_by_hand(&h), OK); /* V2 only */
    h.with_v1 = true;
    assert_int_equal(judge_by_hand(&h), OK);
    h.v1_sequence = 2;
    assert_int_equal(judge_by_hand(&h), E_MISMATCH);
    h = good_by_hand();
    h.with_v1 = true;
    h.v1_ttl = 6;
    assert_int_equal(judge_by_hand(&h), E_MISMATCH);
    h = good_by_hand();
    h.with_v1 = true;
    h.v1_value = "/ipfs/bafkqaab";
    assert_int_equal(judge_by_hand(&h), E_MISMATCH);
    h.v1_value = NULL; /* the signature of V1 alone makes it one */
    assert_int_equal(judge_by_hand(&h), E_MISMATCH);
    h = good_by_hand();
    h.with_v1 = true;
    h.v1_validity = "2100-01-01T00:00:00Z"; /* the same time is not enough */
    assert_int_equal(judge_by_hand(&h), E_MISMATCH);

    h = good_by_hand();
    h.validity = "2100-01-01T00:00:00Z";
    assert_int_equal(judge_by_hand(&h), OK);
    h.validity = "1970-01-01T00:00:00Z";
    assert_int_equal(judge_by_hand(&h), E_TIMEOUT);
    h.validity = "tomorrow";
    assert_int_equal(judge_by_hand(&h), E_MALFORMED);
    h = good_by_hand();
    h.validity_type = 1;
    assert_int_equal(judge_by_hand(&h), E_UNSUPPORTED);
    h = good_by_hand();
    h.negative_ttl = true;
    assert_int_equal(judge_by_hand(&h), E_MALFORMED);
    h = good_by_hand();
    h.no_ttl = true;
    assert_int_equal(judge_by_hand(&h), OK);
    h = good_by_hand();
    h.no_sequence = true;
    assert_int_equal(judge_by_hand(&h), E_MALFORMED);
    h = good_by_hand();
    h.twice = true;
    assert_int_equal(judge_by_hand(&h), E_MALFORMED);
    h = good_by_hand();
    h.text_value = true;
    assert_int_equal(judge_by_hand(&h), E_MALFORMED);
    h = good_by_hand();
    h.unsorted = true; /* in another order, but signed so */
    assert_int_equal(judge_by_hand(&h), OK);
    h = good_by_hand();
    h.extras = IPNS_EXTRA_MAX - 5;
    assert_int_equal(judge_by_hand(&h), OK);
    h.extras++;
    assert_int_equal(judge_by_hand(&h), E_LIMIT);
}

static void key_in_the_record(void **state)
{
    (void)state;
    static uint8_t out[IPNS_RECORD_MAX];
    struct privkey key = make_key();
    struct privkey other = other_key();
    uint8_t encoded[PUBKEY_ED25519_BYTES];
    struct wr w = wr_init(encoded, sizeof(encoded));
    struct pubkey public = privkey_public(&key);
    pubkey_write(&w, &public);

    struct by_hand h = good_by_hand();
    h.pubkey = (struct bytes){encoded, wr_len(&w)};
    struct bytes made = write_by_hand(&h, &key, out, sizeof(out));
    struct peer_id name = privkey_peer_id(&key);
    assert_int_equal(judge(made, &name, NOW_MS), OK);
    name = privkey_peer_id(&other);
    assert_int_equal(judge(made, &name, NOW_MS), E_MISMATCH);

    /* A name that is a hash needs a key in the record. */
    uint8_t hashed[34] = {0x12, 0x20};
    assert_int_equal(
        peer_id_decode((struct bytes){hashed, sizeof(hashed)}, &name), OK);
    assert_int_equal(judge(made, &name, NOW_MS), E_MISMATCH);
    h.pubkey = BYTES_EMPTY;
    made = write_by_hand(&h, &key, out, sizeof(out));
    assert_int_equal(judge(made, &name, NOW_MS), E_NOTFOUND);
    h.pubkey = BYTES_LIT("no key at all");
    made = write_by_hand(&h, &key, out, sizeof(out));
    assert_int_not_equal(judge(made, &name, NOW_MS), OK);
    privkey_release(&key);
    privkey_release(&other);
}

static void limits(void **state)
{
    (void)state;
    static uint8_t out[IPNS_RECORD_MAX + 1];
    static uint8_t value[IPNS_VALUE_MAX + 1] = {'/'};
    struct ipns_fields fields = good_fields();
    struct privkey key = make_key();
    struct peer_id name = name_of_key();

    fields.value = (struct bytes){value, IPNS_VALUE_MAX};
    struct bytes made = make(&fields, out, sizeof(out));
    assert_true(made.len <= IPNS_RECORD_MAX);
    assert_int_equal(judge(made, &name, NOW_MS), OK);
    fields.value.len++;
    struct wr w = wr_init(out, sizeof(out));
    assert_int_equal(ipns_make(&key, &fields, &w), E_LIMIT);
    assert_int_equal(wr_len(&w), 0);
    fields = good_fields();
    fields.ttl_ns = INT64_MAX;
    assert_int_equal(judge(make(&fields, out, sizeof(out)), &name, NOW_MS), OK);
    fields.ttl_ns++;
    assert_int_equal(ipns_make(&key, &fields, &w), E_LIMIT);
    fields = good_fields();
    w = wr_init(out, 292);
    assert_int_equal(ipns_make(&key, &fields, &w), E_LIMIT);

    /* Filled up with an unknown field to the limit, and one past it. */
    made = make(&fields, out, sizeof(out));
    size_t room = IPNS_RECORD_MAX - made.len;
    w = wr_init(out + made.len, room);
    pb_put_head(&w, 100, room - 4);
    assert_int_equal(wr_len(&w), 4);
    struct bytes full = {out, IPNS_RECORD_MAX};
    assert_int_equal(judge(full, &name, NOW_MS), OK);
    full.len++;
    assert_int_equal(judge(full, &name, NOW_MS), E_LIMIT);
    privkey_release(&key);
}

static struct ipns_record decoded(struct bytes in)
{
    struct ipns_record record;
    assert_int_equal(ipns_decode(in, &record), OK);
    return record;
}

static void assert_better(const struct ipns_record *a,
                          const struct ipns_record *b)
{
    assert_true(ipns_cmp(a, b) > 0);
    assert_true(ipns_cmp(b, a) < 0);
    assert_int_equal(ipns_cmp(a, a), 0);
}

static void the_better_record(void **state)
{
    (void)state;
    static uint8_t out[4][512];
    struct ipns_fields fields = good_fields();
    struct ipns_record base = decoded(make(&fields, out[0], 512));
    fields.eol.ns = 1;
    struct ipns_record later = decoded(make(&fields, out[1], 512));
    fields = good_fields();
    fields.sequence = 2;
    fields.eol.s -= 1000;
    struct ipns_record higher = decoded(make(&fields, out[2], 512));
    fields = good_fields();
    fields.value = BYTES_LIT("/ipfs/bafkqaab");
    struct ipns_record greater = decoded(make(&fields, out[3], 512));
    assert_better(&later, &base);
    assert_better(&higher, &base);
    assert_better(&higher, &later);
    assert_better(&greater, &base);
    assert_better(&later, &greater);
}

static void how_long_to_cache(void **state)
{
    (void)state;
    uint8_t out[512];
    struct ipns_fields fields = good_fields();
    struct ipns_record record = decoded(make(&fields, out, sizeof(out)));
    uint64_t eol_ms = EOL_S * 1000;
    assert_int_equal(ipns_cache_ms(&record, 0), 300000);
    assert_int_equal(ipns_cache_ms(&record, eol_ms - 300000), 300000);
    assert_int_equal(ipns_cache_ms(&record, eol_ms - 299999), 299999);
    assert_int_equal(ipns_cache_ms(&record, eol_ms), 0);
    assert_int_equal(ipns_cache_ms(&record, eol_ms + 1), 0);
    record.has_ttl = false;
    assert_int_equal(ipns_cache_ms(&record, 0), IPNS_TTL_DEFAULT_MS);
}

static void names(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe",
        "/ipns/k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe",
        "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6",
        "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
        "/ipns/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
    };
    struct peer_id want = name_of_key();
    struct peer_id name;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(ipns_name_parse(bytes_str(texts[i]), &name), OK);
        assert_true(peer_id_eq(&name, &want));
    }
    char text[IPNS_NAME_TEXT_MAX];
    ipns_name_format(&want, text);
    assert_string_equal(text, texts[0]);
    assert_int_not_equal(ipns_name_parse(BYTES_LIT("/ipns/"), &name), OK);
    assert_int_not_equal(ipns_name_parse(BYTES_LIT(""), &name), OK);
    assert_int_not_equal(ipns_name_parse(BYTES_LIT("example.com"), &name), OK);
    assert_int_not_equal(ipns_name_parse(BYTES_LIT("bafkqaaa"), &name), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_known_record),
        cmocka_unit_test(judges_the_records_of_others),
        cmocka_unit_test(prefixes_and_bits),
        cmocka_unit_test(each_rule),
        cmocka_unit_test(key_in_the_record),
        cmocka_unit_test(limits),
        cmocka_unit_test(the_better_record),
        cmocka_unit_test(how_long_to_cache),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
