#ifndef NODE_EXPORT_PRIV_H
#define NODE_EXPORT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/mtime.h"
#include "env/pool.h"
#include "node/export.h"
#include "node/fetch.h"
#include "node/resolving.h"
#include "unixfs/dir_reader.h"
#include "unixfs/file_reader.h"

/*
 * Shared by export.c (begin and end), export_dir.c (folders) and export_file.c
 * (files).
 *
 * Invariants:
 *  1. A job refers to the export by a reference (@jobs_count); the memory
 *     stays until the last one is done, also after export_free().
 *  2. Handles of folders are opened when their listing begins, so that no more
 *     are open than folders nest deep.
 *  3. What is written lies below @part_name in @parent, reached through
 *     handles only and never through a symlink.
 *  4. Of exports with one part one has jobs at a time: each clears the place,
 *     and would take the other's part for its own.
 *  5. After the first failure nothing new is started; @done is called when no
 *     job is left.
 */

struct disk;
struct disk_file;
struct export_entry;

enum {
    EXPORT_ENTRIES_MAX = 32,                   /* of folders, under way */
    EXPORT_ENTRY_BYTES_MAX = 16 * 1024 * 1024, /* what they claim to hold */
    EXPORT_DEPTH_MAX = 512,
    EXPORT_LOOKAHEAD_BYTES = 16 * 1024 * 1024, /* of a file alone */
    EXPORT_LOOKAHEAD_SHARE = 4 * 1024 * 1024,  /* of one of several */
    EXPORT_LARGE_MAX = 3,                      /* files of several blocks */
    EXPORT_UNWRITTEN_MAX = 8 * 1024 * 1024,    /* pieces taken, a file */
    EXPORT_PIECES_MAX = 16,                    /* of one job */
    /* Jobs of one file.  A second one would only spin for the lock that the
     * kernel holds while it writes to a file. */
    EXPORT_WRITES_MAX = 1,
};

/* A folder being made. */
struct export_dir {
    struct export *e;
    struct export_dir *parent; /* NULL: the root folder */
    char *name;                /* in its parent */
    struct disk_file *handle;  /* NULL before its listing begins */
    unsigned depth;
    unsigned refs; /* entries under way, child folders, the stack */
    struct dir_reader reader;
    bool opening;
    bool waiting; /* for a block of its own */
    struct fetch_op op;
    struct cid cid;
    struct list link; /* in e->stack */
};

/* A name in a folder, or the file that is asked for, from its first block on.
 */
struct export_entry {
    struct export *e;
    struct export_dir *dir; /* NULL: the root file */
    char *name;
    struct cid cid;
    uint64_t budget; /* counted in e->entries_bytes */
    struct fetch_op op;
    struct disk_file *file; /* of several blocks */
    struct file_reader reader;
    bool is_large;
    bool has_ended; /* FILE_END came */
    uint64_t size;
    size_t unwritten;
    struct list pieces; /* struct export_piece, to be written */
    unsigned writes_count;
    struct list wants; /* struct export_want */
    struct list link;  /* in e->entries */
};

/* A block of a file that is wanted. */
struct export_want {
    struct fetch_op op;
    struct export_entry *entry;
    uint64_t id;
    struct list link;
};

struct export
{
    struct node *node;
    struct disk *disk;
    struct pool *pool;
    struct export_config config;
    char *path_text;
    char *out;       /* whole path */
    char *part_name; /* last component, cut if long, with .xmbl-part */
    struct disk_file *parent;
    struct fetch *fetch;
    struct resolving resolving;
    struct list stack;   /* struct export_dir, to be listed; the last first */
    struct list entries; /* struct export_entry */
    size_t entries_count;
    size_t large_count;
    uint64_t entries_bytes;
    size_t jobs_count;
    struct export_progress progress;
    struct fault fault;
    enum err err; /* OK until the first failure */
    bool finishing;
    bool done;  /* @config.done was called */
    bool freed; /* export_free() was called */
    bool pumping;
    bool waiting;     /* another with the same @out has to end first */
    struct list link; /* in node_exports() */
};

/* A job with what it needs; freed by its done. */
struct export_job {
    struct pool_job job;
    struct export *e;
    enum err err;
};

/* export_submit - run @job, which holds @e until export_job_end(). */
void export_submit(struct export *e, struct export_job *job,
                   void (*run)(struct pool_job *job),
                   void (*done)(struct pool_job *job, struct mtime now));

/* export_job_end - the job is done and freed by the caller; false when the
 * export is to be left alone: it has failed or is gone. */
bool export_job_end(struct export *e);

/* export_fail - the first failure counts. @what, @where as fault_from_err(). */
void export_fail(struct export *e, enum err err, const char *what,
                 struct bytes where);

/* export_fail_fetch - as export_fail(), in the words of the fetch. */
void export_fail_fetch(struct export *e, enum err err);

/* export_pump - start what may be started, end what is complete. */
void export_pump(struct export *e, struct mtime now);

/* export_dir_push - make folder @name in @parent (NULL: the root). */
void export_dir_push(struct export *e, struct export_dir *parent,
                     const char *name, const struct cid *cid);

/* export_dir_unref - one user less; the last closes it. */
void export_dir_unref(struct export_dir *d);

/* export_dir_step - go on with the folder on top of the stack; false when it
 * has to wait or there is none. */
bool export_dir_step(struct export *e, struct mtime now);

/* export_entry_new - file or other thing @name in @dir (NULL: the root). */
struct export_entry *export_entry_new(struct export *e, struct export_dir *dir,
                                      const char *name, const struct cid *cid,
                                      uint64_t bytes);

/* export_entry_start - fetch its first block. */
void export_entry_start(struct export_entry *en);

/* export_entry_free - drop it and all it waits for. */
void export_entry_free(struct export_entry *en);

#endif /* NODE_EXPORT_PRIV_H */
