#include "libp2p/noise.h"

#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "crypto/hkdf.h"
#include "crypto/secret.h"
#include "crypto/sha256.h"
#include "multiformats/key.h"
#include "multiformats/pb.h"

static const char protocol_name[] = "Noise_XX_25519_ChaChaPoly_SHA256";
_Static_assert(sizeof(protocol_name) - 1 == NOISE_HASH_BYTES,
               "the name is the first hash only when it has this length");

static const char signature_prefix[] = "noise-libp2p-static-key:";
static const char yamux_name[] = "/yamux/1.0.0";

enum {
    FIELD_IDENTITY_KEY = 1,
    FIELD_IDENTITY_SIG = 2,
    FIELD_EXTENSIONS = 4,
    FIELD_STREAM_MUXERS = 2,
    SIGNED_BYTES = sizeof(signature_prefix) - 1 + X25519_BYTES,
    SEALED_KEY_BYTES = X25519_BYTES + AEAD_TAG_BYTES,
};

void noise_keypair_init(struct noise_keypair *k,
                        const uint8_t secret[static X25519_BYTES])
{
    memcpy(k->secret, secret, X25519_BYTES);
    x25519_public(k->secret, k->public_key);
}

static void nonce_write(uint8_t dst[static AEAD_NONCE_BYTES], uint64_t nonce)
{
    memset(dst, 0, 4);
    struct wr w = wr_init(dst + 4, 8);
    wr_le64(&w, nonce);
}

static void mix_hash(struct noise_hs *hs, struct bytes in)
{
    struct sha256 state;
    sha256_init(&state);
    sha256_update(&state,
                  (struct bytes){.p = hs->hash, .len = NOISE_HASH_BYTES});
    sha256_update(&state, in);
    sha256_final(&state, hs->hash);
}

static enum err mix_dh(struct noise_hs *hs,
                       const uint8_t secret[static X25519_BYTES],
                       const uint8_t public_key[static X25519_BYTES])
{
    uint8_t shared[X25519_BYTES];
    enum err err = x25519_shared(secret, public_key, shared);
    if (err == OK) {
        hkdf_noise(hs->chaining_key,
                   (struct bytes){.p = shared, .len = sizeof(shared)},
                   hs->chaining_key, hs->key);
        hs->keyed = true;
        hs->nonce = 0;
    }
    secret_wipe(shared, sizeof(shared));
    return err;
}

/* Append @plain, encrypted once there is a key, and hash what was appended. */
static void encrypt_and_hash(struct noise_hs *hs, struct bytes plain,
                             struct wr *w)
{
    uint8_t sealed[NOISE_PAYLOAD_MAX + AEAD_TAG_BYTES];
    uint8_t nonce[AEAD_NONCE_BYTES];
    struct bytes out = plain;

    assert(plain.len <= NOISE_PAYLOAD_MAX);
    if (hs->keyed) {
        struct aead a;
        aead_init(&a, hs->key);
        nonce_write(nonce, hs->nonce++);
        out.len = aead_seal(
            &a, nonce, (struct bytes){.p = hs->hash, .len = NOISE_HASH_BYTES},
            &plain, 1, sealed);
        out.p = sealed;
        aead_release(&a);
    }
    mix_hash(hs, out);
    wr_bytes(w, out);
}

/* Decrypt @len bytes at @p in place once there is a key. */
static enum err decrypt_and_hash(struct noise_hs *hs, uint8_t *p, size_t len,
                                 struct bytes *ret_plain)
{
    struct bytes sealed = {.p = p, .len = len};
    if (!hs->keyed) {
        mix_hash(hs, sealed);
        *ret_plain = sealed;
        return OK;
    }
    if (len < AEAD_TAG_BYTES)
        return E_SHORT;
    uint8_t ad[NOISE_HASH_BYTES];
    memcpy(ad, hs->hash, sizeof(ad));
    mix_hash(hs, sealed); /* before the ciphertext is overwritten */

    struct aead a;
    uint8_t nonce[AEAD_NONCE_BYTES];
    aead_init(&a, hs->key);
    nonce_write(nonce, hs->nonce++);
    enum err err = aead_open(
        &a, nonce, (struct bytes){.p = ad, .len = sizeof(ad)}, sealed, p);
    aead_release(&a);
    if (err != OK)
        return err;
    *ret_plain = (struct bytes){.p = p, .len = len - AEAD_TAG_BYTES};
    return OK;
}

void noise_hs_init(struct noise_hs *hs, bool initiator,
                   const struct noise_keypair *s,
                   const uint8_t ephemeral[static X25519_BYTES])
{
    memset(hs, 0, sizeof(*hs));
    hs->initiator = initiator;
    hs->s = s;
    noise_keypair_init(&hs->e, ephemeral);
    memcpy(hs->hash, protocol_name, NOISE_HASH_BYTES);
    memcpy(hs->chaining_key, protocol_name, NOISE_KEY_BYTES);
    mix_hash(hs, BYTES_EMPTY); /* the prologue */
}

void noise_hs_release(struct noise_hs *hs)
{
    secret_wipe(hs, sizeof(*hs));
}

bool noise_hs_turn(const struct noise_hs *hs)
{
    return hs->messages < 3 && (hs->messages == 1) != hs->initiator;
}

bool noise_hs_done(const struct noise_hs *hs)
{
    return hs->messages == 3;
}

static struct bytes key_bytes(const uint8_t key[static X25519_BYTES])
{
    return (struct bytes){.p = key, .len = X25519_BYTES};
}

/* e, ee, s, es of the responder. */
static enum err write_message2(struct noise_hs *hs, struct wr *w)
{
    wr_bytes(w, key_bytes(hs->e.public_key));
    mix_hash(hs, key_bytes(hs->e.public_key));
    enum err err = mix_dh(hs, hs->e.secret, hs->remote_e);
    if (err != OK)
        return err;
    encrypt_and_hash(hs, key_bytes(hs->s->public_key), w);
    return mix_dh(hs, hs->s->secret, hs->remote_e);
}

/* s, se of the initiator. */
static enum err write_message3(struct noise_hs *hs, struct wr *w)
{
    encrypt_and_hash(hs, key_bytes(hs->s->public_key), w);
    return mix_dh(hs, hs->s->secret, hs->remote_e);
}

enum err noise_hs_write(struct noise_hs *hs, struct bytes payload, struct wr *w)
{
    uint8_t message[NOISE_PAYLOAD_MAX + 128];
    struct wr body = wr_init(message, sizeof(message));
    enum err err = OK;

    assert(noise_hs_turn(hs));
    if (hs->messages == 0) {
        assert(payload.len == 0);
        wr_bytes(&body, key_bytes(hs->e.public_key));
        mix_hash(hs, key_bytes(hs->e.public_key));
    } else if (hs->messages == 1) {
        err = write_message2(hs, &body);
    } else {
        err = write_message3(hs, &body);
    }
    if (err != OK)
        return err;
    encrypt_and_hash(hs, payload, &body);
    hs->messages++;

    struct bytes out;
    err = wr_finish(&body, &out);
    assert(err == OK);
    wr_be16(w, (uint16_t)out.len);
    wr_bytes(w, out);
    return OK;
}

/* Cuts @len bytes off the front of what is left of a message. */
struct cursor {
    uint8_t *p;
    size_t left;
};

static uint8_t *cut(struct cursor *c, size_t len)
{
    if (c->left < len)
        return NULL;
    uint8_t *p = c->p;
    c->p += len;
    c->left -= len;
    return p;
}

static enum err read_ephemeral(struct noise_hs *hs, struct cursor *c)
{
    const uint8_t *e = cut(c, X25519_BYTES);
    if (e == NULL)
        return E_SHORT;
    memcpy(hs->remote_e, e, X25519_BYTES);
    mix_hash(hs, key_bytes(hs->remote_e));
    return OK;
}

static enum err read_static(struct noise_hs *hs, struct cursor *c)
{
    uint8_t *sealed = cut(c, SEALED_KEY_BYTES);
    if (sealed == NULL)
        return E_SHORT;
    struct bytes s;
    enum err err = decrypt_and_hash(hs, sealed, SEALED_KEY_BYTES, &s);
    if (err != OK)
        return err;
    memcpy(hs->remote_s, s.p, X25519_BYTES);
    return mix_dh(hs, hs->e.secret, hs->remote_s);
}

enum err noise_hs_read(struct noise_hs *hs, uint8_t *message, size_t len,
                       struct bytes *ret_payload)
{
    struct cursor c;
    enum err err = OK;

    c.p = message;
    c.left = len;
    assert(!noise_hs_turn(hs));
    assert(hs->messages < 3);
    if (hs->messages < 2)
        err = read_ephemeral(hs, &c);
    if (err == OK && hs->messages == 1)
        err = mix_dh(hs, hs->e.secret, hs->remote_e);
    if (err == OK && hs->messages > 0)
        err = read_static(hs, &c);
    if (err != OK)
        return err;
    if (c.left > NOISE_PAYLOAD_MAX + AEAD_TAG_BYTES)
        return E_LIMIT;
    err = decrypt_and_hash(hs, c.p, c.left, ret_payload);
    if (err != OK)
        return err;
    hs->messages++;
    return OK;
}

void noise_hs_split(const struct noise_hs *hs, struct noise_cipher *ret_send,
                    struct noise_cipher *ret_recv)
{
    uint8_t first[HKDF_KEY_BYTES];
    uint8_t second[HKDF_KEY_BYTES];

    assert(noise_hs_done(hs));
    hkdf_noise(hs->chaining_key, BYTES_EMPTY, first, second);
    aead_init(&ret_send->aead, hs->initiator ? first : second);
    aead_init(&ret_recv->aead, hs->initiator ? second : first);
    ret_send->nonce = 0;
    ret_recv->nonce = 0;
    secret_wipe(first, sizeof(first));
    secret_wipe(second, sizeof(second));
}

void noise_cipher_release(struct noise_cipher *c)
{
    aead_release(&c->aead);
    c->nonce = 0;
}

size_t noise_seal(struct noise_cipher *c, const struct bytes *pieces,
                  size_t count, uint8_t *dst)
{
    uint8_t nonce[AEAD_NONCE_BYTES];

    assert(c->nonce != UINT64_MAX);
    nonce_write(nonce, c->nonce++);
    size_t len = aead_seal(&c->aead, nonce, BYTES_EMPTY, pieces, count,
                           dst + NOISE_LEN_BYTES);
    assert(len > AEAD_TAG_BYTES);
    assert(len <= NOISE_MESSAGE_MAX);
    struct wr w = wr_init(dst, NOISE_LEN_BYTES);
    wr_be16(&w, (uint16_t)len);
    return NOISE_LEN_BYTES + len;
}

enum err noise_open(struct noise_cipher *c, uint8_t *message, size_t len,
                    size_t *ret_len)
{
    uint8_t nonce[AEAD_NONCE_BYTES];

    if (len < AEAD_TAG_BYTES)
        return E_SHORT;
    if (c->nonce == UINT64_MAX)
        return E_LIMIT;
    nonce_write(nonce, c->nonce++);
    enum err err = aead_open(&c->aead, nonce, BYTES_EMPTY,
                             (struct bytes){.p = message, .len = len}, message);
    if (err != OK)
        return err;
    *ret_len = len - AEAD_TAG_BYTES;
    return OK;
}

/* What the identity key signs: a fixed text and the static Noise key. */
static struct bytes signed_bytes(uint8_t dst[static SIGNED_BYTES],
                                 const uint8_t s[static X25519_BYTES])
{
    struct wr w = wr_init(dst, SIGNED_BYTES);
    wr_bytes(&w, BYTES_LIT(signature_prefix));
    wr_bytes(&w, key_bytes(s));
    return (struct bytes){.p = dst, .len = SIGNED_BYTES};
}

void noise_payload_write(const struct privkey *identity,
                         const struct noise_keypair *s, struct wr *w)
{
    uint8_t message[SIGNED_BYTES];
    uint8_t sig[ED25519_SIG_BYTES];
    struct pubkey key = privkey_public(identity);
    struct bytes yamux = bytes_str(yamux_name);

    privkey_sign(identity, signed_bytes(message, s->public_key), sig);
    pb_put_head(w, FIELD_IDENTITY_KEY, pubkey_len(&key));
    pubkey_write(w, &key);
    pb_put_bytes(w, FIELD_IDENTITY_SIG,
                 (struct bytes){.p = sig, .len = sizeof(sig)});
    pb_put_head(w, FIELD_EXTENSIONS,
                pb_bytes_len(FIELD_STREAM_MUXERS, yamux.len));
    pb_put_bytes(w, FIELD_STREAM_MUXERS, yamux);
}

static void read_extensions(struct bytes in, struct rd *outer,
                            struct noise_identity *id)
{
    struct rd r = rd_init(in);
    struct pb_field f;
    size_t count = 0;

    while (pb_next(&r, &f)) {
        if (f.number != FIELD_STREAM_MUXERS)
            continue;
        struct bytes name = pb_get_bytes(&r, &f, NOISE_PAYLOAD_MAX);
        count++;
        if (bytes_eq(name, bytes_str(yamux_name)))
            id->yamux = true;
    }
    enum err err = rd_finish(&r);
    if (err != OK)
        rd_fail(outer, err);
    id->any_muxer = count > 0 && count <= NOISE_MUXERS_MAX;
    id->yamux = id->yamux && id->any_muxer;
}

enum err noise_payload_read(struct bytes payload,
                            const uint8_t remote_s[static X25519_BYTES],
                            struct noise_identity *ret_identity)
{
    struct bytes encoded = BYTES_EMPTY;
    struct bytes sig = BYTES_EMPTY;
    struct noise_identity id = {.yamux = false};
    struct rd r = rd_init(payload);
    struct pb_field f;

    while (pb_next(&r, &f)) {
        if (f.number == FIELD_IDENTITY_KEY)
            encoded = pb_get_bytes(&r, &f, PUBKEY_BYTES_MAX);
        else if (f.number == FIELD_IDENTITY_SIG)
            sig = pb_get_bytes(&r, &f, NOISE_PAYLOAD_MAX);
        else if (f.number == FIELD_EXTENSIONS)
            read_extensions(pb_get_bytes(&r, &f, NOISE_PAYLOAD_MAX), &r, &id);
    }
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;

    struct pubkey key;
    err = pubkey_decode(encoded, &key);
    if (err != OK)
        return err;
    uint8_t message[SIGNED_BYTES];
    err = pubkey_verify(&key, signed_bytes(message, remote_s), sig);
    if (err != OK)
        return err;
    id.peer = peer_id_of_key(encoded);
    *ret_identity = id;
    return OK;
}
