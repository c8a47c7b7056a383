#ifndef NODE_ANNOUNCE_PRIV_H
#define NODE_ANNOUNCE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "kad/keyspace.h"
#include "kad/sweep.h"
#include "multiformats/multihash.h"
#include "node/announce.h"
#include "node/dht.h"
#include "node/keywindow.h"
#include "node/rows.h"
#include "store/store.h"

/*
 * What announce.c, the sweep, and announce_roots.c, the queue of roots, share.
 * Private to them.
 */

struct announce {
    struct node *node;
    struct env *env;
    struct rows rows;
    enum config_announce mode;
    bool online;             /* roots can go out */
    bool sweeping;           /* and the sweep can work */
    struct mtime settled_at; /* when it can, once on line */
    struct timer check;
    struct timer flush;

    struct map roots; /* struct root, waiting or running */
    struct list waiting;
    struct list running;
    size_t running_count;
    bool refilling; /* looks through the pins */
    bool refill_again;
    struct store_cursor refill_at;
    uint64_t since_ms; /* of the pins that the refill takes */
    struct timer refill;
    uint64_t mark_ms;
    uint64_t round_ms; /* when other DHTs were told of all roots */
    bool round_changed;

    struct sweep *sweep;
    struct timer timer; /* of the sweep */
    struct dht_op lookup;
    uint64_t lookup_id; /* 0: none */
    struct list sendings;
    struct mtime hurry_at; /* NEVER: not planned */
    struct mtime hurry_not_before;
    struct mtime root_at; /* the last new one */
    struct mtime catch_began;
    bool catching_up; /* the sweep is far behind its plan */

    uint64_t want_id; /* keys that are wanted; 0: none */
    struct kad_key want_from;
    struct kad_key want_to;
    size_t want_max;
    struct keywindow window;
    struct mtime window_at; /* when its scan began */
    uint64_t scan_took_ms;
    bool is_stale; /* there are new roots since then */
    bool scanning;
    struct store_cursor scan_at;
    struct timer scan;

    struct announce_stats stats;
};

/** announce_clock - the clock. */
static inline struct clock *announce_clock(const struct announce *a)
{
    return a->env->clock;
}

/** announce_unix_ms - wall-clock time. */
static inline uint64_t announce_unix_ms(const struct announce *a)
{
    return announce_clock(a)->unix_ms(announce_clock(a));
}

/** announce_set - call @t->fire at @at. */
static inline void announce_set(const struct announce *a, struct timer *t,
                                struct mtime at)
{
    announce_clock(a)->set(announce_clock(a), t, at);
}

/* announce.c */

/** announce_plan_hurry - there is a new root: the sweep is to hurry soon. */
void announce_plan_hurry(struct announce *a, struct mtime now);

/* announce_roots.c */

/** announce_load_round - read @mark_ms and @round_ms. */
void announce_load_round(struct announce *a);

/** announce_save_round - put them into the rows, when they have changed. */
void announce_save_round(struct announce *a);

/** announce_flush_soon - the rows have changed. */
void announce_flush_soon(struct announce *a);

/** announce_on_flush - of @a->flush. */
void announce_on_flush(struct timer *t, struct mtime now);

/** announce_on_refill - of @a->refill. */
void announce_on_refill(struct timer *t, struct mtime now);

/** announce_is_full - no room for another root. */
bool announce_is_full(const struct announce *a);

/** announce_queue - @hash is to be announced; the caller has looked whether
 * there is room. */
void announce_queue(struct announce *a, const struct multihash *hash,
                    struct mtime now);

/** announce_refill - look for the roots that were pinned since @since_ms, unix
 * time. */
void announce_refill(struct announce *a, uint64_t since_ms, struct mtime now);

/** announce_start_roots - as many as may be under way, if on line. */
void announce_start_roots(struct announce *a, struct mtime now);

/** announce_drop_roots - forget all that wait or are under way. */
void announce_drop_roots(struct announce *a);

#endif /* NODE_ANNOUNCE_PRIV_H */
