#include "multiformats/key.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "crypto/ecdsa.h"
#include "crypto/rsa.h"
#include "multiformats/pb.h"
#include "multiformats/peer_id.h"

/* The key protobuf, public or private. */
enum {
    FIELD_TYPE = 1,
    FIELD_DATA = 2,
    TAG_TYPE = FIELD_TYPE << 3 | PB_VARINT,
    TAG_DATA = FIELD_DATA << 3 | PB_BYTES,
    OLD_SECRET_BYTES = ED25519_SECRET_BYTES + ED25519_PUBLIC_BYTES,
};

_Static_assert((int)PUBKEY_DATA_MAX == (int)RSA_SPKI_BYTES_MAX,
               "the longest RSA key fits");

/* Both kinds of key are written the same way: type, data, nothing else. */
static enum err read_key(struct bytes in, uint64_t *ret_type,
                         struct bytes *ret_data)
{
    struct rd r = rd_init(in);
    if (rd_u8(&r) != TAG_TYPE)
        rd_fail(&r, E_MALFORMED);
    uint64_t type = rd_uvarint(&r);
    if (rd_u8(&r) != TAG_DATA)
        rd_fail(&r, E_MALFORMED);
    struct bytes data = rd_view(&r, rd_uvarint(&r));
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    *ret_type = type;
    *ret_data = data;
    return OK;
}

static enum err check_len(enum key_type type, size_t len)
{
    bool good = false;
    switch (type) {
    case KEY_ED25519:
        good = len == ED25519_PUBLIC_BYTES;
        break;
    case KEY_SECP256K1:
        good = len == ECDSA_POINT_BYTES;
        break;
    case KEY_RSA:
    case KEY_ECDSA:
        if (len > PUBKEY_DATA_MAX)
            return E_LIMIT;
        good = len > 0;
        break;
    }
    return good ? OK : E_MALFORMED;
}

enum err pubkey_decode(struct bytes in, struct pubkey *ret_key)
{
    uint64_t type = 0;
    struct bytes data;
    enum err err = read_key(in, &type, &data);
    if (err != OK)
        return err;
    if (type > KEY_ECDSA)
        return E_UNSUPPORTED;
    err = check_len((enum key_type)type, data.len);
    if (err != OK)
        return err;
    *ret_key = (struct pubkey){.type = (enum key_type)type, .data = data};
    return OK;
}

void pubkey_write(struct wr *w, const struct pubkey *key)
{
    assert(key->data.len <= PUBKEY_DATA_MAX);
    pb_put_uint(w, FIELD_TYPE, key->type);
    pb_put_bytes(w, FIELD_DATA, key->data);
}

size_t pubkey_len(const struct pubkey *key)
{
    return pb_uint_len(FIELD_TYPE, key->type) +
           pb_bytes_len(FIELD_DATA, key->data.len);
}

enum err pubkey_verify(const struct pubkey *key, struct bytes msg,
                       struct bytes sig)
{
    switch (key->type) {
    case KEY_RSA:
        return rsa_verify(key->data, msg, sig);
    case KEY_ED25519:
        assert(key->data.len == ED25519_PUBLIC_BYTES);
        if (sig.len != ED25519_SIG_BYTES)
            return E_MISMATCH;
        return ed25519_verify(key->data.p, msg, sig.p);
    case KEY_SECP256K1:
        return ecdsa_verify_secp256k1(key->data, msg, sig);
    case KEY_ECDSA:
        return ecdsa_verify_p256(key->data, msg, sig);
    }
    assert(false);
    return E_UNSUPPORTED;
}

void privkey_init_seed(struct privkey *k,
                       const uint8_t seed[static ED25519_SEED_BYTES])
{
    secret_init(&k->secret, ED25519_SECRET_BYTES);
    ed25519_keypair(seed, k->secret.p);
}

void privkey_release(struct privkey *k)
{
    secret_release(&k->secret);
}

struct pubkey privkey_public(const struct privkey *k)
{
    struct bytes data = bytes_sub(secret_bytes(&k->secret), ED25519_SEED_BYTES,
                                  ED25519_PUBLIC_BYTES);
    return (struct pubkey){.type = KEY_ED25519, .data = data};
}

struct peer_id privkey_peer_id(const struct privkey *k)
{
    struct pubkey key = privkey_public(k);
    return peer_id_of_pubkey(&key);
}

void privkey_sign(const struct privkey *k, struct bytes msg,
                  uint8_t ret_sig[static ED25519_SIG_BYTES])
{
    assert(k->secret.len == ED25519_SECRET_BYTES);
    ed25519_sign(k->secret.p, msg, ret_sig);
}

enum err privkey_decode(struct bytes in, struct privkey *ret_key)
{
    uint64_t type = 0;
    struct bytes data;
    enum err err = read_key(in, &type, &data);
    if (err != OK)
        return err;
    if (type != KEY_ED25519)
        return E_UNSUPPORTED;
    if (data.len != ED25519_SECRET_BYTES && data.len != OLD_SECRET_BYTES)
        return E_MALFORMED;

    struct privkey key;
    privkey_init_seed(&key, data.p);
    struct bytes public_key = privkey_public(&key).data;
    bool good = true;
    for (size_t pos = ED25519_SEED_BYTES; pos < data.len;
         pos += ED25519_PUBLIC_BYTES) {
        struct bytes copy = bytes_sub(data, pos, ED25519_PUBLIC_BYTES);
        good = good && bytes_eq(copy, public_key);
    }
    if (!good) {
        privkey_release(&key);
        return E_MISMATCH;
    }
    *ret_key = key;
    return OK;
}

void privkey_encode(const struct privkey *k, uint8_t dst[static PRIVKEY_BYTES])
{
    struct wr w = wr_init(dst, PRIVKEY_BYTES);
    pb_put_uint(&w, FIELD_TYPE, KEY_ED25519);
    pb_put_bytes(&w, FIELD_DATA, secret_bytes(&k->secret));
    assert(w.err == OK);
    assert(wr_len(&w) == PRIVKEY_BYTES);
}
