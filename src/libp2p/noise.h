#ifndef LIBP2P_NOISE_H
#define LIBP2P_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/x25519.h"
#include "multiformats/peer_id.h"

struct privkey;
struct wr;

/*
 * noise - the secure channel: Noise_XX_25519_ChaChaPoly_SHA256, with the
 * identity of each end in the payload of its message.
 *
 * Spec: libp2p/specs noise/README.md; Noise Protocol Framework revision 34.
 */

enum {
    NOISE_KEY_BYTES = 32,
    NOISE_HASH_BYTES = 32,
    NOISE_LEN_BYTES = 2,                     /* before each message */
    NOISE_MESSAGE_MAX = 65535,               /* with tag */
    NOISE_FRAME_MAX = NOISE_MESSAGE_MAX + 2, /* with length */
    NOISE_PLAIN_MAX = NOISE_MESSAGE_MAX - AEAD_TAG_BYTES,
    NOISE_PAYLOAD_MAX = 8192, /* of a handshake message */
    NOISE_MUXERS_MAX = 100,   /* a longer list counts as none */
};

/** struct noise_keypair - X25519 key pair; secret half wiped by its owner. */
struct noise_keypair {
    uint8_t secret[X25519_BYTES];
    uint8_t public_key[X25519_BYTES];
};

/** noise_keypair_init - key pair of @secret, 32 random bytes. */
void noise_keypair_init(struct noise_keypair *k,
                        const uint8_t secret[static X25519_BYTES]);

/**
 * struct noise_hs - one end of a handshake.  noise_hs_release() wipes it.
 *
 * Messages 1, 2, 3 pass in turn: the initiator writes, reads, writes; the
 * responder reads, writes, reads.  After a failure it is only released.
 */
struct noise_hs {
    bool initiator;
    bool keyed;       /* @key is set */
    uint8_t messages; /* passed so far, 0 to 3 */
    uint64_t nonce;
    const struct noise_keypair *s; /* our static keys; borrowed */
    struct noise_keypair e;        /* our ephemeral keys */
    uint8_t remote_e[X25519_BYTES];
    uint8_t remote_s[X25519_BYTES]; /* read-only for others */
    uint8_t hash[NOISE_HASH_BYTES]; /* read-only for others */
    uint8_t chaining_key[NOISE_KEY_BYTES];
    uint8_t key[NOISE_KEY_BYTES];
};

/**
 * noise_hs_init - ready for message 1.
 * @s: our static keys, which outlive @hs.
 * @ephemeral: 32 random bytes, never used twice; copied.
 */
void noise_hs_init(struct noise_hs *hs, bool initiator,
                   const struct noise_keypair *s,
                   const uint8_t ephemeral[static X25519_BYTES]);

/** noise_hs_release - wipe all keys. */
void noise_hs_release(struct noise_hs *hs);

/** noise_hs_turn - true when the next message is ours to write. */
bool noise_hs_turn(const struct noise_hs *hs);

/** noise_hs_done - true when all three messages have passed. */
bool noise_hs_done(const struct noise_hs *hs);

/**
 * noise_hs_write - our next message, with its length before it.
 * @payload: at most NOISE_PAYLOAD_MAX (asserted); empty in message 1.
 * @w: gets at most @payload.len + 98 bytes.
 *
 * Return: OK; E_MALFORMED when the other end's key is of small order.
 */
MUST_USE enum err noise_hs_write(struct noise_hs *hs, struct bytes payload,
                                 struct wr *w);

/**
 * noise_hs_read - the other end's next message.
 * @message: without its length; from outside; decrypted in place.
 * @ret_payload: view into @message.
 *
 * Return: OK; E_SHORT; E_LIMIT for a payload over NOISE_PAYLOAD_MAX;
 * E_MISMATCH when it was not made for this handshake; E_MALFORMED for a key
 * of small order.
 */
MUST_USE enum err noise_hs_read(struct noise_hs *hs, uint8_t *message,
                                size_t len, struct bytes *ret_payload);

/**
 * struct noise_cipher - one direction of the channel.
 *
 * noise_cipher_release() wipes it.  A zeroed struct may be released.
 */
struct noise_cipher {
    struct aead aead;
    uint64_t nonce; /* of the next message */
};

/** noise_hs_split - the two directions, after noise_hs_done() (asserted). */
void noise_hs_split(const struct noise_hs *hs, struct noise_cipher *ret_send,
                    struct noise_cipher *ret_recv);

/** noise_cipher_release - wipe and free. */
void noise_cipher_release(struct noise_cipher *c);

/**
 * noise_seal - one transport message, with its length before it.
 * @pieces: @count views, together 1 to NOISE_PLAIN_MAX bytes (asserted).
 * @dst: room for their sum + NOISE_LEN_BYTES + AEAD_TAG_BYTES; no overlap.
 *
 * Return: bytes written to @dst.
 */
size_t noise_seal(struct noise_cipher *c, const struct bytes *pieces,
                  size_t count, uint8_t *dst);

/**
 * noise_open - decrypt one transport message in place.
 * @message: @len bytes without the length, from outside.
 * @ret_len: bytes of plaintext now at @message; may be 0.
 *
 * Return: OK; E_SHORT; E_MISMATCH; E_LIMIT after 2^64 - 1 messages.
 */
MUST_USE enum err noise_open(struct noise_cipher *c, uint8_t *message,
                             size_t len, size_t *ret_len);

/** struct noise_identity - what a handshake payload proved and offered. */
struct noise_identity {
    struct peer_id peer;
    bool yamux;     /* lists /yamux/1.0.0 */
    bool any_muxer; /* lists muxers at all */
};

/**
 * noise_payload_write - our handshake payload: identity key, its signature over
 * our static Noise key, and the muxer /yamux/1.0.0.
 */
void noise_payload_write(const struct privkey *identity,
                         const struct noise_keypair *s, struct wr *w);

/**
 * noise_payload_read - check the other end's payload.
 * @payload: from noise_hs_read().
 * @remote_s: the static key that came in the same handshake.
 *
 * Return: OK; E_SHORT, E_MALFORMED, E_LIMIT; E_UNSUPPORTED for a kind of key
 * that we cannot check; E_MISMATCH when the signature is wrong.
 */
MUST_USE enum err
noise_payload_read(struct bytes payload,
                   const uint8_t remote_s[static X25519_BYTES],
                   struct noise_identity *ret_identity);

#endif /* LIBP2P_NOISE_H */
