#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "env/kv.h"
#include "env/pool.h"
#include "multiformats/cid.h"

/*
 * store - keeps blocks on disk, and knows which of them somebody wants.
 *
 * Bytes lie in append-only segments; an index in a kv says where.  What is
 * reached from a pin or an object has a count and stays; everything else is
 * cache, which goes when room is needed or store_gc() is called.
 *
 * Blocks are kept under their multihash: CIDs that differ in version or codec
 * name the same stored bytes.  Counts belong to CIDs, since the codec says
 * which blocks a block links to.
 *
 * Operations: the caller's struct stays put from the call that starts it until
 * its @done, which is called exactly once, on the loop, never from inside a
 * call.  When the call that starts it fails, @done is not called.
 *
 * Threads: loop only.  File format and invariants: docs/design/0002.
 */

struct block;
struct env;
struct store;
struct store_lease;

enum {
    STORE_SEGMENT_BYTES = 1024 * 1024 * 1024,  /* default size */
    STORE_SEGMENT_BYTES_MIN = 4096,            /* for tests */
    STORE_QUEUED_BYTES_MAX = 32 * 1024 * 1024, /* accepted, not written */
    STORE_PUTS_MAX = 65536,                    /* puts under way */
    STORE_GETS_MAX = 1024,                     /* gets under way */
    STORE_PIN_NAME_MAX = 128,                  /* bytes */
    STORE_PIN_TAG_MAX = 64,                    /* bytes */
    STORE_PROBLEMS_MAX = 256,                  /* kept in the list */
    STORE_PIN_KEY_MAX = 1 + CID_BYTES_MAX + STORE_PIN_TAG_MAX,
};

/** enum store_table - tables of the index, in the order of
 * store_index_tables. */
enum store_table {
    STORE_TABLE_STATE,      /* one row: totals, queue ends */
    STORE_TABLE_SEGMENTS,   /* number: covered offset, live bytes */
    STORE_TABLE_BLOCKS,     /* multihash: location */
    STORE_TABLE_COUNTS,     /* CID: count */
    STORE_TABLE_REFS,       /* multihash: how many counted CIDs and pins */
    STORE_TABLE_ROOTS,      /* pin key: counted */
    STORE_TABLE_QUEUE,      /* sequence number: root to count or uncount */
    STORE_TABLE_STACK,      /* depth: what is left of the root under way */
    STORE_TABLE_QUARANTINE, /* multihash: location of the bad record */
    STORE_TABLES_COUNT,
};

/** store_index_tables - names to open the index with. */
extern const char *const store_index_tables[STORE_TABLES_COUNT];

/** struct store_config - see docs/design/0002 for what each limit is for. */
struct store_config {
    uint64_t limit_bytes;   /* of all records together; 0: none */
    uint64_t reserve_bytes; /* kept free on the disk */
    uint32_t segment_bytes; /* 0: STORE_SEGMENT_BYTES */
    uint32_t rewrite_rate;  /* bytes a second of background work; 0: 64 MiB */
    uint32_t files_max;     /* open segments; 0: 128 */
    uint32_t commit_ms;     /* longest wait of an index entry; 0: 2000 */
    bool only_reads;        /* nothing on disk is changed */
};

/** struct store_tables - where the store keeps its rows. */
struct store_tables {
    struct kv *index; /* opened with store_index_tables, for it alone */
    struct kv *pins;  /* the node's database, of which one table is its */
    uint32_t pins_table;
};

/**
 * store_open - open or create the store in directory @path; synchronous, before
 * the loop runs.
 * @path: existing directory; copied.
 * @config: copied.
 * @tables: copied; what it names outlives the store.
 *
 * Replays what the index does not cover.  An index that is empty though there
 * are segments is filled from them in the background: store_stats tells
 * @rebuilding until STORE_EVENT_REBUILT, and until then puts get E_AGAIN and
 * nothing is collected.
 *
 * With only_reads nothing of this is written: what the index does not cover
 * waits in memory, nothing is counted, and what would change something must not
 * be called (asserted).  Several processes may have one store open like that.
 *
 * Return: OK; E_IO, E_REFUSED, E_NOSPACE; E_UNSUPPORTED for a segment or index
 * of a newer format; E_CORRUPT for an index that cannot be read: remove it,
 * open an empty one and call again; E_AGAIN with only_reads, where the index
 * was lost: it has to be opened to write first.
 */
MUST_USE enum err store_open(const struct env *env, const char *path,
                             const struct store_config *config,
                             const struct store_tables *tables,
                             struct store **ret_store);

/** store_free - frees @s; NULL does nothing.  No operation may be under way
 * (asserted): store_close() first. */
void store_free(struct store *s);

/** enum store_event_kind - what store_next() tells. */
enum store_event_kind {
    STORE_EVENT_WRITABLE,    /* after an E_AGAIN: puts are taken again */
    STORE_EVENT_QUARANTINED, /* @hash was bad on disk: fetch it again */
    STORE_EVENT_DEGRADED,    /* the index cannot be committed: @err */
    STORE_EVENT_RECOVERED,   /* ... and now it can */
    STORE_EVENT_REBUILT,     /* the index is complete again */
    STORE_EVENT_SETTLED,     /* all pins are counted: gc can work */
    STORE_EVENT_PROBLEM,     /* a bad record: see store_problem() */
};

struct store_event {
    enum store_event_kind kind;
    enum err err;
    struct multihash hash;
};

/** store_next - next event, drained once a turn.  Return: false: none. */
bool store_next(struct store *s, struct store_event *ret_event);

/* Blocks. */

/** store_has - whether store_get() would find the block.  O(1). */
bool store_has(struct store *s, const struct multihash *hash);

/** struct store_stat - what is known of a stored block. */
struct store_stat {
    uint32_t segment;
    uint32_t offset; /* of its record */
    uint32_t length; /* of the block, bytes */
    bool keep;       /* it was put with STORE_KEEP */
    bool counted;    /* something pinned reaches it */
};

/** store_stat - E_NOTFOUND, E_IO, E_CORRUPT (the index). */
MUST_USE enum err store_stat(struct store *s, const struct multihash *hash,
                             struct store_stat *ret_stat);

/** struct store_get_op - one read under way; caller's memory. */
struct store_get_op {
    /**
     * @done: ended: OK with @block, whose reference is the callee's; E_IO;
     * E_CORRUPT: the record is bad and quarantined; E_NOTFOUND: removed
     * meanwhile.
     */
    void (*done)(struct store_get_op *op, enum err err, struct block *block,
                 struct mtime now);

    struct store *store;      /* private */
    struct cid cid;           /* private */
    struct pool_job job;      /* private */
    struct segment *segment;  /* private */
    struct disk *disk;        /* private: for the job, as all below */
    struct disk_file *dir;    /* private */
    struct disk_file *file;   /* private */
    struct disk_file *opened; /* private: by the job, for the loop to keep */
    struct block *ready;      /* private */
    struct buf *buf;          /* private */
    uint32_t number;          /* private */
    uint32_t offset;          /* private */
    uint32_t data_at;         /* private */
    uint32_t crc;             /* private */
    uint32_t found_length;    /* private: of the record that lies there */
    uint32_t found_crc;       /* private */
    uint8_t found_flags;      /* private */
    bool is_found;            /* private: it is the block's */
    enum err err;             /* private */
    bool retried;             /* private */
    struct list link;         /* private */
};

/**
 * store_get - start reading the block that @cid names.
 * @cid: copied; its block carries it.  An identity CID is its own block.
 *
 * Return: OK; E_NOTFOUND; E_AGAIN over STORE_GETS_MAX; E_IO, E_CORRUPT (the
 * index).
 */
MUST_USE enum err store_get(struct store *s, struct store_get_op *op,
                            const struct cid *cid);

/** struct store_put_op - one write under way; caller's memory. */
struct store_put_op {
    /** @done: OK: stored; E_IO, E_NOSPACE: it is not. */
    void (*done)(struct store_put_op *op, enum err err, struct mtime now);

    struct store *store;       /* private */
    struct block *block;       /* private */
    struct store_lease *lease; /* private */
    unsigned flags;            /* private */
    enum err err;              /* private */
    struct list link;          /* private */
};

enum store_put_flags {
    STORE_CACHE = 0,    /* nobody asked to keep it */
    STORE_KEEP = 1,     /* it stays while the lease lasts */
    STORE_UNSYNCED = 2, /* done when readable; store_sync() makes it durable */
};

/**
 * store_put - start storing @block.
 * @lease: with STORE_KEEP, and only then; it outlives the operation.
 *
 * The store takes its own reference.  A block that is there already is not
 * written again.  Done: durable, or with STORE_UNSYNCED: readable.
 *
 * Return: OK; E_AGAIN when STORE_QUEUED_BYTES_MAX or STORE_PUTS_MAX would be
 * passed or the index is being rebuilt (STORE_EVENT_WRITABLE follows);
 * E_NOSPACE when a limit would be passed and there is no cache to remove;
 * E_IO, E_CORRUPT (the index).
 */
MUST_USE enum err store_put(struct store *s, struct store_put_op *op,
                            struct block *block, unsigned flags,
                            struct store_lease *lease);

/** struct store_op - an operation without a block; caller's memory. */
struct store_op {
    void (*done)(struct store_op *op, enum err err, struct mtime now);
    uint64_t blocks; /* gc: blocks removed */
    uint64_t bytes;  /* gc: bytes of their records */

    struct store *store; /* private */
    uint64_t log_end;    /* private */
    uint64_t epoch;      /* private */
    enum err err;        /* private */
    struct list link;    /* private */
};

/** store_epoch - taken before the first unsynced put of a series; for
 * store_sync(). */
uint64_t store_epoch(const struct store *s);

/**
 * store_sync - everything that was put is made durable.
 * @epoch: store_epoch() from before the first put that matters.
 *
 * Done: OK; E_IO, E_NOSPACE; E_IO too when an unsynced put that had been told
 * OK was lost since @epoch.
 */
void store_sync(struct store *s, struct store_op *op, uint64_t epoch);

/** store_flush - store_sync(), and the index is committed: store_iter() then
 * finds all blocks. */
void store_flush(struct store *s, struct store_op *op);

/** store_close - end background work, flush.  Done: OK or what failed; after
 * that only store_free() is allowed. */
void store_close(struct store *s, struct store_op *op);

/** struct store_cursor - where an iteration stands; all zero: at the start. */
struct store_cursor {
    uint8_t key[STORE_PIN_KEY_MAX]; /* private */
    size_t len;                     /* private */
};

/** store_iter - next block in the order of multihashes, of those whose entries
 * are committed.  Return: OK; E_NOTFOUND at the end; E_IO, E_CORRUPT. */
MUST_USE enum err store_iter(struct store *s, struct store_cursor *cursor,
                             struct multihash *ret_hash,
                             struct store_stat *ret_stat);

/**
 * store_remove - remove one block of the cache, at once and for ever.
 *
 * Done: OK: it is gone from the medium's index; E_IO, E_NOSPACE.
 *
 * Return: OK; E_NOTFOUND; E_REFUSED when something pinned reaches it or a
 * lease protects it; E_AGAIN while pins are being counted; E_IO, E_CORRUPT.
 */
MUST_USE enum err store_remove(struct store *s, struct store_op *op,
                               const struct multihash *hash);

/** store_quarantined - next block whose record is bad and that has not come
 * again, of those whose entries are committed: store_flush() first.
 * Return: OK; E_NOTFOUND at the end; E_IO, E_CORRUPT. */
MUST_USE enum err store_quarantined(struct store *s,
                                    struct store_cursor *cursor,
                                    struct multihash *ret_hash);

/* Leases. */

/** store_lease_new - blocks put under it from now on are not collected. */
MUST_USE struct store_lease *store_lease_new(struct store *s);

/** store_lease_keep - protects a block that is there already. */
void store_lease_keep(struct store_lease *l, const struct multihash *hash);

/** store_lease_end - gives @l up.  It protects until everything that was
 * pinned or unpinned before has been counted.  NULL does nothing. */
void store_lease_end(struct store_lease *l);

/* Pins. */

enum store_pin_kind {
    STORE_PIN_RECURSIVE = 1, /* the block and all that it reaches */
    STORE_PIN_DIRECT = 2,    /* the block alone */
    STORE_PIN_OBJECT = 3,    /* as recursive, kept by contract; @tag: owner */
};

struct store_pin {
    enum store_pin_kind kind;
    struct cid cid;
    struct bytes tag;    /* at most STORE_PIN_TAG_MAX; part of what names it */
    struct bytes name;   /* at most STORE_PIN_NAME_MAX; UTF-8 as given */
    uint64_t created_ms; /* unix */
};

/** struct store_pin_op - one change of a pin under way; caller's memory. */
struct store_pin_op {
    /** @done: OK: durable; E_IO, E_NOSPACE, E_CORRUPT: nothing changed. */
    void (*done)(struct store_pin_op *op, enum err err, struct mtime now);

    struct store *store;                    /* private */
    struct kv_batch batch;                  /* private */
    struct kv_change change;                /* private */
    uint8_t key[STORE_PIN_KEY_MAX];         /* private */
    uint8_t value[16 + STORE_PIN_NAME_MAX]; /* private */
};

/**
 * store_pin - start pinning; a pin that is there gets the new name.
 * @pin: copied.  The block need not be here: what it reaches is counted when
 * it comes.
 *
 * Return: OK; E_LIMIT for a name or tag that is too long.
 */
MUST_USE enum err store_pin(struct store *s, struct store_pin_op *op,
                            const struct store_pin *pin);

/** store_unpin - start removing the pin of @kind, @cid and @tag.
 * Return: OK; E_NOTFOUND; E_IO, E_CORRUPT. */
MUST_USE enum err store_unpin(struct store *s, struct store_pin_op *op,
                              const struct store_pin *pin);

/** store_pin_get - completes @pin, of which kind, cid and tag are given.
 * Views in it are valid until the next turn.
 * Return: OK; E_NOTFOUND; E_IO, E_CORRUPT. */
MUST_USE enum err store_pin_get(struct store *s, struct store_pin *pin);

/** store_pin_next - next pin in order.  Views: valid until the next turn.
 * Return: OK; E_NOTFOUND at the end; E_IO, E_CORRUPT. */
MUST_USE enum err store_pin_next(struct store *s, struct store_cursor *cursor,
                                 struct store_pin *ret_pin);

/* Upkeep. */

/** store_gc - waits until all is counted, then removes all cache that no lease
 * protects, in slices.  @op->blocks and @op->bytes tell what went.
 * Done: OK; E_CANCELED by store_close(); E_IO, E_CORRUPT.
 * Return: OK; E_AGAIN while another gc is under way. */
MUST_USE enum err store_gc(struct store *s, struct store_op *op);

/** enum store_problem_kind - what is wrong with a record. */
enum store_problem_kind {
    STORE_BAD_SEGMENT, /* its header cannot be read */
    STORE_BAD_RECORD,  /* no record where one should be */
    STORE_BAD_BYTES,   /* crc32c of the bytes differs */
    STORE_BAD_HASH,    /* crc32c is right, the hash is not */
    STORE_MISSING,     /* the index names a record that is not there */
    STORE_ORPHANED,    /* a record that the index should name but does not */
};

struct store_problem {
    enum store_problem_kind kind;
    uint32_t segment;
    uint32_t offset;
    struct multihash hash; /* length 0 where unknown */
};

/** store_problem - number @i of those kept, oldest first.
 * Return: false: there are not so many. */
bool store_problem(const struct store *s, size_t i,
                   struct store_problem *ret_problem);

/**
 * struct store_check_op - a walk over all segments; caller's memory.
 *
 * Counters are up to date while it runs, so that progress can be shown.
 */
struct store_check_op {
    void (*done)(struct store_check_op *op, enum err err, struct mtime now);
    uint64_t segments; /* walked */
    uint64_t records;  /* good ones, deletions too */
    uint64_t blocks;   /* that the index names and that are good */
    uint64_t bytes;    /* walked */
    uint64_t bad;      /* records; each is a problem */
    uint64_t missing;  /* fsck: named by the index, absent; each a problem */
    uint64_t orphaned; /* fsck: each a problem */
    uint32_t segment;  /* where it stands; verify: begin here */
    uint32_t offset;   /* so that a later call can go on */
    bool stop;         /* set it to end the walk: E_CANCELED */

    struct store *store; /* private */
};

/**
 * store_verify - hash every block again, in slices, throttled.
 * @op: @segment and @offset say where to begin: zero, or from an earlier walk.
 *
 * Bad blocks are quarantined and told by events.
 * Return: OK; E_AGAIN while another walk is under way.
 */
MUST_USE enum err store_verify(struct store *s, struct store_check_op *op);

/** store_fsck - compare the structure of all segments with the index, after a
 * flush.  Where it is the index that is wrong, this is noted: the next
 * store_open() returns E_CORRUPT.  Changes nothing else.
 * Return: as store_verify(). */
MUST_USE enum err store_fsck(struct store *s, struct store_check_op *op);

/** struct store_stats - numbers of now. */
struct store_stats {
    uint64_t blocks;         /* stored, those under way included */
    uint64_t bytes_used;     /* their records: what limits and bills count */
    uint64_t bytes_limit;    /* 0: none */
    uint64_t bytes_on_disk;  /* of all segments */
    uint64_t bytes_free;     /* of the disk, when last asked */
    uint64_t cache_blocks;   /* without a count */
    uint64_t cache_bytes;    /* their records */
    uint64_t pins;           /* of all kinds */
    uint64_t queue;          /* roots still to be counted */
    uint64_t pending;        /* index changes not yet committed */
    uint64_t quarantined;    /* bad records whose block has not come again */
    uint64_t problems;       /* found since the start */
    uint64_t rebuilt_bytes;  /* progress of a rebuild, of bytes_on_disk */
    uint64_t replayed_bytes; /* at start, behind the covered offsets */
    uint64_t cut_bytes;      /* torn tail that the start removed */
    uint32_t segments;
    bool degraded;    /* index changes cannot be committed */
    bool rebuilding;  /* the index is being filled from segments */
    bool settled;     /* pins and counts agree: the collector may work */
    bool was_rebuilt; /* a rebuild was needed at this start */
};

/** store_stats - fills @ret_stats. */
void store_stats(struct store *s, struct store_stats *ret_stats);

/** store_set_limits - new limits from now on; what is over them stays. */
void store_set_limits(struct store *s, uint64_t limit_bytes,
                      uint64_t reserve_bytes);

#endif /* STORE_STORE_H */
