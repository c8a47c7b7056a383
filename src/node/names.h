#ifndef NODE_NAMES_H
#define NODE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "kad/ipns.h"
#include "multiformats/peer_id.h"
#include "node/dht.h"
#include "node/fault.h"

struct kv;
struct names;
struct node;

/*
 * names - IPNS records: that of the node's own key and those that it was given
 * are kept in the node's kv and put into the DHT again and again; others are
 * looked up and cached.
 *
 * It is there without a network too: then it answers from what it keeps, and
 * what is published goes out at the next start with one.
 */

enum {
    NAMES_KEPT_MAX = 1024,       /* records in the kv */
    NAMES_CACHED_MAX = 1024,     /* records of others in memory */
    NAMES_QUORUM = 16,           /* records that a lookup is content with */
    NAMES_GET_MS = 60 * 1000,    /* longest lookup, default */
    NAMES_LOOK_MS = 10 * 1000,   /* for a newer record before publishing */
    NAMES_LONELY_MS = 10 * 1000, /* wait for the first peer */
};

/**
 * names_new - with the rows of @table; before the loop runs.
 * @kv: borrowed; outlives the names.
 *
 * A row that is damaged is left out and told of.
 */
MUST_USE struct names *names_new(struct node *n, struct kv *kv, uint32_t table,
                                 struct mtime now);

/** names_free - after names_stop(), when all rows are written.  NULL does
 * nothing. */
void names_free(struct names *s);

/** names_start - there is a DHT: put what is kept into it. */
void names_start(struct names *s, struct mtime now);

/** names_stop - the DHT is about to go; no op may be waited for any more
 * (asserted).  Harmless without a network. */
void names_stop(struct names *s);

/** enum name_op_state - private. */
enum name_op_state {
    NAME_OP_IDLE,
    NAME_OP_READY,   /* @done is to be called */
    NAME_OP_GETTING, /* the DHT is asked */
    NAME_OP_LONELY,  /* waits for peers, to ask again */
    NAME_OP_LOOKING, /* as GETTING, before a record is made or put */
    NAME_OP_WRITING, /* until it is durable */
    NAME_OP_PUTTING, /* into the DHT */
};

/**
 * struct name_op - one question or change; caller's memory until @done or
 * name_op_cancel().
 */
struct name_op {
    /** @done: OK with @record; else @fault tells.  Never from inside of a
     * call. */
    void (*done)(struct name_op *op, enum err err, struct mtime now);
    struct buf *record; /* the best one that is known, or the new one; dropped
                           by name_op_cancel() */
    uint32_t peers;     /* publish, put: that took it; 0: tried again later */
    struct fault fault;
    struct names *names; /* private, as all below; NULL: over */
    enum name_op_state state;
    struct peer_id name;
    struct dht_op dht;
    struct timer timer;
    struct mtime give_up_at;
    struct mtime lonely_until;
    struct buf *given; /* put: the record; publish: the value */
    uint64_t ttl_ns;
    bool is_publish;
    struct name_row *row; /* being written */
    enum err err;
    struct list link;
};

/** struct name_ask - how to look. */
struct name_ask {
    uint32_t timeout_ms; /* 0: NAMES_GET_MS */
    bool no_cache;       /* ask the DHT even when a record is cached */
    bool local_only;     /* ask nobody */
};

/**
 * names_get - the best record of @name.
 * @op: with @done set; memory zeroed before its first use.
 *
 * Our own comes from what is kept.  Done: E_NOTFOUND nobody has one;
 * E_TIMEOUT; E_AGAIN no peers; E_CLOSED no network; E_LIMIT too busy.
 */
void names_get(struct names *s, struct name_op *op, const struct peer_id *name,
               const struct name_ask *how, struct mtime now);

/**
 * names_put - put a record that somebody made into the DHT, and keep it there.
 * @record: from outside; copied.
 *
 * Done: OK also when no peer took it yet: it is durable here; E_REFUSED there
 * is a newer one; E_IO, E_NOSPACE.
 *
 * @timeout_ms: wait for peers no longer; 0: until the DHT says so.
 *
 * Return: OK; with @op->fault, and then @op->done is not called: as
 * ipns_decode() and ipns_validate(); E_LIMIT too many are kept.
 */
MUST_USE enum err names_put(struct names *s, struct name_op *op,
                            const struct peer_id *name, struct bytes record,
                            uint32_t timeout_ms, struct mtime now);

/**
 * names_publish - the node's own name stands for @value from now on.
 * @value: path, "/ipfs/..." or "/ipns/..."; copied; its form is the caller's
 * question.
 * @ttl_ns: how long others may cache it; 0: IPNS_TTL_DEFAULT_MS.
 * @timeout_ms: as for names_put().
 *
 * The sequence number is one more than that of the record before it, here or
 * in the DHT, when the value changes.  Done: as names_put().
 *
 * Return: OK; E_LIMIT over IPNS_VALUE_MAX, with @op->fault, and then @op->done
 * is not called.
 */
MUST_USE enum err names_publish(struct names *s, struct name_op *op,
                                struct bytes value, uint64_t ttl_ns,
                                uint32_t timeout_ms, struct mtime now);

/** name_op_cancel - @op->done is not called any more, and @op->record is
 * dropped; what is being written stays.  Harmless on a zeroed one. */
void name_op_cancel(struct name_op *op);

/** names_self - the node's own name. */
struct peer_id names_self(const struct names *s);

#endif /* NODE_NAMES_H */
