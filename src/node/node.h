#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/key.h"
#include "multiformats/multiaddr.h"
#include "node/fault.h"
#include "node/log.h"

struct announce;
struct config;
struct dht;
struct env;
struct exchange;
struct list;
struct names;
struct network;
struct node;
struct objects;
struct peering;
struct store;
struct store_waiter;
struct strbuf;

/*
 * node - one peer: owns all state, and connects cores and env.
 *
 * Life: node_open() before the loop runs; node_start() where it shall talk to
 * others; then operations (import.h, export.h, reading.h, ...); node_stop()
 * and the loop until its callback; node_free().
 *
 * Threads: loop only.
 */

enum {
    NODE_LONELY_MS = 10 * 1000,
    NODE_ALONE_MS = 3 * 1000, /* where only the local network can help */
};

/** struct node_config - what node_open() needs. */
struct node_config {
    const char *path;            /* data folder, absolute, locked by the caller;
                                    copied */
    const struct config *config; /* settings, borrowed; outlive the node */
    struct privkey key;          /* identity; passes to the node on OK */
    struct log log;              /* where events go; copied */
    const char *version;         /* of the program; lives for ever */
    bool may_visit;              /* node_reach_out() goes on line */
    bool checks_reads;           /* blocks are hashed when the store gives them
                                    too: others could write to the folder */
    uint64_t cache_bytes_max;    /* what comes from peers is not stored when so
                                    much is; 0: it always is */
    bool only_reads;             /* nothing in the folder is changed */
};

/**
 * node_prepare - make the folders and files of a new data folder at @path,
 * all but the key; harmless when they are there.
 *
 * Return: OK; what struct disk says.  E_UNSUPPORTED: a newer program made it.
 */
MUST_USE enum err node_prepare(const struct env *env, const char *path,
                               struct fault *ret_fault);

/**
 * node_open - open the data folder and everything in it; synchronous.
 * @env: borrowed; outlives the node.
 * @ret_fault: written when it fails.
 *
 * A damaged index is set aside and built again from the segments.
 *
 * With only_reads others may read at the same time, and node_prepare() need not
 * have been called.  Such a node never goes on line.
 *
 * Return: OK; E_UNSUPPORTED a newer format; E_CORRUPT, E_NOSPACE, E_REFUSED,
 * E_IO; E_AGAIN with only_reads, where something is to be made or mended
 * before anything can be read.
 */
MUST_USE enum err node_open(struct env *env, const struct node_config *config,
                            struct node **ret_node, struct fault *ret_fault);

/** node_free - after node_stop() has called back; NULL does nothing. */
void node_free(struct node *n);

/**
 * node_start - listen and talk to peers, as the settings say.
 *
 * Return: OK; E_EXISTS an address is taken; E_NOTFOUND, E_MALFORMED,
 * E_REFUSED, E_IO, each with @ret_fault.
 */
MUST_USE enum err node_start(struct node *n, struct mtime now,
                             struct fault *ret_fault);

/**
 * node_reach_out - somebody wants what is not here.
 *
 * A node that is not started and that may visit others goes on line as a
 * visitor: it dials, asks and fetches, but listens nowhere, announces nothing
 * and keeps nothing for others.  What ends it is node_stop().
 *
 * Return: true when there is a network now.
 */
bool node_reach_out(struct node *n, struct mtime now);

/** node_wants_to_write - it only reads, and what it was asked for wants more:
 * blocks from peers where it may visit them, or the note that one is damaged.
 */
bool node_wants_to_write(const struct node *n);

/** node_is_visitor - it is on line by node_reach_out(). */
bool node_is_visitor(const struct node *n);

/** node_is_lonely - a visitor that still waits for somebody of a DHT, for
 * NODE_LONELY_MS at most, or NODE_ALONE_MS where none is known: who wants
 * something had better wait too. */
bool node_is_lonely(const struct node *n, struct mtime now);

/** node_knows_nobody - no bootstrap peer is configured, and no other known. */
bool node_knows_nobody(const struct node *n);

/** node_tell_lonely - append why a visitor has nobody to ask. */
void node_tell_lonely(const struct node *n, struct strbuf *out);

/** node_checks_reads - node_config.checks_reads. */
bool node_checks_reads(const struct node *n);

/** node_takes_cache - whether cache is stored now, by
 * node_config.cache_bytes_max. */
bool node_takes_cache(const struct node *n);

/** node_settings_changed - take note of settings that may change live. */
void node_settings_changed(struct node *n);

/** node_turn_end - drain the cores; once at the end of each turn. */
void node_turn_end(struct node *n, struct mtime now);

/**
 * node_stop - end: close connections, flush the store.
 * @done: called once, on the loop; @err: OK, or what could not be written.
 *
 * Operations under way must have been freed before (asserted).
 */
void node_stop(struct node *n, void (*done)(void *user, enum err err),
               void *user, struct mtime now);

/** node_env - the outside world. */
struct env *node_env(const struct node *n);

/** node_settings - the settings. */
const struct config *node_settings(const struct node *n);

enum { NODE_PROTOCOL_MAX = 64 }; /* room for a name and its NUL */

/** node_protocol - "/xmbl/", the name of the network and @tail to @dst. */
void node_protocol(const struct node *n, const char *tail,
                   char dst[static NODE_PROTOCOL_MAX]);

/** node_store - blocks and pins. */
struct store *node_store(const struct node *n);

/** node_wait_store - call @w->writable once, when the store takes blocks
 * again.  Harmless when it waits already. */
void node_wait_store(struct node *n, struct store_waiter *w);

/** node_exports - all struct export.link, in the order of their beginning. */
struct list *node_exports(struct node *n);

/** node_network - sockets and the swarm; NULL before node_start(). */
struct network *node_network(const struct node *n);

/** node_exchange - bitswap; NULL before node_start(). */
struct exchange *node_exchange(const struct node *n);

/** node_peering - which peers we know; NULL before node_start(). */
struct peering *node_peering(const struct node *n);

/** node_dht - the DHTs; NULL before node_start(). */
struct dht *node_dht(const struct node *n);

/** node_names - IPNS records. */
struct names *node_names(const struct node *n);

/** node_announce - tells the DHT what is here; NULL before node_start(). */
struct announce *node_announce(const struct node *n);

/** node_objects - what is kept on many nodes. */
struct objects *node_objects(const struct node *n);

/** node_key - our identity, valid while @n is. */
const struct privkey *node_key(const struct node *n);

/** node_log - where events go. */
struct log *node_log(struct node *n);

/** node_path - the data folder. */
const char *node_path(const struct node *n);

/** node_version - of the program. */
const char *node_version(const struct node *n);

/** node_started - when node_open() had ended. */
struct mtime node_started(const struct node *n);

/** node_random - @len random bytes to @dst. */
void node_random(const struct node *n, uint8_t *dst, size_t len);

#endif /* NODE_NODE_H */
