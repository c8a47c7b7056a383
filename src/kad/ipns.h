#ifndef KAD_IPNS_H
#define KAD_IPNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "kad/rfc3339.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"

struct privkey;
struct wr;

/*
 * ipns - signed records that let the name of a key stand for a path.
 *
 * Records carry their fields twice: signed as dag-cbor (V2, what counts), and
 * as protobuf for old readers (V1, which must agree when it is there).
 *
 * Spec: ipfs/specs src/ipns/ipns-record.md.
 */

enum {
    IPNS_RECORD_MAX = 10 * 1024, /* bytes of a record */
    IPNS_VALUE_MAX = 4096,       /* bytes of a value that we publish */
    IPNS_EXTRA_MAX = 64,         /* pairs of the signed map */
    IPNS_NAME_TEXT_MAX = CID_TEXT_MAX,
    IPNS_TTL_DEFAULT_MS = 5 * 60 * 1000,
    IPNS_LIFE_MS = 48 * 60 * 60 * 1000,     /* of a record that we publish */
    IPNS_REPUBLISH_MS = 4 * 60 * 60 * 1000, /* how often we do */
};

/**
 * struct ipns_record - a record taken apart; views into what it was decoded
 * from.  Only ipns_validate() tells whether it may be believed.
 */
struct ipns_record {
    struct bytes raw;   /* all of it */
    struct bytes value; /* usually a path, "/ipfs/..." */
    struct unix_time eol;
    uint64_t sequence;
    uint64_t ttl_ns;
    bool has_ttl;
    bool v1_agrees;      /* false: V1 fields are there and say otherwise */
    struct bytes pubkey; /* empty when it is inside of the name */
    struct bytes signature;
    struct bytes data; /* what @signature signs */
};

/**
 * ipns_decode - take a record apart.
 * @in: untrusted; borrowed.
 *
 * Return: OK; E_LIMIT over IPNS_RECORD_MAX; E_SHORT, E_MALFORMED; E_UNSUPPORTED
 * for a record without V2 and for a validity other than EOL.
 */
MUST_USE enum err ipns_decode(struct bytes in, struct ipns_record *ret_record);

/**
 * ipns_validate - whether @record speaks for @name now.
 * @unix_ms: wall-clock time.
 *
 * Return: OK; E_MISMATCH when the signature is wrong, when the key is not that
 * of the name, or when V1 and V2 differ; E_NOTFOUND when there is no key, in
 * the name or in the record; E_TIMEOUT when it has ended; E_SHORT, E_MALFORMED,
 * E_LIMIT, E_UNSUPPORTED for a key that is none or that we cannot use.
 *
 * Spec: ipfs/specs src/ipns/ipns-record.md, "Record Verification".  The
 * signature of V1 is not looked at.
 */
MUST_USE enum err ipns_validate(const struct ipns_record *record,
                                const struct peer_id *name, uint64_t unix_ms);

/**
 * ipns_cmp - which of two valid records of one name is better: by sequence,
 * then the later end, then the greater bytes.
 *
 * Return: above 0 when @a is better, below 0 when @b is, 0 for equal bytes.
 */
int ipns_cmp(const struct ipns_record *a, const struct ipns_record *b);

/**
 * ipns_cache_ms - how long a resolved @record may be kept, from @unix_ms: its
 * TTL, but not past its end.
 */
uint64_t ipns_cache_ms(const struct ipns_record *record, uint64_t unix_ms);

/** struct ipns_fields - what a new record is to say. */
struct ipns_fields {
    struct bytes value; /* at most IPNS_VALUE_MAX */
    uint64_t sequence;  /* greater than before when the value changes */
    struct unix_time eol;
    uint64_t ttl_ns; /* at most INT64_MAX */
};

/**
 * ipns_make - write a record, signed by @key, in both versions.
 * @w: at most IPNS_RECORD_MAX bytes are written.
 *
 * Return: OK; E_LIMIT when @fields' value or ttl is over its limit; the
 * failure of @w.
 */
MUST_USE enum err ipns_make(const struct privkey *key,
                            const struct ipns_fields *fields, struct wr *w);

/**
 * ipns_name_parse - name from its text, with or without "/ipns/" before it.
 * @text: from outside: any text of a peer id, such as "k51...".
 *
 * Return: OK; as peer_id_parse().
 */
MUST_USE enum err ipns_name_parse(struct bytes text, struct peer_id *ret_name);

/**
 * ipns_name_format - text of a name: base36 of a CID, "k51...".
 * @dst: gets a NUL at the end.
 *
 * Return: length without NUL.
 */
size_t ipns_name_format(const struct peer_id *name,
                        char dst[static IPNS_NAME_TEXT_MAX]);

#endif /* KAD_IPNS_H */
