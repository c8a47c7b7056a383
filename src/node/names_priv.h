#ifndef NODE_NAMES_PRIV_H
#define NODE_NAMES_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/kv.h"
#include "multiformats/peer_id.h"
#include "node/dht.h"
#include "node/names.h"

/*
 * What names.c, the records that are kept and cached, and names_ops.c, the
 * questions and changes, share.  Private to them.
 */

enum {
    NAMES_RETRY_MS = 2000,          /* after a put that failed, at first */
    NAMES_RETRY_MAX_MS = 60 * 1000, /* and later, twice as long each time */
};

/* A record that we keep up. */
struct kept {
    struct map_node node;
    struct peer_id name;
    struct buf *record;
    struct mtime due;  /* when it is put again */
    uint32_t retry_ms; /* until it is tried again, if it fails now */
};

/* A record of somebody else, as long as it says. */
struct cached {
    struct map_node node;
    struct peer_id name;
    struct buf *record;
    struct mtime until;
};

/* A row being written; lives until the kv has answered. */
struct name_row {
    struct kv_batch batch;
    struct kv_change change;
    struct names *names;
    struct name_op *op; /* NULL: nobody waits */
    struct peer_id name;
    struct buf *value;
};

struct names {
    struct node *node;
    struct env *env;
    struct kv *kv;
    uint32_t table;
    struct peer_id self;
    struct map kept;
    struct map cached;
    struct list ops;
    size_t rows; /* being written */
    bool online;
    struct timer timer; /* of the upkeep */
    struct dht_op up;
    struct peer_id up_name; /* whose record it puts */
    bool is_up;             /* @up is under way */
};

/** names_unix_ms - wall-clock time. */
static inline uint64_t names_unix_ms(const struct names *s)
{
    return s->env->clock->unix_ms(s->env->clock);
}

/** names_now - of this turn. */
static inline struct mtime names_now(const struct names *s)
{
    return s->env->clock->now(s->env->clock);
}

/* names.c */

/** names_kept - what is kept of @name, or NULL. */
struct kept *names_kept(const struct names *s, const struct peer_id *name);

/** names_keep - @record is what is kept of @name from now on, in memory.  Whose
 * put is due is for the caller to say, where it is new. */
struct kept *names_keep(struct names *s, const struct peer_id *name,
                        struct buf *record);

/** names_write_row - write a record; NULL: the row goes.
 * @op: hears by names_on_written(); or NULL. */
void names_write_row(struct names *s, const struct peer_id *name,
                     struct buf *record, struct name_op *op);

/** names_cached - what is cached of @name, perhaps for too long; or NULL. */
struct cached *names_cached(const struct names *s, const struct peer_id *name);

/** names_drop_cached - forget it; NULL does nothing. */
void names_drop_cached(struct names *s, struct cached *c);

/** names_cache - keep @record for as long as it says. */
void names_cache(struct names *s, const struct peer_id *name,
                 struct buf *record, struct mtime now);

/** names_is_valid - whether @record, which may be NULL, speaks for @name. */
bool names_is_valid(const struct names *s, const struct peer_id *name,
                    const struct buf *record);

/** names_compare - above 0 when @a is better; one that is none, or NULL, is the
 * worst. */
int names_compare(const struct buf *a, const struct buf *b);

/** names_make - a record of our own; NULL when it would be too long. */
MUST_USE struct buf *names_make(const struct names *s, struct bytes value,
                                uint64_t sequence, uint64_t ttl_ns);

/** names_renew - our own record @k with a later end, unless it has been made
 * just now. */
void names_renew(struct names *s, struct kept *k);

/** names_set_upkeep - something kept is due at another time. */
void names_set_upkeep(struct names *s);

/** names_note_put - a put has ended with @err: when it is time for the next. */
void names_note_put(struct kept *k, enum err err, struct mtime now);

/* names_ops.c */

/** names_on_written - the row of @op is durable, or not. */
void names_on_written(struct name_op *op, enum err err, struct mtime now);

#endif /* NODE_NAMES_PRIV_H */
