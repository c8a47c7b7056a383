#ifndef NODE_OBJECTS_H
#define NODE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"
#include "storage/keeper.h"

struct kv;
struct node;
struct objects;

/*
 * objects - what is kept on many nodes: carries out what the keeper
 * (storage/keeper.h) wants, and asks it for the API.
 *
 * It is there without a network too: what an owner puts then is signed and
 * written down, and placed when the node is on line.  How it works is told in
 * docs/design/0005-objects.md.
 */

/**
 * objects_new - a keeper with the rows of @table; before the loop runs, before
 * the store is open.
 * @kv: borrowed; outlives the objects.
 * @disk_free: bytes free on the disk; a part of it is offered to others.
 *
 * Return: OK; E_IO, E_CORRUPT when the table cannot be read.  A row that is
 * damaged is told of and left out.
 */
MUST_USE enum err objects_new(struct node *n, struct kv *kv, uint32_t table,
                              uint64_t disk_free, struct mtime now,
                              struct objects **ret_objects);

/** objects_is_idle - no row or count is being written. */
bool objects_is_idle(const struct objects *o);

/** objects_free - after objects_stop(), when it is idle (asserted).  NULL does
 * nothing. */
void objects_free(struct objects *o);

/** objects_start - there is a network: place, hold, audit. */
void objects_start(struct objects *o, struct mtime now);

/** objects_stop - the network is about to go, if there is one: everything under
 * way ends; ops that wait are told E_CANCELED from inside of this call. */
void objects_stop(struct objects *o, struct mtime now);

/** objects_pump - carry out what the keeper wants; once a turn.  Return: true
 * when there was something. */
bool objects_pump(struct objects *o, struct mtime now);

/** objects_settings_changed - take note of settings that may change live. */
void objects_settings_changed(struct objects *o, struct mtime now);

/**
 * objects_refuses - whether @peer is to be refused the block @cid, since it is
 * asked to prove that it has it.
 */
bool objects_refuses(struct objects *o, const struct peer_id *peer,
                     const struct cid *cid, struct mtime now);

/** objects_offer - bytes offered to others, and how many of them are free. */
uint64_t objects_offer(const struct objects *o, uint64_t *ret_free);

/* Asking. */

/**
 * struct objects_op - waits for the end of one call; caller's memory until
 * @done or objects_cancel().
 */
struct objects_op {
    /** @done: ended; never from inside a call. */
    void (*done)(struct objects_op *op, enum err err, struct mtime now);
    uint64_t job;     /* private: of the keeper; 0: waits for rows */
    uint64_t written; /* private: rows that are to be durable */
    enum err err;     /* private */
    struct list link; /* private */
};

/** objects_cancel - @op->done is not called any more; what was begun goes on.
 * Harmless when it is over; @op was zeroed before its first use. */
void objects_cancel(struct objects_op *op);

/**
 * objects_put - keep an object of ours on other nodes, as keeper_put().
 *
 * Done: OK: the record is durable; E_IO, E_NOSPACE.
 *
 * Return: as keeper_put().
 */
MUST_USE enum err objects_put(struct objects *o, struct objects_op *op,
                              const struct keeper_want *want, struct mtime now);

/** objects_set_copies - as keeper_set_copies(); done as objects_put(). */
MUST_USE enum err objects_set_copies(struct objects *o, struct objects_op *op,
                                     const struct cid *root, uint32_t copies,
                                     struct mtime now);

/** objects_remove - as keeper_remove(); done as objects_put(). */
MUST_USE enum err objects_remove(struct objects *o, struct objects_op *op,
                                 const struct cid *root, struct mtime now);

/**
 * objects_verify - audit all copies of an object that we know of, now.
 *
 * Done: OK: all have passed; E_MISMATCH: one has failed; E_TIMEOUT: one is
 * silent; E_NOTFOUND: there is no copy.
 *
 * Return: as keeper_verify(); E_CLOSED without a network.
 */
MUST_USE enum err objects_verify(struct objects *o, struct objects_op *op,
                                 const struct cid *root, struct mtime now);

/**
 * objects_recover - ask connected peers what they keep for our key.
 * @more: @more_count others to be asked, which need not be connected.
 *
 * Return: as keeper_recover(); E_CLOSED without a network; E_NOTFOUND when there
 * is nobody to be asked.
 */
MUST_USE enum err objects_recover(struct objects *o, struct objects_op *op,
                                  const struct peer_id *more, size_t more_count,
                                  struct mtime now);

/**
 * objects_leave - hand over all that is kept here for others, and offer them
 * nothing more, also when all is handed over: until the next start.
 *
 * Done: OK: nothing is kept for others any more.  It may never come, where
 * nobody else has room.
 *
 * Return: as keeper_leave(); E_CLOSED without a network.
 */
MUST_USE enum err objects_leave(struct objects *o, struct objects_op *op,
                                struct mtime now);

/** objects_stay - end objects_leave(), whose op was cancelled: what is still
 * here stays, and others are offered room again. */
void objects_stay(struct objects *o, struct mtime now);

/** objects_status - as keeper_status(). */
MUST_USE enum err objects_status(const struct objects *o,
                                 const struct cid *root,
                                 struct keeper_status *ret_status);

/** objects_list - as keeper_list(). */
size_t objects_list(const struct objects *o, uint64_t after,
                    struct keeper_status *dst, size_t max);

/** objects_owns - whether @root is an own object that is not released. */
bool objects_owns(const struct objects *o, const struct cid *root);

/** objects_keeps - whether @root is kept here for another owner: all of it is
 * here and counted. */
bool objects_keeps(const struct objects *o, const struct cid *root);

/** objects_stats - as keeper_get_stats(). */
struct keeper_stats objects_stats(const struct objects *o);

/**
 * objects_expects_more - whether nodes have just been connected that may be
 * candidates soon: their records and addresses are being looked at.
 */
bool objects_expects_more(const struct objects *o, struct mtime now);

/** struct objects_watcher - who hears of events; the caller's memory until
 * objects_unwatch(). */
struct objects_watcher {
    /** @on_event: a KEEPER_EVENT, borrowed. */
    void (*on_event)(struct objects_watcher *w, const struct keeper_out *event,
                     struct mtime now);
    struct list link; /* private */
};

/** objects_watch - tell @w from now on. */
void objects_watch(struct objects *o, struct objects_watcher *w);

/** objects_unwatch - tell @w no more, also from inside of on_event; harmless
 * when it was told of nothing yet, and @w was zeroed: not watching. */
void objects_unwatch(struct objects_watcher *w);

#endif /* NODE_OBJECTS_H */
