#ifndef MULTIFORMATS_CID_H
#define MULTIFORMATS_CID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"
#include "multiformats/multibase.h"
#include "multiformats/multicodec.h"
#include "multiformats/multihash.h"

struct wr;

enum {
    CID_BYTES_MAX = 1 + 9 + MULTIHASH_BYTES_MAX, /* longest binary CID */
    CID_PARSE_MAX = 256, /* longest text that cid_parse() looks at */
    CID_TEXT_MAX = 176,  /* room for any cid_format() and its NUL */
    CID_LABEL_MAX = 63,  /* longest label of a host name */
};

/**
 * struct cid - content identifier: names a block by the hash of its bytes.
 *
 * A plain value: copy it by assignment, compare it with cid_eq().
 *
 * Spec: multiformats/cid README.md, "How does it work?".
 */
struct cid {
    struct multihash hash;
    uint64_t codec;  /* multicodec of the block's format, e.g. 0x55 raw */
    uint8_t version; /* 0 or 1; 0 implies dag-pb and 32 bytes of sha2-256 */
};

/**
 * cid_read - next CID of @r, as in a section of a CAR file.
 * @ret_cid: always written; of use only if @r has not failed.
 *
 * Checks the form only.  Whether a block has this CID is cid_verify()'s
 * question, and whether we can compute the hash is not asked here, so that a
 * CID with an unknown hash can still be carried and printed.
 *
 * Fails with E_SHORT; E_MALFORMED; E_LIMIT for a digest over
 * MULTIHASH_DIGEST_MAX; E_UNSUPPORTED for a version other than 0 and 1.
 *
 * Spec: multiformats/cid README.md, "Decoding Algorithm", step 2.
 */
void cid_read(struct rd *r, struct cid *ret_cid);

/**
 * cid_decode - parse a binary CID that fills @in exactly.
 * @in: untrusted bytes; borrowed for this call only.
 *
 * Return: OK; the failures of cid_read(); E_MALFORMED for bytes left.
 */
MUST_USE enum err cid_decode(struct bytes in, struct cid *ret_cid);

/** cid_write - the binary form of @cid, at most CID_BYTES_MAX bytes. */
void cid_write(struct wr *w, const struct cid *cid);

/**
 * cid_encode - the binary form of @cid at @dst.
 *
 * Return: the number of bytes written; cannot fail.
 */
size_t cid_encode(const struct cid *cid, uint8_t dst[static CID_BYTES_MAX]);

/** cid_len - bytes of the binary form of @cid. */
size_t cid_len(const struct cid *cid);

/**
 * cid_parse - CID from its text.
 * @text: from outside; no path, no white space.
 *
 * 46 characters that begin with "Qm" are base58 of a version 0; any other text
 * begins with a multibase prefix.  A version 0 behind a prefix is accepted.
 *
 * Return: OK; E_SHORT for fewer than 2 characters; E_LIMIT for more than
 * CID_PARSE_MAX or a digest that is too long; E_UNSUPPORTED for an unknown
 * base or version; E_MALFORMED otherwise.
 *
 * Spec: multiformats/cid README.md, "Decoding Algorithm", step 1.
 */
MUST_USE enum err cid_parse(struct bytes text, struct cid *ret_cid);

/**
 * cid_format - text of @cid in its usual base.
 * @dst: room for CID_TEXT_MAX; gets a NUL at the end.
 *
 * Version 0: bare base58; codec libp2p-key: base36; else base32.
 *
 * Return: length without NUL; cannot fail.
 */
size_t cid_format(const struct cid *cid, char dst[static CID_TEXT_MAX]);

/**
 * cid_format_base - text of @cid in @base.
 * @dst: room for CID_TEXT_MAX; gets a NUL at the end.
 *
 * Return: length without NUL; cannot fail.  A version 0 is always written in
 * bare base58: it has no other text.
 */
size_t cid_format_base(const struct cid *cid, enum multibase base,
                       char dst[static CID_TEXT_MAX]);

/**
 * cid_format_label - text of @cid as one label of a host name.
 * @dst: room for CID_TEXT_MAX; gets a NUL at the end.
 * @ret_len: length without NUL, at most CID_LABEL_MAX.
 *
 * As version 1, in lower-case base32, or base36 where that is too long or the
 * codec is libp2p-key.
 *
 * Return: OK; E_LIMIT when the label would be over CID_LABEL_MAX.
 */
MUST_USE enum err cid_format_label(const struct cid *cid,
                                   char dst[static CID_TEXT_MAX],
                                   size_t *ret_len);

/** cid_eq - true when @a and @b name the same block in the same way. */
bool cid_eq(const struct cid *a, const struct cid *b);

/** cid_cmp - order by version, codec, hash; below, at or above 0. */
int cid_cmp(const struct cid *a, const struct cid *b);

/**
 * cid_key - the multihash of @cid in binary: what the block is stored under.
 *
 * CIDs that differ in version or codec only have the same key.
 *
 * Return: the number of bytes written; cannot fail.
 */
size_t cid_key(const struct cid *cid, uint8_t dst[static MULTIHASH_BYTES_MAX]);

/** cid_to_v1 - @cid as version 1: the same codec and hash. */
struct cid cid_to_v1(const struct cid *cid);

/**
 * cid_to_v0 - @cid as version 0.
 *
 * Return: OK; E_UNSUPPORTED unless codec is dag-pb and the hash is 32 bytes
 * of sha2-256.
 */
MUST_USE enum err cid_to_v0(const struct cid *cid, struct cid *ret_cid);

/** cid_of - version 1 CID of the block @in by sha2-256. */
struct cid cid_of(uint64_t codec, struct bytes in);

/** cid_v0_of - version 0 CID of the dag-pb block @in. */
struct cid cid_v0_of(struct bytes in);

/** cid_from_digest - version 1 CID of a block whose sha2-256 is known. */
struct cid cid_from_digest(uint64_t codec, const uint8_t digest[static 32]);

/** cid_from_hash - version 1 CID of @codec and @hash. */
struct cid cid_from_hash(uint64_t codec, const struct multihash *hash);

/** cid_identity - version 1 CID that holds @in itself; E_LIMIT over 64. */
MUST_USE enum err cid_identity(uint64_t codec, struct bytes in,
                               struct cid *ret_cid);

/** cid_is_identity - true when the digest of @cid is the block itself. */
bool cid_is_identity(const struct cid *cid);

/**
 * cid_is_allowed - whether blocks may be named by @cid.
 *
 * See multihash_is_allowed().
 */
bool cid_is_allowed(const struct cid *cid);

/**
 * cid_verify - whether the block @in is the one that @cid names.
 *
 * Return: OK; E_MISMATCH; E_UNSUPPORTED for a hash that is not allowed or that
 * we cannot compute.
 */
MUST_USE enum err cid_verify(const struct cid *cid, struct bytes in);

#endif /* MULTIFORMATS_CID_H */
