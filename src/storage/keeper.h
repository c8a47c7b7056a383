#ifndef STORAGE_KEEPER_H
#define STORAGE_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "multiformats/key.h"
#include "multiformats/peer_id.h"
#include "storage/audit.h"
#include "storage/placement.h"

struct rng;

/*
 * keeper - keeps objects on many nodes: the owner's side, the holder's side,
 * audits and repair.  How it works is told in docs/design/0005-objects.md.
 *
 * A protocol core: after every call that changes something the owner drains
 * keeper_next() and arranges to call keeper_on_time() at keeper_deadline().
 * What it hands out with an id or a job is answered once, in any order, and
 * never from within keeper_next(); it does not matter when the answer comes for
 * something that the keeper has given up meanwhile.
 *
 * Start: keeper_new(), keeper_load() for each row of the table, keeper_start().
 */

struct keeper;

enum {
    KEEPER_OBJECTS_MAX = 100000, /* default; of both sides, tombstones too */
    KEEPER_HOLDERS_MAX = 32,     /* of one object */
    KEEPER_COPIES_MAX = 7,
    KEEPER_PEERS_MAX = 4096,      /* peers remembered; default */
    KEEPER_CANDIDATES_MAX = 1024, /* the best are given */
    KEEPER_NAME_MAX = 255,        /* bytes of an object's name */
    KEEPER_CIDS_MAX = 64,         /* of a PICK, DIGEST or FETCHBACK */
    KEEPER_KEY_MAX = 128,         /* key of a row */
    KEEPER_VALUE_MAX = 65536,     /* value of a row */
};

/** struct keeper_now - one instant on both clocks; taken once a turn. */
struct keeper_now {
    struct mtime mono; /* what is waited for */
    uint64_t unix_ms;  /* what is signed and expires */
};

/** struct keeper_config - parameters; a 0 means the default. */
struct keeper_config {
    const char *network;   /* name, copied; at most 32 bytes */
    uint8_t seed[16];      /* random, keys the tables */
    uint64_t offer_bytes;  /* room for others; 0: none.  No default */
    uint32_t grace_ms;     /* below r for this long: repair; 15 min */
    uint32_t audit_ms;     /* interval of audits of one copy; 10 min */
    uint32_t receipt_ms;   /* life of a receipt; 24 h, which is the most */
    uint32_t request_ms;   /* a peer answers within; 20 s */
    uint32_t pull_ms;      /* a pull may stand still for this long; 2 min */
    uint64_t record_ms;    /* life of a record; 366 days */
    uint64_t repair_rate;  /* bytes/s that repair may cause; 16 MiB/s */
    uint32_t objects_max;  /* KEEPER_OBJECTS_MAX */
    uint32_t peers_max;    /* KEEPER_PEERS_MAX */
    uint32_t pulls_max;    /* pulls at a time; 8 */
    uint32_t offers_max;   /* copies being placed at a time; 64 */
    uint32_t audits_per_s; /* requests to others; 8 */
    uint32_t serves_per_s; /* requests of one peer that are answered; 32 */
    uint32_t quality_min;  /* candidates below are not asked; 0 */
    uint64_t size_max;     /* bytes of an object that is accepted; all */
};

/** enum keeper_state - what an owner is told of an object. */
enum keeper_state {
    KEEPER_LOCAL,     /* no copy is wanted, or none is placed yet */
    KEEPER_ANNOUNCED, /* offered, nobody has stored it yet */
    KEEPER_PARTIAL,   /* fewer receipts than wanted, never had them all */
    KEEPER_STORED,    /* as many receipts as wanted */
    KEEPER_VERIFIED,  /* and a part was fetched back by a third node */
    KEEPER_SAFE,      /* from every holder that counts, now: switch off */
    KEEPER_DEGRADED,  /* had enough copies, knows of fewer now */
    KEEPER_LOST,      /* had copies; nobody is left who may have one */
    KEEPER_RELEASING, /* removed; holders are being told */
};

/** keeper_state_name - constant lower-case name of @state, as in the API. */
const char *keeper_state_name(enum keeper_state state);

/** enum keeper_holder_state - what is known of one copy. */
enum keeper_holder_state {
    KEEPER_HOLDER_OFFERED,  /* asked, no answer yet */
    KEEPER_HOLDER_PULLING,  /* accepted, fetches */
    KEEPER_HOLDER_STORED,   /* gave its receipt */
    KEEPER_HOLDER_VERIFIED, /* and a third node fetched a part from it */
    KEEPER_HOLDER_SILENT,   /* gave its receipt, does not answer now */
    KEEPER_HOLDER_FAILED,   /* refused, or failed an audit; no copy */
    KEEPER_HOLDER_GONE,     /* silent for too long; no copy */
};

/** keeper_holder_state_name - constant name of @state, as in the API. */
const char *keeper_holder_state_name(enum keeper_holder_state state);

/** struct keeper_holder_status - one row of an object's holders. */
struct keeper_holder_status {
    struct peer_id peer;
    enum keeper_holder_state state;
    uint64_t since_ms;         /* unix: in this state since */
    uint64_t last_verified_ms; /* unix: last good audit by us; 0: none */
    uint64_t until_ms;         /* unix: its receipt ends; 0: no receipt */
    uint64_t pulled_bytes;     /* PULLING: as last heard; a copy: all */
    uint64_t pulled_blocks;
    const char *refusal; /* FAILED: the word with which it refused, constant;
                            "unreachable"; NULL where it did not */
};

/** enum keeper_role - what this node is to an object. */
enum keeper_role {
    KEEPER_OWNER,
    KEEPER_HOLDER,
};

/** struct keeper_status - all about one object, a copy. */
struct keeper_status {
    uint64_t id; /* grows with age; for keeper_list() */
    struct cid root;
    struct peer_id owner; /* peer of the owner's key */
    enum keeper_role role;
    enum keeper_state state; /* as seen from here */
    bool kept;    /* HOLDER: all of it is here and synced; it is counted */
    bool partial; /* fewer candidates than copies: waits for nodes */
    enum placement_tier tier; /* how much the holders differ, of those that
                                 are known as candidates */
    uint32_t copies_wanted;
    uint32_t copies_stored;   /* valid receipts of holders not given up */
    uint32_t copies_verified; /* of them fetched back by a third node */
    uint64_t size_bytes;
    uint64_t blocks;
    uint64_t created_ms;
    uint64_t expires_ms;
    uint64_t seq;
    uint32_t release_delay_s;
    uint8_t name_len;
    uint8_t name[KEEPER_NAME_MAX];
    size_t holders_count;
    struct keeper_holder_status holders[KEEPER_HOLDERS_MAX];
};

enum keeper_out_kind {
    /*
     * Send @data to @peer on a stream of its own, dial it first where needed,
     * and answer with keeper_on_reply() or keeper_on_failed() within
     * @timeout_ms.  Every request has a reply.
     */
    KEEPER_SEND,
    KEEPER_REPLY, /* answer the request @id of keeper_serve() with @data */
    /*
     * Fetch the DAG of @root, asking @peers first, stop past @size_bytes or
     * @blocks, sync, keep it under a lease until KEEPER_KEEP of this root is
     * answered or KEEPER_PULL_CANCEL; then keeper_on_pulled().
     */
    KEEPER_PULL,
    KEEPER_PULL_CANCEL, /* forget pull @id; it is not answered */
    KEEPER_KEEP,        /* count @root in the store; then keeper_on_kept() */
    KEEPER_DROP,        /* uncount @root; no answer */
    KEEPER_PICK,        /* @blocks random CIDs of @root: keeper_on_picked() */
    /* Digests of @cids for @nonce, @auditor, @peer: keeper_on_digests(). */
    KEEPER_DIGEST,
    /* Fetch @cids from @peer alone, check them: keeper_on_fetched(). */
    KEEPER_FETCHBACK,
    /* Write row @key (empty @data: remove it), then keeper_on_stored(@id). */
    KEEPER_STORE,
    KEEPER_EVENT, /* something for logs, metrics and who waits */
    KEEPER_DONE,  /* verify, recover or leave with job @id ended with @err */
};

enum keeper_event {
    KEEPER_EVENT_OFFERED,      /* to @peer */
    KEEPER_EVENT_ACCEPTED,     /* by @peer, it pulls */
    KEEPER_EVENT_REFUSED,      /* by @peer, or no answer; @reason */
    KEEPER_EVENT_COPY,         /* @peer has stored it; @count of @wanted */
    KEEPER_EVENT_FETCHED_BACK, /* by @peer from @other */
    KEEPER_EVENT_STATE,        /* @state is new; @count of @wanted */
    KEEPER_EVENT_AUDIT_PASSED, /* @peer proved its copy */
    KEEPER_EVENT_AUDIT_FAILED, /* @peer has not got what it says to hold:
                                  lower its quality.  @err E_MISMATCH: wrong
                                  digest; E_NOTFOUND: none */
    KEEPER_EVENT_SILENT,       /* @peer does not answer */
    KEEPER_EVENT_GIVEN_UP,     /* @peer was silent too long; no copy */
    KEEPER_EVENT_REPAIRING,    /* a new copy is placed on @peer */
    KEEPER_EVENT_REPAIRED,     /* enough copies again, by our doing */
    KEEPER_EVENT_PULLING,      /* holder: a pull begins */
    KEEPER_EVENT_HELD,         /* holder: it is kept here, receipt given */
    KEEPER_EVENT_PULL_FAILED,  /* holder: @err; E_LIMIT: the record lied */
    KEEPER_EVENT_RELEASED,     /* holder: let go here; @err says why: OK
                                  owner, E_TIMEOUT expired, E_EXISTS too
                                  many copies, E_CLOSED handed over */
    KEEPER_EVENT_GONE,         /* owner: released everywhere */
    KEEPER_EVENT_RECOVERED,    /* owner: @peer keeps this for us */
    KEEPER_EVENT_BAD_PEER,     /* @peer sent what is forged or malformed */
    KEEPER_EVENT_DOUBT,        /* half of the peers gone at once; waits */
};

/** keeper_event_name - constant lower-case name of @event. */
const char *keeper_event_name(enum keeper_event event);

/** struct keeper_out - what the owner is to do; keeper_out_release() it. */
struct keeper_out {
    enum keeper_out_kind kind;
    uint64_t id;           /* of the request or job */
    struct peer_id peer;   /* SEND, DIGEST: holder, FETCHBACK, EVENT */
    struct buf *data;      /* SEND, REPLY, STORE; or NULL */
    uint32_t timeout_ms;   /* SEND, FETCHBACK */
    struct cid root;       /* PULL, KEEP, DROP, PICK, EVENT */
    uint64_t size_bytes;   /* PULL: limit */
    uint64_t blocks;       /* PULL: limit; PICK: how many */
    struct peer_id *peers; /* PULL: sources; or NULL */
    size_t peers_count;
    struct cid *cids; /* DIGEST, FETCHBACK; or NULL */
    size_t cids_count;
    uint8_t nonce[AUDIT_NONCE_BYTES]; /* DIGEST */
    struct peer_id auditor;           /* DIGEST */
    uint8_t key[KEEPER_KEY_MAX];      /* STORE */
    size_t key_len;
    enum keeper_event event; /* EVENT */
    struct peer_id other;    /* EVENT: see the kinds */
    enum keeper_state state; /* EVENT STATE */
    uint32_t count;          /* EVENT */
    uint32_t wanted;         /* EVENT */
    const char *reason;      /* EVENT REFUSED: constant word; else NULL */
    enum err err;            /* EVENT, DONE */
};

/** keeper_out_release - free what @out holds; its data may be taken before. */
void keeper_out_release(struct keeper_out *out);

/**
 * keeper_new - keeper without objects and peers; @config is copied.
 * @key: the node's identity, borrowed until keeper_free().
 * @rng: borrowed until keeper_free().
 */
MUST_USE struct keeper *keeper_new(const struct keeper_config *config,
                                   const struct privkey *key, struct rng *rng,
                                   struct keeper_now now);

/** keeper_free - drop all; NULL does nothing. */
void keeper_free(struct keeper *k);

/**
 * keeper_load - one row of the table, before keeper_start().
 *
 * Return: OK; E_CORRUPT for a row that is none, which is left out; E_LIMIT when
 * there are too many.
 */
MUST_USE enum err keeper_load(struct keeper *k, struct bytes key,
                              struct bytes value, struct keeper_now now);

/** keeper_start - all rows are loaded: pulls go on, audits begin. */
void keeper_start(struct keeper *k, struct keeper_now now);

/** keeper_set_offer - room for others changed; what is kept stays. */
void keeper_set_offer(struct keeper *k, uint64_t offer_bytes,
                      struct keeper_now now);

/**
 * keeper_set_candidates - who may be asked to keep objects, as of now.
 * @candidates: copied; banned peers are not among them.  The node itself may
 * be, with its address, so that others differ from it; it is never asked.
 */
void keeper_set_candidates(struct keeper *k,
                           const struct placement_candidate *candidates,
                           size_t count, struct keeper_now now);

/**
 * keeper_on_peer - @peer was connected, or its last connection ended.
 * @group: ma_ip_group() of where it comes from, for the quota of a group; 0:
 * unknown.
 */
void keeper_on_peer(struct keeper *k, const struct peer_id *peer,
                    bool connected, uint64_t group, struct keeper_now now);

/** keeper_on_ban - @peer was banned, or is no more: it gets no room. */
void keeper_on_ban(struct keeper *k, const struct peer_id *peer, bool banned,
                   struct keeper_now now);

/**
 * keeper_on_asked - @peer wants the block @cid from us.
 *
 * A holder that asks a fellow for a block that it is being audited for has
 * failed the audit.  Cheap: looks at what @peer is asked now.
 *
 * Return: true when it should be refused.
 */
bool keeper_on_asked(struct keeper *k, const struct peer_id *peer,
                     const struct cid *cid, struct keeper_now now);

/**
 * keeper_on_asker - @peer is about to ask, keeper_serve() follows.
 * @group: as in keeper_on_peer(); a peer need not be one of those.
 */
void keeper_on_asker(struct keeper *k, const struct peer_id *peer,
                     uint64_t group, struct keeper_now now);

/**
 * keeper_serve - @peer sent a request.
 * @message: one message, without its length; borrowed for this call.
 * @ret_id: of the KEEPER_REPLY that follows, now or later.
 *
 * Return: OK; E_MALFORMED and its like for bytes that are no request, E_AGAIN
 * when @peer asks too much, E_NOSPACE when there are too many peers: close the
 * stream, no reply follows.
 */
MUST_USE enum err keeper_serve(struct keeper *k, const struct peer_id *peer,
                               struct bytes message, struct keeper_now now,
                               uint64_t *ret_id);

/** keeper_on_reply - answer to KEEPER_SEND; @message is borrowed. */
void keeper_on_reply(struct keeper *k, uint64_t id, struct bytes message,
                     struct keeper_now now);

/** keeper_on_failed - KEEPER_SEND got no answer. */
void keeper_on_failed(struct keeper *k, uint64_t id, enum err err,
                      struct keeper_now now);

/**
 * keeper_on_pulled - answer to KEEPER_PULL.
 * @err: OK: all is here and synced; E_LIMIT: larger than the limits; E_NOSPACE;
 * else it could not be had.
 * @bytes: of all blocks; @blocks: how many, distinct ones.  Of use with OK.
 */
void keeper_on_pulled(struct keeper *k, uint64_t id, enum err err,
                      uint64_t bytes, uint64_t blocks, struct keeper_now now);

/**
 * keeper_on_pull_counted - pull @id got some blocks: it is alive; how much of
 * it is here is told to who placed the copy.
 * @bytes: of all blocks so far; @blocks: how many.
 */
void keeper_on_pull_counted(struct keeper *k, uint64_t id, uint64_t bytes,
                            uint64_t blocks, struct keeper_now now);

/** keeper_on_kept - answer to KEEPER_KEEP: durable, or an error. */
void keeper_on_kept(struct keeper *k, uint64_t id, enum err err,
                    struct keeper_now now);

/** keeper_on_picked - answer to KEEPER_PICK; @cids is borrowed. */
void keeper_on_picked(struct keeper *k, uint64_t id, enum err err,
                      const struct cid *cids, size_t count,
                      struct keeper_now now);

/**
 * keeper_on_digests - answer to KEEPER_DIGEST, one for each CID, in order, by
 * audit_digest_of(); not present where the block is not in the store.
 */
void keeper_on_digests(struct keeper *k, uint64_t id,
                       const struct audit_digest *digests, size_t count,
                       struct keeper_now now);

/**
 * keeper_on_fetched - answer to KEEPER_FETCHBACK.
 * @err: OK; E_NOTFOUND: the holder said that it has not got one; E_MISMATCH:
 * it sent wrong bytes; E_TIMEOUT: too slow; else it could not be reached.
 */
void keeper_on_fetched(struct keeper *k, uint64_t id, enum err err,
                       struct keeper_now now);

/** keeper_on_stored - answer to KEEPER_STORE: durable, or an error. */
void keeper_on_stored(struct keeper *k, uint64_t id, enum err err,
                      struct keeper_now now);

/** keeper_on_time - it is @now; harmless when called early. */
void keeper_on_time(struct keeper *k, struct keeper_now now);

/** keeper_deadline - when keeper_on_time() must be called next. */
struct mtime keeper_deadline(const struct keeper *k);

/**
 * keeper_next - take the next output.
 * @ret_out: written when true is returned; what it holds is the owner's then.
 *
 * Return: false when there is none.
 */
bool keeper_next(struct keeper *k, struct keeper_out *ret_out);

/** struct keeper_want - what an owner wants kept. */
struct keeper_want {
    struct cid root;
    uint64_t size_bytes; /* of all distinct blocks */
    uint64_t blocks;     /* how many */
    uint32_t copies;     /* 0 to KEEPER_COPIES_MAX */
    uint32_t release_delay_s;
    uint64_t expires_ms; /* unix; 0: record_ms from now, and renewed */
    struct bytes name;   /* or empty; holders read it; borrowed */
};

/**
 * keeper_put - an object of this node's: sign its record and place it.
 *
 * The node has all blocks of it and keeps them.  Where the node owns the object
 * already, the record is replaced by one with a higher seq.
 *
 * Return: OK; E_LIMIT for a number over its limit, or too many objects;
 * E_EXISTS when this node holds it for itself already, which cannot be.
 */
MUST_USE enum err keeper_put(struct keeper *k, const struct keeper_want *want,
                             struct keeper_now now);

/**
 * keeper_set_copies - more or fewer copies of an own object.
 * @copies: 1 to KEEPER_COPIES_MAX.
 *
 * Return: OK; E_NOTFOUND; E_LIMIT.
 */
MUST_USE enum err keeper_set_copies(struct keeper *k, const struct cid *root,
                                    uint32_t copies, struct keeper_now now);

/**
 * keeper_remove - release an own object everywhere.
 *
 * It stays in the list as RELEASING until every holder knows.
 *
 * Return: OK; E_NOTFOUND.
 */
MUST_USE enum err keeper_remove(struct keeper *k, const struct cid *root,
                                struct keeper_now now);

/**
 * keeper_verify - audit all holders of an own or held object now.
 * @ret_job: of the KEEPER_DONE that follows: OK when all passed, E_MISMATCH
 * when one failed, E_TIMEOUT when one is silent, E_NOTFOUND without holders.
 *
 * Return: OK; E_NOTFOUND; E_AGAIN when too many are under way.
 */
MUST_USE enum err keeper_verify(struct keeper *k, const struct cid *root,
                                struct keeper_now now, uint64_t *ret_job);

/**
 * keeper_recover - ask peers which records they keep for this node's key.
 * @peers: copied, at most KEEPER_CANDIDATES_MAX.
 * @ret_job: of the KEEPER_DONE that follows when all have answered or failed.
 *
 * Objects appear with EVENT_RECOVERED, and are fetched by the owner's root.
 *
 * Return: OK; E_AGAIN when one is under way.
 */
MUST_USE enum err keeper_recover(struct keeper *k, const struct peer_id *peers,
                                 size_t count, struct keeper_now now,
                                 uint64_t *ret_job);

/**
 * keeper_leave - hand over all that is held for others; accept no more.
 * @ret_job: of the KEEPER_DONE that follows when nothing is held but what is
 * released and waits for its delay.  It may never follow where there are no
 * others: who asked sets a time.
 *
 * Return: OK; E_AGAIN when one is under way.
 */
MUST_USE enum err keeper_leave(struct keeper *k, struct keeper_now now,
                               uint64_t *ret_job);

/** keeper_stay - end keeper_leave(): what is still held stays. */
void keeper_stay(struct keeper *k, struct keeper_now now);

/**
 * keeper_status - all about the object @root.
 *
 * The own one where there is one, else one of those held for others.
 *
 * Return: OK; E_NOTFOUND.
 */
MUST_USE enum err keeper_status(struct keeper *k, const struct cid *root,
                                struct keeper_now now,
                                struct keeper_status *ret_status);

/**
 * keeper_list - objects with an id above @after, oldest first.
 * @dst: room for @max.
 *
 * Return: how many were written.
 */
size_t keeper_list(struct keeper *k, uint64_t after, struct keeper_now now,
                   struct keeper_status *dst, size_t max);

/**
 * keeper_kept - whether @root is counted in the store by an object.
 */
bool keeper_kept(const struct keeper *k, const struct cid *root);

/** struct keeper_stats - counts since the start, and of now. */
struct keeper_stats {
    size_t owned;            /* own objects */
    size_t held;             /* kept for others */
    size_t releasing;        /* of them: released, the delay is not over */
    size_t pulling;          /* accepted, not here yet */
    size_t peers;            /* remembered */
    uint64_t promised_bytes; /* accepted or kept for others */
    uint64_t audits_passed;  /* of others, by us */
    uint64_t audits_failed;
    uint64_t audits_silent;
    uint64_t audits_served;
    uint64_t offers_accepted; /* of others, by us */
    uint64_t offers_refused;
    uint64_t repairs;      /* copies placed because others were lost */
    uint64_t repair_bytes; /* in them */
    uint64_t released;     /* let go here */
    uint64_t bad_messages;
    size_t repair_queue; /* objects that wait for repair now */
};

/** keeper_get_stats - counts of @k. */
struct keeper_stats keeper_get_stats(const struct keeper *k);

#endif /* STORAGE_KEEPER_H */
