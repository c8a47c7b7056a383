#include "kad/ipns.h"

#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "multiformats/key.h"
#include "multiformats/pb.h"

enum {
    FIELD_VALUE = 1,
    FIELD_SIGNATURE_V1 = 2,
    FIELD_VALIDITY_TYPE = 3,
    FIELD_VALIDITY = 4,
    FIELD_SEQUENCE = 5,
    FIELD_TTL = 6,
    FIELD_PUBKEY = 7,
    FIELD_SIGNATURE_V2 = 8,
    FIELD_DATA = 9,

    VALIDITY_EOL = 0,
    NS_PER_MS = 1000000,
};

/* Keys of the signed map, in the order in which they are written. */
enum data_key {
    DATA_TTL,
    DATA_VALUE,
    DATA_SEQUENCE,
    DATA_VALIDITY,
    DATA_VALIDITY_TYPE,
    DATA_KEYS,
};

static const char *const data_names[DATA_KEYS] = {
    [DATA_TTL] = "TTL",
    [DATA_VALUE] = "Value",
    [DATA_SEQUENCE] = "Sequence",
    [DATA_VALIDITY] = "Validity",
    [DATA_VALIDITY_TYPE] = "ValidityType",
};

#define SIGNED_PREFIX BYTES_LIT("ipns-signature:")
#define V1_SUFFIX     BYTES_LIT("EOL")
#define NAME_PREFIX   BYTES_LIT("/ipns/")

/* struct entry - the protobuf, absent fields zero or empty. */
struct entry {
    struct bytes value;
    struct bytes signature_v1;
    struct bytes validity;
    struct bytes pubkey;
    struct bytes signature_v2;
    struct bytes data;
    uint64_t validity_type;
    uint64_t sequence;
    uint64_t ttl_ns;
};

/* struct signed_data - the map of V2. */
struct signed_data {
    struct bytes value;
    struct bytes validity;
    uint64_t validity_type;
    uint64_t sequence;
    uint64_t ttl_ns;
    bool seen[DATA_KEYS];
};

static void read_field(struct rd *r, const struct pb_field *f, struct entry *e)
{
    switch (f->number) {
    case FIELD_VALUE:
        e->value = pb_get_bytes(r, f, IPNS_RECORD_MAX);
        break;
    case FIELD_SIGNATURE_V1:
        e->signature_v1 = pb_get_bytes(r, f, IPNS_RECORD_MAX);
        break;
    case FIELD_VALIDITY_TYPE:
        e->validity_type = pb_get_uint(r, f, UINT64_MAX);
        break;
    case FIELD_VALIDITY:
        e->validity = pb_get_bytes(r, f, IPNS_RECORD_MAX);
        break;
    case FIELD_SEQUENCE:
        e->sequence = pb_get_uint(r, f, UINT64_MAX);
        break;
    case FIELD_TTL:
        e->ttl_ns = pb_get_uint(r, f, UINT64_MAX);
        break;
    case FIELD_PUBKEY:
        e->pubkey = pb_get_bytes(r, f, PUBKEY_BYTES_MAX);
        break;
    case FIELD_SIGNATURE_V2:
        e->signature_v2 = pb_get_bytes(r, f, IPNS_RECORD_MAX);
        break;
    case FIELD_DATA:
        e->data = pb_get_bytes(r, f, IPNS_RECORD_MAX);
        break;
    default:
        break;
    }
}

static enum err read_entry(struct bytes in, struct entry *ret_entry)
{
    struct entry entry = {0};
    struct rd r = rd_init(in);
    struct pb_field f;

    while (pb_next(&r, &f))
        read_field(&r, &f, &entry);
    enum err err = rd_finish(&r);
    if (err == OK)
        *ret_entry = entry;
    return err;
}

/* Which key of the map comes next; DATA_KEYS for one that is not ours. */
static enum data_key next_key(struct cbor_rd *r)
{
    enum data_key key = DATA_TTL;

    while (key < DATA_KEYS && !cbor_try_key(r, data_names[key]))
        key++;
    return key;
}

static void read_pair(struct cbor_rd *r, struct signed_data *d)
{
    enum data_key key = next_key(r);

    if (key < DATA_KEYS) {
        if (d->seen[key])
            rd_fail(&r->rd, E_MALFORMED);
        d->seen[key] = true;
    }
    switch (key) {
    case DATA_TTL:
        d->ttl_ns = cbor_get_uint(r, INT64_MAX);
        break;
    case DATA_VALUE:
        d->value = cbor_get_bytes(r, IPNS_RECORD_MAX);
        break;
    case DATA_SEQUENCE:
        d->sequence = cbor_get_uint(r, UINT64_MAX);
        break;
    case DATA_VALIDITY:
        d->validity = cbor_get_bytes(r, IPNS_RECORD_MAX);
        break;
    case DATA_VALIDITY_TYPE:
        d->validity_type = cbor_get_uint(r, UINT64_MAX);
        break;
    case DATA_KEYS:
        (void)cbor_skip(r); /* the key; a failure sticks */
        (void)cbor_skip(r); /* its value */
        break;
    }
}

/*
 * Lenient, because the bytes are signed as they are: who wrote them in another
 * order than ours has still said the same.
 */
static enum err read_data(struct bytes in, struct signed_data *ret_data)
{
    struct signed_data data = {0};
    struct cbor_rd r;

    cbor_rd_init(&r, in, CBOR_LENIENT);
    size_t pairs = cbor_get_map(&r, IPNS_EXTRA_MAX);
    for (size_t i = 0; i < pairs && r.rd.err == OK; i++)
        read_pair(&r, &data);
    if (r.rd.err == OK)
        cbor_end(&r);
    enum err err = cbor_finish(&r);
    if (err != OK)
        return err;
    if (!data.seen[DATA_VALUE] || !data.seen[DATA_SEQUENCE] ||
        !data.seen[DATA_VALIDITY] || !data.seen[DATA_VALIDITY_TYPE])
        return E_MALFORMED;
    *ret_data = data;
    return OK;
}

static bool v1_agrees(const struct entry *e, const struct signed_data *d)
{
    if (e->signature_v1.len == 0 && e->value.len == 0)
        return true;
    return bytes_eq(e->value, d->value) && bytes_eq(e->validity, d->validity) &&
           e->validity_type == d->validity_type && e->sequence == d->sequence &&
           e->ttl_ns == d->ttl_ns;
}

enum err ipns_decode(struct bytes in, struct ipns_record *ret_record)
{
    if (in.len > IPNS_RECORD_MAX)
        return E_LIMIT;
    struct entry entry;
    enum err err = read_entry(in, &entry);
    if (err != OK)
        return err;
    if (entry.signature_v2.len == 0 || entry.data.len == 0)
        return E_UNSUPPORTED;
    struct signed_data data;
    err = read_data(entry.data, &data);
    if (err != OK)
        return err;
    if (data.validity_type != VALIDITY_EOL)
        return E_UNSUPPORTED;
    struct unix_time eol;
    err = rfc3339_parse(data.validity, &eol);
    if (err != OK)
        return err;
    *ret_record = (struct ipns_record){
        .raw = in,
        .value = data.value,
        .eol = eol,
        .sequence = data.sequence,
        .ttl_ns = data.ttl_ns,
        .has_ttl = data.seen[DATA_TTL],
        .v1_agrees = v1_agrees(&entry, &data),
        .pubkey = entry.pubkey,
        .signature = entry.signature_v2,
        .data = entry.data,
    };
    return OK;
}

/* The key that speaks for @name: that of the record, or the name's own. */
static enum err find_key(const struct ipns_record *record,
                         const struct peer_id *name, struct pubkey *ret_key)
{
    if (record->pubkey.len == 0)
        return peer_id_key(name, ret_key);
    struct pubkey key;
    enum err err = pubkey_decode(record->pubkey, &key);
    if (err != OK)
        return err;
    struct peer_id id = peer_id_of_pubkey(&key);
    if (!peer_id_eq(&id, name))
        return E_MISMATCH;
    *ret_key = key;
    return OK;
}

enum err ipns_validate(const struct ipns_record *record,
                       const struct peer_id *name, uint64_t unix_ms)
{
    struct pubkey key;
    enum err err = find_key(record, name, &key);
    if (err != OK)
        return err;
    uint8_t message[sizeof("ipns-signature:") + IPNS_RECORD_MAX];
    struct wr w = wr_init(message, sizeof(message));
    struct bytes text;
    wr_bytes(&w, SIGNED_PREFIX);
    wr_bytes(&w, record->data);
    err = wr_finish(&w, &text);
    if (err != OK)
        return err;
    err = pubkey_verify(&key, text, record->signature);
    if (err != OK)
        return err;
    if (!record->v1_agrees)
        return E_MISMATCH;
    struct unix_time now = unix_time_of_ms(unix_ms);
    return unix_time_cmp(&now, &record->eol) > 0 ? E_TIMEOUT : OK;
}

int ipns_cmp(const struct ipns_record *a, const struct ipns_record *b)
{
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    int order = unix_time_cmp(&a->eol, &b->eol);
    return order != 0 ? order : bytes_cmp(a->raw, b->raw);
}

uint64_t ipns_cache_ms(const struct ipns_record *record, uint64_t unix_ms)
{
    uint64_t ttl_ms =
        record->has_ttl ? record->ttl_ns / NS_PER_MS : IPNS_TTL_DEFAULT_MS;
    uint64_t eol_ms = unix_time_to_ms(&record->eol);
    uint64_t left_ms = eol_ms > unix_ms ? eol_ms - unix_ms : 0;

    return ttl_ms < left_ms ? ttl_ms : left_ms;
}

static void put_data(struct wr *w, const struct ipns_fields *fields,
                     struct bytes validity)
{
    cbor_put_map(w, DATA_KEYS);
    cbor_put_key(w, data_names[DATA_TTL]);
    cbor_put_uint(w, fields->ttl_ns);
    cbor_put_key(w, data_names[DATA_VALUE]);
    cbor_put_bytes(w, fields->value);
    cbor_put_key(w, data_names[DATA_SEQUENCE]);
    cbor_put_uint(w, fields->sequence);
    cbor_put_key(w, data_names[DATA_VALIDITY]);
    cbor_put_bytes(w, validity);
    cbor_put_key(w, data_names[DATA_VALIDITY_TYPE]);
    cbor_put_uint(w, VALIDITY_EOL);
}

/* Signature of the three parts one after the other. */
static void sign(const struct privkey *key, const struct bytes parts[static 3],
                 uint8_t ret_sig[static ED25519_SIG_BYTES])
{
    uint8_t message[IPNS_RECORD_MAX];
    struct wr w = wr_init(message, sizeof(message));
    struct bytes text = BYTES_EMPTY;

    for (size_t i = 0; i < 3; i++)
        wr_bytes(&w, parts[i]);
    enum err err = wr_finish(&w, &text);
    assert(err == OK);
    privkey_sign(key, text, ret_sig);
}

enum err ipns_make(const struct privkey *key, const struct ipns_fields *fields,
                   struct wr *w)
{
    if (fields->value.len > IPNS_VALUE_MAX || fields->ttl_ns > INT64_MAX)
        return E_LIMIT;
    char text[RFC3339_TEXT_MAX];
    size_t text_len = rfc3339_format(&fields->eol, text);
    struct bytes validity = {.p = (const uint8_t *)text, .len = text_len};
    uint8_t buffer[IPNS_VALUE_MAX + 256];
    struct wr data_wr = wr_init(buffer, sizeof(buffer));
    struct bytes data = BYTES_EMPTY;

    put_data(&data_wr, fields, validity);
    enum err err = wr_finish(&data_wr, &data);
    assert(err == OK);
    uint8_t sig_v1[ED25519_SIG_BYTES];
    uint8_t sig_v2[ED25519_SIG_BYTES];
    sign(key, (struct bytes[]){fields->value, validity, V1_SUFFIX}, sig_v1);
    sign(key, (struct bytes[]){SIGNED_PREFIX, data, BYTES_EMPTY}, sig_v2);

    pb_put_bytes(w, FIELD_VALUE, fields->value);
    pb_put_bytes(w, FIELD_SIGNATURE_V1, (struct bytes){sig_v1, sizeof(sig_v1)});
    pb_put_uint(w, FIELD_VALIDITY_TYPE, VALIDITY_EOL);
    pb_put_bytes(w, FIELD_VALIDITY, validity);
    pb_put_uint(w, FIELD_SEQUENCE, fields->sequence);
    pb_put_uint(w, FIELD_TTL, fields->ttl_ns);
    pb_put_bytes(w, FIELD_SIGNATURE_V2, (struct bytes){sig_v2, sizeof(sig_v2)});
    pb_put_bytes(w, FIELD_DATA, data);
    return w->err;
}

enum err ipns_name_parse(struct bytes text, struct peer_id *ret_name)
{
    struct bytes prefix = NAME_PREFIX;

    if (text.len > prefix.len &&
        bytes_eq(bytes_sub(text, 0, prefix.len), prefix))
        text = bytes_sub(text, prefix.len, text.len - prefix.len);
    return peer_id_parse(text, ret_name);
}

size_t ipns_name_format(const struct peer_id *name,
                        char dst[static IPNS_NAME_TEXT_MAX])
{
    struct cid cid = peer_id_to_cid(name);

    return cid_format(&cid, dst);
}
