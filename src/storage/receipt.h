#ifndef STORAGE_RECEIPT_H
#define STORAGE_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "crypto/ed25519.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"
#include "storage/record.h"

struct privkey;
struct wr;

/*
 * receipt - a holder's signed word that all blocks of an object are on its
 * disk, synced, by the record that the receipt names.
 *
 * Spec: docs/protocol/storage.md, "Receipt".
 */

enum {
    RECEIPT_VERSION = 1,
    RECEIPT_LIFE_MAX_S = 24 * 3600, /* until, after it was issued */
    RECEIPT_BYTES_MAX = 512,        /* encoded, with signature */
};

/** struct storage_receipt - a receipt's fields; owns nothing. */
struct storage_receipt {
    char network[OBJECT_NETWORK_MAX + 1]; /* as in the record */
    struct cid root;                      /* as in the record */
    uint8_t owner[OBJECT_OWNER_BYTES];    /* as in the record */
    uint8_t record_hash[OBJECT_HASH_BYTES];
    struct peer_id holder; /* holds its Ed25519 key inside */
    uint64_t stored_s;     /* unix seconds: all blocks synced since */
    uint64_t until_s;      /* unix seconds: the word counts until */
    uint64_t seq;          /* unix ms when issued, or last + 1; 1 or more */
    uint8_t sig[ED25519_SIG_BYTES];
};

/**
 * struct checked_receipt - receipt whose signature is its holder's.
 *
 * Made by receipt_sign() and receipt_open() only.  A plain value.
 */
struct checked_receipt {
    struct storage_receipt receipt;
};

/**
 * receipt_sign - sign a receipt.
 * @receipt: all fields but holder and sig, which are set from @key.
 *
 * Return: OK; E_LIMIT for a number over its limit, or until_s more than
 * RECEIPT_LIFE_MAX_S after seq; E_MALFORMED for what no receipt may say;
 * E_UNSUPPORTED for a root that no object may have.
 */
MUST_USE enum err receipt_sign(const struct storage_receipt *receipt,
                               const struct privkey *key,
                               struct checked_receipt *ret_receipt);

/**
 * receipt_open - receipt from its encoding, with its signature verified.
 * @in: from outside, all of it.
 *
 * Return: OK; the failures of receipt_decode(); E_MISMATCH when the signature
 * is not the holder's.
 */
MUST_USE enum err receipt_open(struct bytes in,
                               struct checked_receipt *ret_receipt);

/** receipt_write - the encoding, at most RECEIPT_BYTES_MAX bytes. */
void receipt_write(struct wr *w, const struct checked_receipt *receipt);

/**
 * receipt_check - whether a receipt counts here and now.
 * @network: the name of our network.
 * @now_ms: unix milliseconds.
 *
 * Return: the first of OTHER_NETWORK, EXPIRED, FROM_FUTURE that is true; else
 * FINE.
 */
enum object_fault receipt_check(const struct checked_receipt *receipt,
                                const char *network, uint64_t now_ms);

/**
 * receipt_is_for - whether @receipt is for this record of this object: the
 * same network, root, owner and record hash.
 */
bool receipt_is_for(const struct checked_receipt *receipt,
                    const struct checked_object *object);

/**
 * receipt_replaces - whether @newer takes the place of @older: same holder,
 * same object, higher seq; with the same seq the greater signature counts.
 */
bool receipt_replaces(const struct checked_receipt *newer,
                      const struct checked_receipt *older);

/**
 * receipt_decode - fields of a receipt, its signature not verified.
 * @in: from outside, all of it.
 *
 * Return: OK; E_SHORT; E_MALFORMED for what is no receipt, or not in its one
 * encoding; E_LIMIT, E_MALFORMED, E_UNSUPPORTED as receipt_sign() says, and
 * E_UNSUPPORTED for another version or a holder without an Ed25519 key.
 */
MUST_USE enum err receipt_decode(struct bytes in,
                                 struct storage_receipt *ret_receipt);

/** receipt_encode - encoding of the fields of @receipt, sig included. */
void receipt_encode(struct wr *w, const struct storage_receipt *receipt);

#endif /* STORAGE_RECEIPT_H */
