#ifndef STORAGE_RECORD_H
#define STORAGE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "crypto/ed25519.h"
#include "multiformats/cid.h"

struct privkey;
struct wr;

/*
 * record - the contract for one object: what its owner wants kept, signed.
 *
 * An object is known by its root and its owner.  Of two records of one object
 * the one with the higher seq counts.  A record that asks for 0 copies
 * releases the object.  There is exactly one encoding of each record, and its
 * hash is what receipts name.
 *
 * Spec: docs/protocol/storage.md, "Object record".
 */

enum {
    OBJECT_VERSION = 1,
    OBJECT_NETWORK_MAX = 32, /* bytes of a network's name, 1 at least */
    OBJECT_NAME_MAX = 255,   /* bytes of an object's name */
    OBJECT_OWNER_BYTES = ED25519_PUBLIC_BYTES,
    OBJECT_HASH_BYTES = 32,
    OBJECT_COPIES_MAX = 7,
    OBJECT_DATA_MAX = 64,   /* k of an erasure code */
    OBJECT_PARITY_MAX = 32, /* m of an erasure code */
    OBJECT_RELEASE_DELAY_MAX_S = 7 * 24 * 3600,
    OBJECT_LIFE_MAX_S = 366 * 24 * 3600, /* from created to expires */
    OBJECT_SKEW_MAX_S = 600,             /* clocks differ by at most this */
    OBJECT_RECORD_BYTES_MAX = 1024,      /* encoded, with signature */
};

/** OBJECT_SIZE_BYTES_MAX - largest object: 1 PiB. */
#define OBJECT_SIZE_BYTES_MAX (UINT64_C(1) << 50)

/** OBJECT_BLOCKS_MAX - most blocks of an object. */
#define OBJECT_BLOCKS_MAX (UINT64_C(1) << 40)

/** OBJECT_TIME_MAX_S - latest time that can be written, unix seconds. */
#define OBJECT_TIME_MAX_S (UINT64_C(1) << 40)

/** OBJECT_SEQ_MAX - highest seq, of receipts too; exact as a JSON number. */
#define OBJECT_SEQ_MAX ((UINT64_C(1) << 53) - 1)

/** struct object_policy - copies, or with k > 0 pieces of an erasure code. */
struct object_policy {
    uint8_t copies; /* 0 to OBJECT_COPIES_MAX; 0: release; 0 if k > 0 */
    uint8_t k;      /* data pieces, 1 to OBJECT_DATA_MAX; 0: copies */
    uint8_t m;      /* parity pieces, 1 to OBJECT_PARITY_MAX; 0: copies */
    uint32_t release_delay_s; /* at most OBJECT_RELEASE_DELAY_MAX_S */
};

/** struct object_record - a record's fields; about 650 bytes, owns nothing. */
struct object_record {
    char network[OBJECT_NETWORK_MAX + 1]; /* a-z 0-9 and inner hyphens; NUL */
    struct cid root;     /* version 1, sha2-256 or another allowed hash */
    uint64_t size_bytes; /* of all distinct blocks */
    uint64_t blocks;     /* distinct ones, without identity CIDs; 1 or more */
    struct object_policy policy;
    uint8_t owner[OBJECT_OWNER_BYTES]; /* Ed25519 public key */
    uint8_t name_len;                  /* 0: no name */
    uint8_t name[OBJECT_NAME_MAX];     /* UTF-8, or encrypted; bytes past
                                          name_len are zero */
    uint64_t created_s;                /* unix seconds */
    uint64_t expires_s;                /* unix seconds, after created_s */
    uint64_t seq;                      /* unix ms, or last + 1; 1 or more */
    uint8_t sig[ED25519_SIG_BYTES];
};

/**
 * struct checked_object - record whose signature is its owner's.
 *
 * Made by object_sign() and object_open() only.  A plain value.
 */
struct checked_object {
    struct object_record record;
    uint8_t hash[OBJECT_HASH_BYTES]; /* sha2-256 of the encoding */
};

/** enum object_fault - why a well-signed record or receipt is not taken. */
enum object_fault {
    OBJECT_FINE,
    OBJECT_OTHER_NETWORK, /* it was made for another network */
    OBJECT_FROM_FUTURE,   /* created, stored or seq lies ahead of the clock */
    OBJECT_EXPIRED,       /* expires or until has passed */
    OBJECT_ERASURE,       /* a policy of {k, m}, which we do not speak yet */
};

/** object_fault_name - constant lower-case text of @fault, for logs. */
const char *object_fault_name(enum object_fault fault);

/**
 * object_sign - sign a record.
 * @record: all fields but owner and sig, which are set from @key.
 * @ret_object: the signed record.
 *
 * Return: OK; E_LIMIT for a number, name or life over its limit; E_MALFORMED
 * for what no record may say, such as a root of version 0, no network, more
 * bytes than so many blocks can hold; E_UNSUPPORTED for a root whose hash may
 * not name content or that holds its block itself.
 */
MUST_USE enum err object_sign(const struct object_record *record,
                              const struct privkey *key,
                              struct checked_object *ret_object);

/**
 * object_open - record from its encoding, with its signature verified.
 * @in: from outside, all of it.
 *
 * Return: OK; the failures of object_record_decode(); E_MISMATCH when the
 * signature is not the owner's.
 */
MUST_USE enum err object_open(struct bytes in,
                              struct checked_object *ret_object);

/** object_write - the encoding, at most OBJECT_RECORD_BYTES_MAX bytes. */
void object_write(struct wr *w, const struct checked_object *object);

/**
 * object_check - whether a record counts here and now.
 * @network: the name of our network.
 * @now_ms: unix milliseconds.
 *
 * A release is checked like any other record.
 *
 * Return: the first of OTHER_NETWORK, EXPIRED, FROM_FUTURE, ERASURE that is
 * true; else FINE.
 */
enum object_fault object_check(const struct checked_object *object,
                               const char *network, uint64_t now_ms);

/**
 * object_supersedes - whether @newer takes the place of @older.
 *
 * False for records of different objects, for the same record and for an
 * older one that is replayed.  Where the seq is the same the record with the
 * greater hash counts, so that all nodes end with the same one.
 */
bool object_supersedes(const struct checked_object *newer,
                       const struct checked_object *older);

/** object_is_release - whether @record asks for no copies at all. */
bool object_is_release(const struct object_record *record);

/**
 * object_id_hash - short name of the object (@root, @owner), for tables.
 * @root: a version 0 gives the same hash as its version 1.
 */
void object_id_hash(const struct cid *root,
                    const uint8_t owner[static OBJECT_OWNER_BYTES],
                    uint8_t ret_hash[static OBJECT_HASH_BYTES]);

/**
 * owner_index_multihash - key in the DHT under which holders of this owner's
 * objects are found, as providers.
 *
 * Spec: docs/protocol/storage.md, "Recovery".
 */
struct multihash
owner_index_multihash(const uint8_t owner[static OBJECT_OWNER_BYTES]);

/**
 * object_record_decode - fields of a record, its signature not verified.
 * @in: from outside, all of it.
 *
 * Return: OK; E_SHORT; E_MALFORMED for what is no record, or not in its one
 * encoding; E_LIMIT, E_MALFORMED, E_UNSUPPORTED as object_sign() says, and
 * E_UNSUPPORTED for another version.
 */
MUST_USE enum err object_record_decode(struct bytes in,
                                       struct object_record *ret_record);

/** object_record_encode - encoding of the fields of @record, sig included. */
void object_record_encode(struct wr *w, const struct object_record *record);

/*
 * For receipts and messages, which hold the same values.
 */

/** object_network_ok - whether @name may name a network. */
bool object_network_ok(struct bytes name);

/** object_root_check - whether @root may be the root of an object.
 *
 * Return: OK; E_MALFORMED for a version 0; E_UNSUPPORTED for a hash that may
 * not name content, and for an identity CID.
 */
MUST_USE enum err object_root_check(const struct cid *root);

#endif /* STORAGE_RECORD_H */
