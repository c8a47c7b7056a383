#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "env/clock.h"
#include "ipld/links.h"
#include "store/index.h"
#include "store/scan.h"
#include "store/segment.h"
#include "store/segs.h"
#include "store/store.h"
#include "store/writer.h"

/* What the files of the store share; nobody else includes this. */

struct block;

enum {
    COMMIT_BYTES = 64 * 1024 * 1024, /* written since the last commit */
    COMMIT_CHANGES = 32768,          /* index changes that wait */
    COMMIT_CHANGES_PAUSE = 2 * COMMIT_CHANGES, /* then collector, gc wait */
    COMMIT_CHANGES_MAX = 3 * COMMIT_CHANGES,   /* then no put is taken */
    /* A rebuild has no tail to keep short: large commits are quicker. */
    REBUILD_CHANGES = 8 * COMMIT_CHANGES,
    REBUILD_CHANGES_PAUSE = 2 * REBUILD_CHANGES,
    PUTS_RESUME = STORE_PUTS_MAX / 4 * 3,
    EVENTS_FIRST = 4, /* room at first; EVENTS_MAX is a multiple */
    EVENTS_MAX = 256,
    SLICE_STEPS = 256, /* of gc and collector in one turn */
    SPACE_ASK_MS = 1000,
    SPACE_ASK_BYTES = 64 * 1024 * 1024,
    LEASE_KEYS_MAX = 1024 * 1024,
    BACKGROUND_QUEUED_MAX = 8 * 1024 * 1024, /* then gc and rewrite wait */
    STATE_VERSION = 1,
};

/** struct location - where a block is, as the index says. */
struct location {
    struct store_place place; /* of the record */
    uint32_t length;
    uint32_t crc;
    uint8_t flags; /* enum record_flags */
};

/** struct totals - the row of the state table: what all commits keep true. */
struct totals {
    uint64_t blocks;
    uint64_t bytes;
    uint64_t counted_blocks; /* with refs */
    uint64_t counted_bytes;
    uint64_t quarantined;
    uint64_t queue_head; /* next root to take */
    uint64_t queue_tail;
    uint32_t stack_depth;
    uint32_t next_segment;
    bool rebuilding; /* the index does not hold everything yet */
    bool wrong;      /* ... or wrong things: it is to be made again */
};

/** struct space - what is free on the disk; asked in a job. */
struct space {
    struct disk *disk;
    struct disk_file *dir;
    struct pool_job job;
    bool busy;
    uint64_t free_bytes;
    uint64_t answer;
    enum err err;
    uint64_t asking_at;  /* what had been written when the job began */
    uint64_t written_at; /* ... the one that was answered */
    uint64_t gone;       /* segs.gone when the job began */
    struct mtime asked_at;
};

/** struct commit - when the index is committed. */
struct commit {
    struct timer timer;
    bool armed; /* the timer is set */
    bool due;   /* when everything up to @target is durable */
    uint64_t target;
    uint64_t bytes_since; /* written since the last one */
    struct list flushes;  /* struct store_op */
    struct list covered;  /* those that the commit under way ends */
    bool degraded;
};

/** struct collector - counts what pins reach; see collector.c. */
struct collector {
    struct timer timer;
    struct store_get_op get;
    bool reading;
    bool halted;         /* the index failed: nothing is counted any more */
    struct block *block; /* of the top of the stack, while it is expanded */
    struct links links;  /* of @block, as far as the item says */
    bool started;
    bool settled;
    bool settling_roots; /* pins are done, what was counted is compared */
    struct store_cursor settle_cursor;
    uint64_t pins_busy; /* changes of pins under way */
    struct list leases;
};

enum sweep_phase {
    SWEEP_NONE,
    SWEEP_WAIT,  /* until all is counted */
    SWEEP_FLUSH, /* so that the index can be walked */
    SWEEP_WALK,
    SWEEP_END,  /* the removals are made durable */
    SWEEP_GIVE, /* files in which nothing is alive any more go */
};

/** struct sweep - removes cache: all of it, or to make room. */
struct sweep {
    struct timer timer;
    struct store_op *gc; /* NULL: none */
    enum sweep_phase phase;
    struct store_op flush; /* before and after */
    bool flushing;
    struct store_cursor cursor;
    struct mtime give_until; /* no longer than that, whatever keeps them */

    struct list waiting; /* struct store_put_op that want room */
    uint64_t waiting_bytes;
    struct scan scan;
    struct pool_job job;
    bool scanning; /* the job is under way */
    bool open;     /* @scan has buffers, @segment is held */
    struct segment *segment;
    uint32_t number;   /* where the walk goes on: segment */
    uint32_t offset;   /* ... and place in it */
    uint32_t begun_at; /* segment where this walk began */
    bool wrapped;      /* it has come past the newest */
    uint64_t freed;
    bool sync_first; /* a walk over what is durable did not find enough */
    bool fruitless;  /* a whole walk freed nothing; nothing changed since */
};

/** struct rewrite - moves what is alive out of segments that mostly are not. */
struct rewrite {
    struct timer timer;
    struct scan scan;
    struct pool_job job;
    bool open;       /* @scan has buffers, @segment is held */
    bool busy;       /* the job is under way */
    bool has_window; /* @scan holds records that are not looked at */
    bool counting;   /* first walk: what would stay? */
    bool stop;
    uint32_t turned; /* the last that rewrite_turn() found; 0: none */
    struct segment *segment;
    size_t next;    /* record of the window to look at */
    uint64_t kept;  /* bytes of deletions that must stay */
    uint64_t moves; /* records appended and not yet durable */
    bool failed;
    bool flushing;
    struct store_op flush;
};

enum check_kind { CHECK_NONE, CHECK_VERIFY, CHECK_FSCK, CHECK_REBUILD };

/** struct probe - a row of the index whose record is looked for. */
struct probe {
    struct store_key key;
    struct location location;
    struct segment *segment; /* not for the job */
    struct disk_file *file;  /* NULL: to be opened */
    struct disk_file *opened;
    bool found;
};

enum { PROBES_MAX = 64, SUSPECTS_MAX = 1024 * 1024 };

/** struct check - verify, fsck and rebuild: walks over all segments. */
struct check {
    struct timer timer;
    struct store_check_op *op;
    struct store_check_op own; /* of a rebuild */
    enum check_kind kind;
    struct scan scan;
    struct pool_job job;
    bool open;
    bool busy; /* the job is under way */
    bool stop;
    struct segment *segment;
    struct store_op flush;
    bool flushing;
    struct store_place end; /* what was written when the walk began */
    bool tail;              /* fsck: on behind the place where it ended */
    uint32_t tail_offset;   /* ... which is this, in the last segment */
    struct map suspects;    /* fsck: records that the index does not name */
    bool second;            /* fsck: the walk over the index */
    bool gaps;              /* fsck: the index may know more than the records */
    bool wrong;             /* fsck: records contradict the index */
    struct store_cursor cursor;
    struct disk *disk; /* for the job, as all below */
    struct disk_file *dir;
    struct probe *probes; /* PROBES_MAX, from the first on */
    size_t probes_count;
    struct pool_job probe_job;
};

struct store {
    const struct env *env;
    struct disk *disk;
    struct disk_file *dir;
    struct clock *clock;
    struct pool *pool;
    struct kv *pins;
    uint32_t pins_table;
    struct store_config config; /* segment_bytes: of new segments */
    uint32_t segment_bytes_max; /* ... where no limit asks for less */

    struct segs segs;
    struct index index;
    struct totals totals;
    struct writer writer;
    struct commit commit;
    struct space space;
    struct collector collector;
    struct sweep sweep;
    struct rewrite rewrite;
    struct check check;

    struct timer turn; /* ends what could not end from inside a call */
    struct list ended_puts;
    struct list ended_gets;
    struct list ended_ops;
    size_t puts_busy;
    size_t gets_busy;
    bool want_writable;

    struct store_event *events; /* a ring */
    size_t events_room;
    size_t events_head;
    size_t events_count;
    struct store_problem *problems; /* STORE_PROBLEMS_MAX, from the first on */
    size_t problems_count;
    uint64_t problems_total;

    struct store_op *closing;
    struct store_op close_flush;
    enum err close_err;
    bool flushing;
    bool flushed;
    bool closed;
    /* The first commit of a new store has ended; before that no segment is
     * made, so that segments without an index mean that it was lost. */
    bool begun;
    uint64_t rebuilt_bytes;
    uint64_t replayed_bytes;
    uint64_t cut_bytes;
    bool was_rebuilt;
};

/* store.c */

/** store_wake - run the turn timer in the next turn. */
void store_wake(struct store *s);

/** store_tell - queue an event; the oldest goes when there are too many. */
void store_tell(struct store *s, enum store_event_kind kind, enum err err,
                const struct store_key *key);

/** store_add_problem - keep and tell a bad record; @key may be NULL. */
void store_add_problem(struct store *s, enum store_problem_kind kind,
                       struct store_place place, const struct store_key *key);

/** store_end_put - @op ends with @err in this turn or the next. */
void store_end_put(struct store *s, struct store_put_op *op, enum err err);

/** store_end_op - as store_end_put(). */
void store_end_op(struct store *s, struct store_op *op, enum err err);

/** store_deliver - calls done of what has ended; from the loop only. */
void store_deliver(struct store *s, struct mtime now);

/** store_check_closing - goes on with store_close() when it can. */
void store_check_closing(struct store *s);

/* blocks.c: the index of blocks. */

/** blocks_find - OK, E_NOTFOUND, E_IO, E_CORRUPT. */
MUST_USE enum err blocks_find(struct store *s, const struct store_key *key,
                              struct location *ret_location);

/** blocks_set - @key is at @to (NULL: nowhere) from now on; keeps totals.
 * Return: OK, E_IO, E_CORRUPT: nothing changed. */
MUST_USE enum err blocks_set(struct store *s, const struct store_key *key,
                             const struct location *to);

/** blocks_replay - the log says that @key was put at @to: blocks_set() unless
 * the index knows that or a later place.  The most frequent call of a start. */
MUST_USE enum err blocks_replay(struct store *s, const struct store_key *key,
                                const struct location *to);

/** blocks_mend - the row of @key, whose numbers are not those of its record, is
 * @to from now on.  Totals were those of the record all the time. */
void blocks_mend(struct store *s, const struct store_key *key,
                 const struct location *to);

/** blocks_delete - remove @key, which is at @at, and write that down. */
MUST_USE enum err blocks_delete(struct store *s, const struct store_key *key,
                                const struct location *at);

/** blocks_quarantine - the record at @at is bad: it is no longer served. */
void blocks_quarantine(struct store *s, const struct store_key *key,
                       const struct location *at, enum store_problem_kind kind);

/** blocks_refs - how many counted CIDs and direct pins name @key. */
MUST_USE enum err blocks_refs(struct store *s, const struct store_key *key,
                              uint32_t *ret_refs);

/** blocks_ref - one more, or less, of them. */
MUST_USE enum err blocks_ref(struct store *s, const struct store_key *key,
                             bool more);

/** location_size - bytes of the record of @key at @l. */
uint64_t location_size(const struct store_key *key, const struct location *l);

/** location_decode - value of the table of blocks; E_CORRUPT. */
MUST_USE enum err location_decode(struct bytes in,
                                  struct location *ret_location);

/** blocks_written - the writer says that a put or move is durable.
 * Return: OK; E_IO, E_CORRUPT: the index could not take it. */
MUST_USE enum err blocks_written(struct store *s,
                                 const struct write_record *rec);

/* commit.c */

/** commit_init - no flush waits. */
void commit_init(struct store *s);

/** commit_kick - start a commit if one is due and can start. */
void commit_kick(struct store *s);

/** commit_now - commit what there is, at once. */
void commit_now(struct store *s);

/** commit_later - something waits to be committed. */
void commit_later(struct store *s);

/** commit_flush - @op ends when all that was put before is committed. */
void commit_flush(struct store *s, struct store_op *op);

/** totals_decode - the row of the state table; E_CORRUPT, E_UNSUPPORTED. */
MUST_USE enum err totals_decode(struct bytes in, struct totals *ret_totals);

/* get.c */

/** get_end - @op, which was never started or was served from memory. */
void get_end(struct store *s, struct store_get_op *op, enum err err,
             struct mtime now);

/* room.c: limits. */

/** room_init - asks at once: before the loop runs. */
MUST_USE enum err room_init(struct store *s);

/** room_set_limits - see store_set_limits(); smaller segments where the limit
 * is small, since what is dead in the newest one stays on the disk. */
void room_set_limits(struct store *s, uint64_t limit_bytes,
                     uint64_t reserve_bytes);

/** room_for - OK or E_NOSPACE for @bytes more. */
MUST_USE enum err room_for(struct store *s, uint64_t bytes);

/** room_ask_again - ask how much is free now, since the last answer leaves no
 * room for @bytes; false when it is the limit that leaves none. */
bool room_ask_again(struct store *s, uint64_t bytes);

/** room_ask - ask how much is free when that is not known well. */
void room_ask(struct store *s);

/* collector.c */

/** collector_init - not started. */
void collector_init(struct store *s);

/** collector_start - begin to settle pins and counts. */
void collector_start(struct store *s);

/** collector_idle - nothing is to be counted: cache is known to be cache. */
bool collector_idle(const struct store *s);

/** collector_root - @key, of a pin, was made or removed: count what changed.
 */
MUST_USE enum err collector_root(struct store *s, struct bytes key);

/** collector_came - the block @key has come, after what links to it. */
void collector_came(struct store *s, const struct store_key *key);

/** collector_wake - there may be something to do. */
void collector_wake(struct store *s);

/** collector_release - end: gives back what it holds. */
void collector_release(struct store *s);

/* lease.c */

/** lease_protects - whether the block @key at @l may not be removed. */
bool lease_protects(const struct store *s, const struct store_key *key,
                    const struct location *l);

/** lease_note - @key was put under @l though it was there already. */
void lease_note(struct store_lease *l, const struct store_key *key);

/** lease_expire - frees those that ended and whose roots are counted. */
void lease_expire(struct store *s);

/** lease_release - frees all of them, ended or not. */
void lease_release(struct store *s);

/* open.c */

/** open_apply - put what a record of a segment says into the index.
 * Return: OK, E_IO, E_CORRUPT (the index). */
MUST_USE enum err open_apply(struct store *s, const struct scan_record *sr);

/* pins.c */

/** pin_key_decode - E_CORRUPT. */
MUST_USE enum err pin_key_decode(struct bytes key,
                                 enum store_pin_kind *ret_kind,
                                 struct cid *ret_cid, struct bytes *ret_tag);

/* gc.c */

/** sweep_init - nothing to remove. */
void sweep_init(struct store *s);

/** sweep_wake - cache may be removable, or room may be there. */
void sweep_wake(struct store *s);

/** sweep_wait - @op waits for room. */
void sweep_wait(struct store *s, struct store_put_op *op);

/** sweep_can - whether removing cache may make room. */
bool sweep_can(const struct store *s);

/** sweep_stop - cancel; true when nothing is under way any more. */
bool sweep_stop(struct store *s);

/* rewrite.c */

/** rewrite_init - nothing to rewrite. */
void rewrite_init(struct store *s);

/** rewrite_wake - a commit has ended: look for segments to rewrite. */
void rewrite_wake(struct store *s);

/** rewrite_turn - the newest segment too is rewritten when most of it is
 * dead, and it is worth a new one. */
void rewrite_turn(struct store *s);

/** rewrite_waits - whether a file goes soon: nothing in it is alive, or it was
 * the newest at rewrite_turn(). */
bool rewrite_waits(const struct store *s);

/** rewrite_moved - a record that it appended is durable or has failed. */
void rewrite_moved(struct store *s, enum err err);

/** rewrite_stop - as sweep_stop(). */
bool rewrite_stop(struct store *s);

/* check.c */

/** check_init - no walk is under way. */
void check_init(struct store *s);

/** check_rebuild - fill the index from the segments. */
void check_rebuild(struct store *s);

/** check_stop - as sweep_stop(). */
bool check_stop(struct store *s);

/* store.c again */

/** store_free_tables - what store.c and check.c have allocated. */
void store_free_tables(struct store *s);

/** store_put_now - queue @op, for which there is room. */
void store_put_now(struct store *s, struct store_put_op *op);

#endif /* STORE_STORE_PRIV_H */
