#ifndef MULTIFORMATS_KEY_H
#define MULTIFORMATS_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "crypto/ed25519.h"
#include "crypto/secret.h"

struct peer_id;
struct wr;

/* Kinds of keys, by their number in the key protobuf. */
enum key_type {
    KEY_RSA = 0,
    KEY_ED25519 = 1,
    KEY_SECP256K1 = 2,
    KEY_ECDSA = 3,
};

enum {
    PUBKEY_DATA_MAX = 2048,                          /* bytes, RSA's are long */
    PUBKEY_BYTES_MAX = PUBKEY_DATA_MAX + 2 + 3,      /* the protobuf */
    PUBKEY_ED25519_BYTES = 4 + ED25519_PUBLIC_BYTES, /* its protobuf */
    PRIVKEY_BYTES = 4 + ED25519_SECRET_BYTES,        /* protobuf of Ed25519 */
    PRIVKEY_PEM_MAX = 4096,      /* longest PEM text that is looked at */
    PRIVKEY_PEM_BYTES = 119 + 1, /* room for privkey_to_pem() and its NUL */
};

/**
 * struct pubkey - public key of a peer.
 *
 * A view: @data points into what it was decoded from.
 *
 * Spec: libp2p/specs peer-ids.md, "Keys".
 */
struct pubkey {
    enum key_type type;
    struct bytes data; /* borrowed; at most PUBKEY_DATA_MAX */
};

/**
 * pubkey_decode - public key from its protobuf, which fills @in exactly.
 * @in: from outside; @ret_key points into it.
 *
 * Only the one encoding is accepted, because its bytes are hashed: type, then
 * data, minimal varints, nothing else.  Of the data the length is checked for
 * Ed25519 and Secp256k1; the rest when a signature is.
 *
 * Return: OK; E_SHORT; E_MALFORMED; E_LIMIT; E_UNSUPPORTED for another type.
 */
MUST_USE enum err pubkey_decode(struct bytes in, struct pubkey *ret_key);

/** pubkey_write - the protobuf of @key, at most PUBKEY_BYTES_MAX bytes. */
void pubkey_write(struct wr *w, const struct pubkey *key);

/** pubkey_len - bytes that pubkey_write() writes. */
size_t pubkey_len(const struct pubkey *key);

/**
 * pubkey_verify - whether @sig is the signature of @msg by @key.
 * @sig: from outside; any length.
 *
 * Return: OK; E_MISMATCH for a wrong signature; E_MALFORMED for a key that is
 * none; E_LIMIT, E_UNSUPPORTED for a key of a size or curve that we refuse.
 */
MUST_USE enum err pubkey_verify(const struct pubkey *key, struct bytes msg,
                                struct bytes sig);

/**
 * struct privkey - our Ed25519 key pair.
 *
 * Owned by one; privkey_release() wipes it.  A zeroed struct holds no key and
 * may be released.
 */
struct privkey {
    struct secret secret; /* ED25519_SECRET_BYTES: seed, then public key */
};

/** privkey_init_seed - the key pair of @seed, which are 32 random bytes. */
void privkey_init_seed(struct privkey *k,
                       const uint8_t seed[static ED25519_SEED_BYTES]);

/** privkey_release - wipe and free. */
void privkey_release(struct privkey *k);

/** privkey_public - the public half, valid until the release of @k. */
struct pubkey privkey_public(const struct privkey *k);

/** privkey_peer_id - id of the peer that holds @k. */
struct peer_id privkey_peer_id(const struct privkey *k);

/** privkey_sign - signature of @msg. */
void privkey_sign(const struct privkey *k, struct bytes msg,
                  uint8_t ret_sig[static ED25519_SIG_BYTES]);

/**
 * privkey_decode - private key from its protobuf, which fills @in exactly.
 * @in: 64 bytes of key, or the old 96 with the public key twice.
 * @ret_key: released by the caller.
 *
 * Return: OK; E_SHORT; E_MALFORMED; E_UNSUPPORTED for a type other than
 * Ed25519; E_MISMATCH when the public key is not the seed's.
 */
MUST_USE enum err privkey_decode(struct bytes in, struct privkey *ret_key);

/** privkey_encode - the protobuf of @k; a secret. */
void privkey_encode(const struct privkey *k, uint8_t dst[static PRIVKEY_BYTES]);

/**
 * privkey_from_pem - private key from PKCS#8 PEM text.
 * @pem: untrusted text; what stands around the one PRIVATE KEY block is not
 * looked at.
 * @ret_key: released by the caller.
 *
 * Return: OK; E_SHORT when the block does not end; E_NOTFOUND without one;
 * E_MALFORMED; E_LIMIT over PRIVKEY_PEM_MAX; E_UNSUPPORTED for keys of
 * another algorithm; E_MISMATCH when a public key is there and not the seed's.
 *
 * Spec: RFC 7468, 10; RFC 8410, 7.
 */
MUST_USE enum err privkey_from_pem(struct bytes pem, struct privkey *ret_key);

/**
 * privkey_to_pem - PKCS#8 PEM text of @k; a secret.
 * @dst: gets a NUL at the end.
 *
 * Return: length without NUL.
 */
size_t privkey_to_pem(const struct privkey *k,
                      char dst[static PRIVKEY_PEM_BYTES]);

#endif /* MULTIFORMATS_KEY_H */
