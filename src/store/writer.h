#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "env/pool.h"
#include "store/segment.h"

struct disk_file;
struct segment;
struct store;
struct store_op;
struct store_put_op;
struct write_job;

/*
 * writer - appends records to the newest segment, and makes them durable.
 *
 * Positions in the log count the bytes of all records since the start:
 *
 *   synced <= written <= assigned <= queued
 *
 * 1. Records are written in the order in which they were queued, each at the
 *    place that follows its predecessor's; WRITE_JOBS_MAX jobs at most run.
 * 2. A record is readable when all before it have been written, and durable
 *    when a sync that began after that has ended.
 * 3. A new segment is begun when no write job runs; it may be written while
 *    the one before is not synced yet, but a sync covers the older first, and
 *    a third is not begun before the first is synced.
 * 4. After a failure everything behind the last good place is cut off and
 *    fails, before anything else is written.
 */
enum {
    WRITE_JOBS_MAX = 2,
    WRITE_JOB_BYTES = 8 * 1024 * 1024,
    WRITE_JOB_RECORDS = 4096,
    WRITE_SECOND_BYTES = 4 * 1024 * 1024, /* waiting: worth a second job */
};

enum write_kind {
    WRITE_PUT,
    WRITE_MOVE, /* as a put, of a record that is elsewhere */
    WRITE_DELETION,
};

enum write_state {
    WRITE_QUEUED,
    WRITE_WRITING,
    WRITE_WRITTEN,
};

/** struct write_record - one record under way. */
struct write_record {
    struct map_node node; /* of a put: in writer.keys */
    struct list link;
    struct list ops; /* struct store_put_op that end with it */
    enum write_kind kind;
    enum write_state state;
    struct record record;
    struct store_place place; /* once assigned */
    struct store_place from;  /* of a move */
    struct slice data;
    uint64_t log_end;
    bool told; /* an unsynced put of it has ended with OK */
    uint8_t deletion[RECORD_DELETION_BYTES];
    uint8_t header[RECORD_HEADER_MAX]; /* filled by the job */
};

struct writer {
    struct store *store;
    struct list queue;  /* struct write_record, not in a job yet */
    struct list flying; /* in a job, or written and not durable */
    struct map keys;    /* puts in both */
    uint64_t queued;    /* positions in the log */
    uint64_t assigned;
    uint64_t written;
    uint64_t synced;
    uint64_t wanted;    /* what somebody waits for to be durable */
    uint64_t put_bytes; /* of puts that are not durable yet, and counted */
    uint64_t put_blocks;

    struct segment *segment;  /* NULL: begin a new one */
    uint32_t append;          /* where the next job writes in it */
    uint32_t written_at;      /* end of what has been written in it */
    struct segment *previous; /* not synced to its end; NULL: none */
    uint64_t previous_end;    /* log position of its end */
    bool dir_changed;         /* a segment was made since the last dir sync */

    struct write_job *jobs[WRITE_JOBS_MAX];
    size_t jobs_count;
    struct sync_job *sync; /* under way, or NULL */
    struct roll_job *roll;
    struct cut_job *cut;
    enum err failed; /* OK, or why everything unfinished is cut off */
    bool sync_failed;
    struct list syncs; /* struct store_op */
    uint64_t epoch;
};

/** writer_init - no segment is open. */
void writer_init(struct writer *w, struct store *s,
                 const uint8_t seed[static 16]);

/** writer_release - nothing is under way any more. */
void writer_release(struct writer *w);

/** writer_continue - append to @g, which is synced, from its size on. */
void writer_continue(struct writer *w, struct segment *g);

/** writer_find - the put of @key under way, or NULL. */
struct write_record *writer_find(const struct writer *w,
                                 const struct store_key *key);

/** writer_put - queue a put; @data: its reference passes. */
struct write_record *writer_put(struct writer *w, const struct store_key *key,
                                uint8_t flags, struct slice data);

/** writer_move - queue a copy of the record at @from. */
void writer_move(struct writer *w, const struct record *r,
                 struct store_place from, struct slice data);

/** writer_delete - queue a deletion of the record of @key at @target. */
void writer_delete(struct writer *w, const struct store_key *key,
                   struct store_place target);

/** writer_want - make everything up to @log_end durable. */
void writer_want(struct writer *w, uint64_t log_end);

/** writer_pump - start whatever can start. */
void writer_pump(struct writer *w);

/** writer_turn - begin another segment, so that what is dead in this one can
 * be given back; does nothing while something is under way. */
void writer_turn(struct writer *w);

/** writer_place - where the next record that is queued will be, at the
 * earliest. */
struct store_place writer_place(const struct writer *w);

/** writer_backlog - bytes queued and not written. */
uint64_t writer_backlog(const struct writer *w);

/** writer_idle - nothing is under way. */
bool writer_idle(const struct writer *w);

/** writer_uses - whether @g is being written. */
bool writer_uses(const struct writer *w, const struct segment *g);

#endif /* STORE_WRITER_H */
