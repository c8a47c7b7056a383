#ifndef STORAGE_MESSAGE_H
#define STORAGE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "crypto/ed25519.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"
#include "storage/audit.h"
#include "storage/receipt.h"
#include "storage/record.h"

struct privkey;
struct wr;

/*
 * message - the messages of /xmbl/<network>/storage/1.0.0.
 *
 * One dag-cbor map each; who carries it puts its length before it, as a
 * varint.  Records and receipts travel as byte strings, each to be opened by
 * object_open() or receipt_open().  Every request has exactly one answer.
 *
 * Spec: docs/protocol/storage.md, "Messages".
 */

enum {
    STORAGE_MESSAGE_BYTES_MAX = 64 * 1024, /* without its length prefix */
    STORAGE_RECEIPTS_MAX = 32,             /* of one object */
    STORAGE_RECEIPTS_BATCH_MAX = 64,       /* of many objects */
    STORAGE_AUDIT_ITEMS_MAX = 64,
    STORAGE_FETCHBACK_CIDS_MAX = 16,
    STORAGE_RECORDS_MAX = 32, /* of one page */
    STORAGE_OWNERS_MAX = 16,  /* records of one page about a root */
    STORAGE_CURSOR_MAX = 64,  /* bytes */
    STORAGE_WORD_MAX = 32,    /* bytes of a type or reason */
};

/** enum storage_message_type - what a message is. */
enum storage_message_type {
    /* Requests, with their fields, and what answers them. */
    STORAGE_OFFER,     /* record, receipts: ACCEPT */
    STORAGE_HANDOVER,  /* record, receipts: ACCEPT; the sender will leave */
    STORAGE_RELEASE,   /* record of 0 copies: OK */
    STORAGE_RECEIPT,   /* receipts, of any objects: OK */
    STORAGE_STATUS,    /* root, owner: STATE */
    STORAGE_HOLDERS,   /* root, owner, receipts of all holders: OK */
    STORAGE_NOTICE,    /* root, owner, reason: the sender holds it not: OK */
    STORAGE_AUDIT,     /* nonce, items: DIGESTS */
    STORAGE_FETCHBACK, /* root, cids, holder: FETCHED */
    STORAGE_MINE,      /* at, sig, owner, cursor: RECORDS */
    STORAGE_ABOUT,     /* root, cursor: OBJECTS */

    /* Answers; REFUSE answers every request. */
    STORAGE_OK,      /* nothing more to say */
    STORAGE_REFUSE,  /* reason; record: a newer one, or empty */
    STORAGE_ACCEPT,  /* receipts: one if all is there already, else none */
    STORAGE_STATE,   /* state, blocks, size_bytes, record or empty, receipts */
    STORAGE_DIGESTS, /* digests, one an item; receipts that were renewed */
    STORAGE_FETCHED, /* result */
    STORAGE_RECORDS, /* records; cursor: empty when there are no more */
    STORAGE_OBJECTS, /* records of one root, receipts for them; cursor */

    STORAGE_UNKNOWN, /* a request of a later version: REFUSE it */
};

enum { STORAGE_TYPES = STORAGE_UNKNOWN }; /* how many types there are */

/** enum storage_reason - why something is refused, or no longer kept. */
enum storage_reason {
    STORAGE_REASON_OTHER,       /* also: a word that we do not know */
    STORAGE_REASON_SPACE,       /* no room */
    STORAGE_REASON_QUOTA,       /* too much of this owner or IP group */
    STORAGE_REASON_POLICY,      /* the holder does not take such objects */
    STORAGE_REASON_PRICE,       /* it wants to be paid */
    STORAGE_REASON_BANNED,      /* it takes nothing from this peer or owner */
    STORAGE_REASON_SIZE,        /* too large, or larger than its record says */
    STORAGE_REASON_NETWORK,     /* made for another network */
    STORAGE_REASON_EXPIRED,     /* the record has expired */
    STORAGE_REASON_BUSY,        /* too many requests or pulls; try later */
    STORAGE_REASON_INVALID,     /* malformed, or a signature is wrong */
    STORAGE_REASON_STALE,       /* it knows a newer record, which it sends */
    STORAGE_REASON_FUTURE,      /* made later than its clock shows */
    STORAGE_REASON_UNSUPPORTED, /* a request or policy that it cannot do */
    STORAGE_REASON_UNKNOWN,     /* it knows no such object */
    STORAGE_REASON_SOURCES,     /* the blocks could not be had */
    STORAGE_REASON_SURPLUS,     /* there are more copies than wanted */
    STORAGE_REASON_LEAVING,     /* it is about to leave */
    STORAGE_REASON_RELEASED,    /* the owner has released the object */
};

/** storage_reason_name - constant text of @reason, as on the wire. */
const char *storage_reason_name(enum storage_reason reason);

/** storage_reason_of_fault - how @fault, which is not FINE, is refused. */
enum storage_reason storage_reason_of_fault(enum object_fault fault);

/** enum storage_state - what an object is to a node. */
enum storage_state {
    STORAGE_STATE_NONE,     /* not known, or let go */
    STORAGE_STATE_PULLING,  /* accepted, not all there yet */
    STORAGE_STATE_KEPT,     /* all there and synced */
    STORAGE_STATE_RELEASED, /* released by its owner; its record is sent */
    STORAGE_STATE_OWNED,    /* the node is its owner; not a copy */
};

/** enum storage_result - how a third node fared in fetching back. */
enum storage_result {
    STORAGE_FETCH_OK,          /* all blocks came from the holder */
    STORAGE_FETCH_MISSING,     /* it said that it has not got one */
    STORAGE_FETCH_UNREACHABLE, /* it could not be connected to */
    STORAGE_FETCH_WRONG,       /* it sent bytes with another hash */
    STORAGE_FETCH_SLOW,        /* they did not come in time */
};

/** struct storage_audit_item - a block of an object. */
struct storage_audit_item {
    struct cid root;
    struct cid cid;
};

/**
 * struct storage_message - one message; the type says which fields it has.
 *
 * About 20 KiB: not for the stack of a deep call.  All views point into what
 * was decoded, or into memory of who fills it in for encoding.  A root is one
 * that a record may have, so of version 1; other CIDs are of any version.
 */
struct storage_message {
    enum storage_message_type type;
    struct cid root;
    uint8_t owner[OBJECT_OWNER_BYTES];
    struct bytes record; /* encoded; empty: none */
    size_t receipts_count;
    struct bytes receipts[STORAGE_RECEIPTS_BATCH_MAX]; /* encoded */
    enum storage_reason reason;
    enum storage_state state;
    uint64_t blocks;     /* STATE: on disk so far */
    uint64_t size_bytes; /* STATE: on disk so far */
    uint8_t nonce[AUDIT_NONCE_BYTES];
    size_t items_count; /* 1 or more */
    struct storage_audit_item items[STORAGE_AUDIT_ITEMS_MAX];
    size_t digests_count;
    struct audit_digest digests[STORAGE_AUDIT_ITEMS_MAX];
    size_t cids_count; /* 1 or more */
    struct cid cids[STORAGE_FETCHBACK_CIDS_MAX];
    struct peer_id holder;
    enum storage_result result;
    uint64_t at_s; /* MINE: unix seconds */
    uint8_t sig[ED25519_SIG_BYTES];
    struct bytes cursor; /* MINE, ABOUT: empty for the first page */
    size_t records_count;
    struct bytes records[STORAGE_RECORDS_MAX]; /* encoded */
};

/**
 * storage_message_decode - message from its bytes.
 * @in: from outside, without the length prefix; borrowed by @ret_message.
 *
 * A message of unknown type that is otherwise well formed comes out as
 * STORAGE_UNKNOWN.  Records and receipts are not looked into.
 *
 * Return: OK; E_SHORT; E_MALFORMED; E_LIMIT for a message, list or value over
 * its limit; E_UNSUPPORTED for a CID of unknown version or an id of no peer.
 */
MUST_USE enum err storage_message_decode(struct bytes in,
                                         struct storage_message *ret_message);

/**
 * storage_message_encode - the bytes of @message, no length prefix.
 * @message: fields that its type does not have are not looked at; counts are
 * within their limits, roots are of version 1, a record or receipt that must
 * be there is not empty and type is not STORAGE_UNKNOWN (asserted).
 * @w: with room for STORAGE_MESSAGE_BYTES_MAX every message fits.
 */
void storage_message_encode(struct wr *w,
                            const struct storage_message *message);

/** storage_message_name - constant text of @type, as on the wire. */
const char *storage_message_name(enum storage_message_type type);

/** storage_is_request - whether @type is a request, also an unknown one. */
bool storage_is_request(enum storage_message_type type);

/** storage_answers - whether @answer may answer the request @request. */
bool storage_answers(enum storage_message_type request,
                     enum storage_message_type answer);

/**
 * storage_mine_sign - signature that lets @asker see its list at @holder.
 * @key: the owner's key; it need not be the asker's identity.
 * @at_s: unix seconds, now.
 */
void storage_mine_sign(const struct privkey *key, const struct peer_id *asker,
                       const struct peer_id *holder, uint64_t at_s,
                       uint8_t ret_sig[static ED25519_SIG_BYTES]);

/**
 * storage_mine_check - whether a MINE may be answered.
 * @message: of type MINE (asserted).
 * @asker: peer that sent it.
 * @holder: ourselves.
 * @now_s: unix seconds.
 *
 * Return: OK; E_MISMATCH for a signature not by the owner for these two
 * peers; E_TIMEOUT when its time is over OBJECT_SKEW_MAX_S from now.
 */
MUST_USE enum err storage_mine_check(const struct storage_message *message,
                                     const struct peer_id *asker,
                                     const struct peer_id *holder,
                                     uint64_t now_s);

#endif /* STORAGE_MESSAGE_H */
