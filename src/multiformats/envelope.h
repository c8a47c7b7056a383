#ifndef MULTIFORMATS_ENVELOPE_H
#define MULTIFORMATS_ENVELOPE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/peer_id.h"

struct privkey;
struct wr;

enum {
    ENVELOPE_DOMAIN_MAX = 64,
    ENVELOPE_TYPE_MAX = 64,
    ENVELOPE_PAYLOAD_MAX = 16 * 1024,
    ENVELOPE_SIG_MAX = 1024, /* RSA of 8192 bits */
    ENVELOPE_BYTES_MAX = 20 * 1024,
};

/**
 * struct envelope_use - what a signed envelope is for.
 *
 * Signatures made for one use are worth nothing in another.
 */
struct envelope_use {
    struct bytes domain; /* at most ENVELOPE_DOMAIN_MAX */
    struct bytes type;   /* payload type, at most ENVELOPE_TYPE_MAX */
};

/** envelope_use_peer_record - the use of peer records. */
struct envelope_use envelope_use_peer_record(void);

/** envelope_use_relay_rsvp - the use of a relay's vouchers. */
struct envelope_use envelope_use_relay_rsvp(void);

/**
 * struct envelope - what was found in an envelope whose signature is good.
 */
struct envelope {
    struct peer_id signer;
    struct bytes payload; /* view into the input of envelope_open() */
};

/**
 * envelope_seal - write @payload signed by @key.
 * @payload: at most ENVELOPE_PAYLOAD_MAX (asserted).
 *
 * Spec: libp2p/specs RFC/0002-signed-envelopes.md.
 */
void envelope_seal(const struct privkey *key, struct envelope_use use,
                   struct bytes payload, struct wr *w);

/**
 * envelope_open - check an envelope.
 * @in: from outside; @ret_envelope points into it.
 * @use: what the reader expects it to be for.
 *
 * Return: OK; E_MISMATCH for a wrong signature or payload type; E_SHORT,
 * E_MALFORMED; E_LIMIT; E_UNSUPPORTED for a kind of key we cannot check.
 */
MUST_USE enum err envelope_open(struct bytes in, struct envelope_use use,
                                struct envelope *ret_envelope);

#endif /* MULTIFORMATS_ENVELOPE_H */
