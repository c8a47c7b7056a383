#ifndef NODE_OBJECTS_PRIV_H
#define NODE_OBJECTS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "node/network.h"
#include "node/node.h"
#include "node/objects.h"
#include "node/peering.h"
#include "node/rpc.h"
#include "storage/keeper.h"
#include "storage/message.h"

struct env;
struct objects_index;

/*
 * What the files of objects share: objects.c is what others call, the turn and
 * the peers; objects_do.c what the keeper wants done; objects_jobs.c those
 * things that take the store's blocks.
 */

enum {
    OBJECTS_DIGESTS_MAX = 8,     /* at a time; the others wait */
    OBJECTS_PICKS_MAX = 8,       /* scans at a time; the others wait */
    OBJECTS_CANDIDATES_MS = 100, /* changes of so long are looked at at once */
    OBJECTS_NEW_MS = 10 * 1000,  /* so long a connection is a new one */
    OBJECTS_PULL_STILL_MS = 60 * 1000, /* a pull without a block ends */
    OBJECTS_STREAMS_MAX = 32,          /* inbound, of one connection */
    OBJECTS_FLOOD_SEVERITY = 4, /* of a stream that ends for asking too much */
};

struct objects {
    struct node *node;
    struct env *env;
    struct kv *kv;
    uint32_t table;
    struct keeper *keeper;
    bool started; /* keeper_start() was called */
    bool online;  /* objects_start() was called */
    bool stopped; /* objects_stop() was called */
    bool pumping;
    bool leaving; /* nothing is offered until the next start */
    struct rpc *rpc;
    struct objects_index *index;
    char protocol[NODE_PROTOCOL_MAX];
    struct network_watcher watcher;
    struct peering_watcher peering;
    struct timer timer;      /* of the keeper */
    struct timer candidates; /* to be given anew */
    struct timer tell;       /* ops that have ended */
    struct list calls;       /* struct objects_call */
    struct map paces;        /* struct objects_pace, of peers asked lately */
    struct list asked;       /* struct objects_asked, of peers */
    struct list pulls;       /* struct objects_pull */
    struct list counts;      /* struct objects_count, under way or waiting */
    struct list picks;       /* struct objects_pick */
    struct list digests;     /* struct objects_digest */
    struct list backs;       /* struct objects_back */
    struct list rows;        /* struct objects_row, at the kv */
    size_t picks_running;
    size_t digests_running;
    uint64_t rows_begun;
    uint64_t rows_ended;
    enum err row_err;  /* of the rows since the last that could be written */
    struct list ops;   /* struct objects_op */
    struct list ended; /* those whose @done is to be called */
    struct list watchers;
    struct peer_id *known; /* candidates that the keeper was given */
    size_t known_count;
    struct peer_id *banned; /* of which the keeper was told */
    size_t banned_count;
    uint64_t disk_room; /* free when we started, and promised */
    uint64_t offer;     /* bytes for others */
    uint64_t told_free; /* as the capability record has it */
    uint64_t told_offer;
};

/** objects_now - both clocks, of this turn. */
struct keeper_now objects_now(const struct objects *o, struct mtime now);

/** objects_touch - the keeper may want something: pump, and its timer. */
void objects_touch(struct objects *o);

/* objects_do.c */

/** objects_do - carry out one output of the keeper, and release it. */
void objects_do(struct objects *o, struct keeper_out *out, struct mtime now);

/** objects_tidy_pulls - free those that nobody waits for; after all outputs
 * of the keeper were carried out. */
void objects_tidy_pulls(struct objects *o);

/** objects_do_stop - end all pulls, forget who asked. */
void objects_do_stop(struct objects *o);

/** objects_on_request - a peer asks; of the rpc. */
void objects_on_request(void *user, uint64_t id, const struct peer_id *peer,
                        const struct multiaddr *remote, struct bytes in,
                        struct mtime now);

/** objects_op_end - @op is over; @done is called soon. */
void objects_op_end(struct objects *o, struct objects_op *op, enum err err);

/** objects_rows_done - tell the ops whose rows are written. */
void objects_rows_done(struct objects *o);

/* objects_calls.c */

/** objects_send - carry out KEEPER_SEND. */
void objects_send(struct objects *o, struct keeper_out *out, struct mtime now);

/** objects_calls_stop - end all requests. */
void objects_calls_stop(struct objects *o);

/* objects_jobs.c */

/** objects_pick_new - carry out KEEPER_PICK. */
void objects_pick_new(struct objects *o, const struct keeper_out *out);

/** objects_digest_new - carry out KEEPER_DIGEST. */
void objects_digest_new(struct objects *o, const struct keeper_out *out);

/** objects_back_new - carry out KEEPER_FETCHBACK. */
void objects_back_new(struct objects *o, const struct keeper_out *out,
                      struct mtime now);

/** objects_jobs_stop - end all of these. */
void objects_jobs_stop(struct objects *o);

/* objects_index.c */

/** objects_index_new - tell owners' indexes to the DHT; there is a network. */
MUST_USE struct objects_index *objects_index_new(struct objects *o);

/** objects_index_free - before the DHT goes.  NULL does nothing. */
void objects_index_free(struct objects_index *x);

/** objects_index_held - the object @root is held from now on. */
void objects_index_held(struct objects_index *x, const struct cid *root);

/* objects_event.c */

/** objects_event - log it, and tell the quality of who is concerned. */
void objects_event(struct objects *o, const struct keeper_out *out,
                   struct mtime now);

#endif /* NODE_OBJECTS_PRIV_H */
