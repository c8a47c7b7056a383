#ifndef BITSWAP_MESSAGE_H
#define BITSWAP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"
#include "multiformats/cid.h"

/*
 * message - the protobuf messages of Bitswap 1.0.0 to 1.2.0.
 *
 * A message is checked as a whole before any of it is used; what comes out of
 * it afterwards are views into it, a block is never copied.  What goes out is
 * a gather list: small pieces that we wrote, between slices of blocks.
 *
 * Spec: ipfs/specs bitswap-protocol.md, "Wire Format".
 */

enum {
    BS_MESSAGE_BYTES_MAX = 4 * 1024 * 1024, /* without its length prefix */
    BS_ENTRIES_MAX = 32768,     /* wantlist entries of a message we take */
    BS_BLOCKS_MAX = 16384,      /* blocks of a message we take */
    BS_PRESENCES_MAX = 32768,   /* presences of a message we take */
    BS_WANT_CID_MAX = 168,      /* longer CIDs of a wantlist are skipped */
    BS_SEND_ENTRIES_MAX = 1024, /* wantlist entries of a message we send */
    BS_REPLY_ITEMS_MAX = 1024,  /* blocks and presences of one we send */
    BS_REPLY_PIECES_MAX = 64,   /* blocks of one that are not copied */
    BS_COPY_MAX = 4096,         /* blocks up to this are copied */
};

/** enum bs_version - protocol of a stream; the order is that of age. */
enum bs_version {
    BS_1_0_0, /* also "/ipfs/bitswap": blocks in field 2, no prefixes */
    BS_1_1_0, /* blocks with prefixes, no presences */
    BS_1_2_0,
};

/** bs_protocol_id - id by which @version is negotiated. */
const char *bs_protocol_id(enum bs_version version);

/** bs_version_of - version that @id negotiates; E_UNSUPPORTED for no such. */
MUST_USE enum err bs_version_of(struct bytes id, enum bs_version *ret_version);

/**
 * struct bs_prefix - a CID without its digest.
 *
 * Spec: bitswap-protocol.md, "Block.prefix": version, codec, hash function
 * and digest length.  A CIDv0 has version 0 here.
 */
struct bs_prefix {
    uint64_t version; /* 0 or 1 */
    uint64_t codec;
    uint64_t hash_code;
    uint8_t hash_len;
};

/** bs_prefix_of - prefix of @cid. */
struct bs_prefix bs_prefix_of(const struct cid *cid);

/** bs_prefix_eq - true when @a and @b are the same. */
bool bs_prefix_eq(const struct bs_prefix *a, const struct bs_prefix *b);

/**
 * bs_prefix_cid - CID of @prefix and @digest.
 * @digest: what the hash function made; more than the prefix asks is cut.
 *
 * Return: OK; E_MISMATCH when the digest is shorter than the prefix says.
 */
MUST_USE enum err bs_prefix_cid(const struct bs_prefix *prefix,
                                struct bytes digest, struct cid *ret_cid);

/** struct bs_entry - one entry of a wantlist. */
struct bs_entry {
    struct cid cid;
    int32_t priority;    /* higher first */
    bool cancel;         /* the others do not matter then */
    bool want_have;      /* else want-block */
    bool send_dont_have; /* answer if there is no such block */
};

enum bs_item_kind {
    BS_ITEM_ENTRY,     /* wantlist entry; also one that must be skipped */
    BS_ITEM_BLOCK,     /* a block; its hash is not checked */
    BS_ITEM_HAVE,      /* the sender has the block */
    BS_ITEM_DONT_HAVE, /* it does not */
};

/** struct bs_item - one thing that a message says. */
struct bs_item {
    enum bs_item_kind kind;
    struct bs_entry entry;   /* BS_ITEM_ENTRY */
    struct cid cid;          /* BS_ITEM_HAVE, BS_ITEM_DONT_HAVE */
    struct bs_prefix prefix; /* BS_ITEM_BLOCK */
    struct bytes data;       /* BS_ITEM_BLOCK: view into the message */
};

/** struct bs_message - a message that was found well formed. */
struct bs_message {
    struct bytes bytes; /* of the caller; items are views into it */
    bool full;          /* the wantlist replaces the one before */
    size_t entries_count;
    size_t blocks_count;
    size_t presences_count;
    uint64_t pending_bytes; /* what the sender says it has queued */
};

/**
 * bs_message_decode - check all of a message.
 * @in: the message without its length prefix; borrowed while @ret_message is
 *   in use.
 *
 * Return: OK; E_SHORT, E_MALFORMED also for a bad CID or prefix anywhere in
 * it; E_UNSUPPORTED for a block by a hash function that names no content;
 * E_LIMIT for a message, block or number of items over its limit.
 */
MUST_USE enum err bs_message_decode(struct bytes in,
                                    struct bs_message *ret_message);

/**
 * bs_message_data_at - where the bytes of the first block begin.
 * @head: the beginning of a message of which more is to come; not checked.
 *
 * Return: an offset within @head; 0 where it does not tell.  A hint: what the
 * message says is seen by bs_message_decode() only.
 */
size_t bs_message_data_at(struct bytes head);

/** struct bs_cursor - place in a message; all fields are private. */
struct bs_cursor {
    struct rd message;
    struct rd wantlist; /* of the field that is being read */
    bool full;
    uint64_t pending_bytes;
};

/** bs_cursor_init - cursor before the first item of @message. */
struct bs_cursor bs_cursor_init(const struct bs_message *message);

/**
 * bs_cursor_next - next item, in the order in which they lie there.
 * @ret_item: written when true is returned.
 *
 * Entries and presences whose CID is too long to be one of ours are left out.
 *
 * Return: false at the end.
 */
bool bs_cursor_next(struct bs_cursor *cursor, struct bs_item *ret_item);

/**
 * struct bs_frame - a message ready to be written, with its length prefix.
 *
 * Belongs to who got it; given back with bs_frame_free().
 */
struct bs_frame {
    size_t len;           /* of all parts, bytes */
    size_t parts_count;   /* at least 1 */
    struct slice parts[]; /* in order of the stream */
};

/** bs_frame_free - drop the parts and the frame; NULL does nothing. */
void bs_frame_free(struct bs_frame *frame);

/**
 * bs_wantlist_encode - message with a wantlist.
 * @entries: 0 to BS_SEND_ENTRIES_MAX (asserted); no identity CIDs (asserted).
 * @full: replaces what the peer has of us.
 */
MUST_USE struct bs_frame *bs_wantlist_encode(const struct bs_entry *entries,
                                             size_t count, bool full);

/** struct bs_reply_item - one answer: a block or a presence. */
struct bs_reply_item {
    struct cid cid;
    enum bs_item_kind kind; /* not BS_ITEM_ENTRY */
    struct slice data;      /* BS_ITEM_BLOCK: belongs to the item */
};

/** bs_reply_item_len - bytes that @item adds to a message of @version. */
size_t bs_reply_item_len(const struct bs_reply_item *item,
                         enum bs_version version);

/**
 * bs_reply_encode - message with blocks and presences.
 * @items: 1 to BS_REPLY_ITEMS_MAX, at most BS_REPLY_PIECES_MAX of them blocks
 *   over BS_COPY_MAX, at most BS_MESSAGE_BYTES_MAX in all, and none that
 *   @version cannot say (asserted); the references of their slices pass to
 *   the frame.
 */
MUST_USE struct bs_frame *bs_reply_encode(struct bs_reply_item *items,
                                          size_t count,
                                          enum bs_version version);

/**
 * bs_version_can_send - whether a block with @cid can be sent by @version.
 *
 * Spec: 1.0.0 has no prefixes, so only CIDv0 can be told there.
 */
bool bs_version_can_send(enum bs_version version, const struct cid *cid);

#endif /* BITSWAP_MESSAGE_H */
