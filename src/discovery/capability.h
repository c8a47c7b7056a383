#ifndef DISCOVERY_CAPABILITY_H
#define DISCOVERY_CAPABILITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct privkey;
struct wr;

/*
 * capability - what a peer says, signed, about where it can be reached and
 * what it offers to the network.
 *
 * The bytes are laid out in docs/protocol/peers.md.  What a record says is a
 * claim: the signature proves who makes it, nothing else.
 */

enum {
    CAPABILITY_BYTES_MAX = 2048, /* a record with its signature */
    CAPABILITY_NETWORK_MAX = 32, /* name of a network, bytes */
    CAPABILITY_ADDRS_MAX = 8,
    CAPABILITY_ADDR_BYTES_MAX = 128,
    CAPABILITY_OPERATOR_MAX = 64,
    CAPABILITY_COMPUTE_MAX = 256, /* encoded, as the next */
    CAPABILITY_PROFILE_MAX = 256,
    CAPABILITY_LIFE_S = 24 * 60 * 60,
    CAPABILITY_SKEW_S = 10 * 60, /* clocks may differ by so much */
};

/* Largest number of bytes that a record may offer. */
#define CAPABILITY_STORAGE_MAX (UINT64_C(1) << 62)

/** struct capability_blob - a value of dag-cbor that we only pass on. */
struct capability_blob {
    uint16_t len; /* 0: there is none */
    uint8_t bytes[CAPABILITY_COMPUTE_MAX];
};

/**
 * struct capability - the record, as a plain value; about 3 KiB.
 *
 * Made by capability_open() it was signed by the key of @peer.
 */
struct capability {
    char network[CAPABILITY_NETWORK_MAX + 1];
    struct peer_id peer;
    uint64_t seq;       /* unix ms of its making, or the last one's plus 1 */
    uint64_t expires_s; /* unix; at most CAPABILITY_LIFE_S after @seq */
    size_t addr_count;
    struct multiaddr addrs[CAPABILITY_ADDRS_MAX]; /* without /p2p at the end */
    uint8_t operator_len;                         /* 0: not told */
    uint8_t operator_id[CAPABILITY_OPERATOR_MAX]; /* who runs it; unproven */
    bool has_storage;
    uint64_t storage_offer; /* bytes for others, at most
                               CAPABILITY_STORAGE_MAX */
    uint64_t storage_free;  /* bytes of these not used yet, at most @offer */
    struct capability_blob compute;
    struct capability_blob profile; /* agent and hardware */
};

/** capability_operator - view of the operator id, empty when not told. */
struct bytes capability_operator(const struct capability *c);

/**
 * capability_seal - write @c signed by @key.
 * @c: of the peer that holds @key (asserted), within the limits (asserted):
 * addresses of at most CAPABILITY_ADDR_BYTES_MAX, blobs that are one value in
 * strict dag-cbor.
 * @w: CAPABILITY_BYTES_MAX are enough.
 */
void capability_seal(const struct privkey *key, const struct capability *c,
                     struct wr *w);

/**
 * capability_open - check a record and its signature.
 * @in: from outside.
 * @network: the network that we are in.
 * @unix_s: now.
 * @ret_c: addresses of protocols that we don't know are left out.
 *
 * Return: OK;
 * E_SHORT, E_MALFORMED; E_LIMIT over a limit of this header, or alive for
 * longer than CAPABILITY_LIFE_S; E_UNSUPPORTED for a version or kind of key
 * that we don't know; E_MISMATCH for a wrong signature or one of another peer;
 * E_REFUSED of another network;
 * E_TIMEOUT expired; E_AGAIN made later than CAPABILITY_SKEW_S from now: one of
 * both clocks is wrong, and nobody is at fault.
 *
 * Time, network and limits are looked at before the signature.
 */
MUST_USE enum err capability_open(struct bytes in, struct bytes network,
                                  uint64_t unix_s, struct capability *ret_c);

/**
 * capability_peek - what a record claims to be, its signature unchecked: to
 * pass over what is known already without the price of a check.
 *
 * Return: OK; E_SHORT, E_MALFORMED, E_LIMIT, E_UNSUPPORTED.
 */
MUST_USE enum err capability_peek(struct bytes in, struct peer_id *ret_peer,
                                  uint64_t *ret_seq);

#endif /* DISCOVERY_CAPABILITY_H */
