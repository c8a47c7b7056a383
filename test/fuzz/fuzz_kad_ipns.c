/*
 * Goal: no IPNS record, name, time or key harms its parser; a record that was
 * not signed by the key of its name is never valid.
 * Method: the input as each of these; then as the parts of a record that is
 * put together anew and signed, so that what lies behind the signature is
 * reached.
 */
#include <stdlib.h>
#include <string.h>

#include "base/wr.h"
#include "kad/ipns.h"
#include "kad/values.h"
#include "multiformats/key.h"
#include "multiformats/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_time(struct bytes in)
{
    struct unix_time t;
    struct unix_time back;
    char text[RFC3339_TEXT_MAX];

    if (rfc3339_parse(in, &t) != OK)
        return;
    must(t.ns < 1000000000);
    size_t text_len = rfc3339_format(&t, text);
    struct bytes again = {(const uint8_t *)text, text_len};
    must(rfc3339_parse(again, &back) == OK);
    must(unix_time_cmp(&t, &back) == 0);
}

static void check_name(struct bytes in)
{
    struct peer_id name;
    struct peer_id back;
    char text[IPNS_NAME_TEXT_MAX];
    struct value_key key;
    uint8_t bytes[VALUE_KEY_MAX];

    if (ipns_name_parse(in, &name) == OK) {
        size_t text_len = ipns_name_format(&name, text);
        struct bytes again = {(const uint8_t *)text, text_len};
        must(ipns_name_parse(again, &back) == OK);
        must(peer_id_eq(&name, &back));
    }
    if (value_key_decode(in, &key) == OK) {
        size_t key_len = value_key_encode(&key, bytes);
        must(bytes_eq((struct bytes){bytes, key_len}, in));
        enum err err = value_check(in, in, 0);
        must(err != OK);
    }
}

static bool is_within(struct bytes part, struct bytes whole)
{
    return part.len == 0 ||
           (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void check_record(struct bytes in, const struct peer_id *name,
                         bool is_signed)
{
    struct ipns_record record;

    if (ipns_decode(in, &record) != OK)
        return;
    must(in.len <= IPNS_RECORD_MAX);
    must(is_within(record.value, in));
    must(is_within(record.pubkey, in));
    must(is_within(record.signature, in));
    must(record.data.len > 0 && is_within(record.data, in));
    must(ipns_cmp(&record, &record) == 0);
    enum err err = ipns_validate(&record, name, 0);
    must(is_signed || err != OK);
    if (err == OK)
        must(unix_time_to_ms(&record.eol) <= UINT64_C(253402387200000));
    (void)ipns_cache_ms(&record, 1000);
}

/* A record whose signed map is the input. */
static void check_signed(struct bytes data, const struct privkey *key,
                         const struct peer_id *name)
{
    static uint8_t message[64 + IPNS_RECORD_MAX];
    static uint8_t out[64 * 4 + IPNS_RECORD_MAX];
    uint8_t sig[ED25519_SIG_BYTES];

    if (data.len > IPNS_RECORD_MAX)
        return;
    struct wr m = wr_init(message, sizeof(message));
    wr_bytes(&m, BYTES_LIT("ipns-signature:"));
    wr_bytes(&m, data);
    privkey_sign(key, (struct bytes){message, wr_len(&m)}, sig);
    struct wr w = wr_init(out, sizeof(out));
    pb_put_bytes(&w, 8, (struct bytes){sig, sizeof(sig)});
    pb_put_bytes(&w, 9, data);
    must(w.err == OK);
    check_record((struct bytes){out, wr_len(&w)}, name, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct privkey key;
    static struct peer_id name;
    static struct peer_id stranger;
    struct bytes in = {data, len};

    if (name.len == 0) {
        uint8_t seed[ED25519_SEED_BYTES] = {7};
        privkey_init_seed(&key, seed);
        name = privkey_peer_id(&key);
        stranger = name;
        stranger.bytes[stranger.len - 1] ^= 1;
    }
    check_time(in);
    check_name(in);
    check_record(in, &stranger, false);
    check_signed(in, &key, &name);
    return 0;
}
