#ifndef MULTIFORMATS_PEER_ID_H
#define MULTIFORMATS_PEER_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct cid;
struct pubkey;

enum {
    PEER_ID_BYTES_MAX = 64,
    PEER_ID_TEXT_MAX = 112,      /* room for any text and its NUL */
    PEER_ID_SHORT_MAX = 16,      /* room for peer_id_short() and its NUL */
    PEER_ID_INLINE_KEY_MAX = 42, /* longer keys are hashed into the id */
};

/**
 * struct peer_id - name of a peer: the multihash of its public key.
 *
 * A plain value: copy it by assignment, compare it with peer_id_eq().  A
 * zeroed struct is no peer.
 *
 * Spec: libp2p/specs peer-ids.md, "Peer Ids".
 */
struct peer_id {
    uint8_t len;
    uint8_t bytes[PEER_ID_BYTES_MAX]; /* bytes past len are zero */
};

/**
 * peer_id_decode - peer id that fills @in exactly.
 *
 * Return: OK; E_SHORT, E_MALFORMED; E_LIMIT over PEER_ID_BYTES_MAX;
 * E_UNSUPPORTED unless it is identity or 32 bytes of sha2-256.
 */
MUST_USE enum err peer_id_decode(struct bytes in, struct peer_id *ret_id);

/** peer_id_bytes - binary form, valid while @id is. */
struct bytes peer_id_bytes(const struct peer_id *id);

/**
 * peer_id_of_key - id of the peer that holds the key @encoded.
 * @encoded: the key's protobuf, as pubkey_encode() writes it.
 */
struct peer_id peer_id_of_key(struct bytes encoded);

/** peer_id_of_pubkey - id of the peer that holds @key. */
struct peer_id peer_id_of_pubkey(const struct pubkey *key);

/**
 * peer_id_key - the public key that @id carries inside.
 * @ret_key: its data is a view into @id.
 *
 * Return: OK; E_NOTFOUND when @id is a hash; E_MALFORMED, E_SHORT,
 * E_UNSUPPORTED when what it carries is no key.
 */
MUST_USE enum err peer_id_key(const struct peer_id *id, struct pubkey *ret_key);

/**
 * peer_id_parse - peer id from its text.
 * @text: base58 ("Qm...", "1...") or a CID with codec libp2p-key, in any base.
 *
 * Return: OK; E_SHORT; E_MALFORMED; E_LIMIT for text or id too long;
 * E_UNSUPPORTED for a CID of another codec or an unknown base.
 *
 * Spec: libp2p/specs peer-ids.md, "String representation".
 */
MUST_USE enum err peer_id_parse(struct bytes text, struct peer_id *ret_id);

/**
 * peer_id_format - base58 text of @id, as peers print it.
 * @dst: room for PEER_ID_TEXT_MAX; gets a NUL at the end.
 *
 * Return: length without NUL; cannot fail.
 */
size_t peer_id_format(const struct peer_id *id,
                      char dst[static PEER_ID_TEXT_MAX]);

/** peer_id_short - the last 6 characters of the text, for logs, and a NUL. */
void peer_id_short(const struct peer_id *id,
                   char dst[static PEER_ID_SHORT_MAX]);

/** peer_id_to_cid - CID with codec libp2p-key, as names in IPNS are written. */
struct cid peer_id_to_cid(const struct peer_id *id);

/**
 * peer_id_from_cid - peer id that @cid holds.
 *
 * Return: OK; E_UNSUPPORTED unless the codec is libp2p-key and the hash one
 * of a peer id; E_LIMIT when it is too long.
 */
MUST_USE enum err peer_id_from_cid(const struct cid *cid,
                                   struct peer_id *ret_id);

/** peer_id_eq - true when @a and @b are the same peer. */
bool peer_id_eq(const struct peer_id *a, const struct peer_id *b);

/** peer_id_cmp - order of the bytes; below, at or above 0. */
int peer_id_cmp(const struct peer_id *a, const struct peer_id *b);

#endif /* MULTIFORMATS_PEER_ID_H */
