#include "multiformats/envelope.h"

#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "multiformats/key.h"
#include "multiformats/pb.h"

enum {
    FIELD_PUBLIC_KEY = 1,
    FIELD_TYPE = 2,
    FIELD_PAYLOAD = 3,
    FIELD_SIGNATURE = 5,
};

/*
 * The payload types look like multicodecs, but are two plain bytes and not
 * varints.
 */
struct envelope_use envelope_use_peer_record(void)
{
    return (struct envelope_use){.domain = BYTES_LIT("libp2p-peer-record"),
                                 .type = BYTES_LIT("\x03\x01")};
}

struct envelope_use envelope_use_relay_rsvp(void)
{
    return (struct envelope_use){.domain = BYTES_LIT("libp2p-relay-rsvp"),
                                 .type = BYTES_LIT("\x03\x02")};
}

/* struct message - the bytes that are signed; freed by message_release(). */
struct message {
    uint8_t *p; /* owned */
    size_t len;
};

static void message_init(struct message *m, struct envelope_use use,
                         struct bytes payload)
{
    assert(use.domain.len <= ENVELOPE_DOMAIN_MAX);
    assert(use.type.len <= ENVELOPE_TYPE_MAX);
    assert(payload.len <= ENVELOPE_PAYLOAD_MAX);
    struct bytes parts[] = {use.domain, use.type, payload};
    enum { PART_COUNT = sizeof(parts) / sizeof(parts[0]) };

    size_t max = (size_t)PART_COUNT * UVARINT_LEN_MAX;
    for (size_t i = 0; i < PART_COUNT; i++)
        max += parts[i].len;
    m->p = mem_alloc(max);
    struct wr w = wr_init(m->p, max);
    for (size_t i = 0; i < PART_COUNT; i++) {
        wr_uvarint(&w, parts[i].len);
        wr_bytes(&w, parts[i]);
    }
    assert(w.err == OK);
    m->len = wr_len(&w);
}

static void message_release(struct message *m)
{
    mem_free(m->p);
    *m = (struct message){0};
}

void envelope_seal(const struct privkey *key, struct envelope_use use,
                   struct bytes payload, struct wr *w)
{
    struct message message;
    message_init(&message, use, payload);
    uint8_t sig[ED25519_SIG_BYTES];
    privkey_sign(key, (struct bytes){message.p, message.len}, sig);
    message_release(&message);

    struct pubkey public_key = privkey_public(key);
    pb_put_head(w, FIELD_PUBLIC_KEY, pubkey_len(&public_key));
    pubkey_write(w, &public_key);
    pb_put_bytes(w, FIELD_TYPE, use.type);
    pb_put_bytes(w, FIELD_PAYLOAD, payload);
    pb_put_bytes(w, FIELD_SIGNATURE, (struct bytes){sig, sizeof(sig)});
}

/* struct fields - an envelope as it came, not yet believed. */
struct fields {
    struct bytes public_key;
    struct bytes type;
    struct bytes payload;
    struct bytes signature;
};

static enum err read_fields(struct bytes in, struct fields *ret_fields)
{
    struct fields fields = {0};
    struct rd r = rd_init(in);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        switch (f.number) {
        case FIELD_PUBLIC_KEY:
            fields.public_key = pb_get_bytes(&r, &f, PUBKEY_BYTES_MAX);
            break;
        case FIELD_TYPE:
            fields.type = pb_get_bytes(&r, &f, ENVELOPE_TYPE_MAX);
            break;
        case FIELD_PAYLOAD:
            fields.payload = pb_get_bytes(&r, &f, ENVELOPE_PAYLOAD_MAX);
            break;
        case FIELD_SIGNATURE:
            fields.signature = pb_get_bytes(&r, &f, ENVELOPE_SIG_MAX);
            break;
        default:
            break;
        }
    }
    enum err err = rd_finish(&r);
    if (err == OK)
        *ret_fields = fields;
    return err;
}

enum err envelope_open(struct bytes in, struct envelope_use use,
                       struct envelope *ret_envelope)
{
    if (in.len > ENVELOPE_BYTES_MAX)
        return E_LIMIT;
    struct fields fields;
    enum err err = read_fields(in, &fields);
    if (err != OK)
        return err;
    if (!bytes_eq(fields.type, use.type))
        return E_MISMATCH;
    struct pubkey key;
    err = pubkey_decode(fields.public_key, &key);
    if (err != OK)
        return err;

    struct message message;
    message_init(&message, use, fields.payload);
    err = pubkey_verify(&key, (struct bytes){message.p, message.len},
                        fields.signature);
    message_release(&message);
    if (err != OK)
        return err;
    *ret_envelope = (struct envelope){
        .signer = peer_id_of_key(fields.public_key),
        .payload = fields.payload,
    };
    return OK;
}
