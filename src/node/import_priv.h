#ifndef NODE_IMPORT_PRIV_H
#define NODE_IMPORT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "env/disk.h"
#include "env/pool.h"
#include "node/import.h"
#include "node/storing.h"
#include "unixfs/dir_builder.h"
#include "unixfs/file_builder.h"

/*
 * The parts of an import:
 *
 *   planner (import_plan.c)   walks the folders in order, and cuts files into
 *                             pieces, which it gives to pool jobs
 *   jobs                      list a folder (import_dir.c); read and hash a
 *                             piece (import_piece.c)
 *   maker (import_make.c)     takes what the jobs did, in the order in which
 *                             it was planned, and makes blocks of it
 *   import.c                  life, failure, the end
 *   import_stream.c           pieces out of bytes that the caller brings
 *
 * Invariants:
 *  1. @steps holds pieces and ends of folders in the order of the result.  The
 *     planner appends, the maker removes the first, when its job is done.
 *  2. @busy counts jobs under way and calls of import_pump() on the stack.  The
 *     struct is freed when import_free() was called and it is zero: whatever a
 *     job touches outlives it.
 *  3. A folder is open while @users of it is not zero: the planner's hold until
 *     all its entries are planned, and each job that opens something in it.
 *  4. A piece is taken only while the bytes of all pieces in use and of blocks
 *     that are not written yet stay under IMPORT_MEMORY_MAX.
 */

enum {
    IMPORT_PIECE_BYTES = 1024 * 1024, /* wanted in one job */
    IMPORT_LEAVES_MAX = 256,          /* of one piece */
    IMPORT_SECTIONS_MAX = 64,         /* files of one piece */
    IMPORT_JOBS_MAX = 4,              /* pieces being read or hashed at once */
    IMPORT_MEMORY_MAX = 24 * 1024 * 1024,
    IMPORT_DEPTH_MAX = 512,  /* folders within each other: each is open */
    IMPORT_AHEAD_MAX = 8,    /* folders listed before the planner comes */
    IMPORT_AHEAD_OF_ONE = 4, /* of these in one folder */
    IMPORT_STEPS_MAX = 256,
    IMPORT_DIR_BLOCKS_AT_ONCE = 32,   /* made before the loop turns */
    IMPORT_DIR_ENTRIES_AT_ONCE = 4096 /* sorted without a job */
};

enum import_state {
    IMPORT_RUNNING,
    IMPORT_FINISHING, /* all is made; the store syncs and pins */
    IMPORT_STORED,    /* @done was not called yet */
    IMPORT_FAILED,    /* @done was not called yet */
    IMPORT_ENDED,     /* it was called, or import_free() */
};

/** struct import_step - something that the maker takes in order. */
struct import_step {
    struct list link;
    enum {
        IMPORT_STEP_PIECE,
        IMPORT_STEP_DIR_END,
        IMPORT_STEP_STREAM_END
    } kind;
};

/** struct import_entry - a name in a folder. */
struct import_entry {
    const char *name; /* in @names of its folder */
    uint64_t size_bytes;
    enum disk_kind kind;
};

/** struct import_dir - a folder, from its listing until its blocks are made.
 * The top one is no folder: its entries are the paths that were asked for. */
struct import_dir {
    struct import *im;
    struct import_dir *parent; /* outlives it; NULL: the top */
    size_t index;              /* its entry in @parent */
    size_t depth;
    struct list link; /* in the import's list of all */

    struct disk *disk;
    struct disk_file *file; /* NULL: closed, or the top */
    size_t users;           /* who need @file, see 3 */
    bool listing;           /* @file is a job's to set */
    bool planned;           /* the planner's hold was given up */
    struct pool_job job;    /* opens and lists; sorts */
    struct pool_job closer;
    bool closing;

    char *names;
    struct import_entry *entries; /* in the order of names; the top: as asked */
    size_t count;
    uint64_t bytes; /* of all entries that are files */
    bool no_hidden;
    enum err err;     /* of the job */
    size_t err_index; /* entry that it concerns; @count: the folder itself */
    bool changed;     /* it is no folder any more */

    bool listed;
    struct list ahead_link; /* in @ahead of the import */
    size_t ahead_next;      /* planner: first entry not looked at ahead */
    size_t ahead_count;     /* folders in it that are listed ahead */

    size_t next;     /* planner: entry that comes next */
    uint64_t offset; /* planner: bytes of it that are planned */

    struct import_step end;
    struct dir_builder builder;
    enum { IMPORT_DIR_OPEN, IMPORT_DIR_SORTING, IMPORT_DIR_SORTED } made;
    bool ended;           /* all its blocks are made */
    uint64_t files_bytes; /* contents below */
};

/** struct import_leaf - one chunk in a piece. */
struct import_leaf {
    size_t at;       /* where its block begins in the buf */
    size_t len;      /* of the block */
    size_t file_len; /* of the chunk */
    uint8_t digest[32];
};

/** struct import_section - the part of a piece that is of one file. */
struct import_section {
    size_t index; /* of the entry in the folder */
    const char *name;
    enum disk_kind kind;
    bool is_first; /* it begins the file */
    bool is_last;  /* it ends the file */
    uint64_t offset;
    size_t leaves_first;
    size_t leaves_count;
    struct disk_stat stat; /* in: size_bytes expected; out */
    enum err err;
    bool changed; /* with an err: it is not what was listed */
};

/** struct import_piece - about a MiB on its way from the disk to blocks. */
struct import_piece {
    struct import_step step;
    struct pool_job job;
    struct import *im;
    struct import_dir *dir; /* NULL: of a stream */
    struct disk *disk;
    struct buf *buf;
    bool framed; /* a leaf is more than its chunk */
    bool done;
    size_t sections_count;
    size_t leaves_count;
    size_t section_next; /* maker */
    size_t leaf_next;    /* maker */
    struct import_section sections[IMPORT_SECTIONS_MAX];
    struct import_leaf leaves[IMPORT_LEAVES_MAX];
};

/** struct import - one import. */
struct import {
    struct import_config config;
    struct node *node;
    struct disk *disk;
    struct pool *pool;
    struct clock *clock;
    struct storing *storing; /* NULL: only hash */
    enum import_state state;
    bool freed;
    bool paused; /* nothing is made: who hears of it is slow */
    size_t busy;
    char *pin_name;
    struct timer kick; /* import_pump() in the next turn */
    struct import_progress progress;
    enum err err;
    struct fault fault;
    char *path; /* the last that was built */
    size_t path_room;

    struct list dirs;
    struct list steps;
    size_t steps_count;

    /* Pieces. */
    struct list spares; /* not in use; the store may still read their bufs */
    size_t spares_count;
    size_t pieces_used;
    size_t jobs;       /* pieces that a job has */
    size_t piece_room; /* of a buf */
    size_t piece_leaves;

    /* Planner. */
    struct import_dir *walk; /* NULL: all is planned */
    struct list ahead;       /* folders that come later, listed or being so */
    size_t ahead_count;

    /* Maker. */
    struct file_builder file; /* of more than one leaf */
    bool in_file;
    struct disk_stat file_stat;
    struct cid *roots;
    size_t roots_count;

    /* Stream. */
    bool is_stream; /* its end was not made yet */
    bool stream_ended;
    struct import_dir *stream; /* the top; its only entry */
    struct import_piece *filling;
    size_t filled; /* bytes of the chunk that is being filled */
    struct import_step stream_end;
    uint64_t stream_bytes;
    bool want_ready;
};

/* import.c */

/** import_new - an import that has nothing to do yet. */
struct import *import_new(struct node *n, const struct import_config *config);

/** import_pump - do all that can be done now; may free @im. */
void import_pump(struct import *im, struct mtime now);

/** import_job_begin - a job is under way; see invariant 2. */
void import_job_begin(struct import *im, struct pool_job *job,
                      enum pool_kind kind);

/** import_job_end - it has called back.  Return: false when @im has ended: only
 * import_pump() may follow. */
bool import_job_end(struct import *im);

/** import_fail - ends the import; the first failure counts.  @where: copied. */
void import_fail(struct import *im, enum err err, enum error_id id,
                 const char *what, struct bytes where);

/** import_fail_disk - with what the disk said of entry @index in @d; @index
 * @d->count: of the folder itself.  @changed: it is not what was listed. */
void import_fail_disk(struct import *im, enum err err, bool changed,
                      const struct import_dir *d, size_t index);

/** import_path - the path of entry @index in @d, as shown or @whole, as the
 * disk knows it; @index @d->count: of @d.  Valid until the next call. */
struct bytes import_path(struct import *im, const struct import_dir *d,
                         size_t index, bool whole);

/* import_dir.c */

/** import_dir_new - entry @index of @parent, with the planner's hold. */
struct import_dir *import_dir_new(struct import *im, struct import_dir *parent,
                                  size_t index);

/** import_dir_top - the top, of copies of @paths. */
struct import_dir *import_dir_top(struct import *im, const char *const *paths,
                                  size_t count);

/** import_dir_list - start listing it. */
void import_dir_list(struct import_dir *d);

/** import_dir_drop - one user less; the last closes it. */
void import_dir_drop(struct import_dir *d);

/** import_dir_planned - the planner gives up its hold, unless it has. */
void import_dir_planned(struct import_dir *d);

/** import_dir_sort - start dir_builder_finish() in a job. */
void import_dir_sort(struct import_dir *d);

/** import_dir_ended - all its blocks are made; frees it when it is closed. */
void import_dir_ended(struct import_dir *d);

/** import_dir_free - it has no users and no job. */
void import_dir_free(struct import_dir *d);

/* import_piece.c */

/** import_piece_take - an empty piece; NULL: not now, unless @force. */
struct import_piece *import_piece_take(struct import *im, bool force);

/** import_piece_has_room - whether a piece may be taken now. */
bool import_piece_has_room(const struct import *im);

/** import_piece_give - it is not in use any more, and in no list. */
void import_piece_give(struct import_piece *p);

/** import_piece_free - frees a piece that is in no list. */
void import_piece_free(struct import_piece *p);

/** import_piece_submit - start its job, and append it to the steps. */
void import_piece_submit(struct import_piece *p);

/** import_piece_add_leaf - room for a leaf of @file_len bytes at place @at of
 * the buf; returns where the next one may be. */
size_t import_piece_add_leaf(struct import_piece *p, size_t at,
                             size_t file_len);

/* import_stream.c */

/** import_stream_turn - ask for more bytes when there is room for them. */
void import_stream_turn(struct import *im, struct mtime now);

/* import_plan.c */

/** import_plan - plan one thing more.  Return: false: nothing to do now. */
bool import_plan(struct import *im);

/* import_make.c */

/** import_make - take one step or a part of it.  Return: false: nothing to do
 * now. */
bool import_make(struct import *im, struct mtime now);

/** import_add_step - append @s to the steps. */
void import_add_step(struct import *im, struct import_step *s);

#endif /* NODE_IMPORT_PRIV_H */
