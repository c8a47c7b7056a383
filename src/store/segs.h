#ifndef STORE_SEGS_H
#define STORE_SEGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "store/segment.h"

struct disk;
struct disk_file;
struct pool;

enum { SEGMENT_ROW_BYTES = 13, SEGMENT_KEY_BYTES = 4 };

/** struct segment - one segment file, as the loop knows it. */
struct segment {
    uint32_t number;
    uint32_t size;          /* end of the last record that was written */
    uint32_t synced;        /* what is on the medium */
    uint32_t covered;       /* what the index knows once commits have ended */
    uint64_t live_bytes;    /* of records that the index names */
    struct disk_file *file; /* NULL: not open */
    uint64_t used_at;       /* for choosing which file to close */
    uint32_t readers;       /* who may use @file: it stays open */
    bool retired;           /* goes when the last reader lets go */
    bool removed;           /* the file is gone, its row not yet */
    bool stuck;             /* was not to be rewritten: left alone */
    bool changed;           /* its row is to be written */
};

/** struct segs - all segments, oldest first. */
struct segs {
    struct disk *disk;
    struct disk_file *dir;
    struct pool *pool;
    struct segment **items;
    size_t count;
    size_t room;
    size_t open_count;
    size_t open_max;
    uint64_t uses;
    size_t jobs;   /* closes and removals under way */
    uint64_t gone; /* files that were removed since the start */
};

/** segs_release - frees all; closes the files, so at the end only. */
void segs_release(struct segs *ss);

/** segs_find - segment @number or NULL. */
struct segment *segs_find(const struct segs *ss, uint32_t number);

/** segs_after - first segment with a number over @number, or NULL. */
struct segment *segs_after(const struct segs *ss, uint32_t number);

/** segs_add - new segment; @number is not there yet (asserted). */
struct segment *segs_add(struct segs *ss, uint32_t number);

/** segs_hold - one more reader of @g. */
void segs_hold(struct segs *ss, struct segment *g);

/** segs_drop - one reader less; @opened: NULL or a file that a job opened,
 * which is kept or closed. */
void segs_drop(struct segs *ss, struct segment *g, struct disk_file *opened);

/** segs_retire - nothing of @g is wanted: its file goes with the last
 * reader. */
void segs_retire(struct segs *ss, struct segment *g);

/** segs_forget - frees @g, whose file is gone. */
void segs_forget(struct segs *ss, struct segment *g);

/** segment_row_encode - @g for the index. */
size_t segment_row_encode(const struct segment *g,
                          uint8_t dst[static SEGMENT_ROW_BYTES]);

/** struct segment_row - what the index knows of a segment. */
struct segment_row {
    uint32_t covered;
    uint64_t live_bytes;
    bool retired;
};

/** segment_row_decode - E_CORRUPT. */
MUST_USE enum err segment_row_decode(struct bytes in,
                                     struct segment_row *ret_row);

#endif /* STORE_SEGS_H */
