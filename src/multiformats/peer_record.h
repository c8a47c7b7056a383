#ifndef MULTIFORMATS_PEER_RECORD_H
#define MULTIFORMATS_PEER_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct privkey;
struct wr;

enum {
    PEER_RECORD_ADDRS_MAX = 32,    /* usable addresses that are kept */
    PEER_RECORD_ENTRIES_MAX = 128, /* entries that are looked at */
    PEER_RECORD_BYTES_MAX = 16 * 1024,
};

/**
 * struct peer_record - what a peer says about where it can be reached.
 *
 * About 8 KiB: not for the stack of a deep call.
 */
struct peer_record {
    struct peer_id id;
    uint64_t seq; /* grows with every record of this peer */
    size_t addr_count;
    struct multiaddr addrs[PEER_RECORD_ADDRS_MAX];
};

/**
 * peer_record_encode - the protobuf of @record.
 *
 * Spec: libp2p/specs RFC/0003-routing-records.md.
 */
void peer_record_encode(const struct peer_record *record, struct wr *w);

/**
 * peer_record_decode - record from its protobuf, which fills @in exactly.
 *
 * Addresses that are empty, of unknown protocols or malformed are left out,
 * and those past PEER_RECORD_ADDRS_MAX; the others are kept.
 *
 * Return: OK; E_SHORT, E_MALFORMED, also without an id; E_LIMIT for more than
 * PEER_RECORD_BYTES_MAX or PEER_RECORD_ENTRIES_MAX; E_UNSUPPORTED for an id
 * that is none of a peer.
 */
MUST_USE enum err peer_record_decode(struct bytes in,
                                     struct peer_record *ret_record);

/** peer_record_seal - @record in an envelope signed by @key. */
void peer_record_seal(const struct privkey *key,
                      const struct peer_record *record, struct wr *w);

/**
 * peer_record_open - record from an envelope.
 * @in: from outside.
 *
 * Return: OK; the failures of envelope_open() and peer_record_decode();
 * E_MISMATCH also when the record is about another peer than its signer.
 */
MUST_USE enum err peer_record_open(struct bytes in,
                                   struct peer_record *ret_record);

#endif /* MULTIFORMATS_PEER_RECORD_H */
